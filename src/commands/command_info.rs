//! COMMAND: describes the command table to clients. <https://redis.io/docs/latest/commands/command/>

use super::command_docs;
use crate::acl::Categories;
use crate::engine::Arg::{Named, One, OptionalBlock, OptionalMany};
use crate::engine::Group::Server;
use crate::engine::tips::ORDER_VARIES;
use crate::engine::{
    Arguments, Command, CommandError, Context, FindKeys, Found, KeySpec, Table, is_word,
};
use crate::flags::Flags;
use crate::glob::glob_matches;
use crate::resp::{Output, OwnedRequest, Request};

const ALL_COMMANDS: &str = "O(N) where N is the number of commands";

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::new("command", -1, command).group(Server).since("2.8.13").subcommands(SUBCOMMANDS)
        .anytime().category("connection").cost(ALL_COMMANDS).tips(ORDER_VARIES)
        .says("Describes all commands."),
];

#[rustfmt::skip]
static SUBCOMMANDS: &[Command] = &[
    Command::new("command|count", 2, count).group(Server).since("2.8.13").anytime()
        .category("connection").says("Counts the commands."),
    Command::new("command|docs", -2, docs).group(Server).since("7.0.0").anytime()
        .category("connection").args(&[OptionalMany("command-name")]).cost(ALL_COMMANDS)
        .tips(ORDER_VARIES).says("Returns the documentation of commands."),
    Command::new("command|getkeys", -3, getkeys).group(Server).since("2.8.13").anytime()
        .category("connection").args(&[One("command"), OptionalMany("arg")])
        .cost("O(N) where N is the number of arguments").says("Returns the keys of a request."),
    Command::new("command|getkeysandflags", -3, getkeysandflags).group(Server).since("7.0.0")
        .anytime().category("connection").args(&[One("command"), OptionalMany("arg")])
        .cost("O(N) where N is the number of arguments")
        .says("Returns the keys of a request and how they are used."),
    Command::new("command|info", -2, info).group(Server).since("2.8.13").anytime()
        .category("connection").args(&[OptionalMany("command-name")]).cost(ALL_COMMANDS)
        .tips(ORDER_VARIES).says("Describes commands."),
    Command::new("command|list", -2, list).group(Server).since("7.0.0").anytime()
        .category("connection")
        .args(&[OptionalBlock("filterby", &[Named("FILTERBY", "filter"), One("value")])])
        .cost(ALL_COMMANDS).tips(ORDER_VARIES).says("Lists the names of commands."),
    Command::new("command|help", 2, help).group(Server).since("5.0.0").anytime()
        .category("connection").says("Returns help on the subcommands."),
];

fn command(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let table = ctx.table;
    ctx.reply.array(table.commands().count());
    for command in table.commands() {
        write_info(ctx.reply, command);
    }
    Ok(())
}

fn count(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    ctx.reply.count(ctx.table.commands().count());
    Ok(())
}

fn info(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let names = request.args_from(2);
    if names.len() == 0 {
        return command(ctx, request);
    }
    ctx.reply.array(names.len());
    for name in names {
        match ctx.table.find_full(name) {
            Some(found) => write_info(ctx.reply, found.command),
            None => ctx.reply.null(),
        }
    }
    Ok(())
}

/// Writes the ten elements of a command's description.
fn write_info(reply: &mut Output, command: &Command) {
    let (first, last, step) = command.keys.legacy_range();
    reply.array(10);
    reply.bulk(command.name.as_bytes());
    reply.integer(i64::from(command.arity));
    let flags: Vec<&str> = command.flags.names().collect();
    write_words(reply, &flags);
    reply.integer(first);
    reply.integer(last);
    reply.integer(step);
    let categories = command.categories();
    reply.set(categories.names().count());
    for category in categories.names() {
        reply.simple(&format!("@{category}"));
    }
    reply.set(command.tips.len());
    command.tips.iter().for_each(|tip| reply.bulk(tip.as_bytes()));
    let specs = command.keys.as_slice();
    reply.set(specs.len());
    for spec in specs {
        write_key_spec(reply, spec);
    }
    if command.subcommands.is_empty() {
        reply.set(0);
    } else {
        reply.array(command.subcommands.len());
        for subcommand in command.subcommands {
            write_info(reply, subcommand);
        }
    }
}

fn write_words(reply: &mut Output, words: &[&str]) {
    reply.set(words.len());
    for word in words {
        reply.simple(word);
    }
}

fn write_key_spec(reply: &mut Output, spec: &KeySpec) {
    match spec.find {
        FindKeys::Unknown { why, .. } => {
            reply.map(4);
            reply.bulk(b"notes");
            reply.bulk(why.as_bytes());
        }
        _ => reply.map(3),
    }
    reply.bulk(b"flags");
    write_words(reply, spec.uses.words);
    reply.bulk(b"begin_search");
    // A position in a request is small.
    let begin = spec.begin as i64;
    let keyword = match spec.find {
        FindKeys::HalfBehind(word) => Some((word, begin)),
        FindKeys::Keyword { word, from } => Some((word, i64::from(from))),
        FindKeys::Range { .. } | FindKeys::Counted | FindKeys::Unknown { .. } => None,
    };
    match keyword {
        None if matches!(spec.find, FindKeys::Unknown { .. }) => {
            write_search(reply, "unknown", &[])
        }
        Some((word, from)) => {
            reply.map(2);
            reply.bulk(b"type");
            reply.bulk(b"keyword");
            reply.bulk(b"spec");
            reply.map(2);
            reply.bulk(b"keyword");
            reply.bulk(word.as_bytes());
            reply.bulk(b"startfrom");
            reply.integer(from);
        }
        None => write_search(reply, "index", &[("index", begin)]),
    }
    reply.bulk(b"find_keys");
    match spec.find {
        FindKeys::Range { last, step } => write_search(
            reply,
            "range",
            &[("lastkey", i64::from(last)), ("keystep", step as i64), ("limit", 0)],
        ),
        FindKeys::HalfBehind(_) => {
            write_search(reply, "range", &[("lastkey", -1), ("keystep", 1), ("limit", 2)]);
        }
        FindKeys::Keyword { .. } => {
            write_search(reply, "range", &[("lastkey", -1), ("keystep", 1), ("limit", 0)]);
        }
        FindKeys::Unknown { .. } => write_search(reply, "unknown", &[]),
        FindKeys::Counted => {
            write_search(reply, "keynum", &[("keynumidx", 0), ("firstkey", 1), ("keystep", 1)]);
        }
    }
}

fn write_search(reply: &mut Output, kind: &str, spec: &[(&str, i64)]) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(kind.as_bytes());
    reply.bulk(b"spec");
    reply.map(spec.len());
    for (name, number) in spec {
        reply.bulk(name.as_bytes());
        reply.integer(*number);
    }
}

fn docs(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let table = ctx.table;
    let names = request.args_from(2);
    let commands: Vec<&Command> = if names.len() == 0 {
        table.commands().collect()
    } else {
        // Unknown names are left out.
        let found = names.filter_map(|name| table.find_full(name));
        found.map(|found| found.command).collect()
    };
    ctx.reply.map(commands.len());
    for command in commands {
        command_docs::write(ctx.reply, command);
    }
    Ok(())
}

fn list(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let is_wanted: Filter<'_> = match args.left() {
        0 => Box::new(|_| true),
        3 if args.takes("filterby") => {
            filter(args.required()?, args.required()?).ok_or(CommandError::Syntax)?
        }
        _ => return Err(CommandError::Syntax),
    };
    let all = ctx.table.all().map(|found| found.command);
    let names: Vec<&str> = all.filter(|c| is_wanted(c)).map(|command| command.name).collect();
    ctx.reply.array(names.len());
    for name in names {
        ctx.reply.bulk(name.as_bytes());
    }
    Ok(())
}

/// A condition of COMMAND LIST.
type Filter<'a> = Box<dyn Fn(&Command) -> bool + 'a>;

/// Returns the condition of COMMAND LIST FILTERBY.
fn filter<'a>(word: &[u8], value: &'a [u8]) -> Option<Filter<'a>> {
    if is_word(word, "module") {
        // There are no modules, so no command belongs to one.
        Some(Box::new(|_| false))
    } else if is_word(word, "aclcat") {
        let category = Categories::named(value).unwrap_or_default();
        Some(Box::new(move |command| command.categories().intersects(category)))
    } else if is_word(word, "pattern") {
        let pattern = value.to_ascii_lowercase();
        Some(Box::new(move |command| glob_matches(&pattern, command.name.as_bytes())))
    } else {
        None
    }
}

fn getkeys(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    write_keys(ctx, request, |reply, key, _| reply.bulk(key))
}

fn getkeysandflags(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    write_keys(ctx, request, |reply, key, uses| {
        reply.array(2);
        reply.bulk(key);
        write_words(reply, uses);
    })
}

fn write_keys(
    ctx: &mut Context<'_>,
    request: &Request<'_>,
    write: impl Fn(&mut Output, &[u8], &[&str]),
) -> Result<(), CommandError> {
    let Context { reply, table, .. } = ctx;
    let asked = OwnedRequest::from_args(request.args_from(2));
    let asked = asked.as_request();
    let Some(Found { command, .. }) = find_asked(table, &asked) else {
        return Err(CommandError::text("ERR Invalid command specified"));
    };
    if !command.keys.has_keys() {
        return Err(CommandError::text("ERR The command has no key arguments"));
    }
    if !command.accepts(asked.len()) {
        return Err(CommandError::text("ERR Invalid number of arguments specified for command"));
    }
    let keys = match command.keys.of(&asked) {
        Some(keys) => keys,
        // A script has no keys then, whatever its arguments are.
        None if command.flags.contains(Flags::NO_MANDATORY_KEYS) => Vec::new(),
        None => return Err(CommandError::text("ERR Invalid arguments specified for command")),
    };
    reply.array(keys.len());
    for key in keys {
        write(reply, key.name, key.uses.words);
    }
    Ok(())
}

/// Finds the command or subcommand that a request names, whatever its other arguments.
fn find_asked(table: &'static Table, asked: &Request<'_>) -> Option<Found> {
    let found = table.find(asked.get(0)?)?;
    match asked.get(1) {
        Some(name) if !found.command.subcommands.is_empty() => table.find_subcommand(found, name),
        _ => Some(found),
    }
}

fn help(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    super::help::write(
        ctx.reply,
        "COMMAND",
        &[
            "(no subcommand)",
            "    Return details about all Redis commands.",
            "COUNT",
            "    Return the total number of commands in this Redis server.",
            "LIST",
            "    Return a list of all commands in this Redis server.",
            "INFO [<command-name> ...]",
            "    Return details about multiple Redis commands.",
            "    If no command names are given, documentation details for all",
            "    commands are returned.",
            "DOCS [<command-name> ...]",
            "    Return documentation details about multiple Redis commands.",
            "    If no command names are given, documentation details for all",
            "    commands are returned.",
            "GETKEYS <full-command>",
            "    Return the keys from a full Redis command.",
            "GETKEYSANDFLAGS <full-command>",
            "    Return the keys and the access flags from a full Redis command.",
        ],
    );
    Ok(())
}
