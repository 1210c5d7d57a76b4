//! Majorities as pure functions (Raft paper §5.2, §5.3).
//!
//! Any two majorities of one set of voters share a voter: everything in Raft leans on it.
//! ```text
//!   matched   a: 7   b: 4   c: 9      sorted: 9 7 4      majority of 3 is 2
//!                                               ^ at least two voters reach 7: agreed
//! ```
//!
//! Not here: joint configurations, which need a majority of two sets at once.

/// How many of `voters` make a quorum.
#[must_use]
pub const fn majority(voters: usize) -> usize {
    voters / 2 + 1
}

/// The largest value that a majority reaches or exceeds. There is one value per voter.
#[must_use]
pub fn agreed<T: Ord + Copy>(values: &mut [T]) -> T {
    assert!(!values.is_empty(), "a cluster without voters agrees on nothing");
    values.sort_unstable_by(|a, b| b.cmp(a));
    values[majority(values.len()) - 1]
}
