//! Tokens of scheme `vault-deterministic`: a keyed hash of the value.

use zeroize::Zeroizing;

use super::format::{Token, TokenForm};
use super::keys::{KeyRing, Kid};
use super::{KeyError, Scope, with_encoded};
use crate::Kind;

/// The vault token of a value: base 32 of the first 16 bytes of keyed BLAKE3 under the PRF subkey over
/// `enc(scope) ‖ enc(kind) ‖ enc(normalised)`, with the generation after it (little endian, 32 bits) where it is above 0.
pub(crate) fn vault_token(
    keys: &KeyRing,
    scope: &Scope,
    kind: &Kind,
    kid: &Kid,
    normalised: &str,
    generation: u32,
) -> Result<Token, KeyError> {
    let key = keys.active(kid)?.prf.expose();
    let parts = [scope.as_str(), kind.as_str(), normalised].map(str::as_bytes);
    let hash = with_encoded(&parts, |input| {
        if generation == 0 {
            return blake3::keyed_hash(key, input);
        }
        let mut input = Zeroizing::new(input.to_vec());
        input.reserve_exact(4);
        input.extend_from_slice(&generation.to_le_bytes());
        blake3::keyed_hash(key, &input)
    });
    Ok(Token::of_bytes(TokenForm::Vault, kind.clone(), kid.clone(), &hash.as_bytes()[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring() -> KeyRing {
        let root: [u8; 32] = std::array::from_fn(|i| i as u8);
        KeyRing::builder().key(&"K_HEALTHCARE".parse().unwrap(), root).build().unwrap()
    }

    fn body(scope: &str, kind: &Kind, value: &str, generation: u32) -> String {
        let kid = "K_HEALTHCARE".parse().unwrap();
        let token = vault_token(&ring(), &scope.parse().unwrap(), kind, &kid, value, generation).unwrap();
        token.body().to_owned()
    }

    #[test]
    fn vectors() {
        let prf = ring();
        let prf = prf.active(&"K_HEALTHCARE".parse().unwrap()).unwrap().prf.expose();
        assert_eq!(
            data_encoding::HEXLOWER.encode(prf),
            "7142b577818907b318410b2879668edec17c3f8d11925fceda5d5e622a429ab0"
        );
        assert_eq!(body("", &Kind::Phone, "+14155550142", 0), "HSEMBUYQUW2TTUOL35UE5SIDMY");
        let session = "sess_01JZ8Q7ABCDEFGHJKMNPQRSTVW";
        assert_eq!(body(session, &Kind::Phone, "+14155550142", 0), "GF3SZGNLMYYGJWQ3PFBZ3PESUQ");
        assert_eq!(body("", &Kind::Name, "sarah chen", 0), "YVFQD4VXJPVK62LLBJQTFPJP24");
    }

    #[test]
    fn every_part_counts() {
        let base = body("s", &Kind::Phone, "+14155550142", 0);
        assert_ne!(base, body("t", &Kind::Phone, "+14155550142", 0));
        assert_ne!(base, body("s", &Kind::Fax, "+14155550142", 0));
        assert_ne!(base, body("s", &Kind::Phone, "+14155550143", 0));
        assert_ne!(base, body("s", &Kind::Phone, "+14155550142", 1));
        assert_ne!(body("s", &Kind::Phone, "+14155550142", 2), body("s", &Kind::Phone, "+14155550142", 1));
    }

    #[test]
    fn a_missing_key_is_an_error() {
        let kid = "K_OTHER".parse().unwrap();
        let result = vault_token(&ring(), &Scope::default(), &Kind::Phone, &kid, "1", 0);
        assert!(matches!(result, Err(KeyError::UnknownKid { .. })));
    }
}
