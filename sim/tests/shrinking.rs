//! Plans lose what they can do without. A correct core breaks no invariant, so that a rare event
//! stands for the failure here; `make bugs` shrinks real ones.

use std::time::Duration;

use quorate_sim::counters::Counter;
use quorate_sim::shrink::{Budget, Shrunk, Size, shrink, shrink_while};
use quorate_sim::{Engine, Outcome, Plan, run};

/// Enough of everything, so that only runs count.
const BUDGET: Budget = Budget { runs: 3_000, time: Duration::from_secs(600) };

fn reaches(what: Counter) -> impl Fn(&Plan) -> Option<Outcome> {
    move |plan| {
        let outcome = run(plan.clone(), Engine::Raw, None, None);
        (outcome.verdict.is_ok() && outcome.counters.get(what) > 0).then_some(outcome)
    }
}

/// The first plan in which something happens, shrunk to that.
fn shrunk(what: Counter) -> (Plan, Shrunk) {
    let mut keeps = reaches(what);
    let plan = (1..200).map(Plan::draw).find(|plan| keeps(plan).is_some());
    let plan = plan.expect("the sweep sees every counter");
    let shrunk = shrink_while(plan.clone(), BUDGET, &mut keeps, &mut |_, _| {});
    (plan, shrunk.expect("it was found to be wanted").0)
}

#[test]
fn a_rare_event_needs_few_faults_and_operations() {
    for what in [Counter::Truncations, Counter::TornTails, Counter::Fallbacks] {
        let (_, shrunk) = shrunk(what);
        let size = Size::of(&shrunk.plan);
        assert!(shrunk.complete, "{}: {size}", what.name());
        assert!((1..=3).contains(&size.faults) && size.ops <= 20, "{}: {size}", what.name());
        assert!(reaches(what)(&shrunk.plan).is_some(), "{}", what.name());
    }
}

#[test]
fn what_is_left_keeps_its_numbers() {
    let (before, shrunk) = shrunk(Counter::Truncations);
    for fault in &shrunk.plan.faults {
        assert!(before.faults.iter().any(|other| other.id == fault.id), "{fault}");
    }
    for op in &shrunk.plan.ops {
        let same = |other: &quorate_sim::plan::Op| other.number == op.number;
        assert!(before.ops.iter().any(same), "{op}");
    }
    assert_eq!(before.settings.seed, shrunk.plan.settings.seed);
}

#[test]
fn shrinking_repeats_itself() {
    let plan = || shrunk(Counter::TornTails).1.plan;
    assert_eq!(plan(), plan());
}

#[test]
fn a_plan_that_holds_is_not_shrunk() {
    assert!(shrink(Plan::draw(1), None, BUDGET, &mut |_, _| {}).is_none());
}
