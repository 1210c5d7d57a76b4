//! The hub beside the real store: what is published, and what is read from the history.

use std::collections::VecDeque;

use bytes::Bytes;
use prost::Message;
use quorate_core::actors::{Watching, apply};
use quorate_core::api::etcdserverpb::{DeleteRangeRequest, PutRequest};
use quorate_core::api::wire::Command;
use quorate_core::api::wire::command::Action;
use quorate_core::raft::Entry;
use quorate_core::store::Store;
use quorate_core::types::{Index, Term};
use quorate_core::watch::{Hub, StreamId, WatchInput};

use crate::rig::{SETTINGS, watch, watch_from};

fn entry(index: u64, action: Action) -> Entry {
    let command = Command { member: 7, boot: 9, n: index, action: Some(action) };
    Entry { index: Index(index), term: Term(1), command: Bytes::from(command.encode_to_vec()) }
}

#[test]
fn live_and_past_are_told_alike() {
    let mut store = Store::new();
    let mut watching = Watching::new(Hub::new(SETTINGS, store.revision(), 0));
    let mut drain = |store: &Store, inputs: Vec<WatchInput>| -> Vec<String> {
        let (mut inputs, mut told) = (VecDeque::from(inputs), Vec::new());
        loop {
            let dispatch = watching.drain(&mut inputs, store);
            told.extend(dispatch.messages.iter().map(|(id, message)| format!("{id} {message}")));
            if !dispatch.more {
                return told;
            }
        }
    };
    let open = |stream| WatchInput::Open { stream: StreamId(stream), needs_leader: false };
    let mut live = watch("k", "l");
    live.prev_kv = true;
    let told = drain(&store, vec![open(1), WatchInput::Create(StreamId(1), live.clone())]);
    assert_eq!(told, ["s1 created watch=0 revision=1"]);

    let put = |key: &'static str, value: &'static str| {
        Action::Put(PutRequest { key: key.into(), value: value.into(), ..Default::default() })
    };
    let delete = DeleteRangeRequest { key: "k".into(), range_end: "l".into(), prev_kv: false };
    let actions = [put("k1", "a"), put("x", "?"), put("k1", "b"), put("k2", "c")];
    let actions = actions.into_iter().chain([Action::DeleteRange(delete)]);
    let entries: Vec<Entry> = (1..).zip(actions).map(|(index, a)| entry(index, a)).collect();
    let effects = apply(&mut store, &entries);
    let told = drain(&store, vec![WatchInput::published(effects.events, &store)]);
    let events = "events watch=0 revision=6, 2 put k1=a, 4 put k1=b (was a @2), 5 put k2=c, \
                  6 delete k1 (was b @4), 6 delete k2 (was c @5)";
    assert_eq!(told, [format!("s1 {events}")]);

    live = watch_from("k", "l", 1);
    live.prev_kv = true;
    let told = drain(&store, vec![open(2), WatchInput::Create(StreamId(2), live)]);
    // Read in pieces: the same events.
    let pieces = "s2 created watch=0 revision=6|\
                  s2 events watch=0 revision=6, 2 put k1=a, 4 put k1=b (was a @2), 5 put k2=c, \
                  6 delete k1 (was b @4), 6 delete k2 (was c @5)";
    assert_eq!(told.join("|"), pieces);
}
