//! Conversion of byte offsets to the units of other languages.

use crate::Span;

/// The unit in which a surface counts positions in a text.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum OffsetUnit {
    /// UTF-8 bytes, as in Rust and on the command line.
    #[default]
    Byte,
    /// Unicode code points, as in Python.
    CodePoint,
    /// UTF-16 code units, as in JavaScript.
    Utf16,
}

/// Converts the spans of `text` from bytes to `unit`, in one pass over the text however many spans there are.
///
/// The result has the order of the input. Spans may overlap and come in any order.
///
/// ```
/// use masker_core::{OffsetUnit, Span, convert_spans};
///
/// let spans = [Span::new(5, 9)];
/// assert_eq!(convert_spans("😀 Anna", &spans, OffsetUnit::CodePoint), [(2, 6)]);
/// assert_eq!(convert_spans("😀 Anna", &spans, OffsetUnit::Utf16), [(3, 7)]);
/// ```
///
/// # Panics
///
/// When an offset lies outside the text or inside a character.
pub fn convert_spans(text: &str, spans: &[Span], unit: OffsetUnit) -> Vec<(usize, usize)> {
    if unit == OffsetUnit::Byte || text.is_ascii() {
        return spans.iter().map(|s| (s.start, s.end)).collect();
    }
    // (byte offset, index of the span, whether it is the span's end)
    let mut marks: Vec<(usize, usize, bool)> =
        spans.iter().enumerate().flat_map(|(i, s)| [(s.start, i, false), (s.end, i, true)]).collect();
    marks.sort_unstable();
    let mut converted = vec![(0, 0); spans.len()];
    let (mut byte, mut count) = (0, 0);
    for (offset, index, is_end) in marks {
        let piece = &text[byte..offset];
        count += match unit {
            OffsetUnit::Byte => piece.len(),
            OffsetUnit::CodePoint => piece.chars().count(),
            OffsetUnit::Utf16 => piece.chars().map(char::len_utf16).sum(),
        };
        byte = offset;
        if is_end {
            converted[index].1 = count;
        } else {
            converted[index].0 = count;
        }
    }
    converted
}

/// Converts spans of a text that comes in parts and is not kept.
///
/// It remembers where the width of the characters changes, and nothing of the text.
///
/// ```
/// use masker_core::{OffsetMap, OffsetUnit, Span};
///
/// let mut map = OffsetMap::new(OffsetUnit::Utf16);
/// map.push("\u{1f600} An");
/// map.push("na");
/// assert_eq!(map.convert(Span::new(5, 9)), (3, 7));
/// ```
#[derive(Clone, Debug)]
pub struct OffsetMap {
    unit: OffsetUnit,
    /// Where runs of characters of one width begin: in bytes, in units, and the width in bytes.
    runs: Vec<(usize, usize, u8)>,
    bytes: usize,
    units: usize,
}

impl OffsetMap {
    /// A map at the start of a text.
    pub fn new(unit: OffsetUnit) -> Self {
        Self { unit, runs: vec![(0, 0, 1)], bytes: 0, units: 0 }
    }

    /// Takes the next part of the text.
    pub fn push(&mut self, text: &str) {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let width = c.len_utf8();
            let run = rest.chars().take_while(|c| c.len_utf8() == width).count() * width;
            if self.runs.last().is_none_or(|(.., last)| usize::from(*last) != width) {
                self.runs.push((self.bytes, self.units, width as u8));
            }
            self.units += run / width * self.per_char(width);
            self.bytes += run;
            rest = &rest[run..];
        }
    }

    /// The start and end of a span of what was pushed, in the unit of the map.
    ///
    /// # Panics
    ///
    /// When the span ends behind what was pushed.
    pub fn convert(&self, span: Span) -> (usize, usize) {
        assert!(span.end <= self.bytes, "the span {span:?} ends behind the {} bytes known", self.bytes);
        (self.at(span.start), self.at(span.end))
    }

    fn at(&self, byte: usize) -> usize {
        let run = self.runs.partition_point(|(start, ..)| *start <= byte).saturating_sub(1);
        let (start, units, width) = self.runs[run];
        let width = usize::from(width);
        units + (byte - start) / width * self.per_char(width)
    }

    /// Units of a character that has `width` bytes.
    fn per_char(&self, width: usize) -> usize {
        match self.unit {
            OffsetUnit::Byte => width,
            OffsetUnit::CodePoint => 1,
            OffsetUnit::Utf16 => 1 + usize::from(width == 4),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_counting_from_the_start(text in ".{0,40}", cuts in proptest::collection::vec((0usize..41, 0usize..41), 0..6)) {
            let bounds: Vec<usize> = text.char_indices().map(|(i, _)| i).chain([text.len()]).collect();
            let spans: Vec<Span> = cuts
                .iter()
                .map(|&(a, b)| (bounds[a % bounds.len()], bounds[b % bounds.len()]))
                .filter(|(a, b)| a != b)
                .map(|(a, b)| Span::new(a.min(b), a.max(b)))
                .collect();
            for unit in [OffsetUnit::Byte, OffsetUnit::CodePoint, OffsetUnit::Utf16] {
                let slow = |offset: usize| match unit {
                    OffsetUnit::Byte => offset,
                    OffsetUnit::CodePoint => text[..offset].chars().count(),
                    OffsetUnit::Utf16 => text[..offset].encode_utf16().count(),
                };
                let want: Vec<_> = spans.iter().map(|s| (slow(s.start), slow(s.end))).collect();
                prop_assert_eq!(&convert_spans(&text, &spans, unit), &want);
                let mut map = OffsetMap::new(unit);
                bounds.windows(2).for_each(|part| map.push(&text[part[0]..part[1]]));
                let mapped: Vec<_> = spans.iter().map(|s| map.convert(*s)).collect();
                prop_assert_eq!(mapped, want);
            }
        }
    }
}
