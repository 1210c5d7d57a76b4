//! What can happen to the hub, and what it asks for: the same lines in traces and logs.
//!
//! Not here: what it makes of them.

use alloc::vec::Vec;
use core::fmt;

use super::Ask;
use super::message::Message;
use crate::api::Unavailable;
use crate::api::etcdserverpb::WatchCreateRequest;
use crate::store::{Events, Store, Written};
use crate::types::{Term, Ticks};

/// One client's stream. The driver counts them; a number is not used again in a life of a member.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StreamId(pub u64);

/// A watcher's name on its stream, as the client knows it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct WatchId(pub i64);

/// Everything that can happen to the hub.
#[derive(Clone, PartialEq, Debug)]
pub enum WatchInput {
    /// A client opened a stream.
    Open {
        /// Its number.
        stream: StreamId,
        /// Whether it wants to be left when there is no leader for long.
        needs_leader: bool,
    },
    /// The client has gone.
    Close(StreamId),
    /// The store's revision, read under its lock after the `Create`s that follow had come in, and
    /// after everything that was published so far.
    Now(i64),
    /// A client wants a watcher.
    Create(StreamId, WatchCreateRequest),
    /// A client does not want a watcher any more.
    Cancel(StreamId, WatchId),
    /// A client asks how far its stream is.
    Progress(StreamId),
    /// The applier changed the store: whole transactions, in order.
    Published {
        /// The changes, of every revision since the last input of this kind.
        changes: Vec<Written>,
        /// The store's revision behind them.
        revision: i64,
        /// The store's compact mark behind them; 0 if there is none.
        compacted: i64,
    },
    /// The store was replaced by a newer one: what lies between was not published.
    Installed {
        /// Its revision.
        revision: i64,
        /// Its compact mark; 0 if there is none.
        compacted: i64,
    },
    /// The answer to a [`Fetch`].
    History(Past),
    /// The other answer: the store's compact mark, which is above what was asked for.
    Compacted(i64),
    /// A client has read so many bytes of its messages.
    Drained {
        /// The stream.
        stream: StreamId,
        /// Bytes, as [`Message::encoded_len`] counts them.
        bytes: usize,
    },
    /// What consensus knows of a leader.
    Leader {
        /// The term, for headers.
        term: Term,
        /// Whether there is one.
        known: bool,
    },
    /// Time has passed.
    Tick(Ticks),
    /// The member stops.
    Stop,
}

/// Everything that the hub can ask for.
#[derive(Clone, PartialEq, Debug)]
pub enum WatchOutput {
    /// Put this into the stream, behind everything that was put there before.
    Send(StreamId, Message),
    /// End the stream behind everything that was put there. The hub has forgotten it.
    End(StreamId, Ending),
    /// Read the history and hand it in. Asked once at a time.
    Fetch(Fetch),
}

/// A piece of the history.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fetch {
    /// The first revision.
    pub from: i64,
    /// The last revision.
    pub to: i64,
    /// So many changes are enough; but the last revision must be whole, and there must be one.
    pub budget: usize,
}

/// What was read of the history.
#[derive(Clone, PartialEq, Debug)]
pub struct Past {
    /// The first revision that was asked for.
    pub from: i64,
    /// All changes of the revisions `from..=to`, in order.
    pub changes: Vec<Written>,
    /// The last revision that was read.
    pub to: i64,
}

/// Why the server ends a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// The client asked for a leader, and there was none for long (NL-2).
    NoLeader,
    /// The member stops (WA-23).
    Stopped,
}

impl Fetch {
    /// Reads the history of a store.
    #[must_use]
    pub fn read(self, store: &Store) -> WatchInput {
        let Self { from, to, budget } = self;
        match store.events(from, to, budget) {
            Ok(Events { changes, next }) => {
                let to = next.map_or(to, |next| next.main - 1);
                WatchInput::History(Past { from, changes, to })
            }
            Err(_) => WatchInput::Compacted(store.compact_revision()),
        }
    }
}

impl WatchInput {
    /// What applying led to: `changes` is all that was changed since the last call, and the store
    /// has not been let go of since.
    #[must_use]
    pub fn published(changes: Vec<Written>, store: &Store) -> Self {
        let (revision, compacted) = (store.revision(), store.compact_revision());
        Self::Published { changes, revision, compacted }
    }
}

impl Ending {
    /// What the client is told. Both are of gRPC's kind `Unavailable`.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NoLeader => "etcdserver: no leader",
            Self::Stopped => Unavailable::Stopped.status().1,
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", self.0)
    }
}

impl fmt::Display for WatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for WatchInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { stream, needs_leader: true } => write!(f, "open {stream} needs-leader"),
            Self::Open { stream, needs_leader: false } => write!(f, "open {stream}"),
            Self::Close(stream) => write!(f, "close {stream}"),
            Self::Now(revision) => write!(f, "now revision {revision}"),
            Self::Create(stream, request) => match Ask::read(request) {
                Ok(ask) => write!(f, "create {stream} {ask}"),
                Err(refused) => write!(f, "create {stream} ({})", refused.reason()),
            },
            Self::Cancel(stream, id) => write!(f, "cancel {stream} watch={id}"),
            Self::Progress(stream) => write!(f, "progress {stream}"),
            Self::Published { changes, revision, compacted } => {
                let changes = changes.len();
                write!(f, "published {changes} changes to revision {revision}")?;
                write_mark(f, *compacted)
            }
            Self::Installed { revision, compacted } => {
                write!(f, "installed revision {revision}")?;
                write_mark(f, *compacted)
            }
            Self::History(Past { from, changes, to }) => {
                write!(f, "history {from}..={to}, {} changes", changes.len())
            }
            Self::Compacted(mark) => write!(f, "history is compacted to {mark}"),
            Self::Drained { stream, bytes } => write!(f, "drained {stream} {bytes} bytes"),
            Self::Leader { term, known: true } => write!(f, "leader known in term {term}"),
            Self::Leader { term, known: false } => write!(f, "no leader in term {term}"),
            Self::Tick(ticks) => write!(f, "tick {ticks}"),
            Self::Stop => write!(f, "stop"),
        }
    }
}

fn write_mark(f: &mut fmt::Formatter<'_>, compacted: i64) -> fmt::Result {
    if compacted == 0 { Ok(()) } else { write!(f, ", compacted to {compacted}") }
}

impl fmt::Display for WatchOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(stream, message) => write!(f, "tell {stream} {message}"),
            Self::End(stream, ending) => write!(f, "end {stream}: {}", ending.reason()),
            Self::Fetch(Fetch { from, to, budget }) => {
                write!(f, "fetch {from}..={to}, about {budget} changes")
            }
        }
    }
}
