use std::collections::{BTreeMap, HashMap, HashSet};

use smallvec::SmallVec;

use super::keep::{Segment, segments};
use super::{Event, Masked, Masker, Restored};
use crate::detect::canonical;
use crate::policy::{Action, Keep, Policy, Scheme};
use crate::token::synthetic::Memory;
use crate::token::{Kid, Marker, Scope, Token, TokenKind, find_markers, normalise, redacted, seal};
use crate::vault::{Mention, Opened, Records};
use crate::{Error, Finding, Kind, SecretText, Span};

/// What the policy does with each kind, looked up once.
pub(super) struct Plan {
    steps: BTreeMap<Kind, Step>,
}

struct Step {
    action: Action,
    scheme: Scheme,
    kid: Kid,
    keep: Keep,
}

impl Plan {
    pub(super) fn new(policy: &Policy, ner_loaded: bool, kid: impl Fn(&str) -> Kid) -> Self {
        let steps = policy
            .entities()
            .iter()
            .map(|entity| {
                let effective = policy.effective(&entity.kind, ner_loaded);
                let step = Step {
                    action: effective.action,
                    scheme: effective.scheme,
                    kid: kid(&effective.kid),
                    keep: effective.keep,
                };
                (entity.kind.clone(), step)
            })
            .collect();
        Self { steps }
    }

    /// What stays in clear of a kind; nothing where the policy does not list it.
    pub(super) fn keep(&self, kind: &Kind) -> Keep {
        self.steps.get(kind).map_or(Keep::None, |step| step.keep)
    }

    fn step(&self, kind: &Kind) -> &Step {
        self.steps.get(kind).expect("detection finds only kinds that the policy lists")
    }
}

/// What stands in the place of one hidden stretch of a finding.
pub(crate) enum Replacement {
    Text(String),
    /// A token, with the value as it is compared.
    Token(Token, SecretText),
}

/// What becomes of a finding: each stretch that is replaced, in order, and what its event says of it. What no stretch covers
/// stays as it is.
pub(crate) struct Outcome {
    pub(crate) replaced: SmallVec<[(Span, Replacement); 1]>,
    pub(crate) action: Action,
    pub(crate) token_kind: Option<TokenKind>,
    pub(crate) kid: Option<Kid>,
}

/// A stretch of a finding that is to be hidden, and the form in which it is compared.
struct Part {
    /// The place of the finding among all.
    finding: usize,
    span: Span,
    /// Stands before the replacement: the hidden text in a more general form.
    instead: &'static str,
    normalised: SecretText,
}

type Parts = SmallVec<[Part; 8]>;

impl Masker {
    /// Builds the masked text from the findings and nothing else: what is between them is copied, they are replaced.
    pub(super) fn rewrite(&self, text: &str, findings: Vec<Finding>) -> Result<Masked, Error> {
        let outcomes = self.outcomes(text, &findings, &self.inner.scope, &mut Surrogates::default())?;
        let mut masked = String::with_capacity(text.len() + findings.len() * 40);
        let mut events = Vec::with_capacity(findings.len());
        let mut copied = 0;
        for (finding, outcome) in findings.into_iter().zip(outcomes) {
            for (span, replacement) in &outcome.replaced {
                masked.push_str(&text[copied..span.start]);
                masked.push_str(match replacement {
                    Replacement::Text(text) => text,
                    Replacement::Token(token, _) => token.text(),
                });
                copied = span.end;
            }
            events.push(Event::new(finding, outcome.action, outcome.token_kind, outcome.kid));
        }
        masked.push_str(&text[copied..]);
        Ok(Masked { text: masked, events })
    }

    /// What the policy puts in the place of each finding; tokens are minted in `scope`, and vault rows stored.
    pub(crate) fn outcomes(
        &self,
        text: &str,
        findings: &[Finding],
        scope: &Scope,
        surrogates: &mut Surrogates,
    ) -> Result<Vec<Outcome>, Error> {
        let inner = &*self.inner;
        self.check_blocked(findings)?;
        let steps: SmallVec<[&Step; 8]> =
            findings.iter().map(|finding| inner.plan.step(&finding.kind)).collect();
        let mut parts: Parts = SmallVec::with_capacity(findings.len());
        for (index, (finding, step)) in findings.iter().zip(&steps).enumerate() {
            self.divide(text, index, finding, step, &mut parts);
        }
        let mut minted = {
            let vaulted =
                |step: &Step| (step.action, step.scheme) == (Action::Tokenize, Scheme::VaultDeterministic);
            let mentions: SmallVec<[Mention<'_>; 8]> = parts
                .iter()
                .filter(|part| vaulted(steps[part.finding]))
                .map(|part| Mention {
                    kind: &findings[part.finding].kind,
                    kid: &steps[part.finding].kid,
                    original: &text[part.span.range()],
                    normalised: part.normalised.expose(),
                })
                .collect();
            self.mint(scope, &mentions)?.into_iter()
        };
        if steps.iter().any(|step| step.scheme == Scheme::Synthetic) {
            surrogates.note(text, findings);
            // Whole names first: they tell which part is whose, for where one stands alone.
            let mut names: Vec<(&str, &str)> = parts
                .iter()
                .filter(|part| {
                    let step = steps[part.finding];
                    findings[part.finding].kind == Kind::Name
                        && (step.action, step.scheme) == (Action::Tokenize, Scheme::Synthetic)
                })
                .map(|part| (&text[part.span.range()], part.normalised.expose()))
                .collect();
            names.sort_by_key(|(original, _)| std::cmp::Reverse(original.split_whitespace().count()));
            for (original, normalised) in names {
                surrogates.draw(self, &Kind::Name, original, normalised);
            }
        }
        let mut outcomes = Vec::with_capacity(findings.len());
        let mut parts = parts.into_iter().peekable();
        for (index, (finding, step)) in findings.iter().zip(steps).enumerate() {
            let mut outcome =
                Outcome { replaced: SmallVec::new(), action: step.action, token_kind: None, kid: None };
            while let Some(part) = parts.next_if(|part| part.finding == index) {
                let Part { span, instead, normalised, .. } = part;
                let original = &text[span.range()];
                let redact = || {
                    (Replacement::Text(format!("{instead}{}", redacted(&finding.kind))), TokenKind::Redacted)
                };
                let (replacement, token_kind) = match (step.action, step.scheme) {
                    (Action::Passthrough, _) => continue,
                    (Action::Tokenize, Scheme::VaultDeterministic) => {
                        let token = minted.next().expect("the vault gives a token for every mention");
                        (Replacement::Token(token, normalised), TokenKind::Mskv1)
                    }
                    (Action::Tokenize, Scheme::ReversibleAead) => {
                        let deterministic = inner.policy.aead_deterministic();
                        match seal(&inner.keys, scope, &finding.kind, &step.kid, original, deterministic)? {
                            Some(token) => (Replacement::Token(token, normalised), TokenKind::Msk1),
                            None => redact(),
                        }
                    }
                    (Action::Tokenize, Scheme::Synthetic) => {
                        let surrogate = surrogates.draw(self, &finding.kind, original, normalised.expose());
                        (Replacement::Text(surrogate), TokenKind::Synthetic)
                    }
                    _ => redact(),
                };
                if matches!(token_kind, TokenKind::Mskv1 | TokenKind::Msk1) {
                    outcome.kid = Some(step.kid.clone());
                }
                outcome.token_kind = Some(token_kind);
                outcome.replaced.push((span, replacement));
            }
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    /// Fails where the policy blocks a kind that was found.
    pub(crate) fn check_blocked(&self, findings: &[Finding]) -> Result<(), Error> {
        match findings.iter().find(|found| self.inner.plan.step(&found.kind).action == Action::Block) {
            Some(found) => Err(Error::Blocked { kind: found.kind.clone(), span: found.span }),
            None => Ok(()),
        }
    }

    /// What the policy does with a kind that was found.
    pub(crate) fn action(&self, kind: &Kind) -> Action {
        self.inner.plan.step(kind).action
    }

    /// The value of a finding as it is compared.
    pub(crate) fn normalised(&self, text: &str, finding: &Finding) -> SecretText {
        let _wiping = self.wiping();
        let original = &text[finding.span.range()];
        let written = canonical(&finding.kind, original).map(SecretText::new);
        let written = written.as_ref().map(SecretText::expose);
        normalise(&finding.kind, original, written, self.inner.policy.normalization())
    }

    /// Divides the finding at `index` into what is kept and what is hidden, and adds the latter to `parts`. The form of a hidden
    /// stretch says which part of which value it is, so that its token is shared with no other part and with no whole value.
    fn divide(&self, text: &str, index: usize, finding: &Finding, step: &Step, parts: &mut Parts) {
        let whole = self.normalised(text, finding);
        // A surrogate takes the place of the whole value, and so does nothing at all.
        let divides = match step.action {
            Action::Tokenize => step.scheme != Scheme::Synthetic,
            action => action == Action::Redact,
        };
        let original = &text[finding.span.range()];
        let segments = if step.keep == Keep::None || !divides {
            Vec::new()
        } else {
            segments(step.keep, step.action, &finding.kind, original)
        };
        if segments.len() < 2 {
            parts.push(Part { finding: index, span: finding.span, instead: "", normalised: whole });
            return;
        }
        let mut at = finding.span.start;
        let mut general = "";
        for (place, segment) in segments.into_iter().enumerate() {
            match segment {
                Segment::Clear(text) => at += text.len(),
                Segment::Hidden(text) => {
                    let form = format!("{}\0{}\0{place}", whole.expose(), step.keep);
                    let span = Span::new(at, at + text.len());
                    let normalised = SecretText::new(form);
                    parts.push(Part { finding: index, span, instead: general, normalised });
                    general = "";
                    at += text.len();
                }
                Segment::Instead(text) => general = text,
            }
        }
    }

    fn mint(&self, scope: &Scope, mentions: &[Mention<'_>]) -> Result<Vec<Token>, Error> {
        if mentions.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.records(scope).mint(mentions)?)
    }

    pub(crate) fn records<'a>(&'a self, scope: &'a Scope) -> Records<'a> {
        let inner = &*self.inner;
        let records = Records::new(&inner.keys, &*inner.vault, scope, &inner.reference);
        inner.row_lifetime.map_or(records, |lifetime| records.lifetime(lifetime))
    }

    /// Replaces tokens by originals; restored text is not looked into again.
    pub(super) fn restore(&self, text: &str) -> Result<Restored, Error> {
        let found = find_markers(text);
        let tokens: Vec<&Token> = found
            .iter()
            .filter_map(|found| match &found.marker {
                Marker::Token(token) => Some(token),
                _ => None,
            })
            .collect();
        let mut restored = Restored::default();
        if tokens.is_empty() {
            text.clone_into(&mut restored.text);
            return Ok(restored);
        }
        let opened = self.records(&self.inner.scope).restore(&tokens)?;
        // Enough for everything, so that the text is not left behind in buffers that were too small.
        let originals = opened.iter().map(|opened| match opened {
            Opened::Original(original) => original.expose().len(),
            _ => 64,
        });
        restored.text.reserve_exact(text.len() + originals.sum::<usize>());
        let mut opened = opened.into_iter();
        let mut copied = 0;
        for found in &found {
            let Marker::Token(token) = &found.marker else { continue };
            restored.text.push_str(&text[copied..found.span.start]);
            copied = found.span.end;
            match opened.next() {
                Some(Opened::Original(original)) => {
                    restored.text.push_str(original.expose());
                    restored.restored += 1;
                    continue;
                }
                Some(Opened::Foreign) => restored.foreign += 1,
                _ => restored.unknown += 1,
            }
            restored.text.push_str(&redacted(token.kind()));
            restored.lost.push(token.kind().clone());
        }
        restored.text.push_str(&text[copied..]);
        Ok(restored)
    }
}

/// The surrogates of one text or conversation: equal values share one, and none is another original.
#[derive(Default)]
pub(crate) struct Surrogates {
    /// By kind and value; those of the parts of names under a value that no text has.
    pub(crate) drawn: HashMap<(Kind, String), String>,
    /// In lower case, whole and the parts of names.
    pub(crate) originals: HashSet<String>,
    /// What `drawn` holds, in lower case, as far as it has been counted.
    used: HashSet<String>,
    counted: usize,
}

impl Surrogates {
    fn note(&mut self, text: &str, findings: &[Finding]) {
        for finding in findings {
            let original = text[finding.span.range()].to_lowercase();
            if finding.kind == Kind::Name {
                let parts = original.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
                self.originals.extend(parts.map(str::to_owned));
            }
            self.originals.insert(original);
        }
    }

    /// The surrogate that a value has already.
    pub(crate) fn known(&self, kind: &Kind, original: &str, normalised: &str) -> Option<&str> {
        self.drawn.get(&(kind.clone(), key(original, normalised))).map(String::as_str)
    }

    fn draw(&mut self, masker: &Masker, kind: &Kind, original: &str, normalised: &str) -> String {
        let key = (kind.clone(), key(original, normalised));
        if let Some(surrogate) = self.drawn.get(&key) {
            return surrogate.clone();
        }
        // A conversation that was taken up again brings its surrogates along.
        if self.counted != self.drawn.len() {
            self.used = self.drawn.values().map(|surrogate| surrogate.to_lowercase()).collect();
        }
        let Self { drawn, originals, used, .. } = self;
        let taken = |candidate: &str| originals.contains(&candidate.to_lowercase());
        let mut parts = NameParts { drawn, used };
        let surrogate =
            masker.inner.synthesizer.surrogate_among(kind, original, normalised, &mut parts, &taken);
        self.used.insert(surrogate.to_lowercase());
        self.drawn.insert(key, surrogate.clone());
        self.counted = self.drawn.len();
        surrogate
    }
}

/// The parts of names among the surrogates.
struct NameParts<'a> {
    drawn: &'a mut HashMap<(Kind, String), String>,
    used: &'a mut HashSet<String>,
}

impl NameParts<'_> {
    fn key(word: &str) -> (Kind, String) {
        // No key of a whole value begins like this: a normalised name has no control characters at its start.
        (Kind::Name, format!("\u{1}{word}"))
    }
}

impl Memory for NameParts<'_> {
    fn word(&self, word: &str) -> Option<String> {
        self.drawn.get(&Self::key(word)).cloned()
    }

    fn remember(&mut self, word: &str, surrogate: &str) {
        self.used.insert(surrogate.to_lowercase());
        self.drawn.insert(Self::key(word), surrogate.to_owned());
    }

    fn is_used(&self, surrogate: &str) -> bool {
        self.used.contains(surrogate)
    }
}

fn key(original: &str, normalised: &str) -> String {
    format!("{normalised}\0{original}")
}
