//! A thousand runs on the plain engine. A failure prints the command that replays it.

use quorate_sim::Engine;
use quorate_sim::sweep::Sweep;

#[test]
fn a_thousand_seeds_hold_and_leave_nothing_untried() {
    let tally = Sweep::new(1..1001, Engine::Raw).run(|| {});
    tally.assert_all_held();
    let missing = tally.counters.missing();
    let names: Vec<&str> = missing.iter().map(|counter| counter.name()).collect();
    assert!(names.is_empty(), "never happened in {} runs: {}", tally.runs, names.join(", "));
}
