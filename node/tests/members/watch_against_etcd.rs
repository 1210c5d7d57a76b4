//! Watches beside a genuine etcd: the same requests get the same messages, one by one.
//!
//! The ids of cluster and member and the term are left out of the comparison, and so is the order
//! in which watchers of one stream are told of one change: nobody promises it. Debian's etcd is
//! 3.4; what later versions changed (WA-16: no progress before all is told; negative starts) is not
//! asked here.

use quorate_core::api::etcdserverpb::request_op::Request as Op;
use quorate_core::api::etcdserverpb::watch_request::RequestUnion;
use quorate_core::api::etcdserverpb::{
    CompactionRequest, PutRequest, RequestOp, ResponseHeader, TxnRequest, WatchCancelRequest,
    WatchCreateRequest, WatchProgressRequest, WatchResponse,
};

use crate::common::etcd::Etcd;
use crate::common::watch::{Stream, from, one, prefix};
use crate::common::{Client, Server};

/// One of the two servers, with one stream.
struct Party {
    client: Client,
    stream: Stream,
}

/// What is asked, and how many messages must come of it.
enum Step {
    Put(&'static str, &'static str),
    Delete(&'static str),
    Together(&'static [(&'static str, &'static str)]),
    Compact(i64),
    Watch(WatchCreateRequest),
    Cancel(i64),
    Progress,
}

impl Party {
    async fn at(url: &str) -> Self {
        let first = WatchCreateRequest { watch_id: 99, ..one("nobody writes this") };
        let mut stream = Stream::open_asking(url, false, Some(first)).await.unwrap();
        assert!(stream.next().await.unwrap().created);
        Self { client: Client::connect(url).await, stream }
    }

    /// Takes a step and waits for so many messages; header and order as they can be compared.
    async fn take(&mut self, step: &Step, messages: usize) -> Vec<WatchResponse> {
        match step {
            Step::Put(key, value) => drop(self.client.put(key, value).await.unwrap()),
            Step::Delete(key) => drop(self.client.delete(key).await.unwrap()),
            Step::Together(pairs) => self.together(pairs).await,
            Step::Compact(revision) => {
                let compaction = CompactionRequest { revision: *revision, physical: false };
                self.client.kv.compact(compaction).await.unwrap();
            }
            Step::Watch(create) => self.stream.create(create.clone()),
            Step::Cancel(watch_id) => {
                let cancel = WatchCancelRequest { watch_id: *watch_id };
                self.stream.ask(RequestUnion::CancelRequest(cancel));
            }
            Step::Progress => {
                self.stream.ask(RequestUnion::ProgressRequest(WatchProgressRequest {}));
            }
        }
        let mut told = Vec::new();
        for _ in 0..messages {
            let mut message = self.stream.next().await.unwrap();
            let revision = message.header.unwrap().revision;
            message.header = Some(ResponseHeader { revision, ..ResponseHeader::default() });
            told.push(message);
        }
        told.sort_by_key(|message| message.watch_id);
        told
    }

    async fn together(&mut self, pairs: &[(&'static str, &'static str)]) {
        let put = |(key, value): &(&'static str, &'static str)| {
            let put =
                PutRequest { key: (*key).into(), value: (*value).into(), ..Default::default() };
            RequestOp { request: Some(Op::RequestPut(put)) }
        };
        let success = pairs.iter().map(put).collect();
        self.client.kv.txn(TxnRequest { success, ..TxnRequest::default() }).await.unwrap();
    }
}

/// Revisions 2 to 9 happen first; then watchers come and go.
fn course() -> Vec<(Step, usize)> {
    use Step::{Cancel, Compact, Delete, Progress, Put, Together, Watch};
    let previous = |request| WatchCreateRequest { prev_kv: true, ..request };
    let chosen = |watch_id, request| WatchCreateRequest { watch_id, ..request };
    let filtered = |filters, request| WatchCreateRequest { filters, ..request };
    let empty = WatchCreateRequest { range_end: "a".into(), ..one("b") };
    vec![
        (Put("k0", "0"), 0),
        (Put("k1", "1"), 0),
        (Put("k0", "2"), 0),
        (Delete("k1"), 0),
        (Put("k3", "3"), 0),
        (Together(&[("k4", "a"), ("k5", "b"), ("x", "c")]), 0),
        (Put("k1", "again"), 0),
        (Delete("none"), 0),
        (Watch(previous(from(2, prefix("k")))), 2),
        (Watch(one("k0")), 1),
        (Watch(chosen(9, filtered(vec![0], prefix("k")))), 1),
        (Progress, 1),
        (Put("k0", ""), 2),
        (Delete("k0"), 3),
        (Together(&[("k0", "new"), ("k4", "b")]), 2),
        (Watch(chosen(9, one("k0"))), 1),
        (Watch(empty), 1),
        (Cancel(77), 0),
        (Cancel(1), 1),
        (Cancel(0), 1),
        (Put("k0", "unseen"), 0),
        (Compact(6), 0),
        (Watch(from(5, one("k3"))), 2),
        (Watch(previous(from(6, prefix("k")))), 2),
        // One that begins in two revisions.
        (Watch(filtered(vec![1], from(14, one("f")))), 1),
        (Put("f", "early"), 0),
        (Put("f", "in time"), 1),
        (Progress, 1),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn both_servers_tell_their_watchers_the_same() {
    let Some(etcd) = Etcd::start("watch_against_etcd") else { return };
    let mut server = Server::single();
    server.run();
    let mut ours = Party::at(&server.client_url).await;
    let mut theirs = Party::at(&format!("http://{}", etcd.endpoint)).await;
    for (at, (step, messages)) in course().iter().enumerate() {
        let [we, they] = [&mut ours, &mut theirs].map(|party| party.take(step, *messages));
        let (we, they) = tokio::join!(we, they);
        assert_eq!(we, they, "step {at}");
    }
}
