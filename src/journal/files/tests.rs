use super::*;
use crate::journal::job::{Done, Job};
use crate::journal::manifest::{Entry, Manifest};
use crate::journal::memory::MemoryDirectory;
use std::process;

/// A directory for one test, removed afterwards.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("tidegate-files-{}-{test}", process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).expect("a new directory");
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn read(directory: &dyn Directory, name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut file = directory.read(name, 0).expect("an existing file");
    file.read_to_end(&mut bytes).expect("a readable file");
    bytes
}

/// What every implementation must do.
fn check_directory(directory: &dyn Directory) {
    let kind = |result: io::Result<()>| result.expect_err("refused").kind();
    assert_eq!(directory.list().expect("a list"), [""; 0]);
    assert_eq!(kind(directory.open("a").map(drop)), io::ErrorKind::NotFound);
    assert_eq!(kind(directory.read("a", 0).map(drop)), io::ErrorKind::NotFound);
    assert_eq!(kind(directory.length("a").map(drop)), io::ErrorKind::NotFound);
    assert_eq!(kind(directory.remove("a")), io::ErrorKind::NotFound);
    assert_eq!(kind(directory.rename("a", "b")), io::ErrorKind::NotFound);

    let file = directory.create("a").expect("a new file");
    assert_eq!(kind(directory.create("a").map(drop)), io::ErrorKind::AlreadyExists);
    write_all(&*file, b"hello world", 0).expect("written");
    assert_eq!(file.length().expect("a length"), 11);
    assert_eq!(kind(file.truncate(12)), io::ErrorKind::InvalidInput);
    match file.keep_space(11, 1000) {
        Ok(()) => assert_eq!(file.length().expect("a length"), 11, "it stays"),
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::Unsupported),
    }
    file.truncate(5).expect("cut");
    write_all(&*file, b"!", 5).expect("written");
    file.sync().expect("synced");
    assert_eq!(read(directory, "a"), b"hello!");

    let again = directory.open("a").expect("an existing file");
    write_all(&*again, b"??", 5).expect("written over what is there and beyond");
    assert_eq!(directory.length("a").expect("a length"), 7);
    write_all(&*file, b"!", 5).expect("written over what is there");
    assert_eq!(read(directory, "a"), b"hello!?");

    directory.create("b").expect("a new file");
    assert_eq!(directory.list().expect("a list"), ["a", "b"]);
    directory.rename("a", "b").expect("renamed over another");
    directory.sync().expect("synced");
    assert_eq!(directory.list().expect("a list"), ["b"]);
    write_all(&*file, b"!", 7).expect("the name does not matter to who has it open");
    assert_eq!(read(directory, "b"), b"hello!?!");
    directory.remove("b").expect("removed");
    assert_eq!(directory.list().expect("a list"), [""; 0]);
    write_all(&*file, b"!", 8).expect("still open");
    assert_eq!(file.length().expect("a length"), 9);

    for path in ["", ".", "..", "/a", "a/b", "../a", "a\\b", "a\0"] {
        assert_eq!(kind(directory.create(path).map(drop)), io::ErrorKind::InvalidInput);
        assert_eq!(kind(directory.open(path).map(drop)), io::ErrorKind::InvalidInput);
        assert_eq!(kind(directory.read(path, 0).map(drop)), io::ErrorKind::InvalidInput);
        assert_eq!(kind(directory.length(path).map(drop)), io::ErrorKind::InvalidInput);
        assert_eq!(kind(directory.rename(path, "c")), io::ErrorKind::InvalidInput);
        assert_eq!(kind(directory.rename("c", path)), io::ErrorKind::InvalidInput);
        assert_eq!(kind(directory.remove(path)), io::ErrorKind::InvalidInput);
    }
}

#[test]
fn the_real_directory_and_its_twin_do_the_same() {
    let scratch = Scratch::new("same");
    check_directory(&DiskDirectory::open(&scratch.0).expect("a directory"));
    check_directory(&MemoryDirectory::new());
}

#[test]
fn a_second_user_is_kept_out_until_the_first_is_gone() {
    let scratch = Scratch::new("lock");
    let path = scratch.0.join("files");
    assert!(matches!(DiskDirectory::open(&path), Err(OpenError::Io { .. })), "nothing there");
    let first = DiskDirectory::open_or_create(&path).expect("made");
    let error = DiskDirectory::open_or_create(&path).expect_err("locked");
    assert!(matches!(error, OpenError::InUse { .. }));
    assert!(error.to_string().ends_with("files: another process uses this directory"));
    drop(first);
    DiskDirectory::open(&path).expect("free again");
}

#[test]
fn what_is_not_a_file_of_ours_is_not_listed() {
    let scratch = Scratch::new("list");
    let directory = DiskDirectory::open(&scratch.0).expect("a directory");
    fs::create_dir(scratch.0.join("below")).expect("a new directory");
    directory.create("a").expect("a new file");
    assert_eq!(directory.list().expect("a list"), ["a"]);
}

/// Takes one byte at a time, and is interrupted before each.
struct Reluctant(std::sync::Mutex<(Vec<u8>, bool)>);

impl AppendFile for Reluctant {
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<usize> {
        let mut state = self.0.lock().expect("no other thread");
        state.1 = !state.1;
        if state.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if state.0.len() == 4 {
            return Ok(0);
        }
        assert_eq!(at, state.0.len() as u64);
        state.0.push(bytes[0]);
        Ok(1)
    }

    fn keep_space(&self, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(0)
    }

    fn is_named(&self) -> io::Result<bool> {
        Ok(true)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn write_all_goes_on_after_short_writes_and_interruptions() {
    let file = Reluctant(Default::default());
    write_all(&file, b"abcd", 0).expect("written");
    assert_eq!(file.0.lock().expect("no other thread").0, b"abcd");
    let error = write_all(&file, b"e", 4).expect_err("takes no more");
    assert_eq!(error.kind(), io::ErrorKind::WriteZero);
}

#[test]
fn a_file_has_a_name_until_its_last_one_is_removed() {
    let scratch = Scratch::new("names");
    let path = &scratch.0;
    let disk = DiskDirectory::open(path).expect("a directory");
    let memory = MemoryDirectory::new();
    for directory in [&disk as &dyn Directory, &memory] {
        let file = directory.create("a").expect("a file");
        assert!(file.is_named().expect("known"));
        directory.rename("a", "b").expect("renamed");
        assert!(file.is_named().expect("known"));
        directory.remove("b").expect("removed");
        assert!(!file.is_named().expect("known"));
    }
    // A hard link, such as a backup.
    let file = disk.create("a").expect("a file");
    std::fs::hard_link(path.join("a"), path.join("backup")).expect("linked");
    disk.remove("a").expect("removed");
    assert!(file.is_named().expect("known"));
}

/// Anything else in place of a file is refused at once, also by the lock.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused() {
    let scratch = Scratch::new("no-file");
    let directory = DiskDirectory::open(&scratch.0).expect("an existing directory");
    fs::create_dir(scratch.0.join("directory")).expect("a directory");
    std::os::unix::fs::symlink("/dev/zero", scratch.0.join("device")).expect("a link");
    let fifo = |name: &str| {
        let made = process::Command::new("mkfifo").arg(scratch.0.join(name)).status();
        assert!(made.expect("mkfifo runs").success());
    };
    fifo("fifo");
    for name in ["directory", "device", "fifo"] {
        for refused in [
            directory.open(name).map(drop),
            directory.read(name, 0).map(drop),
            directory.length(name).map(drop),
        ] {
            let text = refused.expect_err("refused").to_string();
            assert!(text.starts_with("expected a file, got a "), "{name}: {text}");
        }
    }
    drop(directory);
    fs::remove_file(scratch.0.join(LOCK_NAME)).expect("the lock");
    fifo(LOCK_NAME);
    let error = DiskDirectory::open(&scratch.0).expect_err("no lock").to_string();
    assert!(error.ends_with("tidegate.lock: expected a file, got a FIFO, a device or a socket"));
}

/// A backup by hard links costs no copy, and must outlive the rewrite that makes its files history.
#[test]
fn what_has_another_name_is_not_cut_when_history_is_deleted() {
    let scratch = Scratch::new("hard-link");
    let directory = DiskDirectory::open(&scratch.0).expect("a directory");
    let bytes = vec![b'x'; 5 << 20];
    for name in ["a.1.incr.aof", "a.2.incr.aof"] {
        let file = directory.create(name).expect("a new file");
        write_all(&*file, &bytes, 0).expect("written");
    }
    fs::hard_link(scratch.0.join("a.1.incr.aof"), scratch.0.join("backup")).expect("a link");
    let entry = |name: &str, seq| Entry { name: name.into(), seq, is_checked: false };
    let manifest = Manifest {
        history: vec![entry("a.1.incr.aof", 1), entry("a.2.incr.aof", 2)],
        increments: vec![entry("a.3.incr.aof", 3)],
        ..Manifest::default()
    };
    let done = Job::DeleteHistory { manifest, prefix: "a".into() }.run(&directory);
    assert!(matches!(done, Done::Deleted(Ok(manifest)) if manifest.history.is_empty()));
    assert_eq!(directory.list().expect("a list"), ["a.manifest", "backup"]);
    assert_eq!(read(&directory, "backup").len(), bytes.len());
}
