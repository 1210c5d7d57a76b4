//! One member, seen from outside: what it asked to be written, what is durable, what it says.

use std::collections::{BTreeMap, VecDeque};

use quorate_core::raft::{Entry, Envelope, Message, View};
use quorate_core::types::{HardState, Index, NodeId, Term};

use super::{Check, Turn};
use crate::shadow::{Change, Shadow};
use crate::verdict::{Invariant, Violation};

/// The shadows of one member. They outlive its process, as its disk does.
#[derive(Debug)]
pub struct Watched {
    at: usize,
    /// The log as it will be when all writes are done.
    pub requested: Shadow,
    /// The log as it would surely come back.
    pub durable: Shadow,
    /// Writes between the two.
    under_way: VecDeque<Change>,
    /// Votes that are durable.
    votes: BTreeMap<Term, NodeId>,
    applied: Index,
    revision: i64,
}

impl Watched {
    pub fn new(at: usize, founded: Shadow) -> Self {
        Self {
            at,
            requested: founded.clone(),
            durable: founded,
            under_way: VecDeque::new(),
            votes: BTreeMap::new(),
            applied: Index(0),
            revision: 0,
        }
    }

    pub fn durable_vote(&self, term: Term) -> Option<NodeId> {
        self.votes.get(&term).copied()
    }

    /// A restart must find what was durable, and after it any number of the writes under way.
    pub fn on_start(&mut self, back: Shadow) -> Check {
        let mut state = self.durable.clone();
        let mut found = state.is_what_came(&back);
        for change in self.under_way.drain(..) {
            if found {
                break;
            }
            state.change(&change);
            found = state.is_what_came(&back);
        }
        if !found {
            let what = format!(
                "{} came back with {} up to entry {}; {} up to entry {} was durable",
                self.name(),
                back.hard,
                back.last(),
                self.durable.hard,
                self.durable.last()
            );
            return Violation::of(Invariant::Durability, what);
        }
        self.note_vote(back.hard);
        (self.requested, self.durable) = (back.clone(), back);
        (self.applied, self.revision) = (Index(0), 0);
        Ok(())
    }

    pub fn on_write(&mut self, change: Change) -> usize {
        let replaced = self.requested.change(&change);
        self.under_way.push_back(change);
        replaced
    }

    pub fn on_receipt(&mut self, number: u64, disk: bool) -> Check {
        if !disk {
            let what = format!("{} has a receipt for w{number} and unsynced bytes", self.name());
            return Violation::of(Invariant::Durability, what);
        }
        while let Some(change) = self.under_way.pop_front_if(|change| change.number <= number) {
            self.durable.change(&change);
            self.note_vote(change.hard);
        }
        Ok(())
    }

    fn note_vote(&mut self, hard: HardState) {
        if let Some(vote) = hard.vote {
            self.votes.insert(hard.term, vote);
        }
    }

    /// What a message promises must be durable when it leaves.
    pub fn on_send(&self, envelope: &Envelope) -> Check {
        let term = envelope.term;
        let kept = match &envelope.message {
            Message::Vote { granted: true } => self.cannot_vote_otherwise(term, envelope.to),
            Message::RequestVote { .. } => self.cannot_vote_otherwise(term, envelope.from),
            Message::AppendAccepted { matched } => self.holds(*matched, term),
            Message::Vote { granted: false }
            | Message::RequestPreVote { .. }
            | Message::PreVote { .. }
            | Message::Append { .. }
            | Message::AppendRejected { .. }
            | Message::Heartbeat { .. }
            | Message::HeartbeatEcho { .. }
            | Message::Forward { .. }
            | Message::Returned { .. }
            | Message::AskReadIndex { .. }
            | Message::ReadIndex { .. }
            | Message::AskLeases { .. }
            | Message::TellLeases { .. }
            | Message::Snapshot { .. }
            | Message::SnapshotKept { .. }
            | Message::SnapshotRefused { .. }
            | Message::TimeoutNow => true,
        };
        if kept {
            return Ok(());
        }
        let (hard, last) = (self.durable.hard, self.durable.last());
        let what = format!("{envelope} leaves; durable is {hard} up to entry {last}");
        Violation::of(Invariant::Durability, what)
    }

    /// Whether no restart could make it vote for another in `term`: the vote is durable, or, if it
    /// was overtaken before it was ever written, a later term is.
    fn cannot_vote_otherwise(&self, term: Term, whom: NodeId) -> bool {
        match self.durable_vote(term) {
            Some(vote) => vote == whom,
            None => self.durable.hard.term > term,
        }
    }

    /// Whether the disk holds what the log held at `matched` in `term`. If a later term's write is
    /// under way or done, the acknowledgement speaks of a log that is no more: it only must not
    /// have been sent before its term was durable.
    fn holds(&self, matched: Index, term: Term) -> bool {
        if self.requested.hard.term > term {
            return self.durable.hard.term >= term;
        }
        let (durable, requested) = (&self.durable, &self.requested);
        let held = if matched < requested.base.index {
            matched <= durable.last() // What may be forgotten was durable once, and is still there.
        } else {
            matched <= durable.base.index || durable.term_at(matched) == requested.term_at(matched)
        };
        durable.hard.term >= term && held
    }

    pub fn on_turn(&mut self, turn: &Turn) -> Check {
        let Turn { before, after } = turn;
        let revoted =
            after.term == before.term && before.vote.is_some() && after.vote != before.vote;
        if after.term < before.term || after.commit < before.commit || revoted {
            let what = format!("{}: {} became {}", self.name(), show(before), show(after));
            return Violation::of(Invariant::NoRegress, what);
        }
        let believed = self.requested.term_at(after.durable).unwrap_or_default();
        // Behind the beginning that the log is to get, only the length of what is there counts.
        let forgotten = after.durable < self.requested.base.index;
        let held = if forgotten {
            after.durable <= self.durable.last()
        } else {
            self.durable.covers(after.durable, believed)
        };
        if !held {
            let (name, durable) = (self.name(), self.durable.last());
            let what = format!("{name} counts on entry {}; on disk is {durable}", after.durable);
            return Violation::of(Invariant::Durability, what);
        }
        if after.applied > after.commit {
            let what = format!("{}: {}", self.name(), show(after));
            return Violation::of(Invariant::AppliedIsCommitted, what);
        }
        Ok(())
    }

    pub fn on_apply(&mut self, entry: &Entry) -> Check {
        if self.applied != Index(0) && entry.index != self.applied.next() {
            let what = format!("{} applies {entry} after {}", self.name(), self.applied);
            return Violation::of(Invariant::AppliedIsCommitted, what);
        }
        self.applied = entry.index;
        Ok(())
    }

    pub fn on_install(&mut self, index: Index) -> Check {
        if index <= self.applied {
            let what = format!("{} installs {index} after {}", self.name(), self.applied);
            return Violation::of(Invariant::AppliedIsCommitted, what);
        }
        self.applied = index;
        Ok(())
    }

    pub fn on_revision(&mut self, revision: i64) -> Check {
        if revision < self.revision {
            let what = format!("{}: revision {} became {revision}", self.name(), self.revision);
            return Violation::of(Invariant::RevisionMonotonicity, what);
        }
        self.revision = revision;
        Ok(())
    }

    fn name(&self) -> String {
        format!("n{}", self.at + 1)
    }
}

fn show(view: &View) -> String {
    let View { term, commit, applied, .. } = view;
    let vote = view.vote.map_or_else(|| "-".to_owned(), |vote| vote.to_string());
    format!("term={term} vote={vote} commit={commit} applied={applied}")
}
