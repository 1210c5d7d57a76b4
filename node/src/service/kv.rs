//! Put, Range, DeleteRange. Txn and Compact answer Unimplemented.

use std::sync::Arc;

use quorate_core::api::etcdserverpb::{
    DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse, RangeRequest, RangeResponse,
};
use quorate_core::api::{Failure, Response as Applied};
use quorate_core::request::{self, MAX_REQUEST_BYTES};
use tonic::{Request, Response, Status, async_trait};

use crate::rpc::etcdserverpb::kv_server;
use crate::serve::replica::Replica;
use crate::service::{check_leader, count_failure, status};

/// The service of keys and values.
pub struct Kv(pub Arc<Replica>);

#[async_trait]
impl kv_server::Kv for Kv {
    async fn range(
        &self,
        request: Request<RangeRequest>,
    ) -> Result<Response<RangeResponse>, Status> {
        check_leader(request.metadata(), &self.0)?;
        let range = request.into_inner();
        request::check_range(&range).map_err(status)?;
        let metrics = &self.0.metrics;
        metrics.ranges.add(1);
        let response = self.0.range(&range).await;
        let counted = |failure| count_failure(failure, &metrics.failed_confirmations);
        response.map(Response::new).map_err(counted).map_err(status)
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
}

impl Kv {
    fn failed(&self, failure: Failure) -> Status {
        status(count_failure(failure, &self.0.metrics.failed_proposals))
    }
}

/// One id, one request, one kind of answer: anything else is a bug, and ends the process.
fn astray(asked: &str) -> ! {
    panic!("a {asked} got the answer of another request")
}
