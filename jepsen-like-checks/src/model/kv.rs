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
//! this life; "-" is a tombstone. A delete that finds no key makes no revision.
//!
//! Invariants:
//! - S1. A step raises the revision by one if it changed a key, and not at all otherwise.
//! - S2. No key has a version from above the state's revision.
//! - S3. States with the same digest have the same past (up to a chance of 2^-64 in 2^32 states).
//!
//! Not here: time and concurrency (`linearizable/`); compaction, leases' ends, transactions.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use super::map::Map;
use crate::history::{
    ByteString, DeleteRangeRequest, DeleteRangeResponse, KeyRange, KeyValue, Lease, PutRequest,
    PutResponse, RangeRequest, RangeResponse, Request, Response, Revision,
};

/// A key's pair, or the tombstone of its last life.
type Version = Option<Arc<KeyValue>>;

/// The state of a store together with its whole past. Cheap to clone.
#[derive(Clone, Debug)]
pub struct State {
    revision: Revision,
    keys: Map<ByteString, Map<Revision, Version>>,
    digest: u128,
}

/// Why a request must be refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// A key of length zero.
    EmptyKey,
    /// A read above the current revision.
    FutureRevision,
}

impl Refused {
    /// The text that etcd gives.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::EmptyKey => "etcdserver: key is not provided",
            Self::FutureRevision => "etcdserver: mvcc: required revision is a future revision",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Default for State {
    fn default() -> Self {
        Self { revision: Revision(1), keys: Map::default(), digest: Digest::START }
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
        self.digest
    }

    /// Serves one request: the state after it and the answer.
    ///
    /// # Errors
    /// The request must be refused; the state stays as it is.
    pub fn step(&self, request: &Request) -> Result<(Self, Response), Refused> {
        if request.keys().is_none_or(|keys| keys.first().is_empty()) {
            return Err(Refused::EmptyKey);
        }
        match request {
            Request::Put(put) => {
                let (after, response) = self.put(put);
                Ok((after, Response::Put(response)))
            }
            Request::Range(range) => {
                let response = self.range_as_of(self.revision, range)?;
                Ok((self.clone(), Response::Range(response)))
            }
            Request::DeleteRange(delete) => {
                let (after, response) = self.delete_range(delete);
                Ok((after, Response::DeleteRange(response)))
            }
            _ => Err(Refused::EmptyKey),
        }
    }

    /// What a member whose store is at revision `member` answers to a range: the present state's
    /// answer if `member` is the current revision, a stale one otherwise.
    ///
    /// # Errors
    /// The request must be refused by that member.
    pub fn range_as_of(
        &self,
        member: Revision,
        request: &RangeRequest,
    ) -> Result<RangeResponse, Refused> {
        if request.key.is_empty() {
            return Err(Refused::EmptyKey);
        }
        let at = request.revision.unwrap_or(member);
        if at > member.min(self.revision) {
            return Err(Refused::FutureRevision);
        }
        let found = self.pairs(KeyRange::new(&request.key, &request.range_end), at);
        let most = request
            .limit
            .map_or(usize::MAX, |limit| usize::try_from(limit.get()).unwrap_or(usize::MAX));
        let listed = if request.count_only { 0 } else { most.min(found.len()) };
        Ok(RangeResponse {
            revision: member,
            kvs: found[..listed].iter().map(|pair| shown(pair, request.keys_only)).collect(),
            more: !request.count_only && listed < found.len(),
            count: int(found.len()),
        })
    }

    fn put(&self, request: &PutRequest) -> (Self, PutResponse) {
        let revision = Revision(self.revision.0 + 1);
        let before = self.pair(&request.key, self.revision);
        let after = KeyValue {
            key: request.key.clone(),
            value: request.value.clone(),
            create_revision: before.map_or(revision, |pair| pair.create_revision),
            mod_revision: revision,
            version: before.map_or(0, |pair| pair.version) + 1,
            lease: request.lease,
        };
        let prev_kv = before.filter(|_| request.prev_kv).cloned();
        (self.with(revision, &request.key, Some(after)), PutResponse { revision, prev_kv })
    }

    fn delete_range(&self, request: &DeleteRangeRequest) -> (Self, DeleteRangeResponse) {
        let range = KeyRange::new(&request.key, &request.range_end);
        let found = self.pairs(range, self.revision);
        let revision = Revision(self.revision.0 + i64::from(!found.is_empty()));
        let mut after = self.clone();
        for pair in &found {
            after = after.with(revision, &pair.key, None);
        }
        let prev_kvs = found.iter().filter(|_| request.prev_kv).map(|&pair| pair.clone()).collect();
        (after, DeleteRangeResponse { revision, deleted: int(found.len()), prev_kvs })
    }

    /// The pairs of a range at a revision, in key order.
    fn pairs(&self, range: KeyRange<'_>, at: Revision) -> Vec<&KeyValue> {
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
    fn with(&self, revision: Revision, key: &ByteString, version: Option<KeyValue>) -> Self {
        assert!(self.revision <= revision && revision.0 <= self.revision.0 + 1, "S1: {revision:?}");
        let mut digest = Digest(self.digest);
        digest.change(revision, key, version.as_ref());
        let versions = self.keys.get(key).cloned().unwrap_or_default();
        let versions = versions.with(revision, version.map(Arc::new));
        Self { revision, keys: self.keys.with(key.clone(), versions), digest: digest.0 }
    }
}

/// A pair as a range shows it.
fn shown(pair: &KeyValue, keys_only: bool) -> KeyValue {
    let mut shown = pair.clone();
    if keys_only {
        shown.value = ByteString::default();
    }
    shown
}

fn int(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// FNV-1a over everything that ever changed, each field with its length or its presence.
struct Digest(u128);

impl Digest {
    const START: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

    fn change(&mut self, revision: Revision, key: &[u8], version: Option<&KeyValue>) {
        self.number(revision.0);
        self.bytes(key);
        self.number(i64::from(version.is_some()));
        if let Some(pair) = version {
            self.bytes(&pair.value);
            self.number(pair.lease.map_or(0, Lease::id));
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(int(bytes.len()));
        bytes.iter().for_each(|byte| self.byte(*byte));
    }

    fn number(&mut self, number: i64) {
        number.to_le_bytes().into_iter().for_each(|byte| self.byte(byte));
    }

    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u128::from(byte)).wrapping_mul(Self::PRIME);
    }
}
