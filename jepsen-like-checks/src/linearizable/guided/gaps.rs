//! Revisions that no answered write made, and the writes of unknown outcome that may have.
//!
//! Each revision is made by one write. Where no answered write has it, a write whose answer never
//! came must have made it, and often somebody saw what it wrote:
//!
//! ```text
//! revision       2      3      4      5      6
//! answered       put    put    .      put    .
//! somebody saw                 a=x           nothing
//! so it was                    put a=x       put b=y, put c=z, or a delete
//! ```
//!
//! Unknown writes that would do the same are interchangeable, so they form one class, from which
//! members are taken in the order in which they become possible. Where nobody saw what was put, puts
//! of one key stand in for each other: their classes form one pool. A delete's class is a pool of its
//! own.
//!
//! Invariants:
//! - G1. A member may fill any gap from its release on, since it has no return.
//! - G2. However many gaps there are up to a revision, as many members are released by then.
//!
//! Not here: trying the ways to fill them (`search.rs`).

use std::collections::HashMap;

use super::super::Rejection;
use super::case::{Case, Change, Maybe};
use super::diagnose;
use super::keys::{Keys, Span};
use super::order::Releases;
use crate::history::{KeyValue, Operation, Request, Response};

/// The place of a class among all classes.
pub(super) type ClassId = usize;

/// Unknown writes that would do the same.
pub(super) struct Class<'h> {
    pub(super) change: Change<'h>,
    pub(super) pool: PoolId,
    /// The least revision that each can have made, and its operation; sorted.
    pub(super) members: Vec<(i64, usize)>,
    /// The gaps that only this class can fill, sorted.
    pub(super) demands: Vec<i64>,
}

impl Class<'_> {
    /// How many members may have made a revision.
    pub(super) fn released(&self, revision: i64) -> usize {
        self.members.partition_point(|(release, _)| *release <= revision)
    }

    /// Whether a member can fill the gap at `revision` when `used` are gone, such that the later
    /// demands can still be met.
    pub(super) fn has_spare(&self, revision: i64, used: usize) -> bool {
        let later = self.demands.partition_point(|demand| *demand <= revision);
        let met = |(after, demand): (usize, &i64)| self.released(*demand) >= used + after + 2;
        self.released(revision) > used && self.demands[later..].iter().enumerate().all(met)
    }
}

/// The place of a pool among all pools.
pub(super) type PoolId = usize;

/// Unknown writes that can stand in for each other where nobody saw the value.
pub(super) struct Pool {
    pub(super) span: Span,
    pub(super) deletes: bool,
    /// The least revision that each member can have made, sorted.
    releases: Vec<i64>,
    /// The gaps that one class of the pool must fill, sorted.
    demands: Vec<i64>,
    /// Whether some gap asks for a put with a certain lease, so that its classes differ after all.
    pub(super) picky: bool,
}

impl Pool {
    pub(super) fn released(&self, revision: i64) -> usize {
        self.releases.partition_point(|release| *release <= revision)
    }

    /// Whether the `used` members might be missed at a gap above `since`, when `at` is present.
    pub(super) fn is_scarce(&self, used: usize, since: i64, at: i64) -> bool {
        let reserved = self.demands.len() - self.demands.partition_point(|demand| *demand <= at);
        used > 0 && (self.picky || self.released(since.saturating_add(1)) <= used + reserved)
    }
}

/// How much of a write somebody saw.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Sight {
    /// A pair that was created by it and overwritten since: the key.
    Birth,
    /// The pair without its value.
    Outline,
    /// The pair.
    Whole,
}

/// A pair that somebody saw and that the write of a gap wrote.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trace<'h> {
    pub(super) sight: Sight,
    pub(super) pair: &'h KeyValue,
    pub(super) op: usize,
}

impl Trace<'_> {
    /// Whether a change can have left it.
    pub(super) fn fits(&self, keys: &Keys<'_>, change: Change<'_>) -> bool {
        let Change::Put { key, value, lease } = change else { return false };
        *self.pair.key == *keys.bytes(key)
            && (self.sight < Sight::Outline || self.pair.lease == lease)
            && (self.sight < Sight::Whole || self.pair.value == *value)
    }
}

/// A revision that no answered write made.
pub(super) struct Gap<'h> {
    pub(super) revision: i64,
    pub(super) trace: Option<Trace<'h>>,
}

impl Gap<'_> {
    /// Whether the trace leaves only one class to fill it.
    pub(super) fn is_revealed(&self) -> bool {
        self.trace.is_some_and(|trace| trace.sight == Sight::Whole)
    }
}

/// All gaps, and all that can fill them.
pub(super) struct Gaps<'h> {
    pub(super) gaps: Vec<Gap<'h>>,
    pub(super) classes: Vec<Class<'h>>,
    pub(super) pools: Vec<Pool>,
}

impl<'h> Gaps<'h> {
    /// Finds the gaps, what is known of them, and who can fill them.
    pub(super) fn new(case: &Case<'h>, releases: &Releases) -> Result<Self, Box<Rejection>> {
        let (classes, pools) = classes(case, releases);
        let gaps = gaps(case, &classes)?;
        let mut gaps = Self { gaps, classes, pools };
        gaps.demand(case)?;
        Ok(gaps)
    }

    /// Gives each gap that somebody saw into to those that can fill it.
    fn demand(&mut self, case: &Case<'h>) -> Result<(), Box<Rejection>> {
        for gap in &self.gaps {
            let Some(trace) = gap.trace else { continue };
            let fits = |class: &&mut Class<'h>| {
                trace.fits(&case.keys, class.change) && class.released(gap.revision) > 0
            };
            let Some(class) = self.classes.iter_mut().find(fits) else {
                return Err(diagnose::no_writer(case, gap.revision, Some(trace)));
            };
            let pool = &mut self.pools[class.pool];
            match trace.sight {
                Sight::Birth => {}
                Sight::Outline => pool.picky = true,
                Sight::Whole => {
                    pool.demands.push(gap.revision);
                    class.demands.push(gap.revision);
                }
            }
            if class.released(gap.revision) < class.demands.len() {
                return Err(diagnose::no_writer(case, gap.revision, Some(trace)));
            }
        }
        Ok(())
    }
}

fn classes<'h>(case: &Case<'h>, releases: &Releases) -> (Vec<Class<'h>>, Vec<Pool>) {
    let mut numbers: HashMap<Change<'h>, ClassId> = HashMap::new();
    let mut classes: Vec<Class<'h>> = Vec::new();
    let mut pool_numbers: HashMap<(bool, Span), PoolId> = HashMap::new();
    let mut pools: Vec<Pool> = Vec::new();
    for (maybe, release) in case.maybes.iter().zip(releases) {
        let Maybe { op, change } = *maybe;
        let (span, deletes) = (change.span(), matches!(change, Change::Delete(_)));
        if span.is_empty() {
            continue; // A delete of keys that nobody ever puts.
        }
        let pool = *pool_numbers.entry((deletes, span)).or_insert(pools.len());
        if pool == pools.len() {
            pools.push(Pool { span, deletes, releases: vec![], demands: vec![], picky: false });
        }
        let class = *numbers.entry(change).or_insert(classes.len());
        if class == classes.len() {
            classes.push(Class { change, pool, members: vec![], demands: vec![] });
        }
        classes[class].members.push((*release, op));
        pools[pool].releases.push(*release);
    }
    classes.iter_mut().for_each(|class| class.members.sort_unstable());
    pools.iter_mut().for_each(|pool| pool.releases.sort_unstable());
    (classes, pools)
}

/// The revisions without a write, each held against the number of unknown writes (G2).
fn gaps<'h>(case: &Case<'h>, classes: &[Class<'h>]) -> Result<Vec<Gap<'h>>, Box<Rejection>> {
    let mut releases: Vec<i64> =
        classes.iter().flat_map(|class| &class.members).map(|(release, _)| *release).collect();
    releases.sort_unstable();
    let mut gaps = Vec::new();
    let mut writes = case.writes.iter().peekable();
    for revision in 2..=case.newest {
        if writes.next_if(|write| write.revision == revision).is_some() {
            continue;
        }
        let enough = releases.get(gaps.len()).is_some_and(|release| *release <= revision);
        gaps.push(Gap { revision, trace: None });
        if !enough {
            reveal(case, &mut gaps);
            let trace = gaps.last().and_then(|gap| gap.trace);
            return Err(diagnose::no_writer(case, revision, trace));
        }
    }
    reveal(case, &mut gaps);
    Ok(gaps)
}

/// Finds what answers show of the writes that filled the gaps.
fn reveal<'h>(case: &Case<'h>, gaps: &mut [Gap<'h>]) {
    if gaps.is_empty() {
        return;
    }
    for (op, operation) in case.operations.iter().enumerate() {
        let whole = if is_keys_only(&operation.request) { Sight::Outline } else { Sight::Whole };
        for pair in shown(operation) {
            note(gaps, pair.mod_revision.0, Trace { sight: whole, pair, op });
            note(gaps, pair.create_revision.0, Trace { sight: Sight::Birth, pair, op });
        }
    }
}

fn note<'h>(gaps: &mut [Gap<'h>], revision: i64, trace: Trace<'h>) {
    let Ok(place) = gaps.binary_search_by_key(&revision, |gap| gap.revision) else { return };
    let known = &mut gaps[place].trace;
    if known.is_none_or(|known| known.sight < trace.sight) {
        *known = Some(trace);
    }
}

/// All pairs that an answer shows.
pub(super) fn shown(operation: &Operation) -> &[KeyValue] {
    match operation.response() {
        Some(Response::Put(put)) => put.prev_kv.as_slice(),
        Some(Response::Range(range)) => &range.kvs,
        Some(Response::DeleteRange(delete)) => &delete.prev_kvs,
        _ => &[],
    }
}

pub(super) fn is_keys_only(request: &Request) -> bool {
    match request {
        Request::Range(range) => range.keys_only,
        _ => false,
    }
}
