//! Byte spans in other units, against the slow way.

use masker_core::{OffsetMap, OffsetUnit, Span, convert_spans};

use crate::input::{Cuts, Input};

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let places: Vec<usize> = (0..2 * (1 + input.below(8))).map(|_| input.below(1 << 16)).collect();
    let cuts = Cuts::new(&mut input);
    let text = input.text();
    let boundaries: Vec<usize> = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect();
    let at = |place: usize| boundaries[place % boundaries.len()];
    let spans: Vec<Span> = places
        .chunks_exact(2)
        .map(|pair| (at(pair[0]).min(at(pair[1])), at(pair[0]).max(at(pair[1]))))
        .filter(|(start, end)| start < end)
        .map(|(start, end)| Span::new(start, end))
        .collect();

    for unit in [OffsetUnit::Byte, OffsetUnit::CodePoint, OffsetUnit::Utf16] {
        let slow = |at: usize| match unit {
            OffsetUnit::CodePoint => text[..at].chars().count(),
            OffsetUnit::Utf16 => text[..at].encode_utf16().count(),
            _ => at,
        };
        let expected: Vec<(usize, usize)> =
            spans.iter().map(|span| (slow(span.start), slow(span.end))).collect();
        assert_eq!(convert_spans(&text, &spans, unit), expected, "{unit:?} of {spans:?}");
        let mut map = OffsetMap::new(unit);
        for part in cuts.text(&text) {
            map.push(part);
        }
        let mapped: Vec<(usize, usize)> = spans.iter().map(|span| map.convert(*span)).collect();
        assert_eq!(mapped, expected, "{unit:?} of {spans:?}, in parts");
    }
}
