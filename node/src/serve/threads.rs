//! The four threads of a member, wired together.
//!
//! ```text
//!   inbox --> consensus --> writes  --> wal  --------------------+
//!     ^           +-------> entries --> apply --> batches --> storage
//!     +--- receipts, applied, stored ---+------------------------+
//! ```
//!
//! Not here: the threads of the runtime that serve connections.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

use quorate_core::actors::{self, Consensus};
use quorate_core::member::{Config as MemberConfig, Input};
use quorate_core::store::Image;
use quorate_core::types::NodeId;

use crate::serve::apply::ApplyThread;
use crate::serve::boot::Boot;
use crate::serve::config::Config;
use crate::serve::consensus::ConsensusThread;
use crate::serve::mailbox::Mailbox;
use crate::serve::metrics::Metrics;
use crate::serve::peer::Peers;
use crate::serve::replica::Replica;
use crate::serve::storage::StorageThread;
use crate::serve::vitals::Vitals;
use crate::serve::waiters::Waiters;
use crate::serve::wal::WalThread;

/// Inputs from outside that may wait for consensus.
const INBOX: usize = 65_536;
/// Batches of rows that may wait for the disk.
const BATCHES: usize = 4;

/// The running threads.
pub struct Threads {
    consensus: JoinHandle<()>,
    wal: JoinHandle<()>,
    apply: JoinHandle<()>,
    storage: JoinHandle<()>,
}

impl Threads {
    /// Starts the member that was read back. It may act before anybody else can reach it.
    pub fn start(
        config: &Config,
        boot: Boot,
        peers: &Arc<Peers>,
    ) -> Result<(Arc<Replica>, Self), String> {
        let Boot { mut recovered, store, storage, members, disk } = boot;
        let identity = recovered.identity;
        let boot = fresh();
        let voters = members.iter().map(|member| NodeId(member.id)).collect::<BTreeSet<_>>();
        let member = MemberConfig {
            id: identity.member,
            cluster: identity.cluster,
            boot,
            voters,
            heartbeat: config.heartbeat,
            election: config.election,
            discard_batch: config.snapshot_count,
            seed: fresh(),
            planted: None,
        };
        let stored = store.applied().index;
        let consensus = Consensus::new(actors::start(member, &mut recovered, &store)?);
        let (inbox, metrics) = (Arc::new(Mailbox::new(INBOX)), Arc::new(Metrics::default()));
        let waiters = Waiters::new(identity.member, boot);
        let vitals = Vitals::new(consensus.view());
        let shared = (Arc::clone(&inbox), Arc::clone(&metrics));
        let replica = Arc::new(Replica::new(identity, waiters, vitals, store, shared));
        // The copy was synced when it was read.
        inbox.push(Input::Stored(stored));
        let writes = Arc::new(Mailbox::new(usize::MAX));
        let entries = Arc::new(Mailbox::new(usize::MAX));
        let (batches, written) = sync_channel(BATCHES);
        let wal = WalThread {
            wal: recovered.wal,
            disk,
            writes: Arc::clone(&writes),
            consensus: Arc::clone(&inbox),
            metrics: Arc::clone(&metrics),
        };
        let apply = ApplyThread {
            image: Image::new(None),
            replica: Arc::clone(&replica),
            entries: Arc::clone(&entries),
            batches,
        };
        let storage = StorageThread { storage, batches: written, consensus: inbox, metrics };
        let consensus = ConsensusThread {
            consensus,
            replica: Arc::clone(&replica),
            writes,
            entries,
            peers: Arc::clone(peers),
        };
        let threads = Self {
            storage: spawn("storage", move || storage.run())?,
            apply: spawn("apply", move || apply.run())?,
            wal: spawn("wal", move || wal.run())?,
            consensus: spawn("consensus", move || consensus.run())?,
        };
        Ok((replica, threads))
    }

    /// Ends the threads one after the other, each when nothing can come from the one before it.
    pub fn stop(self, replica: &Replica) {
        replica.inbox.close();
        for thread in [self.consensus, self.wal, self.apply, self.storage] {
            // A thread that panicked has ended the process.
            let _ = thread.join();
        }
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
