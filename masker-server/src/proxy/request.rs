//! What of a request goes on, and under which key its session is found.

use std::collections::{BTreeMap, HashMap};

use axum::http::HeaderMap;
use serde_json::{Map, Value};

use crate::agents::Runtime;
use crate::error::{ApiError, Code, Result};
use crate::http::Context;
use crate::state::State;

/// Fields of a chat completion request.
const KNOWN: [&str; 36] = [
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "modalities",
    "model",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_k",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
    "min_p",
];

/// What voice platforms add. It is read for the session key, and never goes on.
const VENDOR: [&str; 8] = [
    "call",
    "phoneNumber",
    "customer",
    "assistant",
    "metadata",
    "timestamp",
    "elevenlabs_extra_body",
    "user_id",
];

/// A request that is fit to be masked.
pub(super) struct Prepared {
    pub(super) body: Map<String, Value>,
    pub(super) model: String,
    pub(super) wants_stream: bool,
    pub(super) include_usage: bool,
    pub(super) json_answer: bool,
    /// Function names that go upstream under another, by that one.
    pub(super) names: HashMap<String, String>,
}

/// The session key of a request: path, header, body, in this order.
pub(super) fn session_key(c: &Context, body: &Map<String, Value>) -> Result<Option<String>> {
    let given = |key: &str, field: &str| {
        if is_key(key) {
            return Ok(Some(key.to_owned()));
        }
        let message = "1 to 128 letters, digits and . _ : - are needed.";
        Err(ApiError::field(field, "bad_format", message))
    };
    if c.params.iter().any(|(name, _)| name == "session_key") {
        return given(c.param("session_key"), "session_key");
    }
    if let Some(value) = c.headers.get("masker-session-id") {
        return given(value.to_str().unwrap_or_default(), "Masker-Session-Id");
    }
    let inner =
        |field: &str, name: &str| body.get(field).and_then(|field| field.get(name)).and_then(Value::as_str);
    let keys =
        [inner("call", "id"), inner("metadata", "session_id"), inner("elevenlabs_extra_body", "session_id")];
    Ok(keys.into_iter().flatten().find(|key| is_key(key)).map(str::to_owned))
}

pub(super) fn is_key(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b))
}

/// Checks a request and takes away what does not go on.
pub(super) fn prepare(state: &State, runtime: &Runtime, mut body: Map<String, Value>) -> Result<Prepared> {
    check_messages(&body)?;
    let model = model(state, runtime, &body)?;
    let forwards_all = runtime.agent.forward_unknown_fields;
    body.retain(|name, _| KNOWN.contains(&name.as_str()) || forwards_all && !VENDOR.contains(&name.as_str()));
    body.insert("model".to_owned(), model.clone().into());
    let flag = |name: &str| match body.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(value)) => Ok(*value),
        Some(_) => Err(ApiError::field(name, "wrong_type", "true or false is needed.").with("param", name)),
    };
    let wants_stream = flag("stream")?;
    let include_usage = body
        .get("stream_options")
        .and_then(|o| o.get("include_usage"))
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let format = body.get("response_format").and_then(|format| format.get("type")).and_then(Value::as_str);
    let json_answer = matches!(format, Some("json_object" | "json_schema"));
    for name in ["user", "safety_identifier"] {
        if let Some(Value::String(text)) = body.get_mut(name) {
            *text = state.keys.pseudonym(&runtime.agent.account_id, text);
        }
    }
    let mut names = Names { runtime, seen: BTreeMap::new() };
    names.walk(&mut body)?;
    let names = names.seen.into_iter().filter_map(|(name, other)| Some((other?, name))).collect();
    Ok(Prepared { body, model, wants_stream, include_usage, json_answer, names })
}

fn check_messages(body: &Map<String, Value>) -> Result<()> {
    let fail =
        |issue, message: &str| Err(ApiError::field("messages", issue, message).with("param", "messages"));
    match body.get("messages") {
        None => fail("missing", "A list of messages is needed."),
        Some(Value::Array(messages)) if messages.is_empty() => {
            fail("too_short", "At least one message is needed.")
        }
        Some(Value::Array(messages)) => {
            let has_role = |message: &Value| message.get("role").is_some_and(Value::is_string);
            if messages.iter().all(has_role) {
                Ok(())
            } else {
                fail("wrong_type", "Every message is an object with a role.")
            }
        }
        Some(_) => fail("wrong_type", "A list of messages is needed."),
    }
}

fn model(state: &State, runtime: &Runtime, body: &Map<String, Value>) -> Result<String> {
    let settings = &state.config.upstream;
    let asked = match body.get("model") {
        None | Some(Value::Null) => return Ok(runtime.default_model(settings).to_owned()),
        Some(Value::String(model)) if crate::agents::fields::is_model(model) => model,
        Some(_) => {
            return Err(ApiError::field("model", "wrong_type", "The name of a model is needed.")
                .with("param", "model"));
        }
    };
    if !runtime.takes_model(settings, asked) {
        let message = "The model is not allowed for this agent.";
        return Err(ApiError::new(Code::ModelNotAllowed, message).with("param", "model"));
    }
    Ok(asked.clone())
}

/// Function names, in which a token would not be legal.
struct Names<'a> {
    runtime: &'a Runtime,
    /// What stands for each name, where something does.
    seen: BTreeMap<String, Option<String>>,
}

impl Names<'_> {
    fn walk(&mut self, body: &mut Map<String, Value>) -> Result<()> {
        for list in ["tools", "functions"] {
            for tool in body.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                let function = if list == "tools" { tool.get_mut("function") } else { Some(tool) };
                self.function(function)?;
            }
        }
        for choice in ["tool_choice", "function_call"] {
            let place = body.get_mut(choice);
            let function =
                if choice == "tool_choice" { place.and_then(|c| c.get_mut("function")) } else { place };
            self.function(function)?;
        }
        for message in body.get_mut("messages").and_then(Value::as_array_mut).into_iter().flatten() {
            for call in message.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
                self.function(call.get_mut("function"))?;
            }
            self.function(message.get_mut("function_call"))?;
        }
        Ok(())
    }

    fn function(&mut self, function: Option<&mut Value>) -> Result<()> {
        let Some(Value::String(name)) = function.and_then(|function| function.get_mut("name")) else {
            return Ok(());
        };
        if !self.seen.contains_key(name) {
            let spoken = name.replace(['_', '-'], " ");
            let masker = &self.runtime.masker;
            let fires = !masker.detect(name)?.is_empty() || !masker.detect(&spoken)?.is_empty();
            let other = fires.then(|| {
                let hash = crate::crypto::sha256_hex(format!("{}/{name}", self.runtime.agent.id).as_bytes());
                format!("fn_{}", &hash[..12])
            });
            self.seen.insert(name.clone(), other);
        }
        if let Some(Some(other)) = self.seen.get(name) {
            name.clone_from(other);
        }
        Ok(())
    }
}

/// The subject of a request, as a name that says nothing.
pub(super) fn subject(state: &State, headers: &HeaderMap, account: &str) -> Result<Option<String>> {
    let Some(value) = headers.get("masker-subject-id") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    if !(1..=128).contains(&text.chars().count()) {
        return Err(ApiError::field("Masker-Subject-Id", "bad_format", "1 to 128 characters are needed."));
    }
    Ok(Some(state.keys.pseudonym(account, text)))
}
