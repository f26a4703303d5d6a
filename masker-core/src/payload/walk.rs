use super::json::{Data, Edits, MAX_JSON_DEPTH, Member, Value, parse, quoted};
use super::rules::JsonRules;
use crate::conversation::Role;
use crate::policy::NonText;
use crate::{Error, Restored};

/// A text met in a payload.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "holds text")]
#[non_exhaustive]
pub struct Place<'a> {
    /// JSON Pointer of the value, through JSON inside strings; of the object, for a key. A key that was replaced is written `*`.
    pub path: &'a str,
    /// Who says it.
    pub role: Role,
    /// The name of the field, where the field is the caller's own and not the protocol's.
    pub label: Option<&'a str>,
    /// The form it has in the JSON.
    pub form: Form,
    /// The text, unescaped.
    pub text: &'a str,
}

/// What a [`Place`] is in the JSON.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Form {
    /// The arguments of a tool call, which are JSON, as a string. Met whole where originals are put back; else its leaves are.
    Arguments,
    /// The key of an object.
    Key,
    /// A string that may be JSON. Met whole where originals are put back; else, if it is JSON, its leaves are.
    Nested,
    /// A number: one of four or more digits, an age, or a part of a position. What replaces it is written as a string.
    Number,
    /// A string.
    Text,
}

/// Whole numbers of fewer digits are looked at only where their field is an age.
const NUMBER_DIGITS: usize = 4;

/// A key of plain characters with as many digits is a number rather than the name of a field.
const KEY_DIGITS: usize = 7;

/// Keys that say nothing themselves: `{"phone": {"value": ...}}`.
const EMPTY_LABELS: [&str; 9] =
    ["content", "data", "display", "formatted", "full", "number", "raw", "text", "value"];

/// Keys that say which part of a name they hold where the key around them says that it is a name, or another part stands beside
/// them: `{"name": {"first": ...}}`, `{"family": ..., "given": [...]}` (HL7 FHIR R4, HumanName).
const PARTS_OF_NAMES: [&str; 9] =
    ["family", "first", "given", "last", "legal", "maiden", "middle", "preferred", "surname"];

/// What the walk is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Purpose {
    Mask(NonText),
    Rehydrate,
    /// JSON in strings is walked like that around it.
    RehydrateLeaves,
}

/// Walks one payload, asks `visit` about every text, and collects the edits.
pub(super) struct Walker<'r, V> {
    pub(super) visit: V,
    pub(super) purpose: Purpose,
    pub(super) rules: Option<&'r JsonRules>,
    /// JSON Pointer of the value at hand, as rules name it.
    pub(super) path: String,
    /// The same with replaced keys as `*`, as it is told.
    pub(super) shown: String,
    pub(super) role: Role,
    pub(super) edits: Edits,
    /// Levels that JSON inside strings may still nest.
    pub(super) depth: usize,
}

impl<V, E> Walker<'_, V>
where
    V: FnMut(&Place<'_>) -> Result<Option<String>, E>,
    E: From<Error>,
{
    /// Runs `work` one level deeper.
    pub(super) fn inside<T>(
        &mut self,
        key: &str,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        self.inside_as(key, key, work)
    }

    fn inside_as<T>(
        &mut self,
        key: &str,
        shown: &str,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let (length, shown_length) = (self.path.len(), self.shown.len());
        push_segment(&mut self.path, key);
        push_segment(&mut self.shown, shown);
        let depth = self.depth;
        self.depth = depth.saturating_sub(1);
        let result = work(self);
        self.depth = depth;
        self.path.truncate(length);
        self.shown.truncate(shown_length);
        result
    }

    pub(super) fn each(
        &mut self,
        items: &[Value<'_>],
        mut work: impl FnMut(&mut Self, &Value<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for (index, item) in items.iter().enumerate() {
            self.inside(&index.to_string(), |w| work(w, item))?;
        }
        Ok(())
    }

    pub(super) fn each_member(
        &mut self,
        members: &[Member<'_>],
        mut work: impl FnMut(&mut Self, &str, &Value<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for member in members {
            self.inside(&member.key, |w| work(w, &member.key, &member.value))?;
        }
        Ok(())
    }

    /// A value of a form that no protocol prescribes: keys, strings and long numbers.
    pub(super) fn free(&mut self, value: &Value<'_>, label: Option<&str>) -> Result<(), E> {
        match &value.data {
            Data::Literal => Ok(()),
            Data::Number(text) => self.number(value, text, label),
            Data::Text(_) => self.nested_text(value, label),
            Data::Array(items) => {
                let label = label.map(singular);
                self.each(items, |w, item| w.free(item, label))
            }
            Data::Object(members) => {
                let is_name = is_name(label, members);
                for member in members {
                    let is_replaced = self.key(member)?;
                    let shown: &str = if is_replaced { "*" } else { &member.key };
                    let joined;
                    let label = match label {
                        // What is no name of a field is no label either.
                        parent if !is_plain(&member.key) => parent,
                        _ if is_name
                            && PARTS_OF_NAMES.iter().any(|part| member.key.eq_ignore_ascii_case(part)) =>
                        {
                            joined = format!("{}_name", member.key);
                            Some(joined.as_str())
                        }
                        // HL7 FHIR R4, Address.
                        Some(parent)
                            if member.key.eq_ignore_ascii_case("line") && ends_in_word(parent, "address") =>
                        {
                            Some("address_line")
                        }
                        Some(parent) if EMPTY_LABELS.contains(&member.key.to_ascii_lowercase().as_str()) => {
                            joined = format!("{parent}_{}", member.key);
                            Some(joined.as_str())
                        }
                        _ => Some(member.key.as_ref()),
                    };
                    self.inside_as(&member.key, shown, |w| w.free(&member.value, label))?;
                }
                Ok(())
            }
        }
    }

    fn key(&mut self, member: &Member<'_>) -> Result<bool, E> {
        // What a caller or a tool writes must not have the form of an alias, a key neither.
        let may_be_forged = matches!(self.role, Role::Tool | Role::User)
            && matches!(self.purpose, Purpose::Mask(_))
            && ends_in_number(&member.key);
        if is_plain(&member.key) && !may_be_forged {
            return Ok(false);
        }
        let replacement = self.ask(Form::Key, None, &member.key)?;
        Ok(self.put(member.start, member.key_end, replacement))
    }

    fn number(&mut self, value: &Value<'_>, text: &str, label: Option<&str>) -> Result<(), E> {
        if !may_tell(text, label) {
            return Ok(());
        }
        let replacement = self.ask(Form::Number, label, text)?;
        self.put(value.start, value.end, replacement);
        Ok(())
    }

    /// A string as it stands, without a look at what is written in it.
    pub(super) fn text(&mut self, value: &Value<'_>, label: Option<&str>) -> Result<(), E> {
        let Data::Text(text) = &value.data else { return self.free(value, label) };
        let replacement = self.ask(Form::Text, label, text)?;
        self.put(value.start, value.end, replacement);
        Ok(())
    }

    /// A string, or the JSON object or array that is written in it.
    pub(super) fn nested_text(&mut self, value: &Value<'_>, label: Option<&str>) -> Result<(), E> {
        self.nested(value, label, Form::Nested)
    }

    /// The arguments of a tool call.
    pub(super) fn arguments(&mut self, value: &Value<'_>) -> Result<(), E> {
        self.nested(value, None, Form::Arguments)
    }

    fn nested(&mut self, value: &Value<'_>, label: Option<&str>, form: Form) -> Result<(), E> {
        let Data::Text(text) = &value.data else { return self.free(value, label) };
        if self.purpose == Purpose::Rehydrate {
            let replacement = self.ask(form, label, text)?;
            self.put(value.start, value.end, replacement);
            return Ok(());
        }
        let begins_json = text.trim_start().starts_with(['{', '[']);
        let Some(inner) = begins_json.then(|| parse(text, self.depth)).and_then(Result::ok) else {
            return self.text(value, label);
        };
        let outer = std::mem::take(&mut self.edits);
        let walked = self.free(&inner, label);
        let edits = std::mem::replace(&mut self.edits, outer);
        walked?;
        if !edits.is_empty() {
            self.edits.replace(value.start, value.end, quoted(&edits.apply(text)));
        }
        Ok(())
    }

    fn ask(&mut self, form: Form, label: Option<&str>, text: &str) -> Result<Option<String>, E> {
        if text.is_empty() || !self.rules.is_none_or(|rules| rules.masks(&self.path)) {
            return Ok(None);
        }
        let place = Place { path: &self.shown, role: self.role, label, form, text };
        Ok((self.visit)(&place)?.filter(|new| new != text))
    }

    fn put(&mut self, start: usize, end: usize, replacement: Option<String>) -> bool {
        let Some(new) = replacement else { return false };
        self.edits.replace(start, end, quoted(&new));
        true
    }
}

/// Whether a key is the name of a field: such a key is neither looked into nor restored.
fn is_plain(key: &str) -> bool {
    key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'$'))
        && key.bytes().filter(u8::is_ascii_digit).count() < KEY_DIGITS
}

/// Whether a key is a word with a number behind an underscore, as an alias without its brackets is.
fn ends_in_number(key: &str) -> bool {
    let word = key.trim_end_matches(|c: char| c.is_ascii_digit());
    word.len() < key.len() && word.len() > 1 && word.ends_with('_')
}

/// Whether a number is looked at: one that is long, an age, or a part of a position on the map.
fn may_tell(text: &str, label: Option<&str>) -> bool {
    let labelled =
        |words: &[&str]| label.is_some_and(|label| words.iter().any(|word| ends_in_word(label, word)));
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.len() >= NUMBER_DIGITS || text.len() > 1 && labelled(&["age"]);
    }
    labelled(&["lat", "latitude", "lng", "lon", "longitude"])
}

/// Whether an object holds the parts of a name, by the label around it or by two of them.
fn is_name(label: Option<&str>, members: &[Member<'_>]) -> bool {
    let has = |key: &str| members.iter().any(|member| member.key == key);
    label.is_some_and(|label| ends_in_word(label, "name"))
        || has("family") && has("given")
        || has("first") && has("last")
}

/// Whether the last word of a label is this one, in `camelCase` too.
fn ends_in_word(label: &str, word: &str) -> bool {
    let Some(start) = label.len().checked_sub(word.len()) else { return false };
    let Some(end) = label.get(start..).filter(|end| end.eq_ignore_ascii_case(word)) else { return false };
    let capital = end.starts_with(|c: char| c.is_ascii_uppercase());
    start == 0 || capital || label[..start].ends_with(['_', '-', ' '])
}

fn push_segment(path: &mut String, key: &str) {
    path.push('/');
    for c in key.chars() {
        match c {
            '~' => path.push_str("~0"),
            '/' => path.push_str("~1"),
            _ => path.push(c),
        }
    }
}

/// `phones` names a list of which each is a phone.
fn singular(label: &str) -> &str {
    match label.strip_suffix('s') {
        _ if label.ends_with("sses") => &label[..label.len() - 2],
        Some(one) if label.len() > 3 && !one.ends_with('s') => one,
        _ => label,
    }
}

/// Walks a document of any form.
pub(super) fn walk_json<E: From<Error>>(
    json: &str,
    rules: Option<&JsonRules>,
    purpose: Purpose,
    visit: impl FnMut(&Place<'_>) -> Result<Option<String>, E>,
) -> Result<String, E> {
    let value = parse(json, MAX_JSON_DEPTH)?;
    let mut walker = Walker {
        visit,
        purpose,
        rules,
        path: String::new(),
        shown: String::new(),
        role: Role::User,
        edits: Edits::default(),
        depth: MAX_JSON_DEPTH,
    };
    walker.free(&value, None)?;
    Ok(walker.edits.apply(json))
}

/// Puts originals back into a text that may be JSON, leaf by leaf if it is.
pub(super) fn restore_leaves(
    text: &str,
    mut rehydrate: impl FnMut(&str) -> Result<Restored, Error>,
) -> Result<Restored, Error> {
    let begins_json = text.trim_start().starts_with(['{', '[']);
    if !begins_json || parse(text, MAX_JSON_DEPTH).is_err() {
        return rehydrate(text);
    }
    let mut total = Restored::default();
    total.text = walk_json::<Error>(text, None, Purpose::RehydrateLeaves, |place| {
        if place.form == Form::Number {
            return Ok(None);
        }
        let mut restored = rehydrate(place.text)?;
        let text = std::mem::take(&mut restored.text);
        total.add(restored);
        Ok(Some(text))
    })?;
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upper(json: &str) -> (String, Vec<String>) {
        let mut seen = Vec::new();
        let out = walk_json::<Error>(json, None, Purpose::Mask(NonText::Reject), |place| {
            seen.push(format!("{} {}", place.path, place.label.unwrap_or("-")));
            let is_secret = place.form != Form::Key || place.text == "k k";
            Ok(is_secret.then(|| place.text.to_uppercase()))
        })
        .unwrap();
        (out, seen)
    }

    #[test]
    fn everything_but_the_strings_stays_as_written() {
        let json =
            "\u{feff} {\"a\" :[1.0, 1e5,-0.0,12345678901234567890123, \"\\u0041\" ],\r\n\"a\": \"x\" } ";
        let (out, _) = upper(json);
        assert_eq!(out, json.replace("\"x\"", "\"X\""));
    }

    #[test]
    fn strings_numbers_and_keys_are_visited_with_their_place() {
        let (out, seen) = upper(r#"{"phones":[4155550142,12],"k k":{"a/b":"x"},"tel":{"value":"y"}}"#);
        assert_eq!(out, r#"{"phones":[4155550142,12],"K K":{"a/b":"X"},"tel":{"value":"Y"}}"#);
        assert_eq!(seen, ["/phones/0 phone", " -", "/* -", "/*/a~1b -", "/tel/value tel_value"]);
    }

    #[test]
    fn json_in_strings_is_walked_and_stays_json() {
        let (out, seen) = upper(r#"{"n":"{\"q\": \"a\\\"b\", \"deep\": \"[\\\"c\\\"]\"}","t":"[PHONE_1]"}"#);
        let outer: serde_json::Value = serde_json::from_str(&out).unwrap();
        let inner: serde_json::Value = serde_json::from_str(outer["n"].as_str().unwrap()).unwrap();
        assert_eq!(inner["q"], "A\"B");
        assert_eq!(inner["deep"], "[\"C\"]");
        assert!(seen.contains(&"/n/deep/0 deep".to_owned()), "{seen:?}");
        assert!(seen.contains(&"/t t".to_owned()));
    }

    #[test]
    fn json_in_strings_does_not_pass_the_limit_of_nesting() {
        let mut json = "\"x\"".to_owned();
        for _ in 0..14 {
            json = format!("{{\"a\":{}}}", quoted(&json));
        }
        assert!(upper(&json).1.iter().filter(|seen| !seen.starts_with(' ')).count() > 0);
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        let (_, seen) = upper(&format!("{}{}{}", "[".repeat(100), quoted(&deep), "]".repeat(100)));
        assert_eq!(seen.len(), 1, "too deep to walk, so it is text");
    }

    #[test]
    fn parts_of_names_and_addresses_are_labelled_as_such() {
        let json = r#"{"name":[{"family":"a","given":["b"],"use":"c"}],"patientName":{"first":"d"},
            "order":{"first":"e","family":"f"},"home_address":[{"line":["g"],"city":"h"}],"contact":{"family":"i","given":"j"},"patient":{"first":"k","last":"l"}}"#;
        let (_, seen) = upper(json);
        let wanted = [
            "/name/0/family family_name",
            "/name/0/given/0 given_name",
            "/name/0/use use",
            "/patientName/first first_name",
            "/order/first first",
            "/order/family family",
            "/home_address/0/line/0 address_line",
            "/home_address/0/city city",
            "/contact/family family_name",
            "/contact/given given_name",
            "/patient/first first_name",
            "/patient/last last_name",
        ];
        assert_eq!(seen, wanted);
    }

    #[test]
    fn lists_name_one_of_their_items() {
        for (many, one) in [
            ("phones", "phone"),
            ("addresses", "address"),
            ("address", "address"),
            ("ids", "ids"),
            ("x", "x"),
        ] {
            assert_eq!(singular(many), one);
        }
    }
}
