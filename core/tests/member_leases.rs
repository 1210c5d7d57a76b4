//! Leases in a member that leads itself: its answers, and what a hundred thousand of them cost.
#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_types)]

mod member_support;

use std::time::{Duration, Instant};

use member_support::founded;
use quorate_core::actors;
use quorate_core::api::Unavailable;
use quorate_core::api::etcdserverpb::LeaseGrantRequest;
use quorate_core::member::{Input, Member, Output};
use quorate_core::request::{self, MAX_REQUEST_BYTES, Request};
use quorate_core::store::Store;
use quorate_core::types::{LeaseId, LeaseLife, NodeId, RequestId, Seconds, Ticks};
use quorate_core::wal::Wal;

/// One member whose disk is always done at once, with its store.
struct Alone {
    member: Member,
    wal: Wal,
    store: Store,
    n: u64,
    told: Vec<(u64, Option<LeaseLife>)>,
    refused: Vec<(u64, Unavailable)>,
}

impl Alone {
    fn new(voters: u64) -> Self {
        let (member, wal, store) = founded(voters);
        let (told, refused) = (Vec::new(), Vec::new());
        let mut alone = Self { member, wal, store, n: 0, told, refused };
        alone.take_in([Input::Tick(Ticks(1))]);
        alone
    }

    /// Takes inputs in as one batch, and carries out all that follows.
    fn take_in(&mut self, inputs: impl IntoIterator<Item = Input>) {
        let mut inputs: Vec<Input> = inputs.into_iter().collect();
        while !inputs.is_empty() {
            inputs.drain(..).for_each(|input| self.member.handle(input));
            let mut outputs = Vec::new();
            self.member.flush(&mut outputs);
            let mut writes = Vec::new();
            for output in outputs {
                match output {
                    Output::Persist(write) => writes.push(write),
                    Output::Apply(group) => {
                        let effects = actors::apply(&mut self.store, &group.entries);
                        let id = self.store.applied();
                        inputs.push(Input::Applied { id, facts: effects.facts });
                    }
                    Output::Lease(id, life) => self.told.push((id.n, life)),
                    Output::Reply(id, why) => self.refused.push((id.n, why)),
                    Output::Send(_) | Output::Readable(_) | Output::Moved(_) => {}
                    Output::Capture { .. }
                    | Output::Release(_)
                    | Output::Keep(_)
                    | Output::Install(_)
                    | Output::Forget(_) => panic!("there is nobody to send a snapshot to"),
                }
            }
            if !writes.is_empty() {
                let unsynced = self.wal.plan(&writes, &mut Vec::new());
                inputs.push(Input::Persisted(unsynced.synced()));
            }
        }
    }

    fn id(&mut self) -> RequestId {
        self.n += 1;
        RequestId { member: NodeId(1), boot: 1, n: self.n }
    }

    fn grant(&mut self, id: i64, ttl: i64) -> Input {
        let request = self.id();
        let grant = LeaseGrantRequest { id, ttl };
        let command = request::lease_grant(request, grant, Seconds(2), MAX_REQUEST_BYTES);
        Input::Request(request, command.unwrap())
    }

    fn ask(&mut self, wish: Request) -> Input {
        Input::Request(self.id(), wish)
    }

    /// Time passes in steps of 10 ms.
    fn pass(&mut self, ticks: u64) {
        (0..ticks).for_each(|_| self.take_in([Input::Tick(Ticks(1))]));
    }

    fn lives(&self, id: i64) -> bool {
        self.store.leases().any(|(other, _)| other == LeaseId(id))
    }
}

/// The file that a plan leaves; there is one.
#[test]
fn a_lease_lives_its_ttl_and_ends_within_half_a_second_of_it() {
    let mut alone = Alone::new(1);
    let grant = alone.grant(7, 2);
    alone.take_in([grant]);
    alone.pass(150);
    let renew = alone.ask(Request::KeepAlive(LeaseId(7)));
    alone.take_in([renew]);
    alone.pass(199);
    assert!(alone.lives(7), "it was renewed");
    alone.pass(52);
    assert!(!alone.lives(7), "nobody renewed it");
    let renew = alone.ask(Request::KeepAlive(LeaseId(7)));
    alone.take_in([renew]);
    let whole = LeaseLife { granted: Seconds(2), left: Seconds(2) };
    assert_eq!(alone.told, [(2, Some(whole)), (3, None)]);
}

/// The driver hands in waiting inputs before the ticks of a pause. A renewal that came during the
/// pause is judged by the time after it, and so is a grant that was applied meanwhile.
#[test]
fn a_pause_counts_for_renewals_and_grants_alike() {
    let mut alone = Alone::new(1);
    let grant = alone.grant(7, 2);
    alone.take_in([grant]);
    let renew = alone.ask(Request::KeepAlive(LeaseId(7)));
    alone.take_in([renew, Input::Tick(Ticks(300))]);
    assert_eq!(alone.told, [(2, None)], "it was over before the renewal was looked at");
    let mut alone = Alone::new(1);
    let grant = alone.grant(8, 2);
    alone.take_in([grant, Input::Tick(Ticks(1000))]);
    alone.pass(199);
    assert!(alone.lives(8), "its time began when it was applied");
}

/// LE-10.
#[test]
fn without_a_leader_a_lease_call_ends_with_no_leader() {
    let mut member = Alone::new(3);
    let (renew, look) = (Request::KeepAlive(LeaseId(7)), Request::TimeToLive(LeaseId(7)));
    let asked = [member.ask(renew), member.ask(look)];
    member.take_in(asked);
    member.pass(699);
    assert_eq!(member.refused, []);
    member.pass(1);
    assert_eq!(member.refused, [(1, Unavailable::NoLeader), (2, Unavailable::NoLeader)]);
}

/// Absolute bounds, far above what it takes: a look that costs by the leases that exist would break
/// them.
#[test]
fn a_hundred_thousand_leases_are_cheap() {
    const LEASES: i64 = 100_000;
    let mut alone = Alone::new(1);
    for first in (0..LEASES).step_by(1000) {
        let grants: Vec<Input> = (1..=1000).map(|n| alone.grant(first + n, 60 + n % 60)).collect();
        alone.take_in(grants);
    }
    assert_eq!(alone.store.leases().count(), 100_000);
    let idle = time(|| alone.pass(5000));
    let renewals = time(|| {
        for first in (0..LEASES).step_by(100) {
            let calls: Vec<Input> =
                (1..=100).map(|n| alone.ask(Request::KeepAlive(LeaseId(first + n)))).collect();
            alone.take_in(calls);
        }
    });
    assert_eq!(alone.told.len(), 100_000);
    let ends = time(|| alone.pass(30_000));
    assert_eq!(alone.store.leases().count(), 0);
    println!("5,000 idle ticks {idle:?}; 100,000 renewals {renewals:?}; 100,000 ends {ends:?}");
    assert!(idle < Duration::from_secs(2), "{idle:?}");
    assert!(renewals < Duration::from_secs(20), "{renewals:?}");
}

fn time(act: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    act();
    begin.elapsed()
}
