//! The unknown writes that are left, and which of them may fill a gap.
//!
//! Two kinds of rules narrow the choice. Some hold whatever was chosen before: the write must have
//! been invoked in time, must leave what somebody saw, must not contradict the next answer. Others
//! depend on earlier choices: the write must be left over, and must make sense in the state of its
//! keys. The difference matters when the search steps back: what the first kind ruled out stays
//! out, what the second ruled out might come in again.
//!
//! Not here: trying them in turn (`search.rs`), the next answers (`outlook.rs`), what another
//! choice could have changed (`blame.rs`).

use std::collections::BTreeMap;

use super::candidates::{BLOCK, Candidates};
use super::case::{Case, Change};
use super::gaps::{Class, ClassId, Gap, Gaps, PoolId};
use super::keys::{KeyId, Span};
use super::lives::Lives;
use super::needs::Needs;
use super::order::Order;
use super::outlook::{Chance, Outlook};
use super::present::Present;
use super::reach;
use super::script;
use crate::history::Lease;

/// What fills a gap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pick {
    /// A write without an answer: the next member of a class.
    Class(ClassId),
    /// A revoke that was answered with this revision.
    Revoke { op: usize, lease: Lease },
    /// A lease's end, of which nobody told.
    Expiry(Lease),
}

/// Whether the leases that a change names are alive, as far as can be told without making it.
pub(super) fn is_served(change: Change<'_>, lives: &Lives, revision: i64) -> bool {
    match change {
        Change::Put { lease: Some(lease), .. } => lives.can_use(lease, revision),
        Change::Put { lease: None, .. }
        | Change::Delete(_)
        | Change::Txn(_)
        | Change::Keep(_)
        | Change::End(_) => true,
    }
}

/// The keys that a gap's write must take from their leases, because each of these was revoked,
/// behind the revision if not in it, and a revoke behind it finds no keys.
#[derive(Default)]
pub(super) struct Bound {
    pub(super) leases: Vec<Lease>,
    keys: Span,
}

impl Bound {
    pub(super) fn new(present: &Present<'_>, gap: &Gap<'_>) -> Self {
        let mut bound = Self::default();
        for (_, lease) in &gap.revokes {
            let Some(attached) = present.attached(*lease) else { continue };
            bound.leases.push(*lease);
            for key in attached.first().into_iter().chain(attached.last()) {
                bound.keys = bound.keys.with(Span::one(*key));
            }
        }
        bound
    }

    /// Whether a write of these keys reaches all of them.
    fn is_within(&self, keys: Span) -> bool {
        self.keys.is_empty() || self.keys.with(keys) == keys
    }

    /// One of them that is in none of some spans, which a hull holds.
    pub(super) fn left_by(
        &self,
        present: &Present<'_>,
        (hull, spans): (Span, &[Span]),
    ) -> Option<KeyId> {
        let mut attached =
            self.leases.iter().filter_map(|lease| present.attached(*lease)).flatten();
        let meets = |keys: &Span, key: KeyId| keys.meets(Span::one(key));
        let reached = |key| meets(&hull, key) && spans.iter().any(|keys| meets(keys, key));
        attached.find(|key| !reached(**key)).copied()
    }

    /// One of them that the end of a lease leaves to another.
    pub(super) fn left_by_end(&self, present: &Present<'_>, lease: Lease) -> Option<KeyId> {
        let other = self.leases.iter().find(|other| **other != lease)?;
        present.attached(*other)?.first().copied()
    }

    /// Whether no other lease is left with keys when one ends.
    fn is_freed_by(&self, pick: Pick) -> bool {
        let ended = match pick {
            Pick::Class(_) => return true,
            Pick::Revoke { lease, .. } | Pick::Expiry(lease) => lease,
        };
        self.leases.iter().all(|lease| *lease == ended)
    }
}

/// How a class ranks among those that may fill a gap; the smallest is tried first. Where nothing
/// speaks for or against a write, a put is better spent than a delete, and a put of which many are
/// left is better spent than a rare one.
type Rank = (Chance, bool, usize, ClassId);

pub(super) struct Stock<'c, 'h> {
    pub(super) case: &'c Case<'h>,
    pub(super) gaps: &'c Gaps<'h>,
    pub(super) outlook: Outlook,
    candidates: Candidates,
    needs: Needs,
    /// A span that holds all keys that each class can change.
    pub(super) written: Vec<Span>,
    /// The keys themselves, span by span.
    pub(super) spans: Vec<Vec<Span>>,
    /// The leases that each class may need.
    pub(super) needed: Vec<Vec<Lease>>,
    /// How many members of each class are in force.
    pub(super) used: Vec<usize>,
}

impl<'c, 'h> Stock<'c, 'h> {
    pub(super) fn new(case: &'c Case<'h>, gaps: &'c Gaps<'h>, lives: &Lives) -> Self {
        let used = vec![0; gaps.classes.len()];
        let (outlook, needs) = (Outlook::new(case, gaps), Needs::new(case, lives));
        let spans: Vec<_> =
            gaps.classes.iter().map(|class| reach::written(case, class.change)).collect();
        let hull = |spans: &Vec<Span>| spans.iter().fold(Span::NONE, |hull, keys| hull.with(*keys));
        let written = spans.iter().map(hull).collect();
        let needed = gaps.classes.iter().map(|class| reach::needed(class.change)).collect();
        let candidates = Candidates::new(gaps.gaps.len(), gaps.classes.len());
        Self { case, gaps, outlook, candidates, needs, written, spans, needed, used }
    }

    pub(super) fn change(&self, class: ClassId) -> Change<'h> {
        self.gaps.classes[class].change
    }

    /// Takes the next member of a class: its operation.
    pub(super) fn take(&mut self, class: ClassId) -> usize {
        let (_, op) = self.gaps.classes[class].members[self.used[class]];
        self.used[class] += 1;
        op
    }

    pub(super) fn give_back(&mut self, class: ClassId) {
        assert!(self.used[class] > 0, "R1: only what was taken comes back");
        self.used[class] -= 1;
    }

    /// Finds out which classes may fill a gap and those behind it, when the search comes to it.
    pub(super) fn open(&mut self, gap: &Gap<'h>) {
        if !self.candidates.are_wanted(gap.number) {
            return;
        }
        let gaps = self.gaps.gaps.iter().skip(gap.number).take(BLOCK);
        let mut found = vec![Vec::new(); gaps.len()];
        for (id, class) in self.gaps.classes.iter().enumerate() {
            // What somebody saw of a gap is believed even where another answer contradicts it: the
            // contradiction, not the lack of a writer, is what a reader is shown.
            let believed = |gap: &Gap<'h>| gap.trace.is_some() || self.is_possible(gap, class);
            for (gap, found) in gaps.clone().zip(&mut found) {
                if self.fits(gap, class) && believed(gap) {
                    found.push(id);
                }
            }
        }
        self.candidates.keep(gap.number, found);
    }

    /// Whether a candidate may fill a gap in some state, as far as the answers tell.
    pub(super) fn may_fill(&self, gap: &Gap<'h>, class: &Class<'h>) -> bool {
        gap.trace.is_none() && self.candidates.are_known(gap.number) || self.is_possible(gap, class)
    }

    /// The classes that may fill a gap, each with its place.
    pub(super) fn candidates(&self, gap: &Gap<'h>) -> impl Iterator<Item = (ClassId, &Class<'h>)> {
        self.candidates.of(gap.number).map(|id| (id, &self.gaps.classes[id]))
    }

    /// What may fill a gap, the likeliest first.
    pub(super) fn options(
        &self,
        present: &mut Present<'h>,
        lives: &Lives,
        order: &Order,
        gap: &Gap<'h>,
    ) -> Vec<Pick> {
        let bound = Bound::new(present, gap);
        // Most gaps of a revoke are its own, and few classes reach the keys that it took.
        let within = self.candidates(gap).filter(|(id, _)| bound.is_within(self.written[*id]));
        let spare = within.filter(|(id, class)| {
            class.has_spare(gap.revision, self.used[*id])
                && is_served(class.change, lives, gap.revision)
        });
        let spare = spare.map(|(id, _)| id);
        if gap.trace.is_some() {
            let fits = spare.filter(|id| self.fits(gap, &self.gaps.classes[*id]));
            // The outlook reckons with what was seen, so only whether a script has an effect is
            // open.
            let may_be = |id: &ClassId| match self.change(*id) {
                change @ (Change::Txn(_) | Change::Keep(_)) => {
                    let chance = self.attempt(present, lives, (gap, &bound), change);
                    present.rewind(gap.revision);
                    chance.is_some()
                }
                Change::Put { .. } | Change::Delete(_) | Change::End(_) => true,
            };
            return fits.filter(may_be).map(Pick::Class).collect();
        }
        let mut options: Vec<(Chance, Pick)> = self.ends(present, lives, order, gap);
        options.retain(|(_, pick)| bound.is_freed_by(*pick));
        options.extend(self.ranked(present, lives, (gap, &bound), spare));
        // Sorted stably: an end that may be is likelier than a write that may be.
        options.sort_by_key(|(chance, _)| *chance);
        options.into_iter().map(|(_, pick)| pick).collect()
    }

    /// The ends of leases that may have made a revision: asked for, or not.
    fn ends(
        &self,
        present: &Present<'h>,
        lives: &Lives,
        order: &Order,
        gap: &Gap<'h>,
    ) -> Vec<(Chance, Pick)> {
        let possible =
            |lease: Lease| present.attached(lease).filter(|_| lives.can_use(lease, gap.revision));
        let chance = |lease: Lease| {
            let can_end = self.can_end(lease, gap.revision);
            let attached = possible(lease).filter(|_| can_end)?.iter();
            let keys = attached.filter_map(|key| Some((*key, present.get(*key)?)));
            Some(self.outlook.end(gap.revision, keys)).filter(|chance| *chance < Chance::Never)
        };
        let asked = gap.revokes.iter().filter_map(|(op, lease)| {
            let seen = order.is_seen_before(gap.revision, self.case.operations[*op].invoked);
            let pick = Pick::Revoke { op: *op, lease: *lease };
            // Where it is possible, it is as good as sure: its answer says this revision. So it is
            // tried even if that contradicts a later answer, which then is what a reader is shown.
            possible(*lease).filter(|_| !seen).map(|_| (*lease, pick))
        });
        let asked: Vec<(Lease, Pick)> = asked.collect();
        // Where the lease ended unasked and was granted again for the revoke behind it, the revoke
        // can change places with the end: a lease without keys ends unseen.
        let other = |lease: &Lease| !asked.iter().any(|(asked, _)| asked == lease);
        let unasked = present.attaching().filter(other);
        let unasked = unasked.filter_map(|lease| Some((chance(lease)?, Pick::Expiry(lease))));
        asked.iter().map(|(_, pick)| (Chance::Needed(0), *pick)).chain(unasked).collect()
    }

    fn ranked(
        &self,
        present: &mut Present<'h>,
        lives: &Lives,
        (gap, bound): (&Gap<'h>, &Bound),
        spare: impl Iterator<Item = ClassId>,
    ) -> Vec<(Chance, Pick)> {
        let mut ranks: Vec<Rank> = Vec::new();
        let mut pools: BTreeMap<PoolId, (ClassId, usize)> = BTreeMap::new();
        for class in spare {
            let id = self.gaps.classes[class].pool;
            if self.is_pooled(class) {
                pools.entry(id).or_insert((class, 0)).1 += 1;
            } else {
                let conditional = self.gaps.pools[id].conditional;
                ranks.push((Chance::Free, conditional, usize::MAX, class));
            }
        }
        let left = |(class, left)| (Chance::Free, false, usize::MAX - left, class);
        ranks.extend(pools.into_values().map(left));
        for rank in &mut ranks {
            rank.0 = self.chance(present, lives, (gap, bound), self.change(rank.3));
        }
        ranks.retain(|rank| rank.0 < Chance::Never);
        ranks.sort_unstable();
        ranks.into_iter().map(|(chance, _, _, class)| (chance, Pick::Class(class))).collect()
    }

    pub(super) fn chance(
        &self,
        present: &mut Present<'h>,
        lives: &Lives,
        (gap, bound): (&Gap<'h>, &Bound),
        change: Change<'h>,
    ) -> Chance {
        match change {
            Change::Txn(_) | Change::Keep(_) => {
                let chance = self.attempt(present, lives, (gap, bound), change);
                present.rewind(gap.revision);
                chance.unwrap_or(Chance::Never)
            }
            Change::Put { .. } | Change::Delete(_) | Change::End(_) => {
                self.outlook.chance(present, gap.revision, change)
            }
        }
    }

    /// The chance of a write whose effect depends on the state: the only way to know is to make it.
    pub(super) fn attempt(
        &self,
        present: &mut Present<'h>,
        lives: &Lives,
        (gap, bound): (&Gap<'h>, &Bound),
        change: Change<'h>,
    ) -> Option<Chance> {
        let leases = script::attempt(self.case, present, gap.revision, change)?;
        let served = leases.into_iter().all(|lease| lives.can_use(lease, gap.revision));
        let freed = bound.leases.iter().all(|lease| present.attached(*lease).is_none());
        (served && freed).then(|| self.outlook.made(present, gap.revision))
    }

    /// Whether any put of its key can stand in for those of a class. A put with a lease needs it
    /// alive, so none can for it.
    pub(super) fn is_pooled(&self, class: ClassId) -> bool {
        let pool = &self.gaps.pools[self.gaps.classes[class].pool];
        let leased = matches!(self.change(class), Change::Put { lease: Some(_), .. });
        !(pool.conditional || pool.picky || leased)
    }

    /// Whether a lease can have ended unasked in a revision, as far as the answers tell.
    pub(super) fn can_end(&self, lease: Lease, revision: i64) -> bool {
        self.needs.can_end(lease, revision) && !self.case.tenure.labels.contains(&lease)
    }

    pub(super) fn fits(&self, gap: &Gap<'h>, class: &Class<'h>) -> bool {
        gap.trace.is_none_or(|trace| trace.fits(class))
    }
}
