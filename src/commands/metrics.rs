//! METRICS: the figures as text for Prometheus and other collectors.

use crate::engine::Arg::OptionalWord;
use crate::engine::Group::Server;
use crate::engine::tips::SHARDS_DIFFER;
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::exposition::{Exposition, Format};
use crate::figures::{
    DatabaseSize, EACH_CHANNEL_POLICY, EACH_COMMAND, EACH_DATABASE, EACH_ERROR, Reading, write_all,
    write_each,
};
use crate::resp::Request;

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::new("metrics", -1, metrics).group(Server).own_since("0.1.0").anytime().dangerous()
        .args(&[OptionalWord("OPENMETRICS")])
        .cost("O(N) where N is the number of commands, databases and policies").tips(SHARDS_DIFFER)
        .says("Returns the server's state and counters as metrics for Prometheus."),
];

fn metrics(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::of(request);
    let format = match args.takes("openmetrics") {
        true => Format::OpenMetrics,
        false => Format::Prometheus,
    };
    args.finish()?;
    let mut text = Vec::new();
    let mut out = Exposition::of(&mut text, format);
    let reading = Reading::new(ctx.state, ctx.now);
    write_all(&mut out, &reading);
    let state = reading.state;
    let commands = ctx.table.all().zip(&state.stats.commands);
    let used = commands.filter(|(_, stats)| stats.calls + stats.rejected + stats.failed > 0);
    let named = used.map(|(found, stats)| (found.command.name, stats));
    write_each(&mut out, EACH_COMMAND, "command", named);
    write_each(&mut out, EACH_ERROR, "code", state.stats.errors.iter());
    let dbs = (0..state.keyspace.db_count()).filter(|db| !state.keyspace.is_empty(*db));
    let sizes: Vec<_> =
        dbs.map(|db| (db.to_string(), DatabaseSize::of(&state.keyspace, db))).collect();
    write_each(&mut out, EACH_DATABASE, "db", sizes.iter().map(|(db, size)| (db, size)));
    let policies = state.channel_policies.iter();
    let named =
        policies.map(|ranked| (String::from_utf8_lossy(&ranked.policy.name), &ranked.counts));
    write_each(&mut out, EACH_CHANNEL_POLICY, "policy", named);
    out.end();
    ctx.reply.verbatim(&text);
    Ok(())
}
