//! One measured job in a process of its own, for a profiler or an instruction counter.
//!
//! `workload <detect|mask|rehydrate> <payload> [rounds]` runs a payload, `workload <detect|mask> worst:<name> [rounds] [bytes]` a
//! text made to be slow, and prints the median time of a round.
#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use masker_benches::{CHAT, TEXTS, WORST, masker};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |at: usize| arguments.get(at).map(String::as_str);
    let (Some(call), Some(name)) = (argument(0), argument(1)) else {
        return Err(
            "usage: workload <detect|mask|rehydrate|chat> <payload|worst:name> [rounds] [bytes]".into()
        );
    };
    let rounds: usize = argument(2).map_or(Ok(100), str::parse)?;
    let bytes: usize = argument(3).map_or(Ok(1 << 20), str::parse)?;

    let mut texts: Vec<String> = if let Some(worst) = name.strip_prefix("worst:") {
        let worst = WORST.iter().find(|known| known.name == worst).ok_or("no such worst case")?;
        vec![worst.text(bytes)]
    } else {
        let payload =
            TEXTS.iter().chain([&CHAT]).find(|known| known.name == name).ok_or("no such payload")?;
        if call == "chat" {
            vec![payload.text.to_owned()]
        } else {
            payload.pieces().into_iter().map(str::to_owned).collect()
        }
    };
    let masker = masker();
    if call == "rehydrate" {
        for text in &mut texts {
            *text = masker.mask(text)?.text;
        }
    }
    let run = |text: &str| -> Result<usize, masker_core::Error> {
        Ok(match call {
            "mask" => masker.mask(text)?.text.len(),
            "rehydrate" => masker.rehydrate(text)?.text.len(),
            "chat" => masker.mask_chat(text)?.json.len(),
            _ => masker.detect(text)?.len(),
        })
    };
    let mut times: Vec<Duration> = Vec::with_capacity(rounds);
    for _ in 0..rounds.max(1) {
        let started = Instant::now();
        for text in &texts {
            black_box(run(black_box(text))?);
        }
        times.push(started.elapsed());
    }
    times.sort_unstable();
    let median = times[times.len() / 2];
    let total: usize = texts.iter().map(String::len).sum();
    let rate = total as f64 / 1e6 / median.as_secs_f64();
    println!("{call} {name}: {total} bytes in {} texts, {median:.2?} a round, {rate:.1} MB/s", texts.len());
    Ok(())
}
