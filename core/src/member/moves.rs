//! Those who wait for another member to lead (MA-8).
//!
//! The wish goes to the leader's Raft node at once; the answer is that somebody else leads. A
//! hand-over that failed is not tried again, but the target may still win by the last word it got,
//! so the client waits until its time is over.

use alloc::vec::Vec;

use crate::types::NodeId;

/// Who is to lead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Goal {
    /// This member.
    To(NodeId),
    /// Anybody but this member.
    Away,
}

/// Wishes that are not fulfilled yet, by their request number.
#[derive(Debug, Default)]
pub struct Moves {
    waiting: Vec<(u64, Goal)>,
}

impl Moves {
    /// A client waits.
    pub fn wait(&mut self, n: u64, goal: Goal) {
        self.waiting.push((n, goal));
    }

    /// Takes out those whose wish is fulfilled.
    pub fn fulfilled(&mut self, own: NodeId, leader: Option<NodeId>) -> Vec<u64> {
        let Some(leader) = leader else { return Vec::new() };
        let is_met = |goal: Goal| match goal {
            Goal::To(target) => leader == target,
            Goal::Away => leader != own,
        };
        self.waiting.extract_if(.., |(_, goal)| is_met(*goal)).map(|(n, _)| n).collect()
    }

    /// Forgets a wish whose time is over. Whether it was one.
    pub fn forget(&mut self, n: u64) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|(other, _)| *other != n);
        before != self.waiting.len()
    }
}
