//! Identifiers: a prefix, an underscore, and a ULID in Crockford's base 32.

use std::sync::{Mutex, PoisonError};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What an id names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Prefix {
    Account,
    Agent,
    Deletion,
    Event,
    External,
    Invitation,
    Report,
    Request,
    Session,
    Team,
    Token,
    User,
    Webhook,
}

impl Prefix {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Account => "acc_",
            Self::Agent => "agt_",
            Self::Deletion => "del_",
            Self::Event => "evt_",
            Self::External => "ext_",
            Self::Invitation => "inv_",
            Self::Report => "rep_",
            Self::Request => "req_",
            Self::Session => "sess_",
            Self::Team => "tea_",
            Self::Token => "tok_",
            Self::User => "usr_",
            Self::Webhook => "whk_",
        }
    }

    /// Ids of one process that are made in the same millisecond grow. An agent's never do: knowing one would tell the next,
    /// and the id opens the proxy.
    fn is_monotonic(self) -> bool {
        matches!(self, Self::Event | Self::Session)
    }
}

/// The last monotonic value.
static LAST: Mutex<u128> = Mutex::new(0);

/// A new id with the present in it.
pub(crate) fn new(prefix: Prefix) -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes[6..]).expect("the operating system gives random bytes");
    bytes[..6].copy_from_slice(&crate::time::now().max(0).to_be_bytes()[2..]);
    let mut value = u128::from_be_bytes(bytes);
    if prefix.is_monotonic() {
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        if value >> 80 <= *last >> 80 {
            value = *last + 1;
        }
        *last = value;
    }
    written(prefix, value)
}

/// An id with this time in it, the rest of which follows from a digest: the same for the same.
pub(crate) fn at(prefix: Prefix, time: i64, digest: &[u8; 32]) -> String {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&time.max(0).to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&digest[..10]);
    written(prefix, u128::from_be_bytes(bytes))
}

fn written(prefix: Prefix, value: u128) -> String {
    let digit = |i: u32| char::from(ALPHABET[(value >> (5 * i)) as usize & 31]);
    prefix.as_str().chars().chain((0..26).rev().map(digit)).collect()
}

/// An id from outside in its one form; nothing where it is none of this prefix.
pub(crate) fn parse(prefix: Prefix, text: &str) -> Option<String> {
    let start = prefix.as_str();
    let (head, body) = text.split_at_checked(start.len())?;
    if !head.eq_ignore_ascii_case(start) || body.len() != 26 || !body.is_ascii() {
        return None;
    }
    let body = body.to_ascii_uppercase();
    // 26 digits hold 130 bits; a ULID has 128.
    let is_ulid = body.as_bytes()[0] <= b'7' && body.bytes().all(|byte| ALPHABET.contains(&byte));
    is_ulid.then(|| format!("{start}{body}"))
}

/// The time in an id, in milliseconds since 1970.
pub(crate) fn time_of(id: &str) -> i64 {
    let digits = id.rsplit('_').next().unwrap_or_default().bytes().take(10);
    digits.fold(0, |time, digit| time * 32 + ALPHABET.iter().position(|d| *d == digit).unwrap_or(0) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_comes_back_in_any_case() {
        let id = new(Prefix::Agent);
        assert_eq!(parse(Prefix::Agent, &id), Some(id.clone()));
        assert_eq!(parse(Prefix::Agent, &id.to_ascii_lowercase()), Some(id.clone()));
        assert_eq!(parse(Prefix::Session, &id), None);
        assert!((crate::time::now() - time_of(&id)).abs() < 10_000);
    }

    #[test]
    fn what_is_no_id_is_none() {
        for text in [
            "",
            "agt_",
            "agt_01JZ8Q4M7T0V3X5YB2C9D6EFG",
            "agt_81JZ8Q4M7T0V3X5YB2C9D6EFGH",
            "agt_01JZ8Q4M7T0V3X5YB2C9D6EFGU",
            "agt_01JZ8Q4M7T0V3X5YB2C9D6EFéH",
        ] {
            assert_eq!(parse(Prefix::Agent, text), None, "{text}");
        }
    }

    #[test]
    fn sessions_grow_and_agents_do_not_follow_one_another() {
        let sessions: Vec<String> = (0..1000).map(|_| new(Prefix::Session)).collect();
        assert!(sessions.is_sorted());
        let agents: Vec<String> = (0..100).map(|_| new(Prefix::Agent)).collect();
        assert!(agents.windows(2).all(|pair| pair[0][14..28] != pair[1][14..28]), "random parts are new");
    }
}
