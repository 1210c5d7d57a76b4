//! One rule at a time, told as the client reads it.

use bytes::Bytes;
use prost::Message;
use quorate_core::api::etcdserverpb::WatchCreateRequest;
use quorate_core::api::mvccpb::Event;
use quorate_core::store::Kind;
use quorate_core::types::{Term, Ticks};
use quorate_core::watch::{Ending, StreamId, WatchInput};

use crate::ledger::Op;
use crate::rig::{Rig, SETTINGS, watch, watch_from};

const S: StreamId = StreamId(1);

/// A rig with one open stream and three revisions: 2, 3 and 4.
fn rig() -> Rig {
    let mut rig = Rig::planted(None);
    rig.open(1);
    rig.put("a", "one");
    rig.put("b", "two");
    rig.put("a", "three");
    rig
}

#[test]
fn ids_are_picked_or_chosen_and_never_picked_twice() {
    let mut rig = rig();
    let chosen = |watch_id| WatchCreateRequest { watch_id, ..watch("a", "") };
    for request in [watch("a", ""), chosen(1), chosen(-7), watch("a", ""), chosen(2)] {
        rig.create(1, request);
    }
    rig.cancel(1, 2);
    rig.create(1, watch("a", ""));
    let duplicate = "\"mvcc: duplicate watch ID provided on the WatchStream\"";
    assert_eq!(
        rig.read_all(1),
        [
            "created watch=0 revision=4",
            "created watch=1 revision=4",
            "created watch=-7 revision=4",
            "created watch=2 revision=4",
            &format!("refused watch=-1 revision=4 because {duplicate}"),
            "canceled watch=2 revision=4",
            "created watch=3 revision=4",
        ]
    );
    rig.settle();
}

#[test]
fn a_range_without_keys_is_refused_and_an_empty_key_is_the_smallest() {
    let mut rig = rig();
    let empty = "refused watch=-1 revision=4 because \"mvcc: watcher range is empty\"";
    rig.create(1, watch("b", "a"));
    rig.create(1, watch("b", "b"));
    rig.create(1, watch_from("", "\0", 2));
    let told = rig.read_all(1);
    assert_eq!(told[..3], [empty, empty, "created watch=0 revision=4"]);
    assert_eq!(told[3], "events watch=0 revision=4, 2 put a=one, 3 put b=two, 4 put a=three");
    rig.settle();
}

#[test]
fn from_now_on_means_the_stores_now() {
    let mut rig = rig();
    // The store is ahead of what is published: 5 has happened when the watcher is created.
    rig.transact(&[Op::Put("a", "known".into())]);
    rig.create(1, watch("a", ""));
    rig.publish();
    assert_eq!(rig.read_all(1), ["created watch=0 revision=5"]);
    rig.put("a", "news");
    assert_eq!(rig.read_all(1), ["events watch=0 revision=6, 6 put a=news"]);
}

#[test]
fn a_negative_start_is_refused_as_compacted() {
    let mut rig = rig();
    rig.create(1, watch_from("a", "", -1));
    let reason = "\"etcdserver: mvcc: required revision has been compacted\"";
    assert_eq!(rig.read_all(1), [format!("refused watch=-1 revision=4 because {reason}")]);
}

#[test]
fn a_start_below_the_mark_ends_and_one_at_the_mark_does_not() {
    let mut rig = rig();
    rig.ledger.mark = 3;
    rig.publish();
    rig.create(1, watch_from("a", "c", 2));
    rig.create(1, WatchCreateRequest { prev_kv: true, ..watch_from("a", "c", 3) });
    assert_eq!(
        rig.read_all(1),
        [
            "created watch=0 revision=4",
            "canceled watch=0 revision=0 compacted=3",
            "created watch=1 revision=4",
            // At the mark there is no pair before; behind it there is, though it is older.
            "events watch=1 revision=4, 3 put b=two, 4 put a=three (was one @2)",
        ]
    );
}

#[test]
fn what_no_filter_lets_through_is_not_a_message() {
    let mut rig = rig();
    let filtered = |filters| WatchCreateRequest { filters, ..watch("a", "c") };
    rig.create(1, filtered(vec![0]));
    rig.create(1, filtered(vec![1]));
    rig.create(1, filtered(vec![0, 1]));
    assert_eq!(rig.read_all(1).len(), 3);
    rig.put("a", "x");
    rig.transact(&[Op::Delete("a"), Op::Put("b", "y".into())]);
    rig.publish();
    assert_eq!(
        rig.read_all(1),
        [
            "events watch=1 revision=5, 5 put a=x",
            "events watch=0 revision=6, 6 delete a",
            "events watch=1 revision=6, 6 put b=y",
        ]
    );
    rig.settle();
}

/// The bytes are those that any protobuf library writes, and those who want the same share them.
#[test]
fn an_event_is_encoded_once() {
    let mut rig = rig();
    let previous = |key: &str, end: &str| WatchCreateRequest { prev_kv: true, ..watch(key, end) };
    rig.create(1, previous("a", ""));
    rig.create(1, previous("a", "c"));
    rig.create(1, watch("a", ""));
    assert_eq!(rig.read_all(1).len(), 3);
    rig.transact(&[Op::Put("a", "new".into()), Op::Delete("b")]);
    rig.publish();
    let shared = |rig: &mut Rig| rig.read(1).unwrap().segments().to_vec();
    let [one, plain, both] = [shared(&mut rig), shared(&mut rig), shared(&mut rig)];
    let place = |bytes: &Bytes| (bytes.as_ptr(), bytes.len());
    assert_eq!(place(&one[0]), place(&both[0]), "two watchers, two encodings");
    assert_ne!(one[0], plain[0]);
    for (event, change) in both.iter().zip(rig.ledger.between(5, 5)) {
        let mut kv = change.record.key_value();
        kv.mod_revision = 5;
        let prev_kv = change.previous.as_ref().map(|record| record.key_value());
        let r#type = i32::from(change.record.kind() == Kind::Tombstone);
        let due = Event { r#type, kv: Some(kv), prev_kv };
        // Field 11, and then as every library writes it.
        assert_eq!(event[0], 11 << 3 | 2);
        assert_eq!(event[1..], due.encode_length_delimited_to_vec());
    }
}

#[test]
fn a_long_message_is_cut_only_for_those_who_want_it() {
    let mut rig = rig();
    rig.create(1, WatchCreateRequest { fragment: true, ..watch("a", "\0") });
    rig.create(1, watch("a", "\0"));
    assert_eq!(rig.read_all(1).len(), 2);
    let keys = ["a", "b", "c", "d", "e", "f"];
    rig.transact(&keys.map(|key| Op::Put(key, "x".repeat(60))));
    rig.publish();
    let sizes: Vec<(bool, usize)> = std::iter::from_fn(|| rig.read(1))
        .map(|message| (message.head().fragment, message.response().events.len()))
        .collect();
    assert_eq!(sizes, [(true, 2), (true, 2), (false, 2), (false, 6)]);
    rig.settle();
}

#[test]
fn progress_is_told_on_request_if_all_is_told() {
    let mut rig = rig();
    let ask = |rig: &mut Rig| rig.input(WatchInput::Progress(S));
    ask(&mut rig);
    assert!(rig.read_all(1).is_empty(), "there is no watcher");
    rig.create(1, watch("a", ""));
    ask(&mut rig);
    assert_eq!(rig.read_all(1), ["created watch=0 revision=4", "progress watch=-1 revision=4"]);
    // One that has not begun stands in the way of all.
    rig.create(1, watch_from("a", "", 9));
    ask(&mut rig);
    assert_eq!(rig.read_all(1), ["created watch=1 revision=4"]);
    rig.cancel(1, 1);
    // The store is ahead, but nobody was told.
    rig.transact(&[Op::Put("a", "x".into())]);
    ask(&mut rig);
    assert_eq!(rig.read_all(1), ["canceled watch=1 revision=4", "progress watch=-1 revision=4"]);
    rig.cancel(1, 0);
    ask(&mut rig);
    assert_eq!(rig.read_all(1), ["canceled watch=0 revision=4"], "the watcher has gone");
}

#[test]
fn progress_comes_by_itself_where_nothing_happens() {
    let mut rig = rig();
    let notify = |key: &str| WatchCreateRequest { progress_notify: true, ..watch(key, "") };
    rig.create(1, notify("a"));
    rig.create(1, notify("b"));
    rig.create(1, watch("c", ""));
    assert_eq!(rig.read_all(1).len(), 3);
    rig.put("b", "x");
    assert_eq!(rig.read_all(1), ["events watch=1 revision=5, 5 put b=x"]);
    let Ticks(rest) = rig.watching.hub().rest().expect("a round is due");
    assert!((100..110).contains(&rest), "{rest} is not ten percent around");
    rig.input(WatchInput::Tick(Ticks(rest - 1)));
    assert!(rig.read_all(1).is_empty(), "too early");
    rig.input(WatchInput::Tick(Ticks(1)));
    assert_eq!(rig.read_all(1), ["progress watch=0 revision=5"]);
    rig.input(WatchInput::Tick(Ticks(110)));
    assert_eq!(rig.read_all(1), ["progress watch=0 revision=5", "progress watch=1 revision=5"]);
    rig.input(WatchInput::Close(S));
    assert_eq!(rig.watching.hub().rest(), None);
}

#[test]
fn only_what_is_there_can_be_cancelled() {
    let mut rig = rig();
    rig.create(1, watch("a", ""));
    rig.cancel(1, 5);
    rig.cancel(1, 0);
    rig.cancel(1, 0);
    rig.put("a", "x");
    assert_eq!(rig.read_all(1), ["created watch=0 revision=4", "canceled watch=0 revision=4"]);
}

/// A client that does not read costs a bounded number of bytes and one number, and reads everything
/// later.
#[test]
fn a_slow_client_is_moved_aside_and_loses_nothing() {
    let mut rig = rig();
    rig.open(2);
    for stream in [1, 2] {
        rig.create(stream, watch("a", "c"));
        assert_eq!(rig.read_all(stream).len(), 1);
    }
    for number in 0..1000 {
        rig.put("a", &format!("value {number}"));
        assert_eq!(rig.read_all(2).len(), 1, "the other is told at once");
        let queued = rig.watching.hub().queued(S).unwrap();
        assert!(queued < SETTINGS.queue + 100, "{queued} bytes wait");
    }
    assert_eq!(rig.watching.hub().census().slow, 1);
    let told = rig.read_all(1);
    assert!(told.last().unwrap().ends_with("1004 put a=value 999"), "{:?}", told.last());
    assert!(told.len() < 500, "many revisions share a message: {}", told.len());
    rig.settle();
}

#[test]
fn compaction_overtakes_a_slow_client() {
    let mut rig = rig();
    rig.create(1, watch("a", "c"));
    (0..50).for_each(|_| rig.put("a", "and so on"));
    rig.ledger.mark = 50;
    rig.publish();
    let told = rig.read_all(1);
    assert_eq!(told.last().unwrap(), "canceled watch=0 revision=0 compacted=50");
    rig.create(1, watch_from("a", "c", 50));
    assert_eq!(rig.read_all(1)[0], "created watch=0 revision=54".replace("=0", "=1"));
    rig.settle();
}

#[test]
fn watchers_go_on_when_a_snapshot_is_installed() {
    let mut rig = rig();
    rig.create(1, watch("a", "c"));
    rig.create(1, watch_from("a", "c", 6));
    rig.create(1, watch_from("a", "c", 7));
    assert_eq!(rig.read_all(1).len(), 3);
    rig.transact(&[Op::Put("a", "5".into())]);
    rig.transact(&[Op::Put("b", "6".into())]);
    rig.install();
    assert_eq!(
        rig.read_all(1),
        ["events watch=0 revision=6, 5 put a=5, 6 put b=6", "events watch=1 revision=6, 6 put b=6",]
    );
    // A mark in the new state that is above what was told: nobody knows what lies between.
    rig.transact(&[Op::Put("a", "7".into())]);
    rig.transact(&[Op::Put("a", "8".into())]);
    rig.ledger.mark = 8;
    rig.install();
    let compacted = |id| format!("canceled watch={id} revision=0 compacted=8");
    assert_eq!(rig.read_all(1), [0, 1, 2].map(compacted));
}

#[test]
fn streams_end_without_a_leader_and_with_the_member() {
    let mut rig = rig();
    let id = StreamId(2);
    rig.open(2);
    rig.input(WatchInput::Close(id));
    rig.input(WatchInput::Open { stream: id, needs_leader: true });
    let leader = |known| WatchInput::Leader { term: Term(3), known };
    for known in [false, true, false] {
        rig.input(leader(known));
        rig.input(WatchInput::Tick(Ticks(299)));
        assert_eq!(rig.streams[&id].ended, None, "not for three elections");
    }
    assert_eq!(rig.watching.hub().rest(), Some(Ticks(1)));
    rig.input(WatchInput::Tick(Ticks(1)));
    assert_eq!(rig.streams[&id].ended, Some(Ending::NoLeader));
    assert_eq!(rig.streams[&S].ended, None, "who does not ask for a leader needs none");
    rig.input(WatchInput::Stop);
    assert_eq!(rig.streams[&S].ended, Some(Ending::Stopped));
    rig.open(3);
    assert_eq!(rig.streams[&StreamId(3)].ended, Some(Ending::Stopped), "it came too late");
}
