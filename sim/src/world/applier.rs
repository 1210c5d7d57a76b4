//! The applier and the storage actor: committed entries reach the store, and its durable copy.
//!
//! ```text
//!   entries --apply--> store --answers--> clients
//!                        |  --applied---> consensus
//!                        +--rows--> image --now and then--> batches --one by one--> vault
//!                                                                      synced --> consensus
//! ```
//! A received snapshot takes the store's place before any entry behind it, and then that of the
//! durable copy (`courier.rs`).
//!
//! The durable copy is behind on purpose, and a crash throws it back to the end of some batch. The
//! log makes up for that, as long as it keeps what was not synced there.

use prost::Message;
use quorate_core::actors::{Effects, apply};
use quorate_core::api::wire::Command;
use quorate_core::api::wire::command::Action;
use quorate_core::member::Input;
use quorate_core::raft::Entry;
use quorate_core::request::requester_of;
use quorate_core::types::{LeaseId, LogId};
use quorate_core::watch::WatchInput;

use super::{Name, World};
use crate::counters::Counter;
use crate::oracle::State;
use crate::plan::{Actor, Moment};
use crate::verdict::Violation;

impl World {
    /// A snapshot takes the store's place behind the entries that were handed over before it.
    pub(super) fn run_applier(&mut self, at: usize) -> Result<(), Violation> {
        let Some(boot) = self.hosts[at].boot() else { return Ok(()) };
        let Some(running) = self.hosts[at].running() else { return Ok(()) };
        let entries = std::mem::take(&mut running.entries);
        let before = running
            .parcels
            .install
            .map_or(0, |snapshot| entries.partition_point(|entry| entry.index <= snapshot.index));
        let (before, behind) = entries.split_at(before);
        self.apply_all(at, before)?;
        if self.is_alive(at, boot) {
            self.install(at)?;
        }
        if self.is_alive(at, boot) {
            self.apply_all(at, behind)?;
        }
        Ok(())
    }

    fn apply_all(&mut self, at: usize, entries: &[Entry]) -> Result<(), Violation> {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(()) };
        self.trace.event(self.now, format_args!("{} apply {first}..{last}", Name(at)));
        let mut effects = Effects::default();
        for entry in entries {
            self.oracle.on_apply(at, entry)?;
            let more = self.apply_one(at, entry)?;
            effects.answers.extend(more.answers);
            effects.rows.extend(more.rows);
            effects.events.extend(more.events);
            effects.facts.extend(more.facts);
            effects.held.append(more.held);
        }
        self.pass_effects(at, last.id(), effects);
        self.moment(at, Moment::Applies);
        Ok(())
    }

    /// One entry at a time, so that every state between two entries is looked at.
    fn apply_one(&mut self, at: usize, entry: &Entry) -> Result<Effects, Violation> {
        let Some(running) = self.hosts[at].running() else { return Ok(Effects::default()) };
        let effects = apply(&mut running.store, std::slice::from_ref(entry));
        let state = State::from(&running.store);
        self.oracle.on_state(at, entry.index, state)?;
        let ends = self.lease_end(entry);
        let first = self.chronicle.applied(self.now, entry.index.0, ends, &effects);
        let Some(news) = first else { return Ok(effects) };
        self.counters.add(Counter::LeasesExpired, u64::from(news.lease_ended));
        let overtaken = ends.is_some() && !news.lease_ended;
        self.counters.add(Counter::LeaseEndsOvertaken, u64::from(overtaken));
        if self.chronicle.compacted(state.mark) {
            self.counters.count(Counter::Compactions);
            let tombstone = self.chronicle.removes(state.mark);
            self.counters.add(Counter::TombstonesAtMark, u64::from(tombstone));
        }
        Ok(effects)
    }

    fn pass_effects(&mut self, at: usize, id: LogId, effects: Effects) {
        let Some(running) = self.hosts[at].running() else { return };
        let published = WatchInput::published(effects.events, &running.store);
        running.image.push(effects.rows);
        // What waits for the end of a removal took effect already.
        let mut held = effects.held.clone();
        held.synced(Some(i64::MAX));
        running.held.append(effects.held);
        // As in the server: where nobody waits for it, it lies there until consensus is woken
        // anyway.
        let awaited = !effects.facts.is_empty() || running.consensus.awaits_store();
        running.inbox.push(Input::Applied { id, facts: effects.facts });
        self.tell_hub(at, published);
        self.ledger.told(&held.release());
        self.ledger.told(&effects.answers);
        self.answer(at, effects.answers);
        if awaited {
            self.wake(at, Actor::Consensus);
        }
        self.wake_after(at, Actor::Storage, self.plan.settings.store_every);
        self.wake_sweeper(at);
    }

    /// Hands one batch over, or takes what waits for it, or syncs.
    pub(super) fn run_storage(&mut self, at: usize) {
        let settings = &self.plan.settings;
        let (every, sync_every, span) =
            (settings.store_every, settings.store_sync, settings.disk_write);
        let host = &mut self.hosts[at];
        let Some(running) = host.running() else { return };
        if running.parcels.refills() {
            return self.refill(at);
        }
        // The end of a removal may have no rows of its own, and somebody may wait for it.
        let (gone, told) = (running.store.removed(), running.removed);
        let awaited = running.held.would_release(gone) && !running.held.would_release(told);
        if running.batches.is_empty() && (running.image.bytes() > 0 || awaited) {
            running.batches = running.image.take(&running.store).into();
        }
        if let Some(batch) = running.batches.pop_front() {
            (running.handed, running.removed) = (batch.applied.index, batch.removed);
            self.trace.event(self.now, format_args!("{} stores {}", Name(at), batch.applied));
            host.vault.hand_over(batch.rows);
            self.wake_after(at, Actor::Storage, span);
            return self.moment(at, Moment::Stores);
        }
        let due = running.synced_at + sync_every;
        // Whoever waits for the end of a removal waits for the sync, too.
        let hurry = running.held.would_release(running.removed);
        if hurry || (running.handed > running.stored && self.now >= due) {
            self.sync_storage(at);
        } else if running.handed > running.stored {
            self.wake_after(at, Actor::Storage, every.min(due - self.now).max(1));
        }
    }

    fn sync_storage(&mut self, at: usize) {
        let host = &mut self.hosts[at];
        host.vault.sync();
        let Some(running) = host.running() else { return };
        running.stored = running.handed;
        running.synced_at = self.now;
        running.inbox.push(Input::Stored(running.stored));
        running.held.synced(running.removed);
        let answers = running.held.release();
        self.wake(at, Actor::Consensus);
        self.answer(at, answers);
    }

    /// The lease that an entry ends though no client asked for that.
    fn lease_end(&self, entry: &Entry) -> Option<LeaseId> {
        let command = Command::decode(entry.command.clone()).ok()?;
        let asked = requester_of(&entry.command).is_some_and(|id| self.ledger.knows(id));
        match command.action? {
            Action::LeaseEnd(end) => Some(LeaseId(end.id)),
            Action::LeaseRevoke(revoke) if !asked => Some(LeaseId(revoke.id)),
            Action::LeaseRevoke(_)
            | Action::Put(_)
            | Action::DeleteRange(_)
            | Action::Txn(_)
            | Action::Compact(_)
            | Action::LeaseGrant(_)
            | Action::LeaseCheckpoint(_)
            | Action::Configuration(_)
            | Action::Publish(_) => None,
        }
    }
}
