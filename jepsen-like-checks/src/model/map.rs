//! An ordered map that is cheap to clone: the past and the present share all they have in common.
//!
//! A judge that searches keeps hundreds of states and steps back to old ones at will. Inserting
//! copies the path from the root to the changed node and nothing else:
//!
//! ```text
//!       before   d        after    d'
//!               / \               / \
//!              b   f             b   f'       a, b and e belong to both
//!             /   /             /   / \
//!            a   e             a   e   g
//! ```
//!
//! It is an AVL tree, so it is never deeper than 1.44 log n, and dropping it never recurses deeper.
//!
//! Invariants:
//! - M1. Keys left of a node are smaller than its own, keys right of it greater.
//! - M2. The heights of a node's two sides differ by at most one.
//!
//! Not here: removal. A store with history only ever adds.

use std::cmp::Ordering;
use std::sync::Arc;

/// An ordered map. A clone costs as much as copying a pointer.
#[derive(Debug)]
pub(super) struct Map<K, V> {
    root: Link<K, V>,
}

type Link<K, V> = Option<Arc<Node<K, V>>>;

#[derive(Debug)]
struct Node<K, V> {
    height: u32,
    key: K,
    value: V,
    left: Link<K, V>,
    right: Link<K, V>,
}

impl<K, V> Clone for Map<K, V> {
    fn clone(&self) -> Self {
        Self { root: self.root.clone() }
    }
}

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Self { root: None }
    }
}

impl<K: Ord + Clone, V: Clone> Map<K, V> {
    /// The same map with `value` at `key`.
    pub(super) fn with(&self, key: K, value: V) -> Self {
        Self { root: Some(inserted(self.root.as_deref(), key, value)) }
    }

    pub(super) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
    {
        let mut link = &self.root;
        while let Some(node) = link {
            link = match key.cmp(node.key.borrow()) {
                Ordering::Less => &node.left,
                Ordering::Equal => return Some(&node.value),
                Ordering::Greater => &node.right,
            };
        }
        None
    }

    /// The value of the greatest key that is not above `key`.
    pub(super) fn at_or_below(&self, key: &K) -> Option<&V> {
        let mut best = None;
        let mut link = &self.root;
        while let Some(node) = link {
            if node.key <= *key {
                best = Some(&node.value);
                link = &node.right;
            } else {
                link = &node.left;
            }
        }
        best
    }

    /// Visits, in order, every entry whose key is neither below nor above what is wanted. `place`
    /// says where a key lies: `Less` is below.
    pub(super) fn visit<'a>(
        &'a self,
        place: &impl Fn(&K) -> Ordering,
        see: &mut impl FnMut(&'a K, &'a V),
    ) {
        visit(self.root.as_deref(), place, see);
    }
}

fn visit<'a, K, V>(
    node: Option<&'a Node<K, V>>,
    place: &impl Fn(&K) -> Ordering,
    see: &mut impl FnMut(&'a K, &'a V),
) {
    let Some(node) = node else { return };
    let here = place(&node.key);
    if here.is_ge() {
        visit(node.left.as_deref(), place, see);
    }
    if here.is_eq() {
        see(&node.key, &node.value);
    }
    if here.is_le() {
        visit(node.right.as_deref(), place, see);
    }
}

fn inserted<K: Ord + Clone, V: Clone>(
    node: Option<&Node<K, V>>,
    key: K,
    value: V,
) -> Arc<Node<K, V>> {
    let Some(node) = node else {
        return Arc::new(Node { height: 1, key, value, left: None, right: None });
    };
    let Node { left, right, .. } = node;
    match key.cmp(&node.key) {
        Ordering::Equal => joined(key, value, left.clone(), right.clone()),
        Ordering::Less => {
            let left = inserted(left.as_deref(), key, value);
            balanced(node.key.clone(), node.value.clone(), Some(left), right.clone())
        }
        Ordering::Greater => {
            let right = inserted(right.as_deref(), key, value);
            balanced(node.key.clone(), node.value.clone(), left.clone(), Some(right))
        }
    }
}

fn height<K, V>(link: &Link<K, V>) -> u32 {
    link.as_ref().map_or(0, |node| node.height)
}

fn joined<K, V>(key: K, value: V, left: Link<K, V>, right: Link<K, V>) -> Arc<Node<K, V>> {
    let height = 1 + height(&left).max(height(&right));
    Arc::new(Node { height, key, value, left, right })
}

/// Joins two sides of which one may be too high by one: the textbook rotations.
fn balanced<K: Clone, V: Clone>(
    key: K,
    value: V,
    left: Link<K, V>,
    right: Link<K, V>,
) -> Arc<Node<K, V>> {
    match (&left, &right) {
        (Some(high), low) if high.height > height(low) + 1 => {
            if let Some(middle) = high.right.as_ref().filter(|m| m.height > height(&high.left)) {
                let a = joined_like(high, high.left.clone(), middle.left.clone());
                let b = joined(key, value, middle.right.clone(), right);
                return joined_like(middle, Some(a), Some(b));
            }
            let b = joined(key, value, high.right.clone(), right);
            joined_like(high, high.left.clone(), Some(b))
        }
        (low, Some(high)) if high.height > height(low) + 1 => {
            if let Some(middle) = high.left.as_ref().filter(|m| m.height > height(&high.right)) {
                let a = joined(key, value, left, middle.left.clone());
                let b = joined_like(high, middle.right.clone(), high.right.clone());
                return joined_like(middle, Some(a), Some(b));
            }
            let a = joined(key, value, left, high.left.clone());
            joined_like(high, Some(a), high.right.clone())
        }
        _ => joined(key, value, left, right),
    }
}

fn joined_like<K: Clone, V: Clone>(
    node: &Node<K, V>,
    left: Link<K, V>,
    right: Link<K, V>,
) -> Arc<Node<K, V>> {
    joined(node.key.clone(), node.value.clone(), left, right)
}
