//! What travels as an answer: messages, and answers that are encoded from the store's own records.
//!
//! A range of many pairs would be decoded into messages only to be encoded again. Its answer is put
//! together from the records instead, when the frame that carries it is written.
//!
//! Not here: frames (`codec.rs`), what a range finds (core).

use bytes::BufMut;
use prost::Message;
use quorate_core::api::etcdserverpb::{RangeResponse, ResponseHeader};
use quorate_core::store::Found;

/// Something that knows its size before it is written.
pub trait Answer {
    /// Bytes that it takes.
    fn size(&self) -> usize;

    /// Writes exactly that many.
    fn write(&self, buffer: &mut impl BufMut);
}

impl<T: Message> Answer for T {
    fn size(&self) -> usize {
        self.encoded_len()
    }

    fn write(&self, buffer: &mut impl BufMut) {
        self.encode_raw(buffer);
    }
}

/// The answer of a range.
#[derive(Debug)]
pub enum RangeAnswer {
    /// As a message.
    Message(RangeResponse),
    /// As records, with the header that goes with them.
    Found(Found, ResponseHeader),
}

impl Answer for RangeAnswer {
    fn size(&self) -> usize {
        match self {
            Self::Message(response) => response.encoded_len(),
            Self::Found(found, header) => found.encoded_len(*header),
        }
    }

    fn write(&self, buffer: &mut impl BufMut) {
        match self {
            Self::Message(response) => response.encode_raw(buffer),
            Self::Found(found, header) => found.encode(*header, buffer),
        }
    }
}
