//! Watches: from now, from the past, from what is forgotten and from what is yet to come, read in
//! haste and in leisure.
//!
//! Few streams with several watchers each, because what goes wrong between watchers goes wrong on
//! one stream.

use super::Draw;
use super::ops::Taste;
use crate::clock::MILLI;
use crate::plan::{Filter, Keys, Op, Request, Stream, Watch};

impl Draw {
    /// Something that a client does with its streams. A cancel names no watcher yet.
    pub(super) fn watching(&mut self, taste: &Taste) -> Request {
        let stream = Stream(self.pick(&[0, 0, 1]));
        match self.random.below(20) {
            0..10 => Request::Watch(self.watch(stream, taste)),
            10..13 => Request::Progress(stream),
            13..17 => {
                let slow = self.span(5 * MILLI, 600 * MILLI);
                Request::Pace(stream, self.pick(&[MILLI, slow, slow]))
            }
            17..19 => Request::Cancel(0),
            _ => Request::Close(stream),
        }
    }

    fn watch(&mut self, stream: Stream, taste: &Taste) -> Watch {
        let keys = if self.chance(50) { Keys::From(0) } else { self.keys(taste) };
        let from = if self.chance(60) { Some(self.old()) } else { None };
        let without = if self.chance(20) { Some(self.pick(Filter::ALL)) } else { None };
        let id = if self.chance(15) { Some(self.between(1, 3) as i64) } else { None };
        Watch {
            stream,
            keys,
            from,
            id,
            without,
            prev: self.chance(40),
            fragment: self.chance(40),
            progress: self.chance(40),
        }
    }

    /// Lets each cancel name an earlier watch of its client. One without such a watch asks for
    /// progress instead.
    pub(super) fn name_watchers(&mut self, ops: &mut [Op]) {
        for at in 0..ops.len() {
            if ops[at].request != Request::Cancel(0) {
                continue;
            }
            let client = ops[at].client;
            let begun = |op: &&Op| op.client == client && matches!(op.request, Request::Watch(_));
            let earlier: Vec<u32> = ops[..at].iter().filter(begun).map(|op| op.number).collect();
            ops[at].request = if earlier.is_empty() {
                Request::Progress(Stream(0))
            } else {
                Request::Cancel(self.pick(&earlier))
            };
        }
    }
}
