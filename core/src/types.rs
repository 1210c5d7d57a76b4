//! A newtype per quantity, so that a term can never be taken for an index.
//!
//! All of them print the way traces and logs show them: ids in lower-case hex
//! without leading zeros (as etcd does), a log position as `index@term`.

use core::fmt;

/// One Raft node, which is one cluster member. The number is etcd's member id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct NodeId(pub u64);

/// One cluster, fixed when it is founded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct ClusterId(pub u64);

/// An election round (Raft paper §5.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Term(pub u64);

/// A position in the log, counted from 1; 0 is the place before the first entry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Index(pub u64);

/// A span of time in units of 10 ms, as counted by the driver's clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Ticks(pub u64);

/// The identity of one log entry: no two entries share index and term (Raft §5.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct LogId {
    /// Position in the log.
    pub index: Index,
    /// Term of the leader that created it.
    pub term: Term,
}

/// Names one client request for ever: which member took it, in which of its lives, and its count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct RequestId {
    /// The member that the client talked to.
    pub member: NodeId,
    /// The life of that member: unique for each start of its process.
    pub boot: u64,
    /// Counts the requests of that life from 1.
    pub n: u64,
}

/// One lease. Clients may choose any number but 0, negative ones too (semantics LE-1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct LeaseId(pub i64);

/// A span of time as the API counts it: a lease's TTL.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Seconds(pub i64);

/// How long a lease that exists was granted for, and how long it lasts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeaseLife {
    /// Its TTL.
    pub granted: Seconds,
    /// What is left, rounded down; 0 if it is over and only not gone yet.
    pub left: Seconds,
}

/// What a member did for leases as their leader, since it started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LeaseCounts {
    /// Renewals.
    pub renewed: u64,
    /// Leases whose time was over, and which ended.
    pub expired: u64,
}

/// What a restart must read back and no one may be told before it is durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HardState {
    /// The newest term this node has seen.
    pub term: Term,
    /// Whom it voted for in that term.
    pub vote: Option<NodeId>,
}

impl Term {
    /// The next election round.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl Index {
    /// The position behind this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The position before this one; the place before the log has none.
    #[must_use]
    pub fn prev(self) -> Self {
        assert!(self.0 > 0, "index 0 has no predecessor");
        Self(self.0 - 1)
    }
}

impl LogId {
    /// Whether a log that ends here is at least as up to date as one ending at `other`
    /// (Raft §5.4.1: the later term wins, then the longer log).
    #[must_use]
    pub fn is_as_recent_as(self, other: Self) -> bool {
        (self.term, self.index) >= (other.term, other.index)
    }
}

impl Ticks {
    /// The number of ticks in a span of milliseconds, rounded up.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.div_ceil(10))
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Ticks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}0ms", self.0)
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.index, self.term)
    }
}

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0)
    }
}

impl fmt::Display for LeaseLife {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.left, self.granted)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:x}.{}", self.member, self.boot, self.n)
    }
}

impl fmt::Display for HardState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.vote {
            Some(vote) => write!(f, "term={} vote={vote}", self.term),
            None => write!(f, "term={} vote=-", self.term),
        }
    }
}
