//! Dates with the name of a month or with a day in words.

use super::alone::is_date_preposition;
use super::hit::{Date, DateHit};
use crate::detect::document::Document;
use crate::view::{Case, Class, Gap, Shape};

/// Whether a month word can only be the month here.
pub(super) fn is_surely_month(document: &Document<'_>, at: usize) -> bool {
    !matches!(document.stem(at), "may" | "march" | "mar" | "jan" | "august" | "april" | "june")
}

pub(super) fn month_first(document: &Document<'_>, at: usize) -> Option<DateHit> {
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
    DateHit::possible(date, at, end, spoken, "date_long")
}

/// The word at or after `at` that is no filler: "second uh of june".
pub(super) fn skip_fillers(document: &Document<'_>, at: usize) -> usize {
    let mut next = at;
    while next < at + 2
        && document.class(next) == Class::Filler
        && document.gap(next).only(Gap::SPACE.with(Gap::COMMA).with(Gap::PAUSE))
    {
        next += 1;
    }
    if next > at && document.gap(next).only(Gap::SPACE.with(Gap::COMMA).with(Gap::PAUSE)) { next } else { at }
}

pub(super) struct SaidDay {
    pub(super) day: u8,
    pub(super) end: usize,
    /// "five" and not "fifth".
    pub(super) cardinal: bool,
    pub(super) spoken: bool,
}

pub(super) fn joins(document: &Document<'_>, at: usize) -> bool {
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
pub(super) fn said_day(document: &Document<'_>, at: usize) -> Option<SaidDay> {
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
        Shape::Mixed => day(document.before_ordinal_ending(at)?.parse().ok()?, at + 1, false, false),
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
pub(super) fn year_at(
    document: &Document<'_>,
    at: usize,
    after_day: bool,
) -> Option<(Option<u16>, usize, bool)> {
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
pub(super) fn day_first(document: &Document<'_>, at: usize) -> Option<DateHit> {
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
    DateHit::possible(date, at, end, spoken, "date_day_first")
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
        Shape::Mixed => (document.before_ordinal_ending(at)?.parse().ok()?, at + 1, false, false),
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
