//! Envelopes on a stream of bytes: each behind its length.
//!
//! ```text
//!   | length: 4 bytes, the highest first | envelope | length | envelope | ..
//! ```
//!
//! Invariants:
//! - F1. What was put comes out whole, once and in order, wherever the stream was cut into reads.
//! - F2. A length is believed only as far as bytes have come: memory is taken for those alone.
//!
//! Not here: what an envelope is, and whether it may be on this stream (`inlet.rs`).

use std::fmt;
use std::io;

use bytes::{Buf, BytesMut};
use quorate_core::raft::{Envelope, MAX_CHUNK_BYTES};
use quorate_core::request::MAX_REQUEST_BYTES;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The largest envelope that is accepted, in bytes: a part of a snapshot has up to 4 MiB, an append
/// 1 MiB of commands or a single one.
const LARGEST: usize = 8 << 20;
const _: () = assert!(LARGEST >= 2 * MAX_CHUNK_BYTES && LARGEST >= 4 * MAX_REQUEST_BYTES);
const HEAD: usize = size_of::<u32>();
/// Bytes that are read at once, if they are there.
const READ: usize = 64 << 10;
/// A buffer that has grown beyond this is given back when it is empty.
const KEEP: usize = 1 << 20;

/// Appends an envelope to `out`, as it travels; returns the bytes of the envelope alone.
pub fn put(envelope: &Envelope, out: &mut Vec<u8>) -> usize {
    let head = out.len();
    out.extend([0; HEAD]);
    let start = out.len();
    envelope.encode(out);
    let length = out.len() - start;
    assert!(length <= LARGEST, "an envelope of {length} bytes: {envelope}");
    out[head..start].copy_from_slice(&(length as u32).to_be_bytes());
    length
}

/// The receiving side of one stream.
#[derive(Debug, Default)]
pub struct Frames {
    buffer: BytesMut,
    /// How large the buffer was before anything was taken out of it.
    size: usize,
}

/// An envelope was announced that is larger than any.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLarge(usize);

impl Frames {
    /// Waits for more bytes; returns how many came, 0 at the end of the stream.
    pub async fn read(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<usize> {
        if self.buffer.is_empty() && self.size > KEEP {
            self.buffer = BytesMut::new();
        }
        self.buffer.reserve(READ);
        self.size = self.buffer.capacity();
        stream.read_buf(&mut self.buffer).await
    }

    /// Hands out the bytes of each envelope that is whole. The rest waits for more.
    pub fn each<E: From<TooLarge>>(
        &mut self,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some((head, rest)) = self.buffer.split_first_chunk() {
            let length = u32::from_be_bytes(*head) as usize;
            if length > LARGEST {
                return Err(TooLarge(length).into());
            }
            let Some(envelope) = rest.get(..length) else { break };
            take(envelope)?;
            self.buffer.advance(HEAD + length);
        }
        Ok(())
    }

    /// Bytes of an envelope that has not come to its end.
    pub fn left(&self) -> usize {
        self.buffer.len()
    }
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an envelope of {} bytes, where {LARGEST} are the most", self.0)
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::raft::Message;
    use quorate_core::types::{NodeId, Term};

    use super::*;

    /// Envelopes of many sizes, with what they look like on the way.
    fn sample() -> (Vec<Vec<u8>>, Vec<u8>) {
        let (mut envelopes, mut stream) = (Vec::new(), Vec::new());
        for n in [0, 1, 127, 300, 9000, 70_000] {
            let message = Message::Forward { command: vec![7; n].into() };
            let envelope = Envelope { from: NodeId(1), to: NodeId(2), term: Term(3), message };
            let mut encoded = Vec::new();
            envelope.encode(&mut encoded);
            assert_eq!(put(&envelope, &mut stream), encoded.len());
            envelopes.push(encoded);
        }
        (envelopes, stream)
    }

    /// What comes out when the stream comes in pieces of these sizes, one after the other.
    async fn heard(stream: &[u8], sizes: &[usize]) -> Result<(Vec<Vec<u8>>, usize), TooLarge> {
        let (mut frames, mut heard) = (Frames::default(), Vec::new());
        let (mut rest, mut sizes) = (stream, sizes.iter().cycle());
        while !rest.is_empty() {
            let size = *sizes.next().unwrap();
            let (mut piece, behind) = rest.split_at(size.min(rest.len()));
            rest = behind;
            while frames.read(&mut piece).await.unwrap() > 0 {
                frames.each(|bytes| {
                    heard.push(bytes.to_vec());
                    Ok::<_, TooLarge>(())
                })?;
            }
        }
        Ok((heard, frames.left()))
    }

    #[tokio::test]
    async fn envelopes_come_out_wherever_the_stream_was_cut() {
        let (envelopes, stream) = sample();
        for sizes in [&[1][..], &[3, 4, 5], &[4], &[127, 1], &[8192], &[stream.len()]] {
            assert_eq!(heard(&stream, sizes).await, Ok((envelopes.clone(), 0)), "{sizes:?}");
        }
    }

    #[tokio::test]
    async fn an_end_within_an_envelope_is_seen() {
        let (mut envelopes, stream) = sample();
        let last = envelopes.pop().unwrap();
        let (out, left) = heard(&stream[..stream.len() - 1], &[1000]).await.unwrap();
        assert_eq!((out, left), (envelopes, HEAD + last.len() - 1));
    }

    #[tokio::test]
    async fn a_length_takes_no_memory_and_too_large_a_one_ends_the_stream() {
        let announced = u32::try_from(LARGEST).unwrap();
        let mut frames = Frames::default();
        let mut bytes = &announced.to_be_bytes()[..];
        frames.read(&mut bytes).await.unwrap();
        frames.each(|_| Err(TooLarge(0))).unwrap();
        assert!(frames.buffer.capacity() <= 2 * READ, "{}", frames.buffer.capacity());
        let most = heard(&(announced + 1).to_be_bytes(), &[1]).await;
        assert_eq!(most, Err(TooLarge(LARGEST + 1)));
    }

    #[tokio::test]
    async fn a_buffer_that_has_grown_is_given_back() {
        for size in [KEEP, KEEP * 3 / 2, 4 * KEEP] {
            let message = Message::Forward { command: vec![7; size].into() };
            let envelope = Envelope { from: NodeId(1), to: NodeId(2), term: Term(3), message };
            let mut stream = Vec::new();
            put(&envelope, &mut stream);
            let (mut frames, mut rest, mut heard) = (Frames::default(), &stream[..], Vec::new());
            while frames.read(&mut rest).await.unwrap() > 0 {
                let take = |bytes: &[u8]| {
                    heard.push(bytes.len());
                    Ok::<_, TooLarge>(())
                };
                frames.each(take).unwrap();
            }
            assert_eq!(heard, [stream.len() - HEAD]);
            assert!(frames.size <= KEEP, "{} after {size}", frames.size);
        }
    }
}
