//! K5 on the log: the end of a lease removes all of its keys, no others, in one revision.
//!
//! ```text
//! revision   2          3            4       5
//! log        put a L7   put b L7     put c   delete a, delete b     the end of lease 7
//! attached   a          a b          a b     none                   what 5 removed was a and b
//! ```
//!
//! It needs the log from revision 2 on: only then is it known which keys were attached.
//!
//! Not here: histories without a log, whose reads are judged in `lease.rs`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Counters, Fault, Rule};
use crate::history::{
    EventKind, History, Lease, Request, Response, Revealed, Revision, WatchEvent, changed,
};
use crate::linearizable::Witness;

/// The end of a lease that made a revision.
struct End {
    lease: Lease,
    witness: Witness,
    /// Whether it is sure that this is what made the revision.
    sure: bool,
}

pub(super) fn check(history: &History, counters: &mut Counters) -> Result<(), Box<Fault>> {
    let mut log: Vec<&Revealed> = history.revealed().iter().collect();
    log.sort_by_key(|revealed| revealed.revision);
    let ends = ends(history);
    let mut attached: BTreeMap<&[u8], Option<Lease>> = BTreeMap::new();
    for (revealed, expected) in log.into_iter().zip(2..) {
        if revealed.revision != Revision(expected) {
            return Ok(()); // The log has a hole: what was attached is known no longer.
        }
        if let Some(end) = ends.get(&revealed.revision) {
            counters.removals += 1;
            removed(end, &attached, &revealed.events)?;
        }
        for WatchEvent { kind, kv, .. } in &revealed.events {
            match kind {
                EventKind::Put => attached.insert(&kv.key, kv.lease),
                EventKind::Delete => attached.remove(&kv.key[..]),
            };
        }
    }
    Ok(())
}

/// The ends of leases that made a revision, by revision: told ones, and revokes of which no other
/// write can have made it.
fn ends(history: &History) -> BTreeMap<Revision, End> {
    let written: BTreeSet<Revision> =
        history.operations().iter().filter_map(|operation| made(operation.response()?)).collect();
    let revokes = history.operations().iter().filter_map(|operation| {
        let (Request::LeaseRevoke(asked), Some(response)) =
            (&operation.request, operation.response())
        else {
            return None;
        };
        let end = End { lease: asked.lease, witness: Witness::from(operation), sure: false };
        Some((response.revision(), end))
    });
    let deletes: BTreeSet<Revision> = history
        .revealed()
        .iter()
        .filter(|revealed| revealed.events.iter().all(|event| event.kind == EventKind::Delete))
        .map(|revealed| revealed.revision)
        .collect();
    // A revoke of a lease without keys names a revision that is not its own, maybe an unanswered
    // delete's; so it counts only where no write is known or unknown that may be meant.
    let unknown = history
        .operations()
        .iter()
        .any(|operation| operation.returned().is_none() && operation.request.may_write());
    let revokes = revokes.filter(|(revision, _)| {
        !unknown && deletes.contains(revision) && !written.contains(revision)
    });
    let mut ends: BTreeMap<Revision, End> = revokes.collect();
    for end in history.lease_ends() {
        if let Some(revision) = end.revision {
            let witness = Witness::from(end);
            ends.insert(revision, End { lease: end.lease, witness, sure: true });
        }
    }
    ends
}

/// The revision that a write says it made.
fn made(response: &Response) -> Option<Revision> {
    let wrote = match response {
        Response::Put(_) => true,
        Response::DeleteRange(delete) => delete.deleted > 0,
        Response::Txn(txn) => changed(&txn.responses),
        Response::Range(_)
        | Response::Compact(_)
        | Response::LeaseGrant(_)
        | Response::LeaseRevoke(_)
        | Response::LeaseKeepAlive(_)
        | Response::LeaseTimeToLive(_)
        | Response::LeaseLeases(_) => false,
    };
    wrote.then(|| response.revision())
}

/// Holds what the end removed against what was attached.
fn removed(
    end: &End,
    attached: &BTreeMap<&[u8], Option<Lease>>,
    events: &[WatchEvent],
) -> Result<(), Box<Fault>> {
    let fault = |rule, what: String| {
        let (earlier, later) = (end.witness.clone(), end.witness.clone());
        Err(Box::new(Fault { rule, lease: end.lease, earlier, later, what }))
    };
    let ours: BTreeSet<&[u8]> = attached
        .iter()
        .filter(|(_, lease)| **lease == Some(end.lease))
        .map(|(key, _)| *key)
        .collect();
    if !end.sure && events.iter().all(|event| !ours.contains(&event.kv.key[..])) {
        return Ok(()); // It found the revision: another lease ended before.
    }
    for event in events {
        if event.kind != EventKind::Delete || !ours.contains(&event.kv.key[..]) {
            let what = format!("its end changed {}, which was not attached to it", event.kv.key);
            return fault(Rule::KeyTaken, what);
        }
    }
    let gone: BTreeSet<&[u8]> = events.iter().map(|event| &event.kv.key[..]).collect();
    match ours.difference(&gone).next() {
        Some(key) => {
            let what = format!("its end left \"{}\" there", key.escape_ascii());
            fault(Rule::KeyLeft, what)
        }
        None => Ok(()),
    }
}
