//! Seals originals into rows and opens them: the only code that sees both a key and a row.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use smallvec::SmallVec;

use super::{Lookup, NewRow, Put, Query, Reference, Reseal, RowKey, Sealed, Vault, VaultError, Write};
use crate::Kind;
use crate::secret::SecretText;
use crate::token::keyed::vault_token;
use crate::token::keys::Subkeys;
use crate::token::sealed::{derived_nonce, open_bytes, seal_bytes};
use crate::token::{KeyError, KeyRing, Kid, Scope, Token, TokenForm, unseal, with_encoded};

/// How old a row's last use may be before minting writes it again, in milliseconds: one hour.
const TOUCH_AFTER: i64 = 3_600_000;
const PAGE: usize = 1_000;
/// What a text that somebody says has of values, as a rule: so many need no memory of their own.
const FEW: usize = 8;

/// A value to be replaced by a vault token.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "holds an original")]
pub struct Mention<'a> {
    /// What it is.
    pub kind: &'a Kind,
    /// The key for it.
    pub kid: &'a Kid,
    /// The text as it stands.
    pub original: &'a str,
    /// The text as it is compared; see [`normalise`](crate::normalise).
    pub normalised: &'a str,
}

/// What became of a token that was to be restored.
#[expect(missing_debug_implementations, reason = "holds an original")]
pub enum Opened {
    /// The key id is not in the ring: the token of another instance.
    Foreign,
    /// The original.
    Original(SecretText),
    /// The key is here and the token does not open: purged, damaged, or of another scope.
    Unknown,
}

/// Tokens in and out of a vault, for one scope and one reference.
///
/// ```
/// use masker_core::{Kind, KeyRing, MemoryVault, Mention, Opened, Records, Reference, Scope};
///
/// let (keys, vault) = (KeyRing::ephemeral()?, MemoryVault::new());
/// let (scope, reference) = (Scope::default(), Reference::default());
/// let records = Records::new(&keys, &vault, &scope, &reference);
///
/// let kid = "EPHEMERAL".parse()?;
/// let mention = Mention { kind: &Kind::Phone, kid: &kid, original: "415-555-0142", normalised: "+14155550142" };
/// let tokens = records.mint(&[mention])?;
/// let opened = records.restore(&[&tokens[0]])?;
/// assert!(matches!(&opened[0], Opened::Original(text) if text.expose() == "415-555-0142"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "a short-lived view of a key ring and a vault")]
pub struct Records<'a> {
    keys: &'a KeyRing,
    vault: &'a dyn Vault,
    scope: &'a Scope,
    reference: &'a Reference,
    now: Option<i64>,
    lifetime: Option<i64>,
}

impl<'a> Records<'a> {
    /// Joins keys and vault for a scope and a reference.
    pub fn new(keys: &'a KeyRing, vault: &'a dyn Vault, scope: &'a Scope, reference: &'a Reference) -> Self {
        Self { keys, vault, scope, reference, now: None, lifetime: None }
    }

    /// Takes this time, in milliseconds since 1970, for the present.
    pub fn at(self, now: i64) -> Self {
        Self { now: Some(now), ..self }
    }

    /// Lets rows end this many milliseconds after they were last written.
    pub fn lifetime(self, milliseconds: i64) -> Self {
        Self { lifetime: Some(milliseconds), ..self }
    }

    /// The tokens of the mentions, in order, each with its row stored. Equal values in one batch share a token and a row,
    /// which keeps the spelling of the first; a row that is there already takes the new spelling.
    ///
    /// # Errors
    ///
    /// When a key is missing or the vault fails; then no token may be used.
    pub fn mint(&self, mentions: &[Mention<'_>]) -> Result<Vec<Token>, VaultError> {
        let mut values: Vec<Value<'_>> = Vec::with_capacity(mentions.len());
        let mut value_of: SmallVec<[usize; FEW]> = SmallVec::with_capacity(mentions.len());
        let mut seen = Seen::default();
        for mention in mentions {
            let Mention { kind, kid, normalised, .. } = *mention;
            let token = vault_token(self.keys, self.scope, kind, kid, normalised, 0)?;
            let value = seen.place(&values, &token).unwrap_or(values.len());
            if value == values.len() {
                values.push(Value { mention: *mention, token, generation: 0 });
            }
            value_of.push(value);
        }
        let mut pending: SmallVec<[usize; FEW]> = (0..values.len()).collect();
        while !pending.is_empty() {
            pending = self.store(&values, &pending)?;
            for &i in &pending {
                let value = &mut values[i];
                value.generation += 1;
                let Mention { kind, kid, normalised, .. } = value.mention;
                value.token = vault_token(self.keys, self.scope, kind, kid, normalised, value.generation)?;
            }
        }
        if values.len() == mentions.len() {
            return Ok(values.into_iter().map(|value| value.token).collect());
        }
        Ok(value_of.into_iter().map(|i| values[i].token.clone()).collect())
    }

    /// The originals of tokens of either form, in order, with one call to the vault for all.
    ///
    /// # Errors
    ///
    /// When the vault cannot be read. A token that does not open is an answer.
    pub fn restore(&self, tokens: &[&Token]) -> Result<Vec<Opened>, VaultError> {
        let vaulted: Vec<&Token> = tokens.iter().copied().filter(|t| t.form() == TokenForm::Vault).collect();
        let mut lookups = if vaulted.is_empty() {
            Vec::new().into_iter()
        } else {
            self.vault
                .get(&Query { scope: self.scope, reference: None, now: self.now(), tokens: &vaulted })?
                .into_iter()
        };
        let open = |token: &&Token| {
            let text = match token.form() {
                TokenForm::Aead => unseal(self.keys, self.scope, token).ok(),
                TokenForm::Vault => match lookups.next() {
                    Some(Lookup::Found(sealed)) => open_row(self.keys, self.scope, token.text(), &sealed),
                    _ => None,
                },
            };
            match text {
                Some(text) => Opened::Original(text),
                None if self.keys.contains(token.kid()) => Opened::Unknown,
                None => Opened::Foreign,
            }
        };
        Ok(tokens.iter().map(open).collect())
    }

    /// Stores the rows that need it and returns the values whose tokens are dead.
    fn store(&self, values: &[Value<'_>], pending: &[usize]) -> Result<SmallVec<[usize; FEW]>, VaultError> {
        let now = self.now();
        let tokens: SmallVec<[&Token; FEW]> = pending.iter().map(|&i| &values[i].token).collect();
        let query = Query { scope: self.scope, reference: Some(self.reference), now, tokens: &tokens };
        let mut dead = SmallVec::new();
        let mut to_write: SmallVec<[usize; FEW]> = SmallVec::new();
        for (&i, lookup) in pending.iter().zip(self.vault.get(&query)?) {
            match lookup {
                Lookup::Damaged => return Err(VaultError::Corrupt),
                Lookup::Purged => dead.push(i),
                Lookup::Found(sealed) if self.is_current(&values[i], &sealed, now) => {}
                Lookup::Absent | Lookup::Found(_) => to_write.push(i),
            }
        }
        if to_write.is_empty() {
            return Ok(dead);
        }
        let rows = to_write
            .iter()
            .map(|&i| {
                let Value { mention, token, .. } = &values[i];
                let subkeys = self.keys.active(mention.kid)?;
                let bytes = seal_row(subkeys, self.scope, token.text(), mention.kid, mention.original);
                Ok(NewRow { token, kid: mention.kid, bytes })
            })
            .collect::<Result<Vec<_>, KeyError>>()?;
        let expires = self.lifetime.map(|lifetime| now.saturating_add(lifetime));
        let write = Write { scope: self.scope, reference: self.reference, now, expires, rows: &rows };
        let puts = self.vault.put(&write)?;
        dead.extend(to_write.iter().zip(puts).filter(|(_, put)| *put == Put::Purged).map(|(&i, _)| i));
        Ok(dead)
    }

    /// Whether the row says what a new one would, so that masking a known value writes nothing. The nonce tells without
    /// decryption: it is made from the spelling.
    fn is_current(&self, value: &Value<'_>, sealed: &Sealed, now: i64) -> bool {
        sealed.referenced
            && self.lifetime.is_none()
            && now.saturating_sub(sealed.used) < TOUCH_AFTER
            && self.keys.active(&sealed.kid).is_ok_and(|subkeys| {
                let (token, text) = (value.token.text(), value.mention.original);
                // The token tells its scope, and the key its key id.
                let derive = || {
                    with_row_data(token, self.scope, &sealed.kid, |associated| {
                        derived_nonce(&subkeys.record_nonce, associated, text)
                    })
                };
                let nonce = sealed.bytes.first_chunk();
                nonce.is_some_and(|nonce| subkeys.record_nonces.is(nonce, token, text, derive))
            })
    }

    fn now(&self) -> i64 {
        self.now.unwrap_or_else(now)
    }
}

struct Value<'a> {
    mention: Mention<'a>,
    token: Token,
    generation: u32,
}

/// Which values of a batch there are already: few are compared one by one, many have a table.
#[derive(Default)]
struct Seen(HashMap<Box<str>, usize>);

impl Seen {
    /// The place of the value that has a token.
    fn place(&mut self, values: &[Value<'_>], token: &Token) -> Option<usize> {
        if values.len() <= FEW {
            return values.iter().position(|value| value.token.text() == token.text());
        }
        for (at, value) in values.iter().enumerate().skip(self.0.len()) {
            self.0.insert(value.token.text().into(), at);
        }
        self.0.get(token.text()).copied()
    }
}

/// What [`rewrap`] did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rewrap {
    /// Rows sealed anew.
    pub rewrapped: u64,
    /// Rows that the active key of the new key id sealed already.
    pub current: u64,
    /// Rows that no key of the ring opens; they are left as they are.
    pub unreadable: u64,
}

/// Seals rows anew under the active key of `to`: those sealed by `from`, or all of them. Old tokens still restore.
///
/// It may be stopped at any row and started again: rows that are done are skipped.
///
/// # Errors
///
/// When `to` has no key, or the vault fails.
pub fn rewrap(keys: &KeyRing, vault: &dyn Vault, from: Option<&Kid>, to: &Kid) -> Result<Rewrap, VaultError> {
    let subkeys = keys.active(to)?;
    let mut done = Rewrap::default();
    let mut after: Option<RowKey> = None;
    loop {
        let rows = vault.page(after.as_ref(), PAGE)?;
        let Some(last) = rows.last() else { return Ok(done) };
        after = Some(last.key.clone());
        let mut changes = Vec::new();
        for row in rows.into_iter().filter(|row| from.is_none_or(|from| row.kid == *from || row.kid == *to)) {
            if row.damaged {
                done.unreadable += 1;
                continue;
            }
            let opens = |associated: &[u8]| open_bytes(&subkeys.record, associated, &row.bytes).is_some();
            if row.kid == *to && with_row_data(&row.key.token, &row.key.scope, to, opens) {
                done.current += 1;
                continue;
            }
            let Some(text) = open_stored(keys, &row.key.scope, &row.key.token, &row.kid, &row.bytes) else {
                done.unreadable += 1;
                continue;
            };
            let sealed = seal_row(subkeys, &row.key.scope, &row.key.token, to, text.expose());
            changes.push(Reseal { key: row.key, before: row.bytes, kid: to.clone(), after: sealed });
        }
        if !changes.is_empty() {
            done.rewrapped += vault.reseal(&changes)?;
        }
    }
}

/// What [`verify`] found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Checked {
    /// Rows that open.
    pub readable: u64,
    /// Rows that no key of the ring opens: the key is gone, or the row is damaged.
    pub unreadable: u64,
    /// Of the unreadable rows those that the store knows to be damaged.
    pub damaged: u64,
    /// Of the unreadable rows those whose key is not in the ring, by key id.
    pub keyless: BTreeMap<Kid, u64>,
    /// What belongs to nothing; see [`Vault::orphans`].
    pub orphans: u64,
}

/// Opens every row, and looks for what belongs to nothing.
///
/// ```
/// use masker_core::vault::verify;
/// use masker_core::{KeyRing, MemoryVault};
///
/// let checked = verify(&KeyRing::ephemeral()?, &MemoryVault::new())?;
/// assert_eq!((checked.readable, checked.unreadable, checked.orphans), (0, 0, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// When the vault cannot be read.
pub fn verify(keys: &KeyRing, vault: &dyn Vault) -> Result<Checked, VaultError> {
    let mut checked = Checked { orphans: vault.orphans()?, ..Checked::default() };
    let mut after: Option<RowKey> = None;
    loop {
        let rows = vault.page(after.as_ref(), PAGE)?;
        let Some(last) = rows.last() else { return Ok(checked) };
        after = Some(last.key.clone());
        for row in &rows {
            let has_its_kind = || row.key.token.parse::<Token>().is_ok_and(|token| *token.kind() == row.kind);
            let opens = || open_stored(keys, &row.key.scope, &row.key.token, &row.kid, &row.bytes).is_some();
            if !row.damaged && has_its_kind() && opens() {
                checked.readable += 1;
                continue;
            }
            checked.unreadable += 1;
            if row.damaged {
                checked.damaged += 1;
            } else if !keys.contains(&row.kid) {
                *checked.keyless.entry(row.kid.clone()).or_insert(0) += 1;
            }
        }
    }
}

fn seal_row(subkeys: &Subkeys, scope: &Scope, token: &str, kid: &Kid, text: &str) -> Arc<[u8]> {
    with_row_data(token, scope, kid, |associated| {
        let nonce = derived_nonce(&subkeys.record_nonce, associated, text);
        seal_bytes(&subkeys.record, nonce, associated, text).into()
    })
}

fn open_row(keys: &KeyRing, scope: &Scope, token: &str, sealed: &Sealed) -> Option<SecretText> {
    open_stored(keys, scope, token, &sealed.kid, &sealed.bytes)
}

/// Opens a row with the active key of its key id, then with the old ones.
pub(super) fn open_stored(
    keys: &KeyRing,
    scope: &Scope,
    token: &str,
    kid: &Kid,
    bytes: &[u8],
) -> Option<SecretText> {
    with_row_data(token, scope, kid, |associated| {
        keys.candidates(kid).find_map(|subkeys| open_bytes(&subkeys.record, associated, bytes))
    })
}

/// Lets `read` see the associated data of a row: `enc(token) ‖ enc(scope id) ‖ enc(kid)`, the key id being the one that seals it.
fn with_row_data<R>(token: &str, scope: &Scope, kid: &Kid, read: impl FnOnce(&[u8]) -> R) -> R {
    with_encoded(&[token, scope.as_str(), kid.as_str()].map(str::as_bytes), read)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::*;
    use crate::policy::Normalization;
    use crate::token::{normalise, seal};
    use crate::vault::{MemoryVault, tombstone};

    fn kid() -> Kid {
        "K_HEALTHCARE".parse().unwrap()
    }

    fn ring() -> KeyRing {
        KeyRing::builder().key(&kid(), std::array::from_fn(|i| i as u8)).build().unwrap()
    }

    #[test]
    fn vectors_of_rows() {
        let keys = ring();
        let scope = Scope::default();
        let token = "MSKV1.PHONE.K_HEALTHCARE.HSEMBUYQUW2TTUOL35UE5SIDMY";
        let row = seal_row(keys.active(&kid()).unwrap(), &scope, token, &kid(), "415-555-0142");
        assert_eq!(
            HEXLOWER.encode(&row),
            "d8d7c1d8cbab9abd6408b114e3815991cfd6338924b124f43d317442b68d96b24ea70c541f99718d55065d9f"
        );
        assert_eq!(
            HEXLOWER.encode(&tombstone(&scope, token)),
            "609ac7358b09178c42f5814e8f66d6cfe6c1f2be17ef3bcaecf25bc8da7850f5"
        );
        let second = vault_token(&keys, &scope, &Kind::Phone, &kid(), "+14155550142", 1).unwrap();
        assert_eq!(second.text(), "MSKV1.PHONE.K_HEALTHCARE.3C2457GEHUHP6ODXVCLAP5OGZE");
    }

    #[test]
    fn rows_are_written_once_until_something_changes() {
        let (keys, vault, scope) = (ring(), MemoryVault::new(), Scope::default());
        let (ann, ben) = (Reference::new("a", "ann"), Reference::new("a", "ben"));
        let kid = kid();
        let mint = |reference, now, original| {
            let mention = Mention { kind: &Kind::Phone, kid: &kid, original, normalised: "+14155550142" };
            Records::new(&keys, &vault, &scope, reference).at(now).mint(&[mention]).unwrap();
            let row = vault.page(None, 1).unwrap().remove(0);
            (row.created, row.used, row.references.len())
        };
        assert_eq!(mint(&ann, 1_000, "415-555-0142"), (1_000, 1_000, 1));
        assert_eq!(mint(&ann, 2_000, "415-555-0142"), (1_000, 1_000, 1));
        assert_eq!(mint(&ann, 3_000, "(415) 555-0142"), (1_000, 3_000, 1));
        assert_eq!(mint(&ben, 4_000, "(415) 555-0142"), (1_000, 4_000, 2));
        let later = 4_000 + TOUCH_AFTER;
        assert_eq!(mint(&ben, later, "(415) 555-0142"), (1_000, later, 2));
    }

    #[test]
    fn equal_values_share_a_token_in_batches_of_any_size() {
        let (keys, scope, reference, kid) = (ring(), Scope::default(), Reference::default(), kid());
        for count in [1, FEW - 1, FEW, FEW + 1, 3 * FEW] {
            let vault = MemoryVault::new();
            let texts: Vec<String> = (0..2 * count).map(|at| (at % count).to_string()).collect();
            let mention = |text| Mention { kind: &Kind::Id, kid: &kid, original: text, normalised: text };
            let mentions: Vec<_> = texts.iter().map(|text| mention(text)).collect();
            let tokens = Records::new(&keys, &vault, &scope, &reference).mint(&mentions).unwrap();
            let single = |text: &str| vault_token(&keys, &scope, &Kind::Id, &kid, text, 0).unwrap();
            assert_eq!(tokens, texts.iter().map(|text| single(text)).collect::<Vec<_>>());
            assert_eq!(vault.stats().unwrap().rows, count as u64);
        }
    }

    #[test]
    fn both_forms_are_restored_in_order() {
        let (keys, vault, scope) = (ring(), MemoryVault::new(), Scope::default());
        let (reference, kid) = (Reference::default(), kid());
        let records = Records::new(&keys, &vault, &scope, &reference);
        let mention = |text| Mention { kind: &Kind::Id, kid: &kid, original: text, normalised: text };
        let vaulted = records.mint(&[mention("a"), mention("b"), mention("a")]).unwrap();
        assert_eq!(vaulted[0], vaulted[2]);
        let sealed = seal(&keys, &scope, &Kind::Id, &kid, "c", false).unwrap().unwrap();
        let lost: Token = "MSKV1.ID.K_HEALTHCARE.AAAAAAAAAAAAAAAAAAAAAAAAAA".parse().unwrap();
        let strange: Token = "MSKV1.ID.K_OTHER.AAAAAAAAAAAAAAAAAAAAAAAAAA".parse().unwrap();
        let opened =
            records.restore(&[&vaulted[1], &sealed, &lost, &vaulted[0], &strange, &vaulted[1]]).unwrap();
        let words: Vec<&str> = opened
            .iter()
            .map(|opened| match opened {
                Opened::Foreign => "foreign",
                Opened::Original(text) => text.expose(),
                Opened::Unknown => "unknown",
            })
            .collect();
        assert_eq!(words, ["b", "c", "unknown", "a", "foreign", "b"]);
    }

    #[test]
    fn a_missing_key_stores_nothing() {
        let (keys, vault, scope) = (ring(), MemoryVault::new(), Scope::default());
        let (reference, known, missing) = (Reference::default(), kid(), "K_OTHER".parse().unwrap());
        let mention = |kid| Mention { kind: &Kind::Id, kid, original: "a", normalised: "a" };
        let result =
            Records::new(&keys, &vault, &scope, &reference).mint(&[mention(&known), mention(&missing)]);
        assert!(matches!(result, Err(VaultError::Key(KeyError::UnknownKid { .. }))));
        assert_eq!(vault.stats().unwrap().rows, 0);
    }

    proptest! {
        #[test]
        fn exact_values_come_back_byte_for_byte(texts in proptest::collection::vec("\\PC{0,20}|[\\x00\\x80 ]{0,20}", 0..8)) {
            let (keys, vault, scope, reference, kid) =
                (ring(), MemoryVault::new(), Scope::default(), Reference::default(), kid());
            let records = Records::new(&keys, &vault, &scope, &reference);
            let forms: Vec<SecretText> =
                texts.iter().map(|text| normalise(&Kind::Name, text, None, Normalization::Exact)).collect();
            let mentions: Vec<Mention<'_>> = texts
                .iter()
                .zip(&forms)
                .map(|(text, form)| Mention { kind: &Kind::Name, kid: &kid, original: text, normalised: form.expose() })
                .collect();
            let tokens = records.mint(&mentions).unwrap();
            let opened = records.restore(&tokens.iter().collect::<Vec<_>>()).unwrap();
            for (opened, text) in opened.iter().zip(&texts) {
                prop_assert!(matches!(opened, Opened::Original(original) if original.expose() == text));
            }
        }
    }
}
