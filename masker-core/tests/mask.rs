//! Whole texts with a fixed key and the exact text that must come out: `fixtures/mask`.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail like the tests themselves")]

mod cases;
mod common;

use std::fmt::Write as _;

use masker_core::{Policy, Scheme};

use self::cases::Mask;
use self::common::masker;

fn policy(case: &Mask) -> Policy {
    let policy = Policy::from_yaml(&case.policy_source()).unwrap();
    match &case.scheme {
        Some(scheme) => policy.with_scheme(scheme.parse::<Scheme>().unwrap()),
        None => policy,
    }
}

#[test]
fn fixtures() {
    let mut wrong = String::new();
    let mut count = 0;
    for case in cases::cases::<Mask>("mask") {
        count += 1;
        let masker = masker(policy(&case));
        let masked = masker.mask(&case.text).unwrap();
        let restored = masker.rehydrate(&masked.text).unwrap().text;
        if masked.text != case.masked
            || masked.redaction_count() != case.redaction_count
            || restored != case.restored()
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
    assert!(count >= 8, "only {count} cases");
    assert!(wrong.is_empty(), "\n{wrong}");
}
