use super::Pass;
use super::candidate::Candidate;
use super::codes;
use super::context::Context;
use super::cues::{CueHit, Role};
use super::document::{Document, word_class};
use super::starts::Flags;
use super::vocabulary::Tags;
use crate::Kind;
use crate::view::{Case, Class, CodePiece, CodeRun, Gap, Shape};

/// A calendar date as far as the text gives it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Date {
    pub(crate) year: Option<u16>,
    pub(crate) month: u8,
    pub(crate) day: Option<u8>,
}

impl Date {
    /// `1982-03-14`, with `--` for a missing year and nothing for a missing day.
    pub(crate) fn to_iso(self) -> String {
        let month = self.month;
        match (self.year, self.day) {
            (Some(year), Some(day)) => format!("{year:04}-{month:02}-{day:02}"),
            (Some(year), None) => format!("{year:04}-{month:02}"),
            (None, Some(day)) => format!("--{month:02}-{day:02}"),
            (None, None) => format!("--{month:02}"),
        }
    }

    fn is_possible(self) -> bool {
        let longest = match self.month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return false,
        };
        let leap =
            |year: u16| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        self.day.is_none_or(|day| {
            (1..=longest).contains(&day)
                && !(self.month == 2 && day == 29 && self.year.is_some_and(|y| y > 100 && !leap(y)))
        })
    }
}

/// A date with the words that say it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DateHit {
    pub(crate) date: Date,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) spoken: bool,
    /// Counts only with a cue.
    needs_cue: bool,
    recognizer: &'static str,
}

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

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum DateCue {
    None,
    Date,
    Birth,
}

/// What the words around a date say it is.
fn date_cue(document: &Document<'_>, cues: &[CueHit], context: &Context, hit: &DateHit) -> DateCue {
    let of = |kind: u8| match Kind::BUILT_IN[kind as usize] {
        Kind::Dob => Some(DateCue::Birth),
        Kind::Date => Some(DateCue::Date),
        _ => None,
    };
    let after = cues[cues.partition_point(|cue| cue.start < hit.end)..]
        .iter()
        .take_while(|cue| cue.start <= hit.end + 3)
        .find(|cue| {
            cue.role == Role::After && of(cue.kind).is_some() && document.same_turn(hit.end - 1, cue.start)
        });
    if let Some(cue) = after {
        return of(cue.kind).unwrap_or(DateCue::None);
    }
    let from = cues.partition_point(|cue| cue.start + 16 < hit.start);
    let to = cues.partition_point(|cue| cue.start < hit.start);
    let nearest = cues[from..to]
        .iter()
        // "born in" introduces a place; before a date it is "born".
        .filter(|cue| Kind::BUILT_IN[cue.kind as usize] != Kind::Address)
        .filter(|cue| cue.role == Role::Label && cue.end <= hit.start && hit.start - cue.end <= 8)
        .filter(|cue| {
            let reach = if document.same_sentence(cue.end - 1, hit.start) { 8 } else { 4 };
            hit.start - cue.end <= reach && document.same_turn(cue.end - 1, hit.start)
        })
        .max_by_key(|cue| cue.end);
    if let Some(cue) = nearest {
        return of(cue.kind).unwrap_or(DateCue::None);
    }
    context.answered(document, hit.start).and_then(|(kind, _)| of(kind)).unwrap_or(DateCue::None)
}

/// "on the 20th", "for the fourteenth", "monday the fifth": a day whose month was said before, or comes with a later day.
fn day_alone(document: &Document<'_>, at: usize) -> Option<DateHit> {
    if at == 0 || document.stem(at - 1) != "the" || !document.gap(at).only(Gap::SPACE) {
        return None;
    }
    let said =
        said_day(document, at).filter(|said| !said.cardinal || document.words[at].shape == Shape::Mixed)?;
    let before = document.stem_before(at, 2);
    let weekday = at > 1
        && document.class(at - 2) == Class::Weekday
        && document.gap(at - 1).only(Gap::SPACE.with(Gap::COMMA));
    let placed = matches!(
        before,
        "on" | "for"
            | "by"
            | "until"
            | "till"
            | "since"
            | "before"
            | "after"
            | "through"
            | "admitted"
            | "discharged"
            | "scheduled"
    ) && !document.begins_sentence(at - 1);
    let ends = ends_day(document, said.end) || weekday && document.stem(said.end) == "by";
    let early = said.spoken && said.day < 4 && !weekday;
    let month = of_relative_month(document, said.end);
    let moved = is_in_range(document, at, said.end);
    let alone = ((weekday || placed) && ends || month || moved)
        && !early
        && document.words[at].shape != Shape::Digits;
    (alone || has_month_with_a_later_day(document, said.end)).then_some(DateHit {
        date: Date { year: None, month: 0, day: Some(said.day) },
        start: at,
        end: said.end,
        spoken: said.spoken,
        needs_cue: false,
        recognizer: "date_day",
    })
}

/// Whether a day of the month ends a thought at a word: not "the first time", "the fourth floor", "the third dose".
fn ends_day(document: &Document<'_>, end: usize) -> bool {
    document.begins_sentence(end)
        || document.gap(end).has(Gap::COMMA.with(Gap::BRACKET))
        || matches!(
            document.stem(end),
            "at" | "and"
                | "there"
                | "to"
                | "if"
                | "or"
                | "is"
                | "so"
                | "we"
                | "i"
                | "when"
                | "with"
                | "was"
                | "but"
        )
}

/// "… of next month"
fn of_relative_month(document: &Document<'_>, at: usize) -> bool {
    document.stem(at) == "of"
        && matches!(document.stem(at + 1), "next" | "this" | "last")
        && document.stem(at + 2) == "month"
}

/// "from the tenth to the eleventh": whether a day, which ends at a word, is one of both.
fn is_in_range(document: &Document<'_>, at: usize, end: usize) -> bool {
    let joins = |at: usize| matches!(document.stem(at), "to" | "through" | "until" | "and");
    let back = |n: usize| document.stem_before(at, n);
    let begins = |n: usize| back(n - 1) == "the" && matches!(back(n), "from" | "between");
    let second = said_day(document, end + 2).filter(|day| !day.cardinal);
    let is_first = begins(2)
        && joins(end)
        && document.stem(end + 1) == "the"
        && second.is_some_and(|second| ends_day(document, second.end));
    let is_second = at >= 5
        && joins(at - 2)
        && document.class(at - 3) == Class::Ordinal
        && (begins(5) || begins(6))
        && ends_day(document, end);
    is_first || is_second
}

/// "the sixth to the eighth of june", "the fourteenth not the fifteenth of may": what follows the first of the days.
fn has_month_with_a_later_day(document: &Document<'_>, at: usize) -> bool {
    let joined = matches!(
        document.stem(at),
        "to" | "through" | "thru" | "till" | "until" | "and" | "or" | "not" | "no"
    );
    joined
        && document.stem(at + 1) == "the"
        && (at..at + 3).all(|at| document.gap(at).only(Gap::SPACE.with(Gap::COMMA)))
        && day_first(document, at + 2).is_some_and(|hit| hit.date.month > 0)
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

/// "christmas eve 2019", and without the year where a label asks for a date: a day of the calendar by its name.
fn holiday(document: &Document<'_>, at: usize) -> Option<DateHit> {
    let spaced = |at: usize| document.gap(at).only(Gap::SPACE);
    let follows = |word: &str| spaced(at + 1) && document.stem(at + 1) == word;
    let of_somebody = || document.is_possessive(at) || document.stem(at).ends_with('s');
    // Behind "new" the possessive is of the year.
    let new_year = |word: &str| {
        matches!(document.stem(at + 1), "year" | "years")
            && (spaced(at + 1) && spaced(at + 2))
            && document.stem(at + 2) == word
    };
    let (month, day) = match document.stem(at) {
        "christmas" | "xmas" if follows("eve") => (12, Some(24)),
        "christmas" | "xmas" => (12, Some(25)),
        "halloween" => (10, Some(31)),
        "juneteenth" => (6, Some(19)),
        "new" if new_year("eve") => (12, Some(31)),
        "new" if new_year("day") => (1, Some(1)),
        "valentine" | "valentines" if of_somebody() && follows("day") => (2, Some(14)),
        "independence" if follows("day") => (7, Some(4)),
        "veteran" | "veterans" if of_somebody() && follows("day") => (11, Some(11)),
        // Another day in every year: by the month alone it would be taken for the month, or for another such day.
        "easter" | "thanksgiving" => (0, None),
        "labor" | "memorial" if follows("day") => (0, None),
        "father" | "fathers" | "mother" | "mothers" | "president" | "presidents"
            if of_somebody() && follows("day") =>
        {
            (0, None)
        }
        _ => return None,
    };
    let named = at + 1 + usize::from(document.stem(at) == "new");
    let named = named + usize::from(spaced(named) && matches!(document.stem(named), "eve" | "day"));
    let next = named + usize::from(spaced(named) && matches!(document.stem(named), "of" | "in"));
    let year = if joins(document, next) { year_at(document, next, false) } else { None };
    let (year, end, spoken) = year.filter(|(year, ..)| year.is_some()).unwrap_or((None, named, false));
    Some(DateHit {
        date: Date { year, month, day },
        start: at,
        end,
        spoken,
        needs_cue: year.is_none(),
        recognizer: "date_holiday",
    })
}

/// "20241103", where the words before it place it in time or a label asks for a date.
fn compact_iso(document: &Document<'_>, at: usize) -> Option<DateHit> {
    let text = document.stem(at);
    let apart = |at: usize| !matches!(document.gap(at), Gap::SLASH | Gap::HYPHEN | Gap::STOP | Gap::JOINT);
    if text.len() != 8 || !apart(at) || !apart(at + 1) {
        return None;
    }
    let year = text[..4].parse().ok().filter(|year| (1900..=2100).contains(year))?;
    let date = Date { year: Some(year), month: text[4..6].parse().ok()?, day: Some(text[6..].parse().ok()?) };
    date.is_possible().then(|| DateHit {
        date,
        start: at,
        end: at + 1,
        spoken: false,
        needs_cue: !is_placed_in_time(document, at),
        recognizer: "date_iso",
    })
}

/// "03Nov2024": day, month and year in one word.
fn glued(document: &Document<'_>, at: usize) -> Option<DateHit> {
    let text = document.stem(at);
    let is_letter = |c: char| c.is_ascii_alphabetic();
    let (first, last) = (text.find(is_letter)?, text.rfind(is_letter)?);
    let (day, month, year) = (&text[..first], &text[first..=last], &text[last + 1..]);
    if !matches!(day.len(), 1 | 2) || month.len() < 3 || !matches!(year.len(), 2 | 4) {
        return None;
    }
    let known = word_class(month.as_bytes());
    let date = Date { year: year.parse().ok(), month: known.value, day: day.parse().ok() };
    (known.class == Class::Month && date.is_possible()).then_some(DateHit {
        date,
        start: at,
        end: at + 1,
        spoken: false,
        needs_cue: false,
        recognizer: "date_written",
    })
}

/// Whether another number follows a number with more between them than one sign: neither is then a part of a date.
fn stands_among_numbers(document: &Document<'_>, at: usize) -> bool {
    document.words.get(at + 1).is_some_and(|next| {
        let joined = matches!(next.gap, Gap::SLASH | Gap::HYPHEN | Gap::STOP);
        next.shape == Shape::Digits && !joined
    })
}

/// Words that a month may follow: then "may" and "march" are months too.
fn is_date_preposition(text: &str) -> bool {
    matches!(
        text,
        "in" | "since"
            | "last"
            | "until"
            | "till"
            | "of"
            | "early"
            | "late"
            | "mid"
            | "by"
            | "next"
            | "during"
            | "through"
            | "around"
            | "before"
            | "after"
            | "this"
            | "from"
            | "on"
            | "back"
            | "and"
            | "date"
            | "dated"
    )
}

/// Whether a month word can only be the month here.
fn is_surely_month(document: &Document<'_>, at: usize) -> bool {
    !matches!(document.stem(at), "may" | "march" | "mar" | "jan" | "august" | "april" | "june")
}

fn month_first(document: &Document<'_>, at: usize) -> Option<DateHit> {
    let month = document.value(at);
    let mut next = skip_fillers(document, at + 1);
    if !joins(document, next) {
        return None;
    }
    let article = document.stem(next) == "the";
    if article {
        next += 1;
    }
    let said = said_day(document, next)?;
    // "may one of us" has no date; "may first" and "May 1" do.
    if said.cardinal && !is_surely_month(document, at) && document.stem(at) == "may" {
        let prepared = at > 0 && is_date_preposition(document.stem(at - 1));
        // "i was born may ten eighty seven"
        let dated = said.spoken && year_at(document, said.end, true).is_some();
        if !prepared && !dated && document.words[at].case == Case::Lower {
            return None;
        }
    }
    let (year, end, year_spoken) = year_at(document, said.end, true).unwrap_or((None, said.end, false));
    // "march two thousand twelve": a year, not a day.
    if said.cardinal
        && year.is_none()
        && let Some((year, end, true)) = year_at(document, next, false)
    {
        let date = Date { year, month, day: None };
        return Some(DateHit {
            date,
            start: at,
            end,
            spoken: true,
            needs_cue: false,
            recognizer: "date_month_year",
        });
    }
    let date = Date { year, month, day: Some(said.day) };
    let spoken = said.spoken || year_spoken;
    date.is_possible().then_some(DateHit {
        date,
        start: at,
        end,
        spoken,
        needs_cue: false,
        recognizer: "date_long",
    })
}

/// A month with a year, or alone after a preposition.
fn month_alone(document: &Document<'_>, at: usize) -> Option<DateHit> {
    let month = document.value(at);
    let hit = |year, end, spoken, recognizer| {
        Some(DateHit {
            date: Date { year, month, day: None },
            start: at,
            end,
            spoken,
            needs_cue: false,
            recognizer,
        })
    };
    let of = usize::from(document.stem(at + 1) == "of");
    if joins(document, at + 1 + of)
        && let Some((Some(year), end, spoken)) = year_at(document, at + 1 + of, false)
    {
        return hit(Some(year), end, spoken, "date_month_year");
    }
    // "march of ninety nine"
    if of == 1
        && document.gap(at + 1) == Gap::SPACE
        && let Some((Some(year), end, true)) = year_at(document, at + 2, true)
    {
        return hit(Some(year), end, true, "date_month_year");
    }
    // "Nov '24"
    let quoted = document.gap(at + 1);
    if quoted.has(Gap::QUOTE)
        && quoted.only(Gap::SPACE.with(Gap::QUOTE))
        && let Some((Some(year), end, false)) = year_at(document, at + 1, true)
    {
        return hit(Some(year), end, false, "date_month_year");
    }
    // "august oh eight"
    let short = document.class(at + 1) == Class::Oh && document.class(at + 2) == Class::Digit;
    if short && (at + 1..at + 3).all(|i| document.gap(i).only(Gap::SPACE)) {
        return hit(Some(u16::from(document.value(at + 2))), at + 3, true, "date_month_year");
    }
    let word = &document.words[at];
    let before = if at > 0 && !document.begins_sentence(at) { document.stem(at - 1) } else { "" };
    let named = matches!(
        before,
        "in" | "since"
            | "last"
            | "until"
            | "till"
            | "of"
            | "early"
            | "late"
            | "mid"
            | "next"
            | "during"
            | "by"
            | "around"
            | "through"
            | "before"
            | "after"
            | "from"
            | "this"
            | "back"
    );
    let listed = matches!(before, "and" | "to" | "through")
        && at >= 2
        && document.class(at - 2) == Class::Month
        && document.words[at - 2].gap.only(Gap::SPACE);
    let surely = is_surely_month(document, at) && word.len() >= 4;
    let may_be = match document.stem(at) {
        // "in may", "last march"; never "this may" or "by march".
        "may" | "march" | "april" | "june" | "august" => {
            matches!(before, "in" | "since" | "last" | "until" | "till" | "early" | "late" | "mid" | "next")
                && !(document.entry(at + 1).family_name() > 3 && document.entry(at + 1).not_name() < 4)
        }
        _ => word.len() >= 4,
    };
    let lone = surely && !document.is_possessive(at);
    if ((named || listed) && may_be) || lone {
        return hit(None, at + 1, false, "date_month");
    }
    None
}

/// The word at or after `at` that is no filler: "second uh of june".
fn skip_fillers(document: &Document<'_>, at: usize) -> usize {
    let mut next = at;
    while next < at + 2
        && document.class(next) == Class::Filler
        && document.gap(next).only(Gap::SPACE.with(Gap::COMMA).with(Gap::PAUSE))
    {
        next += 1;
    }
    if next > at && document.gap(next).only(Gap::SPACE.with(Gap::COMMA).with(Gap::PAUSE)) { next } else { at }
}

struct SaidDay {
    day: u8,
    end: usize,
    /// "five" and not "fifth".
    cardinal: bool,
    spoken: bool,
}

fn joins(document: &Document<'_>, at: usize) -> bool {
    at < document.len()
        && document.gap(at).only(
            Gap::SPACE
                .with(Gap::COMMA)
                .with(Gap::HYPHEN)
                .with(Gap::STOP)
                .with(Gap::SENTENCE)
                .with(Gap::LINE)
                .with(Gap::SLASH),
        )
        && (!document.gap(at).has(Gap::SENTENCE)
            || (document.gap(at).has(Gap::STOP) && document.words[at - 1].len() <= 4))
}

/// A day of the month at a word: "14", "14th", "fourteenth", "twenty first", "five".
fn said_day(document: &Document<'_>, at: usize) -> Option<SaidDay> {
    let word = document.words.get(at)?;
    if !joins(document, at) {
        return None;
    }
    let text = word.text(&document.view);
    let unit_follows = |end: usize| {
        document.class(end) == Class::Unit
            && document.gap(end).only(Gap::SPACE.with(Gap::HYPHEN))
            && document.stem(end) != "am"
            && document.stem(end) != "pm"
    };
    let day = |day: u8, end: usize, cardinal: bool, spoken: bool| {
        let fits = (1..=31).contains(&day) && !(cardinal && unit_follows(end));
        fits.then_some(SaidDay { day, end, cardinal, spoken })
    };
    match word.shape {
        Shape::Digits if text.len() <= 2 => {
            // "March 3:30" is a time, "march 5.5" a decimal.
            let next = document.gap(at + 1);
            if document.words.get(at + 1).is_some_and(|n| n.shape != Shape::Letters)
                && (next == Gap::COLON || next == Gap::STOP)
            {
                return None;
            }
            day(text.parse().ok()?, at + 1, false, false)
        }
        Shape::Mixed => {
            let digits = text
                .strip_suffix("st")
                .or(text.strip_suffix("nd"))
                .or(text.strip_suffix("rd"))
                .or(text.strip_suffix("th"))?;
            day(digits.parse().ok()?, at + 1, false, false)
        }
        Shape::Letters => match document.class(at) {
            Class::Ordinal => day(document.value(at), at + 1, false, true),
            Class::Tens if document.value(at) <= 30 => {
                let tens = document.value(at);
                let close = document.gap(at + 1).only(Gap::SPACE.with(Gap::HYPHEN));
                match document.class(at + 1) {
                    Class::Ordinal if close && document.value(at + 1) < 10 => {
                        day(tens + document.value(at + 1), at + 2, false, true)
                    }
                    // "july twenty two thousand sixteen" is the twentieth.
                    Class::Digit
                        if close
                            && document.value(at + 1) > 0
                            && document.class(at + 2) != Class::Thousand =>
                    {
                        day(tens + document.value(at + 1), at + 2, true, true)
                    }
                    _ => day(tens, at + 1, true, true),
                }
            }
            Class::Teen | Class::Digit => day(document.value(at), at + 1, true, true),
            // "january oh two twenty ten"; without a year behind it "oh two" is one.
            Class::Oh
                if document.class(at + 1) == Class::Digit && year_at(document, at + 2, true).is_some() =>
            {
                day(document.value(at + 1), at + 2, true, true)
            }
            _ => None,
        },
        Shape::Digits => None,
    }
}

/// A year at a word: "1982", "'82", "nineteen eighty two", "two thousand and twelve", and after a day also "eighty two".
fn year_at(document: &Document<'_>, at: usize, after_day: bool) -> Option<(Option<u16>, usize, bool)> {
    let mut at = skip_fillers(document, at);
    if document.stem(at) == "of" || document.stem(at) == "in" {
        at = skip_fillers(document, at + 1);
    }
    let word = document.words.get(at)?;
    if word.gap.has(Gap::BARRIER.with(Gap::COLON).with(Gap::QUESTION))
        || (word.gap.has(Gap::SENTENCE) && !word.gap.has(Gap::STOP))
    {
        return None;
    }
    let text = word.text(&document.view);
    if word.shape == Shape::Digits {
        let near = word.gap.only(
            Gap::SPACE.with(Gap::COMMA).with(Gap::HYPHEN).with(Gap::LINE).with(Gap::SLASH).with(Gap::QUOTE),
        );
        let year: u16 = text.parse().ok()?;
        if near && text.len() == 4 && (1800..=2100).contains(&year) {
            return Some((Some(year), at + 1, false));
        }
        if near && text.len() == 2 && after_day && (word.gap.has(Gap::QUOTE) || !word.gap.has(Gap::COMMA)) {
            let amount = document.class(at + 1) == Class::Unit;
            return (!amount && document.gap(at + 1) != Gap::COLON).then_some((Some(year), at + 1, false));
        }
        return None;
    }
    let value = |at: usize| u16::from(document.value(at));
    let close = |at: usize| document.gap(at).only(Gap::SPACE.with(Gap::HYPHEN));
    let pair = |at: usize, apart: bool| -> Option<(u16, usize)> {
        let comma = apart && document.gap(at).only(Gap::SPACE.with(Gap::COMMA));
        if !close(at) && !comma {
            return None;
        }
        match document.class(at) {
            Class::Tens => match document.class(at + 1) {
                Class::Digit if close(at + 1) && document.value(at + 1) > 0 => {
                    Some((value(at) + value(at + 1), at + 2))
                }
                _ => Some((value(at), at + 1)),
            },
            Class::Teen => Some((value(at), at + 1)),
            Class::Oh if document.class(at + 1) == Class::Digit && close(at + 1) => {
                Some((value(at + 1), at + 2))
            }
            Class::Digit if document.value(at) == 0 && document.class(at + 1) == Class::Digit => {
                Some((value(at + 1), at + 2))
            }
            _ => None,
        }
    };
    match document.class(at) {
        Class::Teen | Class::Tens if matches!(document.value(at), 18..=20) => {
            let century = value(at);
            if document.class(at + 1) == Class::Hundred {
                let (rest, end) = pair(at + 2, false).unwrap_or((0, at + 2));
                return Some((Some(century * 100 + rest), end, true));
            }
            match pair(at + 1, false) {
                Some((rest, end)) if document.class(at + 1) != Class::Digit => {
                    Some((Some(century * 100 + rest), end, true))
                }
                Some((rest, end)) => Some((Some(century * 100 + rest), end, true)),
                None if after_day && century == 20 => Some((Some(20), at + 1, true)),
                None => None,
            }
        }
        Class::Digit
            if document.class(at + 1) == Class::Thousand
                && close(at + 1)
                && matches!(document.value(at), 1 | 2) =>
        {
            let mut end = at + 2;
            let mut year = value(at) * 1000;
            if document.class(end) == Class::Digit && document.class(end + 1) == Class::Hundred {
                year += value(end) * 100;
                end += 2;
            }
            let start = if document.class(end) == Class::And { end + 1 } else { end };
            if let Some((rest, rest_end)) = pair(start, false) {
                return Some((Some(year + rest), rest_end, true));
            }
            if document.class(start) == Class::Digit && close(start) {
                return Some((Some(year + value(start)), start + 1, true));
            }
            Some((Some(year), end, true))
        }
        Class::Tens | Class::Oh | Class::Digit if after_day => {
            // "march third, eighty two"
            let (year, end) = pair(at, true).or_else(|| {
                let lone = document.class(at) == Class::Tens && document.class(at + 1) != Class::Digit;
                lone.then_some((value(at), at + 1))
            })?;
            let amount = document.class(end) == Class::Unit && close(end);
            (!amount && year < 100).then_some((Some(year), end, true))
        }
        _ => None,
    }
}

/// "14 March 1982", "the third of march", "twelfth april".
fn day_first(document: &Document<'_>, at: usize) -> Option<DateHit> {
    if at > 0 && document.gap(at) == Gap::SLASH {
        return None;
    }
    let digits = |at: usize| document.words.get(at).is_some_and(|word| word.shape == Shape::Digits);
    if digits(at) && digits(at + 1) {
        return None;
    }
    // The gap before the day is not part of the date.
    let said = {
        let word = &document.words[at];
        let mut said = None;
        if word.gap.has(Gap::START.with(Gap::BARRIER)) || !joins(document, at) {
            said = said_day_anywhere(document, at);
        }
        said.or_else(|| said_day(document, at))?
    };
    let after_day = skip_fillers(document, said.end);
    let of = document.stem(after_day) == "of" && joins(document, after_day);
    let month_at = skip_fillers(document, after_day + usize::from(of));
    if of && said.spoken && !said.cardinal && document.stem(month_at) == "the" {
        return ordinal_month(document, at, &said, month_at + 1);
    }
    if document.class(month_at) != Class::Month
        || !document.gap(month_at).only(Gap::SPACE.with(Gap::HYPHEN).with(Gap::COMMA).with(Gap::LINE))
    {
        return None;
    }
    if said.spoken && said.cardinal && !of && year_at(document, month_at + 1, true).is_none() {
        return None;
    }
    // "the second may help", "12 may follow".
    if !of && !is_surely_month(document, month_at) {
        let year = year_at(document, month_at + 1, false).is_some();
        if document.words[month_at].case == Case::Lower && !year && document.stem(month_at) == "may" {
            return None;
        }
    }
    let (year, end, year_spoken) =
        year_at(document, month_at + 1, true).unwrap_or((None, month_at + 1, false));
    let date = Date { year, month: document.value(month_at), day: Some(said.day) };
    let spoken = said.spoken || year_spoken;
    date.is_possible().then_some(DateHit {
        date,
        start: at,
        end,
        spoken,
        needs_cue: false,
        recognizer: "date_day_first",
    })
}

/// "the seventh of the ninth, fifty nine": the month by its number.
fn ordinal_month(document: &Document<'_>, start: usize, said: &SaidDay, at: usize) -> Option<DateHit> {
    let month = document.value(at);
    if document.class(at) != Class::Ordinal || month > 12 || !document.gap(at).only(Gap::SPACE) {
        return None;
    }
    let (year, end, _) = year_at(document, at + 1, true).unwrap_or((None, at + 1, true));
    let date = Date { year, month, day: Some(said.day) };
    date.is_possible().then_some(DateHit {
        date,
        start,
        end,
        spoken: true,
        needs_cue: year.is_none(),
        recognizer: "date_day_first",
    })
}

fn said_day_anywhere(document: &Document<'_>, at: usize) -> Option<SaidDay> {
    let word = document.words.get(at)?;
    let text = word.text(&document.view);
    let (day, end, cardinal, spoken) = match word.shape {
        Shape::Digits if text.len() <= 2 => (text.parse().ok()?, at + 1, false, false),
        Shape::Mixed => {
            let digits = text
                .strip_suffix("st")
                .or(text.strip_suffix("nd"))
                .or(text.strip_suffix("rd"))
                .or(text.strip_suffix("th"))?;
            (digits.parse().ok()?, at + 1, false, false)
        }
        Shape::Letters => match document.class(at) {
            Class::Ordinal => (document.value(at), at + 1, false, true),
            Class::Tens if document.value(at) <= 30 && document.class(at + 1) == Class::Ordinal => {
                (document.value(at) + document.value(at + 1), at + 2, false, true)
            }
            Class::Digit | Class::Teen => (document.value(at), at + 1, true, true),
            _ => return None,
        },
        Shape::Digits => return None,
    };
    (1..=31).contains(&day).then_some(SaidDay { day, end, cardinal, spoken })
}

/// "03/14/1982", "1982-03-14", "3-14-82", "4/14", "02/2026", with a time after ISO dates.
fn written(document: &Document<'_>, at: usize) -> Option<DateHit> {
    let number = |i: usize| -> Option<(u16, usize)> {
        let word = document.words.get(i)?;
        let text = word.text(&document.view);
        (word.shape == Shape::Digits && text.len() <= 4).then(|| Some((text.parse().ok()?, text.len())))?
    };
    let separator = |i: usize| {
        let gap = document.gap(i);
        [Gap::SLASH, Gap::HYPHEN, Gap::STOP].into_iter().find(|&s| gap == s)
    };
    // A date is not the middle of something longer, but may be the end of a range: "04/12/23-04/15/23".
    let ends_range = document.gap(at) == Gap::HYPHEN && at >= 3 && is_slashed(document, at - 3);
    if at > 0 && separator(at).is_some() && document.words[at - 1].shape != Shape::Letters && !ends_range {
        return None;
    }
    if separator(at) == Some(Gap::HYPHEN) && !ends_range || document.gap(at) == Gap::STOP {
        return None;
    }
    let (a, a_len) = number(at)?;
    let hit = |date: Date, end: usize, needs_cue: bool, recognizer: &'static str| {
        let begins_range = document.gap(end) == Gap::HYPHEN && is_slashed(document, end);
        let whole =
            begins_range || separator(end).is_none_or(|_| document.words[end].shape == Shape::Letters);
        (date.is_possible() && whole).then_some(DateHit {
            date,
            start: at,
            end,
            spoken: false,
            needs_cue,
            recognizer,
        })
    };
    if let (Some(first), Class::Month) = (separator(at + 1), document.class(at + 1)) {
        // "14-Mar-1982"
        let month = document.value(at + 1);
        if separator(at + 2) == Some(first) && a_len <= 2 {
            let (year, len) = number(at + 2)?;
            let date = Date { year: Some(year), month, day: Some(a as u8) };
            return if len == 2 || len == 4 { hit(date, at + 3, false, "date_written") } else { None };
        }
        return None;
    }
    let first = separator(at + 1)?;
    // "14.iii.1984"
    if let Some(month) = roman_month(document.stem(at + 1))
        && separator(at + 2) == Some(first)
        && a_len <= 2
    {
        let (year, len) = number(at + 2)?;
        let date = Date { year: Some(year), month, day: Some(a as u8) };
        return if len == 2 || len == 4 { hit(date, at + 3, false, "date_written") } else { None };
    }
    if a_len == 4 && first != Gap::STOP {
        let (b, b_len) = number(at + 1)?;
        if separator(at + 2) == Some(first) && b_len <= 2 && (1800..=2100).contains(&a) {
            let word = document.words.get(at + 2)?;
            let text = word.text(&document.view);
            let digits = text.bytes().take_while(u8::is_ascii_digit).count();
            let day: u8 = text.get(..digits.min(2))?.parse().ok()?;
            let date = Date { year: Some(a), month: b as u8, day: Some(day) };
            if word.shape == Shape::Digits && digits <= 2 {
                return hit(date, iso_time_end(document, at + 3), false, "date_iso");
            }
            if word.shape == Shape::Mixed && digits == 2 && text.as_bytes()[2] == b't' && date.is_possible() {
                let end = iso_time_end(document, at + 3);
                return Some(DateHit {
                    date,
                    start: at,
                    end,
                    spoken: false,
                    needs_cue: false,
                    recognizer: "date_iso",
                });
            }
        }
        return None;
    }
    if a_len > 2 {
        return None;
    }
    let (b, b_len) = number(at + 1)?;
    // "9/3-9/8"
    if first == Gap::SLASH
        && separator(at + 2) == Some(Gap::HYPHEN)
        && separator(at + 3) == Some(Gap::SLASH)
        && b_len <= 2
        && let (Some((c, _)), Some((d, 1..=2))) = (number(at + 2), number(at + 3))
    {
        let date = Date { year: None, month: a as u8, day: Some(b as u8) };
        let last = Date { year: None, month: c as u8, day: Some(d as u8) };
        let later = (a, b) < (c, d);
        return if last.is_possible() && later { hit(date, at + 4, false, "date_short") } else { None };
    }
    if let Some(second) = separator(at + 2) {
        if second == first && b_len <= 2 {
            let (c, c_len) = number(at + 2)?;
            if c_len != 2 && c_len != 4 || (c_len == 4 && !(1800..=2100).contains(&c)) {
                return None;
            }
            // Month first as in the United States; day first where the month would be above 12.
            let (month, day) = if a > 12 { (b, a) } else { (a, b) };
            let date = Date { year: Some(c), month: month as u8, day: Some(day as u8) };
            let needs_cue = first == Gap::STOP && c_len == 2 && !is_placed_in_time(document, at);
            return hit(date, at + 3, needs_cue, "date_written");
        }
        return None;
    }
    if first == Gap::SLASH && b_len == 4 && (1900..=2100).contains(&b) {
        return hit(Date { year: Some(b), month: a as u8, day: None }, at + 2, false, "date_month_year");
    }
    let amount =
        document.class(at + 2) == Class::Unit && document.gap(at + 2).only(Gap::SPACE.with(Gap::HYPHEN));
    if first == Gap::SLASH && b_len <= 2 && !amount {
        let date = Date { year: None, month: a as u8, day: Some(b as u8) };
        return hit(date, at + 2, !is_short_date(document, at, a, b), "date_short");
    }
    None
}

/// Whether three numbers with slashes between them begin at a word.
fn is_slashed(document: &Document<'_>, at: usize) -> bool {
    (at..at + 3).all(|at| document.words.get(at).is_some_and(|word| word.shape == Shape::Digits))
        && document.gap(at + 1) == Gap::SLASH
        && document.gap(at + 2) == Gap::SLASH
}

/// Whether the word before a number in the form of a date says that it is one.
fn is_placed_in_time(document: &Document<'_>, at: usize) -> bool {
    let before = if at > 0 { document.stem(at - 1) } else { "" };
    let dated = matches!(
        before,
        "on" | "visit"
            | "date"
            | "dated"
            | "since"
            | "until"
            | "seen"
            | "today"
            | "appt"
            | "sent"
            | "lmp"
            | "til"
            | "thru"
            | "filled"
            | "dispensed"
            | "issued"
            | "signed"
    ) || before == "of" && at > 1 && document.stem(at - 2) == "as"
        || is_procedure(before)
        || at > 0 && document.class(at - 1) == Class::Weekday;
    dated && document.gap(at).only(Gap::SPACE.with(Gap::LINE).with(Gap::COLON))
}

/// Whether a word names something that is done on a day, so that a fraction behind it is one: "echo 1/6", "colonoscopy 3/4".
fn is_procedure(word: &str) -> bool {
    const ENDINGS: [&str; 7] = ["scopy", "ectomy", "plasty", "ostomy", "otomy", "graphy", "centesis"];
    matches!(
        word,
        "cath"
            | "echo"
            | "mri"
            | "mra"
            | "cta"
            | "cxr"
            | "eeg"
            | "ekg"
            | "ecg"
            | "egd"
            | "ercp"
            | "emg"
            | "tte"
            | "tee"
            | "biopsy"
            | "bx"
            | "mammogram"
            | "angiogram"
            | "echocardiogram"
            | "surgery"
            | "repair"
            | "replacement"
            | "transplant"
            | "labs"
            | "extubated"
            | "intubated"
            | "ultrasound"
            | "xray"
    ) || word.len() > 6 && ENDINGS.iter().any(|ending| word.ends_with(ending))
}

/// Whether "6/27" is a day without any label: the words before it place it in time, or it can be no fraction or score and
/// nothing around it makes it one.
fn is_short_date(document: &Document<'_>, at: usize, a: u16, b: u16) -> bool {
    let before = if at > 0 { document.stem(at - 1) } else { "" };
    if is_placed_in_time(document, at) {
        return true;
    }
    // "5/5", "7/10", "2/6", "1/2": a score or a fraction.
    let is_ratio = |a: u16, b: u16| a <= b && matches!(b, 2..=8 | 10 | 12);
    let ratio = is_ratio(a, b);
    // "from 3/4 to 3/9"
    let number = |at: usize| document.stem(at).parse().ok().filter(|number| (1..=31).contains(number));
    if matches!(before, "from" | "between")
        && matches!(document.stem(at + 2), "to" | "through" | "thru" | "until" | "and")
        && document.gap(at + 4) == Gap::SLASH
        && let (Some(month), Some(day)) = (number(at + 3), number(at + 4))
        && month <= 12
        && !(ratio && is_ratio(month, day))
    {
        return true;
    }
    // "made for 1/12 at 8:45"
    if document.stem(at + 2) == "at"
        && document.words.get(at + 3).is_some_and(|word| word.shape != Shape::Letters)
    {
        return true;
    }
    let scored = matches!(
        before,
        "pain"
            | "score"
            | "scored"
            | "scores"
            | "strength"
            | "murmur"
            | "grade"
            | "reflexes"
            | "reflex"
            | "pulses"
            | "pulse"
            | "rated"
            | "rates"
            | "rating"
            | "bp"
            | "vision"
            | "acuity"
            | "va"
            | "dtrs"
            | "about"
            | "power"
            | "edema"
            | "gcs"
            | "level"
            | "apgar"
            | "apgars"
            | "ratio"
            | "bipap"
            | "cpap"
            | "visits"
            | "a"
            | "an"
            | "the"
    ) || matches!(
        document.stem(at + 2),
        "strength"
            | "murmur"
            | "tablet"
            | "tab"
            | "dose"
            | "cup"
            | "reflexes"
            | "pulses"
            | "pain"
            | "systolic"
            | "edema"
            | "inch"
            | "mile"
            | "way"
            | "power"
            | "scale"
            | "ns"
            | "split"
            | "odds"
    );
    let alone = document.gap(at).only(
        Gap::SPACE
            .with(Gap::LINE)
            .with(Gap::COLON)
            .with(Gap::COMMA)
            .with(Gap::BRACKET)
            .with(Gap::HYPHEN)
            .with(Gap::START)
            .with(Gap::STOP)
            .with(Gap::SENTENCE),
    );
    !ratio && !scored && alone && at > 0
}

fn roman_month(text: &str) -> Option<u8> {
    const MONTHS: [&str; 12] = ["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii"];
    (1..).zip(MONTHS).find(|(_, month)| *month == text).map(|(month, _)| month)
}

/// The word after the time of day that follows an ISO date: "T14:30:00+02:00".
fn iso_time_end(document: &Document<'_>, mut at: usize) -> usize {
    let start = at;
    while at < document.len() && at < start + 6 {
        let gap = document.gap(at);
        let word = &document.words[at];
        let numeric = word.text(&document.view).bytes().all(|b| b.is_ascii_digit() || b == b'z');
        let timed = gap == Gap::COLON
            || (at > start && (gap == Gap::STOP || gap == Gap::HYPHEN || gap == Gap::OTHER));
        let at_first = at == start
            && word.shape == Shape::Digits
            && document.gap(at + 1) == Gap::COLON
            && gap == Gap::SPACE;
        if !(numeric && (timed || at_first)) {
            break;
        }
        at += 1;
    }
    at
}

/// "her birthday is four twelve": a month and a day that are said as numbers, and nothing behind them.
fn month_and_day(document: &Document<'_>, run: &CodeRun) -> Option<DateHit> {
    let pieces = &run.pieces;
    let said = |piece: &CodePiece| piece.spoken && piece.char.is_ascii_digit();
    if !(2..=SHORTEST).contains(&pieces.len()) || !pieces.iter().all(said) || run.amount || run.broken {
        return None;
    }
    let (start, end) = (run.words.start, pieces.last()?.word_end as usize);
    // "born at four twelve"
    if document.stem_before(start, 1) == "at" || !document.begins_clause(end) {
        return None;
    }
    let first = pieces.iter().take_while(|piece| piece.word == pieces[0].word).count();
    let value = |part: &[CodePiece]| part.iter().fold(0, |value, piece| value * 10 + (piece.char - b'0'));
    let (month, day) = pieces.split_at(first);
    let is_day = day.len() == 1
        || day.len() == 2
            && (day[0].word == day[1].word || document.class(day[0].word as usize) == Class::Tens);
    if month.len() > 2 || !is_day {
        return None;
    }
    let date = Date { year: None, month: value(month), day: Some(value(day)) };
    date.is_possible().then_some(DateHit {
        date,
        start,
        end,
        spoken: true,
        needs_cue: true,
        recognizer: "date_numeric",
    })
}

/// A date said or written as plain numbers: "three fourteen eighty two".
pub(crate) fn numeric(document: &Document<'_>, run: &CodeRun) -> Option<DateHit> {
    let pieces = &run.pieces;
    if !(SHORTEST..=8).contains(&pieces.len())
        || pieces.iter().any(|piece| !piece.char.is_ascii_digit())
        || run.amount
    {
        return None;
    }
    let value = |from: usize, to: usize| -> u16 {
        pieces[from..to].iter().fold(0, |value, piece| value * 10 + u16::from(piece.char - b'0'))
    };
    let border = |at: usize| at == pieces.len() || pieces[at].word != pieces[at - 1].word;
    let all_one_word = !(1..pieces.len()).any(border);
    let border = |at: usize| all_one_word || border(at);
    let mut best: Option<(Date, bool)> = None;
    for month_len in 1..=2 {
        for day_len in 1..=2 {
            let year_at = month_len + day_len;
            if year_at >= pieces.len() || !border(month_len) || !border(year_at) {
                continue;
            }
            let year_len = pieces.len() - year_at;
            if year_len != 2 && year_len != 4 {
                continue;
            }
            let date = Date {
                year: Some(value(year_at, pieces.len())),
                month: value(0, month_len) as u8,
                day: Some(value(month_len, year_at) as u8),
            };
            let long = year_len == 4;
            if !date.is_possible() || (long && !(1890..=2035).contains(&date.year.unwrap_or(0))) {
                continue;
            }
            // "nineteen eighty two", "two thousand five": a year said as one is a date without any cue.
            let words: Vec<u32> = pieces[year_at..].iter().map(|piece| piece.word).collect();
            let said_year = long
                && run.is_spoken()
                && words[0] == words[1]
                && (words[2] == words[3] || matches!(document.class(words[2] as usize), Class::Oh));
            if best.is_none_or(|(_, certain)| !certain && said_year) {
                best = Some((date, said_year));
            }
        }
    }
    // "19550902"
    if all_one_word && pieces.len() == 8 && (1890..=2035).contains(&value(0, 4)) {
        let date = Date { year: Some(value(0, 4)), month: value(4, 6) as u8, day: Some(value(6, 8) as u8) };
        if date.is_possible() {
            best = Some((date, false));
        }
    }
    let (date, mut certain) = best?;
    // "Nine twenty-six sixty-nine." says nothing else.
    let (first, last) = (run.words.start, run.words.end);
    let said = pieces.iter().all(|piece| piece.spoken)
        && (first..last)
            .all(|at| matches!(document.class(at), Class::Digit | Class::Teen | Class::Tens | Class::Oh));
    let alone = || {
        document.begins_sentence(first)
            && document.begins_sentence(last)
            && document.words[first].case == Case::Title
            && pieces.len() >= 5
    };
    // "it started on six eleven twenty two"
    let placed = || {
        let contracted = document.words.get(last).is_some_and(|word| word.apostrophe);
        let since = matches!(document.stem_before(first, 1), "on" | "since");
        let until = matches!(document.stem(last), "to" | "until" | "till" | "through");
        since && (ends_day(document, last) || contracted)
            || document.stem_before(first, 1) == "from" && until
            // "my name is maria lopez six eleven fifty two"
            || first > 0
                && document.entry(first - 1).family_name().max(document.entry(first - 1).given_name()) > 0
                && document.entry(first - 1).common() == 0
                && (first..last).any(|at| document.class(at) == Class::Tens)
                && document.begins_clause(last)
    };
    certain |= said && (alone() || placed());
    if all_one_word && pieces.len() < 6 {
        return None;
    }
    Some(DateHit {
        date,
        start: run.words.start,
        end: pieces.last()?.word_end as usize,
        spoken: run.is_spoken(),
        needs_cue: !certain,
        recognizer: "date_numeric",
    })
}
