//! The unknown writes that are left, and which of them may fill a gap.
//!
//! Two kinds of rules narrow the choice. Some hold whatever was chosen before: the write must have
//! been invoked in time, must leave what somebody saw, must not contradict the next answer. Others
//! depend on earlier choices: the write must be left over, and must make sense in the state of its
//! keys. The difference matters when the search steps back: what the first kind ruled out stays out,
//! what the second ruled out might come in again.
//!
//! Invariants:
//! - T1. A concern names all keys, and for each all gaps, on which the contradiction depends.
//!
//! Not here: trying them in turn (`search.rs`), the next answers (`outlook.rs`).

use std::collections::BTreeMap;

use super::case::{Case, Change};
use super::gaps::{Class, ClassId, Gap, Gaps, Pool, PoolId};
use super::keys::Span;
use super::lives::Lives;
use super::needs::Needs;
use super::order::Order;
use super::outlook::{Chance, Outlook};
use super::present::Present;
use super::reach;
use super::script;
use crate::history::Lease;

/// What a contradiction has to do with: keys, each from a revision on.
#[derive(Default)]
pub(super) struct Concern(BTreeMap<Span, i64>);

impl Concern {
    /// Any choice may matter.
    pub(super) fn all() -> Self {
        Self(BTreeMap::from([(Span::ALL, 0)]))
    }

    pub(super) fn add(&mut self, keys: Span, since: i64) {
        let known = self.0.entry(keys).or_insert(since);
        *known = since.min(*known);
    }

    pub(super) fn append(&mut self, other: Self) {
        other.0.into_iter().for_each(|(keys, since)| self.add(keys, since));
    }

    fn meets(&self, gap: i64, keys: Span) -> bool {
        self.0.iter().any(|(span, since)| *since < gap && span.meets(keys))
    }
}

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
fn is_served(change: Change<'_>, lives: &Lives, revision: i64) -> bool {
    match change {
        Change::Put { lease: Some(lease), .. } => lives.can_use(lease, revision),
        Change::Put { lease: None, .. }
        | Change::Delete(_)
        | Change::Txn(_)
        | Change::Keep(_)
        | Change::End(_) => true,
    }
}

/// The keys that a gap's write must take from their leases, because each of these was revoked, behind
/// the revision if not in it, and a revoke behind it finds no keys.
#[derive(Default)]
struct Bound {
    leases: Vec<Lease>,
    keys: Span,
}

impl Bound {
    fn new(present: &Present<'_>, gap: &Gap<'_>) -> Self {
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
    case: &'c Case<'h>,
    gaps: &'c Gaps<'h>,
    outlook: Outlook,
    needs: Needs,
    /// A span that holds all keys that each class can change.
    written: Vec<Span>,
    /// How many members of each class are in force.
    used: Vec<usize>,
    /// And of each pool.
    drawn: Vec<usize>,
}

impl<'c, 'h> Stock<'c, 'h> {
    pub(super) fn new(case: &'c Case<'h>, gaps: &'c Gaps<'h>, lives: &Lives) -> Self {
        let (used, drawn) = (vec![0; gaps.classes.len()], vec![0; gaps.pools.len()]);
        let (outlook, needs) = (Outlook::new(case, gaps), Needs::new(case, lives));
        let written = gaps.classes.iter().map(|class| reach::hull(case, class.change)).collect();
        Self { case, gaps, outlook, needs, written, used, drawn }
    }

    pub(super) fn change(&self, class: ClassId) -> Change<'h> {
        self.gaps.classes[class].change
    }

    /// Takes the next member of a class: its operation.
    pub(super) fn take(&mut self, class: ClassId) -> usize {
        let (_, op) = self.gaps.classes[class].members[self.used[class]];
        self.used[class] += 1;
        self.drawn[self.gaps.classes[class].pool] += 1;
        op
    }

    pub(super) fn give_back(&mut self, class: ClassId) {
        assert!(self.used[class] > 0, "R1: only what was taken comes back");
        self.used[class] -= 1;
        self.drawn[self.gaps.classes[class].pool] -= 1;
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
        let within = self.written.iter().enumerate().filter(|(_, keys)| bound.is_within(**keys));
        let spare = within.map(|(id, _)| id).filter(|id| {
            let class = &self.gaps.classes[*id];
            class.has_spare(gap.revision, self.used[*id])
                && is_served(class.change, lives, gap.revision)
        });
        if gap.trace.is_some() {
            let fits = spare.filter(|id| self.fits(gap, &self.gaps.classes[*id]));
            return fits.map(Pick::Class).collect();
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
            let can_end = self.needs.can_end(lease, gap.revision);
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
        let other = |lease: &Lease| {
            let asked = asked.iter().any(|(asked, _)| asked == lease);
            !asked && !self.case.tenure.labels.contains(lease)
        };
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
            let pool = &self.gaps.pools[id];
            // A put with a lease needs it alive, so not every put of its key can stand in for it.
            let leased = matches!(self.change(class), Change::Put { lease: Some(_), .. });
            if pool.conditional || pool.picky || leased {
                ranks.push((Chance::Free, pool.conditional, usize::MAX, class));
            } else {
                pools.entry(id).or_insert((class, 0)).1 += 1;
            }
        }
        let left = |(class, left)| (Chance::Free, false, usize::MAX - left, class);
        ranks.extend(pools.into_values().map(left));
        for rank in &mut ranks {
            let change = self.change(rank.3);
            rank.0 = match change {
                Change::Txn(_) | Change::Keep(_) => {
                    let chance = self.attempt(present, lives, (gap, bound), change);
                    present.rewind(gap.revision);
                    chance.unwrap_or(Chance::Never)
                }
                Change::Put { .. } | Change::Delete(_) | Change::End(_) => {
                    self.outlook.chance(present, gap.revision, change)
                }
            };
        }
        ranks.retain(|rank| rank.0 < Chance::Never);
        ranks.sort_unstable();
        ranks.into_iter().map(|(chance, _, _, class)| (chance, Pick::Class(class))).collect()
    }

    /// The chance of a write whose effect depends on the state: the only way to know is to make it.
    fn attempt(
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

    fn fits(&self, gap: &Gap<'h>, class: &Class<'h>) -> bool {
        gap.trace.is_none_or(|trace| trace.fits(&self.case.keys, class.change))
    }

    /// What a contradiction about some keys at a revision has to do with. Where an answer before it
    /// shows what they held, nothing older counts: whatever happened, it must have led to that. But
    /// where writes have run out, it counts who used them.
    pub(super) fn concern(&self, keys: Span, at: i64) -> Concern {
        if self.gaps.tangled {
            return Concern::all();
        }
        let since = self.outlook.pinned(keys, at);
        let mut pools = self.gaps.pools.iter().zip(&self.drawn);
        let scarce =
            pools.any(|(pool, drawn)| pool.span.meets(keys) && pool.is_scarce(*drawn, since, at));
        Concern(BTreeMap::from([(keys, if scarce { 0 } else { since })]))
    }

    /// Whether another choice at a gap, or an earlier one, could change there what is of concern.
    pub(super) fn reaches(&self, gap: &Gap<'h>, options: &[Pick], concern: &Concern) -> bool {
        if self.gaps.tangled {
            return true;
        }
        // A delete that is no option may become one when the state is another.
        let delete = |pool: &Pool| {
            pool.conditional && gap.trace.is_none() && pool.released(gap.revision) > 0
        };
        let deletes = self.gaps.pools.iter().filter(|pool| delete(pool)).map(|pool| pool.span);
        let options = options.iter().map(|pick| match pick {
            Pick::Class(class) => self.gaps.classes[*class].span,
            Pick::Revoke { .. } | Pick::Expiry(_) => Span::ALL,
        });
        options.chain(deletes).any(|keys| concern.meets(gap.revision, keys))
    }

    /// Why a gap has these options and no others.
    pub(super) fn excluded(&self, gap: &Gap<'h>, options: &[Pick]) -> Concern {
        if self.gaps.tangled {
            return Concern::all();
        }
        let mut concern = Concern::default();
        if let Some(trace) = gap.trace {
            let key = self.case.keys.number(&trace.pair.key);
            concern.add(key.map_or(Span::NONE, Span::one), 0);
            return concern;
        }
        let pool = |pick: &Pick| match pick {
            Pick::Class(class) => Some(self.gaps.classes[*class].pool),
            Pick::Revoke { .. } | Pick::Expiry(_) => None,
        };
        let options: Vec<PoolId> = options.iter().filter_map(pool).collect();
        for (id, pool) in self.gaps.pools.iter().enumerate() {
            let possible =
                pool.released(gap.revision) > 0 && !self.outlook.forbids(gap.revision, pool.span);
            if possible && !options.contains(&id) {
                concern.append(self.concern(pool.span, gap.revision));
            }
        }
        concern
    }
}
