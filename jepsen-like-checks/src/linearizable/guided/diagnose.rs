//! From the place where an answer and the state part to what that says about the store.
//!
//! The clash alone is "expected this, got that". A person wants to know more: was the value ever
//! written, was that write refused, which acknowledged write is missing, do the pairs belong to
//! different revisions? The history and the trail of changes answer that. It runs once per verdict,
//! so it may be slow.
//!
//! Not here: finding the clash (`claims.rs`).

use super::super::{ContentFault, Flaw, OrderFault, Rejection, Witness};
use super::case::{By, Case};
use super::claims::{Clash, Held};
use super::gaps::{Trace, each_shown};
use super::present::Present;
use crate::history::{
    ByteString, KeyValue, Lease, Operation, Outcome, PutRequest, RangeRequest, Request, Response,
    Revision, TxnOperation,
};

/// Where a clash came up: an answer, and the revision whose state it must show.
pub(super) struct Scene<'c, 'h> {
    pub(super) case: &'c Case<'h>,
    pub(super) present: &'c Present<'h>,
    pub(super) by: By,
    pub(super) at: i64,
    /// The unknown writes that were placed, by revision.
    pub(super) placed: &'c [(i64, By)],
}

/// The rejection for a revision that no write is left to have made.
pub(super) fn no_writer(
    case: &Case<'_>,
    revision: i64,
    trace: Option<Trace<'_>>,
) -> Box<Rejection> {
    if let Some(Trace { op, pair, .. }) = trace
        && let Some(flaw) = origin(case, op, pair)
    {
        let op = case.witness(By::Operation(op));
        return ContentFault { op, at: Revision(revision), flaw }.into();
    }
    let seen = case.roles.iter().filter_map(|role| role.revision());
    let lowest = seen.filter(|seen| *seen >= revision).min();
    let showing = case.roles.iter().zip(case.operations);
    let showing = showing.filter(|(role, _)| lowest.is_some() && role.revision() == lowest);
    let first = showing.map(|(_, operation)| operation).min_by_key(|showing| showing.returned());
    let told = || case.ends.iter().find(|end| end.revision >= Some(Revision(revision)));
    let witness = first.map(Witness::from).or_else(|| told().map(Witness::from));
    let witness = witness.expect("gaps end at the newest revision of an answer");
    OrderFault::NobodyWrote(Revision(revision), witness).into()
}

/// What is wrong with a pair that no put can have left in the store.
fn origin(case: &Case<'_>, op: usize, pair: &KeyValue) -> Option<Flaw> {
    let mut keys_only = false;
    each_shown(&case.operations[op], &mut |_, only| keys_only |= only);
    let wrote = |operation: &&Operation| {
        puts(&operation.request).any(|put| {
            let value = keys_only || put.ignore_value || put.value == pair.value;
            put.key == pair.key && value
        })
    };
    // The search may meet many clashes before it finds its way, and mostly it was the write with
    // the revision that is shown, or one without an answer.
    let answered = case.writes.binary_search_by_key(&pair.mod_revision.0, |write| write.revision);
    let answered = answered.ok().and_then(|at| match case.writes[at].by {
        By::Operation(op) => Some(op),
        By::Told(_) | By::Expiry(_) => None,
    });
    let mut likely = answered.into_iter().chain(case.maybes.iter().map(|maybe| maybe.op));
    if likely.any(|op| wrote(&&case.operations[op])) {
        return None;
    }
    let mut refused = None;
    for operation in case.operations.iter().filter(wrote) {
        match operation.outcome {
            Outcome::Ok { .. } | Outcome::Unknown { .. } => return None,
            Outcome::Refused { .. } => refused = Some(operation),
        }
    }
    Some(match refused {
        Some(operation) => Flaw::RefusedWriteSeen(pair.clone(), Witness::from(operation)),
        None => Flaw::NeverWritten(pair.clone()),
    })
}

impl Scene<'_, '_> {
    /// The rejection for a clash.
    pub(super) fn fault(&self, clash: Clash<'_>) -> Box<Rejection> {
        let flaw = match clash {
            Clash::Pair(held, seen) => self.pair(held, seen),
            Clash::PrevKv(held, seen) => Flaw::WrongPrevKv(self.report(held), seen.cloned()),
            Clash::Count(count, told) => Flaw::WrongCount(int(count), told),
            Clash::More(more) => Flaw::WrongMore(more),
            Clash::Deleted(count, told) => Flaw::WrongDeleted(int(count), told),
            Clash::Branch(holds) => Flaw::WrongBranch(holds),
            Clash::Header(expected, told) => Flaw::WrongHeader(Revision(expected), Revision(told)),
            Clash::NothingKept(key) => Flaw::NothingKept(self.case.keys.bytes(key).into()),
            Clash::Dead(lease) => Flaw::DeadLease(lease),
            Clash::Alive(lease) => Flaw::AliveLease(lease),
            Clash::NothingAttached(lease) => Flaw::KeysOfLease(lease, self.attached(lease)),
            Clash::NoWriter => return no_writer(self.case, self.at, None),
        };
        ContentFault { op: self.case.witness(self.by), at: Revision(self.at), flaw }.into()
    }

    fn operation(&self) -> Option<&Operation> {
        match self.by {
            By::Operation(op) => Some(&self.case.operations[op]),
            By::Told(_) | By::Expiry(_) => None,
        }
    }

    fn attached(&self, lease: Lease) -> Vec<ByteString> {
        let keys = self.present.attached(lease).into_iter().flatten();
        keys.map(|key| self.case.keys.bytes(*key).into()).collect()
    }

    /// The pairs that a range lists.
    fn told(&self) -> &[KeyValue] {
        match self.operation().and_then(Operation::response) {
            Some(Response::Range(range)) => &range.kvs,
            Some(
                Response::Put(_)
                | Response::DeleteRange(_)
                | Response::Txn(_)
                | Response::Compact(_)
                | Response::LeaseGrant(_)
                | Response::LeaseRevoke(_)
                | Response::LeaseKeepAlive(_)
                | Response::LeaseTimeToLive(_)
                | Response::LeaseLeases(_),
            )
            | None => &[],
        }
    }

    fn report(&self, held: Held<'_>) -> Option<KeyValue> {
        held.map(|(key, pair)| pair.report(self.case.keys.bytes(key)))
    }

    /// Looks for the most telling reason why a range does not show what was there.
    fn pair(&self, held: Held<'_>, seen: Option<&KeyValue>) -> Flaw {
        self.list()
            .or_else(|| self.origin(seen?))
            .or_else(|| self.mixed())
            .or_else(|| seen.filter(|seen| seen.mod_revision.0 > self.at).cloned().map(newer))
            .or_else(|| self.lost(held, seen))
            .or_else(|| algebra(held, seen?))
            .unwrap_or_else(|| Flaw::WrongPair(self.report(held), seen.cloned()))
    }

    fn origin(&self, seen: &KeyValue) -> Option<Flaw> {
        match self.by {
            By::Operation(op) => origin(self.case, op, seen),
            By::Told(_) | By::Expiry(_) => None,
        }
    }

    /// A list that is wrong whatever the state.
    fn list(&self) -> Option<Flaw> {
        let Request::Range(asked) = &self.operation()?.request else { return None };
        let pairs = self.told();
        let most = most(asked);
        if pairs.len() as u64 > most {
            return Some(Flaw::TooManyPairs(pairs.len(), most));
        }
        let keys = asked.keys();
        if let Some(pair) = pairs.iter().find(|pair| !keys.contains(&pair.key)) {
            return Some(Flaw::OutsideRange(pair.clone()));
        }
        let disordered = pairs.windows(2).find(|two| two[1].key <= two[0].key);
        disordered.map(|two| Flaw::OutOfOrder(two[1].clone()))
    }

    /// Two pairs of one answer of which the first was gone when the second was written.
    fn mixed(&self) -> Option<Flaw> {
        let pairs = self.told();
        let newer = pairs.iter().max_by_key(|pair| pair.mod_revision)?;
        pairs.iter().find_map(|older| {
            let key = self.case.keys.number(&older.key)?;
            let replaced = self.present.changed_after(key, older.mod_revision.0)?;
            (replaced <= newer.mod_revision.0 && older.key != newer.key).then(|| {
                let (older, newer) = (older.clone(), newer.clone());
                Flaw::MixedRevisions { older, replaced: Revision(replaced), newer }
            })
        })
    }

    /// A write that the answer should include: of a newer pair, or the delete of a pair it shows.
    fn lost(&self, held: Held<'_>, seen: Option<&KeyValue>) -> Option<Flaw> {
        let revision = match (held, seen) {
            (Some((_, pair)), None) => pair.modified,
            (Some((_, pair)), Some(seen)) if seen.mod_revision.0 < pair.modified => pair.modified,
            (None, Some(seen)) => {
                let key = self.case.keys.number(&seen.key)?;
                self.present.changed_after(key, seen.mod_revision.0)?
            }
            (Some(_) | None, _) => return None,
        };
        Some(Flaw::LostWrite(self.writer(revision)?, seen.cloned()))
    }

    fn writer(&self, revision: i64) -> Option<Witness> {
        let writes = &self.case.writes;
        let answered = writes.binary_search_by_key(&revision, |write| write.revision).ok();
        let placed = self.placed.binary_search_by_key(&revision, |(revision, _)| *revision).ok();
        let by = answered.map(|at| writes[at].by).or(placed.map(|at| self.placed[at].1))?;
        Some(Witness { revision: Some(Revision(revision)), ..self.case.witness(by) })
    }
}

/// The puts of a request, those of a transaction whether they are run or not.
fn puts(request: &Request) -> impl Iterator<Item = &PutRequest> {
    let one = match request {
        Request::Put(put) => Some(put),
        Request::Range(_)
        | Request::DeleteRange(_)
        | Request::Txn(_)
        | Request::Compact(_)
        | Request::LeaseGrant(_)
        | Request::LeaseRevoke(_)
        | Request::LeaseKeepAlive(_)
        | Request::LeaseTimeToLive(_)
        | Request::LeaseLeases(_) => None,
    };
    let txn = if let Request::Txn(txn) = request { Some(txn) } else { None };
    let inner = txn.into_iter().flat_map(|txn| txn.operations());
    one.into_iter().chain(inner.filter_map(|operation| match operation {
        TxnOperation::Put(put) => Some(put),
        TxnOperation::Range(_) | TxnOperation::DeleteRange(_) | TxnOperation::Txn(_) => None,
    }))
}

/// A number of the right pair that does not add up.
fn algebra(held: Held<'_>, seen: &KeyValue) -> Option<Flaw> {
    let (_, pair) = held.filter(|(_, pair)| pair.modified == seen.mod_revision.0)?;
    if seen.version != pair.version {
        return Some(Flaw::WrongAlgebra("version", pair.version, seen.clone()));
    }
    (seen.create_revision.0 != pair.created)
        .then(|| Flaw::WrongAlgebra("create revision", pair.created, seen.clone()))
}

fn newer(pair: KeyValue) -> Flaw {
    Flaw::NewerThanRevision(pair)
}

/// How many pairs a range asks for at most.
fn most(asked: &RangeRequest) -> u64 {
    if asked.count_only { 0 } else { asked.limit.map_or(u64::MAX, std::num::NonZeroU64::get) }
}

fn int(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
