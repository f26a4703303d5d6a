//! Street lines, post office boxes, towns and counties: every place smaller than a state.

mod crossing;
mod found;
mod street;
mod tail;
mod town;

use std::borrow::Cow;

use self::crossing::crossing;
use self::street::{post_box, street};
use self::town::{county, town};
use crate::Kind;
use crate::detect::Pass;
use crate::detect::candidate::Candidate;
use crate::detect::context::Context;
use crate::detect::cues::{CueHit, Role};
use crate::detect::document::Document;
use crate::detect::starts::{Flags, WordSet};
use crate::detect::vocabulary::Tags;
use crate::view::{Case, Class, Shape};

pub(crate) fn find(document: &Document<'_>, cues: &[CueHit], context: &Context, out: &mut Vec<Candidate>) {
    let mut floor = 0;
    let cues = &*with_answers(document, cues, context);
    let asked = asked_for(document, cues);
    for at in document.starts.places(&asked).iter() {
        if at < floor {
            continue;
        }
        let entry = document.entry(at);
        let town = entry.town() | entry.begins_town() != 0;
        let county = entry.county() | entry.begins_county() != 0
            && document.starts.any(Flags::STATE, at + 1, at + TOWN_WORDS + 1);
        let number = document.words[at].shape != Shape::Letters || document.is(at, Tags::NUMBER);
        let street = number || entry.unit() == 1 || leads_to_street(document, at);
        let post_box_here = document.is(at, Tags::POST_BOX);
        let crossing_here = document.is(at, Tags::CROSSING);
        if !(town || county || street || post_box_here || crossing_here) {
            continue;
        }
        let found = post_box_here
            .then(|| post_box(document, at))
            .flatten()
            .or_else(|| crossing_here.then(|| crossing(document, at)).flatten())
            .or_else(|| street.then(|| self::street(document, cues, at, floor)).flatten())
            .or_else(|| {
                (town && tells_town(document, &asked, at)).then(|| self::town(document, cues, at)).flatten()
            })
            .or_else(|| county.then(|| self::county(document, at)).flatten());
        if let Some(found) = found {
            let end = found.end;
            let spoken = (found.start..end).any(|word| {
                matches!(document.class(word), Class::Digit | Class::Teen | Class::Tens | Class::Oh)
            });
            let pass = if spoken {
                Pass::Spoken
            } else if found.recognizer == "town" || found.recognizer == "county" {
                Pass::Dictionary
            } else {
                Pass::Regex
            };
            out.push(Candidate {
                kind: found.kind,
                span: document.span(found.start, end),
                score: found.score,
                validated: found.recognizer == "street_address" || found.recognizer == "post_box",
                pass,
                recognizer: found.recognizer.into(),
            });
            if let Some((start, zip_end)) = found.zip {
                let spoken = document.words[start].shape == Shape::Letters;
                out.push(Candidate {
                    kind: Kind::Zip,
                    span: document.span(start, zip_end),
                    score: 0.9,
                    validated: false,
                    pass: if spoken { Pass::Spoken } else { Pass::Regex },
                    recognizer: "zip_after_state".into(),
                });
                floor = zip_end;
            } else {
                floor = end;
            }
        }
    }
}

/// How far a label says that a place comes, in words.
const LABEL_REACH: usize = 3;

/// Cues with a label before each answer to a question for a place.
fn with_answers<'c>(document: &Document<'_>, cues: &'c [CueHit], context: &Context) -> Cow<'c, [CueHit]> {
    let mut cues = Cow::Borrowed(cues);
    for (start, kind) in context.answers(document, &Kind::Address) {
        let place = cues.partition_point(|cue| cue.start < start);
        cues.to_mut().insert(place, CueHit { start, end: start, kind, role: Role::Label });
    }
    cues
}

/// The words at which a label says that a place may begin.
fn asked_for(document: &Document<'_>, cues: &[CueHit]) -> WordSet {
    let mut asked = document.starts.no_words();
    for cue in cues {
        if cue.role == Role::Label && Kind::BUILT_IN[usize::from(cue.kind)] == Kind::Address {
            for at in cue.end..document.len().min(cue.end + LABEL_REACH + 1) {
                asked.add(at);
            }
        }
    }
    asked
}

/// The longest name of a street before its suffix, in words, with a direction.
const STREET_WORDS: usize = 8;

/// The longest name of a town, in words.
const TOWN_WORDS: usize = 6;

/// Whether a street without a number may begin at a word: something leads to it, and the word for a street follows.
fn leads_to_street(document: &Document<'_>, at: usize) -> bool {
    document.is_before(at, Tags::LEADS_STREET) && document.starts.any(Flags::SUFFIX, at, at + STREET_WORDS)
}

/// Whether something around a word tells that a town may begin there.
fn tells_town(document: &Document<'_>, asked: &WordSet, at: usize) -> bool {
    if document.is_cased(at) && document.words[at].case == Case::Lower {
        return false;
    }
    asked.has(at)
        || document.is_before(at, Tags::LEADS_TOWN)
        || document.starts.any(Flags::STATE, at + 1, at + TOWN_WORDS + 1)
}
