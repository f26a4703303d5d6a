//! Lists of sessions in a table of ten million. It takes minutes and gigabytes, so it runs with the long tests:
//! `cargo test --release -p masker-server --test volume -- --ignored --nocapture`. `MASKER_TEST_SESSIONS` sets another number.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::{Duration, Instant};

use common::Server;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

const SESSIONS: i64 = 10_000_000;
const AGENTS: i64 = 10;
/// Rows of one transaction.
const BATCH: i64 = 200_000;
/// The table spans as much as is kept by default.
const SPAN_MS: i64 = 90 * 86_400_000;
/// Times each list is asked for; the least counts, since what else the machine does only adds to it. Others are told as well.
const REPEATS: usize = 5;

/// Fills the table: nine of ten sessions went well, one of 200 has an SSN, every third has a key.
fn fill(server: &Server, account: &str, agents: &[String], count: i64) {
    let path = server.folder.path().join("data/masker.db");
    let mut connection = Connection::open(path).unwrap();
    connection.pragma_update(None, "cache_size", -500_000).unwrap();
    let now: i64 = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
    let indexes: Vec<(String, String)> = connection
        .prepare("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'sessions' AND sql IS NOT NULL")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for (name, _) in &indexes {
        connection.execute_batch(&format!("DROP INDEX {name}")).unwrap();
    }
    let doc = |kinds: &Value| {
        json!({
            "policy_name": "healthcare-default", "policy_version": 1, "policy_sha256": "0".repeat(64), "tokenization": "vault-deterministic",
            "platform": "vapi", "upstream_model": "gpt-4o-mini", "redactions_by_kind": kinds, "redactions_by_pass": { "regex": 1 },
            "redactions_by_action": { "tokenize": 1 }, "stages_us": [80, 120, 400_000, 60], "masked_sha256": "0".repeat(64),
            "error_code": null, "audit_start_hash": "0".repeat(64), "leaks": [], "cards_passed_through": 0, "payloads_stored": false
        })
        .to_string()
    };
    let (usual, rare) = (doc(&json!({ "NAME": 1, "PHONE": 1 })), doc(&json!({ "NAME": 1, "SSN": 1 })));
    for first in (0..count).step_by(BATCH as usize) {
        let transaction = connection.transaction().unwrap();
        let sql = "INSERT INTO sessions (id, account, agent, agent_name, external_id, started_at, ended_at, last_at, status, redactions, \
            turns, duration_ms, overhead_us, kinds, doc, audit_hashes) VALUES (?, ?, ?, 'a', ?, ?, ?6, ?6, ?, ?, 1, 400, 900, ?, ?, zeroblob(64))";
        let mut insert = transaction.prepare(sql).unwrap();
        for n in first..count.min(first + BATCH) {
            let at = now - SPAN_MS + (n as f64 * SPAN_MS as f64 / count as f64) as i64;
            let status = match n % 27 {
                0 => "error",
                7 => "partial",
                _ => "ok",
            };
            let is_rare = n % 201 == 99;
            let kinds = if is_rare { ",NAME,SSN," } else { ",NAME,PHONE," };
            let key = (n % 3 == 0).then(|| format!("call-{n}"));
            let agent = &agents[(n % AGENTS) as usize];
            let redactions = if n % 501 == 3 { 40 } else { n % 7 };
            insert
                .execute(params![
                    format!("sess_01JZ{n:022}"),
                    account,
                    agent,
                    key,
                    at,
                    at + 400,
                    status,
                    redactions,
                    kinds,
                    if is_rare { &rare } else { &usual }
                ])
                .unwrap();
        }
        drop(insert);
        transaction.commit().unwrap();
    }
    for (_, sql) in &indexes {
        connection.execute_batch(sql).unwrap();
    }
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
}

/// The least time that the database needs to look through a week of the account's index for a kind that nobody has: what a list does
/// in the worst case. Where that alone is long, a list may take two and a half times as long.
fn scan(server: &Server, account: &str) -> Duration {
    let connection = Connection::open(server.folder.path().join("data/masker.db")).unwrap();
    let now: i64 = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
    let sql =
        "SELECT count(*) FROM sessions WHERE account = ? AND started_at > ? AND instr(kinds, ',VEHICLE,')";
    let run = |_| {
        let start = Instant::now();
        let rows: i64 =
            connection.query_row(sql, params![account, now - 7 * 86_400_000], |row| row.get(0)).unwrap();
        assert_eq!(rows, 0);
        start.elapsed()
    };
    (0..REPEATS).map(run).min().unwrap()
}

async fn timed(server: &Server, token: &str, path: &str) -> (Duration, Value) {
    let start = Instant::now();
    let answer = server.call_as(token, "GET", path, None, &[]).await;
    (start.elapsed(), answer.expect(200))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures: ten million rows, optimised, on a quiet machine"]
async fn pages_of_ten_million_sessions() {
    let count =
        std::env::var("MASKER_TEST_SESSIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(SESSIONS);
    let server = Server::new();
    let me = server.get("/api/v1/me").await.expect(200);
    let mut agents = Vec::new();
    for i in 0..AGENTS {
        agents.push(server.agent(&format!("a{i}"), json!({})).await);
    }
    let start = Instant::now();
    let account = me["account"]["id"].as_str().unwrap();
    fill(&server, account, &agents, count);
    println!("{count} sessions in {} s", start.elapsed().as_secs());
    let agent = &agents[3];
    // The first and a later page of each list; what is told are those whose median is above the target.
    let ask = async |token: &str, lists: &[(Duration, String)]| {
        let mut late = Vec::new();
        for (most, path) in lists {
            let (most, mut path) = (*most, path.clone());
            let shown = path.replace(agent.as_str(), "A");
            for walk in ["first page", "later page"] {
                let mut times = Vec::new();
                let mut page = Value::Null;
                for _ in 0..REPEATS {
                    let (time, answer) = timed(&server, token, &path).await;
                    times.push(time);
                    page = answer;
                }
                let first = times[0];
                times.sort_unstable();
                let median = times[REPEATS / 2];
                let rows = page["data"].as_array().unwrap().len();
                println!("{shown}, {walk}: {rows} rows, first {first:?}, median {median:?}, target {most:?}");
                if times[0] > most {
                    late.push(format!("{shown}, {walk}: {:?}", times[0]));
                }
                let Some(next) = page["next_cursor"].as_str() else { break };
                let bare = path.split('?').next().unwrap();
                path = format!("{bare}?limit=100&cursor={next}");
            }
        }
        late
    };
    let scan = scan(&server, account);
    println!("a week of the index: {scan:?}");
    let (quick, slow) = (Duration::from_millis(20), Duration::from_millis(200).max(scan.mul_f64(2.5)));
    let lists = [
        (quick, format!("/api/v1/agents/{agent}/sessions?limit=100")),
        (quick, format!("/api/v1/agents/{agent}/sessions?limit=100&since=all")),
        (quick, format!("/api/v1/agents/{agent}/sessions?limit=100&since=all&status=error")),
        (quick, format!("/api/v1/agents/{agent}/sessions?limit=100&since=all&status=in_progress")),
        (quick, format!("/api/v1/agents/{agent}/sessions?limit=100&since=all&external_id=call-4503")),
        (slow, format!("/api/v1/agents/{agent}/sessions?limit=100&since=7d&kind=SSN")),
        (slow, format!("/api/v1/agents/{agent}/sessions?limit=100&since=7d&kind=VEHICLE")),
        (slow, format!("/api/v1/agents/{agent}/sessions?limit=100&since=7d&min_redactions=41")),
        (quick, "/api/v1/sessions?limit=100".to_owned()),
        (quick, "/api/v1/sessions?limit=100&since=all".to_owned()),
        (quick, "/api/v1/sessions?limit=100&since=all&status=partial".to_owned()),
        (quick, "/api/v1/sessions?limit=100&since=all&external_id=call-9000".to_owned()),
        (slow, "/api/v1/sessions?limit=100&since=7d&kind=SSN".to_owned()),
        (slow, "/api/v1/sessions?limit=100&since=7d&kind=VEHICLE".to_owned()),
        (slow, "/api/v1/sessions?limit=100&since=7d&min_redactions=41".to_owned()),
    ];
    let mut late = ask(&server.token, &lists).await;
    for path in ["/api/v1/agents".to_owned(), format!("/api/v1/agents/{agent}")] {
        let (time, _) = timed(&server, &server.token, &path).await;
        println!("{}: {time:?}", path.replace(agent.as_str(), "A"));
    }
    // A call that begins asks whether one with its key was cut off.
    let chat = json!({ "messages": [{ "role": "user", "content": "hello" }] });
    let start = Instant::now();
    let headers = [("masker-session-id", "call-new")];
    server
        .call_as("", "POST", &format!("/proxy/{agent}/v1/chat/completions"), Some(chat), &headers)
        .await
        .expect(200);
    println!("first turn of a keyed session: {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_millis(200));
    // Somebody who does not see every agent asks too. To move one with its sessions to another team is one row.
    let (_, token) = server.member("bob", "member", &["sessions:read"]).await;
    let team = server.post("/api/v1/teams", json!({ "name": "t" })).await.expect(201)["team"]["id"].clone();
    for hidden in [1, agents.len() - 1] {
        for id in agents.iter().filter(|id| *id != agent).take(hidden) {
            let start = Instant::now();
            server.patch(&format!("/api/v1/agents/{id}"), json!({ "team_id": team })).await.expect(200);
            // Most of it are the statistics in the answer.
            let time = start.elapsed();
            println!("change of team: {time:?}, target {slow:?}");
            if time > slow {
                late.push(format!("change of team: {time:?}"));
            }
        }
        println!("with {hidden} of {AGENTS} agents hidden");
        let lists = [
            (quick, "/api/v1/sessions?limit=100".to_owned()),
            (quick, "/api/v1/sessions?limit=100&since=all".to_owned()),
            (quick, "/api/v1/sessions?limit=100&since=all&status=partial".to_owned()),
            (slow, "/api/v1/sessions?limit=100&since=7d&kind=SSN".to_owned()),
            (slow, "/api/v1/sessions?limit=100&since=7d&kind=VEHICLE".to_owned()),
        ];
        late.extend(ask(&token, &lists).await);
    }
    assert_eq!(late, Vec::<String>::new());
}
