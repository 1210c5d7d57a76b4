//! A message's fate must not depend on other messages, nor on weather that is not its own.

use quorate_core::types::{Index, NodeId, Term};

use super::*;
use crate::plan::Target;

fn settings() -> Settings {
    Settings { seed: 11, members: 3, latency: 1_000, jitter: 500, ..Settings::default() }
}

fn accepted(to: u64, matched: u64) -> Envelope {
    let message = Message::AppendAccepted { matched: Index(matched) };
    Envelope { from: NodeId(1), to: NodeId(to), term: Term(3), message }
}

/// When each of `messages` arrives: never, once, or twice. A second apart, so that none waits.
fn arrivals(weather: &[(u32, What)], messages: &[Envelope]) -> Vec<Vec<Micros>> {
    let mut network = Network::new(&settings());
    for (fault, what) in weather {
        assert!(network.worsen(*fault, what, None));
    }
    let mut now = 0;
    let mut each = |envelope: &Envelope| {
        now += 1_000_000;
        let mut times = Vec::new();
        network.send(now, envelope, &mut Counters::default(), &mut |at, _| times.push(at - now));
        times
    };
    messages.iter().map(&mut each).collect()
}

#[test]
fn taking_a_fault_away_leaves_all_other_verdicts() {
    let messages: Vec<Envelope> = (1..500).map(|n| accepted(2, n)).collect();
    let (loss, twice) = (What::Loss(Target::All, 300_000), What::Duplicate(Target::All, 300_000));
    let both = arrivals(&[(1, loss.clone()), (2, twice.clone())], &messages);
    let only_loss = arrivals(&[(1, loss)], &messages);
    let only_twice = arrivals(&[(2, twice)], &messages);
    for ((both, loss), twice) in both.iter().zip(&only_loss).zip(&only_twice) {
        assert_eq!(both.is_empty(), loss.is_empty(), "what is lost is decided by its own fault");
        assert!(both.is_empty() || both == twice, "and so is what comes twice");
        assert!(loss.is_empty() || loss[0] == twice[0], "and the way takes as long as ever");
    }
    assert!(only_loss.iter().any(Vec::is_empty) && only_twice.iter().any(|times| times.len() == 2));
}

#[test]
fn taking_a_message_away_leaves_all_other_verdicts() {
    let weather = [(1, What::Loss(Target::All, 300_000))];
    let all: Vec<Envelope> = (1..200).map(|n| accepted(2 + n % 2, n)).collect();
    let some: Vec<Envelope> = all.iter().filter(|each| each.to == NodeId(3)).cloned().collect();
    let of_all: Vec<Vec<Micros>> = arrivals(&weather, &all)
        .into_iter()
        .zip(&all)
        .filter_map(|(times, each)| (each.to == NodeId(3)).then_some(times))
        .collect();
    assert_eq!(of_all, arrivals(&weather, &some));
}

#[test]
fn a_repeated_message_is_not_always_lost() {
    let same: Vec<Envelope> = (0..100).map(|_| accepted(2, 7)).collect();
    let lost = arrivals(&[(1, What::Loss(Target::All, 500_000))], &same);
    assert!((30..70).contains(&lost.iter().filter(|times| times.is_empty()).count()));
}

#[test]
fn a_cut_stops_what_is_sent_and_may_take_what_is_under_way() {
    let mut network = Network::new(&settings());
    let mut counters = Counters::default();
    let mut flights = Vec::new();
    network.send(0, &accepted(2, 1), &mut counters, &mut |_, flight| flights.push(flight));
    network.send(0, &accepted(3, 1), &mut counters, &mut |_, flight| flights.push(flight));
    network.cut(&[(0, 1)], true);
    network.send(0, &accepted(2, 2), &mut counters, &mut |_, flight| flights.push(flight));
    assert_eq!((flights.len(), counters.get(Counter::CutOff)), (2, 1));
    assert_eq!(network.drop_in_flight(&[(0, 1)]), 1);
    assert_eq!(network.land(flights[0]), None);
    assert_eq!(network.land(flights[1]), Some(accepted(3, 1)));
}

#[test]
fn a_link_keeps_order_unless_the_weather_says_otherwise() {
    let mut network = Network::new(&Settings { jitter: 50_000, ..settings() });
    let mut times = Vec::new();
    for n in 1..100 {
        let counters = &mut Counters::default();
        network.send(n, &accepted(2, n), counters, &mut |at, _| times.push(at));
    }
    assert!(times.is_sorted_by(|one, other| one < other));
}
