//! Instants in milliseconds since 1970, and the forms in which they are written.

use jiff::Timestamp;

pub(crate) const SECOND: i64 = 1000;
pub(crate) const DAY: i64 = 86_400 * SECOND;

/// The present.
pub(crate) fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

/// RFC 3339 in UTC; milliseconds only where there are any.
pub(crate) fn format(at: i64) -> String {
    let text = Timestamp::from_millisecond(at).map(|at| at.to_string()).unwrap_or_default();
    // A fraction is written with all of its three digits.
    match text.strip_suffix('Z').and_then(|text| text.split_once('.')) {
        Some((whole, fraction)) => format!("{whole}.{fraction:0<3}Z"),
        None => text,
    }
}

/// An RFC 3339 date-time with any offset.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let is_date_time = bytes.len() >= 20
        && matches!(bytes[10], b'T' | b't')
        && bytes[..10].iter().all(|byte| byte.is_ascii_digit() || *byte == b'-')
        && bytes[11..].iter().all(|b| b.is_ascii_digit() || b":.Zz+-".contains(b))
        && bytes[13] == b':'
        && bytes[16] == b':';
    is_date_time.then(|| text.parse::<Timestamp>().ok()).flatten().map(Timestamp::as_millisecond)
}

/// An RFC 3339 date-time, or a date, which means its first instant in UTC.
pub(crate) fn parse_or_day(text: &str) -> Option<i64> {
    if text.len() == 10 { parse(&format!("{text}T00:00:00Z")) } else { parse(text) }
}

/// `15m`, `24h`, `7d`: at most five digits and a unit; neither zero nor above ten years.
pub(crate) fn parse_duration(text: &str) -> Option<i64> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !(1..=5).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let unit = match unit {
        "s" => SECOND,
        "m" => 60 * SECOND,
        "h" => 3600 * SECOND,
        "d" => DAY,
        "w" => 7 * DAY,
        _ => return None,
    };
    let length = digits.parse::<i64>().ok()? * unit;
    (length > 0 && length <= 3650 * DAY).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_with_their_milliseconds_if_any() {
        assert_eq!(format(1_772_442_904_000), "2026-03-02T09:15:04Z");
        assert_eq!(format(1_772_442_904_794), "2026-03-02T09:15:04.794Z");
        assert_eq!(format(1_772_442_904_790), "2026-03-02T09:15:04.790Z");
        assert_eq!(parse("2026-03-02T09:15:04.794Z"), Some(1_772_442_904_794));
        assert_eq!(parse("2026-03-02T10:15:04.794999999+01:00"), Some(1_772_442_904_794));
        assert_eq!(parse_or_day("2026-03-02"), parse("2026-03-02T00:00:00Z"));
    }

    #[test]
    fn other_texts_are_no_instants() {
        for text in [
            "",
            "2026-03-02",
            "2026-03-02 09:15:04Z",
            "2026-03-02T09:15:04",
            "2026-02-30T09:15:04Z",
            "2026-03-02T09:15:04 01:00",
            "2026-03-02T09:15:04+01:00[Europe/Rome]",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn durations_have_one_form() {
        assert_eq!(parse_duration("24h"), Some(DAY));
        assert_eq!(parse_duration("2w"), Some(14 * DAY));
        for text in ["", "h", "0d", "-1d", "+1d", "1.5h", "1 h", "1H", "3651d", "123456s", "1y", "é"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
