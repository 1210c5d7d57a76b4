//! What the clients ask for: a frame that is encoded once, in which each request only changes
//! the bytes of the key and of the value.
//!
//! Keys are numbers below the size of the key space, in decimal, padded to the key size. Values
//! are slices of one random block at changing places: nothing that a store could compress.

use bytes::{Bytes, BytesMut};
use prost::Message;
use quorate_core::api::etcdserverpb::{PutRequest, PutResponse, RangeRequest, RangeResponse};

use super::wire::PREFIX;

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
    template: Vec<u8>,
    values: Vec<u8>,
    buffer: BytesMut,
    random: Random,
}

impl Kind {
    /// The gRPC method.
    pub fn path(self) -> &'static str {
        match self {
            Self::Put { .. } => "/etcdserverpb.KV/Put",
            Self::Range { .. } => "/etcdserverpb.KV/Range",
        }
    }

    /// Whether the answer to it holds what was asked for. `None`: it is no answer at all.
    pub fn found(self, answer: Bytes) -> Option<bool> {
        match self {
            Self::Put { .. } => PutResponse::decode(answer).ok().map(|_| true),
            Self::Range { .. } => {
                RangeResponse::decode(answer).ok().map(|answer| !answer.kvs.is_empty())
            }
        }
    }

    fn value_size(self) -> usize {
        match self {
            Self::Put { value_size } => value_size,
            Self::Range { .. } => 0,
        }
    }

    /// Prefix and message, with a key of zeros and a value of zero bytes.
    fn template(self, key_size: usize) -> Vec<u8> {
        let key = Bytes::from(vec![b'0'; key_size]);
        let message = match self {
            Self::Put { value_size } => {
                let value = Bytes::from(vec![0; value_size]);
                PutRequest { key, value, ..PutRequest::default() }.encode_to_vec()
            }
            Self::Range { serializable } => {
                RangeRequest { key, serializable, ..RangeRequest::default() }.encode_to_vec()
            }
        };
        let length = u32::try_from(message.len()).expect("sizes are bounded by the arguments");
        [&[0], &length.to_be_bytes()[..], &message].concat()
    }
}

impl Requests {
    /// The requests of the client with this number. Equal numbers draw equal keys.
    pub fn new(kind: Kind, keys: Keys, client: u64) -> Self {
        let mut random = Random(client.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let values = (0..kind.value_size() + SPREAD).map(|_| random.next() as u8).collect();
        let template = kind.template(keys.size);
        Self { kind, keys, template, values, buffer: BytesMut::new(), random }
    }

    /// The frame of the request with this number.
    pub fn frame(&mut self, ticket: u64) -> Bytes {
        let choice = if self.keys.sequential { ticket } else { self.random.next() };
        // The buffer is used again as soon as the frame before has been sent and dropped.
        self.buffer.reserve(self.template.len());
        self.buffer.extend_from_slice(&self.template);
        // Tag and length of the key come first; the value, if any, is the very end.
        let key_at = PREFIX + 1 + prost::length_delimiter_len(self.keys.size);
        write_decimal(&mut self.buffer[key_at..key_at + self.keys.size], choice % self.keys.space);
        let size = self.kind.value_size();
        let value_at = self.buffer.len() - size;
        let from = self.random.next() as usize % SPREAD;
        self.buffer[value_at..].copy_from_slice(&self.values[from..from + size]);
        self.buffer.split().freeze()
    }
}

/// Writes a number at the end of a field that is full of zeros.
fn write_decimal(field: &mut [u8], mut number: u64) {
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
    fn an_empty_value_needs_no_field() {
        let keys = Keys { size: 1, space: 10, sequential: true };
        let mut puts = Requests::new(Kind::Put { value_size: 0 }, keys, 0);
        let put = PutRequest::decode(puts.frame(9).slice(PREFIX..)).unwrap();
        assert_eq!((&put.key[..], put.value.len()), (&b"9"[..], 0));
    }
}
