//! Throughput over prose in pieces of 1 KB: one thread, then all cores.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use masker_benches::{PROSE, check, masker, prose_pieces};

fn prose(criterion: &mut Criterion) {
    let masker = masker();
    check(&masker, PROSE);
    let pieces = prose_pieces();
    let bytes: usize = pieces.iter().map(|piece| piece.len()).sum();

    let mut group = criterion.benchmark_group(PROSE.name);
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("detect", |b| {
        b.iter(|| {
            for piece in &pieces {
                let _ = black_box(masker.detect(black_box(piece)));
            }
        });
    });

    let batch: Vec<&str> = pieces.iter().copied().cycle().take(256).collect();
    let bytes: usize = batch.iter().map(|piece| piece.len()).sum();
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("detect_batch", |b| b.iter(|| masker.detect_batch(black_box(&batch))));
    group.finish();
}

criterion_group!(benches, prose);
criterion_main!(benches);
