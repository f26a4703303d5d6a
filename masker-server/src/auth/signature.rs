//! Signatures on calls from voice platforms, over the raw bytes of the body.

use axum::http::HeaderMap;
use serde_json::Value;

use crate::config::SignatureMode;
use crate::crypto::{hmac, same, sha256, unhex};

/// How far a timestamp may be from the present, in seconds.
const TOLERANCE: i64 = 300;

/// What a request says of its sender.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// It carries no signature and no secret.
    Absent,
    Good,
    Wrong,
}

/// The secrets a request may be signed with.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Secrets<'a> {
    /// The agent's own.
    pub(crate) agent: Option<&'a str>,
    pub(crate) vapi: Option<&'a str>,
    pub(crate) bolna: Option<&'a str>,
}

impl Secrets<'_> {
    pub(crate) fn any(self) -> bool {
        self.agent.or(self.vapi).or(self.bolna).is_some()
    }
}

/// Checks whatever signature a request carries.
pub(crate) fn check(
    headers: &HeaderMap,
    body: &[u8],
    secrets: Secrets<'_>,
    mode: SignatureMode,
    scheme: Option<&Value>,
    now: i64,
) -> Outcome {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default().trim());
    if let (Some(scheme), Some(secret)) = (scheme, secrets.agent) {
        return configured(&text, body, secret, scheme, now);
    }
    let kinds = [
        ("x-vapi-signature", secrets.agent.or(secrets.vapi), true),
        ("x-bolna-signature", secrets.agent.or(secrets.bolna), false),
        ("masker-signature", secrets.agent.or(secrets.vapi).or(secrets.bolna), false),
    ];
    let mut outcome = Outcome::Absent;
    for (name, secret, is_vapi) in kinds {
        let Some(value) = text(name) else { continue };
        let Some(secret) = secret else { return Outcome::Wrong };
        let bare = is_vapi && mode != SignatureMode::Hmac && same_secret(value, secret);
        let signed = !(is_vapi && mode == SignatureMode::Secret)
            && signature_holds(value, secret, body, timestamp(&text), now);
        if !(bare || signed) {
            return Outcome::Wrong;
        }
        outcome = Outcome::Good;
    }
    if let Some(value) = text("x-vapi-secret") {
        let secret = secrets.agent.or(secrets.vapi);
        let holds = mode != SignatureMode::Hmac && secret.is_some_and(|secret| same_secret(value, secret));
        if !holds {
            return Outcome::Wrong;
        }
        outcome = Outcome::Good;
    }
    outcome
}

/// Compared as hashes, so that not even the length shows in the time it takes.
fn same_secret(a: &str, b: &str) -> bool {
    same(&sha256(a.as_bytes()), &sha256(b.as_bytes()))
}

fn timestamp<'a>(text: &impl Fn(&str) -> Option<&'a str>) -> Option<&'a str> {
    text("x-vapi-timestamp").or_else(|| text("x-timestamp")).or_else(|| text("masker-timestamp"))
}

fn is_recent(timestamp: &str, now: i64, tolerance: i64) -> bool {
    let Ok(value) = timestamp.parse::<i64>() else { return false };
    // Some platforms count in milliseconds.
    let seconds = if value > 100_000_000_000 { value / 1000 } else { value };
    (now / 1000 - seconds).abs() <= tolerance
}

fn signature_holds(value: &str, secret: &str, body: &[u8], timestamp: Option<&str>, now: i64) -> bool {
    let Some(given) = unhex(value.strip_prefix("sha256=").unwrap_or(value)) else { return false };
    match timestamp {
        Some(timestamp) => {
            is_recent(timestamp, now, TOLERANCE)
                && same(&given, &hmac(secret.as_bytes(), &[timestamp.as_bytes(), b".", body]))
        }
        None => same(&given, &hmac(secret.as_bytes(), &[body])),
    }
}

/// The scheme that an agent sets for a platform whose own is configurable.
fn configured<'a>(
    text: &impl Fn(&str) -> Option<&'a str>,
    body: &[u8],
    secret: &str,
    scheme: &Value,
    now: i64,
) -> Outcome {
    let field = |name: &str| scheme.get(name).and_then(Value::as_str);
    let mode = field("mode").unwrap_or("hmac");
    let header = field("header").unwrap_or(match mode {
        "bearer" => "authorization",
        "secret" => "x-vapi-secret",
        _ => "x-signature",
    });
    let Some(value) = text(&header.to_ascii_lowercase()) else { return Outcome::Absent };
    let prefix = field("prefix").unwrap_or(if mode == "bearer" { "Bearer " } else { "" });
    let value = value.strip_prefix(prefix).unwrap_or(value);
    let holds = if mode == "hmac" {
        let stamp = field("timestamp_header").unwrap_or("x-timestamp").to_ascii_lowercase();
        let format = field("payload_format").unwrap_or("{timestamp}.{body}");
        let tolerance = scheme.get("tolerance_s").and_then(Value::as_i64).unwrap_or(TOLERANCE);
        let stamp = text(&stamp);
        let in_time =
            !format.contains("{timestamp}") || stamp.is_some_and(|stamp| is_recent(stamp, now, tolerance));
        let given = match field("encoding") {
            Some("base64") => data_encoding::BASE64.decode(value.as_bytes()).ok(),
            _ => unhex(value.strip_prefix("sha256=").unwrap_or(value)),
        };
        let payload = payload(format, stamp.unwrap_or_default(), body);
        in_time && given.is_some_and(|given| same(&given, &hmac(secret.as_bytes(), &[&payload])))
    } else {
        same_secret(value, secret)
    };
    if holds { Outcome::Good } else { Outcome::Wrong }
}

/// What is signed: a text with `{timestamp}` and `{body}` in it.
fn payload(format: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    let format = format.replace("{timestamp}", timestamp);
    let mut out = Vec::with_capacity(format.len() + body.len());
    for (i, part) in format.split("{body}").enumerate() {
        if i > 0 {
            out.extend_from_slice(body);
        }
        out.extend_from_slice(part.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use serde_json::json;

    use super::*;

    const BODY: &[u8] = br#"{"message":{"type":"assistant-request","call":{"id":"call-7f3a"}}}"#;
    const PLAIN: &str = "f79e46302d62597235de300f047bdc13fec3cb266d7174066dba222efd0f43c0";
    const STAMPED: &str = "9f10d433b028568653c7e0c34c6e0907479599d67667f447a0360942667bccbc";
    const AT: i64 = 1_772_442_904_000;

    fn outcome(pairs: &[(&'static str, &str)], mode: SignatureMode, now: i64) -> Outcome {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        check(&headers, BODY, Secrets { agent: Some("whsec_example"), ..Secrets::default() }, mode, None, now)
    }

    #[test]
    fn the_vectors_of_the_contract_hold() {
        let either = SignatureMode::Either;
        assert_eq!(outcome(&[("x-vapi-signature", PLAIN)], either, AT), Outcome::Good);
        assert_eq!(
            outcome(&[("masker-signature", &format!("sha256={}", PLAIN.to_uppercase()))], either, AT),
            Outcome::Good
        );
        let stamped = [("x-bolna-signature", STAMPED), ("x-timestamp", "1772442904")];
        assert_eq!(outcome(&stamped, either, AT + 299_000), Outcome::Good);
        assert_eq!(outcome(&stamped, either, AT + 301_000), Outcome::Wrong);
        assert_eq!(outcome(&[("x-vapi-signature", STAMPED)], either, AT), Outcome::Wrong);
        assert_eq!(outcome(&[], either, AT), Outcome::Absent);
    }

    #[test]
    fn bare_secrets_depend_on_the_mode() {
        let bare = [("x-vapi-secret", "whsec_example")];
        assert_eq!(outcome(&bare, SignatureMode::Either, AT), Outcome::Good);
        assert_eq!(outcome(&bare, SignatureMode::Hmac, AT), Outcome::Wrong);
        assert_eq!(
            outcome(&[("x-vapi-signature", "whsec_example")], SignatureMode::Secret, AT),
            Outcome::Good
        );
        assert_eq!(outcome(&[("x-vapi-signature", PLAIN)], SignatureMode::Secret, AT), Outcome::Wrong);
        assert_eq!(outcome(&[("x-vapi-secret", "whsec_exampl")], SignatureMode::Either, AT), Outcome::Wrong);
    }

    #[test]
    fn a_scheme_of_the_agents_own() {
        let mut headers = HeaderMap::new();
        headers.insert("x-sig", HeaderValue::from_static(STAMPED));
        headers.insert("x-timestamp", HeaderValue::from_static("1772442904"));
        let secrets = Secrets { agent: Some("whsec_example"), ..Secrets::default() };
        let scheme = json!({ "mode": "hmac", "header": "X-Sig" });
        assert_eq!(check(&headers, BODY, secrets, SignatureMode::Either, Some(&scheme), AT), Outcome::Good);
        headers.insert("authorization", HeaderValue::from_static("Bearer whsec_example"));
        let scheme = json!({ "mode": "bearer" });
        assert_eq!(check(&headers, BODY, secrets, SignatureMode::Either, Some(&scheme), AT), Outcome::Good);
    }
}
