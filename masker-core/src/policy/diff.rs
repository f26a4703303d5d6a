//! What changes from one policy to the next, and whether that lets more through.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt::{self, Display};

use serde::ser::{Serialize, SerializeStruct as _, Serializer};

use super::{
    Action, AllowMatch, AllowRule, Check, DictionaryRule, EntityRule, Keep, LogPayloads, NonText, PassRule,
    Policy, RecognizerRule, TokenScope,
};
use crate::Kind;

/// What a change does to the protection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Effect {
    /// More is let through, kept, or linkable.
    Weaker,
    /// Less is.
    Stronger,
    /// Neither, or it cannot be said.
    Neutral,
}

impl Effect {
    /// The name in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Weaker => "weaker",
            Self::Stronger => "stronger",
            Self::Neutral => "neutral",
        }
    }

    fn reversed(self) -> Self {
        match self {
            Self::Weaker => Self::Stronger,
            Self::Stronger => Self::Weaker,
            Self::Neutral => Self::Neutral,
        }
    }
}

/// One difference. Shown as one line: `entities.PHONE.action: tokenize -> passthrough (weaker)`. Serialised as
/// `{"path", "op", "from", "to", "effect"}`, where `op` is `added`, `removed` or `changed`.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Change {
    /// The field: `entities.PHONE.action`.
    pub path: String,
    /// How it was; `absent` for what was added. Words of lists are counted, not shown.
    pub before: String,
    /// How it is; `absent` for what was removed.
    pub after: String,
    /// What that does.
    pub effect: Effect,
}

impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let op = match (self.before.as_str(), self.after.as_str()) {
            (ABSENT, _) => "added",
            (_, ABSENT) => "removed",
            _ => "changed",
        };
        let mut fields = serializer.serialize_struct("Change", 5)?;
        fields.serialize_field("path", &self.path)?;
        fields.serialize_field("op", op)?;
        fields.serialize_field("from", &self.before)?;
        fields.serialize_field("to", &self.after)?;
        fields.serialize_field("effect", &self.effect)?;
        fields.end()
    }
}

impl Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} -> {} ({})", self.path, self.before, self.after, self.effect.as_str())
    }
}

/// Every difference between two policies in what they mean: defaults, order of fields and comments do not count. Serialised as
/// `{"changes": [...], "weaker": true}`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PolicyDiff {
    changes: Vec<Change>,
}

impl Serialize for PolicyDiff {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("PolicyDiff", 2)?;
        fields.serialize_field("changes", &self.changes)?;
        fields.serialize_field("weaker", &self.is_weaker())?;
        fields.end()
    }
}

impl PolicyDiff {
    /// The changes, in the order of the documentation of the format.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Whether any change lets more through than before.
    pub fn is_weaker(&self) -> bool {
        self.changes.iter().any(|c| c.effect == Effect::Weaker)
    }

    fn push(&mut self, path: String, before: impl Display, after: impl Display, effect: Effect) {
        self.changes.push(Change { path, before: before.to_string(), after: after.to_string(), effect });
    }

    /// A field whose values do not differ in strength.
    fn plain<T: PartialEq + Display>(&mut self, path: &str, before: &T, after: &T) {
        if before != after {
            self.push(path.to_owned(), before, after, Effect::Neutral);
        }
    }

    /// A field of which the larger value is the weaker one.
    fn larger_is_weaker<T: PartialOrd>(
        &mut self,
        path: &str,
        (before, after): (T, T),
        show: impl Fn(&T) -> String,
    ) {
        let effect = match before.partial_cmp(&after) {
            Some(Ordering::Less) => Effect::Weaker,
            Some(Ordering::Greater) => Effect::Stronger,
            _ => return,
        };
        self.push(path.to_owned(), show(&before), show(&after), effect);
    }

    fn larger_is_stronger<T: PartialOrd>(&mut self, path: &str, pair: (T, T), show: impl Fn(&T) -> String) {
        let from = self.changes.len();
        self.larger_is_weaker(path, pair, show);
        for change in &mut self.changes[from..] {
            change.effect = change.effect.reversed();
        }
    }

    /// Sets of which every lost member weakens and every new one strengthens. `show` gives the set's text.
    fn set<T: Eq + std::hash::Hash>(
        &mut self,
        path: &str,
        before: &[T],
        after: &[T],
        show: impl Fn(&[T]) -> String,
    ) {
        let (old, new): (HashSet<_>, HashSet<_>) = (before.iter().collect(), after.iter().collect());
        if let Some(effect) = set_effect(&old, &new) {
            let (a, b) = (show(before), show(after));
            // Two lists of one length may differ all the same.
            let b = if a == b { format!("{b}, others") } else { b };
            self.push(path.to_owned(), a, b, effect);
        }
    }
}

/// What becomes of a set that protects: weaker if anything is lost.
fn set_effect<T: Eq + std::hash::Hash>(old: &HashSet<T>, new: &HashSet<T>) -> Option<Effect> {
    match (old.is_subset(new), new.is_subset(old)) {
        (true, true) => None,
        (true, false) => Some(Effect::Stronger),
        (false, _) => Some(Effect::Weaker),
    }
}

const ABSENT: &str = "absent";

pub(super) fn diff(a: &Policy, b: &Policy) -> PolicyDiff {
    let mut d = PolicyDiff::default();
    d.plain("name", &a.name, &b.name);
    if a.description != b.description {
        d.push("description".to_owned(), "one text", "another", Effect::Neutral);
    }
    d.plain("kid", &a.kid, &b.kid);
    // A larger epsilon keeps synthetic values closer to the originals.
    d.larger_is_weaker("epsilon", (a.epsilon, b.epsilon), f64::to_string);
    d.plain("tokenization", &a.scheme, &b.scheme);
    passes(&mut d, a, b);
    entities(&mut d, a, b);
    audit(&mut d, a, b);
    recognizers(&mut d, a, b);
    dictionaries(&mut d, a, b);
    allow(&mut d, a, b);
    let scope = |p: &Policy| match p.token_scope {
        TokenScope::Kid => 0,
        TokenScope::Agent => 1,
        TokenScope::Session => 2,
    };
    // The narrower the scope, the less can be linked.
    graded(&mut d, "token_scope", (scope(a), scope(b)), &a.token_scope, &b.token_scope);
    let non_text = |p: &Policy| match p.non_text {
        NonText::Pass => 0,
        NonText::Drop | NonText::Reject => 1,
    };
    graded(&mut d, "non_text", (non_text(a), non_text(b)), &a.non_text, &b.non_text);
    let seed = |p: &Policy| p.synthetic.seed.map_or_else(|| "null".to_owned(), |s| s.to_string());
    let unfixed = |p: &Policy| i32::from(p.synthetic.seed.is_none());
    graded(&mut d, "synthetic.seed", (unfixed(a), unfixed(b)), &seed(a), &seed(b));
    d.plain("synthetic.preserve_locale", &a.synthetic.preserve_locale, &b.synthetic.preserve_locale);
    d.larger_is_stronger("strict_passes", (a.strict_passes, b.strict_passes), bool::to_string);
    d.plain("surface", &a.surface, &b.surface);
    d.plain("normalization", &a.normalization, &b.normalization);
    // Tokens that repeat everywhere show which texts speak of the same value.
    d.larger_is_weaker("aead.deterministic", (a.aead.deterministic, b.aead.deterministic), bool::to_string);
    d.larger_is_stronger("strict_numbers", (a.strict_numbers, b.strict_numbers), bool::to_string);
    d.plain("overlap", &a.overlap, &b.overlap);
    let all = |s: Option<&[String]>| s.map_or_else(|| "all".to_owned(), |s| s.join(", "));
    limits(&mut d, "speakers.mask", a.speakers(), b.speakers(), all);
    d
}

/// A field whose values have ranks, a higher one being stronger.
fn graded<T: PartialEq + Display>(d: &mut PolicyDiff, path: &str, ranks: (i32, i32), before: &T, after: &T) {
    if before != after {
        let effect = match ranks.0.cmp(&ranks.1) {
            Ordering::Less => Effect::Stronger,
            Ordering::Equal => Effect::Neutral,
            Ordering::Greater => Effect::Weaker,
        };
        d.push(path.to_owned(), before, after, effect);
    }
}

/// A list of what something is limited to, absent for everything; the wider it is, the stronger.
fn limits<T: Eq + std::hash::Hash>(
    d: &mut PolicyDiff,
    path: &str,
    before: Option<&[T]>,
    after: Option<&[T]>,
    show: impl Fn(Option<&[T]>) -> String,
) {
    let effect = match (before, after) {
        (None, None) => return,
        (None, Some(_)) => Effect::Weaker,
        (Some(_), None) => Effect::Stronger,
        (Some(old), Some(new)) => match set_effect(&old.iter().collect(), &new.iter().collect()) {
            None => return,
            Some(effect) => effect,
        },
    };
    d.push(path.to_owned(), show(before), show(after), effect);
}

fn kinds(kinds: &[Kind]) -> String {
    if kinds.is_empty() {
        return "none".to_owned();
    }
    kinds.iter().map(Kind::as_str).collect::<Vec<_>>().join(", ")
}

fn all_or_kinds(list: Option<&[Kind]>) -> String {
    list.map_or_else(|| "all".to_owned(), kinds)
}

fn passes(d: &mut PolicyDiff, a: &Policy, b: &Policy) {
    for old in &a.passes {
        let path = format!("passes.{}", old.pass.as_str());
        match b.pass(old.pass) {
            None => d.push(path, "listed", ABSENT, Effect::Weaker),
            Some(new) => pass(d, &path, old, new),
        }
    }
    for new in b.passes.iter().filter(|p| a.pass(p.pass).is_none()) {
        d.push(format!("passes.{}", new.pass.as_str()), ABSENT, "listed", Effect::Stronger);
    }
}

fn pass(d: &mut PolicyDiff, path: &str, old: &PassRule, new: &PassRule) {
    limits(d, &format!("{path}.only"), old.only.as_deref(), new.only.as_deref(), all_or_kinds);
    let from = d.changes.len();
    d.set(&format!("{path}.except"), &old.except, &new.except, kinds);
    for change in &mut d.changes[from..] {
        // Every kind that is no longer excepted is one more that is found.
        let (before, after): (HashSet<_>, HashSet<_>) =
            (old.except.iter().collect(), new.except.iter().collect());
        change.effect = if after.is_subset(&before) { Effect::Stronger } else { Effect::Weaker };
    }
    let ms = |p: &PassRule| p.timeout.map_or_else(|| "default".to_owned(), |t| t.as_millis().to_string());
    d.plain(&format!("{path}.timeout_ms"), &ms(old), &ms(new));
    d.larger_is_stronger(&format!("{path}.substitute"), (old.substitute, new.substitute), bool::to_string);
}

fn entities(d: &mut PolicyDiff, a: &Policy, b: &Policy) {
    for old in &a.entities {
        let path = format!("entities.{}", old.kind);
        if let Some(new) = b.entity(&old.kind) {
            entity(d, &path, (a, old), (b, new));
        } else {
            let effect = if old.enabled { Effect::Weaker } else { Effect::Neutral };
            d.push(path, state(old), ABSENT, effect);
        }
    }
    for new in b.entities.iter().filter(|e| a.entity(&e.kind).is_none()) {
        let effect = if new.enabled { Effect::Stronger } else { Effect::Neutral };
        d.push(format!("entities.{}", new.kind), ABSENT, state(new), effect);
    }
}

fn state(rule: &EntityRule) -> &'static str {
    if rule.enabled { rule.action.as_str() } else { "disabled" }
}

fn entity(
    d: &mut PolicyDiff,
    path: &str,
    (a, old): (&Policy, &EntityRule),
    (b, new): (&Policy, &EntityRule),
) {
    let from = d.changes.len();
    let field = |name: &str| format!("{path}.{name}");
    for (name, pair) in [
        ("enabled", (old.enabled, new.enabled)),
        ("regex", (old.regex, new.regex)),
        ("ner", (old.ner, new.ner)),
        ("dictionary", (old.dictionary, new.dictionary)),
        ("spoken", (old.spoken, new.spoken)),
    ] {
        d.larger_is_stronger(&field(name), pair, bool::to_string);
    }
    let thresholds = (old.confidence_threshold, new.confidence_threshold);
    d.larger_is_weaker(&field("confidence_threshold"), thresholds, f64::to_string);
    d.larger_is_weaker(&field("min_score"), (old.min_score, new.min_score), f64::to_string);
    let rank = |a: Action| match a {
        Action::Passthrough => 0,
        Action::Tokenize => 1,
        Action::Redact => 2,
        Action::Block => 3,
    };
    graded(d, &field("action"), (rank(old.action), rank(new.action)), &old.action, &new.action);
    // Where neither kind has its own, the change is reported for the policy.
    if old.scheme.is_some() || new.scheme.is_some() {
        d.plain(&field("tokenization"), &old.scheme.unwrap_or(a.scheme), &new.scheme.unwrap_or(b.scheme));
    }
    if old.kid.is_some() || new.kid.is_some() {
        d.plain(&field("kid"), old.kid.as_ref().unwrap_or(&a.kid), new.kid.as_ref().unwrap_or(&b.kid));
    }
    d.plain(&field("priority"), &old.priority, &new.priority);
    let whole = |keep: Keep| i32::from(keep == Keep::None);
    graded(d, &field("keep"), (whole(old.keep), whole(new.keep)), &old.keep, &new.keep);
    if !old.enabled && !new.enabled {
        for change in &mut d.changes[from..] {
            change.effect = Effect::Neutral;
        }
    }
}

fn audit(d: &mut PolicyDiff, a: &Policy, b: &Policy) {
    let (a, b) = (&a.audit, &b.audit);
    d.larger_is_stronger("audit.log_events", (a.log_events, b.log_events), bool::to_string);
    d.larger_is_weaker("audit.log_payloads", (a.log_payloads, b.log_payloads), |p: &LogPayloads| {
        p.as_str().to_owned()
    });
    d.larger_is_stronger("audit.retention_days", (a.retention_days, b.retention_days), u32::to_string);
}

fn recognizers(d: &mut PolicyDiff, a: &Policy, b: &Policy) {
    for old in &a.recognizers {
        let path = format!("recognizers.{}", old.name);
        match b.recognizers.iter().find(|r| r.name == old.name) {
            Some(new) => recognizer(d, &path, old, new),
            None => d.push(path, old.kind.as_str(), ABSENT, Effect::Weaker),
        }
    }
    for new in b.recognizers.iter().filter(|n| a.recognizers.iter().all(|o| o.name != n.name)) {
        d.push(format!("recognizers.{}", new.name), ABSENT, new.kind.as_str(), Effect::Stronger);
    }
}

fn recognizer(d: &mut PolicyDiff, path: &str, old: &RecognizerRule, new: &RecognizerRule) {
    if old.kind != new.kind {
        // What was found as the old kind no longer is.
        d.push(format!("{path}.entity"), &old.kind, &new.kind, Effect::Weaker);
    }
    let key = |r: &RecognizerRule| -> Vec<(String, usize)> {
        r.patterns.iter().map(|p| (p.regex.as_str().to_owned(), p.group)).collect()
    };
    d.set(&format!("{path}.patterns"), &key(old), &key(new), |list| format!("{} patterns", list.len()));
    for (i, pattern) in new.patterns.iter().enumerate() {
        let same = old
            .patterns
            .iter()
            .find(|p| p.regex.as_str() == pattern.regex.as_str() && p.group == pattern.group);
        if let Some(same) = same {
            d.larger_is_stronger(
                &format!("{path}.patterns[{i}].score"),
                (same.score, pattern.score),
                f64::to_string,
            );
        }
    }
    d.set(&format!("{path}.context"), &old.context, &new.context, |list| format!("{} words", list.len()));
    let windows = (old.context_window, new.context_window);
    d.larger_is_stronger(&format!("{path}.context_window"), windows, usize::to_string);
    d.larger_is_stronger(
        &format!("{path}.context_boost"),
        (old.context_boost, new.context_boost),
        f64::to_string,
    );
    if old.check != new.check {
        // A check drops hits; another check drops others.
        let effect = if new.check == Check::None { Effect::Stronger } else { Effect::Weaker };
        d.push(format!("{path}.check"), old.check, new.check, effect);
    }
    d.plain(&format!("{path}.pass"), &old.pass.as_str(), &new.pass.as_str());
}

fn dictionaries(d: &mut PolicyDiff, a: &Policy, b: &Policy) {
    for old in &a.dictionaries {
        let path = format!("dictionaries.{}", old.name);
        match b.dictionaries.iter().find(|r| r.name == old.name) {
            Some(new) => dictionary(d, &path, old, new),
            None => d.push(path, old.kind.as_str(), ABSENT, Effect::Weaker),
        }
    }
    for new in b.dictionaries.iter().filter(|n| a.dictionaries.iter().all(|o| o.name != n.name)) {
        d.push(format!("dictionaries.{}", new.name), ABSENT, new.kind.as_str(), Effect::Stronger);
    }
}

fn dictionary(d: &mut PolicyDiff, path: &str, old: &DictionaryRule, new: &DictionaryRule) {
    if old.kind != new.kind {
        d.push(format!("{path}.entity"), &old.kind, &new.kind, Effect::Weaker);
    }
    d.set(&format!("{path}.words"), &old.words, &new.words, |list| format!("{} words", list.len()));
    let cases = (old.case_sensitive, new.case_sensitive);
    d.larger_is_weaker(&format!("{path}.case_sensitive"), cases, bool::to_string);
    d.larger_is_weaker(&format!("{path}.whole_word"), (old.whole_word, new.whole_word), bool::to_string);
    d.larger_is_stronger(&format!("{path}.score"), (old.score, new.score), f64::to_string);
}

/// Allow rules have no names, so they are compared by what they let through: each word or pattern with each kind.
fn allow(d: &mut PolicyDiff, a: &Policy, b: &Policy) {
    let (old, new) = (allowed(&a.allow), allowed(&b.allow));
    let covered = |(is_regex, text, kind): &Allowed<'_>, by: &HashSet<Allowed<'_>>| {
        by.contains(&(*is_regex, *text, None)) || by.contains(&(*is_regex, *text, *kind))
    };
    let effect = if !new.iter().all(|entry| covered(entry, &old)) {
        Effect::Weaker
    } else if !old.iter().all(|entry| covered(entry, &new)) {
        Effect::Stronger
    } else {
        return;
    };
    let count = |set: &HashSet<Allowed<'_>>| format!("{} entries", set.len());
    let (before, after) = (count(&old), count(&new));
    let after = if before == after { format!("{after}, others") } else { after };
    d.push("allow".to_owned(), before, after, effect);
}

/// Whether it is a pattern, the text, and the kind, absent for all.
type Allowed<'p> = (bool, &'p str, Option<&'p Kind>);

fn allowed(rules: &[AllowRule]) -> HashSet<Allowed<'_>> {
    let mut set = HashSet::new();
    for rule in rules {
        let texts: Vec<(bool, &str)> = match &rule.matches {
            AllowMatch::Words(words) => words.iter().map(|w| (false, w.as_str())).collect(),
            AllowMatch::Regex(regex) => vec![(true, regex.as_str())],
        };
        for (is_regex, text) in texts {
            match &rule.kinds {
                None => {
                    set.insert((is_regex, text, None));
                }
                Some(kinds) => set.extend(kinds.iter().map(|kind| (is_regex, text, Some(kind)))),
            }
        }
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r"
name: a
version: 1
kid: K_A
tokenization: vault-deterministic
passes: [regex, { dictionary: { except: [SSN] } }, spoken, ner]
entities:
  PHONE: { min_score: 0.2, action: tokenize, keep: none }
  SSN: { ner: false, action: redact }
  EMAIL: { enabled: false }
  RX_NUMBER: {}
  NAME: {}
recognizers:
  - name: rx
    entity: RX_NUMBER
    patterns: [{ regex: 'RX[0-9]{8}', score: 0.7 }]
    context: [refill]
    check: none
dictionaries:
  - { name: staff, entity: NAME, words: [Ada Marker, Bo Marker] }
allow:
  - { words: [Clinic Marker], entities: [NAME] }
synthetic: { seed: null }
audit: { retention_days: 3000 }
";

    fn changes(from: &str, to: &str) -> Vec<String> {
        assert!(SOURCE.contains(from), "{from}");
        let old = Policy::from_yaml(SOURCE).unwrap();
        let new = Policy::from_yaml(&SOURCE.replace(from, to)).unwrap();
        assert!(old.diff(&old).is_empty());
        let there = old.diff(&new);
        // Seen from the other side, what is weaker is stronger, unless something is lost both ways.
        if there.changes().iter().all(|c| c.effect == Effect::Stronger) {
            assert!(new.diff(&old).changes().iter().all(|c| c.effect == Effect::Weaker));
        }
        assert!(!there.changes().iter().any(|c| c.to_string().contains("Marker")), "words are never shown");
        there.changes().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_change_is_judged() {
        for (from, to, expected) in [
            ("name: a\n", "name: b\n", "name: a -> b (neutral)"),
            ("kid: K_A", "kid: K_B", "kid: K_A -> K_B (neutral)"),
            (", ner]", "]", "passes.ner: listed -> absent (weaker)"),
            ("except: [SSN]", "except: [SSN, NAME]", "passes.dictionary.except: SSN -> SSN, NAME (weaker)"),
            ("except: [SSN]", "except: [NAME]", "passes.dictionary.except: SSN -> NAME (weaker)"),
            (
                "{ dictionary: { except: [SSN] } }",
                "dictionary",
                "passes.dictionary.except: SSN -> none (stronger)",
            ),
            ("spoken, ner", "spoken: { only: [PHONE] }, ner", "passes.spoken.only: all -> PHONE (weaker)"),
            ("ner]", "ner: { substitute: false }]", "passes.ner.substitute: true -> false (weaker)"),
            (
                "action: tokenize",
                "action: passthrough",
                "entities.PHONE.action: tokenize -> passthrough (weaker)",
            ),
            ("action: tokenize", "action: block", "entities.PHONE.action: tokenize -> block (stronger)"),
            ("action: redact", "action: tokenize", "entities.SSN.action: redact -> tokenize (weaker)"),
            ("min_score: 0.2", "min_score: 0.4", "entities.PHONE.min_score: 0.2 -> 0.4 (weaker)"),
            ("min_score: 0.2, ", "", "entities.PHONE.min_score: 0.2 -> 0 (stronger)"),
            ("ner: false", "ner: true", "entities.SSN.ner: false -> true (stronger)"),
            ("  EMAIL: { enabled: false }\n", "", "entities.EMAIL: disabled -> absent (neutral)"),
            ("keep: none", "kid: K_B", "entities.PHONE.kid: K_A -> K_B (neutral)"),
            (
                "keep: none",
                "tokenization: synthetic",
                "entities.PHONE.tokenization: vault-deterministic -> synthetic (neutral)",
            ),
            ("enabled: false", "enabled: true", "entities.EMAIL.enabled: false -> true (stronger)"),
            ("enabled: false", "enabled: false, ner: false", "entities.EMAIL.ner: true -> false (neutral)"),
            ("  NAME: {}\n", "  NAME: {}\n  URL: {}\n", "entities.URL: absent -> tokenize (stronger)"),
            ("score: 0.7", "score: 0.5", "recognizers.rx.patterns[0].score: 0.7 -> 0.5 (weaker)"),
            ("{8}", "{9}", "recognizers.rx.patterns: 1 patterns -> 1 patterns, others (weaker)"),
            ("[refill]", "[refill, order]", "recognizers.rx.context: 1 words -> 2 words (stronger)"),
            ("check: none", "check: luhn", "recognizers.rx.check: none -> luhn (weaker)"),
            (", Bo Marker", "", "dictionaries.staff.words: 2 words -> 1 words (weaker)"),
            ("Bo Marker", "Cy Marker", "dictionaries.staff.words: 2 words -> 2 words, others (weaker)"),
            ("[Clinic Marker]", "[Clinic Marker, B Marker]", "allow: 1 entries -> 2 entries (weaker)"),
            (", entities: [NAME]", "", "allow: 1 entries -> 1 entries, others (weaker)"),
            ("seed: null", "seed: 7", "synthetic.seed: null -> 7 (weaker)"),
            ("days: 3000", "days: 2400", "audit.retention_days: 3000 -> 2400 (weaker)"),
            (
                "days: 3000",
                "days: 3000, log_payloads: masked",
                "audit.log_payloads: false -> masked (weaker)",
            ),
            ("synthetic:", "token_scope: session\nsynthetic:", "token_scope: kid -> session (stronger)"),
            ("synthetic:", "non_text: pass\nsynthetic:", "non_text: reject -> pass (weaker)"),
            ("synthetic:", "non_text: drop\nsynthetic:", "non_text: reject -> drop (neutral)"),
            (
                "synthetic:",
                "aead: { deterministic: true }\nsynthetic:",
                "aead.deterministic: false -> true (weaker)",
            ),
            ("synthetic:", "speakers: { mask: [user] }\nsynthetic:", "speakers.mask: all -> user (weaker)"),
            ("synthetic:", "strict_numbers: true\nsynthetic:", "strict_numbers: false -> true (stronger)"),
        ] {
            assert_eq!(changes(from, to), [expected]);
        }
    }

    #[test]
    fn only_the_meaning_counts() {
        for (from, to) in [
            ("  NAME: {}\n", "  NAME: { enabled: true, min_score: 0, action: tokenize }\n"),
            ("[Ada Marker, Bo Marker]", "[Bo Marker, Ada Marker]"),
            (", ner]", ", gemma]"),
            ("keep: none", "kid: K_A, tokenization: vault-deterministic"),
            ("name: a\n", "# comment\nname: a\n"),
        ] {
            assert_eq!(changes(from, to), [""; 0], "{from}");
        }
    }

    #[test]
    fn shipped_policies_are_ordered() {
        let [minimum, default, strict] =
            [Policy::healthcare_minimum(), Policy::healthcare_default(), Policy::strict()];
        assert!(!minimum.diff(&default).is_weaker());
        assert!(!default.diff(&strict).is_weaker());
        assert!(strict.diff(&default).is_weaker());
    }

    #[test]
    fn serialised_with_what_was_done() {
        let old = Policy::from_yaml(SOURCE).unwrap();
        let new =
            Policy::from_yaml(&SOURCE.replace("  NAME: {}\n", "  NAME: { action: passthrough }\n")).unwrap();
        let change = serde_json::json!({
            "path": "entities.NAME.action", "op": "changed", "from": "tokenize", "to": "passthrough", "effect": "weaker",
        });
        let whole = serde_json::to_value(old.diff(&new)).unwrap();
        assert_eq!(whole, serde_json::json!({ "changes": [change], "weaker": true }));
        let op = |before: &str, after: &str| {
            let (before, after) = (before.to_owned(), after.to_owned());
            let change = Change { path: String::new(), before, after, effect: Effect::Neutral };
            serde_json::to_value(change).unwrap()["op"].clone()
        };
        assert_eq!((op(ABSENT, "on"), op("on", ABSENT)), ("added".into(), "removed".into()));
    }
}
