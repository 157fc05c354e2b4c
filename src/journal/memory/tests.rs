use super::*;
use crate::journal::files::write_all;
use std::collections::BTreeSet;

fn read(directory: &MemoryDirectory, name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut file = directory.read(name, 0).expect("an existing file");
    file.read_to_end(&mut bytes).expect("memory is readable");
    bytes
}

/// All states that a directory can have after a power failure, as far as this many seeds show.
fn looks(directory: &MemoryDirectory, name: &str) -> BTreeSet<Option<Vec<u8>>> {
    let after = (0..2000).map(|seed| directory.crash(seed));
    after.map(|after| after.length(name).ok().map(|_| read(&after, name))).collect()
}

fn durable_file(bytes: &[u8]) -> (MemoryDirectory, Arc<dyn AppendFile>) {
    let directory = MemoryDirectory::with_files([("a", bytes)]);
    let file = directory.open("a").expect("an existing file");
    (directory, file)
}

fn some(texts: &[&[u8]]) -> BTreeSet<Option<Vec<u8>>> {
    texts.iter().map(|text| Some(text.to_vec())).collect()
}

#[test]
fn what_is_synced_stays() {
    let (directory, file) = durable_file(b"hello");
    write_all(&*file, b" world", 5).expect("written");
    file.truncate(8).expect("cut");
    file.sync().expect("synced");
    assert_eq!(looks(&directory, "a"), some(&[b"hello wo"]));
}

#[test]
fn what_is_written_may_be_there_in_part_or_as_zeros() {
    let (directory, file) = durable_file(b"a");
    write_all(&*file, b"bc", 1).expect("written");
    assert_eq!(looks(&directory, "a"), some(&[b"a", b"ab", b"abc", b"a\0", b"a\0\0"]));
}

#[test]
fn what_is_cut_off_may_be_there_again() {
    let (directory, file) = durable_file(b"abc");
    file.truncate(1).expect("cut");
    assert!(looks(&directory, "a").is_superset(&some(&[b"a", b"ab", b"abc"])));
    write_all(&*file, b"X", 1).expect("written");
    assert!(looks(&directory, "a").is_superset(&some(&[b"a", b"aX", b"ab", b"abc"])));
    assert!(looks(&directory, "a").iter().flatten().all(|bytes| bytes.starts_with(b"a")));
    // Also what was written and undone again.
    let (directory, file) = durable_file(b"a");
    write_all(&*file, b"bcd", 1).expect("written");
    file.truncate(1).expect("cut");
    write_all(&*file, b"X", 1).expect("written");
    assert!(looks(&directory, "a").is_superset(&some(&[b"a", b"aX", b"ab", b"abc", b"abcd"])));
    file.sync().expect("synced");
    assert_eq!(looks(&directory, "a"), some(&[b"aX"]));
}

#[test]
fn blocks_are_torn_one_by_one() {
    let (directory, file) = durable_file(b"");
    write_all(&*file, &[1; 3 * 512], 0).expect("written");
    let looks = looks(&directory, "a");
    let has = |blocks: [u8; 3]| looks.contains(&Some(blocks.map(|byte| [byte; 512]).concat()));
    assert!(has([1, 1, 1]) && has([0, 1, 1]) && has([1, 0, 1]) && has([0, 0, 1]));
}

#[test]
fn what_is_overwritten_is_old_or_new_in_whole_blocks() {
    let (directory, file) = durable_file(&[1; 3 * 512]);
    write_all(&*file, &[2; 2 * 512], 512).expect("written");
    write_all(&*file, &[3; 512], 512).expect("written");
    let looks = looks(&directory, "a");
    assert!(looks.iter().flatten().all(|bytes| bytes.len() == 3 * 512 && !bytes.contains(&0)));
    let has = |blocks: [u8; 3]| looks.contains(&Some(blocks.map(|byte| [byte; 512]).concat()));
    assert!(has([1, 1, 1]) && has([1, 2, 2]) && has([1, 3, 2]) && has([1, 1, 2]) && has([1, 3, 1]));
    assert!(!has([2, 3, 2]) && !has([1, 2, 3]));
    file.sync().expect("synced");
    assert_eq!(self::looks(&directory, "a").len(), 1);
    file.write_at(b"x", 3 * 512 + 1).expect_err("a hole");
}

#[test]
fn names_are_durable_with_the_directory_alone() {
    let directory = MemoryDirectory::new();
    let file = directory.create("a").expect("a new file");
    write_all(&*file, b"x", 0).expect("written");
    file.sync().expect("synced");
    assert_eq!(looks(&directory, "a"), BTreeSet::from([None, Some(b"x".to_vec())]));
    directory.sync().expect("synced");
    assert_eq!(looks(&directory, "a"), some(&[b"x"]));

    directory.rename("a", "b").expect("renamed");
    assert_eq!(looks(&directory, "a"), BTreeSet::from([None, Some(b"x".to_vec())]));
    for seed in 0..100 {
        let names = directory.crash(seed).list().expect("a list");
        assert!(names == ["a"] || names == ["b"], "a rename is one step: {names:?}");
    }
    directory.sync().expect("synced");
    directory.remove("b").expect("removed");
    assert_eq!(looks(&directory, "b"), BTreeSet::from([None, Some(b"x".to_vec())]));
    directory.sync().expect("synced");
    assert_eq!(looks(&directory, "b"), BTreeSet::from([None]));
}

#[test]
fn changes_of_names_do_not_wait_for_each_other() {
    let directory = MemoryDirectory::with_files([("old", "x")]);
    directory.create("new").expect("a new file");
    directory.remove("old").expect("removed");
    let lists: BTreeSet<_> = (0..100).map(|seed| directory.crash(seed).list().ok()).collect();
    assert_eq!(lists.len(), 4);
}

#[test]
fn a_seed_gives_one_look() {
    let directory = MemoryDirectory::with_files([("a", "x")]);
    let file = directory.open("a").expect("an existing file");
    write_all(&*file, &[7; 100_000], 1).expect("written");
    directory.rename("a", "b").expect("renamed");
    for seed in 0..50 {
        let [one, other] = [directory.crash(seed), directory.crash(seed)];
        assert_eq!(one.list().expect("a list"), other.list().expect("a list"));
        for name in one.list().expect("a list") {
            assert_eq!(read(&one, &name), read(&other, &name));
        }
    }
}

#[test]
fn faults_happen_when_they_are_due() {
    let (directory, file) = durable_file(b"");
    let kind = |result: io::Result<usize>| result.expect_err("a fault").kind();
    directory.inject(0..1, Fault::ShortWrite);
    directory.inject(1..3, Fault::NoSpace);
    directory.inject(3..4, Fault::WriteError);
    directory.inject(4..5, Fault::SyncError);
    assert_eq!(file.write_at(b"abcd", 0).expect("a part"), 2);
    assert_eq!(kind(file.write_at(b"xx", 2)), io::ErrorKind::StorageFull);
    let error = directory.create("b").map(drop).expect_err("no space");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(kind(file.write_at(b"cd", 2)), io::ErrorKind::Other);
    assert_eq!(read(&directory, "a"), b"abc", "half of what failed is there");
    directory.sync().expect_err("a fault");
    assert_eq!(directory.operations(), 5);
    // A fault does not wait: it affects an operation that is due now, or none.
    directory.inject(5..6, Fault::SyncError);
    file.write_at(b"d", 3).expect("a write");
    file.sync().expect("a sync");
    assert_eq!(looks(&directory, "a"), some(&[b"abcd"]));
    directory.inject(7..8, Fault::ShortWrite);
    assert_eq!(file.write_at(b"e", 4).expect("a write of one byte"), 1);
}

#[test]
fn a_sync_that_failed_is_not_made_good_by_another() {
    let (directory, file) = durable_file(b"");
    file.write_at(b"a", 0).expect("a write");
    directory.inject(1..2, Fault::SyncError);
    file.sync().expect_err("a fault");
    file.sync().expect("the second sync reports nothing");
    file.write_at(b"b", 1).expect("a write");
    file.sync().expect("the second sync reports nothing");
    assert!(looks(&directory, "a").contains(&Some(Vec::new())));
    // But it is for the names of a directory.
    directory.remove("a").expect("removed");
    directory.inject(6..7, Fault::SyncError);
    directory.sync().expect_err("a fault");
    assert!(looks(&directory, "a").len() > 1);
    directory.sync().expect("synced");
    assert_eq!(looks(&directory, "a"), BTreeSet::from([None]));
}

#[test]
fn without_power_nothing_changes() {
    let (directory, file) = durable_file(b"a");
    directory.inject(0..u64::MAX, Fault::PowerOff);
    file.write_at(b"b", 1).expect_err("no power");
    file.truncate(0).expect_err("no power");
    file.sync().expect_err("no power");
    directory.create("b").map(drop).expect_err("no power");
    directory.rename("a", "b").expect_err("no power");
    directory.remove("a").expect_err("no power");
    directory.sync().expect_err("no power");
    assert_eq!(directory.operations(), 7);
    assert_eq!(looks(&directory, "a"), some(&[b"a"]));
    assert_eq!(directory.crash(0).operations(), 0, "with power again");
}
