//! Sizes, rates and times beyond which a request is refused.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::Rate;

/// The longest body of the management interface, in bytes.
pub(crate) const MANAGEMENT_BODY: usize = 1 << 20;
/// The longest body of proxy, webhook and text endpoints, in bytes.
pub(crate) const TEXT_BODY: usize = 10 << 20;
/// Most texts of one call.
pub(crate) const TEXTS: usize = 100;
/// Most redaction events in the detail of a session.
pub(crate) const DETAIL_EVENTS: usize = 1_000;
/// How long a connection may go without a whole head of a request, from its begin or from the end of the answer before. Longer
/// than the minute after which load balancers let an idle connection go, so that none is closed as it takes up the next request.
pub(crate) const HEAD_WAIT: Duration = Duration::from_secs(75);
/// The longest silence of a caller in the middle of a body.
pub(crate) const BODY_WAIT: Duration = Duration::from_secs(30);
/// The longest time for a body to come whole, however steadily it comes: the longest one at 35 kB a second.
pub(crate) const BODY_TIME: Duration = Duration::from_mins(5);
/// Sign-ins by address: 10 a minute.
pub(crate) const AUTH_RATE: Rate = Rate { per_second: 10.0 / 60.0, burst: 10.0 };
/// Buckets kept before full ones are dropped.
const MOST_BUCKETS: usize = 10_000;

/// Token buckets by name.
#[derive(Debug)]
pub(crate) struct Limiter {
    rate: Rate,
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

/// What a bucket says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) allowed: bool,
    pub(crate) limit: u64,
    pub(crate) remaining: u64,
    /// Seconds until it is full again.
    pub(crate) reset_seconds: i64,
    /// Whole seconds until the next request is let through, at least 1.
    pub(crate) retry_seconds: u64,
}

impl Limiter {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, buckets: Mutex::new(HashMap::new()) }
    }

    /// Takes a token out of the bucket of this name. A refusal takes none.
    pub(crate) fn take(&self, name: &str) -> Verdict {
        self.take_at(name, Instant::now())
    }

    fn take_at(&self, name: &str, now: Instant) -> Verdict {
        let Rate { per_second, burst } = self.rate;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let filled = |bucket: &Bucket| {
            (bucket.tokens + now.saturating_duration_since(bucket.at).as_secs_f64() * per_second).min(burst)
        };
        if buckets.len() >= MOST_BUCKETS && !buckets.contains_key(name) {
            // A full bucket says what none says.
            buckets.retain(|_, bucket| filled(bucket) < burst);
        }
        let bucket = buckets.entry(name.to_owned()).or_insert(Bucket { tokens: burst, at: now });
        bucket.tokens = filled(bucket);
        bucket.at = now;
        let allowed = bucket.tokens >= 1.0;
        if allowed {
            bucket.tokens -= 1.0;
        }
        Verdict {
            allowed,
            limit: burst as u64,
            remaining: bucket.tokens as u64,
            reset_seconds: ((burst - bucket.tokens) / per_second).ceil() as i64,
            retry_seconds: (((1.0 - bucket.tokens) / per_second).ceil() as u64).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_limits_has_these_numbers() {
        let page = include_str!("../../docs/limits.md");
        let (_, section) = page.split_once("## Server").expect("the page has a section on the server");
        let numbers: Vec<usize> = section
            .lines()
            .filter_map(|line| line.split('|').nth(2)?.trim().replace(',', "").parse().ok())
            .collect();
        let [head, silence, whole] = [HEAD_WAIT, BODY_WAIT, BODY_TIME].map(|wait| wait.as_secs() as usize);
        assert_eq!(numbers, [MANAGEMENT_BODY, TEXT_BODY, TEXTS, DETAIL_EVENTS, head, silence, whole]);
    }

    #[test]
    fn a_bucket_empties_and_fills() {
        let limiter = Limiter::new(Rate { per_second: 2.0, burst: 3.0 });
        let start = Instant::now();
        let left: Vec<u64> = (0..3).map(|_| limiter.take_at("a", start).remaining).collect();
        assert_eq!(left, [2, 1, 0]);
        let refused = limiter.take_at("a", start);
        assert!(!refused.allowed && refused.retry_seconds == 1 && refused.reset_seconds == 2);
        assert!(limiter.take_at("b", start).allowed, "buckets do not share");
        assert!(limiter.take_at("a", start + Duration::from_millis(500)).allowed);
        assert!(!limiter.take_at("a", start + Duration::from_millis(500)).allowed);
        assert_eq!(limiter.take_at("a", start + Duration::from_mins(1)).remaining, 2);
    }
}
