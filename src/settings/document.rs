//! The table as text for users: `--help`, `docs/settings.md`, and the suggestion for a misspelt name.

use std::fmt::Write as _;

use super::row::{Directive, Runtime};
use super::table;
use super::value::Kind;

/// Maximum number of suggested names.
const SUGGESTIONS_MAX: usize = 3;

/// The ways to call the program, with what they do: for `--help`, the manual page and completions.
pub static CALLS: &[(&str, &str)] = &[
    ("FILE", "read directives from a file in the syntax of redis.conf"),
    ("-", "read directives from standard input"),
    ("--name value", "any directive; applies after the file"),
    (
        "--check-config FILE",
        "check a configuration as a start with these arguments would read it, with the users and certificates \
         that it names; prints each error with its line, opens no port, changes no file; exit code 0 if there is \
         no error, 1 if there are errors, 2 if there is no FILE",
    ),
    (
        "top [OPTION ...]",
        "show a running broker and its queues in the terminal, as a screen or a table; `tidegate top --help` \
         lists the options, which are those of redis-cli",
    ),
    (
        "check DIR",
        "verify the append files in DIR, or a file like Redis' dump.rdb; exit code 0 if they are whole, 1 if the end is torn and a start \
         would cut it off, 2 if they cannot be loaded, 3 if they cannot be read",
    ),
    (
        "repair DIR",
        "cut off what cannot be loaded and save it in separate files; exit code 0 if the rest is whole, 3 \
         if the repair failed",
    ),
    ("-h, --help", "show this text"),
    ("-v, --version", "show the version (also: `version`, and `help` for this text)"),
];

/// The column in which the explanations of `CALLS` begin in `--help`, and their width.
const CALL_COLUMN: usize = 23;
const CALL_WIDTH: usize = 72;

/// The text of `--help`.
pub fn help() -> String {
    let mut text = String::from(
        "Usage: tidegate [FILE | -] [--name value ...] ...\n\
         \x20      tidegate --check-config FILE [--name value ...] ...\n\
         \x20      tidegate top [OPTION ...] [URL]\n\
         \x20      tidegate check DIR\n\
         \x20      tidegate repair DIR\n\n",
    );
    for (call, explanation) in CALLS {
        let mut call = *call;
        for line in wrapped(explanation, CALL_WIDTH) {
            // Writing to a String does not fail.
            let _ = writeln!(text, "  {call:<width$}{line}", width = CALL_COLUMN - 2);
            call = "";
        }
    }
    text.push_str("\nDirectives and their defaults:\n\n");
    for directive in table::used() {
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "  --{} {}\n      {}",
            directive.name,
            default_text(directive),
            directive.doc
        );
    }
    text.push_str(
        "\nThe other directives of Redis have no effect: they are accepted if nothing is lost by that,\n\
         and otherwise refused with a reason.\n",
    );
    text
}

/// A text in lines of at most `width` letters, unless a word is longer.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A directive that has an effect, as documentation shows it.
#[derive(Clone, Debug)]
pub struct DirectiveText {
    /// Its name.
    pub name: &'static str,
    /// The default as written in a file; `""` if it is empty.
    pub default: &'static str,
    /// Which values are valid.
    pub valid: String,
    /// All valid values, if these are a few words.
    pub choices: &'static [&'static str],
    /// Whether CONFIG SET changes it: `yes`, `no`, or a condition.
    pub settable: &'static str,
    /// What it does.
    pub doc: &'static str,
}

/// The directives that have an effect, in the order of the documentation.
pub fn directive_texts() -> impl Iterator<Item = DirectiveText> {
    table::used().map(|directive| DirectiveText {
        name: directive.name,
        default: default_text(directive),
        valid: directive.kind.describe(),
        choices: match directive.kind {
            Kind::Flag => &["yes", "no"],
            Kind::Choice(choices) => choices,
            _ => &[],
        },
        settable: match directive.runtime {
            Runtime::Mutable => "yes",
            Runtime::Protected => "with `enable-protected-configs`",
            Runtime::Immutable | Runtime::FileOnly => "no",
        },
        doc: directive.doc,
    })
}

/// The directives that have an effect, as a table in markdown.
pub fn markdown_table() -> String {
    let mut text = String::from(
        "| directive | default | valid | CONFIG SET | what it does |\n|---|---|---|---|---|\n",
    );
    for DirectiveText { name, default, valid, settable, doc, .. } in directive_texts() {
        // Writing to a String does not fail.
        let _ = writeln!(text, "| `{name}` | `{default}` | {valid} | {settable} | {doc} |");
    }
    text
}

fn default_text(directive: &Directive) -> &'static str {
    if directive.default.is_empty() { "\"\"" } else { directive.default }
}

/// The error for an unknown name, with the most similar names.
pub(super) fn unknown_directive(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    let mut near: Vec<(usize, &str)> = table::all()
        .flat_map(|d| std::iter::once(d.name).chain(d.alias))
        .map(|known| (distance(&name, known), known))
        // At most two letters, or a third of a long name: more would be a different word.
        .filter(|(d, known)| *d < known.len() && *d <= (known.len() / 3).max(2))
        .collect();
    near.sort_unstable();
    let names: Vec<&str> = near.iter().take(SUGGESTIONS_MAX).map(|(_, known)| *known).collect();
    match names.as_slice() {
        [] => "Bad directive or wrong number of arguments (no such directive; --help lists the \
               directives with an effect)"
            .to_owned(),
        names => format!(
            "Bad directive or wrong number of arguments (no such directive; did you mean {}?)",
            names.join(" or ")
        ),
    }
}

/// The edit distance: letters to insert, remove or replace.
fn distance(a: &str, b: &str) -> usize {
    let b = b.as_bytes();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.bytes().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("port", "port"), 0);
        assert_eq!(distance("prt", "port"), 1);
        assert_eq!(distance("", "port"), 4);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn a_misspelt_name_gets_the_nearest() {
        assert!(unknown_directive("maxclient").contains("did you mean maxclients?"));
        assert!(unknown_directive("PROT").contains("port"));
        assert!(!unknown_directive("wholly-unlike-anything").contains("did you mean"));
    }

    #[test]
    fn every_used_row_is_documented() {
        let (help, table) = (help(), markdown_table());
        for directive in table::used() {
            assert!(help.contains(&format!("--{} ", directive.name)));
            assert!(table.contains(&format!("| `{}` |", directive.name)));
            assert!(directive.doc.ends_with('.') && !directive.doc.contains('|'));
        }
    }
}
