//! What stands before a name, as evidence for it or against it.

use super::after::ends_here;
use super::words::is_family_name_alone;
use crate::Kind;
use crate::detect::ages::short_age;
use crate::detect::context::Context;
use crate::detect::cues::{CueHit, Role};
use crate::detect::document::Document;
use crate::detect::vocabulary::Tags;
use crate::view::{Case, Class, Gap, Shape};

/// Whether a word may stand between a cue and the name: "my name, uh, is actually …".
pub(super) fn links_name(document: &Document<'_>, at: usize) -> bool {
    document.is(at, Tags::LINKS_NAME) || document.class(at) == Class::Filler
}

/// The kind of the nearest label cue within `reach` words before a word.
pub(super) fn nearest_label(
    document: &Document<'_>,
    cues: &[CueHit],
    at: usize,
    reach: usize,
) -> Option<Kind> {
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

/// Where a name begins together with the abbreviated title before it. After a preposition ("seen by Dr. Smith") the two are
/// one reference; a title that is spoken out, or that introduces somebody ("this is Dr. Smith"), stays, because it tells a
/// listener whom he deals with.
pub(super) fn with_title(document: &Document<'_>, start: usize) -> usize {
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

/// "pt J.T.", "my patient (R.M.K., …", "34F J.T."
pub(super) fn follows_patient(document: &Document<'_>, at: usize) -> bool {
    let near = Gap::SPACE.with(Gap::COMMA).with(Gap::COLON).with(Gap::BRACKET).with(Gap::STOP);
    at > 0
        && document.gap(at).only(near)
        && (matches!(document.stem(at - 1), "pt" | "patient" | "client")
            || short_age(document.stem(at - 1)).is_some())
}

/// Words before "from" that make it say where somebody comes from.
fn is_origin(text: &str) -> bool {
    matches!(text, "is" | "are" | "was" | "were" | "am" | "i'm" | "he" | "she" | "moved" | "came" | "comes")
}

/// "Zadie 7, Kofi 4": whether a given name with an age stands behind another and a comma.
fn follows_child(document: &Document<'_>, at: usize) -> bool {
    let is_aged = |at: usize| {
        document.entry(at).given_name() > 0
            && document.words[at].case == Case::Title
            && document.gap(at + 1) == Gap::SPACE
            && document.words.get(at + 1).is_some_and(|age| age.shape == Shape::Digits && age.len() <= 2)
    };
    at >= 2 && document.gap(at).has(Gap::COMMA) && is_aged(at - 2) && is_aged(at)
}

pub(super) struct LeftCue {
    pub(super) strength: f32,
    /// The least prior of the word behind it: "my name is faith", "doctor white".
    pub(super) floor: f32,
}

/// What stands before a name: "my name is", "Dr.", "mom".
pub(super) fn left_cue(document: &Document<'_>, cues: &[CueHit], context: &Context, at: usize) -> LeftCue {
    let turn = context.turn_start(at);
    let back = |n: usize| stem_back(document, turn, at, n);
    let gap = document.gap(at);
    let same = !document.begins_sentence(at);
    let mut strength = title_cue(document, turn, at).max(label_cue(document, cues, turn, at));
    if same {
        strength = strength.max(relation_cue(document, turn, at));
    }
    if same && strength < 1.6 {
        if is_called_a_family(document, turn, at) {
            return LeftCue { strength: 2.6, floor: -9.0 };
        }
        // "twin A (Isla)"
        let most = if gap.has(Gap::BRACKET) { f32::INFINITY } else { most_behind(back(1)) };
        strength = strength.max(word_cue(document, context, turn, at)).min(most);
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
    if follows_child(document, at) {
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
    LeftCue { strength, floor: floor(document, cues, context, at, strength, spoken_to) }
}

/// The word so many before another in the same turn, or nothing.
fn stem_back<'d>(document: &'d Document<'_>, turn: usize, at: usize, back: usize) -> &'d str {
    at.checked_sub(back).filter(|&i| i >= turn).map_or("", |i| document.stem(i))
}

/// How strongly a title or what somebody is leads to a name.
fn title_cue(document: &Document<'_>, turn: usize, at: usize) -> f32 {
    let mut strength = 0.0_f32;
    let back = |n: usize| stem_back(document, turn, at, n);
    let gap = document.gap(at);
    if document.is_before(at, Tags::TITLE)
        && gap.only(Gap::SPACE.with(Gap::STOP).with(Gap::SENTENCE).with(Gap::LINE))
    {
        let capitals = document.words[at - 1].case == Case::Upper;
        let abbreviation =
            capitals && document.words[at].case != Case::Upper && matches!(back(1), "mr" | "ms");
        strength = strength.max(match back(1) {
            // Mitral regurgitation, multiple sclerosis.
            _ if abbreviation => 0.0,
            // "Nurse Obi"
            "nurse" | "officer" if is_capitalised_in_sentence(document, at) => 4.2,
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
    strength
}

/// Whether a word that is seldom said has a capital of its own.
fn is_capitalised_in_sentence(document: &Document<'_>, at: usize) -> bool {
    let entry = document.entry(at);
    document.words[at].case == Case::Title
        && document.is_cased(at)
        && !document.begins_sentence(at)
        && entry.common() <= 2
        && entry.medical() == 0
        && entry.institution() == 0
}

/// How strongly a phrase that leads to names does: "my name is", "calling for".
fn label_cue(document: &Document<'_>, cues: &[CueHit], turn: usize, at: usize) -> f32 {
    let mut strength = 0.0_f32;
    let back = |n: usize| stem_back(document, turn, at, n);
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
    strength
}

/// How strongly the one word before a name leads to it.
fn word_cue(document: &Document<'_>, context: &Context, turn: usize, at: usize) -> f32 {
    let back = |n: usize| stem_back(document, turn, at, n);
    let gap = document.gap(at);
    let word = back(1);
    let greets = |word| matches!(word, "hi" | "hello" | "hey" | "morning" | "afternoon" | "evening");
    let its = word == "its" || word == "it" && document.is_possessive(at - 1);
    match word {
        // "hey its jo"
        _ if its && greets(back(2)) => 2.4,
        "it" if its => 1.8,
        "its" if at == turn + 1 => 1.2,
        "hi" | "hello" | "hey" | "thanks" | "goodbye" | "bye" | "morning" | "afternoon" | "evening"
        | "dear" => 1.3,
        "named" | "attention" | "attn" | "aka" | "nee" => 3.0,
        // "we named her wren"
        "her" | "him" if matches!(back(2), "named" | "naming" | "name") => 3.0,
        "and" | "or" | "to" if at >= 2 && context.knows_name(document.hash(at - 2)) => 1.2,
        "with" | "for" | "to" | "by" | "from" | "like" | "and" | "is" | "per" | "tell" | "told" | "asked"
        | "ask" | "saw" | "see" | "have" | "had" | "let" | "that's" | "still" | "put" | "gave" | "meet"
        | "met" => {
            let entry = document.entry(at);
            let only_name = entry.given_name() >= 2 && entry.not_name() == 0 && entry.common() == 0;
            // "Saw Okonkwo today"
            let met =
                matches!(word, "with" | "saw" | "see" | "tell" | "told" | "asked" | "ask" | "meet" | "met");
            let family = entry.town() == 0 && is_family_name_alone(document, at);
            let small = !document.is_cased(at) && family;
            match () {
                // "Per Rusconi, hold heparin"
                () if word == "per" && family => 1.8,
                // "an appointment with goldberg"
                () if small && word == "with" && matches!(back(2), "appointment" | "appt" | "visit") => 2.6,
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
        _ => 0.0,
    }
}

/// "the goldberg family is here"
fn is_called_a_family(document: &Document<'_>, turn: usize, at: usize) -> bool {
    at > turn
        && document.stem(at - 1) == "the"
        && matches!(document.stem(at + 1), "family" | "household")
        && document.gap(at + 1) == Gap::SPACE
        && is_family_name_alone(document, at)
}

/// The most that leads to a name behind a word: one of many is no person ("a Leo", "an Emory brace").
fn most_behind(word: &str) -> f32 {
    match word {
        "a" | "an" => -2.2,
        "the" | "my" | "your" | "our" | "some" | "any" | "no" | "this" | "more" | "in" | "at" => -0.8,
        _ => f32::INFINITY,
    }
}

/// The least prior that what stands before a word gives it.
fn floor(
    document: &Document<'_>,
    cues: &[CueHit],
    context: &Context,
    at: usize,
    strength: f32,
    spoken_to: bool,
) -> f32 {
    let entry = document.entry(at);
    let plain = document.is(at, Tags::AUXILIARY) || document.class(at) != Class::None;
    // "and your last name?" "rice"
    let answers = strength >= 3.4
        && entry.family_name() >= 3
        && document.gap(at + 1).has(Gap::BARRIER)
        && context.words_into_turn(document, at) == context.first_said(at) - context.turn_start(at)
        && !document.is(at, Tags::ACKNOWLEDGES.with(Tags::NO_NAME));
    if answers && !plain {
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
    }
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
    let back = |n: usize| stem_back(document, turn, at, n);
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
