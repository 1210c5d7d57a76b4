//! LeaseGrant, LeaseRevoke, LeaseKeepAlive, LeaseTimeToLive, LeaseLeases.
//!
//! A keep-alive stream is one task. It puts up to [`IN_FLIGHT`] questions before it waits for the
//! first answer, so that a client with many leases pays one round to the leader for many of them;
//! the answers leave in the order of the questions.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;

use quorate_core::api::etcdserverpb::{
    LeaseGrantRequest, LeaseGrantResponse, LeaseKeepAliveRequest, LeaseKeepAliveResponse,
    LeaseLeasesRequest, LeaseLeasesResponse, LeaseRevokeRequest, LeaseRevokeResponse, LeaseStatus,
    LeaseTimeToLiveRequest, LeaseTimeToLiveResponse,
};
use quorate_core::api::{Failure, Response as Applied, Unavailable};
use quorate_core::request::{self, MAX_REQUEST_BYTES, Request as Wish};
use quorate_core::types::{LeaseId, LeaseLife};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, Streaming, async_trait};

use crate::rpc::etcdserverpb::lease_server;
use crate::serve::replica::{Inquiry, Replica};
use crate::service::{LeaderWatch, check_leader, count_failure, status};

/// Questions of one stream that wait for an answer at a time.
const IN_FLIGHT: usize = 256;
/// Answers that wait for a client to read them.
const UNREAD: usize = 64;

/// The service of leases.
pub struct Lease(pub Arc<Replica>);

#[async_trait]
impl lease_server::Lease for Lease {
    async fn lease_grant(
        &self,
        request: Request<LeaseGrantRequest>,
    ) -> Result<Response<LeaseGrantResponse>, Status> {
        check_leader(request.metadata(), &self.0)?;
        let (grant, floor) = (request.into_inner(), self.0.lease_floor);
        let make = |id| request::lease_grant(id, grant, floor, MAX_REQUEST_BYTES);
        let applied = self.0.propose(make).await.map_err(|failure| self.failed(failure))?;
        let Applied::LeaseGrant(mut response) = applied else { astray("grant") };
        self.0.header().complete(&mut response.header);
        Ok(Response::new(response))
    }

    async fn lease_revoke(
        &self,
        request: Request<LeaseRevokeRequest>,
    ) -> Result<Response<LeaseRevokeResponse>, Status> {
        check_leader(request.metadata(), &self.0)?;
        let revoke = request.into_inner();
        let make = |id| request::lease_revoke(id, revoke, MAX_REQUEST_BYTES);
        let applied = self.0.propose(make).await.map_err(|failure| self.failed(failure))?;
        let Applied::LeaseRevoke(mut response) = applied else { astray("revoke") };
        self.0.header().complete(&mut response.header);
        Ok(Response::new(response))
    }

    async fn lease_keep_alive(
        &self,
        request: Request<Streaming<LeaseKeepAliveRequest>>,
    ) -> Result<Response<BoxStream<LeaseKeepAliveResponse>>, Status> {
        check_leader(request.metadata(), &self.0)?;
        let leader = LeaderWatch::new(request.metadata(), &self.0);
        let (answers, stream) = mpsc::channel(UNREAD);
        let replica = Arc::clone(&self.0);
        let requests = request.into_inner();
        tokio::spawn(async move {
            if let Err(status) = keep_alive(&replica, requests, leader, &answers).await {
                // If the client has gone, nobody wants to know why the stream ends.
                let _ = answers.send(Err(status)).await;
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }

    async fn lease_time_to_live(
        &self,
        request: Request<LeaseTimeToLiveRequest>,
    ) -> Result<Response<LeaseTimeToLiveResponse>, Status> {
        check_leader(request.metadata(), &self.0)?;
        let LeaseTimeToLiveRequest { id, keys } = request.into_inner();
        let life = self.0.inquire(Wish::TimeToLive(LeaseId(id))).map_err(status)?.answer().await;
        let life = life.map_err(status)?;
        let mut response = self.0.store().time_to_live(LeaseId(id), life, keys);
        self.0.header().complete(&mut response.header);
        Ok(Response::new(response))
    }

    async fn lease_leases(
        &self,
        request: Request<LeaseLeasesRequest>,
    ) -> Result<Response<LeaseLeasesResponse>, Status> {
        check_leader(request.metadata(), &self.0)?;
        let store = self.0.store();
        let leases = store.leases().map(|(id, _)| LeaseStatus { id: id.0 }).collect();
        let header = Some(self.0.header().at(store.revision()));
        Ok(Response::new(LeaseLeasesResponse { header, leases }))
    }
}

impl Lease {
    fn failed(&self, failure: Failure) -> Status {
        status(count_failure(failure, &self.0.metrics.failed_proposals))
    }
}

/// Serves one stream until the client ends it, goes away, or an answer is a failure.
async fn keep_alive(
    replica: &Replica,
    mut requests: Streaming<LeaseKeepAliveRequest>,
    leader: LeaderWatch,
    answers: &mpsc::Sender<Result<LeaseKeepAliveResponse, Status>>,
) -> Result<(), Status> {
    let mut waiting: VecDeque<(i64, Inquiry<'_>)> = VecDeque::new();
    let mut open = true;
    let mut lost = pin!(leader.lost());
    let mut stopped = pin!(replica.waiters.stopped());
    while open || !waiting.is_empty() {
        let (room, head) = (waiting.len() < IN_FLIGHT, waiting.front_mut());
        tokio::select! {
            request = requests.message(), if open && room => match request? {
                Some(LeaseKeepAliveRequest { id }) => {
                    let wish = Wish::KeepAlive(LeaseId(id));
                    waiting.push_back((id, replica.inquire(wish).map_err(status)?));
                }
                None => open = false,
            },
            (id, life) = first(head) => {
                waiting.pop_front();
                let life = life.map_err(status)?;
                if answers.send(Ok(renewed(replica, id, life))).await.is_err() {
                    break; // The client has gone.
                }
            }
            gone = &mut lost => return Err(gone),
            () = &mut stopped => return Err(status(Unavailable::Stopped)),
        }
    }
    Ok(())
}

/// The answer to the oldest question; never, if there is none.
async fn first(head: Option<&mut (i64, Inquiry<'_>)>) -> (i64, Result<Option<LeaseLife>, Failure>) {
    match head {
        Some((id, inquiry)) => (*id, inquiry.answer().await),
        None => std::future::pending().await,
    }
}

/// A lease that is gone has a TTL of 0 (LE-9).
fn renewed(replica: &Replica, id: i64, life: Option<LeaseLife>) -> LeaseKeepAliveResponse {
    let header = Some(replica.header().at(replica.store().revision()));
    LeaseKeepAliveResponse { header, id, ttl: life.map_or(0, |life| life.granted.0) }
}

/// One id, one request, one kind of answer: anything else is a bug, and ends the process.
fn astray(asked: &str) -> ! {
    panic!("a {asked} got the answer of another request")
}
