//! What goes wrong in a run: the kinds that it has, and how strong they are.
//!
//! Not here: the schedule of figure 8 (`eight.rs`).

use super::{Draw, Profile};
use crate::clock::{FROZEN, MILLI, Micros, SECOND};
use crate::plan::{Actor, Direction, Fault, Flight, Moment, Shelf, Target, What, When, Who};

/// A kind of fault that a run may include.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Crash,
    PowerLoss,
    Outage,
    Pause,
    Stall,
    SlowDisk,
    SlowDisks,
    FailingDisk,
    FullDisk,
    Rot,
    Restart,
    Isolate,
    Split,
    Blackout,
    Absence,
    Loss,
    Duplicate,
    Reorder,
    /// What was said twice is heard again much later.
    Echoes,
    Delay,
    Drift,
    Freeze,
    Jump,
    AimedCrash,
    AimedPower,
    AimedCut,
    AimedPause,
    AimedStall,
}

/// What a swarm is drawn from.
const SWARM: [Kind; 24] = [
    Kind::Crash,
    Kind::PowerLoss,
    Kind::Outage,
    Kind::Pause,
    Kind::Stall,
    Kind::SlowDisk,
    Kind::FailingDisk,
    Kind::FullDisk,
    Kind::Rot,
    Kind::Restart,
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
    Kind::AimedStall,
];

impl Draw {
    pub(super) fn faults(&mut self) {
        if self.profile == Profile::Eight {
            self.eight();
        }
        if self.profile == Profile::Behind && self.settings.members > 3 && self.chance(40) {
            return self.second_snapshots();
        }
        let kinds = self.kinds();
        let gap = self.pick(&[300, 600, 1200]) * MILLI;
        let mut at = self.between(200, 1500) * MILLI;
        while at < self.settings.duration && !kinds.is_empty() {
            let kind = self.pick(&kinds);
            self.fault(kind, at);
            at += self.span(gap / 4, 2 * gap);
        }
    }

    /// Which kinds of faults this run has.
    fn kinds(&mut self) -> Vec<Kind> {
        let (mut kinds, share) = match self.profile {
            Profile::Swarm => (Vec::new(), self.pick(&[15, 30, 50])),
            Profile::Durable => (vec![Kind::AimedPower, Kind::AimedPower, Kind::Outage], 12),
            Profile::Leaders => {
                let kinds = [Kind::AimedCut, Kind::AimedCut, Kind::AimedCrash];
                ([&kinds[..], &[Kind::Echoes, Kind::AimedStall]].concat(), 12)
            }
            Profile::Stale => {
                let kinds = [Kind::Isolate, Kind::AimedCut, Kind::AimedPause, Kind::Drift];
                ([&kinds[..], &[Kind::Reorder]].concat(), 12)
            }
            Profile::Eight => (Vec::new(), 6),
            Profile::Rush => (Vec::new(), 20),
            Profile::Patient => (vec![Kind::Blackout], 10),
            Profile::Leases => {
                let kinds = [Kind::AimedStall, Kind::AimedPause, Kind::Isolate];
                ([&kinds[..], &[Kind::SlowDisks; 3]].concat(), 8)
            }
            Profile::Behind => {
                let kinds = [
                    Kind::Absence,
                    Kind::AimedCrash,
                    Kind::AimedPower,
                    Kind::AimedCut,
                    Kind::AimedStall,
                ];
                (kinds.to_vec(), 8)
            }
        };
        kinds.extend(SWARM.into_iter().filter(|_| self.chance(share)));
        kinds
    }

    fn fault(&mut self, kind: Kind, at: Micros) {
        let election = self.settings.election;
        let short = self.span(election / 4, 2 * election);
        let long = self.span(election, 6 * election);
        let whom = self.target();
        let (when, lasts, what) = match kind {
            Kind::Crash => (When::At(at), short, What::Crash(whom)),
            Kind::PowerLoss => (When::At(at), short, What::PowerLoss(whom)),
            Kind::Outage => (When::At(at), short, What::PowerLoss(Target::All)),
            Kind::Pause => (When::At(at), long, What::Pause(whom)),
            Kind::Stall => (When::At(at), long, What::Stall(whom, self.pick(Actor::ALL))),
            Kind::SlowDisk => (When::At(at), long, What::SlowDisk(whom, self.pick(&[3, 10, 30]))),
            Kind::SlowDisks => {
                (When::At(at), long, What::SlowDisk(Target::All, self.pick(&[10, 30, 100])))
            }
            Kind::FailingDisk => (When::At(at), long, What::FailingDisk(whom)),
            Kind::FullDisk => (When::At(at), long, What::FullDisk(whom)),
            Kind::Rot => (When::At(at), short, What::Rot(whom, Shelf::Log)),
            Kind::Restart => (When::At(at), short, What::Crash(Target::All)),
            Kind::Isolate => (When::At(at), long, self.isolate(whom)),
            Kind::Split => (When::At(at), long, self.split()),
            Kind::Blackout => (When::At(at), self.between(5, 8) * SECOND, self.isolate(whom)),
            Kind::Absence => {
                let whom = Target::Member(self.member());
                let what = self.pick(&[What::Crash(whom), What::PowerLoss(whom)]);
                let what = if self.chance(50) { what } else { self.isolate(whom) };
                (When::At(at), self.span(500 * MILLI, 2 * SECOND), what)
            }
            Kind::Loss => self.weather(at, 300_000, |target, rate, _| What::Loss(target, rate)),
            Kind::Duplicate => {
                self.weather(at, 500_000, |target, rate, _| What::Duplicate(target, rate))
            }
            Kind::Reorder => self.weather(at, 500_000, What::Reorder),
            Kind::Echoes => {
                let lasts = self.span(election, 4 * SECOND);
                self.add(When::At(at), lasts, What::Duplicate(Target::All, 500_000));
                let late = self.span(election / 4, 2 * election);
                (When::At(at), lasts, What::Reorder(Target::All, 200_000, late))
            }
            Kind::Delay => self.weather(at, 200_000, What::Delay),
            Kind::Drift => {
                let ppm = 100 * self.either_sign(10, 2_000);
                (When::At(at), self.span(election, 4 * SECOND), What::Drift(whom, ppm))
            }
            Kind::Freeze => {
                (When::At(at), self.span(election, 4 * SECOND), What::Drift(whom, FROZEN))
            }
            Kind::Jump => {
                let by = MILLI as i64 * self.either_sign(20, 10_000);
                (When::At(at), short, What::Jump(whom, by))
            }
            Kind::AimedCrash => (self.moment(at), short, What::Crash(Target::It)),
            Kind::AimedPower => (self.moment(at), short, self.power()),
            Kind::AimedCut => (self.moment(at), long, self.isolate(Target::It)),
            Kind::AimedPause => (self.moment(at), long, What::Pause(Target::It)),
            Kind::AimedStall => (self.moment(at), long, self.stall()),
        };
        self.add(when, lasts, what);
    }

    pub(super) fn add(&mut self, when: When, lasts: Micros, what: What) {
        let id = self.faults.len() as u32 + 1;
        self.faults.push(Fault { id, when, lasts, what });
    }

    fn target(&mut self) -> Target {
        let leader = match self.profile {
            Profile::Swarm | Profile::Durable | Profile::Rush | Profile::Behind => 30,
            Profile::Leaders
            | Profile::Stale
            | Profile::Eight
            | Profile::Leases
            | Profile::Patient => 75,
        };
        if self.chance(leader) { Target::Leader } else { Target::Member(self.member()) }
    }

    pub(super) fn member(&mut self) -> u8 {
        self.random.below(self.settings.members) as u8 + 1
    }

    /// What lags where it hurts: what applies, for leases; what keeps and replaces, for snapshots.
    fn stall(&mut self) -> What {
        let actor = match self.profile {
            Profile::Leases => self.pick(&[Actor::Applier, Actor::Applier, Actor::Log]),
            Profile::Behind => self.pick(&[Actor::Storage, Actor::Storage, Actor::Courier]),
            Profile::Swarm
            | Profile::Durable
            | Profile::Leaders
            | Profile::Stale
            | Profile::Eight
            | Profile::Rush
            | Profile::Patient => self.pick(Actor::ALL),
        };
        What::Stall(Target::It, actor)
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
        // An answer that is late by as much may meet the next question.
        let stale = self.profile == Profile::Stale;
        let by = self.span(MILLI, if stale { 1500 * MILLI } else { self.settings.election });
        let lasts = self.span(self.settings.election, 4 * SECOND);
        (When::At(at), lasts, make(target, rate, by))
    }

    pub(super) fn either_sign(&mut self, low: u64, high: u64) -> i64 {
        let size = self.between(low, high) as i64;
        if self.chance(50) { -size } else { size }
    }

    /// A moment from `after` on, rare ones soon and frequent ones at some time.
    fn moment(&mut self, after: Micros) -> When {
        let disk =
            [Moment::Accepts, Moment::Votes, Moment::Writes, Moment::Operates, Moment::Stores];
        let lead = [Moment::Appends, Moment::Leads, Moment::Asks, Moment::Accepts, Moment::Votes];
        let read = [Moment::Asks, Moment::Appends, Moment::Leads];
        let lease = [Moment::Applies, Moment::Commits, Moment::Appends, Moment::Leads];
        let snapshot = [
            Moment::Keeps,
            Moment::Installs,
            Moment::Installs,
            Moment::Operates,
            Moment::Stores,
            Moment::Starts,
        ];
        let moment = match self.profile {
            Profile::Swarm | Profile::Eight | Profile::Rush | Profile::Patient => {
                self.pick(Moment::ALL)
            }
            Profile::Durable => self.pick(&disk),
            Profile::Leaders => self.pick(&lead),
            Profile::Stale => self.pick(&read),
            Profile::Leases => self.pick(&lease),
            Profile::Behind => self.pick(&snapshot),
        };
        let most = match moment {
            Moment::Leads | Moment::Starts | Moment::Installs | Moment::Compacts => 1,
            Moment::Votes => 2,
            Moment::Keeps => 6,
            Moment::Asks | Moment::Stores | Moment::Sweeps | Moment::CatchesUp => 4,
            Moment::Accepts
            | Moment::Commits
            | Moment::Appends
            | Moment::Writes
            | Moment::Syncs
            | Moment::Applies => 12,
            Moment::Operates => 30,
        };
        let who = match moment {
            Moment::Leads | Moment::Appends | Moment::Commits => Who::Leader,
            Moment::Asks => self.pick(&[Who::Leader, Who::Leader, Who::Anyone]),
            Moment::Keeps | Moment::Installs => Who::Anyone,
            Moment::Accepts
            | Moment::Votes
            | Moment::Writes
            | Moment::Operates
            | Moment::Syncs
            | Moment::Applies
            | Moment::Stores
            | Moment::Compacts
            | Moment::Sweeps
            | Moment::CatchesUp
            | Moment::Starts => match self.random.below(4) {
                0 => Who::Leader,
                1 => Who::Anyone,
                _ => Who::Member(self.member()),
            },
        };
        When::Nth { who, moment, nth: self.between(1, most) as u32, after }
    }
}
