//! Leases of real members: they live as long as they are kept alive, through whichever member and
//! across leaders that are killed; then they end, and their keys with them.

use std::time::{Duration, Instant};

use crate::common::cluster::{leader, started};
use crate::common::{Client, SOON, Server};
use quorate_core::api::etcdserverpb::{
    LeaseGrantRequest, LeaseKeepAliveRequest, LeaseKeepAliveResponse, LeaseLeasesRequest,
    LeaseRevokeRequest, LeaseTimeToLiveRequest, LeaseTimeToLiveResponse, PutRequest,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status, Streaming};

/// What the clocks and the threads of a busy machine may add to the end of a lease: half a second
/// until the leader looks, and a second of an election timeout for a new one, are part of the
/// rules.
const SLACK: Duration = Duration::from_secs(8);

async fn grant(client: &Client, id: i64, ttl: i64) -> Result<(i64, i64), Status> {
    let request = LeaseGrantRequest { id, ttl };
    let granted = client.lease.clone().lease_grant(request).await?.into_inner();
    Ok((granted.id, granted.ttl))
}

async fn revoke(client: &Client, id: i64) -> Result<i64, Status> {
    let response = client.lease.clone().lease_revoke(LeaseRevokeRequest { id }).await?;
    Ok(response.into_inner().header.unwrap().revision)
}

async fn put_with(client: &Client, key: &str, lease: i64) -> Result<(), Status> {
    let key = key.to_owned().into();
    let put = PutRequest { key, value: "value".into(), lease, ..PutRequest::default() };
    client.kv.clone().put(put).await.map(drop)
}

async fn look(client: &Client, id: i64) -> Result<LeaseTimeToLiveResponse, Status> {
    let request = LeaseTimeToLiveRequest { id, keys: true };
    Ok(client.lease.clone().lease_time_to_live(request).await?.into_inner())
}

async fn list(client: &Client) -> Vec<i64> {
    let response = client.lease.clone().lease_leases(LeaseLeasesRequest {}).await.unwrap();
    response.into_inner().leases.iter().map(|lease| lease.id).collect()
}

/// A keep-alive stream in the hands of a test.
struct KeepAlive {
    ask: mpsc::Sender<LeaseKeepAliveRequest>,
    answers: Streaming<LeaseKeepAliveResponse>,
}

impl KeepAlive {
    async fn open(client: &Client) -> Self {
        Self::open_with(client, |_| ()).await
    }

    async fn open_with(
        client: &Client,
        prepare: impl FnOnce(&mut Request<ReceiverStream<LeaseKeepAliveRequest>>),
    ) -> Self {
        let (ask, questions) = mpsc::channel(1000);
        let mut request = Request::new(ReceiverStream::new(questions));
        prepare(&mut request);
        let answers = client.lease.clone().lease_keep_alive(request).await.unwrap().into_inner();
        Self { ask, answers }
    }

    async fn ask(&self, id: i64) {
        self.ask.send(LeaseKeepAliveRequest { id }).await.unwrap();
    }

    async fn answer(&mut self) -> Result<(i64, i64), Status> {
        let answer = self.answers.message().await?.expect("the stream goes on");
        assert!(answer.header.unwrap().member_id != 0);
        Ok((answer.id, answer.ttl))
    }

    /// The TTL of the answer.
    async fn renew(&mut self, id: i64) -> Result<i64, Status> {
        self.ask(id).await;
        let (answered, ttl) = self.answer().await?;
        assert_eq!(answered, id);
        Ok(ttl)
    }
}

/// When the key is gone. It must be there until `earliest`.
async fn wait_gone(client: &Client, key: &str, earliest: Instant) -> Instant {
    let latest = earliest + SLACK;
    loop {
        let asked = Instant::now();
        match client.get(key).await {
            Ok(None) => {
                let now = Instant::now();
                assert!(now >= earliest, "{key} is gone {:?} early", earliest - now);
                return now;
            }
            // Without a leader for a moment, a read may fail.
            Ok(Some(_)) | Err(_) => assert!(asked < latest, "{key} is there after its time"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_lease_that_nobody_renews_ends_with_its_keys() {
    let mut member = Server::single();
    member.run();
    let client = member.client().await;
    let begin = Instant::now();
    let (id, ttl) = grant(&client, 0, 1).await.unwrap();
    assert!(id > 0);
    assert_eq!(ttl, 2, "raised to the smallest TTL (LE-2)");
    put_with(&client, "a", id).await.unwrap();
    put_with(&client, "b", id).await.unwrap();
    put_with(&client, "c", id).await.unwrap();
    client.put("c", "let go").await.unwrap();
    let found = look(&client, id).await.unwrap();
    assert_eq!((found.granted_ttl, found.keys.len()), (2, 2));
    assert!((0..=2).contains(&found.ttl), "{found:?}");
    assert_eq!(list(&client).await, [id]);
    let before = client.put("d", "").await.unwrap();
    wait_gone(&client, "a", begin + Duration::from_secs(2)).await;
    assert_eq!(client.get("b").await.unwrap(), None);
    assert_eq!(client.get("c").await.unwrap().as_deref(), Some("let go"));
    assert_eq!(client.put("d", "").await.unwrap(), before + 2, "both keys in one revision");
    let found = look(&client, id).await.unwrap();
    assert_eq!((found.id, found.ttl, found.granted_ttl, found.keys.len()), (id, -1, 0, 0));
    assert_eq!(list(&client).await, [0_i64; 0]);
}

#[tokio::test]
async fn refusals_are_those_of_etcd() {
    let mut member = Server::single();
    member.run();
    let client = member.client().await;
    assert_eq!(grant(&client, -7, 60).await.unwrap(), (-7, 60));
    let cases = [
        (grant(&client, -7, 60).await.map(drop), Code::FailedPrecondition, "lease already exists"),
        (grant(&client, 8, 9_000_000_001).await.map(drop), Code::OutOfRange, "too large lease TTL"),
        (revoke(&client, 8).await.map(drop), Code::NotFound, "requested lease not found"),
        (put_with(&client, "a", 8).await, Code::NotFound, "requested lease not found"),
    ];
    for (answer, code, text) in cases {
        let status = answer.unwrap_err();
        assert_eq!((status.code(), status.message()), (code, &*format!("etcdserver: {text}")));
    }
    let mut stream = KeepAlive::open(&client).await;
    assert_eq!(stream.renew(8).await.unwrap(), 0, "an unknown lease has a TTL of 0 (LE-9)");
    assert_eq!(stream.renew(-7).await.unwrap(), 60, "and the stream stays open");
}

#[tokio::test]
async fn leases_and_attachments_survive_a_kill() {
    let mut member = Server::single();
    member.run();
    let client = member.client().await;
    for id in [-1, 5] {
        grant(&client, id, 600).await.unwrap();
        put_with(&client, &format!("key of {id}"), id).await.unwrap();
    }
    put_with(&client, "moved", 5).await.unwrap();
    put_with(&client, "moved", -1).await.unwrap();
    member.kill();
    member.run();
    let client = member.client().await;
    assert_eq!(list(&client).await, [-1, 5]);
    let found = look(&client, -1).await.unwrap();
    assert_eq!(
        (found.granted_ttl, &*found.keys[0], &*found.keys[1]),
        (600, &b"key of -1"[..], &b"moved"[..])
    );
    assert_eq!(revoke(&client, -1).await.unwrap(), 6);
    let left: Vec<_> = client.all().await.kvs.into_iter().map(|pair| pair.key).collect();
    assert_eq!(left, ["key of 5"]);
}

/// A stream that asks nothing learns at once that its server stops (NL-4).
#[tokio::test]
async fn an_idle_stream_ends_with_its_server() {
    let mut member = Server::single();
    member.run();
    let client = member.client().await;
    let mut stream = KeepAlive::open(&client).await;
    assert_eq!(stream.renew(7).await.unwrap(), 0);
    let stopped = tokio::task::spawn_blocking(move || member.stop("TERM"));
    let status = stream.answer().await.unwrap_err();
    let told = (status.code(), status.message());
    assert_eq!(told, (Code::Unavailable, "etcdserver: server stopped"));
    assert!(stopped.await.unwrap().success());
}

/// Many leases on one stream: answers come in the order of the questions.
#[tokio::test]
async fn a_stream_through_a_follower_keeps_many_leases_alive() {
    const TTL: i64 = 5;
    let ttl = Duration::from_secs(5);
    let members = started(&[]).await;
    let leads = leader(&members).await;
    let (follower, other) = ((leads + 1) % 3, (leads + 2) % 3);
    let (a, b) = (members[follower].client().await, members[other].client().await);
    let grants = (1..=300).map(|id| {
        let a = a.clone();
        tokio::spawn(async move { grant(&a, id, TTL).await.unwrap() })
    });
    for granted in grants.collect::<Vec<_>>() {
        granted.await.unwrap();
    }
    put_with(&a, "kept", 7).await.unwrap();
    // Whatever member is asked, a lease that was granted is known.
    let mut stream = KeepAlive::open(&b).await;
    let begin = Instant::now();
    let mut renewed = Instant::now();
    while begin.elapsed() < 2 * ttl {
        renewed = Instant::now();
        for id in 1..=300 {
            stream.ask(id).await;
        }
        for id in 1..=300 {
            assert_eq!(stream.answer().await.unwrap(), (id, TTL));
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    assert_eq!(a.get("kept").await.unwrap().as_deref(), Some("value"));
    wait_gone(&b, "kept", renewed + ttl).await;
    assert_eq!(stream.renew(7).await.unwrap(), 0);
}

#[tokio::test]
async fn a_lease_outlives_its_leader_by_its_ttl_and_not_for_ever() {
    let mut members = started(&[]).await;
    let leads = leader(&members).await;
    let survivor = members[(leads + 1) % 3].client().await;
    grant(&survivor, 5, 4).await.unwrap();
    put_with(&survivor, "held", 5).await.unwrap();
    let mut stream = KeepAlive::open(&survivor).await;
    let renewed = Instant::now();
    assert_eq!(stream.renew(5).await.unwrap(), 4);
    members[leads].kill();
    // The stream goes on, at the new leader.
    let again = Instant::now();
    assert_eq!(stream.renew(5).await.unwrap(), 4);
    assert!(again > renewed);
    wait_gone(&survivor, "held", again + Duration::from_secs(4)).await;
    assert_eq!(stream.renew(5).await.unwrap(), 0);
}

#[tokio::test]
async fn without_a_leader_lease_calls_end_with_that() {
    let mut members = started(&[]).await;
    let client = members[0].client().await;
    grant(&client, 5, 600).await.unwrap();
    let hasleader = |request: &mut Request<ReceiverStream<LeaseKeepAliveRequest>>| {
        request.metadata_mut().insert("hasleader", "true".parse().unwrap());
    };
    let mut caring = KeepAlive::open_with(&client, hasleader).await;
    assert_eq!(caring.renew(5).await.unwrap(), 600);
    let mut patient = KeepAlive::open(&client).await;
    members[1].kill();
    members[2].kill();
    let begin = Instant::now();
    while client.status().await.unwrap().leader != 0 {
        assert!(begin.elapsed() < SOON, "it still believes in a leader");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let begin = Instant::now();
    patient.ask(5).await;
    let (lost, asked, looked) = tokio::join!(caring.answer(), patient.answer(), look(&client, 5));
    let waited = begin.elapsed();
    assert!(waited > Duration::from_secs(6) && waited < Duration::from_secs(12), "{waited:?}");
    for status in [lost.unwrap_err(), asked.unwrap_err(), looked.unwrap_err()] {
        assert_eq!((status.code(), status.message()), (Code::Unavailable, "etcdserver: no leader"));
    }
    assert_eq!(list(&client).await, [5], "what the member itself knows it still tells");
}
