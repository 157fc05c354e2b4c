//! The server as a whole: TIME, MONITOR, SHUTDOWN, BGREWRITEAOF, LOLWUT.

use super::audit::log_action;
use super::save::check_file;
use crate::engine::Arg::{OptionalChoice, OptionalNamed, OptionalWord};
use crate::engine::Group::Server;
use crate::engine::monitor;
use crate::engine::tips::VARIES;
use crate::engine::{Arguments, Command, CommandError, Context, integer, is_word};
use crate::resp::{REDIS_VERSION, Request};
use crate::state::{LastSave, ShutdownRequest};

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::new("time", 1, time).group(Server).since("2.6.0").anytime().fast().tips(VARIES)
        .says("Returns the server's time."),
    Command::new("monitor", 1, monitor).group(Server).since("1.0.0").per_connection().admin().no_script().anytime()
        .says("Shows all commands while they run."),
    Command::new("shutdown", -1, shutdown).group(Server).since("1.0.0").admin().no_script()
        .anytime().no_multi().allow_busy()
        .args(&[OptionalChoice(&["NOSAVE", "SAVE"]), OptionalWord("NOW"), OptionalWord("FORCE"), OptionalWord("ABORT")])
        .says("Stops the server."),
    Command::new("bgrewriteaof", 1, bgrewriteaof).group(Server).since("1.0.0").admin().no_script()
        .no_async_loading().says("Rewrites the append files to be as short as possible."),
    Command::new("lolwut", -1, lolwut).group(Server).since("5.0.0").read_only().fast()
        .args(&[OptionalNamed("VERSION", "version")])
        .says("Draws a picture and returns the version."),
];

fn time(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let (seconds, micros) = (ctx.now.unix_us / 1_000_000, ctx.now.unix_us % 1_000_000);
    ctx.reply.array(2);
    ctx.reply.bulk(itoa::Buffer::new().format(seconds).as_bytes());
    ctx.reply.bulk(itoa::Buffer::new().format(micros).as_bytes());
    Ok(())
}

fn monitor(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    if !ctx.origin.may_wait() {
        return Err(CommandError::text("ERR MONITOR isn't allowed for DENY BLOCKING client"));
    }
    // A client that is a monitor already gets no reply, as in Redis: it could not distinguish it from a
    // line.
    if ctx.client().is_some_and(|client| client.is_monitor) {
        return Ok(());
    }
    monitor::start(ctx.state, ctx.client);
    ctx.reply.ok();
    Ok(())
}

fn shutdown(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let (mut save, mut nosave, mut now, mut force, mut abort) = (false, false, false, false, false);
    for arg in request.args_from(1) {
        let option = match () {
            () if is_word(arg, "save") => &mut save,
            () if is_word(arg, "nosave") => &mut nosave,
            () if is_word(arg, "now") => &mut now,
            () if is_word(arg, "force") => &mut force,
            () if is_word(arg, "abort") => &mut abort,
            () => return Err(CommandError::Syntax),
        };
        *option = true;
    }
    if (save && nosave) || (abort && (save || nosave || now || force)) {
        return Err(CommandError::Syntax);
    }
    if abort {
        if ctx.state.shutdown.take().is_none() {
            return Err(CommandError::text("ERR No shutdown in progress."));
        }
        ctx.reply.ok();
        return Ok(());
    }
    if let Some(script) = &ctx.state.busy_script
        && !nosave
    {
        return Err(script.refusal());
    }
    if save && !force {
        check_file(ctx)?;
    }
    // Append files are complete in any case.
    let is_wanted = if save || nosave { Some(save) } else { None };
    log_action(ctx, request);
    ctx.state.last_save = LastSave { is_wanted, is_forced: force, client: Some(ctx.client) };
    ctx.state.shutdown = Some(match now {
        _ if ctx.state.busy_script.is_some() => ShutdownRequest::Abandon,
        true => ShutdownRequest::Now,
        false => ShutdownRequest::Stop,
    });
    Ok(())
}

fn bgrewriteaof(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let state = &mut *ctx.state;
    if state.persistence.is_rewriting {
        return Err(CommandError::text(
            "ERR Background append only file rewriting already in progress",
        ));
    }
    if !state.persistence.is_on {
        state.host.claim_append_files(&state.settings).map_err(|reason| {
            CommandError::from(format!("ERR Append files cannot be written: {reason}"))
        })?;
    }
    state.persistence.is_rewrite_wanted = true;
    ctx.reply.simple("Background append only file rewriting started");
    Ok(())
}

/// The size limits of the picture.
const COLUMNS_MAX: i64 = 120;
const ROWS_MAX: i64 = 24;

/// `LOLWUT [VERSION number [columns [rows]]]`; the number is accepted and has no effect.
fn lolwut(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let mut numbers = [5, 60, 9];
    if args.takes("version") {
        for (number, arg) in numbers.iter_mut().zip(args.rest()) {
            *number = integer(arg)?;
        }
    }
    let [_, columns, rows] = numbers;
    let phase = (ctx.state.random.next() % 628) as f64 / 100.0;
    let mut text = draw_tide(columns.clamp(1, COLUMNS_MAX), rows.clamp(3, ROWS_MAX), phase);
    let version = env!("CARGO_PKG_VERSION");
    text.push_str(&format!(
        "\nThe tide at the gate. Redis ver. {REDIS_VERSION} is spoken here, by Tidegate {version}\n"
    ));
    ctx.reply.verbatim(text.as_bytes());
    Ok(())
}

/// Draws water, higher on one side of a gate than on the other.
fn draw_tide(columns: i64, rows: i64, phase: f64) -> String {
    let gate = columns * 3 / 5;
    let mut text = String::new();
    for row in 0..rows {
        let mut line = String::new();
        for column in 0..columns {
            let wave = (column as f64 / 4.0 + phase).sin();
            let mean = if column < gate { rows as f64 * 0.35 } else { rows as f64 * 0.7 };
            let surface = (mean + wave).round() as i64;
            line.push(match row {
                _ if column == gate => '#',
                _ if row == surface => '~',
                _ if row > surface && (row + column) % 3 == 0 => '-',
                _ => ' ',
            });
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::draw_tide;

    #[test]
    fn a_picture_of_any_size() {
        for columns in 1..20 {
            for rows in 3..12 {
                let text = draw_tide(columns, rows, 1.0);
                assert_eq!(text.lines().count() as i64, rows);
                assert!(text.lines().all(|line| line.len() as i64 <= columns));
            }
        }
    }
}
