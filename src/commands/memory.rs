//! MEMORY: what keys, clients and the process take.

use super::info::{fragmentation, human_bytes, percent};
use crate::engine::Arg::{One, OptionalNamed};
use crate::engine::Group::Server;
use crate::engine::tips::{ALL_SHARDS_SUCCEED, SHARDS_DIFFER};
use crate::engine::uses::READ;
use crate::engine::{Arguments, Command, CommandError, Context, integer, is_word};
use crate::keyspace::{DbIndex, Keyspace};
use crate::resp::{Output, Request};
use crate::state::State;

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::container("memory", SUBCOMMANDS).group(Server).since("4.0.0")
        .says("A container for commands about memory."),
];

#[rustfmt::skip]
static SUBCOMMANDS: &[Command] = &[
    Command::new("memory|usage", -3, usage).group(Server).since("4.0.0").read_only().key(2, READ)
        .args(&[One("key"), OptionalNamed("SAMPLES", "count")])
        .says("Gives the memory that a key and its value take."),
    Command::new("memory|stats", 2, stats).group(Server).since("4.0.0").tips(SHARDS_DIFFER)
        .says("Gives what memory is used for."),
    Command::new("memory|doctor", 2, doctor).group(Server).since("4.0.0").tips(SHARDS_DIFFER)
        .says("Says what is unusual about the memory."),
    Command::new("memory|purge", 2, purge).group(Server).since("4.0.0").tips(ALL_SHARDS_SUCCEED)
        .says("Gives spare memory back to the system."),
    Command::new("memory|malloc-stats", 2, malloc_stats).group(Server).since("4.0.0")
        .tips(SHARDS_DIFFER).says("Gives what the allocator tells of itself."),
    Command::new("memory|help", 2, help).group(Server).since("4.0.0").anytime()
        .says("Explains the subcommands."),
];

fn usage(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let key = args.required()?;
    while let Some(option) = args.optional() {
        let samples = args.optional().filter(|_| is_word(option, "samples"));
        // The whole value is counted as it changes: there is nothing to sample.
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
enum Figure {
    Count(usize),
    Part(f64),
}

use Figure::{Count, Part};

impl Figure {
    fn write(self, reply: &mut Output) {
        match self {
            Count(count) => reply.count(count),
            Part(part) => reply.double(part),
        }
    }
}

/// How many of them are of the buffers, and come before those of each database.
const BUFFER_FIGURES: usize = 10;

fn stats(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let keyspace = &ctx.state.keyspace;
    let dbs: Vec<DbIndex> = (0..keyspace.db_count()).filter(|db| !keyspace.is_empty(*db)).collect();
    let figures = figures(ctx.state);
    ctx.reply.map(figures.len() + dbs.len());
    for (index, (name, figure)) in figures.into_iter().enumerate() {
        if index == BUFFER_FIGURES {
            dbs.iter().for_each(|db| write_db(ctx.reply, keyspace, *db));
        }
        ctx.reply.bulk(name.as_bytes());
        figure.write(ctx.reply);
    }
    Ok(())
}

fn write_db(reply: &mut Output, keyspace: &Keyspace, db: DbIndex) {
    let figures = [
        ("overhead.hashtable.main", keyspace.db_table_bytes(db)),
        ("overhead.hashtable.expires", keyspace.db_expiry_bytes(db)),
        ("overhead.hashtable.slot-to-keys", 0),
    ];
    reply.bulk(format!("db.{db}").as_bytes());
    reply.map(figures.len());
    for (name, bytes) in figures {
        reply.bulk(name.as_bytes());
        reply.count(bytes);
    }
}

fn figures(state: &State) -> [(&'static str, Figure); 27] {
    let (startup, used) = (state.startup_bytes, state.process_bytes());
    let peak = state.stats.peak_used_bytes.saturating_add(startup).max(used);
    let dataset = state.dataset_bytes();
    let keys: usize = (0..state.keyspace.db_count()).map(|db| state.keyspace.len(db)).sum();
    let resident = state.host.resident_bytes();
    // As Redis has it with an allocator that does not tell: all that the process has is its.
    let active = usize::try_from(resident).unwrap_or(usize::MAX);
    let unused = active.saturating_sub(used);
    let ratio = fragmentation(resident, used);
    [
        ("peak.allocated", Count(peak)),
        ("total.allocated", Count(used)),
        ("startup.allocated", Count(startup)),
        ("replication.backlog", Count(0)),
        ("clients.slaves", Count(0)),
        ("clients.normal", Count(state.clients.memory_bytes())),
        ("cluster.links", Count(0)),
        ("aof.buffer", Count(0)),
        ("lua.caches", Count(0)),
        ("functions.caches", Count(0)),
        ("overhead.total", Count(used - dataset)),
        ("keys.count", Count(keys)),
        ("keys.bytes-per-key", Count(state.keyspace.bytes().checked_div(keys).unwrap_or(0))),
        ("dataset.bytes", Count(dataset)),
        ("dataset.percentage", Part(percent(dataset, used - startup))),
        ("peak.percentage", Part(percent(used, peak))),
        ("allocator.allocated", Count(used)),
        ("allocator.active", Count(active)),
        ("allocator.resident", Count(active)),
        ("allocator-fragmentation.ratio", Part(ratio)),
        ("allocator-fragmentation.bytes", Count(unused)),
        ("allocator-rss.ratio", Part(1.0)),
        ("allocator-rss.bytes", Count(0)),
        ("rss-overhead.ratio", Part(1.0)),
        ("rss-overhead.bytes", Count(0)),
        ("fragmentation", Part(ratio)),
        ("fragmentation.bytes", Count(unused)),
    ]
}

/// Below this nothing about the memory is worth a word.
const SMALL_BYTES: usize = 5 * 1024 * 1024;

fn doctor(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let mut text = String::new();
    for finding in findings(ctx.state) {
        text.push_str(&format!(" * {finding}\n"));
    }
    if text.is_empty() {
        text.push_str("Nothing about the memory of this instance is unusual.\n");
    } else {
        text.insert_str(0, "This is unusual about the memory of this instance:\n\n");
    }
    ctx.reply.verbatim(text.as_bytes());
    Ok(())
}

fn findings(state: &State) -> Vec<String> {
    let used = state.process_bytes();
    let peak = state.stats.peak_used_bytes.saturating_add(state.startup_bytes).max(used);
    let buffers = state.clients.memory_bytes();
    let resident = state.host.resident_bytes();
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
        format!("Peak: at most {} were used, now {}.", human(peak), human(used)),
    );
    add(
        used > SMALL_BYTES && fragmentation(resident, used) > 1.5,
        format!(
            "Fragmentation: the process takes {} for {} of data and buffers.",
            human_bytes(resident),
            human(used)
        ),
    );
    add(
        buffers > SMALL_BYTES && buffers > used / 2,
        format!(
            "Clients: {} of {} are buffers of clients. CLIENT LIST shows who reads too slowly.",
            human(buffers),
            human(used)
        ),
    );
    add(
        limit > 0 && state.used_bytes() as u64 > limit / 10 * 9,
        format!(
            "Limit: {} of maxmemory {} are used. Above it no command may add data.",
            human(state.used_bytes()),
            human_bytes(limit)
        ),
    );
    findings
}

fn purge(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    ctx.state.host.give_memory_back();
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
