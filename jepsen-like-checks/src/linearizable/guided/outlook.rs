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
//! Everything said here follows from the answers on record, so a legal history's true order is
//! never ruled out; it only is found sooner. Choices with the nearest deadline come first.
//!
//! Not here: collecting it (`learn.rs`), one key alone (`known.rs`), the choice (`search.rs`).

use super::case::{Case, Change};
use super::gaps::Gaps;
use super::ground::Ground;
use super::keys::{KeyId, Span};
use super::known::{Known, Place};
use super::learn;
use super::present::{Pair, Present};
use crate::history::Lease;

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

/// What is known of the keys that unknown writes can touch.
pub(super) struct Outlook {
    ground: Ground,
    /// The ends of leases of which somebody told, by revision.
    ends: Vec<(i64, Lease)>,
    /// Whether leases may end without anybody telling.
    ending: bool,
    /// What is known of each of the ground's keys.
    known: Vec<Known>,
}

/// So many keys that it does not pay to ask for each when it was last shown.
const MANY: usize = 32;

impl Outlook {
    pub(super) fn new(case: &Case<'_>, gaps: &Gaps<'_>) -> Self {
        let ground = Ground::new(case, gaps);
        let known = learn::learn(case, gaps, &ground);
        let ends = case.writes.iter().filter_map(|write| match write.change {
            Change::End(lease) => Some((write.revision, lease)),
            Change::Put { .. } | Change::Delete(_) | Change::Txn(_) | Change::Keep(_) => None,
        });
        let (ends, ending) = (ends.collect(), !case.tenure.granted.is_empty());
        Self { ground, ends, ending, known }
    }

    /// What is known of the keys of a span.
    fn of(&self, span: Span) -> &[Known] {
        &self.known[self.ground.places(span)]
    }

    fn place(&self, gap: i64) -> Place<'_> {
        Place { gap, hidden: &self.ground.hidden, ends: &self.ends, ending: self.ending }
    }

    fn known(&self, key: KeyId) -> Option<&Known> {
        self.of(Span::one(key)).first()
    }

    /// The chance of a change at a gap, when `present` is the state before it.
    pub(super) fn chance(&self, present: &Present<'_>, gap: i64, change: Change<'_>) -> Chance {
        let place = self.place(gap);
        let span = match change {
            Change::Put { key, lease, .. } => {
                let put = |known: &Known| known.put(place, present.get(key), lease);
                return self.known(key).map_or(Chance::Free, put);
            }
            Change::Delete(span) => span,
            Change::Txn(_) | Change::Keep(_) | Change::End(_) => return Chance::Free,
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

    /// The chance of the end of a lease to which these keys are attached.
    pub(super) fn end<'h>(
        &self,
        gap: i64,
        keys: impl Iterator<Item = (KeyId, Pair<'h>)>,
    ) -> Chance {
        self.all(keys.map(|(key, pair)| (key, Some(pair), None)), gap)
    }

    /// The chance of a change that was made at a gap.
    pub(super) fn made(&self, present: &Present<'_>, gap: i64) -> Chance {
        let changes = present.changes(gap);
        self.all(changes.map(|(key, before)| (key, before, present.get(key))), gap)
    }

    /// The chance that some keys change from what they held to what they hold.
    fn all<'h>(
        &self,
        changes: impl Iterator<Item = (KeyId, Option<Pair<'h>>, Option<Pair<'h>>)>,
        gap: i64,
    ) -> Chance {
        let place = self.place(gap);
        let mut best = Chance::Free;
        for (key, before, after) in changes {
            let Some(known) = self.known(key) else { continue };
            let chance = match (before, after) {
                (_, Some(pair)) => known.put(place, before, pair.lease),
                (Some(pair), None) => known.delete(place, pair),
                (None, None) => Chance::Free,
            };
            match chance {
                Chance::Never => return Chance::Never,
                Chance::Needed(_) | Chance::Free | Chance::Doubtful => best = best.min(chance),
            }
        }
        best
    }

    /// The newest revision below `at` from which on answers show all that each of some keys held; 0
    /// if there is none.
    pub(super) fn pinned(&self, keys: Span, at: i64) -> i64 {
        let known = self.of(keys);
        // Of many keys, one is hardly ever looked at.
        if known.len() > MANY {
            return 0;
        }
        known.iter().map(|known| known.pinned(at)).min().unwrap_or(0)
    }

    /// Whether the answers rule out any change of all these keys at a gap, whatever the state.
    pub(super) fn forbids(&self, gap: i64, keys: Span) -> bool {
        self.of(keys).iter().any(|known| known.is_untouched(gap))
    }
}
