//! The member as its services see it: ask consensus, wait, read the store.
//!
//! ```text
//!   propose:   place in the table --> inbox --> ... applied --> the answer
//!   confirm:   place in the table --> inbox --> ... Readable --> read the store, now
//! ```
//! Long reads take the store's lock once per bounded step; the cursor pins their revision.
//!
//! Not here: what is right. Requests are checked, routed, timed out and answered by core.

use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use quorate_core::actors::Answer;
use quorate_core::api::etcdserverpb::{RangeRequest, TxnRequest, TxnResponse};
use quorate_core::api::{Failure, Header, Refusal, Response, Unavailable};
use quorate_core::member::{Config, Input};
use quorate_core::request::{Request, TxnKind};
use quorate_core::store::{Found, HashStep, Held, KvHash, Step, Store, TxnStep};
use quorate_core::types::{LeaseLife, NodeId, RequestId, Seconds};
use quorate_core::wal::Identity;

use crate::serve::consensus::TICK;
use crate::serve::hub::Watchers;
use crate::serve::mailbox::{Haste, Mailbox};
use crate::serve::metrics::Metrics;
use crate::serve::vitals::Vitals;
use crate::serve::waiters::{Place, Waiters};

/// Inputs from outside that may wait for consensus.
const INBOX: usize = 65_536;
/// Keys read under one lock.
const KEYS_PER_STEP: usize = 1000;

/// One member, shared by all its threads and services.
pub struct Replica {
    /// Which member of which cluster.
    pub identity: Identity,
    /// What goes into consensus.
    pub inbox: Mailbox<Input>,
    /// Who waits for an answer.
    pub waiters: Waiters,
    /// What consensus shows of itself.
    pub vitals: Vitals,
    /// Those who are told of changes.
    pub watchers: Arc<Watchers>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The shortest TTL that a client may be granted.
    pub lease_floor: Seconds,
    /// How long streams of clients that ask for a leader go on without one (NL-2).
    pub leaderless: Duration,
    store: RwLock<Store>,
    /// Answers that wait for removal to be durable.
    held: Mutex<Held<Answer>>,
}

/// A question about a lease that is on its way.
pub struct Inquiry<'a>(Place<'a>);

impl Inquiry<'_> {
    /// What the leader knows of the lease; none if there is none. It comes once, and a wait that is
    /// given up may be taken up again.
    pub async fn answer(&mut self) -> Result<Option<LeaseLife>, Failure> {
        match self.0.answer().await {
            Answer::Lease(life) => Ok(life),
            Answer::Failed(unavailable) => Err(unavailable.into()),
            Answer::Readable | Answer::Applied(_) | Answer::Moved => {
                unreachable!("{} asked about a lease", self.0.id())
            }
        }
    }
}

impl Replica {
    /// Puts a member together.
    pub fn new(config: &Config, waiters: Waiters, vitals: Vitals, store: Store) -> Self {
        let mut held = Held::default();
        held.synced(store.removed());
        Self {
            identity: Identity { cluster: config.cluster, member: config.id },
            inbox: Mailbox::new(INBOX),
            waiters,
            vitals,
            watchers: Arc::new(Watchers::new()),
            metrics: Arc::default(),
            lease_floor: config.lease_floor(),
            leaderless: TICK * 3 * u32::try_from(config.election.0).unwrap_or(u32::MAX / 3),
            store: RwLock::new(store),
            held: Mutex::new(held),
        }
    }

    /// The store, for a short look.
    pub fn store(&self) -> RwLockReadGuard<'_, Store> {
        self.store.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store, for the apply thread.
    pub fn store_mut(&self) -> RwLockWriteGuard<'_, Store> {
        self.store.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is held back, then answers those who need not wait any more.
    pub fn hold_back<T>(&self, change: impl FnOnce(&mut Held<Answer>) -> T) -> T {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut held);
        let due = held.release();
        drop(held);
        self.waiters.answer(due);
        result
    }

    /// The response header of this moment, but for the revision.
    pub fn header(&self) -> Header {
        let Identity { cluster, member } = self.identity;
        Header { cluster, member, term: self.vitals.term() }
    }

    /// Has a command agreed on and applied. `make` checks it and encodes it under its id.
    pub async fn propose(
        &self,
        make: impl FnOnce(RequestId) -> Result<Request, Refusal>,
    ) -> Result<Response, Failure> {
        let mut place = self.waiters.begin()?;
        let id = place.id();
        let request = make(id)?;
        if let Request::Propose(command) = &request {
            place.reserve(command.len())?;
        }
        self.send(id, request)?;
        match place.answer().await {
            Answer::Applied(result) => Ok(result?),
            Answer::Failed(unavailable) => Err(unavailable.into()),
            Answer::Readable | Answer::Lease(_) | Answer::Moved => {
                unreachable!("{id} proposed a command")
            }
        }
    }

    /// Waits until the store holds everything that was committed when this was called.
    pub async fn confirm(&self) -> Result<(), Failure> {
        let mut place = self.waiters.begin()?;
        let id = place.id();
        self.send(id, Request::Read)?;
        match place.answer().await {
            Answer::Readable => Ok(()),
            Answer::Failed(unavailable) => Err(unavailable.into()),
            Answer::Applied(_) | Answer::Lease(_) | Answer::Moved => {
                unreachable!("{id} asked to read")
            }
        }
    }

    /// Asks the leader about a lease, or to renew it.
    pub fn inquire(&self, wish: Request) -> Result<Inquiry<'_>, Failure> {
        let place = self.waiters.begin()?;
        self.send(place.id(), wish)?;
        Ok(Inquiry(place))
    }

    /// Has another member lead (MA-8).
    pub async fn move_leader(&self, target: NodeId) -> Result<(), Failure> {
        self.have_moved(Request::MoveLeader(target)).await
    }

    /// Has any other member lead.
    pub async fn resign(&self) -> Result<(), Failure> {
        self.have_moved(Request::Resign).await
    }

    async fn have_moved(&self, request: Request) -> Result<(), Failure> {
        let mut place = self.waiters.begin()?;
        let id = place.id();
        self.send(id, request)?;
        match place.answer().await {
            Answer::Moved => Ok(()),
            Answer::Failed(unavailable) => Err(unavailable.into()),
            Answer::Readable | Answer::Applied(_) | Answer::Lease(_) => {
                unreachable!("{id} asked for another leader and got something else")
            }
        }
    }

    /// Reads a range, after a confirmation unless the local store will do.
    pub async fn range(&self, request: &RangeRequest) -> Result<Found, Failure> {
        if !self.waiters.may_read_locally(request.serializable) {
            self.confirm().await?;
        }
        let mut cursor = None;
        loop {
            let step = self.store().find(request, cursor.take(), KEYS_PER_STEP)?;
            match step {
                Step::Done(found) => return Ok(found),
                Step::More(next) => cursor = Some(next),
            }
            tokio::task::yield_now().await;
        }
    }

    /// Carries out a transaction that only reads. The header of the answer is complete.
    pub async fn read_txn(&self, txn: &TxnRequest, kind: TxnKind) -> Result<TxnResponse, Failure> {
        if !self.waiters.may_read_locally(kind == TxnKind::SerializableRead) {
            self.confirm().await?;
        }
        let mut cursor = None;
        loop {
            let step = self.store().read_txn(txn, cursor.take(), KEYS_PER_STEP)?;
            match step {
                TxnStep::Done(mut response) => {
                    self.header().complete(&mut response.header);
                    return Ok(response);
                }
                TxnStep::More(next) => cursor = Some(next),
            }
            tokio::task::yield_now().await;
        }
    }

    /// Hashes the key space up to a revision, in bounded steps.
    pub async fn hash_kv(&self, revision: i64) -> Result<KvHash, Refusal> {
        let mut cursor = None;
        loop {
            let step = self.store().hash_kv(revision, cursor.take(), KEYS_PER_STEP)?;
            match step {
                HashStep::Done(hash) => return Ok(hash),
                HashStep::More(next) => cursor = Some(next),
            }
            tokio::task::yield_now().await;
        }
    }

    /// Hashes everything that this member stores, in bounded steps.
    pub async fn hash(&self) -> Result<KvHash, Refusal> {
        let mut cursor = None;
        loop {
            let step = self.store().hash_stored(cursor.take(), KEYS_PER_STEP)?;
            match step {
                HashStep::Done(hash) => return Ok(hash),
                HashStep::More(next) => cursor = Some(next),
            }
            tokio::task::yield_now().await;
        }
    }

    fn send(&self, id: RequestId, request: Request) -> Result<(), Unavailable> {
        let haste = match request {
            // It would only wait for the disk.
            Request::Propose(_) => Haste::Patient,
            Request::Read
            | Request::KeepAlive(_)
            | Request::TimeToLive(_)
            | Request::MoveLeader(_)
            | Request::Resign => Haste::Pressing,
        };
        let sent = self.inbox.offer(Input::Request(id, request), haste);
        sent.map_err(|_| Unavailable::TooManyRequests)
    }
}
