//! Lines of a transcript that name whoever speaks: `Agent: …`, `[00:12] Caller: …`, `Nurse (Ada): …`, `<v Agent>…`.

use super::document::Token;
use crate::view::{BARRIER, Case, Gap, NormalView, Shape};

/// The longest name in brackets or time behind a role, in bytes.
const LONGEST_NAME: usize = 40;
/// The most numbers in the time before a role, and words of a label behind it.
const MOST_NUMBERS: usize = 4;
const MOST_WORDS: usize = 8;

/// What names the speaker of a line.
pub(super) struct Label {
    /// The first word of what is said.
    pub(super) said: usize,
    /// Whether it may be a line of a note instead, as "Patient: Jane Roe", where it says what stands behind it.
    pub(super) in_note: bool,
}

/// The label that begins with a word, the name of a role.
pub(super) fn label(view: &NormalView<'_>, words: &[Token], at: usize) -> Option<Label> {
    let word = &words[at];
    if word.possessive || !begins_line(view, words, at) {
        return None;
    }
    let bytes = view.text().as_bytes();
    let numbered = words.get(at + 1).filter(|next| next.shape == Shape::Digits && next.gap == Gap::SPACE);
    let named = numbered.unwrap_or(word).end as usize;
    let bracketed = word.start > 0 && bytes[word.start as usize - 1] == b'[';
    let subject = matches!(word.stem(view), "guest" | "member" | "patient");
    let sign = match bytes.get(named)? {
        b':' | b'>' => 1,
        b']' if bracketed => 1,
        _ => behind_name(&bytes[named..])
            .or_else(|| (bytes[named..].starts_with(b" - ") && !subject).then_some(3))
            .or_else(|| (word.case != Case::Lower).then(|| alone_in_line(&bytes[named..]))?)?,
    };
    let behind = (named + sign) as u32;
    let next = words[at + 1..].iter().take(MOST_WORDS).position(|next| next.start >= behind);
    let said = next.map_or(words.len().min(at + 1 + MOST_WORDS), |next| at + 1 + next);
    Some(Label { said, in_note: subject && !bracketed })
}

/// The first word of the line in which a label begins with a word: that of the time before it.
pub(super) fn line_start(words: &[Token], at: usize) -> usize {
    let mut start = at;
    while start > 0 && at - start < MOST_NUMBERS && !words[start].gap.has(Gap::LINE.with(Gap::START)) {
        let before = &words[start - 1];
        if before.shape != Shape::Digits || before.len() > 4 {
            return at;
        }
        start -= 1;
    }
    start
}

fn begins_line(view: &NormalView<'_>, words: &[Token], at: usize) -> bool {
    const LINE: Gap = Gap::LINE.with(Gap::START);
    let bytes = view.text().as_bytes();
    if !words[at].gap.has(LINE) {
        let Some(before) = at.checked_sub(1).map(|before| &words[before]) else { return false };
        // "<v Agent>" of WebVTT
        let voice = before.len() == 1
            && before.gap.has(LINE)
            && bytes[..before.end as usize].ends_with(b"<v")
            && words[at].gap == Gap::SPACE;
        let start = line_start(words, at);
        let timed = start < at && words[start].gap.has(LINE) && words[start + 1..=at].iter().any(is_timed);
        return voice || timed;
    }
    // A value may begin the line.
    let before = at.checked_sub(1).map_or(0, |before| words[before].end as usize)..words[at].start as usize;
    let last = |is: fn(&u8) -> bool| bytes[before.clone()].iter().rposition(is);
    !words[at].gap.has(Gap::PROTECTED) || last(|&byte| byte == BARRIER) < last(|byte| is_line_break(*byte))
}

/// Whether a colon stands between two numbers of a time, before the second.
fn is_timed(word: &Token) -> bool {
    word.shape == Shape::Digits && word.gap == Gap::COLON
}

/// "(Ada):" behind a role: where the colon ends.
fn behind_name(rest: &[u8]) -> Option<usize> {
    let open = rest.iter().take(2).position(|byte| *byte == b'(')?;
    let mut name = 0;
    let ends = |byte: &u8| {
        // The bytes of a value that was replaced do not count.
        name += usize::from(*byte != BARRIER);
        *byte == b')' || is_line_break(*byte) || name > LONGEST_NAME
    };
    let close = rest[open..].iter().position(ends).filter(|&end| rest[open + end] == b')')? + open + 1;
    let sign = rest[close..].iter().take(LONGEST_NAME).position(|byte| *byte != b' ')? + close;
    matches!(rest[sign], b':' | b'>').then_some(sign + 1)
}

/// "AGENT", "Speaker 1  0:03", and nothing else in the line: where it ends.
fn alone_in_line(rest: &[u8]) -> Option<usize> {
    let is_time = |byte: &u8| byte.is_ascii_digit() || b" \t:.()[]".contains(byte);
    let end = rest.iter().take(LONGEST_NAME).position(|byte| !is_time(byte))?;
    is_line_break(rest[end]).then_some(end)
}

pub(super) fn is_line_break(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}
