//! Names of which only the first letter is given.

use super::after::{credential_cue, ends_here, tells_age, tells_of_patient};
use super::before::{follows_patient, nearest_label};
use super::odds::candidate;
use super::parts::Name;
use super::words::is_family_name_alone;
use crate::detect::candidate::Candidate;
use crate::detect::cues::{CueHit, Role};
use crate::detect::document::Document;
use crate::detect::vocabulary::Tags;
use crate::view::{Case, Gap, Shape};
use crate::{Kind, lexicon};

/// "Initials: JTH"
pub(super) fn find_initials(document: &Document<'_>, cues: &[CueHit], out: &mut Vec<Candidate>) {
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

/// How many initials stand before a name that is said, one or two: not "vitamin d", so something must lead to them.
pub(super) fn initials_before(document: &Document<'_>, at: usize) -> usize {
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
    if first == at || document.words[at].len() <= 3 || document.is_cased(at) {
        return 0;
    }
    let entry = document.entry(at);
    let family = entry.family_name() >= 3 && entry.not_name() <= 2;
    if !(family || is_family_name_alone(document, at) && ends_here(document, at + 1)) {
        return 0;
    }
    let begins = document.gap(first).has(Gap::START.with(Gap::BARRIER).with(Gap::LINE).with(Gap::COMMA));
    let leads = Tags::NO_NAME.with(Tags::AUXILIARY).with(Tags::TITLE).with(Tags::RELATION);
    let led = first > 0
        && document.words[first - 1].len() > 1
        && (document.is(first - 1, leads) || matches!(document.stem(first - 1), "name" | "under"));
    if begins && family || led { at - first } else { 0 }
}

/// "D.C.", "J. D." after a cue that asks for initials or a name.
pub(super) fn initials(document: &Document<'_>, cues: &[CueHit], at: usize) -> Option<Name> {
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
