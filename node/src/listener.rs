//! The listening ends: one socket per URL, and on each of them HTTP/2 and HTTP/1 alike.
//!
//! ```text
//!   accept --> wire.rs --> HTTP/2 or HTTP/1, by the first bytes --> path --> gRPC service
//!                                                                          |--> http.rs
//!                                                                          \--> peer/
//! ```
//! The services are called by path without a router in between. TLS fits where the stream
//! is wrapped before it is served.
//!
//! Not here: what is answered.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tonic::body::Body;

use crate::serve::metrics::Metrics;
use crate::serve::url::Url;
use crate::wire::{Traffic, Wire};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;
/// A client may have this much under way per stream and connection before it must wait for us.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;
/// Requests that a client may cancel before the connection counts as an attack. Clients of etcd
/// cancel whole batches when a context ends.
const CANCELLED: usize = 65_536;
/// etcd's pings to a silent client, and how long it has to answer (LI-3).
const PING: (Duration, Duration) = (Duration::from_secs(7200), Duration::from_secs(20));
/// The system asks a silent connection this often whether its other end is still there, as etcd's.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// What answers the requests of one kind of port.
pub trait Answer: Clone + Send + Sync + 'static {
    /// The answer to come. It is moved about with its request, so it should be small.
    type Future: Future<Output = Result<Response<Body>, Infallible>> + Send;
    /// Answers one request.
    fn answer(&self, request: Request<Incoming>) -> Self::Future;
}

/// Listens on every URL. Nothing is accepted before [`Port::serve`].
pub struct Port {
    listeners: Vec<TcpListener>,
}

impl Port {
    /// Binds all addresses or none; `flag` is named when one cannot be had.
    pub fn bind(urls: &[Url], flag: &str) -> Result<Self, String> {
        let listen = |url: &Url| -> Result<TcpListener, String> {
            let address = url.listen_address().map_err(|error| format!("{flag}: {error}"))?;
            bind(address).map_err(|error| explain(url, address, flag, &error))
        };
        Ok(Self { listeners: urls.iter().map(listen).collect::<Result<_, _>>()? })
    }

    /// Accepts connections until `stop` becomes true, then gives them so much time to finish.
    pub async fn serve(
        self,
        answer: impl Answer,
        metrics: Option<Arc<Metrics>>,
        (stop, patience): (watch::Receiver<bool>, Duration),
    ) {
        let ports = self.listeners.into_iter().map(|listener| {
            let end = (stop.clone(), patience);
            tokio::spawn(accept(listener, answer.clone(), metrics.clone(), end))
        });
        for port in ports.collect::<Vec<_>>() {
            // A task that panicked has ended the process.
            let _ = port.await;
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn explain(url: &Url, address: SocketAddr, flag: &str, error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there; stop it or take another port",
        io::ErrorKind::AddrNotAvailable => "this machine has no such address",
        io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege",
        _ => "the system says no more",
    };
    format!("{flag}: cannot listen on {url} ({address}): {error}; {remedy}")
}

async fn accept(
    listener: TcpListener,
    answer: impl Answer,
    metrics: Option<Arc<Metrics>>,
    (mut stop, patience): (watch::Receiver<bool>, Duration),
) {
    let connections = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((stream, _)) => connection(stream, answer.clone(), metrics.clone(), &connections),
            Err(error) => {
                // Usually there are too many open files: going on at once would only burn time.
                tracing::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    // Whoever has not finished by then is cut off by the end of the process.
    let _ = tokio::time::timeout(patience, connections.shutdown()).await;
}

fn connection(
    stream: TcpStream,
    answer: impl Answer,
    metrics: Option<Arc<Metrics>>,
    connections: &GracefulShutdown,
) {
    // Answers are small and somebody waits for each of them.
    let _ = stream.set_nodelay(true);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
    let traffic = Traffic::default();
    let io = TokioIo::new(Wire::new(stream, metrics, traffic.clone()));
    let service = hyper::service::service_fn(move |request| {
        let passage = traffic.begin();
        let answer = answer.answer(request);
        async move { answer.await.map(|response| response.map(|body| passage.of(body))) }
    });
    let connection = builder().serve_connection_with_upgrades(io, service).into_owned();
    let watched = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = watched.await {
            tracing::debug!("a connection ended: {error}");
        }
    });
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // Scripts that look for a header by its usual spelling find it.
    builder.http1().timer(TokioTimer::new()).title_case_headers(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        // No client of gRPC reads a date, and each answer would carry one.
        .auto_date_header(false)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(u32::MAX)
        .max_pending_accept_reset_streams(CANCELLED)
        .keep_alive_interval(PING.0)
        .keep_alive_timeout(PING.1);
    builder
}
