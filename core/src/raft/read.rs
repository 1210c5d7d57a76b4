//! Linearizable reads without a log entry (thesis §6.4, "ReadIndex").
//!
//! ```text
//!   reads arrive --> waiting --round starts--> asking --a quorum echoes--> confirmed
//!                    (next round)              (index noted)             (apply that far, read)
//! ```
//! A round is a number in the heartbeats. A read joins the round that starts after it arrived, so a
//! quorum that echoes the round has seen this node lead *after* the read began; whatever was
//! committed before that is at or below the noted index. Every heartbeat repeats the round, so
//! losing one costs time only.
//!
//! Invariants:
//! - D1. A read's index is noted when the leader has committed an entry of its own term: before
//!   that it does not know what is committed (etcd #7331).
//! - D2. A round is confirmed only by echoes of that round or a later one.
//!
//! Not here: whose reads they are (`member.rs`).

use alloc::vec::Vec;

use super::{Message, Raft, Role};
use crate::planted;
use crate::planted::Bug;
use crate::raft::quorum::agreed;
use crate::types::{Index, NodeId};

/// Who asked for a read index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reader {
    /// This member, in its own round of questions.
    Own {
        /// The member's count.
        round: u64,
    },
    /// This member's lease clocks, which act only on a confirmed leader.
    Leases {
        /// Their count.
        round: u64,
    },
    /// Another member.
    Peer {
        /// Who.
        peer: NodeId,
        /// Its life.
        boot: u64,
        /// Its count.
        round: u64,
    },
}

/// The leader's rounds of confirmation.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    current: u64,
    asking: Vec<(Reader, Index)>,
    waiting: Vec<Reader>,
    /// The current round was started and not sent yet.
    call: bool,
}

impl Rounds {
    /// The round that heartbeats carry.
    pub fn current(&self) -> u64 {
        self.current
    }

    /// Whether heartbeats must leave at once. Asked once per round.
    pub fn take_call(&mut self) -> bool {
        core::mem::take(&mut self.call)
    }

    fn start(&mut self, commit: Index) {
        self.current += 1;
        self.call = true;
        self.asking.extend(self.waiting.drain(..).map(|reader| (reader, commit)));
    }
}

impl Raft {
    /// Asks for an index that is safe to read at. A node that does not lead drops the question: the
    /// asker asks again.
    pub fn read_index(&mut self, reader: Reader) {
        if let Role::Leader(leadership) = &mut self.role
            && !leadership.rounds.waiting.contains(&reader)
        {
            leadership.rounds.waiting.push(reader);
        }
    }

    /// Confirms the round under way if a quorum echoed it, and starts the next one.
    pub(super) fn confirm_reads(&mut self) {
        let commit = self.log.committed();
        let Role::Leader(leadership) = &mut self.role else { return };
        let rounds = &mut leadership.rounds;
        let early = planted!(self.config.planted, Bug::ReadBeforeOwnEntry);
        if commit < leadership.first && !early {
            return; // D1
        }
        loop {
            if rounds.asking.is_empty() && !rounds.waiting.is_empty() {
                rounds.start(commit);
            }
            let mut echoed: Vec<u64> = leadership.peers.values().map(|peer| peer.round).collect();
            echoed.push(rounds.current); // The leader itself.
            let blind = planted!(self.config.planted, Bug::ReadWithoutQuorum);
            if rounds.asking.is_empty() || (agreed(&mut echoed) < rounds.current && !blind) {
                return; // D2
            }
            let confirmed = core::mem::take(&mut rounds.asking);
            for (reader, index) in confirmed {
                match reader {
                    Reader::Own { .. } | Reader::Leases { .. } => {
                        self.confirmed.push((reader, index));
                    }
                    Reader::Peer { peer, boot, round } => {
                        let envelope = super::Envelope {
                            from: self.config.id,
                            to: peer,
                            term: self.hard.term,
                            message: Message::ReadIndex { boot, round, index },
                        };
                        self.outbox.send(super::Reliance::Term, envelope);
                    }
                }
            }
        }
    }
}
