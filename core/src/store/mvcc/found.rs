//! What a range found, as the records themselves: an answer is put together from their bytes.
//!
//! ```text
//!   RangeResponse   1: header | 2: pair | 2: pair | ... | 3: more | 4: count
//!                                |         |
//!                             a record, byte for byte (`record.rs`)
//! ```
//! A record is the encoded pair, so an answer of a million pairs is so many copies of bytes, and
//! nothing is decoded on the way. To hold what was found costs a reference for each pair.
//!
//! Not here: which pairs are found (`range.rs`).

use alloc::vec::Vec;

use bytes::BufMut;
use prost::Message;
use prost::encoding::{encode_varint, encoded_len_varint};

use super::record::Record;
use crate::api::etcdserverpb::{RangeResponse, ResponseHeader};

/// The tag of a pair in an answer: field 2, a message.
const PAIR: u8 = 0x12;

/// What a range found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// The revision that was current when the read began.
    pub(super) revision: i64,
    /// The pairs, in the order of the answer.
    pub(super) pairs: Vec<Record>,
    /// Whether a limit cut off some.
    pub(super) more: bool,
    /// The keys of the range, whatever was cut off.
    pub(super) count: i64,
}

impl Found {
    /// The revision that the header of the answer shows.
    #[must_use]
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// The answer as a message. Its header holds the revision only.
    #[must_use]
    pub fn response(&self) -> RangeResponse {
        let header = ResponseHeader { revision: self.revision, ..Default::default() };
        let kvs = self.pairs.iter().map(Record::key_value).collect();
        RangeResponse { header: Some(header), kvs, more: self.more, count: self.count }
    }

    /// How long the encoded answer is with this header.
    #[must_use]
    pub fn encoded_len(&self, header: ResponseHeader) -> usize {
        let pair = |record: &Record| {
            let len = record.as_ref().len();
            1 + encoded_len_varint(len as u64) + len
        };
        let (front, back) = self.frame(header);
        let pairs = self.pairs.iter().map(pair).sum::<usize>();
        front.encoded_len() + pairs + back.encoded_len()
    }

    /// Appends the encoded answer, byte for byte as any protobuf library writes it.
    pub fn encode(&self, header: ResponseHeader, out: &mut impl BufMut) {
        let (front, back) = self.frame(header);
        front.encode_raw(out);
        for record in &self.pairs {
            out.put_u8(PAIR);
            encode_varint(record.as_ref().len() as u64, out);
            out.put_slice(record.as_ref());
        }
        back.encode_raw(out);
    }

    /// What stands before the pairs, and what stands behind them.
    fn frame(&self, header: ResponseHeader) -> (RangeResponse, RangeResponse) {
        let front = RangeResponse { header: Some(header), ..Default::default() };
        let back = RangeResponse { more: self.more, count: self.count, ..Default::default() };
        (front, back)
    }
}
