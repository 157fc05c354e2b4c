//! Files for packages are made from the tables of settings and commands: the example of a configuration
//! file, the manual pages, the completions of shells. `UPDATE_PACKAGING=1 cargo test --test packaging`
//! writes them.

mod completions;
mod conf;
mod manual;
#[path = "../server_support/mod.rs"]
mod server_support;

use server_support::Process;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tidegate::settings::{Settings, directive_texts};

/// What the package sets otherwise than the program: a service keeps its messages, in places of its own.
const PACKAGED: &[(&str, &str)] = &[
    ("appendonly", "yes"),
    ("dir", "/var/lib/tidegate"),
    ("logfile", "/var/log/tidegate/tidegate.log"),
];

fn files() -> [(&'static str, String); 7] {
    [
        ("tidegate.conf", conf::text(&[])),
        ("packaging/debian/tidegate.conf", conf::text(PACKAGED)),
        ("packaging/man/tidegate.1", manual::tidegate()),
        ("packaging/man/tidegate.conf.5", manual::tidegate_conf()),
        ("packaging/completions/tidegate.bash", completions::bash()),
        ("packaging/completions/_tidegate", completions::zsh()),
        ("packaging/completions/tidegate.fish", completions::fish()),
    ]
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn files_are_up_to_date() {
    conf::check();
    for (name, text) in files() {
        if std::env::var_os("UPDATE_PACKAGING").is_some() {
            fs::write(path(name), &text).expect("the file can be written");
        }
        let found = fs::read_to_string(path(name)).unwrap_or_default();
        assert!(
            found == text,
            "{name} is outdated: UPDATE_PACKAGING=1 cargo test --test packaging"
        );
    }
}

#[test]
fn the_package_has_this_version() {
    let text = fs::read_to_string(path("packaging/debian/changelog")).expect("the changelog");
    let expected = format!("tidegate ({}-1) ", env!("CARGO_PKG_VERSION"));
    assert!(
        text.starts_with(&expected),
        "packaging/debian/changelog does not begin with {expected}"
    );
}

/// Each directive is there once, with the value that it has without the file.
#[test]
fn the_example_has_every_directive_with_its_real_default() {
    let text = conf::text(&[]);
    let default = Settings::default();
    for directive in directive_texts() {
        let begin = format!("#{} ", directive.name);
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with(&begin)).collect();
        let [line] = lines.as_slice() else { panic!("{}: {lines:?}", directive.name) };
        let settings = Settings::from_text(&line[1..], "the example");
        let settings = settings.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(values(&settings), values(&default), "{line}");
    }
}

/// All values, but not which of them a file gave: that comes last.
fn values(settings: &Settings) -> String {
    let text = format!("{settings:?}");
    text.rsplit_once(", given: ").expect("the field `given`").0.to_owned()
}

#[test]
fn the_examples_within_it_are_valid() {
    for (name, example) in conf::EXAMPLES {
        assert!(example.starts_with(&format!("{name} ")), "{example}");
        if let Err(error) = Settings::from_text(example, "the example") {
            panic!("{error}");
        }
    }
}

#[test]
fn the_program_starts_with_the_example() {
    let file = path("tidegate.conf").display().to_string();
    let process = Process::start_with(&[&file, "--port", "0", "--bind", "127.0.0.1"]);
    assert_eq!(process.client().ask("PING"), "+PONG");
}

/// Bash completes words, directives, and the values of a directive.
#[test]
fn bash_completes() {
    let script = path("packaging/completions/tidegate.bash");
    let complete = |words: &[&str]| {
        let words_typed = words.join("' '");
        let script = format!(
            "source '{}' && COMP_WORDS=('{words_typed}') && COMP_CWORD={} && _tidegate && \
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            script.display(),
            words.len() - 1
        );
        let output = Command::new("bash").args(["--norc", "-euc", &script]).output().expect("bash");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && error.is_empty(), "{words:?}: {error}");
        let text = String::from_utf8(output.stdout).expect("text");
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(complete(&["tidegate", "chec"]), ["check"]);
    assert_eq!(complete(&["tidegate", "--append-res"]), ["--append-reserve"]);
    assert_eq!(complete(&["tidegate", "a.conf", "--appendfsync", "al"]), ["always"]);
    let all = complete(&["tidegate", "--"]);
    assert!(directive_texts().all(|d| all.contains(&format!("--{}", d.name))), "{all:?}");
    let here = complete(&["tidegate", "check", "/etc/defau"]);
    assert!(here.is_empty() || here == ["/etc/default"], "{here:?}");
}

/// The shells and the reader of manual pages find no fault, where they are installed.
#[test]
fn the_tools_that_read_them_accept_them() {
    let checks: &[(&str, &[&str], &str)] = &[
        ("bash", &["-n"], "packaging/completions/tidegate.bash"),
        ("zsh", &["-n"], "packaging/completions/_tidegate"),
        ("fish", &["--no-execute"], "packaging/completions/tidegate.fish"),
        ("man", &["--warnings", "-l"], "packaging/man/tidegate.1"),
        ("man", &["--warnings", "-l"], "packaging/man/tidegate.conf.5"),
    ];
    for (program, arguments, file) in checks {
        let mut command = Command::new(program);
        command.args(*arguments).arg(path(file));
        command.env("MANPAGER", "cat").env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80");
        let output = match command.output() {
            Ok(output) => output,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => panic!("{program}: {error}"),
        };
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && error.is_empty(), "{program} {file}: {error}");
    }
}
