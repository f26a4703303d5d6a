//! The shared fixtures as the core, the command line and the server read them.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "every test file uses a part of it, and fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

use masker_core::Policy;
use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File<C> {
    case: Vec<C>,
}

/// A case of `fixtures/detect`: all findings of a text, in order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detect {
    pub name: String,
    pub text: String,
    /// A shipped policy, for kinds that `healthcare-default` does not have.
    policy: Option<String>,
    pub findings: Vec<Found>,
}

impl Detect {
    /// The name of its policy.
    pub fn policy(&self) -> &str {
        self.policy.as_deref().unwrap_or("healthcare-default")
    }
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Found {
    pub kind: String,
    pub text: String,
}

/// A case of `fixtures/mask`: the exact text that must come out under the key of bytes 00 to 1f.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mask {
    pub name: String,
    policy: String,
    /// Another scheme than the policy's; only those whose tokens do not change from run to run.
    pub scheme: Option<String>,
    /// `aead.deterministic` of the policy.
    #[serde(default)]
    deterministic: bool,
    pub text: String,
    pub masked: String,
    pub redaction_count: usize,
    /// What rehydration gives, where it is not the text.
    restored: Option<String>,
}

impl Mask {
    /// The YAML of its policy, without its scheme.
    pub fn policy_source(&self) -> String {
        let mut source = Policy::preset_source(&self.policy).unwrap().to_owned();
        if self.deterministic {
            source.push_str("\naead: { deterministic: true }\n");
        }
        source
    }

    /// What rehydration gives.
    pub fn restored(&self) -> &str {
        self.restored.as_deref().unwrap_or(&self.text)
    }
}

/// A case of `fixtures/turns`: a conversation with the findings of each turn.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conversation {
    pub name: String,
    /// `Agent: …` or `Caller: …`.
    pub turns: Vec<String>,
    pub findings: Vec<Vec<Found>>,
}

impl Conversation {
    /// Each turn as who says it, what is said and what is found in that.
    pub fn said(&self) -> impl Iterator<Item = (&str, &str, &[Found])> {
        assert_eq!(self.turns.len(), self.findings.len(), "{}", self.name);
        self.turns.iter().zip(&self.findings).map(|(turn, findings)| {
            let (speaker, said) = turn.split_once(": ").expect("a turn begins with its speaker");
            (speaker, said, findings.as_slice())
        })
    }
}

/// The files of a folder below `fixtures`, each with its name and its cases.
pub fn files<C: DeserializeOwned>(folder: &str) -> Vec<(String, Vec<C>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let read = |path: &PathBuf| {
        let file: File<C> = toml::from_str(&fs::read_to_string(path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path.file_stem().unwrap().to_string_lossy().into_owned(), file.case)
    };
    paths.iter().map(read).collect()
}

/// The files of `fixtures/benign` with their lines.
pub fn benign() -> Vec<(String, Vec<String>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/benign");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, text.lines().map(str::to_owned).collect())
    };
    paths.iter().map(read).collect()
}

/// The cases of all files of a folder below `fixtures`.
pub fn cases<C: DeserializeOwned>(folder: &str) -> Vec<C> {
    files(folder).into_iter().flat_map(|(_, cases)| cases).collect()
}
