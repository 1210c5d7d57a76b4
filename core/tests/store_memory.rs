//! How much memory a pair takes: everything that the store keeps, counted by the allocator.
//!
//! The figures of DESIGN §2: a pair of 276 bytes may take at most 400. A size-class allocator
//! rounds up, so requests are counted rounded too (to 16 bytes up to 128, then to quarters of a
//! power of two, as mimalloc does).
#![allow(missing_docs, clippy::unwrap_used)]

mod store_support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use quorate_core::api::etcdserverpb::PutRequest;
use quorate_core::api::wire::command::Action;
use quorate_core::random::Random;
use quorate_core::store::Store;
use store_support::entry;

struct Counting;

static REQUESTED: AtomicUsize = AtomicUsize::new(0);
static ROUNDED: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system allocator unchanged; the counters touch no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        REQUESTED.fetch_add(layout.size(), Ordering::Relaxed);
        ROUNDED.fetch_add(rounded(layout.size()), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        REQUESTED.fetch_sub(layout.size(), Ordering::Relaxed);
        ROUNDED.fetch_sub(rounded(layout.size()), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }
}

fn rounded(size: usize) -> usize {
    let grain = if size <= 128 { 16 } else { size.next_power_of_two() / 8 };
    size.next_multiple_of(grain)
}

/// Bytes per pair, as requested and as a size-class allocator rounds them.
fn per_pair(pairs: u64, key: impl Fn(u64) -> String) -> (usize, usize) {
    let before = (REQUESTED.load(Ordering::Relaxed), ROUNDED.load(Ordering::Relaxed));
    let mut store = Store::new();
    for index in 1..=pairs {
        let value = Bytes::from(vec![index as u8; 256]);
        let put = PutRequest { key: key(index).into(), value, ..Default::default() };
        store.apply(&entry(index, Some(Action::Put(put))));
    }
    assert_eq!(store.keys() as u64, pairs, "every key is another one");
    let after = (REQUESTED.load(Ordering::Relaxed), ROUNDED.load(Ordering::Relaxed));
    let share = |after: usize, before: usize| (after - before) / pairs as usize;
    (share(after.0, before.0), share(after.1, before.1))
}

fn measure(pairs: u64) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _guard = ALONE.lock().unwrap();
    // A bijection that scatters: no key twice, no order.
    let scattered = |n: u64| format!("/registry/{:010}", n * 7_368_787 % 4_294_967_291);
    let mut random = Random::new(1);
    let seed = random.below(u64::MAX);
    let noise = move |n: u64| format!("{:020}", (n ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let shapes: [(&str, &dyn Fn(u64) -> String); 4] = [
        ("rising", &|n| format!("/registry/{n:010}")),
        ("falling", &|n| format!("/registry/{:010}", 9_999_999_999 - n)),
        ("scattered", &scattered),
        ("noise", &noise),
    ];
    for (name, key) in shapes {
        let (requested, rounded) = per_pair(pairs, key);
        println!("{pairs} {name} keys: {requested} bytes a pair, {rounded} with rounding");
        assert!(requested <= 385, "{name}: {requested} bytes a pair");
        assert!(rounded <= 400, "{name}: {rounded} bytes a pair with rounding");
    }
}

#[test]
fn a_pair_takes_at_most_400_bytes() {
    measure(100_000);
}

/// As above at full size; run it with `--ignored` when the index or the records change.
#[test]
#[ignore = "takes 400 MB and some seconds"]
fn a_million_pairs_take_at_most_400_megabytes() {
    measure(1_000_000);
}
