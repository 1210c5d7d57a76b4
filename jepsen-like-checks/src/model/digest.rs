//! Fingerprints of states: FNV-1a over everything that ever changed.
//!
//! Changes of keys are fed in order, each field with its length or its presence. What has no order
//! (which leases are alive) is one fingerprint per item, and the set is their exclusive or.
//!
//! Not here: what is fed (`kv.rs`, `lease.rs`).

use super::kv::int;
use crate::history::{KeyValue, Lease, Revision};

/// The fingerprint of nothing.
pub(super) const START: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

/// The fingerprint after one more change of a key.
pub(super) fn change(
    before: u128,
    revision: Revision,
    key: &[u8],
    version: Option<&KeyValue>,
) -> u128 {
    let mut digest = Digest(before);
    digest.number(revision.0);
    digest.bytes(key);
    digest.number(i64::from(version.is_some()));
    if let Some(pair) = version {
        digest.bytes(&pair.value);
        digest.number(pair.lease.map_or(0, Lease::id));
    }
    digest.0
}

/// The fingerprint of some numbers.
pub(super) fn of(numbers: &[i64]) -> u128 {
    let mut digest = Digest(START);
    numbers.iter().for_each(|number| digest.number(*number));
    digest.0
}

struct Digest(u128);

impl Digest {
    fn bytes(&mut self, bytes: &[u8]) {
        self.number(int(bytes.len()));
        bytes.iter().for_each(|byte| self.byte(*byte));
    }

    fn number(&mut self, number: i64) {
        number.to_le_bytes().into_iter().for_each(|byte| self.byte(byte));
    }

    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u128::from(byte)).wrapping_mul(PRIME);
    }
}
