//! From nodes to a policy, collecting every mistake on the way.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::ops::RangeInclusive;
use std::path::{Component, Path};
use std::sync::Arc;
use std::time::Duration;

use regex::{Regex, RegexBuilder};

use super::action::Named;
use super::limits::{
    MAX_DESCRIPTION_CHARS, MAX_DICTIONARY_BYTES, MAX_DICTIONARY_WORDS, MAX_PATTERN_BYTES, MAX_PATTERN_CHARS,
    MAX_PATTERNS, MAX_POLICY_BYTES, MAX_RECOGNIZER_PATTERNS,
};
use super::raw::{self, Mark, Node, Value};
use super::{
    Action, Aead, AllowMatch, AllowRule, Audit, Check, DictionaryRule, EntityRule, Keep, KidState,
    LogPayloads, NonText, Normalization, Overlap, PassRule, PatternRule, Policy, PolicyError,
    PolicyErrorCode as Code, PolicyErrors, PolicyLoader, PolicyNotice, PolicyNoticeCode as Notice,
    RecognizerRule, Scheme, Surface, Synthetic, TokenScope, stands_in,
};
use crate::{Kind, Pass, kinds};

pub(super) const NO_MODEL_STRICT: &str = "no model is loaded for this pass, and strict_passes is on";
pub(super) const EPSILON_RANGE: &str = "epsilon must be above 0 and at most 10";

/// How far a suggestion may be from what was written.
const MOST_EDITS: usize = 2;
/// So that suggestions for a hostile file cost little.
const MAX_CANDIDATES: usize = 200;
/// Twice as many as are reported, since they are sorted only afterwards.
const MAX_SUGGESTIONS: usize = 2 * PolicyErrors::LIMIT;

pub(super) const PASS_NAMES: [(&str, Pass); 6] = [
    ("regex", Pass::Regex),
    ("dictionary", Pass::Dictionary),
    ("spoken", Pass::Spoken),
    ("ner", Pass::Ner),
    ("gemma", Pass::Ner),
    ("diarize", Pass::Diarize),
];

/// Accepted spellings of kinds that are not their names.
pub(super) const KIND_ALIASES: [(&str, Kind); 10] = [
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

pub(super) const ENTITY_FIELDS: &[&str] = &[
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

pub(super) const RECOGNIZER_FIELDS: &[&str] =
    &["name", "entity", "patterns", "context", "context_window", "context_boost", "check", "pass"];
pub(super) const DICTIONARY_FIELDS: &[&str] =
    &["name", "entity", "words", "file", "case_sensitive", "whole_word", "score"];

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

/// The passes of a comma list. Columns count within the list.
pub(super) fn pass_list(list: &str) -> Result<Vec<PassRule>, PolicyErrors> {
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

/// Whether a text can be a key id: `[A-Z][A-Z0-9_]{0,31}`, not ending in `_OLD` or `_FILE`.
///
/// ```
/// use masker_core::policy::is_valid_kid;
///
/// assert!(is_valid_kid("K_HEALTHCARE"));
/// assert!(!is_valid_kid("K_HEALTHCARE_OLD"));
/// ```
pub fn is_valid_kid(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= 32
        && bytes.next().is_some_and(|b| b.is_ascii_uppercase())
        && bytes.all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        && !text.ends_with("_OLD")
        && !text.ends_with("_FILE")
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

fn error(code: Code, (line, column): Mark, path: String, message: impl Into<String>) -> PolicyError {
    PolicyError { code, path, line, column, message: message.into(), suggestion: None }
}

fn with_suggestion(message: String, suggestion: Option<&str>) -> String {
    match suggestion {
        Some(name) => format!("{message}; did you mean {name}?"),
        None => message,
    }
}

/// The candidate fewest edits away, within two, letter case aside.
fn nearest<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> Option<String> {
    let folded = |s: &str| s.bytes().map(|b| b.to_ascii_lowercase()).collect::<Vec<_>>();
    if word.len() > 64 {
        return None;
    }
    let word = folded(word);
    candidates
        .take(MAX_CANDIDATES)
        .filter(|c| c.len().abs_diff(word.len()) <= MOST_EDITS)
        .map(|c| (edit_distance(&word, &folded(c)), c))
        .filter(|(distance, c)| *distance <= MOST_EDITS && *distance < c.len().min(word.len()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, c)| c.to_owned())
}

/// Insertions, deletions, replacements and swaps of neighbours; above [`MOST_EDITS`], any number above it.
fn edit_distance(a: &[u8], b: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replace = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replace.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        // Each row builds on the two before it.
        if row.iter().chain(&last).all(|d| *d > MOST_EDITS) {
            return MOST_EDITS + 1;
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// Whether a key of the file may be repeated in a message: it looks like a name, not like a misplaced word or number.
fn is_name(key: &str) -> bool {
    let mut bytes = key.bytes();
    key.len() <= 40
        && bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn join(path: &str, key: &str) -> String {
    match (path.is_empty(), is_name(key)) {
        (_, false) => path.to_owned(),
        (true, true) => key.to_owned(),
        (false, true) => format!("{path}.{key}"),
    }
}

/// A node and the way to it.
struct Field<'n> {
    path: String,
    node: &'n Node,
}

impl<'n> Field<'n> {
    fn at(&self) -> Mark {
        self.node.at
    }

    fn value(&self) -> &'n Value {
        &self.node.value
    }
}

/// A mapping whose keys have been checked.
struct Fields<'n> {
    path: String,
    at: Mark,
    pairs: &'n [(raw::Key, Node)],
}

impl<'n> Fields<'n> {
    /// The field of that name; the first, if there are several.
    fn get(&self, name: &str) -> Option<Field<'n>> {
        let (_, node) = self.pairs.iter().find(|(k, _)| k.text == name)?;
        Some(Field { path: join(&self.path, name), node })
    }

    fn key_at(&self, name: &str) -> Mark {
        self.pairs.iter().find(|(k, _)| k.text == name).map_or(self.at, |(k, _)| k.at)
    }
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
    fn error(&mut self, code: Code, at: Mark, path: &str, message: impl Into<String>) {
        self.errors.push(error(code, at, path.to_owned(), message));
    }

    fn suggest(&mut self, code: Code, at: Mark, path: &str, message: String, suggestion: Option<String>) {
        let message = with_suggestion(message, suggestion.as_deref());
        self.errors.push(PolicyError { suggestion, ..error(code, at, path.to_owned(), message) });
    }

    fn notice(&mut self, code: Notice, (line, column): Mark, path: &str, message: impl Into<String>) {
        self.notices.push(PolicyNotice {
            code,
            path: path.to_owned(),
            line,
            column,
            message: message.into(),
        });
    }

    /// Reports equal keys anywhere in the tree.
    fn duplicate_keys(&mut self, field: &Field<'_>) {
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

    fn wrong_type(&mut self, field: &Field<'_>, expected: &str) {
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
    fn fields<'n>(&mut self, field: &Field<'n>, known: &[&str]) -> Option<Fields<'n>> {
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

    fn mapping<'n>(&mut self, field: &Field<'n>) -> Option<Fields<'n>> {
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
    fn list<'n>(&mut self, field: &Field<'n>, expected: &str) -> Option<Vec<Field<'n>>> {
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

    fn required<'n>(&mut self, fields: &Fields<'n>, name: &str) -> Option<Field<'n>> {
        let field = fields.get(name);
        if field.is_none() {
            let path = join(&fields.path, name);
            self.error(Code::MissingField, fields.at, &path, format!("the field {name} is required"));
        }
        field
    }

    fn text<'n>(&mut self, field: &Field<'n>) -> Option<&'n str> {
        if let Value::Text(text) = field.value() {
            return Some(text);
        }
        let hint = matches!(field.value(), Value::Int(_) | Value::Float(_));
        self.wrong_type(field, if hint { "a string (quote it)" } else { "a string" });
        None
    }

    fn bool(&mut self, fields: &Fields<'_>, name: &str, default: bool) -> bool {
        let Some(field) = fields.get(name) else { return default };
        if let Value::Bool(value) = field.value() {
            return *value;
        }
        self.wrong_type(&field, "true or false");
        default
    }

    fn integer(&mut self, field: &Field<'_>, range: RangeInclusive<i128>) -> Option<i128> {
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

    fn number(&mut self, field: &Field<'_>) -> Option<f64> {
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
    fn fraction(&mut self, fields: &Fields<'_>, name: &str, default: f64) -> f64 {
        let Some(field) = fields.get(name) else { return default };
        let Some(number) = self.number(&field) else { return default };
        if !(0.0..=1.0).contains(&number) {
            self.error(Code::OutOfRange, field.at(), &field.path, "must be between 0 and 1");
            return default;
        }
        // −0 would be shown as such.
        number.abs()
    }

    fn choice<T: Named>(&mut self, field: &Field<'_>) -> Option<T> {
        let text = self.text(field)?;
        let value = T::from_name(text);
        if value.is_none() {
            let message = format!("must be one of {}", T::NAMES.join(", "));
            let suggestion = nearest(text, T::NAMES.iter().copied());
            self.suggest(Code::InvalidValue, field.at(), &field.path, message, suggestion);
        }
        value
    }

    fn choice_or<T: Named>(&mut self, fields: &Fields<'_>, name: &str, default: T) -> T {
        fields.get(name).and_then(|f| self.choice(&f)).unwrap_or(default)
    }

    fn kid(&mut self, field: &Field<'_>) -> Option<String> {
        let kid = self.text(field)?;
        if !is_valid_kid(kid) {
            let message =
                "a kid is 1 to 32 of A-Z, 0-9 and _, starts with a letter, and does not end in _OLD or _FILE";
            self.error(Code::InvalidValue, field.at(), &field.path, message);
            return None;
        }
        match self.loader.keys.map(|keys| keys.check(kid)) {
            Some(KidState::Unknown) => {
                let message = format!("there is no key MASKER_KEY_{kid}");
                self.error(Code::UnknownKid, field.at(), &field.path, message);
            }
            Some(KidState::Invalid) => {
                let message = format!("MASKER_KEY_{kid} is not base64 of exactly 32 bytes");
                self.error(Code::InvalidKey, field.at(), &field.path, message);
            }
            Some(KidState::Known) | None => {}
        }
        Some(kid.to_owned())
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

    /// A kind that must be listed under `entities`.
    fn declared_kind(&mut self, field: &Field<'_>) -> Option<Kind> {
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

    fn kinds(&mut self, fields: &Fields<'_>, name: &str) -> Option<Vec<Kind>> {
        let field = fields.get(name)?;
        let items = self.list(&field, "a list of kinds")?;
        if items.is_empty() {
            self.error(Code::InvalidValue, field.at(), &field.path, "at least one kind must be named");
        }
        Some(items.iter().filter_map(|item| self.declared_kind(item)).collect())
    }

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

    fn section<'n>(&mut self, top: &Fields<'n>, name: &str, known: &[&str]) -> Option<Fields<'n>> {
        top.get(name).and_then(|f| self.fields(&f, known))
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

    fn entities(&mut self, top: &Fields<'_>) -> Vec<EntityRule> {
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

    fn passes(&mut self, top: &Fields<'_>, strict: bool) -> Vec<PassRule> {
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

    /// The unique lower-case name of a recogniser or dictionary.
    fn own_name(&mut self, fields: &Fields<'_>, names: &mut HashMap<String, Mark>) -> Arc<str> {
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

    fn recognizers(&mut self, top: &Fields<'_>, names: &mut HashMap<String, Mark>) -> Vec<RecognizerRule> {
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

    fn regex(&mut self, field: &Field<'_>) -> Option<Regex> {
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

    /// A list of texts that are not blank, without the space around them.
    fn words(&mut self, field: &Field<'_>, expected: &str) -> Vec<String> {
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
    fn exactly_one(&mut self, fields: &Fields<'_>, one: &str, other: &str) {
        let at = match (fields.get(one), fields.get(other)) {
            (Some(_), Some(_)) => fields.key_at(one).max(fields.key_at(other)),
            (None, None) => fields.at,
            _ => return,
        };
        let message = format!("exactly one of {one} and {other} must be given");
        self.error(Code::ConflictingFields, at, &fields.path, message);
    }

    fn dictionaries(&mut self, top: &Fields<'_>, names: &mut HashMap<String, Mark>) -> Vec<DictionaryRule> {
        let items = top.get("dictionaries").and_then(|f| self.list(&f, "a list of dictionaries"));
        items.unwrap_or_default().iter().filter_map(|item| self.dictionary(item, names)).collect()
    }

    fn dictionary(&mut self, item: &Field<'_>, names: &mut HashMap<String, Mark>) -> Option<DictionaryRule> {
        let fields = self.fields(item, DICTIONARY_FIELDS)?;
        let name = self.own_name(&fields, names);
        let kind = self.required(&fields, "entity").and_then(|f| self.declared_kind(&f));
        self.exactly_one(&fields, "words", "file");
        let mut words = fields.get("words").map(|f| self.words(&f, "a list of words")).unwrap_or_default();
        let file = fields.get("file").and_then(|f| {
            let file = self.text(&f)?;
            words.extend(self.dictionary_file(&f, file));
            Some(file.to_owned())
        });
        Some(DictionaryRule {
            name,
            words: words.into(),
            file,
            case_sensitive: self.bool(&fields, "case_sensitive", false),
            whole_word: self.bool(&fields, "whole_word", true),
            score: self.fraction(&fields, "score", 0.9),
            kind: kind?,
        })
    }

    fn dictionary_file(&mut self, field: &Field<'_>, file: &str) -> Vec<String> {
        let Some(dir) = self.dir else {
            let message = "only a policy read from a file may name files";
            self.error(Code::FileNotAllowed, field.at(), &field.path, message);
            return Vec::new();
        };
        match read_dictionary(dir, Path::new(file)) {
            Ok(words) => words,
            Err((code, message)) => {
                self.error(code, field.at(), &field.path, message);
                Vec::new()
            }
        }
    }

    fn allow(&mut self, top: &Fields<'_>) -> Vec<AllowRule> {
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

    fn audit(&mut self, top: &Fields<'_>) -> Audit {
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

    fn synthetic(&mut self, top: &Fields<'_>) -> Synthetic {
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

    fn speakers(&mut self, fields: &Fields<'_>) -> Option<Vec<String>> {
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

    fn entities_never_found(&mut self, policy: &Policy, top: &Fields<'_>) {
        let Some(listed) = top.get("entities").and_then(|f| self.mapping(&f)) else { return };
        for (rule, (key, _)) in policy.entities.iter().zip(listed.pairs) {
            if rule.enabled && !can_be_found(policy, rule, self.loader.ner_loaded) {
                let message = format!("no listed pass can find the kind {}", rule.kind);
                self.notice(Notice::EntityNeverFound, key.at, &join("entities", &key.text), message);
            }
        }
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

fn is_built_in_recognizer(name: &str) -> bool {
    kinds::specs().any(|spec| {
        spec.patterns.iter().chain(spec.labelled).any(|p| p.name == name)
            || spec.codes.iter().any(|c| c.name == name)
    })
}

/// Whether anything that is listed, or stands in for what is, can find the kind. An unknown model may be loaded.
fn can_be_found(policy: &Policy, rule: &EntityRule, ner_loaded: Option<bool>) -> bool {
    policy.passes.iter().filter(|p| p.applies_to(&rule.kind)).any(|listed| match listed.pass {
        Pass::Ner => {
            (rule.ner && ner_loaded != Some(false))
                || (listed.substitute
                    && ner_loaded != Some(true)
                    && [Pass::Dictionary, Pass::Spoken]
                        .into_iter()
                        .any(|pass| stands_in(rule, pass) && finds(policy, pass, &rule.kind)))
        }
        pass => rule.allows(pass) && finds(policy, pass, &rule.kind),
    })
}

/// Whether a built-in pass, with what the policy adds to it, knows the kind.
fn finds(policy: &Policy, pass: Pass, kind: &Kind) -> bool {
    let built_in = kind.is_built_in()
        && match pass {
            Pass::Regex => !matches!(kind, Kind::Name | Kind::Organization),
            Pass::Dictionary => {
                matches!(kind, Kind::Name | Kind::Address | Kind::Organization | Kind::HealthPlan)
            }
            Pass::Spoken => *kind != Kind::Organization,
            _ => false,
        };
    built_in
        || policy.recognizers.iter().any(|r| r.pass == pass && r.kind == *kind)
        || (pass == Pass::Dictionary && policy.dictionaries.iter().any(|d| d.kind == *kind))
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

/// The entries of a dictionary file below `dir`.
fn read_dictionary(dir: &Path, file: &Path) -> Result<Vec<String>, (Code, String)> {
    let outside = || (Code::FileNotAllowed, "the file must be below the folder of the policy".to_owned());
    let unreadable =
        |e: std::io::Error| (Code::FileUnreadable, format!("the file cannot be read: {}", e.kind()));
    // Checked before the file system is asked, so that an answer tells nothing of files elsewhere.
    let mut depth = 0_usize;
    for component in file.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir => depth = depth.checked_sub(1).ok_or_else(outside)?,
            Component::RootDir | Component::Prefix(_) => return Err(outside()),
        }
    }
    let dir = dir.canonicalize().map_err(unreadable)?;
    let path = dir.join(file).canonicalize().map_err(unreadable)?;
    if !path.starts_with(&dir) {
        return Err(outside());
    }
    // A pipe would never end.
    if !path.metadata().map_err(unreadable)?.is_file() {
        return Err((Code::FileUnreadable, "not a file".to_owned()));
    }
    let mut bytes = Vec::new();
    File::open(&path)
        .and_then(|f| f.take(MAX_DICTIONARY_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() > MAX_DICTIONARY_BYTES {
        return Err((Code::TooLarge, "a dictionary file has at most 64 MiB".to_owned()));
    }
    let text = String::from_utf8(bytes).map_err(|e| {
        let good = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = good.split(|b| *b == b'\n').count();
        (Code::FileUnreadable, format!("line {line} of the file is not UTF-8"))
    })?;
    let words: Vec<String> = entries(&text).take(MAX_DICTIONARY_WORDS + 1).map(str::to_owned).collect();
    if words.len() > MAX_DICTIONARY_WORDS {
        return Err((Code::TooLarge, "a dictionary has at most 1,000,000 entries".to_owned()));
    }
    Ok(words)
}

/// One entry a line. `#` starts a comment at the beginning of a line and after white space.
fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.strip_prefix('\u{feff}').unwrap_or(text).lines().filter_map(|line| {
        let comment = line
            .match_indices('#')
            .map(|(i, _)| i)
            .find(|i| line[..*i].chars().next_back().is_none_or(char::is_whitespace));
        let entry = line[..comment.unwrap_or(line.len())].trim();
        (!entry.is_empty()).then_some(entry)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_are_at_most_two_edits_away() {
        for (word, expected) in [
            ("acton", Some("action")),
            ("Action", Some("action")),
            ("atcion", Some("action")),
            ("akshun", None),
            ("enable", Some("enabled")),
            ("spokn", Some("spoken")),
            ("kd", Some("kid")),
            ("k", None),
            ("threshold", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, ENTITY_FIELDS.iter().copied()).as_deref(), expected, "{word}");
        }
    }

    #[test]
    fn edits_are_counted() {
        for (a, b, distance) in [
            ("", "", 0),
            ("a", "", 1),
            ("ab", "ba", 1),
            ("PHONE", "PHNOE", 1),
            ("SSN", "SN", 1),
            ("MRN", "NRM", 2),
        ] {
            assert_eq!(edit_distance(a.as_bytes(), b.as_bytes()), distance, "{a} {b}");
            assert_eq!(edit_distance(b.as_bytes(), a.as_bytes()), distance, "{b} {a}");
        }
        assert!(edit_distance(b"abcdefgh", b"hgfedcba") > MOST_EDITS);
    }

    #[test]
    fn kids_are_names_of_variables() {
        for good in ["K", "K_HEALTHCARE", "EPHEMERAL", "A1_", &"K".repeat(32), "OLD", "K_OLDER"] {
            assert!(is_valid_kid(good), "{good}");
        }
        for bad in ["", "k", "1K", "_K", "K-1", "K_OLD", "K_FILE", &"K".repeat(33), "K\u{c4}"] {
            assert!(!is_valid_kid(bad), "{bad}");
        }
    }

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

    #[test]
    fn dictionary_files_have_one_entry_a_line() {
        let text = "\u{feff}Ada\r\n#all\n\n  Bo Example \t# left\nC#\nSuite #5\n   \nlast";
        assert_eq!(entries(text).collect::<Vec<_>>(), ["Ada", "Bo Example", "C#", "Suite", "last"]);
    }
}
