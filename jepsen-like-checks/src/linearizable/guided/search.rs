//! The replay: all revisions in order, each answer checked when the state that it shows is present.
//!
//! ```text
//! revision    2        3        4          5        6
//! write       answered answered gap: b? c? answered answered
//! looks       ok ok    ok       ok         ok       clash: back to 4, take c
//! ```
//!
//! Without gaps that is the whole judgement, one pass over the writes. At a gap that nobody saw
//! into the replay chooses an unknown write, the likeliest first, and goes on; at a clash it steps
//! back to the last choice that can have to do with it and takes the next write there.
//!
//! A clash speaks of some keys, or of a lease. A choice that neither changed nor could have changed
//! one of these cannot mend it, so it is dropped without trying its other writes; and after a write
//! that changed none, only writes that change one are worth trying. A choice that has none left
//! passes the blame on: to all that its clashes spoke of, and to what kept further writes of that
//! kind out (conflict-directed backjumping).
//!
//! Invariants:
//! - R1. `placed`, `picks` and the stock agree: as many members of a class are used as are placed.
//! - R2. If the search ends without a placement, there is none.
//!
//! Not here: which choice is likely (`outlook.rs`), which can mend a clash (`blame.rs`), what an
//! answer claims (`claims.rs`).

use super::super::Rejection;
use super::case::{By, Case, Change, Term};
use super::claims::{self, Clash, Held};
use super::concern::Concern;
use super::diagnose::Scene;
use super::gaps::{Gap, Gaps};
use super::keys::Span;
use super::lives::Lives;
use super::order::Order;
use super::present::Present;
use super::script;
use super::stock::{Pick, Stock};
use crate::history::{KeyValue, Lease, Micros, Operation};
use crate::linearizable::tenure;

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
    options: Vec<Pick>,
    /// How many of them were taken so far, the last of them in force.
    taken: usize,
    /// What all contradictions depend on that made it take another option.
    blame: Concern,
    /// What each of those depends on that followed an option which touched nothing of it.
    untouched: Vec<Concern>,
}

pub(super) struct Search<'c, 'h> {
    case: &'c Case<'h>,
    gaps: &'c Gaps<'h>,
    order: &'c Order,
    stock: Stock<'c, 'h>,
    present: Present<'h>,
    lives: Lives,
    /// The revision that is present.
    revision: i64,
    /// The first gap above it.
    gap: usize,
    /// The first look that is not checked.
    look: usize,
    /// The first grant or revoke that is not.
    term: usize,
    choices: Vec<Choice>,
    /// What was chosen for gaps and is in force: the revision and who made it, and what was picked.
    placed: Vec<(i64, By)>,
    picks: Vec<Pick>,
    closest: Option<(i64, Box<Rejection>)>,
    tried: bool,
    steps: u64,
}

impl<'c, 'h> Search<'c, 'h> {
    pub(super) fn new(case: &'c Case<'h>, gaps: &'c Gaps<'h>, order: &'c Order) -> Self {
        let lives = Lives::new(case, order);
        Self {
            case,
            gaps,
            order,
            stock: Stock::new(case, gaps, &lives),
            present: Present::new(case),
            lives,
            revision: 1,
            gap: 0,
            look: 0,
            term: 0,
            choices: Vec::new(),
            placed: Vec::new(),
            picks: Vec::new(),
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
                    let Some(placed) = self.retreat(concern) else { return self.disagreed() };
                    outcome = placed.and_then(|()| self.looks());
                }
            }
        }
        End::Spent
    }

    fn agreed(self) -> End {
        let told = |pick: &&Pick| !matches!(pick, Pick::Revoke { .. });
        let took_effect = self.picks.iter().filter(told).count();
        End::Agreed { took_effect, steps: self.steps }
    }

    fn disagreed(self) -> End {
        let (_, closest) = self.closest.expect("a search that fails has met a clash");
        End::Disagreed { closest, tried: self.tried }
    }

    /// Checks the answers that show the present revision.
    fn looks(&mut self) -> Result<(), Concern> {
        while let Some(look) = self.case.looks.get(self.look).filter(|l| l.at == self.revision) {
            self.steps += 1;
            let by = By::Operation(look.op);
            claims::look(self.case, &mut self.present, look)
                .map_err(|clash| self.clash(by, self.revision, look.span, clash))?;
            self.look += 1;
        }
        self.terms()
    }

    /// Checks the grants and revokes that stand behind the present revision, lease by lease. A
    /// revoke that made the revision does not stand behind it.
    fn terms(&mut self) -> Result<(), Concern> {
        let case = self.case;
        while let Some(first) = case.terms.get(self.term).filter(|term| term.at == self.revision) {
            self.steps += 1;
            let ours = |term: &&Term| term.at == self.revision && term.lease == first.lease;
            let made = self.placed.last().filter(|(revision, _)| *revision == self.revision);
            let all = case.terms[self.term..].iter().take_while(ours);
            self.term += all.clone().count();
            let terms: Vec<_> = all
                .filter(|term| made.is_none_or(|(_, by)| *by != By::Operation(term.op)))
                .map(|term| (*term, self.invoked(term.op), self.returned(term.op)))
                .collect();
            let free = self.present.attached(first.lease).is_none();
            let behind = self.lives.behind(self.revision, &terms, free);
            let by = By::Operation(terms.first().map_or(first.op, |(term, ..)| term.op));
            behind.map_err(|clash| self.clash(by, self.revision, Span::ALL, clash))?;
        }
        Ok(())
    }

    fn invoked(&self, op: usize) -> Micros {
        self.case.operations[op].invoked
    }

    fn returned(&self, op: usize) -> Micros {
        self.case.operations[op].returned().unwrap_or(Micros(u64::MAX))
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
        let operation = match write.by {
            By::Operation(op) => Some(&self.case.operations[op]),
            By::Told(_) | By::Expiry(_) => None,
        };
        self.serve(write.change, operation)
            .map_err(|clash| self.clash(write.by, self.revision - 1, write.span, clash))?;
        claims::write(self.case, &mut self.present, write)
            .map_err(|clash| self.clash(write.by, self.revision - 1, write.span, clash))
    }

    /// Holds the leases that a write needs against what is known of them.
    fn serve(
        &mut self,
        change: Change<'h>,
        operation: Option<&'h Operation>,
    ) -> Result<(), Clash<'h>> {
        let by = operation.and_then(Operation::returned).unwrap_or(Micros(u64::MAX));
        let use_it = |lease| self.lives.use_it(self.revision, by, lease);
        match change {
            Change::Put { lease, .. } => lease.map_or(Ok(()), use_it),
            Change::Keep(put) => put.lease.map_or(Ok(()), use_it),
            Change::End(lease) => self.lives.end_it(self.revision, lease),
            Change::Txn(txn) => {
                let leases = operation.and_then(Operation::response);
                let leases = leases.map_or_else(Vec::new, |told| tenure::used_by(txn, told));
                leases.into_iter().try_for_each(use_it)
            }
            Change::Delete(_) => Ok(()),
        }
    }

    /// Fills a gap with what is likeliest.
    fn fill(&mut self, number: usize) -> Result<(), Concern> {
        let gap = &self.gaps.gaps[number];
        self.stock.open(gap);
        let options = self.stock.options(&mut self.present, &self.lives, self.order, gap);
        self.steps += self.gaps.classes.len() as u64;
        let Some(first) = options.first().copied() else {
            self.clash(By::Operation(0), self.revision, Span::NONE, Clash::NoWriter);
            let before = (&mut self.present, &self.lives);
            return Err(self.stock.excluded(before, gap, &[], None));
        };
        if !gap.revealed {
            let (blame, untouched) = (Concern::default(), Vec::new());
            self.choices.push(Choice { gap: number, options, taken: 1, blame, untouched });
        }
        self.place(first)
    }

    fn place(&mut self, pick: Pick) -> Result<(), Concern> {
        let (by, change) = match pick {
            Pick::Class(class) => (By::Operation(self.stock.take(class)), self.stock.change(class)),
            Pick::Revoke { op, lease } => (By::Operation(op), Change::End(lease)),
            Pick::Expiry(lease) => (By::Expiry(lease), Change::End(lease)),
        };
        self.placed.push((self.revision, by));
        self.picks.push(pick);
        self.make(change).map_err(|clash| {
            self.clash(by, self.revision - 1, Span::ALL, clash);
            Concern::Everything
        })
    }

    /// Makes a change of which there is no answer.
    fn make(&mut self, change: Change<'h>) -> Result<(), Clash<'h>> {
        match change {
            Change::Txn(txn) => {
                let leases = script::make(self.case, &mut self.present, self.revision, txn);
                let leases: Vec<Lease> = leases.ok_or(Clash::NoWriter)?;
                if !self.present.has_changed(self.revision) {
                    return Err(Clash::NoWriter);
                }
                let whenever = Micros(u64::MAX);
                leases
                    .into_iter()
                    .try_for_each(|lease| self.lives.use_it(self.revision, whenever, lease))
            }
            Change::Keep(put) => {
                self.serve(change, None)?;
                let key = self.case.keys.number(&put.key).ok_or(Clash::NoWriter)?;
                let change = script::put(key, self.present.get(key), put);
                self.present.apply(self.revision, change.ok_or(Clash::NothingKept(key))?);
                Ok(())
            }
            Change::Put { .. } | Change::Delete(_) | Change::End(_) => {
                self.serve(change, None)?;
                let touched = self.present.apply(self.revision, change);
                assert!(touched > 0, "a write that changes nothing makes no revision");
                Ok(())
            }
        }
    }

    /// Steps back to a choice that may mend a clash, and takes the next option there. None if there
    /// is no such choice.
    fn retreat(&mut self, mut concern: Concern) -> Option<Result<(), Concern>> {
        while let Some(mut choice) = self.choices.pop() {
            self.steps += self.gaps.pools.len() as u64;
            let gap = &self.gaps.gaps[choice.gap];
            self.present.rewind(gap.revision + 1);
            self.lives.rewind(gap.revision + 1);
            let changed = self.present.changes(gap.revision).map(|(key, _)| key);
            let touched = concern.meets_any(gap.revision, changed)
                || self.lives.changes(gap.revision).any(|lease| concern.asks_for(lease));
            self.present.rewind(gap.revision);
            self.lives.rewind(gap.revision);
            if !self.stock.reaches((&self.present, &self.lives), gap, &concern) {
                continue;
            }
            self.rewind(choice.gap);
            choice.blame.append(concern.clone());
            if !touched {
                choice.untouched.push(concern);
            }
            if let Some(option) = self.next(&mut choice) {
                self.choices.push(choice);
                self.tried = true;
                return Some(self.place(option));
            }
            concern = self.exhausted(gap, choice);
        }
        None
    }

    /// The next option of a choice that no contradiction after an earlier one refutes.
    fn next(&mut self, choice: &mut Choice) -> Option<Pick> {
        let gap = &self.gaps.gaps[choice.gap];
        while let Some(option) = choice.options.get(choice.taken).copied() {
            self.steps += 1;
            choice.taken += 1;
            let touches = |concern| self.stock.touches(&self.present, gap, option, concern);
            if choice.untouched.iter().all(touches) {
                return Some(option);
            }
        }
        None
    }

    /// What it depends on that no option of a choice is left.
    fn exhausted(&mut self, gap: &Gap<'h>, choice: Choice) -> Concern {
        let Choice { options, mut blame, untouched, .. } = choice;
        // If nothing refutes what touches none of it, new options of that kind count, too.
        let within = (!untouched.is_empty()).then_some(&blame);
        let before = (&mut self.present, &self.lives);
        let why = self.stock.excluded(before, gap, &options, within);
        blame.append(why);
        blame
    }

    /// Makes the revision before a gap present again, and the gap's the one to be made.
    fn rewind(&mut self, number: usize) {
        self.revision = self.gaps.gaps[number].revision;
        self.gap = number + 1;
        self.look = self.case.looks.partition_point(|look| look.at < self.revision);
        self.term = self.case.terms.partition_point(|term| term.at < self.revision);
        self.present.rewind(self.revision);
        self.lives.rewind(self.revision);
        while self.placed.pop_if(|(revision, _)| *revision >= self.revision).is_some() {
            match self.picks.pop().expect("R1: each placed write was picked") {
                Pick::Class(class) => self.stock.give_back(class),
                Pick::Revoke { .. } | Pick::Expiry(_) => {}
            }
        }
    }

    /// Remembers the clash that is furthest, and tells what it has to do with.
    fn clash(&mut self, by: By, at: i64, span: Span, clash: Clash<'h>) -> Concern {
        if self.closest.as_ref().is_none_or(|(furthest, _)| *furthest < self.revision) {
            let Self { case, ref present, ref placed, .. } = *self;
            let scene = Scene { case, present, by, at, placed };
            self.closest = Some((self.revision, scene.fault(clash)));
        }
        let keys = match clash {
            Clash::Pair(held, seen) | Clash::PrevKv(held, seen) => self.key_of(held, seen),
            Clash::Count(..)
            | Clash::More(_)
            | Clash::Deleted(..)
            | Clash::Branch(_)
            | Clash::Header(..)
            | Clash::NothingKept(_)
            | Clash::NoWriter => span,
            Clash::NothingAttached(lease) if self.present.attached(lease).is_none() => {
                return Concern::Everything;
            }
            Clash::Dead(lease) | Clash::Alive(lease) | Clash::NothingAttached(lease) => {
                return self.life(lease);
            }
        };
        self.stock.concern(keys, at)
    }

    /// What it depends on that a lease is, or is not, alive: its keys show that it is.
    fn life(&self, lease: Lease) -> Concern {
        let mut why = Concern::life(lease);
        if let Some(key) = self.present.attached(lease).and_then(|keys| keys.first()) {
            why.append(self.stock.concern(Span::one(*key), self.revision + 1));
        }
        why
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
