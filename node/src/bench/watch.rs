//! The load of watchers: some clients put, and everybody who watches is told.
//!
//! ```text
//!   writers --puts--> store --events--> streams, each with its share of the watchers
//!    value = the time of the put, padded        latency = now - that time
//! ```
//! An operation is an event that reached a watcher. The run ends when the last of them is in, so
//! its throughput is that of delivery and not of the puts. Messages are scanned and not decoded:
//! a thousand watchers on this machine must not cost more than the server that feeds them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message;
use prost::encoding::decode_varint;
use quorate_core::api::etcdserverpb::watch_request::RequestUnion;
use quorate_core::api::etcdserverpb::{
    PutRequest, WatchCreateRequest, WatchRequest, WatchResponse,
};
use tokio::task::JoinSet;

use super::load::{GLANCE, Outcome, Progress, STALL, Tally};
use super::request::{Keys, write_decimal};
use super::wire::{Connection, Failure, Incoming, Outgoing, frame};

const WATCH: &str = "/etcdserverpb.Watch/Watch";
const PUT: &str = "/etcdserverpb.KV/Put";
/// The time of a put, in microseconds since the run began: so many decimal digits of its value.
const STAMP: usize = 12;
/// Field numbers on the way from a `WatchResponse` to the value of an event.
const EVENTS: u64 = 11;
const EVENT_KV: u64 = 2;
const KV_VALUE: u64 = 5;

/// A load as the command line orders it.
#[derive(Clone, Debug)]
pub struct Watching {
    /// Hosts with ports.
    pub endpoints: Vec<String>,
    /// Connections of the watchers; the writers have as many of their own.
    pub conns: usize,
    /// How many watchers there are. Watcher n watches key n, modulo the key space.
    pub watchers: u64,
    /// Streams that they share.
    pub streams: u64,
    /// Puts under way at a time.
    pub writers: u64,
    /// Puts in all; key n is written by put n, modulo the key space.
    pub puts: u64,
    /// The keys, always in their order.
    pub keys: Keys,
    /// Bytes of a value.
    pub value_size: usize,
}

/// Streams on which every watcher was acknowledged.
pub struct Watchers(Vec<Connected>);

struct Connected {
    incoming: Incoming,
    /// Dropped, it would end the stream.
    outgoing: Outgoing,
}

struct Course {
    plan: Watching,
    start: Instant,
    drawn: AtomicU64,
    delivered: AtomicU64,
}

impl Watching {
    /// How many events there will be.
    pub fn events(&self) -> u64 {
        let space = self.keys.space;
        let watchers = |key: u64| self.watchers / space + u64::from(key < self.watchers % space);
        let rounds = self.puts / space;
        rounds * self.watchers + (0..self.puts % space).map(watchers).sum::<u64>()
    }

    /// Opens all streams and creates all watchers, so that none of it is measured.
    pub async fn connect(&self) -> Result<Watchers, String> {
        let mut connections = Vec::with_capacity(self.conns);
        for authority in self.endpoints.iter().cycle().take(self.conns) {
            connections.push(Connection::open(authority, WATCH).await?);
        }
        let mut streams = Vec::new();
        for (number, connection) in (0..self.streams).zip(connections.iter().cycle()) {
            let opened = self.open(connection.clone(), number).await;
            streams.push(opened.map_err(|failure| format!("cannot watch: {failure}"))?);
        }
        Ok(Watchers(streams))
    }

    /// The stream with this number: every so-many-th watcher is on it.
    async fn open(&self, mut connection: Connection, number: u64) -> Result<Connected, Failure> {
        let (mut outgoing, mut incoming) = connection.stream().await?;
        let mut missing = 0_u64;
        for watcher in (number..self.watchers).step_by(self.streams as usize) {
            let key = self.key(watcher);
            let create = WatchCreateRequest { key, ..WatchCreateRequest::default() };
            let request_union = Some(RequestUnion::CreateRequest(create));
            outgoing.send(frame(&WatchRequest { request_union }))?;
            missing += 1;
        }
        while missing > 0 {
            let answer = WatchResponse::decode(incoming.next().await?);
            let created = answer.is_ok_and(|answer| answer.created && !answer.canceled);
            if !created {
                return Err(Failure::Refused("a watcher was not created".to_owned()));
            }
            missing -= 1;
        }
        Ok(Connected { incoming, outgoing })
    }

    /// Runs the load to the last event.
    pub async fn run(self, watchers: Watchers, show: Progress) -> Result<Outcome, String> {
        let mut writers = Vec::new();
        for authority in self.endpoints.iter().cycle().take(self.conns) {
            writers.push(Connection::open(authority, PUT).await?);
        }
        let course = Arc::new(Course {
            plan: self,
            start: Instant::now(),
            drawn: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
        });
        let mut tasks = JoinSet::new();
        for stream in watchers.0 {
            tasks.spawn(listen(Arc::clone(&course), stream));
        }
        for (_, connection) in (0..course.plan.writers).zip(writers.iter().cycle()) {
            tasks.spawn(write(Arc::clone(&course), connection.clone()));
        }
        let tally = course.follow(&mut tasks, &show).await?;
        Ok(Outcome { tally, elapsed: course.start.elapsed() })
    }

    fn key(&self, number: u64) -> Bytes {
        let mut key = vec![b'0'; self.keys.size];
        write_decimal(&mut key, number % self.keys.space);
        key.into()
    }
}

impl Course {
    /// Waits for the end of all tasks. Watchers end with the last event.
    async fn follow(&self, tasks: &mut JoinSet<Tally>, show: &Progress) -> Result<Tally, String> {
        let mut tally = Tally::new();
        let mut seen = (0, Instant::now());
        loop {
            match tokio::time::timeout(GLANCE, tasks.join_next()).await {
                Ok(Some(of_one)) => tally.add(&of_one.expect("a task does not panic")),
                Ok(None) => return Ok(tally),
                Err(_) => {
                    let delivered = self.delivered.load(Ordering::Relaxed);
                    if delivered != seen.0 {
                        seen = (delivered, Instant::now());
                    } else if seen.1.elapsed() >= STALL {
                        let (all, wait) = (self.plan.events(), STALL.as_secs());
                        return Err(format!("no event for {wait} s, {delivered} of {all} before"));
                    }
                    show(delivered);
                }
            }
        }
    }
}

async fn write(course: Arc<Course>, mut connection: Connection) -> Tally {
    let (plan, mut tally) = (&course.plan, Tally::new());
    loop {
        let ticket = course.drawn.fetch_add(1, Ordering::Relaxed);
        if ticket >= plan.puts {
            return tally;
        }
        let mut value = vec![b'0'; plan.value_size.max(STAMP)];
        let now = u64::try_from(course.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        write_decimal(&mut value[..STAMP], now);
        let put =
            PutRequest { key: plan.key(ticket), value: value.into(), ..PutRequest::default() };
        if let Err(failure) = connection.call(frame(&put)).await {
            tally.failed(failure.to_string());
        }
    }
}

async fn listen(course: Arc<Course>, mut stream: Connected) -> Tally {
    let (all, mut tally) = (course.plan.events(), Tally::new());
    let mut delivered = course.delivered.load(Ordering::Relaxed);
    while delivered < all {
        // The last event may reach another stream.
        let message = match tokio::time::timeout(GLANCE, stream.incoming.next()).await {
            Ok(Ok(message)) => message,
            Ok(Err(failure)) => {
                tally.failed(failure.to_string());
                break;
            }
            Err(_) => {
                delivered = course.delivered.load(Ordering::Relaxed);
                continue;
            }
        };
        let now = course.start.elapsed();
        let stamps = stamps(&message);
        for stamp in &stamps {
            tally.answered(now.saturating_sub(Duration::from_micros(*stamp)));
        }
        let count = stamps.len() as u64;
        delivered = course.delivered.fetch_add(count, Ordering::Relaxed) + count;
    }
    drop(stream.outgoing);
    tally
}

/// The times of the puts that a message tells of.
fn stamps(message: &[u8]) -> Vec<u64> {
    let events = Fields(message).filter(|(field, _)| *field == EVENTS);
    events.filter_map(|(_, event)| stamp(event)).collect()
}

fn stamp(event: &[u8]) -> Option<u64> {
    let inner = |bytes, wanted| Fields(bytes).find(|(field, _)| *field == wanted);
    let (_, pair) = inner(event, EVENT_KV)?;
    let (_, value) = inner(pair, KV_VALUE)?;
    std::str::from_utf8(value.get(..STAMP)?).ok()?.parse().ok()
}

/// The length-delimited fields of a message, by number. Ends early where it is malformed.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.0.is_empty() {
            let key = decode_varint(&mut self.0).ok()?;
            let number = decode_varint(&mut self.0).ok()?;
            if key & 7 == 2 {
                let (content, rest) = self.0.split_at_checked(usize::try_from(number).ok()?)?;
                self.0 = rest;
                return Some((key >> 3, content));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::api::etcdserverpb::ResponseHeader;
    use quorate_core::api::mvccpb::{Event, KeyValue};

    use super::*;

    fn plan(watchers: u64, puts: u64, space: u64) -> Watching {
        let keys = Keys { size: 4, space, sequential: true };
        let endpoints = Vec::new();
        Watching {
            endpoints,
            conns: 1,
            watchers,
            streams: 1,
            writers: 1,
            puts,
            keys,
            value_size: 0,
        }
    }

    #[test]
    fn every_put_is_told_to_those_who_watch_its_key() {
        assert_eq!(plan(1000, 7, 1).events(), 7000);
        // Keys 0 and 1 have two watchers each, key 2 has one.
        assert_eq!(plan(5, 3, 3).events(), 5);
        assert_eq!(plan(5, 4, 3).events(), 7);
        assert_eq!(plan(2, 9, 3).events(), 6);
    }

    #[test]
    fn a_message_is_scanned_for_the_times_of_its_puts() {
        let event = |value: &'static [u8]| {
            let kv =
                KeyValue { key: "k".into(), value: value.into(), version: 3, ..Default::default() };
            Event { kv: Some(kv), ..Event::default() }
        };
        let message = WatchResponse {
            header: Some(ResponseHeader { revision: 9, ..Default::default() }),
            watch_id: 5,
            events: vec![event(b"000000000042xx"), event(b"000000000043")],
            ..WatchResponse::default()
        };
        assert_eq!(stamps(&message.encode_to_vec()), [42, 43]);
        assert_eq!(stamps(&WatchResponse::default().encode_to_vec()), Vec::<u64>::new());
        assert_eq!(stamps(&[0x5a, 0xff]), Vec::<u64>::new());
    }
}
