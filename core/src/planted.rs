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
        /// A bug of the past. Each says what breaks, where it is known from, and what must catch it.
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
    /// A read is served without asking a quorum whether the leader still leads.
    /// etcd #741 (Jepsen 2014). Caught by: linearizability.
    ReadWithoutQuorum = "read-without-quorum",
    /// The torn tail of the log is taken for a record after a power loss: what was never
    /// written whole counts as written. etcd #14127. Caught by: log matching; leader append-only;
    /// the member's own checks.
    TornTailAccepted = "torn-tail-accepted",
    /// The applied index becomes durable apart from the data it speaks of: a crash between
    /// the two skips entries for ever. etcd #13766. Caught by: replica equality.
    AppliedApartFromData = "applied-apart-from-data",
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
