//! Bytes that this program never wrote: garbage, forgeries with right sums, strangers' files.

use crc32c::{crc32c, crc32c_append};
use quorate_core::random::Random;
use quorate_core::types::{ClusterId, NodeId};
use quorate_core::wal::{
    Damage, FileOp, Flaw, Found, Identity, Layout, ReadDisk, SECTOR, Wal, Write, recover,
};

use crate::disk::Disk;
use crate::model::{Model, Wildness, entry, founded, founding, hard, layout, run, write};

const LAYOUT: Layout = Layout { segment_size: 4096, planted: None };

fn garbage(random: &mut Random, len: usize) -> Vec<u8> {
    (0..len).map(|_| u8::try_from(random.below(256)).unwrap()).collect()
}

fn pick(random: &mut Random, len: usize) -> usize {
    usize::try_from(random.below(len as u64)).unwrap()
}

fn grown(seed: u64) -> Disk {
    let mut random = Random::new(seed);
    let (mut disk, mut wal) = founded(LAYOUT);
    let mut model = Model::founded();
    for number in 1..=random.below(12) {
        let next = model.invent(number, Wildness { command: 600, zeros: 900 }, &mut random);
        run(&mut disk, &mut wal, std::slice::from_ref(&next));
        model.apply(&next);
    }
    disk
}

/// Makes all sums and links of a segment right again.
fn forge(bytes: &mut [u8]) {
    let seed = crc32c(&bytes[..508]);
    bytes[508..512].copy_from_slice(&seed.to_le_bytes());
    let (mut chain, mut number) = (seed, [0; 8]);
    for at in (SECTOR..bytes.len()).step_by(SECTOR) {
        let sector = &mut bytes[at..at + SECTOR];
        if sector.iter().all(|byte| *byte == 0) {
            continue;
        }
        if sector[8..16] != number {
            number.copy_from_slice(&sector[8..16]);
            sector[16..20].copy_from_slice(&chain.to_le_bytes());
        }
        let start = crc32c_append(seed, &(at as u64).to_le_bytes());
        let sum = crc32c_append(start, &sector[4..]).to_le_bytes();
        sector[..4].copy_from_slice(&sum);
        chain = crc32c_append(chain, &sum);
    }
}

#[test]
fn the_forger_knows_the_format() {
    for seed in 0..50 {
        let disk = grown(seed);
        for name in disk.names() {
            let mut bytes = disk.bytes(&name).to_vec();
            forge(&mut bytes);
            assert_eq!(bytes, disk.bytes(&name));
        }
    }
}

#[test]
fn garbage_is_refused_and_never_panics() {
    let mut random = Random::new(11);
    for _ in 0..3000 {
        let mut disk = Disk::default();
        for sequence in 1..=1 + random.below(3) {
            let len = pick(&mut random, 5000);
            disk.replace(&format!("{sequence:016x}.wal"), garbage(&mut random, len));
        }
        assert!(recover(&disk, LAYOUT).is_err());
    }
}

#[test]
fn forgeries_with_right_sums_never_panic() {
    let (mut refused, mut taken) = (0, 0);
    for seed in 0..6000 {
        let mut random = Random::new(seed);
        let mut disk = grown(seed % 40);
        let names = disk.names();
        let name = &names[pick(&mut random, names.len())];
        let mut bytes = disk.bytes(name).to_vec();
        for _ in 0..=random.below(3) {
            // The first hundred bytes of a sector hold what lengths and places there are.
            let at = pick(&mut random, bytes.len() / SECTOR) * SECTOR + pick(&mut random, 112);
            bytes[at] = [0, 1, 255, u8::try_from(random.below(256)).unwrap()][pick(&mut random, 4)];
        }
        forge(&mut bytes);
        disk.replace(name, bytes);
        match recover(&disk, LAYOUT) {
            Ok(Found::Log(log)) => {
                taken += 1;
                let indexes = (log.base.index.0 + 1..).zip(&log.entries);
                assert!(indexes.into_iter().all(|(index, entry)| entry.index.0 == index));
            }
            Ok(Found::Nothing) => panic!("seed {seed}: the log vanished"),
            Err(damage) => {
                refused += 1;
                assert!(!damage.to_string().is_empty());
            }
        }
    }
    println!("{refused} refused, {taken} taken");
    assert!(refused > 1000 && taken > 100);
}

/// A batch of three sectors behind one of one, as `record.rs` draws them.
const BATCH: usize = 1024;
const COUNT: usize = BATCH + 16 + 4;
const FLAGS: usize = BATCH + 16 + 8;
const HEAD_TERM: usize = BATCH + 16 + 16;
const HEAD_LAST: usize = BATCH + 16 + 32;
const MARK: usize = BATCH + 16 + 48;
const RECORD: usize = BATCH + 16 + 64;
const TAIL_TERM: usize = BATCH + 3 * SECTOR - 32;
const TAIL_LAST: usize = BATCH + 3 * SECTOR - 16;

fn forged(changes: &[(usize, u8)]) -> Result<Found, Damage> {
    let (mut disk, mut wal) = founded(LAYOUT);
    run(&mut disk, &mut wal, &[write(1, hard(3, Some(5)), vec![entry(2, 3, b"a")])]);
    run(&mut disk, &mut wal, &[write(2, hard(3, Some(5)), vec![entry(3, 3, &[9; 1300])])]);
    let name = "0000000000000002.wal";
    let mut bytes = disk.bytes(name).to_vec();
    for (at, byte) in changes {
        bytes[*at] = *byte;
    }
    forge(&mut bytes);
    disk.replace(name, bytes);
    recover(&disk, LAYOUT)
}

#[test]
fn what_contradicts_itself_is_refused_under_right_sums() {
    assert!(forged(&[]).is_ok());
    let cases: &[(&[(usize, u8)], &str)] = &[
        (&[(FLAGS, 2)], "its head is unknown"),
        (&[(FLAGS, 1)], "its head is unknown"),
        (&[(COUNT, 2)], "it holds an entry that has no place in the log"),
        (&[(COUNT + 3, 255)], "its records do not fit into it"),
        (&[(RECORD + 17, 200)], "its records do not fit into it"),
        (&[(COUNT, 0)], "there is something behind its records"),
        (&[(RECORD + 17, 4)], "there is something behind its records"),
        (&[(TAIL_TERM, 4)], "its tail promises something else than its head"),
        (&[(TAIL_LAST, 4)], "its tail promises something else than its head"),
        (&[(HEAD_TERM, 2), (TAIL_TERM, 2)], "it takes back a promise"),
        (&[(HEAD_TERM + 8, 6), (TAIL_TERM + 8, 6)], "it takes back a promise"),
        (&[(HEAD_TERM + 8, 0), (TAIL_TERM + 8, 0)], "it takes back a promise"),
        (&[(HEAD_LAST, 4), (TAIL_LAST, 4)], "its log ends elsewhere than it promises"),
        (&[(RECORD, 4)], "it holds an entry that has no place in the log"),
        (&[(RECORD, 0)], "it holds an entry that has no place in the log"),
        (&[(RECORD + 8, 2)], "it holds an entry that has no place in the log"),
        (&[(RECORD + 8, 4)], "it holds an entry that has no place in the log"),
        (&[(RECORD + 8, 0)], "it holds an entry that has no place in the log"),
        (&[(MARK, 9), (MARK + 8, 3)], "it discards what is not in the log"),
        (&[(MARK, 2), (MARK + 8, 2)], "it discards what is not in the log"),
        (&[(MARK + 8, 3)], "it discards what is not in the log"),
        (&[(FLAGS, 1), (MARK + 8, 3)], "it restarts the log where it cannot"),
        (&[(FLAGS, 1), (MARK, 2), (MARK + 8, 4)], "it restarts the log where it cannot"),
        (&[(BATCH + SECTOR + 4, 3)], "its sectors disagree on its end"),
        (&[(BATCH + 4, 4)], "its sectors disagree on its end"),
        (&[(BATCH + 2 * SECTOR + 6, 1)], "its sectors disagree on its end"),
        (&[(48, 2)], "the header contradicts itself"),
        (&[(96 + 7, 255)], "the header contradicts itself"),
    ];
    for (changes, expected) in cases {
        match forged(changes) {
            Err(Damage::Broken { flaw: Flaw::Content(what), .. }) => {
                assert_eq!(what, *expected, "{changes:?}");
            }
            other => panic!("{changes:?} instead of {expected}: {other:?}"),
        }
    }
}

#[test]
fn a_batch_cannot_be_longer_than_its_records_need() {
    let zeroed: Vec<_> = (RECORD..BATCH + SECTOR)
        .chain(BATCH + SECTOR + 16..BATCH + 2 * SECTOR)
        .chain(BATCH + 2 * SECTOR + 16..TAIL_TERM)
        .chain([COUNT])
        .map(|at| (at, 0))
        .collect();
    let flaw = Flaw::Content("there is something behind its records");
    let file = String::from("0000000000000002.wal");
    let expected = Damage::Broken { file, offset: 1024, flaw };
    assert_eq!(forged(&zeroed).err(), Some(expected));
}

#[test]
fn the_remains_of_a_batch_reach_no_further_than_the_file() {
    let mut changes: Vec<_> = (BATCH..BATCH + 2 * SECTOR).map(|at| (at, 0)).collect();
    assert!(matches!(forged(&changes), Ok(Found::Log(log)) if log.torn == 3 * SECTOR as u64));
    changes.push((BATCH + 2 * SECTOR + 7, 1));
    let flaw = Flaw::Content("its sectors disagree on its end");
    let file = String::from("0000000000000002.wal");
    let offset = (BATCH + 2 * SECTOR) as u64;
    assert_eq!(forged(&changes).err(), Some(Damage::Broken { file, offset, flaw }));
}

#[test]
fn another_version_is_told_from_damage() {
    let mut disk = grown(3);
    let name = disk.names()[0].clone();
    let mut bytes = disk.bytes(&name).to_vec();
    bytes[8] = 2;
    forge(&mut bytes);
    disk.replace(&name, bytes);
    let damage = recover(&disk, LAYOUT).err();
    assert_eq!(damage, Some(Damage::Broken { file: name, offset: 0, flaw: Flaw::Version(2) }));
    let text = damage.map(|damage| damage.to_string()).unwrap();
    assert!(text.contains("format version 2, this program knows version 1"), "{text}");
}

#[test]
fn two_members_segments_do_not_mix() {
    let stranger = Identity { cluster: ClusterId(0xc1), member: NodeId(0xb0b) };
    let mut others = Disk::default();
    let mut ops = Vec::new();
    Wal::create(stranger, LAYOUT, founding(), &mut ops);
    others.run_all(&ops);
    let Ok(Found::Log(mut log)) = recover(&others, LAYOUT) else { panic!("it was made") };
    run(&mut others, &mut log.wal, &[write(1, hard(2, None), vec![entry(2, 2, b"theirs")])]);

    let (mut disk, _) = founded(LAYOUT);
    let name = "0000000000000002.wal";
    disk.replace(name, others.bytes(name).to_vec());
    let damage = recover(&disk, LAYOUT).err();
    assert!(matches!(&damage, Some(Damage::Stranger { file, found, .. })
        if file == name && *found == stranger));
    let text = damage.map(|damage| damage.to_string()).unwrap();
    assert!(text.contains("belongs to member b0b of cluster c1"), "{text}");
}

#[test]
fn a_segment_under_another_name_is_refused() {
    let (mut disk, mut wal) = founded(LAYOUT);
    run(&mut disk, &mut wal, &[write(1, hard(1, None), Vec::new())]);
    let bytes = disk.bytes("0000000000000001.wal").to_vec();
    disk.replace("0000000000000003.wal", bytes);
    let flaw = Flaw::Renamed(1);
    let expected = Damage::Broken { file: "0000000000000003.wal".into(), offset: 0, flaw };
    assert_eq!(recover(&disk, LAYOUT).err(), Some(expected));
}

#[test]
fn only_names_that_look_like_ours_are_minded() {
    for (name, minded) in [
        ("lost+found", false),
        ("LOCK", false),
        ("snap", false),
        ("notes.tmp", false),
        ("0000000000000001.wal.bak", true),
        ("000000000000000A.wal", true),
        ("0000000000000000.wal", true),
        ("ffffffffffffffff.wal", true),
        ("00000000000000002.wal", true),
        ("2.wal", true),
        ("0000000000000002", true),
        ("old.wal", true),
    ] {
        let (mut disk, _) = founded(LAYOUT);
        disk.replace(name, Vec::new());
        let refused = matches!(recover(&disk, LAYOUT), Err(Damage::Name { file }) if file == name);
        assert_eq!(refused, minded, "{name}");
    }
}

#[test]
fn a_directory_without_a_log_holds_nothing() {
    let mut disk = Disk::default();
    assert!(matches!(recover(&disk, LAYOUT), Ok(Found::Nothing)));
    disk.run(&FileOp::Create { name: "0000000000000001.tmp".into(), size: 99 });
    assert!(matches!(recover(&disk, LAYOUT), Ok(Found::Nothing)));
    disk.run(&FileOp::Create { name: "0000000000000002.tmp".into(), size: 99 });
    assert!(matches!(recover(&disk, LAYOUT), Err(Damage::Missing { .. })));
}

#[test]
fn a_disk_that_does_not_answer_is_no_empty_disk() {
    struct Mute;
    impl ReadDisk for Mute {
        type Error = &'static str;
        fn list(&self) -> Result<Vec<String>, &'static str> {
            Err("input/output error")
        }
        fn read(&self, _: &str) -> Result<Vec<u8>, &'static str> {
            Err("input/output error")
        }
    }
    let damage = recover(&Mute, layout(4096)).err().map(|damage| damage.to_string());
    let expected = "the directory of the log cannot be read: input/output error";
    assert_eq!(damage.as_deref(), Some(expected));
}

/// A planner must not be made to promise more than `u64` holds by a forged last index.
#[test]
fn a_log_at_the_end_of_numbers_is_read() {
    let (mut disk, mut wal) = founded(LAYOUT);
    let last = crate::model::id(u64::MAX, 1);
    let mark = Write { discard: Some(last), ..write(1, hard(1, None), Vec::new()) };
    run(&mut disk, &mut wal, &[mark]);
    let Ok(Found::Log(log)) = recover(&disk, LAYOUT) else { panic!("it was made") };
    assert_eq!(log.base, last);
}
