//! How policies are shown: as JSON with every default filled in, and for debugging. Word lists show their length only.

use std::fmt;
use std::sync::Arc;

use regex::Regex;
use serde::ser::{SerializeMap, SerializeStruct};
use serde::{Serialize, Serializer};

use super::{AllowMatch, AllowRule, DictionaryRule, EntityRule, PassRule, Policy};

impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut s = serializer.serialize_struct("Policy", 21)?;
        s.serialize_field("name", &self.name)?;
        s.serialize_field("version", &self.version())?;
        s.serialize_field("description", &self.description)?;
        s.serialize_field("kid", &self.kid)?;
        s.serialize_field("epsilon", &self.epsilon)?;
        s.serialize_field("tokenization", &self.scheme)?;
        s.serialize_field("passes", &self.passes)?;
        s.serialize_field("entities", &Entities(self))?;
        s.serialize_field("audit", &self.audit)?;
        s.serialize_field("recognizers", &self.recognizers)?;
        s.serialize_field("dictionaries", &self.dictionaries)?;
        s.serialize_field("allow", &self.allow)?;
        s.serialize_field("token_scope", &self.token_scope)?;
        s.serialize_field("non_text", &self.non_text)?;
        s.serialize_field("synthetic", &self.synthetic)?;
        s.serialize_field("strict_passes", &self.strict_passes)?;
        s.serialize_field("surface", &self.surface)?;
        s.serialize_field("normalization", &self.normalization)?;
        s.serialize_field("aead", &self.aead)?;
        s.serialize_field("strict_numbers", &self.strict_numbers)?;
        s.serialize_field("overlap", &self.overlap)?;
        match &self.speakers {
            Some(roles) => s.serialize_field("speakers", &Speakers { mask: roles })?,
            None => s.skip_field("speakers")?,
        }
        s.end()
    }
}

#[derive(Serialize)]
struct Speakers<'a> {
    mask: &'a [String],
}

struct Entities<'a>(&'a Policy);

impl Serialize for Entities<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let policy = self.0;
        serializer.collect_map(policy.entities.iter().map(|rule| (&rule.kind, Entity { rule, policy })))
    }
}

struct Entity<'a> {
    rule: &'a EntityRule,
    policy: &'a Policy,
}

impl Serialize for Entity<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rule = self.rule;
        let mut s = serializer.serialize_struct("Entity", 12)?;
        s.serialize_field("enabled", &rule.enabled)?;
        s.serialize_field("regex", &rule.regex)?;
        s.serialize_field("ner", &rule.ner)?;
        s.serialize_field("confidence_threshold", &rule.confidence_threshold)?;
        s.serialize_field("action", &rule.action)?;
        s.serialize_field("dictionary", &rule.dictionary)?;
        s.serialize_field("spoken", &rule.spoken)?;
        s.serialize_field("min_score", &rule.min_score)?;
        s.serialize_field("tokenization", &rule.scheme.unwrap_or(self.policy.scheme))?;
        s.serialize_field("kid", rule.kid.as_ref().unwrap_or(&self.policy.kid))?;
        s.serialize_field("priority", &rule.priority)?;
        s.serialize_field("keep", &rule.keep)?;
        s.end()
    }
}

impl Serialize for PassRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.only.is_none() && self.except.is_empty() && self.timeout.is_none() && self.substitute {
            return serializer.serialize_str(self.written);
        }
        let mut s = serializer.serialize_map(Some(1))?;
        s.serialize_entry(self.written, &PassOptions(self))?;
        s.end()
    }
}

struct PassOptions<'a>(&'a PassRule);

impl Serialize for PassOptions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rule = self.0;
        let mut s = serializer.serialize_map(None)?;
        if let Some(only) = &rule.only {
            s.serialize_entry("only", only)?;
        }
        if !rule.except.is_empty() {
            s.serialize_entry("except", &rule.except)?;
        }
        if let Some(timeout) = rule.timeout {
            s.serialize_entry("timeout_ms", &(timeout.as_millis() as u64))?;
        }
        if !rule.substitute {
            s.serialize_entry("substitute", &false)?;
        }
        s.end()
    }
}

impl Serialize for DictionaryRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut s = serializer.serialize_struct("Dictionary", 7)?;
        s.serialize_field("name", &*self.name)?;
        s.serialize_field("entity", &self.kind)?;
        match &self.file {
            Some(file) => s.serialize_field("file", file)?,
            None => s.skip_field("file")?,
        }
        s.serialize_field("word_count", &self.words.len())?;
        s.serialize_field("case_sensitive", &self.case_sensitive)?;
        s.serialize_field("whole_word", &self.whole_word)?;
        s.serialize_field("score", &self.score)?;
        s.end()
    }
}

impl Serialize for AllowRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut s = serializer.serialize_struct("Allow", 2)?;
        match &self.matches {
            AllowMatch::Words(words) => s.serialize_field("word_count", &words.len())?,
            AllowMatch::Regex(regex) => s.serialize_field("regex", regex.as_str())?,
        }
        match &self.kinds {
            Some(kinds) => s.serialize_field("entities", kinds)?,
            None => s.skip_field("entities")?,
        }
        s.end()
    }
}

pub(super) fn name<S: Serializer>(name: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name)
}

pub(super) fn regex<S: Serializer>(regex: &Regex, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(regex.as_str())
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("name", &self.name)
            .field("kid", &self.kid)
            .field("scheme", &self.scheme)
            .field("passes", &self.passes.iter().map(|p| p.written).collect::<Vec<_>>())
            .field("entities", &self.entities.len())
            .field("recognizers", &self.recognizers.len())
            .field("dictionaries", &self.dictionaries)
            .field("allow", &self.allow.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for DictionaryRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DictionaryRule")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("words", &self.words.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AllowRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AllowRule").field("matches", &self.matches).field("kinds", &self.kinds).finish()
    }
}

impl fmt::Debug for AllowMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words(words) => f.debug_tuple("Words").field(&words.len()).finish(),
            Self::Regex(_) => f.write_str("Regex(..)"),
        }
    }
}
