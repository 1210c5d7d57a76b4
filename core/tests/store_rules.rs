//! smoke
use quorate_core::api::etcdserverpb::{PutRequest, RangeRequest};
use quorate_core::raft::Entry;
use quorate_core::request::{self, MAX_REQUEST_BYTES, Request};
use quorate_core::store::{Step, Store};
use quorate_core::types::{Index, NodeId, RequestId, Term};

#[test]
fn smoke() {
    let mut store = Store::new();
    for n in 1..2000u64 {
        let id = RequestId { member: NodeId(1), boot: 1, n };
        let key = format!("key{}", n * 7919 % 1000);
        let put = PutRequest { key: key.into_bytes().into(), ..Default::default() };
        let Ok(Request::Propose(command)) = request::put(id, put, MAX_REQUEST_BYTES) else {
            panic!()
        };
        store.apply(&Entry { index: Index(n), term: Term(1), command });
    }
    let request =
        RangeRequest { key: vec![0].into(), range_end: vec![0].into(), ..Default::default() };
    let Ok(Step::Done(answer)) = store.range(&request, None, 10000) else { panic!() };
    assert_eq!(answer.count, 1000);
    assert_eq!(answer.kvs.len(), 1000);
    assert!(answer.kvs.is_sorted_by(|a, b| a.key < b.key));
}
