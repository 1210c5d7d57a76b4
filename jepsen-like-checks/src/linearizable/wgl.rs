//! The search of Wing and Gong with Lowe's memory: try orders until one explains every answer.
//!
//! At each point the next operation in the order can only be one that was invoked before any
//! operation still to be placed has returned. Try each of them on the model; where none fits,
//! take the last one back and try the next:
//!
//! ```text
//!   [--- 1 ---]                   first 1 or 2; not 3, since 1 returned before it was invoked
//!        [------ 2 ------]
//!                [--- 3 ---]      an order is 1 2 3, 1 3 2 or 2 1 3
//! ```
//!
//! The operations still to be placed are a linked list of invocations and returns in time's order,
//! from which placing one takes it out and taking back puts it in, both in O(1). Two paths to the
//! same operations placed and the same state have the same future: the second is cut (Lowe).
//!
//! A write of unknown outcome has no return: it may be placed at any point after its invocation and
//! need not be placed at all. These are tried only where no answered operation fits.
//!
//! A serializable read may be placed where the revision that it names already exists, and must show
//! that revision's state. A read that was refused as one of the future is placed like a read.
//!
//! Invariants:
//! - W1. An operation is never placed before one that returned before its invocation.
//! - W2. The model's answer is the answer on record, header included, at every placed operation.
//!
//! Not here: any use of revisions to find the order. They are but a part of the answer.

use std::collections::HashSet;

use super::{Budget, Counters, Rejection, Undecided, Verdict, Witness, refused_as_future};
use crate::history::{History, Operation, Outcome, Request, Response};
use crate::model::kv::{Refused, State};

mod pending;

use pending::{Entry, Pending};

/// Judges a history by search.
#[must_use]
pub fn judge(history: &History, budget: Budget) -> Verdict {
    if let Some(kind) = super::foreign(history) {
        return Verdict::Unknown(Undecided::Kind(kind));
    }
    let entries = history.operations().iter().filter_map(entry).collect::<Vec<_>>();
    Search::new(entries, budget).run(history)
}

/// An operation as the search sees it, unless it says nothing and does nothing.
fn entry(operation: &Operation) -> Option<Entry<'_>> {
    let invoked = operation.invoked;
    let returned = match &operation.outcome {
        Outcome::Ok { returned, .. } => Some(*returned),
        Outcome::Refused { returned, .. } if refused_as_future(operation) => Some(*returned),
        Outcome::Refused { .. } => return None,
        Outcome::Unknown { .. } => match operation.request {
            Request::Put(_) | Request::DeleteRange(_) => None,
            _ => return None,
        },
    };
    Some(Entry { operation, invoked, returned })
}

struct Search<'h> {
    pending: Pending<'h>,
    state: State,
    /// What was placed, in order, with the state before it.
    placed: Vec<(usize, State)>,
    /// Hash of the set of placed operations.
    set: u128,
    seen: HashSet<(u128, u128)>,
    budget: Budget,
    steps: u64,
    /// The longest order so far that got stuck, and the entry whose return it could not pass.
    deepest: Option<(usize, usize)>,
}

impl<'h> Search<'h> {
    fn new(entries: Vec<Entry<'h>>, budget: Budget) -> Self {
        Self {
            pending: Pending::new(entries),
            state: State::new(),
            placed: Vec::new(),
            set: 0,
            seen: HashSet::new(),
            budget,
            steps: 0,
            deepest: None,
        }
    }

    fn run(mut self, history: &History) -> Verdict {
        let mut cursor = self.pending.first();
        while !self.pending.is_done() {
            if let Some(undecided) = self.spent() {
                return Verdict::Unknown(undecided);
            }
            cursor = match self.pending.candidate(cursor) {
                Some(entry) if self.place(entry) => self.pending.first(),
                Some(_) => self.pending.after(cursor),
                None => match self.take_back() {
                    Some(entry) => self.pending.after(self.pending.place_of(entry)),
                    None => return Verdict::Illegal(Box::new(self.stuck())),
                },
            };
        }
        Verdict::Linearizable(self.counters(history))
    }

    fn spent(&mut self) -> Option<Undecided> {
        self.steps += 1;
        if self.steps > self.budget.steps {
            return Some(Undecided::Steps(self.budget.steps));
        }
        (self.seen.len() >= self.budget.states).then_some(Undecided::States(self.budget.states))
    }

    /// Tries an operation as the next one. Whether it fits and leads to something new.
    fn place(&mut self, entry: usize) -> bool {
        let Some(after) = accepted(&self.state, self.pending.operation(entry)) else {
            return false;
        };
        let set = self.set ^ token(entry);
        if !self.seen.insert((set, after.digest())) {
            return false;
        }
        self.set = set;
        self.placed.push((entry, std::mem::replace(&mut self.state, after)));
        self.pending.take_out(entry);
        true
    }

    /// Undoes the last placement.
    fn take_back(&mut self) -> Option<usize> {
        let stuck = self.pending.first_return();
        if self.deepest.is_none_or(|(placed, _)| placed < self.placed.len()) {
            self.deepest = stuck.map(|entry| (self.placed.len(), entry));
        }
        let (entry, state) = self.placed.pop()?;
        self.state = state;
        self.set ^= token(entry);
        self.pending.put_back(entry);
        Some(entry)
    }

    fn stuck(&self) -> Rejection {
        let (placed, entry) = self.deepest.expect("a search that failed got stuck somewhere");
        let stuck = Witness::from(self.pending.operation(entry));
        Rejection::NoOrder { required: self.pending.required(), placed, stuck }
    }

    fn counters(&self, history: &History) -> Counters {
        let order = self.placed.iter().map(|(entry, _)| self.pending.operation(*entry));
        let unknown = order.filter(|operation| operation.returned().is_none()).count();
        Counters { took_effect: unknown, steps: self.steps, ..Counters::of(history) }
    }
}

/// The state after an operation, if the model gives the answer on record (W2).
fn accepted(state: &State, operation: &Operation) -> Option<State> {
    match (&operation.request, &operation.outcome) {
        (Request::Range(range), Outcome::Ok { response: Response::Range(seen), .. })
            if range.serializable =>
        {
            let exists = seen.revision.0 >= 1 && seen.revision <= state.revision();
            let told = exists.then(|| state.range_as_of(seen.revision, range));
            (told? == Ok(seen.clone())).then(|| state.clone())
        }
        (request, Outcome::Ok { response, .. }) => {
            let (after, told) = state.step(request).ok()?;
            (told == *response).then_some(after)
        }
        (request, Outcome::Refused { .. }) => {
            let refused = state.step(request).err()?;
            (refused == Refused::FutureRevision).then(|| state.clone())
        }
        (request, Outcome::Unknown { .. }) => {
            let (after, _) = state.step(request).ok()?;
            // A write that changes nothing might as well not have happened.
            (after.revision() > state.revision()).then_some(after)
        }
    }
}

/// A random-looking name of an entry, so that the exclusive or of names stands for a set.
fn token(entry: usize) -> u128 {
    u128::from(mixed(2 * entry as u64)) << 64 | u128::from(mixed(2 * entry as u64 + 1))
}

/// The finalizer of splitmix64.
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}
