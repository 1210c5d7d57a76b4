//! Which unknown writes may fill a gap, whatever was chosen before: found out once for each gap.
//!
//! The search comes back to a gap again and again, and few of all unknown writes fit there. What
//! rules out the others are mostly times and answers, which stay as they are:
//!
//! ```text
//! at gap 6        put a    put b    put c        delete d..f
//! released        at 2     at 5     at 8: out    at 3
//! next answers    a is older: out   .            .
//! kept for 6               put b                 delete d..f
//! ```
//!
//! Class by class for some neighbouring gaps at once: what is known of a class and its keys lies
//! together.
//!
//! Invariants:
//! - D1. What is not kept is no option of the gap in any state.
//!
//! Not here: what depends on the state (`stock.rs`).

use super::gaps::ClassId;

/// For each gap that the search has come to, the classes that may fill it.
pub(super) struct Candidates {
    classes: usize,
    kept: Vec<Option<Vec<ClassId>>>,
    /// How many more may be kept. Without one a gap asks for each class again: slower, never wrong.
    room: usize,
}

/// From how many candidates on no more are kept, of 8 bytes each.
const ROOM: usize = 4 << 20;

/// For how many neighbouring gaps they are found out at once.
pub(super) const BLOCK: usize = 128;

impl Candidates {
    pub(super) fn new(gaps: usize, classes: usize) -> Self {
        Self { classes, kept: vec![None; gaps], room: ROOM }
    }

    /// Whether it is still to be found out which classes may fill a gap.
    pub(super) fn are_wanted(&self, gap: usize) -> bool {
        self.kept[gap].is_none() && self.room > 0
    }

    /// Whether it was found out which classes may fill a gap.
    pub(super) fn are_known(&self, gap: usize) -> bool {
        self.kept[gap].is_some()
    }

    /// Keeps the classes that may fill a gap and those behind it, in order.
    pub(super) fn keep(&mut self, first: usize, found: Vec<Vec<ClassId>>) {
        for (kept, found) in self.kept[first..].iter_mut().zip(found) {
            self.room = self.room.saturating_sub(found.len());
            *kept = Some(found);
        }
    }

    /// The classes to ask for at a gap, in order: all of them if none were found out.
    pub(super) fn of(&self, gap: usize) -> impl Iterator<Item = ClassId> {
        let kept = self.kept[gap].as_deref();
        let all = if kept.is_some() { 0..0 } else { 0..self.classes };
        kept.into_iter().flatten().copied().chain(all)
    }
}
