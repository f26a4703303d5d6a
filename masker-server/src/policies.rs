//! The policies in force: those of files, which the whole server shares, and those that accounts make.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use masker_core::policy::LogPayloads;
use masker_core::{KeyRing, KidState, Policy, PolicyErrorCode, PolicyErrors, PolicyLoader};

use crate::config::{Config, StartError};
use crate::error::{ApiError, Code, Result};
use crate::store::model::PolicyRevision;
use crate::store::{self, Store};
use crate::time;

pub(crate) const DEFAULT: &str = "healthcare-default";

/// A policy with the revision of its content.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) name: String,
    pub(crate) revision: i64,
    pub(crate) sha256: String,
    pub(crate) yaml: String,
    pub(crate) policy: Policy,
    /// Whether it comes from a file or is built in, and so is not changed by callers.
    pub(crate) is_file: bool,
    pub(crate) updated_at: i64,
}

/// Which policies there are.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    files: RwLock<Arc<BTreeMap<String, Arc<Loaded>>>>,
    accounts: RwLock<HashMap<String, BTreeMap<String, Arc<Loaded>>>>,
}

/// Checks a policy against the keys and settings of this server.
pub(crate) fn check(
    yaml: &str,
    keys: &KeyRing,
    payload_days: u32,
) -> std::result::Result<Policy, PolicyErrors> {
    loader(keys, payload_days, |loader| loader.from_yaml(yaml))
}

fn loader<T>(keys: &KeyRing, payload_days: u32, load: impl FnOnce(PolicyLoader<'_>) -> T) -> T {
    let check = |kid: &str| match kid.parse() {
        Ok(kid) if keys.contains(&kid) => KidState::Known,
        _ => KidState::Unknown,
    };
    load(PolicyLoader::new().keys(&check).ner_loaded(false).payload_retention_days(payload_days))
}

/// A source with its policy.
type Source = (String, Policy);

/// Why files could not be read as policies.
#[derive(Debug)]
pub(crate) enum FileError {
    /// One is not valid.
    Invalid(Vec<(String, PolicyErrors)>),
    /// A file has a policy whose name another has.
    Duplicate { file: String, name: String },
    /// There is no such file or folder.
    Missing,
}

/// Reads the files of the settings, and what is built in beside them.
fn read_files(config: &Config) -> std::result::Result<Vec<Source>, FileError> {
    let mut paths = Vec::new();
    if let Some(path) = &config.policy_path {
        if path.is_dir() {
            let entries = std::fs::read_dir(path).map_err(|_| FileError::Missing)?;
            paths.extend(
                entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| {
                    path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml")
                }),
            );
            paths.sort();
        } else if path.is_file() {
            paths.push(path.clone());
        } else {
            return Err(FileError::Missing);
        }
    }
    let mut sources: Vec<Source> = Vec::new();
    let mut invalid = Vec::new();
    let mut duplicate = None;
    for path in paths {
        let shown = path.display().to_string();
        match read_file(&path, config) {
            Ok((_, policy)) if sources.iter().any(|(_, other)| other.name() == policy.name()) => {
                duplicate = Some(FileError::Duplicate { file: shown, name: policy.name().to_owned() });
            }
            Ok(source) => sources.push(source),
            Err(errors) => invalid.push((shown, errors)),
        }
    }
    if !invalid.is_empty() {
        return Err(FileError::Invalid(invalid));
    }
    if let Some(duplicate) = duplicate {
        return Err(duplicate);
    }
    for name in Policy::preset_names() {
        let yaml = Policy::preset_source(name).expect("a shipped policy has a source");
        // Without the key of the shipped policies only those of files can be used.
        if sources.iter().all(|(_, other)| other.name() != name)
            && let Ok(policy) = check(yaml, &config.keys, config.retention.payload_days)
        {
            sources.push((yaml.to_owned(), policy));
        }
    }
    Ok(sources)
}

fn read_file(path: &Path, config: &Config) -> std::result::Result<Source, PolicyErrors> {
    let policy = loader(&config.keys, config.retention.payload_days, |loader| loader.from_path(path))?;
    Ok((std::fs::read_to_string(path).unwrap_or_default(), policy))
}

/// Gives sources their revisions: a content that differs from the last is the next one.
fn revise(sources: Vec<Source>, store: &dyn Store) -> store::Result<BTreeMap<String, Arc<Loaded>>> {
    let now = time::now();
    let mut loaded = BTreeMap::new();
    for (yaml, policy) in sources {
        let name = policy.name().to_owned();
        let last: Option<PolicyRevision> = store.load_by_key(&format!("/{name}"))?.into_iter().next();
        let revision = match last {
            Some(last) if last.yaml == yaml => last,
            last => {
                let number = last.map_or(1, |last| last.revision + 1);
                let revision = PolicyRevision::new("", &name, number, &yaml, now);
                store.save(&revision)?;
                revision
            }
        };
        loaded.insert(name, Arc::new(from_revision(revision, policy, true)));
    }
    Ok(loaded)
}

fn from_revision(revision: PolicyRevision, policy: Policy, is_file: bool) -> Loaded {
    Loaded {
        name: revision.name,
        revision: revision.revision,
        sha256: revision.sha256,
        yaml: revision.yaml,
        policy,
        is_file,
        updated_at: revision.created_at,
    }
}

impl Loaded {
    /// The policy of one agent alone.
    pub(crate) fn inline(yaml: &str, policy: Policy, revision: i64, updated_at: i64) -> Self {
        Self {
            name: policy.name().to_owned(),
            revision,
            sha256: crate::crypto::sha256_hex(yaml.as_bytes()),
            yaml: yaml.to_owned(),
            policy,
            is_file: false,
            updated_at,
        }
    }

    /// Whether payloads are kept: not at all, masked ones, or all.
    pub(crate) fn log_payloads(&self) -> LogPayloads {
        self.policy.audit().log_payloads
    }
}

impl Policies {
    /// Loads what files and accounts have.
    pub(crate) fn start(config: &Config, store: &dyn Store) -> std::result::Result<Self, StartError> {
        let failed = |error: store::StoreError| StartError::Failure(error.to_string());
        let sources = match read_files(config) {
            Ok(sources) => sources,
            Err(error) if config.dev => {
                tracing::warn!(
                    errors = describe(&error).len(),
                    "policies are not valid; the built-in ones are used"
                );
                let built_in = Config { policy_path: None, ..config.clone() };
                read_files(&built_in).map_err(|error| StartError::Policy(describe(&error)))?
            }
            Err(error) => return Err(StartError::Policy(describe(&error))),
        };
        if sources.is_empty() {
            return Err(StartError::Policy(vec![
                "MASKER_KEY_K_HEALTHCARE: not set, and no policy with another key id is given".to_owned(),
            ]));
        }
        let policies = Self::default();
        *policies.files.write().unwrap_or_else(PoisonError::into_inner) =
            Arc::new(revise(sources, store).map_err(failed)?);
        let mut revisions: Vec<PolicyRevision> = store.load_all(None).map_err(failed)?;
        revisions.sort_by_key(|revision| revision.revision);
        let mut latest: HashMap<String, PolicyRevision> = HashMap::new();
        for revision in revisions.into_iter().filter(|revision| !revision.account_id.is_empty()) {
            latest.insert(revision.key.clone(), revision);
        }
        for revision in latest.into_values().filter(|revision| !revision.deleted) {
            match check(&revision.yaml, &config.keys, config.retention.payload_days) {
                Ok(policy) => {
                    policies.set(&revision.account_id.clone(), from_revision(revision, policy, false));
                }
                Err(errors) => {
                    let what = format!("the stored policy {}: {}", revision.name, errors.first());
                    return Err(StartError::Policy(vec![what]));
                }
            }
        }
        Ok(policies)
    }

    /// Reads the files again: all of them or none. Gives the policies with whether each changed; `log` is told of them before
    /// they are in force.
    pub(crate) fn reload(
        &self,
        config: &Config,
        store: &dyn Store,
        log: impl FnOnce(&[(Arc<Loaded>, bool)]) -> Result<()>,
    ) -> Result<Vec<(Arc<Loaded>, bool)>> {
        let sources = read_files(config).map_err(|error| match error {
            FileError::Missing => {
                ApiError::new(Code::PolicyFileMissing, "The policy file or folder is not there.")
            }
            FileError::Invalid(files) => ApiError::policy_invalid(&files.first().expect("one is wrong").1),
            FileError::Duplicate { name, .. } => ApiError::policy_named_twice(&name),
        })?;
        let new = revise(sources, store)?;
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        let changed: Vec<_> = new
            .values()
            .map(|loaded| {
                let before = files.get(&loaded.name).map(|before| before.revision);
                (loaded.clone(), before != Some(loaded.revision))
            })
            .collect();
        log(&changed)?;
        *files = Arc::new(new);
        Ok(changed)
    }

    /// The policy of this name that an account sees.
    pub(crate) fn find(&self, account: &str, name: &str) -> Option<Arc<Loaded>> {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        files.get(name).cloned().or_else(|| {
            let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
            accounts.get(account)?.get(name).cloned()
        })
    }

    /// The policy that stands in where no other can.
    pub(crate) fn stand_in(&self) -> Arc<Loaded> {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        files.get(DEFAULT).or_else(|| files.values().next()).cloned().expect("a server starts with a policy")
    }

    /// All that an account sees, by name.
    pub(crate) fn all(&self, account: &str) -> Vec<Arc<Loaded>> {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner).clone();
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        let own = accounts.get(account).into_iter().flat_map(BTreeMap::values);
        let mut all: Vec<Arc<Loaded>> =
            files.values().chain(own.filter(|own| !files.contains_key(&own.name))).cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// The longest time, in days, that any policy of any account keeps events.
    pub(crate) fn longest_audit_retention(&self) -> u32 {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner).clone();
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        let all = files.values().chain(accounts.values().flat_map(BTreeMap::values));
        all.map(|loaded| loaded.policy.audit().retention_days).max().unwrap_or(2555)
    }

    /// Stores a new content of an account's policy; gives it, and whether it differs from the last.
    pub(crate) fn put(
        &self,
        account: &str,
        name: &str,
        yaml: &str,
        policy: Policy,
        store: &dyn Store,
    ) -> Result<(Arc<Loaded>, bool)> {
        let last: Option<PolicyRevision> =
            store.load_by_key(&format!("{account}/{name}"))?.into_iter().next();
        if let Some(last) = &last
            && !last.deleted
            && last.yaml == yaml
            && let Some(loaded) = self.find(account, name)
        {
            return Ok((loaded, false));
        }
        let number = last.map_or(1, |last| last.revision + 1);
        let revision = PolicyRevision::new(account, name, number, yaml, time::now());
        store.save(&revision)?;
        self.set(account, from_revision(revision, policy, false));
        Ok((self.find(account, name).expect("it was just set"), true))
    }

    fn set(&self, account: &str, loaded: Loaded) {
        let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        accounts.entry(account.to_owned()).or_default().insert(loaded.name.clone(), Arc::new(loaded));
    }

    /// Removes an account's policy; its revisions stay, so that reports can show them.
    pub(crate) fn remove(&self, account: &str, name: &str, store: &dyn Store) -> Result<()> {
        let last: Option<PolicyRevision> =
            store.load_by_key(&format!("{account}/{name}"))?.into_iter().next();
        if let Some(last) = last {
            store.save(&PolicyRevision { deleted: true, ..last })?;
        }
        let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        accounts.entry(account.to_owned()).or_default().remove(name);
        Ok(())
    }

    /// An older content of a policy.
    pub(crate) fn revision(
        &self,
        account: &str,
        name: &str,
        revision: i64,
        store: &dyn Store,
    ) -> Result<Option<PolicyRevision>> {
        let owner = match self.find(account, name) {
            Some(loaded) if loaded.is_file => "",
            _ => account,
        };
        Ok(store.load(&format!("{owner}/{name}/{revision:08}"))?)
    }
}

pub(crate) fn describe(error: &FileError) -> Vec<String> {
    match error {
        FileError::Missing => vec!["MASKER_POLICY_PATH: there is no such file or folder".to_owned()],
        FileError::Duplicate { file, name } => {
            vec![format!(
                "{file}: another file has a policy named {name} too ({})",
                PolicyErrorCode::DuplicateName
            )]
        }
        FileError::Invalid(files) => files
            .iter()
            .flat_map(|(file, errors)| {
                errors.iter().map(move |e| {
                    format!("{file}:{}:{}: {}: {} ({})", e.line, e.column, e.path, e.message, e.code)
                })
            })
            .collect(),
    }
}
