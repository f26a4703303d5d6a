//! What callers write of an agent, checked field by field.

use masker_core::Scheme;
use serde_json::{Map, Value};

use super::SECRETS;
use crate::error::{ApiError, Code, Result};
use crate::http::{Fields, field_name};
use crate::ids::{self, Prefix};
use crate::policies;
use crate::state::State;
use crate::store::model::{Agent, External, PolicySource, ProxyAuth, RehydrateScope, Status, Team};

/// Every field that may be written.
pub(crate) const WRITABLE: [&str; 24] = [
    "name",
    "upstream",
    "allowed_models",
    "tokenization",
    "policy_name",
    "policy_yaml",
    "status",
    "proxy_auth",
    "rehydrate_scope",
    "pin_session_in_url",
    "forward_unknown_fields",
    "platform",
    "phone_numbers",
    "assistant",
    "assistant_callback_url",
    "webhook_auth",
    "baa_chain",
    "external_resources",
    "team_id",
    "metadata",
    "webhook_secret",
    "upstream_api_key",
    "vapi_api_key",
    "proxy_key",
];

pub(crate) const PLATFORMS: [&str; 6] = ["vapi", "retell", "bolna", "twilio", "elevenlabs", "custom"];
const SCHEMES: [&str; 3] = ["vault-deterministic", "reversible-aead", "synthetic"];
const YAML_LIMIT: usize = 256 << 10;

/// What a body asks for beside the fields that go straight into the agent.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    pub(crate) status: Option<Status>,
    /// The names of fields that were given, for the audit log.
    pub(crate) given: Vec<String>,
}

/// An agent with nothing but defaults.
pub(crate) fn blank(account: &str, user: &str, now: i64) -> Agent {
    Agent {
        id: ids::new(Prefix::Agent),
        account_id: account.to_owned(),
        name: String::new(),
        status: Status::Active,
        upstream: String::new(),
        allowed_models: Vec::new(),
        tokenization: None,
        policy: PolicySource::Named(policies::DEFAULT.to_owned()),
        proxy_auth: ProxyAuth::Url,
        rehydrate_scope: RehydrateScope::Session,
        pin_session_in_url: false,
        forward_unknown_fields: false,
        platform: None,
        phone_numbers: Vec::new(),
        assistant: None,
        assistant_callback_url: None,
        webhook_auth: None,
        baa_chain: Vec::new(),
        external_resources: Vec::new(),
        team_id: None,
        metadata: Map::new(),
        secrets: std::collections::BTreeMap::new(),
        created_at: now,
        updated_at: now,
        created_by: user.to_owned(),
        archived_at: None,
        ended_at: None,
        deleted_at: None,
        purge_after: None,
        status_before: None,
        deletion_id: None,
        revision: 1,
    }
}

/// Reads a body into an agent. Mistakes come in the order of the contract: fields, upstream, policy name, policy text.
pub(crate) fn apply(
    state: &State,
    body: &Map<String, Value>,
    agent: &mut Agent,
    is_new: bool,
) -> Result<Wishes> {
    let mut f = Fields::new(body, &WRITABLE);
    let mut wishes = Wishes { status: None, given: body.keys().cloned().collect() };
    if is_new || f.has("name") {
        f.require("name");
    }
    if let Some(name) = f.line("name", 1, 64) {
        agent.name = name;
    }
    if is_new || f.has("upstream") {
        f.require("upstream");
    }
    let upstream = f.text("upstream").map(str::to_owned);
    if f.has("allowed_models") {
        let models = f.texts("allowed_models", 100).unwrap_or_default();
        if models.iter().any(|model| !is_model(model)) {
            f.fail(
                "allowed_models",
                "bad_format",
                "Models are 1 to 128 printable characters without spaces.",
            );
        }
        agent.allowed_models = models.into_iter().map(str::to_owned).collect();
    }
    if f.has("tokenization") {
        agent.tokenization = f
            .one_of(
                "tokenization",
                |text| text.parse::<Scheme>().ok().filter(|_| SCHEMES.contains(&text)),
                &SCHEMES,
            )
            .map(|scheme| scheme.as_str().to_owned());
    }
    let policy_name = f.text("policy_name").map(str::to_owned);
    let policy_yaml = f.text("policy_yaml").map(str::to_owned);
    if policy_name.is_some() && policy_yaml.is_some() {
        f.fail("policy_yaml", "conflicts_with", "Either policy_name or policy_yaml is needed, not both.");
    }
    if policy_yaml.as_ref().is_some_and(|yaml| yaml.len() > YAML_LIMIT) {
        f.fail("policy_yaml", "too_long", "At most 256 KiB are allowed.");
    }
    if f.has("status") {
        let statuses: &[&str] =
            if is_new { &["active", "paused"] } else { &["active", "paused", "archived", "ended"] };
        if !is_new {
            f.require("status");
        }
        wishes.status = f.one_of(
            "status",
            |text| statuses.contains(&text).then(|| Status::parse(text)).flatten(),
            statuses,
        );
    }
    if f.has("proxy_auth") {
        agent.proxy_auth =
            f.one_of("proxy_auth", ProxyAuth::parse, ProxyAuth::NAMES).unwrap_or(ProxyAuth::Url);
    }
    if f.has("rehydrate_scope") {
        agent.rehydrate_scope = f
            .one_of("rehydrate_scope", RehydrateScope::parse, RehydrateScope::NAMES)
            .unwrap_or(RehydrateScope::Session);
    }
    if f.has("pin_session_in_url") {
        agent.pin_session_in_url = f.flag("pin_session_in_url").unwrap_or(false);
    }
    if f.has("forward_unknown_fields") {
        agent.forward_unknown_fields = f.flag("forward_unknown_fields").unwrap_or(false);
    }
    if f.has("platform") {
        agent.platform =
            f.one_of("platform", |text| PLATFORMS.contains(&text).then(|| text.to_owned()), &PLATFORMS);
    }
    if f.has("phone_numbers") {
        let numbers = f.texts("phone_numbers", 20).unwrap_or_default();
        for (i, number) in numbers.iter().enumerate() {
            if !is_e164(number) {
                f.fail(
                    &format!("phone_numbers.{i}"),
                    "bad_format",
                    "A number such as +14155550142 is needed.",
                );
            } else if numbers[..i].contains(number) {
                f.fail(&format!("phone_numbers.{i}"), "duplicate", "The number is given twice.");
            }
        }
        agent.phone_numbers = numbers.into_iter().map(str::to_owned).collect();
    }
    if f.has("assistant") {
        agent.assistant = f.map("assistant").map(|members| Value::Object(members.clone()));
    }
    if f.has("assistant_callback_url") {
        agent.assistant_callback_url = url(&mut f, "assistant_callback_url", state.config.dev);
    }
    if f.has("webhook_auth") {
        agent.webhook_auth = webhook_auth(&mut f);
    }
    if f.has("baa_chain") {
        agent.baa_chain = baa_chain(&mut f);
    }
    if f.has("external_resources") {
        agent.external_resources = external_resources(&mut f, &agent.external_resources, state.config.dev);
    }
    if f.has("team_id") {
        agent.team_id = f.text("team_id").map(str::to_owned);
    }
    if f.has("metadata") {
        agent.metadata = metadata(&mut f);
    }
    for name in SECRETS {
        if !f.has(name) {
            continue;
        }
        match f.text(name) {
            Some(secret) if (1..=4096).contains(&secret.len()) && !secret.chars().any(char::is_control) => {
                agent
                    .secrets
                    .insert(name.to_owned(), state.keys.seal_secret(&format!("{}/{name}", agent.id), secret));
            }
            Some(_) => f.fail(name, "bad_format", "1 to 4096 bytes without control characters are needed."),
            None => {
                agent.secrets.remove(name);
            }
        }
    }
    f.finish()?;
    if let Some(upstream) = upstream {
        if !is_known_upstream(state, &upstream) {
            let message = "The upstream is not in the configured list.";
            return Err(ApiError::new(Code::UnknownUpstream, message));
        }
        agent.upstream = upstream;
    }
    if let Some(name) = policy_name {
        if state.policies.find(&agent.account_id, &name).is_none() {
            return Err(ApiError::new(Code::UnknownPolicy, "There is no policy of that name."));
        }
        agent.policy = PolicySource::Named(name);
    } else if policy_yaml.is_none() {
        let is_cleared = |name: &str| body.get(name).is_some_and(Value::is_null);
        let is_inline = matches!(agent.policy, PolicySource::Inline { .. });
        if is_cleared("policy_name") || is_inline && is_cleared("policy_yaml") {
            agent.policy = PolicySource::Named(policies::DEFAULT.to_owned());
        }
    }
    if let Some(yaml) = policy_yaml {
        policies::check(&yaml, &state.config.keys, state.config.retention.payload_days)
            .map_err(|errors| ApiError::policy_invalid(&errors))?;
        let revision = match &agent.policy {
            PolicySource::Inline { yaml: before, revision } if *before == yaml => *revision,
            PolicySource::Inline { revision, .. } => revision + 1,
            PolicySource::Named(_) => 1,
        };
        agent.policy = PolicySource::Inline { yaml, revision };
    }
    if let Some(team) = body.get("team_id").and_then(Value::as_str) {
        let found =
            ids::parse(Prefix::Team, team).map(|id| state.store.load::<Team>(&id)).transpose()?.flatten();
        let team = found.filter(|team| team.account_id == agent.account_id);
        let Some(team) = team else {
            return Err(ApiError::new(Code::TeamNotFound, "There is no team with this id."));
        };
        agent.team_id = Some(team.id);
    }
    Ok(wishes)
}

fn is_known_upstream(state: &State, upstream: &str) -> bool {
    let models = &state.config.upstream.models;
    models.iter().any(|model| model == upstream)
        || upstream.starts_with("openai:")
            && models.iter().any(|model| model == "openai:*")
            && is_model(&upstream["openai:".len()..])
}

pub(crate) fn is_model(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// An https address; plain http only on a development server.
pub(crate) fn url(f: &mut Fields<'_>, name: &str, dev: bool) -> Option<String> {
    let text = f.text(name)?;
    let is_good = text.len() <= 2048
        && reqwest::Url::parse(text).is_ok_and(|url| {
            (url.scheme() == "https" || dev && url.scheme() == "http")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
        });
    if !is_good {
        f.fail(name, "bad_format", "An https address without user and password is needed.");
        return None;
    }
    Some(text.to_owned())
}

fn webhook_auth(f: &mut Fields<'_>) -> Option<Value> {
    let members = f.map("webhook_auth")?;
    let known = [
        "mode",
        "header",
        "prefix",
        "algorithm",
        "encoding",
        "payload_format",
        "timestamp_header",
        "tolerance_s",
    ];
    let mut inner = Fields::below(members, "webhook_auth", &known);
    let among = |names: &'static [&'static str]| move |text: &str| names.contains(&text).then_some(());
    inner.one_of("mode", among(&["bearer", "secret", "hmac"]), &["bearer", "secret", "hmac"]);
    inner.one_of("algorithm", among(&["sha256"]), &["sha256"]);
    inner.one_of("encoding", among(&["hex", "base64"]), &["hex", "base64"]);
    for name in ["header", "timestamp_header"] {
        if let Some(text) = inner.line(name, 1, 64)
            && axum::http::HeaderName::from_bytes(text.as_bytes()).is_err()
        {
            inner.fail(name, "bad_format", "The name of a header is needed.");
        }
    }
    inner.text("prefix");
    if let Some(format) = inner.text("payload_format")
        && !format.contains("{body}")
    {
        inner.fail("payload_format", "bad_value", "A format with {body} in it is needed.");
    }
    inner.number("tolerance_s", 1, 3600);
    f.absorb(inner);
    Some(Value::Object(members.clone()))
}

fn baa_chain(f: &mut Fields<'_>) -> Vec<Value> {
    let Some(items) = f.list("baa_chain", 20) else { return Vec::new() };
    for (i, item) in items.iter().enumerate() {
        let path = format!("baa_chain.{i}");
        let Value::Object(members) = item else {
            f.fail(&path, "wrong_type", "An object is needed.");
            continue;
        };
        let mut inner = Fields::below(members, &path, &["vendor", "role", "reference"]);
        inner.require("vendor");
        inner.require("role");
        for name in ["vendor", "role", "reference"] {
            inner.line(name, 1, 200);
        }
        f.absorb(inner);
    }
    items.to_vec()
}

/// Rows keep their ids where they name the same resource as before.
fn external_resources(f: &mut Fields<'_>, before: &[External], dev: bool) -> Vec<External> {
    let Some(items) = f.list("external_resources", 20) else { return Vec::new() };
    let mut rows = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let path = format!("external_resources.{i}");
        let Value::Object(members) = item else {
            f.fail(&path, "wrong_type", "An object is needed.");
            continue;
        };
        let mut inner = Fields::below(members, &path, &["id", "type", "external_id", "cleanup_url"]);
        inner.require("type");
        inner.require("external_id");
        let kind = inner.line("type", 1, 64);
        let external_id = inner.line("external_id", 1, 200);
        let cleanup_url = url(&mut inner, "cleanup_url", dev);
        inner.text("id");
        f.absorb(inner);
        if let (Some(kind), Some(external_id)) = (kind, external_id) {
            let same = before.iter().find(|row| row.kind == kind && row.external_id == external_id);
            let id = same.map_or_else(|| ids::new(Prefix::External), |row| row.id.clone());
            rows.push(External { id, kind, external_id, cleanup_url });
        }
    }
    rows
}

fn metadata(f: &mut Fields<'_>) -> Map<String, Value> {
    let Some(members) = f.map("metadata") else { return Map::new() };
    if members.len() > 10 {
        f.fail("metadata", "too_long", "At most 10 keys are allowed.");
    }
    for (name, value) in members {
        let path = format!("metadata.{}", field_name(name));
        if !(1..=40).contains(&name.chars().count()) {
            f.fail(&path, "bad_format", "Keys have 1 to 40 characters.");
        }
        match value {
            Value::String(text) if text.chars().count() <= 500 => {}
            Value::String(_) => f.fail(&path, "too_long", "At most 500 characters are allowed."),
            _ => f.fail(&path, "wrong_type", "A string is needed."),
        }
    }
    members.clone()
}
