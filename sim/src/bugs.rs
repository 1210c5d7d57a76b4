//! Puts each bug of the past back into the core, one at a time, and waits for it to be found.
//!
//! A simulator that finds no bug proves nothing. Each planted bug must be caught, by an invariant
//! that speaks of it, within a number of seeds; the same seeds must all hold without it. And a
//! failure that nobody can read is of little use: the plan that caught it is shrunk, and what is
//! left of it is counted.
//!
//! Not here: the bugs themselves (`core/src/planted.rs`), what each breaks (`bugs/expected.rs`).

mod expected;

use std::fmt;
use std::ops::Range;

use quorate_core::planted::Bug;

use crate::plan::Plan;
use crate::run::Engine;
use crate::shrink::{self, Budget, Shrunk, Size};
use crate::sweep::{Failure, Sweep};

pub use expected::expected;

/// Whether this build has the bugs in it.
#[must_use]
pub const fn is_planted() -> bool {
    cfg!(planted)
}

/// What to say when it has not.
pub const NOT_PLANTED: &str = "this build holds no planted bugs: use `make bugs`, or build with \
    RUSTFLAGS=\"--cfg madsim --cfg planted\"";

/// What became of a bug.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// Which bug.
    pub bug: Bug,
    /// The first run that caught it.
    pub caught: Option<Failure>,
    /// How many seeds it took, or how many were in vain.
    pub seeds: u64,
    /// What is left of the plan that caught it.
    pub shrunk: Option<Shrunk>,
}

/// The first line of a table of hunts.
pub const HEAD: &str =
    "bug                                      seeds faults    ops seconds  invariant";

/// Hunts one bug over some seeds.
///
/// # Panics
/// If this build holds no bugs.
pub fn hunt(bug: Bug, seeds: Range<u64>, engine: Engine, each: impl Fn() + Sync) -> Hunt {
    assert!(is_planted(), "{NOT_PLANTED}");
    let first = seeds.start;
    let sweep = Sweep { planted: Some(bug), enough: 1, ..Sweep::new(seeds, engine) };
    let tally = sweep.run(each);
    let caught = tally.failures.into_iter().next();
    let seeds = caught.as_ref().map_or(tally.runs, |failure| failure.seed - first + 1);
    Hunt { bug, caught, seeds, shrunk: None }
}

impl Hunt {
    /// Whether the bug was caught, and by an invariant that speaks of it.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let speaks = |failure: &Failure| expected(self.bug).contains(&failure.violation.invariant);
        self.caught.as_ref().is_some_and(speaks)
    }

    /// Shrinks the plan that caught the bug, on the plain engine.
    pub fn shrink(&mut self, budget: Budget, each: &mut dyn FnMut(u64, Size)) {
        let Some(failure) = &self.caught else { return };
        let plan = Plan::draw(failure.seed);
        self.shrunk = shrink::shrink(plan, Some(self.bug), budget, each);
    }
}

/// What is left in the middle of all hunts: faults, operations, seconds.
#[must_use]
pub fn medians(hunts: &[Hunt]) -> Option<(usize, usize, f64)> {
    let shrunk = || hunts.iter().filter_map(|hunt| hunt.shrunk.as_ref());
    let faults = median(shrunk().map(|shrunk| shrunk.plan.faults.len()).collect())?;
    let ops = median(shrunk().map(|shrunk| shrunk.plan.ops.len()).collect())?;
    let took = median(shrunk().map(|shrunk| shrunk.took).collect())?;
    Some((faults, ops, took.as_secs_f64()))
}

/// The upper one of two in the middle.
fn median<T: Ord + Copy>(mut all: Vec<T>) -> Option<T> {
    all.sort_unstable();
    all.get(all.len() / 2).copied()
}

impl fmt::Display for Hunt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, seeds) = (self.bug.name(), self.seeds);
        let Some(failure) = &self.caught else {
            return write!(
                f,
                "{name:<32}{:<8}{seeds:>7} {:>6} {:>6} {:>7}  -",
                "MISSED", "", "", ""
            );
        };
        let word = if self.is_good() { "caught" } else { "ASTRAY" };
        write!(f, "{name:<32}{word:<8}{seeds:>7} ")?;
        match &self.shrunk {
            None => write!(f, "{:>6} {:>6} {:>7}", "-", "-", "-")?,
            Some(Shrunk { plan, took, .. }) => {
                let (faults, ops, seconds) =
                    (plan.faults.len(), plan.ops.len(), took.as_secs_f64());
                write!(f, "{faults:>6} {ops:>6} {seconds:>7.1}")?;
            }
        }
        write!(f, "  {}", failure.violation.invariant)
    }
}
