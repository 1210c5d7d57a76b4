//! Every refusal of a transaction and of a compaction, and the corners where etcd has its own mind.
#![allow(missing_docs, clippy::unwrap_used)]

mod store_support;

use bytes::Bytes;
use quorate_core::actors::{Answer, apply};
use quorate_core::api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use quorate_core::api::etcdserverpb::request_op::Request as Op;
use quorate_core::api::etcdserverpb::{
    CompactionRequest, Compare, PutRequest, RangeRequest, RequestOp, TxnRequest,
};
use quorate_core::api::wire::command::Action;
use quorate_core::api::{Refusal, Response};
use quorate_core::request::{MAX_TXN_DEPTH, MAX_TXN_OPS, TxnKind, check_txn, txn_kind};
use quorate_core::store::{Left, Store};
use store_support::{Node, delete, entry, one, put, span};

fn op(request: Op) -> RequestOp {
    RequestOp { request: Some(request) }
}

fn puts(key: &str) -> RequestOp {
    op(Op::RequestPut(put(key, "v")))
}

fn deletes(key: &str, end: &str) -> RequestOp {
    op(Op::RequestDeleteRange(delete(key, end)))
}

fn ranges(request: RangeRequest) -> RequestOp {
    op(Op::RequestRange(request))
}

fn then(success: Vec<RequestOp>) -> TxnRequest {
    TxnRequest { success, ..Default::default() }
}

fn nested(success: Vec<RequestOp>, failure: Vec<RequestOp>) -> RequestOp {
    op(Op::RequestTxn(TxnRequest { success, failure, ..Default::default() }))
}

fn compare(target: i32, result: i32, key: &str, union: Option<TargetUnion>) -> Compare {
    let key = Bytes::copy_from_slice(key.as_bytes());
    Compare { result, target, key, range_end: Bytes::new(), target_union: union }
}

#[test]
fn tx_8_a_key_changes_once_in_a_list() {
    let clash = Err(Refusal::DuplicateKey);
    let end = "\0";
    let cases = [
        (vec![puts("a"), puts("b")], Ok(())),
        (vec![puts("a"), puts("a")], clash),
        (vec![puts("a"), deletes("a", "")], clash),
        (vec![deletes("a", ""), puts("a")], clash),
        (vec![deletes("a", "c"), puts("b")], clash),
        (vec![deletes("a", "c"), puts("c")], Ok(())),
        (vec![deletes("c", "a"), puts("b")], Ok(())),
        (vec![deletes("a", ""), deletes("a", "c"), deletes("b", end)], Ok(())),
        // Both lists of a nested one count, with this list and with siblings, in any order.
        (vec![nested(vec![puts("a")], vec![puts("a")])], Ok(())),
        (vec![nested(vec![puts("a")], vec![deletes("a", "")])], Ok(())),
        (vec![nested(vec![puts("a")], vec![]), puts("a")], clash),
        (vec![puts("a"), nested(vec![], vec![puts("a")])], clash),
        (vec![puts("a"), nested(vec![], vec![deletes("a", "b")])], clash),
        (vec![deletes("a", "b"), nested(vec![], vec![puts("a")])], clash),
        (vec![nested(vec![puts("a")], vec![]), nested(vec![puts("a")], vec![])], clash),
        (vec![nested(vec![deletes("a", "")], vec![]), nested(vec![puts("a")], vec![])], clash),
        (vec![nested(vec![puts("a"), puts("a")], vec![])], clash),
        (vec![nested(vec![nested(vec![puts("a")], vec![])], vec![]), puts("a")], clash),
        // Departures: etcd lets these two through, and changes a key twice in one revision.
        (vec![nested(vec![puts("a")], vec![]), nested(vec![deletes("a", "")], vec![])], clash),
        (vec![deletes("a", end), puts("b")], clash),
    ];
    for (list, wanted) in cases {
        let of_failure = TxnRequest { failure: list.clone(), ..Default::default() };
        assert_eq!(check_txn(&of_failure), wanted, "{of_failure:?}");
        assert_eq!(check_txn(&then(list.clone())), wanted, "{list:?}");
    }
    // The two lists of one transaction may name the same key.
    let both = TxnRequest { success: vec![puts("a")], failure: vec![puts("a")], compare: vec![] };
    assert_eq!(check_txn(&both), Ok(()));
}

#[test]
fn tx_9_the_largest_list_counts_and_a_nested_one_has_the_rest() {
    let many = |n: usize| (0..n).map(|n| puts(&n.to_string())).collect::<Vec<_>>();
    let compares = |n: usize| vec![compare(0, 0, "a", None); n];
    let too_many = Err(Refusal::TooManyOps);
    assert_eq!(check_txn(&then(many(MAX_TXN_OPS))), Ok(()));
    assert_eq!(check_txn(&then(many(MAX_TXN_OPS + 1))), too_many);
    let compared = |n| TxnRequest { compare: compares(n), ..Default::default() };
    assert_eq!(check_txn(&compared(MAX_TXN_OPS)), Ok(()));
    assert_eq!(check_txn(&compared(MAX_TXN_OPS + 1)), too_many);
    let all = TxnRequest { compare: compares(128), failure: many(128), success: many(128) };
    assert_eq!(check_txn(&all), Ok(()), "the largest counts, not the sum");
    let inside = |inner: usize, compares_outside: usize| TxnRequest {
        compare: compares(compares_outside),
        success: vec![nested(many(inner), vec![])],
        failure: vec![],
    };
    assert_eq!(check_txn(&inside(127, 1)), Ok(()));
    assert_eq!(check_txn(&inside(128, 1)), too_many);
    assert_eq!(check_txn(&inside(118, 10)), Ok(()));
    assert_eq!(check_txn(&inside(119, 10)), too_many);
}

#[test]
fn tx_10_transactions_nest_as_deep_as_their_encoding_can_be_read() {
    let deep = |levels: usize| {
        let innermost = then(vec![puts("a")]);
        (0..levels).fold(innermost, |txn, _| then(vec![op(Op::RequestTxn(txn))]))
    };
    let mut node = Node::new();
    let answer = node.txn(deep(MAX_TXN_DEPTH)).unwrap();
    assert_eq!(answer.header.unwrap().revision, 2);
    assert_eq!(check_txn(&deep(MAX_TXN_DEPTH + 1)), Err(Refusal::TooManyOps));
}

#[test]
fn what_is_malformed_is_refused_before_it_is_proposed() {
    let keep = PutRequest { ignore_value: true, ..put("a", "v") };
    let lease = PutRequest { ignore_lease: true, lease: 1, ..put("a", "") };
    let unsorted = RangeRequest { sort_target: 9, ..one("a") };
    let cases = [
        (puts(""), Refusal::EmptyKey),
        (deletes("", "b"), Refusal::EmptyKey),
        (ranges(one("")), Refusal::EmptyKey),
        (op(Op::RequestPut(keep)), Refusal::ValueProvided),
        (op(Op::RequestPut(lease)), Refusal::LeaseProvided),
        (ranges(unsorted), Refusal::InvalidSortOption),
        (RequestOp { request: None }, Refusal::KeyNotFound),
    ];
    for (operation, refusal) in cases {
        for txn in [
            then(vec![operation.clone()]),
            TxnRequest { failure: vec![operation.clone()], ..Default::default() },
            then(vec![nested(vec![], vec![operation.clone()])]),
        ] {
            assert_eq!(check_txn(&txn), Err(refusal), "{txn:?}");
        }
    }
    // The number of operations comes first, then compares, then operations, then duplicates.
    let empty = compare(0, 0, "", None);
    let wrong = TxnRequest { compare: vec![empty.clone()], ..then(vec![puts("a"), puts("a")]) };
    assert_eq!(check_txn(&wrong), Err(Refusal::EmptyKey));
    let wrong = TxnRequest { compare: vec![empty; 200], ..Default::default() };
    assert_eq!(check_txn(&wrong), Err(Refusal::TooManyOps));
    let wrong = then(vec![puts("a"), puts("a"), RequestOp { request: None }]);
    assert_eq!(check_txn(&wrong), Err(Refusal::KeyNotFound));
}

#[test]
fn tx_11_a_refused_transaction_changes_nothing() {
    let mut node = Node::new();
    for value in ["1", "2", "3"] {
        node.put("a", value);
    }
    node.compact(3).unwrap();
    let at = |revision: i64| ranges(RangeRequest { revision, ..one("a") });
    let keep = op(Op::RequestPut(PutRequest { ignore_value: true, ..put("none", "") }));
    let leased = op(Op::RequestPut(PutRequest { lease: 7, ..put("x", "") }));
    let both = PutRequest { ignore_value: true, lease: 7, ..put("none", "") };
    let cases = [
        (vec![puts("b"), keep.clone()], Refusal::KeyNotFound),
        (vec![puts("b"), leased.clone()], Refusal::LeaseNotFound),
        (vec![puts("b"), at(2)], Refusal::Compacted),
        (vec![puts("b"), at(-1)], Refusal::Compacted),
        (vec![puts("b"), at(5)], Refusal::FutureRevision),
        (vec![puts("b"), nested(vec![puts("c"), at(5)], vec![])], Refusal::FutureRevision),
        // The first operation that is refused decides.
        (vec![puts("b"), at(5), leased.clone()], Refusal::FutureRevision),
        (vec![puts("b"), leased, at(5)], Refusal::LeaseNotFound),
        (vec![op(Op::RequestPut(both))], Refusal::KeyNotFound),
    ];
    for (list, refusal) in cases {
        let applied = node.run(Action::Txn(then(list.clone())));
        assert_eq!(applied.reply.unwrap().1, Err(refusal), "{list:?}");
        assert!(applied.rows.is_empty() && applied.events.is_empty(), "{list:?}");
        assert_eq!((node.store.revision(), node.store.keys()), (4, 1));
    }
    // At the mark, and in the list that is not taken, nothing is wrong.
    assert!(node.txn(then(vec![puts("b"), at(3), at(4), at(0)])).is_ok());
    let never = vec![compare(CompareTarget::Version as i32, 1, "a", Some(TargetUnion::Version(9)))];
    let txn = TxnRequest { compare: never, success: vec![at(99)], failure: vec![puts("c")] };
    assert!(!node.txn(txn).unwrap().succeeded);
}

#[test]
fn tx_5_and_6_what_is_missing_compares_as_zero_and_a_missing_value_never() {
    let mut node = Node::new();
    node.put("a", "");
    let (greater, not_equal) = (CompareResult::Greater as i32, CompareResult::NotEqual as i32);
    let value = CompareTarget::Value as i32;
    let results = [0, greater, CompareResult::Less as i32, not_equal];
    let mut holds = |compare: Compare| {
        let txn = TxnRequest { compare: vec![compare], ..Default::default() };
        let read = store_support::read_txn(&node.store, &txn, 1).unwrap().succeeded;
        let written = TxnRequest { failure: vec![nested(vec![], vec![])], ..txn };
        assert_eq!(node.txn(written).unwrap().succeeded, read, "in the log as beside it");
        read
    };
    for result in results {
        assert!(!holds(compare(value, result, "none", None)), "a value that is not there");
        let equal = result == 0;
        for target in [0, 1, 2, CompareTarget::Lease as i32] {
            assert_eq!(holds(compare(target, result, "none", None)), equal, "{target}");
        }
        assert_eq!(holds(compare(value, result, "a", None)), equal, "wants the empty value");
    }
    // A value for another target counts as none; unknown numbers as etcd takes them.
    assert!(holds(compare(0, greater, "a", Some(TargetUnion::Value("9".into())))));
    assert!(holds(compare(9, 0, "a", None)) && !holds(compare(9, greater, "a", None)));
    assert!(holds(compare(0, 9, "a", Some(TargetUnion::Version(77)))));
    // TX-7: every key of the range; none at all is like one that is missing.
    let range = |key: &str, end: &str, result| {
        let range_end = Bytes::copy_from_slice(end.as_bytes());
        Compare { range_end, ..compare(0, result, key, Some(TargetUnion::Version(1))) }
    };
    assert!(holds(range("a", "b", 0)) && !holds(range("b", "a", 0)));
    assert!(holds(range("b", "a", not_equal)));
}

#[test]
fn kv_23_what_only_reads_needs_no_log() {
    let serializable = RangeRequest { serializable: true, ..span("a", "b") };
    let (linear, local) = (ranges(one("a")), ranges(serializable));
    assert_eq!(txn_kind(&TxnRequest::default()), TxnKind::SerializableRead);
    assert_eq!(txn_kind(&then(vec![local.clone()])), TxnKind::SerializableRead);
    assert_eq!(txn_kind(&then(vec![local.clone(), linear])), TxnKind::LinearizableRead);
    assert_eq!(txn_kind(&then(vec![nested(vec![local.clone()], vec![])])), TxnKind::Write);
    let either = TxnRequest { failure: vec![puts("a")], ..then(vec![local]) };
    assert_eq!(txn_kind(&either), TxnKind::Write);
}

#[test]
fn kv_27_the_mark_of_a_new_store_is_none() {
    let mut node = Node::new();
    node.put("a", "1");
    assert_eq!(node.compact(-1), Err(Refusal::Compacted));
    assert_eq!(node.compact(3), Err(Refusal::FutureRevision));
    assert!(node.compact(0).is_ok());
    assert_eq!(node.compact(0), Err(Refusal::Compacted));
    assert!(node.compact(2).is_ok());
    assert_eq!(node.compact(2), Err(Refusal::Compacted));
    assert_eq!(node.sweep(10), Left::Nothing);
    assert!(node.get("a").is_some());
}

/// Whoever asks for a physical compaction is told when a synced batch says that it is done.
#[test]
fn kv_26_a_physical_compaction_is_answered_when_removal_is_durable() {
    let mut store = Store::new();
    let compaction = |revision| CompactionRequest { revision, physical: true };
    let actions = [
        Action::Put(put("a", "1")),
        Action::Put(put("a", "2")),
        Action::Compact(compaction(3)),
        Action::Compact(compaction(3)),
        Action::Compact(compaction(9)),
    ];
    let entries: Vec<_> = (1..).zip(actions).map(|(n, action)| entry(n, Some(action))).collect();
    let mut effects = apply(&mut store, &entries);
    let answered = effects.answers.iter().map(|(id, _)| id.n).collect::<Vec<_>>();
    assert_eq!(answered, [1, 2, 5], "what cannot be is said at once");
    assert!(!effects.held.would_release(store.removed()));
    assert_eq!(store.sweep(100).left, Left::Nothing);
    assert!(effects.held.would_release(store.removed()) && effects.held.release().is_empty());
    effects.held.synced(store.removed());
    let told = effects.held.release();
    assert!(matches!(&told[0].1, Answer::Applied(Ok(Response::Compact(_)))));
    assert_eq!(told[1].1, Answer::Applied(Err(Refusal::Compacted)));
    assert!(effects.held.is_empty());
}

#[cfg(planted)]
mod planted {
    use quorate_core::planted::Bug;
    use quorate_core::store::{HashStep, Loader};
    use quorate_core::types::NodeId;

    use super::*;

    fn with(bug: Bug, actions: Vec<Action>) -> Store {
        let mut store = Store::with_planted(Some(bug), NodeId(1));
        for (n, action) in (1..).zip(actions) {
            store.apply(&entry(n, Some(action)));
        }
        store
    }

    fn compact(revision: i64) -> Action {
        Action::Compact(CompactionRequest { revision, physical: false })
    }

    #[test]
    fn a_tombstone_at_the_mark_is_missed() {
        let past =
            vec![Action::Put(put("a", "")), Action::DeleteRange(delete("a", "")), compact(3)];
        let mut store = with(Bug::TombstoneAtMarkRemoved, past);
        assert_eq!(store.events(3, 3, 9).unwrap().changes.len(), 1);
        while store.sweep(9).left == Left::More {}
        assert_eq!(store.events(3, 3, 9).unwrap().changes.len(), 0);
    }

    #[test]
    fn a_refused_transaction_leaves_a_trace() {
        let late = ranges(RangeRequest { revision: 99, ..one("a") });
        let txn = Action::Txn(then(vec![puts("a"), late]));
        assert_eq!(with(Bug::TxnCheckedAsItGoes, vec![txn]).keys(), 1);
    }

    #[test]
    fn progress_decides_on_a_range_below_the_mark() {
        let read = ranges(RangeRequest { revision: 2, ..one("a") });
        let txn = Action::Txn(then(vec![puts("b"), read]));
        let past = vec![Action::Put(put("a", "1")), Action::Put(put("a", "2")), compact(3)];
        let mut one = with(Bug::CompactedByProgress, past);
        let mut other = one.clone();
        while other.sweep(9).left == Left::More {}
        for store in [&mut one, &mut other] {
            store.apply(&entry(4, Some(txn.clone())));
        }
        assert_ne!(one.state_hash(), other.state_hash());
    }

    #[test]
    fn members_hash_what_they_have_not_removed_yet() {
        let past = vec![Action::Put(put("a", "1")), Action::Put(put("a", "2")), compact(3)];
        let one = with(Bug::HashCountsRemoved, past);
        let mut other = one.clone();
        while other.sweep(9).left == Left::More {}
        let hash = |store: &Store| match store.hash_kv(3, None, 9) {
            Ok(HashStep::Done(hash)) => hash.hash,
            step => panic!("one step is enough: {step:?}"),
        };
        assert_ne!(hash(&one), hash(&other));
    }

    fn restarted(node: &mut Node, bug: Bug) -> Store {
        node.flush();
        let mut loader = Loader::with_planted(Some(bug), NodeId(1));
        node.disk.iter().for_each(|(key, value)| loader.row(key, value).unwrap());
        loader.finish().unwrap()
    }

    #[test]
    fn a_restart_counts_from_the_newest_record() {
        let mut node = Node::new();
        node.store = Store::with_planted(Some(Bug::RevisionFromRecords), NodeId(1));
        node.put("a", "");
        node.delete("a", "");
        node.compact(3).unwrap();
        while node.sweep(9) == Left::More {}
        assert!(restarted(&mut node, Bug::RevisionFromRecords).revision() < 3);
    }

    #[test]
    fn a_restart_brings_deleted_keys_back() {
        let mut node = Node::new();
        node.put("a", "");
        node.delete("a", "");
        assert_eq!(restarted(&mut node, Bug::GenerationsMixed).keys(), 1);
    }

    #[test]
    fn a_restart_forgets_a_compaction() {
        let mut node = Node::new();
        node.store = Store::with_planted(Some(Bug::CompactionForgotten), NodeId(1));
        node.put("a", "");
        node.compact(2).unwrap();
        assert_eq!(restarted(&mut node, Bug::CompactionForgotten).compact_revision(), 0);
    }
}
