//! The receiving end of the connections between members: greeting, decoding, inbox.
//!
//! Foreign bytes become typed values here, or the stream ends and its sender is told why. A member
//! that greets anew is listened to there, and nowhere else. What does not fit into the inbox is
//! lost, as on any network.
//!
//! Not here: how a stream is cut into envelopes (`frames.rs`).

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use quorate_core::member::Input;
use quorate_core::raft::{CodecError, Envelope, Message};
use quorate_core::types::NodeId;
use tokio::io::{AsyncRead, AsyncWriteExt};
use tokio::task::AbortHandle;
use tonic::body::Body;

use super::frames::{Frames, TooLarge};
use super::greeting::{self, Greeting, Refusal};
use crate::serve::mailbox::Haste;
use crate::serve::replica::Replica;

/// What other members speak to.
pub struct Inlet {
    /// Who listens.
    replica: Arc<Replica>,
    /// Who may speak.
    members: Vec<NodeId>,
    /// Who does: a member that greets again has lost its connection, or somebody takes its name.
    speaking: Mutex<BTreeMap<NodeId, AbortHandle>>,
}

/// Why a stream ended that its sender has not closed.
#[derive(Debug)]
enum Ended {
    /// Something came that nobody who speaks this protocol sends.
    Misspoken(String),
    /// The connection broke.
    Broken(io::Error),
}

impl Inlet {
    /// Listens to `members`, each on one connection at a time.
    pub fn new(replica: Arc<Replica>, members: Vec<NodeId>) -> Self {
        Self { replica, members, speaking: Mutex::default() }
    }

    /// Answers a greeting, and listens from there on if it is one.
    pub fn answer(self: &Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        match self.greeted(&request) {
            Ok(greeting) => {
                let stream = hyper::upgrade::on(request);
                let task = tokio::spawn(Arc::clone(self).hear(stream, greeting));
                let mut speaking = self.speaking.lock().unwrap_or_else(PoisonError::into_inner);
                let former = speaking.insert(greeting.from, task.abort_handle());
                if let Some(former) = former.filter(|former| !former.is_finished()) {
                    tracing::info!(peer = %greeting.from, "greeted anew: its older stream ends");
                    former.abort();
                }
                let mut agreed = Response::new(Body::empty());
                *agreed.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
                greeting::upgrade(agreed.headers_mut());
                agreed
            }
            Err(refusal) => {
                let mut refused = Response::new(Body::new(refusal.text));
                *refused.status_mut() = refusal.status;
                if refusal.status == StatusCode::UPGRADE_REQUIRED {
                    greeting::upgrade(refused.headers_mut());
                }
                refused
            }
        }
    }

    /// A connection with many requests on it cannot change its protocol.
    fn greeted(&self, request: &Request<Incoming>) -> Result<Greeting, Refusal> {
        if request.version() != Version::HTTP_11 {
            let text = format!("members speak HTTP/1.1 first, not {:?}", request.version());
            return Err(Refusal { status: StatusCode::HTTP_VERSION_NOT_SUPPORTED, text });
        }
        Greeting::read(request.headers(), self.replica.identity, &self.members)
    }

    async fn hear(self: Arc<Self>, upgrade: OnUpgrade, greeting: Greeting) {
        let peer = greeting.from;
        let mut stream = match upgrade.await {
            Ok(stream) => TokioIo::new(stream),
            Err(error) => return tracing::debug!(%peer, "greeted and left: {error}"),
        };
        tracing::debug!(%peer, "a member speaks");
        match self.listen(&mut stream, greeting).await {
            Ok(()) => tracing::debug!(%peer, "a member has closed its stream"),
            Err(Ended::Broken(error)) => tracing::debug!(%peer, "a member's stream broke: {error}"),
            Err(Ended::Misspoken(what)) => {
                tracing::warn!(%peer, "ended a member's stream: {what}");
                // For its log. If it cannot be told, it sees the end anyway.
                let _ = stream.write_all(what.as_bytes()).await;
            }
        }
        let _ = stream.shutdown().await;
    }

    async fn listen(
        &self,
        stream: &mut (impl AsyncRead + Unpin),
        greeting: Greeting,
    ) -> Result<(), Ended> {
        let mut frames = Frames::default();
        let mut inputs = Vec::new();
        while frames.read(stream).await? > 0 {
            frames.each(|bytes| {
                self.replica.metrics.peer_received.add(bytes.len() as u64);
                inputs.push(decode(bytes, greeting)?);
                Ok::<_, Ended>(())
            })?;
            let refused = self.replica.inbox.offer_all(inputs.drain(..));
            if refused > 0 {
                tracing::debug!(peer = %greeting.from, refused, "more messages than can wait");
            }
        }
        if frames.left() > 0 {
            return Err(Ended::Broken(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(())
    }
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

impl From<TooLarge> for Ended {
    fn from(what: TooLarge) -> Self {
        Self::Misspoken(what.to_string())
    }
}

impl From<CodecError> for Ended {
    fn from(error: CodecError) -> Self {
        Self::Misspoken(format!("not an envelope of this protocol: {error}"))
    }
}

fn decode(bytes: &[u8], greeting: Greeting) -> Result<(Input, Haste), Ended> {
    let envelope = Envelope::decode(bytes)?;
    if envelope.from != greeting.from || envelope.to != greeting.to {
        return Err(Ended::Misspoken(format!("not on this stream: {envelope}")));
    }
    let haste = haste(&envelope.message);
    Ok((Input::Receive(envelope), haste))
}

/// A forwarded command is a proposal like those of our own clients. All else is answered, or
/// counts.
fn haste(message: &Message) -> Haste {
    match message {
        Message::Forward { .. } => Haste::Patient,
        Message::RequestPreVote { .. }
        | Message::PreVote { .. }
        | Message::RequestVote { .. }
        | Message::Vote { .. }
        | Message::Append { .. }
        | Message::AppendAccepted { .. }
        | Message::AppendRejected { .. }
        | Message::Heartbeat { .. }
        | Message::HeartbeatEcho { .. }
        | Message::Returned { .. }
        | Message::AskReadIndex { .. }
        | Message::ReadIndex { .. }
        | Message::AskLeases { .. }
        | Message::TellLeases { .. }
        | Message::Snapshot { .. }
        | Message::SnapshotKept { .. }
        | Message::SnapshotRefused { .. }
        | Message::TimeoutNow => Haste::Pressing,
    }
}
