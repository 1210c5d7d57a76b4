//! A client that knows the truth: each message of its stream is held against the ledger.
//!
//! Checked for each watcher, by the names that the promises have (WA-11): *filter*, *ordered*,
//! *unique* and *reliable* (what was read is exactly the beginning of what should be), *atomic*,
//! *bookmarkable*, *resumable* (from any revision), *is-create*, *prev-kv*; and *fragment*,
//! *cancel*, *compaction*. A failure names the one that is broken.

use std::collections::{BTreeMap, VecDeque};

use quorate_core::api::KeyRange;
use quorate_core::api::etcdserverpb::{WatchCreateRequest, WatchResponse};
use quorate_core::api::mvccpb::Event;
use quorate_core::api::mvccpb::event::EventType;
use quorate_core::store::{Kind, Written};
use quorate_core::watch::Message;

use crate::ledger::Ledger;
use crate::rig::SETTINGS;

/// One stream's client.
#[derive(Default)]
pub struct Judge {
    /// Asked and not answered, with the revision of that moment.
    asked: VecDeque<(WatchCreateRequest, i64)>,
    pub watchers: BTreeMap<i64, Watcher>,
    /// Watchers that were cancelled, and why.
    pub gone: Vec<(i64, WatchResponse)>,
    pub counts: Counts,
}

/// What was seen, so that a run can show that it has seen it.
#[derive(Clone, Copy, Default, Debug)]
pub struct Counts {
    pub events: usize,
    pub progress: usize,
    pub fragments: usize,
    pub compacted: usize,
    pub canceled: usize,
    pub previous: usize,
    pub together: usize,
}

pub struct Watcher {
    request: WatchCreateRequest,
    start: i64,
    /// The last event that was read: main and sub.
    last: (i64, usize),
    /// How many events were read.
    read: usize,
    /// No event up to here may follow.
    bookmark: i64,
    /// A message was cut, and its rest has not come.
    cut: bool,
}

impl Judge {
    pub fn asked(&mut self, request: WatchCreateRequest, now: i64) {
        self.asked.push_back((request, now));
    }

    /// What is known when a message is sent: it must not know the future.
    pub fn note_sent(&mut self, message: &Message, ledger: &Ledger) {
        let response = message.response();
        let header = response.header.unwrap();
        assert!(header.revision <= ledger.current(), "header: {message} is from the future");
        assert_eq!((header.cluster_id, header.member_id, header.raft_term), (0xc, 0xe, 3));
    }

    pub fn read(&mut self, message: &Message, ledger: &Ledger) {
        let response = message.response();
        assert_eq!(message.encoded_len(), prost::Message::encoded_len(&response));
        if response.created {
            self.created(&response);
        } else if response.canceled {
            self.canceled(response, ledger);
        } else if response.events.is_empty() {
            self.progress(&response, ledger);
        } else {
            self.events(&response, message, ledger);
        }
    }

    fn created(&mut self, response: &WatchResponse) {
        let (request, now) = self.asked.pop_front().expect("created: nobody asked");
        if response.canceled {
            assert_eq!(response.watch_id, -1, "created: a refused watcher has no id");
            assert!(!response.cancel_reason.is_empty(), "created: refused without a reason");
            return;
        }
        let header = response.header.unwrap().revision;
        assert_eq!(header, now, "created: not at the revision of that moment");
        let start = if request.start_revision == 0 { header + 1 } else { request.start_revision };
        let watcher = Watcher { request, start, last: (0, 0), read: 0, bookmark: 0, cut: false };
        let before = self.watchers.insert(response.watch_id, watcher);
        assert!(before.is_none(), "created: two watchers have the id {}", response.watch_id);
    }

    fn canceled(&mut self, response: WatchResponse, ledger: &Ledger) {
        let watcher = self.watchers.remove(&response.watch_id).expect("cancel: unknown watcher");
        assert!(!watcher.cut, "fragment: the rest of a message is missing");
        let mark = response.compact_revision;
        if mark > 0 {
            self.counts.compacted += 1;
            assert!(mark <= ledger.mark, "compaction: {mark} is not compacted");
            let next = watcher.expected(ledger).nth(watcher.read);
            let next = next.map_or(ledger.current() + 1, |(_, change)| change.at.main);
            assert!(watcher.start < mark, "compaction: it starts at the mark or behind");
            assert!(
                next < mark || watcher.bookmark < mark,
                "compaction: it has seen what is compacted",
            );
            assert_eq!(response.header.unwrap().revision, 0, "compaction: header");
        }
        assert!(response.cancel_reason.is_empty(), "cancel: a reason nobody gave");
        self.counts.canceled += 1;
        self.gone.push((response.watch_id, response));
    }

    fn progress(&mut self, response: &WatchResponse, ledger: &Ledger) {
        self.counts.progress += 1;
        let revision = response.header.unwrap().revision;
        let all = response.watch_id == -1;
        assert!(!all || !self.watchers.is_empty(), "bookmarkable: there is no watcher");
        for (id, watcher) in &mut self.watchers {
            if !all && *id != response.watch_id {
                continue;
            }
            assert!(!watcher.cut, "fragment: the rest of a message is missing");
            assert!(watcher.start <= revision + 1, "bookmarkable: before it has begun");
            let due = watcher.expected(ledger).filter(|(_, change)| change.at.main <= revision);
            assert_eq!(due.count(), watcher.read, "bookmarkable: {revision} without its events");
            watcher.bookmark = watcher.bookmark.max(revision);
        }
    }

    fn events(&mut self, response: &WatchResponse, message: &Message, ledger: &Ledger) {
        let watcher = self.watchers.get_mut(&response.watch_id);
        let watcher = watcher.expect("cancel: events of a watcher that is not there");
        let header = response.header.unwrap().revision;
        for event in &response.events {
            watcher.event(event, header, ledger);
        }
        if response.events.len() > 1 {
            self.counts.together += 1;
        }
        self.counts.events += response.events.len();
        self.counts.fragments += usize::from(response.fragment);
        self.counts.previous += response.events.iter().filter(|e| e.prev_kv.is_some()).count();
        watcher.check_border(response, message, ledger);
    }

    /// Everything that should be told was.
    pub fn has_all(&self, ledger: &Ledger) {
        assert!(self.asked.is_empty(), "created: {} have no answer", self.asked.len());
        for (id, watcher) in &self.watchers {
            let due = watcher.expected(ledger).count();
            assert_eq!(watcher.read, due, "reliable: watch {id} misses events");
            assert!(!watcher.cut, "fragment: the rest of a message is missing");
        }
    }
}

impl Watcher {
    /// What it should be told, with the place in its transaction.
    fn expected<'a>(&'a self, ledger: &'a Ledger) -> impl Iterator<Item = (usize, &'a Written)> {
        let WatchCreateRequest { key, range_end, filters, .. } = &self.request;
        let key = if key.is_empty() { &[0] } else { &key[..] };
        let range = KeyRange::new(key, range_end);
        ledger.between(self.start, i64::MAX).filter_map(move |change| {
            let filter = match change.record.kind() {
                Kind::Put => 0,
                Kind::Tombstone => 1,
            };
            let wanted = range.contains(change.record.key()) && !filters.contains(&filter);
            wanted.then_some((change.at.sub as usize, change))
        })
    }

    fn event(&mut self, event: &Event, header: i64, ledger: &Ledger) {
        let kv = event.kv.as_ref().expect("an event has a pair");
        let main = kv.mod_revision;
        assert!(main >= self.start, "filter: {main} is before the start {}", self.start);
        assert!(main > self.bookmark, "bookmarkable: {main} after progress {}", self.bookmark);
        assert!(main <= header, "header: {main} is above {header}");
        let expected = self.expected(ledger).nth(self.read);
        let (sub, change) = expected.expect("unique: more events than there are");
        let place = ledger
            .between(main, main)
            .position(|change| change.record.key() == kv.key)
            .expect("filter: an event that never was");
        assert!(self.read == 0 || (main, place) > self.last, "unique, ordered: {main} again");
        let (due, is) = ((change.at.main, sub), (main, place));
        assert!(due >= is, "reliable: {is:?} comes, {due:?} is missing");
        assert!(due <= is, "filter: {is:?} comes, {due:?} was wanted");
        check_pair(event, change);
        self.check_previous(event, ledger);
        self.last = is;
        self.read += 1;
    }

    fn check_previous(&self, event: &Event, ledger: &Ledger) {
        let kv = event.kv.as_ref().unwrap();
        if !self.request.prev_kv {
            return assert!(event.prev_kv.is_none(), "prev-kv: not wanted");
        }
        let before = ledger.before(&kv.key, kv.mod_revision);
        let compacted = kv.mod_revision - 1 < ledger.mark;
        let absent = event.prev_kv.is_none() && compacted;
        assert!(absent || event.prev_kv == before, "prev-kv: {:?}", event.prev_kv);
    }

    /// A message ends where a revision ends, unless it says that it is cut.
    fn check_border(&mut self, response: &WatchResponse, message: &Message, ledger: &Ledger) {
        let next = self.expected(ledger).nth(self.read).map(|(_, change)| change.at.main);
        if !response.fragment {
            assert!(next != Some(self.last.0), "atomic: revision {} is split", self.last.0);
        }
        assert!(!response.fragment || self.request.fragment, "fragment: not wanted");
        if self.request.fragment && response.events.len() > 1 {
            let len = message.encoded_len();
            assert!(len < SETTINGS.fragment, "fragment: a part of {len} bytes");
        }
        self.cut = response.fragment;
    }
}

fn check_pair(event: &Event, change: &Written) {
    let kv = event.kv.as_ref().unwrap();
    match event.r#type() {
        EventType::Put => {
            assert_eq!(*kv, change.record.key_value(), "another pair than was put");
            let creation = kv.create_revision == kv.mod_revision;
            assert_eq!(creation, kv.version == 1, "is-create: version {}", kv.version);
        }
        EventType::Delete => {
            assert_eq!(change.record.kind(), Kind::Tombstone, "a delete that was a put");
            let bare = (kv.create_revision, kv.version, kv.lease, kv.value.len());
            assert_eq!(bare, (0, 0, 0, 0), "a delete has only key and mod_revision");
        }
    }
}
