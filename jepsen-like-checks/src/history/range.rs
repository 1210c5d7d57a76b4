//! The keys that a request speaks of: one key, an interval, or everything from a key on.
//!
//! On the wire, and in a history, all three are two byte strings (etcd's convention):
//!
//! ```text
//! range_end empty          the single key
//! range_end one zero byte  every key at or after key
//! otherwise                every key with key <= it < range_end; none if range_end <= key
//! ```
//!
//! Not here: which of these keys exist (`model/kv.rs`, `linearizable/guided/present.rs`).

use std::fmt;

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
    /// Reads the wire form.
    #[must_use]
    pub fn new(key: &'a [u8], range_end: &'a [u8]) -> Self {
        match range_end {
            [] => Self::One(key),
            [0] => Self::From(key),
            end => Self::Span(key, end),
        }
    }

    /// The smallest key that can be in it.
    #[must_use]
    pub fn first(&self) -> &'a [u8] {
        match self {
            Self::One(key) | Self::Span(key, _) | Self::From(key) => key,
        }
    }

    /// Whether every key of the range is below `key`.
    #[must_use]
    pub fn ends_before(&self, key: &[u8]) -> bool {
        match self {
            Self::One(only) => *only < key,
            Self::Span(_, end) => *end <= key,
            Self::From(_) => false,
        }
    }

    /// Whether some key may belong to both.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        self.contains(other.first()) || other.contains(self.first())
    }

    /// Whether `key` belongs to it.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        self.first() <= key && !self.ends_before(key)
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
