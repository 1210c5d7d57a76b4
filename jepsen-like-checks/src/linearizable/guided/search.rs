//! The replay: all revisions in order, each answer checked when the state that it shows is present.
//!
//! ```text
//! revision    2        3        4          5        6
//! write       answered answered gap: b? c? answered answered
//! looks       ok ok    ok       ok         ok       clash: back to 4, take c
//! ```
//!
//! Without gaps that is the whole judgement, one pass over the writes. At a gap that nobody saw into
//! the replay chooses an unknown write, the likeliest first, and goes on; at a clash it steps back
//! to the last choice that can have to do with it and takes the next write there.
//!
//! A clash speaks of some keys. A choice that neither took nor could have taken a write of these
//! keys cannot mend it, so it is dropped without trying its other writes. A choice that has no other
//! writes left passes the blame on: to the keys of every clash that it met, and to those for which
//! it had no other writes (conflict-directed backjumping).
//!
//! Invariants:
//! - R1. `placed` and `used` agree: as many members of a class are used as are placed.
//! - R2. If the search ends without a placement, there is none.
//!
//! Not here: which choice is likely (`outlook.rs`), what an answer claims (`claims.rs`).

use super::super::Rejection;
use super::case::Case;
use super::claims::{self, Clash, Held};
use super::diagnose::Scene;
use super::gaps::{ClassId, Gaps};
use super::keys::Span;
use super::present::Present;
use super::stock::{Concern, Stock};
use crate::history::KeyValue;

/// What the replay came to.
pub(super) enum End {
    /// Every answer agrees, with so many unknown writes placed.
    Agreed { took_effect: usize, steps: u64 },
    /// Some answer disagrees however the unknown writes are placed. `tried` tells whether there
    /// was a choice.
    Disagreed { closest: Box<Rejection>, tried: bool },
    /// The budget ran out.
    Spent,
}

/// A gap at which there was a choice.
struct Choice {
    gap: usize,
    options: Vec<ClassId>,
    /// How many of them were taken so far, the last of them in force.
    taken: usize,
    /// The keys of all clashes that made it take another option.
    blame: Concern,
}

pub(super) struct Search<'c, 'h> {
    case: &'c Case<'h>,
    gaps: &'c Gaps<'h>,
    stock: Stock<'c, 'h>,
    present: Present<'h>,
    /// The revision that is present.
    revision: i64,
    /// The first gap above it.
    gap: usize,
    /// The first look that is not checked.
    look: usize,
    choices: Vec<Choice>,
    /// The unknown writes in force: revision and operation, and the class of each.
    placed: Vec<(i64, usize)>,
    classes: Vec<ClassId>,
    closest: Option<(i64, Box<Rejection>)>,
    tried: bool,
    steps: u64,
}

impl<'c, 'h> Search<'c, 'h> {
    pub(super) fn new(case: &'c Case<'h>, gaps: &'c Gaps<'h>) -> Self {
        Self {
            case,
            gaps,
            stock: Stock::new(case, gaps),
            present: Present::new(case),
            revision: 1,
            gap: 0,
            look: 0,
            choices: Vec::new(),
            placed: Vec::new(),
            classes: Vec::new(),
            closest: None,
            tried: false,
            steps: 0,
        }
    }

    pub(super) fn run(mut self, budget: u64) -> End {
        let mut outcome = self.looks();
        while self.steps <= budget {
            match outcome {
                Ok(()) if self.revision == self.case.newest => return self.agreed(),
                Ok(()) => outcome = self.write().and_then(|()| self.looks()),
                Err(concern) => {
                    if !self.retreat(concern) {
                        return self.disagreed();
                    }
                    outcome = self.looks();
                }
            }
        }
        End::Spent
    }

    fn agreed(self) -> End {
        End::Agreed { took_effect: self.placed.len(), steps: self.steps }
    }

    fn disagreed(self) -> End {
        let (_, closest) = self.closest.expect("a search that fails has met a clash");
        End::Disagreed { closest, tried: self.tried }
    }

    /// Checks the answers that show the present revision.
    fn looks(&mut self) -> Result<(), Concern> {
        while let Some(look) = self.case.looks.get(self.look).filter(|l| l.at == self.revision) {
            self.steps += 1;
            claims::look(self.case, &self.present, look)
                .map_err(|clash| self.clash(look.op, self.revision, look.span, clash))?;
            self.look += 1;
        }
        Ok(())
    }

    /// Makes the next revision.
    fn write(&mut self) -> Result<(), Concern> {
        self.steps += 1;
        self.revision += 1;
        if self.gaps.gaps.get(self.gap).is_some_and(|gap| gap.revision == self.revision) {
            self.gap += 1;
            return self.fill(self.gap - 1);
        }
        // Revisions from 2 are gaps or writes, so the writes before this one are the rest.
        let before = usize::try_from(self.revision - 2).unwrap_or(usize::MAX) - self.gap;
        let write = &self.case.writes[before];
        assert_eq!(write.revision, self.revision, "C1: each revision has a write or is a gap");
        claims::write(self.case, &self.present, write)
            .map_err(|clash| self.clash(write.op, self.revision - 1, write.change.span(), clash))?;
        self.present.apply(self.revision, write.change);
        Ok(())
    }

    /// Fills a gap with the likeliest unknown write.
    fn fill(&mut self, number: usize) -> Result<(), Concern> {
        let gap = &self.gaps.gaps[number];
        let options = self.stock.options(&self.present, gap);
        self.steps += self.gaps.classes.len() as u64;
        let Some(first) = options.first().copied() else {
            self.clash(0, self.revision, Span::NONE, Clash::NoWriter);
            return Err(self.stock.excluded(gap, &[]));
        };
        if !gap.is_revealed() {
            self.choices.push(Choice { gap: number, options, taken: 1, blame: Concern::default() });
        }
        self.place(first);
        Ok(())
    }

    fn place(&mut self, class: ClassId) {
        self.placed.push((self.revision, self.stock.take(class)));
        self.classes.push(class);
        let touched = self.present.apply(self.revision, self.stock.change(class));
        assert!(touched > 0, "a write that changes nothing makes no revision");
    }

    /// Steps back to a choice that may mend a clash, and takes the next option there.
    fn retreat(&mut self, mut concern: Concern) -> bool {
        while let Some(mut choice) = self.choices.pop() {
            self.steps += self.gaps.pools.len() as u64;
            let gap = &self.gaps.gaps[choice.gap];
            if !self.stock.reaches(gap, &choice.options, &concern) {
                continue;
            }
            choice.blame.append(concern);
            if let Some(option) = choice.options.get(choice.taken).copied() {
                choice.taken += 1;
                self.rewind(choice.gap);
                self.choices.push(choice);
                self.place(option);
                self.tried = true;
                return true;
            }
            concern = choice.blame;
            concern.append(self.stock.excluded(gap, &choice.options));
        }
        false
    }

    /// Makes the revision before a gap present again, and the gap's the one to be made.
    fn rewind(&mut self, number: usize) {
        self.revision = self.gaps.gaps[number].revision;
        self.gap = number + 1;
        self.look = self.case.looks.partition_point(|look| look.at < self.revision);
        self.present.rewind(self.revision);
        while self.placed.pop_if(|(revision, _)| *revision >= self.revision).is_some() {
            let class = self.classes.pop().expect("R1: each placed write has a class");
            self.stock.give_back(class);
        }
    }

    /// Remembers the clash that is furthest, and tells what it has to do with.
    fn clash(&mut self, op: usize, at: i64, span: Span, clash: Clash<'h>) -> Concern {
        if self.closest.as_ref().is_none_or(|(furthest, _)| *furthest < self.revision) {
            let Self { case, ref present, ref placed, .. } = *self;
            let scene = Scene { case, present, op, at, placed };
            self.closest = Some((self.revision, scene.fault(clash)));
        }
        let keys = match clash {
            Clash::Pair(held, seen) | Clash::PrevKv(held, seen) => self.key_of(held, seen),
            Clash::Count(_) | Clash::More(_) | Clash::Deleted(_) | Clash::NoWriter => span,
        };
        self.stock.concern(keys, at)
    }

    /// The key of a pair that is or is not there. No choice can mend a key that nobody puts.
    fn key_of(&self, held: Held<'h>, seen: Option<&'h KeyValue>) -> Span {
        let number = match (held, seen) {
            (Some((key, _)), _) => Some(key),
            (None, Some(seen)) => self.case.keys.number(&seen.key),
            (None, None) => None,
        };
        number.map_or(Span::NONE, Span::one)
    }
}
