//! COMMAND DOCS: what a command is for, what it costs, how its arguments are written. `redis-cli`
//! makes its hints of this.

use super::describe::key_specs;
use crate::command::Command;
use crate::policy::{Policy, QueuePolicy, Takes};
use crate::resp::Output;
use Arg::{
    Block, Choice, Choices, Form, Forms, Literal, Many, One, Option, Optional, OptionalMany, Pairs,
    PolicyOptions, Token, Word,
};

/// One argument as it is written.
enum Arg {
    /// `count`
    One(&'static str),
    /// `key [key ...]`
    Many(&'static str),
    /// `[count]`
    Optional(&'static str),
    /// `[section [section ...]]`
    OptionalMany(&'static str),
    /// `parameter value [parameter value ...]`
    Pairs(&'static str, &'static str),
    /// `LEFT|RIGHT`
    Choice(&'static [&'static str]),
    /// `[NX|XX]`
    Choices(&'static [&'static str]),
    /// `[REPLACE]`
    Word(&'static str),
    /// `[COUNT count]`
    Option(&'static str, &'static str),
    /// `FILTER value`
    Token(&'static str, &'static str),
    /// `[protover [AUTH username password] …]`
    Block(&'static str, &'static [Arg]),
    /// `LIST`
    Literal(&'static str),
    /// `DEL name`
    Form(&'static [Arg]),
    /// `DEL name|LIST|…`
    Forms(&'static [Arg]),
    /// `[max-length count] …`: the options of a queue policy, from their own table.
    PolicyOptions,
}

/// A command's cost and arguments.
struct Syntax {
    name: &'static str,
    complexity: &'static str,
    args: &'static [Arg],
}

const fn row(name: &'static str, complexity: &'static str, args: &'static [Arg]) -> Syntax {
    Syntax { name, complexity, args }
}

const ENDS: &[&str] = &["LEFT", "RIGHT"];
const CONDITIONS: &[&str] = &["NX", "XX", "GT", "LT"];
const SYNC: &[&str] = &["ASYNC", "SYNC"];
const SWITCH: &[&str] = &["ON", "OFF"];
const PER_MESSAGE: &str = "O(1) for each message";
const PER_KEY: &str = "O(1) for each key";
const WITHIN: &str = "O(N) where N is the number of messages up to the place, by blocks of them";
const TAKE_MANY: &str = "O(N+M) where N is the number of keys and M the number of messages taken";
const ALL_KEYS: &str = "O(N) where N is the number of keys";
const CLIENTS: &str = "O(N) where N is the number of clients";
const COMMANDS: &str = "O(N) where N is the number of commands";

const POLICY: &[Arg] = &[Forms(&[
    Form(&[Literal("SET"), One("name"), One("pattern"), PolicyOptions]),
    Form(&[Literal("DEL"), One("name")]),
    Literal("LIST"),
    Form(&[Literal("OF"), One("key")]),
])];

/// Commands that have arguments, or a cost worth a word.
#[rustfmt::skip]
static SYNTAXES: &[Syntax] = &[
    row("rpush", PER_MESSAGE, &[One("key"), Many("element")]),
    row("lpush", PER_MESSAGE, &[One("key"), Many("element")]),
    row("rpushx", PER_MESSAGE, &[One("key"), Many("element")]),
    row("lpushx", PER_MESSAGE, &[One("key"), Many("element")]),
    row("lpop", PER_MESSAGE, &[One("key"), Optional("count")]),
    row("rpop", PER_MESSAGE, &[One("key"), Optional("count")]),
    row("llen", "O(1)", &[One("key")]),
    row("lrange", WITHIN, &[One("key"), One("start"), One("stop")]),
    row("lindex", WITHIN, &[One("key"), One("index")]),
    row("lset", WITHIN, &[One("key"), One("index"), One("element")]),
    row("linsert", WITHIN, &[One("key"), Choice(&["BEFORE", "AFTER"]), One("pivot"), One("element")]),
    row("lrem", WITHIN, &[One("key"), One("count"), One("element")]),
    row("ltrim", "O(N) where N is the number of messages removed, by blocks of them", &[One("key"), One("start"), One("stop")]),
    row("lpos", WITHIN, &[One("key"), One("element"), Option("RANK", "rank"), Option("COUNT", "num-matches"), Option("MAXLEN", "len")]),
    row("lmove", "O(1)", &[One("source"), One("destination"), Choice(ENDS), Choice(ENDS)]),
    row("rpoplpush", "O(1)", &[One("source"), One("destination")]),
    row("lmpop", TAKE_MANY, &[One("numkeys"), Many("key"), Choice(ENDS), Option("COUNT", "count")]),
    row("blpop", PER_KEY, &[Many("key"), One("timeout")]),
    row("brpop", PER_KEY, &[Many("key"), One("timeout")]),
    row("blmove", "O(1)", &[One("source"), One("destination"), Choice(ENDS), Choice(ENDS), One("timeout")]),
    row("brpoplpush", "O(1)", &[One("source"), One("destination"), One("timeout")]),
    row("blmpop", TAKE_MANY, &[One("timeout"), One("numkeys"), Many("key"), Choice(ENDS), Option("COUNT", "count")]),
    row("subscribe", "O(1) for each channel", &[Many("channel")]),
    row("unsubscribe", "O(1) for each channel", &[OptionalMany("channel")]),
    row("psubscribe", "O(1) for each pattern", &[Many("pattern")]),
    row("punsubscribe", "O(1) for each pattern", &[OptionalMany("pattern")]),
    row("ssubscribe", "O(1) for each channel", &[Many("shardchannel")]),
    row("sunsubscribe", "O(1) for each channel", &[OptionalMany("shardchannel")]),
    row("publish", "O(N+M) where N is the number of subscribers and M the number of patterns", &[One("channel"), One("message")]),
    row("spublish", "O(N) where N is the number of subscribers", &[One("shardchannel"), One("message")]),
    row("pubsub|channels", "O(N) where N is the number of channels", &[Optional("pattern")]),
    row("pubsub|numsub", "O(1) for each channel", &[OptionalMany("channel")]),
    row("pubsub|numpat", "O(1)", &[]),
    row("pubsub|shardchannels", "O(N) where N is the number of channels", &[Optional("pattern")]),
    row("pubsub|shardnumsub", "O(1) for each channel", &[OptionalMany("shardchannel")]),
    row("del", PER_KEY, &[Many("key")]),
    row("unlink", PER_KEY, &[Many("key")]),
    row("exists", PER_KEY, &[Many("key")]),
    row("touch", PER_KEY, &[Many("key")]),
    row("type", "O(1)", &[One("key")]),
    row("rename", "O(1)", &[One("key"), One("newkey")]),
    row("renamenx", "O(1)", &[One("key"), One("newkey")]),
    row("move", "O(1)", &[One("key"), One("db")]),
    row("copy", "O(N) where N is the number of messages", &[One("source"), One("destination"), Option("DB", "destination-db"), Word("REPLACE")]),
    row("dbsize", "O(1)", &[]),
    row("flushdb", ALL_KEYS, &[Choices(SYNC)]),
    row("flushall", ALL_KEYS, &[Choices(SYNC)]),
    row("swapdb", "O(N) where N is the number of waiting and watching clients", &[One("index1"), One("index2")]),
    row("keys", ALL_KEYS, &[One("pattern")]),
    row("scan", "O(1) for each call", &[One("cursor"), Option("MATCH", "pattern"), Option("COUNT", "count"), Option("TYPE", "type")]),
    row("expire", "O(1)", &[One("key"), One("seconds"), Choices(CONDITIONS)]),
    row("pexpire", "O(1)", &[One("key"), One("milliseconds"), Choices(CONDITIONS)]),
    row("expireat", "O(1)", &[One("key"), One("unix-time-seconds"), Choices(CONDITIONS)]),
    row("pexpireat", "O(1)", &[One("key"), One("unix-time-milliseconds"), Choices(CONDITIONS)]),
    row("ttl", "O(1)", &[One("key")]),
    row("pttl", "O(1)", &[One("key")]),
    row("expiretime", "O(1)", &[One("key")]),
    row("pexpiretime", "O(1)", &[One("key")]),
    row("persist", "O(1)", &[One("key")]),
    row("object|encoding", "O(1)", &[One("key")]),
    row("object|freq", "O(1)", &[One("key")]),
    row("object|idletime", "O(1)", &[One("key")]),
    row("object|refcount", "O(1)", &[One("key")]),
    row("queue|ack", "O(N log M) where N is the number of messages and M of those in flight", &[One("key"), Option("COUNT", "count")]),
    row("queue|nack", "O(N log M) where N is the number of messages and M of those in flight", &[One("key"), Option("COUNT", "count")]),
    row("queue|info", "O(1) under a policy, else O(N) where N is the number of messages", &[One("key")]),
    row("queue|inflight", "O(N) where N is the number of messages in flight", &[One("key")]),
    row("queue|list", "O(1) for every call", &[Optional("cursor"), Option("MATCH", "pattern"), Option("COUNT", "count")]),
    row("queue|pause", "O(1)", &[One("key"), Choices(&["READ", "WRITE", "ALL"])]),
    row("queue|resume", "O(1)", &[One("key"), Choices(&["READ", "WRITE", "ALL"])]),
    row("queue|policy", "O(N) where N is the number of keys to set or delete one, else of policies", POLICY),
    row("exec", "Depends on the commands of the transaction", &[]),
    row("watch", PER_KEY, &[Many("key")]),
    row("ping", "O(1)", &[Optional("message")]),
    row("echo", "O(1)", &[One("message")]),
    row("hello", "O(1)", &[Block("arguments", &[One("protover"), Block("auth", &[Token("AUTH", "username"), One("password")]), Option("SETNAME", "clientname")])]),
    row("auth", "O(1)", &[Optional("username"), One("password")]),
    row("select", "O(1)", &[One("index")]),
    row("client|setname", "O(1)", &[One("connection-name")]),
    row("client|setinfo", "O(1)", &[Choice(&["LIB-NAME", "LIB-VER"]), One("value")]),
    row("client|list", CLIENTS, &[Option("TYPE", "client-type"), Option("ID", "client-id")]),
    row("client|kill", CLIENTS, &[Optional("ip:port"), Option("ID", "client-id"), Option("TYPE", "client-type"), Option("USER", "username"), Option("ADDR", "ip:port"), Option("LADDR", "ip:port"), Option("SKIPME", "yes/no")]),
    row("client|unblock", "O(1)", &[One("client-id"), Choices(&["TIMEOUT", "ERROR"])]),
    row("client|reply", "O(1)", &[Choice(&["ON", "OFF", "SKIP"])]),
    row("client|pause", "O(1)", &[One("timeout"), Choices(&["WRITE", "ALL"])]),
    row("client|no-evict", "O(1)", &[Choice(SWITCH)]),
    row("client|no-touch", "O(1)", &[Choice(SWITCH)]),
    row("shutdown", "O(1)", &[Choices(&["NOSAVE", "SAVE"]), Word("NOW"), Word("FORCE"), Word("ABORT")]),
    row("lolwut", "O(1)", &[Option("VERSION", "version")]),
    row("info", CLIENTS, &[OptionalMany("section")]),
    row("memory|usage", "O(1)", &[One("key"), Option("SAMPLES", "count")]),
    row("latency|history", "O(1)", &[One("event")]),
    row("latency|graph", "O(1)", &[One("event")]),
    row("latency|reset", "O(1)", &[OptionalMany("event")]),
    row("latency|histogram", "O(1)", &[OptionalMany("command")]),
    row("command", COMMANDS, &[]),
    row("command|docs", COMMANDS, &[OptionalMany("command-name")]),
    row("command|info", COMMANDS, &[OptionalMany("command-name")]),
    row("command|list", COMMANDS, &[Block("filterby", &[Token("FILTERBY", "filter"), One("value")])]),
    row("command|getkeys", "O(N) where N is the number of arguments", &[One("command"), OptionalMany("arg")]),
    row("command|getkeysandflags", "O(N) where N is the number of arguments", &[One("command"), OptionalMany("arg")]),
    row("config|get", "O(N) where N is the number of settings", &[Many("parameter")]),
    row("config|set", "O(N) where N is the number of settings given", &[Pairs("parameter", "value")]),
    row("wait", "O(1)", &[One("numreplicas"), One("timeout")]),
    row("function|list", "O(1)", &[Option("LIBRARYNAME", "library-name-pattern"), Word("WITHCODE")]),
    row("function|flush", "O(1)", &[Choices(SYNC)]),
    row("script|exists", "O(N) where N is the number of scripts asked for", &[Many("sha1")]),
    row("script|flush", "O(1)", &[Choices(SYNC)]),
    row("slowlog|get", "O(N) where N is the number of entries given", &[Optional("count")]),
];

/// A command's name and documentation, its subcommands' among it.
pub(super) fn write(reply: &mut Output, command: &Command) {
    let syntax = SYNTAXES.iter().find(|syntax| syntax.name == command.name);
    let args = syntax.map_or(&[][..], |syntax| syntax.args);
    let facts = [
        ("summary", command.summary),
        ("since", command.since),
        ("group", command.group.name()),
        ("complexity", syntax.map_or("O(1)", |syntax| syntax.complexity)),
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
        write_args(reply, args, &mut (0..key_specs(command).len()));
    }
    if !command.subcommands.is_empty() {
        reply.bulk(b"subcommands");
        reply.map(command.subcommands.len());
        for subcommand in command.subcommands {
            write(reply, subcommand);
        }
    }
}

/// The numbers of the key specifications that are still to be mentioned.
type Specs = std::ops::Range<usize>;

fn write_args(reply: &mut Output, args: &[Arg], specs: &mut Specs) {
    let options = args.iter().filter(|arg| matches!(arg, PolicyOptions)).count();
    reply.array(args.len() - options + options * QueuePolicy::rows().len());
    for arg in args {
        match *arg {
            One(name) => write_plain(reply, name, None, &[], specs),
            Many(name) => write_plain(reply, name, None, &["multiple"], specs),
            Optional(name) => write_plain(reply, name, None, &["optional"], specs),
            OptionalMany(name) => write_plain(reply, name, None, &["optional", "multiple"], specs),
            Option(token, name) => write_plain(reply, name, Some(token), &["optional"], specs),
            Token(token, name) => write_plain(reply, name, Some(token), &[], specs),
            Word(token) => write_word(reply, token, &["optional"]),
            Literal(token) => write_word(reply, token, &[]),
            Choice(words) => write_choice(reply, words, &[]),
            Choices(words) => write_choice(reply, words, &["optional"]),
            Form(args) => write_group(reply, "form", "block", args, specs),
            Forms(args) => write_group(reply, "forms", "oneof", args, specs),
            PolicyOptions => write_policy_options(reply, specs),
            Pairs(first, second) => {
                let name = format!("{first}_{second}");
                write_head(reply, &name, "block", &["multiple"], 1);
                reply.bulk(b"arguments");
                write_args(reply, &[One(first), One(second)], specs);
            }
            Block(name, args) => {
                write_head(reply, name, "block", &["optional"], 1);
                reply.bulk(b"arguments");
                write_args(reply, args, specs);
            }
        }
    }
}

/// Arguments that belong together, or of which there is one.
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

/// Name, type and flags of an argument that has `more` other fields, which follow.
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
    token: std::option::Option<&str>,
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

/// Redis' type of an argument of this name.
fn kind_of(name: &str) -> &'static str {
    match name {
        "key" | "newkey" | "source" | "destination" => "key",
        "pattern" => "pattern",
        "timeout" => "double",
        "unix-time-seconds" | "unix-time-milliseconds" => "unix-time",
        "count" | "numkeys" | "start" | "stop" | "index" | "rank" | "num-matches" | "len"
        | "db" | "destination-db" | "index1" | "index2" | "cursor" | "seconds" | "milliseconds"
        | "protover" | "client-id" | "version" => "integer",
        _ => "string",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::Table;
    use crate::resp::Protocol;

    #[test]
    fn every_row_is_about_a_command() {
        for syntax in SYNTAXES {
            let found = Table::shared().find_full(syntax.name.as_bytes());
            assert!(found.is_some(), "{} is not in the table", syntax.name);
        }
    }

    #[test]
    fn commands_with_arguments_have_a_row() {
        for found in Table::shared().all() {
            let command = found.command;
            let own = if command.name.contains('|') { 2 } else { 1 };
            let is_plain = command.arity == own || !command.subcommands.is_empty();
            let is_known = SYNTAXES.iter().any(|syntax| syntax.name == command.name);
            // QUIT takes whatever it is given; DEBUG is for those who know.
            let is_exempt = ["quit", "debug"].contains(&command.name);
            assert!(is_plain || is_known || is_exempt, "{}", command.name);
        }
    }

    #[test]
    fn an_argument_in_full() {
        let mut output = Output::new(Protocol::Resp2);
        write_args(&mut output, &[Many("key"), Option("COUNT", "count")], &mut (0..1));
        let text = String::from_utf8_lossy(&output.take_all()).replace("\r\n", " ");
        assert_eq!(
            text,
            "*2 *8 $4 name $3 key $4 type $3 key $5 flags *1 +multiple $14 key_spec_index :0 \
             *8 $4 name $5 count $4 type $7 integer $5 flags *1 +optional $5 token $5 COUNT "
        );
    }
}
