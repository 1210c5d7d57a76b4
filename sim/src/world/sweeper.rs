//! The sweeper: what compaction gave up is removed, one bounded step after the other.
//!
//! ```text
//!   a compaction was applied --> step .. pause .. step .. pause .. done
//!                                 \--rows to drop--> image (applier.rs), and to the vault
//! ```
//! No client may see how far it has come, and a crash may come between any two steps. A read that
//! is under way pins what it needs; then a step removes nothing.

use quorate_core::store::Left;

use super::{Name, World};
use crate::counters::Counter;
use crate::plan::{Actor, Moment};

impl World {
    /// Lets the sweeper begin if there is something to remove.
    pub(super) fn wake_sweeper(&mut self, at: usize) {
        let pause = self.plan.settings.sweep_pause;
        if self.hosts[at].store().is_some_and(|store| store.has_to_sweep()) {
            self.wake_after(at, Actor::Sweeper, pause.max(1));
        }
    }

    pub(super) fn run_sweeper(&mut self, at: usize) {
        let budget = (self.plan.settings.sweep as usize).max(1);
        let Some(running) = self.hosts[at].running() else { return };
        if !running.store.has_to_sweep() {
            return;
        }
        let swept = running.store.sweep(budget);
        let gone = swept.rows.len();
        running.image.push(swept.rows);
        self.trace.event(self.now, format_args!("{} removes {gone} rows", Name(at)));
        self.counters.count(Counter::SweepSteps);
        self.counters.add(Counter::RowsRemoved, gone as u64);
        match swept.left {
            Left::Nothing => {}
            Left::More => self.wake_sweeper(at),
            Left::Pinned => {
                self.counters.count(Counter::SweepsPinned);
                self.wake_sweeper(at);
            }
        }
        self.wake_after(at, Actor::Storage, self.plan.settings.store_every);
        self.moment(at, Moment::Sweeps);
    }
}
