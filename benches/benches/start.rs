//! What happens once: making a masker, and the first mask with it.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use masker_benches::{UTTERANCE, masker};

fn start(criterion: &mut Criterion) {
    UTTERANCE.check(&masker());
    criterion.bench_function("start_to_first_mask", |b| {
        b.iter(|| masker().mask(black_box(UTTERANCE.text)));
    });
}

criterion_group!(benches, start);
criterion_main!(benches);
