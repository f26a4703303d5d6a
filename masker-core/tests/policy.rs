//! The policy file: shipped policies, accepted and refused files.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail like the tests themselves")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use masker_core::policy::{
    AllowMatch, Check, Keep, NonText, Normalization, Overlap, PolicyNoticeCode, Surface, TokenScope,
};
use masker_core::{
    Action, KidState, Kind, Pass, Policy, PolicyErrorCode, PolicyErrors, PolicyLoader, Scheme,
};
use proptest::prelude::*;

fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/policy").join(folder)
}

fn yaml_files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(fixtures(folder)).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    files
}

/// The value of a `# name: …` line of a fixture.
fn setting<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|l| l.strip_prefix(&format!("# {name}: ")))
}

fn load(path: &Path) -> Result<Policy, PolicyErrors> {
    let text = fs::read_to_string(path).unwrap();
    let keys: Option<Vec<String>> =
        setting(&text, "keys").map(|k| k.split(", ").map(str::to_owned).collect());
    let check = |kid: &str| match &keys {
        None => KidState::Known,
        Some(keys) if keys.iter().any(|k| k == kid) => KidState::Known,
        Some(keys) if keys.iter().any(|k| k.strip_prefix('!') == Some(kid)) => KidState::Invalid,
        Some(_) => KidState::Unknown,
    };
    let mut loader = PolicyLoader::new().keys(&check).payload_retention_days(0);
    if let Some(loaded) = setting(&text, "ner") {
        loader = loader.ner_loaded(loaded.parse().unwrap());
    }
    loader.from_path(path)
}

#[test]
fn invalid_files_are_refused_at_the_right_places() {
    let files = yaml_files("invalid");
    assert!(files.len() >= 25);
    let mut wrong = String::new();
    let mut codes = std::collections::HashSet::new();
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let expected = setting(&text, "expect").unwrap();
        assert!(text.starts_with("# expect: "));
        let errors = load(&path).unwrap_err();
        let found: Vec<_> = errors.iter().map(|e| format!("{}@{}:{}", e.code, e.line, e.column)).collect();
        codes.extend(errors.iter().map(|e| e.code));
        let mut expected: Vec<_> = expected.split(", ").collect();
        let mut sorted: Vec<_> = found.iter().map(String::as_str).collect();
        sorted.sort_unstable();
        expected.sort_unstable();
        if sorted != expected {
            writeln!(wrong, "{}:\n  # expect: {}", path.display(), found.join(", ")).unwrap();
            for error in &errors {
                writeln!(wrong, "  {error}").unwrap();
            }
        }
        assert!(errors.iter().is_sorted_by_key(|e| e.line));
    }
    assert!(wrong.is_empty(), "{wrong}");
    let never: Vec<_> = PolicyErrorCode::ALL.iter().filter(|c| !codes.contains(*c)).collect();
    assert!(never.is_empty(), "no fixture has {never:?}");
}

#[test]
fn json_and_windows_line_ends_are_read_alike() {
    let path = fixtures("valid").join("json.yaml");
    let text = fs::read_to_string(&path).unwrap();
    for text in [text.clone(), text.replace('\n', "\r\n"), text.replace(['\n', '\t'], "")] {
        let policy = Policy::from_yaml(&text).unwrap();
        assert_eq!(policy.description(), "tabs, ä, \u{1f600}, / and \t");
        assert_eq!(policy.entities().len(), 2);
    }
}

#[test]
fn policies_cross_threads() {
    fn crosses<T: Send + Sync + Clone + 'static>() {}
    crosses::<Policy>();
    crosses::<PolicyErrors>();
}

#[test]
fn valid_files_are_accepted() {
    let files = yaml_files("valid");
    assert!(files.len() >= 3);
    for path in files {
        load(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
}

fn row(policy: &Policy, kind: &Kind) -> (bool, bool, bool, bool, bool, f64, Action) {
    let e = policy.entity(kind).unwrap();
    (e.enabled, e.regex, e.dictionary, e.spoken, e.ner, e.confidence_threshold, e.action)
}

#[test]
fn shipped_policies_have_the_documented_values() {
    use Action::{Redact, Tokenize};
    let base = [
        (Kind::Phone, (true, true, true, true, true, 0.6, Tokenize)),
        (Kind::Ssn, (true, true, true, true, false, 0.0, Tokenize)),
        (Kind::Name, (true, false, true, true, true, 0.7, Tokenize)),
        (Kind::Email, (true, true, true, true, false, 0.0, Tokenize)),
        (Kind::Dob, (true, true, true, true, true, 0.5, Tokenize)),
        (Kind::Address, (true, true, true, true, true, 0.6, Tokenize)),
        (Kind::Mrn, (true, true, true, true, true, 0.6, Tokenize)),
        (Kind::Account, (true, true, true, true, true, 0.7, Tokenize)),
        (Kind::IpAddress, (true, true, true, true, false, 0.0, Redact)),
    ];
    let added = [
        (Kind::Date, (true, 0.5, Tokenize)),
        (Kind::AgeOver89, (false, 0.0, Tokenize)),
        (Kind::Fax, (false, 0.0, Tokenize)),
        (Kind::HealthPlan, (true, 0.6, Tokenize)),
        (Kind::CreditCard, (false, 0.0, Tokenize)),
        (Kind::License, (true, 0.6, Tokenize)),
        (Kind::Vehicle, (false, 0.0, Tokenize)),
        (Kind::Device, (false, 0.0, Tokenize)),
        (Kind::Url, (false, 0.0, Redact)),
        (Kind::Biometric, (false, 0.0, Tokenize)),
        (Kind::Username, (false, 0.0, Tokenize)),
        (Kind::Password, (false, 0.0, Redact)),
        (Kind::Id, (true, 0.7, Tokenize)),
    ];
    let default = Policy::healthcare_default();
    let minimum = Policy::healthcare_minimum();
    let strict = Policy::strict();
    for (kind, values) in &base {
        assert_eq!(row(&default, kind), *values, "{kind}");
        assert_eq!(row(&minimum, kind), *values, "{kind}");
    }
    for (kind, (ner, threshold, action)) in &added {
        assert_eq!(row(&default, kind), (true, true, false, true, *ner, *threshold, *action), "{kind}");
    }
    assert_eq!(default.entities().len(), base.len() + added.len());
    assert_eq!(minimum.entities().len(), base.len());
    assert_eq!(strict.entities().len(), Kind::BUILT_IN.len());
    assert!(strict.entities().iter().all(|e| e.enabled && e.action == Action::Redact));

    let written = |p: &Policy| p.passes().iter().map(|p| p.written).collect::<Vec<_>>();
    assert_eq!(written(&default), ["regex", "dictionary", "spoken", "gemma"]);
    assert_eq!(written(&minimum), ["regex", "gemma"]);
    assert_eq!(minimum.passes()[1].pass, Pass::Ner);
    for (policy, name) in
        [(&default, "healthcare-default"), (&minimum, "healthcare-minimum"), (&strict, "strict")]
    {
        assert_eq!(policy.name(), name);
        assert_eq!((policy.version(), policy.kid()), (1, "K_HEALTHCARE"));
        assert_eq!(policy.scheme(), Scheme::VaultDeterministic);
        assert!((policy.epsilon() - 0.5).abs() < f64::EPSILON);
        assert_eq!(policy.audit().retention_days, 2555);
        assert!(policy.audit().log_events);
        assert_eq!(policy.audit().log_payloads.as_str(), "false");
        assert_eq!(policy.notices(), [], "{name}");
    }
}

#[test]
fn shipped_policies_warn_of_nothing_without_a_model() {
    for name in Policy::preset_names() {
        let source = Policy::preset_source(name).unwrap();
        let policy = PolicyLoader::new().ner_loaded(false).from_yaml(source).unwrap();
        assert!(policy.notices().iter().all(masker_core::PolicyNotice::is_note), "{:?}", policy.notices());
        assert_eq!(policy.notices().len(), 1, "{name} lists a model");
    }
}

const HEAD: &str = "name: t\nversion: 1\nkid: K_T\ntokenization: vault-deterministic\n";

fn parse(rest: &str) -> Policy {
    Policy::from_yaml(&format!("{HEAD}{rest}")).unwrap_or_else(|e| panic!("{rest}: {e}"))
}

fn codes(text: &str) -> Vec<PolicyErrorCode> {
    Policy::from_yaml(text).unwrap_err().iter().map(|e| e.code).collect()
}

#[test]
fn every_field_reaches_the_policy() {
    let p = Policy::from_path(fixtures("valid").join("everything.yaml")).unwrap();
    assert_eq!((p.name(), p.description(), p.kid()), ("front-desk.2", "All fields", "K_DESK"));
    assert_eq!(p.kids(), ["K_DESK", "K_PHONES"]);
    assert!((p.epsilon() - 2.0).abs() < f64::EPSILON);
    assert_eq!(p.scheme(), Scheme::ReversibleAead);
    let passes: Vec<_> = p.passes().iter().map(|r| (r.pass, r.written)).collect();
    assert_eq!(
        passes,
        [
            (Pass::Regex, "regex"),
            (Pass::Dictionary, "dictionary"),
            (Pass::Spoken, "spoken"),
            (Pass::Ner, "gemma"),
            (Pass::Diarize, "diarize")
        ]
    );
    let ner = p.pass(Pass::Ner).unwrap();
    assert_eq!(ner.timeout.map(|t| t.as_millis()), Some(80));
    assert!(!ner.substitute);
    assert!(ner.applies_to(&Kind::Name) && !ner.applies_to(&Kind::Phone));
    assert!(!p.pass(Pass::Dictionary).unwrap().applies_to(&Kind::Address));

    let phone = p.entity(&Kind::Phone).unwrap();
    assert_eq!(
        (phone.enabled, phone.regex, phone.ner, phone.dictionary, phone.spoken),
        (true, true, false, false, true)
    );
    assert_eq!((phone.confidence_threshold, phone.min_score), (0.25, 0.5));
    assert_eq!((phone.action, phone.scheme), (Action::Redact, Some(Scheme::Synthetic)));
    assert_eq!((phone.kid.as_deref(), phone.priority, phone.keep), (Some("K_PHONES"), -5, Keep::None));
    let keeps: Vec<_> = p.entities().iter().map(|e| e.keep).filter(|k| *k != Keep::None).collect();
    assert_eq!(keeps, [Keep::State, Keep::Zip3, Keep::Year, Keep::Last4, Keep::Domain]);

    let [mrn, rx] = p.recognizers() else { panic!("two recognisers") };
    assert_eq!(
        (&*mrn.name, &mrn.kind, mrn.pass, mrn.check),
        ("northside_mrn", &Kind::Mrn, Pass::Spoken, Check::Luhn)
    );
    assert_eq!(mrn.patterns.iter().map(|p| p.group).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(mrn.patterns.iter().map(|p| p.score).collect::<Vec<_>>(), [0.9, 0.3, 0.8]);
    assert!(mrn.patterns[0].regex.is_match("chart NS-1234567"));
    assert_eq!((mrn.context.len(), mrn.context_window, mrn.context_boost), (3, 6, 0.5));
    assert_eq!(
        (rx.kind.as_str(), rx.pass, rx.context_window, rx.context_boost),
        ("RX_NUMBER", Pass::Regex, 5, 0.35)
    );

    let [clinicians, sites] = p.dictionaries() else { panic!("two dictionaries") };
    assert_eq!(*clinicians.words, ["Ada Example", "Bo Example", "Suite#5"]);
    assert_eq!(clinicians.file.as_deref(), Some("lists/clinicians.txt"));
    assert_eq!((clinicians.case_sensitive, clinicians.whole_word, clinicians.score), (true, false, 0.95));
    assert_eq!((sites.case_sensitive, sites.whole_word, sites.score), (false, true, 0.9));
    let [words, regex] = p.allow() else { panic!("two rules") };
    assert!(matches!(&words.matches, AllowMatch::Words(w) if **w == ["Masker Demo Clinic"]));
    assert!(matches!(&regex.matches, AllowMatch::Regex(r) if r.is_match("800-555-0199")));
    assert_eq!((&words.kinds, &regex.kinds), (&None, &Some(vec![Kind::Phone])));

    assert_eq!(
        (p.token_scope(), p.non_text(), p.surface()),
        (TokenScope::Session, NonText::Drop, Surface::Alias)
    );
    assert_eq!((p.normalization(), p.overlap()), (Normalization::Exact, Overlap::Priority));
    assert_eq!((p.seed(), p.synthetic().preserve_locale), (Some(u64::MAX), false));
    assert!(p.strict_passes() && p.aead_deterministic() && p.strict_numbers());
    assert_eq!(p.speakers(), Some(&["user".to_owned(), "caller".to_owned()][..]));
    assert_eq!((p.audit().log_payloads.as_str(), p.audit().retention_days), ("masked", 3650));
}

#[test]
fn left_out_fields_have_the_documented_defaults() {
    let p = parse("passes: [regex]\nentities: { PHONE: }");
    assert_eq!(p.description(), "");
    assert!((p.epsilon() - 0.5).abs() < f64::EPSILON);
    assert_eq!(
        (p.token_scope(), p.non_text(), p.surface()),
        (TokenScope::Kid, NonText::Reject, Surface::Token)
    );
    assert_eq!((p.normalization(), p.overlap()), (Normalization::Value, Overlap::Longest));
    assert_eq!((p.seed(), p.synthetic().preserve_locale, p.speakers()), (None, true, None));
    assert!(!p.strict_passes() && !p.aead_deterministic() && !p.strict_numbers());
    assert_eq!(
        (p.audit().log_events, p.audit().log_payloads.as_str(), p.audit().retention_days),
        (true, "false", 2555)
    );
    let e = p.entity(&Kind::Phone).unwrap();
    assert!(e.enabled && e.regex && e.ner && e.dictionary && e.spoken);
    assert_eq!((e.confidence_threshold, e.min_score, e.action, e.priority), (0.6, 0.0, Action::Tokenize, 0));
    assert_eq!((e.scheme, &e.kid, e.keep), (None, &None, Keep::None));
}

#[test]
fn kinds_have_other_spellings_and_each_warns() {
    let p = load(&fixtures("valid").join("aliases.yaml")).unwrap();
    let kinds: Vec<_> = p.entities().iter().map(|e| e.kind.as_str()).collect();
    assert_eq!(kinds, ["NAME", "DOB", "PHONE", "ACCOUNT", "ADDRESS", "IP_ADDRESS", "HEALTH_PLAN"]);
    assert_eq!(p.passes()[0].except, [Kind::Phone, Kind::HealthPlan]);
    let found: Vec<_> = p.notices().iter().map(|n| (n.code, n.line)).collect();
    use PolicyNoticeCode as N;
    for expected in [
        (N::KindAlias, 7),
        (N::KindAlias, 11),
        (N::KindAlias, 15),
        (N::PassthroughInUse, 12),
        (N::EntityNeverFound, 13),
        (N::EventsDisabled, 18),
        (N::RetentionBelowSixYears, 18),
        (N::FixedSeed, 19),
        (N::AgentsBlockIgnored, 20),
    ] {
        assert!(found.contains(&expected), "{expected:?} not in {found:?}");
    }
    assert!(p.notices().iter().all(|n| !n.is_note()));
    // What an alias repeats is said once.
    assert_eq!(found.iter().filter(|(_, line)| *line == 7).count(), 2);
}

#[test]
fn payloads_that_are_kept_for_no_time_warn() {
    let source =
        format!("{HEAD}passes: [regex]\nentities: {{ PHONE: {{}} }}\naudit: {{ log_payloads: true }}\n");
    let notices =
        |days| PolicyLoader::new().payload_retention_days(days).from_yaml(&source).unwrap().notices().len();
    assert_eq!((notices(0), notices(30)), (1, 0));
}

#[test]
fn kinds_that_nothing_finds_warn() {
    for (rest, ner_loaded, warns) in [
        ("passes: [regex]\nentities: { NAME: {} }", None, true),
        ("passes: [dictionary]\nentities: { NAME: {} }", None, false),
        ("passes: [dictionary]\nentities: { NAME: { dictionary: false } }", None, true),
        ("passes: [dictionary: { except: [NAME] }]\nentities: { NAME: {} }", None, true),
        ("passes: [ner]\nentities: { NAME: {} }", Some(false), false),
        ("passes: [ner: { substitute: false }]\nentities: { NAME: {} }", Some(false), true),
        ("passes: [ner: { substitute: false }]\nentities: { NAME: {} }", None, false),
        ("passes: [ner]\nentities: { SSN: { ner: false } }", Some(false), false),
        ("passes: [ner]\nentities: { SSN: { ner: false } }", Some(true), true),
        ("passes: [regex]\nentities: { NAME: { enabled: false } }", None, false),
    ] {
        let mut loader = PolicyLoader::new();
        if let Some(loaded) = ner_loaded {
            loader = loader.ner_loaded(loaded);
        }
        let policy = loader.from_yaml(&format!("{HEAD}{rest}")).unwrap();
        let warned = policy.notices().iter().any(|n| n.code == PolicyNoticeCode::EntityNeverFound);
        assert_eq!(warned, warns, "{rest}, {ner_loaded:?}");
    }
}

#[test]
fn a_kind_is_found_by_passes_that_are_listed_and_switched_on() {
    let p = parse(
        "passes: [regex, spoken: { only: [PHONE] }, dictionary: { except: [PHONE] }]\nentities:\n  \
         PHONE: { min_score: 0.5, confidence_threshold: 0.9 }\n  SSN: { regex: false }\n  MRN: { enabled: false }",
    );
    let floors = |kind: Kind| {
        let e = p.effective(&kind, true);
        [Pass::Regex, Pass::Dictionary, Pass::Spoken, Pass::Ner, Pass::Diarize].map(|pass| e.floor(pass))
    };
    assert_eq!(floors(Kind::Phone), [Some(0.5), None, Some(0.5), None, None]);
    assert_eq!(floors(Kind::Ssn), [None, Some(0.0), None, None, None]);
    assert_eq!(floors(Kind::Mrn), [None; 5]);
    assert_eq!(floors(Kind::Email), [None; 5]);
    assert!(!p.effective(&Kind::Mrn, true).enabled());
    let phone = p.effective(&Kind::Phone, true);
    assert!(phone.accepts(Pass::Regex, 0.5) && !phone.accepts(Pass::Regex, 0.49));
}

#[test]
fn other_passes_stand_in_for_a_model_that_is_not_loaded() {
    let floors = |p: &Policy, kind: &Kind, loaded| {
        let e = p.effective(kind, loaded);
        [Pass::Regex, Pass::Dictionary, Pass::Spoken, Pass::Ner].map(|pass| e.floor(pass))
    };
    let minimum = Policy::healthcare_minimum();
    // NAME has regex off and ner on; SSN the other way round.
    assert_eq!(floors(&minimum, &Kind::Name, false), [None, Some(0.7), Some(0.7), None]);
    assert_eq!(floors(&minimum, &Kind::Name, true), [None, None, None, Some(0.7)]);
    assert_eq!(floors(&minimum, &Kind::Ssn, false), [Some(0.0), None, Some(0.0), None]);
    assert_eq!(floors(&minimum, &Kind::Ssn, true), [Some(0.0), None, None, None]);
    // The threshold counts as it does for a model: equal is kept.
    assert!(minimum.effective(&Kind::Name, false).accepts(Pass::Dictionary, 0.7));

    // A pass that is listed itself keeps its own, lower floor.
    let default = Policy::healthcare_default();
    assert_eq!(floors(&default, &Kind::Name, false), [None, Some(0.0), Some(0.0), None]);
    assert_eq!(floors(&default, &Kind::Date, false), [Some(0.0), None, Some(0.0), None]);

    for (rest, expected) in [
        ("passes: [ner]\nentities: { NAME: { dictionary: false } }", [None, None, Some(0.6), None]),
        ("passes: [ner]\nentities: { NAME: { spoken: false } }", [None, Some(0.6), None, None]),
        ("passes: [ner]\nentities: { NAME: { ner: false } }", [None, None, Some(0.6), None]),
        ("passes: [ner]\nentities: { NAME: { ner: false, regex: false } }", [None; 4]),
        ("passes: [ner]\nentities: { NAME: { min_score: 0.8 } }", [None, Some(0.8), Some(0.8), None]),
        ("passes: [ner: { substitute: false }]\nentities: { NAME: {} }", [None; 4]),
        ("passes: [ner: { except: [NAME] }]\nentities: { NAME: {} }", [None; 4]),
        (
            "passes: [ner: { only: [NAME] }]\nentities: { NAME: {}, SSN: {} }",
            [None, Some(0.6), Some(0.6), None],
        ),
        ("passes: [regex]\nentities: { NAME: {} }", [Some(0.0), None, None, None]),
    ] {
        assert_eq!(floors(&parse(rest), &Kind::Name, false), expected, "{rest}");
    }
}

#[test]
fn strict_passes_refuses_a_missing_model() {
    let source = format!("{HEAD}strict_passes: true\npasses: [regex, ner]\nentities: {{ PHONE: {{}} }}\n");
    let policy = Policy::from_yaml(&source).unwrap();
    assert!(policy.check_passes(true).is_ok());
    let errors = policy.check_passes(false).unwrap_err();
    let first = errors.first();
    assert_eq!((first.code, first.path.as_str()), (PolicyErrorCode::PassUnavailable, "passes[1]"));
    assert_eq!((first.line, first.column), (6, 17));
    assert!(PolicyLoader::new().ner_loaded(true).from_yaml(&source).is_ok());
    assert!(PolicyLoader::new().ner_loaded(false).from_yaml(&source).is_err());
    assert!(Policy::healthcare_default().check_passes(false).is_ok());
}

#[test]
fn neighbours_cover_kinds_that_are_off() {
    let p = parse("passes: [regex]\nentities: { ADDRESS: {}, PHONE: {}, FAX: {}, DATE: { enabled: false } }");
    assert_eq!(p.covering(&Kind::Zip), Some(Kind::Address));
    assert_eq!(p.covering(&Kind::Fax), Some(Kind::Fax));
    assert_eq!(p.covering(&Kind::Dob), None);
    assert_eq!(p.covering(&Kind::Email), None);
}

#[test]
fn overrides_are_checked_too() {
    let p = Policy::healthcare_default();
    let passes = |list| p.clone().with_passes(list);
    assert_eq!(passes("gemma, regex").unwrap().passes().len(), 2);
    assert_eq!(passes(" spoken ").unwrap().passes()[0].pass, Pass::Spoken);
    let errors = passes("regex, regx,spoken,ner,gemma").unwrap_err();
    let found: Vec<_> = errors.iter().map(|e| (e.code, e.column)).collect();
    assert_eq!(found, [(PolicyErrorCode::InvalidPass, 8), (PolicyErrorCode::DuplicatePass, 24)]);
    assert_eq!(errors.first().suggestion.as_deref(), Some("regex"));
    assert_eq!(passes("  ").unwrap_err().first().code, PolicyErrorCode::EmptyPasses);

    let kept = parse("passes: [ner: { substitute: false }]\nentities: { NAME: {} }")
        .with_passes("ner,regex")
        .unwrap();
    assert!(!kept.passes()[0].substitute);

    let strict = p.clone().with_threshold(0.9).unwrap();
    assert_eq!(strict.effective(&Kind::Ssn, false).floor(Pass::Regex), Some(0.9));
    for bad in [-0.1, 1.1, f64::NAN] {
        assert_eq!(p.clone().with_threshold(bad).unwrap_err().first().code, PolicyErrorCode::OutOfRange);
    }
    for bad in [0.0, 10.5, f64::NAN, f64::INFINITY] {
        assert_eq!(p.clone().with_epsilon(bad).unwrap_err().first().code, PolicyErrorCode::OutOfRange);
    }
    assert!((p.clone().with_epsilon(10.0).unwrap().epsilon() - 10.0).abs() < f64::EPSILON);
    assert_eq!(p.clone().with_seed(Some(7)).seed(), Some(7));
    let own = parse("passes: [regex]\nentities: { PHONE: { tokenization: synthetic } }");
    assert_eq!(own.effective(&Kind::Phone, false).scheme, Scheme::Synthetic);
    let overridden = own.with_scheme(Scheme::ReversibleAead);
    assert_eq!(overridden.effective(&Kind::Phone, false).scheme, Scheme::ReversibleAead);
}

#[test]
fn shown_policies_have_every_field_filled_in() {
    let json = serde_json::to_value(parse("passes: [regex, gemma]\nentities: { PHONE: {} }")).unwrap();
    let expected = serde_json::json!({
        "name": "t", "version": 1, "description": "", "kid": "K_T", "epsilon": 0.5,
        "tokenization": "vault-deterministic", "passes": ["regex", "gemma"],
        "entities": { "PHONE": {
            "enabled": true, "regex": true, "ner": true, "confidence_threshold": 0.6, "action": "tokenize",
            "dictionary": true, "spoken": true, "min_score": 0.0, "tokenization": "vault-deterministic",
            "kid": "K_T", "priority": 0, "keep": "none"
        } },
        "audit": { "log_events": true, "log_payloads": false, "retention_days": 2555 },
        "recognizers": [], "dictionaries": [], "allow": [], "token_scope": "kid", "non_text": "reject",
        "synthetic": { "seed": null, "preserve_locale": true }, "strict_passes": false, "surface": "token",
        "normalization": "value", "aead": { "deterministic": false }, "strict_numbers": false, "overlap": "longest"
    });
    assert_eq!(json, expected);

    let everything = Policy::from_path(fixtures("valid").join("everything.yaml")).unwrap();
    let json = serde_json::to_value(&everything).unwrap();
    assert_eq!(
        json["passes"][3],
        serde_json::json!({ "gemma": { "only": ["NAME"], "timeout_ms": 80, "substitute": false } })
    );
    assert_eq!(json["recognizers"][0]["patterns"][1]["group"], 1);
    assert_eq!(json["dictionaries"][0]["word_count"], 3);
    assert_eq!(json["speakers"]["mask"][1], "caller");
}

#[test]
fn words_are_never_printed() {
    let text = format!(
        "{HEAD}passes: [regex, dictionary]\nentities: {{ NAME: {{}} }}\ndictionaries:\n  - {{ name: staff, entity: NAME, \
         words: [Qwertzina Example] }}\nallow:\n  - words: [Qwertzina Clinic]\n"
    );
    let p = Policy::from_yaml(&text).unwrap();
    let shown =
        format!("{p:?} {:?} {:?} {}", p.dictionaries(), p.allow(), serde_json::to_string(&p).unwrap());
    assert!(!shown.contains("Qwertzina"), "{shown}");

    // Wherever the words end up by mistake, the errors do not repeat them.
    for (from, to) in [
        ("words: [Qwertzina Example]", "words: Qwertzina Example"),
        ("words: [Qwertzina Example]", "words: { Qwertzina Example: 1 }"),
        ("words: [Qwertzina Example]", "wrds: [Qwertzina Example]"),
        ("words: [Qwertzina Example]", "words: [*Qwertzina]"),
        ("words: [Qwertzina Example]", "words: [!Qwertzina x]"),
        ("words: [Qwertzina Example]", "words: [\"Qwertzina]"),
        ("words: [Qwertzina Example]", "Qwertzina Example: 1"),
        ("entity: NAME", "entity: Qwertzina Example"),
        ("words: [Qwertzina Clinic]", "words: [Qwertzina Clinic]\n    regex: '(Qwertzina'"),
        ("words: [Qwertzina Clinic]", "Qwertzina Clinic"),
        ("name: staff", "name: Qwertzina"),
        ("[regex, dictionary]", "[Qwertzina]"),
        ("kid: K_T", "kid: Qwertzina"),
        ("version: 1", "version: Qwertzina"),
    ] {
        assert!(text.contains(from), "{from}");
        let errors = Policy::from_yaml(&text.replace(from, to)).unwrap_err();
        let shown = format!("{errors} {errors:?} {}", serde_json::to_string(&errors).unwrap());
        assert!(!shown.contains("Qwertzina"), "{to}: {shown}");
    }
}

#[test]
fn errors_have_the_documented_form() {
    let errors =
        Policy::from_yaml(&format!("{HEAD}passes: [regex]\nentities:\n  PHONE:\n    acton: redact\n"))
            .unwrap_err();
    assert_eq!(
        serde_json::to_value(&errors).unwrap(),
        serde_json::json!([{
            "code": "unknown_field", "path": "entities.PHONE.acton", "line": 8, "column": 5,
            "message": "unknown field acton; did you mean action?", "suggestion": "action"
        }])
    );
    assert_eq!(
        errors.to_string(),
        "invalid policy: line 8, column 5: entities.PHONE.acton: unknown field acton; did you mean action? (unknown_field)"
    );
}

#[test]
fn at_most_a_hundred_errors_are_reported() {
    let fields = (0..150).map(|i| format!("field_{i}: 1\n")).collect::<Vec<_>>().concat();
    let errors = Policy::from_yaml(&format!("{HEAD}passes: [regex]\nentities: {{ PHONE: {{}} }}\n{fields}"))
        .unwrap_err();
    assert_eq!((errors.len(), errors.omitted()), (100, 50));
    assert_eq!(errors.first().line, 7);
}

#[test]
fn size_and_encoding_are_limited() {
    let comment =
        |n: usize| format!("{HEAD}passes: [regex]\nentities: {{ PHONE: {{}} }}\n#{}", "x".repeat(n));
    let spare = 256 * 1024 - comment(0).len();
    assert!(Policy::from_yaml(&comment(spare)).is_ok());
    assert_eq!(codes(&comment(spare + 1)), [PolicyErrorCode::TooLarge]);

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("p.yaml");
    fs::write(&file, comment(spare + 1)).unwrap();
    assert_eq!(Policy::from_path(&file).unwrap_err().first().code, PolicyErrorCode::TooLarge);
    fs::write(&file, b"name: t\nkid: \xc3\xa4\xff\n").unwrap();
    let errors = Policy::from_path(&file).unwrap_err();
    assert_eq!(
        (errors.first().code, errors.first().line, errors.first().column),
        (PolicyErrorCode::YamlSyntax, 2, 7)
    );
    let missing = Policy::from_path(dir.path().join("absent.yaml")).unwrap_err();
    assert_eq!(missing.first().code, PolicyErrorCode::FileUnreadable);
    assert!(missing.to_string().contains("absent.yaml"), "{missing}");
    assert_eq!(Policy::from_path(dir.path()).unwrap_err().first().code, PolicyErrorCode::FileUnreadable);

    let patterns = (0..11)
        .map(|i| {
            let list = "{ regex: a }, ".repeat(50);
            format!("  - {{ name: r{i}, entity: MRN, patterns: [{list}] }}\n")
        })
        .collect::<Vec<_>>()
        .concat();
    let text = format!("{HEAD}passes: [regex]\nentities: {{ MRN: {{}} }}\nrecognizers:\n{patterns}");
    assert_eq!(codes(&text), [PolicyErrorCode::TooLarge]);
    let pattern = |n: usize| {
        format!("{HEAD}passes: [regex]\nentities: {{ MRN: {{}} }}\nallow: [regex: {}]", "ä".repeat(n))
    };
    assert!(Policy::from_yaml(&pattern(1024)).is_ok());
    assert_eq!(codes(&pattern(1025)), [PolicyErrorCode::InvalidRegex]);
}

#[test]
fn dictionary_files_stay_below_the_policy() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("policies");
    fs::create_dir_all(folder.join("lists")).unwrap();
    fs::write(dir.path().join("secret.txt"), "Ada").unwrap();
    fs::write(folder.join("lists/names.txt"), "Ada\n# none\nBo Example # left\n#x\nC#\n").unwrap();
    let text = |file: &str| {
        format!(
            "{HEAD}passes: [dictionary]\nentities: {{ NAME: {{}} }}\ndictionaries:\n  - {{ name: d, entity: NAME, file: {file} }}\n"
        )
    };
    let load = |file: &str| {
        fs::write(folder.join("p.yaml"), text(file)).unwrap();
        Policy::from_path(folder.join("p.yaml"))
    };
    for file in ["lists/names.txt", "./lists/../lists/names.txt"] {
        assert_eq!(*load(file).unwrap().dictionaries()[0].words, ["Ada", "Bo Example", "C#"]);
    }
    let code = |file: &str| load(file).unwrap_err().first().code;
    assert_eq!(code("../secret.txt"), PolicyErrorCode::FileNotAllowed);
    assert_eq!(code("lists/../../secret.txt"), PolicyErrorCode::FileNotAllowed);
    assert_eq!(code("../absent.txt"), PolicyErrorCode::FileNotAllowed);
    assert_eq!(code(&dir.path().join("secret.txt").display().to_string()), PolicyErrorCode::FileNotAllowed);
    assert_eq!(code("lists"), PolicyErrorCode::FileUnreadable);
    assert_eq!(code("lists/absent.txt"), PolicyErrorCode::FileUnreadable);
    assert_eq!(codes(&text("lists/names.txt")), [PolicyErrorCode::FileNotAllowed]);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(dir.path().join("secret.txt"), folder.join("lists/link.txt")).unwrap();
        assert_eq!(code("lists/link.txt"), PolicyErrorCode::FileNotAllowed);
    }
    fs::write(folder.join("lists/long.txt"), "a\n".repeat(1_000_001)).unwrap();
    assert_eq!(code("lists/long.txt"), PolicyErrorCode::TooLarge);
    fs::write(folder.join("lists/long.txt"), "a\n".repeat(1_000_000)).unwrap();
    assert_eq!(load("lists/long.txt").unwrap().dictionaries()[0].words.len(), 1_000_000);
}

/// One edit of a file: where, how much goes, what comes.
fn edit() -> impl Strategy<Value = (prop::sample::Index, usize, String)> {
    let pieces = prop::sample::select(vec![
        "",
        " ",
        "\n",
        "\n  ",
        ":",
        ": ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ",",
        "'",
        "\"",
        "#",
        "&a ",
        "*a",
        "!!int ",
        "!x ",
        "|",
        ">",
        "? ",
        "<<: *a",
        "---\n",
        "...\n",
        "\t",
        "\u{0}",
        "\u{feff}",
        "é",
        "0x",
        "-1",
        "1e999",
        ".nan",
        "null",
        "true",
        "99999999999999999999",
        "regex",
        "passes",
        "entities",
        "PHONE",
        "phone_number",
        "words",
        "%YAML 1.1\n",
        "\\",
        "(?=a)",
        "\r\n",
    ]);
    (any::<prop::sample::Index>(), 0_usize..12, pieces.prop_map(str::to_owned))
}

proptest! {
    #[test]
    fn changed_files_are_accepted_or_refused_and_never_panic(
        file in 0_usize..5,
        edits in prop::collection::vec(edit(), 1..8),
    ) {
        let everything = include_str!("../../fixtures/policy/valid/everything.yaml");
        let ten = include_str!("../../fixtures/policy/invalid/ten_mistakes.yaml");
        let mut sources: Vec<&str> = Policy::preset_names().filter_map(Policy::preset_source).collect();
        sources.extend([everything, ten]);
        let mut text: Vec<char> = sources[file].chars().collect();
        for (at, gone, piece) in edits {
            let start = at.index(text.len() + 1);
            let end = (start + gone).min(text.len());
            text.splice(start..end, piece.chars());
        }
        let text: String = text.into_iter().collect();
        match Policy::from_yaml(&text) {
            Ok(policy) => {
                prop_assert!(!policy.passes().is_empty() && !policy.entities().is_empty());
                prop_assert!(policy.diff(&policy).is_empty());
                serde_json::to_string(&policy).unwrap();
            }
            Err(errors) => {
                let lines = text.lines().count() + 1;
                for error in &errors {
                    prop_assert!(error.line >= 1 && error.line <= lines && error.column >= 1, "{error}");
                }
            }
        }
    }

    #[test]
    fn any_text_is_accepted_or_refused(text in any::<String>()) {
        prop_assert!(Policy::from_yaml(&text).is_err());
    }
}

#[test]
fn names_of_built_in_recognisers_are_taken() {
    for spec in masker_core::kinds::specs() {
        for name in
            spec.patterns.iter().chain(spec.labelled).map(|p| p.name).chain(spec.codes.iter().map(|c| c.name))
        {
            let text = format!(
                "{HEAD}passes: [regex]\nentities: {{ MRN: {{}} }}\n\
                 recognizers: [{{ name: {name}, entity: MRN, patterns: [regex: a] }}]\n"
            );
            assert_eq!(codes(&text), [PolicyErrorCode::InvalidValue], "{name}");
        }
    }
}

#[test]
fn a_hostile_file_is_refused_in_time() {
    let started = std::time::Instant::now();
    let recognizers = (0..3_000).map(|i| format!("- {{entity: K{i:030}}}\n")).collect::<Vec<_>>().concat();
    let entities = (0..3_000).map(|i| format!("  L{i:030}: {{}}\n")).collect::<Vec<_>>().concat();
    let text = format!("{HEAD}passes: [regex]\nentities:\n{entities}recognizers:\n{recognizers}");
    assert!(text.len() < 256 * 1024);
    assert_eq!(Policy::from_yaml(&text).unwrap_err().len(), 100);
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}

#[test]
fn the_page_on_policies_names_every_code() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/policy.md")).unwrap();
    let codes = PolicyErrorCode::ALL.iter().map(|c| c.as_str());
    for code in codes.chain(PolicyNoticeCode::ALL.iter().map(|c| c.as_str())) {
        assert!(page.contains(&format!("`{code}`")), "{code}");
    }
    for kind in Kind::BUILT_IN {
        assert!(page.contains(&format!("`{kind}`")), "{kind}");
    }
}
