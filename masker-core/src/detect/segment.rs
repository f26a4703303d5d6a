//! Cuts a text into the pieces that are detected one after the other.
//!
//! Where a piece ends depends on what stands before its end and on a bounded number of bytes behind it, so a text that arrives
//! in parts is cut like the whole. A piece is looked at together with some words before and behind it, so that a cut hides
//! nothing from the rules.

use std::cell::LazyCell;
use std::ops::Range;

use crate::Span;

/// A piece is at least this long, in bytes, and ends with a sentence or a line.
const LEAST: usize = 1024;
/// From here on a piece ends at any white space.
const MOST: usize = 1536;
/// A piece is cut off only where at least this much text comes after it: a few words more are no piece of their own.
const REST: usize = 384;
/// Text without white space is cut when a word is this long.
const LONGEST_WORD: usize = 8192;
/// How far behind its end a piece is looked at: to the first white space after so many bytes, or to twice as many.
const AHEAD: usize = 128;
/// How far before its start a piece is looked at: so many words, or bytes. A value counts as a word, and its bytes do not count:
/// where it is replaced as much is looked at.
const BEHIND_WORDS: usize = 20;
const BEHIND: usize = 256;
/// How many bytes that is at most, with those of values.
const MOST_BEHIND: usize = 512;

/// Where a piece ends, and how far the text behind it is looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Cut {
    pub(crate) at: usize,
    pub(crate) right: usize,
}

/// The end of the piece that begins at `start`; `None` where the rest is one piece, or where more text has to be known.
///
/// `known` is the number of bytes that later text cannot change the reading of: all of them where the text is complete.
pub(crate) fn next_cut(
    text: &str,
    start: usize,
    protected: &[Span],
    known: usize,
    complete: bool,
) -> Option<Cut> {
    let bytes = text.as_bytes();
    let hard = start + MOST;
    let last = hard + LONGEST_WORD;
    // A segment of an HL7 message is one thing to its end, however many full stops are in it.
    let is_segment = LazyCell::new(|| {
        let before = &bytes[start..start + LEAST];
        let line = memchr::memrchr2(b'\n', b'\r', before).map_or(before, |end| &before[end + 1..]);
        line.get(3) == Some(&b'|')
    });
    let ends_sentence = |at: usize| matches!(bytes[at - 1], b'.' | b'?' | b'!') && !*is_segment;
    let ends_piece = |at: usize| match bytes[at] {
        b'\n' => true,
        b'\r' if *is_segment => true,
        byte => byte.is_ascii_whitespace() && (at >= hard || ends_sentence(at)),
    };
    let at = match (start + LEAST..bytes.len().min(last)).find(|&at| ends_piece(at)) {
        Some(at) => at + 1,
        None if bytes.len() > last => floor_char(text, last),
        None => return None,
    };
    let at = enclosing(protected, at).map_or(at, |span| span.end);
    if at + REST > bytes.len() {
        return None;
    }
    let (near, far) = (at + AHEAD, at + 2 * AHEAD);
    let space = (near..bytes.len().min(far)).find(|&at| bytes[at].is_ascii_whitespace());
    let right = match space {
        Some(space) => space,
        None if bytes.len() >= far => floor_char(text, far),
        None if complete => bytes.len(),
        None => return None,
    };
    let right = enclosing(protected, right).map_or(right, |span| span.start.max(at));
    (complete || right <= known).then_some(Cut { at, right })
}

/// The part of a text in which values matter to [`left_of`].
pub(crate) fn before_cut(cut: usize) -> Range<usize> {
    cut.saturating_sub(MOST_BEHIND + 1)..cut
}

/// Where the text begins that is looked at together with the piece after a cut. `values`, sorted and disjoint, are protected or
/// were found.
pub(crate) fn left_of(text: &str, cut: usize, values: &[Span]) -> usize {
    let bytes = text.as_bytes();
    let floor = cut.saturating_sub(MOST_BEHIND);
    let mut values = values[..values.partition_point(|span| span.start < cut)].iter().rev().peekable();
    let (mut at, mut plain, mut words) = (cut, 0, 0);
    let mut left = None;
    while at > floor && plain < BEHIND && words < BEHIND_WORDS {
        match values.next_if(|span| span.end >= at) {
            Some(value) if value.start < floor => break,
            Some(value) => at = value.start,
            None => (at, plain) = (at - 1, plain + 1),
        }
        if !bytes[at].is_ascii_whitespace() && (at == 0 || bytes[at - 1].is_ascii_whitespace()) {
            (left, words) = (Some(at), words + 1);
        }
    }
    left.unwrap_or_else(|| floor_char(text, at))
}

/// The protected span that holds a place strictly inside it.
fn enclosing(protected: &[Span], at: usize) -> Option<Span> {
    let span = *protected.get(protected.partition_point(|span| span.end <= at))?;
    (span.start < at).then_some(span)
}

fn floor_char(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cuts(text: &str) -> Vec<Cut> {
        let mut cuts = Vec::new();
        let mut start = 0;
        while let Some(cut) = next_cut(text, start, &[], text.len(), true) {
            start = cut.at;
            cuts.push(cut);
        }
        cuts
    }

    #[test]
    fn pieces_end_with_sentences_lines_or_words() {
        assert_eq!(cuts(&"word ".repeat(280)), [], "too little comes after the end of a piece");
        let sentences = "One two three four. ".repeat(100);
        let first = cuts(&sentences)[0].at;
        assert!((LEAST..MOST).contains(&first) && sentences[..first].ends_with(". "));
        let words = "word ".repeat(600);
        let first = cuts(&words)[0];
        assert!((MOST..MOST + 8).contains(&first.at) && words[..first.at].ends_with(' '));
        assert!(!words[..first.right].ends_with(' '));
        let one = "\u{e9}".repeat(12_000);
        let first = cuts(&one)[0];
        assert!(one.is_char_boundary(first.at) && first.at <= MOST + LONGEST_WORD);
    }

    #[test]
    fn a_protected_part_is_not_cut() {
        let text = "word ".repeat(600);
        let plain = next_cut(&text, 0, &[], text.len(), true).unwrap();
        let span = Span::new(plain.at - 3, plain.at + 40);
        assert_eq!(next_cut(&text, 0, &[span], text.len(), true).unwrap().at, span.end);
        let span = Span::new(plain.right - 3, plain.right + 40);
        assert_eq!(next_cut(&text, 0, &[span], text.len(), true).unwrap().right, span.start);
        let left = left_of(&text, plain.at, &[]);
        assert_eq!(text[left..plain.at].split_ascii_whitespace().count(), BEHIND_WORDS);
    }

    #[test]
    fn before_a_piece_a_value_counts_as_one_word() {
        let words = "word ".repeat(60);
        let left = left_of(&words, words.len(), &[]);
        let value = Span::new(left + 5, left + 14);
        assert_eq!(&words[value.range()], "word word");
        assert_eq!(left_of(&words, words.len(), &[value]), left - 5);
        // As long as it is, it hides nothing that stands before it, up to a limit.
        for (len, before) in [(9, 19), (400, 19), (600, 0)] {
            let text = format!("{words}{} ", "x".repeat(len));
            let value = Span::new(words.len(), words.len() + len);
            let left = left_of(&text, text.len(), &[value]);
            let seen = text[left.min(words.len())..words.len()].split_ascii_whitespace().count();
            assert_eq!(seen, before, "{len}");
        }
    }

    proptest! {
        #[test]
        fn a_part_is_cut_like_the_whole(
            words in proptest::collection::vec("[a-z\u{e9}]{1,400}[.\n]?", 10..60),
            part in 0.0..1.0,
        ) {
            let text = words.join(" ");
            let whole = next_cut(&text, 0, &[], text.len(), true);
            let end = floor_char(&text, (text.len() as f64 * part) as usize);
            if let Some(cut) = next_cut(&text[..end], 0, &[], end, false) {
                prop_assert_eq!(Some(cut), whole);
            }
        }
    }
}
