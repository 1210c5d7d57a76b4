//! What a member waits for the store with: only then a driver must hand in at once that something
//! was applied.
#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_types)]

mod member_support;

use member_support::founded;
use quorate_core::actors;
use quorate_core::api::etcdserverpb::PutRequest;
use quorate_core::member::{Group, Input, Member, Output};
use quorate_core::request::{self, MAX_REQUEST_BYTES, Request};
use quorate_core::store::Store;
use quorate_core::types::{NodeId, RequestId, Ticks};
use quorate_core::wal::Wal;

/// A member whose disk is always done at once, and whose store applies only when it is told to.
struct Alone {
    member: Member,
    wal: Wal,
    store: Store,
    handed: Vec<Group>,
    readable: Vec<u64>,
}

impl Alone {
    fn new() -> Self {
        let (member, wal, store) = founded(1);
        let (handed, readable) = (Vec::new(), Vec::new());
        Self { member, wal, store, handed, readable }
    }

    fn take_in(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let mut outputs = Vec::new();
            self.member.step(input, &mut outputs);
            for output in outputs {
                match output {
                    Output::Persist(write) => {
                        let unsynced = self.wal.plan(&[write], &mut Vec::new());
                        inputs.push(Input::Persisted(unsynced.synced()));
                    }
                    Output::Apply(group) => self.handed.push(group),
                    Output::Readable(id) => self.readable.push(id.n),
                    other => panic!("unasked: {other}"),
                }
            }
        }
    }

    fn ask(&mut self, n: u64, request: impl FnOnce(RequestId) -> Request) {
        let id = RequestId { member: NodeId(1), boot: 1, n };
        self.take_in(Input::Request(id, request(id)));
    }

    fn put(&mut self, n: u64) {
        let put = PutRequest { key: "key".into(), ..Default::default() };
        self.ask(n, |id| request::put(id, put, MAX_REQUEST_BYTES).unwrap());
    }

    /// The store catches up, and the member hears of it.
    fn apply(&mut self) {
        for group in std::mem::take(&mut self.handed) {
            let effects = actors::apply(&mut self.store, &group.entries);
            let id = self.store.applied();
            self.take_in(Input::Applied { id, facts: effects.facts });
        }
    }
}

#[test]
fn only_a_read_makes_a_leader_wait_for_the_store() {
    let mut alone = Alone::new();
    (0..1000).for_each(|_| alone.take_in(Input::Tick(Ticks(1))));
    assert!(alone.member.awaits_store(), "its reign begins when its first entry is applied");
    alone.apply();
    assert!(!alone.member.awaits_store());

    alone.put(1);
    assert_eq!(alone.handed.len(), 1, "it is committed");
    assert!(!alone.member.awaits_store(), "whoever put is answered by the store");

    alone.ask(2, |_| Request::Read);
    assert_eq!(alone.readable, [], "what was put before is not applied");
    assert!(alone.member.awaits_store());
    alone.apply();
    assert_eq!(alone.readable, [2]);
    assert!(!alone.member.awaits_store());
}
