//! The parts of a policy that are neither kinds, passes nor recognisers.

use super::Checker;
use super::fields::{Field, Fields};
use crate::policy::raw::Value;
use crate::policy::{
    AllowMatch, AllowRule, Audit, LogPayloads, PolicyErrorCode as Code, PolicyNoticeCode as Notice, Synthetic,
};

impl Checker<'_> {
    pub(super) fn section<'n>(&mut self, top: &Fields<'n>, name: &str, known: &[&str]) -> Option<Fields<'n>> {
        top.get(name).and_then(|f| self.fields(&f, known))
    }

    pub(super) fn allow(&mut self, top: &Fields<'_>) -> Vec<AllowRule> {
        let items = top.get("allow").and_then(|f| self.list(&f, "a list of texts to let through"));
        items.unwrap_or_default().iter().filter_map(|item| self.allow_rule(item)).collect()
    }

    fn allow_rule(&mut self, item: &Field<'_>) -> Option<AllowRule> {
        let fields = self.fields(item, &["words", "regex", "entities"])?;
        self.exactly_one(&fields, "words", "regex");
        let kinds = self.kinds(&fields, "entities");
        let regex = fields.get("regex").map(|f| self.regex(&f));
        let words = fields.get("words").map(|f| self.words(&f, "a list of words"));
        let matches = match (regex, words) {
            (Some(regex), _) => AllowMatch::Regex(regex?),
            (None, words) => AllowMatch::Words(words?.into()),
        };
        Some(AllowRule { matches, kinds })
    }

    pub(super) fn audit(&mut self, top: &Fields<'_>) -> Audit {
        let mut audit = Audit { log_events: true, log_payloads: LogPayloads::Off, retention_days: 2555 };
        let Some(fields) = self.section(top, "audit", &["log_events", "log_payloads", "retention_days"])
        else {
            return audit;
        };
        audit.log_events = self.bool(&fields, "log_events", true);
        if !audit.log_events {
            let field = fields.get("log_events").expect("the default is true");
            self.notice(
                Notice::EventsDisabled,
                field.at(),
                &field.path,
                "only totals are written, no events",
            );
        }
        if let Some(field) = fields.get("log_payloads") {
            match field.value() {
                Value::Bool(false) => {}
                Value::Bool(true) => audit.log_payloads = LogPayloads::On,
                Value::Text(text) if text == "masked" => audit.log_payloads = LogPayloads::Masked,
                Value::Text(_) => {
                    self.error(Code::InvalidValue, field.at(), &field.path, "must be true, false or masked");
                }
                _ => self.wrong_type(&field, "true, false or masked"),
            }
            if audit.log_payloads != LogPayloads::Off && self.loader.payload_retention_days == Some(0) {
                let message = "payloads are kept for 0 days, so none is";
                self.notice(Notice::PayloadRetentionZero, field.at(), &field.path, message);
            }
        }
        if let Some(field) = fields.get("retention_days")
            && let Some(days) = self.integer(&field, 1..=36_500)
        {
            audit.retention_days = u32::try_from(days).expect("checked against a smaller range");
            if days < 2190 {
                let message = "events are kept for less than six years";
                self.notice(Notice::RetentionBelowSixYears, field.at(), &field.path, message);
            }
        }
        audit
    }

    pub(super) fn synthetic(&mut self, top: &Fields<'_>) -> Synthetic {
        let Some(fields) = self.section(top, "synthetic", &["seed", "preserve_locale"]) else {
            return Synthetic { seed: None, preserve_locale: true };
        };
        let seed = fields.get("seed").filter(|f| *f.value() != Value::Null);
        let seed = seed.and_then(|field| {
            let seed = self.integer(&field, 0..=i128::from(u64::MAX))?;
            let message = "with a fixed seed, guesses about the input can be tested against the output";
            self.notice(Notice::FixedSeed, field.at(), &field.path, message);
            Some(u64::try_from(seed).expect("checked against the same range"))
        });
        Synthetic { seed, preserve_locale: self.bool(&fields, "preserve_locale", true) }
    }

    pub(super) fn speakers(&mut self, fields: &Fields<'_>) -> Option<Vec<String>> {
        let field = fields.get("mask")?;
        let roles = self.words(&field, "a list of speaker roles");
        if matches!(field.value(), Value::Null)
            || matches!(field.value(), Value::List(items) if items.is_empty())
        {
            let message = "at least one role must be named; leave the field out to mask all";
            self.error(Code::InvalidValue, field.at(), &field.path, message);
        }
        Some(roles)
    }
}
