//! Whole texts with a fixed key and the exact text that must come out: `fixtures/mask`.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail like the tests themselves")]

mod common;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use masker_core::{Policy, Scheme};
use serde::Deserialize;

use self::common::masker;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    policy: String,
    /// Another scheme than the policy's; only those whose tokens do not change from run to run.
    scheme: Option<String>,
    /// `aead.deterministic` of the policy.
    #[serde(default)]
    deterministic: bool,
    text: String,
    masked: String,
    redaction_count: usize,
    /// What rehydration gives, where it is not the text.
    restored: Option<String>,
}

impl Case {
    fn policy(&self) -> Policy {
        let mut source = Policy::preset_source(&self.policy).unwrap().to_owned();
        if self.deterministic {
            source.push_str("\naead: { deterministic: true }\n");
        }
        let policy = Policy::from_yaml(&source).unwrap();
        match &self.scheme {
            Some(scheme) => policy.with_scheme(scheme.parse::<Scheme>().unwrap()),
            None => policy,
        }
    }
}

#[test]
fn fixtures() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/mask");
    let mut wrong = String::new();
    let mut count = 0;
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for path in files {
        let cases: Cases = toml::from_str(&fs::read_to_string(&path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for case in cases.case {
            count += 1;
            let masker = masker(case.policy());
            let masked = masker.mask(&case.text).unwrap();
            let restored = masker.rehydrate(&masked.text).unwrap().text;
            let wanted = case.restored.as_deref().unwrap_or(&case.text);
            if masked.text != case.masked
                || masked.redaction_count() != case.redaction_count
                || restored != wanted
            {
                let _ = writeln!(
                    wrong,
                    "{}\n    wanted   {:?}\n    got      {:?} ({})\n    restored {restored:?}",
                    case.name,
                    case.masked,
                    masked.text,
                    masked.redaction_count(),
                );
            }
            assert_eq!(masker.mask(&case.text).unwrap().text, masked.text, "{}: the second time", case.name);
            assert_eq!(masker.mask(&masked.text).unwrap().text, masked.text, "{}: masked again", case.name);
        }
    }
    assert!(count >= 8, "only {count} cases");
    assert!(wrong.is_empty(), "\n{wrong}");
}
