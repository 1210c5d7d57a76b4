//! What an engine keeps for the world, and what it must know about it.

use crate::network::Flight;
use crate::plan::{Actor, Stream};

/// Something that is due at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// A machine starts its process.
    Start {
        /// Which, counted from 0.
        host: usize,
    },
    /// An actor has something to do.
    Turn {
        /// Whose.
        host: usize,
        /// Of which life.
        boot: u64,
        /// Which.
        actor: Actor,
    },
    /// A member's clock has moved by a tick.
    Tick {
        /// Whose.
        host: usize,
        /// Of which life.
        boot: u64,
        /// Which alarm: a clock that was bent gets a new one.
        alarm: u64,
    },
    /// A message reaches its member.
    Deliver(Flight),
    /// A client's next operation is due.
    Ask {
        /// Which client.
        client: usize,
    },
    /// A call reaches its member.
    Arrive {
        /// Whose call.
        client: usize,
        /// Its number.
        number: u32,
    },
    /// An answer reaches its client.
    Reply {
        /// Which client.
        client: usize,
        /// The number of the call.
        number: u32,
    },
    /// A client's patience is over.
    GiveUp {
        /// Which client.
        client: usize,
        /// The number of the call.
        number: u32,
    },
    /// A client opens a stream, or tries again.
    Connect {
        /// Which client.
        client: usize,
        /// Which of its streams.
        stream: Stream,
    },
    /// A client reads the next message of a stream.
    Look {
        /// Which client.
        client: usize,
        /// Which of its streams.
        stream: Stream,
    },
    /// A fault begins at its time.
    Fault {
        /// Its place in the plan.
        place: usize,
    },
    /// A fault ends.
    Relief {
        /// Its place in the plan.
        place: usize,
    },
    /// All faults end, or progress is looked at.
    Inspect,
}

/// Where an event happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// In an actor of a member.
    Actor(usize, Actor),
    /// On the wire.
    Wire,
    /// At a client.
    Client(usize),
    /// Nowhere in the cluster.
    Outside,
}

/// What becomes of the process of a member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// It is gone.
    Killed(usize),
    /// It begins.
    Started(usize),
}

impl Event {
    /// Where it happens.
    #[must_use]
    pub const fn place(self) -> Place {
        match self {
            Self::Turn { host, actor, .. } => Place::Actor(host, actor),
            Self::Tick { host, .. } => Place::Actor(host, Actor::Consensus),
            Self::Deliver(_) | Self::Arrive { .. } => Place::Wire,
            Self::Ask { client }
            | Self::Reply { client, .. }
            | Self::GiveUp { client, .. }
            | Self::Connect { client, .. }
            | Self::Look { client, .. } => Place::Client(client),
            Self::Start { .. } | Self::Fault { .. } | Self::Relief { .. } | Self::Inspect => {
                Place::Outside
            }
        }
    }
}
