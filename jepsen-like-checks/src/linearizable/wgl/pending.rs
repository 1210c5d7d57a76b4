//! The operations that a search has yet to place, as a linked list in time's order.
//!
//! ```text
//!   answered   1( 2( )1 3( )2 )3        walked up to the first return: 1 and 2 are candidates
//!   maybe      4(        5(             of these, those invoked before that return: 4
//! ```
//!
//! Placing an operation takes its two nodes out; taking it back puts them where they were, which
//! works because operations come back in the reverse order of their leaving (Knuth's dancing
//! links).
//!
//! Invariants:
//! - P1. A node that is out still knows its neighbours of the moment when it left.
//! - P2. A candidate was invoked before anything pending has returned (W1).
//!
//! Not here: which candidate fits.

use crate::history::{Lease, LeaseEnd, Micros, Operation};

/// What is to be placed.
#[derive(Clone, Copy)]
pub(super) enum What<'h> {
    Operation(&'h Operation),
    /// The end of a lease that the log told.
    Told(&'h LeaseEnd),
    /// A grant that nobody was told of.
    Grant(Lease),
    /// The end of a lease that nobody was told of.
    End(Lease),
}

/// Something with the span in which it must be placed. Without a return: any time, or never.
pub(super) struct Entry<'h> {
    pub(super) what: What<'h>,
    pub(super) invoked: Micros,
    pub(super) returned: Option<Micros>,
}

/// An invocation or a return, or the end of one of the two lists.
#[derive(Clone, Copy)]
struct Node {
    entry: usize,
    is_return: bool,
    next: usize,
    previous: usize,
}

/// A place in the walk over the candidates.
#[derive(Clone, Copy)]
pub(super) struct Cursor(usize);

pub(super) struct Pending<'h> {
    entries: Vec<Entry<'h>>,
    /// The nodes in time's order between `ANSWERED` and `MAYBE`, the heads of two rings.
    nodes: Vec<Node>,
    /// Per entry: the node of its invocation and, if it has one, of its return.
    ends: Vec<(usize, Option<usize>)>,
    required: usize,
    left: usize,
}

/// The head of the ring of answered operations.
const ANSWERED: usize = 0;
/// The head of the ring of writes that may have happened.
const MAYBE: usize = 1;

impl<'h> Pending<'h> {
    pub(super) fn new(entries: Vec<Entry<'h>>) -> Self {
        let required = entries.iter().filter(|entry| entry.returned.is_some()).count();
        let head = |at| Node { entry: usize::MAX, is_return: false, next: at, previous: at };
        let mut pending = Self {
            nodes: vec![head(ANSWERED), head(MAYBE)],
            ends: vec![(ANSWERED, None); entries.len()],
            required,
            left: required,
            entries,
        };
        for (_, is_return, entry) in pending.events() {
            pending.append(entry, is_return);
        }
        pending
    }

    /// Invocations and returns in time's order. At one moment invocations come first: operations
    /// that touch only at their ends overlap, since a clock of microseconds cannot tell.
    fn events(&self) -> Vec<(Micros, bool, usize)> {
        let mut events = Vec::with_capacity(2 * self.entries.len());
        for (at, entry) in self.entries.iter().enumerate() {
            events.push((entry.invoked, false, at));
            events.extend(entry.returned.map(|returned| (returned, true, at)));
        }
        events.sort_unstable();
        events
    }

    fn append(&mut self, entry: usize, is_return: bool) {
        let answered = self.entries[entry].returned.is_some();
        let head = if answered { ANSWERED } else { MAYBE };
        let last = self.nodes[head].previous;
        let node = self.nodes.len();
        self.nodes.push(Node { entry, is_return, next: head, previous: last });
        self.nodes[last].next = node;
        self.nodes[head].previous = node;
        if is_return {
            self.ends[entry].1 = Some(node);
        } else {
            self.ends[entry].0 = node;
        }
    }

    /// Operations that must be placed, at the start.
    pub(super) fn required(&self) -> usize {
        self.required
    }

    /// Whether all that must be placed is placed.
    pub(super) fn is_done(&self) -> bool {
        self.left == 0
    }

    pub(super) fn what(&self, entry: usize) -> What<'h> {
        self.entries[entry].what
    }

    /// Whether an entry need not be placed.
    pub(super) fn is_maybe(&self, entry: usize) -> bool {
        self.entries[entry].returned.is_none()
    }

    /// Where the walk begins.
    pub(super) fn first(&self) -> Cursor {
        self.settled(self.nodes[ANSWERED].next)
    }

    /// Where the walk goes on after a candidate that did not fit.
    pub(super) fn after(&self, cursor: Cursor) -> Cursor {
        self.settled(self.nodes[cursor.0].next)
    }

    /// The place of an entry that is pending.
    pub(super) fn place_of(&self, entry: usize) -> Cursor {
        Cursor(self.ends[entry].0)
    }

    /// The first return ends the walk over answered operations; the others follow.
    fn settled(&self, node: usize) -> Cursor {
        Cursor(if self.nodes[node].is_return { self.nodes[MAYBE].next } else { node })
    }

    /// The candidate at the cursor, if the walk is not over (P2).
    pub(super) fn candidate(&self, cursor: Cursor) -> Option<usize> {
        let node = self.nodes[cursor.0];
        if cursor.0 == MAYBE || cursor.0 == ANSWERED {
            return None;
        }
        let answered = self.entries[node.entry].returned.is_some();
        let in_time = self.first_return_node().is_none_or(|limit| cursor.0 < limit);
        (answered || in_time).then_some(node.entry)
    }

    /// The entry of the first pending return: what must be placed next at the latest.
    pub(super) fn first_return(&self) -> Option<usize> {
        self.first_return_node().map(|node| self.nodes[node].entry)
    }

    fn first_return_node(&self) -> Option<usize> {
        let mut node = self.nodes[ANSWERED].next;
        while node != ANSWERED && !self.nodes[node].is_return {
            node = self.nodes[node].next;
        }
        (node != ANSWERED).then_some(node)
    }

    pub(super) fn take_out(&mut self, entry: usize) {
        let (invocation, answer) = self.ends[entry];
        self.unlink(invocation);
        if let Some(answer) = answer {
            self.unlink(answer);
            self.left -= 1;
        }
    }

    pub(super) fn put_back(&mut self, entry: usize) {
        let (invocation, answer) = self.ends[entry];
        if let Some(answer) = answer {
            self.relink(answer);
            self.left += 1;
        }
        self.relink(invocation);
    }

    fn unlink(&mut self, node: usize) {
        let Node { next, previous, .. } = self.nodes[node];
        self.nodes[previous].next = next;
        self.nodes[next].previous = previous;
    }

    fn relink(&mut self, node: usize) {
        let Node { next, previous, .. } = self.nodes[node];
        self.nodes[previous].next = node;
        self.nodes[next].previous = node;
    }
}
