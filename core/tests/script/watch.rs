//! The watchers of one member in the hands of a script. What the applier changed waits as news
//! until the script hands it to the hub; what the hub tells a stream waits until its client takes
//! it. The history is read as soon as the hub asks.
//!
//! ```text
//!   apply --> news --news--> Hub --> streams --take--> Drained --> Hub
//!                             ^--fetch--> Store
//! ```

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::mem::take;

use bytes::Bytes;
use quorate_core::api::etcdserverpb::WatchCreateRequest;
use quorate_core::member::Config;
use quorate_core::store::{Store, Written};
use quorate_core::types::{Term, Ticks};
use quorate_core::watch::{Hub, Message, Settings, StreamId, WatchId, WatchInput, WatchOutput};

use super::{Words, number};

/// The commands that are carried out here.
pub const VERBS: [&str; 7] = ["news", "skip", "watch", "unwatch", "progress", "take", "quiet"];

/// The hub, and what is on its way to it and from it.
pub struct Watches {
    hub: Hub,
    news: Vec<WatchInput>,
    streams: BTreeMap<StreamId, VecDeque<Message>>,
    lines: Vec<String>,
}

impl Watches {
    pub fn new(config: &Config, store: &Store) -> Self {
        let settings = Settings {
            cluster: config.cluster,
            member: config.id,
            queue: 250,
            message: 100,
            fragment: 120,
            fetch: 4,
            cohort: 100,
            progress: Ticks(60_000),
            leaderless: Ticks(3 * config.election.0),
            seed: config.seed,
            planted: None,
        };
        let hub = Hub::new(settings, store.revision(), store.compact_revision());
        let (news, streams, lines) = (Vec::new(), BTreeMap::new(), Vec::new());
        let mut watches = Self { hub, news, streams, lines };
        watches.step(WatchInput::Leader { term: Term(2), known: true }, store);
        watches.lines.clear(); // Headers show no term in a trace.
        watches
    }

    /// Keeps what was applied until the script tells of it.
    pub fn applied(&mut self, changes: Vec<Written>, store: &Store) {
        self.news.push(WatchInput::published(changes, store));
    }

    /// Keeps, too, that a snapshot took the store's place.
    pub fn installed(&mut self, store: &Store) {
        self.news.push(installed(store));
    }

    /// Carries out one command; returns what came of it.
    pub fn run(
        &mut self,
        verb: &str,
        words: &mut Words<'_>,
        store: &Store,
    ) -> Result<Vec<String>, String> {
        match verb {
            "news" => {
                let news = take(&mut self.news);
                news.into_iter().filter(is_news).for_each(|news| self.step(news, store));
            }
            "skip" => {
                self.news.clear();
                self.step(installed(store), store);
            }
            "quiet" => {
                let minutes: u64 = number(words.next()?)?;
                self.step(WatchInput::Tick(Ticks(minutes * 6000)), store);
            }
            _ => self.run_stream(verb, words, store)?,
        }
        Ok(take(&mut self.lines))
    }

    fn run_stream(
        &mut self,
        verb: &str,
        words: &mut Words<'_>,
        store: &Store,
    ) -> Result<(), String> {
        let name = words.next()?;
        let stream = name.strip_prefix('s').ok_or(format!("{name:?} is no stream"))?;
        let stream = StreamId(number(stream)?);
        match verb {
            "watch" => {
                let request = request(words)?;
                if let Entry::Vacant(fresh) = self.streams.entry(stream) {
                    fresh.insert(VecDeque::new());
                    self.step(WatchInput::Open { stream, needs_leader: false }, store);
                }
                self.step(WatchInput::Now(store.revision()), store);
                self.step(WatchInput::Create(stream, request), store);
            }
            "unwatch" => {
                let id = WatchId(number(words.next()?)?);
                self.step(WatchInput::Cancel(stream, id), store);
            }
            "progress" => self.step(WatchInput::Progress(stream), store),
            _ => {
                let messages = words.count(usize::MAX)?;
                self.take(stream, messages, store)?;
            }
        }
        Ok(())
    }

    /// A client reads the first messages of its stream.
    fn take(&mut self, stream: StreamId, most: usize, store: &Store) -> Result<(), String> {
        let waiting = self.streams.get_mut(&stream).ok_or("there is no such stream")?;
        let taken = waiting.drain(..most.min(waiting.len()));
        let bytes = taken.map(|message| message.encoded_len()).sum();
        self.step(WatchInput::Drained { stream, bytes }, store);
        Ok(())
    }

    fn step(&mut self, input: WatchInput, store: &Store) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.lines.push(input.to_string());
            let mut outputs = Vec::new();
            self.hub.step(input, &mut outputs);
            for output in outputs {
                self.lines.push(output.to_string());
                match output {
                    WatchOutput::Send(stream, message) => {
                        self.streams.entry(stream).or_default().push_back(message);
                    }
                    WatchOutput::End(stream, _) => drop(self.streams.remove(&stream)),
                    WatchOutput::Fetch(fetch) => inputs.push_back(fetch.read(store)),
                }
            }
        }
    }
}

fn installed(store: &Store) -> WatchInput {
    WatchInput::Installed { revision: store.revision(), compacted: store.compact_revision() }
}

/// An entry that changes no key is no news, unless it compacts.
fn is_news(news: &WatchInput) -> bool {
    match news {
        WatchInput::Published { changes, compacted, .. } => !changes.is_empty() || *compacted > 0,
        _ => true,
    }
}

/// `key`, `first..end` or `first..`, and then what is wished.
fn request(words: &mut Words<'_>) -> Result<WatchCreateRequest, String> {
    let keys = words.next()?;
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let (key, range_end) = match keys.split_once("..") {
        Some((first, "")) => (bytes(first), bytes("\0")),
        Some((first, end)) => (bytes(first), bytes(end)),
        None => (bytes(keys), Bytes::new()),
    };
    let mut request = WatchCreateRequest { key, range_end, ..WatchCreateRequest::default() };
    while let Ok(word) = words.next() {
        match (word, word.split_once('=')) {
            (_, Some(("from", revision))) => request.start_revision = number(revision)?,
            (_, Some(("id", id))) => request.watch_id = number(id)?,
            ("prev-kv", _) => request.prev_kv = true,
            ("fragment", _) => request.fragment = true,
            ("notify", _) => request.progress_notify = true,
            ("no-put", _) => request.filters.push(0),
            ("no-delete", _) => request.filters.push(1),
            (unknown, _) => return Err(format!("{unknown:?} is no wish of a watcher")),
        }
    }
    Ok(request)
}
