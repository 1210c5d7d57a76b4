//! How members talk: one gRPC stream to each other member, of frames.
//!
//! ```text
//!   consensus --> send() --> queue per peer --> stream --> the peer's port --> its inbox
//!                              |
//!                              full or not connected: dropped, and counted
//! ```
//! One round of consensus makes one frame per peer. The network may lose anything at any time and
//! core copes, so nothing here waits, repeats or answers.
//!
//! Not here: the receiving end (`serve/greeting.rs` and `service/peer.rs`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use quorate_core::raft::Envelope;
use quorate_core::types::NodeId;
use quorate_core::wal::Identity;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::Endpoint;
use tonic::{Request, Status};

use crate::rpc::peer::Frame;
use crate::rpc::peer::peer_client::PeerClient;
use crate::serve::greeting::Greeting;
use crate::serve::metrics::Counter;

/// Frames that wait for a slow connection, and their bytes. Core keeps few messages in flight, so
/// this many mean that nobody reads.
const QUEUE: usize = 4096;
const QUEUE_BYTES: usize = 64 << 20;
/// Bytes after which a frame is closed and the next one begun.
const FRAME_BYTES: usize = 4 << 20;
/// The largest frame that is accepted: a full one and one envelope of the largest size.
pub const MAX_FRAME_BYTES: usize = 64 << 20;
const WINDOW: u32 = 8 << 20;
const CONNECT: Duration = Duration::from_secs(1);
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// A silent connection is asked for a sign of life this often, and given up after as long again.
const KEEPALIVE: Duration = Duration::from_secs(2);

/// The other members.
pub struct Peers {
    links: BTreeMap<NodeId, Arc<Link>>,
}

/// One other member.
pub struct Link {
    peer: NodeId,
    urls: Vec<String>,
    /// Set while there is a connection.
    queue: Mutex<Option<Queue>>,
    active: AtomicBool,
    /// Bytes handed to the connection.
    pub sent: Counter,
    /// Frames that were dropped.
    pub dropped: Counter,
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
            let mut frame = FrameBuilder::default();
            for envelope in envelopes.iter().filter(|envelope| envelope.to == *peer) {
                frame.add(envelope, link);
            }
            frame.close(link);
        }
    }

    /// All links, by peer.
    pub fn links(&self) -> impl Iterator<Item = (&NodeId, &Arc<Link>)> {
        self.links.iter()
    }
}

/// What waits for one connection.
struct Queue {
    frames: mpsc::Sender<Frame>,
    bytes: Arc<AtomicUsize>,
}

impl Queue {
    /// Both ends.
    fn new() -> (Self, impl Stream<Item = Frame>) {
        let (frames, receiver) = mpsc::channel(QUEUE);
        let bytes = Arc::new(AtomicUsize::new(0));
        let waiting = Arc::clone(&bytes);
        let stream = ReceiverStream::new(receiver).map(move |frame: Frame| {
            let size = frame.envelopes.iter().map(Bytes::len).sum();
            waiting.fetch_sub(size, Ordering::Relaxed);
            frame
        });
        (Self { frames, bytes }, stream)
    }

    /// Whether the frame of that size found room.
    fn offer(&self, frame: Frame, size: usize) -> bool {
        let before = self.bytes.fetch_add(size, Ordering::Relaxed);
        let taken = before + size <= QUEUE_BYTES && self.frames.try_send(frame).is_ok();
        if !taken {
            self.bytes.fetch_sub(size, Ordering::Relaxed);
        }
        taken
    }
}

#[derive(Default)]
struct FrameBuilder {
    envelopes: Vec<Bytes>,
    bytes: usize,
}

impl FrameBuilder {
    fn add(&mut self, envelope: &Envelope, link: &Link) {
        let mut encoded = Vec::new();
        envelope.encode(&mut encoded);
        self.bytes += encoded.len();
        self.envelopes.push(Bytes::from(encoded));
        if self.bytes >= FRAME_BYTES {
            self.close(link);
        }
    }

    fn close(&mut self, link: &Link) {
        if !self.envelopes.is_empty() {
            link.queue(Frame { envelopes: std::mem::take(&mut self.envelopes) }, self.bytes);
            self.bytes = 0;
        }
    }
}

impl Link {
    fn new(peer: NodeId, urls: Vec<String>) -> Self {
        Self {
            peer,
            urls,
            queue: Mutex::new(None),
            active: AtomicBool::new(false),
            sent: Counter::default(),
            dropped: Counter::default(),
        }
    }

    /// Whether there is a connection.
    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    fn queue(&self, frame: Frame, bytes: usize) {
        if self.lock().as_ref().is_some_and(|queue| queue.offer(frame, bytes)) {
            self.sent.add(bytes as u64);
        } else {
            self.dropped.add(1);
        }
    }

    async fn keep_connected(self: Arc<Self>, identity: Identity) {
        let mut wait = BACKOFF.0;
        let mut told = false;
        for url in self.urls.iter().cycle() {
            match self.deliver(url, identity).await {
                Ok(()) => (wait, told) = (BACKOFF.0, false),
                Err(trouble) if !told => {
                    tracing::warn!(peer = %self.peer, url, "no connection: {trouble}");
                    told = true;
                }
                Err(trouble) => tracing::debug!(peer = %self.peer, url, "{trouble}"),
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(BACKOFF.1);
        }
    }

    /// Connects, greets and delivers until the connection ends. Ok if it was ever a good one.
    async fn deliver(&self, url: &str, identity: Identity) -> Result<(), String> {
        let channel = endpoint(url)?.connect().await.map_err(|error| describe(&error))?;
        let (queue, frames) = Queue::new();
        let mut request = Request::new(frames);
        Greeting::new(identity, self.peer).write(request.metadata_mut());
        *self.lock() = Some(queue);
        self.active.store(true, Ordering::Relaxed);
        let began = tokio::time::Instant::now();
        let ended = PeerClient::new(channel).deliver(request).await;
        self.active.store(false, Ordering::Relaxed);
        *self.lock() = None;
        let reason = ended.map_or_else(|status| refusal(&status), |_| "it was closed".to_owned());
        if began.elapsed() < CONNECT {
            return Err(reason);
        }
        tracing::info!(peer = %self.peer, url, "connection lost: {reason}");
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Queue>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn endpoint(url: &str) -> Result<Endpoint, String> {
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|error| error.to_string())?;
    Ok(endpoint
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .keep_alive_while_idle(true))
}

fn refusal(status: &Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}

/// An error of the transport says what happened only in its innermost cause.
fn describe(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
