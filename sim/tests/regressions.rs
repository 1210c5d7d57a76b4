//! Plans that failed once hold, and still come by the place that they were kept for.

use std::fs;
use std::path::{Path, PathBuf};

use quorate_sim::Plan;
use quorate_sim::counters::Counter;
use quorate_sim::replay::{Bad, replay, stored};

fn all() -> Vec<(String, Plan)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces/regressions");
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).expect("a plan is readable");
        let name = path.display().to_string();
        let plan = text.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, plan)
    };
    stored(&dir).expect("the directory is readable").iter().map(read).collect()
}

#[test]
fn every_stored_plan_holds_and_reaches_its_counters() {
    let plans = all();
    assert!(!plans.is_empty(), "no plan is stored");
    for (name, plan) in plans {
        assert!(!plan.expect.at_least.is_empty(), "{name} expects nothing");
        assert_eq!(replay(&plan), Ok(()), "{name}");
    }
}

#[test]
fn a_plan_that_misses_its_counters_is_stale() {
    let mut plan = Plan::draw(1);
    plan.expect.at_least = vec![(Counter::Elections, 1), (Counter::Elections, 1_000_000)];
    let Err(Bad::Stale(missed)) = replay(&plan) else { panic!("a million elections") };
    assert_eq!(missed.len(), 1);
    assert_eq!((missed[0].0, missed[0].1), (Counter::Elections, 1_000_000));
}

#[test]
fn what_a_plan_expects_is_part_of_its_text() {
    let expect = "expect at least 3 directory changes lost\n\
        expect bug read-without-quorum to break a member must start after any crash\n";
    let text = format!("{}{expect}", Plan::draw(1));
    let plan: Plan = text.parse().unwrap();
    assert_eq!(plan.to_string(), text);
    for wrong in ["at least 3 flying pigs", "bug none to break liveness", "at least"] {
        let text = format!("{}expect {wrong}\n", Plan::draw(1));
        assert!(text.parse::<Plan>().is_err(), "{wrong}");
    }
}
