//! A hub beside a ledger, with clients that read their streams when they like.
//!
//! ```text
//!   ledger --transact--> unpublished --publish--> Watching --> streams --read--> judges
//! ```
//! The ledger may be ahead of what was published, as a store is.

use std::collections::{BTreeMap, VecDeque};

use quorate_core::actors::{Dispatch, Watching};
use quorate_core::api::etcdserverpb::WatchCreateRequest;
use quorate_core::planted::Bug;
use quorate_core::store::Written;
use quorate_core::types::{ClusterId, NodeId, Term, Ticks};
use quorate_core::watch::{Ending, Hub, Message, Settings, StreamId, WatchId, WatchInput};

use crate::judge::Judge;
use crate::ledger::{Ledger, Op};

/// Small enough that everything happens.
pub const SETTINGS: Settings = Settings {
    cluster: ClusterId(0xc),
    member: NodeId(0xe),
    queue: 600,
    message: 150,
    fragment: 200,
    fetch: 5,
    cohort: 3,
    progress: Ticks(100),
    leaderless: Ticks(300),
    seed: 1,
    planted: None,
};

pub struct Rig {
    pub ledger: Ledger,
    pub watching: Watching,
    /// Happened and not published.
    unpublished: Vec<Written>,
    pub streams: BTreeMap<StreamId, Stream>,
    /// Whether somebody is catching up.
    pub more: bool,
    /// The most that ever waited in one stream, less the last message of events.
    pub fullest: usize,
}

/// A stream as its client sees it.
#[derive(Default)]
pub struct Stream {
    /// Sent and not read.
    pub waiting: VecDeque<Message>,
    /// What it makes of what it has read.
    pub judge: Judge,
    pub ended: Option<Ending>,
}

impl Rig {
    pub fn new(settings: Settings) -> Self {
        let mut rig = Self {
            ledger: Ledger::default(),
            watching: Watching::new(Hub::new(settings, 1, 0)),
            unpublished: Vec::new(),
            streams: BTreeMap::new(),
            more: false,
            fullest: 0,
        };
        rig.input(WatchInput::Leader { term: Term(3), known: true });
        rig
    }

    pub fn planted(bug: Option<Bug>) -> Self {
        Self::new(Settings { planted: bug, ..SETTINGS })
    }

    pub fn input(&mut self, input: WatchInput) {
        let mut inputs = VecDeque::from([input]);
        let Dispatch { messages, endings, more } = self.watching.drain(&mut inputs, &self.ledger);
        self.more = more;
        for (id, message) in messages {
            let stream = self.streams.get_mut(&id).expect("a stream that is open");
            let before: usize = stream.waiting.iter().map(Message::encoded_len).sum();
            if !message.segments().is_empty() && !message.head().fragment {
                self.fullest = self.fullest.max(before);
            }
            stream.judge.note_sent(&message, &self.ledger);
            stream.waiting.push_back(message);
        }
        for (id, why) in endings {
            self.streams.get_mut(&id).unwrap().ended = Some(why);
        }
    }

    /// Lets the hub catch up by one piece.
    pub fn catch_up(&mut self) {
        self.input(WatchInput::Tick(Ticks(0)));
    }

    pub fn open(&mut self, stream: u64) {
        self.streams.insert(StreamId(stream), Stream::default());
        self.input(WatchInput::Open { stream: StreamId(stream), needs_leader: false });
    }

    pub fn create(&mut self, stream: u64, request: WatchCreateRequest) {
        let now = self.ledger.current();
        let open = self.streams.get_mut(&StreamId(stream)).unwrap();
        open.judge.asked(request.clone(), now);
        self.input(WatchInput::Create(StreamId(stream), request));
    }

    pub fn cancel(&mut self, stream: u64, watch: i64) {
        self.input(WatchInput::Cancel(StreamId(stream), WatchId(watch)));
    }

    /// A transaction that is not published yet.
    pub fn transact(&mut self, ops: &[Op]) {
        let written = self.ledger.transact(ops);
        self.unpublished.extend(written);
    }

    /// Publishes what happened, up to some revision.
    pub fn publish_to(&mut self, revision: i64) {
        let revision = revision.min(self.ledger.current());
        let later = self.unpublished.partition_point(|change| change.at.main <= revision);
        let changes: Vec<Written> = self.unpublished.drain(..later).collect();
        let revision = revision.max(self.watching.hub().published());
        // A mark ahead of what is published here is not known here yet.
        let compacted = if self.ledger.mark <= revision { self.ledger.mark } else { 0 };
        self.input(WatchInput::Published { changes, revision, compacted });
    }

    pub fn publish(&mut self) {
        self.publish_to(i64::MAX);
    }

    /// A transaction, published at once.
    pub fn put(&mut self, key: &'static str, value: &str) {
        self.transact(&[Op::Put(key, value.to_owned())]);
        self.publish();
    }

    /// What happened and was not published comes as a snapshot.
    pub fn install(&mut self) {
        self.unpublished.clear();
        let (revision, compacted) = (self.ledger.current(), self.ledger.mark);
        self.input(WatchInput::Installed { revision, compacted });
    }

    /// A client reads one message.
    pub fn read(&mut self, stream: u64) -> Option<Message> {
        let id = StreamId(stream);
        let open = self.streams.get_mut(&id)?;
        let message = open.waiting.pop_front()?;
        open.judge.read(&message, &self.ledger);
        let bytes = message.encoded_len();
        self.input(WatchInput::Drained { stream: id, bytes });
        Some(message)
    }

    /// A client reads all that there is, and the hub catches up meanwhile. Returns it as text.
    pub fn read_all(&mut self, stream: u64) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            while let Some(message) = self.read(stream) {
                told.push(message.to_string());
            }
            if !self.more && self.streams[&StreamId(stream)].waiting.is_empty() {
                return told;
            }
            self.catch_up();
        }
    }

    /// Everybody reads everything, and nothing may be missing then.
    pub fn settle(&mut self) {
        self.publish();
        let streams: Vec<u64> = self.streams.keys().map(|id| id.0).collect();
        for _ in 0..2 {
            streams.iter().for_each(|stream| drop(self.read_all(*stream)));
        }
        assert_eq!(self.watching.hub().census().slow, 0, "somebody is still behind");
        for stream in self.streams.values() {
            stream.judge.has_all(&self.ledger);
        }
    }
}

/// A request for one key, or for `[key, end)`.
pub fn watch(key: &str, end: &str) -> WatchCreateRequest {
    WatchCreateRequest {
        key: key.as_bytes().to_vec().into(),
        range_end: end.as_bytes().to_vec().into(),
        ..Default::default()
    }
}

/// The same from a revision on.
pub fn watch_from(key: &str, end: &str, start_revision: i64) -> WatchCreateRequest {
    WatchCreateRequest { start_revision, ..watch(key, end) }
}
