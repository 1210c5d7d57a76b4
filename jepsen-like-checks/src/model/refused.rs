//! Why a request must be refused, in etcd's words.
//!
//! Not here: refusals whose reason is not the state of the store, like a lack of space or of a
//! leader. The judges take those as they come.

use std::fmt;

/// Why a request must be refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// A key of length zero.
    EmptyKey,
    /// A read above the current revision, or a compaction there.
    FutureRevision,
    /// A read below the compaction mark, or a compaction not above it.
    Compacted,
    /// A put that keeps what is not there.
    KeyNotFound,
    /// A put that keeps the old value and brings one.
    ValueProvided,
    /// A put that keeps the old lease and brings one.
    LeaseProvided,
    /// A lease that is not alive.
    LeaseNotFound,
    /// A grant with the id of a lease that is alive.
    LeaseExists,
    /// A grant for longer than 9,000,000,000 s.
    TtlTooLarge,
    /// A transaction that changes a key twice (TX-8).
    DuplicateKey,
}

impl Refused {
    /// The text that etcd gives.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::EmptyKey => "etcdserver: key is not provided",
            Self::FutureRevision => "etcdserver: mvcc: required revision is a future revision",
            Self::Compacted => "etcdserver: mvcc: required revision has been compacted",
            Self::KeyNotFound => "etcdserver: key not found",
            Self::ValueProvided => "etcdserver: value is provided",
            Self::LeaseProvided => "etcdserver: lease is provided",
            Self::LeaseNotFound => "etcdserver: requested lease not found",
            Self::LeaseExists => "etcdserver: lease already exists",
            Self::TtlTooLarge => "etcdserver: too large lease TTL",
            Self::DuplicateKey => "etcdserver: duplicate key given in txn request",
        }
    }

    /// The reason with this text.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        const ALL: [Refused; 10] = [
            Refused::EmptyKey,
            Refused::FutureRevision,
            Refused::Compacted,
            Refused::KeyNotFound,
            Refused::ValueProvided,
            Refused::LeaseProvided,
            Refused::LeaseNotFound,
            Refused::LeaseExists,
            Refused::TtlTooLarge,
            Refused::DuplicateKey,
        ];
        ALL.into_iter().find(|reason| reason.text() == text)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
