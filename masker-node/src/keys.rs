use masker_core::{
    FileKeys, KeyProvider as _, KeyRing, KeyRingBuilder, Kid, Kind, OldKey as CoreOldKey, Token, seal, unseal,
};
use napi::bindgen_prelude::{Array, Either, JsObjectValue, JsValue, Object, Unknown};
use napi::{Env, ValueType};
use napi_derive::napi;
use zeroize::{Zeroize, Zeroizing};

use crate::errors::Failure;
use crate::options::Options;
use crate::text::{Answer, Text, bytes};
use crate::vault::scope;
use crate::work::done_here;

/// Keys by key id: one active key each, and any number of old ones that still open what they sealed.
///
/// ```js
/// const keys = KeyRing.fromEnv() // MASKER_KEY_K_HEALTHCARE holds 32 bytes in base64
/// ```
#[napi(js_name = "KeyRing")]
pub struct JsKeyRing {
    pub(crate) inner: KeyRing,
}

#[napi]
impl JsKeyRing {
    /// Takes keys of 32 bytes by their key ids, each as bytes or as base64. Old keys open what they sealed and seal nothing.
    ///
    /// @throws `invalid_key`
    #[napi(constructor)]
    pub fn new(
        env: &Env,
        #[napi(ts_arg_type = "Record<string, KeyBytes | { active: KeyBytes, old?: KeyBytes[] }>")]
        keys: Unknown<'_>,
    ) -> napi::Result<Self> {
        done_here(env, || {
            let mut builder = KeyRing::builder();
            if keys.get_type()? != ValueType::Object {
                return Err(Failure::Argument("the keys must be an object of keys by key id".to_owned()));
            }
            let keys = keys.coerce_to_object()?;
            for name in Object::keys(&keys)? {
                let kid = kid(&name)?;
                let value: Unknown<'_> = keys.get_named_property(&name)?;
                let of_old = value.get_type()? == ValueType::Object && !value.is_typedarray()?;
                if !of_old {
                    builder = with_key(builder, &kid, value, Age::Active)?;
                    continue;
                }
                let both = Options::object("a key", value, &["active", "old"])?;
                let active = both.value("active")?;
                let active =
                    active.ok_or_else(|| Failure::Argument(format!("the key {kid} has no \"active\"")))?;
                builder = with_key(builder, &kid, active, Age::Active)?;
                let Some(old) = both.value("old")? else { continue };
                if !old.is_array()? {
                    return Err(Failure::Argument(format!("\"old\" of the key {kid} must be an array")));
                }
                let old: Array<'_> = both.instance("old", "array")?.expect("it was just there");
                for index in 0..old.len() {
                    if let Some(key) = old.get::<Unknown<'_>>(index)? {
                        builder = with_key(builder, &kid, key, Age::Old)?;
                    }
                }
            }
            Ok(Self { inner: builder.build()? })
        })
    }

    /// One random key under the key id `EPHEMERAL`. What it makes cannot be restored once the ring is gone.
    #[napi]
    pub fn ephemeral(env: &Env) -> napi::Result<Self> {
        done_here(env, || Ok(Self { inner: KeyRing::ephemeral()? }))
    }

    /// Reads `MASKER_KEY_<KID>` (the active key, base64 of 32 bytes), `MASKER_KEY_<KID>_OLD` (old ones, comma-separated)
    /// and their forms ending in `_FILE`, from the environment of the process or from `variables`.
    ///
    /// @throws `invalid_key`
    #[napi]
    pub fn from_env(
        env: &Env,
        #[napi(ts_arg_type = "Record<string, string | undefined>")] variables: Option<Unknown<'_>>,
    ) -> napi::Result<Self> {
        done_here(env, || {
            let Some(variables) =
                variables.filter(|v| v.get_type().is_ok_and(|kind| kind != ValueType::Undefined))
            else {
                return Ok(Self { inner: KeyRing::from_vars(std::env::vars_os())? });
            };
            let variables = variables.coerce_to_object()?;
            let mut given = Vec::new();
            for name in Object::keys(&variables)?.into_iter().filter(|name| name.starts_with("MASKER_KEY_")) {
                let value: Unknown<'_> = variables.get_named_property(&name)?;
                if value.get_type()? != ValueType::Undefined {
                    let value = Text::read(value, &name)?.into_string();
                    given.push((name, value));
                }
            }
            Ok(Self { inner: KeyRing::from_vars(given)? })
        })
    }

    /// Reads a file of such variables, one `NAME=value` a line; empty lines and lines that begin with `#` do not count.
    ///
    /// @throws `invalid_key`
    #[napi]
    pub fn from_path(env: &Env, #[napi(ts_arg_type = "string")] path: Text) -> napi::Result<Self> {
        done_here(env, || Ok(Self { inner: FileKeys::new(path.as_str()).load()? }))
    }

    /// The key ids, in order.
    #[napi(getter)]
    pub fn kids(&self) -> Vec<&str> {
        self.inner.kids().map(Kid::as_str).collect()
    }

    /// Whether the only key is random and gone with the ring.
    #[napi(getter)]
    pub fn is_ephemeral(&self) -> bool {
        self.inner.is_ephemeral()
    }

    /// Whether there is a key under a key id.
    #[napi]
    pub fn has(&self, #[napi(ts_arg_type = "string")] kid: Text) -> bool {
        kid.as_str().parse().is_ok_and(|kid: Kid| self.inner.contains(&kid))
    }

    /// The old keys, by key id and then as they were given.
    #[napi(getter)]
    pub fn old_keys(&self) -> Vec<OldKey> {
        self.inner.old_keys().map(OldKey::from).collect()
    }

    /// For how many days after a rotation an old key is expected to be needed: 30 unless set.
    #[napi(getter)]
    pub fn grace_days(&self) -> u32 {
        self.inner.grace_days()
    }

    /// The old keys with a date whose grace period is over at `now`, milliseconds since 1970. They still open what they sealed: a
    /// warning is due, not a refusal.
    #[napi]
    pub fn overdue(&self, now: f64) -> Vec<OldKey> {
        self.inner.overdue(now as i64, |_| None).into_iter().map(OldKey::from).collect()
    }

    /// A `MSK1` token that carries a text, encrypted and authenticated; nothing where it is longer than 5,087 bytes.
    ///
    /// @throws `unknown_kid`, `invalid_argument`, `unknown_option`
    #[napi(ts_return_type = "string | undefined")]
    pub fn seal(
        &self,
        env: &Env,
        #[napi(ts_arg_type = "string")] kid: Text,
        #[napi(ts_arg_type = "Kind")] kind: Text,
        #[napi(ts_arg_type = "string")] text: Text,
        #[napi(ts_arg_type = "SealOptions")] options: Option<Unknown<'_>>,
    ) -> napi::Result<Either<String, ()>> {
        done_here(env, || {
            let options = Options::read("the options of a seal", options, &["scope", "deterministic"])?;
            let deterministic = match &options {
                Some(options) => options.flag("deterministic")?.unwrap_or(false),
                None => false,
            };
            let scope = options.map_or(Ok(None), |options| options.text("scope"))?.unwrap_or_default();
            let kind: Kind = kind
                .as_str()
                .parse()
                .map_err(|error: masker_core::kinds::ParseKindError| Failure::Argument(error.to_string()))?;
            let kid = self::kid(kid.as_str())?;
            let scope = self::scope(&scope)?;
            let token = seal(&self.inner, &scope, &kind, &kid, text.as_str(), deterministic)?;
            Ok(token.map_or(Either::B(()), |token| Either::A(token.text().to_owned())))
        })
    }

    /// The text of a token that `seal` made.
    ///
    /// @throws `invalid_token` where it does not open: forged, damaged, or of another key or scope; `invalid_argument` where it is
    /// no token
    #[napi(ts_return_type = "string")]
    pub fn unseal(
        &self,
        env: &Env,
        #[napi(ts_arg_type = "string")] token: Text,
        #[napi(ts_arg_type = "{ scope?: string }")] options: Option<Unknown<'_>>,
    ) -> napi::Result<Answer<String>> {
        done_here(env, || {
            let options = Options::read("the options of an unseal", options, &["scope"])?;
            let scope = options.map_or(Ok(None), |options| options.text("scope"))?.unwrap_or_default();
            let token: Token = token
                .as_str()
                .parse()
                .map_err(|error: masker_core::ParseTokenError| Failure::Argument(error.to_string()))?;
            let text =
                unseal(&self.inner, &self::scope(&scope)?, &token).map_err(masker_core::Error::from)?;
            Ok(Answer(text.expose().to_owned()))
        })
    }

    /// A name for a person or thing that says nothing about it, for `reference.subject`: a keyed hash of `id`.
    ///
    /// @throws `unknown_kid`
    #[napi]
    pub fn pseudonym(
        &self,
        env: &Env,
        #[napi(ts_arg_type = "string")] kid: Text,
        #[napi(ts_arg_type = "string")] id: Text,
    ) -> napi::Result<String> {
        done_here(env, || Ok(self.inner.pseudonym(&self::kid(kid.as_str())?, id.as_str())?))
    }
}

/// How a text is sealed into a token.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct SealOptions {
    /// Where the token opens.
    pub scope: Option<String>,
    /// Whether equal texts give equal tokens.
    pub deterministic: Option<bool>,
}

/// An old key of a ring, without the key.
#[napi(object, object_from_js = false)]
pub struct OldKey {
    /// The key id it belongs to.
    pub kid: String,
    /// Names the key and tells nothing of it.
    pub fingerprint: String,
    /// Since when it is not the active key, milliseconds since 1970, where that is known (`KEY@2026-01-31`).
    pub retired: Option<f64>,
}

impl From<&CoreOldKey> for OldKey {
    fn from(key: &CoreOldKey) -> Self {
        Self {
            kid: key.kid.to_string(),
            fingerprint: key.fingerprint.clone(),
            retired: key.retired.map(|time| time as f64),
        }
    }
}

pub(crate) fn kid(text: &str) -> Result<Kid, Failure> {
    text.parse().map_err(|error: masker_core::ParseKidError| Failure::Argument(error.to_string()))
}

#[derive(Clone, Copy)]
enum Age {
    Active,
    Old,
}

fn with_key(
    builder: KeyRingBuilder,
    kid: &Kid,
    value: Unknown<'_>,
    age: Age,
) -> Result<KeyRingBuilder, Failure> {
    let what = format!("the key {kid}");
    if value.get_type()? == ValueType::String {
        let text = Zeroizing::new(Text::read(value, &what)?.into_string());
        return Ok(match age {
            Age::Active => builder.key_base64(kid, &text),
            Age::Old => builder.old_key_base64(kid, &text),
        });
    }
    let given = Zeroizing::new(bytes(value, &what)?);
    let mut key: [u8; 32] = given
        .as_slice()
        .try_into()
        .map_err(|_| Failure::from(masker_core::KeyError::InvalidKey { origin: what }))?;
    let builder = match age {
        Age::Active => builder.key(kid, key),
        Age::Old => builder.old_key(kid, key),
    };
    key.zeroize();
    Ok(builder)
}
