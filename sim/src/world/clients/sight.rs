//! What clients know: each what it saw itself, and all together what went round.
//!
//! A plan says "as I saw it last" and "the newest removal": here is what that means in a run. What
//! a client knows may be out of date. That is its use: a guard that compares with it fails when
//! somebody else was faster.

use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_core::api::etcdserverpb::response_op::Response as Inner;
use quorate_core::api::etcdserverpb::{PutRequest, PutResponse, RangeRequest, ResponseOp};
use quorate_core::api::mvccpb::KeyValue;

use super::super::Call;
use super::Reply;
use crate::plan::Point;

/// What one client saw.
#[derive(Debug)]
pub struct Sight {
    /// The newest revision.
    pub newest: i64,
    /// The pairs that it saw last, by key.
    pairs: BTreeMap<Bytes, KeyValue>,
    /// The lease that a member chose the id of for this client.
    pub own: Option<i64>,
}

/// What any client was told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rumours {
    /// The newest revision.
    pub newest: i64,
    /// The newest revision that removed something.
    pub tombstone: i64,
    /// The newest revision that was compacted at.
    pub mark: i64,
}

impl Sight {
    /// Before the first answer.
    pub fn new() -> Self {
        Self { newest: 1, pairs: BTreeMap::new(), own: None }
    }

    /// The pair of a key as it was seen last. One that was never seen does not exist.
    pub fn pair(&self, key: &Bytes) -> KeyValue {
        self.pairs.get(key).cloned().unwrap_or_default()
    }

    /// The revision that a plan speaks of.
    pub fn revision(&self, point: Point, rumours: &Rumours) -> i64 {
        match point {
            Point::Back(by) => (self.newest - i64::from(by)).max(1),
            Point::Ahead(by) => self.newest + i64::from(by),
            Point::Tombstone(by) => (rumours.tombstone - i64::from(by)).max(1),
            Point::Mark(by) => (rumours.mark - i64::from(by)).max(1),
        }
    }

    /// Takes in what an answer shows.
    pub fn learn(&mut self, call: &Call, reply: &Reply, rumours: &mut Rumours) {
        let Some(revision) = reply.revision() else { return };
        self.newest = self.newest.max(revision);
        rumours.newest = rumours.newest.max(revision);
        match reply {
            Reply::Put(answer) => {
                if let Call::Put(put) = call {
                    self.wrote(put, answer, revision);
                }
            }
            Reply::DeleteRange(answer) => rumours.removed(answer.deleted, revision),
            Reply::Range(answer) => {
                if let Call::Range(range) = call {
                    self.read(range, &answer.kvs);
                }
            }
            Reply::Txn(answer) => self.learn_txn(&answer.responses, revision, rumours),
            Reply::Compact(_) => {
                if let Call::Compact(compact) = call {
                    rumours.mark = rumours.mark.max(compact.revision);
                }
            }
            Reply::LeaseGrant(answer) => {
                if matches!(call, Call::LeaseGrant(grant) if grant.id == 0) {
                    self.own = Some(answer.id);
                }
            }
            Reply::LeaseRevoke(_)
            | Reply::KeepAlive(_)
            | Reply::TimeToLive(_)
            | Reply::Leases(_)
            | Reply::Moved
            | Reply::Failed(_)
            | Reply::Lost
            | Reply::NoMember => {}
        }
    }

    fn learn_txn(&mut self, responses: &[ResponseOp], revision: i64, rumours: &mut Rumours) {
        for response in responses.iter().filter_map(|op| op.response.as_ref()) {
            match response {
                Inner::ResponseRange(range) => self.saw(&range.kvs),
                Inner::ResponsePut(_) => {}
                Inner::ResponseDeleteRange(delete) => rumours.removed(delete.deleted, revision),
                Inner::ResponseTxn(txn) => self.learn_txn(&txn.responses, revision, rumours),
            }
        }
    }

    fn read(&mut self, range: &RangeRequest, pairs: &[KeyValue]) {
        if range.revision > 0 || range.keys_only || range.count_only {
            return;
        }
        if pairs.is_empty() && range.range_end.is_empty() {
            self.pairs.remove(&range.key);
        }
        self.saw(pairs);
    }

    fn saw(&mut self, pairs: &[KeyValue]) {
        for pair in pairs {
            let known = self.pairs.get(&pair.key).map_or(0, |known| known.mod_revision);
            if pair.mod_revision >= known {
                self.pairs.insert(pair.key.clone(), pair.clone());
            }
        }
    }

    /// A put tells its revision and perhaps the pair before: the rest follows, or is a guess.
    fn wrote(&mut self, put: &PutRequest, answer: &PutResponse, revision: i64) {
        let before = answer.prev_kv.clone().unwrap_or_default();
        let pair = KeyValue {
            key: put.key.clone(),
            value: put.value.clone(),
            create_revision: if before.version > 0 { before.create_revision } else { revision },
            mod_revision: revision,
            version: before.version + 1,
            lease: put.lease,
        };
        self.pairs.insert(put.key.clone(), pair);
    }
}

impl Rumours {
    fn removed(&mut self, keys: i64, revision: i64) {
        if keys > 0 {
            self.tombstone = self.tombstone.max(revision);
        }
    }
}
