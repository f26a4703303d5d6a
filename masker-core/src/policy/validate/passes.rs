//! The passes that a policy lists.

use std::time::Duration;

use super::Checker;
use super::fields::{Field, Fields, error, join};
use super::suggest::{nearest, with_suggestion};
use crate::Pass;
use crate::policy::raw::{Mark, Value};
use crate::policy::{
    PassRule, PolicyError, PolicyErrorCode as Code, PolicyErrors, PolicyNoticeCode as Notice,
};

pub(in crate::policy) const NO_MODEL_STRICT: &str =
    "no model is loaded for this pass, and strict_passes is on";

pub(in crate::policy) const PASS_NAMES: [(&str, Pass); 6] = [
    ("regex", Pass::Regex),
    ("dictionary", Pass::Dictionary),
    ("spoken", Pass::Spoken),
    ("ner", Pass::Ner),
    ("gemma", Pass::Ner),
    ("diarize", Pass::Diarize),
];

/// The passes of a comma list. Columns count within the list.
pub(in crate::policy) fn pass_list(list: &str) -> Result<Vec<PassRule>, PolicyErrors> {
    let mut errors = Vec::new();
    let mut passes: Vec<PassRule> = Vec::new();
    if list.trim().is_empty() {
        return Err(PolicyErrors::one(
            Code::EmptyPasses,
            (1, 1),
            "passes",
            "at least one pass must be listed",
        ));
    }
    let mut column = 1;
    for (i, item) in list.split(',').enumerate() {
        let at = (1, column + item.chars().take_while(|c| c.is_whitespace()).count());
        column += item.chars().count() + 1;
        let (path, name) = (format!("passes[{i}]"), item.trim());
        match known_pass(name) {
            None => errors.push(invalid_pass(name, at, path)),
            Some((written, pass)) if passes.iter().any(|p| p.pass == pass) => {
                errors.push(error(
                    Code::DuplicatePass,
                    at,
                    path,
                    format!("the pass {written} is listed twice"),
                ));
            }
            Some((written, pass)) => passes.push(PassRule::new(pass, written, at)),
        }
    }
    if errors.is_empty() { Ok(passes) } else { Err(PolicyErrors::new(errors, Vec::new())) }
}

impl Checker<'_> {
    pub(super) fn passes(&mut self, top: &Fields<'_>, strict: bool) -> Vec<PassRule> {
        let mut rules: Vec<PassRule> = Vec::new();
        let Some(field) = self.required(top, "passes") else { return rules };
        let Some(items) = self.list(&field, "a list of passes") else { return rules };
        if items.is_empty() {
            self.error(Code::EmptyPasses, field.at(), &field.path, "at least one pass must be listed");
        }
        for item in &items {
            let Some(rule) = self.pass(item) else { continue };
            if rules.iter().any(|r| r.pass == rule.pass) {
                let message = format!("the pass {} is listed twice", rule.pass.as_str());
                self.error(Code::DuplicatePass, rule.at, &item.path, message);
                continue;
            }
            if rule.pass == Pass::Ner && self.loader.ner_loaded == Some(false) {
                if strict {
                    self.error(Code::PassUnavailable, rule.at, &item.path, NO_MODEL_STRICT);
                } else {
                    let message = if rule.substitute {
                        "no model is loaded for this pass; dictionary and spoken stand in for it"
                    } else {
                        "no model is loaded for this pass, and nothing stands in for it"
                    };
                    self.notice(Notice::PassUnavailable, rule.at, &item.path, message);
                }
            }
            rules.push(rule);
        }
        rules
    }

    fn pass(&mut self, item: &Field<'_>) -> Option<PassRule> {
        let (name, at, options) = match item.value() {
            Value::Text(name) => (name.as_str(), item.at(), None),
            Value::Map(pairs) if pairs.len() == 1 => {
                (pairs[0].0.text.as_str(), pairs[0].0.at, Some(&pairs[0].1))
            }
            _ => {
                self.wrong_type(item, "the name of a pass, or a mapping with one such key");
                return None;
            }
        };
        let Some((written, pass)) = known_pass(name) else {
            self.errors.push(invalid_pass(name, at, item.path.clone()));
            return None;
        };
        let mut rule = PassRule::new(pass, written, at);
        let Some(node) = options else { return Some(rule) };
        let known: &[&str] = match pass {
            Pass::Ner => &["only", "except", "timeout_ms", "substitute"],
            Pass::Diarize => &[],
            _ => &["only", "except"],
        };
        let options = Field { path: format!("{}.{written}", item.path), node };
        let options = self.fields(&options, known)?;
        rule.only = self.kinds(&options, "only");
        rule.except = self.kinds(&options, "except").unwrap_or_default();
        if options.get("only").is_some() && options.get("except").is_some() {
            let message = "only and except exclude each other";
            self.error(
                Code::ConflictingFields,
                options.key_at("except"),
                &join(&options.path, "except"),
                message,
            );
        }
        if pass == Pass::Ner {
            rule.substitute = self.bool(&options, "substitute", true);
            rule.timeout = options
                .get("timeout_ms")
                .and_then(|f| self.integer(&f, 1..=60_000))
                .map(|ms| Duration::from_millis(u64::try_from(ms).expect("checked to be positive")));
        }
        Some(rule)
    }
}

fn known_pass(name: &str) -> Option<(&'static str, Pass)> {
    PASS_NAMES.into_iter().find(|(n, _)| *n == name)
}

fn invalid_pass(name: &str, at: Mark, path: String) -> PolicyError {
    let names = PASS_NAMES.map(|(n, _)| n);
    let suggestion = nearest(name, names.into_iter());
    let message =
        with_suggestion(format!("not a pass; the passes are {}", names.join(", ")), suggestion.as_deref());
    PolicyError { suggestion, ..error(Code::InvalidPass, at, path, message) }
}
