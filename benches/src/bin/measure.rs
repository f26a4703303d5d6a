//! The times that `cargo xtask bench` shows: medians of interleaved rounds.
//!
//! Prints one line for each job, tab-separated: group, name, bytes, findings, seconds.
#![expect(clippy::print_stdout, reason = "read by xtask")]

use std::error::Error;
use std::hint::black_box;
use std::num::NonZero;
use std::sync::Arc;

use masker_benches::{
    CHAT, CLEAN, DENSE, Job, PROSE, Payload, TEXTS, TRANSCRIPT, TURN, UTTERANCE, WORST, interleave, masker,
    sixty_turns,
};
use masker_core::{Conversation, Masker, Policy, Role, SqliteVault};

const ROUNDS: usize = 25;
/// A megabyte that is slow takes long, and is far from its budget or not.
const WORST_ROUNDS: usize = 3;
const MEGABYTE: usize = 1 << 20;

/// What a line says besides the time.
struct Row {
    group: &'static str,
    name: String,
    bytes: usize,
    findings: usize,
}

type Work<'a> = Box<dyn FnMut() + 'a>;

#[derive(Default)]
struct Plan<'a> {
    rows: Vec<Row>,
    jobs: Vec<Job<Work<'a>>>,
}

impl<'a> Plan<'a> {
    fn add(
        &mut self,
        group: &'static str,
        name: impl Into<String>,
        bytes: usize,
        findings: usize,
        work: impl FnMut() + 'a,
    ) {
        self.rows.push(Row { group, name: name.into(), bytes, findings });
        self.jobs.push(Job::new(Box::new(work)));
    }

    fn run(mut self, rounds: usize) {
        interleave(&mut self.jobs, rounds);
        for (row, job) in self.rows.iter().zip(&self.jobs) {
            let name = row.name.escape_debug();
            println!("{}\t{name}\t{}\t{}\t{:e}", row.group, row.bytes, row.findings, job.seconds());
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let masker = masker();
    for payload in TEXTS.iter().chain([&CHAT]) {
        payload.check(&masker);
    }
    times(&masker)?;
    worst(&masker);
    Ok(())
}

fn times(masker: &Masker) -> Result<(), Box<dyn Error>> {
    let mut plan = Plan::default();
    for payload in [UTTERANCE, TURN, CLEAN, PROSE, DENSE, TRANSCRIPT] {
        calls(&mut plan, masker, payload)?;
    }
    let masked = masker.mask_chat(CHAT.text)?;
    plan.add("chat", "mask_chat", CHAT.text.len(), CHAT.findings, move || {
        black_box(masker.mask_chat(black_box(CHAT.text)).expect("the vault is memory"));
    });
    plan.add("chat", "rehydrate_chat", masked.json.len(), CHAT.findings, move || {
        black_box(masker.rehydrate_chat(black_box(&masked.json)).expect("the vault is memory"));
    });
    streams(&mut plan, masker)?;
    history(&mut plan, masker)?;

    let folder = tempfile::tempdir()?;
    let vault = Arc::new(SqliteVault::open(folder.path().join("vault.db"))?);
    let stored = Masker::builder().vault(vault).build()?;
    plan.add("sqlite", "mask, values known", TURN.text.len(), TURN.findings, {
        let stored = stored.clone();
        move || {
            black_box(stored.mask(black_box(TURN.text)).expect("the vault is open"));
        }
    });
    let mut number = 0_u32;
    plan.add("sqlite", "mask, a new value", 38, 1, move || {
        number += 1;
        let text = format!("write to person.{number:010}@example.com please");
        black_box(stored.mask(black_box(&text)).expect("the vault is open"));
    });

    let source = Policy::preset_source("healthcare-default").ok_or("the preset has a source")?;
    plan.add("start", "policy from YAML", source.len(), 0, move || {
        let policy = Policy::from_yaml(black_box(source)).expect("the preset is valid");
        black_box(Masker::builder().policy(policy).build().expect("the system has random bytes"));
    });
    plan.add("start", "first mask, tables warm", UTTERANCE.text.len(), UTTERANCE.findings, || {
        black_box(masker_benches::masker().mask(UTTERANCE.text).expect("the vault is memory"));
    });

    let pieces = PROSE.pieces().repeat(8);
    let bytes: usize = pieces.iter().map(|piece| piece.len()).sum();
    for threads in [1, 2] {
        let batch = Masker::builder().threads(NonZero::new(threads).ok_or("no threads")?).build()?;
        let pieces = pieces.clone();
        plan.add("batch", format!("detect_batch, threads {threads}"), bytes, PROSE.findings * 8, move || {
            black_box(batch.detect_batch(black_box(&pieces)).expect("text alone is no error"));
        });
    }
    plan.run(ROUNDS);
    Ok(())
}

/// The three verbs over the pieces of a payload, one after another.
fn calls<'a>(plan: &mut Plan<'a>, masker: &'a Masker, payload: Payload) -> Result<(), masker_core::Error> {
    let pieces = payload.pieces();
    let bytes = pieces.iter().map(|piece| piece.len()).sum();
    let masked = masker.mask_batch(&pieces)?;
    let masked_bytes = masked.iter().map(|masked| masked.text.len()).sum();
    plan.add(payload.name, "detect", bytes, payload.findings, {
        let pieces = pieces.clone();
        move || {
            for piece in &pieces {
                black_box(masker.detect(black_box(piece)).expect("text alone is no error"));
            }
        }
    });
    plan.add(payload.name, "mask", bytes, payload.findings, move || {
        for piece in &pieces {
            black_box(masker.mask(black_box(piece)).expect("the vault is memory"));
        }
    });
    plan.add(payload.name, "rehydrate", masked_bytes, payload.findings, move || {
        for masked in &masked {
            black_box(masker.rehydrate(black_box(&masked.text)).expect("the vault is memory"));
        }
    });
    Ok(())
}

/// Prose as one message in parts of 64 bytes, and back.
fn streams<'a>(plan: &mut Plan<'a>, masker: &'a Masker) -> Result<(), masker_core::Error> {
    let parts = |text: &str| -> Vec<String> {
        text.as_bytes()
            .chunks(64)
            .map(|part| String::from_utf8(part.to_vec()).expect("the payload is ASCII"))
            .collect()
    };
    let conversation = masker.conversation("stream");
    let masked = conversation.mask_turn(Role::User, PROSE.text)?;
    let (text, answer) = (parts(PROSE.text), parts(&masked.text));
    let found = masked.events.len();
    plan.add("stream", "mask", PROSE.text.len(), found, {
        move || {
            let mut stream = masker.conversation("stream").stream_masker(Role::User);
            for part in &text {
                black_box(stream.push(black_box(part)).expect("the vault is memory"));
            }
            black_box(stream.finish().expect("the vault is memory"));
        }
    });
    plan.add("stream", "rehydrate", masked.text.len(), found, move || {
        let mut stream = conversation.stream_rehydrator();
        for part in &answer {
            black_box(stream.push(black_box(part)).expect("the vault is memory"));
        }
        black_box(stream.flush().expect("the vault is memory"));
    });
    Ok(())
}

/// The last turn of a call of 60, resent whole.
fn history<'a>(plan: &mut Plan<'a>, masker: &'a Masker) -> Result<(), masker_core::Error> {
    let history = sixty_turns();
    let bytes = history.iter().map(|(_, text)| text.len()).sum();
    let warm = masker.conversation("warm");
    let found =
        warm.mask_history(&history[..59])?.iter().map(|masked| masked.events.len()).sum::<usize>() + 1;
    let remembered = warm.to_bytes()?;
    plan.add("60 turns", "resume and mask the last", bytes, found, {
        let history = history.clone();
        move || {
            let warm = Conversation::from_bytes(masker, &remembered).expect("the bytes are its own");
            black_box(warm.mask_history(black_box(&history)).expect("the vault is memory"));
        }
    });
    plan.add("60 turns", "mask all, nothing remembered", bytes, found, move || {
        let cold = masker.conversation("cold");
        black_box(cold.mask_history(black_box(&history)).expect("the vault is memory"));
    });
    Ok(())
}

/// A megabyte of prose in one text, and a megabyte of each text that is made to be slow.
fn worst(masker: &Masker) {
    let mut plan = Plan::default();
    let prose = PROSE.text.repeat(MEGABYTE / PROSE.text.len() + 1)[..MEGABYTE].to_owned();
    let texts = std::iter::once(("prose", prose)).chain(WORST.iter().map(|w| (w.name, w.text(MEGABYTE))));
    for (name, text) in texts {
        let findings = masker.detect(&text).expect("text alone is no error").len();
        plan.add("megabyte", name, text.len(), findings, move || {
            black_box(masker.detect(black_box(&text)).expect("text alone is no error"));
        });
    }
    plan.run(WORST_ROUNDS);
}
