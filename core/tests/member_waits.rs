//! What a member waits for the store with: only then a driver must hand in at once that something
//! was applied.
#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_types)]

use quorate_core::actors;
use quorate_core::api::etcdserverpb::{Member as Listed, PutRequest};
use quorate_core::member::{Config, Group, Input, Member, Output};
use quorate_core::raft::Entry;
use quorate_core::request::{self, MAX_REQUEST_BYTES, Request};
use quorate_core::store::Store;
use quorate_core::types::{ClusterId, Index, NodeId, RequestId, Term, Ticks};
use quorate_core::wal::{self, FileOp, Found, Identity, Layout, ReadDisk, Wal};

const LAYOUT: Layout = Layout { segment_size: 64 << 20, planted: None };

/// A member whose disk is always done at once, and whose store applies only when it is told to.
struct Alone {
    member: Member,
    wal: Wal,
    store: Store,
    handed: Vec<Group>,
    readable: Vec<u64>,
}

/// The log of a cluster that was just founded.
struct Founded(String, Vec<u8>);

impl ReadDisk for Founded {
    type Error = String;

    fn list(&self) -> Result<Vec<String>, String> {
        Ok(vec![self.0.clone()])
    }

    fn read(&self, _: &str) -> Result<Vec<u8>, String> {
        Ok(self.1.clone())
    }
}

impl Founded {
    fn by(identity: Identity) -> Self {
        let listed = Listed { id: identity.member.0, ..Default::default() };
        let command = request::found(vec![listed]);
        let mut plan = Vec::new();
        Wal::create(identity, LAYOUT, Entry { index: Index(1), term: Term(1), command }, &mut plan);
        let (mut file, mut called) = (Vec::new(), String::new());
        for operation in plan {
            match operation {
                FileOp::Write { offset, bytes, .. } => {
                    let end = usize::try_from(offset).unwrap() + bytes.len();
                    file.resize(file.len().max(end), 0);
                    file[end - bytes.len()..end].copy_from_slice(&bytes);
                }
                FileOp::Rename { to, .. } => called = to,
                FileOp::Create { .. }
                | FileOp::Sync { .. }
                | FileOp::Remove { .. }
                | FileOp::SyncDir => {}
            }
        }
        Self(called, file)
    }
}

impl Alone {
    fn new() -> Self {
        let config = Config {
            id: NodeId(1),
            cluster: ClusterId(1),
            boot: 1,
            voters: [NodeId(1)].into(),
            heartbeat: Ticks(10),
            election: Ticks(100),
            discard_batch: 1000,
            kept_tail: 1000,
            lease_checkpoint: Ticks(30_000),
            seed: 1,
            planted: None,
        };
        let founded = Founded::by(Identity { cluster: config.cluster, member: config.id });
        let Found::Log(mut recovered) = wal::recover(&founded, LAYOUT).unwrap() else {
            panic!("no log")
        };
        let store = Store::new();
        let member = actors::start(config, &mut recovered, &store).unwrap();
        let (handed, readable) = (Vec::new(), Vec::new());
        Self { member, wal: recovered.wal, store, handed, readable }
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
