use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, OnceLock};

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{NFA, State};
use regex_automata::util::pool::{Pool, PoolGuard};
use regex_automata::util::primitives::StateID;
use regex_automata::{Anchored, Input, PatternID};
use regex_syntax::hir::{Class, ClassUnicodeRange, Hir, HirKind};
use smallvec::SmallVec;

use super::Pass;
use super::candidate::{AGAINST, Candidate, FLOOR, HINT, HINTED, LABELLED, VALIDATED};
use super::cues::{CueHit, Role};
use super::document::Document;
use super::starts::Flags;
use crate::Kind;
use crate::kinds::{self, CueNeed, Pattern, Verdict};
use crate::view::{Case, Gap, Shape, Word};

/// How much text one attempt sees: more than any shape needs to show that it begins.
const STRETCH: usize = 384;
/// A match that ends this close to the end of its stretch is read again in full.
const BEFORE: usize = 96;
/// A run of characters this short, before one with a digit, may begin a shape with spaces.
const SHORT_RUN: usize = 5;
/// The longest value of a label.
const LONGEST: usize = 8192;

/// The written shapes of all kinds as one expression, tried only around the bytes that every shape has.
#[derive(Debug)]
pub(crate) struct PatternTable {
    shapes: Shapes,
    beginnings: Box<Beginnings>,
    patterns: Vec<(u8, &'static Pattern)>,
    labelled: Vec<Labelled>,
}

/// A shape that is tried behind the labels of its kind; compiled when the first of them is met.
#[derive(Debug)]
struct Labelled {
    kind: u8,
    pattern: &'static Pattern,
    shape: OnceLock<Shapes>,
}

impl Labelled {
    fn shape(&self) -> &Shapes {
        self.shape.get_or_init(|| Shapes::new(&[self.pattern.regex]))
    }
}

/// Expressions as one automaton, made deterministic as far as texts need it. Every attempt begins at a known byte, so that only
/// the end of a match is looked for.
struct Shapes {
    automaton: Arc<DFA>,
    caches: Pool<Cache, MakeCache>,
}

type MakeCache = Box<dyn Fn() -> Cache + Send + Sync + UnwindSafe + RefUnwindSafe>;

impl fmt::Debug for Shapes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shapes").field("patterns", &self.automaton.pattern_len()).finish_non_exhaustive()
    }
}

impl Shapes {
    fn new(sources: &[&str]) -> Self {
        /// Room for the states that real texts reach, several times over; when it is full it is emptied and filled anew.
        const ROOM: usize = 8 << 20;
        let config = DFA::config().starts_for_each_pattern(true).cache_capacity(ROOM);
        let automaton = DFA::builder()
            .configure(config)
            .build_many(sources)
            .expect("the built-in patterns compile, as their test shows");
        let automaton = Arc::new(automaton);
        let made_for = Arc::clone(&automaton);
        Self { automaton, caches: Pool::new(Box::new(move || made_for.create_cache())) }
    }

    /// A cache for the attempts of one text.
    fn cache(&self) -> PoolGuard<'_, Cache, MakeCache> {
        self.caches.get()
    }

    /// The end of what an anchored attempt matches.
    fn end(&self, cache: &mut Cache, input: &Input<'_>) -> Option<usize> {
        let found = self.automaton.try_search_fwd(cache, input);
        found.expect("no byte and no number of states makes it give up").map(|found| found.offset())
    }
}

/// What the patterns look like at their beginnings, and what each needs.
#[derive(Debug)]
struct Beginnings {
    /// For each of the first places of a match and every byte, the patterns, as bits, that may have the byte there.
    places: [[u64; 256]; Self::PLACES],
    /// Sets of signs, with the patterns whose every match has a sign of the set.
    needs: Vec<(Signs, u64)>,
    /// The patterns that need a sign and have no white space, so that the sign is in the same run.
    solid: u64,
}

impl Beginnings {
    /// How many places are looked at.
    const PLACES: usize = 4;

    fn new(sources: &[&str], automaton: &DFA) -> Self {
        assert!(sources.len() <= 64, "a bit for every pattern");
        let mut beginnings = Self { places: [[0; 256]; Self::PLACES], needs: Vec::new(), solid: 0 };
        for (index, source) in sources.iter().enumerate() {
            let bit = 1 << index;
            beginnings.see(automaton.get_nfa(), PatternID::must(index), bit);
            let pattern =
                regex_syntax::parse(source).expect("the built-in patterns compile, as their test shows");
            let needs = needs(&pattern);
            if !needs.is_empty() && !has_space(&pattern) {
                beginnings.solid |= bit;
            }
            for signs in needs {
                match beginnings.needs.iter_mut().find(|(other, _)| *other == signs) {
                    Some((_, patterns)) => *patterns |= bit,
                    None => beginnings.needs.push((signs, bit)),
                }
            }
        }
        beginnings
    }

    /// Notes the bytes that a pattern may have at each place: those of the states that as many steps lead to.
    fn see(&mut self, nfa: &NFA, pattern: PatternID, bit: u64) {
        let mut states: Vec<StateID> = nfa.start_pattern(pattern).into_iter().collect();
        for place in 0..Self::PLACES {
            let mut seen = HashSet::new();
            let mut next = HashSet::new();
            let mut step = |byte: u8, state: StateID| {
                self.places[place][usize::from(byte)] |= bit;
                next.insert(state);
            };
            while let Some(id) = states.pop() {
                if !seen.insert(id) {
                    continue;
                }
                match nfa.state(id) {
                    State::ByteRange { trans } => {
                        (trans.start..=trans.end).for_each(|byte| step(byte, trans.next));
                    }
                    State::Sparse(sparse) => {
                        for range in &sparse.transitions {
                            (range.start..=range.end).for_each(|byte| step(byte, range.next));
                        }
                    }
                    State::Dense(dense) => {
                        let to = |byte| dense.matches_byte(byte).map(|state| (byte, state));
                        (0..=u8::MAX).filter_map(to).for_each(|(byte, state)| step(byte, state));
                    }
                    State::Look { next, .. } | State::Capture { next, .. } => states.push(*next),
                    State::Union { alternates } => states.extend(alternates.iter()),
                    State::BinaryUnion { alt1, alt2 } => states.extend([alt1, alt2]),
                    State::Fail => {}
                    State::Match { .. } => {
                        // It may end here, whatever comes.
                        for patterns in self.places[place..].iter_mut().flatten() {
                            *patterns |= bit;
                        }
                        return;
                    }
                }
            }
            states.extend(next);
        }
    }

    /// The patterns that may match somewhere in a text.
    fn in_text(&self, text: &[u8]) -> u64 {
        let present = Signs::of(text);
        let missing = self.needs.iter().filter(|(signs, _)| signs.0 & present.0 == 0);
        missing.fold(u64::MAX, |possible, (_, patterns)| possible & !patterns)
    }

    /// The patterns that may match inside a run of bytes without white space, or across its end.
    fn in_run(&self, run: &[u8]) -> u64 {
        self.in_text(run) | !self.solid
    }

    /// The patterns that may match from a byte on.
    #[inline]
    fn at(&self, bytes: &[u8], at: usize) -> u64 {
        let possible = |place: usize, byte: u8| self.places[place][usize::from(byte)];
        if let Some(&[first, second, third, fourth]) = bytes[at..].first_chunk() {
            return possible(0, first) & possible(1, second) & possible(2, third) & possible(3, fourth);
        }
        let bytes = bytes[at..].iter().enumerate();
        bytes.fold(u64::MAX, |patterns, (place, byte)| patterns & possible(place, *byte))
    }
}

/// A set of signs that few texts have, or few parts of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Signs(u16);

impl Signs {
    const ALL: &[u8] = b"@:(+./-[{";

    /// For every byte the sign that it is.
    const OF: [u16; 256] = {
        let mut of = [0; 256];
        let mut index = 0;
        while index < Self::ALL.len() {
            of[Self::ALL[index] as usize] = 1 << index;
            index += 1;
        }
        of
    };

    /// The signs in a text.
    fn of(text: &[u8]) -> Self {
        /// Up to so many bytes are looked at one by one.
        const SHORT: usize = 64;
        if text.len() <= SHORT {
            return Self(text.iter().fold(0, |signs, &byte| signs | Self::OF[usize::from(byte)]));
        }
        let present = |(index, sign): (usize, &u8)| u16::from(memchr::memchr(*sign, text).is_some()) << index;
        Self(Self::ALL.iter().enumerate().map(present).sum())
    }
}

/// Sets of signs of each of which every match of a pattern has one.
fn needs(pattern: &Hir) -> Vec<Signs> {
    let mut needs = match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => Vec::new(),
        HirKind::Literal(literal) => {
            let Signs(signs) = Signs::of(&literal.0);
            (0..Signs::ALL.len())
                .map(|index| Signs(signs & (1 << index)))
                .filter(|signs| signs.0 != 0)
                .collect()
        }
        HirKind::Class(Class::Unicode(class)) => {
            let signs = |range: &ClassUnicodeRange| {
                let one = |c: char| Signs::of(c.encode_utf8(&mut [0; 4]).as_bytes()).0;
                (range.start()..=range.end())
                    .map(one)
                    .try_fold(0, |all, sign| (sign != 0).then_some(all | sign))
            };
            let all = class.ranges().iter().map(signs).try_fold(0, |all, signs| Some(all | signs?));
            all.map(Signs).into_iter().collect()
        }
        HirKind::Class(Class::Bytes(_)) => Vec::new(),
        HirKind::Repetition(repetition) if repetition.min > 0 => needs(&repetition.sub),
        HirKind::Repetition(_) => Vec::new(),
        HirKind::Capture(capture) => needs(&capture.sub),
        HirKind::Concat(parts) => parts.iter().flat_map(needs).collect(),
        HirKind::Alternation(parts) => {
            let first = |part: &Hir| needs(part).first().copied();
            let any = parts.iter().map(first).try_fold(0, |all, signs| Some(all | signs?.0));
            any.map(Signs).into_iter().collect()
        }
    };
    needs.dedup();
    needs
}

/// Whether some match of a pattern has white space.
fn has_space(pattern: &Hir) -> bool {
    let is_space = |byte: &u8| byte.is_ascii_whitespace();
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => literal.0.iter().any(is_space),
        HirKind::Class(Class::Unicode(class)) => {
            class.ranges().iter().any(|range| (range.start()..=range.end()).any(char::is_whitespace))
        }
        HirKind::Class(Class::Bytes(class)) => {
            class.ranges().iter().any(|range| (range.start()..=range.end()).any(|byte| is_space(&byte)))
        }
        HirKind::Repetition(repetition) => has_space(&repetition.sub),
        HirKind::Capture(capture) => has_space(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(has_space),
    }
}

impl PatternTable {
    pub(crate) fn new() -> Self {
        let entries = |choose: fn(&'static kinds::KindSpec) -> &'static [Pattern]| {
            Kind::BUILT_IN
                .iter()
                .enumerate()
                .flat_map(move |(index, kind)| {
                    choose(kinds::spec(kind)).iter().map(move |p| (index as u8, p))
                })
                .collect::<Vec<_>>()
        };
        let patterns = entries(|spec| spec.patterns);
        let sources: Vec<&str> = patterns.iter().map(|(_, p)| p.regex).collect();
        let labelled = entries(|spec| spec.labelled)
            .into_iter()
            .map(|(kind, pattern)| Labelled { kind, pattern, shape: OnceLock::new() })
            .collect();
        let shapes = Shapes::new(&sources);
        let beginnings = Box::new(Beginnings::new(&sources, &shapes.automaton));
        Self { shapes, beginnings, patterns, labelled }
    }

    /// Candidates of the free-standing patterns.
    pub(crate) fn find(&self, document: &Document<'_>, cues: &[CueHit], out: &mut Vec<Candidate>) {
        let bytes = document.view.text().as_bytes();
        let anchors = anchors(document);
        if anchors.is_empty() {
            return;
        }
        let mut cache = self.shapes.cache();
        let in_text = self.beginnings.in_text(bytes);
        let mut at = 0;
        for anchor in anchors.into_iter().map(|anchor| anchor as usize) {
            if anchor < at {
                continue;
            }
            let (start, end) = stretch_around(bytes, at, anchor);
            at = start;
            let mut in_run = None;
            let mut behind_word = start > 0 && is_word_byte(bytes[start - 1]);
            while at < end {
                // A match stands alone, so it begins where no letter or digit goes before it. Which bytes are letters cannot be
                // foreseen: not branched on.
                let word = is_word_byte(bytes[at]);
                let begins = u64::MAX * u64::from(!(word & behind_word));
                behind_word = word;
                let mut possible = in_text & begins & self.beginnings.at(bytes, at);
                if possible & self.beginnings.solid != 0 {
                    possible &= *in_run.get_or_insert_with(|| self.beginnings.in_run(&bytes[start..end]));
                }
                if possible == 0 {
                    at += 1;
                } else {
                    at = self.match_at(document, cues, &mut cache, at, possible, out);
                    behind_word = is_word_byte(bytes[at - 1]);
                }
            }
        }
    }

    /// Tries the patterns that are possible at one byte; gives the byte to go on from.
    fn match_at(
        &self,
        document: &Document<'_>,
        cues: &[CueHit],
        cache: &mut Cache,
        begin: usize,
        mut possible: u64,
        out: &mut Vec<Candidate>,
    ) -> usize {
        /// Up to so many patterns are tried one by one; of more it is asked first whether any matches.
        const FEW: u32 = 2;
        let text = document.view.text();
        if !text.is_char_boundary(begin) {
            return begin + 1;
        }
        let room = floor_char_boundary(text, begin + STRETCH);
        if possible.count_ones() > FEW {
            let anchored = Input::new(text).range(begin..room).anchored(Anchored::Yes).earliest(true);
            if self.shapes.end(cache, &anchored).is_none() {
                return begin + 1;
            }
        }
        let mut next = begin + 1;
        while possible != 0 {
            let index = possible.trailing_zeros() as usize;
            possible &= possible - 1;
            let (kind, pattern) = &self.patterns[index];
            let id = PatternID::must(index);
            let input = Input::new(text).range(begin..room).anchored(Anchored::Pattern(id));
            let Some(mut end) = self.shapes.end(cache, &input) else { continue };
            if end + BEFORE > room && room < text.len() {
                // The whole of it, and whatever comes of it, the next search is behind it.
                let input = Input::new(text).range(begin..).anchored(Anchored::Pattern(id));
                end = self.shapes.end(cache, &input).unwrap_or(end);
                next = next.max(end);
            }
            if let Some(candidate) = judge(document, cues, *kind, pattern, begin, end) {
                next = next.max(end);
                out.push(candidate);
            }
        }
        next
    }

    /// Candidates of the labelled patterns: the value after each label cue.
    pub(crate) fn find_labelled(&self, document: &Document<'_>, cues: &[CueHit], out: &mut Vec<Candidate>) {
        let text = document.view.text();
        for cue in cues.iter().filter(|cue| cue.role == Role::Label) {
            if !self.labelled.iter().any(|labelled| labelled.kind == cue.kind) {
                continue;
            }
            let secret = matches!(Kind::BUILT_IN[cue.kind as usize], Kind::Username | Kind::Password);
            let Some(word) = value_word(document, cues, cue, secret) else { continue };
            let start = document.words[word].start as usize;
            let floor = word.checked_sub(1).map_or(0, |before| document.words[before].end as usize);
            // "(415)", "+1", "@jdoe": a value may begin before its first letter or digit.
            let lead =
                text[floor..start].trim_end_matches(['+', '(', '*', '#', '@', '-', '_', '$', '!']).len();
            let starts = [floor + lead, start];
            let starts = if starts[0] == start { &starts[1..] } else { &starts[..] };
            let patterns = self.labelled.iter().filter(|labelled| labelled.kind == cue.kind);
            let value = patterns
                .flat_map(|entry| starts.iter().map(move |&start| (entry, start)))
                .find_map(|(entry, start)| labelled_value(text, entry, start, secret));
            if let Some((pattern, start, end, verdict)) = value {
                out.push(Candidate {
                    kind: Kind::BUILT_IN[cue.kind as usize].clone(),
                    span: document.view.source_span(start, end),
                    score: pattern.score.max(LABELLED),
                    validated: verdict == Verdict::Valid,
                    pass: Pass::Regex,
                    recognizer: pattern.name.into(),
                });
            }
        }
    }
}

/// The value of a label that begins at `start`, if it has the shape of a pattern: its ends, and what the check says.
fn labelled_value(
    text: &str,
    labelled: &Labelled,
    start: usize,
    secret: bool,
) -> Option<(&'static Pattern, usize, usize, Verdict)> {
    let room = (start + LONGEST).min(text.len());
    let shape = labelled.shape();
    let end = shape.end(&mut shape.cache(), &Input::new(text).range(start..room).anchored(Anchored::Yes))?;
    let pattern = labelled.pattern;
    let value = &text[start..end];
    let mut trimmed = value.trim_end_matches(['.', ',', ';', ':', '?', '!', ')', '"', '\'', '-']);
    if secret && value[trimmed.len()..].starts_with('!') {
        // A sentence that ends in a secret seldom ends in an exclamation mark.
        trimmed = &value[..=trimmed.len()];
    }
    let end = start + trimmed.len();
    if trimmed.is_empty() || !(secret || trimmed.bytes().any(|b| b.is_ascii_digit())) {
        return None;
    }
    let verdict = (pattern.check)(trimmed);
    (verdict != Verdict::Reject && stands_alone(text, start, end)).then_some((pattern, start, end, verdict))
}

/// The bytes that every pattern needs, in order: the signs of addresses in networks, and of the digits in a word the first.
fn anchors(document: &Document<'_>) -> SmallVec<[u32; 16]> {
    let text = document.view.text().as_bytes();
    let mut anchors = SmallVec::new();
    let signs = |gap: Range<usize>, anchors: &mut SmallVec<_>| {
        for at in gap {
            let next = text.get(at + 1).copied().unwrap_or(b' ');
            let sign = match text[at] {
                b'@' => true,
                b':' => matches!(next, b'/' | b':'),
                b'.' => next.is_ascii_alphanumeric(),
                _ => false,
            };
            if sign {
                anchors.push(at as u32);
            }
        }
    };
    for at in document.starts.either(Flags::SIGNED, Flags::DIGITS) {
        let word = &document.words[at];
        signs(document.gap_start(at)..word.start as usize, &mut anchors);
        if word.shape != Shape::Letters
            && let Some(digit) = (word.start..word.end).find(|&at| text[at as usize].is_ascii_digit())
        {
            anchors.push(digit);
        }
    }
    // What stands behind the last word belongs to none.
    signs(document.gap_start(document.len())..text.len(), &mut anchors);
    anchors
}

/// The run of characters without white space around an anchor, with a short run before it, from `from` on.
fn stretch_around(text: &[u8], from: usize, anchor: usize) -> (usize, usize) {
    let begin_of_run = |end: usize| {
        let back = text[from..end].iter().rev().take_while(|b| !b.is_ascii_whitespace()).count();
        end - back
    };
    let mut start = begin_of_run(anchor);
    // "RA 123 456 789 US", "xxxx xxxx xxxx 1234"
    for _ in 0..3 {
        if start <= from {
            break;
        }
        let before = begin_of_run(start - 1);
        if start - 1 - before > SHORT_RUN {
            break;
        }
        start = before;
    }
    let end = anchor + text[anchor..].iter().take_while(|b| !b.is_ascii_whitespace()).count();
    (start, end)
}

/// Letters of other scripts are no part of a shape: where they touch one, it begins or ends.
fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn floor_char_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A letter or digit directly before or after a match makes it part of something else.
fn stands_alone(text: &str, start: usize, end: usize) -> bool {
    let joined = |c: char| c.is_ascii_alphanumeric();
    // Groups joined by colons are one thing: "12345:db8::1" holds no address.
    let before = text[..start].chars().next_back();
    let colons = text[start..end].contains(':')
        && (before == Some(':') || (text[start..].starts_with(':') && before.is_some_and(joined)));
    if colons {
        return false;
    }
    let first = text[start..].chars().next().is_some_and(joined);
    let last = text[..end].chars().next_back().is_some_and(joined);
    let joined_before = first && before.is_some_and(joined);
    let joined_after = last && text[end..].chars().next().is_some_and(joined);
    !joined_before && !joined_after
}

fn judge(
    document: &Document<'_>,
    cues: &[CueHit],
    kind: u8,
    pattern: &Pattern,
    start: usize,
    end: usize,
) -> Option<Candidate> {
    let text = document.view.text();
    if start == end || !stands_alone(text, start, end) {
        return None;
    }
    // The "::9" of "70431::9" is the tail of something else.
    if text[start..].starts_with("::") && text[..start].ends_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let verdict = (pattern.check)(&text[start..end]);
    if verdict == Verdict::Reject {
        return None;
    }
    // Too little by itself, and no cue of the kind to make up for it.
    if verdict != Verdict::Valid && pattern.score < FLOOR && cues.iter().all(|cue| cue.kind != kind) {
        return None;
    }
    let first = document.words.partition_point(|word| (word.end as usize) <= start);
    let last = document.words.partition_point(|word| (word.start as usize) < end);
    let support = support(document, cues, kind, first, last);
    let validated = verdict == Verdict::Valid;
    let score = match (pattern.cue, support.labelled) {
        (CueNeed::Required, false) => return None,
        _ => support.score(pattern.score, validated),
    };
    (score >= FLOOR).then(|| Candidate {
        kind: Kind::BUILT_IN[kind as usize].clone(),
        span: document.view.source_span(start, end),
        score,
        validated,
        pass: Pass::Regex,
        recognizer: pattern.name.into(),
    })
}

/// What the cues around the words `first..last` say about a kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Support {
    pub(crate) labelled: bool,
    pub(crate) hinted: bool,
    pub(crate) against: bool,
}

impl Support {
    /// The base score moved by the cues.
    pub(crate) fn score(self, base: f32, validated: bool) -> f32 {
        let mut score = if validated { base.max(VALIDATED) } else { base };
        if self.labelled {
            score = score.max(LABELLED);
        }
        if self.hinted {
            score = score.max((score + HINT).min(HINTED));
        }
        if self.against && !(validated && self.labelled) {
            score -= AGAINST;
        }
        score.clamp(0.0, 0.99)
    }
}

pub(crate) fn support(
    document: &Document<'_>,
    cues: &[CueHit],
    kind: u8,
    first: usize,
    last: usize,
) -> Support {
    let mut support = Support::default();
    // Cues are sorted by their first word; those in reach begin at most 16 words before the value.
    let from = cues.partition_point(|cue| cue.start + 16 < first);
    let near = cues[from..].iter().take_while(|cue| cue.start <= last + 5).filter(|cue| cue.kind == kind);
    // Where the label nearest before the value begins; nothing before it contradicts it.
    let mut own = None;
    let mut against = None;
    for cue in near {
        let before = first.checked_sub(cue.end).filter(|_| document.same_turn(cue.end - 1, first));
        let after = cue.start.checked_sub(last).filter(|_| document.same_turn(last - 1, cue.start));
        match cue.role {
            Role::Label => {
                if before.is_some_and(|words| {
                    words <= 3 || words <= 6 && document.same_sentence(cue.end - 1, first)
                }) {
                    support.labelled = true;
                    own = Some(cue.start);
                }
                support.hinted |=
                    before.is_some_and(|words| words <= 8) || after.is_some_and(|words| words <= 3);
            }
            Role::After => support.labelled |= after.is_some_and(|words| words <= 3),
            Role::Hint => {
                support.hinted |=
                    before.is_some_and(|words| words <= 6) || after.is_some_and(|words| words <= 4);
            }
            Role::Against => {
                if before.is_some_and(|words| words <= 4) || after.is_some_and(|words| words <= 2) {
                    against = against.max(Some(cue.start));
                }
            }
        }
    }
    support.against = against.is_some_and(|at| own.is_none_or(|own| at >= own && at < first));
    support
}

/// Words that may stand between a label and its value.
const LINKS: [&str; 68] = [
    "is",
    "was",
    "are",
    "it",
    "its",
    "the",
    "number",
    "no",
    "my",
    "that",
    "would",
    "be",
    "should",
    "read",
    "reads",
    "on",
    "file",
    "an",
    "of",
    "uh",
    "um",
    "so",
    "yes",
    "yeah",
    "ok",
    "okay",
    "here",
    "as",
    "for",
    "you",
    "we",
    "have",
    "i",
    "there",
    "ends",
    "ending",
    "given",
    "with",
    "starts",
    "start",
    "updated",
    "new",
    "currently",
    "registered",
    "to",
    "this",
    "your",
    "her",
    "his",
    "and",
    "now",
    "listed",
    "showing",
    "shows",
    "says",
    "card",
    "account",
    "actually",
    "well",
    "sure",
    "like",
    "id",
    "code",
    "name",
    "the",
    "old",
    "current",
    "same",
];

/// The word at which the value of a label begins. A value has a digit unless it is a `secret`, which is whatever comes after
/// the linking words.
fn value_word(document: &Document<'_>, cues: &[CueHit], cue: &CueHit, secret: bool) -> Option<usize> {
    let limit = (cue.end + 8).min(document.len());
    for at in cue.end..limit {
        if document.gap(at).has(Gap::BARRIER) {
            return None;
        }
        if document.begins_sentence(at) && (secret || at > cue.end + 3) {
            return None;
        }
        let word = &document.words[at];
        // Most words stand alone between spaces.
        let alone = word.shape == Shape::Letters && document.gap(at + 1) == Gap::SPACE;
        let chunk = || chunk(document, word.start as usize);
        let has_digit = || {
            document.starts.next(Flags::DIGITS, at).is_some_and(|digit| digit < at + LONGEST_CHUNK)
                && chunk().bytes().any(|b| b.is_ascii_digit())
        };
        if secret {
            // "password reset" and "pin the note" name no secret; a colon or "is" announces one.
            let announced = (cue.end - 1..at).any(|i| matches!(document.stem(i), "is" | "was" | "be" | "it"))
                || (cue.end..=at).any(|i| document.gap(i).has(Gap::COLON));
            if !LINKS.contains(&document.stem(at)) {
                let chunk = chunk();
                let joined = chunk.trim_end_matches(|c: char| !c.is_alphanumeric()).contains(['_', '@', '.']);
                let odd = joined || chunk.bytes().any(|b| b.is_ascii_digit());
                // "on twitter at joharlow", but "sign in as guest"
                let called =
                    matches!(document.stem(cue.end - 1), "as" | "at") && document.entry(at).common() == 0;
                return (odd || (announced || called) && is_odd_word(document, at)).then_some(at);
            }
        } else if !alone && has_digit() {
            return (!document.is_bare_year(at)).then_some(at);
        } else if begins_code(document, at) {
            return Some(at);
        }
        // A label of another kind owns what follows it.
        let mut here = cues[cues.partition_point(|c| c.start < at)..].iter().take_while(|c| c.start == at);
        if here.any(|c| c.role == Role::Label && c.kind != cue.kind && c.end > at + 1) {
            return None;
        }
    }
    None
}

/// Whether capitals begin a code that goes on with digits: "XQF 552 908 113", "ABC 123".
fn begins_code(document: &Document<'_>, at: usize) -> bool {
    let word = &document.words[at];
    let digits = |word: &Word| word.shape == Shape::Digits && word.gap == Gap::SPACE;
    word.case == Case::Upper
        && word.len() <= 4
        && word.shape == Shape::Letters
        && document.words.get(at + 1).is_some_and(|word| digits(word))
}

/// Whether a word after "password is" can be the password itself: not a plain function word.
pub(super) fn is_odd_word(document: &Document<'_>, at: usize) -> bool {
    let entry = document.entry(at);
    entry.common() < 6 && document.words[at].len() >= 4
}

/// What comes later in a run without white space is no part of its first value, in bytes.
const LONGEST_CHUNK: usize = 256;

/// The text from a byte of the view to the next white space, or a part of it.
fn chunk<'d>(document: &'d Document<'_>, start: usize) -> &'d str {
    let text = document.view.text();
    let mut end = text.len().min(start + LONGEST_CHUNK);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[start..end].split_ascii_whitespace().next().unwrap_or("")
}
