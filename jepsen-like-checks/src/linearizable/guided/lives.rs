//! Which leases are alive at the present revision, as far as answers tell.
//!
//! Most of a lease's life shows no revision: grants make none, and a lease without keys ends
//! without one. So for each lease the replay keeps not a state but the states that are possible:
//!
//! ```text
//!            grant (behind this revision)         put with it: alive, and only alive
//!      dead -----------------------------> alive
//!           <-----------------------------        key attached: alive, and only alive
//!            revoke, or its unseen end            revision that ended it: dead, and only dead
//! ```
//!
//! An unanswered grant may have happened at any place from its release on. How many of them a state
//! takes at least is noted with it, since each happens once.
//!
//! Invariants:
//! - L1. A lease has at least one possible state, or the history is illegal.
//! - L2. Revisions on the trail never fall.
//!
//! Not here: refusals, which have no place among the revisions (`refusals.rs`).

use super::case::{Case, Term};
use super::claims::Clash;
use super::fold::Table;
use super::order::Order;
use crate::history::{Lease, Micros, Outcome, Request};
use crate::linearizable::tenure;

/// The states that are possible, each with the unanswered grants that it takes at least.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Life {
    alive: Option<usize>,
    dead: Option<usize>,
}

impl Life {
    const UNBORN: Self = Self { alive: None, dead: Some(0) };
    const LABEL: Self = Self { alive: Some(0), dead: None };

    /// All states that either of two ways leads to.
    fn or(self, other: Self) -> Self {
        let least = |one: Option<usize>, two: Option<usize>| match (one, two) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        Self { alive: least(self.alive, other.alive), dead: least(self.dead, other.dead) }
    }
}

/// A grant without an answer: the revision behind which it can stand at the earliest, and when it
/// was invoked.
#[derive(Clone, Copy)]
struct Maybe {
    place: i64,
    invoked: Micros,
}

/// What is possible for each lease at the present revision, and the way back.
pub(super) struct Lives {
    lives: Table<Lease, Life>,
    /// The unanswered grants of a lease.
    maybe: Table<Lease, Vec<Maybe>>,
    trail: Vec<(i64, Lease, Life)>,
    /// Whether the history records leases at all. Mere labels never end.
    recorded: bool,
}

/// The most grants and revokes of one lease behind one revision that are put in order.
const MOST: usize = 6;

impl Lives {
    pub(super) fn new(case: &Case<'_>, order: &Order) -> Self {
        let mut maybe: Table<Lease, Vec<Maybe>> = Table::default();
        for op in &case.leasing {
            let operation = &case.operations[*op];
            let (Request::LeaseGrant(_), Outcome::Unknown { .. }) =
                (&operation.request, &operation.outcome)
            else {
                continue;
            };
            let grant = Maybe { place: order.floor(*op), invoked: operation.invoked };
            match tenure::grants(operation) {
                Some(lease) => maybe.entry(lease).or_default().push(grant),
                // Each lease that it may have made is one that no other grant names.
                None => {
                    let first = case.tenure.stray.iter().filter(|(_, at)| *at == grant.invoked);
                    first.for_each(|(lease, _)| maybe.entry(*lease).or_default().push(grant));
                }
            }
        }
        let lives = case.tenure.labels.iter().map(|lease| (*lease, Life::LABEL)).collect();
        let recorded = case.tenure.labels.is_empty();
        Self { lives, maybe, trail: Vec::new(), recorded }
    }

    fn life(&self, lease: Lease) -> Life {
        self.lives.get(&lease).copied().unwrap_or(Life::UNBORN)
    }

    fn set(&mut self, revision: i64, lease: Lease, life: Life) {
        assert!(life.alive.is_some() || life.dead.is_some(), "L1: {lease}");
        assert!(self.trail.last().is_none_or(|(last, _, _)| *last <= revision), "L2: {revision}");
        let before = self.life(lease);
        if before != life {
            self.trail.push((revision, lease, before));
            self.lives.insert(lease, life);
        }
    }

    /// Steps back to before a revision.
    pub(super) fn rewind(&mut self, revision: i64) {
        while let Some((_, lease, life)) = self.trail.pop_if(|(at, _, _)| *at >= revision) {
            self.lives.insert(lease, life);
        }
    }

    /// The leases whose life a revision, the newest, changed.
    pub(super) fn changes(&self, revision: i64) -> impl Iterator<Item = Lease> {
        let newest = self.trail.iter().rev().take_while(move |(at, ..)| *at == revision);
        newest.map(|(_, lease, _)| *lease)
    }

    /// Lets everything happen that may happen unseen behind a revision and by a moment. A lease
    /// with keys cannot end unseen.
    fn unseen(&self, lease: Lease, life: Life, (at, by): (i64, Micros), free: bool) -> Life {
        let ended = if free && self.recorded { life.alive } else { None };
        let life = life.or(Life { alive: None, dead: ended });
        let grants = self.maybe.get(&lease).map_or(&[][..], Vec::as_slice);
        let released = |grant: &&Maybe| grant.place <= at && grant.invoked <= by;
        let released = grants.iter().filter(released).count();
        let born = life.dead.map(|taken| taken + 1).filter(|taken| *taken <= released);
        life.or(Life { alive: born, dead: None })
    }

    /// The first revision behind which an unanswered grant of a lease can stand.
    pub(super) fn first_unanswered(&self, lease: Lease) -> Option<i64> {
        self.maybe.get(&lease)?.iter().map(|grant| grant.place).min()
    }

    /// Whether a write at a revision can use a lease that has keys or not.
    pub(super) fn can_use(&self, lease: Lease, revision: i64) -> bool {
        let whenever = Micros(u64::MAX);
        self.unseen(lease, self.life(lease), (revision - 1, whenever), true).alive.is_some()
    }

    /// A write of this revision, which was over by a moment, uses a lease.
    pub(super) fn use_it(
        &mut self,
        revision: i64,
        by: Micros,
        lease: Lease,
    ) -> Result<(), Clash<'static>> {
        let life = self.unseen(lease, self.life(lease), (revision - 1, by), true);
        let alive = Some(life.alive.ok_or(Clash::Dead(lease))?);
        self.set(revision, lease, Life { alive, dead: None });
        Ok(())
    }

    /// A lease ends in this revision, with its keys.
    pub(super) fn end_it(&mut self, revision: i64, lease: Lease) -> Result<(), Clash<'static>> {
        let whenever = Micros(u64::MAX);
        let life = self.unseen(lease, self.life(lease), (revision - 1, whenever), false);
        let dead = Some(life.alive.ok_or(Clash::Dead(lease))?);
        self.set(revision, lease, Life { alive: None, dead });
        Ok(())
    }

    /// Grants and revokes of one lease, all behind one revision. `free` if it has no keys there.
    pub(super) fn behind(
        &mut self,
        at: i64,
        terms: &[(Term, Micros, Micros)],
        free: bool,
    ) -> Result<(), Clash<'static>> {
        let Some((Term { lease, begins, .. }, ..)) = terms.first().copied() else { return Ok(()) };
        let life = self.life(lease);
        if !free {
            // Its keys say that it is alive all the while: it cannot begin, nor end without a
            // trace.
            return Err(if begins { Clash::Alive(lease) } else { Clash::NothingAttached(lease) });
        }
        let after = if terms.len() > MOST {
            Some(Life { alive: Some(0), dead: Some(0) })
        } else {
            self.ordered(life, at, terms)
        };
        let wrong = if begins { Clash::Alive(lease) } else { Clash::Dead(lease) };
        self.set(at, lease, after.ok_or(wrong)?);
        Ok(())
    }

    /// What is possible after these in any order that agrees with their times.
    fn ordered(&self, life: Life, at: i64, terms: &[(Term, Micros, Micros)]) -> Option<Life> {
        let mut all: Option<Life> = terms.is_empty().then_some(life);
        for (place, (term, invoked, returned)) in terms.iter().enumerate() {
            let first = terms.iter().all(|(_, _, other)| other >= invoked);
            let life = self.unseen(term.lease, life, (at, *returned), true);
            let step = match term.begins {
                true => Life { alive: life.dead, dead: None },
                false => Life { alive: None, dead: life.alive },
            };
            if !first || step == (Life { alive: None, dead: None }) {
                continue;
            }
            let rest: Vec<_> =
                terms.iter().enumerate().filter(|(at, _)| *at != place).map(|(_, t)| *t).collect();
            let after = self.ordered(step, at, &rest);
            all = all.map_or(after, |all| Some(after.map_or(all, |after| all.or(after))));
        }
        all
    }
}
