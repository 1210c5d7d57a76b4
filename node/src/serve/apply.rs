//! The thread that holds the only `&mut Store`.
//!
//! Per chunk of committed entries, in this order (DESIGN §2): lock, apply, unlock; changes to the
//! hub; answers to those who wait; the applied index to consensus; rows to the storage thread. Readers get in between
//! chunks, so that a long backlog does not shut them out.
//!
//! Rows are gathered and leave as one atomic batch at most every 50 ms or 4 MiB. They may be lost
//! with the process: the log is the promise.
//!
//! Between chunks, what a compaction gave up is removed: a bounded step at a time, with a pause in
//! which others get at the store (KV-29).
//!
//! Not here: what an entry does to the store, what is removed, and how a batch becomes durable.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use quorate_core::actors::{self, Answer};
use quorate_core::member::Input;
use quorate_core::raft::Entry;
use quorate_core::store::{Batch, Image, Left};
use quorate_core::types::RequestId;

use crate::serve::hub::Errand;
use crate::serve::mailbox::{Line, Mailbox, Rest};
use crate::serve::replica::Replica;

/// Entries applied under one lock.
const CHUNK: usize = 64;
/// Bytes of rows after which a batch leaves early.
const BATCH_BYTES: usize = 4 << 20;
/// How long rows wait for company.
const BATCH_AGE: Duration = Duration::from_millis(50);

/// Changes that one step of removal looks at, under one lock,
const SWEEP: usize = 1000;
/// and the pause after it,
const SWEEP_PAUSE: Duration = Duration::from_millis(10);
/// or while somebody still reads what is left.
const PINNED_PAUSE: Duration = Duration::from_millis(100);

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
        let (mut due, mut sweep) = (None, Some(Instant::now()));
        loop {
            let until = [due, sweep].into_iter().flatten().min();
            if self.entries.take(&mut entries, until, Rest::Sleep) == Line::Closed {
                break;
            }
            for chunk in entries.chunks(CHUNK) {
                self.apply(chunk, &mut sweep);
            }
            entries.clear();
            if sweep.is_some_and(|sweep| sweep <= Instant::now()) {
                sweep = self.sweep();
            }
            due = self.hand_over(due);
        }
        self.flush();
    }

    fn apply(&mut self, chunk: &[Entry], sweep: &mut Option<Instant>) {
        let mut store = self.replica.store_mut();
        let effects = actors::apply(&mut store, chunk);
        let (applied, removed) = (store.applied(), store.removed());
        if sweep.is_none() && store.has_to_sweep() {
            *sweep = Some(Instant::now());
        }
        let news = self.replica.watchers.tap.draw(effects.events, &store);
        drop(store);
        if let Some(news) = news {
            self.replica.watchers.inbox.push(Errand::Input(news));
        }
        self.count(&effects.answers);
        self.replica.waiters.answer(effects.answers);
        self.image.push(effects.rows);
        self.replica.inbox.push(Input::Applied { id: applied, facts: effects.facts });
        if !effects.held.is_empty() {
            self.replica.hold_back(|held| held.append(effects.held));
            self.hurry(removed);
        }
    }

    /// Takes a step of removal; says when the next one is due.
    fn sweep(&mut self) -> Option<Instant> {
        let mut store = self.replica.store_mut();
        let swept = store.sweep(SWEEP);
        let removed = store.removed();
        drop(store);
        self.replica.metrics.removed.add(swept.rows.len() as u64);
        self.image.push(swept.rows);
        self.hurry(removed);
        match swept.left {
            Left::Nothing => None,
            Left::More => Some(Instant::now() + SWEEP_PAUSE),
            Left::Pinned => Some(Instant::now() + PINNED_PAUSE),
        }
    }

    /// Hands over at once if somebody waits until this much removal is durable.
    fn hurry(&mut self, removed: Option<i64>) {
        if self.replica.hold_back(|held| held.would_release(removed)) {
            self.send();
        }
    }

    fn count(&self, answers: &[(RequestId, Answer)]) {
        for (_, answer) in answers {
            if let Answer::Applied(Ok(response)) = answer {
                self.replica.metrics.count_applied(response);
            }
        }
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
        if self.image.bytes() > 0 {
            self.send();
        }
    }

    fn send(&mut self) {
        let batches = self.image.take(&self.replica.store());
        for batch in batches {
            // The storage thread only goes when this one has, or the process ends.
            let _ = self.batches.send(batch);
        }
    }
}
