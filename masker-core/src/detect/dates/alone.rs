//! Days and months that stand alone, and holidays.

use super::hit::{Date, DateHit};
use super::said::{day_first, is_surely_month, joins, said_day, year_at};
use crate::detect::document::Document;
use crate::view::{Class, Gap, Shape};

/// "on the 20th", "for the fourteenth", "monday the fifth": a day whose month was said before, or comes with a later day.
pub(super) fn day_alone(document: &Document<'_>, at: usize) -> Option<DateHit> {
    if at == 0 || document.stem(at - 1) != "the" || !document.gap(at).only(Gap::SPACE) {
        return None;
    }
    let said =
        said_day(document, at).filter(|said| !said.cardinal || document.words[at].shape == Shape::Mixed)?;
    let weekday = at > 1
        && document.class(at - 2) == Class::Weekday
        && document.gap(at - 1).only(Gap::SPACE.with(Gap::COMMA));
    let ends = ends_day(document, said.end) || weekday && matches!(document.stem(said.end), "got" | "gets");
    let early = said.spoken && said.day < 4 && !weekday;
    // Few things are counted so far: "the twentieth would be better", but "the nineteenth and twentieth centuries" and "the 25th, 50th
    // and 75th percentile".
    let listed = document.words.get(said.end).is_some_and(|next| next.shape == Shape::Mixed);
    let late = said.day >= 13
        && !listed
        && (matches!(document.stem(said.end), "no" | "through")
            || ends && !matches!(document.stem(said.end), "and" | "or" | "there" | "to" | "with"));
    let month = of_relative_month(document, said.end);
    let moved = is_in_range(document, at, said.end);
    let placed = weekday || leads_to_day(document, at, said.end);
    let alone = (placed && ends || late || suits(document, at, said.end) || month || moved)
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

/// Whether what stands before "the" and a day leads to one. `at` is the day, `end` the word after it.
fn leads_to_day(document: &Document<'_>, at: usize, end: usize) -> bool {
    let back = |n: usize| document.stem_before(at, n);
    match back(2) {
        "of" => back(3) == "week",
        "about" => matches!(back(3), "how" | "what"),
        "to" => is_moved(document, at - 1),
        "from" => is_moved(document, at - 1) && document.stem(end + 1) != "the",
        "on" | "for" | "by" | "until" | "till" | "since" | "before" | "after" | "through" | "admitted"
        | "come" | "discharged" | "do" | "scheduled" => !document.begins_sentence(at - 1),
        _ => false,
    }
}

/// "does the twenty second work for you", "the eleventh works better"
fn suits(document: &Document<'_>, at: usize, end: usize) -> bool {
    match document.stem(end) {
        "works" => true,
        "work" => matches!(document.stem_before(at, 2), "can" | "could" | "does" | "will" | "would"),
        _ => false,
    }
}

/// "my appointment was moved to the 14th": whether words before one tell of an appointment that is put on another day.
fn is_moved(document: &Document<'_>, at: usize) -> bool {
    const REACH: usize = 8;
    document.before(at).take(REACH).take_while(|&before| !document.begins_sentence(before + 1)).any(
        |before| {
            matches!(
                document.stem(before),
                "appointment"
                    | "appointments"
                    | "appt"
                    | "bumped"
                    | "move"
                    | "moved"
                    | "postponed"
                    | "pushed"
                    | "reschedule"
                    | "rescheduled"
                    | "switch"
                    | "switched"
            )
        },
    )
}

/// Whether a day of the month ends a thought at a word: not "the first time", "the fourth floor", "the third dose".
pub(super) fn ends_day(document: &Document<'_>, end: usize) -> bool {
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
                | "because"
                | "by"
                | "does"
                | "he"
                | "instead"
                | "my"
                | "okay"
                | "please"
                | "she"
                | "since"
                | "thank"
                | "thanks"
                | "then"
                | "they"
                | "would"
                | "yeah"
                | "you"
        )
        // "on the ninth right", but "the fifth right past the light"
        || document.stem(end) == "right" && document.begins_clause(end + 1)
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

/// "christmas eve 2019", and without the year where a label asks for a date: a day of the calendar by its name.
pub(super) fn holiday(document: &Document<'_>, at: usize) -> Option<DateHit> {
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

/// Words that a month may follow: then "may" and "march" are months too.
pub(super) fn is_date_preposition(text: &str) -> bool {
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

/// A month with a year, or alone after a preposition.
pub(super) fn month_alone(document: &Document<'_>, at: usize) -> Option<DateHit> {
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
    let named = is_date_preposition(before) && !matches!(before, "on" | "and" | "date" | "dated");
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
