//! Rejections in words that a newcomer follows: who saw what, and why both cannot be.
//!
//! Not here: the facts themselves (`rejection.rs`).

use std::fmt;

use super::rejection::{ContentFault, Flaw, OrderFault, Rejection, Scope, Witness};
use crate::history::{ClientId, KeyValue, Micros, OpNumber, Revision};

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.number, self.client) {
            (Some(OpNumber(op)), Some(ClientId(client))) => {
                write!(f, "operation {op} (client {client}: {}, ", self.asked)?;
            }
            (_, _) => write!(f, "{} (", self.asked)?,
        }
        match self.returned {
            Some(Micros(returned)) if self.number.is_none() => write!(f, "by {returned} us")?,
            Some(Micros(returned)) => write!(f, "{} to {returned} us", self.invoked.0)?,
            None => write!(f, "from {} us, no answer", self.invoked.0)?,
        }
        match self.revision {
            Some(Revision(revision)) => write!(f, ", revision {revision})"),
            None => f.write_str(")"),
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order(fault) => fault.fmt(f),
            Self::Content(fault) => fault.fmt(f),
            Self::NoPlacement(unknown, closest) => write!(
                f,
                "however the {unknown} writes of unknown outcome are placed, some answer \
                 contradicts; the placement that got furthest ends here: {closest}",
            ),
            Self::NoOrder { required, placed, stuck } => write!(
                f,
                "no order of the operations explains all answers; the longest attempt placed \
                 {placed} of {required} and found no place for {stuck}",
            ),
        }
    }
}

impl fmt::Display for OrderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RevisionOutOfRange(op, Revision(least)) => write!(
                f,
                "{op}: a store begins at revision 1 and a write raises it, so this answer's \
                 revision must be {least} or more",
            ),
            Self::MustBeRefused(op, reason) => {
                write!(f, "{op} was answered, where every state must refuse it: {reason}")
            }
            Self::UnjustRefusal { earlier, read } => write!(
                f,
                "{read} was refused because its revision were in the future, but {earlier} had \
                 returned before",
            ),
            Self::DuplicateRevision(first, second) => {
                write!(f, "{first} and {second} are two writes of one revision")
            }
            Self::WriteOrder { earlier, later } => write!(
                f,
                "{earlier} had returned before {later} was invoked, so it was written first, \
                 yet its revision is the higher one",
            ),
            Self::StaleRead { earlier, read } => write!(
                f,
                "{read} was invoked after {earlier} had returned, yet it answers from an older \
                 revision",
            ),
            Self::ReadFromFuture { read, write } => write!(
                f,
                "{read} had returned before {write} was invoked, yet its revision includes that \
                 write",
            ),
            Self::RevisionWentBack { scope, earlier, later } => write!(
                f,
                "{later} has a lower revision than {earlier}, which had returned before: \
                 revisions go back {scope}",
            ),
            Self::NobodyWrote(Revision(revision), op) => write!(
                f,
                "{op} shows that revision {revision} exists, but each revision is made by one \
                 write, and no write is left that can have made this one",
            ),
            Self::WrongShape(op) => write!(
                f,
                "{op}: the responses are not those of the operations of the branch that it says it \
                 took",
            ),
            Self::WrongGrant(op, lease, ttl) => {
                write!(
                    f,
                    "{op} was given lease {lease} of {ttl} s, which is not what was asked for"
                )
            }
            Self::NoReason(op, reason) => {
                write!(f, "{op} was refused ({reason}), but at no moment of it there was a reason",)
            }
            Self::MarkWentBack(earlier, later) => write!(
                f,
                "{later} was served although {earlier} had given up that revision: a compaction \
                 must be above the one before it",
            ),
            Self::CompactedRead { compaction, read } => {
                write!(f, "{read} shows a revision that {compaction} had given up before",)
            }
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Session => "within one session",
            Self::RealTime => "in real time",
            Self::Endpoint => "at one endpoint",
        })
    }
}

impl fmt::Display for ContentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Revision(at) = self.at;
        write!(f, "{} must show the state of revision {at}, but {}", self.op, self.flaw)
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverWritten(pair) => write!(f, "it shows {}, which nobody wrote", Pair(pair)),
            Self::RefusedWriteSeen(pair, refused) => {
                write!(f, "it shows {}, which only {refused} wrote: a refused put", Pair(pair))
            }
            Self::LostWrite(write, shown) => {
                write!(f, "it does not show {write}: it shows {}", Held(shown))
            }
            Self::MixedRevisions { older, replaced: Revision(replaced), newer } => write!(
                f,
                "it mixes revisions: it shows {}, which was replaced at revision {replaced}, \
                 together with {}",
                Pair(older),
                Pair(newer),
            ),
            Self::NewerThanRevision(pair) => write!(f, "it shows {}, a newer pair", Pair(pair)),
            Self::WrongAlgebra(field, expected, pair) => {
                write!(f, "it shows {}, whose {field} must be {expected}", Pair(pair))
            }
            Self::WrongPair(expected, seen) => {
                write!(f, "it shows {} where there was {}", Held(seen), Held(expected))
            }
            Self::OutsideRange(pair) => {
                write!(f, "it shows {}, a key that was not asked for", Pair(pair))
            }
            Self::OutOfOrder(pair) => {
                write!(f, "it shows {} after a pair that does not come before it", Pair(pair))
            }
            Self::TooManyPairs(pairs, most) => {
                write!(f, "it shows {pairs} pairs where at most {most} were asked for")
            }
            Self::WrongCount(expected, seen) => {
                write!(f, "it counts {seen} keys in a range that held {expected}")
            }
            Self::WrongMore(expected) => write!(
                f,
                "it says more={}, when {} was cut off",
                !expected,
                if *expected { "something" } else { "nothing" },
            ),
            Self::WrongPrevKv(expected, seen) => write!(
                f,
                "as the pair before it has {} where there was {} to report",
                Held(seen),
                Held(expected),
            ),
            Self::WrongDeleted(expected, seen) => {
                write!(f, "it claims to have removed {seen} keys where there were {expected}")
            }
            Self::WrongBranch(holds) => write!(
                f,
                "it took the branch for compares that {}, when they {}",
                if *holds { "do not hold" } else { "hold" },
                if *holds { "held" } else { "did not" },
            ),
            Self::WrongHeader(Revision(expected), Revision(seen)) => write!(
                f,
                "an operation inside has revision {seen} in its header, which must be {expected}",
            ),
            Self::NothingKept(key) => {
                write!(f, "it keeps the value or the lease of {key}, which held no pair")
            }
            Self::DeadLease(lease) => write!(f, "lease {lease}, which it needs, was not alive"),
            Self::AliveLease(lease) => {
                write!(f, "lease {lease}, which it begins, was alive all the while")
            }
            Self::KeysOfLease(lease, keys) if keys.is_empty() => {
                write!(f, "lease {lease} had no keys whose removal could have made a revision")
            }
            Self::KeysOfLease(lease, keys) => {
                write!(f, "the keys of lease {lease} are still there after its end:")?;
                keys.iter().try_for_each(|key| write!(f, " {key}"))
            }
        }
    }
}

/// A pair, in one line.
struct Pair<'a>(&'a KeyValue);

impl fmt::Display for Pair<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let KeyValue { key, value, create_revision: create, mod_revision: modified, .. } = self.0;
        write!(f, "{key} = {value} (created at {}, modified at {}", create.0, modified.0)?;
        write!(f, ", version {}", self.0.version)?;
        if let Some(lease) = self.0.lease {
            write!(f, ", lease {}", lease.id())?;
        }
        f.write_str(")")
    }
}

/// A pair or its absence.
struct Held<'a>(&'a Option<KeyValue>);

impl fmt::Display for Held<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(pair) => Pair(pair).fmt(f),
            None => f.write_str("no pair"),
        }
    }
}
