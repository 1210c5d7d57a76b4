//! The load itself: clients that each wait for the answer before they ask again.
//!
//! ```text
//! client 0 --.                 .--> endpoint a
//! client 1 ---+-- conn 0 -----+
//! client 2 --'     conn 1 -----'--> endpoint b
//! ```
//!
//! Clients share connections, connections are dealt to the endpoints in turn, and all clients draw
//! tickets from one counter, so a slow one never holds up the end of the run.
//!
//! **A rate is kept, not hoped for.** With `rate`, ticket n is due at start + n / rate. A client
//! that was held up by a slow answer counts its next latency from the time it was due: the wait
//! that a slow server causes belongs to the server (Tene, "coordinated omission").

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use super::request::{Keys, Kind, Requests};
use super::wire::{Connection, Failure};

/// A load as the command line orders it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is asked.
    pub kind: Kind,
    /// About which keys.
    pub keys: Keys,
    /// Hosts with ports.
    pub endpoints: Vec<String>,
    /// How many requests are under way at a time.
    pub clients: usize,
    /// Over how many connections.
    pub conns: usize,
    /// How many requests in all.
    pub total: u64,
    /// Requests per second. `None`: as fast as the answers come.
    pub rate: Option<u64>,
}

/// What the clients saw.
pub struct Tally {
    /// Of the requests that were answered, in microseconds.
    pub latencies: Histogram<u64>,
    /// Requests that failed, by the text of the failure.
    pub errors: BTreeMap<String, u64>,
    /// Reads that found no key.
    pub absent: u64,
}

/// A run with its duration.
pub struct Outcome {
    /// Over all clients.
    pub tally: Tally,
    /// From the first request to the last answer.
    pub elapsed: Duration,
}

/// How many answers are in, for whoever wants to show it.
pub type Progress = Box<dyn Fn(u64) + Send>;

/// No answer to any client for this long ends the run.
pub const STALL: Duration = Duration::from_secs(30);
/// How often progress is looked at.
pub const GLANCE: Duration = Duration::from_millis(100);

struct Course {
    plan: Plan,
    start: Instant,
    drawn: AtomicU64,
    done: AtomicU64,
}

impl Plan {
    /// Opens all connections, so that none of it is measured.
    pub async fn connect(&self) -> Result<Vec<Connection>, String> {
        let mut connections = Vec::with_capacity(self.conns);
        for authority in self.endpoints.iter().cycle().take(self.conns) {
            connections.push(Connection::open(authority, self.kind.path()).await?);
        }
        Ok(connections)
    }

    /// Runs the load to its end.
    pub async fn run(
        self,
        connections: Vec<Connection>,
        show: Progress,
    ) -> Result<Outcome, String> {
        let start = Instant::now();
        let course = Arc::new(Course {
            plan: self,
            start,
            drawn: AtomicU64::new(0),
            done: AtomicU64::new(0),
        });
        let mut clients = JoinSet::new();
        for (number, connection) in
            connections.iter().cycle().take(course.plan.clients).cloned().enumerate()
        {
            clients.spawn(client(Arc::clone(&course), connection, number as u64));
        }
        let mut tally = Tally::new();
        let mut seen = (0, Instant::now());
        loop {
            match tokio::time::timeout(GLANCE, clients.join_next()).await {
                Ok(Some(of_one)) => tally.add(&of_one.expect("a client does not panic")),
                Ok(None) => break,
                Err(_) => seen = course.glance(seen)?,
            }
            show(course.done.load(Ordering::Relaxed));
        }
        Ok(Outcome { tally, elapsed: start.elapsed() })
    }
}

impl Course {
    /// Waits until this request is due; the time from which its latency counts.
    async fn due(&self, ticket: u64) -> Instant {
        let Some(rate) = self.plan.rate else { return Instant::now() };
        let due = self.start + Duration::from_secs_f64(ticket as f64 / rate as f64);
        if Instant::now() >= due {
            return due;
        }
        tokio::time::sleep_until(due.into()).await;
        // The timer's own delay is nothing that the server could help.
        Instant::now()
    }

    fn glance(&self, (count, since): (u64, Instant)) -> Result<(u64, Instant), String> {
        let done = self.done.load(Ordering::Relaxed);
        if done != count {
            return Ok((done, Instant::now()));
        }
        if since.elapsed() < STALL {
            return Ok((count, since));
        }
        Err(format!("no answer for {} s, {done} before that", STALL.as_secs()))
    }
}

impl Tally {
    /// Nothing seen yet.
    pub fn new() -> Self {
        let latencies = Histogram::new(3).expect("3 digits is a valid precision");
        Self { latencies, errors: BTreeMap::new(), absent: 0 }
    }

    /// Adds what another client saw.
    pub fn add(&mut self, other: &Self) {
        self.latencies.add(&other.latencies).expect("a histogram that resizes takes any other");
        for (text, count) in &other.errors {
            *self.errors.entry(text.clone()).or_default() += count;
        }
        self.absent += other.absent;
    }

    /// An answer came after this time.
    pub fn answered(&mut self, latency: Duration) {
        self.latencies += u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
    }

    /// No answer came, for this reason.
    pub fn failed(&mut self, text: String) {
        *self.errors.entry(text).or_default() += 1;
    }
}

async fn client(course: Arc<Course>, mut connection: Connection, number: u64) -> Tally {
    let plan = &course.plan;
    let mut requests = Requests::new(plan.kind, plan.keys, number);
    let mut tally = Tally::new();
    loop {
        let ticket = course.drawn.fetch_add(1, Ordering::Relaxed);
        if ticket >= plan.total {
            return tally;
        }
        let since = course.due(ticket).await;
        match connection.call(requests.frame(ticket)).await {
            Ok(answer) => {
                tally.answered(since.elapsed());
                match plan.kind.found(answer) {
                    Some(true) => {}
                    Some(false) => tally.absent += 1,
                    None => tally.failed("an answer that does not decode".to_owned()),
                }
            }
            Err(Failure::Refused(text)) => tally.failed(text),
            Err(Failure::Broken(text)) => {
                tally.failed(text);
                return tally;
            }
        }
        course.done.fetch_add(1, Ordering::Relaxed);
    }
}
