//! What a stored plan must come to, so that it does not rot unnoticed.
//!
//! ```text
//!   expect at least 1 power losses
//!   expect bug read-without-quorum to break linearizability
//! ```
//! A plan is kept because it once brought a cluster to some rare place. The code moves on, and one
//! day the same plan passes by that place and still holds: it is *stale*, and tests nothing. So it
//! lists the counters that it must reach, and, where it was found with a planted bug, the invariant
//! that this bug must break.
//!
//! Not here: the replay (`replay.rs`).

use std::fmt;

use quorate_core::planted::Bug;

use super::text::{Read, Words};
use crate::counters::{Counter, Counters};
use crate::verdict::Invariant;

/// What a replay is held against. A plan that was drawn expects nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Expect {
    /// How often something must happen, in a correct core.
    pub at_least: Vec<(Counter, u64)>,
    /// What goes wrong with a planted bug.
    pub broken: Option<Broken>,
}

/// A planted bug and what it breaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Broken {
    /// The bug.
    pub bug: Bug,
    /// What does not hold with it.
    pub invariant: Invariant,
}

impl Expect {
    /// The counters that were not reached, with how far they came.
    pub fn missed<'a>(
        &'a self,
        counters: &'a Counters,
    ) -> impl Iterator<Item = (Counter, u64, u64)> + 'a {
        let reached =
            self.at_least.iter().map(|(what, least)| (*what, *least, counters.get(*what)));
        reached.filter(|(_, least, count)| count < least)
    }

    /// Takes in what follows the word `expect`.
    pub(super) fn read(&mut self, words: &mut Words<'_>) -> Read<()> {
        if words.expect_one_of(&["at", "bug"])? == 0 {
            words.expect("least")?;
            let least = words.number()?;
            let what = named(Counter::ALL, |counter| counter.name(), &words.rest())?;
            self.at_least.push((what, least));
            return Ok(());
        }
        let bug = named(Bug::ALL, |bug| bug.name(), words.word()?)?;
        words.expect("to")?;
        words.expect("break")?;
        let invariant = named(Invariant::ALL, |invariant| invariant.name(), &words.rest())?;
        self.broken = Some(Broken { bug, invariant });
        Ok(())
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, least) in &self.at_least {
            writeln!(f, "expect at least {least} {}", what.name())?;
        }
        if let Some(Broken { bug, invariant }) = self.broken {
            writeln!(f, "expect bug {bug} to break {invariant}")?;
        }
        Ok(())
    }
}

fn named<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str, text: &str) -> Read<T> {
    let found = all.iter().copied().find(|each| name(*each) == text);
    found.ok_or_else(|| format!("\"{text}\" is not known"))
}
