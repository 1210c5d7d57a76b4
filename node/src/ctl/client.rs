//! Calls to a cluster: which endpoint is asked, for how long, and how often again.
//!
//! ```text
//! endpoints a, b, c    connect to a ... refused --> b ... connected --> call
//!                      and round again, until the command's time is over
//! ```
//!
//! An endpoint that cannot be reached has been told nothing, so the next one is tried whatever the
//! command is. An answer "unavailable", or none because the connection broke, may come after the
//! work was done: only what changes nothing is asked again then.
//!
//! A stream outlives its connections: who holds one ([`Client::connect`]) opens it again at the
//! next endpoint as long as [`is_passing`] says that this may help.
//!
//! Not here: TLS, logging in, what is asked (`kv.rs`, `lease.rs` and so on).

use std::error::Error;
use std::time::Duration;

use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};

use super::settings::Settings;
use super::{Exit, Failure};

/// Pause before an endpoint is tried again.
pub const PAUSE: Duration = Duration::from_millis(25);

/// Servers hang up on a client that pings more often. That of Go does not do it either, whatever
/// its user asks for.
const SHORTEST_KEEPALIVE: Duration = Duration::from_secs(10);

/// The text of a member that knows no leader.
const NO_LEADER: &str = "etcdserver: no leader";

/// A way to a cluster.
pub struct Client {
    endpoints: Vec<Endpoint>,
    /// For one call, all attempts together.
    limit: Option<Duration>,
}

/// A connection, and the place of its endpoint among those of the client.
pub struct Link {
    /// To make calls on.
    pub channel: Channel,
    /// Whose it is.
    pub place: usize,
}

/// Whether a call may be made again after an answer that leaves its effect open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Repeat {
    /// It changes nothing.
    Harmless,
    /// It may have been done already.
    Never,
}

impl Client {
    /// For all endpoints of the settings.
    pub fn new(settings: &Settings) -> Result<Self, Failure> {
        Self::to(&settings.endpoints, settings)
    }

    /// The same for commands that wait without end, if no time was given for them.
    pub fn patient(settings: &Settings) -> Result<Self, Failure> {
        let limit = settings.is_timeout_given.then_some(settings.command_timeout);
        Ok(Self { limit, ..Self::new(settings)? })
    }

    /// For these endpoints only.
    pub fn to(endpoints: &[String], settings: &Settings) -> Result<Self, Failure> {
        if endpoints.is_empty() {
            return Err(Failure::new(Exit::Connection, "etcdclient: no available endpoints"));
        }
        let endpoints = endpoints.iter().map(|text| parse(text, settings));
        Ok(Self {
            endpoints: endpoints.collect::<Result<_, _>>()?,
            limit: Some(settings.command_timeout),
        })
    }

    /// Makes one call, on the first endpoint that takes it.
    pub async fn call<Answer, Waiting>(
        &self,
        repeat: Repeat,
        ask: impl Fn(Channel) -> Waiting,
    ) -> Result<Answer, Failure>
    where
        Waiting: Future<Output = Result<Response<Answer>, Status>>,
    {
        let answer = self.in_time(self.attempt(repeat, ask)).await?;
        match answer {
            Ok(answer) => Ok(answer.into_inner()),
            Err(status) => Err(Failure::new(Exit::Error, told(&status))),
        }
    }

    /// Waits for something no longer than a call may take.
    pub async fn in_time<Done>(&self, work: impl Future<Output = Done>) -> Result<Done, Failure> {
        let Some(limit) = self.limit else { return Ok(work.await) };
        let late = |_| Failure::new(Exit::Error, "context deadline exceeded");
        tokio::time::timeout(limit, work).await.map_err(late)
    }

    /// Connects to the first endpoint that can be reached from the one at `place` on, however
    /// long that takes.
    pub async fn connect(&self, place: usize) -> Link {
        for place in place.. {
            let place = place % self.endpoints.len();
            if let Ok(channel) = self.endpoints[place].connect().await {
                return Link { channel, place };
            }
            if place + 1 == self.endpoints.len() {
                tokio::time::sleep(PAUSE).await;
            }
        }
        unreachable!("the round has no end");
    }

    /// Goes round the endpoints until one has answered.
    async fn attempt<Answer, Waiting>(
        &self,
        repeat: Repeat,
        ask: impl Fn(Channel) -> Waiting,
    ) -> Result<Response<Answer>, Status>
    where
        Waiting: Future<Output = Result<Response<Answer>, Status>>,
    {
        loop {
            for endpoint in &self.endpoints {
                let Ok(channel) = endpoint.connect().await else { continue };
                match ask(channel).await {
                    Err(status) if is_unanswered(&status) && repeat == Repeat::Harmless => {}
                    answer => return answer,
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn parse(text: &str, settings: &Settings) -> Result<Endpoint, Failure> {
    let unsupported = |what| Failure::new(Exit::Arguments, format!("{text}: {what}"));
    if text.starts_with("https://") {
        return Err(unsupported("TLS is not supported yet"));
    }
    if text.starts_with("unix:") || text.starts_with("unixs:") {
        return Err(unsupported("unix sockets are not supported yet"));
    }
    let url = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let endpoint = Endpoint::from_shared(url).map_err(|_| unsupported("no valid endpoint"))?;
    Ok(endpoint
        .connect_timeout(settings.dial_timeout)
        .http2_keep_alive_interval(settings.keepalive_time.max(SHORTEST_KEEPALIVE))
        .keep_alive_timeout(settings.keepalive_timeout)
        .tcp_nodelay(true))
}

/// A request that a member without a leader is to refuse, instead of letting it wait.
pub fn with_leader<Message>(message: Message) -> Request<Message> {
    let mut request = Request::new(message);
    let value = tonic::metadata::MetadataValue::from_static("true");
    request.metadata_mut().insert("hasleader", value);
    request
}

/// Whether a stream that ended so may go on at another endpoint, or at the same one later.
pub fn is_passing(status: &Status) -> bool {
    is_unanswered(status) || status.code() == Code::Internal
}

/// Whether the member has turned its back because it knows no leader.
pub fn is_leaderless(status: &Status) -> bool {
    status.message() == NO_LEADER
}

/// Whether nothing came back that tells what has become of the request.
fn is_unanswered(status: &Status) -> bool {
    // Only a status that was made here, out of an error of the connection, has a source.
    status.code() == Code::Unavailable || status.source().is_some()
}

/// The errors of etcd are known by their text alone; all others come with their code.
pub fn told(status: &Status) -> String {
    if status.message().starts_with("etcdserver: ") {
        return status.message().to_owned();
    }
    // Go spells one of the names differently.
    let code = format!("{:?}", status.code()).replace("Cancelled", "Canceled");
    format!("rpc error: code = {code} desc = {}", status.message())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_told_as_etcdctl_tells_it() {
        let known = Status::not_found("etcdserver: requested lease not found");
        assert_eq!(told(&known), "etcdserver: requested lease not found");
        let other = Status::cancelled("enough");
        assert_eq!(told(&other), "rpc error: code = Canceled desc = enough");
    }
}
