//! COMMAND DOCS: a command's purpose, complexity and arguments. `redis-cli` shows hints from it.

use crate::engine::{Arg, Command};
use crate::policy::{Policy, QueuePolicy, Takes};
use crate::resp::Output;

/// Writes a command's name and documentation, including its subcommands.
pub(super) fn write(reply: &mut Output, command: &Command) {
    let args = command.args;
    let facts = [
        ("summary", command.summary),
        ("since", command.since),
        ("group", command.group.name()),
        ("complexity", command.cost),
    ];
    let lists = usize::from(!args.is_empty()) + usize::from(!command.subcommands.is_empty());
    reply.bulk(command.name.as_bytes());
    reply.map(facts.len() + lists);
    for (name, text) in facts {
        reply.bulk(name.as_bytes());
        reply.bulk(text.as_bytes());
    }
    if !args.is_empty() {
        reply.bulk(b"arguments");
        write_args(reply, args, &mut (0..command.keys.as_slice().len()));
    }
    if !command.subcommands.is_empty() {
        reply.bulk(b"subcommands");
        reply.map(command.subcommands.len());
        for subcommand in command.subcommands {
            write(reply, subcommand);
        }
    }
}

/// The key specifications that no argument has referred to so far, by number.
type Specs = std::ops::Range<usize>;

fn write_args(reply: &mut Output, args: &[Arg], specs: &mut Specs) {
    let options = args.iter().filter(|arg| matches!(arg, Arg::PolicyOptions)).count();
    reply.array(args.len() - options + options * QueuePolicy::rows().len());
    for arg in args {
        match *arg {
            Arg::One(name) => write_plain(reply, name, None, &[], specs),
            Arg::Many(name) => write_plain(reply, name, None, &["multiple"], specs),
            Arg::Optional(name) => write_plain(reply, name, None, &["optional"], specs),
            Arg::OptionalMany(name) => {
                write_plain(reply, name, None, &["optional", "multiple"], specs);
            }
            Arg::Named(token, name) => write_plain(reply, name, Some(token), &[], specs),
            Arg::OptionalNamed(token, name) => {
                write_plain(reply, name, Some(token), &["optional"], specs);
            }
            Arg::OptionalNamedMany(token, name) => {
                write_plain(reply, name, Some(token), &["optional", "multiple"], specs);
            }
            Arg::OptionalNamedEach(token, name) => {
                let flags = &["optional", "multiple", "multiple_token"];
                write_plain(reply, name, Some(token), flags, specs);
            }
            Arg::Word(token) => write_word(reply, token, &[]),
            Arg::OptionalWord(token) => write_word(reply, token, &["optional"]),
            Arg::Choice(words) => write_choice(reply, words, &[]),
            Arg::OptionalChoice(words) => write_choice(reply, words, &["optional"]),
            Arg::Block(args) => write_group(reply, "form", "block", args, specs),
            Arg::OneOf(args) => write_group(reply, "forms", "oneof", args, specs),
            Arg::PolicyOptions => write_policy_options(reply, specs),
            Arg::Pairs(first, second) => {
                let name = format!("{first}_{second}");
                write_head(reply, &name, "block", &["multiple"], 1);
                reply.bulk(b"arguments");
                write_args(reply, &[Arg::One(first), Arg::One(second)], specs);
            }
            Arg::OptionalBlock(name, args) => {
                write_head(reply, name, "block", &["optional"], 1);
                reply.bulk(b"arguments");
                write_args(reply, args, specs);
            }
        }
    }
}

/// Writes a group of arguments: a `block` has all of them, a `oneof` one of them.
fn write_group(reply: &mut Output, name: &str, kind: &str, args: &[Arg], specs: &mut Specs) {
    write_head(reply, name, kind, &[], 1);
    reply.bulk(b"arguments");
    write_args(reply, args, specs);
}

fn write_policy_options(reply: &mut Output, specs: &mut Specs) {
    for row in QueuePolicy::rows() {
        let Takes::Word(words) = row.takes else {
            let kind = if matches!(row.takes, Takes::Key) { "key-or-form" } else { "count" };
            write_plain(reply, kind, Some(row.name), &["optional"], specs);
            continue;
        };
        write_head(reply, row.name, "oneof", &["optional"], 2);
        reply.bulk(b"token");
        reply.bulk(row.name.as_bytes());
        reply.bulk(b"arguments");
        reply.array(words.len());
        words.iter().for_each(|word| write_word(reply, word, &[]));
    }
}

/// Writes the name, type and flags of an argument; `more` other fields follow.
fn write_head(reply: &mut Output, name: &str, kind: &str, flags: &[&str], more: usize) {
    reply.map(2 + usize::from(!flags.is_empty()) + more);
    reply.bulk(b"name");
    reply.bulk(name.as_bytes());
    reply.bulk(b"type");
    reply.bulk(kind.as_bytes());
    if !flags.is_empty() {
        reply.bulk(b"flags");
        reply.set(flags.len());
        for flag in flags {
            reply.simple(flag);
        }
    }
}

fn write_plain(
    reply: &mut Output,
    name: &str,
    token: Option<&str>,
    flags: &[&str],
    specs: &mut Specs,
) {
    let kind = kind_of(name);
    let spec = if kind == "key" { specs.next() } else { None };
    let more = usize::from(token.is_some()) + usize::from(spec.is_some());
    write_head(reply, name, kind, flags, more);
    if let Some(spec) = spec {
        reply.bulk(b"key_spec_index");
        reply.count(spec);
    }
    if let Some(token) = token {
        reply.bulk(b"token");
        reply.bulk(token.as_bytes());
    }
}

fn write_word(reply: &mut Output, token: &str, flags: &[&str]) {
    write_head(reply, &token.to_ascii_lowercase(), "pure-token", flags, 1);
    reply.bulk(b"token");
    reply.bulk(token.as_bytes());
}

fn write_choice(reply: &mut Output, words: &[&str], flags: &[&str]) {
    let name = words.join("_").to_ascii_lowercase();
    write_head(reply, &name, "oneof", flags, 1);
    reply.bulk(b"arguments");
    reply.array(words.len());
    for word in words {
        write_word(reply, word, &[]);
    }
}

/// Returns Redis' type of an argument with this name.
fn kind_of(name: &str) -> &'static str {
    match name {
        "key" | "newkey" | "source" | "destination" => "key",
        "pattern" => "pattern",
        "timeout" | "score" => "double",
        "unix-time-seconds" | "unix-time-milliseconds" => "unix-time",
        "count" | "numkeys" | "start" | "stop" | "index" | "rank" | "num-matches" | "len"
        | "db" | "destination-db" | "index1" | "index2" | "cursor" | "seconds" | "milliseconds"
        | "limit" | "protover" | "client-id" | "version" => "integer",
        _ => "string",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::Protocol;

    #[test]
    fn an_argument_in_full() {
        let mut output = Output::new(Protocol::Resp2);
        write_args(
            &mut output,
            &[Arg::Many("key"), Arg::OptionalNamed("COUNT", "count")],
            &mut (0..1),
        );
        let text = String::from_utf8_lossy(&output.take_all()).replace("\r\n", " ");
        assert_eq!(
            text,
            "*2 *8 $4 name $3 key $4 type $3 key $5 flags *1 +multiple $14 key_spec_index :0 \
             *8 $4 name $5 count $4 type $7 integer $5 flags *1 +optional $5 token $5 COUNT "
        );
    }
}
