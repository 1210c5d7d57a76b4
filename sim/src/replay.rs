//! Stored plans: each failed once, and must hold for ever and still reach what it was kept for.
//!
//! ```text
//!   traces/regressions/*.plan --correct core--> holds? reaches its counters?   else broken, stale
//!                             --planted bug---> breaks the invariant it names? else blind
//! ```
//! A plan that does not come by the rare place any more is stale and fails as such: the code has
//! moved on, and the plan must be found anew (the golden trace of the bug remains).
//!
//! Not here: the lines of a plan that say all this (`plan/expect.rs`).

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use quorate_core::planted::Bug;

use crate::counters::{Counter, Counters};
use crate::plan::{Broken, Expect, Plan};
use crate::run::{Engine, run};
use crate::verdict::{Outcome, Violation};

/// Why a stored plan is no good.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Bad {
    /// An invariant does not hold in a correct core.
    Fails(Violation),
    /// Counters that it must reach, how often, and how often it was.
    Stale(Vec<(Counter, u64, u64)>),
    /// It does not break the invariant with the bug that it names; what else it breaks.
    Blind(Broken, Option<Violation>),
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fails(violation) => write!(f, "fails: {violation}"),
            Self::Stale(missed) => {
                f.write_str("is stale:")?;
                missed.iter().try_for_each(|(what, least, count)| {
                    write!(f, " {} {count} of {least};", what.name())
                })
            }
            Self::Blind(Broken { bug, invariant }, found) => {
                write!(f, "with {bug}, {invariant} should break, ")?;
                match found {
                    None => f.write_str("and everything holds"),
                    Some(violation) => write!(f, "and it is {violation}"),
                }
            }
        }
    }
}

/// Runs a stored plan in a correct core.
///
/// # Errors
/// It does not hold, or it is stale.
pub fn replay(plan: &Plan) -> Result<(), Bad> {
    let outcome = run(plan.clone(), Engine::Raw, None, None);
    outcome.verdict.map_err(Bad::Fails)?;
    let missed: Vec<_> = plan.expect.missed(&outcome.counters).collect();
    if missed.is_empty() { Ok(()) } else { Err(Bad::Stale(missed)) }
}

/// Runs a stored plan with the bug that it names, if it names one.
///
/// # Errors
/// The invariant does not break.
pub fn replay_planted(plan: &Plan) -> Result<Option<Bug>, Bad> {
    let Some(broken) = plan.expect.broken else { return Ok(None) };
    let found = run(plan.clone(), Engine::Raw, Some(broken.bug), None).verdict.err();
    if found.as_ref().is_some_and(|found| found.invariant == broken.invariant) {
        return Ok(Some(broken.bug));
    }
    Err(Bad::Blind(broken, found))
}

/// What a failing plan is to reach when it is stored: whatever its faults bring about and would not
/// happen without them. `outcome` is what came of it.
#[must_use]
pub fn expectation(plan: &Plan, planted: Option<Bug>, outcome: &Outcome) -> Expect {
    let broken = |bug| outcome.verdict.as_ref().err().map(|found| (bug, found.invariant));
    let broken = planted.and_then(broken).map(|(bug, invariant)| Broken { bug, invariant });
    let mut calm = plan.clone();
    calm.faults.clear();
    let without = match plan.faults.len() {
        0 => Counters::default(),
        _ => run(calm, Engine::Raw, None, None).counters,
    };
    let with = match planted {
        None => outcome.counters.clone(),
        Some(_) => run(plan.clone(), Engine::Raw, None, None).counters,
    };
    let due = |what: &Counter| with.get(*what) > 0 && without.get(*what) == 0;
    let at_least = Counter::ALL.iter().copied().filter(due).map(|what| (what, 1)).collect();
    Expect { at_least, broken }
}

/// The plans that are stored in a directory, by name. A directory that does not exist holds none.
///
/// # Errors
/// It cannot be read.
pub fn stored(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "plan"));
    paths.sort();
    Ok(paths)
}
