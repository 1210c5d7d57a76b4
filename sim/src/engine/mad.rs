//! The madsim engine: a task per actor and per client, on virtual time and a scheduler of chance.
//!
//! ```text
//!   node n1: a task per actor, each with its queue  <-- killed and restarted with the process
//!   node wire: a task per message on its way            (what is under way survives its sender)
//!   node clients: a task per client        node outside: faults and inspection
//! ```
//! Ready tasks run in an order drawn from the seed, so actors meet in orders that a heap of events
//! never shows. The runtime's sleeps take at least a millisecond; what is due sooner happens at
//! once, in a task of its own turn.
//!
//! Not here: what a turn does (`world/`): an engine only decides when.

use std::collections::BinaryHeap;
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use madsim::Config;
use madsim::runtime::{Handle, NodeHandle, Runtime};
use madsim::task::{NodeId, spawn_local};
use madsim::time::{TimeHandle, sleep};

use super::Due;
use crate::clock::{MILLI, Micros};
use crate::plan::Actor;
use crate::verdict::Outcome;
use crate::world::{Change, Event, Place, World};

/// What is due so soon is not worth a sleep, which would take longer.
const SOON: Micros = MILLI / 2;

/// Events of one task, the earliest first.
#[derive(Default)]
struct Queue {
    heap: BinaryHeap<std::cmp::Reverse<Due>>,
    waker: Option<Waker>,
}

type Shared<T> = Arc<Mutex<T>>;

/// What all tasks share.
struct Stage {
    world: Mutex<Option<World>>,
    actors: Vec<Vec<Shared<Queue>>>,
    clients: Vec<Shared<Queue>>,
    outside: Shared<Queue>,
    nodes: Mutex<Vec<NodeId>>,
    wire: NodeHandle,
    over: Mutex<Option<Waker>>,
    number: Mutex<u64>,
}

/// Lets a world's events happen until its verdict is in.
#[must_use]
pub fn run(world: World, seed: u64) -> Outcome {
    let runtime = Runtime::with_seed_and_config(seed, Config::default());
    runtime.block_on(async move {
        let stage = Stage::build(world);
        stage.clone().pass_on();
        poll_fn(|context| stage.poll_over(context)).await;
        let world = lock(&stage.world).take();
        world.expect("the world is closed once").close()
    })
}

impl Stage {
    fn build(world: World) -> Arc<Self> {
        let handle = Handle::current();
        let actors = |_| Actor::ALL.iter().map(|_| Shared::<Queue>::default()).collect();
        let stage = Arc::new(Self {
            actors: (0..world.members()).map(actors).collect(),
            clients: (0..world.client_count()).map(|_| Shared::default()).collect(),
            outside: Shared::default(),
            nodes: Mutex::default(),
            wire: handle.create_node().name("wire").build(),
            over: Mutex::default(),
            number: Mutex::default(),
            world: Mutex::new(Some(world)),
        });
        let members = 0..stage.actors.len();
        *lock(&stage.nodes) = members.map(|at| stage.member_node(&handle, at)).collect();
        let clients = handle.create_node().name("clients").build();
        for queue in &stage.clients {
            clients.spawn(stage.clone().work(queue.clone()));
        }
        let outside = handle.create_node().name("outside").build();
        outside.spawn(stage.clone().work(stage.outside.clone()));
        stage
    }

    /// A node whose first task starts the actors, at each restart anew.
    fn member_node(self: &Arc<Self>, handle: &Handle, at: usize) -> NodeId {
        let stage = self.clone();
        let start = move || {
            let stage = stage.clone();
            async move {
                for queue in &stage.actors[at] {
                    spawn_local(stage.clone().work(queue.clone()));
                }
                pending::<()>().await;
            }
        };
        handle.create_node().name(format!("n{}", at + 1)).init(start).build().id()
    }

    /// A task: waits for its next event and lets it happen.
    async fn work(self: Arc<Self>, queue: Shared<Queue>) {
        loop {
            let due = next(&queue).await;
            self.clone().turn(due.at, due.event);
        }
    }

    fn turn(self: Arc<Self>, at: Micros, event: Event) {
        if let Some(world) = lock(&self.world).as_mut() {
            world.turn(at.max(now()), event);
        }
        self.pass_on();
    }

    /// Kills and restarts nodes, and hands out what the turn put on the agenda.
    fn pass_on(self: Arc<Self>) {
        let mut guard = lock(&self.world);
        let Some(world) = guard.as_mut() else { return };
        let changes: Vec<Change> = world.take_changes().collect();
        let agenda: Vec<(Micros, Event)> = world.take_agenda().collect();
        let over = world.is_over();
        drop(guard);
        changes.into_iter().for_each(|change| self.change(change));
        agenda.into_iter().for_each(|(at, event)| self.clone().route(at, event));
        if over && let Some(waker) = lock(&self.over).take() {
            waker.wake();
        }
    }

    fn change(&self, change: Change) {
        let (Change::Killed(at) | Change::Started(at)) = change;
        let node = lock(&self.nodes)[at];
        for queue in &self.actors[at] {
            *lock(queue) = Queue::default();
        }
        match change {
            Change::Killed(_) => Handle::current().kill(node),
            Change::Started(_) => Handle::current().restart(node),
        }
    }

    fn route(self: Arc<Self>, at: Micros, event: Event) {
        let number = {
            let mut number = lock(&self.number);
            *number += 1;
            *number
        };
        let due = Due { at, number, event };
        match event.place() {
            Place::Actor(member, actor) => push(&self.actors[member][actor as usize], due),
            Place::Client(client) => push(&self.clients[client], due),
            Place::Outside => push(&self.outside, due),
            Place::Wire => {
                let stage = self.clone();
                self.wire.spawn(async move {
                    wait_until(at).await;
                    stage.turn(at, event);
                });
            }
        }
    }

    fn poll_over(&self, context: &Context<'_>) -> Poll<()> {
        if lock(&self.world).as_ref().is_none_or(World::is_over) {
            return Poll::Ready(());
        }
        *lock(&self.over) = Some(context.waker().clone());
        Poll::Pending
    }
}

fn push(queue: &Shared<Queue>, due: Due) {
    let mut queue = lock(queue);
    queue.heap.push(std::cmp::Reverse(due));
    if let Some(waker) = queue.waker.take() {
        waker.wake();
    }
}

/// The next event of a queue, when it is due.
async fn next(queue: &Shared<Queue>) -> Due {
    loop {
        let head = poll_fn(|context| head_of(queue, context, Micros::MAX)).await;
        if head > now() + SOON {
            // Wakes up for an earlier event, too.
            let mut sleep = pin!(sleep(Duration::from_micros(head - now())));
            poll_fn(|context| match head_of(queue, context, head) {
                Poll::Ready(_) => Poll::Ready(()),
                Poll::Pending => sleep.as_mut().poll(context),
            })
            .await;
            continue;
        }
        if let Some(std::cmp::Reverse(due)) = lock(queue).heap.pop() {
            return due;
        }
    }
}

/// When the first event before `limit` is due; waits for one.
fn head_of(queue: &Shared<Queue>, context: &Context<'_>, limit: Micros) -> Poll<Micros> {
    let mut queue = lock(queue);
    if let Some(due) = queue.heap.peek().filter(|due| due.0.at < limit) {
        return Poll::Ready(due.0.at);
    }
    queue.waker = Some(context.waker().clone());
    Poll::Pending
}

async fn wait_until(at: Micros) {
    if at > now() + SOON {
        sleep(Duration::from_micros(at - now())).await;
    }
}

fn now() -> Micros {
    TimeHandle::current().elapsed().as_micros() as Micros
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
