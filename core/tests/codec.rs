//! Messages between members as bytes: what leaves arrives, and foreign bytes become a typed value
//! or a refusal, never a panic.

use std::collections::BTreeSet;

use bytes::Bytes;
use quorate_core::raft::{
    CodecError, Entry, Envelope, LeaseAnswer, LeaseQuestion, MAX_CHUNK_BYTES, Message,
};
use quorate_core::random::Random;
use quorate_core::snap::{Chunk, ShipmentId};
use quorate_core::types::{Index, LeaseId, LeaseLife, LogId, NodeId, Seconds, Term};

/// The largest index or term that is believed.
const LARGEST: u64 = 1 << 62;
/// How many kinds of messages there are.
const KINDS: u64 = 19;

/// Draws messages that a member could really send.
struct Sender(Random);

impl Sender {
    fn new(seed: u64) -> Self {
        Self(Random::new(seed))
    }

    /// Small numbers mostly, and the edges.
    fn number(&mut self) -> u64 {
        match self.0.below(8) {
            0 => 0,
            1 => LARGEST,
            2 => self.0.below(LARGEST),
            _ => self.0.below(1000),
        }
    }

    fn index(&mut self) -> Index {
        Index(self.number())
    }

    fn log_id(&mut self) -> LogId {
        LogId { index: self.index(), term: Term(self.number()) }
    }

    fn flag(&mut self) -> bool {
        self.0.below(2) == 1
    }

    fn bytes(&mut self, most: u64) -> Bytes {
        let len = self.0.below(most);
        (0..len).map(|_| self.0.below(256).to_le_bytes()[0]).collect()
    }

    fn envelope(&mut self) -> Envelope {
        let kind = self.0.below(KINDS);
        self.envelope_of(kind)
    }

    fn envelope_of(&mut self, kind: u64) -> Envelope {
        let message = self.message(kind);
        let mut term = Term(self.number());
        if let Message::Append { entries, .. } = &message {
            term = term.max(entries.last().map_or(term, |entry| entry.term));
        }
        if let Message::Snapshot { chunk, .. } = &message {
            term = term.max(chunk.snapshot.term);
        }
        Envelope { from: NodeId(self.number()), to: NodeId(self.number()), term, message }
    }

    fn message(&mut self, kind: u64) -> Message {
        match kind {
            0 => Message::RequestPreVote { last: self.log_id() },
            1 => Message::PreVote { granted: self.flag(), term: Term(self.number()) },
            2 => Message::RequestVote { last: self.log_id() },
            3 => Message::Vote { granted: self.flag() },
            4 => self.append(),
            5 => Message::AppendAccepted { matched: self.index() },
            6 => Message::AppendRejected { prev: self.index(), hint: self.log_id() },
            7 => Message::Heartbeat {
                commit: self.index(),
                round: self.number(),
                settled: self.index(),
            },
            8 => Message::HeartbeatEcho { round: self.number() },
            9 => Message::Forward { command: self.bytes(100) },
            10 => Message::AskReadIndex { boot: self.number(), round: self.number() },
            14 => Message::Snapshot { shipment: ShipmentId(self.number()), chunk: self.chunk() },
            15 => Message::SnapshotKept { shipment: ShipmentId(self.number()), end: self.number() },
            16 => Message::TimeoutNow,
            18 => Message::Returned { term: Term(self.number()), command: self.bytes(100) },
            17 => Message::SnapshotRefused { shipment: ShipmentId(self.number()) },
            11 => Message::ReadIndex {
                boot: self.number(),
                round: self.number(),
                index: self.index(),
            },
            12 => {
                let questions = (0..self.0.below(4)).map(|_| self.lease_question()).collect();
                Message::AskLeases { boot: self.number(), questions }
            }
            _ => {
                let answers = (0..self.0.below(4)).map(|_| self.lease_answer()).collect();
                Message::TellLeases { boot: self.number(), index: self.index(), answers }
            }
        }
    }

    fn lease_question(&mut self) -> LeaseQuestion {
        let lease = LeaseId(self.number().cast_signed() * if self.flag() { 1 } else { -1 });
        LeaseQuestion { n: self.number(), lease, renew: self.flag() }
    }

    fn lease_answer(&mut self) -> LeaseAnswer {
        let life = self.flag().then(|| LeaseLife {
            granted: Seconds(self.number().cast_signed()),
            left: Seconds(self.number().cast_signed()),
        });
        LeaseAnswer { n: self.number(), life }
    }

    fn chunk(&mut self) -> Chunk {
        let snapshot = LogId { index: Index(1 + self.0.below(1000)), term: self.log_id().term };
        let (len, offset, last) = (1 + self.0.below(200), self.number(), self.flag());
        let bytes = (0..len).map(|_| self.0.below(256).to_le_bytes()[0]).collect();
        Chunk { snapshot, offset, bytes, last }
    }

    fn append(&mut self) -> Message {
        let prev = LogId { index: Index(self.0.below(1000)), term: Term(self.0.below(50)) };
        let mut before = prev;
        let entries = (0..self.0.below(5)).map(|_| {
            let term = Term(before.term.0 + self.0.below(2));
            before = LogId { index: before.index.next(), term };
            Entry { index: before.index, term, command: self.bytes(20) }
        });
        let entries: Vec<Entry> = entries.collect();
        let quiet = entries.is_empty() && self.0.below(2) == 0;
        Message::Append { prev, entries, commit: self.index(), quiet }
    }
}

fn encoded(envelope: &Envelope) -> Vec<u8> {
    let mut bytes = Vec::new();
    envelope.encode(&mut bytes);
    bytes
}

/// What every decoded message promises to the code behind the border.
fn check(envelope: &Envelope) {
    let Message::Append { prev, entries, .. } = &envelope.message else { return };
    let mut before = *prev;
    for entry in entries {
        assert_eq!(entry.index, before.index.next(), "{envelope}");
        assert!(entry.term >= before.term && entry.term <= envelope.term, "{envelope}");
        before = entry.id();
    }
}

#[test]
fn what_is_sent_arrives() {
    let mut sender = Sender::new(1);
    for _ in 0..20_000 {
        let envelope = sender.envelope();
        let bytes = encoded(&envelope);
        assert_eq!(Envelope::decode(&bytes), Ok(envelope));
    }
}

#[test]
fn every_kind_is_drawn() {
    let mut sender = Sender::new(2);
    let kinds: BTreeSet<_> = (0..KINDS).map(|kind| sender.message(kind).kind()).collect();
    assert_eq!(kinds.len() as u64, KINDS);
    // A new kind does not compile here before it is drawn above.
    match sender.message(0) {
        Message::RequestPreVote { .. }
        | Message::PreVote { .. }
        | Message::RequestVote { .. }
        | Message::Vote { .. }
        | Message::Append { .. }
        | Message::AppendAccepted { .. }
        | Message::AppendRejected { .. }
        | Message::Heartbeat { .. }
        | Message::HeartbeatEcho { .. }
        | Message::Forward { .. }
        | Message::Returned { .. }
        | Message::AskReadIndex { .. }
        | Message::ReadIndex { .. }
        | Message::AskLeases { .. }
        | Message::TellLeases { .. }
        | Message::Snapshot { .. }
        | Message::SnapshotKept { .. }
        | Message::SnapshotRefused { .. }
        | Message::TimeoutNow => {}
    }
}

#[test]
fn envelopes_follow_each_other_in_one_buffer() {
    let mut sender = Sender::new(3);
    let (first, second) = (sender.envelope(), sender.envelope());
    let mut both = encoded(&first);
    let split = both.len();
    second.encode(&mut both);
    assert_eq!(Envelope::decode(&both[..split]), Ok(first));
    assert_eq!(Envelope::decode(&both[split..]), Ok(second));
}

#[test]
fn garbage_never_panics() {
    let mut sender = Sender::new(4);
    for _ in 0..100_000 {
        if let Ok(envelope) = Envelope::decode(&sender.bytes(40)) {
            check(&envelope);
            assert_eq!(Envelope::decode(&encoded(&envelope)), Ok(envelope));
        }
    }
}

#[test]
fn a_flipped_bit_or_a_cut_never_panics() {
    let mut sender = Sender::new(5);
    for round in 0..50 * KINDS {
        let mut bytes = encoded(&sender.envelope_of(round % KINDS));
        for bit in 0..8 * bytes.len() {
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(envelope) = Envelope::decode(&bytes) {
                check(&envelope);
            }
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        for end in 0..bytes.len() {
            if let Ok(envelope) = Envelope::decode(&bytes[..end]) {
                check(&envelope);
            }
        }
    }
}

fn append(prev: (u64, u64), entries: &[(u64, u64)]) -> Envelope {
    let id = |(index, term)| LogId { index: Index(index), term: Term(term) };
    let entry = |place: &(u64, u64)| {
        let LogId { index, term } = id(*place);
        Entry { index, term, command: Bytes::new() }
    };
    let entries = entries.iter().map(entry).collect();
    let message = Message::Append { prev: id(prev), entries, commit: Index(0), quiet: false };
    Envelope { from: NodeId(1), to: NodeId(2), term: Term(7), message }
}

#[test]
fn disordered_entries_are_refused() {
    let refused = |what, entries: &[(u64, u64)]| {
        let at = entries.last().map_or(0, |(index, _)| *index);
        let decoded = Envelope::decode(&encoded(&append((5, 3), entries)));
        assert_eq!(decoded, Err(CodecError::Disordered(Index(at))), "{what}");
    };
    refused("a gap behind prev", &[(7, 3)]);
    refused("prev itself", &[(5, 3)]);
    refused("older than prev", &[(6, 2)]);
    refused("a gap between entries", &[(6, 3), (8, 3)]);
    refused("an entry twice", &[(6, 3), (6, 3)]);
    refused("a term that goes back", &[(6, 4), (7, 3)]);
    refused("a term beyond the leader's", &[(6, 3), (7, 8)]);
    let sound = append((5, 3), &[(6, 3), (7, 7)]);
    assert_eq!(Envelope::decode(&encoded(&sound)), Ok(sound));
}

/// A good one, and what may be wrong with it.
#[test]
fn a_part_of_a_snapshot_that_cannot_be_is_refused() {
    let part = |index, term, len| {
        let snapshot = LogId { index: Index(index), term: Term(term) };
        let chunk = Chunk { snapshot, offset: 0, bytes: vec![7; len].into(), last: false };
        let message = Message::Snapshot { shipment: ShipmentId(1), chunk };
        Envelope { from: NodeId(1), to: NodeId(2), term: Term(7), message }
    };
    let good = part(5, 7, MAX_CHUNK_BYTES);
    assert_eq!(Envelope::decode(&encoded(&good)), Ok(good));
    for (wrong, refusal) in [
        (part(5, 7, 0), CodecError::ChunkSize(0)),
        (part(5, 7, MAX_CHUNK_BYTES + 1), CodecError::ChunkSize(MAX_CHUNK_BYTES + 1)),
        (part(0, 7, 1), CodecError::Disordered(Index(0))),
        (part(5, 8, 1), CodecError::Disordered(Index(5))),
        (part(LARGEST + 1, 7, 1), CodecError::Absurd(LARGEST + 1)),
    ] {
        assert_eq!(Envelope::decode(&encoded(&wrong)), Err(refusal));
    }
    let mut altered = encoded(&part(5, 7, 100));
    let at = altered.windows(100).position(|bytes| bytes == [7; 100]).unwrap();
    altered[at + 50] ^= 1;
    assert_eq!(Envelope::decode(&altered), Err(CodecError::Altered));
}

#[test]
fn an_index_or_a_term_beyond_any_log_is_refused() {
    let (far, late) = (Index(LARGEST + 1), Term(LARGEST + 1));
    let log_id = LogId { index: far, term: Term(1) };
    let late_id = LogId { index: Index(1), term: late };
    let near = LogId { index: Index(1), term: Term(1) };
    let messages = [
        Message::RequestPreVote { last: log_id },
        Message::RequestVote { last: log_id },
        Message::Append { prev: log_id, entries: Vec::new(), commit: Index(1), quiet: false },
        Message::Append { prev: near, entries: Vec::new(), commit: far, quiet: false },
        Message::AppendAccepted { matched: far },
        Message::AppendRejected { prev: far, hint: near },
        Message::AppendRejected { prev: Index(1), hint: log_id },
        Message::Heartbeat { commit: far, round: 1, settled: Index(1) },
        Message::Heartbeat { commit: Index(1), round: 1, settled: far },
        Message::ReadIndex { boot: 1, round: 1, index: far },
        Message::PreVote { granted: true, term: late },
        Message::RequestPreVote { last: late_id },
        Message::RequestVote { last: late_id },
        Message::Append { prev: late_id, entries: Vec::new(), commit: Index(1), quiet: false },
        Message::AppendRejected { prev: Index(1), hint: late_id },
    ];
    for message in messages {
        let envelope = Envelope { from: NodeId(1), to: NodeId(2), term: Term(7), message };
        let refused = Err(CodecError::Absurd(far.0));
        assert_eq!(Envelope::decode(&encoded(&envelope)), refused, "{envelope}");
    }
    let message = Message::Vote { granted: true };
    let envelope = Envelope { from: NodeId(1), to: NodeId(2), term: late, message };
    assert_eq!(Envelope::decode(&encoded(&envelope)), Err(CodecError::Absurd(late.0)));
}

#[test]
fn an_envelope_without_a_known_message_is_refused() {
    assert_eq!(Envelope::decode(&[]), Err(CodecError::Empty));
    // Field 99, which no version has: an empty message.
    assert_eq!(Envelope::decode(&[0x9a, 0x06, 0x00]), Err(CodecError::Empty));
}

/// A slice of what was received would keep the whole frame in memory.
#[test]
fn a_decoded_command_is_a_copy() {
    let command = Bytes::from_static(b"command");
    let entry = Entry { index: Index(1), term: Term(1), command: command.clone() };
    let append = Message::Append {
        prev: LogId::default(),
        entries: vec![entry],
        commit: Index(0),
        quiet: false,
    };
    for message in [Message::Forward { command }, append] {
        let envelope = Envelope { from: NodeId(1), to: NodeId(2), term: Term(1), message };
        let frame = encoded(&envelope);
        let command = match Envelope::decode(&frame).unwrap().message {
            Message::Forward { command } => command,
            Message::Append { mut entries, .. } => entries.remove(0).command,
            other => panic!("{other}"),
        };
        assert!(!frame.as_ptr_range().contains(&command.as_ptr()), "it shares the frame");
        assert_eq!(&command[..], b"command");
    }
}
