//! The compares of a transaction: does the key space look as the client thinks?
//!
//! ```text
//!   compare   key or range | VERSION CREATE MOD VALUE LEASE | = > < != | wanted
//!                                     |
//!   every key that exists there:  what it has -----------------+---> all hold, or one does not
//!   no key exists there:          zero; a value is never right (TX-5)
//! ```
//! As in etcd, a compare whose wanted value is not set, or set for another target, wants zero; an
//! unknown target is equal to everything, and an unknown result always holds.
//!
//! Invariants:
//! - Q1. All compares of a transaction look at one revision, the one before it (TX-2).
//!
//! Not here: which operations follow (`store/txn.rs`).

use alloc::vec::Vec;
use core::cmp::Ordering;

use super::KeySpace;
use super::record::View;
use crate::api::KeyRange;
use crate::api::etcdserverpb::Compare;
use crate::api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};

/// How far a compare has come.
#[derive(Debug, Default)]
pub struct Compared {
    /// The first key that was not looked at; none at the beginning.
    next: Option<Vec<u8>>,
    /// Whether a key exists among those that were.
    found: bool,
}

impl KeySpace {
    /// Whether all compares hold now. Looks at every key of their ranges.
    pub fn holds(&self, compares: &[Compare]) -> bool {
        let now = self.revision();
        compares.iter().all(|compare| {
            let verdict = self.compare(compare, now, &mut Compared::default(), &mut { usize::MAX });
            verdict.expect("there are fewer keys than a number can count")
        })
    }

    /// Goes on with a compare at a revision. Takes from `budget` what it looks at; tells whether
    /// the compare holds once that is known.
    pub fn compare(
        &self,
        compare: &Compare,
        at: i64,
        compared: &mut Compared,
        budget: &mut usize,
    ) -> Option<bool> {
        let keys = KeyRange::new(&compare.key, &compare.range_end);
        let next = compared.next.take();
        for history in self.index.walk(next.as_deref().map_or(keys, |next| keys.going_on_at(next)))
        {
            let Some(left) = budget.checked_sub(1) else {
                compared.next = Some(self.key_of(history).to_vec());
                return None;
            };
            *budget = left;
            let Some(at) = history.at(at) else { continue };
            compared.found = true;
            if !fits(compare, &self.records.get(at).view()) {
                return Some(false);
            }
        }
        Some(compared.found || (!is_of_value(compare) && fits(compare, &View::default())))
    }
}

fn is_of_value(compare: &Compare) -> bool {
    compare.target == CompareTarget::Value as i32
}

fn fits(compare: &Compare, has: &View<'_>) -> bool {
    let order = order(compare, has);
    match CompareResult::try_from(compare.result) {
        Ok(CompareResult::Equal) => order == Ordering::Equal,
        Ok(CompareResult::Greater) => order == Ordering::Greater,
        Ok(CompareResult::Less) => order == Ordering::Less,
        Ok(CompareResult::NotEqual) => order != Ordering::Equal,
        Err(_) => true,
    }
}

/// How what a key has stands to what is wanted (TX-4, TX-6).
fn order(compare: &Compare, has: &View<'_>) -> Ordering {
    let wanted = compare.target_union.as_ref();
    match CompareTarget::try_from(compare.target) {
        Ok(CompareTarget::Version) => {
            let Some(TargetUnion::Version(wanted)) = wanted else { return has.version.cmp(&0) };
            has.version.cmp(wanted)
        }
        Ok(CompareTarget::Create) => {
            let Some(TargetUnion::CreateRevision(wanted)) = wanted else {
                return has.create.cmp(&0);
            };
            has.create.cmp(wanted)
        }
        Ok(CompareTarget::Mod) => {
            let Some(TargetUnion::ModRevision(wanted)) = wanted else {
                return has.modified.cmp(&0);
            };
            has.modified.cmp(wanted)
        }
        Ok(CompareTarget::Value) => {
            let Some(TargetUnion::Value(wanted)) = wanted else { return has.value.cmp(&[]) };
            has.value.cmp(wanted.as_ref())
        }
        Ok(CompareTarget::Lease) => {
            let Some(TargetUnion::Lease(wanted)) = wanted else { return has.lease.cmp(&0) };
            has.lease.cmp(wanted)
        }
        Err(_) => Ordering::Equal,
    }
}
