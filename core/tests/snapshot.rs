//! Snapshots as bytes and as files: what was captured arrives whatever is applied meanwhile,
//! foreign bytes are refused, and every state of the disk has one way on.

mod store_support;

use bytes::Bytes;
use quorate_core::api::etcdserverpb::LeaseGrantRequest;
use quorate_core::api::wire::command::Action;
use quorate_core::snap::{Chunk, Opening, Shelf};
use quorate_core::store::{Loader, Reader, Refill, RefillStep, Store};
use quorate_core::types::{ClusterId, Index, LogId, Term};
use quorate_core::wal::{FileOp, ReadDisk};
use store_support::Node;

const CLUSTER: ClusterId = ClusterId(0xc1);

fn id(index: u64, term: u64) -> LogId {
    LogId { index: Index(index), term: Term(term) }
}

/// A store with some keys, some of them compacted, and leases with all kinds of ids.
fn filled(keys: usize) -> Node {
    let mut node = Node::new();
    for n in 0..keys {
        node.put(&format!("key{}", n % 40), &"v".repeat(n % 50));
    }
    node.compact(node.store.revision() / 2).expect("a revision of the past");
    for id in [-1, 7, i64::MIN, i64::MAX] {
        let grant = LeaseGrantRequest { ttl: 60, id };
        node.answer(Action::LeaseGrant(grant)).expect("a free id");
    }
    node
}

/// All parts of a snapshot of this moment, while `between` changes the store after each.
fn parts(node: &mut Node, budget: usize, mut between: impl FnMut(&mut Node)) -> Vec<Chunk> {
    let mut capture = node.store.capture(CLUSTER);
    let mut parts = vec![capture.next(&node.store, budget)];
    while !parts[parts.len() - 1].last {
        between(node);
        parts.push(capture.next(&node.store, budget));
    }
    parts
}

fn read(parts: &[Bytes], announced: LogId) -> Result<Store, String> {
    let mut reader = Reader::new(CLUSTER, Loader::new());
    let taken = parts.iter().try_for_each(|part| reader.part(part));
    taken.and_then(|()| reader.finish(announced)).map_err(|damage| damage.to_string())
}

#[test]
fn what_was_captured_arrives_though_apply_goes_on() {
    for budget in [1, 100, 700, 1 << 20] {
        let mut node = filled(300);
        let before = node.store.clone();
        let (at, full) = (before.applied(), before.full_hash());
        let sent = parts(&mut node, budget, |node| {
            node.put("key7", "changed since");
            node.sweep(50);
        });
        assert!(node.store.applied().index > at.index || sent.len() == 1);
        let ends = sent.iter().scan(0, |end, part| {
            let follows = part.offset == *end && part.snapshot == at;
            *end = part.end();
            Some(follows)
        });
        assert!(ends.into_iter().all(|follows| follows), "budget {budget}");
        let bytes: Vec<Bytes> = sent.into_iter().map(|part| part.bytes).collect();
        let arrived = read(&bytes, at).expect("a good snapshot");
        assert_eq!((arrived.applied(), arrived.full_hash()), (at, full), "budget {budget}");
        assert_eq!(arrived.state_hash(), before.state_hash(), "budget {budget}");
        assert!(read(&bytes, id(1, 1)).is_err(), "another snapshot was announced");
    }
}

/// A changed bit, a missing end, a part that is missing, twice, or in another's place.
#[test]
fn a_snapshot_that_was_changed_is_refused() {
    let mut node = filled(30);
    let at = node.store.applied();
    let good: Vec<Bytes> =
        parts(&mut node, 300, |_| {}).into_iter().map(|part| part.bytes).collect();
    assert!(good.len() > 4 && read(&good, at).is_ok());
    for (n, part) in good.iter().enumerate() {
        let mut changed = good.clone();
        for bit in 0..8 * part.len() {
            let mut bytes = part.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            changed[n] = bytes.into();
            assert!(read(&changed, at).is_err(), "bit {bit} of part {n}");
        }
        for end in 0..part.len() {
            changed[n] = part.slice(..end);
            assert!(read(&changed, at).is_err(), "part {n} up to {end}");
        }
        let (mut missing, mut twice, mut swapped) = (good.clone(), good.clone(), good.clone());
        missing.remove(n);
        twice.insert(n, part.clone());
        swapped.swap(n, (n + 1) % good.len());
        for wrong in [missing, twice, swapped] {
            assert!(read(&wrong, at).is_err(), "part {n}");
        }
    }
    let mut foreign = Reader::new(ClusterId(7), Loader::new());
    assert!(foreign.part(&good[0]).is_err(), "a snapshot of another cluster");
}

/// The position goes first and comes back last: a table in between counts as empty.
#[test]
fn a_refill_leaves_a_table_without_a_position_until_it_is_whole() {
    let mut node = filled(100);
    let (mut refill, mut steps) = Refill::begin(CLUSTER);
    for part in parts(&mut node, 200, |_| {}) {
        steps.push(refill.part(&part.bytes).expect("a good part"));
    }
    steps.extend(refill.end().expect("a whole snapshot"));
    let mut table = std::collections::BTreeMap::from([(Bytes::from("a"), Bytes::from("old"))]);
    let last = steps.len() - 2;
    for (n, step) in steps.into_iter().enumerate() {
        match step {
            RefillStep::Clear => table.clear(),
            RefillStep::Sync => {}
            RefillStep::Write(rows) => {
                for row in rows {
                    match row.value {
                        Some(value) => drop(table.insert(row.key, value)),
                        None => drop(table.remove(&row.key)),
                    }
                }
            }
        }
        assert_eq!(table.contains_key(&b"a"[..]), n >= last, "step {n}");
    }
    let mut loader = Loader::new();
    table.iter().for_each(|(key, value)| loader.row(key, value).expect("a good row"));
    assert_eq!(loader.finish().expect("a whole table").full_hash(), node.store.full_hash());
}

/// File names only: a shelf does not look inside.
struct Names(Vec<String>);

impl ReadDisk for Names {
    type Error = String;

    fn list(&self) -> Result<Vec<String>, String> {
        Ok(self.0.clone())
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        Err(format!("nobody reads {name}"))
    }
}

#[test]
fn every_state_of_the_disk_has_one_way_on() {
    let part = |last| Chunk { snapshot: id(40, 5), offset: 0, bytes: Bytes::from("x"), last };
    let (mut shelf, mut ops) = (Shelf::default(), Vec::new());
    shelf.keep(&part(true), &mut ops);
    let Some(FileOp::Rename { from: draft, to: whole }) = ops.iter().rev().nth(1).cloned() else {
        panic!("the last part gives the file its name: {ops:?}")
    };
    let mut litter = Vec::new();
    let names = Names(vec![draft.clone(), whole.clone(), "something else".to_owned()]);
    let shelf = Shelf::open(&names, &mut litter).expect("a readable shelf");
    assert_eq!(litter, [FileOp::Remove { name: draft }], "half a snapshot is of no use");
    let use_store = Ok(Opening::UseStore);
    assert_eq!(shelf.decide(id(0, 0), None), use_store, "a new member");
    assert_eq!(shelf.decide(id(30, 4), Some(id(35, 4))), use_store, "not taken for the log yet");
    assert_eq!(shelf.decide(id(40, 5), Some(id(40, 5))), use_store, "installed, not removed");
    let install = Ok(Opening::Install { snapshot: id(40, 5), name: whole });
    assert_eq!(shelf.decide(id(40, 5), Some(id(35, 4))), install, "not installed yet");
    assert_eq!(shelf.decide(id(40, 5), None), install, "being installed");
    for (base, what) in [(id(41, 5), "a later one is needed"), (id(40, 6), "another one")] {
        let refused = shelf.decide(base, Some(id(35, 4))).expect_err(what);
        assert!(refused.contains("there is no received snapshot of that entry"), "{refused}");
    }
}
