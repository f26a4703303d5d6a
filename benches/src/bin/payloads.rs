//! Writes payloads for other programs to read.
//!
//! `payloads set` prints every payload as a line of JSON: name, findings, texts. `payloads lines <bytes>` prints records of
//! `masker detect --format jsonl` with prose of about 1 KB each.

use std::io::{BufWriter, Write};

use masker_benches::{PROSE, TEXTS};
use serde_json::json;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut out = BufWriter::new(std::io::stdout().lock());
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["set"] => {
            for payload in TEXTS {
                let line = json!({
                    "name": payload.name,
                    "findings": payload.findings,
                    "texts": payload.pieces(),
                });
                writeln!(out, "{line}")?;
            }
        }
        ["lines", bytes] => {
            let mut left: usize = bytes.parse()?;
            for piece in PROSE.pieces().iter().cycle() {
                if left == 0 {
                    break;
                }
                let line = json!({ "text": piece }).to_string();
                writeln!(out, "{line}")?;
                left = left.saturating_sub(line.len() + 1);
            }
        }
        _ => return Err("usage: payloads <set | lines BYTES>".into()),
    }
    Ok(out.flush()?)
}
