//! Bits that change at rest. What was receipted is never silently lost: start-up refuses.
//!
//! Bytes without effect are exactly those that lie, in a segment which has a successor, behind
//! the place where that successor says it ended. Nothing is ever read there.

use std::fmt::Display;
use std::ops::Range;

use quorate_core::random::Random;
use quorate_core::wal::{Damage, FileOp, Flaw, Found, Layout, SECTOR, Wal, Write, recover};

use crate::disk::Disk;
use crate::model::{Model, entry, found, founded, hard, id, layout, reopen, run, write};

const LAYOUT: Layout = Layout { segment_size: 4096, planted: None };

/// A log with all that can be in one, and what it remembers.
struct Log {
    disk: Disk,
    model: Model,
    /// Bytes that nothing reads, by file.
    dead: Vec<(String, Range<usize>)>,
    /// What is left if the newest batch, which no other follows, is cut off.
    without_newest: Option<Model>,
}

/// One writer for all logs: keeps disk, planner and model together.
struct Author {
    disk: Disk,
    wal: Wal,
    model: Model,
    before: Model,
    number: u64,
}

impl Author {
    fn new() -> Self {
        let (disk, wal) = founded(LAYOUT);
        let model = Model::founded();
        Self { disk, wal, before: model.clone(), model, number: 0 }
    }

    fn next(&mut self, term: u64, vote: Option<u64>, commands: &[usize]) -> Write {
        self.number += 1;
        let first = self.model.last().index.0 + 1;
        let entries = (first..).zip(commands);
        let entries = entries.map(|(index, len)| entry(index, term, &vec![0; *len])).collect();
        write(self.number, hard(term, vote), entries)
    }

    fn plan(&mut self, write: &Write) -> Vec<FileOp> {
        let mut ops = Vec::new();
        let _ = self.wal.plan(std::slice::from_ref(write), &mut ops);
        ops
    }

    fn run(&mut self, write: &Write) {
        run(&mut self.disk, &mut self.wal, std::slice::from_ref(write));
        self.before = self.model.clone();
        self.model.apply(write);
    }

    /// A batch of which only these sectors reach the disk, then a restart.
    fn tear(&mut self, write: &Write, kept: &[usize]) {
        for op in self.plan(write) {
            let FileOp::Write { name, offset, bytes } = op else { break };
            for sector in kept {
                let (offset, at) = (offset + (sector * SECTOR) as u64, sector * SECTOR);
                let bytes = bytes.slice(at..at + SECTOR);
                self.disk.run(&FileOp::Write { name: name.clone(), offset, bytes });
            }
            self.disk.run(&FileOp::Sync { name });
        }
    }

    fn restart(&mut self) {
        let log = reopen(&mut self.disk, LAYOUT);
        assert_eq!(Model::of(&log), self.model);
        (self.wal, self.number) = (log.wal, 0);
    }

    fn done(self) -> Log {
        let dead = dead(&self.disk);
        Log { disk: self.disk, model: self.model, dead, without_newest: Some(self.before) }
    }
}

/// What the headers say about where their predecessors ended.
fn dead(disk: &Disk) -> Vec<(String, Range<usize>)> {
    let names = disk.names();
    let ended = |name: &str| {
        let field = disk.bytes(name)[104..112].try_into().unwrap();
        usize::try_from(u64::from_le_bytes(field)).unwrap()
    };
    let closed = names.iter().zip(&names[1..]);
    closed.map(|(name, next)| (name.clone(), ended(next)..disk.bytes(name).len())).collect()
}

/// One segment: batches of one and of several sectors, with values of nothing but zeros.
fn plain() -> Log {
    let mut author = Author::new();
    for (term, vote, commands) in
        [(1, Some(3), &[20][..]), (2, None, &[]), (2, Some(1), &[900, 0]), (4, None, &[60, 60])]
    {
        let write = author.next(term, vote, commands);
        author.run(&write);
    }
    author.done()
}

/// Several segments: a torn tail that was cut, a truncation, a mark, an outsized batch.
fn long() -> Log {
    let mut author = Author::new();
    let first = author.next(2, Some(2), &[30, 700, 10]);
    author.run(&first);
    let torn = author.next(2, Some(2), &[1200]);
    author.tear(&torn, &[0, 2]);
    author.restart();
    let mut truncating = author.next(3, None, &[8, 8]);
    truncating.entries = vec![entry(3, 3, b"other"), entry(4, 3, b"others")];
    author.run(&truncating);
    let long = author.next(3, Some(1), &[600]);
    author.run(&long);
    let outsized = author.next(3, Some(1), &[5000]);
    author.run(&outsized);
    let mut marking = author.next(3, Some(1), &[100]);
    marking.discard = Some(id(2, 2));
    author.run(&marking);
    let last = author.next(3, Some(1), &[2, 600]);
    author.run(&last);
    author.done()
}

/// The newest batch is torn and was never receipted.
fn torn() -> Log {
    let mut author = Author::new();
    let first = author.next(2, Some(2), &[30]);
    author.run(&first);
    let next = author.next(3, Some(1), &[1300]);
    author.tear(&next, &[1, 2]);
    Log { without_newest: None, ..author.done() }
}

/// A segment that is full to its last sector, and the next one just begun.
fn brimful() -> Log {
    let mut author = Author::new();
    let room = 4096 - SECTOR;
    let payload = room / SECTOR * 496 - 64 - 32 - 20;
    let filling = author.next(1, Some(1), &[payload]);
    author.run(&filling);
    assert_eq!(author.disk.names().len(), 2);
    let last = author.next(1, Some(1), &[1200]);
    author.run(&last);
    assert_eq!(author.disk.names().len(), 3);
    // The newest batch is the first of its segment: it is never taken for torn.
    Log { without_newest: None, ..author.done() }
}

/// A segment that holds its first batch only, of one sector.
fn fresh() -> Log {
    let mut author = Author::new();
    let first = author.next(1, Some(1), &[]);
    author.run(&first);
    Log { without_newest: None, ..author.done() }
}

fn all() -> Vec<(&'static str, Log)> {
    vec![
        ("plain", plain()),
        ("long", long()),
        ("torn", torn()),
        ("brimful", brimful()),
        ("fresh", fresh()),
    ]
}

impl Log {
    fn is_dead(&self, name: &str, at: usize) -> bool {
        self.dead.iter().any(|(file, range)| file == name && range.contains(&at))
    }

    fn check_refused(&self, disk: &Disk, name: &str, what: &dyn Display) {
        match recover(disk, LAYOUT) {
            Err(damage) => {
                let text = damage.to_string();
                assert!(text.contains(".wal") || text.contains(".tmp"), "{what}: {text}");
            }
            Ok(log) => panic!("{what} in {name} went unnoticed: {log:?}"),
        }
    }

    fn check_unharmed(&self, disk: &Disk, what: &dyn Display) {
        let log = found(recover(disk, LAYOUT)).unwrap_or_else(|| panic!("{what}: no log"));
        assert_eq!(Model::of(&log), self.model, "{what}");
    }

    /// Refused, unless only bytes that nothing reads were changed.
    fn check(&self, disk: &Disk, name: &str, what: &dyn Display) {
        let (was, is) = (self.disk.bytes(name), disk.bytes(name));
        // A dead range reaches to the end of its file.
        if (0..was.len()).find(|at| was[*at] != is[*at]).is_none_or(|at| self.is_dead(name, at)) {
            self.check_unharmed(disk, what);
        } else {
            self.check_refused(disk, name, what);
        }
    }
}

/// Returns how many bytes matter, and how many have no effect.
fn flip_every_bit(log: &Log) -> (u64, u64) {
    let (mut disk, mut live, mut dead) = (log.disk.clone(), 0, 0);
    for name in disk.names() {
        for at in 0..disk.bytes(&name).len() {
            let is_dead = log.is_dead(&name, at);
            for bit in 0..8 {
                disk.flip(&name, at, 1 << bit);
                let what = format_args!("bit {bit} of byte {at} of {name}");
                if is_dead {
                    log.check_unharmed(&disk, &what);
                } else {
                    log.check_refused(&disk, &name, &what);
                }
                disk.flip(&name, at, 1 << bit);
            }
            *(if is_dead { &mut dead } else { &mut live }) += 1;
        }
    }
    log.check_unharmed(&disk, &"all bits are back");
    (live, dead)
}

#[test]
fn every_flipped_bit_of_a_short_log_is_noticed() {
    assert_eq!(flip_every_bit(&plain()), (1024 + 4096, 0));
    assert_eq!(flip_every_bit(&fresh()), (1024 + 4096, 0));
}

#[test]
fn every_flipped_bit_of_a_torn_log_is_noticed() {
    assert_eq!(flip_every_bit(&torn()), (1024 + 4096, 0));
}

#[test]
fn every_flipped_bit_of_a_full_log_is_noticed() {
    assert_eq!(flip_every_bit(&brimful()), (1024 + 2 * 4096, 0));
}

#[test]
fn every_flipped_bit_of_a_long_log_is_noticed_but_behind_the_end_of_a_closed_segment() {
    // Behind its end lie: of the torn segment its remains and what is blank, of the one before
    // the outsized batch what is blank.
    let log = long();
    let sizes = log.dead.iter().map(|(_, range)| range.len()).collect::<Vec<_>>();
    let (live, dead) = flip_every_bit(&log);
    assert_eq!((live, dead), (13_824, 4608), "{sizes:?}");
}

#[test]
fn every_byte_of_ones_and_every_overwritten_range_is_noticed() {
    let mut random = Random::new(7);
    for (title, log) in all() {
        for name in log.disk.names() {
            let original = log.disk.bytes(&name).to_vec();
            for _ in 0..4000 {
                let mut bytes = original.clone();
                let at = usize::try_from(random.below(bytes.len() as u64)).unwrap();
                let most = 1 << random.below(12);
                let len = usize::try_from(1 + random.below(most)).unwrap();
                let range = at..(at + len).min(bytes.len());
                let ones = random.below(4) == 0;
                for byte in &mut bytes[range.clone()] {
                    *byte = if ones { 255 } else { u8::try_from(random.below(256)).unwrap() };
                }
                if bytes != original {
                    let mut disk = log.disk.clone();
                    disk.replace(&name, bytes);
                    log.check(&disk, &name, &format_args!("{title}: {range:?}"));
                }
            }
        }
    }
}

/// The one case that no log can decide: of the newest batch, durable or not, whole sectors are
/// blank. It is cut, and told.
#[test]
fn a_blanked_sector_is_noticed_unless_it_is_of_the_newest_batch() {
    for (title, log) in all() {
        let newest = log.disk.names().pop().unwrap();
        let mut cut = 0;
        for name in log.disk.names() {
            let original = log.disk.bytes(&name).to_vec();
            for at in (0..original.len()).step_by(SECTOR) {
                let range = at..at + SECTOR;
                if original[range.clone()].iter().all(|byte| *byte == 0) {
                    continue;
                }
                let (mut bytes, mut disk) = (original.clone(), log.disk.clone());
                bytes[range.clone()].fill(0);
                disk.replace(&name, bytes);
                let what = format_args!("{title}: blank sector at {at} of {name}");
                let flaw = if at == 0 { Flaw::Header } else { Flaw::Lost };
                let lost = Damage::Broken { file: name.clone(), offset: at as u64, flaw };
                match recover(&disk, LAYOUT) {
                    Ok(found) if name == newest => {
                        let Found::Log(left) = found else { panic!("{what}: no log") };
                        let expected = log.without_newest.as_ref().unwrap_or(&log.model);
                        assert_eq!(&Model::of(&left), expected, "{what}");
                        cut += 1;
                    }
                    Ok(_) => assert!(log.is_dead(&name, at), "{what} went unnoticed"),
                    Err(damage) => assert_eq!(damage, lost, "{what}"),
                }
            }
        }
        let expected = [("plain", 1), ("long", 2), ("torn", 2), ("brimful", 0), ("fresh", 0)];
        assert!(expected.contains(&(title, cut)), "{title}: {cut} blanked sectors were cut");
    }
}

#[test]
fn sectors_that_changed_places_are_noticed() {
    for (title, log) in all() {
        for name in log.disk.names() {
            let original = log.disk.bytes(&name).to_vec();
            for from_name in log.disk.names() {
                for from in (0..log.disk.bytes(&from_name).len()).step_by(SECTOR) {
                    let sector = log.disk.bytes(&from_name)[from..from + SECTOR].to_vec();
                    for at in (0..original.len()).step_by(SECTOR) {
                        let blank = sector.iter().all(|byte| *byte == 0);
                        if blank || original[at..at + SECTOR] == *sector {
                            continue;
                        }
                        let (mut bytes, mut disk) = (original.clone(), log.disk.clone());
                        bytes[at..at + SECTOR].copy_from_slice(&sector);
                        disk.replace(&name, bytes);
                        let what = format_args!("{title}: sector {from} of {from_name} at {at}");
                        log.check(&disk, &name, &what);
                    }
                }
            }
        }
    }
}

#[test]
fn a_file_of_another_length_is_refused() {
    for (title, log) in all() {
        for name in log.disk.names() {
            let original = log.disk.bytes(&name).to_vec();
            for len in (0..original.len() + 1024).step_by(128).filter(|len| *len != original.len())
            {
                let (mut bytes, mut disk) = (original.clone(), log.disk.clone());
                bytes.resize(len, 0);
                disk.replace(&name, bytes);
                log.check_refused(&disk, &name, &format_args!("{title}: {len} bytes"));
            }
        }
    }
}

#[test]
fn a_missing_segment_is_named() {
    let log = long();
    let names = log.disk.names();
    assert!(names.len() > 2, "{names:?}");
    for name in &names[..names.len() - 1] {
        let mut disk = log.disk.clone();
        disk.run(&FileOp::Remove { name: name.clone() });
        let Err(Damage::Missing { file, .. }) = recover(&disk, LAYOUT) else {
            panic!("{name} was not missed")
        };
        assert_eq!(&file, name);
    }
}

/// A newest segment that is gone without a trace cannot be missed. A draft of its successor is a
/// trace.
#[test]
fn a_draft_tells_of_a_missing_newest_segment() {
    let log = long();
    let mut disk = log.disk.clone();
    let newest = disk.names().pop().unwrap();
    let sequence = u64::from_str_radix(&newest[..16], 16).unwrap();
    let draft = format!("{:016x}.tmp", sequence + 1);
    disk.run(&FileOp::Create { name: draft, size: 4096 });
    log.check_unharmed(&disk, &"the draft of the next segment is nothing unusual");
    disk.run(&FileOp::Remove { name: newest.clone() });
    let refusal = recover(&disk, LAYOUT);
    assert!(matches!(refusal, Err(Damage::Missing { file, .. }) if file == newest));
}

#[test]
fn a_blank_sector_before_a_later_batch_is_told_as_lost() {
    let log = plain();
    let mut disk = log.disk.clone();
    let mut bytes = disk.bytes("0000000000000002.wal").to_vec();
    bytes[1024..1536].fill(0);
    disk.replace("0000000000000002.wal", bytes);
    let Err(damage) = recover(&disk, LAYOUT) else { panic!("unnoticed") };
    let file = String::from("0000000000000002.wal");
    assert_eq!(damage, Damage::Broken { file, offset: 1024, flaw: Flaw::Lost });
    assert_eq!(
        damage.to_string(),
        "0000000000000002.wal at byte 1024: the sector is blank, and was durable; remove this \
         member from the cluster and add it anew with an empty directory, or put back a copy of \
         the file from after its last write: an older one forgets what was promised"
    );
}

#[test]
fn an_older_copy_of_a_closed_segment_is_refused() {
    let mut author = Author::new();
    let first = author.next(2, Some(2), &[30]);
    author.run(&first);
    let older = author.disk.bytes("0000000000000002.wal").to_vec();
    let second = author.next(2, Some(2), &[30]);
    author.run(&second);
    author.restart();
    let third = author.next(2, Some(2), &[30]);
    author.run(&third);
    assert_eq!(author.disk.names().len(), 3);
    let log = author.done();
    let mut disk = log.disk.clone();
    disk.replace("0000000000000002.wal", older);
    log.check_refused(&disk, "0000000000000002.wal", &"an older copy");
}

/// Two copies of a member that went on apart: every file is good, and they do not belong together.
fn diverged() -> (Author, Author) {
    let (mut one, mut other) = (Author::new(), Author::new());
    for (author, value) in [(&mut one, b"this"), (&mut other, b"that")] {
        let mut write = author.next(2, Some(2), &[0]);
        write.entries = vec![entry(2, 2, value)];
        author.run(&write);
        for _ in 0..2 {
            let next = author.next(2, Some(2), &[10]);
            author.run(&next);
        }
    }
    (one, other)
}

#[test]
fn a_batch_from_another_past_is_refused() {
    let (one, other) = diverged();
    let (name, mut disk) = ("0000000000000002.wal", one.disk.clone());
    let mut bytes = disk.bytes(name).to_vec();
    bytes[512..1024].copy_from_slice(&other.disk.bytes(name)[512..1024]);
    assert_ne!(bytes, disk.bytes(name));
    disk.replace(name, bytes);
    let expected = Damage::Broken { file: name.into(), offset: 1024, flaw: Flaw::Link };
    assert_eq!(recover(&disk, LAYOUT).err(), Some(expected));
}

#[test]
fn a_segment_from_another_past_is_refused() {
    let (mut one, other) = diverged();
    one.restart();
    let next = one.next(2, Some(2), &[10]);
    one.run(&next);
    let (mut disk, name) = (one.disk, "0000000000000002.wal");
    disk.replace(name, other.disk.bytes(name).to_vec());
    let file = String::from("0000000000000003.wal");
    let expected = Damage::Broken { file, offset: 0, flaw: Flaw::Link };
    assert_eq!(recover(&disk, LAYOUT).err(), Some(expected));
}

#[test]
fn layouts_may_change_between_starts() {
    let log = long();
    let (mut disk, bigger) = (log.disk.clone(), layout(16_384));
    let mut again = reopen(&mut disk, bigger);
    assert_eq!(Model::of(&again), log.model);
    run(&mut disk, &mut again.wal, &[write(1, log.model.hard, Vec::new())]);
    assert_eq!(Model::of(&reopen(&mut disk, LAYOUT)), log.model);
}
