//! The thread that drives core's `Watching`: requests and changes in, chunks for streams out.
//!
//! ```text
//!   watch service --requests--> inbox --> Watching --> messages --by stream--> outlets --> clients
//!   apply thread --tap--------->  ^                                               |
//!                                 +---- taken, closed ----------------------------+
//! ```
//! All messages of a round that go to one stream become one chunk and one wake. A long event is
//! not copied into it: the stream shares the bytes that the core encoded once.
//!
//! Not here: what is sent to whom. Core decides, this thread obeys.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes};
use prost::Message as _;
use quorate_core::actors::{Dispatch, Glance, Watching};
use quorate_core::request::MAX_REQUEST_BYTES;
use quorate_core::types::{Term, Ticks};
use quorate_core::wal::Identity;
use quorate_core::watch::{Ending, Fetch, Hub, Message, Settings, StreamId, WatchInput};
use tonic::Status;

use crate::serve::mailbox::{Line, Mailbox, Rest};
use crate::serve::outlet::{Chunk, Outlet};
use crate::serve::replica::Replica;
use crate::serve::tap::Tap;

const TICK: Duration = Duration::from_millis(10);
/// Requests of clients that may wait for the hub.
const INBOX: usize = 65_536;
/// Bytes that may wait in a stream before the hub holds back.
const QUEUE: usize = 2 << 20;
/// Bytes of a message of several revisions. Many clients take no more than 4 MiB.
const MESSAGE: usize = 256 << 10;
/// Above its limit for requests, etcd adds this for all that surrounds them (WA-13).
const FRAGMENT: usize = MAX_REQUEST_BYTES + (512 << 10);
/// Changes read under one lock, and watchers that catch up with them.
const FETCH: usize = 1000;
const COHORT: usize = 512;
/// An event of this many bytes is shared and not copied: that costs a write of its own.
const LONG: usize = 16 << 10;
/// What gRPC puts before a message: a flag and the length.
const PREFIX: usize = 5;

/// What the hub is asked and told.
#[derive(Clone)]
pub enum Errand {
    /// A client has come, and this is its way out.
    Open(StreamId, Arc<Outlet>, bool),
    /// Anything else.
    Input(WatchInput),
    /// Something may have changed that the hub looks at by itself: the leader.
    Nudge,
}

/// The hub as all others see it.
pub struct Watchers {
    /// What it is told.
    pub inbox: Mailbox<Errand>,
    /// What the applier tells it.
    pub tap: Tap,
    /// Events that were sent.
    pub events: AtomicU64,
    /// How many streams and watchers there are, and how many watchers are behind.
    pub census: [AtomicUsize; 3],
    last: AtomicU64,
}

impl Watchers {
    /// Before the first stream.
    pub fn new() -> Self {
        Self {
            inbox: Mailbox::new(INBOX),
            tap: Tap::default(),
            events: AtomicU64::new(0),
            census: Default::default(),
            last: AtomicU64::new(0),
        }
    }

    /// A number for a new stream.
    pub fn number(&self) -> StreamId {
        StreamId(self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Ends all streams and lets none in any more.
    pub fn stop(&self) {
        self.inbox.push(Errand::Input(WatchInput::Stop));
    }
}

/// What a hub of this server keeps to.
pub fn settings(identity: Identity, progress: Ticks, election: Ticks, seed: u64) -> Settings {
    Settings {
        cluster: identity.cluster,
        member: identity.member,
        queue: QUEUE,
        message: MESSAGE,
        fragment: FRAGMENT,
        fetch: FETCH,
        cohort: COHORT,
        progress,
        leaderless: Ticks(3 * election.0),
        seed,
        planted: None,
    }
}

/// What the thread owns.
pub struct HubThread {
    watching: Watching,
    replica: Arc<Replica>,
    outlets: HashMap<StreamId, Arc<Outlet>>,
    inputs: VecDeque<WatchInput>,
    /// Changes up to here are not news: the hub was told of them when the tap was opened.
    known: i64,
    leader: (Term, bool),
    /// When the last whole tick ended.
    clock: Instant,
}

impl HubThread {
    /// A hub without streams.
    pub fn new(settings: Settings, replica: Arc<Replica>) -> Self {
        let store = replica.store();
        let hub = Hub::new(settings, store.revision(), store.compact_revision());
        drop(store);
        Self {
            watching: Watching::new(hub),
            replica,
            outlets: HashMap::new(),
            inputs: VecDeque::new(),
            known: 0,
            leader: (Term::default(), false),
            clock: Instant::now(),
        }
    }

    /// Works until the inbox is closed and empty.
    pub fn run(mut self) {
        let replica = Arc::clone(&self.replica);
        let inbox = &replica.watchers.inbox;
        let (mut errands, mut more) = (Vec::new(), false);
        while inbox.take(&mut errands, self.until(more), Rest::SLEEP) == Line::Open {
            self.look_around();
            for errand in errands.drain(..) {
                self.note(errand);
            }
            self.turn_tap();
            let Dispatch { messages, endings, more: left } =
                self.watching.drain(&mut self.inputs, &*replica);
            self.send(messages);
            endings.into_iter().for_each(|(stream, why)| self.end(stream, why));
            self.publish_census();
            more = left || !self.inputs.is_empty();
        }
    }

    fn until(&self, more: bool) -> Option<Instant> {
        if more {
            return Some(Instant::now());
        }
        let rest = u32::try_from(self.watching.hub().rest()?.0).unwrap_or(u32::MAX);
        Some(self.clock + TICK * rest.max(1))
    }

    /// Time and leader, as far as they have changed.
    fn look_around(&mut self) {
        let ticks = self.clock.elapsed().as_nanos() / TICK.as_nanos();
        let ticks = u32::try_from(ticks).unwrap_or(u32::MAX);
        if ticks > 0 {
            self.clock += TICK * ticks;
            self.inputs.push_back(WatchInput::Tick(Ticks(u64::from(ticks))));
        }
        let view = self.replica.vitals.view();
        let leader = (view.term, view.leader.is_some());
        if leader != self.leader {
            self.leader = leader;
            self.inputs.push_back(WatchInput::Leader { term: leader.0, known: leader.1 });
        }
    }

    fn note(&mut self, errand: Errand) {
        match errand {
            Errand::Open(stream, outlet, needs_leader) => {
                self.outlets.insert(stream, outlet);
                self.inputs.push_back(WatchInput::Open { stream, needs_leader });
            }
            Errand::Input(WatchInput::Published { changes, revision, compacted }) => {
                self.replica.watchers.tap.note_taken(changes.len());
                let only_mark = changes.is_empty() && revision == self.known;
                if revision > self.known || only_mark {
                    self.inputs.push_back(WatchInput::Published { changes, revision, compacted });
                }
            }
            Errand::Input(input) => {
                if let WatchInput::Close(stream) = input {
                    self.outlets.remove(&stream);
                }
                self.inputs.push_back(input);
            }
            Errand::Nudge => {}
        }
    }

    /// Somebody watches: changes must come. Nobody does: they need not.
    fn turn_tap(&mut self) {
        let tap = &self.replica.watchers.tap;
        if self.outlets.is_empty() {
            tap.shut();
        } else if !tap.is_open() {
            let opened = tap.open(&self.replica.store());
            if let WatchInput::Installed { revision, .. } = opened {
                self.known = revision;
            }
            self.inputs.push_back(opened);
        }
    }

    fn send(&mut self, mut messages: Vec<(StreamId, Message)>) {
        messages.sort_by_key(|(stream, _)| *stream);
        let mut events = 0;
        for of_stream in messages.chunk_by(|(a, _), (b, _)| a == b) {
            events += of_stream.iter().map(|(_, message)| message.segments().len()).sum::<usize>();
            let stream = of_stream[0].0;
            // A client may have gone this very moment.
            let Some(outlet) = self.outlets.get(&stream) else { continue };
            let bytes = outlet.put(chunks(of_stream.iter().map(|(_, message)| message)));
            if bytes > 0 {
                self.inputs.push_back(WatchInput::Drained { stream, bytes });
            }
        }
        self.replica.watchers.events.fetch_add(events as u64, Ordering::Relaxed);
    }

    fn end(&mut self, stream: StreamId, why: Ending) {
        if let Some(outlet) = self.outlets.remove(&stream) {
            outlet.end(Status::unavailable(why.reason()));
        }
    }

    fn publish_census(&self) {
        let census = self.watching.hub().census();
        let counts = [census.streams, census.watchers, census.slow];
        for (shown, count) in self.replica.watchers.census.iter().zip(counts) {
            shown.store(count, Ordering::Relaxed);
        }
    }
}

impl Glance for Replica {
    fn revision(&self) -> i64 {
        self.store().revision()
    }

    fn read(&self, fetch: Fetch) -> WatchInput {
        fetch.read(&self.store())
    }
}

/// Messages as gRPC frames, one behind the other.
fn chunks<'a>(messages: impl Iterator<Item = &'a Message> + Clone) -> Vec<Chunk> {
    let size = |message: &Message| {
        let long = |event: &&Bytes| event.len() >= LONG;
        let shared: usize = message.segments().iter().filter(long).map(Bytes::len).sum();
        PREFIX + message.encoded_len() - shared
    };
    let mut chunks = Chunks::with_room(messages.clone().map(size).sum());
    messages.for_each(|message| chunks.add(message));
    chunks.close();
    chunks.done
}

/// Chunks in the making.
struct Chunks {
    done: Vec<Chunk>,
    open: Vec<u8>,
    /// How much of the open chunk is prefixes.
    prefixes: usize,
}

impl Chunks {
    fn with_room(bytes: usize) -> Self {
        Self { done: Vec::new(), open: Vec::with_capacity(bytes), prefixes: 0 }
    }

    fn add(&mut self, message: &Message) {
        let len = message.encoded_len();
        self.open.put_u8(0);
        self.open.put_u32(u32::try_from(len).expect("a message is below 4 GiB"));
        self.prefixes += PREFIX;
        message.head().encode_raw(&mut self.open);
        for event in message.segments() {
            if event.len() < LONG {
                self.open.put_slice(event);
            } else {
                self.close();
                self.done.push(Chunk { bytes: event.clone(), weight: event.len() });
            }
        }
    }

    fn close(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let bytes = Bytes::from(std::mem::take(&mut self.open));
        let weight = bytes.len() - std::mem::take(&mut self.prefixes);
        self.done.push(Chunk { bytes, weight });
    }
}
