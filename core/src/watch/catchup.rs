//! Catching up: watchers that are behind read the history, together and in turns.
//!
//! ```text
//!   revision    5 .. 40      41 .. 90                          published
//!   unsynced    w1 w7        w3                  w2                |
//!               |------- one fetch: 5..=60 -----|                  |
//!               w1, w7 from 5, w3 from 41: all go on to 61         |
//!   sweep       ----------------------------------------> ceiling -+
//! ```
//! A sweep goes through the unsynced watchers from the lowest next revision up, and picks up on its
//! way whom it passes: what one fetch reads serves all who need it. It ends at the revision that
//! was published when it began, and the next one begins with the lowest again. So everybody is
//! served in every sweep, however long somebody's history is and however fast new events come.
//!
//! A watcher whose stream is full steps aside with its next revision, and joins the unsynced ones
//! when its client has read. A watcher below the compact mark ends (WA-7).
//!
//! Invariants:
//! - C1. At most one fetch is under way.
//! - C2. A fetch never asks for what is not published: whoever has seen it all is synced (T1).
//!
//! Not here: what is in the history (`store/mvcc`).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::events::{Batch, Lists};
use super::group::Group;
use super::index::InterestId;
use super::message::Message;
use super::synced::{check_batch, keys};
use super::{Fetch, Hub, Past, StreamId, WatchOutput, WatcherId, Wish};
use crate::api::etcdserverpb::WatchResponse;
use crate::planted;
use crate::planted::Bug;

/// Where the turn is.
#[derive(Clone, Copy, Debug)]
pub struct Sweep {
    /// The next watcher to serve is the first one from here on.
    at: (i64, WatcherId),
    /// Where the sweep ends.
    ceiling: i64,
    /// Whether a fetch is under way (C1).
    fetching: bool,
}

const BOTTOM: (i64, WatcherId) = (0, WatcherId(0));

impl Default for Sweep {
    fn default() -> Self {
        Self { at: BOTTOM, ceiling: 0, fetching: false }
    }
}

/// A watcher that takes part in a step, and the revision it goes on from.
type Seeker = (WatcherId, i64);

impl Hub {
    /// Asks for the next piece of history, if somebody needs one.
    pub(super) fn fetch(&mut self) {
        if self.sweep.fetching || self.unsynced.is_empty() {
            return;
        }
        let ahead = self.unsynced.range(self.sweep.at..).next();
        let Sweep { ceiling, .. } = self.sweep;
        let ahead = ahead.filter(|(next, _)| *next <= ceiling).copied();
        let at = ahead.or_else(|| self.unsynced.first().copied()).expect("somebody is unsynced");
        if ahead.is_none() {
            self.sweep.ceiling = self.published;
        }
        self.sweep.at = at;
        self.sweep.fetching = true;
        let (from, to, budget) = (at.0, self.published, self.settings.fetch);
        self.out.push(WatchOutput::Fetch(Fetch { from, to, budget }));
    }

    /// Takes a piece of history in.
    pub(super) fn on_history(&mut self, past: &Past) {
        let Past { from, changes, to } = past;
        assert!(self.sweep.fetching && self.sweep.at.0 == *from, "C1: nobody asked for {from}");
        assert!(*to <= self.published, "C2: {to} is not published");
        check_batch(changes, *from, *to);
        self.sweep.fetching = false;
        let seekers = self.gather(*to);
        let mut batch = Batch::new(changes, self.settings.planted);
        let mut hits = self.seekers.hits(keys(changes));
        for (interest, seekers) in seekers {
            let hits = hits.remove(&interest).unwrap_or_default();
            let mut lists = Lists::new(&hits, self.settings.message);
            for (id, from) in seekers {
                let pieces = lists.pieces(&mut batch, from, self.wish_in_the_past(id));
                let missed = self.deliver(id, pieces);
                let cut = planted!(self.settings.planted, Bug::StarvedWatcherSkips);
                self.regroup(id, missed.filter(|_| !cut).unwrap_or(to + 1));
            }
        }
        self.overtake();
    }

    /// Those who go on from a revision up to `to`, by what they watch; no more than may be in one
    /// step. Whoever is left over is next.
    fn gather(&mut self, to: i64) -> BTreeMap<InterestId, Vec<Seeker>> {
        let mut cohort: BTreeMap<InterestId, Vec<Seeker>> = BTreeMap::new();
        let mut waiting = self.unsynced.range(self.sweep.at..(to + 1, BOTTOM.1));
        for (next, id) in waiting.by_ref().take(self.settings.cohort) {
            if let Group::Unsynced(_, interest) = self.watchers[id].group() {
                cohort.entry(interest).or_default().push((*id, *next));
            }
        }
        self.sweep.at = waiting.next().copied().unwrap_or((to + 1, BOTTOM.1));
        cohort
    }

    fn wish_in_the_past(&self, id: WatcherId) -> Wish {
        let wish = self.watchers[&id].wish;
        if planted!(self.settings.planted, Bug::FilterIgnoredInThePast) {
            return Wish { puts: true, deletes: true, ..wish };
        }
        wish
    }

    /// What was asked for is gone.
    pub(super) fn on_compacted(&mut self, mark: i64) {
        assert!(self.sweep.fetching, "C1: nobody asked");
        assert!(mark > self.sweep.at.0, "a history up to {mark} does not stop this fetch");
        self.sweep.fetching = false;
        self.compact(mark);
    }

    /// Notes the compact mark; those who are behind it end.
    pub(super) fn compact(&mut self, mark: i64) {
        self.compacted = self.compacted.max(mark);
        self.overtake();
    }

    /// Ends the watchers that must see a revision below the compact mark (WA-7).
    pub(super) fn overtake(&mut self) {
        loop {
            let behind = [&self.unsynced, &self.lagging].map(|group| group.first().copied());
            let lowest = behind.into_iter().flatten().min();
            let Some((_, id)) = lowest.filter(|(next, _)| *next < self.compacted) else { break };
            self.end_compacted(id);
        }
    }

    fn end_compacted(&mut self, id: WatcherId) {
        let (stream, name) = (self.watchers[&id].stream, self.watchers[&id].name);
        let open = self.streams.get_mut(&stream).expect("a watcher's stream is open");
        open.watchers.remove(&name);
        self.forget(id);
        // No revision in the header: what counts is the mark.
        let response = WatchResponse {
            watch_id: name.0,
            canceled: true,
            compact_revision: self.compacted,
            ..self.response(0)
        };
        self.send(stream, Message::bare(response));
    }

    /// The store jumped: everybody goes on from the next revision that they have not seen (WA-21).
    pub(super) fn install(&mut self, revision: i64, compacted: i64) {
        assert!(revision >= self.published, "V1: the store went back to {revision}");
        let next = self.published + 1;
        self.published = revision;
        let synced = |(id, watcher): (&WatcherId, &super::Watcher)| {
            matches!(watcher.group(), Group::Synced(_)).then_some(*id)
        };
        let seen: Vec<WatcherId> = self.watchers.iter().filter_map(synced).collect();
        let planted = self.settings.planted;
        let mut from = next;
        if planted!(planted, Bug::InstallRepeatsTheLast) {
            from = (next - 1).max(1);
        }
        if planted!(planted, Bug::InstallSkipsTheGap) {
            from = revision + 1;
        }
        seen.into_iter().for_each(|id| self.regroup(id, from));
        self.arrive();
        self.compact(compacted);
    }

    /// A client has read: those who waited for it go on when there is room.
    pub(super) fn on_drained(&mut self, id: StreamId, bytes: usize) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.drain(bytes);
        if stream.lagging == 0 || !stream.has_room(self.settings.queue) {
            return;
        }
        let watchers: Vec<WatcherId> = stream.watchers.values().copied().collect();
        for watcher in watchers {
            if let Group::Lagging(next) = self.watchers[&watcher].group() {
                self.regroup(watcher, next);
            }
        }
    }
}
