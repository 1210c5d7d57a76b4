//! The keys that a request speaks of (semantics KV-8): one key, an interval, or everything from a
//! key on. The wire writes all three as two byte strings; here they are three cases.
//!
//! Not here: whether the caller may touch them.

use core::fmt;
use core::ops::Bound;

/// A set of neighbouring keys, borrowed from a request. Keys are ordered as unsigned bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyRange<'a> {
    /// Exactly this key.
    One(&'a [u8]),
    /// Keys at or after the first and before the second. Empty if the second is not greater.
    Span(&'a [u8], &'a [u8]),
    /// Every key at or after this one.
    From(&'a [u8]),
}

impl<'a> KeyRange<'a> {
    /// Reads the wire form: an empty end means one key, an end of one zero byte means no end.
    #[must_use]
    pub fn new(key: &'a [u8], range_end: &'a [u8]) -> Self {
        match range_end {
            [] => Self::One(key),
            [0] => Self::From(key),
            end => Self::Span(key, end),
        }
    }

    /// Whether no key at all can be in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Span(key, end) if end <= key)
    }

    /// Whether `key` belongs to it.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        match self {
            Self::One(only) => key == *only,
            Self::Span(first, end) => *first <= key && key < *end,
            Self::From(first) => *first <= key,
        }
    }

    /// What is left of it when all keys before `next` are done.
    #[must_use]
    pub fn going_on_at<'b>(self, next: &'b [u8]) -> KeyRange<'b>
    where
        'a: 'b,
    {
        match self {
            // Nothing: an interval that ends where it begins.
            Self::One(_) => KeyRange::Span(next, next),
            Self::Span(_, end) => KeyRange::Span(next, end),
            Self::From(_) => KeyRange::From(next),
        }
    }

    /// The range as bounds for an ordered map. Must not be called on an empty range: a map
    /// panics on bounds that cross.
    #[must_use]
    pub fn bounds(&self) -> (Bound<&'a [u8]>, Bound<&'a [u8]>) {
        assert!(!self.is_empty(), "an empty range has no bounds");
        match *self {
            Self::One(key) => (Bound::Included(key), Bound::Included(key)),
            Self::Span(key, end) => (Bound::Included(key), Bound::Excluded(end)),
            Self::From(key) => (Bound::Included(key), Bound::Unbounded),
        }
    }
}

impl fmt::Display for KeyRange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(key) => write!(f, "\"{}\"", key.escape_ascii()),
            Self::Span(key, end) => {
                write!(f, "[\"{}\", \"{}\")", key.escape_ascii(), end.escape_ascii())
            }
            Self::From(key) => write!(f, "[\"{}\", ...)", key.escape_ascii()),
        }
    }
}
