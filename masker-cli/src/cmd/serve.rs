//! `masker serve`.

use masker_server::{Config, StartError};

use crate::args;
use crate::error::{CliError, Exit, Result};
use crate::ui::Ui;

pub(crate) fn run(command: &args::Serve, ui: &Ui) -> Result<Exit> {
    let config = Config::from_env().map_err(|error| failed(&error))?;
    if command.check {
        let report = masker_server::check(config).map_err(|error| failed(&error))?;
        ui.print(&(report.join("\n") + "\n"))?;
        return Ok(Exit::Success);
    }
    masker_server::serve(config).map_err(|error| failed(&error))?;
    Ok(Exit::Success)
}

/// Why a server does not start, by what has to be mended.
pub(crate) fn failed(error: &StartError) -> CliError {
    match error {
        StartError::Config(lines) => CliError::usage("the environment is not one to start a server in")
            .details(lines.clone())
            .hint("with MASKER_DEV=1 nothing has to be set"),
        StartError::Policy(lines) => {
            CliError::policy("keys or policies are missing or wrong").details(lines.clone())
        }
        _ => CliError::failure(error.to_string()),
    }
}
