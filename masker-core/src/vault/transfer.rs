//! Moves a vault as one encrypted, authenticated stream.

use std::io::{self, Read, Write};
use std::sync::Arc;

use aes_gcm_siv::aead::{Aead, Payload};
use aes_gcm_siv::{Aes256GcmSiv, KeyInit, Nonce};

use super::{Reference, Row, RowKey, Vault, VaultError};
use crate::secret::KeyBytes;
use crate::token::keys::Subkeys;
use crate::token::{KeyError, KeyRing, Kid, Scope, Token, enc};

const MAGIC: &[u8; 8] = b"MSKVEXP1";
const SALT_LEN: usize = 16;
const ROW: u8 = b'R';
const TOMBSTONE: u8 = b'T';
const END: u8 = b'E';
const PAGE: usize = 1_000;
/// How much a frame holds at least, unless it is the last one.
const FRAME: usize = 1 << 16;
/// The length of a frame that is longer than any this code writes.
const FRAME_MAX: u32 = 1 << 30;

/// How much [`export`] or [`import`] moved.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Transfer {
    /// Rows; for an import those that were new.
    pub rows: u64,
    /// Tombstones.
    pub tombstones: u64,
}

/// Writes every row and tombstone, encrypted under a key that the export subkey of `kid` and a random salt make. Rows stay sealed
/// by the keys that sealed them, which the reader needs as well.
///
/// The stream is a header (magic, key id, salt), frames of AES-256-GCM-SIV numbered by their nonces, and in the last one, which is
/// marked as such, the counts of rows and tombstones. Without the key it tells its length and the key id.
///
/// # Errors
///
/// When `kid` has no key, the vault cannot be read or holds a damaged row, or `out` cannot be written.
pub fn export(
    keys: &KeyRing,
    kid: &Kid,
    vault: &dyn Vault,
    out: &mut dyn Write,
) -> Result<Transfer, VaultError> {
    let mut salt = [0; SALT_LEN];
    getrandom::fill(&mut salt).map_err(|_| KeyError::Random)?;
    let mut header = MAGIC.to_vec();
    enc(&mut header, kid.as_str().as_bytes());
    header.extend_from_slice(&salt);
    let mut frames = Frames { cipher: cipher(keys.active(kid)?, &header), next: 0 };
    out.write_all(&header)?;

    let mut done = Transfer::default();
    let mut buffer = Vec::with_capacity(2 * FRAME);
    let mut after: Option<RowKey> = None;
    loop {
        let rows = vault.page(after.as_ref(), PAGE)?;
        let Some(last) = rows.last() else { break };
        after = Some(last.key.clone());
        for row in &rows {
            if row.damaged {
                return Err(VaultError::Corrupt);
            }
            put_row(&mut buffer, row);
            done.rows += 1;
            if buffer.len() >= FRAME {
                frames.write(&mut buffer, false, out)?;
            }
        }
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
        if buffer.len() >= FRAME {
            frames.write(&mut buffer, false, out)?;
        }
    }
    buffer.push(END);
    buffer.extend_from_slice(&done.rows.to_le_bytes());
    buffer.extend_from_slice(&done.tombstones.to_le_bytes());
    frames.write(&mut buffer, true, out)?;
    out.flush()?;
    Ok(done)
}

/// Checks a whole export and then takes its rows and tombstones over, all in one step.
///
/// # Errors
///
/// [`VaultError::Export`] when anything in it is not as it was written; then nothing is taken over. Otherwise when `input`
/// cannot be read or the vault cannot be written.
pub fn import(keys: &KeyRing, vault: &dyn Vault, input: &mut dyn Read) -> Result<Transfer, VaultError> {
    read_export(keys, input)?.merge_into(vault)
}

/// An export that was read whole and is as it was written.
#[expect(missing_debug_implementations, reason = "rows and hashes by the thousand help nobody")]
pub struct Import {
    rows: Vec<Row>,
    tombstones: Vec<[u8; 32]>,
}

impl Import {
    /// Takes the rows and tombstones over: all of them, or on an error none.
    ///
    /// # Errors
    ///
    /// When the vault cannot be written.
    pub fn merge_into(&self, vault: &dyn Vault) -> Result<Transfer, VaultError> {
        let rows = vault.merge(&self.rows, &self.tombstones)?;
        Ok(Transfer { rows, tombstones: self.tombstones.len() as u64 })
    }
}

/// Reads an export to its end and checks it, without a vault to put it into.
///
/// # Errors
///
/// [`VaultError::Export`] when anything in it is not as it was written, and when `input` cannot be read.
pub fn read_export(keys: &KeyRing, input: &mut dyn Read) -> Result<Import, VaultError> {
    let mut input = io::BufReader::with_capacity(FRAME, input);
    let mut header = MAGIC.to_vec();
    if read_array::<8>(&mut input)? != *MAGIC {
        return Err(VaultError::Export);
    }
    let length = u32::from_le_bytes(read_array(&mut input)?);
    let name = read_part(&mut input, length.min(64))?;
    enc(&mut header, &name);
    header.extend_from_slice(&read_array::<SALT_LEN>(&mut input)?);
    let kid: Kid =
        std::str::from_utf8(&name).ok().and_then(|name| name.parse().ok()).ok_or(VaultError::Export)?;
    // The first frame tells which key made the export: the active one or an old one.
    let first = read_frame(&mut input)?.ok_or(VaultError::Export)?;
    let mut opened = None;
    for subkeys in keys.candidates(&kid) {
        let mut frames = Frames { cipher: cipher(subkeys, &header), next: 0 };
        if let Some(text) = frames.open(&first) {
            opened = Some((frames, text));
            break;
        }
    }
    let (mut frames, mut frame) = opened.ok_or(VaultError::Export)?;
    let (mut rows, mut tombstones) = (Vec::new(), Vec::new());
    loop {
        let Opened { text, is_last } = &frame;
        let mut rest = text.as_slice();
        let mut ended = false;
        while !rest.is_empty() && !ended {
            match take_array::<1>(&mut rest)?[0] {
                ROW => rows.push(take_row(&mut rest)?),
                TOMBSTONE => tombstones.push(take_array(&mut rest)?),
                END => ended = true,
                _ => return Err(VaultError::Export),
            }
        }
        let next = read_frame(&mut input)?;
        if *is_last {
            let counted = ended
                && u64::from_le_bytes(take_array(&mut rest)?) == rows.len() as u64
                && u64::from_le_bytes(take_array(&mut rest)?) == tombstones.len() as u64;
            if !counted || !rest.is_empty() || next.is_some() {
                return Err(VaultError::Export);
            }
            return Ok(Import { rows, tombstones });
        }
        if ended {
            return Err(VaultError::Export);
        }
        frame = next.and_then(|sealed| frames.open(&sealed)).ok_or(VaultError::Export)?;
    }
}

/// The cipher of one export: its key is keyed BLAKE3 under the export subkey over the header, which is thereby authenticated.
fn cipher(subkeys: &Subkeys, header: &[u8]) -> Aes256GcmSiv {
    let mut hash = *blake3::keyed_hash(subkeys.export.expose(), header).as_bytes();
    Aes256GcmSiv::new(KeyBytes::new(&mut hash).expose().into())
}

/// Frames in their order. The nonce of a frame is its number and whether it is the last, so that none can be left out, moved,
/// repeated or made the end.
struct Frames {
    cipher: Aes256GcmSiv,
    next: u64,
}

struct Opened {
    text: Vec<u8>,
    is_last: bool,
}

impl Frames {
    fn nonce(&self, is_last: bool) -> Nonce {
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&self.next.to_le_bytes());
        nonce[8] = u8::from(is_last);
        Nonce::from(nonce)
    }

    /// Writes and empties the buffer: the length of what follows as a little-endian 32-bit number, ciphertext, tag.
    fn write(&mut self, buffer: &mut Vec<u8>, is_last: bool, out: &mut dyn Write) -> Result<(), VaultError> {
        let sealed = self
            .cipher
            .encrypt(&self.nonce(is_last), Payload { msg: buffer, aad: &[] })
            .expect("a frame is far below the cipher's limit of 64 GiB");
        let length = u32::try_from(sealed.len()).ok().filter(|length| *length < FRAME_MAX);
        let length = length.ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge))?;
        out.write_all(&length.to_le_bytes())?;
        out.write_all(&sealed)?;
        buffer.clear();
        self.next += 1;
        Ok(())
    }

    fn open(&mut self, sealed: &[u8]) -> Option<Opened> {
        for is_last in [false, true] {
            let payload = Payload { msg: sealed, aad: &[] };
            if let Ok(text) = self.cipher.decrypt(&self.nonce(is_last), payload) {
                self.next += 1;
                return Some(Opened { text, is_last });
            }
        }
        None
    }
}

/// The next frame; `None` at the end of the input.
fn read_frame(input: &mut impl Read) -> Result<Option<Vec<u8>>, VaultError> {
    let mut length = [0; 4];
    let mut got = 0;
    while got < length.len() {
        match input.read(&mut length[got..]) {
            Ok(0) if got == 0 => return Ok(None),
            Ok(0) => return Err(VaultError::Export),
            Ok(count) => got += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let length = u32::from_le_bytes(length);
    if length >= FRAME_MAX {
        return Err(VaultError::Export);
    }
    read_part(input, length).map(Some)
}

/// Exactly `length` bytes. Memory grows with what is there, not with what the length claims.
fn read_part(input: &mut impl Read, length: u32) -> Result<Vec<u8>, VaultError> {
    let mut part = Vec::new();
    input.take(u64::from(length)).read_to_end(&mut part)?;
    if part.len() < length as usize { Err(VaultError::Export) } else { Ok(part) }
}

fn read_array<const N: usize>(input: &mut impl Read) -> Result<[u8; N], VaultError> {
    let part = read_part(input, N as u32)?;
    Ok(part.try_into().expect("as many bytes were read as the array has"))
}

fn put_row(out: &mut Vec<u8>, row: &Row) {
    out.push(ROW);
    enc(out, row.key.scope.as_str().as_bytes());
    enc(out, row.key.token.as_bytes());
    enc(out, row.kid.as_str().as_bytes());
    enc(out, &row.bytes);
    out.extend_from_slice(&row.created.to_le_bytes());
    out.extend_from_slice(&row.used.to_le_bytes());
    out.extend_from_slice(&row.expires.unwrap_or(i64::MAX).to_le_bytes());
    out.extend_from_slice(&(row.references.len() as u32).to_le_bytes());
    for reference in &row.references {
        enc(out, reference.agent.as_bytes());
        enc(out, reference.subject.as_bytes());
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
        damaged: false,
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
