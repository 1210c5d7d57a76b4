//! Links between members: they lose, repeat, delay and reorder, and they can be cut.
//!
//! ```text
//!   envelope --encode--> cut? lost? how late? twice? --> in flight --> decode --> inbox
//!                         ^  fate of (link, kind, term, index, copy)
//! ```
//! A message is known by what it says, not by when it was sent: the link, its kind, its term, the
//! index or round that it speaks of, and a count of messages that are alike in all that. Each kind
//! of bad weather rolls for itself, so that taking one away leaves the others' decisions alone.
//! Without bad weather a link keeps order, as a TCP connection does.
//!
//! Invariants:
//! - N1. A message's fate depends on the seed, its identity and the weather on its link.
//! - N2. What arrives is what was sent: it went through the codec as bytes.
//!
//! Not here: who is cut from whom, and when (`world/faults.rs`).

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use quorate_core::raft::{Envelope, Message};

use crate::clock::{MILLI, Micros};
use crate::counters::{Counter, Counters};
use crate::fate::Fate;
use crate::plan::{Settings, What};

/// A message under way, by the place where it is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flight(u32);

/// Bad weather of one fault, on the links of one member or on all.
#[derive(Clone, Copy, Debug)]
struct Weather {
    fault: u32,
    member: Option<usize>,
    kind: Kind,
    rate: u32,
    by: Micros,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Loss,
    Duplicate,
    Reorder,
    Delay,
}

/// What chance makes of one message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Treatment {
    lost: bool,
    /// On top of the way; all behind it wait too.
    delay: Micros,
    /// On top of the way; what is behind it overtakes.
    detour: Option<Micros>,
    /// A second copy, so much later.
    echo: Option<Micros>,
}

struct Airborne {
    from: usize,
    to: usize,
    /// Gone if a cut took it.
    bytes: Option<Vec<u8>>,
}

/// The links of one cluster. Members are counted from 0 here.
pub struct Network {
    fate: Fate,
    members: usize,
    latency: Micros,
    jitter: Micros,
    /// Cuts in force, by link.
    cuts: Vec<u32>,
    weather: Vec<Weather>,
    /// How many messages of an identity there were.
    copies: HashMap<u64, u32, BuildHasherDefault<Given>>,
    /// When the last message in order arrives, by link.
    busy: Vec<Micros>,
    flights: Vec<Option<Airborne>>,
    free: Vec<u32>,
}

impl Network {
    /// Fair weather.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let members = settings.members as usize;
        Self {
            fate: Fate::new(settings.seed, "link"),
            members,
            latency: settings.latency,
            jitter: settings.jitter,
            cuts: vec![0; members * members],
            weather: Vec::new(),
            copies: HashMap::default(),
            busy: vec![0; members * members],
            flights: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Sends a message; `schedule` gets its arrivals.
    pub fn send(
        &mut self,
        now: Micros,
        envelope: &Envelope,
        counters: &mut Counters,
        schedule: &mut impl FnMut(Micros, Flight),
    ) {
        let (from, to) = (envelope.from.0 as usize - 1, envelope.to.0 as usize - 1);
        let fate = self.next_fate(envelope);
        counters.count(Counter::Sent);
        if self.cuts[self.link(from, to)] > 0 {
            return counters.count(Counter::CutOff);
        }
        let treatment = self.treatment(fate, from, to);
        if treatment.lost {
            return counters.count(Counter::Lost);
        }
        let at = self.arrival(now, fate, self.link(from, to), treatment, counters);
        schedule(at, self.take_off(envelope, from, to));
        if let Some(later) = treatment.echo {
            counters.count(Counter::Duplicated);
            schedule(at + later, self.take_off(envelope, from, to));
        }
    }

    /// A message's way is over. None: a cut took it.
    pub fn land(&mut self, flight: Flight) -> Option<Envelope> {
        let airborne = self.flights[flight.0 as usize].take();
        self.free.push(flight.0);
        let bytes = airborne.expect("a flight lands once").bytes?;
        let envelope = Envelope::decode(&bytes);
        Some(envelope.unwrap_or_else(|error| panic!("N2: an envelope does not decode: {error:?}")))
    }

    /// Cuts links, or mends what that cut did.
    pub fn cut(&mut self, links: &[(usize, usize)], on: bool) {
        for &(from, to) in links {
            let link = self.link(from, to);
            self.cuts[link] = if on { self.cuts[link] + 1 } else { self.cuts[link] - 1 };
        }
    }

    /// Takes what is under way on these links. Returns how much that was.
    pub fn drop_in_flight(&mut self, links: &[(usize, usize)]) -> u64 {
        let mut taken = 0;
        for airborne in self.flights.iter_mut().flatten() {
            if links.contains(&(airborne.from, airborne.to)) && airborne.bytes.take().is_some() {
                taken += 1;
            }
        }
        taken
    }

    /// The weather of a fault begins. `member` none: on all links. Whether it is weather at all.
    pub fn worsen(&mut self, fault: u32, what: &What, member: Option<usize>) -> bool {
        let (kind, rate, by) = match *what {
            What::Loss(_, rate) => (Kind::Loss, rate, 0),
            What::Duplicate(_, rate) => (Kind::Duplicate, rate, 0),
            What::Reorder(_, rate, by) => (Kind::Reorder, rate, by),
            What::Delay(_, rate, by) => (Kind::Delay, rate, by),
            What::Crash(_)
            | What::PowerLoss(_)
            | What::Pause(_)
            | What::Stall(..)
            | What::SlowDisk(..)
            | What::FailingDisk(_)
            | What::FullDisk(_)
            | What::Rot(..)
            | What::Isolate { .. }
            | What::Cut(..)
            | What::Drift(..)
            | What::Jump(..) => return false,
        };
        self.weather.push(Weather { fault, member, kind, rate, by });
        true
    }

    /// The weather of a fault ends.
    pub fn clear(&mut self, fault: u32) {
        self.weather.retain(|weather| weather.fault != fault);
    }

    /// No cut, no weather.
    pub fn heal(&mut self) {
        self.cuts.fill(0);
        self.weather.clear();
    }

    fn link(&self, from: usize, to: usize) -> usize {
        from * self.members + to
    }

    fn next_fate(&mut self, envelope: &Envelope) -> Fate {
        let fate = identity(self.fate, envelope);
        let copy = self.copies.entry(fate.number()).or_insert(0);
        *copy += 1;
        fate.of(u64::from(*copy))
    }

    fn treatment(&self, fate: Fate, from: usize, to: usize) -> Treatment {
        let mut treatment = Treatment::default();
        for weather in &self.weather {
            let here = weather.member.is_none_or(|member| member == from || member == to);
            let roll = fate.named("weather").of(u64::from(weather.fault));
            if !here || !roll.happens(weather.rate) {
                continue;
            }
            let by = roll.named("by").below(weather.by + 1);
            match weather.kind {
                Kind::Loss => treatment.lost = true,
                Kind::Duplicate => treatment.echo = Some(roll.named("by").below(20 * MILLI)),
                Kind::Reorder => treatment.detour = Some(by),
                Kind::Delay => treatment.delay += by,
            }
        }
        treatment
    }

    fn arrival(
        &mut self,
        now: Micros,
        fate: Fate,
        link: usize,
        treatment: Treatment,
        counters: &mut Counters,
    ) -> Micros {
        let way = self.latency + fate.named("way").below(self.jitter + 1);
        counters.add(Counter::Delayed, u64::from(treatment.delay > 0));
        let in_order = (now + way + treatment.delay).max(self.busy[link] + 1);
        if let Some(detour) = treatment.detour {
            counters.count(Counter::Reordered);
            return in_order + detour;
        }
        self.busy[link] = in_order;
        in_order
    }

    fn take_off(&mut self, envelope: &Envelope, from: usize, to: usize) -> Flight {
        let mut bytes = Vec::new();
        envelope.encode(&mut bytes);
        let airborne = Some(Airborne { from, to, bytes: Some(bytes) });
        if let Some(place) = self.free.pop() {
            self.flights[place as usize] = airborne;
            return Flight(place);
        }
        self.flights.push(airborne);
        Flight(self.flights.len() as u32 - 1)
    }
}

/// What a message is known by, whatever else happens in the run.
fn identity(fate: Fate, envelope: &Envelope) -> Fate {
    let (first, second) = match &envelope.message {
        Message::RequestPreVote { last } | Message::RequestVote { last } => {
            (last.index.0, last.term.0)
        }
        Message::PreVote { granted, term } => (term.0, u64::from(*granted)),
        Message::Vote { granted } => (0, u64::from(*granted)),
        Message::Append { prev, entries, .. } => (prev.index.0, entries.len() as u64),
        Message::AppendAccepted { matched } => (matched.0, 0),
        Message::AppendRejected { prev, hint } => (prev.0, hint.index.0),
        Message::Heartbeat { round, .. } => (*round, 0),
        Message::HeartbeatEcho { round } => (*round, 0),
        Message::Forward { command } | Message::Returned { command, .. } => {
            let id = quorate_core::request::requester_of(command);
            (id.map_or(0, |id| id.boot), id.map_or(0, |id| id.n))
        }
        Message::AskReadIndex { boot, round } => (*boot, *round),
        Message::ReadIndex { boot, round, .. } => (*boot, *round),
        Message::AskLeases { boot, questions } => {
            (*boot, questions.first().map_or(0, |question| question.n))
        }
        Message::TellLeases { boot, answers, .. } => {
            (*boot, answers.first().map_or(0, |answer| answer.n))
        }
        Message::Snapshot { shipment, chunk } => (shipment.0, chunk.offset),
        Message::SnapshotKept { shipment, end } => (shipment.0, *end),
        Message::SnapshotRefused { shipment } => (shipment.0, 0),
        Message::TimeoutNow => (0, 0),
    };
    let link = fate.of(envelope.from.0 << 8 | envelope.to.0);
    link.named(envelope.message.kind()).of(envelope.term.0).of(first).of(second)
}

/// Hashes what is a hash already. Nothing ever walks the map.
#[derive(Clone, Copy, Default)]
struct Given(u64);

impl Hasher for Given {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash << 8 ^ u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[cfg(test)]
mod tests;
