//! A megabyte of one thing after another, beside a megabyte of prose: the time a byte must stay close to it.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use masker_benches::{PROSE, WORST, masker};

const MEGABYTE: usize = 1 << 20;

fn adversarial(criterion: &mut Criterion) {
    // With `--test` nothing is timed, and the core may be without optimisation.
    let length = if std::env::args().any(|arg| arg == "--test") { MEGABYTE / 16 } else { MEGABYTE };
    let masker = masker();
    let mut group = criterion.benchmark_group("megabyte");
    group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    let prose = PROSE.text.repeat(length.div_ceil(PROSE.text.len()));
    let worst = WORST.iter().map(|worst| (worst.name, worst.text(length)));
    for (name, text) in std::iter::once(("prose", prose)).chain(worst) {
        // One text, one result: everything found lies inside it and in order.
        let findings = masker.detect(&text).expect("text alone is no error");
        assert!(findings.windows(2).all(|pair| pair[0].span.end <= pair[1].span.start), "findings in order");
        assert!(findings.last().is_none_or(|last| last.span.end <= text.len()), "findings inside the text");

        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(format!("{name:?}"), |b| b.iter(|| masker.detect(black_box(&text))));
    }
    group.finish();
}

criterion_group!(benches, adversarial);
criterion_main!(benches);
