//! What a fault does, when it begins and when it ends.
//!
//! ```text
//!   at its time ----------------------------+
//!   the n-th time that something happens ---+--> targets --> begins .. lasts .. ends
//! ```
//! A moment of the protocol is reported from where it happens, in the middle of a turn, so that a
//! crash can come between two messages of one round or between a write and its sync.
//!
//! Not here: which faults a seed draws (`plan/draw.rs`).

use std::fmt;

use super::clients::Reply;
use super::desk::Item;
use super::host::{Life, Stage};
use super::liveness::Phase;
use super::{Change, Event, Name, World};
use crate::counters::Counter;
use crate::plan::{Actor, Direction, Fault, Flight, Moment, Plan, Target, What, When, Who};

/// The faults of a run, by their place in the plan.
#[derive(Debug)]
pub struct Faults {
    /// Those that wait for a moment, and how often it came already.
    aimed: Vec<(usize, u32)>,
    active: Vec<Active>,
}

/// A fault in force.
#[derive(Debug)]
struct Active {
    place: usize,
    /// Whom it hit, in which life.
    targets: Vec<(usize, u64)>,
    links: Vec<(usize, usize)>,
}

impl Faults {
    pub fn new(plan: &Plan) -> Self {
        let aimed = |(place, fault): (usize, &Fault)| match fault.when {
            When::Nth { .. } => Some((place, 0)),
            When::At(_) => None,
        };
        Self {
            aimed: plan.faults.iter().enumerate().filter_map(aimed).collect(),
            active: Vec::new(),
        }
    }
}

impl World {
    pub(super) fn schedule_faults(&mut self) {
        for place in 0..self.plan.faults.len() {
            if let When::At(time) = self.plan.faults[place].when {
                self.at(time, Event::Fault { place });
            }
        }
    }

    /// Something happened to a member that a fault may aim at.
    pub(super) fn moment(&mut self, at: usize, what: Moment) {
        let mut due = Vec::new();
        for (place, count) in &mut self.faults.aimed {
            let When::Nth { who, moment, nth, after } = self.plan.faults[*place].when else {
                continue;
            };
            if moment != what || self.now < after || *count >= nth {
                continue;
            }
            let concerned = match who {
                Who::Anyone => true,
                Who::Member(member) => usize::from(member) == at + 1,
                Who::Leader => self.hosts[at].leads(),
            };
            *count += u32::from(concerned);
            if concerned && *count == nth {
                due.push(*place);
            }
        }
        for place in due {
            self.counters.count(Counter::AimedFaults);
            self.begin_fault(place, Some(at));
        }
    }

    /// A fault strikes. `it` is the member whose moment it was.
    pub(super) fn begin_fault(&mut self, place: usize, it: Option<usize>) {
        if self.phase != Phase::Safety {
            return;
        }
        let fault = self.plan.faults[place].clone();
        let targets = self.targets(fault.what.target(), it);
        self.trace.event(self.now, format_args!("begin {fault}{}", Hits(&targets)));
        let mut active = Active { place, targets: Vec::new(), links: Vec::new() };
        active.targets.extend(targets.iter().map(|at| (*at, self.hosts[*at].boots)));
        active.links = self.links(&fault.what, &targets);
        self.strike(fault.id, &fault.what, &targets, &active.links);
        self.faults.active.push(active);
        self.after(fault.lasts, Event::Relief { place });
    }

    fn strike(&mut self, id: u32, what: &What, targets: &[usize], links: &[(usize, usize)]) {
        match what {
            What::Crash(_) => targets.iter().for_each(|at| self.crash(*at, false)),
            What::PowerLoss(_) => targets.iter().for_each(|at| self.crash(*at, true)),
            What::Pause(_) => {
                self.counters.add(Counter::Pauses, targets.len() as u64);
                targets.iter().for_each(|at| self.hold_all(*at, true));
            }
            What::Stall(_, actor) => {
                self.counters.add(Counter::Stalls, targets.len() as u64);
                targets.iter().for_each(|at| self.hold(*at, *actor, true));
            }
            What::SlowDisk(_, times) => {
                self.counters.add(Counter::SlowDisks, targets.len() as u64);
                targets.iter().for_each(|at| self.hosts[*at].slow.push((id, u64::from(*times))));
            }
            What::FailingDisk(_) => targets.iter().for_each(|at| self.hosts[*at].failing.push(id)),
            What::FullDisk(_) => targets.iter().for_each(|at| self.hosts[*at].full.push(id)),
            What::Rot(_, shelf) => targets.iter().for_each(|at| self.rot(*at, *shelf, id)),
            What::Isolate { flight, .. } | What::Cut(_, flight) => self.cut(links, *flight),
            What::Loss(target, _)
            | What::Duplicate(target, _)
            | What::Reorder(target, ..)
            | What::Delay(target, ..) => {
                let one = (*target != Target::All).then(|| targets.first().copied());
                // A target that nobody fits means no weather, not weather for all.
                if one != Some(None) {
                    self.network.worsen(id, what, one.flatten());
                }
            }
            What::Drift(_, ppm) => self.drift(targets, *ppm),
            What::Jump(_, by) => self.jump(targets, *by),
        }
    }

    /// A fault is over.
    pub(super) fn end_fault(&mut self, place: usize) {
        let Some(found) = self.faults.active.iter().position(|active| active.place == place) else {
            return;
        };
        let active = self.faults.active.swap_remove(found);
        let fault = self.plan.faults[place].clone();
        self.trace.event(self.now, format_args!("end fault {}", fault.id));
        let hit = active.targets.iter().map(|(at, _)| *at).collect::<Vec<_>>();
        let same_life = |(at, boot): &(usize, u64)| (self.hosts[*at].boots == *boot).then_some(*at);
        let survivors: Vec<usize> = active.targets.iter().filter_map(same_life).collect();
        match fault.what {
            What::FailingDisk(_) | What::FullDisk(_) => hit.iter().for_each(|at| {
                self.hosts[*at].failing.retain(|id| *id != fault.id);
                self.hosts[*at].full.retain(|id| *id != fault.id);
                self.at(self.now, Event::Start { host: *at });
            }),
            What::Crash(_) | What::PowerLoss(_) | What::Rot(..) => {
                hit.iter().for_each(|at| self.at(self.now, Event::Start { host: *at }));
            }
            What::Pause(_) => survivors.iter().for_each(|at| self.hold_all(*at, false)),
            What::Stall(_, actor) => survivors.iter().for_each(|at| self.hold(*at, actor, false)),
            What::SlowDisk(..) => hit.iter().for_each(|at| {
                self.hosts[*at].slow.retain(|(id, _)| *id != fault.id);
                self.hurry_log(*at);
            }),
            What::Isolate { .. } | What::Cut(..) => self.network.cut(&active.links, false),
            What::Loss(..) | What::Duplicate(..) | What::Reorder(..) | What::Delay(..) => {
                self.network.clear(fault.id);
            }
            What::Drift(..) => self.drift(&hit, 0),
            What::Jump(..) => {}
        }
    }

    /// Everything that is wrong ends: members that are down come back.
    pub(super) fn end_all_faults(&mut self) {
        for place in self.faults.active.iter().map(|active| active.place).collect::<Vec<_>>() {
            self.end_fault(place);
        }
        self.faults.aimed.clear();
        self.network.heal();
        for host in 0..self.hosts.len() {
            self.at(self.now, Event::Start { host });
        }
    }

    fn targets(&self, target: Option<Target>, it: Option<usize>) -> Vec<usize> {
        let all = 0..self.hosts.len();
        match target {
            None => Vec::new(),
            Some(Target::All) => all.collect(),
            Some(Target::It) => it.into_iter().collect(),
            Some(Target::Leader) => self.leader().into_iter().collect(),
            Some(Target::Member(member)) => {
                all.filter(|at| at + 1 == usize::from(member)).collect()
            }
        }
    }

    /// The links that a cut concerns.
    fn links(&self, what: &What, targets: &[usize]) -> Vec<(usize, usize)> {
        let members = self.hosts.len();
        match what {
            What::Cut(links, _) => {
                let places = links.iter().map(|(from, to)| (usize::from(*from), usize::from(*to)));
                let known = places.filter(|(from, to)| {
                    (1..=members).contains(from) && (1..=members).contains(to)
                });
                known.map(|(from, to)| (from - 1, to - 1)).collect()
            }
            What::Isolate { with, direction, .. } => {
                let Some(first) = targets.first() else { return Vec::new() };
                let inside: Vec<usize> =
                    (0..=usize::from(*with)).map(|step| (first + step) % members).collect();
                border(members, &inside, *direction)
            }
            What::Crash(_)
            | What::PowerLoss(_)
            | What::Pause(_)
            | What::Stall(..)
            | What::SlowDisk(..)
            | What::FailingDisk(_)
            | What::FullDisk(_)
            | What::Rot(..)
            | What::Loss(..)
            | What::Duplicate(..)
            | What::Reorder(..)
            | What::Delay(..)
            | What::Drift(..)
            | What::Jump(..) => Vec::new(),
        }
    }

    fn cut(&mut self, links: &[(usize, usize)], flight: Flight) {
        self.network.cut(links, true);
        if flight == Flight::Drops {
            let dropped = self.network.drop_in_flight(links);
            self.counters.add(Counter::CutInFlight, dropped);
        }
        if links.is_empty() {
            return;
        }
        self.counters.count(Counter::Cuts);
        let mutual = links.iter().all(|(from, to)| links.contains(&(*to, *from)));
        self.counters.add(Counter::OneWayCuts, u64::from(!mutual));
        self.counters.add(Counter::PartialCuts, u64::from(is_partial(self.hosts.len(), links)));
    }

    /// The process is gone: its inboxes, its plans, everybody who waited for it.
    pub(super) fn crash(&mut self, at: usize, power: bool) {
        let fate = self.fate("crash").of(at as u64).of(self.hosts[at].boots);
        let host = &mut self.hosts[at];
        let Some(life) = host.life.take() else { return };
        self.changes.push(Change::Killed(at));
        let what = if power { "loses power" } else { "is killed" };
        self.trace.event(self.now, format_args!("{} {what}", Name(at)));
        self.counters.count(if power { Counter::PowerLosses } else { Counter::Crashes });
        if let Some(op) = life.ops.front() {
            host.disk.interrupt(op, fate.named("interrupt"));
        }
        if let Some(op) = life.shelf_op() {
            host.snap.interrupt(op, fate.named("interrupt shelf"));
        }
        if power {
            let outage = host.disk.lose_power(fate.named("disk"));
            self.counters.add(Counter::SectorsLost, outage.lost);
            self.counters.add(Counter::SectorsKept, outage.kept);
            self.counters.add(Counter::NamesLost, outage.names);
            host.snap.lose_power(fate.named("shelf"));
        }
        let gone = host.vault.crash(fate.named("vault"), power);
        self.counters.add(Counter::Fallbacks, u64::from(gone > 0));
        if let Stage::Running(running) = &life.stage {
            let cut = running.store.has_to_sweep();
            self.counters.add(Counter::SweepsCut, u64::from(cut));
        }
        self.break_streams(at);
        self.hang_up(life);
    }

    fn hang_up(&mut self, life: Life) {
        match life.stage {
            Stage::Founding | Stage::Repairing(_) => self.counters.count(Counter::StartCrashes),
            Stage::Running(mut running) => {
                let waiting = running.waiters.take_all();
                let desk = running.desk.drain(..).map(Item::into_ticket);
                for ticket in waiting.into_iter().chain(desk).collect::<Vec<_>>() {
                    self.reply(&ticket, Reply::Lost);
                }
            }
        }
    }

    fn hold_all(&mut self, at: usize, on: bool) {
        Actor::ALL.iter().for_each(|actor| self.hold(at, *actor, on));
    }

    fn hold(&mut self, at: usize, actor: Actor, on: bool) {
        let make_up = self.hosts[at].hold(actor, on, self.now);
        if make_up {
            self.wake(at, actor);
        }
        if !on && actor == Actor::Consensus && !self.hosts[at].is_still(actor) {
            self.set_alarm(at);
        }
    }

    fn drift(&mut self, targets: &[usize], ppm: i64) {
        for at in targets {
            self.counters.add(Counter::ClockDrifts, u64::from(ppm != 0));
            self.hosts[*at].clock.set_rate(self.now, ppm);
            self.set_alarm(*at);
        }
    }

    fn jump(&mut self, targets: &[usize], by: i64) {
        for at in targets {
            self.counters.count(Counter::ClockJumps);
            self.hosts[*at].clock.jump(self.now, by);
            self.set_alarm(*at);
        }
    }
}

/// Whom a fault hits, as the end of its line.
struct Hits<'a>(&'a [usize]);

impl fmt::Display for Hits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lead = ", hits";
        self.0.iter().try_for_each(|at| write!(f, "{} {}", std::mem::take(&mut lead), Name(*at)))
    }
}

impl What {
    /// Whom it hits; none for a cut, which names links.
    fn target(&self) -> Option<Target> {
        match self {
            Self::Crash(target)
            | Self::PowerLoss(target)
            | Self::Pause(target)
            | Self::Stall(target, _)
            | Self::SlowDisk(target, _)
            | Self::FailingDisk(target)
            | Self::FullDisk(target)
            | Self::Rot(target, _)
            | Self::Isolate { target, .. }
            | Self::Loss(target, _)
            | Self::Duplicate(target, _)
            | Self::Reorder(target, ..)
            | Self::Delay(target, ..)
            | Self::Drift(target, _)
            | Self::Jump(target, _) => Some(*target),
            Self::Cut(..) => None,
        }
    }
}

/// The links between some members and all others.
pub(super) fn border(
    members: usize,
    inside: &[usize],
    direction: Direction,
) -> Vec<(usize, usize)> {
    let outside = (0..members).filter(|at| !inside.contains(at));
    let mut links = Vec::new();
    for out in outside {
        for within in inside {
            match direction {
                Direction::Both => links.extend([(*within, out), (out, *within)]),
                Direction::Out => links.push((*within, out)),
                Direction::In => links.push((out, *within)),
            }
        }
    }
    links
}

/// Whether two members that cannot talk can both still talk to a third.
fn is_partial(members: usize, links: &[(usize, usize)]) -> bool {
    let open = |one, other| !links.contains(&(one, other)) && !links.contains(&(other, one));
    links.iter().any(|(from, to)| {
        (0..members)
            .any(|third| third != *from && third != *to && open(third, *from) && open(third, *to))
    })
}
