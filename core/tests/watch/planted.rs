//! The bugs of the past, put back one at a time: the model must find each, by the promise that it
//! breaks.

use std::panic::{AssertUnwindSafe, catch_unwind};

use quorate_core::planted::Bug;

use crate::model::play;

/// Each bug, and the words with which the judge may complain.
const BUGS: [(Bug, &[&str]); 11] = [
    (Bug::ProgressOvertakesEvents, &["bookmarkable"]),
    (Bug::InstallRepeatsTheLast, &["unique", "bookmarkable"]),
    (Bug::InstallSkipsTheGap, &["reliable", "bookmarkable"]),
    (Bug::StarvedWatcherSkips, &["reliable", "bookmarkable"]),
    (Bug::FutureWatchHearsEarly, &["filter"]),
    (Bug::LargeTransactionToldTwice, &["unique"]),
    (Bug::CancelUnknownEndsZero, &["reliable", "cancel"]),
    (Bug::WatchFromNowStartsLate, &["reliable"]),
    (Bug::PreviousAtItsOwnRevision, &["prev-kv"]),
    (Bug::FragmentNotMarked, &["atomic"]),
    (Bug::FilterIgnoredInThePast, &["filter"]),
];

const SEEDS: u64 = 200;

#[test]
fn every_bug_breaks_a_promise_and_the_judge_says_which() {
    std::panic::set_hook(Box::new(|_| {}));
    let mut wrong = Vec::new();
    for (bug, promises) in BUGS {
        match (0..SEEDS).find_map(|seed| complaint(seed, bug)) {
            Some((seed, text)) if promises.iter().any(|promise| text.starts_with(promise)) => {
                println!("{bug:<32} seed {seed:<4} {text}");
            }
            Some((seed, text)) => wrong.push(format!("{bug} in seed {seed}: {text}")),
            None => wrong.push(format!("{bug} was not found")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn complaint(seed: u64, bug: Bug) -> Option<(u64, String)> {
    let panic = catch_unwind(AssertUnwindSafe(|| play(seed, Some(bug)))).err()?;
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    let text = text.unwrap_or_default();
    // Where two values differ, the promise comes behind the library's words.
    let text = text.trim_start_matches("assertion `left == right` failed: ").to_owned();
    Some((seed, text.lines().next().unwrap_or_default().to_owned()))
}
