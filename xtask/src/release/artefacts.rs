//! What the artefacts hold: each is made as it would be published, and its contents are read back.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::read::GzDecoder;

use super::{Verdict, dist, versions};
use crate::shell::{self, Outcome, Workspace};
use crate::{node, python};

/// Carried by every artefact.
const NOTICES: [&str; 3] = ["LICENSE-APACHE", "LICENSE-MIT", "THIRD_PARTY_NOTICES.txt"];
/// Never in an artefact: what only the repository is for.
const STRANGERS: [&str; 5] = ["/.git", "node_modules/", "/target/", ".env", "data/sources/"];

/// The crate, built from what is packed alone.
pub(super) fn check_crate(workspace: &Workspace) -> Outcome {
    let target = super::tree::folder(workspace, "package-target");
    let mut command = workspace.cargo(["package", "--package", "masker-core", "--locked", "--allow-dirty"]);
    shell::run(command.args(["--all-features"]).env("CARGO_TARGET_DIR", &target))?;
    let name = format!("masker-core-{}.crate", versions::of(workspace)?);
    let path = keep(workspace, &target.join("package").join(name))?;
    check_contents(&path, &["Cargo.toml", "README.md", "src/lib.rs", "data/packed/lexicon.bin"])?;
    write_bill(workspace, "masker-core", "library")
}

/// The wheel of this platform and the sources.
pub(super) fn check_python(workspace: &Workspace) -> Outcome {
    for path in [dist::wheel(workspace)?, python::sources(workspace)?] {
        let path = keep(workspace, &path)?;
        let is_wheel = path.extension().is_some_and(|ending| ending == "whl");
        let wanted: &[&str] = if is_wheel {
            &["masker/__init__.py", "masker/_masker.pyi", "masker/py.typed", "sboms/masker-py.cdx.json"]
        } else {
            &["pyproject.toml", "masker-core/src/lib.rs", "python/masker/__init__.py"]
        };
        check_contents(&path, wanted)?;
    }
    Ok(())
}

/// The Node package with the addon of this platform.
pub(super) fn check_node(workspace: &Workspace) -> Outcome {
    let packed = node::pack(workspace, &dist::folder(workspace)?)?;
    check_contents(&packed, &["package.json", "index.js", "index.d.ts", "dist/index.js", ".node"])?;
    write_bill(workspace, "masker-node", "library")
}

/// The archive of the program for this platform.
pub(super) fn check_binary(workspace: &Workspace) -> Outcome {
    let path = dist::archive(workspace, None)?;
    check_contents(&path, &["/masker", "README.md", "CHANGELOG.md", "masker.cdx.json"])
}

/// The image: its recipe, and where a container engine answers what it makes.
pub(super) fn check_image(workspace: &Workspace) -> Result<Verdict, String> {
    check_recipes(workspace)?;
    if shell::capture(Command::new("docker").args(["info", "--format", "{{.ID}}"])).is_err() {
        let reason = "no container engine answers here; deploy/Dockerfile was read, not built";
        return Ok(Verdict::Skipped(reason.to_owned()));
    }
    let mut build = Command::new("docker");
    build.current_dir(workspace.path("")).args([
        "build",
        "-f",
        "deploy/Dockerfile",
        "-t",
        "masker:dry-run",
        ".",
    ]);
    shell::run(&mut build)?;
    let list = ["run", "--rm", "--entrypoint", "ls", "masker:dry-run", IMAGE_NOTICES];
    let listed = shell::capture(Command::new("docker").args(list))?;
    let names: Vec<String> = listed.lines().map(|line| format!("{IMAGE_NOTICES}/{line}")).collect();
    report("masker:dry-run", &names, &[])?;
    Ok(Verdict::Passed)
}

const IMAGE_NOTICES: &str = "/usr/share/doc/masker";

/// The image carries the notices, as far as its recipe says, and what the recipe copies out of the tree is there.
pub(super) fn check_recipes(workspace: &Workspace) -> Outcome {
    let path = "deploy/Dockerfile";
    let recipe = workspace.read(path)?.replace("\\\n", " ");
    let recipe = copies(&recipe);
    let from_tree = recipe.iter().filter(|copies| !copies.is_built).flat_map(|copies| &copies.from);
    let missing: Vec<&str> = from_tree.copied().filter(|from| !workspace.path(from).exists()).collect();
    if !missing.is_empty() {
        return Err(format!("{path} copies what is not in the tree: {}", missing.join(", ")));
    }
    report(path, &copied(&recipe, IMAGE_NOTICES), &[])
}

/// Bills of materials against the schema of their standard, those in wheels included, and checksums over all that was made.
pub(super) fn check_sboms(workspace: &Workspace) -> Outcome {
    let folder = dist::folder(workspace)?;
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let names: Vec<String> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let missing = steps_before(&names, &versions::of(workspace)?);
    if !missing.is_empty() {
        return Err(format!(
            "{} has no bill of these steps, which run before: {}",
            folder.display(),
            missing.join(", ")
        ));
    }
    dist::sum(&folder)?;
    python::check_bills(workspace, &folder)
}

/// The steps whose bill of materials is not among names of files.
fn steps_before(names: &[String], version: &str) -> Vec<&'static str> {
    let made = [
        ("crate", format!("masker-core-{version}"), ".cdx.json"),
        ("python", format!("masker_phi-{version}-"), ".whl"),
        ("node", format!("masker-node-{version}"), ".cdx.json"),
        ("binary", format!("masker-{version}-"), ".cdx.json"),
    ];
    let is_there = |start: &str, end| names.iter().any(|name| name.starts_with(start) && name.ends_with(end));
    made.iter().filter(|(_, start, end)| !is_there(start, end)).map(|(step, ..)| *step).collect()
}

/// One instruction of a recipe that copies.
struct Copies<'a> {
    /// Whether out of the build rather than of the tree.
    is_built: bool,
    from: Vec<&'a str>,
    to: &'a str,
}

fn copies(recipe: &str) -> Vec<Copies<'_>> {
    let instructions = recipe.lines().filter_map(|line| line.strip_prefix("COPY "));
    instructions
        .filter_map(|line| {
            let (options, paths): (Vec<&str>, Vec<&str>) =
                line.split_whitespace().partition(|word| word.starts_with("--"));
            let (to, from) = paths.split_last()?;
            let is_built = options.iter().any(|option| option.starts_with("--from="));
            Some(Copies { is_built, from: from.to_vec(), to: to.trim_end_matches('/') })
        })
        .collect()
}

/// The files that a recipe copies into a folder.
fn copied(recipe: &[Copies<'_>], folder: &str) -> Vec<String> {
    let into = recipe.iter().filter(|copies| copies.to == folder).flat_map(|copies| &copies.from);
    into.map(|path| format!("{folder}/{}", path.rsplit('/').next().unwrap_or(path))).collect()
}

/// Copies an artefact to where what is released lies.
fn keep(workspace: &Workspace, path: &Path) -> Result<PathBuf, String> {
    let kept = dist::folder(workspace)?.join(path.file_name().unwrap_or_default());
    fs::copy(path, &kept).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(kept)
}

fn write_bill(workspace: &Workspace, member: &str, kind: &str) -> Outcome {
    let name = format!("{member}-{}.cdx.json", versions::of(workspace)?);
    let path = dist::folder(workspace)?.join(name);
    let bill = dist::bill(workspace, member, kind, None)?;
    fs::write(&path, bill).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn check_contents(path: &Path, wanted: &[&str]) -> Outcome {
    let names = contents(path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    println!("{name}: {} bytes", fs::metadata(path).map_or(0, |data| data.len()));
    report(&name, &names, wanted)
}

fn report(what: &str, names: &[String], wanted: &[&str]) -> Outcome {
    let faults: Vec<String> =
        faults_of(names, wanted).into_iter().map(|fault| format!("{what}: {fault}")).collect();
    let sound = format!("{what}: {} files, and nothing is missing", names.len());
    shell::report(&faults, &sound, &format!("faults of {what}"))
}

/// What is missing among names of files, each wanted as the end of one, and what must not be there.
fn faults_of(names: &[String], wanted: &[&str]) -> Vec<String> {
    let lacks = |end: &&&str| !names.iter().any(|name| name.ends_with(**end));
    let missing = NOTICES.iter().chain(wanted).filter(lacks).map(|end| format!("has no {end}"));
    let is_strange = |name: &&String| STRANGERS.iter().any(|part| name.contains(part));
    missing.chain(names.iter().filter(is_strange).map(|name| format!("must not have {name}"))).collect()
}

/// Names of the files in a wheel or in a compressed archive.
fn contents(path: &Path) -> Result<Vec<String>, String> {
    if path.extension().is_some_and(|ending| ending == "whl") {
        let mut list = Command::new("python3");
        let code = "import sys, zipfile; print('\\n'.join(zipfile.ZipFile(sys.argv[1]).namelist()))";
        return Ok(shell::capture(list.args(["-c", code]).arg(path))?.lines().map(str::to_owned).collect());
    }
    let list = || -> std::io::Result<Vec<String>> {
        let mut archive = tar::Archive::new(GzDecoder::new(fs::File::open(path)?));
        archive.entries()?.map(|entry| Ok(entry?.path()?.display().to_string())).collect()
    };
    list().map_err(|error| format!("cannot read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lacks_and_what_is_strange() {
        let names = |list: &[&str]| -> Vec<String> { list.iter().map(|name| format!("p/{name}")).collect() };
        let whole = names(&["LICENSE-APACHE", "LICENSE-MIT", "data/THIRD_PARTY_NOTICES.txt", "a.js"]);
        assert_eq!(faults_of(&whole, &["a.js"]), Vec::<String>::new());
        assert_eq!(faults_of(&whole, &["b.js"]), ["has no b.js"]);
        assert_eq!(faults_of(&whole[1..], &[]), ["has no LICENSE-APACHE"]);
        let strange = [whole, names(&["data/sources/x.tsv"])].concat();
        assert_eq!(faults_of(&strange, &[]), ["must not have p/data/sources/x.tsv"]);
    }

    #[test]
    fn what_runs_before_the_bills_are_read() {
        let mut names: Vec<String> = [
            "masker-core-1.0.0.cdx.json",
            "masker_phi-1.0.0-cp310-abi3-linux_x86_64.whl",
            "masker-node-1.0.0.cdx.json",
            "masker-1.0.0-x86_64-unknown-linux-gnu.cdx.json",
        ]
        .map(str::to_owned)
        .into();
        assert!(steps_before(&names, "1.0.0").is_empty());
        assert_eq!(steps_before(&names, "1.0.1"), ["crate", "python", "node", "binary"]);
        names.remove(1);
        assert_eq!(steps_before(&names, "1.0.0"), ["python"]);
    }

    #[test]
    fn what_an_image_is_given() {
        let recipe =
            copies("FROM x\nCOPY . .\nCOPY --from=build /src/a/LICENSE-MIT /src/LICENSE-APACHE /usr/doc/\n");
        assert_eq!(copied(&recipe, "/usr/doc"), ["/usr/doc/LICENSE-MIT", "/usr/doc/LICENSE-APACHE"]);
        assert!(copied(&recipe, "/doc").is_empty());
        assert_eq!(recipe.iter().map(|copies| copies.is_built).collect::<Vec<_>>(), [false, true]);
    }
}
