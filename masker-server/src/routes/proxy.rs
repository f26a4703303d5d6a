//! `/proxy` and `/vapi`

use axum::response::Response;
use serde_json::{Value, json};

use crate::error::Result;
use crate::http::{Context, Reply};
use crate::ids::Prefix;
use crate::proxy;
use crate::router::Answer;

pub(super) fn chat(c: Context) -> Answer {
    Box::pin(async move {
        let (state, agent) = (c.state.clone(), c.id("agent_id", Prefix::Agent));
        let answer = proxy::chat(c).await;
        count(&state, agent.as_deref(), &answer);
        answer
    })
}

fn count(state: &crate::state::State, agent: Option<&str>, answer: &Result<Response>) {
    let status = match answer {
        Ok(response) => response.status().as_u16(),
        Err(error) => error.code().status(),
    };
    // An id of nobody's gets no label of its own: callers could make up any number.
    let known = agent.filter(|agent| state.agents.is_alive(agent));
    state.metrics.requested(known, status);
}

pub(super) fn models(c: &Context) -> Result<Reply> {
    let (_, runtime) = proxy::authorise(c)?;
    let own = runtime.default_model(&c.state.config.upstream).to_owned();
    let more = runtime.agent.allowed_models.iter().filter(|model| *model != "*" && **model != own).cloned();
    let list: Vec<Value> = std::iter::once(own.clone())
        .chain(more)
        .map(|id| json!({ "id": id, "object": "model", "created": 0, "owned_by": "masker" }))
        .collect();
    Ok(Reply::ok(&json!({ "object": "list", "data": list })))
}

pub(super) fn vapi(c: &Context) -> Result<Reply> {
    let answer = proxy::webhook(c);
    let status = answer.as_ref().map_or_else(|error| error.code().status(), |reply| reply.status);
    let agent = c.id("agent_id", Prefix::Agent);
    let known = agent.as_deref().filter(|agent| c.state.agents.is_alive(agent));
    c.state.metrics.requested(known, status);
    answer
}
