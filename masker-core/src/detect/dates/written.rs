//! Dates in digits with signs between them.

use super::hit::{Date, DateHit};
use crate::detect::document::{Document, word_class};
use crate::view::{Class, Gap, Shape};

/// "20241103", where the words before it place it in time or a label asks for a date.
pub(super) fn compact_iso(document: &Document<'_>, at: usize) -> Option<DateHit> {
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
pub(super) fn glued(document: &Document<'_>, at: usize) -> Option<DateHit> {
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
pub(super) fn stands_among_numbers(document: &Document<'_>, at: usize) -> bool {
    document.words.get(at + 1).is_some_and(|next| {
        let joined = matches!(next.gap, Gap::SLASH | Gap::HYPHEN | Gap::STOP);
        next.shape == Shape::Digits && !joined
    })
}

/// "03/14/1982", "1982-03-14", "3-14-82", "4/14", "02/2026", with a time after ISO dates.
pub(super) fn written(document: &Document<'_>, at: usize) -> Option<DateHit> {
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
    let amount = document.class(at + 2) == Class::Unit
        && document.gap(at + 2).only(Gap::SPACE.with(Gap::HYPHEN))
        // "3/4 of the way"
        || document.stem(at + 2) == "of" && matches!(document.stem(at + 3), "a" | "an" | "the");
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
            | "adm"
            | "admit"
            | "admitted"
            | "collected"
            | "discharged"
            | "dos"
            | "due"
            | "scheduled"
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
    // "seen 2/29/24, 3/7, 3/14", "D/C 5/10"
    let listed = || follows_date(document, at) || precedes_date(document, at + 2);
    let discharged =
        || before == "c" && document.gap(at - 1) == Gap::SLASH && document.stem_before(at, 2) == "d";
    (!ratio || listed() || discharged()) && !scored && alone && at > 0
}

/// Whether two numbers are rather a score or a fraction than a month and a day: "5/5", "7/10", "2/6", "1/2".
fn is_ratio(a: u16, b: u16) -> bool {
    a <= b && matches!(b, 2..=8 | 10 | 12)
}

/// Whether a month and a day, which are no ratio, end before a comma and the word.
fn follows_date(document: &Document<'_>, at: usize) -> bool {
    let (Some(month), Some(day)) = (at.checked_sub(2), at.checked_sub(1)) else { return false };
    document.gap(at).has(Gap::COMMA)
        && document.gap(day) == Gap::SLASH
        && (document.gap(month) == Gap::SLASH || is_month_and_day(document, month))
}

/// Whether a month and a day, which are no ratio, begin at a word behind a comma.
fn precedes_date(document: &Document<'_>, at: usize) -> bool {
    document.gap(at).has(Gap::COMMA) && document.gap(at + 1) == Gap::SLASH && is_month_and_day(document, at)
}

/// Whether the numbers at a word and behind it can be a month and a day, and are no ratio.
fn is_month_and_day(document: &Document<'_>, at: usize) -> bool {
    let number = |at: usize| document.stem(at).parse().ok();
    let (Some(month @ 1..=12), Some(day @ 1..=31)) = (number(at), number(at + 1)) else { return false };
    !is_ratio(month, day)
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
