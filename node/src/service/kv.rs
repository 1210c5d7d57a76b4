//! Range, Put, DeleteRange, Txn, Compact.

use std::sync::Arc;

use quorate_core::api::etcdserverpb::{
    CompactionRequest, CompactionResponse, DeleteRangeRequest, DeleteRangeResponse, PutRequest,
    PutResponse, RangeRequest, TxnRequest, TxnResponse,
};
use quorate_core::api::{Failure, Response as Applied};
use quorate_core::request::{self, MAX_REQUEST_BYTES, TxnKind};
use tonic::{Request, Response, Status, async_trait};

use crate::answer::RangeAnswer;
use crate::rpc::etcdserverpb::kv_server;
use crate::serve::replica::Replica;
use crate::service::{check_leader, count_failure, status};

/// The service of keys and values.
pub struct Kv(pub Arc<Replica>);

#[async_trait]
impl kv_server::Kv for Kv {
    async fn range(&self, request: Request<RangeRequest>) -> Result<Response<RangeAnswer>, Status> {
        check_leader(request.metadata(), &self.0)?;
        let range = request.into_inner();
        request::check_range(&range).map_err(status)?;
        let metrics = &self.0.metrics;
        metrics.ranges.add(1);
        let found = self.0.range(&range).await;
        let counted = |failure| count_failure(failure, &metrics.failed_confirmations);
        let found = found.map_err(counted).map_err(status)?;
        let header = self.0.header().at(found.revision());
        Ok(Response::new(RangeAnswer::Found(found, header)))
    }

    async fn put(&self, request: Request<PutRequest>) -> Result<Response<PutResponse>, Status> {
        check_leader(request.metadata(), &self.0)?;
        let put = request.into_inner();
        let applied = self.0.propose(|id| request::put(id, put, MAX_REQUEST_BYTES)).await;
        let Applied::Put(mut response) = applied.map_err(|failure| self.failed(failure))? else {
            astray("put")
        };
        self.0.header().complete(&mut response.header);
        Ok(Response::new(response))
    }

    async fn delete_range(
        &self,
        request: Request<DeleteRangeRequest>,
    ) -> Result<Response<DeleteRangeResponse>, Status> {
        check_leader(request.metadata(), &self.0)?;
        let delete = request.into_inner();
        let applied =
            self.0.propose(|id| request::delete_range(id, delete, MAX_REQUEST_BYTES)).await;
        let applied = applied.map_err(|failure| self.failed(failure))?;
        let Applied::DeleteRange(mut response) = applied else { astray("delete") };
        self.0.header().complete(&mut response.header);
        Ok(Response::new(response))
    }

    async fn txn(&self, request: Request<TxnRequest>) -> Result<Response<TxnResponse>, Status> {
        check_leader(request.metadata(), &self.0)?;
        let txn = request.into_inner();
        let response = match request::txn_kind(&txn) {
            TxnKind::Write => self.write(txn).await,
            kind @ (TxnKind::LinearizableRead | TxnKind::SerializableRead) => {
                self.read(&txn, kind).await
            }
        };
        response.map(Response::new)
    }

    async fn compact(
        &self,
        request: Request<CompactionRequest>,
    ) -> Result<Response<CompactionResponse>, Status> {
        check_leader(request.metadata(), &self.0)?;
        let compaction = request.into_inner();
        let applied =
            self.0.propose(|id| request::compact(id, compaction, MAX_REQUEST_BYTES)).await;
        let applied = applied.map_err(|failure| self.failed(failure))?;
        let Applied::Compact(mut response) = applied else { astray("compaction") };
        self.0.header().complete(&mut response.header);
        Ok(Response::new(response))
    }
}

impl Kv {
    async fn write(&self, txn: TxnRequest) -> Result<TxnResponse, Status> {
        let applied = self.0.propose(|id| request::txn(id, txn, MAX_REQUEST_BYTES)).await;
        let applied = applied.map_err(|failure| self.failed(failure))?;
        let Applied::Txn(mut response) = applied else { astray("transaction") };
        self.0.header().complete(&mut response.header);
        Ok(response)
    }

    async fn read(&self, txn: &TxnRequest, kind: TxnKind) -> Result<TxnResponse, Status> {
        request::check_txn(txn).map_err(status)?;
        let response = self.0.read_txn(txn, kind).await;
        let metrics = &self.0.metrics;
        let counted = |failure| count_failure(failure, &metrics.failed_confirmations);
        let response = response.map_err(counted).map_err(status)?;
        metrics.count_txn(&response);
        Ok(response)
    }

    fn failed(&self, failure: Failure) -> Status {
        status(count_failure(failure, &self.0.metrics.failed_proposals))
    }
}

/// One id, one request, one kind of answer: anything else is a bug, and ends the process.
fn astray(asked: &str) -> ! {
    panic!("a {asked} got the answer of another request")
}
