//! How often values lie between bounds that double.
//!
//! ```text
//!   counted    0 ..= FIRST | ..= 2 FIRST | ..= 4 FIRST | .. | above all bounds: only in the total
//!   read       each bound with all values up to it
//! ```
//! Counting is three relaxed additions. A reader may meet a value that is counted only in part; a
//! total that it sees is never below a bucket.
//!
//! Not here: in which unit the values are printed (`metrics.rs`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long something took, in nanoseconds: from 1 ms to 8 s, as etcd's.
pub type Times = Histogram<1_000_000, 14>;

/// TTLs of leases, in seconds: from 1 s to three months, as etcd's.
pub type Spans = Histogram<1, 24>;

/// Counts values below `BOUNDS` bounds, the first of which is `FIRST`.
#[derive(Debug)]
pub struct Histogram<const FIRST: u64, const BOUNDS: usize> {
    buckets: [AtomicU64; BOUNDS],
    count: AtomicU64,
    sum: AtomicU64,
}

/// What was counted.
pub struct Reading {
    /// Each bound, and how many values lie not above it.
    pub up_to: Vec<(u64, u64)>,
    /// How many values there are.
    pub count: u64,
    /// Their sum.
    pub sum: u64,
}

impl<const FIRST: u64, const BOUNDS: usize> Default for Histogram<FIRST, BOUNDS> {
    fn default() -> Self {
        let buckets = std::array::from_fn(|_| AtomicU64::default());
        Self { buckets, count: AtomicU64::default(), sum: AtomicU64::default() }
    }
}

impl<const FIRST: u64, const BOUNDS: usize> Histogram<FIRST, BOUNDS> {
    /// Counts a value.
    pub fn count(&self, value: u64) {
        if let Some((_, bucket)) = self.bounded().find(|(bound, _)| value <= *bound) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub fn read(&self) -> Reading {
        let mut below = 0;
        let up_to: Vec<(u64, u64)> = self
            .bounded()
            .map(|(bound, bucket)| {
                below += bucket.load(Ordering::Relaxed);
                (bound, below)
            })
            .collect();
        // The total is read last: it is never below a bucket that was read before it.
        let sum = self.sum.load(Ordering::Relaxed);
        let count = self.count.load(Ordering::Relaxed).max(below);
        Reading { up_to, count, sum }
    }

    fn bounded(&self) -> impl Iterator<Item = (u64, &AtomicU64)> {
        std::iter::successors(Some(FIRST), |bound| bound.checked_mul(2)).zip(&self.buckets)
    }
}

impl Times {
    /// Counts how long something took.
    pub fn observe(&self, time: Duration) {
        self.count(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }
}
