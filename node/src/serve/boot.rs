//! From a data directory to a member: found a cluster, or read back what was promised (BO).
//!
//! ```text
//!   no log     --> found: the same first entry on all founding members, then as below
//!   a log      --> who am I, what did I promise; the flags about founding are ignored
//!   the store  --> where the durable copy stands; the log is replayed from there
//!   a snapshot --> that was being installed is installed again
//! ```
//! Whatever does not fit together ends the start with a sentence that names it, and nothing on
//! the disk is changed.
//!
//! Not here: what makes a log valid (core's `wal/recover.rs`) or a copy (core's `Loader`).

use std::path::Path;

use prost::Message;
use quorate_core::api::etcdserverpb::Member;
use quorate_core::api::wire::Command;
use quorate_core::api::wire::command::Action;
use quorate_core::raft::Entry;
use quorate_core::request;
use quorate_core::snap::{Opening, Shelf};
use quorate_core::store::Store;
use quorate_core::types::{Index, NodeId, Term};
use quorate_core::wal::{self, Damage, Found, Identity, Layout, Recovered, Wal};

use crate::serve::config::{Config, texts};
use crate::serve::datadir::DataDir;
use crate::serve::disk::Disk;
use crate::serve::identity::{cluster_id, member_id};
use crate::serve::storage::Storage;
use crate::serve::url::{Url, same_places};

/// Zeros that are written ahead: enough for some ten thousand small puts, and little enough that a
/// process which is restarted again and again does not fill the disk with half-used segments.
const SEGMENT_BYTES: u64 = 8 << 20;
const LAYOUT: Layout = Layout { segment_size: SEGMENT_BYTES, planted: None };

/// Everything durable about a member, read back.
pub struct Boot {
    /// Its log.
    pub recovered: Recovered,
    /// Its key space, as far as the durable copy goes.
    pub store: Store,
    /// The durable copy.
    pub storage: Storage,
    /// All members of its cluster.
    pub members: Vec<Member>,
    /// The files of the log.
    pub disk: Disk,
    /// The files of received snapshots, and which there are.
    pub snap: Disk,
    /// See [`Boot::snap`].
    pub shelf: Shelf,
}

/// Reads the data directory, after founding a cluster if there is none in it.
pub fn boot(config: &Config, data: &DataDir) -> Result<Boot, String> {
    let mut disk = Disk::new(&data.wal(), &data.spare())?;
    let recovered = match find(&disk)? {
        Some(recovered) => recovered,
        None => found(config, data, &mut disk)?,
    };
    // Looking is not enough for fjall: it makes new files when it opens. So who is wrong here
    // should learn it from the log, if that still has the founding entry.
    if let Some(members) = founders(&recovered) {
        check_member(config, data.root(), recovered.identity, &members)?;
    }
    for op in &recovered.repairs {
        disk.execute(op).map_err(|failed| failed.to_string())?;
    }
    if recovered.torn > 0 {
        tracing::info!(bytes = recovered.torn, "cut off a batch that was never written whole");
    }
    let storage = Storage::open(&data.store())?;
    let damaged = |damage: String| {
        format!("the key space in {} is damaged: {damage}", data.store().display())
    };
    let (mut snap, shelf) = finish_install(data, &storage, &recovered).map_err(damaged)?;
    let store = storage.load().map_err(damaged)?;
    let shelf = clear(&mut snap, shelf)?;
    let members = members(&store, &recovered)?;
    check_member(config, data.root(), recovered.identity, &members)?;
    warn_of_other_flags(config, data.root(), recovered.identity);
    Ok(Boot { recovered, store, storage, members, disk, snap, shelf })
}

/// A snapshot whose installation a crash cut short is installed again.
fn finish_install(
    data: &DataDir,
    storage: &Storage,
    recovered: &Recovered,
) -> Result<(Disk, Shelf), String> {
    let mut snap = Disk::plain(&data.snap());
    let mut litter = Vec::new();
    let shelf = Shelf::open(&snap, &mut litter)?;
    match shelf.decide(recovered.base, storage.position()?)? {
        Opening::UseStore => {}
        Opening::Install { snapshot, name } => {
            tracing::info!(%snapshot, "installing a snapshot again, which was cut short");
            storage.refill(recovered.identity.cluster, &data.snap().join(name))?;
        }
    }
    for op in &litter {
        snap.execute(op).map_err(|failed| failed.to_string())?;
    }
    Ok((snap, shelf))
}

/// The key space holds everything: received snapshots are of no use any more.
fn clear(snap: &mut Disk, mut shelf: Shelf) -> Result<Shelf, String> {
    let mut ops = Vec::new();
    shelf.clear(&mut ops);
    for op in &ops {
        snap.execute(op).map_err(|failed| failed.to_string())?;
    }
    Ok(shelf)
}

fn find(disk: &Disk) -> Result<Option<Recovered>, String> {
    match wal::recover(disk, LAYOUT).map_err(|damage| damaged(disk, &damage))? {
        Found::Nothing => Ok(None),
        Found::Log(recovered) => Ok(Some(recovered)),
    }
}

fn damaged(disk: &Disk, damage: &Damage) -> String {
    format!("the log in {} is damaged: {damage}; nothing was changed", disk.directory().display())
}

fn found(config: &Config, data: &DataDir, disk: &mut Disk) -> Result<Recovered, String> {
    if !config.may_found {
        return Err(format!(
            "--initial-cluster-state is existing, but {} holds no member yet: joining a running \
             cluster is not supported yet; found a new cluster with --initial-cluster-state new",
            data.root().display()
        ));
    }
    refuse_orphaned_store(data)?;
    config.check_founders()?;
    let members = founding_members(config);
    let identity = derived(config, &members);
    tracing::info!(
        member = %identity.member, cluster = %identity.cluster, size = members.len(),
        "founding a cluster"
    );
    let command = request::found(members);
    let founding = Entry { index: Index(1), term: Term(1), command };
    let mut plan = Vec::new();
    Wal::create(identity, LAYOUT, founding, &mut plan);
    for op in &plan {
        disk.execute(op).map_err(|failed| failed.to_string())?;
    }
    find(disk)?.ok_or_else(|| format!("the new log in {} vanished", data.wal().display()))
}

/// A copy of the key space without the log means that the promises of this member are lost.
fn refuse_orphaned_store(data: &DataDir) -> Result<(), String> {
    let path = data.store();
    let mut entries = std::fs::read_dir(&path)
        .map_err(|error| format!("cannot list {}: {error}", path.display()))?;
    if entries.next().is_none() {
        return Ok(());
    }
    Err(format!(
        "{} holds a key space, but {} no log: what this member promised is lost, and founding a \
         new cluster here would overwrite the keys; put the log back, or use another --data-dir",
        path.display(),
        data.wal().display()
    ))
}

/// The founding members, equal on all of them: sorted, and nothing in it that only one knows.
fn founding_members(config: &Config) -> Vec<Member> {
    let mut members: Vec<Member> =
        config.founders.iter().map(|(name, urls)| founder(name, urls, &config.token)).collect();
    members.sort_unstable_by_key(|member| member.id);
    members
}

fn founder(name: &str, urls: &[Url], token: &str) -> Member {
    let mut peer_ur_ls = texts(urls);
    peer_ur_ls.sort_unstable();
    let id = member_id(&peer_ur_ls, token).0;
    Member { id, name: name.to_owned(), peer_ur_ls, client_ur_ls: Vec::new(), is_learner: false }
}

/// The ids that the flags would give.
fn derived(config: &Config, members: &[Member]) -> Identity {
    let ids: Vec<NodeId> = members.iter().map(|member| NodeId(member.id)).collect();
    let own = members.iter().find(|member| member.name == config.name);
    let member = own.map_or_else(
        || member_id(&texts(&config.advertise_peer), &config.token),
        |own| NodeId(own.id),
    );
    Identity { cluster: cluster_id(&ids), member }
}

/// All members: as applied, or as founded where nothing was applied yet.
fn members(store: &Store, recovered: &Recovered) -> Result<Vec<Member>, String> {
    if !store.members().is_empty() {
        return Ok(store.members().to_vec());
    }
    founders(recovered).ok_or_else(|| {
        "neither the key space nor the log says who the members of this cluster are; restore both \
         from the same backup"
            .to_owned()
    })
}

fn founders(recovered: &Recovered) -> Option<Vec<Member>> {
    let founding = recovered.entries.first().filter(|entry| entry.index == Index(1))?;
    let action = Command::decode(founding.command.clone()).ok()?.action?;
    let Action::Configuration(configuration) = action else { return None };
    Some(configuration.members)
}

/// What is on the disk wins over the flags (BO-1), unless the flags say that this is the data of
/// somebody else.
fn check_member(
    config: &Config,
    root: &Path,
    identity: Identity,
    members: &[Member],
) -> Result<(), String> {
    let urls = |member: &Member| -> Vec<Url> {
        member.peer_ur_ls.iter().filter_map(|url| url.parse().ok()).collect()
    };
    let Some(own) = members.iter().find(|member| NodeId(member.id) == identity.member) else {
        return Err(format!(
            "data directory {} is of member {}, who is no member of its own cluster",
            root.display(),
            identity.member
        ));
    };
    let others = members.iter().filter(|member| NodeId(member.id) != identity.member);
    let mut others = others.filter(|member| same_places(&urls(member), &config.advertise_peer));
    if let Some(other) = others.next() {
        return Err(format!(
            "data directory {} is of member {} ({}, peer URLs {}), but \
             --initial-advertise-peer-urls {} is of member {} ({}); start each member with its own \
             --data-dir",
            root.display(),
            identity.member,
            own.name,
            own.peer_ur_ls.join(","),
            texts(&config.advertise_peer).join(","),
            NodeId(other.id),
            other.name
        ));
    }
    Ok(())
}

fn warn_of_other_flags(config: &Config, root: &Path, identity: Identity) {
    let by_flags = derived(config, &founding_members(config));
    if config.founders_given && by_flags != identity {
        tracing::warn!(
            "the flags would give member {} of cluster {}, but {} is of member {} of cluster {}; \
             the data wins, the initial flags are ignored",
            by_flags.member,
            by_flags.cluster,
            root.display(),
            identity.member,
            identity.cluster
        );
    }
}
