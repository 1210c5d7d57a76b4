//! The connections between members: who is let in, what ends a stream, and that they come again.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::time::Duration;

use tonic::transport::Endpoint;

use crate::common::cluster::{put_somehow, started};
use crate::common::etcdserverpb::kv_client::KvClient;
use crate::common::proxy::Proxy;
use crate::common::writers::Writers;
use crate::common::{Client, SOON, Server, http_get, wait};
use quorate_core::api::etcdserverpb::RangeRequest;
use quorate_core::raft::{Envelope, Message};
use quorate_core::types::{NodeId, Term};

/// What one member says to another one.
struct Greeting {
    cluster: u64,
    from: u64,
    to: u64,
    protocol: u64,
}

impl Greeting {
    /// Says it to the port of members; returns the connection and the answer's head.
    fn say(&self, url: &str) -> (TcpStream, String) {
        let address = url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let Self { cluster, from, to, protocol } = self;
        write!(
            stream,
            "GET /quorate/peer HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: \
             quorate-peer\r\nquorate-cluster: {cluster:x}\r\nquorate-from: {from:x}\r\nquorate-to: \
             {to:x}\r\nquorate-protocol: {protocol:x}\r\n\r\n"
        )
        .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        (stream, String::from_utf8(head).unwrap())
    }
}

/// The rest of what comes, until the other side closes.
fn rest(mut stream: TcpStream) -> String {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    String::from_utf8(rest).unwrap()
}

/// Members that serve, one of which is gone, and what that one says to the first.
async fn without_one() -> (Vec<Server>, Client, Greeting) {
    let mut members = started(&[]).await;
    let client = members[0].client().await;
    let to = client.status().await.unwrap().header.unwrap();
    let from = members[2].client().await.status().await.unwrap().header.unwrap();
    members[2].kill();
    let greeting =
        Greeting { cluster: to.cluster_id, from: from.member_id, to: to.member_id, protocol: 2 };
    (members, client, greeting)
}

#[tokio::test]
async fn strangers_are_told_in_words_why_they_are_not_heard() {
    let (members, client, greeting) = without_one().await;
    let url = &members[0].peer_url;
    assert_eq!(http_get(url, "/anything"), (404, "404 page not found\n".to_owned()));
    let (status, text) = http_get(url, "/quorate/peer");
    assert_eq!(status, 505, "{text}");
    assert!(text.contains("HTTP/1.1"), "{text}");

    let refused = |greeting: Greeting, status: &str, text: &str| {
        let (mut stream, head) = greeting.say(url);
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        let mut body = vec![0; text.len()];
        stream.read_exact(&mut body).unwrap();
        assert_eq!(String::from_utf8(body).unwrap(), text);
    };
    let Greeting { cluster, from, to, protocol } = greeting;
    let said = |cluster, from, to, protocol| Greeting { cluster, from, to, protocol };
    refused(said(cluster ^ 1, from, to, protocol), "412", "cluster ID mismatch");
    refused(said(cluster, from, from, protocol), "412", "this is member ");
    refused(said(cluster, to, to, protocol), "412", &NodeId(to).to_string());
    refused(said(cluster, from, to, 1), "412", "this member speaks protocol 2 of Quorate, not 1");
    assert!(members[0].log().contains("cluster ID mismatch"));

    let channel = Endpoint::from_shared(url.clone()).unwrap().connect().await.unwrap();
    let status = KvClient::new(channel).range(RangeRequest::default()).await.unwrap_err();
    assert_eq!(status.message(), "unknown service etcdserverpb.KV");
    put_somehow(&client, "still", "there").await;
}

#[tokio::test]
async fn a_stream_ends_where_it_makes_no_sense_and_says_so() {
    let (members, client, greeting) = without_one().await;
    let ended = |bytes: &[u8]| {
        let (mut stream, head) = greeting.say(&members[0].peer_url);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        stream.write_all(bytes).unwrap();
        rest(stream)
    };
    let framed = |from: u64| {
        let message = Message::HeartbeatEcho { round: 0 };
        let term = Term(1);
        let mut bytes = Vec::new();
        Envelope { from: NodeId(from), to: NodeId(greeting.to), term, message }.encode(&mut bytes);
        [u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec(), bytes].concat()
    };
    let too_large = ended(&[0xff; 9]);
    assert!(too_large.contains("an envelope of 4294967295 bytes"), "{too_large}");
    let garbage = ended(&[0, 0, 0, 3, 0xff, 0xff, 0xff]);
    assert!(garbage.contains("not an envelope of this protocol"), "{garbage}");
    let other = ended(&framed(greeting.from ^ 1));
    assert!(other.contains("not on this stream"), "{other}");
    assert!(members[0].log().contains("ended a member's stream: not on this stream"));

    // And one that does make sense is kept, through a pause in the middle of a length.
    let (mut stream, _) = greeting.say(&members[0].peer_url);
    stream.write_all(&[framed(greeting.from), vec![0]].concat()).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let silence = stream.read(&mut [0]).unwrap_err();
    assert_eq!(silence.kind(), ErrorKind::WouldBlock, "the stream was ended");
    // Until the member greets anew: then whoever spoke in its name is not heard any more.
    let (_newer, _) = greeting.say(&members[0].peer_url);
    stream.set_read_timeout(Some(SOON)).unwrap();
    let end = stream.read(&mut [0]);
    assert!(end.as_ref().is_ok_and(|bytes| *bytes == 0), "the older stream goes on: {end:?}");
    put_somehow(&client, "still", "there").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_cut_come_again_and_nothing_acknowledged_is_lost() {
    let proxies = Mutex::new(Vec::new());
    let mut members = Server::cluster_by(3, |url| {
        let proxy = Proxy::to(url.strip_prefix("http://").unwrap().to_owned());
        // By a name, which may have an address at which nobody listens.
        let reached = format!("http://{}", proxy.address.replace("127.0.0.1", "localhost"));
        proxies.lock().unwrap().push(proxy);
        reached
    });
    members.iter_mut().for_each(Server::start);
    members.iter().for_each(Server::wait_ready);
    let proxies = proxies.into_inner().unwrap();
    let whole = || {
        let connected = |member: &Server| {
            let page = member.get("/metrics").1;
            let active = page.lines().filter(|line| line.starts_with("etcd_network_active_peers{"));
            active.filter(|line| line.ends_with(" 1")).count() == 2
        };
        wait("all connections", || members.iter().all(connected).then_some(()));
    };
    let clients = [members[0].client().await, members[1].client().await, members[2].client().await];
    let twice = clients.iter().chain(&clients).cloned();
    let writers = Writers::start(twice, &"x".repeat(20_000), Duration::ZERO);
    for round in 0..12 {
        whole();
        tokio::time::sleep(Duration::from_millis(100)).await;
        proxies[round % 3].cut();
    }
    wait("puts", || (writers.count() > 100).then_some(()));
    let acknowledged = writers.stop().await;
    whole();
    let logs: String = members.iter().map(Server::log).collect();
    assert!(logs.contains(": it was closed"), "no connection was cut");
    assert!(!logs.contains("ended a member's stream"), "what came was not what was sent");
    put_somehow(&clients[0], "the", "end").await;
    for key in acknowledged {
        assert!(clients[0].get(&key).await.unwrap().is_some(), "{key} is lost");
    }
}

/// A member that is not one: it answers every greeting with these bytes, and hangs up.
fn impostor(url: &str, answer: String) {
    let listener = TcpListener::bind(url.strip_prefix("http://").unwrap()).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            if stream.read(&mut head).is_ok_and(|bytes| bytes > 0) {
                stream.write_all(answer.as_bytes()).ok();
            }
        }
    });
}

#[test]
fn a_member_that_is_not_heard_logs_why() {
    let says = |what: &str| format!("HTTP/1.1 {what}");
    let switches = |to: &str| format!("HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: {to}");
    for (answer, logged) in [
        (says("412 No\r\nContent-Length: 9\r\n\r\ntoo young"), "Failed: too young"),
        (says("200 OK\r\nContent-Length: 5\r\n\r\nhello"), "200 OK: hello"),
        (switches("quorate-peer\r\n\r\nsay it again"), "no connection: say it again"),
        (switches("other\r\n\r\n"), "101 Switching Protocols"),
        ("what?\r\n\r\n".to_owned(), "invalid HTTP version parsed"),
    ] {
        let mut members = Server::cluster(2);
        // First nobody is there: that is told, too, and does not hide the rest.
        members[0].start();
        wait("a refused connection", || members[0].log().contains("refused").then_some(()));
        impostor(&members[1].peer_url, answer);
        wait(logged, || members[0].log().contains(logged).then_some(()));
    }
}
