//! Keys and maskers that tests share.
#![allow(dead_code, reason = "every test binary uses a part of it")]

use std::sync::Arc;

use masker_core::{KeyRing, Kid, Masker, MemoryVault, Policy, Scheme, Scope, Vault};

/// The key id of the shipped policies.
pub(crate) fn kid() -> Kid {
    "K_HEALTHCARE".parse().expect("a key id")
}

/// A ring with the bytes 00 to 1f under [`kid`].
pub(crate) fn keys() -> KeyRing {
    let bytes = std::array::from_fn(|at| at as u8);
    KeyRing::builder().key(&kid(), bytes).build().expect("a key of 32 bytes")
}

/// The shipped default under another scheme.
pub(crate) fn policy(scheme: Scheme) -> Policy {
    Policy::healthcare_default().with_scheme(scheme)
}

/// The shipped default with a line of YAML before it, as a user would write it.
pub(crate) fn policy_with(line: &str) -> Policy {
    let source = Policy::preset_source("healthcare-default").expect("the shipped policy");
    Policy::from_yaml(&format!("{line}\n{source}")).expect("a policy")
}

/// A masker with the fixed key.
pub(crate) fn masker(policy: Policy) -> Masker {
    with_vault(policy, Arc::new(MemoryVault::new()), "")
}

/// A masker with the fixed key, a vault and a scope.
pub(crate) fn with_vault(policy: Policy, vault: Arc<dyn Vault>, scope: &str) -> Masker {
    let scope: Scope = scope.parse().expect("a scope");
    Masker::builder()
        .policy(policy)
        .keys(keys())
        .vault(vault)
        .scope(scope)
        .build()
        .expect("the key is in the ring")
}
