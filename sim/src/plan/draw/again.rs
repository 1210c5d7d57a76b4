//! A second snapshot for a member that has not finished with the first.
//!
//! ```text
//!   member is away for long; its log is too short when it comes back
//!   the leader's state arrives, and takes the place of its store:  here its storage stands still,
//!                                                                  and the leader is cut off
//!   the next leader goes on without it, forgets, and sends a state of its own
//!   the member is killed: it must start from what is left of the first one
//! ```
//! Each step alone is common. All of them in a row were not seen in 6,000 runs by chance.

use super::Draw;
use crate::clock::{MILLI, Micros, SECOND};
use crate::plan::{Actor, Direction, Flight, Moment, Target, What, When, Who};

/// From the beginning to the kill, and a bit.
const ROUND: Micros = 5 * SECOND;

impl Draw {
    /// As many rounds as there is time for.
    pub(super) fn second_snapshots(&mut self) {
        let mut at = self.between(300, 800) * MILLI;
        while at + ROUND < self.settings.duration {
            self.second_snapshot(at);
            at += ROUND;
        }
    }

    fn second_snapshot(&mut self, at: Micros) {
        let member = self.member();
        let away = self.between(800, 1500) * MILLI;
        let installs =
            When::Nth { who: Who::Member(member), moment: Moment::Installs, nth: 1, after: at };
        let cut = What::Isolate {
            target: Target::Leader,
            with: 0,
            direction: Direction::Both,
            flight: Flight::Drops,
        };
        self.add(When::At(at), away, What::Crash(Target::Member(member)));
        self.add(installs, 3 * SECOND, What::Stall(Target::It, Actor::Storage));
        self.add(installs, 3 * SECOND, cut);
        let kill = at + away + self.between(1500, 3000) * MILLI;
        self.add(When::At(kill), 300 * MILLI, What::Crash(Target::Member(member)));
    }
}
