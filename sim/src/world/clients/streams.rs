//! Streams of watchers, as their clients see them.
//!
//! ```text
//!   watch --Create--> hub ..> created, events, progress ..> read one by one, at the client's pace
//!                                                             each read --Drained--> hub
//!   the stream breaks: every watcher begins anew, from the revision after the last one it saw
//!   compacted:         it begins anew at the compact mark
//! ```
//! A client that reads slowly is what moves watchers aside; a client that comes back is what
//! resuming is for. Every watcher, each time that it begins, is a watch of its own in the record.
//!
//! Not here: one watcher and what it has seen (`watcher.rs`).

use std::collections::{BTreeMap, VecDeque};

use quorate_checks::history as said;
use quorate_core::api::etcdserverpb::{WatchCreateRequest, WatchResponse};
use quorate_core::watch::{StreamId, WatchId, WatchInput};

use super::super::{Event, World};
use super::call::watch_request;
use super::watcher::{Course, Watcher};
use crate::clock::Micros;
use crate::counters::Counter;
use crate::plan::{Stream, Watch};

/// A watch id that nobody has.
const UNKNOWN: i64 = 1_000;

/// A stream by its client and the client's own count.
type Place = (usize, Stream);

/// All streams of a run.
#[derive(Debug, Default)]
pub struct Streams {
    taps: BTreeMap<Place, Tap>,
    /// Whose a connection is.
    by_id: BTreeMap<StreamId, Place>,
    opened: u64,
    record: Vec<said::Watch>,
}

/// One stream of a client.
#[derive(Debug)]
struct Tap {
    link: Option<Link>,
    /// From one message to the next.
    pace: Micros,
    /// What arrived and was not read, each with its size.
    queue: VecDeque<(WatchResponse, usize)>,
    /// Bytes of these.
    unread: usize,
    watchers: Vec<Watcher>,
}

/// A connection to a life of a member.
#[derive(Clone, Copy, Debug)]
struct Link {
    id: StreamId,
    at: usize,
    boot: u64,
}

impl Streams {
    /// Whether every watcher has seen everything up to a revision.
    pub fn have_seen(&self, revision: i64) -> bool {
        self.taps.values().flat_map(|tap| &tap.watchers).all(|watcher| watcher.has_seen(revision))
    }

    /// How far the first watcher is that has not seen a revision.
    pub fn laggard(&self, revision: i64) -> Option<String> {
        let late = |tap: &Tap| {
            tap.watchers.iter().find(|it| !it.has_seen(revision)).map(Watcher::to_string)
        };
        self.taps.iter().find_map(|((client, _), tap)| Some(format!("c{client}: {}", late(tap)?)))
    }

    /// The record. What still runs has not ended.
    pub fn close(&mut self) -> Vec<said::Watch> {
        let running = std::mem::take(&mut self.taps).into_values().flat_map(|tap| tap.watchers);
        let asked = running.filter(|watcher| !watcher.is_new());
        self.record.extend(asked.map(|watcher| watcher.over(said::WatchEnd::Running)));
        std::mem::take(&mut self.record)
    }
}

impl World {
    /// A client begins to watch.
    pub(super) fn watch(&mut self, client: usize, number: u32, watch: &Watch) {
        let caller = &self.clients.list[client];
        let start =
            watch.from.map_or(0, |point| caller.sight.revision(point, &self.clients.rumours));
        let request = watch_request(watch, start);
        let place = (client, watch.stream);
        let pace = self.plan.settings.service;
        let tap = self.clients.streams.taps.entry(place);
        let tap = tap.or_insert_with(|| Tap {
            link: None,
            pace,
            queue: VecDeque::new(),
            unread: 0,
            watchers: Vec::new(),
        });
        tap.watchers.push(Watcher::new(client, number, request));
        if tap.link.is_none() {
            return self.connect(client, watch.stream);
        }
        self.begin_watchers(place);
    }

    /// Opens a stream, or tries again after a while.
    pub(in crate::world) fn connect(&mut self, client: usize, stream: Stream) {
        let place = (client, stream);
        let Some(tap) = self.clients.streams.taps.get(&place) else { return };
        if tap.link.is_some() || tap.watchers.is_empty() {
            return;
        }
        let at = self.clients.list[client].member;
        let boot = self.hosts[at].boot().filter(|_| self.hosts[at].store().is_some());
        let Some(boot) = boot else {
            self.clients.list[client].member = (at + 1) % self.hosts.len();
            return self.after(self.plan.settings.heartbeat, Event::Connect { client, stream });
        };
        let streams = &mut self.clients.streams;
        streams.opened += 1;
        let id = StreamId(streams.opened);
        streams.by_id.insert(id, place);
        if let Some(tap) = streams.taps.get_mut(&place) {
            tap.link = Some(Link { id, at, boot });
        }
        self.trace.event(self.now, format_args!("c{client} opens {id} to n{}", at + 1));
        self.tell_hub(at, WatchInput::Open { stream: id, needs_leader: false });
        self.begin_watchers(place);
    }

    /// Asks for each watcher of a connected stream that was not asked for yet.
    fn begin_watchers(&mut self, place: Place) {
        let now = self.now;
        let Some(tap) = self.clients.streams.taps.get_mut(&place) else { return };
        let Some(Link { id, at, boot }) = tap.link else { return };
        let fresh = tap.watchers.iter_mut().filter(|watcher| watcher.is_new());
        let asked: Vec<WatchCreateRequest> =
            fresh.map(|watcher| watcher.begin(now, id, at, boot)).collect();
        for request in asked {
            self.counters.count(Counter::Watches);
            self.tell_hub(at, WatchInput::Create(id, request));
        }
    }

    /// A client lets the watcher go that an operation began.
    pub(super) fn cancel(&mut self, client: usize, op: u32) {
        let now = self.now;
        let mut due = Vec::new();
        for ((owner, _), tap) in &mut self.clients.streams.taps {
            let Some(link) = tap.link.filter(|_| *owner == client) else { continue };
            let named = tap.watchers.iter_mut().filter(|watcher| watcher.op() == op);
            due.extend(named.filter_map(|watcher| Some((link, watcher.cancel(now)?))));
        }
        if due.is_empty() {
            // It has ended meanwhile, or never came to be: the client cannot know.
            let mut taps = self.clients.streams.taps.iter();
            let own = taps.find_map(|((owner, _), tap)| tap.link.filter(|_| *owner == client));
            due.extend(own.map(|link| (link, UNKNOWN)));
        }
        for (link, id) in due {
            self.tell_hub(link.at, WatchInput::Cancel(link.id, WatchId(id)));
        }
    }

    /// A client asks a stream how far it has come.
    pub(super) fn ask_progress(&mut self, client: usize, stream: Stream) {
        let link = self.clients.streams.taps.get(&(client, stream)).and_then(|tap| tap.link);
        if let Some(Link { id, at, .. }) = link {
            self.tell_hub(at, WatchInput::Progress(id));
        }
    }

    /// A client reads a stream at another pace.
    pub(super) fn pace(&mut self, client: usize, stream: Stream, every: Micros) {
        if let Some(tap) = self.clients.streams.taps.get_mut(&(client, stream)) {
            tap.pace = every.max(1);
        }
    }

    /// A client drops a stream.
    pub(super) fn close_stream(&mut self, client: usize, stream: Stream) {
        let Some(tap) = self.clients.streams.taps.remove(&(client, stream)) else { return };
        let at = said::Micros(self.now);
        let dropped = tap.watchers.into_iter().filter(|watcher| !watcher.is_new());
        let dropped = dropped.map(|watcher| watcher.over(said::WatchEnd::Dropped { at }));
        self.clients.streams.record.extend(dropped);
        if let Some(Link { id, at, .. }) = tap.link {
            self.clients.streams.by_id.remove(&id);
            self.tell_hub(at, WatchInput::Close(id));
        }
    }

    /// A message arrives at a client.
    pub(in crate::world) fn put_into_stream(
        &mut self,
        id: StreamId,
        told: WatchResponse,
        size: usize,
    ) {
        let Some((client, stream)) = self.clients.streams.by_id.get(&id).copied() else { return };
        let Some(tap) = self.clients.streams.taps.get_mut(&(client, stream)) else { return };
        let full = self.plan.settings.watch_queue as usize;
        let was_full = tap.unread >= full;
        tap.unread += size;
        self.counters.add(Counter::StreamsFull, u64::from(!was_full && tap.unread >= full));
        tap.queue.push_back((told, size));
        if tap.queue.len() == 1 {
            let pace = tap.pace;
            self.after(pace, Event::Look { client, stream });
        }
    }

    /// A client reads the next message of a stream.
    pub(in crate::world) fn look(&mut self, client: usize, stream: Stream) {
        let now = self.now;
        let place = (client, stream);
        let Some(tap) = self.clients.streams.taps.get_mut(&place) else { return };
        let Some((told, bytes)) = tap.queue.pop_front() else { return };
        tap.unread -= bytes;
        let (pace, more) = (tap.pace, !tap.queue.is_empty());
        let courses = take_in(&mut tap.watchers, &told, now);
        let Some(Link { id, at, .. }) = tap.link else { return };
        if more {
            self.after(pace, Event::Look { client, stream });
        }
        self.tell_hub(at, WatchInput::Drained { stream: id, bytes });
        self.count_told(&told);
        self.settle(place, &courses);
    }

    /// Takes out the watchers that are over, and lets those begin anew that compaction overtook.
    fn settle(&mut self, place: Place, courses: &[(usize, Course)]) {
        let streams = &mut self.clients.streams;
        let Some(tap) = streams.taps.get_mut(&place) else { return };
        let mut overtaken = 0;
        for (at, course) in courses.iter().rev() {
            match course {
                Course::Runs => {}
                Course::Ended => streams.record.push(tap.watchers.remove(*at).canceled()),
                Course::Overtaken(mark) => {
                    overtaken += 1;
                    // At the end of the list, which is in the order in which they are asked for.
                    let ended = tap.watchers.remove(*at);
                    tap.watchers.push(ended.again(*mark));
                    streams.record.push(ended.canceled());
                }
            }
        }
        self.counters.add(Counter::WatchersCompacted, overtaken);
        self.begin_watchers(place);
    }

    /// A stream is over: its member said so.
    pub(in crate::world) fn end_stream(&mut self, id: StreamId, why: &str) {
        let Some(place) = self.clients.streams.by_id.remove(&id) else { return };
        self.break_tap(place, why);
    }

    /// A member is gone, and all streams to it.
    pub(in crate::world) fn break_streams(&mut self, at: usize) {
        let links = self.clients.streams.taps.values().filter_map(|tap| tap.link);
        let broken: Vec<StreamId> =
            links.filter(|link| link.at == at).map(|link| link.id).collect();
        for id in broken {
            self.end_stream(id, "connection lost");
        }
    }

    fn break_tap(&mut self, (client, stream): Place, why: &str) {
        let at = said::Micros(self.now);
        let streams = &mut self.clients.streams;
        let Some(tap) = streams.taps.get_mut(&(client, stream)) else { return };
        (tap.link, tap.queue, tap.unread) = (None, VecDeque::new(), 0);
        for watcher in std::mem::take(&mut tap.watchers) {
            if watcher.is_new() {
                tap.watchers.push(watcher);
                continue;
            }
            if !watcher.is_unwanted() {
                self.counters.count(Counter::WatchesResumed);
                tap.watchers.push(watcher.resumed());
            }
            streams.record.push(watcher.over(said::WatchEnd::Broken { at, why: why.to_owned() }));
        }
        self.after(self.plan.settings.heartbeat, Event::Connect { client, stream });
    }

    /// Asks every stream how far it is, and drops what waits for revisions that will not come.
    pub(in crate::world) fn hurry_streams(&mut self, revision: i64) {
        let pace = self.plan.settings.service;
        let mut due = Vec::new();
        for tap in self.clients.streams.taps.values_mut() {
            tap.pace = pace;
            let Some(Link { id, at, .. }) = tap.link else { continue };
            let early = tap.watchers.iter_mut().filter(|watcher| watcher.waits_for_later(revision));
            let early: Vec<i64> = early.filter_map(|watcher| watcher.cancel(self.now)).collect();
            due.extend(early.into_iter().map(|it| (at, WatchInput::Cancel(id, WatchId(it)))));
            if !tap.watchers.iter().all(|watcher| watcher.has_seen(revision)) {
                due.push((at, WatchInput::Progress(id)));
            }
        }
        due.into_iter().for_each(|(at, input)| self.tell_hub(at, input));
    }

    fn count_told(&mut self, told: &WatchResponse) {
        self.counters.add(Counter::WatchEvents, told.events.len() as u64);
        self.counters.add(Counter::Fragments, u64::from(told.fragment));
        let progress = !told.created && !told.canceled && told.events.is_empty();
        self.counters.add(Counter::ProgressMessages, u64::from(progress));
        self.counters.add(Counter::WatchesRefused, u64::from(told.created && told.canceled));
    }
}

/// Hands a message to the watchers that it speaks of. Returns what it means for each of them.
fn take_in(watchers: &mut [Watcher], told: &WatchResponse, now: Micros) -> Vec<(usize, Course)> {
    let concerned: Vec<usize> = if told.created {
        // Creations are answered in the order in which they were asked for.
        watchers.iter().position(Watcher::waits_for_creation).into_iter().collect()
    } else if told.watch_id == -1 {
        (0..watchers.len()).filter(|at| watchers[*at].id().is_some()).collect()
    } else {
        watchers.iter().position(|it| it.id() == Some(told.watch_id)).into_iter().collect()
    };
    concerned.into_iter().map(|at| (at, watchers[at].take_in(told, now))).collect()
}
