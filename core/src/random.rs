//! Chance, given from outside: a seeded generator that is the same on every platform.
//!
//! ChaCha8 and not the library's standard generator, because its stream is fixed for ever:
//! an old seed must replay in a new build.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// A seeded source of chance.
#[derive(Debug)]
pub struct Random(ChaCha8Rng);

impl Random {
    /// A generator whose whole future is decided by `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number in `0..bound`. `bound` must not be 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "an empty range has no element");
        self.0.random_range(0..bound)
    }
}
