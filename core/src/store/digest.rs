//! The one hash function of the store: 64 bits, fixed for ever, equal on every platform.
//!
//! It tells states apart that should be equal and rows that were damaged. It is made for chance,
//! not for an adversary: every step is a bijection of the state, so a single differing word never
//! gets lost, and two random inputs collide once in 2^64.
//!
//! ```text
//!   state --(xor word)--(times an odd constant)--(xor of its upper half)--> state
//! ```
//!
//! Not here: HashKV, which clients compare and which is CRC-32C.

/// An odd constant with well-spread bits: 2^64 divided by the golden ratio.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A hash under construction.
#[derive(Clone, Copy, Debug)]
pub struct Digest(u64);

impl Digest {
    /// Starts from a number: an earlier hash that this one goes on from, or 0.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Takes in a number.
    pub fn word(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(SPREAD);
        self.0 = mixed ^ (mixed >> 32);
    }

    /// Takes in a string of bytes. Its length goes first, so that neighbours cannot trade bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        let (words, tail) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..tail.len()].copy_from_slice(tail);
        self.word(u64::from_le_bytes(last));
    }

    /// The hash of everything taken in so far.
    pub fn finish(self) -> u64 {
        let mut end = self;
        end.word(SPREAD);
        end.0
    }
}
