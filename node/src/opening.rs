//! The first request of a connection, made readable where its client is etcdctl 3.4.
//!
//! etcdctl before 3.5 asks some things (`endpoint status`, `endpoint hashkv`, `move-leader`) with
//! the endpoint as it was typed for `:authority`: `http://127.0.0.1:2379`, a URL where a host
//! belongs. etcd does not look at it. The HTTP/2 library here refuses such a request before anybody
//! could be asked, and has no switch for that. So the URL is blanked before the library reads it.
//!
//! ```text
//!   preface | SETTINGS .. | HEADERS  [..] 41 90 9d 29 ae e3 0c ..     literal, Huffman: "http://.."
//!                                    [..] 41 10 78 78 78 78 78 ..     literal, plain:   "xxxxx.."
//!                         ^ everything behind this frame goes through untouched
//! ```
//! One frame is enough: a client has one authority per connection, sends it as a literal once, and
//! from then on refers to the table into which both ends have put it. No byte is added or taken
//! away. What here is not as above (HTTP/1, another order, a request in several frames) goes
//! through as it is.
//!
//! Invariants:
//! - O1. All bytes go on, in order and as many; only bytes of that one value are ever changed.
//! - O2. What is held back is less than a frame of `LARGEST` bytes.
//!
//! Not here: who reads (`wire.rs`), what a request means.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A frame's length, kind, flags and stream.
const FRAME_HEAD: usize = 9;
/// The largest frame that is let through in one piece: none may be larger before the settings.
const LARGEST: usize = 1 << 14;
const KIND_HEADERS: u8 = 1;
/// A whole header block and nothing else: no padding, no priority.
const PLAIN_FLAGS: u8 = 0x4;
const SHAPE_FLAGS: u8 = 0x4 | 0x8 | 0x20;
/// The place of `:authority` in HTTP/2's table of names.
const AUTHORITY: usize = 1;
/// How a value begins that is `http://..`, in Huffman's code (the 41st bit is a 0) and without it.
const URL_CODED: &[u8] = &[0x9d, 0x29, 0xae, 0xe3, 0x0c];
const URL_PLAIN: &[u8] = b"http://";

/// The beginning of a connection.
#[derive(Debug, Default)]
pub struct Opening {
    /// What came and is not let through yet.
    held: Vec<u8>,
    /// What is let through and not read yet.
    ready: Vec<u8>,
    /// Whether the preface went through.
    begun: bool,
    /// Whether there is nothing more to look for.
    over: bool,
}

impl Opening {
    /// Reads from `stream`, as if it was read directly.
    pub fn poll_read(
        &mut self,
        mut stream: Pin<&mut TcpStream>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.ready.is_empty() {
            if self.over {
                return stream.poll_read(context, buffer);
            }
            let mut piece = [0; 1024];
            let mut piece = ReadBuf::new(&mut piece);
            ready!(stream.as_mut().poll_read(context, &mut piece))?;
            self.take_in(piece.filled());
        }
        let most = self.ready.len().min(buffer.remaining());
        buffer.put_slice(&self.ready[..most]);
        self.ready.drain(..most);
        Poll::Ready(Ok(()))
    }

    /// Takes in what came next; nothing, if the stream has ended.
    fn take_in(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
        if bytes.is_empty() {
            self.finish();
        }
        if !self.begun && !self.over {
            self.begin();
        }
        while self.begun && !self.over && self.held.len() >= FRAME_HEAD {
            let end = FRAME_HEAD + length(&self.held);
            if end > LARGEST {
                self.finish();
            } else if self.held.len() < end {
                break;
            } else if self.held[3] == KIND_HEADERS {
                if self.held[4] & SHAPE_FLAGS == PLAIN_FLAGS {
                    blank_url(&mut self.held[FRAME_HEAD..end]);
                }
                self.finish();
            } else {
                self.ready.extend(self.held.drain(..end));
            }
        }
    }

    fn begin(&mut self) {
        if self.held.starts_with(PREFACE) {
            self.begun = true;
            self.ready.extend(self.held.drain(..PREFACE.len()));
        } else if !PREFACE.starts_with(&self.held) {
            self.finish();
        }
    }

    fn finish(&mut self) {
        self.over = true;
        self.ready.append(&mut self.held);
    }
}

fn length(frame: &[u8]) -> usize {
    frame[..3].iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
}

/// Blanks the authority in a header block (RFC 7541, section 6) if it is a URL. None if the block
/// does not hold what it should: the library will say so.
fn blank_url(block: &mut [u8]) -> Option<()> {
    let mut at = 0;
    while let Some(first) = block.get(at) {
        let (bits, is_literal) = match first {
            0x80.. => (7, false),
            0x40..0x80 => (6, true),
            0x20..0x40 => (5, false),
            0x00..0x20 => (4, true),
        };
        let name;
        (name, at) = integer(block, at, bits)?;
        if !is_literal {
            continue;
        }
        if name == 0 {
            (_, at) = text(block, at)?;
        }
        let start;
        (start, at) = text(block, at)?;
        if name == AUTHORITY {
            blank_value(&mut block[..at], start);
            break;
        }
    }
    Some(())
}

/// The value's last byte of length stands before `start`; its first one tells how it is coded.
fn blank_value(block: &mut [u8], start: usize) {
    let (head, value) = block.split_at_mut(start);
    let Some(length) = head.last_mut().filter(|length| **length & 0x7f != 0x7f) else { return };
    let coded = *length & 0x80 != 0
        && value.starts_with(URL_CODED)
        && value.get(5).is_some_and(|byte| *byte < 0x80);
    let plain = *length & 0x80 == 0 && value.starts_with(URL_PLAIN);
    // Of a length of several bytes this was only the last, which is not how long the value is.
    if (coded || plain) && usize::from(*length & 0x7f) == value.len() {
        *length &= 0x7f;
        value.fill(b'x');
    }
}

/// Where a text begins and ends.
fn text(block: &[u8], at: usize) -> Option<(usize, usize)> {
    let (length, start) = integer(block, at, 7)?;
    let end = start.checked_add(length).filter(|end| *end <= block.len())?;
    Some((start, end))
}

/// A number with its first `bits` bits at `at`, and where it ends (RFC 7541, section 5.1).
fn integer(block: &[u8], at: usize, bits: u32) -> Option<(usize, usize)> {
    let most = (1 << bits) - 1;
    let mut number = usize::from(*block.get(at)?) & most;
    if number < most {
        return Some((number, at + 1));
    }
    for (nth, byte) in block[at + 1..].iter().take(4).enumerate() {
        number += usize::from(byte & 0x7f) << (7 * nth);
        if byte & 0x80 == 0 {
            return Some((number, at + 2 + nth));
        }
    }
    None
}

#[cfg(test)]
mod tests;
