//! A whole cluster with its clients, as one value that an engine turns event by event.
//!
//! ```text
//!            +------------------------- World -------------------------+
//!   engine   |  clients --calls--> hosts: actors, disk, vault, clock   |
//!   ------>  |     ^                  |    ^                           |
//!   turn(    |     +----- replies ----+    +--- network <--- sends     |
//!    event)  |  plan --> faults     oracle and history watch all of it |
//!   <------  |                                                         |
//!   agenda   +---------------------------------------------------------+
//! ```
//! The world decides *what* happens and asks for *when*: every turn may put appointments on the
//! agenda, and the engine keeps them. So the same world runs on a plain heap of events and on an
//! asynchronous runtime with virtual time (`engine/`).
//!
//! Invariants:
//! - A1. What a turn does follows from the world, the event and the time given with it.
//! - A2. A process that crashed does nothing: events of an earlier life are void.
//!
//! Not here: the events (`event.rs`), one machine and its actors (`host.rs`, `consensus.rs`,
//! `log.rs`, `applier.rs`, `desk.rs`), faults (`faults.rs`, `disks.rs`), clients (`clients.rs`),
//! the end of a run (`liveness.rs`, `race.rs`).

mod applier;
mod chronicle;
mod clients;
mod consensus;
mod courier;
mod desk;
mod disks;
mod event;
mod faults;
mod host;
mod hub;
mod ledger;
mod liveness;
mod log;
mod race;
mod sweeper;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use quorate_checks::history::Operation;
use quorate_core::planted::Bug;
use quorate_core::raft::{Entry, RoleKind};
use quorate_core::request::found;
use quorate_core::types::{ClusterId, HardState, Index, NodeId, Term};

use crate::clock::{Micros, SECOND};
use crate::counters::{Counter, Counters};
use crate::fate::Fate;
use crate::judge;
use crate::network::Network;
use crate::oracle::Oracle;
use crate::plan::{Actor, Plan};
use crate::trace::{Reader, Trace};
use crate::verdict::{Invariant, Outcome, Violation};

pub use clients::Reply;
pub use desk::Call;
pub use event::{Change, Event, Place};

use chronicle::Chronicle;
use clients::Clients;
use faults::Faults;
use host::Host;
use ledger::Ledger;
use liveness::Phase;
use race::Race;

/// The cluster's id in every run.
const CLUSTER: ClusterId = ClusterId(0xc1);
/// The most that a run may take in the cluster's time, on top of its safety phase.
const GRACE: Micros = 120 * SECOND;

/// The whole of a run.
pub struct World {
    plan: Plan,
    planted: Option<Bug>,
    now: Micros,
    hosts: Vec<Host>,
    network: Network,
    clients: Clients,
    faults: Faults,
    oracle: Oracle,
    ledger: Ledger,
    chronicle: Chronicle,
    phase: Phase,
    /// Since when nothing goes wrong any more.
    well_since: Option<Micros>,
    /// When the leader is to change again, after the faults.
    reign_until: Option<Micros>,
    /// The follower that must catch up after the faults.
    race: Option<Race>,
    trace: Trace,
    counters: Counters,
    agenda: Vec<(Micros, Event)>,
    changes: Vec<Change>,
    verdict: Option<Result<(), Violation>>,
}

impl World {
    /// The cluster of a plan, with everything still to come on the agenda.
    #[must_use]
    pub fn new(plan: Plan, planted: Option<Bug>, reader: Option<Reader>) -> Self {
        let members = plan.settings.members as usize;
        let hard = HardState { term: Term(1), vote: None };
        let mut world = Self {
            planted,
            now: 0,
            hosts: (0..members).map(|_| Host::new()).collect(),
            network: Network::new(&plan.settings),
            clients: Clients::new(&plan),
            faults: Faults::new(&plan),
            oracle: Oracle::new(members, hard, &founding(members)),
            ledger: Ledger::default(),
            chronicle: Chronicle::default(),
            phase: Phase::Safety,
            well_since: None,
            reign_until: None,
            race: None,
            trace: Trace::new(reader),
            counters: Counters::default(),
            agenda: Vec::new(),
            changes: Vec::new(),
            verdict: None,
            plan,
        };
        world.open();
        world
    }

    fn open(&mut self) {
        for host in 0..self.hosts.len() {
            self.at(0, Event::Start { host });
        }
        self.schedule_faults();
        self.open_clients();
        self.at(self.plan.settings.duration, Event::Inspect);
    }

    /// Lets an event happen.
    pub fn turn(&mut self, now: Micros, event: Event) {
        if self.verdict.is_some() {
            return;
        }
        self.now = now.max(self.now);
        let result = catch_unwind(AssertUnwindSafe(|| self.happen(event)));
        let verdict = result.unwrap_or_else(|panic| Err(assertion(panic.as_ref())));
        if let Err(violation) = verdict {
            self.fail(violation);
        }
        if self.now > self.plan.settings.duration + GRACE {
            let what = format!("no end after {GRACE} us of peace");
            self.fail(Violation { invariant: Invariant::Liveness, what });
        }
    }

    fn happen(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Start { host } => self.start(host)?,
            Event::Turn { host, boot, actor } => self.run_actor(host, boot, actor)?,
            Event::Tick { host, boot, alarm } => self.tick(host, boot, alarm)?,
            Event::Deliver(flight) => self.deliver(flight),
            Event::Ask { client } => self.ask(client),
            Event::Arrive { client, number } => self.arrive(client, number),
            Event::Reply { client, number } => self.take_reply(client, number),
            Event::GiveUp { client, number } => self.give_up(client, number),
            Event::Connect { client, stream } => self.connect(client, stream),
            Event::Look { client, stream } => self.look(client, stream),
            Event::Fault { place } => self.begin_fault(place, None),
            Event::Relief { place } => self.end_fault(place),
            Event::Inspect => self.inspect()?,
        }
        Ok(())
    }

    /// What the last turns put on the agenda.
    pub fn take_agenda(&mut self) -> impl Iterator<Item = (Micros, Event)> + '_ {
        self.agenda.drain(..)
    }

    /// Processes that went and came since the last call.
    pub fn take_changes(&mut self) -> impl Iterator<Item = Change> + '_ {
        self.changes.drain(..)
    }

    /// Whether the verdict is in.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.verdict.is_some()
    }

    /// How many members there are.
    #[must_use]
    pub fn members(&self) -> usize {
        self.hosts.len()
    }

    /// How many clients there are, those of the last inspection included.
    #[must_use]
    pub fn client_count(&self) -> usize {
        self.clients.len()
    }

    /// Judges what the clients saw, if everything else held.
    #[must_use]
    pub fn close(mut self) -> Outcome {
        let verdict = self.verdict.take().unwrap_or_else(|| {
            let what = "the run came to nothing: no event is left".to_owned();
            Violation::of(Invariant::Liveness, what)
        });
        let mut records = self.clients.close();
        records.extend(self.chronicle.close());
        records.extend(self.healthy());
        let history = judge::history(records);
        let seen = history.as_ref().map_err(Clone::clone);
        let (plan, counters) = (&self.plan, &mut self.counters);
        let (ledger, end) = (&self.ledger, self.now);
        let reveal = |record: &[Operation]| ledger.reveal(record, end);
        let judge = |()| seen.and_then(|seen| judge::judge(seen, plan, counters, reveal));
        let verdict = verdict.and_then(|()| {
            let judged = catch_unwind(AssertUnwindSafe(|| judge(())));
            judged.unwrap_or_else(|panic| Err(assertion(panic.as_ref())))
        });
        if let Err(violation) = &verdict {
            self.trace.event(self.now, format_args!("violation of {violation}"));
        }
        self.counters.add(Counter::Committed, self.oracle.committed());
        let newest = self.hosts.iter().filter_map(|host| host.view()).map(|view| view.term.0).max();
        let unled = newest.unwrap_or(1).saturating_sub(1 + self.oracle.terms_led());
        self.counters.add(Counter::LeaderlessTerms, unled);
        Outcome {
            history: history.ok(),
            verdict,
            counters: self.counters,
            hash: self.trace.hash(),
            lines: self.trace.lines(),
            simulated: self.now,
        }
    }

    fn at(&mut self, time: Micros, event: Event) {
        self.agenda.push((time, event));
    }

    fn after(&mut self, span: Micros, event: Event) {
        self.at(self.now + span, event);
    }

    /// Gives an actor a turn after its service time, unless it has one coming.
    fn wake(&mut self, at: usize, actor: Actor) {
        self.wake_after(at, actor, self.plan.settings.service);
    }

    fn wake_after(&mut self, at: usize, actor: Actor, span: Micros) {
        let time = self.now + span;
        if let Some(boot) = self.hosts[at].arm(actor, time) {
            self.at(time, Event::Turn { host: at, boot, actor });
        }
    }

    fn run_actor(&mut self, at: usize, boot: u64, actor: Actor) -> Result<(), Violation> {
        if !self.hosts[at].disarm(boot, actor, self.now) {
            return Ok(());
        }
        match actor {
            Actor::Consensus => self.run_consensus(at)?,
            Actor::Log => self.run_log(at)?,
            Actor::Applier => self.run_applier(at)?,
            Actor::Sweeper => self.run_sweeper(at),
            Actor::Storage => self.run_storage(at),
            Actor::Desk => self.run_desk(at),
            Actor::Courier => self.run_courier(at)?,
            Actor::Hub => self.run_hub(at)?,
        }
        Ok(())
    }

    /// The member that leads the newest term, as far as it knows itself.
    fn leader(&self) -> Option<usize> {
        let views = self.hosts.iter().enumerate().filter_map(|(at, host)| Some((at, host.view()?)));
        let leaders = views.filter(|(_, view)| view.role == RoleKind::Leader);
        leaders.max_by_key(|(_, view)| view.term).map(|(at, _)| at)
    }

    fn fate(&self, realm: &str) -> Fate {
        Fate::new(self.plan.settings.seed, realm)
    }

    fn fail(&mut self, violation: Violation) {
        self.verdict.get_or_insert(Err(violation));
    }

    fn is_alive(&self, at: usize, boot: u64) -> bool {
        self.hosts[at].boot() == Some(boot)
    }
}

/// The name of a member in lines: n1, n2, ..
struct Name(usize);

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "n{}", self.0 + 1)
    }
}

/// The member's id: places count from 0, ids from 1.
fn id(at: usize) -> NodeId {
    NodeId(at as u64 + 1)
}

/// The first entry of every log.
fn founding(members: usize) -> Entry {
    let member = |at: usize| quorate_core::api::etcdserverpb::Member {
        id: id(at).0,
        name: format!("n{}", at + 1),
        peer_ur_ls: vec![format!("sim://n{}", at + 1)],
        ..Default::default()
    };
    let command: Bytes = found((0..members).map(member).collect());
    Entry { index: Index(1), term: Term(1), command }
}

fn assertion(panic: &(dyn Any + Send)) -> Violation {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    let what = text.unwrap_or_else(|| "a panic without words".to_owned());
    Violation { invariant: Invariant::Assertion, what }
}
