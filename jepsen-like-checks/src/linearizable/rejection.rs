//! Why a history is illegal: which operations contradict which, and in what.
//!
//! A rejection holds two facts that cannot both be true, and the operations that vouch for them. It
//! is data first (tests and shrinkers compare variants and operation numbers) and words second.
//! There are two families: faults of *order* need nothing but times and revisions, faults of
//! *content* come from replaying the writes and looking at what was shown.
//!
//! Not here: the words (`words.rs`).

use std::collections::BTreeSet;

use crate::history::{
    ByteString, ClientId, KeyValue, Lease, LeaseEnd, Micros, OpNumber, Operation, Response,
    Revision,
};
use crate::model::kv::Refused;

/// What vouches for a fact: an operation, or a lease's end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Witness {
    /// The operation's number; a lease's end has none.
    pub number: Option<OpNumber>,
    /// Who asked, if somebody did.
    pub client: Option<ClientId>,
    /// What was asked, in short.
    pub asked: String,
    /// When; for a lease's end, the moment at which it was known.
    pub invoked: Micros,
    /// When the answer came, if one did.
    pub returned: Option<Micros>,
    /// The revision in the answer's header, if one came; for a write without an answer, the one
    /// that it must have had.
    pub revision: Option<Revision>,
}

impl From<&Operation> for Witness {
    fn from(operation: &Operation) -> Self {
        Self {
            number: Some(operation.number),
            client: Some(operation.client),
            asked: operation.request.to_string(),
            invoked: operation.invoked,
            returned: operation.returned(),
            revision: operation.response().map(Response::revision),
        }
    }
}

impl From<&LeaseEnd> for Witness {
    fn from(end: &LeaseEnd) -> Self {
        Self {
            number: None,
            client: None,
            asked: format!("the end of lease {}", end.lease),
            invoked: end.at,
            returned: Some(end.at),
            revision: end.revision,
        }
    }
}

/// Two facts that contradict each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Rejection {
    /// Times and revisions contradict each other.
    Order(OrderFault),
    /// What was shown at a revision is not what was there.
    Content(ContentFault),
    /// However the writes of unknown outcome are placed, some answer contradicts. With their
    /// number, and the contradiction of the placement that got furthest.
    NoPlacement(usize, Box<Rejection>),
    /// No order fits. Of so many operations that must be placed, the longest attempt placed so
    /// many and found no place for this one.
    NoOrder {
        /// Operations that must be placed.
        required: usize,
        /// Operations that the longest attempt placed.
        placed: usize,
        /// The one whose return it could not pass.
        stuck: Witness,
    },
}

/// Times and revisions that contradict each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OrderFault {
    /// A header with a revision below the least that such an answer can have.
    RevisionOutOfRange(Witness, Revision),
    /// An answer where only a refusal is right.
    MustBeRefused(Witness, Refused),
    /// A read was refused as one of the future, when the revision it asked for had been seen.
    UnjustRefusal {
        /// Saw that revision or a newer one, and returned before the read was invoked.
        earlier: Witness,
        /// The refused one.
        read: Witness,
    },
    /// Two writes of one revision.
    DuplicateRevision(Witness, Witness),
    /// A write that was over before another began has the higher revision.
    WriteOrder {
        /// The one that was over.
        earlier: Witness,
        /// The one that began after that.
        later: Witness,
    },
    /// A read answered from a revision below one that was known before it began.
    StaleRead {
        /// Knew the higher revision.
        earlier: Witness,
        /// Was invoked after that one had returned.
        read: Witness,
    },
    /// A read answered from a revision whose write began only after the read was over.
    ReadFromFuture {
        /// The one that was over.
        read: Witness,
        /// The one that began after that.
        write: Witness,
    },
    /// A header below one that its own past had seen.
    RevisionWentBack {
        /// Whose past.
        scope: Scope,
        /// Saw the higher revision.
        earlier: Witness,
        /// Was invoked after that one had returned.
        later: Witness,
    },
    /// A revision was seen, and there is no operation that can have made it.
    NobodyWrote(Revision, Witness),
    /// The responses of a transaction are not those of the operations that it says it ran.
    WrongShape(Witness),
    /// A grant of this lease and time to live, where another one was asked for.
    WrongGrant(Witness, Lease, i64),
    /// A refusal for which there was no reason at any moment of the operation.
    NoReason(Witness, Refused),
    /// Two compactions of which the first has the higher mark, or the same.
    MarkWentBack(Witness, Witness),
    /// A read of a revision that had been given up.
    CompactedRead {
        /// Gave it up.
        compaction: Witness,
        /// Was answered all the same.
        read: Witness,
    },
}

/// Between whose operations a rule of order holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Those of one client.
    Session,
    /// All.
    RealTime,
    /// Those that one endpoint answered.
    Endpoint,
}

/// An answer that is not what the store held.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContentFault {
    /// The operation that was answered so.
    pub op: Witness,
    /// The revision whose state its answer must show.
    pub at: Revision,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// What can be wrong with the content of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Flaw {
    /// A pair that no put of the history wrote.
    NeverWritten(KeyValue),
    /// A pair that only a refused put could have written.
    RefusedWriteSeen(KeyValue, Witness),
    /// It does not show this write, but an older pair or none.
    LostWrite(Witness, Option<KeyValue>),
    /// It shows one pair that was replaced, at this revision, before another pair was written.
    MixedRevisions {
        /// The pair that was replaced.
        older: KeyValue,
        /// When.
        replaced: Revision,
        /// The pair that was written at that revision or later.
        newer: KeyValue,
    },
    /// It shows a pair that is newer than the revision it speaks of.
    NewerThanRevision(KeyValue),
    /// A number in a pair does not add up: its name, what it must be, and the pair.
    WrongAlgebra(&'static str, i64, KeyValue),
    /// What the key held, and what is shown.
    WrongPair(Option<KeyValue>, Option<KeyValue>),
    /// A pair whose key the request does not speak of.
    OutsideRange(KeyValue),
    /// A pair that does not come after the one before it.
    OutOfOrder(KeyValue),
    /// So many pairs where at most so many were asked for.
    TooManyPairs(usize, u64),
    /// How many keys the range held, and how many it is said to hold.
    WrongCount(i64, i64),
    /// Whether the limit cut something off; the answer says the opposite.
    WrongMore(bool),
    /// What the key held before, and what it is said to have held.
    WrongPrevKv(Option<KeyValue>, Option<KeyValue>),
    /// How many keys there were to remove, and how many are said to have been removed.
    WrongDeleted(i64, i64),
    /// Whether the compares of the transaction hold; the answer says the opposite.
    WrongBranch(bool),
    /// The revision that the header of an operation inside a transaction must have, and has.
    WrongHeader(Revision, Revision),
    /// A put that keeps the old value or lease of this key, which held no pair.
    NothingKept(ByteString),
    /// The lease that it needs was not alive.
    DeadLease(Lease),
    /// The lease that it began was alive.
    AliveLease(Lease),
    /// It ended this lease without a trace, or with one, but these keys were attached.
    KeysOfLease(Lease, Vec<ByteString>),
}

impl Rejection {
    /// The numbers of the operations that contradict each other, in order.
    #[must_use]
    pub fn operations(&self) -> Vec<OpNumber> {
        let numbers: BTreeSet<OpNumber> =
            self.witnesses().into_iter().filter_map(|witness| witness.number).collect();
        numbers.into_iter().collect()
    }

    /// What is wrong with what was shown, if that is what is wrong.
    #[must_use]
    pub fn content(&self) -> Option<&ContentFault> {
        match self {
            Self::Content(fault) => Some(fault),
            Self::NoPlacement(_, closest) => closest.content(),
            Self::Order(_) | Self::NoOrder { .. } => None,
        }
    }

    /// What vouches for the two facts.
    #[must_use]
    pub fn witnesses(&self) -> Vec<&Witness> {
        match self {
            Self::Order(fault) => fault.witnesses(),
            Self::Content(fault) => fault.witnesses(),
            Self::NoPlacement(_, closest) => closest.witnesses(),
            Self::NoOrder { stuck, .. } => vec![stuck],
        }
    }
}

impl OrderFault {
    /// What vouches for the two facts, the earlier one first.
    #[must_use]
    pub fn witnesses(&self) -> Vec<&Witness> {
        match self {
            Self::RevisionOutOfRange(op, _)
            | Self::MustBeRefused(op, _)
            | Self::NobodyWrote(_, op)
            | Self::WrongShape(op)
            | Self::WrongGrant(op, ..)
            | Self::NoReason(op, _) => vec![op],
            Self::UnjustRefusal { earlier, read } | Self::StaleRead { earlier, read } => {
                vec![earlier, read]
            }
            Self::CompactedRead { compaction, read } => vec![compaction, read],
            Self::DuplicateRevision(earlier, later)
            | Self::MarkWentBack(earlier, later)
            | Self::WriteOrder { earlier, later }
            | Self::RevisionWentBack { earlier, later, .. } => vec![earlier, later],
            Self::ReadFromFuture { read, write } => vec![read, write],
        }
    }
}

impl ContentFault {
    /// What vouches for the two facts: the answer first.
    #[must_use]
    pub fn witnesses(&self) -> Vec<&Witness> {
        match &self.flaw {
            Flaw::RefusedWriteSeen(_, other) | Flaw::LostWrite(other, _) => vec![&self.op, other],
            Flaw::NeverWritten(_)
            | Flaw::MixedRevisions { .. }
            | Flaw::NewerThanRevision(_)
            | Flaw::WrongAlgebra(..)
            | Flaw::WrongPair(..)
            | Flaw::OutsideRange(_)
            | Flaw::OutOfOrder(_)
            | Flaw::TooManyPairs(..)
            | Flaw::WrongCount(..)
            | Flaw::WrongMore(_)
            | Flaw::WrongPrevKv(..)
            | Flaw::WrongDeleted(..)
            | Flaw::WrongBranch(_)
            | Flaw::WrongHeader(..)
            | Flaw::NothingKept(_)
            | Flaw::DeadLease(_)
            | Flaw::AliveLease(_)
            | Flaw::KeysOfLease(..) => vec![&self.op],
        }
    }
}

impl From<OrderFault> for Box<Rejection> {
    fn from(fault: OrderFault) -> Self {
        Self::new(Rejection::Order(fault))
    }
}

impl From<ContentFault> for Box<Rejection> {
    fn from(fault: ContentFault) -> Self {
        Self::new(Rejection::Content(fault))
    }
}
