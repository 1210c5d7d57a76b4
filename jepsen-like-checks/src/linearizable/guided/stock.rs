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
use super::outlook::{Chance, Outlook};
use super::present::Present;

/// What a contradiction has to do with: keys, each from a revision on.
#[derive(Default)]
pub(super) struct Concern(BTreeMap<Span, i64>);

impl Concern {
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

/// How a class ranks among those that may fill a gap; the smallest is tried first. Where nothing
/// speaks for or against a write, a put is better spent than a delete, and a put of which many are
/// left is better spent than a rare one.
type Rank = (Chance, bool, usize, ClassId);

pub(super) struct Stock<'c, 'h> {
    case: &'c Case<'h>,
    gaps: &'c Gaps<'h>,
    outlook: Outlook,
    /// How many members of each class are in force.
    used: Vec<usize>,
    /// And of each pool.
    drawn: Vec<usize>,
}

impl<'c, 'h> Stock<'c, 'h> {
    pub(super) fn new(case: &'c Case<'h>, gaps: &'c Gaps<'h>) -> Self {
        let (used, drawn) = (vec![0; gaps.classes.len()], vec![0; gaps.pools.len()]);
        Self { case, gaps, outlook: Outlook::new(case, gaps), used, drawn }
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

    /// The classes that may fill a gap, the likeliest first.
    pub(super) fn options(&self, present: &Present<'h>, gap: &Gap<'h>) -> Vec<ClassId> {
        let classes = self.gaps.classes.iter().zip(&self.used).enumerate();
        let spare = classes.filter(|(_, (class, used))| class.has_spare(gap.revision, **used));
        let spare = spare.map(|(id, _)| id);
        match gap.trace {
            Some(_) => spare.filter(|id| self.fits(gap, &self.gaps.classes[*id])).collect(),
            None => self.ranked(present, gap, spare),
        }
    }

    fn ranked(
        &self,
        present: &Present<'h>,
        gap: &Gap<'h>,
        spare: impl Iterator<Item = ClassId>,
    ) -> Vec<ClassId> {
        let mut ranks: Vec<Rank> = Vec::new();
        let mut pools: BTreeMap<PoolId, (ClassId, usize)> = BTreeMap::new();
        for class in spare {
            let id = self.gaps.classes[class].pool;
            let pool = &self.gaps.pools[id];
            if pool.deletes || pool.picky {
                ranks.push((Chance::Free, pool.deletes, usize::MAX, class));
            } else {
                pools.entry(id).or_insert((class, 0)).1 += 1;
            }
        }
        let left = |(class, left)| (Chance::Free, false, usize::MAX - left, class);
        ranks.extend(pools.into_values().map(left));
        for rank in &mut ranks {
            rank.0 = self.outlook.chance(present, gap.revision, self.change(rank.3));
        }
        ranks.retain(|rank| rank.0 < Chance::Never);
        ranks.sort_unstable();
        ranks.into_iter().map(|(_, _, _, class)| class).collect()
    }

    fn fits(&self, gap: &Gap<'h>, class: &Class<'h>) -> bool {
        gap.trace.is_none_or(|trace| trace.fits(&self.case.keys, class.change))
    }

    /// What a contradiction about some keys at a revision has to do with. Where an answer before it
    /// shows what they held, nothing older counts: whatever happened, it must have led to that. But
    /// where writes have run out, it counts who used them.
    pub(super) fn concern(&self, keys: Span, at: i64) -> Concern {
        let since = self.outlook.pinned(keys, at);
        let mut pools = self.gaps.pools.iter().zip(&self.drawn);
        let scarce =
            pools.any(|(pool, drawn)| pool.span.meets(keys) && pool.is_scarce(*drawn, since, at));
        Concern(BTreeMap::from([(keys, if scarce { 0 } else { since })]))
    }

    /// Whether another choice at a gap, or an earlier one, could change there what is of concern.
    pub(super) fn reaches(&self, gap: &Gap<'h>, options: &[ClassId], concern: &Concern) -> bool {
        // A delete that is no option may become one when the state is another.
        let delete =
            |pool: &Pool| pool.deletes && gap.trace.is_none() && pool.released(gap.revision) > 0;
        let deletes = self.gaps.pools.iter().filter(|pool| delete(pool)).map(|pool| pool.span);
        let options = options.iter().map(|class| self.change(*class).span());
        options.chain(deletes).any(|keys| concern.meets(gap.revision, keys))
    }

    /// Why a gap has these options and no others.
    pub(super) fn excluded(&self, gap: &Gap<'h>, options: &[ClassId]) -> Concern {
        let mut concern = Concern::default();
        if let Some(trace) = gap.trace {
            let key = self.case.keys.number(&trace.pair.key);
            concern.add(key.map_or(Span::NONE, Span::one), 0);
            return concern;
        }
        let options: Vec<PoolId> =
            options.iter().map(|class| self.gaps.classes[*class].pool).collect();
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
