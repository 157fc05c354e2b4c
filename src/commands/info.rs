//! INFO: the broker's state and counters as text. <https://redis.io/docs/latest/commands/info/>
//!
//! The names of the fields are Redis', for those who parse them. A field that stands for something
//! there is not (replicas, snapshots) has the value it has in a Redis without it.

use super::connection::REDIS_VERSION;
use crate::channels::Kind;
use crate::clients::BlockedOn;
use crate::clock::Now;
use crate::engine::Arg::OptionalMany;
use crate::engine::Group::Server;
use crate::engine::syntax::ALL_CLIENTS;
use crate::engine::tips::SHARDS_DIFFER;
use crate::engine::{Command, CommandError, Context, Table, is_word};
use crate::keyspace::COUNTS;
use crate::persistence::Persistence;
use crate::resp::Request;
use crate::settings::Supervision;
use crate::state::State;
use std::collections::HashSet;
use std::fmt::Display;

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::new("info", -1, info).group(Server).since("1.0.0").anytime().dangerous()
        .args(&[OptionalMany("section")]).cost(ALL_CLIENTS).tips(SHARDS_DIFFER)
        .says("Gives the server's state and counters."),
];

/// One section of the text.
struct Section {
    title: &'static str,
    /// Whether INFO without arguments shows it.
    is_default: bool,
    write: fn(&mut Text, &State, Now),
}

const fn section(title: &'static str, write: fn(&mut Text, &State, Now)) -> Section {
    Section { title, is_default: true, write }
}

/// All sections in their order.
static SECTIONS: &[Section] = &[
    section("Server", server),
    section("Clients", clients),
    section("Memory", memory),
    section("Persistence", persistence),
    section("Stats", stats),
    section("Replication", replication),
    section("CPU", cpu),
    section("Modules", nothing),
    Section { is_default: false, ..section("Commandstats", commandstats) },
    section("Errorstats", errorstats),
    Section { is_default: false, ..section("Latencystats", latencystats) },
    section("Cluster", cluster),
    section("Keyspace", keyspace),
    section("Queues", queues),
    section("Channels", channels),
];

impl Section {
    /// Whether an argument of INFO asks for this section.
    fn is_named(&self, arg: &[u8]) -> bool {
        is_word(arg, self.title)
            || is_word(arg, "all")
            || is_word(arg, "everything")
            || (self.is_default && is_word(arg, "default"))
            || (self.title == "Modules" && is_word(arg, "module_list"))
    }
}

fn info(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    ctx.state.stats.sample(ctx.now.monotonic_us);
    let mut text = Text { text: String::new(), table: ctx.table };
    for section in SECTIONS {
        let is_wanted = match request.len() {
            1 => section.is_default,
            _ => request.args_from(1).any(|arg| section.is_named(arg)),
        };
        if is_wanted {
            text.title(section.title);
            (section.write)(&mut text, ctx.state, ctx.now);
        }
    }
    ctx.reply.verbatim(text.text.as_bytes());
    Ok(())
}

/// The text of INFO as it grows.
struct Text {
    text: String,
    /// All commands, for their counters.
    table: &'static Table,
}

impl Text {
    fn title(&mut self, title: &str) {
        if !self.text.is_empty() {
            self.text.push_str("\r\n");
        }
        self.text.push_str(&format!("# {title}\r\n"));
    }

    fn field(&mut self, name: &str, value: impl Display) {
        self.text.push_str(&format!("{name}:{value}\r\n"));
    }

    /// Fields of things that are not there.
    fn zeros(&mut self, names: &[&str]) {
        for name in names {
            self.field(name, 0);
        }
    }

    /// A number of bytes, and once more for people.
    fn bytes(&mut self, name: &str, bytes: u64) {
        self.field(name, bytes);
        self.field(&format!("{name}_human"), human_bytes(bytes));
    }
}

/// A number of bytes with its unit, as Redis shows it.
pub(super) fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["K", "M", "G", "T", "P"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut number = bytes as f64 / 1024.0;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while number >= 1024.0
        && let Some(larger) = units.next()
    {
        number /= 1024.0;
        unit = Some(larger);
    }
    format!("{number:.2}{}", unit.unwrap_or(&""))
}

/// A part of a whole in per cent; 0 of nothing.
pub(super) fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// Resident memory against counted memory; 0 if either is unknown.
pub(super) fn fragmentation(resident_bytes: u64, used_bytes: usize) -> f64 {
    if used_bytes == 0 { 0.0 } else { resident_bytes as f64 / used_bytes as f64 }
}

fn nothing(_: &mut Text, _: &State, _: Now) {}

fn server(text: &mut Text, state: &State, now: Now) {
    let uptime_s = now.monotonic_us.saturating_sub(state.started.monotonic_us) / 1_000_000;
    let config_file = state.settings.config_file.as_ref();
    let config_file = config_file.map(|path| path.display().to_string()).unwrap_or_default();
    let poll = if cfg!(target_os = "linux") { "epoll" } else { "kqueue" };
    text.field("redis_version", REDIS_VERSION);
    text.field("server_name", "tidegate");
    text.field("tidegate_version", env!("CARGO_PKG_VERSION"));
    text.field("redis_git_sha1", "00000000");
    text.field("redis_git_dirty", 0);
    text.field("redis_build_id", 0);
    text.field("redis_mode", "standalone");
    text.field("os", format!("{} {}", os_name(), std::env::consts::ARCH));
    text.field("arch_bits", usize::BITS);
    text.field("monotonic_clock", "POSIX clock_gettime");
    text.field("multiplexing_api", poll);
    // What is asked of a C program; the second is what one says that no GCC has made.
    text.field("atomicvar_api", "c11-builtin");
    text.field("gcc_version", "0.0.0");
    text.field("process_id", std::process::id());
    let is_supervised = state.settings.supervised == Supervision::Systemd;
    text.field("process_supervised", if is_supervised { "systemd" } else { "no" });
    text.field("run_id", &state.run_id);
    text.field("tcp_port", state.settings.port);
    text.field("server_time_usec", now.unix_us);
    text.field("uptime_in_seconds", uptime_s);
    text.field("uptime_in_days", uptime_s / 86_400);
    text.field("hz", 10);
    text.field("configured_hz", 10);
    text.field("lru_clock", (now.unix_us / 1_000_000) & 0xff_ffff);
    text.field("executable", state.host.program());
    text.field("config_file", config_file);
    text.field("io_threads_active", 0);
    listeners(text, state);
}

/// What is listened on, as the settings say it.
fn listeners(text: &mut Text, state: &State) {
    let settings = &state.settings;
    let binds: String = settings.bind.iter().map(|address| format!("bind={address},")).collect();
    let tcp = Some(format!("name=tcp,{binds}port={}", settings.port));
    let unix = settings.unixsocket.as_ref();
    let unix = unix.map(|path| format!("name=unix,bind={}", path.display()));
    let is_tcp_off = settings.port == 0 && unix.is_some();
    let open = tcp.filter(|_| !is_tcp_off).into_iter().chain(unix);
    for (number, listener) in open.enumerate() {
        text.field(&format!("listener{number}"), listener);
    }
}

/// The system's name as `uname` has it.
fn os_name() -> &'static str {
    match std::env::consts::OS {
        "linux" => "Linux",
        "macos" => "Darwin",
        "freebsd" => "FreeBSD",
        other => other,
    }
}

fn clients(text: &mut Text, state: &State, _: Now) {
    let input_max = state.clients.iter().map(|client| client.input.capacity()).max();
    let output_max = state.clients.iter().map(|client| client.output().len()).max();
    text.field("connected_clients", state.clients.len());
    text.field("cluster_connections", 0);
    text.field("maxclients", state.settings.maxclients);
    text.field("client_recent_max_input_buffer", input_max.unwrap_or(0));
    text.field("client_recent_max_output_buffer", output_max.unwrap_or(0));
    text.field("blocked_clients", state.clients.blocked_count());
    text.field("tracking_clients", 0);
    text.field("clients_in_timeout_table", state.wait_deadlines.len());
    let waited = state.clients.iter().filter_map(|client| match &client.blocked.as_deref()?.on {
        BlockedOn::Keys { db, keys, .. } => Some(keys.iter().map(|key| (*db, key))),
        _ => None,
    });
    text.field("total_blocking_keys", waited.flatten().collect::<HashSet<_>>().len());
    text.field("total_blocking_keys_on_nokey", 0);
}

fn memory(text: &mut Text, state: &State, _: Now) {
    let (startup, used) = (state.startup_bytes, state.process_bytes());
    let peak = state.stats.peak_used_bytes.saturating_add(startup).max(used);
    let resident = state.host.resident_bytes();
    let dataset = state.dataset_bytes();
    text.bytes("used_memory", used as u64);
    text.bytes("used_memory_rss", resident);
    text.bytes("used_memory_peak", peak as u64);
    text.field("used_memory_peak_perc", format_args!("{:.2}%", percent(used, peak)));
    text.field("used_memory_overhead", used - dataset);
    text.field("used_memory_startup", startup);
    text.field("used_memory_dataset", dataset);
    text.field(
        "used_memory_dataset_perc",
        format_args!("{:.2}%", percent(dataset, used - startup)),
    );
    allocator_sizes(text, used as u64, resident);
    text.bytes("total_system_memory", state.host.machine_bytes());
    scripts(text);
    text.bytes("maxmemory", state.settings.maxmemory_bytes);
    text.field("maxmemory_policy", "noeviction");
    let unused = resident.saturating_sub(used as u64);
    text.field("allocator_frag_ratio", format_args!("{:.2}", fragmentation(resident, used)));
    text.field("allocator_frag_bytes", unused);
    text.field("allocator_rss_ratio", "1.00");
    text.field("allocator_rss_bytes", 0);
    text.field("rss_overhead_ratio", "1.00");
    text.field("rss_overhead_bytes", 0);
    text.field("mem_fragmentation_ratio", format_args!("{:.2}", fragmentation(resident, used)));
    text.field("mem_fragmentation_bytes", (resident as i64).saturating_sub(used as i64));
    text.zeros(&[
        "mem_not_counted_for_evict",
        "mem_replication_backlog",
        "mem_total_replication_buffers",
        "mem_clients_slaves",
    ]);
    text.field("mem_clients_normal", state.clients.memory_bytes());
    text.zeros(&["mem_cluster_links", "mem_aof_buffer"]);
    text.field("mem_allocator", state.host.allocator_name());
    text.zeros(&["active_defrag_running", "lazyfree_pending_objects", "lazyfreed_objects"]);
}

/// As Redis has it with an allocator that does not tell: all that the process has is the allocator's,
/// and what is in use is what was counted.
fn allocator_sizes(text: &mut Text, used: u64, resident: u64) {
    text.field("allocator_allocated", used);
    text.field("allocator_active", resident);
    text.field("allocator_resident", resident);
}

/// What scripts and functions take, of which there are none.
fn scripts(text: &mut Text) {
    text.zeros(&["used_memory_lua", "used_memory_vm_eval"]);
    text.field("used_memory_lua_human", human_bytes(0));
    text.zeros(&["used_memory_scripts_eval", "number_of_cached_scripts", "number_of_functions"]);
    text.zeros(&["number_of_libraries", "used_memory_vm_functions"]);
    text.bytes("used_memory_vm_total", 0);
    text.field("used_memory_functions", 0);
    text.bytes("used_memory_scripts", 0);
}

fn persistence(text: &mut Text, state: &State, now: Now) {
    let Persistence { loading, .. } = &state.persistence;
    text.field("loading", u8::from(loading.is_some()));
    text.zeros(&["async_loading", "current_cow_peak", "current_cow_size"]);
    text.field("current_cow_size_age", 0);
    text.field("current_fork_perc", "0.00");
    text.zeros(&["current_save_keys_processed", "current_save_keys_total"]);
    // Without snapshots, since the start.
    text.field("rdb_changes_since_last_save", state.keyspace.changes());
    text.field("rdb_bgsave_in_progress", 0);
    text.field("rdb_last_save_time", state.started.unix_us / 1_000_000);
    text.field("rdb_last_bgsave_status", "ok");
    text.field("rdb_last_bgsave_time_sec", -1);
    text.field("rdb_current_bgsave_time_sec", -1);
    text.zeros(&["rdb_saves", "rdb_last_cow_size", "rdb_last_load_keys_expired"]);
    text.field("rdb_last_load_keys_loaded", 0);
    append_files(text, state, now);
    text.zeros(&["aof_last_cow_size", "module_fork_in_progress", "module_fork_last_cow_size"]);
    if let Some(loading) = loading {
        text.field("loading_start_time", loading.began_unix_s);
        text.field("loading_total_bytes", loading.total_bytes);
        text.field("loading_loaded_bytes", loading.loaded_bytes);
        text.field("loading_loaded_perc", format_args!("{:.2}", loading.percent()));
        text.field("loading_eta_seconds", loading.seconds_left(now.monotonic_us).unwrap_or(1));
    }
}

fn append_files(text: &mut Text, state: &State, now: Now) {
    let persistence = &state.persistence;
    let seconds = |s: Option<u64>| s.map_or(-1, |s| s as i64);
    let current_us = persistence.rewrite_began_us.map(|us| now.monotonic_us.saturating_sub(us));
    let status = |is_bad: bool| if is_bad { "err" } else { "ok" };
    let is_beginning = persistence.is_rewriting && state.settings.appendonly;
    let is_on = persistence.is_on || is_beginning;
    text.field("aof_enabled", u8::from(is_on));
    text.field("aof_rewrite_in_progress", u8::from(persistence.is_rewriting));
    text.field("aof_rewrite_scheduled", u8::from(persistence.is_rewrite_wanted));
    text.field("aof_last_rewrite_time_sec", seconds(persistence.last_rewrite_s));
    text.field("aof_current_rewrite_time_sec", seconds(current_us.map(|us| us / 1_000_000)));
    text.field("aof_last_bgrewrite_status", status(persistence.failed_rewrites > 0));
    text.field("aof_rewrites", persistence.rewrites);
    text.field("aof_rewrites_consecutive_failures", persistence.failed_rewrites);
    text.field("aof_last_write_status", status(persistence.refusal().is_some()));
    if persistence.is_on {
        text.field("aof_current_size", persistence.current_bytes);
        text.field("aof_base_size", persistence.base_bytes);
        text.field("aof_pending_rewrite", 0);
        text.field("aof_buffer_length", persistence.pending_bytes);
        text.field("aof_pending_bio_fsync", persistence.pending_syncs);
        text.field("aof_delayed_fsync", persistence.delayed_syncs);
    }
}

fn stats(text: &mut Text, state: &State, _: Now) {
    let stats = &state.stats;
    let rates = stats.rates();
    let kilobytes = |bytes: f64| format!("{:.2}", bytes / 1024.0);
    text.field("total_connections_received", stats.connections_received);
    text.field("total_commands_processed", stats.commands_processed);
    text.field("instantaneous_ops_per_sec", rates.commands as u64);
    text.field("total_net_input_bytes", stats.input_bytes);
    text.field("total_net_output_bytes", stats.output_bytes);
    text.zeros(&["total_net_repl_input_bytes", "total_net_repl_output_bytes"]);
    text.field("instantaneous_input_kbps", kilobytes(rates.input_bytes));
    text.field("instantaneous_output_kbps", kilobytes(rates.output_bytes));
    text.field("instantaneous_input_repl_kbps", "0.00");
    text.field("instantaneous_output_repl_kbps", "0.00");
    text.field("eventloop_cycles", stats.turns);
    text.field("eventloop_duration_sum", stats.turn_usec);
    text.field("eventloop_duration_max", stats.turn_longest_usec);
    text.field("rejected_connections", stats.connections_rejected);
    text.zeros(&["sync_full", "sync_partial_ok", "sync_partial_err"]);
    let expired = state.keyspace.expired_count();
    text.field("expired_keys", expired.saturating_sub(stats.expired_before));
    text.field("expired_stale_perc", "0.00");
    text.zeros(&["expired_time_cap_reached_count", "expire_cycle_cpu_milliseconds"]);
    text.zeros(&["evicted_keys", "evicted_clients", "total_eviction_exceeded_time"]);
    text.field("current_eviction_exceeded_time", 0);
    text.field("keyspace_hits", stats.keyspace_hits);
    text.field("keyspace_misses", stats.keyspace_misses);
    text.field("pubsub_channels", state.channels.len(Kind::Channel));
    text.field("pubsub_patterns", state.channels.len(Kind::Pattern));
    text.field("pubsubshard_channels", state.channels.len(Kind::Shard));
    text.zeros(&["latest_fork_usec", "total_forks", "migrate_cached_sockets"]);
    text.zeros(&["slave_expires_tracked_keys", "active_defrag_hits", "active_defrag_misses"]);
    text.zeros(&["active_defrag_key_hits", "active_defrag_key_misses"]);
    text.zeros(&["total_active_defrag_time", "current_active_defrag_time"]);
    text.zeros(&["tracking_total_keys", "tracking_total_items", "tracking_total_prefixes"]);
    text.field("unexpected_error_replies", 0);
    text.field("total_error_replies", stats.error_replies);
    text.field("dump_payload_sanitizations", 0);
    text.field("total_reads_processed", stats.reads);
    text.field("total_writes_processed", stats.writes);
    text.zeros(&["io_threaded_reads_processed", "io_threaded_writes_processed"]);
    text.zeros(&["reply_buffer_shrinks", "reply_buffer_expands"]);
    text.field("client_query_buffer_limit_disconnections", stats.closed_by_query_limit);
    text.field("client_output_buffer_limit_disconnections", stats.closed_by_output_limit);
    text.field("acl_access_denied_auth", stats.denied);
    text.zeros(&["acl_access_denied_cmd", "acl_access_denied_key", "acl_access_denied_channel"]);
}

fn replication(text: &mut Text, state: &State, _: Now) {
    text.field("role", "master");
    text.field("connected_slaves", 0);
    text.field("master_failover_state", "no-failover");
    // Nobody follows, so that the run and its history of changes are the same thing.
    text.field("master_replid", &state.run_id);
    text.field("master_replid2", "0".repeat(40));
    text.field("master_repl_offset", 0);
    text.field("second_repl_offset", -1);
    text.field("repl_backlog_active", 0);
    text.field("repl_backlog_size", 1_048_576);
    text.zeros(&["repl_backlog_first_byte_offset", "repl_backlog_histlen"]);
}

fn cpu(text: &mut Text, state: &State, _: Now) {
    let (system_us, user_us) = state.host.cpu_us();
    let seconds = |us: u64| format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    text.field("used_cpu_sys", seconds(system_us));
    text.field("used_cpu_user", seconds(user_us));
    text.field("used_cpu_sys_children", seconds(0));
    text.field("used_cpu_user_children", seconds(0));
    let (system_us, user_us) = state.host.thread_cpu_us();
    text.field("used_cpu_sys_main_thread", seconds(system_us));
    text.field("used_cpu_user_main_thread", seconds(user_us));
}

fn commandstats(text: &mut Text, state: &State, _: Now) {
    let table = text.table;
    for (found, stats) in table.all().zip(&state.stats.commands) {
        if stats.calls == 0 && stats.rejected == 0 && stats.failed == 0 {
            continue;
        }
        let per_call = if stats.calls == 0 { 0.0 } else { stats.usec as f64 / stats.calls as f64 };
        let value = format!(
            "calls={},usec={},usec_per_call={per_call:.2},rejected_calls={},failed_calls={}",
            stats.calls, stats.usec, stats.rejected, stats.failed
        );
        text.field(&format!("cmdstat_{}", found.command.name), value);
    }
}

fn latencystats(text: &mut Text, state: &State, _: Now) {
    let percentiles = || state.settings.latency_percentiles.split(' ').filter(|p| !p.is_empty());
    let table = text.table;
    for (found, latencies) in table.all().zip(&state.stats.latencies) {
        if latencies.total() == 0 {
            continue;
        }
        let values: Vec<String> = percentiles()
            .map(|percent| {
                // The setting takes only numbers.
                let number: f64 = percent.parse().unwrap_or(0.0);
                format!("p{number}={:.3}", latencies.percentile(number) as f64 / 1000.0)
            })
            .collect();
        let name = format!("latency_percentiles_usec_{}", found.command.name);
        text.field(&name, values.join(","));
    }
}

fn errorstats(text: &mut Text, state: &State, _: Now) {
    for (name, count) in &state.stats.errors {
        // What an error echoes must not make lines of its own.
        let name: String = name.chars().map(|c| if c.is_control() { '_' } else { c }).collect();
        text.field(&format!("errorstat_{}", name.replace(':', "_")), format!("count={count}"));
    }
}

fn cluster(text: &mut Text, _: &State, _: Now) {
    text.field("cluster_enabled", 0);
}

fn keyspace(text: &mut Text, state: &State, _: Now) {
    let keyspace = &state.keyspace;
    for db in (0..keyspace.db_count()).filter(|&db| !keyspace.is_empty(db)) {
        let (keys, expires) = (keyspace.len(db), keyspace.expiring_len(db));
        // Redis' avg_ttl is a sample of its expiry cycle, 0 before the first; there is no cycle.
        text.field(&format!("db{db}"), format!("keys={keys},expires={expires},avg_ttl=0"));
    }
}

/// What has happened to the messages of queues under policies. Not in Redis.
fn queues(text: &mut Text, state: &State, _: Now) {
    let keyspace = &state.keyspace;
    text.field("queue_policies", keyspace.policies().iter().len());
    text.field("queue_in_flight", keyspace.in_flight_len());
    for (name, count) in COUNTS {
        text.field(&format!("queue_{}", name.replace('-', "_")), count(keyspace.queue_sums()));
    }
}

/// What channel policies have done to slow subscribers. Not in Redis.
fn channels(text: &mut Text, state: &State, _: Now) {
    let policies = &state.channel_policies;
    let sums = policies.sums();
    text.field("channel_policies", policies.iter().len());
    text.field("channel_messages_dropped_oldest", sums.dropped_oldest);
    text.field("channel_messages_dropped_newest", sums.dropped_newest);
    text.field("channel_subscribers_disconnected", sums.disconnected);
    for ranked in policies.iter() {
        // A name has printable characters only; a colon in it would end the field's name.
        let name = String::from_utf8_lossy(&ranked.policy.name).replace(':', "_");
        let counts = ranked.counts;
        let value = format!(
            "dropped_oldest={},dropped_newest={},disconnected={}",
            counts.dropped_oldest, counts.dropped_newest, counts.disconnected
        );
        text.field(&format!("channel_policy_{name}"), value);
    }
}

#[cfg(test)]
mod tests {
    use super::human_bytes;

    #[test]
    fn bytes_for_people() {
        let cases: &[(u64, &str)] = &[
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (1_533_512, "1.46M"),
            (25_276_510_208, "23.54G"),
            (u64::MAX, "16384.00P"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(human_bytes(*bytes), *expected);
        }
    }
}
