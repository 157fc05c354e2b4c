use super::table;
use crate::engine::{Found, NAME_BYTES_MAX};
use crate::resp::OwnedRequest;
use std::collections::BTreeSet;

#[test]
fn every_row_is_whole() {
    let mut names = BTreeSet::new();
    for Found { command, .. } in table().all() {
        assert!(names.insert(command.name), "{} is there twice", command.name);
        assert!(command.name.len() < NAME_BYTES_MAX);
        assert_eq!(command.name, command.name.to_ascii_lowercase());
        let has_letters_only = command.name.bytes().all(|byte| byte.is_ascii_lowercase());
        // Names of four to eight bytes are compared without regard to bit 5.
        let is_packed = (4..=8).contains(&command.name.len());
        assert!(!is_packed || has_letters_only || command.name.contains('|'));
        assert!(command.arity != 0 && !command.summary.is_empty(), "{}", command.name);
        let has_subcommands = !command.subcommands.is_empty();
        assert!(command.run.is_some() || has_subcommands, "{} does nothing", command.name);
        for subcommand in command.subcommands {
            assert!(subcommand.name.starts_with(&format!("{}|", command.name)));
        }
    }
}

#[test]
fn names_are_found_in_any_case() {
    let table = table();
    assert_eq!(table.find(b"rPuSh").map(|found| found.command.name), Some("rpush"));
    assert_eq!(table.find(b"DeL").map(|found| found.command.name), Some("del"));
    assert_eq!(table.find(b"PSUBscribe").map(|found| found.command.name), Some("psubscribe"));
    for name in [&b"client|list"[..], b"", b"l", b"lpo", b"lpop ", b"lpop\0", b"lp\x0fp", b"\0lpop"]
    {
        assert!(table.find(name).is_none(), "{}", name.escape_ascii());
    }
    assert!(table.find(&[b'x'; 100]).is_none());
    let client = table.find(b"CLIENT").expect("CLIENT is in the table");
    let list = table.find_subcommand(client, b"List").expect("CLIENT LIST is in the table");
    assert_eq!(list.command.name, "client|list");
    assert_eq!(table.find_full(b"CLIENT|LIST").map(|found| found.index), Some(list.index));
}

#[test]
fn a_row_says_what_arguments_there_are() {
    for Found { command, .. } in table().all() {
        let own = if command.name.contains('|') { 2 } else { 1 };
        let is_plain = command.arity == own || !command.subcommands.is_empty();
        // QUIT takes whatever it is given; DEBUG is for those who know.
        let is_exempt = ["quit", "debug"].contains(&command.name);
        assert!(is_plain || !command.args.is_empty() || is_exempt, "{}", command.name);
    }
}

fn keys(text: &str) -> Option<Vec<String>> {
    let request = OwnedRequest::from_args(text.split(' ').map(str::as_bytes));
    let request = request.as_request();
    let found = table().find(&request[0]).expect("the command is in the table");
    let keys = found.command.keys.of(&request)?;
    Some(keys.iter().map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect())
}

#[test]
fn keys_are_found_wherever_they_are() {
    let cases: &[(&str, &[&str])] = &[
        ("rpush q a b", &["q"]),
        ("lmove a b left right", &["a", "b"]),
        ("blpop a b 0", &["a", "b"]),
        ("watch a b", &["a", "b"]),
        ("lmpop 2 a b left", &["a", "b"]),
        ("blmpop 0 2 a b left", &["a", "b"]),
    ];
    for (text, expected) in cases {
        let found = keys(text).unwrap_or_default();
        assert_eq!(found, *expected, "{text}");
    }
    for bad in ["lmpop 9 a b left", "lmpop x a b left", "lmpop 0 a b left", "lmpop -1 a left"] {
        assert_eq!(keys(bad), None, "{bad}");
    }
}
