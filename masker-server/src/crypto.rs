//! Secrets of the server: derived keys, encryption at rest, hashes of credentials, signatures.

use aes_gcm_siv::aead::{Aead as _, Payload};
use aes_gcm_siv::{Aes256GcmSiv, KeyInit as _, Nonce};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::config::Secret;

type HmacSha256 = Hmac<Sha256>;

const COOKIE_CONTEXT: &str = "masker 2026 server state cookie v1";
const CURSOR_CONTEXT: &str = "masker 2026 server cursor v1";
const PAYLOAD_CONTEXT: &str = "masker 2026 server payload v1";
const SECRET_CONTEXT: &str = "masker 2026 server agent secret v1";
const NAME_CONTEXT: &str = "masker 2026 server pseudonym v1";

/// The keys that are derived from the server's secrets, one for each use.
pub(crate) struct ServerKeys {
    cookie: [u8; 32],
    cursor: [u8; 32],
    payload: Aes256GcmSiv,
    secret: Aes256GcmSiv,
    name: [u8; 32],
}

impl ServerKeys {
    pub(crate) fn new(session: &Secret, storage: &Secret) -> Self {
        let cipher = |context| Aes256GcmSiv::new((&blake3::derive_key(context, storage.expose())).into());
        Self {
            cookie: blake3::derive_key(COOKIE_CONTEXT, session.expose()),
            cursor: blake3::derive_key(CURSOR_CONTEXT, session.expose()),
            payload: cipher(PAYLOAD_CONTEXT),
            secret: cipher(SECRET_CONTEXT),
            name: blake3::derive_key(NAME_CONTEXT, storage.expose()),
        }
    }

    /// Authenticates what travels through a client.
    pub(crate) fn cursor_mac(&self, bytes: &[u8]) -> [u8; 16] {
        truncate(&hmac(&self.cursor, &[bytes]))
    }

    pub(crate) fn cookie_mac(&self, bytes: &[u8]) -> [u8; 16] {
        truncate(&hmac(&self.cookie, &[bytes]))
    }

    /// A name for somebody that says nothing about them: 32 hexadecimal digits.
    pub(crate) fn pseudonym(&self, of: &str, text: &str) -> String {
        let mac = hmac(&self.name, &[of.as_bytes(), &[0], text.as_bytes()]);
        HEXLOWER.encode(&mac[..16])
    }

    /// Encrypts a payload of a session; `place` says whose and which.
    pub(crate) fn seal_payload(&self, place: &str, text: &[u8]) -> Vec<u8> {
        seal(&self.payload, place, text)
    }

    pub(crate) fn open_payload(&self, place: &str, bytes: &[u8]) -> Option<Vec<u8>> {
        open(&self.payload, place, bytes)
    }

    /// Encrypts a secret of an agent.
    pub(crate) fn seal_secret(&self, place: &str, text: &str) -> String {
        BASE64URL_NOPAD.encode(&seal(&self.secret, place, text.as_bytes()))
    }

    pub(crate) fn open_secret(&self, place: &str, text: &str) -> Option<String> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        String::from_utf8(open(&self.secret, place, &bytes)?).ok()
    }
}

fn seal(cipher: &Aes256GcmSiv, place: &str, text: &[u8]) -> Vec<u8> {
    let nonce: [u8; 12] = random();
    let sealed = cipher
        .encrypt(&Nonce::from(nonce), Payload { msg: text, aad: place.as_bytes() })
        .expect("a text is below the limit of the cipher, 64 GiB");
    [&nonce[..], &sealed].concat()
}

fn open(cipher: &Aes256GcmSiv, place: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = bytes.split_first_chunk::<12>()?;
    cipher.decrypt(&Nonce::from(*nonce), Payload { msg: sealed, aad: place.as_bytes() }).ok()
}

fn truncate(mac: &[u8; 32]) -> [u8; 16] {
    *mac.first_chunk().expect("a mac has 32 bytes")
}

/// HMAC-SHA256 over the parts one after the other.
pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = HmacSha256::new_from_slice(key).expect("a key of HMAC has any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(&sha256(bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// Hexadecimal in either case.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()
}

pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A number of any length in base 62, padded to `digits`.
fn base62(bytes: &[u8], digits: usize) -> String {
    let mut number = bytes.to_vec();
    let mut out = vec![b'0'; digits];
    for digit in out.iter_mut().rev() {
        let mut rest = 0u32;
        for byte in &mut number {
            let value = rest * 256 + u32::from(*byte);
            *byte = (value / 62) as u8;
            rest = value % 62;
        }
        *digit = BASE62[rest as usize];
    }
    String::from_utf8(out).expect("digits are ASCII")
}

/// CRC-32 as of IEEE 802.3.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}

/// A new API token: `mkt_`, 256 random bits, and a checksum that scanners for secrets recognise.
pub(crate) fn new_token() -> String {
    let body = base62(&random::<32>(), 43);
    let check = base62(&crc32(body.as_bytes()).to_be_bytes(), 6);
    format!("mkt_{body}{check}")
}

/// Whether a text has the form and the checksum of a token.
pub(crate) fn is_token(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("mkt_").filter(|rest| rest.len() == 49 && rest.is_ascii()) else {
        return false;
    };
    let (body, check) = rest.split_at(43);
    base62(&crc32(body.as_bytes()).to_be_bytes(), 6) == check
}

/// A new code that signs its holder in once: 160 random bits in base 32 without easily mistaken letters.
pub(crate) fn new_code() -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let bytes: [u8; 20] = random();
    let bits = bytes.iter().flat_map(|byte| (0..8).rev().map(move |i| byte >> i & 1));
    let bits: Vec<u8> = bits.collect();
    let digits = bits.chunks(5).map(|five| five.iter().fold(0u8, |value, bit| value * 2 + bit));
    digits.map(|digit| char::from(ALPHABET[digit as usize])).collect()
}

/// A new secret of a webhook.
pub(crate) fn new_webhook_secret() -> String {
    format!("whsec_{}", base62(&random::<32>(), 43))
}

/// A new value of a cookie.
pub(crate) fn new_cookie() -> String {
    BASE64URL_NOPAD.encode(&random::<32>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_carry_their_checksum() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        let token = new_token();
        assert!(token.len() == 53 && is_token(&token));
        let mut other = token.clone();
        other.replace_range(10..11, if &token[10..11] == "a" { "b" } else { "a" });
        assert!(!is_token(&other) && !is_token("mkt_") && !is_token(&token[..52]));
        assert_eq!(base62(&[0xff; 32], 43).len(), 43);
        assert_eq!(new_code().len(), 32);
    }

    #[test]
    fn what_is_sealed_opens_at_its_place_alone() {
        let config = |byte| Secret::from_bytes([byte; 32]);
        let keys = ServerKeys::new(&config(1), &config(2));
        let sealed = keys.seal_secret("agt_1/webhook_secret", "whsec_example");
        assert_eq!(keys.open_secret("agt_1/webhook_secret", &sealed).as_deref(), Some("whsec_example"));
        assert_eq!(keys.open_secret("agt_2/webhook_secret", &sealed), None);
        assert_eq!(
            ServerKeys::new(&config(1), &config(3)).open_secret("agt_1/webhook_secret", &sealed),
            None
        );
        assert_ne!(sealed, keys.seal_secret("agt_1/webhook_secret", "whsec_example"));
    }
}
