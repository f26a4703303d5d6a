use std::collections::HashMap;
use std::ops::Range;

use smallvec::SmallVec;

use super::cues::{CueHit, Role};
use super::document::{Capitals, Document};
use super::starts::Flags;
use super::vocabulary::Tags;
use crate::Kind;
use crate::view::{Class, Gap, Shape, WordHash, WordHashBuilder, hash_word};

/// What earlier turns say about later ones: the question that was asked, and the names and numbers learnt.
///
/// Detection reads a turn in the light of itself and of earlier turns only, so a text given whole and the same text given turn
/// by turn are read alike.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// What comes from before the piece at hand.
    carried: Carried,
    /// What comes from before it where all values that were found are replaced: what masked text says when it is read.
    masked: Carried,
    /// What was learnt so far, by the hash of a word or of the compact form of a number.
    learnt: HashMap<WordHash, Learnt, WordHashBuilder>,
    /// A bit for every word of a name that was learnt, by its hash: most words are known to be none by that.
    names: u64,
    /// What of it is new since the last [`Context::take_lesson`].
    new: Vec<(WordHash, Learnt)>,
    /// Within the document at hand: its turns.
    turns: SmallVec<[Turn; 4]>,
    /// Within the document at hand: the first word of the turn in which the piece at hand begins.
    begun: usize,
    /// Within the document at hand: the words at which something is asked for, and its kind.
    questions: SmallVec<[(usize, u8); 4]>,
}

/// What is carried over from one piece of a text to the next, besides what was learnt.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Carried {
    /// The kind that the last turn asked for, as an index into `Kind::BUILT_IN`.
    asked: Option<u8>,
    /// What the turn that the piece at hand begins in asked for before that piece.
    pending: Option<u8>,
    /// The capitals seen in the turn that the piece at hand begins in, before that piece.
    capitals: Capitals,
    /// What was said in the turn that the piece at hand begins in, before that piece.
    said: Said,
    /// Whether a turn is not known to be over before that piece.
    open: bool,
}

impl Carried {
    /// What a turn carries over to the next one.
    pub(crate) fn after_turn(asked: Option<u8>) -> Self {
        Self { asked, ..Self::default() }
    }

    /// The same before a document whose piece begins with a turn, which is the end of the one before.
    fn before(self, document: &Document<'_>) -> Self {
        if !(self.open && document.gap(document.begin()).has(Gap::TURN)) {
            return self;
        }
        let kept = self.asked.filter(|_| self.said.keeps_question());
        Self::after_turn(self.pending.or(kept))
    }

    /// The capitals seen in the turn that the piece at hand begins in.
    pub(crate) fn capitals(self) -> Capitals {
        self.capitals
    }
}

/// A turn of a document that was read.
#[derive(Clone, Debug)]
pub(crate) struct ReadTurn {
    words: Range<usize>,
    /// Its bytes in the source.
    pub(crate) bytes: Range<usize>,
    /// What it asks for.
    pub(crate) asked: Option<u8>,
    /// Whether none comes after it.
    pub(crate) is_last: bool,
}

impl ReadTurn {
    /// Whether it ends before a word.
    pub(crate) fn is_before(&self, word: usize) -> bool {
        self.words.end <= word && !self.is_last
    }

    /// Whether the next piece of the same message, which begins at a byte, begins in this turn or one before it.
    pub(crate) fn holds(&self, document: &Document<'_>, next: usize) -> bool {
        self.is_last || document.word_at(next) < self.words.end
    }
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    /// The first word.
    start: usize,
    /// The first word that is said, behind the name of the speaker.
    said: usize,
    /// What the turn before it asked for.
    before: Option<u8>,
    /// What it asks for.
    asked: Option<u8>,
    /// Most of its words say digits: a part of a number.
    numeric: bool,
}

/// What was said in a turn so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Said {
    /// How many words stand in it.
    words: u8,
    /// How many of them are not the name of the speaker.
    own: u8,
    /// How many of those say digits.
    digits: u8,
    /// Whether any of them says more than that somebody listens.
    answers: bool,
    /// Whether values were replaced, so that there was more to hear than the words that are left.
    replaced: bool,
}

impl Said {
    /// The most words in which somebody only listens.
    const LISTENING: u8 = 4;
    /// The most words that are a bare group of digits. Looking no further keeps detection bounded to the right.
    const GROUP: u8 = 12;
    /// From so many words on, how many they are makes no difference.
    const MANY: u8 = Self::GROUP + 1;

    /// Together with the words of a document that come next.
    fn and(self, document: &Document<'_>, words: Range<usize>) -> Self {
        let own = document.after_role(words.start).min(words.end)..words.end;
        let with = |before: u8, more: usize| more.saturating_add(before.into()).min(Self::MANY.into()) as u8;
        let count = Self { words: with(self.words, words.len()), own: with(self.own, own.len()), ..self };
        if count.own > Self::GROUP {
            return Self { digits: 0, answers: false, replaced: false, ..count };
        }
        let replaced = || {
            document.view.has_barriers()
                && ((words.start + 1..=words.end).any(|at| document.is_protected_before(at))
                    || document.is_protected_before(words.start) && !document.gap(words.start).has(Gap::TURN))
        };
        // Of more words it is not asked.
        let answers = count.own > Self::LISTENING
            || self.answers
            || !own.clone().all(|at| document.is(at, Tags::ACKNOWLEDGES));
        let digits = with(self.digits, own.filter(|&at| says_digits(document, at)).count());
        Self { digits, answers, replaced: self.replaced || replaced(), ..count }
    }

    /// Whether it is a part of a number.
    fn is_numeric(self) -> bool {
        self.digits > 0 && self.digits * 2 >= self.own && !self.replaced
    }

    /// Whether it takes no question back: "okay", "go ahead", silence, and a part of its answer.
    fn keeps_question(self) -> bool {
        let listens = self.own <= Self::LISTENING && !self.answers && !self.replaced;
        listens || self.is_numeric()
    }
}

impl Context {
    /// How many words of a turn may stand before the answer to what was asked.
    const ANSWERED: usize = 10;

    /// Goes on to a document, before any of it is read.
    pub(crate) fn begin(&mut self, document: &Document<'_>) {
        self.carried = self.carried.before(document);
        self.masked = self.masked.before(document);
    }

    /// Notes what each turn of a document asks for.
    pub(crate) fn read_turns(&mut self, document: &Document<'_>, cues: &[CueHit]) {
        self.turns.clear();
        self.questions.clear();
        self.begun = 0;
        let mut start = 0;
        let mut next_cue = 0;
        let (len, begin) = (document.len(), document.begin());
        let turns = document.starts.of(Flags::RARE).filter(|&at| at > 0 && document.gap(at).has(Gap::TURN));
        for end in turns.chain([len]) {
            let is_begun = start <= begin && (begin < end || end == len);
            let mut asked = None;
            if is_begun {
                self.begun = start;
                asked = self.carried.pending;
            }
            while let Some(cue) = cues.get(next_cue).filter(|cue| cue.start < end) {
                // What was asked before the piece at hand is known.
                let is_new = cue.start >= begin;
                let to_spell = asks_to_spell(document, cue);
                let asks = (cue.role == Role::Label || to_spell) && is_new;
                if asks && !(asked.is_some() && (to_spell || says_where(document, cue.start))) {
                    asked = Some(cue.kind);
                    self.questions.push((cue.start, cue.kind));
                }
                next_cue += 1;
            }
            let last = self.turns.last().filter(|_| !is_begun);
            let before = last.map_or(self.carried.asked, |turn| turn.asked);
            let said = if is_begun { self.carried.said } else { Said::default() };
            let last = document.label_start(end);
            let said = said.and(document, start.max(begin).min(last)..last);
            if asked.is_none() && said.keeps_question() {
                asked = before;
            }
            let (own, numeric) = (document.after_role(start), said.is_numeric());
            self.turns.push(Turn { start, said: own, before, asked, numeric });
            start = end;
        }
    }

    /// The context for reading with values replaced what comes after this: nothing is learnt from what is replaced.
    pub(crate) fn behind(before: Carried) -> Self {
        Self { carried: before, ..Self::default() }
    }

    /// What comes from before the piece at hand where all values that were found are replaced.
    pub(crate) fn masked(&self) -> Carried {
        self.masked
    }

    /// The turns of the document at hand.
    pub(crate) fn turns<'a>(&'a self, document: &'a Document<'_>) -> impl Iterator<Item = ReadTurn> + 'a {
        let mut end = 0;
        self.turns.iter().enumerate().map(move |(index, turn)| {
            let start = end;
            let next = self.turns.get(index + 1).map(|next| next.start);
            end = next.map_or(document.view.source().len(), |next| document.line_start(next));
            ReadTurn {
                words: turn.start..next.unwrap_or(document.len()),
                bytes: start..end,
                asked: turn.asked,
                is_last: next.is_none(),
            }
        })
    }

    /// Whether a turn in which nothing was found says the same after what came `before` it with values replaced.
    pub(crate) fn reads_alike(&self, document: &Document<'_>, turn: &ReadTurn, before: Carried) -> bool {
        if turn.words.start > self.begun {
            return self.asked_before(turn.words.start) == before.asked;
        }
        self.carried.asked == before.asked
            && self.carried.pending == before.pending
            && self.carried.said == before.said
            && document.is_cased_alike(self.carried.capitals, before.capitals)
    }

    /// The kind that the turn before the one of a word asked for, where the word may be the answer, and how many words of its turn
    /// stand before it.
    pub(crate) fn answered(&self, document: &Document<'_>, at: usize) -> Option<(u8, usize)> {
        let kind = self.turn(at)?.before?;
        let before = self.words_into_turn(document, at);
        (before <= Self::ANSWERED).then_some((kind, before))
    }

    /// The first words of the turns that answer a question for a kind, with its index in `Kind::BUILT_IN`.
    pub(crate) fn answers(&self, document: &Document<'_>, kind: &Kind) -> impl Iterator<Item = (usize, u8)> {
        self.turns.iter().enumerate().filter_map(move |(index, turn)| {
            let asked = turn.before.filter(|&asked| is_kind(asked, kind))?;
            let end = self.turns.get(index + 1).map_or(document.len(), |next| next.start);
            let is_whole = self.said_before(turn.start) == Said::default();
            // Behind a value that was replaced, which was the answer, comes something else.
            let is_open = turn.said < end && !document.is_protected_before(turn.said);
            (is_whole && is_open).then_some((turn.said, asked))
        })
    }

    /// How many words of its turn stand before a word.
    pub(crate) fn words_into_turn(&self, document: &Document<'_>, at: usize) -> usize {
        let turn = self.turn_start(at);
        usize::from(self.said_before(turn).words) + at.saturating_sub(turn.max(document.begin()))
    }

    /// What was said before the piece at hand in the turn that begins at a word.
    fn said_before(&self, turn: usize) -> Said {
        if turn == self.begun { self.carried.said } else { Said::default() }
    }

    /// What was asked before the piece at hand in the turn that begins at a word.
    fn pending_before(&self, turn: usize) -> Option<u8> {
        self.carried.pending.filter(|_| turn == self.begun)
    }

    /// What a turn asks for before a word.
    fn pending_at(&self, turn: usize, at: usize) -> Option<u8> {
        let earlier = self.questions.partition_point(|&(word, _)| word < at);
        let last = self.questions[..earlier].last().filter(|&&(word, _)| word >= turn);
        last.map(|&(_, kind)| kind).or_else(|| self.pending_before(turn))
    }

    /// The kind that the turn before the one beginning at word `turn` asked for.
    fn asked_before(&self, turn: usize) -> Option<u8> {
        self.turn(turn).map_or(self.carried.asked, |turn| turn.before)
    }

    /// The first word of the turn that a word stands in.
    pub(crate) fn turn_start(&self, at: usize) -> usize {
        self.turn(at).map_or(0, |turn| turn.start)
    }

    /// The first word that is said in the turn that a word stands in.
    pub(crate) fn first_said(&self, at: usize) -> usize {
        self.turn(at).map_or(0, |turn| turn.said)
    }

    /// Whether most words of the turn that a word stands in say digits.
    pub(crate) fn is_number_turn(&self, at: usize) -> bool {
        self.turn(at).is_some_and(|turn| turn.numeric)
    }

    fn turn(&self, at: usize) -> Option<&Turn> {
        self.turns[..self.turns.partition_point(|turn| turn.start <= at)].last()
    }

    /// What a turn that is read alike carries over, after what came `before` it with values replaced, to the next piece of the same
    /// message, which begins at a byte. `heard` is what it carries over as it was heard.
    pub(crate) fn after_alike(
        &self,
        document: &Document<'_>,
        next: usize,
        before: Carried,
        heard: Carried,
    ) -> Carried {
        if before.capitals.is_like(self.carried.capitals) {
            return heard;
        }
        let capitals = document.capitals_before(document.word_at(next), before.capitals);
        Carried { capitals, ..heard }
    }

    /// Goes on to the next message, or to the next piece of the same message, with what the document at hand carries over: as it was
    /// heard, and with values replaced.
    pub(crate) fn end(&mut self, heard: Carried, masked: Carried) {
        self.carried = heard;
        self.masked = masked;
        self.turns.clear();
        self.questions.clear();
    }

    /// What is carried over to the next message, or to the next piece of the same message, which begins at a byte.
    pub(crate) fn after(&self, document: &Document<'_>, next: Option<usize>) -> Carried {
        let Some(word) = next.map(|next| document.word_at(next)) else {
            let asked = self.turns.last().map_or(self.carried.asked, |turn| turn.asked);
            return Carried::after_turn(asked);
        };
        let turn = self.turn_start(word);
        Carried {
            asked: self.asked_before(turn),
            pending: self.pending_at(turn, word),
            capitals: document.capitals_before(word, self.carried.capitals),
            said: self.said_before(turn).and(document, turn.max(document.begin()).min(word)..word),
            open: turn < word || turn == self.begun && self.carried.open,
        }
    }

    /// What comes from before the piece at hand.
    pub(crate) fn carried(&self) -> Carried {
        self.carried
    }

    /// How much was learnt.
    pub(crate) fn knowledge(&self) -> usize {
        self.learnt.len()
    }

    /// Whether any name or number was learnt.
    pub(crate) fn knows_anything(&self) -> bool {
        !self.learnt.is_empty()
    }

    /// Whether a turn of the document at hand, or the one before it, asks for a kind.
    pub(crate) fn asks_for(&self, kind: &Kind) -> bool {
        let is = |asked: Option<u8>| asked.is_some_and(|asked| is_kind(asked, kind));
        is(self.carried.asked) || self.turns.iter().any(|turn| is(turn.asked))
    }

    /// Whether a word was part of a name.
    pub(crate) fn knows_name(&self, word: WordHash) -> bool {
        self.names & name_bit(word) != 0 && self.learnt.get(&word) == Some(&Learnt::Name)
    }

    /// Whether a word is one letter away from a word of a name: one more, one less, another, or two in turn. The first letter is
    /// heard right, and short words are too much alike.
    pub(crate) fn nearly_knows_name(&self, word: &str) -> bool {
        if self.learnt.is_empty() || !may_be_misspelt(word) {
            return false;
        }
        let near = |hash: WordHash| matches!(self.learnt.get(&hash), Some(Learnt::Name | Learnt::NearName));
        near(hash_word(word.as_bytes())) || with_one_letter_less(word).any(near)
    }

    pub(crate) fn learn_name(&mut self, hash: WordHash, word: &str) {
        self.learn(hash, Learnt::Name);
        if may_be_misspelt(word) {
            for hash in with_one_letter_less(word) {
                self.learn(hash, Learnt::NearName);
            }
        }
    }

    /// The kind of a number that was found before, by its compact form, as an index into `Kind::BUILT_IN`.
    pub(crate) fn known_number(&self, compact: &str) -> Option<u8> {
        if self.learnt.is_empty() {
            return None;
        }
        match self.learnt.get(&hash_number(compact)) {
            Some(Learnt::Number(kind)) => Some(*kind),
            _ => None,
        }
    }

    pub(crate) fn learn_number(&mut self, compact: &str, kind: u8) {
        /// Shorter numbers come up by chance.
        const SHORTEST: usize = 5;
        if compact.len() >= SHORTEST && compact.bytes().filter(u8::is_ascii_digit).count() >= 4 {
            self.learn(hash_number(compact), Learnt::Number(kind));
        }
    }

    fn learn(&mut self, hash: WordHash, what: Learnt) {
        /// Enough for every value of the longest call; beyond it nothing more is learnt.
        const MOST: usize = 32_768;
        if self.learnt.is_empty() {
            // A name of two words and a number, so that the table need not grow for them.
            const FEW: usize = 14;
            self.learnt.reserve(FEW);
            self.new.reserve(FEW);
        }
        let known = self.learnt.get(&hash);
        if known.is_none_or(|known| what == Learnt::Name && *known != what) && self.learnt.len() < MOST {
            self.learnt.insert(hash, what);
            self.new.push((hash, what));
            if what == Learnt::Name {
                self.names |= name_bit(hash);
            }
        }
    }

    /// What was learnt since the last call of this, between two messages.
    pub(crate) fn take_lesson(&mut self) -> Lesson {
        Lesson { learnt: std::mem::take(&mut self.new), ..self.asked() }
    }

    /// All that is known between two messages, in an order of its own.
    pub(crate) fn summary(&self) -> Lesson {
        let mut learnt: Vec<_> = self.learnt.iter().map(|(hash, what)| (*hash, *what)).collect();
        learnt.sort_unstable();
        Lesson { learnt, ..self.asked() }
    }

    fn asked(&self) -> Lesson {
        Lesson { asked: self.carried.asked, asked_masked: self.masked.asked, learnt: Vec::new() }
    }

    /// Learns what an earlier message taught.
    pub(crate) fn recall(&mut self, lesson: &Lesson) {
        self.carried.asked = lesson.asked;
        self.masked.asked = lesson.asked_masked;
        self.learnt.extend(lesson.learnt.iter().copied());
        let names = lesson.learnt.iter().filter(|(_, what)| *what == Learnt::Name);
        self.names = names.fold(self.names, |names, (hash, _)| names | name_bit(*hash));
    }
}

/// The bit of a word in [`Context::names`].
fn name_bit(word: WordHash) -> u64 {
    1 << (word.0 % 64)
}

/// What is known of a word or number.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Learnt {
    /// A word of a name.
    Name,
    /// A word of a name with one letter left out.
    NearName,
    /// A number of a kind, as an index into `Kind::BUILT_IN`.
    Number(u8),
}

impl Learnt {
    /// As a number, for storage.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Name => 0,
            Self::NearName => 1,
            Self::Number(kind) => kind + 2,
        }
    }

    /// What [`Learnt::code`] wrote; `None` for a number that it does not write.
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Name),
            1 => Some(Self::NearName),
            _ => Some(Self::Number(code - 2)).filter(|_| usize::from(code - 2) < Kind::BUILT_IN.len()),
        }
    }
}

/// What one message taught.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Lesson {
    /// The kind that its last turn asked for, as an index into `Kind::BUILT_IN`.
    pub(crate) asked: Option<u8>,
    /// What its last turn asked for once its values were replaced.
    pub(crate) asked_masked: Option<u8>,
    /// What was new.
    pub(crate) learnt: Vec<(WordHash, Learnt)>,
}

/// Numbers and words do not meet under one hash. A telephone number is the same with and without the country code.
fn hash_number(compact: &str) -> WordHash {
    let compact = compact.strip_prefix('1').filter(|rest| rest.len() == 10).unwrap_or(compact);
    hash_word(b"#").then(hash_word(compact.as_bytes()))
}

/// The longest word that is compared letter by letter, in bytes.
const LONGEST_MISSPELT: usize = 24;

fn may_be_misspelt(word: &str) -> bool {
    (5..=LONGEST_MISSPELT).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_lowercase())
}

/// The hashes of an ASCII word of at most [`LONGEST_MISSPELT`] letters with each letter but the first left out.
fn with_one_letter_less(word: &str) -> impl Iterator<Item = WordHash> {
    let bytes = word.as_bytes();
    let mut rest = [0; LONGEST_MISSPELT];
    rest[..bytes.len() - 1].copy_from_slice(&bytes[..bytes.len() - 1]);
    // From the last letter on, every step puts back the one left out and takes away the one before it.
    (1..bytes.len()).rev().map(move |at| {
        if at + 1 < bytes.len() {
            rest[at] = bytes[at + 1];
        }
        hash_word(&rest[..bytes.len() - 1])
    })
}

/// "can you spell that": what is asked for is a name where nothing else was.
fn asks_to_spell(document: &Document<'_>, cue: &CueHit) -> bool {
    let spells = |at: usize| matches!(document.stem(at), "spell" | "spelled" | "spelling");
    cue.role == Role::Hint && is_kind(cue.kind, &Kind::Name) && (spells(cue.start) || spells(cue.end - 1))
}

/// "the member ID on your card": what stands there is where to look and not what is asked for.
fn says_where(document: &Document<'_>, at: usize) -> bool {
    let back = |n: usize| document.stem_before(at, n);
    let place = |text: &str| matches!(text, "on" | "from" | "off" | "under");
    place(back(1)) || (place(back(2)) && matches!(back(1), "your" | "the" | "my" | "that" | "his" | "her"))
}

fn is_kind(index: u8, kind: &Kind) -> bool {
    Kind::BUILT_IN[usize::from(index)] == *kind
}

fn says_digits(document: &Document<'_>, at: usize) -> bool {
    matches!(
        document.class(at),
        Class::Digit | Class::Oh | Class::Teen | Class::Tens | Class::Hundred | Class::Repeat
    ) || document.words[at].shape == Shape::Digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_but_the_first_is_left_out_once() {
        for word in ["smith", "kowalski", "abcdefghijklmnopqrstuvwx"] {
            let mut hashes: Vec<WordHash> = with_one_letter_less(word).collect();
            let mut wanted: Vec<WordHash> = (1..word.len())
                .map(|at| hash_word(format!("{}{}", &word[..at], &word[at + 1..]).as_bytes()))
                .collect();
            hashes.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(hashes, wanted, "{word}");
        }
    }

    #[test]
    fn names_are_known_within_a_letter() {
        let mut context = Context::default();
        context.learn_name(hash_word(b"kowalski"), "kowalski");
        for near in ["kowalsky", "kowalsk", "kowwalski", "kowaslki", "kowalski"] {
            assert!(context.nearly_knows_name(near), "{near}");
        }
        for far in ["kovalsky", "nowalski", "kows", "walk", ""] {
            assert!(!context.nearly_knows_name(far), "{far}");
        }
    }
}
