//! Leader election: at most one leader per term (Raft paper §5.2, thesis §9.6 and §6.2).
//!
//! A voter backs at most one candidate per term, and any two majorities share a voter, so two
//! candidates cannot both win a term. The argument needs voters that never forget: a vote is
//! durable before anyone hears about it, the candidate's own vote included.
//!
//! A node that only lost its connection must not depose a working leader when it returns with a
//! higher term. So it asks first, without entering the new term (pre-vote): a node says yes only if
//! it has not heard of a leader for an election timeout itself and the asker's log could win.
//!
//! Not here: what a new leader does (`replication.rs`).

use super::{Envelope, Leadership, Message, Progress, Raft, Reliance, Role, Rounds};
use crate::planted;
use crate::planted::Bug;
use crate::raft::quorum::majority;
use crate::types::{HardState, LogId, NodeId, Term, Ticks};
use alloc::collections::BTreeSet;
use bytes::Bytes;

impl Raft {
    /// Asks whether a campaign could succeed. Changes nothing that must be durable.
    pub(super) fn pre_campaign(&mut self) {
        self.leader = None;
        self.restart_timer();
        self.role = Role::PreCandidate { backers: BTreeSet::from([self.config.id]) };
        let term = self.hard.term.next();
        let message = Message::RequestPreVote { last: self.log.last() };
        for to in self.peers() {
            // The envelope names the term that would be entered.
            let envelope = Envelope { from: self.config.id, to, term, message: message.clone() };
            self.outbox.send(Reliance::Term, envelope);
        }
        self.campaign_if_backed();
    }

    pub(super) fn on_request_pre_vote(&mut self, from: NodeId, asked: Term, last: LogId) {
        let led = self.leader.is_some() && self.silence < self.config.election;
        let granted = asked > self.hard.term
            && !led
            && !self.leads()
            && (last.is_as_recent_as(self.log.last())
                || planted!(self.config.planted, Bug::VoteIgnoresLog));
        self.send(from, Message::PreVote { granted, term: asked });
    }

    pub(super) fn on_pre_vote(&mut self, from: NodeId, term: Term, granted: bool, asked: Term) {
        if term > self.hard.term {
            return self.enter_term(term);
        }
        if granted
            && asked == self.hard.term.next()
            && let Role::PreCandidate { backers } = &mut self.role
        {
            backers.insert(from);
            self.campaign_if_backed();
        }
    }

    pub(super) fn on_request_vote(&mut self, from: NodeId, last: LogId) {
        // A term that has its leader needs no further votes: a late request must not make its
        // followers forget it. A repeated one is answered as before.
        let free = match self.hard.vote {
            Some(vote) => vote == from,
            None => self.leader.is_none(),
        };
        let recent = last.is_as_recent_as(self.log.last())
            || planted!(self.config.planted, Bug::VoteIgnoresLog);
        let granted = free && recent;
        if granted && self.leader.is_none() {
            self.hard.vote = Some(from);
            self.follow(None);
        }
        let early = planted!(self.config.planted, Bug::VoteBeforeDurable);
        let reliance = match granted {
            true if early => Reliance::Nothing,
            true => Reliance::Everything,
            false => Reliance::Term,
        };
        self.send_relying(reliance, from, Message::Vote { granted });
    }

    pub(super) fn on_vote(&mut self, from: NodeId, granted: bool) {
        if granted && let Role::Candidate { backers } = &mut self.role {
            backers.insert(from);
            self.lead_if_backed();
        }
    }

    /// The own vote counts like any other: only when it is durable.
    pub(super) fn count_own_vote(&mut self) {
        if let Role::Candidate { backers } = &mut self.role {
            backers.insert(self.config.id);
            self.lead_if_backed();
        }
    }

    /// Enters a later term as a follower without a vote.
    pub(super) fn enter_term(&mut self, term: Term) {
        assert!(term > self.hard.term, "E1: term {} to {term}", self.hard.term);
        self.hard = HardState { term, vote: None };
        self.follow(None);
    }

    /// Follows in the current term.
    pub(super) fn follow(&mut self, leader: Option<NodeId>) {
        self.role = Role::Follower;
        self.leader = leader;
        self.restart_timer();
    }

    /// The leader of the current term spoke.
    pub(super) fn heed(&mut self, from: NodeId) {
        let term = self.hard.term;
        assert!(!self.leads(), "E3: {from} leads term {term}, and so does {}", self.config.id);
        assert!(
            self.leader.is_none_or(|leader| leader == from),
            "E3: two leaders in term {term}: {from} and {:?}",
            self.leader
        );
        if self.leader.is_none() {
            self.follow(Some(from));
        }
        self.role = Role::Follower;
        self.silence = Ticks(0);
    }

    /// News of a settled term. A leader of it must learn that its time is over, or it would keep a
    /// node with a later term from ever joining (etcd #8501).
    pub(super) fn on_late(&mut self, from: NodeId, message: &Message) {
        match message {
            Message::Append { .. } | Message::Heartbeat { .. } | Message::Snapshot { .. } => {
                self.send(from, Message::HeartbeatEcho { round: 0 });
            }
            Message::RequestVote { .. } => self.send(from, Message::Vote { granted: false }),
            Message::RequestPreVote { .. }
            | Message::PreVote { .. }
            | Message::Vote { .. }
            | Message::AppendAccepted { .. }
            | Message::AppendRejected { .. }
            | Message::HeartbeatEcho { .. }
            | Message::Forward { .. }
            | Message::Returned { .. }
            | Message::AskReadIndex { .. }
            | Message::ReadIndex { .. }
            | Message::AskLeases { .. }
            | Message::TellLeases { .. }
            | Message::SnapshotKept { .. }
            | Message::SnapshotRefused { .. }
            | Message::TimeoutNow => {}
        }
    }

    pub(super) fn restart_timer(&mut self) {
        let election = self.config.election.0;
        self.silence = Ticks(0);
        self.timeout = Ticks(election + self.random.below(election));
    }

    fn campaign_if_backed(&mut self) {
        let Role::PreCandidate { backers } = &self.role else { return };
        if backers.len() >= majority(self.config.voters.len()) {
            self.campaign();
        }
    }

    /// Asks for votes in the next term.
    pub(super) fn campaign(&mut self) {
        self.campaign_with(self.log.last());
    }

    /// The same, with what the log is said to end in.
    pub(super) fn campaign_with(&mut self, last: LogId) {
        self.enter_term(self.hard.term.next());
        self.hard.vote = Some(self.config.id);
        self.role = Role::Candidate { backers: BTreeSet::new() };
        for to in self.peers() {
            self.send_relying(Reliance::Everything, to, Message::RequestVote { last });
        }
    }

    fn lead_if_backed(&mut self) {
        let Role::Candidate { backers } = &self.role else { return };
        if backers.len() < majority(self.config.voters.len()) {
            return;
        }
        let next = self.log.last().index.next();
        let window = self.config.window;
        let peers =
            self.peers().into_iter().map(|peer| (peer, Progress::new(next, window))).collect();
        self.role = Role::Leader(Leadership {
            peers,
            first: next,
            rounds: Rounds::default(),
            last_at_tick: next,
            since_heartbeat: self.config.heartbeat, // Due at once.
            since_quorum_check: Ticks(0),
            handover: None,
        });
        self.leader = Some(self.config.id);
        self.log.append(self.hard.term, Bytes::new());
    }
}
