//! `cargo xtask dist`: the program as people download it, an archive with its licences, its bill of materials and checksums.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use super::{sbom, tree, versions};
use crate::packages::Packages;
use crate::python;
use crate::shell::{self, Outcome, Workspace};

/// What lies beside the program in its archive.
const BESIDE: [(&str, &str); 5] = [
    ("CHANGELOG.md", "CHANGELOG.md"),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
    ("LICENSE-MIT", "LICENSE-MIT"),
    ("README.md", "README.md"),
    ("masker-cli/THIRD_PARTY_NOTICES.txt", "THIRD_PARTY_NOTICES.txt"),
];

pub(crate) fn run(workspace: &Workspace, target: Option<&str>) -> Outcome {
    archive(workspace, target).map(|path| println!("wrote  {}", path.display()))
}

/// Builds the program and packs it; gives the path of the archive. Beside it lie its bill of materials and `SHA256SUMS`.
pub(super) fn archive(workspace: &Workspace, target: Option<&str>) -> Result<PathBuf, String> {
    let triple = target.map_or_else(host, |target| Ok(target.to_owned()))?;
    let program = program(workspace, target)?;
    let version = versions::of(workspace)?;
    let name = format!("masker-{version}-{triple}");
    let mut files = vec![(format!("masker{}", ending(&triple)), read(&program)?, 0o755)];
    for (from, to) in BESIDE {
        files.push((to.to_owned(), read(&workspace.path(from))?, 0o644));
    }
    let bill = bill(workspace, "masker-cli", "application", Some(&triple))?;
    files.push(("masker.cdx.json".to_owned(), bill.clone(), 0o644));
    let folder = folder(workspace)?;
    write(&folder.join(format!("{name}.cdx.json")), &bill)?;
    let path = folder.join(format!("{name}.tar.gz"));
    write(&path, &packed(&name, &files, time(workspace)?)?)?;
    sum(&folder)?;
    Ok(path)
}

/// Builds the program as it is released.
pub(super) fn program(workspace: &Workspace, target: Option<&str>) -> Result<PathBuf, String> {
    build(workspace, &tree::folder(workspace, "dist-target"), target)
}

/// Builds the program so that the same sources and the same Rust give the same bytes wherever they lie.
pub(super) fn build(workspace: &Workspace, into: &Path, target: Option<&str>) -> Result<PathBuf, String> {
    let triple = target.map_or_else(host, |target| Ok(target.to_owned()))?;
    let mut command = workspace.cargo(["build", "--release", "--locked", "--package", "masker-cli"]);
    if let Some(target) = target {
        command.args(["--target", target]);
    }
    independent_of_place(&mut command, workspace, into, &triple);
    shell::run(command.env("CARGO_TARGET_DIR", into))?;
    Ok(into.join(target.unwrap_or_default()).join("release").join(format!("masker{}", ending(&triple))))
}

/// Builds the wheel of this platform as it is released.
pub(super) fn wheel(workspace: &Workspace) -> Result<PathBuf, String> {
    build_wheel(workspace, workspace, &tree::folder(workspace, "wheel-target"))
}

/// Builds the wheel of `sources` by the tools of this workspace, so that it does not depend on where they lie either.
pub(super) fn build_wheel(
    workspace: &Workspace,
    sources: &Workspace,
    into: &Path,
) -> Result<PathBuf, String> {
    let (time, host) = (time(workspace)?.to_string(), host()?);
    python::wheel(workspace, sources, &into.join("wheels"), |command| {
        independent_of_place(command, sources, into, &host);
        command.env("CARGO_TARGET_DIR", into).env("SOURCE_DATE_EPOCH", &time);
    })
}

/// Takes the paths of this machine out of what a command compiles.
fn independent_of_place(command: &mut Command, workspace: &Workspace, into: &Path, triple: &str) {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).unwrap_or_default();
    // Of several that match the last is taken, and the target folder mostly lies in the workspace.
    let names = [(workspace.path(""), "/masker"), (into.to_path_buf(), "/target"), (home, "/cargo")];
    let map = |flag: &str, between: &str| -> String {
        let one = |(path, name): &(PathBuf, &str)| {
            format!("{flag}{}={name}", path.to_string_lossy().trim_end_matches('/'))
        };
        names.iter().map(one).collect::<Vec<_>>().join(between)
    };
    let given = |name: &str| std::env::var(name).unwrap_or_default();
    // Cargo's encoded form, since a path may have spaces.
    let flags = [given("RUSTFLAGS").replace(' ', "\u{1f}"), map("--remap-path-prefix=", "\u{1f}")];
    let flags: Vec<String> = flags.into_iter().filter(|part| !part.is_empty()).collect();
    command.env_remove("RUSTFLAGS").env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    if !triple.ends_with("msvc") {
        // SQLite and ring are C.
        command.env("CFLAGS", format!("{} {}", given("CFLAGS"), map("-ffile-prefix-map=", " ")).trim());
    }
}

/// The bill of materials of a member's artefact, as bytes of a file.
pub(crate) fn bill(
    workspace: &Workspace,
    member: &str,
    kind: &str,
    target: Option<&str>,
) -> Result<Vec<u8>, String> {
    let packages = Packages::of(workspace)?;
    let linked = packages.linked(workspace, member, target)?;
    let bill = sbom::of(member, &versions::of(workspace)?, kind, &packages, &linked);
    let faults = sbom::faults(&bill);
    if faults.is_empty() { Ok(format!("{bill:#}\n").into_bytes()) } else { Err(faults.join("\n")) }
}

/// Where what is released lies.
pub(super) fn folder(workspace: &Workspace) -> Result<PathBuf, String> {
    let folder = workspace.target().join("dist");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

/// Removes what was made before.
pub(super) fn empty(workspace: &Workspace) -> Outcome {
    let folder = folder(workspace)?;
    fs::remove_dir_all(&folder).map_err(|error| format!("cannot empty {}: {error}", folder.display()))
}

/// Writes `SHA256SUMS` over everything in a folder, as `sha256sum --check` reads it.
pub(super) fn sum(folder: &Path) -> Outcome {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    let mut sums = String::new();
    for path in paths.iter().filter(|path| path.is_file() && !path.ends_with("SHA256SUMS")) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        sums += &format!("{}  {name}\n", sha256(&read(path)?));
    }
    write(&folder.join("SHA256SUMS"), sums.as_bytes())
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Outcome {
    fs::write(path, bytes).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// The target that this machine is.
fn host() -> Result<String, String> {
    let about = shell::capture(Command::new("rustc").arg("-vV"))?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc does not say what this machine is".to_owned())
}

fn ending(triple: &str) -> &'static str {
    if triple.contains("windows") { ".exe" } else { "" }
}

/// When what is released was committed, in seconds: the only time in an archive.
fn time(workspace: &Workspace) -> Result<u64, String> {
    let mut git = Command::new("git");
    let text = shell::capture(git.current_dir(workspace.path("")).args(["log", "-1", "--format=%ct"]))?;
    text.trim().parse().map_err(|_| format!("git gives no time but {text}"))
}

/// A compressed archive of one folder; equal files give equal bytes.
fn packed(folder: &str, files: &[(String, Vec<u8>, u32)], time: u64) -> Result<Vec<u8>, String> {
    let pack = || -> std::io::Result<Vec<u8>> {
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
        for (name, bytes, mode) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(*mode);
            header.set_mtime(time);
            archive.append_data(&mut header, format!("{folder}/{name}"), bytes.as_slice())?;
        }
        let mut encoder = archive.into_inner()?;
        encoder.flush()?;
        encoder.finish()
    };
    pack().map_err(|error| format!("cannot pack {folder}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_depends_on_nothing_but_its_files() {
        let files =
            [("masker".to_owned(), b"program".to_vec(), 0o755), ("README.md".to_owned(), Vec::new(), 0o644)];
        let bytes = packed("masker-1", &files, 1_700_000_000).unwrap();
        assert_eq!(bytes, packed("masker-1", &files, 1_700_000_000).unwrap());
        assert_ne!(bytes, packed("masker-1", &files, 1_700_000_001).unwrap());
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes.as_slice()));
        let names: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap())
            })
            .collect();
        assert_eq!(names, [("masker-1/masker".to_owned(), 0o755), ("masker-1/README.md".to_owned(), 0o644)]);
    }

    #[test]
    fn checksums_are_as_their_program_reads_them() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b"), "abc").unwrap();
        fs::write(folder.path().join("a"), "").unwrap();
        for _ in 0..2 {
            sum(folder.path()).unwrap();
        }
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let sums = fs::read_to_string(folder.path().join("SHA256SUMS")).unwrap();
        assert_eq!(sums, format!("{empty}  a\n{abc}  b\n"));
    }

    #[test]
    fn paths_of_the_machine_are_replaced() {
        let place = std::env::temp_dir().join("a folder");
        let workspace = Workspace::at(place.clone());
        let mut command = Command::new("cargo");
        independent_of_place(&mut command, &workspace, Path::new("/t"), "x86_64-unknown-linux-gnu");
        let set = |name: &str| {
            let mut set = command.get_envs();
            set.find(|(key, _)| *key == name).unwrap().1.unwrap().to_string_lossy().into_owned()
        };
        let mapped = format!("--remap-path-prefix={}=/masker\u{1f}", place.display());
        assert!(set("CARGO_ENCODED_RUSTFLAGS").contains(&mapped));
        assert!(set("CFLAGS").contains("-ffile-prefix-map=/t=/target"));
    }
}
