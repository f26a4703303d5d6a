//! The program as a server in a folder of its own.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "every test file uses a part of it, and fails by panicking"
)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The program in a folder, as a development server sees it.
pub fn masker(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_masker"));
    command
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("MASKER_DEV", "1")
        .env("MASKER_LISTEN_ADDR", "127.0.0.1:0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub struct Server {
    pub child: Child,
    /// Where it listens.
    pub address: String,
    pub base: String,
    pub ready_after: Duration,
}

impl Server {
    pub fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[])
    }

    pub fn start_with(folder: &Path, vars: &[(&str, &str)]) -> Self {
        let started = Instant::now();
        let mut command = masker(folder, &["serve"]);
        let mut child = command.envs(vars.iter().copied()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().expect("the server says where it listens").unwrap();
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["message"] == "listening" {
                break line["address"].as_str().unwrap().to_owned();
            }
        };
        let ready_after = started.elapsed();
        // The log is read to its end, or the server would wait for its reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, base: format!("http://{address}"), address, ready_after }
    }

    /// Memory of the server that is in use, in KiB.
    pub fn resident_kib(&self) -> usize {
        resident_kib(self.child.id())
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Calls a server as a program with an API token does.
#[derive(Clone)]
pub struct Client {
    http: reqwest::blocking::Client,
    base: String,
    token: String,
}

impl Client {
    pub fn new(base: &str, token: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::blocking::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        Self { http, base: base.to_owned(), token: token.to_owned() }
    }

    /// An answer as it comes; nothing where there was none.
    pub fn send(&self, method: &str, path: &str, body: &Value) -> Option<reqwest::blocking::Response> {
        let method = method.parse().unwrap();
        let request = self.http.request(method, format!("{}{path}", self.base));
        let request = request.header("content-type", "application/json").bearer_auth(&self.token);
        if body.is_null() { request } else { request.body(body.to_string()) }.send().ok()
    }

    /// Status, id of the session and body of an answer; nothing where there was none.
    pub fn call(&self, method: &str, path: &str, body: &Value) -> Option<(u16, String, Value)> {
        let response = self.send(method, path, body)?;
        let status = response.status().as_u16();
        let header = response.headers().get("masker-session-id");
        let session = header.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        let text = response.text().ok()?;
        Some((status, session, serde_json::from_str(&text).unwrap_or_default()))
    }
}

/// Memory of a process that is in use, in KiB, as Linux says it.
pub fn resident_kib(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Makes the first owner; gives an API token with every scope.
pub fn bootstrap(folder: &Path) -> String {
    let output = masker(folder, &["admin", "bootstrap", "--token"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().last().unwrap().to_owned()
}

/// Runs a command to its end; it must succeed.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{out}\n{err}");
    out.into_owned()
}

/// A folder below the target folder where packages stay from run to run.
pub fn packages(name: &str) -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The interpreter of a virtual environment with the packages of a file in it.
pub fn python(name: &str, requirements: &str) -> std::path::PathBuf {
    let folder = packages(name);
    let interpreter = folder.join("bin/python");
    if !interpreter.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
    }
    let pip =
        ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", requirements];
    run(Command::new(&interpreter).args(pip));
    interpreter
}
