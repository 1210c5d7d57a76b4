//! Watches of a real server: live and from the past, slow and many, on followers, across a restart,
//! without a leader and at the end.

use std::time::{Duration, Instant};

use crate::common::cluster::started;
use crate::common::watch::{Stream, from, one, prefix};
use crate::common::{Client, SOON, Server};
use quorate_core::api::etcdserverpb::watch_request::RequestUnion;
use quorate_core::api::etcdserverpb::{
    WatchCancelRequest, WatchCreateRequest, WatchProgressRequest,
};
use quorate_core::api::mvccpb::Event;
use tonic::Code;

fn revisions(events: &[Event]) -> Vec<i64> {
    events.iter().map(|event| event.kv.as_ref().unwrap().mod_revision).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_holds_watchers_of_every_kind() {
    let mut server = Server::single();
    server.run();
    let client = server.client().await;
    for n in 0..10 {
        client.put(&format!("k{}", n % 3), &n.to_string()).await.unwrap();
    }
    let mut stream = Stream::open(&server.client_url).await;
    let created = stream.watch(from(4, prefix("k"))).await;
    let now = created.header.unwrap();
    assert_eq!((created.watch_id, now.revision), (0, 11));
    assert!(now.cluster_id != 0 && now.member_id != 0 && now.raft_term > 0);
    assert_eq!(revisions(&stream.events(8).await), (4..=11).collect::<Vec<_>>());

    let previous = WatchCreateRequest { prev_kv: true, watch_id: 7, ..one("k0") };
    assert_eq!(stream.watch(previous).await.watch_id, 7);
    client.delete("k0").await.unwrap();
    let mut told = [stream.next().await.unwrap(), stream.next().await.unwrap()];
    told.sort_by_key(|message| message.watch_id);
    let previous = told.map(|message| (message.watch_id, message.events[0].prev_kv.clone()));
    assert_eq!((previous[0].0, &previous[0].1), (0, &None));
    assert_eq!(previous[1].1.as_ref().unwrap().value, "9");

    stream.ask(RequestUnion::CancelRequest(WatchCancelRequest { watch_id: 0 }));
    let canceled = stream.next().await.unwrap();
    assert_eq!((canceled.watch_id, canceled.canceled, canceled.created), (0, true, false));
    client.put("k0", "again").await.unwrap();
    let told = stream.next().await.unwrap();
    assert_eq!((told.watch_id, told.events.len()), (7, 1));
    stream.ask(RequestUnion::ProgressRequest(WatchProgressRequest {}));
    let progress = stream.next().await.unwrap();
    assert_eq!((progress.watch_id, progress.header.unwrap().revision), (-1, 13));
    assert!(progress.events.is_empty());
    let (_, page) = server.get("/metrics");
    assert!(page.contains("\netcd_debugging_mvcc_watch_stream_total 1\n"), "{page}");
    assert!(page.contains("\netcd_debugging_mvcc_watcher_total 1\n"), "{page}");
    assert!(page.contains("\netcd_debugging_mvcc_events_total 11\n"), "{page}");
}

/// Everybody is told everything, on every stream, while the writers go on.
#[tokio::test(flavor = "multi_thread")]
async fn many_watchers_of_one_key_are_told_alike() {
    const STREAMS: usize = 10;
    const WATCHERS: usize = 50;
    const PUTS: usize = 20;
    let mut server = Server::single();
    server.run();
    let client = server.client().await;
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        let mut stream = Stream::open(&server.client_url).await;
        for _ in 0..WATCHERS {
            stream.watch(one("key")).await;
        }
        streams.push(stream);
    }
    for n in 0..PUTS {
        client.put("key", &n.to_string()).await.unwrap();
    }
    for stream in &mut streams {
        let mut seen = vec![Vec::new(); WATCHERS];
        while seen.iter().map(Vec::len).sum::<usize>() < WATCHERS * PUTS {
            let message = stream.next().await.unwrap();
            let watcher = usize::try_from(message.watch_id).unwrap();
            seen[watcher].extend(revisions(&message.events));
        }
        let all: Vec<i64> = (2..).take(PUTS).collect();
        assert!(seen.iter().all(|seen| *seen == all));
    }
}

/// A client that does not read holds back nobody, costs bounded memory, and misses nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_left_behind_and_catches_up() {
    const PUTS: usize = 300;
    let mut server = Server::single();
    server.run();
    let client = server.client().await;
    let value = "v".repeat(200_000);
    let (mut slow, mut fast) =
        (Stream::open(&server.client_url).await, Stream::open(&server.client_url).await);
    for stream in [&mut slow, &mut fast] {
        stream.watch(one("key")).await;
    }
    let writer = tokio::spawn(async move {
        for _ in 0..PUTS {
            client.put("key", &value).await.unwrap();
        }
    });
    let all: Vec<i64> = (2..).take(PUTS).collect();
    assert_eq!(revisions(&fast.events(PUTS).await), all);
    writer.await.unwrap();
    let (_, page) = server.get("/metrics");
    assert!(page.contains("\netcd_debugging_mvcc_slow_watcher_total 1\n"), "{page}");
    assert_eq!(revisions(&slow.events(PUTS).await), all);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_goes_on_after_a_restart_of_the_server() {
    let mut server = Server::single();
    server.run();
    let client = server.client().await;
    let mut stream = Stream::open(&server.client_url).await;
    stream.watch(one("key")).await;
    let first = client.put("key", "1").await.unwrap();
    assert_eq!(revisions(&stream.events(1).await), [first]);
    client.put("key", "2").await.unwrap();
    server.kill();
    server.run();
    let client = server.client().await;
    client.put("key", "3").await.unwrap();
    let mut stream = Stream::open(&server.client_url).await;
    stream.watch(from(first + 1, one("key"))).await;
    assert_eq!(revisions(&stream.events(2).await), [first + 1, first + 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_server_is_the_end_of_its_streams() {
    let mut server = Server::single();
    server.run();
    let mut stream = Stream::open(&server.client_url).await;
    stream.watch(one("key")).await;
    let begin = Instant::now();
    assert!(server.stop("TERM").success());
    assert!(begin.elapsed() < Duration::from_secs(2), "it waited for the stream");
    let end = stream.next().await.unwrap_err();
    assert_eq!((end.code(), end.message()), (Code::Unavailable, "etcdserver: server stopped"));
}

/// Every member tells the same, whoever was asked to write; and without a quorum it stays silent,
/// but for those who want to know (NL-2).
#[tokio::test(flavor = "multi_thread")]
async fn every_member_tells_the_same_and_some_are_told_of_a_lost_leader() {
    let mut members = started(&[]).await;
    let mut streams = Vec::new();
    for member in &members {
        let mut stream = Stream::open(&member.client_url).await;
        stream.watch(prefix("k")).await;
        streams.push(stream);
    }
    for n in 0..30 {
        let writer: Client = members[n % 3].client().await;
        writer.put(&format!("k{n}"), "v").await.unwrap();
    }
    let first = streams[0].events(30).await;
    assert_eq!(revisions(&first), (2..32).collect::<Vec<_>>());
    for stream in &mut streams[1..] {
        assert_eq!(stream.events(30).await, first);
    }
    let mut needy = Stream::open_with(&members[2].client_url, true).await.unwrap();
    needy.watch(prefix("k")).await;
    members[0].kill();
    members[1].kill();
    let end = needy.next().await.unwrap_err();
    assert_eq!((end.code(), end.message()), (Code::Unavailable, "etcdserver: no leader"));
    let refused = Stream::open_with(&members[2].client_url, true).await.err().unwrap();
    assert_eq!((refused.code(), refused.message()), (Code::Unavailable, "etcdserver: no leader"));
    // The other stream goes on, and hears of the next write.
    members[0].start();
    members[0].wait_ready();
    let writer = members[0].client().await;
    while writer.put("k", "after").await.is_err() {}
    assert_eq!(revisions(&streams[2].events(1).await).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_watcher_is_told_that_it_misses_nothing() {
    let mut server = Server::single().with("--watch-progress-notify-interval=100ms");
    server.run();
    let client = server.client().await;
    let mut stream = Stream::open(&server.client_url).await;
    stream.watch(WatchCreateRequest { progress_notify: true, ..one("key") }).await;
    let revision = client.put("other", "x").await.unwrap();
    let begin = Instant::now();
    loop {
        let progress = stream.next().await.unwrap();
        assert!(progress.events.is_empty() && progress.watch_id == 0);
        if progress.header.unwrap().revision == revision {
            break;
        }
        assert!(begin.elapsed() < SOON, "no progress");
    }
}
