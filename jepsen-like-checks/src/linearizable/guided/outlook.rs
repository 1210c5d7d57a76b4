//! What the next answers about a key leave possible for it: the search's sense of direction.
//!
//! A gap that nobody saw into could be any unknown write. But most keys are looked at soon again,
//! and what is seen then rules most of them out:
//!
//! ```text
//! revision              5     6 gap   7     8 look
//! a: c2 m5 v3 seen at 8                     no put or delete of a at 6: it was last modified at 5
//! b: c2 v3 at 5, put at 7, v5 seen at 8     a put of b is needed at 6: the version rose by two
//! c: held at 5, nothing seen at 8           a delete of c is needed by 8
//! ```
//!
//! Everything said here follows from the answers on record, so a legal history's true order is never
//! ruled out; it only is found sooner. Choices with the nearest deadline come first.
//!
//! Not here: the choice (`search.rs`).

use std::ops::Range;

use super::case::{Case, Change, KeyId, Span};
use super::gaps::{Gaps, shown};
use super::present::{Pair, Present};
use crate::history::{KeyValue, Operation, RangeRequest, Request, Response};

/// How likely a change is to have happened at a gap. Smaller is likelier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Chance {
    /// It must happen at this revision or before.
    Needed(i64),
    /// Nothing speaks for or against it.
    Free,
    /// Possible, if another unknown write undoes it in time.
    Doubtful,
    /// It would contradict an answer.
    Never,
}

/// What an answer shows of a key at a revision.
#[derive(Clone, Copy)]
struct Fact {
    at: i64,
    /// How many hidden gaps are not above `at`.
    gaps: usize,
    shown: Shown,
}

#[derive(Clone, Copy)]
enum Shown {
    /// It held no pair.
    Nothing,
    /// It held a pair: a delete says that it removed it.
    Something,
    /// It held the pair with these numbers.
    Pair(Numbers),
}

#[derive(Clone, Copy)]
struct Numbers {
    created: i64,
    modified: i64,
    version: i64,
}

impl From<&KeyValue> for Numbers {
    fn from(pair: &KeyValue) -> Self {
        let (created, modified) = (pair.create_revision.0, pair.mod_revision.0);
        Self { created, modified, version: pair.version }
    }
}

/// All that is known of one key, each list in the order of revisions.
#[derive(Default)]
struct Known {
    facts: Vec<Fact>,
    /// Revisions of puts that surely happened.
    puts: Vec<i64>,
    /// Revisions of deletes that surely happened and speak of the key.
    deletes: Vec<i64>,
    /// Hidden gaps that an unknown put of the key may fill.
    put_gaps: Vec<i64>,
    /// Hidden gaps that an unknown delete of the key may fill.
    delete_gaps: Vec<i64>,
}

/// Whether one of some sorted revisions is above `after` and not above `up_to`.
fn any_within(revisions: &[i64], after: i64, up_to: i64) -> bool {
    let next = revisions.partition_point(|revision| *revision <= after);
    revisions.get(next).is_some_and(|revision| *revision <= up_to)
}

/// What is known of the keys that unknown writes can touch.
pub(super) struct Outlook {
    /// The gaps that nobody saw into.
    hidden: Vec<i64>,
    keys: Vec<KeyId>,
    known: Vec<Known>,
}

impl Outlook {
    pub(super) fn new(case: &Case<'_>, gaps: &Gaps<'_>) -> Self {
        let hidden = gaps.gaps.iter().filter(|gap| !gap.is_revealed());
        let hidden: Vec<i64> = hidden.map(|gap| gap.revision).collect();
        let mut keys: Vec<KeyId> = Vec::new();
        if !hidden.is_empty() {
            keys.extend(gaps.classes.iter().flat_map(|class| class.change.span().keys()));
            keys.sort_unstable();
            keys.dedup();
        }
        let known = keys.iter().map(|_| Known::default()).collect();
        let mut outlook = Self { hidden, keys, known };
        if !outlook.keys.is_empty() {
            outlook.learn(case, gaps);
            outlook.offer(gaps);
        }
        outlook
    }

    /// Notes from which gap on unknown writes may touch each key.
    fn offer(&mut self, gaps: &Gaps<'_>) {
        for class in &gaps.classes {
            let Some((release, _)) = class.members.first() else { continue };
            let open = self.hidden[self.epoch(release - 1)..].to_vec();
            for known in self.of(class.change.span()) {
                let offered = match class.change {
                    Change::Put { .. } => &mut known.put_gaps,
                    Change::Delete(_) => &mut known.delete_gaps,
                };
                // The class that is released first can fill all that the others can.
                if offered.len() < open.len() {
                    offered.clone_from(&open);
                }
            }
        }
    }

    /// Collects in the order of revisions. A write's answer shows the state before it.
    fn learn(&mut self, case: &Case<'_>, gaps: &Gaps<'_>) {
        let mut writes = case.writes.iter().peekable();
        for look in &case.looks {
            while let Some(write) = writes.next_if(|write| write.revision <= look.at + 1) {
                self.write(case, write.revision, write.change, &case.operations[write.op]);
            }
            self.look(case, look.at, look.span, &case.operations[look.op]);
        }
        for write in writes {
            self.write(case, write.revision, write.change, &case.operations[write.op]);
        }
        for gap in &gaps.gaps {
            let key = gap.trace.and_then(|trace| case.keys.number(&trace.pair.key));
            let known = self.of(key.map_or(Span::NONE, Span::one));
            known.iter_mut().for_each(|known| known.puts.push(gap.revision));
        }
        self.known.iter_mut().for_each(|known| known.puts.sort_unstable());
    }

    fn look(&mut self, case: &Case<'_>, at: i64, span: Span, operation: &Operation) {
        match (&operation.request, operation.response()) {
            (Request::Range(RangeRequest { count_only: true, .. }), _) => {}
            (Request::Range(_), Some(Response::Range(told))) => {
                self.list(case, at, span, &told.kvs, !told.more);
            }
            (Request::DeleteRange(_), Some(_)) => self.list(case, at, span, &[], true),
            (Request::Put(_) | Request::Range(_) | Request::DeleteRange(_), _) => {}
        }
    }

    fn write(&mut self, case: &Case<'_>, revision: i64, change: Change<'_>, operation: &Operation) {
        let span = change.span();
        for key in self.of(span) {
            match change {
                Change::Put { .. } => key.puts.push(revision),
                Change::Delete(_) => key.deletes.push(revision),
            }
        }
        let asked = match &operation.request {
            Request::Put(put) => put.prev_kv,
            Request::DeleteRange(delete) => delete.prev_kv,
            Request::Range(_) => false,
        };
        if asked {
            self.list(case, revision - 1, span, shown(operation), true);
        } else if matches!(change, Change::Delete(_)) && span == Span::one(span.from) {
            let fact =
                Fact { at: revision - 1, gaps: self.epoch(revision - 1), shown: Shown::Something };
            self.of(span).iter_mut().for_each(|known| known.learn(fact));
        }
    }

    /// Learns from a list of pairs; if it is `whole`, also that no other key of the span held one.
    fn list(&mut self, case: &Case<'_>, at: i64, span: Span, pairs: &[KeyValue], whole: bool) {
        let gaps = self.epoch(at);
        for pair in pairs {
            let key = case.keys.number(&pair.key).map_or(Span::NONE, Span::one);
            let fact = Fact { at, gaps, shown: Shown::Pair(Numbers::from(pair)) };
            self.of(key).iter_mut().for_each(|known| known.learn(fact));
        }
        if whole {
            let fact = Fact { at, gaps, shown: Shown::Nothing };
            self.of(span).iter_mut().for_each(|known| known.learn(fact));
        }
    }

    fn epoch(&self, at: i64) -> usize {
        self.hidden.partition_point(|gap| *gap <= at)
    }

    /// What is known of the keys of a span.
    fn of(&mut self, span: Span) -> &mut [Known] {
        let places = self.places(span);
        &mut self.known[places]
    }

    fn places(&self, span: Span) -> Range<usize> {
        let from = self.keys.partition_point(|key| *key < span.from);
        from..self.keys.partition_point(|key| *key < span.to).max(from)
    }

    fn known(&self, key: KeyId) -> Option<&Known> {
        self.keys.binary_search(&key).ok().map(|place| &self.known[place])
    }

    /// The chance of a change at a gap, when `present` is the state before it.
    pub(super) fn chance(&self, present: &Present<'_>, gap: i64, change: Change<'_>) -> Chance {
        match change {
            Change::Put { key, .. } => {
                self.known(key).map_or(Chance::Free, |known| known.put(gap, present.get(key)))
            }
            // It must remove something, or it would have made no revision.
            Change::Delete(span) => present
                .list(span)
                .filter_map(|(key, pair)| Some(self.known(key)?.delete(gap, pair)))
                .reduce(worst)
                .unwrap_or(Chance::Never),
        }
    }

    /// The newest revision below `at` at which answers show what each of some keys held; 0 if there
    /// is none.
    pub(super) fn pinned(&self, keys: Span, at: i64) -> i64 {
        let known = &self.known[self.places(keys)];
        known.iter().map(|known| known.pinned(at)).min().unwrap_or(0)
    }

    /// Whether the answers rule out any change of all these keys at a gap, whatever the state.
    pub(super) fn forbids(&self, gap: i64, keys: Span) -> bool {
        self.known[self.places(keys)].iter().any(|known| known.is_untouched(gap))
    }
}

/// A delete of many keys contradicts an answer if it does for one key, and is needed if one key
/// needs it.
fn worst(one: Chance, other: Chance) -> Chance {
    if one == Chance::Never || other == Chance::Never { Chance::Never } else { one.min(other) }
}

/// A change that another unknown write must undo, if one can.
fn doubtful(possible: bool) -> Chance {
    if possible { Chance::Doubtful } else { Chance::Never }
}

impl Known {
    /// Only the first fact after a gap is ever asked for, so others are not kept. That also leaves
    /// the pairs of a list standing when its absent keys are noted.
    fn learn(&mut self, fact: Fact) {
        if self.facts.last().map_or(0, |last| last.gaps) < fact.gaps {
            self.facts.push(fact);
        }
    }

    fn next_fact(&self, gap: i64) -> Option<Fact> {
        self.facts.get(self.facts.partition_point(|fact| fact.at < gap)).copied()
    }

    fn pinned(&self, at: i64) -> i64 {
        let before = self.facts.partition_point(|fact| fact.at < at);
        let pins = |fact: &&Fact| !matches!(fact.shown, Shown::Something);
        self.facts[..before].iter().rev().find(pins).map_or(0, |fact| fact.at)
    }

    /// Whether the next answer shows a pair that is older than the gap.
    fn is_untouched(&self, gap: i64) -> bool {
        match self.next_fact(gap).map(|fact| fact.shown) {
            Some(Shown::Pair(pair)) => pair.modified < gap,
            Some(Shown::Nothing | Shown::Something) | None => false,
        }
    }

    /// The chance of a put of the key.
    fn put(&self, gap: i64, held: Option<Pair<'_>>) -> Chance {
        let Some(fact) = self.next_fact(gap) else { return Chance::Free };
        let seen = match fact.shown {
            Shown::Nothing => return self.before_death(gap, fact.at),
            Shown::Something if held.is_none() && !any_within(&self.puts, gap, fact.at) => {
                return Chance::Needed(fact.at);
            }
            Shown::Something => return Chance::Free,
            Shown::Pair(seen) => seen,
        };
        if seen.modified < gap {
            return Chance::Never;
        }
        if seen.created > gap {
            return self.before_death(gap, seen.created - 1);
        }
        // Without the life that is seen later, an earlier choice was wrong.
        let alive = held.filter(|pair| pair.created == seen.created);
        match alive.map(|pair| self.missing(gap, pair, seen)) {
            Some(missing) if missing > 0 => Chance::Needed(seen.modified),
            Some(_) | None => Chance::Never,
        }
    }

    /// The chance of a delete of the key, which holds a pair.
    fn delete(&self, gap: i64, held: Pair<'_>) -> Chance {
        assert!(held.modified < gap, "the state is the one before the gap");
        let Some(fact) = self.next_fact(gap) else { return Chance::Free };
        let by = match fact.shown {
            Shown::Nothing => fact.at,
            Shown::Pair(seen) if seen.created > gap => seen.created - 1,
            Shown::Pair(_) => return Chance::Never,
            Shown::Something if any_within(&self.puts, gap, fact.at) => return Chance::Free,
            Shown::Something => return doubtful(any_within(&self.put_gaps, gap, fact.at)),
        };
        // Where it is deleted or put again anyway, this need not be the delete that counts.
        let settled = any_within(&self.deletes, gap, by) || any_within(&self.puts, gap, by);
        if settled { Chance::Free } else { Chance::Needed(by) }
    }

    /// A put of a key that is gone at a later revision.
    fn before_death(&self, gap: i64, up_to: i64) -> Chance {
        // Where it is put again, the death that counts comes later.
        let settled = any_within(&self.deletes, gap, up_to) || any_within(&self.puts, gap, up_to);
        if settled { Chance::Free } else { doubtful(any_within(&self.delete_gaps, gap, up_to)) }
    }

    /// How many puts there must be, from the gap on, beside those that are known.
    fn missing(&self, gap: i64, held: Pair<'_>, seen: Numbers) -> i64 {
        let from = self.puts.partition_point(|put| *put < gap);
        let to = self.puts.partition_point(|put| *put <= seen.modified);
        let known = i64::try_from(to.saturating_sub(from)).unwrap_or(i64::MAX);
        seen.version.saturating_sub(held.version).saturating_sub(known)
    }
}
