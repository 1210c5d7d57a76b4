//! The desk: where a member's client calls arrive and from where they are answered.
//!
//! ```text
//!   put, delete         --> consensus --> .. applied .......> reply
//!   range, linearizable --> consensus --> readable --> store --page by page--> reply
//!   range, serializable -----------------------------> store --page by page--> reply
//!     (the first of a life goes the linearizable way: the store may have to catch up)
//! ```
//! Between two pages of a read the applier may go on: the read stays at its revision.

use quorate_core::actors::Answer;
use quorate_core::api::etcdserverpb::{DeleteRangeRequest, PutRequest, RangeRequest};
use quorate_core::api::{Failure, Refusal, Response, Unavailable};
use quorate_core::member::Input;
use quorate_core::request::{self, MAX_REQUEST_BYTES, Request};
use quorate_core::store::{Cursor, Step};
use quorate_core::types::RequestId;

use super::clients::Reply;
use super::host::Running;
use super::{Event, Name, World};
use crate::counters::Counter;
use crate::plan::{Actor, Moment};

/// Who waits for an answer, and what for.
#[derive(Clone, Debug)]
pub struct Ticket {
    pub client: usize,
    pub number: u32,
    /// What to read once that is allowed.
    pub range: Option<RangeRequest>,
}

/// Something on the desk.
#[derive(Debug)]
pub enum Item {
    /// A call that came in.
    Call(Ticket, Call),
    /// A read that is allowed to look at the store, and how far it has come.
    Read(Ticket, RangeRequest, Option<Cursor>),
}

impl Item {
    /// Who waits for it.
    pub fn into_ticket(self) -> Ticket {
        match self {
            Self::Call(ticket, _) | Self::Read(ticket, ..) => ticket,
        }
    }
}

/// A client's call in the messages of the API.
#[derive(Clone, Debug)]
pub enum Call {
    /// Put a pair.
    Put(PutRequest),
    /// Delete pairs.
    DeleteRange(DeleteRangeRequest),
    /// Read pairs.
    Range(RangeRequest),
}

impl World {
    /// A call reaches the member that its client is connected to.
    pub(super) fn arrive(&mut self, client: usize, number: u32) {
        let Some((at, call)) = self.clients.call(client, number) else { return };
        let ticket = Ticket { client, number, range: None };
        let asks = matches!(&call, Call::Range(range) if !range.serializable);
        let boot = self.hosts[at].boot();
        match self.hosts[at].running() {
            None => self.reply(&ticket, Reply::NoMember),
            Some(running) => {
                running.desk.push_back(Item::Call(ticket, call));
                self.clients.connected(client, boot.unwrap_or_default());
                self.wake(at, Actor::Desk);
            }
        }
        if asks {
            self.moment(at, Moment::Asks);
        }
    }

    pub(super) fn run_desk(&mut self, at: usize) {
        let Some(running) = self.hosts[at].running() else { return };
        for item in std::mem::take(&mut running.desk) {
            match item {
                Item::Call(ticket, call) => self.take_call(at, ticket, call),
                Item::Read(ticket, range, cursor) => self.read(at, ticket, range, cursor),
            }
        }
    }

    fn take_call(&mut self, at: usize, mut ticket: Ticket, call: Call) {
        let Some(running) = self.hosts[at].running() else { return };
        let request = match call {
            Call::Range(range) if running.waiters.may_read_locally(range.serializable) => {
                return self.read(at, ticket, range, None);
            }
            Call::Range(range) => {
                ticket.range = Some(range);
                Ok((running.waiters.id(), Request::Read))
            }
            Call::Put(put) => propose(running, |id| request::put(id, put, MAX_REQUEST_BYTES)),
            Call::DeleteRange(delete) => {
                propose(running, |id| request::delete_range(id, delete, MAX_REQUEST_BYTES))
            }
        };
        match request {
            Err(refusal) => self.reply(&ticket, Reply::Failed(Failure::Refused(refusal))),
            Ok((id, request)) => {
                self.ledger.asked(ticket.number, id);
                running.waiters.wait(id, ticket);
                running.inbox.push(Input::Request(id, request));
                self.wake(at, Actor::Consensus);
            }
        }
    }

    /// One page of a read.
    fn read(&mut self, at: usize, ticket: Ticket, range: RangeRequest, cursor: Option<Cursor>) {
        let page = self.plan.settings.page as usize;
        let Some(running) = self.hosts[at].running() else { return };
        match running.store.range(&range, cursor, page) {
            Ok(Step::Done(response)) => self.reply(&ticket, Reply::Range(response)),
            Err(refusal) => self.reply(&ticket, Reply::Failed(Failure::Refused(refusal))),
            Ok(Step::More(cursor)) => {
                running.desk.push_back(Item::Read(ticket, range, Some(cursor)));
                self.counters.count(Counter::SteppedReads);
                self.wake(at, Actor::Desk);
            }
        }
    }

    /// Whoever takes a waiter out answers it.
    pub(super) fn answer(&mut self, at: usize, answers: Vec<(RequestId, Answer)>) {
        for (id, answer) in answers {
            let Some(running) = self.hosts[at].running() else { return };
            let Some(mut ticket) = running.waiters.answer(id, &answer) else { continue };
            let reply = match answer {
                Answer::Readable => {
                    let Some(range) = ticket.range.take() else {
                        panic!("{id} is no read and became readable")
                    };
                    running.desk.push_back(Item::Read(ticket, range, None));
                    self.wake(at, Actor::Desk);
                    continue;
                }
                Answer::Lease(_) => panic!("{id} did not ask about a lease"),
                Answer::Moved => panic!("{id} wished for no other leader"),
                Answer::Failed(why) => {
                    self.count_failure(why);
                    Reply::Failed(Failure::Unavailable(why))
                }
                Answer::Applied(Ok(Response::Put(put))) => Reply::Put(put),
                Answer::Applied(Ok(Response::DeleteRange(delete))) => Reply::DeleteRange(delete),
                Answer::Applied(Ok(
                    Response::Txn(_)
                    | Response::Compact(_)
                    | Response::LeaseGrant(_)
                    | Response::LeaseRevoke(_)
                    | Response::Done,
                )) => panic!("{id} is no command of a client"),
                Answer::Applied(Err(refusal)) => Reply::Failed(Failure::Refused(refusal)),
            };
            self.trace.event(self.now, format_args!("{} answers {id} {reply}", Name(at)));
            self.reply(&ticket, reply);
        }
    }

    fn count_failure(&mut self, why: Unavailable) {
        match why {
            Unavailable::Timeout | Unavailable::TimeoutLeaderLost => {
                self.counters.count(Counter::GivenUp);
            }
            Unavailable::NeverProposed => {
                self.counters.count(Counter::GivenUp);
                self.counters.count(Counter::NeverProposed);
            }
            Unavailable::LeaderChanged
            | Unavailable::NoLeader
            | Unavailable::TooManyRequests
            | Unavailable::Stopped
            | Unavailable::NotLeader
            | Unavailable::BadTransferee
            | Unavailable::HandoverTimeout
            | Unavailable::Unhealthy => {}
        }
    }

    /// Sends an answer on its way.
    pub(super) fn reply(&mut self, ticket: &Ticket, reply: Reply) {
        let Ticket { client, number, .. } = *ticket;
        if self.clients.post(client, number, reply) {
            self.after(self.plan.settings.service, Event::Reply { client, number });
        }
    }
}

fn propose(
    running: &mut Running,
    build: impl FnOnce(RequestId) -> Result<Request, Refusal>,
) -> Result<(RequestId, Request), Refusal> {
    let id = running.waiters.id();
    build(id).map(|request| (id, request))
}
