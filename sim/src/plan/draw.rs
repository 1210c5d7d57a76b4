//! From a seed to a plan, swarm style: every run leaves most kinds of faults out.
//!
//! ```text
//!   seed --> profile   Swarm    any subset of faults, any strength
//!                      Durable  power losses at moments of the disk, long values, old copies
//!                      Leaders  leaders cut off right after they appended, and crashed
//!                      Stale    leaders cut off, paused, with slow clocks, and asked to read
//!                      Rush     many clients at once, so that everything comes in batches; some
//!                               among echoes, and with leaders that hand over again and again
//!                      Eight    the schedule of figure 8 of the Raft paper, in rounds
//!                      Behind   members cut off for long, logs kept short, crashes at the moments of a
//!                               snapshot
//!                      Leases   leases renewed, revoked and granted anew, while what applies stands still
//!                      Patient  long blackouts, and clients that wait for what members say
//!        --> settings, faults, operations
//! ```
//! Uniformly timed crashes find no missing sync; leaders that are never deposed serve no stale
//! read. So faults aim at moments, and some profiles aim at what history shows to be weak.
//! Leaving kinds out finds more than having all of them a little (swarm testing).
//!
//! Not here: which faults (`faults.rs`), what the clients ask (`ops.rs`), how long a run goes on
//! after its faults (`world/liveness.rs`).

mod again;
mod echo;
mod eight;
mod faults;
mod lease;
mod ops;
mod txn;
mod watch;

use quorate_core::random::Random;

use super::{Fault, Plan, Settings};
use crate::clock::{MILLI, Micros, SECOND};

/// The TTL of a lease that lives through several leaders, in seconds.
const LONG_LEASE: u64 = 12;
/// Short spans are drawn in steps of this.
const STEP: Micros = 10;

/// What a run is after.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Profile {
    Swarm,
    Durable,
    Leaders,
    Stale,
    Eight,
    Rush,
    Behind,
    Leases,
    Patient,
}

/// A plan in the making.
struct Draw {
    random: Random,
    profile: Profile,
    settings: Settings,
    faults: Vec<Fault>,
}

/// The plan of a seed.
pub(super) fn draw(seed: u64) -> Plan {
    let mut random = Random::new(seed);
    let profile = match random.below(100) {
        0..28 => Profile::Swarm,
        28..35 => Profile::Leases,
        35..43 => Profile::Behind,
        43..60 => Profile::Durable,
        60..73 => Profile::Leaders,
        73..87 => Profile::Stale,
        87..91 => Profile::Eight,
        91..95 => Profile::Rush,
        _ => Profile::Patient,
    };
    let settings = Settings { seed, ..Settings::default() };
    let mut draw = Draw { random, profile, settings, faults: Vec::new() };
    draw.settings();
    draw.faults();
    let mut ops = draw.ops();
    draw.race();
    if draw.profile == Profile::Rush && draw.chance(50) {
        draw.echoes(&mut ops);
    }
    Plan { settings: draw.settings, faults: draw.faults, ops, ..Plan::default() }
}

impl Draw {
    fn settings(&mut self) {
        let members = match self.profile {
            Profile::Swarm => self.pick(&[1, 3, 3, 3, 3, 5, 5]),
            Profile::Durable => self.pick(&[1, 1, 3, 3, 3, 5]),
            Profile::Leaders => self.pick(&[3, 3, 5, 5, 5]),
            Profile::Stale
            | Profile::Rush
            | Profile::Patient
            | Profile::Behind
            | Profile::Leases => self.pick(&[3, 3, 3, 5]),
            Profile::Eight => 3,
        };
        let (clients, patience, duration) = match self.profile {
            Profile::Swarm
            | Profile::Durable
            | Profile::Leaders
            | Profile::Stale
            | Profile::Behind => (self.between(3, 8), self.between(300, 2000), self.between(6, 10)),
            Profile::Eight => (self.between(3, 8), self.between(300, 1000), 10),
            // Impatient: what they gave up is still under way when they ask again.
            Profile::Leases => (self.between(5, 10), self.between(40, 400), self.between(4, 6)),
            Profile::Rush => (self.between(10, 24), self.between(300, 1000), self.between(2, 3)),
            Profile::Patient => (self.between(3, 8), self.between(6000, 9000), self.between(8, 12)),
        };
        let eight = self.profile == Profile::Eight;
        let behind = self.profile == Profile::Behind;
        let heartbeat = if eight { 20 } else { self.pick(&[20, 30, 50]) } * MILLI;
        let latency = self.short(100, 3 * MILLI);
        let seed = self.settings.seed;
        let checkpoint = self.pick(&[1, 2, 300]) * SECOND;
        self.settings = Settings {
            seed,
            members,
            duration: duration * SECOND,
            heartbeat,
            election: heartbeat * self.between(6, 10),
            latency,
            jitter: self.short(0, 2 * latency),
            service: self.short(10, 100),
            disk_write: self.short(20, 200),
            disk_sync: self.short(100, 4 * MILLI),
            segment: self.pick(&[4, 8, 16, 64]) << 10,
            discard: if behind { self.pick(&[4, 8]) } else { self.pick(&[8, 32, 128, 1000]) },
            tail: if behind { self.pick(&[0, 2, 4]) } else { self.pick(&[0, 8, 32, 1000]) },
            part: if behind { self.pick(&[1, 50, 300]) } else { self.pick(&[200, 1000, 100_000]) },
            store_every: self.between(5, 100) * MILLI,
            store_sync: if behind { 100 } else { self.between(100, 1000) } * MILLI,
            sweep: self.pick(&[1, 3, 10, 1000]),
            sweep_pause: self.pick(&[1, 5, 10]) * MILLI,
            page: self.pick(&[1, 2, 5, 100]),
            checkpoint,
            long_lease: if checkpoint == SECOND && self.chance(15) { LONG_LEASE } else { 0 },
            watch_queue: self.pick(&[200, 1000, 10_000]),
            watch_message: self.pick(&[1, 300, 4000]),
            watch_fragment: self.pick(&[100, 400, 4000]),
            watch_fetch: self.pick(&[1, 3, 20]),
            watch_cohort: self.pick(&[1, 3, 100]),
            progress: self.between(100, 1000) * MILLI,
            clients,
            patience: patience * MILLI,
            moves: u64::from(self.profile != Profile::Stale && self.chance(60)),
            window: 0,
            arrears: 0,
            race: 0,
        };
    }

    /// Members that forget soon: either somebody must catch up with them when everything else is
    /// over, or they forget what those need who catch up.
    fn race(&mut self) {
        if self.profile != Profile::Behind {
            return;
        }
        self.settings.window = self.pick(&[200, 500, 0]);
        if self.chance(50) {
            self.settings.race = 1;
            self.settings.part = self.settings.part.max(300);
        } else {
            self.settings.arrears = self.pick(&[1, 300, 0]);
        }
    }

    /// Client operations in a second, all clients together.
    fn rate(&self) -> u64 {
        match self.profile {
            Profile::Swarm
            | Profile::Durable
            | Profile::Leaders
            | Profile::Stale
            | Profile::Behind
            | Profile::Eight => 20,
            Profile::Leases => 100,
            Profile::Rush => 250,
            Profile::Patient => 10,
        }
    }

    /// A span between two, in whole milliseconds: a plan is for reading.
    fn span(&mut self, low: Micros, high: Micros) -> Micros {
        self.between(low / MILLI, high / MILLI) * MILLI
    }

    /// A short span, in hundredths of milliseconds.
    fn short(&mut self, low: Micros, high: Micros) -> Micros {
        self.between(low / STEP, high / STEP) * STEP
    }

    /// One of `low..=high`.
    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.random.below(high.saturating_sub(low) + 1)
    }

    fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.random.below(all.len() as u64) as usize].clone()
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.random.below(100) < percent
    }
}
