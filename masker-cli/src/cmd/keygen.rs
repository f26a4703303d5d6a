//! `masker keygen`.

use data_encoding::BASE64;
use masker_core::Kid;
use zeroize::Zeroizing;

use crate::args;
use crate::error::{CliError, Exit, Result};
use crate::ui::Ui;

/// The other secrets of a server, each base64 of 32 bytes.
const SERVER_SECRETS: [&str; 4] =
    ["MASKER_SESSION_SECRET", "MASKER_AUDIT_HMAC_KEY", "MASKER_AEAD_KEY", "MASKER_REPORT_SIGNING_KEY"];

pub(crate) fn run(command: &args::Keygen, ui: &Ui) -> Result<Exit> {
    let kid: Kid = command.kid.parse().map_err(|e| {
        CliError::usage(format!("the value of --kid is {e}")).hint("for example --kid K_HEALTHCARE")
    })?;
    let mut lines = Zeroizing::new(String::with_capacity(512));
    add_line(&mut lines, &format!("MASKER_KEY_{kid}"))?;
    if command.all {
        for name in SERVER_SECRETS {
            add_line(&mut lines, name)?;
        }
    }
    ui.print(&lines)?;
    Ok(Exit::Success)
}

fn add_line(lines: &mut String, name: &str) -> Result<()> {
    let mut key = Zeroizing::new([0_u8; 32]);
    getrandom::fill(key.as_mut_slice())
        .map_err(|_| CliError::failure("the operating system gives no random bytes"))?;
    lines.push_str(name);
    lines.push('=');
    BASE64.encode_append(key.as_slice(), lines);
    lines.push('\n');
    Ok(())
}
