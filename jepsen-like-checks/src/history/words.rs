//! Requests in a few words, for reports: what was asked of which keys.
//!
//! Not here: values and answers.

use std::fmt;

use super::lease::{
    LeaseGrantRequest, LeaseKeepAliveRequest, LeaseRevokeRequest, LeaseTimeToLiveRequest,
};
use super::message::{CompactRequest, Lease, Request};
use super::txn::{TxnOperation, TxnRequest};
use super::watch::WatchRequest;

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())?;
        match self {
            Self::Put(put) => write!(f, " {}", put.key),
            Self::Range(range) => write!(f, " {}", range.keys()),
            Self::DeleteRange(delete) => write!(f, " {}", delete.keys()),
            Self::Txn(txn) => write!(f, " {txn}"),
            Self::Compact(CompactRequest { revision, .. }) => write!(f, " {}", revision.0),
            Self::LeaseGrant(LeaseGrantRequest { ttl, lease: None }) => write!(f, " of {ttl} s"),
            Self::LeaseGrant(LeaseGrantRequest { ttl, lease: Some(lease) }) => {
                write!(f, " {lease} of {ttl} s")
            }
            Self::LeaseRevoke(LeaseRevokeRequest { lease })
            | Self::LeaseKeepAlive(LeaseKeepAliveRequest { lease })
            | Self::LeaseTimeToLive(LeaseTimeToLiveRequest { lease, .. }) => write!(f, " {lease}"),
            Self::LeaseLeases(_) => Ok(()),
        }
    }
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.id(), f)
    }
}

impl fmt::Display for TxnRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.compare.is_empty() {
            f.write_str("if ")?;
            listed(f, self.compare.iter().map(|compare| compare.keys().to_string()))?;
            f.write_str(" ")?;
        }
        f.write_str("then {")?;
        listed(f, self.success.iter().map(ToString::to_string))?;
        f.write_str("}")?;
        if !self.failure.is_empty() {
            f.write_str(" else {")?;
            listed(f, self.failure.iter().map(ToString::to_string))?;
            f.write_str("}")?;
        }
        Ok(())
    }
}

fn listed(f: &mut fmt::Formatter<'_>, items: impl Iterator<Item = String>) -> fmt::Result {
    for (at, item) in items.enumerate() {
        if at > 0 {
            f.write_str(", ")?;
        }
        f.write_str(&item)?;
    }
    Ok(())
}

impl fmt::Display for TxnOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(put) => write!(f, "put {}", put.key),
            Self::Range(range) => write!(f, "range {}", range.keys()),
            Self::DeleteRange(delete) => write!(f, "delete {}", delete.keys()),
            Self::Txn(txn) => write!(f, "txn {txn}"),
        }
    }
}

impl fmt::Display for WatchRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "watch {}", self.keys())?;
        match self.start_revision {
            Some(start) => write!(f, " from {}", start.0),
            None => Ok(()),
        }
    }
}
