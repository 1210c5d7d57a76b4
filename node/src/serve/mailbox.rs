//! How threads hand each other work: many senders, one receiver that takes everything at once.
//!
//! A sender wakes the receiver only if it sleeps, so a burst costs one wake, and the receiver gets
//! the burst as one batch: that is what makes group commit and batched apply happen by themselves.
//!
//! ```text
//!   offer  from outside: refused when `limit` items wait   (clients, other members)
//!   push   from inside:  never refused                     (answers to what the receiver asked)
//! ```
//! What is pushed is bounded by what the receiver itself has asked for, which in the end are
//! offered items; so both ways are bounded.
//!
//! A receiver that has no use for more work of some kind yet dozes: patient items wait until it
//! sleeps again or its time is up. So the batch grows while the disk is busy with the one before.
//! And there are items that call for nothing: quiet ones lie there until the receiver comes anyway,
//! unless it listens for them. To wake a thread costs more than most of what it is woken for.
//!
//! Not here: priorities. A receiver that needs an order makes it itself.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A bounded queue with one receiver.
pub struct Mailbox<T> {
    state: Mutex<State<T>>,
    arrived: Condvar,
    limit: usize,
}

struct State<T> {
    /// With the quiet ones among them: what is sent from inside keeps its order.
    pressing: Vec<T>,
    quiet: usize,
    patient: Vec<T>,
    /// How the receiver sleeps, if it does.
    rest: Option<Rest>,
    closed: bool,
}

/// What wakes a receiver, beside what is pressing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rest {
    /// It sleeps; otherwise it dozes, and patient items wait.
    pub patient: bool,
    /// It listens for quiet items.
    pub quiet: bool,
}

impl Rest {
    /// Anything wakes.
    pub const SLEEP: Self = Self { patient: true, quiet: true };
}

/// How long an item can wait.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Haste {
    /// It is taken together with whatever the receiver is woken for next, or when its time is up.
    Quiet,
    /// It waits until the receiver sleeps, or its time is up.
    Patient,
    /// It wakes the receiver.
    Pressing,
}

impl<T> State<T> {
    fn len(&self) -> usize {
        self.pressing.len() + self.patient.len()
    }

    fn add(&mut self, item: T, haste: Haste) {
        match haste {
            Haste::Pressing => self.pressing.push(item),
            Haste::Patient => self.patient.push(item),
            Haste::Quiet => {
                self.pressing.push(item);
                self.quiet += 1;
            }
        }
    }

    /// Whether the receiver, resting so, has something to do.
    fn wakes(&self, rest: Rest) -> bool {
        self.closed
            || self.pressing.len() > self.quiet
            || (rest.quiet && self.quiet > 0)
            || (rest.patient && !self.patient.is_empty())
    }
}

/// Whether more can come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line {
    /// Senders may still send.
    Open,
    /// Nothing comes behind what was taken.
    Closed,
}

/// The item did not fit, or the receiver has gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused;

impl<T> Mailbox<T> {
    /// An empty mailbox that refuses offers while `limit` items wait.
    pub fn new(limit: usize) -> Self {
        let (pressing, patient) = (Vec::new(), Vec::new());
        let state = State { pressing, quiet: 0, patient, rest: None, closed: false };
        Self { state: Mutex::new(state), arrived: Condvar::new(), limit }
    }

    /// Sends an item from outside.
    pub fn offer(&self, item: T, haste: Haste) -> Result<(), Refused> {
        let mut state = self.lock();
        if state.closed || state.len() >= self.limit {
            return Err(Refused);
        }
        state.add(item, haste);
        self.wake(state, haste);
        Ok(())
    }

    /// Sends several items from outside, with one wake; returns how many were refused.
    pub fn offer_all(&self, items: impl IntoIterator<Item = (T, Haste)>) -> usize {
        let mut state = self.lock();
        let (mut refused, mut most) = (0, Haste::Quiet);
        for (item, haste) in items {
            if state.closed || state.len() >= self.limit {
                refused += 1;
                continue;
            }
            state.add(item, haste);
            most = most.max(haste);
        }
        self.wake(state, most);
        refused
    }

    /// Sends an item from inside.
    pub fn push(&self, item: T) {
        self.push_with(item, Haste::Pressing);
    }

    /// Sends an item from inside. A closed mailbox drops it: its receiver is on its way out.
    pub fn push_with(&self, item: T, haste: Haste) {
        let mut state = self.lock();
        if !state.closed {
            state.add(item, haste);
            self.wake(state, haste);
        }
    }

    /// Sends several items from inside, with one wake.
    pub fn push_all(&self, mut items: Vec<T>) {
        if items.is_empty() {
            return;
        }
        let mut state = self.lock();
        if !state.closed {
            state.pressing.append(&mut items);
            self.wake(state, Haste::Pressing);
        }
    }

    /// Lets nothing more in. What waits is still taken.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        self.wake(state, Haste::Pressing);
    }

    /// Rests until there is something to do, the mailbox is closed or `until` has come; then takes
    /// all that waits, or all that is pressing if it was woken from a doze. `into` must be empty;
    /// its memory is used for the next batch.
    pub fn take(&self, into: &mut Vec<T>, until: Option<Instant>, rest: Rest) -> Line {
        assert!(into.is_empty(), "a batch was not worked off");
        let mut state = self.lock();
        let mut timed_out = false;
        while !state.wakes(rest) && !timed_out {
            state.rest = Some(rest);
            (state, timed_out) = self.sleep(state, until);
            state.rest = None;
        }
        std::mem::swap(into, &mut state.pressing);
        state.quiet = 0;
        if rest.patient || timed_out || state.closed {
            into.append(&mut state.patient);
        }
        if state.closed && into.is_empty() { Line::Closed } else { Line::Open }
    }

    fn sleep<'a>(
        &self,
        state: MutexGuard<'a, State<T>>,
        until: Option<Instant>,
    ) -> (MutexGuard<'a, State<T>>, bool) {
        let Some(until) = until else {
            let state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
            return (state, false);
        };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return (state, true);
        }
        let woken = self.arrived.wait_timeout(state, left);
        let (state, timeout) = woken.unwrap_or_else(PoisonError::into_inner);
        (state, timeout.timed_out())
    }

    /// A condition variable enters the kernel even if nobody waits: hence `rest`. Whoever takes it
    /// down wakes the receiver; all others leave it to him.
    fn wake(&self, mut state: MutexGuard<'_, State<T>>, haste: Haste) {
        let woken = state.rest.take_if(|rest| match haste {
            Haste::Pressing => true,
            Haste::Patient => rest.patient,
            Haste::Quiet => rest.quiet,
        });
        drop(state);
        if woken.is_some() {
            self.arrived.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);
    const DOZE: Rest = Rest { patient: false, quiet: false };

    fn soon(time: Duration) -> Option<Instant> {
        Some(Instant::now() + time)
    }

    #[test]
    fn offers_are_bounded_and_answers_are_not() {
        let mailbox = Mailbox::new(2);
        assert_eq!(mailbox.offer(1, Haste::Patient), Ok(()));
        assert_eq!(mailbox.offer_all([2, 3, 4].map(|n| (n, Haste::Pressing))), 2);
        assert_eq!(mailbox.offer(5, Haste::Pressing), Err(Refused));
        mailbox.push(6);
        let mut taken = Vec::new();
        assert_eq!(mailbox.take(&mut taken, None, Rest::SLEEP), Line::Open);
        assert_eq!(taken, [2, 6, 1]);
    }

    #[test]
    fn what_waits_is_taken_before_the_end() {
        let mailbox = Mailbox::new(9);
        mailbox.push(1);
        mailbox.close();
        mailbox.push(2);
        let mut taken = Vec::new();
        assert_eq!(mailbox.take(&mut taken, None, DOZE), Line::Open);
        assert_eq!(std::mem::take(&mut taken), [1]);
        assert_eq!(mailbox.take(&mut taken, None, DOZE), Line::Closed);
    }

    #[test]
    fn a_dozing_receiver_is_woken_only_by_what_is_pressing() {
        let mailbox = Arc::new(Mailbox::new(9));
        assert_eq!(mailbox.offer(1, Haste::Patient), Ok(()));
        let mut taken = Vec::new();
        let short = Duration::from_millis(30);
        let begin = Instant::now();
        mailbox.take(&mut taken, soon(short), DOZE);
        assert!(begin.elapsed() >= short, "a patient item woke it");
        assert_eq!(std::mem::take(&mut taken), [1], "time is up for patient items too");
        assert_eq!(mailbox.offer(2, Haste::Patient), Ok(()));

        let sender = Arc::clone(&mailbox);
        let thread = std::thread::spawn(move || {
            std::thread::sleep(short);
            sender.push(3);
        });
        mailbox.take(&mut taken, soon(LONG), DOZE);
        thread.join().unwrap();
        assert_eq!(std::mem::take(&mut taken), [3], "it dozes on for the patient one");
        mailbox.take(&mut taken, soon(LONG), Rest::SLEEP);
        assert_eq!(taken, [2]);
    }

    #[test]
    fn quiet_items_wake_only_those_who_listen_and_keep_their_place() {
        let mailbox = Arc::new(Mailbox::new(9));
        let deaf = Rest { quiet: false, ..Rest::SLEEP };
        mailbox.push_with(1, Haste::Quiet);
        let mut taken = Vec::new();
        let short = Duration::from_millis(30);
        let begin = Instant::now();
        mailbox.take(&mut taken, soon(short), deaf);
        assert!(begin.elapsed() >= short, "a quiet item woke it");
        assert_eq!(std::mem::take(&mut taken), [1], "time is up for quiet items too");

        mailbox.push_with(2, Haste::Quiet);
        mailbox.push(3);
        mailbox.push_with(4, Haste::Quiet);
        mailbox.take(&mut taken, soon(LONG), deaf);
        assert_eq!(std::mem::take(&mut taken), [2, 3, 4], "they came in this order");

        let sender = Arc::clone(&mailbox);
        let thread = std::thread::spawn(move || {
            std::thread::sleep(short);
            sender.push_with(5, Haste::Quiet);
        });
        mailbox.take(&mut taken, soon(LONG), Rest { patient: false, quiet: true });
        thread.join().unwrap();
        assert_eq!(taken, [5]);
    }

    #[test]
    fn no_wake_is_lost() {
        let mailbox = Arc::new(Mailbox::new(usize::MAX));
        let senders = [Haste::Pressing, Haste::Patient].map(|haste| {
            let mailbox = Arc::clone(&mailbox);
            std::thread::spawn(move || {
                for n in 0..20_000 {
                    assert_eq!(mailbox.offer(n, haste), Ok(()));
                }
            })
        });
        let (mut taken, mut count) = (Vec::new(), 0);
        let begin = Instant::now();
        while count < 40_000 {
            // Only the pressing sender may be counted on to wake a dozing receiver.
            let rest = if count % 2 == 0 && count < 20_000 { DOZE } else { Rest::SLEEP };
            let until = if rest == DOZE { Duration::from_millis(5) } else { LONG };
            mailbox.take(&mut taken, soon(until), rest);
            count += taken.len();
            taken.clear();
            assert!(begin.elapsed() < LONG, "it slept through {} items", 40_000 - count);
        }
        for sender in senders {
            sender.join().unwrap();
        }
    }
}
