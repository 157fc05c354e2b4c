//! Damaged, torn or lost files: it is noticed, and repaired where possible.

use super::checks::turn_of;
use super::small_directory::{error_of, files, small_directory, small_directory_with_history};
use super::world::{PREFIX, START, World, contents, load};
use tidegate::journal::batch::TRAILER_BYTES;
use tidegate::journal::memory::MemoryDirectory;
use tidegate::journal::{LoadError, inspect};

#[test]
fn every_flipped_bit_is_noticed() {
    let (directory, expected) = small_directory();
    let files_before = files(&directory);
    assert_eq!(files_before.len(), 3, "a base, an increment, a manifest");
    for (number, (name, bytes)) in files_before.iter().enumerate() {
        for position in 0..bytes.len() * 8 {
            let mut flipped = files_before.clone();
            flipped[number].1[position / 8] ^= 1 << (position % 8);
            let directory = MemoryDirectory::with_files(flipped);
            let what = format!("{name}, bit {} of byte {}", position % 8, position / 8);
            match contents(&directory, "") {
                Err(_) => {}
                // A flip in the manifest may have no meaning, such as in a number.
                Ok(found) if name.ends_with("manifest") => assert_eq!(found, expected, "{what}"),
                // The last batch is empty, and records that all before it is durable.
                Ok(found) => {
                    let is_aside =
                        files(&directory).iter().any(|(name, _)| name.contains(".torn-"));
                    assert!(is_aside, "{what}: nobody notices");
                    assert_eq!(found, expected, "{what}");
                }
            }
        }
    }
}

/// Whatever is damaged: a repair keeps a state the broker was really in, loses no byte, and the rest can
/// be loaded. A second repair has nothing to do.
#[test]
fn what_is_repaired_loads() {
    let (directory, states) = small_directory_with_history();
    let files_before = files(&directory);
    let bytes_of = |files: &[(String, Vec<u8>)]| {
        let data = files.iter().filter(|(name, _)| name.contains(".aof."));
        data.map(|(_, bytes)| bytes.len()).sum::<usize>()
    };
    for (number, (name, bytes)) in files_before.iter().enumerate() {
        for position in (0..bytes.len()).filter(|_| !name.ends_with("manifest")) {
            let mut flipped = files_before.clone();
            flipped[number].1[position] ^= 0x20;
            let directory = MemoryDirectory::with_files(flipped);
            let what = format!("{name}, byte {position}");
            let shared = std::sync::Arc::new(directory.clone());
            let repair = inspect::repair(shared.clone(), PREFIX, "1", &mut |_, _| ());
            let repair = repair.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(!repair.aside.is_empty(), "{what}: nothing was done");
            assert!(bytes_of(&files(&directory)) >= bytes_of(&files_before), "{what}");
            let found =
                contents(&directory.after_kill(), "").unwrap_or_else(|e| panic!("{what}: {e}"));
            // A rewrite writes one state; a single key of it is not such a state.
            let is_part_of_base = name.contains(".base.");
            let is_known = turn_of(&states, &found).is_some();
            assert!(is_known || is_part_of_base, "{what}: {found:?}");
            let again = inspect::repair(shared, PREFIX, "2", &mut |_, _| ());
            assert!(again.expect("it is whole").aside.is_empty(), "{what}: not for good");
        }
    }
}

#[test]
fn a_manifest_that_is_not_ours_is_refused() {
    let (directory, _) = small_directory();
    let all = files(&directory);
    let manifest = all.iter().position(|(name, _)| name.ends_with(".manifest")).expect("one");
    let with = |text: &str| {
        let mut changed = all.clone();
        changed[manifest].1 = text.as_bytes().to_vec();
        changed
    };
    let text = String::from_utf8(all[manifest].1.clone()).expect("text");

    let mut missing = all.clone();
    missing.remove(manifest);
    assert!(error_of(missing).contains("expected a manifest, since there are append files"));
    assert!(error_of(with(&text.repeat(2))).contains("again"), "doubled");
    assert!(error_of(with("")).contains("empty manifest"));
    assert!(error_of(with(&text[..text.len() - 1])).contains("truncated"));
    let path = text.replacen("file ", "file ../", 1);
    assert!(error_of(with(&path)).contains("without a path"));
    let foreign = "file appendonly.aof.9.incr.aof seq 9 type i\n";
    assert!(error_of(with(foreign)).contains("appendonly.aof.9.incr.aof"));
    let altered = text.replacen("seq 1", "seq 3", 1);
    assert!(error_of(with(&altered)).contains("expected 'checks"));
    let (base, increment) = text.split_once('\n').expect("two lines");
    let order = format!("{increment}{base}\n");
    assert!(
        contents(&MemoryDirectory::with_files(with(&order)), "").is_ok(),
        "order means nothing"
    );
    // Two files with their names exchanged.
    let mut mixed = all.clone();
    let names = [all[0].0.clone(), all[1].0.clone()];
    mixed[0].0 = names[1].clone();
    mixed[1].0 = names[0].clone();
    mixed.sort();
    let error = error_of(mixed);
    assert!(error.contains("damaged at byte 0"), "{error}");
}

#[test]
fn a_lost_file_is_noticed() {
    let (directory, _) = small_directory();
    for lost in files(&directory) {
        let mut left = files(&directory);
        left.retain(|(name, _)| *name != lost.0);
        error_of(left);
        // Empty, or cut to its opening.
        for length in [0, 93] {
            let mut cut = files(&directory);
            let file = cut.iter_mut().find(|(name, _)| *name == lost.0).expect("the file");
            file.1.truncate(length);
            let directory = MemoryDirectory::with_files(cut);
            let is_last = lost.0.contains(".incr.") && length > 0;
            assert_eq!(contents(&directory, "").is_err(), !is_last, "{}, {length} bytes", lost.0);
        }
    }
}

#[test]
fn a_torn_file_may_be_an_error() {
    let (directory, _) = small_directory();
    let mut all = files(&directory);
    let last = all.iter_mut().find(|(name, _)| name.contains(".incr.")).expect("an increment");
    last.1.truncate(last.1.len() - 1);
    let directory = MemoryDirectory::with_files(all.clone());
    let error = load(&directory, "aof-load-truncated no", START).map(drop).expect_err("it is torn");
    assert!(matches!(error, LoadError::Torn { .. }), "{error}");
    assert_eq!(files(&directory), all, "nothing is changed");
}

/// Where batches end in a file: each has a trailer that begins like this.
fn batch_ends(bytes: &[u8]) -> Vec<usize> {
    const TRAILER: &[u8] = b"*2\r\n$4\r\nPING\r\n$72\r\nTG1";
    let starts = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(TRAILER));
    starts.map(|start| start + TRAILER_BYTES).collect()
}

/// A base is complete before it is named, even if nothing came after it.
#[test]
fn a_base_without_its_last_batches_is_damaged() {
    let mut world = World::new(MemoryDirectory::new(), "appendfsync no").expect("a new directory");
    // Each is too large to share a batch.
    for key in ["a", "b", "c", "d"] {
        let text = "m".repeat(900_000);
        let request =
            format!("*3\r\n$5\r\nRPUSH\r\n$1\r\n{key}\r\n$900000\r\n{text}\r\nBGREWRITEAOF\r\n");
        assert!(world.turn(0, &request));
        world.rest();
    }
    let all = files(&world.directory.after_kill());
    let base = all.iter().position(|(name, _)| name.contains(".base.")).expect("a base");
    let ends = batch_ends(&all[base].1);
    assert!(ends.len() > 2, "{} batches", ends.len());
    for end in &ends[..ends.len() - 1] {
        let mut cut = all.clone();
        cut[base].1.truncate(*end);
        assert!(error_of(cut).contains("damaged"), "cut at byte {end}");
    }
}

/// The last batch of a file is durable before the next file gets its first.
#[test]
fn an_increment_without_its_last_batches_is_damaged_if_another_goes_on() {
    let mut world = World::new(MemoryDirectory::new(), "appendfsync no").expect("a new directory");
    assert!(world.turn(0, "RPUSH q 1\r\n") && world.turn(0, "RPUSH q 2\r\nBGREWRITEAOF\r\n"));
    // Up to when the next increment is written to, and the base does not exist yet.
    let names = |world: &World| files(&world.directory);
    for number in 3.. {
        assert!(world.turn(0, &format!("RPUSH q {number}\r\n")));
        let next = names(&world).into_iter().find(|(name, _)| name.ends_with(".2.incr.aof"));
        if next.is_some_and(|(_, bytes)| batch_ends(&bytes).len() > 1) {
            break;
        }
        world.run_job(0, 0);
        world.run_job(1, 0);
        assert!(world.tell(0) && world.tell(0) && world.wait(1_000));
    }
    let all = files(&world.directory.after_kill());
    let first = all.iter().position(|(name, _)| name.ends_with(".1.incr.aof")).expect("the first");
    let ends = batch_ends(&all[first].1);
    assert!(ends.len() > 2, "{} batches", ends.len());
    for end in &ends[..ends.len() - 1] {
        let mut cut = all.clone();
        cut[first].1.truncate(*end);
        let error = error_of(cut);
        assert!(error.contains("damaged"), "cut at byte {end}: {error}");
    }
}
