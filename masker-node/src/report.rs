//! What calls return: plain objects, positions in UTF-16 units.

use masker_core::payload::{PayloadEvent as CorePayloadEvent, Said, StreamTally, TextWorker};
use masker_core::{Error, Kid, Span, TokenKind};
use napi::Env;
use napi::bindgen_prelude::Unknown;
use napi_derive::napi;

use crate::prelude::{self, Prelude};
use crate::text::{Answer, Parts, in_units, unknown};

/// Something found: its kind and where it stands, never the text itself.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct Finding {
    /// What it is.
    #[napi(ts_type = "Kind")]
    pub kind: String,
    /// Where it begins: `text.slice(start, end)` is the finding.
    pub start: u32,
    /// Where it ends.
    pub end: u32,
    /// How sure the pass is, 0 to 1.
    pub confidence: f64,
    /// The stage that found it.
    #[napi(ts_type = "Pass")]
    pub pass: String,
    /// The pattern, list or plug-in that found it.
    pub recognizer: String,
}

/// A finding that was acted on. It holds no text, original or token.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct Event {
    /// What it is.
    #[napi(ts_type = "Kind")]
    pub kind: String,
    /// Where it stood: `text.slice(start, end)` of the original text.
    pub start: u32,
    /// Where it ended.
    pub end: u32,
    /// How sure the pass was, 0 to 1.
    pub confidence: f64,
    /// The stage that found it.
    #[napi(ts_type = "Pass")]
    pub pass: String,
    /// The pattern, list or plug-in that found it.
    pub recognizer: String,
    /// What was done.
    #[napi(ts_type = "Action")]
    pub action: String,
    /// What stands in its place; nothing where it passed through.
    #[napi(ts_type = "TokenKind")]
    pub token_kind: Option<String>,
    /// The key id of the token, where it has one.
    pub kid: Option<String>,
}

/// A masked text with the events of its making.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct Masked {
    /// The text with every acted-on finding replaced.
    pub text: String,
    /// What was found and done, in order.
    pub events: Vec<Event>,
    /// How many findings were replaced; those that pass through do not count.
    pub redaction_count: u32,
}

/// A text with originals put back, and what became of its tokens.
#[expect(clippy::struct_field_names, reason = "the name of the core")]
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct Restored {
    /// The text.
    pub text: String,
    /// Tokens replaced by their originals.
    pub restored: u32,
    /// Tokens of a known key that do not open: purged, damaged, or of another scope. Now `[REDACTED:KIND]`.
    pub unknown: u32,
    /// Tokens of another instance, whose key is not here. Now `[REDACTED:KIND]`.
    pub foreign: u32,
    /// Aliases that more than one value could stand for; left as they are.
    pub ambiguous: u32,
    /// Kinds of the tokens that were not restored, in order.
    #[napi(ts_type = "Array<Kind>")]
    pub lost: Vec<String>,
}

/// An event and where in the payload it happened.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct PayloadEvent {
    /// JSON Pointer of the value, through JSON inside strings.
    pub path: String,
    /// What it is.
    #[napi(ts_type = "Kind")]
    pub kind: String,
    /// Where it stood in the value's own text, unescaped.
    pub start: u32,
    /// Where it ended.
    pub end: u32,
    /// How sure the pass was, 0 to 1.
    pub confidence: f64,
    /// The stage that found it.
    #[napi(ts_type = "Pass")]
    pub pass: String,
    /// The pattern, list or plug-in that found it.
    pub recognizer: String,
    /// What was done.
    #[napi(ts_type = "Action")]
    pub action: String,
    /// What stands in its place; nothing where it passed through.
    #[napi(ts_type = "TokenKind")]
    pub token_kind: Option<String>,
    /// The key id of the token, where it has one.
    pub kid: Option<String>,
}

/// A masked payload with the events of its making.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct MaskedPayload {
    /// The JSON text.
    pub json: String,
    /// What was found and done, in order of the text.
    pub events: Vec<PayloadEvent>,
    /// How many findings were replaced; those that pass through do not count.
    pub redaction_count: u32,
}

/// A payload with originals put back, and what became of its tokens; see `Restored`.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct RestoredPayload {
    /// The JSON text.
    pub json: String,
    /// Tokens replaced by their originals.
    pub restored: u32,
    /// Tokens of a known key that do not open.
    pub unknown: u32,
    /// Tokens of another instance.
    pub foreign: u32,
    /// Aliases that more than one value could stand for.
    pub ambiguous: u32,
    /// Kinds of the tokens that were not restored, in order.
    #[napi(ts_type = "Array<Kind>")]
    pub lost: Vec<String>,
}

/// One candidate, and whether it was chosen.
#[napi(object, object_from_js = false)]
pub struct Explanation {
    /// What it is.
    #[napi(ts_type = "Kind")]
    pub kind: String,
    /// Where it begins.
    pub start: u32,
    /// Where it ends.
    pub end: u32,
    /// How sure the pass is, 0 to 1.
    pub confidence: f64,
    /// The stage that found it.
    #[napi(ts_type = "Pass")]
    pub pass: String,
    /// The pattern, list or plug-in that found it.
    pub recognizer: String,
    /// Whether it decided the kind of the finding that covers it.
    pub chosen: bool,
    /// The finding that covers it, as start and end.
    #[napi(ts_type = "[start: number, end: number]")]
    pub within: Option<Vec<u32>>,
}

/// What a stream rehydrator ended with.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct Flushed {
    /// What was held back.
    pub text: String,
    /// Code units at the end that might have become a token or an alias, had more come. They were given out as they are.
    pub dangling: u32,
}

/// What becomes a value of JavaScript, in the thread of JavaScript.
pub(crate) trait Shown {
    fn shown<'env>(self, env: &'env Env) -> napi::Result<Unknown<'env>>;
}

/// A value that Node-API makes by itself.
pub(crate) struct Plain<T>(pub(crate) T);

impl<T: napi::bindgen_prelude::ToNapiValue> Shown for Plain<T> {
    fn shown<'env>(self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        unknown(env, self.0)
    }
}

impl Shown for String {
    fn shown<'env>(self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        unknown(env, Answer(self))
    }
}

impl<T: Shown> Shown for Vec<T> {
    fn shown<'env>(self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        let items = self.into_iter().map(|item| item.shown(env)).collect::<napi::Result<Vec<_>>>()?;
        unknown(env, items)
    }
}

/// Findings, their spans in UTF-16 units.
pub(crate) struct Findings(Vec<masker_core::Finding>);

impl Findings {
    pub(crate) fn of(mut findings: Vec<masker_core::Finding>, text: &str) -> Self {
        let spans: Vec<Span> = findings.iter().map(|finding| finding.span).collect();
        for (finding, (start, end)) in findings.iter_mut().zip(in_units(text, &spans)) {
            finding.span = Span::new(start, end);
        }
        Self(findings)
    }
}

impl Shown for Findings {
    fn shown<'env>(self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        prelude::with(env, |prelude| {
            let mut units = Vec::with_capacity(self.0.len() * 9);
            for finding in &self.0 {
                let names = [finding.pass.as_str(), &finding.recognizer];
                pack(prelude, env, &mut units, finding.kind.as_str(), finding.span, finding.confidence)?;
                for name in names {
                    units.push(prelude.number(env, name)?);
                }
            }
            prelude.findings(env, units)
        })
    }
}

/// Puts the spans of a masked text into UTF-16 units.
pub(crate) fn masked_in_units(mut masked: masker_core::Masked, text: &str) -> masker_core::Masked {
    // Bytes and units are the same, which is what most texts are.
    if text.is_ascii() {
        return masked;
    }
    let spans: Vec<Span> = masked.events.iter().map(|event| event.span).collect();
    for (event, (start, end)) in masked.events.iter_mut().zip(in_units(text, &spans)) {
        event.span = Span::new(start, end);
    }
    masked
}

/// Puts the spans of a text that came in parts into UTF-16 units.
pub(crate) fn masked_in_parts(mut masked: masker_core::Masked, parts: &Parts) -> masker_core::Masked {
    for event in &mut masked.events {
        let (start, end) = parts.in_units(event.span);
        event.span = Span::new(start, end);
    }
    masked
}

impl Shown for masker_core::Masked {
    fn shown<'env>(self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        prelude::with(env, |prelude| {
            let mut units = Vec::with_capacity(self.events.len() * 12);
            for event in &self.events {
                pack_event(prelude, env, &mut units, event)?;
            }
            let count = self.redaction_count();
            prelude.masked(env, self.text, units, count)
        })
    }
}

impl Shown for masker_core::MaskedPayload {
    fn shown<'env>(self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        prelude::with(env, |prelude| {
            let mut units = Vec::with_capacity(self.events.len() * 12);
            let mut paths = Vec::with_capacity(self.events.len());
            let count = self.redaction_count();
            for CorePayloadEvent { path, event, .. } in self.events {
                pack_event(prelude, env, &mut units, &event)?;
                paths.push(path);
            }
            prelude.masked_payload(env, self.json, units, count, paths)
        })
    }
}

impl Shown for masker_core::Restored {
    fn shown<'env>(self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        let counts = [self.restored, self.unknown, self.foreign, self.ambiguous];
        prelude::with(env, |prelude| {
            let lost = self
                .lost
                .iter()
                .map(|kind| prelude.number(env, kind.as_str()))
                .collect::<napi::Result<_>>()?;
            prelude.restored(env, false, self.text, counts, lost)
        })
    }
}

impl Shown for StreamTally {
    fn shown<'env>(self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        let counts = [self.restored, self.unknown, self.foreign, self.ambiguous];
        prelude::with(env, |prelude| prelude.restored(env, false, String::new(), counts, Vec::new()))
    }
}

impl Shown for masker_core::RestoredPayload {
    fn shown<'env>(self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        let counts = [self.restored, self.unknown, self.foreign, self.ambiguous];
        prelude::with(env, |prelude| {
            let lost = self
                .lost
                .iter()
                .map(|kind| prelude.number(env, kind.as_str()))
                .collect::<napi::Result<_>>()?;
            prelude.restored(env, true, self.json, counts, lost)
        })
    }
}

/// Explanations, their spans in UTF-16 units.
pub(crate) fn explanations(explained: &[masker_core::Explanation], text: &str) -> Vec<Explanation> {
    let spans: Vec<Span> = explained
        .iter()
        .flat_map(|each| [each.finding.span, each.within.unwrap_or(each.finding.span)])
        .collect();
    let spans = in_units(text, &spans);
    explained
        .iter()
        .zip(spans.chunks(2))
        .map(|(each, spans)| Explanation {
            kind: each.finding.kind.as_str().to_owned(),
            start: spans[0].0 as u32,
            end: spans[0].1 as u32,
            confidence: decimal(each.finding.confidence),
            pass: each.finding.pass.as_str().to_owned(),
            recognizer: each.finding.recognizer.to_string(),
            chosen: each.chosen,
            within: each.within.map(|_| vec![spans[1].0 as u32, spans[1].1 as u32]),
        })
        .collect()
}

/// Works on the texts of a payload and puts the spans of their events into UTF-16 units.
pub(crate) struct InUnits<W>(pub(crate) W);

impl<W: TextWorker> TextWorker for InUnits<W> {
    fn mask(&mut self, texts: &[Said<'_>]) -> Result<Vec<masker_core::Masked>, Error> {
        let masked = self.0.mask(texts)?;
        Ok(masked.into_iter().zip(texts).map(|(masked, said)| masked_in_units(masked, said.text)).collect())
    }

    fn rehydrate(&mut self, text: &str) -> Result<masker_core::Restored, Error> {
        self.0.rehydrate(text)
    }
}

fn pack_event(
    prelude: &Prelude,
    env: &Env,
    units: &mut Vec<u16>,
    event: &masker_core::Event,
) -> napi::Result<()> {
    pack(prelude, env, units, event.kind.as_str(), event.span, event.confidence)?;
    for name in [event.pass.as_str(), &event.recognizer, event.action.as_str()] {
        units.push(prelude.number(env, name)?);
    }
    let optional = [event.token_kind.map(TokenKind::as_str), event.kid.as_ref().map(Kid::as_str)];
    for name in optional {
        units.push(name.map_or(Ok(0), |name| prelude.number(env, name))?);
    }
    Ok(())
}

fn pack(
    prelude: &Prelude,
    env: &Env,
    units: &mut Vec<u16>,
    kind: &str,
    span: Span,
    confidence: f32,
) -> napi::Result<()> {
    units.push(prelude.number(env, kind)?);
    for number in [span.start as u32, span.end as u32, (f64::from(confidence) * 1e7).round() as u32] {
        units.extend([(number >> 16) as u16, number as u16]);
    }
    Ok(())
}

/// A score as it is written in decimals, which are what it was made from.
fn decimal(score: f32) -> f64 {
    (f64::from(score) * 1e7).round() / 1e7
}
