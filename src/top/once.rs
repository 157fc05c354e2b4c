//! `--once`: one table for scripts, without a terminal. A row is a line, and no value has a space in it.

use super::columns;
use super::state::State;
use super::view;

/// The table, behind lines with `#` about the broker.
pub fn table(state: &State) -> String {
    let mut text = String::new();
    for group in view::head(state) {
        let parts: String = group.into_iter().map(|(_, part)| part).collect();
        text.push_str(&format!("# {parts}\n"));
    }
    let head = columns::ALL.iter().map(|column| match column.name {
        "oldest" => "OLDEST-MS".to_owned(),
        _ => column.head(),
    });
    let mut rows: Vec<Vec<String>> = vec![head.collect()];
    let row = |queue: &&super::queues::Queue| {
        columns::ALL.iter().map(|column| (column.plain)(queue)).collect()
    };
    rows.extend(state.visible().iter().map(row));
    let width = |at: usize| rows.iter().map(|row| super::frame::width(&row[at])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns::ALL.len()).map(width).collect();
    for row in &rows {
        let cells = row.iter().zip(&widths).zip(columns::ALL);
        let cells = cells.map(|((cell, width), column)| match column.is_text {
            true => super::frame::left(cell, *width),
            false => super::frame::right(cell, *width),
        });
        let line: Vec<String> = cells.collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}
