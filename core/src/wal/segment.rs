//! One file of the log: its name, and the header in its first sector.
//!
//! A segment is written under a draft name, with its header and its first batch, made durable,
//! and only then given its final name: whatever bears a final name is complete that far. It is
//! zero-filled to its whole size, filled from the front, and never used twice.
//!
//! ```text
//! 000000000000002a.wal      segment 42; 000000000000002a.tmp is its draft
//!
//!   0         8         12        16        24        32        40        48
//!   +---------+---------+---------+---------+---------+---------+---------+
//!   | magic   | version | 0       | cluster | member  | sequence| size    |
//!   +---------+---------+---------+---------+---------+---------+---------+
//!   48                  64                                                96
//!   +-------------------+-------------------------------------------------+
//!   | base: index, term | promise: term, vote, last index, last term      |   before the
//!   +---------+---------+----+--------+-----------------------------------+   first batch
//!   96        104            112      116                             508     512
//!   +---------+--------------+--------+-------------------------------+-------+
//!   | batches | ended at     | chain  | 0                             | sum   |
//!   +---------+--------------+--------+-------------------------------+-------+
//!   magic     "quorate\n"; version 1; numbers are little-endian
//!   size      of the file, this sector included
//!   base      the entry before the first one that is kept
//!   batches   number of the last batch before this segment
//!   ended at  where the segment before validly ended; what lies behind is a torn batch, cut off
//!   chain     the chain value there (`sector.rs`)
//!   sum       CRC32C of bytes 0..508: it seeds the sums and the chain of this segment
//! ```
//! A later version keeps magic, version and sum at these places, so that this one can tell a
//! newer file from a damaged one.
//!
//! Not here: what follows the header (`record.rs`).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crc32c::crc32c;

use super::Identity;
use super::damage::{Damage, Flaw};
use super::fields::{Promise, Put, Take};
use super::sector::SECTOR;
use crate::types::{ClusterId, LogId, NodeId};

const MAGIC: &[u8; 8] = b"quorate\n";
const VERSION: u32 = 1;
const SUMMED: usize = SECTOR - 4;
/// More batches than any log lives to see: counting on from below can never overflow.
const BATCHES: u64 = 1 << 62;

/// What the header of a segment says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub(super) identity: Identity,
    pub(super) sequence: u64,
    pub(super) size: u64,
    pub(super) base: LogId,
    pub(super) promise: Promise,
    pub(super) joint: Joint,
}

/// Where the valid part of a segment ends, which is where the next one takes over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Joint {
    /// Number of the last batch.
    pub(super) number: u64,
    /// Offset behind it.
    pub(super) offset: u64,
    /// Chain value there.
    pub(super) chain: u32,
}

/// What a file's name says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Named {
    Segment(u64),
    Draft(u64),
    /// Not a name of ours, though it looks like one.
    Suspect,
    /// Nothing to do with the log.
    Other,
}

/// A segment that was read: the header is good, the rest is not yet looked at.
pub(super) struct Segment {
    pub(super) name: String,
    pub(super) header: Header,
    /// Sum of the header.
    pub(super) seed: u32,
    pub(super) bytes: Vec<u8>,
}

/// The final name of a segment.
pub(super) fn name(sequence: u64) -> String {
    format!("{sequence:016x}.wal")
}

/// The name of a segment until it is durable.
pub(super) fn draft_name(sequence: u64) -> String {
    format!("{sequence:016x}.tmp")
}

/// Tells our files from others. A log that somebody renamed is not to be overlooked.
pub(super) fn parse_name(text: &str) -> Named {
    let stem = text.get(..16).and_then(|stem| u64::from_str_radix(stem, 16).ok());
    match stem {
        Some(0 | u64::MAX) => Named::Suspect,
        Some(sequence) if text == name(sequence) => Named::Segment(sequence),
        Some(sequence) if text == draft_name(sequence) => Named::Draft(sequence),
        Some(_) => Named::Suspect,
        None if text.contains(".wal") => Named::Suspect,
        None => Named::Other,
    }
}

impl Header {
    /// The header as a sector, and its sum.
    pub(super) fn encode(&self) -> ([u8; SECTOR], u32) {
        let put = Put::<SECTOR>::new().raw(MAGIC).u32(VERSION).u32(0);
        let put = put.u64(self.identity.cluster.0).u64(self.identity.member.0);
        let put = put.u64(self.sequence).u64(self.size);
        let put = put.id(self.base).promise(&self.promise);
        let put = put.u64(self.joint.number).u64(self.joint.offset).u32(self.joint.chain);
        let mut sector = put.done();
        let sum = crc32c(&sector[..SUMMED]);
        sector[SUMMED..].copy_from_slice(&sum.to_le_bytes());
        (sector, sum)
    }

    fn decode(sector: &[u8; SECTOR]) -> Result<(Self, u32), Flaw> {
        let (summed, sum) = sector.split_at(SUMMED);
        let sum = Take(sum).u32();
        let mut take = Take(summed);
        if take.raw() != *MAGIC || crc32c(summed) != sum {
            return Err(Flaw::Header);
        }
        let version = take.u32();
        if version != VERSION || take.u32() != 0 {
            return Err(Flaw::Version(version));
        }
        let identity = Identity { cluster: ClusterId(take.u64()), member: NodeId(take.u64()) };
        let (sequence, size) = (take.u64(), take.u64());
        let (base, promise) = (take.id(), take.promise());
        let joint = Joint { number: take.u64(), offset: take.u64(), chain: take.u32() };
        if base.index > promise.last.index || joint.number >= BATCHES {
            return Err(Flaw::Content("the header contradicts itself"));
        }
        Ok((Self { identity, sequence, size, base, promise, joint }, sum))
    }
}

impl Segment {
    /// Checks that a file is the segment that its name says.
    pub(super) fn open(sequence: u64, bytes: Vec<u8>) -> Result<Self, Damage> {
        let name = name(sequence);
        let found = bytes.len() as u64;
        let opened = match bytes.first_chunk::<SECTOR>() {
            Some(sector) => Header::decode(sector),
            None => Err(Flaw::Size { expected: None, found }),
        };
        let (header, seed) = opened.map_err(|flaw| Damage::broken(&name, 0, flaw))?;
        if header.size != found || !bytes.len().is_multiple_of(SECTOR) {
            let flaw = Flaw::Size { expected: Some(header.size), found };
            return Err(Damage::broken(&name, found, flaw));
        }
        if header.sequence != sequence {
            return Err(Damage::broken(&name, 0, Flaw::Renamed(header.sequence)));
        }
        Ok(Self { name, header, seed, bytes })
    }
}
