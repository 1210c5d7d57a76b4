//! A key space that is too simple to be wrong: a list of all that ever happened.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use prost::Message;
use quorate_core::api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use quorate_core::api::etcdserverpb::range_request::SortOrder;
use quorate_core::api::etcdserverpb::request_op::Request as Op;
use quorate_core::api::etcdserverpb::response_op::Response as Done;
use quorate_core::api::etcdserverpb::{
    CompactionResponse, Compare, DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse,
    RangeRequest, RangeResponse, RequestOp, ResponseHeader, ResponseOp, TxnRequest, TxnResponse,
};
use quorate_core::api::mvccpb::KeyValue;
use quorate_core::api::{KeyRange, Refusal};

/// One change: its main and sub revision, the key, the pair if there is one.
pub type Change = (i64, u64, Bytes, Option<KeyValue>);

/// Everything that ever happened, oldest first.
#[derive(Clone)]
pub struct Model {
    pub revision: i64,
    pub mark: Option<i64>,
    pub past: Vec<Change>,
    /// The transaction that is under way has written something.
    wrote: bool,
}

/// Which lists a transaction takes.
struct Path {
    succeeded: bool,
    nested: Vec<Path>,
}

impl Model {
    pub fn new() -> Self {
        Self { revision: 1, mark: None, past: Vec::new(), wrote: false }
    }

    pub fn at(&self, revision: i64) -> BTreeMap<&Bytes, &KeyValue> {
        let mut pairs = BTreeMap::new();
        for (main, _, key, pair) in &self.past {
            if *main <= revision {
                pairs.remove(key);
                pairs.extend(pair.iter().map(|pair| (key, pair)));
            }
        }
        pairs
    }

    fn header(&self) -> Option<ResponseHeader> {
        Some(ResponseHeader { revision: self.revision, ..Default::default() })
    }

    fn write(&mut self, key: &Bytes, pair: Option<KeyValue>) {
        let sub = self.past.iter().rev().take_while(|change| change.0 == self.revision).count();
        self.past.push((self.revision, sub as u64, key.clone(), pair));
    }

    fn next(&mut self) {
        self.revision += i64::from(!self.wrote);
        self.wrote = true;
    }

    pub fn put(&mut self, put: &PutRequest) -> Result<PutResponse, Refusal> {
        self.wrote = false;
        if put.lease != 0 {
            return Err(Refusal::LeaseNotFound);
        }
        self.check_put(put)?;
        Ok(self.run_put(put))
    }

    fn check_put(&self, put: &PutRequest) -> Result<(), Refusal> {
        let missing = !self.at(self.revision).contains_key(&put.key);
        if missing && (put.ignore_lease || put.ignore_value) {
            return Err(Refusal::KeyNotFound);
        }
        if put.lease != 0 { Err(Refusal::LeaseNotFound) } else { Ok(()) }
    }

    fn run_put(&mut self, put: &PutRequest) -> PutResponse {
        let old = self.at(self.revision).get(&put.key).map(|kv| (*kv).clone());
        self.next();
        let mut new = old.clone().unwrap_or(KeyValue {
            key: put.key.clone(),
            create_revision: self.revision,
            ..Default::default()
        });
        new.mod_revision = self.revision;
        new.version += 1;
        if !put.ignore_value {
            new.value = put.value.clone();
        }
        self.write(&put.key, Some(new));
        PutResponse { header: self.header(), prev_kv: old.filter(|_| put.prev_kv) }
    }

    pub fn delete(&mut self, delete: &DeleteRangeRequest) -> DeleteRangeResponse {
        self.wrote = false;
        self.run_delete(delete)
    }

    fn run_delete(&mut self, delete: &DeleteRangeRequest) -> DeleteRangeResponse {
        let range = KeyRange::new(&delete.key, &delete.range_end);
        let now = self.at(self.revision);
        let gone: Vec<KeyValue> =
            now.values().filter(|kv| range.contains(&kv.key)).map(|kv| (*kv).clone()).collect();
        for kv in &gone {
            self.next();
            self.write(&kv.key, None);
        }
        let deleted = gone.len() as i64;
        let prev_kvs = if delete.prev_kv { gone } else { Vec::new() };
        DeleteRangeResponse { header: self.header(), deleted, prev_kvs }
    }

    pub fn compact(&mut self, revision: i64) -> Result<CompactionResponse, Refusal> {
        if revision < 0 || self.mark.is_some_and(|mark| revision <= mark) {
            return Err(Refusal::Compacted);
        }
        if revision > self.revision {
            return Err(Refusal::FutureRevision);
        }
        self.mark = Some(revision);
        Ok(CompactionResponse { header: self.header() })
    }

    pub fn range(&self, wish: &RangeRequest) -> Result<RangeResponse, Refusal> {
        if wish.revision > self.revision {
            return Err(Refusal::FutureRevision);
        }
        let at = if wish.revision <= 0 { self.revision } else { wish.revision };
        if self.mark.is_some_and(|mark| at < mark) {
            return Err(Refusal::Compacted);
        }
        let range = KeyRange::new(&wish.key, &wish.range_end);
        let found = self.at(at);
        let mut kvs: Vec<KeyValue> =
            found.values().filter(|kv| range.contains(&kv.key)).map(|kv| (*kv).clone()).collect();
        let count = kvs.len() as i64;
        let limit = if wish.limit > 0 { wish.limit as usize } else { usize::MAX };
        let filters = [
            wish.min_mod_revision,
            wish.max_mod_revision,
            wish.min_create_revision,
            wish.max_create_revision,
        ];
        if wish.sort_order() == SortOrder::None && filters == [0; 4] {
            kvs.truncate(limit.saturating_add(1));
        }
        kvs.retain(|kv| {
            (filters[0] == 0 || kv.mod_revision >= filters[0])
                && (filters[1] == 0 || kv.mod_revision <= filters[1])
                && (filters[2] == 0 || kv.create_revision >= filters[2])
                && (filters[3] == 0 || kv.create_revision <= filters[3])
        });
        kvs.sort_by(|a, b| order(wish, a, b));
        let more = kvs.len() > limit && !wish.count_only;
        kvs.truncate(if wish.count_only { 0 } else { limit });
        if wish.keys_only {
            kvs.iter_mut().for_each(|kv| kv.value.clear());
        }
        Ok(RangeResponse { header: self.header(), kvs, more, count })
    }

    pub fn txn(&mut self, txn: &TxnRequest) -> Result<TxnResponse, Refusal> {
        self.wrote = false;
        let path = self.decide(txn);
        self.check(txn, &path)?;
        let mut response = self.run(txn, &path);
        response.header = self.header();
        Ok(response)
    }

    fn decide(&self, txn: &TxnRequest) -> Path {
        let now = self.at(self.revision);
        let succeeded = txn.compare.iter().all(|compare| {
            let range = KeyRange::new(&compare.key, &compare.range_end);
            let found: Vec<_> = now.values().filter(|kv| range.contains(&kv.key)).collect();
            let missing = found.is_empty() && compare.target != CompareTarget::Value as i32;
            found.iter().all(|kv| holds(compare, kv))
                && (!found.is_empty() || (missing && holds(compare, &KeyValue::default())))
        });
        let nested = taken(txn, succeeded).iter().map(|op| match &op.request {
            Some(Op::RequestTxn(nested)) => self.decide(nested),
            _ => Path { succeeded: true, nested: Vec::new() },
        });
        Path { succeeded, nested: nested.collect() }
    }

    fn check(&self, txn: &TxnRequest, path: &Path) -> Result<(), Refusal> {
        for (op, nested) in taken(txn, path.succeeded).iter().zip(&path.nested) {
            match op.request.as_ref().unwrap() {
                Op::RequestRange(range) if range.revision > self.revision => {
                    return Err(Refusal::FutureRevision);
                }
                Op::RequestRange(range) => {
                    let below = range.revision < self.mark.unwrap_or(-1);
                    if range.revision != 0 && below {
                        return Err(Refusal::Compacted);
                    }
                }
                Op::RequestPut(put) => self.check_put(put)?,
                Op::RequestDeleteRange(_) => {}
                Op::RequestTxn(txn) => self.check(txn, nested)?,
            }
        }
        Ok(())
    }

    fn run(&mut self, txn: &TxnRequest, path: &Path) -> TxnResponse {
        let mut responses = Vec::new();
        for (op, nested) in taken(txn, path.succeeded).iter().zip(&path.nested) {
            let response = Some(match op.request.as_ref().unwrap() {
                Op::RequestRange(range) => Done::ResponseRange(self.range(range).unwrap()),
                Op::RequestPut(put) => Done::ResponsePut(self.run_put(put)),
                Op::RequestDeleteRange(delete) => {
                    Done::ResponseDeleteRange(self.run_delete(delete))
                }
                Op::RequestTxn(txn) => Done::ResponseTxn(self.run(txn, nested)),
            });
            responses.push(ResponseOp { response });
        }
        let header = Some(ResponseHeader::default());
        TxnResponse { header, succeeded: path.succeeded, responses }
    }

    /// The changes that are in force at a revision.
    fn in_force(&self, revision: i64) -> Vec<&Change> {
        let mut newest = BTreeMap::new();
        for change in self.past.iter().filter(|change| change.0 <= revision) {
            newest.insert(&change.2, change);
        }
        newest.into_values().filter(|change| change.3.is_some()).collect()
    }

    /// HashKV by its definition (KV-32).
    pub fn hash_kv(&self, revision: i64) -> u32 {
        let (mark, in_force) = (self.mark.unwrap_or(-1), self.in_force(revision));
        let stays = if in_force.is_empty() { self.in_force(mark) } else { in_force };
        let mut bytes = b"key".to_vec();
        for change @ (main, sub, key, pair) in self.past.iter().filter(|it| it.0 <= revision) {
            let below = *main <= mark;
            if (*main == mark && pair.is_none()) || (below && !stays.contains(&change)) {
                continue;
            }
            bytes.extend(main.to_be_bytes());
            bytes.push(b'_');
            bytes.extend(sub.to_be_bytes());
            bytes.extend(pair.is_none().then_some(b't'));
            let tombstone = KeyValue { key: key.clone(), ..Default::default() };
            bytes.extend(pair.as_ref().unwrap_or(&tombstone).encode_to_vec());
        }
        crc32c::crc32c(&bytes)
    }

    /// What stays when removal has caught up (KV-25).
    pub fn settled(&self) -> Vec<&Change> {
        let mark = self.mark.unwrap_or(0);
        let in_force = self.in_force(mark);
        self.past.iter().filter(|change| change.0 >= mark || in_force.contains(change)).collect()
    }
}

fn taken(txn: &TxnRequest, succeeded: bool) -> &[RequestOp] {
    if succeeded { &txn.success } else { &txn.failure }
}

fn holds(compare: &Compare, kv: &KeyValue) -> bool {
    let union = compare.target_union.clone();
    let order = match (compare.target(), union) {
        (CompareTarget::Version, Some(TargetUnion::Version(n))) => kv.version.cmp(&n),
        (CompareTarget::Version, _) => kv.version.cmp(&0),
        (CompareTarget::Create, Some(TargetUnion::CreateRevision(n))) => kv.create_revision.cmp(&n),
        (CompareTarget::Create, _) => kv.create_revision.cmp(&0),
        (CompareTarget::Mod, Some(TargetUnion::ModRevision(n))) => kv.mod_revision.cmp(&n),
        (CompareTarget::Mod, _) => kv.mod_revision.cmp(&0),
        (CompareTarget::Value, Some(TargetUnion::Value(value))) => kv.value.cmp(&value),
        (CompareTarget::Value, _) => kv.value.cmp(&Bytes::new()),
        (CompareTarget::Lease, Some(TargetUnion::Lease(n))) => kv.lease.cmp(&n),
        (CompareTarget::Lease, _) => kv.lease.cmp(&0),
    };
    match compare.result() {
        CompareResult::Equal => order == Ordering::Equal,
        CompareResult::NotEqual => order != Ordering::Equal,
        CompareResult::Greater => order == Ordering::Greater,
        CompareResult::Less => order == Ordering::Less,
    }
}

/// Equal pairs stay in key order.
fn order(wish: &RangeRequest, a: &KeyValue, b: &KeyValue) -> Ordering {
    use quorate_core::api::etcdserverpb::range_request::SortTarget;
    let up = match wish.sort_target() {
        SortTarget::Key => a.key.cmp(&b.key),
        SortTarget::Version => a.version.cmp(&b.version),
        SortTarget::Create => a.create_revision.cmp(&b.create_revision),
        SortTarget::Mod => a.mod_revision.cmp(&b.mod_revision),
        SortTarget::Value => a.value.cmp(&b.value),
    };
    if wish.sort_order() == SortOrder::Descend { up.reverse() } else { up }
}

/// Whether a list changes a key twice, key by key (TX-8). The keys of puts are among `keys`.
pub fn repeats(list: &[RequestOp], keys: &[Bytes]) -> bool {
    let lists_of = |op: &RequestOp| match &op.request {
        Some(Op::RequestTxn(nested)) => vec![nested.success.clone(), nested.failure.clone()],
        _ => vec![],
    };
    let nested_repeat = list.iter().flat_map(lists_of).any(|list| repeats(&list, keys));
    let clash = |key: &Bytes| {
        let units: Vec<(bool, bool)> = list.iter().map(|op| touches(op, key)).collect();
        let puts = units.iter().filter(|unit| unit.0).count();
        let other_delete = |at: usize| units.iter().enumerate().any(|(n, it)| n != at && it.1);
        puts > 1 || units.iter().enumerate().any(|(n, unit)| unit.0 && other_delete(n))
    };
    nested_repeat || keys.iter().collect::<BTreeSet<_>>().into_iter().any(clash)
}

/// Whether an operation may put a key, and whether it may delete it.
fn touches(op: &RequestOp, key: &Bytes) -> (bool, bool) {
    match op.request.as_ref().unwrap() {
        Op::RequestRange(_) => (false, false),
        Op::RequestPut(put) => (put.key == *key, false),
        Op::RequestDeleteRange(delete) => {
            (false, KeyRange::new(&delete.key, &delete.range_end).contains(key))
        }
        Op::RequestTxn(nested) => {
            let all = nested.success.iter().chain(&nested.failure).map(|op| touches(op, key));
            all.fold((false, false), |a, b| (a.0 || b.0, a.1 || b.1))
        }
    }
}
