//! All records by revision: what readers fetch and what watchers catch up with.
//!
//! ```text
//!   page: up to 256 records, in order
//!   [ 2.0  3.0  4.0  4.1  4.2  5.0 ... ]  [ 255.0  256.0 ... ]  [ ... ] <- new records go here
//! ```
//! A binary search finds the page, and mostly a guess finds the place in it: where transactions
//! are single changes, it is the distance from the first. Pages are packed: 24 bytes per record
//! besides its own bytes, where an entry of an ordered map would take 60.
//!
//! Invariants:
//! - R1. Revisions rise strictly from record to record. No page is empty, and `first` is at or
//!   below its first record.
//!
//! Not here: whose revision it is (`key_index.rs`).

use alloc::vec;
use alloc::vec::Vec;

use super::Revision;
use super::record::Record;

const PAGE: usize = 256;

/// The records, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Records {
    pages: Vec<Page>,
}

#[derive(Clone, Debug)]
struct Page {
    /// Of its first record, until that one goes.
    first: Revision,
    slots: Vec<Slot>,
}

/// A record and its revision; the main part counts from that of the page, to be small.
#[derive(Clone, Debug)]
struct Slot {
    main: u32,
    sub: u32,
    record: Record,
}

const _: () = assert!(size_of::<Slot>() == 24, "every record pays for it");

impl Records {
    /// Appends the newest record.
    pub fn push(&mut self, at: Revision, record: Record) {
        if let Some(page) = self.pages.last_mut() {
            let newest = page.slots.last().expect("R1: no page is empty").at(page.first);
            assert!(at > newest, "R1: {at} after {newest}");
            if let Some(main) = offset(page.first, at).filter(|_| page.slots.len() < PAGE) {
                page.slots.push(Slot { main, sub: at.sub, record });
                return;
            }
            page.slots.shrink_to_fit();
        }
        let slots = vec![Slot { main: 0, sub: at.sub, record }];
        self.pages.push(Page { first: at, slots });
    }

    /// The record of a revision that some history names.
    pub fn get(&self, at: Revision) -> &Record {
        let behind = self.pages.partition_point(|page| page.first <= at);
        let record = self.pages[..behind].last().and_then(|page| page.get(at));
        record.unwrap_or_else(|| panic!("R1: there is no record {at}"))
    }

    /// Takes a record out. Bounded work: a page moves up, or becomes one with a neighbour.
    pub fn remove(&mut self, at: Revision) -> Record {
        let behind = self.pages.partition_point(|page| page.first <= at);
        let page = behind.checked_sub(1).expect("R1: every record has a page");
        let record = self.pages[page].remove(at).unwrap_or_else(|| panic!("R1: no record {at}"));
        if self.pages[page].slots.is_empty() {
            self.pages.remove(page);
        } else if self.pages[page].slots.len() <= PAGE / 4 {
            self.merge(page);
        }
        record
    }

    /// Makes a small page one with a neighbour, if together they are no more than half full.
    fn merge(&mut self, page: usize) {
        for lower in [page.checked_sub(1), Some(page)].into_iter().flatten() {
            let Some([first, second]) = self.pages.get(lower..lower + 2) else { continue };
            let newest = second.slots.last().expect("R1: no page is empty").at(second.first);
            let fits = first.slots.len() + second.slots.len() <= PAGE / 2;
            if fits && offset(first.first, newest).is_some() {
                let second = self.pages.remove(lower + 1);
                return self.pages[lower].append(second);
            }
        }
    }

    /// Those at or after a revision, oldest first.
    pub fn since(&self, from: Revision) -> impl Iterator<Item = (Revision, &Record)> {
        let behind = self.pages.partition_point(|page| page.first <= from);
        let (page, behind) = self.pages.split_at(behind);
        let page = page.last();
        let first =
            page.map_or(0, |page| page.slots.partition_point(|slot| slot.at(page.first) < from));
        let rest = page.into_iter().flat_map(move |page| page.iter().skip(first));
        rest.chain(behind.iter().flat_map(Page::iter))
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (Revision, &Record)> {
        self.pages.iter().flat_map(Page::iter)
    }
}

impl Page {
    fn remove(&mut self, at: Revision) -> Option<Record> {
        let place = self.place(at)?;
        let slot = self.slots.remove(place);
        if self.slots.capacity() > 2 * self.slots.len() {
            self.slots.shrink_to_fit();
        }
        Some(slot.record)
    }

    /// Takes over the records of the page behind this one.
    fn append(&mut self, other: Self) {
        let shift = offset(self.first, other.first).expect("the newest of them is near enough");
        self.slots.reserve_exact(other.slots.len());
        let moved = other.slots.into_iter().map(|slot| Slot { main: slot.main + shift, ..slot });
        self.slots.extend(moved);
    }

    fn iter(&self) -> impl Iterator<Item = (Revision, &Record)> {
        self.slots.iter().map(|slot| (slot.at(self.first), &slot.record))
    }

    fn get(&self, at: Revision) -> Option<&Record> {
        self.place(at).map(|place| &self.slots[place].record)
    }

    fn place(&self, at: Revision) -> Option<usize> {
        let main = offset(self.first, at)?;
        let wanted = (main, at.sub);
        let place = |slot: &Slot| (slot.main, slot.sub);
        match self.slots.get(main as usize) {
            Some(guess) if place(guess) == wanted => Some(main as usize),
            _ => self.slots.binary_search_by_key(&wanted, place).ok(),
        }
    }
}

impl Slot {
    fn at(&self, first: Revision) -> Revision {
        Revision { main: first.main + i64::from(self.main), sub: self.sub }
    }
}

/// How far a revision is behind the first one of its page, if that is not too far.
fn offset(first: Revision, at: Revision) -> Option<u32> {
    u32::try_from(at.main - first.main).ok()
}
