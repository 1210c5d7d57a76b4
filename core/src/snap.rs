//! Snapshots on their way: what travels, and the files in which a received one waits.
//!
//! ```text
//!   leader                                     follower                     snap/
//!   Capture --> Chunk ==shipment, offset==> Keep --> draft: Create, Write, Write ..
//!                                           the last one:   Sync  SyncDir  Rename  SyncDir
//!                                           the log begins behind it (one durable write)
//!                                           Install: the store and its durable copy are replaced
//!                                           Forget:                        Remove  SyncDir
//! ```
//! The order is what makes a crash harmless at every step (history row 11). A snapshot is whole and
//! durable before the log forgets what it stands for; it stays until the store's durable copy has
//! it. So whatever a start finds, there is one way on:
//!
//! ```text
//!   the durable copy is at or above the log's base      use it; files here are of no use any more
//!   it is below, and a snapshot of the base is here     install that again
//!   it is below, and there is none                      the store is damaged: refuse
//! ```
//!
//! Invariants:
//! - N1. A file gets its final name when all of it is durable.
//! - N2. A snapshot is forgotten only when the durable copy holds it, or when nothing relies on it.
//!
//! Not here: what is in a snapshot (`store/snapshot.rs`), when one is sent (`raft/shipment.rs`) and
//! when it is installed (`raft/install.rs`).

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use crate::planted;
use crate::planted::Bug;
use crate::types::{Index, LogId, NodeId, Term};
use crate::wal::{FileOp, ReadDisk};

/// One snapshot on its way to one peer, counted from 1 in each life of a member.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct ShipmentId(pub u64);

/// One snapshot as it is received, counted from 1 in each life of a member.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct ReceptionId(pub u64);

/// A part of a snapshot. Its bytes are checked by whoever puts the parts together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chunk {
    /// The last entry that the snapshot holds.
    pub snapshot: LogId,
    /// Bytes of the snapshot before this part.
    pub offset: u64,
    /// The part.
    pub bytes: Bytes,
    /// Whether nothing follows.
    pub last: bool,
}

/// A received chunk, to be kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Piece {
    /// Of which reception. Its chunks come in order, without gap.
    pub reception: ReceptionId,
    /// Who sent it.
    pub from: NodeId,
    /// The chunk.
    pub chunk: Chunk,
}

/// What became of a received chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kept {
    /// It was written: so many bytes are there by now. They need not be durable.
    Part(u64),
    /// The snapshot is whole, checked, and durable under its final name.
    Whole,
    /// It is no part of any snapshot: all of what came is of no use.
    Refused,
}

/// What a start makes of the files here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Opening {
    /// The store's durable copy is good as it is.
    UseStore,
    /// The durable copy is to be replaced by this file, and then [`Shelf::forget`] comes.
    Install {
        /// The snapshot.
        snapshot: LogId,
        /// Its file.
        name: String,
    },
}

/// The files of received snapshots, and the operations on them.
#[derive(Debug, Default)]
pub struct Shelf {
    planted: Option<Bug>,
    draft: Option<LogId>,
    whole: BTreeSet<Place>,
}

/// A log position in the order of the log.
type Place = (Index, Term);

impl Chunk {
    /// Bytes of the snapshot up to the end of this part.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}

impl Shelf {
    /// Looks at what an earlier life left. `litter` gets the operations that remove what no life
    /// can go on with.
    pub fn open<D: ReadDisk>(disk: &D, litter: &mut Vec<FileOp>) -> Result<Self, String> {
        let names = disk.list().map_err(|error| error.to_string())?;
        let mut shelf = Self::default();
        for name in names {
            match parse(&name) {
                Some((snapshot, Form::Whole)) => {
                    shelf.whole.insert((snapshot.index, snapshot.term));
                }
                Some((_, Form::Draft)) => litter.push(FileOp::Remove { name }),
                None => {}
            }
        }
        Ok(shelf)
    }

    /// The same with a planted bug, if any.
    #[must_use]
    pub fn with_planted(self, planted: Option<Bug>) -> Self {
        Self { planted, ..self }
    }

    /// Decides how a member starts whose log begins behind `base` and whose durable copy ends at
    /// `stored`; none if the copy was being replaced, or is empty.
    pub fn decide(&self, base: LogId, stored: Option<LogId>) -> Result<Opening, String> {
        let stored = stored.unwrap_or_default();
        if stored.index >= base.index {
            return Ok(Opening::UseStore);
        }
        if self.whole.contains(&(base.index, base.term)) {
            return Ok(Opening::Install { snapshot: base, name: name(base, Form::Whole) });
        }
        Err(format!(
            "the store ends at entry {stored}, the log begins behind entry {base}, and there is no \
             received snapshot of that entry: the entries between are gone; restore the store's \
             directory, or remove this member from the cluster and add it anew"
        ))
    }

    /// Plans to keep a chunk. Chunks of a snapshot come in order; the first one begins a file, and
    /// ends whatever was begun before. The last one makes it whole (N1).
    pub fn keep(&mut self, chunk: &Chunk, out: &mut Vec<FileOp>) {
        let draft = name(chunk.snapshot, Form::Draft);
        if chunk.offset == 0 {
            self.drop_draft(out);
            out.push(FileOp::Create { name: draft.clone(), size: 0 });
            self.draft = Some(chunk.snapshot);
        }
        assert_eq!(self.draft, Some(chunk.snapshot), "N1: {chunk} has no beginning");
        let (offset, bytes) = (chunk.offset, chunk.bytes.clone());
        out.push(FileOp::Write { name: draft.clone(), offset, bytes });
        if chunk.last {
            self.draft = None;
            self.whole.insert((chunk.snapshot.index, chunk.snapshot.term));
            if planted!(self.planted, Bug::SnapshotNamedBeforeSync) {
                let to = name(chunk.snapshot, Form::Whole);
                out.extend([FileOp::Rename { from: draft, to }, FileOp::SyncDir]);
                return;
            }
            out.extend([
                FileOp::Sync { name: draft.clone() },
                // Or a rename that overtakes the creation could move the draft of an earlier life.
                FileOp::SyncDir,
                FileOp::Rename { from: draft, to: name(chunk.snapshot, Form::Whole) },
                FileOp::SyncDir,
            ]);
        }
    }

    /// Plans to remove what there is of a snapshot.
    pub fn forget(&mut self, snapshot: LogId, out: &mut Vec<FileOp>) {
        if self.draft == Some(snapshot) {
            self.drop_draft(out);
        }
        if self.whole.remove(&(snapshot.index, snapshot.term)) {
            out.push(FileOp::Remove { name: name(snapshot, Form::Whole) });
            out.push(FileOp::SyncDir);
        }
    }

    /// Plans to remove everything: no start relies on it.
    pub fn clear(&mut self, out: &mut Vec<FileOp>) {
        self.drop_draft(out);
        while let Some((index, term)) = self.whole.pop_first() {
            out.push(FileOp::Remove { name: name(LogId { index, term }, Form::Whole) });
            out.push(FileOp::SyncDir);
        }
    }

    fn drop_draft(&mut self, out: &mut Vec<FileOp>) {
        if let Some(draft) = self.draft.take() {
            out.push(FileOp::Remove { name: name(draft, Form::Draft) });
        }
    }
}

/// The file of a whole snapshot.
#[must_use]
pub fn file_name(snapshot: LogId) -> String {
    name(snapshot, Form::Whole)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    Draft,
    Whole,
}

fn name(snapshot: LogId, form: Form) -> String {
    let ending = match form {
        Form::Draft => "tmp",
        Form::Whole => "snap",
    };
    format!("{:016x}-{:016x}.{ending}", snapshot.index.0, snapshot.term.0)
}

/// Reads a name that this version gives.
fn parse(text: &str) -> Option<(LogId, Form)> {
    let number = |digits: Option<&str>| digits.and_then(|hex| u64::from_str_radix(hex, 16).ok());
    let snapshot =
        LogId { index: Index(number(text.get(..16))?), term: Term(number(text.get(17..33))?) };
    let form = [Form::Draft, Form::Whole].into_iter().find(|form| name(snapshot, *form) == text)?;
    Some((snapshot, form))
}

impl fmt::Display for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { snapshot, offset, bytes, last } = self;
        write!(f, "snapshot {snapshot} bytes {offset}+{}", bytes.len())?;
        if *last { f.write_str(" last") } else { Ok(()) }
    }
}

impl fmt::Display for ShipmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for ReceptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Part(end) => write!(f, "{end} bytes"),
            Self::Whole => f.write_str("whole"),
            Self::Refused => f.write_str("refused"),
        }
    }
}
