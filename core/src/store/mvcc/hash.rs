//! HashKV: the number by which clients compare members (KV-32), in bounded steps.
//!
//! ```text
//!   CRC-32C over  "key"  then, in revision order, of every record that counts:
//!       main (8) '_' sub (8) ['t']   the record as it is stored        (etcd's own bytes, KV-33)
//!
//!   above the mark           counts, up to the revision asked for
//!   at or below it           counts if it is in force at that revision
//!   a tombstone at the mark  never: some versions keep it and some do not
//! ```
//! Where nothing at all is in force at the revision, etcd counts whatever its removal has left.
//! Here that is what stays at the mark, so that members agree however far each has come.
//!
//! Invariants:
//! - F1. Members with equal revision and mark have equal hashes, wherever their removal is.
//!
//! Not here: the hash of a whole state, which only members see (`store/digest.rs`).

use super::history::History;
use super::pins::Pin;
use super::record::{Kind, Record};
use super::{KeySpace, Revision, Window};
use crate::api::Refusal;
use crate::planted;
use crate::planted::Bug;

/// What etcd's table of records is called.
const TABLE: &[u8] = b"key";

/// What a step of hashing gives.
#[derive(Debug)]
pub enum HashStep {
    /// The hash.
    Done(KvHash),
    /// There is more to hash: hand this in again.
    More(HashCursor),
}

/// A hash, and what it is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KvHash {
    /// The CRC-32C.
    pub hash: u32,
    /// The revision up to which it goes.
    pub revision: i64,
    /// The compact revision of that moment as the wire has it: -1 if there was none.
    pub compacted: i64,
    /// The revision that was current then.
    pub current: i64,
}

/// A hash between two steps.
#[derive(Debug)]
pub struct HashCursor {
    window: Window,
    at: i64,
    next: Revision,
    hash: u32,
    /// The hash as it is if nothing is in force at the revision, until something is seen to be.
    nothing_in_force: Option<u32>,
    /// What compaction gave up counts as well.
    everything: bool,
    _pin: Pin,
}

impl KeySpace {
    /// Hashes on from `cursor`, or from the beginning. Looks at no more than `budget` records. A
    /// revision of 0 means the present.
    pub fn hash(
        &self,
        revision: i64,
        cursor: Option<HashCursor>,
        budget: usize,
    ) -> Result<HashStep, Refusal> {
        assert!(budget > 0, "a step without a budget gets nowhere");
        let cursor = match cursor {
            Some(cursor) => cursor,
            None => self.begin_hash(revision)?,
        };
        self.go_on_hashing(cursor, budget)
    }

    /// Hashes every record that is stored, whether compaction gave it up or not.
    pub fn hash_stored(
        &self,
        cursor: Option<HashCursor>,
        budget: usize,
    ) -> Result<HashStep, Refusal> {
        assert!(budget > 0, "a step without a budget gets nowhere");
        let cursor = match cursor {
            Some(cursor) => cursor,
            None => HashCursor { everything: true, ..self.begin_hash(0)? },
        };
        self.go_on_hashing(cursor, budget)
    }

    fn go_on_hashing(&self, mut cursor: HashCursor, budget: usize) -> Result<HashStep, Refusal> {
        if !self.removal.keeps(cursor.at.max(cursor.window.mark())) {
            return Err(Refusal::Compacted); // The store was replaced under it.
        }
        let mut records = self.records.since(cursor.next);
        for (at, record) in records.by_ref().take(budget) {
            if at.main > cursor.at {
                return Ok(HashStep::Done(cursor.finish()));
            }
            self.take_in(at, record, &mut cursor);
        }
        match records.next() {
            None => Ok(HashStep::Done(cursor.finish())),
            Some((next, _)) => Ok(HashStep::More(HashCursor { next, ..cursor })),
        }
    }

    fn begin_hash(&self, revision: i64) -> Result<HashCursor, Refusal> {
        let window = self.window();
        // Below 1 there is nothing to hash, and as in etcd that is no error.
        let at = if revision > 0 { window.pick(revision)? } else { revision };
        let at = if at == 0 { window.newest } else { at };
        let (hash, next) = (crc32c::crc32c(TABLE), Revision { main: 0, sub: 0 });
        let nothing_in_force = Some(hash);
        let (everything, _pin) = (false, self.pin());
        Ok(HashCursor { window, at, next, hash, nothing_in_force, everything, _pin })
    }

    fn take_in(&self, at: Revision, record: &Record, cursor: &mut HashCursor) {
        if cursor.everything {
            cursor.nothing_in_force = None;
            return cursor.hash = append(cursor.hash, at, record);
        }
        let mark = cursor.window.mark();
        let below = at.main <= mark;
        if at.main == mark && record.kind() == Kind::Tombstone {
            return;
        }
        if !below && cursor.nothing_in_force.is_none() {
            return cursor.hash = append(cursor.hash, at, record);
        }
        let history = self.index.get(record.key());
        let in_force = |when| history.and_then(|history: &History| history.at(when)) == Some(at);
        let counts = in_force(cursor.at);
        if !below || counts || planted!(self.planted, Bug::HashCountsRemoved) {
            cursor.hash = append(cursor.hash, at, record);
        }
        if counts {
            cursor.nothing_in_force = None;
        } else if !below || in_force(mark) {
            cursor.nothing_in_force = cursor.nothing_in_force.map(|hash| append(hash, at, record));
        }
    }
}

impl HashCursor {
    fn finish(self) -> KvHash {
        KvHash {
            hash: self.nothing_in_force.unwrap_or(self.hash),
            revision: self.at,
            compacted: self.window.mark(),
            current: self.window.newest,
        }
    }
}

fn append(hash: u32, at: Revision, record: &Record) -> u32 {
    let mut key = [b'_'; 18];
    key[..8].copy_from_slice(&at.main.to_be_bytes());
    key[9..17].copy_from_slice(&u64::from(at.sub).to_be_bytes());
    key[17] = b't';
    let len = match record.kind() {
        Kind::Put => 17,
        Kind::Tombstone => 18,
    };
    crc32c::crc32c_append(crc32c::crc32c_append(hash, &key[..len]), record.as_ref())
}
