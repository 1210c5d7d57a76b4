//! Bugs that can be put back on purpose, to prove that the simulator finds them.
//!
//! `planted!(bugs, Bug::Name)` stands at the line concerned. It is the constant `false`
//! unless the crate is built with `--cfg planted`, so a normal binary holds none of them;
//! in a planted build the bug is chosen by constructor, one at a time, without statics.
//!
//! Not here: running them. `make bugs` does (`sim/src/bugs.rs`).

use core::fmt;

macro_rules! bugs {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// A bug of the past. Each says what breaks, where it is known from, and what must catch
        /// it.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Bug {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Bug {
            /// Every bug that can be planted.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name that commands and reports use.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

bugs! {
    /// A vote is told before it is durable: a voter that loses power votes twice in one term.
    /// Raft paper §5.2, figure 2 ("updated on stable storage before responding").
    /// Caught by: nothing acknowledged before it is durable; election safety.
    VoteBeforeDurable = "vote-before-durable",
    /// An append is acknowledged before its sync: power loss takes a committed entry back.
    /// Raft paper figure 2; etcd #14370. Caught by: nothing acknowledged before it is durable;
    /// leader completeness.
    AppendBeforeSync = "append-before-sync",
    /// The leader commits an entry of an older term by counting copies. Raft paper §5.4.2,
    /// figure 8. Caught by: leader completeness; state-machine safety.
    CommitOlderTerm = "commit-older-term",
    /// A read is served without asking a quorum whether the leader still leads. etcd #741 (Jepsen
    /// 2014). Caught by: linearizability; K3, for renewals ask the quorum as reads do.
    ReadWithoutQuorum = "read-without-quorum",
    /// The torn tail of the log is taken for a record after a power loss: what was never
    /// written whole counts as written. etcd #14127. Caught by: nothing acknowledged before it is
    /// durable; log matching; leader append-only; the member's own checks.
    TornTailAccepted = "torn-tail-accepted",
    /// The applied index becomes durable apart from the data it speaks of: a crash between the two
    /// skips entries for ever. etcd #13766. Caught by: replica equality; revision never goes back.
    AppliedApartFromData = "applied-apart-from-data",
    /// A progress message is sent though watchers of the stream are still catching up, and with the
    /// store's revision. etcd #15220. Caught by: bookmarkable (watch).
    ProgressOvertakesEvents = "progress-overtakes-events",
    /// After a snapshot was installed, watchers begin one revision too early: the last one comes
    /// again. etcd #15271. Caught by: unique, ordered, resumable, bookmarkable (watch).
    InstallRepeatsTheLast = "install-repeats-the-last",
    /// After a snapshot was installed, watchers count as synced: what lies between is never told.
    /// etcd #8411, #9281, #9775. Caught by: reliable, resumable (watch).
    InstallSkipsTheGap = "install-skips-the-gap",
    /// What did not fit into a slow client's stream while it caught up is dropped instead of read
    /// again. etcd #17529. Caught by: reliable, resumable (watch).
    StarvedWatcherSkips = "starved-watcher-skips",
    /// A watcher for a future revision is told of older ones, too. etcd #19487, #20221.
    /// Caught by: filter, resumable (watch: no event below the start revision).
    FutureWatchHearsEarly = "future-watch-hears-early",
    /// A transaction of several changes is told twice. etcd #17247. Caught by: unique (watch).
    LargeTransactionToldTwice = "large-transaction-told-twice",
    /// Cancelling an unknown id ends watcher 0: zero stands for "none" as well. etcd #14563.
    /// Caught by: reliable, cancel (watch).
    CancelUnknownEndsZero = "cancel-unknown-ends-zero",
    /// A watcher from now on begins one revision later than its header says, so a client that goes
    /// by the header misses one. etcd #11496. Caught by: reliable, resumable (watch).
    WatchFromNowStartsLate = "watch-from-now-starts-late",
    /// The pair before a change is read at the change's own revision. Semantics WA-9.
    /// Caught by: prev-kv (watch).
    PreviousAtItsOwnRevision = "previous-at-its-own-revision",
    /// A message that was cut does not say so: a client takes a part for the whole. Semantics
    /// WA-13. Caught by: atomic, fragment (watch).
    FragmentNotMarked = "fragment-not-marked",
    /// Filters are forgotten for what is read from the history. Semantics WA-10.
    /// Caught by: filter (watch).
    FilterIgnoredInThePast = "filter-ignored-in-the-past",
    /// Whoever once counted a lease's time goes on when it leads no more, and has the leader end
    /// what it sees as over: leases that the leader has renewed. etcd #12528, #15247. Caught by: a
    /// lease lives for its TTL after its last acknowledged grant or renewal (K3).
    EndByDeposedLeader = "end-by-deposed-leader",
    /// A leader renews without asking a quorum whether it still leads: a deposed one renews what
    /// its successor lets end. etcd #12528. Caught by: K3; the member's own checks (N1 of
    /// `member/lease.rs`).
    RenewWithoutQuorum = "renew-without-quorum",
    /// A new leader gives every lease its whole TTL, whatever the checkpoint says: a long lease
    /// lives for ever if leaders change often. etcd #9888. Caught by: a lease that nobody renews
    /// ends in bounded time (K4).
    TtlInFullAtLeaderChange = "ttl-in-full-at-leader-change",
    /// A checkpoint changes the table in memory only, and is gone after a restart. etcd #13491,
    /// #13508. Caught by: replica equality after a restart, or a start that is refused because the
    /// rows do not add up; K4.
    CheckpointNotStored = "checkpoint-not-stored",
    /// Only one checkpoint is taken of a lease in a leader's reign. etcd #17132. Caught by: K4.
    CheckpointOnce = "checkpoint-once",
    /// A lease is renewed though it is over and its end is under way. etcd #20615. Caught by: no
    /// renewal of a lease that has ended is acknowledged (K3).
    RenewAfterEnd = "renew-after-end",
    /// A renewal is acknowledged while a checkpoint could still shorten the lease for the next
    /// leader. Caught by: K3.
    RenewBeforeCheckpointIsVoid = "renew-before-checkpoint-is-void",
    /// The leader ends a lease by its id alone, and hits one that was granted anew since. Caught
    /// by: K3.
    EndByIdAlone = "end-by-id-alone",
    /// A key that is put with another lease than before is attached to none, and does not go with
    /// the new one. etcd #10686. Caught by: the keys of a lease that ended are gone, other keys
    /// stay (K5); linearizability; replica equality.
    AttachmentLost = "attachment-lost",
    /// Keys of leases with a negative id are not attached again at a restart. etcd #12535, #13676.
    /// Caught by: replica equality; K5.
    NegativeLeasesForgotten = "negative-leases-forgotten",
    /// The keys of a lease are removed in an order that differs from member to member. etcd #6558.
    /// Caught by: replica equality.
    KeysOfLeaseUnsorted = "keys-of-lease-unsorted",
    /// A member says itself that a lease does not exist, when it has not applied its grant yet.
    /// etcd #13932. Caught by: a lease that lives is not said to be dead, nor renewed when it is
    /// (K3).
    RenewFromOwnTable = "renew-from-own-table",
    /// Compaction removes a tombstone that is exactly at its mark, so a watch from there misses a
    /// delete. etcd #18089, #19179. Takes: delete, compact at that revision, sweep, watch from it.
    /// Caught by: reliable, resumable (watch); the hub's own checks (T2).
    TombstoneAtMarkRemoved = "tombstone-at-mark-removed",
    /// Operations of a transaction are checked when their turn comes: what stands before a refused
    /// one stays. etcd #14110. Takes: a put, and behind it a put with an unknown lease or a range
    /// at a revision that cannot be read. Caught by: linearizability (no refused write is seen).
    TxnCheckedAsItGoes = "txn-checked-as-it-goes",
    /// The rebuilt index takes tombstones for pairs, so deleted keys come back to life after a
    /// restart, and the next put goes on with a generation that had ended. etcd #8127. Takes:
    /// delete, store, restart, and a put or a read of that key. Caught by: replica equality;
    /// linearizability.
    GenerationsMixed = "generations-mixed",
    /// After a restart the revision is that of the newest record, and compaction removes the
    /// tombstone at its mark: the revision goes down and is given twice. etcd #17780. Takes: delete
    /// the newest key, compact at that revision, sweep, store, restart. Caught by: revision never
    /// goes back; replica equality; the hub's own checks (T2).
    RevisionFromRecords = "revision-from-records",
    /// A range inside a transaction is refused as compacted by how far removal has come on this
    /// member. etcd #18667. Takes: a transaction with a put and a range below the mark, while
    /// members are at different points of removal. Caught by: replica equality; linearizability.
    CompactedByProgress = "compacted-by-progress",
    /// HashKV counts what compaction gave up as long as it is there. etcd #6626, #8214, #9630.
    /// Takes: HashKV of two members at one revision, at different points of removal. Caught by:
    /// replica equality of HashKV.
    HashCountsRemoved = "hash-counts-removed",
    /// The durable mark is where removal has finished, not where compaction was: a restart forgets
    /// a compaction that was under way. etcd #9630, semantics KV-28. Takes: compact, sweep a part
    /// or nothing, store, restart. Caught by: replica equality; a member can start.
    CompactionForgotten = "compaction-forgotten",
    /// A leader tells the target of a transfer to campaign before it holds the whole log, and the
    /// target claims to hold it. Thesis §3.10 (step 2), §3.6.1. Caught by: leader completeness.
    HandoverToStaleLog = "handover-to-stale-log",
    /// A vote is granted to a candidate whose log lacks entries of the voter's. Raft paper §5.4.1.
    /// Caught by: leader completeness; state-machine safety.
    VoteIgnoresLog = "vote-ignores-log",
    /// Every append truncates the log behind what it brings: a late one takes acknowledged entries
    /// away. Raft paper §5.3 ("if an existing entry conflicts"). Caught by: nothing acknowledged
    /// before it is durable; leader completeness; the member's own checks (L2).
    StaleAppendTruncates = "stale-append-truncates",
    /// Heartbeats carry the leader's commit index uncapped: a follower commits what it never
    /// acknowledged, or stops. etcd #21178. Caught by: the member's own checks; state-machine
    /// safety.
    HeartbeatCommitsAll = "heartbeat-commits-all",
    /// A late rejection moves the next index to where it was, below what is matched. raft #149.
    /// Caught by: the member's own checks (P1).
    NextBelowMatch = "next-below-match",
    /// A new leader answers for what is committed before it has committed an entry of its own. etcd
    /// #7331, #14258. Caught by: linearizability; the member's own checks (a lease is renewed on
    /// the word of such an answer: N1 of `member/lease.rs`).
    ReadBeforeOwnEntry = "read-before-own-entry",
    /// A late answer to an earlier question is taken for the answer to the open one. etcd #20418.
    /// Caught by: linearizability.
    StaleReadAnswer = "stale-read-answer",
    /// A torn batch at the end of the log is taken for damage. etcd #15069. Caught by: a member
    /// starts after every crash.
    TornTailRefused = "torn-tail-refused",
    /// The log begins behind a snapshot that is not whole on the disk. etcd #11888.
    /// Caught by: a member starts after every crash; the member's own checks.
    LogResetBeforeSnapshot = "log-reset-before-snapshot",
    /// The file of a snapshot is removed when the store has taken it over, and the durable copy has
    /// not. etcd #7628, #7834. Caught by: a member starts after every crash.
    SnapshotForgottenEarly = "snapshot-forgotten-early",
    /// The file of a snapshot gets its final name before it is synced. etcd #13933.
    /// Caught by: nothing acknowledged before it is durable; a member starts after every crash.
    SnapshotNamedBeforeSync = "snapshot-named-before-sync",
    /// A second snapshot that comes while one is being installed takes that one's file away.
    /// etcd #18055. Caught by: the member's own checks; a member starts after every crash.
    SecondSnapshotRemovesFirst = "second-snapshot-removes-first",
    /// A snapshot takes the place of a log that holds its last entry, and more behind it.
    /// Raft paper figure 13, step 6. Caught by: the member's own checks (J2); nothing acknowledged
    /// before it is durable.
    SnapshotOverNewerLog = "snapshot-over-newer-log",
    /// The log that a peer needs behind its snapshot is forgotten when it has taken the snapshot
    /// over: it needs another one, and so on. Thesis §5.1.2. Caught by: a follower that was away
    /// catches up while others write (liveness).
    LogForgottenBehindSnapshot = "log-forgotten-behind-snapshot",
    /// A deposed leader returns a forward though it took a copy of it before: the origin forwards
    /// it again, to the next leader. Takes: a forward that the network repeats, one copy on each
    /// side of a change of leader. Caught by: no request is applied twice.
    ReturnedThoughTaken = "returned-though-taken",
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether a bug is planted here: constant false in every build but a planted one.
#[macro_export]
macro_rules! planted {
    ($planted:expr, $bug:expr) => {
        cfg!(planted) && $planted == Some($bug)
    };
}
