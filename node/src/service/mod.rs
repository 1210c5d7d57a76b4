//! The gRPC services: one file each, and no logic in them. A service asks the core whether a
//! request is well formed, hands it to consensus, and puts the answer into etcd's words.

pub mod cluster;
pub mod kv;
pub mod maintenance;
pub mod peer;

use quorate_core::api::{Code, Failure, Unavailable};
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
    let asks = metadata.get("hasleader").is_some_and(|value| value == "true");
    if asks && replica.vitals.view().leader.is_none() {
        return Err(Status::unavailable(NO_LEADER));
    }
    Ok(())
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
            | Unavailable::Stopped,
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
