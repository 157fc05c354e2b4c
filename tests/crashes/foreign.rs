//! Files written by Redis, or continued by it.

use super::small_directory::{error_of, files, small_directory};
use super::world::{START, contents, load};
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
    assert!(rdb.contains("aof-use-rdb-preamble no and BGREWRITEAOF"), "{rdb}");
    let strange = error_of(files_of("", "*2\r\n$3\r\nGET\r\n$1\r\nx\r\n"));
    assert!(strange.contains("appendonly.aof.1.incr.aof: byte 0: 'GET'"), "{strange}");
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
