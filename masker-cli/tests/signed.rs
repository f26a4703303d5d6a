//! Files that must come back as they were written: reports and exports, and what nothing may be read from.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use masker_core::audit::{
    AuditEvent, AuditKeys, AuditLog, AuditOptions, EventKind, ReportSigner, hash_hex, merkle_root,
};
use serde_json::{Value, json};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn masker(folder: &Path, args: &[&str], vars: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_masker"));
    command
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("MASKER_KEY_K_HEALTHCARE", KEY);
    command.envs(vars.iter().copied()).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A log with events of one session among others, and a signed report about that session.
fn report(folder: &Path, signer: &ReportSigner) -> Value {
    let log = AuditLog::open(
        folder.join("audit.log"),
        &AuditKeys::new(std::array::from_fn(|i| i as u8)),
        AuditOptions::default(),
    );
    let log = log.unwrap();
    let event = |session| AuditEvent::new(EventKind::CallStarted, "acc_1").session(session);
    let stored =
        log.append(vec![event("sess_0"), event("sess_1"), event("sess_0"), event("sess_1")]).unwrap();
    let own = [&stored[1], &stored[3]];
    let hashes: Vec<_> = own.iter().map(|event| event.this_hash).collect();
    let (start, root) = (hash_hex(&own[0].prev_hash), hash_hex(&own[1].this_hash));
    let merkle = hash_hex(&merkle_root(&hashes).unwrap());
    let mut report = json!({
        "schema": "masker-audit/v1", "id": "rep_1", "scope": "session", "session_id": "sess_1",
        "audit": {
            "event_count": 2, "start_hash": start, "audit_root_hash": root, "merkle_root_hex": merkle, "verified": true,
        },
        "audit_root_hash": root, "merkle_root_hex": merkle,
    });
    signer.sign(report.as_object_mut().unwrap()).unwrap();
    report
}

#[test]
fn a_report_is_verified_against_its_signer_and_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let signer = ReportSigner::from_base64(KEY).unwrap();
    let report = report(folder.path(), &signer);
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let whole = json!({ "report": report }).to_string();
    write("report.json", &whole);
    let public = signer.public().to_base64();
    let verify = |args: &[&str], vars: &[(&str, &str)]| {
        masker(folder.path(), &[&["report", "verify"], args].concat(), vars)
    };
    let good = verify(&["report.json", "--public-key", &public], &[]);
    assert_eq!(good.status.code(), Some(0), "{}", text(&good.stderr));
    assert_eq!(
        text(&good.stdout),
        format!("report ok (rep_1, 2 events, signed by {})\n", signer.public().id())
    );
    let own = verify(&["report.json", "--json"], &[("MASKER_REPORT_SIGNING_KEY", KEY)]);
    assert!(own.status.success() && text(&own.stdout).contains("\"ok\":true,\"id\":\"rep_1\""));

    let log = ["report.json", "--public-key", &public, "--log", "audit.log"];
    let keys = [("MASKER_AUDIT_HMAC_KEY", KEY)];
    let found = verify(&log, &keys);
    assert_eq!(found.status.code(), Some(0), "{}", text(&found.stderr));
    assert_eq!(verify(&log, &[]).status.code(), Some(3), "the log takes its key");

    for at in (0..whole.len()).step_by(23) {
        let mut bad = whole.clone().into_bytes();
        bad[at] ^= 1;
        fs::write(folder.path().join("bad.json"), bad).unwrap();
        let refused = verify(&["bad.json", "--public-key", &public], &[]);
        assert_eq!(refused.status.code(), Some(2), "byte {at}");
        assert!(refused.stdout.is_empty());
    }
    write("spaced.json", &whole.replace(',', ", "));
    let spaced = verify(&["spaced.json", "--public-key", &public], &[]);
    assert!(spaced.status.code() == Some(2) && text(&spaced.stderr).contains("--reformatted"));
    assert!(verify(&["spaced.json", "--public-key", &public, "--reformatted"], &[]).status.success());

    let stranger = ReportSigner::new([9; 32]).public().to_base64();
    let refused = verify(&["report.json", "--public-key", &stranger], &[]);
    assert!(refused.status.code() == Some(2) && text(&refused.stderr).contains("unknown_key"));
    assert_eq!(verify(&["report.json"], &[]).status.code(), Some(64), "there is no key to check with");
    assert_eq!(verify(&["report.json", "--public-key", "AAAA"], &[]).status.code(), Some(64));
    assert_eq!(verify(&["missing.json", "--public-key", &public], &[]).status.code(), Some(1));

    // The log went on: a report about a session stays true. Another log does not bear it out.
    let audit_keys = AuditKeys::new(std::array::from_fn(|i| i as u8));
    let open =
        || AuditLog::open(folder.path().join("audit.log"), &audit_keys, AuditOptions::default()).unwrap();
    open().append(vec![AuditEvent::new(EventKind::Logout, "acc_1")]).unwrap();
    assert!(verify(&log, &keys).status.success());
    open().append(vec![AuditEvent::new(EventKind::CallEnded, "acc_1").session("sess_1")]).unwrap();
    let refused = verify(&log, &keys);
    assert!(refused.status.code() == Some(2) && text(&refused.stderr).contains("root_mismatch"));
}

#[test]
fn an_export_that_is_cut_changed_or_continued_imports_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("in.txt"), "Hi this is Sarah Chen at (415) 555-2671, write to ada@example.com").unwrap();
    let run = |args: &[&str]| masker(folder.path(), args, &[]);
    assert!(run(&["mask", "in.txt", "--vault", "v.db"]).status.success());
    assert!(run(&["vault", "export", "--vault", "v.db", "--out", "rows.bin"]).status.success());
    let whole = fs::read(path("rows.bin")).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(path("bad.bin"), bytes).unwrap();
        let output = run(&["vault", "import", "--vault", "new.db", "bad.bin"]);
        output.status.code() == Some(1) && !path("new.db").exists()
    };
    for at in (0..whole.len()).step_by(17) {
        let mut bad = whole.clone();
        bad[at] ^= 0x10;
        assert!(refused(&bad), "byte {at} changed");
        assert!(refused(&whole[..at]), "cut to {at}");
    }
    assert!(refused(&[whole.as_slice(), b"\0"].concat()) && refused(&[whole.as_slice(), &whole].concat()));
    assert!(run(&["vault", "import", "--vault", "new.db", "rows.bin"]).status.success());
}

/// Every form in which a text may lie in a file: as it is, in two bytes a character, in hexadecimal, in base64 at any place.
fn forms(marker: &str) -> Vec<Vec<u8>> {
    let wide = |bytes: fn(u16) -> [u8; 2]| marker.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let base64 = |shift: usize| {
        let padded = [vec![0; shift], marker.as_bytes().to_vec()].concat();
        // Only the groups of four that the marker alone decides.
        let text = data_encoding::BASE64_NOPAD.encode(&padded);
        let skip = if shift == 0 { 0 } else { 4 };
        text[skip..padded.len() / 3 * 4].to_ascii_lowercase().into_bytes()
    };
    vec![
        marker.as_bytes().to_vec(),
        wide(u16::to_le_bytes),
        wide(u16::to_be_bytes),
        data_encoding::HEXLOWER.encode(marker.as_bytes()).into_bytes(),
        base64(0),
        base64(1),
        base64(2),
    ]
}

#[test]
fn nothing_that_a_verbose_run_writes_holds_an_original() {
    let folder = tempfile::tempdir().unwrap();
    let mut input = String::new();
    for n in 0..2_000 {
        writeln!(input, "my email is q7marked{n}@example.com and my member id is Q7MARKED{n:06}").unwrap();
    }
    fs::write(folder.path().join("in.txt"), &input).unwrap();
    let vault = masker(folder.path(), &["mask", "in.txt", "--vault", "v.db", "-vv"], &[]);
    assert!(vault.status.success());
    let export = masker(folder.path(), &["vault", "export", "--vault", "v.db", "-vv"], &[]);
    let stats = masker(folder.path(), &["vault", "stats", "--vault", "v.db", "-vv"], &[]);
    let verify = masker(folder.path(), &["vault", "verify", "--vault", "v.db", "-vv"], &[]);
    assert!(export.status.success() && stats.status.success() && verify.status.success());
    fs::remove_file(folder.path().join("in.txt")).unwrap();
    let mut said: Vec<Vec<u8>> =
        [vault, export, stats, verify].into_iter().flat_map(|o| [o.stdout, o.stderr]).collect();
    said.extend(fs::read_dir(folder.path()).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap()));
    assert!(said.len() >= 9);
    for form in forms("q7marked") {
        for bytes in &said {
            assert!(!bytes.to_ascii_lowercase().windows(form.len()).any(|window| window == form));
        }
    }
}
