//! The end of the chain, kept outside the log so that a cut is seen.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::chain::{AuditKeys, hash_hex, parse_hash, same};
use super::error::AuditError;
use super::merkle::Hash;

/// Where a chain ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Head {
    /// The number of the last event.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
}

/// Keeps a [`Head`] in another place than the log: a database, another volume, another machine.
///
/// What somebody can cut from the log is bounded by what they can roll back here, so the farther away the better.
pub trait HeadStore: Send + Sync {
    /// The head saved last; `None` where none ever was.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or holds something that it did not save.
    fn load(&self) -> Result<Option<Head>, AuditError>;

    /// Replaces the head. It must be the old or the new one at every instant.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    fn save(&self, head: &Head) -> Result<(), AuditError>;
}

/// A head that lasts as long as the process.
#[derive(Debug, Default)]
pub struct MemoryHead(Mutex<Option<Head>>);

impl HeadStore for MemoryHead {
    fn load(&self) -> Result<Option<Head>, AuditError> {
        Ok(*self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn save(&self, head: &Head) -> Result<(), AuditError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(*head);
        Ok(())
    }
}

/// A head in a small file, authenticated under a key derived from the audit key.
///
/// Whoever can write this file and the log can put back an older pair of both: keep it where the log's writers cannot.
pub struct FileHead {
    path: PathBuf,
    keys: AuditKeys,
}

impl FileHead {
    /// The head at `path`.
    pub fn new(path: impl Into<PathBuf>, keys: &AuditKeys) -> Self {
        Self { path: path.into(), keys: keys.clone() }
    }

    /// The head in the customary place: the log's path with `.head` after it.
    pub fn beside(log: &Path, keys: &AuditKeys) -> Self {
        Self::new(with_ending(log, ".head"), keys)
    }

    fn failed(&self, source: io::Error) -> AuditError {
        AuditError::Io { path: self.path.clone(), source }
    }
}

impl fmt::Debug for FileHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileHead").field("path", &self.path).finish_non_exhaustive()
    }
}

impl HeadStore for FileHead {
    fn load(&self) -> Result<Option<Head>, AuditError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(AuditError::Head),
            Err(error) => return Err(self.failed(error)),
        };
        parse(&text, &self.keys).map(Some).ok_or(AuditError::Head)
    }

    fn save(&self, head: &Head) -> Result<(), AuditError> {
        let mac = self.keys.writing().head_mac(head.seq, &head.hash);
        let text = format!("{} {} {}\n", head.seq, hash_hex(&head.hash), hash_hex(&mac));
        replace(&self.path, |file| file.write_all(text.as_bytes())).map_err(|error| self.failed(error))
    }
}

fn parse(text: &str, keys: &AuditKeys) -> Option<Head> {
    let mut parts = text.strip_suffix('\n')?.split(' ');
    let (seq, hash, mac) = (parts.next()?, parse_hash(parts.next()?)?, parse_hash(parts.next()?)?);
    let number: u64 = seq.parse().ok()?;
    let is_whole = parts.next().is_none() && number.to_string() == seq;
    let authentic = keys.all().iter().any(|key| same(&key.head_mac(number, &hash), &mac));
    (is_whole && authentic).then_some(Head { seq: number, hash })
}

/// Writes a file that appears whole or not at all, for its owner alone, and outlives a loss of power once this returns.
pub(super) fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let new = with_ending(path, ".new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new)?;
    write(&mut file)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&new, path)?;
    // The name is in the folder, which has to reach the disk as well.
    #[cfg(unix)]
    File::open(folder(path))?.sync_all()?;
    Ok(())
}

#[cfg(unix)]
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

pub(super) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_comes_back_and_a_changed_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log.head");
        let keys = AuditKeys::new([7; 32]);
        let store = FileHead::new(&path, &keys);
        assert_eq!(store.load().unwrap(), None);
        let head = Head { seq: 41, hash: [9; 32] };
        store.save(&Head { seq: 40, hash: [8; 32] }).unwrap();
        store.save(&head).unwrap();
        assert_eq!(store.load().unwrap(), Some(head));
        assert_eq!(FileHead::new(&path, &AuditKeys::new([6; 32]).old([7; 32])).load().unwrap(), Some(head));
        assert!(matches!(FileHead::new(&path, &AuditKeys::new([6; 32])).load(), Err(AuditError::Head)));

        let whole = fs::read(&path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut bad = whole.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &bad).unwrap();
            assert!(store.load().is_err(), "bit {bit}");
        }
        for len in 0..whole.len() {
            fs::write(&path, &whole[..len]).unwrap();
            assert!(store.load().is_err(), "cut to {len}");
        }
    }
}
