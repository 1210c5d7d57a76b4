//! Watches made from a timeline of changes: what a correct store would have told.
//!
//! Each watcher asks for some keys from some revision, is served by a member that lags a little,
//! gets whole revisions in messages of random size, now and then a progress message, and may end
//! and be taken up again from where it was.
//!
//! Not here: the timeline (`generate.rs`), broken watches (`watches.rs`).

use quorate_checks::history::{
    ByteString, ClientId, EventKind, History, KeyRange, Micros, Record, Revision, StreamId, Watch,
    WatchEnd, WatchEvent, WatchMessage, WatchNumber, WatchRequest,
};

use crate::generate::{self, Rng, Shape};

/// The changes of each revision from 2, and when it was made.
pub type Timeline = [(u64, Vec<WatchEvent>)];

/// A legal history with so many watchers. `log` tells whether the log is revealed.
pub fn history(shape: Shape, watchers: u64, log: bool, seed: u64) -> History {
    let (history, timeline) = generate::timeline(shape, seed);
    let mut rng = Rng(seed ^ 0x5eed);
    let mut records = history.into_records();
    let mut number = 0;
    for stream in 0..watchers {
        let mut request = request(shape, &mut rng, timeline.len() as i64);
        let mut from = rng.below(timeline.len() as u64 + 1) as usize;
        for _ in 0..=rng.below(2) {
            let to = from + rng.below((timeline.len() - from) as u64 + 1) as usize;
            let watch = watch(number, stream, &request, (from, to), &timeline, &mut rng);
            number += 1;
            // Taken up again from behind the last revision that was surely seen.
            request.start_revision = Some(Revision(next(&watch).0));
            records.push(Record::Watch(watch));
            from = to;
        }
    }
    if log {
        records.extend(timeline.iter().enumerate().map(|(at, (_, events))| {
            Record::Revealed(quorate_checks::history::Revealed {
                revision: Revision(at as i64 + 2),
                events: events
                    .iter()
                    .map(|event| WatchEvent { prev_kv: None, ..event.clone() })
                    .collect(),
            })
        }));
    }
    History::of(records).expect("well formed")
}

fn request(shape: Shape, rng: &mut Rng, newest: i64) -> WatchRequest {
    let key = |rng: &mut Rng| ByteString::from(format!("k{:03}", rng.below(shape.keys)));
    let range_end = match rng.below(3) {
        0 => ByteString::default(),
        1 => ByteString::from(&b"\0"[..]),
        _ => key(rng),
    };
    let start = rng.chance(500).then(|| Revision(1 + rng.signed(newest + 4)));
    let mut request = WatchRequest {
        key: key(rng),
        range_end,
        start_revision: start,
        no_put: rng.chance(100),
        no_delete: rng.chance(100),
        prev_kv: rng.chance(400),
        progress_notify: rng.chance(300),
        fragment: rng.chance(400),
        watch_id: None,
    };
    if matches!(request.keys(), KeyRange::Span(from, to) if to <= from) {
        request.range_end = ByteString::default();
    }
    request
}

/// The first revision that a watch has surely not seen.
fn next(watch: &Watch) -> Revision {
    let created = watch.messages[0].revision.0 + 1;
    let start = watch.request.start_revision.map_or(created, |start| start.0);
    let seen = watch.messages.iter().flat_map(|message| {
        let bookmark = message.is_progress().then_some(message.revision.0);
        message.events.iter().map(|event| event.revision().0).chain(bookmark)
    });
    Revision(seen.map(|seen| seen + 1).max().unwrap_or(start).max(start))
}

/// A watch that is created when `from` changes are made, and ends when `to` are.
fn watch(
    number: u64,
    stream: u64,
    request: &WatchRequest,
    (from, to): (usize, usize),
    timeline: &Timeline,
    rng: &mut Rng,
) -> Watch {
    let at = |place: usize| place.checked_sub(1).map_or(0, |place| timeline[place].0);
    let invoked = at(from);
    let mut now = invoked + rng.below(20);
    let mut messages = vec![WatchMessage { created: true, ..message(now, from) }];
    let start = request.start_revision.map_or(from as i64 + 2, |start| start.0);
    let mut group = Vec::new();
    let first = usize::try_from(start.max(2) - 2).unwrap_or(0);
    let behind = first.min(to);
    for (place, (_, changes)) in timeline.iter().enumerate().take(to).skip(behind) {
        let wanted = changes.iter().filter(|event| request.wants(event));
        group.extend(wanted.map(|event| shown(request, event)));
        let made = place + 1;
        now = now.max(at(made)) + rng.below(10);
        if !group.is_empty() && (rng.chance(700) || made == to) {
            let header = made.max(from).max(made + rng.below((to - made) as u64 + 1) as usize);
            now = now.max(at(header));
            send(&mut messages, &group, &message(now, header), request, rng);
            group.clear();
        } else if group.is_empty() && rng.chance(150) && made as i64 + 1 >= start {
            messages.push(message(now, made));
        }
    }
    let end = match rng.below(4) {
        0 => WatchEnd::Running,
        1 => {
            messages.push(WatchMessage { canceled: true, ..message(now, to.max(from)) });
            WatchEnd::Canceled { asked: Some(Micros(now)) }
        }
        2 => WatchEnd::Dropped { at: Micros(now) },
        _ => WatchEnd::Broken { at: Micros(now), why: "reset".to_owned() },
    };
    Watch {
        number: WatchNumber(number),
        client: ClientId(stream),
        stream: StreamId(stream),
        endpoint: None,
        invoked: Micros(invoked),
        request: request.clone(),
        messages,
        end,
    }
}

/// An empty message from a store with so many changes.
fn message(now: u64, changes: usize) -> WatchMessage {
    WatchMessage {
        at: Micros(now),
        revision: Revision(changes as i64 + 1),
        watch_id: 0,
        created: false,
        canceled: false,
        compact_revision: None,
        cancel_reason: String::new(),
        fragment: false,
        events: Vec::new(),
    }
}

fn shown(request: &WatchRequest, event: &WatchEvent) -> WatchEvent {
    let prev_kv = event.prev_kv.clone().filter(|_| request.prev_kv);
    WatchEvent { prev_kv, ..event.clone() }
}

/// Sends events, in parts if that is allowed.
fn send(
    messages: &mut Vec<WatchMessage>,
    events: &[WatchEvent],
    like: &WatchMessage,
    request: &WatchRequest,
    rng: &mut Rng,
) {
    let size = if request.fragment && rng.chance(500) { 1 } else { events.len() };
    let parts: Vec<_> = events.chunks(size).collect();
    for (at, part) in parts.iter().enumerate() {
        let fragment = at + 1 < parts.len();
        messages.push(WatchMessage { fragment, events: part.to_vec(), ..like.clone() });
    }
}

/// A put or a delete as an event.
pub fn event(kind: EventKind, kv: quorate_checks::history::KeyValue) -> WatchEvent {
    WatchEvent { kind, kv, prev_kv: None }
}
