//! Person names, from word lists and the evidence around a word.
//!
//! Every word has a prior, the log odds that it is part of a name; what stands around it raises or lowers them. A name is
//! scored whole: its best word, its pattern (given name before family name), and the cues beside it.

use super::Pass;
use super::ages::short_age;
use super::candidate::Candidate;
use super::context::Context;
use super::cues::{CueHit, Role};
use super::document::Document;
use super::starts::{Flags, WordSet};
use super::vocabulary::Tags;
use crate::Kind;
use crate::lexicon::{self, Entry};
use crate::view::{Case, Class, CodeRun, Gap, Shape, hash_word};

/// Log odds from which a candidate is a name.
const ACCEPT: f32 = 1.0;
/// Log odds of the first word with what stands before it, from which the rest is looked at.
const WORTH_A_LOOK: f32 = -1.5;
/// What leads to a name without being a cue is worth no more than this.
const LEAST_LEAD: f32 = 0.65;
/// Log odds from which its words are learnt for the rest of the conversation.
const LEARN: f32 = 2.5;

pub(crate) fn find(
    document: &Document<'_>,
    cues: &[CueHit],
    runs: &[CodeRun],
    context: &mut Context,
    out: &mut Vec<Candidate>,
) {
    find_initials(document, cues, out);
    let spelled = spelled_runs(document, runs);
    let mut leads = Leads::new(document, cues, context);
    let mut from = 0;
    // Behind the last name.
    let mut named = 0;
    let mut judged = 0;
    while let Some(at) = leads.candidates.next(from) {
        from = at + 1;
        // "Caller:" names whoever speaks, whatever was learnt.
        if !leads.may_begin(context, at) || document.gap(at).has(Gap::TURN) || tells_relation(document, at) {
            continue;
        }
        // Letters that are spelled are judged in their turn: what is learnt counts for what comes later only.
        while let Some(run) = spelled.get(judged).filter(|run| run.start <= at) {
            judge_spelled(document, cues, context, run, out);
            leads.take_up(context, at);
            judged += 1;
        }
        let first_prior = prior(document, context, at);
        if first_prior + LEAST_LEAD < WORTH_A_LOOK
            && !document.is(at, Tags::PARTICLE)
            && !leads.is_led(at)
            && !leads.follows_known(context, at)
            && !begins_reversed(document, at)
            && document.words[at].len() > 1
        {
            continue;
        }
        if first_prior < HOPELESS && is_hopeless(document, at) {
            continue;
        }
        if first_prior < ALONE
            && !leads.is_led(at)
            && spelled.is_empty()
            && stands_alone(document, context, at)
        {
            continue;
        }
        // "grace nakamura": the given name before this word is a word besides.
        let pair = (at > named && pairs_with_next(document, at - 1)).then(|| {
            let first_prior = prior(document, context, at - 1);
            name_at(document, cues, &spelled, context, at - 1, first_prior)
        });
        let (at, name) = match pair.flatten().filter(|name| name.score >= ACCEPT) {
            Some(name) => (at - 1, Some(name)),
            None => (at, None),
        };
        if name.is_none()
            && let Some(end) = reversed(document, cues, at)
        {
            learn(document, context, at, end);
            leads.take_up(context, end);
            out.push(candidate(document, at, end, 3.0, "name_reversed"));
            from = end;
            named = end;
        } else if let Some(name) =
            name.or_else(|| name_at(document, cues, &spelled, context, at, first_prior))
            && name.score >= ACCEPT
        {
            if name.score >= LEARN {
                learn(document, context, name.start, name.end);
                leads.take_up(context, name.end);
            }
            let start = with_title(document, name.start - initials_before(document, name.start));
            out.push(candidate(document, start, name.end, name.score, name.recognizer));
            from = name.end;
            named = name.end;
        }
    }
    for run in &spelled[judged..] {
        judge_spelled(document, cues, context, run, out);
    }
}

/// Sorts out, before anything is computed, the words at which no name can begin: most.
struct Leads<'d, 's> {
    document: &'d Document<'s>,
    /// The words at which a name may begin, at first sight.
    candidates: WordSet,
    /// The words that something before them is strong evidence for as a name.
    led: WordSet,
    /// A name is asked for, so that any word may answer.
    asked: bool,
    /// How much of what was learnt is taken up.
    knowledge: usize,
}

impl<'d, 's> Leads<'d, 's> {
    fn new(document: &'d Document<'s>, cues: &[CueHit], context: &Context) -> Self {
        /// How many words behind a cue a name may begin.
        const REACH: usize = 4;
        let len = document.len();
        let mut led = document.starts.set(Flags::LED);
        for cue in cues.iter().filter(|cue| Kind::BUILT_IN[usize::from(cue.kind)] == Kind::Name) {
            let links = (cue.end..len).take(REACH).take_while(|&at| links_name(document, at)).count();
            for at in (cue.end..len.min(cue.end + links + 1)).filter(|&at| document.may_be_led(at)) {
                led.add(at);
            }
        }
        let mut candidates = document.starts.set(Flags::NAME);
        candidates.add_all(&led);
        let asked = context.asks_for(&Kind::Name);
        // Where a name is asked for any word may answer, and an accent may make a name of any.
        let accents = document.view.has_accents();
        if asked || accents {
            for at in (0..len).filter(|&at| accents || document.may_be_led(at)) {
                candidates.add(at);
            }
        }
        let mut leads = Self { document, candidates, led, asked, knowledge: 0 };
        leads.take_up(context, 0);
        leads
    }

    /// Takes up what was learnt, for the words from `from` on.
    fn take_up(&mut self, context: &Context, from: usize) {
        if context.knowledge() == self.knowledge {
            return;
        }
        self.knowledge = context.knowledge();
        self.candidates.add_all(&self.document.starts.set(Flags::LEARNT));
        // What follows a name may begin two words behind it.
        for at in from.saturating_sub(2)..self.document.len() {
            if context.knows_name(self.document.hash(at)) {
                if at >= from {
                    self.candidates.add(at);
                }
                if at + 2 < self.document.len() && self.follows_known(context, at + 2) {
                    self.candidates.add(at + 2);
                }
            }
        }
    }

    /// Whether what stands before a word is strong evidence for a name.
    fn is_led(&self, at: usize) -> bool {
        self.asked || self.led.has(at)
    }

    /// Whether a name may begin at a word. Says no only where what [`prior`] gives is too little for what stands before it.
    fn may_begin(&self, context: &Context, at: usize) -> bool {
        let document = self.document;
        let word = &document.words[at];
        if word.shape != Shape::Letters || word.len() == 1 && word.case == Case::Lower {
            return false;
        }
        if document.is_in_identifier(at) {
            return false;
        }
        if word.len() == 1 || self.is_led(at) {
            return true;
        }
        if document.starts.has(Flags::LEARNT, at)
            && (!is_plain(document.entry(at))
                || document.is_cased(at)
                || begins_reversed(document, at)
                || document.is(at, Tags::PARTICLE))
        {
            return true;
        }
        document.has_accent(at)
            || context.knows_anything() && (context.knows_name(word.hash) || self.follows_known(context, at))
    }

    /// "Ann and …", "Ann or …", after a name that was learnt.
    fn follows_known(&self, context: &Context, at: usize) -> bool {
        at >= 2
            && context.knows_name(self.document.hash(at - 2))
            && matches!(self.document.stem(at - 1), "and" | "or" | "to")
    }
}

/// Whether a word may stand between a cue and the name: "my name, uh, is actually …".
fn links_name(document: &Document<'_>, at: usize) -> bool {
    document.is(at, Tags::LINKS_NAME) || document.class(at) == Class::Filler
}

/// Whether a capitalised word stands before a comma, as a family name does that comes first.
fn begins_reversed(document: &Document<'_>, at: usize) -> bool {
    document.words[at].case != Case::Lower && document.gap(at + 1).has(Gap::COMMA)
}

/// "Next of kin: Wife, Leona"
fn tells_relation(document: &Document<'_>, at: usize) -> bool {
    document.is(at, Tags::RELATION)
        && document.gap(at + 1).has(Gap::COMMA.with(Gap::HYPHEN).with(Gap::BRACKET))
        && matches!(document.stem_before(at, 1), "kin" | "nok" | "contact" | "relationship")
}

/// "Initials: JTH"
fn find_initials(document: &Document<'_>, cues: &[CueHit], out: &mut Vec<Candidate>) {
    let asks = |cue: &CueHit| cue.role == Role::Label && Kind::BUILT_IN[cue.kind as usize] == Kind::Name;
    let named = |cue: &CueHit| (cue.start..cue.end).any(|at| document.stem(at) == "initials");
    for cue in cues.iter().filter(|cue| asks(cue) && named(cue)) {
        let at = cue.end + usize::from(matches!(document.stem(cue.end), "are" | "is"));
        let Some(word) = document.words.get(at) else { continue };
        let close = (cue.end..=at).all(|at| document.gap(at).only(Gap::SPACE.with(Gap::COLON)));
        if word.shape == Shape::Letters && word.case == Case::Upper && (2..=4).contains(&word.len()) && close
        {
            out.push(candidate(document, at, at + 1, 2.0, "name_initials"));
        }
    }
}

fn judge_spelled(
    document: &Document<'_>,
    cues: &[CueHit],
    context: &mut Context,
    run: &Spelled,
    out: &mut Vec<Candidate>,
) {
    if let Some(score) = spelled_score(document, cues, context, run) {
        if document.is_settled(run.start) {
            context.learn_name(run.hash, &run.word);
        }
        out.push(Candidate {
            pass: Pass::Spoken,
            ..candidate(document, run.start, run.end, score, "name_spelled")
        });
    }
}

/// Below these log odds the first word makes no name, whatever leads to it.
const HOPELESS: f32 = -4.5;

/// Whether nothing that leads to a word can make up for its odds.
fn is_hopeless(document: &Document<'_>, at: usize) -> bool {
    let word = &document.words[at];
    let capital = word.case == Case::Title
        && document.is_cased(at)
        && !document.is(at, Tags::NO_NAME.with(Tags::TITLE))
        && !document.begins_sentence(at);
    !capital
        && word.len() > 1
        && !may_be_raised(document.entry(at))
        && !document.is(at, Tags::PARTICLE)
        && !begins_reversed(document, at)
}

/// Whether a strong cue raises the odds of a word in small letters ([`LeftCue::floor`]).
fn may_be_raised(entry: Entry) -> bool {
    entry.given_name() >= 4 || entry.family_name() >= 5
}

/// Below these log odds a word that nothing leads to is no name of one word, whatever comes after it that is no
/// [`Tags::FOLLOWS_NAME`].
const ALONE: f32 = ACCEPT - LEAST_LEAD - 0.5 - 0.01;

/// Whether what comes after a word is neither a part of a name nor evidence for one before it, at first sight.
fn stands_alone(document: &Document<'_>, context: &Context, at: usize) -> bool {
    let Some(next) = document.words.get(at + 1) else { return false };
    let plain_end =
        next.gap.only(Gap::SPACE.with(Gap::STOP).with(Gap::SENTENCE).with(Gap::COLON).with(Gap::QUESTION));
    document.words[at].len() > 1
        && initials_before(document, at) == 0
        && plain_end
        && next.shape == Shape::Letters
        && next.case == Case::Lower
        && next.len() > 1
        && !document.starts.has(Flags::NAME, at + 1)
        && !document.is(at + 1, Tags::FOLLOWS_NAME.with(Tags::PARTICLE).with(Tags::RELATION).with(Tags::ROLE))
        && !context.knows_anything()
        && !begins_reversed(document, at)
        && !is_related(document, at + 1)
        && !tells_of_patient(document, at + 1)
        && !(document.stem(at + 1) == "is" && tells_age(document, at + 1))
        && !document.is_possessive(at)
        && !(matches!(document.stem_before(at, 1), "with" | "under") && is_family_name_alone(document, at))
}

struct Name {
    start: usize,
    end: usize,
    score: f32,
    recognizer: &'static str,
}

fn candidate(
    document: &Document<'_>,
    start: usize,
    end: usize,
    score: f32,
    recognizer: &'static str,
) -> Candidate {
    Candidate {
        kind: Kind::Name,
        span: document.span(start, end),
        score: (1.0 / (1.0 + (-0.8 * score).exp())).clamp(0.7, 0.98),
        validated: false,
        pass: Pass::Dictionary,
        recognizer: recognizer.into(),
    }
}

fn learn(document: &Document<'_>, context: &mut Context, start: usize, end: usize) {
    for at in start..end {
        let word = &document.words[at];
        let stem = document.stem(at);
        if word.len() > 2 && !document.is(at, Tags::PARTICLE) && !is_suffix(stem) && document.is_settled(at) {
            context.learn_name(word.hash, stem);
        }
    }
}

/// A word that is spelled out letter by letter.
struct Spelled {
    start: usize,
    end: usize,
    letters: usize,
    /// A word says which letter is meant: "k as in kite".
    explained: bool,
    word: String,
    hash: crate::view::WordHash,
}

fn spelled_runs(document: &Document<'_>, runs: &[CodeRun]) -> Vec<Spelled> {
    runs.iter()
        .filter(|run| run.pieces.len() >= 2 && run.digits() == 0)
        .filter(|run| run.words.len() >= 2 || run.pieces.iter().any(|piece| piece.word_end - piece.word > 1))
        .map(|run| {
            let compact = run.compact().to_ascii_lowercase();
            Spelled {
                start: run.words.start,
                end: run.pieces.last().map_or(run.words.end, |piece| piece.word_end as usize),
                letters: run.pieces.len(),
                explained: run.pieces.iter().any(|piece| piece.word_end - piece.word > 2),
                hash: hash_word(compact.as_bytes()),
                word: compact,
            }
        })
        .inspect(|run| debug_assert!(run.end <= document.len()))
        .collect()
}

/// How surely letters that are spelled are a name.
fn spelled_score(document: &Document<'_>, cues: &[CueHit], context: &Context, run: &Spelled) -> Option<f32> {
    let from = run.start.saturating_sub(6);
    let repeats = (from..run.start)
        .rev()
        .take_while(|&at| document.same_turn(at, run.start))
        .any(|at| document.words[at].shape == Shape::Letters && document.hash(at) == run.hash);
    if repeats {
        return Some(4.0);
    }
    if context.knows_name(run.hash) && run.letters >= 3 {
        return Some(4.0);
    }
    let entry = lexicon::lookup(run.hash);
    let known = entry.given_name() > 0 || entry.family_name() > 0;
    let label = nearest_label(document, cues, run.start, 6);
    let named = matches!(label, Some(Kind::Name));
    let other = label.is_some() && !named;
    let announced = (1..=3).any(|back| {
        run.start.checked_sub(back).filter(|&at| document.same_turn(at, run.start)).is_some_and(|at| {
            matches!(document.stem(at), "spelled" | "spell" | "spelling" | "spells")
                || is_possible_name(document, at)
        })
    });
    if other {
        return None;
    }
    // "spelled with a W"
    let article =
        run.letters == 2 && document.words[run.start].case == Case::Lower && document.stem(run.start) == "a";
    if named && run.letters >= 2 && !article {
        return Some(3.5);
    }
    if announced && run.letters >= 3 {
        return Some(3.0);
    }
    // What is no person's is spelled too: "m e t o p r o l o l".
    let answers = context.answered(document, run.start).map(|(kind, _)| &Kind::BUILT_IN[usize::from(kind)]);
    let spells = match answers {
        Some(kind) => *kind == Kind::Name && run.letters >= 3,
        None => run.explained && run.letters >= 4,
    };
    if spells && (known || entry.medical() == 0) {
        return Some(2.5);
    }
    (known && run.letters >= 4).then_some(2.0)
}

fn is_possible_name(document: &Document<'_>, at: usize) -> bool {
    let entry = document.entry(at);
    let word = &document.words[at];
    let unknown = entry == lexicon::Entry::default() && word.shape == Shape::Letters && word.len() > 3;
    (entry.given_name().max(entry.family_name()) > 0 && entry.not_name() < 5) || unknown
}

/// The kind of the nearest label cue within `reach` words before a word.
fn nearest_label(document: &Document<'_>, cues: &[CueHit], at: usize, reach: usize) -> Option<Kind> {
    let from = cues.partition_point(|cue| cue.start + reach + 8 < at);
    let to = cues.partition_point(|cue| cue.start < at);
    cues[from..to]
        .iter()
        .filter(|cue| {
            cue.role == Role::Label
                && cue.end <= at
                && at - cue.end <= reach
                && document.same_turn(cue.end - 1, at)
        })
        .max_by_key(|cue| cue.end)
        .map(|cue| Kind::BUILT_IN[cue.kind as usize].clone())
}

/// "nephrology", "podiatry", "sialadenitis": no person is called so, whether a list has the word or not.
fn has_medical_ending(word: &str) -> bool {
    const ENDINGS: [&str; 13] = [
        "algia", "ectomy", "graphy", "iatrist", "iatry", "metry", "ologist", "ology", "oscopy", "pathy",
        "plasty", "therapy", "uria",
    ];
    word.len() > 6 && ENDINGS.iter().any(|ending| word.ends_with(ending))
        // Families may be called "Politis".
        || word.len() > 9 && word.ends_with("itis")
}

/// Log odds that a word is part of a name, from the word and its letters alone.
fn prior(document: &Document<'_>, context: &Context, at: usize) -> f32 {
    let word = &document.words[at];
    if word.shape != Shape::Letters {
        return -9.0;
    }
    if word.apostrophe && is_contraction(word.stem(&document.view))
        || document.is(at, Tags::TITLE.with(Tags::NO_NAME))
    {
        return -9.0;
    }
    let entry = document.entry(at);
    let (given, family) = (entry.given_name(), entry.family_name());
    // Accents tell a name from the plain word of the same letters.
    let accented = given.max(family) > 0 && document.has_accent(at);
    let not_name = if accented { 0 } else { entry.not_name() };
    let cased = document.is_cased(at);
    let class = document.class(at);
    let title = word.case == Case::Title;
    let first = || document.begins_sentence(at) || starts_quote(document, at);
    if cased && word.case == Case::Lower {
        return if context.knows_name(word.hash) && not_name < 2 && entry.common() == 0 { 0.5 } else { -6.0 };
    }
    if matches!(class, Class::Weekday) || entry.state() >= 2 && (word.len() == 2 || entry.given_name() < 5) {
        return -5.0;
    }
    if class == Class::Month {
        return if matches!(document.stem(at), "april" | "june" | "may" | "august" | "jan") {
            -2.5
        } else {
            -6.0
        };
    }
    if context.knows_name(word.hash) && (!cased || title) && (not_name < 6 || (title && !first())) {
        return if title && not_name >= 4 && first() { 0.8 } else { 3.0 };
    }
    let listed = given > 0 || family > 0;
    let plain = entry.common() > 0 || entry.medical() > 0 || entry.town() > 0 || not_name > 0;
    if !plain && (!cased || title) && context.nearly_knows_name(document.stem(at)) {
        return 1.5;
    }
    let inside = cased && title && !first();
    let base = if !listed {
        let unknown = entry == lexicon::Entry::default();
        if unknown && has_medical_ending(document.stem(at)) {
            -4.0
        } else if unknown && word.len() >= 3 {
            if inside { -0.4 } else { UNKNOWN }
        } else if inside && entry.common() == 0 && entry.town() < 3 {
            -1.0
        } else {
            unlisted(entry)
        }
    } else if inside {
        // A capital inside a sentence: most such words are names.
        let known = f32::from(given.max(family)) * 0.22;
        if not_name == 0 && (entry.common() == 0 || accented) {
            // A rare name alone may as well be a brand.
            if given.max(family) <= 2 { 0.4 } else { 1.2 + known }
        } else {
            let share = f32::from(entry.name_if_capital()) / 7.0;
            (share.clamp(0.03, 0.95) / (1.0 - share.clamp(0.03, 0.95))).ln() * 0.8 + known - 0.4
        }
    } else {
        listed_alone(entry, not_name)
    };
    // An acronym, unless the whole turn is in capitals.
    let upper = match word.case {
        Case::Upper if !listed && !cased && word.len() > 3 && is_among_capitals(document, at) => 0.0,
        Case::Upper if !listed => -4.0,
        Case::Upper if cased => {
            if word.len() > 3 {
                -0.5
            } else {
                -4.0
            }
        }
        // "ADA" among small letters.
        Case::Upper if word.len() <= 3 && is_among_small_letters(document, at) => -4.0,
        _ => 0.0,
    };
    base + upper + against(entry, not_name)
}

/// Log odds of a word of three letters or more that no list has.
const UNKNOWN: f32 = -1.2;

/// Log odds of a word that is known but as no name.
fn unlisted(entry: Entry) -> f32 {
    if entry.nickname() == 1 && entry.common() == 0 { 0.5 } else { -6.0 }
}

/// Log odds of a listed name where no capital says more.
fn listed_alone(entry: Entry, not_name: u8) -> f32 {
    let (given, family) = (entry.given_name(), entry.family_name());
    let known = match given.max(family) {
        0..=1 => -0.9,
        2 => -0.2,
        3 => 0.3,
        4 => 0.9,
        5 => 1.3,
        _ => 1.7,
    };
    let plain = match not_name {
        0 if entry.common() == 0 => 0.0,
        0 => -0.3,
        1 => -0.5,
        2 => -1.0,
        3 => -1.8,
        4 => -2.5,
        5 => -3.2,
        6 => -4.2,
        _ => -6.0,
    };
    // A word that is a given name and nothing else needs little more.
    let only_name = not_name == 0
        && entry.common() == 0
        && entry.medical() == 0
        && entry.town() <= u8::from(given >= 3)
        && entry.institution() == 0;
    let mostly = given >= 4 && not_name <= 1 && entry.common() <= 2 && entry.medical() == 0;
    let known = match (only_name, mostly) {
        (true, _) if given >= 2 => known + 0.7,
        (_, true) => known + 0.4,
        _ => known,
    };
    // A family name alone in lower-case speech is weaker than a given name.
    let family_only = if given <= 2 && family > 0 && family >= given { -0.6 } else { 0.0 };
    known + plain + family_only
}

/// What a word is besides a name, as log odds against that.
fn against(entry: Entry, not_name: u8) -> f32 {
    let given = entry.given_name();
    let listed = given > 0 || entry.family_name() > 0;
    let medical = match entry.medical() {
        2 => -4.0,
        1 if not_name >= 4 || !listed => -1.5,
        1 => -0.3,
        _ => 0.0,
    };
    let place = match entry.town() {
        3 if given < 5 => -1.0,
        2 if given < 4 => -0.5,
        _ => 0.0,
    };
    let country = if entry.country() == 1 && given < 5 { -3.0 } else { 0.0 };
    let brand = if entry.institution() == 1 { -2.0 } else { 0.0 };
    brand + medical + place + country
}

/// Whether a word may be a name by itself, in small letters and with a capital: no where [`prior`] cannot give enough for what
/// stands before it, as far as nothing was learnt and no accent tells more.
pub(super) fn flags_of(entry: Entry, tags: Tags) -> Flags {
    /// What the order of adding up can make of a sum.
    const ROUNDING: f32 = 0.01;
    let listed = entry.given_name() | entry.family_name() != 0;
    let particle = tags.has(Tags::PARTICLE);
    let alone = match entry == Entry::default() {
        true => UNKNOWN,
        false if listed => listed_alone(entry, entry.not_name()),
        false => unlisted(entry),
    };
    let odds = alone + against(entry, entry.not_name()) + ROUNDING;
    let small = !is_plain(entry) && odds + LEAST_LEAD >= WORTH_A_LOOK;
    // Months are judged by themselves.
    let led = odds >= HOPELESS || may_be_raised(entry) || tags.has(Tags::DATE);
    let barred = tags.has(Tags::TITLE.with(Tags::NO_NAME));
    let capital =
        !barred && (listed || entry == Entry::default() || entry.common() == 0 || entry.nickname() == 1);
    Flags::SMALL_NAME
        .when(particle || small)
        .with(Flags::CAPITAL_NAME.when(particle || capital))
        .with(Flags::SMALL_LEARNT.when(particle || !is_plain(entry)))
        .with(Flags::SMALL_LED.when(particle || led))
        .with(Flags::CAPITAL_LED.when(particle || !barred || may_be_raised(entry)))
}

/// Whether a word in small letters is an ordinary word unless something before it tells a name.
fn is_plain(entry: Entry) -> bool {
    let listed = entry.given_name() | entry.family_name() != 0;
    if listed { entry.not_name() >= 6 } else { entry.common() > 0 }
}

/// Whether a word beside one is in small letters.
fn is_among_small_letters(document: &Document<'_>, at: usize) -> bool {
    let small = |at: usize| document.words[at].case == Case::Lower && document.words[at].len() > 1;
    !document.gap(at + 1).has(Gap::BARRIER) && small(at + 1) || at > 0 && small(at - 1)
}

/// Whether the words beside one are in capitals too, and long enough to be words.
fn is_among_capitals(document: &Document<'_>, at: usize) -> bool {
    let capitals = |at: usize| document.words[at].case == Case::Upper && document.words[at].len() > 1;
    let last = document.gap(at + 1).has(Gap::BARRIER);
    at > 0 && document.words[at - 1].len() > 2 && capitals(at - 1) && (last || capitals(at + 1))
}

/// "i'm", "we've", "n't": never a name. "O'Brien" and "D'Angelo" are.
fn is_contraction(text: &str) -> bool {
    text.rsplit_once('\'').is_some_and(|(before, after)| {
        matches!(after, "m" | "ve" | "ll" | "d" | "re" | "t")
            || matches!(before, "i" | "it" | "that" | "he" | "she")
    })
}

fn starts_quote(document: &Document<'_>, at: usize) -> bool {
    document.gap(at).has(Gap::QUOTE.with(Gap::JOINT).with(Gap::OTHER))
}

/// Where a name begins together with the abbreviated title before it. After a preposition ("seen by Dr. Smith") the two are
/// one reference; a title that is spoken out, or that introduces somebody ("this is Dr. Smith"), stays, because it tells a
/// listener whom he deals with.
fn with_title(document: &Document<'_>, start: usize) -> usize {
    let Some(before) = start.checked_sub(1) else { return start };
    let abbreviated = matches!(document.stem(before), "dr" | "mr" | "mrs" | "ms" | "mx" | "prof");
    let gap = document.gap(start);
    let joined = gap.has(Gap::STOP) && gap.only(Gap::STOP.with(Gap::SENTENCE).with(Gap::SPACE));
    let preposition = before > 0
        && !document.begins_sentence(before)
        && matches!(
            document.stem(before - 1),
            "by" | "under"
                | "of"
                | "with"
                | "w"
                | "to"
                | "in"
                | "from"
                | "like"
                | "for"
                | "pt"
                | "and"
                | "via"
                | "per"
        );
    if abbreviated && joined && preposition && document.words[before].case == Case::Title {
        before
    } else {
        start
    }
}

fn is_suffix(text: &str) -> bool {
    matches!(text, "jr" | "sr" | "ii" | "iii" | "iv" | "junior" | "senior")
}

/// The best name that begins at a word.
fn name_at(
    document: &Document<'_>,
    cues: &[CueHit],
    spelled: &[Spelled],
    context: &Context,
    at: usize,
    first_prior: f32,
) -> Option<Name> {
    let word = &document.words[at];
    if word.shape != Shape::Letters {
        return None;
    }
    if word.len() == 1 {
        return initials(document, cues, at);
    }
    // Particles begin a name only before another part: "de la Cruz".
    let particle = document.is(at, Tags::PARTICLE) && {
        let next = at + 1;
        next < document.len() && document.gap(next).only(Gap::SPACE) && word.case == document.words[next].case
    };
    // "the patient's name is …": the verb is no part of the name, however strong the cue.
    if document.is(at, Tags::AUXILIARY) && word.case != Case::Title && first_prior <= -4.0 {
        return None;
    }
    let cue = left_cue(document, cues, context, at);
    let odds_of_first = if particle { -1.0 } else { first_prior.max(cue.floor) };
    let odds_of_first = if pairs_with_next(document, at) { odds_of_first.max(0.1) } else { odds_of_first };
    if odds_of_first + cue.strength < WORTH_A_LOOK || odds_of_first < HOPELESS {
        return None;
    }
    let mut end = at + 1;
    let mut best = odds_of_first;
    let mut parts = usize::from(!particle);
    // "under g hooper"
    let mut pattern = if initials_before(document, at) > 0 { 1.25_f32 } else { 0.0 };
    let strong_cue = cue.strength >= 3.0;
    let mut last_was_given = document.entry(at).given_name() > 0;
    while end < document.len() && parts < 5 && !document.is_possessive(end - 1) {
        let gap = document.gap(end);
        let next = &document.words[end];
        let text = document.stem(end);
        if next.shape != Shape::Letters {
            break;
        }
        let joined = gap.only(Gap::SPACE.with(Gap::QUOTE))
            || gap == Gap::HYPHEN
            || (gap.only(Gap::SPACE.with(Gap::LINE)) && next.case == Case::Title);
        // "Robert S." and "John Q. Public": an initial, then what follows its stop.
        let after_initial = document.words[end - 1].len() == 1
            && gap.only(Gap::SPACE.with(Gap::STOP).with(Gap::SENTENCE))
            && next.case == Case::Title;
        if !(joined || after_initial) {
            break;
        }
        if next.len() == 1 {
            let initial = next.case == Case::Title && (text != "i" || document.gap(end + 1).has(Gap::STOP));
            let lone = initial && text != "a" && best > 1.0 && document.gap(end + 1).only(Gap::SPACE);
            let dotted = document
                .gap(end + 1)
                .has(Gap::STOP.with(Gap::COMMA).with(Gap::BARRIER).with(Gap::QUESTION).with(Gap::BRACKET));
            let last = end + 1;
            let spoken = !document.is_cased(end)
                && document.gap(last) == Gap::SPACE
                && match text {
                    "i" => false,
                    "a" | "o" => is_family_name_alone(document, last) && last_was_given,
                    _ => {
                        let family = document.entry(last);
                        prior(document, context, last) > 0.5
                            // "gerald t hooper"
                            || last_was_given && family.family_name() >= 3 && family.not_name() <= 2
                    }
                };
            // "maria g calling"
            let trailing = !document.is_cased(end)
                && last_was_given
                && best > 1.0
                && gap == Gap::SPACE
                && !matches!(text, "a" | "i" | "o" | "s")
                && matches!(
                    document.stem(last),
                    "calling" | "speaking" | "here" | "from" | "dob" | "called" | "says" | "said"
                );
            if initial && (dotted || document.words.get(end + 1).is_some_and(|w| w.case == Case::Title))
                || spoken
                || trailing
                || lone
                || (initial && strong_cue)
            {
                end += 1;
                pattern = pattern.max(1.2);
                continue;
            }
            break;
        }
        if is_suffix(text) && gap.only(Gap::SPACE.with(Gap::COMMA)) {
            end += 1;
            break;
        }
        if document.is(end, Tags::PARTICLE)
            && end + 1 < document.len()
            && document.gap(end + 1).only(Gap::SPACE.with(Gap::HYPHEN))
        {
            let mut after = end + 1;
            if document.is(after, Tags::PARTICLE)
                && document.gap(after + 1).only(Gap::SPACE.with(Gap::HYPHEN))
            {
                after += 1;
            }
            let follows = prior(document, context, after);
            if follows > 0.0 || (strong_cue && follows > -1.5 && best > 0.0) {
                pattern = pattern.max(1.0);
                best = best.max(follows);
                parts += 1;
                end = after + 1;
                continue;
            }
            let family = document.entry(end).family_name();
            let title = document.words[end].case == Case::Title;
            let last = last_was_given && family >= 5 && strong_cue;
            let written = title && (family > 4 || prior(document, context, end) > 0.0);
            if !(written || last) {
                break;
            }
        }
        let entry = document.entry(end);
        // "latoya washington": behind a given name a state is a family name.
        let state = entry.state() == 3 && last_was_given && entry.family_name() >= 4 && best > 0.5;
        let odds = if state { 0.5 } else { prior(document, context, end) };
        let hyphenated = gap == Gap::HYPHEN && next.case == word.case && word.case == Case::Title;
        // "Hyun-joo": the second syllable of a given name.
        let syllable = gap == Gap::HYPHEN
            && next.case == Case::Lower
            && document.words[end - 1].case == Case::Title
            && document.is_cased(end - 1)
            && (2..=6).contains(&next.len())
            && entry.common() == 0
            && entry.medical() == 0
            && document.entry(end - 1).common() < 5
            && document.entry(end - 1).medical() == 0
            && document.words[end - 1].len() > 1;
        if syllable {
            best = best.max(0.4);
            pattern = pattern.max(1.0);
            last_was_given = true;
            end += 1;
            continue;
        }
        let pair = last_was_given && entry.family_name() > 0;
        let only_names = last_was_given
            && !document.is_cased(end)
            && is_given_name_alone(document, end - 1)
            && is_family_name_alone(document, end);
        // "for kaitlyn white", "andrew price needs"; but "scott good to see you"
        let is_grammar = document.is(end, Tags::AUXILIARY.with(Tags::NO_NAME));
        let is_last = pair
            && entry.family_name() >= 3
            && !is_mostly_a_word(entry)
            && !is_grammar
            && ends_here(document, end + 1);
        // A family name after a given one needs less than a name alone; a common word needs a capital.
        let cased = document.is_cased(end);
        let threshold = if hyphenated {
            -4.0
        } else if cased && next.case == Case::Title {
            // Behind a given name any capitalised family name is one, "Little" and "Rose" too.
            if pair && best > 0.5 && entry.family_name() >= 3 {
                -5.0
            } else if cue.strength >= 4.0
                && gap == Gap::SPACE
                && !document.is(end, Tags::NO_NAME)
                && !matches!(document.class(end), Class::Month | Class::Weekday)
            {
                // "My name is Loretta Two Bulls".
                -9.0
            } else if cue.strength >= 2.2 && best > -0.5 && gap.only(Gap::SPACE) && !document.is_state(end) {
                // "this is Don Haverford": what follows the first name in capitals is the last.
                -3.2
            } else if best + cue.strength > 1.5 {
                -1.6
            } else {
                -0.5
            }
        } else if only_names || strong_cue && best + cue.strength > 1.0 && is_last {
            // "casonya feminella", "my name is mark winters and"
            -9.0
        } else if pair && best > 0.0 {
            let common = entry.not_name() >= 6 || entry.common() >= 6;
            let frequent = entry.family_name() >= 5 && common && cue.strength >= 2.2 && !is_grammar;
            if frequent || best >= 1.0 && is_last {
                -8.0
            } else if common {
                0.0
            } else {
                -2.6
            }
        } else if best + cue.strength > 1.0
            && (is_family_name_alone(document, end)
                || strong_cue
                    && (entry == lexicon::Entry::default()
                        || entry.family_name() > 0 && entry.not_name() == 0 && entry.common() == 0))
        {
            -1.6
        } else if strong_cue
            && last_was_given
            && best > 0.5
            && is_rare_word(entry)
            && ends_here(document, end + 1)
        {
            // "her name is bartholomew wintergreen"
            -9.0
        } else {
            0.0
        };
        if odds < threshold || document.is(end, Tags::TITLE.with(Tags::RELATION)) {
            break;
        }
        if only_names {
            pattern = pattern.max(2.0);
        } else if pair || hyphenated {
            pattern = pattern.max(if best > 0.0 { 1.5 } else { 1.0 });
        } else {
            pattern = pattern.max(0.7);
        }
        best = best.max(odds);
        last_was_given = entry.given_name() > 0;
        parts += 1;
        end += 1;
    }
    if parts == 0 || (particle && end == at + 1) {
        return None;
    }
    let odds = best + pattern + cue.strength;
    let follows = Tags::FOLLOWS_NAME.with(Tags::RELATION).with(Tags::ROLE);
    let told = || {
        document.is(end, follows)
            || document.is_possessive(end - 1)
            || matches!(document.stem(end), "has" | "is" | "needs")
            || tells_of_patient(document, end)
            || is_related(document, end)
    };
    if odds + LEAST_FOLLOWING < ACCEPT && spelled.is_empty() && !told() {
        return None;
    }
    let score = odds + right_cue(document, cues, spelled, at, end);
    let recognizer = if cue.strength >= 1.5 { "name_cue" } else { "name_list" };
    Some(Name { start: at, end, score, recognizer })
}

/// Whether a word is in no list of names, and seldom said.
fn is_rare_word(entry: Entry) -> bool {
    entry.common() <= 2 && entry.medical() == 0 && entry.not_name() == 0 && entry.institution() == 0
}

/// Whether a family name is so much more often a plain word that even behind a given name it is one.
fn is_mostly_a_word(entry: Entry) -> bool {
    entry.common() > if entry.family_name() >= 5 { 6 } else { 5 }
}

/// Whether nothing is said from a word on that goes on with the one before it.
fn ends_here(document: &Document<'_>, at: usize) -> bool {
    document.begins_clause(at)
        || document.is(at, Tags::FOLLOWS_NAME.with(Tags::AUXILIARY).with(Tags::NO_NAME))
        || matches!(document.stem(at), "date" | "dob" | "last" | "today" | "tomorrow" | "yesterday")
        || document.words[at].apostrophe && is_contraction(document.stem(at))
}

/// Whether a word is the name of families and nothing else.
fn is_family_name_alone(document: &Document<'_>, at: usize) -> bool {
    document.entry(at).family_name() > 0 && is_only_a_name(document, at)
}

/// Whether a word is a given name and nothing else, but perhaps a family name.
fn is_given_name_alone(document: &Document<'_>, at: usize) -> bool {
    document.entry(at).given_name() > 0 && is_only_a_name(document, at)
}

/// Whether a word is seldom said but as a given name.
fn is_mostly_a_given_name(entry: Entry) -> bool {
    entry.given_name() >= 4 && entry.not_name() <= 3 && entry.common() <= 3 && entry.medical() == 0
}

/// Whether a word is known as no word of the language, of medicine, or of places and institutions.
fn is_only_a_name(document: &Document<'_>, at: usize) -> bool {
    let entry = document.entry(at);
    entry.not_name() == 0
        && entry.common() == 0
        && entry.medical() == 0
        && entry.town() <= 1
        && entry.institution() == 0
        && document.words[at].shape == Shape::Letters
}

/// How many initials stand before a name that is said, one or two: not "vitamin d", so something must lead to them.
fn initials_before(document: &Document<'_>, at: usize) -> usize {
    let initial = |at: usize| {
        let word = &document.words[at];
        word.len() == 1
            && word.case == Case::Lower
            && word.shape == Shape::Letters
            && !matches!(document.stem(at), "a" | "i" | "o" | "x")
    };
    let mut first = at;
    while first > 0 && at - first < 2 && document.gap(first) == Gap::SPACE && initial(first - 1) {
        first -= 1;
    }
    let entry = document.entry(at);
    let family = entry.family_name() >= 3 && entry.not_name() <= 2 && document.words[at].len() > 3;
    if first == at || !family || document.is_cased(at) {
        return 0;
    }
    let begins = document.gap(first).has(Gap::START.with(Gap::BARRIER).with(Gap::LINE).with(Gap::COMMA));
    let leads = Tags::NO_NAME.with(Tags::AUXILIARY).with(Tags::TITLE).with(Tags::RELATION);
    let led = first > 0
        && document.words[first - 1].len() > 1
        && (document.is(first - 1, leads) || matches!(document.stem(first - 1), "name" | "under"));
    if begins || led { at - first } else { 0 }
}

/// Whether a word is a given name, whatever it is besides, and the next one a family name and nothing else.
fn pairs_with_next(document: &Document<'_>, at: usize) -> bool {
    let word = &document.words[at];
    let entry = document.entry(at);
    let last = at + 1;
    entry.given_name() >= 4
        && last < document.len()
        && document.gap(last) == Gap::SPACE
        && word.case == document.words[last].case
        && word.shape == Shape::Letters
        && !word.apostrophe
        && !(word.case == Case::Lower && document.is_cased(at))
        && !document.is(at, Tags::AUXILIARY.with(Tags::NO_NAME).with(Tags::TITLE))
        && document.class(at) == Class::None
        && is_family_name_alone(document, last)
}

/// What follows a name that is neither a spelling of it nor a [`Tags::FOLLOWS_NAME`] is worth no more than this as evidence for it,
/// and a little for the order of adding up.
const LEAST_FOLLOWING: f32 = 0.51;

/// "D.C.", "J. D." after a cue that asks for initials or a name.
fn initials(document: &Document<'_>, cues: &[CueHit], at: usize) -> Option<Name> {
    let initial = |i: usize| {
        document
            .words
            .get(i)
            .is_some_and(|w| w.len() == 1 && w.case == Case::Title && w.shape == Shape::Letters)
    };
    let titled = at > 0
        && document.is(at - 1, Tags::TITLE)
        && document.gap(at).only(Gap::SPACE.with(Gap::STOP).with(Gap::SENTENCE));
    if !initial(at) {
        return None;
    }
    let mut end = at + 1;
    while initial(end)
        && document.gap(end).has(Gap::STOP)
        && document.gap(end).only(Gap::STOP.with(Gap::SPACE).with(Gap::SENTENCE))
        && end < at + 3
    {
        end += 1;
    }
    let stopped = document.gap(end).has(Gap::STOP);
    // "I. Bergström"
    if stopped
        && end < document.len()
        && document.words[end].case == Case::Title
        && document.words[end].len() > 2
        && !document.gap(end).has(Gap::LINE)
    {
        let entry = document.entry(end);
        // "A. Haverford": what only towns are called, but not "N. Haverford".
        let town = entry.family_name() == 0
            && entry.town() > 0
            && entry.common() == 0
            && !matches!(document.stem(at), "n" | "e" | "s" | "w");
        let unknown = entry == lexicon::Entry::default() || town;
        if (entry.family_name() > 0 && entry.common() < 4) || unknown {
            let mut last = end + 1;
            while last < document.len()
                && document.gap(last) == Gap::HYPHEN
                && document.words[last].case == Case::Title
            {
                last += 1;
            }
            let led =
                || cues.iter().any(|cue| cue.end == at && Kind::BUILT_IN[cue.kind as usize] == Kind::Name);
            let score = if document.begins_sentence(at) && unknown && !led() { 0.5 } else { 2.0 };
            let score = score + credential_cue(document, last);
            return Some(Name { start: at, end: last, score, recognizer: "name_initials" });
        }
    }
    // "L. van der Linden"
    if stopped && document.is(end, Tags::PARTICLE) {
        let mut last = end + 1;
        while document.is(last, Tags::PARTICLE) && last < end + 3 {
            last += 1;
        }
        if document
            .words
            .get(last)
            .is_some_and(|w| w.case == Case::Title && w.len() > 2 && w.gap == Gap::SPACE)
        {
            return Some(Name { start: at, end: last + 1, score: 2.5, recognizer: "name_initials" });
        }
    }
    // "Mr. W.", "Dr. P said"
    let letter = end == at + 1 && document.is_cased(at) && !matches!(document.stem(at), "a" | "i");
    if titled && (stopped || letter) {
        return Some(Name { start: at, end, score: 3.0, recognizer: "name_initials" });
    }
    // "Pt J.T. is a 34F"
    let several = end > at + 1 && stopped && !is_abbreviation(document, at, end);
    if several
        && (follows_patient(document, at) || tells_age(document, end) || tells_of_patient(document, end))
    {
        return Some(Name { start: at, end, score: 2.0, recognizer: "name_initials" });
    }
    let labelled = nearest_label(document, cues, at, 4) == Some(Kind::Name)
        || document
            .before(at)
            .take(4)
            .any(|at| matches!(document.stem(at), "initials" | "as" | "initialed" | "signed"));
    (labelled && end > at + 1).then_some(Name { start: at, end, score: 2.0, recognizer: "name_initials" })
}

/// Whether letters with full stops are short for something that is said of patients: "I.V.".
fn is_abbreviation(document: &Document<'_>, at: usize, end: usize) -> bool {
    const KNOWN: &str = "am ama bid bm bp cc cdc cp ct cv dc dm dnr do dob ed eg er es eu ex fda gi gu hpi hs id ie im iq iud \
                         iv la md nih np npo ny or ot pa pm po pp pr prn pt pta qd rn ros rs rx sob sq tb tid uk us uti \
                         va wbc who";
    let letters = || (at..end).flat_map(|at| document.stem(at).bytes());
    KNOWN.split(' ').any(|known| known.bytes().eq(letters()))
}

/// "pt J.T.", "my patient (R.M.K., …", "34F J.T."
fn follows_patient(document: &Document<'_>, at: usize) -> bool {
    let near = Gap::SPACE.with(Gap::COMMA).with(Gap::COLON).with(Gap::BRACKET).with(Gap::STOP);
    at > 0
        && document.gap(at).only(near)
        && (matches!(document.stem(at - 1), "pt" | "patient" | "client")
            || short_age(document.stem(at - 1)).is_some())
}

/// "…, 34F with", "… is a 34 year old": what says behind a name how old somebody is.
fn tells_age(document: &Document<'_>, at: usize) -> bool {
    let told = matches!(document.stem(at), "is" | "was") && matches!(document.stem(at + 1), "a" | "an");
    let at = at + if told { 2 } else { usize::from(matches!(document.stem(at), "a" | "an")) };
    let Some(word) = document.words.get(at) else { return false };
    let years = word.shape == Shape::Digits
        && word.len() <= 3
        && matches!(document.stem(at + 1), "y" | "yo" | "yr" | "year");
    !word.gap.has(Gap::BARRIER) && (years || short_age(document.stem(at)).is_some())
}

/// "O.F. denies pain": what notes say of patients.
fn tells_of_patient(document: &Document<'_>, at: usize) -> bool {
    matches!(
        document.stem(at),
        "reports"
            | "reported"
            | "denies"
            | "denied"
            | "states"
            | "stated"
            | "endorses"
            | "endorsed"
            | "complains"
            | "presents"
            | "presented"
            | "attended"
            | "arrived"
    )
}

/// "SMITH, JOHN A": a family name before a comma and a given name, on a line of its own or behind a label; the word after it.
fn reversed(document: &Document<'_>, cues: &[CueHit], at: usize) -> Option<usize> {
    let (family, given) = (document.words.get(at)?, document.words.get(at + 1)?);
    let written = family.shape == Shape::Letters
        && given.shape == Shape::Letters
        && family.case != Case::Lower
        && (family.case == given.case || given.len() == 1 && given.case == Case::Title)
        && given.gap.only(Gap::COMMA.with(Gap::SPACE))
        && given.gap.has(Gap::COMMA)
        && family.len() > 1;
    if !written || document.is_possessive(at) {
        return None;
    }
    let placed = family.gap.has(Gap::START.with(Gap::LINE).with(Gap::BARRIER))
        || (family.gap.has(Gap::COLON)
            && nearest_label(document, cues, at, 1).is_none_or(|kind| kind == Kind::Name));
    let (first, second) = (document.entry(at), document.entry(at + 1));
    let labelled = family.gap.has(Gap::COLON)
        && cues[..cues.partition_point(|cue| cue.start < at)].iter().rev().take(6).any(|cue| {
            cue.end == at
                && matches!(cue.role, Role::Label | Role::Hint)
                && Kind::BUILT_IN[cue.kind as usize] == Kind::Name
        });
    let patient = family.gap.only(Gap::SPACE.with(Gap::STOP).with(Gap::SENTENCE))
        && at > 0
        && matches!(document.stem(at - 1), "pt" | "patient");
    let initial = given.len() == 1 && document.gap(at + 2).has(Gap::STOP);
    let unknown = |entry: lexicon::Entry| entry == lexicon::Entry::default();
    let introduced = labelled
        && (first.family_name() > 0 || unknown(first) || first.given_name() > 0)
        && first.common() < 5
        && first.medical() == 0
        && (initial || given.len() > 2 && (unknown(second) || second.given_name() > 0))
        && !document.is(at, Tags::NO_NAME.with(Tags::ACKNOWLEDGES))
        && !document.is(at + 1, Tags::NO_NAME.with(Tags::TITLE));
    let names = introduced
        || first.family_name() >= 2
            && first.common() < 5
            && first.town() < 3
            && first.medical() < 2
            && given.len() > 1
            && second.given_name() >= 3
            && second.not_name() < 6
            && second.state() == 0
        // "Wintergreen, Bartholomew"
        || is_rare_word(first)
            && first.town() <= 1
            && given.len() > 2
            && second.given_name() >= 3
            && second.not_name() == 0
            && second.common() == 0
            && second.town() <= 1
        // "Verhoeven, H; Okonkwo, C."
        || is_family_name_alone(document, at)
            && first.family_name() >= 2
            && given.len() == 1
            && document
                .gap(at + 2)
                .has(Gap::STOP.with(Gap::COLON).with(Gap::LINE).with(Gap::SENTENCE).with(Gap::BARRIER));
    if !((placed || patient) && names) {
        return None;
    }
    let mut end = at + 2;
    while end < at + 4 && end < document.len() && document.gap(end) == Gap::SPACE {
        let word = &document.words[end];
        let initial = word.len() == 1 && word.case == Case::Title;
        let middle = word.case == given.case && document.entry(end).given_name() >= 3;
        if !(initial || middle) {
            break;
        }
        end += 1;
    }
    Some(end)
}

/// Words before "from" that make it say where somebody comes from.
fn is_origin(text: &str) -> bool {
    matches!(text, "is" | "are" | "was" | "were" | "am" | "i'm" | "he" | "she" | "moved" | "came" | "comes")
}

/// "…, RN", "… (fellow)", "…, MD": what somebody is, behind the name.
fn credential_cue(document: &Document<'_>, end: usize) -> f32 {
    let gap = document.gap(end);
    let Some(word) = document.words.get(end) else { return 0.0 };
    let text = document.stem(end);
    let degree = matches!(
        text,
        "md" | "do"
            | "rn"
            | "np"
            | "pa"
            | "phd"
            | "lcsw"
            | "lmft"
            | "lpc"
            | "lvn"
            | "lpn"
            | "cna"
            | "crna"
            | "cnm"
            | "pharmd"
            | "dpt"
            | "dds"
            | "dmd"
            | "fnp"
            | "arnp"
            | "aprn"
            | "msw"
            | "rph"
            | "facc"
            | "mba"
            | "psyd"
            | "rdn"
            | "bsn"
            | "msn"
            | "esq"
    ) && word.case != Case::Lower
        && (word.len() > 2 || word.case == Case::Upper);
    if degree && gap.only(Gap::SPACE.with(Gap::COMMA)) {
        return if gap.has(Gap::COMMA) { 3.0 } else { 1.8 };
    }
    // "cardiology (Dr. Ostrander)"
    let titles = document.is(end, Tags::TITLE) && !document.gap(end + 1).has(Gap::BRACKET);
    let described = gap.has(Gap::BRACKET)
        && gap.only(Gap::SPACE.with(Gap::BRACKET))
        && !titles
        && (document.is(end, Tags::RELATION.with(Tags::ROLE))
            || matches!(
                text,
                "fellow"
                    | "resident"
                    | "intern"
                    | "attending"
                    | "pharmacy"
                    | "charge"
                    | "interpreter"
                    | "pcp"
            ));
    if described { 2.0 } else { 0.0 }
}

struct LeftCue {
    strength: f32,
    /// The least prior of the word behind it: "my name is faith", "doctor white".
    floor: f32,
}

/// What stands before a name: "my name is", "Dr.", "mom".
fn left_cue(document: &Document<'_>, cues: &[CueHit], context: &Context, at: usize) -> LeftCue {
    let mut strength = 0.0_f32;
    let turn = context.turn_start(at);
    let back = |n: usize| at.checked_sub(n).filter(|&i| i >= turn).map_or("", |i| document.stem(i));
    let gap = document.gap(at);
    let same = !document.begins_sentence(at);
    let close = gap.only(
        Gap::SPACE.with(Gap::STOP).with(Gap::SENTENCE).with(Gap::COLON).with(Gap::LINE).with(Gap::QUOTE),
    );
    if document.is_before(at, Tags::TITLE)
        && close
        && gap.only(Gap::SPACE.with(Gap::STOP).with(Gap::SENTENCE).with(Gap::LINE))
    {
        let capitals = document.words[at - 1].case == Case::Upper;
        let abbreviation =
            capitals && document.words[at].case != Case::Upper && matches!(back(1), "mr" | "ms");
        strength = strength.max(match back(1) {
            // Mitral regurgitation, multiple sclerosis.
            _ if abbreviation => 0.0,
            "miss" | "nurse" | "officer" | "sir" | "captain" | "judge" | "doc" => 2.2,
            "doctor" => 3.6,
            _ => 4.2,
        });
    }
    // "doctor uh okafor"
    let paused = at >= turn + 2
        && document.class(at - 1) == Class::Filler
        && document.is(at - 2, Tags::TITLE)
        && (at - 1..=at).all(|at| document.gap(at).only(Gap::SPACE.with(Gap::COMMA)));
    if paused {
        strength = strength.max(2.4);
    }
    // "RN Peaches": what somebody is, in capitals before a capitalised name.
    if document.words[at].case == Case::Title
        && gap == Gap::SPACE
        && document.words[at - 1].case == Case::Upper
        && document.is(at - 1, Tags::CREDENTIAL)
    {
        strength = strength.max(1.8);
    }
    // Labels of the kind NAME come from its table.
    let from = cues.partition_point(|cue| cue.start + 10 < at);
    let to = cues.partition_point(|cue| cue.start < at);
    for cue in
        cues[from..to].iter().filter(|cue| cue.end <= at && Kind::BUILT_IN[cue.kind as usize] == Kind::Name)
    {
        let distance = at - cue.end;
        // "i'm on ozempic"
        let takes = distance > 0 && document.stem(cue.end) == "on" && document.stem(cue.end - 1) == "i'm";
        let fillers = !takes && (cue.end..at).all(|i| links_name(document, i));
        // The answer may open a new sentence: "What's your last name? Thompson."
        let crosses = (cue.end..=at).any(|i| document.begins_sentence(i));
        // "calling about my bill"
        let owned = cue.role == Role::Hint && distance > 0 && matches!(back(1), "my" | "the");
        if !fillers
            || owned
            || distance > 4
            || (cue.end..=at).any(|i| document.gap(i).has(Gap::BARRIER))
            || (crosses && distance > 3)
        {
            continue;
        }
        let weight = match cue.role {
            Role::Label => 4.6,
            Role::Hint => 2.4,
            _ => continue,
        };
        let weight = if crosses { weight - 1.5 } else { weight };
        strength = strength.max(weight - 0.2 * distance as f32);
    }
    if same {
        strength = strength.max(relation_cue(document, turn, at));
    }
    if same && strength < 1.6 {
        let word = back(1);
        let greets = |word| matches!(word, "hi" | "hello" | "hey" | "morning" | "afternoon" | "evening");
        let its = word == "its" || word == "it" && document.is_possessive(at - 1);
        strength = strength.max(match word {
            // "hey its jo"
            _ if its && greets(back(2)) => 2.4,
            "it" if its => 1.8,
            "its" if at == turn + 1 => 1.2,
            "hi" | "hello" | "hey" | "thanks" | "goodbye" | "bye" | "morning" | "afternoon" | "evening"
            | "dear" => 1.3,
            "named" | "attention" | "attn" | "aka" | "nee" => 3.0,
            "and" | "or" | "to" if at >= 2 && context.knows_name(document.hash(at - 2)) => 1.2,
            "with" | "for" | "to" | "by" | "from" | "like" | "and" | "is" | "per" | "tell" | "told"
            | "asked" | "ask" | "saw" | "see" | "have" | "had" | "let" | "that's" | "still" | "put"
            | "gave" | "meet" | "met" => {
                let entry = document.entry(at);
                let only_name = entry.given_name() >= 2 && entry.not_name() == 0 && entry.common() == 0;
                // "Saw Okonkwo today"
                let met = matches!(
                    word,
                    "with" | "saw" | "see" | "tell" | "told" | "asked" | "ask" | "meet" | "met"
                );
                let family = entry.town() == 0 && is_family_name_alone(document, at);
                let small = !document.is_cased(at) && family;
                match () {
                    // "Per Rusconi, hold heparin"
                    () if word == "per" && family => 1.8,
                    // "an appointment with goldberg"
                    () if small && word == "with" && matches!(back(2), "appointment" | "appt" | "visit") => {
                        2.6
                    }
                    () if small && met => 1.8,
                    () if only_name || met && family && document.words[at].case == Case::Title => 0.65,
                    () => 0.3,
                }
            }
            // "it's under goldberg"
            "under" if !document.is_cased(at) && is_family_name_alone(document, at) => 2.6,
            // "Appt w/ Verhoeven", "D/w Rusconi, who agrees"
            "w" if gap.has(Gap::SLASH) && gap.only(Gap::SLASH.with(Gap::SPACE))
                || back(2) == "d" && document.gap(at - 1) == Gap::SLASH && gap == Gap::SPACE =>
            {
                let titled = document.words[at].case == Case::Title;
                if titled && is_family_name_alone(document, at) { 2.0 } else { 0.65 }
            }
            "the" | "a" | "an" | "in" | "at" | "my" | "your" | "our" | "his" | "her" | "on" | "this"
            | "some" | "any" | "no" | "of" => -0.8,
            _ => 0.0,
        });
        // "the goldberg family is here"
        let of_family = word == "the"
            && matches!(document.stem(at + 1), "family" | "household")
            && document.gap(at + 1) == Gap::SPACE
            && is_family_name_alone(document, at);
        if of_family {
            return LeftCue { strength: 2.6, floor: -9.0 };
        }
        if matches!(word, "a" | "an") {
            // "a Leo", "an Emory brace": one of many is no person.
            strength = strength.min(-2.2);
        }
        if matches!(
            word,
            "the"
                | "a"
                | "an"
                | "my"
                | "your"
                | "our"
                | "some"
                | "any"
                | "no"
                | "this"
                | "more"
                | "in"
                | "at"
        ) {
            strength = strength.min(-0.8);
        }
    }
    // "given": ["Adaeze", "Nkem"]: a list is of one sort.
    let listed = Gap::QUOTE.with(Gap::COMMA);
    if at > 0
        && gap.only(listed.with(Gap::SPACE))
        && gap.without(Gap::SPACE) == listed
        && context.knows_name(document.hash(at - 1))
    {
        strength = strength.max(2.4);
    }
    // "Z-Pak", "T-Mobile"
    if gap == Gap::HYPHEN && at > 0 && document.words[at - 1].len() == 1 {
        strength = strength.min(-3.0);
    }
    // "F as in Frank": the word explains a letter.
    if back(1) == "in" && back(2) == "as" && (at < 3 || document.words[at - 3].len() == 1) {
        strength = strength.min(-6.0);
    }
    // "delphine d e l p h i n e arceneaux": behind a first name that was spelled comes the last.
    if at >= 4
        && gap.only(Gap::SPACE)
        && (at - 3..at).all(|i| document.words[i].len() == 1 && document.words[i].shape == Shape::Letters)
        && document.entry(at).common() == 0
    {
        strength = strength.max(2.4);
    }
    // "he is from Virginia": of the two, the state.
    if back(1) == "from" && is_origin(back(2)) && document.entry(at).state() >= 2 {
        strength = strength.min(-4.0);
    }
    // "alright benny hop up": somebody is called by name where a turn begins.
    let said = context.first_said(at);
    let soon = context.words_into_turn(document, at) <= said - turn + 3;
    let called = soon
        && strength == 0.0
        && at > turn
        && !document.is_cased(at)
        && gap.only(Gap::SPACE)
        && (said..at).all(|i| document.is(i, Tags::ACKNOWLEDGES));
    if called {
        strength = 0.5;
    }
    // The answer to a question for a name.
    if soon
        && context.answered(document, at).is_some_and(|(kind, _)| Kind::BUILT_IN[kind as usize] == Kind::Name)
    {
        // "anselm grube" and nothing else
        let alone = (at..at + 3).any(|at| document.gap(at + 1).has(Gap::BARRIER));
        strength = strength.max(if alone { 3.4 } else { 2.4 });
    }
    let spoken_to = same && is_spoken_to(document, at);
    if spoken_to {
        strength = strength.max(2.4);
    }
    let entry = document.entry(at);
    let plain = document.is(at, Tags::AUXILIARY) || document.class(at) != Class::None;
    // "and your last name?" "rice"
    let answers = strength >= 3.4
        && entry.family_name() >= 3
        && document.gap(at + 1).has(Gap::BARRIER)
        && context.words_into_turn(document, at) == said - turn
        && !document.is(at, Tags::ACKNOWLEDGES.with(Tags::NO_NAME));
    let floor = if answers && !plain {
        -2.3
    } else if spoken_to || introduces(document, cues, at) && entry.given_name() >= 4 {
        -1.2
    } else if plain {
        -9.0
    } else if strength >= 3.5 && document.is_before(at, Tags::TITLE) && entry.family_name() >= 5 {
        -2.4
    } else if strength >= 4.2
        && (entry.given_name() >= 4
            || (entry.family_name() >= 5 || entry.family_name() >= 3 && ends_here(document, at + 1))
                && follows_family_name_label(document, at))
    {
        -3.0
    } else if strength >= 4.5
        && document.words[at].case == Case::Title
        && document.is_cased(at)
        && !document.begins_sentence(at)
        && !document.is(at, Tags::NO_NAME.with(Tags::TITLE))
    {
        // "he goes by Memo"
        -2.6
    } else {
        -9.0
    };
    LeftCue { strength, floor }
}

/// "my last name is banks", but "my last name is long".
fn follows_family_name_label(document: &Document<'_>, at: usize) -> bool {
    let linked = usize::from(at > 0 && matches!(document.stem(at - 1), "is" | "was" | "it's"));
    let back = |n: usize| document.stem_before(at, n + linked);
    let labelled =
        back(1) == "surname" || back(1) == "name" && matches!(back(2), "last" | "family" | "maiden");
    labelled
        && !matches!(
            document.stem(at),
            "long"
                | "short"
                | "hard"
                | "common"
                | "new"
                | "wrong"
                | "right"
                | "correct"
                | "different"
                | "same"
                | "still"
                | "first"
                | "next"
                | "case"
        )
}

/// "tell rose i called", "talk to mark about it": whom somebody speaks to without an article is called by name, also by one that
/// is a word besides.
fn is_spoken_to(document: &Document<'_>, at: usize) -> bool {
    let back = |n: usize| document.stem_before(at, n);
    let talks = |word| matches!(word, "talk" | "talked" | "talking" | "speak" | "spoke" | "speaking");
    let spoken_to = matches!(back(1), "tell" | "told" | "ask" | "asked" | "remind")
        || matches!(back(1), "to" | "with") && talks(back(2));
    let goes_on = document.begins_clause(at + 1)
        || matches!(
            document.stem(at + 1),
            "i" | "he"
                | "she"
                | "we"
                | "they"
                | "that"
                | "to"
                | "if"
                | "about"
                | "when"
                | "what"
                | "in"
                | "at"
                | "from"
        );
    spoken_to
        && goes_on
        && document.gap(at) == Gap::SPACE
        && document.entry(at).given_name() >= 4
        && !document.is(at, Tags::RELATION.with(Tags::AUXILIARY))
        && !(document.is_cased(at) && document.words[at].case == Case::Lower)
}

/// "This is Will.": a capitalised word that is all that follows.
fn introduces(document: &Document<'_>, cues: &[CueHit], at: usize) -> bool {
    let word = &document.words[at];
    let said = at >= 2 && matches!((document.stem(at - 2), document.stem(at - 1)), ("this", "is"));
    said && word.case == Case::Title
        && document.is_cased(at)
        && !document.begins_sentence(at)
        && (document.begins_sentence(at + 1) || document.gap(at + 1).has(Gap::COMMA))
        && cues.iter().any(|cue| cue.end == at)
}

/// What a relation before a name in the same turn tells: "my husband …", "her mother in law …", "mom, …", "my mom is …".
fn relation_cue(document: &Document<'_>, turn: usize, at: usize) -> f32 {
    let before = |n: usize| at.checked_sub(n).filter(|&i| i >= turn);
    let back = |n: usize| before(n).map_or("", |i| document.stem(i));
    let gap = document.gap(at);
    let relation = |n: usize| before(n).is_some_and(|i| document.is(i, Tags::RELATION));
    let plain = gap.only(Gap::SPACE);
    let of = |n: usize| {
        matches!(back(n), "my" | "his" | "her" | "our" | "their" | "your")
            || (matches!(
                back(n),
                "ex" | "late" | "older" | "younger" | "oldest" | "youngest" | "little" | "big"
            ) && matches!(back(n + 1), "my" | "his" | "her" | "our" | "their" | "your"))
            || document.is_possessive(at.saturating_sub(n))
    };
    if relation(1) && gap.only(Gap::SPACE.with(Gap::COMMA).with(Gap::BRACKET)) {
        return match (plain, of(2)) {
            (true, true) => 3.2,
            (true, false) => 2.2,
            // "my brother, Chance, …"
            (false, true) if document.words[at].case == Case::Title && document.is_cased(at) => 3.0,
            (false, _) => 1.6,
        };
    }
    if plain && back(1) == "law" && back(2) == "in" && relation(3) {
        return if of(4) { 3.2 } else { 2.2 };
    }
    if plain && matches!(back(1), "is" | "was") && relation(2) && of(3) { 1.8 } else { 0.0 }
}

/// "… is my wife", behind a name.
fn is_related(document: &Document<'_>, end: usize) -> bool {
    document.gap(end) == Gap::SPACE
        && matches!(document.stem(end), "is" | "was")
        && matches!(document.stem(end + 1), "my" | "his" | "her" | "our")
        && document.is(end + 2, Tags::RELATION)
}

/// What stands after a name: "speaking", a spelling of it; or "disease", "street", "hospital".
fn right_cue(document: &Document<'_>, cues: &[CueHit], spelled: &[Spelled], start: usize, end: usize) -> f32 {
    let mut strength = 0.0_f32;
    let next = spelled.partition_point(|run| run.start < end);
    if let Some(run) = spelled.get(next).filter(|run| run.start <= end + 3)
        && document.same_turn(start, run.start)
        && (start..end).any(|at| document.hash(at) == run.hash)
    {
        return 5.0;
    }
    let after = document.stem(end);
    let gap = document.gap(end);
    let possessive = document.is_possessive(end - 1);
    if gap.only(Gap::SPACE.with(Gap::QUOTE)) {
        strength += match after {
            "speaking" | "calling" => 1.6,
            "said" | "says" | "told" | "asked" | "called" | "wants" | "thinks" | "mentioned" => 1.9,
            "here" => 0.8,
            "disease" | "syndrome" | "palsy" | "sign" | "score" | "catheter" | "procedure" | "test"
            | "reflex" | "tumor" | "lymphoma" | "fracture" | "scale" | "criteria" | "classification"
            | "maneuver" | "effect" | "esophagus" | "thyroiditis" | "phenomenon" | "contracture" | "cyst"
            | "node" | "nodes" | "monitor" | "stain" | "method" | "law" | "formula" | "index" | "scan"
            | "tube" | "pump" | "valve" | "clamp" | "stent" | "shot" | "bag" | "line" | "model"
            | "exercises" | "scores" | "grade" | "class" | "rule" | "rules" | "calculator" | "nomogram"
            | "regimen" | "equation" | "questionnaire" | "inventory" | "technique" | "repair"
            | "operation" | "incision" | "position" | "staging" | "stage" | "triad" | "ulcer" | "hernia"
            | "bodies" | "lines" | "medium" | "agar" | "plot" | "curve" | "filter" | "retractor"
            | "forceps" => -4.5,
            "street" | "avenue" | "road" | "boulevard" | "lane" | "drive" | "st" | "ave" | "rd" | "blvd"
            | "county" | "highway" => -3.0,
            "medical" if matches!(document.stem(end + 1), "record" | "records") => 0.0,
            "hospital" | "clinic" | "medical" | "center" | "university" | "pharmacy" | "health"
            | "institute" | "college" | "school" | "foundation" | "memorial" | "pediatrics"
            | "healthcare" | "hospitals" | "inc" | "llc" | "insurance" => -3.0,
            _ => 0.0,
        };
    }
    strength += credential_cue(document, end);
    // "costellano with an o"
    let letter = |at: usize| matches!(document.class(at), Class::Letter | Class::Oh);
    if after == "with"
        && matches!(document.stem(end + 1), "a" | "an" | "one" | "two" | "no")
        && letter(end + 2)
        && document.words[end + 2].len() == 1
        && (document.begins_clause(end + 3) || matches!(document.stem(end + 3), "and" | "at" | "in" | "not"))
    {
        strength += 2.5;
    }
    let written = document.words[start].case != Case::Upper;
    if written
        && gap.only(Gap::SPACE)
        && document.entry(start).common() == 0
        && document.entry(start).medical() == 0
    {
        strength += match after {
            "is" | "was" | "has" | "had" | "isn't" | "wasn't" | "needs" | "lives" | "doesn't" | "can't" => {
                0.5
            }
            _ => 0.0,
        };
    }
    let of_family = matches!(after, "family" | "household") && is_family_name_alone(document, end - 1);
    if is_related(document, end) || of_family && gap == Gap::SPACE {
        strength += 1.9;
    }
    // "Franklin denies chest pain.", "Aurora is a 7-year-old girl", but "RA presents"
    let entry = document.entry(start);
    let listed = entry.given_name() | entry.family_name() != 0 && document.words[start].case != Case::Upper;
    let tells = tells_of_patient(document, end) || document.stem(end) == "is" && tells_age(document, end);
    if listed && start + 1 == end && gap == Gap::SPACE && tells {
        strength += 1.9;
    }
    // "gauri's prescription"
    if possessive
        && start + 1 == end
        && !document.is_cased(start)
        && gap == Gap::SPACE
        && document.entry(start).eponym() == 0
        && (is_given_name_alone(document, start) || is_mostly_a_given_name(document.entry(start)))
    {
        strength += 1.2;
    }
    // "gordon has an appointment"
    if matches!(after, "has" | "needs")
        && matches!(document.stem(end + 1), "a" | "an")
        && matches!(
            document.stem(end + 2),
            "appointment" | "appt" | "question" | "prescription" | "refill" | "referral"
        )
        && !document.is_cased(start)
        && document.entry(start).given_name() >= 4
    {
        strength += 1.5;
    }
    // "Parkinson's" and "the Foley", but "the Foley family" is one of people.
    let article = start > 0 && matches!(document.stem(start - 1), "the" | "a" | "an");
    let titled = document.is_before(start, Tags::TITLE);
    let thing = !titled && possessive || (article && !matches!(after, "family" | "household"));
    // "Thomas's A1c is 7.2."
    let named = document.begins_sentence(start) && document.entry(start).given_name() >= 5;
    if thing && !named && start + 1 == end && document.entry(start).eponym() == 1 {
        strength -= 3.5;
    }
    // "Gleason 4+3"
    let scored = document.words.get(end).is_some_and(|word| word.shape == Shape::Digits && word.len() <= 2);
    if !thing && scored && gap.only(Gap::SPACE) && (start..end).any(|at| document.entry(at).eponym() == 1) {
        strength -= 3.5;
    }
    // Another kind's cue that begins with this word: "rose medical record".
    let from = cues.partition_point(|cue| cue.start < start);
    let labels =
        cues[from..].iter().take_while(|cue| cue.start == start).filter(|cue| cue.role == Role::Label);
    if labels.into_iter().any(|cue| cue.end > end || Kind::BUILT_IN[cue.kind as usize] != Kind::Name) {
        strength -= 3.0;
    }
    // "Chicago, Illinois": a place.
    if gap.only(Gap::SPACE.with(Gap::COMMA))
        && document.entry(end - 1).town() > 0
        && document.entry(end).state() >= 2
        && document.words.get(end).is_some_and(|w| w.case != Case::Lower || document.entry(end).state() == 3)
    {
        strength -= 2.0;
    }
    // A phrase of medicine, an institution or a brand that holds the words.
    for first in start.saturating_sub(2)..=start {
        let Some((last, entry)) =
            document.longest_phrase(first, |entry| entry.medical() > 0 || entry.institution() == 1)
        else {
            continue;
        };
        let longer = last - first > end - start;
        let whole = last - first > 1 && first == start && last == end && entry.given_name() == 0;
        // "Child-Pugh B"
        let graded = first < start && last + 1 == end && document.words[last].len() == 1;
        if last >= end && (longer || whole) || graded {
            strength -= if entry.institution() == 1 { 5.0 } else { 3.0 };
            break;
        }
    }
    strength
}
