use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::Error;

/// Texts that one thread takes at a time: enough that taking costs nothing, few enough that no core idles long.
const CHUNK: usize = 16;

/// Runs a function over items on all cores, or on no more threads than given, and keeps their order. The calling thread is one
/// of them.
pub(super) fn on_cores<T: Sync, R: Send>(
    limit: Option<NonZero<usize>>,
    items: &[T],
    work: impl Fn(&T) -> Result<R, Error> + Sync,
) -> Result<Vec<R>, Error> {
    let cores = limit.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZero::get);
    let threads = cores.min(items.len().div_ceil(CHUNK));
    if threads <= 1 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let run = || {
        let mut done = Vec::new();
        loop {
            let start = next.fetch_add(CHUNK, Ordering::Relaxed);
            if start >= items.len() {
                return done;
            }
            let end = (start + CHUNK).min(items.len());
            done.push((start, items[start..end].iter().map(&work).collect::<Result<Vec<R>, Error>>()));
        }
    };
    let mut chunks = thread::scope(|scope| {
        let workers: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let mut chunks = run();
        for worker in workers {
            match worker.join() {
                Ok(done) => chunks.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        chunks
    });
    chunks.sort_unstable_by_key(|(start, _)| *start);
    let mut results = Vec::with_capacity(items.len());
    for (_, chunk) in chunks {
        results.extend(chunk?);
    }
    Ok(results)
}
