//! Leases: spans of life to which keys are tied.
//!
//! ```text
//! grant --- keep-alive --- keep-alive --- ... silence for the TTL --- the store ends it
//!    \
//!     +--------------------- or a client revokes it: its keys go in one revision, in key order
//! ```
//!
//! Grants and revokes are ordered with all other requests. Keep-alives, and questions for the time
//! left, are answered from the leader's own clock and show no state of the log: what they say is
//! judged by the rules of time (`lease.rs` of this crate), not by the order of requests.
//!
//! Not here: the id (`message.rs`), the end of a lease, which no client asks for (`record.rs`).

use serde::{Deserialize, Serialize};

use super::message::{Lease, is_false};
use super::{ByteString, Revision};

/// Asks for a lease.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseGrantRequest {
    /// The time to live, in seconds. A store may give more (LE-2).
    pub ttl: i64,
    /// The id to use; none lets the store choose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
}

/// The answer to a grant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseGrantResponse {
    /// The revision in the header: the present one, since a grant makes none.
    pub revision: Revision,
    /// The id of the lease.
    pub lease: Lease,
    /// The time to live that was granted, in seconds.
    pub ttl: i64,
}

/// Ends a lease and removes its keys.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseRevokeRequest {
    /// Which.
    pub lease: Lease,
}

/// The answer to a revoke.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseRevokeResponse {
    /// The revision in the header: that of the removal, or the present one if no key was attached.
    pub revision: Revision,
}

/// Lets a lease begin its time anew. One record for each request on the stream.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseKeepAliveRequest {
    /// Which.
    pub lease: Lease,
}

/// The answer to a keep-alive.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseKeepAliveResponse {
    /// The revision in the header: that of the asked member, which may lag behind.
    pub revision: Revision,
    /// The time to live from here on, in seconds; 0 says that the lease is gone (LE-9).
    pub ttl: i64,
}

/// Asks how long a lease still lives.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseTimeToLiveRequest {
    /// Which.
    pub lease: Lease,
    /// Whether the attached keys are wanted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub keys: bool,
}

/// The answer to a question for the time left.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseTimeToLiveResponse {
    /// The revision in the header: that of the asked member, which may lag behind.
    pub revision: Revision,
    /// The time left, in seconds; -1 says that the lease is gone (LE-11).
    pub ttl: i64,
    /// The time to live that was granted, in seconds.
    pub granted_ttl: i64,
    /// The attached keys, if they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<ByteString>,
}

/// Asks for all leases.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseLeasesRequest {}

/// The answer to a question for all leases.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseLeasesResponse {
    /// The revision in the header: that of the asked member, which may lag behind.
    pub revision: Revision,
    /// The leases that the asked member knows, in no order that counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leases: Vec<Lease>,
}
