//! Rules that help newcomers find their way: imports go one way, names are descriptive, files and
//! functions stay small. Reads the sources as text.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The modules from the lowest to the highest; those in one line do not import each other.
const MODULES: &[&[&str]] = &[
    &["slack", "tree", "block"],
    &[
        "clock",
        "exposition",
        "glob",
        "histogram",
        "line_limit",
        "queue",
        "client_id",
        "work",
        "flags",
        "quotes",
        "key",
        "library",
        "sha1",
    ],
    &["policy", "acl"],
    &["departure", "pauses", "settings", "resp", "deadlines", "stats", "slowlog"],
    &["note", "persistence", "rdb", "dict"],
    &["value"],
    &["effects"],
    &["host", "keyspace", "scripting", "scripting_absent"],
    &["channels", "command_error", "snapshot"],
    &["replication", "busy_script"],
    &["clients"],
    &["state"],
    &["queueing", "figures"],
    &["engine"],
    &["commands"],
    &["broker"],
    &["journal"],
    &["in_process"],
    &["http", "http_absent"],
    &["server"],
    &["allocator", "launch", "offline"],
    &["config_check", "top", "top_absent"],
    &["main"],
];

/// Files that import each other in a circle. This list only gets shorter.
const CIRCLES_LEFT: &[&[&str]] = &[
    // A row names its function, and a function gets its row and the table.
    &["engine/command", "engine/context", "engine/table"],
];

/// The rank of a module.
fn rank(module: &str) -> Option<usize> {
    MODULES.iter().position(|line| line.contains(&module))
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

/// The module of a file: its folder in `src`, or its own name.
fn top_module_of(path: &Path) -> String {
    let within = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let first = within.expect("a source file").components().next().expect("a name");
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_string()
}

/// The modules named after `crate::` in a line.
fn modules_named(line: &str) -> impl Iterator<Item = &str> {
    let ends = |c: char| !c.is_alphanumeric() && c != '_';
    line.split("crate::").skip(1).filter_map(move |rest| rest.split(ends).next())
}

#[test]
fn imports_go_one_way() {
    for (path, text) in sources("src") {
        let module = top_module_of(&path);
        if module == "lib" {
            continue;
        }
        let own =
            rank(&module).unwrap_or_else(|| panic!("{module} has no place among the modules"));
        for (number, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for named in modules_named(line).filter(|named| *named != module) {
                // `crate::Name` is the public API, used only by `main` and tests.
                let Some(other) = rank(named) else { continue };
                assert!(
                    other < own,
                    "{}:{}: {module} must not import {named}",
                    path.display(),
                    number + 1
                );
            }
        }
    }
}

/// The imports of a file: whether it re-exports it, and the path from the root of the library.
type Imports = Vec<(bool, String)>;

/// A file as others import it: `settings/value`, or `settings` for `settings/mod.rs`.
fn module_of(path: &Path) -> String {
    let within = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let name = within.expect("a source file").with_extension("");
    let name = name.to_str().expect("names in UTF-8");
    name.strip_suffix("/mod").unwrap_or(name).to_string()
}

/// The paths in a tree such as `a::{b, c::{d, e}}`.
fn paths_in(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((prefix, rest)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or(tree);
        return vec![path.trim_end_matches("::*").to_string()];
    };
    let inner = rest.trim_end().strip_suffix('}').expect("a tree that ends");
    let mut depth = 0;
    let branches = inner.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    let branches = branches.filter(|branch| !branch.trim().is_empty());
    branches.flat_map(paths_in).map(|path| format!("{prefix}{path}")).collect()
}

/// A path from the root of the library, with slashes; `None` for another crate.
fn from_root(module: &str, path: &str, modules: &BTreeSet<String>) -> Option<String> {
    let mut parts = path.split("::").peekable();
    let mut base: Vec<&str> = module.split('/').collect();
    match *parts.peek()? {
        "crate" => base.clear(),
        "self" => {}
        "super" => {
            while parts.next_if_eq(&"super").is_some() {
                base.pop();
            }
            return Some(base.into_iter().chain(parts).collect::<Vec<_>>().join("/"));
        }
        first if modules.contains(&format!("{module}/{first}")) => {
            return Some(base.into_iter().chain(parts).collect::<Vec<_>>().join("/"));
        }
        _ => return None,
    }
    parts.next();
    Some(base.into_iter().chain(parts).collect::<Vec<_>>().join("/"))
}

/// The imports of a file's code, without its tests.
fn imports_of(module: &str, text: &str, modules: &BTreeSet<String>) -> Imports {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    let code: String = code.lines().map(|line| line.split("//").next().unwrap_or(line)).collect();
    let mut imports = Imports::new();
    for statement in code.split(';') {
        // A statement may follow others that end with a brace.
        let Some(at) = statement.rfind("use ") else { continue };
        let before = statement[..at].trim_end();
        let visibility = before.rsplit([' ', '}', ']']).next().unwrap_or("");
        let passes_on = visibility == "pub" || visibility.starts_with("pub(");
        let is_import = passes_on || before.is_empty() || before.ends_with(['}', ']', '{']);
        let tree = &statement[at + "use ".len()..];
        if is_import {
            let paths = paths_in(tree).into_iter();
            let found = paths.filter_map(|path| from_root(module, &path, modules));
            imports.extend(found.map(|path| (passes_on, path)));
        }
    }
    imports
}

/// The file that defines what a path names, beyond those that re-export it.
fn source_of(path: &str, all: &BTreeMap<String, Imports>) -> Option<String> {
    let mut path = path.to_string();
    for _ in 0..10 {
        let mut module = path.as_str();
        while !all.contains_key(module) {
            module = module.rsplit_once('/')?.0;
        }
        let name = path[module.len()..].trim_start_matches('/').split('/').next().unwrap_or("");
        let is_same = |import: &&(bool, String)| import.1.rsplit('/').next() == Some(name);
        match all[module].iter().filter(|_| !name.is_empty()).find(is_same) {
            Some((_, next)) if *next != path => path = next.clone(),
            _ => return Some(module.to_string()),
        }
    }
    None
}

/// All files that a file imports, directly or indirectly.
fn reachable<'a>(
    from: &'a str,
    edges: &'a BTreeMap<String, BTreeSet<String>>,
) -> BTreeSet<&'a str> {
    let (mut found, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(module) = next.pop() {
        for other in &edges[module] {
            if found.insert(other.as_str()) {
                next.push(other);
            }
        }
    }
    found
}

#[test]
fn files_do_not_import_each_other_in_circles() {
    let texts = sources("src").into_iter().map(|(path, text)| (module_of(&path), text));
    let is_code = |module: &str| !matches!(module, "lib" | "main") && !module.ends_with("tests");
    let texts: BTreeMap<String, String> = texts.filter(|(module, _)| is_code(module)).collect();
    let modules: BTreeSet<String> = texts.keys().cloned().collect();
    let all: BTreeMap<String, Imports> = texts
        .iter()
        .map(|(module, text)| (module.clone(), imports_of(module, text, &modules)))
        .collect();
    let edges: BTreeMap<String, BTreeSet<String>> = all
        .iter()
        .map(|(module, imports)| {
            // Re-exporting a folder's own files is not using them.
            let own = format!("{module}/");
            let used =
                imports.iter().filter(|(passes_on, path)| !passes_on || !path.starts_with(&own));
            let used = used.filter_map(|(_, path)| source_of(path, &all));
            (module.clone(), used.filter(|other| other != module).collect())
        })
        .collect();
    assert!(edges["commands/list"].contains("engine/command"), "imports are not found");
    assert!(edges["server/turn"].contains("broker/turn"), "imports are not found");
    for module in edges.keys() {
        let circle: BTreeSet<&str> = reachable(module, &edges)
            .into_iter()
            .filter(|other| reachable(other, &edges).contains(module.as_str()))
            .collect();
        let is_left = CIRCLES_LEFT.iter().any(|left| circle.iter().all(|file| left.contains(file)));
        assert!(is_left, "files that import each other, in a circle: {circle:?}");
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
        // Tables of cases may be long.
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
            // rustfmt closes a function in the column where it opens.
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

/// A value's type is requested by name (`Queue::of`), so that a new type is handled everywhere: only a
/// match over all variants may name them.
#[test]
fn values_are_matched_as_a_whole() {
    for (path, text) in sources("src") {
        // The values of scripts are Lua's.
        let others = ["value", "scripting"];
        if path.components().any(|part| others.iter().any(|other| part.as_os_str() == *other)) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let names_variant = ["List(", "String(", "Hash(", "Set(", "SortedSet(", "Stream("]
                .iter()
                .any(|variant| line.contains(&format!("Value::{variant}")));
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
