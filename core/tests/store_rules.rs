//! The rules of the key space, one test for each, named as `reference/semantics.md` numbers them.
#![allow(missing_docs, clippy::unwrap_used)]

mod store_support;

use bytes::Bytes;
use prost::Message;
use quorate_core::api::etcdserverpb::range_request::{SortOrder, SortTarget};
use quorate_core::api::etcdserverpb::{DeleteRangeRequest, PutRequest, RangeRequest};
use quorate_core::api::wire::command::Action;
use quorate_core::api::{Refusal, Response};
use quorate_core::store::{Step, Store};
use quorate_core::types::{Index, LogId, Term};
use store_support::{
    Node, all, asker, configuration, delete, entry, keys, one, publish, put, read, span,
};

fn with(pairs: &[(&str, &str)]) -> Node {
    let mut node = Node::new();
    for (key, value) in pairs {
        node.put(key, value);
    }
    node
}

fn at(revision: i64, request: RangeRequest) -> RangeRequest {
    RangeRequest { revision, ..request }
}

fn sorted(target: SortTarget, order: SortOrder) -> RangeRequest {
    RangeRequest { sort_target: target.into(), sort_order: order.into(), ..all() }
}

#[test]
fn kv_1_a_store_begins_at_revision_1_and_the_first_write_gets_2() {
    let mut node = Node::new();
    assert_eq!(node.store.revision(), 1);
    assert_eq!(node.range(&all()).header.unwrap().revision, 1);
    assert_eq!(node.put("a", "1"), 2);
}

#[test]
fn kv_2_main_grows_by_one_per_transaction_whatever_it_changes() {
    let mut node = with(&[("a", "1"), ("b", "1"), ("c", "1")]);
    assert_eq!(node.store.revision(), 4);
    assert_eq!(node.delete("a", "c").header.unwrap().revision, 5, "two keys, one revision");
    assert_eq!(node.put("a", "2"), 6);
}

#[test]
fn kv_3_what_changes_nothing_does_not_raise_the_revision() {
    let mut node = with(&[("a", "1")]);
    let applied = node.run(Action::DeleteRange(delete("x", "")));
    assert!(applied.rows.is_empty());
    let Some((_, Ok(Response::DeleteRange(response)))) = applied.reply else { panic!() };
    assert_eq!((response.deleted, response.header.unwrap().revision), (0, 2));
    assert_eq!(node.put("a", "2"), 3);
}

#[test]
fn kv_4_a_pair_tells_creation_last_change_version_and_lease() {
    let mut node = with(&[("a", "1"), ("b", "1"), ("a", "2"), ("a", "3")]);
    let a = node.get("a").unwrap();
    assert_eq!((a.create_revision, a.mod_revision, a.version, a.lease), (2, 5, 3, 0));
    node.put("c", "");
    let c = node.get("c").unwrap();
    assert_eq!((c.create_revision, c.mod_revision, c.version, c.value.len()), (6, 6, 1, 0));
}

#[test]
fn kv_5_a_delete_ends_a_life_and_the_next_put_begins_another() {
    let mut node = with(&[("a", "1"), ("a", "2")]);
    node.delete("a", "");
    assert_eq!(node.get("a"), None);
    node.put("a", "3");
    let a = node.get("a").unwrap();
    assert_eq!((a.create_revision, a.mod_revision, a.version), (5, 5, 1));
    let versions = [(2, Some(1)), (3, Some(2)), (4, None), (5, Some(1))];
    for (revision, version) in versions {
        let then = node.range(&at(revision, one("a"))).kvs.pop();
        assert_eq!(then.map(|kv| kv.version), version, "at {revision}");
    }
    assert_eq!(node.delete("a", "").deleted, 1);
    assert_eq!(node.delete("a", "").deleted, 0, "it writes nothing a second time");
    assert_eq!(node.store.revision(), 6);
}

#[test]
fn kv_7_keys_are_ordered_as_unsigned_bytes_and_never_empty() {
    let mut node = Node::new();
    for key in [&[0xff][..], &[0x80, 0], &[0x7f, 0xff], &[0], &[0, 0], &[0x80]] {
        node.try_put(PutRequest { key: Bytes::copy_from_slice(key), ..Default::default() })
            .unwrap();
    }
    let found: Vec<Vec<u8>> = node.range(&all()).kvs.iter().map(|kv| kv.key.to_vec()).collect();
    let wanted: [&[u8]; 6] = [&[0], &[0, 0], &[0x7f, 0xff], &[0x80], &[0x80, 0], &[0xff]];
    assert_eq!(found, wanted);
    assert_eq!(read(&node.store, &one("")).unwrap_err(), Refusal::EmptyKey);
}

#[test]
fn kv_8_a_range_is_one_key_an_interval_or_everything_from_a_key_on() {
    let mut node = with(&[("a", ""), ("b", ""), ("ba", ""), ("c", ""), ("d", "")]);
    let cases = [
        ("b", "", vec!["b"]),
        ("bb", "", vec![]),
        ("b", "d", vec!["b", "ba", "c"]),
        ("b", "b", vec![]),
        ("d", "a", vec![]),
        ("b", "\0", vec!["b", "ba", "c", "d"]),
        ("\0", "\0", vec!["a", "b", "ba", "c", "d"]),
        ("e", "\0", vec![]),
    ];
    for (key, end, wanted) in cases {
        let response = node.range(&span(key, end));
        assert_eq!(keys(&response), wanted, "[{key}, {end})");
        assert_eq!(response.count, wanted.len() as i64, "[{key}, {end})");
    }
    assert_eq!(node.delete("d", "a").deleted, 0);
    assert_eq!(node.delete("b", "c").deleted, 2);
    assert_eq!(node.delete("\0", "\0").deleted, 3);
}

#[test]
fn kv_10_the_past_is_readable_and_the_future_is_refused() {
    let node = with(&[("a", "1"), ("a", "2")]);
    for present in [0, -1, i64::MIN, 3] {
        let now = node.range(&at(present, one("a"))).kvs.pop().unwrap();
        assert_eq!(now.value, "2", "at {present}");
    }
    assert_eq!(node.range(&at(2, one("a"))).kvs[0].value, "1");
    assert_eq!(node.range(&at(1, one("a"))).count, 0);
    for future in [4, i64::MAX] {
        assert_eq!(read(&node.store, &at(future, one("a"))), Err(Refusal::FutureRevision));
        assert_eq!(read(&node.store, &at(future, span("b", "a"))), Err(Refusal::FutureRevision));
    }
}

#[test]
fn kv_11_the_header_shows_the_current_revision_never_the_requested_one() {
    let node = with(&[("a", "1"), ("a", "2"), ("b", "1")]);
    for revision in [0, 2, 3, 4] {
        assert_eq!(node.range(&at(revision, one("a"))).header.unwrap().revision, 4);
    }
}

#[test]
fn kv_12_limit_cuts_more_tells_and_count_ignores_both() {
    let node = with(&[("a", ""), ("b", ""), ("c", "")]);
    let cases = [(0, 3, false), (-5, 3, false), (1, 1, true), (2, 2, true), (3, 3, false)];
    for (limit, wanted, more) in cases.into_iter().chain([(i64::MAX, 3, false)]) {
        let response = node.range(&RangeRequest { limit, ..all() });
        let seen = (response.kvs.len(), response.more, response.count);
        assert_eq!(seen, (wanted, more, 3), "limit {limit}");
    }
}

#[test]
fn kv_13_filters_drop_pairs_before_the_limit_and_do_not_change_the_count() {
    let node = with(&[("a", ""), ("b", ""), ("c", ""), ("a", ""), ("d", "")]);
    // create, mod: a 2 5, b 3 3, c 4 4, d 6 6
    let filtered = |min_mod, max_mod, min_create, max_create, limit| {
        let response = node.range(&RangeRequest {
            min_mod_revision: min_mod,
            max_mod_revision: max_mod,
            min_create_revision: min_create,
            max_create_revision: max_create,
            limit,
            ..all()
        });
        assert_eq!(response.count, 4);
        (keys(&response).concat(), response.more)
    };
    assert_eq!(filtered(4, 0, 0, 0, 0), ("acd".into(), false));
    assert_eq!(filtered(0, 4, 0, 0, 0), ("bc".into(), false));
    assert_eq!(filtered(0, 0, 3, 0, 0), ("bcd".into(), false));
    assert_eq!(filtered(0, 0, 0, 3, 0), ("ab".into(), false));
    assert_eq!(filtered(4, 5, 3, 6, 0), ("c".into(), false));
    assert_eq!(filtered(4, 0, 0, 0, 2), ("ac".into(), true));
    assert_eq!(filtered(4, 0, 0, 0, 3), ("acd".into(), false));
    assert_eq!(filtered(0, -1, 0, 0, 0), (String::new(), false), "only 0 is not set");
    assert_eq!(filtered(-1, 0, 0, 0, 0), ("abcd".into(), false));
}

#[test]
fn kv_14_every_target_sorts_both_ways() {
    let node = with(&[("a", "3"), ("b", "1"), ("c", "2"), ("c", "2"), ("a", "3"), ("a", "3")]);
    // version: a 3, b 1, c 2; create: a 2, b 3, c 4; mod: b 3, c 5, a 7; value: b c a
    let cases = [
        (SortTarget::Key, "abc", "cba"),
        (SortTarget::Version, "bca", "acb"),
        (SortTarget::Create, "abc", "cba"),
        (SortTarget::Mod, "bca", "acb"),
        (SortTarget::Value, "bca", "acb"),
    ];
    for (target, up, down) in cases {
        let orders = [(SortOrder::None, up), (SortOrder::Ascend, up), (SortOrder::Descend, down)];
        for (order, wanted) in orders {
            let response = node.range(&sorted(target, order));
            assert_eq!(keys(&response).concat(), wanted, "{target:?} {order:?}");
        }
        let first = node.range(&RangeRequest { limit: 1, ..sorted(target, SortOrder::Descend) });
        assert_eq!(keys(&first).concat(), down[..1], "the limit comes after sorting");
        assert!(first.more);
    }
}

#[test]
fn kv_14_unknown_numbers_are_refused() {
    let node = with(&[("a", "")]);
    for (sort_target, sort_order) in [(5, 0), (0, 3), (-1, 1)] {
        let request = RangeRequest { sort_target, sort_order, ..all() };
        assert_eq!(read(&node.store, &request), Err(Refusal::InvalidSortOption));
    }
}

/// Read in etcd's source (`rangeLimit` asks for the order only): without an order the limit does
/// not wait for the sort. One pair more than the limit is read, and takes part in it.
#[test]
fn kv_14_a_target_without_an_order_sorts_the_first_pairs_by_key() {
    let node = with(&[("d", ""), ("c", ""), ("b", ""), ("a", "")]);
    let request = RangeRequest { limit: 2, ..sorted(SortTarget::Mod, SortOrder::None) };
    let response = node.range(&request);
    assert_eq!((keys(&response).concat(), response.more), ("cb".into(), true));
    let filtered = node.range(&RangeRequest { min_mod_revision: 1, ..request });
    assert_eq!((keys(&filtered).concat(), filtered.more), ("dc".into(), true));
}

#[test]
fn kv_15_keys_only_and_count_only() {
    let node = with(&[("a", "2"), ("b", "1")]);
    let sort = sorted(SortTarget::Value, SortOrder::Ascend);
    let response = node.range(&RangeRequest { keys_only: true, ..sort });
    assert_eq!(keys(&response), ["b", "a"], "values still sort");
    assert!(response.kvs.iter().all(|kv| kv.value.is_empty() && kv.version == 1));
    let response = node.range(&RangeRequest { count_only: true, limit: 1, ..all() });
    assert_eq!((response.kvs.len(), response.more, response.count), (0, false, 2));
    let filtered = RangeRequest { count_only: true, min_mod_revision: 3, ..all() };
    assert_eq!(node.range(&filtered).count, 2);
    assert_eq!(node.range(&at(2, filtered)).count, 1);
}

#[test]
fn kv_16_a_put_answers_its_revision_and_the_pair_before() {
    let mut node = Node::new();
    let put = PutRequest { prev_kv: true, ..put("a", "1") };
    let first = node.try_put(put.clone()).unwrap();
    assert_eq!((first.header.unwrap().revision, first.prev_kv), (2, None));
    let before = node.get("a");
    assert_eq!(node.try_put(put.clone()).unwrap().prev_kv, before);
    node.delete("a", "");
    assert_eq!(node.try_put(put).unwrap().prev_kv, None, "a tombstone is no pair");
    assert_eq!(node.try_put(store_support::put("a", "2")).unwrap().prev_kv, None);
}

#[test]
fn kv_17_what_is_to_be_kept_must_exist() {
    let mut node = with(&[("a", "1"), ("gone", "1")]);
    node.delete("gone", "");
    let keep = |key| PutRequest { ignore_value: true, ignore_lease: true, ..put(key, "") };
    for key in ["b", "gone"] {
        assert_eq!(node.try_put(keep(key)), Err(Refusal::KeyNotFound));
        let lease = PutRequest { ignore_lease: true, ..put(key, "x") };
        assert_eq!(node.try_put(lease), Err(Refusal::KeyNotFound));
    }
    assert_eq!(node.store.revision(), 4, "a refusal writes nothing");
    node.try_put(keep("a")).unwrap();
    let a = node.get("a").unwrap();
    assert_eq!((a.value, a.version, a.mod_revision), ("1".into(), 2, 5));
}

#[test]
fn kv_18_a_lease_must_exist_and_there_are_none_yet() {
    let mut node = Node::new();
    for lease in [1, -1, i64::MAX] {
        let applied = node.run(Action::Put(PutRequest { lease, ..put("a", "1") }));
        assert_eq!(applied.reply.unwrap().1, Err(Refusal::LeaseNotFound));
        assert!(applied.rows.is_empty());
        let keep = PutRequest { lease, ignore_value: true, ..put("missing", "") };
        assert_eq!(node.try_put(keep), Err(Refusal::LeaseNotFound), "as etcd: the lease is first");
    }
    assert_eq!((node.store.revision(), node.store.keys()), (1, 0));
}

#[test]
fn kv_19_a_delete_answers_what_it_removed_in_key_order() {
    let mut node = with(&[("c", "3"), ("a", "1"), ("b", "2"), ("x", "")]);
    let pairs = node.range(&span("a", "d")).kvs;
    let applied = node.run(Action::DeleteRange(delete("a", "d")));
    let Some((_, Ok(Response::DeleteRange(response)))) = applied.reply else { panic!() };
    assert_eq!((response.deleted, response.header.unwrap().revision), (3, 6));
    assert_eq!(response.prev_kvs, pairs);
    for (sub, row) in applied.rows.iter().enumerate() {
        let key = [b"k", &6i64.to_be_bytes()[..], &(sub as u64).to_be_bytes(), b"t"].concat();
        assert_eq!(row.key, key);
    }
    let quiet = DeleteRangeRequest { prev_kv: false, ..delete("x", "") };
    let Ok(Response::DeleteRange(response)) = node.answer(Action::DeleteRange(quiet)) else {
        panic!()
    };
    assert_eq!((response.deleted, response.prev_kvs.len()), (1, 0));
}

#[test]
fn kv_33_a_row_is_the_encoded_pair_under_its_revision() {
    let mut node = with(&[("a", "1")]);
    let applied = node.run(Action::Put(put("a", "2")));
    let [row] = &applied.rows[..] else { panic!() };
    assert_eq!(row.key, [b"k", &3i64.to_be_bytes()[..], &[0; 8]].concat());
    assert_eq!(row.value, Some(node.get("a").unwrap().encode_to_vec().into()));
    let applied = node.run(Action::DeleteRange(delete("a", "")));
    let tombstone = quorate_core::api::mvccpb::KeyValue { key: "a".into(), ..Default::default() };
    assert_eq!(applied.rows[0].value, Some(tombstone.encode_to_vec().into()));
}

#[test]
fn co_4_equal_logs_make_equal_hashes_and_any_difference_shows() {
    let write = |value: &str| with(&[("a", "1"), ("b", value), ("c", "3")]).store;
    assert_eq!(write("2").state_hash(), write("2").state_hash());
    assert_eq!(write("2").full_hash(), write("2").full_hash());
    assert_ne!(write("2").state_hash(), write("3").state_hash());
    assert_ne!(write("2").full_hash(), write("3").full_hash());
    // A refusal changes nothing but the position, and still counts as an effect.
    let mut refused = with(&[("a", "1")]);
    let mut silent = with(&[("a", "1")]);
    refused.run(Action::Put(PutRequest { lease: 5, ..put("a", "1") }));
    silent.run(Action::DeleteRange(delete("x", "")));
    assert_ne!(refused.store.state_hash(), silent.store.state_hash());
}

#[test]
fn cl_7_a_member_publishes_its_name_and_urls() {
    let mut node = Node::new();
    node.run(configuration(&[9, 3, 5]));
    let ids: Vec<u64> = node.store.members().iter().map(|member| member.id).collect();
    assert_eq!(ids, [3, 5, 9]);
    assert!(node.store.members().iter().all(|member| member.name.is_empty()));
    assert_eq!(node.answer(publish(5, "five")), Ok(Response::Done));
    let five = &node.store.members()[1];
    assert_eq!((&*five.name, &*five.client_ur_ls[0]), ("five", "http://five:2379"));
    assert_eq!(five.peer_ur_ls, ["http://5:2380"]);
    let stranger = node.run(publish(4, "four"));
    assert!(stranger.rows.is_empty() && node.store.members().len() == 3);
    node.run(configuration(&[3]));
    assert_eq!(node.store.members().len(), 1);
    assert_eq!(node.store.revision(), 1, "members are no keys");
}

#[test]
fn an_entry_answers_who_asked_and_nobody_else() {
    let mut store = Store::new();
    let nothing = store.apply(&entry(1, None));
    assert_eq!((nothing.reply, nothing.rows.len()), (None, 0));
    assert_eq!(store.applied(), LogId { index: Index(1), term: Term(1) });
    let applied = store.apply(&entry(2, Some(Action::Put(put("a", "1")))));
    assert_eq!(applied.reply.unwrap().0, asker(2));
    assert_eq!(applied.id, store.applied());
}

#[test]
#[should_panic(expected = "A1")]
fn an_entry_is_not_applied_twice() {
    let mut store = Store::new();
    store.apply(&entry(1, None));
    store.apply(&entry(1, None));
}

#[test]
#[should_panic(expected = "entry 1@1 is no command")]
fn an_entry_that_is_no_command_is_a_bug_of_the_leader() {
    let mut bad = entry(1, None);
    bad.command = Bytes::from_static(b"\xff\xff");
    Store::new().apply(&bad);
}

/// The applier and the readers of a member are different threads.
#[test]
fn stores_and_cursors_go_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<Store>();
    check::<Step>();
    check::<quorate_core::store::Image>();
}

#[test]
fn sizes_are_the_bytes_of_the_rows() {
    let mut node = with(&[("a", "1"), ("b", "22")]);
    node.run(configuration(&[1, 2]));
    node.run(publish(1, "one"));
    node.delete("a", "");
    node.run(configuration(&[2]));
    node.flush();
    let position = node.store.position_row();
    let all: usize = node.disk.iter().map(|(key, value)| key.len() + value.len()).sum();
    let size = (all - position.weight()) as u64;
    assert_eq!(node.store.size_in_use(), size);
    assert!(node.store.size() > size, "the member that went took bytes with it");
}

#[test]
fn a_long_read_sees_one_revision_and_does_not_hinder_writers() {
    let mut node = Node::new();
    for n in 0..1000 {
        node.put(&format!("k{n:04}"), "old");
    }
    let requests =
        [all(), at(500, all()), sorted(SortTarget::Value, SortOrder::Descend), at(1, all())];
    for request in requests {
        let whole = node.range(&request);
        let mut cursor = None;
        let mut steps = 0;
        let response = loop {
            match node.store.range(&request, cursor, 10).unwrap() {
                Step::Done(response) => break response,
                Step::More(more) => cursor = Some(more),
            }
            node.put(&format!("k{steps:04}x"), "new");
            node.delete(&format!("k{:04}", steps * 7 % 1000), "");
            steps += 1;
        };
        assert!(steps >= 99, "{steps} steps");
        assert_eq!(response, whole);
    }
}
