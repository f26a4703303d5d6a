use masker_core::payload::{mask_chat, mask_json};
use masker_core::{Conversation, Role};
use napi::Env;
use napi::bindgen_prelude::{Array, Buffer, Unknown};
use napi_derive::napi;

use crate::errors::Failure;
use crate::masker::{JsMasker, json_rules};
use crate::options::{Options, choice};
use crate::report::{InUnits, masked_in_units};
use crate::stream::{JsSseRehydrator, JsStreamMasker, JsStreamRehydrator};
use crate::text::{Answer, Text, bytes};
use crate::work::{Line, Promised, done_here, here, later};

const ROLES: [(&str, Role); 6] = [
    ("assistant", Role::Assistant),
    ("system", Role::System),
    ("tool", Role::Tool),
    ("user", Role::User),
    ("developer", Role::System),
    ("function", Role::Tool),
];

/// One message of a history.
#[napi(object, object_from_js = false, object_to_js = false, js_name = "Turn")]
pub struct TurnOptions {
    /// Who says it.
    #[napi(ts_type = "Role")]
    pub role: String,
    /// What is said.
    pub text: String,
}

/// How a stream rehydrator writes.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct StreamRehydratorOptions {
    /// The parts make one JSON text, such as the arguments of a tool call: originals are escaped.
    pub json: Option<bool>,
}

/// How a rehydrator of server-sent events writes.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct SseRehydratorOptions {
    /// The words of the answer are JSON themselves, because the request asked for it.
    pub json_answer: Option<bool>,
}

/// One call or chat: what earlier turns say about later ones, and which tokens and aliases stand for which values.
///
/// Promise forms on one conversation run in the order of the calls.
///
/// ```js
/// const call = new Masker({ surface: 'alias' }).conversation('call 17')
/// call.maskTurnSync('user', "I'm Ann Reed, call me at 415-555-0142").text // "I'm [NAME_1], call me at [PHONE_1]"
/// call.rehydrateSync('Thank you, [NAME_1].').text // 'Thank you, Ann Reed.'
/// ```
#[napi(js_name = "Conversation")]
pub struct JsConversation {
    masker: JsMasker,
    inner: Conversation,
    line: Line,
}

impl JsConversation {
    pub(crate) fn of(masker: JsMasker, inner: Conversation) -> Self {
        Self { masker, inner, line: Line::default() }
    }

    /// Works behind a promise, after what was asked for before.
    fn in_line<'env, T: crate::report::Shown + Send + 'static>(
        &self,
        env: &'env Env,
        work: impl FnOnce(&Conversation) -> Result<T, Failure> + Send + 'static,
    ) -> napi::Result<Promised<'env>> {
        let (place, conversation) = (self.line.place(), self.inner.clone());
        later(env, move || place.wait(|| work(&conversation)))
    }
}

#[napi]
impl JsConversation {
    /// Takes a conversation up again from `toBytes`, with a masker that has the keys, the scope and the vault of the one it
    /// was begun with.
    ///
    /// @throws `invalid_conversation`
    #[napi]
    pub fn from_bytes(
        env: &Env,
        #[napi(ts_arg_type = "Masker")] masker: &JsMasker,
        #[napi(ts_arg_type = "Uint8Array")] bytes: Unknown<'_>,
    ) -> napi::Result<Self> {
        done_here(env, || {
            let bytes = self::bytes(bytes, "the conversation")?;
            Ok(Self::of(masker.clone(), Conversation::from_bytes(&masker.inner, &bytes)?))
        })
    }

    /// The id it was begun with.
    #[napi(getter, ts_return_type = "string")]
    pub fn id(&self) -> Answer<&str> {
        Answer(self.inner.id())
    }

    /// The masker it was begun by.
    #[napi(getter, ts_return_type = "Masker")]
    pub fn masker(&self) -> JsMasker {
        self.masker.clone()
    }

    /// How many values have been masked.
    #[napi(getter)]
    pub fn value_count(&self) -> u32 {
        self.inner.value_count() as u32
    }

    /// What to tell a model about the aliases, in its instructions; empty where the policy puts none in the text.
    #[napi(getter)]
    pub fn system_hint(&self) -> &'static str {
        self.inner.system_hint()
    }

    /// Masks what is said next.
    ///
    /// @throws as `Masker.maskSync`, and `conversation_full`
    #[napi(ts_return_type = "Masked")]
    pub fn mask_turn_sync<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "Role")] role: Unknown<'env>,
        #[napi(ts_arg_type = "string")] text: Text,
    ) -> napi::Result<Unknown<'env>> {
        here(env, || mask_turn(&self.inner, self::role(role)?, text.as_str()))
    }

    /// `maskTurnSync` behind a promise.
    #[napi(ts_return_type = "Promise<Masked>")]
    pub fn mask_turn<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "Role")] role: Unknown<'env>,
        #[napi(ts_arg_type = "string")] text: Text,
    ) -> napi::Result<Promised<'env>> {
        let role = done_here(env, || self::role(role))?;
        self.in_line(env, move |conversation| mask_turn(conversation, role, text.as_str()))
    }

    /// Masks a history as clients of language models resend it every turn, from its first message on. Messages that were
    /// masked before come back the same and cost next to nothing.
    ///
    /// @throws as `maskTurnSync`
    #[napi(ts_return_type = "Array<Masked>")]
    pub fn mask_history_sync<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "ReadonlyArray<Turn>")] history: Array<'env>,
    ) -> napi::Result<Unknown<'env>> {
        here(env, || mask_history(&self.inner, &turns(&history)?))
    }

    /// `maskHistorySync` behind a promise.
    #[napi(ts_return_type = "Promise<Array<Masked>>")]
    pub fn mask_history<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "ReadonlyArray<Turn>")] history: Array<'env>,
    ) -> napi::Result<Promised<'env>> {
        let history = done_here(env, || turns(&history))?;
        self.in_line(env, move |conversation| mask_history(conversation, &history))
    }

    /// Puts originals back in the place of the tokens and aliases that this conversation gave out. Every other token becomes
    /// `[REDACTED:KIND]` and is counted.
    ///
    /// @throws `vault_failed`, `too_long`
    #[napi(ts_return_type = "Restored")]
    pub fn rehydrate_sync<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] text: Text,
    ) -> napi::Result<Unknown<'env>> {
        here(env, || Ok(self.inner.rehydrate(text.as_str())?))
    }

    /// `rehydrateSync` behind a promise.
    #[napi(ts_return_type = "Promise<Restored>")]
    pub fn rehydrate<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] text: Text,
    ) -> napi::Result<Promised<'env>> {
        self.in_line(env, move |conversation| Ok(conversation.rehydrate(text.as_str())?))
    }

    /// `rehydrateSync` for a JSON text, or a part of one: what is restored is escaped as JSON strings need it.
    #[napi(ts_return_type = "Restored")]
    pub fn rehydrate_json_sync<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] json: Text,
    ) -> napi::Result<Unknown<'env>> {
        here(env, || Ok(self.inner.rehydrate_json(json.as_str())?))
    }

    /// `rehydrateJsonSync` behind a promise.
    #[napi(ts_return_type = "Promise<Restored>")]
    pub fn rehydrate_json<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] json: Text,
    ) -> napi::Result<Promised<'env>> {
        self.in_line(env, move |conversation| Ok(conversation.rehydrate_json(json.as_str())?))
    }

    /// Masks a chat as `Masker.maskChatSync` does, in the light of this conversation. A chat that is sent again, longer, is
    /// masked the same up to where it was.
    #[napi(ts_return_type = "MaskedPayload")]
    pub fn mask_chat_sync<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] json: Text,
    ) -> napi::Result<Unknown<'env>> {
        here(env, || masked_chat(&self.inner, json.as_str()))
    }

    /// `maskChatSync` behind a promise.
    #[napi(ts_return_type = "Promise<MaskedPayload>")]
    pub fn mask_chat<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] json: Text,
    ) -> napi::Result<Promised<'env>> {
        self.in_line(env, move |conversation| masked_chat(conversation, json.as_str()))
    }

    /// Masks a JSON text as `Masker.maskJsonSync` does, in the light of this conversation.
    #[napi(ts_return_type = "MaskedPayload")]
    pub fn mask_json_sync<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] json: Text,
        #[napi(ts_arg_type = "JsonRules")] rules: Option<Unknown<'env>>,
    ) -> napi::Result<Unknown<'env>> {
        here(env, || Ok(mask_json(&mut InUnits(&self.inner), json.as_str(), &json_rules(rules)?)?))
    }

    /// `maskJsonSync` behind a promise.
    #[napi(ts_return_type = "Promise<MaskedPayload>")]
    pub fn mask_json<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] json: Text,
        #[napi(ts_arg_type = "JsonRules")] rules: Option<Unknown<'env>>,
    ) -> napi::Result<Promised<'env>> {
        let rules = done_here(env, || json_rules(rules))?;
        self.in_line(env, move |conversation| {
            Ok(mask_json(&mut InUnits(conversation), json.as_str(), &rules)?)
        })
    }

    /// Puts originals back into a chat, mostly a reply; the arguments of tool calls stay JSON.
    #[napi(ts_return_type = "RestoredPayload")]
    pub fn rehydrate_chat_sync<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] json: Text,
    ) -> napi::Result<Unknown<'env>> {
        here(env, || Ok(self.inner.rehydrate_chat(json.as_str())?))
    }

    /// `rehydrateChatSync` behind a promise.
    #[napi(ts_return_type = "Promise<RestoredPayload>")]
    pub fn rehydrate_chat<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] json: Text,
    ) -> napi::Result<Promised<'env>> {
        self.in_line(env, move |conversation| Ok(conversation.rehydrate_chat(json.as_str())?))
    }

    /// The conversation as encrypted bytes for `Conversation.fromBytes`, for a process that stops in the middle of a call.
    #[napi(ts_return_type = "Uint8Array")]
    pub fn to_bytes(&self, env: &Env) -> napi::Result<Buffer> {
        done_here(env, || Ok(self.inner.to_bytes()?.into()))
    }

    /// Masks what is said next while it is being said.
    ///
    /// @throws `invalid_argument`
    #[napi(ts_return_type = "StreamMasker")]
    pub fn stream_masker(
        &self,
        env: &Env,
        #[napi(ts_arg_type = "Role")] role: Unknown<'_>,
    ) -> napi::Result<JsStreamMasker> {
        done_here(env, || {
            Ok(JsStreamMasker::of(self.inner.stream_masker(self::role(role)?), self.line.clone()))
        })
    }

    /// Restores text that comes in parts.
    ///
    /// @throws `unknown_option`
    #[napi(ts_return_type = "StreamRehydrator")]
    pub fn stream_rehydrator(
        &self,
        env: &Env,
        #[napi(ts_arg_type = "StreamRehydratorOptions")] options: Option<Unknown<'_>>,
    ) -> napi::Result<JsStreamRehydrator> {
        done_here(env, || {
            let options = Options::read("the options of a stream rehydrator", options, &["json"])?;
            let is_json = options.map_or(Ok(None), |options| options.flag("json"))?.unwrap_or(false);
            let inner =
                if is_json { self.inner.stream_json_rehydrator() } else { self.inner.stream_rehydrator() };
            Ok(JsStreamRehydrator::of(inner, self.line.clone()))
        })
    }

    /// Restores the answers in a stream of server-sent events: OpenAI chat completions and responses, Anthropic messages.
    ///
    /// @throws `unknown_option`
    #[napi(ts_return_type = "SseRehydrator")]
    pub fn sse_rehydrator(
        &self,
        env: &Env,
        #[napi(ts_arg_type = "SseRehydratorOptions")] options: Option<Unknown<'_>>,
    ) -> napi::Result<JsSseRehydrator> {
        done_here(env, || {
            let options =
                Options::read("the options of a rehydrator of server-sent events", options, &["jsonAnswer"])?;
            let is_json = options.map_or(Ok(None), |options| options.flag("jsonAnswer"))?.unwrap_or(false);
            Ok(JsSseRehydrator::of(&self.inner, is_json, self.line.clone()))
        })
    }
}

fn role(value: Unknown<'_>) -> Result<Role, Failure> {
    choice("the role", value, &ROLES)
}

fn turns(history: &Array<'_>) -> Result<Vec<(Role, String)>, Failure> {
    let mut turns = Vec::new();
    for index in 0..history.len() {
        let Some(turn) = history.get::<Unknown<'_>>(index)? else { continue };
        let turn = Options::object("a turn", turn, &["role", "text"])?;
        let missing = |name: &str| Failure::Argument(format!("{} is missing", turn.name(name)));
        let role = turn.choice("role", &ROLES)?.ok_or_else(|| missing("role"))?;
        turns.push((role, turn.text("text")?.ok_or_else(|| missing("text"))?));
    }
    Ok(turns)
}

fn mask_turn(conversation: &Conversation, role: Role, text: &str) -> Result<masker_core::Masked, Failure> {
    let masked = conversation.mask_turn(role, text).map_err(|error| Failure::of(error, text))?;
    Ok(masked_in_units(masked, text))
}

fn mask_history(
    conversation: &Conversation,
    history: &[(Role, String)],
) -> Result<Vec<masker_core::Masked>, Failure> {
    let masked = conversation.mask_history(history)?;
    Ok(masked.into_iter().zip(history).map(|(masked, (_, text))| masked_in_units(masked, text)).collect())
}

fn masked_chat(conversation: &Conversation, json: &str) -> Result<masker_core::MaskedPayload, Failure> {
    let non_text = conversation.masker().policy().non_text();
    Ok(mask_chat(&mut InUnits(conversation), non_text, json)?)
}
