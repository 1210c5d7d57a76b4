//! Many seeds on many threads, and what they add up to.
//!
//! ```text
//!   next seed --> thread: draw, run --> tally
//!             --> thread: draw, run --> tally  --merged--> failures, counters, one hash
//! ```
//! Each run has a thread of its own besides (`run.rs`), so that nothing leaks from one into the
//! next; the threads here only keep the processors busy. What comes out does not depend on how many
//! there are, nor on which of them ran what.
//!
//! Not here: how it is shown (`main.rs`).

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use quorate_core::planted::Bug;

use crate::clock::Micros;
use crate::counters::Counters;
use crate::fate::mix;
use crate::plan::Plan;
use crate::run::{Engine, run};
use crate::verdict::Violation;

/// What to run.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// The seeds.
    pub seeds: Range<u64>,
    /// Who decides when an actor runs.
    pub engine: Engine,
    /// A bug to put in, in a planted build.
    pub planted: Option<Bug>,
    /// How many runs at once.
    pub threads: usize,
    /// End when so many seeds have failed, with the lowest of them.
    pub enough: usize,
}

/// What many runs add up to.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How many there were.
    pub runs: u64,
    /// Those that failed, by seed.
    pub failures: Vec<Failure>,
    /// What happened in all of them.
    pub counters: Counters,
    /// How long they were in the clusters' time.
    pub simulated: Micros,
    /// Stands for all hashes, whatever the order.
    pub hash: u64,
}

/// A run in which an invariant did not hold.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// Its engine.
    pub engine: Engine,
    /// The bug that was put in.
    pub planted: Option<Bug>,
    /// What did not hold.
    pub violation: Violation,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, engine, planted, violation } = self;
        let bug = planted.map_or_else(String::new, |bug| format!(" BUG={bug}"));
        writeln!(f, "seed {seed}, engine {engine}: {violation}")?;
        writeln!(f, "  replay: make sim SEED={seed} ENGINE={engine}{bug}")?;
        write!(f, "  shrink: make shrink SEED={seed}{bug}")
    }
}

impl Sweep {
    /// Seeds on all processors, until one fails.
    #[must_use]
    pub fn new(seeds: Range<u64>, engine: Engine) -> Self {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        Self { seeds, engine, planted: None, threads, enough: usize::MAX }
    }

    /// Runs them. `each` is called after every run.
    pub fn run(&self, each: impl Fn() + Sync) -> Tally {
        let next = AtomicU64::new(self.seeds.start);
        let total = Mutex::new(Tally::default());
        thread::scope(|scope| {
            for _ in 0..self.threads.max(1) {
                scope.spawn(|| self.work(&next, &total, &each));
            }
        });
        let mut tally = total.into_inner().unwrap_or_else(PoisonError::into_inner);
        tally.failures.sort_by_key(|failure| failure.seed);
        tally
    }

    /// Takes seeds in order, so that all below a failed one are run when it ends.
    fn work(&self, next: &AtomicU64, total: &Mutex<Tally>, each: &(impl Fn() + Sync)) {
        loop {
            let failed = total.lock().unwrap_or_else(PoisonError::into_inner).failures.len();
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= self.seeds.end || failed >= self.enough {
                return;
            }
            let one = self.run_one(seed);
            total.lock().unwrap_or_else(PoisonError::into_inner).merge(one);
            each();
        }
    }

    fn run_one(&self, seed: u64) -> Tally {
        let outcome = run(Plan::draw(seed), self.engine, self.planted, None);
        let (engine, planted) = (self.engine, self.planted);
        let failed = |violation| Failure { seed, engine, planted, violation };
        let failure = outcome.verdict.err().map(failed);
        Tally {
            runs: 1,
            failures: failure.into_iter().collect(),
            counters: outcome.counters,
            simulated: outcome.simulated,
            hash: mix(mix(seed) ^ outcome.hash),
        }
    }
}

impl Tally {
    fn merge(&mut self, other: Self) {
        self.runs += other.runs;
        self.failures.extend(other.failures);
        self.counters.merge(&other.counters);
        self.simulated += other.simulated;
        self.hash = self.hash.wrapping_add(other.hash);
    }

    /// Ends in a panic that says how to replay, unless every run held.
    ///
    /// # Panics
    /// If a run failed.
    pub fn assert_all_held(&self) {
        let lines: Vec<String> = self.failures.iter().take(5).map(ToString::to_string).collect();
        let (failed, runs) = (self.failures.len(), self.runs);
        assert!(failed == 0, "{failed} of {runs} runs failed:\n{}", lines.join("\n"));
    }
}
