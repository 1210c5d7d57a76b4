//! From a seed to a plan, swarm style: every run leaves most kinds of faults out.
//!
//! ```text
//!   seed --> profile   Swarm    any subset of faults, any strength
//!                      Durable  power losses at moments of the disk, long values, old copies
//!                      Leaders  leaders cut off right after they appended, and crashed
//!                      Stale    leaders cut off, paused, with slow clocks, and asked to read
//!                      Rush     many clients at once, so that everything comes in batches
//!                      Patient  long blackouts, and clients that wait for what members say
//!        --> settings, faults, operations
//! ```
//! Uniformly timed crashes find no missing sync; leaders that are never deposed serve no stale
//! read. So faults aim at moments, and some profiles aim at what history shows to be weak.
//! Leaving kinds out finds more than having all of them a little (swarm testing).
//!
//! Not here: how long a run goes on after its faults (`world/liveness.rs`).

mod ops;

use quorate_core::random::Random;

use super::{Actor, Direction, Fault, Flight, Moment, Plan, Settings, Target, What, When, Who};
use crate::clock::{FROZEN, MILLI, Micros, SECOND};

/// What a run is after.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Profile {
    Swarm,
    Durable,
    Leaders,
    Stale,
    Rush,
    Patient,
}

/// A kind of fault that a run may include.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Crash,
    PowerLoss,
    Outage,
    Pause,
    Stall,
    SlowDisk,
    Isolate,
    Split,
    Blackout,
    Loss,
    Duplicate,
    Reorder,
    Delay,
    Drift,
    Freeze,
    Jump,
    AimedCrash,
    AimedPower,
    AimedCut,
    AimedPause,
}

/// What a swarm is drawn from.
const SWARM: [Kind; 19] = [
    Kind::Crash,
    Kind::PowerLoss,
    Kind::Outage,
    Kind::Pause,
    Kind::Stall,
    Kind::SlowDisk,
    Kind::Isolate,
    Kind::Split,
    Kind::Loss,
    Kind::Duplicate,
    Kind::Reorder,
    Kind::Delay,
    Kind::Drift,
    Kind::Freeze,
    Kind::Jump,
    Kind::AimedCrash,
    Kind::AimedPower,
    Kind::AimedCut,
    Kind::AimedPause,
];

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
        0..45 => Profile::Swarm,
        45..62 => Profile::Durable,
        62..76 => Profile::Leaders,
        76..90 => Profile::Stale,
        90..94 => Profile::Rush,
        _ => Profile::Patient,
    };
    let settings = Settings { seed, ..Settings::default() };
    let mut draw = Draw { random, profile, settings, faults: Vec::new() };
    draw.settings();
    draw.faults();
    let ops = draw.ops();
    Plan { settings: draw.settings, faults: draw.faults, ops }
}

impl Draw {
    fn settings(&mut self) {
        let members = match self.profile {
            Profile::Swarm => self.pick(&[1, 3, 3, 3, 3, 5, 5]),
            Profile::Durable => self.pick(&[1, 1, 3, 3, 3, 5]),
            Profile::Leaders => self.pick(&[3, 3, 5, 5, 5]),
            Profile::Stale | Profile::Rush | Profile::Patient => self.pick(&[3, 3, 3, 5]),
        };
        let (clients, patience, duration) = match self.profile {
            Profile::Swarm | Profile::Durable | Profile::Leaders | Profile::Stale => {
                (self.between(3, 8), self.between(300, 2000), self.between(6, 10))
            }
            Profile::Rush => (self.between(10, 24), self.between(300, 1000), self.between(2, 3)),
            Profile::Patient => (self.between(3, 8), self.between(6000, 9000), self.between(8, 12)),
        };
        let heartbeat = self.pick(&[20, 30, 50]) * MILLI;
        let latency = self.between(100, 3 * MILLI);
        let seed = self.settings.seed;
        self.settings = Settings {
            seed,
            members,
            duration: duration * SECOND,
            heartbeat,
            election: heartbeat * self.between(6, 10),
            latency,
            jitter: self.between(0, 2 * latency),
            service: self.between(5, 100),
            disk_write: self.between(20, 200),
            disk_sync: self.between(100, 4 * MILLI),
            segment: self.pick(&[4, 8, 16, 64]) << 10,
            discard: self.pick(&[8, 32, 128, 1000]),
            store_every: self.between(5, 100) * MILLI,
            store_sync: self.between(100, 1000) * MILLI,
            page: self.pick(&[1, 2, 5, 100]),
            clients,
            patience: patience * MILLI,
            moves: u64::from(self.profile != Profile::Stale && self.chance(60)),
        };
    }

    fn faults(&mut self) {
        let kinds = self.kinds();
        let gap = self.pick(&[300, 600, 1200]) * MILLI;
        let mut at = self.between(200, 1500) * MILLI;
        while at < self.settings.duration && !kinds.is_empty() {
            let kind = self.pick(&kinds);
            self.fault(kind, at);
            at += self.between(gap / 4, 2 * gap);
        }
    }

    /// Client operations in a second, all clients together.
    fn rate(&self) -> u64 {
        match self.profile {
            Profile::Swarm | Profile::Durable | Profile::Leaders | Profile::Stale => 20,
            Profile::Rush => 250,
            Profile::Patient => 10,
        }
    }

    /// Which kinds of faults this run has.
    fn kinds(&mut self) -> Vec<Kind> {
        let (mut kinds, share) = match self.profile {
            Profile::Swarm => (Vec::new(), self.pick(&[15, 30, 50])),
            Profile::Durable => (vec![Kind::AimedPower, Kind::AimedPower, Kind::Outage], 12),
            Profile::Leaders => (vec![Kind::AimedCut, Kind::AimedCut, Kind::AimedCrash], 12),
            Profile::Stale => {
                (vec![Kind::Isolate, Kind::AimedCut, Kind::AimedPause, Kind::Drift], 12)
            }
            Profile::Rush => (Vec::new(), 20),
            Profile::Patient => (vec![Kind::Blackout], 10),
        };
        kinds.extend(SWARM.into_iter().filter(|_| self.chance(share)));
        kinds
    }

    fn fault(&mut self, kind: Kind, at: Micros) {
        let election = self.settings.election;
        let short = self.between(election / 4, 2 * election);
        let long = self.between(election, 6 * election);
        let whom = self.target();
        let (when, lasts, what) = match kind {
            Kind::Crash => (When::At(at), short, What::Crash(whom)),
            Kind::PowerLoss => (When::At(at), short, What::PowerLoss(whom)),
            Kind::Outage => (When::At(at), short, What::PowerLoss(Target::All)),
            Kind::Pause => (When::At(at), long, What::Pause(whom)),
            Kind::Stall => (When::At(at), long, What::Stall(whom, self.pick(Actor::ALL))),
            Kind::SlowDisk => (When::At(at), long, What::SlowDisk(whom, self.pick(&[3, 10, 30]))),
            Kind::Isolate => (When::At(at), long, self.isolate(whom)),
            Kind::Split => (When::At(at), long, self.split()),
            Kind::Blackout => (When::At(at), self.between(5, 8) * SECOND, self.isolate(whom)),
            Kind::Loss => self.weather(at, 300_000, |target, rate, _| What::Loss(target, rate)),
            Kind::Duplicate => {
                self.weather(at, 500_000, |target, rate, _| What::Duplicate(target, rate))
            }
            Kind::Reorder => self.weather(at, 500_000, What::Reorder),
            Kind::Delay => self.weather(at, 200_000, What::Delay),
            Kind::Drift => {
                let ppm = self.either_sign(1_000, 200_000);
                (When::At(at), self.between(election, 4 * SECOND), What::Drift(whom, ppm))
            }
            Kind::Freeze => {
                (When::At(at), self.between(election, 4 * SECOND), What::Drift(whom, FROZEN))
            }
            Kind::Jump => {
                let by = self.either_sign(20 * MILLI, 10 * SECOND);
                (When::At(at), short, What::Jump(whom, by))
            }
            Kind::AimedCrash => (self.moment(at), short, What::Crash(Target::It)),
            Kind::AimedPower => (self.moment(at), short, self.power()),
            Kind::AimedCut => (self.moment(at), long, self.isolate(Target::It)),
            Kind::AimedPause => (self.moment(at), long, What::Pause(Target::It)),
        };
        let id = self.faults.len() as u32 + 1;
        self.faults.push(Fault { id, when, lasts, what });
    }

    fn target(&mut self) -> Target {
        let leader = match self.profile {
            Profile::Swarm | Profile::Durable | Profile::Rush => 30,
            Profile::Leaders | Profile::Stale | Profile::Patient => 75,
        };
        if self.chance(leader) { Target::Leader } else { Target::Member(self.member()) }
    }

    fn member(&mut self) -> u8 {
        self.random.below(self.settings.members) as u8 + 1
    }

    fn power(&mut self) -> What {
        What::PowerLoss(if self.chance(25) { Target::All } else { Target::It })
    }

    fn isolate(&mut self, target: Target) -> What {
        let with = if self.settings.members == 5 { self.pick(&[0, 0, 1]) } else { 0 };
        let direction =
            self.pick(&[Direction::Both, Direction::Both, Direction::Out, Direction::In]);
        What::Isolate { target, with, direction, flight: self.pick(Flight::ALL) }
    }

    /// Each pair is cut by the toss of a coin: some members then hear both sides.
    fn split(&mut self) -> What {
        let members = self.settings.members as u8;
        let share = self.pick(&[25, 50]);
        let mut links = Vec::new();
        for from in 1..=members {
            for to in from + 1..=members {
                match self.random.below(100) {
                    roll if roll < share => links.extend([(from, to), (to, from)]),
                    roll if roll < share + 15 => links.push((from, to)),
                    _ => {}
                }
            }
        }
        What::Cut(links, self.pick(Flight::ALL))
    }

    /// Bad weather, on all links or on those of one member.
    fn weather(
        &mut self,
        at: Micros,
        most: u32,
        make: impl Fn(Target, u32, Micros) -> What,
    ) -> (When, Micros, What) {
        let target = if self.chance(50) { Target::All } else { Target::Member(self.member()) };
        let rate = self.pick(&[10_000, 50_000, 200_000, 500_000]).min(most);
        let by = self.between(MILLI, self.settings.election);
        let lasts = self.between(self.settings.election, 4 * SECOND);
        (When::At(at), lasts, make(target, rate, by))
    }

    fn either_sign(&mut self, low: u64, high: u64) -> i64 {
        let size = self.between(low, high) as i64;
        if self.chance(50) { -size } else { size }
    }

    /// A moment from `after` on, rare ones soon and frequent ones at some time.
    fn moment(&mut self, after: Micros) -> When {
        let disk =
            [Moment::Accepts, Moment::Votes, Moment::Writes, Moment::Operates, Moment::Stores];
        let lead = [Moment::Appends, Moment::Leads, Moment::Asks, Moment::Accepts, Moment::Votes];
        let read = [Moment::Asks, Moment::Appends, Moment::Leads];
        let moment = match self.profile {
            Profile::Swarm | Profile::Rush | Profile::Patient => self.pick(Moment::ALL),
            Profile::Durable => self.pick(&disk),
            Profile::Leaders => self.pick(&lead),
            Profile::Stale => self.pick(&read),
        };
        let most = match moment {
            Moment::Leads | Moment::Starts => 1,
            Moment::Votes => 2,
            Moment::Asks | Moment::Stores => 4,
            Moment::Accepts
            | Moment::Appends
            | Moment::Writes
            | Moment::Syncs
            | Moment::Applies => 12,
            Moment::Operates => 30,
        };
        let who = match moment {
            Moment::Leads | Moment::Appends => Who::Leader,
            Moment::Asks => self.pick(&[Who::Leader, Who::Leader, Who::Anyone]),
            Moment::Accepts
            | Moment::Votes
            | Moment::Writes
            | Moment::Operates
            | Moment::Syncs
            | Moment::Applies
            | Moment::Stores
            | Moment::Starts => match self.random.below(4) {
                0 => Who::Leader,
                1 => Who::Anyone,
                _ => Who::Member(self.member()),
            },
        };
        When::Nth { who, moment, nth: self.between(1, most) as u32, after }
    }

    /// One of `low..=high`.
    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.random.below(high.saturating_sub(low) + 1)
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.random.below(all.len() as u64) as usize]
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.random.below(100) < percent
    }
}
