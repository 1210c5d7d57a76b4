//! From a seed to a plan, swarm style: every run leaves most kinds of faults out.
//!
//! ```text
//!   seed --> profile   Swarm    any subset of faults, any strength
//!                      Durable  power losses at moments of the disk, long values, old copies
//!                      Leaders  leaders cut off right after they appended, and crashed
//!                      Stale    leaders cut off, paused, with slow clocks, and asked to read
//!        --> settings, faults, operations
//! ```
//! Uniformly timed crashes find no missing sync; leaders that are never deposed serve no stale
//! read. So faults aim at moments, and some profiles aim at what history shows to be weak.
//! Leaving kinds out finds more than having all of them a little (swarm testing).
//!
//! Not here: how long a run goes on after its faults (`world/liveness.rs`).

use quorate_core::random::Random;

use super::{
    Actor, Direction, Fault, Flight, Keys, Moment, Op, Plan, Range, Request, Settings, Target,
    What, When, Who,
};
use crate::clock::{FROZEN, MILLI, Micros, SECOND};

/// Client operations in a second, all clients together.
const RATE: u64 = 20;

/// What a run is after.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Profile {
    Swarm,
    Durable,
    Leaders,
    Stale,
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
        0..50 => Profile::Swarm,
        50..70 => Profile::Durable,
        70..85 => Profile::Leaders,
        _ => Profile::Stale,
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
            Profile::Stale => self.pick(&[3, 3, 3, 5]),
        };
        let heartbeat = self.pick(&[20, 30, 50]) * MILLI;
        let latency = self.between(100, 3 * MILLI);
        let seed = self.settings.seed;
        self.settings = Settings {
            seed,
            members,
            duration: self.between(6, 10) * SECOND,
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
            clients: self.between(3, 8),
            patience: self.between(300, 2000) * MILLI,
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

    /// Which kinds of faults this run has.
    fn kinds(&mut self) -> Vec<Kind> {
        let mut kinds: Vec<Kind> = match self.profile {
            Profile::Swarm => Vec::new(),
            Profile::Durable => vec![Kind::AimedPower, Kind::AimedPower, Kind::Outage],
            Profile::Leaders => vec![Kind::AimedCut, Kind::AimedCut, Kind::AimedCrash],
            Profile::Stale => vec![Kind::Isolate, Kind::AimedCut, Kind::AimedPause, Kind::Drift],
        };
        let share = if self.profile == Profile::Swarm { self.pick(&[15, 30, 50]) } else { 12 };
        for kind in SWARM {
            if self.chance(share) {
                kinds.push(kind);
            }
        }
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
            Kind::SlowDisk => (When::At(at), long, What::SlowDisk(whom, self.pick(&[3, 10, 100]))),
            Kind::Isolate => (When::At(at), long, self.isolate(whom)),
            Kind::Split => (When::At(at), long, self.split()),
            Kind::Loss | Kind::Duplicate | Kind::Reorder | Kind::Delay => {
                (When::At(at), self.between(election, 4 * SECOND), self.weather(kind))
            }
            Kind::Drift | Kind::Freeze | Kind::Jump => self.clock(kind, at, whom),
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
            Profile::Swarm | Profile::Durable => 30,
            Profile::Leaders | Profile::Stale => 75,
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

    fn weather(&mut self, kind: Kind) -> What {
        let target = if self.chance(50) { Target::All } else { Target::Member(self.member()) };
        let rate = self.pick(&[10_000, 50_000, 200_000, 500_000]);
        let by = self.between(MILLI, self.settings.election);
        match kind {
            Kind::Loss => What::Loss(target, rate.min(300_000)),
            Kind::Duplicate => What::Duplicate(target, rate),
            Kind::Reorder => What::Reorder(target, rate, by),
            _ => What::Delay(target, rate.min(200_000), by),
        }
    }

    fn clock(&mut self, kind: Kind, at: Micros, whom: Target) -> (When, Micros, What) {
        let lasts = self.between(self.settings.election, 4 * SECOND);
        let what = match kind {
            Kind::Drift => {
                let ppm = self.between(1_000, 200_000) as i64;
                What::Drift(whom, if self.chance(60) { -ppm } else { ppm })
            }
            Kind::Freeze => What::Drift(whom, FROZEN),
            _ => {
                let by = self.between(20 * MILLI, 10 * SECOND) as i64;
                What::Jump(whom, if self.chance(50) { -by } else { by })
            }
        };
        (When::At(at), lasts, what)
    }

    /// A moment from `after` on, rare ones soon and frequent ones at some time.
    fn moment(&mut self, after: Micros) -> When {
        let disk =
            [Moment::Accepts, Moment::Votes, Moment::Writes, Moment::Operates, Moment::Stores];
        let lead = [Moment::Appends, Moment::Leads, Moment::Asks, Moment::Accepts, Moment::Votes];
        let read = [Moment::Asks, Moment::Appends, Moment::Leads];
        let moment = match self.profile {
            Profile::Swarm => self.pick(Moment::ALL),
            Profile::Durable => self.pick(&disk),
            Profile::Leaders => self.pick(&lead),
            Profile::Stale => self.pick(&read),
        };
        let most = match moment {
            Moment::Leads | Moment::Starts => 1,
            Moment::Votes => 2,
            Moment::Asks | Moment::Stores => 4,
            Moment::Accepts | Moment::Appends | Moment::Writes | Moment::Syncs => 12,
            Moment::Applies => 12,
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

    fn ops(&mut self) -> Vec<Op> {
        let think = 2 * self.settings.clients * SECOND / RATE;
        let keys = self.between(2, 10) as u8;
        let long = self.profile == Profile::Durable || self.chance(25);
        let mut ops = Vec::new();
        for client in 0..self.settings.clients as u8 {
            let mut at = 0;
            while at < self.settings.duration {
                let think = self.between(MILLI, think);
                at += think;
                let request = self.request(keys, long);
                ops.push((at, Op { number: 0, client, think, request }));
            }
        }
        // Numbered in the order in which they would be asked if every answer came at once.
        ops.sort_by_key(|(at, _)| *at);
        let numbered =
            |(place, (_, op)): (usize, (Micros, Op))| Op { number: place as u32 + 1, ..op };
        ops.into_iter().enumerate().map(numbered).collect()
    }

    fn request(&mut self, keys: u8, long: bool) -> Request {
        let reads = if self.profile == Profile::Stale { 50 } else { 30 };
        match self.random.below(100) {
            roll if roll < reads => self.range(keys, false, None),
            roll if roll < reads + 10 => self.range(keys, true, None),
            roll if roll < reads + 15 => {
                let back = self.between(0, 12) as u32;
                let serializable = self.chance(30);
                self.range(keys, serializable, Some(back))
            }
            roll if roll < reads + 22 => {
                Request::Delete { keys: self.keys(keys), prev: self.chance(50) }
            }
            _ => {
                let size = if long { self.pick(&[8, 300, 1500, 1500, 6000]) } else { 8 };
                Request::Put {
                    key: self.random.below(u64::from(keys)) as u8,
                    size,
                    prev: self.chance(30),
                }
            }
        }
    }

    fn range(&mut self, keys: u8, serializable: bool, back: Option<u32>) -> Request {
        let limit = if self.chance(25) { self.between(1, 4) as u32 } else { 0 };
        Request::Range(Range { keys: self.keys(keys), limit, back, serializable })
    }

    fn keys(&mut self, keys: u8) -> Keys {
        let first = self.random.below(u64::from(keys)) as u8;
        match self.random.below(10) {
            0..6 => Keys::One(first),
            6..9 => Keys::Span(first, first + 1 + self.random.below(u64::from(keys)) as u8),
            _ => Keys::From(first),
        }
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
