//! The last turn of a call of 60 turns with 40 values, resent whole: with the memory of the turns before, and without; and streams in
//! both directions, a word at a time.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use masker_benches::{PROSE, masker, sixty_turns};
use masker_core::{Conversation, Role};

fn conversation(criterion: &mut Criterion) {
    let masker = masker();
    let history = sixty_turns();
    let warm = masker.conversation("warm");
    let masked = warm.mask_history(&history[..59]).expect("text alone is no error");
    assert!(masked.iter().all(|message| message.redaction_count() == 1), "a value in every turn");
    let bytes = warm.to_bytes().expect("the system has random bytes");
    let resumed = || Conversation::from_bytes(&masker, &bytes).expect("the bytes are its own");

    let mut group = criterion.benchmark_group("turn_60");
    group.bench_function("with_memory", |b| {
        b.iter_batched(resumed, |warm| warm.mask_history(black_box(&history)), BatchSize::SmallInput);
    });
    group.bench_function("without_memory", |b| {
        b.iter_batched(
            || masker.conversation("cold"),
            |cold| cold.mask_history(black_box(&history)),
            BatchSize::SmallInput,
        );
    });
    group.finish();

    let mut group = criterion.benchmark_group("heard");
    group.throughput(criterion::Throughput::Bytes(PROSE.text.len() as u64));
    group.bench_function("mask_stream", |b| {
        b.iter(|| {
            let mut stream = masker.conversation("heard").stream_masker(Role::User);
            for part in PROSE.text.split_inclusive(' ') {
                black_box(stream.push(part)).expect("the vault is memory");
            }
            stream.finish()
        });
    });
    group.finish();

    let reply = masked.iter().map(|message| message.text.as_str()).collect::<Vec<_>>().join("\n");
    let mut group = criterion.benchmark_group("reply");
    group.throughput(criterion::Throughput::Bytes(reply.len() as u64));
    group.bench_function("rehydrate", |b| b.iter(|| warm.rehydrate(black_box(&reply))));
    group.bench_function("rehydrate_stream", |b| {
        b.iter(|| {
            let mut stream = warm.stream_rehydrator();
            for part in reply.split_inclusive(' ') {
                black_box(stream.push(part)).expect("the vault is memory");
            }
            stream.flush()
        });
    });
    group.finish();
}

criterion_group!(benches, conversation);
criterion_main!(benches);
