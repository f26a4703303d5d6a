use std::cell::Cell;
use std::ops::Deref;

use super::starts::{Flags, Starts};
use super::vocabulary::{Known, Tags, VOCABULARY, Vocabulary};
use crate::Span;
use crate::lexicon::{self, Entry};
use crate::view::{
    BARRIER, Case, Class, Gap, NormalView, SaidWord, Shape, ViewBuffers, Word, WordClass, WordHash, Words,
    hash_word,
};

/// A word with what is known about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    word: Word,
    /// Its place in [`Vocabulary::known`].
    known: u32,
    /// Whether the word or one shortly before it in its turn is capitalised.
    cased: bool,
}

impl Token {
    #[inline(always)]
    fn new(word: Word, vocabulary: &Vocabulary, view: &NormalView<'_>) -> Self {
        let known = if word.shape == Shape::Letters && !word.apostrophe {
            vocabulary.index(word.hash)
        } else if word.shape == Shape::Letters {
            index_of_apostrophe(vocabulary, word.stem(view), word.hash)
        } else {
            vocabulary.index_plain(word.hash)
        };
        Self { word, known, cased: false }
    }

    /// The word further left, as if nothing had been worked out about those around it.
    fn moved(&self, by: u32) -> Self {
        let Word { start, end, gap, .. } = self.word;
        let gap = if gap.has(Gap::PROTECTED) { gap } else { gap.without(Gap::BARRIER) };
        let word = Word { start: start - by, end: end - by, gap: gap.without(Gap::TURN), ..self.word };
        Self { word, ..*self }
    }

    #[inline]
    fn known(&self) -> &'static Known {
        &VOCABULARY.known()[self.known as usize]
    }
}

impl Deref for Token {
    type Target = Word;

    fn deref(&self) -> &Word {
        &self.word
    }
}

impl SaidWord for Token {
    fn class(&self) -> WordClass {
        self.known().class
    }
}

/// A text prepared for detection: its normal view, its words, and what is known about each.
#[derive(Debug)]
pub(crate) struct Document<'s> {
    pub(crate) view: NormalView<'s>,
    pub(crate) words: Vec<Token>,
    /// What is known of words, by their places.
    known: &'static [Known],
    /// The words at which something may begin.
    pub(crate) starts: Starts,
    /// The number of words before the end of the piece at hand; what stands behind it is seen again.
    settled: usize,
}

/// The memory of a document, to be used for the next one on the same thread.
#[derive(Default)]
struct Buffers {
    view: ViewBuffers,
    words: Vec<Token>,
    starts: Starts,
}

impl Buffers {
    fn take() -> Self {
        SPARE.take().unwrap_or_default()
    }

    fn give_back(self) {
        /// What a piece of a text needs; what a whole text took is given back to the system.
        const MOST: usize = 1 << 18;
        let held = self.view.capacity() + self.words.capacity() * size_of::<Token>() + self.starts.capacity();
        if held <= MOST {
            SPARE.set(Some(self));
        }
    }
}

thread_local! {
    static SPARE: Cell<Option<Buffers>> = const { Cell::new(None) };
}

impl Drop for Document<'_> {
    fn drop(&mut self) {
        let view = self.view.take_buffers();
        let (words, starts) = (std::mem::take(&mut self.words), std::mem::take(&mut self.starts));
        Buffers { view, words, starts }.give_back();
    }
}

impl<'s> Document<'s> {
    pub(crate) fn new(source: &'s str, protected: &[Span]) -> Self {
        Self::part(source, protected, Capitals::default())
    }

    /// A part of a longer text, in the first turn of which these capitals have been seen before.
    pub(crate) fn part(source: &'s str, protected: &[Span], capitals: Capitals) -> Self {
        let Buffers { view, mut words, starts } = Buffers::take();
        let view = NormalView::reusing(view, source, protected);
        let vocabulary = &*VOCABULARY;
        words.clear();
        words.reserve(view.text().len() / 4 + 1);
        let mut reader = Words::new(&view);
        while let Some(word) = reader.read() {
            words.push(Token::new(word, vocabulary, &view));
        }
        let mut document = Self { view, settled: words.len(), words, known: VOCABULARY.known(), starts };
        document.relate(capitals);
        document
    }

    /// The same part with more of it protected: `protected` spans, sorted and disjoint, are replaced by barriers.
    pub(crate) fn covered(&self, protected: &[Span], capitals: Capitals) -> Self {
        if !self.view.is_aligned() {
            return Self::part(self.view.source(), protected, capitals);
        }
        let Buffers { view, mut words, starts } = Buffers::take();
        let view = NormalView::reusing(view, self.view.source(), protected);
        words.clear();
        words.reserve(self.words.len());
        // How much further left the words stand than before.
        let mut shift = 0;
        let mut next = 0;
        for (index, span) in protected.iter().enumerate() {
            let kept = next + self.words[next..].partition_point(|word| word.end as usize <= span.start);
            words.extend(self.words[next..kept].iter().map(|token| token.moved(shift)));
            next = kept + self.words[kept..].partition_point(|word| (word.start as usize) < span.end);
            shift += span.len() as u32 - 1;
            let border = protected.get(index + 1).map_or(u32::MAX, |span| span.start as u32);
            let cut = self.words[..next].last().is_some_and(|word| word.end as usize > span.end);
            if !cut && self.words.get(next).is_none_or(|word| word.start >= border) && border < u32::MAX {
                // No word stands before the next barrier.
                continue;
            }
            // What stands around the barrier is read anew: gaps, and words that were cut.
            let mut reader = match words.last() {
                Some(last) => Words::behind(&view, last.end),
                None => Words::new(&view),
            };
            while let Some(word) = reader.read().filter(|word| word.start < border - shift) {
                let known = self.words.get(next);
                let Some(known) =
                    known.filter(|known| known.start == word.start + shift && known.end <= border)
                else {
                    words.push(Token::new(word, &VOCABULARY, &view));
                    continue;
                };
                words.push(Token { word: Word { gap: word.gap, ..known.moved(shift).word }, ..*known });
                next += 1;
                break;
            }
        }
        words.extend(self.words[next..].iter().map(|token| token.moved(shift)));
        let mut document = Self { view, settled: words.len(), words, known: VOCABULARY.known(), starts };
        document.relate(capitals);
        document
    }

    /// Works out what follows from the words and those around them.
    fn relate(&mut self, mut capitals: Capitals) {
        let words = &mut self.words[..];
        let (lower, upper) = self.starts.begin(words.len());
        let known_words = self.known;
        let next = |words: &[Token], at: usize| {
            words.get(at + 1).map(|next| (next.gap, known_words[next.known as usize].tags))
        };
        let mut before = Before::default();
        for at in 0..words.len() {
            let token = words[at];
            let (word, known) = (token.word, &known_words[token.known as usize]);
            if known.plain
                && word.gap == Gap::SPACE
                && word.case == Case::Lower
                && word.shape == Shape::Letters
            {
                // Most words.
                words[at].cased = capitals.see_plain();
                let mut flags = known.flags;
                if known.tags.has(Tags::CUE) {
                    flags = flags.with(Flags::CUE.when(begins_cue(known.tags, next(words, at))));
                }
                (lower[at], upper[at]) = (flags.lower(), flags.upper());
                before.see(&word, known.tags);
                continue;
            }
            if word.gap == Gap::HYPHEN && word.shape != Shape::Letters && at > 0 && words[at - 1].len() <= 5 {
                // Letters that say no code may belong to one by a hyphen: "MRN-482055".
                lower[at - 1] |= Flags::CODE.lower();
            }
            if known.tags.has(Tags::ROLE) && word.gap.has(Gap::LINE.with(Gap::START)) {
                mark_turn(&self.view, words, at);
            }
            let word = words[at].word;
            let cased = capitals.see(&word, at == 0);
            words[at].cased = cased;
            let flags = flags_of(&word, known, cased, next(words, at));
            let led = known.may_be_led(word.case) && before.leads_to_name(|| words[at - 1].stem(&self.view));
            let flags = flags.with(Flags::LED.when(led));
            (lower[at], upper[at]) = (flags.lower(), flags.upper());
            before.see(&word, known.tags);
        }
        self.starts.finish();
    }

    /// What is known of a word by itself; nothing beyond the text.
    #[inline]
    fn known(&self, at: usize) -> Option<&'static Known> {
        self.words.get(at).map(|token| &self.known[token.known as usize])
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
        self.known(at).is_some_and(|known| known.tags.has(tags))
    }

    /// Whether a word may be a name where something leads to it.
    pub(crate) fn may_be_led(&self, at: usize) -> bool {
        self.known(at).is_some_and(|known| known.may_be_led(self.words[at].case))
    }

    /// Whether the rules know the word before one in any of these parts.
    pub(crate) fn is_before(&self, at: usize, tags: Tags) -> bool {
        at.checked_sub(1).is_some_and(|before| self.is(before, tags))
    }

    pub(crate) fn len(&self) -> usize {
        self.words.len()
    }

    /// The word without a possessive ending, empty beyond the text.
    pub(crate) fn stem(&self, at: usize) -> &str {
        self.words.get(at).map_or("", |word| word.stem(&self.view))
    }

    pub(crate) fn class(&self, at: usize) -> Class {
        self.known(at).map_or(Class::None, |known| known.class.class)
    }

    pub(crate) fn value(&self, at: usize) -> u8 {
        self.known(at).map_or(0, |known| known.class.value)
    }

    pub(crate) fn entry(&self, at: usize) -> Entry {
        self.known(at).map_or_else(Entry::default, |known| known.entry)
    }

    /// The gap before a word; beyond the text, the end of it.
    pub(crate) fn gap(&self, at: usize) -> Gap {
        self.words.get(at).map_or(Gap::BARRIER, |word| word.gap)
    }

    /// Whether the word ends in `'s`.
    pub(crate) fn is_possessive(&self, at: usize) -> bool {
        self.words.get(at).is_some_and(|word| word.possessive)
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
        self.view.source_span(self.words[start].start as usize, self.words[end - 1].stem_end() as usize)
    }

    /// Whether the turn is written with capitals around the word: then a capital means something.
    pub(crate) fn is_cased(&self, at: usize) -> bool {
        self.words[at].cased
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
        self.view.has_accents() && {
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

/// What stands before a word.
#[derive(Clone, Copy, Default)]
struct Before {
    /// The parts that the word before plays.
    tags: Tags,
    /// Whether the one before that is a relation.
    relation: bool,
    /// How many words of one character there are.
    single: usize,
}

impl Before {
    /// Whether it is strong evidence for a name; `last` gives the word before.
    #[inline]
    fn leads_to_name<'d>(&self, last: impl FnOnce() -> &'d str) -> bool {
        const LEADING: Tags = Tags::TITLE.with(Tags::RELATION).with(Tags::LEADS_NAME).with(Tags::CREDENTIAL);
        self.tags.has(LEADING) || self.single >= 3
            // "my mom is …"
            || self.relation && matches!(last(), "is" | "was")
    }

    /// Goes on behind a word.
    #[inline]
    fn see(&mut self, word: &Word, tags: Tags) {
        self.relation = self.tags.has(Tags::RELATION);
        self.tags = tags;
        self.single = if word.len() == 1 { self.single + 1 } else { 0 };
    }
}

/// The sets that a word is in: from the word, and from the gap before the next one with what the rules know of that.
#[inline(always)]
fn flags_of(word: &Word, known: &Known, cased: bool, next: Option<(Gap, Tags)>) -> Flags {
    let Known { tags, flags, .. } = *known;
    if word.shape != Shape::Letters {
        return flags.with(Flags::CODE).with(Flags::DIGITS).with(Flags::RARE);
    }
    let flags = flags.with(Flags::CUE.when(begins_cue(tags, next)));
    if word.case != Case::Lower {
        // An initial has its full stop, and a family name that comes first its comma.
        let has_next = |wanted| next.is_some_and(|(gap, _)| gap.has(wanted));
        let name = if word.len() == 1 {
            has_next(Gap::STOP)
        } else {
            flags.has(Flags::CAPITAL_NAME) || has_next(Gap::COMMA)
        };
        return flags.with(Flags::NAME.when(name)).with(Flags::LEARNT.when(name || word.len() > 1));
    }
    let long = word.len() > 1;
    let name = long && (tags.has(Tags::PARTICLE) || flags.has(Flags::SMALL_NAME) && !cased);
    flags.with(Flags::NAME.when(name)).with(Flags::LEARNT.when(long & flags.has(Flags::SMALL_LEARNT)))
}

/// Whether a cue phrase may begin at a word, from the gap before the next one with what the rules know of that.
#[inline(always)]
fn begins_cue(tags: Tags, next: Option<(Gap, Tags)>) -> bool {
    let goes_on = next.is_none_or(|(gap, tags)| tags.has(Tags::CUE_INSIDE) | gap.has(Gap::HASH));
    tags.has(Tags::CUE) & (tags.has(Tags::CUE_ALONE) | goes_on)
}

/// Puts a barrier before a line that names its speaker, as between two messages, if the one that begins at a word does.
fn mark_turn(view: &NormalView<'_>, words: &mut [Token], at: usize) {
    let word = words[at].word;
    if word.possessive {
        return;
    }
    let bytes = view.text().as_bytes();
    let bracketed = word.start > 0 && bytes[word.start as usize - 1] == b'[';
    let numbered =
        words.get(at + 1).is_some_and(|next| next.shape == Shape::Digits && next.gap == Gap::SPACE);
    let last = if numbered { words[at + 1].word } else { word };
    let after = bytes.get(last.end as usize).copied();
    if (bracketed && after == Some(b']')) || (after == Some(b':') && word.stem(view) != "patient") {
        let gap = &mut words[at].word.gap;
        *gap = gap.with(Gap::BARRIER).with(Gap::TURN);
        // The role itself is no part of what is said.
        if let Some(next) = words.get_mut(at + 1 + usize::from(numbered)) {
            next.word.gap = next.word.gap.with(Gap::BARRIER);
        }
    }
}

/// The place in [`Vocabulary::known`] of a word with an apostrophe. The census writes O'Brien without it.
#[inline(never)]
fn index_of_apostrophe(vocabulary: &Vocabulary, stem: &str, hash: WordHash) -> u32 {
    if matches!(stem.as_bytes(), [b'o' | b'd' | b'l' | b'm', b'\'', ..]) {
        return vocabulary.index_or(hash, hash_word(stem.replace('\'', "").as_bytes()));
    }
    vocabulary.index(hash)
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
    /// How many words a capital counts for.
    const REACH: usize = 40;

    /// Goes on by a word in small letters that begins no turn; whether capitals mean something there.
    #[inline]
    fn see_plain(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left > 0
    }

    /// Goes on by a word; whether capitals mean something there. The `first` word of a text begins no new turn of itself: what
    /// came before it is known.
    fn see(&mut self, word: &Word, first: bool) -> bool {
        let begins_turn = word.gap.has(Gap::TURN) || (word.gap.has(Gap::START) && !first);
        if begins_turn {
            *self = Self::default();
        }
        let capital = word.case == Case::Title && word.len() > 1;
        let begins = word.gap.has(Gap::START.with(Gap::BARRIER).with(Gap::SENTENCE));
        self.starts += usize::from(capital && begins);
        self.left =
            if capital && (!begins || self.starts >= 2) { Self::REACH } else { self.left.saturating_sub(1) };
        self.left > 0
    }
}

/// Whether two words with this between them can be parts of one phrase.
pub(crate) fn joins_phrase(gap: Gap) -> bool {
    gap.only(
        Gap::SPACE.with(Gap::HYPHEN).with(Gap::STOP).with(Gap::SENTENCE).with(Gap::LINE).with(Gap::SLASH),
    ) && (!gap.has(Gap::SENTENCE) || gap.has(Gap::STOP))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Everything that detection reads of a document.
    fn shown(document: &Document<'_>) -> String {
        format!("{:?} {:?} {:?}", document.view.text(), document.words, document.starts)
    }

    proptest! {
        #[test]
        fn covering_is_reading_anew(
            parts in proptest::collection::vec(
                "[a-z]{1,9}|[A-Z][a-z]{1,5}|[0-9]{1,4}|'s|o'neil|doctor:|\\[patient\\]|[ .,:#?\n-]{1,3}|mom is|\u{e9}",
                1..40,
            ),
            cuts in proptest::collection::btree_set(0usize..160, 0..12),
        ) {
            let text = parts.join(" ");
            let cuts: Vec<usize> =
                cuts.into_iter().filter(|&cut| cut <= text.len() && text.is_char_boundary(cut)).collect();
            let covered: Vec<Span> =
                cuts.chunks_exact(2).map(|pair| Span::new(pair[0], pair[1])).collect();
            let document = Document::part(&text, &[], Capitals::default());
            let again = document.covered(&covered, Capitals::default());
            prop_assert_eq!(shown(&again), shown(&Document::part(&text, &covered, Capitals::default())));
        }
    }
}
