//! The paved path: a [`Masker`] joins a policy, keys and a vault, and detects, masks and rehydrates.

#[cfg(feature = "async")]
mod asynchronous;
mod batch;
mod builder;
mod field;
mod keep;
mod report;
mod rewrite;

use std::fmt;
use std::num::NonZero;
use std::sync::Arc;

use self::batch::{in_chunks, on_cores};
pub use self::builder::MaskerBuilder;
pub(crate) use self::field::label;
use self::keep::with_kept;
pub use self::report::{Event, Explanation, Masked, Restored};
use self::rewrite::Plan;
pub(crate) use self::rewrite::{Replacement, Surrogates};
use crate::detect::{Context, DetectorSet};
use crate::policy::Policy;
use crate::resolve::Order;
use crate::secret::Wiping;
use crate::token::{KeyRing, Marker, Scope, Synthesizer, find_markers};
use crate::vault::{Reference, Vault};
use crate::{Error, Finding, Kind, Span};

/// The longest text that one call takes, in bytes: 1 GiB.
pub const MAX_TEXT_BYTES: usize = 1 << 30;

/// Detects, masks and rehydrates under one policy, with one key ring and one vault.
///
/// Immutable, `Send + Sync` and cheap to clone: clones share everything. To change the policy, build another value and swap
/// it in. Every call stands for itself; only the vault remembers.
///
/// ```
/// use masker_core::Masker;
///
/// let masker = Masker::new()?;
/// let masked = masker.mask("Hi, this is Sarah Chen, call me at 415-555-0142.")?;
/// assert!(!masked.text.contains("Sarah") && !masked.text.contains("0142"));
/// assert_eq!(masked.redaction_count(), 2);
///
/// let restored = masker.rehydrate(&masked.text)?;
/// assert_eq!(restored.text, "Hi, this is Sarah Chen, call me at 415-555-0142.");
/// # Ok::<(), masker_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Masker {
    inner: Arc<Inner>,
}

struct Inner {
    policy: Policy,
    detectors: DetectorSet,
    plan: Plan,
    keys: KeyRing,
    vault: Arc<dyn Vault>,
    scope: Scope,
    reference: Reference,
    order: Order,
    synthesizer: Synthesizer,
    wipe_buffers: bool,
    /// In milliseconds.
    row_lifetime: Option<i64>,
    threads: Option<NonZero<usize>>,
}

impl fmt::Debug for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Masker")
            .field("policy", &self.inner.policy.name())
            .field("keys", &self.inner.keys)
            .finish_non_exhaustive()
    }
}

impl Masker {
    /// A masker that works at once: policy `healthcare-default`, a vault in memory, and a random key under the key id
    /// `EPHEMERAL` that is gone with the value.
    ///
    /// # Errors
    ///
    /// When the operating system gives no random bytes.
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// Starts a masker with a policy, keys or a vault of the caller's.
    pub fn builder() -> MaskerBuilder {
        MaskerBuilder::default()
    }

    /// The policy in force.
    pub fn policy(&self) -> &Policy {
        &self.inner.policy
    }

    /// Whether the keys live only as long as this value and its clones.
    pub fn is_ephemeral(&self) -> bool {
        self.inner.keys.is_ephemeral()
    }

    /// The scope in which tokens are made and restored.
    pub fn scope(&self) -> &Scope {
        &self.inner.scope
    }

    /// Finds PHI: disjoint findings in order, whatever the policy does with them.
    ///
    /// ```
    /// use masker_core::{Kind, Masker};
    ///
    /// let findings = Masker::new()?.detect("my email is ada@example.com")?;
    /// assert_eq!(findings.len(), 1);
    /// assert_eq!(findings[0].kind, Kind::Email);
    /// assert_eq!(findings[0].span.range(), 12..27);
    /// # Ok::<(), masker_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the text is above [`MAX_TEXT_BYTES`] or a plugged-in recogniser fails.
    pub fn detect(&self, text: &str) -> Result<Vec<Finding>, Error> {
        let protected = self.protected(text)?;
        self.find(text, &protected)
    }

    /// [`Masker::detect`] for many texts on all cores; the answers keep the order.
    ///
    /// # Errors
    ///
    /// As [`Masker::detect`], for the first text that fails.
    pub fn detect_batch<S: AsRef<str> + Sync>(&self, texts: &[S]) -> Result<Vec<Vec<Finding>>, Error> {
        on_cores(self.inner.threads, texts, |text| self.detect(text.as_ref()))
    }

    /// Replaces PHI as the policy says.
    ///
    /// With scheme `vault-deterministic` every row is in the vault before this returns.
    ///
    /// # Errors
    ///
    /// As [`Masker::detect`]; when the policy blocks a kind that was found; when a key is missing or the vault fails. Then
    /// no text is returned.
    pub fn mask(&self, text: &str) -> Result<Masked, Error> {
        let protected = self.protected(text)?;
        let findings = self.find(text, &protected)?;
        self.rewrite(text, findings)
    }

    /// [`Masker::mask`] for many texts on all cores; the answers keep the order.
    ///
    /// # Errors
    ///
    /// As [`Masker::mask`], for the first text that fails; rows of the others may be in the vault.
    pub fn mask_batch<S: AsRef<str> + Sync>(&self, texts: &[S]) -> Result<Vec<Masked>, Error> {
        self.mask_batch_map(texts, |_, masked| masked)
    }

    /// [`Masker::mask_batch`], with each answer made into something else on the thread that masked the text: what would
    /// otherwise be left for one thread to do afterwards.
    ///
    /// ```
    /// use masker_core::{Masker, OffsetUnit, convert_spans};
    ///
    /// let masker = Masker::new()?;
    /// let places = masker.mask_batch_map(&["zoë: 415-555-0142"], |text, masked| {
    ///     let spans: Vec<_> = masked.events.iter().map(|event| event.span).collect();
    ///     convert_spans(text, &spans, OffsetUnit::CodePoint)
    /// })?;
    /// assert_eq!(places[0].last(), Some(&(5, 17)));
    /// # Ok::<(), masker_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Masker::mask_batch`].
    pub fn mask_batch_map<S: AsRef<str> + Sync, R: Send>(
        &self,
        texts: &[S],
        answer: impl Fn(&S, Masked) -> R + Sync,
    ) -> Result<Vec<R>, Error> {
        on_cores(self.inner.threads, texts, |text| Ok(answer(text, self.mask(text.as_ref())?)))
    }

    /// [`Masker::mask_batch_map`], with the answers for neighbouring texts shown to the calling thread, behind the place of the
    /// first, in any order: what only that thread can do with them is mostly done while others mask. It may take them out, and
    /// leaves better what it only copies from: that is dropped by the thread that made it.
    ///
    /// ```
    /// use masker_core::Masker;
    ///
    /// let texts = vec!["call 415-555-0142"; 100];
    /// let mut masked = vec![String::new(); texts.len()];
    /// Masker::new()?.mask_batch_each(&texts, |_, masked| masked.text, |first, answers| {
    ///     for (place, answer) in masked[first..].iter_mut().zip(answers.drain(..)) {
    ///         *place = answer;
    ///     }
    /// })?;
    /// assert!(masked.iter().all(|text| text.starts_with("call MSKV1.PHONE.")));
    /// # Ok::<(), masker_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Masker::mask_batch`]; some answers may have been given before.
    pub fn mask_batch_each<S: AsRef<str> + Sync, R: Send>(
        &self,
        texts: &[S],
        answer: impl Fn(&S, Masked) -> R + Sync,
        take: impl FnMut(usize, &mut Vec<R>),
    ) -> Result<(), Error> {
        in_chunks(self.inner.threads, texts, |text| Ok(answer(text, self.mask(text.as_ref())?)), take)
    }

    /// Puts originals back in the place of tokens.
    ///
    /// A token that cannot be restored (purged, damaged, of another scope or another instance) becomes `[REDACTED:KIND]` and
    /// is counted. Labels of other vendors are left as they are.
    ///
    /// # Errors
    ///
    /// When the text is above [`MAX_TEXT_BYTES`] or the vault cannot be read.
    pub fn rehydrate(&self, text: &str) -> Result<Restored, Error> {
        Self::check_length(text)?;
        self.restore(text)
    }

    /// [`Masker::rehydrate`] for many texts on all cores; the answers keep the order.
    ///
    /// # Errors
    ///
    /// As [`Masker::rehydrate`], for the first text that fails.
    pub fn rehydrate_batch<S: AsRef<str> + Sync>(&self, texts: &[S]) -> Result<Vec<Restored>, Error> {
        on_cores(self.inner.threads, texts, |text| self.rehydrate(text.as_ref()))
    }

    /// Tells what every pass found, and which of it was acted on: for tuning a policy.
    ///
    /// ```
    /// use masker_core::Masker;
    ///
    /// let explained = Masker::new()?.explain("fax it to 415-555-0142")?;
    /// assert!(explained.iter().any(|e| e.chosen && e.finding.kind.as_str() == "FAX"));
    /// # Ok::<(), masker_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Masker::detect`].
    pub fn explain(&self, text: &str) -> Result<Vec<Explanation>, Error> {
        let protected = self.protected(text)?;
        let chosen = self.find(text, &protected)?;
        let _wiping = self.wiping();
        let candidates = self.inner.detectors.explain(text, &protected, &mut Context::default())?;
        Ok(candidates
            .into_iter()
            .map(|finding| {
                // They are disjoint and in order, so only one can cover it.
                let next = chosen.partition_point(|winner| winner.span.end <= finding.span.start);
                let winner = chosen.get(next).filter(|winner| winner.span.contains(finding.span));
                let chosen = winner.is_some_and(|winner| {
                    winner.kind == finding.kind
                        && winner.recognizer == finding.recognizer
                        && winner.pass == finding.pass
                });
                Explanation { finding, chosen, within: winner.map(|winner| winner.span) }
            })
            .collect())
    }

    pub(crate) fn detectors(&self) -> &DetectorSet {
        &self.inner.detectors
    }

    pub(crate) fn order(&self) -> Order {
        self.inner.order
    }

    pub(crate) fn keys(&self) -> &KeyRing {
        &self.inner.keys
    }

    /// Lets the views of the text that detection makes be wiped, where that was asked for, until the answer goes.
    pub(crate) fn wiping(&self) -> Wiping {
        Wiping::begin(self.inner.wipe_buffers)
    }

    fn find(&self, text: &str, protected: &[Span]) -> Result<Vec<Finding>, Error> {
        let _wiping = self.wiping();
        Ok(self.inner.detectors.detect(text, protected, &mut Context::default(), self.inner.order)?)
    }

    /// The tokens and labels in a text, which detection does not look into.
    fn protected(&self, text: &str) -> Result<Vec<Span>, Error> {
        Self::check_length(text)?;
        Ok(self.protected_spans(text))
    }

    /// The tokens and labels in a text, each with what was kept of its value beside it.
    pub(crate) fn protected_spans(&self, text: &str) -> Vec<Span> {
        find_markers(text)
            .into_iter()
            .filter(|found| match &found.marker {
                // What is no kind of masker's is ordinary text in brackets.
                Marker::Alias { kind, .. } => !matches!(kind, Kind::Custom(_)),
                _ => true,
            })
            .map(|found| match &found.marker {
                Marker::Token(token) => with_kept(self.inner.plan.keep(token.kind()), text, found.span),
                Marker::Redacted(kind) => with_kept(self.inner.plan.keep(kind), text, found.span),
                _ => found.span,
            })
            .collect()
    }

    fn check_length(text: &str) -> Result<(), Error> {
        Self::check_length_of(text.len())
    }

    pub(crate) fn check_length_of(len: usize) -> Result<(), Error> {
        if len > MAX_TEXT_BYTES {
            return Err(Error::TooLong { len, limit: MAX_TEXT_BYTES });
        }
        Ok(())
    }
}
