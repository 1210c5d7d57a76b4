//! The consensus actor: all that waits goes in, one round comes out and is passed on.
//!
//! ```text
//!   inbox, then the ticks of its own clock --> Consensus::drain --> writes --> log
//!                                                                   sends  --> network
//!                                                                   apply  --> applier
//!                                                                   answers -> clients
//! ```
//! After a pause the waiting messages come first and the elapsed time last, as in the server.

use quorate_core::actors::Round;
use quorate_core::member::Input;
use quorate_core::raft::{Envelope, Message, View};
use quorate_core::types::Ticks;

use super::{Event, Name, World};
use crate::counters::Counter;
use crate::network::Flight;
use crate::oracle::Turn;
use crate::plan::{Actor, Moment};
use crate::verdict::Violation;

impl World {
    /// A message's way is over.
    pub(super) fn deliver(&mut self, flight: Flight) {
        let Some(envelope) = self.network.land(flight) else { return };
        let at = envelope.to.0 as usize - 1;
        let Some(running) = self.hosts[at].running() else { return };
        running.inbox.push(Input::Receive(envelope));
        self.counters.count(Counter::Delivered);
        self.wake(at, Actor::Consensus);
    }

    /// A member's clock has moved by a tick.
    pub(super) fn tick(&mut self, at: usize, boot: u64, alarm: u64) -> Result<(), Violation> {
        let host = &self.hosts[at];
        if !self.is_alive(at, boot) || host.alarm != alarm || host.is_still(Actor::Consensus) {
            return Ok(());
        }
        self.run_consensus(at)?;
        self.set_alarm(at);
        Ok(())
    }

    /// Sets the alarm to the next tick of the member's own clock.
    pub(super) fn set_alarm(&mut self, at: usize) {
        let host = &mut self.hosts[at];
        host.alarm += 1;
        let (alarm, clock) = (host.alarm, host.clock);
        let (Some(boot), Some(running)) = (host.boot(), host.running()) else { return };
        // A clock that stands still has no next tick: whoever lets it go sets the alarm.
        if let Some(time) = clock.time(running.ticker.next()) {
            self.at(time.max(self.now + 1), Event::Tick { host: at, boot, alarm });
        }
    }

    pub(super) fn run_consensus(&mut self, at: usize) -> Result<(), Violation> {
        let host = &mut self.hosts[at];
        let local = host.clock.local(self.now);
        let Some(running) = host.running() else { return Ok(()) };
        let mut inputs = std::mem::take(&mut running.inbox);
        let ticks = running.ticker.elapsed(local);
        if ticks > 0 {
            inputs.push(Input::Tick(Ticks(ticks)));
        }
        let before = running.consensus.view();
        for input in inputs.iter().filter(|input| is_news(input)) {
            self.trace.event(self.now, format_args!("{} {input}", Name(at)));
        }
        let round = running.consensus.drain(inputs);
        let turn = Turn { before, after: running.consensus.view() };
        self.pass_hub_time(at, ticks);
        self.pass_on(at, round, &turn)
    }

    fn pass_on(&mut self, at: usize, round: Round, turn: &Turn) -> Result<(), Violation> {
        let Some(boot) = self.hosts[at].boot() else { return Ok(()) };
        self.pass_writes(at, &round, turn)?;
        self.oracle.on_turn(at, turn)?;
        let asked = !round.writes.is_empty();
        if let Some(running) = self.hosts[at].running().filter(|_| asked) {
            running.writes.extend(round.writes);
            self.wake(at, Actor::Log);
        }
        if turn.was_elected() {
            self.counters.count(Counter::Elections);
            self.trace.event(self.now, format_args!("{} leads term {}", Name(at), turn.after.term));
            self.moment(at, Moment::Leads);
        }
        if turn.turned() {
            let View { role, term, .. } = turn.after;
            self.trace.event(self.now, format_args!("{} turns {role} in term {term}", Name(at)));
        }
        if turn.committed() {
            self.moment(at, Moment::Commits);
        }
        self.pass_sends(at, boot, round.sends)?;
        if !self.is_alive(at, boot) {
            return Ok(());
        }
        let applies = !round.apply.is_empty() || round.install.is_some();
        let (orders, ordered) = (round.orders, self.hosts[at].running());
        if let Some(running) = ordered {
            let carries = !orders.is_empty();
            running.parcels.order(orders);
            running.parcels.install = running.parcels.install.or(round.install);
            running.entries.extend(round.apply);
            if applies {
                self.wake(at, Actor::Applier);
            }
            if carries {
                self.wake(at, Actor::Courier);
            }
        }
        self.answer(at, round.answers);
        Ok(())
    }

    fn pass_writes(&mut self, at: usize, round: &Round, turn: &Turn) -> Result<(), Violation> {
        for write in &round.writes {
            self.trace.event(self.now, format_args!("{} persist {write}", Name(at)));
            let replaced = self.oracle.on_write(at, write, turn)?;
            self.counters.add(Counter::Truncations, u64::from(replaced > 0));
        }
        Ok(())
    }

    /// Sends one after the other: a fault may strike between two of them.
    fn pass_sends(&mut self, at: usize, boot: u64, sends: Vec<Envelope>) -> Result<(), Violation> {
        for envelope in sends {
            if !self.is_alive(at, boot) {
                break;
            }
            self.trace.event(self.now, format_args!("{} send {envelope}", Name(at)));
            self.oracle.on_send(at, &envelope)?;
            let agenda = &mut self.agenda;
            let mut schedule = |time, flight| agenda.push((time, Event::Deliver(flight)));
            self.network.send(self.now, &envelope, &mut self.counters, &mut schedule);
            if let Some(moment) = moment_of(&envelope.message) {
                self.moment(at, moment);
            }
        }
        Ok(())
    }
}

/// Single ticks would drown everything else.
fn is_news(input: &Input) -> bool {
    match input {
        Input::Tick(ticks) => ticks.0 > 1,
        Input::Receive(_)
        | Input::Request(..)
        | Input::Persisted(_)
        | Input::Applied { .. }
        | Input::Stored(_)
        | Input::Captured { .. }
        | Input::Kept { .. }
        | Input::Installed(_) => true,
    }
}

fn moment_of(message: &Message) -> Option<Moment> {
    match message {
        Message::AppendAccepted { .. } => Some(Moment::Accepts),
        Message::Vote { granted: true } => Some(Moment::Votes),
        Message::Append { entries, .. } if !entries.is_empty() => Some(Moment::Appends),
        Message::Append { .. }
        | Message::Vote { granted: false }
        | Message::RequestPreVote { .. }
        | Message::PreVote { .. }
        | Message::RequestVote { .. }
        | Message::AppendRejected { .. }
        | Message::Heartbeat { .. }
        | Message::HeartbeatEcho { .. }
        | Message::Forward { .. }
        | Message::Returned { .. }
        | Message::AskReadIndex { .. }
        | Message::ReadIndex { .. }
        | Message::AskLeases { .. }
        | Message::TellLeases { .. }
        | Message::Snapshot { .. }
        | Message::SnapshotKept { .. }
        | Message::SnapshotRefused { .. }
        | Message::TimeoutNow => None,
    }
}
