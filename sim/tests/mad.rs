//! Two hundred runs on madsim: the same plans, with actors as tasks that meet in orders of chance.

use quorate_sim::Engine;
use quorate_sim::counters::Counter;
use quorate_sim::engine::NO_MADSIM;
use quorate_sim::sweep::Sweep;

#[test]
fn two_hundred_seeds_hold_on_madsim() {
    assert!(Engine::Madsim.is_built(), "the madsim engine is missing: {NO_MADSIM}");
    let tally = Sweep::new(1..201, Engine::Madsim).run(|| {});
    tally.assert_all_held();
    for counter in [Counter::Elections, Counter::Truncations, Counter::Restarts, Counter::Answered]
    {
        assert!(tally.counters.get(counter) > 0, "no {} in 200 runs", counter.name());
    }
}
