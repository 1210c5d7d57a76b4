//! The ordered index: every key that was ever put, and its history.
//!
//! ```text
//!   name      page
//!   ""   ---> [ every key below "b" ]
//!   "b"  ---> [ keys from "b" up to "fo" ]       page.rs: packed, at most 128 keys
//!   "fo" ---> [ keys from "fo" on ]
//! ```
//! An ordered map finds the page, a binary search the key in it. A page counts its keys that exist,
//! so the count of a range (every range answer wants it, KV-12) looks at pages and not at keys.
//!
//! Invariants:
//! - K1. The page named n holds exactly the keys at or above n and below the next name. The first
//!   name is empty, so every key has a page.
//! - K2. `live` is the number of keys that exist now.
//!
//! Not here: what the records say (`record.rs`).

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::ops::Bound;

use super::Revision;
use super::history::{Change, History};
use super::page::Page;
use crate::api::KeyRange;

/// All keys in order.
#[derive(Clone, Debug)]
pub struct KeyIndex {
    pages: BTreeMap<Box<[u8]>, Page>,
    live: usize,
}

impl KeyIndex {
    /// No key at all.
    pub fn new() -> Self {
        Self { pages: BTreeMap::from([(Box::default(), Page::default())]), live: 0 }
    }

    /// How many keys exist now.
    pub fn live(&self) -> usize {
        self.live
    }

    /// The history of a key that was ever put.
    pub fn get(&self, key: &[u8]) -> Option<&History> {
        self.page(key).1.get(key)
    }

    /// Appends a change to the history of a key. Tells the put that was in force until now.
    pub fn change(&mut self, key: &[u8], change: Change) -> Option<Revision> {
        let up_to_key = (Bound::Unbounded, Bound::Included(key));
        let mut pages = self.pages.range_mut::<[u8], _>(up_to_key);
        let (_, page) = pages.next_back().expect("K1: every key has a page");
        let live = page.live();
        let before = page.change(key, change);
        self.live = self.live - live + page.live();
        if page.is_full() {
            let (name, upper) = page.split();
            self.pages.insert(name.into_boxed_slice(), upper);
        }
        before
    }

    /// How many keys of a range exist now.
    pub fn count(&self, range: KeyRange<'_>) -> usize {
        let mut pages = self.pages_of(range);
        let first = pages.next().map_or(0, |page| live_within(page, range));
        let last = pages.next_back().map_or(0, |page| live_within(page, range));
        first + pages.map(Page::live).sum::<usize>() + last
    }

    /// The histories of all keys in a range, in key order.
    pub fn walk<'a>(&'a self, range: KeyRange<'a>) -> impl Iterator<Item = &'a History> {
        self.pages_of(range).flat_map(move |page| page.within(range))
    }

    /// The pages that can hold a key of a range: only the first and the last may hold others too.
    fn pages_of<'a>(&'a self, range: KeyRange<'a>) -> impl DoubleEndedIterator<Item = &'a Page> {
        let bounds = (!range.is_empty()).then(|| match range {
            KeyRange::One(key) => (self.page(key).0, Bound::Included(key)),
            KeyRange::Span(key, end) => (self.page(key).0, Bound::Excluded(end)),
            KeyRange::From(key) => (self.page(key).0, Bound::Unbounded),
        });
        bounds.into_iter().flat_map(|(name, end)| {
            self.pages.range::<[u8], _>((Bound::Included(name), end)).map(|(_, page)| page)
        })
    }

    fn page(&self, key: &[u8]) -> (&[u8], &Page) {
        let up_to_key = (Bound::Unbounded, Bound::Included(key));
        let (name, page) =
            self.pages.range::<[u8], _>(up_to_key).next_back().expect("K1: every key has a page");
        (name, page)
    }
}

fn live_within(page: &Page, range: KeyRange<'_>) -> usize {
    page.within(range).iter().filter(|history| history.live().is_some()).count()
}
