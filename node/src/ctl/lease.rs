//! `lease grant`, `revoke`, `timetolive`, `list`: spans of life that keys are bound to.
//!
//! Not here: how a lease is kept alive (`keep_alive.rs`).

use std::io::Write;

use quorate_core::api::etcdserverpb::{
    LeaseGrantRequest, LeaseLeasesRequest, LeaseRevokeRequest, LeaseTimeToLiveRequest,
};

use super::client::{Client, Repeat};
use super::flags::{Flag, Flags};
use super::print::Printer;
use super::settings::Settings;
use super::{Exit, Failure, go};
use crate::rpc::etcdserverpb::lease_client::LeaseClient;

/// The flags of `lease timetolive`.
pub static TIME_TO_LIVE: [Flag; 1] = [Flag::switch("keys", "show the keys bound to it, too")];

/// `lease grant <ttl>`
pub async fn grant(
    args: &[Vec<u8>],
    settings: &Settings,
    printer: &mut Printer<impl Write>,
) -> Result<(), Failure> {
    let [ttl] = args else {
        return Err(bad("lease grant command needs TTL argument"));
    };
    let ttl = go::parse_decimal(&String::from_utf8_lossy(ttl))
        .map_err(|why| bad(&format!("bad TTL ({why})")))?;
    let request = LeaseGrantRequest { ttl, id: 0 };
    let answer = Client::new(settings)?
        .call(Repeat::Never, |channel| async move {
            LeaseClient::new(channel).lease_grant(request).await
        })
        .await
        .map_err(|why| {
            Failure::new(Exit::Error, format!("failed to grant lease ({})", why.text))
        })?;
    printer.lease_grant(&answer)
}

/// `lease revoke <id>`
pub async fn revoke(
    args: &[Vec<u8>],
    settings: &Settings,
    printer: &mut Printer<impl Write>,
) -> Result<(), Failure> {
    let id = id(args, "lease revoke command needs 1 argument")?;
    let request = LeaseRevokeRequest { id };
    let answer = Client::new(settings)?
        .call(Repeat::Never, |channel| async move {
            LeaseClient::new(channel).lease_revoke(request).await
        })
        .await
        .map_err(|why| {
            Failure::new(Exit::Error, format!("failed to revoke lease ({})", why.text))
        })?;
    printer.lease_revoke(id, &answer)
}

/// `lease timetolive <id>`
pub async fn time_to_live(
    flags: &Flags,
    args: &[Vec<u8>],
    settings: &Settings,
    printer: &mut Printer<impl Write>,
) -> Result<(), Failure> {
    let id = id(args, "lease timetolive command needs lease ID as argument")?;
    let request = LeaseTimeToLiveRequest { id, keys: flags.bool("keys") };
    let answer = Client::patient(settings)?
        .call(Repeat::Harmless, |channel| async move {
            LeaseClient::new(channel)
                .max_decoding_message_size(usize::MAX)
                .lease_time_to_live(request)
                .await
        })
        .await
        .map_err(unreachable_cluster)?;
    printer.lease_time_to_live(&answer, request.keys)
}

/// `lease list`
pub async fn list(settings: &Settings, printer: &mut Printer<impl Write>) -> Result<(), Failure> {
    let answer = Client::patient(settings)?
        .call(Repeat::Harmless, |channel| async move {
            LeaseClient::new(channel)
                .max_decoding_message_size(usize::MAX)
                .lease_leases(LeaseLeasesRequest {})
                .await
        })
        .await
        .map_err(unreachable_cluster)?;
    printer.lease_list(&answer)
}

/// The id in the only argument.
pub fn id(args: &[Vec<u8>], missing: &str) -> Result<i64, Failure> {
    let [id] = args else { return Err(bad(missing)) };
    go::parse_hex(&String::from_utf8_lossy(id))
        .map_err(|why| bad(&format!("bad lease ID arg ({why}), expecting ID in Hex")))
}

/// Whatever goes wrong here counts as a lost connection for etcdctl.
pub fn unreachable_cluster(failure: Failure) -> Failure {
    Failure { exit: Exit::Connection, ..failure }
}

fn bad(text: &str) -> Failure {
    Failure::new(Exit::Arguments, text)
}
