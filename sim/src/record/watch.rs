//! Watches in the words of the judges.

use quorate_checks::history as said;
use quorate_core::api::etcdserverpb::watch_create_request::FilterType;
use quorate_core::api::etcdserverpb::{WatchCreateRequest, WatchResponse};
use quorate_core::api::mvccpb::Event;
use quorate_core::api::mvccpb::event::EventType;
use said::Revision;

use super::answer::pair;
use super::bytes;
use crate::clock::Micros;

/// What was asked for.
#[must_use]
pub fn watch_request(ask: &WatchCreateRequest) -> said::WatchRequest {
    said::WatchRequest {
        key: bytes(&ask.key),
        range_end: bytes(&ask.range_end),
        start_revision: (ask.start_revision != 0).then_some(Revision(ask.start_revision)),
        no_put: ask.filters().any(|filter| filter == FilterType::Noput),
        no_delete: ask.filters().any(|filter| filter == FilterType::Nodelete),
        prev_kv: ask.prev_kv,
        progress_notify: ask.progress_notify,
        fragment: ask.fragment,
        watch_id: (ask.watch_id != 0).then_some(ask.watch_id),
    }
}

/// One message, read at `now`.
#[must_use]
pub fn watch_message(told: &WatchResponse, now: Micros) -> said::WatchMessage {
    said::WatchMessage {
        at: said::Micros(now),
        revision: Revision(told.header.as_ref().map_or(0, |header| header.revision)),
        watch_id: told.watch_id,
        created: told.created,
        canceled: told.canceled,
        compact_revision: (told.compact_revision > 0).then_some(Revision(told.compact_revision)),
        cancel_reason: told.cancel_reason.clone(),
        fragment: told.fragment,
        events: told.events.iter().map(event).collect(),
    }
}

fn event(event: &Event) -> said::WatchEvent {
    let kv = event.kv.as_ref().expect("an event has a pair");
    said::WatchEvent {
        kind: match event.r#type() {
            EventType::Put => said::EventKind::Put,
            EventType::Delete => said::EventKind::Delete,
        },
        kv: pair(kv),
        prev_kv: event.prev_kv.as_ref().map(pair),
    }
}
