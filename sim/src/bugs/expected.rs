//! Which invariants a planted bug may break.
//!
//! A bug that is caught by a check that does not speak of it was caught by luck. So each names what
//! must hold no longer; a hunt that ends with anything else has failed.
//!
//! Some name several, because which of them comes first depends on the run: a vote that was told
//! before it was durable is seen when it is told, or when it has made two leaders. Where the core
//! checks itself (*assertion*, *a member must start*), its own check speaks of the bug.

use quorate_core::planted::Bug;

use crate::verdict::Invariant::{self, *};

/// What this bug may break.
#[must_use]
pub const fn expected(bug: Bug) -> &'static [Invariant] {
    match bug {
        Bug::VoteBeforeDurable => &[Durability, ElectionSafety],
        Bug::AppendBeforeSync => &[Durability, LeaderCompleteness],
        Bug::CommitOlderTerm => &[CommitRule, LeaderCompleteness, StateMachineSafety],
        // Renewals ask the quorum as reads do.
        Bug::ReadWithoutQuorum => &[Linearizability, LeaseLives, LeaseStaysDead],
        Bug::StaleReadAnswer => &[Linearizability],
        Bug::ReadBeforeOwnEntry => &[Linearizability, Assertion],
        Bug::TornTailAccepted => &[Durability, LogMatching, LeaderAppendOnly, Assertion],
        Bug::TornTailRefused => &[MemberMustStart],
        Bug::AppliedApartFromData => &[ReplicaEquality, RevisionMonotonicity],
        Bug::ProgressOvertakesEvents => &[WatchBookmarkable],
        Bug::InstallRepeatsTheLast => {
            &[WatchUnique, WatchOrdered, WatchResumable, WatchBookmarkable]
        }
        Bug::InstallSkipsTheGap => &[WatchReliable, WatchResumable],
        Bug::StarvedWatcherSkips => &[WatchReliable, WatchResumable],
        Bug::FutureWatchHearsEarly => &[WatchFilter, WatchResumable],
        Bug::LargeTransactionToldTwice => &[WatchUnique],
        Bug::CancelUnknownEndsZero => &[WatchCancel, WatchReliable],
        Bug::WatchFromNowStartsLate => &[WatchReliable, WatchResumable],
        Bug::PreviousAtItsOwnRevision => &[WatchPrevKv],
        Bug::FragmentNotMarked => &[WatchAtomic, WatchFragment],
        Bug::FilterIgnoredInThePast => &[WatchFilter],
        Bug::EndByDeposedLeader | Bug::RenewBeforeCheckpointIsVoid | Bug::EndByIdAlone => {
            &[LeaseLives]
        }
        Bug::RenewWithoutQuorum => &[LeaseLives, LeaseStaysDead, Assertion],
        Bug::RenewAfterEnd => &[LeaseStaysDead, LeaseLives],
        Bug::RenewFromOwnTable => &[LeaseStaysDead, LeaseLives],
        Bug::TtlInFullAtLeaderChange | Bug::CheckpointOnce => &[LeaseEnds],
        Bug::CheckpointNotStored => &[MemberMustStart, ReplicaEquality, LeaseEnds],
        Bug::AttachmentLost => &[LeaseTakesKeys, ReplicaEquality, Linearizability],
        Bug::NegativeLeasesForgotten => &[ReplicaEquality, LeaseTakesKeys],
        Bug::KeysOfLeaseUnsorted => &[ReplicaEquality],
        Bug::TombstoneAtMarkRemoved => &[WatchReliable, WatchResumable, Assertion],
        Bug::TxnCheckedAsItGoes => &[Linearizability],
        Bug::GenerationsMixed => &[ReplicaEquality, Linearizability],
        Bug::RevisionFromRecords => &[RevisionMonotonicity, ReplicaEquality, Assertion],
        Bug::CompactedByProgress => &[ReplicaEquality, Linearizability],
        Bug::HashCountsRemoved => &[ReplicaEquality],
        Bug::CompactionForgotten => &[ReplicaEquality, MemberMustStart],
        Bug::HandoverToStaleLog => &[LeaderCompleteness],
        Bug::VoteIgnoresLog => &[LeaderCompleteness, StateMachineSafety],
        Bug::StaleAppendTruncates => &[Durability, LeaderCompleteness, Assertion],
        Bug::HeartbeatCommitsAll => &[Assertion, StateMachineSafety],
        Bug::NextBelowMatch => &[Assertion],
        Bug::SecondSnapshotRemovesFirst => &[Assertion, MemberMustStart],
        Bug::LogResetBeforeSnapshot => &[MemberMustStart, Assertion],
        Bug::SnapshotForgottenEarly => &[MemberMustStart],
        Bug::SnapshotNamedBeforeSync => &[Durability, MemberMustStart],
        Bug::LogForgottenBehindSnapshot => &[Liveness],
        Bug::ReturnedThoughTaken => &[AppliedOnce],
        Bug::SnapshotOverNewerLog => &[Assertion, Durability],
    }
}
