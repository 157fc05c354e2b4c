//! RDB files with a real server: who waits, who goes on, what the end of the server writes.

mod rdb_support;
mod server_support;

use server_support::{Client, Directory, Process, serve};
use std::fs;
use tidegate::ServerError;

fn lines(directory: &Directory, more: &str) -> String {
    format!("dir {}\n{more}", directory.join("").display())
}

/// The commands in the file; nothing if there is none.
fn saved(directory: &Directory) -> String {
    let file = fs::read(directory.join("dump.rdb")).unwrap_or_default();
    let commands = if file.is_empty() { file } else { rdb_support::as_commands(&file) };
    String::from_utf8_lossy(&commands).replace("\r\n", " ")
}

/// Asks until INFO has this line: another thread does the work.
fn ask_until(client: &mut Client, line: &str) {
    while !client.info("persistence").contains(&format!("\r\n{line}\r\n")) {}
}

/// Arguments for a process with this directory.
fn in_directory(directory: &Directory) -> [String; 2] {
    ["--dir".to_owned(), directory.join("").display().to_string()]
}

#[test]
fn a_save_has_all_data_and_others_go_on() {
    let directory = Directory::new("save");
    let server = serve(&lines(&directory, ""));
    let (mut client, mut other) =
        (Client::connect(server.local_addrs()[0]), Client::connect(server.local_addrs()[0]));
    for _ in 0..60 {
        client.send(format!("RPUSH q {}\r\n", "m".repeat(50_000)));
    }
    client.lines(60);
    assert_eq!(client.ask("LASTSAVE"), other.ask("LASTSAVE"));
    client.send("SAVE\r\n");
    // Whether before or after its end, it is answered.
    assert_eq!(other.ask("RPUSH late x"), ":1");
    assert_eq!(client.line().as_deref(), Some("+OK"));
    let text = saved(&directory);
    assert_eq!(text.matches("m".repeat(50_000).as_str()).count(), 60);
    let info = client.info("persistence");
    for line in ["rdb_bgsave_in_progress:0", "rdb_saves:1", "rdb_last_bgsave_status:ok"] {
        assert!(info.contains(&format!("\r\n{line}\r\n")), "{line}: {info}");
    }
    assert_eq!(client.ask("RPUSH q last"), ":61");
    assert_eq!(client.ask("BGSAVE"), "+Background saving started");
    ask_until(&mut client, "rdb_saves:2");
    assert!(saved(&directory).contains(" last "));
    ask_until(&mut client, "rdb_changes_since_last_save:0");
    server.stop().expect("it stops");
    let names: Vec<_> = fs::read_dir(directory.join("")).expect("files").collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

/// One snapshot at a time: with append files, a rewrite and a save wait for each other.
#[test]
fn a_save_and_a_rewrite_wait_for_each_other() {
    let directory = Directory::new("save-rewrite");
    for appends in ["yes", "no"] {
        let server = serve(&lines(&directory, &format!("appendonly {appends}")));
        let mut client = Client::connect(server.local_addrs()[0]);
        while client.ask("PING") != "+PONG" {}
        for _ in 0..40 {
            client.send(format!("RPUSH q {}\r\n", "m".repeat(50_000)));
        }
        client.lines(40);
        for round in 1..=2 {
            client.send("BGREWRITEAOF\r\nBGSAVE SCHEDULE\r\n");
            assert_eq!(
                client.line().as_deref(),
                Some("+Background append only file rewriting started")
            );
            assert!(client.line().is_some_and(|reply| reply.starts_with("+Background saving s")));
            ask_until(&mut client, &format!("rdb_saves:{}", 2 * round - 1));
            ask_until(&mut client, &format!("aof_rewrites:{}", 2 * round - 1));
            ask_until(&mut client, "aof_rewrite_in_progress:0");
            client.send("BGSAVE\r\nBGREWRITEAOF\r\n");
            assert_eq!(client.line().as_deref(), Some("+Background saving started"));
            client.line();
            ask_until(&mut client, &format!("rdb_saves:{}", 2 * round));
            ask_until(&mut client, "aof_rewrite_in_progress:0");
            ask_until(&mut client, "aof_rewrite_scheduled:0");
            ask_until(&mut client, "aof_rewrite_in_progress:0");
            let info = client.info("persistence");
            assert!(info.contains("rdb_last_bgsave_status:ok"), "{info}");
            assert!(info.contains("aof_last_bgrewrite_status:ok"), "{info}");
        }
        server.stop().expect("it stops");
        fs::remove_dir_all(directory.join("appendonlydir")).expect("append files");
    }
}

#[test]
fn save_lines_write_after_enough_changes() {
    let directory = Directory::new("save-lines");
    let server = serve(&lines(&directory, "save 1000 1\nsave 1 3 900 2"));
    let mut client = Client::connect(server.local_addrs()[0]);
    client.send("CONFIG GET save\r\n");
    assert_eq!(client.lines(5)[4], "1000 1 1 3 900 2");
    assert_eq!(client.ask("RPUSH q a"), ":1");
    assert_eq!(client.ask("RPUSH q b"), ":2");
    assert_eq!(client.ask("RPUSH q c"), ":3");
    ask_until(&mut client, "rdb_saves:1");
    ask_until(&mut client, "rdb_changes_since_last_save:0");
    assert!(saved(&directory).contains("RPUSH $1 q $1 a $1 b $1 c"));
    client.send("CONFIG SET save \"60 1\"\r\n");
    client.line();
    client.send("CONFIG GET save\r\n");
    assert_eq!(client.lines(5)[4], "60 1");
    server.stop().expect("it stops");
}

#[test]
fn the_end_saves_if_there_are_save_lines_or_it_is_asked() {
    for (save, command, is_saved) in [
        ("", "SHUTDOWN", false),
        ("", "SHUTDOWN SAVE", true),
        ("", "SHUTDOWN SAVE NOW", true),
        ("900 1", "SHUTDOWN", true),
        ("900 1", "SHUTDOWN NOSAVE", false),
        ("900 1", "TERM", true),
        ("", "TERM", false),
    ] {
        let directory = Directory::new("save-end");
        let arguments = in_directory(&directory);
        let process = Process::start(&["--save", save, &arguments[0], &arguments[1]]);
        let mut client = process.client();
        assert_eq!(client.ask("RPUSH q kept"), ":1");
        match command {
            "TERM" => process.signal(command),
            _ => client.send(format!("{command}\r\n")),
        }
        assert!(client.rest().is_empty(), "{command}: no reply");
        let (status, log) = process.wait();
        assert!(status.success(), "{command}: {log:?}");
        assert_eq!(saved(&directory).contains("kept"), is_saved, "{save:?} {command}");
    }
}

/// A directory in the place of the file: it cannot be replaced.
fn obstruct(directory: &Directory) {
    let path = directory.join("dump.rdb");
    fs::create_dir(&path).expect("a directory");
    fs::write(path.join("file"), "").expect("a file");
}

#[test]
fn what_cannot_be_saved_is_said() {
    let directory = Directory::new("save-fails");
    let server = serve(&lines(&directory, "save 1000 1000"));
    obstruct(&directory);
    let mut client = Client::connect(server.local_addrs()[0]);
    assert_eq!(client.ask("RPUSH q a"), ":1");
    let reply = client.ask("SAVE");
    assert!(reply.starts_with("-ERR The data could not be saved: dump.rdb: "), "{reply}");
    assert!(client.info("persistence").contains("\r\nrdb_last_bgsave_status:err\r\n"));
    let refused = client.ask("RPUSH q b");
    assert!(refused.starts_with("-MISCONF Redis is configured to save RDB snapshots"), "{refused}");
    assert!(client.ask("PING").starts_with("-MISCONF"));
    assert_eq!(client.ask("LLEN q"), ":1");
    assert_eq!(client.ask("CONFIG SET stop-writes-on-bgsave-error no"), "+OK");
    assert_eq!(client.ask("RPUSH q b"), ":2");
    // The server stays, and can be told to go anyway.
    assert_eq!(client.ask("SHUTDOWN"), "-ERR Errors trying to SHUTDOWN. Check logs.");
    assert_eq!(client.ask("RPUSH q c"), ":3");
    client.send("SHUTDOWN FORCE\r\n");
    assert!(client.rest().is_empty());
    server.join().expect("it ends without the file");
}

/// The program around it wants its end in any case.
#[test]
fn a_server_that_is_stopped_says_that_it_could_not_save() {
    let directory = Directory::new("save-stop");
    let server = serve(&lines(&directory, "save 1000 1000"));
    obstruct(&directory);
    let error = server.stop().expect_err("there is no file");
    assert!(matches!(&error, ServerError::Unsaved(_)), "{error}");
}
