//! What the clients ask for: a frame that is encoded once, in which each request only changes
//! the bytes of the key and of the value.
//!
//! Keys are numbers below the size of the key space, in decimal, padded to the key size. Values
//! are slices of one random block at changing places: nothing that a store could compress.

use bytes::{Bytes, BytesMut};
use prost::Message;
use quorate_core::api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use quorate_core::api::etcdserverpb::request_op::Request as Op;
use quorate_core::api::etcdserverpb::{
    Compare, LeaseGrantRequest, LeaseGrantResponse, PutRequest, PutResponse, RangeRequest,
    RangeResponse, RequestOp, TxnRequest, TxnResponse,
};

use super::wire::{PREFIX, frame};

/// How far the value of one put may start from that of another in the random block.
const SPREAD: usize = 4096;

/// The method under load and its options.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Puts with values of this size.
    Put {
        /// In bytes.
        value_size: usize,
    },
    /// Reads of one key each.
    Range {
        /// Answered by the member asked, without consensus.
        serializable: bool,
    },
    /// Reads of every key at once.
    Everything,
    /// Transactions that compare one key and put some.
    Txn {
        /// Bytes of a value.
        value_size: usize,
        /// How many puts.
        puts: usize,
    },
    /// Grants of leases with this TTL, in seconds.
    Grant {
        /// In seconds.
        ttl: i64,
    },
}

/// Which key is next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keys {
    /// Bytes of a key.
    pub size: usize,
    /// How many different keys there are.
    pub space: u64,
    /// In their order instead of at random.
    pub sequential: bool,
}

/// Makes the requests of one client.
pub struct Requests {
    kind: Kind,
    keys: Keys,
    template: Bytes,
    values: Vec<u8>,
    buffer: BytesMut,
    random: Random,
}

impl Kind {
    /// The gRPC method.
    pub fn path(self) -> &'static str {
        match self {
            Self::Put { .. } => "/etcdserverpb.KV/Put",
            Self::Range { .. } | Self::Everything => "/etcdserverpb.KV/Range",
            Self::Txn { .. } => "/etcdserverpb.KV/Txn",
            Self::Grant { .. } => "/etcdserverpb.Lease/LeaseGrant",
        }
    }

    /// Whether the answer to it holds what was asked for. `None`: it is no answer at all.
    pub fn found(self, answer: Bytes) -> Option<bool> {
        match self {
            Self::Put { .. } => PutResponse::decode(answer).ok().map(|_| true),
            Self::Range { .. } => {
                RangeResponse::decode(answer).ok().map(|answer| !answer.kvs.is_empty())
            }
            // To decode all of it would cost more than to serve it.
            Self::Everything => Some(answer.len() > PREFIX),
            Self::Txn { .. } => TxnResponse::decode(answer).ok().map(|answer| answer.succeeded),
            Self::Grant { .. } => LeaseGrantResponse::decode(answer).ok().map(|it| it.id != 0),
        }
    }

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Put { .. } => "put",
            Self::Range { serializable: false } => "range l",
            Self::Range { serializable: true } => "range s",
            Self::Everything => "range all",
            Self::Txn { .. } => "txn",
            Self::Grant { .. } => "lease grant",
        }
    }

    /// Bytes of each value that is written.
    pub fn value_size(self) -> Option<usize> {
        match self {
            Self::Put { value_size } | Self::Txn { value_size, .. } => Some(value_size),
            Self::Range { .. } | Self::Everything | Self::Grant { .. } => None,
        }
    }

    /// Prefix and message, with a key of zeros and a value of zero bytes.
    fn template(self, key_size: usize) -> Bytes {
        let key = Bytes::from(vec![b'0'; key_size]);
        match self {
            Self::Put { value_size } => {
                let value = Bytes::from(vec![0; value_size]);
                frame(&PutRequest { key, value, ..PutRequest::default() })
            }
            Self::Range { serializable } => {
                frame(&RangeRequest { key, serializable, ..RangeRequest::default() })
            }
            Self::Everything => {
                let zero = Bytes::from_static(&[0]);
                frame(&RangeRequest { key: zero.clone(), range_end: zero, ..Default::default() })
            }
            // These are made anew for each request.
            Self::Txn { .. } | Self::Grant { .. } => Bytes::new(),
        }
    }
}

impl Requests {
    /// The requests of the client with this number. Equal numbers draw equal keys.
    pub fn new(kind: Kind, keys: Keys, client: u64) -> Self {
        let mut random = Random(client.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let block = kind.value_size().unwrap_or(0) + SPREAD;
        let values = (0..block).map(|_| random.next() as u8).collect();
        let template = kind.template(keys.size);
        Self { kind, keys, template, values, buffer: BytesMut::new(), random }
    }

    /// The frame of the request with this number.
    pub fn frame(&mut self, ticket: u64) -> Bytes {
        match self.kind {
            Kind::Put { .. } | Kind::Range { .. } => self.patched(ticket),
            Kind::Everything => self.template.clone(),
            Kind::Txn { value_size, puts } => frame(&self.txn(ticket, value_size, puts)),
            Kind::Grant { ttl } => frame(&LeaseGrantRequest { ttl, id: 0 }),
        }
    }

    /// Holds for every key, there or not: so both stores do the same work.
    fn txn(&mut self, ticket: u64, value_size: usize, puts: usize) -> TxnRequest {
        let choice = if self.keys.sequential { ticket } else { self.random.next() };
        let key = |n: u64| {
            let mut key = vec![b'0'; self.keys.size];
            write_decimal(&mut key, choice.wrapping_add(n) % self.keys.space);
            Bytes::from(key)
        };
        let compare = Compare {
            result: CompareResult::Greater.into(),
            target: CompareTarget::Version.into(),
            key: key(0),
            target_union: Some(TargetUnion::Version(-1)),
            range_end: Bytes::new(),
        };
        let from = choice as usize % SPREAD;
        let value = Bytes::copy_from_slice(&self.values[from..from + value_size]);
        let put = |n| PutRequest { key: key(n), value: value.clone(), ..PutRequest::default() };
        let success = (0..puts as u64).map(|n| RequestOp { request: Some(Op::RequestPut(put(n))) });
        TxnRequest { compare: vec![compare], success: success.collect(), failure: Vec::new() }
    }

    /// The template with other bytes in the places of the key and of the value.
    fn patched(&mut self, ticket: u64) -> Bytes {
        let choice = if self.keys.sequential { ticket } else { self.random.next() };
        // The buffer is used again as soon as the frame before has been sent and dropped.
        self.buffer.reserve(self.template.len());
        self.buffer.extend_from_slice(&self.template);
        // Tag and length of the key come first; the value, if any, is the very end.
        let key_at = PREFIX + 1 + prost::length_delimiter_len(self.keys.size);
        write_decimal(&mut self.buffer[key_at..key_at + self.keys.size], choice % self.keys.space);
        let size = self.kind.value_size().unwrap_or(0);
        let value_at = self.buffer.len() - size;
        let from = self.random.next() as usize % SPREAD;
        self.buffer[value_at..].copy_from_slice(&self.values[from..from + size]);
        self.buffer.split().freeze()
    }
}

/// Writes a number at the end of a field that is full of zeros.
pub fn write_decimal(field: &mut [u8], mut number: u64) {
    for digit in field.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    assert_eq!(number, 0, "the arguments see to it that every key fits");
}

/// SplitMix64: keys and values need no more than this, and nothing is cheaper.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_decodes_to_the_request_it_stands_for() {
        let keys = Keys { size: 200, space: 1000, sequential: true };
        let mut puts = Requests::new(Kind::Put { value_size: 300 }, keys, 0);
        for ticket in [0, 7, 1042] {
            let put = PutRequest::decode(puts.frame(ticket).slice(PREFIX..)).unwrap();
            assert_eq!(put.key, format!("{:0200}", ticket % 1000));
            assert_eq!(put.value.len(), 300);
        }
        let mut ranges = Requests::new(Kind::Range { serializable: true }, keys, 0);
        let frame = ranges.frame(3);
        assert_eq!(frame[..PREFIX], [0, 0, 0, 0, (frame.len() - PREFIX) as u8]);
        let range = RangeRequest::decode(frame.slice(PREFIX..)).unwrap();
        assert_eq!(range.key, format!("{:0200}", 3));
        assert!(range.serializable);
    }

    #[test]
    fn a_transaction_puts_neighbouring_keys_and_always_holds() {
        let keys = Keys { size: 8, space: 10, sequential: true };
        let mut txns = Requests::new(Kind::Txn { value_size: 5, puts: 3 }, keys, 0);
        let txn = TxnRequest::decode(txns.frame(8).slice(PREFIX..)).unwrap();
        let put = |op: &RequestOp| match &op.request {
            Some(Op::RequestPut(put)) => (put.key.to_vec(), put.value.len()),
            other => panic!("{other:?}"),
        };
        let puts: Vec<_> = txn.success.iter().map(put).collect();
        let expected = [b"00000008", b"00000009", b"00000000"].map(|key| (key.to_vec(), 5));
        assert_eq!(puts, expected);
        assert_eq!(txn.compare[0].key, puts[0].0);
    }

    #[test]
    fn an_empty_value_needs_no_field() {
        let keys = Keys { size: 1, space: 10, sequential: true };
        let mut puts = Requests::new(Kind::Put { value_size: 0 }, keys, 0);
        let put = PutRequest::decode(puts.frame(9).slice(PREFIX..)).unwrap();
        assert_eq!((&put.key[..], put.value.len()), (&b"9"[..], 0));
    }
}
