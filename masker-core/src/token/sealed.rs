//! Tokens of scheme `reversible-aead`: the value itself, sealed. AES-256-GCM-SIV as in RFC 8452.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use aes_gcm_siv::aead::{Aead, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use data_encoding::BASE32_NOPAD;
use zeroize::Zeroizing;

use super::format::{Token, TokenForm};
use super::keys::{KeyRing, Kid};
use super::{KeyError, Scope, TokenError, enc, with_encoded};
use crate::Kind;
use crate::secret::{KeyBytes, SecretText};

const NONCE_LEN: usize = 12;
const BLOCK: usize = 16;
const PAD: u8 = 0x80;

/// The longest original that fits in a token, in bytes: 8,192 characters of base 32 are 5,120 bytes, of which nonce and
/// tag take 28; what remains holds 318 blocks of 16, one byte of which is padding.
pub const MAX_SEALED_BYTES: usize = 318 * BLOCK - 1;

/// Seals an original into a `MSK1` token, or `None` where it is longer than [`MAX_SEALED_BYTES`].
///
/// With `deterministic` equal originals of one kind, key id and scope give equal tokens, which shows that they are equal;
/// otherwise every token differs.
///
/// ```
/// use masker_core::{Kind, KeyRing, Scope, seal, unseal};
///
/// let (ring, scope) = (KeyRing::ephemeral()?, Scope::default());
/// let kid = "EPHEMERAL".parse()?;
/// let token = seal(&ring, &scope, &Kind::Phone, &kid, "415-555-0142", false)?.expect("short enough");
/// assert_eq!(unseal(&ring, &scope, &token)?.expose(), "415-555-0142");
/// assert!(unseal(&ring, &"elsewhere".parse()?, &token).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`KeyError::UnknownKid`], or [`KeyError::Random`] when the operating system gives no random bytes.
pub fn seal(
    keys: &KeyRing,
    scope: &Scope,
    kind: &Kind,
    kid: &Kid,
    original: &str,
    deterministic: bool,
) -> Result<Option<Token>, KeyError> {
    if original.len() > MAX_SEALED_BYTES {
        return Ok(None);
    }
    let subkeys = keys.active(kid)?;
    let associated = associated_data(kind, kid, scope);
    let mut nonce = [0; NONCE_LEN];
    if deterministic {
        nonce = derived_nonce(&subkeys.nonce, &associated, original);
    } else {
        getrandom::fill(&mut nonce).map_err(|_| KeyError::Random)?;
    }
    let sealed = seal_bytes(&subkeys.aead, nonce, &associated, original);
    Ok(Some(Token::of_bytes(TokenForm::Aead, kind.clone(), kid.clone(), &sealed)))
}

/// Opens a `MSK1` token with the active key of its key id, then with the old ones.
///
/// # Errors
///
/// [`TokenError::Unauthentic`] for a vault token, an unknown key id, and anything that does not authenticate.
pub fn unseal(keys: &KeyRing, scope: &Scope, token: &Token) -> Result<SecretText, TokenError> {
    if token.form() != TokenForm::Aead {
        return Err(TokenError::Unauthentic);
    }
    let sealed = BASE32_NOPAD.decode(token.body().as_bytes()).map_err(|_| TokenError::Unauthentic)?;
    let associated = associated_data(token.kind(), token.kid(), scope);
    keys.candidates(token.kid())
        .find_map(|subkeys| open_bytes(&subkeys.aead, &associated, &sealed))
        .ok_or(TokenError::Unauthentic)
}

fn associated_data(kind: &Kind, kid: &Kid, scope: &Scope) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    for part in ["MSK1", kind.as_str(), kid.as_str(), scope.as_str()] {
        enc(&mut out, part.as_bytes());
    }
    out
}

/// A nonce that the associated data and the text determine, which AES-GCM-SIV is made to bear: the first 12 bytes of keyed
/// BLAKE3 over `enc(associated data) ‖ enc(text)`.
pub(crate) fn derived_nonce(key: &KeyBytes, associated: &[u8], text: &str) -> [u8; NONCE_LEN] {
    let hash = with_encoded(&[associated, text.as_bytes()], |input| blake3::keyed_hash(key.expose(), input));
    *hash.as_bytes().first_chunk().expect("a hash is longer than a nonce")
}

/// The nonces that were derived lately with one key, so that what is masked again and again need not derive them anew. It holds
/// hashes of 64 bits whose key no other process has, and nothing that a text or a nonce could be read from.
pub(crate) struct Derived {
    hasher: RandomState,
    slots: [AtomicU64; Self::SLOTS],
}

impl Derived {
    const SLOTS: usize = 512;

    /// Whether `nonce` is what `derive` gives, which depends on `token` and `text` alone.
    pub(crate) fn is(
        &self,
        nonce: &[u8; NONCE_LEN],
        token: &str,
        text: &str,
        derive: impl FnOnce() -> [u8; NONCE_LEN],
    ) -> bool {
        let hash = self.hasher.hash_one((nonce, token, text));
        let slot = &self.slots[hash as usize % Self::SLOTS];
        if slot.load(Ordering::Relaxed) == hash {
            return true;
        }
        let is_derived = derive() == *nonce;
        if is_derived {
            slot.store(hash, Ordering::Relaxed);
        }
        is_derived
    }
}

impl Default for Derived {
    fn default() -> Self {
        Self { hasher: RandomState::new(), slots: std::array::from_fn(|_| AtomicU64::default()) }
    }
}

/// `nonce ‖ ciphertext ‖ tag` of the padded text.
pub(crate) fn seal_bytes(
    cipher: &Aes256GcmSiv,
    nonce: [u8; NONCE_LEN],
    associated: &[u8],
    text: &str,
) -> Vec<u8> {
    let padded_len = (text.len() / BLOCK + 1) * BLOCK;
    let mut padded = Zeroizing::new(Vec::with_capacity(padded_len));
    padded.extend_from_slice(text.as_bytes());
    padded.push(PAD);
    padded.resize(padded_len, 0);
    let sealed = cipher
        .encrypt(&Nonce::from(nonce), Payload { msg: &padded, aad: associated })
        .expect("the text is far below the cipher's limit of 64 GiB");
    let mut out = Vec::with_capacity(NONCE_LEN + sealed.len());
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&sealed);
    out
}

/// The inverse of [`seal_bytes`]; `None` for every kind of failure.
pub(crate) fn open_bytes(cipher: &Aes256GcmSiv, associated: &[u8], sealed: &[u8]) -> Option<SecretText> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let opened = cipher.decrypt(&Nonce::from(*nonce), Payload { msg: sealed, aad: associated }).ok()?;
    let opened = Zeroizing::new(opened);
    let text_len = opened.iter().rposition(|&b| b != 0)?;
    if opened[text_len] != PAD || opened.len() - text_len > BLOCK || opened.len() % BLOCK != 0 {
        return None;
    }
    SecretText::from_utf8(&opened[..text_len])
}

/// Seals bytes under a cipher of their own: `nonce ‖ ciphertext ‖ tag`, with a random nonce.
pub(crate) fn seal_state(
    cipher: &Aes256GcmSiv,
    associated: &[u8],
    bytes: &[u8],
) -> Result<Vec<u8>, KeyError> {
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce).map_err(|_| KeyError::Random)?;
    let sealed = cipher
        .encrypt(&Nonce::from(nonce), Payload { msg: bytes, aad: associated })
        .expect("what is sealed is far below the cipher's limit of 64 GiB");
    Ok([nonce.as_slice(), sealed.as_slice()].concat())
}

/// The inverse of [`seal_state`]; `None` for every kind of failure.
pub(crate) fn open_state(
    cipher: &Aes256GcmSiv,
    associated: &[u8],
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
    cipher.decrypt(&Nonce::from(*nonce), Payload { msg: sealed, aad: associated }).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kid() -> Kid {
        "K_HEALTHCARE".parse().unwrap()
    }

    fn ring() -> KeyRing {
        KeyRing::builder().key(&kid(), std::array::from_fn(|i| i as u8)).build().unwrap()
    }

    #[test]
    fn a_nonce_is_derived_once() {
        let (derived, nonce) = (Derived::default(), [7; NONCE_LEN]);
        let calls = std::cell::Cell::new(0);
        let is = |nonce: [u8; NONCE_LEN], token: &str, text: &str| {
            derived.is(&nonce, token, text, || {
                calls.set(calls.get() + 1);
                if text == "a" { [7; NONCE_LEN] } else { [8; NONCE_LEN] }
            })
        };
        assert!(is(nonce, "t", "a") && is(nonce, "t", "a"));
        assert_eq!(calls.get(), 1);
        // What was not confirmed is derived each time.
        for (nonce, token, text, expected) in
            [(nonce, "t", "b", false), ([9; NONCE_LEN], "t", "a", false), (nonce, "u", "a", true)]
        {
            let before = calls.get();
            assert_eq!(is(nonce, token, text), expected);
            assert_eq!(calls.get(), before + 1, "{token} {text}");
        }
        assert!(is(nonce, "t", "a"));
    }

    #[test]
    fn vector() {
        let ring = ring();
        let associated = associated_data(&Kind::Phone, &kid(), &Scope::default());
        let nonce = std::array::from_fn(|i| i as u8);
        let sealed = seal_bytes(&ring.active(&kid()).unwrap().aead, nonce, &associated, "415-555-0142");
        let body = BASE32_NOPAD.encode(&sealed);
        assert_eq!(body, "AAAQEAYEAUDAOCAJBIFUARSDQTBGC54LURFO3GX5DS227VKURULUW3HJC3XQNNVP6SB5BDI");
        let token: Token = format!("MSK1.PHONE.K_HEALTHCARE.{body}").parse().unwrap();
        assert_eq!(unseal(&ring, &Scope::default(), &token).unwrap().expose(), "415-555-0142");
    }

    // RFC 8452, appendix C.2, AEAD_AES_256_GCM_SIV: the cipher is the one the format names.
    #[test]
    fn rfc_8452_empty_message() {
        use aes_gcm_siv::KeyInit;

        let mut key = [0; 32];
        key[0] = 1;
        let mut nonce = [0; 12];
        nonce[0] = 3;
        let sealed = Aes256GcmSiv::new(&key.into()).encrypt(&Nonce::from(nonce), b"".as_slice()).unwrap();
        assert_eq!(data_encoding::HEXLOWER.encode(&sealed), "07f5f4169bbf55a8400cd47ea6fd400f");
    }

    #[test]
    fn only_the_same_scope_kind_and_key_open() {
        let ring = ring();
        let scope: Scope = "a".parse().unwrap();
        let token = seal(&ring, &scope, &Kind::Phone, &kid(), "415-555-0142", true).unwrap().unwrap();
        assert!(unseal(&ring, &scope, &token).is_ok());
        assert!(unseal(&ring, &Scope::default(), &token).is_err());
        assert!(unseal(&ring, &"b".parse().unwrap(), &token).is_err());
        let other_kind = token.text().replace("PHONE", "FAX").parse().unwrap();
        assert!(unseal(&ring, &scope, &other_kind).is_err());

        let other: Kid = "K_OTHER".parse().unwrap();
        let root = std::array::from_fn(|i| i as u8);
        let two = KeyRing::builder().key(&kid(), root).key(&other, root).build().unwrap();
        let other_kid = token.text().replace("K_HEALTHCARE", "K_OTHER").parse().unwrap();
        assert!(unseal(&two, &scope, &token).is_ok());
        assert!(unseal(&two, &scope, &other_kid).is_err());
        assert!(unseal(&ring, &scope, &other_kid).is_err());
    }

    #[test]
    fn old_keys_open_and_do_not_seal() {
        let scope = Scope::default();
        let old = KeyRing::builder().key(&kid(), [1; 32]).build().unwrap();
        let rotated =
            KeyRing::builder().key(&kid(), [2; 32]).old_key(&kid(), [9; 32]).old_key(&kid(), [1; 32]);
        let rotated = rotated.build().unwrap();
        let token = seal(&old, &scope, &Kind::Mrn, &kid(), "4827193", true).unwrap().unwrap();
        assert_eq!(unseal(&rotated, &scope, &token).unwrap().expose(), "4827193");
        let new = seal(&rotated, &scope, &Kind::Mrn, &kid(), "4827193", true).unwrap().unwrap();
        assert_ne!(token, new);
        assert!(unseal(&old, &scope, &new).is_err());
    }

    #[test]
    fn a_flipped_bit_anywhere_fails() {
        let ring = ring();
        let associated = associated_data(&Kind::Phone, &kid(), &Scope::default());
        let cipher = &ring.active(&kid()).unwrap().aead;
        let sealed = seal_bytes(cipher, [5; 12], &associated, "sixteen bytes ok and more");
        assert!(open_bytes(cipher, &associated, &sealed).is_some());
        for bit in 0..sealed.len() * 8 {
            let mut bad = sealed.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(open_bytes(cipher, &associated, &bad).is_none(), "bit {bit}");
        }
        for bit in 0..associated.len() * 8 {
            let mut bad = associated.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(open_bytes(cipher, &bad, &sealed).is_none(), "associated bit {bit}");
        }
        for len in 0..sealed.len() {
            assert!(open_bytes(cipher, &associated, &sealed[..len]).is_none(), "cut to {len}");
        }
    }

    #[test]
    fn the_longest_original_fits_and_one_more_does_not() {
        let (ring, scope) = (ring(), Scope::default());
        let longest = "x".repeat(MAX_SEALED_BYTES);
        let token = seal(&ring, &scope, &Kind::Id, &kid(), &longest, false).unwrap().unwrap();
        assert!(token.body().len() <= 8192);
        let token: Token = token.text().parse().unwrap();
        assert_eq!(unseal(&ring, &scope, &token).unwrap().expose(), longest);
        let longer = "x".repeat(MAX_SEALED_BYTES + 1);
        assert!(seal(&ring, &scope, &Kind::Id, &kid(), &longer, false).unwrap().is_none());
    }

    #[test]
    fn random_tokens_differ_and_deterministic_ones_do_not() {
        let (ring, scope) = (ring(), Scope::default());
        let make = |text, fixed| seal(&ring, &scope, &Kind::Name, &kid(), text, fixed).unwrap().unwrap();
        assert_ne!(make("Ann Reed", false), make("Ann Reed", false));
        assert_eq!(make("Ann Reed", true), make("Ann Reed", true));
        assert_ne!(make("Ann Reed", true).body()[..19], make("Ann Reef", true).body()[..19]);
    }

    proptest! {
        #[test]
        fn round_trip(original in "\\PC{0,80}|[\\x00\\x80ab]{0,40}", scope in "[a-z]{0,8}", fixed: bool) {
            let (ring, scope) = (ring(), scope.parse().unwrap());
            let token = seal(&ring, &scope, &Kind::Id, &kid(), &original, fixed).unwrap().unwrap();
            let token: Token = token.text().parse().unwrap();
            let restored = unseal(&ring, &scope, &token).unwrap();
            prop_assert_eq!(restored.expose(), original);
        }
    }
}
