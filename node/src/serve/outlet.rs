//! The way out of one watch stream: what the hub has put in and the client has not taken.
//!
//! ```text
//!   hub thread --put--> [ chunk | chunk | ... | end ] --poll_frame--> HTTP/2 --> client
//!        ^                                                |
//!        +--------- bytes taken, when it matters ---------+
//! ```
//! The hub never waits for a client, and a client's task never waits for the hub. What was taken is
//! only counted, and the hub collects the count when it puts the next chunk in; it is told at once
//! only when much was waiting, because only then may it hold something back.
//!
//! Not here: how much may wait, and what happens then (core's hub).

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame};
use quorate_core::watch::{StreamId, WatchInput};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tonic::Status;
use tonic::body::Body;

use crate::serve::hub::{Errand, Watchers};

/// Bytes from which on the hub is told what was taken, and a client's requests wait.
const PRESSED: usize = 256 * 1024;

/// The queue of one stream.
#[derive(Default)]
pub struct Outlet {
    state: Mutex<State>,
    room: Notify,
}

/// Bytes on their way, and how many of them the hub counts.
#[derive(Debug)]
pub struct Chunk {
    /// What goes to the client.
    pub bytes: Bytes,
    /// What the hub counts: all but the prefixes of gRPC.
    pub weight: usize,
}

#[derive(Default)]
struct State {
    chunks: VecDeque<Chunk>,
    /// Weight of the chunks.
    waiting: usize,
    /// Weight that was taken and not told to the hub.
    taken: usize,
    /// The stream ends with this behind the chunks,
    end: Option<Status>,
    /// or has ended.
    ended: bool,
    waker: Option<Waker>,
}

impl Outlet {
    /// Puts chunks in and wakes the client's task; returns what was taken since the last time.
    pub fn put(&self, chunks: impl IntoIterator<Item = Chunk>) -> usize {
        let mut state = self.lock();
        for chunk in chunks {
            state.waiting += chunk.weight;
            state.chunks.push_back(chunk);
        }
        let taken = std::mem::take(&mut state.taken);
        wake(state);
        taken
    }

    /// Ends the stream behind what was put in; the first reason counts.
    pub fn end(&self, status: Status) {
        let mut state = self.lock();
        state.end.get_or_insert(status);
        wake(state);
    }

    /// Waits until little is waiting.
    pub async fn room(&self) {
        while self.lock().waiting >= PRESSED {
            self.room.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Nothing waits: is this the end, or is there more to come?
    fn poll_end(
        &mut self,
        context: &Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let Some(status) = self.end.take() else {
            self.waker = Some(context.waker().clone());
            return Poll::Pending;
        };
        self.ended = true;
        Poll::Ready(Some(Ok(Frame::trailers(trailers(&status)))))
    }
}

/// The task is woken after the lock is free again.
fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// The body of the answer to a watch call. Dropped, it closes the stream.
pub struct Answer {
    /// Which stream.
    pub stream: StreamId,
    /// Its queue.
    pub outlet: Arc<Outlet>,
    /// Whom to tell.
    pub watchers: Arc<Watchers>,
    /// The task that hears the client. It holds the other half of the stream.
    pub listener: AbortHandle,
}

impl Answer {
    /// As tonic wants it.
    pub fn into_body(self) -> Body {
        Body::new(self.map_err(|never| match never {}))
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut state = self.outlet.lock();
        let Some(Chunk { bytes, weight }) = state.chunks.pop_front() else {
            return state.poll_end(context);
        };
        let pressed = state.waiting >= PRESSED;
        state.waiting -= weight;
        state.taken += weight;
        let relieved = pressed && state.waiting < PRESSED;
        // In strides: a client that is far behind would else have the hub run for each chunk.
        let tell = pressed && (relieved || state.taken >= PRESSED);
        let taken = if tell { std::mem::take(&mut state.taken) } else { 0 };
        drop(state);
        if relieved {
            self.outlet.room.notify_one();
        }
        if taken > 0 {
            let drained = WatchInput::Drained { stream: self.stream, bytes: taken };
            self.watchers.inbox.push(Errand::Input(drained));
        }
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.listener.abort();
        self.watchers.inbox.push(Errand::Input(WatchInput::Close(self.stream)));
    }
}

fn trailers(status: &Status) -> http::HeaderMap {
    let mut trailers = http::HeaderMap::new();
    // It fails only on texts that no header can hold; those are replaced by the code alone.
    if let Err(status) = status.add_header(&mut trailers) {
        trailers.insert("grpc-status", http::HeaderValue::from(status.code() as i32));
    }
    trailers
}
