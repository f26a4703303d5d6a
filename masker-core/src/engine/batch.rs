use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::Error;

/// Items that one thread takes at a time: enough that taking costs nothing, few enough that no core idles long.
const CHUNK: usize = 16;
/// How often the calling thread turns to what is done while others go on: what it does then may cost it a wait each time, so
/// that it is not done for every chunk.
const TURNS: usize = 8;

/// Runs a function over items on all cores, or on no more threads than given, and keeps their order. The calling thread is one
/// of them.
pub(super) fn on_cores<T: Sync, R: Send>(
    limit: Option<NonZero<usize>>,
    items: &[T],
    work: impl Fn(&T) -> Result<R, Error> + Sync,
) -> Result<Vec<R>, Error> {
    let mut chunks = Vec::new();
    in_chunks(limit, items, work, |start, chunk| chunks.push((start, std::mem::take(chunk))))?;
    chunks.sort_unstable_by_key(|(start, _)| *start);
    let mut results = Vec::with_capacity(items.len());
    results.extend(chunks.into_iter().flat_map(|(_, chunk)| chunk));
    Ok(results)
}

/// What came of neighbouring items.
struct Chunk<R> {
    /// The place of the first.
    start: usize,
    results: Result<Vec<R>, Error>,
    /// Which thread made it.
    thread: usize,
}

/// [`on_cores`], with the results of neighbouring items shown to the calling thread in any order, behind the place of the first:
/// most of them while others are still worked on. What it leaves of them is dropped by the thread that made them: allocators are
/// slow where one thread frees what another one has allocated, and goes on allocating.
pub(super) fn in_chunks<T: Sync, R: Send>(
    limit: Option<NonZero<usize>>,
    items: &[T],
    work: impl Fn(&T) -> Result<R, Error> + Sync,
    mut take: impl FnMut(usize, &mut Vec<R>),
) -> Result<(), Error> {
    let cores = limit.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZero::get);
    let threads = cores.min(items.len().div_ceil(CHUNK));
    if threads <= 1 {
        let part = items.len().div_ceil(TURNS).max(CHUNK);
        for (turn, items) in items.chunks(part).enumerate() {
            take(turn * part, &mut items.iter().map(&work).collect::<Result<_, Error>>()?);
        }
        return Ok(());
    }
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Chunk<R>>> = Mutex::default();
    let spent: Vec<Mutex<Vec<Vec<R>>>> = (0..threads).map(|_| Mutex::default()).collect();
    // Works on one chunk more, if there is one.
    let step = |thread: usize| {
        let start = next.fetch_add(CHUNK, Ordering::Relaxed);
        let chunk = items.get(start..items.len().min(start + CHUNK))?;
        let results = chunk.iter().map(&work).collect();
        lock(&done).push(Chunk { start, results, thread });
        drop(std::mem::take(&mut *lock(&spent[thread])));
        Some(start)
    };
    let mut failed = None;
    let mut take_done = || {
        let chunks = std::mem::take(&mut *lock(&done));
        for Chunk { start, results, thread } in chunks {
            match results {
                Ok(mut results) => {
                    take(start, &mut results);
                    lock(&spent[thread]).push(results);
                }
                Err(error) if failed.as_ref().is_none_or(|(first, _)| start < *first) => {
                    failed = Some((start, error));
                }
                Err(_) => {}
            }
        }
    };
    thread::scope(|scope| {
        let step = &step;
        let work_on = |thread| move || while step(thread).is_some() {};
        let workers: Vec<_> = (1..threads).map(|thread| scope.spawn(work_on(thread))).collect();
        let mut turn = 0;
        while let Some(start) = step(0) {
            if start * TURNS / items.len() > turn {
                turn = start * TURNS / items.len();
                take_done();
            }
        }
        for worker in workers {
            if let Err(panic) = worker.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
    take_done();
    failed.map_or(Ok(()), |(_, error)| Err(error))
}

// Nothing panics while it holds one of the locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_is_taken_once_and_the_first_error_counts() {
        for len in [0, 1, 15, 16, 17, 33, 1000] {
            let items: Vec<usize> = (0..len).collect();
            for threads in [1, 2, 3, 64] {
                let limit = NonZero::new(threads);
                let mut taken = vec![0; len];
                in_chunks(
                    limit,
                    &items,
                    |item| Ok(item + 1),
                    |start, chunk: &mut Vec<usize>| {
                        taken[start..start + chunk.len()].copy_from_slice(chunk);
                    },
                )
                .unwrap();
                assert!(taken.iter().zip(&items).all(|(result, item)| *result == item + 1));
                assert_eq!(on_cores(limit, &items, |item| Ok(item + 1)).unwrap(), taken);

                let fails = |item: &usize| match item {
                    20 => Err(Error::Full { limit: 20 }),
                    item if item % 100 == 90 => Err(Error::Full { limit: *item }),
                    item => Ok(*item),
                };
                let error = on_cores(limit, &items, fails).err().map(|error| error.to_string());
                let first = Error::Full { limit: 20 }.to_string();
                assert_eq!(error, (len > 20).then_some(first));
            }
        }
    }
}
