//! Holds what an answer claims against the state that it speaks of.
//!
//! A range claims a list of pairs, a count and whether more was cut off; a put and a delete claim
//! what was there before. The answer and the state are walked side by side in key order, and the
//! first place where they part is the clash. A transaction claims all that its operations do, each
//! on the state that those before it left: it is checked while it is made.
//!
//! Not here: what the clash says about the store (`diagnose.rs`).

use super::case::{By, Case, Change, Claim, Look, Write};
use super::keys::{KeyId, Span};
use super::present::{Pair, Present};
use super::script;
use super::stops::Walk;
use crate::history::{
    DeleteRangeRequest, DeleteRangeResponse, Exchange, KeyValue, Lease, PutRequest, PutResponse,
    RangeRequest, RangeResponse, Revision, TxnOperation, TxnRequest, TxnResult,
};

/// What a key holds, with the key.
pub(super) type Held<'h> = Option<(KeyId, Pair<'h>)>;

/// Where an answer and the state part.
#[derive(Clone, Copy, Debug)]
pub(super) enum Clash<'h> {
    /// The range holds this, and the answer shows that.
    Pair(Held<'h>, Option<&'h KeyValue>),
    /// The key held this before, and the answer shows that.
    PrevKv(Held<'h>, Option<&'h KeyValue>),
    /// The range holds so many keys, and the answer counts so many.
    Count(usize, i64),
    /// Whether the limit cuts something off.
    More(bool),
    /// There were so many keys to remove, and so many are said to have been removed.
    Deleted(usize, i64),
    /// Whether the compares of the transaction hold.
    Branch(bool),
    /// The header of an operation inside the transaction must have this revision, and has that.
    Header(i64, i64),
    /// The put keeps what is not there.
    NothingKept(KeyId),
    /// The lease was not alive.
    Dead(Lease),
    /// The lease was alive.
    Alive(Lease),
    /// The lease's end made no revision, for no key was attached.
    NothingAttached(Lease),
    /// No write is left that can have made the revision.
    NoWriter,
}

/// Checks an answer that shows a state.
pub(super) fn look<'h>(
    case: &Case<'h>,
    present: &mut Present<'h>,
    look: &Look<'h>,
) -> Result<(), Clash<'h>> {
    match look.claim {
        Claim::Range(asked, told) => range(case, present, look.span, asked, told),
        Claim::Delete(asked, told) => delete(case, present, look.span, asked, told),
        Claim::Txn(asked, told) => {
            let told = (told.succeeded, &told.responses[..]);
            Txn::new(case, present, (look.at, look.op), (asked, told)).run(asked, told)
        }
    }
}

/// Checks what an answered write claims about the state before it, and makes its change.
pub(super) fn write<'h>(
    case: &Case<'h>,
    present: &mut Present<'h>,
    write: &Write<'h>,
) -> Result<(), Clash<'h>> {
    let Write { revision, by, change, span } = *write;
    let exchange = match by {
        By::Operation(op) => case.operations[op].exchange().map(|exchange| (op, exchange)),
        By::Told(_) | By::Expiry(_) => None,
    };
    match (exchange, change) {
        (Some((_, Exchange::Put(asked, told))), _) => {
            put(case, present, (revision, span.from), asked, told)
        }
        (Some((_, Exchange::DeleteRange(asked, told))), Change::Delete(_)) => {
            delete(case, present, span, asked, told)?;
            present.apply(revision, change);
            Ok(())
        }
        (Some((op, Exchange::Txn(asked, told))), _) => {
            let told = (told.succeeded, &told.responses[..]);
            Txn::new(case, present, (revision - 1, op), (asked, told)).run(asked, told)
        }
        (_, Change::End(lease)) => match present.apply(revision, change) {
            0 => Err(Clash::NothingAttached(lease)),
            _ => Ok(()),
        },
        // A write's change is made from its request, and its answer is of the request's kind (H3).
        (_, Change::Put { .. } | Change::Delete(_) | Change::Txn(_) | Change::Keep(_)) => Ok(()),
    }
}

fn put<'h>(
    case: &Case<'h>,
    present: &mut Present<'h>,
    (revision, key): (i64, KeyId),
    asked: &'h PutRequest,
    told: &'h PutResponse,
) -> Result<(), Clash<'h>> {
    let held = present.get(key);
    let shown = held.filter(|_| asked.prev_kv).map(|pair| (key, pair));
    same(case, shown, told.prev_kv.as_ref(), false).map_err(prev_kv)?;
    let change = script::put(key, held, asked).ok_or(Clash::NothingKept(key))?;
    present.apply(revision, change);
    Ok(())
}

/// What a transaction tells: whether its compares held, and what its operations answered.
type Told<'h> = (bool, &'h [TxnResult]);

/// A transaction that is being checked, and made while it is.
struct Txn<'c, 'h> {
    case: &'c Case<'h>,
    present: &'c mut Present<'h>,
    /// The revision before it.
    base: i64,
    walk: Walk<'c>,
    /// How many more branches are taken as it tells, if one is not.
    right: Option<usize>,
    wrote: bool,
}

impl<'c, 'h> Txn<'c, 'h> {
    fn new(
        case: &'c Case<'h>,
        present: &'c mut Present<'h>,
        (base, op): (i64, usize),
        (asked, told): (&'h TxnRequest, Told<'h>),
    ) -> Self {
        let mut right = 0;
        let all = follows(present, &mut case.stops.of(op), asked, told, &mut right);
        let (walk, right) = (case.stops.of(op), (!all).then_some(right));
        Self { case, present, base, walk, right, wrote: false }
    }

    fn run(&mut self, asked: &'h TxnRequest, (succeeded, told): Told<'h>) -> Result<(), Clash<'h>> {
        self.walk.pass(&asked.compare);
        if self.right == Some(0) {
            return Err(Clash::Branch(!succeeded));
        }
        self.right = self.right.map(|right| right - 1);
        // The case takes only answers of the right shape.
        asked.branch(succeeded).iter().zip(told).try_for_each(|(asked, told)| self.one(asked, told))
    }

    fn one(&mut self, asked: &'h TxnOperation, told: &'h TxnResult) -> Result<(), Clash<'h>> {
        if let (TxnOperation::Txn(asked), TxnResult::Txn(told)) = (asked, told) {
            return self.run(asked, (told.succeeded, &told.responses));
        }
        let span = self.walk.step();
        let header = match (asked, told) {
            (TxnOperation::Put(asked), TxnResult::Put(told)) => {
                assert!(span.is_one(), "the key of an answered put has a number");
                put(self.case, self.present, (self.base + 1, span.from), asked, told)?;
                self.wrote = true;
                told.revision
            }
            (TxnOperation::Range(asked), TxnResult::Range(told)) => {
                // A range at an old revision is a look of its own.
                if asked.revision.is_none() {
                    range(self.case, self.present, span, asked, told)?;
                }
                told.revision
            }
            (TxnOperation::DeleteRange(asked), TxnResult::DeleteRange(told)) => {
                delete(self.case, self.present, span, asked, told)?;
                if told.deleted > 0 {
                    self.present.apply(self.base + 1, Change::Delete(span));
                    self.wrote = true;
                }
                told.revision
            }
            // The case takes only answers of the right shape.
            (
                TxnOperation::Put(_)
                | TxnOperation::Range(_)
                | TxnOperation::DeleteRange(_)
                | TxnOperation::Txn(_),
                _,
            ) => return Ok(()),
        };
        let expected = self.base + i64::from(self.wrote);
        if header == Revision(expected) { Ok(()) } else { Err(Clash::Header(expected, header.0)) }
    }
}

/// Whether a transaction takes all branches on a state as it tells; if not, `right` counts those
/// before the first that it does not.
fn follows(
    present: &Present<'_>,
    walk: &mut Walk<'_>,
    asked: &TxnRequest,
    (succeeded, told): Told<'_>,
    right: &mut usize,
) -> bool {
    let mut holds = true;
    for compare in &asked.compare {
        let keys = walk.step();
        holds = holds && script::holds(present, compare, keys);
    }
    if holds != succeeded {
        return false;
    }
    *right += 1;
    asked.branch(succeeded).iter().zip(told).all(|(asked, told)| {
        if let (TxnOperation::Txn(asked), TxnResult::Txn(told)) = (asked, told) {
            return follows(present, walk, asked, (told.succeeded, &told.responses), right);
        }
        walk.step();
        true
    })
}

fn range<'h>(
    case: &Case<'h>,
    present: &Present<'h>,
    span: Span,
    asked: &RangeRequest,
    told: &'h RangeResponse,
) -> Result<(), Clash<'h>> {
    let count = present.count(span);
    let most = asked.limit.and_then(|limit| usize::try_from(limit.get()).ok());
    let most = most.unwrap_or(usize::MAX);
    let more = if asked.count_only {
        list(case, std::iter::empty(), &told.kvs, asked.keys_only)?;
        false
    } else if asked.is_filtered() {
        let admitted = present
            .list(span)
            .filter(|(_, pair)| asked.admits(Revision(pair.created), Revision(pair.modified)));
        let admitted: Vec<_> = admitted.collect();
        let shown = admitted.len().min(most);
        list(case, admitted[..shown].iter().copied(), &told.kvs, asked.keys_only)?;
        shown < admitted.len()
    } else {
        list(case, present.list(span).take(count.min(most)), &told.kvs, asked.keys_only)?;
        most < count
    };
    if i64::try_from(count) != Ok(told.count) {
        return Err(Clash::Count(count, told.count));
    }
    if more == told.more { Ok(()) } else { Err(Clash::More(more)) }
}

fn delete<'h>(
    case: &Case<'h>,
    present: &Present<'h>,
    span: Span,
    asked: &DeleteRangeRequest,
    told: &'h DeleteRangeResponse,
) -> Result<(), Clash<'h>> {
    let count = present.count(span);
    if i64::try_from(count) != Ok(told.deleted) {
        return Err(Clash::Deleted(count, told.deleted));
    }
    let listed = if asked.prev_kv { count } else { 0 };
    list(case, present.list(span).take(listed), &told.prev_kvs, false).map_err(prev_kv)
}

fn list<'h>(
    case: &Case<'h>,
    held: impl Iterator<Item = (KeyId, Pair<'h>)>,
    told: &'h [KeyValue],
    keys_only: bool,
) -> Result<(), Clash<'h>> {
    let mut told = told.iter();
    for held in held {
        same(case, Some(held), told.next(), keys_only)?;
    }
    same(case, None, told.next(), keys_only)
}

fn same<'h>(
    case: &Case<'h>,
    held: Held<'h>,
    told: Option<&'h KeyValue>,
    keys_only: bool,
) -> Result<(), Clash<'h>> {
    let (Some((key, pair)), Some(seen)) = (held, told) else {
        return if held.is_none() && told.is_none() {
            Ok(())
        } else {
            Err(Clash::Pair(held, told))
        };
    };
    match case.keys.bytes(key).cmp(&seen.key) {
        std::cmp::Ordering::Less => Err(Clash::Pair(held, None)),
        std::cmp::Ordering::Greater => Err(Clash::Pair(None, told)),
        std::cmp::Ordering::Equal if shows(seen, &pair, keys_only) => Ok(()),
        std::cmp::Ordering::Equal => Err(Clash::Pair(held, told)),
    }
}

fn shows(seen: &KeyValue, pair: &Pair<'_>, keys_only: bool) -> bool {
    let value = if keys_only { seen.value.is_empty() } else { seen.value == *pair.value };
    value
        && seen.mod_revision.0 == pair.modified
        && seen.create_revision.0 == pair.created
        && seen.version == pair.version
        && seen.lease == pair.lease
}

fn prev_kv(clash: Clash<'_>) -> Clash<'_> {
    match clash {
        Clash::Pair(held, told) => Clash::PrevKv(held, told),
        Clash::PrevKv(..)
        | Clash::Count(..)
        | Clash::More(_)
        | Clash::Deleted(..)
        | Clash::Branch(_)
        | Clash::Header(..)
        | Clash::NothingKept(_)
        | Clash::Dead(_)
        | Clash::Alive(_)
        | Clash::NothingAttached(_)
        | Clash::NoWriter => clash,
    }
}
