//! What really happened in a run: a sweep in which some of this never happened tested nothing.
//!
//! Not here: which counters a sweep must reach (`sweep.rs`).

use std::fmt;

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// Something that is counted.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Counter {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Counter {
            /// Every counter, in the order of reports.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name in reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

counters! {
    /// A member became leader.
    Elections = "elections",
    /// A term began that no member came to lead.
    LeaderlessTerms = "leaderless terms",
    /// A follower replaced entries that it had written.
    Truncations = "truncations",
    /// Entries that were committed.
    Committed = "entries committed",
    /// Messages handed to the network.
    Sent = "messages sent",
    /// Messages that reached a member.
    Delivered = "messages delivered",
    /// Messages that chance took.
    Lost = "messages lost",
    /// Messages that came twice.
    Duplicated = "messages duplicated",
    /// Messages that overtook an earlier one of their link.
    Reordered = "messages reordered",
    /// Messages that were held up for long.
    Delayed = "messages delayed",
    /// Messages that a cut stopped at the sender.
    CutOff = "messages cut off",
    /// Messages that a cut took out of the wire.
    CutInFlight = "messages cut in flight",
    /// Links that were cut both ways or one way.
    Cuts = "cuts",
    /// Cuts in one direction only.
    OneWayCuts = "one-way cuts",
    /// Cuts that leave some member able to reach both sides.
    PartialCuts = "partial cuts",
    /// Processes that were killed.
    Crashes = "crashes",
    /// Machines that lost power.
    PowerLosses = "power losses",
    /// Members that came back.
    Restarts = "restarts",
    /// Crashes while the log was being founded or repaired.
    StartCrashes = "crashes while starting",
    /// Sectors written but not synced that a power loss took.
    SectorsLost = "sectors lost",
    /// Sectors written but not synced that a power loss left.
    SectorsKept = "sectors kept",
    /// Creations, renames and removals that a power loss took back.
    NamesLost = "directory changes lost",
    /// Restarts that found a torn batch at the end of the log.
    TornTails = "torn tails",
    /// Segments that were begun.
    Segments = "segments begun",
    /// Segments that were removed.
    SegmentsRemoved = "segments removed",
    /// Restarts whose store came back older than what was handed over.
    Fallbacks = "image fallbacks",
    /// Members that were stopped for a while.
    Pauses = "pauses",
    /// Single actors that were stopped for a while.
    Stalls = "stalls",
    /// Disks that were slow for a while.
    SlowDisks = "slow disks",
    /// Processes that ended because a sync failed.
    DiskErrors = "disk errors",
    /// Processes that ended because there was no room for a new file.
    FullDisks = "full disks",
    /// Bits that turned over in a file at rest.
    BitsRotten = "bits rotten",
    /// Members that found rot and refused to start.
    RotFound = "rot found",
    /// Clocks that jumped.
    ClockJumps = "clock jumps",
    /// Clocks that ran too fast or too slow, or stood still.
    ClockDrifts = "clock drifts",
    /// Faults that met the moment of the protocol that they were aimed at.
    AimedFaults = "aimed faults",
    /// Client calls.
    Calls = "calls",
    /// Calls answered with a result.
    Answered = "calls answered",
    /// Calls surely without effect.
    Refused = "calls refused",
    /// Calls whose outcome nobody knows.
    Unknown = "unknown outcomes",
    /// Calls that a member gave up after its own time.
    GivenUp = "calls given up by members",
    /// Of these, calls that surely never left the member.
    NeverProposed = "calls never proposed",
    /// Reads at an old revision.
    OldReads = "reads at old revisions",
    /// Serializable reads that showed less than some client had seen.
    StaleReads = "serializable reads stale",
    /// Reads that took more than one step.
    SteppedReads = "reads in steps",
    /// Clients that moved to another member.
    Moves = "clients moved",
    /// Snapshots that a leader began to send.
    SnapshotsBegun = "snapshots begun",
    /// Parts of them that were captured.
    SnapshotParts = "snapshot parts",
    /// Followers that were cut off after the faults, to catch up while others write.
    Races = "races to catch up",
    /// Snapshots that took the place of a follower's store.
    SnapshotsInstalled = "snapshots installed",
    /// Restarts that found a snapshot whose installation a crash had cut short.
    SnapshotsResumed = "snapshots installed again",
    /// Leaders that handed over because a client wished it.
    Transfers = "leaders moved",
    /// Transactions that a client was answered.
    Txns = "txns answered",
    /// Of these, such that hold others.
    TxnsNested = "txns nested",
    /// Transactions whose guards held.
    TxnsTaken = "txns taken",
    /// Transactions whose guards did not hold.
    TxnsNotTaken = "txns not taken",
    /// Compactions that moved the mark.
    Compactions = "compactions",
    /// Of these, such at the very revision of a removal.
    TombstonesAtMark = "tombstones at the mark",
    /// Steps of removal.
    SweepSteps = "sweep steps",
    /// Rows that were removed.
    RowsRemoved = "rows removed",
    /// Steps of removal that a reader was in the way of.
    SweepsPinned = "sweeps pinned",
    /// Crashes between two steps of removal.
    SweepsCut = "sweeps cut by crash",
    /// Leases that were granted.
    LeasesGranted = "leases granted",
    /// Renewals that were acknowledged.
    LeasesRenewed = "leases renewed",
    /// Renewals and questions that found no lease.
    LeasesGone = "leases found gone",
    /// Leases that ended because their time was over.
    LeasesExpired = "leases expired",
    /// Ends of leases that came too late: the lease was gone, or granted anew.
    LeaseEndsOvertaken = "lease ends overtaken",
    /// Watchers that clients asked for.
    Watches = "watches",
    /// Watchers that were refused.
    WatchesRefused = "watches refused",
    /// Watchers that began anew when their stream had broken.
    WatchesResumed = "watches resumed",
    /// Events that reached a client.
    WatchEvents = "watch events delivered",
    /// Parts of messages that were cut.
    Fragments = "watch fragments",
    /// Messages that only say how far a watcher is.
    ProgressMessages = "progress messages",
    /// Streams that were full, so that their watchers were moved aside.
    StreamsFull = "watch streams full",
    /// Pieces of history that were read for watchers that are behind, with more to come.
    CatchUps = "watchers caught up in steps",
    /// Watchers that compaction overtook.
    WatchersCompacted = "watchers compacted",
    /// Events that were held against the log or an answer.
    EventsConfirmed = "watch events confirmed",
    /// Changes that a watcher had to be told of.
    EventsRequired = "watch events required",
    /// Events whose say on the beginning of a life was checked.
    BirthsChecked = "watch births checked",
    /// Pairs before a change that were checked.
    PairsBefore = "watch pairs before checked",
    /// Ends of leases that were held against their time.
    LeaseEndsTimed = "lease ends timed",
    /// Renewals that were held against the end of the lease.
    RenewalsChecked = "lease renewals checked",
    /// Reads that would have shown a key of a dead lease.
    LeaseReads = "reads after a lease's end",
    /// Ends of leases of which the log shows what they removed.
    LeaseRemovals = "lease removals checked",
    /// Histories that were judged with the outcomes that only the log knows.
    Revealed = "histories told more",
    /// Histories that a second, independent judge agreed on.
    SecondOpinions = "second opinions",
}

/// How often each thing happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Counters([u64; Counter::ALL.len()]);

impl Default for Counters {
    fn default() -> Self {
        Self([0; Counter::ALL.len()])
    }
}

impl Counters {
    /// It happened once.
    pub fn count(&mut self, what: Counter) {
        self.add(what, 1);
    }

    /// It happened `times` times.
    pub fn add(&mut self, what: Counter, times: u64) {
        self.0[what as usize] += times;
    }

    /// How often.
    #[must_use]
    pub fn get(&self, what: Counter) -> u64 {
        self.0[what as usize]
    }

    /// Both together.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine += theirs;
        }
    }

    /// What never happened.
    #[must_use]
    pub fn missing(&self) -> Vec<Counter> {
        Counter::ALL.iter().copied().filter(|what| self.get(*what) == 0).collect()
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for what in Counter::ALL {
            writeln!(f, "  {:<26}{:>12}", what.name(), self.get(*what))?;
        }
        Ok(())
    }
}
