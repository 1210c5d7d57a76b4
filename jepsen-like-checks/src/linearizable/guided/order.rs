//! Revision order against real-time order: a sweep over the moments of the history.
//!
//! Revisions say in which order the operations took effect; times say which were over before which
//! began. Where both speak they must agree. Place the operations on a line, a write at its revision
//! and a read right behind the write whose state it shows:
//!
//! ```text
//! places    2w 2r 2r 3w 4w 4r 5w ...        w: the write of that revision, r: reads of its state
//! ```
//!
//! An order that agrees with time exists exactly if no operation has a lower place than one that
//! returned before it was invoked; so it is enough to remember the highest place that has returned.
//!
//! A serializable read proves that its revision existed when it returned, so it pushes later
//! operations up; being allowed to be stale, it is not pushed itself. A write of unknown outcome
//! never returns and pushes nobody; for it the sweep notes the least revision that it can have.
//!
//! Not here: whether what they show is right (`search.rs`).

use super::super::{OrderFault, Rejection};
use super::case::{By, Case};
use super::least::Least;
use super::role::Role;
use crate::history::{Micros, Operation, Request, Revision};
use crate::model::kv::Refused;

/// A place on the line: a revision, and whether it is behind the write of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    revision: i64,
    read: bool,
}

/// An operation that returned, and what it proves to exist from then on.
struct Return {
    at: Micros,
    place: Place,
    by: By,
}

/// An operation that begins, in time's order.
struct Begin {
    at: Micros,
    op: usize,
}

/// What the times say of the places of operations that do not tell their own.
pub(super) struct Order {
    /// For each operation, the highest revision that had returned before it began; 1 if none had.
    floors: Vec<i64>,
    /// For each revision that some answer shows, the moment of the first such return; by revision.
    /// Only if there is a revoke: it may have made a revision that nobody saw before it began.
    seen: Least<i64, Micros>,
    /// Invocations of operations with a place, each with the lowest revision of it and all after
    /// it. Only if something was refused because of a compaction.
    ceilings: Least<Micros, i64>,
}

impl Order {
    /// The least revision that an unanswered operation can have made.
    pub(super) fn release(&self, op: usize) -> i64 {
        // Above what had returned before it began, and above the empty store's revision 1.
        self.floors[op].saturating_add(1)
    }

    /// The revision that surely existed when an operation began.
    pub(super) fn floor(&self, op: usize) -> i64 {
        self.floors[op]
    }

    /// The highest revision that can have existed at a moment, as far as operations tell that began
    /// after it.
    pub(super) fn ceiling(&self, at: Micros) -> i64 {
        self.ceilings.after(&at).unwrap_or(i64::MAX)
    }

    /// Whether a revision, or a higher one, was seen by somebody before an operation began.
    pub(super) fn is_seen_before(&self, revision: i64, begun: Micros) -> bool {
        // A higher revision that was seen earlier shows that the lower one existed, too.
        self.seen.from(&revision).is_some_and(|first| first < begun)
    }
}

/// Checks the order of all operations.
pub(super) fn check(case: &Case<'_>) -> Result<Order, Box<Rejection>> {
    let (returns, begins) = case.passes.two(|| returns(case), || begins(case));
    let mut returned = returns.iter().peekable();
    let mut highest: Option<&Return> = None;
    // Operations are numbered in the order of the history, the sweep meets them in that of time.
    let mut floors = vec![1; case.operations.len()];
    for begin in &begins {
        while let Some(over) = returned.next_if(|over| over.at < begin.at) {
            if highest.is_none_or(|highest| highest.place < over.place) {
                highest = Some(over);
            }
        }
        let Some(highest) = highest else { continue };
        pushed(case, highest, begin.op)?;
        floors[begin.op] = highest.place.revision;
    }
    // Both take a pass over everything, and few histories have anybody who asks.
    let revoked = case.terms.iter().any(|term| !term.begins);
    let seen = if revoked { seen(&returns) } else { Vec::new() };
    let asked = case.refused.iter().any(|(_, reason)| *reason == Refused::Compacted);
    let ceilings = if asked { ceilings(case, &begins) } else { Vec::new() };
    Ok(Order { floors, seen: Least::of(seen), ceilings: Least::of(ceilings) })
}

fn seen(returns: &[Return]) -> Vec<(i64, Micros)> {
    let mut seen: Vec<(i64, Micros)> = Vec::new();
    for over in returns {
        // In time's order: a revision that is not above all before it was seen with one of these.
        if seen.last().is_none_or(|(highest, _)| *highest < over.place.revision) {
            seen.push((over.place.revision, over.at));
        }
    }
    seen
}

fn ceilings(case: &Case<'_>, begins: &[Begin]) -> Vec<(Micros, i64)> {
    let ceiling = |begin: &Begin| match case.roles[begin.op] {
        Role::Write(revision) => Some((begin.at, revision - 1)),
        Role::Read(revision) => Some((begin.at, revision)),
        Role::Stale(_) | Role::Future(_) | Role::Maybe | Role::Silent => None,
    };
    begins.iter().filter_map(ceiling).collect()
}

/// What returned, in time's order.
fn returns(case: &Case<'_>) -> Vec<Return> {
    let mut returns = Vec::with_capacity(case.operations.len());
    for (op, operation) in case.operations.iter().enumerate() {
        let role = case.roles[op];
        if let (Some(revision), Some(at)) = (role.revision(), operation.returned()) {
            // A revoke may have made its revision, so it need not be behind the write of it.
            let makes = matches!(operation.request, Request::LeaseRevoke(_));
            let read = !(matches!(role, Role::Write(_)) || makes && !case.is_written(revision));
            let by = By::Operation(op);
            returns.push(Return { at, place: Place { revision, read }, by });
        }
    }
    for (number, end) in case.ends.iter().enumerate() {
        if let Some(Revision(revision)) = end.revision {
            let by = By::Told(number);
            returns.push(Return { at: end.at, place: Place { revision, read: false }, by });
        }
    }
    returns.sort_by_key(|end| end.at);
    returns
}

/// What began, in time's order.
fn begins(case: &Case<'_>) -> Vec<Begin> {
    let pushed = case.roles.iter().map(|role| !matches!(role, Role::Stale(_)));
    let all = case.operations.iter().enumerate().zip(pushed);
    let begin = |((op, operation), pushed): ((usize, &Operation), bool)| {
        pushed.then_some(Begin { at: operation.invoked, op })
    };
    let mut begins: Vec<Begin> = all.filter_map(begin).collect();
    begins.sort_by_key(|begin| begin.at);
    begins
}

/// Holds an operation against the highest place that had returned before it began.
fn pushed(case: &Case<'_>, highest: &Return, op: usize) -> Result<(), Box<Rejection>> {
    let (earlier, later) = (|| case.witness(highest.by), || case.witness(By::Operation(op)));
    let fault = match case.roles[op] {
        Role::Write(revision) if (Place { revision, read: false }) < highest.place => {
            if highest.place.read {
                OrderFault::ReadFromFuture { read: earlier(), write: later() }
            } else {
                OrderFault::WriteOrder { earlier: earlier(), later: later() }
            }
        }
        Role::Read(revision) if (Place { revision, read: true }) < highest.place => {
            OrderFault::StaleRead { earlier: earlier(), read: later() }
        }
        Role::Future(asked) if asked <= highest.place.revision => {
            OrderFault::UnjustRefusal { earlier: earlier(), read: later() }
        }
        Role::Write(_) | Role::Read(_) | Role::Future(_) => return Ok(()),
        Role::Stale(_) | Role::Maybe | Role::Silent => return Ok(()),
    };
    Err(fault.into())
}
