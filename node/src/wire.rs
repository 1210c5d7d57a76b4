//! A connection whose bytes are counted and whose answers leave together.
//!
//! One batch of applied entries answers many requests of one connection. Each answer wakes the
//! connection's task, which the runtime runs next: it would write each answer on its own. So before
//! it writes, the connection lets everything else that is ready go first, once; by then the other
//! answers are there too, and one system call takes them all.
//!
//! Not here: TLS, which would sit between this and the protocol; what is mended in a connection's first
//! request (`opening.rs`).

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::opening::Opening;
use crate::serve::metrics::Metrics;

/// A client's connection, or another member's.
pub struct Wire {
    stream: TcpStream,
    opening: Opening,
    metrics: Option<Arc<Metrics>>,
    /// Whether the others have been let go first.
    polite: bool,
}

impl Wire {
    /// Counts into `metrics`, if there are any.
    pub fn new(stream: TcpStream, metrics: Option<Arc<Metrics>>) -> Self {
        Self { stream, opening: Opening::default(), metrics, polite: false }
    }

    /// Lets others go first, once per write.
    fn give_way(&mut self, context: &Context<'_>) -> Poll<()> {
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
