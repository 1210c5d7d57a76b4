//! The hub of the watchers as an actor: takes in all that waits, reads at most one piece of
//! history, and lets out what goes into the streams.
//!
//! ```text
//!   published, requests, drained, ticks --drain--> Hub --> messages, endings --> streams
//!                                           ^       |
//!                                           +-store-+  one bounded read, then `more`
//! ```
//! News goes first, and then comes one piece of what somebody has missed: a watcher that reads the
//! whole history delays the news of the others by one piece. When enough messages have gathered
//! they are let out before anything else is taken in: what a drain holds is bounded, too.
//!
//! Not here: threads, sockets, and who counts what a client has read.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::store::Store;
use crate::watch::{Ending, Fetch, Hub, Message, StreamId, WatchInput, WatchOutput};

/// So many messages are let out before more is taken in.
const ENOUGH: usize = 2048;

/// What the actor sees of the store, each time for a moment and under its lock.
pub trait Glance {
    /// The store's revision.
    fn revision(&self) -> i64;
    /// A piece of its history.
    fn read(&self, fetch: Fetch) -> WatchInput;
}

impl Glance for Store {
    fn revision(&self) -> i64 {
        Self::revision(self)
    }

    fn read(&self, fetch: Fetch) -> WatchInput {
        fetch.read(self)
    }
}

/// The watchers of one member, as an actor.
#[derive(Debug)]
pub struct Watching {
    hub: Hub,
    wanted: Option<Fetch>,
    outputs: Vec<WatchOutput>,
}

/// What one drain of the actor leads to.
#[derive(Debug, Default)]
pub struct Dispatch {
    /// For the streams, in order.
    pub messages: Vec<(StreamId, Message)>,
    /// Streams to end, behind their messages.
    pub endings: Vec<(StreamId, Ending)>,
    /// There is more to do: drain again soon, with whatever has come by then.
    pub more: bool,
}

impl Watching {
    /// Wraps a hub.
    #[must_use]
    pub fn new(hub: Hub) -> Self {
        Self { hub, wanted: None, outputs: Vec::new() }
    }

    /// Takes inputs in, in order, until enough came of them; what is left over must come first the
    /// next time. Then catches up by one piece. The inputs must have come in before the call: only
    /// so is what `store` shows recent enough for those who begin now.
    pub fn drain(&mut self, inputs: &mut VecDeque<WatchInput>, store: &impl Glance) -> Dispatch {
        let mut dispatch = Dispatch::default();
        let mut glanced = false;
        while dispatch.messages.len() < ENOUGH
            && let Some(input) = inputs.pop_front()
        {
            if matches!(input, WatchInput::Create(..)) && !glanced {
                self.step(WatchInput::Now(store.revision()), &mut dispatch);
                glanced = true;
            }
            self.step(input, &mut dispatch);
        }
        if let Some(fetch) = self.wanted.take() {
            let past = store.read(fetch);
            self.step(past, &mut dispatch);
        }
        dispatch.more = self.wanted.is_some() || !inputs.is_empty();
        dispatch
    }

    /// The hub, to look at.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    fn step(&mut self, input: WatchInput, dispatch: &mut Dispatch) {
        self.hub.step(input, &mut self.outputs);
        for output in self.outputs.drain(..) {
            match output {
                WatchOutput::Send(stream, message) => dispatch.messages.push((stream, message)),
                WatchOutput::End(stream, why) => dispatch.endings.push((stream, why)),
                WatchOutput::Fetch(fetch) => self.wanted = Some(fetch),
            }
        }
    }
}
