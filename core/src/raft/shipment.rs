//! A snapshot on its way to one peer (Raft paper §7, figure 13).
//!
//! A peer that needs entries which the leader has discarded gets the state that those entries made.
//! The leader's own log stays where it was when that began, so that the peer can go on behind the
//! snapshot with ordinary appends (`retention.rs`).
//!
//! ```text
//!   Ready --asked for--> Asked --captured--> Holding --sent--> Holding --kept--> Pausing --tick--> Ready
//!                                               ^                 |
//!                                               +---- no news ----+
//! ```
//! One chunk is under way at a time, and between two of them is a pause of a tick, or of two if
//! there was something to append: the others' appends and the leader's own reads must not feel it.
//! There is none if the log grows more than half as fast as the snapshot travels: a peer is caught
//! up by what is faster than what it misses meanwhile. A chunk that stays without an answer is sent
//! again, from memory. The last one is answered by an acknowledgement of the log.
//!
//! A peer that refuses what it got will most likely refuse it again: the bytes are wrong where they
//! come from. So the next shipment waits, and longer with each refusal (`progress.rs`); all the
//! while the peer hears heartbeats, and counts for the quorum.
//!
//! Invariants:
//! - H1. Chunks follow each other without gap, all of one snapshot.
//! - H2. At most one chunk is in memory and on its way to a peer.
//!
//! Not here: where chunks come from (`store/snapshot.rs`), and the receiving end (`install.rs`).

use alloc::vec::Vec;

use super::progress::Feed;
use super::retention::Arrears;
use super::{Message, Raft, Reliance, Role};
use crate::member::Output;
use crate::snap::{Chunk, ShipmentId};
use crate::types::{Index, NodeId, Ticks};

/// Times that a chunk is sent again before a shipment is given up.
const REPEATS: u64 = 20;

/// A snapshot on its way to one peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shipment {
    id: ShipmentId,
    /// Entries behind this one are kept for the peer.
    floor: Index,
    stage: Stage,
    /// Since the peer acknowledged the chunk before.
    silent: Ticks,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Stage {
    /// The chunk at this offset may be asked for.
    Ready(u64),
    /// It was asked for.
    Asked(u64),
    /// It is here, and was sent so long ago, if it was.
    Holding(Chunk, Option<Ticks>),
    /// All before this offset is acknowledged; the next tick goes on, or the one after that.
    Pausing(u64, Pause),
}

/// How long it is still to the next chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Pause {
    /// Until the next tick if the leader appends nothing.
    Fresh,
    /// Until the next tick.
    Rested,
}

/// Whether a shipment can go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outlook {
    /// It can.
    Good,
    /// The peer has lost what it had, or does not answer any more.
    Over,
}

impl Shipment {
    /// A shipment of a state that holds at least the entries up to `floor`.
    #[must_use]
    pub fn new(id: ShipmentId, floor: Index) -> Self {
        Self { id, floor, stage: Stage::Ready(0), silent: Ticks(0) }
    }

    /// What its peer will need of the log, and has got instead of what is gone.
    #[must_use]
    pub fn arrears(&self) -> Arrears {
        let shipped = match &self.stage {
            Stage::Ready(offset) | Stage::Asked(offset) | Stage::Pausing(offset, _) => *offset,
            Stage::Holding(chunk, _) => chunk.end(),
        };
        Arrears { behind: self.floor, shipped }
    }

    /// The offset of the chunk that should be captured now. Asked once per chunk.
    fn take_demand(&mut self) -> Option<u64> {
        let Stage::Ready(offset) = self.stage else { return None };
        self.stage = Stage::Asked(offset);
        Some(offset)
    }

    /// A chunk was captured.
    fn captured(&mut self, chunk: Chunk) {
        let Stage::Asked(offset) = self.stage else { panic!("H2: nobody asked for {chunk}") };
        assert_eq!(chunk.offset, offset, "H1: {chunk} after {offset} bytes");
        let index = chunk.snapshot.index;
        if offset == 0 {
            assert!(index >= self.floor, "H1: {chunk} lacks entries up to {}", self.floor);
            self.floor = index;
        }
        assert_eq!(index, self.floor, "H1: {chunk} is of another snapshot");
        self.stage = Stage::Holding(chunk, None);
        self.silent = Ticks(0);
    }

    /// The chunk that should leave now.
    fn take_chunk(&mut self) -> Option<Chunk> {
        match &mut self.stage {
            Stage::Holding(chunk, sent @ None) => {
                *sent = Some(Ticks(0));
                Some(chunk.clone())
            }
            Stage::Holding(_, Some(_)) | Stage::Ready(_) | Stage::Asked(_) | Stage::Pausing(..) => {
                None
            }
        }
    }

    /// The peer keeps everything up to `end`. Meanwhile the log has grown by so many bytes.
    fn kept(&mut self, end: u64, grown: u64) -> Outlook {
        let (sent, next) = match &self.stage {
            Stage::Holding(chunk, _) => (chunk.offset, chunk.end()),
            Stage::Ready(offset) | Stage::Asked(offset) | Stage::Pausing(offset, _) => {
                (*offset, *offset)
            }
        };
        if end == 0 && sent > 0 {
            return Outlook::Over; // It was restarted, or a leader of another term came between.
        }
        if let Stage::Holding(chunk, Some(_)) = &self.stage
            && end == next
            && !chunk.last
        {
            let late = grown > next / 2;
            self.stage = if late { Stage::Ready(next) } else { Stage::Pausing(next, Pause::Fresh) };
            self.silent = Ticks(0);
        }
        Outlook::Good
    }

    /// Time passes. What stays without an answer for `patience` is sent again, some times. A leader
    /// is busy that has appended since the tick before.
    pub fn tick(&mut self, patience: Ticks, busy: bool) -> Outlook {
        match &mut self.stage {
            Stage::Pausing(_, pause @ Pause::Fresh) if busy => *pause = Pause::Rested,
            Stage::Pausing(offset, _) => self.stage = Stage::Ready(*offset),
            Stage::Holding(_, sent) => {
                self.silent.0 += 1;
                *sent = sent.map(|ticks| Ticks(ticks.0 + 1)).filter(|ticks| *ticks < patience);
            }
            // The leader's own driver is slow: that says nothing of the peer.
            Stage::Ready(_) | Stage::Asked(_) => {}
        }
        if self.silent.0 > REPEATS * patience.0 { Outlook::Over } else { Outlook::Good }
    }
}

impl Raft {
    /// A chunk that was asked for is here. If nobody needs it any more, it is dropped.
    pub fn captured(&mut self, id: ShipmentId, chunk: Chunk) {
        if let Some(shipment) = self.shipments().find(|shipment| shipment.id == id) {
            shipment.captured(chunk);
        }
    }

    /// The follower has so much of a snapshot.
    pub(super) fn on_snapshot_kept(&mut self, from: NodeId, id: ShipmentId, end: u64) {
        let Role::Leader(leadership) = &mut self.role else { return };
        let Some(peer) = leadership.peers.get_mut(&from) else { return };
        peer.recent = true;
        let Feed::Snapshot(shipment) = peer.feed_mut() else { return };
        let grown = self.log.bytes_between(shipment.floor, self.log.last().index);
        if shipment.id == id && shipment.kept(end, grown) == Outlook::Over {
            peer.give_up_snapshot();
        }
    }

    /// The follower found that the bytes of a snapshot do not check.
    pub(super) fn on_snapshot_refused(&mut self, from: NodeId, id: ShipmentId) {
        let election = self.config.election;
        let Role::Leader(leadership) = &mut self.role else { return };
        let Some(peer) = leadership.peers.get_mut(&from) else { return };
        peer.recent = true;
        if matches!(peer.feed(), Feed::Snapshot(shipment) if shipment.id == id) {
            peer.snapshot_refused(election);
        }
    }

    /// Begins a shipment, if the peer is there and needs entries that are gone.
    pub(super) fn consider_snapshot(&mut self, to: NodeId) {
        // A store that is still behind the log's beginning has no state to send.
        let ready = self.applied >= self.log.base().index;
        let (applied, id) = (self.applied, ShipmentId(self.shipped.0 + 1));
        let Role::Leader(leadership) = &mut self.role else { return };
        let Some(peer) = leadership.peers.get_mut(&to) else { return };
        let fed = matches!(peer.feed(), Feed::Snapshot(_));
        let gone = self.log.term_at(peer.next.prev()).is_none();
        if ready && peer.recent && gone && !fed && !peer.is_paused() {
            peer.begin_snapshot(Shipment::new(id, applied));
            self.shipped = id;
        }
    }

    /// Asks for the next chunk, or sends it.
    pub(super) fn ship(&mut self, to: NodeId) {
        let Role::Leader(leadership) = &mut self.role else { return };
        let Some(peer) = leadership.peers.get_mut(&to) else { return };
        let Feed::Snapshot(shipment) = peer.feed_mut() else { return };
        let id = shipment.id;
        if let Some(offset) = shipment.take_demand() {
            self.shipping.insert(id);
            self.orders.push(Output::Capture { shipment: id, offset });
        }
        if let Some(chunk) = shipment.take_chunk() {
            self.send_relying(Reliance::Nothing, to, Message::Snapshot { shipment: id, chunk });
        }
    }

    /// Lets the driver drop the captures that nobody waits for any more, for whatever reason.
    pub(super) fn release_captures(&mut self) {
        let live: Vec<ShipmentId> = self.shipments().map(|shipment| shipment.id).collect();
        let over = self.shipping.extract_if(.., |id| !live.contains(id));
        self.orders.extend(over.map(Output::Release));
    }

    fn shipments(&mut self) -> impl Iterator<Item = &mut Shipment> {
        let peers = match &mut self.role {
            Role::Leader(leadership) => Some(leadership.peers.values_mut()),
            Role::Follower | Role::PreCandidate { .. } | Role::Candidate { .. } => None,
        };
        peers.into_iter().flatten().filter_map(|peer| match peer.feed_mut() {
            Feed::Snapshot(shipment) => Some(shipment),
            Feed::Probe { .. } | Feed::Replicate => None,
        })
    }
}
