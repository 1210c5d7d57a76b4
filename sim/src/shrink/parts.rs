//! Faults, clients, operations and members are taken out.
//!
//! Not here: when things happen (`time.rs`).

use std::collections::{BTreeMap, BTreeSet};

use super::Shrinker;
use super::thin::thin;
use crate::clock::{MILLI, Micros};
use crate::plan::{Op, Plan};

impl Shrinker<'_> {
    /// What the clients never came to ask, and the time after the failure.
    pub(super) fn drop_unasked(&mut self) {
        let asked = self.asked();
        let mut candidate = self.plan.clone();
        candidate.ops.retain(|op| asked.contains_key(&op.number));
        let end = self.outcome.simulated.next_multiple_of(MILLI);
        candidate.settings.duration = candidate.settings.duration.min(end);
        self.attempt(candidate);
    }

    pub(super) fn drop_faults(&mut self) {
        let ids = self.plan.faults.iter().map(|fault| fault.id).collect();
        thin(ids, |kept| {
            let mut candidate = self.plan.clone();
            candidate.faults.retain(|fault| kept.contains(&fault.id));
            self.attempt(candidate)
        });
    }

    /// Clients with everything that they ask.
    pub(super) fn drop_clients(&mut self) {
        let clients: BTreeSet<u8> = self.plan.ops.iter().map(|op| op.client).collect();
        thin(clients.into_iter().collect(), |kept| {
            let candidate = self.with_ops(|op| kept.contains(&op.client));
            self.attempt(candidate)
        });
    }

    pub(super) fn drop_ops(&mut self) {
        let numbers = self.plan.ops.iter().map(|op| op.number).collect();
        thin(numbers, |kept| {
            let candidate = self.with_ops(|op| kept.contains(&op.number));
            self.attempt(candidate)
        });
    }

    /// The fewest members that do.
    pub(super) fn drop_members(&mut self) {
        for members in 1..self.plan.settings.members {
            let mut candidate = self.plan.clone();
            candidate.settings.members = members;
            if self.attempt(candidate) {
                return;
            }
        }
    }

    /// Lets clients take the places of others that have nothing to ask: first of such as are
    /// connected to the same member, then of any.
    pub(super) fn close_ranks(&mut self) {
        let members = self.plan.settings.members;
        let last = self.plan.ops.iter().map(|op| u64::from(op.client)).max();
        let mut candidate = self.plan.clone();
        candidate.settings.clients = last.map_or(1, |last| last + 1);
        self.attempt(candidate);
        for classes in [members, 1] {
            let candidate = self.renumbered(classes);
            self.attempt(candidate);
        }
    }

    /// Each client takes the lowest free number of its class.
    fn renumbered(&self, classes: u64) -> Plan {
        let mut candidate = self.plan.clone();
        let old: BTreeSet<u8> = candidate.ops.iter().map(|op| op.client).collect();
        let mut new: BTreeMap<u8, u8> = BTreeMap::new();
        for client in old {
            let class = (u64::from(client) % classes) as u8;
            let peers = new.keys().filter(|other| u64::from(**other) % classes == u64::from(class));
            let place = class + peers.count() as u8 * classes as u8;
            new.insert(client, place);
        }
        for op in &mut candidate.ops {
            op.client = new[&op.client];
        }
        candidate.settings.clients = new.values().max().map_or(1, |last| u64::from(*last) + 1);
        candidate
    }

    /// The plan with some operations only. They are asked when they were asked before: an operation
    /// waits for as long as those took that are no more there.
    fn with_ops(&self, kept: impl Fn(&Op) -> bool) -> Plan {
        let spans = self.spans();
        let mut candidate = self.plan.clone();
        let mut gaps: BTreeMap<u8, Micros> = BTreeMap::new();
        candidate.ops.retain_mut(|op| {
            let gap = gaps.remove(&op.client).unwrap_or_default() + op.think;
            let kept = kept(op);
            if kept {
                op.think = gap;
            } else {
                gaps.insert(op.client, gap + spans.get(&op.number).copied().unwrap_or_default());
            }
            kept
        });
        candidate
    }

    /// How long each operation took until its client thought of the next.
    fn spans(&self) -> BTreeMap<u32, Micros> {
        let asked = self.asked();
        let mut last: BTreeMap<u8, (u32, Micros)> = BTreeMap::new();
        let mut spans = BTreeMap::new();
        for op in &self.plan.ops {
            let Some(at) = asked.get(&op.number).copied() else { continue };
            if let Some((number, before)) = last.insert(op.client, (op.number, at)) {
                spans.insert(number, at.saturating_sub(before).saturating_sub(op.think));
            }
        }
        spans
    }

    /// When each operation of the plan was asked.
    pub(super) fn asked(&self) -> BTreeMap<u32, Micros> {
        let record = self.outcome.history.iter().flat_map(|history| history.operations());
        let known = |number: u64| u32::try_from(number).ok();
        record.filter_map(|op| Some((known(op.number.0)?, op.invoked.0))).collect()
    }
}
