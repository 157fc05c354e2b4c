//! SLOWLOG: the log of slow commands. <https://redis.io/docs/latest/commands/?group=server>

use super::help::wrong_arguments;
use crate::engine::Arg::Optional;
use crate::engine::Group::Server;
use crate::engine::tips::ALL_NODES_SUCCEED;
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::resp::{Request, parse_integer};

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::container("slowlog", SUBCOMMANDS).group(Server).since("2.2.12")
        .says("A container for commands about slow commands."),
];

#[rustfmt::skip]
static SUBCOMMANDS: &[Command] = &[
    Command::new("slowlog|get", -2, get).group(Server).since("2.2.12").admin().anytime()
        .args(&[Optional("count")]).cost("O(N) where N is the number of entries returned")
        .tips(&["request_policy:all_nodes", "nondeterministic_output"])
        .says("Returns the newest slow commands."),
    Command::new("slowlog|len", 2, len).group(Server).since("2.2.12").admin().anytime()
        .tips(&["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"])
        .says("Counts the slow commands in the log."),
    Command::new("slowlog|reset", 2, reset).group(Server).since("2.2.12").admin().anytime()
        .tips(ALL_NODES_SUCCEED).says("Clears the log of slow commands."),
    Command::new("slowlog|help", 2, help).group(Server).since("6.2.0").anytime()
        .says("Returns help on the subcommands."),
];

/// Entries that SLOWLOG GET returns by default.
const SHOWN_DEFAULT: usize = 10;

fn get(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    const BAD_COUNT: CommandError =
        CommandError::text("ERR count should be greater than or equal to -1");
    let mut args = Arguments::from(request, 2);
    let count = args.optional();
    if args.left() > 0 {
        return Err(wrong_arguments(request, "SLOWLOG"));
    }
    let wanted = match count {
        None => SHOWN_DEFAULT,
        Some(arg) => match parse_integer(arg).ok_or(BAD_COUNT)? {
            -1 => usize::MAX,
            count => usize::try_from(count).map_err(|_| BAD_COUNT)?,
        },
    };
    let entries = &ctx.state.slowlog.entries;
    ctx.reply.array(wanted.min(entries.len()));
    for entry in entries.iter().take(wanted) {
        ctx.reply.array(6);
        // All three count from the start or from 1970, and stay far below the maximum of i64.
        ctx.reply.integer(entry.id as i64);
        ctx.reply.integer(entry.unix_s as i64);
        ctx.reply.integer(entry.duration_us as i64);
        ctx.reply.array(entry.args.len());
        for arg in &entry.args {
            ctx.reply.bulk(arg);
        }
        ctx.reply.bulk(entry.client_addr.as_bytes());
        ctx.reply.bulk(&entry.client_name);
    }
    Ok(())
}

fn len(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    ctx.reply.count(ctx.state.slowlog.entries.len());
    Ok(())
}

fn reset(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    ctx.state.slowlog.entries.clear();
    ctx.reply.ok();
    Ok(())
}

fn help(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    super::help::write(
        ctx.reply,
        "SLOWLOG",
        &[
            "GET [<count>]",
            "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
            "    Entries are made of:",
            "    id, timestamp, time in microseconds, arguments array, client IP and port,",
            "    client name",
            "LEN",
            "    Return the length of the slowlog.",
            "RESET",
            "    Reset the slowlog.",
        ],
    );
    Ok(())
}
