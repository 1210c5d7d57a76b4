//! Transactions and compaction against the model that is too simple to be wrong.
//!
//! Two members apply one random log. The first removes bit by bit and is restarted from its rows at
//! any moment; the second removes nothing. Clients, HashKV and the hashes of the state must not be
//! able to tell them apart, nor from the model.
#![allow(missing_docs, clippy::unwrap_used)]

mod store_support;

use bytes::Bytes;
use quorate_core::api::etcdserverpb::{CompactionRequest, RangeRequest};
use quorate_core::api::wire::command::Action;
use quorate_core::api::{Refusal, Response};
use quorate_core::random::Random;
use quorate_core::request::{TxnKind, check_txn, txn_kind};
use quorate_core::store::{HashStep, KvHash, Left, Revision, Step, Store};
use store_support::draw::Draw;
use store_support::model::{Change, Model, repeats};
use store_support::{Node, all, load, read, read_in_steps, read_txn};

/// Both members, the model, and who draws.
struct Trial {
    sweeping: Node,
    lazy: Node,
    model: Model,
    draw: Draw,
    seen: Seen,
}

/// What a trial came across; all of it must be seen over the seeds.
#[derive(Default, Debug)]
struct Seen {
    written: usize,
    refused: usize,
    only_read: usize,
    repeating: usize,
    compactions: usize,
    removed: usize,
    restarts_amid_removal: usize,
    pinned: usize,
    reads_across_compaction: usize,
}

impl Trial {
    fn new(seed: u64, keys: &[&str]) -> Self {
        let keys = keys.iter().map(|key| Bytes::copy_from_slice(key.as_bytes())).collect();
        let draw = Draw { random: Random::new(seed), keys };
        let (sweeping, lazy, model) = (Node::new(), Node::new(), Model::new());
        Self { sweeping, lazy, model, draw, seen: Seen::default() }
    }

    fn run(&mut self, commands: u64) {
        for _ in 0..commands {
            match self.draw.random.below(20) {
                0..8 => self.txn(),
                8..12 => {
                    let put = self.draw.put();
                    self.act(&Action::Put(put));
                }
                12..15 => {
                    let delete = self.draw.delete();
                    self.act(&Action::DeleteRange(delete));
                }
                15 => self.compact(),
                16 => self.read_across_compaction(),
                17 if self.draw.one_in(3) => self.restart(),
                _ => self.sweep(),
            }
            self.compare();
        }
        while self.sweeping.sweep(7) == Left::More {}
        self.check_what_stayed();
    }

    fn act(&mut self, action: &Action) {
        let expected = match action {
            Action::Put(put) => self.model.put(put).map(Response::Put),
            Action::DeleteRange(delete) => Ok(Response::DeleteRange(self.model.delete(delete))),
            Action::Txn(txn) => self.model.txn(txn).map(Response::Txn),
            Action::Compact(compaction) => {
                self.model.compact(compaction.revision).map(Response::Compact)
            }
            other => panic!("{other:?} is not drawn"),
        };
        let before = self.sweeping.store.full_hash();
        let answer = self.sweeping.answer(action.clone());
        assert_eq!(answer, expected, "{action:?}");
        assert_eq!(self.lazy.answer(action.clone()), expected, "{action:?}");
        if expected.is_err() {
            self.seen.refused += 1;
            assert_ne!(self.sweeping.store.full_hash(), before, "the position moved");
        }
    }

    fn txn(&mut self) {
        let txn = self.draw.txn(self.model.revision, 2);
        let repeating = [&txn.success, &txn.failure].map(|list| repeats(list, &self.draw.keys));
        let wanted = if repeating == [false; 2] { Ok(()) } else { Err(Refusal::DuplicateKey) };
        assert_eq!(check_txn(&txn), wanted, "{txn:?}");
        if wanted.is_err() {
            self.seen.repeating += 1;
        } else if txn_kind(&txn) == TxnKind::Write {
            self.seen.written += 1;
            self.act(&Action::Txn(txn));
        } else {
            self.seen.only_read += 1;
            let wanted = self.model.clone().txn(&txn);
            for budget in [1, 2, 5, usize::MAX] {
                for node in [&self.sweeping, &self.lazy] {
                    assert_eq!(read_txn(&node.store, &txn, budget), wanted, "{budget}: {txn:?}");
                }
            }
        }
    }

    /// Mostly at an interesting revision: the newest, or that of a delete.
    fn compact(&mut self) {
        let revision = self.model.revision;
        let below = |draw: &mut Draw| draw.random.below(revision as u64 + 2) as i64 - 1;
        let deletes = self.model.past.iter().rev().filter(|change| change.3.is_none());
        let revision = match self.draw.random.below(4) {
            0 => revision,
            1 => deletes.map(|change| change.0).next().unwrap_or(0),
            _ => below(&mut self.draw),
        };
        self.act(&Action::Compact(CompactionRequest { revision, physical: false }));
        self.seen.compactions += 1;
    }

    fn sweep(&mut self) {
        let before = self.sweeping.store.size_in_use();
        let budget = 1 + self.draw.random.below(4) as usize;
        self.sweeping.sweep(budget);
        self.seen.removed += usize::from(self.sweeping.store.size_in_use() < before);
    }

    /// A long read goes on at its revision whatever is compacted and removed meanwhile.
    fn read_across_compaction(&mut self) {
        let request = self.draw.range(self.model.revision);
        let wanted = self.model.range(&request);
        let mut step = self.sweeping.store.range(&request, None, 1);
        let mut steps = 0;
        while let Ok(Step::More(cursor)) = step {
            steps += 1;
            self.disturb();
            step = self.sweeping.store.range(&request, Some(cursor), 1);
        }
        let answer = step.map(|step| match step {
            Step::Done(response) => response,
            Step::More(_) => unreachable!(),
        });
        assert_eq!(answer, wanted, "in {steps} steps: {request:?}");
        self.seen.reads_across_compaction += usize::from(steps > 1);
    }

    fn disturb(&mut self) {
        let put = self.draw.put();
        self.act(&Action::Put(put));
        let delete = self.draw.delete();
        self.act(&Action::DeleteRange(delete));
        let revision = self.model.revision;
        self.act(&Action::Compact(CompactionRequest { revision, physical: false }));
        for _ in 0..3 {
            self.seen.pinned += usize::from(self.sweeping.sweep(9) == Left::Pinned);
        }
    }

    fn restart(&mut self) {
        self.sweeping.flush();
        self.seen.restarts_amid_removal += usize::from(self.sweeping.store.has_to_sweep());
        let loaded = load(&self.sweeping.disk).unwrap();
        assert_eq!(loaded.position_row(), self.sweeping.store.position_row());
        assert_eq!(loaded.size_in_use(), self.sweeping.store.size_in_use());
        self.sweeping.store = loaded;
    }

    fn compare(&mut self) {
        let (one, other, model) = (&self.sweeping.store, &self.lazy.store, &self.model);
        assert_eq!(one.state_hash(), other.state_hash());
        assert_eq!(one.full_hash(), other.full_hash());
        assert_eq!((one.revision(), one.keys()), (model.revision, model.at(model.revision).len()));
        let request = self.draw.range(model.revision);
        let wanted = model.range(&request);
        assert_eq!(read(one, &request), wanted, "{request:?}");
        assert_eq!(read_in_steps(other, &request, 2), wanted, "{request:?}");
        let from = self.draw.random.below(model.revision as u64 + 3) as i64;
        let budget = 1 + self.draw.random.below(4) as usize;
        for store in [one, other] {
            check_events(store, model, from, budget);
            check_hash(store, model, from, budget);
        }
    }

    fn check_what_stayed(&mut self) {
        let key = |change: &&Change| (change.0, change.1);
        let wanted: Vec<(i64, u64)> = self.model.settled().iter().map(key).collect();
        self.sweeping.flush();
        let records = self.sweeping.disk.keys().filter(|key| key[0] == b'k');
        let found: Vec<(i64, u64)> = records.map(|key| at(key)).collect();
        assert_eq!(found, wanted, "what stays at {:?}", self.model.mark);
    }
}

fn at(key: &[u8]) -> (i64, u64) {
    let word = |at: usize| u64::from_be_bytes(key[at..at + 8].try_into().unwrap());
    (word(1) as i64, word(9))
}

fn check_events(store: &Store, model: &Model, from: i64, budget: usize) {
    let mark = model.mark.unwrap_or(0);
    if from < mark {
        assert_eq!(store.events(from, i64::MAX, budget), Err(Refusal::Compacted));
        return;
    }
    let to = model.revision - 1;
    let mut next = Some(Revision { main: from, sub: 0 });
    let mut told = Vec::new();
    while let Some(start) = next {
        assert_eq!(start.sub, 0, "a revision was split");
        let step = store.events(start.main, to, budget).unwrap();
        let mains = step.changes.iter().map(|change| change.at.main);
        let whole: std::collections::BTreeSet<i64> = mains.collect();
        assert!(step.changes.len() < budget + 8 || whole.len() == 1);
        told.extend(step.changes);
        next = step.next;
    }
    let wanted: Vec<_> = model.past.iter().filter(|it| (from..=to).contains(&it.0)).collect();
    assert_eq!(told.len(), wanted.len());
    let mut next = Some(Revision { main: from, sub: 0 });
    let mut in_parts = Vec::new();
    while let Some(start) = next {
        let step = store.events_in_parts(start, to, budget).unwrap();
        assert!(step.changes.len() <= budget);
        in_parts.extend(step.changes);
        next = step.next;
    }
    assert_eq!(in_parts, told);
    for (told, (main, sub, key, pair)) in told.iter().zip(wanted) {
        assert_eq!((told.at.main, u64::from(told.at.sub)), (*main, *sub));
        assert_eq!(told.record.key(), key.as_ref());
        let before = model.at(main - 1).get(key).map(|kv| (*kv).clone());
        let before = before.filter(|_| *main > mark);
        assert_eq!(told.previous.as_ref().map(|record| record.key_value()), before);
        let kv = pair.as_ref().map_or(0, |pair| pair.version);
        assert_eq!(told.record.key_value().version, kv);
    }
}

fn check_hash(store: &Store, model: &Model, revision: i64, budget: usize) {
    let mut cursor = None;
    let found = loop {
        match store.hash_kv(revision, cursor.take(), budget) {
            Ok(HashStep::Done(hash)) => break Ok(hash),
            Ok(HashStep::More(more)) => cursor = Some(more),
            Err(refusal) => break Err(refusal),
        }
    };
    let at = if revision == 0 { model.revision } else { revision };
    let wanted = if revision > model.revision {
        Err(Refusal::FutureRevision)
    } else if model.mark.is_some_and(|mark| at < mark) {
        Err(Refusal::Compacted)
    } else {
        let (compacted, current) = (model.mark.unwrap_or(-1), model.revision);
        Ok(KvHash { hash: model.hash_kv(at), revision: at, compacted, current })
    };
    assert_eq!(found, wanted, "at {revision}");
}

#[test]
fn random_histories_of_transactions_and_compactions() {
    let mut seen = Seen::default();
    for seed in 0..30 {
        let mut trial = Trial::new(seed, &["a", "aa", "b", "c", "d/e"]);
        trial.run(200);
        let new = trial.seen;
        seen.written += new.written;
        seen.refused += new.refused;
        seen.only_read += new.only_read;
        seen.repeating += new.repeating;
        seen.compactions += new.compactions;
        seen.removed += new.removed;
        seen.restarts_amid_removal += new.restarts_amid_removal;
        seen.pinned += new.pinned;
        seen.reads_across_compaction += new.reads_across_compaction;
    }
    let Seen { written, refused, only_read, repeating, compactions, removed, pinned, .. } = seen;
    let counts = [written, refused, only_read, repeating, compactions, removed, pinned];
    let rare = [seen.restarts_amid_removal, seen.reads_across_compaction];
    assert!(counts.iter().all(|count| *count > 50) && rare.iter().all(|n| *n > 10), "{seen:?}");
}

/// Many keys: pages of the index and of the records are split, emptied and joined.
#[test]
fn what_is_removed_leaves_no_trace_in_a_big_store() {
    let mut node = Node::new();
    let mut random = Random::new(1);
    let names: Vec<String> = (0..3000).map(|n| format!("/registry/{}/{n}", n % 7)).collect();
    for round in 0..6 {
        for _ in 0..4000 {
            let key = &names[random.below(3000) as usize];
            match random.below(3) {
                0 => _ = node.delete(key, ""),
                _ => _ = node.put(key, "value"),
            }
        }
        if round == 4 {
            node.delete("/registry/", "/registry0");
            node.put("the tombstones", "are older than the mark");
        }
        let wanted = node.range(&all());
        node.compact(node.store.revision()).unwrap();
        while node.sweep(100) == Left::More {
            assert_eq!(node.range(&RangeRequest { limit: 1, ..all() }).count, wanted.count);
        }
        assert_eq!(node.range(&all()), wanted);
        let stored = node.store.clone();
        node.flush();
        let loaded = load(&node.disk).unwrap();
        assert_eq!(loaded.full_hash(), stored.full_hash());
        let rows = node.disk.keys().filter(|key| key[0] == b'k').count();
        assert!(rows <= node.store.keys() + 1, "{rows} rows for {} keys", node.store.keys());
    }
}
