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
