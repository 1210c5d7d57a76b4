//! A message to a stream: a small head of its own, and events that it shares with others.
//!
//! ```text
//!   WatchResponse   header, watch id, flags | event | event | event
//!                   this watcher's          | encoded once, shared by all who want these bytes
//! ```
//! The head's fields come before the events in the encoding, so the two are written one behind the
//! other, and nobody decodes or copies an event for a watcher.
//!
//! Not here: which events (`events.rs`).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use bytes::{BufMut, Bytes};
use prost::Message as _;

use crate::api::etcdserverpb::WatchResponse;
use crate::api::mvccpb::Event;
use crate::api::mvccpb::event::EventType;

/// Events that go together, each as the encoded field of a `WatchResponse`. Cloning shares them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Events {
    list: Arc<[Bytes]>,
    bytes: usize,
}

/// One `WatchResponse`.
#[derive(Clone, PartialEq, Debug)]
pub struct Message {
    /// All fields but the events.
    head: WatchResponse,
    events: Option<Events>,
}

impl Events {
    /// Takes encoded events together.
    pub(super) fn new(list: Vec<Bytes>) -> Self {
        let bytes = list.iter().map(Bytes::len).sum();
        Self { list: list.into(), bytes }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Cuts them so that each part is below `limit` bytes, or is a single event.
    pub(super) fn cut(&self, limit: usize) -> Vec<Self> {
        let (mut parts, mut part, mut bytes) = (Vec::new(), Vec::new(), 0);
        for event in self.list.iter() {
            if !part.is_empty() && bytes + event.len() >= limit {
                parts.push(Self::new(core::mem::take(&mut part)));
                bytes = 0;
            }
            bytes += event.len();
            part.push(event.clone());
        }
        parts.push(Self::new(part));
        parts
    }
}

impl Message {
    /// A message without events.
    pub(super) fn bare(head: WatchResponse) -> Self {
        Self { head, events: None }
    }

    /// A message with events.
    pub(super) fn with(head: WatchResponse, events: Events) -> Self {
        assert!(head.events.is_empty(), "the events stand behind the head");
        Self { head, events: Some(events) }
    }

    /// Its size in bytes as [`Message::encode`] writes it.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.head.encoded_len() + self.events.as_ref().map_or(0, |events| events.bytes)
    }

    /// Appends the encoded `WatchResponse`.
    pub fn encode(&self, out: &mut impl BufMut) {
        self.head.encode_raw(out);
        for event in self.segments() {
            out.put_slice(event);
        }
    }

    /// The fields before the events.
    #[must_use]
    pub fn head(&self) -> &WatchResponse {
        &self.head
    }

    /// The encoded events, each with its field's tag and length: what stands behind the head.
    #[must_use]
    pub fn segments(&self) -> &[Bytes] {
        self.events.as_ref().map_or(&[], |events| &events.list)
    }

    /// The whole message, decoded: for those who look at it instead of sending it.
    #[must_use]
    pub fn response(&self) -> WatchResponse {
        let mut bytes = Vec::with_capacity(self.encoded_len());
        self.encode(&mut bytes);
        WatchResponse::decode(&bytes[..]).expect("what was encoded here decodes")
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WatchResponse { watch_id, created, canceled, compact_revision, .. } = self.head;
        let what = match (created, canceled) {
            (true, true) => "refused",
            (true, false) => "created",
            (false, true) => "canceled",
            (false, false) if self.events.is_none() => "progress",
            (false, false) if self.head.fragment => "fragment",
            (false, false) => "events",
        };
        write!(f, "{what} watch={watch_id} revision={}", self.revision())?;
        if compact_revision != 0 {
            write!(f, " compacted={compact_revision}")?;
        }
        if !self.head.cancel_reason.is_empty() {
            write!(f, " because {:?}", self.head.cancel_reason)?;
        }
        let events = if self.events.is_some() { self.response().events } else { Vec::new() };
        events.iter().try_for_each(|event| write_event(f, event))
    }
}

impl Message {
    fn revision(&self) -> i64 {
        self.head.header.as_ref().map_or(0, |header| header.revision)
    }
}

fn write_event(f: &mut fmt::Formatter<'_>, event: &Event) -> fmt::Result {
    let kv = event.kv.as_ref().map_or_else(Default::default, Clone::clone);
    let (key, at) = (kv.key.escape_ascii(), kv.mod_revision);
    match event.r#type() {
        EventType::Put => write!(f, ", {at} put {key}={}", Short(&kv.value))?,
        EventType::Delete => write!(f, ", {at} delete {key}")?,
    }
    match &event.prev_kv {
        Some(before) => write!(f, " (was {} @{})", Short(&before.value), before.mod_revision),
        None => Ok(()),
    }
}

/// A value, or how long it is.
struct Short<'a>(&'a [u8]);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            long if long.len() > 40 => write!(f, "({} bytes)", long.len()),
            short => write!(f, "{}", short.escape_ascii()),
        }
    }
}
