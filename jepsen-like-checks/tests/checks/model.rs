//! The specification against a naive one: a list of whole states, copied at each write.

use std::collections::BTreeMap;

use quorate_checks::history::{
    ByteString, CompactRequest, Compare, Comparison, DeleteRangeRequest, DeleteRangeResponse,
    KeyValue, Lease, PutRequest, PutResponse, RangeRequest, RangeResponse, Request, Response,
    Revision, Target, TxnOperation, TxnRequest, TxnResult,
};
use quorate_checks::model::kv::{Refused, State};

use crate::generate::Rng;

type Pairs = BTreeMap<Vec<u8>, KeyValue>;

/// The state of each revision from 1.
struct Naive(Vec<Pairs>);

impl Naive {
    fn revision(&self) -> i64 {
        self.0.len() as i64
    }

    fn newest(&self) -> Pairs {
        self.0.last().cloned().unwrap_or_default()
    }

    fn step(&mut self, request: &Request) -> Result<Response, Refused> {
        if request.keys().is_some_and(|keys| keys.first().is_empty()) {
            return Err(Refused::EmptyKey);
        }
        match request {
            Request::Put(put) => Ok(Response::Put(self.put(put))),
            Request::Range(range) => self.range(range).map(Response::Range),
            Request::DeleteRange(delete) => Ok(Response::DeleteRange(self.delete(delete))),
            other => panic!("not in this test: {other}"),
        }
    }

    fn put(&mut self, put: &PutRequest) -> PutResponse {
        let revision = Revision(self.revision() + 1);
        let mut pairs = self.newest();
        let before = pairs.get(&put.key[..]).cloned();
        let after = KeyValue {
            key: put.key.clone(),
            value: put.value.clone(),
            create_revision: before.as_ref().map_or(revision, |pair| pair.create_revision),
            mod_revision: revision,
            version: before.as_ref().map_or(1, |pair| pair.version + 1),
            lease: put.lease,
        };
        pairs.insert(put.key.to_vec(), after);
        self.0.push(pairs);
        PutResponse { revision, prev_kv: before.filter(|_| put.prev_kv) }
    }

    fn range(&self, range: &RangeRequest) -> Result<RangeResponse, Refused> {
        let at = range.revision.map_or(self.revision(), |revision| revision.0);
        let Some(pairs) = self.0.get(at as usize - 1) else {
            return Err(Refused::FutureRevision);
        };
        let mut kvs: Vec<KeyValue> = pairs
            .values()
            .filter(|pair| inside(&range.key, &range.range_end, pair))
            .cloned()
            .collect();
        let count = kvs.len();
        let most = range.limit.map_or(count, |limit| limit.get() as usize);
        kvs.truncate(if range.count_only { 0 } else { most });
        if range.keys_only {
            kvs.iter_mut().for_each(|pair| pair.value = ByteString::default());
        }
        let more = !range.count_only && kvs.len() < count;
        let revision = Revision(self.revision());
        Ok(RangeResponse { revision, kvs, more, count: count as i64 })
    }

    fn delete(&mut self, delete: &DeleteRangeRequest) -> DeleteRangeResponse {
        let (gone, kept): (Pairs, Pairs) = self
            .newest()
            .into_iter()
            .partition(|(_, pair)| inside(&delete.key, &delete.range_end, pair));
        let deleted = gone.len() as i64;
        if deleted > 0 {
            self.0.push(kept);
        }
        let prev_kvs = if delete.prev_kv { gone.into_values().collect() } else { vec![] };
        DeleteRangeResponse { revision: Revision(self.revision()), deleted, prev_kvs }
    }
}

/// The convention of the wire, written down once more.
fn inside(key: &[u8], end: &[u8], pair: &KeyValue) -> bool {
    let it: &[u8] = &pair.key;
    match end {
        [] => it == key,
        [0] => it >= key,
        _ => key <= it && it < end,
    }
}

/// Short keys out of few bytes, so that they meet, and now and then an empty one.
fn bytes(rng: &mut Rng) -> ByteString {
    let length = if rng.chance(20) { 0 } else { 1 + rng.below(2) };
    let bytes: Vec<u8> =
        (0..length).map(|_| [0, b'a', b'b', 0xff][rng.below(4) as usize]).collect();
    ByteString::from(bytes)
}

fn request(rng: &mut Rng) -> Request {
    let key = bytes(rng);
    let range_end = if rng.chance(500) { ByteString::default() } else { bytes(rng) };
    match rng.below(5) {
        0 | 1 => {
            let value = ByteString::from(format!("{}", rng.below(100)));
            let prev_kv = rng.chance(500);
            Request::Put(PutRequest { key, value, prev_kv, ..PutRequest::default() })
        }
        2 => Request::DeleteRange(DeleteRangeRequest { key, range_end, prev_kv: rng.chance(500) }),
        _ => Request::Range(RangeRequest {
            key,
            range_end,
            limit: std::num::NonZeroU64::new(rng.below(5)),
            revision: rng.chance(300).then(|| Revision(1 + rng.signed(60))),
            serializable: false,
            count_only: rng.chance(100),
            keys_only: rng.chance(100),
            ..RangeRequest::default()
        }),
    }
}

#[test]
fn the_specification_answers_like_the_naive_one() {
    for seed in 0..300 {
        let mut rng = Rng(seed);
        let mut naive = Naive(vec![Pairs::new()]);
        let mut state = State::new();
        for _ in 0..100 {
            let request = request(&mut rng);
            let expected = naive.step(&request);
            let before = state.clone();
            let told = state.step(&request).map(|(after, told)| {
                state = after;
                told
            });
            assert_eq!(told, expected, "seed {seed}: {request:?}");
            assert_eq!(state.revision(), Revision(naive.revision()), "S1");
            assert_eq!(state.digest() == before.digest(), state.revision() == before.revision());
        }
    }
}

fn read_as_of(
    state: &State,
    member: Revision,
    range: &RangeRequest,
) -> Result<RangeResponse, Refused> {
    let told = state.read_as_of(member, &Request::Range(range.clone())).expect("a read");
    told.map(|told| match told {
        Response::Range(told) => told,
        other => panic!("not to a range: {other:?}"),
    })
}

#[test]
fn the_timeline_of_the_header() {
    let put = |key: &str, value: &str| {
        Request::Put(PutRequest { key: key.into(), value: value.into(), ..Default::default() })
    };
    let delete = Request::DeleteRange(DeleteRangeRequest { key: "a".into(), ..Default::default() });
    let mut state = State::new();
    for request in [put("a", "1"), put("a", "2"), delete, put("b", "3"), put("a", "4")] {
        state = state.step(&request).unwrap().0;
    }
    let numbers = |key: &str, at| {
        let request = RangeRequest {
            key: key.into(),
            revision: Some(Revision(at)),
            ..RangeRequest::default()
        };
        let told = read_as_of(&state, state.revision(), &request).unwrap();
        told.kvs.first().map(|pair| (pair.create_revision.0, pair.mod_revision.0, pair.version))
    };
    let a = [None, Some((2, 2, 1)), Some((2, 3, 2)), None, None, Some((6, 6, 1))];
    let b = [None, None, None, None, Some((5, 5, 1)), Some((5, 5, 1))];
    for (at, (a, b)) in (1..).zip(a.into_iter().zip(b)) {
        assert_eq!((numbers("a", at), numbers("b", at)), (a, b), "revision {at}");
    }
}

#[test]
fn a_stale_member_answers_from_its_own_revision() {
    let put = |value: &str| {
        Request::Put(PutRequest { key: "a".into(), value: value.into(), ..Default::default() })
    };
    let state = State::new().step(&put("1")).unwrap().0.step(&put("2")).unwrap().0;
    let get = RangeRequest { key: "a".into(), ..RangeRequest::default() };
    let told = read_as_of(&state, Revision(2), &get).unwrap();
    assert_eq!((told.revision, &told.kvs[0].value[..]), (Revision(2), &b"1"[..]));
    let ahead = RangeRequest { revision: Some(Revision(3)), ..get };
    assert_eq!(read_as_of(&state, Revision(2), &ahead), Err(Refused::FutureRevision));
}

fn step(state: &State, request: &Request) -> (State, Response) {
    state.step(request).unwrap_or_else(|refused| panic!("{request}: {refused}"))
}

fn put(key: &str, value: &str) -> PutRequest {
    PutRequest { key: key.into(), value: value.into(), ..PutRequest::default() }
}

fn get(key: &str) -> RangeRequest {
    RangeRequest { key: key.into(), ..RangeRequest::default() }
}

fn compare(key: &str, end: &str, result: Comparison, target: Target) -> Compare {
    Compare { key: key.into(), range_end: end.into(), result, target }
}

/// Whether a compare holds in a state with a = 1 (twice put, with lease 7) and b = 2.
fn held(compare: Compare) -> bool {
    let seven = crate::generate::lease(7);
    let state = State::new().granted(seven, 5).expect("the first of its kind");
    let (state, _) = step(&state, &Request::Put(put("a", "0")));
    let leased = PutRequest { lease: Lease::new(7), ..put("a", "1") };
    let (state, _) = step(&state, &Request::Put(leased));
    let (state, _) = step(&state, &Request::Put(put("b", "2")));
    let txn = TxnRequest { compare: vec![compare], ..TxnRequest::default() };
    match step(&state, &Request::Txn(txn)).1 {
        Response::Txn(told) => told.succeeded,
        other => panic!("{other:?}"),
    }
}

#[test]
fn compares_look_at_pairs_and_at_missing_ones() {
    use Comparison::{Equal, Greater, Less, NotEqual};
    for (key, end, result, target, holds) in [
        ("a", "", Equal, Target::Version(2), true),
        ("a", "", Equal, Target::CreateRevision(Revision(2)), true),
        ("a", "", Greater, Target::ModRevision(Revision(2)), true),
        ("a", "", Equal, Target::Lease(7), true),
        ("a", "", Less, Target::Value("2".into()), true),
        ("b", "", Equal, Target::Lease(0), true),
        // A missing pair counts as zeros, but has no value (TX-5).
        ("c", "", Equal, Target::Version(0), true),
        ("c", "", NotEqual, Target::ModRevision(Revision(1)), true),
        ("c", "", Equal, Target::Value("".into()), false),
        ("c", "", NotEqual, Target::Value("x".into()), false),
        // All keys of a range; an empty range like one missing key (TX-7).
        ("a", "c", Greater, Target::Version(0), true),
        ("a", "c", Equal, Target::Version(2), false),
        ("x", "z", Equal, Target::CreateRevision(Revision(0)), true),
        ("x", "z", Less, Target::Value("x".into()), false),
    ] {
        let compare = compare(key, end, result, target);
        assert_eq!(held(compare.clone()), holds, "{compare:?}");
    }
}

#[test]
fn a_transaction_reads_its_own_writes_and_has_one_revision() {
    let (state, _) = step(&State::new(), &Request::Put(put("a", "0")));
    let nested = TxnRequest {
        // On the state before all of it, though a is put again before this is reached (TX-2).
        compare: vec![compare("a", "", Comparison::Equal, Target::Version(1))],
        success: vec![TxnOperation::Put(put("b", "2"))],
        failure: vec![],
    };
    let old = RangeRequest { revision: Some(Revision(2)), ..get("a") };
    let txn = TxnRequest {
        compare: vec![],
        success: vec![
            TxnOperation::Range(get("a")),
            TxnOperation::Put(put("a", "1")),
            TxnOperation::Range(get("a")),
            TxnOperation::Range(old),
            TxnOperation::Txn(nested),
        ],
        failure: vec![],
    };
    let (after, told) = step(&state, &Request::Txn(txn));
    let Response::Txn(told) = told else { panic!("{told:?}") };
    assert_eq!((told.revision, after.revision()), (Revision(3), Revision(3)));
    let range = |at: usize| match &told.responses[at] {
        TxnResult::Range(range) => (range.revision.0, range.kvs[0].value.to_vec()),
        other => panic!("{other:?}"),
    };
    assert_eq!(range(0), (2, b"0".to_vec()));
    assert_eq!(range(2), (3, b"1".to_vec()));
    assert_eq!(range(3), (3, b"0".to_vec()));
    assert!(matches!(&told.responses[4], TxnResult::Txn(nested) if nested.succeeded));
    let keys: Vec<_> = after.events().iter().map(|event| event.kv.key.to_vec()).collect();
    assert_eq!(keys, [b"a", b"b"]);
}

#[test]
fn a_transaction_is_refused_as_a_whole() {
    let wrong = |success, failure| {
        let txn = Request::Txn(TxnRequest { compare: vec![], success, failure });
        State::new().step(&txn).map(|_| ()).unwrap_err()
    };
    let put = |key: &str| TxnOperation::Put(put(key, "x"));
    let delete = |key: &str| {
        TxnOperation::DeleteRange(DeleteRangeRequest { key: key.into(), ..Default::default() })
    };
    let nest =
        |success, failure| TxnOperation::Txn(TxnRequest { compare: vec![], success, failure });
    let twice = Refused::DuplicateKey;
    assert_eq!(wrong(vec![put("a"), put("a")], vec![]), twice);
    assert_eq!(wrong(vec![put("a"), delete("a")], vec![]), twice);
    assert_eq!(wrong(vec![], vec![delete("a"), put("a")]), twice);
    assert_eq!(wrong(vec![put("a"), nest(vec![], vec![put("a")])], vec![]), twice);
    assert_eq!(wrong(vec![put("a"), put("")], vec![]), Refused::EmptyKey);
    let fine = TxnRequest {
        compare: vec![],
        success: vec![put("a"), nest(vec![put("b")], vec![put("b")])],
        failure: vec![put("a"), delete("b"), delete("b")],
    };
    assert_eq!(step(&State::new(), &Request::Txn(fine)).0.revision(), Revision(2));
    let ahead = RangeRequest { revision: Some(Revision(2)), ..get("a") };
    assert_eq!(wrong(vec![put("a"), TxnOperation::Range(ahead)], vec![]), Refused::FutureRevision);
    let leased = PutRequest { lease: Lease::new(7), ..self::put("b", "x") };
    assert_eq!(wrong(vec![put("a"), TxnOperation::Put(leased)], vec![]), Refused::LeaseNotFound);
    let kept = PutRequest { ignore_value: true, ..self::put("b", "") };
    assert_eq!(wrong(vec![put("a"), TxnOperation::Put(kept)], vec![]), Refused::KeyNotFound);
}

#[test]
fn compaction_gives_up_the_past_below_its_mark() {
    let compact = |state: &State, mark: i64| {
        let request = CompactRequest { revision: Revision(mark), physical: false };
        state.step(&Request::Compact(request)).map(|(after, _)| after)
    };
    let empty = State::new();
    // Once, and then it is done (KV-27).
    let zero = compact(&empty, 0).unwrap();
    assert_eq!(compact(&zero, 0).unwrap_err(), Refused::Compacted);
    assert_eq!(compact(&empty, -1).unwrap_err(), Refused::Compacted);
    assert_eq!(compact(&empty, 2).unwrap_err(), Refused::FutureRevision);
    let state = ["1", "2", "3"]
        .iter()
        .fold(empty, |state, value| step(&state, &Request::Put(put("a", value))).0);
    let state = compact(&state, 3).unwrap();
    assert_eq!((state.mark(), state.revision()), (Some(Revision(3)), Revision(4)));
    let at = |revision| RangeRequest { revision: Some(Revision(revision)), ..get("a") };
    let read = |revision| state.step(&Request::Range(at(revision))).map(|_| ());
    assert_eq!(read(2), Err(Refused::Compacted));
    assert_eq!((read(3), read(4)), (Ok(()), Ok(())));
    // A member that has not come so far may still show it.
    assert!(read_as_of(&state, Revision(4), &at(2)).is_ok());
    let (state, _) = step(&state, &Request::Put(put("a", "4")));
    assert_eq!(read_as_of(&state, Revision(5), &at(2)), Err(Refused::Compacted));
}

#[test]
fn a_lease_takes_its_keys_with_it_in_key_order() {
    let seven = Lease::new(7).unwrap();
    let state = State::new().granted(seven, 5).unwrap();
    let state = ["c", "a", "b"].iter().fold(state, |state, key| {
        let put = PutRequest { lease: Some(seven), ..put(key, "x") };
        step(&state, &Request::Put(put)).0
    });
    // Put again without it, a key is not attached any more (KV-18); kept, it is.
    let (state, _) = step(&state, &Request::Put(put("b", "y")));
    let keep = PutRequest { ignore_lease: true, ..put("c", "z") };
    let (state, _) = step(&state, &Request::Put(keep));
    assert_eq!(state.attached(seven), ["a".into(), "c".into()]);
    let after = state.end_lease(seven).unwrap();
    assert_eq!(after.revision(), Revision(7));
    let gone: Vec<_> = after.events().iter().map(|event| event.kv.key.to_vec()).collect();
    assert_eq!(gone, [b"a", b"c"]);
    assert!(after.end_lease(seven).is_none() && !after.is_alive(seven));
    // Without keys it ends without a revision.
    let bare = State::new().granted(seven, 5).unwrap().end_lease(seven).unwrap();
    assert_eq!(bare.revision(), Revision(1));
    assert_eq!(bare.digest(), State::new().digest());
}
