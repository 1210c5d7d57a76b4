//! Those who wait for an answer: core's table of waiters, shared between threads and bounded.
//!
//! Whoever takes an id out of the table answers it, once. A caller that goes away takes its own id
//! out; the request may still take effect, which nobody has promised to prevent.
//!
//! Not here: when somebody has waited long enough. Consensus counts the time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use quorate_core::actors::{self, Answer};
use quorate_core::api::Unavailable;
use quorate_core::types::{NodeId, RequestId};
use tokio::sync::{oneshot, watch};

use crate::serve::tray::{Bell, Tray};

/// Requests that may wait at a time.
const LIMIT: usize = 65_536;
/// Bytes of commands that may wait at a time.
const LIMIT_BYTES: usize = 512 << 20;
/// So few who wait are answered by way of the tray.
const FEW: usize = 4;

/// The table.
pub struct Waiters {
    table: Mutex<Table>,
    bytes: AtomicUsize,
    tray: Tray,
    /// Whether the member stops, for those who wait for nothing else.
    stopping: watch::Sender<bool>,
}

struct Table {
    waiters: actors::Waiters<oneshot::Sender<Answer>>,
    stopped: bool,
}

/// One place in the table.
pub struct Place<'a> {
    id: RequestId,
    bytes: usize,
    answered: bool,
    answer: oneshot::Receiver<Answer>,
    all: &'a Waiters,
}

impl Waiters {
    /// An empty table for one life of a member.
    pub fn new(member: NodeId, boot: u64, tray: Tray) -> Self {
        let waiters = actors::Waiters::new(member, boot);
        let table = Table { waiters, stopped: false };
        let stopping = watch::Sender::new(false);
        Self { table: Mutex::new(table), bytes: AtomicUsize::new(0), tray, stopping }
    }

    /// Takes a place, if there is one.
    pub fn begin(&self) -> Result<Place<'_>, Unavailable> {
        let (sender, answer) = oneshot::channel();
        let mut table = self.lock();
        if table.stopped {
            return Err(Unavailable::Stopped);
        }
        if table.waiters.len() >= LIMIT {
            return Err(Unavailable::TooManyRequests);
        }
        let id = table.waiters.id();
        table.waiters.wait(id, sender);
        Ok(Place { id, bytes: 0, answered: false, answer, all: self })
    }

    /// Whether a read may look at the local store without asking consensus.
    pub fn may_read_locally(&self, serializable: bool) -> bool {
        serializable && self.lock().waiters.may_read_locally(serializable)
    }

    /// Answers whom it finds; the others have gone, or waited at another member.
    pub fn answer(&self, answers: Vec<(RequestId, Answer)>) {
        if answers.is_empty() {
            return;
        }
        let mut found = Vec::with_capacity(answers.len());
        let mut table = self.lock();
        for (id, answer) in answers {
            found.extend(table.waiters.answer(id, &answer).map(|waiter| (waiter, answer)));
        }
        let waiting = table.waiters.len() + found.len();
        drop(table);
        if waiting <= FEW {
            return self.tray.put(found);
        }
        for (waiter, answer) in found {
            // The caller may have gone this very moment.
            let _ = waiter.send(answer);
        }
    }

    /// Hands out what comes by way of the tray, for as long as the runtime runs.
    pub async fn hand_out(&self, bell: Bell) {
        self.tray.hand_out(bell).await;
    }

    /// How many wait.
    pub fn count(&self) -> usize {
        self.lock().waiters.len()
    }

    /// Lets nobody in any more and tells everybody that the member stops.
    pub fn stop(&self) {
        let mut table = self.lock();
        table.stopped = true;
        // A dropped sender is an answer too: see `Place::answer`.
        drop(table.waiters.take_all());
        drop(table);
        self.stopping.send_replace(true);
    }

    /// Waits until the member stops: what a stream does whose client asks nothing.
    pub async fn stopped(&self) {
        // An error would mean that there is no table any more.
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// The request's name.
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// Reserves memory for the request's command until it is answered.
    pub fn reserve(&mut self, bytes: usize) -> Result<(), Unavailable> {
        let before = self.all.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        if before + bytes > LIMIT_BYTES {
            return Err(Unavailable::TooManyRequests);
        }
        Ok(())
    }

    /// Waits for the answer, which comes once. A wait that is given up may be taken up again.
    pub async fn answer(&mut self) -> Answer {
        let answer = (&mut self.answer).await;
        self.answered = true;
        answer.unwrap_or(Answer::Failed(Unavailable::Stopped))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.all.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        }
        if self.answered {
            return;
        }
        drop(self.all.lock().waiters.take(self.id));
    }
}
