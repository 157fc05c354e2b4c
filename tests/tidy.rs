//! What a newcomer relies on when finding the way: imports go one way, names say what things
//! are, files and functions stay small. Reads the sources as text.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from the lowest to the highest; those in one line do not know each other.
const ROOMS: &[&[&str]] = &[
    &["slack"],
    &["clock", "glob", "histogram", "line_limit", "queue", "client_id", "work", "flags"],
    &["policy"],
    &["settings", "resp", "deadlines", "stats", "slowlog", "persistence"],
    &["value"],
    &["host", "keyspace"],
    &["note"],
    &["channels", "clients", "effects"],
    &["state"],
    &["engine"],
    &["commands"],
    &["broker"],
    &["journal"],
    &["in_process"],
    &["server"],
    &["allocator", "launch", "offline"],
    &["main"],
];

/// How high a room is.
fn rank(room: &str) -> Option<usize> {
    ROOMS.iter().position(|line| line.contains(&room))
}

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
const BANNED_ENDINGS: &[&str] = &["Manager", "Handler", "Helper", "Util", "Utils"];

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the sources") {
            let path = entry.expect("an entry of the sources").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

/// The room that a file belongs to: its folder in `src`, or its own name.
fn room_of(path: &Path) -> String {
    let within = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let first = within.expect("a source file").components().next().expect("a name");
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_string()
}

/// The rooms that a line names after `crate::`.
fn rooms_named(line: &str) -> impl Iterator<Item = &str> {
    let ends = |c: char| !c.is_alphanumeric() && c != '_';
    line.split("crate::").skip(1).filter_map(move |rest| rest.split(ends).next())
}

#[test]
fn imports_go_one_way() {
    for (path, text) in sources("src") {
        let room = room_of(&path);
        if room == "lib" {
            continue;
        }
        let own = rank(&room).unwrap_or_else(|| panic!("{room} has no place among the rooms"));
        for (number, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for named in rooms_named(line).filter(|named| *named != room) {
                // `crate::Name` is the public API, which only `main` and tests use.
                let Some(other) = rank(named) else { continue };
                assert!(
                    other < own,
                    "{}:{}: {room} must not know {named}",
                    path.display(),
                    number + 1
                );
            }
        }
    }
}

#[test]
fn names_say_what_things_are() {
    for (path, text) in sources("src").into_iter().chain(sources("tests")) {
        if path.ends_with("tidy.rs") {
            continue;
        }
        for word in text.split(|c: char| !c.is_alphanumeric() && c != '_') {
            let banned = BANNED_ENDINGS.iter().any(|ending| word.ends_with(ending));
            assert!(!banned, "{}: {word} says nothing", path.display());
        }
    }
}

#[test]
fn files_and_functions_stay_small() {
    for (path, text) in sources("src") {
        // A table of cases may be long.
        if path.ends_with("tests.rs") {
            continue;
        }
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() <= FILE_LINES_MAX, "{} has {} lines", path.display(), lines.len());
        for (start, line) in lines.iter().enumerate() {
            let code = line.trim_start();
            let is_function = ["fn ", "pub fn ", "pub(super) fn ", "pub(crate) fn ", "const fn "]
                .iter()
                .any(|prefix| code.starts_with(prefix));
            if !is_function {
                continue;
            }
            // rustfmt closes a function in the column in which it opens.
            let closing = format!("{}}}", &line[..line.len() - code.len()]);
            let length = lines[start..].iter().position(|line| *line == closing).unwrap_or(0);
            assert!(
                length <= FUNCTION_LINES_MAX,
                "{}:{}: a function of {length} lines",
                path.display(),
                start + 1
            );
        }
    }
}

/// A value's type is asked for by name (`Queue::of`), so that a new type is met everywhere: only a match
/// over all of them may name the variants.
#[test]
fn values_are_matched_as_a_whole() {
    for (path, text) in sources("src") {
        if path.components().any(|part| part.as_os_str() == "value") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let names_variant = line.contains("Value::List(") || line.contains("Value::String(");
            let is_partial = ["if let ", "let ", "matches!("].iter().any(|way| line.contains(way));
            assert!(
                !(names_variant && is_partial && !line.trim_start().starts_with("//")),
                "{}:{}: {}",
                path.display(),
                number + 1,
                line.trim()
            );
        }
    }
}
