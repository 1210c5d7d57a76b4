//! What a client asks of a watcher, read from the wire once: sentinels become cases, and nothing
//! of the receive buffer is kept.
//!
//! Not here: ids, which depend on the stream (`stream.rs`).

use alloc::sync::Arc;
use core::fmt;

use super::WatchId;
use super::intervals::{End, Interval};
use crate::api::KeyRange;
use crate::api::Refusal;
use crate::api::etcdserverpb::WatchCreateRequest;
use crate::api::etcdserverpb::watch_create_request::FilterType;

/// A watcher to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ask {
    /// What it watches.
    pub keys: Keys,
    /// From which revision on; none: from the next one on (WA-5).
    pub start: Option<i64>,
    /// What it wants to hear of the changes.
    pub wish: Wish,
    /// Whether a long message may be cut (WA-13).
    pub fragment: bool,
    /// Whether it wants to hear from time to time that nothing happened (WA-15).
    pub progress: bool,
    /// The id that it shall have; none: the next free one (WA-3).
    pub id: Option<WatchId>,
}

/// The keys that are watched, owned. Cloning shares them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Keys {
    /// One key.
    One(Arc<[u8]>),
    /// An interval.
    Interval(Interval),
}

/// Which changes a watcher wants to hear of, and how much of them. Watchers with the same wish and
/// the same keys get the same bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wish {
    /// Puts (no filter NOPUT).
    pub puts: bool,
    /// Deletes (no filter NODELETE).
    pub deletes: bool,
    /// The pair before the change (WA-9).
    pub previous: bool,
}

/// Why a watcher is not made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// No key can be in its range (WA-4).
    EmptyRange,
    /// It wants to begin at a negative revision (WA-6).
    NegativeStart,
    /// The stream has a watcher with this id (WA-3).
    DuplicateId,
}

impl Ask {
    /// Reads a create request.
    pub fn read(request: &WatchCreateRequest) -> Result<Self, Refused> {
        if request.start_revision < 0 {
            return Err(Refused::NegativeStart);
        }
        // The smallest key, which the API cannot name by an empty one (WA-4).
        let key = if request.key.is_empty() { &[0] } else { &request.key[..] };
        let keys = Keys::of(KeyRange::new(key, &request.range_end)).ok_or(Refused::EmptyRange)?;
        let filters = |filter: FilterType| request.filters.contains(&(filter as i32));
        Ok(Self {
            keys,
            start: Some(request.start_revision).filter(|start| *start > 0),
            wish: Wish {
                puts: !filters(FilterType::Noput),
                deletes: !filters(FilterType::Nodelete),
                previous: request.prev_kv,
            },
            fragment: request.fragment,
            progress: request.progress_notify,
            id: Some(WatchId(request.watch_id)).filter(|id| id.0 != 0),
        })
    }
}

impl Keys {
    /// A copy of a range, unless no key is in it.
    fn of(range: KeyRange<'_>) -> Option<Self> {
        let interval = |start: &[u8], end| Interval { start: Arc::from(start), end };
        match range {
            KeyRange::One(key) => Some(Self::One(Arc::from(key))),
            KeyRange::Span(..) if range.is_empty() => None,
            KeyRange::Span(start, end) => {
                Some(Self::Interval(interval(start, End::Before(Arc::from(end)))))
            }
            KeyRange::From(start) => Some(Self::Interval(interval(start, End::Never))),
        }
    }

    /// The same, borrowed.
    #[must_use]
    pub fn range(&self) -> KeyRange<'_> {
        match self {
            Self::One(key) => KeyRange::One(key),
            Self::Interval(Interval { start, end: End::Before(end) }) => KeyRange::Span(start, end),
            Self::Interval(Interval { start, end: End::Never }) => KeyRange::From(start),
        }
    }
}

impl Refused {
    /// What the client reads in `cancel_reason`.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::EmptyRange => "mvcc: watcher range is empty",
            Self::NegativeStart => Refusal::Compacted.status().1,
            Self::DuplicateId => "mvcc: duplicate watch ID provided on the WatchStream",
        }
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.keys.range())?;
        let word = |f: &mut fmt::Formatter<'_>, said, word| {
            if said { f.write_str(word) } else { Ok(()) }
        };
        if let Some(start) = self.start {
            write!(f, " from {start}")?;
        }
        if let Some(id) = self.id {
            write!(f, " as {id}")?;
        }
        word(f, !self.wish.puts, " no-put")?;
        word(f, !self.wish.deletes, " no-delete")?;
        word(f, self.wish.previous, " prev-kv")?;
        word(f, self.fragment, " fragment")?;
        word(f, self.progress, " progress")
    }
}
