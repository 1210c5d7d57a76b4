//! `lease keep-alive`: renews a lease until it is gone, or once.
//!
//! ```text
//!              a third of the TTL later
//!            +--------------------------+
//!            v                          |
//!   open --> ask --> TTL > 0: printed --+
//!    ^        |
//!    |        +----> TTL 0, refused, or no answer within the TTL: gone
//!    +-- broken
//! ```
//!
//! Invariant: K1. A lease is told alive only by an answer; after the TTL of the last one it counts
//! as gone, whatever the server may still think.

use std::io::Write;
use std::time::Duration;

use quorate_core::api::etcdserverpb::{LeaseKeepAliveRequest, LeaseKeepAliveResponse};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::Instant;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Status, Streaming};

use super::client::{self, Client, Link};
use super::flags::{Flag, Flags};
use super::print::Printer;
use super::settings::Settings;
use super::{Exit, Failure, lease};
use crate::rpc::etcdserverpb::lease_client::LeaseClient;

/// The flags of `lease keep-alive`.
pub static FLAGS: [Flag; 1] = [Flag::switch("once", "renew it one time only")];

/// `lease keep-alive <id>`
pub async fn keep_alive(
    flags: &Flags,
    args: &[Vec<u8>],
    settings: &Settings,
    printer: &mut Printer<impl Write>,
) -> Result<(), Failure> {
    let id = lease::id(args, "lease keep-alive command needs lease ID as argument")?;
    let client = Client::patient(settings)?;
    let heart = Heart { client: &client, id, place: 0, stream: None };
    if flags.bool("once") { once(heart, printer).await } else { again(heart, printer).await }
}

async fn once(mut heart: Heart<'_>, printer: &mut Printer<impl Write>) -> Result<(), Failure> {
    let answer = heart.client.in_time(heart.beat()).await.and_then(|answer| {
        answer.map_err(|status| Failure::new(Exit::Error, client::told(&status)))
    });
    let answer = answer.map_err(lease::unreachable_cluster)?;
    if answer.ttl <= 0 {
        return Err(Failure::new(Exit::Connection, "etcdserver: requested lease not found"));
    }
    printer.lease_keep_alive(&answer)
}

/// Ends well when the lease is gone: that is what it waited for.
async fn again(mut heart: Heart<'_>, printer: &mut Printer<impl Write>) -> Result<(), Failure> {
    let mut deadline = None;
    loop {
        let beat = heart.beat();
        let answer = match deadline {
            // The first answer may be waited for as long as it takes.
            None => beat.await,
            Some(deadline) => match tokio::time::timeout_at(deadline, beat).await {
                Ok(answer) => answer,
                Err(_) => return printer.lease_gone(heart.id),
            },
        };
        let Some((answer, ttl)) = answer.ok().and_then(living) else {
            return printer.lease_gone(heart.id);
        };
        deadline = Instant::now().checked_add(ttl);
        printer.lease_keep_alive(&answer)?;
        tokio::time::sleep(ttl / 3).await;
    }
}

/// With its TTL, if it has one left.
fn living(answer: LeaseKeepAliveResponse) -> Option<(LeaseKeepAliveResponse, Duration)> {
    let seconds = u64::try_from(answer.ttl).ok().filter(|seconds| *seconds > 0)?;
    Some((answer, Duration::from_secs(seconds)))
}

/// Asks for more life, on a stream that is opened when it is needed.
struct Heart<'a> {
    client: &'a Client,
    id: i64,
    /// Of the endpoint that is asked next.
    place: usize,
    stream: Option<Stream>,
}

struct Stream {
    requests: UnboundedSender<LeaseKeepAliveRequest>,
    answers: Streaming<LeaseKeepAliveResponse>,
}

impl Heart<'_> {
    /// One answer, from whichever endpoint gives it; or a refusal that waiting does not change.
    async fn beat(&mut self) -> Result<LeaseKeepAliveResponse, Status> {
        loop {
            match self.attempt().await {
                Ok(Some(answer)) => return Ok(answer),
                Err(status) if !client::is_passing(&status) => return Err(status),
                // The connection broke, or the server has ended the stream.
                Ok(None) | Err(_) => {
                    self.stream = None;
                    self.place += 1;
                    tokio::time::sleep(client::PAUSE).await;
                }
            }
        }
    }

    async fn attempt(&mut self) -> Result<Option<LeaseKeepAliveResponse>, Status> {
        let request = LeaseKeepAliveRequest { id: self.id };
        let mut stream = match self.stream.take() {
            // A closed stream tells so when its answer is waited for.
            Some(stream) => {
                let _ = stream.requests.send(request);
                stream
            }
            None => self.open(request).await?,
        };
        let answer = stream.answers.message().await?;
        self.stream = Some(stream);
        Ok(answer)
    }

    /// Some servers say nothing at all before they are asked something.
    async fn open(&mut self, first: LeaseKeepAliveRequest) -> Result<Stream, Status> {
        let Link { channel, place } = self.client.connect(self.place).await;
        self.place = place;
        let (requests, outgoing) = unbounded_channel();
        let _ = requests.send(first);
        let outgoing = client::with_leader(UnboundedReceiverStream::new(outgoing));
        let answers = LeaseClient::new(channel).lease_keep_alive(outgoing).await?.into_inner();
        Ok(Stream { requests, answers })
    }
}
