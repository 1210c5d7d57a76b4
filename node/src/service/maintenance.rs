//! Status, Hash and HashKV: always answered by the asked member itself, with or without a leader
//! (MA-4). Alarm: its list, which is empty, since nothing raises alarms. MoveLeader: core says who
//! may lead, and when it does.

use std::sync::Arc;

use quorate_core::api::etcdserverpb::alarm_request::AlarmAction;
use quorate_core::api::etcdserverpb::{
    AlarmRequest, AlarmResponse, DowngradeInfo, HashKvRequest, HashKvResponse, HashRequest,
    HashResponse, MoveLeaderRequest, MoveLeaderResponse, StatusRequest, StatusResponse,
};
use quorate_core::types::NodeId;
use tonic::{Request, Response, Status, async_trait};

use crate::rpc::etcdserverpb::maintenance_server;
use crate::serve::replica::Replica;
use crate::serve::version;
use crate::service::{NO_LEADER, QUOTA_BYTES, check_leader, status};

/// The service of operators.
pub struct Maintenance(pub Arc<Replica>);

#[async_trait]
impl maintenance_server::Maintenance for Maintenance {
    async fn status(
        &self,
        request: Request<StatusRequest>,
    ) -> Result<Response<StatusResponse>, Status> {
        check_leader(request.metadata(), &self.0)?;
        // The store first: what it has applied was committed in any later view.
        let store = self.0.store();
        let view = self.0.vitals.view();
        let errors = view.leader.is_none().then(|| NO_LEADER.to_owned());
        Ok(Response::new(StatusResponse {
            header: Some(self.0.header().at(store.revision())),
            version: version::ETCD.to_owned(),
            db_size: signed(store.size()),
            leader: view.leader.map_or(0, |leader| leader.0),
            raft_index: view.commit.0,
            raft_term: view.term.0,
            raft_applied_index: store.applied().index.0,
            errors: errors.into_iter().collect(),
            db_size_in_use: signed(store.size_in_use()),
            is_learner: false,
            storage_version: version::STORAGE.to_owned(),
            db_size_quota: QUOTA_BYTES,
            downgrade_info: Some(DowngradeInfo::default()),
        }))
    }

    async fn move_leader(
        &self,
        request: Request<MoveLeaderRequest>,
    ) -> Result<Response<MoveLeaderResponse>, Status> {
        let target = NodeId(request.get_ref().target_id);
        self.0.move_leader(target).await.map_err(status)?;
        Ok(Response::new(MoveLeaderResponse { header: None }))
    }

    async fn hash(&self, request: Request<HashRequest>) -> Result<Response<HashResponse>, Status> {
        check_leader(request.metadata(), &self.0)?;
        let hash = self.0.hash().await.map_err(status)?;
        let header = Some(self.0.header().at(hash.current));
        Ok(Response::new(HashResponse { header, hash: hash.hash }))
    }

    async fn hash_kv(
        &self,
        request: Request<HashKvRequest>,
    ) -> Result<Response<HashKvResponse>, Status> {
        check_leader(request.metadata(), &self.0)?;
        let hash = self.0.hash_kv(request.get_ref().revision).await.map_err(status)?;
        Ok(Response::new(HashKvResponse {
            header: Some(self.0.header().at(hash.current)),
            hash: hash.hash,
            compact_revision: hash.compacted,
            hash_revision: hash.revision,
        }))
    }

    async fn alarm(
        &self,
        request: Request<AlarmRequest>,
    ) -> Result<Response<AlarmResponse>, Status> {
        check_leader(request.metadata(), &self.0)?;
        if request.get_ref().action != AlarmAction::Get as i32 {
            return Err(Status::unimplemented("alarms can be listed, not raised or disarmed"));
        }
        let header = self.0.header().at(self.0.store().revision());
        Ok(Response::new(AlarmResponse { header: Some(header), alarms: Vec::new() }))
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
