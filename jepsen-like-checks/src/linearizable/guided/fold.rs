//! A hash that is fast and plain, for tables that are asked a million times.
//!
//! What a history names is nobody's attack, so there is nothing to defend the tables against.
//!
//! Not here: the tables (`keys.rs`, `lives.rs`).

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A table with this hash.
pub(super) type Table<K, V> = HashMap<K, V, BuildHasherDefault<Folded>>;

/// Eight bytes at a time: multiplied, and both halves of the product folded into one.
#[derive(Default)]
pub(super) struct Folded(u64);

impl Folded {
    fn fold(&mut self, word: u64) {
        // The golden ratio: odd, and without a pattern in its bits.
        let product = u128::from(self.0 ^ word) * 0x9e37_79b9_7f4a_7c15;
        let (low, high) = (product & u128::from(u64::MAX), product >> 64);
        self.0 = u64::try_from(low ^ high).expect("two halves of 64 bits");
    }
}

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        words.iter().for_each(|word| self.fold(u64::from_le_bytes(*word)));
        self.fold(rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    }

    fn write_i64(&mut self, number: i64) {
        self.fold(number.cast_unsigned());
    }

    fn write_usize(&mut self, length: usize) {
        self.fold(length as u64);
    }
}
