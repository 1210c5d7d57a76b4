//! The whole state at one applied index, in parts that are made and read one by one.
//!
//! ```text
//!   header    magic | version | sum | cluster | index | term | revision | compact revision
//!             8       4         4     8         8       8      8          8        56 bytes
//!   block     sum | length | flags | rows | row, row ..                 as many as it takes
//!             4     4        4       4
//!   row       key length (4) | key | value length (4) | value
//! ```
//! Numbers are big-endian. The rows are those of the durable table, in key order: whatever kinds of
//! rows a store has, a snapshot carries them. The first part is the header with the first block,
//! each later one is a block; the last block has bit 0 of its flags set. A block's sum is CRC-32C
//! of all of it but the sum, begun with the sum before it (the first one's with the header's):
//! blocks that are lost, repeated or mixed up do not check.
//!
//! ```text
//!   capture         by value: position, and every row but the records    (small)
//!   next, next ..   records up to the captured revision, from the store as it is by then
//! ```
//! So a capture costs the same however large the store is, and entries are applied between two
//! parts. A record never changes, and while there is a capture none is removed physically.
//!
//! Invariants:
//! - Y1. All parts are of one applied index.
//! - Y2. Whoever reads believes nothing: a part that does not check, and rows that make no store,
//!   are refused.
//!
//! Not here: files (`snap.rs`), the way from member to member (`raft/shipment.rs`).

use alloc::vec::Vec;
use core::mem::take;

use bytes::Bytes;
use crc32c::crc32c_append;

use super::load::Loader;
use super::mvcc::Revision;
use super::rows::{Damage, Position, Row};
use super::{Freeze, Store, rows};
use crate::snap::Chunk;
use crate::types::{ClusterId, Index, LogId, Term};

const MAGIC: &[u8; 8] = b"quorate\x01";
const VERSION: u32 = 1;
const HEADER: usize = 56;
const BLOCK: usize = 16;
const LAST: u32 = 1;

/// A state that is handed out part by part.
#[derive(Debug)]
pub struct Capture {
    cluster: ClusterId,
    position: Position,
    /// Rows that go before the records, and behind them.
    before: Vec<Row>,
    behind: Vec<Row>,
    /// The record to go on with; none when all are out.
    next: Option<Revision>,
    offset: u64,
    sum: u32,
    _freeze: Freeze,
}

/// Checks the frame of the parts, and finds the rows in them.
#[derive(Debug)]
pub struct Blocks {
    cluster: ClusterId,
    snapshot: Option<LogId>,
    sum: u32,
    done: bool,
}

/// Makes a store of the parts.
#[derive(Debug)]
pub struct Reader {
    blocks: Blocks,
    loader: Loader,
}

/// Rows of one block, and those that did not fit any more.
#[derive(Default)]
struct Block {
    body: Vec<u8>,
    rows: u32,
}

impl Store {
    /// Begins to capture the state of this moment. Until the capture is dropped, no record that it
    /// holds may be removed physically.
    #[must_use]
    pub fn capture(&self, cluster: ClusterId) -> Capture {
        let mut before = self.other_rows();
        let behind = before.partition_point(|row| row.key[..] < rows::FIRST_RECORD[..]);
        let behind = before.split_off(behind);
        let next = Some(Revision { main: 0, sub: 0 });
        let (position, freeze) = (self.position(), self.freeze());
        Capture { cluster, position, before, behind, next, offset: 0, sum: 0, _freeze: freeze }
    }
}

impl Capture {
    /// The last entry that is in it.
    #[must_use]
    pub fn id(&self) -> LogId {
        self.position.applied
    }

    /// How many bytes were handed out.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next part: at least one row, and no more than `budget` bytes of rows if that is not too
    /// little. `store` is the captured one, however far it has come since.
    pub fn next(&mut self, store: &Store, budget: usize) -> Chunk {
        assert!(store.applied.index >= self.id().index, "Y1: the store went back");
        let mut block = Block::default();
        block.move_in(&mut self.before, budget);
        if self.before.is_empty() {
            self.next = self
                .next
                .take()
                .and_then(|from| self.take_records(&mut block, store, from, budget));
        }
        if self.next.is_none() {
            block.move_in(&mut self.behind, budget);
        }
        self.seal(block)
    }

    /// Takes records up to the budget. Returns where to go on, if there is more.
    fn take_records(
        &self,
        block: &mut Block,
        store: &Store,
        from: Revision,
        budget: usize,
    ) -> Option<Revision> {
        let until = self.position.revision;
        let records = store.space.records_from(from).take_while(|(at, _)| at.main <= until);
        for (at, record) in records {
            if !block.push(&Row::record(at, record), budget) {
                return Some(at);
            }
        }
        None
    }

    fn seal(&mut self, block: Block) -> Chunk {
        let last = self.next.is_none() && self.behind.is_empty();
        let mut bytes = Vec::with_capacity(HEADER + BLOCK + block.body.len());
        if self.offset == 0 {
            self.sum = header(self.cluster, &self.position, &mut bytes);
        }
        self.sum = block.seal(self.sum, if last { LAST } else { 0 }, &mut bytes);
        let (snapshot, offset, bytes) = (self.id(), self.offset, Bytes::from(bytes));
        self.offset += bytes.len() as u64;
        Chunk { snapshot, offset, bytes, last }
    }
}

impl Block {
    /// Takes a row, if there is room. A first one always finds room.
    fn push(&mut self, row: &Row, budget: usize) -> bool {
        let value = row.value.as_deref().unwrap_or_default();
        let fits = self.rows == 0 || self.body.len() + row.weight() + 8 <= budget;
        if fits {
            for part in [&row.key[..], value] {
                let len = u32::try_from(part.len()).expect("a row is smaller than 4 GiB");
                self.body.extend_from_slice(&len.to_be_bytes());
                self.body.extend_from_slice(part);
            }
            self.rows += 1;
        }
        fits
    }

    /// Takes rows from the front of `rows` while there is room.
    fn move_in(&mut self, rows: &mut Vec<Row>, budget: usize) {
        let taken = rows.iter().take_while(|row| self.push(row, budget)).count();
        rows.drain(..taken);
    }

    /// Appends the block; returns its sum.
    fn seal(self, seed: u32, flags: u32, out: &mut Vec<u8>) -> u32 {
        let len = u32::try_from(self.body.len()).expect("a block is smaller than 4 GiB");
        let head = [len, flags, self.rows].map(u32::to_be_bytes).concat();
        let sum = crc32c_append(crc32c_append(seed, &head), &self.body);
        out.extend_from_slice(&sum.to_be_bytes());
        out.extend_from_slice(&head);
        out.extend_from_slice(&self.body);
        sum
    }
}

/// Appends the header; returns its sum.
fn header(cluster: ClusterId, position: &Position, out: &mut Vec<u8>) -> u32 {
    let words = [
        cluster.0,
        position.applied.index.0,
        position.applied.term.0,
        position.revision.cast_unsigned(),
        position.compacted.unwrap_or(rows::NO_MARK).cast_unsigned(),
    ];
    let words = words.map(u64::to_be_bytes).concat();
    let sum = crc32c_append(VERSION, &words);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_be_bytes());
    out.extend_from_slice(&sum.to_be_bytes());
    out.extend_from_slice(&words);
    sum
}

impl Blocks {
    /// Before the first part of a snapshot of this cluster.
    #[must_use]
    pub fn new(cluster: ClusterId) -> Self {
        Self { cluster, snapshot: None, sum: 0, done: false }
    }

    /// Bytes that must be looked at to know how long the next part is.
    #[must_use]
    pub fn head_len(&self) -> usize {
        if self.snapshot.is_none() { HEADER + BLOCK } else { BLOCK }
    }

    /// How long the part is that begins so, in bytes.
    #[must_use]
    pub fn part_len(&self, head: &[u8]) -> Option<usize> {
        let block = head.get(self.head_len() - BLOCK..)?;
        let len = u32::from_be_bytes(*block.get(4..)?.first_chunk()?);
        self.head_len().checked_add(usize::try_from(len).ok()?)
    }

    /// Whether the last part was taken.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Takes the next part, whole, and shows each of its rows.
    pub fn part(
        &mut self,
        bytes: &[u8],
        mut row: impl FnMut(&[u8], &[u8]) -> Result<(), Damage>,
    ) -> Result<(), Damage> {
        if self.done {
            return Err(damage("goes on behind its end"));
        }
        let block = if self.snapshot.is_none() { self.header(bytes)? } else { bytes };
        let short = || damage("has a part that is cut off");
        let (sum, summed) = block.split_first_chunk::<4>().ok_or_else(short)?;
        let (head, body) = summed.split_first_chunk::<12>().ok_or_else(short)?;
        self.sum = crc32c_append(self.sum, summed);
        if self.sum != u32::from_be_bytes(*sum) {
            return Err(damage("has a part that does not match its checksum"));
        }
        let (len, flags, rows) = (word(head, 0), word(head, 4), word(head, 8));
        if len as usize != body.len() || flags & !LAST != 0 {
            return Err(damage("has a part of a form that this version does not know"));
        }
        self.done = flags & LAST != 0;
        let mut rest = body;
        for _ in 0..rows {
            let key = field(&mut rest).ok_or_else(short)?;
            let value = field(&mut rest).ok_or_else(short)?;
            row(key, value)?;
        }
        if rest.is_empty() { Ok(()) } else { Err(damage("has bytes behind the rows of a part")) }
    }

    fn header<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Damage> {
        let (head, block) =
            bytes.split_at_checked(HEADER).ok_or_else(|| damage("has no header"))?;
        if head[..8] != *MAGIC {
            return Err(damage("does not begin like one"));
        }
        if word(head, 8) != VERSION {
            return Err(damage("is of a version that this program does not know"));
        }
        self.sum = crc32c_append(VERSION, &head[16..]);
        if self.sum != word(head, 12) {
            return Err(damage("has a header that does not match its checksum"));
        }
        if long(head, 16) != self.cluster.0 {
            return Err(damage("is of another cluster"));
        }
        let (index, term) = (Index(long(head, 24)), Term(long(head, 32)));
        self.snapshot = Some(LogId { index, term });
        Ok(block)
    }
}

impl Reader {
    /// Before the first part of a snapshot of this cluster. `loader` has no row yet.
    #[must_use]
    pub fn new(cluster: ClusterId, loader: Loader) -> Self {
        Self { blocks: Blocks::new(cluster), loader }
    }

    /// The frame, which knows how long the next part is.
    #[must_use]
    pub fn blocks(&self) -> &Blocks {
        &self.blocks
    }

    /// Takes the next part, whole.
    pub fn part(&mut self, bytes: &[u8]) -> Result<(), Damage> {
        let Self { blocks, loader } = self;
        blocks.part(bytes, |key, value| loader.row(key, value))
    }

    /// The store, when the last part was taken; it must be the snapshot that was announced.
    pub fn finish(&mut self, announced: LogId) -> Result<Store, Damage> {
        if !self.blocks.done {
            return Err(damage("has no end"));
        }
        let store = take(&mut self.loader).finish()?;
        if self.blocks.snapshot != Some(announced) || store.applied() != announced {
            return Err(damage("is not the one that was announced"));
        }
        Ok(store)
    }
}

fn damage(what: &str) -> Damage {
    Damage::snapshot(what)
}

fn field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, behind) = rest.split_first_chunk::<4>()?;
    let (field, behind) = behind.split_at_checked(u32::from_be_bytes(*len) as usize)?;
    *rest = behind;
    Some(field)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_be_bytes(word)
}

fn long(bytes: &[u8], at: usize) -> u64 {
    let mut long = [0; 8];
    long.copy_from_slice(&bytes[at..at + 8]);
    u64::from_be_bytes(long)
}
