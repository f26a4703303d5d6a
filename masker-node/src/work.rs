//! Where work runs: at once in the thread of JavaScript, or behind a promise in another one.

use std::cell::Cell;
use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use napi::bindgen_prelude::{Object, Unknown};
use napi::{Env, sys};

use crate::errors::Failure;
use crate::report::Shown;
use crate::text::Made;

/// What the promise form of a method returns.
pub(crate) type Promised<'env> = Object<'env>;

thread_local! {
    /// The environment that waits for the work of this thread; null where none does.
    static WAITING: Cell<sys::napi_env> = const { Cell::new(std::ptr::null_mut()) };
}

/// Works at once. Recognisers of JavaScript are called in the middle of it.
pub(crate) fn here<'env, T: Shown>(
    env: &'env Env,
    work: impl FnOnce() -> Result<T, Failure>,
) -> napi::Result<Unknown<'env>> {
    done_here(env, work)?.shown(env)
}

/// [`here`], for what becomes a value by itself.
pub(crate) fn done_here<T>(env: &Env, work: impl FnOnce() -> Result<T, Failure>) -> napi::Result<T> {
    let mut work = Some(work);
    let mut result = None;
    wait_for(env, &mut || result = work.take().map(|work| work())).map_err(|failure| failure.into_js(env))?;
    result.unwrap_or(Err(Failure::Stopped)).map_err(|failure| failure.into_js(env))
}

// Whatever is the same for all calls stands in functions without parameters for types: there are a hundred of each otherwise.

/// Works with this thread marked as waiting.
fn wait_for(env: &Env, work: &mut dyn FnMut()) -> Result<(), Failure> {
    if !WAITING.get().is_null() {
        return Err(Failure::Reentrant);
    }
    WAITING.set(env.raw());
    // What a panic may leave behind half done is guarded by locks that look at it again.
    let ended = catch_unwind(AssertUnwindSafe(work));
    WAITING.set(std::ptr::null_mut());
    // Behind a panic no text is returned, and the program goes on.
    ended.map_err(|_| Failure::Stopped)
}

/// The environment that waits for the work of this thread.
pub(crate) fn waiting() -> Option<Env> {
    let env = WAITING.get();
    (!env.is_null()).then(|| Env::from_raw(env))
}

/// Works in another thread, behind a promise.
pub(crate) fn later<'env, T: Shown + Send + 'static>(
    env: &'env Env,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> napi::Result<Promised<'env>> {
    promised(
        env,
        Box::new(move || {
            let done = work()?;
            Ok(Box::new(move |env: &Env| Ok(Made::from(done.shown(env)?))) as Finish)
        }),
    )
}

/// Makes the value, in the thread of JavaScript.
type Finish = Box<dyn FnOnce(&Env) -> napi::Result<Made> + Send>;

fn promised(
    env: &Env,
    work: Box<dyn FnOnce() -> Result<Finish, Failure> + Send>,
) -> napi::Result<Promised<'_>> {
    let (deferred, promise) = env.create_deferred()?;
    POOL.run(Box::new(move || {
        let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Failure::Stopped));
        deferred.resolve(move |env: Env| match result {
            Ok(finish) => finish(&env),
            Err(failure) => Err(failure.into_js(&env)),
        });
    }));
    Ok(promise)
}

type Job = Box<dyn FnOnce() + Send>;

/// Threads that work behind promises. They are not those of Node's own pool: a recogniser that waits for a file or a name
/// needs one of those, and would wait for ever where all of them wait for a recogniser.
struct Pool {
    state: Mutex<PoolState>,
    changed: Condvar,
}

struct PoolState {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

static POOL: Pool = Pool {
    state: Mutex::new(PoolState { jobs: VecDeque::new(), threads: 0, idle: 0 }),
    changed: Condvar::new(),
};

impl Pool {
    const MOST: usize = 64;
    /// How long a thread waits for more to do.
    const PATIENCE: Duration = Duration::from_secs(10);

    fn state(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a job after those that came before it have begun.
    fn run(&'static self, job: Job) {
        let mut state = self.state();
        state.jobs.push_back(job);
        if state.idle >= state.jobs.len() {
            self.changed.notify_one();
        } else if state.threads < Self::MOST {
            let thread = thread::Builder::new().name("masker".to_owned()).spawn(|| self.work());
            match thread {
                Ok(_) => state.threads += 1,
                // Somebody else will do it in time.
                Err(_) if state.threads > 0 => {}
                Err(_) => {
                    let job = state.jobs.pop_back();
                    drop(state);
                    if let Some(job) = job {
                        job();
                    }
                }
            }
        }
    }

    fn work(&self) {
        let mut state = self.state();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                job();
                state = self.state();
                continue;
            }
            state.idle += 1;
            let (back, waited) =
                self.changed.wait_timeout(state, Self::PATIENCE).unwrap_or_else(PoisonError::into_inner);
            state = back;
            state.idle -= 1;
            if waited.timed_out() && state.jobs.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }
}

/// Lets work on one thing run in the order in which it was asked for.
#[derive(Clone, Default)]
pub(crate) struct Line(Arc<Counter>);

#[derive(Default)]
struct Counter {
    given: AtomicU64,
    served: Mutex<Served>,
    moved: Condvar,
}

#[derive(Default)]
struct Served {
    /// Whose turn it is.
    next: u64,
    /// Who left before their turn.
    left: BTreeSet<u64>,
}

/// A place in a [`Line`].
pub(crate) struct Place {
    line: Line,
    number: u64,
}

impl Line {
    /// The next place, which must be taken in the thread that asks.
    pub(crate) fn place(&self) -> Place {
        Place { line: self.clone(), number: self.0.given.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Place {
    /// Works once everybody before has.
    pub(crate) fn wait<T>(self, work: impl FnOnce() -> T) -> T {
        let counter = &*self.line.0;
        let mut served = counter.served.lock().unwrap_or_else(PoisonError::into_inner);
        while served.next != self.number {
            served = counter.moved.wait(served).unwrap_or_else(PoisonError::into_inner);
        }
        drop(served);
        work()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut served = self.line.0.served.lock().unwrap_or_else(PoisonError::into_inner);
        served.left.insert(self.number);
        loop {
            let next = served.next;
            if !served.left.remove(&next) {
                break;
            }
            served.next += 1;
        }
        self.line.0.moved.notify_all();
    }
}
