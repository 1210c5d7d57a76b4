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
//! that revision's state. A refusal that tells something of the state is placed like a read.
//!
//! A lease may end at any point of its life: for each grant there is an end that may be placed
//! once. A grant of unknown outcome that left the id to the store names nothing; it is reckoned
//! with where a lease is used that no other grant can have made.
//!
//! Invariants:
//! - W1. An operation is never placed before one that returned before its invocation.
//! - W2. The model's answer is the answer on record, header included, at every placed operation.
//!
//! Not here: any use of revisions to find the order. They are but a part of the answer.

use std::collections::HashSet;

use super::tenure::Tenure;
use super::{Budget, Counters, Rejection, Undecided, Verdict, Witness, telling};
use crate::history::{
    History, LeaseGrantRequest, Micros, Operation, Outcome, Request, Response, Revision,
};
use crate::model::kv::{MOST_TTL, State};

mod pending;

use pending::{Entry, Pending, What};

/// Judges a history by search.
#[must_use]
pub fn judge(history: &History, budget: Budget) -> Verdict {
    let tenure = Tenure::of(history);
    let told = history.lease_ends().iter().filter_map(|end| {
        let entry = |_| Entry { what: What::Told(end), invoked: Micros(0), returned: Some(end.at) };
        end.revision.map(entry)
    });
    let silent = |what, invoked| Entry { what, invoked, returned: None };
    let grants = tenure.stray.iter().map(|(lease, at)| silent(What::Grant(*lease), *at));
    let ends = tenure.granted.iter().map(|(lease, at)| silent(What::End(*lease), *at));
    let entries = history.operations().iter().filter_map(|operation| entry(&tenure, operation));
    let entries = entries.chain(told).chain(grants).chain(ends).collect();
    let start = tenure.labels.iter().fold(State::new(), |state, lease| {
        state.granted(*lease, 0).expect("each label is there once")
    });
    Search::new(entries, start, budget).run(history)
}

/// An operation as the search sees it, unless it says nothing and does nothing.
fn entry<'h>(tenure: &Tenure, operation: &'h Operation) -> Option<Entry<'h>> {
    let (what, invoked) = (What::Operation(operation), operation.invoked);
    let returned = match (&operation.request, &operation.outcome) {
        (_, Outcome::Ok { returned, .. }) => Some(*returned),
        (_, Outcome::Refused { returned, .. }) => {
            tenure.telling(operation)?;
            Some(*returned)
        }
        // Whatever it granted has a name that no other grant on record has: see `Tenure::stray`.
        (Request::LeaseGrant(LeaseGrantRequest { lease: None, .. }), Outcome::Unknown { .. }) => {
            return None;
        }
        (request, Outcome::Unknown { .. }) => {
            if !request.may_write() {
                return None;
            }
            None
        }
    };
    Some(Entry { what, invoked, returned })
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
    fn new(entries: Vec<Entry<'h>>, state: State, budget: Budget) -> Self {
        Self {
            pending: Pending::new(entries),
            state,
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
        let Some(after) = accepted(&self.state, self.pending.what(entry)) else {
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
        let stuck = match self.pending.what(entry) {
            What::Operation(operation) => Witness::from(operation),
            What::Told(end) => Witness::from(end),
            What::Grant(_) | What::End(_) => unreachable!("only what must be placed gets stuck"),
        };
        Rejection::NoOrder { required: self.pending.required(), placed, stuck }
    }

    fn counters(&self, history: &History) -> Counters {
        let writes = self.placed.iter().zip(self.placed.iter().skip(1).map(|(_, state)| state));
        let last = self.placed.last().map(|last| (last, &self.state));
        let unknown = writes
            .chain(last)
            .filter(|((entry, before), after)| {
                self.pending.is_maybe(*entry) && before.revision() < after.revision()
            })
            .count();
        Counters { took_effect: unknown, steps: self.steps, ..Counters::of(history) }
    }
}

/// The state after something happened, if the model agrees with what is on record of it (W2).
fn accepted(state: &State, what: What<'_>) -> Option<State> {
    match what {
        What::Operation(operation) => explained(state, operation),
        What::Told(end) => {
            let after = state.end_lease(end.lease)?;
            (Some(after.revision()) == end.revision && after.revision() > state.revision())
                .then_some(after)
        }
        What::Grant(lease) => state.granted(lease, 0),
        What::End(lease) => state.end_lease(lease),
    }
}

fn explained(state: &State, operation: &Operation) -> Option<State> {
    let request = &operation.request;
    match &operation.outcome {
        Outcome::Ok { response: Response::LeaseGrant(told), .. } => {
            let Request::LeaseGrant(asked) = request else { return None };
            let fits = told.revision == state.revision()
                && asked.lease.is_none_or(|lease| lease == told.lease)
                && told.ttl >= asked.ttl.max(1)
                && asked.ttl <= MOST_TTL;
            fits.then(|| state.granted(told.lease, told.ttl)).flatten()
        }
        // These show no state of the log but its length; the rest is for the rules of time.
        Outcome::Ok { response, .. } if is_of_the_leader(request) => {
            let seen = response.revision();
            (Revision(1) <= seen && seen <= state.revision()).then(|| state.clone())
        }
        Outcome::Ok { response, .. } if request.is_serializable() => {
            let told = state.read_as_of(response.revision(), request)?;
            (told.ok().as_ref() == Some(response)).then(|| state.clone())
        }
        Outcome::Ok { response, .. } => {
            let (after, told) = state.step(request).ok()?;
            (told == *response).then_some(after)
        }
        Outcome::Refused { .. } => {
            let reason = telling(operation)?;
            state.refuses(request, reason).then(|| state.clone())
        }
        Outcome::Unknown { .. } => {
            let (after, _) = state.step(request).ok()?;
            // What changes nothing might as well not have happened.
            (after.digest() != state.digest()).then_some(after)
        }
    }
}

/// Whether the answer comes from the leader's own clock.
fn is_of_the_leader(request: &Request) -> bool {
    matches!(
        request,
        Request::LeaseKeepAlive(_) | Request::LeaseTimeToLive(_) | Request::LeaseLeases(_)
    )
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
