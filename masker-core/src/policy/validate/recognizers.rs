//! The recognisers of a policy and their patterns.

use std::collections::HashMap;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use super::Checker;
use super::fields::{Field, Fields};
use super::suggest::nearest;
use crate::policy::limits::{MAX_PATTERN_BYTES, MAX_PATTERN_CHARS, MAX_PATTERNS, MAX_RECOGNIZER_PATTERNS};
use crate::policy::raw::{Mark, Value};
use crate::policy::{Check, PatternRule, PolicyErrorCode as Code, RecognizerRule};
use crate::{Pass, kinds};

pub(in crate::policy) const RECOGNIZER_FIELDS: &[&str] =
    &["name", "entity", "patterns", "context", "context_window", "context_boost", "check", "pass"];

impl Checker<'_> {
    pub(super) fn recognizers(
        &mut self,
        top: &Fields<'_>,
        names: &mut HashMap<String, Mark>,
    ) -> Vec<RecognizerRule> {
        let items = top.get("recognizers").and_then(|f| self.list(&f, "a list of recognisers"));
        items.unwrap_or_default().iter().filter_map(|item| self.recognizer(item, names)).collect()
    }

    fn recognizer(&mut self, item: &Field<'_>, names: &mut HashMap<String, Mark>) -> Option<RecognizerRule> {
        let fields = self.fields(item, RECOGNIZER_FIELDS)?;
        let name = self.own_name(&fields, names);
        let kind = self.required(&fields, "entity").and_then(|f| self.declared_kind(&f));
        let patterns = self.required(&fields, "patterns").map(|f| self.patterns(&f)).unwrap_or_default();
        let context = fields.get("context").map(|f| self.words(&f, "a list of words")).unwrap_or_default();
        let window = fields.get("context_window").and_then(|f| self.integer(&f, 1..=20)).unwrap_or(5);
        let pass = match fields.get("pass") {
            None => Pass::Regex,
            Some(field) => self.recognizer_pass(&field).unwrap_or(Pass::Regex),
        };
        Some(RecognizerRule {
            name,
            patterns,
            context,
            context_window: usize::try_from(window).expect("checked to be positive"),
            context_boost: self.fraction(&fields, "context_boost", 0.35),
            check: self.choice_or(&fields, "check", Check::None),
            pass,
            kind: kind?,
        })
    }

    fn recognizer_pass(&mut self, field: &Field<'_>) -> Option<Pass> {
        match self.text(field)? {
            "regex" => Some(Pass::Regex),
            "spoken" => Some(Pass::Spoken),
            other => {
                let suggestion = nearest(other, ["regex", "spoken"].into_iter());
                let message = "must be one of regex, spoken".to_owned();
                self.suggest(Code::InvalidValue, field.at(), &field.path, message, suggestion);
                None
            }
        }
    }

    /// The unique lower-case name of a recogniser or dictionary.
    pub(super) fn own_name(&mut self, fields: &Fields<'_>, names: &mut HashMap<String, Mark>) -> Arc<str> {
        let Some(field) = self.required(fields, "name") else { return "".into() };
        let Some(name) = self.text(&field) else { return "".into() };
        let mut bytes = name.bytes();
        let good = name.len() <= 48
            && bytes.next().is_some_and(|b| b.is_ascii_lowercase())
            && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !good {
            let message = "a name is 1 to 48 of a-z, 0-9 and _, starting with a letter";
            self.error(Code::InvalidValue, field.at(), &field.path, message);
        } else if is_built_in_recognizer(name) {
            let message = "this is the name of a built-in recogniser";
            self.error(Code::InvalidValue, field.at(), &field.path, message);
        } else if let Some((line, _)) = names.get(name) {
            let message = format!("the name {name} is taken on line {line}");
            self.error(Code::DuplicateName, field.at(), &field.path, message);
        } else {
            names.insert(name.to_owned(), field.at());
        }
        name.into()
    }

    fn patterns(&mut self, field: &Field<'_>) -> Vec<PatternRule> {
        let Some(items) = self.list(field, "a list of patterns") else { return Vec::new() };
        if items.is_empty() {
            self.error(Code::OutOfRange, field.at(), &field.path, "at least one pattern must be listed");
        }
        if items.len() > MAX_RECOGNIZER_PATTERNS {
            self.error(Code::TooLarge, field.at(), &field.path, "a recogniser has at most 50 patterns");
        }
        items.iter().take(MAX_RECOGNIZER_PATTERNS).filter_map(|item| self.pattern(item)).collect()
    }

    fn pattern(&mut self, item: &Field<'_>) -> Option<PatternRule> {
        let fields = self.fields(item, &["regex", "score", "group"])?;
        let score = self.fraction(&fields, "score", 0.8);
        let regex = self.required(&fields, "regex").and_then(|f| self.regex(&f))?;
        let group = fields.get("group").and_then(|f| self.group(&f, &regex)).unwrap_or(0);
        Some(PatternRule { regex, score, group })
    }

    fn group(&mut self, field: &Field<'_>, regex: &Regex) -> Option<usize> {
        let group = match field.value() {
            Value::Int(n) => usize::try_from(*n).ok().filter(|n| *n < regex.captures_len()),
            Value::Text(name) => regex.capture_names().position(|n| n == Some(name)),
            _ => {
                self.wrong_type(field, "the name or number of a group");
                return None;
            }
        };
        if group.is_none() {
            self.error(Code::InvalidValue, field.at(), &field.path, "the pattern has no such group");
        }
        group
    }

    pub(super) fn regex(&mut self, field: &Field<'_>) -> Option<Regex> {
        let pattern = self.text(field)?;
        self.patterns += 1;
        if self.patterns > MAX_PATTERNS {
            // Once is enough.
            if self.patterns == MAX_PATTERNS + 1 {
                let message = format!("a policy has at most {MAX_PATTERNS} patterns");
                self.error(Code::TooLarge, field.at(), &field.path, message);
            }
            return None;
        }
        if let Some((i, _)) = pattern.char_indices().nth(MAX_PATTERN_CHARS) {
            let message = format!(
                "a pattern has at most {MAX_PATTERN_CHARS} characters; this one has {} bytes more",
                pattern.len() - i
            );
            self.error(Code::InvalidRegex, field.at(), &field.path, message);
            return None;
        }
        match RegexBuilder::new(pattern).size_limit(MAX_PATTERN_BYTES).build() {
            Ok(regex) => Some(regex),
            Err(e) => {
                self.error(Code::InvalidRegex, field.at(), &field.path, regex_mistake(pattern, &e));
                None
            }
        }
    }
}

fn is_built_in_recognizer(name: &str) -> bool {
    kinds::specs().any(|spec| {
        spec.patterns.iter().chain(spec.labelled).any(|p| p.name == name)
            || spec.codes.iter().any(|c| c.name == name)
    })
}

/// What is wrong with a pattern, and at which of its characters.
fn regex_mistake(pattern: &str, error: &regex::Error) -> String {
    use regex_syntax::ast::ErrorKind;

    if let regex::Error::CompiledTooBig(_) = error {
        return "the pattern compiles to more than 1 MiB".to_owned();
    }
    let (message, offset) = match regex_syntax::Parser::new().parse(pattern) {
        Err(regex_syntax::Error::Parse(e)) => {
            let message = match e.kind() {
                ErrorKind::UnsupportedLookAround => "look-around is not supported".to_owned(),
                ErrorKind::UnsupportedBackreference => "back-references are not supported".to_owned(),
                kind => kind.to_string(),
            };
            (message, e.span().start.offset)
        }
        Err(regex_syntax::Error::Translate(e)) => (e.kind().to_string(), e.span().start.offset),
        _ => return "the pattern does not compile".to_owned(),
    };
    let character = pattern.get(..offset).map_or(0, |before| before.chars().count()) + 1;
    format!("the pattern does not compile: at character {character}, {message}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_in_patterns_are_placed_by_characters() {
        for (pattern, start) in [
            ("\u{e4}\u{e4}(", "the pattern does not compile: at character 3, "),
            ("a(?<=b)", "the pattern does not compile: at character 2, look-around is not supported"),
            ("(a)\\1", "the pattern does not compile: at character 4, back-references are not supported"),
            ("a\\p{Nothing}", "the pattern does not compile: at character 2, "),
            ("[a", "the pattern does not compile: at character 1, unclosed"),
        ] {
            let error = Regex::new(pattern).expect_err("a mistake");
            let message = regex_mistake(pattern, &error);
            assert!(message.starts_with(start), "{pattern}: {message}");
        }
    }
}
