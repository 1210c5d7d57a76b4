//! What the answers say of one key, and what that leaves possible for it at a gap.
//!
//! ```text
//! revision      5     6 gap   7     8 look
//! the key       v2            put   v4 seen      one more put is needed, and this gap is its place
//! ```
//!
//! Not here: collecting it (`outlook.rs`).

use super::outlook::Chance;
use super::present::Pair;
use crate::history::KeyValue;

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
    /// Whether leases or transactions may change it unseen, so that only what a later pair says of
    /// itself counts.
    pub(super) tangled: bool,
}

/// A hidden gap, and the others around it.
#[derive(Clone, Copy)]
pub(super) struct Place<'o> {
    pub(super) gap: i64,
    pub(super) hidden: &'o [i64],
}

impl Place<'_> {
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
    fn next_fact(&self, gap: i64) -> Option<Fact> {
        self.facts.get(self.facts.partition_point(|fact| fact.at < gap)).copied()
    }

    pub(super) fn pinned(&self, at: i64) -> i64 {
        let before = self.facts.partition_point(|fact| fact.at < at);
        let pins = |fact: &&Fact| !matches!(fact.shown, Shown::Something);
        self.facts[..before].iter().rev().find(pins).map_or(0, |fact| fact.at)
    }

    /// Whether the next answer shows a pair that is older than the gap.
    pub(super) fn is_untouched(&self, gap: i64) -> bool {
        match self.next_fact(gap).map(|fact| fact.shown) {
            Some(Shown::Pair(pair)) => pair.modified < gap,
            Some(Shown::Nothing | Shown::Something) | None => false,
        }
    }

    /// Whether the next answer shows a life that began before the gap.
    fn is_alive_throughout(&self, gap: i64) -> bool {
        match self.next_fact(gap).map(|fact| fact.shown) {
            Some(Shown::Pair(pair)) => pair.created <= gap,
            Some(Shown::Nothing | Shown::Something) | None => false,
        }
    }

    /// The chance that a lease takes the key with it.
    pub(super) fn end(&self, gap: i64) -> Chance {
        if self.is_alive_throughout(gap) {
            return Chance::Never;
        }
        match self.next_fact(gap) {
            Some(Fact { shown: Shown::Nothing, at, .. }) if !self.is_settled(gap, at) => {
                Chance::Needed(at)
            }
            Some(_) | None => Chance::Free,
        }
    }

    /// The chance of a put of the key.
    pub(super) fn put(&self, place: Place<'_>, held: Option<Pair<'_>>) -> Chance {
        let Place { gap, .. } = place;
        let Some(fact) = self.next_fact(gap) else { return Chance::Free };
        if self.tangled {
            return if self.is_untouched(gap) { Chance::Never } else { Chance::Free };
        }
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
    pub(super) fn delete(&self, place: Place<'_>, held: Pair<'_>) -> Chance {
        let Place { gap, .. } = place;
        assert!(held.modified < gap, "the state is the one before the gap");
        let Some(fact) = self.next_fact(gap) else { return Chance::Free };
        if self.tangled {
            return if self.is_alive_throughout(gap) { Chance::Never } else { Chance::Free };
        }
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
