//! What a run is judged by, and what comes out of it.
//!
//! Not here: how each invariant is watched (`oracle.rs` on line, `judge.rs` on the history,
//! `world/liveness.rs` after the faults).

use std::fmt;

use quorate_checks::history::History;

use crate::clock::Micros;
use crate::counters::Counters;

/// What must hold in every run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Invariant {
    /// At most one member leads a term (Raft paper, figure 3).
    ElectionSafety,
    /// A leader never replaces or removes entries of its own log.
    LeaderAppendOnly,
    /// Two logs that share an entry share all before it.
    LogMatching,
    /// A later leader has every committed entry.
    LeaderCompleteness,
    /// A leader commits by counting only up to an entry of its own term (§5.4.2).
    CommitRule,
    /// Members apply the same entry at the same index.
    StateMachineSafety,
    /// Terms, votes in a term, commit and applied index never go back in a member's life.
    NoRegress,
    /// Nothing is told or counted before it is durable, and nothing durable is forgotten.
    Durability,
    /// Nothing is applied before it is committed, nor out of order.
    AppliedIsCommitted,
    /// No request is applied twice, however the network repeats it.
    AppliedOnce,
    /// Members that applied the same index have the same state.
    ReplicaEquality,
    /// The revision never goes back.
    RevisionMonotonicity,
    /// What clients saw has an order that explains it.
    Linearizability,
    /// A member starts after any crash.
    MemberMustStart,
    /// No assertion fails, and nothing else panics.
    Assertion,
    /// When the faults are over, there is a leader and everybody is answered.
    Liveness,
}

impl Invariant {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ElectionSafety => "election safety",
            Self::LeaderAppendOnly => "leader append-only",
            Self::LogMatching => "log matching",
            Self::LeaderCompleteness => "leader completeness",
            Self::CommitRule => "commit of own term only",
            Self::StateMachineSafety => "state-machine safety",
            Self::NoRegress => "no regress",
            Self::Durability => "nothing acknowledged before it is durable",
            Self::AppliedIsCommitted => "applied is committed",
            Self::AppliedOnce => "applied once",
            Self::ReplicaEquality => "replica equality",
            Self::RevisionMonotonicity => "revision monotonicity",
            Self::Linearizability => "linearizability",
            Self::MemberMustStart => "a member must start after any crash",
            Self::Assertion => "assertion",
            Self::Liveness => "liveness",
        }
    }
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
