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
                prop_assert_eq!(convert_spans(&text, &spans, unit), want);
            }
        }
    }
}
