//! Reading a policy: what is in it, and every mistake at once with its place.

pub(super) mod dictionaries;
pub(super) mod entities;
mod fields;
mod kid;
pub(super) mod passes;
mod reach;
pub(super) mod recognizers;
mod sections;
mod suggest;

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use self::fields::{Field, Fields};
pub use self::kid::is_valid_kid;
pub(super) use self::passes::{NO_MODEL_STRICT, pass_list};
use super::limits::{MAX_DESCRIPTION_CHARS, MAX_POLICY_BYTES};
use super::raw::{self, Node, Value};
use super::{
    Aead, NonText, Normalization, Overlap, Policy, PolicyError, PolicyErrorCode as Code, PolicyErrors,
    PolicyLoader, PolicyNotice, PolicyNoticeCode as Notice, Scheme, Surface, TokenScope,
};
use crate::Kind;

pub(super) const EPSILON_RANGE: &str = "epsilon must be above 0 and at most 10";

pub(super) const TOP_FIELDS: &[&str] = &[
    "name",
    "version",
    "description",
    "kid",
    "epsilon",
    "tokenization",
    "passes",
    "entities",
    "audit",
    "recognizers",
    "dictionaries",
    "allow",
    "token_scope",
    "non_text",
    "synthetic",
    "strict_passes",
    "surface",
    "normalization",
    "aead",
    "strict_numbers",
    "overlap",
    "speakers",
    "agents",
];

/// Checks a policy. Dictionary files are read from below `dir`; without one they are not allowed.
pub(super) fn policy(
    text: &str,
    loader: &PolicyLoader<'_>,
    dir: Option<&Path>,
) -> Result<Policy, PolicyErrors> {
    if text.len() > MAX_POLICY_BYTES {
        return Err(PolicyErrors::one(Code::TooLarge, (1, 1), "", "a policy has at most 256 KiB"));
    }
    let root = raw::parse(text).map_err(|e| PolicyErrors::one(Code::YamlSyntax, e.at, "", e.message))?;
    let mut checker =
        Checker { loader, dir, errors: Vec::new(), notices: Vec::new(), declared: None, patterns: 0 };
    checker.duplicate_keys(&Field { path: String::new(), node: &root });
    let policy = checker.policy(&root);
    checker.notices.sort_by_key(|n| (n.line, n.column, n.code));
    // What is inside an anchored node comes again with each of its aliases.
    checker.notices.dedup_by_key(|n| (n.line, n.column, n.code));
    match policy {
        Some(mut policy) if checker.errors.is_empty() => {
            policy.notices = checker.notices;
            Ok(policy)
        }
        _ => Err(PolicyErrors::new(checker.errors, checker.notices)),
    }
}

/// Reads a policy file, or as much of it as shows that it is too large.
pub(super) fn read_policy(path: &Path) -> Result<Vec<u8>, PolicyErrors> {
    let mut bytes = Vec::new();
    let limit = MAX_POLICY_BYTES as u64 + 1;
    File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(|e| {
        PolicyErrors::one(
            Code::FileUnreadable,
            (1, 1),
            "",
            format!("the policy {} cannot be read: {}", path.display(), e.kind()),
        )
    })?;
    if bytes.len() > MAX_POLICY_BYTES {
        return Err(PolicyErrors::one(Code::TooLarge, (1, 1), "", "a policy has at most 256 KiB"));
    }
    Ok(bytes)
}

pub(super) fn utf8(bytes: &[u8]) -> Result<&str, PolicyErrors> {
    std::str::from_utf8(bytes).map_err(|e| {
        let good = std::str::from_utf8(&bytes[..e.valid_up_to()]).expect("checked up to here");
        let line = good.matches('\n').count() + 1;
        let column = good.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
        PolicyErrors::one(Code::YamlSyntax, (line, column), "", "the policy is not UTF-8")
    })
}

struct Checker<'a> {
    loader: &'a PolicyLoader<'a>,
    dir: Option<&'a Path>,
    errors: Vec<PolicyError>,
    notices: Vec<PolicyNotice>,
    /// The kinds listed under `entities`, once those are read.
    declared: Option<BTreeSet<Kind>>,
    /// How many regular expressions there were so far.
    patterns: usize,
}

impl Checker<'_> {
    fn policy(&mut self, root: &Node) -> Option<Policy> {
        let top = Field { path: String::new(), node: root };
        if !matches!(top.value(), Value::Map(_)) {
            self.wrong_type(&top, "a mapping");
            return None;
        }
        let top = self.fields(&top, TOP_FIELDS)?;

        let name = self.required(&top, "name").and_then(|f| self.name(&f));
        self.version(&top);
        let description = top.get("description").and_then(|f| self.description(&f)).unwrap_or_default();
        let kid = self.required(&top, "kid").and_then(|f| self.kid(&f));
        let epsilon = top.get("epsilon").and_then(|f| self.epsilon(&f)).unwrap_or(0.5);
        let scheme = self.required(&top, "tokenization").and_then(|f| self.choice::<Scheme>(&f));
        // Kinds first: everything else may refer to them.
        let entities = self.entities(&top);
        let strict_passes = self.bool(&top, "strict_passes", false);
        let passes = self.passes(&top, strict_passes);
        let mut names = HashMap::new();
        let recognizers = self.recognizers(&top, &mut names);
        let dictionaries = self.dictionaries(&top, &mut names);
        let allow = self.allow(&top);
        let audit = self.audit(&top);
        let synthetic = self.synthetic(&top);
        if top.get("agents").is_some() {
            let message = "agents are made through the API; this block is ignored";
            self.notice(Notice::AgentsBlockIgnored, top.key_at("agents"), "agents", message);
        }
        let aead = self.section(&top, "aead", &["deterministic"]);
        let aead = Aead { deterministic: aead.is_some_and(|f| self.bool(&f, "deterministic", false)) };
        let speakers = self.section(&top, "speakers", &["mask"]).and_then(|f| self.speakers(&f));

        let policy = Policy {
            token_scope: self.choice_or(&top, "token_scope", TokenScope::Kid),
            non_text: self.choice_or(&top, "non_text", NonText::Reject),
            surface: self.choice_or(&top, "surface", Surface::Token),
            normalization: self.choice_or(&top, "normalization", Normalization::Value),
            overlap: self.choice_or(&top, "overlap", Overlap::Longest),
            strict_numbers: self.bool(&top, "strict_numbers", false),
            name: name?,
            description,
            kid: kid?,
            epsilon,
            scheme: scheme?,
            places: entities.iter().enumerate().map(|(i, e)| (e.kind.clone(), i)).collect(),
            passes,
            entities,
            audit,
            recognizers,
            dictionaries,
            allow,
            synthetic,
            strict_passes,
            aead,
            speakers,
            notices: Vec::new(),
        };
        if self.errors.is_empty() {
            self.entities_never_found(&policy, &top);
        }
        Some(policy)
    }

    fn name(&mut self, field: &Field<'_>) -> Option<String> {
        let name = self.text(field)?;
        let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let good = (1..=64).contains(&name.len())
            && letter(name.as_bytes()[0])
            && name.bytes().all(|b| letter(b) || matches!(b, b'-' | b'_' | b'.'));
        if !good {
            let message = "a name is 1 to 64 of a-z, 0-9, -, _ and ., starting with a letter or digit";
            self.error(Code::InvalidValue, field.at(), &field.path, message);
        }
        good.then(|| name.to_owned())
    }

    fn version(&mut self, top: &Fields<'_>) {
        let Some(field) = self.required(top, "version") else { return };
        match field.value() {
            Value::Int(1) => {}
            Value::Int(_) => {
                let message = "the only version of the schema is 1";
                self.error(Code::UnsupportedVersion, field.at(), &field.path, message);
            }
            _ => self.wrong_type(&field, "an integer"),
        }
    }

    fn description(&mut self, field: &Field<'_>) -> Option<String> {
        let text = self.text(field)?;
        if text.chars().count() > MAX_DESCRIPTION_CHARS {
            self.error(
                Code::OutOfRange,
                field.at(),
                &field.path,
                "a description has at most 4,000 characters",
            );
        }
        Some(text.to_owned())
    }

    fn epsilon(&mut self, field: &Field<'_>) -> Option<f64> {
        let epsilon = self.number(field)?;
        if !(epsilon > 0.0 && epsilon <= 10.0) {
            self.error(Code::OutOfRange, field.at(), &field.path, EPSILON_RANGE);
        }
        Some(epsilon)
    }
}
