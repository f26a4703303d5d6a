//! Dates whose month, day and year are numbers, said or written one after the other.

use super::SHORTEST;
use super::alone::ends_day;
use super::hit::{Date, DateHit};
use crate::detect::document::Document;
use crate::view::{Case, Class, CodePiece, CodeRun};

/// "her birthday is four twelve": a month and a day that are said as numbers, and nothing behind them; or "from one slash four to".
pub(super) fn month_and_day(document: &Document<'_>, run: &CodeRun) -> Option<DateHit> {
    let pieces = &run.pieces;
    let said = |piece: &CodePiece| piece.spoken && piece.char.is_ascii_digit();
    if !(2..=SHORTEST).contains(&pieces.len()) || !pieces.iter().all(said) || run.amount || run.broken {
        return None;
    }
    let (start, end) = (run.words.start, pieces.last()?.word_end as usize);
    let before = document.stem_before(start, 1);
    let slash = (start..end).find(|&at| document.class(at) == Class::Slash);
    let slashed = slash.is_some()
        && matches!(before, "between" | "from" | "on" | "since" | "to" | "until")
        // "to one slash four of a tablet"
        && document.class(end) != Class::Unit
        && document.stem(end) != "of";
    // "born at four twelve"
    if before == "at" || !(slashed || document.begins_clause(end)) {
        return None;
    }
    let in_month = |piece: &&CodePiece| match slash {
        Some(slash) => (piece.word as usize) < slash,
        None => piece.word == pieces[0].word,
    };
    let first = pieces.iter().take_while(in_month).count();
    let value = |part: &[CodePiece]| part.iter().fold(0, |value, piece| value * 10 + (piece.char - b'0'));
    let (month, day) = pieces.split_at(first);
    let joined = || {
        slash.is_some() || day[0].word == day[1].word || document.class(day[0].word as usize) == Class::Tens
    };
    let is_day = day.len() == 1 || day.len() == 2 && joined();
    if month.len() > 2 || !is_day {
        return None;
    }
    let date = Date { year: None, month: value(month), day: Some(value(day)) };
    date.is_possible().then_some(DateHit {
        date,
        start,
        end,
        spoken: true,
        needs_cue: !slashed,
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
    let is_number =
        |at: &usize| matches!(document.class(*at), Class::Digit | Class::Teen | Class::Tens | Class::Oh);
    let is_slash = |at: &usize| document.class(*at) == Class::Slash;
    let said = pieces.iter().all(|piece| piece.spoken) && (first..last).all(|at| is_number(&at));
    // "oh two slash fourteen slash twenty three", but "one slash two to one slash four"
    let slashed = (first..last).all(|at| is_number(&at) || is_slash(&at))
        && (first..last).filter(is_slash).count() == 2;
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
    certain |= said && (alone() || placed()) || slashed;
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
