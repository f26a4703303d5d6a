//! Finds tokens and aliases in what comes back: exact for tokens, tolerant for aliases.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::Kind;
use crate::token::{Token, is_unfinished_token, token_at};
use crate::view::fold_char;

/// The most digits of an alias.
const DIGITS: usize = 9;
/// The most characters of white space that stand for one mark, and of invisible ones that are skipped.
const RUN: usize = 8;
/// How many bytes before a place say whether a word begins there: two characters.
pub(super) const LOOK_BEHIND: usize = 8;

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
    /// The kind in brackets without a number stood in the input before there was an alias of it.
    pub(super) bare_is_taken: bool,
}

impl AliasKind {
    fn new(kind: Kind) -> Self {
        Self { kind, numbers: BTreeMap::new(), reserved: BTreeSet::new(), bare_is_taken: false }
    }
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
        for byte in [first, first.to_ascii_lowercase()].iter().chain(BRACKET_BYTES) {
            self.0[usize::from(*byte)] = true;
        }
    }
}

/// First bytes of brackets, of what escapes one, and of full-width letters.
const BRACKET_BYTES: &[u8] = b"[<{\\\xEF\xE3";

/// A token or alias.
pub(super) enum Form {
    /// An alias.
    Alias {
        /// Index of the kind.
        kind: usize,
        /// Its number.
        number: u32,
        /// What stands inside the brackets behind the number and stays: a possessive ending.
        tail: Range<usize>,
        /// It stands in brackets.
        is_bracketed: bool,
    },
    /// A kind in brackets without a number, by its index.
    Bare(usize),
    Token(Token),
}

impl Form {
    /// What stays of a form that ends there.
    pub(super) fn tail(&self, end: usize) -> Range<usize> {
        match self {
            Self::Alias { tail, .. } => tail.clone(),
            _ => end..end,
        }
    }
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

/// Goes on behind a match, and returns anything else.
macro_rules! follow {
    ($step:expr) => {
        match $step {
            Step::Match(end, found) => (end, found),
            Step::More => return Step::More,
            Step::No => return Step::No,
        }
    };
}

impl Aliases {
    /// Makes the kinds known of which there may be aliases. Those that are built in are always known: a later policy may
    /// find them, and then what the input holds now must not become one.
    pub(super) fn new(kinds: impl Iterator<Item = Kind>) -> Self {
        let mut aliases = Self::default();
        for kind in Kind::BUILT_IN.iter().cloned().chain(kinds) {
            aliases.known(&kind);
        }
        aliases
    }

    /// The index of a kind, which is made known if it is not yet.
    pub(super) fn known(&mut self, kind: &Kind) -> usize {
        self.kinds.iter().position(|known| known.kind == *kind).unwrap_or_else(|| {
            self.kinds.push(AliasKind::new(kind.clone()));
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

    /// Whether a form can begin with one of these characters, given as a range of code points that is not empty.
    pub(super) fn may_begin_with(&self, codes: Range<u32>) -> bool {
        // The first bytes of characters are in the order of their code points.
        let first_byte = |code: u32| match code {
            0..0x80 => code as usize,
            0x80..0x800 => 0xc0 | code as usize >> 6,
            0x800..0x1_0000 => 0xe0 | code as usize >> 12,
            _ => 0xf0 | code as usize >> 18,
        };
        self.begins.0[first_byte(codes.start)..=first_byte(codes.end - 1)].contains(&true)
    }

    /// The first form at or after `from`.
    pub(super) fn next(&self, text: &str, from: usize, reading: Reading) -> Next {
        let bytes = text.as_bytes();
        let any = reading.which == Which::Any;
        let mut at = from;
        while let Some(skip) = bytes[at..].iter().position(|&byte| {
            self.begins.0[usize::from(byte)]
                || any && (byte.is_ascii_alphabetic() || BRACKET_BYTES.contains(&byte))
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
        if text.as_bytes()[at] == b'M' && reading.which == Which::Live {
            let rest = &text[at..];
            if !reading.complete && is_unfinished_token(rest) {
                return Step::More;
            }
            if let Some((token, end)) = token_at(text, at) {
                return Step::Match(end, Form::Token(token));
            }
        }
        if !self.has_any(reading) {
            return Step::No;
        }
        let scan = Scan { text, complete: reading.complete };
        let (inside, bracket) = match scan.opening(at) {
            Step::Match(inside, bracket) => (inside, bracket),
            Step::More => return Step::More,
            Step::No if scan.begins_word(at) => {
                return self.best(scan, at, reading, |index| self.bare_word(scan, at, index, reading));
            }
            Step::No => return Step::No,
        };
        let (name_at, brackets) = match scan.opening(inside) {
            Step::Match(second, other) if other == bracket => (second, [Some(bracket); 2]),
            Step::More => return Step::More,
            _ => (inside, [Some(bracket), None]),
        };
        let first_letter = scan.white(name_at);
        self.best(scan, first_letter, reading, |index| {
            self.bracketed(scan, name_at, index, brackets, reading)
        })
    }

    fn has_any(&self, reading: Reading) -> bool {
        reading.which == Which::Any || self.kinds.iter().any(|kind| !kind.numbers.is_empty())
    }

    /// The longest match over all kinds with the first letter that stands there, or that more has to be known.
    fn best(
        &self,
        scan: Scan<'_>,
        first_letter: usize,
        reading: Reading,
        try_kind: impl Fn(usize) -> Step<Form>,
    ) -> Step<Form> {
        let first = match scan.next(first_letter) {
            Step::Match(_, Some(c)) if c.is_ascii_alphabetic() => c.to_ascii_uppercase() as u8,
            Step::More => return Step::More,
            _ => return Step::No,
        };
        let mut best = Step::No;
        for index in 0..self.kinds.len() {
            let kind = &self.kinds[index];
            if kind.kind.as_str().as_bytes()[0] != first
                || reading.which == Which::Live && kind.numbers.is_empty()
            {
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
    fn bare_word(&self, scan: Scan<'_>, at: usize, index: usize, reading: Reading) -> Step<Form> {
        let (end, ()) = follow!(scan.name(at, self.kinds[index].kind.as_str(), Joint::Underscore));
        let (end, ()) = follow!(scan.joint(end, Joint::Underscore));
        let (end, number) = follow!(self.number(scan, end, index, reading));
        let form = Form::Alias { kind: index, number, tail: end..end, is_bracketed: false };
        let matched = Step::Match(end, form);
        let end_of_text = if reading.complete { Step::No } else { Step::More };
        let mut after = scan.text[end..].chars();
        match after.next() {
            None if reading.complete => matched,
            None => end_of_text,
            Some(c) if c.is_alphanumeric() || matches!(c, '_' | '(' | '[') => Step::No,
            // "PHONE_1." ends a sentence, "PHONE_1.csv" names a file; "PHONE_1\_a" is an escaped underscore.
            Some(mark @ ('-' | '.' | '/' | ':' | '@' | '=' | '\\')) => match after.next() {
                None if reading.complete => matched,
                None => end_of_text,
                Some('_') => Step::No,
                Some(c) if c.is_alphanumeric() && mark != '\\' => Step::No,
                Some(_) => matched,
            },
            Some(_) => matched,
        }
    }

    /// What stands behind one or two opening brackets.
    fn bracketed(
        &self,
        scan: Scan<'_>,
        at: usize,
        index: usize,
        brackets: [Option<Bracket>; 2],
        reading: Reading,
    ) -> Step<Form> {
        let kind = self.kinds[index].kind.as_str();
        let is_square = brackets[0] == Some(Bracket::Square);
        // Angles and braces are also those of tags and templates, so in them only the exact alias counts.
        let within = if is_square { Joint::Loose } else { Joint::Underscore };
        let name_at = scan.white(at);
        let (after_name, ()) = follow!(scan.name(name_at, kind, within));
        let is_exact = scan.text[name_at..after_name] == *kind;
        if !is_square && !is_exact {
            return Step::No;
        }
        let (mut end, form) = match scan.joint(after_name, within) {
            Step::Match(end, ()) => {
                let (end, number) = follow!(self.number(scan, end, index, reading));
                let (tail, ()) = follow!(scan.possessive(end));
                (scan.white(tail), Form::Alias { kind: index, number, tail: end..tail, is_bracketed: true })
            }
            Step::More => return Step::More,
            // Without a number only the exact name counts: "[Date]" is a gap in a form letter.
            Step::No if is_square && is_exact && name_at == at => (after_name, Form::Bare(index)),
            Step::No => return Step::No,
        };
        for bracket in brackets.into_iter().flatten() {
            (end, ()) = follow!(scan.closing(end, bracket));
        }
        Step::Match(end, form)
    }

    fn number(&self, scan: Scan<'_>, at: usize, index: usize, reading: Reading) -> Step<u32> {
        let mut number = 0_u32;
        let mut digits = 0;
        let mut end = at;
        let at_end = loop {
            match scan.next(end) {
                Step::Match(after, Some(c)) if c.is_ascii_digit() => {
                    if digits == DIGITS || (digits == 0 && c == '0') {
                        return Step::No;
                    }
                    number = number * 10 + (c as u32 - '0' as u32);
                    digits += 1;
                    end = after;
                }
                Step::More => break true,
                _ => break false,
            }
        };
        let numbers = &self.kinds[index].numbers;
        if at_end {
            let may_be = reading.which == Which::Any
                || (0..=(DIGITS - digits) as u32).any(|more| {
                    let scale = 10_u64.pow(more);
                    let low = u64::from(number) * scale;
                    let number_of = |number| u32::try_from(number).expect("nine digits fit");
                    numbers.range(number_of(low)..=number_of(low + scale - 1)).next().is_some()
                });
            return if may_be { Step::More } else { Step::No };
        }
        let is_one = digits > 0 && (reading.which == Which::Any || numbers.contains_key(&number));
        if is_one { Step::Match(end, number) } else { Step::No }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Bracket {
    Angle,
    Curly,
    Square,
}

/// What joins the words of a kind, and the kind and the number.
#[derive(Clone, Copy)]
enum Joint {
    /// Also white space or a hyphen, as inside brackets.
    Loose,
    Underscore,
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// A text as it is read by the rules of aliases: characters that look alike count as the same, and invisible ones not at
/// all.
#[derive(Clone, Copy)]
struct Scan<'t> {
    text: &'t str,
    complete: bool,
}

impl Scan<'_> {
    fn end<T>(self) -> Step<T> {
        if self.complete { Step::No } else { Step::More }
    }

    /// The next character; nothing where it stands for several.
    fn next(self, mut at: usize) -> Step<Option<char>> {
        for _ in 0..=RUN {
            let Some(c) = self.text[at..].chars().next() else { return self.end() };
            at += c.len_utf8();
            if c.is_ascii() {
                return Step::Match(at, Some(c));
            }
            if is_invisible(c) {
                continue;
            }
            let mut folded = String::new();
            fold_char(c, &mut folded);
            let mut chars = folded.chars();
            let same = chars.next().filter(|_| chars.next().is_none());
            // A letter with a mark on it is another letter.
            let is_form = matches!(c, '\u{ff01}'..='\u{ff5e}' | '\u{1d400}'..='\u{1d7ff}');
            return Step::Match(at, same.filter(|same| is_form || !same.is_ascii_alphabetic()));
        }
        Step::No
    }

    fn mark(self, at: usize, is_it: impl Fn(char) -> bool) -> Step<()> {
        match self.next(at) {
            Step::Match(end, Some(c)) if is_it(c) => Step::Match(end, ()),
            Step::More => Step::More,
            _ => Step::No,
        }
    }

    /// A mark, or one with a backslash before it, as Markdown escapes it.
    fn escapable(self, at: usize, is_it: impl Fn(char) -> bool) -> Step<()> {
        let (end, is_escaped) = match self.next(at) {
            Step::Match(end, Some('\\')) => (end, true),
            Step::Match(..) => (at, false),
            Step::More => return Step::More,
            Step::No => return Step::No,
        };
        self.mark(if is_escaped { end } else { at }, is_it)
    }

    /// An opening bracket: plain, full-width or lenticular, or escaped.
    fn opening(self, at: usize) -> Step<Bracket> {
        let mut chars = self.text[at..].chars();
        let Some(c) = chars.next() else { return self.end() };
        let end = at + c.len_utf8();
        let is_code = || self.text[..at].ends_with(['$', '#', '%', '&', '\\']);
        match c {
            '[' | '\u{ff3b}' | '\u{3010}' => Step::Match(end, Bracket::Square),
            '\\' => match chars.next() {
                Some('[') => Step::Match(end + 1, Bracket::Square),
                Some(_) => Step::No,
                None => self.end(),
            },
            '<' | '\u{ff1c}' if !is_code() => Step::Match(end, Bracket::Angle),
            '{' | '\u{ff5b}' if !is_code() => Step::Match(end, Bracket::Curly),
            _ => Step::No,
        }
    }

    fn closing(self, at: usize, bracket: Bracket) -> Step<()> {
        match bracket {
            Bracket::Angle => self.mark(at, |c| c == '>'),
            Bracket::Curly => self.mark(at, |c| c == '}'),
            Bracket::Square => self.escapable(at, |c| matches!(c, ']' | '\u{3011}')),
        }
    }

    fn joint(self, at: usize, which: Joint) -> Step<()> {
        let Joint::Loose = which else { return self.escapable(at, |c| c == '_') };
        let after = self.white(at);
        match self.escapable(after, |c| c == '_') {
            Step::No => match self.mark(after, |c| c == '-') {
                Step::Match(end, ()) => Step::Match(self.white(end), ()),
                _ if after > at => Step::Match(after, ()),
                step => step,
            },
            Step::Match(end, ()) => Step::Match(self.white(end), ()),
            Step::More => Step::More,
        }
    }

    /// Where white space ends that is not too long.
    fn white(self, at: usize) -> usize {
        let mut end = at;
        for _ in 0..RUN {
            match self.mark(end, char::is_whitespace) {
                Step::Match(after, ()) => end = after,
                _ => break,
            }
        }
        end
    }

    /// A possessive ending, or nothing.
    fn possessive(self, at: usize) -> Step<()> {
        match self.mark(at, |c| c == '\'') {
            Step::Match(end, ()) => match self.mark(end, |c| c.eq_ignore_ascii_case(&'s')) {
                Step::No => Step::Match(end, ()),
                step => step,
            },
            _ => Step::Match(at, ()),
        }
    }

    /// The name of a kind, in any case.
    fn name(self, at: usize, name: &str, which: Joint) -> Step<()> {
        let mut end = at;
        for expected in name.chars() {
            (end, ()) = follow!(match expected {
                '_' => self.joint(end, which),
                _ => self.mark(end, |c| c.eq_ignore_ascii_case(&expected)),
            });
        }
        Step::Match(end, ())
    }

    /// Whether a word can begin at a byte: the character before it is no part of a word, path or address.
    fn begins_word(self, at: usize) -> bool {
        if !self.text[at..]
            .starts_with(|c: char| c.is_ascii_alphabetic() || ('\u{ff21}'..='\u{ff5a}').contains(&c))
        {
            return false;
        }
        let before = &self.text[..at];
        let Some(last) = before.chars().next_back() else { return true };
        let is_code = last == '{' && ["${", "#{", "%{"].iter().any(|code| before.ends_with(code));
        !(is_code
            || last.is_alphanumeric()
            || matches!(last, '_' | '-' | '.' | '/' | '@' | '#' | '$' | '%' | '\\' | '<'))
    }
}
