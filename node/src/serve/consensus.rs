//! The thread that drives core's `Consensus`: it owns the clock and passes things on.
//!
//! ```text
//!   clients, members --> inbox --> drain everything --> one round --> writes  --> WAL thread
//!   WAL, apply threads -----^                                     --> sends   --> peers
//!                                                                 --> entries --> apply thread
//!                                                                 --> orders  --> courier's thread
//!                                                                 --> answers --> waiters
//! ```
//! Everything that waits goes into one round, ticks last: after a pause, messages that arrived
//! meanwhile are heard before the clock is believed (DESIGN §2).
//!
//! Not here: any decision.

use std::sync::Arc;
use std::time::{Duration, Instant};

use quorate_core::actors::{Consensus, Round};
use quorate_core::courier::Order;
use quorate_core::member::Input;
use quorate_core::types::Ticks;
use quorate_core::wal::Write;

use crate::peer::link::Peers;
use crate::serve::apply::Work;
use crate::serve::mailbox::{Line, Mailbox, Rest};
use crate::serve::replica::Replica;

/// What consensus counts time in.
pub const TICK: Duration = Duration::from_millis(10);
/// So many waiting requests are a crowd.
const CROWD: usize = 32;
/// How long the proposals of a crowd gather, counted from the write before.
const GATHER: Duration = Duration::from_millis(1);

/// What the thread owns.
pub struct ConsensusThread {
    /// The state machine.
    pub consensus: Consensus,
    /// What everybody sees of the member.
    pub replica: Arc<Replica>,
    /// To the WAL thread.
    pub writes: Arc<Mailbox<Write>>,
    /// To the apply thread.
    pub work: Arc<Mailbox<Work>>,
    /// To the courier's thread.
    pub orders: Arc<Mailbox<Order>>,
    /// To the other members.
    pub peers: Arc<Peers>,
}

impl ConsensusThread {
    /// Works until the inbox is closed and empty, then closes the mailboxes behind it.
    pub fn run(mut self) {
        let replica = Arc::clone(&self.replica);
        let mut clock = Clock::new();
        let mut inputs = Vec::new();
        let mut gathering = Gathering::new();
        loop {
            let (until, patient) = gathering.rest(clock.next);
            let rest = Rest { patient, quiet: self.consensus.awaits_store() };
            if replica.inbox.take(&mut inputs, Some(until), rest) == Line::Closed {
                break;
            }
            inputs.extend(clock.elapsed().map(Input::Tick));
            log_inputs(&inputs);
            gathering.note_receipts(&inputs);
            let round = self.consensus.drain(inputs.drain(..));
            gathering.note_round(&round.writes, replica.waiters.count());
            self.pass_on(round);
        }
        self.writes.close();
        self.work.close();
        self.orders.close();
    }

    /// The disk is the slowest, so it begins first. What is handed on to be applied was seen to be
    /// committed before.
    fn pass_on(&mut self, round: Round) {
        log_round(&round);
        for base in round.writes.iter().filter_map(|write| write.discard) {
            tracing::info!(through = %base, "discarded the head of the log");
        }
        self.writes.push_all(round.writes);
        self.replica.vitals.publish(self.consensus.view());
        self.work.push_all(Work::of(round.install, round.apply));
        self.peers.send(&round.sends);
        self.orders.push_all(round.orders);
        self.replica.waiters.answer(round.answers);
    }
}

/// When proposals are let in. A proposal that comes while the disk is busy could not become durable
/// before the next sync anyway, so it waits and shares that. And where many clients wait, nobody
/// notices that their proposals gather for a moment, but everybody that a sync, a message and a
/// wake are shared by more of them.
struct Gathering {
    /// Number of the newest write that was asked for, and of the newest that is done.
    asked: u64,
    done: u64,
    /// Whether many clients wait, and until when proposals gather if so.
    crowded: bool,
    until: Instant,
}

impl Gathering {
    fn new() -> Self {
        Self { asked: 0, done: 0, crowded: false, until: Instant::now() }
    }

    /// How long to wait, and whether proposals are let in before.
    fn rest(&self, tick: Instant) -> (Instant, bool) {
        if self.asked > self.done {
            return (tick, false);
        }
        if self.crowded && self.until > Instant::now() {
            return (tick.min(self.until), false);
        }
        (tick, true)
    }

    fn note_receipts(&mut self, inputs: &[Input]) {
        for input in inputs {
            if let Input::Persisted(receipt) = input {
                self.done = self.done.max(receipt.number());
            }
        }
    }

    fn note_round(&mut self, writes: &[Write], waiting: usize) {
        self.crowded = waiting >= CROWD;
        if let Some(last) = writes.last() {
            self.asked = last.number;
            self.until = Instant::now() + GATHER;
        }
    }
}

/// Counts whole ticks of a clock that never goes back.
struct Clock {
    next: Instant,
}

impl Clock {
    fn new() -> Self {
        Self { next: Instant::now() + TICK }
    }

    /// The ticks since the last call, if there were any.
    fn elapsed(&mut self) -> Option<Ticks> {
        let late = Instant::now().checked_duration_since(self.next)?;
        let ticks = u32::try_from(late.as_nanos() / TICK.as_nanos()).unwrap_or(u32::MAX - 1) + 1;
        self.next += TICK * ticks;
        Some(Ticks(u64::from(ticks)))
    }
}

/// Ticks alone would fill the log with nothing.
fn log_inputs(inputs: &[Input]) {
    if tracing::enabled!(tracing::Level::DEBUG) {
        for input in inputs.iter().filter(|input| !matches!(input, Input::Tick(_))) {
            tracing::debug!("<- {input}");
        }
    }
}

fn log_round(round: &Round) {
    if tracing::enabled!(tracing::Level::DEBUG) {
        for write in &round.writes {
            tracing::debug!("-> persist {write}");
        }
        for envelope in &round.sends {
            tracing::debug!("-> send {envelope}");
        }
        for order in &round.orders {
            tracing::debug!("-> {order}");
        }
        if let Some(snapshot) = round.install {
            tracing::debug!("-> install {snapshot}");
        }
        for entry in &round.apply {
            tracing::debug!("-> apply {entry}");
        }
    }
}
