//! Time is taken out: what comes after the failure, and gaps in which nothing begins.
//!
//! ```text
//!   0 ......... fault .... op .. op ............... fault .. failure ....... end
//!   0 .. fault .. op op .. fault .. failure
//! ```
//! Not here: how long a fault lasts and a client thinks, numbers like others (`words.rs`).

use std::collections::BTreeSet;

use super::Shrinker;
use crate::clock::{MILLI, Micros};
use crate::plan::{Plan, When};

/// Shorter gaps are left alone.
const GAP: Micros = 20 * MILLI;
/// How often the end is moved.
const HALVINGS: u32 = 6;

impl Shrinker<'_> {
    pub(super) fn shorten(&mut self) {
        self.end_sooner();
        let mut begins: Vec<Micros> = self.begins().into_iter().collect();
        while let Some(later) = begins.pop() {
            let earlier = begins.last().copied().unwrap_or_default();
            let gap = later - earlier;
            let parts = [gap, gap / 4 * 3, gap / 2, gap / 4];
            for part in parts.into_iter().filter(|part| *part >= GAP) {
                if self.attempt(self.without(earlier, part)) {
                    break;
                }
            }
        }
    }

    /// Looks for the earliest end by halving, as if every later one would do.
    fn end_sooner(&mut self) {
        let (mut low, mut high) = (0, self.plan.settings.duration);
        for _ in 0..HALVINGS {
            let middle = (low + high) / 2 / MILLI * MILLI;
            let mut candidate = self.plan.clone();
            candidate.settings.duration = middle;
            if self.attempt(candidate) { high = middle } else { low = middle }
        }
    }

    /// When faults and operations begin.
    fn begins(&self) -> BTreeSet<Micros> {
        let faults = self.plan.faults.iter().map(|fault| match fault.when {
            When::At(at) => at,
            When::Nth { after, .. } => after,
        });
        faults.chain(self.asked().into_values()).filter(|at| *at > 0).collect()
    }

    /// The plan with everything that begins after `from` moved forward.
    fn without(&self, from: Micros, span: Micros) -> Plan {
        let asked = self.asked();
        let mut candidate = self.plan.clone();
        for fault in &mut candidate.faults {
            let (When::At(at) | When::Nth { after: at, .. }) = &mut fault.when;
            *at -= if *at > from { span } else { 0 };
        }
        let mut moved = BTreeSet::new();
        for op in &mut candidate.ops {
            let later = asked.get(&op.number).is_some_and(|at| *at > from);
            // Those behind it wait for its answer: they move with it.
            if later && moved.insert(op.client) {
                op.think = op.think.saturating_sub(span);
            }
        }
        let duration = &mut candidate.settings.duration;
        *duration = duration.saturating_sub(span).max(MILLI);
        candidate
    }
}
