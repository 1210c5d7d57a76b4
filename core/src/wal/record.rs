//! A batch: everything that one sync made durable, as the bytes inside its sectors.
//!
//! ```text
//!   0       4       8       12      16                  48                  64
//!   +-------+-------+-------+-------+-------------------+-------------------+
//!   | chain | count | flags | 0     | promise, 32 bytes | mark: index, term |   head
//!   +-------+-------+-------+-------+-------------------+-------------------+
//!   | index u64     | term u64      | length u32 | command ..              |    `count` records
//!   +---------------+---------------+------------+-------------------------+
//!   | 0 ..          | promise, again; ends with the last sector            |    tail, 32 bytes
//!   +---------------+------------------------------------------------------+
//!   chain    the chain value before this batch; of a segment's first batch, its header's sum
//!   flags    bit 0, restart: the mark takes the place of the whole log
//!   promise  term, vote, last log id: what holds when the batch has been replayed
//!   mark     entries up to here may be forgotten; 0@0: nothing new
//! ```
//! Records of one batch follow each other. The first may take the place of an older entry: that
//! one and all behind it are gone. A batch is replayed in the order restart, records, mark.
//!
//! The promise stands twice, in the first sector and in the last, so that it can still be proven
//! when the other one is lost. Bytes that nothing uses are zero, and covered by the sums.
//!
//! Not here: the frame of a sector, and the sums (`sector.rs`).

use alloc::vec::Vec;

use bytes::Bytes;

use super::fields::{Promise, Put, Take};
use super::sector::{Framer, ROOM, Unframer};
use crate::raft::Entry;
use crate::types::{Index, LogId, Term};

const HEAD: usize = 64;
const TAIL: usize = 32;
const RECORD: usize = 20;
const RESTART: u32 = 1;

/// What a batch says beside its entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Head {
    pub(super) chain: u32,
    pub(super) promise: Promise,
    pub(super) mark: Option<LogId>,
    pub(super) restart: bool,
}

/// A batch that was read.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) head: Head,
    pub(super) entries: Vec<Entry>,
}

/// The sectors that a batch of these entries takes.
pub(super) fn sectors(entries: &[&Entry]) -> usize {
    let records: usize = entries.iter().map(|entry| RECORD + entry.command.len()).sum();
    (HEAD + records + TAIL).div_ceil(ROOM)
}

/// Lays out a batch behind `lead`.
pub(super) fn frame(lead: &[u8], head: &Head, entries: &[&Entry]) -> Framer {
    let mut framer = Framer::new(lead, sectors(entries));
    framer.put(&encode_head(head, entries.len()));
    for entry in entries {
        let Ok(len) = u32::try_from(entry.command.len()) else { panic!("{entry} is too long") };
        framer.put(&Put::<RECORD>::new().id(entry.id()).u32(len).done());
        framer.put(&entry.command);
    }
    framer.put_last(&Put::<TAIL>::new().promise(&head.promise).done());
    framer
}

/// Reads a batch out of sectors that check. What is wrong even so was never written by this
/// version: it is told, and nothing of the batch is believed.
pub(super) fn parse(sectors: &[u8]) -> Result<Batch, &'static str> {
    let mut from = Unframer::new(sectors, TAIL);
    let Some((head, count)) = parse_head(&mut from) else { return Err("its head is unknown") };
    let entries = parse_entries(&mut from, count);
    if entries.len() != count {
        return Err("its records do not fit into it");
    }
    let blank = from.left();
    if blank >= ROOM || from.bytes(blank).is_none_or(|rest| rest.iter().any(|byte| *byte != 0)) {
        return Err("there is something behind its records");
    }
    if sectors.last_chunk::<TAIL>() != Some(&Put::<TAIL>::new().promise(&head.promise).done()) {
        return Err("its tail promises something else than its head");
    }
    Ok(Batch { head, entries })
}

/// Reads whatever can be read. Only for the planted bug that takes a torn batch for a good one.
pub(super) fn parse_remains(sectors: &[u8]) -> Option<Batch> {
    let mut from = Unframer::new(sectors, TAIL);
    let (head, count) = parse_head(&mut from)?;
    Some(Batch { head, entries: parse_entries(&mut from, count) })
}

fn encode_head(head: &Head, count: usize) -> [u8; HEAD] {
    let Ok(count) = u32::try_from(count) else { panic!("a batch of {count} entries") };
    let flags = if head.restart { RESTART } else { 0 };
    let put = Put::<HEAD>::new().u32(head.chain).u32(count).u32(flags).u32(0);
    put.promise(&head.promise).id(head.mark.unwrap_or_default()).done()
}

fn parse_head(from: &mut Unframer<'_>) -> Option<(Head, usize)> {
    let bytes = from.array::<HEAD>()?;
    let mut take = Take(&bytes);
    let (chain, count, flags) = (take.u32(), take.u32(), take.u32());
    if flags & !RESTART != 0 || take.u32() != 0 {
        return None;
    }
    let (promise, mark) = (take.promise(), take.id());
    let mark = (mark != LogId::default()).then_some(mark);
    let restart = flags & RESTART != 0;
    if restart && mark.is_none() {
        return None;
    }
    Some((Head { chain, promise, mark, restart }, usize::try_from(count).ok()?))
}

/// As many of `count` records as are there.
fn parse_entries(from: &mut Unframer<'_>, count: usize) -> Vec<Entry> {
    // The count is foreign: what it allocates is bounded by the bytes that are there.
    let mut entries = Vec::with_capacity(count.min(from.left() / RECORD));
    while entries.len() < count
        && let Some(entry) = parse_entry(from)
    {
        entries.push(entry);
    }
    entries
}

fn parse_entry(from: &mut Unframer<'_>) -> Option<Entry> {
    let bytes = from.array::<RECORD>()?;
    let mut take = Take(&bytes);
    let (index, term) = (Index(take.u64()), Term(take.u64()));
    let len = usize::try_from(take.u32()).ok()?;
    Some(Entry { index, term, command: Bytes::from(from.bytes(len)?) })
}
