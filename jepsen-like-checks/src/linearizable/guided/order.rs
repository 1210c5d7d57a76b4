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
use super::case::{Case, Role};
use crate::history::Micros;

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
    op: usize,
}

/// An operation that begins, in time's order.
struct Begin {
    at: Micros,
    op: usize,
}

/// For each maybe of the case, in order, the least revision that it can have made.
pub(super) type Releases = Vec<i64>;

/// Checks the order of all operations.
pub(super) fn check(case: &Case<'_>) -> Result<Releases, Box<Rejection>> {
    let (returns, begins) = moments(case);
    let mut returned = returns.iter().peekable();
    let mut highest: Option<&Return> = None;
    // Maybes are numbered in the order of the history, the sweep meets them in that of time.
    let mut releases = vec![1; case.operations.len()];
    for begin in &begins {
        while let Some(over) = returned.next_if(|over| over.at < begin.at) {
            if highest.is_none_or(|highest| highest.place < over.place) {
                highest = Some(over);
            }
        }
        let Some(highest) = highest else { continue };
        pushed(case, highest, begin.op)?;
        releases[begin.op] = highest.place.revision;
    }
    // Above what had returned before it began, and above the empty store's revision 1.
    Ok(case.maybes.iter().map(|maybe| releases[maybe.op].saturating_add(1)).collect())
}

fn moments(case: &Case<'_>) -> (Vec<Return>, Vec<Begin>) {
    let mut returns = Vec::with_capacity(case.operations.len());
    let mut begins = Vec::with_capacity(case.operations.len());
    for (op, operation) in case.operations.iter().enumerate() {
        let role = Role::of(operation);
        if let (Some(revision), Some(at)) = (role.revision(), operation.returned()) {
            let read = !matches!(role, Role::Write(_));
            returns.push(Return { at, place: Place { revision, read }, op });
        }
        if !matches!(role, Role::Stale(_) | Role::Silent) {
            begins.push(Begin { at: operation.invoked, op });
        }
    }
    returns.sort_by_key(|end| end.at);
    begins.sort_by_key(|begin| begin.at);
    (returns, begins)
}

/// Holds an operation against the highest place that had returned before it began.
fn pushed(case: &Case<'_>, highest: &Return, op: usize) -> Result<(), Box<Rejection>> {
    let (earlier, later) = (|| case.witness(highest.op), || case.witness(op));
    let fault = match Role::of(&case.operations[op]) {
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
