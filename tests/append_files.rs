//! Append files that other programs wrote, damaged or left behind: the binary at the start, and
//! `tidegate check` and `repair`, say the same about them.

mod server_support;

use server_support::{Directory, Process, settings};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tidegate::Server;
use tidegate::journal::batch::Sealer;

const MANIFEST: &str = "file a.1.incr.aof seq 1 type i\n";
const RPUSH: &[u8] = b"*3\r\n$5\r\nRPUSH\r\n$1\r\nk\r\n$1\r\nv\r\n";
const SETBIT: &[u8] = b"*4\r\n$6\r\nSETBIT\r\n$1\r\nb\r\n$1\r\n7\r\n$1\r\n1\r\n";

/// A directory with append files and this manifest.
struct Files {
    directory: Directory,
}

impl Files {
    fn new(name: &str, manifest: &str) -> Files {
        let files = Files { directory: Directory::new(name) };
        fs::create_dir(files.directory.join("appendonlydir")).expect("a directory");
        fs::write(files.path("appendonly.aof.manifest"), manifest).expect("a manifest");
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join("appendonlydir").join(name)
    }

    /// Runs `tidegate check` or `repair`; returns its exit code and output.
    fn run(&self, word: &str) -> (Option<i32>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        let output = command.arg(word).arg(self.directory.join("")).output().expect("it runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&text).into_owned())
    }

    /// Why a server does not start.
    fn refusal(&self) -> String {
        let lines = format!("appendonly yes\ndir {}", self.directory.join("").display());
        let started = Server::bind(settings(&lines)).and_then(|server| server.run());
        started.expect_err("it does not load").to_string()
    }

    /// The reply of LLEN after loading.
    fn length_after_start(&self, queue: &str) -> String {
        let directory = self.directory.join("");
        let directory = directory.to_str().expect("a path in UTF-8");
        let process = Process::start(&["--appendonly", "yes", "--dir", directory]);
        let mut client = process.client();
        loop {
            let reply = client.ask(&format!("LLEN {queue}"));
            if !reply.starts_with("-LOADING") {
                process.signal("TERM");
                assert!(process.wait().0.success());
                return reply;
            }
        }
    }
}

#[test]
fn a_file_with_a_refused_command_is_not_whole() {
    // In another program's file everything before it is kept; in one of ours its whole batch is cut off.
    let foreign = [RPUSH, RPUSH, SETBIT, RPUSH].concat();
    let (mut sealer, mut own) = Sealer::begin("a.1.incr.aof");
    let batches: [&[&[u8]]; 4] = [&[RPUSH], &[RPUSH], &[RPUSH, SETBIT], &[RPUSH]];
    for commands in batches {
        let mut batch = commands.concat();
        sealer.seal(&mut batch, 0);
        own.extend_from_slice(&batch);
    }
    for (name, bytes) in [("foreign", foreign), ("own", own)] {
        let files = Files::new(&format!("refused-command-{name}"), MANIFEST);
        fs::write(files.path("a.1.incr.aof"), &bytes).expect("a file");
        let refusal = files.refusal();
        assert!(refusal.contains("'SETBIT'"), "{refusal}");
        let (code, text) = files.run("check");
        assert_eq!(code, Some(2), "{text}");
        let reason = refusal.trim_start_matches("cannot load the append files: ");
        assert!(text.ends_with(&format!("damaged: {reason}\n")), "{text} is not {refusal}");
        let (code, text) = files.run("repair");
        assert_eq!(code, Some(0), "{text}");
        assert_eq!(files.run("check").0, Some(0));
        assert_eq!(files.run("repair").1.lines().count(), 1, "nothing is left to repair");
        assert_eq!(files.length_after_start("k"), ":2", "{name}");
    }
}

/// A FIFO would block, a device has no end.
#[cfg(unix)]
#[test]
fn all_refuse_what_is_not_a_file() {
    let files = Files::new("no-file", MANIFEST);
    let path = files.path("a.1.incr.aof");
    let made = Command::new("mkfifo").arg(&path).status();
    assert!(made.expect("mkfifo runs").success());
    for kind in ["a FIFO, a device or a socket", "a directory"] {
        let expected = format!("a.1.incr.aof: expected a file, got {kind}");
        assert!(files.refusal().ends_with(&expected), "{}", files.refusal());
        for word in ["check", "repair"] {
            let (code, text) = files.run(word);
            assert_eq!(code, Some(3), "{text}");
            assert!(text.contains(&expected), "{text}");
        }
        fs::remove_file(&path).or_else(|_| fs::remove_dir(&path)).expect("it is there");
        fs::create_dir(&path).expect("a directory");
    }
}

/// The single file of Redis before version 7 is moved in, even after a crash in the middle of that.
#[test]
fn the_single_file_of_older_redis_is_loaded() {
    for is_moved_already in [false, true] {
        let files = Files { directory: Directory::new(&format!("single-{is_moved_already}")) };
        let old = files.directory.join("appendonly.aof");
        let place = if is_moved_already { files.path("appendonly.aof") } else { old.clone() };
        fs::create_dir(files.directory.join("appendonlydir")).expect("a directory");
        fs::write(&place, [RPUSH, RPUSH].concat()).expect("a file");
        assert_eq!(files.length_after_start("k"), ":2");
        assert!(!old.exists(), "it is where the others are, or written anew already");
        assert_eq!(files.length_after_start("k"), ":2");
        assert_eq!(files.run("check").0, Some(0));
    }
}

#[test]
fn a_single_file_that_cannot_be_loaded_is_refused_and_stays() {
    let bytes = b"RPUSH k v\r\n";
    let files = Files { directory: Directory::new("single-refused") };
    let old = files.directory.join("appendonly.aof");
    fs::write(&old, bytes).expect("a file");
    let refusal = files.refusal();
    let reason = "appendonly.aof: byte 0: expected '*' and a command, got byte 0x52";
    assert!(refusal.contains(reason), "{refusal}");
    assert_eq!(fs::read(&old).expect("the file"), bytes);
    assert!(!files.path("appendonly.aof.manifest").exists());
}

/// Without append files, all data is loaded from the file that Redis would load.
#[test]
fn a_dump_of_redis_is_loaded_or_refused() {
    let files = Files { directory: Directory::new("dump") };
    let dump = files.directory.join("other.rdb");
    let lines = format!("dbfilename other.rdb\ndir {}", files.directory.join("").display());
    let real = |name: &str| {
        fs::read(format!("{}/tests/rdb/{name}", env!("CARGO_MANIFEST_DIR"))).expect("a file")
    };
    fs::write(&dump, real("redis_8.rdb")).expect("a file");
    let directory = files.directory.join("");
    let directory = directory.to_str().expect("a path in UTF-8");
    let process = Process::start(&["--dbfilename", "other.rdb", "--dir", directory]);
    let mut client = process.client();
    let reply = loop {
        let reply = client.ask("LLEN compressed");
        if !reply.starts_with("-LOADING") {
            break reply;
        }
    };
    assert_eq!(reply, ":400");
    drop(process);
    let check = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        let output = command.arg("check").arg(&dump).output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, text) = check();
    assert!(code == Some(0) && text.starts_with("whole: ") && text.ends_with(" keys\n"), "{text}");

    fs::write(&dump, real("redis_8_types.rdb")).expect("a file");
    let refusal = |lines: &str| {
        let started = Server::bind(settings(lines)).and_then(|server| server.run());
        started.expect_err("it does not load").to_string()
    };
    let text = refusal(&lines);
    let path = dump.display();
    assert!(text.starts_with(&format!("cannot load {path}: byte ")), "{text}");
    assert!(text.contains("is not supported; replica-ignore-unsupported-keys yes"), "{text}");
    let (code, text) = check();
    assert!(code == Some(2) && text.contains("2 values of types"), "{text}");

    let damaged = &real("redis_8.rdb")[..3000];
    fs::write(&dump, damaged).expect("a file");
    assert!(refusal(&lines).contains("the end is missing"), "{}", refusal(&lines));
    let (code, text) = check();
    assert!(code == Some(2) && text.starts_with("damaged: "), "{text}");
    assert_eq!(fs::read(&dump).expect("the file"), damaged);
    let text = refusal("dbfilename ..");
    assert!(text.contains("dbfilename: expected a name without a path"), "{text}");
}

/// The log has one line about the configuration in effect, and a warning about unused files.
#[test]
fn unused_files_are_reported() {
    let files = Files::new("unused", MANIFEST);
    let directory = files.directory.join("");
    let start = |more: &[&str]| {
        let directory = directory.to_str().expect("a path in UTF-8");
        Process::start(&[&["--dir", directory], more].concat()).first_lines.clone()
    };
    let has = |lines: &[String], part: &str| lines.iter().any(|line| line.contains(part));
    let lines = start(&["--maxmemory", "1gb"]);
    assert!(has(&lines, "no append files: data is lost when the process ends; "), "{lines:?}");
    assert!(has(&lines, "maxmemory 1gb"), "{lines:?}");
    let unused = " append files that are not loaded, since appendonly is off";
    assert!(has(&lines, &format!("appendonly.aof.manifest:{unused}")), "{lines:?}");
    fs::remove_file(files.path("appendonly.aof.manifest")).expect("it is there");
    assert!(!has(&start(&[]), unused));
    fs::write(files.directory.join("appendonly.aof"), RPUSH).expect("a file");
    let lines = start(&[]);
    assert!(has(&lines, &format!("/appendonly.aof:{unused}")), "{lines:?}");
    let lines = start(&["--appendonly", "yes", "--appendfsync", "always"]);
    assert!(has(&lines, "append files in appendonlydir with appendfsync always"), "{lines:?}");
}
