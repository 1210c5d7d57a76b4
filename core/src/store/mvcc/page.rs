//! Neighbouring keys, packed: the leaves of the index.
//!
//! ```text
//!   keys   /pods/ns/a7   /pods/ns/a93   /pods/ns/b
//!
//!   text   / p o d s / n s /  a 7  a 9 3  b           the shared beginning is written once
//!          |-----shared-----| |---|-----|-|
//!   ends                      .   11    14 15
//!   histories                 [ ]  [ ]  [ ]
//! ```
//! A map with a heap string per key costs some 60 bytes more for each, and a cache miss for every
//! comparison; here a search touches a handful of neighbouring lines.
//!
//! Invariants:
//! - P1. The keys rise strictly.
//! - P2. Every key begins with the shared text, and the rest of key i is `text[ends[i-1]..ends[i]]`.
//! - P3. `live` counts the keys that exist now.
//!
//! Not here: which page a key belongs to (`key_index.rs`).

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::ops::Range;

use super::Revision;
use super::history::{Change, History};
use crate::api::KeyRange;

/// A page is split when it holds more keys than this,
const MAX_KEYS: usize = 128;
/// or more text, so that an insertion never moves much.
const MAX_TEXT: usize = 16 * 1024;

/// A run of keys and their histories.
#[derive(Clone, Debug, Default)]
pub struct Page {
    shared: usize,
    text: Vec<u8>,
    ends: Vec<u32>,
    histories: Vec<History>,
    live: usize,
    newest: usize,
}

impl Page {
    /// How many of its keys exist now.
    pub fn live(&self) -> usize {
        self.live
    }

    /// The history of a key that was ever put.
    pub fn get(&self, key: &[u8]) -> Option<&History> {
        self.find(key).ok().map(|place| &self.histories[place])
    }

    /// The histories of its keys in a range that is not empty, in key order.
    pub fn within(&self, range: KeyRange<'_>) -> &[History] {
        let from = |key: &[u8]| self.find(key).unwrap_or_else(|place| place);
        let places = match range {
            KeyRange::One(key) => self.find(key).map_or(0..0, |place| place..place + 1),
            KeyRange::Span(key, end) => from(key)..from(end),
            KeyRange::From(key) => from(key)..self.histories.len(),
        };
        &self.histories[places]
    }

    /// Appends a change to the history of a key, which begins here if there was none. Tells the
    /// put that was in force until now.
    pub fn change(&mut self, key: &[u8], change: Change) -> Option<Revision> {
        let (place, before) = match self.find(key) {
            Ok(place) => {
                let before = self.histories[place].live();
                self.histories[place].push(change);
                (place, before)
            }
            Err(place) => {
                self.insert(place, key, History::One(change));
                (place, None)
            }
        };
        self.live -= usize::from(before.is_some());
        self.live += usize::from(self.histories[place].live().is_some());
        before
    }

    /// Whether it should be split.
    pub fn is_full(&self) -> bool {
        let keys = self.histories.len();
        keys > MAX_KEYS || (keys > 1 && self.text.len() > MAX_TEXT)
    }

    /// Cuts off the upper part. Returns it with a name: a string that is above every key that
    /// stays and not above any that goes.
    pub fn split(&mut self) -> (Vec<u8>, Self) {
        let len = self.histories.len();
        assert!(len > 1, "a page of {len} keys cannot be split");
        // Keys that are put in rising order would otherwise leave half-empty pages behind them.
        let middle = if self.newest + 1 == len { len - 1 } else { len / 2 };
        let mut name = self.key(middle);
        name.truncate(shared_len(&self.key(middle - 1), &name) + 1);
        let upper = self.part(middle..len);
        *self = self.part(0..middle);
        (name, upper)
    }

    /// Where a key is, or where it would have to go.
    fn find(&self, key: &[u8]) -> Result<usize, usize> {
        let shared = &self.text[..self.shared];
        let (head, rest) = key.split_at(key.len().min(self.shared));
        match head.cmp(shared) {
            Ordering::Less => Err(0),
            Ordering::Greater => Err(self.ends.len()),
            Ordering::Equal => self.find_rest(rest),
        }
    }

    fn find_rest(&self, rest: &[u8]) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.ends.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.rest(middle).cmp(rest) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Ok(middle),
                Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    fn insert(&mut self, place: usize, key: &[u8], history: History) {
        self.share(key);
        let rest = &key[self.shared..];
        let start = self.start(place);
        make_room(&mut self.text, rest.len());
        self.text.splice(start..start, rest.iter().copied());
        make_room(&mut self.ends, 1);
        self.ends.insert(place, narrow(start));
        for end in &mut self.ends[place..] {
            *end += narrow(rest.len());
        }
        make_room(&mut self.histories, 1);
        self.histories.insert(place, history);
        self.newest = place;
        assert!(place == 0 || self.rest(place - 1) < self.rest(place), "P1: keys rise");
    }

    /// Shortens the shared text until `key` begins with it too (P2).
    fn share(&mut self, key: &[u8]) {
        if self.ends.is_empty() {
            self.text = Vec::from(key);
            self.shared = key.len();
        }
        let shared = shared_len(&self.text[..self.shared], key);
        if shared < self.shared {
            (self.text, self.ends) = self.pack(0..self.ends.len(), shared);
            self.shared = shared;
        }
    }

    /// A page of some of these keys, with as much shared text as they have.
    fn part(&self, places: Range<usize>) -> Self {
        let shared = shared_len(&self.key(places.start), &self.key(places.end - 1));
        let (text, ends) = self.pack(places.clone(), shared);
        let histories = self.histories[places].to_vec();
        let live = histories.iter().filter(|history| history.live().is_some()).count();
        Self { shared, text, ends, histories, live, newest: 0 }
    }

    /// The packed form of some of these keys when `shared` bytes of them are written once.
    fn pack(&self, places: Range<usize>, shared: usize) -> (Vec<u8>, Vec<u32>) {
        let mut text = self.key(places.start);
        text.truncate(shared);
        let mut ends = Vec::with_capacity(places.len());
        for place in places {
            text.extend_from_slice(&self.key(place)[shared..]);
            ends.push(narrow(text.len()));
        }
        text.shrink_to_fit();
        (text, ends)
    }

    fn key(&self, place: usize) -> Vec<u8> {
        [&self.text[..self.shared], self.rest(place)].concat()
    }

    fn rest(&self, place: usize) -> &[u8] {
        &self.text[self.start(place)..self.ends[place] as usize]
    }

    fn start(&self, place: usize) -> usize {
        place.checked_sub(1).map_or(self.shared, |before| self.ends[before] as usize)
    }
}

/// How many bytes two strings begin with in common.
fn shared_len(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Grows in small steps: doubling would leave a third of all pages empty.
fn make_room<T>(vec: &mut Vec<T>, more: usize) {
    if vec.capacity() - vec.len() < more {
        vec.reserve_exact(more.max(vec.len() / 8).max(4));
    }
}

fn narrow(len: usize) -> u32 {
    u32::try_from(len).expect("the keys of a page are far shorter than 4 GiB")
}
