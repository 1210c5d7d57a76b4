//! Leases in the store: against a simple model, over restarts, and against damaged rows.
#![allow(missing_docs, clippy::unwrap_used)]

mod store_support;

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::api::etcdserverpb::request_op::Request as Op;
use quorate_core::api::etcdserverpb::{
    LeaseGrantRequest, LeaseRevokeRequest, PutRequest, RequestOp, TxnRequest,
};
use quorate_core::api::wire::command::Action;
use quorate_core::api::wire::{LeaseCheckpoint, LeaseEnd, LeaseRemaining};
use quorate_core::api::{Refusal, Response};
use quorate_core::random::Random;
use quorate_core::store::{Fact, Span};
use quorate_core::types::{Index, LeaseId, LeaseLife, Seconds};
use store_support::{Disk, Node, delete, load, pick, put};

const IDS: [i64; 6] = [1, 2, -1, i64::MIN, i64::MAX, 77];
const KEYS: [&str; 7] = ["a", "b", "ba", "c", "d", "e", "f"];

fn grant(id: i64, ttl: i64) -> Action {
    Action::LeaseGrant(LeaseGrantRequest { id, ttl })
}

fn revoke(id: i64) -> Action {
    Action::LeaseRevoke(LeaseRevokeRequest { id })
}

fn end(id: i64, since: u64) -> Action {
    Action::LeaseEnd(LeaseEnd { id, since })
}

fn checkpoint(id: i64, since: u64, remaining: Option<i64>) -> Action {
    Action::LeaseCheckpoint(LeaseCheckpoint {
        leases: vec![LeaseRemaining { id, since, remaining }],
    })
}

fn put_with(key: &str, lease: i64) -> Action {
    Action::Put(PutRequest { lease, ..put(key, "value") })
}

/// Leases as the rules speak of them: when granted, for how long, what is left; and what each key
/// of the store is attached to.
#[derive(Default)]
struct Model {
    leases: BTreeMap<i64, (u64, i64, Option<i64>)>,
    pairs: BTreeMap<String, i64>,
    revision: i64,
}

impl Model {
    fn new() -> Self {
        Self { revision: 1, ..Self::default() }
    }

    fn keys(&self, id: i64) -> Vec<&str> {
        let held = self.pairs.iter().filter(|(_, lease)| **lease == id);
        held.map(|(key, _)| key.as_str()).collect()
    }

    fn end(&mut self, id: i64) {
        let before = self.pairs.len();
        self.leases.remove(&id);
        self.pairs.retain(|_, lease| *lease != id);
        self.revision += i64::from(self.pairs.len() < before);
    }

    fn put(&mut self, key: &str, lease: Option<i64>) {
        let kept = self.pairs.get(key).copied().unwrap_or(0);
        self.pairs.insert(key.to_string(), lease.unwrap_or(kept));
        self.revision += 1;
    }
}

fn assert_equal(node: &Node, model: &Model) {
    let leases: BTreeMap<i64, (u64, i64, Option<i64>)> = node
        .store
        .leases()
        .map(|(id, span)| (id.0, (span.since.0, span.ttl.0, span.remaining.map(|left| left.0))))
        .collect();
    assert_eq!(leases, model.leases);
    assert_eq!(node.store.revision(), model.revision);
    assert_eq!(node.store.keys(), model.pairs.len());
    for id in IDS {
        let keys: Vec<_> = node.store.keys_of(LeaseId(id)).map(|key| key.to_vec()).collect();
        let expected: Vec<_> = model.keys(id).iter().map(|key| key.as_bytes().to_vec()).collect();
        assert_eq!(keys, expected, "lease {id}");
    }
    for (key, lease) in &model.pairs {
        assert_eq!(node.get(key).unwrap().lease, *lease, "{key}");
    }
}

/// One random command, in the store and in the model.
fn step(node: &mut Node, model: &mut Model, random: &mut Random) {
    let (id, key) = (*pick(random, &IDS), *pick(random, &KEYS));
    let known = model.leases.get(&id).copied();
    // Mostly the grant that is in force; sometimes an earlier one.
    let since = known.map_or(3, |(since, ..)| since - random.below(4) / 3);
    let meant = known.filter(|known| known.0 == since);
    match random.below(9) {
        0 => {
            let ttl = 1 + random.below(1000).cast_signed();
            let answer = node.answer(grant(id, ttl));
            if known.is_some() {
                return assert_eq!(answer, Err(Refusal::LeaseExists));
            }
            assert!(matches!(answer, Ok(Response::LeaseGrant(done)) if done.ttl == ttl));
            model.leases.insert(id, (node.store.applied().index.0, ttl, None));
        }
        1 => {
            let answer = node.answer(revoke(id));
            assert_eq!(answer.is_ok(), known.is_some());
            assert!(answer.is_ok() || answer == Err(Refusal::LeaseNotFound));
            model.end(id);
        }
        2 => {
            node.run(end(id, since));
            if meant.is_some() {
                model.end(id);
            }
        }
        3 => {
            let most = meant.map_or(1000, |(_, ttl, _)| ttl);
            let left = 1 + random.below(most.cast_unsigned()).cast_signed();
            let remaining = (random.below(3) > 0).then_some(left);
            node.run(checkpoint(id, since, remaining));
            if let Some((since, ttl, _)) = meant {
                model.leases.insert(id, (since, ttl, remaining));
            }
        }
        4 => {
            node.delete("b", "d");
            let doomed = |key: &String| ("b".."d").contains(&key.as_str());
            let before = model.pairs.len();
            model.pairs.retain(|key, _| !doomed(key));
            model.revision += i64::from(model.pairs.len() < before);
        }
        5 if model.pairs.contains_key(key) => {
            let put = PutRequest { ignore_lease: true, ..put(key, "kept") };
            node.try_put(put).unwrap();
            model.put(key, None);
        }
        6 => {
            node.try_put(put(key, "free")).unwrap();
            model.put(key, Some(0));
        }
        _ => match node.answer(put_with(key, id)) {
            Ok(_) => model.put(key, Some(id)),
            Err(refusal) => assert_eq!((refusal, known), (Refusal::LeaseNotFound, None)),
        },
    }
}

#[test]
fn leases_and_their_keys_are_those_of_a_simple_model_over_restarts() {
    for seed in 0..40 {
        let (mut node, mut model) = (Node::new(), Model::new());
        let mut random = Random::new(seed);
        for n in 0..300 {
            step(&mut node, &mut model, &mut random);
            assert_equal(&node, &model);
            if n % 20 == 0 {
                node.flush();
                let loaded = load(&node.disk).unwrap();
                assert_eq!(loaded.full_hash(), node.store.full_hash());
                assert_eq!(loaded.size_in_use(), node.store.size_in_use());
                assert_eq!(loaded.facts(), node.store.facts());
                node.store = loaded;
                assert_equal(&node, &model);
            }
        }
    }
}

/// All keys go in one main revision, numbered in key order (LE-6).
#[test]
fn a_lease_ends_in_one_revision_in_key_order() {
    let mut node = Node::new();
    node.run(grant(-5, 10));
    for key in ["c", "a", "b"] {
        node.run(put_with(key, -5));
    }
    let applied = node.run(revoke(-5));
    let told: Vec<(String, &[u8])> = applied
        .events
        .iter()
        .map(|written| (written.at.to_string(), written.record.key()))
        .collect();
    let expected: [(String, &[u8]); 3] =
        [("5.0".into(), b"a"), ("5.1".into(), b"b"), ("5.2".into(), b"c")];
    assert_eq!(told, expected);
    assert_eq!(applied.facts, [Fact::LeaseRevoked(LeaseId(-5))]);
    assert!(applied.events.iter().all(|written| written.previous.is_some()));
}

/// The operations of a transaction attach and detach like those that stand alone (TX-11).
#[test]
fn a_transaction_moves_keys_between_leases() {
    let operation = |request| RequestOp { request: Some(request) };
    let put_in = |key, lease| operation(Op::RequestPut(PutRequest { lease, ..put(key, "") }));
    let txn = |success| Action::Txn(TxnRequest { success, ..Default::default() });
    let held = |node: &Node, id| {
        let keys = node.store.keys_of(LeaseId(id)).map(|key| String::from_utf8(key.to_vec()));
        keys.map(Result::unwrap).collect::<Vec<_>>().join(" ")
    };
    let mut node = Node::new();
    node.run(grant(1, 10));
    node.run(grant(-2, 10));
    node.run(txn(vec![put_in("b", 1), put_in("a", 1), put_in("c", -2)]));
    assert_eq!((held(&node, 1), held(&node, -2)), ("a b".into(), "c".into()));
    let free = operation(Op::RequestDeleteRange(delete("c", "")));
    node.run(txn(vec![put_in("a", -2), put_in("b", 0), free]));
    assert_eq!((held(&node, 1), held(&node, -2)), (String::new(), "a".into()));
    let refused = node.answer(txn(vec![put_in("b", 1), put_in("d", 9)]));
    assert_eq!(refused, Err(Refusal::LeaseNotFound));
    assert_eq!((held(&node, 1), held(&node, -2)), (String::new(), "a".into()), "nothing is done");
    node.flush();
    assert_eq!(held(&Node { store: load(&node.disk).unwrap(), ..node }, -2), "a");
}

#[test]
fn a_lease_without_keys_ends_without_a_revision() {
    let mut node = Node::new();
    let granted = node.run(grant(5, 10));
    let span = Span { since: Index(1), ttl: Seconds(10), remaining: None };
    assert_eq!(granted.facts, [Fact::LeaseGranted(LeaseId(5), span)]);
    let Ok(Response::LeaseRevoke(done)) = node.answer(revoke(5)) else { panic!("no revoke") };
    assert_eq!((done.header.unwrap().revision, node.store.revision()), (1, 1));
}

/// An end or a checkpoint that speaks of an earlier grant of the same id does nothing.
#[test]
fn a_late_entry_does_not_hit_a_lease_that_was_granted_anew() {
    let mut node = Node::new();
    node.run(grant(5, 10));
    node.run(revoke(5));
    node.run(grant(5, 20));
    node.run(put_with("a", 5));
    for late in [end(5, 1), checkpoint(5, 1, Some(2))] {
        let applied = node.run(late);
        assert_eq!((applied.facts, applied.rows), (vec![], vec![]));
    }
    assert_eq!(node.store.keys_of(LeaseId(5)).count(), 1);
    assert_eq!(node.run(end(5, 3)).facts, [Fact::LeaseExpired(LeaseId(5))]);
    assert_eq!(node.store.keys(), 0);
}

#[test]
fn a_time_to_live_tells_of_a_lease_that_is_there() {
    let mut node = Node::new();
    node.run(grant(5, 10));
    node.run(put_with("a", 5));
    let life = Some(LeaseLife { granted: Seconds(10), left: Seconds(4) });
    let told = node.store.time_to_live(LeaseId(5), life, true);
    assert_eq!((told.id, told.ttl, told.granted_ttl, told.keys.len()), (5, 4, 10, 1));
    assert!(node.store.time_to_live(LeaseId(5), life, false).keys.is_empty());
    // The leader knows no more of it, or it ended here since the leader answered.
    for (id, life) in [(5, None), (6, life)] {
        let told = node.store.time_to_live(LeaseId(id), life, true);
        assert_eq!((told.id, told.ttl, told.granted_ttl, told.keys.len()), (id, -1, 0, 0));
    }
}

fn lease_key(id: i64) -> Vec<u8> {
    [b"l", &id.to_be_bytes()[..]].concat()
}

/// A table with one lease, one key attached to it, and a checkpoint.
fn table() -> Disk {
    let mut node = Node::new();
    node.run(grant(5, 10));
    node.run(put_with("a", 5));
    node.run(checkpoint(5, 1, Some(7)));
    node.flush();
    load(&node.disk).unwrap();
    node.disk
}

#[test]
fn a_pair_that_names_a_lease_which_does_not_exist_is_damage() {
    let mut table = table();
    table.remove(&lease_key(5));
    let found = load(&table).unwrap_err().to_string();
    let expected = "key \"a\" is attached to lease 0000000000000005, which does not exist";
    assert!(found.contains(expected), "{found}");
}

#[test]
fn a_lease_that_nobody_could_have_granted_is_damage() {
    let words = |words: &[i64]| words.iter().flat_map(|word| word.to_be_bytes()).collect();
    let cases: [(i64, Vec<u8>, &str); 8] = [
        (5, words(&[1]), "is not a lease of 16 or 24 bytes"),
        (5, words(&[1, 10, 7, 7]), "is not a lease of 16 or 24 bytes"),
        (5, words(&[1, 0]), "is not a lease that could have been granted"),
        (5, words(&[1, 9_000_000_001]), "is not a lease that could have been granted"),
        (5, words(&[1, 10, 11]), "is not a lease that could have been granted"),
        (5, words(&[1, 10, 0]), "is not a lease that could have been granted"),
        (5, words(&[4, 10]), "is newer than the position"),
        (0, words(&[1, 10]), "has a malformed lease id"),
    ];
    for (id, value, complaint) in cases {
        let mut table = table();
        table.insert(lease_key(id), value);
        let found = load(&table).unwrap_err().to_string();
        assert!(found.contains(complaint), "{found}: {complaint}");
    }
}

#[test]
fn every_flipped_bit_of_a_lease_is_found() {
    let table = table();
    let row = table[&lease_key(5)].clone();
    for bit in 0..8 * row.len() {
        let mut damaged = table.clone();
        damaged.get_mut(&lease_key(5)).unwrap()[bit / 8] ^= 1 << (bit % 8);
        load(&damaged).expect_err("a flipped bit");
    }
}

/// What a store tells consensus at start is what its log would have told.
#[test]
fn the_facts_of_a_loaded_store_are_all_there_is() {
    let mut node = Node::new();
    node.run(grant(5, 10));
    node.run(grant(-6, 20));
    node.run(grant(7, 30));
    node.run(checkpoint(5, 1, Some(7)));
    node.run(revoke(7));
    node.flush();
    let span = |since, ttl, remaining: Option<i64>| Span {
        since: Index(since),
        ttl: Seconds(ttl),
        remaining: remaining.map(Seconds),
    };
    let expected = [
        Fact::Restored,
        Fact::LeaseGranted(LeaseId(-6), span(2, 20, None)),
        Fact::LeaseGranted(LeaseId(5), span(1, 10, Some(7))),
    ];
    assert_eq!(load(&node.disk).unwrap().facts(), expected);
}

#[test]
fn ids_that_the_server_chooses_are_positive_and_differ() {
    use quorate_core::request::{MAX_REQUEST_BYTES, MAX_TTL, Request, lease_grant};
    use quorate_core::types::{NodeId, RequestId};
    let chosen = |member, boot, n| {
        let id = RequestId { member: NodeId(member), boot, n };
        let grant = LeaseGrantRequest { id: 0, ttl: 0 };
        let request = lease_grant(id, grant, Seconds(2), MAX_REQUEST_BYTES).unwrap();
        let Request::Propose(command) = request else { panic!("a grant is proposed") };
        use prost::Message as _;
        let command = quorate_core::api::wire::Command::decode(command).unwrap();
        let Some(Action::LeaseGrant(grant)) = command.action else { panic!("a grant") };
        assert_eq!(grant.ttl, 2, "raised to the floor (LE-2)");
        grant.id
    };
    let mut ids = BTreeSet::new();
    for member in 1..5 {
        for boot in 1..5 {
            ids.extend((1..500).map(|n| chosen(member, boot, n)));
        }
    }
    assert_eq!(ids.len(), 4 * 4 * 499);
    assert!(ids.iter().all(|id| *id > 0));
    let id = RequestId { member: NodeId(1), boot: 1, n: 1 };
    let longest = |ttl| {
        let grant = LeaseGrantRequest { id: 1, ttl };
        lease_grant(id, grant, Seconds(2), MAX_REQUEST_BYTES).err()
    };
    assert_eq!(longest(MAX_TTL.0), None);
    assert_eq!(longest(MAX_TTL.0 + 1), Some(Refusal::LeaseTtlTooLarge));
}
