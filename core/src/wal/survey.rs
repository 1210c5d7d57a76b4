//! Torn or damaged: which sectors behind the last good batch a crash can explain.
//!
//! At most one batch is under way at a time (W2), so behind batch `n` there can be only what
//! reached the disk of batch `n+1`. Its sectors may be there in any mixture, for a disk reorders:
//!
//! ```text
//!   n  | n  | .  | .  | .  | .      nothing came                      end
//!   n  | n  | +2 | +1 | .  | .      all came                          a batch
//!   n  | n  | +3 | .  | +1 | .      the middle did not                torn
//!   n  | n  | .  | .  | +1 | .      not even the head did             torn
//!   n  | n  | +2 | XX | .  | .      a sector that does not check      damaged
//!   n  | n  | .  | +1 | n+2| .      the next one was written, so the
//!                                   blank one had been durable        damaged
//! ```
//! (`.` blank; `+k` of batch `n+1`, with `k` sectors left)
//!
//! No log can tell a torn batch from one that was durable and of which the disk later blanked
//! whole sectors, as long as nothing was written behind it. Neither can it miss a newest segment
//! that is gone without a trace. The store, which knows how far it has applied, may.
//!
//! Invariants:
//! - W2. Batch `n+1` is written after the sync of batch `n`.
//! - W4. No sector of a batch is blank: one that is was never written.

use super::damage::{Damage, Flaw};
use super::sector::{self, Part, Place, SECTOR, State};
use super::segment::Segment;

/// What stands behind the last good batch. Counted in sectors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// Nothing.
    End,
    /// A whole batch.
    Batch(usize),
    /// What reached the disk of a batch that would take so many sectors.
    Torn(usize),
}

impl Segment {
    /// Looks at what stands from sector `at` on, where batch `number` belongs.
    pub(super) fn next(&self, at: usize, number: u64) -> Result<Next, Damage> {
        match self.whole(at, number) {
            Some(count) => Ok(Next::Batch(count)),
            None => self.explain(at, number),
        }
    }

    /// The damage of a segment whose batch at `at` is not whole and must be.
    pub(super) fn lost(&self, at: usize) -> Damage {
        let blank = (at..self.len()).find(|here| self.state(*here) == State::Blank);
        self.broken(blank.unwrap_or(at), Flaw::Lost)
    }

    /// The bytes of some sectors.
    pub(super) fn sectors(&self, at: usize, count: usize) -> &[u8] {
        &self.bytes[at * SECTOR..(at + count) * SECTOR]
    }

    /// How many sectors a segment has.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() / SECTOR
    }

    /// This segment's damage at a sector.
    pub(super) fn broken(&self, at: usize, flaw: Flaw) -> Damage {
        Damage::broken(&self.name, (at * SECTOR) as u64, flaw)
    }

    fn state(&self, at: usize) -> State {
        let place = Place { seed: self.seed, offset: (at * SECTOR) as u64 };
        sector::judge(self.sectors(at, 1), place)
    }

    /// The sectors of batch `number`, if it stands here and none of it is missing.
    fn whole(&self, at: usize, number: u64) -> Option<usize> {
        let mut left = self.part(at, number)?;
        let count = left;
        while left > 1 {
            let next = self.part(at + count - left + 1, number)?;
            if next != left - 1 {
                return None;
            }
            left = next;
        }
        Some(count)
    }

    fn part(&self, at: usize, number: u64) -> Option<usize> {
        if at >= self.len() {
            return None;
        }
        match self.state(at) {
            State::Part(part) if part.number == number => Some(part.left),
            State::Part(_) | State::Blank | State::Broken => None,
        }
    }

    /// There is no whole batch: nothing may stand here but the remains of one.
    fn explain(&self, at: usize, number: u64) -> Result<Next, Damage> {
        let mut end = None;
        let mut blank = None;
        for here in at..self.len() {
            let left = match self.state(here) {
                State::Blank => {
                    blank = blank.or(Some(here));
                    continue;
                }
                State::Broken => return Err(self.broken(here, Flaw::Sector)),
                State::Part(part) => self.remain(here, part, number, blank)?,
            };
            if left > self.len() - here || end.is_some_and(|end| end != here + left) {
                return Err(self.broken(here, Flaw::Content("its sectors disagree on its end")));
            }
            end = Some(here + left);
        }
        Ok(end.map_or(Next::End, |end| Next::Torn(end - at)))
    }

    /// How much a sector says is left of batch `number`.
    fn remain(
        &self,
        here: usize,
        part: Part,
        number: u64,
        blank: Option<usize>,
    ) -> Result<usize, Damage> {
        match blank {
            _ if part.number == number => Ok(part.left),
            // A later batch proves that this one had been whole: point to what it lost.
            Some(lost) if part.number > number => Err(self.broken(lost, Flaw::Lost)),
            Some(_) | None => {
                let flaw = Flaw::Misplaced { found: part.number, expected: number };
                Err(self.broken(here, flaw))
            }
        }
    }
}
