use std::ops::Range;

use super::hash::{WordHash, hash_part, hash_short, hash_two, load, load_inside};
use super::normal::{BARRIER, NormalView};

/// What a word is made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shape {
    /// Letters, with apostrophes inside.
    Letters,
    /// Digits only.
    Digits,
    /// Letters and digits.
    Mixed,
}

impl Shape {
    #[inline]
    fn of(letters: bool, digits: bool) -> Self {
        match (letters, digits) {
            (true, true) => Self::Mixed,
            (_, true) => Self::Digits,
            _ => Self::Letters,
        }
    }
}

/// How the word is written in the source.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Case {
    /// No capital.
    Lower,
    /// A capital first, then small letters: also McCoy and O'Brien.
    Title,
    /// Capitals only, two or more.
    Upper,
}

/// What stands between a word and the one before it: a set of flags.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Gap(u32);

impl Gap {
    /// A space or tab.
    pub const SPACE: Self = Self(1);
    /// A line break.
    pub const LINE: Self = Self(1 << 1);
    /// A full stop, question or exclamation mark with white space after it, or an empty line.
    pub const SENTENCE: Self = Self(1 << 2);
    /// A comma.
    pub const COMMA: Self = Self(1 << 3);
    /// A hyphen.
    pub const HYPHEN: Self = Self(1 << 4);
    /// A full stop.
    pub const STOP: Self = Self(1 << 5);
    /// A colon, semicolon or equals sign.
    pub const COLON: Self = Self(1 << 6);
    /// A slash.
    pub const SLASH: Self = Self(1 << 7);
    /// A bracket or parenthesis.
    pub const BRACKET: Self = Self(1 << 8);
    /// A question mark.
    pub const QUESTION: Self = Self(1 << 9);
    /// A number sign.
    pub const HASH: Self = Self(1 << 10);
    /// A protected part of the source, or the border between two turns: nothing joins over it.
    pub const BARRIER: Self = Self(1 << 11);
    /// Anything else.
    pub const OTHER: Self = Self(1 << 12);
    /// The start of the text.
    pub const START: Self = Self(1 << 13);
    /// A quotation mark or apostrophe.
    pub const QUOTE: Self = Self(1 << 14);
    /// Three full stops: a pause.
    pub const PAUSE: Self = Self(1 << 15);
    /// The border between two turns.
    pub const TURN: Self = Self(1 << 16);
    /// A protected part of the source.
    pub const PROTECTED: Self = Self(1 << 17);
    /// Three spaces or more, or a tab: the border between two columns.
    pub const COLUMN: Self = Self(1 << 18);
    /// An underscore; or nothing, where one word of a name such as `memberId` ends and the next begins.
    pub const JOINT: Self = Self(1 << 19);

    /// Whether any flag of `other` is set.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether no flag outside `other` is set.
    pub fn only(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set without the flags of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// A word of the normal view.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// First byte in the view.
    pub start: u32,
    /// One past the last byte in the view.
    pub end: u32,
    /// What it is made of.
    pub shape: Shape,
    /// How it is written.
    pub case: Case,
    /// Whether an apostrophe stands inside.
    pub apostrophe: bool,
    /// Whether it ends in `'s`.
    pub possessive: bool,
    /// What stands before it.
    pub gap: Gap,
    /// Hash of the word without a possessive ending.
    pub hash: WordHash,
}

impl Word {
    /// The word as it stands in the view.
    pub fn text<'v>(&self, view: &'v NormalView<'_>) -> &'v str {
        &view.text()[self.start as usize..self.end as usize]
    }

    /// The word without a possessive ending.
    pub fn stem<'v>(&self, view: &'v NormalView<'_>) -> &'v str {
        &view.text()[self.start as usize..self.stem_end() as usize]
    }

    /// One past the last byte in the view of the word without a possessive ending.
    #[inline]
    pub fn stem_end(&self) -> u32 {
        self.end - 2 * u32::from(self.possessive)
    }

    /// Length in bytes of the view.
    #[expect(clippy::len_without_is_empty, reason = "a word is never empty")]
    pub fn len(&self) -> usize {
        (self.end - self.start) as usize
    }
}

/// Cuts a view into words: runs of letters and digits, with apostrophes inside kept.
///
/// ```
/// use masker_core::view::{Gap, NormalView, split_words};
///
/// let view = NormalView::new("Dr. O'Brien's 10mg", &[]);
/// let words = split_words(&view);
/// let texts: Vec<_> = words.iter().map(|w| w.stem(&view)).collect();
/// assert_eq!(texts, ["dr", "o'brien", "10mg"]);
/// assert!(words[1].gap.has(Gap::STOP));
/// ```
pub fn split_words(view: &NormalView<'_>) -> Vec<Word> {
    let mut words = Words::new(view);
    std::iter::from_fn(|| words.read()).collect()
}

/// Goes over the words of a view.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<'v> {
    text: &'v str,
    cased: &'v [u8],
    /// Where the next word begins, or what stands before it goes on; views are shorter than 4 GiB.
    at: u32,
    /// What stands before it, so far.
    gap: Gap,
}

impl<'v> Words<'v> {
    pub(crate) fn new(view: &'v NormalView<'_>) -> Self {
        Self::from(view, 0, Gap::START)
    }

    /// Begins behind a word that ends at a byte of the view.
    pub(crate) fn behind(view: &'v NormalView<'_>, end: u32) -> Self {
        let inside = word_char(view.text(), end as usize) > 0;
        Self::from(view, end, if inside { Gap::JOINT } else { Gap::default() })
    }

    fn from(view: &'v NormalView<'_>, at: u32, gap: Gap) -> Self {
        let text = view.text();
        let mut words = Self { text, cased: &view.cased()[..text.len()], at, gap };
        words.skip_gap();
        words
    }

    /// What stands before the next word; where no word is left, at the end of the text.
    pub(crate) fn gap(&self) -> Gap {
        self.gap
    }

    /// The next word, if it is like most: of plain letters, fewer than sixteen. Inlined into the loop that reads texts, where it is
    /// most of the work.
    #[inline(always)]
    pub(crate) fn read_plain(&mut self) -> Option<Word> {
        let start = self.at as usize;
        let eight = load_inside(self.cased, start)?;
        let letters = letters_of(eight | SMALL);
        let len = (!letters & HIGH).trailing_zeros() / 8;
        let (len, behind, hash, case, capitals) = if len < 8 {
            if len == 0 {
                return None;
            }
            let keep = (1_u64 << (len * 8)) - 1;
            let case = case_of_letters(eight, eight & keep & SMALL, len);
            (len, (eight >> (len * 8)) as u8, hash_short((eight | SMALL) & keep), case, !eight & keep & !0xFF)
        } else {
            let rest = load_inside(self.cased, start + 8)?;
            let len = (!letters_of(rest | SMALL) & HIGH).trailing_zeros() / 8;
            let keep = 1_u64.checked_shl(len * 8)? - 1;
            let case = case_of_letters(eight, (eight | rest & keep) & SMALL, 8 + len);
            let hash = hash_two(eight | SMALL, (rest | SMALL) & keep);
            (8 + len, (rest >> (len * 8)) as u8, hash, case, !eight & !0xFF | !rest & keep)
        };
        let mut behind = BEHIND[usize::from(behind)];
        let (start, end, gap) = (self.at, self.at + len, self.gap);
        if behind.len >= Behind::WORD {
            // The name of a value may be one of several words: it has capitals inside, or is behind another one.
            let inside = capitals & SMALL != 0;
            if behind.len == Behind::WORD || inside || gap.has(Gap::JOINT) {
                return None;
            }
            behind.len -= Behind::NAMED;
        }
        (self.at, self.gap) = gap_behind(self.text, end, behind);
        Some(Word {
            start,
            end,
            shape: Shape::Letters,
            case,
            apostrophe: false,
            possessive: false,
            gap,
            hash,
        })
    }

    /// The next word, if it is a number of fewer than eight digits.
    #[inline(always)]
    pub(crate) fn read_number(&mut self) -> Option<Word> {
        let start = self.at;
        let eight = load_inside(self.cased, start as usize)?;
        let len = (!digits_of(eight) & HIGH).trailing_zeros() / 8;
        if len == 0 || len == 8 {
            return None;
        }
        let behind = BEHIND[usize::from((eight >> (len * 8)) as u8)];
        if behind.len == Behind::WORD {
            return None;
        }
        let (end, gap) = (start + len, self.gap);
        (self.at, self.gap) =
            gap_behind(self.text, end, Behind { len: behind.len % Behind::NAMED, ..behind });
        Some(Word {
            start,
            end,
            shape: Shape::Digits,
            case: Case::Lower,
            apostrophe: false,
            possessive: false,
            gap,
            hash: hash_short(eight & ((1 << (len * 8)) - 1)),
        })
    }

    /// Goes on to the first character of the next word; whether there is one.
    fn skip_gap(&mut self) -> bool {
        (self.at, self.gap) = gap_end(self.text, self.at, self.gap);
        (self.at as usize) < self.text.len()
    }

    /// The next word.
    #[inline(never)]
    pub(crate) fn read(&mut self) -> Option<Word> {
        if !self.skip_gap() {
            return None;
        }
        if let Some(word) = self.read_plain().or_else(|| self.read_number()) {
            return Some(word);
        }
        let word = read_long(self.text, self.cased, self.at, self.gap);
        (self.at, self.gap) = behind_long(self.text, &word);
        Some(word)
    }
}

/// How a word of `len` letters is written: from its first letter, and the bits of [`SMALL`] in any of them.
#[inline(always)]
#[expect(clippy::needless_bitwise_bool, reason = "not branched on")]
fn case_of_letters(first: u64, small: u64, len: u32) -> Case {
    let written = [Case::Lower, Case::Title, Case::Upper];
    // Looked up and not branched on: which words have capitals cannot be foreseen.
    written[usize::from(first & 0x20 == 0) + usize::from((small == 0) & (len > 1))]
}

/// A word that is long, has other characters than letters, or is a part of an identifier.
#[inline(never)]
fn read_long(text: &str, cased: &[u8], start: u32, gap: Gap) -> Word {
    let (bytes, at) = (text.as_bytes(), start as usize);
    let (end, shape, apostrophe) = word_end(text, at);
    let inside = gap.has(Gap::JOINT) && at > 0 && bytes[at - 1].is_ascii_alphanumeric();
    let part = part_of_identifier(bytes, cased, at..end, inside);
    if let Some(end) = part.or_else(|| inside.then_some(end)) {
        let has = |kind: fn(&u8) -> bool| bytes[at..end].iter().any(kind);
        return Word {
            hash: hash_part(bytes, at, end),
            start,
            end: end as u32,
            shape: Shape::of(has(u8::is_ascii_alphabetic), has(u8::is_ascii_digit)),
            // A capital tells where the word begins, and nothing else.
            case: Case::Lower,
            apostrophe: false,
            possessive: false,
            gap,
        };
    }
    let possessive = end - at > 2 && bytes[..end].ends_with(b"'s");
    let stem_end = if possessive { end - 2 } else { end };
    Word {
        hash: hash_part(bytes, at, stem_end),
        start,
        end: end as u32,
        shape,
        case: case_of(text, cased, at, stem_end),
        apostrophe,
        possessive,
        gap,
    }
}

/// Where the next word begins behind one that was read by [`read_long`], or what stands there goes on, and what that is.
fn behind_long(text: &str, word: &Word) -> (u32, Gap) {
    let Some(&byte) = text.as_bytes().get(word.end as usize) else { return (word.end, Gap::default()) };
    if byte.is_ascii_alphanumeric() {
        return (word.end, Gap::JOINT);
    }
    let behind = BEHIND[usize::from(byte)];
    let len = behind.len % Behind::NAMED;
    gap_behind(text, word.end, if len == Behind::WORD { Behind::OTHER } else { Behind { len, ..behind } })
}

/// Where the first word of an identifier ends that is several and names the value behind it: `"memberId": …`, `memberId=…`,
/// `<memberId>…`.
/// Capitals inside a word say nothing elsewhere ("McCoy", "predniSONE").
fn part_of_identifier(bytes: &[u8], cased: &[u8], word: Range<usize>, inside: bool) -> Option<usize> {
    /// The longest identifier, in bytes.
    const LONGEST: usize = 64;
    /// The most white space between a name in quotes and the colon.
    const MOST_SPACE: usize = 4;
    if word.len() > LONGEST {
        return None;
    }
    let cased = &cased[..word.end];
    let begins_part = |at: &usize| {
        let next_is_small = cased.get(at + 1).is_some_and(u8::is_ascii_lowercase);
        cased[*at].is_ascii_uppercase() && (!cased[at - 1].is_ascii_uppercase() || next_is_small)
    };
    let mut parts = (word.start + 1..word.end).filter(begins_part);
    let first = parts.next()?;
    let is_camel = |at: usize| cased.get(at + 1).is_some_and(u8::is_ascii_lowercase);
    let is_identifier = inside
        || match &bytes[word.end..] {
            [b'"' | b'\'' | b'`', rest @ ..] => {
                let sign = rest.iter().take(MOST_SPACE).find(|byte| **byte != b' ');
                matches!(sign, Some(b':' | b'='))
            }
            [b':' | b'=', ..] => {
                cased[word.start].is_ascii_lowercase() && is_camel(first) && parts.all(is_camel)
            }
            [b'>', ..] => word.start > 0 && bytes[word.start - 1] == b'<',
            _ => false,
        };
    (is_identifier && cased[word].is_ascii()).then_some(first)
}

/// What the byte behind a word says.
#[derive(Clone, Copy)]
struct Behind {
    /// What stands in the gap if it is that byte and a space, or a space alone.
    gap: Gap,
    /// How many bytes that gap has.
    len: u8,
}

impl Behind {
    /// In place of a length: the word may not be at its end.
    const WORD: u8 = 3;
    /// Added to the length of a gap behind the name of a value.
    const NAMED: u8 = 4;
    /// The gap is read character by character.
    const OTHER: Self = Self { gap: Gap(0), len: 0 };

    const fn of(byte: u8) -> Self {
        match byte {
            b' ' => Self { gap: Gap::SPACE, len: 1 },
            b'.' => Self { gap: Gap::STOP.with(Gap::SENTENCE).with(Gap::SPACE), len: 2 },
            b'\'' => Self { gap: Gap(0), len: Self::WORD },
            _ if !byte.is_ascii() || byte.is_ascii_alphanumeric() => Self { gap: Gap(0), len: Self::WORD },
            b'"' | b'`' | b':' | b'=' | b'>' => {
                Self { gap: mark(byte).with(Gap::SPACE), len: 2 + Self::NAMED }
            }
            _ if byte.is_ascii_punctuation() => Self { gap: mark(byte).with(Gap::SPACE), len: 2 },
            _ => Self::OTHER,
        }
    }
}

/// For each byte what it says behind a word.
static BEHIND: [Behind; 256] = {
    let mut table = [Behind::OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = Behind::of(byte as u8);
        byte += 1;
    }
    table
};

/// Where the gap behind a word that ends at `end` ends, or what stands in it goes on, and what that is: most often a space, or
/// one character and a space. The byte before the end is no space.
#[inline(always)]
fn gap_behind(text: &str, end: u32, behind: Behind) -> (u32, Gap) {
    let next = end + u32::from(behind.len);
    if text.as_bytes().get(next as usize - 1) == Some(&b' ') {
        return (next, behind.gap);
    }
    gap_end(text, end, Gap::default())
}

/// Where the gap at `at` ends, and what stands in it.
#[inline(never)]
fn gap_end(text: &str, at: u32, mut gap: Gap) -> (u32, Gap) {
    let mut at = at as usize;
    while let Some(&byte) = text.as_bytes().get(at) {
        let inside = if byte.is_ascii() { byte.is_ascii_alphanumeric() } else { word_char(text, at) > 0 };
        if inside {
            break;
        }
        at += gap_char(text, at, &mut gap);
    }
    (at as u32, gap)
}

/// The end of the word that begins at `start`, what it is made of, and whether it has an apostrophe.
fn word_end(text: &str, start: usize) -> (usize, Shape, bool) {
    let bytes = text.as_bytes();
    let (mut letters, mut digits) = (0, 0);
    let mut apostrophe = false;
    let mut at = start;
    loop {
        let eight = load(bytes, at);
        let (letter, digit) = (letters_of(eight), digits_of(eight));
        let stop = !(letter | digit) & HIGH;
        let len = (stop.trailing_zeros() / 8) as usize;
        // The bits below the one that stops the word.
        let inside = stop.wrapping_sub(1) & !stop;
        letters |= letter & inside;
        digits |= digit & inside;
        at += len;
        if len == 8 {
            continue;
        }
        match bytes.get(at) {
            Some(b'\'') if letters != 0 && bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase) => {
                apostrophe = true;
                at += 1;
            }
            Some(byte) if !byte.is_ascii() => {
                let len = word_char(text, at);
                if len == 0 {
                    break;
                }
                letters = HIGH;
                at += len;
            }
            _ => break,
        }
    }
    (at, Shape::of(letters != 0, digits != 0), apostrophe)
}

/// The highest bit of each of eight bytes.
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The bit of each of eight letters by which small ones differ from capitals.
const SMALL: u64 = eight(0x20);

/// Eight bytes with the same value.
const fn eight(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The highest bit of every byte that is a small letter.
fn letters_of(bytes: u64) -> u64 {
    between::<b'a', b'z'>(bytes)
}

/// The highest bit of every byte that is a digit.
fn digits_of(bytes: u64) -> u64 {
    between::<b'0', b'9'>(bytes)
}

/// The highest bit of every ASCII byte from `LEAST` to `MOST`: adding what is missing to 128 carries into it.
fn between<const LEAST: u8, const MOST: u8>(bytes: u64) -> u64 {
    let low = bytes & !HIGH;
    let least = low + const { eight(0x80 - LEAST) };
    let beyond = low + const { eight(0x80 - MOST - 1) };
    least & !beyond & !bytes & HIGH
}

/// Length of the letter or digit at `at`, 0 if there is none.
fn word_char(text: &str, at: usize) -> usize {
    match text.as_bytes().get(at) {
        None => 0,
        Some(b) if b.is_ascii() => usize::from(b.is_ascii_alphanumeric()),
        Some(_) => {
            let c = text[at..].chars().next().expect("`at` is a character boundary below the length");
            if c.is_alphanumeric() { c.len_utf8() } else { 0 }
        }
    }
}

/// What a character of ASCII says in a gap, whatever stands around it.
const fn mark(byte: u8) -> Gap {
    match byte {
        b'?' => Gap::QUESTION.with(Gap::SENTENCE),
        b'!' => Gap::SENTENCE,
        b',' => Gap::COMMA,
        b'-' => Gap::HYPHEN,
        b':' | b';' | b'=' => Gap::COLON,
        b'/' => Gap::SLASH,
        b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'<' | b'>' => Gap::BRACKET,
        b'#' => Gap::HASH,
        b'"' | b'\'' | b'`' => Gap::QUOTE,
        b'_' => Gap::JOINT,
        _ => Gap::OTHER,
    }
}

/// Notes the character at `at` in the gap and gives its length.
fn gap_char(text: &str, at: usize, gap: &mut Gap) -> usize {
    let bytes = text.as_bytes();
    let next_is_space = || bytes.get(at + 1).is_none_or(u8::is_ascii_whitespace);
    let flag = match bytes[at] {
        // At the start of a line it is no border but an indent.
        b' ' if at >= 2 && bytes[at - 2..at] == *b"  " && !gap.has(Gap::LINE) => Gap::SPACE.with(Gap::COLUMN),
        b' ' => Gap::SPACE,
        b'\t' if !gap.has(Gap::LINE) => Gap::SPACE.with(Gap::COLUMN),
        b'\t' => Gap::SPACE,
        b'\n' | b'\r' => {
            *gap = Gap(gap.0 & !Gap::COLUMN.0);
            let blank = gap.has(Gap::LINE) && bytes[at] == b'\n' && at > 0 && bytes[at - 1] != b'\r';
            if blank { Gap::LINE.with(Gap::SENTENCE) } else { Gap::LINE }
        }
        b'.' if bytes.get(at + 1) == Some(&b'.') => {
            let len = bytes[at..].iter().take_while(|&&b| b == b'.').count();
            *gap = gap.with(Gap::PAUSE);
            return len;
        }
        b'.' if next_is_space() => Gap::STOP.with(Gap::SENTENCE),
        b'.' => Gap::STOP,
        BARRIER => {
            *gap = gap.with(Gap::BARRIER).with(Gap::PROTECTED);
            return bytes[at..].iter().take_while(|&&b| b == BARRIER).count();
        }
        byte if byte.is_ascii() => mark(byte),
        _ => {
            *gap = gap.with(Gap::OTHER);
            return text[at..].chars().next().map_or(1, char::len_utf8);
        }
    };
    *gap = gap.with(flag);
    1
}

/// How the word `start..end` is written.
fn case_of(text: &str, cased: &[u8], start: usize, end: usize) -> Case {
    // Where both have the same byte it is a small letter or a digit: the view has no capitals.
    if cased[start] == text.as_bytes()[start] {
        return Case::Lower;
    }
    let mut letters = 1;
    for (at, c) in text[start..end].char_indices().skip(1) {
        if c.is_lowercase() && cased[start + at] == text.as_bytes()[start + at] {
            return Case::Title;
        }
        letters += usize::from(c.is_alphabetic());
    }
    if letters > 1 { Case::Upper } else { Case::Title }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The words of a view, read character by character.
    fn slowly(view: &NormalView<'_>) -> Vec<Word> {
        let (text, mut words) = (view.text(), Vec::new());
        let (mut at, mut gap) = gap_end(text, 0, Gap::START);
        while (at as usize) < text.len() {
            let word = read_long(text, &view.cased()[..text.len()], at, gap);
            words.push(word);
            let inside = word_char(text, word.end as usize) > 0;
            (at, gap) = gap_end(text, word.end, if inside { Gap::JOINT } else { Gap::default() });
        }
        words
    }

    #[test]
    fn identifiers_that_name_a_value_are_words() {
        let stems = |text: &str| {
            let view = NormalView::new(text, &[]);
            split_words(&view).iter().map(|word| word.stem(&view).to_owned()).collect::<Vec<_>>().join(" ")
        };
        for (text, wanted) in [
            (r#"{"memberId": 7}"#, "member id 7"),
            (r#"{"patientMRN" : 7, 'DateOfBirth':7}"#, "patient mrn 7 date of birth 7"),
            (r#"{\"lastName\":\"x\"}"#, "last name x"),
            ("?medicalRecordNumber=7&ssnLast4=7", "medical record number 7 ssn last4 7"),
            ("homePhone: 7", "home phone 7"),
            ("<LastName>x</LastName>", "last name x lastname"),
            ("member_id: 7", "member id 7"),
            // No names of values.
            ("McDonald: yes", "mcdonald yes"),
            ("predniSONE: 7, cloNIDine: 7", "prednisone 7 clonidine 7"),
            ("my memberId is", "my memberid is"),
            ("PATIENT: x", "patient x"),
            ("a>bCd>", "a bcd"),
        ] {
            assert_eq!(stems(text), wanted, "{text}");
        }
        let long = format!("{}:", "aaAa".repeat(17));
        assert_eq!(stems(&long), long.trim_end_matches(':').to_lowercase());
        let words = split_words(&NormalView::new("\"DateOfBirth\": x", &[]));
        let gaps = [Gap::START.with(Gap::QUOTE), Gap::JOINT, Gap::JOINT];
        for (word, gap) in words.iter().zip(gaps) {
            assert_eq!(
                (word.case, word.gap),
                (Case::Lower, gap),
                "a capital that begins a part tells nothing"
            );
        }
    }

    proptest! {
        #[test]
        fn words_are_those_read_character_by_character(
            parts in proptest::collection::vec(
                "[a-z]{1,9}|[A-Za-z]{1,3}|[A-Z]{2,9}|[a-zA-Z]{7,9}\"?[:=]?|[a-z]{14,18}|[A-Z][a-z]{6,18}|[0-9]{1,3}|[a-z]'s?|\u{e9}|[ -/:-@\\[-`{-~\n\t\u{1a}\u{2014}]{1,4}| ",
                0..40,
            ),
        ) {
            let text = parts.concat();
            let view = NormalView::new(&text, &[]);
            let (words, slowly) = (split_words(&view), slowly(&view));
            prop_assert_eq!(format!("{words:?}"), format!("{slowly:?}"));
            prop_assert!(words.iter().map(|word| word.hash).eq(slowly.iter().map(|word| word.hash)));
        }
    }
}
