//! The workspace on disk and the programs run in it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What a chore ends with: nothing, or one message for the person who ran it.
pub(crate) type Outcome = Result<(), String>;

/// The workspace that this program belongs to.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The workspace of the running xtask, wherever it was called from.
    pub(crate) fn of_this_program() -> Self {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.parent().expect("the xtask crate lies inside the workspace").to_path_buf();
        Self { root }
    }

    /// A copy of the workspace somewhere else.
    pub(crate) fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// A path below the root.
    pub(crate) fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.root.join(below)
    }

    /// Where cargo puts what it builds.
    pub(crate) fn target(&self) -> PathBuf {
        self.path(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
    }

    /// Reads a text file below the root.
    pub(crate) fn read(&self, below: impl AsRef<Path>) -> Result<String, String> {
        let path = self.path(below);
        std::fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
    }

    /// A cargo command in the root, with the cargo that started this program.
    pub(crate) fn cargo<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.current_dir(&self.root).args(arguments);
        command
    }
}

/// Runs a command with its output shown, after a line that says what is run.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let line = describe(command);
    println!("$ {line}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{line}: {status}")),
        Err(error) => Err(format!("cannot start {line}: {error}")),
    }
}

/// Runs a command beside others: what it wrote is shown where it fails.
pub(crate) fn run_silently(command: &mut Command) -> Outcome {
    output(command).map(drop)
}

/// Runs a command and gives what it wrote to its standard output.
pub(crate) fn capture(command: &mut Command) -> Result<String, String> {
    let output = output(command)?;
    String::from_utf8(output.stdout).map_err(|_| format!("{}: the output is not UTF-8", describe(command)))
}

/// What a command wrote, where it ended well; else the failure tells all of it.
fn output(command: &mut Command) -> Result<Output, String> {
    let line = describe(command);
    let output = command.output().map_err(|error| format!("cannot start {line}: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let wrote = [output.stdout, output.stderr].concat();
    Err(format!("{line}: {}\n{}", output.status, String::from_utf8_lossy(&wrote)))
}

/// Ends a check: prints `sound` where nothing is wrong, else each fault on a line of its own, and fails with their number before
/// `of_what`.
pub(crate) fn report(faults: &[String], sound: &str, of_what: &str) -> Outcome {
    if faults.is_empty() {
        println!("{sound}");
        return Ok(());
    }
    for fault in faults {
        println!("{fault}");
    }
    Err(format!("{} {of_what}", faults.len()))
}

fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    std::iter::once(program)
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_fails_by_its_faults() {
        assert_eq!(report(&[], "sound", "faults of x"), Ok(()));
        let faults = ["a".to_owned(), "b".to_owned()];
        assert_eq!(report(&faults, "sound", "faults of x"), Err("2 faults of x".to_owned()));
    }
}
