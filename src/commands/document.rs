//! The table of commands as documentation.

use super::table;
use crate::engine::Command;
use std::fmt::Write;

/// Returns the names of all commands and subcommands in capitals (`CLIENT LIST`), in the order of the
/// table.
pub fn command_names() -> impl Iterator<Item = String> {
    runnable().map(spelled)
}

/// Returns the commands that can be called: of a container, only its subcommands.
fn runnable() -> impl Iterator<Item = &'static Command> {
    table().all().map(|found| found.command).filter(|command| command.run.is_some())
}

fn spelled(command: &Command) -> String {
    command.name.to_ascii_uppercase().replace('|', " ")
}

/// Returns the commands that can be called, spelled as in the table, each with a sentence on what it does.
pub fn command_summaries() -> impl Iterator<Item = (String, &'static str)> {
    runnable().map(|command| (spelled(command), command.summary))
}

/// Returns all commands as a Markdown table, in the order of the command table.
pub fn commands_markdown() -> String {
    let mut text = String::from("| command | since | what it does |\n|---|---|---|\n");
    for command in runnable() {
        let summary = command.summary.replace('|', "\\|");
        let server = if command.is_own { "Tidegate" } else { "Redis" };
        // Writing to a string cannot fail.
        let _ =
            writeln!(text, "| `{}` | {server} {} | {summary} |", spelled(command), command.since);
    }
    text
}
