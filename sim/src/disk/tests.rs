//! What a disk may forget and what it may not.

use super::*;

fn write(name: &str, offset: u64, bytes: Vec<u8>) -> FileOp {
    FileOp::Write { name: name.into(), offset, bytes: bytes.into() }
}

fn create(name: &str, sectors: u64) -> FileOp {
    FileOp::Create { name: name.into(), size: sectors * SECTOR as u64 }
}

fn sync(name: &str) -> FileOp {
    FileOp::Sync { name: name.into() }
}

fn disk(ops: &[FileOp]) -> Disk {
    let mut disk = Disk::default();
    for op in ops {
        disk.execute(op);
    }
    disk
}

fn content(disk: &Disk, name: &str) -> Vec<u8> {
    let Ok(bytes) = disk.read(name);
    bytes
}

#[test]
fn what_was_synced_survives_every_power_loss() {
    for seed in 0..100 {
        let mut disk = disk(&[
            create("a", 4),
            write("a", 100, vec![7; 1000]),
            sync("a"),
            FileOp::SyncDir,
            write("a", 1024, vec![9; 1024]),
        ]);
        disk.lose_power(Fate::new(seed, "disk"));
        assert_eq!(content(&disk, "a")[100..1024], [7; 924], "seed {seed}");
    }
}

#[test]
fn unsynced_sectors_are_lost_kept_and_mixed() {
    let mut seen = BTreeSet::new();
    for seed in 0..100 {
        let ops = [create("a", 3), sync("a"), FileOp::SyncDir, write("a", 0, vec![5; 3 * SECTOR])];
        let mut disk = disk(&ops);
        let outage = disk.lose_power(Fate::new(seed, "disk"));
        assert_eq!(outage.lost + outage.kept, 3);
        let sectors: Vec<u8> = content(&disk, "a").chunks(SECTOR).map(|sector| sector[0]).collect();
        assert!(content(&disk, "a").chunks(SECTOR).all(|s| s.iter().all(|byte| *byte == s[0])));
        seen.insert(sectors);
    }
    assert_eq!(seen.len(), 8, "every mixture of three sectors comes up: {seen:?}");
}

#[test]
fn a_sector_written_twice_may_come_back_in_any_of_its_versions() {
    let mut seen = BTreeSet::new();
    for seed in 0..100 {
        let (one, two) = (write("a", 0, vec![1; SECTOR]), write("a", 0, vec![2; SECTOR]));
        let mut disk = disk(&[create("a", 1), sync("a"), FileOp::SyncDir, one, two]);
        disk.lose_power(Fate::new(seed, "disk"));
        seen.insert(content(&disk, "a")[0]);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn directory_changes_survive_in_order() {
    let rename = FileOp::Rename { from: "a".into(), to: "b".into() };
    let remove = FileOp::Remove { name: "old".into() };
    let mut seen = BTreeSet::new();
    for seed in 0..100 {
        let mut disk = disk(&[create("old", 1), FileOp::SyncDir, create("a", 1), sync("a")]);
        disk.execute(&rename);
        disk.execute(&remove);
        disk.lose_power(Fate::new(seed, "disk"));
        let Ok(names) = disk.list();
        seen.insert(names.join(" "));
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["a old", "b", "b old", "old"]);
}

#[test]
fn a_killed_process_loses_nothing_it_wrote() {
    let mut disk = disk(&[create("a", 4), write("a", 0, vec![3; SECTOR])]);
    disk.interrupt(&write("a", 512, vec![4; 3 * SECTOR]), Fate::new(5, "disk"));
    let bytes = content(&disk, "a");
    assert_eq!(bytes[..SECTOR], [3; SECTOR]);
    let whole = bytes[SECTOR..].iter().filter(|byte| **byte == 4).count();
    assert!(whole.is_multiple_of(SECTOR) && bytes[SECTOR..SECTOR + whole].iter().all(|b| *b == 4));
}

#[test]
fn a_receipt_needs_synced_bytes_under_synced_names() {
    let mut disk = disk(&[create("a", 1), write("a", 0, vec![1; 8])]);
    assert!(!disk.is_durable());
    disk.execute(&sync("a"));
    assert!(!disk.is_durable(), "the name could still get lost");
    disk.execute(&FileOp::SyncDir);
    assert!(disk.is_durable());
}

#[test]
fn a_failed_sync_leaves_what_the_platter_got_and_nothing_else() {
    let mut seen = BTreeSet::new();
    for seed in 0..100 {
        let ops = [create("a", 3), sync("a"), FileOp::SyncDir, write("a", 0, vec![5; 3 * SECTOR])];
        let mut disk = disk(&ops);
        let outage = disk.fail_sync("a", Fate::new(seed, "eio"));
        assert_eq!(outage.lost + outage.kept, 3);
        let left = content(&disk, "a");
        disk.lose_power(Fate::new(seed, "disk"));
        assert_eq!(content(&disk, "a"), left, "seed {seed}: nothing is left in between");
        seen.insert(left[0] + left[SECTOR] + left[2 * SECTOR]);
    }
    assert!(seen.contains(&0) && seen.contains(&15), "all and nothing come up: {seen:?}");
}

#[test]
fn rot_turns_one_bit_over_where_something_was_written() {
    for seed in 0..100 {
        let mut disk =
            disk(&[create("a", 3), write("a", 0, vec![1; 600]), sync("a"), create("b", 1)]);
        let before = content(&disk, "a");
        let Some((name, at)) = disk.rot(|_| true, Fate::new(seed, "rot")) else { panic!("no rot") };
        assert!(name == "a" && at < 600, "seed {seed}: {name} at {at}");
        let turned = |(old, new): (&u8, &u8)| (old ^ new).count_ones();
        let after = content(&disk, "a");
        assert_eq!(before.iter().zip(&after).map(turned).sum::<u32>(), 1, "seed {seed}");
        assert_eq!(disk.rot(|name| name == "b", Fate::new(seed, "rot")), None, "b is empty");
    }
}
