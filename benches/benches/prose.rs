//! Throughput over texts in pieces of 1 KB: prose, nothing to find, much to find, calls; then prose on all cores.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use masker_benches::{CLEAN, DENSE, PROSE, TRANSCRIPT, masker};

fn prose(criterion: &mut Criterion) {
    let masker = masker();
    for payload in [CLEAN, PROSE, DENSE, TRANSCRIPT] {
        payload.check(&masker);
        let pieces = payload.pieces();
        let bytes: usize = pieces.iter().map(|piece| piece.len()).sum();
        let masked = masker.mask_batch(&pieces).expect("text alone is no error");

        let mut group = criterion.benchmark_group(payload.name);
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function("detect", |b| {
            b.iter(|| {
                for piece in &pieces {
                    let _ = black_box(masker.detect(black_box(piece)));
                }
            });
        });
        group.bench_function("mask", |b| {
            b.iter(|| {
                for piece in &pieces {
                    let _ = black_box(masker.mask(black_box(piece)));
                }
            });
        });
        group.bench_function("rehydrate", |b| {
            b.iter(|| {
                for masked in &masked {
                    let _ = black_box(masker.rehydrate(black_box(&masked.text)));
                }
            });
        });
        group.finish();
    }

    let batch: Vec<&str> = PROSE.pieces().repeat(4);
    let bytes: usize = batch.iter().map(|piece| piece.len()).sum();
    let mut group = criterion.benchmark_group("batch");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("detect", |b| b.iter(|| masker.detect_batch(black_box(&batch))));
    group.bench_function("mask", |b| b.iter(|| masker.mask_batch(black_box(&batch))));
    group.finish();
}

criterion_group!(benches, prose);
criterion_main!(benches);
