//! Finds tokens and aliases in what comes back: exact for tokens, tolerant for aliases.

use std::collections::{BTreeMap, BTreeSet};

use crate::Kind;
use crate::token::{Token, is_unfinished_token, token_at};

/// The most digits of an alias.
const DIGITS: usize = 9;
/// How many backslashes are counted to tell an escape from an escaped backslash.
const BACKSLASHES: usize = 32;
/// How many bytes before a place say whether a word begins there.
pub(super) const LOOK_BEHIND: usize = BACKSLASHES + 8;

/// The aliases of a conversation, by kind and number, with the value that each stands for.
#[derive(Default)]
pub(super) struct Aliases {
    pub(super) kinds: Vec<AliasKind>,
    /// Bytes that an alias, a token or a bracket of one can begin with, once there is an alias.
    begins: Begins,
}

pub(super) struct AliasKind {
    pub(super) kind: Kind,
    pub(super) numbers: BTreeMap<u32, u32>,
    /// Numbers that stood in the input before they were given out.
    pub(super) reserved: BTreeSet<u32>,
}

struct Begins([bool; 256]);

impl Default for Begins {
    fn default() -> Self {
        let mut begins = [false; 256];
        begins[usize::from(b'M')] = true;
        Self(begins)
    }
}

impl Begins {
    fn add(&mut self, kind: &Kind) {
        let first = kind.as_str().as_bytes()[0];
        for byte in [first, first.to_ascii_lowercase(), b'[', b'\\', FULL_WIDTH_OPEN.as_bytes()[0]] {
            self.0[usize::from(byte)] = true;
        }
    }
}

const FULL_WIDTH_OPEN: &str = "\u{ff3b}";
const FULL_WIDTH_CLOSE: &str = "\u{ff3d}";

/// A token or alias.
pub(super) enum Form {
    /// Index of the kind, and the number.
    Alias(usize, u32),
    /// A kind in brackets without a number.
    Bare(usize),
    Token(Token),
}

/// Which aliases are looked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Which {
    /// Everything that has the form of an alias of a known kind.
    Any,
    /// Those that stand for a value; and tokens.
    Live,
}

/// How a text is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) which: Which,
    /// The text is the inside of JSON strings, or a JSON text.
    pub(super) json: bool,
    /// No text follows.
    pub(super) complete: bool,
}

/// What is found next.
pub(super) enum Next {
    /// A form in these bytes.
    Found(usize, usize, Form),
    /// From this byte on, more has to be known.
    Hold(usize),
    Nothing,
}

enum Step<T> {
    Match(usize, T),
    More,
    No,
}

impl Aliases {
    /// Makes the kinds known of which there may be aliases.
    pub(super) fn new(kinds: impl Iterator<Item = Kind>) -> Self {
        let kinds = kinds.map(|kind| AliasKind { kind, numbers: BTreeMap::new(), reserved: BTreeSet::new() });
        Self { kinds: kinds.collect(), begins: Begins::default() }
    }

    /// The index of a kind, which is made known if it is not yet.
    pub(super) fn known(&mut self, kind: &Kind) -> usize {
        self.kinds.iter().position(|known| known.kind == *kind).unwrap_or_else(|| {
            let kind = kind.clone();
            self.kinds.push(AliasKind { kind, numbers: BTreeMap::new(), reserved: BTreeSet::new() });
            self.kinds.len() - 1
        })
    }

    /// Gives the next number of a kind to a value.
    pub(super) fn add(&mut self, index: usize, value: u32) -> u32 {
        let kind = &mut self.kinds[index];
        let mut number = kind.numbers.last_key_value().map_or(1, |(last, _)| last + 1);
        while kind.reserved.contains(&number) {
            number += 1;
        }
        self.insert(index, number, value);
        number
    }

    pub(super) fn insert(&mut self, index: usize, number: u32, value: u32) {
        let kind = &mut self.kinds[index];
        kind.numbers.insert(number, value);
        self.begins.add(&kind.kind);
    }

    /// The first form at or after `from`.
    pub(super) fn next(&self, text: &str, from: usize, reading: Reading) -> Next {
        let bytes = text.as_bytes();
        let any = reading.which == Which::Any;
        let mut at = from;
        while let Some(skip) = bytes[at..].iter().position(|&byte| {
            self.begins.0[usize::from(byte)]
                || any && (byte.is_ascii_alphabetic() || matches!(byte, b'[' | b'\\' | 0xEF))
        }) {
            at += skip;
            match self.at(text, at, reading) {
                Step::Match(end, form) => return Next::Found(at, end, form),
                Step::More => return Next::Hold(at),
                Step::No => at += 1,
            }
        }
        Next::Nothing
    }

    fn at(&self, text: &str, at: usize, reading: Reading) -> Step<Form> {
        let bytes = text.as_bytes();
        if bytes[at] == b'M' && reading.which == Which::Live {
            let rest = &text[at..];
            if !reading.complete && is_unfinished_token(rest) {
                return Step::More;
            }
            if let Some((token, end)) = token_at(text, at) {
                return Step::Match(end, Form::Token(token));
            }
        }
        if bytes[at].is_ascii_alphabetic() {
            if !begins_word(text, at, reading.json) {
                return Step::No;
            }
            return self.best(reading, |index| self.bare_word(text, at, index, reading));
        }
        let inside = match bracket(bytes, at, reading, Bracket::Open) {
            Step::Match(end, ()) => end,
            Step::More => return if self.has_any(reading) { Step::More } else { Step::No },
            Step::No => return Step::No,
        };
        match bracket(bytes, inside, reading, Bracket::Open) {
            Step::Match(second, ()) => {
                self.best(reading, |index| self.bracketed(bytes, second, index, 2, reading))
            }
            Step::More if self.has_any(reading) => Step::More,
            _ => self.best(reading, |index| self.bracketed(bytes, inside, index, 1, reading)),
        }
    }

    fn has_any(&self, reading: Reading) -> bool {
        reading.which == Which::Any || self.kinds.iter().any(|kind| !kind.numbers.is_empty())
    }

    /// The longest match over all kinds, or that more has to be known.
    fn best(&self, reading: Reading, try_kind: impl Fn(usize) -> Step<Form>) -> Step<Form> {
        let mut best = Step::No;
        for index in 0..self.kinds.len() {
            if reading.which == Which::Live && self.kinds[index].numbers.is_empty() {
                continue;
            }
            match (try_kind(index), &best) {
                (Step::More, _) => return Step::More,
                (Step::Match(end, _), Step::Match(longest, _)) if end <= *longest => {}
                (Step::Match(end, form), _) => best = Step::Match(end, form),
                (Step::No, _) => {}
            }
        }
        best
    }

    /// `PHONE_1` as a word of its own.
    fn bare_word(&self, text: &str, at: usize, index: usize, reading: Reading) -> Step<Form> {
        let bytes = text.as_bytes();
        let end_of_text = if reading.complete { Step::No } else { Step::More };
        let mut next = match name(bytes, at, self.kinds[index].kind.as_str(), Joint::Underscore, reading) {
            Step::Match(end, ()) => end,
            Step::More => return Step::More,
            Step::No => return Step::No,
        };
        match joint(bytes, next, Joint::Underscore, reading) {
            Step::Match(end, ()) => next = end,
            Step::More => return Step::More,
            Step::No => return Step::No,
        }
        let (number, end) = match self.number(bytes, next, index, reading) {
            Step::Match(end, number) => (number, end),
            Step::More => return Step::More,
            Step::No => return Step::No,
        };
        let matched = Step::Match(end, Form::Alias(index, number));
        let mut after = text[end..].chars();
        match after.next() {
            None if reading.complete => matched,
            None => end_of_text,
            Some(c) if c.is_alphanumeric() || matches!(c, '_' | '(' | '[') => Step::No,
            // "PHONE_1." ends a sentence, "PHONE_1.csv" names a file.
            Some('-' | '.' | '/' | ':' | '@' | '=') => match after.next() {
                None if reading.complete => matched,
                None => end_of_text,
                Some(c) if c.is_alphanumeric() => Step::No,
                Some(_) => matched,
            },
            Some(_) => matched,
        }
    }

    /// What stands behind one or two opening brackets.
    fn bracketed(
        &self,
        bytes: &[u8],
        at: usize,
        index: usize,
        brackets: usize,
        reading: Reading,
    ) -> Step<Form> {
        let kind = self.kinds[index].kind.as_str();
        let after_name = match name(bytes, at, kind, Joint::Loose, reading) {
            Step::Match(end, ()) => end,
            Step::More => return Step::More,
            Step::No => return Step::No,
        };
        let (end, form) = match joint(bytes, after_name, Joint::Loose, reading) {
            Step::Match(end, ()) => match self.number(bytes, end, index, reading) {
                Step::Match(end, number) => (end, Form::Alias(index, number)),
                Step::More => return Step::More,
                Step::No => return Step::No,
            },
            // Without a number only the exact name counts: "[Date]" is a gap in a form letter.
            _ if bytes[at..after_name] == *kind.as_bytes() => (after_name, Form::Bare(index)),
            Step::More => return Step::More,
            Step::No => return Step::No,
        };
        let mut end = end;
        for _ in 0..brackets {
            match bracket(bytes, end, reading, Bracket::Close) {
                Step::Match(after, ()) => end = after,
                Step::More => return Step::More,
                Step::No => return Step::No,
            }
        }
        Step::Match(end, form)
    }

    fn number(&self, bytes: &[u8], at: usize, index: usize, reading: Reading) -> Step<u32> {
        let digits = bytes[at..].iter().take(DIGITS + 1).take_while(|b| b.is_ascii_digit()).count();
        let at_end = at + digits == bytes.len() && !reading.complete;
        if digits == 0 {
            return if at_end { Step::More } else { Step::No };
        }
        if digits > DIGITS || bytes[at] == b'0' {
            return Step::No;
        }
        let number = bytes[at..at + digits].iter().fold(0, |number, b| number * 10 + u32::from(b - b'0'));
        let numbers = &self.kinds[index].numbers;
        if at_end {
            let may_be = reading.which == Which::Any
                || (0..=(DIGITS - digits) as u32).any(|more| {
                    let scale = 10_u64.pow(more);
                    let low = u64::from(number) * scale;
                    let low_number = u32::try_from(low).expect("nine digits fit");
                    let high_number = u32::try_from(low + scale - 1).expect("nine digits fit");
                    numbers.range(low_number..=high_number).next().is_some()
                });
            return if may_be { Step::More } else { Step::No };
        }
        if reading.which == Which::Any || numbers.contains_key(&number) {
            Step::Match(at + digits, number)
        } else {
            Step::No
        }
    }
}

#[derive(Clone, Copy)]
enum Bracket {
    Close,
    Open,
}

/// A bracket: plain, full-width, or escaped as Markdown does it.
fn bracket(bytes: &[u8], at: usize, reading: Reading, which: Bracket) -> Step<()> {
    let (plain, full_width) = match which {
        Bracket::Open => ("[", FULL_WIDTH_OPEN),
        Bracket::Close => ("]", FULL_WIDTH_CLOSE),
    };
    let escape = if reading.json { "\\\\" } else { "\\" };
    one_of(bytes, at, reading, &[plain.as_bytes(), full_width.as_bytes()], escape, plain)
}

/// What joins the words of a kind, and the kind and the number.
#[derive(Clone, Copy)]
enum Joint {
    /// Also a space or hyphen, as inside brackets.
    Loose,
    Underscore,
}

fn joint(bytes: &[u8], at: usize, which: Joint, reading: Reading) -> Step<()> {
    let joints: &[&[u8]] = match which {
        Joint::Loose => &[b"_", b" ", b"-"],
        Joint::Underscore => &[b"_"],
    };
    one_of(bytes, at, reading, joints, if reading.json { "\\\\" } else { "\\" }, "_")
}

/// One of some marks, or an escaped one.
fn one_of(
    bytes: &[u8],
    at: usize,
    reading: Reading,
    marks: &[&[u8]],
    escape: &str,
    escaped: &str,
) -> Step<()> {
    let rest = &bytes[at..];
    let long = [escape.as_bytes(), escaped.as_bytes()].concat();
    let mut unfinished = false;
    for mark in marks.iter().copied().chain(std::iter::once(long.as_slice())) {
        if rest.starts_with(mark) {
            return Step::Match(at + mark.len(), ());
        }
        unfinished |= mark.starts_with(rest);
    }
    if unfinished && !reading.complete { Step::More } else { Step::No }
}

/// The name of a kind, in any case.
fn name(bytes: &[u8], at: usize, name: &str, which: Joint, reading: Reading) -> Step<()> {
    let mut next = at;
    for &byte in name.as_bytes() {
        if byte == b'_' {
            match joint(bytes, next, which, reading) {
                Step::Match(end, ()) => next = end,
                other => return other,
            }
        } else {
            match bytes.get(next) {
                Some(found) if found.eq_ignore_ascii_case(&byte) => next += 1,
                None if !reading.complete => return Step::More,
                _ => return Step::No,
            }
        }
    }
    Step::Match(next, ())
}

/// Whether a word can begin at a byte: the character before it is no part of a word, path or address.
fn begins_word(text: &str, at: usize, json: bool) -> bool {
    let before = &text[..at];
    let Some(last) = before.chars().next_back() else { return true };
    if json && matches!(last, 'b' | 'f' | 'n' | 'r' | 't') {
        let marks = before[..before.len() - 1].bytes().rev().take(BACKSLASHES).take_while(|&b| b == b'\\');
        if marks.count() % 2 == 1 {
            return true;
        }
    }
    !(last.is_alphanumeric() || matches!(last, '_' | '-' | '.' | '/' | '@' | '#' | '$' | '\\' | '<'))
}
