//! A failing plan loses all that it can do without, until nothing more can be taken out.
//!
//! ```text
//!   +--> members --> faults --> clients, operations --> time --> settings --> words --+
//!   |    each candidate is run: does the same invariant still fail? then it is the    |
//!   |    plan from here on                                                            |
//!   +---------------- again, until a round has changed nothing -----------------------+
//! ```
//! This works because chance is a function of what it is about (`fate.rs`): without one fault or
//! one operation all others meet the fate that they met before, and mostly the failure is still
//! there. Operations keep their times, too, when others before them are taken out.
//!
//! Invariants:
//! - S1. What comes out breaks the invariant that the plan broke. An assertion is the same only if
//!   its words are: nearly any nonsense breaks some assertion.
//! - S2. With a planted bug, what comes out holds without it.
//! - S3. The same plan and the same number of runs give the same result, as long as the clock on
//!   the wall does not cut it short.
//!
//! Not here: taking groups out (`shrink/thin.rs`), what is taken out (`shrink/parts.rs`,
//! `shrink/time.rs`, `shrink/words.rs`), what is expected of the result (`replay.rs`).

mod parts;
mod thin;
mod time;
mod words;

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use quorate_core::planted::Bug;

use crate::clock::{Micros, SECOND};
use crate::fate::fold;
use crate::plan::Plan;
use crate::replay;
use crate::run::{Engine, run};
use crate::verdict::{Invariant, Outcome, Violation};

/// What shrinking may cost.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Runs of candidates.
    pub runs: u64,
    /// Time on the wall.
    pub time: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self { runs: 20_000, time: Duration::from_secs(10) }
    }
}

/// How much there is to a plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// Faults.
    pub faults: usize,
    /// Operations of clients.
    pub ops: usize,
    /// Members of the cluster.
    pub members: u64,
    /// Clients.
    pub clients: u64,
    /// How long things may go wrong.
    pub duration: Micros,
}

impl Size {
    /// That of a plan.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let settings = &plan.settings;
        Self {
            faults: plan.faults.len(),
            ops: plan.ops.len(),
            members: settings.members,
            clients: settings.clients,
            duration: settings.duration,
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { faults, ops, members, clients, duration } = *self;
        let parts = [
            (faults as u64, "fault"),
            (ops as u64, "operation"),
            (members, "member"),
            (clients, "client"),
        ];
        for (count, what) in parts {
            write!(f, "{count} {what}{}, ", if count == 1 { "" } else { "s" })?;
        }
        write!(f, "{} s", duration as f64 / SECOND as f64)
    }
}

/// What is left of a failing plan.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The plan, with what a replay must reach.
    pub plan: Plan,
    /// What does not hold in it, if it was a failure that was shrunk.
    pub violation: Option<Violation>,
    /// How much there was.
    pub before: Size,
    /// How many candidates were run.
    pub runs: u64,
    /// How long it took on the wall.
    pub took: Duration,
    /// Whether nothing more can be taken out; otherwise the budget was spent.
    pub complete: bool,
}

/// Hears of every candidate: how many there were, and how much is left.
pub type Each<'a> = &'a mut dyn FnMut(u64, Size);

/// Shrinks a plan that fails on the plain engine. None: it holds.
pub fn shrink(plan: Plan, planted: Option<Bug>, budget: Budget, each: Each<'_>) -> Option<Shrunk> {
    let raw = |plan: &Plan, planted| run(plan.clone(), Engine::Raw, planted, None);
    let violation = raw(&plan, planted).verdict.err()?;
    let mut fails = |candidate: &Plan| {
        let outcome = raw(candidate, planted);
        let same = outcome.verdict.as_ref().is_err_and(|found| is_same(&violation, found));
        // S2: a plan that fails in a correct core, too, says nothing about the bug.
        let told = same && (planted.is_none() || raw(candidate, None).verdict.is_ok());
        told.then_some(outcome)
    };
    let (mut shrunk, outcome) = shrink_while(plan, budget, &mut fails, each)?;
    shrunk.plan.expect = replay::expectation(&shrunk.plan, planted, &outcome);
    shrunk.violation = outcome.verdict.err();
    Some(shrunk)
}

/// Shrinks a plan for as long as `keeps` gives the outcome of what it wants to keep; also returns
/// the last of these outcomes. None: the plan itself is not wanted.
pub fn shrink_while(
    plan: Plan,
    budget: Budget,
    keeps: &mut dyn FnMut(&Plan) -> Option<Outcome>,
    each: Each<'_>,
) -> Option<(Shrunk, Outcome)> {
    let start = Instant::now();
    let before = Size::of(&plan);
    let outcome = keeps(&plan)?;
    let tried = BTreeSet::new();
    let mut shrinker =
        Shrinker { plan, outcome, keeps, tried, runs: 0, accepted: 0, budget, start, each };
    shrinker.rounds();
    let complete = !shrinker.is_spent();
    let Shrinker { plan, outcome, runs, .. } = shrinker;
    let shrunk = Shrunk { plan, violation: None, before, runs, took: start.elapsed(), complete };
    Some((shrunk, outcome))
}

/// The smallest plan so far, and what was spent on it.
struct Shrinker<'a> {
    plan: Plan,
    /// What comes out of `plan`.
    outcome: Outcome,
    keeps: &'a mut dyn FnMut(&Plan) -> Option<Outcome>,
    /// Candidates that were run, by the hash of their text.
    tried: BTreeSet<u64>,
    runs: u64,
    accepted: u64,
    budget: Budget,
    start: Instant,
    each: Each<'a>,
}

impl Shrinker<'_> {
    fn rounds(&mut self) {
        loop {
            let accepted = self.accepted;
            self.drop_unasked();
            // What makes a run long goes first: the others are then tried at less cost.
            self.drop_members();
            self.drop_faults();
            self.drop_clients();
            self.drop_ops();
            self.close_ranks();
            self.shorten();
            self.simplify_settings();
            self.simplify_words();
            if self.accepted == accepted || self.is_spent() {
                return;
            }
        }
    }

    /// Runs a candidate. If it still does what is wanted, it takes the plan's place.
    fn attempt(&mut self, candidate: Plan) -> bool {
        let text = candidate.to_string();
        let fresh = candidate != self.plan && self.tried.insert(fold(text.as_bytes()));
        if !fresh || self.is_spent() {
            return false;
        }
        self.runs += 1;
        (self.each)(self.runs, Size::of(&self.plan));
        let Some(outcome) = (self.keeps)(&candidate) else { return false };
        self.accepted += 1;
        (self.plan, self.outcome) = (candidate, outcome);
        true
    }

    fn is_spent(&self) -> bool {
        self.runs >= self.budget.runs || self.start.elapsed() >= self.budget.time
    }
}

/// Whether two failures are one (S1).
fn is_same(one: &Violation, other: &Violation) -> bool {
    let letters = |text: &str| text.chars().filter(|c| c.is_alphabetic()).collect::<String>();
    one.invariant == other.invariant
        && (one.invariant != Invariant::Assertion || letters(&one.what) == letters(&other.what))
}
