//! Which rows the table of a finding has: those that have to do with it, and not too many.
//!
//! ```text
//! operations   marked ones; those that speak of the keys or the lease that are in question
//! watches      the one that is in question, and the one that contradicts it
//! ```
//!
//! Where still too many are left, the ones nearest to the end stay: the contradiction is there.
//!
//! Not here: how they are drawn (`columns.rs`).

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use super::columns::{Row, Table};
use super::{facts, sayings};
use crate::history::{
    ByteString, ClientId, History, KeyRange, Lease, Micros, OpNumber, Operation, Request,
    WatchNumber,
};
use crate::linearizable::Witness;
use crate::watch::Evidence;

/// The most operations that are shown.
const MOST: usize = 16;

/// What is in question.
#[derive(Default)]
struct Topic {
    operations: BTreeMap<OpNumber, char>,
    messages: BTreeMap<(WatchNumber, usize), char>,
    watches: BTreeSet<WatchNumber>,
    keys: Vec<(ByteString, ByteString)>,
    leases: BTreeSet<Lease>,
    end: Option<char>,
}

/// Whose column it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Client(ClientId),
    Watch(WatchNumber),
    Store,
}

/// The rows that explain a finding, which was made on this very history.
pub(super) fn table(history: &History, finding: &Finding) -> Table {
    let topic = Topic::of(history, finding);
    let mut rows: Vec<(Micros, u8, Who, String, Option<char>)> = Vec::new();
    let (shown, hidden) = topic.operations(history);
    for operation in shown {
        let who = Who::Client(operation.client);
        let mark = topic.operations.get(&operation.number).copied();
        let asked = format!("{}: {}", operation.number.0, sayings::asked(&operation.request));
        rows.push((operation.invoked, 1, who, asked, mark));
        if let Some(returned) = operation.returned() {
            let came = format!("'- {}: {}", operation.number.0, sayings::came(&operation.outcome));
            rows.push((returned, 0, who, came, mark));
        }
    }
    for watch in history.watches().iter().filter(|watch| topic.watches.contains(&watch.number)) {
        let who = Who::Watch(watch.number);
        rows.push((watch.invoked, 1, who, sayings::watched(watch), None));
        for (place, message) in watch.messages.iter().enumerate() {
            let mark = topic.messages.get(&(watch.number, place)).copied();
            rows.push((message.at, 0, who, sayings::message(message), mark));
        }
        let end = watch.end.at().zip(sayings::ended(&watch.end));
        rows.extend(end.map(|(at, end)| (at, 2, who, end, None)));
    }
    for end in history.lease_ends().iter().filter(|end| topic.leases.contains(&end.lease)) {
        let made = end.revision.map_or(String::new(), |made| format!(", made revision {}", made.0));
        rows.push((end.at, 0, Who::Store, format!("lease {} ended{made}", end.lease), topic.end));
    }
    rows.sort_by_key(|(at, turn, who, ..)| (*at, *turn, *who));
    drawn(rows, hidden)
}

fn drawn(rows: Vec<(Micros, u8, Who, String, Option<char>)>, hidden: usize) -> Table {
    let all: BTreeSet<Who> = rows.iter().map(|(_, _, who, ..)| *who).collect();
    let name = |who: &Who| match who {
        Who::Client(ClientId(client)) => format!("client {client}"),
        Who::Watch(WatchNumber(watch)) => format!("watch {watch}"),
        Who::Store => "the store".to_owned(),
    };
    let columns = all.iter().map(name).collect();
    let place = |who: Who| all.iter().position(|other| *other == who).unwrap_or(0);
    let rows = rows
        .into_iter()
        .map(|(at, _, who, text, mark)| Row { at, column: place(who), text, mark })
        .collect();
    let left_out = match hidden {
        0 => String::new(),
        1 => "1 operation that has less to do with it is left out".to_owned(),
        more => format!("{more} operations that have less to do with it are left out"),
    };
    Table { columns, rows, left_out }
}

impl Topic {
    fn of(history: &History, finding: &Finding) -> Self {
        let mut topic = Self::default();
        match finding {
            Finding::Order(rejection) => {
                let mut witnesses = rejection.witnesses();
                // A fault of content names the answer first, the facts name it last.
                if rejection.content().is_some() {
                    witnesses.reverse();
                }
                topic.marked(&witnesses);
                if let (Some(fault), 1) = (rejection.content(), witnesses.len()) {
                    let writer = facts::last_writer(history, fault);
                    if let Some(writer) = writer {
                        topic.operations.values_mut().for_each(|mark| *mark = 'B');
                        topic.operations.insert(writer, 'A');
                    }
                }
            }
            Finding::Lease(fault, _) => {
                topic.marked(&[&fault.earlier, &fault.later]);
                topic.leases.insert(fault.lease);
            }
            Finding::Watch(fault) => {
                topic.watches.insert(fault.watch);
                topic.messages.insert((fault.watch, fault.message), 'A');
                match fault.evidence {
                    Evidence::Operation(op) => {
                        topic.operations.insert(op, 'B');
                    }
                    Evidence::Watch(watch, message) => {
                        topic.watches.insert(watch);
                        topic.messages.insert((watch, message), 'B');
                    }
                    Evidence::Message(message) if message != fault.message => {
                        topic.messages.insert((fault.watch, message), 'B');
                    }
                    Evidence::Message(_)
                    | Evidence::Log(_)
                    | Evidence::Request
                    | Evidence::Compactions => {}
                }
                let request = history.watches().iter().find(|watch| watch.number == fault.watch);
                topic.keys.extend(
                    request
                        .map(|watch| (watch.request.key.clone(), watch.request.range_end.clone())),
                );
            }
        }
        topic.learn(history);
        topic
    }

    fn marked(&mut self, witnesses: &[&Witness]) {
        for (witness, mark) in witnesses.iter().zip(['A', 'B']) {
            match witness.number {
                Some(number) => {
                    self.operations.entry(number).or_insert(mark);
                }
                None => self.end = Some(mark),
            }
        }
    }

    /// The keys and leases of the marked operations are in question.
    fn learn(&mut self, history: &History) {
        let marked: Vec<&Operation> = history
            .operations()
            .iter()
            .filter(|operation| self.operations.contains_key(&operation.number))
            .collect();
        for operation in marked {
            self.keys.extend(facts::ranges(&operation.request).into_iter().map(owned));
            self.leases.extend(lease(&operation.request));
        }
    }

    /// The operations to show, in the order of the history, and how many are not.
    fn operations<'h>(&self, history: &'h History) -> (Vec<&'h Operation>, usize) {
        let all = history.operations();
        let mut shown: Vec<&Operation> =
            all.iter().filter(|operation| self.concerns(operation)).collect();
        shown.sort_by_key(|operation| {
            let marked = self.operations.contains_key(&operation.number);
            (!marked, std::cmp::Reverse(operation.invoked))
        });
        shown.truncate(MOST);
        let hidden = all.len() - shown.len();
        (shown, hidden)
    }

    fn concerns(&self, operation: &Operation) -> bool {
        let request = &operation.request;
        self.operations.contains_key(&operation.number)
            || lease(request).is_some_and(|lease| self.leases.contains(&lease))
            || matches!(request, Request::Compact(_))
            || facts::ranges(request)
                .iter()
                .any(|keys| self.keys.iter().any(|(key, end)| keys.meets(&KeyRange::new(key, end))))
    }
}

/// A range that outlives the request that it is from, in the form of the wire.
fn owned(keys: KeyRange<'_>) -> (ByteString, ByteString) {
    match keys {
        KeyRange::One(key) => (ByteString::from(key), ByteString::default()),
        KeyRange::Span(key, end) => (ByteString::from(key), ByteString::from(end)),
        KeyRange::From(key) => (ByteString::from(key), ByteString::from(&[0][..])),
    }
}

fn lease(request: &Request) -> Option<Lease> {
    match request {
        Request::Put(put) => put.lease,
        Request::LeaseGrant(grant) => grant.lease,
        Request::LeaseRevoke(revoke) => Some(revoke.lease),
        Request::LeaseKeepAlive(keep) => Some(keep.lease),
        Request::LeaseTimeToLive(left) => Some(left.lease),
        Request::Range(_)
        | Request::DeleteRange(_)
        | Request::Txn(_)
        | Request::Compact(_)
        | Request::LeaseLeases(_) => None,
    }
}
