//! A watch: what one watcher asked for, and every message that it was sent, in order.
//!
//! A watch is no operation: it has no moment at which it takes effect. It is a view of the
//! revisions, from some revision on, that a client collects message by message:
//!
//! ```text
//! asked      keys [a, b) from revision 5
//! created    watch id 3, the store is at revision 9
//! events     5: put a=1                 header 9
//! events     7: delete a, 9: put a=2    header 10      whole revisions, in order, none twice
//! progress   header 12                                 nothing up to 12 is still to come
//! ended      the connection broke                      another watch goes on from 13
//! ```
//!
//! Each watcher of a stream has a record of its own. A message for the whole stream (`watch_id` -1:
//! progress on request) is written into the record of each watcher that the stream then had, since
//! it speaks for all of them. So is whatever carries the id of no watcher, like a refused creation:
//! into the record of the watch that it answers.
//!
//! Invariants:
//! - H4. Watch numbers are unique. (They are numbered apart from operations.)
//! - H5. A watch's messages are in the order of their times, none before it was asked for, none
//!   after its end.
//!
//! Not here: what a watcher must be shown (`watch/` of this crate).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::message::{KeyValue, is_empty, is_false};
use super::{ByteString, ClientId, KeyRange, Micros, Revision};

/// The name of one watch in every report.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WatchNumber(pub u64);

/// One stream that carries watchers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamId(pub u64);

/// One watcher, from the request that created it to its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Watch {
    /// Its name in every report.
    pub number: WatchNumber,
    /// Who watches.
    pub client: ClientId,
    /// The stream that carries it.
    pub stream: StreamId,
    /// Which member serves it, in which of its lives, if that is known.
    pub endpoint: Option<Arc<str>>,
    /// When the request left the client.
    pub invoked: Micros,
    /// What was asked.
    pub request: WatchRequest,
    /// What came, in order.
    pub messages: Vec<WatchMessage>,
    /// How it ended.
    pub end: WatchEnd,
}

/// Asks for a watcher.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchRequest {
    /// The first key; the empty one stands for the smallest.
    pub key: ByteString,
    /// The end, in etcd's convention: see [`KeyRange`].
    #[serde(default, skip_serializing_if = "is_empty")]
    pub range_end: ByteString,
    /// The first revision of interest; none begins after the present one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_revision: Option<Revision>,
    /// Whether puts are of no interest.
    #[serde(default, skip_serializing_if = "is_false")]
    pub no_put: bool,
    /// Whether deletes are of no interest.
    #[serde(default, skip_serializing_if = "is_false")]
    pub no_delete: bool,
    /// Whether the pairs as they were before are wanted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub prev_kv: bool,
    /// Whether quiet times are to be filled with progress messages.
    #[serde(default, skip_serializing_if = "is_false")]
    pub progress_notify: bool,
    /// Whether large messages may be cut.
    #[serde(default, skip_serializing_if = "is_false")]
    pub fragment: bool,
    /// The id to use; none lets the store choose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch_id: Option<i64>,
}

impl WatchRequest {
    /// The keys that it speaks of.
    #[must_use]
    pub fn keys(&self) -> KeyRange<'_> {
        if self.key.is_empty() && self.range_end.is_empty() {
            return KeyRange::One(&[0]);
        }
        KeyRange::new(&self.key, &self.range_end)
    }

    /// Whether an event is among those asked for.
    #[must_use]
    pub fn wants(&self, event: &WatchEvent) -> bool {
        let filtered = match event.kind {
            EventKind::Put => self.no_put,
            EventKind::Delete => self.no_delete,
        };
        !filtered && self.keys().contains(&event.kv.key)
    }
}

/// One message to a watcher, as the wire has it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchMessage {
    /// When it reached the client.
    pub at: Micros,
    /// The revision in the header; 0 where the store gives none (WA-7).
    pub revision: Revision,
    /// The watcher that it speaks of; -1 for all of the stream, or for none.
    pub watch_id: i64,
    /// Whether it answers the request.
    #[serde(default, skip_serializing_if = "is_false")]
    pub created: bool,
    /// Whether it is the last one.
    #[serde(default, skip_serializing_if = "is_false")]
    pub canceled: bool,
    /// The compaction mark that ended the watch, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compact_revision: Option<Revision>,
    /// Why it ended, to the letter.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cancel_reason: String,
    /// Whether the rest of it comes in the next message.
    #[serde(default, skip_serializing_if = "is_false")]
    pub fragment: bool,
    /// What happened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<WatchEvent>,
}

impl WatchMessage {
    /// Whether it says how far the watcher has come, and nothing else (WA-15, WA-16).
    #[must_use]
    pub fn is_progress(&self) -> bool {
        !self.created && !self.canceled && !self.fragment && self.events.is_empty()
    }
}

/// A change of one key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchEvent {
    /// What happened to the key.
    pub kind: EventKind,
    /// A put's whole pair; of a delete only the key and, as its modification, the revision (WA-8).
    pub kv: KeyValue,
    /// The pair as it was before, if it was asked for and is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev_kv: Option<KeyValue>,
}

impl WatchEvent {
    /// The revision that made the change.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.kv.mod_revision
    }

    /// Whether it says that the key's life begins (WA-8).
    #[must_use]
    pub fn is_create(&self) -> bool {
        self.kind == EventKind::Put && self.kv.create_revision == self.kv.mod_revision
    }
}

/// What happened to a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// It was written.
    Put,
    /// It was removed.
    Delete,
}

/// How a watch ended, as far as the client can tell.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WatchEnd {
    /// It had not ended when the history did.
    Running,
    /// The store said so, in the last message; whether asked to by the client.
    Canceled {
        /// When the client asked for it, if it did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asked: Option<Micros>,
    },
    /// The client asked for it and looked no further.
    Dropped {
        /// When.
        at: Micros,
    },
    /// The stream broke.
    Broken {
        /// When the client noticed.
        at: Micros,
        /// What it saw.
        why: String,
    },
}

impl WatchEnd {
    /// When it ended, where that is not told by the last message.
    #[must_use]
    pub fn at(&self) -> Option<Micros> {
        match self {
            Self::Running | Self::Canceled { .. } => None,
            Self::Dropped { at } | Self::Broken { at, .. } => Some(*at),
        }
    }
}
