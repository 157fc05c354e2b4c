//! MEMORY: memory use of keys, clients and the process.

use super::info::human_bytes;
use super::value_reply;
use crate::engine::Arg::{One, OptionalNamed};
use crate::engine::Group::Server;
use crate::engine::tips::{ALL_SHARDS_SUCCEED, SHARDS_DIFFER};
use crate::engine::uses::READ;
use crate::engine::{Arguments, Command, CommandError, Context, integer, is_word};
use crate::figures::{DatabaseSize, EACH_DATABASE_BYTES, Figure, Reading, named};
use crate::keyspace::{DbIndex, Keyspace};
use crate::resp::{Output, Request};

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::container("memory", SUBCOMMANDS).group(Server).since("4.0.0")
        .says("A container for commands about memory."),
];

#[rustfmt::skip]
static SUBCOMMANDS: &[Command] = &[
    Command::new("memory|usage", -3, usage).group(Server).since("4.0.0").read_only().key(2, READ)
        .args(&[One("key"), OptionalNamed("SAMPLES", "count")])
        .says("Returns the memory used by a key and its value."),
    Command::new("memory|stats", 2, stats).group(Server).since("4.0.0").tips(SHARDS_DIFFER)
        .says("Returns the memory used, by purpose."),
    Command::new("memory|doctor", 2, doctor).group(Server).since("4.0.0").tips(SHARDS_DIFFER)
        .says("Reports unusual memory use."),
    Command::new("memory|purge", 2, purge).group(Server).since("4.0.0").tips(ALL_SHARDS_SUCCEED)
        .says("Returns unused memory to the system."),
    Command::new("memory|malloc-stats", 2, malloc_stats).group(Server).since("4.0.0")
        .tips(SHARDS_DIFFER).says("Returns statistics of the allocator."),
    Command::new("memory|help", 2, help).group(Server).since("4.0.0").anytime()
        .says("Returns help on the subcommands."),
];

fn usage(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let key = args.required()?;
    while let Some(option) = args.optional() {
        let samples = args.optional().filter(|_| is_word(option, "samples"));
        // The memory of a value is counted exactly as it changes: there is nothing to sample.
        if integer(samples.ok_or(CommandError::Syntax)?)? < 0 {
            return Err(CommandError::Syntax);
        }
    }
    match ctx.state.keyspace.key_bytes(ctx.db, key) {
        Some(bytes) => ctx.reply.count(bytes),
        None => ctx.reply.null(),
    }
    Ok(())
}

/// A value of MEMORY STATS.
enum Shown {
    Figure(&'static Figure),
    /// The value of a Redis without scripts and replicas, whose allocator reports nothing.
    Count(usize),
    Part(f64),
}

use Shown::{Count, Part};

/// A row of MEMORY STATS: its name there, and its figure.
const fn row(name: &'static str, figure: &'static str) -> (&'static str, Shown) {
    (name, Shown::Figure(named(figure)))
}

/// The rows before the maps of the databases.
static BEFORE_DATABASES: &[(&str, Shown)] = &[
    row("peak.allocated", "used_memory_peak"),
    row("total.allocated", "used_memory"),
    row("startup.allocated", "used_memory_startup"),
    ("replication.backlog", Count(0)),
    ("clients.slaves", Count(0)),
    row("clients.normal", "mem_clients_normal"),
    ("cluster.links", Count(0)),
    ("aof.buffer", Count(0)),
    ("lua.caches", Count(0)),
    ("functions.caches", Count(0)),
];

/// The rows after them. As in a Redis whose allocator reports nothing, all memory of the process counts
/// as the allocator's.
static BEHIND_DATABASES: &[(&str, Shown)] = &[
    row("overhead.total", "used_memory_overhead"),
    row("keys.count", "keys"),
    row("keys.bytes-per-key", "bytes_per_key"),
    row("dataset.bytes", "used_memory_dataset"),
    row("dataset.percentage", "used_memory_dataset_perc"),
    row("peak.percentage", "used_memory_peak_perc"),
    row("allocator.allocated", "used_memory"),
    row("allocator.active", "used_memory_rss"),
    row("allocator.resident", "used_memory_rss"),
    row("allocator-fragmentation.ratio", "mem_fragmentation_ratio"),
    row("allocator-fragmentation.bytes", "allocator_frag_bytes"),
    ("allocator-rss.ratio", Part(1.0)),
    ("allocator-rss.bytes", Count(0)),
    ("rss-overhead.ratio", Part(1.0)),
    ("rss-overhead.bytes", Count(0)),
    row("fragmentation", "mem_fragmentation_ratio"),
    row("fragmentation.bytes", "allocator_frag_bytes"),
];

fn stats(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let reading = Reading::new(ctx.state, ctx.now);
    let keyspace = &reading.state.keyspace;
    let dbs: Vec<DbIndex> = (0..keyspace.db_count()).filter(|db| !keyspace.is_empty(*db)).collect();
    ctx.reply.map(BEFORE_DATABASES.len() + dbs.len() + BEHIND_DATABASES.len());
    write_rows(ctx.reply, BEFORE_DATABASES, &reading);
    dbs.iter().for_each(|db| write_db(ctx.reply, keyspace, *db));
    write_rows(ctx.reply, BEHIND_DATABASES, &reading);
    Ok(())
}

fn write_rows(reply: &mut Output, rows: &[(&str, Shown)], reading: &Reading<'_>) {
    for (name, shown) in rows {
        reply.bulk(name.as_bytes());
        match shown {
            Shown::Figure(figure) => value_reply::write(reply, (figure.read)(reading)),
            Count(count) => reply.count(*count),
            Part(part) => reply.double(*part),
        }
    }
}

fn write_db(reply: &mut Output, keyspace: &Keyspace, db: DbIndex) {
    let size = DatabaseSize::of(keyspace, db);
    reply.bulk(format!("db.{db}").as_bytes());
    reply.map(EACH_DATABASE_BYTES.len() + 1);
    for figure in EACH_DATABASE_BYTES {
        reply.bulk(figure.name.as_bytes());
        value_reply::write(reply, (figure.read)(&size));
    }
    reply.bulk(b"overhead.hashtable.slot-to-keys");
    reply.count(0);
}

/// Nothing is reported about memory below this.
const SMALL_BYTES: usize = 5 * 1024 * 1024;

fn doctor(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let mut text = String::new();
    for finding in findings(&Reading::new(ctx.state, ctx.now)) {
        text.push_str(&format!(" * {finding}\n"));
    }
    if text.is_empty() {
        text.push_str("Nothing about this instance's memory use is unusual.\n");
    } else {
        text.insert_str(0, "Unusual memory use of this instance:\n\n");
    }
    ctx.reply.verbatim(text.as_bytes());
    Ok(())
}

fn findings(reading: &Reading<'_>) -> Vec<String> {
    let state = reading.state;
    let (used, peak) = (reading.used_bytes(), reading.peak_bytes());
    let buffers = state.clients.memory_bytes();
    let limit = state.settings.maxmemory_bytes;
    let mut findings = Vec::new();
    let mut add = |holds: bool, finding: String| {
        if holds {
            findings.push(finding);
        }
    };
    let human = |bytes: usize| human_bytes(bytes as u64);
    add(
        peak > SMALL_BYTES && peak > used.saturating_mul(3) / 2,
        format!("Peak: memory use reached {}, and is {} now.", human(peak), human(used)),
    );
    add(
        used > SMALL_BYTES && reading.fragmentation() > 1.5,
        format!(
            "Fragmentation: the process uses {} for {} of data and buffers.",
            human_bytes(reading.resident_bytes()),
            human(used)
        ),
    );
    add(
        buffers > SMALL_BYTES && buffers > used / 2,
        format!(
            "Clients: {} of {} are client buffers. CLIENT LIST shows clients that read too slowly.",
            human(buffers),
            human(used)
        ),
    );
    add(
        limit > 0 && state.used_bytes() as u64 > limit / 10 * 9,
        format!(
            "Limit: {} of maxmemory {} are used. Above it, no command can add data.",
            human(state.used_bytes()),
            human_bytes(limit)
        ),
    );
    findings
}

fn purge(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    ctx.state.host.release_memory();
    ctx.reply.ok();
    Ok(())
}

fn malloc_stats(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    ctx.reply.bulk(b"Stats not supported for the current allocator");
    Ok(())
}

fn help(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    super::help::write(
        ctx.reply,
        "MEMORY",
        &[
            "DOCTOR",
            "    Return memory problems reports.",
            "MALLOC-STATS",
            "    Return internal statistics report from the memory allocator.",
            "PURGE",
            "    Attempt to purge dirty pages for reclamation by the allocator.",
            "STATS",
            "    Return information about the memory usage of the server.",
            "USAGE <key> [SAMPLES <count>]",
            "    Return memory in bytes used by <key> and its value. Nested values are",
            "    sampled up to <count> times (default: 5, 0 means sample all).",
        ],
    );
    Ok(())
}
