//! Changes as watchers get them: each encoded once, and put into messages at revision borders.
//!
//! ```text
//!   changes of revisions 5..=7:    5.0   5.1   6.0   7.0
//!   an interest hits               x           x     x
//!   its messages                   [ 5.0 ]  [ 6.0  7.0 ]     cut where one grows too long,
//!                                                            never inside a revision (WA-12)
//! ```
//! An encoded event is made of the record's own bytes when the first watcher wants it, once with
//! the pair before it and once without; everybody else shares it. Watchers with the same keys and
//! wish share whole lists.
//!
//! Invariants:
//! - E1. A revision's events stand in one piece, in their order (WA-12).
//! - E2. A piece has an event (WA-10).
//!
//! Not here: who gets them (`synced.rs`, `catchup.rs`).

use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use prost::encoding::{encode_varint, encoded_len_varint};

use super::ask::Wish;
use super::message::Events;
use crate::planted;
use crate::planted::Bug;
use crate::store::{Kind, Record, Written};

/// Field 11 of `WatchResponse`: an event.
const EVENT: u8 = 0x5a;
/// Fields of `Event`: what it is (a delete; zero, a put, is left out), the pair, the one before.
const DELETE: [u8; 2] = [0x08, 0x01];
const PAIR: u8 = 0x12;
const PREVIOUS: u8 = 0x1a;
/// Fields of `KeyValue`.
const KEY: u8 = 0x0a;
const MOD: u8 = 0x18;

/// Changes in order, and what was encoded of them so far.
pub struct Batch<'a> {
    changes: &'a [Written],
    plain: Vec<Option<Bytes>>,
    whole: Vec<Option<Bytes>>,
    planted: Option<Bug>,
}

/// Events for one message.
pub struct Piece {
    /// The revision of the first one.
    pub first: i64,
    /// All of them.
    pub events: Events,
}

/// What the watchers of one interest are told of a batch: one list of pieces for each wish and
/// first revision that some of them has.
pub struct Lists<'a> {
    hits: &'a [usize],
    /// Bytes after which a piece is long enough.
    limit: usize,
    made: Vec<((i64, Wish), Vec<Piece>)>,
}

impl<'a> Batch<'a> {
    /// Nothing is encoded yet.
    pub fn new(changes: &'a [Written], planted: Option<Bug>) -> Self {
        let none = vec![None; changes.len()];
        Self { changes, plain: none.clone(), whole: none, planted }
    }

    fn event(&mut self, at: usize, previous: bool) -> Bytes {
        let change = &self.changes[at];
        let mut before = change.previous.as_ref().filter(|_| previous);
        if planted!(self.planted, Bug::PreviousAtItsOwnRevision) && before.is_some() {
            before = Some(&change.record);
        }
        // Without a pair before it both forms are the same.
        let made = if before.is_some() { &mut self.whole[at] } else { &mut self.plain[at] };
        made.get_or_insert_with(|| encode(change, before)).clone()
    }
}

impl<'a> Lists<'a> {
    /// Nothing is made yet.
    pub fn new(hits: &'a [usize], limit: usize) -> Self {
        Self { hits, limit, made: Vec::new() }
    }

    /// What a watcher with this wish is told from revision `from` on.
    pub fn pieces(&mut self, batch: &mut Batch<'_>, from: i64, wish: Wish) -> &[Piece] {
        // There are few: watchers of one interest mostly want the same.
        let place = self.made.iter().position(|(of, _)| *of == (from, wish));
        let place = place.unwrap_or_else(|| {
            self.made.push(((from, wish), self.make(batch, from, wish)));
            self.made.len() - 1
        });
        &self.made[place].1
    }

    fn make(&self, batch: &mut Batch<'_>, from: i64, wish: Wish) -> Vec<Piece> {
        let changes = batch.changes;
        let wanted = self.hits.iter().copied().filter(|at| {
            let Written { at, record, .. } = &changes[*at];
            at.main >= from && wish.wants(record.kind())
        });
        let (mut pieces, mut list, mut bytes) = (Vec::new(), Vec::new(), 0);
        let (mut first, mut last) = (0, 0);
        for at in wanted {
            let main = changes[at].at.main;
            if !list.is_empty() && main != last && bytes >= self.limit {
                pieces.push(Piece { first, events: Events::new(core::mem::take(&mut list)) });
                bytes = 0;
            }
            if list.is_empty() {
                first = main;
            }
            let event = batch.event(at, wish.previous);
            bytes += event.len();
            list.push(event);
            last = main;
        }
        if !list.is_empty() {
            pieces.push(Piece { first, events: Events::new(list) });
        }
        pieces
    }
}

impl Wish {
    fn wants(self, kind: Kind) -> bool {
        match kind {
            Kind::Put => self.puts,
            Kind::Tombstone => self.deletes,
        }
    }
}

/// The event as a field of `WatchResponse`, in one allocation of its size.
fn encode(change: &Written, before: Option<&Record>) -> Bytes {
    let (delete, pair) = match change.record.kind() {
        Kind::Put => (&[][..], Pair::Stored(&change.record)),
        Kind::Tombstone => (&DELETE[..], Pair::Deleted(change.record.key(), change.at.main)),
    };
    let before = before.map(Pair::Stored);
    let inside = delete.len() + pair.field_len() + before.as_ref().map_or(0, Pair::field_len);
    let mut out = Vec::with_capacity(1 + encoded_len_varint(inside as u64) + inside);
    out.push(EVENT);
    encode_varint(inside as u64, &mut out);
    out.extend_from_slice(delete);
    pair.write(PAIR, &mut out);
    if let Some(before) = before {
        before.write(PREVIOUS, &mut out);
    }
    Bytes::from(out)
}

/// A `KeyValue` inside an event.
enum Pair<'a> {
    /// A record is the encoded pair.
    Stored(&'a Record),
    /// Only the key, and the revision of the delete (WA-8).
    Deleted(&'a [u8], i64),
}

impl Pair<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Stored(record) => record.as_ref().len(),
            Self::Deleted(key, main) => {
                let number = encoded_len_varint(main.cast_unsigned());
                1 + encoded_len_varint(key.len() as u64) + key.len() + 1 + number
            }
        }
    }

    fn field_len(&self) -> usize {
        1 + encoded_len_varint(self.len() as u64) + self.len()
    }

    fn write(&self, tag: u8, out: &mut Vec<u8>) {
        out.push(tag);
        encode_varint(self.len() as u64, out);
        match self {
            Self::Stored(record) => out.extend_from_slice(record.as_ref()),
            Self::Deleted(key, main) => {
                out.push(KEY);
                encode_varint(key.len() as u64, out);
                out.extend_from_slice(key);
                out.push(MOD);
                encode_varint(main.cast_unsigned(), out);
            }
        }
    }
}
