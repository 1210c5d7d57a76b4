//! The revision-guided judge: linear where a search is exponential.
//!
//! In general, deciding linearizability means searching for an order. A store with revisions tells
//! the order itself: every answer says which revision it made or saw. What is left is to believe
//! nothing else:
//!
//! ```text
//! 1. each revision is made by one write            case.rs    sort
//! 2. revision order agrees with real-time order    order.rs   sweep over the times
//! 3. every revision seen has a write               gaps.rs    unknown writes fill the gaps
//! 4. replayed in this order, every answer is right search.rs  one state walks through all revisions
//! ```
//!
//! If all four hold, "writes by revision, each read behind the write whose state it shows" is an
//! order that explains all answers; if one fails, no order can, since any order must give each
//! write its revision. Only 3 leaves a choice, among writes whose outcome nobody knows, and only
//! where no answer ever shows what was written.
//!
//! A history must begin with an empty store and hold every write to it.
//!
//! Not here: the judge that tries orders (`wgl.rs`).

use super::{Budget, Counters, Rejection, Undecided, Verdict};
use crate::history::History;

mod blame;
mod candidates;
mod case;
mod claims;
mod concern;
mod diagnose;
mod fold;
mod gaps;
mod ground;
mod keys;
mod known;
mod learn;
mod least;
mod lives;
mod needs;
mod order;
mod outlook;
mod passes;
mod present;
mod reach;
mod refusals;
mod role;
mod script;
mod search;
mod stock;
mod stops;
mod stretch;

use case::Case;
use gaps::Gaps;
use search::{End, Search};

pub use passes::Passes;

/// Judges a history by its revisions.
#[must_use]
pub fn judge(history: &History, budget: Budget) -> Verdict {
    judge_with(history, budget, Passes::suiting(history.operations().len()))
}

/// Judges a history by its revisions. The verdict is the same however the passes are made.
#[must_use]
pub fn judge_with(history: &History, budget: Budget, passes: Passes) -> Verdict {
    match decide(history, budget, passes) {
        Ok(verdict) => verdict,
        Err(rejection) => Verdict::Illegal(rejection),
    }
}

fn decide(history: &History, budget: Budget, passes: Passes) -> Result<Verdict, Box<Rejection>> {
    let case = Case::new(history, passes)?;
    let order = order::check(&case)?;
    let refusals = || {
        refusals::check(&case, &order)?;
        Ok(Counters::of(history))
    };
    let replay = || {
        let gaps = Gaps::new(&case, &order)?;
        Ok(Search::new(&case, &gaps, &order).run(budget.steps))
    };
    let (counters, end) = passes.both(refusals, replay)?;
    match end {
        End::Agreed { took_effect, steps } => {
            let counters = Counters { took_effect, steps, ..counters };
            Ok(Verdict::Linearizable(counters))
        }
        End::Disagreed { closest, tried: false } => Err(closest),
        End::Disagreed { closest, tried: true } => {
            let unseen = case.maybes.len() + case.tenure.granted.len();
            Err(Box::new(Rejection::NoPlacement(unseen, closest)))
        }
        End::Spent => Ok(Verdict::Unknown(Undecided::Steps(budget.steps))),
    }
}
