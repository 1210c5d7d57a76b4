//! The clocks of leases: which exist, and when each is over (LE-4, LE-7, LE-14).
//!
//! ```text
//!   every member   facts of the store --> spans: id -> granted TTL, remaining
//!   a leader       begin --> clocks: id -> deadline       ends         ordered by time of next look
//!                               ^  renew moves it         checkpoints  ordered by time
//! ```
//! A lease is looked at when its deadline comes, and again every 3 s while the entry that ends it
//! is under way. Both queues are ordered, so a look costs by the leases that are due and not by
//! those that exist.
//!
//! A long lease would begin anew at every change of leader, and could live for ever. So its leader
//! tells now and then, in the log, how much is left (a checkpoint). A renewal makes that void, and
//! must not be acknowledged while it could still count: see `renew`.
//!
//! Invariants:
//! - C1. While this member reigns, every lease has a clock, one place in `ends`, and at most one in
//!   `checkpoints`.
//! - C2. A deadline never moves backwards.
//! - C3. What is over stays over: a lease whose deadline has passed is not renewed.
//!
//! Not here: who asks, and whether this member may act as leader (`member/lease.rs`).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::api::wire::{LeaseEnd, LeaseRemaining};
use crate::planted;
use crate::planted::Bug;
use crate::store::{Fact, Span};
use crate::types::{LeaseId, LeaseLife, Seconds, Term, Ticks};

/// Between two looks (LE-4).
const LOOK: Ticks = Ticks::from_millis(500);
/// Leases that one look finds to be over: 1000 a second (LE-4).
const ENDS_PER_LOOK: usize = 500;
/// An end that was proposed and did not come is proposed again after this (LE-4).
const END_AGAIN: Ticks = Ticks::from_millis(3000);
/// Leases that one entry tells of.
const CHECKPOINTS_PER_LOOK: usize = 1000;
/// Leases that may end in one tick after a change of leader: 800 a second (LE-7).
const ENDS_PER_TICK: usize = 8;

/// All leases, and their deadlines where this member leads.
#[derive(Debug)]
pub struct Clocks {
    spans: BTreeMap<LeaseId, Span>,
    reign: Option<Reign>,
    /// Between two checkpoints of a lease; shorter leases have none.
    interval: Ticks,
    planted: Option<Bug>,
}

/// What only a leader counts. It begins when everything of earlier terms is applied.
#[derive(Debug)]
struct Reign {
    term: Term,
    clocks: BTreeMap<LeaseId, Clock>,
    /// When to look at which lease next.
    ends: BTreeSet<(Ticks, LeaseId)>,
    /// When to tell how much is left of which.
    checkpoints: BTreeSet<(Ticks, LeaseId)>,
    next_look: Ticks,
}

#[derive(Debug)]
struct Clock {
    deadline: Ticks,
    /// Its place in `ends`.
    look: Ticks,
    /// Its place in `checkpoints`.
    checkpoint: Option<Ticks>,
    /// Whether the newest entry about it says that it has less left than its TTL.
    shortened: bool,
    /// Entries about what is left of it that are proposed and not applied.
    under_way: u32,
}

/// What came of a wish to renew a lease.
#[derive(Clone, PartialEq, Debug)]
pub enum Renewal {
    /// There is no such lease.
    Gone,
    /// It is over, and not yet gone.
    Over,
    /// A checkpoint could still count. Here is the entry to propose, unless it is under way: ask
    /// again when that is applied.
    Unsettled(Option<LeaseRemaining>),
    /// It lasts its whole TTL from here on.
    Renewed(LeaseLife),
}

/// What a look found.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Due {
    /// Leases that are over.
    pub over: Vec<LeaseId>,
    /// What is left of some others, to be told to all members.
    pub checkpoints: Vec<LeaseRemaining>,
}

impl Clocks {
    /// No lease is known yet.
    pub fn new(interval: Ticks, planted: Option<Bug>) -> Self {
        Self { spans: BTreeMap::new(), reign: None, interval, planted }
    }

    /// The store changed. A lease that was granted lives its TTL from here on: from when the leader
    /// applied it, and so from later than the client asked for it.
    pub fn learn(&mut self, fact: &Fact, now: Ticks) {
        match *fact {
            Fact::Restored => {
                self.spans.clear();
                self.reign = None;
            }
            Fact::LeaseGranted(id, span) => {
                self.spans.insert(id, span);
                if let Some(reign) = &mut self.reign {
                    reign.start(id, after(now, span.ttl), now, self.interval);
                }
            }
            Fact::LeaseRevoked(id) | Fact::LeaseExpired(id) => {
                self.spans.remove(&id);
                if let Some(reign) = &mut self.reign {
                    reign.stop(id);
                }
            }
            Fact::LeaseRemaining(id, remaining) => {
                let span = self.spans.get_mut(&id).expect("facts come in order");
                span.remaining = remaining;
                if let Some(reign) = &mut self.reign {
                    reign.settle(id);
                }
            }
        }
    }

    /// Whether the clocks run for this term.
    pub fn reigns(&self, term: Term) -> bool {
        self.reign.as_ref().is_some_and(|reign| reign.term == term)
    }

    /// This member leads, and everything of earlier terms is applied. Every lease gets what is left
    /// of it and `grace`; where many would end at once, they are spread out (LE-7).
    pub fn begin(&mut self, term: Term, now: Ticks, grace: Ticks) {
        let in_full = planted!(self.planted, Bug::TtlInFullAtLeaderChange);
        let left = |span: &Span| if in_full { span.ttl } else { span.left() };
        let start = Ticks(now.0 + grace.0);
        let deadlines = self.spans.iter().map(|(id, span)| (after(start, left(span)), *id));
        let mut deadlines: Vec<(Ticks, LeaseId)> = deadlines.collect();
        deadlines.sort_unstable();
        let mut reign = Reign::new(term, now);
        let mut last = (Ticks(0), 0);
        for (deadline, id) in deadlines {
            let full = last.1 == ENDS_PER_TICK;
            let free = Ticks(last.0.0 + u64::from(full));
            let deadline = deadline.max(free);
            last = if deadline == last.0 { (deadline, last.1 + 1) } else { (deadline, 1) };
            reign.start(id, deadline, now, self.interval);
            let shortened = self.spans.get(&id).is_some_and(|span| span.remaining.is_some());
            reign.clock(id).shortened = shortened;
        }
        self.reign = Some(reign);
    }

    /// This member leads no more.
    pub fn end(&mut self) {
        self.reign = None;
    }

    /// Whether another look is due.
    pub fn wants_look(&self, now: Ticks) -> bool {
        self.reign.as_ref().is_some_and(|reign| reign.next_look <= now && !reign.clocks.is_empty())
    }

    /// Looks for what is due.
    pub fn look(&mut self, now: Ticks) -> Due {
        let mut due = Due::default();
        let Some(reign) = &mut self.reign else { return due };
        reign.next_look = Ticks(now.0 + LOOK.0);
        while due.over.len() < ENDS_PER_LOOK
            && let Some((_, id)) = reign.ends.first().copied().filter(|(look, _)| *look <= now)
        {
            reign.look_again(id, Ticks(now.0 + END_AGAIN.0));
            due.over.push(id);
        }
        let once = planted!(self.planted, Bug::CheckpointOnce);
        while due.checkpoints.len() < CHECKPOINTS_PER_LOOK
            && let Some((_, id)) = reign.checkpoints.first().copied().filter(|(at, _)| *at <= now)
        {
            let span = self.spans.get(&id).expect("C1: a clock without a lease");
            let left = reign.checkpoint(id, span.ttl, now);
            let next = if once { None } else { reign.next_checkpoint(id, now, self.interval) };
            reign.plan_checkpoint(id, next);
            let told = LeaseRemaining { id: id.0, since: span.since.0, remaining: left };
            due.checkpoints.extend(left.is_some().then_some(told));
        }
        due
    }

    /// The entry that ends a lease which is over; none if it is gone. While the quorum was asked,
    /// its id may have been granted anew: that lease is another one, and has its own time.
    pub fn end_of(&self, id: LeaseId, now: Ticks) -> Option<LeaseEnd> {
        let clock = self.reign.as_ref().and_then(|reign| reign.clocks.get(&id))?;
        let over = self.spans.get(&id).filter(|_| clock.deadline <= now);
        over.map(|span| LeaseEnd { id: id.0, since: span.since.0 })
    }

    /// Renews a lease. While an entry that shortens it is in force or under way, that must be made
    /// void first, on all members: the next leader would count by it, and end a lease of which this
    /// one had said that it lasts.
    pub fn renew(&mut self, id: LeaseId, now: Ticks) -> Renewal {
        let Some(span) = self.spans.get(&id) else { return Renewal::Gone };
        let reign = self.reign.as_mut().expect("N1: a renewal without a reign");
        let clock = reign.clock(id);
        let blind = planted!(self.planted, Bug::RenewAfterEnd);
        if clock.deadline <= now && !blind {
            return Renewal::Over;
        }
        let early = planted!(self.planted, Bug::RenewBeforeCheckpointIsVoid);
        if (clock.shortened || clock.under_way > 0) && !early {
            let void = LeaseRemaining { id: id.0, since: span.since.0, remaining: None };
            let needed = core::mem::take(&mut clock.shortened);
            clock.under_way += u32::from(needed);
            return Renewal::Unsettled(needed.then_some(void));
        }
        let deadline = clock.deadline.max(after(now, span.ttl));
        reign.move_deadline(id, deadline);
        let next = reign.next_checkpoint(id, now, self.interval);
        reign.plan_checkpoint(id, next);
        Renewal::Renewed(LeaseLife { granted: span.ttl, left: span.ttl })
    }

    /// What is left of a lease, in whole seconds; none if there is no such lease.
    pub fn life(&self, id: LeaseId, now: Ticks) -> Option<LeaseLife> {
        let span = self.spans.get(&id)?;
        let reign = self.reign.as_ref().expect("N1: nobody counts here");
        let clock = reign.clocks.get(&id).expect("C1: a lease without a clock");
        let left = Seconds((ticks_left(clock.deadline, now) / PER_SECOND).cast_signed());
        Some(LeaseLife { granted: span.ttl, left: left.min(span.ttl) })
    }

    /// Whether this member has applied the grant of a lease, and not its end.
    pub fn knows(&self, id: LeaseId) -> bool {
        self.spans.contains_key(&id)
    }
}

impl Reign {
    fn new(term: Term, now: Ticks) -> Self {
        let (clocks, ends, checkpoints) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { term, clocks, ends, checkpoints, next_look: now }
    }

    fn start(&mut self, id: LeaseId, deadline: Ticks, now: Ticks, interval: Ticks) {
        let look = deadline;
        let clock = Clock { deadline, look, checkpoint: None, shortened: false, under_way: 0 };
        let before = self.clocks.insert(id, clock);
        assert!(before.is_none(), "C1: lease {id} has two clocks");
        self.ends.insert((look, id));
        let next = self.next_checkpoint(id, now, interval);
        self.plan_checkpoint(id, next);
    }

    fn stop(&mut self, id: LeaseId) {
        let clock = self.clocks.remove(&id).expect("C1: a lease without a clock");
        let queued = self.ends.remove(&(clock.look, id));
        assert!(queued, "C1: lease {id} has no place");
        if let Some(at) = clock.checkpoint {
            self.checkpoints.remove(&(at, id));
        }
    }

    fn clock(&mut self, id: LeaseId) -> &mut Clock {
        self.clocks.get_mut(&id).expect("C1: a lease without a clock")
    }

    fn move_deadline(&mut self, id: LeaseId, deadline: Ticks) {
        let clock = self.clock(id);
        assert!(clock.deadline <= deadline, "C2: lease {id}");
        clock.deadline = deadline;
        self.look_again(id, deadline);
    }

    fn look_again(&mut self, id: LeaseId, look: Ticks) {
        let before = core::mem::replace(&mut self.clock(id).look, look);
        let queued = self.ends.remove(&(before, id)) && self.ends.insert((look, id));
        assert!(queued, "C1: lease {id} has not one place");
    }

    /// An entry about what is left of a lease was applied.
    fn settle(&mut self, id: LeaseId) {
        let clock = self.clock(id);
        clock.under_way = clock.under_way.saturating_sub(1);
    }

    /// What is left of a lease, rounded up: it must not end early. None if it is over.
    fn checkpoint(&mut self, id: LeaseId, ttl: Seconds, now: Ticks) -> Option<i64> {
        let clock = self.clock(id);
        let left = ticks_left(clock.deadline, now).div_ceil(PER_SECOND);
        if left == 0 {
            return None;
        }
        clock.shortened = true;
        clock.under_way += 1;
        Some(left.cast_signed().min(ttl.0))
    }

    /// When a lease with so much left is to be told of next.
    fn next_checkpoint(&mut self, id: LeaseId, now: Ticks, interval: Ticks) -> Option<Ticks> {
        let left = ticks_left(self.clock(id).deadline, now);
        (left > interval.0).then_some(Ticks(now.0 + interval.0))
    }

    fn plan_checkpoint(&mut self, id: LeaseId, next: Option<Ticks>) {
        let before = core::mem::replace(&mut self.clock(id).checkpoint, next);
        if let Some(at) = before {
            self.checkpoints.remove(&(at, id));
        }
        self.checkpoints.extend(next.map(|at| (at, id)));
    }
}

const PER_SECOND: u64 = Ticks::from_millis(1000).0;

fn after(now: Ticks, span: Seconds) -> Ticks {
    Ticks(now.0 + span.0.unsigned_abs() * PER_SECOND)
}

fn ticks_left(deadline: Ticks, now: Ticks) -> u64 {
    deadline.0.saturating_sub(now.0)
}
