//! The JSON shapes of findings and events.

use std::borrow::Cow;

use masker_core::{Event, Finding, Kid, Kind, OffsetUnit, Span, TokenKind, convert_spans};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::ui::rounded;

/// The members that findings and events share.
fn base(pass: &str, recognizer: &str, kind: &str, span: (usize, usize)) -> Map<String, Value> {
    let mut members = Map::new();
    members.insert("pass".into(), pass.into());
    members.insert("recognizer".into(), recognizer.into());
    members.insert("kind".into(), kind.into());
    members.insert("entity_kind".into(), kind.into());
    members.insert("span".into(), json!([span.0, span.1]));
    members
}

/// The findings of a text, with their own text if `with_text`, and where in a request the text stands.
pub(crate) fn findings(
    text: &str,
    found: &[Finding],
    unit: OffsetUnit,
    with_text: bool,
    path: Option<&str>,
) -> Vec<Value> {
    let spans: Vec<Span> = found.iter().map(|f| f.span).collect();
    let object = |(finding, span): (&Finding, (usize, usize))| {
        let mut members = base(finding.pass.as_str(), &finding.recognizer, finding.kind.as_str(), span);
        if with_text {
            members.insert("text".into(), text[finding.span.range()].into());
        }
        members.insert("confidence".into(), rounded(finding.confidence));
        if let Some(path) = path {
            members.insert("path".into(), path.into());
        }
        Value::Object(members)
    };
    found.iter().zip(convert_spans(text, &spans, unit)).map(object).collect()
}

/// The findings of one line.
#[derive(Serialize)]
pub(crate) struct LineFindings {
    spans: Vec<LineFinding>,
}

/// A finding in a line: `start` and `end` instead of a pair, and no text.
#[derive(Serialize)]
struct LineFinding {
    start: usize,
    end: usize,
    kind: Kind,
    pass: &'static str,
    recognizer: Cow<'static, str>,
    confidence: Value,
}

impl LineFindings {
    pub(crate) fn new(text: &str, found: Vec<Finding>, unit: OffsetUnit) -> Self {
        let spans: Vec<Span> = found.iter().map(|f| f.span).collect();
        let finding = |(finding, (start, end)): (Finding, (usize, usize))| {
            let Finding { kind, confidence, pass, recognizer, .. } = finding;
            let (pass, confidence) = (pass.as_str(), rounded(confidence));
            LineFinding { start, end, kind, pass, recognizer, confidence }
        };
        Self { spans: found.into_iter().zip(convert_spans(text, &spans, unit)).map(finding).collect() }
    }
}

/// The events of a masked text. Spans count in the text as it was.
pub(crate) fn events(text: &str, events: &[Event], unit: OffsetUnit, path: Option<&str>) -> Vec<Value> {
    let spans: Vec<Span> = events.iter().map(|e| e.span).collect();
    let object = |(event, span): (&Event, (usize, usize))| {
        let mut members = base(event.pass.as_str(), &event.recognizer, event.kind.as_str(), span);
        members.insert("confidence".into(), rounded(event.confidence));
        members.insert("action".into(), event.action.as_str().into());
        members.insert("token_kind".into(), token_kind(event.token_kind).into());
        members.insert("kid".into(), event.kid.as_ref().map(Kid::as_str).into());
        if let Some(path) = path {
            members.insert("path".into(), path.into());
        }
        Value::Object(members)
    };
    events.iter().zip(convert_spans(text, &spans, unit)).map(object).collect()
}

/// A redacted value has no token, so its event names none.
fn token_kind(kind: Option<TokenKind>) -> Option<&'static str> {
    match kind? {
        TokenKind::Redacted => None,
        TokenKind::Synthetic => Some("SYN"),
        other => Some(other.as_str()),
    }
}
