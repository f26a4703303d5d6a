use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::broadcast;

/// How many ended sessions can be asked for again.
const KEPT: usize = 1_000;

/// A session that ended.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    pub(crate) number: u64,
    pub(crate) account: String,
    pub(crate) agent: String,
    pub(crate) team: Option<String>,
    pub(crate) summary: Value,
}

/// Tells listeners of sessions that end.
#[derive(Debug)]
pub(crate) struct Feed {
    kept: Mutex<(u64, VecDeque<Arc<Finished>>)>,
    sender: broadcast::Sender<Arc<Finished>>,
}

impl Default for Feed {
    fn default() -> Self {
        // Numbers of different runs do not meet, so that an id of an earlier one asks for nothing.
        let first = crate::time::now().max(0) as u64 * 1000;
        Self { kept: Mutex::new((first, VecDeque::new())), sender: broadcast::Sender::new(256) }
    }
}

impl Feed {
    pub(crate) fn publish(&self, account: &str, agent: &str, team: Option<String>, summary: Value) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.0 += 1;
        let (account, agent) = (account.to_owned(), agent.to_owned());
        let ended = Arc::new(Finished { number: kept.0, account, agent, team, summary });
        if kept.1.len() == KEPT {
            kept.1.pop_front();
        }
        kept.1.push_back(ended.clone());
        // Sent under the lock, so that whoever listens from here on misses and repeats nothing.
        let _ = self.sender.send(ended);
    }

    /// What ended after a number, and what will.
    pub(crate) fn listen(
        &self,
        after: Option<u64>,
    ) -> (Vec<Arc<Finished>>, broadcast::Receiver<Arc<Finished>>) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let since = kept.1.iter().filter(|ended| after.is_some_and(|after| ended.number > after)).cloned();
        (since.collect(), self.sender.subscribe())
    }
}
