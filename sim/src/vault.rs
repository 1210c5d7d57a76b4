//! The durable copy of one member's store: batches of rows that are whole or not there.
//!
//! ```text
//!   base (synced) | batch | batch | batch      a crash cuts somewhere between two batches,
//!                 +---- handed over ----+      a sync moves everything into the base
//! ```
//! It stands for the key-value store that the server uses: it is written behind the log and is not
//! synced with each batch, so it may come back older than it was, but never torn and never older
//! than its last sync.
//!
//! Not here: when batches are cut and handed over (`world/storage.rs`).

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use quorate_core::store::Row;

use crate::fate::Fate;

/// Batches that a killed process may still have held in its own buffers.
const BUFFERED: u64 = 2;

/// What survives of one member's store.
#[derive(Debug, Default)]
pub struct Vault {
    base: BTreeMap<Bytes, Bytes>,
    handed: VecDeque<Vec<Row>>,
}

impl Vault {
    /// Takes a batch.
    pub fn hand_over(&mut self, rows: Vec<Row>) {
        self.handed.push_back(rows);
    }

    /// Takes every row out.
    pub fn clear(&mut self) {
        let keys = self.rows().into_keys();
        self.handed.push_back(keys.map(|key| Row { key, value: None }).collect());
    }

    /// Makes everything handed over durable.
    pub fn sync(&mut self) {
        for row in self.handed.drain(..).flatten() {
            write(&mut self.base, row);
        }
    }

    /// The process was killed or the power went. Returns how many batches are gone.
    pub fn crash(&mut self, fate: Fate, power: bool) -> usize {
        let most = if power { self.handed.len() as u64 } else { BUFFERED };
        let gone = fate.named("batches").below(most + 1).min(self.handed.len() as u64) as usize;
        self.handed.truncate(self.handed.len() - gone);
        gone
    }

    /// All rows, in the order of their keys.
    #[must_use]
    pub fn rows(&self) -> BTreeMap<Bytes, Bytes> {
        let mut rows = self.base.clone();
        self.handed.iter().flatten().for_each(|row| write(&mut rows, row.clone()));
        rows
    }
}

fn write(rows: &mut BTreeMap<Bytes, Bytes>, row: Row) {
    match row.value {
        Some(value) => rows.insert(row.key, value),
        None => rows.remove(&row.key),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(n: u8) -> Vec<Row> {
        vec![Row { key: vec![n].into(), value: Some(vec![n].into()) }]
    }

    #[test]
    fn a_crash_takes_the_newest_batches_and_nothing_synced() {
        for seed in 0..50 {
            let mut vault = Vault::default();
            vault.hand_over(batch(1));
            vault.sync();
            (2..=5).for_each(|n| vault.hand_over(batch(n)));
            let gone = vault.crash(Fate::new(seed, "vault"), seed % 2 == 0);
            let keys: Vec<u8> = vault.rows().keys().map(|key| key[0]).collect();
            assert_eq!(keys, (1..=5 - gone as u8).collect::<Vec<_>>(), "seed {seed}");
            assert!(seed % 2 == 0 || gone <= BUFFERED as usize);
        }
    }
}
