//! Asking a part whether it works, when it may never answer.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

/// How long an answer is waited for: `/health` promises its own within a second.
const PATIENCE: Duration = Duration::from_millis(800);

/// A question that is put to one part again and again, once at a time: a part that hangs holds one thread, however often it
/// is asked.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    /// Where the answer to the last question comes.
    last: Mutex<Option<watch::Receiver<Option<bool>>>>,
}

impl Probe {
    /// Whether the part says yes in time. While a question is open, everybody waits for its answer.
    pub(crate) async fn says_yes(&self, question: impl FnOnce() -> bool + Send + 'static) -> bool {
        let mut answer = self.ask(question);
        let said = tokio::time::timeout(PATIENCE, answer.wait_for(Option::is_some)).await;
        matches!(said, Ok(Ok(said)) if *said == Some(true))
    }

    fn ask(&self, question: impl FnOnce() -> bool + Send + 'static) -> watch::Receiver<Option<bool>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // Who panicked or never began has let go of the other end.
        if let Some(open) = last.as_ref().filter(|last| last.borrow().is_none() && last.has_changed().is_ok())
        {
            return open.clone();
        }
        let (tell, answer) = watch::channel(None);
        // A thread of its own, since those of the executor may all wait for the very same part.
        let asked = std::thread::Builder::new().spawn(move || tell.send_replace(Some(question())));
        if asked.is_err() {
            tracing::error!("there is no thread left to ask a part whether it works");
        }
        *last = Some(answer.clone());
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn what_answers_is_believed() {
        let probe = Probe::default();
        assert!(probe.says_yes(|| true).await);
        assert!(!probe.says_yes(|| false).await);
        assert!(!probe.says_yes(|| panic!("as a part may")).await);
        assert!(probe.says_yes(|| true).await, "each question is a new one");
    }

    #[tokio::test]
    async fn what_hangs_is_asked_once_and_waited_for_briefly() {
        let (probe, asked) = (Probe::default(), Arc::new(AtomicUsize::new(0)));
        let (go_on, wait) = mpsc::channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        let ask = || {
            let (asked, wait) = (asked.clone(), wait.clone());
            probe.says_yes(move || {
                asked.fetch_add(1, Ordering::Relaxed);
                wait.lock().unwrap().recv().is_ok()
            })
        };
        let began = Instant::now();
        let answers = futures_util::future::join_all((0..20).map(|_| ask())).await;
        assert!(!answers.contains(&true) && !ask().await);
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        // Once the open question is answered, the next is asked anew.
        go_on.send(()).unwrap();
        go_on.send(()).unwrap();
        while asked.load(Ordering::Relaxed) == 1 {
            ask().await;
        }
        assert!(!ask().await, "nobody answers the third");
        drop(go_on);
    }
}
