//! Random commands and reads over a given set of keys.

use bytes::Bytes;
use quorate_core::api::etcdserverpb::compare::TargetUnion;
use quorate_core::api::etcdserverpb::request_op::Request as Op;
use quorate_core::api::etcdserverpb::{
    Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest,
};
use quorate_core::random::Random;

use super::pick;

/// Draws commands and reads over a given set of keys.
pub struct Draw {
    pub random: Random,
    pub keys: Vec<Bytes>,
}

impl Draw {
    pub fn one_in(&mut self, n: u64) -> bool {
        self.random.below(n) == 0
    }

    fn key(&mut self) -> Bytes {
        pick(&mut self.random, &self.keys).clone()
    }

    fn end(&mut self) -> Bytes {
        match self.random.below(4) {
            0 => Bytes::new(),
            1 => Bytes::from_static(b"\0"),
            _ => self.key(),
        }
    }

    pub fn put(&mut self) -> PutRequest {
        let keep = self.one_in(8);
        let value = vec![b'v'; self.random.below(4) as usize];
        PutRequest {
            key: self.key(),
            value: if keep { Bytes::new() } else { value.into() },
            lease: i64::from(self.one_in(30)),
            prev_kv: self.one_in(2),
            ignore_value: keep,
            ignore_lease: false,
        }
    }

    pub fn delete(&mut self) -> DeleteRangeRequest {
        // Whole ranges go seldom, or nothing would ever grow.
        let range_end = if self.one_in(6) { self.end() } else { Bytes::new() };
        DeleteRangeRequest { key: self.key(), range_end, prev_kv: self.one_in(2) }
    }

    fn bound(&mut self, revision: i64) -> i64 {
        if self.one_in(3) { self.random.below(revision as u64 + 2) as i64 } else { 0 }
    }

    pub fn range(&mut self, revision: i64) -> RangeRequest {
        let plain = self.one_in(2);
        let filter = |draw: &mut Self| if plain { 0 } else { draw.bound(revision) };
        RangeRequest {
            min_mod_revision: filter(self),
            max_mod_revision: filter(self),
            min_create_revision: filter(self),
            max_create_revision: filter(self),
            key: self.key(),
            range_end: self.end(),
            limit: if self.one_in(2) { self.random.below(6) as i64 - 1 } else { 0 },
            revision: self.bound(revision),
            sort_order: self.random.below(3) as i32,
            sort_target: self.random.below(5) as i32,
            serializable: false,
            keys_only: self.one_in(4),
            count_only: self.one_in(8),
        }
    }

    /// A transaction, nested up to `depth`; now and then one that only reads.
    pub fn txn(&mut self, revision: i64, depth: u64) -> TxnRequest {
        let reads = self.one_in(4);
        let list = |draw: &mut Self| -> Vec<RequestOp> {
            let operations = draw.random.below(4);
            (0..operations).map(|_| draw.operation(revision, depth, reads)).collect()
        };
        let (success, failure) = (list(self), list(self));
        let compares = self.random.below(3);
        let compare = (0..compares).map(|_| self.compare(revision)).collect();
        TxnRequest { compare, success, failure }
    }

    fn operation(&mut self, revision: i64, depth: u64, reads: bool) -> RequestOp {
        let kind = if reads { 0 } else { self.random.below(8 + depth.min(2)) };
        let request = match kind {
            0..3 => {
                let early = if self.one_in(9) { -1 } else { 0 };
                let range = self.range(revision);
                let when = if self.one_in(3) { range.revision } else { early };
                Op::RequestRange(RangeRequest { revision: when, ..range })
            }
            3..7 => Op::RequestPut(self.put()),
            7 => Op::RequestDeleteRange(self.delete()),
            _ => Op::RequestTxn(self.txn(revision, depth - 1)),
        };
        RequestOp { request: Some(request) }
    }

    fn compare(&mut self, revision: i64) -> Compare {
        let small = self.random.below(4) as i64;
        let at = self.random.below(revision as u64 + 1) as i64;
        let value = vec![b'v'; self.random.below(4) as usize].into();
        let unions = [
            TargetUnion::Version(small),
            TargetUnion::CreateRevision(at),
            TargetUnion::ModRevision(at),
            TargetUnion::Value(value),
            TargetUnion::Lease(small / 2),
        ];
        let target = self.random.below(5) as usize;
        // Mostly the one that fits.
        let union = if self.one_in(6) { self.random.below(6) as usize } else { target };
        Compare {
            result: self.random.below(4) as i32,
            target: target as i32,
            key: self.key(),
            range_end: if self.one_in(3) { self.end() } else { Bytes::new() },
            target_union: unions.get(union).cloned(),
        }
    }
}
