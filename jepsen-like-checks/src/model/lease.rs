//! The sequential specification of leases, without their time.
//!
//! ```text
//! absent --- grant ---> alive --- revoke, or its end ---> absent
//!                       |   ^     all attached keys go, in one revision, in key order (LE-6)
//!                       +---+ put with it: attaches the key; a later put or delete detaches it
//! ```
//!
//! The id may be granted again afterwards: that is another lease. A lease without keys ends without
//! a revision.
//!
//! Not here: when a lease may end (`lease.rs` of this crate).

use super::digest;
use super::kv::{MOST_TTL, Refused, State};
use crate::history::{
    ByteString, KeyRange, Lease, LeaseGrantRequest, LeaseGrantResponse, LeaseKeepAliveRequest,
    LeaseKeepAliveResponse, LeaseLeasesResponse, LeaseRevokeRequest, LeaseRevokeResponse,
    LeaseTimeToLiveRequest, LeaseTimeToLiveResponse,
};

impl State {
    /// Whether a lease is alive.
    #[must_use]
    pub fn is_alive(&self, lease: Lease) -> bool {
        self.ttl(lease).is_some()
    }

    /// The leases that are alive, by id.
    #[must_use]
    pub fn leases(&self) -> Vec<Lease> {
        let mut alive = Vec::new();
        self.leases.visit(&|_| std::cmp::Ordering::Equal, &mut |lease, ttl| {
            alive.extend(ttl.map(|_| *lease));
        });
        alive
    }

    fn ttl(&self, lease: Lease) -> Option<i64> {
        self.leases.get(&lease).copied().flatten()
    }

    /// The keys that are attached to a lease, in order.
    #[must_use]
    pub fn attached(&self, lease: Lease) -> Vec<ByteString> {
        let all = self.pairs(KeyRange::From(&[]), self.revision());
        let ours = all.into_iter().filter(|pair| pair.lease == Some(lease));
        ours.map(|pair| pair.key.clone()).collect()
    }

    pub(super) fn grant(
        &self,
        request: &LeaseGrantRequest,
    ) -> Result<(Self, LeaseGrantResponse), Refused> {
        let LeaseGrantRequest { ttl, .. } = *request;
        if ttl > MOST_TTL {
            return Err(Refused::TtlTooLarge);
        }
        let lease = request.lease.or_else(|| self.free()).ok_or(Refused::LeaseExists)?;
        let after = self.granted(lease, ttl).ok_or(Refused::LeaseExists)?;
        Ok((after, LeaseGrantResponse { revision: self.revision(), lease, ttl }))
    }

    /// The least id that was never granted: a store does not use one twice by itself (LE-1).
    fn free(&self) -> Option<Lease> {
        (1..).filter_map(Lease::new).find(|lease| self.leases.get(lease).is_none())
    }

    /// The state in which a lease is alive, unless it is so already.
    #[must_use]
    pub fn granted(&self, lease: Lease, ttl: i64) -> Option<Self> {
        (!self.is_alive(lease)).then(|| self.with_lease(lease, Some(ttl)))
    }

    fn with_lease(&self, lease: Lease, ttl: Option<i64>) -> Self {
        let token = |ttl: i64| digest::of(&[2, lease.id(), ttl]);
        let mut after = self.clone();
        after.others ^= self.ttl(lease).map_or(0, token) ^ ttl.map_or(0, token);
        after.leases = self.leases.with(lease, ttl);
        after
    }

    pub(super) fn revoke(
        &self,
        request: &LeaseRevokeRequest,
    ) -> Result<(Self, LeaseRevokeResponse), Refused> {
        let after = self.end_lease(request.lease).ok_or(Refused::LeaseNotFound)?;
        let revision = after.revision();
        Ok((after, LeaseRevokeResponse { revision }))
    }

    /// The state after a lease's end, if it was alive.
    #[must_use]
    pub fn end_lease(&self, lease: Lease) -> Option<Self> {
        self.ttl(lease)?;
        let revision = self.next();
        let keys = self.attached(lease);
        let ended = keys.iter().fold(self.clone(), |state, key| state.with(revision, key, None));
        Some(ended.with_lease(lease, None))
    }

    pub(super) fn keep_alive(&self, request: &LeaseKeepAliveRequest) -> LeaseKeepAliveResponse {
        let ttl = self.ttl(request.lease).unwrap_or(0);
        LeaseKeepAliveResponse { revision: self.revision(), ttl }
    }

    pub(super) fn time_to_live(&self, request: &LeaseTimeToLiveRequest) -> LeaseTimeToLiveResponse {
        let revision = self.revision();
        match self.ttl(request.lease) {
            None => LeaseTimeToLiveResponse { revision, ttl: -1, granted_ttl: 0, keys: vec![] },
            Some(ttl) => {
                let keys = if request.keys { self.attached(request.lease) } else { vec![] };
                LeaseTimeToLiveResponse { revision, ttl, granted_ttl: ttl, keys }
            }
        }
    }

    pub(super) fn lease_leases(&self) -> LeaseLeasesResponse {
        LeaseLeasesResponse { revision: self.revision(), leases: self.leases() }
    }
}
