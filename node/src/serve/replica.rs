//! The member as its services see it: ask consensus, wait, read the store.
//!
//! ```text
//!   propose:   place in the table --> inbox --> ... applied --> the answer
//!   confirm:   place in the table --> inbox --> ... Readable --> read the store, now
//! ```
//! Long reads take the store's lock once per bounded step; the cursor pins their revision.
//!
//! Not here: what is right. Requests are checked, routed, timed out and answered by core.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use quorate_core::actors::Answer;
use quorate_core::api::etcdserverpb::{RangeRequest, RangeResponse};
use quorate_core::api::{Failure, Header, Refusal, Response, Unavailable};
use quorate_core::member::Input;
use quorate_core::request::Request;
use quorate_core::store::{Step, Store};
use quorate_core::types::RequestId;
use quorate_core::wal::Identity;

use crate::serve::mailbox::{Haste, Mailbox};
use crate::serve::metrics::Metrics;
use crate::serve::vitals::Vitals;
use crate::serve::waiters::Waiters;

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
    /// What is counted.
    pub metrics: Arc<Metrics>,
    store: RwLock<Store>,
}

impl Replica {
    /// Puts a member together.
    pub fn new(identity: Identity, waiters: Waiters, vitals: Vitals, store: Store) -> Self {
        let (inbox, metrics) = (Mailbox::new(INBOX), Arc::default());
        Self { identity, inbox, waiters, vitals, metrics, store: RwLock::new(store) }
    }

    /// The store, for a short look.
    pub fn store(&self) -> RwLockReadGuard<'_, Store> {
        self.store.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store, for the apply thread.
    pub fn store_mut(&self) -> RwLockWriteGuard<'_, Store> {
        self.store.write().unwrap_or_else(PoisonError::into_inner)
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
            Answer::Readable | Answer::Lease(_) => unreachable!("{id} proposed a command"),
        }
    }

    /// Waits until the store holds everything that was committed when this was called.
    pub async fn confirm(&self) -> Result<(), Failure> {
        let place = self.waiters.begin()?;
        let id = place.id();
        self.send(id, Request::Read)?;
        match place.answer().await {
            Answer::Readable => Ok(()),
            Answer::Failed(unavailable) => Err(unavailable.into()),
            Answer::Applied(_) | Answer::Lease(_) => unreachable!("{id} asked to read"),
        }
    }

    /// Reads a range, after a confirmation unless the local store will do. The header of the
    /// answer is complete.
    pub async fn range(&self, request: &RangeRequest) -> Result<RangeResponse, Failure> {
        if !self.waiters.may_read_locally(request.serializable) {
            self.confirm().await?;
        }
        let mut cursor = None;
        loop {
            let step = self.store().range(request, cursor.take(), KEYS_PER_STEP)?;
            match step {
                Step::Done(mut response) => {
                    self.header().complete(&mut response.header);
                    return Ok(response);
                }
                Step::More(next) => cursor = Some(next),
            }
            tokio::task::yield_now().await;
        }
    }

    fn send(&self, id: RequestId, request: Request) -> Result<(), Unavailable> {
        let haste = match request {
            // It would only wait for the disk.
            Request::Propose(_) => Haste::Patient,
            Request::Read | Request::KeepAlive(_) | Request::TimeToLive(_) => Haste::Pressing,
        };
        let sent = self.inbox.offer(Input::Request(id, request), haste);
        sent.map_err(|_| Unavailable::TooManyRequests)
    }
}
