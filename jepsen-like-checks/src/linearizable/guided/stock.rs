//! The unknown writes that are left, and which of them may fill a gap.
//!
//! Three kinds of rules narrow the choice. Some hold whatever was chosen before: the write must have
//! been invoked in time, must leave what somebody saw, must not contradict the next answer. The rest
//! depends on earlier choices: the write must be left over, and must make sense in the state of its
//! keys. The difference matters when the search steps back: what was ruled out by the first kind
//! stays out, what was ruled out by the second might come in again.
//!
//! Not here: trying them in turn (`search.rs`), the next answers (`outlook.rs`).

use std::collections::BTreeMap;

use super::case::{Case, Change, Span};
use super::gaps::{Class, ClassId, Gap, Gaps};
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
}

impl<'c, 'h> Stock<'c, 'h> {
    pub(super) fn new(case: &'c Case<'h>, gaps: &'c Gaps<'h>) -> Self {
        Self { case, gaps, outlook: Outlook::new(case, gaps), used: vec![0; gaps.classes.len()] }
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
        // What was put where nobody saw it makes no difference: one put per key is enough.
        let mut puts: BTreeMap<Span, (ClassId, usize)> = BTreeMap::new();
        for class in spare {
            match self.change(class) {
                Change::Put { key, .. } => {
                    puts.entry(Span::one(key)).or_insert((class, 0)).1 += 1;
                }
                Change::Delete(_) => ranks.push((Chance::Free, true, 0, class)),
            }
        }
        let left = |(class, left)| (Chance::Free, false, usize::MAX - left, class);
        ranks.extend(puts.into_values().map(left));
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
        let scarce = |(class, used): (&Class<'h>, &usize)| {
            *used > 0 && class.change.span().meets(keys) && !class.has_spare(since + 1, *used)
        };
        let scarce = self.gaps.classes.iter().zip(&self.used).any(scarce);
        Concern(BTreeMap::from([(keys, if scarce { 0 } else { since })]))
    }

    /// Whether another choice at a gap, or an earlier one, could change there what is of concern.
    pub(super) fn reaches(&self, gap: &Gap<'h>, options: &[ClassId], concern: &Concern) -> bool {
        let meets = |change: Change<'h>| concern.meets(gap.revision, change.span());
        let shadow = |class: &Class<'h>| {
            matches!(class.change, Change::Delete(_))
                && class.released(gap.revision) > 0
                && self.fits(gap, class)
        };
        options.iter().any(|class| meets(self.change(*class)))
            || self.gaps.classes.iter().any(|class| shadow(class) && meets(class.change))
    }

    /// Why a gap has these options and no others.
    pub(super) fn excluded(&self, gap: &Gap<'h>, options: &[ClassId]) -> Concern {
        let same = |one: Change<'h>, other: Change<'h>| match (one, other) {
            (Change::Put { key: one, .. }, Change::Put { key: other, .. }) => one == other,
            (Change::Put { .. } | Change::Delete(_), _) => one == other,
        };
        let mut concern = Concern::default();
        for class in &self.gaps.classes {
            let option = options.iter().any(|option| same(self.change(*option), class.change));
            let possible = class.released(gap.revision) > 0
                && self.fits(gap, class)
                && (gap.trace.is_some() || !self.outlook.forbids(gap.revision, class.change));
            if possible && !option {
                concern.append(self.concern(class.change.span(), gap.revision));
            }
        }
        concern
    }
}
