//! A member right after its cluster was founded, for tests that drive it by hand.
//!
//! Not here: how its outputs are carried out.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use quorate_core::actors;
use quorate_core::api::etcdserverpb::Member as Listed;
use quorate_core::member::{Config, Member};
use quorate_core::raft::{ARREARS_BYTES, Entry, WINDOW_BYTES};
use quorate_core::request;
use quorate_core::store::Store;
use quorate_core::types::{ClusterId, Index, NodeId, Term, Ticks};
use quorate_core::wal::{self, FileOp, Found, Identity, Layout, ReadDisk, Wal};

const LAYOUT: Layout = Layout { segment_size: 64 << 20, planted: None };

/// The first of so many voters, with its log and its empty store.
pub fn founded(voters: u64) -> (Member, Wal, Store) {
    let config = Config {
        id: NodeId(1),
        cluster: ClusterId(1),
        boot: 1,
        voters: (1..=voters).map(NodeId).collect::<BTreeSet<_>>(),
        heartbeat: Ticks(10),
        election: Ticks(100),
        discard_batch: 1000,
        kept_tail: 1000,
        window: WINDOW_BYTES,
        arrears: ARREARS_BYTES,
        lease_checkpoint: Ticks(30_000),
        seed: 1,
        planted: None,
    };
    let members = config.voters.iter().map(|id| Listed { id: id.0, ..Default::default() });
    let command = request::found(members.collect());
    let founding = Entry { index: Index(1), term: Term(1), command };
    let identity = Identity { cluster: config.cluster, member: config.id };
    let mut plan = Vec::new();
    Wal::create(identity, LAYOUT, founding, &mut plan);
    let Found::Log(mut recovered) = wal::recover(&files(plan), LAYOUT).unwrap() else {
        panic!("no log")
    };
    let store = Store::new();
    let member = actors::start(config, &mut recovered, &store).unwrap();
    (member, recovered.wal, store)
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

fn files(plan: Vec<FileOp>) -> Founded {
    let (mut file, mut called) = (Vec::new(), String::new());
    for operation in plan {
        match operation {
            FileOp::Create { name, size } => {
                (file, called) = (vec![0; usize::try_from(size).unwrap()], name);
            }
            FileOp::Write { offset, bytes, .. } => {
                file[usize::try_from(offset).unwrap()..][..bytes.len()].copy_from_slice(&bytes);
            }
            FileOp::Rename { to, .. } => called = to,
            FileOp::Sync { .. } | FileOp::SyncDir | FileOp::Remove { .. } => {}
        }
    }
    Founded(called, file)
}
