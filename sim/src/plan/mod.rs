//! A run as data: what may go wrong and what the clients ask, in lines that a person can edit.
//!
//! ```text
//!   quorate plan 2
//!   seed 42
//!   members 3
//!   election 300ms
//!   ...
//!   fault 1 at 2500ms for 800ms isolate leader with 0 both drop
//!   fault 2 when 2 sends append-accepted nth 3 after 1200ms for 500ms power-loss it
//!   op 1 client 0 think 120ms put k1 size 24
//!   op 2 client 0 think 50ms range k0..k5 limit 3
//!   expect at least 1 power losses
//! ```
//! Rates are in millionths. A plan is drawn from a seed, or written by hand, or it is what was left
//! of another one. Faults and operations keep their numbers when others are taken out, and chance
//! speaks of them by number (`fate.rs`): a shorter plan is the same run with something left out.
//!
//! Invariants:
//! - P1. A plan's text reads back as the same plan.
//!
//! Not here: what clients ask (`op.rs`), the text (`text.rs`), what a stored plan must come to
//! (`expect.rs`), how a seed becomes a plan (`draw.rs`), what a fault does (`world/faults.rs`).

mod draw;
mod expect;
mod op;
mod text;

pub use expect::{Broken, Expect};
pub use op::{
    Aspect, Compare, Delete, Filter, Keys, Lease, Only, Op, Operand, Point, Put, Range, Relation,
    Request, Step, Stream, Tie, Txn, Watch,
};
pub use text::PlanError;
pub(crate) use text::Span;

use crate::clock::Micros;

/// The version of the text and of everything that a seed decides.
pub const VERSION: u32 = 2;

macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $field:ident $name:literal $unit:ident,)+) => {
        /// The numbers of a run that are neither faults nor operations.
        #[derive(Clone, PartialEq, Eq, Debug, Default)]
        pub struct Settings {
            $($(#[doc = $doc])+ pub $field: u64,)+
        }

        impl Settings {
            /// Each setting: its name, its unit, its value.
            pub(crate) fn each(&self) -> Vec<(&'static str, Unit, u64)> {
                vec![$(($name, Unit::$unit, self.$field),)+]
            }

            /// The place of the setting of this name, and its unit.
            pub(crate) fn place(&mut self, name: &str) -> Option<(&mut u64, Unit)> {
                match name {
                    $($name => Some((&mut self.$field, Unit::$unit)),)+
                    _ => None,
                }
            }
        }
    };
}

settings! {
    /// Decides every fate of the run.
    seed "seed" Number,
    /// How many members found the cluster: 1 to 5.
    members "members" Number,
    /// How long things may go wrong.
    duration "duration" Span,
    /// Between two heartbeats of a leader.
    heartbeat "heartbeat" Span,
    /// Silence after which a member may campaign.
    election "election" Span,
    /// The shortest way over a link.
    latency "latency" Span,
    /// What a way over a link may take on top.
    jitter "jitter" Span,
    /// From the first item in an actor's inbox to its turn.
    service "service" Span,
    /// The shortest file operation.
    disk_write "disk-write" Span,
    /// The shortest sync; one in fifty takes ten times as long.
    disk_sync "disk-sync" Span,
    /// Bytes of a log segment.
    segment "segment" Number,
    /// Entries to gather before the log's head is discarded.
    discard "discard" Number,
    /// Applied entries that stay in the log for those who are behind.
    tail "tail" Number,
    /// Bytes of entries that may be under way to a follower; 0: as many as in a real member.
    window "window" Number,
    /// Bytes of the log that stay for a follower that catches up behind a snapshot; 0: as many as
    /// in a real member.
    arrears "arrears" Number,
    /// Bytes of rows in a part of a snapshot.
    part "part" Number,
    /// How long applied rows wait before they are handed to the durable copy.
    store_every "store-every" Span,
    /// How often the durable copy is synced.
    store_sync "store-sync" Span,
    /// Changes that one step of removal looks at.
    sweep "sweep" Number,
    /// Between two steps of removal.
    sweep_pause "sweep-pause" Span,
    /// Keys that a range reads in one step.
    page "page" Number,
    /// Between two checkpoints of long leases.
    checkpoint "lease-checkpoint" Span,
    /// TTL in seconds of a lease that must end after the faults though the leader changes again and
    /// again; 0: there is none.
    long_lease "long-lease" Number,
    /// Bytes that may wait in a stream before its watchers are moved aside.
    watch_queue "watch-queue" Number,
    /// Bytes after which a message of several revisions is long enough.
    watch_message "watch-message" Number,
    /// Bytes from which a message is cut for those who want that.
    watch_fragment "watch-fragment" Number,
    /// Changes that are read from the history in one step for watchers.
    watch_fetch "watch-fetch" Number,
    /// Watchers that catch up in one step.
    watch_cohort "watch-cohort" Number,
    /// Between two rounds of progress messages.
    progress "progress" Span,
    /// How many clients there are.
    clients "clients" Number,
    /// How long a client waits for an answer.
    patience "patience" Span,
    /// Whether a client that failed tries the next member: 1 or 0.
    moves "moves" Number,
    /// Whether, after the faults, a follower that was cut off must catch up while others write: 1
    /// or 0.
    race "race" Number,
}

/// How a setting is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unit {
    Number,
    Span,
}

macro_rules! words {
    ($(#[doc = $doc:literal])+ $name:ident {
        $($(#[doc = $each:literal])+ $variant:ident = $word:literal,)+
    }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum $name {
            $($(#[doc = $each])+ $variant,)+
        }

        impl $name {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The word for it in a plan.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

use words;

words! {
    /// What a member is made of.
    Actor {
        /// Runs consensus.
        Consensus = "consensus",
        /// Writes the log.
        Log = "log",
        /// Applies committed entries to the store.
        Applier = "applier",
        /// Removes what compaction gave up.
        Sweeper = "sweeper",
        /// Keeps the store's durable copy.
        Storage = "storage",
        /// Takes client calls and reads the store for them.
        Desk = "desk",
        /// Captures, keeps and forgets snapshots.
        Courier = "courier",
        /// Tells watchers.
        Hub = "hub",
    }
}

words! {
    /// Moments of the protocol that faults aim at: each is right after what it names.
    Moment {
        /// An append was acknowledged to the leader.
        Accepts = "accepts",
        /// A vote was granted.
        Votes = "votes",
        /// Entries were sent to a follower.
        Appends = "appends",
        /// Bytes were written and not synced yet.
        Writes = "writes",
        /// Any file operation.
        Operates = "operates",
        /// A receipt was handed out.
        Syncs = "syncs",
        /// The member became leader.
        Leads = "leads",
        /// The member leads, and its commit index moved.
        Commits = "commits",
        /// Entries were applied and their rows not handed on yet.
        Applies = "applies",
        /// A batch of rows was handed to the durable copy.
        Stores = "stores",
        /// A compaction was applied.
        Compacts = "compacts",
        /// A part of what compaction gave up was removed.
        Sweeps = "sweeps",
        /// A client asked for a linearizable read.
        Asks = "asks",
        /// A watcher is behind, because its client is slow or it begins in the past.
        CatchesUp = "catches-up",
        /// The process began to start.
        Starts = "starts",
        /// A part of a received snapshot was kept, or all of it.
        Keeps = "keeps",
        /// A snapshot took the place of the store, and its durable copy is still the old one.
        Installs = "installs",
    }
}

words! {
    /// Where bits may rot.
    Shelf {
        /// In the log.
        Log = "log",
        /// In a snapshot that came from the leader.
        Snapshot = "snapshot",
    }
}

words! {
    /// Which way a cut works.
    Direction {
        /// Neither hears the other.
        Both = "both",
        /// What the target says is not heard.
        Out = "out",
        /// The target hears nothing.
        In = "in",
    }
}

words! {
    /// What becomes of messages under way when a link is cut.
    Flight {
        /// They still arrive.
        Lands = "lands",
        /// They are lost.
        Drops = "drops",
    }
}

/// Everything that decides a run, save the engine.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Plan {
    /// Seed, sizes, speeds.
    pub settings: Settings,
    /// What may go wrong.
    pub faults: Vec<Fault>,
    /// What the clients ask.
    pub ops: Vec<Op>,
    /// What a stored plan must come to. A run takes no notice of it.
    pub expect: Expect,
}

/// Something that goes wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Its number, for ever.
    pub id: u32,
    /// When it begins.
    pub when: When,
    /// How long it lasts. A crashed member starts again after this.
    pub lasts: Micros,
    /// What it is.
    pub what: What,
}

/// When a fault begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// At a time.
    At(Micros),
    /// The `nth` time that something happens to `who`, counted from `after`.
    Nth {
        /// To whom.
        who: Who,
        /// What happens.
        moment: Moment,
        /// Counted from 1.
        nth: u32,
        /// Before this time nothing counts.
        after: Micros,
    },
}

/// Whose moments count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    /// Those of this member, counted from 1.
    Member(u8),
    /// Those of whoever leads at that moment.
    Leader,
    /// Everybody's.
    Anyone,
}

/// Whom a fault hits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// This member, counted from 1.
    Member(u8),
    /// Whoever leads in the newest term; nobody, if nobody does.
    Leader,
    /// The member whose moment it was.
    It,
    /// Every member.
    All,
}

/// What goes wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// The process is killed.
    Crash(Target),
    /// The machine loses power.
    PowerLoss(Target),
    /// The process stands still, and then goes on.
    Pause(Target),
    /// One actor of the process stands still.
    Stall(Target, Actor),
    /// File operations take so many times as long.
    SlowDisk(Target, u32),
    /// The next sync of the log fails.
    FailingDisk(Target),
    /// There is no room for new files.
    FullDisk(Target),
    /// The process is killed, and a bit of a file at rest turns over. At most a minority of the
    /// members is hit in a run.
    Rot(Target, Shelf),
    /// The target and the `with` members after it are cut from the others.
    Isolate {
        /// Whom.
        target: Target,
        /// How many stay with it.
        with: u8,
        /// Which way.
        direction: Direction,
        /// What becomes of messages under way.
        flight: Flight,
    },
    /// These links, from and to, are cut.
    Cut(Vec<(u8, u8)>, Flight),
    /// Messages are lost at this rate, in millionths.
    Loss(Target, u32),
    /// Messages come twice at this rate.
    Duplicate(Target, u32),
    /// Messages are overtaken at this rate, held up by as much as this.
    Reorder(Target, u32, Micros),
    /// Messages are held up at this rate, and all behind them, by as much as this.
    Delay(Target, u32, Micros),
    /// The clock runs faster or slower, by millionths.
    Drift(Target, i64),
    /// The clock jumps by microseconds.
    Jump(Target, i64),
}

impl Plan {
    /// The plan that a seed decides.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        draw::draw(seed)
    }
}
