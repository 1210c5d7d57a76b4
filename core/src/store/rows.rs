//! The durable form of the store: rows, each a key and a value, in one ordered table.
//!
//! ```text
//!  kind   rest of the key                            value
//!  'a'                                               the position, 76 bytes (below)
//!  'k'    main (8 bytes) sub (8 bytes) ['t']         the record; 't' marks a tombstone (KV-33)
//!  'l'    id (8 bytes)                               the lease (`lease.rs`)
//!  'm'                                               the members, an encoded wire::Configuration
//!
//!  position:  format | index | term | revision | compacted | removed | state hash | sum | size | crc
//!             8 bytes each, big-endian                                                         4
//! ```
//! Numbers are big-endian, so rows are in revision order and a new one goes to the end. The
//! position is written in the same batch as the rows that it speaks of (KV-31); it comes first in
//! the table, so that a loader knows what to expect.
//!
//! Invariants:
//! - W1. `sum` adds up a hash of every other row, and `size` is at least their bytes: a row that is
//!   lost, added or changed cannot go unnoticed.
//!
//! Not here: batches (`image.rs`), how rows become a store again (`load.rs`).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use super::digest::Digest;
use super::mvcc::{Kind, Record, Revision};
use crate::types::{Index, LeaseId, LogId, Term};

/// The format that this version writes, and the only one that it reads.
const FORMAT: u64 = 2;
const WORDS: usize = 9;
/// The number of a mark that is not there; marks count from 0.
pub const NO_MARK: i64 = -1;

const POSITION: u8 = b'a';
const RECORD: u8 = b'k';
const LEASE: u8 = b'l';
const MEMBERS: u8 = b'm';
const TOMBSTONE: u8 = b't';

/// No record's key is below this, and no other row's key is like it.
pub const FIRST_RECORD: [u8; 1] = [RECORD];

/// A key and its value in the durable table. A later row with the same key replaces it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// One byte for the kind, then what tells rows of a kind apart.
    pub key: Bytes,
    /// What is stored; none takes the row out of the table.
    pub value: Option<Bytes>,
}

/// A row that is not what a store wrote, or one that is missing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    what: String,
}

/// The key of a row, as types.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RowKey {
    /// How far the table is.
    Position,
    /// One revision of one key.
    Record(Revision, Kind),
    /// One lease.
    Lease(LeaseId),
    /// The members of the cluster.
    Members,
}

/// How far a table is, and what it must hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position {
    /// The last entry that is in the table.
    pub applied: LogId,
    /// The current revision.
    pub revision: i64,
    /// The oldest revision that may be read, if anything was ever compacted,
    pub compacted: Option<i64>,
    /// and the mark up to which what that gave up is removed (KV-28).
    pub removed: Option<i64>,
    /// The rolling hash of all that was applied.
    pub state_hash: u64,
    /// What the other rows add up to.
    pub sum: u64,
    /// The high-water mark of their bytes.
    pub size: u64,
}

/// What the rows of a table add up to, in whatever order they come and go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Bytes of keys and values.
    pub bytes: u64,
    /// Sum of the hashes of the rows.
    pub sum: u64,
}

impl Row {
    /// Bytes of key and value.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Bytes::len)
    }

    /// The row of a record.
    pub fn record(at: Revision, record: &Record) -> Self {
        Self { key: RowKey::Record(at, record.kind()).encode(), value: Some(record.bytes()) }
    }
}

impl RowKey {
    /// As it is stored.
    pub fn encode(self) -> Bytes {
        let mut key = Vec::with_capacity(18);
        match self {
            Self::Position => key.push(POSITION),
            Self::Members => key.push(MEMBERS),
            Self::Lease(id) => {
                key.push(LEASE);
                key.extend_from_slice(&id.0.to_be_bytes());
            }
            Self::Record(at, kind) => {
                key.push(RECORD);
                key.extend_from_slice(&at.main.to_be_bytes());
                key.extend_from_slice(&u64::from(at.sub).to_be_bytes());
                match kind {
                    Kind::Put => {}
                    Kind::Tombstone => key.push(TOMBSTONE),
                }
            }
        }
        Bytes::from(key)
    }

    /// Reads what is stored.
    pub fn parse(key: &[u8]) -> Result<Self, Damage> {
        match *key {
            [POSITION] => Ok(Self::Position),
            [MEMBERS] => Ok(Self::Members),
            [RECORD, ref rest @ ..] => {
                Self::parse_record(rest).ok_or_else(|| Damage::row(key, "has a malformed revision"))
            }
            [LEASE, ref rest @ ..] => {
                Self::parse_lease(rest).ok_or_else(|| Damage::row(key, "has a malformed lease id"))
            }
            _ => Err(Damage::row(key, "is of no known kind")),
        }
    }

    fn parse_lease(rest: &[u8]) -> Option<Self> {
        let id = i64::from_be_bytes(rest.try_into().ok()?);
        (id != 0).then_some(Self::Lease(LeaseId(id)))
    }

    fn parse_record(rest: &[u8]) -> Option<Self> {
        let (main, rest) = rest.split_first_chunk()?;
        let (sub, rest) = rest.split_first_chunk()?;
        let kind = match *rest {
            [] => Kind::Put,
            [TOMBSTONE] => Kind::Tombstone,
            _ => return None,
        };
        let main = i64::from_be_bytes(*main);
        let sub = u32::try_from(u64::from_be_bytes(*sub)).ok()?;
        (main > 0).then_some(Self::Record(Revision { main, sub }, kind))
    }
}

impl Position {
    /// As it is stored.
    pub fn encode(&self) -> Row {
        let words: [u64; WORDS] = [
            FORMAT,
            self.applied.index.0,
            self.applied.term.0,
            self.revision.cast_unsigned(),
            self.compacted.unwrap_or(NO_MARK).cast_unsigned(),
            self.removed.unwrap_or(NO_MARK).cast_unsigned(),
            self.state_hash,
            self.sum,
            self.size,
        ];
        let mut value = words.map(u64::to_be_bytes).concat();
        value.extend_from_slice(&crc32c::crc32c(&value).to_be_bytes());
        Row { key: RowKey::Position.encode(), value: Some(Bytes::from(value)) }
    }

    /// Reads what is stored.
    pub fn parse(value: &[u8]) -> Result<Self, Damage> {
        let damage = |what: &str| Damage::row(&[POSITION], what);
        let short = || damage("is not a position of 76 bytes");
        let (words, crc) = value.split_last_chunk::<4>().ok_or_else(short)?;
        if crc32c::crc32c(words) != u32::from_be_bytes(*crc) {
            return Err(damage("does not match its checksum"));
        }
        let numbers: Vec<u64> =
            words.as_chunks::<8>().0.iter().map(|word| u64::from_be_bytes(*word)).collect();
        let [format, index, term, revision, compacted, removed, state_hash, sum, size] = *numbers
        else {
            return Err(short());
        };
        if format != FORMAT {
            return Err(damage("is of a format that this version does not know"));
        }
        let applied = LogId { index: Index(index), term: Term(term) };
        let mark = |word: u64| Some(word.cast_signed()).filter(|mark| *mark != NO_MARK);
        let (revision, compacted, removed) =
            (revision.cast_signed(), mark(compacted), mark(removed));
        let position = Self { applied, revision, compacted, removed, state_hash, sum, size };
        position.check().map(|()| position)
    }

    fn check(&self) -> Result<(), Damage> {
        let marks = [self.removed, self.compacted, Some(self.revision)];
        let in_order = marks.is_sorted() && marks.iter().flatten().all(|mark| *mark >= 0);
        let founded = self.applied.index.0 > 0 || (self.applied.term.0 == 0 && self.revision == 1);
        if in_order && founded && self.revision >= 1 {
            Ok(())
        } else {
            Err(Damage::row(&[POSITION], "holds an impossible state"))
        }
    }
}

impl Tally {
    /// A row joins the table, or names one that leaves it. Tells its hash.
    pub fn add_row(&mut self, row: &Row) -> u64 {
        match &row.value {
            Some(value) => self.add(&row.key, value),
            None => hash_of(&row.key, &[]),
        }
    }

    /// A row that is replaced or taken out leaves the table.
    pub fn remove_row(&mut self, row: &Row) {
        if let Some(value) = &row.value {
            self.remove(&row.key, value);
        }
    }

    /// A row joins the table. Tells its hash.
    pub fn add(&mut self, key: &[u8], value: &[u8]) -> u64 {
        let hash = hash_of(key, value);
        self.bytes += weight(key, value);
        self.sum = self.sum.wrapping_add(hash);
        hash
    }

    /// A row leaves the table.
    pub fn remove(&mut self, key: &[u8], value: &[u8]) {
        self.bytes -= weight(key, value);
        self.sum = self.sum.wrapping_sub(hash_of(key, value));
    }
}

fn weight(key: &[u8], value: &[u8]) -> u64 {
    (key.len() + value.len()) as u64
}

fn hash_of(key: &[u8], value: &[u8]) -> u64 {
    let mut digest = Digest::new(0);
    digest.bytes(key);
    digest.bytes(value);
    digest.finish()
}

impl Damage {
    /// The damage of one row.
    pub fn row(key: &[u8], what: &str) -> Self {
        Self { what: alloc::format!("row \"{}\" {what}", key.escape_ascii()) }
    }

    /// The damage of a snapshot.
    pub fn snapshot(what: &str) -> Self {
        Self { what: alloc::format!("a received snapshot {what}") }
    }

    /// Damage that is seen only in the whole.
    pub fn table(what: String) -> Self {
        Self { what }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the stored key space is damaged: {}", self.what)
    }
}

impl core::error::Error for Damage {}
