//! The promises of one masker about one text.

use std::fmt::Debug;

use masker_core::policy::{Action, Keep};
use masker_core::{
    ErrorKind, Finding, Kind, Marker, Masked, Masker, Normalization, OffsetUnit, Scheme, Span, Token,
    TokenKind, convert_spans, find_markers,
};

/// Texts below this length are read in one piece. Longer ones are read in pieces, and masking moves where they end: what is asked in
/// one and answered in the next may then be read otherwise.
pub(crate) const ONE_PIECE: usize = 1_408;

/// Checks findings, masking, restoring and masking again. Panics where a promise is broken.
pub(crate) fn hold(masker: &Masker, text: &str) {
    let policy = masker.policy();
    let findings = masker.detect(text).unwrap();
    are_in_order(text, &findings);
    assert_eq!(masker.detect(text).unwrap(), findings, "detection depends on the text alone");

    let masked = match masker.mask(text) {
        Ok(masked) => masked,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Blocked, "{error}");
            says_nothing(text, &findings, &error);
            return;
        }
    };
    let is_synthetic = policy.scheme() == Scheme::Synthetic
        || policy.entities().iter().any(|entity| entity.scheme == Some(Scheme::Synthetic));
    let has_keeps = policy.entities().iter().any(|entity| entity.keep != Keep::None);
    let spans: Vec<Span> = masked.events.iter().map(|event| event.span).collect();
    assert_eq!(spans, findings.iter().map(|finding| finding.span).collect::<Vec<_>>());
    for explained in masker.explain(text).unwrap() {
        let span = explained.finding.span;
        assert!(
            spans.iter().any(|outer| outer.contains(span)),
            "a fragment is left uncovered: {explained:?}"
        );
    }
    says_nothing(text, &findings, &masked);
    if !is_synthetic && !has_keeps {
        is_built_of_spans(text, &masked);
    }

    let tokens_before = tokens(text).count();
    // A text may hold the very token that a value in it, or in an earlier text, was given.
    let known_before = masker.rehydrate(text).unwrap().restored;
    let restored = masker.rehydrate(&masked.text).unwrap();
    if is_synthetic {
        assert_eq!(restored.restored, known_before);
        return;
    }
    let given = masked.events.iter().filter(|event| event.action == Action::Tokenize);
    let given = given.filter(|event| event.token_kind.is_some_and(is_durable)).count();
    // Where parts stay in clear, a finding may be several tokens.
    if !has_keeps {
        assert_eq!(restored.restored, given + known_before, "every token that was given out comes back");
    }
    assert_eq!(restored.unknown + restored.foreign, tokens_before - known_before);
    assert_eq!(restored.lost.len(), tokens_before - known_before);
    let is_exact =
        policy.normalization() == Normalization::Exact || policy.scheme() == Scheme::ReversibleAead;
    let replaced = masked.events.iter().filter(|event| event.action != Action::Passthrough).count();
    if is_exact && tokens_before == 0 && given == replaced {
        assert_eq!(restored.text, text, "the round trip");
    }

    let is_own =
        !policy.recognizers().is_empty() || !policy.dictionaries().is_empty() || !policy.allow().is_empty();
    if !is_own && text.len().max(masked.text.len()) < ONE_PIECE {
        let again = masker.mask(&masked.text).unwrap();
        assert_eq!(again.redaction_count(), 0, "{again:?} when masked again, in {:?}", masked.text);
        assert_eq!(again.text, masked.text);
    }
    if policy.scheme() == Scheme::VaultDeterministic || policy.aead_deterministic() {
        let again = masker.mask(text).unwrap();
        assert_eq!((&again.text, &again.events), (&masked.text, &masked.events), "masked twice");
    }
}

fn is_durable(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::Msk1 | TokenKind::Mskv1)
}

/// The tokens in a text, of this and other instances.
pub(crate) fn tokens(text: &str) -> impl Iterator<Item = (Span, Token)> {
    find_markers(text).into_iter().filter_map(|found| match found.marker {
        Marker::Token(token) => Some((found.span, token)),
        _ => None,
    })
}

fn are_in_order(text: &str, findings: &[Finding]) {
    let mut end = 0;
    for finding in findings {
        assert!(finding.span.start >= end && finding.span.end > finding.span.start, "{finding:?}");
        assert!(text.get(finding.span.range()).is_some(), "{finding:?} cuts a character");
        assert!((0.0..=1.0).contains(&finding.confidence), "{finding:?}");
        end = finding.span.end;
    }
    let spans: Vec<Span> = findings.iter().map(|finding| finding.span).collect();
    for (span, (start, end)) in spans.iter().zip(convert_spans(text, &spans, OffsetUnit::CodePoint)) {
        assert_eq!(text.chars().skip(start).take(end - start).collect::<String>(), text[span.range()]);
    }
}

/// Masked text is what lies between the findings, as it was, and one marker for each finding.
fn is_built_of_spans(text: &str, masked: &Masked) {
    let (mut copied, mut at) = (0, 0);
    let markers = find_markers(&masked.text);
    for event in &masked.events {
        let between = &text[copied..event.span.start];
        assert!(masked.text[at..].starts_with(between), "the text before {:?} is changed", event.span);
        at += between.len();
        copied = event.span.end;
        if event.action == Action::Passthrough {
            at += event.span.len();
            continue;
        }
        let marker = markers.iter().find(|marker| marker.span.start == at);
        let marker = marker.unwrap_or_else(|| panic!("no marker for {:?}", event.span));
        let kind = match &marker.marker {
            Marker::Token(token) => token.kind(),
            Marker::Redacted(kind) => kind,
            other => panic!("{other:?} for {:?}", event.span),
        };
        assert_eq!(kind, &event.kind);
        at = marker.span.end;
    }
    assert_eq!(&masked.text[at..], &text[copied..], "the text after the last event is changed");
}

/// No original stands in what is printed of a result.
fn says_nothing(text: &str, findings: &[Finding], printed: &impl Debug) {
    let printed = format!("{printed:?}");
    for finding in findings {
        let original = &text[finding.span.range()];
        // Shorter ones, and those of letters alone, may be a number or a name that a result prints of itself.
        let digits = original.bytes().filter(u8::is_ascii_digit).count();
        if digits >= 6 && original.len() > 8 && !original.contains('.') {
            assert!(!printed.contains(original), "{} of {:?} is printed", finding.kind, finding.span);
        }
    }
}

/// A text in which every token is the marker of one that does not come back.
pub(crate) fn all_redacted(text: &str) -> String {
    let mut redacted = text.to_owned();
    let found: Vec<(Span, Kind)> = tokens(text).map(|(span, token)| (span, token.kind().clone())).collect();
    for (span, kind) in found.iter().rev() {
        redacted.replace_range(span.range(), &masker_core::redacted(kind));
    }
    redacted
}
