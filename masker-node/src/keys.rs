use masker_core::{KeyRing, KeyRingBuilder, Kid};
use napi::bindgen_prelude::{Array, JsObjectValue, JsValue, Object, Unknown};
use napi::{Env, ValueType};
use napi_derive::napi;
use zeroize::{Zeroize, Zeroizing};

use crate::errors::Failure;
use crate::options::Options;
use crate::text::{Text, bytes};
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
