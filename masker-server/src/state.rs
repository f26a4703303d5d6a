//! What every request shares.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Once, Weak};
#[cfg(feature = "postgres")]
use std::time::Duration;
use std::time::Instant;

use masker_core::audit::{AuditEvent, EventKind};
use masker_core::{ErrorKind, SqliteOptions, SqliteVault, Vault, VaultError};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Semaphore, watch};

use crate::agents::Registry;
use crate::audit::Audit;
use crate::auth::github::UsedStates;
use crate::config::{self, Config, StartError, VaultPlace};
use crate::crypto::ServerKeys;
use crate::limits::{AUTH_RATE, Limiter};
use crate::metrics::Metrics;
use crate::owed::Owed;
use crate::policies::Policies;
use crate::probe::Probe;
use crate::sessions::Feed;
use crate::store::{SqliteStore, Store};
use crate::webhooks::{self, Webhooks};

/// How long the start waits for a vault on the network.
#[cfg(feature = "postgres")]
const VAULT_WAIT: Duration = Duration::from_secs(30);

/// Requests that wait for a disk or a database at a time, each on a thread. Where nothing below answers any more, further ones
/// must not take the threads that the executor itself needs to go on.
pub(crate) const MOST_WAITING: usize = 48;

/// What health says of something that is used now and then.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    used_at: AtomicI64,
    /// 0 well, 1 failed.
    failed: AtomicU8,
}

impl Gauge {
    pub(crate) fn note(&self, well: bool) {
        self.failed.store(u8::from(!well), Ordering::Relaxed);
        self.used_at.store(crate::time::now(), Ordering::Relaxed);
    }

    pub(crate) fn status(&self) -> &'static str {
        let idle = crate::time::now() - self.used_at.load(Ordering::Relaxed) > 60_000;
        match (idle, self.failed.load(Ordering::Relaxed)) {
            (true, _) => "idle",
            (false, 0) => "ok",
            (false, _) => "degraded",
        }
    }

    /// Whether the last use failed, and not long ago.
    pub(crate) fn has_failed(&self) -> bool {
        self.status() == "degraded"
    }
}

/// The server: settings, stores, agents. Every request has a hand on the one value.
pub struct State {
    pub(crate) config: Config,
    pub(crate) keys: ServerKeys,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) audit: Audit,
    pub(crate) policies: Policies,
    pub(crate) agents: Registry,
    pub(crate) feed: Feed,
    /// What the store is to be told once it can be written again.
    pub(crate) owed: Owed,
    pub(crate) webhooks: Webhooks,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) api_limiter: Option<Limiter>,
    pub(crate) proxy_limiter: Option<Limiter>,
    pub(crate) auth_limiter: Limiter,
    pub(crate) http: reqwest::Client,
    pub(crate) upstream_gauge: Gauge,
    /// Whether sessions can be written down.
    pub(crate) store_gauge: Gauge,
    /// Whether originals can be kept.
    pub(crate) vault_gauge: Gauge,
    pub(crate) store_probe: Probe,
    pub(crate) vault_probe: Probe,
    /// How much the vault holds, which metrics tell.
    pub(crate) vault_size: Probe,
    pub(crate) used_states: UsedStates,
    pub(crate) started: Instant,
    pub(crate) draining: watch::Sender<bool>,
    /// One hand for every request that is being answered.
    pub(crate) busy: Arc<()>,
    /// Threads of the executor that run something brief.
    waiting: AtomicUsize,
    /// A place for each request that may wait beside the executor; who finds none waits without a thread.
    places: Semaphore,
    itself: Weak<Self>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("listen", &self.config.listen).finish_non_exhaustive()
    }
}

impl State {
    /// Opens database, vault and audit log, loads policies and agents, and closes sessions that a kill left open.
    ///
    /// # Errors
    ///
    /// By what has to be mended; see [`StartError`].
    pub fn open(config: Config) -> Result<Arc<Self>, StartError> {
        let failure =
            |what: &str, error: &dyn std::fmt::Display| StartError::Failure(format!("{what}: {error}"));
        let mut files = vec![&config.database];
        match &config.vault {
            VaultPlace::File(path) => files.push(path),
            #[cfg(feature = "postgres")]
            VaultPlace::Postgres(_) => {}
        }
        for path in files {
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                config::make_folder(folder)
                    .map_err(|error| failure(&folder.display().to_string(), &error.kind()))?;
            }
        }
        let metrics = Arc::new(Metrics::new());
        let store = SqliteStore::open(&config.database).map_err(|error| failure("database", &error))?;
        let file = Arc::new(store);
        let store: Arc<dyn Store> = file.clone();
        // The lock of the log keeps a second server from the same data; nothing is changed before it is held.
        let audit = Audit::open(&config.audit, store.clone(), metrics.clone())?;
        file.forget_running().map_err(|error| failure("database", &error))?;
        let vault = open_vault(&config.vault).map_err(|error| failure("vault", &error))?;
        let policies = Policies::start(&config, &*store)?;
        let webhooks = Webhooks::load(&*store).map_err(|error| failure("webhooks", &error))?;
        let http = client(&config)?;
        let state = Arc::new_cyclic(|itself| Self {
            itself: itself.clone(),
            webhooks,
            keys: ServerKeys::new(&config.session_secret, &config.storage_key),
            vault,
            audit,
            policies,
            agents: Registry::default(),
            feed: Feed::default(),
            owed: Owed::default(),
            metrics,
            api_limiter: config.rates.api.map(Limiter::new),
            proxy_limiter: config.rates.proxy.map(Limiter::new),
            auth_limiter: Limiter::new(AUTH_RATE),
            http,
            upstream_gauge: Gauge::default(),
            store_gauge: Gauge::default(),
            vault_gauge: Gauge::default(),
            store_probe: Probe::default(),
            vault_probe: Probe::default(),
            vault_size: Probe::default(),
            used_states: UsedStates::default(),
            started: Instant::now(),
            draining: watch::Sender::new(false),
            busy: Arc::default(),
            waiting: AtomicUsize::new(0),
            places: Semaphore::new(MOST_WAITING),
            store,
            config,
        });
        state.agents.load(&state).map_err(|error| failure("agents", &error.message()))?;
        if state.audit.is_up() {
            let closed = crate::sessions::close_orphans(&state)
                .map_err(|error| failure("sessions", &error.message()))?;
            let started = AuditEvent::new(EventKind::ServerStarted, "")
                .actor("system", "server")
                .data("version", env!("CARGO_PKG_VERSION"))
                .data("sessions_closed", closed);
            state.audit.append_one(started).map_err(|error| failure("audit log", &error.message()))?;
            state.audit.deliver(&*state.store).map_err(|error| failure("audit log", &error.message()))?;
        } else {
            webhooks::chain_broken(&state, state.audit.broken_at());
        }
        Ok(state)
    }

    /// A hand on it for work that outlives the call.
    pub(crate) fn itself(&self) -> Option<Arc<Self>> {
        self.itself.upgrade()
    }

    /// Runs work that may wait for a disk on a thread that may.
    pub(crate) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> T {
        let state = self.clone();
        match tokio::task::spawn_blocking(move || work(&state)).await {
            Ok(value) => value,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Runs work of a request that may take long, and lets the executor go on with the rest on another thread meanwhile.
    pub(crate) async fn wait<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Panicked> {
        self.run(work, false).await
    }

    /// Runs work of a request that waits for a disk at most, and mostly for microseconds.
    ///
    /// It runs where the request is: waking another thread takes longer than the work does. All threads of the executor but
    /// one may wait like this; on the last one the executor moves on first, so that however long a disk takes, what does not
    /// need it is not held up.
    pub(crate) async fn briefly<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Panicked> {
        // A vault at the other end of a network is not brief, and waits on an executor of its own.
        let is_brief = matches!(self.config.vault, VaultPlace::File(_));
        self.run(work, is_brief).await
    }

    /// Runs work on the thread of the request. An executor of one thread has no other to go on with, and there the work goes.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
        is_brief: bool,
    ) -> Result<T, Panicked> {
        let executor = Handle::current();
        if executor.runtime_flavor() != RuntimeFlavor::MultiThread {
            return tokio::task::spawn_blocking(work).await.map_err(|_| Panicked);
        }
        let one = usize::from(is_brief);
        let waiting = self.waiting.fetch_add(one, Ordering::AcqRel) + 1;
        let stays = is_brief && waiting < executor.metrics().num_workers();
        let _place = if stays {
            None
        } else {
            self.waiting.fetch_sub(one, Ordering::AcqRel);
            let place = self.places.acquire().await.map_err(|_| Panicked)?;
            self.waiting.fetch_add(one, Ordering::AcqRel);
            Some(place)
        };
        // What a panic leaves half done is dropped with the work.
        let done = std::panic::catch_unwind(AssertUnwindSafe(|| {
            if stays { work() } else { tokio::task::block_in_place(work) }
        }));
        self.waiting.fetch_sub(one, Ordering::AcqRel);
        done.map_err(|_| Panicked)
    }

    /// Notes whether masking could keep what it replaced.
    pub(crate) fn masked<T>(&self, masked: Result<T, masker_core::Error>) -> Result<T, masker_core::Error> {
        match &masked {
            Ok(_) => self.vault_gauge.note(true),
            Err(error) if error.kind() == ErrorKind::Vault => self.vault_gauge.note(false),
            Err(_) => {}
        }
        masked
    }

    pub(crate) fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// The address of the caller: what a proxy that is trusted says, else the other end of the connection.
    pub(crate) fn client_address(&self, peer: Option<IpAddr>, forwarded: Option<&str>) -> IpAddr {
        let peer = peer.unwrap_or_else(|| IpAddr::from([127, 0, 0, 1])).to_canonical();
        let trusted =
            |address: IpAddr| self.config.trusted_proxies.iter().any(|range| range.contains(address));
        let mut address = peer;
        // From right to left: each proxy adds the address it saw.
        for part in forwarded.unwrap_or_default().rsplit(',') {
            if !trusted(address) {
                break;
            }
            match part.trim().parse::<IpAddr>() {
                Ok(next) => address = next.to_canonical(),
                Err(_) => break,
            }
        }
        address
    }

    /// Says in the log that the server ends, and writes everything down.
    pub(crate) fn stop(&self) {
        self.owed.pay(self);
        let stopped = AuditEvent::new(EventKind::ServerStopped, "").actor("system", "server");
        let _ = self.audit.append_one(stopped);
    }
}

/// Work that was begun and panicked.
#[derive(Debug)]
pub(crate) struct Panicked;

fn open_vault(place: &VaultPlace) -> Result<Arc<dyn Vault>, VaultError> {
    match place {
        VaultPlace::File(path) => {
            let options = SqliteOptions::default().checkpoints_apart(true);
            Ok(Arc::new(SqliteVault::open_with(path, options)?))
        }
        #[cfg(feature = "postgres")]
        VaultPlace::Postgres(url) => {
            // Connecting runs an executor of its own, which has no place on a thread of another. A server that takes the
            // connection and says nothing is not waited for without end.
            let (url, (tell, told)) = (url.clone(), std::sync::mpsc::channel());
            std::thread::spawn(move || {
                let _ = tell.send(masker_core::PostgresVault::connect(url.expose()));
            });
            let vault = told.recv_timeout(VAULT_WAIT).map_err(|_| {
                let reason = format!("no answer within {} seconds", VAULT_WAIT.as_secs());
                VaultError::Storage { reason }
            })?;
            Ok(Arc::new(vault?))
        }
    }
}

/// The client for upstreams: a time to connect, none for the whole, since a stream may last.
fn client(config: &Config) -> Result<reqwest::Client, StartError> {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Another part of the process may have chosen one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder()
        .connect_timeout(config.upstream.timeout)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("masker/", env!("CARGO_PKG_VERSION")))
        .tcp_nodelay(true)
        .no_proxy()
        .build()
        .map_err(|error| StartError::Failure(format!("HTTP client: {}", error.without_url())))
}

/// A server for tests of what has no path of its own.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// One in a temporary folder, with the token of its owner.
    pub(crate) fn opened() -> (tempfile::TempDir, Arc<State>, String) {
        let folder = tempfile::tempdir().unwrap();
        let vars = [("MASKER_DEV", "1"), ("MASKER_DATA_DIR", folder.path().to_str().unwrap())];
        let config =
            Config::from_vars(vars.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
        let made = crate::bootstrap(config.database(), config.public_url(), "alice", true, false).unwrap();
        (folder, State::open(config).unwrap(), made.token.unwrap())
    }
}
