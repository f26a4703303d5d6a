//! `masker admin`: what is done on the server's own machine.

use masker_server::{Bootstrap, BootstrapError, Config};

use super::serve;
use crate::args::AdminCommand;
use crate::error::{CliError, Exit, Result};
use crate::ui::Ui;

pub(crate) fn run(command: &AdminCommand, ui: &Ui) -> Result<Exit> {
    let config = Config::from_env().map_err(|error| serve::failed(&error))?;
    let (database, url) = (config.database().to_owned(), config.public_url().to_owned());
    match command {
        AdminCommand::Bootstrap(wish) => {
            let made = masker_server::bootstrap(&database, &url, &wish.login, wish.token, wish.force);
            show(&made.map_err(|error| refused(&error))?, ui)?;
        }
        AdminCommand::LoginLink { login } => {
            let made = masker_server::login_link(&database, &url, login).map_err(|error| refused(&error))?;
            show(&made, ui)?;
        }
        AdminCommand::Retention(_) => {
            let done = masker_server::run_retention(config).map_err(|error| serve::failed(&error))?;
            ui.print(&(done + "\n"))?;
        }
    }
    Ok(Exit::Success)
}

fn show(made: &Bootstrap, ui: &Ui) -> Result<()> {
    if let Some(token) = &made.token {
        ui.remark("this API token is shown once; keep it somewhere safe");
        return ui.print(&format!("{token}\n"));
    }
    ui.remark("the link and the code work once");
    let lines = [&made.link, &made.code];
    ui.print(&lines.into_iter().flatten().map(|line| format!("{line}\n")).collect::<String>())
}

fn refused(error: &BootstrapError) -> CliError {
    match error {
        BootstrapError::Exists | BootstrapError::NoUser => CliError::refused(error.to_string()),
        BootstrapError::Login => CliError::usage(error.to_string()),
        _ => CliError::failure(error.to_string()),
    }
}
