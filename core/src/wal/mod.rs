//! The write-ahead log: what a member promised, as a plan of file operations.
//!
//! The planner turns waiting [`Write`]s into one batch, one sync, one receipt (group commit). It
//! touches no file: the driver executes the operations in order, and the simulator may cut the
//! power between any two of them, and inside.
//!
//! ```text
//!   Write, Write, .. --plan--> FileOp .. + Unsynced --the driver did them all--> Receipt
//!
//!   000000000000002a.wal                                  512-byte sectors
//!   +--------+-----------------+--------+--------+- - - - - - - - - - +
//!   | header | batch           | batch  | batch  | blank              |
//!   +--------+-----------------+--------+--------+- - - - - - - - - - +
//!     |        head: chain, promise, mark | records: index, term, command | tail: promise
//!     identity, sequence; base and promise so far; where segment 29 ended, and its chain value
//! ```
//! Reading order: this file (the border), `record.rs` (a batch, byte by byte), `sector.rs` (its
//! frame on disk), `segment.rs` (a file), `plan.rs` (writing), `survey.rs` (torn or damaged?),
//! `recover.rs` (reading). `outline.rs` and `fields.rs` serve both sides.
//!
//! Invariants, each asserted where it is written and judged where it is read:
//! - W1. A receipt exists only when every operation planned with it has succeeded.
//! - W2. Batch `n+1` is written after the sync of batch `n`: only the newest can be torn.
//! - W3. Terms never go back, and a vote stays for the rest of its term.
//! - W4. No sector of a batch is blank, so a blank one was never written.
//! - W5. A final name is given to a segment when its header and first batch are durable.
//! - W6. The log has no gap and its terms never go back; nothing up to the base ever changes.
//! - W7. Segments are removed oldest first, and only when a durable mark covers them.
//! - W8. Nothing that was promised is dropped silently: start-up finds the log, or [`Damage`].
//!
//! Not here: who executes the operations, and what the entries mean.

mod damage;
mod fields;
mod outline;
mod plan;
mod record;
mod recover;
mod sector;
mod segment;
mod survey;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use crate::planted::Bug;
use crate::raft::{Entry, write_span};
use crate::types::{ClusterId, HardState, LogId, NodeId};

pub use damage::{Damage, Flaw};
pub use plan::Wal;
pub use recover::recover;
pub use sector::SECTOR;

/// Something to make durable, in the order asked for.
#[derive(Clone, PartialEq, Debug)]
pub struct Write {
    /// Counts the writes of one life of a member from 1.
    pub number: u64,
    /// The hard state from here on.
    pub hard: HardState,
    /// Entries behind each other. Where the first one's place is taken, it and all behind it are
    /// replaced (Raft §5.3).
    pub entries: Vec<Entry>,
    /// Entries up to and including this one may be forgotten: the store has them durably and no
    /// voter needs them. It speaks of the log before `entries`. Where the log does not hold this
    /// entry (a snapshot was installed), it takes the place of the whole log (Raft §7).
    pub discard: Option<LogId>,
}

/// Proof that every write up to a number is durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Receipt {
    number: u64,
}

/// A receipt that is worth nothing until the file operations planned with it are done.
#[derive(Debug)]
#[must_use = "execute the operations, then call synced()"]
pub struct Unsynced(Receipt);

/// One step for the driver's disk. Names are relative to the log's directory. A failed operation
/// ends the process: after a failed sync the page cache can no longer be believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FileOp {
    /// Make a new file of `size` zero bytes, written and not left as a hole; replace one of that
    /// name.
    Create {
        /// File name.
        name: String,
        /// Bytes, all zero.
        size: u64,
    },
    /// Overwrite bytes of a file, or append behind its end.
    Write {
        /// File name.
        name: String,
        /// First byte to overwrite.
        offset: u64,
        /// What to write.
        bytes: Bytes,
    },
    /// Make a file's content durable (`fdatasync`).
    Sync {
        /// File name.
        name: String,
    },
    /// Give a file another name, replacing a file that has it.
    Rename {
        /// Old name.
        from: String,
        /// New name.
        to: String,
    },
    /// Remove a file.
    Remove {
        /// File name.
        name: String,
    },
    /// Make creations, renames and removals durable.
    SyncDir,
}

/// How start-up reads the directory of the log.
pub trait ReadDisk {
    /// What the disk may answer instead: an I/O error, in words.
    type Error: fmt::Display;
    /// The names of all files, in any order.
    fn list(&self) -> Result<Vec<String>, Self::Error>;
    /// A whole file.
    fn read(&self, name: &str) -> Result<Vec<u8>, Self::Error>;
}

/// Whose log it is. Written into every segment and checked at every start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The cluster that the member belongs to.
    pub cluster: ClusterId,
    /// The member.
    pub member: NodeId,
}

/// How the log is laid out on disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Size of a segment in bytes; a larger batch gets a larger segment of its own.
    pub segment_size: u64,
    /// The bug that is planted, if any.
    pub planted: Option<Bug>,
}

/// What start-up found.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one, at start-up")]
pub enum Found {
    /// No log was ever completed here.
    Nothing,
    /// A log.
    Log(Recovered),
}

/// A log that was read.
#[derive(Debug)]
pub struct Recovered {
    /// Whose log it is.
    pub identity: Identity,
    /// The newest durable hard state.
    pub hard: HardState,
    /// The entry before the first one kept; 0@0 where nothing was discarded.
    pub base: LogId,
    /// Every durable entry behind the base.
    pub entries: Vec<Entry>,
    /// Bytes of a torn last batch that were cut off; 0 where the log ended cleanly.
    pub torn: u64,
    /// The planner that goes on from here.
    pub wal: Wal,
    /// To be executed before anything else (and before the planner's first plan).
    pub repairs: Vec<FileOp>,
}

impl Write {
    /// The place of the last entry that this write brings, if it brings any.
    #[must_use]
    pub fn last(&self) -> Option<LogId> {
        self.entries.last().map(Entry::id)
    }
}

impl Receipt {
    /// The last write that is durable; all before it are too.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }
}

impl Unsynced {
    /// To be called when every operation of the plan has succeeded, and never otherwise.
    pub fn synced(self) -> Receipt {
        self.0
    }
}

impl fmt::Display for FileOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { name, size } => write!(f, "create {name} {size}"),
            Self::Write { name, offset, bytes } => {
                write!(f, "write {name} {offset}+{}", bytes.len())
            }
            Self::Sync { name } => write!(f, "sync {name}"),
            Self::Rename { from, to } => write!(f, "rename {from} to {to}"),
            Self::Remove { name } => write!(f, "remove {name}"),
            Self::SyncDir => f.write_str("sync directory"),
        }
    }
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "w{} {}", self.number, self.hard)?;
        if !self.entries.is_empty() {
            f.write_str(" entries ")?;
            write_span(f, &self.entries)?;
        }
        self.discard.map_or(Ok(()), |to| write!(f, " discard {to}"))
    }
}
