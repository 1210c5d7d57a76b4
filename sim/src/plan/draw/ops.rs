//! What the clients of a run ask.

use super::{Draw, Profile};
use crate::clock::{MILLI, Micros, SECOND};
use crate::plan::{Keys, Only, Op, Range, Request};

impl Draw {
    /// Operations for as long as things go wrong, if every answer came at once.
    pub(super) fn ops(&mut self) -> Vec<Op> {
        let think = 2 * self.settings.clients * SECOND / self.rate();
        let keys = self.between(2, 10) as u8;
        let long = self.profile == Profile::Durable || self.chance(25);
        let mut ops = Vec::new();
        for client in 0..self.settings.clients as u8 {
            let mut at = 0;
            while at < self.settings.duration {
                let think = self.span(MILLI, think);
                at += think;
                let request = self.request(keys, long);
                ops.push((at, Op { number: 0, client, think, request }));
            }
        }
        // Numbered in the order in which they would be asked.
        ops.sort_by_key(|(at, _)| *at);
        let numbers = 1..;
        numbers.zip(ops).map(|(number, (_, op)): (u32, (Micros, Op))| Op { number, ..op }).collect()
    }

    fn request(&mut self, keys: u8, long: bool) -> Request {
        let reads = if self.profile == Profile::Stale { 50 } else { 30 };
        match self.random.below(100) {
            roll if roll < reads => self.range(keys, false, None),
            roll if roll < reads + 10 => self.range(keys, true, None),
            roll if roll < reads + 15 => {
                let back = self.between(0, 12) as u32;
                let serializable = self.chance(30);
                self.range(keys, serializable, Some(back))
            }
            roll if roll < reads + 22 => {
                Request::Delete { keys: self.keys(keys), prev: self.chance(50) }
            }
            _ => self.put(keys, long),
        }
    }

    fn put(&mut self, keys: u8, long: bool) -> Request {
        let size = if long { self.pick(&[8, 300, 1500, 1500, 6000]) } else { 8 };
        let key = self.random.below(u64::from(keys)) as u8;
        Request::Put { key, size, prev: self.chance(30) }
    }

    fn range(&mut self, keys: u8, serializable: bool, back: Option<u32>) -> Request {
        let limit = if self.chance(25) { self.between(1, 4) as u32 } else { 0 };
        let only = if self.chance(10) { Some(self.pick(Only::ALL)) } else { None };
        Request::Range(Range { keys: self.keys(keys), limit, back, serializable, only })
    }

    fn keys(&mut self, keys: u8) -> Keys {
        let first = self.random.below(u64::from(keys)) as u8;
        match self.random.below(10) {
            0..6 => Keys::One(first),
            6..9 => Keys::Span(first, first + 1 + self.random.below(u64::from(keys)) as u8),
            _ => Keys::From(first),
        }
    }
}
