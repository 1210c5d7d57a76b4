//! Judges what clients saw of an etcd-compatible store, and knows nothing of how the store works.
//!
//! # What a history is
//!
//! Let some clients work on a store while things go wrong, and write down every request: when it
//! was sent, when the answer came, what it said. That is a [`history`]. It may come from a
//! simulation, from a real cluster under torment, or from any other store that speaks the protocol.
//! The one thing it must get right is the third kind of outcome: a request whose answer never came
//! is neither done nor failed. It may take effect a minute later, once, or never.
//!
//! Beside requests there are *watches*, each with all the messages that it was sent, and facts that
//! no client asked for: that a lease ended, what a revision changed, when the cluster was well.
//! None of these facts is needed; a driver that can look into the store tells what it knows.
//!
//! # What a judge asks
//!
//! The store promises to behave as if it were one machine that serves one request at a time, each
//! at some moment between its sending and its answer. The [`model`] is that one machine. A history
//! is *linearizable* if the model, fed in some order that agrees with the times, gives every answer
//! on record. A lost update, a stale read, a write that was refused and shows up anyway: whatever a
//! cluster can do wrong to a client, no order explains it.
//!
//! # Which judge to use
//!
//! * [`examine`] for everything: it asks all of the following and says what was really checked.
//! * [`judge`] for the order of requests: the rules of a session (`revision`), then the
//!   [guided judge](linearizable::guided), which takes the order from the revisions in the answers
//!   and judges a million operations in about a second.
//! * [`linearizable::wgl`] to doubt that one: it searches for an order by trial, so it is slow, and
//!   gives up where many operations overlap, but the two share no idea that could be wrong in both.
//! * [`watch::check`] for what watchers were told, guarantee by guarantee.
//! * [`lease::check`] for the time of leases: no end too early, none too late, no key left behind.
//! * [`revision::endpoints`] for members that answer stale reads, if the history tells their lives
//!   apart.
//!
//! A [`Verdict`] is legal with counters, illegal with the operations that contradict each other, or
//! unknown, which is an honest "I gave up" and no hint. Whatever is found wrong, [`explain`] cuts
//! the history down to its shortest failing beginning and shows it in words and columns.
//!
//! ```
//! use quorate_checks::{history::History, judge, linearizable::Verdict};
//!
//! let text = r#"{"format":"quorate-history","version":2}
//! {"op":1,"client":1,"invoked":10,"returned":20,"request":{"put":{"key":"a","value":"x"}},"outcome":{"ok":{"put":{"revision":2}}}}
//! {"op":2,"client":2,"invoked":30,"returned":40,"request":{"range":{"key":"a"}},"outcome":{"ok":{"range":{"revision":1,"count":0}}}}
//! "#;
//! let history = History::read(text.as_bytes()).expect("a history");
//! let Verdict::Illegal(rejection) = judge(&history) else { panic!("2 must see what 1 put") };
//! assert_eq!(
//!     rejection.to_string(),
//!     "operation 2 (client 2: range \"a\", 30 to 40 us, revision 1) was invoked after operation 1 \
//!      (client 1: put \"a\", 10 to 20 us, revision 2) had returned, yet it answers from an older \
//!      revision",
//! );
//! ```
//!
//! Not here: authentication, members and locks. Their requests cannot be written down.

#![forbid(unsafe_code)]

pub mod explain;
pub mod history;
pub mod lease;
pub mod linearizable;
pub mod model;
pub mod revision;
pub mod watch;

use explain::Finding;
use history::History;
use lease::Bounds;
use linearizable::{Budget, Verdict, guided};

/// Judges a history by all rules that hold for every store: sessions, then linearizability.
#[must_use]
pub fn judge(history: &History) -> Verdict {
    match revision::sessions(history) {
        Ok(_) => guided::judge(history, Budget::default()),
        Err(rejection) => Verdict::Illegal(rejection),
    }
}

/// What all judges say of a history that none of them found wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// Of the order of requests: legal, or given up.
    pub order: Verdict,
    /// What was checked of watches.
    pub watches: watch::Counters,
    /// What was checked of leases.
    pub leases: lease::Counters,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n{}\n{}", self.order, self.watches, self.leases)
    }
}

/// Asks all judges: of the order of requests, of watches, of leases.
///
/// # Errors
/// One of them found something wrong.
pub fn examine(history: &History, bounds: Bounds) -> Result<Report, Finding> {
    let order = match judge(history) {
        Verdict::Illegal(rejection) => return Err(Finding::Order(rejection)),
        order @ (Verdict::Linearizable(_) | Verdict::Unknown(_)) => order,
    };
    let watches = watch::check(history).map_err(Finding::Watch)?;
    let leases = lease::check(history, bounds).map_err(|fault| Finding::Lease(fault, bounds))?;
    Ok(Report { order, watches, leases })
}
