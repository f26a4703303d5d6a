//! Python strings to text and back, without a loss.
//!
//! A Python string may hold lone surrogates, which no UTF-8 has. Each crosses the border as a private-use character of its
//! own, from the last 2,048 code points of Unicode, and becomes the surrogate again on the way back, also when the value
//! went through a token. Where a string has one of these characters itself, an escape stands before it, so the mapping
//! is one to one.

use std::borrow::Cow;

use masker_core::{OffsetUnit, Span, convert_spans};
use pyo3::exceptions::PyUnicodeEncodeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

const FIRST_SURROGATE: u32 = 0xD800;
const FIRST_STAND_IN: u32 = 0x10_F800;
const ESCAPE: char = '\u{10F7FF}';

/// The first byte of every character of this mapping in UTF-8, so that other text is told apart by one fast look.
const LEAD: u8 = 0xF4;

fn is_reserved(c: char) -> bool {
    c >= ESCAPE
}

fn has_reserved(text: &str) -> bool {
    text.as_bytes().contains(&LEAD) && text.chars().any(is_reserved)
}

/// The text of a Python string; borrowed but for strings with lone surrogates or characters of the mapping.
pub(crate) fn read<'a>(string: &'a Bound<'_, PyString>) -> PyResult<Cow<'a, str>> {
    match string.to_str() {
        Ok(text) => Ok(escaped(text)),
        Err(error) if error.is_instance_of::<PyUnicodeEncodeError>(string.py()) => {
            let bytes = string.call_method1("encode", ("utf-8", "surrogatepass"))?;
            Ok(Cow::Owned(without_surrogates(bytes.cast::<PyBytes>()?.as_bytes())))
        }
        Err(error) => Err(error),
    }
}

/// Text of another source than a Python string, in the same mapping.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    if !has_reserved(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    push_escaped(&mut out, text);
    Cow::Owned(out)
}

fn push_escaped(out: &mut String, text: &str) {
    for c in text.chars() {
        if is_reserved(c) {
            out.push(ESCAPE);
        }
        out.push(c);
    }
}

/// UTF-8 with surrogates in it, which are three bytes that begin with ED and A0 to BF.
fn without_surrogates(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 16);
    let mut rest = bytes;
    loop {
        let end = rest.windows(2).position(|pair| pair[0] == 0xED && pair[1] >= 0xA0);
        let (before, after) = rest.split_at(end.unwrap_or(rest.len()));
        push_escaped(&mut out, std::str::from_utf8(before).expect("Python encodes the rest as UTF-8"));
        let [_, second, third, after @ ..] = after else { return out };
        let low = (u32::from(*second) & 0x1F) << 6 | u32::from(*third) & 0x3F;
        out.push(char::from_u32(FIRST_STAND_IN + low).expect("the last 2,048 code points are characters"));
        rest = after;
    }
}

/// A Python string of text in the mapping.
pub(crate) fn write<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyString>> {
    if !has_reserved(text) {
        return Ok(PyString::new(py, text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Char(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Piece::Surrogate(low) => {
                let point = FIRST_SURROGATE + low;
                bytes.extend([0xED, 0x80 | (point >> 6 & 0x3F) as u8, 0x80 | (point & 0x3F) as u8]);
            }
        }
    }
    Ok(PyBytes::new(py, &bytes)
        .call_method1("decode", ("utf-8", "surrogatepass"))?
        .cast_into::<PyString>()?)
}

/// Text in the mapping for a place that takes UTF-8 alone: a surrogate becomes the replacement character.
pub(crate) fn unescaped(text: &str) -> Cow<'_, str> {
    if !has_reserved(text) {
        return Cow::Borrowed(text);
    }
    let of = |piece| match piece {
        Piece::Char(c) => c,
        Piece::Surrogate(_) => char::REPLACEMENT_CHARACTER,
    };
    Cow::Owned(pieces(text).map(of).collect())
}

/// One code point of the Python string.
enum Piece {
    Char(char),
    /// Its distance from the first surrogate.
    Surrogate(u32),
}

fn pieces(text: &str) -> impl Iterator<Item = Piece> {
    let mut chars = text.chars();
    std::iter::from_fn(move || {
        Some(match chars.next()? {
            // Only what was cut in two elsewhere ends with an escape.
            ESCAPE => Piece::Char(chars.next().unwrap_or(ESCAPE)),
            c if is_reserved(c) => Piece::Surrogate(c as u32 - FIRST_STAND_IN),
            c => Piece::Char(c),
        })
    })
}

/// Where the code points of the Python string begin, in bytes of the text, and the text's length.
pub(crate) fn starts(text: &str) -> Vec<usize> {
    let mut starts = Vec::with_capacity(text.len() + 1);
    let mut indices = text.char_indices();
    while let Some((at, c)) = indices.next() {
        starts.push(at);
        if c == ESCAPE {
            indices.next();
        }
    }
    starts.push(text.len());
    starts
}

/// Spans in code points of the Python string.
pub(crate) fn code_points(text: &str, spans: &[Span]) -> Vec<(usize, usize)> {
    if spans.is_empty() {
        return Vec::new();
    }
    if !has_reserved(text) {
        return convert_spans(text, spans, OffsetUnit::CodePoint);
    }
    let starts = starts(text);
    // An end inside an escaped character takes all of it.
    spans
        .iter()
        .map(|span| {
            let start = starts.partition_point(|&start| start <= span.start) - 1;
            (start, starts.partition_point(|&start| start < span.end))
        })
        .collect()
}

/// Joins parts of a stream where one was cut after an escape.
#[derive(Default)]
pub(crate) struct Joint {
    escape: bool,
}

impl Joint {
    /// The next part that can be written by itself; `last` ends the stream.
    pub(crate) fn next<'a>(&mut self, part: &'a str, last: bool) -> Cow<'a, str> {
        if !self.escape && !part.ends_with(ESCAPE) {
            return Cow::Borrowed(part);
        }
        let mut joined = String::with_capacity(part.len() + ESCAPE.len_utf8());
        if std::mem::take(&mut self.escape) {
            joined.push(ESCAPE);
        }
        joined.push_str(part);
        // Escapes at the end pair up; an odd one waits for its character.
        let odd = joined.chars().rev().take_while(|c| *c == ESCAPE).count() % 2 == 1;
        if odd && !last {
            joined.pop();
            self.escape = true;
        }
        Cow::Owned(joined)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_string_comes_back() {
        Python::initialize();
        Python::attach(|py| {
            for code in [
                "''",
                "'ann reed'",
                "'\\ud800'",
                "'\\udfff\\ud800 \\udc00x'",
                "'\\ud83d\\ude00'",
                "'\\U0001F600 \\ud83d'",
                "'\\U0010F7FF'",
                "'\\U0010F7FF\\U0010F7FF\\udc80\\U0010F800'",
                "'\\U0010FFFF\\U0010FFFE\\udfff'",
                "'\\U00100000'",
            ] {
                let code = std::ffi::CString::new(code).unwrap();
                let string = py.eval(&code, None, None).unwrap().cast_into::<PyString>().unwrap();
                let text = read(&string).unwrap();
                let back = write(py, &text).unwrap();
                assert!(back.as_any().eq(&string).unwrap(), "{code:?}");
                let starts = starts(&text);
                assert_eq!(starts.len(), string.len().unwrap() + 1, "{code:?}");

                // Whatever way the text is cut.
                let bounds: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
                for cut in bounds {
                    let mut joint = Joint::default();
                    let first = write(py, &joint.next(&text[..cut], false)).unwrap();
                    let second = write(py, &joint.next(&text[cut..], true)).unwrap();
                    let joined = first.add(second).unwrap();
                    assert!(joined.eq(&string).unwrap(), "{code:?} cut at {cut}");
                }
            }
        });
    }

    #[test]
    fn offsets_count_code_points_of_the_python_string() {
        let text = "\u{10F7FF}\u{10F800}\u{10F801}\u{1F600}ab";
        // One escaped character, one surrogate, one emoji, two letters.
        let spans = [Span::new(12, 16), Span::new(16, 18), Span::new(0, 8)];
        assert_eq!(code_points(text, &spans), [(2, 3), (3, 5), (0, 1)]);
        assert_eq!(code_points("\u{e9} ab", &[Span::new(3, 5)]), [(2, 4)]);
        assert_eq!(code_points("ab", &[Span::new(1, 2)]), [(1, 2)]);
    }

    #[test]
    fn utf8_alone_gets_the_replacement_character() {
        assert_eq!(unescaped("a\u{10F7FF}\u{10F800}b\u{10F801}"), "a\u{10F800}b\u{fffd}");
        assert_eq!(unescaped("\u{e9}"), "\u{e9}");
    }
}
