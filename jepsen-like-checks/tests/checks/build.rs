//! Histories by hand: one line per operation, times as a range, the answer at the end.
//!
//! ```text
//! put(1, 10..20, "a", "x").made(2)                          acknowledged at revision 2
//! get(2, 30..40, "a").shows(2, &[kv("a", "x", 2, 2, 1)])    create, mod, version
//! put(3, 50..60, "a", "y").lost()                           no answer
//! ```
//!
//! Each operation is its own client unless told otherwise.

use std::num::NonZeroU64;
use std::ops::Range;

use quorate_checks::history::{
    ByteString, ClientId, CompactRequest, CompactResponse, DeleteRangeRequest, DeleteRangeResponse,
    History, KeyValue, Lease, Micros, OpNumber, Operation, Outcome, PutRequest, PutResponse,
    RangeRequest, RangeResponse, Refusal, Request, Response, Revision, StreamId, TxnOperation,
    TxnRequest, TxnResponse, TxnResult, Watch, WatchEnd, WatchEvent, WatchMessage, WatchNumber,
    WatchRequest,
};
use quorate_checks::linearizable::{Budget, Flaw, OrderFault, Rejection, Verdict, guided, wgl};

/// An operation that waits for its answer.
pub struct Draft {
    number: u64,
    client: u64,
    times: Range<u64>,
    request: Request,
}

pub fn put(number: u64, times: Range<u64>, key: &str, value: &str) -> Draft {
    let (key, value) = (ByteString::from(key), ByteString::from(value));
    draft(number, times, Request::Put(PutRequest { key, value, ..PutRequest::default() }))
}

pub fn get(number: u64, times: Range<u64>, key: &str) -> Draft {
    range(number, times, key, "")
}

pub fn range(number: u64, times: Range<u64>, key: &str, end: &str) -> Draft {
    let (key, range_end) = (ByteString::from(key), ByteString::from(end));
    draft(number, times, Request::Range(RangeRequest { key, range_end, ..Default::default() }))
}

pub fn delete(number: u64, times: Range<u64>, key: &str, end: &str) -> Draft {
    let (key, range_end) = (ByteString::from(key), ByteString::from(end));
    let request = DeleteRangeRequest { key, range_end, prev_kv: false };
    draft(number, times, Request::DeleteRange(request))
}

fn draft(number: u64, times: Range<u64>, request: Request) -> Draft {
    Draft { number, client: number, times, request }
}

pub fn txn_puts(number: u64, times: Range<u64>, puts: &[(&str, &str)]) -> Draft {
    let put = |(key, value): &(&str, &str)| {
        let (key, value) = (ByteString::from(*key), ByteString::from(*value));
        TxnOperation::Put(PutRequest { key, value, ..PutRequest::default() })
    };
    let success = puts.iter().map(put).collect();
    draft(number, times, Request::Txn(TxnRequest { success, ..TxnRequest::default() }))
}

pub fn compact(number: u64, times: Range<u64>, revision: i64) -> Draft {
    let revision = Revision(revision);
    draft(number, times, Request::Compact(CompactRequest { revision, physical: false }))
}

pub fn request(number: u64, times: Range<u64>, request: Request) -> Draft {
    draft(number, times, request)
}

/// A watch that is being written down. Messages come one microsecond after the other, from 100 on.
pub struct Watching(Watch);

pub fn watching(number: u64, key: &str, end: &str) -> Watching {
    let (key, range_end) = (ByteString::from(key), ByteString::from(end));
    Watching(Watch {
        number: WatchNumber(number),
        client: ClientId(number),
        stream: StreamId(number),
        endpoint: None,
        invoked: Micros(99),
        request: WatchRequest { key, range_end, ..WatchRequest::default() },
        messages: vec![WatchMessage {
            at: Micros(100),
            revision: Revision(1),
            watch_id: 0,
            created: true,
            canceled: false,
            compact_revision: None,
            cancel_reason: String::new(),
            fragment: false,
            events: vec![],
        }],
        end: WatchEnd::Running,
    })
}

impl Watching {
    pub fn watch(self) -> Watch {
        self.0
    }

    pub fn from(mut self, start: i64) -> Self {
        self.0.request.start_revision = Some(Revision(start));
        self
    }

    pub fn created_at(mut self, revision: i64) -> Self {
        self.0.messages[0].revision = Revision(revision);
        self
    }

    pub fn at(mut self, at: u64) -> Self {
        self.0.messages[0].at = Micros(at);
        self
    }

    pub fn no_delete(mut self) -> Self {
        self.0.request.no_delete = true;
        self
    }

    pub fn prev(mut self) -> Self {
        self.0.request.prev_kv = true;
        self
    }

    pub fn cuts(mut self) -> Self {
        self.0.request.fragment = true;
        self
    }

    fn message(mut self, revision: i64, change: impl FnOnce(&mut WatchMessage)) -> Self {
        let last = self.0.messages.last().expect("the first is there");
        let mut message = WatchMessage {
            at: Micros(last.at.0 + 1),
            revision: Revision(revision),
            created: false,
            canceled: false,
            compact_revision: None,
            fragment: false,
            events: vec![],
            ..last.clone()
        };
        change(&mut message);
        self.0.messages.push(message);
        self
    }

    pub fn tells(self, revision: i64, events: &[WatchEvent]) -> Self {
        self.message(revision, |message| message.events = events.to_vec())
    }

    pub fn part(self, revision: i64, events: &[WatchEvent]) -> Self {
        self.message(revision, |message| {
            message.events = events.to_vec();
            message.fragment = true;
        })
    }

    pub fn progress(self, revision: i64) -> Self {
        self.message(revision, |_| {})
    }

    pub fn cancels(self, revision: i64) -> Self {
        self.message(revision, |message| message.canceled = true)
    }

    pub fn compacted(self, mark: i64) -> Self {
        self.message(0, |message| {
            message.canceled = true;
            message.compact_revision = Some(Revision(mark));
        })
    }
}

pub fn kv(key: &str, value: &str, create: i64, modified: i64, version: i64) -> KeyValue {
    KeyValue {
        key: ByteString::from(key),
        value: ByteString::from(value),
        create_revision: Revision(create),
        mod_revision: Revision(modified),
        version,
        lease: None,
    }
}

impl Draft {
    pub fn by(self, client: u64) -> Self {
        Self { client, ..self }
    }

    fn change(mut self, change: impl FnOnce(&mut RangeRequest)) -> Self {
        match &mut self.request {
            Request::Range(range) => change(range),
            other => panic!("only ranges have this: {other}"),
        }
        self
    }

    pub fn limit(self, limit: u64) -> Self {
        self.change(|range| range.limit = NonZeroU64::new(limit))
    }

    pub fn at(self, revision: i64) -> Self {
        self.change(|range| range.revision = Some(Revision(revision)))
    }

    pub fn serializable(self) -> Self {
        self.change(|range| range.serializable = true)
    }

    pub fn count_only(self) -> Self {
        self.change(|range| range.count_only = true)
    }

    pub fn keys_only(self) -> Self {
        self.change(|range| range.keys_only = true)
    }

    /// Attaches a put to a lease.
    pub fn leased(mut self, lease: i64) -> Self {
        match &mut self.request {
            Request::Put(put) => put.lease = Lease::new(lease),
            other => panic!("only puts have this: {other}"),
        }
        self
    }

    /// Asks a write for what was there before.
    pub fn prev(mut self) -> Self {
        match &mut self.request {
            Request::Put(put) => put.prev_kv = true,
            Request::DeleteRange(delete) => delete.prev_kv = true,
            other => panic!("only writes have this: {other}"),
        }
        self
    }

    fn ends(self, outcome: impl FnOnce(Micros) -> Outcome) -> Operation {
        Operation {
            number: OpNumber(self.number),
            client: ClientId(self.client),
            endpoint: None,
            invoked: Micros(self.times.start),
            request: self.request,
            outcome: outcome(Micros(self.times.end)),
        }
    }

    fn answers(self, response: Response) -> Operation {
        self.ends(|returned| Outcome::Ok { returned, response })
    }

    /// A put that made this revision.
    pub fn made(self, revision: i64) -> Operation {
        self.replaced(revision, None)
    }

    /// A put that made this revision and reports what was there before.
    pub fn replaced(self, revision: i64, prev_kv: Option<KeyValue>) -> Operation {
        self.answers(Response::Put(PutResponse { revision: Revision(revision), prev_kv }))
    }

    /// A range that shows all there is.
    pub fn shows(self, revision: i64, kvs: &[KeyValue]) -> Operation {
        self.shows_of(revision, kvs, false, kvs.len() as i64)
    }

    /// A range with all that it says.
    pub fn shows_of(self, revision: i64, kvs: &[KeyValue], more: bool, count: i64) -> Operation {
        let revision = Revision(revision);
        self.answers(Response::Range(RangeResponse { revision, kvs: kvs.to_vec(), more, count }))
    }

    /// A delete that removed so many keys.
    pub fn deleted(self, revision: i64, deleted: i64) -> Operation {
        self.removed_of(revision, deleted, &[])
    }

    /// A delete with all that it says.
    pub fn removed_of(self, revision: i64, deleted: i64, prev_kvs: &[KeyValue]) -> Operation {
        let (revision, prev_kvs) = (Revision(revision), prev_kvs.to_vec());
        self.answers(Response::DeleteRange(DeleteRangeResponse { revision, deleted, prev_kvs }))
    }

    /// A transaction of puts only, all of which made this revision.
    pub fn txn_made(self, revision: i64) -> Operation {
        let Request::Txn(txn) = &self.request else { panic!("only transactions have this") };
        let revision = Revision(revision);
        let put = |_| TxnResult::Put(PutResponse { revision, prev_kv: None });
        let responses = txn.success.iter().map(put).collect();
        self.answers(Response::Txn(TxnResponse { revision, succeeded: true, responses }))
    }

    /// A compaction of a store at this revision.
    pub fn compacted_at(self, revision: i64) -> Operation {
        self.answers(Response::Compact(CompactResponse { revision: Revision(revision) }))
    }

    pub fn answered(self, response: Response) -> Operation {
        self.answers(response)
    }

    pub fn refused(self) -> Operation {
        self.refused_with("etcdserver: too many requests")
    }

    pub fn refused_with(self, message: &str) -> Operation {
        let refusal = Refusal { code: "Unknown".to_owned(), message: message.to_owned() };
        self.ends(|returned| Outcome::Refused { returned, refusal })
    }

    pub fn lost(self) -> Operation {
        self.ends(|_| Outcome::Unknown { why: "timeout".to_owned() })
    }
}

pub fn history(operations: Vec<Operation>) -> History {
    History::new(operations).expect("well formed")
}

/// Both judges must find the history legal. How many unknown writes took effect.
pub fn legal(operations: Vec<Operation>) -> usize {
    let history = history(operations);
    let verdict = guided::judge(&history, Budget::default());
    let Verdict::Linearizable(counters) = verdict else { panic!("guided: {verdict}") };
    let verdict = wgl::judge(&history, Budget::default());
    assert!(matches!(verdict, Verdict::Linearizable(_)), "wgl: {verdict}");
    counters.took_effect
}

/// Both judges must find the history illegal. The reason of the guided one, which must name the
/// operations given.
pub fn illegal(operations: Vec<Operation>, blamed: &[u64]) -> Rejection {
    let history = history(operations);
    let verdict = wgl::judge(&history, Budget::default());
    assert!(matches!(verdict, Verdict::Illegal(_)), "wgl: {verdict}");
    let verdict = guided::judge(&history, Budget::default());
    let Verdict::Illegal(rejection) = verdict else { panic!("guided: {verdict}") };
    let numbers: Vec<u64> = rejection.operations().iter().map(|number| number.0).collect();
    assert_eq!(numbers, blamed, "{rejection}");
    *rejection
}

/// The fault of order that a history is illegal for.
pub fn order_fault(operations: Vec<Operation>, blamed: &[u64]) -> OrderFault {
    match illegal(operations, blamed) {
        Rejection::Order(fault) => fault,
        other
        @ (Rejection::Content(_) | Rejection::NoPlacement(..) | Rejection::NoOrder { .. }) => {
            panic!("{other}")
        }
    }
}

/// The flaw of content that a history is illegal for.
pub fn flaw(operations: Vec<Operation>, blamed: &[u64]) -> Flaw {
    match illegal(operations, blamed) {
        Rejection::Content(fault) => fault.flaw,
        other @ (Rejection::Order(_) | Rejection::NoPlacement(..) | Rejection::NoOrder { .. }) => {
            panic!("{other}")
        }
    }
}
