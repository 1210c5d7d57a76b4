//! A client's side of watch streams.
//!
//! Not here: what is watched.

use quorate_core::api::etcdserverpb::watch_request::RequestUnion;
use quorate_core::api::etcdserverpb::{WatchCreateRequest, WatchRequest, WatchResponse};
use quorate_core::api::mvccpb::Event;
use tokio::sync::mpsc;
use tonic::transport::Endpoint;
use tonic::{Request, Status, Streaming};

use super::SOON;
use super::etcdserverpb::watch_client::WatchClient;

/// One watch stream as a client has it.
pub struct Stream {
    requests: mpsc::UnboundedSender<WatchRequest>,
    responses: Streaming<WatchResponse>,
}

impl Stream {
    pub async fn open(url: &str) -> Self {
        Self::open_with(url, false).await.unwrap()
    }

    pub async fn open_with(url: &str, needs_leader: bool) -> Result<Self, Status> {
        Self::open_asking(url, needs_leader, None).await
    }

    /// Opens a stream with its first request. etcd does not answer at all before there is one.
    pub async fn open_asking(
        url: &str,
        needs_leader: bool,
        first: Option<WatchCreateRequest>,
    ) -> Result<Self, Status> {
        let channel = Endpoint::from_shared(url.to_owned()).unwrap().connect_lazy();
        let mut client = WatchClient::new(channel).max_decoding_message_size(usize::MAX);
        let (requests, queue) = mpsc::unbounded_channel();
        if let Some(first) = first {
            let request_union = Some(RequestUnion::CreateRequest(first));
            requests.send(WatchRequest { request_union }).unwrap();
        }
        let mut request = Request::new(tokio_stream::wrappers::UnboundedReceiverStream::new(queue));
        if needs_leader {
            request.metadata_mut().insert("hasleader", "true".parse().unwrap());
        }
        let responses = client.watch(request).await?.into_inner();
        Ok(Self { requests, responses })
    }

    pub fn ask(&self, request: RequestUnion) {
        self.requests.send(WatchRequest { request_union: Some(request) }).unwrap();
    }

    pub fn create(&self, create: WatchCreateRequest) {
        self.ask(RequestUnion::CreateRequest(create));
    }

    pub async fn next(&mut self) -> Result<WatchResponse, Status> {
        let next = tokio::time::timeout(SOON, self.responses.message()).await;
        next.expect("no message came").map(|message| message.expect("the stream ended"))
    }

    /// Creates a watcher and waits for the answer.
    pub async fn watch(&mut self, create: WatchCreateRequest) -> WatchResponse {
        self.create(create);
        let created = self.next().await.unwrap();
        assert!(created.created && !created.canceled, "{created:?}");
        created
    }

    /// So many events, whatever the messages.
    pub async fn events(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::new();
        while events.len() < count {
            events.extend(self.next().await.unwrap().events);
        }
        assert_eq!(events.len(), count, "more than there are");
        events
    }
}

/// A request for all keys that begin so.
pub fn prefix(key: &str) -> WatchCreateRequest {
    let mut end = key.as_bytes().to_vec();
    *end.last_mut().unwrap() += 1;
    WatchCreateRequest { key: key.to_owned().into(), range_end: end.into(), ..Default::default() }
}

/// A request for one key.
pub fn one(key: &str) -> WatchCreateRequest {
    WatchCreateRequest { key: key.to_owned().into(), ..Default::default() }
}

/// The same from a revision on.
pub fn from(start_revision: i64, request: WatchCreateRequest) -> WatchCreateRequest {
    WatchCreateRequest { start_revision, ..request }
}
