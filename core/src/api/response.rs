//! The result of an applied command, equal on every member, and the header that makes it the
//! answer of one of them.

use crate::api::etcdserverpb::{
    CompactionResponse, DeleteRangeResponse, LeaseGrantResponse, LeaseRevokeResponse, PutResponse,
    ResponseHeader, TxnResponse,
};
use crate::types::{ClusterId, NodeId, Term};

/// What an applied command answers. Its header holds the revision only: who answers, and in
/// which term, differs from member to member and is filled in by [`Header`].
#[derive(Clone, PartialEq, Debug)]
pub enum Response {
    /// Of a put.
    Put(PutResponse),
    /// Of a delete.
    DeleteRange(DeleteRangeResponse),
    /// Of a transaction.
    Txn(TxnResponse),
    /// Of a compaction.
    Compact(CompactionResponse),
    /// Of a grant.
    LeaseGrant(LeaseGrantResponse),
    /// Of a revoke.
    LeaseRevoke(LeaseRevokeResponse),
    /// Of a member's own entries (configuration, publish): nothing to tell.
    Done,
}

/// The part of a response header that belongs to the answering member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The cluster.
    pub cluster: ClusterId,
    /// The member that answers.
    pub member: NodeId,
    /// Its term at this moment.
    pub term: Term,
}

impl Header {
    /// A whole header that shows the store at `revision`.
    #[must_use]
    pub fn at(&self, revision: i64) -> ResponseHeader {
        ResponseHeader {
            cluster_id: self.cluster.0,
            member_id: self.member.0,
            revision,
            raft_term: self.term.0,
        }
    }

    /// Makes a header that holds only a revision whole.
    pub fn complete(&self, header: &mut Option<ResponseHeader>) {
        let revision = header.as_ref().map_or(0, |header| header.revision);
        *header = Some(self.at(revision));
    }
}
