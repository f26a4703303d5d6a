//! Options: plain objects, in which every unknown name is refused.

use std::cmp::Reverse;

use napi::bindgen_prelude::{FromNapiValue, JsObjectValue, Object, Unknown, ValidateNapiValue};
use napi::{Env, JsValue, ValueType};

use crate::errors::Failure;
use crate::text::Text;
use crate::work::done_here;

/// Refuses options with a name that is not among the `known`, for the parts of this package that are written in TypeScript.
///
/// @internal
#[napi_derive::napi]
pub fn refuse_unknown(
    env: &Env,
    #[napi(ts_arg_type = "string")] of: Text,
    #[napi(ts_arg_type = "object | undefined")] options: Option<Unknown<'_>>,
    #[napi(ts_arg_type = "ReadonlyArray<string>")] known: Vec<Text>,
) -> napi::Result<()> {
    done_here(env, || {
        let known: Vec<&str> = known.iter().map(Text::as_str).collect();
        Options::read(of.as_str(), options, &known).map(drop)
    })
}

/// An object with options.
pub(crate) struct Options<'env> {
    of: String,
    object: Object<'env>,
}

impl<'env> Options<'env> {
    /// Reads the options called `of`; nothing where there are none.
    ///
    /// # Errors
    ///
    /// When the value is no object, or has a member that is not among the `known`.
    pub(crate) fn read(
        of: &str,
        value: Option<Unknown<'env>>,
        known: &[&str],
    ) -> Result<Option<Self>, Failure> {
        let Some(value) = value else { return Ok(None) };
        if matches!(value.get_type()?, ValueType::Undefined | ValueType::Null) {
            return Ok(None);
        }
        Self::object(of, value, known).map(Some)
    }

    /// Reads an object that must be there.
    pub(crate) fn object(of: &str, value: Unknown<'env>, known: &[&str]) -> Result<Self, Failure> {
        if value.get_type()? != ValueType::Object || value.is_array()? {
            return Err(Failure::Argument(format!("{of} must be an object")));
        }
        let object = value.coerce_to_object()?;
        for name in Object::keys(&object)? {
            if !known.contains(&name.as_str()) {
                return Err(unknown_name(of, name, known.iter().copied()));
            }
        }
        Ok(Self { of: of.to_owned(), object })
    }

    /// A member, unless it is undefined.
    pub(crate) fn value(&self, name: &str) -> Result<Option<Unknown<'env>>, Failure> {
        let value: Unknown<'env> = self.object.get_named_property(name)?;
        Ok((value.get_type()? != ValueType::Undefined).then_some(value))
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        let value = self.value(name)?;
        value.map(|value| Ok(Text::read(value, &self.name(name))?.into_string())).transpose()
    }

    /// A name of a list.
    pub(crate) fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<Option<T>, Failure> {
        let Some(value) = self.value(name)? else { return Ok(None) };
        choice(&self.name(name), value, choices).map(Some)
    }

    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Failure> {
        let Some(value) = self.value(name)? else { return Ok(None) };
        match value.get_type()? {
            ValueType::Boolean => Ok(Some(value.coerce_to_bool()?)),
            _ => Err(Failure::Argument(format!("{} must be true or false", self.name(name)))),
        }
    }

    /// A whole number from `least` to 2⁵³ - 1.
    pub(crate) fn whole(&self, name: &str, least: u64) -> Result<Option<u64>, Failure> {
        let Some(value) = self.value(name)? else { return Ok(None) };
        whole(&self.name(name), value, least).map(Some)
    }

    /// A member of a class of this module.
    pub(crate) fn instance<T: FromNapiValue + ValidateNapiValue>(
        &self,
        name: &str,
        class: &str,
    ) -> Result<Option<T>, Failure> {
        if self.value(name)?.is_none() {
            return Ok(None);
        }
        match self.object.get_named_property::<T>(name) {
            Ok(instance) => Ok(Some(instance)),
            Err(_) => Err(Failure::Argument(format!("{} must be a {class}", self.name(name)))),
        }
    }

    /// How messages call a member.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{:?} of {}", name, self.of)
    }
}

/// One of a list of names.
pub(crate) fn choice<T: Copy>(what: &str, value: Unknown<'_>, choices: &[(&str, T)]) -> Result<T, Failure> {
    let text = Text::read(value, what)?.into_string();
    if let Some((_, chosen)) = choices.iter().find(|(name, _)| *name == text) {
        return Ok(*chosen);
    }
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    let mut message = format!("{what} must be one of {}", names.join(", "));
    if let Some(nearest) = nearest(&text, names.into_iter()) {
        message = format!("{message}; did you mean {nearest:?}?");
    }
    Err(Failure::Argument(message))
}

/// A whole number from `least` to 2⁵³ - 1.
pub(crate) fn whole(what: &str, value: Unknown<'_>, least: u64) -> Result<u64, Failure> {
    const MOST: f64 = 9_007_199_254_740_991.0;
    if value.get_type()? == ValueType::Number {
        let number = value.coerce_to_number()?.get_double()?;
        if number.fract() == 0.0 && number >= least as f64 && number <= MOST {
            return Ok(number as u64);
        }
    }
    Err(Failure::Argument(format!("{what} must be a whole number from {least}")))
}

/// The failure for a name that is not known.
pub(crate) fn unknown_name<'k>(of: &str, name: String, known: impl Iterator<Item = &'k str>) -> Failure {
    let nearest = nearest(&name, known).map(str::to_owned);
    // A name that is far from all others may be anything.
    let name = if name.len() <= 64 { name } else { "a name of more than 64 bytes".to_owned() };
    Failure::Option { of: of.to_owned(), name, nearest }
}

/// The known name that was probably meant.
fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let name = name.to_lowercase();
    let alike = |known: &str| {
        let known = known.to_lowercase();
        let shared = known.chars().zip(name.chars()).take_while(|(a, b)| a == b).count();
        // Of two as near the one that begins the same.
        (strsim::osa_distance(&known, &name), Reverse(shared))
    };
    known
        .map(|known| (alike(known), known))
        .min()
        .filter(|((distance, _), known)| *distance <= 1 + known.len() / 4)
        .map(|(_, known)| known)
}
