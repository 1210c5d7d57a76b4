//! Which choices can mend a contradiction, and why a gap had no others.
//!
//! ```text
//! gap            b?              c?                   clash about a
//! options        end of L1       put b, put c         no put of b or c can mend it: back to b?
//!                delete a..c     delete d             there, only what changes a is worth trying
//! ```
//!
//! A contradiction after an option that changed no key of its concern refutes every other option
//! that changes none of them either: behind the gap, the keys of the concern are the same (T1).
//! What is left to be tried are options that change one of these keys; and when they have failed,
//! too, an earlier choice can only help if it changes a key of some contradiction met here, or if
//! it adds an option, or changes the effect of one, that changes such a key.
//!
//! Invariants:
//! - B1. What changes no key of a concern in any state that agrees with the present one on these
//!   keys is not said to touch it, and nothing else.
//! - B2. In every state that agrees with the present one on the keys that `excluded` names, a gap
//!   has no options that touch the given concern but those it had, and they change the keys of the
//!   concern in the same way.
//!
//! Not here: stepping back (`search.rs`), what there is to choose (`stock.rs`).

use std::collections::BTreeSet;

use super::case::Change;
use super::concern::Concern;
use super::gaps::{Class, ClassId, Gap};
use super::keys::Span;
use super::lives::Lives;
use super::outlook::Chance;
use super::present::Present;
use super::script;
use super::stock::{Bound, Pick, Stock};
use crate::history::Lease;

impl<'h> Stock<'_, 'h> {
    /// What a contradiction about some keys at a revision depends on.
    pub(super) fn concern(&self, keys: Span, at: i64) -> Concern {
        Concern::of(keys, self.outlook.pinned(keys, at))
    }

    /// Whether any choice at a gap could touch what is of concern; `present` and `lives` are as
    /// they are before it.
    pub(super) fn reaches(
        &self,
        (present, lives): (&Present<'h>, &Lives),
        gap: &Gap<'h>,
        concern: &Concern,
    ) -> bool {
        // What is attached to a lease goes with it.
        let mut leases = present.attaching();
        let mut classes = self.candidates(gap);
        matches!(concern, Concern::Everything)
            || classes.any(|(id, class)| self.counts(gap, id, concern) && self.may_fill(gap, class))
            || gap.trace.is_none()
                && (leases.any(|lease| self.ends_some(present, gap, lease, concern))
                    || concern.leases().any(|lease| self.may_end(lives, gap, lease)))
    }

    /// Whether an option of a gap may touch what is of concern; `present` is the state before it.
    pub(super) fn touches(
        &self,
        present: &Present<'h>,
        gap: &Gap<'h>,
        pick: Pick,
        concern: &Concern,
    ) -> bool {
        match pick {
            Pick::Class(class) => self.counts(gap, class, concern),
            Pick::Revoke { lease, .. } | Pick::Expiry(lease) => {
                let attached = present.attached(lease).into_iter().flatten().copied();
                concern.asks_for(lease) || concern.meets_any(gap.revision, attached)
            }
        }
    }

    /// Whether a class may touch what is of concern.
    fn counts(&self, gap: &Gap<'h>, class: ClassId, concern: &Concern) -> bool {
        concern.meets(gap.revision, self.written[class])
            || self.needed[class].iter().any(|lease| concern.asks_for(*lease))
    }

    /// Whether the end of a lease takes a key of concern, and no answer rules that out.
    fn ends_some(
        &self,
        present: &Present<'h>,
        gap: &Gap<'h>,
        lease: Lease,
        concern: &Concern,
    ) -> bool {
        let attached = present.attached(lease).into_iter().flatten().copied();
        let free = attached.filter(|key| !self.outlook.forbids(gap.revision, Span::one(*key)));
        concern.meets_any(gap.revision, free)
    }

    /// Whether a lease that is as it is may end at a gap in some state, as far as the answers tell.
    fn may_end(&self, lives: &Lives, gap: &Gap<'h>, lease: Lease) -> bool {
        let can_end = is_asked(gap, lease) || self.can_end(lease, gap.revision);
        can_end && lives.can_use(lease, gap.revision)
    }

    /// Whether a class may fill a gap in some state, as far as the answers tell.
    pub(super) fn is_possible(&self, gap: &Gap<'h>, class: &Class<'h>) -> bool {
        let forbidden = || match class.change {
            Change::Put { .. } | Change::Delete(_) | Change::Keep(_) => {
                self.outlook.forbids(gap.revision, class.span)
            }
            Change::Txn(_) | Change::End(_) => false,
        };
        class.released(gap.revision) > 0 && self.fits(gap, class) && !forbidden()
    }

    /// Why a gap has these options and no others that touch what is of concern; `present` and
    /// `lives` are as they are before it. Without a concern, why it has no others at all.
    pub(super) fn excluded(
        &self,
        (present, lives): (&mut Present<'h>, &Lives),
        gap: &Gap<'h>,
        options: &[Pick],
        within: Option<&Concern>,
    ) -> Concern {
        let bound = Bound::new(present, gap);
        let mut why = Concern::default();
        if gap.trace.is_none() {
            why.append(self.why_no_end((present, lives), (gap, &bound), options, within));
        }
        let mut left = BTreeSet::new();
        let counts = |id| within.is_none_or(|within| self.counts(gap, id, within));
        for (id, class) in self.candidates(gap).filter(|(id, _)| counts(*id)) {
            if matches!(why, Concern::Everything) {
                break;
            }
            if let Some(key) = bound.left_by(present, (self.written[id], &self.spans[id])) {
                left.insert(key);
                continue;
            }
            if !self.may_fill(gap, class) {
                continue;
            }
            let is_option = options.iter().any(|pick| self.stands_for(gap, *pick, id));
            why.append(match class.change {
                Change::Put { .. } | Change::Delete(_) if is_option => continue,
                Change::Txn(_) | Change::Keep(_) if is_option => {
                    self.concern(class.span, gap.revision)
                }
                Change::Put { .. }
                | Change::Delete(_)
                | Change::Txn(_)
                | Change::Keep(_)
                | Change::End(_) => self.why_not((present, lives), gap, (id, class)),
            });
        }
        left.into_iter().for_each(|key| why.append(self.concern(Span::one(key), gap.revision)));
        why
    }

    /// Why a class is no option.
    fn why_not(
        &self,
        (present, lives): (&mut Present<'h>, &Lives),
        gap: &Gap<'h>,
        (id, class): (ClassId, &Class<'h>),
    ) -> Concern {
        // Where its members have run out, it counts who used them, ever.
        if !class.has_spare(gap.revision, self.used[id]) {
            return Concern::of(class.span, 0);
        }
        let mut why = self.concern(class.span, gap.revision);
        let dead = |lease: &Lease| !lives.can_use(*lease, gap.revision);
        why.append(
            self.uses(present, gap, class.change)
                .into_iter()
                .find(dead)
                .map_or_else(Concern::default, Concern::life),
        );
        why
    }

    /// The leases that a change would need in the present state.
    fn uses(&self, present: &mut Present<'h>, gap: &Gap<'h>, change: Change<'h>) -> Vec<Lease> {
        match change {
            Change::Put { lease, .. } => lease.into_iter().collect(),
            Change::Txn(_) | Change::Keep(_) => {
                let leases = script::attempt(self.case, present, gap.revision, change);
                present.rewind(gap.revision);
                leases.unwrap_or_default()
            }
            Change::Delete(_) | Change::End(_) => Vec::new(),
        }
    }

    /// Whether an option is the class, or one of a pool of which it is as good as all others.
    fn stands_for(&self, gap: &Gap<'h>, pick: Pick, id: ClassId) -> bool {
        let Pick::Class(option) = pick else { return false };
        let same_pool = self.gaps.classes[option].pool == self.gaps.classes[id].pool;
        option == id
            || gap.trace.is_none() && same_pool && self.is_pooled(option) && self.is_pooled(id)
    }

    /// What it depends on that each of some leases has a key.
    fn each_first(&self, present: &Present<'h>, gap: &Gap<'h>, leases: &[Lease]) -> Concern {
        let mut why = Concern::default();
        for lease in leases {
            let first = present.attached(*lease).and_then(|keys| keys.first());
            let key = first.map_or(Span::NONE, |key| Span::one(*key));
            why.append(self.concern(key, gap.revision));
        }
        why
    }

    /// Why no other lease can have ended.
    fn why_no_end(
        &self,
        (present, lives): (&Present<'h>, &Lives),
        (gap, bound): (&Gap<'h>, &Bound),
        options: &[Pick],
        within: Option<&Concern>,
    ) -> Concern {
        let is_option = |lease: Lease| {
            options.iter().any(|pick| match pick {
                Pick::Revoke { lease: ended, .. } | Pick::Expiry(ended) => *ended == lease,
                Pick::Class(_) => false,
            })
        };
        let Some(within) = within else {
            if self.case.tenure.granted.is_empty() {
                return Concern::default();
            }
            // One end leaves the keys of all others that are bound to end.
            let options = bound.leases.iter().all(|lease| is_option(*lease));
            return if bound.leases.is_empty() || !options {
                Concern::Everything
            } else {
                self.each_first(present, gap, &bound.leases)
            };
        };
        // A lease without keys may have some in another state, and end there.
        let bare =
            |lease: Lease| present.attached(lease).is_none() && self.may_end(lives, gap, lease);
        if within.leases().any(bare) {
            return Concern::Everything;
        }
        let mut why = Concern::default();
        let touches = |lease| within.asks_for(lease) || self.ends_some(present, gap, lease, within);
        for lease in present.attaching().filter(|lease| !is_option(*lease) && touches(*lease)) {
            if !self.may_end(lives, gap, lease) {
                continue;
            }
            let asked = is_asked(gap, lease);
            let attached = present.attached(lease).into_iter().flatten();
            let never = attached.copied().find(|key| {
                let pair = present.get(*key).map(|pair| (*key, pair));
                self.outlook.end(gap.revision, pair.into_iter()) == Chance::Never
            });
            let key = bound.left_by_end(present, lease).or(never.filter(|_| !asked));
            let why_not = |key| self.concern(Span::one(key), gap.revision);
            why.append(key.map_or(Concern::Everything, why_not));
        }
        why
    }
}

/// Whether an answered revoke may have ended a lease at a gap.
fn is_asked(gap: &Gap<'_>, lease: Lease) -> bool {
    gap.revokes.iter().any(|(_, asked)| *asked == lease)
}
