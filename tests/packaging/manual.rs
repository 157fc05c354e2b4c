//! The manual pages tidegate(1) and tidegate.conf(5), in the macros of man(7).

use std::fmt::Write;
use tidegate::settings::{CALLS, directive_texts};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// tidegate(1).
pub fn tidegate() -> String {
    let mut page = head("TIDEGATE", 1, "User Commands");
    page.push_str(
        ".SH NAME\ntidegate \\- message broker for Redis clients\n\
         .SH SYNOPSIS\n\
         .B tidegate\n.RI [ FILE \" | -] [\" \\-\\-name \" \" value \" ...] ...\"\n",
    );
    for (call, _) in CALLS.iter().filter(|(call, _)| is_subcommand(call)) {
        let (name, operands) = call.split_once(' ').unwrap_or((call, ""));
        let _ = write!(page, ".br\n.B tidegate {}\n.I {operands}\n", literal(name));
    }
    page.push_str(".SH DESCRIPTION\n");
    paragraphs(
        &mut page,
        &[
            "Tidegate is a message broker that any Redis client can use: queues (the list commands), \
         publish/subscribe and transactions, with policies for queues and channels. Data is in memory; with \
         `appendonly yes` it is in append files, too.",
            "Without a file it listens on 127.0.0.1 and ::1, port 6379, and keeps nothing on disk. The directives \
         are explained in tidegate.conf(5); each may be given on the command line with two dashes before it.",
        ],
    );
    page.push_str(".SH OPTIONS\n");
    for (call, explanation) in CALLS {
        let _ = write!(page, ".TP\n.B {}\n{}\n", literal(call), prose(&sentence(explanation)));
    }
    page.push_str(".SH SIGNALS\n");
    terms(
        &mut page,
        &[
            (
                "SIGTERM, SIGINT",
                "Stops: sends the last replies for at most five seconds, and completes the append \
                             files. The second one ends the process at once.",
            ),
            ("SIGHUP", "Reads the files of the TLS certificates and keys again."),
        ],
    );
    page.push_str(".SH EXIT STATUS\n");
    paragraphs(
        &mut page,
        &[
            "0 after a stop that was asked for; 1 if the settings are wrong, an address is in use, or the append \
         files cannot be loaded or written. `check` and `repair` have codes of their own, see above.",
        ],
    );
    page.push_str(".SH ENVIRONMENT\n");
    terms(
        &mut page,
        &[(
            "NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID",
            "With `supervised systemd` or `auto`: where the service manager hears of readiness, loading, reloads \
          and the end, and how often it wants to hear that the loop turns. See sd_notify(3).",
        )],
    );
    page.push_str(".SH COMMANDS\n");
    paragraphs(
        &mut page,
        &["Clients may send these commands. COMMAND DOCS explains their arguments."],
    );
    for (name, summary) in tidegate::command_summaries() {
        let _ = write!(page, ".TP\n.B {}\n{}\n", literal(&name), prose(summary));
    }
    page.push_str(
        ".SH SEE ALSO\n.BR tidegate.conf (5),\n.BR redis\\-cli (1),\n.BR systemd.service (5)\n",
    );
    page
}

/// tidegate.conf(5).
pub fn tidegate_conf() -> String {
    let mut page = head("TIDEGATE.CONF", 5, "File Formats");
    page.push_str(".SH NAME\ntidegate.conf \\- settings of tidegate\n.SH DESCRIPTION\n");
    paragraphs(
        &mut page,
        &[
            "A line is a directive and its value, or a comment after `#`. A value with spaces is quoted: in \
         double quotes with the escapes \\n, \\r, \\t, \\a, \\b, \\\\, \\\" and \\xHH, in single quotes with \\'. \
         Lengths may have a unit: 1k is 1000 bytes, 1kb is 1024 bytes, and so on with m, mb, g and gb. \
         `include PATH` reads another file. The last line for a directive wins, except for directives that \
         may be given many times; the command line wins over the file.",
            "Directives of Redis that are not here are accepted if nothing is lost by that, and otherwise refused \
         with a reason.",
            "Pages such as docs/tls.md come with the source, and are in /usr/share/doc/tidegate of the Debian package.",
        ],
    );
    page.push_str(".SH DIRECTIVES\n");
    for directive in directive_texts() {
        let _ = write!(
            page,
            ".TP\n.BI {} \" {}\"\n{}\n.br\nValid: {}. CONFIG SET: {}.\n",
            literal(directive.name),
            literal(directive.default).replace('"', "\\(dq"),
            prose(directive.doc),
            prose(&directive.valid),
            prose(directive.settable),
        );
    }
    page.push_str(".SH SEE ALSO\n.BR tidegate (1)\n");
    page
}

fn is_subcommand(call: &str) -> bool {
    call.starts_with(|c: char| c.is_ascii_lowercase()) || call.ends_with(" FILE")
}

fn head(name: &str, section: u8, volume: &str) -> String {
    format!(
        ".\\\" Made from the tables in the source by `UPDATE_PACKAGING=1 cargo test --test packaging`.\n\
         .TH {name} {section} \"\" \"Tidegate {VERSION}\" \"{volume}\"\n\
         .\\\" Left-adjusted, without hyphenation: names of directives are long.\n.ad l\n.nh\n"
    )
}

fn paragraphs(page: &mut String, texts: &[&str]) {
    for text in texts {
        let _ = write!(page, ".PP\n{}\n", prose(text));
    }
}

fn terms(page: &mut String, terms: &[(&str, &str)]) {
    for (term, text) in terms {
        let _ = write!(page, ".TP\n.B {}\n{}\n", literal(term), prose(text));
    }
}

/// A text of ours that begins with a small letter and has no full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    format!("{}{}.", first.map(String::from).unwrap_or_default(), letters.as_str())
}

/// Text to be shown as it is: a dash is the ASCII one, which can be copied.
fn literal(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}

/// Text with `code` in bold, in a single line that is no request.
fn prose(text: &str) -> String {
    let mut out = String::from("\\&");
    for (at, part) in text.split('`').enumerate() {
        if at % 2 == 1 {
            let _ = write!(out, "\\fB{}\\fR", literal(part));
            continue;
        }
        out.push_str(&part.replace('\\', "\\e").replace(" -", " \\-").replace('\'', "\\(aq"));
    }
    out
}
