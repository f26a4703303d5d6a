//! Counters for Prometheus. No label has text of anybody, and no agent's id, which would open its proxy.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

/// Agents beyond this many share the label `other`.
const MOST_AGENTS: usize = 1_000;
const SECONDS: [f64; 14] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// The stages of a proxied request, in the order in which their times are kept.
pub(crate) const STAGES: [&str; 4] = ["detection", "tokenize", "upstream", "rehydrate"];

pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    redactions: IntCounterVec,
    rehydration_failures: IntCounterVec,
    pub(crate) vault_bytes: IntGauge,
    pub(crate) active_sessions: IntGauge,
    /// Steps of sessions that could not be written down.
    pub(crate) unwritten: IntCounter,
    pub(crate) agents: IntGaugeVec,
    audit_events: IntCounter,
    audit_seconds: Histogram,
    known_agents: Mutex<HashSet<String>>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let registry = Registry::new();
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let made =
                IntCounterVec::new(Opts::new(name, help), labels).expect("names and labels are literals");
            registry.register(Box::new(made.clone())).expect("names are distinct");
            made
        };
        let gauge = |name: &str, help: &str| {
            let made = IntGauge::new(name, help).expect("names are literals");
            registry.register(Box::new(made.clone())).expect("names are distinct");
            made
        };
        let durations = HistogramVec::new(
            HistogramOpts::new("masker_request_duration_seconds", "Time of proxied requests by stage.")
                .buckets(SECONDS.to_vec()),
            &["stage"],
        )
        .expect("names and labels are literals");
        let audit_seconds = Histogram::with_opts(
            HistogramOpts::new("masker_audit_append_seconds", "Time to append audit events.")
                .buckets(SECONDS.to_vec()),
        )
        .expect("names are literals");
        let audit_events = IntCounter::new("masker_audit_events_total", "Audit events appended.")
            .expect("names are literals");
        let agents = IntGaugeVec::new(Opts::new("masker_agents", "Agents by status."), &["status"])
            .expect("names and labels are literals");
        let unwritten = IntCounter::new(
            "masker_session_write_failures_total",
            "Steps of sessions that could not be written down.",
        )
        .expect("names are literals");
        registry.register(Box::new(unwritten.clone())).expect("names are distinct");
        registry.register(Box::new(durations.clone())).expect("names are distinct");
        registry.register(Box::new(audit_seconds.clone())).expect("names are distinct");
        registry.register(Box::new(audit_events.clone())).expect("names are distinct");
        registry.register(Box::new(agents.clone())).expect("names are distinct");
        // A counter without a label yet would not be shown; this build leaves no pass out.
        let degraded =
            counters("masker_detection_degraded_total", "Passes left out of a detection.", &["pass"]);
        degraded.with_label_values(&["ner"]);
        Self {
            requests: counters(
                "masker_requests_total",
                "Requests by agent and HTTP status.",
                &["agent", "status"],
            ),
            redactions: counters(
                "masker_redactions_total",
                "Replaced spans by kind and pass.",
                &["kind", "pass"],
            ),
            rehydration_failures: counters(
                "masker_rehydration_failures_total",
                "Tokens that could not be restored.",
                &["reason"],
            ),
            vault_bytes: gauge("masker_vault_size_bytes", "Size of the vault."),
            active_sessions: gauge("masker_active_sessions", "Open sessions."),
            durations,
            agents,
            audit_events,
            audit_seconds,
            unwritten,
            known_agents: Mutex::new(HashSet::new()),
            registry,
        }
    }

    /// Counts a request of the proxy or the webhook; requests that reach no agent have the label `none`.
    pub(crate) fn requested(&self, agent: Option<&str>, status: u16) {
        let label = agent.map_or_else(|| "none".to_owned(), |agent| self.agent_label(agent));
        self.requests.with_label_values(&[label.as_str(), status.to_string().as_str()]).inc();
    }

    fn agent_label(&self, agent: &str) -> String {
        let label = crate::crypto::sha256_hex(agent.as_bytes())[..8].to_owned();
        let mut known = self.known_agents.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(&label) {
            return label;
        }
        if known.len() >= MOST_AGENTS {
            return "other".to_owned();
        }
        known.insert(label.clone());
        label
    }

    pub(crate) fn staged(&self, stages_us: &[u64; 4], total: Duration) {
        for (stage, us) in STAGES.iter().zip(stages_us) {
            self.durations.with_label_values(&[*stage]).observe(Duration::from_micros(*us).as_secs_f64());
        }
        self.durations.with_label_values(&["total"]).observe(total.as_secs_f64());
    }

    pub(crate) fn redacted(&self, kind: &str, pass: &str) {
        self.redactions.with_label_values(&[kind, pass]).inc();
    }

    pub(crate) fn not_restored(&self, reason: &str) {
        self.rehydration_failures.with_label_values(&[reason]).inc();
    }

    pub(crate) fn audited(&self, events: usize, took: Duration) {
        self.audit_events.inc_by(events as u64);
        self.audit_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn render(&self) -> String {
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }
}
