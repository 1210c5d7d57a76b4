//! The end of a run: the faults are over, and the cluster must show that it lives.
//!
//! ```text
//!   Safety --heal--> Leader --> Pending --> Probing --> Racing --> Lapsing --> Watching --> Settling
//!                    all know   the plan's  each member  who was    leases that watchers    all stores
//!                    one        clients are takes a put  away       nobody      have seen   are equal
//!                               answered    and a read   catches up renews end  everything
//! ```
//! A cluster that answers nobody violates no safety, so each step has its time.
//!
//! Not here: what the clients saw on the way (`judge.rs`), the race to catch up (`race.rs`).

use std::fmt;

use quorate_checks::history as said;
use quorate_core::member::Input;
use quorate_core::raft::RoleKind;
use quorate_core::request::Request;
use quorate_core::store::Store;
use quorate_core::types::{LeaseId, Seconds};

use super::host::Host;
use super::race::RACE;
use super::{Event, World};
use crate::clock::{MILLI, Micros, SECOND};
use crate::plan::Actor;
use crate::verdict::{Invariant, Violation};

/// Progress is looked at this often.
const LOOK: Micros = 10 * MILLI;
/// Each step takes at most so many election timeouts,
const ELECTIONS: u64 = 20;
/// and this: a member gives a request up after 5 s and two election timeouts.
const EXTRA: Micros = 8 * SECOND;

/// Between two changes of leader while a long lease is to end,
const REIGN: Micros = 5 * SECOND;
/// and how many of them it may take: each leader counts at least half of its reign.
const REIGNS: u64 = 5;
/// The id of the long lease.
pub(super) const LONG: LeaseId = LeaseId(77);
/// A lease of more than this may outlive the run.
const LONGEST: Seconds = Seconds(10);
/// A lease ends within its TTL and what a new leader adds; this much is left for that.
const LAPSE: Micros = 12 * SECOND;

/// How far a run has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Things go wrong.
    Safety,
    /// Members must agree on a leader by then.
    Leader(Micros),
    /// Whoever waits must be answered by then.
    Pending(Micros),
    /// Each member must have served by then.
    Probing(Micros),
    /// A follower that was cut off must have caught up by then.
    Racing(Micros),
    /// The leases, which nobody renews any more, must have ended by then.
    Lapsing(Micros),
    /// All watchers must have seen everything up to this revision by then.
    Watching(Micros, i64),
    /// The stores must be equal by then.
    Settling(Micros),
}

impl World {
    /// The safety phase is over, or it is time to look at progress.
    pub(super) fn inspect(&mut self) -> Result<(), Violation> {
        let deadline = match self.phase {
            Phase::Safety => {
                self.heal();
                None
            }
            Phase::Leader(deadline)
            | Phase::Pending(deadline)
            | Phase::Probing(deadline)
            | Phase::Racing(deadline)
            | Phase::Lapsing(deadline)
            | Phase::Watching(deadline, _)
            | Phase::Settling(deadline) => Some(deadline),
        };
        while self.is_done(self.phase) {
            if matches!(self.phase, Phase::Settling(_)) {
                return self.compare_stores();
            }
            self.enter_next_phase();
        }
        if deadline.is_some_and(|deadline| self.now > deadline) {
            let mut what = format!("{} in time: {}", self.phase, self.situation());
            if let Phase::Watching(_, newest) = self.phase {
                what.extend(self.clients.laggard(newest).map(|late| format!("; {late}")));
            }
            return Violation::of(self.phase.demands(), what);
        }
        match self.phase {
            Phase::Watching(_, newest) => self.hurry_streams(newest),
            Phase::Lapsing(_) => self.move_on(),
            Phase::Racing(_) => self.follow_race(),
            Phase::Safety
            | Phase::Leader(_)
            | Phase::Pending(_)
            | Phase::Probing(_)
            | Phase::Settling(_) => {}
        }
        self.after(LOOK, Event::Inspect);
        Ok(())
    }

    /// The span in which nothing went wrong any more.
    pub(super) fn healthy(&self) -> Option<said::Record> {
        let from = said::Micros(self.well_since?);
        let until = said::Micros(self.now);
        Some(said::Record::Healthy(said::Healthy { from, until }))
    }

    fn heal(&mut self) {
        self.trace.event(self.now, format_args!("heal"));
        self.end_all_faults();
        self.phase = Phase::Leader(self.deadline());
    }

    fn deadline(&self) -> Micros {
        let settings = &self.plan.settings;
        self.now + ELECTIONS * settings.election + settings.patience + EXTRA
    }

    fn is_done(&self, phase: Phase) -> bool {
        match phase {
            Phase::Safety => false,
            Phase::Leader(_) => self.agrees_on_leader(),
            Phase::Pending(_) => self.clients.are_idle(),
            Phase::Probing(_) => self.clients.are_content(),
            Phase::Racing(_) => self.is_race_over(),
            Phase::Lapsing(_) => self.have_lapsed(),
            Phase::Watching(_, newest) => self.clients.have_seen(newest),
            Phase::Settling(_) => self.is_settled(),
        }
    }

    fn enter_next_phase(&mut self) {
        let deadline = self.deadline();
        let races = matches!(self.phase, Phase::Probing(_)) && self.open_race();
        self.phase = match self.phase {
            Phase::Safety => Phase::Leader(deadline),
            Phase::Leader(_) => {
                self.well_since = Some(self.now);
                Phase::Pending(deadline)
            }
            Phase::Pending(_) => {
                self.reign_until = Some(self.now + REIGN);
                self.open_probers();
                Phase::Probing(deadline)
            }
            Phase::Probing(_) if races => Phase::Racing(deadline + RACE),
            Phase::Probing(_) | Phase::Racing(_) => {
                self.race = None;
                let long = self.plan.settings.long_lease > 0;
                Phase::Lapsing(deadline + LAPSE + if long { REIGNS * REIGN } else { 0 })
            }
            Phase::Lapsing(_) => Phase::Watching(deadline, self.newest_revision()),
            Phase::Watching(..) | Phase::Settling(_) => Phase::Settling(deadline),
        };
        self.trace.event(self.now, format_args!("phase {}", self.phase.name()));
    }

    /// The members that are not down for good.
    fn standing(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter().filter(|host| !host.retired)
    }

    fn agrees_on_leader(&self) -> bool {
        let Some(leader) = self.leader() else { return false };
        let id = Some(super::id(leader));
        self.standing().all(|host| host.view().is_some_and(|view| view.leader == id))
    }

    /// Whether no lease is left that ought to have ended.
    fn have_lapsed(&self) -> bool {
        let stores = self.standing().filter_map(|host| host.store());
        let mut leases = stores.flat_map(|store| store.leases());
        leases.all(|(id, span)| span.ttl > LONGEST && id != LONG)
    }

    /// Lets another member lead now and then: a long lease must end all the same (LE-14).
    fn move_on(&mut self) {
        let due = self.reign_until.is_some_and(|until| self.now >= until);
        if self.plan.settings.long_lease == 0 || !due {
            return;
        }
        self.reign_until = Some(self.now + REIGN);
        let Some(leader) = self.leader() else { return };
        let members = self.hosts.len();
        let mut others = (1..members).map(|step| (leader + step) % members);
        let Some(heir) = others.find(|at| !self.hosts[*at].retired) else { return };
        let Some(running) = self.hosts[leader].running() else { return };
        let (wish, target) = (running.waiters.id(), super::id(heir));
        running.inbox.push(Input::Request(wish, Request::MoveLeader(target)));
        self.wake(leader, Actor::Consensus);
    }

    fn newest_revision(&self) -> i64 {
        self.standing().filter_map(|host| host.store()).map(Store::revision).max().unwrap_or(1)
    }

    /// Whether every member has applied all that there is, and answered or given up everybody.
    fn is_settled(&self) -> bool {
        let Some(view) = self.leader().and_then(|at| self.hosts[at].view()) else { return false };
        let all = view.last.index;
        let settled = |host: &Host| {
            host.store().is_some_and(|store| store.applied().index == all)
                && host.view().is_some_and(|view| view.pending == 0)
                && host.waiting() == 0
        };
        view.commit == all && self.standing().all(settled)
    }

    fn compare_stores(&mut self) -> Result<(), Violation> {
        let hashes: Vec<(u64, u64)> = self
            .hosts
            .iter()
            .filter_map(|host| host.store())
            .map(|store| (store.state_hash(), store.full_hash()))
            .collect();
        self.trace.event(self.now, format_args!("equal? {hashes:016x?}"));
        if hashes.windows(2).any(|pair| pair[0] != pair[1]) {
            let what = format!("rolling and full hashes at the end: {hashes:016x?}");
            return Violation::of(Invariant::ReplicaEquality, what);
        }
        self.verdict = Some(Ok(()));
        Ok(())
    }

    fn situation(&self) -> String {
        let show = |(at, host): (usize, &Host)| match host.view() {
            None => format!("n{} does not run", at + 1),
            Some(view) => {
                let leader = view.leader.map_or_else(|| "-".to_owned(), |id| id.to_string());
                let role = match view.role {
                    RoleKind::Follower => "follower",
                    RoleKind::PreCandidate => "pre-candidate",
                    RoleKind::Candidate => "candidate",
                    RoleKind::Leader => "leader",
                };
                format!(
                    "n{} {role} term={} leader={leader} last={} commit={} applied={} waiting={}",
                    at + 1,
                    view.term,
                    view.last,
                    view.commit,
                    view.applied,
                    view.pending
                )
            }
        };
        self.hosts.iter().enumerate().map(show).collect::<Vec<_>>().join("; ")
    }
}

impl Phase {
    /// What a run breaks that does not get further.
    fn demands(self) -> Invariant {
        match self {
            Self::Lapsing(_) => Invariant::LeaseEnds,
            Self::Watching(..) => Invariant::WatchReliable,
            Self::Safety
            | Self::Leader(_)
            | Self::Pending(_)
            | Self::Probing(_)
            | Self::Racing(_)
            | Self::Settling(_) => Invariant::Liveness,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Safety => "safety",
            Self::Leader(_) => "leader",
            Self::Pending(_) => "pending",
            Self::Probing(_) => "probing",
            Self::Racing(_) => "racing",
            Self::Lapsing(_) => "lapsing",
            Self::Watching(..) => "watching",
            Self::Settling(_) => "settling",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Safety => "faults do not end",
            Self::Leader(_) => "members do not agree on a leader",
            Self::Pending(_) => "clients of the plan are not answered",
            Self::Probing(_) => "a put and a read through each member are not answered",
            Self::Racing(_) => "a follower that was cut off does not catch up while others write",
            Self::Lapsing(_) => "leases that nobody renews do not end",
            Self::Watching(..) => "watchers do not see everything",
            Self::Settling(_) => "stores do not become equal",
        })
    }
}
