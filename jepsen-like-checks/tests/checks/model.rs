//! The specification against a naive one: a list of whole states, copied at each write.

use std::collections::BTreeMap;

use quorate_checks::history::{
    ByteString, DeleteRangeRequest, DeleteRangeResponse, KeyValue, PutRequest, PutResponse,
    RangeRequest, RangeResponse, Request, Response, Revision,
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
