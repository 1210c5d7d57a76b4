//! Three members: they agree, they survive each other, and without a quorum they say so.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::common::cluster::{leader, put_somehow, started};
use crate::common::writers::Writers;
use crate::common::{SOON, Server, wait};
use quorate_core::api::etcdserverpb::RangeRequest;
use tonic::Code;

#[tokio::test]
async fn a_cluster_of_three_outlives_its_leader() {
    let mut members = started(&[]).await;
    let (a, b) = (members[0].client().await, members[1].client().await);
    for n in 0..200 {
        a.put(&format!("k{n}"), &format!("v{n}")).await.unwrap();
    }
    assert_eq!(b.get("k199").await.unwrap().as_deref(), Some("v199"), "a read misses a write");
    let list = a.members().await.unwrap();
    assert!(list.is_sorted_by_key(|member| member.id));
    assert!(list.iter().all(|member| !member.name.is_empty() && !member.client_ur_ls.is_empty()));

    let old = leader(&members).await;
    members[old].kill();
    let survivor = members[(old + 1) % 3].client().await;
    put_somehow(&survivor, "after", "the kill").await;
    for n in 0..200 {
        put_somehow(&survivor, &format!("k{n}"), &format!("w{n}")).await;
    }
    let new = leader(&members).await;
    assert_ne!(new, old);

    members[old].run();
    let returned = members[old].client().await;
    assert_equal(&members).await;
    assert_eq!(returned.get("k7").await.unwrap().as_deref(), Some("w7"));
}

/// Every member that runs has applied the same, and holds the same.
async fn assert_equal(members: &[Server]) {
    let begin = Instant::now();
    let mut clients = Vec::new();
    for member in members {
        clients.push(member.client().await);
    }
    loop {
        let mut applied = Vec::new();
        for client in &clients {
            applied.push(client.status().await.unwrap().raft_applied_index);
        }
        if applied.iter().all(|index| *index == applied[0]) {
            break;
        }
        assert!(begin.elapsed() < SOON, "they do not catch up: {applied:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let first = clients[0].all().await;
    for client in &clients[1..] {
        assert_eq!(first, client.all().await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_while_members_are_killed() {
    let mut members = started(&[]).await;
    let clients = [members[0].client().await, members[1].client().await, members[2].client().await];
    let twice = clients.iter().chain(&clients).cloned();
    let writers = Writers::start(twice, "x", Duration::ZERO);
    for round in 0..6 {
        let victim = if round % 2 == 0 { leader(&members).await } else { round % 3 };
        tokio::time::sleep(Duration::from_millis(300)).await;
        members[victim].kill();
        tokio::time::sleep(Duration::from_millis(300)).await;
        members[victim].run();
    }
    let acknowledged = writers.stop().await;
    assert!(acknowledged.len() > 100, "too little happened: {}", acknowledged.len());
    assert_equal(&members).await;
    let all = clients[0].all().await;
    let kept: BTreeSet<&[u8]> = all.kvs.iter().map(|pair| pair.key.as_ref()).collect();
    for key in &acknowledged {
        assert!(kept.contains(key.as_bytes()), "{key} is lost");
    }
}

#[tokio::test]
async fn without_a_quorum_requests_fail_in_time() {
    let mut members = started(&[]).await;
    let client = members[0].client().await;
    client.put("a", "1").await.unwrap();
    members[1].kill();
    members[2].kill();
    let begin = Instant::now();
    while client.status().await.unwrap().leader != 0 {
        assert!(begin.elapsed() < SOON, "it still believes in a leader");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let begin = Instant::now();
    let (put, get) = tokio::join!(client.put("a", "2"), client.get("a"));
    let (put, get) = (put.unwrap_err(), get.unwrap_err());
    let waited = begin.elapsed();
    assert!(waited > Duration::from_secs(6) && waited < Duration::from_secs(10), "{waited:?}");
    assert_eq!((put.code(), put.message()), (Code::DeadlineExceeded, "context deadline exceeded"));
    assert_eq!((get.code(), get.message()), (Code::Unavailable, "etcdserver: request timed out"));

    let serializable = RangeRequest { key: "a".into(), serializable: true, ..Default::default() };
    assert_eq!(client.range(serializable).await.unwrap().kvs[0].value, "1");
    let status = client.status().await.unwrap();
    assert_eq!(status.errors, ["etcdserver: no leader"]);
    let health = members[0].get("/health");
    assert_eq!(health, (503, "{\"health\":\"false\",\"reason\":\"RAFT NO LEADER\"}\n".to_owned()));
    let mut asking = tonic::Request::new(RangeRequest { key: "a".into(), ..Default::default() });
    asking.metadata_mut().insert("hasleader", "true".parse().unwrap());
    let refused = client.kv.clone().range(asking).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Unavailable, "etcdserver: no leader"));

    members[1].start();
    put_somehow(&client, "a", "3").await;
    assert_eq!(client.get("a").await.unwrap().as_deref(), Some("3"));
}

#[tokio::test]
async fn members_of_another_cluster_are_not_listened_to() {
    let mut members = Server::cluster(3);
    members[0].start();
    members[1].start();
    let mut stranger = members[2].command();
    let mut stranger = stranger.arg("--initial-cluster-token=other").spawn().unwrap();
    members[0].wait_ready();
    let log = || members[0].log() + &members[1].log();
    wait("the refusal", || log().contains("cluster ID mismatch").then_some(()));
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    assert_eq!(members[0].client().await.members().await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_seen_applied_before_it_is_seen_committed() {
    let members = started(&[]).await;
    let writer = Writers::start([members[0].client().await], "x", Duration::ZERO);
    let mut indices = BTreeSet::new();
    let begin = Instant::now();
    for round in 0.. {
        if round >= 600 && indices.len() > 50 {
            break;
        }
        assert!(begin.elapsed() < SOON, "hardly anything was written: {indices:?}");
        let status = members[round % 3].client().await.status().await.unwrap();
        let (committed, applied) = (status.raft_index, status.raft_applied_index);
        assert!(applied <= committed, "applied {applied}, committed {committed}");
        indices.insert(committed);
    }
    writer.stop().await;
}
