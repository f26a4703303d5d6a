//! Person names, from word lists and the evidence around a word.
//!
//! Every word has a prior, the log odds that it is part of a name; what stands around it raises or lowers them. A name is
//! scored whole: its best word, its pattern (given name before family name), and the cues beside it.

mod after;
mod before;
mod initials;
mod leads;
mod odds;
mod parts;
mod reversed;
mod spelled;
mod words;

use self::before::with_title;
use self::initials::{find_initials, initials_before};
use self::leads::{Leads, is_hopeless, stands_alone, tells_relation};
pub(super) use self::odds::flags_of;
use self::odds::{ACCEPT, ALONE, HOPELESS, LEARN, LEAST_LEAD, WORTH_A_LOOK, candidate, prior};
use self::parts::{name_at, pairs_with_next};
use self::reversed::{begins_reversed, reversed};
use self::spelled::{judge_spelled, spelled_runs};
use self::words::is_suffix;
use crate::detect::candidate::Candidate;
use crate::detect::context::Context;
use crate::detect::cues::CueHit;
use crate::detect::document::Document;
use crate::detect::vocabulary::Tags;
use crate::view::{CodeRun, Gap};

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

fn learn(document: &Document<'_>, context: &mut Context, start: usize, end: usize) {
    for at in start..end {
        let word = &document.words[at];
        let stem = document.stem(at);
        if word.len() > 2 && !document.is(at, Tags::PARTICLE) && !is_suffix(stem) && document.is_settled(at) {
            context.learn_name(word.hash, stem);
        }
    }
}
