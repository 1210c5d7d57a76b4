//! Refusals, and the compaction mark: what was said about states without naming a revision.
//!
//! A compaction makes no revision, but the marks only grow, so two things that contradict each
//! other always do so in pairs: a read of a revision that was given up before, a mark that was not
//! above the one before it. Both are found by sorting.
//!
//! ```text
//! compactions, by mark     5      9        12
//! first place, first end   8, 40  10, 70   10, 65     of this one and all higher ones
//! a read of revision 7     must not stand behind place 10, nor begin after 65
//! ```
//!
//! A refusal has no place. It is held against what is surely so during the whole of it: that nobody
//! has compacted so far, that the lease is alive, that it is not. Where two refusals together can
//! be explained only by states that exclude each other, this judge does not see it; the search
//! does.
//!
//! Not here: reads refused as ones of the future, which are held against places (`order.rs`).

use std::cell::LazyCell;
use std::cmp::Reverse;

use super::super::{OrderFault, Rejection};
use super::case::{By, Case, Claim};
use super::fold::Table;
use super::least::Least;
use super::order::Order;
use super::role::Role;
use crate::history::{Lease, Micros, Operation, Outcome, Request, Response};
use crate::linearizable::tenure;
use crate::model::kv::Refused;

/// A compaction that took place, or may have.
#[derive(Clone, Copy)]
struct Mark {
    mark: i64,
    op: usize,
    /// The revision behind which it stands, if it was answered.
    at: Option<i64>,
    invoked: Micros,
    returned: Option<Micros>,
}

/// Checks compactions, reads of old revisions, and refusals.
pub(super) fn check(case: &Case<'_>, order: &Order) -> Result<(), Box<Rejection>> {
    let marks = marks(case);
    let answered: Vec<Mark> = marks.iter().copied().filter(|mark| mark.at.is_some()).collect();
    ascending(case, &answered)?;
    let looks = old_looks(case, &answered)?;
    let ceilings = ceilings(&answered);
    // Most histories have no refusal that needs it.
    let speakers = LazyCell::new(|| Speakers::new(case));
    for (op, reason) in &case.refused {
        let operation = &case.operations[*op];
        let unjust = match reason {
            Refused::Compacted => !was_compacted(operation, order, (&marks, &ceilings), &looks),
            Refused::LeaseNotFound => is_surely_alive(case, &speakers, operation),
            Refused::LeaseExists => is_surely_dead(case, &speakers, operation),
            Refused::EmptyKey
            | Refused::FutureRevision
            | Refused::KeyNotFound
            | Refused::ValueProvided
            | Refused::LeaseProvided
            | Refused::TtlTooLarge
            | Refused::DuplicateKey => false,
        };
        if unjust {
            let witness = case.witness(By::Operation(*op));
            return Err(OrderFault::NoReason(witness, *reason).into());
        }
    }
    Ok(())
}

/// The compactions that did or may take place, by mark.
fn marks(case: &Case<'_>) -> Vec<Mark> {
    let mark = |op: &usize| {
        let (op, operation) = (*op, &case.operations[*op]);
        let Request::Compact(compact) = &operation.request else { return None };
        if matches!(operation.outcome, Outcome::Refused { .. }) || compact.revision.0 < 0 {
            return None;
        }
        Some(Mark {
            mark: compact.revision.0,
            op,
            at: operation.response().map(|response| response.revision().0),
            invoked: operation.invoked,
            returned: operation.returned(),
        })
    };
    let mut marks: Vec<Mark> = case.compactions.iter().filter_map(mark).collect();
    marks.sort_by_key(|mark| mark.mark);
    marks
}

/// Each compaction must come after all with lower marks: marks only grow.
fn ascending(case: &Case<'_>, answered: &[Mark]) -> Result<(), Box<Rejection>> {
    let fault = |one: &Mark, other: &Mark| -> Box<Rejection> {
        let (earlier, later) = (By::Operation(one.op), By::Operation(other.op));
        OrderFault::MarkWentBack(case.witness(earlier), case.witness(later)).into()
    };
    let mut last: Option<(Mark, Mark)> = None;
    for mark in answered {
        let Some((place, time)) = &mut last else {
            last = Some((*mark, *mark));
            continue;
        };
        if place.mark == mark.mark || place.at > mark.at {
            return Err(fault(mark, place));
        }
        if mark.returned.is_some_and(|returned| returned < time.invoked) {
            return Err(fault(mark, time));
        }
        *place = *mark;
        if time.invoked < mark.invoked {
            *time = *mark;
        }
    }
    Ok(())
}

/// Checks the answers that show an old revision. The invocations of those that must be up to date,
/// each with the least revision that it and all that begin after it show.
fn old_looks(case: &Case<'_>, answered: &[Mark]) -> Result<Least<Micros, i64>, Box<Rejection>> {
    let mut looks = Vec::new();
    if answered.is_empty() {
        return Ok(Least::of(looks));
    }
    // The compaction with the lowest place, and the one that ends first, of each and all after it.
    let mut firsts: Vec<(Mark, Mark)> = Vec::with_capacity(answered.len());
    for mark in answered.iter().rev() {
        let (place, end) = firsts.last().copied().unwrap_or((*mark, *mark));
        let place = if mark.at <= place.at { *mark } else { place };
        let end = if mark.returned <= end.returned { *mark } else { end };
        firsts.push((place, end));
    }
    firsts.reverse();
    for look in &case.looks {
        let operation = &case.operations[look.op];
        let role = case.roles[look.op];
        let (Some(revision), Claim::Range(asked, _)) = (role.revision(), look.claim) else {
            continue;
        };
        if asked.revision.is_none() {
            continue;
        }
        let stale = matches!(role, Role::Stale(_));
        let higher = answered.partition_point(|mark| mark.mark <= look.at);
        if let Some((place, end)) = firsts.get(higher) {
            let over = end.returned.is_some_and(|returned| returned < operation.invoked && !stale);
            let contradiction = if place.at < Some(revision) { Some(place) } else { Some(end) };
            if place.at < Some(revision) || over {
                let mark = contradiction.map_or(place.op, |mark| mark.op);
                let (compaction, read) = (By::Operation(mark), By::Operation(look.op));
                let (compaction, read) = (case.witness(compaction), case.witness(read));
                return Err(OrderFault::CompactedRead { compaction, read }.into());
            }
        }
        if !stale {
            looks.push((operation.invoked, look.at));
        }
    }
    Ok(Least::of(looks))
}

/// Invocations of compactions, each with the highest mark that can have been there before it and
/// all after it.
fn ceilings(answered: &[Mark]) -> Least<Micros, i64> {
    Least::of(answered.iter().map(|mark| (mark.invoked, mark.mark - 1)).collect())
}

/// Whether some compaction can be the reason for a refusal.
fn was_compacted(
    operation: &Operation,
    order: &Order,
    (marks, ceilings): (&[Mark], &Least<Micros, i64>),
    looks: &Least<Micros, i64>,
) -> bool {
    let least = match &operation.request {
        // A read is refused below the mark, a compaction at it, too.
        Request::Range(range) => range.revision.map_or(0, |asked| asked.0) + 1,
        Request::Compact(compact) if compact.revision.0 < 0 => return true,
        Request::Compact(compact) => compact.revision.0,
        Request::Put(_)
        | Request::DeleteRange(_)
        | Request::Txn(_)
        | Request::LeaseGrant(_)
        | Request::LeaseRevoke(_)
        | Request::LeaseKeepAlive(_)
        | Request::LeaseTimeToLive(_)
        | Request::LeaseLeases(_) => return true,
    };
    let Some(returned) = operation.returned() else { return true };
    let ceiling = order.ceiling(returned);
    let still_shown = looks.after(&returned).unwrap_or(i64::MAX);
    let still_new = ceilings.after(&returned).unwrap_or(i64::MAX);
    marks[marks.partition_point(|mark| mark.mark < least)..].iter().any(|mark| {
        mark.invoked <= returned
            && mark.at.unwrap_or(mark.mark) <= ceiling
            && mark.mark <= still_shown.min(still_new)
    })
}

/// The lease that a refused request speaks of.
fn lease_of(request: &Request) -> Option<Lease> {
    match request {
        Request::Put(put) => put.lease,
        Request::LeaseGrant(grant) => grant.lease,
        Request::LeaseRevoke(revoke) => Some(revoke.lease),
        Request::Range(_)
        | Request::DeleteRange(_)
        | Request::Txn(_)
        | Request::Compact(_)
        | Request::LeaseKeepAlive(_)
        | Request::LeaseTimeToLive(_)
        | Request::LeaseLeases(_) => None,
    }
}

/// Whether a lease is alive during the whole of an operation: it was before, is afterwards, and
/// nobody can have granted it anew in between.
fn is_surely_alive(case: &Case<'_>, speakers: &Speakers, operation: &Operation) -> bool {
    let (Some(lease), Some(returned)) = (lease_of(&operation.request), operation.returned()) else {
        return false;
    };
    let Some(said) = speakers.0.get(&lease) else { return false };
    let before = said.first_life.is_some_and(|first| first < operation.invoked);
    let Some(after) = said.needs.after(&returned).filter(|_| before) else { return false };
    let last = said.grants.from(&Reverse(after));
    let again = last.is_some_and(|Reverse(end)| end >= operation.invoked);
    !again && case.tenure.stray.iter().all(|(stray, _)| *stray != lease)
}

/// Whether a lease is dead during the whole of an operation: nobody granted it, or it was revoked
/// before, and nobody can have granted it since.
fn is_surely_dead(case: &Case<'_>, speakers: &Speakers, operation: &Operation) -> bool {
    let (Some(lease), Some(returned)) = (lease_of(&operation.request), operation.returned()) else {
        return false;
    };
    if case.tenure.stray.iter().any(|(stray, _)| *stray == lease) {
        return false;
    }
    let Some(said) = speakers.0.get(&lease) else { return true };
    let revoked = said.revokes.after(&Reverse(operation.invoked));
    said.grants
        .from(&Reverse(returned))
        .is_none_or(|Reverse(end)| revoked.is_some_and(|Reverse(revoked)| end < revoked))
}

/// What operations say of one lease, one by one.
#[derive(Default)]
struct Notes {
    grants: Vec<(Reverse<Micros>, Reverse<Micros>)>,
    revokes: Vec<(Reverse<Micros>, Reverse<Micros>)>,
    first_life: Option<Micros>,
    needs: Vec<(Micros, Micros)>,
}

/// What operations say of one lease.
struct Said {
    /// Invocations of grants, answered or not, each with the last return of it and all before it;
    /// an unanswered one never returns.
    grants: Least<Reverse<Micros>, Reverse<Micros>>,
    /// Returns of answered revokes, each with the last invocation of it and all before it.
    revokes: Least<Reverse<Micros>, Reverse<Micros>>,
    /// The first return of an answer that shows it alive.
    first_life: Option<Micros>,
    /// Invocations of those that need it alive, each with the first return of it and all after it.
    needs: Least<Micros, Micros>,
}

impl From<Notes> for Said {
    fn from(notes: Notes) -> Self {
        let Notes { grants, revokes, first_life, needs } = notes;
        let (grants, revokes) = (Least::of(grants), Least::of(revokes));
        Self { grants, revokes, first_life, needs: Least::of(needs) }
    }
}

/// What operations say of each lease.
struct Speakers(Table<Lease, Said>);

impl Speakers {
    fn new(case: &Case<'_>) -> Self {
        let mut notes: Table<Lease, Notes> = Table::default();
        for op in &case.leasing {
            let operation = &case.operations[*op];
            let (granted, invoked) = (tenure::grants(operation), operation.invoked);
            if let Some(lease) = granted {
                let end = operation.returned().unwrap_or(Micros(u64::MAX));
                notes.entry(lease).or_default().grants.push((Reverse(invoked), Reverse(end)));
            }
            // A refusal or the lack of an answer says nothing of a lease.
            let (Some(returned), Some(_)) = (operation.returned(), operation.response()) else {
                continue;
            };
            let mut leases = tenure::used(&operation.request);
            leases.extend(granted);
            for lease in leases {
                let said = notes.entry(lease).or_default();
                if shows_life(operation) {
                    let first = said.first_life.get_or_insert(returned);
                    *first = returned.min(*first);
                }
                if needs_life(operation) {
                    said.needs.push((invoked, returned));
                }
                if let Some(Response::LeaseRevoke(_)) = operation.response() {
                    said.revokes.push((Reverse(returned), Reverse(invoked)));
                }
            }
        }
        Self(notes.into_iter().map(|(lease, notes)| (lease, Said::from(notes))).collect())
    }
}

/// Whether an answer shows that the lease was alive at its end: a grant, or a put.
fn shows_life(operation: &Operation) -> bool {
    match operation.response() {
        Some(Response::LeaseGrant(_) | Response::Put(_)) => true,
        Some(
            Response::Range(_)
            | Response::DeleteRange(_)
            | Response::Txn(_)
            | Response::Compact(_)
            | Response::LeaseRevoke(_)
            | Response::LeaseKeepAlive(_)
            | Response::LeaseTimeToLive(_)
            | Response::LeaseLeases(_),
        )
        | None => false,
    }
}

/// Whether an answer shows that the lease was alive at its beginning: a put, or a revoke.
fn needs_life(operation: &Operation) -> bool {
    match operation.response() {
        Some(Response::LeaseRevoke(_) | Response::Put(_)) => true,
        Some(
            Response::Range(_)
            | Response::DeleteRange(_)
            | Response::Txn(_)
            | Response::Compact(_)
            | Response::LeaseGrant(_)
            | Response::LeaseKeepAlive(_)
            | Response::LeaseTimeToLive(_)
            | Response::LeaseLeases(_),
        )
        | None => false,
    }
}
