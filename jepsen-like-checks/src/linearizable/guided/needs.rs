//! When answers need a lease alive: after which revisions it cannot have ended unseen.
//!
//! ```text
//! moments     4w  4b     5w       6b       9w
//! lease 1     .   grant  put      .        put        an end at 6w needs another grant by 9w
//! ```
//!
//! A moment is a revision's write, or the place behind it, where grants and revokes stand.
//!
//! Not here: the lease's states at the present revision (`lives.rs`).

use super::case::{By, Case, Change};
use super::fold::Table;
use super::lives::Lives;
use crate::history::Lease;
use crate::linearizable::tenure;

/// A revision, and whether it is the place behind the write of it.
type Moment = (i64, bool);

/// When answers need a lease alive, and when they say that it began.
#[derive(Default)]
struct Course {
    needs: Vec<Moment>,
    grants: Vec<Moment>,
    /// From which moment on an unanswered grant may have been served.
    unanswered: Option<Moment>,
}

/// The courses of all leases that can end unseen.
pub(super) struct Needs(Table<Lease, Course>);

impl Needs {
    pub(super) fn new(case: &Case<'_>, lives: &Lives) -> Self {
        let mut courses: Table<Lease, Course> = Table::default();
        if case.tenure.granted.is_empty() {
            return Self(courses);
        }
        for write in &case.writes {
            let told = match write.by {
                By::Operation(op) => case.operations[op].response(),
                By::Told(_) | By::Expiry(_) => None,
            };
            let mut need = |lease| {
                courses.entry(lease).or_default().needs.push((write.revision, false));
            };
            match (write.change, told) {
                (Change::Put { lease, .. }, _) => lease.into_iter().for_each(need),
                (Change::Keep(put), _) => put.lease.into_iter().for_each(need),
                (Change::End(lease), _) => need(lease),
                (Change::Txn(txn), Some(told)) => {
                    tenure::used_by(txn, told).into_iter().for_each(need);
                }
                (Change::Txn(_), None) | (Change::Delete(_), _) => {}
            }
        }
        for term in &case.terms {
            let course = courses.entry(term.lease).or_default();
            let moments = if term.begins { &mut course.grants } else { &mut course.needs };
            moments.push((term.at, true));
        }
        for (lease, course) in &mut courses {
            course.unanswered = lives.first_unanswered(*lease).map(|place| (place, true));
            course.grants.sort_unstable();
            course.needs.sort_unstable();
        }
        Self(courses)
    }

    /// Whether a lease can have ended in a revision: before it is needed again, it can begin again.
    pub(super) fn can_end(&self, lease: Lease, revision: i64) -> bool {
        let end = (revision, false);
        let Some(course) = self.0.get(&lease) else { return true };
        let next = course.needs.partition_point(|need| *need <= end);
        let Some(need) = course.needs.get(next) else { return true };
        let grant = course.grants.get(course.grants.partition_point(|grant| *grant <= end));
        course.unanswered.is_some_and(|first| first <= *need)
            || grant.is_some_and(|grant| grant <= need)
    }
}
