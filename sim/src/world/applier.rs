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

use quorate_core::actors::apply;
use quorate_core::member::Input;

use super::{Name, World};
use crate::plan::{Actor, Moment};
use crate::verdict::Violation;

impl World {
    pub(super) fn run_applier(&mut self, at: usize) -> Result<(), Violation> {
        let Some(boot) = self.hosts[at].boot() else { return Ok(()) };
        self.install(at)?;
        if !self.is_alive(at, boot) {
            return Ok(());
        }
        let Some(running) = self.hosts[at].running() else { return Ok(()) };
        let entries = std::mem::take(&mut running.entries);
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(()) };
        self.trace.event(self.now, format_args!("{} apply {first}..{last}", Name(at)));
        for entry in &entries {
            self.oracle.on_apply(at, entry)?;
        }
        let effects = apply(&mut running.store, &entries);
        let store = &running.store;
        let (applied, hash) = (store.applied(), store.state_hash());
        self.oracle.on_state(at, applied.index, hash, store.revision())?;
        running.image.push(effects.rows);
        running.inbox.push(Input::Applied { id: applied, facts: effects.facts });
        self.ledger.told(&effects.answers);
        self.answer(at, effects.answers);
        self.wake(at, Actor::Consensus);
        self.wake_after(at, Actor::Storage, self.plan.settings.store_every);
        self.moment(at, Moment::Applies);
        Ok(())
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
        if running.batches.is_empty() && running.image.bytes() > 0 {
            running.batches = running.image.take(&running.store).into();
        }
        if let Some(batch) = running.batches.pop_front() {
            running.handed = batch.applied.index;
            self.trace.event(self.now, format_args!("{} stores {}", Name(at), batch.applied));
            host.vault.hand_over(batch.rows);
            self.wake_after(at, Actor::Storage, span);
            return self.moment(at, Moment::Stores);
        }
        let due = running.synced_at + sync_every;
        if running.handed > running.stored && self.now >= due {
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
        self.wake(at, Actor::Consensus);
    }
}
