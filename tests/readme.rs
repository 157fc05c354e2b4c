//! README and the pages in `docs` match the code, and each other. Tables are made from the code, pictures
//! and tables of benches from data files: `UPDATE_README=1 cargo test --test readme` writes them. The list of what Redis has and Tidegate lacks is
//! compared with a `redis-server`; `originals/mod.rs` says where that is looked for. Dialogues are played,
//! and links followed. The programs in documents are run by `tests/clients`, those in Rust that embed the
//! broker by rustdoc.

mod documents;
mod measurements;
mod originals;
mod server_support;

use documents::{Document, benchmarks, dialogues, links, pictures, root};
use libtest_mimic::{Arguments, Failed, Trial};
use originals::{Original, Version};
use redis::Value;
use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    let redis_7 = originals::redis_7(&[Version::V7_0, Version::V7_2]);
    let is_played = originals::is_required() || dialogues::redis_cli_is_installed();
    let mut trials = vec![
        Trial::test("tables_are_up_to_date", tables_are_up_to_date),
        Trial::test("pictures_are_up_to_date", pictures::are_up_to_date),
        Trial::test("rows_not_measured_again_stay", pictures::rows_not_measured_again_stay),
        Trial::test("readme_is_short", readme_is_short),
        Trial::test("links_lead_somewhere", links::lead_somewhere),
        Trial::test("every_page_is_linked", links::every_page_is_linked),
        Trial::test("dialogues_are_as_printed", dialogues::are_as_printed)
            .with_ignored_flag(!is_played),
    ];
    for (version, judge) in [("7", redis_7), ("8", originals::redis_8())] {
        let name = format!("what_redis_{version}_has_and_we_lack_is_listed");
        trials.push(originals::trial(name, &judge, what_redis_has_and_we_lack_is_listed));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// More is for the pages in `docs`: README is read by people who decide whether to use it.
const README_WORDS_MAX: usize = 1500;

fn readme_is_short() -> Result<(), Failed> {
    let words = Document::read("README.md").text.split_whitespace().count();
    match words <= README_WORDS_MAX {
        true => Ok(()),
        false => Err(format!("README has {words} words, more than {README_WORDS_MAX}").into()),
    }
}

/// Puts `table` between the comments that begin with `<!-- name:` and `<!-- /name -->`.
fn with_table(text: &str, name: &str, table: &str) -> String {
    let begin = text.find(&format!("<!-- {name}:")).expect("the comment before the table");
    let begin = begin + text[begin..].find("-->").expect("the comment's end") + "-->".len();
    let end = text.find(&format!("<!-- /{name} -->")).expect("the comment after the table");
    format!("{}\n\n{}\n{}", &text[..begin], table, &text[end..])
}

/// What stands between `<!-- name -->` and `<!-- /name -->`.
fn section<'a>(document: &'a Document, name: &str) -> &'a str {
    let (begin, end) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let rest = document.text.split_once(&begin).expect("the comment before").1;
    rest.split_once(&end).expect("the comment after").0.trim_start()
}

fn tables_are_up_to_date() -> Result<(), Failed> {
    let page = Document::read("docs/benchmarks.md");
    let figures = section(&page, "figures").trim_end().to_owned() + "\n";
    for (path, name, table) in [
        ("docs/settings.md", "settings", tidegate::settings::markdown_table()),
        ("docs/commands.md", "commands", tidegate::commands_markdown()),
        ("docs/metrics.md", "metrics", tidegate::metrics_markdown()),
        ("README.md", "figures", figures),
        ("docs/benchmarks.md", "throughput", benchmarks::throughput_table()),
        ("docs/benchmarks.md", "memory", benchmarks::memory_table()),
    ] {
        let document = Document::read(path);
        let expected = with_table(&document.text, name, &table);
        if std::env::var_os("UPDATE_README").is_some() {
            fs::write(root().join(path), &expected).expect("the document can be written");
        } else if document.text != expected {
            let remedy = "UPDATE_README=1 cargo test --test readme";
            return Err(format!("the table in {path} is outdated: {remedy}").into());
        }
    }
    Ok(())
}

/// Redis' groups of the commands that Tidegate covers. `generic` includes commands for other types only.
const FAMILIES: &[&str] =
    &["list", "string", "pubsub", "transactions", "generic", "connection", "server", "cluster"];

/// Listed in our documents, but not in 7.0.
const SINCE_7_2: &[&str] = &["WAITAOF"];

/// We have no cluster, but any server may get these few.
fn is_of_families(name: &str, group: &str) -> bool {
    let sent_to_all = ["READONLY", "READWRITE", "ASKING"].contains(&name);
    FAMILIES.contains(&group) && (group != "cluster" || sent_to_all)
}

fn what_redis_has_and_we_lack_is_listed(original: &Original) -> Result<(), String> {
    let server = Server::start(original);
    let theirs = server.commands();
    let ours: BTreeSet<String> = tidegate::command_names().collect();
    // A container of subcommands has no row of its own.
    let is_there = |name: &str| {
        let of_name = |one: &&String| one.strip_prefix(name).is_some_and(|n| n.starts_with(' '));
        ours.contains(name) || ours.iter().any(|one| of_name(&one))
    };
    let in_families = theirs.iter().filter(|(name, group)| is_of_families(name, group));
    let missing: BTreeSet<&str> =
        in_families.map(|(name, _)| name.as_str()).filter(|name| !is_there(name)).collect();

    let page = Document::read("docs/differences-from-redis.md");
    let rows = section(&page, "missing").lines().filter_map(|line| line.strip_prefix("| "));
    let listed: BTreeSet<&str> = rows
        .flat_map(|row| row.split(" | ").next().unwrap_or_default().split('`').skip(1).step_by(2))
        .collect();
    let unlisted: Vec<_> = missing.difference(&listed).collect();
    assert!(
        unlisted.is_empty(),
        "Redis has these, {} does not say that we lack them: {unlisted:?}",
        page.path.display()
    );
    let known: BTreeSet<&str> = theirs.iter().map(|(name, _)| name.as_str()).collect();
    for name in listed {
        // A reply that is always the same error; and DEBUG, whose subcommands are not commands.
        let is_partly_there = ["OBJECT FREQ", "DEBUG"].contains(&name);
        let is_later = original.version == Version::V7_0 && SINCE_7_2.contains(&name);
        assert!(known.contains(name) || is_later, "{name}: Redis has no such command");
        assert!(!is_there(name) || is_partly_there, "{name}: we have it");
    }
    Ok(())
}

/// A `redis-server` for this test alone.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start(original: &Original) -> Server {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let port = port.expect("a free port").port();
        let mut command = Command::new(&original.program);
        command.args(["--save", "", "--bind", "127.0.0.1", "--port", &port.to_string()]);
        command.current_dir(std::env::temp_dir()).stdin(Stdio::null()).stdout(Stdio::null());
        Server { process: command.spawn().expect("redis-server starts"), port }
    }

    fn connect(&self) -> redis::Connection {
        let client = redis::Client::open(("127.0.0.1", self.port)).expect("an address");
        let begun = Instant::now();
        loop {
            match client.get_connection() {
                Ok(connection) => return connection,
                Err(error) if begun.elapsed() > Duration::from_secs(20) => panic!("{error}"),
                Err(_) => std::thread::yield_now(),
            }
        }
    }

    /// The names of all commands and subcommands, as documents write them, with their groups.
    fn commands(&self) -> Vec<(String, String)> {
        let docs = redis::cmd("COMMAND").arg("DOCS").query(&mut self.connect());
        let mut commands = Vec::new();
        collect(&docs.expect("COMMAND DOCS"), &mut commands);
        assert!(commands.len() > 300, "COMMAND DOCS tells of {} commands", commands.len());
        commands
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // This fails only if the process has already ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Collects names from command descriptions, including subcommands.
fn collect(docs: &Value, commands: &mut Vec<(String, String)>) {
    let Value::Array(pairs) = docs else { return };
    for pair in pairs.chunks_exact(2) {
        let Value::Array(fields) = &pair[1] else { continue };
        let name = text(&pair[0]).to_ascii_uppercase().replace('|', " ");
        for field in fields.chunks_exact(2) {
            match text(&field[0]).as_str() {
                "group" => commands.push((name.clone(), text(&field[1]))),
                "subcommands" => collect(&field[1], commands),
                _ => {}
            }
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) => text.clone(),
        other => panic!("expected a text, got {other:?}"),
    }
}
