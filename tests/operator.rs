//! What an operator sees, and changes while the server runs: the binary with its configuration file, its
//! log and its directory.

mod server_support;

use server_support::{Client, Directory, Process};
use std::fs;
use std::path::PathBuf;

/// A directory with a configuration file, and space for more.
struct Place {
    directory: Directory,
    file: PathBuf,
}

impl Place {
    fn new(name: &str, lines: &str) -> Place {
        let directory = Directory::new(name);
        let place = Place { file: directory.join("tidegate.conf"), directory };
        place.write(lines);
        place
    }

    fn write(&self, lines: &str) {
        let dir = self.directory.join("");
        let text = format!("port 0\nbind 127.0.0.1\ndir {}\n{lines}\n", dir.display());
        fs::write(&self.file, text).expect("the file");
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.file).expect("the file")
    }

    fn start(&self) -> Process {
        Process::start_with(&[self.file.to_str().expect("a path in UTF-8")])
    }
}

/// A client, once the append files are loaded.
fn loaded(process: &Process) -> Client {
    let mut client = process.client();
    while client.ask("LLEN no-such-queue") != ":0" {}
    client
}

fn end(process: Process) -> Vec<String> {
    process.signal("TERM");
    let (status, log) = process.wait();
    assert!(status.success(), "{log:?}");
    log
}

/// The value in a reply with one field.
fn value(client: &mut Client, command: &str) -> String {
    client.send(format!("{command}\r\n"));
    client.lines(5).pop().unwrap_or_default()
}

const GET: &str = "CONFIG GET queue-policy";

#[test]
fn queue_policies_in_the_file_and_in_append_files_are_compared() {
    let place = Place::new("policies", "appendonly yes\nqueue-policy a x max-length 1");
    let process = place.start();
    let mut client = loaded(&process);
    assert_eq!(client.ask("QUEUE POLICY SET a x max-length 2"), "+OK");
    assert_eq!(client.ask("QUEUE POLICY SET only y max-length 3"), "+OK");
    end(process);

    // Policies set while it ran apply, and the log shows what the file says.
    place.write("appendonly yes\nqueue-policy a x max-length 7\nqueue-policy b z max-length 8");
    let process = place.start();
    let line = process.line_with("queue policy a: ");
    assert!(line.contains(" WARN ") && line.contains("the configuration says 'a x max-length 7'"));
    assert!(line.contains("the append files 'a x max-length 2'"), "{line}");
    let line = process.line_with("queue policy only ");
    assert!(line.contains(" INFO ") && line.contains(": only y max-length 3"), "{line}");
    let mut client = loaded(&process);
    let holds = "a x max-length 2 ; b z max-length 8 ; only y max-length 3";
    assert_eq!(value(&mut client, GET), holds);
    assert_eq!(client.ask("QUEUE POLICY DEL b"), ":1");
    end(process);

    // The policies in effect are written, and from then on the file is the only source.
    let process = place.start();
    assert!(process.line_with("queue policy b: ").contains("QUEUE POLICY DEL has deleted it"));
    let mut client = loaded(&process);
    let holds = "a x max-length 2 ; only y max-length 3";
    assert_eq!(value(&mut client, GET), holds);
    assert_eq!(client.ask("CONFIG REWRITE"), "+OK");
    let text = place.text();
    assert!(text.contains("queue-policy a x max-length 2\nqueue-policy only y max-length 3\n"));
    assert!(!text.contains("queue-policy b"), "{text}");
    end(process);
    place.write("appendonly yes\nqueue-policy a x max-length 9");
    let process = place.start();
    assert_eq!(value(&mut loaded(&process), GET), "a x max-length 9");
    let log = end(process);
    assert!(log.iter().all(|line| !line.contains("queue policy")), "{log:?}");
}

/// Waits until the first append files are complete, according to INFO.
fn wait_for_append_files(client: &mut Client) {
    while !client.info("persistence").contains("aof_rewrite_in_progress:0") {}
}

#[test]
fn append_files_are_turned_on_and_off_while_it_runs() {
    let place = Place::new("run-time", "appendfsync always");
    let process = place.start();
    let mut client = process.client();
    assert_eq!(client.ask("RPUSH q before"), ":1");
    assert_eq!(client.ask("CONFIG SET appendonly yes"), "+OK");
    assert_eq!(client.ask("RPUSH q meanwhile"), ":2");
    process.line_with("append files: complete, and all further");
    wait_for_append_files(&mut client);
    assert!(client.info("persistence").contains("aof_enabled:1"));
    assert_eq!(client.ask("RPUSH q after"), ":3");
    // The process is killed; the configuration file still says off.
    process.signal("KILL");
    process.wait();
    place.write("appendonly yes");
    let process = place.start();
    let mut client = loaded(&process);
    assert_eq!(client.ask("LLEN q"), ":3");

    assert_eq!(client.ask("CONFIG SET appendonly no"), "+OK");
    assert!(client.info("persistence").contains("aof_enabled:0"));
    assert_eq!(client.ask("RPUSH q lost"), ":4");
    process.signal("KILL");
    process.wait();
    let process = place.start();
    let mut client = loaded(&process);
    assert_eq!(client.ask("LLEN q"), ":3", "what there was when they were turned off");

    // Off and on again: everything is rewritten.
    for length in 4..7 {
        assert_eq!(client.ask("CONFIG SET appendonly no"), "+OK");
        assert_eq!(client.ask("RPUSH q more"), format!(":{length}"));
        assert_eq!(client.ask("CONFIG SET appendonly yes"), "+OK");
        wait_for_append_files(&mut client);
        while !client.info("persistence").contains("aof_enabled:1") {}
        wait_for_append_files(&mut client);
    }
    assert_eq!(client.ask("CONFIG REWRITE"), "+OK");
    end(process);
    let process = place.start();
    assert_eq!(loaded(&process).ask("LLEN q"), ":6");
    end(process);
}

/// Otherwise the files of an earlier run would be replaced by the current data.
#[test]
fn append_files_that_were_not_loaded_are_not_replaced() {
    let place = Place::new("not-replaced", "appendonly yes");
    let process = place.start();
    assert_eq!(loaded(&process).ask("RPUSH q precious"), ":1");
    end(process);
    place.write("appendonly no");
    let process = place.start();
    let mut client = process.client();
    let reply = client.ask("CONFIG SET appendonly yes");
    assert!(reply.starts_with("-ERR CONFIG SET failed"), "{reply}");
    assert!(reply.contains("append files") && reply.contains("were not loaded"), "{reply}");
    assert_eq!(value(&mut client, "CONFIG GET appendonly"), "no");
    end(process);
    place.write("appendonly yes");
    let process = place.start();
    assert_eq!(loaded(&process).ask("LLEN q"), ":1");
    end(process);
}
