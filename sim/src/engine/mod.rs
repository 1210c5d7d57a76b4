//! Engines decide when the events of a world happen, and nothing else.

#[cfg(madsim)]
pub mod mad;
pub mod raw;

use std::cmp::Ordering;

use crate::clock::Micros;
use crate::world::Event;

/// What to say instead of pretending to simulate.
pub const NO_MADSIM: &str = "built without --cfg madsim: RUSTFLAGS in the environment (or a build \
    from another directory) overrides .cargo/config.toml; add `--cfg madsim` to RUSTFLAGS or use \
    `make`";

/// The engine that this build does not have.
#[cfg(not(madsim))]
pub mod mad {
    use crate::verdict::Outcome;
    use crate::world::World;

    /// Cannot.
    pub fn run(_: World, _: u64) -> Outcome {
        panic!("{}", super::NO_MADSIM)
    }
}

/// An appointment: compared by time, then by number.
struct Due {
    at: Micros,
    number: u64,
    event: Event,
}

impl Due {
    fn key(&self) -> (Micros, u64) {
        (self.at, self.number)
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}
