//! Progress: telling a client that it has seen everything up to a revision.
//!
//! On request it speaks for all watchers of the stream at once, with watch id -1, and only if all
//! of them are in sync; else nothing is said and the client asks again (WA-16). On the timer it
//! speaks for one watcher that was told nothing since the round before (WA-15).
//!
//! The revision is what the hub has published, never the store's: the store may be ahead, with
//! events that are still on their way here. The message goes into the stream behind the events, by
//! the same way, so it cannot overtake any (T3).
//!
//! Leaders are timed here, too: a stream that needs one ends when there was none for long (NL-2).

use alloc::vec::Vec;

use super::group::Group;
use super::message::Message;
use super::{Ending, Hub, StreamId, WatchId, WatcherId};
use crate::api::etcdserverpb::WatchResponse;
use crate::planted;
use crate::planted::Bug;
use crate::types::{Term, Ticks};

/// Whom a progress message on request speaks for.
const ALL: WatchId = WatchId(-1);

impl Hub {
    /// How long the hub can rest if nothing happens; none: for ever.
    #[must_use]
    pub fn rest(&self) -> Option<Ticks> {
        let round = self.rounds.first().map(|(due, _)| *due);
        let patience = self.leaderless.filter(|_| self.somebody_needs_a_leader());
        let patience = patience.map(|since| Ticks(since.0 + self.settings.leaderless.0));
        let due = round.into_iter().chain(patience).min()?;
        Some(Ticks(due.0.saturating_sub(self.clock.0)))
    }

    /// A client asks how far its stream is.
    pub(super) fn answer_progress(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get(&id) else { return };
        let mut begun = stream.watchers.values().filter_map(|id| self.watchers.get(id));
        let mut in_sync = stream.behind == 0 && begun.all(|it| it.has_begun(self.published));
        let mut revision = self.published;
        if planted!(self.settings.planted, Bug::ProgressOvertakesEvents) {
            (in_sync, revision) = (true, self.now.max(self.published));
        }
        if in_sync && !stream.watchers.is_empty() {
            self.tell_progress(id, ALL, revision);
        }
    }

    fn tell_progress(&mut self, stream: StreamId, name: WatchId, revision: i64) {
        let response = WatchResponse { watch_id: name.0, ..self.response(revision) };
        self.send(stream, Message::bare(response));
    }

    /// Has the stream wait for its first round.
    pub(super) fn arm(&mut self, id: StreamId) {
        let due = self.next_round();
        let stream = self.streams.get_mut(&id).expect("a watcher's stream is open");
        if stream.due.is_none() {
            stream.due = Some(due);
            self.rounds.insert((due, id));
        }
    }

    fn next_round(&mut self) -> Ticks {
        let every = self.settings.progress.0;
        Ticks(self.clock.0 + every + self.random.below((every / 10).max(1)))
    }

    pub(super) fn on_tick(&mut self, ticks: Ticks) {
        self.clock.0 += ticks.0;
        while let Some((due, id)) = self.rounds.first().copied() {
            if due > self.clock {
                break;
            }
            self.rounds.remove(&(due, id));
            self.tell_round(id);
            let due = self.next_round();
            self.rounds.insert((due, id));
            self.streams.get_mut(&id).expect("a round is of an open stream").due = Some(due);
        }
        self.miss_the_leader();
    }

    fn tell_round(&mut self, id: StreamId) {
        let stream = &self.streams[&id];
        // A client that does not read what it is told needs no word that there is nothing to tell.
        if stream.is_full(self.settings.queue) {
            return;
        }
        let watchers: Vec<(WatchId, WatcherId)> =
            stream.watchers.iter().map(|(name, id)| (*name, *id)).collect();
        for (name, watcher) in watchers {
            let watcher = self.watchers.get_mut(&watcher).expect("a stream's watcher is known");
            let quiet = watcher.progress && !core::mem::take(&mut watcher.told);
            let quiet = quiet && watcher.has_begun(self.published);
            if quiet && matches!(watcher.group(), Group::Synced(_)) {
                self.tell_progress(id, name, self.published);
            }
        }
    }

    pub(super) fn on_leader(&mut self, term: Term, known: bool) {
        self.term = term;
        self.leaderless = if known { None } else { self.leaderless.or(Some(self.clock)) };
    }

    fn miss_the_leader(&mut self) {
        let patience = self.settings.leaderless.0;
        let Some(since) = self.leaderless else { return };
        if self.clock.0 < since.0 + patience {
            return;
        }
        let needy = self.streams.iter().filter(|(_, stream)| stream.needs_leader);
        let needy: Vec<StreamId> = needy.map(|(id, _)| *id).collect();
        needy.into_iter().for_each(|id| self.end(id, Ending::NoLeader));
    }

    fn somebody_needs_a_leader(&self) -> bool {
        self.streams.values().any(|stream| stream.needs_leader)
    }

    /// Takes a stream's round back.
    pub(super) fn disarm(&mut self, id: StreamId, due: Option<Ticks>) {
        if let Some(due) = due {
            self.rounds.remove(&(due, id));
        }
    }
}
