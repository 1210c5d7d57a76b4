//! What is wrong with leases in a planted build. In any other, all of this does nothing.

use alloc::vec::Vec;

use bytes::Bytes;
use prost::Message as _;

use super::LeaseQuestion;
use crate::api::etcdserverpb::LeaseRevokeRequest;
use crate::api::wire::Command;
use crate::api::wire::command::Action;
use crate::member::Member;
use crate::planted;
use crate::planted::Bug;
use crate::raft::Message;
use crate::types::LeaseId;

/// Request numbers from here on are of the bug: no client comes so far.
const NUMBERS: u64 = 1 << 62;

impl Member {
    /// [`Bug::RenewWithoutQuorum`]: nobody is asked whether this member still leads.
    pub(super) fn confirm_blindly(&mut self, round: u64) {
        let counts = self.leases.clocks.reigns(self.raft.term());
        if planted!(self.leases.planted, Bug::RenewWithoutQuorum) && counts {
            self.leases.rounds.confirmed(round, self.raft.applied_index());
        }
    }

    /// [`Bug::RenewFromOwnTable`]: what this member has not heard of is answered as not existing.
    pub(super) fn keep_to_own_table(
        &mut self,
        questions: Vec<LeaseQuestion>,
    ) -> Vec<LeaseQuestion> {
        if !planted!(self.leases.planted, Bug::RenewFromOwnTable) {
            return questions;
        }
        let clocks = &self.leases.clocks;
        let (known, unknown): (Vec<_>, Vec<_>) =
            questions.into_iter().partition(|question| clocks.knows(question.lease));
        let applied = self.raft.applied_index();
        for LeaseQuestion { n, .. } in unknown {
            if self.leases.calls.answered(n, None, applied, applied) {
                self.answer_lease(n, None);
            }
        }
        known
    }

    /// [`Bug::EndByIdAlone`]: it does not matter which grant of an id was meant.
    pub(super) fn by_id_alone(&self, action: Action) -> Action {
        match action {
            Action::LeaseEnd(end) if planted!(self.leases.planted, Bug::EndByIdAlone) => {
                Action::LeaseRevoke(LeaseRevokeRequest { id: end.id })
            }
            as_it_is => as_it_is,
        }
    }

    /// [`Bug::EndByDeposedLeader`]: whoever once began to count goes on, and has its leases ended
    /// by whoever leads, as if a client had asked.
    pub(super) fn forward_ends(&mut self, over: &[LeaseId]) {
        let first = NUMBERS + (self.now.0 << 16);
        for (n, lease) in (first..).zip(over) {
            let action = Some(Action::LeaseRevoke(LeaseRevokeRequest { id: lease.0 }));
            let command = Command { member: self.raft.id().0, boot: self.boot, n, action };
            let command = Bytes::from(command.encode_to_vec());
            match self.raft.leader() {
                Some(leader) if leader == self.raft.id() => drop(self.raft.propose(command)),
                Some(leader) => self.raft.send(leader, Message::Forward { command }),
                None => {}
            }
        }
    }
}
