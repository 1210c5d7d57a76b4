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
//! Watches and leases are judged first: what breaks them is told best in their own words.
//!
//! Not here: the promises of watches and leases (`judge/promises.rs`), the judges
//! (`jepsen-like-checks/`), what the log knows (`world/ledger.rs`).

mod promises;

use quorate_checks::explain::{self, Explanation, Finding};
use quorate_checks::history::{History, Operation, Record};
use quorate_checks::linearizable::{Budget, Verdict, guided, wgl};
use quorate_checks::revision::{endpoints, sessions};

use crate::counters::{Counter, Counters};
use crate::plan::Plan;
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
    plan: &Plan,
    counters: &mut Counters,
    reveal: impl FnOnce(&[Operation]) -> Vec<Operation>,
) -> Result<(), Violation> {
    promises::watches(history, counters)?;
    promises::leases(history, plan, counters)?;
    match first(history) {
        Verdict::Linearizable(_) => {}
        verdict @ Verdict::Illegal(_) => return broken(verdict.to_string()),
        Verdict::Unknown(_) => {
            counters.count(Counter::Revealed);
            match first(&told(history, reveal)?) {
                Verdict::Linearizable(_) => {}
                verdict @ (Verdict::Illegal(_) | Verdict::Unknown(_)) => {
                    return broken(format!("with the log's outcomes told: {verdict}"));
                }
            }
        }
    }
    if plan.settings.seed.is_multiple_of(SECOND_OPINION) {
        return second(history, counters);
    }
    Ok(())
}

/// Why a record breaks an invariant, told so that anybody can follow. None: that is not seen in
/// what clients saw, or only with the log's outcomes told.
#[must_use]
pub fn explain(history: &History, plan: &Plan, broken: Invariant) -> Option<Explanation> {
    let (found, finding) = promises::broken(history, plan).or_else(|| order(history))?;
    (found == broken).then(|| explain::explain(history, &finding))
}

fn order(history: &History) -> Option<(Invariant, Finding)> {
    match first(history) {
        Verdict::Illegal(rejection) => {
            Some((Invariant::Linearizability, Finding::Order(rejection)))
        }
        Verdict::Linearizable(_) | Verdict::Unknown(_) => None,
    }
}

/// The history with the outcomes that the log knows.
fn told(
    history: &History,
    reveal: impl FnOnce(&[Operation]) -> Vec<Operation>,
) -> Result<History, Violation> {
    let operations = reveal(history.operations()).into_iter().map(Record::Operation);
    let mut records = history.clone().into_records();
    records.retain(|record| !matches!(record, Record::Operation(_)));
    self::history(operations.chain(records).collect())
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
