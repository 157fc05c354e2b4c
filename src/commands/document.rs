//! The table of commands as documentation.

use super::Table;
use std::fmt::Write;

/// All commands as a Markdown table, in the order of the command table.
pub fn commands_markdown() -> String {
    let mut text = String::from("| command | since Redis | what it does |\n|---|---|---|\n");
    for found in Table::shared().all() {
        let command = found.command;
        if !command.subcommands.is_empty() && command.run.is_none() {
            continue;
        }
        let name = command.name.to_ascii_uppercase().replace('|', " ");
        let summary = command.summary.replace('|', "\\|");
        // Writing to a string does not fail.
        let _ = writeln!(text, "| `{name}` | {} | {summary} |", command.since);
    }
    text
}
