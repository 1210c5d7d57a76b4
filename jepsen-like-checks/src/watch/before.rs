//! Events against the past of their keys: beginnings of lives, versions, and pairs before.
//!
//! What a key held before an event is known in two ways. Operations and the log prove it, as long
//! as every revision since is known whole; and the watch itself showed it, if it shows all that
//! happens to the key.
//!
//! ```text
//! watch shows     put a (version 1)    delete a        put a      must begin a life; no pair before
//!                 put a (version 1)                    put a      version 2, same creation;
//!                                                                 pair before: the one on the left
//! ```
//!
//! Not here: whether an event is missing (`truth.rs`).

use std::collections::HashMap;

use super::chronicle::{Chronicle, Page, Put};
use super::session::{Named, Session};
use super::truth::groups;
use super::{Counters, Evidence, Fault, Guarantee};
use crate::history::{EventKind, KeyValue, Revision, WatchEvent};

/// What a key held, and who says so. Without a pair: it held none.
type Held<'h> = (Option<&'h KeyValue>, Evidence);

/// What is known of the keys at one revision.
struct Past<'c, 'h> {
    chronicle: &'c Chronicle<'h>,
    /// The next revision that is not in it.
    next: Revision,
    /// What is proven; a key that is not there holds nothing if `known_from_start`.
    proven: HashMap<&'h [u8], Option<Held<'h>>>,
    known_from_start: bool,
    /// What the watch itself showed.
    told: HashMap<&'h [u8], Held<'h>>,
}

pub(super) fn check<'h>(
    session: &Session<'h>,
    chronicle: &Chronicle<'h>,
    counters: &mut Counters,
) -> Result<(), Box<Fault>> {
    let mut past = Past {
        chronicle,
        next: Revision(2),
        proven: HashMap::new(),
        known_from_start: true,
        told: HashMap::new(),
    };
    let request = &session.watch.request;
    let all = !request.no_put && !request.no_delete;
    for group in groups(session) {
        past.forward(group[0].1.revision());
        for (place, event) in group {
            let held = past.before(&event.kv.key);
            one(session, *place, event, held, counters)?;
        }
        for (place, event) in group.iter().filter(|_| all) {
            let pair = (event.kind == EventKind::Put).then_some(&event.kv);
            past.told.insert(&event.kv.key, (pair, Evidence::Message(*place)));
        }
    }
    Ok(())
}

impl<'h> Past<'_, 'h> {
    /// Goes on to the state before a revision.
    fn forward(&mut self, to: Revision) {
        let mut expected = self.next;
        for (revision, page) in self.chronicle.pages(self.next, Revision(to.0.saturating_sub(1))) {
            if revision != expected {
                self.forget();
            }
            self.page(page);
            expected = Revision(revision.0.saturating_add(1));
        }
        if expected < to {
            self.forget();
        }
        self.next = self.next.max(to);
    }

    fn forget(&mut self) {
        self.proven.clear();
        self.known_from_start = false;
    }

    fn page(&mut self, page: &Page<'h>) {
        if page.whole.is_none() {
            self.forget();
        }
        for change in &page.changes {
            let held = match (change.kind, change.put) {
                (EventKind::Delete, _) => Some((None, change.by)),
                (EventKind::Put, Put::Pair(pair)) => Some((Some(pair), change.by)),
                // That it holds a pair now is known, but not all of it.
                (EventKind::Put, Put::Asked(..) | Put::Unknown) => None,
            };
            self.proven.insert(change.key, held);
        }
    }

    fn before(&self, key: &[u8]) -> Option<Held<'h>> {
        match self.proven.get(key) {
            Some(Some(held)) => Some(*held),
            Some(None) => self.told.get(key).copied(),
            None if self.known_from_start => Some((None, Evidence::Log(Revision(1)))),
            None => self.told.get(key).copied(),
        }
    }
}

fn one(
    session: &Session<'_>,
    place: usize,
    event: &WatchEvent,
    held: Option<Held<'_>>,
    counters: &mut Counters,
) -> Result<(), Box<Fault>> {
    let fault = |guarantee, evidence, what: String| {
        let (watch, at) = (session.watch.number, session.watch.messages[place].at);
        let what = format!("of {}, {what}", Named(event));
        Err(Box::new(Fault { guarantee, watch, message: place, at, evidence, what }))
    };
    let itself = Evidence::Message(place);
    if let Some(wrong) = contradictory(event) {
        return fault(Guarantee::IsCreate, itself, wrong);
    }
    if let (EventKind::Put, Some((pair, by))) = (event.kind, held) {
        counters.creations += 1;
        if let Some(wrong) = wrong_life(event, pair) {
            return fault(Guarantee::IsCreate, by, wrong);
        }
    }
    match &event.prev_kv {
        Some(_) if !session.watch.request.prev_kv => {
            fault(Guarantee::PrevKv, Evidence::Request, "with a pair before, unasked".to_owned())
        }
        Some(prev) => {
            counters.prev_kvs += 1;
            match wrong_prev(event, prev, held.map(|(pair, _)| pair)) {
                Some(wrong) => fault(Guarantee::PrevKv, held.map_or(itself, |(_, by)| by), wrong),
                None => Ok(()),
            }
        }
        None if !session.watch.request.prev_kv || event.is_create() => Ok(()),
        // Absent: right only where what was before has been given up (WA-9).
        None if session.may_be_compacted(place, event.revision()) => Ok(()),
        None => {
            let what = "without the pair before, which there must have been".to_owned();
            fault(Guarantee::PrevKv, itself, what)
        }
    }
}

/// What is wrong with the numbers of an event by itself.
fn contradictory(event: &WatchEvent) -> Option<String> {
    let KeyValue { create_revision, mod_revision, version, .. } = event.kv;
    match event.kind {
        EventKind::Put if event.is_create() != (version == 1) => Some(format!(
            "its version {version}, though it was created at revision {}",
            create_revision.0,
        )),
        EventKind::Put if create_revision > mod_revision => {
            Some(format!("created only later, at revision {}", create_revision.0))
        }
        EventKind::Put | EventKind::Delete => None,
    }
}

/// What is wrong with the numbers of a put, if the key held this before.
fn wrong_life(event: &WatchEvent, before: Option<&KeyValue>) -> Option<String> {
    match before {
        None if !event.is_create() => {
            Some(format!("its version {}, though the key held no pair before", event.kv.version))
        }
        Some(_) if event.is_create() => {
            Some("as the beginning of its life, though the key held a pair before".to_owned())
        }
        Some(pair)
            if event.kv.create_revision != pair.create_revision
                || event.kv.version != pair.version.saturating_add(1) =>
        {
            Some(format!(
                "its version {} in a life from revision {}, though before it was at version {} in \
                 one from {}",
                event.kv.version, event.kv.create_revision.0, pair.version, pair.create_revision.0,
            ))
        }
        None | Some(_) => None,
    }
}

/// What is wrong with the pair before. `held` is what the key held, if that is known.
fn wrong_prev(
    event: &WatchEvent,
    prev: &KeyValue,
    held: Option<Option<&KeyValue>>,
) -> Option<String> {
    let shown =
        format!("with the pair before as {} of revision {}", prev.value, prev.mod_revision.0);
    if event.is_create() {
        return Some(format!("{shown}, though its life begins here"));
    }
    if prev.key != event.kv.key || prev.mod_revision >= event.revision() {
        return Some(format!("{shown}, which cannot have been before it"));
    }
    match held {
        Some(None) => Some(format!("{shown}, though the key held no pair before")),
        Some(Some(pair)) if pair != prev => Some(format!(
            "{shown}, though it was {} of revision {}",
            pair.value, pair.mod_revision.0,
        )),
        Some(Some(_)) | None => None,
    }
}
