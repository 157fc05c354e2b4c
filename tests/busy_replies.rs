//! While a script loops, Tidegate answers every command as the original does, in both protocols. A second
//! connection asks, a new one for each command: nothing here waits for time to pass.

#[allow(dead_code, reason = "there is one judge")]
mod originals;
mod server_support;

use libtest_mimic::Arguments;
use originals::{Original, Version};
use server_support::{Client, Process, free_port};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use tidegate::resp::write_command;

fn main() -> ExitCode {
    let judge = originals::redis_7(&[Version::V7_0]);
    let name = "replies_while_busy_are_those_of_redis_7_0";
    let trials = vec![originals::trial(name, &judge, replies_are_the_same)];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Commands that end the script, the server or the connection, and some whose replies have numbers of their own.
const LEFT_OUT: &[&str] =
    &["SCRIPT KILL", "FUNCTION KILL", "SHUTDOWN", "QUIT", "HELLO", "FUNCTION STATS", "REPLCONF"];

/// Dialogues of one connection.
const DIALOGUES: &[&[&str]] = &[
    &["MULTI", "SET k v", "EXEC", "EXEC", "DISCARD"],
    &["MULTI", "SCRIPT KILL", "FUNCTION STATS", "EXEC"],
    &["WATCH k", "UNWATCH", "MULTI", "UNWATCH", "DISCARD", "RESET"],
    &["SHUTDOWN SAVE", "SHUTDOWN ABORT", "SHUTDOWN NOSAVE ABORT", "SHUTDOWN NOSAVE x"],
    &[
        "SCRIPT KILL x",
        "NOSUCH",
        "NOSUCH x",
        "GET",
        "CLIENT NOSUCH",
        "HELLO 9",
        "AUTH x",
        "AUTH x y",
    ],
    &["REPLCONF listening-port 1", "FUNCTION NOSUCH", "SCRIPT NOSUCH"],
    &["QUIT"],
];

const LIBRARY: &str =
    "#!lua name=lib\nredis.register_function('f', function() while true do end end)";

/// The original as a process.
struct Judge {
    process: Child,
    address: SocketAddr,
}

impl Judge {
    fn start(original: &Original) -> Result<Judge, String> {
        let port = free_port();
        let mut command = Command::new(&original.program);
        command.args(["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.current_dir(std::env::temp_dir()).spawn();
        let process = process.map_err(|error| error.to_string())?;
        let judge = Judge { process, address: ([127, 0, 0, 1], port).into() };
        let begun = Instant::now();
        while TcpStream::connect(judge.address).is_err() {
            if begun.elapsed() > Duration::from_secs(20) {
                return Err("the original does not accept connections".to_owned());
            }
        }
        Ok(judge)
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        // This fails only if the process has already ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn encoded(words: &[&str]) -> Vec<u8> {
    let mut request = Vec::new();
    write_command(&mut request, words.iter().map(|word| word.as_bytes()));
    request
}

/// All replies to a dialogue. Behind it comes an ECHO, which is refused, so that the end is known.
fn replies(address: SocketAddr, protocol: &str, dialogue: &[Vec<&str>]) -> Vec<String> {
    let mut client = Client::connect(address);
    if protocol == "3" {
        client.send(encoded(&["HELLO", "3"]));
        while client.line().is_some_and(|line| !line.ends_with("modules")) {}
        assert_eq!(client.line().as_deref(), Some("*0"));
    }
    for words in dialogue {
        client.send(encoded(words));
    }
    client.send(encoded(&["NO-MORE"]));
    let mut lines = Vec::new();
    while let Some(line) = client.line() {
        if line.contains("NO-MORE") {
            break;
        }
        lines.push(line);
    }
    lines
}

/// The number of words that a command needs, by the original; `None` if it has no such command.
fn words_needed(judge: &mut Client, name: &str) -> Option<usize> {
    judge.send(encoded(&["COMMAND", "INFO", &name.replace(' ', "|")]));
    assert_eq!(judge.line().as_deref(), Some("*1"));
    if judge.line().as_deref() == Some("$-1") {
        return None;
    }
    let lines = judge.lines(3);
    let arity: i64 = lines[2].trim_start_matches(':').parse().expect("the arity");
    // The rest of the reply is not needed: the connection is given up.
    *judge = Client::connect(judge.stream.get_ref().peer_addr().expect("connected"));
    Some(arity.unsigned_abs() as usize)
}

fn replies_are_the_same(original: &Original) -> Result<(), String> {
    let judge = Judge::start(original)?;
    let ours = Process::start(&["--script-time-limit-ms", "0"]);
    let both = [judge.address, ours.address];
    let mut dialogues: Vec<Vec<Vec<&str>>> = Vec::new();
    let mut judging = Client::connect(judge.address);
    let names: Vec<String> = tidegate::command_names().collect();
    for name in names.iter().filter(|name| !LEFT_OUT.contains(&name.as_str())) {
        let Some(count) = words_needed(&mut judging, name) else { continue };
        let mut words: Vec<&str> = name.split(' ').collect();
        words.resize(count.max(words.len()), "1");
        dialogues.push(vec![words]);
    }
    assert!(dialogues.len() > 200, "few commands: {}", dialogues.len());
    dialogues.extend(
        DIALOGUES.iter().map(|lines| lines.iter().map(|line| line.split(' ').collect()).collect()),
    );
    for address in both {
        let mut client = Client::connect(address);
        client.send(encoded(&["CONFIG", "SET", "busy-reply-threshold", "1"]));
        assert_eq!(client.line().as_deref(), Some("+OK"));
        client.send(encoded(&["FUNCTION", "LOAD", LIBRARY]));
        client.lines(2);
    }
    let looping: [(&[&str], &[&str], &[&str]); 2] = [
        (&["EVAL", "while true do end", "0"], &["SCRIPT", "KILL"], &["FUNCTION", "KILL"]),
        (&["FCALL", "f", "0"], &["FUNCTION", "KILL"], &["SCRIPT", "KILL"]),
    ];
    let mut differences = Vec::new();
    for (runs, kills, does_not_kill) in looping {
        let mut runners = both.map(Client::connect);
        for (runner, address) in runners.iter_mut().zip(both) {
            runner.send(encoded(runs));
            // Until the script has begun and is late, it is answered as usual.
            let probe = [vec!["ECHO", "x"]];
            while !replies(address, "2", &probe).concat().starts_with("-BUSY") {}
        }
        for protocol in ["2", "3"] {
            for dialogue in dialogues.iter().chain([&vec![does_not_kill.to_vec()]]) {
                let [expected, found] = both.map(|address| replies(address, protocol, dialogue));
                if expected != found {
                    differences.push(format!("{runs:?} {dialogue:?}\n  {expected:?}\n  {found:?}"));
                }
            }
        }
        let [expected, found] = both.map(|address| replies(address, "2", &[kills.to_vec()]));
        let ends = runners.each_mut().map(|runner| runner.line());
        if expected != found || expected != ["+OK"] || ends[0] != ends[1] {
            differences.push(format!("{kills:?}: {expected:?} {found:?} {ends:?}"));
        }
        let [expected, found] = both.map(|address| replies(address, "2", &[kills.to_vec()]));
        if expected != found {
            differences.push(format!("{kills:?} again: {expected:?} {found:?}"));
        }
    }
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
}
