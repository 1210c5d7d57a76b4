//! What each revision changed, as far as operations, reads and the log prove it.
//!
//! ```text
//! put, answered                    this change and no other
//! delete of one key, or with       these changes and no others
//!   the pairs it removed
//! delete of a range, without       something: unknown
//! transaction, answered            all its changes, if all of them are of the kinds above
//! read that shows a pair           this change, and maybe others
//! revealed                         these changes and no others, in this order
//! ```
//!
//! Not here: what other watches saw (`agree.rs`).

use std::collections::BTreeMap;

use super::Evidence;
use crate::history::{
    ByteString, DeleteRangeRequest, DeleteRangeResponse, EventKind, Exchange, History, KeyRange,
    KeyValue, Lease, OpNumber, Operation, PutRequest, Revision, TxnOperation, TxnResult,
};

/// A change that is proven.
pub(super) struct Change<'h> {
    pub(super) key: &'h ByteString,
    pub(super) kind: EventKind,
    /// What was put, as far as it is known.
    pub(super) put: Put<'h>,
    pub(super) by: Evidence,
}

/// What is known of a pair that was put.
#[derive(Clone, Copy)]
pub(super) enum Put<'h> {
    /// Nothing: it is a delete, or a put that keeps what nobody shows.
    Unknown,
    /// What was asked for.
    Asked(&'h ByteString, Option<Lease>),
    /// The whole pair.
    Pair(&'h KeyValue),
}

/// What is proven of one revision.
#[derive(Default)]
pub(super) struct Page<'h> {
    pub(super) changes: Vec<Change<'h>>,
    /// Who says that there were no other changes, and that they were made in this order.
    pub(super) whole: Option<Evidence>,
}

/// All that is proven.
pub(super) struct Chronicle<'h> {
    pages: BTreeMap<i64, Page<'h>>,
    newest: i64,
}

impl<'h> Chronicle<'h> {
    pub(super) fn new(history: &'h History) -> Self {
        let mut chronicle = Self { pages: BTreeMap::new(), newest: newest(history) };
        for revealed in history.revealed() {
            let by = Evidence::Log(revealed.revision);
            let page = chronicle.pages.entry(revealed.revision.0).or_default();
            page.whole = Some(by);
            page.changes.extend(revealed.events.iter().map(|event| Change {
                key: &event.kv.key,
                kind: event.kind,
                put: match event.kind {
                    EventKind::Put => Put::Pair(&event.kv),
                    EventKind::Delete => Put::Unknown,
                },
                by,
            }));
        }
        history.operations().iter().for_each(|operation| chronicle.written(operation));
        history.operations().iter().for_each(|operation| chronicle.shown(operation));
        chronicle
    }

    /// How many revisions are known whole, and how many are not.
    pub(super) fn extent(&self) -> (usize, usize) {
        let known = self.pages.range(2..).filter(|(_, page)| page.whole.is_some()).count();
        let all = usize::try_from(self.newest.saturating_sub(1)).unwrap_or(0);
        (known, all.saturating_sub(known))
    }

    pub(super) fn page(&self, revision: Revision) -> Option<&Page<'h>> {
        self.pages.get(&revision.0)
    }

    /// What is proven of the revisions from one to another, both included.
    pub(super) fn pages(
        &self,
        from: Revision,
        to: Revision,
    ) -> impl Iterator<Item = (Revision, &Page<'h>)> {
        let range = if from <= to { from.0..to.0.saturating_add(1) } else { 0..0 };
        self.pages.range(range).map(|(revision, page)| (Revision(*revision), page))
    }

    /// Notes what an answered write says that it changed.
    fn written(&mut self, operation: &'h Operation) {
        let mut draft =
            Draft { changes: Vec::new(), by: Evidence::Operation(operation.number), whole: true };
        let Some(exchange) = operation.exchange() else { return };
        let revision = match exchange {
            Exchange::Put(asked, told) => {
                draft.put(asked);
                told.revision
            }
            Exchange::DeleteRange(asked, told) => {
                draft.delete(asked, told);
                told.revision
            }
            Exchange::Txn(asked, told) => {
                draft.branch(asked.branch(told.succeeded), &told.responses);
                told.revision
            }
            Exchange::Range(..)
            | Exchange::Compact(..)
            | Exchange::LeaseGrant(..)
            | Exchange::LeaseRevoke(..)
            | Exchange::LeaseKeepAlive(..)
            | Exchange::LeaseTimeToLive(..)
            | Exchange::LeaseLeases(..) => return,
        };
        if draft.changes.is_empty() && draft.whole {
            return; // It changed nothing: the revision is somebody else's.
        }
        let page = self.pages.entry(revision.0).or_default();
        if page.whole.is_some() {
            return; // The log knows, or another operation claims it: the judge of order will object.
        }
        page.whole = draft.whole.then_some(draft.by);
        page.changes = draft.changes;
    }

    /// Notes what the pairs in an answer say of the revisions that wrote them.
    fn shown(&mut self, operation: &'h Operation) {
        let by = Evidence::Operation(operation.number);
        let Some(exchange) = operation.exchange() else { return };
        match exchange {
            Exchange::Range(asked, told) if !asked.keys_only => {
                told.kvs.iter().for_each(|pair| self.pair(pair, by));
            }
            Exchange::Put(_, told) => told.prev_kv.iter().for_each(|pair| self.pair(pair, by)),
            Exchange::DeleteRange(_, told) => {
                told.prev_kvs.iter().for_each(|pair| self.pair(pair, by));
            }
            // What is inside of transactions may be their own writes; the judge of order holds it.
            Exchange::Range(..)
            | Exchange::Txn(..)
            | Exchange::Compact(..)
            | Exchange::LeaseGrant(..)
            | Exchange::LeaseRevoke(..)
            | Exchange::LeaseKeepAlive(..)
            | Exchange::LeaseTimeToLive(..)
            | Exchange::LeaseLeases(..) => {}
        }
    }

    fn pair(&mut self, pair: &'h KeyValue, by: Evidence) {
        let page = self.pages.entry(pair.mod_revision.0).or_default();
        let known = page.changes.iter_mut().find(|change| *change.key == pair.key);
        match known {
            Some(change) if matches!(change.put, Put::Pair(_)) => {}
            Some(change) if change.kind == EventKind::Put => change.put = Put::Pair(pair),
            Some(_) => {} // It contradicts a write: the judge of order will object.
            None if page.whole.is_some() => {}
            None => page.changes.push(Change {
                key: &pair.key,
                kind: EventKind::Put,
                put: Put::Pair(pair),
                by,
            }),
        }
    }
}

/// The highest revision that anybody was shown.
fn newest(history: &History) -> i64 {
    let answers = history.operations().iter().filter_map(Operation::response);
    let answers = answers.map(|response| response.revision().0);
    let messages = history.watches().iter().flat_map(|watch| &watch.messages);
    let messages = messages.map(|message| message.revision.0);
    let revealed = history.revealed().iter().map(|revealed| revealed.revision.0);
    answers.chain(messages).chain(revealed).max().unwrap_or(1)
}

/// The changes of one write.
struct Draft<'h> {
    changes: Vec<Change<'h>>,
    by: Evidence,
    whole: bool,
}

impl<'h> Draft<'h> {
    fn put(&mut self, asked: &'h PutRequest) {
        let put = match asked {
            PutRequest { ignore_value: false, ignore_lease: false, value, lease, .. } => {
                Put::Asked(value, *lease)
            }
            PutRequest { .. } => Put::Unknown,
        };
        self.changes.push(Change { key: &asked.key, kind: EventKind::Put, put, by: self.by });
    }

    fn delete(&mut self, asked: &'h DeleteRangeRequest, told: &'h DeleteRangeResponse) {
        if told.deleted == 0 {
            return;
        }
        let gone = |key: &'h ByteString| Change {
            key,
            kind: EventKind::Delete,
            put: Put::Unknown,
            by: self.by,
        };
        if let KeyRange::One(_) = asked.keys() {
            self.changes.push(gone(&asked.key));
        } else if asked.prev_kv {
            self.changes.extend(told.prev_kvs.iter().map(|pair| gone(&pair.key)));
        } else {
            self.whole = false;
        }
    }

    fn branch(&mut self, branch: &'h [TxnOperation], told: &'h [TxnResult]) {
        for (asked, told) in branch.iter().zip(told) {
            match (asked, told) {
                (TxnOperation::Put(asked), _) => self.put(asked),
                (TxnOperation::DeleteRange(asked), TxnResult::DeleteRange(told)) => {
                    self.delete(asked, told);
                }
                (TxnOperation::Txn(asked), TxnResult::Txn(told)) => {
                    self.branch(asked.branch(told.succeeded), &told.responses);
                }
                (
                    TxnOperation::Range(_) | TxnOperation::DeleteRange(_) | TxnOperation::Txn(_),
                    _,
                ) => {}
            }
        }
    }
}

/// What proves something, in a few words.
pub(super) fn source(by: Evidence) -> String {
    match by {
        Evidence::Operation(OpNumber(op)) => format!("operation {op}"),
        Evidence::Log(_) => "the log".to_owned(),
        Evidence::Watch(number, message) => format!("message {message} of watch {}", number.0),
        Evidence::Message(message) => format!("message {message}"),
        Evidence::Request => "its request".to_owned(),
        Evidence::Compactions => "the compactions".to_owned(),
    }
}
