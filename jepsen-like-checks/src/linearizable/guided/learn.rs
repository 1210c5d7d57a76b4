//! Collecting what the answers show of the keys that unknown writes can touch.
//!
//! A walk over writes and looks together, in the order of revisions; of a large history, both
//! halves are learned at once. An answer shows the state of a revision, a write's answer that of
//! the one before it; what a transaction shows is old only as far as it has not written it itself.
//!
//! ```text
//! revision      5 put a        6 gap        7 look a..c         8 put a, with what was before
//! learnt        a put at 5                  a, c; b is gone     a at 7, a put at 8
//! ```
//!
//! Not here: what it leaves possible (`outlook.rs`, `known.rs`).

use std::ops::Range;

use super::case::{By, Case, Claim, Look, Write};
use super::gaps::Gaps;
use super::ground::Ground;
use super::keys::{KeyId, Span};
use super::known::{Fact, Known, Numbers, Shown};
use super::reach;
use super::stops::Walk;
use crate::history::{
    Exchange, KeyValue, RangeRequest, RangeResponse, TxnOperation, TxnRequest, TxnResult,
};

/// The way of a transaction through its branches.
struct Path<'c> {
    /// The revision before it.
    at: i64,
    walk: Walk<'c>,
    /// The keys that it has written so far.
    written: Vec<Span>,
}

impl<'c> Path<'c> {
    fn new(case: &'c Case<'_>, at: i64, op: usize) -> Self {
        Self { at, walk: case.stops.of(op), written: Vec::new() }
    }
}

/// What was learned of some answers, key by key.
struct Lesson<'c, 'h> {
    case: &'c Case<'h>,
    ground: &'c Ground,
    /// What is known of each of the ground's keys.
    known: Vec<Known>,
    /// How many more facts are kept. Without one the outlook is dimmer, never wrong.
    room: usize,
}

/// Facts to keep at most, of 50 bytes each.
const ROOM: usize = 4 << 20;

/// Collects what all answers show of the ground's keys.
pub(super) fn learn(case: &Case<'_>, gaps: &Gaps<'_>, ground: &Ground) -> Vec<Known> {
    if ground.keys.is_empty() {
        return Vec::new();
    }
    let middle = case.writes.get(case.writes.len() / 2).map_or(1, |write| write.revision);
    let half = |states| {
        let mut lesson = Lesson::new(case, ground);
        lesson.collect(states);
        lesson
    };
    let (mut lesson, rest) = case.passes.two(|| half(i64::MIN..middle), || half(middle..i64::MAX));
    if lesson.taken() + rest.taken() <= ROOM {
        lesson.append(rest);
    } else {
        // Which of the rest's facts find room depends on those before them.
        lesson.collect(middle..i64::MAX);
    }
    lesson.finish(gaps);
    lesson.known
}

impl<'c, 'h> Lesson<'c, 'h> {
    fn new(case: &'c Case<'h>, ground: &'c Ground) -> Self {
        // As much as is said of a key on average, so that most lists need not grow. Of facts, one
        // for each gap is kept.
        let (writes, all) = (case.writes.len(), case.writes.len() + case.looks.len());
        let (puts, facts) = (writes / case.keys.len().max(1), all / case.keys.len().max(1));
        let facts = facts.min(ground.hidden.len());
        let known = ground.keys.iter().map(|_| Known::with_capacity(facts, puts)).collect();
        Self { case, ground, known, room: ROOM }
    }

    /// How many facts are kept.
    fn taken(&self) -> usize {
        ROOM - self.room
    }

    /// Collects what is shown of some states, in the order of revisions. A write's answer shows the
    /// state before it.
    fn collect(&mut self, states: Range<i64>) {
        let case = self.case;
        let writes = case.writes.partition_point(|write| write.revision <= states.start);
        let writes = case.writes[writes..].iter().take_while(|w| w.revision <= states.end);
        let mut writes = writes.peekable();
        let looks = case.looks.partition_point(|look| look.at < states.start);
        for look in case.looks[looks..].iter().take_while(|look| look.at < states.end) {
            while let Some(write) = writes.next_if(|write| write.revision <= look.at + 1) {
                self.write(write);
            }
            self.look(look);
        }
        writes.for_each(|write| self.write(write));
    }

    /// Adds what the states behind these show.
    fn append(&mut self, rest: Self) {
        self.room -= rest.taken();
        for (known, mut rest) in self.known.iter_mut().zip(rest.known) {
            // The states meet between two gaps, behind which one fact is enough.
            let told = known.facts.last().map_or(0, |last| last.gaps);
            let again = rest.facts.first().is_some_and(|first| first.gaps <= told);
            known.facts.extend(rest.facts.drain(usize::from(again)..));
            known.puts.append(&mut rest.puts);
            known.deletes.append(&mut rest.deletes);
        }
    }

    /// Adds what does not come in the order of revisions.
    fn finish(&mut self, gaps: &Gaps<'_>) {
        for gap in &gaps.gaps {
            let key = gap.trace.and_then(|trace| trace.key);
            let known = self.of(key.map_or(Span::NONE, Span::one));
            known.iter_mut().for_each(|known| known.puts.push(gap.revision));
        }
        self.known.iter_mut().for_each(|known| known.deletes.sort_unstable());
        self.known.iter_mut().for_each(|known| known.puts.sort_unstable());
        self.offer(gaps);
    }

    fn of(&mut self, span: Span) -> &mut [Known] {
        let places = self.ground.places(span);
        &mut self.known[places]
    }

    /// Notes from which revision on unknown writes may touch each key.
    fn offer(&mut self, gaps: &Gaps<'_>) {
        for class in &gaps.classes {
            let release = class.members.first().map(|(release, _)| *release);
            reach::each_written(self.case, class.change, &mut |span, puts| {
                for known in self.of(span) {
                    let first =
                        if puts { &mut known.put_release } else { &mut known.delete_release };
                    *first = first.or(release).min(release);
                }
            });
        }
    }

    fn look(&mut self, look: &Look<'_>) {
        match look.claim {
            Claim::Range(asked, told) => self.range(look.at, look.span, (asked, told)),
            Claim::Delete(..) => self.list(look.at, look.span, (&[], true), Shown::Pair),
            Claim::Txn(asked, told) => {
                let mut path = Path::new(self.case, look.at, look.op);
                self.txn(&mut path, asked, told.succeeded, &told.responses);
            }
        }
    }

    fn range(&mut self, at: i64, span: Span, (asked, told): (&RangeRequest, &RangeResponse)) {
        if !asked.count_only {
            let whole = !told.more && !asked.is_filtered();
            let show = if asked.keys_only { Shown::Outline } else { Shown::Pair };
            self.list(at, span, (&told.kvs, whole), show);
        }
    }

    /// Learns what a transaction shows of the state before it, all that it has not written itself,
    /// and what it surely wrote.
    fn txn(
        &mut self,
        path: &mut Path<'_>,
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

    fn stop(&mut self, path: &mut Path<'_>, asked: &TxnOperation, told: &TxnResult) {
        let (at, span) = (path.at, path.walk.step());
        let is_old = !path.written.iter().any(|written| written.meets(span));
        match (asked, told) {
            (TxnOperation::Range(asked), TxnResult::Range(told)) => {
                if is_old && asked.revision.is_none() {
                    self.range(at, span, (asked, told));
                }
            }
            (TxnOperation::Put(asked), TxnResult::Put(told)) => {
                self.put(at + 1, span);
                if is_old && asked.prev_kv {
                    self.list(at, span, (told.prev_kv.as_slice(), true), Shown::Pair);
                }
                path.written.push(span);
            }
            (TxnOperation::DeleteRange(asked), TxnResult::DeleteRange(told)) => {
                if told.deleted > 0 {
                    self.delete(at + 1, span);
                }
                if is_old && (asked.prev_kv || told.deleted == 0) {
                    self.list(at, span, (&told.prev_kvs, true), Shown::Pair);
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

    fn write(&mut self, write: &Write<'_>) {
        let By::Operation(op) = write.by else { return };
        let (revision, before) = (write.revision, write.revision - 1);
        let operation = &self.case.operations[op];
        let Some(exchange) = operation.exchange() else { return };
        match exchange {
            Exchange::Put(asked, told) => {
                self.put(revision, write.span);
                if asked.prev_kv {
                    self.list(before, write.span, (told.prev_kv.as_slice(), true), Shown::Pair);
                }
            }
            Exchange::DeleteRange(asked, told) => {
                self.delete(revision, write.span);
                if asked.prev_kv {
                    self.list(before, write.span, (&told.prev_kvs, true), Shown::Pair);
                } else if write.span.is_one() {
                    self.note(before, write.span, |_| Some(Shown::Something));
                }
            }
            Exchange::Txn(asked, told) => {
                let mut path = Path::new(self.case, before, op);
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
        at: i64,
        span: Span,
        (pairs, whole): (&[KeyValue], bool),
        show: fn(Numbers) -> Shown,
    ) {
        let keys = &self.case.keys;
        self.note(at, span, |key| {
            let bytes = keys.bytes(key);
            match pairs.binary_search_by(|pair| (*pair.key).cmp(bytes)) {
                Ok(place) => Some(show(Numbers::from(&pairs[place]))),
                Err(_) => whole.then_some(Shown::Nothing),
            }
        });
    }

    /// Notes what is shown of each key of a span. Only the first fact after a gap is ever asked
    /// for, so others are not kept.
    fn note(&mut self, at: i64, span: Span, shown: impl Fn(KeyId) -> Option<Shown>) {
        let gaps = self.ground.epoch(at);
        for place in self.ground.places(span) {
            let facts = &mut self.known[place].facts;
            let news = facts.last().map_or(0, |last| last.gaps) < gaps && self.room > 0;
            if let Some(shown) = news.then(|| shown(self.ground.keys[place])).flatten() {
                facts.push(Fact { at, gaps, shown });
                self.room -= 1;
            }
        }
    }
}
