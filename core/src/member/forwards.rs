//! Commands that one member's clients give to another member's log.
//!
//! ```text
//!   origin                        leader of term t
//!   Forward @t -----------------> takes it, each id once ---> log
//!                                 hands over: it waits -----> the hand-over fails: log
//!   waits for a term above t <--- Returned of t <------------ another member leads
//! ```
//! A command that is lost, or dropped because the leader is crowded, stays without an answer:
//! whether it reached a log is open, and so the origin may not try again. A leader that hands over
//! knows more. What it held it did not propose, and its term is over. The same goes for a forward
//! that reaches it after that, unless a copy of it was taken before. So it returns both, and the
//! origin gives them to the next leader, within the time that the client waits.
//!
//! It holds (M1) because a member never leads a term again that it led before, in this life or a
//! later one: what it has not put into the log of that term is not there and never will be.
//!
//! Not here: what was taken (`admission.rs`), the way into the own log (`member.rs`).

use bytes::Bytes;
use prost::Message as _;

use super::Member;
use crate::api::wire::Command;
use crate::api::wire::command::Action;
use crate::planted;
use crate::planted::Bug;
use crate::raft::Message;
use crate::request::{self, requester_of};
use crate::types::{NodeId, RequestId, Term};

impl Member {
    /// M1: only the leader of exactly that term, and each id once.
    pub(super) fn on_forward(&mut self, from: NodeId, term: Term, command: Bytes) {
        let genuine = requester_of(&command).filter(|id| id.member == from);
        let Some(id) = genuine else { return };
        if !self.leads_term(term) {
            let missed = self.admission.surely_missed(term, id);
            if missed || planted!(self.planted, Bug::ReturnedThoughTaken) {
                self.raft.send(from, Message::Returned { term, command });
            }
        } else if !self.is_crowded() && is_sound(&command) && self.admission.admit(term, id) {
            if self.raft.is_handing_over() {
                self.held.push_back((from, term, command));
            } else {
                self.raft.propose(command);
            }
        }
    }

    /// A term that it led before, in this life or an earlier one, a member never leads again.
    fn leads_term(&self, term: Term) -> bool {
        self.raft.leads() && self.raft.term() == term
    }

    /// M1: what a leader has not taken may go to the next one. The term that it was forwarded in is
    /// over, whether this member has heard of a later one or not.
    pub(super) fn on_returned(&mut self, term: Term, command: Bytes) {
        let own = |id: &RequestId| (id.member, id.boot) == (self.raft.id(), self.boot);
        let Some(RequestId { n, .. }) = requester_of(&command).filter(own) else { return };
        let Some(pending) = self.pending.get_mut(&n) else { return };
        if pending.proposed == Some(term) && is_sound(&command) {
            pending.proposed = None;
            self.over = self.over.max(term);
            self.unsent.push_back((n, command));
        }
    }

    /// Forwards that may have waited for a hand-over. It failed, or the next leader is to take
    /// them.
    pub(super) fn release_held(&mut self) {
        if self.raft.is_handing_over() {
            return;
        }
        for (from, term, command) in core::mem::take(&mut self.held) {
            if self.leads_term(term) {
                self.raft.propose(command);
            } else {
                self.raft.send(from, Message::Returned { term, command });
            }
        }
    }
}

/// Whether every member could apply a foreign command: one that nobody can apply must never get
/// into a log.
fn is_sound(command: &Bytes) -> bool {
    match Command::decode(command.clone()) {
        // Only the founding entry holds a configuration, and nobody proposes that.
        Ok(Command { action: Some(Action::Configuration(_)), .. }) => false,
        // These are the leader's own.
        Ok(Command { action: Some(Action::LeaseEnd(_) | Action::LeaseCheckpoint(_)), .. }) => false,
        // What nobody can grant was not chosen as it should have been.
        Ok(Command { action: Some(Action::LeaseGrant(grant)), .. })
            if grant.id == 0 || grant.ttl < 1 =>
        {
            false
        }
        Ok(Command { action: Some(action), .. }) => request::check(&action).is_ok(),
        Ok(Command { action: None, .. }) | Err(_) => false,
    }
}
