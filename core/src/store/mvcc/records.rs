//! All records by revision: what readers fetch and what watchers catch up with.
//!
//! ```text
//!   first revision    page: up to 256 records, in order
//!   2.0         --->  2.0  3.0  4.0  4.1  4.2  5.0 ...
//!   255.0       --->  255.0  256.0 ...                     <- new records go here
//! ```
//! An ordered map finds the page, a binary search the place in it. Pages are packed: 24 bytes per
//! record besides its own bytes, where a map entry per record would take 60.
//!
//! Invariants:
//! - R1. Revisions rise strictly from record to record; a page's name is its first revision.
//!
//! Not here: whose revision it is (`key_index.rs`).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Revision;
use super::record::Record;

const PAGE: usize = 256;

/// The records, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Records {
    pages: BTreeMap<Revision, Vec<Slot>>,
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
        if let Some(mut page) = self.pages.last_entry() {
            let first = *page.key();
            let slots = page.get_mut();
            let newest = slots.last().expect("a page has a record").at(first);
            assert!(at > newest, "R1: {at} after {newest}");
            if let Some(main) = offset(first, at).filter(|_| slots.len() < PAGE) {
                slots.push(Slot { main, sub: at.sub, record });
                return;
            }
            slots.shrink_to_fit();
        }
        let mut slots = Vec::with_capacity(4);
        slots.push(Slot { main: 0, sub: at.sub, record });
        self.pages.insert(at, slots);
    }

    /// The record of a revision that some history names.
    pub fn get(&self, at: Revision) -> &Record {
        let (first, slots) = self.pages.range(..=at).next_back().expect("R1: a page holds it");
        let main = offset(*first, at).expect("R1: a page spans it");
        let place = slots.binary_search_by_key(&(main, at.sub), |slot| (slot.main, slot.sub));
        match place {
            Ok(place) => &slots[place].record,
            Err(_) => panic!("R1: there is no record {at}"),
        }
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (Revision, &Record)> {
        self.pages
            .iter()
            .flat_map(|(first, slots)| slots.iter().map(|slot| (slot.at(*first), &slot.record)))
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
