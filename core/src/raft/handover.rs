//! A leader that hands its leadership to a chosen follower (thesis §3.10).
//!
//! ```text
//!   leader   takes no proposals; feeds the target until it holds the whole log; "campaign now"
//!   target   campaigns at once, in the next term, without asking first
//!   leader   hears of the next term and follows.   Or, after an election timeout, goes on leading
//! ```
//! The target needs votes like any candidate, and the whole log to get them: so safety rests on the
//! election alone. Voters here refuse a real vote to nobody because they hear of a leader: only the
//! question that comes before an ordinary campaign asks that (pre-vote). So the exception that the
//! thesis makes for transfers (§4.2.3) is to leave that question out.
//!
//! Invariants:
//! - T1. While it hands over, a leader appends nothing: what the target holds stays the whole log.
//! - T2. A hand-over ends within an election timeout.
//!
//! Not here: what becomes of proposals meanwhile (`member/forwards.rs`), who asks for it, and who
//! waits for the outcome (`member/moves.rs`).

use super::{Message, Raft, Reliance, Role};
use crate::planted;
use crate::planted::Bug;
use crate::types::{NodeId, Ticks};

/// Leadership on its way to another node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handover {
    target: NodeId,
    since: Ticks,
    /// Since the target was told to campaign, if it was.
    told: Option<Ticks>,
}

impl Raft {
    /// Begins to hand leadership to another voter. A later wish takes the place of an earlier one.
    pub fn hand_over(&mut self, target: NodeId) {
        assert!(self.config.voters.contains(&target), "{target} is no voter and cannot lead");
        if let Role::Leader(leadership) = &mut self.role
            && target != self.config.id
            && leadership.handover.is_none_or(|handover| handover.target != target)
        {
            leadership.handover = Some(Handover { target, since: Ticks(0), told: None });
        }
    }

    /// T1. Whether leadership is on its way to another node.
    #[must_use]
    pub fn is_handing_over(&self) -> bool {
        matches!(&self.role, Role::Leader(leadership) if leadership.handover.is_some())
    }

    /// Whether this node votes, and so could lead.
    #[must_use]
    pub fn is_voter(&self, node: NodeId) -> bool {
        self.config.voters.contains(&node)
    }

    /// The peer that could lead soonest: in touch, and with the longest log.
    #[must_use]
    pub fn heir(&self) -> Option<NodeId> {
        let Role::Leader(leadership) = &self.role else { return None };
        let near = leadership.peers.iter().filter(|(_, peer)| peer.recent);
        near.max_by_key(|(_, peer)| peer.matched).map(|(id, _)| *id)
    }

    /// T2. Time passes.
    pub(super) fn tick_handover(&mut self) {
        let (election, heartbeat) = (self.config.election, self.config.heartbeat);
        let Role::Leader(leadership) = &mut self.role else { return };
        let Some(handover) = &mut leadership.handover else { return };
        handover.since.0 += 1;
        // The word may have been lost: it is said again.
        handover.told =
            handover.told.map(|told| Ticks(told.0 + 1)).filter(|told| *told < heartbeat);
        leadership.handover.take_if(|handover| handover.since >= election);
    }

    /// Tells the target to campaign, once it holds everything.
    pub(super) fn flush_handover(&mut self) {
        let last = self.log.last().index;
        let Role::Leader(leadership) = &mut self.role else { return };
        let Some(handover) = &mut leadership.handover else { return };
        let target = handover.target;
        let Some(peer) = leadership.peers.get(&target) else { return };
        let hasty = planted!(self.config.planted, Bug::HandoverToStaleLog);
        if handover.told.is_none() && (peer.matched == last || hasty) {
            handover.told = Some(Ticks(0));
            self.send_relying(Reliance::Nothing, target, Message::TimeoutNow);
        }
    }

    /// The leader wants this node to lead.
    pub(super) fn on_timeout_now(&mut self, from: NodeId) {
        if self.leader == Some(from) && matches!(self.role, Role::Follower) {
            let mut last = self.log.last();
            if planted!(self.config.planted, Bug::HandoverToStaleLog) {
                last.term = self.hard.term; // It claims to hold what the leader holds.
                last.index.0 += 1000;
            }
            self.campaign_with(last);
        }
    }
}
