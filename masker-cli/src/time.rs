//! Days and instants on the command line, in UTC.

const MS_PER_DAY: i64 = 86_400_000;

/// Milliseconds since 1970 of a day (`2026-01-31`, its first instant in UTC) or an instant (`2026-01-31T12:00:00Z`, with
/// optional fraction, or with an offset such as `+02:00`).
pub(crate) fn parse(text: &str) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let day = parse_day(date)? * MS_PER_DAY;
    if rest.is_empty() {
        return Some(day);
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let zone_at = rest.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = rest.split_at(zone_at);
    let offset = match zone {
        "Z" | "z" => 0,
        _ => {
            let minutes = parse_clock(&zone[1..])?;
            if zone.starts_with('-') { -minutes } else { minutes }
        }
    };
    let (hours_minutes, seconds) = clock.split_at_checked(5)?;
    let minutes = parse_clock(hours_minutes)?;
    let milliseconds = if seconds.is_empty() { 0 } else { parse_seconds(seconds.strip_prefix(':')?)? };
    Some(day + (minutes - offset) * 60_000 + milliseconds)
}

/// The present, in milliseconds since 1970.
pub(crate) fn now() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// `HH:MM` in minutes.
fn parse_clock(text: &str) -> Option<i64> {
    let (hours, minutes) = (number(text.get(..2)?)?, number(text.get(3..)?)?);
    (text.len() == 5 && text.as_bytes()[2] == b':' && hours < 24 && minutes < 60)
        .then_some(hours * 60 + minutes)
}

/// `SS` or `SS.fff`, of which milliseconds are kept.
fn parse_seconds(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if whole.len() != 2 || fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let seconds = number(whole).filter(|s| *s < 60)?;
    number(fraction)?;
    let milliseconds = number(&format!("{fraction:0<3}")[..3])?;
    Some(seconds * 1000 + milliseconds)
}

fn number(text: &str) -> Option<i64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn parse_day(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let (year, month, day) = (number(text.get(..4)?)?, number(text.get(5..7)?)?, number(text.get(8..)?)?);
    let number = day_number(year, month, day);
    // A day that the calendar does not have comes back as another one.
    ((1..=12).contains(&month) && day >= 1 && civil(number) == (year, month, day)).then_some(number)
}

/// Days since 1970 in the Gregorian calendar, with years that start in March so that the leap day comes last.
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 1
        - 719_468
}

/// Year, month and day of a day number.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let in_era = days.rem_euclid(146_097);
    let year = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year + year / 4 - year / 100);
    let month = (5 * in_year + 2) / 153;
    let day = in_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

/// An instant as `2026-01-31T12:00:00.000Z`.
pub(crate) fn format(milliseconds: i64) -> String {
    let (year, month, day) = civil(milliseconds.div_euclid(MS_PER_DAY));
    let rest = milliseconds.rem_euclid(MS_PER_DAY);
    let (hours, minutes, seconds) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{:03}Z", rest % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_come_back_as_they_were_written() {
        for text in [
            "1970-01-01T00:00:00.000Z",
            "2000-02-29T23:59:59.999Z",
            "2026-11-23T05:00:00.250Z",
            "1969-12-31T12:00:00.000Z",
        ] {
            assert_eq!(format(parse(text).unwrap()), text);
        }
        assert_eq!(parse("2026-01-01"), Some(1_767_225_600_000));
        assert_eq!(parse("2026-01-01T02:30:00+02:30"), parse("2026-01-01"));
        assert_eq!(parse("2026-01-01T00:00Z"), parse("2026-01-01"));
    }

    #[test]
    fn every_day_of_four_centuries_has_its_own_number() {
        let mut before = None;
        for number in day_number(1900, 1, 1)..day_number(2300, 1, 1) {
            let (year, month, day) = civil(number);
            assert_eq!(day_number(year, month, day), number);
            assert!(before < Some((year, month, day)));
            before = Some((year, month, day));
        }
    }

    #[test]
    fn other_texts_are_no_instants() {
        for text in [
            "",
            "2026",
            "2026-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-01-00",
            "2026-1-01",
            "2026-01-01T",
            "2026-01-01T10:00",
            "2026-01-01T24:00Z",
            "2026-01-01T10:00:61Z",
            "2026-01-01T10:00:00.Z",
            "tomorrow!!",
            "2026-01-01é",
            "2026-01-01T10:00+2",
            "+026-01-01",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
