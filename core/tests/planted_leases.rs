//! Each planted bug of leases, shown to break what it says it breaks: those of the store by
//! themselves, those of consensus in a trace that goes otherwise with the bug in it.
#![cfg(planted)]
#![allow(missing_docs, clippy::unwrap_used)]

mod script;
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

/// What the last paragraph causes of a trace that is cut behind `last`, with a bug in every member.
fn caused(trace: &str, last: &str, planted: Option<Bug>, tail: &str) -> String {
    let path = format!("{}/../traces/lease/{trace}.trace", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let (before, _) = text.split_once(&format!("\n{last}\n")).unwrap();
    let mut text = format!("{before}\n{last}\n{tail}\n----\n");
    if let Some(bug) = planted {
        let founds = text.lines().find(|line| line.starts_with("cluster ")).unwrap().to_owned();
        text = text.replace(&founds, &format!("{founds} planted={}", bug.name()));
    }
    let transcript = script::replay(&text);
    let transcript = transcript.unwrap_or_else(|(line, why)| panic!("{trace}:{line}: {why}"));
    transcript.rsplit("----\n").next().unwrap().to_owned()
}

/// A trace, the command behind which it is cut, commands that go on from there; what is caused by
/// the last paragraph, and what is caused by it with the bug.
type Case<'a> = (Bug, &'a str, &'a str, &'a str, &'a str, &'a str);

#[test]
fn each_bug_of_consensus_breaks_a_promise() {
    let cases: [Case<'_>; 8] = [
        (
            Bug::EndByDeposedLeader,
            "a_deposed_leader_ends_no_lease",
            "leases n1 n2",
            "quietly doze n1 500\nquietly stabilize\nleases n2",
            "n2: leases 7: 2s since 3, key",
            "n2: leases none",
        ),
        (
            Bug::RenewWithoutQuorum,
            "a_deposed_leader_ends_no_lease",
            "quietly stabilize",
            "quietly grant n1 8 60\nquietly stabilize\nisolate n1\nrenew n1 8",
            "n1: request n1.1.2 keep-alive",
            "n1: answer n1.1.2 ttl 60",
        ),
        (
            Bug::TtlInFullAtLeaderChange,
            "a_checkpoint_survives_a_leader_change",
            "leases n2 n3",
            "quietly doze n3 160\nquietly stabilize\nleases n3",
            "n3: leases none",
            "n3: leases 7: 600s since 3, 300s left\nn3: leases 7: 600s since 3, 300s left",
        ),
        (
            Bug::CheckpointOnce,
            "a_checkpoint_survives_a_leader_change",
            "leases n3",
            "quietly grant n1 8 1200\nquietly stabilize\nquietly doze n1 30000\nquietly stabilize\n\
             quietly doze n1 30000\nquietly stabilize\nleases n1",
            "8: 1200s since 5, 600s left",
            "8: 1200s since 5, 900s left",
        ),
        (
            Bug::RenewBeforeCheckpointIsVoid,
            "a_renewal_waits_until_a_checkpoint_is_void",
            "deliver n1 heartbeat-echo",
            "view n1",
            "n1: persist w5",
            "n1: answer n1.1.2 ttl 600",
        ),
        (
            Bug::EndByIdAlone,
            "an_end_spares_a_lease_that_was_granted_anew",
            "stabilize",
            "leases n1",
            "n1: leases 7: 60s since 5",
            "n1: leases none",
        ),
        (
            Bug::RenewAfterEnd,
            "a_renewal_that_comes_too_late_waits_for_the_end",
            "deliver n1 heartbeat-echo",
            "view n1",
            "n1: request n1.1.2 keep-alive",
            "n1: answer n1.1.2 ttl 2",
        ),
        (
            Bug::RenewFromOwnTable,
            "an_unknown_lease_is_asked_for_at_the_leader",
            "renew n3 7",
            "view n3",
            "n3: request n3.1.1 keep-alive",
            "n3: answer n3.1.1 ttl 0",
        ),
    ];
    for (bug, trace, last, tail, sound, ill) in cases {
        let found = caused(trace, last, None, tail);
        assert!(found.contains(sound) && !found.contains(ill), "without {bug}: {found}");
        let found = caused(trace, last, Some(bug), tail);
        assert!(found.contains(ill), "{bug}: {found}");
    }
}
