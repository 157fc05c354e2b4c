use super::{
    EACH_CHANNEL_POLICY, EACH_COMMAND, EACH_DATABASE, EACH_ERROR, EACH_QUEUE, EACH_QUEUE_COUNTS,
    Family, Figure, HISTOGRAMS, Kind, Reading, Unit, Value, all, families, write_all, write_each,
};
use crate::acl::Catalogue;
use crate::clock::Now;
use crate::exposition::{Exposition, Format, MetricType};
use crate::host::NoHost;
use crate::settings::Settings;
use crate::state::State;
use crate::stats::CommandStats;
use std::collections::BTreeSet;

/// Names are valid metric names, and helps are one sentence.
fn check_row<R>(figure: &Figure<R>) {
    let Figure { name, kind, unit, help, .. } = figure;
    assert!(name.starts_with(|c: char| c.is_ascii_lowercase()), "{name}");
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
    assert!(name.chars().all(is_plain), "{name}");
    assert!(help.starts_with(|c: char| c.is_ascii_uppercase()), "{name}: {help}");
    assert!(help.ends_with('.') && !help.contains(['\n', '\\']), "{name}: {help}");
    assert!(!help.trim_end_matches('.').contains(". "), "{name}: more than a sentence");
    assert_eq!(*kind == Kind::Text, *unit == Unit::None, "{name}");
}

#[test]
fn rows_are_well_formed() {
    let mut names = BTreeSet::new();
    for figure in all() {
        check_row(figure);
        assert!(names.insert(figure.name), "two figures are named {}", figure.name);
    }
    EACH_COMMAND.iter().for_each(check_row);
    EACH_ERROR.iter().for_each(check_row);
    EACH_DATABASE.iter().for_each(check_row);
    EACH_CHANNEL_POLICY.iter().for_each(check_row);
    EACH_QUEUE.iter().chain(EACH_QUEUE_COUNTS).for_each(check_row);
}

/// Names follow the conventions of Prometheus: a counter ends with `_total`, and the unit is in the name.
#[test]
fn metrics_are_named_as_is_usual() {
    let mut names = BTreeSet::new();
    for Family { name, kind, help, .. } in families() {
        let is_plain = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(name.chars().all(is_plain), "{name}");
        assert!(names.insert(name), "two metrics are named {name}");
        assert_eq!(name.ends_with("_total"), kind == MetricType::Counter, "{name}");
        assert_eq!(name.ends_with("_info"), kind == MetricType::Info, "{name}");
        assert!(help.ends_with('.') && !help.contains(['\n', '\\']), "{name}: {help}");
    }
    for figure in all().filter(|figure| !figure.metric.is_empty()) {
        check_unit(figure.metric, figure.unit);
    }
    EACH_COMMAND.iter().for_each(|figure| check_unit(figure.metric, figure.unit));
    EACH_QUEUE.iter().for_each(|figure| check_unit(figure.metric, figure.unit));
    HISTOGRAMS.iter().for_each(|figure| check_unit(figure.metric, figure.unit));
    assert!(names.contains("memory_used_bytes") && names.contains("queue_length"));
}

fn check_unit(metric: &str, unit: Unit) {
    if metric.is_empty() {
        return;
    }
    let of_unit = metric.strip_suffix("_total").unwrap_or(metric);
    let is_time =
        matches!(unit, Unit::Seconds | Unit::UnixSeconds | Unit::Milliseconds | Unit::Microseconds);
    assert_eq!(of_unit.ends_with("_seconds"), is_time, "{metric}");
    assert_eq!(of_unit.ends_with("_bytes"), unit == Unit::Bytes, "{metric}");
}

/// What is no metric is a text, or follows from other metrics.
#[test]
fn every_number_is_a_metric_or_known_not_to_be() {
    let left = all().filter(|figure| figure.metric.is_empty() && figure.kind != Kind::Text);
    let left: Vec<&str> = left.map(|figure| figure.name).collect();
    let expected = [
        "server_time_usec",
        "uptime_in_days",
        "lru_clock",
        "eventloop_cycles",
        "eventloop_duration_sum",
        "instantaneous_input_kbps",
        "instantaneous_output_kbps",
        "instantaneous_ops_per_sec",
        "used_memory_peak_perc",
        "used_memory_overhead",
        "used_memory_dataset_perc",
        "mem_fragmentation_ratio",
        "mem_fragmentation_bytes",
        "allocator_frag_bytes",
        "bytes_per_key",
        "loading_start_time",
        "loading_loaded_perc",
        "second_repl_offset",
        "repl_backlog_first_byte_offset",
    ];
    assert_eq!(left, expected);
}

fn text_of(format: Format, write: impl FnOnce(&mut Exposition<'_>)) -> String {
    let mut text = Vec::new();
    let mut out = Exposition::of(&mut text, format);
    write(&mut out);
    out.end();
    String::from_utf8(text).expect("text")
}

#[test]
fn the_text_has_every_figure_that_is_known() {
    let now = Now { unix_us: 1_700_000_000_000_000, monotonic_us: 1_000_000 };
    let mut state = State::new(Settings::default(), Catalogue::none(), 1, Box::new(NoHost), now);
    for micros in [3, 70, 5_000] {
        state.stats.turn_times.add(micros);
    }
    let reading = Reading::new(&state, now.plus_us(1_500_000));
    let text = text_of(Format::Prometheus, |out| write_all(out, &reading));
    for line in [
        "# HELP tidegate_connections_total Connections accepted.",
        "# TYPE tidegate_connections_total counter",
        "tidegate_connections_total 0",
        "tidegate_uptime_seconds 1",
        "tidegate_start_time_seconds 1700000000",
        "tidegate_aof_last_write_ok 1",
        "tidegate_queues_timed_out_total 0",
        "tidegate_turn_duration_seconds_bucket{le=\"1e-6\"} 0",
        "tidegate_turn_duration_seconds_bucket{le=\"4e-6\"} 1",
        "tidegate_turn_duration_seconds_bucket{le=\"0.004096\"} 2",
        "tidegate_turn_duration_seconds_bucket{le=\"+Inf\"} 3",
        "tidegate_turn_duration_seconds_sum 0.005073",
        "tidegate_turn_duration_seconds_count 3",
        "tidegate_message_wait_seconds_bucket{le=\"1.024\"} 0",
    ] {
        assert!(text.lines().any(|own| own == line), "{line}\n{text}");
    }
    assert!(!text.contains("\ntidegate_aof_last_rewrite_duration_seconds"), "there was none");
    assert!(text.starts_with("# HELP tidegate_build_info "));
}

#[test]
fn figures_of_several_things_have_a_label() {
    let stats = CommandStats { calls: 3, usec: 1_500_000, ..CommandStats::default() };
    let text = text_of(Format::OpenMetrics, |out| {
        write_each(out, EACH_COMMAND, "command", [("get", &stats)].into_iter());
    });
    assert!(text.contains("# TYPE tidegate_command_seconds counter\n"), "{text}");
    assert!(text.contains("\ntidegate_command_seconds_total{command=\"get\"} 1.5\n"), "{text}");
    assert!(text.ends_with("\n# EOF\n"), "{text}");
}

#[test]
fn values_are_of_their_kind() {
    let now = Now { unix_us: 1_700_000_000_000_000, monotonic_us: 1_000_000 };
    let state = State::new(Settings::default(), Catalogue::none(), 1, Box::new(NoHost), now);
    let reading = Reading::new(&state, now.plus_us(90_000_000_000));
    for Figure { name, kind, unit, read, .. } in all() {
        let value = read(&reading);
        match (kind, unit) {
            // Numbers that identify something are texts too.
            (Kind::Text, _) => assert!(matches!(value, Value::Text(_) | Value::Count(_)), "{name}"),
            (_, Unit::Flag) => assert!(matches!(value, Value::Count(0 | 1)), "{name}: {value}"),
            (Kind::Counter, _) => {
                assert!(matches!(value, Value::Count(_) | Value::Seconds(_)), "{name}: {value}");
            }
            (Kind::Gauge, _) => assert!(!matches!(value, Value::Text(_)), "{name}: {value}"),
        }
    }
    let shown = |name: &str| super::named(name).read;
    assert_eq!(shown("uptime_in_seconds")(&reading), Value::Count(90_000));
    assert_eq!(shown("uptime_in_days")(&reading).to_string(), "1");
    assert_eq!(shown("used_cpu_sys")(&reading).to_string(), "0.000000");
    assert_eq!(shown("aof_last_rewrite_time_sec")(&reading).to_string(), "-1");
}
