//! `/health`, `/ready`, `/live`

use serde_json::json;

use crate::error::Result;
use crate::http::{Context, Reply};

pub(super) fn health(c: &Context) -> Result<Reply> {
    let state = &c.state;
    // Whoever can still read may long have no room to write.
    let part = |answers: bool, has_failed: bool| match (answers, has_failed) {
        (false, _) => "down",
        (true, true) => "degraded",
        (true, false) => "ok",
    };
    let db = part(state.store.ping().is_ok(), state.store_gauge.has_failed());
    let vault = part(state.vault.page(None, 1).is_ok(), state.vault_gauge.has_failed());
    let audit = part(state.audit.is_up(), state.audit.has_failed());
    let upstream = state.upstream_gauge.status();
    let is_well = [db, vault, audit].iter().all(|part| *part == "ok") && upstream != "degraded";
    let body = json!({
        "status": if is_well { "ok" } else { "degraded" },
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": state.started.elapsed().as_secs(),
        "components": { "db": db, "vault": vault, "audit_log": audit, "upstream": upstream, "ner_model": "disabled" },
        "build": { "commit": option_env!("MASKER_BUILD_COMMIT"), "built_at": option_env!("MASKER_BUILT_AT") },
    });
    Ok(Reply::json(if is_well { 200 } else { 503 }, &body))
}

pub(super) fn ready(c: &Context) -> Result<Reply> {
    let state = &c.state;
    let checks = [
        ("shutting_down", !state.is_draining()),
        ("db", state.store.ping().is_ok()),
        ("vault", state.vault.page(None, 1).is_ok()),
        ("audit_log", state.audit.is_up()),
    ];
    let reasons: Vec<&str> = checks.iter().filter(|(_, well)| !well).map(|(name, _)| *name).collect();
    if reasons.is_empty() {
        return Ok(Reply::ok(&json!({ "ready": true })));
    }
    Ok(Reply::json(503, &json!({ "ready": false, "reasons": reasons })))
}

pub(super) fn live(_: &Context) -> Result<Reply> {
    Ok(Reply::ok(&json!({ "live": true })))
}
