//! Clients that record what they asked, what they got, and when.
//!
//! ```text
//!   ask --> arrives at a member --> .. --> reply --> recorded --> thinks --> asks again
//!    |                                       |
//!    +-- patience is over: outcome unknown --+    a later answer finds nobody
//! ```
//! A client asks one thing after the other. When a call fails it may go to the next member; either
//! way it is a new session from then on, since no store promises that two connections see the same
//! past. After the faults, one more client per member (a *prober*) demands answers.
//!
//! Invariants:
//! - C1. A call is refused only if it surely had no effect; in doubt it is unknown.
//!
//! Not here: what the record must satisfy (`judge.rs`).

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;
use quorate_checks::history::{Operation, Outcome};
use quorate_core::api::Failure;
use quorate_core::api::etcdserverpb::{
    DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse, RangeRequest, RangeResponse,
};

use super::desk::Call;
use super::liveness::Phase;
use super::{Event, World};
use crate::counters::Counter;
use crate::plan::{Keys, Only, Op, Plan, Point, Put, Range, Request, Tie};
use crate::record::{self, Asked};

/// Operations of probers are numbered from here.
const PROBES: u32 = 1_000_000;

/// What a call comes to.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A put took effect.
    Put(PutResponse),
    /// A delete took effect.
    DeleteRange(DeleteRangeResponse),
    /// What was read.
    Range(RangeResponse),
    /// It was refused, or the member gave up.
    Failed(Failure),
    /// The member went away with the call.
    Lost,
    /// There was no process to take the call.
    NoMember,
}

/// Everybody who asks.
#[derive(Debug)]
pub struct Clients {
    list: Vec<Client>,
    /// How many of them follow the plan; the others are probers, one per member.
    planned: usize,
    record: Vec<Operation>,
    /// The newest revision that anybody saw.
    newest: i64,
    probes: u32,
}

#[derive(Debug)]
struct Client {
    member: usize,
    sessions: u64,
    script: VecDeque<Op>,
    pending: Option<Pending>,
    reply: Option<Reply>,
    /// The newest revision that it saw.
    newest: i64,
    /// What a prober must still get.
    wants: VecDeque<Request>,
}

#[derive(Debug)]
struct Pending {
    asked: Asked,
    call: Call,
    /// The life of the member that took the call.
    boot: Option<u64>,
    /// The newest revision that anybody saw when it was asked.
    newest: i64,
}

impl Clients {
    pub fn new(plan: &Plan) -> Self {
        let members = plan.settings.members as usize;
        let planned = plan.settings.clients as usize;
        let places = (0..planned).map(|at| at % members).chain(0..members);
        let mut list: Vec<Client> = places.map(Client::new).collect();
        for op in &plan.ops {
            list[usize::from(op.client)].script.push_back(op.clone());
        }
        Self { list, planned, record: Vec::new(), newest: 0, probes: 0 }
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// The member and the content of a call on its way.
    pub fn call(&self, client: usize, number: u32) -> Option<(usize, Call)> {
        let client = &self.list[client];
        let pending = client.pending.as_ref().filter(|pending| pending.asked.number == number)?;
        Some((client.member, pending.call.clone()))
    }

    /// A call was taken by a life of its member.
    pub fn connected(&mut self, client: usize, boot: u64) {
        if let Some(pending) = &mut self.list[client].pending {
            pending.boot = Some(boot);
        }
    }

    /// Puts an answer on its way. Whether anybody waits for it.
    pub fn post(&mut self, client: usize, number: u32, reply: Reply) -> bool {
        let client = &mut self.list[client];
        let waits = client.pending.as_ref().is_some_and(|pending| pending.asked.number == number);
        if waits && client.reply.is_none() {
            client.reply = Some(reply);
            return true;
        }
        false
    }

    /// Whether no client of the plan waits for an answer.
    pub fn are_idle(&self) -> bool {
        self.list[..self.planned].iter().all(|client| client.pending.is_none())
    }

    /// Whether every prober got what it wants.
    pub fn are_content(&self) -> bool {
        self.list[self.planned..].iter().all(|prober| prober.wants.is_empty())
    }

    /// The record. Calls that are still open have no known outcome.
    pub fn close(&mut self) -> Vec<Operation> {
        for client in &mut self.list {
            if let Some(pending) = client.pending.take() {
                let why = "the run ended".to_owned();
                self.record.push(pending.asked.over(Outcome::Unknown { why }, None));
            }
        }
        std::mem::take(&mut self.record)
    }
}

impl Client {
    fn new(member: usize) -> Self {
        Self {
            member,
            sessions: 1,
            script: VecDeque::new(),
            pending: None,
            reply: None,
            newest: 1,
            wants: VecDeque::new(),
        }
    }
}

impl World {
    pub(super) fn open_clients(&mut self) {
        for client in 0..self.clients.planned {
            self.think(client);
        }
    }

    /// Lets every prober demand a put and a look at everything.
    pub(super) fn open_probers(&mut self) {
        let everything =
            Range { keys: Keys::From(0), limit: 0, at: None, serializable: false, only: None };
        for client in self.clients.planned..self.clients.len() {
            if self.hosts[self.clients.list[client].member].retired {
                continue;
            }
            let put = Put { key: client as u8, size: Some(0), tie: Tie::Loose, prev: true };
            let wants = [Request::Put(put), Request::Range(everything.clone())];
            self.clients.list[client].wants = wants.into();
            self.after(1, Event::Ask { client });
        }
    }

    fn think(&mut self, client: usize) {
        if let Some(op) = self.clients.list[client].script.front() {
            self.after(op.think, Event::Ask { client });
        }
    }

    pub(super) fn ask(&mut self, client: usize) {
        let prober = client >= self.clients.planned;
        if (!prober && self.phase != Phase::Safety) || self.clients.list[client].pending.is_some() {
            return;
        }
        let (number, request) = if prober {
            let Some(request) = self.clients.list[client].wants.front().cloned() else { return };
            self.clients.probes += 1;
            (PROBES + self.clients.probes, request)
        } else {
            let Some(op) = self.clients.list[client].script.pop_front() else { return };
            (op.number, op.request)
        };
        self.call_out(client, number, &request);
    }

    fn call_out(&mut self, client: usize, number: u32, request: &Request) {
        let newest = self.clients.newest;
        let caller = &mut self.clients.list[client];
        let Some(call) = call(number, request, caller.newest) else {
            return self.think(client);
        };
        let session = client as u64 * 100_000 + caller.sessions;
        let asked = Asked { number, session, invoked: self.now, request: record::request(&call) };
        self.counters.count(Counter::Calls);
        if let Call::Range(range) = &call {
            self.counters.add(Counter::OldReads, u64::from(range.revision > 0));
        }
        let (member, patience) = (caller.member, self.plan.settings.patience);
        caller.pending = Some(Pending { asked, call, boot: None, newest });
        self.trace
            .event(self.now, format_args!("c{client} asks n{} #{number} {request}", member + 1));
        self.after(self.plan.settings.service, Event::Arrive { client, number });
        self.after(patience, Event::GiveUp { client, number });
    }

    pub(super) fn give_up(&mut self, client: usize, number: u32) {
        let caller = &self.clients.list[client];
        if caller.pending.as_ref().is_some_and(|pending| pending.asked.number == number) {
            self.finish(client, Outcome::Unknown { why: "no answer in time".to_owned() }, None);
        }
    }

    pub(super) fn take_reply(&mut self, client: usize, number: u32) {
        let caller = &mut self.clients.list[client];
        let waits = caller.pending.as_ref().is_some_and(|pending| pending.asked.number == number);
        let Some(reply) = caller.reply.take_if(|_| waits) else { return };
        let revision = reply.revision();
        let outcome = record::outcome(reply, self.now);
        self.finish(client, outcome, revision);
    }

    fn finish(&mut self, client: usize, outcome: Outcome, revision: Option<i64>) {
        let caller = &mut self.clients.list[client];
        caller.reply = None;
        let Some(pending) = caller.pending.take() else { return };
        let (number, member) = (pending.asked.number, caller.member);
        let shown = record::Shown(&outcome);
        self.trace.event(self.now, format_args!("c{client} #{number} {shown}"));
        self.count_outcome(&pending, &outcome, revision);
        let caller = &mut self.clients.list[client];
        if let Some(revision) = revision {
            caller.newest = caller.newest.max(revision);
            self.clients.newest = self.clients.newest.max(revision);
        }
        let answered = matches!(outcome, Outcome::Ok { .. });
        let endpoint = pending.boot.map(|boot| (member, boot));
        self.clients.record.push(pending.asked.over(outcome, endpoint));
        self.go_on(client, answered);
    }

    /// What a client does after a call.
    fn go_on(&mut self, client: usize, answered: bool) {
        let prober = client >= self.clients.planned;
        let moves = self.plan.settings.moves > 0 && !prober;
        let members = self.hosts.len();
        let caller = &mut self.clients.list[client];
        if !answered {
            caller.sessions += 1;
            if moves {
                caller.member = (caller.member + 1) % members;
                self.counters.count(Counter::Moves);
            }
        }
        if !prober {
            return self.think(client);
        }
        if answered {
            caller.wants.pop_front();
        }
        let patience = if answered { 1 } else { self.plan.settings.heartbeat };
        self.after(patience, Event::Ask { client });
    }

    fn count_outcome(&mut self, pending: &Pending, outcome: &Outcome, revision: Option<i64>) {
        self.counters.count(match outcome {
            Outcome::Ok { .. } => Counter::Answered,
            Outcome::Refused { .. } => Counter::Refused,
            Outcome::Unknown { .. } => Counter::Unknown,
        });
        if let Call::Range(range) = &pending.call {
            let stale = range.serializable && revision.is_some_and(|shown| shown < pending.newest);
            self.counters.add(Counter::StaleReads, u64::from(stale));
        }
    }
}

impl Reply {
    /// The revision that an answer shows.
    pub fn revision(&self) -> Option<i64> {
        let header = match self {
            Self::Put(put) => put.header.as_ref(),
            Self::DeleteRange(delete) => delete.header.as_ref(),
            Self::Range(range) => range.header.as_ref(),
            Self::Failed(_) | Self::Lost | Self::NoMember => None,
        };
        header.map(|header| header.revision)
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(_) | Self::DeleteRange(_) | Self::Range(_) => {
                write!(f, "at revision {}", self.revision().unwrap_or_default())
            }
            Self::Failed(why) => why.fmt(f),
            Self::Lost => f.write_str("connection lost"),
            Self::NoMember => f.write_str("connection refused"),
        }
    }
}

/// A request of the plan in the messages of the API, if members serve it. `newest` is what the
/// client has seen.
fn call(number: u32, request: &Request, newest: i64) -> Option<Call> {
    Some(match request {
        Request::Put(put) => Call::Put(PutRequest {
            key: key_name(put.key),
            value: put.size.map(|size| value(number, size)).unwrap_or_default(),
            ignore_value: put.size.is_none(),
            ignore_lease: put.tie == Tie::Kept,
            prev_kv: put.prev,
            ..Default::default()
        }),
        Request::Delete(delete) => {
            let (key, range_end) = bounds(delete.keys);
            Call::DeleteRange(DeleteRangeRequest { key, range_end, prev_kv: delete.prev })
        }
        Request::Range(range) => {
            let (key, range_end) = bounds(range.keys);
            Call::Range(RangeRequest {
                key,
                range_end,
                limit: i64::from(range.limit),
                revision: range.at.map_or(0, |point| revision(point, newest)),
                serializable: range.serializable,
                keys_only: range.only == Some(Only::Keys),
                count_only: range.only == Some(Only::Count),
                ..Default::default()
            })
        }
        Request::Txn(_)
        | Request::Compact { .. }
        | Request::Grant { .. }
        | Request::Revoke(_)
        | Request::KeepAlive(_)
        | Request::Keep { .. }
        | Request::TimeToLive { .. }
        | Request::Leases
        | Request::Watch(_)
        | Request::Cancel(_)
        | Request::Progress(_)
        | Request::Pace(..)
        | Request::Close(_)
        | Request::MoveLeader(_) => return None,
    })
}

fn revision(point: Point, newest: i64) -> i64 {
    match point {
        Point::Back(by) | Point::Tombstone(by) | Point::Mark(by) => (newest - i64::from(by)).max(1),
        Point::Ahead(by) => newest + i64::from(by),
    }
}

fn bounds(keys: Keys) -> (Bytes, Bytes) {
    match keys {
        Keys::One(key) => (key_name(key), Bytes::new()),
        Keys::Span(first, end) => (key_name(first), key_name(end)),
        Keys::From(first) => (key_name(first), Bytes::from_static(&[0])),
    }
}

fn key_name(key: u8) -> Bytes {
    Bytes::from(format!("k{key:02}"))
}

/// What operation `number` writes: itself, padded.
fn value(number: u32, size: u32) -> Bytes {
    let mut value = format!("{number}:").into_bytes();
    value.resize(value.len().max(size as usize), b'.');
    Bytes::from(value)
}
