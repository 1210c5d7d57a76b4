//! Numbers on disk: little-endian, each at a fixed place.
//!
//! ```text
//! log id    | index u64 | term u64 |                              16 bytes; index 0: none
//! promise   | term u64 | vote u64, 0: none | last log id |       32 bytes
//! ```
//! [`Put`] fills an array of known size and [`Take`] reads one, so neither can run over: sizes
//! are a matter of this source and not of what is on the disk.
//!
//! Not here: what may be foreign. Lengths and counts are judged where they are used.

use crate::types::{HardState, Index, LogId, NodeId, Term};

/// What a member has promised: its hard state, and where its log ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Promise {
    pub(super) hard: HardState,
    pub(super) last: LogId,
}

impl Promise {
    /// Whether a member that promised `self` may promise `next` (W3): terms never go back, and a
    /// vote stays for the rest of its term.
    pub(super) fn allows(&self, next: &HardState) -> bool {
        let before = self.hard;
        next.term > before.term
            || next.term == before.term && (before.vote.is_none() || next.vote == before.vote)
    }
}

/// Writes fields behind each other into `N` bytes.
pub(super) struct Put<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Put<N> {
    pub(super) fn new() -> Self {
        Self { bytes: [0; N], at: 0 }
    }

    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        let end = self.at + bytes.len();
        self.bytes[self.at..end].copy_from_slice(bytes);
        self.at = end;
        self
    }

    pub(super) fn u32(self, value: u32) -> Self {
        self.raw(&value.to_le_bytes())
    }

    pub(super) fn u64(self, value: u64) -> Self {
        self.raw(&value.to_le_bytes())
    }

    pub(super) fn id(self, id: LogId) -> Self {
        self.u64(id.index.0).u64(id.term.0)
    }

    pub(super) fn promise(self, promise: &Promise) -> Self {
        let HardState { term, vote } = promise.hard;
        assert!(vote != Some(NodeId(0)), "node 0 means nobody on disk and cannot be voted for");
        self.u64(term.0).u64(vote.map_or(0, |node| node.0)).id(promise.last)
    }

    /// The bytes; what was not written is zero.
    pub(super) fn done(self) -> [u8; N] {
        self.bytes
    }
}

/// Reads fields behind each other.
pub(super) struct Take<'a>(pub(super) &'a [u8]);

impl Take<'_> {
    pub(super) fn raw<const N: usize>(&mut self) -> [u8; N] {
        let Some((head, rest)) = self.0.split_first_chunk::<N>() else {
            panic!("a field lies outside of its record: {} bytes left of {N}", self.0.len());
        };
        self.0 = rest;
        *head
    }

    pub(super) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.raw())
    }

    pub(super) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.raw())
    }

    pub(super) fn id(&mut self) -> LogId {
        LogId { index: Index(self.u64()), term: Term(self.u64()) }
    }

    pub(super) fn promise(&mut self) -> Promise {
        let (term, vote) = (Term(self.u64()), self.u64());
        let hard = HardState { term, vote: (vote != 0).then_some(NodeId(vote)) };
        Promise { hard, last: self.id() }
    }
}
