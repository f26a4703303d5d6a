//! One file per command.

#[cfg(feature = "server")]
mod admin;
mod agents;
mod audit;
mod completions;
mod detect;
mod eval;
mod fetch_report;
mod keygen;
mod mask;
mod policy;
mod rehydrate;
mod replay;
mod report;
#[cfg(feature = "server")]
mod serve;
mod sessions;
mod synthesize;
mod tokens;
mod vault;

use std::io::BufWriter;

use serde::Serialize;

use crate::args::{Command, Format, Input, Lines, Shape};
use crate::config::Settings;
use crate::error::{CliError, Exit, Result};
use crate::io::Source;
use crate::jsonl::{self, Answer};
use crate::ui::Ui;

/// Runs one command.
pub(crate) fn run(command: Command, ui: &Ui, settings: &Settings) -> Result<Exit> {
    match command {
        Command::Mask(command) => mask::run(&command, ui, settings),
        Command::Detect(command) => detect::run(&command, ui, settings),
        Command::Rehydrate(command) => rehydrate::run(&command, ui, settings),
        Command::Synthesize(command) => synthesize::run(&command, ui, settings),
        Command::Replay(command) => replay::run(&command, ui, settings),
        Command::Eval(command) => eval::run(&command, ui, settings),
        Command::Policy(command) => policy::run(&command, ui, settings),
        Command::Vault(command) => vault::run(&command, ui, settings),
        Command::Audit(command) => audit::run(&command, ui, settings),
        Command::Agents(command) => agents::run(&command, ui, settings),
        Command::Sessions(command) => sessions::run(&command, ui, settings),
        Command::Report(command) => match &command.command {
            Some(check) => report::run(check, ui, settings),
            None => fetch_report::run(&command.fetch, ui, settings),
        },
        Command::Tokens(command) => tokens::run(&command, ui, settings),
        #[cfg(feature = "server")]
        Command::Serve(command) => serve::run(&command, ui),
        #[cfg(feature = "server")]
        Command::Admin(command) => admin::run(&command, ui),
        Command::Keygen(command) => keygen::run(&command, ui),
        Command::Completions(command) => completions::run(&command, ui),
    }
}

/// Answers every line of the input on stdout, with a sign of how far it is.
fn answer_lines<M: Serialize>(
    source: &Source,
    lines: &Lines,
    ui: &Ui,
    work: &(impl Fn(&str) -> Result<Answer<M>> + Sync),
) -> Result<()> {
    let progress = ui.progress(source.size());
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let result = jsonl::run(source, &mut out, &lines.into(), &progress, work);
    progress.finish_and_clear();
    result
}

/// Texts above this size get a sign of life on a terminal.
const LONG_TEXT: usize = 4 << 20;

/// Where the text comes from. A file that cannot be opened ends the command before it says anything else.
fn source(input: &Input, ui: &Ui) -> Result<Source> {
    let source = Source::from_arg(input.file.as_deref().or(input.input.as_deref()));
    source.check()?;
    if source.is_terminal() {
        ui.awaiting_input();
    }
    Ok(source)
}

/// How the input is read: as asked, or by its name.
fn format(shape: &Shape, source: &Source) -> Result<Format> {
    let format = match shape.format {
        Some(format) => format,
        None if source.has_ending("json") => Format::Chat,
        None => Format::Text,
    };
    let lines = &shape.lines;
    if format != Format::Jsonl && (lines.field.is_some() || lines.keep || lines.jobs.is_some()) {
        return Err(CliError::usage("--field, --keep and --jobs are for --format jsonl"));
    }
    Ok(format)
}

/// Runs `work` on a text, with a sign of life where the text is long.
fn watched<T>(text: &str, what: &str, ui: &Ui, work: impl FnOnce() -> T) -> T {
    if text.len() < LONG_TEXT {
        return work();
    }
    let spinner = ui.spinner(what);
    let result = work();
    spinner.finish_and_clear();
    result
}
