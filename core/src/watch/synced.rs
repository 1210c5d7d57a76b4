//! Telling the watchers that are in sync: each batch as it is published.
//!
//! ```text
//!   batch --> interests that it hits --> their watchers --> room? a message
//!                                                       --> full? moved aside: next = the first
//!                                                           revision that did not fit
//! ```
//! The work is for those who are told something; nobody else is looked at. A watcher that the
//! batch does not concern has seen it, too: being synced is a relation to `published` (T1).
//!
//! Not here: those who are moved aside (`catchup.rs`).

use alloc::vec::Vec;

use super::events::{Batch, Lists, Piece};
use super::group::Watcher;
use super::message::{Events, Message};
use super::{Hub, StreamId, WatcherId};
use crate::api::etcdserverpb::WatchResponse;
use crate::planted;
use crate::planted::Bug;
use crate::store::{Record, Written};

impl Hub {
    /// Tells of changes: every revision from the last published one to `revision`.
    pub(super) fn publish(&mut self, changes: &[Written], revision: i64) {
        let first = self.published + 1;
        check_batch(changes, first, revision);
        self.published = revision;
        let planted = self.settings.planted;
        let mut batch = Batch::new(changes, planted);
        for (interest, hits) in self.synced.hits(keys(changes)) {
            let members: Vec<WatcherId> = self.synced.members(interest).collect();
            let mut lists = Lists::new(&hits, self.settings.message);
            for id in members {
                let pieces = lists.pieces(&mut batch, first, self.watchers[&id].wish);
                if let Some(missed) = self.deliver(id, pieces) {
                    self.regroup(id, missed);
                }
            }
        }
        self.arrive();
    }

    /// Sends a watcher as many pieces as its stream has room for. Returns the first revision that
    /// it was not told of, if there was no room.
    pub(super) fn deliver(&mut self, id: WatcherId, pieces: &[Piece]) -> Option<i64> {
        for piece in pieces {
            let watcher = self.watchers.get_mut(&id).expect("T1: a member is known");
            let stream = &self.streams[&watcher.stream];
            if stream.is_full(self.settings.queue) {
                return Some(piece.first);
            }
            watcher.told = true;
            self.tell(id, &piece.events);
            if planted!(self.settings.planted, Bug::LargeTransactionToldTwice)
                && piece.events.len() > 1
            {
                self.tell(id, &piece.events);
            }
        }
        None
    }

    /// Puts one message into a watcher's stream, or its parts if it is long and may be cut.
    fn tell(&mut self, id: WatcherId, events: &Events) {
        let Watcher { stream, name, fragment, .. } = self.watchers[&id];
        let head = WatchResponse { watch_id: name.0, ..self.response(self.published) };
        let whole = Message::with(head.clone(), events.clone());
        let limit = self.settings.fragment;
        if !fragment || events.len() == 1 || whole.encoded_len() < limit {
            return self.send(stream, whole);
        }
        self.tell_in_parts(stream, &head, events);
    }

    fn tell_in_parts(&mut self, stream: StreamId, head: &WatchResponse, events: &Events) {
        let head = WatchResponse { fragment: true, ..head.clone() };
        let room = self.settings.fragment.saturating_sub(Message::bare(head.clone()).encoded_len());
        let parts = events.cut(room);
        let last = parts.len() - 1;
        for (at, part) in parts.into_iter().enumerate() {
            let more = at < last && !planted!(self.settings.planted, Bug::FragmentNotMarked);
            let head = WatchResponse { fragment: more, ..head.clone() };
            self.send(stream, Message::with(head, part));
        }
    }

    /// Those whose first revision is published, or is the next, wait for it no longer.
    pub(super) fn arrive(&mut self) {
        while let Some((next, id)) = self.future.first().copied() {
            if next > self.published + 1 {
                break;
            }
            self.regroup(id, next);
        }
    }
}

/// The keys of changes.
pub fn keys(changes: &[Written]) -> impl Iterator<Item = &[u8]> {
    changes.iter().map(|change| Record::key(&change.record))
}

/// A batch is whole transactions, each revision following the one before.
pub fn check_batch(changes: &[Written], first: i64, last: i64) {
    let mains = || changes.iter().map(|change| change.at.main);
    let (begin, end) = (mains().next().unwrap_or(first), mains().next_back().unwrap_or(first - 1));
    assert!(begin == first && end == last, "T2: {begin}..={end} instead of {first}..={last}");
    let gap = changes.iter().zip(changes.iter().skip(1)).find(|(a, b)| !a.at.precedes(b.at));
    assert!(gap.is_none(), "T2: a gap in a batch: {gap:?}");
}
