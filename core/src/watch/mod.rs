//! The Hub: who is told what, in which order (semantics WA).
//!
//! ```text
//!                     Published, in order                    Drained: the client has read
//!                            |                                     |
//!   Create ----> future ---> synced ----------------------+        |
//!     |   start is ahead     has seen all that            |        v
//!     |                      was published    stream full +--> lagging: holds its next
//!     +--------> unsynced <---------------------------------- room     revision, no event
//!                catches up from the history  --- full ------> lagging
//!                    |  Fetch, History, bounded, in turns
//!                    +---> synced when it has seen all
//! ```
//! Synced watchers are told of each batch as it is published. A watcher whose client reads too
//! slowly is moved aside; so is one that begins in the past, and everyone after a snapshot was
//! installed. All that is kept of them is the next revision that they must see; they read the rest
//! from the history, in bounded steps that many share, and join again. What compaction took from
//! under them they are told, and end.
//!
//! Invariants:
//! - T1. A watcher is in one group. Synced: its stream has all that it wants, up to `published`.
//! - T2. A watcher is told of each revision from its start on that it wants: whole, once, in order.
//! - T3. A progress message with revision R goes to a stream behind all events up to R of the
//!   watchers that it speaks for, and none up to R follows.
//! - T4. Events go only to a stream whose queue is below its limit. So a client that does not read
//!   holds at most the limit and one message; what it is behind costs a number per watcher.
//! - T5. A step does work for one batch, or for one bounded piece of the history.
//!
//! Not here: the history itself (`Store::events`); sockets; permissions, which are checked before
//! a watcher is asked for.

mod ask;
mod catchup;
mod events;
mod group;
mod index;
mod input;
mod intervals;
mod message;
mod progress;
mod stream;
mod synced;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::ToString;
use alloc::vec::Vec;

pub use self::ask::{Ask, Keys, Refused, Wish};
pub use self::input::{Ending, Fetch, Past, StreamId, WatchId, WatchInput, WatchOutput};
pub use self::intervals::{End, Interval};
pub use self::message::{Events, Message};

use self::catchup::Sweep;
use self::group::Watcher;
use self::index::Index;
use self::stream::Stream;
use crate::api::Header;
use crate::api::etcdserverpb::WatchResponse;
use crate::planted;
use crate::planted::Bug;
use crate::random::Random;
use crate::types::{ClusterId, NodeId, Term, Ticks};

/// What a hub keeps to.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The cluster, for headers.
    pub cluster: ClusterId,
    /// The member, for headers.
    pub member: NodeId,
    /// Bytes that may wait in a stream before its watchers are moved aside.
    pub queue: usize,
    /// Bytes after which a message of several revisions is long enough.
    pub message: usize,
    /// Bytes from which a message is cut for those who want that (WA-13).
    pub fragment: usize,
    /// Changes that are read from the history in one step.
    pub fetch: usize,
    /// Watchers that catch up in one step.
    pub cohort: usize,
    /// Time between two rounds of progress messages; up to a tenth is added by chance (WA-15).
    pub progress: Ticks,
    /// Time without a leader after which streams that need one are ended (NL-2: three elections).
    pub leaderless: Ticks,
    /// Decides the chance.
    pub seed: u64,
    /// A bug to put back.
    pub planted: Option<Bug>,
}

/// The first revision that a change can have: an empty store is at 1.
const FIRST: i64 = 2;

/// Counts watchers for ever.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct WatcherId(u64);

/// All watchers of a member.
#[derive(Debug)]
pub struct Hub {
    settings: Settings,
    term: Term,
    /// The newest revision that was published.
    published: i64,
    /// The compact mark, as far as is known here; the store's may be newer.
    compacted: i64,
    /// The store's revision when requests were read last. At least `published` then.
    now: i64,
    clock: Ticks,
    /// Nobody is let in any more.
    stopped: bool,
    /// Since when no leader is known.
    leaderless: Option<Ticks>,
    random: Random,
    streams: BTreeMap<StreamId, Stream>,
    watchers: BTreeMap<WatcherId, Watcher>,
    last: u64,
    synced: Index,
    /// By the revision that they must see next, and wait for.
    future: BTreeSet<(i64, WatcherId)>,
    unsynced: BTreeSet<(i64, WatcherId)>,
    lagging: BTreeSet<(i64, WatcherId)>,
    /// What the unsynced ones watch.
    seekers: Index,
    sweep: Sweep,
    /// Streams whose next round of progress messages is due.
    rounds: BTreeSet<(Ticks, StreamId)>,
    out: Vec<WatchOutput>,
}

/// How many there are, for metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Census {
    /// Open streams.
    pub streams: usize,
    /// Watchers.
    pub watchers: usize,
    /// Watchers that are catching up or wait for their client.
    pub slow: usize,
}

impl Hub {
    /// A hub without watchers, beside a store at `revision` with this compact mark.
    #[must_use]
    pub fn new(settings: Settings, revision: i64, compacted: i64) -> Self {
        Self {
            term: Term::default(),
            published: revision,
            compacted,
            now: revision,
            clock: Ticks::default(),
            stopped: false,
            leaderless: Some(Ticks::default()),
            random: Random::new(settings.seed),
            streams: BTreeMap::new(),
            watchers: BTreeMap::new(),
            last: 0,
            synced: Index::default(),
            future: BTreeSet::new(),
            unsynced: BTreeSet::new(),
            lagging: BTreeSet::new(),
            seekers: Index::default(),
            sweep: Sweep::default(),
            rounds: BTreeSet::new(),
            out: Vec::new(),
            settings,
        }
    }

    /// Consumes one input; appends to `out` what the caller must do, in order.
    pub fn step(&mut self, input: WatchInput, out: &mut Vec<WatchOutput>) {
        match input {
            WatchInput::Open { stream, needs_leader } => self.open(stream, needs_leader),
            WatchInput::Close(stream) => self.close(stream),
            WatchInput::Now(revision) => self.note_now(revision),
            WatchInput::Create(stream, request) => self.create(stream, Ask::read(&request)),
            WatchInput::Cancel(stream, id) => self.cancel(stream, id),
            WatchInput::Progress(stream) => self.answer_progress(stream),
            WatchInput::Published { changes, revision, compacted } => {
                self.publish(&changes, revision);
                self.compact(compacted);
            }
            WatchInput::Installed { revision, compacted } => self.install(revision, compacted),
            WatchInput::History(past) => self.on_history(&past),
            WatchInput::Compacted(mark) => self.on_compacted(mark),
            WatchInput::Drained { stream, bytes } => self.on_drained(stream, bytes),
            WatchInput::Leader { term, known } => self.on_leader(term, known),
            WatchInput::Tick(ticks) => self.on_tick(ticks),
            WatchInput::Stop => self.stop(),
        }
        self.fetch();
        self.check_invariants();
        out.append(&mut self.out);
    }

    /// How many there are.
    #[must_use]
    pub fn census(&self) -> Census {
        let slow = self.unsynced.len() + self.lagging.len();
        Census { streams: self.streams.len(), watchers: self.watchers.len(), slow }
    }

    /// The newest revision that was published.
    #[must_use]
    pub fn published(&self) -> i64 {
        self.published
    }

    /// Bytes that a stream was sent and has not read; none if it is not open.
    #[must_use]
    pub fn queued(&self, stream: StreamId) -> Option<usize> {
        self.streams.get(&stream).map(Stream::queued)
    }

    fn open(&mut self, id: StreamId, needs_leader: bool) {
        let before = self.streams.insert(id, Stream::new(needs_leader));
        assert!(before.is_none(), "{id} was opened twice");
        if self.stopped {
            self.end(id, Ending::Stopped);
        } else if needs_leader && self.leaderless.is_some() {
            self.end(id, Ending::NoLeader);
        }
    }

    fn close(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let due = stream.due.take();
        for watcher in core::mem::take(&mut stream.watchers).into_values() {
            self.forget(watcher);
        }
        self.disarm(id, due);
        self.streams.remove(&id);
    }

    fn end(&mut self, id: StreamId, why: Ending) {
        self.close(id);
        self.out.push(WatchOutput::End(id, why));
    }

    fn stop(&mut self) {
        self.stopped = true;
        let all: Vec<StreamId> = self.streams.keys().copied().collect();
        all.into_iter().for_each(|id| self.end(id, Ending::Stopped));
    }

    fn note_now(&mut self, revision: i64) {
        assert!(revision >= self.published, "the store is behind what it has published");
        self.now = revision;
    }

    fn create(&mut self, id: StreamId, ask: Result<Ask, Refused>) {
        assert!(self.now >= self.published, "whoever creates a watcher says what is now");
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let named = ask.and_then(|ask| stream.name(ask.id).map(|name| (name, ask)));
        let (name, refused) = match &named {
            Ok((name, _)) => (*name, None),
            Err(refused) => (WatchId(-1), Some(*refused)),
        };
        let response = WatchResponse {
            watch_id: name.0,
            created: true,
            canceled: refused.is_some(),
            cancel_reason: refused.map_or(Default::default(), |why| why.reason().to_string()),
            ..self.response(self.now)
        };
        self.send(id, Message::bare(response));
        if let Ok((name, ask)) = named {
            self.admit(id, name, ask);
        }
    }

    fn admit(&mut self, stream: StreamId, name: WatchId, ask: Ask) {
        let soon = i64::from(planted!(self.settings.planted, Bug::WatchFromNowStartsLate));
        let start = ask.start.unwrap_or(self.now + 1 + soon);
        self.last += 1;
        let id = WatcherId(self.last);
        if ask.progress {
            self.arm(stream);
        }
        // Revision 1 changed nothing. But it can be given up, and whoever asks for it is told so.
        let next = if start < self.compacted { start } else { start.max(FIRST) };
        self.enroll(id, Watcher::new(stream, name, ask), next);
        self.overtake();
    }

    fn cancel(&mut self, id: StreamId, name: WatchId) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let mut found = stream.watchers.remove(&name);
        if planted!(self.settings.planted, Bug::CancelUnknownEndsZero) && found.is_none() {
            found = stream.watchers.remove(&WatchId(0));
        }
        let Some(watcher) = found else { return };
        self.forget(watcher);
        let newest = self.now.max(self.published);
        let response = WatchResponse { watch_id: name.0, canceled: true, ..self.response(newest) };
        self.send(id, Message::bare(response));
    }

    /// A response of this member that shows the store at `revision`.
    fn response(&self, revision: i64) -> WatchResponse {
        let Settings { cluster, member, .. } = self.settings;
        let header = Header { cluster, member, term: self.term };
        WatchResponse { header: Some(header.at(revision)), ..WatchResponse::default() }
    }

    fn send(&mut self, id: StreamId, message: Message) {
        let stream = self.streams.get_mut(&id).expect("a message goes to an open stream");
        stream.send(message.encoded_len());
        self.out.push(WatchOutput::Send(id, message));
    }

    fn check_invariants(&self) {
        let waiting = self.future.len() + self.unsynced.len() + self.lagging.len();
        assert_eq!(self.synced.len() + waiting, self.watchers.len(), "T1: each in one group");
        assert_eq!(self.seekers.len(), self.unsynced.len(), "T1: unsynced ones are seekers");
        let soonest = self.future.first().map_or(i64::MAX, |(next, _)| *next);
        assert!(soonest > self.published + 1, "T1: revision {soonest} is not ahead");
        for behind in [&self.unsynced, &self.lagging] {
            let newest = behind.last().map_or(0, |(next, _)| *next);
            assert!(newest <= self.published, "T1: revision {newest} is no history yet");
        }
    }
}
