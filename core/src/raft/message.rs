//! What nodes say to each other: a variant per message, each with exactly its fields.
//!
//! The wire form is `core/proto/log.proto`, translated in `raft/codec.rs`. An envelope carries the
//! term that its sender was in; a pre-vote request and its answer are the exceptions (thesis §9.6).

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use crate::raft::Entry;
use crate::snap::{Chunk, ShipmentId};
use crate::types::{Index, LeaseId, LeaseLife, LogId, NodeId, Term};

/// A message on its way.
#[derive(Clone, PartialEq, Debug)]
pub struct Envelope {
    /// Sender.
    pub from: NodeId,
    /// Receiver.
    pub to: NodeId,
    /// The sender's term; of a pre-vote request, the term that the sender would enter.
    pub term: Term,
    /// What it says.
    pub message: Message,
}

/// The content of a message.
#[derive(Clone, PartialEq, Debug)]
pub enum Message {
    /// "Would you vote for me in this term?" (thesis §9.6)
    RequestPreVote {
        /// Where the candidate's log ends.
        last: LogId,
    },
    /// The answer to a pre-vote request.
    PreVote {
        /// Yes or no.
        granted: bool,
        /// The term that was asked for.
        term: Term,
    },
    /// "Vote for me." (paper §5.2)
    RequestVote {
        /// Where the candidate's log ends.
        last: LogId,
    },
    /// The answer to a vote request.
    Vote {
        /// Yes or no.
        granted: bool,
    },
    /// Entries to be put behind `prev` (paper §5.3).
    Append {
        /// The entry before the first one.
        prev: LogId,
        /// The entries; none in a probe.
        entries: Vec<Entry>,
        /// The leader's commit index.
        commit: Index,
        /// The follower is known to hold `prev`, and nothing is new but the commit index: to take
        /// it in needs no answer.
        quiet: bool,
    },
    /// The follower's log equals the leader's up to here, durably.
    AppendAccepted {
        /// Last index known to be equal.
        matched: Index,
    },
    /// The follower has no such `prev`.
    AppendRejected {
        /// The `prev` index that was refused.
        prev: Index,
        /// The newest of the follower's entries that could match: at most `prev`, and of a term
        /// at most the refused one (paper §5.3, "the protocol can be optimized").
        hint: LogId,
    },
    /// "I lead." Also confirms reads (thesis §6.4).
    Heartbeat {
        /// What the follower surely holds and may commit: at most its match index.
        commit: Index,
        /// The leader's read round, to be echoed.
        round: u64,
        /// Every voter holds the log up to here: it may be forgotten once stored.
        settled: Index,
    },
    /// The answer to a heartbeat.
    HeartbeatEcho {
        /// The round of the heartbeat.
        round: u64,
    },
    /// A client's command for the leader of exactly the envelope's term.
    Forward {
        /// The encoded command.
        command: Bytes,
    },
    /// "I have not put this command into the log of that term, and nobody will: it is yours again."
    Returned {
        /// The term of the leader that it was forwarded to.
        term: Term,
        /// The encoded command, as it was forwarded.
        command: Bytes,
    },
    /// "Which index must I have applied to read what is committed now?" (thesis §6.4)
    AskReadIndex {
        /// The asking member's life, so that an answer to an earlier one is void.
        boot: u64,
        /// The asking member's own count of questions.
        round: u64,
    },
    /// The answer.
    ReadIndex {
        /// As asked.
        boot: u64,
        /// As asked.
        round: u64,
        /// Apply this far, then read.
        index: Index,
    },
    /// Clients' questions about leases, for the leader of exactly the envelope's term.
    AskLeases {
        /// The asking member's life, so that an answer to an earlier one is void.
        boot: u64,
        /// Some of its clients' calls.
        questions: Vec<LeaseQuestion>,
    },
    /// The answers to some of them.
    TellLeases {
        /// As asked.
        boot: u64,
        /// The leader had applied this far.
        index: Index,
        /// One per question, in no order.
        answers: Vec<LeaseAnswer>,
    },
    /// A part of the leader's state, for a follower whose next entry is gone from its log (paper
    /// §7, figure 13).
    Snapshot {
        /// The leader's count of shipments, so that two states are never mixed.
        shipment: ShipmentId,
        /// The part.
        chunk: Chunk,
    },
    /// How much of a snapshot the follower has; 0 when it has no beginning of it.
    SnapshotKept {
        /// As it was sent.
        shipment: ShipmentId,
        /// In bytes.
        end: u64,
    },
    /// What came of a snapshot is none: its bytes do not check.
    SnapshotRefused {
        /// As it was sent.
        shipment: ShipmentId,
    },
    /// "Campaign at once: you are to lead." (thesis §3.10)
    TimeoutNow,
}

/// A client's call about a lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeaseQuestion {
    /// The asking member's number for it.
    pub n: u64,
    /// Which lease.
    pub lease: LeaseId,
    /// Whether it is to be renewed.
    pub renew: bool,
}

/// What the leader says to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeaseAnswer {
    /// The asking member's number for the question.
    pub n: u64,
    /// None if there is no such lease.
    pub life: Option<LeaseLife>,
}

impl Message {
    /// A name per kind, for traces and for the identity of a simulated message.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::RequestPreVote { .. } => "request-pre-vote",
            Self::PreVote { .. } => "pre-vote",
            Self::RequestVote { .. } => "request-vote",
            Self::Vote { .. } => "vote",
            Self::Append { .. } => "append",
            Self::AppendAccepted { .. } => "append-accepted",
            Self::AppendRejected { .. } => "append-rejected",
            Self::Heartbeat { .. } => "heartbeat",
            Self::HeartbeatEcho { .. } => "heartbeat-echo",
            Self::Forward { .. } => "forward",
            Self::Returned { .. } => "returned",
            Self::AskReadIndex { .. } => "ask-read-index",
            Self::ReadIndex { .. } => "read-index",
            Self::AskLeases { .. } => "ask-leases",
            Self::TellLeases { .. } => "tell-leases",
            Self::Snapshot { .. } => "snapshot",
            Self::SnapshotKept { .. } => "snapshot-kept",
            Self::SnapshotRefused { .. } => "snapshot-refused",
            Self::TimeoutNow => "timeout-now",
        }
    }
}

impl fmt::Display for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {} @{} {}", self.from, self.to, self.term, self.message)
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        match self {
            Self::RequestPreVote { last } | Self::RequestVote { last } => {
                write!(f, "{kind} last={last}")
            }
            Self::PreVote { granted, term } => {
                write!(f, "{kind} {} for {term}", if *granted { "yes" } else { "no" })
            }
            Self::Vote { granted } => write!(f, "{kind} {}", if *granted { "yes" } else { "no" }),
            Self::Append { prev, entries, commit, quiet } => {
                write!(f, "{kind} prev={prev} commit={commit}")?;
                if *quiet {
                    f.write_str(" quiet")?;
                }
                if entries.is_empty() {
                    return Ok(());
                }
                f.write_str(" entries ")?;
                super::entry::write_span(f, entries)
            }
            Self::AppendAccepted { matched } => write!(f, "{kind} matched={matched}"),
            Self::AppendRejected { prev, hint } => write!(f, "{kind} prev={prev} hint={hint}"),
            Self::Heartbeat { commit, round, settled } => {
                write!(f, "{kind} commit={commit} round={round} settled={settled}")
            }
            Self::HeartbeatEcho { round } => write!(f, "{kind} round={round}"),
            Self::Forward { command } => match crate::request::requester_of(command) {
                Some(id) => write!(f, "{kind} {id}"),
                None => write!(f, "{kind} without a requester"),
            },
            Self::Returned { term, command } => match crate::request::requester_of(command) {
                Some(id) => write!(f, "{kind} {id} of {term}"),
                None => write!(f, "{kind} without a requester"),
            },
            Self::AskReadIndex { boot, round } => write!(f, "{kind} {boot:x}.{round}"),
            Self::ReadIndex { boot, round, index } => {
                write!(f, "{kind} {boot:x}.{round} index={index}")
            }
            Self::AskLeases { boot, questions } => {
                write!(f, "{kind} {boot:x}")?;
                questions.iter().try_for_each(|question| write!(f, " {question}"))
            }
            Self::TellLeases { boot, index, answers } => {
                write!(f, "{kind} {boot:x} index={index}")?;
                answers.iter().try_for_each(|answer| write!(f, " {answer}"))
            }
            Self::Snapshot { shipment, chunk } => write!(f, "{chunk} shipment={shipment}"),
            Self::SnapshotKept { shipment, end } => {
                write!(f, "{kind} shipment={shipment} bytes={end}")
            }
            Self::SnapshotRefused { shipment } => write!(f, "{kind} shipment={shipment}"),
            Self::TimeoutNow => f.write_str(kind),
        }
    }
}

impl fmt::Display for LeaseQuestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wish = if self.renew { "renew" } else { "ttl" };
        write!(f, "{}:{wish}:{}", self.n, self.lease)
    }
}

impl fmt::Display for LeaseAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.life {
            Some(life) => write!(f, "{}:{}/{}", self.n, life.left, life.granted),
            None => write!(f, "{}:none", self.n),
        }
    }
}
