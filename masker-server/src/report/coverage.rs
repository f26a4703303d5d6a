//! How much of Safe Harbor the build and the policies cover, computed from what detection was measured to find.

use masker_core::{Action, Kind, Pass, Policy, kinds};
use serde_json::{Map, Value, json};

use crate::crypto::sha256_hex;
use crate::time;

/// The categories by letter, in the order of [`kinds::SAFE_HARBOR`].
pub(super) const CATEGORIES: [(char, &str); 18] = [
    ('A', "A_names"),
    ('B', "B_geo"),
    ('C', "C_dates"),
    ('D', "D_phone"),
    ('E', "E_fax"),
    ('F', "F_email"),
    ('G', "G_ssn"),
    ('H', "H_mrn"),
    ('I', "I_health_plan"),
    ('J', "J_account"),
    ('K', "K_license"),
    ('L', "L_vehicle"),
    ('M', "M_device"),
    ('N', "N_url"),
    ('O', "O_ip"),
    ('P', "P_biometric"),
    ('Q', "Q_photo"),
    ('R', "R_other"),
];
/// Share of values found from which a category counts as covered.
const FULL: f64 = 0.95;
/// Share from which it counts as partly covered.
const PARTIAL: f64 = 0.70;

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Value3 {
    NotCovered,
    Partial,
    Full,
}

impl Value3 {
    fn as_str(self) -> &'static str {
        match self {
            Self::NotCovered => "not_covered",
            Self::Partial => "partial",
            Self::Full => "full",
        }
    }
}

/// A revision of a policy that sessions in scope ran under.
pub(super) struct Used {
    pub(super) name: String,
    pub(super) revision: i64,
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) yaml: String,
}

impl Used {
    /// The text, with words that may themselves be sensitive replaced by their number and a digest.
    pub(super) fn snapshot(&self) -> String {
        match Policy::from_yaml(&self.yaml) {
            Ok(policy) if policy.dictionaries().is_empty() && policy.allow().is_empty() => self.yaml.clone(),
            Ok(policy) => {
                let shown = serde_json::to_string_pretty(&policy).unwrap_or_default();
                format!(
                    "# word lists by length; digest of the whole: {}\n{shown}\n",
                    sha256_hex(self.yaml.as_bytes())
                )
            }
            // It names files, which are not here: its words are not either, and neither is its meaning.
            Err(_) => format!("# digest: {}\n", sha256_hex(self.yaml.as_bytes())),
        }
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "policy_name": self.name,
            "policy_version": self.revision,
            "first_used_at": time::format(self.first),
            "last_used_at": time::format(self.last),
            "policy_yaml": self.snapshot(),
        })
    }
}

/// The matrix with its sums.
pub(super) struct Matrix {
    pub(super) values: Map<String, Value>,
    pub(super) tally: Value,
    pub(super) percent: f64,
}

/// The worst of what each policy in use lets the build do; of the default one where none was used.
pub(super) fn matrix(used: &[Used], default: &Policy) -> Matrix {
    let mut policies: Vec<Policy> =
        used.iter().filter_map(|used| Policy::from_yaml(&used.yaml).ok()).collect();
    if policies.is_empty() {
        policies.push(default.clone());
    }
    let mut values = Map::new();
    let mut counts = [0u32; 3];
    for (letter, name) in CATEGORIES {
        if letter == 'Q' {
            values.insert(name.to_owned(), "not_applicable".into());
            continue;
        }
        let value =
            policies.iter().map(|policy| category(letter, policy)).min().unwrap_or(Value3::NotCovered);
        counts[value as usize] += 1;
        values.insert(name.to_owned(), value.as_str().into());
    }
    let [not_covered, partial, full] = counts;
    let tally = json!({
        "full": full, "partial": partial, "in_progress": 0, "not_covered": not_covered, "not_applicable": 1,
    });
    let percent = (f64::from(full) * 1000.0 / 17.0).round() / 10.0;
    Matrix { values, tally, percent }
}

fn category(letter: char, policy: &Policy) -> Value3 {
    let needed: Vec<&Kind> =
        kinds::specs().filter(|spec| spec.letter == letter).map(|spec| &spec.kind).collect();
    let build = needed.iter().map(|kind| measured(kind)).min().unwrap_or(Value3::NotCovered);
    let covered = needed.iter().filter(|kind| is_covered(policy, kind)).count();
    let allowed = match covered {
        0 => Value3::NotCovered,
        some if some < needed.len() => Value3::Partial,
        _ => Value3::Full,
    };
    let best = if letter == 'P' { Value3::Partial } else { Value3::Full };
    build.min(allowed).min(best)
}

fn measured(kind: &Kind) -> Value3 {
    match kinds::measured(kind) {
        Some(figures) if figures.hits > 0 => {
            let share = f64::from(figures.found) / f64::from(figures.hits);
            if share >= FULL {
                Value3::Full
            } else if share >= PARTIAL {
                Value3::Partial
            } else {
                Value3::NotCovered
            }
        }
        _ => Value3::NotCovered,
    }
}

/// Whether the policy has a kind found and taken out, under its own name or a neighbour's.
fn is_covered(policy: &Policy, kind: &Kind) -> bool {
    let Some(reported) = policy.covering(kind) else { return false };
    let effective = policy.effective(&reported, false);
    let passes = [Pass::Regex, Pass::Dictionary, Pass::Spoken, Pass::Ner];
    effective.action != Action::Passthrough && passes.iter().any(|pass| effective.floor(*pass).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(yaml: &str) -> Used {
        Used { name: "p".into(), revision: 1, first: 0, last: 0, yaml: yaml.into() }
    }

    #[test]
    fn the_matrix_has_every_letter_and_is_computed() {
        let default = Policy::healthcare_default();
        let whole = matrix(&[], &default);
        assert_eq!(whole.values.len(), 18);
        assert_eq!(CATEGORIES.map(|(letter, _)| letter), kinds::SAFE_HARBOR.map(|(letter, _)| letter));
        assert_eq!(
            (whole.values["Q_photo"].clone(), whole.values["F_email"].clone()),
            (json!("not_applicable"), json!("full"))
        );
        assert_ne!(whole.values["P_biometric"], "full");
        let sum: u64 = whole.tally.as_object().unwrap().values().filter_map(Value::as_u64).sum();
        assert_eq!(sum, 18);
        let yaml = Policy::preset_source("healthcare-default").unwrap();
        let off = yaml.replace("EMAIL: { enabled: true", "EMAIL: { enabled: false");
        assert_eq!(matrix(&[used(yaml), used(&off)], &default).values["F_email"], "not_covered");
        let open = yaml.replace(
            "SSN: { enabled: true, regex: true, ner: false, confidence_threshold: 0.0, action: tokenize",
            "SSN: { enabled: true, regex: true, ner: false, confidence_threshold: 0.0, action: passthrough",
        );
        assert_ne!(open, yaml);
        assert_eq!(matrix(&[used(&open)], &default).values["G_ssn"], "not_covered");
    }

    #[test]
    fn words_of_a_policy_are_not_in_its_snapshot() {
        let yaml = format!(
            "{}\nallow:\n  - words: [\"Ann Reed\"]\n",
            Policy::preset_source("healthcare-default").unwrap()
        );
        assert!(!used(&yaml).snapshot().contains("Ann Reed"));
        assert!(used("name: x").snapshot().starts_with("# digest"));
    }
}
