//! `masker report` without `verify`: reports of a server, to a file or stdout.

use std::path::PathBuf;

use serde_json::Value;

use crate::args::{ReportFetch, ReportForm};
use crate::config::Settings;
use crate::error::{CliError, Exit, Result};
use crate::io;
use crate::remote::{Remote, segment};
use crate::ui::Ui;

pub(crate) fn run(command: &ReportFetch, ui: &Ui, settings: &Settings) -> Result<Exit> {
    let stdout = PathBuf::from("-");
    let output = command.output.as_ref().unwrap_or(&stdout);
    let by_ending = match output.extension() {
        Some(ending) if ending.eq_ignore_ascii_case("pdf") => ReportForm::Pdf,
        _ => ReportForm::Json,
    };
    let form = command.format.unwrap_or(by_ending);
    let is_stdout = output.as_os_str() == "-";
    if is_stdout && form == ReportForm::Pdf {
        return Err(CliError::usage("a PDF is not written to stdout").hint("name a file with --output"));
    }
    let remote = Remote::open(settings, ui, command.auth.token_file.as_deref())?;
    let path = match (&command.session_id, &command.agent_id) {
        (Some(id), _) => format!("/api/v1/sessions/{}/report", segment(id)),
        (None, Some(id)) => format!("/api/v1/agents/{}/report", segment(id)),
        (None, None) => "/api/v1/reports".to_owned(),
    };
    let name = if form == ReportForm::Pdf { "pdf" } else { "json" };
    let mut query = vec![("format", name.to_owned())];
    query.extend(command.since.as_ref().map(|since| ("since", since.clone())));
    let bytes = remote.bytes(&path, &query)?;
    if is_stdout {
        let report: Value = serde_json::from_slice(&bytes)
            .map_err(|_| CliError::failure("the server's answer is not JSON"))?;
        ui.print_json(&report)?;
        return Ok(Exit::Success);
    }
    io::write_output(output, |out| out.write_all(&bytes).map_err(|e| CliError::file("write", output, &e)))?;
    Ok(Exit::Success)
}
