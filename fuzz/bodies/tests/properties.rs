//! The fuzz targets on a stable compiler: random inputs, the seeds, and every input that once broke a promise.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use masker_fuzz_bodies::{TARGETS, Target};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestError, TestRunner};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// The files of a folder, none where it does not exist.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// The words of a dictionary in the form of libFuzzer: a quoted word a line, with `\\`, `\"` and `\xAB`.
fn words(target: &Target) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(folder("dictionaries").join(format!("{}.dict", target.name))).unwrap();
    text.lines().filter(|line| line.starts_with('"')).map(unquoted).collect()
}

fn unquoted(line: &str) -> Vec<u8> {
    let inner = line.strip_prefix('"').and_then(|line| line.strip_suffix('"'));
    let mut bytes = inner.unwrap_or_else(|| panic!("not a word: {line}")).bytes();
    let mut word = Vec::new();
    while let Some(byte) = bytes.next() {
        match (byte, byte == b'\\') {
            (_, false) => word.push(byte),
            _ => match bytes.next() {
                Some(b'x') => {
                    let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                    word.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
                }
                Some(escaped @ (b'\\' | b'"')) => word.push(escaped),
                other => panic!("not an escape: {other:?} in {line}"),
            },
        }
    }
    word
}

/// Seeds, joined, cut and sprinkled with words of the dictionary and with any bytes.
fn input(target: &Target) -> impl Strategy<Value = Vec<u8>> {
    let seeds: Vec<Vec<u8>> =
        files(&folder("seeds").join(target.name)).into_iter().map(|(_, seed)| seed).collect();
    let words = words(target);
    assert!(!seeds.is_empty() && !words.is_empty(), "{} has seeds and a dictionary", target.name);
    let part = (select(seeds), any::<Index>(), any::<Index>()).prop_map(|(seed, start, end)| {
        let (start, end) = (start.index(seed.len() + 1), end.index(seed.len() + 1));
        seed[start.min(end)..start.max(end)].to_vec()
    });
    let piece = prop_oneof![
        3 => part,
        4 => select(words),
        2 => prop::collection::vec(any::<u8>(), 0..6),
        1 => any::<char>().prop_map(|c| c.to_string().into_bytes()),
    ];
    let choices = prop::collection::vec(any::<u8>(), 0..12);
    (prop::collection::vec(piece, 0..12), choices).prop_map(|(pieces, choices)| {
        let mut input = pieces.concat();
        input.truncate(4096);
        input.extend(choices);
        input
    })
}

fn random(target: &Target) {
    let config = Config { failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let outcome = TestRunner::new(config).run(&input(target), |data| {
        (target.body)(&data);
        Ok(())
    });
    if let Err(failure) = outcome {
        let TestError::Fail(reason, input) = failure else { panic!("{}: {failure}", target.name) };
        panic!("{} on b\"{}\": {reason}", target.name, input.escape_ascii());
    }
}

macro_rules! random_inputs {
    ($($name:ident)*) => {
        /// The targets that have a test below.
        const TESTED: &[&str] = &[$(stringify!($name),)*];

        mod random_inputs {
            $(
                #[test]
                fn $name() {
                    super::random(super::TARGETS.iter().find(|target| target.name == stringify!($name)).unwrap());
                }
            )*
        }
    };
}

random_inputs! { audit json offsets policy sse stream text tokens vault }

#[test]
fn every_target_has_its_test_its_program_and_its_files() {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names, TESTED);
    let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
    let programs: Vec<&str> = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("path = \"fuzz_targets/")?.strip_suffix(".rs\""))
        .collect();
    assert_eq!(programs, names);
    for name in names {
        let program = fs::read_to_string(folder("fuzz_targets").join(format!("{name}.rs"))).unwrap();
        assert!(program.contains(&format!("run(\"{name}\", data)")), "{name}");
    }
    for kind in ["seeds", "regressions"] {
        for entry in fs::read_dir(folder(kind)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let is_folder = entry.file_type().unwrap().is_dir();
            assert!(!is_folder || TESTED.contains(&name.as_str()), "{kind}/{name} belongs to no target");
        }
    }
}

#[test]
fn seeds_and_what_was_found_once() {
    let mut failed = Vec::new();
    for target in TARGETS {
        for kind in ["seeds", "regressions"] {
            for (path, data) in files(&folder(kind).join(target.name)) {
                if catch_unwind(AssertUnwindSafe(|| (target.body)(&data))).is_err() {
                    failed.push(path);
                }
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}
