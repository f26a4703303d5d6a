//! The process: listening, chores in the background, and an end that loses nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Config, StartError, VaultPlace};
use crate::limits::HEAD_WAIT;
use crate::state::{MOST_WAITING, State};
use crate::store::model::Account;
use crate::store::{Change, Kind};
use crate::time::DAY;
use crate::{agents, connections, sessions};

/// How often writes that failed are tried again.
const PAY_EVERY: Duration = Duration::from_secs(2);
/// How often keyed sessions are looked at.
const IDLE_EVERY: Duration = Duration::from_secs(5);
/// How often the databases put in order what they wrote.
const TIDY_EVERY: Duration = Duration::from_millis(500);
/// How often retention is looked at.
const SWEEP_EVERY: Duration = Duration::from_hours(1);

/// How often it is looked whether a stopping server has answered everybody.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Threads for work that may wait: those of requests, and some for chores.
const BLOCKING_THREADS: usize = MOST_WAITING + 16;

/// A running server.
#[derive(Debug)]
pub struct Handle {
    /// The address it listens on.
    pub address: SocketAddr,
    /// That of the metrics, if any.
    pub metrics_address: Option<SocketAddr>,
    state: Arc<State>,
    stop: watch::Sender<bool>,
    done: tokio::task::JoinHandle<()>,
}

impl Handle {
    /// Refuses new requests, waits for those in flight as long as the settings allow, and writes everything down.
    pub async fn stop(self) {
        self.state.draining.send_replace(true);
        let mut done = self.done;
        let orderly = async {
            // Until the last answer is given, whoever comes is told that the server stops.
            while Arc::strong_count(&self.state.busy) > 1 {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            self.stop.send_replace(true);
            let _ = (&mut done).await;
        };
        if tokio::time::timeout(self.state.config.shutdown, orderly).await.is_err() {
            self.stop.send_replace(true);
            done.abort();
        }
        self.state.blocking(State::stop).await;
    }
}

/// Runs the server until it is told to stop.
///
/// # Errors
///
/// When it cannot start; see [`StartError`].
pub fn serve(config: Config) -> Result<(), StartError> {
    log_to_stdout(&config);
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // One of them is always free of work that waits for a disk.
        .worker_threads(std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2)))
        // More threads than these would wait for the one writer of each file, and cost memory meanwhile.
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .map_err(|error| StartError::Failure(format!("threads: {}", error.kind())))?;
    runtime.block_on(async {
        let state = State::open(config)?;
        let handle = start(state.clone()).await?;
        let policies: Vec<String> = state.policies.all("").iter().map(|loaded| loaded.name.clone()).collect();
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            address = %handle.address,
            policies = policies.join(","),
            passes = "regex,dictionary,spoken",
            missing_passes = "ner",
            "listening"
        );
        wait_for_signal(&state).await;
        tracing::info!("stopping");
        handle.stop().await;
        Ok(())
    })
}

/// Checks settings, keys, policies, database, vault and audit chain, without listening.
///
/// # Errors
///
/// What would keep the server from starting, and a chain that does not hold.
pub fn check(config: Config) -> Result<Vec<String>, StartError> {
    let state = State::open(config)?;
    if let Some(seq) = state.audit.broken_at() {
        return Err(StartError::Policy(vec![format!("the audit chain is broken at event {seq}")]));
    }
    let mut report = vec![
        format!("address: {}", state.config.listen),
        format!("database: {}", state.config.database.display()),
        match &state.config.vault {
            VaultPlace::File(path) => format!("vault: {}", path.display()),
            #[cfg(feature = "postgres")]
            VaultPlace::Postgres(_) => "vault: PostgreSQL".to_owned(),
        },
        "audit chain: ok".to_owned(),
    ];
    report
        .extend(state.policies.all("").iter().map(|l| format!("policy: {} revision {}", l.name, l.revision)));
    state.stop();
    Ok(report)
}

/// Runs the sweep of retention once, with no server running on the data.
///
/// # Errors
///
/// When the data cannot be opened, for one because a server has it.
pub fn run_retention(config: Config) -> Result<String, StartError> {
    let state = State::open(config)?;
    let done = retention(&state).map_err(|error| StartError::Failure(error.message().to_owned()))?;
    state.stop();
    Ok(done)
}

/// Binds the addresses of the settings and serves in the background.
///
/// # Errors
///
/// When an address cannot be bound.
pub async fn start(state: Arc<State>) -> Result<Handle, StartError> {
    let bind = |address: SocketAddr| async move {
        let listener = TcpListener::bind(address).await;
        listener.map_err(|error| StartError::Failure(format!("cannot listen on {address}: {}", error.kind())))
    };
    let listener = bind(state.config.listen).await?;
    let address = listener.local_addr().map_err(|error| StartError::Failure(error.kind().to_string()))?;
    let (stop, stopped) = watch::channel(false);
    let mut metrics_address = None;
    if let Some(wanted) = state.config.metrics {
        let listener = bind(wanted).await?;
        metrics_address = listener.local_addr().ok();
        let router = metrics_router(state.clone());
        tokio::spawn(connections::serve(listener, router, HEAD_WAIT, std::future::pending()));
    }
    let mut told = stopped.clone();
    let told = async move {
        let _ = told.wait_for(|stop| *stop).await;
    };
    let done = tokio::spawn(connections::serve(listener, crate::router::app(state.clone()), HEAD_WAIT, told));
    let chores: [Chore; 4] = [
        (PAY_EVERY, |state| state.owed.pay(state)),
        (IDLE_EVERY, sessions::close_idle),
        (TIDY_EVERY, tidy),
        (SWEEP_EVERY, sweep),
    ];
    for (period, work) in chores {
        tokio::spawn(every(state.clone(), stopped.clone(), period, work));
    }
    Ok(Handle { address, metrics_address, state, stop, done })
}

fn metrics_router(state: Arc<State>) -> axum::Router {
    let handler = move || async move {
        let measured = state.clone();
        let measure = move || match measured.vault.stats() {
            Ok(stats) => {
                measured.metrics.vault_bytes.set(stats.bytes as i64);
                true
            }
            Err(_) => false,
        };
        // A vault that does not answer keeps its last size, and nobody waiting.
        state.vault_size.says_yes(measure).await;
        let text = state.metrics.render();
        ([("content-type", "text/plain; version=0.0.4")], text)
    };
    axum::Router::new().route("/metrics", axum::routing::get(handler))
}

/// How often something is done, and what.
type Chore = (Duration, fn(&State));

/// Does something now and then until the server stops.
async fn every(state: Arc<State>, mut stopped: watch::Receiver<bool>, period: Duration, work: fn(&State)) {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            _ = ticks.tick() => state.blocking(work).await,
        }
    }
}

/// Lets go what is older than it may be; tells what went.
pub(crate) fn retention(state: &State) -> crate::error::Result<String> {
    let agents = agents::delete::sweep(state)?;
    agents::delete::retry_cleanups(state)?;
    let now = crate::time::now();
    let accounts: Vec<Account> = state.store.load_all(None)?;
    let (mut sessions, mut payloads) = (0, 0);
    for account in accounts {
        let days = account.session_retention_days.unwrap_or(state.config.retention.session_days);
        let before = now - i64::from(state.config.retention.payload_days) * DAY;
        let (of_sessions, of_payloads) =
            state.store.sweep(&account.id, now - i64::from(days) * DAY, before)?;
        sessions += of_sessions;
        payloads += of_payloads;
    }
    let expired = [Kind::Code, Kind::Cookie, Kind::Invitation];
    state.store.write(expired.map(|kind| Change::DeleteExpired(kind, now)).into())?;
    let keep = i64::from(state.policies.longest_audit_retention()) * DAY;
    let events = if state.audit.is_up() { state.audit.prune(now - keep)? } else { 0 };
    Ok(format!("agents {agents}, sessions {sessions}, payloads {payloads}, audit events {events}"))
}

fn tidy(state: &State) {
    if let Err(error) = state.store.tidy() {
        tracing::error!(reason = %error, "the log of the database was not copied");
    }
    if let Err(error) = state.vault.tidy() {
        tracing::error!(reason = %error, "the log of the vault was not copied");
    }
}

fn sweep(state: &State) {
    if let Err(error) = retention(state) {
        tracing::error!(reason = error.message(), "the sweep was not done");
    }
}

/// Waits for the signal to end; one to reload is obeyed meanwhile.
async fn wait_for_signal(state: &Arc<State>) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut term), Ok(mut hang_up)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup()))
        else {
            let _ = tokio::signal::ctrl_c().await;
            return;
        };
        loop {
            tokio::select! {
                _ = term.recv() => return,
                _ = tokio::signal::ctrl_c() => return,
                _ = hang_up.recv() => {
                    let result = state.blocking(crate::routes::reload_policies).await;
                    match result {
                        Ok(()) => tracing::info!("policies reloaded"),
                        Err(error) => tracing::error!(code = error.code().as_str(), "policies were not reloaded"),
                    }
                }
            }
        }
    }
    #[cfg(not(unix))]
    {
        let _ = state;
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// Only masker's own lines are written: those of libraries may hold what passes through them.
fn log_to_stdout(config: &Config) {
    let filter = Targets::new().with_target("masker_server", config.log_level);
    let layer = tracing_subscriber::fmt::layer();
    let registry = tracing_subscriber::registry();
    // A second server in one process logs to where the first does.
    let _ = if config.log_json {
        registry
            .with(layer.json().flatten_event(true).with_current_span(false).with_filter(filter))
            .try_init()
    } else {
        registry.with(layer.with_filter(filter)).try_init()
    };
}
