//! The thread that makes promises durable.
//!
//! It takes every write that waits, has them planned as one batch, executes the plan and hands the
//! receipt back: the longer a sync takes, the more writes share the next one (group commit).
//!
//! Not here: the plan (core's `wal/`), the file operations (`serve/disk.rs`).

use std::sync::Arc;
use std::time::Instant;

use quorate_core::member::Input;
use quorate_core::wal::{FileOp, Wal, Write};

use crate::serve::disk::Disk;
use crate::serve::logging::die;
use crate::serve::mailbox::{Line, Mailbox, Rest};
use crate::serve::replica::Replica;

/// What the thread owns.
pub struct WalThread {
    /// The planner.
    pub wal: Wal,
    /// The files.
    pub disk: Disk,
    /// Writes to be made durable.
    pub writes: Arc<Mailbox<Write>>,
    /// Whose log it is: receipts go to its inbox.
    pub replica: Arc<Replica>,
}

impl WalThread {
    /// Works until the mailbox is closed and empty.
    pub fn run(mut self) {
        let mut batch = Vec::new();
        let mut plan = Vec::new();
        while self.writes.take(&mut batch, None, Rest::SLEEP) == Line::Open {
            let unsynced = self.wal.plan(&batch, &mut plan);
            batch.clear();
            for op in plan.drain(..) {
                self.execute(&op);
            }
            self.disk.close_old();
            self.replica.inbox.push(Input::Persisted(unsynced.synced()));
        }
    }

    fn execute(&mut self, op: &FileOp) {
        let begin = Instant::now();
        if let Err(failed) = self.disk.execute(op) {
            die(format_args!(
                "{failed}; a promise that is not on the disk cannot be kept, so this member stops"
            ));
        }
        let metrics = &self.replica.metrics;
        match op {
            FileOp::Sync { .. } => metrics.wal_syncs.observe(begin.elapsed()),
            FileOp::Write { bytes, .. } => metrics.wal_bytes.add(bytes.len() as u64),
            FileOp::Create { .. }
            | FileOp::Rename { .. }
            | FileOp::Remove { .. }
            | FileOp::SyncDir => {}
        }
    }
}
