use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use super::rewrite::Plan;
use super::{Inner, Masker};
use crate::detect::{
    AllowList, CustomPattern, CustomRecognizer, DetectorSet, KindRule, Pass, Recognizer, WordList,
};
use crate::kinds::{Verdict, checks};
use crate::policy::{AllowMatch, Check, Overlap, Policy};
use crate::resolve::Order;
use crate::token::{KeyError, KeyRing, Kid, Scope, Synthesizer};
use crate::vault::{MemoryVault, Reference, Vault};
use crate::{Error, Kind};

/// Collects what a [`Masker`] is made of.
///
/// ```
/// use std::sync::Arc;
/// use masker_core::{KeyRing, Kid, Masker, MemoryVault, Policy};
///
/// let kid: Kid = "K_HEALTHCARE".parse()?;
/// let masker = Masker::builder()
///     .policy(Policy::healthcare_default())
///     .keys(KeyRing::builder().key(&kid, [7; 32]).build()?)
///     .vault(Arc::new(MemoryVault::new()))
///     .build()?;
/// assert!(!masker.is_ephemeral());
/// assert!(masker.mask("dob 03/14/1982")?.text.starts_with("dob MSKV1.DOB.K_HEALTHCARE."));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
#[must_use]
#[expect(missing_debug_implementations, reason = "holds keys and plug-ins")]
pub struct MaskerBuilder {
    policy: Option<Policy>,
    keys: Option<KeyRing>,
    vault: Option<Arc<dyn Vault>>,
    scope: Scope,
    reference: Reference,
    recognizers: Vec<Arc<dyn Recognizer>>,
    seed: Option<u64>,
    wipe_buffers: bool,
    row_lifetime: Option<Duration>,
    threads: Option<NonZero<usize>>,
}

impl MaskerBuilder {
    /// The policy; `healthcare-default` if none is given.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// The keys; if none are given, a random key under `EPHEMERAL` is used in the place of every key id of the policy.
    pub fn keys(mut self, keys: KeyRing) -> Self {
        self.keys = Some(keys);
        self
    }

    /// The vault; one in memory if none is given.
    pub fn vault(mut self, vault: Arc<dyn Vault>) -> Self {
        self.vault = Some(vault);
        self
    }

    /// Where tokens are made and restored.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// On whose behalf vault rows are written, so that they can be deleted by subject or agent.
    pub fn reference(mut self, reference: Reference) -> Self {
        self.reference = reference;
        self
    }

    /// Adds a model for the pass `ner`.
    pub fn recognizer(mut self, recognizer: Arc<dyn Recognizer>) -> Self {
        self.recognizers.push(recognizer);
        self
    }

    /// Fixes the draw of scheme `synthetic`, over the policy's own seed.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Lets vault rows end this long after they were last masked, to the millisecond; without it they stay until they are deleted.
    ///
    /// A token whose row has ended is as dead as a purged one. [`Vault::delete`] with
    /// [`Selection::Expired`](crate::vault::Selection::Expired) takes such rows out of the store.
    pub fn row_lifetime(mut self, lifetime: Duration) -> Self {
        self.row_lifetime = Some(lifetime);
        self
    }

    /// Overwrites the folded copies of a text that detection works on, once they are no longer needed; off unless asked for.
    ///
    /// Originals on their way to and from the vault are always wiped. The caller's own text, the results and what a conversation
    /// remembers are not touched. Folded copies cost about a tenth of a microsecond per kilobyte to wipe.
    pub fn wipe_buffers(mut self, wipe: bool) -> Self {
        self.wipe_buffers = wipe;
        self
    }

    /// The most threads that a call for many texts uses; as many as there are cores if none is given.
    pub fn threads(mut self, threads: NonZero<usize>) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Makes the masker.
    ///
    /// # Errors
    ///
    /// When a key that the policy names is not in the ring, when the policy demands a model that was not given, or when the
    /// operating system gives no random bytes.
    pub fn build(self) -> Result<Masker, Error> {
        let policy = self.policy.unwrap_or_else(Policy::healthcare_default);
        policy.check_passes(!self.recognizers.is_empty())?;
        let keys = match self.keys {
            Some(keys) => keys,
            None => KeyRing::ephemeral()?,
        };
        for kid in policy.kids() {
            let kid = ring_kid(&keys, kid);
            if !keys.contains(&kid) {
                return Err(KeyError::UnknownKid { kid }.into());
            }
        }
        let plan = Plan::new(&policy, !self.recognizers.is_empty(), |kid| ring_kid(&keys, kid));
        let synthesizer = match self.seed.or(policy.seed()) {
            Some(seed) => Synthesizer::seeded(seed, policy.epsilon()),
            None => Synthesizer::random(policy.epsilon())?,
        };
        let synthesizer = synthesizer.preserve_locale(policy.synthetic().preserve_locale);
        let order = match policy.overlap() {
            Overlap::Priority => Order::Priority,
            Overlap::Score => Order::Score,
            _ => Order::Longest,
        };
        Ok(Masker {
            inner: Arc::new(Inner {
                detectors: detectors(&policy, self.recognizers),
                plan,
                keys,
                vault: self.vault.unwrap_or_else(|| Arc::new(MemoryVault::new())),
                scope: self.scope,
                reference: self.reference,
                order,
                synthesizer,
                wipe_buffers: self.wipe_buffers,
                row_lifetime: self
                    .row_lifetime
                    .map(|lifetime| i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX)),
                threads: self.threads,
                policy,
            }),
        })
    }
}

/// The key id under which the ring holds the key: an ephemeral ring has one key for all.
fn ring_kid(keys: &KeyRing, kid: &str) -> Kid {
    if keys.is_ephemeral()
        && let Some(only) = keys.kids().next()
    {
        return only.clone();
    }
    kid.parse().expect("a policy has checked its key ids")
}

/// What detection needs of a policy.
fn detectors(policy: &Policy, plugins: Vec<Arc<dyn Recognizer>>) -> DetectorSet {
    let ner = !plugins.is_empty();
    let mut rules: BTreeMap<Kind, KindRule> = BTreeMap::new();
    for entity in policy.entities() {
        let effective = policy.effective(&entity.kind, ner);
        if effective.enabled() {
            let rule = KindRule {
                regex: effective.floor(Pass::Regex),
                dictionary: effective.floor(Pass::Dictionary),
                spoken: effective.floor(Pass::Spoken),
                ner: effective.floor(Pass::Ner),
                priority: i32::from(effective.priority),
            };
            rules.insert(entity.kind.clone(), rule);
        } else if !entity.kind.is_built_in() {
            // Off, and known all the same: a model may give it.
            rules.insert(entity.kind.clone(), KindRule::default());
        }
    }
    let recognizers = policy
        .recognizers()
        .iter()
        .map(|rule| CustomRecognizer {
            name: rule.name.clone(),
            kind: rule.kind.clone(),
            patterns: rule
                .patterns
                .iter()
                .map(|p| CustomPattern { regex: p.regex.clone(), score: p.score as f32, group: p.group })
                .collect(),
            context: rule.context.clone(),
            context_window: rule.context_window,
            context_boost: rule.context_boost as f32,
            check: check(rule.check),
            pass: rule.pass,
        })
        .collect();
    let word_lists = policy
        .dictionaries()
        .iter()
        .map(|list| {
            let name = list.name.clone();
            WordList::new(
                name,
                list.kind.clone(),
                &list.words,
                list.case_sensitive,
                list.whole_word,
                list.score as f32,
            )
        })
        .collect();
    let allow_lists = policy
        .allow()
        .iter()
        .map(|rule| match &rule.matches {
            AllowMatch::Words(words) => AllowList::words(words, rule.kinds.clone()),
            AllowMatch::Regex(regex) => AllowList::regex(regex.clone(), rule.kinds.clone()),
        })
        .collect();
    DetectorSet {
        rules,
        recognizers,
        word_lists,
        allow_lists,
        plugins,
        strict_numbers: policy.strict_numbers(),
    }
}

fn check(check: Check) -> fn(&str) -> Verdict {
    match check {
        Check::Luhn => checks::luhn_digits,
        Check::Mod11 => checks::mod11,
        Check::Vin => checks::vin,
        Check::Npi => checks::npi,
        Check::Iban => checks::iban,
        Check::Date => checks::date,
        _ => checks::none,
    }
}
