//! LATENCY: slow commands that delayed all clients.
//! <https://redis.io/docs/latest/operate/oss_and_stack/management/optimization/latency-monitor/>

use crate::engine::Arg::{One, OptionalMany};
use crate::engine::Group::Server;
use crate::engine::tips::{ALL_NODES_SUCCEED, NODES_DIFFER};
use crate::engine::{Arguments, Command, CommandError, Context, Found};
use crate::histogram::Histogram;
use crate::resp::Request;
use crate::slowlog::LatencyEvent;

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::container("latency", SUBCOMMANDS).group(Server).since("2.8.13")
        .says("A container for commands about latency."),
];

#[rustfmt::skip]
static SUBCOMMANDS: &[Command] = &[
    Command::new("latency|latest", 2, latest).group(Server).since("2.8.13").admin().no_script()
        .anytime().tips(NODES_DIFFER).says("Returns the latest latency spike of each event."),
    Command::new("latency|history", 3, history).group(Server).since("2.8.13").admin().no_script()
        .anytime().args(&[One("event")]).tips(NODES_DIFFER).says("Returns the latency spikes of an event."),
    Command::new("latency|reset", -2, reset).group(Server).since("2.8.13").admin().no_script()
        .anytime().args(&[OptionalMany("event")]).tips(ALL_NODES_SUCCEED)
        .says("Deletes the latency spikes of the given events, or of all."),
    Command::new("latency|graph", 3, graph).group(Server).since("2.8.13").admin().no_script()
        .anytime().args(&[One("event")]).tips(NODES_DIFFER).says("Draws the latency spikes of an event."),
    Command::new("latency|doctor", 2, doctor).group(Server).since("2.8.13").admin().no_script()
        .anytime().tips(NODES_DIFFER).says("Explains the latency spikes and what to do."),
    Command::new("latency|histogram", -2, histogram).group(Server).since("7.0.0").admin()
        .no_script().anytime().args(&[OptionalMany("command")]).tips(NODES_DIFFER)
        .says("Returns how long commands took, as histograms."),
    Command::new("latency|help", 2, help).group(Server).since("2.8.13").anytime()
        .says("Returns help on the subcommands."),
];

fn find<'a>(ctx: &'a Context<'_>, name: &[u8]) -> Option<&'a LatencyEvent> {
    ctx.state.latency.events.iter().find(|event| event.name.as_bytes() == name)
}

fn latest(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let events = &ctx.state.latency.events;
    ctx.reply.array(events.len());
    for event in events {
        let (unix_s, took_ms) = event.samples.back().copied().unwrap_or_default();
        ctx.reply.array(4);
        ctx.reply.bulk(event.name.as_bytes());
        for number in [unix_s, took_ms, event.worst_ms] {
            ctx.reply.integer(number as i64);
        }
    }
    Ok(())
}

fn history(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let name = Arguments::from(request, 2).required()?;
    let samples = find(ctx, name).map(|event| Vec::from(event.samples.clone()));
    let samples = samples.unwrap_or_default();
    ctx.reply.array(samples.len());
    for (unix_s, took_ms) in samples {
        ctx.reply.array(2);
        ctx.reply.integer(unix_s as i64);
        ctx.reply.integer(took_ms as i64);
    }
    Ok(())
}

fn reset(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let events = &mut ctx.state.latency.events;
    let before = events.len();
    let names = request.args_from(2);
    events.retain(|event| {
        let is_named = names.clone().any(|name| name == event.name.as_bytes());
        names.len() > 0 && !is_named
    });
    ctx.reply.count(before - events.len());
    Ok(())
}

fn graph(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let name = Arguments::from(request, 2).required()?;
    let Some(event) = find(ctx, name) else {
        let mut text = b"ERR No samples available for event '".to_vec();
        text.extend_from_slice(name);
        text.push(b'\'');
        return Err(CommandError::Bytes(text));
    };
    let text = draw(event);
    ctx.reply.verbatim(text.as_bytes());
    Ok(())
}

/// Draws the newest samples as columns, oldest first, scaled between their lowest and highest.
fn draw(event: &LatencyEvent) -> String {
    const COLUMNS_MAX: usize = 80;
    const ROWS: u64 = 4;
    let skipped = event.samples.len().saturating_sub(COLUMNS_MAX);
    let shown: Vec<u64> = event.samples.iter().skip(skipped).map(|(_, ms)| *ms).collect();
    let high = shown.iter().copied().max().unwrap_or(0);
    let low = shown.iter().copied().min().unwrap_or(0);
    let mut text = format!(
        "{} - high {high} ms, low {low} ms (all time high {} ms)\n",
        event.name, event.worst_ms
    );
    text.push_str(&format!("{}\n", "-".repeat(COLUMNS_MAX)));
    for row in (0..ROWS).rev() {
        let mark = |ms: &u64| {
            let height = (ms - low) * ROWS / (high - low).max(1);
            if height > row {
                '#'
            } else if row == 0 {
                '_'
            } else {
                ' '
            }
        };
        let line: String = shown.iter().map(mark).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn doctor(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let mut text = String::new();
    if ctx.state.settings.latency_threshold_ms == 0 {
        text.push_str(
            "Latency is not monitored. \"CONFIG SET latency-monitor-threshold <milliseconds>\" \
             starts recording commands that take that long.\n",
        );
    } else if ctx.state.latency.events.is_empty() {
        text.push_str("No latency spikes since monitoring started.\n");
    }
    for event in &ctx.state.latency.events {
        let count = event.samples.len().max(1) as u64;
        let mean_ms = event.samples.iter().map(|(_, ms)| ms).sum::<u64>() / count;
        text.push_str(&format!(
            "{}: {count} latency spikes, on average {mean_ms} ms, worst {} ms. SLOWLOG GET shows which \
             commands are slow; fewer elements per command delay other clients less.\n",
            event.name, event.worst_ms
        ));
    }
    ctx.reply.verbatim(text.as_bytes());
    Ok(())
}

fn histogram(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let table = ctx.table;
    let mut wanted: Vec<Found> = Vec::new();
    if request.len() == 2 {
        wanted.extend(table.all());
    }
    // A container includes its subcommands, whose positions follow its own.
    for found in request.args_from(2).filter_map(|name| table.find_full(name)) {
        let subcommands = found.command.subcommands.len();
        wanted.extend(table.all().skip(found.index).take(subcommands + 1));
    }
    let latencies = &ctx.state.stats.latencies;
    let known = wanted.iter().filter_map(|found| {
        let times = latencies.get(found.index).filter(|times| times.total() > 0)?;
        Some((found.command.name, times))
    });
    let known: Vec<(&str, &Histogram)> = known.collect();
    ctx.reply.map(known.len());
    for (name, times) in known {
        ctx.reply.bulk(name.as_bytes());
        ctx.reply.map(2);
        ctx.reply.bulk(b"calls");
        // Counts and microseconds stay far below the maximum of i64.
        ctx.reply.integer(times.total().cast_signed());
        ctx.reply.bulk(b"histogram_usec");
        let borders = times.borders();
        ctx.reply.map(borders.len());
        for (micros, count) in borders {
            ctx.reply.integer(micros.cast_signed());
            ctx.reply.integer(count.cast_signed());
        }
    }
    Ok(())
}

fn help(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    super::help::write(
        ctx.reply,
        "LATENCY",
        &[
            "DOCTOR",
            "    Return a human readable latency analysis report.",
            "GRAPH <event>",
            "    Return an ASCII latency graph for the <event> class.",
            "HISTORY <event>",
            "    Return time-latency samples for the <event> class.",
            "LATEST",
            "    Return the latest latency samples for all events.",
            "RESET [<event> ...]",
            "    Reset latency data of one or more <event> classes.",
            "    (default: reset all data for all event classes)",
            "HISTOGRAM [COMMAND ...]",
            "    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.",
            "    If no commands are specified then all histograms are replied.",
        ],
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::draw;
    use crate::slowlog::Latency;

    #[test]
    fn a_graph_shows_the_newest_samples() {
        let mut latency = Latency::default();
        for second in 0..100 {
            latency.add("command", second, second);
        }
        let text = draw(&latency.events[0]);
        assert!(text.starts_with("command - high 99 ms, low 20 ms (all time high 99 ms)\n"));
        assert_eq!(text.lines().count(), 6);
        latency.add("one", 1, 7);
        assert!(draw(&latency.events[1]).ends_with("\n_\n"));
    }
}
