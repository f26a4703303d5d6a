//! The server as a process: it starts at once, survives being killed at any instant, and ends when it is told.
#![cfg(all(unix, feature = "server"))]

mod server;

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use server::{Client, Server, bootstrap, masker};

/// Kills in an ordinary run; `MASKER_TEST_KILLS` asks for more.
const KILLS: usize = 6;

#[test]
fn nothing_that_was_answered_is_lost_to_a_kill() {
    let kills = std::env::var("MASKER_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    let token = bootstrap(folder.path());
    let client = Client::new(&server.base, &token);
    let (_, _, made) =
        client.call("POST", "/api/v1/agents", &json!({ "name": "a", "upstream": "stub" })).unwrap();
    let agent = made["agent"]["id"].as_str().unwrap().to_owned();
    // Texts with the tokens that stand for them, and sessions with an answer.
    let tokens: Arc<Mutex<BTreeMap<String, String>>> = Arc::default();
    let sessions: Arc<Mutex<Vec<String>>> = Arc::default();
    for round in 0..kills {
        let client = Client::new(&server.base, &token);
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                let (client, agent) = (client.clone(), agent.clone());
                let (tokens, sessions) = (tokens.clone(), sessions.clone());
                std::thread::spawn(move || {
                    for i in 0.. {
                        let text = format!("my email is user{round}x{worker}x{i}@example.com");
                        let chat = json!({ "messages": [{ "role": "user", "content": text }], "stream": i % 2 == 0 });
                        let path = format!("/proxy/{agent}/v1/chat/completions");
                        let Some((status, session, _)) = client.call("POST", &path, &chat) else { return };
                        assert_eq!(status, 200);
                        sessions.lock().unwrap().push(session);
                        let Some((status, _, masked)) = client.call("POST", "/api/v1/mask", &json!({ "text": text })) else { return };
                        assert_eq!(status, 200);
                        tokens.lock().unwrap().insert(text, masked["masked"].as_str().unwrap().to_owned());
                    }
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(120 + 37 * (round as u64 % 7)));
        server.kill();
        for worker in workers {
            worker.join().unwrap();
        }
        server = Server::start(folder.path());
        assert!(server.ready_after < Duration::from_secs(2), "{:?}", server.ready_after);
        let client = Client::new(&server.base, &token);
        let (_, _, verified) = client.call("POST", "/api/v1/audit/verify", &Value::Null).unwrap();
        assert_eq!(verified["ok"], true, "{verified}");
        let (_, _, open) =
            client.call("GET", "/api/v1/sessions?status=in_progress&since=all", &Value::Null).unwrap();
        assert_eq!(open["data"], json!([]), "no session is half written");
    }
    let client = Client::new(&server.base, &token);
    let sessions = sessions.lock().unwrap();
    assert!(sessions.len() > kills, "the load was one");
    for session in sessions.iter() {
        let (status, _, row) =
            client.call("GET", &format!("/api/v1/sessions/{session}"), &Value::Null).unwrap();
        assert_eq!((status, row["session"]["status"].as_str()), (200, Some("ok")), "{session}");
    }
    for (text, masked) in tokens.lock().unwrap().iter() {
        let (_, _, back) = client.call("POST", "/api/v1/rehydrate", &json!({ "text": masked })).unwrap();
        assert_eq!(back["text"], text.as_str());
    }
}

#[test]
fn a_call_that_waits_between_turns_ends_with_its_agent() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let client = Client::new(&server.base, &bootstrap(folder.path()));
    let made = client.call("POST", "/api/v1/agents", &json!({ "name": "a", "upstream": "stub" })).unwrap().2;
    let agent = made["agent"]["id"].as_str().unwrap();
    let chat = json!({ "messages": [{ "role": "user", "content": "call 415-555-0142" }] });
    let path = format!("/proxy/{agent}/s/call-1/v1/chat/completions");
    let (status, session, _) = client.call("POST", &path, &chat).unwrap();
    assert_eq!(status, 200);
    let shown = || client.call("GET", &format!("/api/v1/sessions/{session}"), &Value::Null).unwrap().2;
    assert_eq!(shown()["session"]["status"], "in_progress");
    assert_eq!(client.call("DELETE", &format!("/api/v1/agents/{agent}"), &Value::Null).unwrap().0, 204);
    assert_eq!(client.call("POST", &path, &chat).unwrap().0, 404);
    let patience = Instant::now() + Duration::from_secs(20);
    while shown()["session"]["status"] == "in_progress" {
        assert!(Instant::now() < patience, "a session of a deleted agent stays open");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(shown()["session"]["status"], "ok");
}

#[test]
fn a_signal_ends_it_and_a_second_server_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    assert!(server.ready_after < Duration::from_secs(2), "{:?}", server.ready_after);
    let second = masker(folder.path(), &["serve"]).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("audit_log_locked"));
    assert!(Command::new("kill").args(["-TERM", &server.child.id().to_string()]).status().unwrap().success());
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    let check = masker(folder.path(), &["serve", "--check"]).output().unwrap();
    assert_eq!(check.status.code(), Some(0), "{}", String::from_utf8_lossy(&check.stderr));
    let bad = masker(folder.path(), &["serve"]).env("MASKER_SHUTDOWN_SECONDS", "soon").output().unwrap();
    assert_eq!(bad.status.code(), Some(64));
    let production = masker(folder.path(), &["serve", "--check"])
        .env("MASKER_DEV", "0")
        .env("MASKER_PUBLIC_URL", "https://masker.example.com")
        .output()
        .unwrap();
    assert_eq!(production.status.code(), Some(3));
}

#[test]
fn remote_commands_tell_what_the_server_says() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let token = bootstrap(folder.path());
    let run = |args: &[&str]| {
        let mut command = masker(folder.path(), args);
        command.env("MASKER_TOKEN", &token).env("MASKER_SERVER", &server.base);
        let output = command.output().unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, made, _) = run(&["agents", "create", "--name", "refill-line", "--upstream", "stub"]);
    assert_eq!(code, 0);
    let made: Value = serde_json::from_str(&made).unwrap();
    let id = made["id"].as_str().unwrap();
    assert_eq!(run(&["agents", "create", "--name", "refill-line", "--upstream", "stub"]).0, 2);
    assert_eq!(run(&["agents", "list", "--jsonl"]).1.lines().count(), 1);
    assert_eq!(run(&["agents", "pause", id]).0, 0);
    assert_eq!(run(&["agents", "resume", id]).0, 0);
    assert_eq!(run(&["agents", "delete", id]).0, 64, "without a terminal --yes is needed");
    assert_eq!(run(&["agents", "delete", id, "--yes", "--profile", "kakiyo"]).0, 2);
    assert_eq!(run(&["sessions", "list"]), (0, "[]\n".to_owned(), String::new()));
    let client = Client::new(&server.base, &token);
    let chat = json!({ "messages": [{ "role": "user", "content": "call 415-555-0142" }] });
    let (_, session, _) = client.call("POST", &format!("/proxy/{id}/v1/chat/completions"), &chat).unwrap();
    assert_eq!(run(&["sessions", "show", &session]).0, 0);
    assert_eq!(run(&["report", "--session-id", &session, "--output", "r.json"]).0, 0);
    let report: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("r.json")).unwrap()).unwrap();
    assert_eq!(report["report"]["summary"]["redactions"], 1);
    assert_eq!(run(&["report", "--since", "7d", "--output", "r.pdf"]).0, 0);
    assert!(std::fs::read(folder.path().join("r.pdf")).unwrap().starts_with(b"%PDF-"));
    assert_eq!(run(&["report", "--agent-id", id, "--format", "pdf", "--output", "r"]).0, 0);
    assert!(std::fs::read(folder.path().join("r")).unwrap().starts_with(b"%PDF-"));
    assert_eq!(run(&["report", "--format", "pdf"]).0, 64, "a PDF needs a file");
    let (code, secret, _) =
        run(&["tokens", "create", "--name", "ci", "--scopes", "agents:read,sessions:read"]);
    assert!(code == 0 && secret.starts_with("mkt_") && secret.lines().count() == 1);
    assert_eq!(run(&["audit", "verify"]).0, 0);
    assert_eq!(run(&["policy", "reload"]).0, 0);
    let (code, _, error) = run(&["agents", "show", "agt_1"]);
    assert!(code == 1 && error.contains("(agent_not_found, req_"), "{error}");
    assert_eq!(run(&["agents", "delete", id, "--yes"]).0, 0);
    let mut refused = masker(folder.path(), &["agents", "list"]);
    refused.env("MASKER_TOKEN", "mkt_wrong").env("MASKER_SERVER", &server.base);
    assert_eq!(refused.output().unwrap().status.code(), Some(4));
    let mut nobody = masker(folder.path(), &["agents", "list"]);
    nobody.env("MASKER_TOKEN", &token).env("MASKER_SERVER", "http://127.0.0.1:1");
    assert_eq!(nobody.output().unwrap().status.code(), Some(5));
}
