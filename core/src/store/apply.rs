//! One committed entry becomes one result: the same on every member (CO-4).
//!
//! ```text
//!  Entry --decode--> Command --> put | delete | txn | compact | members | leases
//!                                 |        |     |      |         |         |
//!                                 v        v     v      v         v         v
//!                              new state + rows + events + facts + outcome --> Applied
//!                                           \---> rolling hash
//! ```
//! A refusal is an outcome like any other: it changes nothing but the position. What the leader
//! checked before it proposed is not checked again but asserted: an entry that breaks it would
//! break every member alike, and must be seen.
//!
//! Invariants:
//! - A1. Entries are applied one by one, in log order, each once.
//! - A2. The outcome depends on the state and the entry alone.
//!
//! Not here: what makes a command acceptable (`request.rs`); transactions (`txn.rs`) and compaction
//! (`compact.rs`).

use alloc::vec::Vec;

use prost::Message;

use super::Store;
use super::digest::Digest;
use super::lease::Span;
use super::mvcc::{Put, Record, Written};
use super::rows::Row;
use crate::api::etcdserverpb::{
    DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse, ResponseHeader,
};
use crate::api::wire::command::Action;
use crate::api::wire::{Command, Configuration, Publish};
use crate::api::{KeyRange, Refusal, Response};
use crate::raft::Entry;
use crate::request::requester;
use crate::types::{Index, LeaseId, LogId, RequestId, Seconds};

/// What an applied entry leads to.
#[derive(Clone, PartialEq, Debug)]
pub struct Applied {
    /// The entry.
    pub id: LogId,
    /// Who asked, and the answer; none if nobody did.
    pub reply: Option<(RequestId, Result<Response, Refusal>)>,
    /// If the answer must wait: the mark up to which removal is to be durable first (KV-26).
    pub awaits: Option<i64>,
    /// What to make durable, in order.
    pub rows: Vec<Row>,
    /// What watchers are told: all changes of one main revision, in order.
    pub events: Vec<Written>,
    /// What consensus must know of it, in order.
    pub facts: Vec<Fact>,
}

/// Something that an entry changed and that consensus keeps time or count by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fact {
    /// The store is another one: what was told of the former is void, and what follows is all.
    Restored,
    /// A lease began.
    LeaseGranted(LeaseId, Span),
    /// A client ended a lease.
    LeaseRevoked(LeaseId),
    /// A lease ended because its time was over.
    LeaseExpired(LeaseId),
    /// A lease has so much of its TTL left for whoever leads next; none when it was renewed
    /// (LE-14).
    LeaseRemaining(LeaseId, Option<Seconds>),
}

/// What applying one command adds up to.
#[derive(Debug, Default)]
pub(super) struct Effect {
    pub rows: Vec<Row>,
    pub events: Vec<Written>,
    pub facts: Vec<Fact>,
    /// The mark up to which removal must be durable before the answer goes out.
    pub awaits: Option<i64>,
}

/// What came of a command: an answer or a refusal.
pub(super) type Outcome = Result<Response, Refusal>;

impl Store {
    /// Applies the next committed entry.
    pub fn apply(&mut self, entry: &Entry) -> Applied {
        assert_eq!(entry.index, self.applied.index.next(), "A1: {entry} after {}", self.applied);
        assert!(entry.term >= self.applied.term, "A1: {entry} after {}", self.applied);
        let command = decode(entry);
        let asker = requester(&command);
        let mut effect = Effect::default();
        self.space.begin();
        let outcome = command.action.map(|action| self.act(action, entry.index, &mut effect));
        let Effect { rows, events, facts, awaits } = effect;
        self.applied = entry.id();
        self.account(&rows, outcome.as_ref());
        let reply = asker.map(|id| (id, outcome.unwrap_or(Ok(Response::Done))));
        Applied { id: self.applied, reply, awaits, rows, events, facts }
    }

    fn act(&mut self, action: Action, at: Index, effect: &mut Effect) -> Outcome {
        match action {
            Action::Put(put) => self.put(&put, effect),
            Action::DeleteRange(delete) => {
                Ok(Response::DeleteRange(self.write_delete(&delete, effect)))
            }
            Action::Txn(txn) => self.txn(&txn, effect),
            Action::Compact(compaction) => {
                let outcome = self.compact(&compaction);
                effect.awaits = self.awaits(&compaction, &outcome);
                outcome
            }
            Action::LeaseGrant(grant) => self.lease_grant(&grant, at, effect),
            Action::LeaseRevoke(revoke) => self.lease_revoke(&revoke, effect),
            Action::LeaseCheckpoint(told) => Ok(self.lease_checkpoint(&told, effect)),
            Action::LeaseEnd(end) => Ok(self.lease_end(end, effect)),
            Action::Configuration(members) => Ok(self.configure(members, &mut effect.rows)),
            Action::Publish(publish) => Ok(self.publish(publish, &mut effect.rows)),
        }
    }

    fn put(&mut self, put: &PutRequest, effect: &mut Effect) -> Outcome {
        assert!(!put.key.is_empty(), "the border lets no empty key through");
        self.check_lease(put)?;
        self.check_kept(put)?;
        Ok(Response::Put(self.write_put(put, effect)))
    }

    /// The lease that a put names must exist (KV-18).
    pub(super) fn check_lease(&self, put: &PutRequest) -> Result<(), Refusal> {
        let exists = put.lease == 0 || self.leases.exists(LeaseId(put.lease));
        if exists { Ok(()) } else { Err(Refusal::LeaseNotFound) }
    }

    /// What is to be kept must be there (KV-17).
    pub(super) fn check_kept(&self, put: &PutRequest) -> Result<(), Refusal> {
        let keeps = put.ignore_value || put.ignore_lease;
        if keeps && self.space.get(&put.key).is_none() { Err(Refusal::KeyNotFound) } else { Ok(()) }
    }

    /// Writes a pair that was checked.
    pub(super) fn write_put(&mut self, put: &PutRequest, effect: &mut Effect) -> PutResponse {
        let written = self.space.put(Put {
            key: &put.key,
            value: (!put.ignore_value).then_some(&put.value),
            lease: (!put.ignore_lease).then_some(put.lease),
        });
        let previous = written.previous.as_ref().filter(|_| put.prev_kv);
        let prev_kv = previous.map(Record::key_value);
        self.leases.follow(&written);
        effect.write(written);
        PutResponse { header: self.header(), prev_kv }
    }

    pub(super) fn write_delete(
        &mut self,
        delete: &DeleteRangeRequest,
        effect: &mut Effect,
    ) -> DeleteRangeResponse {
        assert!(!delete.key.is_empty(), "the border lets no empty key through");
        let written = self.space.delete(KeyRange::new(&delete.key, &delete.range_end));
        let removed = written.iter().filter_map(|written| written.previous.as_ref());
        let response = DeleteRangeResponse {
            header: self.header(),
            deleted: i64::try_from(written.len()).expect("keys fit in memory"),
            prev_kvs: removed.filter(|_| delete.prev_kv).map(Record::key_value).collect(),
        };
        for written in written {
            self.leases.follow(&written);
            effect.write(written);
        }
        response
    }

    fn configure(&mut self, configuration: Configuration, rows: &mut Vec<Row>) -> Response {
        let before = self.cluster.row();
        self.cluster.configure(configuration.members);
        self.replace_members(before, rows)
    }

    /// A member that is no longer one is not heard.
    fn publish(&mut self, publish: Publish, rows: &mut Vec<Row>) -> Response {
        let before = self.cluster.row();
        if self.cluster.publish(publish) {
            self.replace_members(before, rows);
        }
        Response::Done
    }

    fn replace_members(&mut self, before: Option<Row>, rows: &mut Vec<Row>) -> Response {
        if let Some(row) = before {
            self.tally.remove_row(&row);
        }
        rows.extend(self.cluster.row());
        Response::Done
    }

    /// Adds the effect of an entry to the sums and the rolling hash.
    fn account(&mut self, rows: &[Row], outcome: Option<&Outcome>) {
        let mut digest = Digest::new(self.state_hash);
        digest.word(self.applied.index.0);
        digest.word(self.applied.term.0);
        digest.word(outcome.map_or(0, code));
        digest.word(self.compact_revision().cast_unsigned());
        for row in rows {
            digest.word(self.tally.add_row(row));
        }
        self.state_hash = digest.finish();
        self.size = self.size.max(self.tally.bytes);
    }

    pub(super) fn header(&self) -> Option<ResponseHeader> {
        Some(ResponseHeader { revision: self.revision(), ..Default::default() })
    }
}

/// An empty command is a new leader's no-op; any other asks for something.
fn decode(entry: &Entry) -> Command {
    match Command::decode(entry.command.clone()) {
        Ok(command) if command.action.is_some() || entry.command.is_empty() => command,
        Ok(_) => panic!("entry {} asks for nothing that this version knows", entry.id()),
        Err(error) => panic!("entry {} is no command: {error}", entry.id()),
    }
}

impl Effect {
    /// A change of a key goes to the disk and to the watchers.
    pub fn write(&mut self, written: Written) {
        if self.rows.is_empty() {
            self.rows.reserve_exact(1);
            self.events.reserve_exact(1);
        }
        self.rows.push(Row::record(written.at, &written.record));
        self.events.push(written);
    }
}

/// A number for the kind of an outcome, fixed for ever: it goes into the rolling hash.
fn code(outcome: &Outcome) -> u64 {
    match outcome {
        Ok(Response::Done) => 1,
        Ok(Response::Put(_)) => 2,
        Ok(Response::DeleteRange(_)) => 3,
        Ok(Response::Txn(_)) => 4,
        Ok(Response::Compact(_)) => 5,
        Ok(Response::LeaseGrant(_)) => 6,
        Ok(Response::LeaseRevoke(_)) => 7,
        Err(Refusal::EmptyKey) => 101,
        Err(Refusal::KeyNotFound) => 102,
        Err(Refusal::ValueProvided) => 103,
        Err(Refusal::LeaseProvided) => 104,
        Err(Refusal::InvalidSortOption) => 105,
        Err(Refusal::Compacted) => 106,
        Err(Refusal::FutureRevision) => 107,
        Err(Refusal::LeaseNotFound) => 108,
        Err(Refusal::TooLarge) => 109,
        Err(Refusal::DuplicateKey) => 110,
        Err(Refusal::TooManyOps) => 111,
        Err(Refusal::LeaseExists) => 112,
        Err(Refusal::LeaseTtlTooLarge) => 113,
    }
}
