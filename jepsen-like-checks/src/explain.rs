//! A rejected history, told so that a newcomer can follow: the shortest beginning of it that cannot
//! be, the two facts that exclude each other, and who did and saw what, in columns.
//!
//! ```text
//! It cannot be: a read answered from before something that was known already.
//!
//!   (A) client 1 asked at 10 us: put "a" = "x"; the answer at 20 us: made revision 2 [operation 1].
//!   (B) client 2 asked at 30 us: get "a"; the answer at 40 us: nothing, at revision 1 [operation 2].
//!   Both cannot be true: revisions only grow, and (A) was over before (B) began ...
//!
//!   time us | client 1              | client 2
//! A      10 | 1: put "a" = "x"
//! A      20 | '- 1: made revision 2
//! B      30 |                       | 2: get "a"
//! B      40 |                       | '- 2: nothing, at revision 1
//! ```
//!
//! A history that is illegal stays so, whatever comes after. So its shortest failing beginning is
//! found by bisection: cut it at a moment, take what was not answered by then as unknown, and ask
//! the judge again.
//!
//! Not here: finding that something is wrong at all (`linearizable/`, `watch/`, `lease/`).

use std::fmt;

use crate::history::{History, Micros};
use crate::lease::{self, Bounds};
use crate::linearizable::{Rejection, Verdict};
use crate::watch;

mod columns;
mod facts;
mod prefix;
mod sayings;
mod scene;

use columns::Table;
use facts::Facts;

/// What a judge found wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// No order explains the answers.
    Order(Box<Rejection>),
    /// A watch broke a guarantee.
    Watch(Box<watch::Fault>),
    /// A lease broke a rule of time, which were held with these bounds.
    Lease(Box<lease::Fault>, Bounds),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order(rejection) => rejection.fmt(f),
            Self::Watch(fault) => fault.fmt(f),
            Self::Lease(fault, _) => fault.fmt(f),
        }
    }
}

impl std::error::Error for Finding {}

/// A finding with all that is needed to follow it. Its `Display` is the page to read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explanation {
    /// The contradiction, as the shortest failing beginning of the history shows it.
    pub finding: Finding,
    /// Where that beginning ends.
    pub until: Micros,
    /// How many operations and watches it has, of how many.
    pub kept: (usize, usize),
    facts: Facts,
    table: Table,
}

/// Explains what a judge found wrong with a history.
#[must_use]
pub fn explain(history: &History, finding: &Finding) -> Explanation {
    let (prefix, until, finding) = prefix::shortest(history, finding);
    let facts = facts::of(&prefix, &finding);
    let table = scene::table(&prefix, &finding);
    let size = |history: &History| history.operations().len() + history.watches().len();
    Explanation { finding, until, kept: (size(&prefix), size(history)), facts, table }
}

/// What the judge of a finding says of another history.
fn again(history: &History, finding: &Finding) -> Option<Finding> {
    match finding {
        Finding::Order(_) => match crate::judge(history) {
            Verdict::Illegal(rejection) => Some(Finding::Order(rejection)),
            Verdict::Linearizable(_) | Verdict::Unknown(_) => None,
        },
        Finding::Watch(_) => watch::check(history).err().map(Finding::Watch),
        Finding::Lease(_, bounds) => {
            let fault = lease::check(history, *bounds).err();
            fault.map(|fault| Finding::Lease(fault, *bounds))
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kept, of) = self.kept;
        writeln!(f, "It cannot be: {}.", self.facts.title)?;
        writeln!(f)?;
        for (mark, fact) in ["A", "B"].iter().zip(&self.facts.facts) {
            writeln!(f, "  ({mark}) {fact}.")?;
        }
        writeln!(f, "  {}.", self.facts.why)?;
        writeln!(f)?;
        writeln!(
            f,
            "The history up to {} us shows it: {kept} of {of} operations and watches.",
            self.until.0,
        )?;
        writeln!(f)?;
        write!(f, "{}", self.table)
    }
}
