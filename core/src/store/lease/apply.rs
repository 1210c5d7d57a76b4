//! Entries about leases: grants, ends, and how much is left.
//!
//! ```text
//!   grant       a client asks                     a lease begins, or LeaseExists
//!   revoke      a client asks                     it ends with its keys, or LeaseNotFound
//!   end         the leader's clock (LE-4)         the same for the lease that was meant, or nothing
//!   checkpoint  the leader's clock (LE-14)        so much is left of the leases that were meant
//! ```
//! A lease ends in one main revision with all its keys, in key order (LE-6). One without keys ends
//! without a revision.
//!
//! Not here: which TTL is right; that is decided before the proposal (`request.rs`).

use super::Span;
use crate::api::etcdserverpb::{
    LeaseGrantRequest, LeaseGrantResponse, LeaseRevokeRequest, LeaseRevokeResponse,
};
use crate::api::wire::{LeaseCheckpoint, LeaseEnd, LeaseRemaining};
use crate::api::{Refusal, Response};
use crate::store::Store;
use crate::store::apply::{Effect, Fact, Outcome};
use crate::store::rows::Row;
use crate::types::{Index, LeaseId, Seconds};

impl Store {
    /// `at` is the entry that grants.
    pub(in crate::store) fn lease_grant(
        &mut self,
        grant: &LeaseGrantRequest,
        at: Index,
        effect: &mut Effect,
    ) -> Outcome {
        let (id, ttl) = (LeaseId(grant.id), Seconds(grant.ttl));
        assert!(id.0 != 0 && ttl >= Seconds(1), "both are chosen before the proposal");
        if self.leases.exists(id) {
            return Err(Refusal::LeaseExists);
        }
        let span = Span { since: at, ttl, remaining: None };
        self.leases.grant(id, span);
        effect.rows.push(span.row(id));
        effect.facts.push(Fact::LeaseGranted(id, span));
        let (header, id, ttl) = (self.header(), grant.id, grant.ttl);
        Ok(Response::LeaseGrant(LeaseGrantResponse { header, id, ttl, ..Default::default() }))
    }

    pub(in crate::store) fn lease_revoke(
        &mut self,
        revoke: &LeaseRevokeRequest,
        effect: &mut Effect,
    ) -> Outcome {
        let id = LeaseId(revoke.id);
        let Some(span) = self.leases.span(id) else { return Err(Refusal::LeaseNotFound) };
        effect.facts.push(Fact::LeaseRevoked(id));
        self.end(id, span, effect);
        Ok(Response::LeaseRevoke(LeaseRevokeResponse { header: self.header() }))
    }

    /// The leader saw that a lease is over. If it has ended since, or was granted anew, it is not
    /// the one that was meant.
    pub(in crate::store) fn lease_end(&mut self, end: LeaseEnd, effect: &mut Effect) -> Response {
        let id = LeaseId(end.id);
        let meant = self.leases.span(id).filter(|span| span.since == Index(end.since));
        if let Some(span) = meant {
            effect.facts.push(Fact::LeaseExpired(id));
            self.end(id, span, effect);
        }
        Response::Done
    }

    pub(in crate::store) fn lease_checkpoint(
        &mut self,
        checkpoint: &LeaseCheckpoint,
        effect: &mut Effect,
    ) -> Response {
        for told in &checkpoint.leases {
            self.set_remaining(told, effect);
        }
        Response::Done
    }

    fn set_remaining(&mut self, told: &LeaseRemaining, effect: &mut Effect) {
        let id = LeaseId(told.id);
        let meant = self.leases.span(id).filter(|span| span.since == Index(told.since));
        let Some(before) = meant else { return };
        let remaining = told.remaining.map(Seconds);
        self.leases.set_remaining(id, remaining);
        if self.leases.stores_remaining() {
            self.tally.remove_row(&before.row(id));
            effect.rows.push(Span { remaining, ..before }.row(id));
        }
        effect.facts.push(Fact::LeaseRemaining(id, remaining));
    }

    fn end(&mut self, id: LeaseId, span: Span, effect: &mut Effect) {
        let keys = self.leases.revoke(id);
        let row = span.row(id);
        self.tally.remove_row(&row);
        for written in self.space.delete_keys(&keys) {
            effect.write(written);
        }
        effect.rows.push(Row { key: row.key, value: None });
    }
}
