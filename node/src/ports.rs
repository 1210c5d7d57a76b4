//! What is behind each port: which path leads to which service.
//!
//! ```text
//!   client port   /etcdserverpb.KV/...   gRPC      service/
//!                 everything else        HTTP/1    http.rs
//!   peer port     /quorate/peer          upgrade   peer/
//! ```
//!
//! Not here: connections (`listener.rs`).

use std::convert::Infallible;
use std::future::Ready;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Context, Poll};

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use quorate_core::request::MAX_REQUEST_BYTES;
use quorate_core::types::NodeId;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service};
use tonic::{Code, Status};

use crate::http as web;
use crate::listener::Answer;
use crate::peer::greeting;
use crate::peer::inlet::Inlet;
use crate::peer::link::Peers;
use crate::rpc::etcdserverpb::cluster_server::ClusterServer;
use crate::rpc::etcdserverpb::kv_server::KvServer;
use crate::rpc::etcdserverpb::lease_server::LeaseServer;
use crate::rpc::etcdserverpb::maintenance_server::MaintenanceServer;
use crate::serve::replica::Replica;
use crate::service::cluster::Cluster;
use crate::service::kv::Kv;
use crate::service::lease::Lease;
use crate::service::maintenance::Maintenance;
use crate::service::watch;

/// What gRPC lets through at all: a request may be too large in etcd's words only below this.
const MAX_MESSAGE_BYTES: usize = MAX_REQUEST_BYTES + 512 * 1024;

/// The port of clients.
#[derive(Clone)]
pub struct ClientPort(Arc<ClientServices>);

struct ClientServices {
    kv: KvServer<Kv>,
    lease: LeaseServer<Lease>,
    cluster: ClusterServer<Cluster>,
    maintenance: MaintenanceServer<Maintenance>,
    pages: Arc<web::Pages>,
}

/// The port of other members.
#[derive(Clone)]
pub struct PeerPort(Arc<Inlet>);

/// An answer on its way. Services box theirs, so all have one type.
pub struct Answering(BoxFuture<Response<Body>, Infallible>);

impl ClientPort {
    /// All services for clients.
    pub fn new(replica: &Arc<Replica>, peers: Arc<Peers>) -> Self {
        let kv = KvServer::new(Kv(Arc::clone(replica)));
        let lease = LeaseServer::new(Lease(Arc::clone(replica)));
        let cluster = ClusterServer::new(Cluster(Arc::clone(replica)));
        let maintenance = MaintenanceServer::new(Maintenance(Arc::clone(replica)));
        Self(Arc::new(ClientServices {
            kv: kv.max_decoding_message_size(MAX_MESSAGE_BYTES),
            lease: lease.max_decoding_message_size(MAX_MESSAGE_BYTES),
            cluster: cluster.max_decoding_message_size(MAX_MESSAGE_BYTES),
            maintenance: maintenance.max_decoding_message_size(MAX_MESSAGE_BYTES),
            pages: Arc::new(web::Pages { replica: Arc::clone(replica), peers }),
        }))
    }
}

impl Answer for ClientPort {
    type Future = Answering;

    fn answer(&self, request: Request<Incoming>) -> Answering {
        let services = &self.0;
        Answering(match service_of(request.uri().path()) {
            Some("etcdserverpb.KV") => services.kv.clone().call(request),
            Some("etcdserverpb.Lease") => services.lease.clone().call(request),
            Some("etcdserverpb.Cluster") => services.cluster.clone().call(request),
            Some("etcdserverpb.Maintenance") => services.maintenance.clone().call(request),
            Some("etcdserverpb.Watch") if request.uri().path() == watch::PATH => {
                ready(watch::answer(&services.pages.replica, request, MAX_MESSAGE_BYTES))
            }
            _ if is_grpc(request.headers()) => ready(unknown_service(&request)),
            _ => {
                let pages = Arc::clone(&services.pages);
                Box::pin(async move { Ok(pages.answer(&request).await) })
            }
        })
    }
}

impl Future for Answering {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut response = task::ready!(self.0.as_mut().poll(context))?;
        correct_too_large(response.headers_mut());
        Poll::Ready(Ok(response))
    }
}

impl PeerPort {
    /// Listens to the other members of `members`.
    pub fn new(replica: &Arc<Replica>, members: Vec<NodeId>) -> Self {
        Self(Arc::new(Inlet::new(Arc::clone(replica), members)))
    }
}

impl Answer for PeerPort {
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn answer(&self, request: Request<Incoming>) -> Self::Future {
        std::future::ready(Ok(match request.uri().path() {
            greeting::PATH => self.0.answer(request),
            _ if is_grpc(request.headers()) => unknown_service(&request),
            _ => web::text(StatusCode::NOT_FOUND, web::NOT_FOUND),
        }))
    }
}

fn ready(response: Response<Body>) -> BoxFuture<Response<Body>, Infallible> {
    Box::pin(std::future::ready(Ok(response)))
}

/// `/package.Service/Method`.
fn service_of(path: &str) -> Option<&str> {
    path.strip_prefix('/')?.split_once('/').map(|(service, _)| service)
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(http::header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

fn unknown_service(request: &Request<Incoming>) -> Response<Body> {
    let service = service_of(request.uri().path()).unwrap_or_default();
    Status::unimplemented(format!("unknown service {service}")).into_http()
}

/// A message over the limit of gRPC is `ResourceExhausted` to every client of etcd; our library
/// calls it out of range.
fn correct_too_large(headers: &mut HeaderMap) {
    const GRPC_STATUS: &str = "grpc-status";
    const GRPC_MESSAGE: &str = "grpc-message";
    if headers.get(GRPC_STATUS).is_none_or(|status| status != "11") {
        return;
    }
    let message = headers.get(GRPC_MESSAGE).and_then(|text| text.to_str().ok());
    let Some(size) = message.and_then(too_large) else { return };
    let text = format!(
        "grpc:%20received%20message%20larger%20than%20max%20({size}%20vs.%20{MAX_MESSAGE_BYTES})"
    );
    if let Ok(text) = HeaderValue::try_from(text) {
        let code = Code::ResourceExhausted as i32;
        headers.insert(GRPC_STATUS, HeaderValue::from(code));
        headers.insert(GRPC_MESSAGE, text);
    }
}

fn too_large(message: &str) -> Option<u64> {
    let rest =
        message.strip_prefix("Error,%20decoded%20message%20length%20too%20large:%20found%20")?;
    rest.split('%').next()?.parse().ok()
}
