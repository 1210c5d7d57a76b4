//! A member's own clock over the one virtual time: with an offset, a rate and jumps.
//!
//! ```text
//!   local                       ..../ +20 %
//!     |            jump   ____/
//!     |          |-------'  freeze
//!     |  _______/
//!     +-------------------------------- virtual time (microseconds)
//! ```
//! A driver of the core counts whole ticks of 10 ms that its own clock has moved. A clock that
//! jumps back is taken up again from where it is: a driver never counts backwards.
//!
//! Not here: who bends a clock, and when (`world/faults.rs`).

/// Microseconds, of the virtual time or of one clock.
pub type Micros = u64;

/// One millisecond.
pub const MILLI: Micros = 1_000;
/// One second.
pub const SECOND: Micros = 1_000_000;
/// What the core counts time in.
pub const TICK: Micros = 10 * MILLI;
/// Millionths: the rate of a clock that stands still.
pub const FROZEN: i64 = -1_000_000;

/// `local = base_local + (time - base_time) * (1 + ppm / 10^6)`.
#[derive(Clone, Copy, Debug)]
pub struct SkewClock {
    base_time: Micros,
    base_local: Micros,
    ppm: i64,
}

impl Default for SkewClock {
    fn default() -> Self {
        Self { base_time: 0, base_local: 1_000 * SECOND, ppm: 0 }
    }
}

impl SkewClock {
    /// What the clock shows at `time`.
    #[must_use]
    pub fn local(&self, time: Micros) -> Micros {
        let passed = i128::from(time.saturating_sub(self.base_time));
        let moved = passed * i128::from(1_000_000 + self.ppm) / 1_000_000;
        self.base_local + moved as u64
    }

    /// The first time at which it shows `local` or more; never, while it stands still.
    #[must_use]
    pub fn time(&self, local: Micros) -> Option<Micros> {
        let Some(ahead) = local.checked_sub(self.base_local) else { return Some(self.base_time) };
        let rate = u128::try_from(1_000_000 + self.ppm).ok().filter(|rate| *rate > 0)?;
        Some(self.base_time + (u128::from(ahead) * 1_000_000).div_ceil(rate) as u64)
    }

    /// Moves the hands by `by` microseconds.
    pub fn jump(&mut self, time: Micros, by: i64) {
        self.base_local = self.local(time).saturating_add_signed(by);
        self.base_time = time;
    }

    /// Lets it run faster or slower from now on, by millionths.
    pub fn set_rate(&mut self, time: Micros, ppm: i64) {
        assert!(ppm >= FROZEN, "a clock does not run backwards: {ppm} ppm");
        self.jump(time, 0);
        self.ppm = ppm;
    }

    /// Whether it runs at the right rate.
    #[must_use]
    pub fn is_true(&self) -> bool {
        self.ppm == 0
    }
}

/// Counts the whole ticks that a clock has moved, as a driver does.
#[derive(Clone, Copy, Debug)]
pub struct Ticker {
    counted: Micros,
}

impl Ticker {
    /// Counts from here.
    #[must_use]
    pub fn new(local: Micros) -> Self {
        Self { counted: local }
    }

    /// The whole ticks since the last call.
    pub fn elapsed(&mut self, local: Micros) -> u64 {
        if local < self.counted {
            self.counted = local; // The clock jumped back.
        }
        let ticks = (local - self.counted) / TICK;
        self.counted += ticks * TICK;
        ticks
    }

    /// What the clock shows when the next tick is over.
    #[must_use]
    pub fn next(&self) -> Micros {
        self.counted + TICK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_the_inverse_of_local() {
        let mut clock = SkewClock::default();
        for (at, ppm, by) in [(0, 0, 0), (5_000, 200_000, -300), (9_999, -199_999, 77)] {
            clock.jump(at, by);
            clock.set_rate(at, ppm);
            for ahead in [0, 1, 2, 999, 10_000, 123_457] {
                let local = clock.local(at) + ahead;
                let time = clock.time(local).expect("the clock runs");
                assert!(clock.local(time) >= local, "too early");
                assert!(time == at || clock.local(time - 1) < local, "too late");
            }
        }
    }

    #[test]
    fn a_frozen_clock_never_shows_more() {
        let mut clock = SkewClock::default();
        clock.set_rate(100, FROZEN);
        assert_eq!(clock.local(100), clock.local(1_000_000));
        assert_eq!(clock.time(clock.local(100) + 1), None);
    }

    #[test]
    fn ticks_are_whole_and_never_negative() {
        let mut ticker = Ticker::new(50_000);
        assert_eq!(ticker.elapsed(59_999), 0);
        assert_eq!(ticker.elapsed(60_000), 1);
        assert_eq!(ticker.elapsed(95_000), 3);
        assert_eq!(ticker.elapsed(10_000), 0, "the clock jumped back");
        assert_eq!(ticker.elapsed(20_000), 1, "and is taken up from there");
    }
}
