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
use quorate_core::api::etcdserverpb::{
    CompactionRequest, DeleteRangeRequest, LeaseGrantRequest, LeaseKeepAliveRequest,
    LeaseKeepAliveResponse, LeaseLeasesRequest, LeaseLeasesResponse, LeaseRevokeRequest,
    LeaseStatus, LeaseTimeToLiveRequest, PutRequest, RangeRequest, ResponseHeader, TxnRequest,
};
use quorate_core::api::{Failure, Refusal, Unavailable};
use quorate_core::member::Input;
use quorate_core::request::{self, MAX_REQUEST_BYTES, Request, TxnKind, check_txn, txn_kind};
use quorate_core::store::{Cursor, Step, Store, TxnCursor, TxnStep};
use quorate_core::types::{LeaseId, LeaseLife, NodeId, RequestId};

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
    /// What to make of consensus' answer.
    pub look: Look,
}

/// What is left to do when consensus has answered.
#[derive(Clone, Debug)]
pub enum Look {
    /// Nothing: its answer is the answer.
    Nothing,
    /// These pairs are to be read.
    Range(RangeRequest),
    /// A transaction that only reads is to be carried out.
    Txn(TxnRequest),
    /// Another member was to lead.
    Moved,
    /// A lease was to be renewed.
    Renewed(LeaseId),
    /// A lease was asked about, with its keys or without.
    TimeToLive(LeaseId, bool),
}

/// Something on the desk.
#[derive(Debug)]
pub enum Item {
    /// A call that came in.
    Call(Ticket, Call),
    /// A read that is allowed to look at the store.
    Read(Ticket, Reading),
}

/// A read, and how far it has come.
#[derive(Debug)]
pub enum Reading {
    /// Of a range.
    Range(RangeRequest, Option<Cursor>),
    /// Of a transaction that only reads.
    Txn(TxnRequest, Option<TxnCursor>),
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
    /// Do several things at once.
    Txn(TxnRequest),
    /// Give up the past below a revision.
    Compact(CompactionRequest),
    /// Ask for a lease.
    LeaseGrant(LeaseGrantRequest),
    /// End a lease.
    LeaseRevoke(LeaseRevokeRequest),
    /// Renew a lease.
    KeepAlive(LeaseKeepAliveRequest),
    /// Ask how long a lease still lives.
    TimeToLive(LeaseTimeToLiveRequest),
    /// Ask for all leases.
    Leases(LeaseLeasesRequest),
    /// Let another member lead.
    MoveLeader(NodeId),
}

impl World {
    /// A call reaches the member that its client is connected to.
    pub(super) fn arrive(&mut self, client: usize, number: u32) {
        let Some((at, call)) = self.clients.call(client, number) else { return };
        // Whoever wants to move the leader asks around for it first.
        let moves = matches!(call, Call::MoveLeader(_));
        let at = self.leader().filter(|_| moves).unwrap_or(at);
        let ticket = Ticket { client, number, look: Look::Nothing };
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
                Item::Read(ticket, reading) => self.read(at, ticket, reading),
            }
        }
    }

    fn take_call(&mut self, at: usize, mut ticket: Ticket, call: Call) {
        let floor = self.config(at).lease_floor();
        let Some(running) = self.hosts[at].running() else { return };
        let request = match call {
            Call::Range(range) if running.waiters.may_read_locally(range.serializable) => {
                return self.read(at, ticket, Reading::Range(range, None));
            }
            Call::Range(range) => {
                ticket.look = Look::Range(range);
                Ok((running.waiters.id(), Request::Read))
            }
            Call::Put(put) => propose(running, |id| request::put(id, put, MAX_REQUEST_BYTES)),
            Call::DeleteRange(delete) => {
                propose(running, |id| request::delete_range(id, delete, MAX_REQUEST_BYTES))
            }
            Call::Txn(txn) => match txn_kind(&txn) {
                TxnKind::Write => propose(running, |id| request::txn(id, txn, MAX_REQUEST_BYTES)),
                kind @ (TxnKind::LinearizableRead | TxnKind::SerializableRead) => {
                    let local = kind == TxnKind::SerializableRead;
                    if let Err(refusal) = check_txn(&txn) {
                        return self.reply(&ticket, Reply::Failed(Failure::Refused(refusal)));
                    }
                    if running.waiters.may_read_locally(local) {
                        return self.read(at, ticket, Reading::Txn(txn, None));
                    }
                    ticket.look = Look::Txn(txn);
                    Ok((running.waiters.id(), Request::Read))
                }
            },
            Call::Compact(compact) => {
                propose(running, |id| request::compact(id, compact, MAX_REQUEST_BYTES))
            }
            Call::LeaseGrant(grant) => {
                propose(running, |id| request::lease_grant(id, grant, floor, MAX_REQUEST_BYTES))
            }
            Call::LeaseRevoke(revoke) => {
                propose(running, |id| request::lease_revoke(id, revoke, MAX_REQUEST_BYTES))
            }
            Call::KeepAlive(LeaseKeepAliveRequest { id: lease }) => {
                ticket.look = Look::Renewed(LeaseId(lease));
                Ok((running.waiters.id(), Request::KeepAlive(LeaseId(lease))))
            }
            Call::TimeToLive(LeaseTimeToLiveRequest { id: lease, keys }) => {
                ticket.look = Look::TimeToLive(LeaseId(lease), keys);
                Ok((running.waiters.id(), Request::TimeToLive(LeaseId(lease))))
            }
            Call::MoveLeader(target) => {
                ticket.look = Look::Moved;
                Ok((running.waiters.id(), Request::MoveLeader(target)))
            }
            Call::Leases(_) => {
                let leases = leases(&running.store);
                return self.reply(&ticket, Reply::Leases(leases));
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
    fn read(&mut self, at: usize, ticket: Ticket, reading: Reading) {
        let page = self.plan.settings.page as usize;
        let Some(running) = self.hosts[at].running() else { return };
        let step = match reading {
            Reading::Range(range, cursor) => match running.store.range(&range, cursor, page) {
                Ok(Step::Done(response)) => Ok(Reply::Range(response)),
                Ok(Step::More(cursor)) => Err(Reading::Range(range, Some(cursor))),
                Err(refusal) => Ok(Reply::Failed(Failure::Refused(refusal))),
            },
            Reading::Txn(txn, cursor) => match running.store.read_txn(&txn, cursor, page) {
                Ok(TxnStep::Done(response)) => Ok(Reply::Txn(response)),
                Ok(TxnStep::More(cursor)) => Err(Reading::Txn(txn, Some(cursor))),
                Err(refusal) => Ok(Reply::Failed(Failure::Refused(refusal))),
            },
        };
        match step {
            Ok(reply) => self.reply(&ticket, reply),
            Err(more) => {
                running.desk.push_back(Item::Read(ticket, more));
                self.counters.count(Counter::SteppedReads);
                self.wake(at, Actor::Desk);
            }
        }
    }

    /// Whoever takes a waiter out answers it.
    pub(super) fn answer(&mut self, at: usize, answers: Vec<(RequestId, Answer)>) {
        for (id, answer) in answers {
            let Some(running) = self.hosts[at].running() else { return };
            let Some(ticket) = running.waiters.answer(id, &answer) else { continue };
            let reply = match (answer, &ticket.look) {
                (Answer::Readable, Look::Range(range)) => {
                    let range = range.clone();
                    running.desk.push_back(Item::Read(ticket, Reading::Range(range, None)));
                    self.wake(at, Actor::Desk);
                    continue;
                }
                (Answer::Readable, Look::Txn(txn)) => {
                    let txn = txn.clone();
                    running.desk.push_back(Item::Read(ticket, Reading::Txn(txn, None)));
                    self.wake(at, Actor::Desk);
                    continue;
                }
                (Answer::Lease(life), Look::Renewed(lease)) => {
                    Reply::KeepAlive(renewed(&running.store, *lease, life))
                }
                (Answer::Lease(life), Look::TimeToLive(lease, keys)) => {
                    Reply::TimeToLive(running.store.time_to_live(*lease, life, *keys))
                }
                (Answer::Moved, Look::Moved) => Reply::Moved,
                (Answer::Failed(why), _) => {
                    self.count_failure(why);
                    Reply::Failed(Failure::Unavailable(why))
                }
                (Answer::Applied(Ok(response)), Look::Nothing) => match Reply::of(response) {
                    Some(reply) => reply,
                    None => panic!("{id} is no command of a client"),
                },
                (Answer::Applied(Err(refusal)), Look::Nothing) => {
                    Reply::Failed(Failure::Refused(refusal))
                }
                (
                    answer @ (Answer::Readable
                    | Answer::Lease(_)
                    | Answer::Applied(_)
                    | Answer::Moved),
                    look,
                ) => {
                    panic!("{id} waits for {look:?} and got {answer:?}")
                }
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

/// A lease that is gone has a TTL of 0 (LE-9).
fn renewed(store: &Store, lease: LeaseId, life: Option<LeaseLife>) -> LeaseKeepAliveResponse {
    let ttl = life.map_or(0, |life| life.granted.0);
    LeaseKeepAliveResponse { header: Some(header(store)), id: lease.0, ttl }
}

fn leases(store: &Store) -> LeaseLeasesResponse {
    let leases = store.leases().map(|(id, _)| LeaseStatus { id: id.0 }).collect();
    LeaseLeasesResponse { header: Some(header(store)), leases }
}

fn header(store: &Store) -> ResponseHeader {
    ResponseHeader { revision: store.revision(), ..Default::default() }
}

fn propose(
    running: &mut Running,
    build: impl FnOnce(RequestId) -> Result<Request, Refusal>,
) -> Result<(RequestId, Request), Refusal> {
    let id = running.waiters.id();
    build(id).map(|request| (id, request))
}
