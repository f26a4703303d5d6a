use serde_json::{Map, Value};

use crate::error::{ApiError, Detail, Result};

/// The members of a body, read one by one; every mistake is gathered, and told at the end.
///
/// A member that is `null` is there and clears: [`Fields::has`] tells it from one that is left out.
pub(crate) struct Fields<'a> {
    members: &'a Map<String, Value>,
    prefix: String,
    details: Vec<Detail>,
}

/// The one object that a body is; an empty body is an empty object.
pub(crate) fn object(body: &[u8]) -> Result<Map<String, Value>> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(ApiError::field("", "invalid_json", "The body is not one JSON object.")),
    }
}

/// The name of a member in the path of a mistake. It is the caller's own text: a short plain one is a field, anything else may be
/// a payload.
pub(crate) fn field_name(name: &str) -> &str {
    let is_name = (1..=64).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if is_name { name } else { "?" }
}

impl<'a> Fields<'a> {
    /// Reads an object that may have these members and no others.
    pub(crate) fn new(members: &'a Map<String, Value>, known: &[&str]) -> Self {
        Self::below(members, "", known)
    }

    /// Reads an object inside another.
    pub(crate) fn below(members: &'a Map<String, Value>, path: &str, known: &[&str]) -> Self {
        let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
        let mut fields = Self { members, prefix, details: Vec::new() };
        for name in members.keys().filter(|name| !known.contains(&name.as_str())) {
            let field = format!("{}{}", fields.prefix, field_name(name));
            fields.details.push(Detail::new(field, "unknown_field", "There is no such field here."));
        }
        fields
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// A member that is there and not null.
    pub(crate) fn value(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn fail(&mut self, name: &str, issue: &'static str, message: &str) {
        self.details.push(Detail::new(format!("{}{name}", self.prefix), issue, message));
    }

    pub(crate) fn require(&mut self, name: &str) {
        if self.value(name).is_none() {
            self.fail(name, "missing", "This field is required.");
        }
    }

    pub(crate) fn text(&mut self, name: &str) -> Option<&'a str> {
        match self.value(name)? {
            Value::String(text) => Some(text),
            _ => {
                self.fail(name, "wrong_type", "A string is needed.");
                None
            }
        }
    }

    /// A text of some characters, without control characters, trimmed.
    pub(crate) fn line(&mut self, name: &str, min: usize, max: usize) -> Option<String> {
        let text = self.text(name)?.trim();
        let length = text.chars().count();
        if text.chars().any(char::is_control) {
            self.fail(name, "bad_format", "Control characters are not allowed.");
        } else if length < min {
            self.fail(name, "too_short", &format!("At least {min} characters are needed."));
        } else if length > max {
            self.fail(name, "too_long", &format!("At most {max} characters are allowed."));
        } else {
            return Some(text.to_owned());
        }
        None
    }

    pub(crate) fn flag(&mut self, name: &str) -> Option<bool> {
        match self.value(name)? {
            Value::Bool(value) => Some(*value),
            _ => {
                self.fail(name, "wrong_type", "true or false is needed.");
                None
            }
        }
    }

    pub(crate) fn number(&mut self, name: &str, min: i64, max: i64) -> Option<i64> {
        let value = self.value(name)?;
        if !value.is_number() {
            self.fail(name, "wrong_type", "A whole number is needed.");
            return None;
        }
        let number = value.as_i64().filter(|number| (min..=max).contains(number));
        if number.is_none() {
            self.details.push(Detail::range(format!("{}{name}", self.prefix), min, max));
        }
        number
    }

    pub(crate) fn one_of<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
        names: &[&str],
    ) -> Option<T> {
        let value = parse(self.text(name)?);
        if value.is_none() {
            self.fail(name, "bad_value", &format!("One of {} is needed.", names.join(", ")));
        }
        value
    }

    pub(crate) fn list(&mut self, name: &str, most: usize) -> Option<&'a [Value]> {
        match self.value(name)? {
            Value::Array(items) if items.len() <= most => Some(items),
            Value::Array(_) => {
                self.fail(name, "too_long", &format!("At most {most} items are allowed."));
                None
            }
            _ => {
                self.fail(name, "wrong_type", "A list is needed.");
                None
            }
        }
    }

    pub(crate) fn texts(&mut self, name: &str, most: usize) -> Option<Vec<&'a str>> {
        let texts: Option<Vec<&str>> = self.list(name, most)?.iter().map(Value::as_str).collect();
        if texts.is_none() {
            self.fail(name, "wrong_type", "A list of strings is needed.");
        }
        texts
    }

    pub(crate) fn map(&mut self, name: &str) -> Option<&'a Map<String, Value>> {
        match self.value(name)? {
            Value::Object(members) => Some(members),
            _ => {
                self.fail(name, "wrong_type", "An object is needed.");
                None
            }
        }
    }

    /// Takes over the mistakes of an object inside this one.
    pub(crate) fn absorb(&mut self, other: Fields<'_>) {
        self.details.extend(other.details);
    }

    /// Whether nothing is wrong so far.
    pub(crate) fn finish(self) -> Result<()> {
        if self.details.is_empty() { Ok(()) } else { Err(ApiError::invalid(self.details)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(body: &str, read: impl FnOnce(&mut Fields<'_>)) -> Vec<String> {
        let members = object(body.as_bytes()).unwrap();
        let mut fields = Fields::new(&members, &["name", "count", "flag", "list"]);
        read(&mut fields);
        let Err(error) = fields.finish() else { return Vec::new() };
        let body = error.body("req", false);
        let list = body["error"]["details"].as_array().unwrap().clone();
        list.iter()
            .map(|d| format!("{}:{}", d["field"].as_str().unwrap(), d["issue"].as_str().unwrap()))
            .collect()
    }

    #[test]
    fn every_mistake_is_told() {
        let found = details(r#"{"nmae": 1, "name": 7, "count": 101, "flag": "yes", "list": [1]}"#, |f| {
            f.line("name", 1, 64);
            f.number("count", 1, 100);
            f.flag("flag");
            f.texts("list", 5);
            f.require("name");
        });
        assert_eq!(
            found,
            [
                "nmae:unknown_field",
                "name:wrong_type",
                "count:out_of_range",
                "flag:wrong_type",
                "list:wrong_type"
            ]
        );
    }

    #[test]
    fn a_name_that_may_be_a_payload_is_not_repeated() {
        for name in ["call ann at 415-555-0142", "4155550142", "Reed", ""] {
            assert_eq!(details(&format!("{{\"{name}\": 1}}"), |_| {}), ["?:unknown_field"]);
        }
        assert_eq!(details(r#"{"policyYaml": 1}"#, |_| {}), ["policyYaml:unknown_field"]);
    }

    #[test]
    fn null_is_there_and_has_no_value() {
        let members = object(br#"{"name": null}"#).unwrap();
        let mut fields = Fields::new(&members, &["name"]);
        assert!(fields.has("name") && fields.line("name", 1, 2).is_none());
        assert!(fields.finish().is_ok());
        assert!(object(b"[]").is_err() && object(b"{").is_err() && object(b"\xff").is_err());
    }
}
