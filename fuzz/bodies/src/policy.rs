//! Policies: read or refused with every mistake named, and the promises hold under those that are read.

use std::sync::Arc;

use masker_core::{KeyRing, Masker, MemoryVault, Policy, PolicyErrors};

use crate::input::Input;
use crate::promises;

/// What is masked under a policy that was read.
const TEXT: &str = "This is Ann Reed at (415) 555-0142, born March 14 1982, MRN 4827193, ada@example.com, \
                    order AB-12345, 192.0.2.77, four one five, five five five, oh one three two.";

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let names: Vec<&str> = Policy::preset_names().collect();
    // Most inputs say something beside a policy that is whole, so that what they say is understood.
    let preset = names.get(input.below(names.len() + 1)).map(|name| Policy::preset_source(name).unwrap());
    let text = input.text();
    let yaml = match preset {
        Some(preset) if input.flag() => format!("{preset}\n{text}"),
        Some(preset) => format!("{text}\n{preset}"),
        None => text.into_owned(),
    };
    match Policy::from_yaml(&yaml) {
        Ok(policy) => is_sound(policy),
        Err(errors) => are_named(&yaml, &errors),
    }
}

fn is_sound(policy: Policy) {
    assert!(policy.diff(&policy).is_empty());
    serde_json::to_string(&policy).unwrap();
    for entity in policy.entities() {
        let _ = policy.effective(&entity.kind, false);
    }
    let keys = policy
        .kids()
        .into_iter()
        .fold(KeyRing::builder(), |keys, kid| keys.key(&kid.parse().unwrap(), crate::world::root_key()));
    let masker =
        Masker::builder().policy(policy).keys(keys.build().unwrap()).vault(Arc::new(MemoryVault::new()));
    // The one reason against a policy that was read is that it asks for a model.
    if let Ok(masker) = masker.build() {
        promises::hold(&masker, TEXT);
    }
}

fn are_named(yaml: &str, errors: &PolicyErrors) {
    assert!(!errors.to_string().is_empty());
    assert!((1..=PolicyErrors::LIMIT).contains(&errors.len()));
    // A line of YAML may end in CR alone.
    let lines = yaml.matches(['\n', '\r']).count() + 1;
    for error in errors {
        assert!(error.line <= lines, "{error}");
        assert!(!error.message.is_empty());
        assert!(error.message.len() < 1_000, "a message of {} bytes", error.message.len());
    }
}
