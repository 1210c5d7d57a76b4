//! The history sorted out for the judge: who wrote which revision, who looked at which.
//!
//! ```text
//! writes    answered, changed something      one per revision, sorted by it
//! looks     answered, claims what was there  sorted by the revision whose state they show
//! maybes    writes without an answer         they fill the revisions that no answered write made
//! terms     grants and revokes of leases     sorted by the revision behind which they stand
//! ```
//!
//! A revoke does not say whether it removed keys, and so whether it made the revision in its header
//! or found it. It is a term in any case; where no other answered write has that revision, it is
//! also the first candidate for having made it.
//!
//! Invariants:
//! - C1. Writes have revisions from 2, no two the same.
//! - C2. A look's revision is not above the revision in its header, nor that above `newest`.
//!
//! Not here: sorting (`stretch.rs`), roles (`role.rs`), keys as numbers (`keys.rs`), order in time
//! (`order.rs`), which maybe fills which revision (`gaps.rs`).

use super::super::tenure::Tenure;
use super::super::{OrderFault, Rejection, Witness};
use super::keys::{KeyId, Keys, Span};
use super::passes::Passes;
use super::role::Role;
use super::stops::Stops;
use super::stretch::{Names, Stretch};
use crate::history::{
    ByteString, DeleteRangeRequest, DeleteRangeResponse, History, Lease, LeaseEnd, Micros,
    Operation, PutRequest, RangeRequest, RangeResponse, TxnRequest, TxnResponse,
};
use crate::model::kv::Refused;

/// What a write does to the store.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Change<'h> {
    Put {
        key: KeyId,
        value: &'h ByteString,
        lease: Option<Lease>,
    },
    Delete(Span),
    /// What it does depends on the state.
    Txn(&'h TxnRequest),
    /// A put that keeps the old value or lease.
    Keep(&'h PutRequest),
    /// The end of a lease, asked for or not.
    End(Lease),
}

/// Who did something. Operations and lease ends are named by their place in the history.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum By {
    Operation(usize),
    /// The log told of it.
    Told(usize),
    /// Nobody told of it: the judge reckons with it.
    Expiry(Lease),
}

/// A write that changed something, of which the revision is known.
pub(super) struct Write<'h> {
    pub(super) revision: i64,
    pub(super) by: By,
    pub(super) change: Change<'h>,
    pub(super) span: Span,
}

/// An answer that shows the state of a revision.
pub(super) struct Look<'h> {
    pub(super) at: i64,
    pub(super) op: usize,
    pub(super) span: Span,
    pub(super) claim: Claim<'h>,
}

/// What is shown.
#[derive(Clone, Copy)]
pub(super) enum Claim<'h> {
    Range(&'h RangeRequest, &'h RangeResponse),
    Delete(&'h DeleteRangeRequest, &'h DeleteRangeResponse),
    Txn(&'h TxnRequest, &'h TxnResponse),
}

/// A write of unknown outcome.
pub(super) struct Maybe<'h> {
    pub(super) op: usize,
    pub(super) change: Change<'h>,
    pub(super) span: Span,
}

/// A lease that begins or ends by a request.
#[derive(Clone, Copy)]
pub(super) struct Term {
    pub(super) at: i64,
    pub(super) lease: Lease,
    pub(super) op: usize,
    pub(super) begins: bool,
}

/// A history, sorted out.
pub(super) struct Case<'h> {
    /// How passes over it are made.
    pub(super) passes: Passes,
    pub(super) operations: &'h [Operation],
    pub(super) ends: &'h [LeaseEnd],
    pub(super) tenure: Tenure,
    pub(super) keys: Keys<'h>,
    pub(super) stops: Stops,
    pub(super) writes: Vec<Write<'h>>,
    pub(super) looks: Vec<Look<'h>>,
    pub(super) maybes: Vec<Maybe<'h>>,
    pub(super) terms: Vec<Term>,
    /// The role of each operation.
    pub(super) roles: Vec<Role>,
    /// The refusals that say something of the state: operations, and what they say.
    pub(super) refused: Vec<(usize, Refused)>,
    /// Operations that ask for a compaction.
    pub(super) compactions: Vec<usize>,
    /// Operations that ask for a lease, or need one.
    pub(super) leasing: Vec<usize>,
    /// The highest revision in any header; 1 if there is none.
    pub(super) newest: i64,
}

impl<'h> Case<'h> {
    /// Sorts the operations out, and refuses answers that no state can give.
    pub(super) fn new(history: &'h History, passes: Passes) -> Result<Self, Box<Rejection>> {
        let operations = history.operations();
        let (tenure, keys) = passes.two(|| Tenure::of(history), || Keys::new(operations));
        let names = Names { tenure: &tenure, keys: &keys };
        let half = operations.len() / 2;
        let (mut sorted, rest) = passes.both(
            || Stretch::sort(operations, 0..half, names),
            || Stretch::sort(operations, half..operations.len(), names),
        )?;
        sorted.append(rest);
        let ends = history.lease_ends();
        for (number, end) in ends.iter().enumerate() {
            sorted.tell(number, end)?;
        }
        sorted.arrange();
        let Stretch { stops, writes, looks, maybes, terms, roles, .. } = sorted;
        let Stretch { refused, compactions, leasing, newest, .. } = sorted;
        let case = Self {
            passes,
            operations,
            ends,
            tenure,
            keys,
            stops,
            writes,
            looks,
            maybes,
            terms,
            roles,
            refused,
            compactions,
            leasing,
            newest,
        };
        match case.writes.windows(2).find(|pair| pair[0].revision == pair[1].revision) {
            Some(pair) => {
                let (first, second) = (case.witness(pair[0].by), case.witness(pair[1].by));
                Err(OrderFault::DuplicateRevision(first, second).into())
            }
            None => Ok(case),
        }
    }

    pub(super) fn witness(&self, by: By) -> Witness {
        match by {
            By::Operation(op) => Witness::from(&self.operations[op]),
            By::Told(number) => Witness::from(&self.ends[number]),
            By::Expiry(lease) => {
                let granted = self.tenure.granted.iter().find(|(granted, _)| *granted == lease);
                Witness {
                    number: None,
                    client: None,
                    asked: format!("the end of lease {lease}, of which nobody told"),
                    invoked: granted.map_or(Micros(0), |(_, at)| *at),
                    returned: None,
                    revision: None,
                }
            }
        }
    }

    /// Whether a revision has a write that says so.
    pub(super) fn is_written(&self, revision: i64) -> bool {
        self.writes.binary_search_by_key(&revision, |write| write.revision).is_ok()
    }
}
