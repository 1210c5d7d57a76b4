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

use super::case::{Case, Change};
use super::gaps::{Gaps, shown};
use super::keys::{KeyId, Span};
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
    /// The first revision that an unknown put of the key can have made.
    put_release: Option<i64>,
    /// And an unknown delete of it.
    delete_release: Option<i64>,
}

/// A hidden gap, and the others around it.
#[derive(Clone, Copy)]
struct Place<'o> {
    gap: i64,
    hidden: &'o [i64],
}

impl Place<'_> {
    /// Whether a write with this release can fill a later hidden gap, not above `up_to`.
    fn is_followed(self, release: Option<i64>, up_to: i64) -> bool {
        release.is_some_and(|release| any_within(self.hidden, self.gap.max(release - 1), up_to))
    }
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
    /// How many more facts are kept. Without one the outlook is dimmer, never wrong.
    room: usize,
}

/// Facts to keep at most, of 50 bytes each.
const ROOM: usize = 4 << 20;

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
        let mut outlook = Self { hidden, keys, known, room: ROOM };
        if !outlook.keys.is_empty() {
            outlook.learn(case, gaps);
            outlook.offer(gaps);
        }
        outlook
    }

    /// Notes from which revision on unknown writes may touch each key.
    fn offer(&mut self, gaps: &Gaps<'_>) {
        for class in &gaps.classes {
            let release = class.members.first().map(|(release, _)| *release);
            for known in self.of(class.change.span()) {
                let first = match class.change {
                    Change::Put { .. } => &mut known.put_release,
                    Change::Delete(_) => &mut known.delete_release,
                };
                *first = first.or(release).min(release);
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
            _ => {}
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
            _ => false,
        };
        if asked {
            self.list(case, revision - 1, span, shown(operation), true);
        } else if matches!(change, Change::Delete(_)) && span == Span::one(span.from) {
            self.note(revision - 1, span, |_| Some(Shown::Something));
        }
    }

    /// Learns from a list of pairs; if it is `whole`, also that no other key of the span held one.
    /// In a list out of order pairs may be missed, but that contradicts every state anyway.
    fn list(&mut self, case: &Case<'_>, at: i64, span: Span, pairs: &[KeyValue], whole: bool) {
        self.note(at, span, |key| {
            let bytes = case.keys.bytes(key);
            match pairs.binary_search_by(|pair| (*pair.key).cmp(bytes)) {
                Ok(place) => Some(Shown::Pair(Numbers::from(&pairs[place]))),
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
        let place = Place { gap, hidden: &self.hidden };
        let span = match change {
            Change::Put { key, .. } => {
                let known = self.known(key);
                return known.map_or(Chance::Free, |known| known.put(place, present.get(key)));
            }
            Change::Delete(span) => span,
        };
        // It must remove something, or it would have made no revision. It contradicts an answer if
        // it does so for one key, and is needed if one key needs it.
        let mut best = Chance::Never;
        for (key, pair) in present.list(span) {
            match self.known(key).map_or(Chance::Free, |known| known.delete(place, pair)) {
                Chance::Never => return Chance::Never,
                chance @ (Chance::Needed(_) | Chance::Free | Chance::Doubtful) => {
                    best = best.min(chance);
                }
            }
        }
        best
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

/// A change that another unknown write must undo, if one can.
fn doubtful(possible: bool) -> Chance {
    if possible { Chance::Doubtful } else { Chance::Never }
}

impl Known {
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
    fn put(&self, place: Place<'_>, held: Option<Pair<'_>>) -> Chance {
        let Place { gap, .. } = place;
        let Some(fact) = self.next_fact(gap) else { return Chance::Free };
        let seen = match fact.shown {
            Shown::Nothing => return self.before_death(place, fact.at),
            Shown::Something if held.is_none() && !any_within(&self.puts, gap, fact.at) => {
                return Chance::Needed(fact.at);
            }
            Shown::Something => return Chance::Free,
            Shown::Pair(seen) if seen.modified < gap => return Chance::Never,
            Shown::Pair(seen) if seen.created > gap => {
                return self.before_death(place, seen.created - 1);
            }
            Shown::Pair(seen) => seen,
        };
        // Without the life that is seen later, an earlier choice was wrong.
        let alive = held.filter(|pair| pair.created == seen.created);
        match alive.map(|pair| self.missing(gap, pair, seen)) {
            Some(missing) if missing > 0 => Chance::Needed(seen.modified),
            Some(_) | None => Chance::Never,
        }
    }

    /// The chance of a delete of the key, which holds a pair.
    fn delete(&self, place: Place<'_>, held: Pair<'_>) -> Chance {
        let Place { gap, .. } = place;
        assert!(held.modified < gap, "the state is the one before the gap");
        let Some(fact) = self.next_fact(gap) else { return Chance::Free };
        let by = match fact.shown {
            Shown::Nothing => fact.at,
            Shown::Pair(seen) if seen.created > gap => seen.created - 1,
            Shown::Pair(_) => return Chance::Never,
            Shown::Something if any_within(&self.puts, gap, fact.at) => return Chance::Free,
            Shown::Something => return doubtful(place.is_followed(self.put_release, fact.at)),
        };
        // Where it is deleted or put again anyway, this need not be the delete that counts.
        if self.is_settled(gap, by) { Chance::Free } else { Chance::Needed(by) }
    }

    /// A put of a key that is gone at a later revision.
    fn before_death(&self, place: Place<'_>, by: i64) -> Chance {
        if self.is_settled(place.gap, by) {
            return Chance::Free;
        }
        doubtful(place.is_followed(self.delete_release, by))
    }

    /// Whether a later write that surely happened decides whether the key is gone.
    fn is_settled(&self, gap: i64, by: i64) -> bool {
        any_within(&self.deletes, gap, by) || any_within(&self.puts, gap, by)
    }

    /// How many puts there must be, from the gap on, beside those that are known.
    fn missing(&self, gap: i64, held: Pair<'_>, seen: Numbers) -> i64 {
        let from = self.puts.partition_point(|put| *put < gap);
        let to = self.puts.partition_point(|put| *put <= seen.modified);
        let known = i64::try_from(to.saturating_sub(from)).unwrap_or(i64::MAX);
        seen.version.saturating_sub(held.version).saturating_sub(known)
    }
}
