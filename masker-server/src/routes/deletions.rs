//! `/api/v1/deletions`

use serde_json::json;

use crate::agents::delete::receipt;
use crate::error::{ApiError, Code, Result};
use crate::http::{Context, Page, Reply};
use crate::ids::{self, Prefix};
use crate::store::model::Deletion;

pub(super) fn list(c: &Context) -> Result<Reply> {
    let state = &c.state;
    let page = Page::read(&c.query, &state.keys, "deletions", c.account(), &["agent_id"])?;
    let agent = page.query.get("agent_id");
    let key = agent.map(|agent| ids::parse(Prefix::Agent, agent).unwrap_or_default());
    let rows: Vec<Deletion> =
        state.store.load_page(c.account(), key.as_deref(), page.after(), page.limit + 1)?;
    let answer = page.answer(rows, (None, 0), &state.keys, |d| (d.deleted_at, d.id.clone()), |d| receipt(&d));
    Ok(Reply::ok(&answer))
}

pub(super) fn get(c: &Context) -> Result<Reply> {
    let found: Option<Deletion> = match c.id("deletion_id", Prefix::Deletion) {
        Some(id) => c.state.store.load(&id)?,
        None => None,
    };
    match found.filter(|deletion| deletion.account_id == c.account()) {
        Some(deletion) => Ok(Reply::ok(&json!({ "deletion": receipt(&deletion) }))),
        None => Err(ApiError::new(Code::DeletionNotFound, "There is no receipt with this id.")),
    }
}
