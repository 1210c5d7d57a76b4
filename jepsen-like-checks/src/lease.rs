//! The rules of time for leases, which no order of requests can tell.
//!
//! ```text
//! grant, ttl 5       renewed            |<------- 5 s ------->|
//! [----]             [--]               ^ asked for here      ^ not dead before     (K3)
//!                                                             |<-- bound -->| dead  (K4)
//! ```
//!
//! The time counts from the *invocation* of the last grant or renewal that was acknowledged: the
//! store may have begun to count at any moment after that. How fast and how slow the clocks of the
//! members may run is for the caller to say ([`Bounds`]); what a history proves is held against
//! that.
//!
//! - **K3** A lease never ends before its time, and is not renewed once it is dead.
//! - **K4** A lease that nobody renews ends in bounded time while the cluster is well.
//! - **K5** The keys of a dead lease are gone, in one revision, and no others with them.
//!
//! That a lease is dead is proven by its revoke, by the log
//! ([`LeaseEnd`](crate::history::LeaseEnd)), and by every answer that says so: a keep-alive with 0
//! s, a question with -1 s, a put or a revoke that is refused because there is no such lease.
//!
//! Not here: the order of grants, puts and revokes (`linearizable/`).

use std::fmt;

use crate::history::{History, Lease, Micros};
use crate::linearizable::Witness;

mod dossier;
mod removal;

use dossier::{Dossier, Span};

/// How far the clocks of the members may be off, and how long a store may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// By how much a member's clock may be fast, in thousandths: 100 lets a lease of 11 s end after
    /// 10 s.
    pub fast: u64,
    /// By how much a member's clock may be slow, in thousandths.
    pub slow: u64,
    /// By how much any moment may be off, for clocks that tick in steps.
    pub step: Micros,
    /// How long a store may take to end a lease whose time is over: to look, to agree, to apply,
    /// and to have a new leader begin the time anew after the cluster has become well.
    pub end: Micros,
}

impl Default for Bounds {
    fn default() -> Self {
        // A look each 0.5 s, a repeat after 3 s, an election timeout of 1 s, and room to spare.
        Self { fast: 0, slow: 0, step: Micros(20_000), end: Micros(10_000_000) }
    }
}

impl Bounds {
    /// The first moment at which a lease that was asked for at `from` may end.
    fn earliest(self, from: Micros, ttl: i64) -> Micros {
        let real = seconds(ttl).saturating_mul(1000) / (1000 + u128::from(self.fast));
        let at = u128::from(from.0) + real;
        narrow(at.saturating_sub(u128::from(self.step.0)))
    }

    /// The moment at which a lease must be dead that nobody renewed since `from`.
    fn latest(self, from: Micros, ttl: i64) -> Micros {
        let real = seconds(ttl).saturating_mul(1000 + u128::from(self.slow)) / 1000;
        narrow(u128::from(from.0) + real + u128::from(self.step.0) + u128::from(self.end.0))
    }
}

fn seconds(ttl: i64) -> u128 {
    u128::from(u64::try_from(ttl).unwrap_or(0)) * 1_000_000
}

fn narrow(at: u128) -> Micros {
    Micros(u64::try_from(at).unwrap_or(u64::MAX))
}

/// A rule of time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Rule {
    /// K3: it ended before its time.
    EndedEarly,
    /// K3: it was renewed when it was dead.
    RenewedDead,
    /// K4: it was alive when it should long have been dead.
    Overdue,
    /// K5: a key of it was there when it was dead.
    KeyLeft,
    /// K5: its end removed a key that was not attached.
    KeyTaken,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::EndedEarly, Self::RenewedDead, Self::Overdue, Self::KeyLeft, Self::KeyTaken];

    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EndedEarly => "K3: a lease does not end before its time",
            Self::RenewedDead => "K3: a dead lease is not renewed",
            Self::Overdue => "K4: a lease that nobody renews ends in bounded time",
            Self::KeyLeft => "K5: the keys of a dead lease are gone",
            Self::KeyTaken => "K5: the end of a lease takes no other keys",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A rule that was broken: two facts that cannot both be true.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Which.
    pub rule: Rule,
    /// The lease.
    pub lease: Lease,
    /// What came first.
    pub earlier: Witness,
    /// What cannot be true after that.
    pub later: Witness,
    /// The contradiction in words.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, lease, earlier, later, what } = self;
        write!(f, "{rule}: lease {lease}: {what}: {earlier}, then {later}")
    }
}

impl std::error::Error for Fault {}

/// What was really checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Leases.
    pub leases: usize,
    /// Proofs that a lease was dead which were held against its time.
    pub deaths: usize,
    /// Renewals that were held against proofs that the lease was dead.
    pub renewals: usize,
    /// Proofs that a lease was alive which were held against the time at which it must be dead.
    pub lives: usize,
    /// Leases whose time ran out while the cluster was well.
    pub overdue: usize,
    /// Reads that would have shown a key of a dead lease.
    pub reads: usize,
    /// Ends of which the log shows what they removed.
    pub removals: usize,
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} leases: {} ends held against their time, {} renewals against ends, {} signs of \
             life against the time limit ({} leases ran out while all was well), {} reads after \
             an end, {} removals",
            self.leases,
            self.deaths,
            self.renewals,
            self.lives,
            self.overdue,
            self.reads,
            self.removals,
        )
    }
}

/// Checks all leases of a history.
///
/// # Errors
/// A rule was broken: the first, in the order of lease ids.
pub fn check(history: &History, bounds: Bounds) -> Result<Counters, Box<Fault>> {
    let mut counters = Counters::default();
    for (lease, dossier) in dossier::all(history) {
        counters.leases += 1;
        let case = Case { lease, dossier, bounds };
        case.not_early(&mut counters)?;
        case.not_renewed(&mut counters)?;
        case.not_overdue(history, &mut counters)?;
        case.not_left(&mut counters)?;
    }
    removal::check(history, &mut counters)?;
    Ok(counters)
}

/// One lease on trial.
struct Case<'h> {
    lease: Lease,
    dossier: Dossier<'h>,
    bounds: Bounds,
}

impl Case<'_> {
    fn fault(&self, rule: Rule, earlier: &Span<'_>, later: &Span<'_>, what: String) -> Box<Fault> {
        let (earlier, later) = (earlier.witness(), later.witness());
        Box::new(Fault { rule, lease: self.lease, earlier, later, what })
    }

    /// K3: whoever says that it is dead says so after its time, unless somebody revoked it.
    fn not_early(&self, counters: &mut Counters) -> Result<(), Box<Fault>> {
        for death in self.dossier.deaths.iter().filter(|death| !death.revoke) {
            let given = self.dossier.given.iter().filter(|given| given.ended_before(death));
            let Some(given) = given.max_by_key(|given| given.invoked) else { continue };
            let mut revokes = self.dossier.revokes.iter();
            if revokes.any(|revoke| revoke.may_be_between(given, death)) {
                continue;
            }
            counters.deaths += 1;
            let earliest = self.bounds.earliest(given.invoked, given.ttl);
            if death.returned.is_some_and(|returned| returned < earliest) {
                let what = format!(
                    "it was given {} s and cannot have ended before {} us",
                    given.ttl, earliest.0,
                );
                return Err(self.fault(Rule::EndedEarly, given, death, what));
            }
        }
        Ok(())
    }

    /// K3: nobody renews it once it is dead, unless it was granted anew.
    fn not_renewed(&self, counters: &mut Counters) -> Result<(), Box<Fault>> {
        for renewal in self.dossier.given.iter().filter(|given| given.renewal) {
            let before = self.dossier.deaths.iter().filter(|death| death.ended_before(renewal));
            let Some(death) = before.max_by_key(|death| death.invoked) else { continue };
            if self.granted_between(death, renewal) {
                continue;
            }
            counters.renewals += 1;
            let what = "it was dead, and was renewed after that".to_owned();
            return Err(self.fault(Rule::RenewedDead, death, renewal, what));
        }
        counters.renewals += self.dossier.given.iter().filter(|given| given.renewal).count();
        Ok(())
    }

    fn granted_between(&self, one: &Span<'_>, other: &Span<'_>) -> bool {
        self.dossier.grants.iter().any(|grant| grant.may_be_between(one, other))
    }

    /// K4: nothing shows it alive after the moment at which it must be dead.
    fn not_overdue(&self, history: &History, counters: &mut Counters) -> Result<(), Box<Fault>> {
        // One whose answer is unknown may have begun its time anew at any later moment.
        let open = self.dossier.attempts.iter().any(|attempt| attempt.returned.is_none());
        let last = self.dossier.attempts.iter().max_by_key(|attempt| attempt.returned);
        let (Some(last), false) = (last, open) else { return Ok(()) };
        let Some(returned) = last.returned else { return Ok(()) };
        for span in history.healthy() {
            let deadline = self.bounds.latest(returned.max(span.from), last.ttl);
            if span.until < deadline {
                continue;
            }
            counters.overdue += 1;
            for life in &self.dossier.lives {
                counters.lives += 1;
                if life.invoked > deadline {
                    let what = format!(
                        "it had {} s, nobody renewed it, and the cluster was well: it must be dead \
                         from {} us on",
                        last.ttl, deadline.0,
                    );
                    return Err(self.fault(Rule::Overdue, last, life, what));
                }
            }
        }
        Ok(())
    }

    /// K5: no read that begins after its end shows a key of it.
    fn not_left(&self, counters: &mut Counters) -> Result<(), Box<Fault>> {
        for read in &self.dossier.reads {
            let before = self.dossier.deaths.iter().filter(|death| death.ended_before(read));
            let Some(death) = before.max_by_key(|death| death.invoked) else { continue };
            if self.granted_between(death, read) {
                continue;
            }
            let what = "it was dead, and a key attached to it was there after that".to_owned();
            return Err(self.fault(Rule::KeyLeft, death, read, what));
        }
        counters.reads += self.dossier.reads.len();
        Ok(())
    }
}
