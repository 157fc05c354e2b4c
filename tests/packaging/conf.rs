//! `tidegate.conf`: every directive with its explanation, its default as a comment.

use std::fmt::Write;
use tidegate::settings::{DirectiveText, directive_texts, wrapped};

const WIDTH: usize = 98;

/// The headings, each before the directive that begins its section.
const SECTIONS: &[(&str, &str)] = &[
    ("port", "Network"),
    ("tls-port", "TLS"),
    ("http-port", "HTTP"),
    ("tcp-backlog", "Clients and memory"),
    ("requirepass", "Passwords and users"),
    ("proto-max-bulk-len", "Limits on requests and replies"),
    ("appendonly", "Append files"),
    ("queue-policy", "Policies"),
    ("enable-debug-command", "Commands that can harm"),
    ("slowlog-log-slower-than", "Slow commands"),
    ("loglevel", "Log and process"),
];

/// Lines for directives whose default shows nothing of their syntax.
pub const EXAMPLES: &[(&str, &str)] = &[
    ("bind", "bind 127.0.0.1 192.0.2.1"),
    ("unixsocket", "unixsocket /run/tidegate/tidegate.sock"),
    ("user", "user worker on >secret ~jobs:* &* +@all -@dangerous"),
    ("queue-policy", "queue-policy jobs jobs:* delivery at-least-once ack-timeout-ms 30000"),
    ("channel-policy", "channel-policy prices prices:* high-water-mark 1000"),
];

const HEAD: &str = "\
# Settings of Tidegate.
#
#     tidegate /PATH/TO/tidegate.conf
#
# A line is a directive and its value. A value with spaces is quoted. Lengths may have a unit: 1k is
# 1000 bytes, 1kb is 1024 bytes, and so on with m, mb, g and gb. `include PATH` reads another file. The
# last line for a directive wins, and the command line wins over this file.
#
# A # without a space behind it is before a directive with its default: remove it to change the value.
# Pages such as docs/tls.md come with the source, and are in /usr/share/doc/tidegate of the Debian package.
# CONFIG SET changes most settings while the server runs; the others need a restart.
";

/// The file, with these directives set.
pub fn text(given: &[(&str, &str)]) -> String {
    let mut text = HEAD.to_owned();
    for DirectiveText { name, default, valid, settable, doc, .. } in directive_texts() {
        if let Some((_, heading)) = SECTIONS.iter().find(|(first, _)| *first == name) {
            let _ = write!(text, "\n#{}\n# {heading}\n#{}\n", "=".repeat(70), "=".repeat(70));
        }
        text.push('\n');
        let paragraphs =
            [doc.to_owned(), format!("Valid: {valid}. CONFIG SET: {settable}.").replace("``", "`")];
        for line in paragraphs.iter().flat_map(|paragraph| wrapped(paragraph, WIDTH)) {
            let _ = writeln!(text, "# {line}");
        }
        if let Some((_, example)) = EXAMPLES.iter().find(|(of, _)| *of == name) {
            let _ = writeln!(text, "# Example: {example}");
        }
        let _ = match given.iter().find(|(of, _)| *of == name) {
            Some((_, value)) => writeln!(text, "# Default: {default}\n{name} {value}"),
            None => writeln!(text, "#{name} {default}"),
        };
    }
    text
}

/// All headings stand before a directive that exists.
pub fn check() {
    for (first, heading) in SECTIONS {
        assert!(directive_texts().any(|d| d.name == *first), "{heading}: no directive {first}");
    }
}
