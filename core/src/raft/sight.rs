//! What the world outside knows of a node: how it is set up, what it starts from, what it shows.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::fmt;

use super::Entry;
use crate::planted::Bug;
use crate::types::{HardState, Index, LeaseCounts, LogId, NodeId, Term, Ticks};

/// How a node keeps time and who votes with it.
#[derive(Clone, Debug)]
pub struct Config {
    /// This node.
    pub id: NodeId,
    /// All voters, this node included.
    pub voters: BTreeSet<NodeId>,
    /// Between two heartbeats of a leader.
    pub heartbeat: Ticks,
    /// Silence after which a follower may campaign; randomised up to twice as much.
    pub election: Ticks,
    /// Entries to gather before the log's head is discarded.
    pub discard_batch: u64,
    /// Applied entries that stay in the log for followers that are behind.
    pub kept_tail: u64,
    /// Bytes of commands under way to one peer, at most; a single append always goes.
    pub window: usize,
    /// Bytes of the log that stay for a peer that gets a snapshot or catches up behind one, at
    /// least; as many as the snapshot has if that is more.
    pub arrears: usize,
    /// Decides the randomised timeouts.
    pub seed: u64,
    /// The bug that is planted, if any.
    pub planted: Option<Bug>,
}

/// What a restart read back.
#[derive(Clone, Debug)]
pub struct Start {
    /// The hard state.
    pub hard: HardState,
    /// The entry before the first one kept.
    pub base: LogId,
    /// The entries.
    pub entries: Vec<Entry>,
    /// The last entry in the store.
    pub applied: LogId,
}

/// The name of a role.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RoleKind {
    /// Follows a leader, or waits for one.
    Follower,
    /// Asks whether it could win.
    PreCandidate,
    /// Asks for votes.
    Candidate,
    /// Leads.
    Leader,
}

/// What invariants and metrics may look at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct View {
    /// The term.
    pub term: Term,
    /// The vote in that term.
    pub vote: Option<NodeId>,
    /// The role.
    pub role: RoleKind,
    /// The leader of the term, if known.
    pub leader: Option<NodeId>,
    /// The commit index.
    pub commit: Index,
    /// The last applied entry that the store told of.
    pub applied: Index,
    /// The entry before the first one kept.
    pub base: LogId,
    /// Where the log ends.
    pub last: LogId,
    /// The last entry on disk.
    pub durable: Index,
    /// Requests of this member's clients that wait for an answer.
    pub pending: usize,
    /// What this member did for leases.
    pub leases: LeaseCounts,
}

impl fmt::Display for RoleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Follower => "follower",
            Self::PreCandidate => "pre-candidate",
            Self::Candidate => "candidate",
            Self::Leader => "leader",
        })
    }
}
