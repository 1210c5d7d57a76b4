//! Transactions: guards that mostly hold, and operations that speak of the same few keys.
//!
//! A guard compares with what its client saw last. So a transaction of a client that is alone with
//! a key is taken, one that met a rival is not, and both happen often. A refusal is worth little,
//! so keys that would be written twice are left out, mostly: a twentieth tries it.

use super::Draw;
use super::ops::Taste;
use crate::plan::{Aspect, Compare, Keys, Operand, Relation, Step, Txn};

impl Draw {
    /// A transaction that nests at most `depth` further ones in each other.
    pub(super) fn txn(&mut self, taste: &Taste, depth: u32) -> Txn {
        let compares = (0..self.pick(&[0, 1, 1, 1, 2, 3])).map(|_| self.compare(taste)).collect();
        let careless = self.chance(5);
        let success = self.steps(taste, depth, careless);
        let failure = if self.chance(50) { self.steps(taste, depth, careless) } else { Vec::new() };
        Txn { compares, success, failure }
    }

    fn compare(&mut self, taste: &Taste) -> Compare {
        let aspect = self.pick(Aspect::ALL);
        let keys = if self.chance(80) { Keys::One(self.key(taste)) } else { self.keys(taste) };
        let relation = match self.random.below(10) {
            0..6 => Relation::Equal,
            6..8 => Relation::NotEqual,
            8 => Relation::Less,
            _ => Relation::Greater,
        };
        let operand = match self.random.below(10) {
            0..6 => Operand::Seen(0),
            6 => Operand::Seen(self.either_sign(1, 2)),
            7 => Operand::Number(1),
            _ => Operand::Number(0),
        };
        Compare { aspect, keys, relation, operand }
    }

    fn steps(&mut self, taste: &Taste, depth: u32, careless: bool) -> Vec<Step> {
        let count = self.pick(&[0, 1, 1, 2, 3, 5]);
        let mut written: Vec<Step> = Vec::new();
        for _ in 0..count {
            let step = self.step(taste, depth);
            if careless || !written.iter().any(|other| clash(other, &step)) {
                written.push(step);
            }
        }
        written
    }

    fn step(&mut self, taste: &Taste, depth: u32) -> Step {
        match self.random.below(20) {
            0..9 => Step::Put(self.put(taste)),
            9..12 => Step::Delete(self.delete(taste)),
            12..15 if depth > 0 => Step::Txn(self.txn(taste, depth - 1)),
            12..18 => Step::Range(self.range(taste, false, None)),
            _ => {
                let at = self.old();
                Step::Range(self.range(taste, false, Some(at)))
            }
        }
    }
}

/// Whether two operations of one list may not stand together: one puts what the other changes.
fn clash(one: &Step, other: &Step) -> bool {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    changes(one, &mut first);
    changes(other, &mut second);
    let meet = |(keys, put): &(Keys, bool)| {
        second.iter().any(|(others, puts)| (*put || *puts) && overlap(*keys, *others))
    };
    first.iter().any(meet)
}

/// The keys that an operation changes, and whether by a put.
fn changes(step: &Step, into: &mut Vec<(Keys, bool)>) {
    match step {
        Step::Put(put) => into.push((Keys::One(put.key), true)),
        Step::Delete(delete) => into.push((delete.keys, false)),
        Step::Range(_) => {}
        Step::Txn(txn) => {
            txn.success.iter().chain(&txn.failure).for_each(|step| changes(step, into));
        }
    }
}

fn overlap(one: Keys, other: Keys) -> bool {
    let end = |keys| match keys {
        Keys::One(key) => u16::from(key) + 1,
        Keys::Span(_, end) => u16::from(end),
        Keys::From(_) => u16::MAX,
    };
    u16::from(one.first()) < end(other) && u16::from(other.first()) < end(one)
}
