//! Mixed load for as long as asked: no error, and memory that stays flat behind the warm-up. `cargo xtask soak` runs these beside
//! the same for Python and Node; alone: `MASKER_SOAK_SECONDS=60 cargo test --release -p masker-cli --test soak -- --ignored`.
//! One at a time, since the second measures this very process.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking and says what it did"
)]
#![cfg(all(target_os = "linux", feature = "server"))]

mod server;

use std::io::Read as _;
use std::ops::AddAssign;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use masker_core::payload::{SseDecoder, SseEvent};
use masker_core::{Conversation, JsonRules, Masker, Policy, Role};
use serde_json::{Value, json};
use server::{Client, Server, bootstrap, resident_kib};

const WORKERS: usize = 4;
/// Growth of memory that is none, in KiB: the pages of a cache that fills late, and arenas that settle.
const NOISE_KIB: usize = 8 << 10;

fn seconds() -> u64 {
    std::env::var("MASKER_SOAK_SECONDS").map_or(30, |text| text.parse().unwrap())
}

/// Memory in use when the load was warm, and at the end. Single samples swing with what is in flight, so each is the least of
/// a third of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Memory {
    warm_kib: usize,
    end_kib: usize,
}

impl Memory {
    fn of(samples: &[usize]) -> Self {
        let third = samples.len().div_ceil(3);
        let least = |part: &[usize]| *part.iter().min().unwrap();
        Self { warm_kib: least(&samples[..third]), end_kib: least(&samples[samples.len() - third..]) }
    }

    fn is_flat(self) -> bool {
        self.end_kib <= self.warm_kib + NOISE_KIB
    }
}

/// What was done.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    rounds: usize,
    calls: usize,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.rounds += other.rounds;
        self.calls += other.calls;
    }
}

/// Repeats `round` in every worker until the time is over, and fails on growth; `round` gives how many calls it made.
fn soak(name: &str, resident: impl Fn() -> usize, round: impl Fn(usize, usize) -> usize + Sync) {
    let whole = Duration::from_secs(seconds());
    let (start, is_over) = (Instant::now(), AtomicBool::new(false));
    let mut samples = Vec::new();
    let mut counts = Counts::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let (round, is_over) = (&round, &is_over);
                scope.spawn(move || {
                    let mut counts = Counts::default();
                    while !is_over.load(Ordering::Relaxed) {
                        counts += Counts { rounds: 1, calls: round(worker, counts.rounds) };
                    }
                    counts
                })
            })
            .collect();
        while start.elapsed() < whole && workers.iter().all(|worker| !worker.is_finished()) {
            std::thread::sleep((whole / 100).max(Duration::from_millis(50)));
            // Caches and the allocator fill up before they are steady.
            if start.elapsed() > whole * 2 / 5 {
                samples.push(resident());
            }
        }
        is_over.store(true, Ordering::Relaxed);
        for worker in workers {
            counts += worker.join().expect("a worker met no error");
        }
    });
    let memory = Memory::of(&samples);
    println!(
        "{name}: seconds {}, rounds {}, calls {}, warm_mb {:.1}, end_mb {:.1}",
        start.elapsed().as_secs(),
        counts.rounds,
        counts.calls,
        memory.warm_kib as f64 / 1024.0,
        memory.end_kib as f64 / 1024.0
    );
    assert!(memory.is_flat(), "memory grows: {memory:?}");
}

/// The life of an agent: two calls of several turns, whole, streamed and broken off, then texts of its own, then its deletion.
fn life_of_an_agent(client: &Client, worker: usize, round: usize) -> usize {
    let mut calls = 0;
    let mut call = |method: &str, path: &str, body: &Value, expected: u16| {
        calls += 1;
        let (status, session, answer) = client.call(method, path, body).expect("the server answers");
        assert_eq!(status, expected, "{method} {path}: {answer}");
        (session, answer)
    };
    let made = json!({ "name": format!("soak {worker} {round}"), "upstream": "stub" });
    let (_, made) = call("POST", "/api/v1/agents", &made, 201);
    let agent = made["agent"]["id"].as_str().unwrap();
    let number = format!("415-555-01{:02}", round % 100);
    let said = format!("this is Ann Reed, call {number} or write to ann{worker}x{round}@example.com");
    let chat = |stream: bool| json!({ "stream": stream, "messages": [{ "role": "user", "content": said }] });
    let path = format!("/proxy/{agent}/s/call{round}/v1/chat/completions");
    let mut session = String::new();
    for _ in 0..2 {
        let answer;
        (session, answer) = call("POST", &path, &chat(false), 200);
        assert_eq!(answer["choices"][0]["message"]["content"], format!("Echo: {said}"));
    }
    let streamed = client.send("POST", &path, &chat(true)).expect("the server answers").text().unwrap();
    assert_eq!(words_of(&streamed), format!("Echo: {said}"));
    // Callers hang up.
    let mut broken = client.send("POST", &path, &chat(true)).expect("the server answers");
    broken.read_exact(&mut [0; 16]).unwrap();
    drop(broken);
    let (_, shown) = call("GET", &format!("/api/v1/sessions/{session}"), &Value::Null, 200);
    assert_eq!(shown["session"]["agent_id"], agent);
    // The others end with their agent.
    if round % 4 < 2 {
        call("POST", &format!("/api/v1/sessions/{session}/end"), &Value::Null, 200);
    }
    let once = format!("/proxy/{agent}/v1/chat/completions");
    call("POST", &once, &chat(false), 200);
    call("POST", &once, &json!({ "messages": [] }), 422);

    let (_, found) = call("POST", "/api/v1/detect", &json!({ "text": said }), 200);
    let (_, masked) = call("POST", "/api/v1/mask", &json!({ "text": said }), 200);
    let text = masked["masked"].as_str().unwrap();
    assert!(!text.contains("Reed") && !text.contains(&number) && !text.contains("@example"));
    assert_eq!(found["events"].as_array().unwrap().len(), masked["events"].as_array().unwrap().len());
    let (_, restored) = call("POST", "/api/v1/rehydrate", &json!({ "text": text }), 200);
    assert_eq!(restored["text"], said);
    call("POST", "/api/v1/synthesize", &json!({ "text": said, "seed": round }), 200);
    call("GET", &format!("/api/v1/agents/{agent}/sessions"), &Value::Null, 200);

    let home = format!("/api/v1/agents/{agent}");
    match round % 4 {
        0 => {
            call("DELETE", &format!("{home}?mode=soft"), &Value::Null, 204);
            call("POST", &format!("{home}/restore"), &Value::Null, 200);
            call("DELETE", &format!("{home}?mode=hard"), &Value::Null, 204);
        }
        1 => {
            call("POST", &format!("{home}/end"), &Value::Null, 200);
            call("DELETE", &format!("{home}?profile=kakiyo"), &Value::Null, 200);
        }
        2 => {
            call("DELETE", &format!("{home}?profile=ayra&on_active=terminate"), &Value::Null, 204);
        }
        _ => {
            call("DELETE", &home, &Value::Null, 204);
        }
    }
    call("POST", &once, &chat(false), 404);
    calls + 2
}

/// What the first choice of a stream says.
fn words_of(stream: &str) -> String {
    let events = SseDecoder::new().push(stream.as_bytes()).unwrap();
    let mut data: Vec<String> = events.into_iter().filter_map(|event: SseEvent| event.data).collect();
    assert_eq!(data.pop().as_deref(), Some("[DONE]"), "{stream}");
    let words = |data: &String| -> Option<String> {
        let chunk: Value = serde_json::from_str(data).unwrap();
        Some(chunk.pointer("/choices/0/delta/content")?.as_str()?.to_owned())
    };
    data.iter().filter_map(words).collect()
}

#[test]
#[ignore = "runs for as long as asked: `cargo xtask soak`"]
fn the_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let token = bootstrap(folder.path());
    let client = Client::new(&server.base, &token);
    soak("server", || server.resident_kib(), |worker, round| life_of_an_agent(&client, worker, round));
    let (_, _, verified) = client.call("POST", "/api/v1/audit/verify", &Value::Null).unwrap();
    assert_eq!(verified["ok"], true, "{verified}");
}

/// Everything that one masker is asked for, over values that come back: those that it has seen stay in its vault.
fn turn_of_a_masker(masker: &Masker, worker: usize, round: usize) -> usize {
    let text = format!(
        "Hi, this is Sarah Chen \u{1f600}, call me at 415-555-01{:02} or write to person{}@example.com",
        round % 100,
        (worker + round) % 64
    );
    let masked = masker.mask(&text).unwrap();
    assert!(!masked.text.contains("Chen") && !masked.text.contains("@example"));
    assert_eq!(masker.rehydrate(&masked.text).unwrap().text, text);
    assert_eq!(masker.detect(&text).unwrap().len(), masked.events.len());
    if !round.is_multiple_of(16) {
        return 3;
    }
    let texts = vec![text.as_str(); 40];
    let batch = masker.mask_batch(&texts).unwrap();
    let batch: Vec<String> = batch.into_iter().map(|masked| masked.text).collect();
    assert!(masker.rehydrate_batch(&batch).unwrap().iter().all(|restored| restored.text == text));
    let document = json!({ "visit": { "note": text, "left": 3 } }).to_string();
    let masked = masker.mask_json(&document, &JsonRules::everything()).unwrap();
    assert_eq!(masker.rehydrate_json(&masked.json).unwrap().json, document);
    assert!(masker.mask_json("{", &JsonRules::everything()).is_err());

    let conversation = masker.conversation(&format!("call {}", round % 64));
    let chat = json!([{ "role": "user", "content": text }]).to_string();
    let masked = conversation.mask_chat(&chat).unwrap();
    assert_eq!(conversation.rehydrate_chat(&masked.json).unwrap().json, chat);
    let mut stream = conversation.stream_masker(Role::User);
    let mut said = String::new();
    for character in text.chars() {
        said += &stream.push(character.encode_utf8(&mut [0; 4])).unwrap();
    }
    said += &stream.finish().unwrap().text;
    let resumed = Conversation::from_bytes(masker, &conversation.to_bytes().unwrap()).unwrap();
    let mut stream = resumed.stream_rehydrator();
    let mut heard = String::new();
    for character in said.chars() {
        heard += &stream.push(character.encode_utf8(&mut [0; 4])).unwrap();
    }
    heard += &stream.flush().unwrap().0;
    assert_eq!(heard, text);
    assert!(Policy::from_yaml("name: x").is_err());
    13
}

#[test]
#[ignore = "runs for as long as asked: `cargo xtask soak`"]
fn one_masker() {
    let policy = Policy::healthcare_default().with_surface(masker_core::policy::Surface::Alias);
    let masker = Masker::builder().policy(policy).build().unwrap();
    soak(
        "rust",
        || resident_kib(std::process::id()),
        |worker, round| turn_of_a_masker(&masker, worker, round),
    );
}

#[test]
fn growth_is_seen_and_a_swing_is_not() {
    let mb = |sizes: &[usize]| Memory::of(&sizes.iter().map(|size| size << 10).collect::<Vec<_>>());
    assert!(mb(&[40, 60, 41, 40, 70, 42]).is_flat());
    assert!(!mb(&[40, 44, 48, 52, 56, 60]).is_flat());
    assert_eq!(mb(&[40]), Memory { warm_kib: 40 << 10, end_kib: 40 << 10 });
}
