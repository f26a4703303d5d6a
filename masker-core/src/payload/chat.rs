//! The positions of text in chats: OpenAI chat completions and responses, Anthropic messages.
//!
//! The three share most of their words, so one walker reads all of them: a place is found by the name of the member and the
//! type of the block around it. What is not known is text.

use super::json::{Data, Edits, MAX_JSON_DEPTH, Member, Value, parse};
use super::walk::{Place, Purpose, Walker};
use crate::Error;
use crate::conversation::Role;
use crate::policy::NonText;

/// Settings that the protocol prescribes: chosen from lists, never written by a caller. Numbers in them are no text.
const SETTINGS: [&str; 40] = [
    "background",
    "betas",
    "cache_control",
    "context_management",
    "created",
    "created_at",
    "encoding_format",
    "finish_reason",
    "frequency_penalty",
    "include",
    "index",
    "logit_bias",
    "max_completion_tokens",
    "max_output_tokens",
    "max_tokens",
    "max_tool_calls",
    "modalities",
    "model",
    "n",
    "object",
    "presence_penalty",
    "previous_response_id",
    "prompt_cache_retention",
    "reasoning_effort",
    "seed",
    "service_tier",
    "status",
    "stop_reason",
    "stream_options",
    "system_fingerprint",
    "temperature",
    "tool_choice",
    "top_k",
    "top_logprobs",
    "top_p",
    "truncation",
    "usage",
    "verbosity",
    "completed_at",
    "incomplete_details",
];

/// Members of blocks that are the protocol's own.
const IDENTIFIERS: [&str; 21] = [
    "approval_request_id",
    "call_id",
    "container_id",
    "detail",
    "file_id",
    "finish_reason",
    "format",
    "id",
    "index",
    "item_id",
    "media_type",
    "model",
    "object",
    "output_index",
    "phase",
    "status",
    "stop_reason",
    "tool_call_id",
    "tool_use_id",
    "type",
    "voice",
];

/// Members of the tools that a provider runs itself, which are chosen from lists or made up by it.
const TOOL_SETTINGS: [&str; 14] = [
    "allowed_callers",
    "allowed_tools",
    "connector_id",
    "container",
    "defer_loading",
    "environment",
    "filters",
    "output_format",
    "quality",
    "ranking_options",
    "require_approval",
    "search_context_size",
    "server_label",
    "vector_store_ids",
];

/// How members begin that only the provider can read.
const ENCRYPTED: &str = "encrypted_";

const ROLES: [(&str, Role); 6] = [
    ("assistant", Role::Assistant),
    ("developer", Role::System),
    ("function", Role::Tool),
    ("system", Role::System),
    ("tool", Role::Tool),
    ("user", Role::User),
];

/// Types of blocks that hold text, beside those whose names end as in [`TEXT_ENDINGS`].
const TEXT_BLOCKS: [&str; 19] = [
    "compaction",
    "custom",
    "function",
    "input_text",
    "item_reference",
    "logs",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_list_tools",
    "message",
    "output_text",
    "reasoning",
    "reasoning_text",
    "redacted_thinking",
    "refusal",
    "summary_text",
    "text",
    "thinking",
    "tool_reference",
];

const TEXT_ENDINGS: [&str; 5] = ["_call", "_output", "_result", "_result_error", "tool_use"];

const IMAGE_CALLS: [&str; 2] = ["image_generation_call", "computer_call_output"];

/// Walks a chat: a request with `messages` or `input`, a reply with `choices`, `output` or `content`, or a list of messages.
pub(super) fn walk_chat<E: From<Error>>(
    json: &str,
    purpose: Purpose,
    visit: impl FnMut(&Place<'_>) -> Result<Option<String>, E>,
) -> Result<String, E> {
    let value = parse(json, MAX_JSON_DEPTH)?;
    let mut walker = Walker {
        visit,
        purpose,
        rules: None,
        path: String::new(),
        shown: String::new(),
        role: Role::User,
        edits: Edits::default(),
        depth: MAX_JSON_DEPTH,
    };
    let is_chat = match &value.data {
        Data::Array(_) => true,
        Data::Object(_) => {
            let is_list = |key| value.get(key).is_some_and(|value| value.items().is_some());
            ["messages", "choices", "output"].into_iter().any(is_list)
                || value.get("input").is_some_and(|input| input.items().is_some() || input.text().is_some())
                || value.get("role").is_some() && value.get("content").is_some()
                || value.get("error").is_some_and(|error| error.members().is_some())
        }
        _ => false,
    };
    if !is_chat {
        return Err(Error::NotAChat { path: String::new() }.into());
    }
    match &value.data {
        Data::Array(messages) => walker.messages(messages, &value)?,
        Data::Object(members) if value.get("role").is_some() => walker.block(&value, members)?,
        Data::Object(members) => walker.top(members)?,
        _ => {}
    }
    Ok(walker.edits.apply(json))
}

impl<V, E> Walker<'_, V>
where
    V: FnMut(&Place<'_>) -> Result<Option<String>, E>,
    E: From<Error>,
{
    fn top(&mut self, members: &[Member<'_>]) -> Result<(), E> {
        self.each_member(members, |w, key, value| match key {
            "messages" | "input" | "output" if value.items().is_some() => {
                w.messages(value.items().unwrap_or_default(), value)
            }
            "input" => w.say(Role::User, value),
            "instructions" | "system" => w.as_role(Role::System, |w| w.content(value)),
            "choices" => match value.items() {
                Some(choices) => w.each(choices, Self::choice),
                None => w.free(value, None),
            },
            "tools" | "functions" => w.tools(value),
            "response_format" | "text" | "output_config" | "output_format" => {
                w.as_role(Role::System, |w| w.schema(value))
            }
            "prediction" => w.as_role(Role::Assistant, |w| match value.members() {
                Some(members) => w.block(value, members),
                None => w.free(value, None),
            }),
            // What the server needs to reach others.
            "mcp_servers" => Ok(()),
            "thinking" | "reasoning" | "audio" | "container" => w.setting(value),
            "user" | "safety_identifier" | "prompt_cache_key" | "output_text" => w.text(value, None),
            "id" | "type" | "conversation" => w.setting(value),
            _ if SETTINGS.contains(&key) => w.setting(value),
            _ => w.free(value, Some(key)),
        })
    }

    fn choice(&mut self, choice: &Value<'_>) -> Result<(), E> {
        let Some(members) = choice.members() else { return self.free(choice, None) };
        self.as_role(Role::Assistant, |w| w.block(choice, members))
    }

    /// A list of messages or items, `whole` with its brackets.
    fn messages(&mut self, messages: &[Value<'_>], whole: &Value<'_>) -> Result<(), E> {
        self.parts(messages, whole, |w, message| {
            let Some(members) = message.members() else {
                return Err(Error::NotAChat { path: w.shown.clone() }.into());
            };
            w.block(message, members)
        })
    }

    /// A list of blocks, in which parts that are not text are refused, left out or passed.
    fn parts(
        &mut self,
        parts: &[Value<'_>],
        whole: &Value<'_>,
        mut work: impl FnMut(&mut Self, &Value<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.purpose == Purpose::Mask(NonText::Drop) && parts.iter().any(is_non_text) {
            if parts.iter().all(is_non_text) {
                // An empty list is refused by most servers where an empty text is not.
                self.edits.replace(whole.start, whole.end, "\"\"".to_owned());
            } else {
                let places: Vec<(usize, usize)> = parts.iter().map(|part| (part.start, part.end)).collect();
                self.edits.leave_out(&places, |at| is_non_text(&parts[at]));
            }
        }
        self.each(parts, |w, part| if is_non_text(part) { w.non_text() } else { work(w, part) })
    }

    /// Judges a part that cannot be masked and stands where it can be left out.
    fn non_text(&self) -> Result<(), E> {
        match self.purpose {
            Purpose::Rehydrate | Purpose::RehydrateLeaves | Purpose::Mask(NonText::Drop | NonText::Pass) => {
                Ok(())
            }
            Purpose::Mask(_) => Err(Error::Unmaskable { path: self.shown.clone() }.into()),
        }
    }

    /// A message, an item, a content part or a choice.
    fn block(&mut self, block: &Value<'_>, members: &[Member<'_>]) -> Result<(), E> {
        let kind = block.get("type").and_then(Value::text).unwrap_or_default();
        let said = block.get("role").and_then(Value::text);
        let known = said.and_then(|said| ROLES.iter().find(|(name, _)| *name == said));
        let role = match (known, kind) {
            (Some((_, role)), _) => *role,
            (None, "tool_use" | "server_tool_use" | "mcp_tool_use" | "reasoning") => Role::Assistant,
            (None, _) if kind.ends_with("_call_output") || kind.ends_with("tool_result") => Role::Tool,
            (None, _) if kind.ends_with("_call") => Role::Assistant,
            (None, _) => self.role,
        };
        let names_a_tool = role == Role::Tool
            || kind.ends_with("tool_use")
            || kind.ends_with("_call")
            || members.iter().any(|member| member.key == "arguments");
        let is_signed = kind == "redacted_thinking"
            || kind == "thinking"
                && block
                    .get("signature")
                    .and_then(Value::text)
                    .is_some_and(|signature| !signature.is_empty());
        let before = self.edits.len();
        self.as_role(role, |w| {
            w.each_member(members, |w, key, value| match key {
                "role" if known.is_some() => Ok(()),
                "thinking" | "data" if is_signed => Ok(()),
                "signature" | "thought_signature" => Ok(()),
                _ if key.starts_with(ENCRYPTED) => Ok(()),
                "logprobs" | "usage" => Ok(()),
                "name" | "namespace" | "server_label" | "server_name" if names_a_tool => w.identifier(value),
                "name" => w.text(value, Some(key)),
                "tool_calls" => match value.items() {
                    Some(calls) => w.each(calls, Self::call),
                    None => w.free(value, None),
                },
                "function_call" | "function" | "custom" => w.call(value),
                "message" | "delta" => match value.members() {
                    Some(members) => w.block(value, members),
                    None => w.text(value, None),
                },
                "arguments" => w.arguments(value),
                "input" => w.nested_text(value, None),
                "content" | "output" | "outputs" | "summary" => w.content(value),
                "tools" => w.tools(value),
                "source" => w.source(value),
                "audio" => w.audio(value),
                "cache_control" | "caller" => w.setting(value),
                "annotations" | "citations" => w.citations(value),
                "text" | "refusal" | "reasoning_content" | "reasoning" | "thinking" | "title" => {
                    match &value.data {
                        Data::Text(_) => w.said(value),
                        _ => w.free(value, None),
                    }
                }
                _ if IDENTIFIERS.contains(&key) => w.identifier(value),
                _ => w.free(value, Some(key)),
            })
        })?;
        // Log probabilities spell the text out as it was.
        if self.edits.len() > before {
            for member in members.iter().filter(|member| member.key == "logprobs") {
                self.edits.replace(
                    member.value.start,
                    member.value.end,
                    no_logprobs(&member.value).to_owned(),
                );
            }
        }
        Ok(())
    }

    /// The content of a message: a text or blocks.
    fn content(&mut self, value: &Value<'_>) -> Result<(), E> {
        match &value.data {
            Data::Text(_) => self.said(value),
            Data::Array(parts) => self.parts(parts, value, |w, part| match &part.data {
                Data::Object(members) => w.block(part, members),
                _ => w.said(part),
            }),
            Data::Object(_) if is_non_text(value) => {
                self.non_text()?;
                if self.purpose == Purpose::Mask(NonText::Drop) {
                    self.edits.replace(value.start, value.end, "\"\"".to_owned());
                }
                Ok(())
            }
            Data::Object(members) => self.block(value, members),
            Data::Literal | Data::Number(_) => self.free(value, None),
        }
    }

    /// A text of the chat. What a tool answers and what a model writes can be JSON; what a person says is taken as it is.
    fn said(&mut self, value: &Value<'_>) -> Result<(), E> {
        match self.role {
            Role::Assistant | Role::Tool => self.nested_text(value, None),
            Role::System | Role::User => self.text(value, None),
        }
    }

    fn say(&mut self, role: Role, value: &Value<'_>) -> Result<(), E> {
        self.as_role(role, |w| w.text(value, None))
    }

    fn as_role<T>(&mut self, role: Role, work: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        let outer = std::mem::replace(&mut self.role, role);
        let result = work(self);
        self.role = outer;
        result
    }

    /// A tool call, or the function in it.
    fn call(&mut self, value: &Value<'_>) -> Result<(), E> {
        let Some(members) = value.members() else { return self.free(value, None) };
        self.each_member(members, |w, key, value| match key {
            "id" | "type" | "name" | "index" => w.identifier(value),
            "function" | "custom" => w.call(value),
            "arguments" | "parameters" => w.arguments(value),
            "input" => w.nested_text(value, None),
            "extra_content" => Ok(()),
            _ => w.free(value, Some(key)),
        })
    }

    /// Where an answer has its words from.
    fn citations(&mut self, value: &Value<'_>) -> Result<(), E> {
        match &value.data {
            Data::Array(items) => self.each(items, Self::citations),
            Data::Object(members) => self.each_member(members, |w, key, value| match key {
                _ if key.starts_with(ENCRYPTED) => Ok(()),
                _ if IDENTIFIERS.contains(&key) => w.identifier(value),
                "url_citation" | "file_citation" | "file_path" => w.citations(value),
                _ => w.free(value, None),
            }),
            _ => self.free(value, None),
        }
    }

    fn tools(&mut self, value: &Value<'_>) -> Result<(), E> {
        self.as_role(Role::System, |w| match value.items() {
            Some(tools) => w.each(tools, Self::tool),
            None => w.free(value, None),
        })
    }

    /// The definition of a tool.
    fn tool(&mut self, value: &Value<'_>) -> Result<(), E> {
        let Some(members) = value.members() else { return self.free(value, None) };
        self.each_member(members, |w, key, value| match key {
            "type" | "name" => w.identifier(value),
            "function" | "custom" => w.tool(value),
            "parameters" | "input_schema" | "output_schema" | "format" => w.schema(value),
            "description" => w.text(value, None),
            "cache_control" | "strict" => w.setting(value),
            _ if TOOL_SETTINGS.contains(&key) => w.setting(value),
            // What the server needs to reach another one; it goes nowhere else.
            "authorization" | "headers" | "server_url" => Ok(()),
            _ => w.free(value, Some(key)),
        })
    }

    /// A JSON Schema: names of properties and types are the protocol's, what describes them is text.
    fn schema(&mut self, value: &Value<'_>) -> Result<(), E> {
        match &value.data {
            Data::Literal | Data::Number(_) => Ok(()),
            Data::Text(_) => self.text(value, None),
            Data::Array(items) => self.each(items, Self::schema),
            Data::Object(members) => self.each_member(members, |w, key, value| match key {
                "properties" | "$defs" | "definitions" | "patternProperties" | "dependentSchemas" => {
                    match value.members() {
                        Some(members) => w.each_member(members, |w, _, value| w.schema(value)),
                        None => w.free(value, None),
                    }
                }
                "type" | "name" | "format" | "required" | "dependentRequired" | "propertyOrdering"
                | "$ref" | "$schema" | "$id" | "$anchor" | "contentEncoding" | "contentMediaType"
                | "effort" | "verbosity"
                    if value.members().is_none() =>
                {
                    w.setting(value)
                }
                "enum" | "const" | "default" | "example" | "examples" => w.free(value, None),
                _ => w.schema(value),
            }),
        }
    }

    /// The source of a document: a text, or blocks.
    fn source(&mut self, value: &Value<'_>) -> Result<(), E> {
        let Some(members) = value.members() else { return self.text(value, None) };
        self.each_member(members, |w, key, value| match key {
            "type" | "media_type" => w.identifier(value),
            "content" => w.content(value),
            _ => w.text(value, None),
        })
    }

    /// Speech of the model: the transcript is text, the sound is not.
    fn audio(&mut self, value: &Value<'_>) -> Result<(), E> {
        let Some(members) = value.members() else { return self.free(value, None) };
        self.each_member(members, |w, key, value| match key {
            "id" | "format" => w.identifier(value),
            "expires_at" => Ok(()),
            "data" if value.text().is_some_and(|data| !data.is_empty()) => {
                w.non_text()?;
                if w.purpose == Purpose::Mask(NonText::Drop) {
                    w.edits.replace(value.start, value.end, "\"\"".to_owned());
                }
                Ok(())
            }
            "transcript" => w.said(value),
            _ => w.free(value, Some(key)),
        })
    }

    /// A setting of the request, which may be a string or a small object of strings.
    fn setting(&mut self, value: &Value<'_>) -> Result<(), E> {
        match &value.data {
            Data::Literal | Data::Number(_) => Ok(()),
            Data::Text(_) => self.identifier(value),
            Data::Array(items) => self.each(items, Self::setting),
            Data::Object(members) => self.each_member(members, |w, _, value| w.setting(value)),
        }
    }

    /// Leaves an identifier alone and treats everything else as text.
    fn identifier(&mut self, value: &Value<'_>) -> Result<(), E> {
        let is_identifier = |text: &str| {
            text.len() <= 128
                && text.bytes().all(|b| {
                    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':' | b'/' | b'#' | b'$')
                })
        };
        match &value.data {
            Data::Literal | Data::Number(_) => Ok(()),
            Data::Text(text) if is_identifier(text) => Ok(()),
            _ => self.free(value, None),
        }
    }
}

/// What log probabilities of a text that changed become: as empty as the protocol allows.
pub(super) fn no_logprobs(before: &Value<'_>) -> &'static str {
    if before.items().is_some() { "[]" } else { "null" }
}

/// Walks an event of a stream that holds texts as a whole: items, parts and replies.
pub(super) fn walk_event<E: From<Error>>(
    json: &str,
    event: &Value<'_>,
    visit: impl FnMut(&Place<'_>) -> Result<Option<String>, E>,
) -> Result<String, E> {
    let mut walker = Walker {
        visit,
        purpose: Purpose::Rehydrate,
        rules: None,
        path: String::new(),
        shown: String::new(),
        role: Role::Assistant,
        edits: Edits::default(),
        depth: MAX_JSON_DEPTH,
    };
    walker.each_member(event.members().unwrap_or_default(), |w, key, value| {
        match (key, value.members()) {
            ("response", Some(members)) => w.top(members),
            ("content_block" | "item" | "message" | "part", Some(members)) => w.block(value, members),
            ("annotation" | "citation", Some(_)) => w.free(value, None),
            ("delta", Some(members)) => w.each_member(members, |w, key, value| match key {
                "citation" => w.free(value, None),
                _ => Ok(()),
            }),
            ("arguments", None) => w.arguments(value),
            ("code" | "input" | "refusal" | "text" | "transcript", None) => w.said(value),
            _ => Ok(()),
        }
    })?;
    Ok(walker.edits.apply(json))
}

/// Whether a part is an image, audio, a file or of a type that is not known: nothing in it can be masked.
fn is_non_text(part: &Value<'_>) -> bool {
    let Some(members) = part.members() else { return false };
    let has = |keys: &[&str]| keys.iter().any(|key| part.get(key).is_some());
    // Readers differ in which of two equal keys they take, so each counts.
    let mut kinds = members.iter().filter(|member| member.key == "type").peekable();
    if kinds.peek().is_none() {
        return has(&["image_url", "input_audio", "file", "inline_data", "inlineData"]);
    }
    has(&["input_audio", "inline_data", "inlineData"])
        || kinds.any(|kind| match kind.value.text().unwrap_or_default() {
            "document" => {
                let source = part.get("source").and_then(|source| source.get("type")).and_then(Value::text);
                !matches!(source, Some("text" | "content"))
            }
            kind => {
                let is_text =
                    TEXT_BLOCKS.contains(&kind) || TEXT_ENDINGS.iter().any(|ending| kind.ends_with(ending));
                !is_text || IMAGE_CALLS.contains(&kind)
            }
        })
}
