//! Texts on their way in and out: strings of JavaScript are UTF-16 and may hold half a surrogate pair, those of the core are
//! UTF-8 and may not.
//!
//! Half a pair crosses as a stand-in, a character of a block that nobody uses, and a character of that block crosses as the
//! stand-ins of its two halves. So every string comes back as it was, and the common one pays nothing.
#![expect(unsafe_code, reason = "Node-API gives the bytes of a string through a pointer only")]

use std::ptr;

use masker_core::{OffsetMap, OffsetUnit, Span, convert_spans};
use napi::bindgen_prelude::{FromNapiValue, JsValue, ToNapiValue, Uint8Array, Unknown, Utf16String};
use napi::{Env, Status, sys};

use crate::errors::Failure;

/// The first of the 2,048 stand-ins, in a private use area.
const FIRST: u32 = 0x10_f000;
/// What the UTF-8 of every stand-in begins with.
const LEAD: &[u8] = b"\xf4\x8f";

/// A text of JavaScript.
pub struct Text(String);

impl Text {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }

    fn from_units(units: &[u16]) -> Self {
        let mut text = String::with_capacity(units.len() * 2);
        for decoded in char::decode_utf16(units.iter().copied()) {
            match decoded {
                Ok(c) if half(c).is_some() => {
                    text.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| stand_in(*unit)));
                }
                Ok(c) => text.push(c),
                Err(alone) => text.push(stand_in(alone.unpaired_surrogate())),
            }
        }
        Self(text)
    }

    /// Reads a value that must be a string; `what` names it.
    pub(crate) fn read(value: Unknown<'_>, what: &str) -> Result<Self, Failure> {
        let raw = value.value();
        // SAFETY: both are of the call at hand.
        unsafe { Self::from_napi_value(raw.env, raw.value) }
            .map_err(|_| Failure::Argument(format!("{what} must be a string")))
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromNapiValue for Text {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        // Most texts are short, and one call for both length and bytes is half the price of two.
        const SHORT: usize = 1_024;
        let mut bytes = [0_u8; SHORT];
        let mut length = 0;
        // SAFETY: the buffer has the length given.
        let status = unsafe {
            sys::napi_get_value_string_utf8(env, value, bytes.as_mut_ptr().cast(), SHORT, &raw mut length)
        };
        if status != sys::Status::napi_ok {
            return Err(
                Failure::Argument("the text must be a string".to_owned()).into_js(&Env::from_raw(env))
            );
        }
        // A character that does not fit as a whole is left out, so a full buffer may end up to three bytes early.
        let text = if length + 4 < SHORT {
            std::str::from_utf8(&bytes[..length]).expect("Node-API writes UTF-8").to_owned()
        } else {
            // SAFETY: as for this function.
            unsafe { String::from_napi_value(env, value)? }
        };
        // Node-API writes the replacement character for half a pair.
        if text.is_ascii() || !(text.contains('\u{fffd}') || has_stand_ins(&text)) {
            return Ok(Self(text));
        }
        // SAFETY: as for this function.
        let units = unsafe { Utf16String::from_napi_value(env, value)? };
        Ok(Self::from_units(&units))
    }
}

/// A text for JavaScript.
pub struct Answer<S>(pub(crate) S);

impl<S: AsRef<str>> ToNapiValue for Answer<S> {
    unsafe fn to_napi_value(env: sys::napi_env, Self(text): Self) -> napi::Result<sys::napi_value> {
        let text = text.as_ref();
        let mut value = ptr::null_mut();
        let status = if text.is_ascii() {
            // SAFETY: pointer and length are those of one text; ASCII is Latin-1.
            unsafe {
                sys::napi_create_string_latin1(
                    env,
                    text.as_ptr().cast(),
                    text.len().cast_signed(),
                    &raw mut value,
                )
            }
        } else if has_stand_ins(text) {
            let units = to_units(text);
            // SAFETY: pointer and length are those of one list.
            unsafe {
                sys::napi_create_string_utf16(env, units.as_ptr(), units.len().cast_signed(), &raw mut value)
            }
        } else {
            // SAFETY: pointer and length are those of one text.
            unsafe {
                sys::napi_create_string_utf8(
                    env,
                    text.as_ptr().cast(),
                    text.len().cast_signed(),
                    &raw mut value,
                )
            }
        };
        match status {
            sys::Status::napi_ok => Ok(value),
            _ => Err(napi::Error::new(Status::from(status), "the text is longer than a string may be")),
        }
    }
}

/// Makes a value of JavaScript in the thread of JavaScript.
pub(crate) fn unknown<'env, T: ToNapiValue>(env: &'env Env, value: T) -> napi::Result<Unknown<'env>> {
    // SAFETY: the value is made in the environment at hand.
    unsafe {
        let value = T::to_napi_value(env.raw(), value)?;
        Unknown::from_napi_value(env.raw(), value)
    }
}

/// A value that is made already.
pub(crate) struct Made(sys::napi_value);

impl From<Unknown<'_>> for Made {
    fn from(value: Unknown<'_>) -> Self {
        Self(value.value().value)
    }
}

impl ToNapiValue for Made {
    unsafe fn to_napi_value(_: sys::napi_env, Self(value): Self) -> napi::Result<sys::napi_value> {
        Ok(value)
    }
}

/// A list of numbers below 65,536 as a string, the cheapest list that crosses the border.
pub(crate) struct Units(pub(crate) Vec<u16>);

impl ToNapiValue for Units {
    unsafe fn to_napi_value(env: sys::napi_env, Self(units): Self) -> napi::Result<sys::napi_value> {
        // SAFETY: as for this function.
        unsafe { Utf16String::to_napi_value(env, units.into()) }
    }
}

/// Spans of a text in UTF-16 units of the string it was.
pub(crate) fn in_units(text: &str, spans: &[Span]) -> Vec<(usize, usize)> {
    let mut converted = convert_spans(text, spans, OffsetUnit::Utf16);
    if has_stand_ins(text) {
        let halves = stand_ins(text);
        for (span, (start, end)) in spans.iter().zip(&mut converted) {
            *start -= halves.partition_point(|at| *at < span.start);
            *end -= halves.partition_point(|at| *at < span.end);
        }
    }
    converted
}

/// Ranges in UTF-16 units as bytes of a text; nothing for one that does not begin and end with characters.
pub(crate) fn in_bytes(text: &str, ranges: &[(usize, usize)]) -> Option<Vec<(usize, usize)>> {
    let mut wanted: Vec<usize> = ranges.iter().flat_map(|(start, end)| [*start, *end]).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut places = Vec::with_capacity(wanted.len());
    let mut next = wanted.iter().copied().peekable();
    let mut unit = 0;
    for (byte, c) in text.char_indices() {
        if next.peek() == Some(&unit) {
            places.push(byte);
            next.next();
        }
        unit += if half(c).is_some() { 1 } else { c.len_utf16() };
        if next.peek().is_some_and(|wanted| *wanted < unit) {
            return None;
        }
    }
    if next.peek() == Some(&unit) {
        places.push(text.len());
        next.next();
    }
    if next.peek().is_some() {
        return None;
    }
    let place = |unit: &usize| places[wanted.partition_point(|wanted| wanted < unit)];
    Some(ranges.iter().map(|(start, end)| (place(start), place(end))).collect())
}

/// A text that comes in parts: joins a pair that was cut, and counts offsets over all parts.
pub(crate) struct Parts {
    /// The first half of a pair at the end of the last part.
    pending: Option<char>,
    offsets: OffsetMap,
    /// Where stand-ins begin.
    halves: Vec<usize>,
    bytes: usize,
}

impl Default for Parts {
    fn default() -> Self {
        Self { pending: None, offsets: OffsetMap::new(OffsetUnit::Utf16), halves: Vec::new(), bytes: 0 }
    }
}

impl Parts {
    /// What the part adds to the text.
    pub(crate) fn push(&mut self, part: Text) -> String {
        let part = self.joined(part);
        self.note(&part);
        part
    }

    /// What `part` would add, if it came now.
    pub(crate) fn preview(&self, part: Text) -> String {
        let mut ahead = Self { pending: self.pending, ..Self::default() };
        let mut text = ahead.joined(part);
        text.extend(ahead.pending);
        text
    }

    /// What is left at the end of the text.
    pub(crate) fn finish(&mut self) -> String {
        let rest: String = self.pending.take().into_iter().collect();
        self.note(&rest);
        rest
    }

    /// A span of the text in UTF-16 units.
    pub(crate) fn in_units(&self, span: Span) -> (usize, usize) {
        let (start, end) = self.offsets.convert(span);
        let halves_before = |byte: usize| self.halves.partition_point(|at| *at < byte);
        (start - halves_before(span.start), end - halves_before(span.end))
    }

    fn joined(&mut self, Text(mut part): Text) -> String {
        if let Some(first) = self.pending {
            if part.is_empty() {
                return part;
            }
            self.pending = None;
            let second = part.chars().next().and_then(half);
            match (half(first), second) {
                (Some(high), Some(low @ 0xdc00..=0xdfff)) => {
                    let rest = &part[stand_in(low).len_utf8()..];
                    part = Text::from_units(&[high, low]).0 + rest;
                }
                _ => part.insert(0, first),
            }
        }
        if let Some(last) = part.chars().next_back()
            && half(last).is_some_and(|unit| unit < 0xdc00)
        {
            part.pop();
            self.pending = Some(last);
        }
        part
    }

    fn note(&mut self, part: &str) {
        self.offsets.push(part);
        if has_stand_ins(part) {
            self.halves.extend(stand_ins(part).into_iter().map(|at| at + self.bytes));
        }
        self.bytes += part.len();
    }
}

/// The length of a text in the string it becomes.
pub(crate) fn length_in_units(text: &str) -> usize {
    text.chars().map(|c| if half(c).is_some() { 1 } else { c.len_utf16() }).sum()
}

fn stand_in(unit: u16) -> char {
    char::from_u32(FIRST + (u32::from(unit) - 0xd800)).expect("the block lies in a plane of characters")
}

/// The half of a pair that a character stands for.
fn half(c: char) -> Option<u16> {
    let offset = u32::from(c).checked_sub(FIRST).filter(|offset| *offset < 0x800)?;
    Some(0xd800 + offset as u16)
}

fn has_stand_ins(text: &str) -> bool {
    text.len() >= 4
        && memchr::memmem::find(text.as_bytes(), LEAD)
            .is_some_and(|at| text[at..].chars().any(|c| half(c).is_some()))
}

fn stand_ins(text: &str) -> Vec<usize> {
    text.char_indices().filter(|(_, c)| half(*c).is_some()).map(|(at, _)| at).collect()
}

fn to_units(text: &str) -> Vec<u16> {
    let mut units = Vec::with_capacity(text.len());
    for c in text.chars() {
        match half(c) {
            Some(unit) => units.push(unit),
            None => units.extend_from_slice(c.encode_utf16(&mut [0; 2])),
        }
    }
    units
}

/// The bytes of a value that must be a `Uint8Array`; `what` names it.
pub(crate) fn bytes(value: Unknown<'_>, what: &str) -> Result<Vec<u8>, Failure> {
    let failure = || Failure::Argument(format!("{what} must be a Uint8Array"));
    if !value.is_typedarray()? {
        return Err(failure());
    }
    let raw = value.value();
    // SAFETY: both are of the call at hand.
    let bytes = unsafe { Uint8Array::from_napi_value(raw.env, raw.value) }.map_err(|_| failure())?;
    Ok(bytes.to_vec())
}
