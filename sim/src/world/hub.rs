//! The hub actor of a member: what the applier changed goes out to whoever watches.
//!
//! ```text
//!   published, requests, drained, ticks --> Watching::drain --> messages --> streams
//!                                              ^    |  more: another turn
//!                                              +store
//! ```
//! A stream is a connection: what was put into it arrives in order, or the connection breaks with
//! all that the client has not read.
//!
//! Not here: the client's end (`clients/streams.rs`).

use std::collections::VecDeque;

use quorate_core::actors::{Dispatch, Watching};
use quorate_core::api::etcdserverpb::WatchResponse;
use quorate_core::store::Store;
use quorate_core::types::{Term, Ticks};
use quorate_core::watch::{Hub, Settings, WatchInput};

use super::{CLUSTER, Name, World, id};
use crate::clock::TICK;
use crate::counters::Counter;
use crate::plan::{Actor, Moment};
use crate::verdict::{Invariant, Violation};

/// The hub actor's state.
#[derive(Debug)]
pub struct HubActor {
    watching: Watching,
    inbox: VecDeque<WatchInput>,
    /// Ticks that the hub was not told of.
    ticks: u64,
    /// The last that it was told of a leader.
    leader: (Term, bool),
    /// The newest revision that it was handed.
    handed: i64,
}

impl HubActor {
    /// A hub without watchers beside a store.
    pub fn new(settings: Settings, revision: i64, compacted: i64) -> Self {
        let watching = Watching::new(Hub::new(settings, revision, compacted));
        Self {
            watching,
            inbox: VecDeque::new(),
            ticks: 0,
            leader: (Term(0), false),
            handed: revision,
        }
    }
}

impl World {
    pub(super) fn hub_settings(&self, at: usize) -> Settings {
        let settings = &self.plan.settings;
        Settings {
            cluster: CLUSTER,
            member: id(at),
            queue: settings.watch_queue as usize,
            message: settings.watch_message as usize,
            fragment: settings.watch_fragment as usize,
            fetch: settings.watch_fetch as usize,
            cohort: settings.watch_cohort as usize,
            progress: Ticks((settings.progress / TICK).max(1)),
            leaderless: Ticks((3 * settings.election / TICK).max(1)),
            seed: self.fate("hub").of(at as u64).of(self.hosts[at].boots).number(),
            planted: self.planted,
        }
    }

    /// Something for the hub to take in.
    pub(super) fn tell_hub(&mut self, at: usize, input: WatchInput) {
        let Some(running) = self.hosts[at].running() else { return };
        running.hub.inbox.push_back(input);
        self.wake(at, Actor::Hub);
    }

    /// Time has passed for a member, and it may have lost or found a leader.
    pub(super) fn pass_hub_time(&mut self, at: usize, ticks: u64) {
        let Some(running) = self.hosts[at].running() else { return };
        let view = running.consensus.view();
        let leader = (view.term, view.leader.is_some());
        let hub = &mut running.hub;
        hub.ticks += ticks;
        let changed = hub.leader != leader;
        if changed {
            hub.leader = leader;
            hub.inbox.push_back(WatchInput::Leader { term: leader.0, known: leader.1 });
        }
        let due = hub.watching.hub().rest().is_some_and(|rest| rest.0 <= hub.ticks);
        if changed || due {
            self.wake(at, Actor::Hub);
        }
    }

    pub(super) fn run_hub(&mut self, at: usize) -> Result<(), Violation> {
        let Some(running) = self.hosts[at].running() else { return Ok(()) };
        let hub = &mut running.hub;
        let dispatch = hub.drain(&running.store);
        let behind = hub.watching.hub().census().slow > 0;
        let handed = hub.handed;
        if dispatch.more {
            self.counters.count(Counter::CatchUps);
            self.wake(at, Actor::Hub);
        }
        for (stream, message) in dispatch.messages {
            self.trace.event(self.now, format_args!("{} tells {stream} {message}", Name(at)));
            let (response, bytes) = (message.response(), message.encoded_len());
            check_told(at, handed, &response)?;
            self.put_into_stream(stream, response, bytes);
        }
        for (stream, why) in dispatch.endings {
            self.end_stream(stream, why.reason());
        }
        if behind {
            self.moment(at, Moment::CatchesUp);
        }
        Ok(())
    }
}

impl HubActor {
    /// Takes in what waits, the time that passed last.
    fn drain(&mut self, store: &Store) -> Dispatch {
        let ticks = std::mem::take(&mut self.ticks);
        if ticks > 0 {
            self.inbox.push_back(WatchInput::Tick(Ticks(ticks)));
        }
        let news: Vec<Option<i64>> = self.inbox.iter().map(published).collect();
        let dispatch = self.watching.drain(&mut self.inbox, store);
        let taken = news.len() - self.inbox.len();
        self.handed = news[..taken].iter().flatten().copied().fold(self.handed, i64::max);
        dispatch
    }
}

/// The revision up to which an input tells the hub what there is.
fn published(input: &WatchInput) -> Option<i64> {
    match input {
        WatchInput::Published { revision, .. } | WatchInput::Installed { revision, .. } => {
            Some(*revision)
        }
        WatchInput::Open { .. }
        | WatchInput::Close(_)
        | WatchInput::Now(_)
        | WatchInput::Create(..)
        | WatchInput::Cancel(..)
        | WatchInput::Progress(_)
        | WatchInput::History(_)
        | WatchInput::Compacted(_)
        | WatchInput::Drained { .. }
        | WatchInput::Leader { .. }
        | WatchInput::Tick(_)
        | WatchInput::Stop => None,
    }
}

/// A hub speaks only of what it was handed: the store is ahead of it, with changes that are still
/// on their way.
fn check_told(at: usize, handed: i64, told: &WatchResponse) -> Result<(), Violation> {
    let shown = told.header.as_ref().map_or(0, |header| header.revision);
    let progress = !told.created && !told.canceled && told.events.is_empty();
    if progress && shown > handed {
        let what =
            format!("{} promises that all is told up to {shown}; it was handed {handed}", Name(at));
        return Violation::of(Invariant::WatchBookmarkable, what);
    }
    Ok(())
}
