//! The five threads of a member, wired together.
//!
//! ```text
//!   inbox --> consensus --> writes  --> wal  --------------------+
//!     ^           +-------> entries --> apply --> batches --> storage
//!     |           +-------> orders  --> courier                  |
//!     +--- receipts, applied, stored ---+------------------------+
//!                           apply --> tap --> hub
//! ```
//!
//! Not here: the threads of the runtime that serve connections.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

use quorate_core::actors::{self, Consensus};
use quorate_core::courier::Courier;
use quorate_core::member::{Config as MemberConfig, Input};
use quorate_core::raft::{ARREARS_BYTES, WINDOW_BYTES};
use quorate_core::store::Image;
use quorate_core::types::{NodeId, Ticks};
use quorate_core::wal::{Identity, Wal};

use crate::peer::link::Peers;
use crate::serve::apply::ApplyThread;
use crate::serve::boot::Boot;
use crate::serve::config::Config;
use crate::serve::consensus::ConsensusThread;
use crate::serve::courier::{CourierThread, PART_BYTES, Parcels};
use crate::serve::disk::Disk;
use crate::serve::hub::{self, HubThread};
use crate::serve::mailbox::Mailbox;
use crate::serve::replica::Replica;
use crate::serve::storage::{Storage, StorageThread};
use crate::serve::tray::Tray;
use crate::serve::vitals::Vitals;
use crate::serve::waiters::Waiters;
use crate::serve::wal::WalThread;

/// Batches of rows that may wait for the disk.
const BATCHES: usize = 4;

/// How often the remaining time of long leases is written down (LE-14).
const LEASE_CHECKPOINT: Ticks = Ticks::from_millis(300_000);

/// The running threads.
pub struct Threads {
    consensus: JoinHandle<()>,
    wal: JoinHandle<()>,
    apply: JoinHandle<()>,
    storage: JoinHandle<()>,
    hub: JoinHandle<()>,
    courier: JoinHandle<()>,
}

impl Threads {
    /// Starts the member that was read back. It may act before anybody else can reach it.
    pub fn start(
        config: &Config,
        boot: Boot,
        snap: PathBuf,
        peers: &Arc<Peers>,
        tray: Tray,
    ) -> Result<(Arc<Replica>, Self), String> {
        let life = fresh();
        let settings = settings(config, &boot, life);
        let hub =
            hub::settings(boot.recovered.identity, config.watch_progress, config.election, fresh());
        let Boot { mut recovered, store, storage, disk, snap: files, shelf, .. } = boot;
        let identity = recovered.identity;
        let courier = Courier::new(identity, PART_BYTES, shelf, None);
        // The copy was synced when it was read.
        let stored = Input::Stored(store.applied().index);
        let consensus = actors::start(settings.clone(), &mut recovered, &store)?;
        let consensus = Consensus::new(consensus);
        let vitals = Vitals::new(consensus.view());
        let waiters = Waiters::new(identity.member, life, tray);
        let replica = Arc::new(Replica::new(&settings, waiters, vitals, store));
        replica.inbox.push(stored);
        let hub = HubThread::new(hub, Arc::clone(&replica));
        let wal = recovered.wal;
        let parts = Parts { consensus, wal, disk, storage, hub, snap, files, courier };
        let threads = parts.spawn(&replica, peers)?;
        Ok((replica, threads))
    }

    /// Ends the threads one after the other, each when nothing can come from the one before it.
    pub fn stop(self, replica: &Replica) {
        replica.inbox.close();
        for thread in [self.consensus, self.wal, self.apply, self.storage, self.courier] {
            // A thread that panicked has ended the process.
            let _ = thread.join();
        }
        // Nothing is applied any more, and the ports are closed.
        replica.watchers.inbox.close();
        let _ = self.hub.join();
    }
}

/// What the threads are about to own.
struct Parts {
    consensus: Consensus,
    wal: Wal,
    disk: Disk,
    storage: Storage,
    hub: HubThread,
    snap: PathBuf,
    files: Disk,
    courier: Courier,
}

impl Parts {
    fn spawn(self, replica: &Arc<Replica>, peers: &Arc<Peers>) -> Result<Threads, String> {
        let Self { consensus, wal, disk, storage, hub, snap, files, courier } = self;
        let share = || Arc::clone(replica);
        // Nothing is offered to these three: consensus bounds what it asks for (core's
        // back-pressure).
        let writes = Arc::new(Mailbox::new(0));
        let work = Arc::new(Mailbox::new(0));
        let orders = Arc::new(Mailbox::new(0));
        let (tasks, taken) = sync_channel(BATCHES);
        let parcels = Parcels::new(courier);
        let storage = StorageThread { storage, tasks: taken, snap, replica: share() };
        let courier = CourierThread {
            parcels: parcels.clone(),
            disk: files,
            orders: Arc::clone(&orders),
            replica: share(),
        };
        let apply = ApplyThread {
            image: Image::new(None),
            replica: share(),
            work: Arc::clone(&work),
            parcels,
            tasks,
        };
        let wal = WalThread { wal, disk, writes: Arc::clone(&writes), replica: share() };
        let peers = Arc::clone(peers);
        let replica = share();
        let consensus = ConsensusThread { consensus, replica, writes, work, orders, peers };
        Ok(Threads {
            storage: spawn("storage", move || storage.run())?,
            apply: spawn("apply", move || apply.run())?,
            wal: spawn("wal", move || wal.run())?,
            hub: spawn("hub", move || hub.run())?,
            courier: spawn("courier", move || courier.run())?,
            consensus: spawn("consensus", move || consensus.run())?,
        })
    }
}

fn settings(config: &Config, boot: &Boot, life: u64) -> MemberConfig {
    let Identity { cluster, member } = boot.recovered.identity;
    MemberConfig {
        id: member,
        cluster,
        boot: life,
        voters: boot.members.iter().map(|member| NodeId(member.id)).collect(),
        heartbeat: config.heartbeat,
        election: config.election,
        discard_batch: config.snapshot_count,
        lease_checkpoint: LEASE_CHECKPOINT,
        kept_tail: config.catchup_entries,
        window: WINDOW_BYTES,
        arrears: ARREARS_BYTES,
        seed: fresh(),
        planted: None,
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, String> {
    let builder = std::thread::Builder::new().name(name.to_owned());
    builder.spawn(run).map_err(|error| format!("cannot start the {name} thread: {error}"))
}

/// A number that was never used before: 64 bits of the system's randomness, and never 0.
fn fresh() -> u64 {
    RandomState::new().build_hasher().finish().max(1)
}
