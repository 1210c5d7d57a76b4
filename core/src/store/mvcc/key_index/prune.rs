//! Taking changes and keys out of the index, and giving their memory back.
//!
//! ```text
//!   [ a  b ] [ c ] [ d  e  f  g ]   d goes      the second page is small:
//!   [ a  b ] [ c ] [ e  f  g ]      -------->   [ a  b  c ] [ e  f  g ]
//! ```
//! A page that has become small joins a neighbour, if both fit into one page. So removal does
//! bounded work, and never leaves a tree of nearly empty pages behind.
//!
//! Not here: which changes go (`compact.rs`).

use super::{Below, KeyIndex, Node, child};
use crate::store::mvcc::history::History;
use crate::store::mvcc::page::Page;

impl KeyIndex {
    /// Drops the oldest changes of a key, and the key with the last of them.
    pub fn forget(&mut self, key: &[u8], oldest: usize) {
        self.root.forget(key, oldest);
        while let Below::Inner(page) = &mut self.root.below {
            if page.items().len() > 1 {
                break;
            }
            self.root = page.remove(0);
        }
    }
}

impl Node {
    /// Tells whether an existing key went.
    fn forget(&mut self, key: &[u8], oldest: usize) -> bool {
        let died = match &mut self.below {
            Below::Leaf(page) => forget_in(page, key, oldest),
            Below::Inner(page) => {
                let place = child(page, key);
                let died = page.item_mut(place).forget(key, oldest);
                settle(page, place);
                died
            }
        };
        self.live -= usize::from(died);
        died
    }

    fn is_small(&self) -> bool {
        match &self.below {
            Below::Leaf(page) => page.is_small(),
            Below::Inner(page) => page.is_small(),
        }
    }

    /// Whether it and the node behind it can be one.
    fn fits_with(&self, upper: &Self) -> bool {
        match (&self.below, &upper.below) {
            (Below::Leaf(lower), Below::Leaf(upper)) => lower.fits_with(upper),
            (Below::Inner(lower), Below::Inner(upper)) => lower.fits_with(upper),
            (Below::Leaf(_), Below::Inner(_)) | (Below::Inner(_), Below::Leaf(_)) => {
                unreachable!("K3: neighbours are on one level")
            }
        }
    }

    /// Takes over what is below the node behind this one.
    fn absorb(&mut self, upper: Self) {
        self.live += upper.live;
        match (&mut self.below, upper.below) {
            (Below::Leaf(lower), Below::Leaf(upper)) => lower.append(upper),
            (Below::Inner(lower), Below::Inner(upper)) => lower.append(upper),
            (Below::Leaf(_), Below::Inner(_)) | (Below::Inner(_), Below::Leaf(_)) => {
                unreachable!("K3: neighbours are on one level")
            }
        }
    }
}

fn forget_in(page: &mut Page<History>, key: &[u8], oldest: usize) -> bool {
    let place = page.find(key).expect("M3: what is removed is in the index");
    let history = page.item_mut(place);
    let lived = history.live().is_some();
    if history.forget(oldest) {
        return false;
    }
    page.remove(place);
    lived
}

/// Makes a child that has become small one with a neighbour.
fn settle(page: &mut Page<Node>, place: usize) {
    if !page.items()[place].is_small() {
        return;
    }
    for lower in [place.checked_sub(1), Some(place)].into_iter().flatten() {
        let Some([first, second]) = page.items().get(lower..lower + 2) else { continue };
        if first.fits_with(second) {
            let upper = page.remove(lower + 1);
            return page.item_mut(lower).absorb(upper);
        }
    }
}
