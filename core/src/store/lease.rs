//! Leases: who holds which keys, and for how long they were granted (LE).
//!
//! ```text
//!   lease 7   ttl 60   since 41   keys a, c, d      pair a  value ..  lease 7
//!   lease -1  ttl 900  since 52   keys b            pair b  value ..  lease -1
//!             remaining 312
//! ```
//! The stored pairs are the truth about attachments: each names its lease. The sets of keys here
//! are the way back, and follow every change of a pair, so the two cannot disagree (etcd #10686).
//! A set is sorted, because the keys of a lease end in key order on every member (etcd #6558).
//!
//! What is replicated is how long a lease was granted for, and now and then how much of it is left;
//! never a deadline, which only the clock of a leader knows (LE-3).
//!
//! A client may grant an id again after its lease ended. So a lease is known by its id *and* by the
//! entry that granted it: what a leader says of a lease, later in the log, must not hit the next
//! one of that id.
//!
//! Invariants:
//! - T1. A pair that exists names a lease that exists, and is in its set of keys; nothing else is.
//! - T2. The remaining time is at least one second and at most the TTL.
//!
//! Not here: when a lease is over (`member/lease.rs`).

mod apply;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use bytes::Bytes;

use super::mvcc::{Record, Written};
use super::rows::{Damage, Row, RowKey};
use crate::planted;
use crate::planted::Bug;
use crate::request::MAX_TTL;
use crate::types::{Index, LeaseId, NodeId, Seconds};

/// All leases, and the keys of each.
#[derive(Clone, Debug)]
pub struct Leases {
    table: BTreeMap<LeaseId, Lease>,
    planted: Option<Bug>,
    /// Whose store it is. Nothing may depend on it, but for a bug.
    member: Option<NodeId>,
}

#[derive(Clone, Debug)]
struct Lease {
    span: Span,
    keys: BTreeSet<Box<[u8]>>,
}

/// How long a lease was granted for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// The entry that granted it.
    pub since: Index,
    /// What was granted.
    pub ttl: Seconds,
    /// What is left of it for whoever leads next, if that was told since the last renewal (LE-14).
    pub remaining: Option<Seconds>,
}

impl Leases {
    /// No leases, in the store of a member with a planted bug, if any.
    pub fn new(planted: Option<Bug>, member: Option<NodeId>) -> Self {
        Self { table: BTreeMap::new(), planted, member }
    }

    /// Whether there is such a lease.
    pub fn exists(&self, id: LeaseId) -> bool {
        self.table.contains_key(&id)
    }

    /// How long a lease was granted for.
    pub fn span(&self, id: LeaseId) -> Option<Span> {
        self.table.get(&id).map(|lease| lease.span)
    }

    /// All leases by id.
    pub fn spans(&self) -> impl Iterator<Item = (LeaseId, Span)> {
        self.table.iter().map(|(id, lease)| (*id, lease.span))
    }

    /// The keys of a lease in order; none if there is no such lease.
    pub fn keys(&self, id: LeaseId) -> impl Iterator<Item = &[u8]> {
        self.table.get(&id).into_iter().flat_map(|lease| lease.keys.iter().map(|key| &**key))
    }

    /// A lease begins.
    pub fn grant(&mut self, id: LeaseId, span: Span) {
        let before = self.table.insert(id, Lease { span, keys: BTreeSet::new() });
        assert!(before.is_none(), "lease {id} is granted twice");
    }

    /// A lease ends. Its keys, in order, are what must go with it: detached already.
    pub fn revoke(&mut self, id: LeaseId) -> Vec<Box<[u8]>> {
        let keys = self.table.remove(&id).into_iter().flat_map(|lease| lease.keys);
        let mut keys: Vec<Box<[u8]>> = keys.collect();
        let odd = self.member.is_some_and(|member| member.0 % 2 == 1);
        if planted!(self.planted, Bug::KeysOfLeaseUnsorted) && odd {
            keys.reverse();
        }
        keys
    }

    /// So much of a lease is left for whoever leads next; none when it was renewed.
    pub fn set_remaining(&mut self, id: LeaseId, remaining: Option<Seconds>) {
        let lease = self.table.get_mut(&id).expect("the lease was looked up");
        assert!(remaining.is_none_or(|left| is_left_of(lease.span.ttl, left)), "T2: lease {id}");
        lease.span.remaining = remaining;
    }

    /// Keeps step with a change of a pair (T1): to be called for each, be it of a put, a delete or
    /// a transaction. The lease that it names was found to exist before.
    pub fn follow(&mut self, written: &Written) {
        if self.table.is_empty() {
            return; // T1: no pair names a lease.
        }
        let before = written.previous.as_ref().and_then(lease_of);
        let after = lease_of(&written.record);
        if before == after {
            return;
        }
        let key = written.record.key();
        if let Some(id) = before {
            let lease = self.table.get_mut(&id);
            let detached = lease.is_some_and(|lease| lease.keys.remove(key));
            assert!(detached || self.loses_keys(), "T1: {written:?} was not attached to {id}");
        }
        let lost = before.is_some() && planted!(self.planted, Bug::AttachmentLost);
        if let Some(id) = after.filter(|_| !lost) {
            let attached = self.attach(id, key);
            assert!(attached, "T1: {written:?} names lease {id}, which does not exist");
        }
    }

    /// Attaches a key that was read back (T1). Tells whether the lease exists.
    pub fn attach_again(&mut self, id: LeaseId, key: &[u8]) -> bool {
        let forgotten = planted!(self.planted, Bug::NegativeLeasesForgotten) && id.0 < 0;
        forgotten || self.attach(id, key)
    }

    /// Whether what is left of a lease goes to the disk: always, but for a bug.
    pub fn stores_remaining(&self) -> bool {
        !planted!(self.planted, Bug::CheckpointNotStored)
    }

    /// Attaches a key to a lease. Tells whether the lease exists.
    fn attach(&mut self, id: LeaseId, key: &[u8]) -> bool {
        let lease = self.table.get_mut(&id);
        lease.map(|lease| lease.keys.insert(key.into())).is_some()
    }

    fn loses_keys(&self) -> bool {
        planted!(self.planted, Bug::AttachmentLost)
            || planted!(self.planted, Bug::NegativeLeasesForgotten)
    }

    /// The rows of all leases, in the order of the ids.
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        self.spans().map(|(id, span)| span.row(id))
    }
}

/// The lease that a pair is attached to.
fn lease_of(record: &Record) -> Option<LeaseId> {
    let lease = record.view().lease;
    (lease != 0).then_some(LeaseId(lease))
}

/// Whether so much can be left of a TTL (T2).
fn is_left_of(ttl: Seconds, left: Seconds) -> bool {
    (Seconds(1)..=ttl).contains(&left)
}

impl Span {
    /// What whoever begins to lead counts from (LE-7).
    #[must_use]
    pub fn left(&self) -> Seconds {
        self.remaining.unwrap_or(self.ttl)
    }

    /// As it is stored: `since | ttl`, and `| remaining` if that was told; 8 bytes each.
    pub fn row(&self, id: LeaseId) -> Row {
        let mut value = [self.since.0.to_be_bytes(), self.ttl.0.to_be_bytes()].concat();
        value.extend(self.remaining.iter().flat_map(|left| left.0.to_be_bytes()));
        Row { key: RowKey::Lease(id).encode(), value: Some(Bytes::from(value)) }
    }

    /// Reads what is stored.
    pub fn parse(key: &[u8], value: &[u8]) -> Result<Self, Damage> {
        let (words, rest) = value.as_chunks::<8>();
        let (since, ttl, remaining) = match (words, rest) {
            ([since, ttl], []) => (since, ttl, None),
            ([since, ttl, left], []) => (since, ttl, Some(Seconds(i64::from_be_bytes(*left)))),
            _ => return Err(Damage::row(key, "is not a lease of 16 or 24 bytes")),
        };
        let since = Index(u64::from_be_bytes(*since));
        let ttl = Seconds(i64::from_be_bytes(*ttl));
        let possible =
            is_left_of(MAX_TTL, ttl) && remaining.is_none_or(|left| is_left_of(ttl, left));
        if possible {
            Ok(Self { since, ttl, remaining })
        } else {
            Err(Damage::row(key, "is not a lease that could have been granted"))
        }
    }
}
