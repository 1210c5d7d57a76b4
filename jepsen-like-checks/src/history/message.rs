//! The requests of a key-value store and its answers, one type per message.
//!
//! The messages are etcd's, without the fields that a judge has no use for. Absent is absent here:
//! no limit, no lease and no old revision are `None`, where the wire has zeros.
//!
//! ```text
//! Request::Put          -> Response::Put           revision of the put
//! Request::Range        -> Response::Range         revision of the member's store
//! Request::DeleteRange  -> Response::DeleteRange   revision of the delete, if it removed anything
//! Request::Txn          -> Response::Txn           revision of its writes, if there are any
//! Request::Compact      -> Response::Compact       revision of the store
//! Request::Lease...     -> Response::Lease...      revision of the store
//! ```
//!
//! Not here: which answer is right (`model/`), the messages of transactions (`txn.rs`) and of
//! leases (`lease.rs`).

use std::num::{NonZeroI64, NonZeroU64};

use serde::{Deserialize, Serialize};

use super::lease::{
    LeaseGrantRequest, LeaseGrantResponse, LeaseKeepAliveRequest, LeaseKeepAliveResponse,
    LeaseLeasesRequest, LeaseLeasesResponse, LeaseRevokeRequest, LeaseRevokeResponse,
    LeaseTimeToLiveRequest, LeaseTimeToLiveResponse,
};
use super::txn::{TxnRequest, TxnResponse};
use super::{ByteString, KeyRange};

/// A revision of the store: 1 when empty, one more for each request that changed something.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Revision(pub i64);

/// The id of a lease. The wire's 0 means "no lease" and is `None` here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lease(NonZeroI64);

impl Lease {
    /// Reads the wire form, where 0 means that there is none.
    #[must_use]
    pub fn new(id: i64) -> Option<Self> {
        NonZeroI64::new(id).map(Self)
    }

    /// The id as the wire has it.
    #[must_use]
    pub fn id(self) -> i64 {
        self.0.get()
    }
}

/// What a client asks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Writes one pair.
    Put(PutRequest),
    /// Reads pairs.
    Range(RangeRequest),
    /// Removes pairs.
    DeleteRange(DeleteRangeRequest),
    /// Compares, then runs one of two lists of operations.
    Txn(TxnRequest),
    /// Gives up the past below a revision.
    Compact(CompactRequest),
    /// Asks for a lease.
    LeaseGrant(LeaseGrantRequest),
    /// Ends a lease and removes its keys.
    LeaseRevoke(LeaseRevokeRequest),
    /// Lets a lease begin its time anew.
    LeaseKeepAlive(LeaseKeepAliveRequest),
    /// Asks how long a lease still lives.
    LeaseTimeToLive(LeaseTimeToLiveRequest),
    /// Asks for all leases.
    LeaseLeases(LeaseLeasesRequest),
}

/// Writes one pair.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PutRequest {
    /// The key to write.
    pub key: ByteString,
    /// The value to write.
    pub value: ByteString,
    /// The lease to attach, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// Whether the pair as it was before is wanted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub prev_kv: bool,
    /// Whether the old value is kept; there must be one, and none given here (KV-17).
    #[serde(default, skip_serializing_if = "is_false")]
    pub ignore_value: bool,
    /// Whether the old lease is kept; there must be a pair, and no lease given here (KV-17).
    #[serde(default, skip_serializing_if = "is_false")]
    pub ignore_lease: bool,
}

/// Reads pairs.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RangeRequest {
    /// The first key.
    pub key: ByteString,
    /// The end, in etcd's convention: see [`KeyRange`].
    #[serde(default, skip_serializing_if = "is_empty")]
    pub range_end: ByteString,
    /// How many pairs at most; none means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<NonZeroU64>,
    /// An old revision to read at, at least 1; none means the present state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// Whether the asked member may answer at once from what it has, however stale.
    #[serde(default, skip_serializing_if = "is_false")]
    pub serializable: bool,
    /// Whether only the number of keys is wanted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub count_only: bool,
    /// Whether values are to be left empty.
    #[serde(default, skip_serializing_if = "is_false")]
    pub keys_only: bool,
    /// The least modification of the pairs that are wanted (KV-13).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_mod_revision: Option<Revision>,
    /// The greatest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_mod_revision: Option<Revision>,
    /// The least creation of the pairs that are wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_create_revision: Option<Revision>,
    /// The greatest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_create_revision: Option<Revision>,
}

impl RangeRequest {
    /// The keys that it speaks of.
    #[must_use]
    pub fn keys(&self) -> KeyRange<'_> {
        KeyRange::new(&self.key, &self.range_end)
    }

    /// Whether pairs are left out by their revisions.
    #[must_use]
    pub fn is_filtered(&self) -> bool {
        self.min_mod_revision.is_some()
            || self.max_mod_revision.is_some()
            || self.min_create_revision.is_some()
            || self.max_create_revision.is_some()
    }

    /// Whether a pair with these revisions is left in.
    #[must_use]
    pub fn admits(&self, create: Revision, modified: Revision) -> bool {
        self.min_mod_revision.is_none_or(|least| least <= modified)
            && self.max_mod_revision.is_none_or(|most| modified <= most)
            && self.min_create_revision.is_none_or(|least| least <= create)
            && self.max_create_revision.is_none_or(|most| create <= most)
    }
}

/// Removes pairs.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeleteRangeRequest {
    /// The first key.
    pub key: ByteString,
    /// The end, in etcd's convention: see [`KeyRange`].
    #[serde(default, skip_serializing_if = "is_empty")]
    pub range_end: ByteString,
    /// Whether the removed pairs are wanted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub prev_kv: bool,
}

impl DeleteRangeRequest {
    /// The keys that it speaks of.
    #[must_use]
    pub fn keys(&self) -> KeyRange<'_> {
        KeyRange::new(&self.key, &self.range_end)
    }
}

/// Gives up the past below a revision.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompactRequest {
    /// The oldest revision that stays readable.
    pub revision: Revision,
    /// Whether the answer waits until the past is really gone (KV-26).
    #[serde(default, skip_serializing_if = "is_false")]
    pub physical: bool,
}

/// Why the store said no.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// The gRPC code, by name or number.
    pub code: String,
    /// The text, to the letter.
    pub message: String,
}

/// What a store answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// To a put.
    Put(PutResponse),
    /// To a range.
    Range(RangeResponse),
    /// To a delete range.
    DeleteRange(DeleteRangeResponse),
    /// To a transaction.
    Txn(TxnResponse),
    /// To a compaction.
    Compact(CompactResponse),
    /// To a grant.
    LeaseGrant(LeaseGrantResponse),
    /// To a revoke.
    LeaseRevoke(LeaseRevokeResponse),
    /// To a keep-alive.
    LeaseKeepAlive(LeaseKeepAliveResponse),
    /// To a question for the time left.
    LeaseTimeToLive(LeaseTimeToLiveResponse),
    /// To a question for all leases.
    LeaseLeases(LeaseLeasesResponse),
}

/// The answer to a put.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PutResponse {
    /// The revision in the header: that of this put.
    pub revision: Revision,
    /// The pair as it was before, if it was asked for and existed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev_kv: Option<KeyValue>,
}

/// The answer to a range.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RangeResponse {
    /// The revision in the header: that of the member's store, whatever revision was asked for.
    pub revision: Revision,
    /// The pairs, in the order in which they came.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kvs: Vec<KeyValue>,
    /// Whether the limit cut something off.
    #[serde(default, skip_serializing_if = "is_false")]
    pub more: bool,
    /// How many keys the range holds, whatever the limit.
    pub count: i64,
}

/// The answer to a delete range.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeleteRangeResponse {
    /// The revision in the header: that of this delete, or the present one if nothing was removed.
    pub revision: Revision,
    /// How many keys were removed.
    pub deleted: i64,
    /// The removed pairs in key order, if they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prev_kvs: Vec<KeyValue>,
}

/// The answer to a compaction.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompactResponse {
    /// The revision in the header: the present one (KV-26).
    pub revision: Revision,
}

/// One pair as a store reports it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyValue {
    /// The key.
    pub key: ByteString,
    /// The value; empty in an answer with keys only.
    #[serde(default)]
    pub value: ByteString,
    /// The revision of the put that began the key's present life.
    pub create_revision: Revision,
    /// The revision of the newest put.
    pub mod_revision: Revision,
    /// How many puts the present life has seen.
    pub version: i64,
    /// The attached lease, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
pub(super) fn is_false(flag: &bool) -> bool {
    !flag
}

pub(super) fn is_empty(bytes: &ByteString) -> bool {
    bytes.is_empty()
}

impl Request {
    /// The name of the kind, as the history file spells it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Put(_) => "put",
            Self::Range(_) => "range",
            Self::DeleteRange(_) => "delete_range",
            Self::Txn(_) => "txn",
            Self::Compact(_) => "compact",
            Self::LeaseGrant(_) => "lease_grant",
            Self::LeaseRevoke(_) => "lease_revoke",
            Self::LeaseKeepAlive(_) => "lease_keep_alive",
            Self::LeaseTimeToLive(_) => "lease_time_to_live",
            Self::LeaseLeases(_) => "lease_leases",
        }
    }

    /// The keys that it speaks of, if it speaks of one range of them and nothing else.
    #[must_use]
    pub fn keys(&self) -> Option<KeyRange<'_>> {
        match self {
            Self::Put(put) => Some(KeyRange::One(&put.key)),
            Self::Range(range) => Some(range.keys()),
            Self::DeleteRange(delete) => Some(delete.keys()),
            Self::Txn(_)
            | Self::Compact(_)
            | Self::LeaseGrant(_)
            | Self::LeaseRevoke(_)
            | Self::LeaseKeepAlive(_)
            | Self::LeaseTimeToLive(_)
            | Self::LeaseLeases(_) => None,
        }
    }

    /// Whether the revision in the answer may be that of a member that lags behind.
    #[must_use]
    pub fn is_serializable(&self) -> bool {
        match self {
            Self::Range(range) => range.serializable,
            Self::Txn(txn) => txn.is_serializable(),
            Self::LeaseKeepAlive(_) | Self::LeaseTimeToLive(_) | Self::LeaseLeases(_) => true,
            Self::Put(_)
            | Self::DeleteRange(_)
            | Self::Compact(_)
            | Self::LeaseGrant(_)
            | Self::LeaseRevoke(_) => false,
        }
    }

    /// Whether it may change the store, so that one without an answer has to be reckoned with.
    #[must_use]
    pub fn may_write(&self) -> bool {
        match self {
            Self::Put(_)
            | Self::DeleteRange(_)
            | Self::Compact(_)
            | Self::LeaseGrant(_)
            | Self::LeaseRevoke(_) => true,
            Self::Txn(txn) => !txn.is_read_only(),
            Self::Range(_)
            | Self::LeaseKeepAlive(_)
            | Self::LeaseTimeToLive(_)
            | Self::LeaseLeases(_) => false,
        }
    }
}

impl Response {
    /// The name of the kind, as the history file spells it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Put(_) => "put",
            Self::Range(_) => "range",
            Self::DeleteRange(_) => "delete_range",
            Self::Txn(_) => "txn",
            Self::Compact(_) => "compact",
            Self::LeaseGrant(_) => "lease_grant",
            Self::LeaseRevoke(_) => "lease_revoke",
            Self::LeaseKeepAlive(_) => "lease_keep_alive",
            Self::LeaseTimeToLive(_) => "lease_time_to_live",
            Self::LeaseLeases(_) => "lease_leases",
        }
    }

    /// The revision in the header.
    #[must_use]
    pub fn revision(&self) -> Revision {
        match self {
            Self::Put(put) => put.revision,
            Self::Range(range) => range.revision,
            Self::DeleteRange(delete) => delete.revision,
            Self::Txn(txn) => txn.revision,
            Self::Compact(compact) => compact.revision,
            Self::LeaseGrant(grant) => grant.revision,
            Self::LeaseRevoke(revoke) => revoke.revision,
            Self::LeaseKeepAlive(kept) => kept.revision,
            Self::LeaseTimeToLive(left) => left.revision,
            Self::LeaseLeases(leases) => leases.revision,
        }
    }
}
