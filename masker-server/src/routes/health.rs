//! `/health`, `/ready`, `/live`

use std::sync::Arc;

use masker_core::Pass;
use serde_json::json;

use crate::http::{Context, Reply};
use crate::router::Answer;
use crate::state::State;

/// Whether database and vault answer, asked at once and neither waited for longer than promised.
async fn answering(state: &Arc<State>) -> (bool, bool) {
    let (store, vault) = (state.store.clone(), state.vault.clone());
    let db = state.store_probe.says_yes(move || store.ping().is_ok());
    let vault = state.vault_probe.says_yes(move || vault.page(None, 1).is_ok());
    futures_util::future::join(db, vault).await
}

pub(super) fn health(c: Context) -> Answer {
    Box::pin(async move {
        let state = &c.state;
        // Whoever can still read may long have no room to write.
        let part = |answers: bool, has_failed: bool| match (answers, has_failed) {
            (false, _) => "down",
            (true, true) => "degraded",
            (true, false) => "ok",
        };
        let (db, vault) = answering(state).await;
        let db = part(db, state.store_gauge.has_failed());
        let vault = part(vault, state.vault_gauge.has_failed());
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
        Ok(Reply::json(if is_well { 200 } else { 503 }, &body).into_response())
    })
}

pub(super) fn ready(c: Context) -> Answer {
    Box::pin(async move {
        let state = &c.state;
        let (db, vault) = answering(state).await;
        // What could not be written a moment ago is not usable, though it can be read.
        let checks = [
            ("shutting_down", !state.is_draining()),
            ("db", db && !state.store_gauge.has_failed()),
            ("vault", vault && !state.vault_gauge.has_failed()),
            ("audit_log", state.audit.is_up() && !state.audit.has_failed()),
            ("policy", has_its_passes(state)),
        ];
        let reasons: Vec<&str> = checks.iter().filter(|(_, well)| !well).map(|(name, _)| *name).collect();
        if reasons.is_empty() {
            return Ok(Reply::ok(&json!({ "ready": true })).into_response());
        }
        Ok(Reply::json(503, &json!({ "ready": false, "reasons": reasons })).into_response())
    })
}

/// Whether every pass that the default policy needs is there. This build has no model; where others stand in for it, it counts.
fn has_its_passes(state: &State) -> bool {
    let default = state.policies.stand_in();
    !default.policy.passes().iter().any(|rule| rule.pass == Pass::Ner && !rule.substitute)
}

pub(super) fn live(_: Context) -> Answer {
    Box::pin(std::future::ready(Ok(Reply::ok(&json!({ "live": true })).into_response())))
}
