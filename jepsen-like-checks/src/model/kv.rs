//! The sequential specification of the key-value store, with its history (etcd's MVCC).
//!
//! A store is a list of revisions. It begins at revision 1 with no keys, and each request that
//! changes something makes the next one; nothing is ever overwritten:
//!
//! ```text
//! revision       1    2        3        4          5        6
//! request             put a    put a    delete a   put b    put a
//! a                   c2 m2 v1 c2 m3 v2 -          -        c6 m6 v1
//! b                                                c5 m5 v1 c5 m5 v1
//! ```
//!
//! c is the revision that began the key's life, m that of its newest put, v the number of puts in
//! this life; "-" is a tombstone. A delete that finds no key makes no revision. A compaction gives
//! up the past below its mark, which then is refused; it makes no revision either.
//!
//! Beside the keys there are the leases that are alive. Their *time* is not here: a lease may be
//! ended at any moment ([`State::end_lease`]), and whether that came too early is for the rules of
//! time to say (`lease.rs` of this crate).
//!
//! Invariants:
//! - S1. A step raises the revision by one if it changed a key, and not at all otherwise.
//! - S2. No key has a version from above the state's revision.
//! - S3. States with the same digest have the same past of keys, the same leases and the same marks
//!   (up to a chance of 2^-64 in 2^32 states).
//! - S4. A key is attached to a lease that is alive, or to none.
//!
//! Not here: transactions (`txn.rs`), leases (`lease.rs`), time and concurrency (`linearizable/`).

use std::cmp::Ordering;
use std::sync::Arc;

use super::digest;
use super::map::Map;
pub use super::refused::Refused;
use crate::history::{
    ByteString, CompactRequest, CompactResponse, DeleteRangeRequest, DeleteRangeResponse,
    EventKind, KeyRange, KeyValue, Lease, PutRequest, PutResponse, RangeRequest, RangeResponse,
    Request, Response, Revision, TxnResponse, WatchEvent,
};

/// The longest time to live that a lease may be granted, in seconds (LE-2).
pub const MOST_TTL: i64 = 9_000_000_000;

/// A key's pair, or the tombstone of its last life.
type Version = Option<Arc<KeyValue>>;

/// The state of a store together with its whole past. Cheap to clone.
#[derive(Clone, Debug)]
pub struct State {
    revision: Revision,
    keys: Map<ByteString, Map<Revision, Version>>,
    /// By lease: its TTL in seconds while it is alive.
    pub(super) leases: Map<Lease, Option<i64>>,
    /// By the store's revision at a compaction: the mark that it set.
    marks: Map<Revision, Revision>,
    /// The keys that the current revision changed, in the order in which it did.
    fresh: Arc<Vec<ByteString>>,
    /// Of the changes of keys, in order.
    changes: u128,
    /// Of the leases that are alive and of the marks, in any order.
    pub(super) others: u128,
}

impl Default for State {
    fn default() -> Self {
        Self {
            revision: Revision(1),
            keys: Map::default(),
            leases: Map::default(),
            marks: Map::default(),
            fresh: Arc::default(),
            changes: digest::START,
            others: 0,
        }
    }
}

impl State {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The current revision.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// A fingerprint of the state and its past (S3).
    #[must_use]
    pub fn digest(&self) -> u128 {
        self.changes ^ self.others
    }

    /// The compaction mark, once there is one.
    #[must_use]
    pub fn mark(&self) -> Option<Revision> {
        self.marks.at_or_below(&self.revision).copied()
    }

    /// Serves one request: the state after it and the answer. A grant that leaves the id to the
    /// store gets the least that was never granted.
    ///
    /// # Errors
    /// The request must be refused; the state stays as it is.
    pub fn step(&self, request: &Request) -> Result<(Self, Response), Refused> {
        match request {
            Request::Put(put) => {
                check_put(put)?;
                self.admit(put)?;
                let (after, response) = self.put(self.next(), put);
                Ok((after, Response::Put(response)))
            }
            Request::Range(range) => Ok((self.clone(), Response::Range(self.now().range(range)?))),
            Request::DeleteRange(delete) => {
                check_key(&delete.key)?;
                let (after, response) = self.delete_range(self.next(), delete);
                Ok((after, Response::DeleteRange(response)))
            }
            Request::Txn(txn) => {
                let (after, response) = self.txn(txn)?;
                Ok((after, Response::Txn(response)))
            }
            Request::Compact(compact) => {
                let (after, response) = self.compact(compact)?;
                Ok((after, Response::Compact(response)))
            }
            Request::LeaseGrant(grant) => {
                let (after, response) = self.grant(grant)?;
                Ok((after, Response::LeaseGrant(response)))
            }
            Request::LeaseRevoke(revoke) => {
                let (after, response) = self.revoke(revoke)?;
                Ok((after, Response::LeaseRevoke(response)))
            }
            Request::LeaseKeepAlive(keep) => {
                Ok((self.clone(), Response::LeaseKeepAlive(self.keep_alive(keep))))
            }
            Request::LeaseTimeToLive(left) => {
                Ok((self.clone(), Response::LeaseTimeToLive(self.time_to_live(left))))
            }
            Request::LeaseLeases(_) => {
                Ok((self.clone(), Response::LeaseLeases(self.lease_leases())))
            }
        }
    }

    /// What a member whose store is at revision `member` answers to a read: the present state's
    /// answer if `member` is the current revision, a stale one otherwise. None if the request is no
    /// read, or if no member can be there.
    ///
    /// # Errors
    /// The request must be refused by that member.
    pub fn read_as_of(
        &self,
        member: Revision,
        request: &Request,
    ) -> Option<Result<Response, Refused>> {
        if member < Revision(1) || member > self.revision {
            return None;
        }
        match request {
            Request::Range(range) => Some(self.as_of(member).range(range).map(Response::Range)),
            Request::Txn(txn) if txn.is_read_only() => {
                let read = self.as_of(member).read_only(txn);
                Some(read.map(|(succeeded, responses)| {
                    Response::Txn(TxnResponse { revision: member, succeeded, responses })
                }))
            }
            Request::Txn(_)
            | Request::Put(_)
            | Request::DeleteRange(_)
            | Request::Compact(_)
            | Request::LeaseGrant(_)
            | Request::LeaseRevoke(_)
            | Request::LeaseKeepAlive(_)
            | Request::LeaseTimeToLive(_)
            | Request::LeaseLeases(_) => None,
        }
    }

    /// Whether the state has a reason to refuse a request in this way. It may have others too, and
    /// in which order a store looks for them is its own business.
    #[must_use]
    pub fn refuses(&self, request: &Request, reason: Refused) -> bool {
        match (request, reason) {
            (Request::Put(put), Refused::KeyNotFound) => {
                let keeps = put.ignore_value || put.ignore_lease;
                keeps && self.pair(&put.key, self.revision).is_none()
            }
            (request, reason) => self.step(request).is_err_and(|refused| refused == reason),
        }
    }

    /// What is to be seen in this state.
    pub(super) fn now(&self) -> View<'_> {
        View { state: self, at: self.revision, mark: self.mark() }
    }

    /// What is to be seen on a member that has applied the writes up to a revision. Compactions
    /// make no revision, so of those at this very revision it may know none.
    fn as_of(&self, member: Revision) -> View<'_> {
        let mark = self.marks.at_or_below(&Revision(member.0 - 1)).copied();
        View { state: self, at: member, mark }
    }

    /// The revision of the next change.
    pub(super) fn next(&self) -> Revision {
        Revision(self.revision.0 + 1)
    }

    /// Whether the state lets a put happen.
    pub(super) fn admit(&self, put: &PutRequest) -> Result<(), Refused> {
        if put.lease.is_some_and(|lease| !self.is_alive(lease)) {
            return Err(Refused::LeaseNotFound);
        }
        let keeps = put.ignore_value || put.ignore_lease;
        if keeps && self.pair(&put.key, self.revision).is_none() {
            return Err(Refused::KeyNotFound);
        }
        Ok(())
    }

    /// A put at a revision: the next one, or that of the transaction it is part of.
    pub(super) fn put(&self, revision: Revision, request: &PutRequest) -> (Self, PutResponse) {
        let before = self.pair(&request.key, self.revision);
        let kept = |keep| before.filter(|_| keep);
        let after = KeyValue {
            key: request.key.clone(),
            value: kept(request.ignore_value)
                .map_or_else(|| request.value.clone(), |pair| pair.value.clone()),
            create_revision: before.map_or(revision, |pair| pair.create_revision),
            mod_revision: revision,
            version: before.map_or(0, |pair| pair.version) + 1,
            lease: kept(request.ignore_lease).map_or(request.lease, |pair| pair.lease),
        };
        let prev_kv = before.filter(|_| request.prev_kv).cloned();
        (self.with(revision, &request.key, Some(after)), PutResponse { revision, prev_kv })
    }

    /// A delete, at a revision as for a put if it removes something.
    pub(super) fn delete_range(
        &self,
        revision: Revision,
        request: &DeleteRangeRequest,
    ) -> (Self, DeleteRangeResponse) {
        let found = self.pairs(request.keys(), self.revision);
        let mut after = self.clone();
        for pair in &found {
            after = after.with(revision, &pair.key, None);
        }
        let prev_kvs = found.iter().filter(|_| request.prev_kv).map(|&pair| pair.clone()).collect();
        let (revision, deleted) = (after.revision, int(found.len()));
        (after, DeleteRangeResponse { revision, deleted, prev_kvs })
    }

    fn compact(&self, request: &CompactRequest) -> Result<(Self, CompactResponse), Refused> {
        let CompactRequest { revision: mark, .. } = *request;
        if mark < Revision(0) || self.mark().is_some_and(|old| mark <= old) {
            return Err(Refused::Compacted);
        }
        if mark > self.revision {
            return Err(Refused::FutureRevision);
        }
        let mut after = self.clone();
        let told = |mark: Revision| digest::of(&[1, self.revision.0, mark.0]);
        let replaced = self.marks.get(&self.revision).copied().map_or(0, told);
        after.others ^= replaced ^ told(mark);
        after.marks = self.marks.with(self.revision, mark);
        Ok((after, CompactResponse { revision: self.revision }))
    }

    /// The pairs of a range at a revision, in key order.
    pub(super) fn pairs(&self, range: KeyRange<'_>, at: Revision) -> Vec<&KeyValue> {
        let place = |key: &ByteString| {
            if &**key < range.first() {
                Ordering::Less
            } else if range.ends_before(key) {
                Ordering::Greater
            } else {
                Ordering::Equal
            }
        };
        let mut found = Vec::new();
        self.keys.visit(&place, &mut |_, versions| {
            found.extend(versions.at_or_below(&at).and_then(Option::as_deref));
        });
        found
    }

    fn pair(&self, key: &ByteString, at: Revision) -> Option<&KeyValue> {
        self.keys.get(key)?.at_or_below(&at)?.as_deref()
    }

    /// The state with one more version of a key.
    pub(super) fn with(
        &self,
        revision: Revision,
        key: &ByteString,
        version: Option<KeyValue>,
    ) -> Self {
        assert!(self.revision <= revision && revision.0 <= self.revision.0 + 1, "S1: {revision:?}");
        let changes = digest::change(self.changes, revision, key, version.as_ref());
        let versions = self.keys.get(key).cloned().unwrap_or_default();
        let versions = versions.with(revision, version.map(Arc::new));
        let mut fresh: Vec<ByteString> =
            if revision == self.revision { self.fresh.to_vec() } else { Vec::new() };
        fresh.push(key.clone());
        let (keys, fresh) = (self.keys.with(key.clone(), versions), Arc::new(fresh));
        Self { revision, changes, keys, fresh, ..self.clone() }
    }

    /// What the current revision changed, in order, as a watcher that wants everything is told.
    #[must_use]
    pub fn events(&self) -> Vec<WatchEvent> {
        let event = |key: &ByteString| {
            let prev_kv = self.pair(key, Revision(self.revision.0 - 1)).cloned();
            match self.pair(key, self.revision) {
                Some(pair) => WatchEvent { kind: EventKind::Put, kv: pair.clone(), prev_kv },
                None => {
                    let (key, mod_revision) = (key.clone(), self.revision);
                    let kv = KeyValue { key, mod_revision, ..KeyValue::default() };
                    WatchEvent { kind: EventKind::Delete, kv, prev_kv }
                }
            }
        };
        self.fresh.iter().map(event).collect()
    }
}

/// The state of a revision, as one member sees it.
#[derive(Clone, Copy)]
pub(super) struct View<'s> {
    pub(super) state: &'s State,
    pub(super) at: Revision,
    mark: Option<Revision>,
}

impl View<'_> {
    /// Whether a range can be answered.
    pub(super) fn admit(&self, request: &RangeRequest) -> Result<(), Refused> {
        check_key(&request.key)?;
        let at = request.revision.unwrap_or(self.at);
        if at > self.at {
            return Err(Refused::FutureRevision);
        }
        match self.mark {
            Some(mark) if at < mark => Err(Refused::Compacted),
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn range(&self, request: &RangeRequest) -> Result<RangeResponse, Refused> {
        self.admit(request)?;
        let found = self.state.pairs(request.keys(), request.revision.unwrap_or(self.at));
        let count = int(found.len());
        let admitted = found.iter().filter(|pair| {
            !request.count_only && request.admits(pair.create_revision, pair.mod_revision)
        });
        let most = request
            .limit
            .map_or(usize::MAX, |limit| usize::try_from(limit.get()).unwrap_or(usize::MAX));
        let mut kvs: Vec<KeyValue> = admitted.map(|pair| shown(pair, request.keys_only)).collect();
        let more = kvs.len() > most;
        kvs.truncate(most);
        Ok(RangeResponse { revision: self.at, kvs, more, count })
    }
}

/// What can be told about a put without a state.
pub(super) fn check_put(put: &PutRequest) -> Result<(), Refused> {
    check_key(&put.key)?;
    if put.ignore_value && !put.value.is_empty() {
        return Err(Refused::ValueProvided);
    }
    if put.ignore_lease && put.lease.is_some() {
        return Err(Refused::LeaseProvided);
    }
    Ok(())
}

pub(super) fn check_key(key: &[u8]) -> Result<(), Refused> {
    if key.is_empty() { Err(Refused::EmptyKey) } else { Ok(()) }
}

/// A pair as a range shows it.
fn shown(pair: &KeyValue, keys_only: bool) -> KeyValue {
    let mut shown = pair.clone();
    if keys_only {
        shown.value = ByteString::default();
    }
    shown
}

pub(super) fn int(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
