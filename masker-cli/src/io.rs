//! Input from files and stdin, output files that appear whole or not at all, and signals.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::error::{CliError, Exit, Result};

/// Temporary files that must not outlive the process.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Where the input comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Source {
    Stdin,
    File(PathBuf),
}

impl Source {
    /// Reads a command line value: nothing and `-` are stdin.
    pub(crate) fn from_arg(path: Option<&Path>) -> Self {
        match path {
            None => Self::Stdin,
            Some(path) if path == Path::new("-") => Self::Stdin,
            Some(path) => Self::File(path.to_owned()),
        }
    }

    /// Whether the name has this ending, in any case.
    pub(crate) fn has_ending(&self, ending: &str) -> bool {
        matches!(self, Self::File(path) if path.extension().is_some_and(|e| e.eq_ignore_ascii_case(ending)))
    }

    /// Whether a person would have to type the input.
    pub(crate) fn is_terminal(&self) -> bool {
        matches!(self, Self::Stdin) && io::stdin().is_terminal()
    }

    /// Size in bytes where it is known before reading.
    pub(crate) fn size(&self) -> Option<u64> {
        match self {
            Self::Stdin => None,
            Self::File(path) => fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|m| m.len()),
        }
    }

    /// Tells early that there is nothing to read.
    pub(crate) fn check(&self) -> Result<()> {
        let Self::File(path) = self else { return Ok(()) };
        let failed = |e: &io::Error| CliError::file("read", path, e);
        // Opening a pipe would take what another process wrote.
        let meta = fs::metadata(path).map_err(|e| failed(&e))?;
        if meta.is_dir() {
            return Err(failed(&io::ErrorKind::IsADirectory.into()));
        }
        if meta.is_file() { File::open(path).map(drop).map_err(|e| failed(&e)) } else { Ok(()) }
    }

    /// Opens the input for reading in pieces.
    pub(crate) fn open(&self) -> Result<Box<dyn BufRead>> {
        match self {
            Self::Stdin => Ok(Box::new(BufReader::with_capacity(1 << 16, io::stdin()))),
            Self::File(path) => {
                let file = File::open(path).map_err(|e| CliError::file("read", path, &e))?;
                Ok(Box::new(BufReader::with_capacity(1 << 16, file)))
            }
        }
    }

    /// Says that reading failed.
    pub(crate) fn read_error(&self, source: &io::Error) -> CliError {
        match self {
            Self::Stdin => CliError::failure(format!("cannot read stdin: {source}")),
            Self::File(path) => CliError::file("read", path, source),
        }
    }

    /// Reads everything as UTF-8, without a byte order mark.
    pub(crate) fn read_text(&self) -> Result<String> {
        let mut bytes = Vec::new();
        match self {
            Self::Stdin => io::stdin().read_to_end(&mut bytes),
            Self::File(path) => File::open(path).and_then(|mut f| f.read_to_end(&mut bytes)),
        }
        .map_err(|e| self.read_error(&e))?;
        decode(bytes)
    }
}

/// Bytes to text: drops a byte order mark, and names the offset of the first byte that is not UTF-8.
pub(crate) fn decode(bytes: Vec<u8>) -> Result<String> {
    let mut text = String::from_utf8(bytes).map_err(|e| not_utf8(e.utf8_error().valid_up_to() as u64))?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

/// The error for bytes that are not UTF-8.
pub(crate) fn not_utf8(offset: u64) -> CliError {
    CliError::failure(format!("the input is not UTF-8: invalid byte at offset {offset}"))
        .code("invalid_utf8")
        .hint("convert the input to UTF-8 first, for example with iconv")
}

/// Writes a file whole: beside the target first, then renamed over it. `-` is stdout; devices and pipes are written directly.
pub(crate) fn write_output(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    if path == Path::new("-") {
        let mut out = io::stdout().lock();
        write(&mut out)?;
        return out.flush().map_err(|e| CliError::stdout(&e));
    }
    // A link keeps pointing where it points.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let failed = |e: &io::Error| CliError::file("write", path, e);
    if fs::metadata(&target).is_ok_and(|m| !m.is_file() && !m.is_dir()) {
        let mut out = File::options().write(true).open(&target).map_err(|e| failed(&e))?;
        return write(&mut out);
    }
    if target.is_dir() {
        return Err(failed(&io::Error::from(io::ErrorKind::IsADirectory)));
    }
    let folder = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".masker-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&target).map_or(0o666, |m| m.permissions().mode() & 0o777);
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    let mut file = builder.tempfile_in(folder).map_err(|e| failed(&e))?;
    let temporary = file.path().to_owned();
    remember(&temporary);
    let result = write(file.as_file_mut())
        .and_then(|()| file.as_file().sync_all().map_err(|e| failed(&e)))
        .and_then(|()| file.persist(&target).map(drop).map_err(|e| failed(&e.error)));
    forget(&temporary);
    result
}

fn remember(path: &Path) {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_owned());
}

fn forget(path: &Path) {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).retain(|p| p != path);
}

/// Ends with 130 on SIGINT, after removing files that were not finished.
pub(crate) fn handle_interrupt() -> Result<()> {
    ctrlc::set_handler(|| {
        for path in UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = fs::remove_file(path);
        }
        std::process::exit(Exit::Interrupted as i32);
    })
    .map_err(|e| CliError::failure(format!("cannot handle SIGINT: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_drops_one_mark_and_names_the_bad_byte() {
        assert_eq!(decode(b"\xef\xbb\xbfab\0c".to_vec()).unwrap(), "ab\0c");
        let error = decode(b"abc\xffdef".to_vec()).unwrap_err();
        assert!(error.render().contains("offset 3"), "{}", error.render());
        assert!(!error.render().contains("abc"));
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.json");
        fs::write(&path, "old").unwrap();
        let result = write_output(&path, |out| {
            out.write_all(b"half").unwrap();
            Err(CliError::failure("stop"))
        });
        assert!(result.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        write_output(&path, |out| out.write_all(b"new").map_err(|e| CliError::stdout(&e))).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
