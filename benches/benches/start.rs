//! What happens once: a policy from its source, making a masker, and the first mask in this process and in a cold one.

use std::hint::black_box;
use std::process::{Command, Stdio};

use criterion::{Criterion, criterion_group, criterion_main};
use masker_benches::{UTTERANCE, masker};
use masker_core::{Masker, Policy};

fn start(criterion: &mut Criterion) {
    UTTERANCE.check(&masker());
    let source = Policy::preset_source("healthcare-default").expect("the preset has a source");
    let mut group = criterion.benchmark_group("start");
    group.bench_function("policy_from_yaml", |b| b.iter(|| Policy::from_yaml(black_box(source))));
    group.bench_function("policy_to_masker", |b| {
        let policy = Policy::from_yaml(source).expect("the preset is valid");
        b.iter(|| Masker::builder().policy(policy.clone()).build());
    });
    group.bench_function("first_mask_in_process", |b| {
        b.iter(|| masker().mask(black_box(UTTERANCE.text)));
    });
    group.bench_function("first_mask_cold_process", |b| {
        b.iter(|| {
            let status = Command::new(env!("CARGO_BIN_EXE_first_mask")).stdout(Stdio::null()).status();
            assert!(status.expect("the program was built").success(), "the first text has its findings");
        });
    });
    group.finish();
}

criterion_group!(benches, start);
criterion_main!(benches);
