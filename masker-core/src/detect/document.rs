#![expect(
    clippy::needless_bitwise_bool,
    reason = "which words come next cannot be foreseen, so that conditions are reckoned and not branched on"
)]

use std::cell::Cell;
use std::ops::Deref;

use super::speaker::{self, is_line_break};
use super::starts::{Flags, Starts};
use super::vocabulary::{Known, Tags, VOCABULARY, Vocabulary};
use crate::Span;
use crate::lexicon::{self, Entry};
use crate::view::{
    Case, Class, Gap, NormalView, SaidWord, Shape, ViewBuffers, Word, WordClass, WordHash, Words, hash_word,
};

/// A word with what is known about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    word: Word,
    known: &'static Known,
}

impl Token {
    fn new(word: Word, vocabulary: &'static Vocabulary, view: &NormalView<'_>) -> Self {
        let known = if word.shape == Shape::Letters && !word.apostrophe {
            vocabulary.of(word.hash)
        } else if word.shape == Shape::Letters {
            of_apostrophe(vocabulary, word.stem(view), word.hash)
        } else {
            vocabulary.of_plain(word.hash)
        };
        Self { word, known }
    }

    /// The word as if its turn had not been marked.
    fn unmarked(&self) -> Self {
        let gap = self.word.gap.without(Gap::TURN);
        let gap = if gap.has(Gap::PROTECTED) { gap } else { gap.without(Gap::BARRIER) };
        Self { word: Word { gap, ..self.word }, ..*self }
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
        self.known.class
    }
}

/// A text prepared for detection: its normal view, its words, and what is known about each.
#[derive(Debug)]
pub(crate) struct Document<'s> {
    pub(crate) view: NormalView<'s>,
    pub(crate) words: Vec<Token>,
    /// The words at which something may begin.
    pub(crate) starts: Starts,
    /// Whether the border of a turn was marked at some word.
    marked: bool,
    /// Where in the source the piece at hand begins; what stands before it was seen before.
    pub(crate) piece: usize,
    /// The first word of the piece at hand.
    begin: usize,
    /// The number of words before the end of the piece at hand; what stands behind it is seen again.
    settled: usize,
    /// What stands behind the last word.
    end: Gap,
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
        SPARE.with(|spare| spare.iter().find_map(Cell::take)).unwrap_or_default()
    }

    fn give_back(self) {
        /// What a piece of a text needs; what a whole text took is given back to the system.
        const MOST: usize = 1 << 18;
        let held = self.view.capacity() + self.words.capacity() * size_of::<Token>() + self.starts.capacity();
        if held <= MOST {
            SPARE.with(|[first, second]| {
                let other = first.replace(Some(self));
                if other.is_some() {
                    second.set(other);
                }
            });
        }
    }
}

thread_local! {
    // A text and the same text with findings covered are there at a time.
    static SPARE: [Cell<Option<Buffers>>; 2] = const { [Cell::new(None), Cell::new(None)] };
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
        Self::part(source, protected, 0, Capitals::default())
    }

    /// A part of a longer text with the piece that begins at a byte of it, before which these capitals have been seen.
    pub(crate) fn part(source: &'s str, protected: &[Span], piece: usize, capitals: Capitals) -> Self {
        let Buffers { view, mut words, starts } = Buffers::take();
        let view = NormalView::reusing(view, source, protected);
        words.clear();
        words.reserve(view.text().len() / 4);
        let end = read_words(&view, &mut words);
        Self::of(view, words, end, starts, piece, capitals)
    }

    /// The words of a value alone. Where in it something may begin is not worked out.
    pub(crate) fn of_value(source: &'s str) -> Self {
        let Buffers { view, mut words, starts } = Buffers::take();
        let view = NormalView::reusing(view, source, &[]);
        words.clear();
        let end = read_words(&view, &mut words);
        let settled = words.len();
        Self { view, words, starts, marked: false, piece: 0, begin: 0, settled, end }
    }

    /// The same part with more of it protected: `protected` spans, sorted and disjoint, are replaced by barriers.
    pub(crate) fn covered(&self, protected: &[Span], capitals: Capitals) -> Self {
        if !self.view.is_aligned() {
            return Self::part(self.view.source(), protected, self.piece, capitals);
        }
        let Buffers { view, mut words, starts } = Buffers::take();
        let view = self.view.covered(view, protected);
        words.clear();
        words.reserve(self.words.len());
        let mut next = 0;
        let mut end = self.end;
        for (index, span) in protected.iter().enumerate() {
            let kept = next + self.words[next..].partition_point(|word| word.end as usize <= span.start);
            words.extend_from_slice(&self.words[next..kept]);
            let whole = words.len();
            drop_identifier(&mut words, self.words.get(kept));
            let is_dropped = words.len() < whole;
            next = kept + self.words[kept..].partition_point(|word| (word.start as usize) < span.end);
            let border = protected.get(index + 1).map_or(u32::MAX, |span| span.start as u32);
            let cut = self.words[..next].last().is_some_and(|word| word.end as usize > span.end);
            let is_bare = self.words.get(next).is_none_or(|word| word.start >= border);
            if is_bare && !cut && !is_dropped && border < u32::MAX {
                // No word stands before the next barrier.
                continue;
            }
            // What stands around the barrier is read anew: gaps, and words that were cut.
            let mut reader = match words.last() {
                Some(last) => Words::behind(&view, last.end),
                None => Words::new(&view),
            };
            loop {
                let Some(word) = reader.read() else {
                    end = reader.gap().with(Gap::BARRIER);
                    break;
                };
                if word.start >= border {
                    break;
                }
                let known =
                    self.words.get(next).filter(|known| (known.start, known.end) == (word.start, word.end));
                let known = known.filter(|known| !known.gap.has(Gap::JOINT));
                if let Some(known) = known {
                    words.push(Token { word: Word { gap: word.gap, ..known.word }, ..*known });
                    next += 1;
                    break;
                }
                words.push(Token::new(word, &VOCABULARY, &view));
                next += self.words[next..].iter().take_while(|known| known.start < word.end).count();
            }
        }
        words.extend_from_slice(&self.words[next..]);
        if self.marked {
            for token in &mut words {
                *token = token.unmarked();
            }
        }
        Self::of(view, words, end, starts, self.piece, capitals)
    }

    fn of(
        view: NormalView<'s>,
        words: Vec<Token>,
        end: Gap,
        mut starts: Starts,
        piece: usize,
        capitals: Capitals,
    ) -> Self {
        let settled = words.len();
        sort(&words, &mut starts);
        let mut document = Self { view, words, starts, marked: false, piece, begin: 0, settled, end };
        if piece > 0 {
            document.begin = document.word_at(piece);
        }
        document.relate(capitals.from(document.begin));
        document.starts.end(settled);
        document
    }

    /// Works out what follows from the words and those around them, for those that are in sets by that.
    fn relate(&mut self, mut capitals: Capitals) {
        // The words from here to the end of what the last capital counts for are not added yet.
        let mut from = 0;
        let mut place = 0;
        while let Some(at) = self.starts.nth_odd(place) {
            place += 1;
            let until = capitals.until;
            self.relate_one(at, &mut capitals);
            // Where the words that a capital counts for overlap with those of the next, they are added together.
            if capitals.until < until || at > until && capitals.until > until {
                self.starts.add_range(Flags::CASED, from, until.min(at));
                from = at;
            }
        }
        self.starts.add_range(Flags::CASED, from, capitals.until.min(self.words.len()));
    }

    #[inline(always)]
    fn relate_one(&mut self, at: usize, capitals: &mut Capitals) {
        let known = self.words[at].known;
        if known.tags.has(Tags::ROLE) {
            self.mark_turn(at);
        }
        let word = self.words[at].word;
        if word.gap == Gap::HYPHEN && word.shape != Shape::Letters && at > 0 && self.words[at - 1].len() <= 5
        {
            // Letters that say no code may belong to one by a hyphen: "MRN-482055".
            self.starts.add(at - 1, Flags::CODE);
        }
        let cased = if at < self.begin { capitals.until > 0 } else { capitals.see(&word, at) };
        let led = known.may_be_led(word.case) && self.leads_to_name(at);
        let next = self.gap(at + 1);
        let flags = flags_of(&word, known, cased, next);
        let before = self.view.text().as_bytes().get((word.start as usize).wrapping_sub(1));
        let signed = word.gap.has(Gap::COLON.with(Gap::JOINT).with(Gap::OTHER))
            | (word.gap.has(Gap::STOP.with(Gap::PAUSE)) & (before == Some(&b'.')));
        self.starts.add(at, flags.with(Flags::LED.when(led)).with(Flags::SIGNED.when(signed)));
    }

    /// Puts a barrier before a line that names its speaker, as between two messages, if the one that begins with a role does.
    fn mark_turn(&mut self, at: usize) {
        // Most roles stand in a sentence.
        let before = at.checked_sub(1).map(|before| &self.words[before]);
        let behind_time = before.is_some_and(|before| before.shape == Shape::Digits || before.len() == 1);
        if !(behind_time || self.words[at].gap.has(Gap::LINE.with(Gap::START))) {
            return;
        }
        let Some(label) = speaker::label(&self.view, &self.words, at) else { return };
        self.marked = true;
        let gap = &mut self.words[at].word.gap;
        *gap = gap.with(Gap::BARRIER).with(Gap::TURN);
        // The role itself is no part of what is said.
        if let Some(said) = self.words.get_mut(label.said).filter(|_| !label.in_note) {
            said.word.gap = said.word.gap.with(Gap::BARRIER);
        }
    }

    /// Whether what stands before a word, which is no cue, is strong evidence for a name.
    #[inline]
    fn leads_to_name(&self, at: usize) -> bool {
        const LEADING: Tags = Tags::TITLE.with(Tags::RELATION).with(Tags::LEADS_NAME).with(Tags::CREDENTIAL);
        self.is_before(at, LEADING)
            || at >= 3 && self.words[at - 3..at].iter().all(|word| word.len() == 1)
            // "my mom is …"
            || at >= 2 && self.is(at - 2, Tags::RELATION) && matches!(self.stem(at - 1), "is" | "was")
    }

    /// What is known of a word by itself; nothing beyond the text.
    #[inline]
    fn known(&self, at: usize) -> Option<&'static Known> {
        self.words.get(at).map(|token| token.known)
    }

    /// Says where in the source the piece at hand ends.
    pub(crate) fn settle(&mut self, end: usize) {
        self.settled = if end < self.view.source().len() { self.word_at(end) } else { self.words.len() };
    }

    /// Whether a word belongs to the piece at hand, so that what it says may be learnt.
    pub(crate) fn is_settled(&self, at: usize) -> bool {
        (self.begin..self.settled).contains(&at)
    }

    /// The first word of the piece at hand.
    pub(crate) fn begin(&self) -> usize {
        self.begin
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

    /// What a word like "14th" has before its ending, a number where it is an ordinal.
    pub(crate) fn before_ordinal_ending(&self, at: usize) -> Option<&str> {
        let text = self.stem(at);
        ["st", "nd", "rd", "th"].iter().find_map(|ending| text.strip_suffix(ending))
    }

    /// The word that stands so many words before one in its turn, as [`Self::stem`] gives it; empty where there is none.
    pub(crate) fn stem_before(&self, at: usize, words: usize) -> &str {
        self.before(at).nth(words - 1).map_or("", |before| self.stem(before))
    }

    /// The words before one in its turn, from the nearest on.
    pub(crate) fn before(&self, at: usize) -> impl Iterator<Item = usize> {
        (0..at).rev().take_while(|&before| !self.gap(before + 1).has(Gap::BARRIER))
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

    /// The gap before a word; beyond the text, the end of it, as if a turn came next.
    pub(crate) fn gap(&self, at: usize) -> Gap {
        self.words.get(at).map_or(self.end, |word| word.gap)
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

    /// Whether the text begins at the word, or a mark, a line or a turn ends before it, so that it does not go on with the one before
    /// it.
    pub(crate) fn begins_clause(&self, at: usize) -> bool {
        let ends = Gap::BARRIER
            .with(Gap::COMMA)
            .with(Gap::LINE)
            .with(Gap::QUESTION)
            .with(Gap::SENTENCE)
            .with(Gap::STOP);
        at == 0 || self.gap(at).has(ends)
    }

    /// Whether words `a` and `b` (`a` before `b`) stand in one sentence.
    pub(crate) fn same_sentence(&self, a: usize, b: usize) -> bool {
        (a + 1..=b).all(|at| !self.begins_sentence(at))
    }

    /// Whether words `a` and `b` (`a` before `b`) stand in one turn.
    pub(crate) fn same_turn(&self, a: usize, b: usize) -> bool {
        (a + 1..=b).all(|at| !self.gap(at).has(Gap::BARRIER))
    }

    /// Where in the view what stands before a word begins; beyond the text, what stands at its end.
    pub(crate) fn gap_start(&self, at: usize) -> usize {
        at.checked_sub(1).map_or(0, |before| self.words[before].end as usize)
    }

    /// Where in the source the line begins that a word is the first of.
    pub(crate) fn line_start(&self, at: usize) -> usize {
        let (gap, word) = (self.gap_start(at), self.words[at].start as usize);
        match self.view.text().as_bytes()[gap..word].iter().rposition(|&byte| is_line_break(byte)) {
            Some(place) => self.view.source_span(gap + place, gap + place + 1).end,
            None => self.view.source_span(word, word + 1).start,
        }
    }

    /// The source bytes of the words `start..end`, without a possessive ending of the last.
    pub(crate) fn span(&self, start: usize, end: usize) -> Span {
        self.view.source_span(self.words[start].start as usize, self.words[end - 1].stem_end() as usize)
    }

    /// Whether the turn is written with capitals around the word: then a capital means something.
    pub(crate) fn is_cased(&self, at: usize) -> bool {
        self.starts.has(Flags::CASED, at)
    }

    /// The capitals seen before a word in its turn, for the [`Document::part`] with the piece that begins there.
    pub(crate) fn capitals_before(&self, at: usize, before: Capitals) -> Capitals {
        let mut capitals = before.from(self.begin);
        for odd in self.odd().take_while(|&odd| odd < at) {
            capitals.see(&self.words[odd], odd);
        }
        capitals.behind(at)
    }

    /// The words of the piece at hand, and behind it, of which more had to be found out, in order.
    fn odd(&self) -> impl Iterator<Item = usize> {
        self.starts.odd().skip_while(|&odd| odd < self.begin)
    }

    /// Whether capitals mean the same everywhere in a part, and behind it, after these and after those.
    pub(crate) fn is_cased_alike(&self, these: Capitals, those: Capitals) -> bool {
        let (mut these, mut those) = (these.from(self.begin), those.from(self.begin));
        let mut odd = self.odd();
        while !these.is_like(those) {
            let Some(at) = odd.next() else { return false };
            if these.until.min(at) != those.until.min(at) {
                return false;
            }
            these.see(&self.words[at], at);
            those.see(&self.words[at], at);
        }
        true
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

    /// Whether a word is one of several of an identifier such as `callSid`, which names a value and is none.
    pub(crate) fn is_in_identifier(&self, at: usize) -> bool {
        let is_joined = |at: usize| {
            self.words
                .get(at)
                .is_some_and(|word| word.gap == Gap::JOINT && self.words[at - 1].end == word.start)
        };
        at > 0 && is_joined(at) || is_joined(at + 1)
    }

    /// Whether a word is the name of a field by itself: `"family": …`, `<family>…`.
    pub(crate) fn names_field(&self, at: usize) -> bool {
        let (bytes, word) = (self.view.text().as_bytes(), &self.words[at]);
        let before = (word.start as usize).checked_sub(1).map(|before| bytes[before]);
        match (before, bytes.get(word.end as usize)) {
            (Some(b'"'), Some(b'"')) | (Some(b'\''), Some(b'\'')) => self.gap(at + 1).has(Gap::COLON),
            (Some(b'<'), Some(b'>')) => true,
            _ => false,
        }
    }

    /// The first word behind the name of the speaker, where the turn that begins at a word names him.
    pub(crate) fn after_role(&self, start: usize) -> usize {
        if !self.gap(start).has(Gap::TURN) || !self.is(start, Tags::ROLE) {
            return start;
        }
        speaker::label(&self.view, &self.words, start).map_or(start, |label| label.said)
    }

    /// The first word of the line that names the speaker of the turn that begins at a word: of the time before him, if any.
    pub(crate) fn label_start(&self, turn: usize) -> usize {
        if turn < self.len() { speaker::line_start(&self.words, turn) } else { turn }
    }

    /// Whether a protected part stands directly before a word, or at the end of the text.
    pub(crate) fn is_protected_before(&self, at: usize) -> bool {
        self.gap(at).has(Gap::PROTECTED)
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

/// What a word in small letters says in a code or an address.
pub(crate) fn word_class(word: &[u8]) -> WordClass {
    VOCABULARY.of(hash_word(word)).class
}

/// Reads the words of a view, and gives what stands behind the last.
fn read_words(view: &NormalView<'_>, words: &mut Vec<Token>) -> Gap {
    let vocabulary = &*VOCABULARY;
    let mut reader = Words::new(view);
    loop {
        if let Some(word) = reader.read_plain() {
            words.push(Token { word, known: vocabulary.of(word.hash) });
        } else if let Some(word) = reader.read_number().or_else(|| reader.read()) {
            words.push(Token::new(word, vocabulary, view));
        } else {
            return reader.gap().with(Gap::BARRIER);
        }
    }
}

/// Takes the words of an identifier from the end of a list that `next` comes behind: what stands behind an identifier decides
/// whether it is one word or several.
fn drop_identifier(words: &mut Vec<Token>, next: Option<&Token>) {
    let mut end = next.map(|next| next.start);
    while let Some(last) = words.last() {
        let is_joined = end == Some(last.end);
        let is_part = is_joined || words.iter().nth_back(1).is_some_and(|before| before.end == last.start);
        if !is_part {
            break;
        }
        end = Some(last.start);
        words.pop();
    }
}

/// What may stand before a word so that it is in other sets than those it is in by itself, or begins a turn.
const TELLING: Gap = Gap::START
    .with(Gap::BARRIER)
    .with(Gap::STOP)
    .with(Gap::PAUSE)
    .with(Gap::COLON)
    .with(Gap::JOINT)
    .with(Gap::OTHER);

/// Gives words the flags that they have by themselves, and sorts out those that need a second look.
#[inline(never)]
fn sort(words: &[Token], starts: &mut Starts) {
    let (places, odd) = starts.begin(words.len());
    let (mut before, mut odds) = (Flags::default(), 0);
    // Whether a cue phrase begins at the last word if it goes on with the next one.
    let mut cue_goes_on = false;
    for (at, (token, place)) in words.iter().zip(&mut *places).enumerate() {
        let (word, flags) = (&token.word, token.known.flags);
        let letters = word.shape == Shape::Letters;
        let cue = cue_goes_on & (flags.has(Flags::CUE_INSIDE) | word.gap.has(Gap::HASH));
        *place = before.with(Flags::CUE.when(cue)).first();
        before = flags.without(Flags::CUE.when(!letters));
        cue_goes_on = flags.has(Flags::CUE_GOES_ON) & letters;
        // Most words.
        let plain = flags.has(Flags::PLAIN) & !word.gap.has(TELLING) & (word.case == Case::Lower) & letters;
        odd[odds] = at as u32;
        odds += usize::from(!plain);
    }
    places[words.len()] = before.with(Flags::CUE.when(cue_goes_on)).first();
    starts.odds = odds;
}

/// The sets that a word is in: from the word, and from the gap before the next one, if there is one.
#[inline(always)]
fn flags_of(word: &Word, known: &Known, cased: bool, next: Gap) -> Flags {
    let Known { tags, flags, .. } = *known;
    if word.shape != Shape::Letters {
        return flags.without(Flags::CUE).with(Flags::CODE).with(Flags::DIGITS).with(Flags::RARE);
    }
    let long = word.len() > 1;
    if word.case != Case::Lower {
        // An initial has its full stop, and a family name that comes first its comma.
        let initial = !long & next.has(Gap::STOP);
        let name = initial | (long & (flags.has(Flags::CAPITAL_NAME) | next.has(Gap::COMMA)));
        let state = Flags::STATE.when(known.entry.state() > 0);
        return flags.with(state).with(Flags::NAME.when(name)).with(Flags::LEARNT.when(name | long));
    }
    let name = long & (tags.has(Tags::PARTICLE) | (flags.has(Flags::SMALL_NAME) & !cased));
    flags.with(Flags::NAME.when(name)).with(Flags::LEARNT.when(long & flags.has(Flags::SMALL_LEARNT)))
}

/// What is known of a word with an apostrophe. The census writes O'Brien without it.
#[inline(never)]
fn of_apostrophe(vocabulary: &'static Vocabulary, stem: &str, hash: WordHash) -> &'static Known {
    if matches!(stem.as_bytes(), [b'o' | b'd' | b'l' | b'm', b'\'', ..]) {
        return vocabulary.of_either(hash, hash_word(stem.replace('\'', "").as_bytes()));
    }
    vocabulary.of(hash)
}

/// The capitals seen so far in a turn.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Capitals {
    /// The word up to which the last one counts.
    until: usize,
    /// How many sentences began with one.
    starts: usize,
}

impl Capitals {
    /// How many words a capital counts for.
    const REACH: usize = 40;

    /// Goes on by the word at a place; whether capitals mean something there. Words in small letters that begin no turn need not
    /// be seen. The first word of a text begins no new turn of itself: what came before it is known.
    fn see(&mut self, word: &Word, at: usize) -> bool {
        let begins_turn = word.gap.has(Gap::TURN) || (word.gap.has(Gap::START) && at > 0);
        if begins_turn {
            *self = Self::default();
        }
        let capital = (word.case == Case::Title) & (word.len() > 1);
        let begins = word.gap.has(Gap::START.with(Gap::BARRIER).with(Gap::SENTENCE));
        self.starts += usize::from(capital & begins);
        if capital & (!begins | (self.starts >= 2)) {
            self.until = at + Self::REACH;
        }
        at < self.until
    }

    /// Whether both go on alike.
    pub(crate) fn is_like(self, other: Self) -> bool {
        self.until == other.until && self.starts.min(1) == other.starts.min(1)
    }

    /// The same for a piece that begins at a word.
    fn behind(self, at: usize) -> Self {
        Self { until: self.until.saturating_sub(at), ..self }
    }

    /// The same where the first word of the piece has this place.
    fn from(self, at: usize) -> Self {
        Self { until: if self.until == 0 { 0 } else { self.until + at }, ..self }
    }
}

/// Whether two words with this between them can be parts of one phrase.
pub(crate) fn joins_phrase(gap: Gap) -> bool {
    gap.only(
        Gap::SPACE
            .with(Gap::HYPHEN)
            .with(Gap::JOINT)
            .with(Gap::STOP)
            .with(Gap::SENTENCE)
            .with(Gap::LINE)
            .with(Gap::SLASH),
    ) && (!gap.has(Gap::SENTENCE) || gap.has(Gap::STOP))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Everything that detection reads of a document.
    fn shown(document: &Document<'_>) -> String {
        format!("{:?} {:?} {:?} {:?}", document.view.text(), document.words, document.end, document.starts)
    }

    #[test]
    fn plain_words_are_in_the_sets_that_they_are_in_by_themselves() {
        let word = |len| Word {
            start: 0,
            end: len,
            shape: Shape::Letters,
            case: Case::Lower,
            apostrophe: false,
            possessive: false,
            gap: Gap::COMMA.with(Gap::SPACE),
            hash: WordHash::default(),
        };
        let mut seen = 0;
        for known in VOCABULARY.known().iter().filter(|known| known.flags.has(Flags::PLAIN)) {
            assert!(!known.may_be_led(Case::Lower) && !known.tags.has(Tags::ROLE));
            for (len, cased) in [(1, false), (1, true), (7, false), (7, true)] {
                for next in [Gap::default(), Gap::SPACE, Gap::COMMA, Gap::STOP, Gap::HYPHEN] {
                    assert_eq!(flags_of(&word(len), known, cased, next), known.flags);
                }
            }
            seen += 1;
        }
        assert!(seen > 1_000, "{seen}");
    }

    proptest! {
        #[test]
        fn covering_is_reading_anew(
            parts in proptest::collection::vec(
                "[a-z]{1,9}|[A-Z][a-z]{1,5}|[0-9]{1,4}|'s|o'neil|doctor:|aBcD\"[:=]?|ABcd[:=]?|_|\\[patient\\]|[ .,:#?\n-]{1,3}|mom is|\u{e9}",
                1..40,
            ),
            cuts in proptest::collection::btree_set(0usize..160, 0..12),
            begin in 0usize..40,
        ) {
            let text = parts.join(" ");
            let cuts: Vec<usize> =
                cuts.into_iter().filter(|&cut| cut <= text.len() && text.is_char_boundary(cut)).collect();
            let covered: Vec<Span> =
                cuts.chunks_exact(2).map(|pair| Span::new(pair[0], pair[1])).collect();
            let document = Document::part(&text, &[], begin, Capitals::default());
            let again = document.covered(&covered, Capitals::default());
            prop_assert_eq!(shown(&again), shown(&Document::part(&text, &covered, begin, Capitals::default())));
        }
    }
}
