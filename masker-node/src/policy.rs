use masker_core::policy::{Change, Surface};
use masker_core::{Kind, Policy, PolicyErrors, Scheme};
use napi::bindgen_prelude::{Either, Unknown};
use napi::{Env, ValueType};
use napi_derive::napi;

use crate::errors::{Failure, PolicyProblem};
use crate::options::{unknown_name, whole};
use crate::report::Plain;
use crate::text::Text;
use crate::work::{Promised, done_here, here, later};

/// What is looked for and what happens to it. Immutable.
///
/// ```js
/// const policy = Policy.preset('healthcare-default').withSurface('alias')
/// ```
#[derive(Clone)]
#[napi(js_name = "Policy")]
pub struct JsPolicy {
    pub(crate) inner: Policy,
}

#[napi]
impl JsPolicy {
    /// Checks a policy written in YAML. No file is read.
    ///
    /// @throws `invalid_policy`, with every mistake in `problems`
    #[napi(constructor)]
    pub fn new(env: &Env, #[napi(ts_arg_type = "string")] yaml: Text) -> napi::Result<Self> {
        done_here(env, || Ok(Self { inner: Policy::from_yaml(yaml.as_str())? }))
    }

    /// Reads and checks a policy file and the dictionary files beside it.
    ///
    /// @throws `invalid_policy`
    #[napi(ts_return_type = "Policy")]
    pub fn from_path_sync<'env>(
        env: &'env Env,
        #[napi(ts_arg_type = "string")] path: Text,
    ) -> napi::Result<Unknown<'env>> {
        here(env, || from_path(path.as_str()))
    }

    /// `fromPathSync` behind a promise.
    #[napi(ts_return_type = "Promise<Policy>")]
    pub fn from_path<'env>(
        env: &'env Env,
        #[napi(ts_arg_type = "string")] path: Text,
    ) -> napi::Result<Promised<'env>> {
        later(env, move || from_path(path.as_str()))
    }

    /// A shipped policy.
    ///
    /// @throws `invalid_argument`
    #[napi]
    pub fn preset(env: &Env, #[napi(ts_arg_type = "PresetName")] name: Text) -> napi::Result<Self> {
        done_here(env, || Ok(Self { inner: preset(name.into_string())? }))
    }

    /// The names of the shipped policies.
    #[napi(ts_return_type = "Array<PresetName>")]
    pub fn preset_names() -> Vec<&'static str> {
        Policy::preset_names().collect()
    }

    /// The commented YAML of a shipped policy, to begin one's own with.
    ///
    /// @throws `invalid_argument`
    #[napi]
    pub fn preset_source(
        env: &Env,
        #[napi(ts_arg_type = "PresetName")] name: Text,
    ) -> napi::Result<&'static str> {
        done_here(env, || Policy::preset_source(name.as_str()).ok_or_else(|| no_preset(name.into_string())))
    }

    /// The JSON Schema (draft 7) of the policy file, for editors. Loading finds what needs two places at once, too.
    #[napi]
    pub fn schema() -> &'static str {
        Policy::schema()
    }

    /// Every mistake of a policy written in YAML, at most 100; none where it is valid.
    #[napi]
    pub fn check(#[napi(ts_arg_type = "string")] yaml: Text) -> Vec<PolicyProblem> {
        let problems = |errors: PolicyErrors| errors.iter().map(PolicyProblem::from).collect();
        Policy::from_yaml(yaml.as_str()).err().map(problems).unwrap_or_default()
    }

    /// The name in the file.
    #[napi(getter)]
    pub fn name(&self) -> &str {
        self.inner.name()
    }

    /// The version of the format.
    #[napi(getter)]
    pub fn version(&self) -> u32 {
        self.inner.version()
    }

    /// The description in the file.
    #[napi(getter)]
    pub fn description(&self) -> &str {
        self.inner.description()
    }

    /// How tokens are made, where a kind says nothing else.
    #[napi(getter, ts_return_type = "Scheme")]
    pub fn scheme(&self) -> &'static str {
        self.inner.scheme().as_str()
    }

    /// What stands in a masked text of a conversation: durable tokens or short aliases.
    #[napi(getter, ts_return_type = "Surface")]
    pub fn surface(&self) -> &'static str {
        self.inner.surface().as_str()
    }

    /// What becomes of images, sound and files in chats.
    #[napi(getter, ts_return_type = "'reject' | 'drop' | 'pass'")]
    pub fn non_text(&self) -> &'static str {
        self.inner.non_text().as_str()
    }

    /// The key ids that a masker with this policy needs.
    #[napi(getter)]
    pub fn kids(&self) -> Vec<&str> {
        self.inner.kids()
    }

    /// The kinds that are looked for.
    #[napi(getter, ts_return_type = "Array<Kind>")]
    pub fn kinds(&self) -> Vec<&str> {
        let on = self.inner.entities().iter().filter(|entity| entity.enabled);
        on.map(|entity| entity.kind.as_str()).collect()
    }

    /// The key id of its tokens, where a kind says nothing else.
    #[napi(getter)]
    pub fn kid(&self) -> &str {
        self.inner.kid()
    }

    /// Within what equal values get equal tokens.
    #[napi(getter, ts_return_type = "'kid' | 'agent' | 'session'")]
    pub fn token_scope(&self) -> &'static str {
        self.inner.token_scope().as_str()
    }

    /// Which spellings of a value count as equal.
    #[napi(getter, ts_return_type = "'value' | 'exact'")]
    pub fn normalization(&self) -> &'static str {
        self.inner.normalization().as_str()
    }

    /// Warnings and notes that do not stop it from loading.
    #[napi(getter)]
    pub fn notices(&self) -> Vec<PolicyProblem> {
        self.inner.notices().iter().map(PolicyProblem::from).collect()
    }

    /// What happens to a kind; nothing where it is off.
    ///
    /// @throws `invalid_argument`
    #[napi(ts_return_type = "Action | undefined")]
    pub fn action(
        &self,
        env: &Env,
        #[napi(ts_arg_type = "Kind")] kind: Text,
    ) -> napi::Result<Either<&'static str, ()>> {
        done_here(env, || {
            let kind: Kind = kind
                .as_str()
                .parse()
                .map_err(|error: masker_core::kinds::ParseKindError| Failure::Argument(error.to_string()))?;
            let entity = self.inner.entity(&kind).filter(|entity| entity.enabled);
            Ok(entity.map_or(Either::B(()), |entity| Either::A(entity.action.as_str())))
        })
    }

    /// What changes from this policy to `next`: defaults, order of fields and comments do not count.
    #[napi]
    pub fn diff(&self, next: &JsPolicy) -> Vec<PolicyChange> {
        self.inner.diff(&next.inner).changes().iter().map(PolicyChange::from).collect()
    }

    /// The policy with another scheme, for kinds that have their own too.
    ///
    /// @throws `invalid_argument`
    #[napi]
    pub fn with_scheme(&self, env: &Env, #[napi(ts_arg_type = "Scheme")] scheme: Text) -> napi::Result<Self> {
        done_here(env, || {
            let scheme = named::<Scheme>("the scheme", scheme.as_str())?;
            Ok(Self { inner: self.inner.clone().with_scheme(scheme) })
        })
    }

    /// The policy with durable tokens or with aliases in the text of conversations.
    ///
    /// @throws `invalid_argument`
    #[napi]
    pub fn with_surface(
        &self,
        env: &Env,
        #[napi(ts_arg_type = "Surface")] surface: Text,
    ) -> napi::Result<Self> {
        done_here(env, || {
            let surface = named::<Surface>("the surface", surface.as_str())?;
            Ok(Self { inner: self.inner.clone().with_surface(surface) })
        })
    }

    /// The policy with other passes, as a comma list: `regex,dictionary`.
    ///
    /// @throws `invalid_policy`
    #[napi]
    pub fn with_passes(&self, env: &Env, #[napi(ts_arg_type = "string")] passes: Text) -> napi::Result<Self> {
        done_here(env, || Ok(Self { inner: self.inner.clone().with_passes(passes.as_str())? }))
    }

    /// The policy with one threshold, 0 to 1, for every kind and pass.
    ///
    /// @throws `invalid_policy`
    #[napi]
    pub fn with_threshold(&self, env: &Env, threshold: f64) -> napi::Result<Self> {
        done_here(env, || Ok(Self { inner: self.inner.clone().with_threshold(threshold)? }))
    }

    /// The policy with a fixed seed for synthetic values, or with none.
    ///
    /// @throws `invalid_argument`
    #[napi]
    pub fn with_seed(
        &self,
        env: &Env,
        #[napi(ts_arg_type = "number | undefined")] seed: Option<Unknown<'_>>,
    ) -> napi::Result<Self> {
        done_here(env, || {
            let given = seed.filter(|seed| seed.get_type().is_ok_and(|kind| kind != ValueType::Undefined));
            let seed = given.map(|seed| whole("the seed", seed, 0)).transpose()?;
            Ok(Self { inner: self.inner.clone().with_seed(seed) })
        })
    }

    /// The policy with another epsilon for synthetic values, above 0 and at most 10.
    ///
    /// @throws `invalid_policy`
    #[napi]
    pub fn with_epsilon(&self, env: &Env, epsilon: f64) -> napi::Result<Self> {
        done_here(env, || Ok(Self { inner: self.inner.clone().with_epsilon(epsilon)? }))
    }
}

/// One difference between two policies.
#[napi(object, object_from_js = false)]
pub struct PolicyChange {
    /// The field: `entities.PHONE.action`.
    pub path: String,
    /// How it was; `absent` for what was added. Words of lists are counted, not shown.
    pub before: String,
    /// How it is; `absent` for what was removed.
    pub after: String,
    /// `weaker` where more is let through, kept or linkable, `stronger` where less is.
    #[napi(ts_type = "'weaker' | 'stronger' | 'neutral'")]
    pub effect: String,
}

impl From<&Change> for PolicyChange {
    fn from(change: &Change) -> Self {
        let Change { path, before, after, effect, .. } = change.clone();
        Self { path, before, after, effect: effect.as_str().to_owned() }
    }
}

/// A shipped policy.
pub(crate) fn preset(name: String) -> Result<Policy, Failure> {
    Policy::preset(&name).ok_or_else(|| no_preset(name))
}

fn no_preset(name: String) -> Failure {
    match unknown_name("the shipped policies", name, Policy::preset_names()) {
        Failure::Option { nearest, .. } => {
            let names: Vec<&str> = Policy::preset_names().collect();
            let mut message = format!("a shipped policy is one of {}", names.join(", "));
            if let Some(nearest) = nearest {
                message = format!("{message}; did you mean {nearest:?}?");
            }
            Failure::Argument(message)
        }
        other => other,
    }
}

fn from_path(path: &str) -> Result<Plain<JsPolicy>, Failure> {
    Ok(Plain(JsPolicy { inner: Policy::from_path(path)? }))
}

fn named<T: std::str::FromStr<Err = masker_core::policy::ParseNameError>>(
    what: &str,
    text: &str,
) -> Result<T, Failure> {
    text.parse().map_err(|error: masker_core::policy::ParseNameError| {
        Failure::Argument(format!("{what} must be one of {}", error.expected.join(", ")))
    })
}
