//! A cluster of one, as a client and an operator see it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::{Client, Server, ended, quorate};
use quorate_core::api::etcdserverpb::request_op::Request as Op;
use quorate_core::api::etcdserverpb::{PutRequest, RangeRequest, RequestOp, TxnRequest};
use quorate_core::api::mvccpb::KeyValue;
use tokio::time::timeout;
use tonic::Code;

#[tokio::test]
async fn what_was_put_can_be_got_and_deleted() {
    let mut server = Server::single();
    server.run();
    let client = server.client().await;
    let first = client.put("a", "1").await.unwrap();
    assert_eq!(client.put("a", "2").await.unwrap(), first + 1);
    assert_eq!(client.get("a").await.unwrap().as_deref(), Some("2"));
    let old = RangeRequest { key: "a".into(), revision: first, ..RangeRequest::default() };
    assert_eq!(client.range(old).await.unwrap().kvs[0].value, "1");
    assert_eq!(client.delete("a").await.unwrap(), 1);
    assert_eq!(client.get("a").await.unwrap(), None);
    assert_eq!(client.delete("a").await.unwrap(), 0);
}

#[tokio::test]
async fn a_long_range_comes_whole_and_from_one_revision() {
    let mut server = Server::single();
    server.run();
    let client = server.client().await;
    for n in 0..2500 {
        client.put(&format!("k{n:05}"), "x").await.unwrap();
    }
    let prefix = RangeRequest { key: "k".into(), range_end: "l".into(), ..Default::default() };
    let response = client.range(prefix).await.unwrap();
    assert_eq!((response.kvs.len(), response.count, response.more), (2500, 2500, false));
    assert!(response.kvs.is_sorted_by(|a, b| a.key < b.key));
}

/// Writes a thousand keys of a kilobyte, all with this letter, a hundred in one revision.
async fn fill(client: &Client, letter: &str) {
    for part in 0..10 {
        let put = |n: i32| PutRequest {
            key: format!("k{part}{n:03}").into(),
            value: letter.repeat(1000).into(),
            ..PutRequest::default()
        };
        let ops = (0..100).map(|n| RequestOp { request: Some(Op::RequestPut(put(n))) });
        let txn = TxnRequest { success: ops.collect(), ..TxnRequest::default() };
        client.kv.clone().txn(txn).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_range_is_whole_whatever_is_written_while_it_is_sent() {
    let mut server = Server::single();
    server.run();
    let client = server.client().await;
    fill(&client, "a").await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (client, stop) = (client.clone(), Arc::clone(&stop));
        async move {
            for letter in ["b", "c", "d"].iter().cycle() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                fill(&client, letter).await;
            }
        }
    });
    let all = RangeRequest { key: "k".into(), range_end: "l".into(), ..Default::default() };
    let mut revisions = BTreeSet::new();
    for _ in 0..30 {
        // Somebody who leaves in the middle leaves the connection as it was.
        let _ = timeout(Duration::from_millis(3), client.range(all.clone())).await;
        let response = client.range(all.clone()).await.unwrap();
        let revision = response.header.unwrap().revision;
        assert_eq!((response.kvs.len(), response.count, response.more), (1000, 1000, false));
        assert!(response.kvs.is_sorted_by(|a, b| a.key < b.key));
        assert!(response.kvs.iter().all(|pair| pair.mod_revision <= revision));
        // What one transaction wrote is there as a whole.
        for part in response.kvs.chunks(100) {
            let one = |pair: &KeyValue| (pair.mod_revision, pair.version, pair.value.clone());
            assert!(part.iter().all(|pair| one(pair) == one(&part[0])), "{}", part[0].mod_revision);
        }
        revisions.insert(revision);
    }
    stop.store(true, Ordering::Relaxed);
    writer.await.unwrap();
    assert!(revisions.len() > 3, "hardly anything was written: {revisions:?}");
    let limited = RangeRequest { limit: 600, ..all.clone() };
    let response = client.range(limited).await.unwrap();
    assert_eq!((response.kvs.len(), response.count, response.more), (600, 1000, true));
    let keys_only = RangeRequest { keys_only: true, ..all };
    let response = client.range(keys_only).await.unwrap();
    assert!(response.kvs.len() == 1000 && response.kvs.iter().all(|pair| pair.value.is_empty()));
}

#[tokio::test]
async fn refusals_have_the_codes_and_texts_of_etcd() {
    let mut server = Server::single();
    server.run();
    let client = server.client().await;
    let empty = client.put("", "x").await.unwrap_err();
    assert_eq!(empty.code(), Code::InvalidArgument);
    assert_eq!(empty.message(), "etcdserver: key is not provided");
    let future = RangeRequest { key: "a".into(), revision: 99, ..RangeRequest::default() };
    let future = client.range(future).await.unwrap_err();
    assert_eq!(future.code(), Code::OutOfRange);
    assert_eq!(future.message(), "etcdserver: mvcc: required revision is a future revision");
    let large = client.put("large", &"x".repeat(1_572_865)).await.unwrap_err();
    assert_eq!(large.code(), Code::InvalidArgument);
    assert_eq!(large.message(), "etcdserver: request is too large");
    let huge = client.put("huge", &"x".repeat(3 << 20)).await.unwrap_err();
    assert_eq!(huge.code(), Code::ResourceExhausted);
    assert_eq!(huge.message(), "grpc: received message larger than max (3145739 vs. 2097152)");
    let lease = PutRequest { key: "a".into(), lease: 7, ..PutRequest::default() };
    let lease = client.kv.clone().put(lease).await.unwrap_err();
    assert_eq!(lease.message(), "etcdserver: requested lease not found");
    let nothing = client.kv.clone().txn(TxnRequest::default()).await.unwrap().into_inner();
    assert!(nothing.succeeded && nothing.responses.is_empty(), "{nothing:?}");
}

#[tokio::test]
async fn the_member_tells_who_it_is() {
    let mut server = Server::single();
    server.run();
    let client = server.client().await;
    let status = client.status().await.unwrap();
    assert_eq!(status.version, "3.6.14");
    assert_eq!(status.storage_version, "3.6.0");
    assert_eq!(status.db_size_quota, 2 << 30);
    assert_eq!(status.leader, status.header.unwrap().member_id);
    assert!(status.errors.is_empty());
    assert!(status.raft_applied_index <= status.raft_index);
    let members = client.members().await.unwrap();
    assert_eq!(members.len(), 1);
    assert_eq!(members[0].id, status.leader);
    assert_eq!(members[0].name, "m0");
    assert_eq!(members[0].peer_ur_ls, [server.peer_url.clone()]);
    assert_eq!(members[0].client_ur_ls, [server.client_url.clone()]);
}

#[tokio::test]
async fn the_pages_answer_on_the_port_of_grpc() {
    let mut server = Server::single();
    server.run();
    server.client().await.put("a", "1").await.unwrap();
    assert_eq!(server.get("/health"), (200, r#"{"health":"true","reason":""}"#.to_owned()));
    assert_eq!(server.get("/health?serializable=true").0, 200);
    assert_eq!(
        server.get("/version").1,
        r#"{"etcdserver":"3.6.14","etcdcluster":"3.6.0","storage":"3.6.0"}"#
    );
    assert_eq!(server.get("/livez"), (200, "ok\n".to_owned()));
    assert_eq!(server.get("/livez?verbose").1, "[+]serializable_read ok\nok\n");
    assert!(server.get("/readyz?verbose").1.contains("[+]linearizable_read ok\n"));
    assert_eq!(server.get("/readyz/non_learner"), (200, "ok\n".to_owned()));
    assert_eq!(server.get("/livez/nonsense"), (404, "404 page not found\n".to_owned()));
    assert_eq!(server.get("/"), (404, "404 page not found\n".to_owned()));
    let (status, page) = server.get("/metrics");
    assert_eq!(status, 200);
    for line in [
        "etcd_server_has_leader 1",
        "etcd_server_is_leader 1",
        "etcd_mvcc_put_total 1",
        "etcd_debugging_mvcc_current_revision 2",
        "etcd_debugging_mvcc_keys_total 1",
        "etcd_server_version{server_version=\"3.6.14\"} 1",
    ] {
        assert!(page.lines().any(|have| have == line), "{line} is missing in\n{page}");
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_kill_9() {
    // So few that the log is shortened in between.
    let mut server = Server::single().with("--snapshot-count=20");
    for life in 0..3 {
        server.run();
        let client = server.client().await;
        let acknowledged = Arc::new(Mutex::new(BTreeMap::new()));
        let writers = (0..8).map(|writer| {
            let (client, acknowledged) = (client.clone(), Arc::clone(&acknowledged));
            tokio::spawn(async move {
                for n in 0.. {
                    let (key, value) = (format!("{life}/{writer}/{n}"), format!("v{n}"));
                    let Ok(revision) = client.put(&key, &value).await else { return };
                    acknowledged.lock().unwrap().insert(key, (value, revision));
                }
            })
        });
        let writers: Vec<_> = writers.collect();
        tokio::time::sleep(Duration::from_millis(400)).await;
        server.kill();
        for writer in writers {
            writer.await.unwrap();
        }
        server.run();
        let acknowledged = Arc::try_unwrap(acknowledged).unwrap().into_inner().unwrap();
        assert!(acknowledged.len() > 10, "too little happened: {}", acknowledged.len());
        let all = server.client().await.all().await;
        let kept: BTreeMap<_, _> = all.kvs.iter().map(|pair| (pair.key.clone(), pair)).collect();
        for (key, (value, revision)) in &acknowledged {
            let pair = kept.get(key.as_bytes()).unwrap_or_else(|| panic!("{key} is lost"));
            assert_eq!((pair.value.as_ref(), pair.mod_revision), (value.as_bytes(), *revision));
        }
        server.kill();
    }
}

#[tokio::test]
async fn a_signal_stops_it_cleanly() {
    let mut server = Server::single();
    for signal in ["TERM", "INT"] {
        server.run();
        server.client().await.put(signal, "kept").await.unwrap();
        assert!(server.stop(signal).success(), "{signal}");
    }
    server.run();
    let client = server.client().await;
    assert_eq!(client.get("TERM").await.unwrap().as_deref(), Some("kept"));
    assert_eq!(client.get("INT").await.unwrap().as_deref(), Some("kept"));
}

#[test]
fn the_version_begins_with_that_of_etcd() {
    let mut command = quorate();
    command.arg("--version");
    let (code, text) = ended(command);
    assert_eq!(code, Some(0));
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("etcd Version: 3.6."), "{text}");
    assert!(lines[1].starts_with("Quorate Version: "), "{text}");
}
