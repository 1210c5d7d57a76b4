//! What clients saw must have an order that explains it.
//!
//! The revision-guided judge sees every run; the plain search of Wing, Gong and Lowe, which knows
//! nothing of revisions, is the second opinion on every tenth, as far as it comes to an end.

use quorate_checks::history::{History, Operation};
use quorate_checks::linearizable::{Budget, Verdict, wgl};

use crate::counters::{Counter, Counters};
use crate::verdict::{Invariant, Violation};

/// Every so many seeds get a second opinion,
const SECOND_OPINION: u64 = 10;
/// for as much as this.
const LITTLE: Budget = Budget { steps: 100_000, states: 20_000 };

/// The record of a run as a history.
pub fn history(operations: Vec<Operation>) -> Result<History, Violation> {
    History::new(operations).or_else(|(place, why)| {
        Violation::of(Invariant::Linearizability, format!("malformed record, {place}: {why}"))
    })
}

/// Judges what clients saw.
pub fn judge(history: &History, seed: u64, counters: &mut Counters) -> Result<(), Violation> {
    match quorate_checks::judge(history) {
        Verdict::Linearizable(_) => {}
        verdict @ (Verdict::Illegal(_) | Verdict::Unknown(_)) => {
            return broken(verdict.to_string());
        }
    }
    if !seed.is_multiple_of(SECOND_OPINION) {
        return Ok(());
    }
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
