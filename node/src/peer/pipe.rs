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
use tokio::task::yield_now;

/// So much means that nobody reads, or that more is said than a member can hear.
const BACKLOG: usize = 64 << 20;
/// More than this is written by the connection's own task: to copy it takes its time. Small pieces
/// that wait become one of up to this size.
const AT_ONCE: usize = 64 << 10;
/// Bytes that the task writes before it lets others on its thread go on.
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
    pieces: VecDeque<Piece>,
    /// Bytes that have not left, with those that are being written.
    bytes: usize,
}

/// Bytes, the first of which may have been written.
#[derive(Debug)]
struct Piece {
    bytes: Vec<u8>,
    written: usize,
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
        let mut written = 0;
        if backlog.bytes == 0 && bytes.len() <= AT_ONCE {
            written = match self.stream.try_write(&bytes) {
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                // Whoever listens to the stream finds that out as well.
                Err(_) => return Err(Dropped),
            };
            if written == bytes.len() {
                return Ok(());
            }
        }
        backlog.add(Piece { bytes, written })?;
        drop(backlog);
        self.grown.notify_one();
        Ok(())
    }

    /// Writes what waits, whenever something does, until the connection breaks.
    pub async fn drain(&self) -> io::Result<Infallible> {
        loop {
            self.grown.notified().await;
            while let Some(piece) = self.next() {
                let rest = &piece.bytes[piece.written..];
                self.write(rest).await?;
                self.lock().bytes -= rest.len();
            }
        }
    }

    /// What is to be written next. It counts until it is: so nothing leaves at once before its end.
    fn next(&self) -> Option<Piece> {
        self.lock().pieces.pop_front()
    }

    async fn write(&self, mut rest: &[u8]) -> io::Result<()> {
        while !rest.is_empty() {
            self.stream.writable().await?;
            match self.stream.try_write(&rest[..rest.len().min(STRIDE)]) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            if !rest.is_empty() {
                yield_now().await;
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Backlog> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backlog {
    /// Small pieces become one: they shall not need a system call each.
    fn add(&mut self, piece: Piece) -> Result<(), Dropped> {
        let more = piece.bytes.len() - piece.written;
        if self.bytes + more > BACKLOG {
            return Err(Dropped);
        }
        self.bytes += more;
        match self.pieces.back_mut() {
            Some(last) if last.bytes.len() + more <= AT_ONCE => {
                last.bytes.extend_from_slice(&piece.bytes[piece.written..]);
            }
            Some(_) | None => self.pieces.push_back(piece),
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

    async fn drain(pipe: Arc<Pipe>) -> io::Error {
        match pipe.drain().await {
            Err(error) => error,
            Ok(never) => match never {},
        }
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
            pipe.lock().pieces.front().is_some_and(|piece| piece.written > 0)
        };
        // Nobody reads, so that the socket fills up in the middle of a piece.
        let full = (0..1000).find(|n| send(*n, *lengths.next().unwrap()));
        assert!(full.is_some_and(|n| n > 2), "it never wrote at once, or never was full: {full:?}");
        for length in [AT_ONCE + 1, 30, 30, 3 * STRIDE + 7, 1, 4 << 20, 100] {
            send(length, length);
        }
        assert_eq!(pipe.lock().pieces.len(), 7, "two small ones become one");
        let drainer = tokio::spawn(drain(Arc::clone(&pipe)));
        let mut heard = vec![0; sent.len()];
        other.read_exact(&mut heard).await.unwrap();
        assert!(heard == sent, "bytes were changed, lost or came out of order");
        while pipe.lock().bytes > 0 {
            yield_now().await;
        }
        drainer.abort();
        assert_eq!(pipe.send(vec![5]), Ok(()));
        assert_eq!(other.read_u8().await.unwrap(), 5, "it writes at once again");
    }

    #[tokio::test]
    async fn another_thread_sends_while_the_task_drains() {
        let (pipe, mut other) = both_ends().await;
        let drainer = tokio::spawn(drain(Arc::clone(&pipe)));
        let lengths = [20, 300, 7, 70_000, 1, AT_ONCE, 5000, 900_000];
        let length = |n: usize| (lengths[n % lengths.len()] / (1 + n % 5)).max(1);
        let pieces: Vec<_> = (0..1200).map(|n| piece(n, length(n))).collect();
        let sent = pieces.concat();
        let sender = std::thread::spawn({
            let pipe = Arc::clone(&pipe);
            move || {
                let (mut tried, mut queued) = (0, 0);
                for piece in pieces {
                    // It waits for the end of what waits now and then, and before it is too much.
                    let most = if piece.len() % 3 == 0 { 0 } else { BACKLOG / 2 };
                    while pipe.lock().bytes > most {
                        std::thread::yield_now();
                    }
                    let tries = pipe.lock().bytes == 0 && piece.len() <= AT_ONCE;
                    *if tries { &mut tried } else { &mut queued } += 1;
                    assert_eq!(pipe.send(piece), Ok(()));
                }
                (tried, queued)
            }
        });
        let mut heard = vec![0; sent.len()];
        for slow in heard.chunks_mut(1 << 20) {
            other.read_exact(slow).await.unwrap();
        }
        assert!(heard == sent, "bytes were changed, lost or came out of order");
        let (tried, queued) = sender.join().unwrap();
        assert!(tried > 100 && queued > 100, "one way was hardly taken: {tried}, {queued}");
        drainer.abort();
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
        drain(Arc::clone(&pipe)).await;
        *pipe.lock() = Backlog::default();
        assert_eq!(pipe.send(vec![1]), Err(Dropped));
    }
}
