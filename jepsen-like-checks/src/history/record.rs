//! What a history holds beside operations and watches: facts that no client asked for.
//!
//! ```text
//! LeaseEnd   the store let a lease end, and that removed its keys in this revision
//! Revealed   the changes of a revision, from the log itself
//! Healthy    the cluster was well in this span: what must happen in bounded time is overdue after it
//! ```
//!
//! None of them is needed. A lease's end is a write that nobody sent: without a record of it the
//! judges reckon that a lease may end at any moment of its life, as they reckon that a write
//! without an answer may take effect at any later moment. A driver that can look into the store (a
//! simulator) may tell what it knows; the judges then have less to search, and more to hold against
//! each other.
//!
//! Not here: whether a lease ended too early (`lease.rs` of this crate).

use serde::{Deserialize, Serialize};

use super::message::Lease;
use super::watch::{Watch, WatchEvent};
use super::{Micros, Operation, Revision};

/// One line of a history.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Record {
    /// What a client asked, once.
    Operation(Operation),
    /// What a client watched.
    Watch(Watch),
    /// A lease that the store let end.
    LeaseEnd(LeaseEnd),
    /// A span in which the cluster was well.
    Healthy(Healthy),
    /// What a revision changed.
    Revealed(Revealed),
}

/// The end of a lease that no client asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseEnd {
    /// Which lease.
    pub lease: Lease,
    /// The first moment at which any member had applied it.
    pub at: Micros,
    /// The revision that removed its keys; none if no key was attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
}

/// A span in which a quorum ran, could talk, and had a leader.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Healthy {
    /// From here on,
    pub from: Micros,
    /// up to here at least.
    pub until: Micros,
}

/// What a revision changed, as the log has it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revealed {
    /// The revision.
    pub revision: Revision,
    /// Its changes in order (by sub revision), without the pairs before.
    pub events: Vec<WatchEvent>,
}
