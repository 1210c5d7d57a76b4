//! Chance as a function: what happens to a thing is a hash of the seed and the thing's identity.
//!
//! ```text
//!   seed + "link" + from + to + kind + term + index + copy --mix--> lost? how late? twice?
//!   seed + "disk" + member + boot + file + sector          --mix--> kept or lost at power loss?
//! ```
//! A generator that all decisions draw from would make each depend on all before it: taking one
//! fault out of a plan would change the fate of every message after it, and neither shrinking nor
//! an old plan would mean anything. So there is no generator and no running count here.
//!
//! Invariants:
//! - F1. Equal seed and equal identity give an equal fate, on every platform and in every build.
//! - F2. A fate depends on nothing else.
//!
//! Not here: drawing a plan, which may use an ordinary generator (`plan/draw.rs`).

/// What chance holds for one thing. Parts of its identity are added one by one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fate(u64);

/// A rate of one million in a million.
pub const ALWAYS: u32 = 1_000_000;

impl Fate {
    /// The fate of everything under a seed, within one realm such as `"link"`.
    #[must_use]
    pub fn new(seed: u64, realm: &str) -> Self {
        Self(mix(seed)).named(realm)
    }

    /// One part of the identity further.
    #[must_use]
    pub const fn of(self, part: u64) -> Self {
        Self(mix(self.0 ^ mix(part.wrapping_add(GOLDEN))))
    }

    /// One part of the identity further, by name.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        self.of(fold(name.as_bytes()))
    }

    /// A number in `0..bound`. `bound` must not be 0.
    #[must_use]
    pub fn below(self, bound: u64) -> u64 {
        assert!(bound > 0, "an empty range has no element");
        let wide = u128::from(mix(self.0)) * u128::from(bound);
        (wide >> 64) as u64
    }

    /// Whether it happens, at a rate in millionths.
    #[must_use]
    pub fn happens(self, millionths: u32) -> bool {
        self.below(u64::from(ALWAYS)) < u64::from(millionths)
    }

    /// The bare number, to seed something.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A bijection on 64 bits in which every input bit moves every output bit (splitmix64).
#[must_use]
pub const fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(GOLDEN);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Folds bytes into a number: FNV-1a over words of eight bytes, mixed at the end.
#[must_use]
pub fn fold(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ (bytes.len() as u64);
    for word in words {
        hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(0x0000_0100_0000_01b3);
        hash ^= hash >> 29;
    }
    for byte in rest {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    mix(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fates_are_fixed_for_ever() {
        let fate = Fate::new(1, "link").of(2).of(3);
        assert_eq!(fate, Fate::new(1, "link").of(2).of(3));
        assert_ne!(fate, Fate::new(1, "link").of(3).of(2));
        assert_ne!(fate, Fate::new(1, "disk").of(2).of(3));
        assert_ne!(fate, Fate::new(2, "link").of(2).of(3));
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf, "splitmix64 of 0 is a published value");
    }

    #[test]
    fn rates_are_kept() {
        let hits = (0..10_000).filter(|n| Fate::new(7, "t").of(*n).happens(300_000)).count();
        assert!((2_850..3_150).contains(&hits), "{hits} of 10,000 at 30 %");
        assert!(!Fate::new(7, "t").happens(0));
        assert!(Fate::new(7, "t").happens(ALWAYS));
    }
}
