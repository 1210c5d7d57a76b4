//! What a call comes to.

use std::fmt;

use quorate_core::api::etcdserverpb::{
    CompactionResponse, DeleteRangeResponse, LeaseGrantResponse, LeaseKeepAliveResponse,
    LeaseLeasesResponse, LeaseRevokeResponse, LeaseTimeToLiveResponse, PutResponse, RangeResponse,
    ResponseHeader, TxnResponse,
};
use quorate_core::api::{Failure, Response};

/// What a call comes to.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A put took effect.
    Put(PutResponse),
    /// A delete took effect.
    DeleteRange(DeleteRangeResponse),
    /// What was read.
    Range(RangeResponse),
    /// A transaction took effect, or was read.
    Txn(TxnResponse),
    /// A compaction took effect.
    Compact(CompactionResponse),
    /// A lease began.
    LeaseGrant(LeaseGrantResponse),
    /// A lease was ended.
    LeaseRevoke(LeaseRevokeResponse),
    /// A lease was renewed, or is gone.
    KeepAlive(LeaseKeepAliveResponse),
    /// How long a lease still lives.
    TimeToLive(LeaseTimeToLiveResponse),
    /// All leases.
    Leases(LeaseLeasesResponse),
    /// Another member leads.
    Moved,
    /// It was refused, or the member gave up.
    Failed(Failure),
    /// The member went away with the call.
    Lost,
    /// There was no process to take the call.
    NoMember,
}

impl Reply {
    /// What a store answered. None for what no client asks.
    pub fn of(response: Response) -> Option<Self> {
        Some(match response {
            Response::Put(put) => Self::Put(put),
            Response::DeleteRange(delete) => Self::DeleteRange(delete),
            Response::Txn(txn) => Self::Txn(txn),
            Response::Compact(compact) => Self::Compact(compact),
            Response::LeaseGrant(grant) => Self::LeaseGrant(grant),
            Response::LeaseRevoke(revoke) => Self::LeaseRevoke(revoke),
            Response::Done => return None,
        })
    }

    /// Whether the store answered, kindly or not. Other members would say the same.
    pub fn is_an_answer(&self) -> bool {
        match self {
            Self::Failed(Failure::Unavailable(_)) | Self::Lost | Self::NoMember => false,
            Self::Failed(Failure::Refused(_))
            | Self::Put(_)
            | Self::DeleteRange(_)
            | Self::Range(_)
            | Self::Txn(_)
            | Self::Compact(_)
            | Self::LeaseGrant(_)
            | Self::LeaseRevoke(_)
            | Self::KeepAlive(_)
            | Self::TimeToLive(_)
            | Self::Leases(_)
            | Self::Moved => true,
        }
    }

    /// The revision that an answer shows.
    pub fn revision(&self) -> Option<i64> {
        self.header().map(|header| header.revision)
    }

    fn header(&self) -> Option<&ResponseHeader> {
        match self {
            Self::Put(put) => put.header.as_ref(),
            Self::DeleteRange(delete) => delete.header.as_ref(),
            Self::Range(range) => range.header.as_ref(),
            Self::Txn(txn) => txn.header.as_ref(),
            Self::Compact(compact) => compact.header.as_ref(),
            Self::LeaseGrant(grant) => grant.header.as_ref(),
            Self::LeaseRevoke(revoke) => revoke.header.as_ref(),
            Self::KeepAlive(renewed) => renewed.header.as_ref(),
            Self::TimeToLive(left) => left.header.as_ref(),
            Self::Leases(leases) => leases.header.as_ref(),
            Self::Moved | Self::Failed(_) | Self::Lost | Self::NoMember => None,
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) => why.fmt(f),
            Self::Moved => f.write_str("moved"),
            Self::Lost => f.write_str("connection lost"),
            Self::NoMember => f.write_str("connection refused"),
            Self::Put(_)
            | Self::DeleteRange(_)
            | Self::Range(_)
            | Self::Txn(_)
            | Self::Compact(_)
            | Self::LeaseGrant(_)
            | Self::LeaseRevoke(_)
            | Self::KeepAlive(_)
            | Self::TimeToLive(_)
            | Self::Leases(_) => {
                write!(f, "at revision {}", self.revision().unwrap_or_default())
            }
        }
    }
}
