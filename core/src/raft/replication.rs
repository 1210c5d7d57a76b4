//! Replication: the leader's log becomes everybody's (Raft paper §5.3, §5.4.2).
//!
//! ```text
//!  leader   append --------> send ahead of its own disk --------> commit by majority --> tell
//!  follower          take behind prev, truncate conflicts --> disk --> accepted
//! ```
//! Appends leave when a batch of inputs has been taken in, so a burst of proposals travels as one
//! message per peer. A rejected append carries a hint, so that a conflict costs one round per term
//! and not one per entry. A commit index alone is not answered: if it is lost, a heartbeat brings
//! it.
//!
//! Not here: the pace of one peer (`progress.rs`), truncation (`log.rs`).

use alloc::vec::Vec;

use bytes::Bytes;

use super::{Leadership, Message, Raft, Reliance, Role};
use crate::planted;
use crate::planted::Bug;
use crate::raft::quorum::{agreed, majority};
use crate::raft::{Entry, progress};
use crate::types::{Index, LogId, NodeId, Ticks};

/// Commands in one append, in bytes; at least one entry always goes.
const MAX_APPEND_BYTES: usize = 1 << 20;
/// The same while the peer is only probed: it may be dead.
const MAX_PROBE_BYTES: usize = 64 << 10;

impl Raft {
    /// A leader's new command. Refused (none) when this node does not lead, or is about to stop
    /// (T1).
    pub fn propose(&mut self, command: Bytes) -> Option<LogId> {
        let takes = self.leads() && !self.is_handing_over();
        takes.then(|| self.log.append(self.hard.term, command))
    }

    pub(super) fn tick_leader(&mut self, ticks: Ticks) {
        let Role::Leader(leadership) = &mut self.role else { return };
        leadership.since_heartbeat.0 += ticks.0;
        leadership.since_quorum_check.0 += 1;
        let patience = Ticks(self.config.election.0 / 2);
        let last = self.log.last().index;
        let busy = core::mem::replace(&mut leadership.last_at_tick, last) < last;
        for peer in leadership.peers.values_mut() {
            peer.tick(self.config.heartbeat, patience, busy);
        }
        self.tick_handover();
        let Role::Leader(leadership) = &mut self.role else { return };
        if leadership.since_quorum_check >= self.config.election {
            leadership.since_quorum_check = Ticks(0);
            self.check_quorum();
        }
    }

    /// Thesis §6.2: a leader without a quorum in touch steps down, so that its clients move on.
    fn check_quorum(&mut self) {
        let Role::Leader(leadership) = &mut self.role else { return };
        let mut heard = 1;
        for peer in leadership.peers.values_mut() {
            let recent = core::mem::take(&mut peer.recent);
            heard += usize::from(recent);
            if !recent {
                peer.give_up_snapshot();
            }
        }
        if heard < majority(self.config.voters.len()) {
            self.follow(None);
        }
    }

    pub(super) fn on_append(
        &mut self,
        from: NodeId,
        prev: LogId,
        mut entries: Vec<Entry>,
        commit: Index,
        quiet: bool,
    ) {
        self.heed(from);
        let mut prev = prev;
        let committed = self.log.committed();
        if prev.index < committed {
            // What is committed here equals the leader's log already (paper §5.4.3).
            let known = usize::try_from(committed.0 - prev.index.0).unwrap_or(usize::MAX);
            entries.drain(..known.min(entries.len()));
            prev = self.log.newest_not_above(LogId { index: committed, term: self.hard.term });
        }
        if !self.log.holds(prev) {
            let hint = self.log.newest_not_above(prev);
            return self.send(from, Message::AppendRejected { prev: prev.index, hint });
        }
        if planted!(self.config.planted, Bug::StaleAppendTruncates) {
            self.log.cut_behind(prev.index);
        }
        let matched = self.log.merge(prev, entries);
        self.log.commit_to(commit.min(matched).max(committed));
        if quiet {
            return;
        }
        let early = planted!(self.config.planted, Bug::AppendBeforeSync);
        let reliance = if early { Reliance::Nothing } else { Reliance::Everything };
        self.send_relying(reliance, from, Message::AppendAccepted { matched });
    }

    pub(super) fn on_append_accepted(&mut self, from: NodeId, matched: Index) {
        assert!(!self.leads() || matched <= self.log.last().index, "{from} holds unknown entries");
        let base = self.log.base().index;
        if let Role::Leader(leadership) = &mut self.role
            && let Some(peer) = leadership.peers.get_mut(&from)
        {
            peer.recent = true;
            peer.accepted(matched, base);
        }
    }

    pub(super) fn on_append_rejected(&mut self, from: NodeId, prev: Index, hint: LogId) {
        let next = self.next_to_try(prev, hint);
        if let Role::Leader(leadership) = &mut self.role
            && let Some(peer) = leadership.peers.get_mut(&from)
        {
            peer.recent = true;
            let late = planted!(self.config.planted, Bug::NextBelowMatch);
            peer.rejected(prev, next, late);
        }
    }

    /// The first entry worth sending to a peer that refused one behind `prev`. Where it must lie
    /// before the log's beginning, that is no entry of the log: the peer needs a snapshot.
    fn next_to_try(&self, prev: Index, hint: LogId) -> Index {
        let base = self.log.base().index;
        if prev <= base || hint.index < base {
            return Index(base.0.max(1));
        }
        self.log.newest_not_above(hint).index.next()
    }

    pub(super) fn on_heartbeat(&mut self, from: NodeId, commit: Index, round: u64, settled: Index) {
        self.heed(from);
        // The leader caps the commit index at what this node acknowledged, so it is in the log.
        assert!(
            commit <= self.log.last().index,
            "L2: this member acknowledged entry {commit} to {from} and has lost it: its disk was \
             emptied or replaced; it must be removed and added anew"
        );
        self.log.commit_to(commit);
        self.settled = self.settled.max(settled.min(commit));
        self.send(from, Message::HeartbeatEcho { round });
    }

    pub(super) fn on_heartbeat_echo(&mut self, from: NodeId, round: u64) {
        if let Role::Leader(leadership) = &mut self.role
            && let Some(peer) = leadership.peers.get_mut(&from)
        {
            peer.recent = true;
            peer.round = peer.round.max(round);
        }
    }

    /// Everything a leader owes after a batch of inputs.
    pub(super) fn flush_leader(&mut self) {
        if !self.leads() {
            return;
        }
        self.advance_commit();
        self.confirm_reads();
        for to in self.peers() {
            self.consider_snapshot(to);
            self.feed(to);
            self.ship(to);
        }
        self.flush_handover();
        let Role::Leader(leadership) = &mut self.role else { return };
        let called = leadership.rounds.take_call();
        if called || leadership.since_heartbeat >= self.config.heartbeat {
            leadership.since_heartbeat = Ticks(0);
            self.send_heartbeats();
        }
    }

    fn advance_commit(&mut self) {
        let Role::Leader(leadership) = &self.role else { return };
        let mut matched: Vec<Index> = leadership.peers.values().map(|peer| peer.matched).collect();
        matched.push(self.log.durable()); // Its own disk counts like any other.
        let everyone = matched.iter().copied().min().unwrap_or_default();
        let quorum = agreed(&mut matched);
        let own_term = self.log.term_at(quorum) == Some(self.hard.term);
        let any_term = planted!(self.config.planted, Bug::CommitOlderTerm);
        if quorum > self.log.committed() && (own_term || any_term) {
            self.log.commit_to(quorum); // Paper §5.4.2: never by counting an older term's copies.
        }
        self.settled = self.settled.max(everyone.min(self.log.committed()));
    }

    fn feed(&mut self, to: NodeId) {
        while let Some((message, bytes, last)) = self.next_append(to) {
            let Role::Leader(leadership) = &mut self.role else { return };
            let Some(peer) = leadership.peers.get_mut(&to) else { return };
            peer.told = self.log.committed();
            peer.sent(last, bytes);
            self.send_relying(Reliance::Nothing, to, message);
        }
    }

    /// The next append for a peer: its message, the bytes of its commands, its last index.
    fn next_append(&self, to: NodeId) -> Option<(Message, usize, Index)> {
        let Role::Leader(Leadership { peers, .. }) = &self.role else { return None };
        let peer = peers.get(&to)?;
        let commit = self.log.committed();
        let probing = matches!(peer.feed(), progress::Feed::Probe { .. });
        let news = peer.next <= self.log.last().index || peer.told < commit;
        if !peer.is_open() || !(probing || news) {
            return None;
        }
        let prev_index = peer.next.prev();
        // None: the peer needs entries that were discarded. It stays behind until it is refilled.
        let prev = LogId { index: prev_index, term: self.log.term_at(prev_index)? };
        let most = if probing { MAX_PROBE_BYTES } else { MAX_APPEND_BYTES };
        let entries = self.log.slice(peer.next, most.min(self.config.window));
        let bytes = entries.iter().map(|entry| entry.command.len()).sum();
        let last = Index(prev_index.0 + entries.len() as u64);
        let quiet = entries.is_empty() && !probing;
        Some((Message::Append { prev, entries, commit, quiet }, bytes, last))
    }

    fn send_heartbeats(&mut self) {
        let Role::Leader(leadership) = &self.role else { return };
        let (committed, settled) = (self.log.committed(), self.settled);
        let round = leadership.rounds.current();
        let all = planted!(self.config.planted, Bug::HeartbeatCommitsAll);
        let known = |matched: Index| if all { committed } else { committed.min(matched) };
        let beats: Vec<(NodeId, Index)> =
            leadership.peers.iter().map(|(to, peer)| (*to, known(peer.matched))).collect();
        for (to, commit) in beats {
            let message = Message::Heartbeat { commit, round, settled };
            self.send_relying(Reliance::Nothing, to, message);
        }
    }
}
