use super::{
    EACH_CHANNEL_POLICY, EACH_COMMAND, EACH_DATABASE, EACH_ERROR, EACH_QUEUE, EACH_QUEUE_COUNTS,
    Figure, Kind, Reading, Unit, Value, all,
};
use crate::acl::Catalogue;
use crate::clock::Now;
use crate::host::NoHost;
use crate::settings::Settings;
use crate::state::State;
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
