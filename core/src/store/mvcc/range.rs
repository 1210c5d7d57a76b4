//! Reading a range, with every option that the API has, in bounded steps.
//!
//! ```text
//!  request --> Plan     keys, revision, filters, order, limit as types
//!                |
//!   walk the index at one revision --> filter --> gather --> sort --> cut --> answer
//!   |<------------- one step: at most `budget` keys ------>|
//!                        Cursor carries it to the next step
//! ```
//! The first step fixes the revision, and every later one reads at that same one, whatever is
//! written in between: a long read needs the store only for short moments.
//!
//! Invariants:
//! - G1. All steps of a read see one revision; the header shows the one that was current when the
//!   read began (KV-11), so that a watch from there on misses nothing.
//! - G2. `count` is the number of keys at that revision, whatever limit and filters say (KV-12).
//! - G3. A compaction between two steps does not end a read: its cursor pins what it reads.
//!
//! Not here: who may read; when a read is recent enough (`raft/read.rs`).

use alloc::vec::Vec;
use core::cmp::Ordering;

use super::found::Found;
use super::history::History;
use super::pins::Pin;
use super::record::{Record, View};
use super::{KeySpace, Window};
use crate::api::etcdserverpb::range_request::{SortOrder, SortTarget};
use crate::api::etcdserverpb::{RangeRequest, RangeResponse};
use crate::api::{KeyRange, Refusal};
use crate::request::check_range;

/// What a step of a range read gives.
#[derive(Debug)]
pub enum Step<T = RangeResponse> {
    /// The answer. Its header holds the revision only.
    Done(T),
    /// There is more to read: hand this in again, with the same request.
    More(Cursor),
}

/// A range read between two steps.
#[derive(Debug)]
pub struct Cursor {
    /// The revision that is read.
    at: i64,
    /// The revision that was current when the read began.
    current: i64,
    /// The first key not read yet; none at the beginning.
    next: Option<Vec<u8>>,
    /// Keeps what is not read yet from being removed.
    pin: Option<Pin>,
    /// Keys counted so far,
    count: usize,
    /// or all of them, counted beforehand.
    counted: bool,
    /// Pairs that passed the filters,
    matched: usize,
    /// and as many of them as the answer can need.
    pairs: Vec<Record>,
}

/// A request as types.
struct Plan<'a> {
    keys: KeyRange<'a>,
    limit: Option<usize>,
    /// None leaves the pairs in key order.
    sort: Option<(SortTarget, Direction)>,
    /// The first pairs that match, in key order, are those of the answer.
    first_win: bool,
    request: &'a RangeRequest,
}

#[derive(Clone, Copy)]
enum Direction {
    Up,
    Down,
}

impl<T> Step<T> {
    fn map<U>(self, answer: impl FnOnce(T) -> U) -> Step<U> {
        match self {
            Self::Done(found) => Step::Done(answer(found)),
            Self::More(cursor) => Step::More(cursor),
        }
    }
}

impl KeySpace {
    /// Reads on from `cursor`, or from the beginning. Looks at no more than `budget` keys.
    pub fn find(
        &self,
        request: &RangeRequest,
        cursor: Option<Cursor>,
        budget: usize,
    ) -> Result<Step<Found>, Refusal> {
        assert!(budget > 0, "a step without a budget gets nowhere");
        self.find_in(request, self.window(), cursor, &mut { budget })
    }

    /// The same, with the answer as a message.
    pub fn range(
        &self,
        request: &RangeRequest,
        cursor: Option<Cursor>,
        budget: usize,
    ) -> Result<Step, Refusal> {
        Ok(self.find(request, cursor, budget)?.map(|found| found.response()))
    }

    /// Reads as if these were the revisions that can be read. Takes from `budget` what it looks at.
    pub fn range_in(
        &self,
        request: &RangeRequest,
        window: Window,
        cursor: Option<Cursor>,
        budget: &mut usize,
    ) -> Result<Step, Refusal> {
        Ok(self.find_in(request, window, cursor, budget)?.map(|found| found.response()))
    }

    fn find_in(
        &self,
        request: &RangeRequest,
        window: Window,
        cursor: Option<Cursor>,
        budget: &mut usize,
    ) -> Result<Step<Found>, Refusal> {
        check_range(request)?;
        let plan = Plan::new(request)?;
        let mut cursor = match cursor {
            Some(cursor) => cursor,
            None => self.open(&plan, window)?,
        };
        if !self.removal.keeps(cursor.at) {
            return Err(Refusal::Compacted); // The store was replaced under it.
        }
        if self.advance(&plan, &mut cursor, budget) {
            return Ok(Step::Done(cursor.answer(&plan)));
        }
        cursor.pin.get_or_insert_with(|| self.pin());
        Ok(Step::More(cursor))
    }

    /// Fixes the revision to read (KV-10).
    fn open(&self, plan: &Plan<'_>, window: Window) -> Result<Cursor, Refusal> {
        let at = window.pick(plan.request.revision)?;
        // The index knows the count of the present without a walk; one key needs no counting.
        let counted = at == self.revision() && !matches!(plan.keys, KeyRange::One(_));
        let count = if counted { self.index.count(plan.keys) } else { 0 };
        let (next, pin, pairs) = (None, None, Vec::new());
        Ok(Cursor { at, current: window.newest, next, pin, count, counted, matched: 0, pairs })
    }

    /// Takes one step. Tells whether it was the last one.
    fn advance(&self, plan: &Plan<'_>, cursor: &mut Cursor, budget: &mut usize) -> bool {
        let next = cursor.next.take();
        let keys = next.as_deref().map_or(plan.keys, |next| plan.keys.going_on_at(next));
        let mut walk = self.index.walk(keys);
        for history in walk.by_ref().take(*budget) {
            if cursor.is_complete(plan) {
                return true;
            }
            self.visit(plan, cursor, history);
            *budget -= 1;
        }
        let left = walk.next().filter(|_| !cursor.is_complete(plan));
        cursor.next = left.map(|history| self.key_of(history).to_vec());
        cursor.next.is_none()
    }

    fn visit(&self, plan: &Plan<'_>, cursor: &mut Cursor, history: &History) {
        let Some(at) = history.at(cursor.at) else { return };
        if !cursor.counted {
            cursor.count += 1;
        }
        if cursor.has_enough(plan) {
            return;
        }
        let record = self.records.get(at);
        if plan.accepts(&record.view()) {
            cursor.matched += 1;
            let whole = !plan.request.keys_only || plan.sorts_by_value();
            cursor.pairs.push(if whole { record.clone() } else { record.without_value() });
            plan.prune(&mut cursor.pairs);
        }
    }
}

impl Cursor {
    /// No later pair can change the answer. One more than the limit shows that there is more.
    fn has_enough(&self, plan: &Plan<'_>) -> bool {
        let full = plan.limit.is_some_and(|limit| self.matched > limit);
        plan.request.count_only || (plan.first_win && full)
    }

    fn is_complete(&self, plan: &Plan<'_>) -> bool {
        self.counted && self.has_enough(plan)
    }

    fn answer(self, plan: &Plan<'_>) -> Found {
        let mut pairs = self.pairs;
        plan.sort(&mut pairs);
        let limit = plan.limit.unwrap_or(usize::MAX);
        pairs.truncate(limit);
        if plan.request.keys_only && plan.sorts_by_value() {
            pairs.iter_mut().for_each(|pair| *pair = pair.without_value());
        }
        let count = i64::try_from(self.count).expect("keys fit in memory");
        Found { revision: self.current, pairs, more: self.matched > limit, count }
    }
}

impl<'a> Plan<'a> {
    fn new(request: &'a RangeRequest) -> Result<Self, Refusal> {
        let target = SortTarget::try_from(request.sort_target);
        let order = SortOrder::try_from(request.sort_order);
        let (Ok(target), Ok(order)) = (target, order) else {
            return Err(Refusal::InvalidSortOption);
        };
        let sort = sorting(target, order);
        // As in etcd, an order that was not asked for does not make the limit wait for it: the
        // first pairs by key are taken, and those are sorted. The one pair too many is among them.
        let first_win = sort.is_none() || (order == SortOrder::None && !filters(request));
        Ok(Self {
            keys: KeyRange::new(&request.key, &request.range_end),
            limit: usize::try_from(request.limit).ok().filter(|limit| *limit > 0),
            sort,
            first_win,
            request,
        })
    }

    /// The revision filters (KV-13); a bound of zero is not set.
    fn accepts(&self, view: &View<'_>) -> bool {
        let inside = |min: i64, revision: i64, max: i64| {
            (min == 0 || min <= revision) && (max == 0 || revision <= max)
        };
        let wish = self.request;
        inside(wish.min_mod_revision, view.modified, wish.max_mod_revision)
            && inside(wish.min_create_revision, view.create, wish.max_create_revision)
    }

    fn sorts_by_value(&self) -> bool {
        matches!(self.sort, Some((SortTarget::Value, _)))
    }

    /// Drops pairs that a sorted answer cannot hold, now and then, to keep what is gathered small.
    fn prune(&self, pairs: &mut Vec<Record>) {
        let Some(limit) = self.limit.filter(|_| !self.first_win) else { return };
        if pairs.len() / 2 > limit.max(64) {
            self.sort(pairs);
            pairs.truncate(limit);
        }
    }

    /// Sorts pairs. They came in key order and the sort is stable, so equal ones stay in key order
    /// and every member answers alike.
    fn sort(&self, pairs: &mut [Record]) {
        let Some((target, direction)) = self.sort else { return };
        pairs.sort_by(|a, b| {
            let (a, b) = (a.view(), b.view());
            match direction {
                Direction::Up => compare(target, &a, &b),
                Direction::Down => compare(target, &b, &a),
            }
        });
    }
}

/// How to sort, if key order is not already it (KV-14).
fn sorting(target: SortTarget, order: SortOrder) -> Option<(SortTarget, Direction)> {
    match (target, order) {
        (SortTarget::Key, SortOrder::None | SortOrder::Ascend) => None,
        (_, SortOrder::None | SortOrder::Ascend) => Some((target, Direction::Up)),
        (_, SortOrder::Descend) => Some((target, Direction::Down)),
    }
}

fn filters(request: &RangeRequest) -> bool {
    request.min_mod_revision != 0
        || request.max_mod_revision != 0
        || request.min_create_revision != 0
        || request.max_create_revision != 0
}

fn compare(target: SortTarget, a: &View<'_>, b: &View<'_>) -> Ordering {
    match target {
        SortTarget::Key => a.key.cmp(b.key),
        SortTarget::Version => a.version.cmp(&b.version),
        SortTarget::Create => a.create.cmp(&b.create),
        SortTarget::Mod => a.modified.cmp(&b.modified),
        SortTarget::Value => a.value.cmp(b.value),
    }
}
