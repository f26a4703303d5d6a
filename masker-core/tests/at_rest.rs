//! What lies on the disk after ten thousand originals: none of them.

use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::{BASE64, HEXLOWER, HEXUPPER};
use masker_core::audit::{AuditEvent, AuditKeys, AuditLog, AuditOptions};
use masker_core::vault::{Selection, export, import};
use masker_core::{
    KeyRing, Kid, Kind, Masker, MemoryVault, Mention, Opened, Policy, Records, Reference, Scope, SqliteVault,
    Token, Vault, VaultError,
};

/// Every form in which a text may lie in a file: as it is, in two bytes a character, in hexadecimal, in base64 at any place. All
/// in lower case, which is close enough even for base64.
fn forms(marker: &str) -> Vec<Vec<u8>> {
    let wide = |bytes: fn(u16) -> [u8; 2]| marker.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let base64 = |shift: usize| {
        let padded = [vec![0; shift], marker.as_bytes().to_vec()].concat();
        // Only the groups of four that the marker alone decides.
        let skip = if shift == 0 { 0 } else { 4 };
        BASE64.encode(&padded)[skip..padded.len() / 3 * 4].to_ascii_lowercase().into_bytes()
    };
    vec![
        marker.as_bytes().to_vec(),
        wide(u16::to_le_bytes),
        wide(u16::to_be_bytes),
        HEXLOWER.encode(marker.as_bytes()).into_bytes(),
        base64(0),
        base64(1),
        base64(2),
    ]
}

fn kid() -> Kid {
    "K_HEALTHCARE".parse().expect("a key id")
}

fn ring() -> KeyRing {
    KeyRing::builder().key(&kid(), [5; 32]).build().expect("sound keys")
}

#[test]
fn no_file_holds_an_original() {
    let folder = tempfile::tempdir().unwrap();
    let vault: Arc<dyn Vault> = Arc::new(SqliteVault::open(folder.path().join("vault.db")).unwrap());
    let masker = Masker::builder()
        .policy(Policy::healthcare_default())
        .keys(ring())
        .vault(Arc::clone(&vault))
        .build()
        .unwrap();
    let log =
        AuditLog::open(folder.path().join("audit.log"), &AuditKeys::new([6; 32]), AuditOptions::default())
            .unwrap();
    let texts: Vec<String> = (0..1_000)
        .map(|n| {
            (0..10)
                .fold(String::new(), |text, i| text + &format!("mail q7marked{n:04}x{i}@example.com now. "))
        })
        .collect();
    let mut found = 0;
    let mut shown = String::new();
    for masked in masker.mask_batch(&texts).unwrap() {
        assert!(!masked.text.contains("q7marked"));
        found += masked.events.len();
        log.append(masked.events.iter().map(|event| AuditEvent::redaction("acc_1", event)).collect())
            .unwrap();
        write!(shown, "{masked:?}").unwrap();
    }
    assert_eq!(found, 10_000);
    let (stats, page) = (vault.stats().unwrap(), vault.page(None, 100).unwrap());
    write!(shown, "{masker:?} {log:?} {stats:?} {page:?}").unwrap();
    let mut data = Vec::new();
    assert_eq!(export(&ring(), &kid(), &*vault, &mut data).unwrap().rows, 10_000);
    fs::write(folder.path().join("export.bin"), &data).unwrap();
    fs::write(folder.path().join("shown.txt"), &shown).unwrap();
    let needles = forms("q7marked");
    let scan = || {
        let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        for file in &files {
            let bytes = match fs::read(file) {
                Ok(bytes) => bytes.to_ascii_lowercase(),
                // The head of the log is written beside it and takes its name, at any time.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => panic!("{}: {error}", file.display()),
            };
            for needle in &needles {
                assert!(memchr::memmem::find(&bytes, needle).is_none(), "{}", file.display());
            }
        }
        files.len()
    };
    // Database, log of it, its index, audit log, its lock, perhaps its head, export, everything that was printed.
    assert!(scan() >= 7);
    // What is looked for would be found.
    for text in ["Q7marked0001x1@example.com", " q7MARKED", "  Q7MARKED "] {
        let wide = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
        let found = |bytes: Vec<u8>| {
            let bytes = bytes.to_ascii_lowercase();
            needles.iter().any(|needle| memchr::memmem::find(&bytes, needle).is_some())
        };
        assert!(found(text.into()) && found(wide(u16::to_le_bytes)) && found(wide(u16::to_be_bytes)));
        let lower = text.to_lowercase();
        assert!(
            found(HEXUPPER.encode(lower.as_bytes()).into()) && found(BASE64.encode(lower.as_bytes()).into())
        );
    }
    drop((vault, masker, log));
    scan();
}

#[test]
fn a_flipped_bit_in_any_byte_of_an_export_is_refused() {
    let (keys, scope, reference, kid) = (ring(), Scope::default(), Reference::new("a", "s"), kid());
    let (from, to) = (MemoryVault::new(), MemoryVault::new());
    let mention = |text| Mention { kind: &Kind::Id, kid: &kid, original: text, normalised: text };
    Records::new(&keys, &from, &scope, &reference).mint(&[mention("one"), mention("two")]).unwrap();
    let mut data = Vec::new();
    export(&keys, &kid, &from, &mut data).unwrap();
    for bit in 0..data.len() * 8 {
        let mut bad = data.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(import(&keys, &to, &mut &*bad), Err(VaultError::Export)), "bit {bit}");
    }
    for longer in [[data.as_slice(), &[0]].concat(), [data.as_slice(), &data].concat()] {
        assert!(matches!(import(&keys, &to, &mut &*longer), Err(VaultError::Export)));
    }
    assert_eq!(to.stats().unwrap().rows, 0);
    assert_eq!(import(&keys, &to, &mut &*data).unwrap().rows, 2);
}

#[test]
fn a_flipped_bit_in_any_byte_of_a_token_restores_nothing() {
    let (keys, scope, reference, kid) = (ring(), Scope::default(), Reference::default(), kid());
    let vault = MemoryVault::new();
    let mention = Mention { kind: &Kind::Id, kid: &kid, original: "one", normalised: "one" };
    let records = Records::new(&keys, &vault, &scope, &reference);
    let vaulted = records.mint(&[mention]).unwrap().remove(0);
    let sealed = masker_core::seal(&keys, &scope, &Kind::Id, &kid, "one", false).unwrap().unwrap();
    for token in [vaulted, sealed] {
        for bit in 0..token.text().len() * 8 {
            let mut bad = token.text().as_bytes().to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            let Ok(bad) = String::from_utf8(bad) else { continue };
            let Ok(bad) = bad.parse::<Token>() else { continue };
            // The letter case of a body means nothing: such a flip is the same token.
            if bad == token {
                continue;
            }
            let opened = records.restore(&[&bad]).unwrap().remove(0);
            assert!(!matches!(opened, Opened::Original(_)), "bit {bit}");
        }
    }
}

#[test]
fn rows_end_when_they_were_told_to() {
    let vault = Arc::new(MemoryVault::new());
    let masker = |lifetime| {
        let builder = Masker::builder().keys(ring()).vault(vault.clone() as Arc<dyn Vault>);
        builder.policy(Policy::healthcare_default()).row_lifetime(lifetime).build().unwrap()
    };
    let text = "my email is ada@example.com";
    let lasting = masker(Duration::from_hours(1));
    let masked = lasting.mask(text).unwrap();
    assert_eq!(lasting.rehydrate(&masked.text).unwrap().text, text);
    let row = vault.page(None, 1).unwrap().remove(0);
    assert_eq!(row.expires, Some(row.used + 3_600_000));
    assert_eq!(vault.delete(&Selection::Expired(row.used)).unwrap(), 0);
    let brief = masker(Duration::from_millis(1));
    let masked = brief.mask("my email is ben@example.com").unwrap();
    std::thread::sleep(Duration::from_millis(5));
    assert_eq!(brief.rehydrate(&masked.text).unwrap().unknown, 1);
    assert_eq!(vault.delete(&Selection::Expired(i64::MAX - 1)).unwrap(), 2);
}
