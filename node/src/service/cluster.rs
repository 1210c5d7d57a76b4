//! MemberList. Changes of the membership answer Unimplemented.

use std::sync::Arc;

use quorate_core::api::etcdserverpb::{MemberListRequest, MemberListResponse};
use tonic::{Request, Response, Status, async_trait};

use crate::rpc::etcdserverpb::cluster_server;
use crate::serve::replica::Replica;
use crate::service::{check_leader, status};

/// The service of members.
pub struct Cluster(pub Arc<Replica>);

#[async_trait]
impl cluster_server::Cluster for Cluster {
    async fn member_list(
        &self,
        request: Request<MemberListRequest>,
    ) -> Result<Response<MemberListResponse>, Status> {
        check_leader(request.metadata(), &self.0)?;
        if request.into_inner().linearizable {
            self.0.confirm().await.map_err(status)?;
        }
        let members = self.0.store().members().to_vec();
        // Answers of this service carry no revision (CL-4).
        Ok(Response::new(MemberListResponse { header: Some(self.0.header().at(0)), members }))
    }
}
