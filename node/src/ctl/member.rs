//! `member list` and `move-leader`: who belongs to the cluster, and who leads it.

use std::io::Write;

use quorate_core::api::etcdserverpb::{MemberListRequest, MemberListResponse, MoveLeaderRequest};

use super::client::{Client, Repeat};
use super::flags::{Flag, Flags, Kind};
use super::print::Printer;
use super::settings::Settings;
use super::{Exit, Failure, endpoint, go, kv};
use crate::rpc::etcdserverpb::cluster_client::ClusterClient;
use crate::rpc::etcdserverpb::maintenance_client::MaintenanceClient;

/// The flags of `member list`.
pub static LIST: [Flag; 1] =
    [Flag::new("consistency", Kind::Text, "l", "linearizable (l) or serializable (s)")];

/// `member list`
pub async fn list(
    flags: &Flags,
    settings: &Settings,
    printer: &mut Printer<impl Write>,
) -> Result<(), Failure> {
    let linearizable = !kv::is_serializable(flags)?;
    let answer = ask(settings, linearizable).await?;
    printer.member_list(&answer)
}

/// Asks the cluster for its members.
pub async fn ask(settings: &Settings, linearizable: bool) -> Result<MemberListResponse, Failure> {
    Client::new(settings)?
        .call(Repeat::Harmless, |channel| async move {
            ClusterClient::new(channel).member_list(MemberListRequest { linearizable }).await
        })
        .await
}

/// `move-leader <id>`
///
/// Only the leader can do it, so it must be among the endpoints.
pub async fn move_leader(
    args: &[Vec<u8>],
    settings: &Settings,
    printer: &mut Printer<impl Write>,
) -> Result<(), Failure> {
    let bad = |text: String| Failure::new(Exit::Arguments, text);
    let [target] = args else {
        return Err(bad("move-leader command needs 1 argument".to_owned()));
    };
    let target_id = go::parse_unsigned_hex(&String::from_utf8_lossy(target)).map_err(bad)?;
    for endpoint in &settings.endpoints {
        let status = endpoint::status_of(endpoint, settings).await?;
        let id = status.header.map_or(0, |header| header.member_id);
        if id != status.leader {
            continue;
        }
        let answer = Client::to(std::slice::from_ref(endpoint), settings)?
            .call(Repeat::Never, |channel| async move {
                let request = MoveLeaderRequest { target_id };
                MaintenanceClient::new(channel).move_leader(request).await
            })
            .await?;
        return printer.move_leader(id, target_id, &answer);
    }
    Err(bad(format!("no leader endpoint given at [{}]", settings.endpoints.join(" "))))
}
