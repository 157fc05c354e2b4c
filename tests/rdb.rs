//! Data in Redis' binary format, as a broker loads it: files of real servers (`tests/rdb/make_fixtures`),
//! in pieces, cut off, damaged, and with lengths that are not true.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::path::Path;
use tidegate::broker::{Contents, RdbLoad, RdbSummary};
use tidegate::clock::Now;
use tidegate::rdb::crc64::Crc64;
use tidegate::rdb::{Problem, RdbError, ValueType};
use tidegate::settings::Settings;
use tidegate::{Broker, NoHost};

struct Counting;

thread_local! {
    /// Bytes allocated and not freed, and the most of them.
    static BYTES: Cell<(i64, i64)> = const { Cell::new((0, 0)) };
}

fn count(bytes: i64) {
    // While a thread ends, the counter may be gone.
    let _ = BYTES.try_with(|counted| {
        let (now, most) = counted.get();
        counted.set((now + bytes, most.max(now + bytes)));
    });
}

// SAFETY: the system's allocator does all of it; counting does not touch the memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const START: Now = Now { unix_us: 1_700_000_000_000_000, monotonic_us: 1_000_000 };
const NAMES: [&str; 5] = ["redis_7", "redis_8", "redis_7_types", "redis_8_types", "old"];

fn file(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rdb").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn broker(settings: &str) -> Broker {
    let settings = Settings::from_text(settings, "the test's settings").expect("valid settings");
    Broker::new(settings, 42, Box::new(NoHost), START)
}

/// Loads bytes in pieces of this size. Returns the number of bytes read.
fn load_into(
    broker: &mut Broker,
    bytes: &[u8],
    piece: usize,
    leaves_out: bool,
) -> Result<(usize, RdbSummary), RdbError> {
    let mut load = RdbLoad::new(leaves_out);
    let mut read = 0;
    for piece in bytes.chunks(piece) {
        read += broker.load_rdb(&mut load, piece)?;
    }
    match load.is_done() {
        true => Ok((read, load.summary().clone())),
        false => Err(load.cut_off()),
    }
}

/// What a broker has after loading bytes.
fn loaded(bytes: &[u8], piece: usize) -> Result<Contents, RdbError> {
    let mut broker = broker("");
    load_into(&mut broker, bytes, piece, true)?;
    broker.end_replay(START);
    broker.check_invariants();
    Ok(broker.contents())
}

/// What the server that wrote a file had.
fn expected(name: &str) -> Contents {
    let text = String::from_utf8(file(&format!("{name}.expected"))).expect("text");
    let bytes = |digits: &str| -> Vec<u8> {
        let pairs = (0..digits.len()).step_by(2).map(|at| &digits[at..at + 2]);
        pairs.map(|pair| u8::from_str_radix(pair, 16).expect("digits")).collect()
    };
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let (db, key) = (words[0].parse().expect("a number"), bytes(words[1]));
        let expires_ms = words[2].parse().ok().filter(|expires_ms| *expires_ms != -1);
        ((db, key), (words[4..].iter().map(|word| bytes(word)).collect(), expires_ms))
    };
    text.lines().map(line).collect()
}

#[test]
fn files_of_real_servers_are_loaded() {
    for name in NAMES {
        let (found, expected) = (loaded(&file(&format!("{name}.rdb")), 1 << 20), expected(name));
        let mut found = found.unwrap_or_else(|error| panic!("{name}: {error}"));
        // See `streams_of_real_servers_are_loaded`.
        found.retain(|(_, key), _| !key.ends_with(b"stream"));
        assert!(!expected.is_empty(), "{name}");
        for (key, value) in &expected {
            let shown = key.1.escape_ascii();
            assert_eq!(found.get(key), Some(value), "{name}: {shown} in database {}", key.0);
        }
        assert_eq!(found.len(), expected.len(), "{name}");
    }
}

#[test]
fn streams_of_real_servers_are_loaded() {
    for name in ["redis_7_types", "redis_8_types"] {
        let found = loaded(&file(&format!("{name}.rdb")), 1 << 20).expect("it loads");
        let words = |key: &str| -> String {
            let (words, _) = &found[&(0, key.as_bytes().to_vec())];
            let words = words.iter().map(|word| word.escape_ascii().to_string());
            words.collect::<Vec<_>>().join(" ")
        };
        // The last id, the highest deleted one, the number of entries ever added, the entries, the groups.
        assert_eq!(words("empty stream"), "1-1 1-1 1");
        let stream = words("stream");
        let last = stream.split(' ').next().and_then(|id| id.split('-').next()).expect("an id");
        let last: u64 = last.parse().expect("a number");
        let first = "1-1 field value 0 2-1 field value 1 4-1 field value 3 ";
        assert!(stream.starts_with(&format!("{last}-1 3-1 {last} {first}")), "{stream}");
        let empty = format!("group empty group {last}-1 -1");
        assert!(stream.contains(&empty), "{stream}");
        let groups = stream.split(" group group ").nth(1).expect("the other group");
        assert!(groups.starts_with("7-1 7 another consumer idle 1-1 "), "{groups}");
        let pending: Vec<&str> = groups.split(' ').skip(5).collect();
        let ids: Vec<&str> = pending.chunks(4).map(|words| words[0]).collect();
        assert_eq!(ids, ["1-1", "2-1", "3-1", "4-1", "5-1", "6-1", "7-1"]);
        let counts = pending.chunks(4).all(|words| words[2] == "1");
        assert!(counts, "each was delivered once: {pending:?}");
        let owners: Vec<&str> = pending.chunks(4).map(|words| words[3]).collect();
        assert_eq!(owners[4..6], ["consumer", "another"]);
    }
}

#[test]
fn pieces_make_no_difference() {
    for name in NAMES {
        let bytes = file(&format!("{name}.rdb"));
        let whole = loaded(&bytes, bytes.len()).expect("it loads");
        for piece in [1, 2, 3, 10, 1000] {
            assert!(loaded(&bytes, piece).as_ref() == Ok(&whole), "{name} in pieces of {piece}");
        }
    }
}

#[test]
fn bytes_behind_the_end_are_not_read() {
    let bytes = file("old.rdb");
    for piece in [1, 7, 1 << 20] {
        let more = [&bytes[..], b"*1\r\n"].concat();
        let (read, _) = load_into(&mut broker(""), &more, piece, false).expect("it loads");
        assert_eq!(read, bytes.len(), "in pieces of {piece}");
    }
}

#[test]
fn a_file_that_is_cut_off_is_noticed_at_every_byte() {
    for name in NAMES {
        let bytes = file(&format!("{name}.rdb"));
        let (mut broker, mut load) = (broker(""), RdbLoad::new(true));
        for (at, byte) in bytes.iter().enumerate() {
            assert!(!load.is_done(), "{name} at byte {at}");
            let error = load.cut_off();
            assert!(error.problem == Problem::CutOff && error.at <= at as u64, "{error:?}");
            assert_eq!(broker.load_rdb(&mut load, &[*byte]), Ok(1));
        }
        assert!(load.is_done(), "{name}");
    }
}

/// A short file with something of each form, without its checksum.
fn short() -> Vec<u8> {
    let mut bytes = b"REDIS0011\xfa\x01a\x01b\xfe\x01\xfb\x02\x01".to_vec();
    bytes.extend_from_slice(
        b"\x00\x01s\x05value\x00\x01n\xc0\x07\xfc\0\0\0\0\0\x01\0\0\x01\x01l\x02\x01a\xc1\x01\x02",
    );
    // A compressed string of 28 times 'z'.
    bytes.extend_from_slice(b"\x00\x01z\xc3\x05\x1c\x00z\xe0\x12\x00");
    let listpack = b"\x0f\0\0\0\x02\0\x82ab\x03\xc0\x80\x02\xff\xff";
    let listpack = [&[listpack.len() as u8 - 1][..], &listpack[1..listpack.len() - 1]].concat();
    bytes.extend_from_slice(b"\x12\x01q\x02\x01\x03abc\x02");
    bytes.push(listpack.len() as u8);
    bytes.extend_from_slice(&listpack);
    let ziplist = b"\x11\0\0\0\x0e\0\0\0\x02\0\0\x02ab\x04\xf2\xff";
    bytes.extend_from_slice(b"\x0a\x02zl");
    bytes.push(ziplist.len() as u8);
    bytes.extend_from_slice(ziplist);
    bytes.extend_from_slice(b"\x02\x03set\x01\x01m\x04\x01h\x01\x01f\x01v");
    // A sorted set, and what is left out: a hash with an expiring field.
    bytes.extend_from_slice(
        b"\x03\x01t\x01\x01m\xfe\x18\x02he\x01\x02\x03\x04\x05\x06\x07\x08\x01\x00\x01f\x01v\xff",
    );
    bytes
}

fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = Crc64::of(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

#[test]
fn any_damage_is_noticed_by_the_checksum() {
    let whole = with_checksum(short());
    assert_eq!(loaded(&whole, 1).expect("it loads").len(), 9);
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            let found = loaded(&damaged, 1 << 20);
            assert!(found.is_err(), "bit {bit} of byte {at}");
            assert!(loaded(&damaged, 1) == found, "bit {bit} of byte {at}, byte by byte");
        }
    }
}

/// A writer may leave the checksum out: then it is zero.
#[test]
fn damage_without_a_checksum_has_no_other_consequence() {
    let whole = [short(), vec![0; 8]].concat();
    assert_eq!(loaded(&whole, 1).expect("it loads").len(), 9);
    for at in 0..whole.len() {
        let byte = whole[at];
        for value in [byte ^ 1, byte ^ 0x10, byte ^ 0x80, !byte, 0, 0x7f, 0x80, 0xc3, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] = value;
            let found = loaded(&damaged, 1 << 20);
            assert!(loaded(&damaged, 3) == found, "{value} in byte {at}");
        }
    }
}

#[test]
fn an_error_names_the_key_the_type_and_the_place() {
    let error = |bytes: &[u8], settings: &str| {
        load_into(&mut broker(settings), bytes, 1 << 20, false).expect_err("refused")
    };
    let at = short().windows(3).rposition(|three| three == b"\x02he").expect("it is there") as u64;
    let refused = error(&short(), "");
    assert_eq!(refused.problem, Problem::UnsupportedType(ValueType::HashMetadata));
    assert_eq!(
        refused.to_string(),
        format!(
            "byte {at}: key 'he' in database 1: a value of type hash (type 24) is not supported; \
             replica-ignore-unsupported-keys yes leaves it out"
        )
    );
    let refused = error(&short(), "databases 1").to_string();
    assert!(refused.contains("database 1, but only 1 databases"), "{refused}");
    let library = match cfg!(feature = "lua") {
        true => "ERR Missing library metadata",
        false => "a function library is not supported",
    };
    for (start, problem) in [
        (&b"REDIS0004"[..], "expected a version from 5 to 12 of the format, got 4"),
        (b"REDIS0013", "expected a version from 5 to 12 of the format, got 13"),
        (b"REDIS00x1", "expected 'REDIS' or 'VALKEY' and a version, got something else"),
        (b"REDIS0009\xf5\x03lib", library),
        (b"REDIS0009\x06", "expected a key, a field or the end, got byte 0x06"),
        (b"REDIS0009\x00\x01k\x01v\x00\x01k\x01w", "key 'k' in database 0: it is there twice"),
        (b"REDIS0009\x12\x01k\x01\x03\x01v", "expected a part of a list, got container 3"),
        (b"REDIS0009\xfa\x08tidegate\x17*2\r\n$8\r\ntidegate\r\n$1\r\nx", "byte"),
    ] {
        let refused = load_into(&mut broker(""), start, 1 << 20, false).expect_err("refused");
        assert!(refused.to_string().contains(problem), "{refused}");
    }
}

#[test]
fn what_is_left_out_is_counted() {
    for (name, left_out) in [("redis_7_types", 0), ("redis_8_types", 2)] {
        let bytes = file(&format!("{name}.rdb"));
        let (_, summary) = load_into(&mut broker(""), &bytes, 1 << 20, true).expect("it loads");
        let functions = u64::from(!cfg!(feature = "lua"));
        assert_eq!((summary.left_out, summary.left_out_functions), (left_out, functions), "{name}");
        // Two are streams.
        assert_eq!(summary.keys as usize, expected(name).len() + 2, "{name}");
    }
}

/// A claimed length allocates nothing: memory follows the bytes that have arrived.
#[test]
fn memory_grows_with_the_bytes_that_arrive() {
    let claims: &[&[u8]] = &[
        // A string, a key, the name of a field, a compressed string; then numbers of elements and parts.
        b"\x00\x01k\x81\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x00\x80\xff\xff\xff\xff",
        b"\xfa\x81\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x00\x01k\xc3\x80\xff\xff\xff\xff\x80\xff\xff\xff\xff",
        b"\x01\x01k\x81\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x0e\x01k\x81\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x12\x01k\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01\x81\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x02\x01k\x81\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x15\x01k\x81\xff\xff\xff\xff\xff\xff\xff\xff\x81\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xfb\x81\xff\xff\xff\xff\xff\xff\xff\xff\x81\xff\xff\xff\xff\xff\xff\xff\xff",
    ];
    for claim in claims {
        let bytes = [b"REDIS0011", *claim, &[0; 50_000]].concat();
        let (mut broker, mut load) = (broker(""), RdbLoad::new(true));
        let before = BYTES.with(|counted| {
            let (now, _) = counted.get();
            counted.set((now, now));
            now
        });
        // Some are damaged further on.
        let _ =
            bytes.chunks(1000).try_for_each(|piece| broker.load_rdb(&mut load, piece).map(drop));
        let (_, most) = BYTES.with(Cell::get);
        let grown = most - before;
        assert!(grown < 4 * bytes.len() as i64 + 20_000, "{}: {grown}", claim.escape_ascii());
    }
}

/// Lists with the names of hidden lists, and notes, go the way of the commands in append files.
#[test]
fn hidden_lists_and_notes_are_replayed() {
    let policies = "queue-policy p q delivery at-least-once acknowledge next-pop";
    let note = b"*2\r\n$8\r\ntidegate\r\n$7\r\nstopped\r\n";
    let mut bytes =
        b"REDIS0009\x01\x0aq:inflight\x02\x01a\x01b\x01\x01q\x01\x01c\xfa\x08tidegate".to_vec();
    bytes.push(note.len() as u8);
    bytes.extend_from_slice(note);
    bytes.push(0xff);
    let bytes = with_checksum(bytes);
    let mut broker = broker(policies);
    load_into(&mut broker, &bytes, 1, false).expect("it loads");
    let hidden = broker.hidden_contents();
    assert_eq!(hidden[&(0, b"q:inflight".to_vec())].0, [b"a".to_vec(), b"b".to_vec()]);
    broker.end_replay(START);
    broker.check_invariants();
    let messages = &broker.contents()[&(0, b"q".to_vec())].0;
    assert_eq!(messages.concat(), b"abc");
}
