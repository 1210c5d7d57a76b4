//! One watcher as its client knows it, from the request to its end.
//!
//! Not here: the stream that carries it (`streams.rs`).

use std::fmt;

use quorate_checks::history as said;
use quorate_core::api::etcdserverpb::{WatchCreateRequest, WatchResponse};
use quorate_core::watch::StreamId;

use crate::clock::Micros;
use crate::record;

/// Watches of one operation are numbered so many apart: one for each time that it began anew.
const BEGINNINGS: u64 = 10_000;

/// A watcher.
#[derive(Debug)]
pub struct Watcher {
    op: u32,
    beginning: u64,
    client: usize,
    request: WatchCreateRequest,
    stage: Stage,
    /// The first revision that it has not seen whole, once that is known.
    next: Option<i64>,
    messages: Vec<said::WatchMessage>,
    /// When the client said that it does not want it any more.
    unwanted: Option<Micros>,
}

#[derive(Debug)]
enum Stage {
    New,
    Asked(Asked),
    Created(Asked, i64),
}

/// When and whom the client asked.
#[derive(Clone, Copy, Debug)]
struct Asked {
    invoked: Micros,
    stream: StreamId,
    at: usize,
    boot: u64,
}

/// What a message means for a watcher.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Course {
    /// It goes on.
    Runs,
    /// It is over.
    Ended,
    /// It is over, because compaction to this mark took what it had to see.
    Overtaken(i64),
}

impl Watcher {
    pub fn new(client: usize, op: u32, request: WatchCreateRequest) -> Self {
        let next = (request.start_revision > 0).then_some(request.start_revision);
        let (messages, unwanted) = (Vec::new(), None);
        Self { op, beginning: 0, client, request, stage: Stage::New, next, messages, unwanted }
    }

    pub fn op(&self) -> u32 {
        self.op
    }

    pub fn id(&self) -> Option<i64> {
        match self.stage {
            Stage::Created(_, id) => Some(id),
            Stage::New | Stage::Asked(_) => None,
        }
    }

    pub fn is_new(&self) -> bool {
        matches!(self.stage, Stage::New)
    }

    pub fn waits_for_creation(&self) -> bool {
        matches!(self.stage, Stage::Asked(_))
    }

    pub fn is_unwanted(&self) -> bool {
        self.unwanted.is_some()
    }

    pub fn has_seen(&self, revision: i64) -> bool {
        self.next.is_some_and(|next| next > revision)
    }

    /// Whether it waits for revisions that are still behind this one.
    pub fn waits_for_later(&self, revision: i64) -> bool {
        self.request.start_revision > revision
    }

    /// It is asked for.
    pub fn begin(
        &mut self,
        now: Micros,
        stream: StreamId,
        at: usize,
        boot: u64,
    ) -> WatchCreateRequest {
        self.stage = Stage::Asked(Asked { invoked: now, stream, at, boot });
        self.request.clone()
    }

    /// The client does not want it any more. Returns the id to cancel; none, if there is none yet.
    pub fn cancel(&mut self, now: Micros) -> Option<i64> {
        let id = self.id().filter(|_| self.unwanted.is_none())?;
        self.unwanted = Some(now);
        Some(id)
    }

    /// A message for it was read.
    pub fn take_in(&mut self, told: &WatchResponse, now: Micros) -> Course {
        self.messages.push(record::watch_message(told, now));
        let shown = told.header.as_ref().map_or(0, |header| header.revision);
        if told.created && !told.canceled {
            self.on_created(told.watch_id, shown);
        } else if told.canceled {
            let overtaken = told.compact_revision > 0 && self.unwanted.is_none();
            return if overtaken {
                Course::Overtaken(told.compact_revision)
            } else {
                Course::Ended
            };
        } else {
            self.on_told(told, shown);
        }
        Course::Runs
    }

    fn on_created(&mut self, id: i64, shown: i64) {
        if let Stage::Asked(asked) = self.stage {
            self.stage = Stage::Created(asked, id);
        }
        // A watch that begins now must remember when that was: etcd #11496.
        self.next.get_or_insert(shown + 1);
    }

    /// Of a cut message the last revision may be incomplete.
    fn on_told(&mut self, told: &WatchResponse, shown: i64) {
        let last = told.events.last().and_then(|event| event.kv.as_ref());
        let seen = match last {
            Some(kv) if told.fragment => kv.mod_revision - 1,
            Some(kv) => kv.mod_revision,
            None if told.fragment => return,
            None => shown,
        };
        self.next = self.next.max(Some(seen + 1));
    }

    /// Begins anew from where it was.
    pub fn resumed(&self) -> Self {
        self.again(self.next.unwrap_or(0))
    }

    /// Begins anew from a revision; 0 is now.
    pub fn again(&self, start: i64) -> Self {
        let request = WatchCreateRequest { start_revision: start, ..self.request.clone() };
        Self { beginning: self.beginning + 1, ..Self::new(self.client, self.op, request) }
    }

    /// Its record, when it was canceled.
    pub fn canceled(self) -> said::Watch {
        let asked = self.unwanted.map(said::Micros);
        self.over(said::WatchEnd::Canceled { asked })
    }

    /// Its record.
    pub fn over(self, end: said::WatchEnd) -> said::Watch {
        let (Stage::Asked(asked) | Stage::Created(asked, _)) = self.stage else {
            panic!("{self} was never asked for")
        };
        said::Watch {
            number: said::WatchNumber(u64::from(self.op) * BEGINNINGS + self.beginning),
            client: said::ClientId(self.client as u64),
            stream: said::StreamId(asked.stream.0),
            endpoint: Some(record::endpoint(asked.at, asked.boot)),
            invoked: said::Micros(asked.invoked),
            request: record::watch_request(&self.request),
            messages: self.messages,
            end,
        }
    }
}

impl fmt::Display for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let next = self.next.map_or_else(|| "now".to_owned(), |next| next.to_string());
        write!(f, "watch of operation {}, which must see {next} next", self.op)
    }
}
