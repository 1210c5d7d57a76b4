//! Envelopes as bytes: the border where a peer's bytes become typed values or a refusal.
//!
//! What is checked here can be taken for granted behind it: entries follow `prev` without a gap,
//! terms do not go down inside a message or exceed the sender's, a part of a snapshot is what was
//! sent. Decoding from a plain slice copies
//! each command right-sized; decoding from `Bytes` would share, and so keep, the whole frame.
//!
//! Not here: framing, and whether the sender is who it says (`node/src/peer/`).

use alloc::vec::Vec;
use core::fmt;

use prost::Message as _;

use super::{Entry, Envelope, LeaseAnswer, LeaseQuestion, Message};
use crate::api::wire::{self, envelope::Message as Wire};
use crate::snap::{Chunk, ShipmentId};
use crate::types::{Index, LeaseId, LeaseLife, LogId, NodeId, Seconds, Term};

/// Log positions and terms beyond this are nonsense: counting to it takes longer than any disk
/// lasts.
const MAX_COUNT: u64 = 1 << 62;
/// The largest part of a snapshot, in bytes: an ordinary one and the largest row on top.
pub const MAX_CHUNK_BYTES: usize = 4 << 20;

/// Why bytes are not an envelope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CodecError {
    /// They are no protobuf message of the kind.
    Malformed(prost::DecodeError),
    /// The message has no content, or content that this version does not know.
    Empty,
    /// Entries that do not follow each other.
    Disordered(Index),
    /// An index or a term that nobody can count to.
    Absurd(u64),
    /// A part of a snapshot that is empty or too large, in bytes.
    ChunkSize(usize),
    /// A part of a snapshot that was changed on its way.
    Altered,
}

impl Envelope {
    /// Appends the wire form to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let wire = wire::Envelope {
            from: self.from.0,
            to: self.to.0,
            term: self.term.0,
            message: Some(to_wire(&self.message)),
        };
        out.reserve(wire.encoded_len());
        wire.encode_raw(out);
    }

    /// Reads one envelope, which takes up all of `bytes`.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let wire = wire::Envelope::decode(bytes).map_err(CodecError::Malformed)?;
        let term = term(wire.term)?;
        let message = from_wire(wire.message.ok_or(CodecError::Empty)?, term)?;
        Ok(Self { from: NodeId(wire.from), to: NodeId(wire.to), term, message })
    }
}

fn to_wire(message: &Message) -> Wire {
    match message {
        Message::RequestPreVote { last } => Wire::RequestPreVote(candidacy(*last)),
        Message::PreVote { granted, term } => {
            Wire::PreVote(wire::Ballot { granted: *granted, term: term.0 })
        }
        Message::RequestVote { last } => Wire::RequestVote(candidacy(*last)),
        Message::Vote { granted } => Wire::Vote(wire::Ballot { granted: *granted, term: 0 }),
        Message::Append { prev, entries, commit, quiet } => Wire::Append(wire::Append {
            prev_index: prev.index.0,
            prev_term: prev.term.0,
            entries: entries.iter().map(entry_to_wire).collect(),
            commit: commit.0,
            quiet: *quiet,
        }),
        Message::AppendAccepted { matched } => {
            Wire::AppendAccepted(wire::AppendAccepted { matched: matched.0 })
        }
        Message::AppendRejected { prev, hint } => Wire::AppendRejected(wire::AppendRejected {
            prev_index: prev.0,
            hint_index: hint.index.0,
            hint_term: hint.term.0,
        }),
        Message::Heartbeat { commit, round, settled } => {
            Wire::Heartbeat(wire::Heartbeat { commit: commit.0, round: *round, settled: settled.0 })
        }
        Message::HeartbeatEcho { round } => {
            Wire::HeartbeatEcho(wire::HeartbeatEcho { round: *round })
        }
        Message::Forward { command } => Wire::Forward(wire::Forward { command: command.clone() }),
        Message::Returned { term, command } => {
            Wire::Returned(wire::Returned { term: term.0, command: command.clone() })
        }
        Message::AskReadIndex { boot, round } => {
            Wire::AskReadIndex(wire::AskReadIndex { boot: *boot, round: *round })
        }
        Message::ReadIndex { boot, round, index } => {
            Wire::ReadIndex(wire::ReadIndex { boot: *boot, round: *round, index: index.0 })
        }
        Message::AskLeases { boot, questions } => {
            let questions = questions.iter().map(question_to_wire).collect();
            Wire::AskLeases(wire::AskLeases { boot: *boot, questions })
        }
        Message::TellLeases { boot, index, answers } => {
            let answers = answers.iter().map(answer_to_wire).collect();
            Wire::TellLeases(wire::TellLeases { boot: *boot, index: index.0, answers })
        }
        Message::Snapshot { shipment, chunk } => Wire::Snapshot(chunk_to_wire(*shipment, chunk)),
        Message::SnapshotKept { shipment, end } => {
            Wire::SnapshotKept(wire::SnapshotKept { shipment: shipment.0, end: *end })
        }
        Message::SnapshotRefused { shipment } => {
            Wire::SnapshotRefused(wire::SnapshotRefused { shipment: shipment.0 })
        }
        Message::TimeoutNow => Wire::TimeoutNow(wire::TimeoutNow {}),
    }
}

fn from_wire(wire: Wire, sender: Term) -> Result<Message, CodecError> {
    Ok(match wire {
        Wire::RequestPreVote(candidacy) => Message::RequestPreVote { last: last(&candidacy)? },
        Wire::PreVote(ballot) => {
            Message::PreVote { granted: ballot.granted, term: term(ballot.term)? }
        }
        Wire::RequestVote(candidacy) => Message::RequestVote { last: last(&candidacy)? },
        Wire::Vote(ballot) => Message::Vote { granted: ballot.granted },
        Wire::Append(append) => append_from_wire(append, sender)?,
        Wire::AppendAccepted(accepted) => {
            Message::AppendAccepted { matched: index(accepted.matched)? }
        }
        Wire::AppendRejected(rejected) => Message::AppendRejected {
            prev: index(rejected.prev_index)?,
            hint: LogId { index: index(rejected.hint_index)?, term: term(rejected.hint_term)? },
        },
        Wire::Heartbeat(beat) => Message::Heartbeat {
            commit: index(beat.commit)?,
            round: beat.round,
            settled: index(beat.settled)?,
        },
        Wire::HeartbeatEcho(echo) => Message::HeartbeatEcho { round: echo.round },
        Wire::Forward(forward) => Message::Forward { command: forward.command },
        Wire::Returned(returned) => {
            Message::Returned { term: term(returned.term)?, command: returned.command }
        }
        Wire::AskReadIndex(ask) => Message::AskReadIndex { boot: ask.boot, round: ask.round },
        Wire::ReadIndex(answer) => Message::ReadIndex {
            boot: answer.boot,
            round: answer.round,
            index: index(answer.index)?,
        },
        Wire::AskLeases(ask) => {
            let questions = ask.questions.iter().map(question_from_wire).collect();
            Message::AskLeases { boot: ask.boot, questions }
        }
        Wire::TellLeases(told) => {
            let answers = told.answers.iter().map(answer_from_wire).collect();
            Message::TellLeases { boot: told.boot, index: index(told.index)?, answers }
        }
        Wire::Snapshot(part) => {
            let shipment = ShipmentId(part.shipment);
            Message::Snapshot { shipment, chunk: chunk_from_wire(part, sender)? }
        }
        Wire::SnapshotKept(kept) => {
            Message::SnapshotKept { shipment: ShipmentId(kept.shipment), end: kept.end }
        }
        Wire::SnapshotRefused(refused) => {
            Message::SnapshotRefused { shipment: ShipmentId(refused.shipment) }
        }
        Wire::TimeoutNow(wire::TimeoutNow {}) => Message::TimeoutNow,
    })
}

fn chunk_to_wire(shipment: ShipmentId, chunk: &Chunk) -> wire::Snapshot {
    wire::Snapshot {
        shipment: shipment.0,
        last_index: chunk.snapshot.index.0,
        last_term: chunk.snapshot.term.0,
        offset: chunk.offset,
        bytes: chunk.bytes.clone(),
        sum: crc32c::crc32c(&chunk.bytes),
        last: chunk.last,
    }
}

/// A snapshot of nothing, or of a term that its sender has not reached, is none.
fn chunk_from_wire(part: wire::Snapshot, sender: Term) -> Result<Chunk, CodecError> {
    let wire::Snapshot { last_index, last_term, offset, bytes, sum, last, .. } = part;
    if bytes.is_empty() || bytes.len() > MAX_CHUNK_BYTES {
        return Err(CodecError::ChunkSize(bytes.len()));
    }
    if crc32c::crc32c(&bytes) != sum {
        return Err(CodecError::Altered);
    }
    let snapshot = LogId { index: index(last_index)?, term: term(last_term)? };
    if snapshot.index == Index(0) || snapshot.term > sender {
        return Err(CodecError::Disordered(snapshot.index));
    }
    if offset > MAX_COUNT {
        return Err(CodecError::Absurd(offset));
    }
    Ok(Chunk { snapshot, offset, bytes, last })
}

fn append_from_wire(append: wire::Append, sender: Term) -> Result<Message, CodecError> {
    let prev = LogId { index: index(append.prev_index)?, term: term(append.prev_term)? };
    let mut before = prev;
    let mut entries = Vec::with_capacity(append.entries.len());
    for wire in append.entries {
        let entry =
            Entry { index: index(wire.index)?, term: term(wire.term)?, command: wire.command };
        let follows = entry.index == before.index.next() && entry.term >= before.term;
        if !follows || entry.term > sender {
            return Err(CodecError::Disordered(entry.index));
        }
        before = entry.id();
        entries.push(entry);
    }
    let quiet = append.quiet && entries.is_empty();
    Ok(Message::Append { prev, entries, commit: index(append.commit)?, quiet })
}

fn index(number: u64) -> Result<Index, CodecError> {
    if number > MAX_COUNT { Err(CodecError::Absurd(number)) } else { Ok(Index(number)) }
}

fn term(number: u64) -> Result<Term, CodecError> {
    if number > MAX_COUNT { Err(CodecError::Absurd(number)) } else { Ok(Term(number)) }
}

fn candidacy(last: LogId) -> wire::Candidacy {
    wire::Candidacy { last_index: last.index.0, last_term: last.term.0 }
}

fn last(candidacy: &wire::Candidacy) -> Result<LogId, CodecError> {
    Ok(LogId { index: index(candidacy.last_index)?, term: term(candidacy.last_term)? })
}

fn question_to_wire(question: &LeaseQuestion) -> wire::LeaseQuestion {
    wire::LeaseQuestion { n: question.n, lease: question.lease.0, renew: question.renew }
}

fn question_from_wire(wire: &wire::LeaseQuestion) -> LeaseQuestion {
    LeaseQuestion { n: wire.n, lease: LeaseId(wire.lease), renew: wire.renew }
}

fn answer_to_wire(answer: &LeaseAnswer) -> wire::LeaseAnswer {
    let life = |life: LeaseLife| wire::LeaseLife { granted: life.granted.0, left: life.left.0 };
    wire::LeaseAnswer { n: answer.n, life: answer.life.map(life) }
}

fn answer_from_wire(wire: &wire::LeaseAnswer) -> LeaseAnswer {
    let life = |life: wire::LeaseLife| LeaseLife {
        granted: Seconds(life.granted),
        left: Seconds(life.left),
    };
    LeaseAnswer { n: wire.n, life: wire.life.map(life) }
}

fn entry_to_wire(entry: &Entry) -> wire::LogEntry {
    wire::LogEntry { index: entry.index.0, term: entry.term.0, command: entry.command.clone() }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => write!(f, "not a message between members: {error}"),
            Self::Empty => f.write_str("a message without content, or of a later version"),
            Self::Disordered(index) => write!(f, "entry {index} does not follow the one before it"),
            Self::Absurd(number) => write!(f, "{number} is beyond any log position or term"),
            Self::ChunkSize(bytes) => write!(f, "a part of a snapshot of {bytes} bytes"),
            Self::Altered => f.write_str("a part of a snapshot that is not as it was sent"),
        }
    }
}

impl core::error::Error for CodecError {}
