//! What the proxy adds to a request, and what an open stream costs. Figures mean something only optimised and on a quiet
//! machine, so these run with the long tests: `cargo test --release -p masker-cli --test load -- --ignored --nocapture`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(all(target_os = "linux", feature = "server"))]

mod server;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use masker_core::{KeyRing, Kid, Masker};
use serde_json::{Value, json};
use server::{Server, bootstrap};

/// Requests a second, and for how long.
const RATE: u32 = 200;
const SECONDS: u32 = 20;
/// Connections that share the load; more than ever wait at one time.
const CONNECTIONS: u32 = 8;
const STREAMS: usize = 1_000;

/// A server with an agent over the stub.
struct Target {
    server: Server,
    agent: String,
}

impl Target {
    fn start(folder: &Path) -> Self {
        let token = bootstrap(folder);
        let server = Server::start(folder);
        let body = json!({ "name": "a", "upstream": "stub" }).to_string();
        let mut connection = TcpStream::connect(&server.address).unwrap();
        let head = format!("authorization: Bearer {token}\r\n");
        let (_, answer) = exchange(&mut connection, "/api/v1/agents", &head, &body);
        let made: Value = serde_json::from_str(&answer).unwrap();
        Self { server, agent: made["agent"]["id"].as_str().unwrap().to_owned() }
    }

    fn chat_path(&self) -> String {
        format!("/proxy/{}/v1/chat/completions", self.agent)
    }
}

/// What a server has used so far. Unlike times these hardly depend on what else the machine does.
#[derive(Clone, Copy)]
struct Used {
    cpu: Duration,
    switches: u64,
}

impl Used {
    fn by(server: &Server) -> Self {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", server.child.id())).unwrap();
        let (mut nanos, mut switches) = (0, 0);
        for task in tasks {
            let task = task.unwrap().path();
            // A thread may end meanwhile.
            let read = |file: &str| std::fs::read_to_string(task.join(file)).unwrap_or_default();
            nanos += read("schedstat").split(' ').next().unwrap().parse::<u64>().unwrap_or(0);
            let status = read("status");
            let counts = status.lines().filter(|line| line.contains("ctxt_switches"));
            switches +=
                counts.map(|line| line.split_once('\t').unwrap().1.parse::<u64>().unwrap()).sum::<u64>();
        }
        Self { cpu: Duration::from_nanos(nanos), switches }
    }

    fn each(self, before: Self, requests: u32) -> String {
        let (cpu, switches) = (self.cpu.saturating_sub(before.cpu), self.switches - before.switches);
        format!(
            "{:?} of CPU and {:.1} switches of threads each",
            cpu / requests,
            switches as f64 / f64::from(requests)
        )
    }
}

fn request(path: &str, head: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{head}content-length: {length}\r\n\r\n{body}"
    )
}

/// One request and its answer on a connection that stays open; a body in pieces is read to its end.
fn exchange(connection: &mut TcpStream, path: &str, head: &str, body: &str) -> (u16, String) {
    connection.write_all(request(path, head, body).as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 1 << 14];
    loop {
        let read = connection.read(&mut buffer).unwrap();
        assert!(read > 0, "the server hung up");
        answer.extend_from_slice(&buffer[..read]);
        let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        let is_whole = match length {
            Some(length) => answer.len() >= end + 4 + length,
            None => answer.ends_with(b"0\r\n\r\n"),
        };
        if is_whole {
            let status = head[9..12].parse().unwrap();
            return (status, String::from_utf8_lossy(&answer[end + 4..]).into_owned());
        }
    }
}

/// A chat of about two kilobytes, as a voice platform sends it, with values that no other request has.
fn chat(i: u32, stream: bool) -> String {
    let (a, b) = (i / 100 % 100, i % 100);
    let said = format!(
        "yeah hi this is Ann Reed calling about my refill, my number is 415-555-01{b:02} and you can also mail me at \
         ann{i}@example.com, date of birth march third nineteen eighty two, member number X{a:02}{b:02}7731"
    );
    let system = "You are the assistant of a clinic. Be short and kind. Ask for name and date of birth first, then for the \
        reason of the call. Never give medical advice. If the caller is in danger, tell them to hang up and call the \
        emergency number. When you have what you need, call the tool that books a visit or that sends a refill. Repeat \
        numbers slowly. Do not promise a time. If you do not understand, ask again in other words, at most twice, and then \
        offer a call back by a person. Speak English unless the caller speaks another language.";
    let mut messages = vec![json!({ "role": "system", "content": system })];
    for turn in 0..4 {
        messages.push(json!({ "role": "assistant", "content": "Thank you. And what is the medicine that you need, and how much of it is left?" }));
        messages.push(json!({ "role": "user", "content": format!("it is the blood pressure one, lisinopril ten milligrams, I have maybe {turn} left") }));
    }
    messages.push(json!({ "role": "user", "content": said }));
    json!({ "model": "gpt-4o-mini", "stream": stream, "messages": messages }).to_string()
}

fn percentile(times: &[Duration], share: f64) -> Duration {
    times[((times.len() as f64 * share).ceil() as usize).clamp(1, times.len()) - 1]
}

/// Sends at a steady rate whatever comes back. A time counts from when the request was due where its connection was still busy
/// then, and else from when it was sent: how late a sleeping thread wakes up is not the server's doing.
fn load(target: &Target, stream: bool) -> Vec<Duration> {
    let start = Instant::now() + Duration::from_millis(100);
    let workers: Vec<_> = (0..CONNECTIONS)
        .map(|worker| {
            let (address, path) = (target.server.address.clone(), target.chat_path());
            std::thread::spawn(move || {
                let mut connection = TcpStream::connect(address).unwrap();
                connection.set_nodelay(true).unwrap();
                let mut times = Vec::new();
                let mut free = start;
                for i in (worker..RATE * SECONDS).step_by(CONNECTIONS as usize) {
                    let due = start + Duration::from_secs(1) * i / RATE;
                    let body = chat(i, stream);
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    let since = if free > due { due } else { Instant::now() };
                    let (status, answer) = exchange(&mut connection, &path, "", &body);
                    free = Instant::now();
                    times.push(free - since);
                    assert!(status == 200 && answer.contains("Ann Reed") || stream, "{status} {answer}");
                }
                times
            })
        })
        .collect();
    let mut times: Vec<Duration> = workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect();
    times.sort_unstable();
    times
}

/// Each request as soon as the one before is answered.
fn one_by_one(target: &Target) -> Vec<Duration> {
    let (mut connection, path) = (TcpStream::connect(&target.server.address).unwrap(), target.chat_path());
    connection.set_nodelay(true).unwrap();
    let ask = |i| {
        let body = chat(i, false);
        let started = Instant::now();
        exchange(&mut connection, &path, "", &body);
        started.elapsed()
    };
    let mut times: Vec<Duration> = (0..2_000).map(ask).collect();
    times.sort_unstable();
    times
}

/// How many times longer than 50 µs, the budget of 2 KB, the core takes for one body after another: where that is more than once,
/// the proxy may take as much longer too.
fn slowness_of_machine() -> f64 {
    const ROUNDS: u32 = 500;
    let kid: Kid = "K_HEALTHCARE".parse().unwrap();
    let keys = KeyRing::builder().key(&kid, [7; 32]).build().unwrap();
    let masker = Masker::builder().keys(keys).build().unwrap();
    let texts: Vec<String> = (0..ROUNDS).map(|i| chat(i, false)).collect();
    masker.mask(&texts[0]).unwrap();
    let time = |text: &String| {
        let started = Instant::now();
        masker.mask(text).unwrap();
        started.elapsed()
    };
    let mut times: Vec<Duration> = texts.iter().map(time).collect();
    times.sort_unstable();
    percentile(&times, 0.5).as_secs_f64() / 50e-6
}

#[test]
#[ignore = "measures: optimised, on a quiet machine"]
fn what_the_proxy_adds() {
    /// What else the machine does only adds, so the best of these counts.
    const TRIES: usize = 3;
    let folder = tempfile::tempdir().unwrap();
    let target = Target::start(folder.path());
    println!("body of {} bytes, {RATE} requests a second for {SECONDS} s", chat(0, false).len());
    let before = Used::by(&target.server);
    let times = one_by_one(&target);
    let used = Used::by(&target.server).each(before, times.len() as u32);
    println!("one by one: median {:?}; {used}", percentile(&times, 0.5));
    let measure = |name, stream| {
        let before = Used::by(&target.server);
        let times = load(&target, stream);
        let used = Used::by(&target.server).each(before, RATE * SECONDS);
        let (median, high, most) =
            (percentile(&times, 0.5), percentile(&times, 0.99), times[times.len() - 1]);
        println!("{name}: median {median:?}, 99th percentile {high:?}, most {most:?}; {used}");
        (median, high)
    };
    measure("warm-up", false);
    let fast_enough = (0..TRIES).any(|_| {
        let slower = slowness_of_machine().max(1.0);
        let (most_median, most_high) =
            (Duration::from_millis(1).mul_f64(slower), Duration::from_millis(5).mul_f64(slower));
        println!("limits: median {most_median:?}, 99th percentile {most_high:?}");
        let (median, high) = measure("whole", false);
        median < most_median && high < most_high
    });
    measure("streamed", true);
    assert!(fast_enough, "{TRIES} times slower than the limits above");
}

#[test]
#[ignore = "measures: optimised, on a quiet machine"]
fn what_an_idle_stream_costs() {
    let folder = tempfile::tempdir().unwrap();
    let target = Target::start(folder.path());
    let bare = target.server.resident_kib();
    for i in 0..20 {
        let mut connection = TcpStream::connect(&target.server.address).unwrap();
        exchange(&mut connection, &target.chat_path(), "", &chat(i, false));
    }
    let before = target.server.resident_kib();
    let mut streams = Vec::new();
    for i in 0..STREAMS {
        let mut connection = TcpStream::connect(&target.server.address).unwrap();
        let head = "masker-stub: chunk_bytes=64,chunk_delay_ms=20000\r\n";
        connection.write_all(request(&target.chat_path(), head, &chat(i as u32, true)).as_bytes()).unwrap();
        // Its head is there, so the stream is open; from here on nothing is said.
        let mut first = [0; 512];
        assert!(connection.read(&mut first).unwrap() > 0);
        assert!(first.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&first));
        streams.push(connection);
    }
    std::thread::sleep(Duration::from_secs(1));
    let after = target.server.resident_kib();
    println!(
        "resident: {bare} KiB started, {before} KiB after 20 requests, {after} KiB with {STREAMS} idle streams: {} bytes a stream",
        (after.saturating_sub(before)) * 1024 / STREAMS
    );
    assert!(after < 100 * 1000, "{after} KiB");
    drop(streams);
}
