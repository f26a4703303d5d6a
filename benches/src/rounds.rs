use std::time::{Duration, Instant};

/// How long one job runs before the next has its turn.
const SLICE: Duration = Duration::from_millis(20);

/// Work that is timed, and its times.
#[derive(Debug)]
pub struct Job<W> {
    work: W,
    times: Vec<f64>,
}

impl<W: FnMut()> Job<W> {
    /// Work that is done over and over.
    pub fn new(work: W) -> Self {
        Self { work, times: Vec::new() }
    }

    /// The median of all rounds, in seconds.
    ///
    /// # Panics
    ///
    /// Before the first round.
    pub fn seconds(&self) -> f64 {
        let mut times = self.times.clone();
        times.sort_unstable_by(f64::total_cmp);
        times[times.len() / 2]
    }

    /// One slice: the mean over as many runs as fit into it.
    fn slice(&mut self) {
        let started = Instant::now();
        let mut runs = 0_u32;
        // Looking at the clock costs some tens of nanoseconds, so it is done less and less often.
        let mut until_look = 1;
        loop {
            for _ in 0..until_look {
                (self.work)();
            }
            runs += until_look;
            let elapsed = started.elapsed();
            if elapsed >= SLICE {
                self.times.push(elapsed.as_secs_f64() / f64::from(runs));
                return;
            }
            let each = (elapsed.as_secs_f64() / f64::from(runs)).max(1e-9);
            let left = SLICE.saturating_sub(elapsed).as_secs_f64() / each;
            until_look = (left / 2.0).ceil().clamp(1.0, f64::from(runs)) as u32;
        }
    }
}

/// Runs all jobs in turns, so that what else the machine does meets all of them alike.
pub fn interleave<W: FnMut()>(jobs: &mut [Job<W>], rounds: usize) {
    for job in &mut *jobs {
        (job.work)();
    }
    for _ in 0..rounds {
        for job in &mut *jobs {
            job.slice();
        }
    }
}
