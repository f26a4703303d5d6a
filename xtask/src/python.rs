//! `cargo xtask python`: the Python package, built as users build it and tested in an environment of its own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{self, Outcome, Workspace};

/// What every user of the package sees, checked without any host of an adapter.
const CORE: [&str; 5] = ["__init__.py", "_highlight.py", "_progress.py", "errors.py", "_masker.pyi"];

/// A virtual environment with the package in it.
struct Environment<'a> {
    workspace: &'a Workspace,
    folder: PathBuf,
}

impl<'a> Environment<'a> {
    /// The environment in the target folder, made where there is none, with the tools that check the package.
    fn new(workspace: &'a Workspace) -> Result<Self, String> {
        let folder = workspace.target().join("python");
        let environment = Self { workspace, folder };
        if !environment.program("python").exists() {
            shell::run(Command::new("python3").args(["-m", "venv"]).arg(&environment.folder))?;
        }
        environment.pip(["install", "--requirement", "requirements-dev.txt"])?;
        Ok(environment)
    }

    fn program(&self, name: &str) -> PathBuf {
        let below = if cfg!(windows) { "Scripts" } else { "bin" };
        self.folder.join(below).join(name)
    }

    /// A program of the environment, in the folder of the package.
    fn command<S: AsRef<OsStr>>(&self, name: &str, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(self.program(name));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let own = self.program(name).parent().map(Path::to_path_buf).unwrap_or_default();
        let folders = std::iter::once(own).chain(std::env::split_paths(&path));
        command
            .current_dir(self.workspace.path("masker-py"))
            .env("PATH", std::env::join_paths(folders).unwrap_or(path))
            .env("VIRTUAL_ENV", &self.folder)
            .env_remove("PYTHONPATH")
            .args(arguments);
        command
    }

    fn run<S: AsRef<OsStr>>(&self, name: &str, arguments: impl IntoIterator<Item = S>) -> Outcome {
        shell::run(&mut self.command(name, arguments))
    }

    fn pip<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Outcome {
        let always = ["-m", "pip", "--disable-pip-version-check", "--quiet"].map(std::ffi::OsString::from);
        let given = arguments.into_iter().map(|argument| argument.as_ref().to_os_string());
        self.run("python", always.into_iter().chain(given))
    }

    /// Installs a hundred packages and more, most of whose modules are never imported: `uv` takes a tenth of the time of the
    /// processor. It knows nothing of the settings of `pip`, which may name the only registry within reach.
    fn install(&self, requirements: &str) -> Outcome {
        let fast = self.run("uv", ["pip", "install", "--quiet", "--requirement", requirements]);
        fast.or_else(|_| self.pip(["install", "--no-compile", "--requirement", requirements]))
    }

    /// Builds the wheel as `pip install ./masker-py` does, with more settings or none, installs it, and gives its path.
    fn package(&self, settings: &[&str]) -> Result<PathBuf, String> {
        let wheels = self.folder.join("wheels");
        if wheels.exists() {
            std::fs::remove_dir_all(&wheels).map_err(|error| format!("{}: {error}", wheels.display()))?;
        }
        let place = wheels.to_string_lossy().into_owned();
        self.pip(["wheel", ".", "--no-deps", "--wheel-dir", &place].iter().chain(settings))?;
        let wheel = newest(&wheels, "whl")?;
        let path = wheel.to_string_lossy().into_owned();
        self.pip(["install", "--force-reinstall", "--no-deps", &path])?;
        Ok(wheel)
    }
}

/// Builds the package, runs its own tests and examples, checks its types, and measures what is promised.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let environment = Environment::new(workspace)?;
    let wheel = environment.package(&[])?;
    environment.run("python", ["-m", "pytest", "-q", "tests", "--ignore", "tests/adapters"])?;
    environment.run("python", ["-m", "mypy.stubtest", "masker._masker", "--ignore-disjoint-bases"])?;
    let sources = CORE.iter().map(|name| format!("python/masker/{name}"));
    let sources: Vec<String> = sources.chain(["tests/typing_use.py".to_owned()]).collect();
    let strict = std::iter::once("--strict".to_owned()).chain(sources.iter().cloned());
    environment.run("mypy", strict)?;
    environment.run("pyright", &sources)?;
    environment.run("python", ["tests/typing_use.py"])?;
    let wheel = wheel.to_string_lossy().into_owned();
    environment.run("python", ["tests/measure.py", "--wheel", &wheel])
}

/// The adapters against the real packages from the registry, and their types; after [`run`].
pub(crate) fn run_adapters(workspace: &Workspace) -> Outcome {
    let environment = Environment::new(workspace)?;
    environment.install("requirements-adapters.txt")?;
    environment.run("python", ["-m", "pytest", "-q", "tests/adapters", "-m", "not clusters"])?;
    environment.run("mypy", ["--strict", "python/masker"])?;
    environment.run("pyright", std::iter::empty::<&str>())
}

/// One masker under many threads for so many seconds, as a command; the package is built and installed before.
pub(crate) fn soak(workspace: &Workspace, seconds: &str) -> Result<Command, String> {
    let environment = Environment::new(workspace)?;
    environment.package(&[])?;
    Ok(environment.command("python", ["tests/soak.py", "--seconds", seconds]))
}

/// The sources in an archive, as they are published.
pub(crate) fn sources(workspace: &Workspace) -> Result<PathBuf, String> {
    let environment = Environment::new(workspace)?;
    let place = environment.folder.join("artefacts");
    environment.run("maturin", ["sdist".as_ref(), "--out".as_ref(), place.as_os_str()])?;
    newest(&place, "gz")
}

/// The wheel of a workspace, this one or a copy, by the tools of this one and with settings of the caller's.
pub(crate) fn wheel(
    workspace: &Workspace,
    copy: &Workspace,
    into: &Path,
    set: impl FnOnce(&mut Command),
) -> Result<PathBuf, String> {
    let environment = Environment::new(workspace)?;
    let mut command = environment.command("maturin", ["build", "--release", "--locked", "--out"]);
    command.arg(into).current_dir(copy.path("masker-py"));
    set(&mut command);
    shell::run(&mut command)?;
    newest(into, "whl")
}

/// Bills of materials in a folder and in the wheels there, against the schema of CycloneDX.
pub(crate) fn check_bills(workspace: &Workspace, folder: &Path) -> Outcome {
    let environment = Environment::new(workspace)?;
    environment.install("requirements-release.txt")?;
    environment.run("python", [Path::new("tests/bills.py"), folder])
}

/// The newest file in a folder whose name ends so.
fn newest(folder: &Path, ending: &str) -> Result<PathBuf, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let is_meant = |path: &PathBuf| path.extension().is_some_and(|found| found == ending);
    let age = |path: &PathBuf| path.metadata().and_then(|data| data.modified()).ok();
    paths.filter(is_meant).max_by_key(age).ok_or_else(|| format!("no .{ending} in {}", folder.display()))
}

/// Tables spread over processes by Spark and Ray, a soak, times that hold on a quiet machine, and last a package with
/// PostgreSQL, which is tested where `MASKER_TEST_POSTGRES` names a database; after [`run_adapters`].
pub(crate) fn run_clusters(workspace: &Workspace) -> Outcome {
    let environment = Environment::new(workspace)?;
    environment.install("requirements-adapters.txt")?;
    environment.install("requirements-clusters.txt")?;
    environment.run("python", ["-m", "pytest", "-q", "tests/adapters", "-m", "clusters"])?;
    environment.run("python", ["tests/soak.py", "--seconds", "30"])?;
    environment.run("python", ["tests/measure.py", "--gate-times"])?;
    environment.package(&["--config-settings=build-args=--features vault-postgres"])?;
    environment.run("python", ["-m", "pytest", "-q", "tests/test_vault.py"])
}
