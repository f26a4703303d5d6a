//! Times masker and the Rust crates beside it over the payloads, in one process and in turns.
//!
//! `masker-peers PAYLOADS SECONDS` prints lines of name, version, payload, call, findings and seconds for the whole payload,
//! tab-separated; the time of a call is the median of as many passes as fit into SECONDS.

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use serde_json::Value;

/// Text in, number of findings or length of the result out.
type Call = Box<dyn Fn(&str) -> usize>;

struct Peer {
    name: &'static str,
    package: &'static str,
    detect: Call,
    redact: Call,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, payloads, seconds] = arguments.as_slice() else {
        return Err("usage: masker-peers PAYLOADS SECONDS".into());
    };
    let seconds: f64 = seconds.parse()?;
    let peers = [masker()?, datafog_core(), redact_core()];
    for line in std::fs::read_to_string(payloads)?.lines() {
        let payload: Value = serde_json::from_str(line)?;
        let texts: Vec<&str> =
            payload["texts"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for peer in &peers {
            let findings: usize = texts.iter().map(|text| (peer.detect)(text)).sum();
            for (call, work) in [("detect", &peer.detect), ("mask", &peer.redact)] {
                let time = median_pass(&texts, work, seconds);
                let name = payload["name"].as_str().unwrap_or_default();
                let version = version_of(peer.package).unwrap_or("?");
                println!("{}\t{version}\t{name}\t{call}\t{findings}\t{time:e}", peer.name);
            }
        }
    }
    Ok(())
}

fn masker() -> Result<Peer, masker_core::Error> {
    let masker = masker_core::Masker::new()?;
    let other = masker.clone();
    Ok(Peer {
        name: "masker (Rust)",
        package: "masker-core",
        detect: Box::new(move |text| masker.detect(text).map_or(0, |findings| findings.len())),
        redact: Box::new(move |text| other.mask(text).map_or(0, |masked| masked.text.len())),
    })
}

fn datafog_core() -> Peer {
    use datafog_core::{ScanAndTransformConfig, TransformationConfig, TransformationStrategy};
    let config = ScanAndTransformConfig::new(TransformationConfig::new(TransformationStrategy::Redact));
    Peer {
        name: "datafog-core",
        package: "datafog-core",
        detect: Box::new(|text| datafog_core::scan(text).len()),
        redact: Box::new(move |text| {
            datafog_core::scan_and_transform(text, &config).map_or(0, |result| result.text.len())
        }),
    }
}

fn redact_core() -> Peer {
    use redact_core::{AnalyzerEngine, AnonymizerConfig};
    let (analyzer, anonymizer) = (AnalyzerEngine::new(), AnalyzerEngine::new());
    let config = AnonymizerConfig::default();
    Peer {
        name: "redact-core",
        package: "redact-core",
        detect: Box::new(move |text| {
            analyzer.analyze(text, None).map_or(0, |result| result.detected_entities.len())
        }),
        redact: Box::new(move |text| {
            anonymizer.anonymize(text, None, &config).map_or(0, |result| result.text.len())
        }),
    }
}

fn median_pass(texts: &[&str], work: &Call, seconds: f64) -> f64 {
    let mut times = Vec::new();
    let begun = Instant::now();
    while times.is_empty() || begun.elapsed().as_secs_f64() < seconds {
        let started = Instant::now();
        for text in texts {
            black_box(work(black_box(text)));
        }
        times.push(started.elapsed().as_secs_f64());
    }
    times.sort_unstable_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The version that the lock file pins.
fn version_of(package: &str) -> Option<&'static str> {
    let lock = include_str!("../Cargo.lock");
    let name = format!("name = \"{package}\"");
    let after = lock.lines().skip_while(|line| **line != name).nth(1)?;
    after.strip_prefix("version = \"")?.strip_suffix('"')
}
