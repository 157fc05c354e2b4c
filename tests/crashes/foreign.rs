//! Files written by Redis, or continued by it.

use super::small_directory::{error_of, files, small_directory};
use super::world::{START, contents, load};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tidegate::journal::inspect;
use tidegate::journal::memory::MemoryDirectory;

#[test]
fn append_files_of_redis_are_loaded() {
    let redis = "#TS:1700000000\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$5\r\nRPUSH\r\n$1\r\nq\r\n$1\r\na\r\n\
                 *1\r\n$5\r\nMULTI\r\n*3\r\n$5\r\nRPUSH\r\n$1\r\nq\r\n$1\r\nb\r\n*1\r\n$4\r\nEXEC\r\n";
    let files_of = |base: &str, increment: &str| {
        let manifest = "file appendonly.aof.1.base.aof seq 1 type b\n\
                        file appendonly.aof.1.incr.aof seq 1 type i\n";
        [("appendonly.aof.1.base.aof", base), ("appendonly.aof.1.incr.aof", increment)]
            .into_iter()
            .chain([("appendonly.aof.manifest", manifest)])
            .map(|(name, text)| (name.to_string(), text.as_bytes().to_vec()))
            .collect::<Vec<_>>()
    };
    let directory = MemoryDirectory::with_files(files_of(redis, &redis.replace('q', "p")));
    let (broker, _) = load(&directory, "", START).expect("it loads");
    assert_eq!(broker.message_count(), 4);

    // A transaction without its end is a torn tail.
    let torn = &redis[..redis.len() - 14];
    let found = contents(&MemoryDirectory::with_files(files_of("", torn)), "").expect("it loads");
    assert_eq!(found.values().map(|(messages, _)| messages.len()).sum::<usize>(), 1);

    let rdb = error_of(files_of("REDIS0010xyz", redis));
    let expected =
        "appendonly.aof.1.base.aof: byte 9: expected a key, a field or the end, got byte 0x78";
    assert!(rdb.contains(expected), "{rdb}");
    let strange = error_of(files_of("", "*2\r\n$3\r\nGET\r\n$1\r\nx\r\n"));
    assert!(strange.contains("appendonly.aof.1.incr.aof: byte 0: 'GET'"), "{strange}");
}

/// The base of Redis' append files is a snapshot in its binary format; commands may follow in the same file.
#[test]
fn a_base_in_the_format_of_redis_is_loaded() {
    let file = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rdb").join(name);
        fs::read(path).expect("a file of a real server")
    };
    let push = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$5\r\nRPUSH\r\n$3\r\none\r\n$1\r\na\r\n";
    let files_of = |base: &[u8]| {
        let manifest = "file appendonly.aof.1.base.rdb seq 1 type b\n\
                        file appendonly.aof.1.incr.aof seq 1 type i\n";
        vec![
            ("appendonly.aof.1.base.rdb".to_string(), base.to_vec()),
            ("appendonly.aof.1.incr.aof".to_string(), push.to_vec()),
            ("appendonly.aof.manifest".to_string(), manifest.as_bytes().to_vec()),
        ]
    };
    let base = file("old.rdb");
    let directory = MemoryDirectory::with_files(files_of(&[&base, &push[..]].concat()));
    let (broker, _) = load(&directory, "", START).expect("it loads");
    assert_eq!(broker.contents()[&(0, b"one".to_vec())].0, [b"a", b"a"]);
    assert_eq!(broker.contents().len(), 6);
    let shared = || Arc::new(MemoryDirectory::with_files(files_of(&base)));
    let check = |directory| inspect::check(directory, "appendonly.aof", &mut |_, _| ());
    let findings = check(shared()).expect("it can be read");
    assert!(findings.problem.is_none(), "{findings:?}");
    assert_eq!(findings.files[0].rdb_bytes, base.len() as u64);

    // A damaged one cannot be repaired, since its end is the only proof that it is whole.
    for (damaged, reason) in [
        (&base[..base.len() - 20], "appendonly.aof.1.base.rdb: byte "),
        (&base[..10], "appendonly.aof.1.base.rdb: byte 10: the end is missing"),
        (&[&base[..base.len() - 1], b"x"].concat(), "expected the checksum"),
    ] {
        let error = error_of(files_of(damaged));
        assert!(error.contains(reason), "{error}");
        let directory = Arc::new(MemoryDirectory::with_files(files_of(damaged)));
        let repaired = inspect::repair(directory.clone(), "appendonly.aof", "1", &mut |_, _| ());
        assert_eq!(repaired.expect_err("it stays as it is").to_string(), error);
        assert_eq!(files(&directory), files_of(damaged));
    }

    let types = files_of(&file("redis_8_types.rdb"));
    let error = error_of(types.clone());
    assert!(error.contains("is not supported") || error.contains("a function library"), "{error}");
    let directory = MemoryDirectory::with_files(types);
    let found = contents(&directory, "databases 16\nreplica-ignore-unsupported-keys yes");
    assert!(found.expect("it loads").contains_key(&(0, b"end after".to_vec())));
}

#[test]
fn commands_appended_by_redis_need_a_setting() {
    let (directory, expected) = small_directory();
    let mut all = files(&directory);
    let last = all.iter_mut().find(|(name, _)| name.contains(".incr.")).expect("an increment");
    last.1.extend_from_slice(
        b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$5\r\nRPUSH\r\n$1\r\nr\r\n$1\r\na\r\n",
    );
    let error = error_of(all.clone());
    assert!(error.contains("aof-load-unverified"), "{error}");
    let directory = MemoryDirectory::with_files(all);
    let (broker, _) = load(&directory, "aof-load-unverified yes", START).expect("it loads");
    assert_eq!(broker.contents().len(), expected.len() + 1);
}
