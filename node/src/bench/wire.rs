//! One connection to a store, as cheap as a client can be.
//!
//! The generator shares its cores with the server it measures, so what it spends is missing from
//! the figure. It therefore speaks gRPC straight over HTTP/2: a request is a head that is cloned
//! and one frame that was encoded beforehand; a general client would build both anew, and hand
//! them through a queue to a task of its own.
//!
//! Not here: TLS, retries, reconnecting. A connection that breaks stays broken.

use std::fmt;
use std::future::poll_fn;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Method, Request, Uri, Version};
use prost::Message;
use tokio::net::TcpStream;

/// The length of the gRPC prefix: one byte "compressed", four bytes of length.
pub const PREFIX: usize = 5;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// So large that flow control never delays an answer.
const WINDOW: u32 = 16 << 20;

/// Why a call has no answer.
#[derive(Debug)]
pub enum Failure {
    /// The server answered with a status of its own.
    Refused(String),
    /// The connection is of no more use.
    Broken(String),
}

/// A connection that many clients share. Clones use the same socket.
#[derive(Clone)]
pub struct Connection {
    requests: SendRequest<Bytes>,
    head: Request<()>,
}

impl Connection {
    /// Connects to `authority` (host:port) for calls of the one method `path`.
    pub async fn open(authority: &str, path: &str) -> Result<Self, String> {
        let failed = |why: &dyn fmt::Display| format!("cannot connect to {authority}: {why}");
        let head = head(authority, path).map_err(|why| failed(&why))?;
        let dialled = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(authority)).await;
        let socket = match dialled {
            Ok(connected) => connected.map_err(|why| failed(&why))?,
            Err(_) => return Err(failed(&"no answer in time")),
        };
        socket.set_nodelay(true).map_err(|why| failed(&why))?;
        let (requests, connection) = h2::client::Builder::new()
            .initial_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .handshake(socket)
            .await
            .map_err(|why| failed(&why))?;
        // Its end shows in the calls that it fails.
        tokio::spawn(connection);
        Ok(Self { requests, head })
    }

    /// Sends one frame (prefix and message) and waits for the message that answers it.
    pub async fn call(&mut self, frame: Bytes) -> Result<Bytes, Failure> {
        poll_fn(|cx| self.requests.poll_ready(cx)).await?;
        let (answer, mut body) = self.requests.send_request(self.head.clone(), false)?;
        body.send_data(frame, true)?;
        let (head, mut body) = answer.await?.into_parts();
        let mut message = Chunks::default();
        while let Some(chunk) = body.data().await {
            let chunk = chunk?;
            body.flow_control().release_capacity(chunk.len())?;
            message.push(chunk);
        }
        match body.trailers().await? {
            Some(trailers) => accepted(&trailers)?,
            // An answer without a body has its status among the headers.
            None => accepted(&head.headers)?,
        }
        unwrapped(message.take())
    }

    /// Opens a stream both ways, for as many messages as either side likes.
    pub async fn stream(&mut self) -> Result<(Outgoing, Incoming), Failure> {
        poll_fn(|cx| self.requests.poll_ready(cx)).await?;
        let (answer, body) = self.requests.send_request(self.head.clone(), false)?;
        Ok((Outgoing { body }, Incoming { state: Reading::Head(answer), waiting: BytesMut::new() }))
    }
}

/// The sending half of a stream.
pub struct Outgoing {
    body: SendStream<Bytes>,
}

/// The receiving half of a stream.
pub struct Incoming {
    state: Reading,
    /// The beginning of a message.
    waiting: BytesMut,
}

enum Reading {
    Head(ResponseFuture),
    Body(RecvStream),
}

impl Outgoing {
    /// Sends one frame.
    pub fn send(&mut self, frame: Bytes) -> Result<(), Failure> {
        Ok(self.body.send_data(frame, false)?)
    }
}

impl Incoming {
    /// The next message. The end of the stream is a failure: nobody here lets one end.
    pub async fn next(&mut self) -> Result<Bytes, Failure> {
        loop {
            if let Some(message) = self.whole() {
                return Ok(message);
            }
            let chunk = match &mut self.state {
                Reading::Head(answer) => {
                    let body = answer.await?.into_body();
                    self.state = Reading::Body(body);
                    continue;
                }
                Reading::Body(body) => {
                    let Some(chunk) = body.data().await else {
                        let trailers = body.trailers().await?.unwrap_or_default();
                        accepted(&trailers)?;
                        return Err(Failure::Broken("the stream ended".to_owned()));
                    };
                    let chunk = chunk?;
                    body.flow_control().release_capacity(chunk.len())?;
                    chunk
                }
            };
            self.waiting.extend_from_slice(&chunk);
        }
    }

    /// Takes a message out if all of it is there.
    fn whole(&mut self) -> Option<Bytes> {
        let length = self.waiting.get(1..PREFIX)?;
        let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
        if self.waiting.len() < PREFIX + length {
            return None;
        }
        self.waiting.advance(PREFIX);
        Some(self.waiting.split_to(length).freeze())
    }
}

/// The parts of a message as they come. One that comes whole is not copied.
#[derive(Default)]
struct Chunks {
    first: Bytes,
    rest: BytesMut,
}

impl Chunks {
    fn push(&mut self, chunk: Bytes) {
        if self.first.is_empty() {
            self.first = chunk;
            return;
        }
        if self.rest.is_empty() {
            self.rest.extend_from_slice(&self.first);
        }
        self.rest.extend_from_slice(&chunk);
    }

    fn take(self) -> Bytes {
        if self.rest.is_empty() { self.first } else { self.rest.freeze() }
    }
}

/// A message with its gRPC prefix.
pub fn frame(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(PREFIX + length);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(length).expect("sizes are bounded by the arguments"));
    message.encode(&mut frame).expect("the buffer grows");
    frame.freeze()
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Refused(text) | Self::Broken(text)) = self;
        f.write_str(text)
    }
}

impl From<h2::Error> for Failure {
    fn from(why: h2::Error) -> Self {
        // A stream that was reset says nothing about the connection.
        if why.is_reset() { Self::Refused(why.to_string()) } else { Self::Broken(why.to_string()) }
    }
}

fn head(authority: &str, path: &str) -> Result<Request<()>, http::Error> {
    let uri = Uri::builder().scheme("http").authority(authority).path_and_query(path).build()?;
    Request::builder()
        .method(Method::POST)
        .version(Version::HTTP_2)
        .uri(uri)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
}

fn accepted(headers: &HeaderMap) -> Result<(), Failure> {
    match headers.get("grpc-status").map(|code| code.as_bytes()) {
        Some(b"0") => Ok(()),
        Some(code) => {
            let code = String::from_utf8_lossy(code);
            let message = headers.get("grpc-message").map_or(&b""[..], |text| text.as_bytes());
            Err(Failure::Refused(format!("{} (code {code})", plain(message))))
        }
        None => Err(Failure::Refused("an answer without a gRPC status".to_owned())),
    }
}

/// Undoes the percent encoding of a gRPC message. A sign that begins no code stands for itself.
fn plain(mut encoded: &[u8]) -> String {
    let mut plain = Vec::with_capacity(encoded.len());
    while let Some((first, rest)) = encoded.split_first() {
        let code = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                plain.push(byte);
                encoded = &rest[2..];
            }
            Some(_) | None => {
                plain.push(*first);
                encoded = rest;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

fn unwrapped(mut message: Bytes) -> Result<Bytes, Failure> {
    if message.len() < PREFIX {
        return Err(Failure::Refused("an answer without a message".to_owned()));
    }
    if message.get_u8() != 0 {
        return Err(Failure::Refused("an answer that is compressed".to_owned()));
    }
    if message.get_u32() as usize != message.len() {
        return Err(Failure::Refused("an answer of the wrong length".to_owned()));
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_freed_of_their_encoding() {
        assert_eq!(plain(b"etcdserver:%20too%20large%21"), "etcdserver: too large!");
        assert_eq!(plain(b"100%, 5%zz %4"), "100%, 5%zz %4");
    }
}
