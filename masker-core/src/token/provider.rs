//! Where key rings come from: variables, a file, or a key service.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::calendar::days;
use super::error::KeyError;
use super::keys::{KeyRing, Kid};

const PREFIX: &str = "MASKER_KEY_";
/// Shares the prefix of the keys without being one.
const GRACE: &str = "MASKER_KEY_ROTATION_GRACE_DAYS";
const DAY: i64 = 86_400_000;

/// A source of keys: variables ([`EnvKeys`]), a file ([`FileKeys`]), or a key service of the caller's.
///
/// An implementation promises:
///
/// - **Whole.** A ring holds every key that is in force, active and old ones, or the call fails; a service that answers in part
///   must not shorten the ring.
/// - **Fresh.** Each call asks anew, so that loading again and building another [`Masker`](crate::Masker) is how a rotation takes
///   effect.
/// - **Silent.** No error, log line or `Debug` output of it holds key material.
///
/// ```
/// use masker_core::{KeyError, KeyProvider, KeyRing};
///
/// struct Service;
///
/// impl KeyProvider for Service {
///     fn load(&self) -> Result<KeyRing, KeyError> {
///         let unwrapped: [u8; 32] = ask_the_service().ok_or_else(|| KeyError::Provider { reason: "no answer".to_owned() })?;
///         KeyRing::builder().key(&"K_2027".parse().expect("a key id"), unwrapped).build()
///     }
/// }
/// # fn ask_the_service() -> Option<[u8; 32]> { Some([7; 32]) }
///
/// assert_eq!(Service.load()?.kids().count(), 1);
/// # Ok::<(), KeyError>(())
/// ```
pub trait KeyProvider: Send + Sync {
    /// Gives the keys that are in force.
    ///
    /// # Errors
    ///
    /// When the source cannot be read, or holds no sound set of keys.
    fn load(&self) -> Result<KeyRing, KeyError>;
}

/// Keys in variables, as a process gets them in its environment.
///
/// `MASKER_KEY_<KID>` is the active key, base64 of 32 bytes, and `MASKER_KEY_<KID>_OLD` a comma-separated list of old ones. An old
/// key may be followed by the day of its retirement, `<base64>@2026-11-23`. Each variable has a form ending in `_FILE` that names
/// a file with the value. `MASKER_KEY_ROTATION_GRACE_DAYS` is how long an old key is expected to be needed. Empty values count as
/// unset; other variables are ignored and not kept. The ring may come out empty.
///
/// ```
/// use masker_core::{EnvKeys, KeyProvider};
///
/// let keys = EnvKeys::new(std::env::vars_os());
/// assert_eq!(keys.load()?.kids().count(), 0);
/// # Ok::<(), masker_core::KeyError>(())
/// ```
pub struct EnvKeys {
    vars: Vec<(String, Zeroizing<String>)>,
}

impl EnvKeys {
    /// Takes the variables of keys out of all that are given.
    pub fn new<N: Into<OsString>, V: Into<OsString>>(vars: impl IntoIterator<Item = (N, V)>) -> Self {
        let own = |(name, value): (N, V)| {
            let name = name.into().into_string().ok().filter(|name| name.starts_with(PREFIX))?;
            // A value that is not UTF-8 is not base64 either; an impossible value keeps it an error.
            let value = value.into().into_string().unwrap_or_else(|_| "\u{fffd}".to_owned());
            Some((name, Zeroizing::new(value)))
        };
        Self { vars: vars.into_iter().filter_map(own).collect() }
    }
}

impl fmt::Debug for EnvKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.vars.iter().map(|(name, _)| name)).finish()
    }
}

impl KeyProvider for EnvKeys {
    /// # Errors
    ///
    /// When a value and its file are both set, a file cannot be read, a key is not base64 of exactly 32 bytes, a day or the grace
    /// period is malformed, or old keys stand without an active one. The error names the variable, never its value.
    fn load(&self) -> Result<KeyRing, KeyError> {
        ring(self.vars.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }
}

/// Keys in a file of `NAME=value` lines, as `masker keygen` prints them: the variables of [`EnvKeys`], one on each line.
///
/// Names are in capitals. Empty lines and lines that begin with `#` are skipped, other variables are ignored. The file is read anew by every
/// [`KeyProvider::load`].
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("keys.env");
/// use masker_core::{FileKeys, KeyProvider};
///
/// std::fs::write(&path, "# since 2026\nMASKER_KEY_K1=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n")?;
/// assert!(FileKeys::new(&path).load()?.contains(&"K1".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct FileKeys {
    path: PathBuf,
}

impl FileKeys {
    /// The keys in the file at `path`, which is not read yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

impl KeyProvider for FileKeys {
    /// # Errors
    ///
    /// As for [`EnvKeys`]; when the file cannot be read, or has a line that is not `NAME=value` or sets a variable again.
    fn load(&self) -> Result<KeyRing, KeyError> {
        let text = std::fs::read_to_string(&self.path)
            .map_err(|error| KeyError::Unreadable { path: self.path.clone(), kind: error.kind() })?;
        let text = Zeroizing::new(text);
        let mut vars: Vec<(&str, &str)> = Vec::new();
        let mut seen = BTreeSet::new();
        let lines = text.strip_prefix('\u{feff}').unwrap_or(&text).lines();
        for (line, number) in lines.map(str::trim).zip(1..) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // A key on a line of its own ends in `=` as well, and must not pass for a name.
            let is_name = |name: &str| {
                name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
                    && !name.is_empty()
            };
            let Some((name, value)) =
                line.split_once('=').filter(|(name, _)| is_name(name) && seen.insert(*name))
            else {
                return Err(KeyError::InvalidFile { path: self.path.clone(), line: number });
            };
            vars.push((name, value));
        }
        ring(vars.into_iter())
    }
}

/// A variable and its `_FILE` form.
#[derive(Default)]
struct Source<'a> {
    value: Option<&'a str>,
    file: Option<&'a str>,
}

impl Source<'_> {
    /// The value and the name of the variable it came by; nothing where the file is empty.
    fn read(self, variable: &str) -> Result<Option<(Zeroizing<String>, String)>, KeyError> {
        match (self.value, self.file) {
            (Some(_), Some(_)) => Err(KeyError::BothSet { variable: variable.to_owned() }),
            (Some(value), None) => Ok(Some((Zeroizing::new(value.to_owned()), variable.to_owned()))),
            (None, Some(path)) => {
                let variable = format!("{variable}_FILE");
                let text = std::fs::read_to_string(path).map_err(|error| KeyError::UnreadableFile {
                    variable: variable.clone(),
                    kind: error.kind(),
                })?;
                let text = Zeroizing::new(text);
                let line = text.strip_suffix('\n').unwrap_or(&text);
                let line = Zeroizing::new(line.strip_suffix('\r').unwrap_or(line).to_owned());
                Ok(if line.is_empty() { None } else { Some((line, variable)) })
            }
            (None, None) => Ok(None),
        }
    }
}

fn ring<'a>(vars: impl Iterator<Item = (&'a str, &'a str)>) -> Result<KeyRing, KeyError> {
    let mut found: BTreeMap<(Kid, bool), Source<'_>> = BTreeMap::new();
    let mut builder = KeyRing::builder();
    for (name, value) in vars.filter(|(_, value)| !value.is_empty()) {
        if name == GRACE {
            let days = value.trim().parse().map_err(|_| KeyError::InvalidGrace)?;
            builder = builder.grace_days(days);
            continue;
        }
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let (rest, is_file) = rest.strip_suffix("_FILE").map_or((rest, false), |rest| (rest, true));
        let (rest, is_old) = rest.strip_suffix("_OLD").map_or((rest, false), |rest| (rest, true));
        let Ok(kid) = rest.parse::<Kid>() else { continue };
        let source = found.entry((kid, is_old)).or_default();
        *(if is_file { &mut source.file } else { &mut source.value }) = Some(value);
    }
    for ((kid, is_old), source) in found {
        let variable = format!("{PREFIX}{kid}{}", if is_old { "_OLD" } else { "" });
        let Some((value, origin)) = source.read(&variable)? else { continue };
        if !is_old {
            builder = builder.active_from(kid, &value, &origin);
            continue;
        }
        for part in value.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (key, retired) = match part.split_once('@') {
                Some((key, day)) => {
                    (key, Some(instant(day).ok_or_else(|| KeyError::InvalidKey { origin: origin.clone() })?))
                }
                None => (part, None),
            };
            builder = builder.old_from(kid.clone(), key, retired, &origin);
        }
    }
    builder.build()
}

/// The start of a day written `2026-11-23`, in milliseconds since 1970.
fn instant(day: &str) -> Option<i64> {
    let mut parts = day.split('-');
    let mut number = |len| parts.next().filter(|part| part.len() == len)?.parse::<u32>().ok();
    let (year, month, day) = (number(4)?, number(2)?, number(2)?);
    let is_day = parts.next().is_none() && (1..=12).contains(&month) && (1..=31).contains(&day);
    is_day.then(|| days(i64::from(year), month, day) * DAY)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const OTHER: &str = "ISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0A=";

    fn ring(vars: &[(&str, &str)]) -> Result<KeyRing, KeyError> {
        KeyRing::from_vars(vars.iter().copied())
    }

    fn kid(text: &str) -> Kid {
        text.parse().unwrap()
    }

    fn counts(ring: &KeyRing) -> Vec<(&str, usize)> {
        ring.kids().map(|kid| (kid.as_str(), ring.candidates(kid).count())).collect()
    }

    #[test]
    fn variables_make_a_ring() {
        let old = format!("{OTHER}, {KEY},");
        let ring = ring(&[
            ("MASKER_KEY_K1", KEY),
            ("MASKER_KEY_K1_OLD", &old),
            ("MASKER_KEY_K2", OTHER),
            ("MASKER_KEY_K3", ""),
            ("MASKER_KEY_K2_FILE", ""),
            ("MASKER_KEY_ROTATION_GRACE_DAYS", "30"),
            ("MASKER_KEY_lower", "not a key id, so not ours"),
            ("MASKER_SESSION_SECRET", "not ours"),
        ]);
        let ring = ring.unwrap();
        assert_eq!(counts(&ring), [("K1", 3), ("K2", 1)]);
        assert!(ring.contains(&kid("K1")) && !ring.contains(&kid("K3")) && !ring.is_ephemeral());
        let same = KeyRing::builder().key(&kid("K1"), std::array::from_fn(|i| i as u8)).build().unwrap();
        assert_eq!(
            ring.active(&kid("K1")).unwrap().prf.expose(),
            same.active(&kid("K1")).unwrap().prf.expose()
        );
    }

    #[test]
    fn files_hold_keys_too() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path.into_os_string().into_string().unwrap()
        };
        let (key, old) = (write("key", &format!("{KEY}\n")), write("old", &format!("{OTHER},{OTHER}\r\n")));
        let from_files = ring(&[("MASKER_KEY_K1_FILE", &key), ("MASKER_KEY_K1_OLD_FILE", &old)]).unwrap();
        assert_eq!(counts(&from_files), [("K1", 3)]);
        let empty = write("empty", "\n");
        assert_eq!(counts(&ring(&[("MASKER_KEY_K1_FILE", &empty)]).unwrap()), []);

        let both = ring(&[("MASKER_KEY_K1", KEY), ("MASKER_KEY_K1_FILE", &key)]).unwrap_err();
        assert_eq!(both.to_string(), "MASKER_KEY_K1 and MASKER_KEY_K1_FILE are both set; set one of them");
        let missing = ring(&[("MASKER_KEY_K1_FILE", "/missing/key")]).unwrap_err();
        assert_eq!(
            missing.to_string(),
            "the file named by MASKER_KEY_K1_FILE cannot be read: entity not found"
        );
        let bad = ring(&[("MASKER_KEY_K1_FILE", &write("bad", "c2hvcnQ=\n"))]).unwrap_err();
        assert_eq!(bad.to_string(), "MASKER_KEY_K1_FILE is not base64 of exactly 32 bytes");
    }

    #[test]
    fn bad_keys_are_named_and_not_shown() {
        let long = format!("{KEY}AAAA");
        for bad in ["c2hvcnQ=", "not base64!", &KEY[..43], &long, "\u{fffd}", " "] {
            for variable in ["MASKER_KEY_K1", "MASKER_KEY_K1_OLD"] {
                if variable.ends_with("_OLD") && bad == " " {
                    continue;
                }
                let error = ring(&[("MASKER_KEY_K1", KEY), (variable, bad)]).unwrap_err();
                assert!(matches!(&error, KeyError::InvalidKey { origin } if origin == variable), "{bad}");
                assert!(!format!("{error} {error:?}").contains(bad.trim()) || bad == " ");
            }
        }
        let orphan = ring(&[("MASKER_KEY_K1_OLD", KEY)]).unwrap_err();
        assert_eq!(
            orphan.to_string(),
            "key id K1 has old keys and no active key; give it one, or take the old ones out"
        );
        let twice = KeyRing::builder().key(&kid("K1"), [1; 32]).key_base64(&kid("K1"), KEY).build();
        assert!(matches!(twice, Err(KeyError::DuplicateKid { .. })));
        let short = KeyRing::builder().key_base64(&kid("K1"), "c2hvcnQ=").build();
        assert!(matches!(short, Err(KeyError::InvalidKey { .. })));
    }

    #[test]
    fn old_keys_may_carry_the_day_of_their_retirement() {
        let old = format!("{OTHER}@2026-11-23,{KEY}");
        let vars =
            [("MASKER_KEY_K1", KEY), ("MASKER_KEY_K1_OLD", &old), ("MASKER_KEY_ROTATION_GRACE_DAYS", "7")];
        let found = ring(&vars).unwrap();
        assert_eq!(found.grace_days(), 7);
        let retired: Vec<Option<i64>> = found.old_keys().map(|key| key.retired).collect();
        assert_eq!(retired, [Some(1_795_392_000_000), None]);
        assert_eq!(found.overdue(1_795_392_000_000 + 8 * DAY, |_| None).len(), 1);
        for day in ["", "2026", "2026-11", "2026-1-23", "2026-13-01", "2026-11-32", "2026-11-23-1", "x"] {
            let old = format!("{OTHER}@{day}");
            let error = ring(&[("MASKER_KEY_K1", KEY), ("MASKER_KEY_K1_OLD", &old)]).unwrap_err();
            assert!(matches!(error, KeyError::InvalidKey { .. }), "{day}");
        }
        for days in ["-1", "3651", "a month", "1.5"] {
            let error = ring(&[("MASKER_KEY_ROTATION_GRACE_DAYS", days)]).unwrap_err();
            assert!(matches!(error, KeyError::InvalidGrace), "{days}");
        }
    }

    #[test]
    fn a_file_holds_the_same_variables_and_is_read_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.env");
        let keys = FileKeys::new(&path);
        assert!(matches!(keys.load(), Err(KeyError::Unreadable { kind: std::io::ErrorKind::NotFound, .. })));
        fs::write(&path, format!("\u{feff}# keys\r\n\r\nMASKER_KEY_K1={KEY}\r\nOTHER=x=y\r\n")).unwrap();
        assert_eq!(counts(&keys.load().unwrap()), [("K1", 1)]);
        fs::write(&path, format!("MASKER_KEY_K1={OTHER}\nMASKER_KEY_K1_OLD={KEY}@2026-11-23\n")).unwrap();
        assert_eq!(counts(&keys.load().unwrap()), [("K1", 2)]);
        for (text, line) in [
            (format!("MASKER_KEY_K1={KEY}\n{KEY}"), 2),
            (format!("MASKER_KEY_K1={KEY}\n\nMASKER_KEY_K1={OTHER}\n"), 3),
        ] {
            fs::write(&path, text).unwrap();
            let error = keys.load().unwrap_err();
            assert!(matches!(&error, KeyError::InvalidFile { line: found, .. } if *found == line), "{error}");
            assert!(!format!("{error} {error:?}").contains(&KEY[..20]));
        }
    }

    #[test]
    fn debug_names_variables_and_shows_no_key() {
        let keys = EnvKeys::new([("MASKER_KEY_K1", KEY), ("HOME", "/root")]);
        assert_eq!(format!("{keys:?}"), r#"["MASKER_KEY_K1"]"#);
    }
}
