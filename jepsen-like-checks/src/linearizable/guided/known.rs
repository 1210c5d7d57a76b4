//! What the answers say of one key, and what that leaves possible for it at a gap.
//!
//! ```text
//! revision      5     6 gap   7     8 look
//! the key       v2            put   v4 seen      one more put is needed, and this gap is its place
//! ```
//!
//! Not here: collecting it (`learn.rs`).

use std::cell::Cell;

use super::outlook::Chance;
use super::present::Pair;
use crate::history::{KeyValue, Lease};

/// What an answer shows of a key at a revision.
#[derive(Clone, Copy)]
pub(super) struct Fact {
    pub(super) at: i64,
    /// How many hidden gaps are not above `at`.
    pub(super) gaps: usize,
    pub(super) shown: Shown,
}

#[derive(Clone, Copy)]
pub(super) enum Shown {
    /// It held no pair.
    Nothing,
    /// It held a pair: a delete says that it removed it.
    Something,
    /// It held a pair with these numbers, of which the value is not shown.
    Outline(Numbers),
    /// It held the pair with these numbers.
    Pair(Numbers),
}

#[derive(Clone, Copy)]
pub(super) struct Numbers {
    pub(super) created: i64,
    pub(super) modified: i64,
    pub(super) version: i64,
}

impl From<&KeyValue> for Numbers {
    fn from(pair: &KeyValue) -> Self {
        let (created, modified) = (pair.create_revision.0, pair.mod_revision.0);
        Self { created, modified, version: pair.version }
    }
}

/// All that is known of one key, each list in the order of revisions.
#[derive(Default)]
pub(super) struct Known {
    pub(super) facts: Vec<Fact>,
    /// Revisions of puts that surely happened.
    pub(super) puts: Vec<i64>,
    /// Revisions of deletes that surely happened and speak of the key.
    pub(super) deletes: Vec<i64>,
    /// The first revision that an unknown put of the key can have made.
    pub(super) put_release: Option<i64>,
    /// And an unknown delete of it.
    pub(super) delete_release: Option<i64>,
    /// Where the fact was that was asked for last: the search goes from gap to gap.
    near: Cell<usize>,
}

/// A hidden gap, and what else may happen around it.
#[derive(Clone, Copy)]
pub(super) struct Place<'o> {
    pub(super) gap: i64,
    /// All hidden gaps.
    pub(super) hidden: &'o [i64],
    /// The ends of leases of which somebody told, by revision.
    pub(super) ends: &'o [(i64, Lease)],
    /// Whether leases may end without anybody telling.
    pub(super) ending: bool,
}

impl Place<'_> {
    /// Whether a lease surely ends after the gap and not above `up_to`.
    fn is_ended(self, lease: Option<Lease>, up_to: i64) -> bool {
        let from = self.ends.partition_point(|(revision, _)| *revision <= self.gap);
        let mut ends = self.ends[from..].iter().take_while(|(revision, _)| *revision <= up_to);
        ends.any(|(_, ended)| Some(*ended) == lease)
    }

    /// Whether a write with this release can fill a later hidden gap, not above `up_to`.
    fn is_followed(self, release: Option<i64>, up_to: i64) -> bool {
        release.is_some_and(|release| any_within(self.hidden, self.gap.max(release - 1), up_to))
    }
}

/// Whether one of some sorted revisions is above `after` and not above `up_to`.
pub(super) fn any_within(revisions: &[i64], after: i64, up_to: i64) -> bool {
    let next = revisions.partition_point(|revision| *revision <= after);
    revisions.get(next).is_some_and(|revision| *revision <= up_to)
}

/// A change that another unknown write must undo, if one can.
fn doubtful(possible: bool) -> Chance {
    if possible { Chance::Doubtful } else { Chance::Never }
}

impl Known {
    pub(super) fn with_capacity(facts: usize, puts: usize) -> Self {
        let (facts, puts) = (Vec::with_capacity(facts), Vec::with_capacity(puts));
        Self { facts, puts, ..Self::default() }
    }

    fn next_fact(&self, gap: i64) -> Option<Fact> {
        let is_below = |place: usize| self.facts.get(place).is_some_and(|fact| fact.at < gap);
        let near = self.near.get();
        // Step by step further away, until what is asked for is between two steps.
        let (mut from, mut to, mut step) = (near, near, 1);
        while is_below(to) {
            (from, to, step) = (to + 1, to + step, step * 2);
        }
        while from > 0 && !is_below(from - 1) {
            (to, from, step) = (from - 1, from.saturating_sub(step), step * 2);
        }
        let within = &self.facts[from..to.min(self.facts.len())];
        let place = from + within.partition_point(|fact| fact.at < gap);
        self.near.set(place);
        self.facts.get(place).copied()
    }

    /// The newest revision below `at` at which an answer shows all that the key held; 0 if there is
    /// none.
    pub(super) fn pinned(&self, at: i64) -> i64 {
        let before = self.facts.partition_point(|fact| fact.at < at);
        let pins = |fact: &&Fact| matches!(fact.shown, Shown::Nothing | Shown::Pair(_));
        self.facts[..before].iter().rev().find(pins).map_or(0, |fact| fact.at)
    }

    /// Whether the next answer shows a pair that is older than the gap.
    pub(super) fn is_untouched(&self, gap: i64) -> bool {
        match self.next_fact(gap).map(|fact| fact.shown) {
            Some(Shown::Outline(pair) | Shown::Pair(pair)) => pair.modified < gap,
            Some(Shown::Nothing | Shown::Something) | None => false,
        }
    }

    /// The chance of a put of the key, with a lease or without.
    pub(super) fn put(
        &self,
        place: Place<'_>,
        held: Option<Pair<'_>>,
        lease: Option<Lease>,
    ) -> Chance {
        let Place { gap, .. } = place;
        let Some(fact) = self.next_fact(gap) else { return Chance::Free };
        let seen = match fact.shown {
            Shown::Nothing => return self.before_death(place, (held, lease), fact.at),
            Shown::Something if held.is_none() && !any_within(&self.puts, gap, fact.at) => {
                return Chance::Needed(fact.at);
            }
            Shown::Something => return Chance::Free,
            Shown::Outline(seen) | Shown::Pair(seen) => seen,
        };
        if seen.modified < gap {
            return Chance::Never;
        }
        if seen.created > gap {
            return self.before_death(place, (held, lease), seen.created - 1);
        }
        // Without the life that is seen later, an earlier choice was wrong.
        let alive = held.filter(|pair| pair.created == seen.created);
        match alive.map(|pair| self.missing(gap, pair, seen)) {
            Some(missing) if missing > 0 => Chance::Needed(seen.modified),
            Some(_) | None => Chance::Never,
        }
    }

    /// The chance of a delete of the key, which holds a pair; or of its end with its lease.
    pub(super) fn delete(&self, place: Place<'_>, held: Pair<'_>) -> Chance {
        let Place { gap, .. } = place;
        assert!(held.modified < gap, "the state is the one before the gap");
        let Some(fact) = self.next_fact(gap) else { return Chance::Free };
        let by = match fact.shown {
            Shown::Nothing => fact.at,
            Shown::Outline(seen) | Shown::Pair(seen) if seen.created > gap => seen.created - 1,
            Shown::Outline(_) | Shown::Pair(_) => return Chance::Never,
            Shown::Something if any_within(&self.puts, gap, fact.at) => return Chance::Free,
            Shown::Something => return doubtful(place.is_followed(self.put_release, fact.at)),
        };
        // Where it is deleted or put again anyway, this need not be the delete that counts.
        let settled = self.is_settled(gap, by) || place.is_ended(held.lease, by);
        if settled { Chance::Free } else { Chance::Needed(by) }
    }

    /// A put of a key that is gone at a later revision; what it held, and its lease from then on.
    fn before_death(
        &self,
        place: Place<'_>,
        (held, lease): (Option<Pair<'_>>, Option<Lease>),
        by: i64,
    ) -> Chance {
        if self.is_settled(place.gap, by) {
            return Chance::Free;
        }
        if place.is_ended(lease, by) {
            // Without the lease, something else must remove what is there.
            let stays = held.is_some_and(|held| !place.is_ended(held.lease, by));
            return if stays { Chance::Needed(by) } else { Chance::Free };
        }
        // Another unknown put may attach it to a lease that ends, whether somebody tells or not.
        let attached = lease.is_some() || place.is_followed(self.put_release, by);
        let ends = place.ending && attached && any_within(place.hidden, place.gap, by);
        doubtful(ends || place.is_followed(self.delete_release, by))
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
