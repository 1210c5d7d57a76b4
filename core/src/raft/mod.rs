//! Raft in ten minutes: one log, the same on every node.
//!
//! **Terms and leaders.** Time is cut into terms. In each term at most one node leads, because a
//! leader needs the votes of a majority, each voter votes once per term and remembers it on disk,
//! and any two majorities share a voter (paper §5.2; [`election`]). A node that hears of a higher
//! term enters it at once and follows. Before it disturbs anyone with a new term, it asks whether
//! it could win (pre-vote, thesis §9.6), and a leader that has lost touch with a quorum steps down
//! (thesis §6.2).
//!
//! **The log.** Only the leader adds entries. It sends them with the entry before them, and a
//! follower takes them only behind that very entry: so two logs that share one entry share all
//! before it (paper §5.3; [`replication`], [`log`]).
//!
//! **Commitment.** An entry of the leader's own term that a majority has on disk is committed, and
//! with it all before it. An older term's entry is never committed by counting: figure 8 of the
//! paper shows how it could still be replaced (§5.4.2). A vote goes only to a candidate whose log
//! is at least as recent as the voter's (§5.4.1), so each later leader has every committed entry.
//!
//! **Reads.** A leader may be deposed without knowing. So before a read it asks a quorum whether it
//! still leads; then whoever has applied what was committed by then may answer (thesis §6.4;
//! [`read`]).
//!
//! ```text
//!            +------------------- higher term, or the leader speaks --------------------+
//!            v                                                                          |
//!   Follower --- silence ---> PreCandidate --- majority would ---> Candidate --- majority ---> Leader
//!                                  ^  |                              |                  |
//!                                  +--+ silence again                +--> PreCandidate  +-- no quorum
//!                                                                         (silence)         in touch:
//!                                                                                           Follower
//! ```
//!
//! Invariants (those of `log.rs`, `progress.rs` and `outbox.rs` besides):
//! - E1. Terms never go back, and a vote changes only when its term does.
//! - E2. No message leaves before what it relies on is durable.
//! - E3. No two nodes lead the same term. (It spans nodes: the simulator checks it; a node that
//!   sees it in a message stops.)
//!
//! **Snapshots.** A log that is in the store may be forgotten. A follower that still needs it gets
//! the leader's state instead, and begins its log behind that (paper §7; [`shipment`],
//! [`install`], [`retention`]).
//!
//! Left out so far: membership changes, lease reads.

mod codec;
mod election;
mod entry;
mod handover;
mod install;
mod log;
mod message;
mod outbox;
mod progress;
pub mod quorum;
mod read;
mod replication;
mod retention;
mod shipment;
mod sight;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

pub use codec::{CodecError, MAX_CHUNK_BYTES};
pub use entry::Entry;
pub(crate) use entry::write_span;
use handover::Handover;
use install::{Arrival, Reception};
pub use log::Log;
pub use message::{Envelope, LeaseAnswer, LeaseQuestion, Message};
use outbox::{Outbox, Reliance};
use progress::Progress;
pub use progress::WINDOW_BYTES;
pub use read::Reader;
use read::Rounds;
pub use retention::ARREARS_BYTES;
pub use sight::{Config, RoleKind, Start, View};

use crate::member::Output;
use crate::random::Random;
use crate::snap::{ReceptionId, ShipmentId};
use crate::types::{HardState, Index, LeaseCounts, NodeId, Term, Ticks};
use crate::wal::{Receipt, Write};

/// Committed entries handed to the store and not applied yet, at most.
const MAX_APPLYING: u64 = 8192;

/// What a node is in its term. Backers and peers exist only while they can matter.
#[derive(Debug)]
enum Role {
    Follower,
    PreCandidate { backers: BTreeSet<NodeId> },
    Candidate { backers: BTreeSet<NodeId> },
    Leader(Leadership),
}

/// What only a leader knows.
#[derive(Debug)]
struct Leadership {
    peers: BTreeMap<NodeId, Progress>,
    /// Its own no-op: once this is committed it knows what is committed (paper §8).
    first: Index,
    rounds: Rounds,
    /// Where the log ended at the tick before.
    last_at_tick: Index,
    since_heartbeat: Ticks,
    since_quorum_check: Ticks,
    handover: Option<Handover>,
}

/// One Raft node.
#[derive(Debug)]
pub struct Raft {
    config: Config,
    hard: HardState,
    /// The hard state that was handed to the disk.
    written: HardState,
    role: Role,
    leader: Option<NodeId>,
    log: Log,
    outbox: Outbox,
    random: Random,
    /// Since the leader was heard of, or since the last campaign.
    silence: Ticks,
    timeout: Ticks,
    /// Every voter holds the log up to here.
    settled: Index,
    /// The store's durable copy holds the log up to here.
    stored: Index,
    applied: Index,
    /// Reads that a quorum confirmed, with the index to be applied first.
    confirmed: Vec<(Reader, Index)>,
    sends: Vec<Envelope>,
    /// The snapshot that is received, and how many were.
    reception: Reception,
    receptions: ReceptionId,
    /// The last one whose bytes did not check.
    refused: Option<Arrival>,
    /// Shipments so far, and those for which the driver holds a capture.
    shipped: ShipmentId,
    shipping: BTreeSet<ShipmentId>,
    /// What the driver is to do about snapshots.
    orders: Vec<Output>,
    /// The hard state and commit index at the end of the last flush.
    checked: (HardState, Index),
}

impl Raft {
    /// A node that starts, or comes back, with what its disk holds.
    #[must_use]
    pub fn new(config: Config, start: Start) -> Self {
        assert!(config.voters.contains(&config.id), "{} is no voter", config.id);
        assert!(start.hard.term >= start.base.term, "E1: the log is ahead of the term");
        let alone = config.voters.len() == 1;
        let mut raft = Self {
            hard: start.hard,
            written: start.hard,
            role: Role::Follower,
            leader: None,
            log: Log::new(start.base, start.entries, start.applied),
            outbox: Outbox::default(),
            random: Random::new(config.seed),
            silence: Ticks(0),
            timeout: Ticks(0),
            settled: Index(0),
            // What the store gave back may be in the page cache only: nothing of it is known to be
            // synced.
            stored: start.base.index,
            applied: start.applied.index,
            confirmed: Vec::new(),
            sends: Vec::new(),
            reception: Reception::Idle,
            receptions: ReceptionId(0),
            refused: None,
            shipped: ShipmentId(0),
            shipping: BTreeSet::new(),
            orders: Vec::new(),
            checked: (start.hard, start.applied.index),
            config,
        };
        assert!(raft.hard.term >= raft.log.last().term, "E1: the log is ahead of the term");
        raft.restart_timer();
        if alone {
            raft.timeout = Ticks(1); // Nobody else could lead: there is nothing to wait for.
        }
        raft
    }

    /// Time passed. The election timer moves by at most one tick however long the pause was, and
    /// the driver hands in waiting messages first: a paused node does not storm elections.
    pub fn tick(&mut self, ticks: Ticks) {
        if ticks == Ticks(0) {
            return;
        }
        if matches!(self.role, Role::Leader(_)) {
            self.tick_leader(ticks);
            return;
        }
        // Who is not on disk with its term yet has asked nobody: its time has not begun.
        if !self.outbox.term_is_durable() {
            return;
        }
        self.silence.0 += 1;
        if self.silence >= self.timeout {
            self.pre_campaign();
        }
    }

    /// Whether a message is for this node and from one of its voters. Others are to be dropped: an
    /// address was reused or mixed up (etcd #17814).
    #[must_use]
    pub fn is_for_us(&self, envelope: &Envelope) -> bool {
        let Envelope { from, to, .. } = envelope;
        *to == self.config.id && from != to && self.config.voters.contains(from)
    }

    /// A message arrived, and it is for this node.
    pub fn receive(&mut self, envelope: Envelope) {
        assert!(self.is_for_us(&envelope), "misrouted: {envelope}");
        let Envelope { from, term, message, .. } = envelope;
        match message {
            Message::RequestPreVote { last } => self.on_request_pre_vote(from, term, last),
            Message::PreVote { granted, term: asked } => {
                self.on_pre_vote(from, term, granted, asked);
            }
            message => {
                if term > self.hard.term {
                    self.enter_term(term);
                }
                if term < self.hard.term {
                    self.on_late(from, &message);
                } else {
                    self.receive_in_term(from, message);
                }
            }
        }
    }

    fn receive_in_term(&mut self, from: NodeId, message: Message) {
        match message {
            Message::RequestVote { last } => self.on_request_vote(from, last),
            Message::Vote { granted } => self.on_vote(from, granted),
            Message::Append { prev, entries, commit, quiet } => {
                self.on_append(from, prev, entries, commit, quiet);
            }
            Message::AppendAccepted { matched } => self.on_append_accepted(from, matched),
            Message::AppendRejected { prev, hint } => self.on_append_rejected(from, prev, hint),
            Message::Heartbeat { commit, round, settled } => {
                self.on_heartbeat(from, commit, round, settled);
            }
            Message::HeartbeatEcho { round } => self.on_heartbeat_echo(from, round),
            Message::Snapshot { shipment, chunk } => self.on_snapshot(from, shipment, chunk),
            Message::SnapshotKept { shipment, end } => self.on_snapshot_kept(from, shipment, end),
            Message::SnapshotRefused { shipment } => self.on_snapshot_refused(from, shipment),
            Message::TimeoutNow => self.on_timeout_now(from),
            Message::AskReadIndex { boot, round } => {
                self.read_index(Reader::Peer { peer: from, boot, round });
            }
            // Pre-votes live between terms; requests are the member's matter (`member.rs`).
            Message::RequestPreVote { .. }
            | Message::PreVote { .. }
            | Message::Forward { .. }
            | Message::Returned { .. }
            | Message::ReadIndex { .. }
            | Message::AskLeases { .. }
            | Message::TellLeases { .. } => {}
        }
    }

    /// A write is durable, and all before it.
    pub fn persisted(&mut self, receipt: &Receipt) {
        self.outbox.persisted(receipt.number(), &mut self.sends);
        self.log.written(receipt.number());
        self.install_if_reset(receipt);
        // A campaign of this very batch of inputs has not even been handed to the disk yet.
        if self.written == self.hard && self.outbox.term_is_durable() {
            self.count_own_vote();
        }
    }

    /// The store applied everything up to `index`.
    pub fn applied(&mut self, index: Index) {
        assert!(index <= self.log.applying(), "{index} was not handed to the store");
        self.applied = self.applied.max(index);
        self.forget_early(index);
    }

    /// The store's durable copy holds everything up to `index`.
    pub fn stored(&mut self, index: Index) {
        assert!(index <= self.applied, "{index} is stored but not applied");
        self.stored = self.stored.max(index);
    }

    /// Lets out what the inputs since the last call lead to.
    pub fn flush(&mut self, out: &mut Vec<Output>) {
        self.release_captures();
        self.flush_leader();
        self.flush_write(out);
        self.outbox.flush(&mut self.sends);
        out.extend(self.sends.drain(..).map(Output::Send));
        out.append(&mut self.orders);
        self.flush_apply(out);
        self.check_invariants();
    }

    fn flush_apply(&mut self, out: &mut Vec<Output>) {
        if !self.may_apply() {
            return;
        }
        let room = (self.applied.0 + MAX_APPLYING).saturating_sub(self.log.applying().0);
        let entries = self.log.take_applicable(room);
        if !entries.is_empty() {
            out.push(Output::Apply(crate::member::Group { entries }));
        }
    }

    /// Whether entries wait until the store has applied those before them.
    #[must_use]
    pub fn awaits_store(&self) -> bool {
        self.log.has_applicable()
    }

    /// Reads that were confirmed since the last call: apply that far, then read.
    pub fn take_confirmed(&mut self) -> Vec<(Reader, Index)> {
        core::mem::take(&mut self.confirmed)
    }

    /// The node's id.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.config.id
    }

    /// The term.
    #[must_use]
    pub fn term(&self) -> Term {
        self.hard.term
    }

    /// The leader of the term, if known.
    #[must_use]
    pub fn leader(&self) -> Option<NodeId> {
        self.leader
    }

    /// Whether this node leads.
    #[must_use]
    pub fn leads(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }

    /// The entry by which this leader began its term; none if it does not lead.
    #[must_use]
    pub fn own_entry(&self) -> Option<Index> {
        match &self.role {
            Role::Leader(leadership) => Some(leadership.first),
            Role::Follower | Role::PreCandidate { .. } | Role::Candidate { .. } => None,
        }
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// How far the store has applied.
    #[must_use]
    pub fn applied_index(&self) -> Index {
        self.applied
    }

    /// Sends something that relies on nothing but this node's term.
    pub fn send(&mut self, to: NodeId, message: Message) {
        self.send_relying(Reliance::Term, to, message);
    }

    /// What may be looked at.
    #[must_use]
    pub fn view(&self) -> View {
        View {
            term: self.hard.term,
            vote: self.hard.vote,
            role: match self.role {
                Role::Follower => RoleKind::Follower,
                Role::PreCandidate { .. } => RoleKind::PreCandidate,
                Role::Candidate { .. } => RoleKind::Candidate,
                Role::Leader(_) => RoleKind::Leader,
            },
            leader: self.leader,
            commit: self.log.committed(),
            applied: self.applied,
            base: self.log.base(),
            last: self.log.last(),
            durable: self.log.durable(),
            pending: 0,
            leases: LeaseCounts::default(),
        }
    }

    fn flush_write(&mut self, out: &mut Vec<Output>) {
        let reset = self.must_reset();
        let discard = if reset { None } else { self.discard() };
        let term = self.hard != self.written;
        if !term && !self.log.has_unwritten() && discard.is_none() && !reset {
            return;
        }
        let number = self.outbox.next_write(term);
        let discard = discard.or_else(|| self.take_reset(number));
        let entries = self.log.take_unwritten(number);
        self.written = self.hard;
        out.push(Output::Persist(Write { number, hard: self.hard, entries, discard }));
    }

    fn send_relying(&mut self, reliance: Reliance, to: NodeId, message: Message) {
        let envelope = Envelope { from: self.config.id, to, term: self.hard.term, message };
        self.outbox.send(reliance, envelope);
    }

    fn peers(&self) -> Vec<NodeId> {
        self.config.voters.iter().copied().filter(|voter| *voter != self.config.id).collect()
    }

    /// Compares with what the flush before saw.
    fn check_invariants(&mut self) {
        let (hard, committed) = self.checked;
        assert!(self.hard.term >= hard.term, "E1: term went back");
        if self.hard.term == hard.term && hard.vote.is_some() {
            assert_eq!(self.hard.vote, hard.vote, "E1: voted twice");
        }
        assert_eq!(self.written, self.hard, "E2: the hard state was not handed to the disk");
        assert!(self.log.committed() >= committed, "L2: the commit index went back");
        self.checked = (self.hard, self.log.committed());
        assert!(self.applied <= self.log.applying(), "applied more than was handed over");
        assert!(self.log.last().term <= self.hard.term, "E1: an entry from a later term");
    }
}
