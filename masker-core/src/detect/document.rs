use super::vocabulary::{Tags, VOCABULARY};
use crate::Span;
use crate::lexicon::{self, Entry, Lexicon};
use crate::view::{
    BARRIER, Case, Class, Gap, NormalView, Shape, Word, WordClass, WordHash, hash_word, split_words,
};

/// A text prepared for detection: its normal view, its words, and what is known about each.
#[derive(Debug)]
pub(crate) struct Document<'s> {
    pub(crate) view: NormalView<'s>,
    pub(crate) words: Vec<Word>,
    pub(crate) classes: Vec<WordClass>,
    pub(crate) entries: Vec<Entry>,
    tags: Vec<Tags>,
    /// All tags, gaps and facts that occur.
    any: (Tags, Gap, Entry),
    /// For every word, whether it or one shortly before it in its turn is capitalised.
    cased: Vec<bool>,
    /// The number of words before the end of the piece at hand; what stands behind it is seen again.
    settled: usize,
}

impl<'s> Document<'s> {
    pub(crate) fn new(source: &'s str, protected: &[Span]) -> Self {
        Self::part(source, protected, Capitals::default())
    }

    /// A part of a longer text, in the first turn of which these capitals have been seen before.
    pub(crate) fn part(source: &'s str, protected: &[Span], capitals: Capitals) -> Self {
        let view = NormalView::new(source, protected);
        let mut words = split_words(&view);
        let vocabulary = &*VOCABULARY;
        let lexicon = lexicon::shipped();
        let mut classes = Vec::with_capacity(words.len());
        let mut tags: Vec<Tags> = Vec::with_capacity(words.len());
        let mut entries = Vec::with_capacity(words.len());
        let mut any = (Tags::default(), Gap::default(), Entry::default());
        let mut before = Tags::default();
        for (at, word) in words.iter().enumerate() {
            let known = vocabulary.get(word.hash);
            let entry = entry_of(lexicon, &view, word);
            any = (any.0.with(known.tags), any.1.with(word.gap), any.2.union(entry));
            if word.gap == Gap::HYPHEN && word.shape != Shape::Letters {
                // Letters that say no code may belong to one by a hyphen: "MRN-482055".
                let letters = at.checked_sub(1).filter(|&before| words[before].len() <= 5);
                if let Some(tags) = letters.and_then(|before| tags.get_mut(before)) {
                    *tags = tags.with(Tags::AT_CODE);
                }
            }
            classes.push(known.class);
            tags.push(known.tags.with(begins(word, known.tags, before, entry)));
            before = known.tags;
            entries.push(entry);
        }
        mark_turns(&view, &mut words, &tags);
        let cased = cased(&words, capitals);
        let settled = words.len();
        Self { view, words, classes, entries, tags, any, cased, settled }
    }

    /// Says where in the source the piece at hand ends.
    pub(crate) fn settle(&mut self, end: usize) {
        self.settled = self.word_at(end);
    }

    /// Whether a word belongs to the piece at hand, so that what it says may be learnt.
    pub(crate) fn is_settled(&self, at: usize) -> bool {
        at < self.settled
    }

    /// Whether the rules know a word in any of these parts.
    pub(crate) fn is(&self, at: usize, tags: Tags) -> bool {
        self.tags.get(at).is_some_and(|known| known.has(tags))
    }

    /// Whether the rules know some word in any of these parts.
    pub(crate) fn has_any(&self, tags: Tags) -> bool {
        self.any.0.has(tags)
    }

    /// Whether some word is part of the name of a street.
    pub(crate) fn has_street_suffix(&self) -> bool {
        self.any.2.street_suffix() > 0
    }

    /// Whether some word is the name of a state, or begins one.
    pub(crate) fn has_state(&self) -> bool {
        self.any.2.state() > 0 || self.any.2.begins_phrase() == 1
    }

    /// Whether any of these stands somewhere between two words.
    pub(crate) fn has_gap(&self, gap: Gap) -> bool {
        self.any.1.has(gap)
    }

    /// Whether the rules know the word before one in any of these parts.
    pub(crate) fn is_before(&self, at: usize, tags: Tags) -> bool {
        at.checked_sub(1).is_some_and(|before| self.is(before, tags))
    }

    /// The words that the rules know in any of these parts.
    pub(crate) fn tagged(&self, tags: Tags) -> impl Iterator<Item = usize> {
        self.tags.iter().enumerate().filter(move |(_, known)| known.has(tags)).map(|(at, _)| at)
    }

    pub(crate) fn len(&self) -> usize {
        self.words.len()
    }

    /// The word without a possessive ending, empty beyond the text.
    pub(crate) fn stem(&self, at: usize) -> &str {
        self.words.get(at).map_or("", |word| word.stem(&self.view))
    }

    pub(crate) fn class(&self, at: usize) -> Class {
        self.classes.get(at).map_or(Class::None, |class| class.class)
    }

    pub(crate) fn value(&self, at: usize) -> u8 {
        self.classes.get(at).map_or(0, |class| class.value)
    }

    pub(crate) fn entry(&self, at: usize) -> Entry {
        self.entries.get(at).copied().unwrap_or_default()
    }

    /// The gap before a word; beyond the text, the end of it.
    pub(crate) fn gap(&self, at: usize) -> Gap {
        self.words.get(at).map_or(Gap::BARRIER, |word| word.gap)
    }

    /// Whether the word ends in `'s`.
    pub(crate) fn is_possessive(&self, at: usize) -> bool {
        self.words.get(at).is_some_and(|word| word.stem_end < word.end)
    }

    /// Whether a sentence begins at the word. A full stop after a title or an initial ends none.
    pub(crate) fn begins_sentence(&self, at: usize) -> bool {
        let gap = self.gap(at);
        if gap.has(Gap::START.with(Gap::BARRIER)) || at == 0 {
            return true;
        }
        if !gap.has(Gap::SENTENCE) {
            return false;
        }
        let plain_stop = gap.only(Gap::STOP.with(Gap::SENTENCE).with(Gap::SPACE));
        let before = &self.words[at - 1];
        let abbreviated = self.is(at - 1, Tags::ABBREVIATION) && !self.is_possessive(at - 1);
        !(plain_stop && (abbreviated || (before.len() == 1 && before.case == Case::Title)))
    }

    /// Whether words `a` and `b` (`a` before `b`) stand in one sentence.
    pub(crate) fn same_sentence(&self, a: usize, b: usize) -> bool {
        (a + 1..=b).all(|at| !self.begins_sentence(at))
    }

    /// Whether words `a` and `b` (`a` before `b`) stand in one turn.
    pub(crate) fn same_turn(&self, a: usize, b: usize) -> bool {
        (a + 1..=b).all(|at| !self.gap(at).has(Gap::BARRIER))
    }

    /// The source bytes of the words `start..end`, without a possessive ending of the last.
    pub(crate) fn span(&self, start: usize, end: usize) -> Span {
        self.view.source_span(self.words[start].start as usize, self.words[end - 1].stem_end as usize)
    }

    /// Whether the turn is written with capitals around the word: then a capital means something.
    pub(crate) fn is_cased(&self, at: usize) -> bool {
        self.cased[at]
    }

    /// The capitals seen before a word in its turn, for the [`Document::part`] that begins there.
    pub(crate) fn capitals_before(&self, at: usize, before: Capitals) -> Capitals {
        let mut capitals = before;
        for (index, word) in self.words[..at].iter().enumerate() {
            capitals.see(word, index == 0);
        }
        capitals
    }

    /// The first word that begins at or after a byte of the source.
    pub(crate) fn word_at(&self, source: usize) -> usize {
        self.words.partition_point(|word| {
            self.view.source_span(word.start as usize, word.end as usize).start < source
        })
    }

    /// The hash of the longest phrase in the lexicon that begins at a word and fulfils a condition, with the word after it.
    pub(crate) fn longest_phrase(&self, at: usize, fits: impl Fn(Entry) -> bool) -> Option<(usize, Entry)> {
        let mut entry = self.entry(at);
        let mut best = fits(entry).then_some((at + 1, entry));
        let mut hash = self.words.get(at)?.hash;
        let mut next = at + 1;
        while entry.begins_phrase() == 1 && next < self.len().min(at + 6) && joins_phrase(self.gap(next)) {
            hash = hash.then(self.words[next].hash);
            entry = lexicon::lookup(hash);
            next += 1;
            if fits(entry) {
                best = Some((next, entry));
            }
        }
        best
    }

    /// "since 2012": a year, not a code.
    pub(crate) fn is_bare_year(&self, at: usize) -> bool {
        let text = self.stem(at);
        let before = at.checked_sub(1).map_or("", |at| self.stem(at));
        text.len() == 4
            && (text.starts_with("19") || text.starts_with("20"))
            && text.bytes().all(|b| b.is_ascii_digit())
            && matches!(
                before,
                "since"
                    | "in"
                    | "from"
                    | "until"
                    | "till"
                    | "by"
                    | "of"
                    | "year"
                    | "before"
                    | "after"
                    | "through"
                    | "quit"
                    | "stopped"
                    | "started"
                    | "retired"
                    | "diagnosed"
                    | "dx"
            )
    }

    /// The first word behind the name of the speaker, where the turn that begins at a word names him.
    pub(crate) fn after_role(&self, start: usize) -> usize {
        if !self.gap(start).has(Gap::TURN) || !self.is(start, Tags::ROLE) {
            return start;
        }
        let numbered = self
            .words
            .get(start + 1)
            .is_some_and(|word| word.shape == Shape::Digits && word.gap == Gap::SPACE);
        start + 1 + usize::from(numbered)
    }

    /// Whether a protected part stands directly before a word, or at the end of the text.
    pub(crate) fn is_protected_before(&self, at: usize) -> bool {
        if let Some(word) = self.words.get(at) {
            return word.gap.has(Gap::PROTECTED);
        }
        let end = self.words.last().map_or(0, |word| word.end as usize);
        self.view.text().as_bytes()[end..].contains(&BARRIER)
    }

    /// Whether `#` comes next behind a word, whatever stands there then.
    pub(crate) fn number_sign_follows(&self, at: usize) -> bool {
        let behind = &self.view.text().as_bytes()[self.words[at].end as usize..];
        behind.iter().find(|byte| **byte != b' ') == Some(&b'#')
    }

    /// Whether a word is written with letters beyond ASCII.
    #[inline]
    pub(crate) fn has_accent(&self, at: usize) -> bool {
        !self.view.is_aligned() && {
            let span = self.span(at, at + 1);
            self.view.source()[span.range()].chars().any(|c| !c.is_ascii() && c.is_alphabetic())
        }
    }

    /// Whether a word is the name or abbreviation of a state.
    pub(crate) fn is_state(&self, at: usize) -> bool {
        self.entry(at).state() >= 2
    }

    pub(crate) fn hash(&self, at: usize) -> WordHash {
        self.words[at].hash
    }
}

/// What may begin at a word, from the word and what the rules know of the one before.
#[inline]
fn begins(word: &Word, known: Tags, before: Tags, entry: Entry) -> Tags {
    /// Signs that written shapes have.
    const SIGNS: Gap = Gap::OTHER.with(Gap::COLON).with(Gap::STOP).with(Gap::PAUSE);
    let digits = word.shape != Shape::Letters;
    let place = digits
        || known.has(Tags::NUMBER.with(Tags::POST_BOX))
        || before.has(Tags::LEADS_STREET)
        || entry.may_begin_place();
    Tags::AT_CODE
        .when(digits || known.has(Tags::CODE))
        .with(Tags::AT_DATE.when(digits || known.has(Tags::DATE)))
        .with(Tags::AT_SHAPE.when(digits || word.gap.has(SIGNS)))
        .with(Tags::AT_PLACE.when(place))
        .with(Tags::AT_NAME.when(!digits && may_be_name(word, known, entry)))
}

/// Whether a word may be the first of a name even where nothing before it says so.
#[inline]
fn may_be_name(word: &Word, known: Tags, entry: Entry) -> bool {
    if word.len() == 1 {
        return word.case != Case::Lower;
    }
    let listed = entry.given_name() | entry.family_name() != 0;
    let plain = if listed { entry.not_name() >= 6 } else { entry.common() > 0 };
    !plain || word.case != Case::Lower || known.has(Tags::PARTICLE)
}

#[inline]
fn entry_of(lexicon: &Lexicon, view: &NormalView<'_>, word: &Word) -> Entry {
    if word.shape != Shape::Letters {
        return Entry::default();
    }
    let entry = lexicon.lookup(word.hash);
    if !word.apostrophe {
        return entry;
    }
    let stem = word.stem(view);
    // The census writes O'Brien without the apostrophe.
    if entry.family_name() == 0 && matches!(stem.as_bytes(), [b'o' | b'd' | b'l' | b'm', b'\'', ..]) {
        return lexicon.lookup(hash_word(stem.replace('\'', "").as_bytes()));
    }
    entry
}

/// For every word, whether capitals mean something there: a capital inside a sentence, or at the start of two sentences, has
/// been seen shortly before in the turn. A single capital at the start is what many recognisers write over plain lower case.
fn cased(words: &[Word], mut capitals: Capitals) -> Vec<bool> {
    words.iter().enumerate().map(|(at, word)| capitals.see(word, at == 0)).collect()
}

/// The capitals seen so far in a turn.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Capitals {
    /// For how many words more the last one counts.
    left: usize,
    /// How many sentences began with one.
    starts: usize,
}

impl Capitals {
    /// Goes on by a word; whether capitals mean something there. The `first` word of a text begins no new turn of itself: what
    /// came before it is known.
    fn see(&mut self, word: &Word, first: bool) -> bool {
        /// How many words a capital counts for.
        const REACH: usize = 40;
        let begins_turn = word.gap.has(Gap::TURN) || (word.gap.has(Gap::START) && !first);
        if begins_turn {
            *self = Self::default();
        }
        let capital = word.case == Case::Title && word.len() > 1;
        let begins = word.gap.has(Gap::START.with(Gap::BARRIER).with(Gap::SENTENCE));
        self.starts += usize::from(capital && begins);
        self.left =
            if capital && (!begins || self.starts >= 2) { REACH } else { self.left.saturating_sub(1) };
        self.left > 0
    }
}

/// Whether two words with this between them can be parts of one phrase.
pub(crate) fn joins_phrase(gap: Gap) -> bool {
    gap.only(
        Gap::SPACE.with(Gap::HYPHEN).with(Gap::STOP).with(Gap::SENTENCE).with(Gap::LINE).with(Gap::SLASH),
    ) && (!gap.has(Gap::SENTENCE) || gap.has(Gap::STOP))
}

/// Puts a barrier before every line that names its speaker, as between two messages.
fn mark_turns(view: &NormalView<'_>, words: &mut [Word], tags: &[Tags]) {
    let bytes = view.text().as_bytes();
    for at in 0..words.len() {
        let word = words[at];
        if !word.gap.has(Gap::LINE.with(Gap::START)) || !tags[at].has(Tags::ROLE) || word.stem_end < word.end
        {
            continue;
        }
        let bracketed = word.start > 0 && bytes[word.start as usize - 1] == b'[';
        let last =
            if words.get(at + 1).is_some_and(|next| next.shape == Shape::Digits && next.gap == Gap::SPACE) {
                words[at + 1]
            } else {
                word
            };
        let after = bytes.get(last.end as usize).copied();
        if (bracketed && after == Some(b']')) || (after == Some(b':') && word.stem(view) != "patient") {
            words[at].gap = words[at].gap.with(Gap::BARRIER).with(Gap::TURN);
            // The role itself is no part of what is said.
            let next = at + if last.start == word.start { 1 } else { 2 };
            if let Some(next) = words.get_mut(next) {
                next.gap = next.gap.with(Gap::BARRIER);
            }
        }
    }
}
