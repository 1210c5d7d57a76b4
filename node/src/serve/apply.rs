//! The thread that holds the only `&mut Store`.
//!
//! Per chunk of committed entries, in this order (DESIGN §2): lock, apply, unlock; answers to those
//! who wait; the applied index to consensus; rows to the storage thread. Readers get in between
//! chunks, so that a long backlog does not shut them out.
//!
//! Rows are gathered and leave as one atomic batch at most every 50 ms or 4 MiB. They may be lost
//! with the process: the log is the promise.
//!
//! Not here: what an entry does to the store, and how a batch becomes durable.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use quorate_core::actors::{self, Answer};
use quorate_core::api::Response;
use quorate_core::member::Input;
use quorate_core::raft::Entry;
use quorate_core::store::{Batch, Image};
use quorate_core::types::RequestId;

use crate::serve::mailbox::{Line, Mailbox, Rest};
use crate::serve::replica::Replica;

/// Entries applied under one lock.
const CHUNK: usize = 64;
/// Bytes of rows after which a batch leaves early.
const BATCH_BYTES: usize = 4 << 20;
/// How long rows wait for company.
const BATCH_AGE: Duration = Duration::from_millis(50);

/// What the thread owns.
pub struct ApplyThread {
    /// Rows on their way to the disk.
    pub image: Image,
    /// The store, and those who wait.
    pub replica: Arc<Replica>,
    /// Committed entries, in order.
    pub entries: Arc<Mailbox<Entry>>,
    /// To the storage thread. When it cannot keep up, applying waits.
    pub batches: SyncSender<Batch>,
}

impl ApplyThread {
    /// Works until the mailbox is closed and empty; then sends the rows that are left.
    pub fn run(mut self) {
        let mut entries = Vec::new();
        let mut due = None;
        while self.entries.take(&mut entries, due, Rest::Sleep) == Line::Open {
            for chunk in entries.chunks(CHUNK) {
                self.apply(chunk);
            }
            entries.clear();
            due = self.hand_over(due);
        }
        self.flush();
    }

    fn apply(&mut self, chunk: &[Entry]) {
        let mut store = self.replica.store_mut();
        let effects = actors::apply(&mut store, chunk);
        let applied = store.applied();
        drop(store);
        self.count(&effects.answers);
        self.replica.waiters.answer(effects.answers);
        self.image.push(effects.rows);
        self.replica.inbox.push(Input::Applied { id: applied, facts: effects.facts });
    }

    fn count(&self, answers: &[(RequestId, Answer)]) {
        let (mut puts, mut deletes) = (0, 0);
        for (_, answer) in answers {
            match answer {
                Answer::Applied(Ok(Response::Put(_))) => puts += 1,
                Answer::Applied(Ok(Response::DeleteRange(done))) => deletes += done.deleted,
                Answer::Applied(
                    Ok(
                        Response::Txn(_)
                        | Response::Compact(_)
                        | Response::LeaseGrant(_)
                        | Response::LeaseRevoke(_)
                        | Response::Done,
                    )
                    | Err(_),
                )
                | Answer::Readable
                | Answer::Lease(_)
                | Answer::Failed(_) => {}
            }
        }
        self.replica.metrics.puts.add(puts);
        self.replica.metrics.deletes.add(deletes.unsigned_abs());
    }

    /// Sends the rows if it is time; says when it will be.
    fn hand_over(&mut self, due: Option<Instant>) -> Option<Instant> {
        let bytes = self.image.bytes();
        if bytes == 0 {
            return None;
        }
        let due = due.unwrap_or_else(|| Instant::now() + BATCH_AGE);
        if bytes < BATCH_BYTES && Instant::now() < due {
            return Some(due);
        }
        self.flush();
        None
    }

    fn flush(&mut self) {
        if self.image.bytes() == 0 {
            return;
        }
        let batches = self.image.take(&self.replica.store());
        for batch in batches {
            // The storage thread only goes when this one has, or the process ends.
            let _ = self.batches.send(batch);
        }
    }
}
