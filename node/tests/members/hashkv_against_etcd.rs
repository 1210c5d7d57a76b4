//! HashKV beside a genuine etcd: the same history gives the same number (KV-32).
//!
//! Debian's etcd is 3.4, and the rule here is that of 3.6. They can be compared where both answer:
//! - 3.4 refuses the compact revision itself, 3.6 hashes it: only revisions above it are compared;
//! - 3.4 removes a tombstone at the mark, 3.6 keeps it and leaves it out: the hash is the same;
//! - 3.4 hashes what its removal has left, so every compaction here is a physical one.
//!
//! What 3.6 alone answers is held against its definition in `core/tests/store_history.rs`.

use bytes::Bytes;
use quorate_core::api::etcdserverpb::request_op::Request as Op;
use quorate_core::api::etcdserverpb::{
    CompactionRequest, DeleteRangeRequest, HashKvRequest, LeaseGrantRequest, LeaseRevokeRequest,
    PutRequest, RequestOp, TxnRequest,
};
use quorate_core::random::Random;
use tonic::transport::{Channel, Endpoint};

use crate::common::Server;
use crate::common::etcd::Etcd;
use crate::common::etcdserverpb::kv_client::KvClient;
use crate::common::etcdserverpb::lease_client::LeaseClient;
use crate::common::etcdserverpb::maintenance_client::MaintenanceClient;

/// One of the two servers.
struct Party {
    kv: KvClient<Channel>,
    lease: LeaseClient<Channel>,
    maintenance: MaintenanceClient<Channel>,
}

/// A step of a history.
#[derive(Clone, Debug)]
enum Step {
    Put(PutRequest),
    Delete(DeleteRangeRequest),
    Txn(TxnRequest),
    Grant(i64),
    Revoke(i64),
    Compact(i64),
}

impl Party {
    fn at(url: &str) -> Self {
        let channel = Endpoint::from_shared(url.to_owned()).unwrap().connect_lazy();
        Self {
            kv: KvClient::new(channel.clone()),
            lease: LeaseClient::new(channel.clone()),
            maintenance: MaintenanceClient::new(channel),
        }
    }

    /// Carries a step out; answers the revision, or the text of the refusal.
    async fn take(&mut self, step: Step) -> Result<i64, String> {
        let header = match step {
            Step::Put(put) => self.kv.put(put).await.map(|done| done.into_inner().header),
            Step::Delete(delete) => {
                self.kv.delete_range(delete).await.map(|done| done.into_inner().header)
            }
            Step::Txn(txn) => self.kv.txn(txn).await.map(|done| done.into_inner().header),
            Step::Grant(id) => {
                let grant = LeaseGrantRequest { id, ttl: 3600 };
                self.lease.lease_grant(grant).await.map(|done| done.into_inner().header)
            }
            Step::Revoke(id) => {
                let revoke = LeaseRevokeRequest { id };
                self.lease.lease_revoke(revoke).await.map(|done| done.into_inner().header)
            }
            Step::Compact(revision) => {
                let compaction = CompactionRequest { revision, physical: true };
                self.kv.compact(compaction).await.map(|done| done.into_inner().header)
            }
        };
        header.map(|header| header.unwrap().revision).map_err(|why| why.message().to_owned())
    }

    /// The hash, the compact revision and the current one.
    async fn hash(&mut self, revision: i64) -> (u32, i64, i64) {
        let hash = self.maintenance.hash_kv(HashKvRequest { revision }).await.unwrap().into_inner();
        (hash.hash, hash.compact_revision, hash.header.unwrap().revision)
    }
}

/// Both, and what has happened.
struct Pair {
    theirs: Party,
    ours: Party,
    revision: i64,
    mark: i64,
    deletes: Vec<i64>,
    compared: u32,
}

impl Pair {
    async fn take(&mut self, step: Step) {
        let theirs = self.theirs.take(step.clone()).await;
        assert_eq!(self.ours.take(step.clone()).await, theirs, "{step:?}");
        let Ok(revision) = theirs else { return };
        match step {
            Step::Compact(mark) => self.mark = mark,
            Step::Delete(_) | Step::Revoke(_) if revision > self.revision => {
                self.deletes.push(revision);
            }
            Step::Put(_) | Step::Delete(_) | Step::Txn(_) | Step::Grant(_) | Step::Revoke(_) => {}
        }
        self.revision = revision;
    }

    /// Compares at every revision above the mark, and at 0.
    async fn compare(&mut self) {
        for revision in [0].into_iter().chain(self.mark + 1..=self.revision) {
            let theirs = self.theirs.hash(revision).await;
            let ours = self.ours.hash(revision).await;
            let place = (revision, self.mark, self.revision);
            assert_eq!(ours, theirs, "(revision, compacted, current) = {place:?}");
            self.compared += 1;
        }
    }
}

fn put(key: &str, value: &str, lease: i64) -> PutRequest {
    let (key, value) = (Bytes::copy_from_slice(key.as_bytes()), value.to_owned().into());
    PutRequest { key, value, lease, ..Default::default() }
}

fn delete(key: &str, end: &str) -> DeleteRangeRequest {
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    DeleteRangeRequest { key: bytes(key), range_end: bytes(end), prev_kv: false }
}

const KEYS: [&str; 6] = ["a", "aa", "b", "c", "d", "e"];

fn draw(random: &mut Random, pair: &Pair) -> Step {
    let key = KEYS[random.below(6) as usize];
    let value = "v".repeat(random.below(5) as usize);
    let lease = [0, 0, 7, 8][random.below(4) as usize];
    match random.below(20) {
        0..9 => Step::Put(put(key, &value, lease)),
        9..12 => Step::Delete(delete(key, "")),
        12 => Step::Delete(delete(key, "d")),
        13..16 => Step::Txn(TxnRequest {
            success: [
                Op::RequestPut(put("x", &value, 0)),
                Op::RequestDeleteRange(delete(key, "")),
                Op::RequestPut(put("y", "", 0)),
            ]
            .map(|request| RequestOp { request: Some(request) })
            .to_vec(),
            ..Default::default()
        }),
        16 => Step::Grant(random.below(3) as i64 + 6),
        17 => Step::Revoke(random.below(3) as i64 + 6),
        18 => Step::Compact(pair.deletes.last().copied().unwrap_or(1)),
        _ => Step::Compact(random.below(pair.revision as u64 + 1) as i64),
    }
}

#[tokio::test]
async fn equal_histories_have_equal_hashes() {
    let Some(etcd) = Etcd::start("equal_histories_have_equal_hashes") else { return };
    let mut server = Server::single();
    server.run();
    let theirs = Party::at(&format!("http://{}", etcd.endpoint));
    let ours = Party::at(&server.client_url);
    let mut pair = Pair { theirs, ours, revision: 1, mark: 0, deletes: vec![], compared: 0 };
    pair.compare().await;
    let mut random = Random::new(1);
    for _ in 0..400 {
        let step = draw(&mut random, &pair);
        pair.take(step).await;
        if random.below(6) == 0 {
            pair.compare().await;
        }
    }
    // Nothing is left: what then counts is what stayed at the mark.
    pair.take(Step::Compact(pair.revision)).await;
    pair.take(Step::Delete(delete("a", "z"))).await;
    pair.compare().await;
    pair.take(Step::Compact(pair.revision)).await;
    pair.take(Step::Put(put("a", "again", 0))).await;
    pair.compare().await;
    assert!(pair.compared > 400 && pair.deletes.len() > 30, "{} compared", pair.compared);
}
