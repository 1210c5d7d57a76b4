//! The connections to the other members: made, greeted on, watched, and made again.
//!
//! ```text
//!   consensus --> send() --> bytes per member --> pipe --> the member's port
//!                              |
//!                              not connected, or no room: dropped, and counted
//! ```
//! One round of consensus is one bundle of bytes per member, unless it is a very large one.
//!
//! Not here: how the bytes leave (`pipe.rs`), the receiving end (`inlet.rs`).

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use quorate_core::raft::Envelope;
use quorate_core::types::NodeId;
use quorate_core::wal::Identity;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, sleep, timeout};

use super::greeting::{Greeting, PATH};
use super::pipe::Pipe;
use super::{frames, greeting};
use crate::serve::metrics::Counter;
use crate::serve::url::Url;

/// Within this a member must be reached, at each of its addresses anew,
const CONNECT: Duration = Duration::from_secs(1);
/// and answer the greeting.
const ANSWER: Duration = Duration::from_secs(5);
/// A connection that has lasted so long was a good one, and its end no refusal.
const GOOD: Duration = Duration::from_secs(1);
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// On a silent connection the system asks the other one for a sign of life this often, and gives up
/// after as long again. A member that hangs while its system lives is found out when it has taken
/// more than its system keeps for it.
const KEEPALIVE: Duration = Duration::from_secs(2);
/// Bytes of a round after which a bundle is closed and the next one begun: what has no room is
/// dropped by the bundle.
const BUNDLE: usize = 4 << 20;
/// Bytes of a reason that are read.
const REASON: usize = 4096;

/// The other members.
pub struct Peers {
    links: BTreeMap<NodeId, Arc<Link>>,
}

/// One other member.
pub struct Link {
    peer: NodeId,
    urls: Vec<String>,
    /// Set while there is a connection.
    pipe: Mutex<Option<Arc<Pipe>>>,
    /// Bytes of envelopes handed to the connection.
    pub sent: Counter,
    /// Envelopes that were dropped because there was no connection, or no room.
    pub dropped: Counter,
}

/// Envelopes that leave together.
#[derive(Default)]
struct Bundle {
    bytes: Vec<u8>,
    /// How many they are, and their bytes without what goes around them.
    count: u64,
    size: usize,
}

impl Peers {
    /// The links to `members`, by id, with their URLs.
    pub fn new(members: impl IntoIterator<Item = (NodeId, Vec<String>)>) -> Self {
        let links = members.into_iter().map(|(peer, urls)| (peer, Arc::new(Link::new(peer, urls))));
        Self { links: links.collect() }
    }

    /// Keeps a connection to every peer from here on. Must be called inside the runtime.
    pub fn connect(&self, identity: Identity) {
        for link in self.links.values() {
            tokio::spawn(Arc::clone(link).keep_connected(identity));
        }
    }

    /// Hands out one round's messages.
    pub fn send(&self, envelopes: &[Envelope]) {
        if envelopes.is_empty() {
            return;
        }
        for (peer, link) in &self.links {
            link.send(envelopes.iter().filter(|envelope| envelope.to == *peer));
        }
    }

    /// All links, by peer.
    pub fn links(&self) -> impl Iterator<Item = (&NodeId, &Arc<Link>)> {
        self.links.iter()
    }
}

impl Link {
    fn new(peer: NodeId, urls: Vec<String>) -> Self {
        Self {
            peer,
            urls,
            pipe: Mutex::new(None),
            sent: Counter::default(),
            dropped: Counter::default(),
        }
    }

    /// Whether there is a connection.
    pub fn is_active(&self) -> bool {
        self.lock().is_some()
    }

    fn send<'a>(&self, envelopes: impl Iterator<Item = &'a Envelope>) {
        let mut bundle = Bundle::default();
        for envelope in envelopes {
            bundle.count += 1;
            bundle.size += frames::put(envelope, &mut bundle.bytes);
            if bundle.size >= BUNDLE {
                self.hand_over(std::mem::take(&mut bundle));
            }
        }
        if bundle.count > 0 {
            self.hand_over(bundle);
        }
    }

    fn hand_over(&self, bundle: Bundle) {
        let pipe = self.lock().clone();
        if pipe.is_some_and(|pipe| pipe.send(bundle.bytes).is_ok()) {
            self.sent.add(bundle.size as u64);
        } else {
            self.dropped.add(bundle.count);
        }
    }

    async fn keep_connected(self: Arc<Self>, identity: Identity) {
        let mut wait = BACKOFF.0;
        // Each trouble is told once, until it is another one.
        let mut told = String::new();
        for url in self.urls.iter().cycle() {
            match self.deliver(url, identity).await {
                Ok(()) => (wait, told) = (BACKOFF.0, String::new()),
                Err(trouble) if trouble != told => {
                    tracing::warn!(peer = %self.peer, url, "no connection: {trouble}");
                    told = trouble;
                }
                Err(trouble) => tracing::debug!(peer = %self.peer, url, "{trouble}"),
            }
            sleep(wait).await;
            wait = (wait * 2).min(BACKOFF.1);
        }
    }

    /// Connects, greets and delivers until the connection ends. Ok if it was ever a good one.
    async fn deliver(&self, url: &str, identity: Identity) -> Result<(), String> {
        let greeting = Greeting::new(identity, self.peer);
        let (stream, said) = connect(&url.parse()?, greeting).await?;
        let pipe = Arc::new(Pipe::new(stream));
        *self.lock() = Some(Arc::clone(&pipe));
        let began = Instant::now();
        let reason = tokio::select! {
            // What the other side had to say counts more than that it does not listen any more.
            biased;
            reason = hear_out(pipe.stream(), said) => reason,
            Err(broken) = pipe.drain() => broken.to_string(),
        };
        *self.lock() = None;
        if began.elapsed() < GOOD {
            return Err(reason);
        }
        tracing::info!(peer = %self.peer, url, "connection lost: {reason}");
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Pipe>>> {
        self.pipe.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection on which the other side listens for envelopes, and what it has said meanwhile.
async fn connect(url: &Url, greeting: Greeting) -> Result<(TcpStream, Bytes), String> {
    let stream = reach(url).await?;
    attend(&stream).map_err(|error| format!("cannot set the socket up: {error}"))?;
    match timeout(ANSWER, greet(stream, url, greeting)).await {
        Ok(greeted) => greeted,
        Err(_) => Err(format!("no answer to the greeting within {ANSWER:?}")),
    }
}

/// Tries its addresses one after the other, and does not hurry the resolver.
async fn reach(url: &Url) -> Result<TcpStream, String> {
    let addresses = lookup_host(url.address()).await.map_err(|error| error.to_string())?;
    let mut trouble = "the name has no address".to_owned();
    for address in addresses {
        match timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => trouble = error.to_string(),
            Err(_) => trouble = format!("{address} was not reached within {CONNECT:?}"),
        }
    }
    Err(trouble)
}

/// What is small leaves at once, and a connection whose other end has gone is found out.
fn attend(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive =
        TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE).with_retries(1);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(2 * KEEPALIVE))?;
    Ok(())
}

async fn greet(
    stream: TcpStream,
    url: &Url,
    greeting: Greeting,
) -> Result<(TcpStream, Bytes), String> {
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| describe(&error))?;
    let connection = tokio::spawn(connection.with_upgrades());
    let request = request(url, greeting)?;
    let response = sender.send_request(request).await.map_err(|error| describe(&error))?;
    let agreed = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if !agreed || !greeting::upgrades(response.headers()) {
        let refused = refusal(response).await;
        connection.abort();
        return Err(refused);
    }
    let upgraded = hyper::upgrade::on(response).await.map_err(|error| describe(&error))?;
    let parts = upgraded.downcast::<TokioIo<TcpStream>>();
    let parts = parts.map_err(|_| "the connection is not the one that was made".to_owned())?;
    Ok((parts.io.into_inner(), parts.read_buf))
}

fn request(url: &Url, greeting: Greeting) -> Result<Request<Empty<Bytes>>, String> {
    let (host, port) = url.address();
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let request = Request::get(PATH).header(HOST, format!("{host}:{port}")).body(Empty::new());
    let mut request = request.map_err(|error| error.to_string())?;
    greeting.write(request.headers_mut());
    Ok(request)
}

async fn refusal(response: Response<Incoming>) -> String {
    let status = response.status();
    let body = Limited::new(response.into_body(), REASON).collect().await;
    let text = body.map(|body| String::from_utf8_lossy(&body.to_bytes()).trim().to_owned());
    greeting::Refusal { status, text: text.unwrap_or_default() }.to_string()
}

/// The other side says nothing, but for the reason why it ends the stream. It has `said` some of
/// it.
async fn hear_out(stream: &TcpStream, said: Bytes) -> String {
    let mut reason = said.to_vec();
    // A reason that came before the connection broke is still the reason.
    match read_to_end(stream, &mut reason).await {
        Ok(()) if reason.is_empty() => "it was closed".to_owned(),
        Err(error) if reason.is_empty() => error.to_string(),
        Ok(()) | Err(_) => String::from_utf8_lossy(&reason).into_owned(),
    }
}

async fn read_to_end(stream: &TcpStream, into: &mut Vec<u8>) -> io::Result<()> {
    while into.len() < REASON {
        stream.readable().await?;
        match stream.try_read_buf(into) {
            Ok(0) => break,
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

/// An error of HTTP says what happened only in its innermost cause.
fn describe(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
