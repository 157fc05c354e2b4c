//! Plays the dialogues in documents, that is the blocks of `console`: redis-cli prints what they show.
//! Each is played on a new server.

use super::{Document, paths};
use crate::server_support::{self, PATIENCE};
use libtest_mimic::Failed;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

const PROMPT: &str = "127.0.0.1:6379> ";

/// What happened before a dialogue, which is named by its first command.
const BEFORE: &[(&str, &[&str])] = &[
    (
        "QUEUE POP 1 jobs BLOCK 5000 LEASE 30000",
        &[
            "QUEUE POLICY SET jobs jobs delivery at-least-once acknowledge explicit",
            "RPUSH jobs paint",
        ],
    ),
    (
        "QUEUE PEEK dead COUNT 1",
        &[
            "QUEUE POLICY SET jobs jobs:* delivery at-least-once acknowledge explicit delivery-limit 1 \
             dead-letter dead",
            "RPUSH jobs:images \"resize 7.png\"",
            "LPOP jobs:images",
            "QUEUE NACK jobs:images",
        ],
    ),
];

/// Lines with a number of milliseconds, which is another one each time.
const VARYING: &[&str] = &["4) (integer) 12", "6) (integer) 81004"];

/// The length of a receipt, which is another one each time.
const RECEIPT_DIGITS: usize = 19;

/// Whether dialogues can be played.
pub fn redis_cli_is_installed() -> bool {
    let mut command = Command::new("redis-cli");
    command.arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

pub fn are_as_printed() -> Result<(), Failed> {
    let documents: Vec<Document> = paths().iter().map(Document::read).collect();
    let dialogues = documents.iter().flat_map(|document| {
        document.blocks("console").map(|dialogue| (document.path.display(), dialogue))
    });
    let mut played = 0;
    for (path, dialogue) in dialogues {
        play(dialogue).map_err(|error| format!("{path}: {error}, in\n{dialogue}"))?;
        played += 1;
    }
    assert!(played > BEFORE.len(), "only {played} dialogues are found");
    Ok(())
}

fn play(dialogue: &str) -> Result<(), String> {
    let server = server_support::serve("");
    let mut terminal = Terminal::open(server.local_addrs()[0]);
    let mut receipts = BTreeMap::<String, String>::new();
    let turns = turns(dialogue)?;
    let first = turns.first().map(|(command, _)| *command);
    for (_, commands) in BEFORE.iter().filter(|(name, _)| Some(*name) == first) {
        for command in *commands {
            let reply = terminal.ask(command);
            assert!(!reply.concat().starts_with("(error)"), "{command}: {reply:?}");
        }
    }
    for (command, expected) in turns {
        let command = receipts
            .iter()
            .fold(command.to_owned(), |command, (printed, given)| command.replace(printed, given));
        let reply = terminal.ask(&command);
        compare(&expected, &reply, &mut receipts)
            .map_err(|error| format!("{error} after {command}: {reply:#?}"))?;
    }
    drop(terminal);
    server.stop().map_err(|error| error.to_string())
}

/// The commands of a dialogue, with the lines of their replies.
fn turns(dialogue: &str) -> Result<Vec<(&str, Vec<&str>)>, String> {
    let mut turns: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in dialogue.lines().filter(|line| *line != "$ redis-cli" && !is_elapsed_time(line)) {
        match (line.strip_prefix(PROMPT), turns.last_mut()) {
            (Some(command), _) => turns.push((command, Vec::new())),
            (None, Some((_, reply))) => reply.push(line),
            (None, None) => return Err(format!("expected a line that begins with {PROMPT:?}")),
        }
    }
    if turns.is_empty() { Err("no command".to_owned()) } else { Ok(turns) }
}

/// `(0.51s)`, which follows a reply that took long. On a busy machine, others do as well.
fn is_elapsed_time(line: &str) -> bool {
    let number = line.strip_prefix('(').and_then(|rest| rest.strip_suffix("s)"));
    number.is_some_and(|number| number.parse::<f64>().is_ok())
}

/// Compares a reply with the printed one, and notes the receipts in place of the printed ones.
fn compare(
    expected: &[&str],
    reply: &[String],
    receipts: &mut BTreeMap<String, String>,
) -> Result<(), String> {
    for (index, expected) in expected.iter().enumerate() {
        if expected.trim() == "..." {
            return Ok(());
        }
        let Some(line) = reply.get(index) else {
            return Err(format!("expected {expected:?}"));
        };
        let is_same = match (receipt(expected), receipt(line)) {
            (Some(printed), Some(given)) => {
                receipts.insert(printed.to_owned(), given.to_owned());
                expected.replace(printed, given) == *line
            }
            _ if VARYING.contains(&expected.trim()) => {
                let digits =
                    |text: &str| text.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
                digits(expected) == digits(line)
            }
            _ => expected == line,
        };
        if !is_same {
            return Err(format!("expected {expected:?}"));
        }
    }
    match reply.get(expected.len()) {
        Some(line) => Err(format!("did not expect {line:?}")),
        None => Ok(()),
    }
}

/// The receipt in a line, in quotes.
fn receipt(line: &str) -> Option<&str> {
    let is_receipt = |word: &&str| {
        word.len() == RECEIPT_DIGITS && word.bytes().all(|byte| byte.is_ascii_digit())
    };
    line.split('"').find(is_receipt)
}

/// A redis-cli that prints as on a terminal.
struct Terminal {
    process: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    asked: usize,
}

impl Terminal {
    fn open(address: SocketAddr) -> Terminal {
        let mut command = Command::new("redis-cli");
        command.args(["--no-raw", "-h", "127.0.0.1", "-p", &address.port().to_string()]);
        command.env("REDISCLI_HISTFILE", "/dev/null").env("REDISCLI_RCFILE", "/dev/null");
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("redis-cli starts");
        let output = BufReader::new(process.stdout.take().expect("its output"));
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            // It ends with the process, or with the test.
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let input = process.stdin.take().expect("its input");
        Terminal { process, input, lines, asked: 0 }
    }

    /// The lines of a reply. An ECHO marks its end.
    fn ask(&mut self, command: &str) -> Vec<String> {
        self.asked += 1;
        let end = format!("end-of-reply-{}", self.asked);
        writeln!(self.input, "{command}\nECHO {end}").expect("redis-cli reads");
        let mut reply = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE).expect("a line of redis-cli") {
                line if line == format!("\"{end}\"") => return reply,
                line if is_elapsed_time(&line) => {}
                line => reply.push(line),
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // This fails only if the process has already ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
