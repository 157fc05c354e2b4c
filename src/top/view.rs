//! The screen as a function of what is shown.

use super::columns::{self, Column};
use super::frame::{self, Frame, Line, Style, left, right};
use super::queues::Queue;
use super::state::State;
use super::text;

/// Columns of the terminal for a bar behind the length.
const BAR_WIDTH: usize = 10;
/// The bar is left out before columns of a higher rank.
const BAR_RANK: u8 = 4;
/// Lines for the broker at most, where the screen is narrow.
const HEAD_LINES_MAX: usize = 4;
/// Parts of a character, for the end of a bar.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// The screen that the view is for.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    /// Columns of the terminal.
    pub width: usize,
    /// Its lines.
    pub height: usize,
    /// Whether it shows characters beyond ASCII.
    pub is_utf8: bool,
}

/// A text in a style, as a part of a group.
type Part = (Style, String);

/// Draws the screen.
pub fn draw(state: &State, screen: Screen) -> Frame {
    let mut lines = flow(head(state), screen.width);
    lines.truncate(HEAD_LINES_MAX);
    let queues = state.visible();
    lines.push(status(state, queues.len()));
    let page = page_of(lines.len(), screen);
    if state.is_helping {
        lines.extend(help().into_iter().take(page + 1));
    } else {
        let table = Table::new(state, &queues, screen);
        lines.push(table.head(state));
        let offset = state.offset.min(queues.len().saturating_sub(page));
        lines.extend(queues.iter().skip(offset).take(page).map(|queue| table.row(queue)));
    }
    lines.resize(screen.height.saturating_sub(1).max(1), Line::default());
    lines.push(foot(state));
    lines.truncate(screen.height);
    Frame { lines: lines.into_iter().map(|line| line.clipped(screen.width)).collect() }
}

/// Lines of the table.
pub fn page(state: &State, screen: Screen) -> usize {
    page_of(flow(head(state), screen.width).len().min(HEAD_LINES_MAX) + 1, screen)
}

fn page_of(lines_above: usize, screen: Screen) -> usize {
    // The head of the table, and the keys.
    screen.height.saturating_sub(lines_above + 2)
}

/// What is known about the broker, in groups that stay together.
pub fn head(state: &State) -> Vec<Vec<Part>> {
    let info = &state.info;
    let number = |name: &str| info.number(name).unwrap_or(0);
    let name = if info.text("tidegate_version").is_some() { "tidegate" } else { "server" };
    let version = info.text("tidegate_version").or(info.text("redis_version"));
    let mut clients = format!("{}/{}", number("connected_clients"), number("maxclients"));
    match number("blocked_clients") {
        0 => {}
        waiting => clients += &format!(" ({waiting} waiting)"),
    }
    let mut memory = text::bytes(number("used_memory"));
    match number("maxmemory") {
        0 => {}
        limit => memory += &format!("/{}", text::bytes(limit)),
    }
    let commands = state.load.commands.map_or_else(|| "-".to_owned(), text::rate);
    let turn = state.load.turn_us.map_or_else(|| "-".to_owned(), text::time_us);
    let longest = text::time_us(number("eventloop_duration_max"));
    let group = |label: &str, value: String| {
        vec![(Style::Faint, format!("{label} ")), (Style::Bold, value)]
    };
    vec![
        vec![
            (Style::Bold, format!("{name} {}", version.unwrap_or("?"))),
            (Style::Plain, format!(" at {}", state.address)),
        ],
        group("up", text::time_ms(number("uptime_in_seconds").saturating_mul(1000))),
        group("clients", clients),
        group("commands/s", commands),
        group("turn", format!("{turn} (longest {longest})")),
        group("memory", memory),
        group("resident", text::bytes(number("used_memory_rss"))),
        vec![(Style::Faint, "append files ".to_owned()), append_files(state)],
    ]
}

/// The state of the append files.
fn append_files(state: &State) -> Part {
    let info = &state.info;
    let fails = |name: &str| info.text(name).is_some_and(|status| status != "ok");
    let is_on = info.is_on("aof_enabled");
    if info.is_on("loading") {
        return (Style::Warning, "loading".to_owned());
    }
    if is_on && fails("aof_last_write_status") {
        return (Style::Error, "cannot be written".to_owned());
    }
    if fails("aof_last_bgrewrite_status") {
        return (Style::Error, "the last rewrite failed".to_owned());
    }
    let size = info.number("aof_current_size").map(|size| format!(" {}", text::bytes(size)));
    let rewrite = if info.is_on("aof_rewrite_in_progress") { ", being rewritten" } else { "" };
    match is_on {
        true => (Style::Bold, format!("on{}{rewrite}", size.unwrap_or_default())),
        false => (Style::Bold, format!("off{rewrite}")),
    }
}

/// Puts groups into lines.
fn flow(groups: Vec<Vec<Part>>, width: usize) -> Vec<Line> {
    let mut lines = vec![Line::default()];
    for group in groups {
        let needed: usize = group.iter().map(|(_, text)| frame::width(text)).sum();
        let used = lines.last().map_or(0, Line::width);
        if used > 0 && used + 2 + needed > width {
            lines.push(Line::default());
        }
        let Some(line) = lines.last_mut() else { break };
        if line.width() > 0 {
            line.add(Style::Plain, "  ");
        }
        group.into_iter().for_each(|(style, text)| line.add(style, text));
    }
    lines
}

/// The line between the broker and the table.
fn status(state: &State, visible: usize) -> Line {
    let mut line = Line::default();
    if let Some(failure) = &state.failure {
        line.add(Style::Error, format!("{failure}; trying again. "));
    }
    if let Some(notice) = &state.notice {
        line.add(Style::Warning, format!("{notice}. "));
    }
    let messages: u64 = state.queues.iter().map(|queue| queue.row.length).sum();
    line.add(Style::Plain, format!("{} queues, {messages} messages ready", state.queues.count()));
    if !state.filter.is_empty() && !state.is_typing {
        line.add(
            Style::Warning,
            format!("; {visible} with '{}'", text::printable(state.filter.as_bytes())),
        );
    }
    line
}

/// The last line: keys, or the filter that is typed.
fn foot(state: &State) -> Line {
    let mut line = Line::default();
    if state.is_typing {
        line.add(Style::Bold, "filter: ");
        line.add(Style::Plain, text::printable(state.filter.as_bytes()));
        line.add(Style::Reverse, " ");
        return line;
    }
    for (key, meaning) in [
        ("q", "quit"),
        ("/", "filter"),
        ("<>", "sort"),
        ("r", "reverse"),
        ("arrows", "scroll"),
        ("?", "keys"),
    ] {
        line.add(Style::Bold, key);
        line.add(Style::Faint, format!(" {meaning}  "));
    }
    line
}

/// All keys.
fn help() -> Vec<Line> {
    let sorts = columns::ALL
        .iter()
        .map(|column| (column.key.to_string(), format!("sort by {}", column.name)));
    let others = [
        ("< >", "sort by the column to the left or right"),
        ("r", "reverse the order; so does the same column's key again"),
        ("/", "show only queues with a text in their name; Esc shows all"),
        ("arrows, j k, PgUp PgDn, Home End", "scroll"),
        ("space", "read at once"),
        ("Ctrl-L", "draw the screen again"),
        ("q, Ctrl-C", "quit"),
    ];
    let others = others.map(|(key, meaning)| (key.to_owned(), meaning.to_owned()));
    let line = |(key, meaning): (String, String)| {
        let mut line = Line::default();
        line.add(Style::Bold, left(&key, 34));
        line.add(Style::Plain, meaning);
        line
    };
    others.into_iter().chain(sorts).map(line).collect()
}

/// The columns that fit.
struct Table {
    /// Columns, each with its width.
    columns: Vec<(usize, &'static Column)>,
    /// The length at which the bar is full; `None` without a bar.
    longest: Option<u64>,
    is_utf8: bool,
}

impl Table {
    fn new(state: &State, queues: &[&Queue], screen: Screen) -> Table {
        let needed = |rank: u8| {
            let kept = columns::ALL.iter().filter(|column| column.rank >= rank);
            let bar = if rank <= BAR_RANK { BAR_WIDTH + 1 } else { 0 };
            kept.map(|column| column.width + 1).sum::<usize>() - 1 + bar
        };
        // The sorted column is always shown, since its order would puzzle otherwise.
        let extra = columns::ALL[state.sort].width + 1;
        let rank = (0..columns::ALL.len() as u8)
            .find(|rank| {
                let misses_sorted = columns::ALL[state.sort].rank < *rank;
                needed(*rank) + if misses_sorted { extra } else { 0 } <= screen.width
            })
            .unwrap_or(columns::ALL.len() as u8 - 1);
        let is_kept = |at: usize, column: &Column| column.rank >= rank || at == state.sort;
        let kept = columns::ALL.iter().enumerate().filter(|(at, column)| is_kept(*at, column));
        let mut columns: Vec<(usize, &Column)> =
            kept.map(|(_, column)| (column.width, column)).collect();
        let has_bar = rank <= BAR_RANK;
        let bar = if has_bar { BAR_WIDTH + 1 } else { 0 };
        let used: usize = columns.iter().map(|(width, _)| width + 1).sum::<usize>() - 1 + bar;
        if let Some((width, _)) = columns.first_mut() {
            // Names get what is left, and give what is missing.
            *width = (*width + screen.width).saturating_sub(used).max(1);
        }
        let longest = queues.iter().map(|queue| queue.row.length).max().unwrap_or(0);
        Table { columns, longest: has_bar.then_some(longest.max(1)), is_utf8: screen.is_utf8 }
    }

    fn head(&self, state: &State) -> Line {
        let mut line = Line::default();
        for (at, (width, column)) in self.columns.iter().enumerate() {
            let is_sorted = std::ptr::eq(*column, &columns::ALL[state.sort]);
            let style = if is_sorted { Style::Bold } else { Style::Reverse };
            if at > 0 {
                line.add(Style::Reverse, " ");
            }
            let text = column.head();
            line.add(
                style,
                if column.is_text { left(&text, *width) } else { right(&text, *width) },
            );
            if column.name == "length" && self.longest.is_some() {
                line.add(Style::Reverse, " ".repeat(BAR_WIDTH + 1));
            }
        }
        line
    }

    fn row(&self, queue: &Queue) -> Line {
        let is_paused = !matches!(queue.row.paused.as_str(), "none" | "");
        let style = if is_paused { Style::Warning } else { Style::Plain };
        let mut line = Line::default();
        for (at, (width, column)) in self.columns.iter().enumerate() {
            let gap = if at > 0 { " " } else { "" };
            let text = (column.shown)(queue);
            let text = if column.is_text { left(&text, *width) } else { right(&text, *width) };
            line.add(style, format!("{gap}{text}"));
            if let Some(longest) = self.longest.filter(|_| column.name == "length") {
                line.add(Style::Faint, format!(" {}", self.bar(queue.row.length, longest)));
            }
        }
        line
    }

    /// A bar for a length, as part of the longest one. What is not empty shows.
    fn bar(&self, length: u64, longest: u64) -> String {
        let parts = BAR_WIDTH as u128 * if self.is_utf8 { 8 } else { 1 };
        let filled = (u128::from(length) * parts).div_ceil(u128::from(longest)).min(parts) as usize;
        let bar = match self.is_utf8 {
            true => "█".repeat(filled / 8) + EIGHTHS[filled % 8],
            false => "#".repeat(filled),
        };
        left(&bar, BAR_WIDTH)
    }
}
