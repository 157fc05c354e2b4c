//! SLOWLOG: the commands that took long. <https://redis.io/docs/latest/commands/?group=server>

use super::help::wrong_arguments;
use crate::command::{Command, CommandError, Context, Flags, Group, Keys, Run};
use crate::resp::{Request, parse_integer};

const fn row(
    name: &'static str,
    arity: i32,
    flags: Flags,
    since: &'static str,
    summary: &'static str,
    run: Run,
) -> Command {
    let (keys, group) = (Keys::None, Group::Server);
    Command { name, arity, flags, keys, group, since, summary, run: Some(run), subcommands: &[] }
}

const ANYTIME: Flags = Flags::LOADING.with(Flags::STALE);
const ADMIN: Flags = Flags::ADMIN.with(ANYTIME);

pub(super) static COMMANDS: &[Command] = &[Command {
    name: "slowlog",
    arity: -2,
    flags: Flags::NONE,
    keys: Keys::None,
    group: Group::Server,
    since: "2.2.12",
    summary: "A container for commands about slow commands.",
    run: None,
    subcommands: SUBCOMMANDS,
}];

#[rustfmt::skip]
static SUBCOMMANDS: &[Command] = &[
    row("slowlog|get", -2, ADMIN, "2.2.12", "Gives the newest slow commands.", get),
    row("slowlog|len", 2, ADMIN, "2.2.12", "Counts the slow commands kept.", len),
    row("slowlog|reset", 2, ADMIN, "2.2.12", "Forgets the slow commands.", reset),
    row("slowlog|help", 2, ANYTIME, "6.2.0", "Explains the subcommands.", help),
];

/// How many entries SLOWLOG GET gives if it is not told.
const SHOWN_DEFAULT: usize = 10;

fn get(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    const BAD_COUNT: CommandError =
        CommandError::text("ERR count should be greater than or equal to -1");
    if request.len() > 3 {
        return Err(wrong_arguments(&request[1], "SLOWLOG"));
    }
    let wanted = match request.get(2) {
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
        // All three count from the start or from 1970, far from the end of i64.
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
