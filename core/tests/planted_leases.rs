//! Each bug of leases that needs one member only, shown to break what it says it breaks. Those that
//! need several are hunted by the simulator.
#![cfg(planted)]
#![allow(missing_docs, clippy::unwrap_used)]

mod store_support;

use quorate_core::api::etcdserverpb::{LeaseGrantRequest, LeaseRevokeRequest, PutRequest};
use quorate_core::api::wire::command::Action;
use quorate_core::api::wire::{LeaseCheckpoint, LeaseRemaining};
use quorate_core::planted::Bug;
use quorate_core::store::{Loader, Store};
use quorate_core::types::{LeaseId, NodeId};
use store_support::{Disk, Node, put};

/// A store of a member, loaded from a disk, with a bug in it.
fn loaded(disk: &Disk, planted: Option<Bug>, member: u64) -> Store {
    let mut loader = Loader::with_planted(planted, NodeId(member));
    disk.iter().for_each(|(key, value)| loader.row(key, value).unwrap());
    loader.finish().unwrap()
}

fn node(planted: Option<Bug>, member: u64) -> Node {
    Node { store: Store::with_planted(planted, NodeId(member)), ..Node::new() }
}

fn grant(node: &mut Node, id: i64) {
    node.run(Action::LeaseGrant(LeaseGrantRequest { id, ttl: 600 }));
}

fn put_with(node: &mut Node, key: &str, lease: i64) {
    node.run(Action::Put(PutRequest { lease, ..put(key, "") }));
}

fn revoke(node: &mut Node, id: i64) {
    node.run(Action::LeaseRevoke(LeaseRevokeRequest { id }));
}

#[test]
fn a_lost_attachment_leaves_a_key_behind() {
    let left = |planted| {
        let mut node = node(planted, 1);
        grant(&mut node, 1);
        grant(&mut node, 2);
        put_with(&mut node, "a", 1);
        put_with(&mut node, "a", 2);
        revoke(&mut node, 2);
        node.store.keys()
    };
    assert_eq!((left(None), left(Some(Bug::AttachmentLost))), (0, 1));
}

#[test]
fn forgotten_negative_leases_make_members_differ() {
    let left = |planted| {
        let mut node = node(planted, 1);
        grant(&mut node, -1);
        put_with(&mut node, "a", -1);
        node.flush();
        node.store = loaded(&node.disk, planted, 1);
        revoke(&mut node, -1);
        (node.store.keys(), node.store.state_hash())
    };
    let (sound, ill) = (left(None), left(Some(Bug::NegativeLeasesForgotten)));
    assert_eq!((sound.0, ill.0), (0, 1));
    assert_ne!(sound.1, ill.1);
}

#[test]
fn unsorted_keys_make_members_differ() {
    let hash = |planted, member| {
        let mut node = node(planted, member);
        grant(&mut node, 1);
        put_with(&mut node, "a", 1);
        put_with(&mut node, "b", 1);
        revoke(&mut node, 1);
        node.store.state_hash()
    };
    assert_eq!(hash(None, 1), hash(None, 2));
    assert_ne!(hash(Some(Bug::KeysOfLeaseUnsorted), 1), hash(Some(Bug::KeysOfLeaseUnsorted), 2));
}

#[test]
fn a_checkpoint_that_is_not_stored_is_gone_after_a_restart() {
    let remaining = |planted| {
        let mut node = node(planted, 1);
        grant(&mut node, 1);
        let told = LeaseRemaining { id: 1, since: 1, remaining: Some(300) };
        node.run(Action::LeaseCheckpoint(LeaseCheckpoint { leases: vec![told] }));
        node.flush();
        let span = |store: &Store| store.leases().find(|(id, _)| *id == LeaseId(1)).unwrap().1;
        let before = span(&node.store).remaining;
        assert!(before.is_some());
        span(&loaded(&node.disk, planted, 1)).remaining == before
    };
    assert!(remaining(None));
    assert!(!remaining(Some(Bug::CheckpointNotStored)));
}
