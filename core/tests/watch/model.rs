//! Everything at random: transactions, compactions, snapshots, watchers of every kind, clients
//! that read slowly or not at all; judged message by message, and at the end nothing is missing.

use quorate_core::api::etcdserverpb::WatchCreateRequest;
use quorate_core::planted::Bug;
use quorate_core::random::Random;
use quorate_core::types::Ticks;
use quorate_core::watch::{StreamId, WatchInput};

use crate::judge::Counts;
use crate::ledger::Op;
use crate::rig::{Rig, SETTINGS};

const KEYS: [&str; 8] = ["a", "b", "ba", "bb", "c", "d", "da", "z"];
const ENDS: [&str; 6] = ["", "\0", "b", "c", "e", "a"];
const STREAMS: u64 = 3;

struct Play {
    rig: Rig,
    random: Random,
    created: u64,
}

/// Plays one seed and says what happened in it.
pub fn play(seed: u64, planted: Option<Bug>) -> Counts {
    let mut play = Play { rig: Rig::planted(planted), random: Random::new(seed), created: 0 };
    (0..STREAMS).for_each(|stream| play.rig.open(stream));
    for _ in 0..300 {
        play.act();
        let fullest = play.rig.fullest;
        assert!(fullest < SETTINGS.queue + 2000, "memory: {fullest} bytes wait in a stream");
    }
    play.rig.settle();
    let mut counts = Counts::default();
    for stream in play.rig.streams.values() {
        let more = stream.judge.counts;
        counts.events += more.events;
        counts.progress += more.progress;
        counts.fragments += more.fragments;
        counts.compacted += more.compacted;
        counts.canceled += more.canceled;
        counts.previous += more.previous;
        counts.together += more.together;
    }
    counts
}

impl Play {
    fn act(&mut self) {
        let stream = self.random.below(STREAMS);
        match self.random.below(40) {
            0..12 => self.transact(),
            12..18 => {
                let ahead = i64::try_from(self.random.below(4)).unwrap();
                let to = self.rig.watching.hub().published() + ahead;
                self.rig.publish_to(to);
            }
            18..20 => self.rig.publish(),
            20..24 => self.create(stream),
            // Stream 0 is nearly never read.
            24..32 if stream > 0 || self.random.below(10) == 0 => {
                (0..self.random.below(4)).for_each(|_| drop(self.rig.read(stream)));
            }
            24..34 => self.rig.catch_up(),
            34 => self.rig.input(WatchInput::Progress(StreamId(stream))),
            35 => self.rig.input(WatchInput::Tick(Ticks(self.random.below(60)))),
            36 => self.compact(),
            37 => {
                let id = i64::try_from(self.random.below(9)).unwrap();
                self.rig.cancel(stream, id);
            }
            38 if self.random.below(3) == 0 => self.rig.install(),
            _ => self.reopen(stream),
        }
    }

    fn transact(&mut self) {
        let many = [1, 1, 1, 3, 12][usize::try_from(self.random.below(5)).unwrap()];
        let ops: Vec<Op> = (0..many).map(|_| self.op()).collect();
        self.rig.transact(&ops);
    }

    fn op(&mut self) -> Op {
        let key = self.pick(&KEYS);
        let long = if self.random.below(8) == 0 { 120 } else { 6 };
        match self.random.below(3) {
            0 => Op::Delete(key),
            _ => Op::Put(key, "v".repeat(usize::try_from(self.random.below(long)).unwrap())),
        }
    }

    fn create(&mut self, stream: u64) {
        self.created += 1;
        let now = self.rig.ledger.current();
        let about =
            |random: &mut Random| (now - 20 + i64::try_from(random.below(28)).unwrap()).max(0);
        let start_revision = match self.random.below(6) {
            0 | 1 => 0,
            2..5 => about(&mut self.random),
            _ if self.random.below(9) == 0 => -1,
            _ => 1,
        };
        let filters = [vec![], vec![], vec![0], vec![1], vec![0, 1]];
        let request = WatchCreateRequest {
            key: self.pick(&["", "a", "b", "ba", "c", "d"]).as_bytes().to_vec().into(),
            range_end: self.pick(&ENDS).as_bytes().to_vec().into(),
            start_revision,
            progress_notify: self.random.below(2) == 0,
            filters: filters[usize::try_from(self.random.below(5)).unwrap()].clone(),
            prev_kv: self.random.below(2) == 0,
            watch_id: i64::try_from(self.random.below(30).saturating_sub(22)).unwrap(),
            fragment: self.random.below(2) == 0,
        };
        self.rig.create(stream, request);
    }

    fn compact(&mut self) {
        let (mark, current) = (self.rig.ledger.mark, self.rig.ledger.current());
        let back = i64::try_from(self.random.below(10)).unwrap();
        self.rig.ledger.mark = mark.max(current - back);
    }

    /// Most clients stay.
    fn reopen(&mut self, stream: u64) {
        if self.random.below(20) == 0 {
            self.rig.input(WatchInput::Close(StreamId(stream)));
            self.rig.open(stream);
        }
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.random.below(from.len() as u64)).unwrap()]
    }
}

#[test]
fn every_watcher_is_told_what_it_was_promised() {
    let mut all = Counts::default();
    for seed in 0..1000 {
        let counts = std::panic::catch_unwind(|| play(seed, None));
        let counts = counts.unwrap_or_else(|_| panic!("seed {seed}"));
        all.events += counts.events;
        all.progress += counts.progress;
        all.fragments += counts.fragments;
        all.compacted += counts.compacted;
        all.canceled += counts.canceled;
        all.previous += counts.previous;
        all.together += counts.together;
    }
    // What never happened was not tested.
    let Counts { events, progress, fragments, compacted, canceled, previous, together } = all;
    for count in [events, progress, fragments, compacted, canceled, previous, together] {
        assert!(count > 500, "too little of something happened: {all:?}");
    }
}
