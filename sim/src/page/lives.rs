//! What follows from the lines: who was what in which term, who was down, and what was wrong when.
//!
//! ```text
//!   start, opens term=2, turns candidate in term 3, leads term 3, is killed
//!     |-- follower 2 --|-- candidate 3 ---|-- leader 3 --|-- down --
//! ```
//! Not here: taking lines apart (`lines.rs`).

use serde::Serialize;

use super::lines::{Event, Events, numbers_after};
use crate::clock::Micros;

/// A part of a member's life: lane, from, to, term, role.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Span(usize, Micros, Micros, u64, String);

/// A fault: its number, from, to, the words of the plan, the members that it hits.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Fault(u64, Micros, Micros, String, Vec<u64>);

/// What a member is at a moment.
#[derive(Clone, PartialEq, Eq, Debug)]
struct State {
    term: u64,
    role: &'static str,
}

const ROLES: [&str; 4] = ["follower", "pre-candidate", "candidate", "leader"];
const DOWN: &str = "down";
const STARTING: &str = "starting";

/// The lives of all members.
pub(super) fn spans(events: &Events, members: usize, end: Micros) -> Vec<Span> {
    let mut spans = Vec::new();
    for lane in 0..members {
        let mut since = 0;
        let mut state = State { term: 0, role: DOWN };
        for event in events.list.iter().filter(|event| event.lane == Some(lane)) {
            let next = next(&state, &event.text);
            if next != state {
                spans.push(Span(lane, since, event.at, state.term, state.role.to_owned()));
                (since, state) = (event.at, next);
            }
        }
        spans.push(Span(lane, since, end.max(since), state.term, state.role.to_owned()));
    }
    spans.retain(|Span(_, from, to, ..)| to > from);
    spans
}

fn next(state: &State, text: &str) -> State {
    let mut words = text.split(' ');
    let (first, last) = (words.next().unwrap_or_default(), words.next_back());
    let stated = || last.and_then(|term| term.parse().ok()).unwrap_or(state.term);
    match first {
        "start" => State { term: state.term, role: STARTING },
        "is" | "loses" | "ends:" => State { term: state.term, role: DOWN },
        "leads" => State { term: stated(), role: "leader" },
        "turns" => {
            let role = ROLES.into_iter().find(|role| text.split(' ').nth(1) == Some(role));
            State { term: stated(), role: role.unwrap_or(state.role) }
        }
        "opens" | "persist" => match numbers_after(text, "term=").first() {
            Some(term) if *term != state.term || state.role == STARTING => {
                State { term: *term, role: "follower" }
            }
            Some(_) | None => state.clone(),
        },
        _ => state.clone(),
    }
}

/// All faults that began.
pub(super) fn faults(events: &Events, end: Micros) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for event in events.list.iter().filter(|event| event.lane.is_none()) {
        if let Some(begun) = begun(event, end) {
            open.push(faults.len());
            faults.push(begun);
        } else if let Some(id) = numbers_after(&event.text, "end fault ").first() {
            let place = open.iter().position(|place| faults[*place].0 == *id);
            if let Some(place) = place.map(|place| open.swap_remove(place)) {
                faults[place].2 = event.at;
            }
        }
    }
    faults
}

/// The fault of `begin fault 3 at 2s for 800ms isolate leader with 0 both drops, hits n2`.
fn begun(event: &Event, end: Micros) -> Option<Fault> {
    let text = event.text.strip_prefix("begin fault ")?;
    let (number, text) = text.split_once(' ')?;
    let (text, hits) = text.split_once(", hits ").unwrap_or((text, ""));
    let what = text.split_once(" for ").and_then(|(_, what)| what.split_once(' '));
    let what = what.map_or(text, |(_, what)| what).to_owned();
    Some(Fault(number.parse().ok()?, event.at, end, what, numbers_after(hits, "n")))
}

#[cfg(test)]
mod tests {
    use super::super::lines;
    use super::*;

    fn events(lines: &[&str]) -> Events {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        lines::read(&lines, 1)
    }

    #[test]
    fn a_life_is_cut_where_role_or_term_change() {
        let events = events(&[
            "0.000000 n1 start 1",
            "0.000010 n1 opens term=1 vote=- log 0@0..1 torn=0 applied=0@0",
            "0.000020 n1 turns candidate in term 2",
            "0.000020 n1 persist w1 term=2 vote=1",
            "0.000030 n1 leads term 2",
            "0.000040 n1 persist w2 term=2 vote=1 entries 2@2",
            "0.000050 n1 persist w3 term=3 vote=-",
            "0.000060 n1 ends: no space",
        ]);
        let spans = spans(&events, 1, 100);
        let shown: Vec<_> = spans
            .iter()
            .map(|Span(_, from, to, term, role)| (*from, *to, *term, role.as_str()))
            .collect();
        let expected = [
            (0, 10, 0, "starting"),
            (10, 20, 1, "follower"),
            (20, 30, 2, "candidate"),
            (30, 50, 2, "leader"),
            (50, 60, 3, "follower"),
            (60, 100, 3, "down"),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_fault_lasts_until_it_ends() {
        let events = events(&[
            "0.000010 begin fault 3 when 2 accepts nth 3 after 1s for 800ms crash it, hits n1",
            "0.000020 begin fault 4 at 20us for 1s loss all 50000",
            "0.000030 end fault 3",
        ]);
        let expected = [
            Fault(3, 10, 30, "crash it".to_owned(), vec![1]),
            Fault(4, 20, 99, "loss all 50000".to_owned(), vec![]),
        ];
        assert_eq!(faults(&events, 99), expected);
    }
}
