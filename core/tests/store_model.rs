//! The store against a model that is too simple to be wrong: a list of all that ever happened.
//!
//! Random commands go to both; after each, random reads with every option must agree, in one step
//! and in many. At random moments the rows are flushed, and the store that is loaded from the disk
//! must be the one that wrote it.
#![allow(missing_docs, clippy::unwrap_used)]

mod store_support;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use quorate_core::api::etcdserverpb::range_request::{SortOrder, SortTarget};
use quorate_core::api::etcdserverpb::{
    DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse, RangeRequest, RangeResponse,
    ResponseHeader,
};
use quorate_core::api::mvccpb::KeyValue;
use quorate_core::api::wire::command::Action;
use quorate_core::api::{KeyRange, Refusal, Response};
use quorate_core::random::Random;
use store_support::{Node, configuration, load, pick, publish, read, read_in_steps};

/// Everything that ever happened, oldest first: the revision, the key, the pair if there is one.
struct Model {
    revision: i64,
    past: Vec<(i64, Bytes, Option<KeyValue>)>,
}

impl Model {
    fn at(&self, revision: i64) -> BTreeMap<&Bytes, &KeyValue> {
        let mut pairs = BTreeMap::new();
        for (when, key, pair) in &self.past {
            if *when <= revision {
                pairs.remove(key);
                pairs.extend(pair.iter().map(|pair| (key, pair)));
            }
        }
        pairs
    }

    fn header(&self) -> Option<ResponseHeader> {
        Some(ResponseHeader { revision: self.revision, ..Default::default() })
    }

    fn put(&mut self, put: &PutRequest) -> Result<PutResponse, Refusal> {
        if put.lease != 0 {
            return Err(Refusal::LeaseNotFound);
        }
        let old = self.at(self.revision).get(&put.key).map(|kv| (*kv).clone());
        if old.is_none() && (put.ignore_lease || put.ignore_value) {
            return Err(Refusal::KeyNotFound);
        }
        self.revision += 1;
        let mut new = old.clone().unwrap_or(KeyValue {
            key: put.key.clone(),
            create_revision: self.revision,
            ..Default::default()
        });
        new.mod_revision = self.revision;
        new.version += 1;
        if !put.ignore_value {
            new.value = put.value.clone();
        }
        self.past.push((self.revision, put.key.clone(), Some(new)));
        Ok(PutResponse { header: self.header(), prev_kv: old.filter(|_| put.prev_kv) })
    }

    fn delete(&mut self, delete: &DeleteRangeRequest) -> DeleteRangeResponse {
        let range = KeyRange::new(&delete.key, &delete.range_end);
        let now = self.at(self.revision);
        let gone: Vec<KeyValue> =
            now.values().filter(|kv| range.contains(&kv.key)).map(|kv| (*kv).clone()).collect();
        self.revision += i64::from(!gone.is_empty());
        self.past.extend(gone.iter().map(|kv| (self.revision, kv.key.clone(), None)));
        let deleted = gone.len() as i64;
        let prev_kvs = if delete.prev_kv { gone } else { Vec::new() };
        DeleteRangeResponse { header: self.header(), deleted, prev_kvs }
    }

    fn range(&self, wish: &RangeRequest) -> Result<RangeResponse, Refusal> {
        if wish.revision > self.revision {
            return Err(Refusal::FutureRevision);
        }
        let at = if wish.revision <= 0 { self.revision } else { wish.revision };
        let range = KeyRange::new(&wish.key, &wish.range_end);
        let found = self.at(at);
        let mut kvs: Vec<KeyValue> =
            found.values().filter(|kv| range.contains(&kv.key)).map(|kv| (*kv).clone()).collect();
        let count = kvs.len() as i64;
        let limit = if wish.limit > 0 { wish.limit as usize } else { usize::MAX };
        let filters = [
            wish.min_mod_revision,
            wish.max_mod_revision,
            wish.min_create_revision,
            wish.max_create_revision,
        ];
        if wish.sort_order() == SortOrder::None && filters == [0; 4] {
            kvs.truncate(limit.saturating_add(1));
        }
        kvs.retain(|kv| {
            (filters[0] == 0 || kv.mod_revision >= filters[0])
                && (filters[1] == 0 || kv.mod_revision <= filters[1])
                && (filters[2] == 0 || kv.create_revision >= filters[2])
                && (filters[3] == 0 || kv.create_revision <= filters[3])
        });
        kvs.sort_by(|a, b| order(wish, a, b));
        let more = kvs.len() > limit && !wish.count_only;
        kvs.truncate(if wish.count_only { 0 } else { limit });
        if wish.keys_only {
            kvs.iter_mut().for_each(|kv| kv.value.clear());
        }
        Ok(RangeResponse { header: self.header(), kvs, more, count })
    }
}

/// Equal pairs stay in key order.
fn order(wish: &RangeRequest, a: &KeyValue, b: &KeyValue) -> Ordering {
    let up = match wish.sort_target() {
        SortTarget::Key => a.key.cmp(&b.key),
        SortTarget::Version => a.version.cmp(&b.version),
        SortTarget::Create => a.create_revision.cmp(&b.create_revision),
        SortTarget::Mod => a.mod_revision.cmp(&b.mod_revision),
        SortTarget::Value => a.value.cmp(&b.value),
    };
    if wish.sort_order() == SortOrder::Descend { up.reverse() } else { up }
}

/// Draws commands and reads over a given set of keys.
struct Draw {
    random: Random,
    keys: Vec<Bytes>,
}

impl Draw {
    fn one_in(&mut self, n: u64) -> bool {
        self.random.below(n) == 0
    }

    fn key(&mut self) -> Bytes {
        pick(&mut self.random, &self.keys).clone()
    }

    fn end(&mut self) -> Bytes {
        match self.random.below(4) {
            0 => Bytes::new(),
            1 => Bytes::from_static(b"\0"),
            _ => self.key(),
        }
    }

    fn put(&mut self) -> PutRequest {
        let keep = self.one_in(8);
        let value = vec![b'v'; self.random.below(4) as usize];
        PutRequest {
            key: self.key(),
            value: if keep { Bytes::new() } else { value.into() },
            lease: i64::from(self.one_in(30)),
            prev_kv: self.one_in(2),
            ignore_value: keep,
            ignore_lease: false,
        }
    }

    fn delete(&mut self) -> DeleteRangeRequest {
        // Whole ranges go seldom, or nothing would ever grow.
        let range_end = if self.one_in(6) { self.end() } else { Bytes::new() };
        DeleteRangeRequest { key: self.key(), range_end, prev_kv: self.one_in(2) }
    }

    fn bound(&mut self, revision: i64) -> i64 {
        if self.one_in(3) { self.random.below(revision as u64 + 2) as i64 } else { 0 }
    }

    fn range(&mut self, revision: i64) -> RangeRequest {
        let plain = self.one_in(2);
        let filter = |draw: &mut Self| if plain { 0 } else { draw.bound(revision) };
        RangeRequest {
            min_mod_revision: filter(self),
            max_mod_revision: filter(self),
            min_create_revision: filter(self),
            max_create_revision: filter(self),
            key: self.key(),
            range_end: self.end(),
            limit: if self.one_in(2) { self.random.below(6) as i64 - 1 } else { 0 },
            revision: self.bound(revision),
            sort_order: self.random.below(3) as i32,
            sort_target: self.random.below(5) as i32,
            serializable: false,
            keys_only: self.one_in(4),
            count_only: self.one_in(8),
        }
    }
}

/// What the model answers to a command.
fn expect(model: &mut Model, action: &Action) -> Result<Response, Refusal> {
    match action {
        Action::Put(put) => model.put(put).map(Response::Put),
        Action::DeleteRange(delete) => Ok(Response::DeleteRange(model.delete(delete))),
        Action::Configuration(_) | Action::Publish(_) => Ok(Response::Done),
        Action::Txn(_)
        | Action::Compact(_)
        | Action::LeaseGrant(_)
        | Action::LeaseRevoke(_)
        | Action::LeaseCheckpoint(_)
        | Action::LeaseEnd(_) => panic!("this model has none"),
    }
}

fn compare_reads(node: &Node, model: &Model, draw: &mut Draw, reads: u64) {
    for _ in 0..reads {
        let request = draw.range(model.revision);
        let expected = model.range(&request);
        assert_eq!(read(&node.store, &request), expected, "{request:?}");
        let budget = 1 + draw.random.below(5) as usize;
        let in_steps = read_in_steps(&node.store, &request, budget);
        assert_eq!(in_steps, expected, "in steps of {budget}: {request:?}");
    }
    let now = model.at(model.revision);
    assert_eq!(node.store.keys(), now.len());
    assert_eq!(node.store.revision(), model.revision);
}

/// Goes on with the store as a restart would find it.
fn restart(node: &mut Node) {
    node.flush();
    let loaded = load(&node.disk).unwrap();
    assert_eq!(loaded.full_hash(), node.store.full_hash());
    assert_eq!(loaded.state_hash(), node.store.state_hash());
    assert_eq!(loaded.applied(), node.store.applied());
    assert_eq!(loaded.revision(), node.store.revision());
    assert_eq!(loaded.members(), node.store.members());
    assert_eq!(loaded.keys(), node.store.keys());
    let sizes = |store: &quorate_core::store::Store| (store.size_in_use(), store.size());
    assert_eq!(sizes(&loaded), sizes(&node.store));
    assert_eq!(loaded.position_row(), node.store.position_row());
    node.store = loaded;
}

fn run(seed: u64, keys: Vec<Bytes>, commands: u64, reads: u64) {
    let mut node = Node::new();
    let mut model = Model { revision: 1, past: Vec::new() };
    let mut draw = Draw { random: Random::new(seed), keys };
    node.run(configuration(&[3, 1, 2]));
    for _ in 0..commands {
        let action = match draw.random.below(20) {
            0..4 => Action::DeleteRange(draw.delete()),
            4 => publish(draw.random.below(4), "name"),
            _ => Action::Put(draw.put()),
        };
        let expected = expect(&mut model, &action);
        assert_eq!(node.answer(action.clone()), expected, "seed {seed}: {action:?}");
        compare_reads(&node, &model, &mut draw, reads);
        if draw.one_in(20) {
            restart(&mut node);
        }
    }
    check_rows(&node, &model);
}

/// On the disk is the past, in order, as any protobuf library encodes it.
fn check_rows(node: &Node, model: &Model) {
    let rows = node.disk.iter().filter(|(key, _)| key[0] == b'k');
    for ((_, value), (_, key, pair)) in rows.zip(&model.past) {
        let tombstone = KeyValue { key: key.clone(), ..Default::default() };
        assert_eq!(*value, pair.as_ref().unwrap_or(&tombstone).encode_to_vec());
    }
}

/// Few keys, so that they live and die often; prefixes of each other and odd bytes among them.
fn few() -> Vec<Bytes> {
    let keys: [&[u8]; 12] = [
        b"a",
        b"a\0",
        b"aa",
        b"ab",
        b"b",
        b"\0",
        b"\0\0",
        b"\xff",
        b"\xff\xff",
        b"b\xff",
        b"ba",
        b"c/d/e",
    ];
    keys.iter().map(|key| Bytes::from_static(key)).collect()
}

/// Enough keys to split pages on several levels, in a shape that has much in common.
fn many(random: &mut Random) -> Vec<Bytes> {
    let key = |random: &mut Random| {
        let (area, name) = (random.below(9), random.below(100_000));
        let tail = "x".repeat(random.below(3) as usize);
        Bytes::from(format!("/{}/{name}{tail}", "registry/".repeat(area as usize % 3)))
    };
    (0..30_000).map(|_| key(random)).collect()
}

#[test]
fn random_commands_on_few_keys() {
    for seed in 0..20 {
        run(seed, few(), 300, 4);
    }
}

#[test]
fn random_commands_on_some_hundred_keys() {
    for seed in 100..104 {
        let mut keys = many(&mut Random::new(seed));
        keys.truncate(400);
        run(seed, keys, 1200, 1);
    }
}

/// Keys as long as pages and longer: every page splits by its text, inner ones too.
#[test]
fn random_commands_on_long_keys() {
    let long = |n: u64| Bytes::from(format!("{}{n}", "k".repeat(6000 * (n as usize % 4))));
    run(7, (0..200).map(long).collect(), 600, 1);
}

#[test]
fn tens_of_thousands_of_keys_in_three_orders() {
    let mut random = Random::new(5);
    let mut rising = many(&mut random);
    rising.sort();
    let falling = rising.iter().rev().cloned().collect();
    for keys in [many(&mut random), rising, falling] {
        big(&keys, &mut random);
    }
}

/// Too many keys to ask the slow model about each: an ordered map stands in for the present.
fn big(keys: &[Bytes], random: &mut Random) {
    let mut node = Node::new();
    let mut now = BTreeMap::new();
    for key in keys {
        let put = PutRequest { key: key.clone(), ..Default::default() };
        node.try_put(put).unwrap();
        now.insert(key.clone(), node.store.revision());
    }
    for _ in 0..2000 {
        let (key, range_end) = (pick(random, keys).clone(), pick(random, keys).clone());
        let span = RangeRequest { key: key.clone(), range_end, limit: 20, ..Default::default() };
        let delete = random.below(10) == 0;
        let wanted: Vec<(&Bytes, &i64)> = if span.range_end > span.key {
            now.range(key.clone()..span.range_end.clone()).collect()
        } else {
            Vec::new()
        };
        let found = node.range(&span);
        assert_eq!(found.count, wanted.len() as i64);
        assert_eq!(found.more, wanted.len() > 20);
        let first = wanted.iter().take(20).map(|(key, at)| (*key, **at));
        assert!(found.kvs.iter().map(|kv| (&kv.key, kv.mod_revision)).eq(first));
        if delete {
            now.remove(&key);
            let delete = DeleteRangeRequest { key, ..Default::default() };
            node.answer(Action::DeleteRange(delete)).unwrap();
        }
    }
    assert_eq!(node.store.keys(), now.len());
    restart(&mut node);
}
