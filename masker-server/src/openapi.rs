//! The description of the interface, made from the list of routes.

use axum::http::Method;
use serde_json::{Map, Value, json};

use crate::error::Code;
use crate::router::{Access, Group, Route};
use crate::routes::ROUTES;

/// What the description says of a route.
#[derive(Clone)]
pub(crate) struct Doc {
    pub(crate) tag: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) query: Vec<Param>,
    /// The schema of the body, as JSON; empty where there is none.
    pub(crate) body: &'static str,
    pub(crate) answers: &'static [(u16, &'static str)],
    pub(crate) errors: &'static [Code],
}

/// A parameter of the query.
#[derive(Clone, Copy)]
pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) schema: &'static str,
    pub(crate) about: &'static str,
}

pub(crate) const fn param(name: &'static str, schema: &'static str, about: &'static str) -> Param {
    Param { name, schema, about }
}

const ID_NAMES: [(&str, &str); 12] = [
    ("agent_id", "agt_"),
    ("deletion_id", "del_"),
    ("event_id", "evt_"),
    ("invitation_id", "inv_"),
    ("session_id", "sess_"),
    ("team_id", "tea_"),
    ("token_id", "tok_"),
    ("user_id", "usr_"),
    ("webhook_id", "whk_"),
    ("name", ""),
    ("session_key", ""),
    ("page", ""),
];

fn parse(schema: &str) -> Value {
    serde_json::from_str(schema).expect("schemas of the list of routes are JSON")
}

/// Codes that a route may answer beside its own.
fn shared(route: &Route) -> Vec<Code> {
    // A parameter of the query that is given twice is refused everywhere.
    let mut codes = vec![Code::ValidationFailed];
    if route.group != Group::Probe {
        codes.extend([Code::InternalError, Code::ShuttingDown]);
    }
    match route.access {
        Access::Open => {}
        // Who may ask for it at all may do so, but not from another site.
        Access::Any if route.method == Method::GET => codes.push(Code::Unauthenticated),
        Access::Any | Access::Scope(..) => codes.extend([Code::Unauthenticated, Code::Forbidden]),
    }
    if matches!(route.group, Group::Api | Group::Auth | Group::Text) {
        codes.push(Code::RateLimited);
    }
    // A deletion takes no body, and refuses one as it would be refused elsewhere.
    if !route.doc.body.is_empty() || route.method == Method::DELETE {
        codes.extend([Code::PayloadTooLarge, Code::UnsupportedMediaType]);
    }
    codes
}

/// The document, OpenAPI 3.1.
pub(crate) fn document(public_url: &str) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES.iter().filter(|route| !route.doc.tag.is_empty()) {
        let entry = paths.entry(route.path).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(methods) = entry {
            methods.insert(route.method.as_str().to_ascii_lowercase(), operation(route));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "masker server",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Finds PHI in text, replaces it with reversible tokens, and restores it. Agents stand between a voice platform and a model.\n\n\
                Every error has the schema `Error`. Only what is no request of HTTP/1.1 never comes to an operation: a malformed line or \
                header is 400, a path that is too long 414, a head that is too long 431, each with an empty body and the end of the \
                connection.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": public_url }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "bearerFormat": "mkt_…" },
                "cookie": { "type": "apiKey", "in": "cookie", "name": "masker_session" },
            },
            "schemas": { "Error": error_schema() },
        },
    })
}

fn error_schema() -> Value {
    json!({
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["type", "code", "message", "request_id"],
                "properties": {
                    "type": { "type": "string" },
                    "code": { "type": "string" },
                    "message": { "type": "string" },
                    "request_id": { "type": "string" },
                    "details": { "type": "array", "items": { "type": "object" } },
                },
            },
        },
    })
}

fn operation(route: &Route) -> Value {
    let doc = &route.doc;
    let mut parameters: Vec<Value> = route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            let prefix = ID_NAMES.iter().find(|(other, _)| *other == name).map_or("", |(_, prefix)| prefix);
            let schema = if prefix.is_empty() {
                json!({ "type": "string" })
            } else {
                json!({ "type": "string", "pattern": format!("^{prefix}[0-9A-Za-z]{{26}}$") })
            };
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        })
        .collect();
    parameters.extend(doc.query.iter().map(|param| {
        json!({
            "name": param.name, "in": "query", "required": false,
            "description": param.about, "schema": parse(param.schema),
        })
    }));
    let mut responses: Map<String, Value> = Map::new();
    for (status, about) in doc.answers {
        let mut answer = json!({ "description": about });
        if *status == 200 || *status == 201 {
            let media = match about.split_once(';') {
                Some((_, media)) if media.contains('/') => media,
                _ => "application/json",
            };
            let media = media.split(',').map(|media| (media.trim().to_owned(), json!({ "schema": {} })));
            answer["content"] = Value::Object(media.collect());
        }
        responses.insert(status.to_string(), answer);
    }
    let mut codes: Vec<Code> = shared(route);
    codes.extend(doc.errors);
    codes.sort_by_key(|code| (code.status(), code.as_str()));
    codes.dedup();
    let names: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
    for code in &codes {
        let entry = responses.entry(code.status().to_string()).or_insert_with(|| {
            json!({
                "description": "",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
            })
        });
        let about = entry["description"].as_str().unwrap_or_default();
        let about =
            if about.is_empty() { code.as_str().to_owned() } else { format!("{about}, {}", code.as_str()) };
        entry["description"] = about.into();
    }
    let mut operation = json!({
        "tags": [doc.tag],
        "summary": doc.summary,
        "operationId": operation_id(route),
        "parameters": parameters,
        "responses": responses,
        "x-error-codes": names,
    });
    if !doc.body.is_empty() {
        operation["requestBody"] =
            json!({ "content": { "application/json": { "schema": parse(doc.body) } } });
    }
    match route.access {
        Access::Open => {}
        Access::Any => operation["security"] = json!([{ "token": [] }, { "cookie": [] }]),
        Access::Scope(scope, role) => {
            operation["security"] = json!([{ "token": [] }, { "cookie": [] }]);
            let role = role.max(scope.least_role());
            operation["description"] =
                format!("Scope `{}`, role {} or higher.", scope.as_str(), role.as_str()).into();
        }
    }
    operation
}

fn operation_id(route: &Route) -> String {
    let words = route.path.split(['/', '{', '}', '-', '.']).filter(|word| !word.is_empty());
    let path: Vec<&str> = words.filter(|word| !matches!(*word, "api" | "v1")).collect();
    format!("{}_{}", route.method.as_str().to_ascii_lowercase(), path.join("_"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Clients are made from it, so that it changes knowingly or not at all.
    #[test]
    fn the_description_is_the_one_that_is_committed() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        let described = format!("{:#}\n", document("http://127.0.0.1:8080"));
        if std::env::var_os("MASKER_WRITE_OPENAPI").is_some() {
            fs::write(path, &described).unwrap();
        }
        let committed = fs::read_to_string(path).unwrap();
        assert!(
            described == committed,
            "masker-server/openapi.json is another one: MASKER_WRITE_OPENAPI=1 cargo test -p masker-server --lib openapi writes it anew"
        );
    }
}
