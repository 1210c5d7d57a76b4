//! Which intervals hold a key: a search tree of intervals that knows how far each subtree reaches.
//!
//! ```text
//!                    [d, k) reach z                 the key "m" is asked for:
//!                   /              \                - left of [d, k): reach k, nothing there
//!          [a, c) reach k       [f, z) reach z      - [d, k) itself: ends before m
//!               \               /        \          - right: [f, z) holds it; [e, g) reaches only
//!             [b, k)        [e, g)      [p, q)        g; [p, q) begins behind m
//! ```
//! Intervals are sorted by their beginning. A subtree whose reach is not beyond the key holds
//! nothing; what begins behind the key holds nothing either. So a look-up costs O(log n) for each
//! interval that it finds, however many there are. Weights keep the tree balanced (a treap): each
//! node weighs at least as much as those below it, and weights are as good as random.
//!
//! Invariants:
//! - V1. In order, intervals rise strictly.
//! - V2. `reach` is the farthest end in the subtree.
//!
//! Not here: who is interested (`index.rs`).

use alloc::boxed::Box;
use alloc::sync::Arc;

use super::index::InterestId;

#[cfg(test)]
mod tests;

/// Where an interval ends.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum End {
    /// Before this key.
    Before(Arc<[u8]>),
    /// Nowhere: it holds every key from its beginning on.
    Never,
}

/// Neighbouring keys from a first one on.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Interval {
    /// The first key.
    pub start: Arc<[u8]>,
    /// Behind the last one.
    pub end: End,
}

/// A set of intervals, each with the interest that it stands for.
#[derive(Debug, Default)]
pub struct Intervals {
    root: Link,
}

type Link = Option<Box<Node>>;

#[derive(Debug)]
struct Node {
    interval: Interval,
    interest: InterestId,
    weight: u64,
    reach: End,
    lower: Link,
    upper: Link,
}

impl Intervals {
    /// Adds an interval that is not there.
    pub fn insert(&mut self, interval: Interval, interest: InterestId) {
        let weight = scatter(interest.0);
        let reach = interval.end.clone();
        let node = Node { interval, interest, weight, reach, lower: None, upper: None };
        self.root = Some(insert(self.root.take(), Box::new(node)));
    }

    /// Takes an interval out.
    pub fn remove(&mut self, interval: &Interval) {
        self.root = remove(self.root.take(), interval);
    }

    /// The interest that an interval stands for.
    pub fn get(&self, interval: &Interval) -> Option<InterestId> {
        let mut link = &self.root;
        while let Some(node) = link {
            if *interval == node.interval {
                return Some(node.interest);
            }
            link = if *interval < node.interval { &node.lower } else { &node.upper };
        }
        None
    }

    /// Calls `each` for every interval that holds the key, in their order.
    pub fn holding(&self, key: &[u8], each: &mut impl FnMut(InterestId)) {
        visit(self.root.as_deref(), key, each);
    }
}

impl End {
    fn is_beyond(&self, key: &[u8]) -> bool {
        match self {
            Self::Before(end) => *key < **end,
            Self::Never => true,
        }
    }
}

impl Node {
    /// Looks anew how far it reaches (V2).
    fn measure(&mut self) {
        let below = [&self.lower, &self.upper];
        let reaches = below.into_iter().flatten().map(|node| &node.reach);
        self.reach = reaches.fold(&self.interval.end, Ord::max).clone();
    }
}

fn visit(link: Option<&Node>, key: &[u8], each: &mut impl FnMut(InterestId)) {
    let Some(node) = link.filter(|node| node.reach.is_beyond(key)) else { return };
    visit(node.lower.as_deref(), key, each);
    if *node.interval.start > *key {
        return;
    }
    if node.interval.end.is_beyond(key) {
        each(node.interest);
    }
    visit(node.upper.as_deref(), key, each);
}

fn insert(link: Link, mut node: Box<Node>) -> Box<Node> {
    let Some(mut here) = link else { return node };
    assert!(node.interval != here.interval, "V1: an interval is there already");
    if node.weight > here.weight {
        (node.lower, node.upper) = split(Some(here), &node.interval);
        node.measure();
        return node;
    }
    let side = if node.interval < here.interval { &mut here.lower } else { &mut here.upper };
    *side = Some(insert(side.take(), node));
    here.measure();
    here
}

fn remove(link: Link, interval: &Interval) -> Link {
    let mut here = link.expect("V1: whoever takes an interval out has put it in");
    if *interval == here.interval {
        return merge(here.lower, here.upper);
    }
    let side = if *interval < here.interval { &mut here.lower } else { &mut here.upper };
    *side = remove(side.take(), interval);
    here.measure();
    Some(here)
}

/// What is below `at`, and what is above it.
fn split(link: Link, at: &Interval) -> (Link, Link) {
    let Some(mut here) = link else { return (None, None) };
    if here.interval < *at {
        let (lower, upper) = split(here.upper.take(), at);
        here.upper = lower;
        here.measure();
        (Some(here), upper)
    } else {
        let (lower, upper) = split(here.lower.take(), at);
        here.lower = upper;
        here.measure();
        (lower, Some(here))
    }
}

/// Everything of `lower` is below everything of `upper`.
fn merge(lower: Link, upper: Link) -> Link {
    let (mut low, mut high) = match (lower, upper) {
        (Some(low), Some(high)) => (low, high),
        (lower, upper) => return lower.or(upper),
    };
    if low.weight >= high.weight {
        low.upper = merge(low.upper.take(), Some(high));
        low.measure();
        Some(low)
    } else {
        high.lower = merge(Some(low), high.lower.take());
        high.measure();
        Some(high)
    }
}

/// Makes counted numbers look random, and equal ones equally so (the finish of splitmix64).
fn scatter(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
