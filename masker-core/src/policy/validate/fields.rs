//! Reading typed values from the tree, with an error where there is another.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use super::Checker;
use super::suggest::{nearest, with_suggestion};
use crate::policy::action::Named;
use crate::policy::raw::{Key, Mark, Node, Value};
use crate::policy::{PolicyError, PolicyErrorCode as Code, PolicyNotice, PolicyNoticeCode as Notice};

/// A node and the way to it.
pub(super) struct Field<'n> {
    pub(super) path: String,
    pub(super) node: &'n Node,
}

impl<'n> Field<'n> {
    pub(super) fn at(&self) -> Mark {
        self.node.at
    }

    pub(super) fn value(&self) -> &'n Value {
        &self.node.value
    }
}

/// A mapping whose keys have been checked.
pub(super) struct Fields<'n> {
    pub(super) path: String,
    pub(super) at: Mark,
    pub(super) pairs: &'n [(Key, Node)],
}

impl<'n> Fields<'n> {
    /// The field of that name; the first, if there are several.
    pub(super) fn get(&self, name: &str) -> Option<Field<'n>> {
        let (_, node) = self.pairs.iter().find(|(k, _)| k.text == name)?;
        Some(Field { path: join(&self.path, name), node })
    }

    pub(super) fn key_at(&self, name: &str) -> Mark {
        self.pairs.iter().find(|(k, _)| k.text == name).map_or(self.at, |(k, _)| k.at)
    }
}

impl Checker<'_> {
    pub(super) fn error(&mut self, code: Code, at: Mark, path: &str, message: impl Into<String>) {
        self.errors.push(error(code, at, path.to_owned(), message));
    }

    pub(super) fn suggest(
        &mut self,
        code: Code,
        at: Mark,
        path: &str,
        message: String,
        suggestion: Option<String>,
    ) {
        let message = with_suggestion(message, suggestion.as_deref());
        self.errors.push(PolicyError { suggestion, ..error(code, at, path.to_owned(), message) });
    }

    pub(super) fn notice(
        &mut self,
        code: Notice,
        (line, column): Mark,
        path: &str,
        message: impl Into<String>,
    ) {
        self.notices.push(PolicyNotice {
            code,
            path: path.to_owned(),
            line,
            column,
            message: message.into(),
        });
    }

    /// Reports equal keys anywhere in the tree.
    pub(super) fn duplicate_keys(&mut self, field: &Field<'_>) {
        match field.value() {
            Value::List(items) => {
                for (i, node) in items.iter().enumerate() {
                    self.duplicate_keys(&Field { path: format!("{}[{i}]", field.path), node });
                }
            }
            Value::Map(pairs) => {
                let mut seen = HashSet::new();
                for (key, node) in pairs {
                    let path = join(&field.path, &key.text);
                    if !seen.insert(key.text.as_str()) {
                        let message = if is_name(&key.text) {
                            format!("the key {} is here twice", key.text)
                        } else {
                            "a key is here twice".to_owned()
                        };
                        self.error(Code::DuplicateKey, key.at, &path, message);
                    }
                    self.duplicate_keys(&Field { path, node });
                }
            }
            _ => {}
        }
    }

    pub(super) fn wrong_type(&mut self, field: &Field<'_>, expected: &str) {
        let (found, hint) = match field.value() {
            Value::Null => ("nothing", ""),
            Value::Bool(_) => ("true or false", ""),
            Value::Int(_) | Value::Float(_) => ("a number", ""),
            Value::Text(text)
                if expected == "true or false" && matches!(text.as_str(), "yes" | "no" | "on" | "off") =>
            {
                ("a string", "; in YAML 1.2 only true and false are booleans")
            }
            Value::Text(_) => ("a string", ""),
            Value::List(_) => ("a list", ""),
            Value::Map(_) => ("a mapping", ""),
        };
        self.error(
            Code::WrongType,
            field.at(),
            &field.path,
            format!("expected {expected}, found {found}{hint}"),
        );
    }

    /// A mapping with keys from `known`; an absent value counts as an empty one.
    pub(super) fn fields<'n>(&mut self, field: &Field<'n>, known: &[&str]) -> Option<Fields<'n>> {
        let fields = self.mapping(field)?;
        for (key, _) in fields.pairs {
            if known.contains(&key.text.as_str()) {
                continue;
            }
            let path = join(&field.path, &key.text);
            if is_name(&key.text) {
                let suggestion = nearest(&key.text, known.iter().copied());
                self.suggest(
                    Code::UnknownField,
                    key.at,
                    &path,
                    format!("unknown field {}", key.text),
                    suggestion,
                );
            } else {
                self.error(Code::UnknownField, key.at, &path, "unknown field");
            }
        }
        Some(fields)
    }

    pub(super) fn mapping<'n>(&mut self, field: &Field<'n>) -> Option<Fields<'n>> {
        let pairs: &[_] = match field.value() {
            Value::Map(pairs) => pairs,
            Value::Null => &[],
            _ => {
                self.wrong_type(field, "a mapping");
                return None;
            }
        };
        Some(Fields { path: field.path.clone(), at: field.at(), pairs })
    }

    /// The items of a list; an absent value counts as an empty one.
    pub(super) fn list<'n>(&mut self, field: &Field<'n>, expected: &str) -> Option<Vec<Field<'n>>> {
        match field.value() {
            Value::List(items) => Some(
                items
                    .iter()
                    .enumerate()
                    .map(|(i, node)| Field { path: format!("{}[{i}]", field.path), node })
                    .collect(),
            ),
            Value::Null => Some(Vec::new()),
            _ => {
                self.wrong_type(field, expected);
                None
            }
        }
    }

    pub(super) fn required<'n>(&mut self, fields: &Fields<'n>, name: &str) -> Option<Field<'n>> {
        let field = fields.get(name);
        if field.is_none() {
            let path = join(&fields.path, name);
            self.error(Code::MissingField, fields.at, &path, format!("the field {name} is required"));
        }
        field
    }

    pub(super) fn text<'n>(&mut self, field: &Field<'n>) -> Option<&'n str> {
        if let Value::Text(text) = field.value() {
            return Some(text);
        }
        let hint = matches!(field.value(), Value::Int(_) | Value::Float(_));
        self.wrong_type(field, if hint { "a string (quote it)" } else { "a string" });
        None
    }

    pub(super) fn bool(&mut self, fields: &Fields<'_>, name: &str, default: bool) -> bool {
        let Some(field) = fields.get(name) else { return default };
        if let Value::Bool(value) = field.value() {
            return *value;
        }
        self.wrong_type(&field, "true or false");
        default
    }

    pub(super) fn integer(&mut self, field: &Field<'_>, range: RangeInclusive<i128>) -> Option<i128> {
        match field.value() {
            Value::Int(n) if range.contains(n) => Some(*n),
            Value::Int(_) => {
                let message = format!("must be between {} and {}", range.start(), range.end());
                self.error(Code::OutOfRange, field.at(), &field.path, message);
                None
            }
            _ => {
                self.wrong_type(field, "an integer");
                None
            }
        }
    }

    pub(super) fn number(&mut self, field: &Field<'_>) -> Option<f64> {
        match field.value() {
            Value::Int(n) => Some(*n as f64),
            Value::Float(x) => Some(*x),
            _ => {
                self.wrong_type(field, "a number");
                None
            }
        }
    }

    /// A number from 0 to 1.
    pub(super) fn fraction(&mut self, fields: &Fields<'_>, name: &str, default: f64) -> f64 {
        let Some(field) = fields.get(name) else { return default };
        let Some(number) = self.number(&field) else { return default };
        if !(0.0..=1.0).contains(&number) {
            self.error(Code::OutOfRange, field.at(), &field.path, "must be between 0 and 1");
            return default;
        }
        // −0 would be shown as such.
        number.abs()
    }

    pub(super) fn choice<T: Named>(&mut self, field: &Field<'_>) -> Option<T> {
        let text = self.text(field)?;
        let value = T::from_name(text);
        if value.is_none() {
            let message = format!("must be one of {}", T::NAMES.join(", "));
            let suggestion = nearest(text, T::NAMES.iter().copied());
            self.suggest(Code::InvalidValue, field.at(), &field.path, message, suggestion);
        }
        value
    }

    pub(super) fn choice_or<T: Named>(&mut self, fields: &Fields<'_>, name: &str, default: T) -> T {
        fields.get(name).and_then(|f| self.choice(&f)).unwrap_or(default)
    }

    /// A list of texts that are not blank, without the space around them.
    pub(super) fn words(&mut self, field: &Field<'_>, expected: &str) -> Vec<String> {
        let Some(items) = self.list(field, expected) else { return Vec::new() };
        let mut words = Vec::with_capacity(items.len());
        for item in &items {
            let Some(word) = self.text(item).map(str::trim) else { continue };
            if word.is_empty() {
                self.error(Code::InvalidValue, item.at(), &item.path, "an entry must not be blank");
            }
            words.push(word.to_owned());
        }
        words
    }

    /// Reports both or neither of two fields.
    pub(super) fn exactly_one(&mut self, fields: &Fields<'_>, one: &str, other: &str) {
        let at = match (fields.get(one), fields.get(other)) {
            (Some(_), Some(_)) => fields.key_at(one).max(fields.key_at(other)),
            (None, None) => fields.at,
            _ => return,
        };
        let message = format!("exactly one of {one} and {other} must be given");
        self.error(Code::ConflictingFields, at, &fields.path, message);
    }
}

pub(super) fn error(
    code: Code,
    (line, column): Mark,
    path: String,
    message: impl Into<String>,
) -> PolicyError {
    PolicyError { code, path, line, column, message: message.into(), suggestion: None }
}

/// Whether a key of the file may be repeated in a message: it looks like a name, not like a misplaced word or number.
fn is_name(key: &str) -> bool {
    let mut bytes = key.bytes();
    key.len() <= 40
        && bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

pub(super) fn join(path: &str, key: &str) -> String {
    match (path.is_empty(), is_name(key)) {
        (_, false) => path.to_owned(),
        (true, true) => key.to_owned(),
        (false, true) => format!("{path}.{key}"),
    }
}
