//! Promise 8 for every public type: a sample that has seen marked text goes through all that the type can say of itself.
//!
//! The list of types is read from the sources: a type that is new has to be put through here, or to be told apart as one that
//! never sees a text.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail like the tests themselves")]

mod common;

use std::collections::BTreeSet;
use std::fmt::{Debug, Display, Write as _};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use masker_core::audit::{
    AuditError, AuditEvent, AuditKeys, AuditLog, AuditOptions, Checks, EventKind, FileHead, Head, Layout,
    MemoryHead, ReportError, ReportKey, ReportSigner, prove, verify, verify_report,
};
use masker_core::detect::{Context, DetectorSet};
use masker_core::payload::{JsonRules, ParsePointerError, Pointer, SseDecoder, SseEvent};
use masker_core::resolve::Order;
use masker_core::vault::{AsyncVault, Lookup, NewRow, Query, Reseal, Row, RowKey, Sealed, Selection, Write};
use masker_core::view::{NormalView, classify, code_run, hash_word, split_words};
use masker_core::{
    EnvKeys, Error, FileKeys, KeyRing, Kid, Masker, MemoryVault, OffsetMap, OffsetUnit, Policy, Reference,
    Role, Scope, SqliteVault, Token, Vault, find_markers,
};
use serde::Serialize;
use serde_json::json;

use self::common::{keys, kid, with_vault};

const TEXT: &str = "This is Zebediah Quixworth at (415) 555-0187, born March 14 1982, zeb.quixworth@example.com, \
                    social 219-09-9999, four one five, five five five, oh one eight seven, password: Zxcv99qq";
/// Parts of it, in small letters.
const MARKS: &[&str] = &[
    "zebediah",
    "quixworth",
    "555-0187",
    "5550187",
    "march 14",
    "219-09-9999",
    "219099999",
    "zxcv99qq",
    "oh one",
];

/// Public types of which nothing that was said can be a part: tables, settings and words of the program and of its policies,
/// made before there is a text.
const NEVER_SEE_TEXT: &[&str] = &[
    "Aead",
    "AllowMatch",
    "AllowRule",
    "Audit",
    "Change",
    "CodeShape",
    "Cue",
    "CueNeed",
    "CustomKind",
    "CustomRecognizer",
    "CustomPattern",
    "DictionaryRule",
    "EffectiveKind",
    "EntityRule",
    "Entry",
    "EntryBuilder",
    "Example",
    "Fsync",
    "KindRule",
    "KindSpec",
    "Letters",
    "Measured",
    "OldKey",
    "ParseKindError",
    "ParseNameError",
    "PassRule",
    "Pattern",
    "PatternRule",
    "Policy",
    "PolicyDiff",
    "PolicyLoader",
    "PolicyNotice",
    "PostgresOptions",
    "RecognizerRule",
    "SqliteOptions",
    "Synthetic",
    "Table",
];

/// Types of which a sample needs what is not at hand.
const ELSEWHERE: &[(&str, &str)] = &[
    ("PostgresVault", "needs a database; its `Debug` is the name alone"),
    ("RecognizerError", "says what a plug-in of the user's says; in leaks.rs"),
    ("WordClass", "a part of `ClassedWord`"),
];

/// What was said, and by which types.
#[derive(Default)]
struct Told {
    said: String,
    types: BTreeSet<String>,
}

/// What a value can say of itself beside `Debug`, whatever of it there is.
struct Probe<'v, T>(&'v T);

trait Says {
    fn display(&self) -> String;
}

impl<T: Display> Says for Probe<'_, T> {
    fn display(&self) -> String {
        self.0.to_string()
    }
}

trait SaysNothing {
    fn display(&self) -> String;
}

impl<T> SaysNothing for &Probe<'_, T> {
    fn display(&self) -> String {
        String::new()
    }
}

trait Serialises {
    fn json(&self) -> String;
}

impl<T: Serialize> Serialises for Probe<'_, T> {
    fn json(&self) -> String {
        serde_json::to_string(self.0).unwrap()
    }
}

trait SerialisesNothing {
    fn json(&self) -> String;
}

impl<T> SerialisesNothing for &Probe<'_, T> {
    fn json(&self) -> String {
        String::new()
    }
}

impl Told {
    fn note<T: Debug>(&mut self, value: &T, display: &str, json: &str) {
        let _ = writeln!(self.said, "{value:?}\n{value:#?}\n{display}\n{json}");
        // `alloc::vec::Vec<masker_core::engine::report::Event>` tells of `Event`.
        for path in std::any::type_name::<T>().split(['<', '>', ',', '(', ')', ' ', '&', '[', ']', ';']) {
            if path.starts_with("masker_core::") {
                self.types.extend(path.rsplit("::").next().map(str::to_owned));
            }
        }
    }

    fn leak(&self, tokens: &[Token]) -> Option<String> {
        let said = self.said.to_lowercase();
        let bodies = tokens.iter().map(|token| token.text().rsplit('.').next().unwrap().to_lowercase());
        let bytes = |mark: &&str| mark.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
        MARKS
            .iter()
            .map(|mark| (*mark).to_owned())
            .chain(MARKS.iter().map(bytes))
            .chain(bodies)
            .find(|mark| said.contains(mark))
    }
}

/// Puts values through `Debug`, and through `Display` and serialisation where they have them.
macro_rules! tell {
    ($told:ident: $($value:expr),+ $(,)?) => {$({
        let value = &$value;
        #[allow(clippy::needless_borrow, reason = "the borrow chooses between the two traits")]
        let (display, json) = ((&Probe(value)).display(), (&Probe(value)).json());
        $told.note(value, &display, &json);
    })+};
}

/// A type in the sources: its name, whether it says nothing, and whether it is plain: without text of any sort.
struct Declared {
    name: String,
    silent: bool,
    plain: bool,
}

fn declared() -> Vec<Declared> {
    let mut files = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut types = Vec::new();
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|end| end == "rs") {
            types.extend(declared_in(&path));
        }
    }
    types
}

fn declared_in(path: &PathBuf) -> Vec<Declared> {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap();
    let mut types = Vec::new();
    for (word, is_enum) in [("\npub struct ", false), ("\npub enum ", true)] {
        for (at, _) in text.match_indices(word) {
            let rest = &text[at + word.len()..];
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
            let attributes = text[..at].rsplit("\n\n").next().unwrap();
            let body =
                &rest[..rest.find("\n}").into_iter().chain(rest.find(";\n")).min().unwrap_or(rest.len())];
            let code: String = body
                .lines()
                .map(|line| line.split("//").next().unwrap())
                .filter(|line| !line.trim_start().starts_with("#["))
                .collect();
            let inner = code.split_once(['{', '(']).map_or("", |(_, inner)| inner);
            let holds = [
                "str", "String", "u8", "Vec", "Token", "Map", "Box", "Arc", "Hash", "Kind", "Kid", "Span",
                "dyn ", "Path",
            ];
            let plain = if is_enum {
                !inner.contains(['(', '{'])
            } else {
                !holds.iter().any(|held| inner.contains(held))
                    && !inner.contains("masker")
                    && only_numbers(inner)
            };
            types.push(Declared {
                name,
                silent: attributes.contains("missing_debug_implementations"),
                plain,
            });
        }
    }
    types
}

/// Whether fields are numbers, truth values and options of them alone.
fn only_numbers(fields: &str) -> bool {
    const PLAIN: &[&str] = &[
        "bool", "u16", "u32", "u64", "i8", "i32", "i64", "usize", "f32", "f64", "Option", "pub", "Duration",
        "Instant",
    ];
    fields.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).all(|word| {
        PLAIN.contains(&word) || word.chars().next().is_some_and(|c| c.is_lowercase() || c.is_ascii_digit())
    })
}

fn tokens(text: &str) -> Vec<Token> {
    find_markers(text).iter().filter_map(|found| text[found.span.range()].parse().ok()).collect()
}

#[test]
fn promise_8_every_public_type() {
    let mut told = Told::default();
    let folder = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::new());
    let masker = with_vault(Policy::healthcare_default(), vault.clone(), "acc_a");
    let masked = masker.mask(TEXT).unwrap();
    let tokens = tokens(&masked.text);
    assert!(tokens.len() > 4, "{}", masked.text);

    // What detecting and masking give.
    let findings = masker.detect(TEXT).unwrap();
    let event = masked.events[0].clone();
    tell!(told: masker, findings[0], masker.explain(TEXT).unwrap()[0], masked, event, event.kind, event.span);
    tell!(told: masker_core::RecognizerHit { kind: event.kind.clone(), start: 0, end: 4, confidence: 0.5 });
    let mut context = Context::default();
    DetectorSet::all_kinds().detect(TEXT, &[], &mut context, Order::Longest).unwrap();
    tell!(told: context);
    let mut map = OffsetMap::new(OffsetUnit::Utf16);
    map.push(TEXT);
    tell!(told: map);

    // Views of a text.
    let view = NormalView::new(TEXT, &[]);
    let words = split_words(&view);
    let classed = classify(&words);
    let runs: Vec<_> = (0..classed.len()).filter_map(|at| code_run(&view, &classed, at)).collect();
    assert!(runs.iter().any(|run| run.digits() > 6));
    tell!(told: view, words, classed, runs[0], runs[0].pieces[0], hash_word(b"zebediah"), words[0]);

    // Tokens, keys and scopes.
    let ring = KeyRing::builder().key(&kid(), *b"Zebediah-Quixworth-zxcv99qq-keys").build().unwrap();
    let found = find_markers(&masked.text);
    let scope: Scope = "acc_a".parse().unwrap();
    tell!(told: tokens[0], found[0], found[0].marker, kid(), scope, ring);
    let vars = [("MASKER_KEY_K1".to_owned(), TEXT.to_owned())];
    tell!(told: EnvKeys::new(vars.clone()), FileKeys::new(folder.path().join("keys")));
    tell!(told: KeyRing::from_vars(vars).unwrap_err(), TEXT.parse::<Token>().unwrap_err(), TEXT.parse::<Kid>().unwrap_err());
    tell!(told: format!("{TEXT}\n").parse::<Scope>().unwrap_err());
    tell!(told: masker_core::unseal(&keys(), &scope, &tokens[0]).err().unwrap());

    // The vault and its rows.
    let rows: Vec<Row> = vault.page(None, 100).unwrap();
    let reference = Reference::new("zebediah", "zebediah quixworth");
    let asked = [&tokens[0]];
    let query = Query { scope: masker.scope(), reference: Some(&reference), now: 0, tokens: &asked };
    let lookup = vault.get(&query).unwrap();
    assert!(matches!(lookup[0], Lookup::Found(_)));
    let new = [NewRow { token: &tokens[0], kid: &rows[0].kid, bytes: TEXT.as_bytes().into() }];
    tell!(told: rows[0], rows[0].key, reference, query, lookup[0], new[0]);
    tell!(told: Write { scope: &scope, reference: &reference, now: 0, expires: None, rows: &new });
    tell!(told: Sealed { kid: kid(), bytes: TEXT.as_bytes().into(), used: 0, referenced: true });
    tell!(told: Reseal { key: rows[0].key.clone(), before: TEXT.as_bytes().into(), kid: kid(), after: TEXT.as_bytes().into() });
    tell!(told: RowKey { scope: scope.clone(), token: tokens[0].text().into() });
    for selection in
        [Selection::Agent(TEXT.to_owned()), Selection::Subject(TEXT.to_owned()), Selection::Expired(7)]
    {
        tell!(told: selection);
    }
    let sqlite = SqliteVault::open(folder.path().join("vault.db")).unwrap();
    tell!(told: masker_core::vault::verify(&keys(), &*vault).unwrap());
    tell!(told: *vault, vault.stats().unwrap(), sqlite, AsyncVault::new(vault.clone()));
    let full = with_vault(Policy::healthcare_default(), Arc::new(MemoryVault::with_limit(1)), "");
    let Error::Vault(error) = full.mask(TEXT).unwrap_err() else { panic!("the vault is full") };
    tell!(told: error, Error::Vault(error_of_import()));

    // Conversations and streams.
    let conversation = masker.conversation("call");
    conversation.mask_turn(Role::User, TEXT).unwrap();
    let mut stream = conversation.stream_masker(Role::User);
    stream.push(TEXT).unwrap();
    let mut restoring = conversation.stream_rehydrator();
    restoring.push(&masked.text).unwrap();
    restoring.push(&tokens[0].text()[..20]).unwrap();
    tell!(told: conversation, stream, restoring);
    tell!(told: restoring.flush().unwrap().1);

    // Payloads.
    let payload =
        masker.mask_json(&json!({ "a": TEXT, TEXT: [TEXT] }).to_string(), &JsonRules::everything()).unwrap();
    let pointer: Pointer = "/a/b".parse().unwrap();
    let refused: ParsePointerError = TEXT.parse::<Pointer>().unwrap_err();
    tell!(told: payload, payload.events[0], pointer, refused, JsonRules::everything().leave(pointer.clone()));
    let mut sent = SseEvent::data(TEXT);
    sent.comments = vec![TEXT.to_owned()];
    sent.event = Some(TEXT.to_owned());
    sent.id = Some(TEXT.to_owned());
    let mut decoder = SseDecoder::new();
    decoder.push(format!(":{TEXT}\ndata: {TEXT}\ndata: {TEXT}").as_bytes()).unwrap();
    // As text it is what is sent, so it is not put through `Display`.
    told.note(&sent, "", "");
    tell!(told: decoder);
    for refused in
        [masker.mask_json(TEXT, &JsonRules::everything()), masker.mask_chat(&json!([TEXT]).to_string())]
    {
        tell!(told: refused.unwrap_err());
    }

    // Text where a policy should be.
    for text in [TEXT.to_owned(), format!("name: \"{TEXT}\""), format!("name: a\nkid: \"{TEXT}\"")] {
        let errors = Policy::from_yaml(&text).unwrap_err();
        tell!(told: errors, errors.first());
    }

    audit(&mut told, &folder, &masked.events);
    errors(&mut told);
    assert_eq!(told.leak(&tokens), None, "{}", told.said);

    let mut missing = Vec::new();
    for Declared { name, silent, plain } in declared() {
        let elsewhere = ELSEWHERE.iter().any(|(other, _)| *other == name);
        if !silent
            && !plain
            && !elsewhere
            && !NEVER_SEE_TEXT.contains(&name.as_str())
            && !told.types.contains(&name)
        {
            missing.push(name);
        }
    }
    assert_eq!(missing, [""; 0], "types that are put through nothing");
    let all: BTreeSet<String> = declared().into_iter().map(|declared| declared.name).collect();
    let gone: Vec<&&str> = NEVER_SEE_TEXT
        .iter()
        .chain(ELSEWHERE.iter().map(|(name, _)| name))
        .filter(|name| !all.contains(**name))
        .collect();
    assert!(gone.is_empty(), "{gone:?} are no types");
}

fn error_of_import() -> masker_core::VaultError {
    masker_core::vault::import(&keys(), &MemoryVault::new(), &mut TEXT.as_bytes()).unwrap_err()
}

fn audit(told: &mut Told, folder: &tempfile::TempDir, events: &[masker_core::Event]) {
    let keys = AuditKeys::new([7; 32]);
    let path = folder.path().join("audit.log");
    let options = AuditOptions::default();
    tell!(told: options, keys, MemoryHead::default(), FileHead::new(folder.path().join("head"), &keys));
    let log = AuditLog::open(&path, &keys, options).unwrap();
    let redactions: Vec<AuditEvent> =
        events.iter().map(|event| AuditEvent::redaction("acc_a", event)).collect();
    tell!(told: redactions[0], log, AuditEvent::new(EventKind::CallEnded, "acc_a").data("said", TEXT));
    let stored = log.append(redactions).unwrap();
    let head: Head = log.head().unwrap();
    tell!(told: stored[0], head);
    drop(log);
    let written = fs::read(&path).unwrap();
    told.said += &String::from_utf8_lossy(&written);
    let checks = Checks { head: Some(head), ..Checks::default() };
    tell!(told: verify(&*written, &keys, &checks).unwrap(), checks, verify(TEXT.as_bytes(), &keys, &checks).unwrap());
    tell!(told: prove(&*written, &stored[0].event_id, &Checks::default()).unwrap().unwrap());
    let signer = ReportSigner::new([7; 32]);
    let refused: ReportError = verify_report(TEXT, &[signer.public()], Layout::Any).unwrap_err();
    tell!(told: signer, signer.public(), refused, ReportKey::from_base64(TEXT).unwrap_err());
    let root = "1".repeat(64);
    let report = json!({
        "schema": "masker-audit/v1", "id": "rep_a", "scope": "account", "note": TEXT, "audit_root_hash": root, "merkle_root_hex": root,
        "audit": { "event_count": 1, "start_hash": root, "audit_root_hash": root, "merkle_root_hex": root, "verified": true },
    });
    let mut report = report.as_object().unwrap().clone();
    signer.sign(&mut report).unwrap();
    let report = serde_json::to_string(&report).unwrap();
    tell!(told: verify_report(&report, &[signer.public()], Layout::Any).unwrap());
    fs::write(&path, TEXT).unwrap();
    let reopened: Result<AuditLog, AuditError> = AuditLog::open(&path, &keys, AuditOptions::default());
    tell!(told: reopened.err());
}

/// Errors of the engine, with their causes.
fn errors(told: &mut Told) {
    struct Failing;
    impl masker_core::Recognizer for Failing {
        fn name(&self) -> &'static str {
            "failing"
        }
        fn recognize(
            &self,
            text: &str,
        ) -> Result<Vec<masker_core::RecognizerHit>, masker_core::RecognizerError> {
            let kind = masker_core::Kind::Name;
            Ok(vec![masker_core::RecognizerHit { kind, start: 1, end: text.len() + 1, confidence: 0.9 }])
        }
    }
    let failing = Masker::builder().recognizer(Arc::new(Failing)).build().unwrap();
    let Error::Detect(error) = failing.mask(TEXT).unwrap_err() else { panic!("the plug-in failed") };
    tell!(told: error);
}
