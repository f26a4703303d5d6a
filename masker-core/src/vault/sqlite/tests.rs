use std::{fs, io};

use tempfile::TempDir;

use super::schema::VERSION;
use super::*;
use crate::token::{KeyRing, Scope, Token};
use crate::vault::{Mention, Opened, Records, conformance, export, rewrap, verify};

fn kid() -> Kid {
    "K1".parse().unwrap()
}

fn ring() -> KeyRing {
    KeyRing::builder().key(&kid(), [1; 32]).build().unwrap()
}

fn mint(vault: &SqliteVault, texts: &[String]) -> Vec<Token> {
    let (keys, scope, reference, kid) = (ring(), Scope::default(), Reference::default(), kid());
    let mentions: Vec<Mention<'_>> = texts
        .iter()
        .map(|text| Mention { kind: &Kind::Id, kid: &kid, original: text, normalised: text })
        .collect();
    Records::new(&keys, vault, &scope, &reference).mint(&mentions).unwrap()
}

fn restores(vault: &SqliteVault, token: &Token, expected: &str) -> bool {
    let (keys, scope, reference) = (ring(), Scope::default(), Reference::default());
    let opened = Records::new(&keys, vault, &scope, &reference).restore(&[token]).unwrap().remove(0);
    matches!(opened, Opened::Original(text) if text.expose() == expected)
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("Q7marked-original-{n:05}")).collect()
}

#[test]
fn conforms() {
    let folder = TempDir::new().unwrap();
    let number = std::cell::Cell::new(0);
    conformance::run(&|| {
        number.set(number.get() + 1);
        Arc::new(SqliteVault::open(folder.path().join(format!("{}.db", number.get()))).unwrap())
    });
}

#[test]
fn rows_outlive_the_vault_and_two_vaults_share_a_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("vault.db");
    let one = SqliteVault::open(&path).unwrap();
    let two = SqliteVault::open_with(&path, Durability::Power).unwrap();
    let texts = texts(20);
    let tokens = mint(&one, &texts);
    assert_eq!(mint(&two, &texts), tokens);
    assert!(restores(&two, &tokens[3], &texts[3]));
    drop((one, two));
    let again = SqliteVault::open(&path).unwrap();
    assert!(restores(&again, &tokens[3], &texts[3]));
    assert_eq!(again.stats().unwrap().rows, 20);
}

#[test]
fn the_log_is_copied_apart_from_the_calls() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("vault.db");
    let vault = SqliteVault::open_with(&path, SqliteOptions::default().checkpoints_apart(true)).unwrap();
    let length = |ending: &str| fs::metadata(format!("{}{ending}", path.display())).unwrap().len();
    let before = length("");
    let texts = texts(4_000);
    let tokens: Vec<Token> = texts.chunks(10).flat_map(|chunk| mint(&vault, chunk)).collect();
    assert_eq!(length(""), before, "no call has copied anything");
    vault.tidy().unwrap();
    let copied = length("");
    assert!(copied > before + 400_000, "{copied}");
    // A log that had grown long is begun anew rather than growing further.
    let long = length("-wal");
    texts.chunks(10).take(20).for_each(|chunk| {
        mint(&vault, &chunk.iter().map(|text| format!("{text}x")).collect::<Vec<_>>());
    });
    assert!(long > 16 << 20 && length("-wal") == long, "{long}");
    assert!(restores(&vault, &tokens[3_999], &texts[3_999]));
}

#[test]
fn vaults_opened_at_once_make_one_file_and_one_row_a_value() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("vault.db");
    let texts = texts(100);
    thread::scope(|s| {
        for _ in 0..6 {
            s.spawn(|| {
                let vault = SqliteVault::open(&path).unwrap();
                texts.chunks(7).for_each(|chunk| drop(mint(&vault, chunk)));
            });
        }
    });
    assert_eq!(SqliteVault::open(&path).unwrap().stats().unwrap().rows, 100);
}

#[test]
fn no_original_is_in_any_file() {
    let folder = TempDir::new().unwrap();
    let vault = SqliteVault::open(folder.path().join("vault.db")).unwrap();
    mint(&vault, &texts(500));
    let looks_clean = || {
        fs::read_dir(folder.path()).unwrap().all(|entry| {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            memchr::memmem::find(&bytes, b"Q7marked").is_none()
        })
    };
    assert!(folder.path().join("vault.db-wal").exists());
    assert!(looks_clean());
    vault.delete(&Selection::UnusedSince(i64::MAX)).unwrap();
    drop(vault);
    assert!(looks_clean());
}

#[test]
fn what_is_purged_leaves_no_ciphertext() {
    let folder = TempDir::new().unwrap();
    let vault = SqliteVault::open(folder.path().join("vault.db")).unwrap();
    mint(&vault, &texts(300));
    let rows = vault.page(None, 300).unwrap();
    vault.delete(&Selection::UnusedSince(i64::MAX)).unwrap();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        for row in &rows {
            assert!(memchr::memmem::find(&bytes, &row.bytes).is_none());
            assert!(memchr::memmem::find(&bytes, row.key.token.as_bytes()).is_none());
        }
    }
}

#[test]
fn what_is_purged_among_other_rows_leaves_no_ciphertext() {
    let folder = TempDir::new().unwrap();
    let vault = SqliteVault::open(folder.path().join("vault.db")).unwrap();
    let (keys, scope, kid) = (ring(), Scope::default(), kid());
    let mut number = 0_u32;
    for round in 0..6 {
        // Subjects take turns, with originals of many lengths, so that pages split, merge and move their rows.
        for turn in 0..120 {
            let reference = Reference::new("agent", &format!("subject-{}", turn % 5));
            let texts: Vec<String> = (0..7)
                .map(|_| {
                    number += 1;
                    format!("{number} {}", "x".repeat(number as usize * 37 % 700))
                })
                .collect();
            let mentions: Vec<Mention<'_>> = texts
                .iter()
                .map(|text| Mention { kind: &Kind::Id, kid: &kid, original: text, normalised: text })
                .collect();
            Records::new(&keys, &vault, &scope, &reference).mint(&mentions).unwrap();
        }
        let doomed = format!("subject-{}", round % 5);
        let rows = vault.page(None, 10_000).unwrap();
        let is_doomed = |row: &&Row| row.references.iter().all(|r| *r.subject == *doomed);
        let rows: Vec<&Row> = rows.iter().filter(is_doomed).collect();
        assert!(rows.len() >= 168);
        assert_eq!(vault.delete(&Selection::Subject(doomed.clone())).unwrap(), rows.len() as u64);
        for entry in fs::read_dir(folder.path()).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            for row in &rows {
                // Any twenty bytes of a ciphertext are its own.
                let middle = row.bytes.len() / 2;
                let parts = [&row.bytes[..20], &row.bytes[middle..middle + 20], row.key.token.as_bytes()];
                for part in parts {
                    assert!(memchr::memmem::find(&bytes, part).is_none(), "round {round}");
                }
            }
            assert!(memchr::memmem::find(&bytes, doomed.as_bytes()).is_none(), "round {round}");
        }
    }
}

#[cfg(unix)]
#[test]
fn the_files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let folder = TempDir::new().unwrap();
    let vault = SqliteVault::open(folder.path().join("vault.db")).unwrap();
    mint(&vault, &texts(1));
    for entry in fs::read_dir(folder.path()).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn something_else_is_not_a_vault() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file");
    for content in
        ["x", "SQLite", "not a database at all, but longer than any header would be".repeat(9).as_str()]
    {
        fs::write(&path, content).unwrap();
        let error = SqliteVault::open(&path).unwrap_err();
        let expected = matches!(error, VaultError::NotAVault { .. })
            || (content == "SQLite" && matches!(error, VaultError::Corrupt));
        assert!(expected, "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content, "a stranger's file is left alone");
    }
    let other = folder.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    assert!(matches!(SqliteVault::open(&other), Err(VaultError::NotAVault { .. })));
    assert!(matches!(SqliteVault::open(folder.path()), Err(VaultError::Open { .. })));
    let nowhere = folder.path().join("missing/vault.db");
    assert!(matches!(
        SqliteVault::open(nowhere),
        Err(VaultError::Open { kind: io::ErrorKind::NotFound, .. })
    ));
}

#[test]
fn another_version_is_named() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("vault.db");
    drop(SqliteVault::open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 9).unwrap();
    let error = SqliteVault::open(&path).unwrap_err();
    assert!(matches!(error, VaultError::Version { found: 9, expected: VERSION }));
    assert_eq!(
        error.to_string(),
        "vault has schema version 9, and this build reads version 4; open it with the masker that wrote it"
    );
}

#[test]
fn an_earlier_version_is_migrated_with_its_rows() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("vault.db");
    let texts = texts(20);
    let tokens = mint(&SqliteVault::open(&path).unwrap(), &texts);
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch("DROP TABLE erasure; ALTER TABLE rows DROP COLUMN checksum; PRAGMA user_version = 1")
        .unwrap();
    drop(connection);
    let vault = SqliteVault::open(&path).unwrap();
    assert!(restores(&vault, &tokens[7], &texts[7]));
    assert!(!vault.stats().unwrap().erasure_pending, "what an earlier build left behind is erased as well");
    assert_eq!(vault.delete(&Selection::UnusedSince(i64::MAX)).unwrap(), 20);
}

#[test]
fn an_erasure_that_was_kept_waiting_is_made_good() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("vault.db");
    let vault = SqliteVault::open(&path).unwrap();
    mint(&vault, &texts(50));
    let rows = vault.page(None, 100).unwrap();
    let holds_any = || {
        fs::read_dir(folder.path()).unwrap().any(|entry| {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            rows.iter().any(|row| memchr::memmem::find(&bytes, &row.bytes).is_some())
        })
    };
    // The removal alone, as a kill right after it would leave the file.
    vault
        .write(|transaction| {
            let mut select = transaction.prepare("SELECT id, scope, token FROM rows")?;
            let doomed = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            bury(transaction, &doomed.collect::<Result<Vec<_>, _>>()?)
        })
        .unwrap();
    assert!(vault.stats().unwrap().erasure_pending && holds_any());
    let reader = Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM rows").unwrap();
    vault.erase(Duration::ZERO).unwrap();
    assert!(vault.stats().unwrap().erasure_pending, "a reader still needs the old pages");
    drop(reader);
    drop(SqliteVault::open(&path).unwrap());
    assert!(!vault.stats().unwrap().erasure_pending && !holds_any());
}

#[test]
fn a_full_vault_refuses_whole_batches_and_goes_on_with_more_room() {
    let folder = TempDir::new().unwrap();
    let vault = SqliteVault::open(folder.path().join("vault.db")).unwrap();
    let set = |pragma: &str| vault.lock().connection.execute_batch(&format!("PRAGMA {pragma}")).unwrap();
    set("max_page_count = 60");
    let (keys, scope, reference, kid) = (ring(), Scope::default(), Reference::default(), kid());
    let try_mint = |texts: &[String]| {
        let mentions: Vec<Mention<'_>> = texts
            .iter()
            .map(|text| Mention { kind: &Kind::Id, kid: &kid, original: text, normalised: text })
            .collect();
        Records::new(&keys, &vault, &scope, &reference).mint(&mentions)
    };
    let texts = texts(2_000);
    let mut done = 0;
    let error = loop {
        match try_mint(&texts[done..done + 50]) {
            Ok(_) => done += 50,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, VaultError::Full), "{error}");
    assert!(done > 0);
    assert_eq!(vault.stats().unwrap().rows, done as u64, "a refused batch leaves no row");
    set("max_page_count = 100000");
    set("query_only = 1");
    assert!(matches!(try_mint(&texts[done..]), Err(VaultError::ReadOnly { .. })));
    assert_eq!(vault.stats().unwrap().rows, done as u64);
    set("query_only = 0");
    try_mint(&texts).unwrap();
    assert_eq!(vault.stats().unwrap().rows, 2_000);
}

#[test]
fn a_file_cut_short_is_damaged() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("vault.db");
    let vault = SqliteVault::open(&path).unwrap();
    mint(&vault, &texts(500));
    drop(vault);
    let whole = fs::read(&path).unwrap();
    for len in [50, 99, 100, 1_000, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..len]).unwrap();
        assert!(matches!(SqliteVault::open(&path), Err(VaultError::Corrupt)), "cut to {len}");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(SqliteVault::open(&path).unwrap().stats().unwrap().rows, 500);
}

#[test]
fn damaged_pages_are_an_error_or_an_unknown_token() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("vault.db");
    let vault = SqliteVault::open(&path).unwrap();
    let texts = texts(200);
    let tokens = mint(&vault, &texts);
    drop(vault);
    let whole = fs::read(&path).unwrap();
    let (keys, scope, reference) = (ring(), Scope::default(), Reference::default());
    for at in (100..whole.len()).step_by(whole.len() / 97) {
        let mut bytes = whole.clone();
        bytes[at..whole.len().min(at + 64)].fill(0xa5);
        fs::write(&path, &bytes).unwrap();
        let Ok(vault) = SqliteVault::open(&path) else { continue };
        for (token, text) in tokens.iter().zip(&texts) {
            let Ok(opened) = Records::new(&keys, &vault, &scope, &reference).restore(&[token]) else {
                continue;
            };
            if let Opened::Original(original) = &opened[0] {
                assert_eq!(original.expose(), text);
            }
        }
    }
}

/// Opens a damaged file and says whether anything of the damage is noticed. A wrong value is a failure.
fn is_noticed(path: &Path, tokens: &[Token], texts: &[String]) -> bool {
    let (keys, scope, reference) = (ring(), Scope::default(), Reference::default());
    let Ok(vault) = SqliteVault::open(path) else { return true };
    let records = Records::new(&keys, &vault, &scope, &reference);
    let mut noticed = false;
    for (token, text) in tokens.iter().zip(texts) {
        match records.restore(&[token]).as_deref() {
            Ok([Opened::Original(original)]) => assert_eq!(original.expose(), text),
            _ => noticed = true,
        }
    }
    noticed || !verify(&keys, &vault).is_ok_and(|found| (found.unreadable, found.orphans) == (0, 0))
}

#[test]
fn a_flipped_bit_in_any_byte_of_a_row_is_noticed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("vault.db");
    let vault = SqliteVault::open(&path).unwrap();
    let texts = texts(3);
    let tokens = mint(&vault, &texts);
    drop(vault);
    let whole = fs::read(&path).unwrap();
    let connection = Connection::open(&path).unwrap();
    let columns = format!("SELECT {} FROM rows WHERE token = ?1", Stored::COLUMNS);
    let row = connection.query_row(&columns, [tokens[1].text()], Stored::read).unwrap();
    drop(connection);
    // The row as the file has it: scope is empty, so its token is the first text; its checksum is the last value.
    let start = memchr::memmem::find(&whole, &[tokens[1].text(), "IDK1"].concat().into_bytes()).unwrap();
    let checksum = row.checksum.to_be_bytes();
    let end = start + memchr::memmem::find(&whole[start..], &checksum).unwrap() + checksum.len();
    // Before the values stand length, number and the types of the ten columns. SQLite takes the id from the number, and what its
    // type says is read by nobody.
    let type_of_id = start - 11;
    let mut missed = Vec::new();
    for bit in (start - 14) * 8..end * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &bytes).unwrap();
        if !is_noticed(&path, &tokens, &texts) && bit / 8 != type_of_id {
            missed.push((bit / 8).cast_signed() - start.cast_signed());
        }
    }
    assert!(end - start > 100, "{}", end - start);
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn a_flipped_bit_anywhere_in_the_file_restores_no_wrong_value() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("vault.db");
    let vault = SqliteVault::open(&path).unwrap();
    let texts = texts(2);
    let tokens = mint(&vault, &texts);
    drop(vault);
    let whole = fs::read(&path).unwrap();
    let used: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    for (n, at) in used.into_iter().enumerate() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (n % 8);
        fs::write(&path, &bytes).unwrap();
        is_noticed(&path, &tokens, &texts);
    }
}

#[test]
fn a_damaged_row_is_told_apart_and_harms_no_other() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("vault.db");
    let vault = SqliteVault::open_with(&path, SqliteOptions::default().cached_rows(0)).unwrap();
    let texts = texts(3);
    let tokens = mint(&vault, &texts);
    vault.lock().connection.execute("UPDATE rows SET expires = 1 WHERE id = 2", []).unwrap();
    assert!(restores(&vault, &tokens[0], &texts[0]) && !restores(&vault, &tokens[1], &texts[1]));
    let checked = verify(&ring(), &vault).unwrap();
    assert_eq!((checked.readable, checked.unreadable, checked.damaged), (2, 1, 1));
    let (keys, scope, reference, kid) = (ring(), Scope::default(), Reference::default(), kid());
    let mention = Mention { kind: &Kind::Id, kid: &kid, original: &texts[1], normalised: &texts[1] };
    let minted = Records::new(&keys, &vault, &scope, &reference).mint(&[mention]);
    assert!(matches!(minted, Err(VaultError::Corrupt)), "no second token for a value whose row is damaged");
    let mut data = Vec::new();
    assert!(matches!(export(&keys, &kid, &vault, &mut data), Err(VaultError::Corrupt)));
    assert_eq!(rewrap(&keys, &vault, None, &kid).unwrap().unreadable, 1);
    assert_eq!(vault.delete(&Selection::UnusedSince(i64::MAX)).unwrap(), 3, "it can be removed");
}

#[test]
fn rows_in_memory_are_never_older_than_the_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("vault.db");
    let (one, two) = (SqliteVault::open(&path).unwrap(), SqliteVault::open(&path).unwrap());
    let texts = texts(20);
    let tokens = mint(&one, &texts);
    let cached = |vault: &SqliteVault| {
        let mut store = vault.lock();
        tokens.iter().filter(|t| store.cache.get(&tombstone(&Scope::default(), t.text())).is_some()).count()
    };
    assert_eq!((cached(&one), cached(&two)), (20, 0), "what was written is at hand");
    let all_restore =
        |vault: &SqliteVault| tokens.iter().zip(&texts).all(|(t, text)| restores(vault, t, text));
    assert!(all_restore(&two));
    assert_eq!(cached(&two), 20, "and what was read");
    assert!(all_restore(&two) && all_restore(&one));

    // Another subject's rows, so that the file is written and these rows are not touched.
    two.delete(&Selection::Subject("nobody".to_owned())).unwrap();
    assert!(all_restore(&one));
    two.delete(&Selection::UnusedSince(i64::MAX)).unwrap();
    assert!(!restores(&one, &tokens[0], &texts[0]), "an erased row is not answered from memory");
    assert!(!restores(&two, &tokens[0], &texts[0]));
    assert_eq!((cached(&one), cached(&two)), (0, 0));
    assert_ne!(mint(&one, &texts), tokens, "and its token is dead here too");
}

#[test]
fn a_failed_write_leaves_nothing_in_memory() {
    let folder = TempDir::new().unwrap();
    let vault = SqliteVault::open(folder.path().join("vault.db")).unwrap();
    vault.lock().connection.execute_batch("PRAGMA query_only = 1").unwrap();
    let (keys, scope, reference, kid) = (ring(), Scope::default(), Reference::default(), kid());
    let mention = Mention { kind: &Kind::Id, kid: &kid, original: "one", normalised: "one" };
    let records = Records::new(&keys, &vault, &scope, &reference);
    assert!(matches!(records.mint(&[mention]), Err(VaultError::ReadOnly { .. })));
    vault.lock().connection.execute_batch("PRAGMA query_only = 0").unwrap();
    assert_eq!(vault.stats().unwrap().rows, 0);
    let token = records.mint(&[mention]).unwrap().remove(0);
    assert!(restores(&vault, &token, "one"));
    assert_eq!(vault.stats().unwrap().rows, 1);
}

#[test]
fn exclusive_use_keeps_others_out_until_it_ends() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("vault.db");
    let alone = SqliteVault::open_with(&path, SqliteOptions::default().exclusive(true)).unwrap();
    let texts = texts(5);
    let tokens = mint(&alone, &texts);
    let options = SqliteOptions::default().wait(Duration::from_millis(50));
    assert!(matches!(SqliteVault::open_with(&path, options), Err(VaultError::Busy)));
    assert!(restores(&alone, &tokens[0], &texts[0]));
    alone.delete(&Selection::UnusedSince(0)).unwrap();
    drop(alone);
    let shared = SqliteVault::open(&path).unwrap();
    assert!(restores(&shared, &tokens[4], &texts[4]));
    let refused = SqliteVault::open_with(&path, options.exclusive(true));
    assert!(matches!(refused, Err(VaultError::Busy)), "somebody has it");
    assert_eq!(mint(&shared, &texts), tokens);
}

#[test]
fn errors_name_the_file_and_no_data() {
    let path = PathBuf::from("vault.db");
    let code = |code| {
        let error =
            rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), Some("secret".to_owned()));
        Failure::from(error).into_error(&path)
    };
    assert!(matches!(code(rusqlite::ffi::SQLITE_BUSY), VaultError::Busy));
    assert!(matches!(code(rusqlite::ffi::SQLITE_FULL), VaultError::Full));
    assert!(code(rusqlite::ffi::SQLITE_READONLY).to_string().starts_with("vault vault.db is read-only;"));
    assert!(!code(rusqlite::ffi::SQLITE_IOERR).to_string().contains("secret"));
}
