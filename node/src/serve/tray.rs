//! How a few answers get from the member's threads into the runtime: with one wake.
//!
//! ```text
//!   threads --answers--> tray --+
//!      \------a byte---> pipe --+--> a task of the runtime --> those who wait
//! ```
//! A task can be woken from any thread, but not cheaply: it goes into a queue that all workers
//! share, and the worker that is woken for it goes in search of more and wakes the next one, which
//! finds nothing. An event of the operating system has none of that. It comes to the worker that
//! waits for events anyway, and the task that is woken there runs there.
//!
//! It is the way for a few answers. While many clients wait, the workers are busy and look for
//! events only now and then; and there the second worker does find something.
//!
//! Not here: who waits for what (`waiters.rs`).

use std::io::{self, PipeReader, PipeWriter, Write};
use std::mem;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use quorate_core::actors::Answer;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::unix::pipe::Receiver;
use tokio::sync::oneshot;

use crate::serve::logging::die;

/// An answer, and who gets it.
type Due = (oneshot::Sender<Answer>, Answer);

/// Where answers lie until a task of the runtime hands them out.
pub struct Tray {
    due: Mutex<Vec<Due>>,
    bell: PipeWriter,
}

/// The other end of the bell.
pub struct Bell(PipeReader);

impl Tray {
    /// An empty tray.
    pub fn new() -> io::Result<(Self, Bell)> {
        let (reader, bell) = io::pipe()?;
        Ok((Self { due: Mutex::default(), bell }, Bell(reader)))
    }

    /// Lays answers down. Whoever finds the tray empty rings: then whoever empties it comes later.
    pub fn put(&self, answers: Vec<Due>) {
        let mut due = self.lock();
        let first = due.is_empty() && !answers.is_empty();
        due.extend(answers);
        drop(due);
        // There is one byte for each time that the tray was emptied, so the pipe has room.
        if first && let Err(error) = (&self.bell).write_all(&[0]) {
            die(format_args!("cannot wake those who wait for answers: {error}"));
        }
    }

    /// Hands out what is put down, for as long as the runtime runs.
    pub async fn hand_out(&self, bell: Bell) {
        let mut bell = Receiver::from_owned_fd(bell.0.into()).unwrap_or_else(|error| {
            die(format_args!("cannot wait for answers: {error}"));
        });
        loop {
            await_ring(&mut bell).await;
            for (waiter, answer) in mem::take(&mut *self.lock()) {
                // The caller may have gone this very moment.
                let _ = waiter.send(answer);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Due>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has more room than there are bytes: so it is known without another call that none is left.
async fn await_ring(bell: &mut Receiver) {
    let mut room = [0; 16];
    let mut room = ReadBuf::new(&mut room);
    let rung = std::future::poll_fn(|context| Pin::new(&mut *bell).poll_read(context, &mut room));
    if let Err(error) = rung.await {
        die(format_args!("cannot wait for answers: {error}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    fn asked(tray: &Tray, number: usize) -> Vec<oneshot::Receiver<Answer>> {
        let (due, waiting) = (0..number)
            .map(|_| {
                let (waiter, waiting) = oneshot::channel();
                ((waiter, Answer::Readable), waiting)
            })
            .unzip();
        tray.put(due);
        waiting
    }

    #[tokio::test]
    async fn everybody_gets_an_answer_and_the_bell_rings_once_for_all_that_lies_there() {
        let (tray, bell) = Tray::new().unwrap();
        let mut waiting = asked(&tray, 0);
        // More rings than the pipe has room for would end here.
        (0..100_000).for_each(|_| waiting.extend(asked(&tray, 1)));
        let tray = Arc::new(tray);
        let other = Arc::clone(&tray);
        tokio::spawn(async move { other.hand_out(bell).await });
        let late = thread::spawn(move || (0..1000).flat_map(|n| asked(&tray, n % 3)).collect());
        for answer in waiting {
            assert_eq!(answer.await, Ok(Answer::Readable));
        }
        let late: Vec<_> = late.join().unwrap();
        for answer in late {
            assert_eq!(answer.await, Ok(Answer::Readable));
        }
    }
}
