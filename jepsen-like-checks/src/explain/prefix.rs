//! Beginnings of a history, and the shortest one that is still illegal.
//!
//! ```text
//! cut here                    |
//! client 1  [--- put ---]     |                 kept as it is
//! client 2        [--- get ---|---]             no answer by then: unknown
//! client 3                    |  [--- put ---]  not there
//! ```
//!
//! Not here: the judges that say which is illegal.

use super::{Finding, again};
use crate::history::{History, Micros, Operation, Outcome, Record, Watch, WatchEnd};

/// The shortest beginning for which the judge still finds something wrong, its end, and what that
/// is. The whole history, if no beginning will do (the judge may give up on them).
pub(super) fn shortest(history: &History, finding: &Finding) -> (History, Micros, Finding) {
    let moments = moments(history);
    let (mut low, mut high) = (0, moments.len());
    let mut best = None;
    while low < high {
        let middle = low.midpoint(high);
        let prefix = cut(history, moments[middle]);
        match again(&prefix, finding) {
            Some(found) => {
                best = Some((prefix, moments[middle], found));
                high = middle;
            }
            None => low = middle + 1,
        }
    }
    let end = moments.last().copied().unwrap_or(Micros(0));
    best.unwrap_or_else(|| (history.clone(), end, finding.clone()))
}

/// The moments at which somebody learned something, in order.
fn moments(history: &History) -> Vec<Micros> {
    let mut moments: Vec<Micros> =
        history.operations().iter().filter_map(Operation::returned).collect();
    let messages = history.watches().iter().flat_map(|watch| &watch.messages);
    moments.extend(messages.map(|message| message.at));
    moments.extend(history.lease_ends().iter().map(|end| end.at));
    moments.sort_unstable();
    moments.dedup();
    moments
}

/// What was known of a history by a moment. What the log reveals is known whenever it happened.
fn cut(history: &History, at: Micros) -> History {
    let operations = history.operations().iter().filter(|operation| operation.invoked <= at);
    let watches = history.watches().iter().filter(|watch| watch.invoked <= at);
    let ends = history.lease_ends().iter().filter(|end| end.at <= at);
    let mut records: Vec<Record> =
        operations.map(|operation| Record::Operation(answered(operation, at))).collect();
    records.extend(watches.map(|watch| Record::Watch(told(watch, at))));
    records.extend(ends.cloned().map(Record::LeaseEnd));
    records.extend(history.healthy().iter().copied().map(Record::Healthy));
    records.extend(history.revealed().iter().cloned().map(Record::Revealed));
    History::of(records).expect("a part of a history is one")
}

fn answered(operation: &Operation, by: Micros) -> Operation {
    let mut operation = operation.clone();
    if operation.returned().is_some_and(|returned| returned > by) {
        operation.outcome = Outcome::Unknown { why: "not answered by then".to_owned() };
    }
    operation
}

fn told(watch: &Watch, by: Micros) -> Watch {
    let messages = watch.messages.iter().filter(|message| message.at <= by).cloned().collect();
    Watch { messages, end: WatchEnd::Running, ..watch.clone() }
}
