//! A request together with the answer of its kind.
//!
//! Not here: requests without an answer (`Outcome` in `history.rs`).

use super::Operation;
use super::lease::{
    LeaseGrantRequest, LeaseGrantResponse, LeaseKeepAliveRequest, LeaseKeepAliveResponse,
    LeaseLeasesRequest, LeaseLeasesResponse, LeaseRevokeRequest, LeaseRevokeResponse,
    LeaseTimeToLiveRequest, LeaseTimeToLiveResponse,
};
use super::message::{
    CompactRequest, CompactResponse, DeleteRangeRequest, DeleteRangeResponse, PutRequest,
    PutResponse, RangeRequest, RangeResponse, Request, Response,
};
use super::txn::{TxnRequest, TxnResponse};

/// What was asked, and what was answered.
#[derive(Clone, Copy, Debug)]
pub enum Exchange<'h> {
    /// A put.
    Put(&'h PutRequest, &'h PutResponse),
    /// A range.
    Range(&'h RangeRequest, &'h RangeResponse),
    /// A delete range.
    DeleteRange(&'h DeleteRangeRequest, &'h DeleteRangeResponse),
    /// A transaction.
    Txn(&'h TxnRequest, &'h TxnResponse),
    /// A compaction.
    Compact(&'h CompactRequest, &'h CompactResponse),
    /// A grant.
    LeaseGrant(&'h LeaseGrantRequest, &'h LeaseGrantResponse),
    /// A revoke.
    LeaseRevoke(&'h LeaseRevokeRequest, &'h LeaseRevokeResponse),
    /// A keep-alive.
    LeaseKeepAlive(&'h LeaseKeepAliveRequest, &'h LeaseKeepAliveResponse),
    /// A question for the time left.
    LeaseTimeToLive(&'h LeaseTimeToLiveRequest, &'h LeaseTimeToLiveResponse),
    /// A question for all leases.
    LeaseLeases(&'h LeaseLeasesRequest, &'h LeaseLeasesResponse),
}

impl Operation {
    /// The request and its answer, if the store gave one.
    #[must_use]
    pub fn exchange(&self) -> Option<Exchange<'_>> {
        Some(match (&self.request, self.response()?) {
            (Request::Put(asked), Response::Put(told)) => Exchange::Put(asked, told),
            (Request::Range(asked), Response::Range(told)) => Exchange::Range(asked, told),
            (Request::DeleteRange(asked), Response::DeleteRange(told)) => {
                Exchange::DeleteRange(asked, told)
            }
            (Request::Txn(asked), Response::Txn(told)) => Exchange::Txn(asked, told),
            (Request::Compact(asked), Response::Compact(told)) => Exchange::Compact(asked, told),
            (Request::LeaseGrant(asked), Response::LeaseGrant(told)) => {
                Exchange::LeaseGrant(asked, told)
            }
            (Request::LeaseRevoke(asked), Response::LeaseRevoke(told)) => {
                Exchange::LeaseRevoke(asked, told)
            }
            (Request::LeaseKeepAlive(asked), Response::LeaseKeepAlive(told)) => {
                Exchange::LeaseKeepAlive(asked, told)
            }
            (Request::LeaseTimeToLive(asked), Response::LeaseTimeToLive(told)) => {
                Exchange::LeaseTimeToLive(asked, told)
            }
            (Request::LeaseLeases(asked), Response::LeaseLeases(told)) => {
                Exchange::LeaseLeases(asked, told)
            }
            // No part of a history (H3).
            (
                Request::Put(_)
                | Request::Range(_)
                | Request::DeleteRange(_)
                | Request::Txn(_)
                | Request::Compact(_)
                | Request::LeaseGrant(_)
                | Request::LeaseRevoke(_)
                | Request::LeaseKeepAlive(_)
                | Request::LeaseTimeToLive(_)
                | Request::LeaseLeases(_),
                _,
            ) => return None,
        })
    }
}
