//! `/api/v1/webhooks`

use axum::http::header;
use masker_core::audit::EventKind;
use serde_json::{Value, json};

use crate::agents::fields::url;
use crate::crypto;
use crate::error::{ApiError, Code, Result};
use crate::http::{Context, Fields, Page, Reply};
use crate::ids::{self, Prefix};
use crate::store::model::{Delivery, Webhook};
use crate::time;
use crate::webhooks::{self, NAMES};

fn shown(webhook: &Webhook) -> Value {
    json!({
        "id": webhook.id,
        "name": webhook.name,
        "url": webhook.url,
        "events": webhook.events,
        "active": webhook.active,
        "consecutive_failures": webhook.failures,
        "created_at": time::format(webhook.created_at),
        "updated_at": time::format(webhook.updated_at),
    })
}

fn delivery_json(delivery: &Delivery) -> Value {
    json!({
        "event_id": delivery.event_id,
        "event": delivery.event,
        "status": if delivery.succeeded { "delivered" } else { "failed" },
        "attempts": delivery.attempts,
        "response_status": delivery.response_status,
        "created_at": time::format(delivery.created_at),
        "completed_at": time::format(delivery.completed_at),
    })
}

fn not_found() -> ApiError {
    ApiError::new(Code::WebhookNotFound, "There is no webhook with this id.")
}

fn find(c: &Context) -> Result<std::sync::Arc<Webhook>> {
    let id = c.id("webhook_id", Prefix::Webhook).ok_or_else(not_found)?;
    c.state.webhooks.find(c.account(), &id).ok_or_else(not_found)
}

fn events(f: &mut Fields<'_>) -> Option<Vec<String>> {
    let mut events: Vec<String> = f.texts("events", NAMES.len())?.into_iter().map(str::to_owned).collect();
    if events.is_empty() {
        f.fail("events", "too_short", "At least one event is needed.");
    }
    if let Some(i) = events.iter().position(|event| !NAMES.contains(&event.as_str())) {
        f.fail(&format!("events.{i}"), "bad_value", &format!("One of {} is needed.", NAMES.join(", ")));
    }
    events.sort();
    events.dedup();
    Some(events)
}

/// Says in the log that a webhook was made or changed: which fields, and no values.
fn log(c: &Context, id: &str, fields: &[&str]) -> Result<()> {
    let event = c.caller().event(EventKind::SettingsUpdated);
    c.state.audit.append_one(event.data("webhook_id", id).data("fields", json!(fields))).map(drop)
}

pub(super) fn create(c: &Context) -> Result<Reply> {
    let body = c.object()?;
    let mut f = Fields::new(&body, &["name", "url", "secret", "events"]);
    for name in ["name", "url", "events"] {
        f.require(name);
    }
    let name = f.line("name", 1, 64);
    let url = url(&mut f, "url", c.state.config.dev);
    let events = events(&mut f);
    let given = f.text("secret").map(str::to_owned);
    if given.as_deref().is_some_and(|secret| {
        !(16..=256).contains(&secret.len()) || !secret.bytes().all(|byte| byte.is_ascii_graphic())
    }) {
        f.fail("secret", "bad_format", "16 to 256 printable ASCII characters without spaces are needed.");
    }
    f.finish()?;
    let made = given.is_none().then(crypto::new_webhook_secret);
    let secret = given.or_else(|| made.clone()).unwrap_or_default();
    let (id, now) = (ids::new(Prefix::Webhook), time::now());
    let webhook = Webhook {
        account_id: c.account().to_owned(),
        name: name.unwrap_or_default(),
        url: url.unwrap_or_default(),
        events: events.unwrap_or_default(),
        active: true,
        secret: c.state.keys.seal_secret(&format!("{id}/secret"), &secret),
        failures: 0,
        created_at: now,
        updated_at: now,
        id,
    };
    let _changing = c.state.webhooks.change();
    log(c, &webhook.id, &["webhook"])?;
    let mut body = json!({ "webhook": shown(&webhook) });
    if let Some(made) = made {
        body["secret"] = made.into();
    }
    let location = format!("/api/v1/webhooks/{}", webhook.id);
    c.state.webhooks.save(&*c.state.store, webhook)?;
    Ok(Reply::json(201, &body).with(header::LOCATION, &location))
}

pub(super) fn list(c: &Context) -> Result<Reply> {
    let page = Page::read(&c.query, &c.state.keys, "webhooks", c.account(), &[])?;
    let rows: Vec<Webhook> = c.state.store.load_page(c.account(), None, page.after(), page.limit + 1)?;
    let place = |webhook: &Webhook| (webhook.created_at, webhook.id.clone());
    Ok(Reply::ok(&page.answer(rows, (None, 0), &c.state.keys, place, |webhook| shown(&webhook))))
}

pub(super) fn get(c: &Context) -> Result<Reply> {
    Ok(Reply::ok(&json!({ "webhook": shown(&*find(c)?) })))
}

pub(super) fn update(c: &Context) -> Result<Reply> {
    let body = c.object()?;
    let mut f = Fields::new(&body, &["active", "events", "url"]);
    for name in ["active", "events", "url"] {
        if f.has(name) {
            f.require(name);
        }
    }
    let active = f.flag("active");
    let events = events(&mut f);
    let url = url(&mut f, "url", c.state.config.dev);
    f.finish()?;
    let _changing = c.state.webhooks.change();
    let mut webhook = (*find(c)?).clone();
    if !body.is_empty() {
        log(c, &webhook.id, &body.keys().map(String::as_str).collect::<Vec<_>>())?;
        if let Some(active) = active {
            webhook.active = active;
            // Whoever switches it on again thinks that it can be reached now.
            webhook.failures = if active { 0 } else { webhook.failures };
        }
        webhook.events = events.unwrap_or(webhook.events);
        webhook.url = url.unwrap_or(webhook.url);
        webhook.updated_at = time::now();
        c.state.webhooks.save(&*c.state.store, webhook.clone())?;
    }
    Ok(Reply::ok(&json!({ "webhook": shown(&webhook) })))
}

pub(super) fn delete(c: &Context) -> Result<Reply> {
    let _changing = c.state.webhooks.change();
    let webhook = find(c)?;
    log(c, &webhook.id, &["webhook"])?;
    c.state.webhooks.remove(&*c.state.store, &webhook)?;
    Ok(Reply::empty(204))
}

pub(super) fn test(c: &Context) -> Result<Reply> {
    Fields::new(&c.object()?, &[]).finish()?;
    c.begin()?;
    let webhook = find(c)?;
    let delivery = webhooks::test(&c.state, &webhook);
    webhooks::remember(&c.state, &delivery)?;
    Ok(Reply::ok(&json!({ "delivery": delivery_json(&delivery) })))
}

pub(super) fn deliveries(c: &Context) -> Result<Reply> {
    let id = c.id("webhook_id", Prefix::Webhook).unwrap_or_default();
    let page = Page::read(&c.query, &c.state.keys, &format!("deliveries/{id}"), c.account(), &[])?;
    let webhook = find(c)?;
    let rows: Vec<Delivery> =
        c.state.store.load_page(c.account(), Some(&webhook.id), page.after(), page.limit + 1)?;
    let place = |delivery: &Delivery| (delivery.created_at, delivery.id.clone());
    Ok(Reply::ok(&page.answer(rows, (None, 0), &c.state.keys, place, |delivery| delivery_json(&delivery))))
}
