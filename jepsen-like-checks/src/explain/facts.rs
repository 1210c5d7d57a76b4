//! A finding as two facts and the reason why both cannot be.
//!
//! Not here: the finding itself, which is one sentence already (`linearizable/words.rs` and
//! others).

use super::{Finding, sayings};
use crate::history::{History, KeyRange, OpNumber, Operation, Outcome, Request, TxnOperation};
use crate::lease;
use crate::linearizable::{ContentFault, OrderFault, Rejection, Witness};
use crate::watch::{Evidence, Fault, Guarantee};

/// What cannot be, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Facts {
    pub(super) title: String,
    /// One or two, with the letters A and B.
    pub(super) facts: Vec<String>,
    pub(super) why: String,
}

fn facts(title: &str, facts: &[String], why: &str) -> Facts {
    Facts { title: title.to_owned(), facts: facts.to_vec(), why: why.to_owned() }
}

/// The facts of a finding, which was made on this very history.
pub(super) fn of(history: &History, finding: &Finding) -> Facts {
    match finding {
        Finding::Order(rejection) => of_rejection(history, rejection),
        Finding::Watch(fault) => of_watch(history, fault),
        Finding::Lease(fault, _) => of_lease(history, fault),
    }
}

fn of_rejection(history: &History, rejection: &Rejection) -> Facts {
    match rejection {
        Rejection::Order(fault) => of_order(history, fault),
        Rejection::Content(fault) => of_content(history, fault),
        Rejection::NoPlacement(unseen, closest) => {
            let closest = of_rejection(history, closest);
            let why = format!(
                "{}. {unseen} writes of unknown outcome and ends of leases may have happened in \
                 between; however they are placed, some answer contradicts, and this is the \
                 contradiction of the placement that explains most",
                closest.why,
            );
            Facts { why, ..closest }
        }
        Rejection::NoOrder { required, placed, stuck } => facts(
            "no order of the operations explains all answers",
            &[sentence(history, stuck)],
            &format!(
                "Of {required} operations the longest attempt placed {placed}, and found no moment \
                 at which the store would have answered this one so",
            ),
        ),
    }
}

fn find(history: &History, number: OpNumber) -> Option<&Operation> {
    history.operations().iter().find(|operation| operation.number == number)
}

/// What vouches for a fact, as a sentence.
fn sentence(history: &History, witness: &Witness) -> String {
    match witness.number.and_then(|number| find(history, number)) {
        Some(operation) => of_operation(operation),
        None => match witness.revision {
            Some(revision) => format!("{} made revision {}", witness.asked, revision.0),
            None => format!("{}, known at {} us", witness.asked, witness.invoked.0),
        },
    }
}

fn of_operation(operation: &Operation) -> String {
    let Operation { number: OpNumber(number), client, invoked, request, outcome, .. } = operation;
    let came = sayings::came(outcome);
    let answer = match operation.returned() {
        Some(returned) => format!("the answer at {} us: {came}", returned.0),
        None => came,
    };
    let asked = sayings::asked(request);
    format!("client {} asked at {} us: {asked}; {answer} [operation {number}]", client.0, invoked.0)
}

/// The last write before a revision, answered or revealed by nobody else, of the keys that an
/// operation looks at: who to ask when an answer is wrong and nobody else is to blame.
pub(super) fn last_writer(history: &History, fault: &ContentFault) -> Option<OpNumber> {
    let looking = find(history, fault.op.number?)?;
    let looked: Vec<KeyRange<'_>> = ranges(&looking.request);
    let writes = history.operations().iter().filter(|operation| {
        let written = written(&operation.request);
        operation.number != looking.number
            && matches!(operation.outcome, Outcome::Ok { .. })
            && written.iter().any(|keys| looked.iter().any(|other| keys.meets(other)))
    });
    let before = writes.filter_map(|operation| {
        let revision = operation.response()?.revision();
        (revision <= fault.at).then_some((revision, operation.number))
    });
    before.max().map(|(_, number)| number)
}

/// All keys that a request speaks of.
pub(super) fn ranges(request: &Request) -> Vec<KeyRange<'_>> {
    match request {
        Request::Txn(txn) => {
            let operations = txn.operations().filter_map(TxnOperation::keys);
            operations.chain(txn.compares().map(|compare| compare.keys())).collect()
        }
        Request::Put(_)
        | Request::Range(_)
        | Request::DeleteRange(_)
        | Request::Compact(_)
        | Request::LeaseGrant(_)
        | Request::LeaseRevoke(_)
        | Request::LeaseKeepAlive(_)
        | Request::LeaseTimeToLive(_)
        | Request::LeaseLeases(_) => request.keys().into_iter().collect(),
    }
}

/// The keys that a request may change.
fn written(request: &Request) -> Vec<KeyRange<'_>> {
    match request {
        Request::Put(_) | Request::DeleteRange(_) => request.keys().into_iter().collect(),
        Request::Txn(txn) => {
            let writes = txn.operations().filter(|operation| {
                matches!(operation, TxnOperation::Put(_) | TxnOperation::DeleteRange(_))
            });
            writes.filter_map(TxnOperation::keys).collect()
        }
        Request::Range(_)
        | Request::Compact(_)
        | Request::LeaseGrant(_)
        | Request::LeaseRevoke(_)
        | Request::LeaseKeepAlive(_)
        | Request::LeaseTimeToLive(_)
        | Request::LeaseLeases(_) => Vec::new(),
    }
}

fn of_order(history: &History, fault: &OrderFault) -> Facts {
    let told = |witness: &Witness| sentence(history, witness);
    let grow = "Both cannot be true: revisions only grow";
    match fault {
        OrderFault::StaleRead { earlier, read } => facts(
            "an answer from before something that was known already",
            &[told(earlier), told(read)],
            &format!("{grow}, and (A) was over before (B) began, so (B) must see what (A) saw"),
        ),
        OrderFault::WriteOrder { earlier, later } => facts(
            "a later write with an earlier revision",
            &[told(earlier), told(later)],
            &format!("{grow}, and (A) was over before (B) began, so (B) must have the higher one"),
        ),
        OrderFault::ReadFromFuture { read, write } => facts(
            "an answer that includes a write which had not begun",
            &[told(read), told(write)],
            "Both cannot be true: (A) was over before (B) began, yet its revision includes (B)",
        ),
        OrderFault::RevisionWentBack { scope, earlier, later } => facts(
            &format!("revisions that go back {scope}"),
            &[told(earlier), told(later)],
            &format!("{grow}, and (A) was over before (B) began"),
        ),
        OrderFault::DuplicateRevision(one, other) => facts(
            "one revision made by two writes",
            &[told(one), told(other)],
            "Both cannot be true: each revision is made by one write",
        ),
        OrderFault::UnjustRefusal { earlier, read } => facts(
            "a refusal as of the future, of what was there already",
            &[told(earlier), told(read)],
            "Both cannot be true: (A) had seen that revision before (B) began",
        ),
        OrderFault::MarkWentBack(earlier, later) => facts(
            "a compaction of what was given up already",
            &[told(earlier), told(later)],
            "Both cannot be true: a compaction must be above all before it",
        ),
        OrderFault::CompactedRead { compaction, read } => facts(
            "a revision that is shown after it was given up",
            &[told(compaction), told(read)],
            "Both cannot be true: after (A), revisions below its mark are refused",
        ),
        OrderFault::RevisionOutOfRange(op, _)
        | OrderFault::MustBeRefused(op, _)
        | OrderFault::NobodyWrote(_, op)
        | OrderFault::WrongShape(op)
        | OrderFault::WrongGrant(op, ..)
        | OrderFault::NoReason(op, _) => {
            facts("an answer that no state can give", &[told(op)], &capital(&fault.to_string()))
        }
    }
}

fn of_content(history: &History, fault: &ContentFault) -> Facts {
    let others = fault.witnesses().into_iter().filter(|other| *other != &fault.op);
    let mut list: Vec<String> = others.map(|other| sentence(history, other)).collect();
    if list.is_empty() {
        let writer = last_writer(history, fault).and_then(|number| find(history, number));
        list.extend(writer.map(of_operation));
    }
    list.push(sentence(history, &fault.op));
    let letter = if list.len() > 1 { "(B)" } else { "(A)" };
    let why =
        format!("{letter} must show the state of revision {}, but {}", fault.at.0, fault.flaw);
    facts("an answer that is not what the store held", &list, &why)
}

fn of_watch(history: &History, fault: &Fault) -> Facts {
    let Fault { guarantee, watch, message, at, evidence, what } = fault;
    let (title, why) = promise(*guarantee);
    let shown =
        format!("watch {} was told in its message {message}, at {} us, {what}", watch.0, at.0);
    let other = |number, place: usize| {
        let watch = history.watches().iter().find(|watch| watch.number == number)?;
        let message = watch.messages.get(place)?;
        let said = sayings::message(message);
        Some(format!(
            "watch {} was told in its message {place}, at {} us: {said}",
            number.0, message.at.0
        ))
    };
    let mut list = vec![shown];
    list.extend(match evidence {
        Evidence::Operation(op) => find(history, *op).map(of_operation),
        Evidence::Watch(number, place) => other(*number, *place),
        Evidence::Log(revision) if revision.0 > 1 => {
            Some(format!("the log says otherwise of revision {}", revision.0))
        }
        Evidence::Message(place) if place != message => other(*watch, *place),
        Evidence::Log(_) | Evidence::Message(_) | Evidence::Request | Evidence::Compactions => None,
    });
    facts(title, &list, &format!("But it is promised: {why}"))
}

/// What a guarantee promises, and what follows.
fn promise(guarantee: Guarantee) -> (&'static str, &'static str) {
    match guarantee {
        Guarantee::Created => (
            "a watch that speaks before it exists, or is created twice",
            "the first message of a watch says that it was created, and no other does",
        ),
        Guarantee::Filter => (
            "a watch that is told what it did not ask for",
            "a watch is told of the keys and the kinds of events that it asked for, and no others",
        ),
        Guarantee::Ordered => (
            "a watch that is told of changes in the wrong order",
            "events come in the order of revisions, and under a header that is not below them",
        ),
        Guarantee::Unique => ("a watch that is told the same thing twice", "no event comes twice"),
        Guarantee::Atomic => (
            "a watch that is told of a revision in pieces",
            "all that a revision changed comes in one message, or in its parts",
        ),
        Guarantee::Bookmarkable => (
            "a watch that is told it knows everything, when it does not",
            "after a progress message nothing up to its revision is still to come, and nothing is \
             missing",
        ),
        Guarantee::Resumable => (
            "a watch that does not begin where it should",
            "a watch from a revision is told of everything from there on, and of nothing before",
        ),
        Guarantee::Reliable => (
            "a watch that skips a change",
            "between two events that a watch is told of, nothing is left out",
        ),
        Guarantee::IsCreate => (
            "an event that is wrong about the life of its key",
            "a life begins where there was no pair before, and each put raises the version by one",
        ),
        Guarantee::PrevKv => (
            "an event that is wrong about what was before it",
            "the pair before an event is what the key held until then",
        ),
        Guarantee::Content => {
            ("an event that is not what happened", "An event is what its revision did")
        }
        Guarantee::Fragment => (
            "a message in parts that do not belong together",
            "parts come only where they are asked for, each but the last says so, and nothing comes \
             between them",
        ),
        Guarantee::Cancel => (
            "a watch that speaks after its end",
            "nothing comes after the message that ends a watch",
        ),
        Guarantee::Compaction => (
            "a watch that does not heed a compaction",
            "a watch that needs what was given up ends with the mark; one that does not goes on",
        ),
    }
}

fn of_lease(history: &History, fault: &lease::Fault) -> Facts {
    let title = match fault.rule {
        lease::Rule::EndedEarly => "a lease that ended before its time",
        lease::Rule::RenewedDead => "a dead lease that was renewed",
        lease::Rule::Overdue => "a lease that lives too long",
        lease::Rule::KeyLeft => "a key that outlives its lease",
        lease::Rule::KeyTaken => "a key that went with a lease which it did not belong to",
    };
    let mut list = vec![sentence(history, &fault.earlier)];
    if fault.earlier != fault.later {
        list.push(sentence(history, &fault.later));
    }
    let why = format!("Of lease {} it is true that {}", fault.lease, fault.what);
    facts(title, &list, &why)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
