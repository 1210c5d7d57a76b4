//! `member list`: who belongs to the cluster.

use std::io::Write;

use quorate_core::api::etcdserverpb::{MemberListRequest, MemberListResponse};

use super::Failure;
use super::client::{Client, Repeat};
use super::flags::{Flag, Flags, Kind};
use super::kv;
use super::print::Printer;
use super::settings::Settings;
use crate::rpc::etcdserverpb::cluster_client::ClusterClient;

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
