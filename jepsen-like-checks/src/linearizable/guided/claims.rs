//! Holds what an answer claims against the state that it speaks of.
//!
//! A range claims a list of pairs, a count and whether more was cut off; a put and a delete claim
//! what was there before. The answer and the state are walked side by side in key order, and the
//! first place where they part is the clash.
//!
//! Not here: what the clash says about the store (`diagnose.rs`).

use super::case::{Case, Change, Look, Write};
use super::keys::{KeyId, Span};
use super::present::{Pair, Present};
use crate::history::{
    DeleteRangeRequest, DeleteRangeResponse, KeyValue, RangeRequest, RangeResponse, Request,
    Response,
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
    /// The range holds so many keys.
    Count(usize),
    /// Whether the limit cuts something off.
    More(bool),
    /// There were so many keys to remove.
    Deleted(usize),
    /// No write is left that can have made the revision.
    NoWriter,
}

/// Checks an answer that shows a state.
pub(super) fn look<'h>(
    case: &Case<'h>,
    present: &Present<'h>,
    look: &Look,
) -> Result<(), Clash<'h>> {
    let operation = &case.operations[look.op];
    match (&operation.request, operation.response()) {
        (Request::Range(asked), Some(Response::Range(told))) => {
            range(case, present, look.span, asked, told)
        }
        (Request::DeleteRange(asked), Some(Response::DeleteRange(told))) => {
            delete(case, present, look.span, asked, told)
        }
        // The case takes only answered ranges and deletes for looks.
        _ => Ok(()),
    }
}

/// Checks what an answered write claims about the state before it.
pub(super) fn write<'h>(
    case: &Case<'h>,
    present: &Present<'h>,
    write: &Write<'h>,
) -> Result<(), Clash<'h>> {
    let operation = &case.operations[write.op];
    match (&operation.request, operation.response(), write.change) {
        (Request::Put(asked), Some(Response::Put(told)), Change::Put { key, .. }) => {
            let held = present.get(key).filter(|_| asked.prev_kv).map(|pair| (key, pair));
            same(case, held, told.prev_kv.as_ref(), false).map_err(prev_kv)
        }
        (Request::DeleteRange(asked), Some(Response::DeleteRange(told)), Change::Delete(span)) => {
            delete(case, present, span, asked, told)
        }
        // A write's change is made from its request, and its answer is of the request's kind (H3).
        _ => Ok(()),
    }
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
    let listed = if asked.count_only { 0 } else { count.min(most.unwrap_or(usize::MAX)) };
    list(case, present.list(span).take(listed), &told.kvs, asked.keys_only)?;
    if i64::try_from(count) != Ok(told.count) {
        return Err(Clash::Count(count));
    }
    let more = listed < count && !asked.count_only;
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
        return Err(Clash::Deleted(count));
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
        | Clash::Count(_)
        | Clash::More(_)
        | Clash::Deleted(_)
        | Clash::NoWriter => clash,
    }
}
