//! The floor: a gRPC server that answers puts and reads with a fixed answer and stores nothing.
//!
//! It stands on the same libraries as the real server, so what a load costs against it is what
//! HTTP/2 and protobuf cost; only the rest belongs to the store.

use std::net::SocketAddr;

use bytes::Bytes;
use quorate_core::api::etcdserverpb::{
    PutRequest, PutResponse, RangeRequest, RangeResponse, ResponseHeader,
};
use quorate_core::api::mvccpb::KeyValue;
use tonic::{Request, Response, Status};

use crate::answer::RangeAnswer;
use crate::rpc::etcdserverpb::kv_server::{Kv, KvServer};

struct Echo {
    value: Bytes,
}

/// Serves until the process ends.
pub async fn serve(listen: SocketAddr, value_size: usize) -> Result<(), String> {
    let echo = Echo { value: vec![b'v'; value_size].into() };
    println!("echo server on {listen}, values of {value_size} bytes");
    tonic::transport::Server::builder()
        .tcp_nodelay(true)
        .max_concurrent_streams(u32::MAX)
        .add_service(KvServer::new(echo))
        .serve(listen)
        .await
        .map_err(|why| format!("cannot serve on {listen}: {}", super::whole_story(&why)))
}

fn header() -> Option<ResponseHeader> {
    Some(ResponseHeader { cluster_id: 1, member_id: 1, revision: 1_000_000, raft_term: 2 })
}

#[tonic::async_trait]
impl Kv for Echo {
    async fn put(&self, _: Request<PutRequest>) -> Result<Response<PutResponse>, Status> {
        Ok(Response::new(PutResponse { header: header(), prev_kv: None }))
    }

    async fn range(&self, request: Request<RangeRequest>) -> Result<Response<RangeAnswer>, Status> {
        let pair = KeyValue {
            key: request.into_inner().key,
            value: self.value.clone(),
            create_revision: 1_000_000,
            mod_revision: 1_000_000,
            version: 1,
            lease: 0,
        };
        Ok(Response::new(RangeAnswer::Message(RangeResponse {
            header: header(),
            kvs: vec![pair],
            more: false,
            count: 1,
        })))
    }
}
