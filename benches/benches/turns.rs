//! Single turns, as a voice agent sends them, with a warm masker: the three verbs, over a vault in memory and one in a file; and a
//! chat request.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use masker_benches::{CHAT, TURN, UTTERANCE, masker};
use masker_core::{Masker, SqliteVault};

fn turns(criterion: &mut Criterion) {
    let masker = masker();
    let folder = tempfile::tempdir().expect("the system has a folder for temporary files");
    let vault = SqliteVault::open(folder.path().join("vault.db")).expect("the folder is new");
    let stored = Masker::builder().vault(Arc::new(vault)).build().expect("the built-in policy is valid");
    for payload in [UTTERANCE, TURN] {
        payload.check(&masker);
        let masked = masker.mask(payload.text).expect("text alone is no error");
        assert_eq!(masked.redaction_count(), payload.findings, "redactions in {}", payload.name);
        let kept = stored.mask(payload.text).expect("the vault is open");

        let mut group = criterion.benchmark_group(payload.name);
        group.throughput(Throughput::Bytes(payload.text.len() as u64));
        group.bench_function("detect", |b| b.iter(|| masker.detect(black_box(payload.text))));
        group.bench_function("mask", |b| b.iter(|| masker.mask(black_box(payload.text))));
        group.bench_function("rehydrate", |b| b.iter(|| masker.rehydrate(black_box(&masked.text))));
        group.bench_function("mask_sqlite", |b| b.iter(|| stored.mask(black_box(payload.text))));
        group.bench_function("rehydrate_sqlite", |b| b.iter(|| stored.rehydrate(black_box(&kept.text))));
        group.finish();
    }

    CHAT.check(&masker);
    let masked = masker.mask_chat(CHAT.text).expect("a chat is no error");
    let mut group = criterion.benchmark_group(CHAT.name);
    group.throughput(Throughput::Bytes(CHAT.text.len() as u64));
    group.bench_function("mask", |b| b.iter(|| masker.mask_chat(black_box(CHAT.text))));
    group.bench_function("rehydrate", |b| b.iter(|| masker.rehydrate_chat(black_box(&masked.json))));
    group.finish();
}

criterion_group!(benches, turns);
criterion_main!(benches);
