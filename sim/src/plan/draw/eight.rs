//! The schedule of figure 8 of the Raft paper, as far as faults can arrange it.
//!
//! ```text
//!   A appends x in term 2 and is cut off at once      A: x@2
//!   B leads term 3 and is cut off at once             A: x@2   B: y@3
//!   A is back, leads term 4 with the help of C        A: x@2   B: y@3   C: x@2 z@4
//!     its own disk is slow: does it commit x now?
//!   A loses power before z is on its disk,            A: x@2   B: y@3
//!   C goes away, B is back, and A must vote for it    A: y@3   B: y@3
//! ```
//! If A took x for committed because two disks held it (§5.4.2), a committed entry is gone. No
//! random schedule was seen to get there in 20,000 runs. Who A, B and C are shows only in the run:
//! faults follow the leaders, and who goes away at the end is a guess, right every third time.

use super::Draw;
use crate::clock::{MILLI, Micros};
use crate::plan::{Direction, Flight, Moment, Target, What, When, Who};

/// How long a round takes, in election timeouts.
const ROUND: u64 = 15;

impl Draw {
    /// As many rounds as there is time for.
    pub(super) fn eight(&mut self) {
        let mut at = 2 * self.settings.election;
        while at + ROUND * self.settings.election < self.settings.duration {
            self.eight_round(at);
            at += ROUND * self.settings.election;
        }
    }

    fn eight_round(&mut self, at: Micros) {
        let election = self.settings.election;
        let back = self.between(5, 8) * election / 2;
        let cut = |target| What::Isolate {
            target,
            with: 0,
            direction: Direction::Both,
            flight: Flight::Drops,
        };
        let third = Target::Member(self.member());
        let (slow, gone) = (at + back, 4 * election);
        self.add(first(Moment::Appends, at), back, cut(Target::It));
        self.add(first(Moment::Leads, at + MILLI), 9 * election, cut(Target::It));
        self.add(first(Moment::Leads, slow), 2 * election, What::SlowDisk(Target::It, 30));
        self.add(first(Moment::Commits, slow), election / 4, What::PowerLoss(Target::It));
        self.add(first(Moment::Commits, slow), gone + 4 * election, cut(third));
    }
}

/// The first time that a leader does this.
fn first(moment: Moment, after: Micros) -> When {
    When::Nth { who: Who::Leader, moment, nth: 1, after }
}
