//! The invariants of Raft and of replicas, checked while the run goes on.
//!
//! ```text
//!   writes asked for --> requested --receipt--> durable      one pair of shadows per member
//!   commit moves ------> the committed log, one for all: index -> term, content, who committed it
//!   entries applied ---> compared with it;  state hashes compared at equal index
//! ```
//! The oracle looks from outside, at what members ask of their drivers, and knows all members at
//! once. It never looks at what the members believe of each other. Each check costs a look-up or
//! two, so that every event of every run is checked.
//!
//! Not here: what clients saw (`judge.rs`), progress (`world/liveness.rs`).

mod member;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use quorate_core::raft::{Entry, Envelope, RoleKind, View};
use quorate_core::request::requester_of;
use quorate_core::store::{HashStep, Store};
use quorate_core::types::{HardState, Index, LogId, NodeId, RequestId, Term};
use quorate_core::wal::Write;

use crate::shadow::{Change, Mark, Shadow};
use crate::verdict::{Invariant, Violation};
use member::Watched;

type Check = Result<(), Violation>;

/// One entry of the committed log.
#[derive(Clone, Copy, Debug)]
struct Committed {
    mark: Mark,
    /// The term in which it was first seen committed.
    by: Term,
}

/// Knows all members at once.
#[derive(Debug)]
pub struct Oracle {
    members: Vec<Watched>,
    leaders: BTreeMap<Term, usize>,
    /// By index and term: the content, and the term of the entry before.
    entries: HashMap<(u64, u64), (u64, Term)>,
    /// The entry of index `n` is at place `n - 1`.
    committed: Vec<Committed>,
    /// By index.
    states: HashMap<u64, State>,
    /// Where each request was applied.
    requests: HashMap<RequestId, Index>,
}

/// What a store looks like from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct State {
    /// The rolling hash of all effects.
    pub hash: u64,
    /// The current revision.
    pub revision: i64,
    /// The oldest revision that may be read.
    pub mark: i64,
    /// The hash of the key space as etcd counts it, now and then.
    pub kv: Option<u32>,
}

/// What a turn of a consensus actor changed.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Before.
    pub before: View,
    /// After.
    pub after: View,
}

impl Turn {
    /// Whether the member led one and the same term all the while.
    fn led(&self) -> bool {
        self.before.role == RoleKind::Leader
            && self.after.role == RoleKind::Leader
            && self.before.term == self.after.term
    }

    /// Whether the member led and its commit index moved.
    #[must_use]
    pub fn committed(&self) -> bool {
        self.led() && self.after.commit > self.before.commit
    }

    /// Whether the member took another role in this turn, other than that of a leader.
    #[must_use]
    pub fn turned(&self) -> bool {
        self.before.role != self.after.role && self.after.role != RoleKind::Leader
    }

    /// Whether the member came to lead its term in this turn.
    #[must_use]
    pub fn was_elected(&self) -> bool {
        self.after.role == RoleKind::Leader && !self.led()
    }
}

/// The key space is hashed at every so many entries: at the same ones on all members.
const HASH_EVERY: u64 = 8;

fn hash_kv(store: &Store) -> u32 {
    match store.hash_kv(0, None, usize::MAX) {
        Ok(HashStep::Done(done)) => done.hash,
        Ok(HashStep::More(_)) => panic!("there is no more than everything"),
        Err(refusal) => panic!("the present can be hashed: {refusal}"),
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { hash, revision, mark, kv } = self;
        write!(f, "state {hash:016x} at revision {revision}, compacted to {mark}")?;
        kv.map_or(Ok(()), |kv| write!(f, ", HashKV {kv:08x}"))
    }
}

impl From<&Store> for State {
    fn from(store: &Store) -> Self {
        let (mark, due) = (store.compact_revision(), store.applied().index.0);
        let kv = due.is_multiple_of(HASH_EVERY).then(|| hash_kv(store));
        Self { hash: store.state_hash(), revision: store.revision(), mark, kv }
    }
}

impl Oracle {
    /// Watches members that were all founded with this log.
    #[must_use]
    pub fn new(members: usize, hard: HardState, founding: &Entry) -> Self {
        let shadow = Shadow::new(hard, LogId::default(), std::slice::from_ref(founding));
        let mark = Mark::of(founding);
        Self {
            members: (0..members).map(|at| Watched::new(at, shadow.clone())).collect(),
            leaders: BTreeMap::new(),
            entries: HashMap::from([((1, founding.term.0), (mark.hash, Term(0)))]),
            committed: vec![Committed { mark, by: founding.term }],
            states: HashMap::new(),
            requests: HashMap::new(),
        }
    }

    /// How many entries are committed.
    #[must_use]
    pub fn committed(&self) -> u64 {
        self.committed.len() as u64
    }

    /// How many terms had a leader.
    #[must_use]
    pub fn terms_led(&self) -> u64 {
        self.leaders.len() as u64
    }

    /// A member came back with this log.
    pub fn on_start(&mut self, at: usize, back: Shadow) -> Check {
        self.members[at].on_start(back)
    }

    /// A member asked for a write. Returns how many entries it replaces.
    pub fn on_write(&mut self, at: usize, write: &Write, turn: &Turn) -> Result<usize, Violation> {
        let change = Change::of(write);
        let before = change.first.0.checked_sub(1).map(Index);
        let mut prev = before.and_then(|index| self.members[at].requested.term_at(index));
        for (index, mark) in (change.first.0..).zip(&change.marks) {
            self.match_log(at, index, *mark, prev)?;
            prev = Some(mark.term);
        }
        if let Some(discard) = write.discard {
            self.check_snapshot(at, discard)?;
        }
        let replaced = self.members[at].on_write(change);
        if turn.led() && replaced > 0 {
            let what = format!(
                "n{} leads term {} and replaced its own entries: {write}",
                at + 1,
                turn.after.term
            );
            return Violation::of(Invariant::LeaderAppendOnly, what);
        }
        Ok(replaced)
    }

    /// All writes up to `number` are said to be durable; `disk` tells whether it is so.
    pub fn on_receipt(&mut self, at: usize, number: u64, disk: bool) -> Check {
        self.members[at].on_receipt(number, disk)
    }

    /// A message leaves.
    pub fn on_send(&self, at: usize, envelope: &Envelope) -> Check {
        self.members[at].on_send(envelope)
    }

    /// A turn of consensus is over; its writes were shown already.
    pub fn on_turn(&mut self, at: usize, turn: &Turn) -> Check {
        self.members[at].on_turn(turn)?;
        if turn.was_elected() {
            self.on_election(at, turn.after.term)?;
        }
        if turn.after.commit > turn.before.commit {
            self.on_commit(at, turn)?;
        }
        Ok(())
    }

    /// A snapshot took the place of a store.
    pub fn on_install(&mut self, at: usize, snapshot: LogId) -> Check {
        self.check_snapshot(at, snapshot)?;
        self.members[at].on_install(snapshot.index)
    }

    /// What takes the place of a log, or of a store, was committed.
    fn check_snapshot(&self, at: usize, snapshot: LogId) -> Check {
        let known = self.committed.get(snapshot.index.0 as usize - 1);
        if known.is_some_and(|committed| committed.mark.term == snapshot.term) {
            return Ok(());
        }
        let what = format!("n{} goes on behind {snapshot}, which nobody committed", at + 1);
        Violation::of(Invariant::StateMachineSafety, what)
    }

    /// An entry reaches a store.
    pub fn on_apply(&mut self, at: usize, entry: &Entry) -> Check {
        let n = at + 1;
        self.members[at].on_apply(entry)?;
        self.check_once(n, entry)?;
        match self.committed.get(entry.index.0 as usize - 1) {
            None => {
                let what = format!("n{n} applies {entry}, which nobody committed");
                Violation::of(Invariant::AppliedIsCommitted, what)
            }
            Some(committed) if committed.mark != Mark::of(entry) => {
                let right = committed.mark.term;
                let what = format!("n{n} applies {entry} where term {right} was committed");
                Violation::of(Invariant::StateMachineSafety, what)
            }
            Some(_) => Ok(()),
        }
    }

    /// A store has applied up to `index`.
    pub fn on_state(&mut self, at: usize, index: Index, state: State) -> Check {
        self.members[at].on_revision(state.revision)?;
        self.compare(at, index, state, Invariant::ReplicaEquality)
    }

    /// A store was loaded from its durable copy, or from a snapshot: it must be what every store
    /// was at that index. Its revision above all: one that was handed out is never handed out
    /// again.
    pub fn on_load(&mut self, at: usize, index: Index, state: State) -> Check {
        let known = self.states.get(&index.0);
        if known.is_some_and(|known| known.revision != state.revision) {
            return self.compare(at, index, state, Invariant::RevisionMonotonicity);
        }
        self.compare(at, index, state, Invariant::ReplicaEquality)
    }

    fn compare(&mut self, at: usize, index: Index, state: State, breaks: Invariant) -> Check {
        let known = *self.states.entry(index.0).or_insert(state);
        if known == state {
            return Ok(());
        }
        let n = at + 1;
        let what =
            format!("n{n} at entry {index}: {state}; another member, or its log, had {known}");
        Violation::of(breaks, what)
    }

    fn check_once(&mut self, n: usize, entry: &Entry) -> Check {
        let Some(id) = requester_of(&entry.command) else { return Ok(()) };
        let place = *self.requests.entry(id).or_insert(entry.index);
        if place != entry.index {
            let what = format!("n{n} applies {entry}, and {place} was the same request");
            return Violation::of(Invariant::AppliedOnce, what);
        }
        Ok(())
    }

    /// By induction over the entries, it is enough to compare each with the one before it.
    fn match_log(&mut self, at: usize, index: u64, mark: Mark, prev: Option<Term>) -> Check {
        let prev = prev.unwrap_or_default();
        let known = *self.entries.entry((index, mark.term.0)).or_insert((mark.hash, prev));
        if known == (mark.hash, prev) {
            return Ok(());
        }
        let content = if known.0 == mark.hash { "equal" } else { "other" };
        let what = format!(
            "n{}: entry {index}@{} follows term {prev}; elsewhere it follows term {} with {content} \
             content",
            at + 1,
            mark.term,
            known.1
        );
        Violation::of(Invariant::LogMatching, what)
    }

    fn on_election(&mut self, at: usize, term: Term) -> Check {
        let n = at + 1;
        let leader = *self.leaders.entry(term).or_insert(at);
        if leader != at {
            let what = format!("n{n} leads term {term}, and so does n{}", leader + 1);
            return Violation::of(Invariant::ElectionSafety, what);
        }
        if self.members[at].durable_vote(term) != Some(NodeId(n as u64)) {
            let what = format!("n{n} leads term {term} and its own vote is not durable");
            return Violation::of(Invariant::Durability, what);
        }
        let earlier = self.committed.partition_point(|entry| entry.by < term);
        let Some(last) = earlier.checked_sub(1) else { return Ok(()) };
        let (index, entry) = (Index(earlier as u64), self.committed[last]);
        if !self.members[at].requested.covers(index, entry.mark.term) {
            let what = format!(
                "n{n} leads term {term} without entry {index}@{}, committed in term {}",
                entry.mark.term, entry.by
            );
            return Violation::of(Invariant::LeaderCompleteness, what);
        }
        Ok(())
    }

    fn on_commit(&mut self, at: usize, turn: &Turn) -> Check {
        let commit = turn.after.commit;
        if turn.led() {
            self.check_commit_rule(at, commit, turn.after.term)?;
        }
        let first = turn.before.commit.next().0.max(self.members[at].requested.base.index.0 + 1);
        for index in (first..=commit.0).map(Index) {
            let Some(mark) = self.members[at].requested.at(index) else {
                let what = format!("n{} commits {index}, which its log does not hold", at + 1);
                return Violation::of(Invariant::AppliedIsCommitted, what);
            };
            self.commit(at, index, mark, turn.after.term)?;
        }
        Ok(())
    }

    fn check_commit_rule(&self, at: usize, commit: Index, term: Term) -> Check {
        let own = self.members[at].requested.term_at(commit);
        if own != Some(term) {
            let own = own.unwrap_or_default();
            let what = format!("n{} leads term {term} and commits entry {commit}@{own}", at + 1);
            return Violation::of(Invariant::CommitRule, what);
        }
        Ok(())
    }

    fn commit(&mut self, at: usize, index: Index, mark: Mark, by: Term) -> Check {
        if let Some(known) = self.committed.get(index.0 as usize - 1) {
            if known.mark == mark {
                return Ok(());
            }
            let what = format!(
                "n{} commits {index}@{} where {index}@{} was committed",
                at + 1,
                mark.term,
                known.mark.term
            );
            return Violation::of(Invariant::StateMachineSafety, what);
        }
        self.committed.push(Committed { mark, by });
        self.check_quorum(index, mark.term)
    }

    /// What is committed for the first time is on the disks of a majority at that moment.
    fn check_quorum(&self, index: Index, term: Term) -> Check {
        let holders = self.members.iter().filter(|member| member.durable.covers(index, term));
        let (holders, members) = (holders.count(), self.members.len());
        if holders > members / 2 {
            return Ok(());
        }
        let what = format!(
            "entry {index}@{term} counts as committed; {holders} of {members} disks hold it"
        );
        Violation::of(Invariant::Durability, what)
    }
}
