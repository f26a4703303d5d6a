//! The asynchronous forms: they give what the others give, and hold up nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_lite::future::{block_on, yield_now, zip};
use masker_core::vault::Selection;
use masker_core::{AsyncVault, Durability, KeyRing, Kid, Masker, Policy, SqliteVault, VaultError};

fn kid() -> Kid {
    "K_HEALTHCARE".parse().expect("a key id")
}

fn keys() -> KeyRing {
    KeyRing::builder().key(&kid(), [5; 32]).build().expect("a sound key")
}

fn masker(vault: &AsyncVault) -> Masker {
    let builder = Masker::builder().policy(Policy::healthcare_default()).keys(keys());
    builder.vault(vault.vault()).build().expect("a masker")
}

#[test]
fn they_give_what_the_calls_give() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("vault.db"), folder.path().join("other.db"));
    block_on(async {
        let vault = AsyncVault::open(move || SqliteVault::open_with(path, Durability::Power)).await.unwrap();
        let masker = masker(&vault);
        let text = "call (415) 555-0142 or write to ada@example.com";
        let masked = masker.mask_async(text).await.unwrap();
        assert_eq!(masked.text, masker.mask(text).unwrap().text);
        assert_eq!(masker.rehydrate_async(masked.text.clone()).await.unwrap().text, text);
        let batch = masker.mask_batch_async(vec![text.to_owned(); 3]).await.unwrap();
        assert!(batch.iter().all(|one| one.text == masked.text));
        let texts = batch.into_iter().map(|one| one.text).collect();
        assert!(masker.rehydrate_batch_async(texts).await.unwrap().iter().all(|one| one.text == text));

        assert_eq!(vault.stats().await.unwrap().rows, 2);
        let (data, done) = vault.export(keys(), kid(), Vec::new()).await.unwrap();
        assert_eq!(done.rows, 2);
        let copy = AsyncVault::open(move || SqliteVault::open(other)).await.unwrap();
        assert_eq!(copy.import(keys(), std::io::Cursor::new(data.clone())).await.unwrap().rows, 2);
        let cut = copy.import(keys(), std::io::Cursor::new(data[..data.len() - 1].to_vec())).await;
        assert!(matches!(cut, Err(VaultError::Export)));
        assert_eq!(copy.verify(keys()).await.unwrap().readable, 2);
        assert_eq!(copy.rewrap(keys(), None, kid()).await.unwrap().current, 2);
        let all = Selection::UnusedSince(i64::MAX);
        assert_eq!(copy.count(all.clone()).await.unwrap(), 2);
        assert_eq!(copy.delete(all).await.unwrap(), 2);
        assert_eq!(copy.run(|vault| vault.tombstones(None, 10)).await.unwrap().len(), 2);
    });
}

#[test]
fn the_executor_goes_on_while_the_vault_waits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.db");
    let vault = AsyncVault::new(Arc::new(SqliteVault::open(&path).unwrap()));
    let masker = masker(&vault);
    // Another process writes for as long as the lock is held.
    let lock = rusqlite::Connection::open(&path).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let turns = AtomicUsize::new(0);
    let started = Instant::now();
    block_on(async {
        let other_work = async {
            while started.elapsed() < Duration::from_millis(300) {
                turns.fetch_add(1, Ordering::Relaxed);
                yield_now().await;
            }
            lock.execute_batch("COMMIT").unwrap();
        };
        let (masked, ()) = zip(masker.mask_async("my email is ada@example.com"), other_work).await;
        assert_eq!(masked.unwrap().redaction_count(), 1);
    });
    assert!(started.elapsed() >= Duration::from_millis(300), "the vault had to wait");
    assert!(turns.load(Ordering::Relaxed) > 1_000, "and one thread did other work meanwhile");
}

#[test]
fn a_dropped_call_runs_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.db");
    let vault = AsyncVault::new(Arc::new(SqliteVault::open(&path).unwrap()));
    let masker = masker(&vault);
    block_on(async {
        let mut call = Box::pin(masker.mask_async("my email is ada@example.com"));
        assert!(futures_lite::future::poll_once(&mut call).await.is_none());
        drop(call);
    });
    // It either never began or stored its row whole.
    std::thread::sleep(Duration::from_millis(200));
    let checked = block_on(vault.verify(keys())).unwrap();
    assert_eq!((checked.unreadable, checked.orphans), (0, 0));
    assert!(checked.readable <= 1);
}
