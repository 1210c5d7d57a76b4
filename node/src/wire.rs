//! A connection whose bytes are counted and whose answers leave together.
//!
//! One batch of applied entries answers many requests of one connection. Each answer wakes the
//! connection's task, which the runtime runs next: it would write each answer on its own. So before
//! it writes, the connection lets everything else that is ready go first, once; by then the other
//! answers are there too, and one system call takes them all. Where no other answer is under way,
//! none can join, and the connection writes at once: a worker that goes on with something else
//! calls another for help.
//!
//! Not here: TLS, which would sit between this and the protocol; what is mended in a connection's
//! first request (`opening.rs`).

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::opening::Opening;
use crate::serve::metrics::Metrics;

/// A client's connection, or another member's.
pub struct Wire {
    stream: TcpStream,
    opening: Opening,
    metrics: Option<Arc<Metrics>>,
    traffic: Traffic,
    /// Whether the others have been let go first.
    polite: bool,
}

/// How many answers of a connection are under way.
#[derive(Clone, Default)]
pub struct Traffic(Arc<AtomicUsize>);

/// One of them, from its request to its last byte.
pub struct Passage(Traffic);

/// The bytes of an answer that is under way.
pub struct Passing<B> {
    body: B,
    _passage: Passage,
}

impl Traffic {
    /// A request has come.
    pub fn begin(&self) -> Passage {
        self.0.fetch_add(1, Ordering::Relaxed);
        Passage(self.clone())
    }

    fn is_over(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

impl Passage {
    /// What is left to be sent.
    pub fn of<B>(self, body: B) -> Passing<B> {
        Passing { body, _passage: self }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<B: Body + Unpin> Body for Passing<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Wire {
    /// Counts bytes into `metrics`, if there are any.
    pub fn new(stream: TcpStream, metrics: Option<Arc<Metrics>>, traffic: Traffic) -> Self {
        Self { stream, opening: Opening::default(), metrics, traffic, polite: false }
    }

    /// Lets others go first, once per write, if there are any.
    fn give_way(&mut self, context: &Context<'_>) -> Poll<()> {
        if !self.polite && self.traffic.is_over() {
            return Poll::Ready(());
        }
        self.polite = !self.polite;
        if self.polite {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    fn sent(&mut self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &result {
            Poll::Ready(Ok(bytes)) => {
                if let Some(metrics) = &self.metrics {
                    metrics.client_sent.add(*bytes as u64);
                }
            }
            Poll::Ready(Err(_)) => {}
            // The socket is full and will wake the task itself: it need not give way again.
            Poll::Pending => self.polite = true,
        }
        result
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let Self { stream, opening, .. } = &mut *self;
        let result = opening.poll_read(Pin::new(stream), context, buffer);
        if let Some(metrics) = &self.metrics {
            metrics.client_received.add((buffer.filled().len() - before) as u64);
        }
        result
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        std::task::ready!(self.give_way(context));
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.sent(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        std::task::ready!(self.give_way(context));
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.sent(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::net::TcpListener;

    use super::*;

    /// Writes twice, each time until it is done; how often the task had to come back for it.
    async fn comes_back(traffic: Traffic) -> [usize; 2] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut wire = Wire::new(stream, None, traffic);
        [1, 2].map(|_| {
            let mut context = Context::from_waker(Waker::noop());
            let mut write = || Pin::new(&mut wire).poll_write(&mut context, b"answer").is_pending();
            (0..9).take_while(|_| write()).count()
        })
    }

    #[tokio::test]
    async fn it_gives_way_once_while_other_answers_are_under_way() {
        let traffic = Traffic::default();
        let asked = traffic.begin();
        let answered = traffic.begin().of(());
        drop(answered);
        assert_eq!(comes_back(traffic.clone()).await, [1, 1]);
        drop(asked);
        assert_eq!(comes_back(traffic).await, [0, 0]);
    }
}
