//! The kinds that a policy lists, and what it says about each.

use std::collections::{BTreeSet, HashSet};

use super::Checker;
use super::fields::{Field, Fields, join};
use super::suggest::nearest;
use crate::Kind;
use crate::policy::raw::{Mark, Value};
use crate::policy::{
    Action, EntityRule, Keep, PolicyErrorCode as Code, PolicyErrors, PolicyNoticeCode as Notice,
};

/// Twice as many as are reported, since they are sorted only afterwards.
const MAX_SUGGESTIONS: usize = 2 * PolicyErrors::LIMIT;

/// Accepted spellings of kinds that are not their names.
pub(in crate::policy) const KIND_ALIASES: [(&str, Kind); 10] = [
    ("person_name", Kind::Name),
    ("dob", Kind::Dob),
    ("phone_number", Kind::Phone),
    ("USPHONE", Kind::Phone),
    ("account_number", Kind::Account),
    ("address", Kind::Address),
    ("IP", Kind::IpAddress),
    ("ip", Kind::IpAddress),
    ("MBI", Kind::HealthPlan),
    ("LOCATION", Kind::Address),
];

pub(in crate::policy) const ENTITY_FIELDS: &[&str] = &[
    "enabled",
    "regex",
    "ner",
    "confidence_threshold",
    "action",
    "dictionary",
    "spoken",
    "min_score",
    "tokenization",
    "kid",
    "priority",
    "keep",
];

impl Checker<'_> {
    pub(super) fn entities(&mut self, top: &Fields<'_>) -> Vec<EntityRule> {
        let mut rules: Vec<EntityRule> = Vec::new();
        let Some(field) = self.required(top, "entities") else { return rules };
        let Some(listed) = self.mapping(&field) else { return rules };
        if listed.pairs.is_empty() {
            self.error(Code::EmptyEntities, field.at(), &field.path, "at least one kind must be listed");
            return rules;
        }
        let produced = produced_kinds(top);
        let mut declared = BTreeSet::new();
        let mut spellings = HashSet::new();
        for (key, node) in listed.pairs {
            // Equal keys are reported as such.
            if !spellings.insert(key.text.as_str()) {
                continue;
            }
            let field = Field { path: join("entities", &key.text), node };
            let kind = self.kind(&key.text, key.at, &field.path);
            let rule = self.entity(&field, kind.as_ref());
            let Some(kind) = kind else { continue };
            if !kind.is_built_in() && !produced.contains(&kind) {
                let suggestion = self.nearest_kind(&kind, Kind::BUILT_IN.iter().chain(&produced));
                let message = format!("{kind} is no built-in kind, and nothing in this policy produces it");
                self.suggest(Code::InvalidValue, key.at, &field.path, message, suggestion);
            }
            if declared.insert(kind.clone()) {
                rules.extend(rule.map(|rule| EntityRule { kind, ..rule }));
            } else {
                self.error(
                    Code::DuplicateEntity,
                    key.at,
                    &field.path,
                    format!("the kind {kind} is listed twice"),
                );
            }
        }
        self.declared = Some(declared);
        rules
    }

    /// The rule of one kind. `kind` is the key, if that is one.
    fn entity(&mut self, field: &Field<'_>, kind: Option<&Kind>) -> Option<EntityRule> {
        let fields = self.fields(field, ENTITY_FIELDS)?;
        let default = EntityRule::new(Kind::Id);
        let rule = EntityRule {
            enabled: self.bool(&fields, "enabled", default.enabled),
            regex: self.bool(&fields, "regex", default.regex),
            ner: self.bool(&fields, "ner", default.ner),
            dictionary: self.bool(&fields, "dictionary", default.dictionary),
            spoken: self.bool(&fields, "spoken", default.spoken),
            confidence_threshold: self.fraction(
                &fields,
                "confidence_threshold",
                default.confidence_threshold,
            ),
            min_score: self.fraction(&fields, "min_score", default.min_score),
            action: self.choice_or(&fields, "action", default.action),
            scheme: fields.get("tokenization").and_then(|f| self.choice(&f)),
            kid: fields.get("kid").and_then(|f| self.kid(&f)),
            priority: fields
                .get("priority")
                .and_then(|f| self.integer(&f, -100..=100))
                .map_or(default.priority, |n| i8::try_from(n).expect("checked against a smaller range")),
            keep: self.choice_or(&fields, "keep", default.keep),
            ..default
        };
        if let (Some(keep), Some(kind)) = (fields.get("keep"), kind)
            && !keep_fits(rule.keep, kind)
        {
            let message = format!("keep {} does not fit the kind {kind}", rule.keep);
            self.error(Code::ConflictingFields, keep.at(), &keep.path, message);
        }
        if let Some(action) = fields.get("action")
            && rule.action == Action::Passthrough
            && rule.enabled
        {
            let message = "what is found of this kind is sent in clear";
            self.notice(Notice::PassthroughInUse, action.at(), &action.path, message);
        }
        Some(rule)
    }

    pub(super) fn kinds(&mut self, fields: &Fields<'_>, name: &str) -> Option<Vec<Kind>> {
        let field = fields.get(name)?;
        let items = self.list(&field, "a list of kinds")?;
        if items.is_empty() {
            self.error(Code::InvalidValue, field.at(), &field.path, "at least one kind must be named");
        }
        Some(items.iter().filter_map(|item| self.declared_kind(item)).collect())
    }

    /// A kind that must be listed under `entities`.
    pub(super) fn declared_kind(&mut self, field: &Field<'_>) -> Option<Kind> {
        let kind = self.text(field).and_then(|text| self.kind(text, field.at(), &field.path))?;
        if let Some(declared) = &self.declared
            && !declared.contains(&kind)
        {
            let suggestion = self.nearest_kind(&kind, declared.iter());
            let message = format!("the kind {kind} is not listed under entities");
            self.suggest(Code::MissingEntity, field.at(), &field.path, message, suggestion);
        }
        Some(kind)
    }

    /// A kind under its canonical name, with a warning where it was written otherwise.
    fn kind(&mut self, text: &str, at: Mark, path: &str) -> Option<Kind> {
        if let Some((_, kind)) = KIND_ALIASES.iter().find(|(alias, _)| *alias == text) {
            self.notice(Notice::KindAlias, at, path, format!("{text} is read as {kind}"));
            return Some(kind.clone());
        }
        let kind = text.parse().ok();
        if kind.is_none() {
            let message = "a kind is 2 to 32 of A-Z, 0-9 and _, starting with a letter".to_owned();
            let suggestion = nearest(text, Kind::BUILT_IN.iter().map(Kind::as_str));
            self.suggest(Code::InvalidValue, at, path, message, suggestion);
        }
        kind
    }

    fn nearest_kind<'k>(&self, kind: &Kind, known: impl Iterator<Item = &'k Kind>) -> Option<String> {
        let wanted = self.errors.len() < MAX_SUGGESTIONS;
        if wanted { nearest(kind.as_str(), known.map(Kind::as_str)) } else { None }
    }
}

/// The kinds that recognisers and dictionaries of the policy produce, mistakes in them aside.
fn produced_kinds(top: &Fields<'_>) -> BTreeSet<Kind> {
    let mut kinds = BTreeSet::new();
    for list in ["recognizers", "dictionaries"] {
        let Some(Value::List(items)) = top.get(list).map(|f| f.value()) else { continue };
        for item in items {
            let Value::Map(pairs) = &*item.value else { continue };
            let Some((_, entity)) = pairs.iter().find(|(k, _)| k.text == "entity") else { continue };
            if let Value::Text(text) = &*entity.value {
                kinds.extend(text.parse::<Kind>());
            }
        }
    }
    kinds
}

fn keep_fits(keep: Keep, kind: &Kind) -> bool {
    match keep {
        Keep::None => true,
        Keep::Over89 => *kind == Kind::AgeOver89,
        Keep::Year => matches!(kind, Kind::Dob | Kind::Date),
        Keep::Zip3 => *kind == Kind::Zip,
        Keep::Last4 => matches!(kind, Kind::CreditCard | Kind::Account),
        Keep::Domain => *kind == Kind::Email,
        Keep::State => *kind == Kind::Address,
    }
}
