//! A race at the end of a run: a follower that was away must catch up while others write.
//!
//! ```text
//!   cut off  --others write until the leader has forgotten what it needs--> let back in
//!            --a snapshot, and the log behind it--> in step for a while --> over
//! ```
//! To be sent everything once is not enough. While a snapshot is on its way and while it is taken
//! over, the others go on, and what they wrote must still be there when the follower asks for it.
//! A cluster that fails at this looks well as soon as its clients rest, so they do not.
//!
//! Not here: what else a cluster must show after the faults (`liveness.rs`).

use super::faults::border;
use super::{Event, Name, World};
use crate::clock::{MILLI, Micros, SECOND};
use crate::counters::Counter;
use crate::plan::{Direction, Put, Request, Tie};

/// A follower that has applied all but so many of the committed entries is in step,
const NEAR: u64 = 32;
/// and must be so for this long: a snapshot alone puts it there for a moment.
const STEADY: Micros = SECOND;
/// Between an answer and the next put of the same client.
pub(super) const BREATH: Micros = 20 * MILLI;
/// What a race may take beyond the usual: small parts of a large snapshot, one by one.
pub(super) const RACE: Micros = 30 * SECOND;

/// A race under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Race {
    laggard: usize,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// It hears nothing.
    Away,
    /// It is back, and behind.
    Behind,
    /// It has been in step since then.
    InStep(Micros),
}

impl World {
    /// Cuts a follower off and lets the others write, if the plan says so and they can do without
    /// it. Whether there is a race.
    pub(super) fn open_race(&mut self) -> bool {
        let members = self.hosts.len();
        let standing = self.hosts.iter().filter(|host| !host.retired).count();
        let Some(leader) = self.leader() else { return false };
        if self.plan.settings.race == 0 || standing <= members / 2 + 1 {
            return false;
        }
        let mut others = (1..members).map(|step| (leader + step) % members);
        let Some(laggard) = others.find(|at| !self.hosts[*at].retired) else { return false };
        self.trace.event(self.now, format_args!("{} is cut off", Name(laggard)));
        self.network.cut(&border(members, &[laggard], Direction::Both), true);
        self.race = Some(Race { laggard, stage: Stage::Away });
        for client in self.clients.all_probers() {
            self.write_on(client);
            self.after(1, Event::Ask { client });
        }
        true
    }

    /// What a prober does that has nothing to do: it writes while there is a race, unless its
    /// member is the one that others must outrun.
    pub(super) fn write_on(&mut self, client: usize) {
        let Some(Race { laggard, .. }) = self.race else { return };
        let member = self.clients.member(client);
        if member != laggard && !self.hosts[member].retired {
            let put = Put { key: client as u8, size: Some(0), tie: Tie::Loose, prev: false };
            self.clients.want(client, Request::Put(put));
        }
    }

    /// Looks how the race stands.
    pub(super) fn follow_race(&mut self) {
        let Some(Race { laggard, stage }) = self.race else { return };
        let Some(leader) = self.leader().and_then(|at| self.hosts[at].view()) else { return };
        let Some(follower) = self.hosts[laggard].view() else { return };
        let stage = match stage {
            Stage::Away if leader.base.index <= follower.last.index => Stage::Away,
            Stage::Away => {
                self.trace.event(self.now, format_args!("{} is let back in", Name(laggard)));
                self.network.cut(&border(self.hosts.len(), &[laggard], Direction::Both), false);
                self.counters.count(Counter::Races);
                Stage::Behind
            }
            Stage::Behind | Stage::InStep(_) if follower.applied.0 + NEAR < leader.commit.0 => {
                Stage::Behind
            }
            Stage::Behind => Stage::InStep(self.now),
            Stage::InStep(since) => Stage::InStep(since),
        };
        self.race = Some(Race { laggard, stage });
    }

    /// Whether the follower has caught up, and kept up.
    pub(super) fn is_race_over(&self) -> bool {
        let since = self.race.and_then(|race| match race.stage {
            Stage::Away | Stage::Behind => None,
            Stage::InStep(since) => Some(since),
        });
        since.is_some_and(|since| self.now >= since + STEADY)
    }
}
