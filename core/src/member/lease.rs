//! Leases as consensus sees them: whose deadlines count, who may renew, who may end.
//!
//! ```text
//!   KeepAlive, TimeToLive --> calls --leads?---> rounds --confirmed--> clocks --> answer
//!                                 \--follows? -> AskLeases -> leader -> TellLeases -> answer
//!   Applied { facts } -----> clocks --over?----> rounds --confirmed--> LeaseEnd into the log
//! ```
//! A deadline is not replicated (LE-3). Only the leader counts, in ticks of its own clock; each new
//! one starts afresh. So two members may both believe that they count, and the promise to keep is
//! K3: *a lease does not end before its TTL is over, counted from the last grant or renewal that
//! was acknowledged; and no renewal is acknowledged of a lease that has ended.* It holds like this.
//!
//! (What a client counts from is the moment when it asked: the answer was under way for a while.)
//!
//! Let a leader L of term t answer a renewal at b. The request came to it at a, and between a and b
//! a quorum has said, in term t, that it follows L (a round of `raft/read.rs`).
//!
//! - *Ended by L itself.* From the answer on L's deadline is b + TTL, and it proposes no end
//!   before. It proposed none earlier either: what was seen to be over is never renewed (C3).
//! - *Ended by an earlier leader.* Such an entry is in L's log before L's no-op, if it is ever
//!   committed. L counts and answers only when its no-op is applied, and then the lease is gone.
//! - *Ended by a later leader M.* M was voted for by a quorum. One of those voters had said that it
//!   follows L, in term t, after a, and later entered M's term; so M began to lead after a. Its
//!   deadlines begin even later, when its no-op is applied, and with an election timeout on top
//!   (LE-7): M ends the lease at a + election timeout + TTL at the earliest. And L uses no answer
//!   of a quorum that took longer than an election timeout, so b is at most a + election timeout.
//! - *Revoked by a client.* If that was acknowledged before a, the round's index covers it, and L
//!   has applied it.
//!
//! Anything less breaks it: without the quorum a leader that was paused renews what M ended;
//! without the no-op applied it renews what its own log ends; with a round that began before a, M
//! may have begun before a as well. Where a checkpoint could shorten the lease for M, the renewal
//! waits until all members were told that it is void (`clocks.rs`, `renew`).
//!
//! Time that passes while this member is paused counts: the driver hands in the ticks with the same
//! batch of inputs, so whatever is decided here (all of it in `flush`) is decided after them.
//!
//! An end needs no more than the log: an entry of a deposed leader is never committed. It goes
//! through a round all the same, so that a leader that was cut off does not fill its log with the
//! ends of leases that others keep alive. It names the entry that granted the lease, because the id
//! may be granted again before it is applied.
//!
//! Counted are ticks of one clock at a time. Clocks that run at different speeds shorten or
//! lengthen a lease by as much as they differ.
//!
//! Invariants:
//! - N1. Only in its reign (it leads, and its no-op is applied) does a member renew or end leases.
//! - N2. A question is answered by a round that began after it came.
//!
//! Not here: the clocks (`clocks.rs`), the leases themselves (`store/lease.rs`).

mod bugs;
mod calls;
mod clocks;
mod rounds;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use bytes::Bytes;
use prost::Message as _;

use self::calls::Calls;
use self::clocks::{Clocks, Renewal};
use self::rounds::{Batch, Call, Caller, Rounds};
use super::{Member, Output};
use crate::api::wire::command::Action;
use crate::api::wire::{Command, LeaseCheckpoint, LeaseRemaining};
use crate::planted;
use crate::planted::Bug;
use crate::raft::{LeaseAnswer, LeaseQuestion, Message, Reader};
use crate::store::Fact;
use crate::types::{Index, LeaseCounts, LeaseId, LeaseLife, NodeId, Term, Ticks};

/// Everything about leases.
#[derive(Debug)]
pub struct Leases {
    /// What the store told since the last flush.
    facts: Vec<Fact>,
    clocks: Clocks,
    rounds: Rounds,
    calls: Calls,
    /// Renewals that wait for an entry about their lease: its end, or that a checkpoint is void.
    parked: BTreeMap<LeaseId, BTreeSet<Caller>>,
    /// Answers for other members, by member and life.
    told: BTreeMap<(NodeId, u64), Vec<LeaseAnswer>>,
    counts: LeaseCounts,
    /// What a new leader adds to every lease (LE-7), and the longest that a round may take.
    election: Ticks,
    planted: Option<Bug>,
}

impl Leases {
    /// Nothing is known yet.
    pub fn new(election: Ticks, interval: Ticks, planted: Option<Bug>) -> Self {
        Self {
            facts: Vec::new(),
            clocks: Clocks::new(interval, planted),
            rounds: Rounds::default(),
            calls: Calls::default(),
            parked: BTreeMap::new(),
            told: BTreeMap::new(),
            counts: LeaseCounts::default(),
            election,
            planted,
        }
    }

    /// The store changed. What follows is decided in the next flush.
    pub fn learn(&mut self, facts: Vec<Fact>) {
        self.facts.extend(facts);
    }

    /// A client's call. With `renew` it is a keep-alive.
    pub fn arrived(&mut self, n: u64, lease: LeaseId, renew: bool) {
        self.calls.arrived(n, lease, renew);
    }

    /// Forgets a call whose time is over. Whether it was one.
    pub fn forget(&mut self, n: u64) -> bool {
        self.calls.forget(n)
    }

    /// What this member did as the leader.
    pub fn counts(&self) -> LeaseCounts {
        self.counts
    }

    /// A quorum confirmed a round.
    pub fn confirmed(&mut self, round: u64, index: Index) {
        self.rounds.confirmed(round, index);
    }

    /// Term or leader changed. Nothing of the former reign counts; whoever waits asks again.
    pub fn leader_changed(&mut self) {
        if !planted!(self.planted, Bug::EndByDeposedLeader) {
            self.clocks.end();
        }
        self.rounds.clear();
        self.parked.clear();
        self.told.clear();
        self.calls.leader_changed();
    }
}

impl Member {
    /// Everything that is due for leases. Proposals and messages leave with the flush of raft that
    /// follows.
    pub(super) fn turn_leases(&mut self) {
        for fact in core::mem::take(&mut self.leases.facts) {
            self.learn_of_lease(&fact);
        }
        self.begin_reign();
        if self.leases.calls.has_fresh() {
            self.put_lease_questions();
        }
        // While leadership is on its way to another member, nothing can be proposed: what is due
        // waits until that has come to pass, or to nothing.
        if !self.raft.is_handing_over() {
            self.act_for_leases();
        }
        if self.raft.leads()
            && let Some(round) = self.leases.rounds.ask(self.now)
        {
            self.raft.read_index(Reader::Leases { round });
            self.confirm_blindly(round);
        }
        self.tell_peers();
        for (n, life) in self.leases.calls.take_ready(self.raft.applied_index()) {
            self.answer_lease(n, life);
        }
    }

    /// Whether another turn leads somewhere.
    pub(super) fn wants_lease_turn(&self) -> bool {
        let rounds = &self.leases.rounds;
        let ready = rounds.has_ready(self.raft.applied_index());
        rounds.wants_to_ask() || (ready && !self.raft.is_handing_over())
    }

    /// Whether anything about leases goes on only when the store has applied more.
    pub(super) fn leases_await_store(&self) -> bool {
        let Leases { rounds, calls, clocks, .. } = &self.leases;
        let begins = self.raft.leads() && !clocks.reigns(self.raft.term());
        begins || rounds.await_store() || calls.await_store()
    }

    fn act_for_leases(&mut self) {
        if self.leases.clocks.wants_look(self.now) && !self.is_crowded() {
            self.look_at_leases();
        }
        for batch in self.leases.rounds.take_ready(self.raft.applied_index()) {
            self.act_on(batch);
        }
    }

    /// Questions of another member's clients: only for the leader of exactly that term.
    pub(super) fn on_ask_leases(
        &mut self,
        from: NodeId,
        term: Term,
        boot: u64,
        questions: &[LeaseQuestion],
    ) {
        if term != self.raft.term() || !self.raft.leads() {
            return;
        }
        for LeaseQuestion { n, lease, renew } in questions.iter().copied() {
            let caller = Caller::Peer { node: from, boot, n };
            self.leases.rounds.call(Call { caller, lease, renew });
        }
    }

    /// Answers of a leader, which saw the state of `index`.
    pub(super) fn on_tell_leases(&mut self, index: Index, answers: &[LeaseAnswer]) {
        let applied = self.raft.applied_index();
        for LeaseAnswer { n, life } in answers.iter().copied() {
            if self.leases.calls.answered(n, life, index, applied) {
                self.answer_lease(n, life);
            }
        }
    }

    pub(super) fn repeat_lease_questions(&mut self) {
        // What a leader asks itself is not lost.
        if !self.raft.leads() {
            self.leases.calls.repeat_late(self.now);
        }
    }

    fn learn_of_lease(&mut self, fact: &Fact) {
        self.leases.clocks.learn(fact, self.now);
        match fact {
            Fact::LeaseRevoked(id) | Fact::LeaseExpired(id) => {
                self.count_end(fact);
                for caller in self.leases.parked.remove(id).unwrap_or_default() {
                    self.tell(caller, None); // LE-9
                }
            }
            Fact::LeaseRemaining(lease, _) => {
                for caller in self.leases.parked.remove(lease).unwrap_or_default() {
                    self.leases.rounds.call(Call { caller, lease: *lease, renew: true });
                }
            }
            Fact::LeaseGranted(..) | Fact::Restored => {}
        }
    }

    /// Before its reign a leader applies ends that are its predecessors' work.
    fn count_end(&mut self, fact: &Fact) {
        if matches!(fact, Fact::LeaseExpired(_)) && self.leases.clocks.reigns(self.raft.term()) {
            self.leases.counts.expired += 1;
        }
    }

    /// N1. The clocks begin when everything of earlier terms is applied.
    fn begin_reign(&mut self) {
        let term = self.raft.term();
        let Some(own) = self.raft.own_entry() else { return };
        if self.raft.applied_index() >= own && !self.leases.clocks.reigns(term) {
            self.leases.clocks.begin(term, self.now, self.leases.election);
        }
    }

    fn look_at_leases(&mut self) {
        let due = self.leases.clocks.look(self.now);
        if !due.checkpoints.is_empty() {
            self.propose_checkpoint(due.checkpoints);
        }
        if planted!(self.leases.planted, Bug::EndByDeposedLeader) {
            return self.forward_ends(&due.over);
        }
        self.leases.rounds.over(due.over);
    }

    fn put_lease_questions(&mut self) {
        let Some(leader) = self.raft.leader() else { return };
        let questions = self.leases.calls.take_fresh(self.now);
        if leader != self.raft.id() {
            let questions = self.keep_to_own_table(questions);
            let boot = self.boot;
            return self.raft.send(leader, Message::AskLeases { boot, questions });
        }
        for LeaseQuestion { n, lease, renew } in questions {
            self.leases.rounds.call(Call { caller: Caller::Own(n), lease, renew });
        }
    }

    /// A quorum has confirmed this leader since these came, and the round's index is applied.
    fn act_on(&mut self, batch: Batch) {
        for id in batch.over {
            if let Some(end) = self.leases.clocks.end_of(id, self.now) {
                self.propose_own(self.by_id_alone(Action::LeaseEnd(end)));
            }
        }
        let late = self.now.0 - batch.began.0 > self.leases.election.0;
        for call in batch.calls {
            if late {
                self.leases.rounds.call(call);
            } else {
                self.act_on_call(call);
            }
        }
    }

    fn act_on_call(&mut self, call: Call) {
        let Call { caller, lease, renew } = call;
        if !renew {
            let life = self.leases.clocks.life(lease, self.now);
            return self.tell(caller, life);
        }
        match self.leases.clocks.renew(lease, self.now) {
            Renewal::Gone => self.tell(caller, None),
            Renewal::Renewed(life) => {
                self.leases.counts.renewed += 1;
                self.tell(caller, Some(life));
            }
            Renewal::Over => self.park(lease, caller),
            Renewal::Unsettled(void) => {
                self.park(lease, caller);
                if let Some(void) = void {
                    self.propose_checkpoint(Vec::from([void]));
                }
            }
        }
    }

    fn park(&mut self, lease: LeaseId, caller: Caller) {
        self.leases.parked.entry(lease).or_default().insert(caller);
    }

    fn tell(&mut self, caller: Caller, life: Option<LeaseLife>) {
        match caller {
            Caller::Own(n) => {
                let applied = self.raft.applied_index();
                if self.leases.calls.answered(n, life, applied, applied) {
                    self.answer_lease(n, life);
                }
            }
            Caller::Peer { node, boot, n } => {
                let told = self.leases.told.entry((node, boot)).or_default();
                told.push(LeaseAnswer { n, life });
            }
        }
    }

    fn tell_peers(&mut self) {
        let index = self.raft.applied_index();
        while let Some(((node, boot), answers)) = self.leases.told.pop_first() {
            self.raft.send(node, Message::TellLeases { boot, index, answers });
        }
    }

    fn answer_lease(&mut self, n: u64, life: Option<LeaseLife>) {
        if self.pending.remove(&n).is_some() {
            self.replies.push(Output::Lease(self.id(n), life));
        }
    }

    fn propose_checkpoint(&mut self, leases: Vec<LeaseRemaining>) {
        self.propose_own(Action::LeaseCheckpoint(LeaseCheckpoint { leases }));
    }

    /// A command of the leader itself: nobody waits for it.
    fn propose_own(&mut self, action: Action) {
        let command = Command { member: 0, boot: 0, n: 0, action: Some(action) };
        let taken = self.raft.propose(Bytes::from(command.encode_to_vec()));
        assert!(taken.is_some() || cfg!(planted), "N1: who does not lead proposes for leases");
    }
}

#[cfg(test)]
mod tests;
