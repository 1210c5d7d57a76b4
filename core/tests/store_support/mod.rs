//! A store with a log in front of it and a table behind it, as a member has them.
// Each test file uses a part of it.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::wildcard_enum_match_arm)]

pub mod draw;
pub mod model;

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use quorate_core::api::etcdserverpb::{
    CompactionRequest, DeleteRangeRequest, DeleteRangeResponse, Member, PutRequest, PutResponse,
    RangeRequest, RangeResponse, ResponseHeader, TxnRequest, TxnResponse,
};
use quorate_core::api::mvccpb::KeyValue;
use quorate_core::api::wire::command::Action;
use quorate_core::api::wire::{Command, Configuration, Publish};
use quorate_core::api::{Refusal, Response};
use quorate_core::raft::Entry;
use quorate_core::random::Random;
use quorate_core::store::{Applied, Batch, Damage, Image, Left, Loader, Row, Step, Store, TxnStep};
use quorate_core::types::{Index, NodeId, RequestId, Term};

/// The durable table: what the disk holds after some batches.
pub type Disk = BTreeMap<Vec<u8>, Vec<u8>>;

/// A store, its image and its disk.
#[derive(Debug)]
pub struct Node {
    pub store: Store,
    pub image: Image,
    pub disk: Disk,
    pub log: Vec<Entry>,
}

impl Node {
    pub fn new() -> Self {
        let (store, image) = (Store::new(), Image::new(None));
        Self { store, image, disk: Disk::new(), log: Vec::new() }
    }

    /// Proposes, commits and applies.
    pub fn run(&mut self, action: Action) -> Applied {
        let entry = entry(self.log.len() as u64 + 1, Some(action));
        self.log.push(entry.clone());
        let applied = self.store.apply(&entry);
        self.image.push(applied.rows.clone());
        applied
    }

    pub fn answer(&mut self, action: Action) -> Result<Response, Refusal> {
        self.run(action).reply.expect("somebody asked").1
    }

    pub fn try_put(&mut self, put: PutRequest) -> Result<PutResponse, Refusal> {
        match self.answer(Action::Put(put))? {
            Response::Put(response) => Ok(response),
            other => panic!("a put answered {other:?}"),
        }
    }

    /// Puts a pair and returns the revision.
    pub fn put(&mut self, key: &str, value: &str) -> i64 {
        self.try_put(put(key, value)).unwrap().header.unwrap().revision
    }

    pub fn delete(&mut self, key: &str, end: &str) -> DeleteRangeResponse {
        match self.answer(Action::DeleteRange(delete(key, end))).unwrap() {
            Response::DeleteRange(response) => response,
            other => panic!("a delete answered {other:?}"),
        }
    }

    pub fn compact(&mut self, revision: i64) -> Result<Response, Refusal> {
        self.answer(Action::Compact(CompactionRequest { revision, physical: false }))
    }

    /// One step of removal.
    pub fn sweep(&mut self, budget: usize) -> Left {
        let swept = self.store.sweep(budget);
        self.image.push(swept.rows);
        swept.left
    }

    pub fn txn(&mut self, txn: TxnRequest) -> Result<TxnResponse, Refusal> {
        match self.answer(Action::Txn(txn))? {
            Response::Txn(response) => Ok(response),
            other => panic!("a transaction answered {other:?}"),
        }
    }

    pub fn range(&self, request: &RangeRequest) -> RangeResponse {
        read(&self.store, request).unwrap()
    }

    pub fn get(&self, key: &str) -> Option<KeyValue> {
        self.range(&one(key)).kvs.pop()
    }

    /// Writes everything that waits to the disk.
    pub fn flush(&mut self) {
        for batch in self.image.take(&self.store) {
            write(&mut self.disk, &batch);
        }
    }
}

pub fn entry(index: u64, action: Option<Action>) -> Entry {
    let n = if action.is_some() { index } else { 0 };
    let command = Command { member: 7, boot: 9, n, action };
    let bytes = if n == 0 { Bytes::new() } else { Bytes::from(command.encode_to_vec()) };
    Entry { index: Index(index), term: Term(1 + index / 50), command: bytes }
}

pub fn asker(index: u64) -> RequestId {
    RequestId { member: NodeId(7), boot: 9, n: index }
}

pub fn put(key: &str, value: &str) -> PutRequest {
    PutRequest {
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: Bytes::copy_from_slice(value.as_bytes()),
        ..Default::default()
    }
}

pub fn delete(key: &str, end: &str) -> DeleteRangeRequest {
    let (key, range_end) = (key.as_bytes().to_vec().into(), end.as_bytes().to_vec().into());
    DeleteRangeRequest { key, range_end, prev_kv: true }
}

pub fn one(key: &str) -> RangeRequest {
    span(key, "")
}

pub fn span(key: &str, end: &str) -> RangeRequest {
    let (key, range_end) = (key.as_bytes().to_vec().into(), end.as_bytes().to_vec().into());
    RangeRequest { key, range_end, ..Default::default() }
}

pub fn all() -> RangeRequest {
    span("\0", "\0")
}

pub fn configuration(ids: &[u64]) -> Action {
    let member = |id: &u64| Member {
        id: *id,
        peer_ur_ls: vec![format!("http://{id}:2380")],
        ..Default::default()
    };
    Action::Configuration(Configuration { members: ids.iter().map(member).collect() })
}

pub fn publish(id: u64, name: &str) -> Action {
    let client_urls = vec![format!("http://{name}:2379")];
    Action::Publish(Publish { id, name: name.into(), client_urls })
}

/// Reads in one step.
pub fn read(store: &Store, request: &RangeRequest) -> Result<RangeResponse, Refusal> {
    read_in_steps(store, request, usize::MAX)
}

pub fn read_in_steps(
    store: &Store,
    request: &RangeRequest,
    budget: usize,
) -> Result<RangeResponse, Refusal> {
    let mut cursor = None;
    loop {
        match store.range(request, cursor, budget)? {
            Step::Done(response) => return Ok(response),
            Step::More(more) => cursor = Some(more),
        }
    }
}

/// What is put together from records is the encoded answer, byte for byte.
pub fn check_encoding(store: &Store, request: &RangeRequest, response: &RangeResponse) {
    let Ok(Step::Done(found)) = store.find(request, None, usize::MAX) else { panic!("one step") };
    let header = ResponseHeader { revision: found.revision(), member_id: 7, ..Default::default() };
    let mut bytes = Vec::new();
    found.encode(header, &mut bytes);
    let wanted = RangeResponse { header: Some(header), ..response.clone() };
    assert_eq!((bytes.len(), bytes), (found.encoded_len(header), wanted.encode_to_vec()));
}

pub fn read_txn(
    store: &Store,
    request: &TxnRequest,
    budget: usize,
) -> Result<TxnResponse, Refusal> {
    let mut cursor = None;
    loop {
        match store.read_txn(request, cursor, budget)? {
            TxnStep::Done(response) => return Ok(response),
            TxnStep::More(more) => cursor = Some(more),
        }
    }
}

pub fn write(disk: &mut Disk, batch: &Batch) {
    for Row { key, value } in &batch.rows {
        match value {
            Some(value) => disk.insert(key.to_vec(), value.to_vec()),
            None => disk.remove(key.as_ref()),
        };
    }
}

pub fn load(disk: &Disk) -> Result<Store, Damage> {
    let mut loader = Loader::new();
    for (key, value) in disk {
        loader.row(key, value)?;
    }
    loader.finish()
}

pub fn keys(response: &RangeResponse) -> Vec<&str> {
    response.kvs.iter().map(|kv| core::str::from_utf8(&kv.key).unwrap()).collect()
}

/// Picks one of several.
pub fn pick<'a, T>(random: &mut Random, of: &'a [T]) -> &'a T {
    &of[random.below(of.len() as u64) as usize]
}
