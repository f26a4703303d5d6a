//! The last turn of a call of 60 turns with 40 values, resent whole: with the memory of the turns before, and without.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use masker_benches::masker;
use masker_core::{Conversation, Role};

fn history() -> Vec<(Role, String)> {
    (0..60)
        .map(|turn| {
            let value = turn % 40;
            if turn % 2 == 0 {
                (
                    Role::Assistant,
                    format!("thank you, and is person{value}@example.com right for the letter?"),
                )
            } else {
                (
                    Role::User,
                    format!("no, call me at 415-555-01{:02}, it's about the ten milligrams", value + 10),
                )
            }
        })
        .collect()
}

fn conversation(criterion: &mut Criterion) {
    let masker = masker();
    let history = history();
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
