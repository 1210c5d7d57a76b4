//! Clients that record what they asked, what they got, and when.
//!
//! ```text
//!   ask --> arrives at a member --> .. --> reply --> recorded --> thinks --> asks again
//!    |                                       |
//!    +-- patience is over: outcome unknown --+    a later answer finds nobody
//! ```
//! A client asks one thing after the other. When a call fails it may go to the next member; either
//! way it is a new session from then on, since no store promises that two connections see the same
//! past. Each client has a *keeper* beside it, which renews leases while the client does something
//! else. After the faults, one more client per member (a *prober*) demands answers.
//!
//! Invariants:
//! - C1. A call is refused only if it surely had no effect; in doubt it is unknown.
//!
//! Not here: the messages (`clients/call.rs`), what a client knows (`clients/sight.rs`), what the
//! record must satisfy (`judge.rs`).

mod call;
mod reply;
mod sight;
mod streams;
mod tally;
mod watcher;

use std::collections::VecDeque;

use quorate_checks::history::{Operation, Outcome, Record};

use super::desk::Call;
use super::liveness::{LONG, Phase};
use super::race::BREATH;
use super::{Event, World};
use crate::clock::Micros;
use crate::counters::Counter;
use crate::plan::{Keys, Lease, Op, Plan, Put, Range, Request, Tie};
use crate::record::{self, Asked};

pub use reply::Reply;

use call::Asking;
use sight::{Rumours, Sight};
use streams::Streams;
use tally::count_reply;

/// Operations of probers are numbered from here.
const PROBES: u32 = 1_000_000;
/// Renewals of a keeper are numbered from here, so many for each operation.
const RENEWALS: u32 = 2_000_000;
const RENEWALS_EACH: u32 = 100;

/// Everybody who asks.
#[derive(Debug)]
pub struct Clients {
    list: Vec<Client>,
    /// How many of them follow the plan. As many keepers come behind them, then the probers.
    planned: usize,
    record: Vec<Operation>,
    streams: Streams,
    rumours: Rumours,
    probes: u32,
}

#[derive(Debug)]
struct Client {
    member: usize,
    sessions: u64,
    script: VecDeque<Op>,
    pending: Option<Pending>,
    reply: Option<Reply>,
    sight: Sight,
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
        let places = (0..planned).chain(0..planned).map(|at| at % members).chain(0..members);
        let mut list: Vec<Client> = places.map(Client::new).collect();
        for op in &plan.ops {
            list[usize::from(op.client)].script.push_back(op.clone());
        }
        let (streams, rumours) = (Streams::default(), Rumours::default());
        Self { list, planned, record: Vec::new(), streams, rumours, probes: 0 }
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
        self.list[..self.probers()].iter().all(|client| client.pending.is_none())
    }

    /// Whether every prober got what it wants.
    pub fn are_content(&self) -> bool {
        self.list[self.all_probers()].iter().all(|prober| prober.wants.is_empty())
    }

    /// Whether every watcher has seen everything up to a revision.
    pub fn have_seen(&self, revision: i64) -> bool {
        self.streams.have_seen(revision)
    }

    /// Who has not seen everything up to a revision, if anybody.
    pub fn laggard(&self, revision: i64) -> Option<String> {
        self.streams.laggard(revision)
    }

    /// The record. Calls that are still open have no known outcome.
    pub fn close(&mut self) -> Vec<Record> {
        for client in &mut self.list {
            if let Some(pending) = client.pending.take() {
                let why = "the run ended".to_owned();
                self.record.extend(pending.asked.over(Outcome::Unknown { why }, None));
            }
        }
        let operations = std::mem::take(&mut self.record).into_iter().map(Record::Operation);
        operations.chain(self.streams.close().into_iter().map(Record::Watch)).collect()
    }

    /// The clients that demand answers after the faults.
    pub fn all_probers(&self) -> std::ops::Range<usize> {
        self.probers()..self.list.len()
    }

    /// The member that a client talks to.
    pub fn member(&self, client: usize) -> usize {
        self.list[client].member
    }

    /// One more thing that a prober is to ask.
    pub fn want(&mut self, prober: usize, request: Request) {
        self.list[prober].wants.push_back(request);
    }

    fn probers(&self) -> usize {
        2 * self.planned
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
            sight: Sight::new(),
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
        let mut long = self.plan.settings.long_lease;
        for client in self.clients.all_probers() {
            if self.hosts[self.clients.list[client].member].retired {
                continue;
            }
            let put = Put { key: client as u8, size: Some(0), tie: Tie::Loose, prev: true };
            let ttl = std::mem::take(&mut long).cast_signed();
            let lease = Lease::Id(LONG.0);
            let grant = (ttl > 0).then_some(Request::Grant { lease, ttl });
            let wants = [Request::Put(put), Request::Range(everything.clone())];
            self.clients.list[client].wants = grant.into_iter().chain(wants).collect();
            self.after(1, Event::Ask { client });
        }
    }

    fn think(&mut self, client: usize) {
        if let Some(op) = self.clients.list[client].script.front() {
            self.after(op.think, Event::Ask { client });
        }
    }

    pub(super) fn ask(&mut self, client: usize) {
        let prober = client >= self.clients.probers();
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
        self.do_now(client, number, &request);
    }

    /// Some requests wait for an answer, others are for somebody beside the client.
    fn do_now(&mut self, client: usize, number: u32, request: &Request) {
        match request {
            Request::Keep { lease, every, times } => {
                self.keep(client, number, *lease, *every, *times);
                self.think(client);
            }
            Request::Watch(watch) => {
                self.watch(client, number, watch);
                self.think(client);
            }
            Request::Cancel(op) => {
                self.cancel(client, *op);
                self.think(client);
            }
            Request::Progress(stream) => {
                self.ask_progress(client, *stream);
                self.think(client);
            }
            Request::Pace(stream, every) => {
                self.pace(client, *stream, *every);
                self.think(client);
            }
            Request::Close(stream) => {
                self.close_stream(client, *stream);
                self.think(client);
            }
            Request::Put(_)
            | Request::Delete(_)
            | Request::Range(_)
            | Request::Txn(_)
            | Request::Compact { .. }
            | Request::Grant { .. }
            | Request::Revoke(_)
            | Request::KeepAlive(_)
            | Request::TimeToLive { .. }
            | Request::Leases
            | Request::MoveLeader(_) => self.call_out(client, number, request),
        }
    }

    /// Hands a lease to the client's keeper, which renews it as often as it was told.
    fn keep(&mut self, client: usize, number: u32, lease: Lease, every: Micros, times: u32) {
        let at = self.clients.planned + client;
        let (member, own) = (self.clients.list[client].member, self.clients.list[client].sight.own);
        let keeper = &mut self.clients.list[at];
        let idle = keeper.script.is_empty() && keeper.pending.is_none();
        if idle {
            keeper.member = member; // A call under way is at the member that it went to.
        }
        keeper.sight.own = own;
        let first = RENEWALS + number * RENEWALS_EACH;
        let renewal = |number| Op {
            number,
            client: client as u8,
            think: every,
            request: Request::KeepAlive(lease),
        };
        keeper.script = (first..first + times.min(RENEWALS_EACH)).map(renewal).collect();
        if idle {
            self.think(at);
        }
    }

    fn call_out(&mut self, client: usize, number: u32, request: &Request) {
        let rumours = self.clients.rumours;
        let caller = &mut self.clients.list[client];
        let asking = Asking { number, sight: &caller.sight, rumours: &rumours, writes: 0 };
        let Some(call) = asking.call(request) else { return self.think(client) };
        let session = client as u64 * 100_000 + caller.sessions;
        let asked = Asked { number, session, invoked: self.now, request: record::request(&call) };
        self.counters.count(Counter::Calls);
        if let Call::Range(range) = &call {
            self.counters.add(Counter::OldReads, u64::from(range.revision > 0));
        }
        let (member, patience) = (caller.member, self.plan.settings.patience);
        caller.pending = Some(Pending { asked, call, boot: None, newest: rumours.newest });
        self.trace
            .event(self.now, format_args!("c{client} asks n{} #{number} {request}", member + 1));
        self.after(self.plan.settings.service, Event::Arrive { client, number });
        self.after(patience, Event::GiveUp { client, number });
    }

    pub(super) fn give_up(&mut self, client: usize, number: u32) {
        let caller = &self.clients.list[client];
        if caller.pending.as_ref().is_some_and(|pending| pending.asked.number == number) {
            let why = "no answer in time".to_owned();
            self.finish(client, Some(Outcome::Unknown { why }), false);
        }
    }

    pub(super) fn take_reply(&mut self, client: usize, number: u32) {
        let caller = &mut self.clients.list[client];
        let Some(pending) = caller.pending.as_ref().filter(|it| it.asked.number == number) else {
            return;
        };
        let Some(reply) = caller.reply.take() else { return };
        caller.sight.learn(&pending.call, &reply, &mut self.clients.rumours);
        count_reply(&mut self.counters, &pending.call, &reply, pending.newest);
        let answered = reply.is_an_answer();
        self.finish(client, record::outcome(&reply, self.now), answered);
    }

    /// A call is over. No outcome: it is done, and is no part of the record.
    fn finish(&mut self, client: usize, outcome: Option<Outcome>, answered: bool) {
        let caller = &mut self.clients.list[client];
        caller.reply = None;
        let Some(pending) = caller.pending.take() else { return };
        let (number, member) = (pending.asked.number, caller.member);
        self.trace.event(self.now, format_args!("c{client} #{number} {}", record::Shown(&outcome)));
        self.counters.count(match outcome {
            Some(Outcome::Ok { .. }) | None => Counter::Answered,
            Some(Outcome::Refused { .. }) => Counter::Refused,
            Some(Outcome::Unknown { .. }) => Counter::Unknown,
        });
        let endpoint = pending.boot.map(|boot| (member, boot));
        let record = outcome.and_then(|outcome| pending.asked.over(outcome, endpoint));
        self.clients.record.extend(record);
        self.go_on(client, answered);
    }

    /// What a client does after a call.
    fn go_on(&mut self, client: usize, answered: bool) {
        let prober = client >= self.clients.probers();
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
            if caller.wants.is_empty() {
                self.write_on(client);
            }
        }
        let pause = match (answered, self.race) {
            (true, None) => 1,
            (true, Some(_)) => BREATH,
            (false, _) => self.plan.settings.heartbeat,
        };
        self.after(pause, Event::Ask { client });
    }
}
