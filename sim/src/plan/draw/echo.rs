//! Leadership that goes round among members while every other message comes twice.
//!
//! ```text
//!   a member forwards a write --> the leader takes it, and hands leadership over
//!                             \-> the same once more, late: it meets who leads no longer
//! ```
//! One copy on each side of a change of leader is rare as long as leaders change by failures.
//!
//! Not here: what becomes of a forward (`core/src/member/forwards.rs`).

use super::Draw;
use crate::clock::MILLI;
use crate::plan::{Op, Request, Target, What, When};

/// Of a hundred reads, so many become a wish for another leader.
const WISHES: u64 = 10;

impl Draw {
    /// Adds the repeats, and has clients ask for other leaders instead of reading.
    pub(super) fn echoes(&mut self, ops: &mut [Op]) {
        let lasts = self.settings.duration;
        let late = self.between(5, 50) * MILLI;
        self.add(When::At(0), lasts, What::Duplicate(Target::All, 500_000));
        self.add(When::At(0), lasts, What::Reorder(Target::All, 200_000, late));
        for op in ops.iter_mut().filter(|op| matches!(op.request, Request::Range(_))) {
            if self.chance(WISHES) {
                op.request = Request::MoveLeader(self.member());
            }
        }
    }
}
