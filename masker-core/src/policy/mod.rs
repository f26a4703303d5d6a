//! Policies: the YAML that decides what is looked for and what happens to it.

mod action;
mod diff;
mod error;
mod limits;
mod raw;
mod schema;
mod show;
mod validate;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;
use serde::Serialize;

pub use self::action::{
    Action, Check, Keep, LogPayloads, NonText, Normalization, Overlap, ParseNameError, Scheme, Surface,
    TokenScope,
};
pub use self::diff::{Change, Effect, PolicyDiff};
pub use self::error::{PolicyError, PolicyErrorCode, PolicyErrors, PolicyNotice, PolicyNoticeCode};
pub use self::limits::{
    MAX_ALIAS_NODES, MAX_DESCRIPTION_CHARS, MAX_DICTIONARY_BYTES, MAX_DICTIONARY_WORDS, MAX_PATTERN_BYTES,
    MAX_PATTERN_CHARS, MAX_PATTERNS, MAX_POLICY_BYTES, MAX_POLICY_DEPTH, MAX_RECOGNIZER_PATTERNS,
};
pub use self::validate::is_valid_kid;
use crate::{Kind, Pass};

/// The shipped policies: name and commented source.
const PRESETS: [(&str, &str); 3] = [
    ("healthcare-default", include_str!("presets/healthcare-default.yaml")),
    ("healthcare-minimum", include_str!("presets/healthcare-minimum.yaml")),
    ("strict", include_str!("presets/strict.yaml")),
];

/// What is looked for, and what happens to it: a checked policy file.
///
/// A policy can only be made by checking one ([`Policy::from_yaml`], [`Policy::from_path`], [`PolicyLoader`]) or by
/// taking a shipped one, so whoever holds a policy holds a valid one. It never changes; the `with_` methods give a
/// changed copy. Serialised, it has every field with its default filled in, and word lists by their length only.
///
/// ```
/// use masker_core::{Action, Kind, Policy};
///
/// let policy = Policy::from_yaml(
///     "name: front-desk\nversion: 1\nkid: K_DESK\ntokenization: vault-deterministic\n\
///      passes: [regex, dictionary]\nentities:\n  PHONE: {}\n  SSN: { action: redact }\n",
/// )?;
/// assert_eq!(policy.name(), "front-desk");
/// assert_eq!(policy.entity(&Kind::Ssn).unwrap().action, Action::Redact);
/// assert!(policy.entity(&Kind::Email).is_none());
///
/// let errors = Policy::from_yaml("name: front-desk\nentities:\n  PHONR: {}\n").unwrap_err();
/// assert!(errors.iter().any(|e| e.suggestion.as_deref() == Some("PHONE")));
/// # Ok::<(), masker_core::PolicyErrors>(())
/// ```
#[derive(Clone)]
pub struct Policy {
    name: String,
    description: String,
    kid: String,
    epsilon: f64,
    scheme: Scheme,
    passes: Vec<PassRule>,
    entities: Vec<EntityRule>,
    /// Places in `entities`.
    places: BTreeMap<Kind, usize>,
    audit: Audit,
    recognizers: Vec<RecognizerRule>,
    dictionaries: Vec<DictionaryRule>,
    allow: Vec<AllowRule>,
    token_scope: TokenScope,
    non_text: NonText,
    synthetic: Synthetic,
    strict_passes: bool,
    surface: Surface,
    normalization: Normalization,
    aead: Aead,
    strict_numbers: bool,
    overlap: Overlap,
    speakers: Option<Vec<String>>,
    notices: Vec<PolicyNotice>,
}

/// One listed pass.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PassRule {
    /// The pass.
    pub pass: Pass,
    /// Its name as the policy writes it: `gemma` is another name of `ner`.
    pub written: &'static str,
    /// The only kinds it looks for; `None` for all.
    pub only: Option<Vec<Kind>>,
    /// Kinds it does not look for.
    pub except: Vec<Kind>,
    /// How long the plug-in behind `ner` may take for one text.
    pub timeout: Option<Duration>,
    /// Whether `dictionary` and `spoken` stand in for `ner` where no model is loaded.
    pub substitute: bool,
    at: raw::Mark,
}

impl PassRule {
    fn new(pass: Pass, written: &'static str, at: raw::Mark) -> Self {
        Self { pass, written, only: None, except: Vec::new(), timeout: None, substitute: true, at }
    }

    /// Whether it looks for `kind` as far as `only` and `except` say.
    pub fn applies_to(&self, kind: &Kind) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(kind)) && !self.except.contains(kind)
    }
}

/// What a policy says of one kind.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct EntityRule {
    /// The kind.
    pub kind: Kind,
    /// Whether it is looked for at all.
    pub enabled: bool,
    /// Whether the pass `regex` may find it.
    pub regex: bool,
    /// Whether the pass `ner` may find it.
    pub ner: bool,
    /// Whether the pass `dictionary` may find it.
    pub dictionary: bool,
    /// Whether the pass `spoken` may find it.
    pub spoken: bool,
    /// Hits of `ner` below it are dropped; 0 to 1.
    pub confidence_threshold: f64,
    /// Hits of the other passes below it are dropped; 0 to 1.
    pub min_score: f64,
    /// What happens to a finding.
    pub action: Action,
    /// The scheme, where it differs from the policy's.
    pub scheme: Option<Scheme>,
    /// The key id, where it differs from the policy's.
    pub kid: Option<String>,
    /// −100 to 100; the higher one wins a tie, and every overlap under `overlap: priority`.
    pub priority: i8,
    /// The part that stays in clear.
    pub keep: Keep,
}

impl EntityRule {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            enabled: true,
            regex: true,
            ner: true,
            dictionary: true,
            spoken: true,
            confidence_threshold: 0.6,
            min_score: 0.0,
            action: Action::Tokenize,
            scheme: None,
            kid: None,
            priority: 0,
            keep: Keep::None,
        }
    }

    /// Whether the pass may find the kind, as far as the kind's own switches say.
    pub fn allows(&self, pass: Pass) -> bool {
        match pass {
            Pass::Regex => self.regex,
            Pass::Dictionary => self.dictionary,
            Pass::Spoken => self.spoken,
            Pass::Ner => self.ner,
            Pass::Diarize => false,
        }
    }
}

/// What holds for a kind once passes, switches and the state of the model are taken together.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectiveKind {
    enabled: bool,
    floors: [Option<f32>; 4],
    /// What happens to a finding.
    pub action: Action,
    /// The scheme in force.
    pub scheme: Scheme,
    /// The key id in force.
    pub kid: String,
    /// The part that stays in clear.
    pub keep: Keep,
    /// −100 to 100.
    pub priority: i8,
}

impl EffectiveKind {
    /// Whether the kind is listed and switched on.
    pub fn enabled(&self) -> bool {
        self.enabled
    }

    /// The lowest score with which a hit of `pass` counts; `None` where the pass does not look for the kind.
    pub fn floor(&self, pass: Pass) -> Option<f32> {
        slot(pass).and_then(|i| self.floors[i])
    }

    /// Whether a hit of `pass` with this score counts. Equal to the floor is enough.
    pub fn accepts(&self, pass: Pass, score: f32) -> bool {
        self.floor(pass).is_some_and(|floor| score >= floor)
    }
}

/// The place of a pass that finds things in a table.
fn slot(pass: Pass) -> Option<usize> {
    match pass {
        Pass::Regex => Some(0),
        Pass::Dictionary => Some(1),
        Pass::Spoken => Some(2),
        Pass::Ner => Some(3),
        Pass::Diarize => None,
    }
}

/// A recogniser that the policy brings along.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RecognizerRule {
    /// Its name in events.
    #[serde(serialize_with = "show::name")]
    pub name: Arc<str>,
    /// The kind it finds.
    #[serde(rename = "entity")]
    pub kind: Kind,
    /// Its patterns, 1 to 50.
    pub patterns: Vec<PatternRule>,
    /// Words nearby that raise the score.
    pub context: Vec<String>,
    /// How many words on either side count as nearby.
    pub context_window: usize,
    /// By how much a word nearby raises the score.
    pub context_boost: f64,
    /// The check that a hit must pass.
    pub check: Check,
    /// The pass it belongs to: `regex` or `spoken`.
    pub pass: Pass,
}

/// One pattern of a [`RecognizerRule`].
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct PatternRule {
    /// The compiled expression. It may match the empty text, which is no hit.
    #[serde(serialize_with = "show::regex")]
    pub regex: Regex,
    /// The score of a hit, 0 to 1.
    pub score: f64,
    /// The group that is the finding; 0 for the whole match.
    pub group: usize,
}

/// A list of words that the policy brings along. Its words are never printed.
#[derive(Clone)]
#[non_exhaustive]
pub struct DictionaryRule {
    /// Its name in events.
    pub name: Arc<str>,
    /// The kind it finds.
    pub kind: Kind,
    /// The entries, without surrounding space, none empty.
    pub words: Arc<[String]>,
    /// The file they came from, as the policy writes it.
    pub file: Option<String>,
    /// Whether upper and lower case differ.
    pub case_sensitive: bool,
    /// Whether an entry must stand alone between word boundaries.
    pub whole_word: bool,
    /// The score of a hit, 0 to 1.
    pub score: f64,
}

/// Text that is never masked: a finding that it covers as a whole is dropped.
#[derive(Clone)]
#[non_exhaustive]
pub struct AllowRule {
    /// What is let through.
    pub matches: AllowMatch,
    /// The kinds it holds for; `None` for all.
    pub kinds: Option<Vec<Kind>>,
}

/// The two forms of an [`AllowRule`]. The words are never printed.
#[derive(Clone)]
#[non_exhaustive]
pub enum AllowMatch {
    /// One of these texts.
    Words(Arc<[String]>),
    /// A match of this expression.
    Regex(Regex),
}

/// What is written down.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Audit {
    /// One event per finding; otherwise totals only.
    pub log_events: bool,
    /// Whether encrypted payloads are kept.
    pub log_payloads: LogPayloads,
    /// How many days events are kept.
    pub retention_days: u32,
}

/// Settings of the scheme `synthetic`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Synthetic {
    /// Fixes the draw, so that equal input gives equal output everywhere.
    pub seed: Option<u64>,
    /// Keeps a value in its country and language.
    pub preserve_locale: bool,
}

/// Settings of the scheme `reversible-aead`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Aead {
    /// Equal values get equal tokens everywhere.
    pub deterministic: bool,
}

/// Whether the key of a kid is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KidState {
    /// A good key.
    Known,
    /// No key.
    Unknown,
    /// A key that is not base64 of exactly 32 bytes.
    Invalid,
}

/// Tells whether keys are there. A policy reads no environment itself.
pub trait KidCheck {
    /// Looks for the key of `kid`.
    fn check(&self, kid: &str) -> KidState;
}

impl<F: Fn(&str) -> KidState> KidCheck for F {
    fn check(&self, kid: &str) -> KidState {
        self(kid)
    }
}

/// Loads policies with checks that need to know something of their surroundings.
///
/// ```
/// use masker_core::{KidState, Policy, PolicyErrorCode, PolicyLoader};
///
/// let keys = |kid: &str| if kid == "K_DESK" { KidState::Known } else { KidState::Unknown };
/// let source = Policy::preset_source("healthcare-minimum").unwrap();
/// let errors = PolicyLoader::new().keys(&keys).from_yaml(source).unwrap_err();
/// assert_eq!(errors.first().code, PolicyErrorCode::UnknownKid);
/// ```
#[derive(Clone, Copy, Default)]
pub struct PolicyLoader<'a> {
    keys: Option<&'a dyn KidCheck>,
    ner_loaded: Option<bool>,
    payload_retention_days: Option<u32>,
}

impl<'a> PolicyLoader<'a> {
    /// A loader that knows nothing of its surroundings and skips the checks that would need it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks every kid with `keys`.
    pub fn keys(mut self, keys: &'a dyn KidCheck) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Says whether a model for the pass `ner` is loaded.
    pub fn ner_loaded(mut self, loaded: bool) -> Self {
        self.ner_loaded = Some(loaded);
        self
    }

    /// Says for how many days payloads are kept.
    pub fn payload_retention_days(mut self, days: u32) -> Self {
        self.payload_retention_days = Some(days);
        self
    }

    /// Checks a policy that comes without a folder; its dictionaries may not name files.
    ///
    /// # Errors
    ///
    /// Every mistake in it.
    pub fn from_yaml(&self, text: &str) -> Result<Policy, PolicyErrors> {
        validate::policy(text, self, None)
    }

    /// Reads and checks a policy file and the dictionary files beside it.
    ///
    /// # Errors
    ///
    /// Every mistake in it, or [`PolicyErrorCode::FileUnreadable`].
    pub fn from_path(&self, path: impl AsRef<Path>) -> Result<Policy, PolicyErrors> {
        let path = path.as_ref();
        let bytes = validate::read_policy(path)?;
        let text = validate::utf8(&bytes)?;
        let dir = match path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            _ => Path::new("."),
        };
        validate::policy(text, self, Some(dir))
    }
}

impl fmt::Debug for PolicyLoader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyLoader")
            .field("keys", &self.keys.is_some())
            .field("ner_loaded", &self.ner_loaded)
            .field("payload_retention_days", &self.payload_retention_days)
            .finish()
    }
}

impl Policy {
    /// Checks a policy that comes without a folder. Neither environment nor files are read.
    ///
    /// # Errors
    ///
    /// Every mistake in it, at most 100, sorted by line.
    pub fn from_yaml(text: &str) -> Result<Self, PolicyErrors> {
        PolicyLoader::new().from_yaml(text)
    }

    /// Reads and checks a policy file and the dictionary files beside it.
    ///
    /// # Errors
    ///
    /// Every mistake in it, at most 100, sorted by line, or that it cannot be read.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, PolicyErrors> {
        PolicyLoader::new().from_path(path)
    }

    /// The default: every identifier that text shows, tokens for almost all.
    pub fn healthcare_default() -> Self {
        Self::shipped(0)
    }

    /// The nine kinds and two passes that every policy of this format knows.
    pub fn healthcare_minimum() -> Self {
        Self::shipped(1)
    }

    /// Every kind, removed without a way back.
    pub fn strict() -> Self {
        Self::shipped(2)
    }

    fn shipped(index: usize) -> Self {
        Self::from_yaml(PRESETS[index].1).expect("shipped policies are valid, as a test shows")
    }

    /// A shipped policy by its name.
    pub fn preset(name: &str) -> Option<Self> {
        PRESETS.iter().position(|(n, _)| *n == name).map(Self::shipped)
    }

    /// The commented YAML of a shipped policy.
    pub fn preset_source(name: &str) -> Option<&'static str> {
        PRESETS.iter().find(|(n, _)| *n == name).map(|(_, source)| *source)
    }

    /// The JSON Schema (draft 7) of the policy file, for editors. A file that it takes may still be refused: what needs two places at
    /// once, such as a kind that is named and not listed, only loading finds.
    pub fn schema() -> &'static str {
        schema::SCHEMA
    }

    /// The names of the shipped policies.
    pub fn preset_names() -> impl Iterator<Item = &'static str> {
        PRESETS.iter().map(|(name, _)| *name)
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version of the schema, 1.
    pub fn version(&self) -> u32 {
        1
    }

    /// What it is for.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The key id of kinds that have none of their own.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Every key id in use, without repetition, the policy's first.
    pub fn kids(&self) -> Vec<&str> {
        let mut kids = vec![self.kid.as_str()];
        for kid in self.entities.iter().filter_map(|e| e.kid.as_deref()) {
            if !kids.contains(&kid) {
                kids.push(kid);
            }
        }
        kids
    }

    /// How close synthetic values are to the original: above 0, at most 10, larger is closer.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// The scheme of kinds that have none of their own.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The listed passes, in order.
    pub fn passes(&self) -> &[PassRule] {
        &self.passes
    }

    /// The rule of a pass, if it is listed.
    pub fn pass(&self, pass: Pass) -> Option<&PassRule> {
        self.passes.iter().find(|p| p.pass == pass)
    }

    /// The listed kinds, in the order of the file.
    pub fn entities(&self) -> &[EntityRule] {
        &self.entities
    }

    /// The rule of a kind, if it is listed, switched on or not.
    pub fn entity(&self, kind: &Kind) -> Option<&EntityRule> {
        self.places.get(kind).map(|&i| &self.entities[i])
    }

    /// What is written down.
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// The recognisers that the policy brings along.
    pub fn recognizers(&self) -> &[RecognizerRule] {
        &self.recognizers
    }

    /// The word lists that the policy brings along.
    pub fn dictionaries(&self) -> &[DictionaryRule] {
        &self.dictionaries
    }

    /// What is never masked.
    pub fn allow(&self) -> &[AllowRule] {
        &self.allow
    }

    /// How far "same value, same token" reaches.
    pub fn token_scope(&self) -> TokenScope {
        self.token_scope
    }

    /// What happens to parts of a message that are not text.
    pub fn non_text(&self) -> NonText {
        self.non_text
    }

    /// Settings of the scheme `synthetic`.
    pub fn synthetic(&self) -> &Synthetic {
        &self.synthetic
    }

    /// The fixed seed of the scheme `synthetic`.
    pub fn seed(&self) -> Option<u64> {
        self.synthetic.seed
    }

    /// Whether a listed pass that is not there is an error.
    pub fn strict_passes(&self) -> bool {
        self.strict_passes
    }

    /// Durable tokens or short aliases in the text.
    pub fn surface(&self) -> Surface {
        self.surface
    }

    /// Which values count as the same.
    pub fn normalization(&self) -> Normalization {
        self.normalization
    }

    /// Whether equal values get equal tokens everywhere under `reversible-aead`.
    pub fn aead_deterministic(&self) -> bool {
        self.aead.deterministic
    }

    /// Whether a run of six or more digits that no kind explains is an `ID`.
    pub fn strict_numbers(&self) -> bool {
        self.strict_numbers
    }

    /// Which of two overlapping findings wins.
    pub fn overlap(&self) -> Overlap {
        self.overlap
    }

    /// The speaker roles whose turns are masked; `None` for all.
    pub fn speakers(&self) -> Option<&[String]> {
        self.speakers.as_deref()
    }

    /// The warnings and notes found on loading.
    pub fn notices(&self) -> &[PolicyNotice] {
        &self.notices
    }

    /// What holds for `kind`: switches, passes, and the stand-ins for a model that is not loaded, taken together.
    ///
    /// Where `ner` is listed without a model, `dictionary` stands in for it for kinds with `ner: true`, and `spoken` for
    /// kinds with `ner` or `regex` true, under the kind's `confidence_threshold`. Where such a pass is also listed itself,
    /// the lower floor counts. A kind that is not listed is off.
    pub fn effective(&self, kind: &Kind, ner_loaded: bool) -> EffectiveKind {
        let rule = self.entity(kind);
        let mut effective = EffectiveKind {
            enabled: rule.is_some_and(|r| r.enabled),
            floors: [None; 4],
            action: rule.map_or(Action::Tokenize, |r| r.action),
            scheme: rule.and_then(|r| r.scheme).unwrap_or(self.scheme),
            kid: rule.and_then(|r| r.kid.clone()).unwrap_or_else(|| self.kid.clone()),
            keep: rule.map_or(Keep::None, |r| r.keep),
            priority: rule.map_or(0, |r| r.priority),
        };
        let Some(rule) = rule.filter(|r| r.enabled) else { return effective };
        let mut lower = |pass: Pass, floor: f64| {
            if let Some(i) = slot(pass) {
                let floor = floor as f32;
                effective.floors[i] = Some(effective.floors[i].map_or(floor, |f| f.min(floor)));
            }
        };
        for listed in self.passes.iter().filter(|p| p.applies_to(kind)) {
            match listed.pass {
                Pass::Ner if ner_loaded && rule.ner => lower(Pass::Ner, rule.confidence_threshold),
                Pass::Ner if ner_loaded => {}
                Pass::Ner => {
                    let floor = rule.confidence_threshold.max(rule.min_score);
                    for pass in [Pass::Dictionary, Pass::Spoken] {
                        if listed.substitute && stands_in(rule, pass) {
                            lower(pass, floor);
                        }
                    }
                }
                pass if rule.allows(pass) => lower(pass, rule.min_score),
                _ => {}
            }
        }
        effective
    }

    /// The kind under which text of `kind` is reported: itself if it is on, or else the neighbour that covers it
    /// (`ADDRESS` for `ZIP`, `PHONE` for `FAX`, `DATE` for `DOB`) if that is on.
    pub fn covering(&self, kind: &Kind) -> Option<Kind> {
        let on = |k: &Kind| self.entity(k).is_some_and(|e| e.enabled);
        if on(kind) { Some(kind.clone()) } else { kind.neighbour().filter(on) }
    }

    /// Checks that the listed passes are there.
    ///
    /// # Errors
    ///
    /// [`PolicyErrorCode::PassUnavailable`] if `ner` is listed, no model is loaded and `strict_passes` is on.
    pub fn check_passes(&self, ner_loaded: bool) -> Result<(), PolicyErrors> {
        match self.passes.iter().enumerate().find(|(_, p)| p.pass == Pass::Ner) {
            Some((i, rule)) if self.strict_passes && !ner_loaded => Err(PolicyErrors::one(
                PolicyErrorCode::PassUnavailable,
                rule.at,
                &format!("passes[{i}]"),
                validate::NO_MODEL_STRICT,
            )),
            _ => Ok(()),
        }
    }

    /// The policy with another scheme, for kinds that have their own too.
    pub fn with_scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        for entity in &mut self.entities {
            entity.scheme = None;
        }
        self
    }

    /// The policy with another choice of what stands in the text: tokens, or the aliases of a conversation.
    ///
    /// ```
    /// use masker_core::policy::Surface;
    /// use masker_core::{Masker, Policy, Role};
    ///
    /// let policy = Policy::healthcare_default().with_surface(Surface::Alias);
    /// let conversation = Masker::builder().policy(policy).build()?.conversation("call 17");
    /// assert_eq!(conversation.mask_turn(Role::User, "call 415-555-0142")?.text, "call [PHONE_1]");
    /// # Ok::<(), masker_core::Error>(())
    /// ```
    pub fn with_surface(mut self, surface: Surface) -> Self {
        self.surface = surface;
        self
    }

    /// The policy with other passes, given as a comma list: `regex,gemma`. A pass that was listed before keeps its options.
    ///
    /// # Errors
    ///
    /// [`PolicyErrorCode::InvalidPass`], [`PolicyErrorCode::DuplicatePass`] or [`PolicyErrorCode::EmptyPasses`]; the
    /// column counts within `list`.
    pub fn with_passes(mut self, list: &str) -> Result<Self, PolicyErrors> {
        let mut passes = validate::pass_list(list)?;
        for rule in &mut passes {
            if let Some(old) = self.pass(rule.pass) {
                *rule = PassRule { written: rule.written, ..old.clone() };
            }
        }
        self.passes = passes;
        Ok(self)
    }

    /// The policy with one threshold, 0 to 1, for every kind and pass.
    ///
    /// # Errors
    ///
    /// [`PolicyErrorCode::OutOfRange`].
    pub fn with_threshold(mut self, threshold: f64) -> Result<Self, PolicyErrors> {
        if !(0.0..=1.0).contains(&threshold) {
            let message = "the threshold must be between 0 and 1";
            return Err(PolicyErrors::one(
                PolicyErrorCode::OutOfRange,
                (1, 1),
                "confidence_threshold",
                message,
            ));
        }
        for entity in &mut self.entities {
            entity.confidence_threshold = threshold;
            entity.min_score = threshold;
        }
        Ok(self)
    }

    /// The policy with a fixed seed for synthetic values, or with none.
    pub fn with_seed(mut self, seed: Option<u64>) -> Self {
        self.synthetic.seed = seed;
        self
    }

    /// The policy with synthetic values that keep what places, codes and years say, or that do not.
    pub fn with_preserved_locale(mut self, preserve: bool) -> Self {
        self.synthetic.preserve_locale = preserve;
        self
    }

    /// The policy with another epsilon, above 0 and at most 10.
    ///
    /// # Errors
    ///
    /// [`PolicyErrorCode::OutOfRange`].
    pub fn with_epsilon(mut self, epsilon: f64) -> Result<Self, PolicyErrors> {
        if !(epsilon > 0.0 && epsilon <= 10.0) {
            return Err(PolicyErrors::one(
                PolicyErrorCode::OutOfRange,
                (1, 1),
                "epsilon",
                validate::EPSILON_RANGE,
            ));
        }
        self.epsilon = epsilon;
        Ok(self)
    }

    /// What changes from this policy to `next`.
    ///
    /// ```
    /// use masker_core::Policy;
    ///
    /// let (minimum, default) = (Policy::healthcare_minimum(), Policy::healthcare_default());
    /// assert!(default.diff(&minimum).is_weaker());
    /// assert!(!minimum.diff(&default).is_weaker());
    /// ```
    pub fn diff(&self, next: &Self) -> PolicyDiff {
        diff::diff(self, next)
    }
}

/// Whether a pass may find a kind in place of `ner`.
fn stands_in(rule: &EntityRule, pass: Pass) -> bool {
    match pass {
        Pass::Dictionary => rule.dictionary && rule.ner,
        Pass::Spoken => rule.spoken && (rule.ner || rule.regex),
        _ => false,
    }
}
