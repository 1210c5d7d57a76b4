//! What a run is judged by, and what comes out of it.
//!
//! Not here: how each invariant is watched (`oracle.rs` on line, `judge.rs` on the history,
//! `world/liveness.rs` after the faults).

use std::fmt;

use quorate_checks::explain::Explanation;
use quorate_checks::history::History;

use crate::clock::Micros;
use crate::counters::Counters;
use crate::judge;
use crate::plan::Plan;

macro_rules! invariants {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// What must hold in every run.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Invariant {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Invariant {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name in reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

invariants! {
    /// At most one member leads a term (Raft paper, figure 3).
    ElectionSafety = "election safety",
    /// A leader never replaces or removes entries of its own log.
    LeaderAppendOnly = "leader append-only",
    /// Two logs that share an entry share all before it.
    LogMatching = "log matching",
    /// A later leader has every committed entry.
    LeaderCompleteness = "leader completeness",
    /// A leader commits by counting only up to an entry of its own term (§5.4.2).
    CommitRule = "commit of own term only",
    /// Members apply the same entry at the same index.
    StateMachineSafety = "state-machine safety",
    /// Terms, votes in a term, commit and applied index never go back in a member's life.
    NoRegress = "no regress",
    /// Nothing is told or counted before it is durable, and nothing durable is forgotten.
    Durability = "nothing acknowledged before it is durable",
    /// Nothing is applied before it is committed, nor out of order.
    AppliedIsCommitted = "applied is committed",
    /// No request is applied twice, however the network repeats it.
    AppliedOnce = "applied once",
    /// Members that applied the same index have the same state.
    ReplicaEquality = "replica equality",
    /// The revision never goes back.
    RevisionMonotonicity = "revision monotonicity",
    /// What clients saw has an order that explains it.
    Linearizability = "linearizability",
    /// A watcher is told first that it exists (WA-2).
    WatchCreated = "watch created",
    /// A watcher is told only of what it asked for.
    WatchFilter = "watch filter",
    /// A watcher is told in the order of revisions.
    WatchOrdered = "watch ordered",
    /// A watcher is told nothing twice.
    WatchUnique = "watch unique",
    /// A watcher is told of all of a revision together.
    WatchAtomic = "watch atomic",
    /// A progress message promises nothing that is still to come.
    WatchBookmarkable = "watch bookmarkable",
    /// A watcher that begins at a revision is told of everything from there on.
    WatchResumable = "watch resumable",
    /// A watcher is told of everything between two things that it is told of.
    WatchReliable = "watch reliable",
    /// A watcher is told when a key's life begins.
    WatchIsCreate = "watch is-create",
    /// The pair before a change is the pair before.
    WatchPrevKv = "watch prev-kv",
    /// What a watcher is told is what happened.
    WatchContent = "watch content",
    /// Messages are cut for those who ask for it, and say so.
    WatchFragment = "watch fragment",
    /// A watcher that has ended is told nothing more, and ends only when it may.
    WatchCancel = "watch cancel",
    /// A watcher that compaction overtook is told so.
    WatchCompaction = "watch compaction",
    /// A lease does not end before its time (K3).
    LeaseLives = "lease lives for its time",
    /// A lease that has ended is not renewed (K3).
    LeaseStaysDead = "dead lease is not renewed",
    /// A lease that nobody renews ends in bounded time (K4).
    LeaseEnds = "lease ends",
    /// The keys of a lease that has ended are gone (K5).
    LeaseTakesKeys = "keys of a dead lease are gone",
    /// The end of a lease takes no other keys (K5).
    LeaseSparesKeys = "other keys stay",
    /// A member starts after any crash.
    MemberMustStart = "a member must start after any crash",
    /// No assertion fails, and nothing else panics.
    Assertion = "assertion",
    /// When the faults are over, there is a leader and everybody is answered.
    Liveness = "liveness",
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An invariant that does not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// What was seen, and what would be right.
    pub what: String,
}

impl Violation {
    /// Shorthand for a failed check.
    pub(crate) fn of<T>(invariant: Invariant, what: String) -> Result<T, Self> {
        Err(Self { invariant, what })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}

impl Outcome {
    /// What is wrong with what the clients saw, if that is what is wrong.
    #[must_use]
    pub fn explanation(&self, plan: &Plan) -> Option<Explanation> {
        let broken = self.verdict.as_ref().err()?.invariant;
        judge::explain(self.history.as_ref()?, plan, broken)
    }
}

/// What came out of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Whether everything held.
    pub verdict: Result<(), Violation>,
    /// What the clients saw.
    pub history: Option<History>,
    /// What happened how often.
    pub counters: Counters,
    /// Stands for every event of the run.
    pub hash: u64,
    /// How many events were recorded.
    pub lines: u64,
    /// How long the run was in the cluster's time.
    pub simulated: Micros,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.counters)?;
        match &self.verdict {
            Ok(()) => writeln!(f, "verdict: everything held")?,
            Err(violation) => writeln!(f, "verdict: VIOLATION of {violation}")?,
        }
        write!(f, "hash: {:016x}", self.hash)
    }
}
