//! All that a history says of one lease, sorted by what it proves.
//!
//! ```text
//! given      acknowledged grants and renewals: it was alive, and had this time from here
//! attempts   grants and renewals that were not refused: they may have begun its time anew
//! deaths     it was dead by the end of this
//! lives      it was alive at some moment of this
//! reads      a pair attached to it was there
//! ```
//!
//! Not here: what follows (`lease.rs`).

use std::collections::BTreeMap;

use crate::history::{
    Exchange, History, KeyValue, Lease, LeaseEnd, Micros, Operation, Outcome, Request, Response,
};
use crate::linearizable::Witness;
use crate::model::kv::Refused;

/// Something that was said of a lease, and when.
pub(super) struct Span<'h> {
    by: By<'h>,
    pub(super) invoked: Micros,
    pub(super) returned: Option<Micros>,
    /// The time that it gave, in seconds; 0 if it gave none.
    pub(super) ttl: i64,
    pub(super) renewal: bool,
    /// Whether somebody ended it on purpose.
    pub(super) revoke: bool,
}

/// Who said it.
enum By<'h> {
    Operation(&'h Operation),
    Told(&'h LeaseEnd),
}

impl Span<'_> {
    pub(super) fn witness(&self) -> Witness {
        match self.by {
            By::Operation(operation) => Witness::from(operation),
            By::Told(end) => Witness::from(end),
        }
    }

    /// Whether it was over before another began.
    pub(super) fn ended_before(&self, other: &Self) -> bool {
        self.returned.is_some_and(|returned| returned < other.invoked)
    }

    /// Whether it may have taken effect after one and before another.
    pub(super) fn may_be_between(&self, one: &Self, other: &Self) -> bool {
        self.returned.is_none_or(|returned| returned >= one.invoked)
            && other.returned.is_none_or(|returned| self.invoked <= returned)
    }
}

/// All that is said of one lease, each list in the order of the history.
#[derive(Default)]
pub(super) struct Dossier<'h> {
    pub(super) given: Vec<Span<'h>>,
    pub(super) grants: Vec<Span<'h>>,
    pub(super) attempts: Vec<Span<'h>>,
    pub(super) revokes: Vec<Span<'h>>,
    pub(super) deaths: Vec<Span<'h>>,
    pub(super) lives: Vec<Span<'h>>,
    pub(super) reads: Vec<Span<'h>>,
}

/// The dossiers of all leases that somebody granted by name.
pub(super) fn all(history: &History) -> BTreeMap<Lease, Dossier<'_>> {
    let mut dossiers: BTreeMap<Lease, Dossier<'_>> = BTreeMap::new();
    for operation in history.operations() {
        if let Request::LeaseGrant(_) = operation.request {
            grant(&mut dossiers, operation);
        }
    }
    for operation in history.operations() {
        let subject = subject(&operation.request);
        if let Some(dossier) = subject.and_then(|lease| dossiers.get_mut(&lease)) {
            dossier.add(operation);
        }
        shown(&mut dossiers, operation);
    }
    for end in history.lease_ends() {
        if let Some(dossier) = dossiers.get_mut(&end.lease) {
            let at = end.at;
            dossier.deaths.push(Span {
                by: By::Told(end),
                invoked: at,
                returned: Some(at),
                ttl: 0,
                renewal: false,
                revoke: false,
            });
        }
    }
    dossiers
}

fn grant<'h>(dossiers: &mut BTreeMap<Lease, Dossier<'h>>, operation: &'h Operation) {
    let Request::LeaseGrant(asked) = &operation.request else { return };
    let (lease, ttl) = match (&operation.outcome, operation.response()) {
        (_, Some(Response::LeaseGrant(told))) => (Some(told.lease), told.ttl),
        (Outcome::Unknown { .. }, _) => (asked.lease, asked.ttl),
        (Outcome::Ok { .. } | Outcome::Refused { .. }, _) => (None, 0),
    };
    let Some(lease) = lease else { return };
    let dossier = dossiers.entry(lease).or_default();
    dossier.grants.push(span(operation, ttl));
    dossier.attempts.push(span(operation, ttl));
    if operation.response().is_some() {
        dossier.given.push(span(operation, ttl));
    }
}

fn span(operation: &Operation, ttl: i64) -> Span<'_> {
    Span {
        by: By::Operation(operation),
        invoked: operation.invoked,
        returned: operation.returned(),
        ttl,
        renewal: matches!(operation.request, Request::LeaseKeepAlive(_)),
        revoke: matches!(operation.response(), Some(Response::LeaseRevoke(_))),
    }
}

/// The lease that a request speaks of.
fn subject(request: &Request) -> Option<Lease> {
    match request {
        Request::Put(put) => put.lease,
        Request::LeaseRevoke(revoke) => Some(revoke.lease),
        Request::LeaseKeepAlive(keep) => Some(keep.lease),
        Request::LeaseTimeToLive(left) => Some(left.lease),
        Request::LeaseGrant(grant) => grant.lease,
        Request::Range(_)
        | Request::DeleteRange(_)
        | Request::Txn(_)
        | Request::Compact(_)
        | Request::LeaseLeases(_) => None,
    }
}

impl<'h> Dossier<'h> {
    fn add(&mut self, operation: &'h Operation) {
        match &operation.outcome {
            Outcome::Ok { .. } => self.answered(operation),
            Outcome::Refused { refusal, .. } => match Refused::of(&refusal.message) {
                Some(Refused::LeaseExists) => self.lives.push(span(operation, 0)),
                Some(Refused::LeaseNotFound) => self.deaths.push(span(operation, 0)),
                Some(_) | None => {}
            },
            Outcome::Unknown { .. } => match &operation.request {
                Request::LeaseKeepAlive(_) => self.attempts.push(span(operation, 0)),
                Request::LeaseRevoke(_) => self.revokes.push(span(operation, 0)),
                Request::Put(_)
                | Request::Range(_)
                | Request::DeleteRange(_)
                | Request::Txn(_)
                | Request::Compact(_)
                | Request::LeaseGrant(_)
                | Request::LeaseTimeToLive(_)
                | Request::LeaseLeases(_) => {}
            },
        }
    }

    fn answered(&mut self, operation: &'h Operation) {
        let Some(exchange) = operation.exchange() else { return };
        match exchange {
            Exchange::LeaseKeepAlive(_, told) if told.ttl > 0 => {
                self.given.push(span(operation, told.ttl));
                self.attempts.push(span(operation, told.ttl));
            }
            Exchange::LeaseKeepAlive(..) => self.deaths.push(span(operation, 0)),
            Exchange::LeaseTimeToLive(_, told) if told.ttl < 0 => {
                self.deaths.push(span(operation, 0));
            }
            Exchange::LeaseTimeToLive(..) | Exchange::Put(..) => {
                self.lives.push(span(operation, 0));
            }
            Exchange::LeaseRevoke(..) => {
                self.revokes.push(span(operation, 0));
                self.deaths.push(span(operation, 0));
                self.lives.push(span(operation, 0));
            }
            Exchange::Range(..)
            | Exchange::DeleteRange(..)
            | Exchange::Txn(..)
            | Exchange::Compact(..)
            | Exchange::LeaseGrant(..)
            | Exchange::LeaseLeases(..) => {}
        }
    }
}

/// Notes which leases an up-to-date read of the present shows attached to a pair.
fn shown<'h>(dossiers: &mut BTreeMap<Lease, Dossier<'h>>, operation: &'h Operation) {
    let (Request::Range(asked), Some(Response::Range(told))) =
        (&operation.request, operation.response())
    else {
        return;
    };
    if asked.serializable || asked.revision.is_some() {
        return;
    }
    let mut leases: Vec<Lease> = told.kvs.iter().filter_map(|pair: &KeyValue| pair.lease).collect();
    leases.sort_unstable();
    leases.dedup();
    for lease in leases {
        if let Some(dossier) = dossiers.get_mut(&lease) {
            dossier.reads.push(span(operation, 0));
            dossier.lives.push(span(operation, 0));
        }
    }
}
