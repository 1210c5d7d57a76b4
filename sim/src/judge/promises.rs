//! What watches and leases promise, each by the name of its invariant.
//!
//! ```text
//!   every watch --> fourteen guarantees          every lease --> K3, K4, K5
//!                                                 with clocks as fast as the plan's faults make them
//! ```

use quorate_checks::explain::Finding;
use quorate_checks::history::{History, Micros};
use quorate_checks::lease::{self, Bounds, Rule};
use quorate_checks::watch::{self, Guarantee};

use crate::clock::MILLI;
use crate::counters::{Counter, Counters};
use crate::plan::{Plan, What};
use crate::verdict::{Invariant, Violation};

/// How long a healthy cluster may take to end a lease that is over.
const SLACK: u64 = 10_000 * MILLI;
/// A clock is read in whole ticks.
const STEP: u64 = 20 * MILLI;
/// Millionths in a thousandth.
const THOUSANDTH: u64 = 1000;

/// An invariant that does not hold, and what shows it.
type Broken = (Invariant, Finding);

/// Holds every watch to its guarantees.
pub fn watches(history: &History, counters: &mut Counters) -> Result<(), Violation> {
    let seen = check_watches(history).map_err(violation)?;
    counters.add(Counter::EventsConfirmed, seen.confirmed as u64);
    counters.add(Counter::EventsRequired, seen.required as u64);
    counters.add(Counter::BirthsChecked, seen.creations as u64);
    counters.add(Counter::PairsBefore, seen.prev_kvs as u64);
    Ok(())
}

/// Holds every lease to its time.
pub fn leases(history: &History, plan: &Plan, counters: &mut Counters) -> Result<(), Violation> {
    let seen = check_leases(history, plan).map_err(violation)?;
    counters.add(Counter::LeaseEndsTimed, seen.deaths as u64);
    counters.add(Counter::RenewalsChecked, seen.renewals as u64);
    counters.add(Counter::LeaseReads, seen.reads as u64);
    counters.add(Counter::LeaseRemovals, seen.removals as u64);
    Ok(())
}

/// What of it does not hold.
pub fn broken(history: &History, plan: &Plan) -> Option<Broken> {
    check_watches(history).err().or_else(|| check_leases(history, plan).err())
}

fn check_watches(history: &History) -> Result<watch::Counters, Broken> {
    watch::check(history).map_err(|fault| (guarantee(fault.guarantee), Finding::Watch(fault)))
}

fn check_leases(history: &History, plan: &Plan) -> Result<lease::Counters, Broken> {
    let bounds = bounds(plan);
    let told = |fault: Box<lease::Fault>| (rule(fault.rule), Finding::Lease(fault, bounds));
    lease::check(history, bounds).map_err(told)
}

fn violation((invariant, finding): Broken) -> Violation {
    Violation { invariant, what: finding.to_string() }
}

/// A lease ends early by as much as some clock is fast, or jumps ahead. Slow ones, and such that
/// stand still, only let it live longer.
fn bounds(plan: &Plan) -> Bounds {
    let (mut fastest, mut ahead) = (0, 0);
    for fault in &plan.faults {
        match fault.what {
            What::Drift(_, ppm) => fastest = fastest.max(ppm),
            What::Jump(_, by) => ahead += by.max(0),
            What::Crash(_)
            | What::PowerLoss(_)
            | What::Pause(_)
            | What::Stall(..)
            | What::SlowDisk(..)
            | What::FailingDisk(_)
            | What::FullDisk(_)
            | What::Rot(..)
            | What::Isolate { .. }
            | What::Cut(..)
            | What::Loss(..)
            | What::Duplicate(..)
            | What::Reorder(..)
            | What::Delay(..) => {}
        }
    }
    let fast = u64::try_from(fastest).unwrap_or(0).div_ceil(THOUSANDTH);
    let step = Micros(STEP + u64::try_from(ahead).unwrap_or(0));
    Bounds { fast, slow: 0, step, end: Micros(SLACK) }
}

fn guarantee(broken: Guarantee) -> Invariant {
    match broken {
        Guarantee::Created => Invariant::WatchCreated,
        Guarantee::Filter => Invariant::WatchFilter,
        Guarantee::Ordered => Invariant::WatchOrdered,
        Guarantee::Unique => Invariant::WatchUnique,
        Guarantee::Atomic => Invariant::WatchAtomic,
        Guarantee::Bookmarkable => Invariant::WatchBookmarkable,
        Guarantee::Resumable => Invariant::WatchResumable,
        Guarantee::Reliable => Invariant::WatchReliable,
        Guarantee::IsCreate => Invariant::WatchIsCreate,
        Guarantee::PrevKv => Invariant::WatchPrevKv,
        Guarantee::Content => Invariant::WatchContent,
        Guarantee::Fragment => Invariant::WatchFragment,
        Guarantee::Cancel => Invariant::WatchCancel,
        Guarantee::Compaction => Invariant::WatchCompaction,
    }
}

fn rule(broken: Rule) -> Invariant {
    match broken {
        Rule::EndedEarly => Invariant::LeaseLives,
        Rule::RenewedDead => Invariant::LeaseStaysDead,
        Rule::Overdue => Invariant::LeaseEnds,
        Rule::KeyLeft => Invariant::LeaseTakesKeys,
        Rule::KeyTaken => Invariant::LeaseSparesKeys,
    }
}
