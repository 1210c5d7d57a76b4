//! What clients saw must have an order that explains it.
//!
//! ```text
//!   record --> guided judge --held--> every tenth seed: a second opinion
//!                 |
//!                 +--gave up--> record with the log's outcomes told --> guided judge
//! ```
//! The revision-guided judge sees every run; the plain search of Wing, Gong and Lowe, which knows
//! nothing of revisions, is the second opinion, as far as it comes to an end.
//!
//! Not here: the judges (`jepsen-like-checks/`), what the log knows (`world/ledger.rs`).

use quorate_checks::explain::{self, Explanation, Finding};
use quorate_checks::history::{History, Operation, Record};
use quorate_checks::linearizable::{Budget, Verdict, guided, wgl};
use quorate_checks::revision::{endpoints, sessions};

use crate::counters::{Counter, Counters};
use crate::verdict::{Invariant, Violation};

/// What the guided judge may spend on a record.
const ENOUGH: Budget = Budget { steps: 1_000_000, states: 20_000 };
/// Every so many seeds get a second opinion,
const SECOND_OPINION: u64 = 10;
/// for as much as this.
const LITTLE: Budget = Budget { steps: 100_000, states: 20_000 };

/// The record of a run as a history.
pub fn history(records: Vec<Record>) -> Result<History, Violation> {
    History::of(records).or_else(|(place, why)| {
        Violation::of(Invariant::Linearizability, format!("malformed record, {place}: {why}"))
    })
}

/// Judges what clients saw. `reveal` tells what the log knows of unknown outcomes.
pub fn judge(
    history: &History,
    seed: u64,
    counters: &mut Counters,
    reveal: impl FnOnce(&[Operation]) -> Vec<Operation>,
) -> Result<(), Violation> {
    match first(history) {
        Verdict::Linearizable(_) => {}
        verdict @ Verdict::Illegal(_) => return broken(verdict.to_string()),
        Verdict::Unknown(_) => {
            counters.count(Counter::Revealed);
            let told = reveal(history.operations()).into_iter().map(Record::Operation).collect();
            let told = self::history(told)?;
            match first(&told) {
                Verdict::Linearizable(_) => {}
                verdict @ (Verdict::Illegal(_) | Verdict::Unknown(_)) => {
                    return broken(format!("with the log's outcomes told: {verdict}"));
                }
            }
        }
    }
    if seed.is_multiple_of(SECOND_OPINION) {
        return second(history, counters);
    }
    Ok(())
}

/// What is wrong with a record, told so that anybody can follow. None: no order of it is wrong, or
/// none was found to be.
#[must_use]
pub fn explain(history: &History) -> Option<Explanation> {
    match first(history) {
        Verdict::Illegal(rejection) => Some(explain::explain(history, &Finding::Order(rejection))),
        Verdict::Linearizable(_) | Verdict::Unknown(_) => None,
    }
}

fn first(history: &History) -> Verdict {
    // Endpoints are lives of members: a restart may bring an older state back.
    match sessions(history).and_then(|_| endpoints(history)) {
        Ok(_) => guided::judge(history, ENOUGH),
        Err(rejection) => Verdict::Illegal(rejection),
    }
}

fn second(history: &History, counters: &mut Counters) -> Result<(), Violation> {
    match wgl::judge(history, LITTLE) {
        Verdict::Illegal(rejection) => return broken(format!("second opinion: {rejection}")),
        Verdict::Linearizable(_) => counters.count(Counter::SecondOpinions),
        Verdict::Unknown(_) => {}
    }
    Ok(())
}

fn broken(what: String) -> Result<(), Violation> {
    Violation::of(Invariant::Linearizability, what)
}
