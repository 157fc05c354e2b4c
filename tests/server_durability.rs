//! Append files with a real server: requests during loading, restarts, exclusive use of the directory,
//! exit codes of check and repair.

mod server_support;

use server_support::{Client, Directory, Process, serve, settings};
use std::fs;
use std::process::{Command, Output};
use tidegate::{Server, ServerError};

fn lines(directory: &Directory, more: &str) -> String {
    format!("appendonly yes\ndir {}\n{more}", directory.join("").display())
}

/// The text of a reply to INFO.
fn info(client: &mut Client) -> String {
    let length = client.line().expect("a reply");
    let length: usize = length.trim_start_matches('$').parse().expect("a length");
    let mut text = String::new();
    while text.len() < length {
        text += &client.line().expect("a line");
        text += "\r\n";
    }
    assert_eq!(client.line().as_deref(), Some(""), "the end of the reply");
    text
}

/// Asks until INFO has these lines: the work is done by another thread.
fn ask_until(client: &mut Client, lines: &str) {
    loop {
        client.send("INFO persistence\r\n");
        if info(client).contains(&format!("\r\n{lines}\r\n")) {
            return;
        }
    }
}

#[test]
fn a_restart_keeps_everything() {
    for policy in ["always", "everysec", "no"] {
        let directory = Directory::new(&format!("restart-{policy}"));
        let lines = lines(&directory, &format!("appendfsync {policy}"));
        let server = serve(&lines);
        let mut client = Client::connect(server.local_addrs()[0]);
        assert_eq!(client.ask("RPUSH q a b c"), ":3");
        assert_eq!(client.ask("LPOP q"), "$1");
        assert_eq!(client.line().as_deref(), Some("a"));
        // A waiting client is served, and its message does not come again.
        let mut waiting = Client::connect(server.local_addrs()[0]);
        waiting.send("BLPOP jobs 0\r\n");
        assert_eq!(client.ask("BGREWRITEAOF"), "+Background append only file rewriting started");
        assert_eq!(client.ask("RPUSH jobs one two"), ":2");
        assert_eq!(waiting.lines(5)[4], "one");
        ask_until(&mut client, "aof_last_bgrewrite_status:ok\r\naof_rewrites:1");
        // Old files are deleted afterwards.
        ask_until(&mut client, "aof_rewrite_in_progress:0");
        ask_until(&mut client, "aof_rewrite_in_progress:0");
        assert_eq!(client.ask("PEXPIREAT q 4000000000000"), ":1");
        server.stop().expect("it stops");

        let server = serve(&lines);
        let mut client = Client::connect(server.local_addrs()[0]);
        // A new server may still be loading when it accepts.
        while client.ask("LLEN q") != ":2" {}
        assert_eq!(client.ask("PEXPIRETIME q"), ":4000000000000");
        client.send("LRANGE jobs 0 -1\r\n");
        assert_eq!(client.lines(3), ["*1", "$3", "two"]);
        server.stop().expect("it stops");
    }
}

/// As docs/operating.md says of upgrades: a waiting client sees the connection close, without a reply, and has
/// lost no message; a reply that was sent holds.
#[test]
fn what_clients_see_of_an_upgrade() {
    let directory = Directory::new("upgrade");
    let dir = directory.join("").display().to_string();
    let arguments = ["--appendonly", "yes", "--dir", &dir];
    let process = Process::start(&arguments);
    let mut client = process.client();
    while client.ask("PING") != "+PONG" {}
    let mut waiting = process.client();
    waiting.send("BLPOP q 0\r\n");
    while !client.info("clients").contains("\r\nblocked_clients:1\r\n") {}
    assert_eq!(client.ask("RPUSH other kept"), ":1");
    process.signal("TERM");
    assert!(waiting.rest().is_empty() && client.rest().is_empty());
    let (status, _) = process.wait();
    assert!(status.success(), "{status}");

    let process = Process::start(&arguments);
    let mut client = process.client();
    while client.ask("PING") != "+PONG" {}
    assert_eq!(client.ask("RPUSH q next"), ":1", "nobody waits any more");
    assert_eq!(client.ask("LPOP other"), "$4");
}

/// Whatever ends the connections of its workers: `delivery-limit 1` gives up what was in flight only if the
/// process was killed.
#[test]
fn an_orderly_stop_does_not_count_as_a_delivery() {
    for (how, expected) in
        [("SHUTDOWN", ":1"), ("SHUTDOWN NOW", ":1"), ("TERM", ":1"), ("KILL", ":0")]
    {
        let directory = Directory::new(&format!("stop-{}", how.replace(' ', "-")));
        let dir = directory.join("").display().to_string();
        let arguments = ["--appendonly", "yes", "--appendfsync", "always", "--dir", &dir];
        let process = Process::start(&arguments);
        let mut client = process.client();
        let policy = "delivery at-least-once acknowledge next-pop delivery-limit 1";
        // The process may still be loading.
        while client.ask(&format!("QUEUE POLICY SET p q {policy}")) != "+OK" {}
        assert_eq!(client.ask("RPUSH q job"), ":1");
        let mut worker = process.client();
        worker.send("LPOP q\r\n");
        assert_eq!(worker.lines(2), ["$3", "job"]);
        match how.strip_prefix("SHUTDOWN") {
            Some(_) => client.send(format!("{how}\r\n")),
            None => process.signal(how),
        }
        assert!(worker.rest().is_empty());
        process.wait();

        let process = Process::start(&arguments);
        let mut client = process.client();
        while client.ask("PING") != "+PONG" {}
        assert_eq!(client.ask("LLEN q"), expected, "{how}");
    }
}

#[test]
fn append_files_are_written_once_while_they_are_off() {
    let directory = Directory::new("once");
    let dir = format!("dir {}", directory.join("").display());
    let server = serve(&dir);
    let mut client = Client::connect(server.local_addrs()[0]);
    let started = "+Background append only file rewriting started";
    assert_eq!(client.ask("RPUSH q a b c"), ":3");
    assert_eq!(client.ask("BGREWRITEAOF"), started);
    assert_eq!(client.ask("RPUSH q d"), ":4");
    ask_until(&mut client, "aof_enabled:0\r\naof_rewrite_in_progress:0");
    ask_until(&mut client, "aof_last_bgrewrite_status:ok\r\naof_rewrites:1");
    // Old files are deleted afterwards.
    ask_until(&mut client, "aof_rewrite_in_progress:0");
    client.send("CONFIG GET appendonly\r\n");
    assert_eq!(client.lines(5)[4], "no");
    // They may be written again, or be turned on, even during a rewrite.
    assert_eq!(client.ask("BGREWRITEAOF"), started);
    ask_until(&mut client, "aof_rewrites:2");
    ask_until(&mut client, "aof_rewrite_in_progress:0");
    assert_eq!(client.ask("LPOP q"), "$1");
    assert_eq!(client.line().as_deref(), Some("a"));
    client.send("BGREWRITEAOF\r\nCONFIG SET appendonly yes\r\n");
    assert_eq!(client.lines(2), [started, "+OK"]);
    ask_until(&mut client, "aof_enabled:1\r\naof_rewrite_in_progress:0");
    client.send("CONFIG SET appendonly no\r\nBGREWRITEAOF\r\n");
    assert_eq!(client.lines(2), ["+OK", started]);
    ask_until(&mut client, "aof_enabled:0\r\naof_rewrite_in_progress:0");
    ask_until(&mut client, "aof_rewrites:4");
    ask_until(&mut client, "aof_rewrite_in_progress:0");
    assert_eq!(client.ask("BGREWRITEAOF"), started);
    client.send("CONFIG SET appendonly yes\r\n");
    assert_eq!(client.line().as_deref(), Some("+OK"));
    ask_until(&mut client, "aof_enabled:1\r\naof_rewrite_in_progress:0");
    assert_eq!(client.ask("CONFIG SET appendonly no"), "+OK");
    assert_eq!(client.ask("BGREWRITEAOF"), started);
    assert_eq!(client.ask("RPUSH q lost"), ":4");
    ask_until(&mut client, "aof_rewrite_in_progress:0");
    server.stop().expect("it stops");

    // Files that were not loaded are not replaced.
    let server = serve(&dir);
    let mut client = Client::connect(server.local_addrs()[0]);
    let refusal = client.ask("BGREWRITEAOF");
    assert!(
        refusal.starts_with("-ERR Append files cannot be written: there are append files in "),
        "{refusal}"
    );
    assert!(refusal.contains(" that were not loaded"), "{refusal}");
    server.stop().expect("it stops");

    let server = serve(&lines(&directory, ""));
    let mut client = Client::connect(server.local_addrs()[0]);
    while client.ask("LLEN q") != ":3" {}
    server.stop().expect("it stops");
}

#[test]
fn loading_is_answered() {
    let directory = Directory::new("loading");
    let files = directory.join("appendonlydir");
    fs::create_dir(&files).expect("a directory");
    // As Redis writes it, and more than is loaded before a client is heard.
    let command = format!("*3\r\n$5\r\nRPUSH\r\n$1\r\nq\r\n$1000\r\n{}\r\n", "m".repeat(1000));
    let count = 40_000;
    fs::write(files.join("appendonly.aof.1.base.aof"), command.repeat(count)).expect("a file");
    let manifest = "file appendonly.aof.1.base.aof seq 1 type b\n";
    fs::write(files.join("appendonly.aof.manifest"), manifest).expect("a file");

    let server = Server::bind(settings(&lines(&directory, ""))).expect("it listens");
    let mut client = Client::connect(server.local_addrs()[0]);
    client.send("PING\r\nLLEN q\r\nMULTI\r\nRPUSH q x\r\nDISCARD\r\n");
    client.send("MULTI\r\nLLEN q\r\nEXEC\r\nMULTI\r\nEXEC\r\nINFO persistence\r\n");
    let running = server.spawn().expect("a thread");
    let loading = "-LOADING Redis is loading the dataset in memory";
    assert_eq!(client.lines(5), [loading, loading, "+OK", loading, "+OK"]);
    let aborted = "-EXECABORT Transaction discarded because of previous errors.";
    assert_eq!(client.lines(5), ["+OK", loading, aborted, "+OK", "*0"]);
    let info = info(&mut client);
    let has = |start: &str| info.lines().any(|line| line.starts_with(start));
    assert!(has("loading:1"), "{info}");
    assert!(has(&format!("loading_total_bytes:{}", command.len() * count)), "{info}");
    assert!(has("loading_loaded_perc:") && has("loading_eta_seconds:"), "{info}");
    // Foreign files are rewritten as soon as they are loaded.
    let mut client = Client::connect(running.local_addrs()[0]);
    ask_until(&mut client, "loading:0");
    assert_eq!(client.ask("LLEN q"), format!(":{count}"));
    ask_until(&mut client, "aof_rewrites:1");
    ask_until(&mut client, "aof_rewrite_in_progress:0");
    running.stop().expect("it stops");
    let manifest = fs::read_to_string(files.join("appendonly.aof.manifest")).expect("a manifest");
    assert!(manifest.lines().all(|line| line.contains(" checks TG1-")), "{manifest}");
}

#[test]
fn unusable_directories_are_refused_with_the_reason() {
    let directory = Directory::new("refused");
    let refused = |more: &str| {
        let error = Server::bind(settings(&lines(&directory, more))).err().expect("an error");
        (error.to_string(), error)
    };
    let (text, _) = refused("appenddirname a/b");
    assert_eq!(text, "appenddirname: expected a name without a path, got 'a/b'");
    let (text, _) = refused("appendfilename ..");
    assert_eq!(text, "appendfilename: expected a name without a path, got '..'");

    let server = Server::bind(settings(&lines(&directory, ""))).expect("it listens");
    let (text, error) = refused("");
    assert!(matches!(error, ServerError::Directory(_)), "{text}");
    assert!(text.ends_with("another process uses this directory"), "{text}");
    drop(server);
    assert!(Server::bind(settings(&lines(&directory, ""))).is_ok());
}

fn run(word: &str, directory: &Directory) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    let output: Output = command.arg(word).arg(directory.join("")).output().expect("it runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn check_and_repair_end_as_they_say() {
    let directory = Directory::new("check");
    assert_eq!(run("check", &directory).0, Some(3), "there is nothing");
    let server = serve(&lines(&directory, "appendfsync always"));
    let mut client = Client::connect(server.local_addrs()[0]);
    while client.ask("RPUSH q a") != ":1" {}
    assert_eq!(client.ask("RPUSH q b"), ":2");
    let (code, text) = run("check", &directory);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("another process uses this directory"), "{text}");
    server.stop().expect("it stops");
    let (code, text) = run("check", &directory);
    assert_eq!(code, Some(0), "{text}");

    let file = directory.join("appendonlydir/appendonly.aof.1.incr.aof");
    let whole = fs::read(&file).expect("the file");
    fs::write(&file, &whole[..whole.len() - 7]).expect("the file");
    let (code, text) = run("check", &directory);
    assert_eq!(code, Some(1), "{text}");
    let mut damaged = whole.clone();
    damaged[300] ^= 1;
    fs::write(&file, &damaged).expect("the file");
    let (code, text) = run("check", &directory);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("appendonly.aof.1.incr.aof: damaged at byte "), "{text}");
    assert_eq!(fs::read(&file).expect("the file"), damaged, "check changes nothing");
    let error = Server::bind(settings(&lines(&directory, "")))
        .and_then(|server| server.run())
        .expect_err("it does not load");
    assert!(matches!(error, ServerError::Load(_)), "{error}");

    let (code, text) = run("repair", &directory);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("lost: ") && text.contains(".damaged-"), "{text}");
    assert_eq!(run("check", &directory).0, Some(0));
    let server = serve(&lines(&directory, ""));
    let mut client = Client::connect(server.local_addrs()[0]);
    while client.ask("LLEN q") != ":1" {}
    server.stop().expect("it stops");
}
