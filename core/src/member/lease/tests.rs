//! The clocks by themselves: who is due when.

use alloc::vec::Vec;

use super::clocks::{Clocks, Due, Renewal};
use crate::store::{Fact, Span};
use crate::types::{Index, LeaseId, LeaseLife, Seconds, Term, Ticks};

const FIVE_MINUTES: Ticks = Ticks(30_000);
const SECOND: u64 = 100;

fn granted(id: i64, ttl: i64, remaining: Option<i64>) -> Fact {
    let remaining = remaining.map(Seconds);
    Fact::LeaseGranted(
        LeaseId(id),
        Span { since: Index(id.unsigned_abs()), ttl: Seconds(ttl), remaining },
    )
}

/// Clocks of a leader that began at tick 0, without grace.
fn clocks(facts: &[Fact]) -> Clocks {
    let mut clocks = Clocks::new(FIVE_MINUTES, None);
    facts.iter().for_each(|fact| clocks.learn(fact, Ticks(0)));
    clocks.begin(Term(2), Ticks(0), Ticks(0));
    clocks
}

/// All that looks every 500 ms find up to a tick.
fn looks(clocks: &mut Clocks, from: u64, to: u64) -> Vec<(u64, Due)> {
    let mut found = Vec::new();
    for now in from..=to {
        if clocks.wants_look(Ticks(now)) {
            found.push((now, clocks.look(Ticks(now))));
        }
    }
    found.retain(|(_, due)| *due != Due::default());
    found
}

#[test]
fn a_lease_is_found_to_be_over_within_half_a_second_and_never_before() {
    for ttl in 1..20 {
        let mut clocks = clocks(&[granted(7, ttl, None)]);
        let found = looks(&mut clocks, 0, 30 * SECOND);
        let deadline = ttl.unsigned_abs() * SECOND;
        assert!((deadline..=deadline + 50).contains(&found[0].0), "{ttl}: {found:?}");
        assert_eq!(found[0].1.over, [LeaseId(7)]);
        // It is found again every 3 s, as long as it is there.
        assert!(found.windows(2).all(|pair| pair[1].0 - pair[0].0 == 300), "{found:?}");
    }
}

#[test]
fn a_renewal_moves_the_deadline_and_what_is_over_stays_over() {
    let mut clocks = clocks(&[granted(7, 2, None)]);
    let whole = LeaseLife { granted: Seconds(2), left: Seconds(2) };
    assert_eq!(clocks.renew(LeaseId(7), Ticks(199)), Renewal::Renewed(whole));
    assert_eq!(looks(&mut clocks, 200, 398), []);
    assert_eq!(clocks.life(LeaseId(7), Ticks(250)).unwrap().left, Seconds(1));
    assert_eq!(clocks.renew(LeaseId(7), Ticks(399)), Renewal::Over);
    assert_eq!(clocks.renew(LeaseId(8), Ticks(399)), Renewal::Gone);
    clocks.learn(&Fact::LeaseRevoked(LeaseId(7)), Ticks(400));
    assert_eq!(clocks.renew(LeaseId(7), Ticks(400)), Renewal::Gone);
}

#[test]
fn a_new_leader_counts_from_what_is_left_and_adds_an_election_timeout() {
    let mut clocks = Clocks::new(FIVE_MINUTES, None);
    clocks.learn(&granted(7, 600, Some(20)), Ticks(0));
    clocks.learn(&granted(8, 30, None), Ticks(0));
    clocks.begin(Term(2), Ticks(1000), Ticks(100));
    let found = looks(&mut clocks, 1000, 1000 + 33 * SECOND);
    let over = |id: i64| found.iter().find(|(_, due)| due.over.contains(&LeaseId(id))).unwrap().0;
    assert_eq!((over(7), over(8)), (1000 + 21 * SECOND, 1000 + 31 * SECOND));
}

/// One that was told that less is left is renewed only when everybody knows that this is void.
#[test]
fn a_renewal_waits_for_every_entry_about_what_is_left() {
    let mut clocks = clocks(&[granted(7, 1000, None)]);
    let due = looks(&mut clocks, 0, FIVE_MINUTES.0);
    assert_eq!(due[0].1.checkpoints[0].remaining, Some(700));
    let Renewal::Unsettled(Some(void)) = clocks.renew(LeaseId(7), Ticks(30_001)) else {
        panic!("a checkpoint is under way")
    };
    assert_eq!((void.id, void.since, void.remaining), (7, 7, None));
    let now = Ticks(30_002);
    assert_eq!(clocks.renew(LeaseId(7), now), Renewal::Unsettled(None), "it is under way already");
    clocks.learn(&Fact::LeaseRemaining(LeaseId(7), Some(Seconds(700))), now);
    assert_eq!(clocks.renew(LeaseId(7), now), Renewal::Unsettled(None), "the other one is");
    clocks.learn(&Fact::LeaseRemaining(LeaseId(7), None), now);
    assert!(matches!(clocks.renew(LeaseId(7), now), Renewal::Renewed(_)));
}

#[test]
fn checkpoints_come_again_and_tell_what_is_left_rounded_up() {
    let mut clocks = clocks(&[granted(7, 1000, None), granted(8, 300, None)]);
    let found = looks(&mut clocks, 0, 2000 * SECOND);
    let told: Vec<(u64, i64, Option<i64>)> = found
        .iter()
        .flat_map(|(now, due)| due.checkpoints.iter().map(|told| (*now, told.id, told.remaining)))
        .collect();
    let expected = [(30_000, 7, Some(700)), (60_000, 7, Some(400)), (90_000, 7, Some(100))];
    assert_eq!(told, expected);
}

/// Many leases that would end in one second are spread out, and none ends early (LE-7).
#[test]
fn many_leases_that_would_end_at_once_are_spread_out() {
    let facts: Vec<Fact> = (1..=10_000).map(|id| granted(id, 60, None)).collect();
    let mut clocks = clocks(&facts);
    let found = looks(&mut clocks, 0, 100 * SECOND);
    assert!(found[0].0 >= 60 * SECOND, "{}", found[0].0);
    let mut seen = 0;
    for (now, due) in &found {
        // Those that are found a second time are not new.
        let fresh = due.over.len().min(10_000 - seen);
        seen += fresh;
        assert!(due.over.len() <= 500, "{now}: {}", due.over.len());
    }
    let first_round = &found[..found.iter().position(|(now, _)| *now >= 75 * SECOND).unwrap()];
    assert!(first_round.iter().map(|(_, due)| due.over.len()).sum::<usize>() >= 10_000);
}
