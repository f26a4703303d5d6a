//! Exports of vaults and conversations as bytes: opened as they were written, or refused.

use std::sync::Arc;

use aes_gcm_siv::aead::{Aead, Payload};
use aes_gcm_siv::{Aes256GcmSiv, KeyInit, Nonce};
use masker_core::policy::Surface;
use masker_core::vault::{Row, Vault, VaultError, export, import};
use masker_core::{Conversation, Error, Masker, MemoryVault, Policy, Role, Scheme};

use crate::input::Input;
use crate::world::{World, keys, kid, root_key};

const SAID: &str = "this is Ann Reed, ada@example.com, 415-555-0142, born March 14 1982";

thread_local! {
    static WRITTEN: Written = Written::new();
}

/// An export and a conversation as they were written.
struct Written {
    export: Vec<u8>,
    rows: Vec<Row>,
    maskers: Vec<Masker>,
    conversations: Vec<Vec<u8>>,
}

impl Written {
    fn new() -> Self {
        let vault = Arc::new(MemoryVault::new());
        let default = Policy::healthcare_default();
        let policies = [
            default.clone().with_surface(Surface::Alias),
            default.clone(),
            default.with_scheme(Scheme::Synthetic),
        ];
        let maskers = policies.map(|policy| World::masker(policy, vault.clone(), "acc_a"));
        let conversations = maskers.each_ref().map(|masker| {
            let conversation = masker.conversation("a");
            conversation.mask_turn(Role::Assistant, "What is your name?").unwrap();
            conversation.mask_turn(Role::User, SAID).unwrap();
            conversation.to_bytes().unwrap()
        });
        Self {
            export: exported(&*vault),
            rows: vault.page(None, 100).unwrap(),
            maskers: maskers.into(),
            conversations: conversations.into(),
        }
    }
}

pub(crate) fn run(data: &[u8]) {
    WRITTEN.with(|written| {
        let mut input = Input::new(data);
        match input.below(5) {
            0 => {
                let bytes = input.edit(&written.export);
                if bytes == written.export {
                    let vault = MemoryVault::new();
                    assert_eq!(
                        import(&keys(), &vault, &mut &*bytes).unwrap().rows,
                        written.rows.len() as u64
                    );
                } else {
                    is_refused(&bytes);
                }
            }
            1 => {
                let which = input.below(written.maskers.len());
                let bytes = input.edit(&written.conversations[which]);
                let opened = Conversation::from_bytes(&written.maskers[which], &bytes);
                assert_eq!(opened.is_ok(), bytes == written.conversations[which]);
            }
            2 => {
                is_refused(input.rest());
                for masker in &written.maskers {
                    assert!(matches!(
                        Conversation::from_bytes(masker, input.rest()),
                        Err(Error::Conversation)
                    ));
                }
            }
            // Behind the seal, where only a holder of the key gets.
            3 => records(&mut input),
            _ => {
                let masker = input.pick(&written.maskers);
                state(masker, input.rest());
            }
        }
    });
}

fn exported(vault: &dyn Vault) -> Vec<u8> {
    let mut bytes = Vec::new();
    export(&keys(), &kid(), vault, &mut bytes).unwrap();
    bytes
}

fn is_refused(bytes: &[u8]) {
    let vault = MemoryVault::new();
    let refused = import(&keys(), &vault, &mut &*bytes);
    assert!(matches!(refused, Err(VaultError::Export)), "{refused:?}");
    assert_eq!(vault.stats().unwrap(), MemoryVault::new().stats().unwrap(), "nothing is taken over");
}

fn enc(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_le_bytes(), bytes].concat()
}

fn subkey(context: &str) -> [u8; 32] {
    blake3::derive_key(context, &root_key())
}

fn seal(key: &[u8; 32], nonce: [u8; 12], aad: &[u8], msg: &[u8]) -> Vec<u8> {
    Aes256GcmSiv::new(key.into()).encrypt(&Nonce::from(nonce), Payload { msg, aad }).unwrap()
}

/// An export of these records in one or two frames, as docs/token-format.md says.
fn records(input: &mut Input<'_>) {
    let kid = kid();
    let header = [&b"MSKVEXP1"[..], &enc(kid.as_str().as_bytes()), &[7; 16]].concat();
    let key = *blake3::keyed_hash(&subkey("masker 2026 vault export v1"), &header).as_bytes();
    let at = input.below(1 << 16);
    let with_end = input.flag();
    let mut plain = input.rest().to_vec();
    if with_end {
        plain.push(b'E');
        plain.extend_from_slice(&[input.byte(), 0, 0, 0, 0, 0, 0, 0, input.byte(), 0, 0, 0, 0, 0, 0, 0]);
    }
    let (first, last) = plain.split_at(at.min(plain.len()));
    let mut bytes = header;
    let frames = if first.is_empty() { vec![last] } else { vec![first, last] };
    for (number, frame) in frames.iter().enumerate() {
        let mut nonce = [0; 12];
        nonce[0] = number as u8;
        nonce[8] = u8::from(number + 1 == frames.len());
        bytes.extend(enc(&seal(&key, nonce, &[], frame)));
    }
    let vault = MemoryVault::new();
    if let Err(error) = import(&keys(), &vault, &mut &*bytes) {
        assert!(matches!(error, VaultError::Export), "{error:?}");
        return;
    }
    let again = MemoryVault::new();
    import(&keys(), &again, &mut &*exported(&vault)).unwrap();
    assert_eq!(again.stats().unwrap(), vault.stats().unwrap());
}

/// A conversation of these bytes.
fn state(masker: &Masker, plain: &[u8]) {
    let kid = kid();
    let associated: Vec<u8> = ["masker conversation v1", kid.as_str(), masker.scope().as_str()]
        .iter()
        .flat_map(|part| enc(part.as_bytes()))
        .collect();
    let nonce = [9; 12];
    let mut bytes = b"MSKC\x02".to_vec();
    bytes.push(kid.as_str().len() as u8);
    bytes.extend_from_slice(kid.as_str().as_bytes());
    bytes.extend_from_slice(&nonce);
    bytes.extend(seal(&subkey("masker 2026 conversation v1"), nonce, &associated, plain));
    let Ok(conversation) = Conversation::from_bytes(masker, &bytes) else { return };
    let again = Conversation::from_bytes(masker, &conversation.to_bytes().unwrap()).unwrap();
    assert_eq!(again.value_count(), conversation.value_count());
    for conversation in [conversation, again] {
        conversation.rehydrate("[NAME_1] [PHONE_1] [EMAIL]").unwrap();
        let masked = conversation.mask_turn(Role::User, SAID).unwrap();
        conversation.rehydrate(&masked.text).unwrap();
    }
}
