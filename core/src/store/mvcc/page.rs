//! Neighbouring keys, packed: what every node of the index is made of.
//!
//! ```text
//!   keys   /pods/ns/a7   /pods/ns/a93   /pods/ns/b
//!
//!   text   / p o d s / n s /  a 7  a 9 3  b           the shared beginning is written once
//!          |-----shared-----| |---|-----|-|
//!   ends                      .   11    14 15
//!   items                    [ ]   [ ]  [ ]
//! ```
//! A heap string per key would cost 40 bytes more for each, and a miss of the processor's caches
//! for every comparison; here a search touches a handful of neighbouring lines.
//!
//! Invariants:
//! - P1. The keys rise strictly.
//! - P2. Every key begins with the shared text, and the rest of key i lies in the text between
//!   `ends[i - 1]` and `ends[i]`.
//!
//! Not here: which page a key belongs to, what the items are (`key_index.rs`).

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::ops::Range;

/// A page is to be split when it holds more keys than this,
const MAX_KEYS: usize = 128;
/// or more text, so that an insertion does not move much,
const MAX_TEXT: usize = 16 * 1024;
/// but not if it has only so many keys, however long: a tree needs nodes that fan out.
const MIN_KEYS: usize = 8;

/// A run of keys, with an item for each.
#[derive(Clone, Debug)]
pub struct Page<T> {
    shared: usize,
    text: Vec<u8>,
    ends: Vec<u32>,
    items: Vec<T>,
    /// Where the last new key went.
    newest: usize,
}

impl<T> Page<T> {
    /// No keys.
    pub fn new() -> Self {
        Self { shared: 0, text: Vec::new(), ends: Vec::new(), items: Vec::new(), newest: 0 }
    }

    /// The items, in key order.
    pub fn items(&self) -> &[T] {
        &self.items
    }

    /// One item, to be changed.
    pub fn item_mut(&mut self, place: usize) -> &mut T {
        &mut self.items[place]
    }

    /// Whether it should be split.
    pub fn is_full(&self) -> bool {
        let keys = self.items.len();
        keys > MAX_KEYS || (keys > MIN_KEYS && self.text.len() > MAX_TEXT)
    }

    /// Where a key is, or where it would have to go.
    pub fn find(&self, key: &[u8]) -> Result<usize, usize> {
        let shared = &self.text[..self.shared];
        let (head, rest) = key.split_at(key.len().min(self.shared));
        match head.cmp(shared) {
            Ordering::Less => Err(0),
            Ordering::Greater => Err(self.ends.len()),
            Ordering::Equal => self.find_rest(rest),
        }
    }

    /// Whether it would do its neighbour good to take it in.
    pub fn is_small(&self) -> bool {
        self.items.len() <= MAX_KEYS / 4 && self.text.len() <= MAX_TEXT / 4
    }

    /// Whether one page can hold these keys and those of the page behind it, and not be full.
    pub fn fits_with(&self, upper: &Self) -> bool {
        let keys = self.items.len() + upper.items.len();
        keys <= MIN_KEYS
            || (keys <= MAX_KEYS && self.unshared_len() + upper.unshared_len() <= MAX_TEXT)
    }

    /// Puts a new key at the place where `find` says that it would have to go.
    pub fn insert(&mut self, place: usize, key: &[u8], item: T) {
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
        make_room(&mut self.items, 1);
        self.items.insert(place, item);
        self.newest = place;
        self.check_neighbours(place);
    }

    /// Takes a key out.
    pub fn remove(&mut self, place: usize) -> T {
        let (start, end) = (self.start(place), self.ends[place] as usize);
        self.text.drain(start..end);
        self.ends.remove(place);
        for later in &mut self.ends[place..] {
            *later -= narrow(end - start);
        }
        if self.ends.is_empty() {
            (self.text, self.shared) = (Vec::new(), 0);
        }
        let item = self.items.remove(place);
        self.newest = 0;
        give_room_back(&mut self.text);
        give_room_back(&mut self.ends);
        give_room_back(&mut self.items);
        item
    }

    /// Takes over the keys of the page behind this one.
    pub fn append(&mut self, upper: Self) {
        let keys: Vec<Vec<u8>> = (0..upper.ends.len()).map(|place| upper.key(place)).collect();
        for (key, item) in keys.into_iter().zip(upper.items) {
            self.insert(self.ends.len(), &key, item);
        }
        self.newest = 0;
    }

    /// Cuts off the upper part. Returns it with its first key.
    pub fn split(&mut self) -> (Vec<u8>, Self) {
        let len = self.items.len();
        assert!(len > 1, "a page of {len} keys cannot be split");
        // Keys that are put in rising order would otherwise leave half-empty pages behind them.
        let middle = if self.newest + 1 == len { len - 1 } else { len / 2 };
        let first = self.key(middle);
        let items = self.items.split_off(middle);
        self.items.shrink_to_fit();
        let upper = self.part(middle..len, items);
        let items = core::mem::take(&mut self.items);
        *self = self.part(0..middle, items);
        (first, upper)
    }

    /// The last key, if there is one.
    pub fn last_key(&self) -> Option<Vec<u8>> {
        self.ends.len().checked_sub(1).map(|place| self.key(place))
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
    fn part(&self, places: Range<usize>, items: Vec<T>) -> Self {
        let shared = shared_len(&self.key(places.start), &self.key(places.end - 1));
        let (text, ends) = self.pack(places, shared);
        Self { shared, text, ends, items, newest: 0 }
    }

    /// The packed form of some of these keys when `shared` bytes of them are written once.
    fn pack(&self, places: Range<usize>, shared: usize) -> (Vec<u8>, Vec<u32>) {
        let mut ends = Vec::with_capacity(places.len());
        let mut text = places.clone().next().map_or(Vec::new(), |first| self.key(first));
        text.truncate(shared);
        for place in places {
            text.extend_from_slice(&self.key(place)[shared..]);
            ends.push(narrow(text.len()));
        }
        text.shrink_to_fit();
        (text, ends)
    }

    /// Bytes of all keys if none of them shared any.
    fn unshared_len(&self) -> usize {
        self.text.len() + self.shared * self.ends.len().saturating_sub(1)
    }

    fn check_neighbours(&self, place: usize) {
        let below = place == 0 || self.rest(place - 1) < self.rest(place);
        let above = place + 1 == self.ends.len() || self.rest(place) < self.rest(place + 1);
        assert!(below && above, "P1: a key is at the wrong place");
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
pub fn shared_len(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Grows in small steps: doubling would leave a third of all pages empty.
fn make_room<T>(vec: &mut Vec<T>, more: usize) {
    if vec.capacity() - vec.len() < more {
        vec.reserve_exact(more.max(vec.len() / 8).max(4));
    }
}

/// Shrinks when more than half is empty: seldom, and never far behind.
fn give_room_back<T>(vec: &mut Vec<T>) {
    if vec.capacity() > 2 * vec.len() {
        vec.shrink_to_fit();
    }
}

fn narrow(len: usize) -> u32 {
    u32::try_from(len).expect("the keys of a page are far shorter than 4 GiB")
}
