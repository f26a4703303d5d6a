use crate::error::{ApiError, Detail, Result};
use crate::time;

/// The parameters after the question mark, decoded; none twice.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

/// A span of time, from inclusive, to exclusive; no start means the beginning.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Window {
    pub(crate) since: Option<i64>,
    pub(crate) until: i64,
}

impl Query {
    /// # Errors
    ///
    /// When a parameter is given twice, or is no UTF-8.
    pub(crate) fn parse(raw: Option<&str>) -> Result<Self> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for part in raw.unwrap_or_default().split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (Some(name), Some(value)) = (decode(name), decode(value)) else {
                return Err(ApiError::field("", "bad_format", "The query is not percent-encoded UTF-8."));
            };
            if pairs.iter().any(|(other, _)| *other == name) {
                return Err(ApiError::field(&name, "duplicate", "The parameter is given twice."));
            }
            pairs.push((name, value));
        }
        Ok(Self { pairs })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// # Errors
    ///
    /// When it is no whole number in the range.
    pub(crate) fn number(&self, name: &str, default: i64, min: i64, max: i64) -> Result<i64> {
        let Some(text) = self.get(name) else { return Ok(default) };
        let is_number =
            !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse::<i64>() {
            Ok(value) if is_number && (min..=max).contains(&value) => Ok(value),
            _ => Err(ApiError::invalid(vec![Detail::range(name, min, max)])),
        }
    }

    pub(crate) fn limit(&self) -> Result<usize> {
        Ok(self.number("limit", 25, 1, 100)? as usize)
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool> {
        Ok(self
            .one_of(
                name,
                |text| match text {
                    "true" => Some(true),
                    "false" => Some(false),
                    _ => None,
                },
                &["true", "false"],
            )?
            .unwrap_or(false))
    }

    pub(crate) fn one_of<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
        names: &[&str],
    ) -> Result<Option<T>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match parse(text) {
            Some(value) => Ok(Some(value)),
            None => {
                Err(ApiError::field(name, "bad_value", &format!("One of {} is needed.", names.join(", "))))
            }
        }
    }

    /// A comma-separated list of values of an enumeration.
    pub(crate) fn list<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
        names: &[&str],
    ) -> Result<Option<Vec<T>>> {
        let split = |text: &str| text.split(',').map(&parse).collect::<Option<Vec<T>>>();
        self.one_of(name, split, names)
    }

    /// A text of 1 to `max` characters.
    pub(crate) fn text(&self, name: &str, max: usize) -> Result<Option<&str>> {
        match self.get(name) {
            Some("") => Err(ApiError::field(name, "too_short", "At least one character is needed.")),
            Some(text) if text.chars().count() > max => {
                Err(ApiError::field(name, "too_long", &format!("At most {max} characters are allowed.")))
            }
            other => Ok(other),
        }
    }

    pub(crate) fn instant(&self, name: &str) -> Result<Option<i64>> {
        match self.get(name) {
            Some(text) => match time::parse_or_day(text) {
                Some(at) => Ok(Some(at)),
                None => Err(ApiError::field(name, "bad_format", "A timestamp or a day is needed.")),
            },
            None => Ok(None),
        }
    }

    /// `since` and `until`; a duration counts back from `now`.
    pub(crate) fn window(&self, default_since: &str, now: i64) -> Result<Window> {
        let read = |name: &str, text: &str| {
            let at =
                time::parse_duration(text).map(|length| now - length).or_else(|| time::parse_or_day(text));
            let message = "A duration such as 24h, a timestamp, or a day is needed.";
            at.ok_or_else(|| ApiError::field(name, "bad_format", message))
        };
        let since = match self.get("since").unwrap_or(default_since) {
            "all" => None,
            text => Some(read("since", text)?),
        };
        let until = self.get("until").map(|text| read("until", text)).transpose()?;
        // A future start is no mistake as long as nobody says when it ends: nothing is in it yet.
        if let (Some(since), Some(until)) = (since, until)
            && until <= since
        {
            return Err(ApiError::field("until", "bad_value", "until must be after since."));
        }
        Ok(Window { since, until: until.unwrap_or(now + 1) })
    }
}

/// Percent-decodes; a plus is a space, as forms write it.
pub(crate) fn decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'%' => {
                let digits = text.get(at + 1..at + 3)?;
                if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return None;
                }
                out.push(u8::from_str_radix(digits, 16).ok()?);
                at += 2;
            }
            b'+' => out.push(b' '),
            byte => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query::parse(Some(text)).unwrap()
    }

    #[test]
    fn parameters_are_decoded_and_given_once() {
        assert_eq!(query("a=x%2By+z&&b").get("a"), Some("x+y z"));
        assert!(Query::parse(Some("a=1&a=2")).is_err());
        for raw in ["a=%", "a=%f", "a=%zz", "a=%ff"] {
            assert!(Query::parse(Some(raw)).is_err(), "{raw}");
        }
    }

    #[test]
    fn windows_follow_the_grammar() {
        let now = 1_772_442_904_000;
        let window = |text: &str| query(text).window("24h", now);
        assert_eq!(window("").unwrap(), Window { since: Some(now - time::DAY), until: now + 1 });
        assert_eq!(window("since=all").unwrap().since, None);
        assert_eq!(window("since=2026-03-01&until=1h").unwrap().until, now - 3_600_000);
        assert!(window("since=2030-01-01").is_ok(), "a future start is an empty page");
        for bad in [
            "since=yesterday",
            "since=0d",
            "since=",
            "until=all",
            "since=1h&until=2h",
            "since=2026-03-02T09:15:04+01:00",
        ] {
            assert!(window(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_are_never_clamped() {
        for bad in [
            "limit=0",
            "limit=101",
            "limit=-1",
            "limit=",
            "limit=1.5",
            "limit=%201",
            "limit=99999999999999999999",
        ] {
            assert!(query(bad).limit().is_err(), "{bad}");
        }
        assert_eq!((query("").limit().unwrap(), query("limit=100").limit().unwrap()), (25, 100));
    }
}
