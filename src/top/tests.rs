//! The screen and the table, from what a broker says.

use super::columns;
use super::frame::{Frame, Style};
use super::keys::Key;
use super::once;
use super::reading::{Info, Row, Sample};
use super::state::State;
use super::view::{self, Screen};
use std::time::Duration;

const INFO: &str = "tidegate_version:0.1.0\nuptime_in_seconds:93784\nconnected_clients:12\n\
    maxclients:10000\nblocked_clients:3\nused_memory:13635984\nmaxmemory:1073741824\n\
    used_memory_rss:14008320\naof_enabled:1\naof_current_size:2097152\naof_last_write_status:ok\n\
    aof_last_bgrewrite_status:ok\neventloop_duration_max:12345\n";

fn rows(s: u64) -> Vec<Row> {
    vec![
        Row {
            name: "mail".into(),
            policy: Some("safe".into()),
            length: 1000 + s,
            oldest_age_ms: Some(61_000),
            in_flight: 4,
            delayed: 5,
            consumers: 6,
            producers: 7,
            paused: "none".into(),
            pushed: Some(2000 + 10 * s),
            delivered: Some(1000 + 9 * s),
        },
        Row { name: "plain one".into(), length: 500 - s, paused: "none".into(), ..Row::default() },
        Row { name: "größe 日本".into(), length: 1, paused: "read".into(), ..Row::default() },
        Row { name: "empty".into(), paused: "none".into(), ..Row::default() },
    ]
}

/// After two samples, with ten seconds between them.
fn state() -> State {
    let mut state = State::new("127.0.0.1:6379".to_owned(), columns::DEFAULT);
    for s in [0, 10] {
        let counts = format!(
            "total_commands_processed:{}\neventloop_cycles:{}\neventloop_duration_sum:{}\n",
            1234 * s,
            100 * s,
            3500 * s
        );
        let info = Info::parse(format!("{INFO}{counts}").as_bytes());
        let at = Duration::from_secs(100 + s);
        state.apply(Sample { at, info, rows: rows(s), ends_round: true, ..Sample::default() });
    }
    state
}

fn press(state: &mut State, keys: &str) {
    for c in keys.chars() {
        state.press(if c == '\r' { Key::Enter } else { Key::Char(c) }, 5);
    }
}

fn screen(width: usize, height: usize) -> Screen {
    Screen { width, height, is_utf8: true }
}

fn text(frame: &Frame) -> String {
    let lines = frame.lines.iter().map(|line| line.text().trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_wide_screen_shows_everything() {
    let frame = view::draw(&state(), screen(150, 10));
    let expected = "\
tidegate 0.1.0 at 127.0.0.1:6379  up 1d02h  clients 12/10000 (3 waiting)  commands/s 1234  turn 35us (longest 12ms)  memory 13.0M/1.00G
resident 13.4M  append files on 2.00M
4 queues, 1501 messages ready
NAME                                 LENGTH                IN/S    OUT/S    NET/S  OLDEST IN-FLIGHT  DELAYED CONSUMERS PRODUCERS PAUSED POLICY
mail                                   1010 ██████████       10      9.0      1.0   1m01s         4        5         6         7        safe
plain one                               490 ████▉             -        -     -1.0       -         0        0         0         0
größe 日本                                1 ▏                 -        -        0       -         0        0         0         0 read
empty                                     0                   -        -        0       -         0        0         0         0

q quit  / filter  <> sort  r reverse  arrows scroll  ? keys";
    assert_eq!(text(&frame), expected, "\n{}", text(&frame));
}

#[test]
fn a_narrow_screen_leaves_columns_out() {
    let frame = view::draw(&state(), screen(80, 12));
    let expected = "\
tidegate 0.1.0 at 127.0.0.1:6379  up 1d02h  clients 12/10000 (3 waiting)
commands/s 1234  turn 35us (longest 12ms)  memory 13.0M/1.00G  resident 13.4M
append files on 2.00M
4 queues, 1501 messages ready
NAME                         LENGTH     IN/S    OUT/S    NET/S  OLDEST IN-FLIGHT";
    assert!(text(&frame).starts_with(expected), "\n{}", text(&frame));
    // The sorted column is never left out.
    let mut by_policy = state();
    by_policy.press(Key::Char('y'), 5);
    let shown = text(&view::draw(&by_policy, screen(60, 12)));
    assert!(shown.contains("POLICY") && shown.contains("safe"), "\n{shown}");
}

#[test]
fn any_size_is_filled_and_never_exceeded() {
    let mut state = state();
    for keys in ["", "?", "?/plain", "\r"] {
        press(&mut state, keys);
        for width in (0..12).chain([20, 40, 79, 80, 81, 100, 129, 130, 131, 300]) {
            for height in [0, 1, 2, 3, 5, 8, 24, 60] {
                for is_utf8 in [true, false] {
                    let screen = Screen { width, height, is_utf8 };
                    let frame = view::draw(&state, screen);
                    assert!(frame.lines.len() <= height);
                    assert!(height < 6 || frame.lines.len() == height, "{width}x{height}");
                    for line in &frame.lines {
                        assert!(line.width() <= width, "{width}x{height}: {:?}", line.text());
                    }
                    assert!(view::page(&state, screen) <= height);
                }
            }
        }
    }
}

#[test]
fn what_is_wrong_is_on_the_screen() {
    let mut state = state();
    let styled = |state: &State, style: Style| -> String {
        let frame = view::draw(state, screen(120, 24));
        let parts = frame.lines.iter().flat_map(|line| line.parts());
        parts.filter(|(other, _)| *other == style).map(|(_, text)| text).collect()
    };
    assert_eq!(styled(&state, Style::Error), "");
    assert!(styled(&state, Style::Warning).starts_with("größe"), "it is paused");
    state.fail("the broker has closed the connection".to_owned());
    assert_eq!(
        styled(&state, Style::Error),
        "the broker has closed the connection; trying again. "
    );
    assert!(text(&view::draw(&state, screen(120, 24))).contains("mail"), "what was known stays");
    for (info, expected) in [
        ("aof_enabled:1\naof_last_write_status:err", "cannot be written"),
        (
            "aof_enabled:1\naof_last_write_status:ok\naof_last_bgrewrite_status:err",
            "the last rewrite failed",
        ),
    ] {
        state.apply(Sample { info: Info::parse(info.as_bytes()), ..Sample::default() });
        assert_eq!(styled(&state, Style::Error), expected);
    }
    let notice = Some("loads".to_owned());
    state.apply(Sample { info: Info::parse(b"loading:1"), notice, ..Sample::default() });
    assert!(styled(&state, Style::Warning).starts_with("loadingloads. "));
    state.apply(Sample { info: Info::parse(b"aof_rewrite_in_progress:1"), ..Sample::default() });
    assert!(
        text(&view::draw(&state, screen(120, 24))).contains("append files off, being rewritten")
    );
}

#[test]
fn the_filter_and_the_keys_are_shown() {
    let mut state = state();
    state.press(Key::Char('?'), 5);
    let shown = text(&view::draw(&state, screen(100, 40)));
    for column in columns::ALL {
        assert!(shown.contains(&format!("sort by {}", column.name)), "\n{shown}");
    }
    state.press(Key::Char('?'), 5);
    press(&mut state, "/AI");
    let shown = text(&view::draw(&state, screen(100, 12)));
    assert!(shown.ends_with("filter: AI") && shown.contains("mail"), "\n{shown}");
    assert!(!shown.contains("empty"), "\n{shown}");
    state.press(Key::Enter, 5);
    let shown = text(&view::draw(&state, screen(100, 12)));
    assert!(shown.contains("; 2 with 'AI'"), "\n{shown}");
}

#[test]
fn a_script_reads_words_and_whole_numbers() {
    let expected = "\
# tidegate 0.1.0 at 127.0.0.1:6379
# up 1d02h
# clients 12/10000 (3 waiting)
# commands/s 1234
# turn 35us (longest 12ms)
# memory 13.0M/1.00G
# resident 13.4M
# append files on 2.00M
NAME           LENGTH  IN/S  OUT/S  NET/S  OLDEST-MS  IN-FLIGHT  DELAYED  CONSUMERS  PRODUCERS  PAUSED  POLICY
mail             1010  10.0    9.0    1.0      61000          4        5          6          7  -       safe
plain\\x20one      490     -      -   -1.0          -          0        0          0          0  -       -
größe\\x20日本       1     -      -    0.0          -          0        0          0          0  read    -
empty               0     -      -    0.0          -          0        0          0          0  -       -
";
    let table = once::table(&state());
    assert_eq!(table, expected, "\n{table}");
}
