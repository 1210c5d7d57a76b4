//! How a driver strings the machines together: the same code for the server's threads and for the
//! simulator's actors, so that batching and routing are under test as well.
//!
//! ```text
//!   inputs ==drain==> Consensus --writes--> Wal::plan --file operations--> receipt --+
//!     ^                  |   |                                                       |
//!     |                  |   +--apply--> Applier --answers--> Waiters                |
//!     |                  |                  |   --rows-----> Image (durable copy)    |
//!     |                  +--sends, answers  |                                        |
//!     |                  +--orders--> Courier: snapshots, to and from other members --+
//!     +---------------------applied---------+----------------------------------------+
//! ```
//!
//! Beside them, the watchers: what the applier changed goes to `Watching`, and from there to
//! streams (`actors/watching.rs`).
//!
//! Not here: threads, channels, sockets (`node/src/serve/`), virtual time (`sim/`).

mod watching;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::api::{Refusal, Response, Unavailable};
use crate::courier::Order;
use crate::member::{Config, Input, Member, Output};
use crate::raft::{Entry, Envelope, Start, View};
use crate::store::{Fact, Held, Row, Store, Written};
use crate::types::{LeaseLife, LogId, NodeId, RequestId};
use crate::wal::{Recovered, Write};

pub use self::watching::{Dispatch, Glance, Watching};

/// What a waiting client gets.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// A linearizable read may look at the store now.
    Readable,
    /// The store's answer to an applied command.
    Applied(Result<Response, Refusal>),
    /// What the leader knows of the lease that was asked about or renewed; none if there is none.
    Lease(Option<LeaseLife>),
    /// This member gave up; unless the reason says otherwise, the request may still take effect.
    Failed(Unavailable),
    /// Another member leads, as was wished.
    Moved,
}

/// Consensus as an actor: takes in all that waits, then lets out one round.
#[derive(Debug)]
pub struct Consensus {
    member: Member,
    outputs: Vec<Output>,
}

/// What one drain of a consensus actor leads to.
#[derive(Debug, Default)]
pub struct Round {
    /// For the log: one plan, one sync, one receipt.
    pub writes: Vec<Write>,
    /// For the peers. None of them relies on the writes above.
    pub sends: Vec<Envelope>,
    /// For the applier, before any entry: a received snapshot that takes the store's place.
    pub install: Option<LogId>,
    /// For the applier, in order.
    pub apply: Vec<Entry>,
    /// For the courier, in order.
    pub orders: Vec<Order>,
    /// For the waiters.
    pub answers: Vec<(RequestId, Answer)>,
}

impl Consensus {
    /// Wraps a member.
    #[must_use]
    pub fn new(member: Member) -> Self {
        Self { member, outputs: Vec::new() }
    }

    /// Takes all inputs in, in order, and lets out what follows from them together.
    pub fn drain(&mut self, inputs: impl IntoIterator<Item = Input>) -> Round {
        for input in inputs {
            self.member.handle(input);
        }
        self.member.flush(&mut self.outputs);
        let mut round = Round::default();
        for output in self.outputs.drain(..) {
            match output {
                Output::Persist(write) => round.writes.push(write),
                Output::Send(envelope) => round.sends.push(envelope),
                Output::Apply(group) => round.apply.extend(group.entries),
                Output::Readable(id) => round.answers.push((id, Answer::Readable)),
                Output::Lease(id, life) => round.answers.push((id, Answer::Lease(life))),
                Output::Reply(id, why) => round.answers.push((id, Answer::Failed(why))),
                Output::Moved(id) => round.answers.push((id, Answer::Moved)),
                Output::Install(snapshot) => {
                    assert!(round.apply.is_empty() && round.install.is_none(), "J3: {snapshot}");
                    round.install = Some(snapshot);
                }
                Output::Capture { shipment, offset } => {
                    round.orders.push(Order::Capture { shipment, offset });
                }
                Output::Release(shipment) => round.orders.push(Order::Release(shipment)),
                Output::Keep(piece) => round.orders.push(Order::Keep(piece)),
                Output::Forget(snapshot) => round.orders.push(Order::Forget(snapshot)),
            }
        }
        round
    }

    /// Whether an [`Input::Applied`] without facts should be handed in at once
    /// ([`Member::awaits_store`]).
    #[must_use]
    pub fn awaits_store(&self) -> bool {
        self.member.awaits_store()
    }

    /// What invariants and metrics may look at.
    #[must_use]
    pub fn view(&self) -> View {
        self.member.view()
    }
}

/// What applying some entries led to.
#[derive(Debug, Default)]
pub struct Effects {
    /// For the waiters; those of other members' clients find nobody.
    pub answers: Vec<(RequestId, Answer)>,
    /// For those waiters who get theirs when removal is durable.
    pub held: Held<Answer>,
    /// For the durable copy, in order.
    pub rows: Vec<Row>,
    /// For the watchers, in order: a whole number of transactions.
    pub events: Vec<Written>,
    /// For consensus, in order.
    pub facts: Vec<Fact>,
}

/// Applies entries in order. The caller holds the store's only mutable borrow meanwhile, tells the
/// waiters after it has let go of it, and hands [`Input::Applied`] back last, with the facts.
pub fn apply(store: &mut Store, entries: &[Entry]) -> Effects {
    let mut effects = Effects::default();
    for entry in entries {
        let applied = store.apply(entry);
        effects.rows.extend(applied.rows);
        effects.events.extend(applied.events);
        effects.facts.extend(applied.facts);
        if let Some((id, result)) = applied.reply {
            let answer = Answer::Applied(result);
            match applied.awaits {
                None => effects.answers.push((id, answer)),
                Some(mark) => effects.held.hold(mark, id, answer),
            }
        }
    }
    effects
}

/// Puts a received snapshot in the place of the store. The caller holds the store's only mutable
/// borrow meanwhile, and hands [`Input::Applied`] back, with the facts. The former store comes back
/// to be dropped without the borrow; rows of it that wait to be written are void.
pub fn install(store: &mut Store, snapshot: Store) -> (Store, Input) {
    let (before, id) = (store.applied(), snapshot.applied());
    assert!(id.index > before.index, "J2: a snapshot of {id} for a store at {before}");
    let former = core::mem::replace(store, snapshot);
    (former, Input::Applied { id, facts: store.facts() })
}

/// The clients that wait for an answer. Whoever takes a request out answers it: the first answer
/// counts, later ones find nobody (invariant M2 of `member.rs`).
///
/// The table also knows whether this life of the member has caught up with its earlier ones. A
/// restarted store is behind what it has shown before, so until the first answer that consensus
/// gave in this life, even a serializable read asks consensus: one member never shows its clients
/// an older state than before (semantics KV-22).
#[derive(Debug)]
pub struct Waiters<T> {
    member: NodeId,
    boot: u64,
    next: u64,
    waiting: BTreeMap<u64, T>,
    caught_up: bool,
}

impl<T> Waiters<T> {
    /// The waiters of one life of a member.
    #[must_use]
    pub fn new(member: NodeId, boot: u64) -> Self {
        Self { member, boot, next: 1, waiting: BTreeMap::new(), caught_up: false }
    }

    /// A fresh id, for a request that nobody waits for yet.
    pub fn id(&mut self) -> RequestId {
        let n = self.next;
        self.next += 1;
        RequestId { member: self.member, boot: self.boot, n }
    }

    /// Someone waits for `id`.
    pub fn wait(&mut self, id: RequestId, waiter: T) {
        assert!(self.is_ours(id), "{id} is not of this life");
        self.waiting.insert(id.n, waiter);
    }

    /// Takes out whoever gets this answer. Nobody: it is another member's client, or was answered.
    pub fn answer(&mut self, id: RequestId, answer: &Answer) -> Option<T> {
        let of_consensus = matches!(answer, Answer::Readable | Answer::Applied(_));
        self.caught_up |= of_consensus && self.is_ours(id);
        self.take(id)
    }

    /// Whether a read that asks for no more may look at the local store at once.
    #[must_use]
    pub fn may_read_locally(&self, serializable: bool) -> bool {
        serializable && self.caught_up
    }

    /// Takes out whoever waits for `id`, because nobody will any more.
    pub fn take(&mut self, id: RequestId) -> Option<T> {
        if self.is_ours(id) { self.waiting.remove(&id.n) } else { None }
    }

    /// Takes out everybody.
    pub fn take_all(&mut self) -> Vec<T> {
        core::mem::take(&mut self.waiting).into_values().collect()
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn is_ours(&self, id: RequestId) -> bool {
        id.member == self.member && id.boot == self.boot
    }
}

/// Starts a member from what its disk holds, if log and store fit together. Otherwise says what
/// does not, and what would be right.
pub fn start(config: Config, recovered: &mut Recovered, store: &Store) -> Result<Member, String> {
    let applied = store.applied();
    let (base, last) = (recovered.base, recovered.entries.last().map_or(recovered.base, Entry::id));
    if applied.index < base.index {
        return Err(format!(
            "the store ends at entry {applied}, but the log begins behind entry {base}: the entries \
             between are gone; restore the store's directory or add this member anew"
        ));
    }
    if applied.index > last.index {
        return Err(format!(
            "the store holds entry {applied}, but the log ends at entry {last}: acknowledged entries \
             are missing from the log; restore the log's directory or add this member anew"
        ));
    }
    let at = applied.index.0.checked_sub(base.index.0 + 1).and_then(|at| usize::try_from(at).ok());
    let term = at.and_then(|at| recovered.entries.get(at)).map_or(base.term, |entry| entry.term);
    if term != applied.term {
        return Err(format!(
            "the store holds entry {applied}, but the log has term {term} in that place: the two are \
             not of one member; restore both from one copy"
        ));
    }
    let entries = core::mem::take(&mut recovered.entries);
    let mut member = Member::new(config, Start { hard: recovered.hard, base, entries, applied });
    member.handle(Input::Applied { id: applied, facts: store.facts() });
    Ok(member)
}
