//! Watch: one stream in, one stream out, and the hub in between.
//!
//! ```text
//!   requests --decoded--> hub's inbox        hub's outlet --bytes--> answer
//! ```
//! The answers come encoded from the hub, so this service stands beside the generated ones: it
//! decodes requests with the common codec and hands the outlet's bytes to HTTP/2 as they are.
//!
//! A client that only closes its side of the stream is still told (etcd does so); its stream ends
//! when it leaves.
//!
//! Not here: what is answered.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use quorate_core::api::etcdserverpb::watch_request::RequestUnion;
use quorate_core::api::etcdserverpb::{WatchRequest, WatchResponse};
use quorate_core::watch::{StreamId, WatchId, WatchInput};
use tonic::Streaming;
use tonic::body::Body;
use tonic::codec::Codec as _;
use tonic::metadata::MetadataMap;

use crate::codec::Codec;
use crate::serve::hub::{Errand, Watchers};
use crate::serve::mailbox::Haste;
use crate::serve::outlet::{Answer, Outlet};
use crate::serve::replica::Replica;
use crate::service::{asks_for_leader, check_leader};

/// The one method of the service.
pub const PATH: &str = "/etcdserverpb.Watch/Watch";
/// How long a request waits for room in the hub's inbox before it tries again.
const RETRY: Duration = Duration::from_millis(1);

/// Begins a stream. `limit` is in bytes of one request.
pub fn answer(replica: &Arc<Replica>, request: Request<Incoming>, limit: usize) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let metadata = MetadataMap::from_headers(parts.headers);
    if let Err(status) = check_leader(&metadata, replica) {
        return status.into_http();
    }
    let mut codec = Codec::<WatchResponse, WatchRequest>::default();
    let requests = Streaming::new_request(codec.decoder(), body, None, Some(limit));
    let (watchers, outlet) = (Arc::clone(&replica.watchers), Arc::new(Outlet::default()));
    let stream = watchers.number();
    watchers.inbox.push(Errand::Open(stream, Arc::clone(&outlet), asks_for_leader(&metadata)));
    let listening = listen(requests, stream, Arc::clone(&watchers), Arc::clone(&outlet));
    let listener = tokio::spawn(listening).abort_handle();
    let mut response = Response::new(Answer { stream, outlet, watchers, listener }.into_body());
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(header::CONTENT_TYPE, grpc);
    response
}

/// Hands a client's requests to the hub, in order. A client that does not read its answers is not
/// heard either.
async fn listen(
    mut requests: Streaming<WatchRequest>,
    stream: StreamId,
    watchers: Arc<Watchers>,
    outlet: Arc<Outlet>,
) {
    loop {
        outlet.room().await;
        match requests.message().await {
            Ok(Some(request)) => {
                if let Some(input) = read(stream, request) {
                    hand_over(&watchers, input).await;
                }
            }
            Ok(None) => return,
            Err(status) => {
                watchers.inbox.push(Errand::Input(WatchInput::Close(stream)));
                return outlet.end(status);
            }
        }
    }
}

async fn hand_over(watchers: &Watchers, input: WatchInput) {
    let errand = Errand::Input(input);
    while watchers.inbox.offer(errand.clone(), Haste::Pressing).is_err() {
        tokio::time::sleep(RETRY).await;
    }
}

/// A request without content is ignored (WA-1).
fn read(stream: StreamId, request: WatchRequest) -> Option<WatchInput> {
    Some(match request.request_union? {
        RequestUnion::CreateRequest(create) => WatchInput::Create(stream, create),
        RequestUnion::CancelRequest(cancel) => WatchInput::Cancel(stream, WatchId(cancel.watch_id)),
        RequestUnion::ProgressRequest(_) => WatchInput::Progress(stream),
    })
}
