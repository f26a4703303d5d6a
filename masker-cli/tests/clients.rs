//! The official clients of OpenAI against the proxy, with nothing but their base URL changed. They are installed from their
//! registries below the target folder: `cargo test -p masker-cli --test clients -- --ignored`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(all(unix, feature = "server"))]

mod server;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use server::{Server, bootstrap, masker, packages, python, run};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");
const ORIGINALS: [&str; 5] = ["Ann", "Reed", "415-555", "55-0142", "ann.reed"];

/// An upstream that writes down what it is sent and answers as a model would that repeats.
fn upstream() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let record = seen.clone();
    std::thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let record = record.clone();
            std::thread::spawn(move || serve(connection, &record));
        }
    });
    (format!("http://{address}"), seen)
}

fn serve(mut connection: TcpStream, record: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            record.lock().unwrap().push(line.clone());
            if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = text.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let body = String::from_utf8(body).unwrap();
        let request: Value = serde_json::from_str(&body).unwrap();
        record.lock().unwrap().push(body);
        let (media, text) = answer(&request);
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: {media}\r\ncontent-length: {}\r\n\r\n", text.len());
        // In small pieces, so that tokens are split wherever they may be.
        let bytes = [head.as_bytes(), text.as_bytes()].concat();
        for piece in bytes.chunks(97) {
            if connection.write_all(piece).is_err() {
                return;
            }
        }
    }
}

fn answer(request: &Value) -> (&'static str, String) {
    let said = request["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap();
    let usage = json!({ "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2 });
    let is_tool = request["tools"].is_array();
    let arguments = json!({ "text": said }).to_string();
    let call = |arguments: &str| json!({ "index": 0, "id": "call_1", "type": "function", "function": { "name": request["tools"][0]["function"]["name"], "arguments": arguments } });
    let finish = if is_tool { "tool_calls" } else { "stop" };
    if request["stream"] != true {
        let message = if is_tool {
            json!({ "role": "assistant", "content": null, "tool_calls": [call(&arguments)] })
        } else {
            json!({ "role": "assistant", "content": format!("Echo: {said}") })
        };
        let body = json!({ "id": "c1", "object": "chat.completion", "created": 1, "model": "m", "usage": usage,
            "choices": [{ "index": 0, "message": message, "finish_reason": finish }] });
        return ("application/json", body.to_string());
    }
    let frame = |choices: Value, usage: Value| {
        let chunk = json!({ "id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, "usage": usage });
        format!("data: {chunk}\n\n")
    };
    let delta = |delta: Value, finish: Value| {
        frame(json!([{ "index": 0, "delta": delta, "finish_reason": finish }]), Value::Null)
    };
    let mut text = delta(
        json!({ "role": "assistant", "content": if is_tool { Value::Null } else { "".into() } }),
        Value::Null,
    );
    let words = if is_tool { arguments } else { format!("Echo: {said}") };
    if is_tool {
        text += &delta(json!({ "tool_calls": [call("")] }), Value::Null);
    }
    for letter in words.chars() {
        let piece = if is_tool {
            json!({ "tool_calls": [{ "index": 0, "function": { "arguments": letter.to_string() } }] })
        } else {
            json!({ "content": letter.to_string() })
        };
        text += &delta(piece, Value::Null);
    }
    text += &delta(json!({}), finish.into());
    if request["stream_options"]["include_usage"] == true {
        text += &frame(json!([]), usage);
    }
    ("text/event-stream", text + "data: [DONE]\n\n")
}

#[test]
#[ignore = "installs packages from their registries"]
fn official_clients_need_nothing_but_the_base_url() {
    let folder = tempfile::tempdir().unwrap();
    let (url, seen) = upstream();
    let token = bootstrap(folder.path());
    let server = Server::start_with(folder.path(), &[("MASKER_OPENAI_BASE_URL", &url)]);
    let agent = |name: &str, upstream: &str| {
        let args = ["agents", "create", "--name", name, "--upstream", upstream];
        let mut command = masker(folder.path(), &args);
        let made = run(command.env("MASKER_TOKEN", &token).env("MASKER_SERVER", &server.base));
        let made: Value = serde_json::from_str(&made).unwrap();
        format!("{}/proxy/{}/v1", server.base, made["id"].as_str().unwrap())
    };
    let (stub, real) = (agent("stub", "stub"), agent("real", "openai:gpt-4o-mini"));

    let interpreter = python("clients", &format!("{SOURCES}/requirements.txt"));
    run(Command::new(interpreter)
        .arg(format!("{SOURCES}/chat.py"))
        .env("STUB", &stub)
        .env("UPSTREAM", &real));

    let node = packages("node");
    for name in ["package.json", "package-lock.json"] {
        std::fs::copy(format!("{SOURCES}/{name}"), node.join(name)).unwrap();
    }
    run(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&node));
    let script = format!("{SOURCES}/chat.mjs");
    run(Command::new("node").arg(script).env("PACKAGES", &node).env("STUB", &stub).env("UPSTREAM", &real));

    let seen = seen.lock().unwrap();
    assert!(seen.iter().filter(|text| text.starts_with('{')).count() >= 13, "{}", seen.len());
    for text in seen.iter() {
        for original in ORIGINALS {
            assert!(!text.contains(original), "{original}: {text}");
        }
    }
    assert!(
        seen.iter().any(|line| line.eq_ignore_ascii_case("authorization: Bearer sk-client\r\n")),
        "the caller's key goes on"
    );
}
