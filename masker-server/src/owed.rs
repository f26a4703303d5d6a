//! Writes that failed and have to be made up for.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::Result;
use crate::state::State;

type Write = Box<dyn Fn(&State) -> Result<()> + Send>;

/// What the store does not have, because it could not be written when that was due, and is told as soon as it can be.
#[derive(Default)]
pub(crate) struct Owed(Mutex<VecDeque<Write>>);

impl Owed {
    /// Keeps a write until it is done. It may be tried any number of times.
    pub(crate) fn add(&self, write: impl Fn(&State) -> Result<()> + Send + 'static) {
        self.waiting().push_back(Box::new(write));
    }

    /// Tries each write, up to the first that fails again: a store that is still broken is not asked for all of them.
    pub(crate) fn pay(&self, state: &State) {
        let count = self.waiting().len();
        for _ in 0..count {
            // Nobody waits for the store to add one.
            let Some(write) = self.waiting().pop_front() else { return };
            if let Err(error) = write(state) {
                tracing::error!(reason = error.message(), "what could not be written before still cannot");
                // Another comes first the next time, so that none is in the way of all.
                self.waiting().push_back(write);
                return;
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Write>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
