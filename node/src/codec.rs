//! How messages of the services become bytes: prost, with buffers that fit.
//!
//! The library's own codec takes 8 KiB per request and 8 KiB per answer before it knows what they
//! hold. Nearly all of ours are small, and hundreds are under way at a time: that much memory goes
//! through the caches for nothing. Here an answer gets exactly its size.

use std::marker::PhantomData;

use bytes::BufMut;
use prost::Message;
use tonic::Status;
use tonic::codec::{BufferSettings, DecodeBuf, Decoder, EncodeBuf, Encoder};

use crate::answer::Answer;

/// What a request starts with; it grows with the message.
const RECEIVE: usize = 512;
/// What an answer starts with: the frame's header. The rest is reserved by its size.
const SEND: usize = 8;
/// Bytes of a stream that are gathered before they are sent.
const GATHER: usize = 32 * 1024;

/// The codec of all services, named in `build.rs`.
#[derive(Debug)]
pub struct Codec<T, U>(PhantomData<(T, U)>);

/// Encodes answers.
#[derive(Debug)]
pub struct Encode<T>(PhantomData<T>);

/// Decodes requests.
#[derive(Debug)]
pub struct Decode<U>(PhantomData<U>);

impl<T, U> Default for Codec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> tonic::codec::Codec for Codec<T, U>
where
    T: Answer + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = Encode<T>;
    type Decoder = Decode<U>;

    fn encoder(&mut self) -> Encode<T> {
        Encode(PhantomData)
    }

    fn decoder(&mut self) -> Decode<U> {
        Decode(PhantomData)
    }
}

impl<T: Answer> Encoder for Encode<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, item: T, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        let size = item.size();
        buffer.reserve(size);
        assert!(buffer.remaining_mut() >= size, "a buffer that was reserved is too small");
        item.write(buffer);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(SEND, GATHER)
    }
}

impl<U: Message + Default> Decoder for Decode<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let message = U::decode(buffer)
            .map_err(|error| Status::internal(format!("not a message of this method: {error}")))?;
        Ok(Some(message))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(RECEIVE, GATHER)
    }
}
