//! How long a peer that refuses snapshots waits for the next one.

use alloc::vec::Vec;

use super::{LONGEST_PAUSE, Progress};
use crate::raft::shipment::Shipment;
use crate::snap::ShipmentId;
use crate::types::{Index, Ticks};

const ELECTION: Ticks = Ticks(10);

/// A snapshot begins and is refused. Returns how many ticks pass until another may begin.
fn refuse(peer: &mut Progress, n: u64) -> u64 {
    peer.begin_snapshot(Shipment::new(ShipmentId(n), Index(100)));
    peer.snapshot_refused(ELECTION);
    let mut ticks = 0;
    while peer.is_paused() {
        peer.tick(Ticks(5), Ticks(5), false);
        ticks += 1;
    }
    ticks
}

#[test]
fn the_pause_doubles_up_to_its_longest() {
    let mut peer = Progress::new(Index(1), 8 << 20);
    let pauses: Vec<u64> = (0..80).map(|n| refuse(&mut peer, n)).collect();
    assert_eq!(pauses[..6], [10, 20, 40, 80, 160, 320]);
    assert!(pauses[6..].iter().all(|pause| *pause == LONGEST_PAUSE * ELECTION.0), "{pauses:?}");
}

#[test]
fn a_peer_that_took_something_in_begins_anew() {
    let mut peer = Progress::new(Index(1), 8 << 20);
    assert_eq!([refuse(&mut peer, 1), refuse(&mut peer, 2)], [10, 20]);
    peer.accepted(Index(100), Index(100));
    assert_eq!(refuse(&mut peer, 3), 10);
}
