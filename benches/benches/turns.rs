//! Single turns, as a voice agent sends them: detect, mask and rehydrate with a warm masker.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use masker_benches::{TURN, UTTERANCE, masker};

fn turns(criterion: &mut Criterion) {
    let masker = masker();
    for payload in [UTTERANCE, TURN] {
        payload.check(&masker);
        let masked = masker.mask(payload.text).expect("text alone is no error");
        assert_eq!(masked.redaction_count(), payload.findings, "redactions in {}", payload.name);

        let mut group = criterion.benchmark_group(payload.name);
        group.throughput(Throughput::Bytes(payload.text.len() as u64));
        group.bench_function("detect", |b| b.iter(|| masker.detect(black_box(payload.text))));
        group.bench_function("mask", |b| b.iter(|| masker.mask(black_box(payload.text))));
        group.bench_function("rehydrate", |b| b.iter(|| masker.rehydrate(black_box(&masked.text))));
        group.finish();
    }
}

criterion_group!(benches, turns);
criterion_main!(benches);
