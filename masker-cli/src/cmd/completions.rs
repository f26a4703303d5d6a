//! `masker completions`.

use clap::CommandFactory as _;

use crate::args::{Cli, Completions};
use crate::error::{Exit, Result};
use crate::ui::Ui;

pub(crate) fn run(command: &Completions, ui: &Ui) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(command.shell, &mut Cli::command(), "masker", &mut script);
    ui.print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Success)
}
