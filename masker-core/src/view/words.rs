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
        Self::from(view, end, Gap::default())
    }

    fn from(view: &'v NormalView<'_>, at: u32, gap: Gap) -> Self {
        let text = view.text();
        let mut words = Self { text, cased: &view.cased()[..text.len()], at, gap };
        words.skip_gap();
        words
    }

    /// The next word, if it is like most: of plain letters, fewer than sixteen. Inlined into the loop that reads texts, where it is
    /// most of the work.
    #[inline(always)]
    pub(crate) fn read_plain(&mut self) -> Option<Word> {
        let start = self.at as usize;
        let eight = load_inside(self.text.as_bytes(), start)?;
        let capitals = load_inside(self.cased, start)? ^ eight;
        let letters = letters_of(eight);
        let len = (!letters & HIGH).trailing_zeros() / 8;
        let case;
        let (len, behind, hash) = if len < 8 {
            if len == 0 {
                return None;
            }
            let keep = (1_u64 << (len * 8)) - 1;
            case = case_of_letters(letters & keep, capitals & keep, 0);
            (len, (eight >> (len * 8)) as u8, hash_short(eight & keep))
        } else {
            let rest = load_inside(self.text.as_bytes(), start + 8)?;
            let more = letters_of(rest);
            let len = (!more & HIGH).trailing_zeros() / 8;
            let keep = 1_u64.checked_shl(len * 8)? - 1;
            let more_capitals = (load_inside(self.cased, start + 8)? ^ rest) & keep;
            case = case_of_letters(letters, capitals, more & keep & !(more_capitals << 2));
            (8 + len, (rest >> (len * 8)) as u8, hash_two(eight, rest & keep))
        };
        let behind = BEHIND[usize::from(behind)];
        if behind.len == Behind::WORD {
            return None;
        }
        let (start, end, gap) = (self.at, self.at + len, self.gap);
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
        if let Some(word) = self.read_plain() {
            return Some(word);
        }
        let word = Word { gap: self.gap, ..read_long(self.text, self.cased, self.at) };
        let behind = self.text.as_bytes().get(word.end as usize).map(|&byte| BEHIND[usize::from(byte)]);
        let behind = behind.filter(|behind| behind.len != Behind::WORD).unwrap_or(Behind::OTHER);
        (self.at, self.gap) = gap_behind(self.text, word.end, behind);
        Some(word)
    }
}

/// How a word of letters is written: `letters` and `capitals` of its first eight bytes, as the highest bit of each byte and as
/// the bit that tells capitals from small letters, and the small letters behind them.
#[inline(always)]
#[expect(clippy::needless_bitwise_bool, reason = "not branched on")]
fn case_of_letters(letters: u64, capitals: u64, small_behind: u64) -> Case {
    // The bit that tells capitals stands two places below the highest.
    let small = letters & !(capitals << 2) & !0xFF;
    let alone = letters >> 8 == 0;
    // Reckoned first and not branched on: which words have capitals cannot be foreseen.
    let written = if alone | (small | small_behind != 0) { Case::Title } else { Case::Upper };
    if capitals.trailing_zeros() >= 8 { Case::Lower } else { written }
}

/// A word that is long or has other characters than letters.
#[inline(never)]
fn read_long(text: &str, cased: &[u8], start: u32) -> Word {
    let (bytes, at) = (text.as_bytes(), start as usize);
    let (end, shape, apostrophe) = word_end(text, at);
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
        gap: Gap::default(),
    }
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
    /// The gap is read character by character.
    const OTHER: Self = Self { gap: Gap(0), len: 0 };

    const fn of(byte: u8) -> Self {
        match byte {
            b' ' => Self { gap: Gap::SPACE, len: 1 },
            b'.' => Self { gap: Gap::STOP.with(Gap::SENTENCE).with(Gap::SPACE), len: 2 },
            b'\'' => Self { gap: Gap(0), len: Self::WORD },
            _ if !byte.is_ascii() || byte.is_ascii_alphanumeric() => Self { gap: Gap(0), len: Self::WORD },
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
            let word = Word { gap, ..read_long(text, &view.cased()[..text.len()], at) };
            words.push(word);
            (at, gap) = gap_end(text, word.end, Gap::default());
        }
        words
    }

    proptest! {
        #[test]
        fn words_are_those_read_character_by_character(
            parts in proptest::collection::vec(
                "[a-z]{1,9}|[A-Za-z]{1,3}|[A-Z]{2,9}|[a-zA-Z]{7,9}|[a-z]{14,18}|[A-Z][a-z]{6,18}|[0-9]{1,3}|[a-z]'s?|\u{e9}|[ -/:-@\\[-`{-~\n\t\u{1a}\u{2014}]{1,4}| ",
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
