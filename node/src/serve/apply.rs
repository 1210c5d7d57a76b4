//! The thread that holds the only `&mut Store`.
//!
//! Per chunk of committed entries, in this order (DESIGN §2): lock, apply, unlock; changes to the
//! hub; answers to those who wait; the applied index to consensus; rows to the storage thread.
//! Readers get in between chunks, so that a long backlog does not shut them out.
//!
//! Rows are gathered and leave as one atomic batch at most every 50 ms or 4 MiB. They may be lost
//! with the process: the log is the promise.
//!
//! Between chunks, what a compaction gave up is removed: a bounded step at a time, with a pause in
//! which others get at the store (KV-29). And between two chunks, a received snapshot may take the
//! place of the whole store; the storage thread makes it the durable copy.
//!
//! Not here: what an entry does to the store, what is removed, and how a batch becomes durable.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use quorate_core::actors::{self, Answer};
use quorate_core::member::Input;
use quorate_core::raft::Entry;
use quorate_core::store::{Image, Left};
use quorate_core::types::{LogId, RequestId};

use crate::serve::courier::Parcels;
use crate::serve::hub::Errand;
use crate::serve::mailbox::{Haste, Line, Mailbox, Rest};
use crate::serve::replica::Replica;
use crate::serve::storage::Task;

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
    /// Committed entries and snapshots, in order.
    pub work: Arc<Mailbox<Work>>,
    /// Received snapshots.
    pub parcels: Parcels,
    /// To the storage thread. When it cannot keep up, applying waits.
    pub tasks: SyncSender<Task>,
}

/// What the store is to be changed by.
pub enum Work {
    /// Committed entries.
    Apply(Vec<Entry>),
    /// A received snapshot, in the place of everything.
    Install(LogId),
}

impl Work {
    /// What one round of consensus hands over, in order.
    pub fn of(install: Option<LogId>, entries: Vec<Entry>) -> Vec<Self> {
        let entries = (!entries.is_empty()).then_some(Self::Apply(entries));
        install.map(Self::Install).into_iter().chain(entries).collect()
    }
}

impl ApplyThread {
    /// Works until the mailbox is closed and empty; then sends the rows that are left.
    pub fn run(mut self) {
        let mut work = Vec::new();
        let (mut due, mut sweep) = (None, Some(Instant::now()));
        loop {
            let until = [due, sweep].into_iter().flatten().min();
            if self.work.take(&mut work, until, Rest::SLEEP) == Line::Closed {
                break;
            }
            for item in work.drain(..) {
                match item {
                    Work::Apply(entries) => {
                        entries.chunks(CHUNK).for_each(|chunk| self.apply(chunk, &mut sweep));
                    }
                    Work::Install(snapshot) => {
                        self.install(snapshot);
                        sweep = Some(Instant::now());
                    }
                }
            }
            if sweep.is_some_and(|sweep| sweep <= Instant::now()) {
                sweep = self.sweep();
            }
            due = self.hand_over(due);
        }
        self.flush();
    }

    /// Rows of the former store that wait are void. It is freed without the lock. The hub reads for
    /// its watchers what they have not seen of the new one, or finds it compacted (WA-21).
    fn install(&mut self, snapshot: LogId) {
        let ready = self.parcels.take_ready(snapshot);
        let mut store = self.replica.store_mut();
        let (former, told) = actors::install(&mut store, ready);
        let (revision, keys) = (store.revision(), store.keys());
        self.replica.watchers.tap.shut();
        drop(store);
        self.replica.watchers.inbox.push(Errand::Nudge);
        tracing::info!(%snapshot, revision, keys, "installed a snapshot");
        self.image.clear();
        self.replica.inbox.push(told);
        // The storage thread only goes when this one has, or the process ends.
        let _ = self.tasks.send(Task::Refill(snapshot));
        drop(former);
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
        effects.facts.iter().for_each(|fact| self.replica.metrics.count_fact(fact));
        let haste = if effects.facts.is_empty() { Haste::Quiet } else { Haste::Pressing };
        let input = Input::Applied { id: applied, facts: effects.facts };
        self.replica.inbox.push_with(input, haste);
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
            let _ = self.tasks.send(Task::Write(batch));
        }
    }
}
