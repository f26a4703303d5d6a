//! The few pages a browser sees. They need nothing from elsewhere.

use axum::http::header;

use crate::error::Result;
use crate::http::{Context, Reply};

const INDEX: &str = include_str!("../pages/index.html");
const DOCS: &str = include_str!("../pages/docs.html");
const LOGIN: &str = include_str!("../pages/login.html");
/// Scripts and styles are in the page itself, and it talks to this server alone.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
    form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

fn page(text: &'static str) -> Reply {
    Reply::bytes(200, "text/html; charset=utf-8", text)
        .with(header::CONTENT_SECURITY_POLICY, POLICY)
        .with(header::X_FRAME_OPTIONS, "DENY")
}

pub(super) fn index(_: &Context) -> Result<Reply> {
    Ok(page(INDEX))
}

pub(super) fn docs(_: &Context) -> Result<Reply> {
    Ok(page(DOCS))
}

pub(super) fn login(_: &Context) -> Result<Reply> {
    Ok(page(LOGIN))
}

pub(super) fn openapi(c: &Context) -> Result<Reply> {
    Ok(Reply::ok(&crate::openapi::document(&c.state.config.public_url)))
}
