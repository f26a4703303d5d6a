//! Exit codes, and the error every command ends with.

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What the process tells its caller.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// Everything was done.
    Success = 0,
    /// Input, output or vault failed.
    Failure = 1,
    /// The command did its work and the answer is no.
    Refused = 2,
    /// The policy is invalid, or a key it needs is missing or bad.
    Policy = 3,
    /// Not signed in at the server, or not allowed.
    SignIn = 4,
    /// The server cannot be reached.
    Unreachable = 5,
    /// The command line or the configuration file is wrong.
    Usage = 64,
    /// SIGINT.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ended early: what happened, and what to do next. Never holds text of the input.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct CliError {
    pub(crate) exit: Exit,
    message: String,
    code: Option<&'static str>,
    details: Vec<String>,
    hint: Option<String>,
}

/// The result of everything that can end a command.
pub(crate) type Result<T, E = CliError> = std::result::Result<T, E>;

impl CliError {
    fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), code: None, details: Vec::new(), hint: None }
    }

    /// Bad input, or a failure around it.
    pub(crate) fn failure(message: impl Into<String>) -> Self {
        Self::new(Exit::Failure, message)
    }

    /// The command's own way of saying no.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, message)
    }

    /// A bad policy or key.
    pub(crate) fn policy(message: impl Into<String>) -> Self {
        Self::new(Exit::Policy, message)
    }

    /// What a server answered, or that it did not.
    pub(crate) fn remote(exit: Exit, message: String) -> Self {
        Self::new(exit, message)
    }

    /// A mistake on the command line or in the configuration file.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A file could not be read or written.
    pub(crate) fn file(doing: &str, path: &Path, source: &io::Error) -> Self {
        let reason = io_reason(source);
        if source.kind() == io::ErrorKind::NotFound && looks_like_text(path) {
            // A text given where a file name belongs must not come back in a message.
            return Self::failure(format!("cannot {doing} the file named: {reason}"))
                .hint("a text is given through stdin or in a file, not as an argument");
        }
        let error = Self::failure(format!("cannot {doing} {}: {reason}", path.display()));
        match source.kind() {
            io::ErrorKind::NotFound => error.hint("check the path"),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                error.hint("check the permissions of the file and its folder")
            }
            _ => error,
        }
    }

    /// Writing to stdout failed. A reader that went away has what it wanted, so that is success.
    pub(crate) fn stdout(source: &io::Error) -> Self {
        if source.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Exit::Success, "");
        }
        Self::failure(format!("cannot write to stdout: {}", io_reason(source)))
    }

    /// Adds what to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the stable code, shown in parentheses.
    pub(crate) fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// Adds lines below the message.
    pub(crate) fn details(mut self, details: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(details);
        self
    }

    /// Says where in the input the error arose.
    pub(crate) fn at(mut self, place: &str) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// The lines for stderr, or nothing where there is nothing to say.
    pub(crate) fn render(&self) -> String {
        let mut lines = String::new();
        if self.message.is_empty() {
            return lines;
        }
        let _ = write!(lines, "error: {}", self.message);
        if let Some(code) = self.code {
            let _ = write!(lines, " ({code})");
        }
        lines.push('\n');
        for detail in &self.details {
            let _ = writeln!(lines, "  {detail}");
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(lines, "hint: {hint}");
        }
        lines
    }
}

/// Takes what was typed out of a mistake on the command line, but for the name of a flag: a text given where something else belongs
/// must not come back in a message. What was probably meant stays.
pub(crate) fn without_text(mut error: clap::Error) -> clap::Error {
    let typed = match error.kind() {
        ErrorKind::InvalidSubcommand => ContextKind::InvalidSubcommand,
        ErrorKind::InvalidValue | ErrorKind::TooManyValues | ErrorKind::ValueValidation => {
            ContextKind::InvalidValue
        }
        ErrorKind::UnknownArgument => ContextKind::InvalidArg,
        _ => return error,
    };
    let Some(ContextValue::String(said)) = error.get(typed) else { return error };
    let is_flag = said.starts_with('-') && !said.contains(|c: char| c.is_whitespace() || c.is_ascii_digit());
    if said.is_empty() || is_flag {
        return error;
    }
    let reason = std::error::Error::source(&error).map(ToString::to_string);
    if reason.is_some_and(|reason| reason.contains(said.as_str())) {
        let argument = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
        return clap::Error::raw(error.kind(), format!("the value given for '{argument}' is out of range\n"));
    }
    error.insert(typed, ContextValue::String("\u{2026}".to_owned()));
    // It says how to pass the same as a value.
    error.remove(ContextKind::Suggested);
    error
}

/// Whether a path that leads nowhere may be a sentence.
fn looks_like_text(path: &Path) -> bool {
    path.to_str().is_none_or(|text| text.contains(char::is_whitespace))
}

/// The system's words for an error, without the number that means nothing to a reader.
fn io_reason(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::NotFound => "no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => source.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_left_is_success_without_a_word() {
        let error = CliError::stdout(&io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((error.exit, error.render().as_str()), (Exit::Success, ""));
    }

    #[test]
    fn a_text_given_as_a_file_name_is_not_repeated() {
        let missing = io::Error::from(io::ErrorKind::NotFound);
        assert!(!CliError::file("read", Path::new("this is Ann Reed"), &missing).render().contains("Ann"));
        assert!(
            CliError::file("read", Path::new("calls/ann.txt"), &missing).render().contains("calls/ann.txt")
        );
    }

    #[test]
    fn message_code_details_and_hint_stand_on_their_own_lines() {
        let error = CliError::policy("no key for kid K_A")
            .code("unknown_kid")
            .details(["one".to_owned()])
            .hint("make one");
        assert_eq!(error.render(), "error: no key for kid K_A (unknown_kid)\n  one\nhint: make one\n");
    }
}
