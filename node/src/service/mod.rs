//! The gRPC services: one file each, and no logic in them. A service asks the core whether a
//! request is well formed, hands it to consensus, and puts the answer into etcd's words.

pub mod cluster;
pub mod kv;
pub mod lease;
pub mod maintenance;
pub mod watch;

use std::future::pending;
use std::time::Duration;

use quorate_core::api::{Code, Failure, Unavailable};
use quorate_core::types::NodeId;
use tokio::sync::watch::Receiver;
use tokio::time::timeout;
use tonic::metadata::MetadataMap;
use tonic::{Code as GrpcCode, Status};

use crate::serve::replica::Replica;

/// The quota in force: etcd's default of 2 GiB.
pub const QUOTA_BYTES: i64 = 2 << 30;

/// How a failure travels.
pub fn status(failure: impl Into<Failure>) -> Status {
    let (code, text) = failure.into().status();
    Status::new(grpc(code), text)
}

/// A client may ask not to be served by a member that knows no leader (NL-2).
pub fn check_leader(metadata: &MetadataMap, replica: &Replica) -> Result<(), Status> {
    if asks_for_leader(metadata) && replica.vitals.view().leader.is_none() {
        return Err(Status::unavailable(NO_LEADER));
    }
    Ok(())
}

/// Ends the streams of clients that want to be served only while there is a leader.
pub struct LeaderWatch {
    /// None if this client does not care.
    leader: Option<Receiver<Option<NodeId>>>,
    patience: Duration,
}

impl LeaderWatch {
    /// Reads what the client wants (NL-2).
    pub fn new(metadata: &MetadataMap, replica: &Replica) -> Self {
        let leader = asks_for_leader(metadata).then(|| replica.vitals.leader());
        Self { leader, patience: replica.leaderless }
    }

    /// Waits until there has been no leader for too long; for ever, if the client does not care.
    pub async fn lost(self) -> Status {
        let Some(mut leader) = self.leader else { return pending().await };
        loop {
            let gone = leader.wait_for(Option::is_none).await.is_err();
            let back = timeout(self.patience, leader.wait_for(Option::is_some)).await;
            // Without a sender the member has stopped.
            if gone || back.is_err() {
                return Status::unavailable(NO_LEADER);
            }
        }
    }
}

/// Whether a client wants to be left by a member that knows no leader.
pub fn asks_for_leader(metadata: &MetadataMap) -> bool {
    metadata.get("hasleader").is_some_and(|value| value == "true")
}

/// What a member without a leader says of itself.
pub const NO_LEADER: &str = "etcdserver: no leader";

/// Counts what consensus could not do, as opposed to what the store refused.
pub fn count_failure(failure: Failure, counter: &crate::serve::metrics::Counter) -> Failure {
    match failure {
        Failure::Unavailable(
            Unavailable::Timeout
            | Unavailable::TimeoutLeaderLost
            | Unavailable::NeverProposed
            | Unavailable::NoLeader
            | Unavailable::LeaderChanged
            | Unavailable::TooManyRequests
            | Unavailable::Stopped
            | Unavailable::NotLeader
            | Unavailable::BadTransferee
            | Unavailable::HandoverTimeout
            | Unavailable::Unhealthy,
        ) => counter.add(1),
        Failure::Refused(_) => {}
    }
    failure
}

const fn grpc(code: Code) -> GrpcCode {
    match code {
        Code::InvalidArgument => GrpcCode::InvalidArgument,
        Code::DeadlineExceeded => GrpcCode::DeadlineExceeded,
        Code::NotFound => GrpcCode::NotFound,
        Code::Unknown => GrpcCode::Unknown,
        Code::FailedPrecondition => GrpcCode::FailedPrecondition,
        Code::OutOfRange => GrpcCode::OutOfRange,
        Code::Unavailable => GrpcCode::Unavailable,
    }
}
