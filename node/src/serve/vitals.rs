//! What everybody may see of consensus, published after each round.
//!
//! The term goes into every response header, so it is an atomic of its own; the rest is asked for
//! by people and dashboards and comes as one consistent picture.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use quorate_core::raft::View;
use quorate_core::types::{NodeId, Term};
use tokio::sync::watch;

/// The newest view of the member.
pub struct Vitals {
    term: AtomicU64,
    view: Mutex<View>,
    leader: watch::Sender<Option<NodeId>>,
    leader_changes: AtomicU64,
}

impl Vitals {
    /// Starts with the view of a member that has not done anything.
    pub fn new(view: View) -> Self {
        let (leader, _) = watch::channel(view.leader);
        let term = AtomicU64::new(view.term.0);
        Self { term, view: Mutex::new(view), leader, leader_changes: AtomicU64::new(0) }
    }

    /// Replaces the view.
    pub fn publish(&self, view: View) {
        self.term.store(view.term.0, Ordering::Relaxed);
        let leader = view.leader;
        *self.lock() = view;
        self.leader.send_if_modified(|known| {
            let changed = *known != leader;
            if changed {
                self.note_leader(leader);
            }
            *known = leader;
            changed
        });
    }

    /// The term at this moment.
    pub fn term(&self) -> Term {
        Term(self.term.load(Ordering::Relaxed))
    }

    /// The whole view.
    pub fn view(&self) -> View {
        *self.lock()
    }

    /// Follows the leader.
    pub fn leader(&self) -> watch::Receiver<Option<NodeId>> {
        self.leader.subscribe()
    }

    /// How often a leader was found since the start.
    pub fn leader_changes(&self) -> u64 {
        self.leader_changes.load(Ordering::Relaxed)
    }

    fn note_leader(&self, leader: Option<NodeId>) {
        let term = self.term();
        match leader {
            Some(leader) => {
                self.leader_changes.fetch_add(1, Ordering::Relaxed);
                tracing::info!(%leader, %term, "found a leader");
            }
            None => tracing::warn!(%term, "lost the leader"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
