//! The load of keep-alives: every client grants a lease, and renews it over a stream of its own.
//!
//! Not here: grants under load; they are calls like any other (`load.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use prost::Message;
use quorate_core::api::etcdserverpb::{
    LeaseGrantRequest, LeaseGrantResponse, LeaseKeepAliveRequest, LeaseKeepAliveResponse,
};
use tokio::task::JoinSet;

use super::load::{GLANCE, Outcome, Progress, STALL, Tally};
use super::wire::{Connection, Failure, Incoming, Outgoing, frame};

const GRANT: &str = "/etcdserverpb.Lease/LeaseGrant";
const KEEP_ALIVE: &str = "/etcdserverpb.Lease/LeaseKeepAlive";

/// A load as the command line orders it.
#[derive(Clone, Debug)]
pub struct KeepingAlive {
    /// Hosts with ports.
    pub endpoints: Vec<String>,
    /// Leases, each with a client of its own.
    pub clients: usize,
    /// Over how many connections.
    pub conns: usize,
    /// In seconds.
    pub ttl: i64,
    /// Renewals in all.
    pub total: u64,
}

/// Leases with their streams.
pub struct Leases(Vec<Lease>);

struct Lease {
    id: i64,
    outgoing: Outgoing,
    incoming: Incoming,
}

struct Course {
    total: u64,
    drawn: AtomicU64,
    done: AtomicU64,
}

impl KeepingAlive {
    /// Grants all leases and opens all streams, so that none of it is measured.
    pub async fn connect(&self) -> Result<Leases, String> {
        let mut connections = Vec::with_capacity(self.conns);
        for authority in self.endpoints.iter().cycle().take(self.conns) {
            let grants = Connection::open(authority, GRANT).await?;
            connections.push((grants, Connection::open(authority, KEEP_ALIVE).await?));
        }
        let mut leases = Vec::with_capacity(self.clients);
        for (grants, streams) in connections.iter().cycle().take(self.clients) {
            let lease = Lease::open(grants.clone(), streams.clone(), self.ttl).await;
            leases.push(lease.map_err(|failure| format!("cannot keep a lease: {failure}"))?);
        }
        Ok(Leases(leases))
    }

    /// Renews until all tickets are drawn.
    pub async fn run(self, leases: Leases, show: Progress) -> Result<Outcome, String> {
        let start = Instant::now();
        let (drawn, done) = (AtomicU64::new(0), AtomicU64::new(0));
        let course = Arc::new(Course { total: self.total, drawn, done });
        let mut clients = JoinSet::new();
        for lease in leases.0 {
            clients.spawn(renew(Arc::clone(&course), lease));
        }
        let (mut tally, mut seen) = (Tally::new(), (0, Instant::now()));
        loop {
            match tokio::time::timeout(GLANCE, clients.join_next()).await {
                Ok(Some(of_one)) => tally.add(&of_one.expect("a client does not panic")),
                Ok(None) => break,
                Err(_) => {
                    let done = course.done.load(Ordering::Relaxed);
                    if done != seen.0 {
                        seen = (done, Instant::now());
                    } else if seen.1.elapsed() >= STALL {
                        return Err(format!("no renewal for {} s", STALL.as_secs()));
                    }
                    show(done);
                }
            }
        }
        Ok(Outcome { tally, elapsed: start.elapsed() })
    }
}

impl Lease {
    async fn open(
        mut grants: Connection,
        mut streams: Connection,
        ttl: i64,
    ) -> Result<Self, Failure> {
        let granted = grants.call(frame(&LeaseGrantRequest { ttl, id: 0 })).await?;
        let granted = LeaseGrantResponse::decode(granted);
        let granted = granted.map_err(|why| Failure::Refused(why.to_string()))?;
        let (outgoing, incoming) = streams.stream().await?;
        Ok(Self { id: granted.id, outgoing, incoming })
    }

    /// Whether the lease lives on.
    async fn renew(&mut self) -> Result<bool, Failure> {
        self.outgoing.send(frame(&LeaseKeepAliveRequest { id: self.id }))?;
        let answer = LeaseKeepAliveResponse::decode(self.incoming.next().await?);
        Ok(answer.is_ok_and(|answer| answer.id == self.id && answer.ttl > 0))
    }
}

async fn renew(course: Arc<Course>, mut lease: Lease) -> Tally {
    let mut tally = Tally::new();
    while course.drawn.fetch_add(1, Ordering::Relaxed) < course.total {
        let since = Instant::now();
        match lease.renew().await {
            Ok(true) => tally.answered(since.elapsed()),
            Ok(false) => tally.failed("the lease has ended".to_owned()),
            Err(failure) => {
                tally.failed(failure.to_string());
                break;
            }
        }
        course.done.fetch_add(1, Ordering::Relaxed);
    }
    tally
}
