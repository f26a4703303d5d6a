//! The shape of the file for editors, as JSON Schema.

/// What a schema can say of a policy. What needs two places at once, such as a kind that is named and not listed, it cannot.
pub(super) const SCHEMA: &str = include_str!("schema.json");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::super::action::Named;
    use super::super::limits::{MAX_DESCRIPTION_CHARS, MAX_PATTERN_CHARS, MAX_RECOGNIZER_PATTERNS};
    use super::super::validate::TOP_FIELDS;
    use super::super::validate::dictionaries::DICTIONARY_FIELDS;
    use super::super::validate::entities::{ENTITY_FIELDS, KIND_ALIASES};
    use super::super::validate::passes::PASS_NAMES;
    use super::super::validate::recognizers::RECOGNIZER_FIELDS;
    use super::super::{
        Action, Check, Keep, NonText, Normalization, Overlap, Policy, Scheme, Surface, TokenScope,
    };
    use super::*;
    use crate::Kind;

    fn schema() -> Value {
        serde_json::from_str(SCHEMA).unwrap()
    }

    fn at<'v>(value: &'v Value, pointer: &str) -> &'v Value {
        value.pointer(pointer).unwrap_or_else(|| panic!("there is no {pointer}"))
    }

    #[test]
    fn the_fields_are_those_that_are_read() {
        let schema = schema();
        for (place, fields) in [
            ("", TOP_FIELDS),
            ("/definitions/entity", ENTITY_FIELDS),
            ("/definitions/recognizer", RECOGNIZER_FIELDS),
            ("/definitions/dictionary", DICTIONARY_FIELDS),
        ] {
            let known = at(&schema, &format!("{place}/properties")).as_object().unwrap();
            let known: BTreeSet<&str> = known.keys().map(String::as_str).collect();
            assert_eq!(known, fields.iter().copied().collect(), "{place}");
            assert_eq!(at(&schema, &format!("{place}/additionalProperties")), false, "{place}");
        }
    }

    #[test]
    fn the_words_are_those_that_are_read() {
        let schema = schema();
        let kinds: Vec<String> = Kind::BUILT_IN.iter().map(|kind| kind.as_str().to_owned()).collect();
        let words = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (place, names) in [
            ("/properties/tokenization", words(Scheme::NAMES)),
            ("/properties/token_scope", words(TokenScope::NAMES)),
            ("/properties/non_text", words(NonText::NAMES)),
            ("/properties/surface", words(Surface::NAMES)),
            ("/properties/normalization", words(Normalization::NAMES)),
            ("/properties/overlap", words(Overlap::NAMES)),
            ("/definitions/entity/properties/action", words(Action::NAMES)),
            ("/definitions/entity/properties/tokenization", words(Scheme::NAMES)),
            ("/definitions/entity/properties/keep", words(Keep::NAMES)),
            ("/definitions/recognizer/properties/check", words(Check::NAMES)),
            ("/definitions/pass/anyOf/0", PASS_NAMES.map(|(name, _)| name.to_owned()).to_vec()),
            ("/definitions/kind/anyOf/0", kinds.clone()),
            ("/definitions/kind/anyOf/1", KIND_ALIASES.map(|(name, _)| name.to_owned()).to_vec()),
        ] {
            let known = at(&schema, &format!("{place}/enum")).as_array().unwrap();
            let known: BTreeSet<&str> = known.iter().map(|name| name.as_str().unwrap()).collect();
            assert_eq!(known, names.iter().map(String::as_str).collect(), "{place}");
        }
        let listed = at(&schema, "/properties/entities/properties").as_object().unwrap();
        assert!(listed.keys().eq(&kinds), "an editor offers every kind, in their order");
        for (place, limit) in [
            ("/properties/description/maxLength", MAX_DESCRIPTION_CHARS),
            ("/definitions/regex/maxLength", MAX_PATTERN_CHARS),
            ("/definitions/recognizer/properties/patterns/maxItems", MAX_RECOGNIZER_PATTERNS),
        ] {
            assert_eq!(at(&schema, place), limit, "{place}");
        }
    }

    #[test]
    fn the_defaults_are_those_that_hold() {
        let schema = schema();
        let yaml = "name: a\nversion: 1\nkid: K_A\ntokenization: vault-deterministic\npasses: [regex]\nentities: { PHONE: {} }\n\
                    recognizers: [{ name: r, entity: PHONE, patterns: [{ regex: a }] }]\n\
                    dictionaries: [{ name: d, entity: PHONE, words: [a] }]\n";
        let policy = serde_json::to_value(Policy::from_yaml(yaml).unwrap()).unwrap();
        let mut count = 0;
        for (fields, shown) in [
            ("", ""),
            ("/properties/audit", "/audit"),
            ("/properties/synthetic", "/synthetic"),
            ("/properties/aead", "/aead"),
            ("/definitions/entity", "/entities/PHONE"),
            ("/definitions/recognizer", "/recognizers/0"),
            ("/definitions/pattern", "/recognizers/0/patterns/0"),
            ("/definitions/dictionary", "/dictionaries/0"),
        ] {
            for (name, field) in at(&schema, &format!("{fields}/properties")).as_object().unwrap() {
                let Some(default) = field.get("default") else { continue };
                let shown = at(&policy, &format!("{shown}/{name}"));
                assert!(
                    default == shown || default.as_f64() == shown.as_f64() && default.is_number(),
                    "{fields} {name}: {shown}"
                );
                count += 1;
            }
        }
        assert!(count > 30, "{count}");
    }
}
