//! One sector: the unit in which a disk tears.
//!
//! A disk that loses power in the middle of a write leaves every sector old or new, in any
//! mixture. In this log, old means blank: segments are zero-filled, never recycled, and a batch
//! begins in a sector of its own. So each sector of the newest batch is blank or whole, and each
//! speaks for itself, whatever became of its neighbours.
//!
//! ```text
//!   0       4       8               16                                             512
//!   +-------+-------+---------------+------------------------------------------------+
//!   | sum   | left  | batch number  | 496 bytes of the batch                         |
//!   +-------+-------+---------------+------------------------------------------------+
//!   sum    CRC32C of bytes 4..512, begun with the sum of the segment's header and the
//!          sector's place in the file: a sector that strayed here from elsewhere fails
//!   left   sectors of the batch from this one to its end: n, n-1, .. 1, never 0
//!   number batches of this log, counted from 1: never 0
//! ```
//!
//! Invariants:
//! - W4. No sector of a batch is blank: `left` and `number` are never 0.
//!
//! Not here: which mixtures of sectors a crash can explain (`survey.rs`).

use alloc::vec;
use alloc::vec::Vec;

use crc32c::crc32c_append;

/// Bytes in a sector. Disks promise to write this much whole or not at all.
pub const SECTOR: usize = 512;

/// Bytes of a batch that one sector holds.
pub(super) const ROOM: usize = SECTOR - FRAME;

const FRAME: usize = 16;

/// What a sector turns out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Never written.
    Blank,
    /// A part of a batch, as it was written.
    Part(Part),
    /// Written, and changed since.
    Broken,
}

/// The frame of a sector that checks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Part {
    pub(super) number: u64,
    pub(super) left: usize,
}

/// Where a batch lies, which its sums depend on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    /// Sum of the header of the segment.
    pub(super) seed: u32,
    /// Offset in the file.
    pub(super) offset: u64,
}

/// Judges the sector at `place`.
pub(super) fn judge(sector: &[u8], place: Place) -> State {
    if *sector == [0; SECTOR] {
        return State::Blank;
    }
    let left = usize::try_from(number_at::<4>(sector, 4)).unwrap_or(usize::MAX);
    let number = number_at::<8>(sector, 8);
    if u64::from(sum(sector, place)) != number_at::<4>(sector, 0) || left == 0 || number == 0 {
        return State::Broken;
    }
    State::Part(Part { number, left })
}

/// Continues the chain over a batch: the sums of its sectors, and so all that they cover.
pub(super) fn chain(before: u32, sectors: &[u8]) -> u32 {
    sectors.chunks_exact(SECTOR).fold(before, |chain, sector| crc32c_append(chain, &sector[..4]))
}

/// Lays a batch into framed sectors.
pub(super) struct Framer {
    bytes: Vec<u8>,
    start: usize,
    at: usize,
}

impl Framer {
    /// Room for `count` sectors behind `lead`, which stays as it is.
    pub(super) fn new(lead: &[u8], count: usize) -> Self {
        assert!(lead.len().is_multiple_of(SECTOR) && count > 0, "sectors are whole");
        let mut bytes = vec![0; lead.len() + count * SECTOR];
        bytes[..lead.len()].copy_from_slice(lead);
        Self { bytes, start: lead.len(), at: lead.len() + FRAME }
    }

    /// Writes behind what was written.
    pub(super) fn put(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.at.is_multiple_of(SECTOR) {
                self.at += FRAME;
            }
            let room = SECTOR - self.at % SECTOR;
            let (head, rest) = bytes.split_at(room.min(bytes.len()));
            self.bytes[self.at..self.at + head.len()].copy_from_slice(head);
            self.at += head.len();
            bytes = rest;
        }
    }

    /// Writes at the very end of the last sector.
    pub(super) fn put_last(&mut self, bytes: &[u8]) {
        let at = self.bytes.len() - bytes.len();
        assert!(at >= self.at && bytes.len() <= ROOM, "the tail would overwrite the records");
        self.at = at;
        self.put(bytes);
    }

    /// Frames every sector of batch `number`, whose first one goes to `place`.
    pub(super) fn seal(mut self, number: u64, mut place: Place) -> Vec<u8> {
        assert!(number > 0, "W4: batches count from 1");
        let sectors = &mut self.bytes[self.start..];
        let count = sectors.len() / SECTOR;
        for (i, sector) in sectors.chunks_exact_mut(SECTOR).enumerate() {
            let Ok(left) = u32::try_from(count - i) else { panic!("a batch of {count} sectors") };
            sector[4..8].copy_from_slice(&left.to_le_bytes());
            sector[8..16].copy_from_slice(&number.to_le_bytes());
            let sum = sum(sector, place);
            sector[..4].copy_from_slice(&sum.to_le_bytes());
            place.offset += SECTOR as u64;
        }
        self.bytes
    }
}

/// Reads a batch out of its sectors.
pub(super) struct Unframer<'a> {
    sectors: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Unframer<'a> {
    /// Reads whole sectors up to `tail` bytes before their end.
    pub(super) fn new(sectors: &'a [u8], tail: usize) -> Self {
        Self { sectors, at: 0, end: sectors.len() / SECTOR * ROOM - tail }
    }

    /// Bytes that can still be read.
    pub(super) fn left(&self) -> usize {
        self.end - self.at
    }

    /// The next `N` bytes, if there are so many.
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        let mut filled = 0;
        self.run(N, |part| {
            bytes[filled..filled + part.len()].copy_from_slice(part);
            filled += part.len();
        })?;
        Some(bytes)
    }

    /// The next `len` bytes, if there are so many. What a foreign length asks for is allocated
    /// only once it is known to be there.
    pub(super) fn bytes(&mut self, len: usize) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(len.min(self.left()));
        self.run(len, |part| bytes.extend_from_slice(part))?;
        Some(bytes)
    }

    fn run(&mut self, mut len: usize, mut each: impl FnMut(&'a [u8])) -> Option<()> {
        if len > self.left() {
            return None;
        }
        while len > 0 {
            let (sector, within) = (self.at / ROOM, self.at % ROOM);
            let now = len.min(ROOM - within);
            let from = sector * SECTOR + FRAME + within;
            each(&self.sectors[from..from + now]);
            self.at += now;
            len -= now;
        }
        Some(())
    }
}

fn sum(sector: &[u8], place: Place) -> u32 {
    let seed = crc32c_append(place.seed, &place.offset.to_le_bytes());
    crc32c_append(seed, &sector[4..])
}

fn number_at<const N: usize>(bytes: &[u8], at: usize) -> u64 {
    let mut wide = [0; 8];
    wide[..N].copy_from_slice(&bytes[at..at + N]);
    u64::from_le_bytes(wide)
}
