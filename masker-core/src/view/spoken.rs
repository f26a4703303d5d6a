//! Numbers and letters said aloud: "four one five", "triple five", "b as in boy", "nineteen eighty two".

use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::LazyLock;

use smallvec::SmallVec;

use super::hash::{WordHash, WordHashBuilder, hash_word};
use super::normal::NormalView;
use super::words::{Case, Gap, Shape, Word};

/// The part a word can play in a spoken number, date or address.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Class {
    /// None of the below.
    #[default]
    None,
    /// "one" to "nine", "zero" and their variants.
    Digit,
    /// "o" and "oh": the digit 0, the letter, or an interjection.
    Oh,
    /// "ten" to "nineteen".
    Teen,
    /// "twenty" to "ninety".
    Tens,
    /// "hundred".
    Hundred,
    /// "thousand".
    Thousand,
    /// "million" and above: always an amount.
    Scale,
    /// "double", "triple": what follows is said that often.
    Repeat,
    /// A single letter of the alphabet.
    Letter,
    /// A word of the NATO alphabet.
    Nato,
    /// A word that recognisers write for a digit: "to", "for", "ate".
    Slip,
    /// "uh", "um" and the like.
    Filler,
    /// "sorry", "no wait": what follows corrects what was said.
    Repair,
    /// "dash", "hyphen".
    Dash,
    /// "dot", "period".
    Dot,
    /// "at".
    At,
    /// "slash".
    Slash,
    /// "underscore".
    Underscore,
    /// "plus".
    Plus,
    /// "hash", "pound".
    Hash,
    /// "and".
    And,
    /// "point": a decimal follows.
    Point,
    /// A month.
    Month,
    /// A day of the week.
    Weekday,
    /// "first" to "nineteenth", "twentieth", "thirtieth".
    Ordinal,
    /// A unit of measure, money or time: the number before it is an amount.
    Unit,
    /// "extension", "ext", "x".
    Extension,
}

/// The part that a word can play, with the number that it stands for.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub struct WordClass {
    /// The part.
    pub class: Class,
    /// The digit, number, month, or letter (as an upper-case ASCII code).
    pub value: u8,
}

/// The part alone: the value is what was said.
impl fmt::Debug for WordClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WordClass").field("class", &self.class).finish_non_exhaustive()
    }
}

static CLASSES: LazyLock<HashMap<WordHash, WordClass, WordHashBuilder>> = LazyLock::new(|| {
    let mut classes = HashMap::default();
    let mut add = |class: Class, value: u8, words: &str| {
        for word in words.split_whitespace() {
            let previous = classes.insert(hash_word(word.as_bytes()), WordClass { class, value });
            debug_assert!(previous.is_none(), "{word} is in two classes");
        }
    };
    for (value, words) in [
        "zero nought naught",
        "one",
        "two",
        "three",
        "four",
        "five fife",
        "six",
        "seven",
        "eight",
        "nine niner",
    ]
    .iter()
    .enumerate()
    {
        add(Class::Digit, value as u8, words);
    }
    add(Class::Oh, 0, "o oh");
    let teens = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen";
    for (value, word) in (10..).zip(teens.split(' ')) {
        add(Class::Teen, value, word);
    }
    let tens = "twenty thirty forty fifty sixty seventy eighty ninety";
    for (value, word) in (2..).zip(tens.split(' ')) {
        add(Class::Tens, value * 10, word);
    }
    add(Class::Tens, 40, "fourty");
    add(Class::Hundred, 0, "hundred");
    add(Class::Thousand, 0, "thousand");
    add(Class::Scale, 0, "million billion trillion quadrillion");
    add(Class::Repeat, 2, "double");
    add(Class::Repeat, 3, "triple treble");
    add(Class::Repeat, 4, "quadruple");
    for letter in b'a'..=b'z' {
        if letter != b'o' {
            add(Class::Letter, letter.to_ascii_uppercase(), &char::from(letter).to_string());
        }
    }
    let nato = "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar papa \
                quebec romeo sierra tango uniform victor whiskey xray yankee zulu";
    for word in nato.split_whitespace().filter(|word| *word != "november") {
        add(Class::Nato, word.as_bytes()[0].to_ascii_uppercase(), word);
    }
    for (value, words) in
        [(2, "to too tu"), (4, "for fore fower"), (8, "ate"), (1, "won wan"), (3, "tree free")]
    {
        add(Class::Slip, value, words);
    }
    add(Class::Slip, 6, "sicks sics");
    add(Class::Slip, 9, "nein");
    add(Class::Filler, 0, "uh um uhm er erm ah hmm hm eh uhh umm");
    add(Class::Repair, 0, "sorry wait actually correction scratch oops");
    add(Class::Dash, 0, "dash hyphen minus tack");
    add(Class::Dot, 0, "dot period");
    add(Class::At, 0, "at");
    add(Class::Slash, 0, "slash stroke");
    add(Class::Underscore, 0, "underscore");
    add(Class::Plus, 0, "plus");
    add(Class::Hash, 0, "hash hashtag octothorpe");
    add(Class::And, 0, "and");
    add(Class::Point, 0, "point");
    let months = [
        "january jan",
        "february feb febuary",
        "march mar",
        "april apr",
        "may",
        "june jun",
        "july jul",
        "august aug",
        "september sept sep",
        "october oct",
        "november nov",
        "december dec",
    ];
    for (value, words) in (1..).zip(months) {
        add(Class::Month, value, words);
    }
    let weekdays = [
        "monday mon mondays",
        "tuesday tue tues tuesdays",
        "wednesday wednesdays",
        "thursday thu thurs thursdays",
        "friday fri fridays",
        "saturday saturdays",
        "sunday sundays",
    ];
    for (value, words) in (1..).zip(weekdays) {
        add(Class::Weekday, value, words);
    }
    let ordinals = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth \
                    fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth";
    for (value, word) in (1..).zip(ordinals.split_whitespace()) {
        add(Class::Ordinal, value, word);
    }
    add(Class::Ordinal, 30, "thirtieth");
    add(Class::Ordinal, 9, "nineth");
    add(Class::Ordinal, 12, "twelvth");
    add(
        Class::Unit,
        0,
        "mg mcg kg gram grams milligram milligrams microgram micrograms kilogram kilograms ml cc milliliter \
         milliliters millilitre millilitres liter liters litre litres unit units iu meq mmol percent dollar dollars \
         buck bucks cent cents euro euros yuan pounds lbs lb ounce ounces oz inch inches foot feet ft cm mm meter \
         meters metre metres kilometer kilometers km mile miles yard yards hectares acres cubic square degree \
         degrees fahrenheit celsius beats bpm year years yr yrs month months week weeks day days hour hours hr hrs \
         minute minutes min mins seconds secs tablet tablets tab tabs pill pills capsule capsules puff puffs drop \
         drops dose doses times time o'clock am pm",
    );
    add(Class::Extension, 0, "extension ext");
    classes
});

/// A word with the part that it can play in a spoken number.
pub trait SaidWord: Deref<Target = Word> {
    /// The part.
    fn class(&self) -> WordClass;
}

/// A [`Word`] with the part that was looked up for it.
#[derive(Clone, Copy, Debug)]
pub struct ClassedWord {
    word: Word,
    class: WordClass,
}

impl Deref for ClassedWord {
    type Target = Word;

    fn deref(&self) -> &Word {
        &self.word
    }
}

impl SaidWord for ClassedWord {
    fn class(&self) -> WordClass {
        self.class
    }
}

/// Looks up the part that each word can play in a spoken number.
pub fn classify(words: &[Word]) -> Vec<ClassedWord> {
    let table = &*CLASSES;
    let class = |word: &Word| table.get(&word.hash).copied().filter(|_| word.shape == Shape::Letters);
    words.iter().map(|word| ClassedWord { word: *word, class: class(word).unwrap_or_default() }).collect()
}

/// All words that play a part, by their hashes.
pub(crate) fn class_words() -> impl Iterator<Item = (WordHash, WordClass)> {
    CLASSES.iter().map(|(hash, class)| (*hash, *class))
}

/// One character of a code with the word that it was read from.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct CodePiece {
    /// Upper-case letter or digit.
    pub char: u8,
    /// Index of the first word that says it.
    pub word: u32,
    /// One past the last word that says it: "b as in boy" says one letter with four words.
    pub word_end: u32,
    /// Whether it was said rather than written.
    pub spoken: bool,
}

/// Everything but the character.
impl fmt::Debug for CodePiece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodePiece")
            .field("words", &(self.word..self.word_end))
            .field("spoken", &self.spoken)
            .finish_non_exhaustive()
    }
}

/// A run of digits and letters, written or spoken, in compact form.
#[derive(Clone, Debug, Default)]
pub struct CodeRun {
    /// The characters in order.
    pub pieces: SmallVec<[CodePiece; 16]>,
    /// Words of the run, as a range of indices.
    pub words: std::ops::Range<usize>,
    /// A word in it makes it an amount: "eighteen million".
    pub amount: bool,
    /// A slash, colon or decimal point stands inside or directly after it: likely not one number.
    pub broken: bool,
    /// It was cut short by a correction.
    pub corrected: bool,
    /// It begins with a plus sign.
    pub plus: bool,
}

impl CodeRun {
    /// Makes it an empty one at a word; the memory is kept.
    fn begin(&mut self, start: usize) {
        let Self { pieces, words, amount, broken, corrected, plus } = self;
        pieces.clear();
        *words = start..start;
        for flag in [amount, broken, corrected, plus] {
            *flag = false;
        }
    }

    /// The compact form, upper case.
    pub fn compact(&self) -> String {
        let mut compact = String::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            compact.push(char::from(piece.char));
        }
        compact
    }

    /// How many of the characters are digits.
    pub fn digits(&self) -> usize {
        self.pieces.iter().filter(|piece| piece.char.is_ascii_digit()).count()
    }

    /// Whether any of the characters is a digit.
    pub fn has_digit(&self) -> bool {
        self.pieces.iter().any(|piece| piece.char.is_ascii_digit())
    }

    /// Whether any part was said rather than written.
    pub fn is_spoken(&self) -> bool {
        self.pieces.iter().any(|piece| piece.spoken)
    }
}

/// Reads the longest code that begins at word `start`.
///
/// Fillers, separators and single corrections inside it are stepped over; "double", "hundred", pairs and spelled letters are
/// written out.
pub fn code_run<W: SaidWord>(view: &NormalView<'_>, words: &[W], start: usize) -> Option<CodeRun> {
    let mut run = CodeRun::default();
    read_code(view, words, start, &mut run).then_some(run)
}

/// Reads the longest code that begins at word `start` in place of what a run held before; whether there is one.
pub(crate) fn read_code<W: SaidWord>(
    view: &NormalView<'_>,
    words: &[W],
    start: usize,
    run: &mut CodeRun,
) -> bool {
    run.begin(start);
    Reader { view, words, run }.read(start);
    !run.pieces.is_empty()
}

struct Reader<'v, 's, W> {
    view: &'v NormalView<'s>,
    words: &'v [W],
    run: &'v mut CodeRun,
}

impl<W: SaidWord> Reader<'_, '_, W> {
    fn word(&self, at: usize) -> Option<&Word> {
        self.words.get(at).map(Deref::deref)
    }

    fn class(&self, at: usize) -> WordClass {
        self.words.get(at).map_or_else(WordClass::default, SaidWord::class)
    }

    fn read(&mut self, start: usize) {
        let mut at = start;
        if self.class(at).class == Class::Plus && self.is_code(at + 1) {
            self.run.plus = true;
            at += 1;
        }
        loop {
            if at > start && !self.joins(at) {
                break;
            }
            let next = self.piece(at);
            if next > at {
                at = next;
                self.run.words.end = at;
                continue;
            }
            if self.run.pieces.is_empty() {
                return;
            }
            let skipped = self.skip_between(at);
            if skipped == at {
                break;
            }
            at = skipped;
        }
        if let Some(word) = self.word(self.run.words.end) {
            self.run.broken |= word.gap.has(Gap::SLASH) && word.shape == Shape::Digits;
            self.run.broken |= self.class(self.run.words.end).class == Class::Point;
            self.run.corrected = self.class(self.skip_fillers(self.run.words.end)).class == Class::Repair;
        }
    }

    /// Whether what stands before word `at` may stand inside a code.
    fn joins(&self, at: usize) -> bool {
        let Some(word) = self.word(at) else { return false };
        let soft = Gap::SPACE.with(Gap::COMMA).with(Gap::HYPHEN).with(Gap::PAUSE).with(Gap::BRACKET);
        if word.gap.only(soft) {
            return !word.gap.has(Gap::PAUSE) || self.is_code(at);
        }
        let previous = at.checked_sub(1).and_then(|i| self.word(i));
        let digits_around =
            word.shape == Shape::Digits && previous.is_some_and(|previous| previous.shape == Shape::Digits);
        if word.gap.only(soft.with(Gap::LINE)) {
            return digits_around || (self.is_number(at) && self.is_number(at - 1));
        }
        if word.gap.only(Gap::STOP) {
            return digits_around;
        }
        if word.gap.only(soft.with(Gap::STOP).with(Gap::SENTENCE)) {
            return self.is_number(at)
                && self.is_number(at - 1)
                && !word.gap.has(Gap::QUESTION)
                && self.class(at).class != Class::None;
        }
        false
    }

    /// Whether word `at` says digits.
    fn is_number(&self, at: usize) -> bool {
        matches!(self.class(at).class, Class::Digit | Class::Oh | Class::Teen | Class::Tens)
    }

    /// Whether word `at` can be part of a code by itself.
    fn is_code(&self, at: usize) -> bool {
        let Some(word) = self.word(at) else { return false };
        match word.shape {
            Shape::Digits | Shape::Mixed => true,
            Shape::Letters => matches!(
                self.class(at).class,
                Class::Digit | Class::Oh | Class::Teen | Class::Tens | Class::Repeat | Class::Letter
            ),
        }
    }

    fn push(&mut self, char: u8, word: usize, word_end: usize, spoken: bool) {
        self.run.pieces.push(CodePiece { char, word: word as u32, word_end: word_end as u32, spoken });
    }

    fn push_number(&mut self, number: u64, word: usize, word_end: usize) {
        let mut places: SmallVec<[u8; 20]> = SmallVec::new();
        let mut rest = number;
        while rest > 0 || places.is_empty() {
            places.push(b'0' + (rest % 10) as u8);
            rest /= 10;
        }
        for digit in places.into_iter().rev() {
            self.push(digit, word, word_end, true);
        }
    }

    /// Reads one piece at word `at`; gives the index after it, `at` itself if there is none.
    fn piece(&mut self, at: usize) -> usize {
        let Some(word) = self.word(at).copied() else { return at };
        let text = word.text(self.view);
        match word.shape {
            Shape::Digits => {
                for digit in text.bytes() {
                    self.push(digit, at, at + 1, false);
                }
                at + 1
            }
            Shape::Mixed => {
                if !text.is_ascii() || is_measured(text) {
                    return at;
                }
                for byte in text.bytes().filter(u8::is_ascii_alphanumeric) {
                    self.push(byte.to_ascii_uppercase(), at, at + 1, false);
                }
                at + 1
            }
            Shape::Letters => self.spoken_piece(at, &word, text),
        }
    }

    fn spoken_piece(&mut self, at: usize, word: &Word, text: &str) -> usize {
        let class = self.class(at);
        let empty = self.run.pieces.is_empty();
        match class.class {
            Class::Digit | Class::Teen | Class::Tens => {
                let (number, end) = self.number(at);
                self.push_number(number, at, end);
                end
            }
            Class::Oh => {
                // "o" among letters is the letter, and so is each of "h o o p e r".
                let is_o = |&at: &usize| self.word(at).is_some_and(|word| word.text(self.view) == "o");
                let next = (at + 1..at + 3).find(|at| !is_o(at)).unwrap_or(at + 3);
                let letters = word.len() == 1
                    && (self.class(next).class == Class::Letter || !empty)
                    && self.run.pieces.last().is_none_or(|piece| piece.char.is_ascii_alphabetic())
                    && !self.is_number(next);
                let char = if letters && (!empty || self.is_code(at + 1)) { b'O' } else { b'0' };
                self.push(char, at, at + 1, true);
                at + 1
            }
            Class::Repeat => {
                let next = self.class(at + 1);
                let char = match next.class {
                    Class::Digit => b'0' + next.value,
                    Class::Oh => b'0',
                    Class::Letter => next.value,
                    _ => match self.word(at + 1) {
                        Some(w) if w.shape == Shape::Digits && w.len() == 1 => {
                            w.text(self.view).as_bytes()[0]
                        }
                        _ => return at,
                    },
                };
                for _ in 0..class.value {
                    self.push(char, at, at + 2, true);
                }
                at + 2
            }
            Class::Letter => self.letter(at, class.value),
            Class::Nato if text.len() > 1 => {
                let before = self.run.pieces.last().is_some_and(|piece| piece.spoken);
                let after = self.is_code(at + 1) || self.class(at + 1).class == Class::Nato;
                if (before && (after || self.run.pieces.len() > 1))
                    || (empty && after && (self.is_code(at + 2) || self.class(at + 2).class == Class::Nato))
                {
                    self.push(class.value, at, at + 1, true);
                    return at + 1;
                }
                at
            }
            Class::Slip => {
                let pieces = &self.run.pieces;
                let said = |piece: &CodePiece| piece.spoken && piece.char.is_ascii_digit();
                let before = pieces.iter().rev().take_while(|piece| said(piece)).count();
                let after = (1..=2).take_while(|&n| self.is_number(at + n)).count();
                if before >= 1 && after >= 1 && before + after >= 3 && word.gap.only(Gap::SPACE) {
                    self.push(b'0' + class.value, at, at + 1, true);
                    return at + 1;
                }
                at
            }
            _ => self.affix(at, word, text),
        }
    }

    /// Letters that belong to a written code by a hyphen or number sign: "MRN-482055", "60718-T".
    fn affix(&mut self, at: usize, word: &Word, text: &str) -> usize {
        if text.len() > 5 || !text.bytes().all(|b| b.is_ascii_lowercase()) {
            return at;
        }
        let next_joins = self.word(at + 1).is_some_and(|next| {
            next.gap.only(Gap::HYPHEN) && next.gap.has(Gap::HYPHEN) && next.shape != Shape::Letters
        });
        let previous_joins = !self.run.pieces.is_empty() && word.gap == Gap::HYPHEN && text.len() <= 3;
        if (self.run.pieces.is_empty() || word.gap == Gap::HYPHEN) && next_joins || previous_joins {
            for byte in text.bytes() {
                self.push(byte.to_ascii_uppercase(), at, at + 1, false);
            }
            return at + 1;
        }
        at
    }

    /// A spelled letter, with the word that explains it.
    fn letter(&mut self, at: usize, letter: u8) -> usize {
        let word = *self.words[at];
        let spoken = word.case == Case::Lower || word.gap.has(Gap::SPACE);
        let explained = |word_at: usize| {
            self.word(word_at).is_some_and(|w| {
                w.gap.only(Gap::SPACE)
                    && w.len() > 1
                    && self.view.text().as_bytes()[w.start as usize].to_ascii_uppercase() == letter
            })
        };
        let text_at = |n: usize| self.word(n).map_or("", |w| w.text(self.view));
        // What explains a letter is said by the same speaker, and still there.
        let explanation = || self.word(at + 3).is_some_and(|w| !w.gap.has(Gap::BARRIER));
        let end = if text_at(at + 1) == "as" && text_at(at + 2) == "in" && explanation() {
            at + 4
        } else if matches!(text_at(at + 1), "for" | "like" | "as") && explained(at + 2) {
            at + 3
        } else {
            // "a" and "i" are words; they are letters only beside other letters and digits.
            let word_like = matches!(letter, b'A' | b'I');
            let next = self.class(at + 1);
            let next_code = next.class == Class::Letter
                || (self.is_code(at + 1) && !matches!(next.class, Class::Repeat))
                || matches!(next.class, Class::Dot | Class::Underscore | Class::At)
                || next.class == Class::Dash && self.is_code(at + 2);
            let beside = self
                .word(at + 1)
                .is_some_and(|w| w.gap.only(Gap::SPACE.with(Gap::HYPHEN).with(Gap::COMMA).with(Gap::STOP)))
                && next_code
                && (!self.run.pieces.is_empty() || next.class == Class::Letter || !word_like);
            // "seven six four three dash a"
            let after_dash = at > 0 && self.class(at - 1).class == Class::Dash;
            let goes_on = self.run.pieces.last().is_some_and(|p| after_dash || p.char.is_ascii_alphabetic());
            if word_like && !beside && !goes_on {
                return at;
            }
            at + 1
        };
        self.push(letter, at, end, spoken);
        end
    }

    /// The value of the number words from `at` on that belong together, and the index after them.
    fn number(&mut self, at: usize) -> (u64, usize) {
        let (mut value, mut end) = self.below_hundred(at);
        if self.follows(end, Class::Hundred) && value > 0 {
            value *= 100;
            end += 1;
            (value, end) = self.add_below_hundred(value, end);
        }
        if self.follows(end, Class::Thousand) && value > 0 {
            value *= 1000;
            end += 1;
            let after_and = if self.follows(end, Class::And) { end + 1 } else { end };
            if self.is_number(after_and) && self.words[after_and].gap.only(Gap::SPACE.with(Gap::HYPHEN)) {
                let (rest, rest_end) = self.below_hundred(after_and);
                if self.follows(rest_end, Class::Hundred) && rest < 10 {
                    (value, end) = self.add_below_hundred(value + rest * 100, rest_end + 1);
                } else {
                    (value, end) = self.add_below_hundred(value, end);
                }
            }
        }
        while self.follows(end, Class::Scale) {
            self.run.amount = true;
            end += 1;
        }
        (value, end)
    }

    fn follows(&self, at: usize, class: Class) -> bool {
        self.class(at).class == class && self.words[at].gap.only(Gap::SPACE.with(Gap::HYPHEN))
    }

    fn below_hundred(&self, at: usize) -> (u64, usize) {
        let class = self.class(at);
        let value = u64::from(class.value);
        let unit = self.class(at + 1);
        if class.class == Class::Tens
            && unit.class == Class::Digit
            && unit.value > 0
            && self.follows(at + 1, Class::Digit)
        {
            return (value + u64::from(unit.value), at + 2);
        }
        (value, at + 1)
    }

    /// Adds "(and) fifty five" to a round number. A single digit counts only where no further digit follows it: in "eight
    /// hundred five five five" the hundred is an area code.
    fn add_below_hundred(&self, value: u64, at: usize) -> (u64, usize) {
        let start = if self.follows(at, Class::And) { at + 1 } else { at };
        if !self.is_number(start) || !self.words[start].gap.only(Gap::SPACE.with(Gap::HYPHEN)) {
            return (value, at);
        }
        let (rest, end) = self.below_hundred(start);
        if rest < 10 && (rest == 0 || self.is_number(end)) {
            return (value, at);
        }
        if self.follows(end, Class::Hundred) || self.follows(end, Class::Thousand) {
            return (value, at);
        }
        (value + rest, end)
    }

    /// Steps over fillers and spoken separators when a code goes on behind them.
    fn skip_between(&self, at: usize) -> usize {
        let mut next = at;
        for _ in 0..4 {
            let text = self.word(next).map_or("", |w| w.text(self.view));
            match self.class(next).class {
                Class::Filler | Class::Dash => next += 1,
                // "oh three slash oh nine slash eighty two"
                Class::Slash if self.is_number(next - 1) && self.is_number(next + 1) => next += 1,
                Class::Dot if self.is_code(next + 1) && self.is_number(next - 1) => return at,
                Class::None if matches!(text, "like" | "okay" | "ok" | "then" | "so" | "yeah" | "space") => {
                    next += 1;
                }
                Class::And if self.word(next + 1).is_some_and(|w| w.text(self.view) == "then") => {
                    next += 2;
                }
                // "seven oh three, hang on, five five five"
                Class::None
                    if matches!(text, "hang" | "hold")
                        && self.word(next + 1).is_some_and(|w| w.text(self.view) == "on") =>
                {
                    next += 2;
                }
                _ => break,
            }
            if self.word(next).is_none_or(|w| w.gap.has(Gap::BARRIER.with(Gap::QUESTION))) {
                return at;
            }
        }
        if next > at
            && (self.is_number(next)
                || self.word(next).is_some_and(|w| w.shape == Shape::Digits)
                || self.class(next).class == Class::Repeat
                || (self.class(next).class == Class::Letter && self.class(at).class == Class::Dash))
        {
            next
        } else {
            at
        }
    }

    fn skip_fillers(&self, mut at: usize) -> usize {
        while self.class(at).class == Class::Filler
            || self.word(at).is_some_and(|w| w.text(self.view) == "no")
        {
            at += 1;
        }
        at
    }
}

/// "10mg", "4th", "55yo": a number with its unit.
fn is_measured(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    digits > 0
        && matches!(
            &text[digits..],
            "mg" | "mcg"
                | "g"
                | "kg"
                | "ml"
                | "cc"
                | "lb"
                | "lbs"
                | "oz"
                | "cm"
                | "mm"
                | "in"
                | "ft"
                | "st"
                | "nd"
                | "rd"
                | "th"
                | "yo"
                | "y"
                | "yr"
                | "yrs"
                | "f"
                | "m"
                | "am"
                | "pm"
                | "hr"
                | "hrs"
                | "h"
                | "min"
                | "mins"
                | "s"
                | "x"
                | "k"
                | "iu"
                | "meq"
                | "mmol"
                | "bpm"
                | "wk"
                | "wks"
                | "mo"
                | "mos"
                | "d"
                | "c"
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::split_words;

    fn compact(text: &str) -> String {
        let view = NormalView::new(text, &[]);
        let words = classify(&split_words(&view));
        code_run(&view, &words, 0).map_or_else(String::new, |run| run.compact())
    }

    #[test]
    fn reads_spoken_digits() {
        for (text, want) in [
            ("four one five five five five oh one three two", "4155550132"),
            ("four one five, five five five, oh one three two", "4155550132"),
            ("208 five five five 0163", "2085550163"),
            ("two twelve triple five oh one forty-seven", "2125550147"),
            ("five fifty five twelve twelve", "5551212"),
            ("eight hundred five five five zero one nine nine", "8005550199"),
            ("one twenty three forty five sixty seven eighty nine", "123456789"),
            ("twenty one hundred", "2100"),
            ("nineteen eighty two", "1982"),
            ("nineteen oh five", "1905"),
            ("two thousand and twenty five", "2025"),
            ("five hundred fifty five", "555"),
            ("six hundred five", "605"),
            ("one two three uh four five", "12345"),
            ("one two three dash four five dash six seven", "1234567"),
            ("oh three slash oh nine slash eighty two", "030982"),
            ("one a dash four a dash ten d", "1A4A10D"),
            ("double oh seven", "007"),
            ("four two to six", "4226"),
            ("one e g four t e five m k seven three", "1EG4TE5MK73"),
            ("one echo golf four tango echo five mike kilo seven three", "1EG4TE5MK73"),
            ("k as in king w nine eight one", "KW981"),
            ("p as in papa two two oh nine", "P2209"),
            ("w i s n i e w s k a", "WISNIEWSKA"),
            ("a d e y e m i", "ADEYEMI"),
            ("r-u-b-i-o", "RUBIO"),
            ("MRN-482055", "MRN482055"),
            ("60718-T", "60718T"),
            ("R K six", "RK6"),
            ("a b c", "ABC"),
        ] {
            assert_eq!(compact(text), want, "{text}");
        }
    }

    #[test]
    fn leaves_words_alone() {
        for text in [
            "a doctor",
            "i think so",
            "to the store",
            "may be",
            "10mg daily",
            "charlie called",
            "double check",
        ] {
            assert_eq!(compact(text), "", "{text}");
        }
    }

    #[test]
    fn knows_amounts_and_corrections() {
        let read = |text: &str| {
            let view = NormalView::new(text, &[]);
            let words = classify(&split_words(&view));
            code_run(&view, &words, 0).expect("a code")
        };
        assert!(read("eighteen million four hundred").amount);
        assert!(read("three one two uh sorry three one two").corrected);
        assert!(read("plus one four one five").plus);
    }
}
