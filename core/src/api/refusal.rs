//! Why a client does not get what it asked for.
//!
//! Two kinds, and they must never be mixed up. A *refusal* is part of the replicated result: every
//! member answers the same, and the request has surely changed nothing. *Unavailable* is the answer
//! of one member at one moment; unless it says otherwise, the request may still take effect.
//!
//! Codes and texts are etcd's to the letter, since clients compare them (`errors.tsv`).

use core::fmt;

/// gRPC status codes, as far as they are used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Code {
    /// 3
    InvalidArgument,
    /// 4
    DeadlineExceeded,
    /// 5
    NotFound,
    /// 2
    Unknown,
    /// 9
    FailedPrecondition,
    /// 11
    OutOfRange,
    /// 14
    Unavailable,
}

/// A request that had no effect, on any member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// A key of length zero.
    EmptyKey,
    /// `ignore_value` or `ignore_lease` on a key that does not exist.
    KeyNotFound,
    /// `ignore_value` together with a value.
    ValueProvided,
    /// `ignore_lease` together with a lease.
    LeaseProvided,
    /// Sort order or target outside the enum.
    InvalidSortOption,
    /// A read below the compact revision.
    Compacted,
    /// A read above the current revision.
    FutureRevision,
    /// A put that names a lease that does not exist.
    LeaseNotFound,
    /// The encoded command is over `max-request-bytes`.
    TooLarge,
    /// A transaction that would change a key twice (TX-8).
    DuplicateKey,
    /// A transaction with too many compares or operations (TX-9).
    TooManyOps,
    /// A grant that names a lease that exists.
    LeaseExists,
    /// A grant with a TTL of more than 9,000,000,000 s.
    LeaseTtlTooLarge,
}

/// What one member cannot do at this moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unavailable {
    /// Not answered in time. A write may still take effect.
    Timeout,
    /// Not answered in time, and the leader changed meanwhile. A write may still take effect.
    TimeoutLeaderLost,
    /// No leader was known all the while: the request never left this member.
    NeverProposed,
    /// No leader was known to be asked about a lease (LE-10).
    NoLeader,
    /// A read was waiting when leadership changed.
    LeaderChanged,
    /// Too many committed entries wait to be applied; the request was not proposed.
    TooManyRequests,
    /// The member is shutting down. A write may still take effect.
    Stopped,
    /// Only the leader can do this.
    NotLeader,
    /// No member that could lead has this id.
    BadTransferee,
    /// Another member was asked to lead, and did not come to lead in time.
    HandoverTimeout,
    /// No other member is in touch that could lead instead.
    Unhealthy,
}

/// Either of the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// Equal on every member; no effect.
    Refused(Refusal),
    /// This member, at this moment.
    Unavailable(Unavailable),
}

impl Refusal {
    /// The gRPC code and the exact text.
    #[must_use]
    pub const fn status(self) -> (Code, &'static str) {
        match self {
            Self::EmptyKey => (Code::InvalidArgument, "etcdserver: key is not provided"),
            Self::KeyNotFound => (Code::InvalidArgument, "etcdserver: key not found"),
            Self::ValueProvided => (Code::InvalidArgument, "etcdserver: value is provided"),
            Self::LeaseProvided => (Code::InvalidArgument, "etcdserver: lease is provided"),
            Self::InvalidSortOption => (Code::InvalidArgument, "etcdserver: invalid sort option"),
            Self::Compacted => {
                (Code::OutOfRange, "etcdserver: mvcc: required revision has been compacted")
            }
            Self::FutureRevision => {
                (Code::OutOfRange, "etcdserver: mvcc: required revision is a future revision")
            }
            Self::LeaseNotFound => (Code::NotFound, "etcdserver: requested lease not found"),
            Self::TooLarge => (Code::InvalidArgument, "etcdserver: request is too large"),
            Self::DuplicateKey => {
                (Code::InvalidArgument, "etcdserver: duplicate key given in txn request")
            }
            Self::TooManyOps => {
                (Code::InvalidArgument, "etcdserver: too many operations in txn request")
            }
            Self::LeaseExists => (Code::FailedPrecondition, "etcdserver: lease already exists"),
            Self::LeaseTtlTooLarge => (Code::OutOfRange, "etcdserver: too large lease TTL"),
        }
    }
}

impl Unavailable {
    /// The gRPC code and the exact text.
    #[must_use]
    pub const fn status(self) -> (Code, &'static str) {
        match self {
            Self::Timeout => (Code::Unavailable, "etcdserver: request timed out"),
            Self::TimeoutLeaderLost => (
                Code::Unavailable,
                "etcdserver: request timed out, possibly due to previous leader failure",
            ),
            Self::NeverProposed => (Code::DeadlineExceeded, "context deadline exceeded"),
            Self::NoLeader => (Code::Unavailable, "etcdserver: no leader"),
            Self::LeaderChanged => (Code::Unavailable, "etcdserver: leader changed"),
            // The table of etcd says ResourceExhausted; its servers really answer Unknown.
            Self::TooManyRequests => (Code::Unknown, "etcdserver: too many requests"),
            Self::Stopped => (Code::Unavailable, "etcdserver: server stopped"),
            Self::NotLeader => (Code::FailedPrecondition, "etcdserver: not leader"),
            Self::BadTransferee => (Code::FailedPrecondition, "etcdserver: bad leader transferee"),
            // Missing in etcd's table, and so Unknown.
            Self::HandoverTimeout => {
                (Code::Unknown, "etcdserver: request timed out, leader transfer took too long")
            }
            Self::Unhealthy => (Code::Unavailable, "etcdserver: unhealthy cluster"),
        }
    }

    /// Whether a write that got this answer has surely had no effect.
    #[must_use]
    pub const fn surely_without_effect(self) -> bool {
        match self {
            Self::NeverProposed
            | Self::TooManyRequests
            | Self::NotLeader
            | Self::BadTransferee
            | Self::Unhealthy => true,
            Self::Timeout
            | Self::TimeoutLeaderLost
            | Self::NoLeader
            | Self::LeaderChanged
            | Self::Stopped
            | Self::HandoverTimeout => false,
        }
    }
}

impl Failure {
    /// The gRPC code and the exact text.
    #[must_use]
    pub const fn status(self) -> (Code, &'static str) {
        match self {
            Self::Refused(refusal) => refusal.status(),
            Self::Unavailable(unavailable) => unavailable.status(),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Unavailable> for Failure {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.status().1)
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.status().1)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.status().1)
    }
}
