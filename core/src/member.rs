//! One cluster member: consensus with its clients.
//!
//! ```text
//!   Request::Propose --> leads? ----> own log
//!                        follows? --> Forward to the leader, once; Returned: to the next one
//!                        no leader -> waits for one
//!   Request::Read -----> joins the next round of ReadIndex --> Readable once applied that far
//!   Request::KeepAlive, TimeToLive --> the leader's lease clocks (`member/lease.rs`)
//!   Request::MoveLeader, Resign --> the leader hands over --> Moved once another one leads
//! ```
//! A proposal's answer comes from the store when its entry is applied; a read's answer is read from
//! the store by whoever asked. This machine only answers what it alone knows: that it gave up.
//!
//! Invariants:
//! - M1. In each term a request is forwarded at most once, to the leader of that term, and a leader
//!   takes each id once. It is forwarded in another term only if the leader of the one before said
//!   that it has not taken it and will not: so it is applied at most once however the network
//!   repeats it.
//! - M2. Every request is answered or given up within its timeout; the first answer counts
//!   (`actors.rs`, the table of waiters).
//! - M3. A read is served only by an answer to a question asked after the read arrived.
//!
//! Not here: what goes in and comes out (`member/border.rs`); the store, and what a command says. A
//! command is bytes with a requester.

mod admission;
mod border;
mod forwards;
mod lease;
mod moves;
mod reads;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use bytes::Bytes;

use crate::api::Unavailable;
use crate::planted::Bug;
use crate::raft::{self, Envelope, Message, Raft, Reader, Start, View};
use crate::request::{Request, requester_of};
use crate::types::{ClusterId, NodeId, RequestId, Seconds, Term, Ticks};

use admission::Admission;
pub use border::{Group, Input, Output};
use lease::Leases;
use moves::{Goal, Moves};
use reads::Reads;

/// Back-pressure: committed entries that wait to be applied (semantics KV-35).
const MAX_UNAPPLIED: u64 = 5000;
/// Back-pressure: bytes that wait for a quorum.
const MAX_UNCOMMITTED_BYTES: u64 = 256 << 20;
/// A question for the read index is repeated after this long (semantics KV-21: 500 ms).
const ASK_AGAIN: Ticks = Ticks::from_millis(500);

/// Who a member is and how it keeps time.
#[derive(Clone, Debug)]
pub struct Config {
    /// The member.
    pub id: NodeId,
    /// Its cluster.
    pub cluster: ClusterId,
    /// Names this life of the member: not 0, and never used before.
    pub boot: u64,
    /// All voters, the member included.
    pub voters: BTreeSet<NodeId>,
    /// Between two heartbeats of a leader.
    pub heartbeat: Ticks,
    /// Silence after which a follower may campaign; randomised up to twice as much.
    pub election: Ticks,
    /// Entries to gather before the log's head is discarded.
    pub discard_batch: u64,
    /// Between two checkpoints of a lease; a lease with less left has none (LE-14).
    pub lease_checkpoint: Ticks,
    /// Applied entries that stay in the log for followers that are behind.
    pub kept_tail: u64,
    /// Bytes of commands under way to one peer, at most; a single append always goes.
    pub window: usize,
    /// Bytes of the log that stay for a peer that gets a snapshot or catches up behind one, at
    /// least; as many as the snapshot has if that is more.
    pub arrears: usize,
    /// Decides the randomised timeouts.
    pub seed: u64,
    /// The bug that is planted, if any.
    pub planted: Option<Bug>,
}

/// A request that waits for its answer.
#[derive(Debug)]
struct Pending {
    /// The term whose log it may have reached.
    proposed: Option<Term>,
    /// Changes of leader that this member had seen when the request came.
    changes: u64,
}

/// One cluster member.
#[derive(Debug)]
pub struct Member {
    raft: Raft,
    boot: u64,
    timeout: Ticks,
    now: Ticks,
    pending: BTreeMap<u64, Pending>,
    deadlines: VecDeque<(Ticks, u64)>,
    unsent: VecDeque<(u64, Bytes)>,
    reads: Reads,
    leases: Leases,
    moves: Moves,
    admission: Admission,
    /// The newest term whose leader has said that it leads no longer.
    over: Term,
    /// Forwards that were admitted while leadership was on its way to another member.
    held: VecDeque<(NodeId, Term, Bytes)>,
    /// The term and leader that the last flush saw.
    sight: (Term, Option<NodeId>),
    changes: u64,
    replies: Vec<Output>,
    planted: Option<Bug>,
}

impl Config {
    /// How long a request may wait: 5 s and two election timeouts (semantics KV-36).
    #[must_use]
    pub fn request_timeout(&self) -> Ticks {
        Ticks(Ticks::from_millis(5000).0 + 2 * self.election.0)
    }

    /// The shortest TTL that this member lets a client grant: one and a half election timeouts, or
    /// a new leader could hardly begin to count before it is over (LE-2).
    #[must_use]
    pub fn lease_floor(&self) -> Seconds {
        let ticks = (3 * self.election.0).div_ceil(2);
        Seconds(ticks.div_ceil(Ticks::from_millis(1000).0).cast_signed()).max(Seconds(1))
    }
}

impl Member {
    /// A member that starts, or comes back, with what its disk holds.
    #[must_use]
    pub fn new(config: Config, start: Start) -> Self {
        assert!(config.boot != 0, "a life without a name");
        let timeout = config.request_timeout();
        let boot = config.boot;
        let planted = config.planted;
        let leases = Leases::new(config.election, config.lease_checkpoint, planted);
        let raft = raft::Config {
            id: config.id,
            voters: config.voters,
            heartbeat: config.heartbeat,
            election: config.election,
            discard_batch: config.discard_batch,
            kept_tail: config.kept_tail,
            window: config.window,
            arrears: config.arrears,
            seed: config.seed,
            planted: config.planted,
        };
        Self {
            raft: Raft::new(raft, start),
            boot,
            timeout,
            now: Ticks(0),
            pending: BTreeMap::new(),
            deadlines: VecDeque::new(),
            unsent: VecDeque::new(),
            reads: Reads::new(planted),
            leases,
            moves: Moves::default(),
            admission: Admission::default(),
            over: Term(0),
            held: VecDeque::new(),
            sight: (Term(0), None),
            changes: 0,
            replies: Vec::new(),
            planted,
        }
    }

    /// Consumes one input; appends to `out` what the caller must do, in order.
    pub fn step(&mut self, input: Input, out: &mut Vec<Output>) {
        self.handle(input);
        self.flush(out);
    }

    /// The first half of a step: takes an input in. A driver with many inputs at hand takes all of
    /// them in and flushes once, so that a burst becomes one write and one message per peer.
    pub fn handle(&mut self, input: Input) {
        match input {
            Input::Tick(ticks) => self.on_tick(ticks),
            Input::Receive(envelope) => self.on_receive(envelope),
            Input::Request(id, request) => self.on_request(id, request),
            Input::Persisted(receipt) => self.raft.persisted(&receipt),
            Input::Applied { id, facts } => {
                self.raft.applied(id.index);
                self.leases.learn(facts);
            }
            Input::Stored(index) => self.raft.stored(index),
            Input::Captured { shipment, chunk } => self.raft.captured(shipment, chunk),
            Input::Kept { reception, kept } => self.raft.kept(reception, kept),
            Input::Installed(snapshot) => self.raft.installed(snapshot),
        }
    }

    /// The second half: lets out what follows.
    pub fn flush(&mut self, out: &mut Vec<Output>) {
        let first = out.len();
        loop {
            self.notice_leader();
            self.release_held();
            self.send_unsent();
            self.ask();
            self.turn_leases();
            self.raft.flush(out);
            for (reader, index) in self.raft.take_confirmed() {
                match reader {
                    Reader::Own { round } => self.reads.answered(round, index),
                    Reader::Leases { round } => self.leases.confirmed(round, index),
                    Reader::Peer { .. } => {}
                }
            }
            let more = self.reads.wants_to_ask() || self.wants_lease_turn();
            if !more || self.raft.leader().is_none() {
                break;
            }
        }
        self.release_reads(out);
        self.settle_applied(out, first);
        self.answer_moves();
        out.append(&mut self.replies);
    }

    /// What invariants and metrics may look at.
    #[must_use]
    pub fn view(&self) -> View {
        View { pending: self.pending.len(), leases: self.leases.counts(), ..self.raft.view() }
    }

    /// Whether something goes on only when the store has applied more. If nothing does, an
    /// [`Input::Applied`] without facts changes nothing that anybody would notice, and a driver
    /// may hand it in with the next input.
    #[must_use]
    pub fn awaits_store(&self) -> bool {
        self.raft.awaits_store() || self.reads.await_store() || self.leases_await_store()
    }

    fn on_tick(&mut self, ticks: Ticks) {
        self.now.0 += ticks.0;
        self.raft.tick(ticks);
        while let Some(&(deadline, n)) = self.deadlines.front()
            && deadline <= self.now
        {
            self.deadlines.pop_front();
            self.give_up(n);
        }
        self.reads.repeat_if_older(self.now, ASK_AGAIN);
        self.repeat_lease_questions();
    }

    fn on_receive(&mut self, envelope: Envelope) {
        if !self.raft.is_for_us(&envelope) {
            return;
        }
        match envelope.message {
            Message::Forward { command } => self.on_forward(envelope.from, envelope.term, command),
            Message::Returned { term, command } => self.on_returned(term, command),
            Message::ReadIndex { boot, round, index } if boot == self.boot => {
                self.reads.answered(round, index); // M3: the round was ours and is still open.
            }
            Message::ReadIndex { .. } => {}
            Message::AskLeases { boot, questions } => {
                self.on_ask_leases(envelope.from, envelope.term, boot, &questions);
            }
            Message::TellLeases { boot, index, answers } if boot == self.boot => {
                self.on_tell_leases(index, &answers);
            }
            Message::TellLeases { .. } => {}
            message => self.raft.receive(Envelope { message, ..envelope }),
        }
    }

    fn on_request(&mut self, id: RequestId, request: Request) {
        assert_eq!(id.boot, self.boot, "{id} is not of this life");
        let proposes = matches!(request, Request::Propose(_));
        if proposes && self.is_crowded() {
            self.replies.push(Output::Reply(id, Unavailable::TooManyRequests));
            return;
        }
        self.deadlines.push_back((Ticks(self.now.0 + self.timeout.0), id.n));
        self.pending.insert(id.n, Pending { proposed: None, changes: self.changes });
        match request {
            Request::Propose(command) => self.unsent.push_back((id.n, command)),
            Request::Read => self.reads.arrived(id.n),
            Request::KeepAlive(lease) => self.leases.arrived(id.n, lease, true),
            Request::TimeToLive(lease) => self.leases.arrived(id.n, lease, false),
            Request::MoveLeader(target) => self.on_move(id.n, Goal::To(target)),
            Request::Resign => self.on_move(id.n, Goal::Away),
        }
        self.send_unsent();
    }

    /// Only a leader can hand over. Whoever does not lead has nothing to resign from.
    fn on_move(&mut self, n: u64, goal: Goal) {
        let target = match goal {
            Goal::To(_) if !self.raft.leads() => Err(Unavailable::NotLeader),
            Goal::To(target) if !self.raft.is_voter(target) => Err(Unavailable::BadTransferee),
            Goal::To(target) => Ok(target),
            Goal::Away if !self.raft.leads() => Ok(self.raft.id()),
            Goal::Away => self.raft.heir().ok_or(Unavailable::Unhealthy),
        };
        match target {
            Ok(target) if target == self.raft.id() => {
                self.pending.remove(&n);
                self.replies.push(Output::Moved(self.id(n)));
            }
            Ok(target) => {
                self.raft.hand_over(target);
                self.moves.wait(n, goal);
            }
            Err(why) => {
                self.pending.remove(&n);
                self.replies.push(Output::Reply(self.id(n), why));
            }
        }
    }

    fn answer_moves(&mut self) {
        for n in self.moves.fulfilled(self.raft.id(), self.raft.leader()) {
            self.pending.remove(&n);
            self.replies.push(Output::Moved(self.id(n)));
        }
    }

    fn is_crowded(&self) -> bool {
        let log = self.raft.log();
        log.committed().0.saturating_sub(self.raft.applied_index().0) > MAX_UNAPPLIED
            || log.uncommitted_bytes() > MAX_UNCOMMITTED_BYTES
    }

    /// Reads that wait for an answer of the former leader are over (semantics KV-21).
    fn notice_leader(&mut self) {
        let sight = (self.raft.term(), self.raft.leader());
        if sight == self.sight {
            return;
        }
        self.sight = sight;
        self.changes += 1;
        if self.raft.leads() {
            self.admission.lead(self.raft.term());
        }
        self.leases.leader_changed();
        for n in self.reads.leader_changed() {
            self.pending.remove(&n);
            self.replies.push(Output::Reply(self.id(n), Unavailable::LeaderChanged));
        }
    }

    fn send_unsent(&mut self) {
        let term = self.raft.term();
        let waits = self.raft.is_handing_over() || term <= self.over;
        let Some(leader) = self.raft.leader().filter(|_| !waits) else { return };
        while let Some((n, command)) = self.unsent.pop_front() {
            let Some(pending) = self.pending.get_mut(&n) else { continue };
            pending.proposed = Some(term);
            if leader == self.raft.id() {
                self.raft.propose(command);
            } else {
                self.raft.send(leader, Message::Forward { command });
            }
        }
    }

    fn ask(&mut self) {
        let Some(leader) = self.raft.leader() else { return };
        let Some(round) = self.reads.ask(self.now) else { return };
        if leader == self.raft.id() {
            self.raft.read_index(Reader::Own { round });
        } else {
            self.raft.send(leader, Message::AskReadIndex { boot: self.boot, round });
        }
    }

    fn release_reads(&mut self, out: &mut Vec<Output>) {
        for n in self.reads.readable(self.raft.applied_index()) {
            if self.pending.remove(&n).is_some() {
                out.push(Output::Readable(self.id(n)));
            }
        }
    }

    /// What was handed to the store is answered by it.
    fn settle_applied(&mut self, out: &[Output], first: usize) {
        for output in &out[first..] {
            let Output::Apply(group) = output else { continue };
            for entry in &group.entries {
                if let Some(id) = requester_of(&entry.command)
                    && id.boot == self.boot
                    && id.member == self.raft.id()
                {
                    self.pending.remove(&id.n);
                }
            }
        }
    }

    /// M2: the request's time is over.
    fn give_up(&mut self, n: u64) {
        let Some(pending) = self.pending.remove(&n) else { return };
        let read = self.reads.forget(n);
        let why = if self.leases.forget(n) {
            self.raft.leader().map_or(Unavailable::NoLeader, |_| Unavailable::Timeout) // LE-10
        } else if self.moves.forget(n) {
            Unavailable::HandoverTimeout
        } else if !read && pending.proposed.is_none() {
            Unavailable::NeverProposed
        } else if pending.proposed.is_some() && pending.changes != self.changes {
            Unavailable::TimeoutLeaderLost
        } else {
            Unavailable::Timeout
        };
        self.replies.push(Output::Reply(self.id(n), why));
    }

    fn id(&self, n: u64) -> RequestId {
        RequestId { member: self.raft.id(), boot: self.boot, n }
    }
}
