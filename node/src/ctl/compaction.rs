//! `compaction`: gives up the history before a revision.

use quorate_core::api::etcdserverpb::CompactionRequest;

use super::client::{Client, Repeat};
use super::flags::{Flag, Flags};
use super::print::Printer;
use super::settings::Settings;
use super::{Exit, Failure, go};
use crate::rpc::etcdserverpb::kv_client::KvClient;

/// The flags of `compaction`.
pub static FLAGS: [Flag; 1] =
    [Flag::switch("physical", "wait until what was given up is gone from the disk, too")];

/// `compaction <revision>`
pub async fn compaction(
    flags: &Flags,
    args: &[Vec<u8>],
    settings: &Settings,
    printer: &mut Printer<impl std::io::Write>,
) -> Result<(), Failure> {
    let [revision] = args else {
        return Err(Failure::new(Exit::Arguments, "compaction command needs 1 argument"));
    };
    let revision = go::parse_decimal(&String::from_utf8_lossy(revision))
        .map_err(|why| Failure::new(Exit::Error, why))?;
    let request = CompactionRequest { revision, physical: flags.bool("physical") };
    Client::new(settings)?
        .call(Repeat::Never, |channel| async move { KvClient::new(channel).compact(request).await })
        .await?;
    // The one answer that looks the same in every format.
    printer.line(&format!("compacted revision {revision}"))
}
