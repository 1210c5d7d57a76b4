//! What was asked and what came of it, in the few words that fit into a cell.
//!
//! Not here: whole sentences (`facts.rs`).

use crate::history::{
    Compare, Comparison, EventKind, KeyValue, Outcome, Request, Response, Target, TxnOperation,
    TxnRequest, TxnResult, Watch, WatchEnd, WatchEvent, WatchMessage, changed,
};

/// A request: `put "a" = "x"`.
pub(super) fn asked(request: &Request) -> String {
    match request {
        Request::Put(put) => {
            let lease = put.lease.map_or(String::new(), |lease| format!(" with lease {lease}"));
            match put.ignore_value {
                true => format!("put {} as it is{lease}", put.key),
                false => format!("put {} = {}{lease}", put.key, put.value),
            }
        }
        Request::Range(range) => {
            let what = if range.count_only { "count" } else { "get" };
            let at = range.revision.map_or(String::new(), |at| format!(" at {}", at.0));
            let stale = if range.serializable { ", may be stale" } else { "" };
            format!("{what} {}{at}{stale}", range.keys())
        }
        Request::DeleteRange(delete) => format!("delete {}", delete.keys()),
        Request::Txn(txn) => transaction(txn),
        Request::Compact(compact) => format!("compact {}", compact.revision.0),
        Request::LeaseGrant(grant) => match grant.lease {
            Some(lease) => format!("grant lease {lease} of {} s", grant.ttl),
            None => format!("grant a lease of {} s", grant.ttl),
        },
        Request::LeaseRevoke(revoke) => format!("revoke lease {}", revoke.lease),
        Request::LeaseKeepAlive(keep) => format!("keep lease {} alive", keep.lease),
        Request::LeaseTimeToLive(left) => format!("how long does lease {} live", left.lease),
        Request::LeaseLeases(_) => "which leases are there".to_owned(),
    }
}

/// A transaction: `if "a" has version = 0 then put "a" = "x" else get "a"`.
fn transaction(txn: &TxnRequest) -> String {
    let list = |branch: &[TxnOperation]| {
        let all: Vec<String> = branch.iter().map(inside).collect();
        if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
    };
    let then = list(&txn.success);
    if txn.compare.is_empty() {
        return format!("txn: {then}");
    }
    let compares: Vec<String> = txn.compare.iter().map(compared).collect();
    format!("if {} then {then} else {}", compares.join(" and "), list(&txn.failure))
}

fn inside(operation: &TxnOperation) -> String {
    match operation {
        TxnOperation::Put(put) => asked(&Request::Put(put.clone())),
        TxnOperation::Range(range) => asked(&Request::Range(range.clone())),
        TxnOperation::DeleteRange(delete) => asked(&Request::DeleteRange(delete.clone())),
        TxnOperation::Txn(txn) => format!("({})", transaction(txn)),
    }
}

fn compared(compare: &Compare) -> String {
    let (what, given) = match &compare.target {
        Target::Version(version) => ("version", version.to_string()),
        Target::CreateRevision(revision) => ("creation", revision.0.to_string()),
        Target::ModRevision(revision) => ("revision", revision.0.to_string()),
        Target::Value(value) => ("value", value.to_string()),
        Target::Lease(lease) => ("lease", lease.to_string()),
    };
    let sign = match compare.result {
        Comparison::Equal => "=",
        Comparison::NotEqual => "!=",
        Comparison::Greater => ">",
        Comparison::Less => "<",
    };
    format!("{} has {what} {sign} {given}", compare.keys())
}

/// An outcome: `made revision 2`.
pub(super) fn came(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Ok { response, .. } => told(response),
        Outcome::Refused { refusal, .. } => format!("refused: {}", refusal.message),
        Outcome::Unknown { why } => format!("no answer ({why})"),
    }
}

fn told(response: &Response) -> String {
    let at = response.revision().0;
    match response {
        Response::Put(_) => format!("made revision {at}"),
        Response::Range(range) if range.kvs.is_empty() && range.count > 0 => {
            format!("{} keys, at revision {at}", range.count)
        }
        Response::Range(range) => format!("{}, at revision {at}", pairs(&range.kvs)),
        Response::DeleteRange(delete) if delete.deleted > 0 => {
            format!("removed {}, made revision {at}", delete.deleted)
        }
        Response::DeleteRange(_) => format!("removed nothing, at revision {at}"),
        Response::Txn(txn) => {
            let branch = if txn.succeeded { "took then" } else { "took else" };
            let made = if changed(&txn.responses) { "made" } else { "at" };
            format!("{branch}{}, {made} revision {at}", inner(&txn.responses))
        }
        Response::Compact(_) | Response::LeaseRevoke(_) => format!("done, at revision {at}"),
        Response::LeaseGrant(grant) => {
            format!("lease {} of {} s, at revision {at}", grant.lease, grant.ttl)
        }
        Response::LeaseKeepAlive(kept) if kept.ttl > 0 => format!("lives {} s from here", kept.ttl),
        Response::LeaseKeepAlive(_) => "gone".to_owned(),
        Response::LeaseTimeToLive(left) if left.ttl < 0 => "gone".to_owned(),
        Response::LeaseTimeToLive(left) => format!("{} s left", left.ttl),
        Response::LeaseLeases(leases) => format!("{} leases", leases.leases.len()),
    }
}

fn inner(responses: &[TxnResult]) -> String {
    let seen = responses.iter().filter_map(|response| match response {
        TxnResult::Range(range) => Some(pairs(&range.kvs)),
        TxnResult::Put(_) | TxnResult::DeleteRange(_) | TxnResult::Txn(_) => None,
    });
    seen.map(|seen| format!(", saw {seen}")).collect()
}

/// Pairs: `"a" = "x" (2)`, with the revision of the newest put.
pub(super) fn pairs(pairs: &[KeyValue]) -> String {
    if pairs.is_empty() {
        return "nothing".to_owned();
    }
    let pair = |pair: &KeyValue| format!("{} = {} ({})", pair.key, pair.value, pair.mod_revision.0);
    pairs.iter().map(pair).collect::<Vec<_>>().join(", ")
}

/// The request of a watch.
pub(super) fn watched(watch: &Watch) -> String {
    watch.request.to_string()
}

/// A message of a watch: `2: put "a" = "x", 4: delete "a"`, by revision.
pub(super) fn message(message: &WatchMessage) -> String {
    let header = message.revision.0;
    if message.canceled {
        return match message.compact_revision {
            Some(mark) => format!("ended: compacted at {}", mark.0),
            None => "ended".to_owned(),
        };
    }
    if message.created {
        return format!("created, at revision {header}");
    }
    if message.events.is_empty() {
        return format!("progress: all up to {header} told");
    }
    let part = if message.fragment { " (more follows)" } else { "" };
    let events = message.events.iter().map(event).collect::<Vec<_>>().join(", ");
    format!("{events}{part}")
}

fn event(event: &WatchEvent) -> String {
    let WatchEvent { kind, kv, .. } = event;
    match kind {
        EventKind::Put => format!("{}: put {} = {}", kv.mod_revision.0, kv.key, kv.value),
        EventKind::Delete => format!("{}: delete {}", kv.mod_revision.0, kv.key),
    }
}

/// How a watch ended, if it did without a message.
pub(super) fn ended(end: &WatchEnd) -> Option<String> {
    match end {
        WatchEnd::Running | WatchEnd::Canceled { .. } => None,
        WatchEnd::Dropped { .. } => Some("not looked at any more".to_owned()),
        WatchEnd::Broken { why, .. } => Some(format!("broke ({why})")),
    }
}
