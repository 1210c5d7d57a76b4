//! Who still needs what a compaction gave up.
//!
//! ```text
//!   compactions          at 10        at 25
//!   time        ---------|------------|------------>
//!   ticket          a          b            c        a reader holds the one of its time
//!                   \          \            \
//!   removal up to   10          25           the next mark, whenever it comes
//!   waits for       a           a and b      a, b and c
//! ```
//! A compaction moves its mark at once, but a long read that began before goes on, and so does a
//! snapshot on its way. Each holds a ticket. A compaction seals the current ticket and issues
//! another one; removal up to its mark begins when nobody holds a ticket that was sealed by then.
//! So a reader need not register, cannot forget to leave, and delays removal only.
//!
//! A snapshot for another member copies every record with what they add up to, so while one is made
//! nothing is removed at all, however long ago it was given up: it holds a freeze.
//!
//! Invariants:
//! - N1. What a reader could see when it took its ticket is there until it drops the ticket.
//!
//! Not here: what is removed (`compact.rs`).

use alloc::collections::VecDeque;
use alloc::sync::Arc;

/// Keeps all that can be read at this moment from being removed, until it is dropped.
#[derive(Debug)]
pub struct Pin {
    _ticket: Arc<()>,
}

/// Keeps every record from being removed, until it is dropped.
#[derive(Debug)]
pub struct Freeze {
    _ticket: Arc<()>,
}

/// The tickets that somebody may still hold.
#[derive(Debug, Default)]
pub struct Pins {
    frozen: Arc<()>,
    current: Arc<()>,
    /// Oldest first: the mark of the compaction that sealed a ticket, and the ticket.
    sealed: VecDeque<(i64, Arc<()>)>,
}

/// Readers of one copy of a key space do not read another: a copy begins without any.
impl Clone for Pins {
    fn clone(&self) -> Self {
        let marks = self.sealed.iter().map(|(mark, _)| (*mark, Arc::default()));
        Self { frozen: Arc::default(), current: Arc::default(), sealed: marks.collect() }
    }
}

impl Pins {
    /// Takes a ticket.
    pub fn pin(&self) -> Pin {
        Pin { _ticket: Arc::clone(&self.current) }
    }

    /// Stops all removal.
    pub fn freeze(&self) -> Freeze {
        Freeze { _ticket: Arc::clone(&self.frozen) }
    }

    /// Whether anybody holds a freeze.
    pub fn is_frozen(&self) -> bool {
        Arc::strong_count(&self.frozen) > 1
    }

    /// A compaction moved its mark.
    pub fn seal(&mut self, mark: i64) {
        let ticket = core::mem::take(&mut self.current);
        self.sealed.push_back((mark, ticket));
    }

    /// The newest mark up to which everything may go that compaction gave up. Tells each once.
    pub fn release(&mut self) -> Option<i64> {
        let mut released = None;
        while let Some((mark, _)) = self.sealed.pop_front_if(|(_, ticket)| is_free(ticket)) {
            released = Some(mark);
        }
        released
    }

    /// Whether somebody holds back the oldest mark that was not released.
    pub fn hold(&self) -> bool {
        self.sealed.front().is_some_and(|(_, ticket)| !is_free(ticket))
    }
}

/// Every holder has a reference of its own: a single one is ours.
fn is_free(ticket: &Arc<()>) -> bool {
    Arc::strong_count(ticket) == 1
}
