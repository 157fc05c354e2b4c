//! CLIENT: names, replies, waits and pauses of connections. CLIENT LIST and CLIENT KILL have their own
//! files.

use super::help::wrong_arguments;
use super::{client_kill, client_list};
use crate::clients::{Identity, ReplyMode};
use crate::engine::Arg::{Choice, One, Optional, OptionalChoice, OptionalNamed};
use crate::engine::Group::Connection;
use crate::engine::client_line::shown_id;
use crate::engine::syntax::ALL_CLIENTS;
use crate::engine::tips::{ALL_NODES_SUCCEED, VARIES};
use crate::engine::{Arg, Arguments, Command, CommandError, Context, integer, is_word};
use crate::engine::{gates, wait};
use crate::resp::{Request, parse_integer};
use crate::state::Pause;

const SWITCH: Arg = Choice(&["ON", "OFF"]);

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::container("client", CLIENT).group(Connection).since("2.4.0")
        .says("A container for commands about connections."),
];

// No TRACKING or CACHING: a client's cache of a queue would be outdated at once.
#[rustfmt::skip]
static CLIENT: &[Command] = &[
    Command::new("client|id", 2, id).group(Connection).since("5.0.0").no_script().anytime()
        .says("Returns the connection's ID."),
    Command::new("client|getname", 2, getname).group(Connection).since("2.6.9").no_script()
        .anytime().says("Returns the connection's name."),
    Command::new("client|setname", 3, setname).group(Connection).since("2.6.9").per_connection().no_script()
        .anytime().args(&[One("connection-name")]).says("Sets the connection's name."),
    Command::new("client|setinfo", 4, setinfo).group(Connection).since("7.2.0").per_connection().no_script()
        .anytime().args(&[Choice(&["LIB-NAME", "LIB-VER"]), One("value")]).tips(ALL_NODES_SUCCEED)
        .says("Sets the name or version of the connection's client library."),
    Command::new("client|info", 2, client_list::info).group(Connection).since("6.2.0").no_script()
        .anytime().tips(VARIES).says("Describes the connection."),
    Command::new("client|list", -2, client_list::list).group(Connection).since("2.4.0").admin()
        .no_script().anytime()
        .args(&[OptionalNamed("TYPE", "client-type"), OptionalNamed("ID", "client-id")])
        .cost(ALL_CLIENTS).tips(VARIES).says("Describes all connections, or those of a type or with given IDs."),
    Command::new("client|kill", -3, client_kill::kill).group(Connection).since("2.4.0").admin()
        .no_script().anytime()
        .args(&[Optional("ip:port"), OptionalNamed("ID", "client-id"), OptionalNamed("TYPE", "client-type"), OptionalNamed("USER", "username"), OptionalNamed("ADDR", "ip:port"), OptionalNamed("LADDR", "ip:port"), OptionalNamed("SKIPME", "yes/no")])
        .cost(ALL_CLIENTS).says("Closes connections."),
    Command::new("client|unblock", -3, unblock).group(Connection).since("5.0.0").admin()
        .no_script().anytime().args(&[One("client-id"), OptionalChoice(&["TIMEOUT", "ERROR"])])
        .says("Ends the wait of a blocked connection."),
    Command::new("client|reply", 3, reply).group(Connection).since("3.2.0").per_connection().no_script().anytime()
        .args(&[Choice(&["ON", "OFF", "SKIP"])]).says("Turns replies on or off, or skips the next one."),
    Command::new("client|pause", -3, pause).group(Connection).since("2.9.50").admin().no_script()
        .anytime().args(&[One("timeout"), OptionalChoice(&["WRITE", "ALL"])])
        .says("Holds back the commands of all connections for a time."),
    Command::new("client|unpause", 2, unpause).group(Connection).since("6.2.0").admin().no_script()
        .anytime().says("Ends CLIENT PAUSE."),
    Command::new("client|no-evict", 3, no_evict).group(Connection).since("7.0.0").per_connection().admin()
        .no_script().anytime().args(&[SWITCH]).says("Protects the connection from eviction."),
    Command::new("client|no-touch", 3, no_touch).group(Connection).since("7.2.0").per_connection().no_script()
        .anytime().args(&[SWITCH]).says("Chooses whether the connection's commands update the last use of keys."),
    Command::new("client|getredir", 2, getredir).group(Connection).since("6.0.0").no_script()
        .anytime().says("Returns the connection that gets key tracking messages: none."),
    Command::new("client|trackinginfo", 2, trackinginfo).group(Connection).since("6.2.0")
        .no_script().anytime().says("Returns the state of key tracking: off."),
    Command::new("client|help", 2, help).group(Connection).since("5.0.0").anytime()
        .says("Returns help on the subcommands."),
];

fn id(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    ctx.reply.integer(shown_id(ctx.client));
    Ok(())
}

fn getname(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let client = ctx.state.clients.get(ctx.client);
    match client.and_then(|client| client.identity.as_deref()) {
        Some(Identity { name, .. }) if !name.is_empty() => ctx.reply.bulk(name),
        _ => ctx.reply.null(),
    }
    Ok(())
}

fn setname(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let name = Arguments::from(request, 2).required()?;
    check_name(name)?;
    set_name(ctx, name);
    ctx.reply.ok();
    Ok(())
}

/// Whether these bytes can be part of a CLIENT LIST line, where spaces separate the fields.
fn is_printable(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_graphic)
}

/// Returns an error if this cannot be a client's name.
pub(super) fn check_name(name: &[u8]) -> Result<(), CommandError> {
    is_printable(name).then_some(()).ok_or(CommandError::text(
        "ERR Client names cannot contain spaces, newlines or special characters.",
    ))
}

/// Sets the client's name, which `check_name` has accepted; an empty one removes it.
pub(super) fn set_name(ctx: &mut Context<'_>, name: &[u8]) {
    if let Some(client) = ctx.client_mut() {
        client.identity.get_or_insert_default().name = name.to_vec();
    }
}

fn setinfo(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let (option, value) = (args.required()?, args.required()?);
    let is_name = is_word(option, "lib-name");
    if !is_name && !is_word(option, "lib-ver") {
        return Err(CommandError::quoting("ERR Unrecognized option '", option, "'"));
    }
    if !is_printable(value) {
        // The option in Redis' spelling, whatever case it was given in.
        let option = if is_name { "lib-name" } else { "lib-ver" };
        let text = format!("ERR {option} cannot contain spaces, newlines or special characters.");
        return Err(CommandError::from(text));
    }
    if let Some(client) = ctx.client_mut() {
        let identity = client.identity.get_or_insert_default();
        let field =
            if is_name { &mut identity.library_name } else { &mut identity.library_version };
        *field = value.to_vec();
    }
    ctx.reply.ok();
    Ok(())
}

fn reply(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mode = Arguments::from(request, 2).required()?;
    let Some(client) = ctx.state.clients.get_mut(ctx.client) else { return Ok(()) };
    if is_word(mode, "on") {
        client.reply_mode = ReplyMode::On;
        ctx.reply.ok();
    } else if is_word(mode, "off") {
        client.reply_mode = ReplyMode::Off;
    } else if !is_word(mode, "skip") {
        return Err(CommandError::Syntax);
    } else if client.reply_mode != ReplyMode::Off {
        client.reply_mode = ReplyMode::SkipNext;
    }
    Ok(())
}

fn unblock(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let (number, reason) = (args.required()?, args.optional());
    let with_error = match reason {
        _ if args.left() > 0 => return Err(wrong_arguments(request, "CLIENT")),
        Some(reason) if is_word(reason, "error") => true,
        Some(reason) if !is_word(reason, "timeout") => {
            return Err(CommandError::text("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"));
        }
        _ => false,
    };
    let number = integer(number)?;
    let target = u64::try_from(number).ok().and_then(|number| ctx.state.clients.find(number));
    let is_unblocked = match target {
        Some(target) if with_error => {
            const ERROR: &[u8] = b"UNBLOCKED client unblocked via CLIENT UNBLOCK";
            wait::end_with_error(ctx.state, target, ERROR)
        }
        Some(target) => wait::time_out(ctx.state, target),
        None => false,
    };
    ctx.reply.flag(is_unblocked);
    Ok(())
}

fn pause(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let (timeout, mode) = (args.required()?, args.optional());
    let writes_only = match mode {
        _ if args.left() > 0 => return Err(wrong_arguments(request, "CLIENT")),
        Some(mode) if is_word(mode, "write") => true,
        Some(mode) if !is_word(mode, "all") => {
            return Err(CommandError::text("ERR CLIENT PAUSE mode must be WRITE or ALL"));
        }
        _ => false,
    };
    let until_us = end_of_pause(ctx, timeout)?;
    // A pause past its end does not count, even if it was not lifted yet.
    let earlier = ctx.state.pause.filter(|pause| pause.until_us > ctx.now.monotonic_us);
    // A new pause can make the earlier one longer or stronger, never shorter or weaker.
    ctx.state.pause = Some(match earlier {
        Some(earlier) => Pause {
            until_us: until_us.max(earlier.until_us),
            writes_only: writes_only && earlier.writes_only,
        },
        None => Pause { until_us, writes_only },
    });
    ctx.reply.ok();
    Ok(())
}

/// Returns the time this many milliseconds from now.
fn end_of_pause(ctx: &Context<'_>, arg: &[u8]) -> Result<u64, CommandError> {
    let Some(timeout_ms) = parse_integer(arg) else {
        return Err(CommandError::text("ERR timeout is not an integer or out of range"));
    };
    let timeout_ms = u64::try_from(timeout_ms).map_err(|_| CommandError::TimeoutNegative)?;
    let timeout_us = timeout_ms.checked_mul(1000).ok_or(CommandError::TimeoutOutOfRange)?;
    let until_us = ctx.now.monotonic_us.checked_add(timeout_us);
    until_us.ok_or(CommandError::TimeoutOutOfRange)
}

fn unpause(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    gates::lift_pause(ctx.state);
    ctx.reply.ok();
    Ok(())
}

fn no_evict(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let is_on = on_or_off(request)?;
    if let Some(client) = ctx.client_mut() {
        client.no_evict = is_on;
    }
    ctx.reply.ok();
    Ok(())
}

fn no_touch(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let is_on = on_or_off(request)?;
    if let Some(client) = ctx.client_mut() {
        client.no_touch = is_on;
    }
    ctx.reply.ok();
    Ok(())
}

fn on_or_off(request: &Request<'_>) -> Result<bool, CommandError> {
    Arguments::from(request, 2).choice(&[("on", true), ("off", false)])
}

fn getredir(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    ctx.reply.integer(-1);
    Ok(())
}

fn trackinginfo(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    ctx.reply.map(3);
    ctx.reply.bulk(b"flags");
    ctx.reply.set(1);
    ctx.reply.bulk(b"off");
    ctx.reply.bulk(b"redirect");
    ctx.reply.integer(-1);
    ctx.reply.bulk(b"prefixes");
    ctx.reply.array(0);
    Ok(())
}

fn help(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    super::help::write(
        ctx.reply,
        "CLIENT",
        &[
            "GETREDIR",
            "    Return the client ID that is told of changed keys: -1, since tracking is off.",
            "GETNAME",
            "    Return the name of the current connection.",
            "ID",
            "    Return the ID of the current connection.",
            "INFO",
            "    Return information about the current client connection.",
            "KILL <ip:port>",
            "    Kill connection made from <ip:port>.",
            "KILL <option> <value> [<option> <value> [...]]",
            "    Kill connections. Options are:",
            "    * ADDR (<ip:port>|<unixsocket>:0)",
            "      Kill connections made from the specified address",
            "    * LADDR (<ip:port>|<unixsocket>:0)",
            "      Kill connections made to specified local address",
            "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
            "      Kill connections by type.",
            "    * USER <username>",
            "      Kill connections authenticated by <username>.",
            "    * SKIPME (YES|NO)",
            "      Skip killing current connection (default: yes).",
            "    * ID <id>",
            "      Kill the connection with this ID.",
            "LIST [options ...]",
            "    Return information about client connections. Options:",
            "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
            "      Return clients of specified type.",
            "    * ID <id> [<id> ...]",
            "      Return clients with these IDs.",
            "UNPAUSE",
            "    Stop the current client pause, resuming traffic.",
            "PAUSE <timeout> [WRITE|ALL]",
            "    Suspend all, or just write, clients for <timeout> milliseconds.",
            "REPLY (ON|OFF|SKIP)",
            "    Control the replies sent to the current connection.",
            "SETNAME <name>",
            "    Assign the name <name> to the current connection.",
            "SETINFO <option> <value>",
            "    Set client meta attr. Options are:",
            "    * LIB-NAME: the client lib name.",
            "    * LIB-VER: the client lib version.",
            "UNBLOCK <clientid> [TIMEOUT|ERROR]",
            "    Unblock the specified blocked client.",
            "TRACKINGINFO",
            "    Report tracking status for the current connection: it is off.",
            "NO-EVICT (ON|OFF)",
            "    Protect current client connection from eviction.",
            "NO-TOUCH (ON|OFF)",
            "    Will not touch LRU/LFU stats when this mode is on.",
        ],
    );
    Ok(())
}

#[cfg(test)]
mod tests;
