//! Collecting what the answers show of the keys that unknown writes can touch.
//!
//! One walk over writes and looks together, in the order of revisions. An answer shows the state of a
//! revision, a write's answer that of the one before it; what a transaction shows is old only as far as
//! it has not written it itself.
//!
//! ```text
//! revision      5 put a        6 gap        7 look a..c         8 put a, with what was before
//! learnt        a put at 5                  a, c; b is gone     a at 7, a put at 8
//! ```
//!
//! Not here: what it leaves possible (`outlook.rs`, `known.rs`).

use super::case::{By, Case, Claim, Look, Write};
use super::gaps::Gaps;
use super::keys::{KeyId, Span};
use super::known::{Fact, Numbers, Shown};
use super::outlook::Outlook;
use super::reach;
use super::stops::Walk;
use crate::history::{
    Exchange, KeyValue, RangeRequest, RangeResponse, TxnOperation, TxnRequest, TxnResult,
};

/// The way of a transaction through its branches.
struct Path<'c, 'h> {
    case: &'c Case<'h>,
    /// The revision before it.
    at: i64,
    walk: Walk<'c>,
    /// The keys that it has written so far.
    written: Vec<Span>,
}

impl<'c, 'h> Path<'c, 'h> {
    fn new(case: &'c Case<'h>, at: i64, op: usize) -> Self {
        Self { case, at, walk: case.stops.of(op), written: Vec::new() }
    }
}

impl Outlook {
    /// Notes from which revision on unknown writes may touch each key.
    pub(super) fn offer(&mut self, case: &Case<'_>, gaps: &Gaps<'_>) {
        for class in &gaps.classes {
            let release = class.members.first().map(|(release, _)| *release);
            reach::each_written(case, class.change, &mut |span, puts| {
                for known in self.of(span) {
                    let first =
                        if puts { &mut known.put_release } else { &mut known.delete_release };
                    *first = first.or(release).min(release);
                }
            });
        }
    }

    /// Collects in the order of revisions. A write's answer shows the state before it.
    pub(super) fn learn(&mut self, case: &Case<'_>, gaps: &Gaps<'_>) {
        let mut writes = case.writes.iter().peekable();
        for look in &case.looks {
            while let Some(write) = writes.next_if(|write| write.revision <= look.at + 1) {
                self.write(case, write);
            }
            self.look(case, look);
        }
        for write in writes {
            self.write(case, write);
        }
        for gap in &gaps.gaps {
            let key = gap.trace.and_then(|trace| trace.key);
            let known = self.of(key.map_or(Span::NONE, Span::one));
            known.iter_mut().for_each(|known| known.puts.push(gap.revision));
        }
        self.known.iter_mut().for_each(|known| known.deletes.sort_unstable());
        self.known.iter_mut().for_each(|known| known.puts.sort_unstable());
    }

    fn look(&mut self, case: &Case<'_>, look: &Look<'_>) {
        match look.claim {
            Claim::Range(asked, told) => self.range(case, look.at, look.span, (asked, told)),
            Claim::Delete(..) => self.list(case, look.at, look.span, (&[], true), Shown::Pair),
            Claim::Txn(asked, told) => {
                let mut path = Path::new(case, look.at, look.op);
                self.txn(&mut path, asked, told.succeeded, &told.responses);
            }
        }
    }

    fn range(
        &mut self,
        case: &Case<'_>,
        at: i64,
        span: Span,
        (asked, told): (&RangeRequest, &RangeResponse),
    ) {
        if !asked.count_only {
            let whole = !told.more && !asked.is_filtered();
            let show = if asked.keys_only { Shown::Outline } else { Shown::Pair };
            self.list(case, at, span, (&told.kvs, whole), show);
        }
    }

    /// Learns what a transaction shows of the state before it, all that it has not written itself, and
    /// what it surely wrote.
    fn txn(
        &mut self,
        path: &mut Path<'_, '_>,
        asked: &TxnRequest,
        succeeded: bool,
        told: &[TxnResult],
    ) {
        path.walk.pass(&asked.compare);
        for (asked, told) in asked.branch(succeeded).iter().zip(told) {
            if let (TxnOperation::Txn(asked), TxnResult::Txn(told)) = (asked, told) {
                self.txn(path, asked, told.succeeded, &told.responses);
            } else {
                self.stop(path, asked, told);
            }
        }
    }

    fn stop(&mut self, path: &mut Path<'_, '_>, asked: &TxnOperation, told: &TxnResult) {
        let (case, at, span) = (path.case, path.at, path.walk.step());
        let is_old = !path.written.iter().any(|written| written.meets(span));
        match (asked, told) {
            (TxnOperation::Range(asked), TxnResult::Range(told)) => {
                if is_old && asked.revision.is_none() {
                    self.range(case, at, span, (asked, told));
                }
            }
            (TxnOperation::Put(asked), TxnResult::Put(told)) => {
                self.put(at + 1, span);
                if is_old && asked.prev_kv {
                    self.list(case, at, span, (told.prev_kv.as_slice(), true), Shown::Pair);
                }
                path.written.push(span);
            }
            (TxnOperation::DeleteRange(asked), TxnResult::DeleteRange(told)) => {
                if told.deleted > 0 {
                    self.delete(at + 1, span);
                }
                if is_old && (asked.prev_kv || told.deleted == 0) {
                    self.list(case, at, span, (&told.prev_kvs, true), Shown::Pair);
                }
                path.written.push(span);
            }
            // The case takes only answers of the right shape.
            (
                TxnOperation::Range(_)
                | TxnOperation::Put(_)
                | TxnOperation::DeleteRange(_)
                | TxnOperation::Txn(_),
                _,
            ) => {}
        }
    }

    fn write(&mut self, case: &Case<'_>, write: &Write<'_>) {
        let By::Operation(op) = write.by else { return };
        let (revision, before) = (write.revision, write.revision - 1);
        let operation = &case.operations[op];
        let Some(exchange) = operation.exchange() else { return };
        match exchange {
            Exchange::Put(asked, told) => {
                self.put(revision, write.span);
                if asked.prev_kv {
                    self.list(
                        case,
                        before,
                        write.span,
                        (told.prev_kv.as_slice(), true),
                        Shown::Pair,
                    );
                }
            }
            Exchange::DeleteRange(asked, told) => {
                self.delete(revision, write.span);
                if asked.prev_kv {
                    self.list(case, before, write.span, (&told.prev_kvs, true), Shown::Pair);
                } else if write.span.is_one() {
                    self.note(before, write.span, |_| Some(Shown::Something));
                }
            }
            Exchange::Txn(asked, told) => {
                let mut path = Path::new(case, before, op);
                self.txn(&mut path, asked, told.succeeded, &told.responses);
            }
            Exchange::Range(..)
            | Exchange::Compact(..)
            | Exchange::LeaseGrant(..)
            | Exchange::LeaseRevoke(..)
            | Exchange::LeaseKeepAlive(..)
            | Exchange::LeaseTimeToLive(..)
            | Exchange::LeaseLeases(..) => {}
        }
    }

    fn put(&mut self, revision: i64, span: Span) {
        self.of(span).iter_mut().for_each(|known| known.puts.push(revision));
    }

    fn delete(&mut self, revision: i64, span: Span) {
        self.of(span).iter_mut().for_each(|known| known.deletes.push(revision));
    }

    /// Learns from a list of pairs; if it is `whole`, also that no other key of the span held one.
    /// In a list out of order pairs may be missed, but that contradicts every state anyway.
    fn list(
        &mut self,
        case: &Case<'_>,
        at: i64,
        span: Span,
        (pairs, whole): (&[KeyValue], bool),
        show: fn(Numbers) -> Shown,
    ) {
        self.note(at, span, |key| {
            let bytes = case.keys.bytes(key);
            match pairs.binary_search_by(|pair| (*pair.key).cmp(bytes)) {
                Ok(place) => Some(show(Numbers::from(&pairs[place]))),
                Err(_) => whole.then_some(Shown::Nothing),
            }
        });
    }

    /// Notes what is shown of each key of a span. Only the first fact after a gap is ever asked
    /// for, so others are not kept.
    fn note(&mut self, at: i64, span: Span, shown: impl Fn(KeyId) -> Option<Shown>) {
        let gaps = self.epoch(at);
        for place in self.places(span) {
            let facts = &mut self.known[place].facts;
            let news = facts.last().map_or(0, |last| last.gaps) < gaps && self.room > 0;
            if let Some(shown) = news.then(|| shown(self.keys[place])).flatten() {
                facts.push(Fact { at, gaps, shown });
                self.room -= 1;
            }
        }
    }

    fn epoch(&self, at: i64) -> usize {
        self.hidden.partition_point(|gap| *gap <= at)
    }
}
