//! Puts each bug of the past back into the core, one at a time, and waits for it to be found.
//!
//! A simulator that finds no bug proves nothing. Each planted bug must be caught, by an invariant
//! that speaks of it, within a number of seeds; the same seeds must all hold without it.
//!
//! Not here: the bugs themselves (`core/src/planted.rs`).

use std::fmt;
use std::ops::Range;

use quorate_core::planted::Bug;

use crate::run::Engine;
use crate::sweep::{Failure, Sweep};

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
}

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
    Hunt { bug, caught, seeds }
}

impl fmt::Display for Hunt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bug, caught, seeds } = self;
        let name = bug.name();
        match caught {
            Some(failure) => {
                let invariant = failure.violation.invariant;
                write!(f, "{name:<26}{:<10}{seeds:>7}  {invariant}", "caught")
            }
            None => write!(f, "{name:<26}{:<10}{seeds:>7}  -", "MISSED"),
        }
    }
}
