//! What the clients of a run ask: each run leaves most kinds of requests out.
//!
//! Not here: transactions (`txn.rs`), leases (`lease.rs`), watches (`watch.rs`).

use super::{Draw, Profile};
use crate::clock::{MILLI, Micros, SECOND};
use crate::plan::{Delete, Keys, Only, Op, Point, Put, Range, Request, Tie};

/// A kind of request that a run may include, beside puts, deletes and reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Txn,
    Compact,
    Lease,
    Watch,
    Move,
}

/// All of them.
pub(super) const KINDS: [Kind; 5] =
    [Kind::Txn, Kind::Compact, Kind::Lease, Kind::Watch, Kind::Move];

/// What the requests of one run have in common.
#[derive(Clone, Debug)]
pub(super) struct Taste {
    /// How many keys there are.
    pub keys: u8,
    /// Whether values may be long.
    pub long: bool,
    /// Kinds beside puts, deletes and reads.
    pub kinds: Vec<Kind>,
}

impl Draw {
    /// Operations for as long as things go wrong, if every answer came at once.
    pub(super) fn ops(&mut self) -> Vec<Op> {
        let think = 2 * self.settings.clients * SECOND / self.rate();
        let taste = self.taste();
        let mut ops = Vec::new();
        for client in 0..self.settings.clients as u8 {
            let mut at = 0;
            while at < self.settings.duration {
                let think = self.span(MILLI, think);
                at += think;
                let request = self.request(&taste);
                let sequel = self.sequel(client, &request);
                ops.push((at, Op { number: 0, client, think, request }));
                for (think, request) in sequel {
                    at += think;
                    ops.push((at, Op { number: 0, client, think, request }));
                }
            }
        }
        // Numbered in the order in which they would be asked.
        ops.sort_by_key(|(at, _)| *at);
        let numbers = 1..;
        let numbered = numbers.zip(ops);
        let mut ops: Vec<Op> =
            numbered.map(|(number, (_, op)): (u32, (Micros, Op))| Op { number, ..op }).collect();
        self.name_watchers(&mut ops);
        ops
    }

    fn taste(&mut self) -> Taste {
        let keys = self.between(2, 10) as u8;
        let long = self.profile == Profile::Durable || self.chance(25);
        let share = self.pick(&[0, 40, 70]);
        let mut kinds: Vec<Kind> = KINDS.into_iter().filter(|_| self.chance(share)).collect();
        if self.profile == Profile::Leases {
            kinds = vec![Kind::Lease];
        }
        Taste { keys, long, kinds }
    }

    fn request(&mut self, taste: &Taste) -> Request {
        let special = if self.profile == Profile::Leases { 70 } else { 35 };
        if !taste.kinds.is_empty() && self.chance(special) {
            let kind = self.pick(&taste.kinds);
            return self.special(kind, taste);
        }
        self.plain(taste)
    }

    fn special(&mut self, kind: Kind, taste: &Taste) -> Request {
        match kind {
            Kind::Txn => Request::Txn(self.txn(taste, 2)),
            Kind::Lease => self.leasing(),
            Kind::Watch => self.watching(taste),
            Kind::Move if self.chance(70) => self.plain(taste),
            Kind::Move => Request::MoveLeader(self.member()),
            Kind::Compact if self.chance(60) => self.plain(taste),
            Kind::Compact => Request::Compact { at: self.mark(), physical: self.chance(20) },
        }
    }

    fn plain(&mut self, taste: &Taste) -> Request {
        let reads = if self.profile == Profile::Stale { 50 } else { 30 };
        match self.random.below(100) {
            roll if roll < reads => Request::Range(self.range(taste, false, None)),
            roll if roll < reads + 10 => Request::Range(self.range(taste, true, None)),
            roll if roll < reads + 15 => {
                let at = self.old();
                let serializable = self.chance(30);
                Request::Range(self.range(taste, serializable, Some(at)))
            }
            roll if roll < reads + 22 => Request::Delete(self.delete(taste)),
            _ => Request::Put(self.put(taste)),
        }
    }

    pub(super) fn put(&mut self, taste: &Taste) -> Put {
        let size = if taste.long { self.pick(&[8, 300, 1500, 1500, 6000]) } else { 8 };
        let key = self.key(taste);
        let size = if self.chance(3) { None } else { Some(size) };
        Put { key, size, tie: self.tie(taste), prev: self.chance(30) }
    }

    fn tie(&mut self, taste: &Taste) -> Tie {
        let leases = taste.kinds.contains(&Kind::Lease);
        match self.random.below(20) {
            0 => Tie::Kept,
            1..9 if leases => Tie::To(self.lease()),
            _ => Tie::Loose,
        }
    }

    pub(super) fn delete(&mut self, taste: &Taste) -> Delete {
        Delete { keys: self.keys(taste), prev: self.chance(50) }
    }

    pub(super) fn range(&mut self, taste: &Taste, serializable: bool, at: Option<Point>) -> Range {
        let limit = if self.chance(25) { self.between(1, 4) as u32 } else { 0 };
        let only = if self.chance(10) { Some(self.pick(Only::ALL)) } else { None };
        Range { keys: self.keys(taste), limit, at, serializable, only }
    }

    /// A revision of the past, mostly; sometimes one that is forgotten, or yet to come.
    pub(super) fn old(&mut self) -> Point {
        let by = self.between(0, 12) as u32;
        match self.random.below(20) {
            0..14 => Point::Back(by),
            14..17 => Point::Mark(by / 4),
            17..19 => Point::Tombstone(by / 6),
            _ => Point::Ahead(by + 1),
        }
    }

    /// A revision to compact at.
    fn mark(&mut self) -> Point {
        match self.random.below(20) {
            0..6 => Point::Back(0),
            6..11 => Point::Back(self.between(1, 8) as u32),
            11..17 => Point::Tombstone(0),
            17..19 => Point::Mark(0),
            _ => Point::Ahead(self.between(1, 5) as u32),
        }
    }

    pub(super) fn key(&mut self, taste: &Taste) -> u8 {
        self.random.below(u64::from(taste.keys)) as u8
    }

    pub(super) fn keys(&mut self, taste: &Taste) -> Keys {
        let first = self.key(taste);
        match self.random.below(10) {
            0..6 => Keys::One(first),
            6..9 => Keys::Span(first, first + 1 + self.key(taste)),
            _ => Keys::From(first),
        }
    }
}
