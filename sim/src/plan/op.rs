//! What clients ask, as data.
//!
//! ```text
//!   put k1 size 24 lease l3 prev             txn if mod k1 = seen then put k1 size 8 else range k1 end
//!   delete k1..k4                            compact tombstone
//!   range k0.. limit 3 back 2                grant l3 ttl 2     keep l3 every 300ms times 8
//!   watch s1 k0.. from back 2 prev           move-leader 2
//! ```
//! A plan cannot know which revisions a run comes to, nor what a client has seen by then. So it
//! says "two before the newest that I saw" ([`Point`]) and "as I saw it last" ([`Operand::Seen`]),
//! and the client puts the number in when it asks.
//!
//! Not here: the text (`text/op.rs`), which requests a seed draws (`draw/ops.rs`), the messages of
//! the API that they become (`world/clients/call.rs`).

use super::words;
use crate::clock::Micros;

/// A client's operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Op {
    /// Its number, for ever. A put writes it.
    pub number: u32,
    /// Who asks, counted from 0.
    pub client: u8,
    /// How long the client waits after the answer before.
    pub think: Micros,
    /// What it asks.
    pub request: Request,
}

/// What a client asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// Write a pair.
    Put(Put),
    /// Delete keys.
    Delete(Delete),
    /// Read keys.
    Range(Range),
    /// Do several things at once, if something holds.
    Txn(Txn),
    /// Forget what was overwritten up to a revision.
    Compact {
        /// Up to where.
        at: Point,
        /// Whether to answer only when the removal is finished.
        physical: bool,
    },
    /// Ask for a lease.
    Grant {
        /// Its id.
        lease: Lease,
        /// Its time to live, in seconds.
        ttl: i64,
    },
    /// End a lease.
    Revoke(Lease),
    /// Renew a lease once, and wait for the answer.
    KeepAlive(Lease),
    /// Renew a lease again and again, beside whatever else the client does.
    Keep {
        /// Which.
        lease: Lease,
        /// From one answer to the next question.
        every: Micros,
        /// How often.
        times: u32,
    },
    /// Ask how long a lease still lives.
    TimeToLive {
        /// Which.
        lease: Lease,
        /// Whether the attached keys are wanted.
        keys: bool,
    },
    /// Ask for all leases.
    Leases,
    /// Begin to watch. The client goes on at once; the stream is opened if it is not.
    Watch(Watch),
    /// Let a watcher go: the one that this operation began.
    Cancel(u32),
    /// Ask a stream how far it has come.
    Progress(Stream),
    /// Read a stream at another pace: this long from one message to the next.
    Pace(Stream, Micros),
    /// Drop a stream with all its watchers.
    Close(Stream),
    /// Let the leader hand its office to this member, counted from 1.
    MoveLeader(u8),
}

/// A write of one pair: the operation's number, padded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Put {
    /// Which key.
    pub key: u8,
    /// Bytes of the value; none keeps the value that is there.
    pub size: Option<u32>,
    /// What becomes of the key's lease.
    pub tie: Tie,
    /// Whether the answer shows the pair before.
    pub prev: bool,
}

/// What a put makes of its key's lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tie {
    /// The key has none.
    Loose,
    /// The key lives as long as this one.
    To(Lease),
    /// It stays as it is.
    Kept,
}

/// A removal of keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delete {
    /// Which.
    pub keys: Keys,
    /// Whether the answer shows the pairs before.
    pub prev: bool,
}

/// A read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Range {
    /// Which keys.
    pub keys: Keys,
    /// At most so many pairs; 0 is no limit.
    pub limit: u32,
    /// The revision to read at; none reads now.
    pub at: Option<Point>,
    /// Whether the member may answer from what it has.
    pub serializable: bool,
    /// Whether the answer is not to show everything.
    pub only: Option<Only>,
}

/// Several things at once.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Txn {
    /// What must hold, all of it.
    pub compares: Vec<Compare>,
    /// What is done if so.
    pub success: Vec<Step>,
    /// What is done if not.
    pub failure: Vec<Step>,
}

/// One operation of a transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// A write.
    Put(Put),
    /// A removal.
    Delete(Delete),
    /// A read.
    Range(Range),
    /// A transaction inside.
    Txn(Txn),
}

/// One condition of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Compare {
    /// What is looked at,
    pub aspect: Aspect,
    /// of which keys,
    pub keys: Keys,
    /// and how it must stand
    pub relation: Relation,
    /// to what.
    pub operand: Operand,
}

/// What a condition compares with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operand {
    /// This number; for values, what an operation of this number writes.
    Number(i64),
    /// What the client saw of the first key last, and so much more.
    Seen(i64),
}

/// A revision, told by what the client has seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Point {
    /// So many before the newest that this client saw.
    Back(u32),
    /// So many behind the newest that this client saw.
    Ahead(u32),
    /// So many before the newest removal that any client saw.
    Tombstone(u32),
    /// So many before the newest compaction that any client was told of.
    Mark(u32),
}

/// A lease by name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Lease {
    /// The one of this id.
    Id(i64),
    /// The member chooses the id of a new one; else the last one that this client was granted so.
    Own,
}

/// What to watch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Watch {
    /// The stream that carries it.
    pub stream: Stream,
    /// Which keys.
    pub keys: Keys,
    /// The first revision of interest; none begins now.
    pub from: Option<Point>,
    /// The id to use; none lets the member choose.
    pub id: Option<i64>,
    /// What is of no interest.
    pub without: Option<Filter>,
    /// Whether pairs as they were before are wanted.
    pub prev: bool,
    /// Whether large messages may be cut.
    pub fragment: bool,
    /// Whether quiet times are to be filled.
    pub progress: bool,
}

/// A stream of watchers, by its client's own count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Stream(pub u8);

/// Neighbouring keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keys {
    /// One key.
    One(u8),
    /// From the first to before the second.
    Span(u8, u8),
    /// From this one on.
    From(u8),
}

words! {
    /// What a read leaves out.
    Only {
        /// The values.
        Keys = "keys-only",
        /// The pairs.
        Count = "count-only",
    }
}

words! {
    /// What a watcher leaves out.
    Filter {
        /// Writes.
        Puts = "no-put",
        /// Removals.
        Deletes = "no-delete",
        /// Both.
        Both = "no-event",
    }
}

words! {
    /// What a condition looks at.
    Aspect {
        /// How often the key was written in this life of it.
        Version = "version",
        /// The revision at which its life began.
        Create = "create",
        /// The revision at which it was written last.
        Mod = "mod",
        /// What it holds.
        Value = "value",
        /// Its lease.
        Lease = "lease",
    }
}

words! {
    /// How two things stand to each other.
    Relation {
        /// The same.
        Equal = "=",
        /// More.
        Greater = ">",
        /// Less.
        Less = "<",
        /// Not the same.
        NotEqual = "!=",
    }
}

impl Keys {
    /// The first key that may be among them.
    #[must_use]
    pub const fn first(self) -> u8 {
        match self {
            Self::One(key) | Self::Span(key, _) | Self::From(key) => key,
        }
    }
}
