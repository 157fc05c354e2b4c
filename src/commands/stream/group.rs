//! XGROUP: groups and their consumers.

use super::interval::{INVALID_ID, id};
use super::{no_group, record};
use crate::commands::help;
use crate::engine::Arg::{One, OneOf, OptionalNamed, OptionalWord, Word};
use crate::engine::Group::Stream as OfStreams;
use crate::engine::uses::{DELETE, INSERT, UPDATE};
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::queueing::check_no_queue;
use crate::resp::Request;
use crate::value::{Kind, Recipient, Stream, StreamId};

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::container("xgroup", XGROUP).group(OfStreams).since("5.0.0")
        .says("A container for commands about groups of consumers."),
];

#[rustfmt::skip]
static XGROUP: &[Command] = &[
    Command::new("xgroup|create", -5, create).group(OfStreams).since("5.0.0").write().deny_oom()
        .key(2, INSERT)
        .args(&[One("key"), One("groupname"), OneOf(&[One("id"), Word("$")]), OptionalWord("MKSTREAM"),
            OptionalNamed("ENTRIESREAD", "entries_read")])
        .says("Creates a group that reads a stream from an id on."),
    Command::new("xgroup|createconsumer", 5, create_consumer).group(OfStreams).since("6.2.0").write()
        .deny_oom().key(2, INSERT).args(&[One("key"), One("groupname"), One("consumername")])
        .says("Creates a consumer of a group."),
    Command::new("xgroup|delconsumer", 5, delete_consumer).group(OfStreams).since("5.0.0").write()
        .key(2, DELETE).args(&[One("key"), One("groupname"), One("consumername")])
        .cost("O(N) where N is the number of entries pending for the consumer")
        .says("Deletes a consumer of a group with its pending entries."),
    Command::new("xgroup|destroy", 4, destroy).group(OfStreams).since("5.0.0").write()
        .key(2, DELETE).args(&[One("key"), One("groupname")])
        .cost("O(N) where N is the number of entries pending for the group, freed in parts")
        .says("Deletes a group."),
    Command::new("xgroup|help", 2, xgroup_help).group(OfStreams).since("5.0.0").anytime()
        .says("Returns help on the subcommands."),
    Command::new("xgroup|setid", -5, set_id).group(OfStreams).since("5.0.0").write()
        .key(2, UPDATE)
        .args(&[One("key"), One("groupname"), OneOf(&[One("id"), Word("$")]),
            OptionalNamed("ENTRIESREAD", "entries_read")])
        .says("Sets the last id that a group has read."),
];

const NO_KEY: CommandError = CommandError::text(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the \
     MKSTREAM option to create an empty stream automatically.",
);
const EXISTS: CommandError = CommandError::text("BUSYGROUP Consumer Group name already exists");

/// The options of CREATE and SETID.
#[derive(Default)]
struct Options {
    makes_stream: bool,
    entries_read: Option<u64>,
}

impl Options {
    fn parse(
        request: &Request<'_>,
        mut args: Arguments<'_>,
        is_create: bool,
    ) -> Result<Options, CommandError> {
        let mut options = Options::default();
        while args.left() > 0 {
            if is_create && args.takes("mkstream") {
                options.makes_stream = true;
            } else if args.left() > 1 && args.takes("entriesread") {
                let read = args.integer()?;
                if read < -1 {
                    let text = "ERR value for ENTRIESREAD must be positive or -1";
                    return Err(CommandError::text(text));
                }
                options.entries_read = u64::try_from(read).ok();
            } else {
                return Err(help::wrong_arguments(request, "XGROUP"));
            }
        }
        Ok(options)
    }
}

fn create(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let (key, name, at) = (args.required()?, args.required()?, args.required()?);
    let options = Options::parse(request, args, true)?;
    let keyspace = &mut ctx.state.keyspace;
    let last_id = keyspace.read::<Stream>(ctx.db, key)?.map(Stream::last_id);
    if last_id.is_none() && !options.makes_stream {
        return Err(NO_KEY);
    }
    if request.len() > 8 {
        return Err(help::wrong_arguments(request, "XGROUP"));
    }
    let at = if at == b"$" { last_id.unwrap_or_default() } else { id(at)? };
    let create = |stream: &mut Stream| {
        let is_created = stream.create_group(name, at, options.entries_read);
        (is_created, is_created)
    };
    let is_created = if last_id.is_some() {
        keyspace.change_quietly(ctx.db, key, create)?.unwrap_or_default()
    } else {
        check_no_queue(keyspace, ctx.db, key)?;
        keyspace.change_or_create(ctx.db, key, create)?
    };
    if !is_created {
        return Err(EXISTS);
    }
    ctx.reply.ok();
    Ok(())
}

/// Checks that a key has a stream with this group; returns the last id of the stream.
fn check_group(ctx: &mut Context<'_>, key: &[u8], name: &[u8]) -> Result<StreamId, CommandError> {
    let stream = ctx.state.keyspace.read::<Stream>(ctx.db, key)?.ok_or(NO_KEY)?;
    if stream.group(name).is_none() {
        return Err(no_group(key, name));
    }
    Ok(stream.last_id())
}

fn set_id(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let (key, name, at) = (args.required()?, args.required()?, args.required()?);
    let options = Options::parse(request, args, false)?;
    let last_id = check_group(ctx, key, name)?;
    if request.len() > 7 {
        return Err(help::wrong_arguments(request, "XGROUP"));
    }
    let at = match at {
        b"$" => last_id,
        _ => StreamId::parse_bound(at, 0).ok_or(INVALID_ID)?,
    };
    ctx.state.keyspace.change_quietly(ctx.db, key, |stream: &mut Stream| {
        stream.change_group(name, |group| {
            (group.last_id, group.entries_read) = (at, options.entries_read);
        });
        ((), true)
    })?;
    ctx.reply.ok();
    Ok(())
}

fn destroy(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let (key, name) = (args.required()?, args.required()?);
    let keyspace = &mut ctx.state.keyspace;
    if keyspace.read::<Stream>(ctx.db, key)?.is_none() {
        return Err(NO_KEY);
    }
    let taken = keyspace.change_quietly(ctx.db, key, |stream: &mut Stream| {
        let taken = stream.take_group(name);
        let is_taken = taken.is_some();
        (taken, is_taken)
    })?;
    let taken = taken.flatten();
    ctx.reply.flag(taken.is_some());
    if let Some(group) = taken {
        keyspace.drop_value(Stream::of_group(group).into_value());
        // Those that wait for the group get an error.
        keyspace.tell_waiters(ctx.db, key);
    }
    Ok(())
}

fn create_consumer(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let (key, group, consumer) = (args.required()?, args.required()?, args.required()?);
    check_group(ctx, key, group)?;
    let now_ms = ctx.now.unix_ms();
    let keyspace = &mut ctx.state.keyspace;
    let is_new = keyspace.change_quietly(ctx.db, key, |stream: &mut Stream| {
        let is_new = stream.change_group(group, |group| group.create_consumer(consumer, now_ms));
        let is_new = is_new.unwrap_or_default();
        (is_new, is_new)
    })?;
    let is_new = is_new.unwrap_or_default();
    ctx.reply.flag(is_new);
    if is_new {
        let to = Recipient { group, consumer, now_ms, is_pending: false };
        record::created_consumer(keyspace, (ctx.db, key), &to);
    }
    Ok(())
}

fn delete_consumer(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let (key, group, consumer) = (args.required()?, args.required()?, args.required()?);
    check_group(ctx, key, group)?;
    let keyspace = &mut ctx.state.keyspace;
    let deleted = keyspace.change_quietly(ctx.db, key, |stream: &mut Stream| {
        let deleted = stream.change_group(group, |group| group.delete_consumer(consumer)).flatten();
        (deleted.unwrap_or_default(), deleted.is_some())
    })?;
    let pending = deleted.unwrap_or_default();
    keyspace.work.moved(pending);
    ctx.reply.count(pending);
    Ok(())
}

fn xgroup_help(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let lines = [
        "CREATE <key> <groupname> <id|$> [option]",
        "    Create a new consumer group. Options are:",
        "    * MKSTREAM",
        "      Create the empty stream if it does not exist.",
        "    * ENTRIESREAD entries_read",
        "      Set the group's entries_read counter (internal use).",
        "CREATECONSUMER <key> <groupname> <consumer>",
        "    Create a new consumer in the specified group.",
        "DELCONSUMER <key> <groupname> <consumer>",
        "    Remove the specified consumer.",
        "DESTROY <key> <groupname>",
        "    Remove the specified group.",
        "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
        "    Set the current group ID and entries_read counter.",
    ];
    help::write(ctx.reply, "XGROUP", &lines);
    Ok(())
}
