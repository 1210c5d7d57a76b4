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
//! members are taken in the order in which they become possible. Where nobody saw what was put,
//! puts of one key stand in for each other: their classes form one pool. A delete's class is a pool
//! of its own.
//!
//! Invariants:
//! - G1. A member may fill any gap from its release on, since it has no return.
//! - G2. However many gaps there are up to a revision, as many members are released by then.
//!
//! Not here: trying the ways to fill them (`search.rs`).

use std::collections::HashMap;

use super::super::Rejection;
use super::case::{Case, Change, Maybe, Term};
use super::diagnose;
use super::keys::{KeyId, Span};
use super::order::Order;
use crate::history::{
    Exchange, KeyValue, Lease, Operation, RangeRequest, Request, Revision, TxnOperation,
    TxnRequest, TxnResult,
};

/// The place of a class among all classes.
pub(super) type ClassId = usize;

/// Unknown writes that would do the same.
pub(super) struct Class<'h> {
    pub(super) change: Change<'h>,
    pub(super) span: Span,
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
    /// Whether it depends on the state that a member has an effect: a delete, a transaction.
    pub(super) conditional: bool,
    /// Whether its classes differ after all: some gap asks for a put with a certain lease, or some
    /// transaction or put that keeps the old value looks at what nobody else saw.
    pub(super) picky: bool,
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
    /// Its key as a number; none if nobody puts it.
    pub(super) key: Option<KeyId>,
    pub(super) op: usize,
}

impl Trace<'_> {
    /// Whether a member of a class can have left it.
    pub(super) fn fits(&self, class: &Class<'_>) -> bool {
        let reached = self.key.is_some_and(|key| class.span.meets(Span::one(key)));
        reached && self.is_left_by(class.change)
    }

    /// Whether a change that reaches its key can have left it.
    fn is_left_by(&self, change: Change<'_>) -> bool {
        match change {
            Change::Put { value, lease, .. } => {
                (self.sight < Sight::Outline || self.pair.lease == lease)
                    && (self.sight < Sight::Whole || self.pair.value == *value)
            }
            Change::Keep(_) => true,
            Change::Txn(txn) => self.may_be_of(txn),
            Change::Delete(_) | Change::End(_) => false,
        }
    }

    fn may_be_of(&self, txn: &TxnRequest) -> bool {
        txn.operations().any(|operation| match operation {
            TxnOperation::Put(put) => put.key == self.pair.key,
            TxnOperation::Range(_) | TxnOperation::DeleteRange(_) | TxnOperation::Txn(_) => false,
        })
    }
}

/// A revision that no answered write made.
pub(super) struct Gap<'h> {
    /// Its place among all gaps.
    pub(super) number: usize,
    pub(super) revision: i64,
    pub(super) trace: Option<Trace<'h>>,
    /// Revokes that were answered with this revision: their operations and leases.
    pub(super) revokes: Vec<(usize, Lease)>,
    /// Whether the trace leaves only one class to fill it.
    pub(super) revealed: bool,
}

/// All gaps, and all that can fill them.
pub(super) struct Gaps<'h> {
    pub(super) gaps: Vec<Gap<'h>>,
    pub(super) classes: Vec<Class<'h>>,
    pub(super) pools: Vec<Pool>,
}

impl<'h> Gaps<'h> {
    /// Finds the gaps, what is known of them, and who can fill them.
    pub(super) fn new(case: &Case<'h>, order: &Order) -> Result<Self, Box<Rejection>> {
        let (classes, pools) = classes(case, order);
        let gaps = gaps(case, &classes)?;
        let mut gaps = Self { gaps, classes, pools };
        gaps.demand(case)?;
        Ok(gaps)
    }

    /// Gives each gap that somebody saw into to those that can fill it.
    fn demand(&mut self, case: &Case<'h>) -> Result<(), Box<Rejection>> {
        // Which of several scripts left what is seen only the replay can tell.
        let scripts: Vec<ClassId> = self
            .classes
            .iter()
            .enumerate()
            .filter_map(|(id, class)| is_script(class.change).then_some(id))
            .collect();
        for gap in &mut self.gaps {
            let Some(trace) = gap.trace else { continue };
            let fits = |class: &Class<'h>| trace.fits(class) && class.released(gap.revision) > 0;
            if scripts.iter().any(|id| fits(&self.classes[*id])) {
                continue;
            }
            let Some(class) = self.classes.iter_mut().find(|class| fits(class)) else {
                return Err(diagnose::no_writer(case, gap.revision, Some(trace)));
            };
            gap.revealed = trace.sight == Sight::Whole;
            let pool = &mut self.pools[class.pool];
            match trace.sight {
                Sight::Birth => {}
                Sight::Outline => pool.picky = true,
                Sight::Whole => class.demands.push(gap.revision),
            }
            if class.released(gap.revision) < class.demands.len() {
                return Err(diagnose::no_writer(case, gap.revision, Some(trace)));
            }
        }
        Ok(())
    }
}

fn is_script(change: Change<'_>) -> bool {
    match change {
        Change::Txn(_) | Change::Keep(_) => true,
        Change::Put { .. } | Change::Delete(_) | Change::End(_) => false,
    }
}

fn classes<'h>(case: &Case<'h>, order: &Order) -> (Vec<Class<'h>>, Vec<Pool>) {
    let mut numbers: HashMap<Change<'h>, ClassId> = HashMap::new();
    let mut classes: Vec<Class<'h>> = Vec::new();
    let mut pool_numbers: HashMap<(Option<Change<'h>>, Span), PoolId> = HashMap::new();
    let mut pools: Vec<Pool> = Vec::new();
    let picky = case.operations.iter().any(|operation| looks_at_values(&operation.request));
    for maybe in &case.maybes {
        let Maybe { op, change, span } = *maybe;
        let release = order.release(op);
        let conditional = !matches!(change, Change::Put { .. });
        if span.is_empty() {
            continue; // A delete of keys that nobody ever puts.
        }
        let alike = conditional.then_some(change);
        let pool = *pool_numbers.entry((alike, span)).or_insert(pools.len());
        if pool == pools.len() {
            pools.push(Pool { conditional, picky });
        }
        let class = *numbers.entry(change).or_insert(classes.len());
        if class == classes.len() {
            classes.push(Class { change, span, pool, members: vec![], demands: vec![] });
        }
        classes[class].members.push((release, op));
    }
    classes.iter_mut().for_each(|class| class.members.sort_unstable());
    (classes, pools)
}

/// Whether what a request does may depend on a value, or on a lease, that is there.
fn looks_at_values(request: &Request) -> bool {
    match request {
        Request::Put(put) => put.ignore_value || put.ignore_lease,
        Request::Txn(_) => true,
        Request::Range(_)
        | Request::DeleteRange(_)
        | Request::Compact(_)
        | Request::LeaseGrant(_)
        | Request::LeaseRevoke(_)
        | Request::LeaseKeepAlive(_)
        | Request::LeaseTimeToLive(_)
        | Request::LeaseLeases(_) => false,
    }
}

/// The revisions without a write, each held against the number of unknown writes (G2).
fn gaps<'h>(case: &Case<'h>, classes: &[Class<'h>]) -> Result<Vec<Gap<'h>>, Box<Rejection>> {
    let mut releases: Vec<i64> =
        classes.iter().flat_map(|class| &class.members).map(|(release, _)| *release).collect();
    releases.sort_unstable();
    let mut gaps: Vec<Gap<'h>> = Vec::new();
    let mut writes = case.writes.iter().peekable();
    // Ends of leases: at most one for each grant, whoever asked for it.
    let mut spare = case.tenure.granted.len();
    for revision in 2..=case.newest {
        if writes.next_if(|write| write.revision == revision).is_some() {
            continue;
        }
        let revokes = revokes(case, revision);
        let mut enough = releases.get(gaps.len()).is_some_and(|release| *release <= revision);
        if !enough && spare > 0 {
            spare -= 1;
            releases.insert(gaps.len(), revision);
            enough = true;
        }
        let number = gaps.len();
        gaps.push(Gap { number, revision, trace: None, revokes, revealed: false });
        if !enough {
            reveal(case, &mut gaps);
            let trace = gaps.last().and_then(|gap| gap.trace);
            return Err(diagnose::no_writer(case, revision, trace));
        }
    }
    reveal(case, &mut gaps);
    Ok(gaps)
}

/// The revokes that were answered with a revision.
fn revokes(case: &Case<'_>, revision: i64) -> Vec<(usize, Lease)> {
    let from = case.terms.partition_point(|term| term.at < revision);
    let here = case.terms[from..].iter().take_while(|term| term.at == revision);
    let ends = here.filter(|term| !term.begins);
    ends.map(|Term { op, lease, .. }| (*op, *lease)).collect()
}

/// Finds what answers show of the writes that filled the gaps.
fn reveal<'h>(case: &Case<'h>, gaps: &mut [Gap<'h>]) {
    let Some(last) = gaps.last() else { return };
    // A million pairs are asked for, and gaps are few.
    let mut is_gap = vec![false; usize::try_from(last.revision).unwrap_or(0) + 1];
    for gap in &*gaps {
        is_gap[usize::try_from(gap.revision).unwrap_or(0)] = true;
    }
    let mut note = |revision: Revision, sight, pair: &'h KeyValue, op| {
        let place = usize::try_from(revision.0).ok();
        if place.and_then(|place| is_gap.get(place)) != Some(&true) {
            return;
        }
        let place = gaps.partition_point(|gap| gap.revision < revision.0);
        let known = &mut gaps[place].trace;
        if known.is_none_or(|known| known.sight < sight) {
            let key = case.keys.number(&pair.key);
            *known = Some(Trace { sight, pair, key, op });
        }
    };
    for (op, operation) in case.operations.iter().enumerate() {
        each_shown(operation, &mut |pair, keys_only| {
            let whole = if keys_only { Sight::Outline } else { Sight::Whole };
            note(pair.mod_revision, whole, pair, op);
            note(pair.create_revision, Sight::Birth, pair, op);
        });
    }
}

/// Visits all pairs that an answer shows, and whether they are without their values.
pub(super) fn each_shown<'h>(operation: &'h Operation, see: &mut impl FnMut(&'h KeyValue, bool)) {
    let Some(exchange) = operation.exchange() else { return };
    match exchange {
        Exchange::Put(_, told) => told.prev_kv.iter().for_each(|pair| see(pair, false)),
        Exchange::DeleteRange(_, told) => told.prev_kvs.iter().for_each(|pair| see(pair, false)),
        Exchange::Range(asked, told) => {
            told.kvs.iter().for_each(|pair| see(pair, asked.keys_only));
        }
        Exchange::Txn(asked, told) => {
            each_of(asked.branch(told.succeeded), &told.responses, see);
        }
        Exchange::Compact(..)
        | Exchange::LeaseGrant(..)
        | Exchange::LeaseRevoke(..)
        | Exchange::LeaseKeepAlive(..)
        | Exchange::LeaseTimeToLive(..)
        | Exchange::LeaseLeases(..) => {}
    }
}

fn each_of<'h>(
    branch: &'h [TxnOperation],
    told: &'h [TxnResult],
    see: &mut impl FnMut(&'h KeyValue, bool),
) {
    for (asked, told) in branch.iter().zip(told) {
        match (asked, told) {
            (_, TxnResult::Put(told)) => told.prev_kv.iter().for_each(|pair| see(pair, false)),
            (_, TxnResult::DeleteRange(told)) => {
                told.prev_kvs.iter().for_each(|pair| see(pair, false));
            }
            (TxnOperation::Range(RangeRequest { keys_only, .. }), TxnResult::Range(told)) => {
                told.kvs.iter().for_each(|pair| see(pair, *keys_only));
            }
            (TxnOperation::Txn(asked), TxnResult::Txn(told)) => {
                each_of(asked.branch(told.succeeded), &told.responses, see);
            }
            (_, TxnResult::Range(_) | TxnResult::Txn(_)) => {}
        }
    }
}
