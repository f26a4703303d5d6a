use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use masker_core::payload::{JsonRules, ParsePointerError, Pointer, mask_chat, mask_json};
use masker_core::policy::Surface;
use masker_core::{Masker, Policy, Reference};
use napi::Env;
use napi::bindgen_prelude::{Array, ClassInstance, Unknown};
use napi_derive::napi;

use crate::conversation::JsConversation;
use crate::errors::Failure;
use crate::keys::JsKeyRing;
use crate::options::{Options, choice};
use crate::policy::{JsPolicy, preset};
use crate::prelude;
use crate::recognizer::{JsRecognizer, RecognizerOptions};
use crate::report::{Findings, InUnits, Plain, explanations, masked_in_units};
use crate::text::Text;
use crate::vault::{JsVault, scope};
use crate::work::{Promised, done_here, here, later};

/// What a masker is made of. Everything may be left out.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct MaskerOptions {
    /// What is looked for and what happens to it; `healthcare-default` if left out.
    #[napi(ts_type = "Policy | PresetName")]
    pub policy: Option<()>,
    /// What stands in the masked text of conversations, over the policy's own choice.
    #[napi(ts_type = "Surface")]
    pub surface: Option<String>,
    /// The keys; if left out, a random key under `EPHEMERAL` that is gone with the masker.
    #[napi(ts_type = "KeyRing")]
    pub keys: Option<()>,
    /// The vault; one in memory if left out.
    #[napi(ts_type = "Vault")]
    pub vault: Option<()>,
    /// Where tokens are made and restored.
    pub scope: Option<String>,
    /// On whose behalf vault rows are written.
    #[napi(ts_type = "VaultReference")]
    pub reference: Option<ReferenceOptions>,
    /// Models for the pass `ner`.
    #[napi(ts_type = "ReadonlyArray<Recognizer>")]
    pub recognizers: Option<Vec<RecognizerOptions>>,
    /// Fixes the draw of scheme `synthetic`.
    pub seed: Option<f64>,
    /// The most threads that the calls for many texts use; all cores if left out.
    pub threads: Option<u32>,
    /// After how many milliseconds a row of the vault ends, counted from when its value was last masked; if left out, rows stay
    /// until they are deleted. The token of a row that ended is as dead as a deleted one.
    pub row_lifetime_ms: Option<f64>,
    /// Whether the folded copies of a text that detection works on are overwritten once they are no longer needed. Originals on
    /// their way to and from the vault always are; strings of JavaScript never are.
    pub wipe_buffers: Option<bool>,
}

/// On whose behalf vault rows are written, so that they can be deleted by agent or subject.
#[napi(object, object_from_js = false, object_to_js = false, js_name = "VaultReference")]
pub struct ReferenceOptions {
    /// The agent's id.
    pub agent: Option<String>,
    /// The subject's pseudonym, never a name: `KeyRing.pseudonym` makes one.
    pub subject: Option<String>,
}

/// Which values of a JSON document are masked. A pointer holds for the value it names and everything inside it; `*` stands
/// for any key or index, the longest pointer decides.
#[napi(object, object_from_js = false, object_to_js = false, js_name = "JsonRules")]
pub struct JsonRulesOptions {
    /// What is masked where no pointer says otherwise; everything if left out.
    #[napi(ts_type = "'mask' | 'leave'")]
    pub otherwise: Option<String>,
    /// JSON Pointers of values to mask.
    #[napi(ts_type = "ReadonlyArray<string>")]
    pub mask: Option<Vec<String>>,
    /// JSON Pointers of values to leave as they are.
    #[napi(ts_type = "ReadonlyArray<string>")]
    pub leave: Option<Vec<String>>,
}

/// Detects, masks and rehydrates under one policy, with one key ring and one vault.
///
/// Every call stands for itself; only the vault remembers. Each has a form that works at once, with `Sync` in its name, and
/// one behind a promise that works in another thread.
///
/// ```js
/// const masker = new Masker()
/// const { text } = masker.maskSync('please call 415-555-0142')
/// masker.rehydrateSync(text).text // 'please call 415-555-0142'
/// ```
#[derive(Clone, Debug)]
#[napi(js_name = "Masker")]
pub struct JsMasker {
    pub(crate) inner: Masker,
    /// Recognisers of JavaScript answer in one thread only.
    has_recognizers: bool,
}

#[napi]
impl JsMasker {
    /// Makes a masker that works at once, with what is given in the place of what it would choose.
    ///
    /// @throws `unknown_option`, `invalid_argument`, `unknown_kid`, `invalid_policy`
    #[napi(constructor)]
    pub fn new(
        env: &Env,
        #[napi(ts_arg_type = "MaskerOptions")] options: Option<Unknown<'_>>,
    ) -> napi::Result<Self> {
        done_here(env, || Self::made(options))
    }

    fn made(options: Option<Unknown<'_>>) -> Result<Self, Failure> {
        const KNOWN: [&str; 11] = [
            "policy",
            "surface",
            "keys",
            "vault",
            "scope",
            "reference",
            "recognizers",
            "seed",
            "threads",
            "rowLifetimeMs",
            "wipeBuffers",
        ];
        let Some(options) = Options::read("the options of a masker", options, &KNOWN)? else {
            return Ok(Self { inner: Masker::new()?, has_recognizers: false });
        };
        let mut policy = match options.value("policy")? {
            Some(given) if given.get_type()? == napi::ValueType::String => {
                preset(Text::read(given, "the policy")?.into_string())?
            }
            Some(_) => {
                let given =
                    options.instance::<ClassInstance<'_, JsPolicy>>("policy", "Policy or the name of one")?;
                given.expect("it was just there").inner.clone()
            }
            None => Policy::healthcare_default(),
        };
        if let Some(surface) =
            options.choice("surface", &[("token", Surface::Token), ("alias", Surface::Alias)])?
        {
            policy = policy.with_surface(surface);
        }
        let mut builder = Masker::builder();
        if let Some(keys) = options.instance::<ClassInstance<'_, JsKeyRing>>("keys", "KeyRing")? {
            builder = builder.keys(keys.inner.clone());
        }
        if let Some(vault) = options.instance::<ClassInstance<'_, JsVault>>("vault", "Vault")? {
            builder = builder.vault(vault.inner.clone());
        }
        if let Some(given) = options.text("scope")? {
            builder = builder.scope(scope(&given)?);
        }
        let reference = options.value("reference")?;
        if let Some(reference) = Options::read("the reference", reference, &["agent", "subject"])? {
            let agent = reference.text("agent")?.unwrap_or_default();
            let subject = reference.text("subject")?.unwrap_or_default();
            builder = builder.reference(Reference::new(&agent, &subject));
        }
        let mut has_recognizers = false;
        if let Some(recognizers) = options.instance::<Array<'_>>("recognizers", "array")? {
            for index in 0..recognizers.len() {
                if let Some(recognizer) = recognizers.get::<Unknown<'_>>(index)? {
                    builder = builder.recognizer(Arc::new(JsRecognizer::read(recognizer, &policy)?));
                    has_recognizers = true;
                }
            }
        }
        if let Some(seed) = options.whole("seed", 0)? {
            builder = builder.seed(seed);
        }
        let threads = options.whole("threads", 1)?.map(|most| usize::try_from(most).unwrap_or(usize::MAX));
        if let Some(threads) = threads.and_then(NonZero::new) {
            builder = builder.threads(threads);
        }
        if let Some(lifetime) = options.whole("rowLifetimeMs", 1)? {
            builder = builder.row_lifetime(Duration::from_millis(lifetime));
        }
        builder = builder.wipe_buffers(options.flag("wipeBuffers")?.unwrap_or(false));
        Ok(Self { inner: builder.policy(policy).build()?, has_recognizers })
    }

    /// The policy in force.
    #[napi(getter, ts_return_type = "Policy")]
    pub fn policy(&self) -> JsPolicy {
        JsPolicy { inner: self.inner.policy().clone() }
    }

    /// Whether the keys are gone with this value.
    #[napi(getter)]
    pub fn is_ephemeral(&self) -> bool {
        self.inner.is_ephemeral()
    }

    /// The scope in which tokens are made and restored.
    #[napi(getter)]
    pub fn scope(&self) -> &str {
        self.inner.scope().as_str()
    }

    /// Finds PHI: disjoint findings in order, whatever the policy does with them.
    ///
    /// @throws `too_long`, `recognizer_failed`
    #[napi(ts_return_type = "Array<Finding>")]
    pub fn detect_sync<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] text: Text,
    ) -> napi::Result<Unknown<'env>> {
        here(env, || detect(&self.inner, text.as_str()))
    }

    /// `detectSync` behind a promise.
    #[napi(ts_return_type = "Promise<Array<Finding>>")]
    pub fn detect<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] text: Text,
    ) -> napi::Result<Promised<'env>> {
        let masker = self.inner.clone();
        later(env, move || detect(&masker, text.as_str()))
    }

    /// Finds PHI in many texts, on all cores; the answers keep the order.
    #[napi(ts_return_type = "Array<Array<Finding>>")]
    pub fn detect_batch_sync<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "ReadonlyArray<string>")] texts: Vec<Text>,
    ) -> napi::Result<Unknown<'env>> {
        here(env, || self.detect_all(&texts))
    }

    /// `detectBatchSync` behind a promise.
    #[napi(ts_return_type = "Promise<Array<Array<Finding>>>")]
    pub fn detect_batch<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "ReadonlyArray<string>")] texts: Vec<Text>,
    ) -> napi::Result<Promised<'env>> {
        let masker = self.clone();
        later(env, move || masker.detect_all(&texts))
    }

    /// Finds PHI in the value of a named field: the name is read as a label of the value.
    #[napi(ts_return_type = "Array<Finding>")]
    pub fn detect_field_sync<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] name: Text,
        #[napi(ts_arg_type = "string")] text: Text,
    ) -> napi::Result<Unknown<'env>> {
        here(env, || detect_field(&self.inner, name.as_str(), text.as_str()))
    }

    /// `detectFieldSync` behind a promise.
    #[napi(ts_return_type = "Promise<Array<Finding>>")]
    pub fn detect_field<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] name: Text,
        #[napi(ts_arg_type = "string")] text: Text,
    ) -> napi::Result<Promised<'env>> {
        let masker = self.inner.clone();
        later(env, move || detect_field(&masker, name.as_str(), text.as_str()))
    }

    /// Replaces PHI as the policy says. Vault rows are stored before this returns.
    ///
    /// @throws `blocked_by_policy`, `unknown_kid`, `vault_failed`, `recognizer_failed`, `too_long`, and then there is no text
    #[napi(ts_return_type = "Masked")]
    pub fn mask_sync<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] text: Text,
    ) -> napi::Result<Unknown<'env>> {
        here(env, || mask(&self.inner, text.as_str()))
    }

    /// `maskSync` behind a promise.
    #[napi(ts_return_type = "Promise<Masked>")]
    pub fn mask<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] text: Text,
    ) -> napi::Result<Promised<'env>> {
        let masker = self.inner.clone();
        later(env, move || mask(&masker, text.as_str()))
    }

    /// Masks many texts on all cores; the answers keep the order.
    #[napi(ts_return_type = "Array<Masked>")]
    pub fn mask_batch_sync<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "ReadonlyArray<string>")] texts: Vec<Text>,
    ) -> napi::Result<Unknown<'env>> {
        here(env, || self.mask_all(&texts))
    }

    /// `maskBatchSync` behind a promise.
    #[napi(ts_return_type = "Promise<Array<Masked>>")]
    pub fn mask_batch<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "ReadonlyArray<string>")] texts: Vec<Text>,
    ) -> napi::Result<Promised<'env>> {
        let masker = self.clone();
        later(env, move || masker.mask_all(&texts))
    }

    /// Masks the value of a named field: the name is read as a label of the value.
    #[napi(ts_return_type = "Masked")]
    pub fn mask_field_sync<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] name: Text,
        #[napi(ts_arg_type = "string")] text: Text,
    ) -> napi::Result<Unknown<'env>> {
        here(env, || mask_field(&self.inner, name.as_str(), text.as_str()))
    }

    /// `maskFieldSync` behind a promise.
    #[napi(ts_return_type = "Promise<Masked>")]
    pub fn mask_field<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] name: Text,
        #[napi(ts_arg_type = "string")] text: Text,
    ) -> napi::Result<Promised<'env>> {
        let masker = self.inner.clone();
        later(env, move || mask_field(&masker, name.as_str(), text.as_str()))
    }

    /// Masks many values of one field, such as a column of a table, on all cores; the answers keep the order.
    #[napi(ts_return_type = "Array<Masked>")]
    pub fn mask_field_batch_sync<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] name: Text,
        #[napi(ts_arg_type = "ReadonlyArray<string>")] texts: Vec<Text>,
    ) -> napi::Result<Unknown<'env>> {
        here(env, || self.mask_fields(name.as_str(), &texts))
    }

    /// `maskFieldBatchSync` behind a promise.
    #[napi(ts_return_type = "Promise<Array<Masked>>")]
    pub fn mask_field_batch<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] name: Text,
        #[napi(ts_arg_type = "ReadonlyArray<string>")] texts: Vec<Text>,
    ) -> napi::Result<Promised<'env>> {
        let masker = self.clone();
        later(env, move || masker.mask_fields(name.as_str(), &texts))
    }

    /// Puts originals back in the place of tokens. A token that cannot be restored becomes `[REDACTED:KIND]` and is counted.
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
        let masker = self.inner.clone();
        later(env, move || Ok(masker.rehydrate(text.as_str())?))
    }

    /// Restores many texts on all cores; the answers keep the order.
    #[napi(ts_return_type = "Array<Restored>")]
    pub fn rehydrate_batch_sync<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "ReadonlyArray<string>")] texts: Vec<Text>,
    ) -> napi::Result<Unknown<'env>> {
        here(env, || Ok(self.inner.rehydrate_batch(&texts)?))
    }

    /// `rehydrateBatchSync` behind a promise.
    #[napi(ts_return_type = "Promise<Array<Restored>>")]
    pub fn rehydrate_batch<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "ReadonlyArray<string>")] texts: Vec<Text>,
    ) -> napi::Result<Promised<'env>> {
        let masker = self.inner.clone();
        later(env, move || Ok(masker.rehydrate_batch(&texts)?))
    }

    /// Tells what every pass found, and which of it was acted on: for tuning a policy.
    #[napi(ts_return_type = "Array<Explanation>")]
    pub fn explain_sync<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] text: Text,
    ) -> napi::Result<Unknown<'env>> {
        here(env, || Ok(Plain(explanations(&self.inner.explain(text.as_str())?, text.as_str()))))
    }

    /// `explainSync` behind a promise.
    #[napi(ts_return_type = "Promise<Array<Explanation>>")]
    pub fn explain<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] text: Text,
    ) -> napi::Result<Promised<'env>> {
        let masker = self.inner.clone();
        later(env, move || Ok(Plain(explanations(&masker.explain(text.as_str())?, text.as_str()))))
    }

    /// Masks the strings of a JSON text, its long whole numbers, and keys that are no plain identifiers. What is not
    /// replaced keeps its bytes.
    ///
    /// @throws `not_json`, `too_deep`, and as `maskSync`
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
        let masker = self.inner.clone();
        later(env, move || Ok(mask_json(&mut InUnits(&masker), json.as_str(), &rules)?))
    }

    /// Puts originals back into a JSON text, escaped so that it stays JSON.
    ///
    /// @throws `not_json`, `too_deep`, `vault_failed`
    #[napi(ts_return_type = "RestoredPayload")]
    pub fn rehydrate_json_sync<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] json: Text,
    ) -> napi::Result<Unknown<'env>> {
        here(env, || Ok(self.inner.rehydrate_json(json.as_str())?))
    }

    /// `rehydrateJsonSync` behind a promise.
    #[napi(ts_return_type = "Promise<RestoredPayload>")]
    pub fn rehydrate_json<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] json: Text,
    ) -> napi::Result<Promised<'env>> {
        let masker = self.inner.clone();
        later(env, move || Ok(masker.rehydrate_json(json.as_str())?))
    }

    /// Masks a chat: a request or reply of OpenAI chat completions, OpenAI responses or Anthropic messages, or a list of
    /// messages, as JSON text.
    ///
    /// @throws `not_json`, `not_a_chat`, `unmaskable_content`, `too_deep`, and as `maskSync`
    #[napi(ts_return_type = "MaskedPayload")]
    pub fn mask_chat_sync<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] json: Text,
    ) -> napi::Result<Unknown<'env>> {
        here(env, || Ok(mask_chat(&mut InUnits(&self.inner), self.inner.policy().non_text(), json.as_str())?))
    }

    /// `maskChatSync` behind a promise.
    #[napi(ts_return_type = "Promise<MaskedPayload>")]
    pub fn mask_chat<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string")] json: Text,
    ) -> napi::Result<Promised<'env>> {
        let masker = self.inner.clone();
        later(env, move || Ok(mask_chat(&mut InUnits(&masker), masker.policy().non_text(), json.as_str())?))
    }

    /// Puts originals back into a chat, mostly a reply; the arguments of tool calls stay JSON.
    ///
    /// @throws `not_json`, `not_a_chat`, `too_deep`, `vault_failed`
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
        let masker = self.inner.clone();
        later(env, move || Ok(masker.rehydrate_chat(json.as_str())?))
    }

    /// Begins a conversation: turns that share context, tokens and aliases. Under `token_scope: session` the id is the scope of
    /// its tokens; without one it is random.
    #[napi(ts_return_type = "Conversation")]
    pub fn conversation(
        &self,
        env: &Env,
        #[napi(ts_arg_type = "string")] id: Option<Text>,
    ) -> napi::Result<JsConversation> {
        let id = match id {
            Some(id) => id.into_string(),
            None => prelude::with(env, |prelude| prelude.random_id(env))?,
        };
        Ok(JsConversation::of(self.clone(), self.inner.conversation(&id)))
    }

    /// How many nanoseconds one call of `maskSync` takes in Rust alone, without the border; the mean of `count` calls.
    ///
    /// @internal
    #[napi]
    pub fn time_of_mask(
        &self,
        env: &Env,
        #[napi(ts_arg_type = "string")] text: Text,
        count: u32,
    ) -> napi::Result<f64> {
        done_here(env, || {
            let start = std::time::Instant::now();
            for _ in 0..count {
                std::hint::black_box(self.inner.mask(std::hint::black_box(text.as_str()))?);
            }
            Ok(start.elapsed().as_nanos() as f64 / f64::from(count.max(1)))
        })
    }

    fn detect_all(&self, texts: &[Text]) -> Result<Vec<Findings>, Failure> {
        if self.has_recognizers {
            return texts.iter().map(|text| detect(&self.inner, text.as_str())).collect();
        }
        let found = self.inner.detect_batch(texts)?;
        Ok(found.into_iter().zip(texts).map(|(found, text)| Findings::of(found, text.as_str())).collect())
    }

    fn mask_all(&self, texts: &[Text]) -> Result<Vec<masker_core::Masked>, Failure> {
        if self.has_recognizers {
            return texts.iter().map(|text| mask(&self.inner, text.as_str())).collect();
        }
        Ok(self.inner.mask_batch_map(texts, |text, masked| masked_in_units(masked, text.as_str()))?)
    }

    fn mask_fields(&self, name: &str, texts: &[Text]) -> Result<Vec<masker_core::Masked>, Failure> {
        if self.has_recognizers {
            return texts.iter().map(|text| mask_field(&self.inner, name, text.as_str())).collect();
        }
        Ok(all_in_units(self.inner.mask_field_batch(name, texts)?, texts))
    }
}

fn all_in_units(masked: Vec<masker_core::Masked>, texts: &[Text]) -> Vec<masker_core::Masked> {
    masked.into_iter().zip(texts).map(|(masked, text)| masked_in_units(masked, text.as_str())).collect()
}

fn detect(masker: &Masker, text: &str) -> Result<Findings, Failure> {
    Ok(Findings::of(masker.detect(text)?, text))
}

fn detect_field(masker: &Masker, name: &str, text: &str) -> Result<Findings, Failure> {
    Ok(Findings::of(masker.detect_field(name, text)?, text))
}

fn mask(masker: &Masker, text: &str) -> Result<masker_core::Masked, Failure> {
    let masked = masker.mask(text).map_err(|error| Failure::of(error, text))?;
    Ok(masked_in_units(masked, text))
}

fn mask_field(masker: &Masker, name: &str, text: &str) -> Result<masker_core::Masked, Failure> {
    let masked = masker.mask_field(name, text).map_err(|error| Failure::of(error, text))?;
    Ok(masked_in_units(masked, text))
}

pub(crate) fn json_rules(rules: Option<Unknown<'_>>) -> Result<JsonRules, Failure> {
    let Some(options) = Options::read("the rules", rules, &["otherwise", "mask", "leave"])? else {
        return Ok(JsonRules::everything());
    };
    let masks = match options.value("otherwise")? {
        Some(otherwise) => {
            choice("\"otherwise\" of the rules", otherwise, &[("mask", true), ("leave", false)])?
        }
        None => true,
    };
    let mut rules = if masks { JsonRules::everything() } else { JsonRules::nothing() };
    for name in ["mask", "leave"] {
        let Some(pointers) = options.instance::<Array<'_>>(name, "array")? else { continue };
        for index in 0..pointers.len() {
            let Some(pointer) = pointers.get::<Unknown<'_>>(index)? else { continue };
            let pointer = Text::read(pointer, "a pointer")?;
            let pointer: Pointer = pointer
                .as_str()
                .parse()
                .map_err(|error: ParsePointerError| Failure::Argument(error.to_string()))?;
            rules = if name == "mask" { rules.mask(pointer) } else { rules.leave(pointer) };
        }
    }
    Ok(rules)
}
