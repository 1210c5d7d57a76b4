//! Calls to a cluster: which endpoint is asked, for how long, and how often again.
//!
//! ```text
//! endpoints a, b, c    connect to a ... refused --> b ... connected --> call
//!                      and round again, until the command's time is over
//! ```
//!
//! An endpoint that cannot be reached has been told nothing, so the next one is tried whatever the
//! command is. An answer "unavailable" may come after the work was done: only what changes nothing
//! is asked again then.
//!
//! Not here: TLS, logging in, what is asked (`kv.rs`, `endpoint.rs`, `member.rs`).

use std::time::Duration;

use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Response, Status};

use super::settings::Settings;
use super::{Exit, Failure};

/// Pause before an endpoint is tried again.
const PAUSE: Duration = Duration::from_millis(25);

/// A way to a cluster.
pub struct Client {
    endpoints: Vec<Endpoint>,
    command_timeout: Duration,
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

    /// For these endpoints only.
    pub fn to(endpoints: &[String], settings: &Settings) -> Result<Self, Failure> {
        if endpoints.is_empty() {
            return Err(Failure::new(Exit::Connection, "etcdclient: no available endpoints"));
        }
        let endpoints = endpoints.iter().map(|text| parse(text, settings));
        Ok(Self {
            endpoints: endpoints.collect::<Result<_, _>>()?,
            command_timeout: settings.command_timeout,
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
        let answer = tokio::time::timeout(self.command_timeout, self.attempt(repeat, ask)).await;
        match answer {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(Failure::new(Exit::Error, told(&status))),
            Err(_) => Err(Failure::new(Exit::Error, "context deadline exceeded")),
        }
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
                    Err(status)
                        if status.code() == Code::Unavailable && repeat == Repeat::Harmless => {}
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
        .http2_keep_alive_interval(settings.keepalive_time)
        .keep_alive_timeout(settings.keepalive_timeout)
        .tcp_nodelay(true))
}

/// The errors of etcd are known by their text alone; all others come with their code.
fn told(status: &Status) -> String {
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
