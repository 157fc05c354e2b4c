//! INFO: the broker's state and counters as text. <https://redis.io/docs/latest/commands/info/>
//!
//! The field names are Redis', for programs that parse them. The values are figures (`figures/`). A
//! field about a feature that does not exist here (replicas, snapshots) has the value of a Redis that
//! does not use it.

use crate::clients::Client;
use crate::engine::Arg::OptionalMany;
use crate::engine::Group::Server;
use crate::engine::syntax::ALL_CLIENTS;
use crate::engine::tips::SHARDS_DIFFER;
use crate::engine::{Command, CommandError, Context, Table, is_word};
use crate::figures::{
    self, DatabaseSize, EACH_CHANNEL_POLICY, EACH_COMMAND, EACH_DATABASE, EACH_ERROR, Each, Figure,
    Reading, Value, named,
};
use crate::resp::{REDIS_VERSION, Request};
use crate::state::State;
use std::collections::HashSet;
use std::fmt::{Display, Write};

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::new("info", -1, info).group(Server).since("1.0.0").anytime().dangerous()
        .args(&[OptionalMany("section")]).cost(ALL_CLIENTS).tips(SHARDS_DIFFER)
        .says("Returns the server's state and counters."),
];

/// One section of the text.
struct Section {
    title: &'static str,
    /// Whether INFO without arguments shows it.
    is_default: bool,
    lines: &'static [Line],
}

const fn section(title: &'static str, lines: &'static [Line]) -> Section {
    Section { title, is_default: true, lines }
}

/// A part of a section.
enum Line {
    /// A figure under this name.
    Figure(&'static str, &'static Figure),
    /// All figures of a table.
    All(&'static [Figure]),
    /// A number of bytes, and again in human-readable form.
    Bytes(&'static Figure),
    /// A ratio, with a percent sign.
    Percent(&'static Figure),
    /// The same value under each of these names, for features that do not exist here.
    Fixed(&'static str, &'static [&'static str]),
    /// Lines shown only under a condition.
    If(fn(&State) -> bool, &'static [Line]),
    /// Fields that are not figures, or figures of each of several things.
    Written(fn(&mut Text, &Reading<'_>)),
}

use Line::{All, Fixed, If, Percent, Written};

/// A figure under its own name.
const fn figure(name: &'static str) -> Line {
    Line::Figure(name, named(name))
}

/// A figure under another name.
const fn renamed(name: &'static str, figure: &'static str) -> Line {
    Line::Figure(name, named(figure))
}

const fn bytes(name: &'static str) -> Line {
    Line::Bytes(named(name))
}

const fn zeros(names: &'static [&'static str]) -> Line {
    Fixed("0", names)
}

/// All sections in their order.
static SECTIONS: &[Section] = &[
    section("Server", SERVER),
    section("Clients", CLIENTS),
    section("Memory", MEMORY),
    section("Persistence", PERSISTENCE),
    section("Stats", STATS),
    section("Replication", REPLICATION),
    section("CPU", CPU),
    section("Modules", &[]),
    Section { is_default: false, ..section("Commandstats", &[Written(commandstats)]) },
    section("Errorstats", &[Written(errorstats)]),
    Section { is_default: false, ..section("Latencystats", &[Written(latencystats)]) },
    section("Cluster", &[zeros(&["cluster_enabled"])]),
    section("Keyspace", &[Written(keyspace)]),
    section("Queues", &[All(figures::QUEUES), All(figures::QUEUE_SUMS)]),
    section("Channels", CHANNELS),
];

#[rustfmt::skip]
static SERVER: &[Line] = &[
    Fixed(REDIS_VERSION, &["redis_version"]), Fixed("tidegate", &["server_name"]), figure("tidegate_version"),
    Fixed("00000000", &["redis_git_sha1"]), zeros(&["redis_git_dirty", "redis_build_id"]),
    Fixed("standalone", &["redis_mode"]), figure("os"), figure("arch_bits"),
    Fixed("POSIX clock_gettime", &["monotonic_clock"]), figure("multiplexing_api"),
    // For a C program; the second is what a program not compiled by GCC reports.
    Fixed("c11-builtin", &["atomicvar_api"]), Fixed("0.0.0", &["gcc_version"]),
    figure("process_id"), figure("process_supervised"), figure("run_id"), figure("tcp_port"),
    figure("server_time_usec"), figure("uptime_in_seconds"), figure("uptime_in_days"),
    Fixed("10", &["hz", "configured_hz"]), figure("lru_clock"), figure("executable"), figure("config_file"),
    zeros(&["io_threads_active"]), Written(listeners),
];

#[rustfmt::skip]
static CLIENTS: &[Line] = &[
    figure("connected_clients"), zeros(&["cluster_connections"]), figure("maxclients"), Written(longest_buffers),
    figure("blocked_clients"), zeros(&["tracking_clients"]), figure("clients_in_timeout_table"),
    Written(blocking_keys), zeros(&["total_blocking_keys_on_nokey"]), figure("unauthenticated_clients"),
];

/// The allocator's sizes are those of a Redis whose allocator reports nothing: it holds all the
/// process' memory, and has allocated the counted memory.
#[rustfmt::skip]
static MEMORY: &[Line] = &[
    bytes("used_memory"), bytes("used_memory_rss"), bytes("used_memory_peak"),
    Percent(named("used_memory_peak_perc")), figure("used_memory_overhead"), figure("used_memory_startup"),
    figure("used_memory_dataset"), Percent(named("used_memory_dataset_perc")),
    renamed("allocator_allocated", "used_memory"), renamed("allocator_active", "used_memory_rss"),
    renamed("allocator_resident", "used_memory_rss"), bytes("total_system_memory"),
    zeros(&["used_memory_lua", "used_memory_vm_eval"]), Fixed("0B", &["used_memory_lua_human"]),
    zeros(&["used_memory_scripts_eval", "number_of_cached_scripts", "number_of_functions"]),
    zeros(&["number_of_libraries", "used_memory_vm_functions", "used_memory_vm_total"]),
    Fixed("0B", &["used_memory_vm_total_human"]), zeros(&["used_memory_functions", "used_memory_scripts"]),
    Fixed("0B", &["used_memory_scripts_human"]), bytes("maxmemory"), Fixed("noeviction", &["maxmemory_policy"]),
    renamed("allocator_frag_ratio", "mem_fragmentation_ratio"), figure("allocator_frag_bytes"),
    Fixed("1.00", &["allocator_rss_ratio"]), zeros(&["allocator_rss_bytes"]),
    Fixed("1.00", &["rss_overhead_ratio"]), zeros(&["rss_overhead_bytes"]),
    figure("mem_fragmentation_ratio"), figure("mem_fragmentation_bytes"),
    zeros(&["mem_not_counted_for_evict"]), figure("mem_replication_backlog"),
    renamed("mem_total_replication_buffers", "mem_replication_backlog"),
    zeros(&["mem_clients_slaves"]), figure("mem_clients_normal"),
    zeros(&["mem_cluster_links", "mem_aof_buffer"]), figure("mem_allocator"),
    zeros(&["active_defrag_running", "lazyfree_pending_objects", "lazyfreed_objects"]),
];

#[rustfmt::skip]
static PERSISTENCE: &[Line] = &[
    figure("loading"), zeros(&["async_loading", "current_cow_peak", "current_cow_size", "current_cow_size_age"]),
    Fixed("0.00", &["current_fork_perc"]), zeros(&["current_save_keys_processed", "current_save_keys_total"]),
    // Counted since the start, without snapshots.
    figure("rdb_changes_since_last_save"), figure("rdb_bgsave_in_progress"),
    figure("rdb_last_save_time"), figure("rdb_last_bgsave_status"),
    figure("rdb_last_bgsave_time_sec"), figure("rdb_current_bgsave_time_sec"), figure("rdb_saves"),
    zeros(&["rdb_last_cow_size", "rdb_last_load_keys_expired", "rdb_last_load_keys_loaded"]),
    figure("aof_enabled"), figure("aof_rewrite_in_progress"), figure("aof_rewrite_scheduled"),
    figure("aof_last_rewrite_time_sec"), figure("aof_current_rewrite_time_sec"),
    figure("aof_last_bgrewrite_status"), figure("aof_rewrites"), figure("aof_rewrites_consecutive_failures"),
    figure("aof_last_write_status"),
    If(|state| state.persistence.is_on, &[
        figure("aof_current_size"), figure("aof_base_size"), zeros(&["aof_pending_rewrite"]),
        figure("aof_buffer_length"), figure("aof_pending_bio_fsync"), figure("aof_delayed_fsync"),
    ]),
    zeros(&["aof_last_cow_size", "module_fork_in_progress", "module_fork_last_cow_size"]),
    If(|state| state.persistence.loading.is_some(), &[
        figure("loading_start_time"), figure("loading_total_bytes"), figure("loading_loaded_bytes"),
        figure("loading_loaded_perc"), figure("loading_eta_seconds"),
    ]),
];

#[rustfmt::skip]
static STATS: &[Line] = &[
    figure("total_connections_received"), figure("total_commands_processed"), figure("instantaneous_ops_per_sec"),
    figure("total_net_input_bytes"), figure("total_net_output_bytes"),
    zeros(&["total_net_repl_input_bytes", "total_net_repl_output_bytes"]),
    figure("instantaneous_input_kbps"), figure("instantaneous_output_kbps"),
    Fixed("0.00", &["instantaneous_input_repl_kbps", "instantaneous_output_repl_kbps"]),
    figure("eventloop_cycles"), figure("eventloop_duration_sum"), figure("eventloop_duration_max"),
    figure("rejected_connections"), figure("sync_full"), figure("sync_partial_ok"), figure("sync_partial_err"),
    figure("expired_keys"), Fixed("0.00", &["expired_stale_perc"]),
    zeros(&["expired_time_cap_reached_count", "expire_cycle_cpu_milliseconds"]),
    zeros(&["evicted_keys", "evicted_clients", "total_eviction_exceeded_time"]),
    zeros(&["current_eviction_exceeded_time"]), figure("keyspace_hits"), figure("keyspace_misses"),
    figure("pubsub_channels"), figure("pubsub_patterns"), figure("pubsubshard_channels"),
    zeros(&["latest_fork_usec", "total_forks", "migrate_cached_sockets"]),
    zeros(&["slave_expires_tracked_keys", "active_defrag_hits", "active_defrag_misses"]),
    zeros(&["active_defrag_key_hits", "active_defrag_key_misses"]),
    zeros(&["total_active_defrag_time", "current_active_defrag_time"]),
    zeros(&["tracking_total_keys", "tracking_total_items", "tracking_total_prefixes"]),
    zeros(&["unexpected_error_replies"]), figure("total_error_replies"), zeros(&["dump_payload_sanitizations"]),
    figure("total_reads_processed"), figure("total_writes_processed"),
    zeros(&["io_threaded_reads_processed", "io_threaded_writes_processed"]),
    zeros(&["reply_buffer_shrinks", "reply_buffer_expands"]),
    figure("client_query_buffer_limit_disconnections"), figure("client_output_buffer_limit_disconnections"),
    figure("tls_failed_connections"),
    figure("acl_access_denied_auth"), figure("acl_access_denied_cmd"),
    figure("acl_access_denied_key"), figure("acl_access_denied_channel"),
    // Not in Redis.
    figure("auth_delayed"), figure("auth_delay_addresses"), figure("unauthenticated_timeout_disconnections"),
    figure("unauthenticated_errors_disconnections"), figure("unauthenticated_clients_displaced"),
    figure("write_ack_pending_turns"), figure("write_ack_held_replies"), figure("write_ack_timed_out_replies"),
];

#[rustfmt::skip]
static REPLICATION: &[Line] = &[
    figure("role"),
    If(|state| state.replication.is_replica(), &[
        Written(link), figure("master_last_io_seconds_ago"), Written(sync_in_progress),
        renamed("slave_read_repl_offset", "master_repl_offset"), renamed("slave_repl_offset", "master_repl_offset"),
        If(|state| state.replication.link.as_ref().is_some_and(|link| !link.is_up()),
            &[figure("master_link_down_since_seconds")]),
        Written(as_replica), Fixed("1", &["slave_read_only"]), Written(announced), figure("replica_left_out"),
    ]),
    figure("connected_slaves"), Written(good_replicas), Written(replicas), Fixed("no-failover", &["master_failover_state"]),
    figure("master_replid"), figure("master_replid2"), figure("master_repl_offset"), figure("second_repl_offset"),
    figure("repl_backlog_active"), figure("repl_backlog_size"), figure("repl_backlog_first_byte_offset"),
    figure("repl_backlog_histlen"),
];

#[rustfmt::skip]
static CPU: &[Line] = &[
    figure("used_cpu_sys"), figure("used_cpu_user"),
    Fixed("0.000000", &["used_cpu_sys_children", "used_cpu_user_children"]),
    figure("used_cpu_sys_main_thread"), figure("used_cpu_user_main_thread"),
];

/// Effects of channel policies on slow subscribers. Not in Redis.
#[rustfmt::skip]
static CHANNELS: &[Line] = &[
    figure("channel_policies"), figure("channel_messages_dropped_oldest"),
    figure("channel_messages_dropped_newest"), figure("channel_subscribers_disconnected"),
    Written(channel_policies),
];

impl Section {
    /// Whether an argument of INFO names this section.
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
    let reading = Reading::new(ctx.state, ctx.now);
    let mut text = Text { text: String::new(), table: ctx.table };
    for section in SECTIONS {
        let is_wanted = match request.len() {
            1 => section.is_default,
            _ => request.args_from(1).any(|arg| section.is_named(arg)),
        };
        if is_wanted {
            text.title(section.title);
            text.lines(section.lines, &reading);
        }
    }
    ctx.reply.verbatim(text.text.as_bytes());
    Ok(())
}

/// The text of INFO while it is built.
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
        self.text.push_str("# ");
        self.text.push_str(title);
        self.text.push_str("\r\n");
    }

    fn lines(&mut self, lines: &[Line], reading: &Reading<'_>) {
        for line in lines {
            match line {
                Line::Figure(name, figure) => self.field(name, (figure.read)(reading)),
                All(figures) => {
                    figures
                        .iter()
                        .for_each(|figure| self.field(figure.name, (figure.read)(reading)));
                }
                Line::Bytes(figure) => {
                    let value = (figure.read)(reading);
                    self.field(figure.name, &value);
                    if let Value::Count(bytes) = value {
                        self.field(format_args!("{}_human", figure.name), human_bytes(bytes));
                    }
                }
                Percent(figure) => {
                    self.field(figure.name, format_args!("{}%", (figure.read)(reading)));
                }
                Fixed(value, names) => names.iter().for_each(|name| self.field(name, value)),
                If(is_so, lines) if is_so(reading.state) => self.lines(lines, reading),
                If(..) => {}
                Written(write) => write(self, reading),
            }
        }
    }

    fn field(&mut self, name: impl Display, value: impl Display) {
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{name}:{value}\r\n");
    }
}

/// Figures of one thing as `name=value`, separated by commas.
fn joined<T>(figures: &[Each<T>], of: &T) -> String {
    let mut text = String::new();
    for figure in figures {
        let comma = if text.is_empty() { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}{}={}", figure.name, (figure.read)(of));
    }
    text
}

/// Returns a number of bytes with its unit, as Redis shows it.
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

/// The listening addresses, as in the settings.
fn listeners(text: &mut Text, reading: &Reading<'_>) {
    let settings = &reading.state.settings;
    let binds: String = settings.bind.iter().map(|address| format!("bind={address},")).collect();
    let tcp = Some(format!("name=tcp,{binds}port={}", settings.port));
    let unix = settings.unixsocket.as_ref();
    let unix = unix.map(|path| format!("name=unix,bind={}", path.display()));
    let tls = Some(format!("name=tls,{binds}port={}", settings.tls.port));
    let tls = tls.filter(|_| settings.uses_tls());
    let is_tcp_off = settings.port == 0 && (unix.is_some() || tls.is_some());
    let open = tcp.filter(|_| !is_tcp_off).into_iter().chain(unix).chain(tls);
    for (number, listener) in open.enumerate() {
        text.field(format_args!("listener{number}"), listener);
    }
}

/// The longest buffers of any client. Not a figure, since it visits all clients.
fn longest_buffers(text: &mut Text, reading: &Reading<'_>) {
    let clients = &reading.state.clients;
    let input_max = clients.iter().map(|client| client.input.capacity()).max();
    let output_max = clients.iter().map(|client| client.outbox().len()).max();
    text.field("client_recent_max_input_buffer", input_max.unwrap_or(0));
    text.field("client_recent_max_output_buffer", output_max.unwrap_or(0));
}

/// The number of keys that clients wait for. Not a figure, since it visits all clients.
fn blocking_keys(text: &mut Text, reading: &Reading<'_>) {
    let clients = reading.state.clients.iter();
    let waits = clients.filter_map(Client::wait);
    let for_keys = waits.filter(|wait| wait.wants.is_for_keys());
    let waited = for_keys.map(|wait| wait.keys.iter().map(|key| (wait.db, key)));
    text.field("total_blocking_keys", waited.flatten().collect::<HashSet<_>>().len());
}

fn commandstats(text: &mut Text, reading: &Reading<'_>) {
    let table = text.table;
    for (found, stats) in table.all().zip(&reading.state.stats.commands) {
        if stats.calls == 0 && stats.rejected == 0 && stats.failed == 0 {
            continue;
        }
        text.field(format_args!("cmdstat_{}", found.command.name), joined(EACH_COMMAND, stats));
    }
}

fn latencystats(text: &mut Text, reading: &Reading<'_>) {
    let state = reading.state;
    let percentiles = || state.settings.latency_percentiles.split(' ').filter(|p| !p.is_empty());
    let table = text.table;
    for (found, latencies) in table.all().zip(&state.stats.latencies) {
        if latencies.total() == 0 {
            continue;
        }
        let values: Vec<String> = percentiles()
            .map(|percent| {
                // The setting accepts only numbers.
                let number: f64 = percent.parse().unwrap_or(0.0);
                format!("p{number}={:.3}", latencies.percentile(number) as f64 / 1000.0)
            })
            .collect();
        let name = format!("latency_percentiles_usec_{}", found.command.name);
        text.field(name, values.join(","));
    }
}

fn errorstats(text: &mut Text, reading: &Reading<'_>) {
    for (name, count) in &reading.state.stats.errors {
        // Text of the request in an error must not add lines.
        let name: String = name.chars().map(|c| if c.is_control() { '_' } else { c }).collect();
        let name = name.replace(':', "_");
        text.field(format_args!("errorstat_{name}"), joined(EACH_ERROR, count));
    }
}

fn keyspace(text: &mut Text, reading: &Reading<'_>) {
    let keyspace = &reading.state.keyspace;
    for db in (0..keyspace.db_count()).filter(|&db| !keyspace.is_empty(db)) {
        let figures = joined(EACH_DATABASE, &DatabaseSize::of(keyspace, db));
        // Redis' avg_ttl is a sample from its expiry cycle, 0 before the first. There is no cycle here.
        text.field(format_args!("db{db}"), format_args!("{figures},avg_ttl=0"));
    }
}

/// The primary of a replica, and whether its stream comes.
fn link(text: &mut Text, reading: &Reading<'_>) {
    let Some(link) = &reading.state.replication.link else { return };
    text.field("master_host", &link.primary.host);
    text.field("master_port", link.primary.port);
    text.field("master_link_status", if link.is_up() { "up" } else { "down" });
    if let Some(reason) = &link.stopped {
        // Not in Redis, which would go on with other data.
        // Some clients split values at commas.
        let has_meaning = |c: char| c.is_control() || c == ',' || c == '=';
        text.field("master_link_stopped", reason.replace(has_meaning, " "));
    }
}

fn sync_in_progress(text: &mut Text, reading: &Reading<'_>) {
    let link = reading.state.replication.link.as_ref();
    let is_syncing = link.is_some_and(|link| link.is_syncing());
    text.field("master_sync_in_progress", u8::from(is_syncing));
}

fn as_replica(text: &mut Text, reading: &Reading<'_>) {
    text.field("slave_priority", reading.state.settings.replication.priority);
}

fn announced(text: &mut Text, reading: &Reading<'_>) {
    text.field("replica_announced", u8::from(reading.state.settings.replication.is_announced));
}

/// How many replicas acknowledge in time, if that matters.
fn good_replicas(text: &mut Text, reading: &Reading<'_>) {
    let State { settings, acknowledged, .. } = reading.state;
    let needed = &settings.acknowledgement;
    if needed.replicas_min > 0 && needed.lag_max_s > 0 {
        let count = acknowledged.count_within(needed.lag_max_s, reading.now.monotonic_us);
        text.field("min_slaves_good_slaves", count);
    }
}

/// The connected replicas. There are few.
fn replicas(text: &mut Text, reading: &Reading<'_>) {
    let State { replication, clients, .. } = reading.state;
    for (number, replica) in replication.replicas.attached().enumerate() {
        let peer = || clients.get(replica.client).map_or(String::new(), |one| one.peer.host());
        let lag_s = reading.now.monotonic_us.saturating_sub(replica.heard_us) / 1_000_000;
        text.field(
            format_args!("slave{number}"),
            format_args!(
                "ip={},port={},state={},offset={},lag={lag_s}",
                replica.ip.clone().unwrap_or_else(peer),
                replica.port,
                replica.stage.word(),
                replica.acknowledged,
            ),
        );
    }
}

fn channel_policies(text: &mut Text, reading: &Reading<'_>) {
    for ranked in reading.state.channel_policies.iter() {
        // A name has only printable characters; a colon in it would end the field's name.
        let name = String::from_utf8_lossy(&ranked.policy.name).replace(':', "_");
        text.field(
            format_args!("channel_policy_{name}"),
            joined(EACH_CHANNEL_POLICY, &ranked.counts),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::human_bytes;

    #[test]
    fn human_readable_bytes() {
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
