//! Moves a vault as one authenticated stream of ciphertexts.

use std::io::{Read, Write};
use std::sync::Arc;

use subtle::ConstantTimeEq;

use super::{Reference, Row, RowKey, Vault, VaultError};
use crate::token::{KeyRing, Kid, Scope, Token};

const MAGIC: &[u8; 8] = b"MSKVEXP1";
const ROW: u8 = b'R';
const TOMBSTONE: u8 = b'T';
const END: u8 = b'E';
const PAGE: usize = 1_000;

/// How much [`export`] or [`import`] moved.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Transfer {
    /// Rows; for an import those that were new.
    pub rows: u64,
    /// Tombstones.
    pub tombstones: u64,
}

/// Writes every row and tombstone, authenticated under the export subkey of `kid`. Rows stay sealed by the keys that
/// sealed them, which the reader needs as well.
///
/// # Errors
///
/// When `kid` has no key, the vault cannot be read, or `out` cannot be written.
pub fn export(
    keys: &KeyRing,
    kid: &Kid,
    vault: &dyn Vault,
    out: &mut dyn Write,
) -> Result<Transfer, VaultError> {
    let mut done = Transfer::default();
    let mut hasher = blake3::Hasher::new_keyed(keys.active(kid)?.export.expose());
    let mut buffer = MAGIC.to_vec();
    put(&mut buffer, kid.as_str().as_bytes());
    let mut flush = |buffer: &mut Vec<u8>| -> Result<(), VaultError> {
        hasher.update(buffer);
        out.write_all(buffer)?;
        buffer.clear();
        Ok(())
    };
    let mut after: Option<RowKey> = None;
    loop {
        let rows = vault.page(after.as_ref(), PAGE)?;
        let Some(last) = rows.last() else { break };
        after = Some(last.key.clone());
        for row in &rows {
            put_row(&mut buffer, row);
            done.rows += 1;
        }
        flush(&mut buffer)?;
    }
    let mut after: Option<[u8; 32]> = None;
    loop {
        let hashes = vault.tombstones(after.as_ref(), PAGE)?;
        let Some(last) = hashes.last() else { break };
        after = Some(*last);
        for hash in &hashes {
            buffer.push(TOMBSTONE);
            buffer.extend_from_slice(hash);
            done.tombstones += 1;
        }
        flush(&mut buffer)?;
    }
    buffer.push(END);
    buffer.extend_from_slice(&done.rows.to_le_bytes());
    buffer.extend_from_slice(&done.tombstones.to_le_bytes());
    flush(&mut buffer)?;
    out.write_all(hasher.finalize().as_bytes())?;
    out.flush()?;
    Ok(done)
}

/// Checks a whole export and then takes its rows and tombstones over.
///
/// # Errors
///
/// [`VaultError::Export`] when anything in it is not as it was written; then nothing is taken over. Otherwise when `input`
/// cannot be read or the vault cannot be written.
pub fn import(keys: &KeyRing, vault: &dyn Vault, input: &mut dyn Read) -> Result<Transfer, VaultError> {
    let mut data = Vec::new();
    input.read_to_end(&mut data)?;
    let (signed, tag) = data.split_last_chunk::<32>().ok_or(VaultError::Export)?;
    let mut rest = signed.strip_prefix(MAGIC).ok_or(VaultError::Export)?;
    let kid: Kid = take_text(&mut rest)?.parse().map_err(|_| VaultError::Export)?;
    let authentic = keys.candidates(&kid).any(|subkeys| {
        let hash = blake3::keyed_hash(subkeys.export.expose(), signed);
        bool::from(hash.as_bytes().ct_eq(tag))
    });
    if !authentic {
        return Err(VaultError::Export);
    }
    let mut rows = Vec::new();
    let mut tombstones = Vec::new();
    loop {
        match take_array::<1>(&mut rest)?[0] {
            ROW => rows.push(take_row(&mut rest)?),
            TOMBSTONE => tombstones.push(take_array(&mut rest)?),
            END => break,
            _ => return Err(VaultError::Export),
        }
    }
    let counted = u64::from_le_bytes(take_array(&mut rest)?) == rows.len() as u64
        && u64::from_le_bytes(take_array(&mut rest)?) == tombstones.len() as u64;
    if !counted || !rest.is_empty() {
        return Err(VaultError::Export);
    }
    let new = vault.merge(&rows, &tombstones)?;
    Ok(Transfer { rows: new, tombstones: tombstones.len() as u64 })
}

fn put(out: &mut Vec<u8>, part: &[u8]) {
    crate::token::enc(out, part);
}

fn put_row(out: &mut Vec<u8>, row: &Row) {
    out.push(ROW);
    put(out, row.key.scope.as_str().as_bytes());
    put(out, row.key.token.as_bytes());
    put(out, row.kid.as_str().as_bytes());
    put(out, &row.bytes);
    out.extend_from_slice(&row.created.to_le_bytes());
    out.extend_from_slice(&row.used.to_le_bytes());
    out.extend_from_slice(&row.expires.unwrap_or(i64::MAX).to_le_bytes());
    out.extend_from_slice(&(row.references.len() as u32).to_le_bytes());
    for reference in &row.references {
        put(out, reference.agent.as_bytes());
        put(out, reference.subject.as_bytes());
    }
}

fn take_row(rest: &mut &[u8]) -> Result<Row, VaultError> {
    let scope: Scope = take_text(rest)?.parse().map_err(|_| VaultError::Export)?;
    let token: Token = take_text(rest)?.parse().map_err(|_| VaultError::Export)?;
    let kid = take_text(rest)?.parse().map_err(|_| VaultError::Export)?;
    let bytes: Arc<[u8]> = take(rest)?.into();
    let created = i64::from_le_bytes(take_array(rest)?);
    let used = i64::from_le_bytes(take_array(rest)?);
    let expires = i64::from_le_bytes(take_array(rest)?);
    let mut references = Vec::new();
    for _ in 0..u32::from_le_bytes(take_array(rest)?) {
        references.push(Reference::new(take_text(rest)?, take_text(rest)?));
    }
    Ok(Row {
        key: RowKey { scope, token: token.text().into() },
        kind: token.kind().clone(),
        kid,
        bytes,
        created,
        used,
        expires: (expires != i64::MAX).then_some(expires),
        references,
    })
}

fn take_array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], VaultError> {
    let (array, after) = rest.split_first_chunk::<N>().ok_or(VaultError::Export)?;
    *rest = after;
    Ok(*array)
}

fn take<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], VaultError> {
    let len = u32::from_le_bytes(take_array(rest)?) as usize;
    let (part, after) = rest.split_at_checked(len).ok_or(VaultError::Export)?;
    *rest = after;
    Ok(part)
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Result<&'a str, VaultError> {
    std::str::from_utf8(take(rest)?).map_err(|_| VaultError::Export)
}
