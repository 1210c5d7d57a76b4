//! Which group a watcher is in, and how it gets from one to another.
//!
//! ```text
//!   next revision       <= published              = published + 1      > published + 1
//!   group               unsynced, or              synced               future
//!                       lagging if its stream is full
//! ```
//! The next revision and the stream decide it, and every move goes through `regroup`, so the sets
//! of the hub, the indexes and the counts of the streams always agree (T1).
//!
//! Not here: when a watcher has earned a new next revision.

use super::ask::{Ask, Keys, Wish};
use super::index::InterestId;
use super::stream::Stream;
use super::{Hub, StreamId, WatchId, WatcherId};
use crate::planted;
use crate::planted::Bug;

/// One watcher.
#[derive(Debug)]
pub struct Watcher {
    /// Where it is told.
    pub stream: StreamId,
    /// Its name there.
    pub name: WatchId,
    keys: Keys,
    /// What it wants of a change.
    pub wish: Wish,
    /// The revision that it was asked to begin at, if one was named.
    start: Option<i64>,
    /// Whether its messages may be cut.
    pub fragment: bool,
    /// Whether it wants progress messages,
    pub progress: bool,
    /// and whether it was told of events since the last round of them.
    pub told: bool,
    /// Where it is; none only on the way.
    group: Option<Group>,
}

/// Where a watcher is, with the next revision that it must see.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    /// Sees each batch as it is published.
    Synced(InterestId),
    /// Waits for its first revision.
    Future(i64),
    /// Catches up from the history.
    Unsynced(i64, InterestId),
    /// Waits for its client.
    Lagging(i64),
}

impl Watcher {
    /// A watcher that is in no group yet.
    pub fn new(stream: StreamId, name: WatchId, ask: Ask) -> Self {
        let Ask { keys, wish, start, fragment, progress, .. } = ask;
        Self { stream, name, keys, wish, start, fragment, progress, told: false, group: None }
    }

    /// Whether there is a revision that it can have seen: before that, a progress message would
    /// speak of what it did not ask for (WA-15, WA-16).
    pub fn has_begun(&self, published: i64) -> bool {
        self.start.is_none_or(|start| start <= published)
    }

    /// Where it is.
    pub fn group(&self) -> Group {
        self.group.expect("T1: a watcher is in a group")
    }
}

impl Hub {
    /// Takes in a new watcher that shall see everything from revision `next` on.
    pub(super) fn enroll(&mut self, id: WatcherId, watcher: Watcher, next: i64) {
        let stream = self.streams.get_mut(&watcher.stream).expect("a watcher's stream is open");
        stream.watchers.insert(watcher.name, id);
        self.watchers.insert(id, watcher);
        self.join(id, next);
    }

    /// Puts a watcher where one belongs that must see revision `next`.
    pub(super) fn regroup(&mut self, id: WatcherId, next: i64) {
        self.leave(id);
        self.join(id, next);
    }

    /// Drops a watcher that its stream does not name any more.
    pub(super) fn forget(&mut self, id: WatcherId) {
        self.leave(id);
        self.watchers.remove(&id);
    }

    fn join(&mut self, id: WatcherId, next: i64) {
        let limit = self.settings.queue;
        let watcher = self.watchers.get_mut(&id).expect("a watcher that is known");
        let stream = self.streams.get_mut(&watcher.stream).expect("a watcher's stream is open");
        let early = planted!(self.settings.planted, Bug::FutureWatchHearsEarly);
        let group = if next == self.published + 1 || (early && next > self.published) {
            Group::Synced(self.synced.insert(&watcher.keys, id))
        } else if next > self.published {
            self.future.insert((next, id));
            Group::Future(next)
        } else if stream.is_full(limit) {
            self.lagging.insert((next, id));
            Group::Lagging(next)
        } else {
            self.unsynced.insert((next, id));
            Group::Unsynced(next, self.seekers.insert(&watcher.keys, id))
        };
        count(stream, group, |number| *number += 1);
        let before = watcher.group.replace(group);
        assert!(before.is_none(), "T1: {id:?} is in {before:?} already");
    }

    fn leave(&mut self, id: WatcherId) {
        let watcher = self.watchers.get_mut(&id).expect("a watcher that is known");
        let group = watcher.group.take().expect("T1: a watcher is in a group");
        let there = match group {
            Group::Synced(interest) => {
                self.synced.remove(interest, id);
                true
            }
            Group::Future(next) => self.future.remove(&(next, id)),
            Group::Unsynced(next, interest) => {
                self.seekers.remove(interest, id);
                self.unsynced.remove(&(next, id))
            }
            Group::Lagging(next) => self.lagging.remove(&(next, id)),
        };
        assert!(there, "T1: {id:?} is not in {group:?}");
        if let Some(stream) = self.streams.get_mut(&watcher.stream) {
            count(stream, group, |number| *number -= 1);
        }
    }
}

fn count(stream: &mut Stream, group: Group, change: impl Fn(&mut usize)) {
    match group {
        Group::Synced(_) => {}
        Group::Future(_) | Group::Unsynced(..) => change(&mut stream.behind),
        Group::Lagging(_) => {
            change(&mut stream.behind);
            change(&mut stream.lagging);
        }
    }
}
