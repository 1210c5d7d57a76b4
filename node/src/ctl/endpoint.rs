//! `endpoint status`, `endpoint health`, `endpoint hashkv`: what each member says of itself.

use std::io::Write;
use std::time::{Duration, Instant};

use quorate_core::api::etcdserverpb::alarm_request::AlarmAction;
use quorate_core::api::etcdserverpb::{
    AlarmRequest, AlarmType, HashKvRequest, HashKvResponse, RangeRequest, StatusRequest,
    StatusResponse,
};
use tokio::task::JoinSet;

use super::client::{Client, Repeat};
use super::flags::{Flag, Flags, Kind};
use super::member;
use super::print::Printer;
use super::settings::{Format, Settings};
use super::{Exit, Failure};
use crate::rpc::etcdserverpb::kv_client::KvClient;
use crate::rpc::etcdserverpb::maintenance_client::MaintenanceClient;

/// The flag of all three.
const CLUSTER: Flag =
    Flag::switch("cluster", "ask all members of the cluster instead of --endpoints");

/// The flags of `endpoint status` and `endpoint health`.
pub static FLAGS: [Flag; 1] = [CLUSTER];

/// The flags of `endpoint hashkv`.
pub static HASH_KV: [Flag; 2] =
    [CLUSTER, Flag::new("rev", Kind::Int, "0", "leave out what was written later")];

/// The key whose reading proves a quorum. It need not exist.
const PROBE: &str = "health";
const DENIED: &str = "etcdserver: permission denied";

/// What one endpoint answered.
pub struct EndpointStatus {
    /// As the user wrote it.
    pub endpoint: String,
    /// Its answer.
    pub status: StatusResponse,
}

/// Whether one endpoint can serve.
pub struct EndpointHealth {
    /// As the user wrote it.
    pub endpoint: String,
    /// Until the answer, or until it was given up.
    pub took: Duration,
    /// Why it cannot.
    pub error: Option<String>,
}

/// The hash of all pairs on one endpoint.
pub struct EndpointHash {
    /// As the user wrote it.
    pub endpoint: String,
    /// Its answer.
    pub hash: HashKvResponse,
}

/// `endpoint status`
pub async fn status(
    flags: &Flags,
    settings: &Settings,
    printer: &mut Printer<impl Write>,
) -> Result<(), Failure> {
    let mut list = Vec::new();
    let mut failed = false;
    for endpoint in endpoints(flags, settings).await? {
        match status_of(&endpoint, settings).await {
            Ok(status) => list.push(EndpointStatus { endpoint, status }),
            Err(failure) => {
                eprintln!("Failed to get the status of endpoint {endpoint} ({})", failure.text);
                failed = true;
            }
        }
    }
    printer.endpoint_status(&list)?;
    if failed { Err(Failure::silent(Exit::Error)) } else { Ok(()) }
}

/// `endpoint health`
pub async fn health(
    flags: &Flags,
    settings: &Settings,
    printer: &mut Printer<impl Write>,
) -> Result<(), Failure> {
    let endpoints = endpoints(flags, settings).await?;
    // All at once, since each dead one takes the whole time of a command.
    let mut asked = JoinSet::new();
    for (place, endpoint) in endpoints.into_iter().enumerate() {
        let settings = settings.clone();
        asked.spawn(async move { (place, health_of(endpoint, &settings).await) });
    }
    let mut list = asked.join_all().await;
    list.sort_by_key(|(place, _)| *place);
    let list: Vec<_> = list.into_iter().map(|(_, health)| health).collect();
    printer.endpoint_health(&list)?;
    if settings.format == Format::Simple {
        for EndpointHealth { endpoint, error, .. } in &list {
            if let Some(error) = error {
                eprintln!("{endpoint} is unhealthy: failed to commit proposal: {error}");
            }
        }
    }
    if list.iter().any(|health| health.error.is_some()) {
        return Err(Failure::new(Exit::Error, "unhealthy cluster"));
    }
    Ok(())
}

/// `endpoint hashkv`
pub async fn hash_kv(
    flags: &Flags,
    settings: &Settings,
    printer: &mut Printer<impl Write>,
) -> Result<(), Failure> {
    let mut list = Vec::new();
    let mut failed = Ok(());
    for endpoint in endpoints(flags, settings).await? {
        match hash_of(&endpoint, flags.int("rev"), settings).await {
            Ok(hash) => list.push(EndpointHash { endpoint, hash }),
            Err(failure) => {
                eprintln!("Failed to get the hash of endpoint {endpoint} ({})", failure.text);
                failed = Err(failure);
            }
        }
    }
    printer.endpoint_hash_kv(&list)?;
    failed
}

async fn endpoints(flags: &Flags, settings: &Settings) -> Result<Vec<String>, Failure> {
    if !flags.bool("cluster") {
        return Ok(settings.endpoints.clone());
    }
    let answer = member::ask(settings, true).await.map_err(|failure| {
        let why = failure.text;
        Failure::new(
            Exit::Error,
            format!("failed to fetch endpoints from etcd cluster member list: {why}"),
        )
    })?;
    Ok(answer.members.into_iter().flat_map(|member| member.client_ur_ls).collect())
}

async fn hash_of(
    endpoint: &str,
    revision: i64,
    settings: &Settings,
) -> Result<HashKvResponse, Failure> {
    Client::to(&[endpoint.to_owned()], settings)?
        .call(Repeat::Harmless, |channel| async move {
            MaintenanceClient::new(channel).hash_kv(HashKvRequest { revision }).await
        })
        .await
}

/// Asks one endpoint for its status.
pub async fn status_of(endpoint: &str, settings: &Settings) -> Result<StatusResponse, Failure> {
    Client::to(&[endpoint.to_owned()], settings)?
        .call(Repeat::Harmless, |channel| async move {
            MaintenanceClient::new(channel).status(StatusRequest {}).await
        })
        .await
}

async fn health_of(endpoint: String, settings: &Settings) -> EndpointHealth {
    let start = Instant::now();
    let error = illness(&endpoint, settings).await.err();
    EndpointHealth { endpoint, took: start.elapsed(), error }
}

/// A member is well when it can read through a quorum and no alarm is on.
async fn illness(endpoint: &str, settings: &Settings) -> Result<(), String> {
    let client = Client::to(&[endpoint.to_owned()], settings).map_err(|failure| failure.text)?;
    let read = client
        .call(Repeat::Harmless, |channel| async move {
            let request = RangeRequest { key: PROBE.into(), ..RangeRequest::default() };
            KvClient::new(channel).range(request).await
        })
        .await;
    match read {
        Ok(_) => {}
        // Who may not read it has gone through the quorum to learn that.
        Err(failure) if failure.text == DENIED => {}
        Err(failure) => return Err(failure.text),
    }
    let request = AlarmRequest { action: AlarmAction::Get.into(), ..AlarmRequest::default() };
    let answer = client
        .call(Repeat::Harmless, |channel| async move {
            MaintenanceClient::new(channel).alarm(request).await
        })
        .await
        .map_err(|failure| format!("Unable to fetch the alarm list: {}", failure.text))?;
    if answer.alarms.is_empty() {
        return Ok(());
    }
    let mut text = "Active Alarm(s): ".to_owned();
    for member in &answer.alarms {
        let name = AlarmType::try_from(member.alarm).map_or("UNKNOWN", |it| it.as_str_name());
        text.push_str(name);
        text.push(' ');
    }
    Err(text)
}
