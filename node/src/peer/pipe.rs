//! The way out to one member: bytes leave at once, or wait until the connection takes more.
//!
//! ```text
//!   send() --nothing waits--> socket
//!      |                        ^
//!      +--> backlog --drain()---+      when the socket was full, or there is much to send
//!             |
//!             full: dropped
//! ```
//! Consensus writes for itself what is small: to wake another thread for it costs as much as the
//! writing. It never waits for the socket.
//!
//! Invariants:
//! - Q1. Bytes leave in the order in which they were sent. What was begun is finished before
//!   anything else.
//! - Q2. At most `BACKLOG` bytes wait.
//!
//! Not here: what the bytes are (`frames.rs`), when there is a connection (`link.rs`).

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::net::TcpStream;
use tokio::sync::Notify;

/// Core keeps less in flight than this, so that much means that nobody reads.
const BACKLOG: usize = 64 << 20;
/// More than this is written by the connection's own task: to copy it takes its time.
const AT_ONCE: usize = 64 << 10;
/// Bytes that the task writes before others may add some.
const STRIDE: usize = 256 << 10;

/// One open connection.
#[derive(Debug)]
pub struct Pipe {
    stream: TcpStream,
    backlog: Mutex<Backlog>,
    grown: Notify,
}

/// What waits.
#[derive(Debug, Default)]
struct Backlog {
    pieces: VecDeque<Vec<u8>>,
    /// Bytes of the first piece that have left.
    begun: usize,
    /// Bytes that have not left.
    bytes: usize,
}

/// It was dropped: too much waits, or the connection is broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dropped;

impl Pipe {
    /// Nothing waits.
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, backlog: Mutex::default(), grown: Notify::new() }
    }

    /// The connection, to hear what the other side says.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends `bytes`, or keeps what the connection does not take now.
    pub fn send(&self, bytes: Vec<u8>) -> Result<(), Dropped> {
        let mut backlog = self.lock();
        let mut left = 0;
        if backlog.bytes == 0 && bytes.len() <= AT_ONCE {
            left = match self.stream.try_write(&bytes) {
                Ok(left) => left,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                // Whoever listens to the stream finds that out as well.
                Err(_) => return Err(Dropped),
            };
            if left == bytes.len() {
                return Ok(());
            }
        }
        backlog.add(bytes, left)?;
        drop(backlog);
        self.grown.notify_one();
        Ok(())
    }

    /// Writes what waits, whenever something does, until the connection breaks.
    pub async fn drain(&self) -> io::Result<Infallible> {
        loop {
            self.grown.notified().await;
            while !self.lock().is_empty() {
                self.stream.writable().await?;
                self.lock().write(|bytes| self.stream.try_write(bytes))?;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Backlog> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backlog {
    fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// `left` bytes of the piece have left already: it is the first one then.
    fn add(&mut self, piece: Vec<u8>, left: usize) -> Result<(), Dropped> {
        let more = piece.len() - left;
        if left == 0 && self.bytes + more > BACKLOG {
            return Err(Dropped);
        }
        if left > 0 {
            assert!(self.is_empty(), "Q1: a piece was begun before another one's end");
            self.begun = left;
        }
        self.bytes += more;
        self.pieces.push_back(piece);
        Ok(())
    }

    /// Writes a stride of the first piece, if `write` takes it.
    fn write(&mut self, write: impl FnOnce(&[u8]) -> io::Result<usize>) -> io::Result<()> {
        let Some(piece) = self.pieces.front() else { return Ok(()) };
        let rest = &piece[self.begun..];
        let written = match write(&rest[..rest.len().min(STRIDE)]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            written => written?,
        };
        self.bytes -= written;
        self.begun += written;
        if self.begun == piece.len() {
            self.pieces.pop_front();
            self.begun = 0;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;

    async fn both_ends() -> (Arc<Pipe>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (other, _) = listener.accept().await.unwrap();
        (Arc::new(Pipe::new(stream)), other)
    }

    /// A piece of that many bytes; each piece has its own ones.
    fn piece(n: usize, length: usize) -> Vec<u8> {
        (0..length).map(|at| (at % 251 + n) as u8).collect()
    }

    #[tokio::test]
    async fn bytes_leave_in_order_whether_they_waited_or_not() {
        let (pipe, mut other) = both_ends().await;
        pipe.stream().writable().await.unwrap();
        let (mut sent, mut lengths) = (Vec::new(), [9, AT_ONCE, 1].iter().cycle());
        let mut send = |n, length| {
            let piece = piece(n, length);
            sent.extend_from_slice(&piece);
            assert_eq!(pipe.send(piece), Ok(()));
            pipe.lock().begun
        };
        // Nobody reads, so that the socket fills up in the middle of a piece.
        let full = (0..1000).find(|n| send(*n, *lengths.next().unwrap()) > 0);
        assert!(full.is_some_and(|n| n > 2), "it never wrote at once, or never was full: {full:?}");
        for length in [AT_ONCE + 1, 30, 3 * STRIDE + 7, 1, 4 << 20, 100] {
            send(length, length);
        }
        let drainer = tokio::spawn({
            let pipe = Arc::clone(&pipe);
            async move { pipe.drain().await.map(|never| match never {}) }
        });
        let mut heard = vec![0; sent.len()];
        other.read_exact(&mut heard).await.unwrap();
        assert!(heard == sent, "bytes were changed, lost or came out of order");
        assert!(pipe.lock().is_empty());
        drainer.abort();
        assert_eq!(pipe.send(vec![5]), Ok(()));
        assert_eq!(other.read_u8().await.unwrap(), 5, "it writes at once again");
    }

    #[tokio::test]
    async fn what_has_no_room_is_dropped_whole() {
        let (pipe, _other) = both_ends().await;
        let large = BACKLOG / 4;
        let sent = (0..9).filter(|_| pipe.send(vec![0; large]).is_ok()).count();
        assert_eq!(sent, 4, "Q2: nothing was drained");
        assert_eq!(pipe.send(vec![0]), Err(Dropped));
        assert_eq!(pipe.lock().bytes, BACKLOG);
    }

    #[tokio::test]
    async fn a_broken_connection_drops_and_ends_the_drainer() {
        let (pipe, other) = both_ends().await;
        assert_eq!(pipe.send(vec![0; BACKLOG]), Ok(()), "more than a socket takes");
        other.set_zero_linger().unwrap();
        drop(other);
        assert!(pipe.drain().await.is_err());
        *pipe.lock() = Backlog::default();
        assert_eq!(pipe.send(vec![1]), Err(Dropped));
    }
}
