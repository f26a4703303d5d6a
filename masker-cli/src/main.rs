//! The masker command.
#![forbid(unsafe_code)]

mod answer;
mod args;
mod cmd;
mod config;
mod discard;
mod error;
mod io;
mod jsonl;
mod remote;
mod score;
mod setup;
mod time;
mod transcript;
mod ui;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Cli;
use crate::error::{Exit, Result};
use crate::ui::Ui;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let error = error::without_text(error);
            // A reader of the help that went away is no failure.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Success }.into();
        }
    };
    match run(cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            let _ = std::io::stderr().write_all(error.render().as_bytes());
            error.exit.into()
        }
    }
}

fn run(cli: Cli) -> Result<Exit> {
    // A server ends its requests first, and handles the signal itself.
    if !cli.command.handles_signals() {
        io::handle_interrupt()?;
    }
    let settings = config::load(&cli.global)?;
    let ui = Ui::new(&cli.global, &settings);
    cmd::run(cli.command, &ui, &settings)
}
