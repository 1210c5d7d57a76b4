//! The ordered index: every key that was ever put, and its history. A B+ tree of packed pages.
//!
//! ```text
//!                  [ ""              "c" ]                inner: names of children
//!                   /                   \
//!        [ ""    "b"   "bo" ]         [ "c"   "fo" ]
//!        /        |       \            /         \
//!   [ a a1 a2 ] [ b bb ] [ box by ] [ cat do ] [ fog x ]  leaf: keys and their histories
//! ```
//! A child holds the keys at or above its name and below the next name; a name is as short as it
//! can be. Every node counts its keys that exist, so the count of a range (every range answer wants
//! it, KV-12) costs a few nodes and not a look at every key.
//!
//! Invariants:
//! - K1. The first name of an inner node is its own name, that of the root is empty: every key has
//!   exactly one leaf.
//! - K2. `live` of a node is the number of keys below it that exist now.
//! - K3. All leaves are on one level.
//!
//! Not here: how a page is laid out (`page.rs`), what the records say (`record.rs`).

mod prune;

use alloc::vec::Vec;
use core::slice;

use super::Revision;
use super::history::{Change, History};
use super::page::{Page, shared_len};
use crate::api::KeyRange;

/// All keys in order.
#[derive(Clone, Debug)]
pub struct KeyIndex {
    root: Node,
}

#[derive(Clone, Debug)]
struct Node {
    live: usize,
    below: Below,
}

#[derive(Clone, Debug)]
enum Below {
    Leaf(Page<History>),
    Inner(Page<Node>),
}

/// The histories of a range, in key order.
#[derive(Debug)]
pub struct Walk<'a> {
    range: KeyRange<'a>,
    histories: slice::Iter<'a, History>,
    /// What is left of every inner node on the way down, the root first.
    path: Vec<slice::Iter<'a, Node>>,
}

impl KeyIndex {
    /// No key at all.
    pub fn new() -> Self {
        Self { root: Node::new(Below::Leaf(Page::new())) }
    }

    /// How many keys exist now.
    pub fn live(&self) -> usize {
        self.root.live
    }

    /// The history of a key that was ever put.
    pub fn get(&self, key: &[u8]) -> Option<&History> {
        let mut node = &self.root;
        loop {
            match &node.below {
                Below::Leaf(page) => return page.find(key).ok().map(|place| &page.items()[place]),
                Below::Inner(page) => node = &page.items()[child(page, key)],
            }
        }
    }

    /// Appends a change to the history of a key, which begins here if there was none. Tells the
    /// put that was in force until now.
    pub fn change(&mut self, key: &[u8], change: Change) -> Option<Revision> {
        let before = self.root.change(key, change);
        if self.root.is_full() {
            let (name, upper) = self.root.split();
            let mut page = Page::new();
            page.insert(0, &name, upper);
            let lower = core::mem::replace(&mut self.root, Node::new(Below::Leaf(Page::new())));
            page.insert(0, &[], lower);
            self.root = Node::new(Below::Inner(page));
        }
        before
    }

    /// How many keys of a range exist now.
    pub fn count(&self, range: KeyRange<'_>) -> usize {
        if range.is_empty() { 0 } else { self.root.count(range) }
    }

    /// The histories of all keys in a range, in key order.
    pub fn walk<'a>(&'a self, range: KeyRange<'a>) -> Walk<'a> {
        let (mut histories, mut path): (&[History], _) = (&[], Vec::new());
        match range {
            KeyRange::One(key) => histories = self.get(key).map_or(&[], slice::from_ref),
            KeyRange::Span(..) if range.is_empty() => {}
            KeyRange::Span(..) | KeyRange::From(_) => path.push(slice::from_ref(&self.root).iter()),
        }
        Walk { range, histories: histories.iter(), path }
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = &'a History;

    fn next(&mut self) -> Option<&'a History> {
        loop {
            if let Some(history) = self.histories.next() {
                return Some(history);
            }
            let Some(node) = self.path.last_mut()?.next() else {
                self.path.pop();
                continue;
            };
            match &node.below {
                Below::Leaf(page) => self.histories = keys_in(page, self.range).iter(),
                Below::Inner(page) => self.path.push(children_in(page, self.range).iter()),
            }
        }
    }
}

impl Node {
    /// Counts what is below it.
    fn new(below: Below) -> Self {
        let live = match &below {
            Below::Leaf(page) => live_among(page.items()),
            Below::Inner(page) => page.items().iter().map(|child| child.live).sum(),
        };
        Self { live, below }
    }

    fn change(&mut self, key: &[u8], change: Change) -> Option<Revision> {
        let before = match &mut self.below {
            Below::Leaf(page) => change_in(page, key, change),
            Below::Inner(page) => {
                let place = child(page, key);
                let node = page.item_mut(place);
                let before = node.change(key, change);
                if node.is_full() {
                    let (name, upper) = node.split();
                    page.insert(place + 1, &name, upper);
                }
                before
            }
        };
        self.live += usize::from(!change.is_delete());
        self.live -= usize::from(before.is_some());
        before
    }

    fn is_full(&self) -> bool {
        match &self.below {
            Below::Leaf(page) => page.is_full(),
            Below::Inner(page) => page.is_full(),
        }
    }

    /// Cuts off the upper part. Returns it with its name.
    fn split(&mut self) -> (Vec<u8>, Self) {
        let (name, upper) = match &mut self.below {
            Below::Leaf(page) => {
                let (mut name, upper) = page.split();
                // What tells it from the keys that stay is enough.
                name.truncate(page.last_key().map_or(0, |last| shared_len(&last, &name) + 1));
                (name, Below::Leaf(upper))
            }
            Below::Inner(page) => {
                let (name, upper) = page.split();
                (name, Below::Inner(upper))
            }
        };
        let upper = Self::new(upper);
        assert!(upper.live <= self.live, "K2: {} of {} keys", upper.live, self.live);
        self.live -= upper.live;
        (name, upper)
    }

    /// Only the first and the last child can hold keys that are not in the range.
    fn count(&self, range: KeyRange<'_>) -> usize {
        match &self.below {
            Below::Leaf(page) => live_among(keys_in(page, range)),
            Below::Inner(page) => match children_in(page, range) {
                [first, between @ .., last] => {
                    let whole: usize = between.iter().map(|child| child.live).sum();
                    first.count(range) + whole + last.count(range)
                }
                one => one.iter().map(|child| child.count(range)).sum(),
            },
        }
    }
}

fn change_in(page: &mut Page<History>, key: &[u8], change: Change) -> Option<Revision> {
    match page.find(key) {
        Ok(place) => {
            let history = page.item_mut(place);
            let before = history.live();
            history.push(change);
            before
        }
        Err(place) => {
            page.insert(place, key, History::One(change));
            None
        }
    }
}

/// The child whose leaf holds a key: the last one that is not named above it.
fn child(page: &Page<Node>, key: &[u8]) -> usize {
    match page.find(key) {
        Ok(place) => place,
        Err(above) => above.checked_sub(1).expect("K1: no key is below the first name"),
    }
}

fn keys_in<'a>(page: &'a Page<History>, range: KeyRange<'_>) -> &'a [History] {
    let place = |key: &[u8]| page.find(key).unwrap_or_else(|place| place);
    match range {
        KeyRange::One(key) => page.find(key).map_or(&[], |place| &page.items()[place..=place]),
        KeyRange::Span(key, end) => &page.items()[place(key)..place(end)],
        KeyRange::From(key) => &page.items()[place(key)..],
    }
}

fn children_in<'a>(page: &'a Page<Node>, range: KeyRange<'_>) -> &'a [Node] {
    // A range may begin below the first name here, in an earlier node.
    let place = |key: &[u8]| page.find(key).unwrap_or_else(|above| above.saturating_sub(1));
    match range {
        KeyRange::One(key) => slice::from_ref(&page.items()[child(page, key)]),
        KeyRange::Span(key, end) => &page.items()[place(key)..=place(end)],
        KeyRange::From(key) => &page.items()[place(key)..],
    }
}

fn live_among(histories: &[History]) -> usize {
    histories.iter().filter(|history| history.live().is_some()).count()
}
