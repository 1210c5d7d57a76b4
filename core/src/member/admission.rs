//! Each forwarded request once (invariant M1).
//!
//! The network may repeat a forwarded command, however late. A leader remembers the ids that it
//! took in its term; forwards name the term, so a repeat that reaches a later leader dies there.
//! What it remembers is bounded: ids far behind the newest of their origin are not taken any more.
//!
//! The memory outlives the term, until this member leads again. So a member that led a term can say
//! for certain of a forward that comes too late for it: no copy of this was taken, and none will
//! be. A member that was restarted has no such memory, and says nothing.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::types::{NodeId, RequestId, Term};

/// Ids remembered per origin.
const WINDOW: usize = 1 << 16;

/// The forwarded requests that a leader took in one term.
#[derive(Debug, Default)]
pub struct Admission {
    term: Term,
    origins: BTreeMap<(NodeId, u64), Origin>,
}

#[derive(Debug, Default)]
struct Origin {
    /// Everything up to here counts as taken.
    floor: u64,
    taken: BTreeSet<u64>,
}

impl Admission {
    /// This member leads `term`: what it took in an earlier one cannot come again.
    pub fn lead(&mut self, term: Term) {
        if term != self.term {
            self.term = term;
            self.origins.clear();
        }
    }

    /// Whether this member led `term`, and surely took no copy of `id` in it.
    pub fn surely_missed(&self, term: Term, id: RequestId) -> bool {
        let origin = self.origins.get(&(id.member, id.boot));
        let new = |origin: &Origin| id.n > origin.floor && !origin.taken.contains(&id.n);
        term == self.term && origin.is_none_or(new)
    }

    /// Whether `id` comes for the first time in this term, as far as is remembered.
    pub fn admit(&mut self, term: Term, id: RequestId) -> bool {
        self.lead(term);
        let origin = self.origins.entry((id.member, id.boot)).or_default();
        let fresh = id.n > origin.floor && origin.taken.insert(id.n);
        if origin.taken.len() > WINDOW {
            origin.floor = origin.taken.pop_first().unwrap_or(origin.floor);
        }
        fresh
    }
}
