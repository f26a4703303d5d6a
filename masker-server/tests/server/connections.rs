//! How long a connection is held for a caller who says nothing, too little or little at a time.
//!
//! The clock stands still but where everybody waits for it, so that minutes pass at once.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use masker_server::{Handle, start};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::common::Server;

/// The numbers of the page of limits.
const HEAD_WAIT: Duration = Duration::from_secs(75);
const BODY_TIME: Duration = Duration::from_mins(5);

async fn started() -> (Server, Handle) {
    let server = Server::new();
    let handle = start(server.state.clone()).await.unwrap();
    (server, handle)
}

async fn connect(handle: &Handle) -> TcpStream {
    TcpStream::connect(handle.address).await.unwrap()
}

/// Reads until the server closes; what came, and after how long.
async fn until_closed(connection: &mut TcpStream) -> (String, Duration) {
    let began = Instant::now();
    let mut text = Vec::new();
    timeout(Duration::from_hours(1), connection.read_to_end(&mut text)).await.expect("it is closed").unwrap();
    (String::from_utf8(text).unwrap(), began.elapsed())
}

/// Reads one answer with a length, and leaves the connection open.
async fn answer(connection: &mut TcpStream) -> String {
    let mut text = String::new();
    loop {
        let byte = connection.read_u8().await.unwrap();
        text.push(char::from(byte));
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_ascii_lowercase();
            let length = length.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() == length.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
    }
}

fn about(time: Duration, wanted: Duration) {
    let tolerance = Duration::from_secs(2);
    assert!(time + tolerance >= wanted && time <= wanted + tolerance, "{time:?} is not about {wanted:?}");
}

#[tokio::test(start_paused = true)]
async fn nobody_keeps_a_connection_without_a_request() {
    let (_server, handle) = started().await;
    for begun in ["", "P", "PRI * HTTP/2.0\r\n", "GET /live HTTP/1.1\r\nhost: a\r\nx-more: "] {
        let mut connection = connect(&handle).await;
        connection.write_all(begun.as_bytes()).await.unwrap();
        let (text, time) = until_closed(&mut connection).await;
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 4"), "{begun:?}: {text}");
        // What is no request of this version is not waited for.
        if begun.len() < 10 || begun.starts_with("GET") {
            about(time, HEAD_WAIT);
        }
    }
    handle.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_head_that_comes_byte_by_byte_is_not_waited_for_longer() {
    let (_server, handle) = started().await;
    let (mut reading, mut writing) = connect(&handle).await.into_split();
    writing.write_all(b"GET /live HTTP/1.1\r\nhost: a\r\nx: ").await.unwrap();
    let slowly = async {
        // The other end is closed meanwhile.
        while writing.write_all(b"x").await.is_ok() {
            sleep(Duration::from_secs(5)).await;
        }
    };
    let began = Instant::now();
    let mut text = Vec::new();
    tokio::select! {
        () = slowly => {}
        _ = reading.read_to_end(&mut text) => {}
    }
    about(began.elapsed(), HEAD_WAIT);
    handle.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_kept_for_the_next_request_and_closed_when_none_comes() {
    let (_server, handle) = started().await;
    let mut connection = connect(&handle).await;
    for _ in 0..3 {
        connection.write_all(b"GET /live HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        assert!(answer(&mut connection).await.ends_with("{\"live\":true}"));
        sleep(Duration::from_secs(70)).await;
    }
    let (text, time) = until_closed(&mut connection).await;
    assert_eq!(text, "");
    about(time, Duration::from_secs(5));
    // One that is idle does not hold up the end.
    let mut idle = connect(&handle).await;
    idle.write_all(b"GET /live HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    answer(&mut idle).await;
    let began = Instant::now();
    handle.stop().await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(until_closed(&mut idle).await.0, "");
}

#[tokio::test(start_paused = true)]
async fn a_body_may_be_slow_and_an_answer_long() {
    let (server, handle) = started().await;
    let agent = server.agent("a", json!({})).await;
    let body = json!({ "messages": [{ "role": "user", "content": "call 415-555-0142, please, as soon as you can" }] });
    let (mut body, pieces) = (body, 10);
    for stream in [false, true] {
        body["stream"] = json!(stream);
        let text = body.to_string();
        let head = format!(
            "POST /proxy/{agent}/v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
             masker-stub: chunk_bytes=4,chunk_delay_ms=25000\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            text.len()
        );
        let mut connection = connect(&handle).await;
        connection.write_all(head.as_bytes()).await.unwrap();
        let began = Instant::now();
        for piece in text.as_bytes().chunks(text.len().div_ceil(pieces)) {
            sleep(Duration::from_secs(25)).await;
            connection.write_all(piece).await.unwrap();
        }
        let (answer, time) = until_closed(&mut connection).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(began.elapsed() > HEAD_WAIT * 3);
        if stream {
            assert!(time > HEAD_WAIT * 3 && answer.contains("data: [DONE]"), "{time:?}: {answer}");
        } else {
            assert!(answer.contains("415-555-0142"), "{answer}");
        }
    }
    handle.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_trickles_in_is_not_waited_for_longer() {
    let (server, handle) = started().await;
    let agent = server.agent("a", json!({})).await;
    for path in [format!("/proxy/{agent}/v1/chat/completions"), "/api/v1/auth/local".to_owned()] {
        let (mut reading, mut writing) = connect(&handle).await.into_split();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n"
        );
        writing.write_all(head.as_bytes()).await.unwrap();
        let slowly = async {
            // The other end is closed meanwhile.
            while writing.write_all(b" ").await.is_ok() {
                sleep(Duration::from_secs(20)).await;
            }
        };
        let began = Instant::now();
        let mut text = Vec::new();
        // Of what comes too late the end is a reset.
        let reading = async { while reading.read_buf(&mut text).await.is_ok_and(|count| count > 0) {} };
        tokio::select! {
            () = slowly => panic!("the answer comes first"),
            () = reading => {}
        }
        about(began.elapsed(), BODY_TIME);
        let text = String::from_utf8(text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 422"), "{head}");
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["error"]["details"][0]["issue"], "invalid_json", "{body}");
    }
    handle.stop().await;
}

/// What is no request of HTTP never comes to a route: the library that reads it refuses it, as the page on the server says.
#[tokio::test(start_paused = true)]
async fn what_is_no_request_is_refused_without_a_body() {
    let (_server, handle) = started().await;
    let of_headers = |count| format!("GET /live HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(count));
    let of_bytes = |count| format!("GET /live HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(count));
    let of_path = |count| format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "y".repeat(count));
    for (request, status) in [
        (of_headers(100), "200 OK"),
        (of_bytes(400_000), "200 OK"),
        (of_path(65_533), "404 Not Found"),
        ("GET /live\r\n\r\n".to_owned(), "400 Bad Request"),
        ("GET /live HTTP/1.1\r\nno header\r\n\r\n".to_owned(), "400 Bad Request"),
        ("GET /live HTTP/1.1\r\ncontent-length: many\r\n\r\n".to_owned(), "400 Bad Request"),
        (of_path(65_534), "414 URI Too Long"),
        (of_headers(101), "431 Request Header Fields Too Large"),
        (of_bytes(1_000_000), "431 Request Header Fields Too Large"),
    ] {
        let mut connection = connect(&handle).await;
        // The end of what is too long may come after the answer.
        let _ = connection.write_all(request.as_bytes()).await;
        let is_answered = status.starts_with("200") || status.starts_with("404");
        let mut text = Vec::new();
        if is_answered {
            text = answer(&mut connection).await.into_bytes();
        } else {
            while connection.read_buf(&mut text).await.is_ok_and(|count| count > 0) {}
        }
        let text = String::from_utf8(text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{status}: {text}"));
        assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{status}: {head}");
        assert_eq!(head.contains("x-request-id: req_"), is_answered, "{head}");
        assert_eq!(body.is_empty(), !is_answered, "{status}: {body}");
    }
    handle.stop().await;
}
