//! The store against a model that is too simple to be wrong: a list of all that ever happened.
//!
//! Random commands go to both; after each, random reads with every option must agree, in one step
//! and in many. At random moments the rows are flushed, and the store that is loaded from the disk
//! must be the one that wrote it.
#![allow(missing_docs, clippy::unwrap_used)]

mod store_support;

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use quorate_core::api::etcdserverpb::{DeleteRangeRequest, PutRequest, RangeRequest};
use quorate_core::api::mvccpb::KeyValue;
use quorate_core::api::wire::command::Action;
use quorate_core::api::{Refusal, Response};
use quorate_core::random::Random;
use store_support::draw::Draw;
use store_support::model::Model;
use store_support::{
    Node, check_encoding, configuration, load, pick, publish, read, read_in_steps,
};

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
        if let Ok(response) = &expected {
            check_encoding(&node.store, &request, response);
        }
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
    let mut model = Model::new();
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
    for ((_, value), (_, _, key, pair)) in rows.zip(&model.past) {
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
