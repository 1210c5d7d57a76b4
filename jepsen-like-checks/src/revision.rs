//! Rules on revisions that need no model: revisions only grow.
//!
//! ```text
//! sessions    what one client was told never goes back
//! real_time   an operation that began after another returned is not answered from before it
//! endpoints   one member never goes back, stale reads included
//! ```
//!
//! Serializable reads may lag behind, so the first two rules do not push them; but what they showed
//! existed, so they push others. The third rule is about them: a member may be behind the others,
//! never behind itself. It holds for one life of a member only: after a restart or a loaded
//! snapshot it may be further behind. A history that is to be held to it names each life as an
//! endpoint of its own.
//!
//! The rule of real time is part of the guided judge's; alone it also suits a history that holds
//! requests which no model knows.
//!
//! Invariants:
//! - V1. Two operations of one client in the same microsecond are in the order of their numbers.
//!   Between clients, operations that touch only at their ends are not ordered.
//!
//! Not here: what the answers show (`linearizable/`).

use std::collections::BTreeMap;

use crate::history::{History, Micros, OpNumber, Operation, Response, Revision};
use crate::linearizable::{OrderFault, Rejection, Scope, Witness};

/// Checks each client's own order. How many answers it held against an earlier one.
///
/// # Errors
/// Some client's revisions went back.
pub fn sessions(history: &History) -> Result<usize, Box<Rejection>> {
    let mut clients: BTreeMap<_, Vec<&Operation>> = BTreeMap::new();
    for operation in history.operations() {
        clients.entry(operation.client).or_default().push(operation);
    }
    clients.values().map(|operations| sweep(operations, Scope::Session)).sum()
}

/// Checks the order of all operations. How many answers it held against an earlier one.
///
/// # Errors
/// The store's revision went back.
pub fn real_time(history: &History) -> Result<usize, Box<Rejection>> {
    let operations: Vec<&Operation> = history.operations().iter().collect();
    sweep(&operations, Scope::RealTime)
}

/// Checks the order of what each endpoint answered. How many answers it held against an earlier
/// one. Operations without an endpoint are left out.
///
/// # Errors
/// Some endpoint's revision went back.
pub fn endpoints(history: &History) -> Result<usize, Box<Rejection>> {
    let mut endpoints: BTreeMap<_, Vec<&Operation>> = BTreeMap::new();
    for operation in history.operations() {
        if let Some(endpoint) = &operation.endpoint {
            endpoints.entry(endpoint).or_default().push(operation);
        }
    }
    endpoints.values().map(|operations| sweep(operations, Scope::Endpoint)).sum()
}

/// An answer, with the moments that order it.
struct Answer<'h> {
    operation: &'h Operation,
    returned: Micros,
    revision: Revision,
}

/// Walks through the operations in time's order, remembering the highest revision that returned.
fn sweep(operations: &[&Operation], scope: Scope) -> Result<usize, Box<Rejection>> {
    let mut begins: Vec<Answer<'_>> = operations.iter().filter_map(|op| answer(op)).collect();
    let mut ends: Vec<&Answer<'_>> = Vec::with_capacity(begins.len());
    begins.sort_by_key(|answer| (answer.operation.invoked, answer.operation.number));
    ends.extend(&begins);
    ends.sort_by_key(|answer| (answer.returned, answer.operation.number));
    let mut ends = ends.into_iter().peekable();
    let mut highest: Option<&Answer<'_>> = None;
    let mut held = 0;
    for later in &begins {
        while let Some(over) = ends.next_if(|over| is_before(over, later, scope)) {
            if highest.is_none_or(|highest| highest.revision < over.revision) {
                highest = Some(over);
            }
        }
        let lags = scope != Scope::Endpoint && later.operation.request.is_serializable();
        let Some(earlier) = highest.filter(|_| !lags) else { continue };
        held += 1;
        if later.revision < earlier.revision {
            let (earlier, later) =
                (Witness::from(earlier.operation), Witness::from(later.operation));
            return Err(OrderFault::RevisionWentBack { scope, earlier, later }.into());
        }
    }
    Ok(held)
}

fn answer(operation: &Operation) -> Option<Answer<'_>> {
    let revision = operation.response().map(Response::revision)?;
    Some(Answer { operation, returned: operation.returned()?, revision })
}

/// Whether one answer was there before another operation began (V1).
fn is_before(one: &Answer<'_>, other: &Answer<'_>, scope: Scope) -> bool {
    let begun: (Micros, OpNumber) = (other.operation.invoked, other.operation.number);
    match scope {
        Scope::Session => (one.returned, one.operation.number) < begun,
        Scope::RealTime | Scope::Endpoint => one.returned < begun.0,
    }
}
