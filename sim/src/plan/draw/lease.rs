//! Leases: few of them, short, and kept alive as long as their clients feel like it.
//!
//! What a lease promises is about time, so a run is long enough for several to end by themselves,
//! and the interesting renewals come shortly before the end.

use super::{Draw, Profile};
use crate::clock::{MILLI, Micros, SECOND};
use crate::plan::{Lease, Request};

/// The leases that clients speak of. Any number but 0 names one.
const NAMES: [Lease; 5] = [Lease::Id(1), Lease::Id(2), Lease::Id(-3), Lease::Own, Lease::Own];
/// Leases from here on are of one client each.
const FIRST_OF_A_CLIENT: i64 = 100;
/// How long they should live, in seconds.
const TTLS: [i64; 7] = [1, 1, 1, 2, 2, 4, 6];

impl Draw {
    /// Something that a client does with a lease.
    pub(super) fn leasing(&mut self) -> Request {
        let lease = self.lease();
        // Where it is all about leases, they must also live long enough to end by themselves.
        let rare = self.profile == Profile::Leases && self.chance(75);
        match self.random.below(20) {
            14..17 if rare => Request::Grant { lease, ttl: self.pick(&TTLS) },
            0..6 => Request::Grant { lease, ttl: self.pick(&TTLS) },
            6..11 => {
                let every = self.span(100 * MILLI, 1100 * MILLI);
                Request::Keep { lease, every, times: self.between(2, 12) as u32 }
            }
            11..14 => Request::KeepAlive(lease),
            14..17 => Request::Revoke(lease),
            17..19 => Request::TimeToLive { lease, keys: self.chance(50) },
            _ => Request::Leases,
        }
    }

    /// What a client does right after a request, with the times in between. A lease that was
    /// revoked may be granted again at once, so that what is on its way for the one meets the
    /// other; and one may be left alone until it is about to end, and then be revoked and granted
    /// again.
    pub(super) fn sequel(&mut self, client: u8, request: &Request) -> Vec<(Micros, Request)> {
        if let Request::Revoke(lease) = *request
            && self.chance(60)
        {
            return vec![(MILLI, Request::Grant { lease, ttl: self.pick(&TTLS) })];
        }
        if matches!(request, Request::TimeToLive { .. }) && self.profile == Profile::Leases {
            let lease = Lease::Id(FIRST_OF_A_CLIENT + i64::from(client));
            return vec![
                (MILLI, Request::Grant { lease, ttl: 1 }),
                (SECOND + self.span(0, 600 * MILLI), Request::Revoke(lease)),
                (MILLI, Request::Grant { lease, ttl: 6 }),
            ];
        }
        Vec::new()
    }

    /// One of the few.
    pub(super) fn lease(&mut self) -> Lease {
        if self.profile == Profile::Leases { self.pick(&NAMES[..2]) } else { self.pick(&NAMES) }
    }
}
