//! Dates, written in digits and said in words.

mod alone;
mod cue;
mod hit;
mod numeric;
mod said;
mod written;

use self::alone::{day_alone, ends_day, holiday, month_alone};
use self::cue::{DateCue, date_cue};
pub(crate) use self::hit::{Date, DateHit};
use self::numeric::month_and_day;
pub(crate) use self::numeric::numeric;
use self::said::{day_first, month_first, said_day, skip_fillers, year_at};
use self::written::{compact_iso, glued, stands_among_numbers, written};
use crate::Kind;
use crate::detect::candidate::Candidate;
use crate::detect::context::Context;
use crate::detect::cues::CueHit;
use crate::detect::document::Document;
use crate::detect::starts::Flags;
use crate::detect::vocabulary::Tags;
use crate::detect::{Pass, codes};
use crate::view::{Class, CodeRun, Gap, Shape};

/// The fewest digits of a date in digits alone.
const SHORTEST: usize = 4;

pub(crate) fn find(
    document: &Document<'_>,
    cues: &[CueHit],
    runs: &[CodeRun],
    context: &Context,
    out: &mut Vec<Candidate>,
) {
    let mut hits: Vec<DateHit> = Vec::new();
    let mut from = 0;
    for at in document.starts.of(Flags::RARE) {
        let begins =
            document.words[at].shape != Shape::Letters || document.is(at, Tags::DATE.with(Tags::HOLIDAY));
        if at >= from
            && begins
            && let Some(hit) = date_at(document, at)
        {
            from = hit.end;
            hits.push(hit);
        }
    }
    for run in runs.iter().filter(|run| run.pieces.len() >= SHORTEST) {
        // "d o b oh three oh nine …": the label is spelled in one run with its value.
        let trimmed = codes::without_label(cues, run);
        hits.extend(numeric(document, trimmed.as_ref().unwrap_or(run)));
    }
    hits.extend(runs.iter().filter_map(|run| month_and_day(document, run)));
    hits.sort_by_key(|hit| (hit.start, std::cmp::Reverse(hit.end)));
    let mut last_end = 0;
    let mut emitted: Vec<(DateHit, bool)> = Vec::new();
    for hit in hits {
        if hit.start < last_end {
            continue;
        }
        let cue = date_cue(document, cues, context, &hit);
        if hit.needs_cue && cue == DateCue::None {
            continue;
        }
        let hit = if cue == DateCue::Birth { with_year_before(document, hit, last_end) } else { hit };
        last_end = hit.end;
        emitted.push((hit, cue == DateCue::Birth));
    }
    let mut index = 0;
    while index < emitted.len() {
        let (hit, mut birth) = emitted[index];
        let (mut end, mut last) = (hit.end, hit);
        // "May 2nd through May 9th" is one range.
        while let Some((next, next_birth)) = emitted.get(index + 1) {
            let between: Vec<&str> = (end..next.start).map(|w| document.stem(w)).collect();
            let range = matches!(between[..], ["to" | "through" | "thru" | "until" | "till"])
                || (between.is_empty() && document.gap(next.start).only(Gap::SPACE.with(Gap::HYPHEN)));
            if !range {
                break;
            }
            (end, last) = (next.end, *next);
            birth |= next_birth;
            index += 1;
        }
        index += 1;
        end = with_further_days(document, &last).max(end);
        out.push(Candidate {
            kind: if birth { Kind::Dob } else { Kind::Date },
            span: document.span(hit.start, end),
            score: if birth { 0.95 } else { 0.85 },
            validated: hit.date.day.is_some() && hit.date.year.is_some(),
            pass: if hit.spoken { Pass::Spoken } else { Pass::Regex },
            recognizer: hit.recognizer.into(),
        });
    }
}

/// "december tenth through the seventeenth", "march fourth, fifth and sixth": the days that follow, without their month.
fn with_further_days(document: &Document<'_>, hit: &DateHit) -> usize {
    let mut end = hit.end;
    loop {
        let spaced = |at: usize| document.gap(at).only(Gap::SPACE.with(Gap::COMMA));
        let word = document.stem(end);
        let range = matches!(word, "to" | "through" | "thru" | "until" | "till");
        let listed = matches!(word, "and" | "or");
        let next = end + usize::from(range || listed);
        let day = next + usize::from(document.stem(next) == "the");
        let Some(said) = said_day(document, day).filter(|said| !said.cardinal) else { return end };
        let named = document.words[day].shape != Shape::Digits && hit.date.day.is_some();
        // "march fourth and the fifth floor", "march fourth first thing"
        let fits = range || named && if listed { ends_day(document, said.end) } else { said.day >= 4 };
        if !(fits && (end..=day).all(spaced)) {
            return end;
        }
        end = said.end;
    }
}

/// "nineteen sixty eight, um, third of october": the year that was said before a birth day belongs to it.
fn with_year_before(document: &Document<'_>, hit: DateHit, floor: usize) -> DateHit {
    if hit.date.year.is_some() {
        return hit;
    }
    for start in (floor.max(hit.start.saturating_sub(6))..hit.start).rev() {
        if document.gap(start + 1).has(Gap::BARRIER) {
            return hit;
        }
        if matches!(document.stem(start), "in" | "of") || document.class(start) == Class::Filler {
            continue;
        }
        if let Some((Some(year), end, spoken)) = year_at(document, start, false) {
            // The longest reading that ends right before the date.
            if skip_fillers(document, end) == hit.start && document.words[start].shape != Shape::Mixed {
                let longer =
                    start > floor && year_at(document, start - 1, false).is_some_and(|(_, e, _)| e == end);
                if !longer {
                    let date = Date { year: Some(year), ..hit.date };
                    return DateHit { date, start, spoken: hit.spoken || spoken, ..hit };
                }
            }
        }
    }
    hit
}

/// A date that begins at a word: with the month named, or in written numbers.
pub(crate) fn date_at(document: &Document<'_>, at: usize) -> Option<DateHit> {
    match document.class(at) {
        Class::Month => month_first(document, at).or_else(|| month_alone(document, at)),
        // "four of july", "nine march eighty two", but no day of the month otherwise.
        Class::Digit | Class::Teen
            if document.stem(skip_fillers(document, at + 1)) != "of"
                && !(document.class(at + 1) == Class::Month && year_at(document, at + 2, true).is_some()) =>
        {
            None
        }
        Class::Digit | Class::Teen | Class::Tens | Class::Ordinal => {
            day_first(document, at).or_else(|| day_alone(document, at))
        }
        _ => match document.words[at].shape {
            Shape::Digits if stands_among_numbers(document, at) => None,
            Shape::Digits => written(document, at)
                .or_else(|| day_first(document, at))
                .or_else(|| compact_iso(document, at)),
            Shape::Mixed => {
                day_first(document, at).or_else(|| day_alone(document, at)).or_else(|| glued(document, at))
            }
            Shape::Letters => holiday(document, at),
        },
    }
}
