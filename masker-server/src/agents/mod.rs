//! Agents: named configurations with a life of their own.

pub(crate) mod delete;
pub(crate) mod fields;
mod view;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use masker_core::{Masker, Reference, Scheme, Scope};

pub(crate) use self::view::{detail, list_item, snapshot};
use crate::config::{SecretString, UpstreamConfig};
use crate::error::{ApiError, Code, Result};
use crate::policies::{self, Loaded};
use crate::sessions::Live;
use crate::state::State;
use crate::store::Change;
use crate::store::model::{Agent, Deletion, Mode, PolicySource, RehydrateScope, Status};

/// Names of the secrets of an agent.
pub(crate) const SECRETS: [&str; 4] = ["webhook_secret", "upstream_api_key", "vapi_api_key", "proxy_key"];

/// An agent ready to serve: requests use the one they began with to their end.
pub(crate) struct Runtime {
    pub(crate) agent: Agent,
    pub(crate) policy: Arc<Loaded>,
    pub(crate) masker: Masker,
    secrets: HashMap<&'static str, SecretString>,
}

impl Runtime {
    /// Puts policy, keys and secrets together.
    pub(crate) fn build(state: &State, agent: Agent) -> Result<Self> {
        let policy = match &agent.policy {
            PolicySource::Inline { yaml, revision } => {
                let checked = policies::check(yaml, &state.config.keys, state.config.retention.payload_days);
                let policy = checked.map_err(|errors| ApiError::policy_invalid(&errors))?;
                Arc::new(Loaded::inline(yaml, policy, *revision, agent.updated_at))
            }
            PolicySource::Named(name) => {
                state.policies.find(&agent.account_id, name).unwrap_or_else(|| state.policies.stand_in())
            }
        };
        let masker = masker(state, &agent, &policy, "")?;
        // Reports show the text that a session ran under, long after it has changed.
        let name = text_name(&policy.sha256);
        if state.store.meta(&name)?.is_none() {
            state.store.set_meta(&name, &policy.yaml)?;
        }
        let mut secrets = HashMap::new();
        for name in SECRETS {
            if let Some(sealed) = agent.secrets.get(name) {
                let opened = state.keys.open_secret(&format!("{}/{name}", agent.id), sealed);
                let opened = opened
                    .ok_or_else(|| ApiError::internal(&"a secret does not open under MASKER_AEAD_KEY"))?;
                secrets.insert(name, SecretString::new(opened));
            }
        }
        Ok(Self { agent, policy, masker, secrets })
    }

    pub(crate) fn secret(&self, name: &str) -> Option<&str> {
        self.secrets.get(name).map(SecretString::expose)
    }

    /// The scheme in force.
    pub(crate) fn tokenization(&self) -> &str {
        self.agent.tokenization.as_deref().unwrap_or_else(|| self.policy.policy.scheme().as_str())
    }

    /// The model of the upstream, or the upstream itself where it has none of its own: `openai:*`, `stub`.
    pub(crate) fn model(&self) -> &str {
        self.agent
            .upstream
            .strip_prefix("openai:")
            .filter(|model| *model != "*")
            .unwrap_or(&self.agent.upstream)
    }

    /// The model that requests are sent to where they name none.
    pub(crate) fn default_model<'a>(&'a self, settings: &'a UpstreamConfig) -> &'a str {
        if self.agent.upstream == "openai:*" { &settings.default_model } else { self.model() }
    }

    /// Whether requests may name a model.
    pub(crate) fn takes_model(&self, settings: &UpstreamConfig, asked: &str) -> bool {
        asked == self.default_model(settings)
            || matches!(self.agent.upstream.as_str(), "stub" | "openai:*")
            || self.agent.allowed_models.iter().any(|model| model == asked || model == "*")
    }
}

/// The name under which a policy's text is kept.
pub(crate) fn text_name(sha256: &str) -> String {
    format!("policy_text/{sha256}")
}

/// A masker for an agent, and for one person's data where `subject` names one.
pub(crate) fn masker(state: &State, agent: &Agent, policy: &Loaded, subject: &str) -> Result<Masker> {
    use masker_core::policy::TokenScope;
    let mut rules = policy.policy.clone();
    if let Some(scheme) = agent.tokenization.as_deref().and_then(|name| name.parse::<Scheme>().ok()) {
        rules = rules.with_scheme(scheme);
    }
    // Tokens that every session of an agent may restore are the agent's own, so that no other agent's are among them.
    let is_agents =
        rules.token_scope() == TokenScope::Agent || agent.rehydrate_scope == RehydrateScope::Agent;
    let scope: Scope =
        if is_agents { agent.id.parse() } else { agent.account_id.parse() }.expect("ids are scope ids");
    let builder = Masker::builder().policy(rules).keys(state.config.keys.clone()).vault(state.vault.clone());
    let builder = builder.wipe_buffers(state.config.wipe_buffers);
    Ok(builder.scope(scope).reference(Reference::new(&agent.id, subject)).build()?)
}

/// The open sessions of an agent.
#[derive(Default)]
pub(crate) struct Open {
    pub(crate) sessions: HashMap<String, Arc<Live>>,
    pub(crate) by_key: HashMap<String, Arc<Live>>,
    /// The agent is gone; nothing opens any more.
    pub(crate) closed: bool,
}

/// The place of an agent in memory: its configuration, and the calls that go on. What is counted and acted upon is under one
/// lock, so that between a check and a deletion nothing opens.
pub(crate) struct Slot {
    pub(crate) id: String,
    pub(crate) account_id: String,
    runtime: RwLock<Arc<Runtime>>,
    open: Mutex<Open>,
    /// Set with the writers of sessions shut out, so that what a purge removed is not written again.
    purged: RwLock<bool>,
    alive: AtomicBool,
}

impl Slot {
    fn new(runtime: Runtime) -> Self {
        Self {
            id: runtime.agent.id.clone(),
            account_id: runtime.agent.account_id.clone(),
            runtime: RwLock::new(Arc::new(runtime)),
            open: Mutex::default(),
            purged: RwLock::new(false),
            alive: AtomicBool::new(true),
        }
    }

    pub(crate) fn runtime(&self) -> Arc<Runtime> {
        self.runtime.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, runtime: Runtime) {
        *self.runtime.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(runtime);
    }

    pub(crate) fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    /// Runs a write about a session, unless the agent was purged with its data.
    pub(crate) fn unless_purged(&self, write: impl FnOnce() -> Result<()>) -> Result<()> {
        let purged = self.purged.read().unwrap_or_else(PoisonError::into_inner);
        if *purged { Ok(()) } else { write() }
    }

    fn set_purged(&self, purged: bool) {
        *self.purged.write().unwrap_or_else(PoisonError::into_inner) = purged;
    }

    pub(crate) fn active_calls(&self, state: &State) -> usize {
        self.open().sessions.values().filter(|live| live.is_active(state)).count()
    }
}

/// The agents that are not deleted.
#[derive(Default)]
pub(crate) struct Registry {
    slots: RwLock<HashMap<String, Arc<Slot>>>,
    /// Those that are deleted, and in which calls go on or are not closed yet.
    draining: Mutex<Vec<Arc<Slot>>>,
    /// Held while agents are made, changed or removed.
    changing: Mutex<()>,
}

impl Registry {
    pub(crate) fn load(&self, state: &State) -> Result<()> {
        let agents: Vec<Agent> = state.store.load_all(None)?;
        for agent in agents.into_iter().filter(|agent| agent.status != Status::Deleted) {
            self.add(state, Runtime::build(state, agent)?);
        }
        Ok(())
    }

    pub(crate) fn change(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, state: &State, runtime: Runtime) -> Arc<Slot> {
        let slot = Arc::new(Slot::new(runtime));
        self.slots.write().unwrap_or_else(PoisonError::into_inner).insert(slot.id.clone(), slot.clone());
        self.gauge(state);
        slot
    }

    fn remove(&self, state: &State, slot: &Slot) {
        slot.alive.store(false, Ordering::Release);
        let removed = self.slots.write().unwrap_or_else(PoisonError::into_inner).remove(&slot.id);
        self.draining.lock().unwrap_or_else(PoisonError::into_inner).extend(removed);
        self.gauge(state);
    }

    /// The deleted agents in which sessions are still open. A session and its agent hold each other until it is closed.
    pub(crate) fn draining(&self) -> Vec<Arc<Slot>> {
        let mut draining = self.draining.lock().unwrap_or_else(PoisonError::into_inner);
        draining.retain(|slot| !slot.open().sessions.is_empty());
        draining.clone()
    }

    fn gauge(&self, state: &State) {
        let all = self.all();
        for status in [Status::Active, Status::Paused, Status::Archived, Status::Ended] {
            let count = all.iter().filter(|slot| slot.runtime().agent.status == status).count();
            state.metrics.agents.with_label_values(&[status.as_str()]).set(count as i64);
        }
    }

    pub(crate) fn find(&self, id: &str) -> Option<Arc<Slot>> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    pub(crate) fn is_alive(&self, id: &str) -> bool {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).contains_key(id)
    }

    pub(crate) fn all(&self) -> Vec<Arc<Slot>> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(crate) fn of_account(&self, account: &str) -> Vec<Arc<Slot>> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        slots.values().filter(|slot| slot.account_id == account).cloned().collect()
    }

    /// Makes the agents that use a policy by name use it as it is now.
    pub(crate) fn refresh(&self, state: &State, uses: impl Fn(&Agent) -> bool) -> Result<()> {
        for slot in self.all() {
            let agent = slot.runtime().agent.clone();
            if uses(&agent) {
                slot.set(Runtime::build(state, agent)?);
            }
        }
        Ok(())
    }

    /// The open session with this id.
    pub(crate) fn live(&self, session: &str) -> Option<Arc<Live>> {
        self.all().into_iter().find_map(|slot| slot.open().sessions.get(session).cloned())
    }
}

/// Ids of the agents that an account has or had, but for those that were purged with their tokens. It reads every receipt of the
/// account.
pub(crate) fn ever(state: &State, account: &str) -> Result<Vec<String>> {
    let stored: Vec<Agent> = state.store.load_all(Some(account))?;
    let mut ids: Vec<String> = stored.into_iter().map(|agent| agent.id).collect();
    let mut after: Option<(i64, String)> = None;
    loop {
        let page: Vec<Deletion> = state.store.load_page(account, None, after.as_ref(), RECEIPTS)?;
        after = page.last().map(|last| (last.deleted_at, last.id.clone()));
        ids.extend(page.into_iter().filter(|d| d.mode != Mode::Purge).map(|d| d.agent_id));
        if after.is_none() {
            break;
        }
    }
    ids.sort();
    ids.dedup();
    Ok(ids)
}

/// Receipts held in memory at a time; each has the configuration of its agent.
const RECEIPTS: usize = 100;

/// How many agents count against the limit of an account.
fn counted(state: &State, account: &str) -> usize {
    let agents = state.agents.of_account(account);
    agents.iter().filter(|slot| slot.runtime().agent.status != Status::Archived).count()
}

/// Refuses one agent more than the account may have. The caller holds the registry.
pub(crate) fn check_limit(state: &State, account: &str) -> Result<()> {
    let account: Option<crate::store::model::Account> = state.store.load(account)?;
    let Some((account, limit)) = account.and_then(|account| Some((account.id.clone(), account.agent_limit?)))
    else {
        return Ok(());
    };
    let current = counted(state, &account);
    if current < limit as usize {
        return Ok(());
    }
    let message = "The account has as many agents as it may; archive or delete one.";
    Err(ApiError::new(Code::AgentLimitReached, message).with("limit", limit).with("current", current))
}

/// A name for comparing without regard to case: each letter for itself, as the simple case folding of Unicode has it, so that ß is
/// not ss while both small forms of the sigma are one.
pub(crate) fn folded(name: &str) -> String {
    fn only(mut letters: impl ExactSizeIterator<Item = char>) -> Option<char> {
        letters.next().filter(|_| letters.len() == 0)
    }
    let fold = |letter: char| {
        let capital = only(letter.to_uppercase()).unwrap_or(letter);
        only(capital.to_lowercase()).unwrap_or(capital)
    };
    name.chars().map(fold).collect()
}

/// Refuses a name or phone number that another agent of the account has. The caller holds the registry.
pub(crate) fn check_unique(state: &State, agent: &Agent) -> Result<()> {
    let others: Vec<Arc<Runtime>> = state
        .agents
        .of_account(&agent.account_id)
        .iter()
        .filter(|slot| slot.id != agent.id)
        .map(|slot| slot.runtime())
        .collect();
    let name = folded(&agent.name);
    if others.iter().any(|other| folded(&other.agent.name) == name) {
        return Err(ApiError::new(Code::NameTaken, "Another agent of this account has the name."));
    }
    let is_taken = |number: &String| others.iter().any(|other| other.agent.phone_numbers.contains(number));
    if agent.phone_numbers.iter().any(is_taken) {
        return Err(ApiError::new(Code::PhoneNumberTaken, "A phone number belongs to another agent."));
    }
    Ok(())
}

/// Stores a new agent and lets it serve. The caller holds the registry.
pub(crate) fn insert(state: &State, agent: Agent) -> Result<Arc<Slot>> {
    let runtime = Runtime::build(state, agent)?;
    let mut changes = vec![Change::put(&runtime.agent)];
    if runtime.agent.team_id.is_some() {
        changes.push(set_team(&runtime.agent));
    }
    state.store.write(changes)?;
    Ok(state.agents.add(state, runtime))
}

/// Stores a changed agent; requests that begin from here on see it. The caller holds the registry.
pub(crate) fn update(state: &State, slot: &Slot, mut agent: Agent) -> Result<()> {
    agent.updated_at = crate::time::now();
    agent.revision += 1;
    let runtime = Runtime::build(state, agent)?;
    let mut changes = vec![Change::put(&runtime.agent)];
    if runtime.agent.team_id != slot.runtime().agent.team_id {
        changes.push(set_team(&runtime.agent));
    }
    state.store.write(changes)?;
    slot.set(runtime);
    state.agents.gauge(state);
    Ok(())
}

/// Who may see an agent may see its sessions.
fn set_team(agent: &Agent) -> Change {
    Change::SetTeam {
        account: agent.account_id.clone(),
        agent: agent.id.clone(),
        team: agent.team_id.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::folded;

    #[test]
    fn letters_fold_one_by_one() {
        for (one, other) in
            [("Refill", "rEFILL"), ("ΣΊΣΥΦΟΣ", "σίσυφος"), ("\u{212a}m", "km"), ("ſo", "So"), ("Ǆ", "ǅ")]
        {
            assert_eq!(folded(one), folded(other), "{one}");
        }
        for (one, other) in [("straße", "strasse"), ("é", "e"), ("İ", "i")] {
            assert_ne!(folded(one), folded(other), "{one}");
        }
    }
}
