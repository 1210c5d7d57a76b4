//! Watchers on one stream, which survive the stream.
//!
//! ```text
//!  New --create--> asked for --created--> Runs --canceled--> Over
//!   ^                                      |
//!   +----- the stream broke: again, from the revision behind the last one seen
//! ```
//!
//! An answer to a creation that was refused does not tell which one is meant; so there is at most
//! one creation under way, and what else is to be asked waits in a queue.
//!
//! Invariants:
//! - W1. A watcher that is created again starts at the revision behind the last one that it was
//!   told of: by an event, by a message of progress, or by its own creation if it started "now".
//!   So nothing is missed and nothing is told twice (semantics WA-11, WA-24).
//! - W2. What is told of a watcher that is over ends with the message that ended it.
//!
//! **Departure**: etcdctl gives up, too, when the member that it turns to next knows no leader yet.
//!
//! Not here: what is done with the news (`watch.rs`).

use std::collections::VecDeque;

use quorate_core::api::etcdserverpb::watch_request::RequestUnion;
use quorate_core::api::etcdserverpb::{
    WatchCreateRequest, WatchProgressRequest, WatchRequest, WatchResponse,
};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Status, Streaming};

use super::client::{self, Client, Link};
use crate::rpc::etcdserverpb::watch_client::WatchClient;

/// The id in an answer to all watchers of a stream.
const EVERYONE: i64 = -1;

/// Watchers, numbered from zero as they come.
pub struct Watchers {
    client: Client,
    watchers: Vec<Watcher>,
    orders: VecDeque<Order>,
    /// The watcher whose creation is under way.
    creating: Option<usize>,
    stream: Option<Stream>,
    /// Of the endpoint that is tried next.
    place: usize,
    news: VecDeque<News>,
}

/// What one watcher was told.
pub struct News {
    /// The number of the watcher.
    pub watcher: usize,
    /// Events, progress, or the end.
    pub answer: WatchResponse,
}

struct Watcher {
    /// As it was asked for, but from the first revision that it has not been told of.
    request: WatchCreateRequest,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    New,
    /// With the id that the server has given it on this stream.
    Runs(i64),
    Over,
}

enum Order {
    Create(usize),
    Progress,
}

struct Stream {
    requests: UnboundedSender<WatchRequest>,
    answers: Streaming<WatchResponse>,
}

impl Watchers {
    /// None yet.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            watchers: Vec::new(),
            orders: VecDeque::new(),
            creating: None,
            stream: None,
            place: 0,
            news: VecDeque::new(),
        }
    }

    /// One more.
    pub fn add(&mut self, request: WatchCreateRequest) {
        self.orders.push_back(Order::Create(self.watchers.len()));
        self.watchers.push(Watcher { request, state: State::New });
        self.send_orders();
    }

    /// Asks how far all of them have got.
    pub fn ask_progress(&mut self) {
        self.orders.push_back(Order::Progress);
        self.send_orders();
    }

    /// Waits for news; for ever, if no watcher is left. Nothing is lost when the wait is given up.
    pub async fn next(&mut self) -> News {
        loop {
            if let Some(news) = self.news.pop_front() {
                return news;
            }
            if self.watchers.iter().all(|watcher| watcher.state == State::Over) {
                std::future::pending::<()>().await;
            }
            let Some(stream) = &mut self.stream else {
                self.open().await;
                continue;
            };
            match stream.answers.message().await {
                Ok(Some(answer)) => self.take(answer),
                Ok(None) => self.lose(None).await,
                Err(status) => self.lose(Some(status)).await,
            }
        }
    }

    async fn open(&mut self) {
        let Link { channel, place } = self.client.connect(self.place).await;
        self.place = place;
        self.order_again();
        let (requests, outgoing) = unbounded_channel();
        // A server may say nothing at all before it is asked something.
        self.creating = send_until_creation(&self.watchers, &mut self.orders, &requests);
        let outgoing = client::with_leader(UnboundedReceiverStream::new(outgoing));
        let mut service = WatchClient::new(channel).max_decoding_message_size(usize::MAX);
        match service.watch(outgoing).await {
            Ok(answers) => {
                self.stream = Some(Stream { requests, answers: answers.into_inner() });
            }
            // Between two leaders: as good as not reachable.
            Err(status) if client::is_leaderless(&status) => self.lose(None).await,
            Err(status) => self.lose(Some(status)).await,
        }
    }

    /// A new stream knows none of the watchers.
    fn order_again(&mut self) {
        self.creating = None;
        self.orders.retain(|order| matches!(order, Order::Progress));
        for (number, watcher) in self.watchers.iter_mut().enumerate().rev() {
            if watcher.state != State::Over {
                watcher.state = State::New;
                self.orders.push_front(Order::Create(number));
            }
        }
    }

    fn send_orders(&mut self) {
        if let (Some(stream), None) = (&self.stream, self.creating) {
            let requests = &stream.requests;
            self.creating = send_until_creation(&self.watchers, &mut self.orders, requests);
        }
    }

    /// The stream is gone. Some ends are final for all who were on it; that for want of a leader
    /// is, because the server has waited for one before.
    async fn lose(&mut self, status: Option<Status>) {
        self.stream = None;
        self.place += 1;
        match status {
            Some(status) if !client::is_passing(&status) || client::is_leaderless(&status) => {
                for number in 0..self.watchers.len() {
                    self.refuse(number, client::told(&status));
                }
            }
            Some(_) | None => tokio::time::sleep(client::PAUSE).await,
        }
    }

    fn take(&mut self, answer: WatchResponse) {
        if answer.created {
            self.take_created(answer);
            self.send_orders();
            return;
        }
        for (number, watcher) in self.watchers.iter_mut().enumerate() {
            let State::Runs(id) = watcher.state else { continue };
            if answer.watch_id == EVERYONE || answer.watch_id == id {
                watcher.advance(&answer);
                self.news.push_back(News { watcher: number, answer: answer.clone() });
            }
        }
    }

    fn take_created(&mut self, answer: WatchResponse) {
        let Some(number) = self.creating.take() else { return };
        if answer.canceled {
            self.refuse(number, answer.cancel_reason);
            return;
        }
        let watcher = &mut self.watchers[number];
        watcher.state = State::Runs(answer.watch_id);
        if watcher.request.start_revision == 0 {
            watcher.request.start_revision = revision(&answer) + 1;
        }
    }

    /// The end of a watcher that no server has told it of: there is no header to show.
    fn refuse(&mut self, number: usize, cancel_reason: String) {
        let watcher = &mut self.watchers[number];
        if watcher.state == State::Over {
            return;
        }
        watcher.state = State::Over;
        let answer = WatchResponse { canceled: true, cancel_reason, ..WatchResponse::default() };
        self.news.push_back(News { watcher: number, answer });
    }
}

impl Watcher {
    fn advance(&mut self, answer: &WatchResponse) {
        let last = answer.events.last().and_then(|event| event.kv.as_ref());
        if answer.canceled {
            self.state = State::Over;
        } else if let Some(pair) = last {
            self.request.start_revision = pair.mod_revision + 1;
        } else {
            // Progress: all up to here has been told.
            let next = revision(answer) + 1;
            self.request.start_revision = next.max(self.request.start_revision);
        }
    }
}

fn revision(answer: &WatchResponse) -> i64 {
    answer.header.map_or(0, |header| header.revision)
}

/// Sends orders up to the first creation, whose answer must come before the next.
fn send_until_creation(
    watchers: &[Watcher],
    orders: &mut VecDeque<Order>,
    requests: &UnboundedSender<WatchRequest>,
) -> Option<usize> {
    while let Some(order) = orders.pop_front() {
        let (union, creating) = match order {
            Order::Create(number) => {
                (RequestUnion::CreateRequest(watchers[number].request.clone()), Some(number))
            }
            Order::Progress => (RequestUnion::ProgressRequest(WatchProgressRequest {}), None),
        };
        // A stream that is closed tells so when its next answer is waited for.
        let _ = requests.send(WatchRequest { request_union: Some(union) });
        if creating.is_some() {
            return creating;
        }
    }
    None
}
