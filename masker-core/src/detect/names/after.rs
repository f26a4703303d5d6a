//! What stands behind a name, as evidence for it or against it.

use super::spelled::Spelled;
use super::words::{is_contraction, is_family_name_alone, is_given_name_alone, is_mostly_a_given_name};
use crate::Kind;
use crate::detect::ages::short_age;
use crate::detect::cues::{CueHit, Role};
use crate::detect::document::Document;
use crate::detect::vocabulary::Tags;
use crate::view::{Case, Class, Gap, Shape};

/// Whether nothing is said from a word on that goes on with the one before it.
pub(super) fn ends_here(document: &Document<'_>, at: usize) -> bool {
    document.begins_clause(at)
        || document.is(at, Tags::FOLLOWS_NAME.with(Tags::AUXILIARY).with(Tags::NO_NAME))
        || matches!(document.stem(at), "date" | "dob" | "last" | "today" | "tomorrow" | "yesterday")
        || document.words[at].apostrophe && is_contraction(document.stem(at))
}

/// "…, 34F with", "… is a 34 year old": what says behind a name how old somebody is.
pub(super) fn tells_age(document: &Document<'_>, at: usize) -> bool {
    let told = matches!(document.stem(at), "is" | "was") && matches!(document.stem(at + 1), "a" | "an");
    let at = at + if told { 2 } else { usize::from(matches!(document.stem(at), "a" | "an")) };
    let Some(word) = document.words.get(at) else { return false };
    let years = word.shape == Shape::Digits
        && word.len() <= 3
        && matches!(document.stem(at + 1), "y" | "yo" | "yr" | "year");
    !word.gap.has(Gap::BARRIER) && (years || short_age(document.stem(at)).is_some())
}

/// "O.F. denies pain": what notes say of patients.
pub(super) fn tells_of_patient(document: &Document<'_>, at: usize) -> bool {
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

/// "…, RN", "… (fellow)", "…, MD": what somebody is, behind the name.
pub(super) fn credential_cue(document: &Document<'_>, end: usize) -> f32 {
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
            )
            || word.case == Case::Upper && matches!(text, "cm" | "ot" | "pt" | "rd" | "rt" | "slp" | "sw"));
    if described { 2.0 } else { 0.0 }
}

/// "… is my wife", behind a name.
pub(super) fn is_related(document: &Document<'_>, end: usize) -> bool {
    document.gap(end) == Gap::SPACE
        && matches!(document.stem(end), "is" | "was")
        && matches!(document.stem(end + 1), "my" | "his" | "her" | "our")
        && document.is(end + 2, Tags::RELATION)
}

/// What stands after a name: "speaking", a spelling of it; or "disease", "street", "hospital".
pub(super) fn right_cue(
    document: &Document<'_>,
    cues: &[CueHit],
    spelled: &[Spelled],
    start: usize,
    end: usize,
) -> f32 {
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
