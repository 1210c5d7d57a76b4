//! The receiving end of the streams between members: greeting, decoding, inbox.
//!
//! Foreign bytes become typed values here or the stream ends; what does not fit into the inbox is
//! lost, as on any network.

use std::sync::Arc;

use quorate_core::member::Input;
use quorate_core::raft::{Envelope, Message};
use quorate_core::types::NodeId;
use tonic::{Request, Response, Status, Streaming, async_trait};

use crate::rpc::peer::peer_server;
use crate::rpc::peer::{Farewell, Frame};
use crate::serve::greeting::Greeting;
use crate::serve::mailbox::Haste;
use crate::serve::replica::Replica;

/// The service of other members.
pub struct Peer {
    /// Who listens.
    pub replica: Arc<Replica>,
    /// Who may speak.
    pub members: Vec<NodeId>,
}

#[async_trait]
impl peer_server::Peer for Peer {
    async fn deliver(
        &self,
        request: Request<Streaming<Frame>>,
    ) -> Result<Response<Farewell>, Status> {
        let identity = self.replica.identity;
        let greeting = Greeting::read(request.metadata(), identity, &self.members)?;
        tracing::debug!(peer = %greeting.from, "a member speaks");
        let mut frames = request.into_inner();
        while let Some(frame) = frames.message().await? {
            let inputs = self.decode(&frame, greeting)?;
            let refused = self.replica.inbox.offer_all(inputs);
            if refused > 0 {
                tracing::debug!(peer = %greeting.from, refused, "more messages than can wait");
            }
        }
        Ok(Response::new(Farewell {}))
    }
}

impl Peer {
    fn decode(&self, frame: &Frame, greeting: Greeting) -> Result<Vec<(Input, Haste)>, Status> {
        let mut inputs = Vec::with_capacity(frame.envelopes.len());
        for bytes in &frame.envelopes {
            self.replica.metrics.peer_received.add(bytes.len() as u64);
            let envelope = Envelope::decode(bytes).map_err(|error| {
                Status::invalid_argument(format!("not an envelope of this protocol: {error}"))
            })?;
            if envelope.from != greeting.from || envelope.to != self.replica.identity.member {
                return Err(Status::invalid_argument(format!("not on this stream: {envelope}")));
            }
            let haste = haste(&envelope.message);
            inputs.push((Input::Receive(envelope), haste));
        }
        Ok(inputs)
    }
}

/// A forwarded command is a proposal like those of our own clients. All else is answered, or counts.
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
