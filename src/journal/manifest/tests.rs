use super::*;
use crate::journal::memory::{Fault, MemoryDirectory};
use proptest::prelude::*;

const PREFIX: &str = "appendonly.aof";

fn entry(name: &str, seq: u64) -> Entry {
    Entry { name: name.to_string(), seq, is_checked: false }
}

/// One of our files.
fn checked(name: &str, seq: u64) -> Entry {
    Entry { is_checked: true, ..entry(name, seq) }
}

fn parse(text: &str) -> Manifest {
    Manifest::parse(text.as_bytes()).expect("a manifest")
}

fn error(text: &[u8]) -> String {
    Manifest::parse(text).expect_err("not a manifest").to_string()
}

#[test]
fn a_manifest_of_redis_reads_and_prints_the_same() {
    let text = "\
file appendonly.aof.2.base.rdb seq 2 type b
file appendonly.aof.1.incr.aof seq 1 type h
file appendonly.aof.2.incr.aof seq 2 type h
file appendonly.aof.4.incr.aof seq 4 type i
file appendonly.aof.7.incr.aof seq 7 type i
";
    let manifest = parse(text);
    assert_eq!(manifest.base, Some(entry("appendonly.aof.2.base.rdb", 2)));
    assert_eq!(manifest.history[1], entry("appendonly.aof.2.incr.aof", 2));
    assert_eq!(manifest.increments[1], entry("appendonly.aof.7.incr.aof", 7));
    assert_eq!(manifest.to_string(), text);
}

#[test]
fn comments_order_case_space_and_unknown_pairs_do_not_matter() {
    let manifest = parse(
        "# made by hand\n\
         type i seq 2 file b\r\n\
         #\n\
         \t FILE a  Seq 1 tYPE b startoffset 17 \"what else\" ''\n\
         # no end of line",
    );
    assert_eq!(manifest.to_string(), "file a seq 1 type b\nfile b seq 2 type i\n");
    assert_eq!(parse("# nothing\n"), Manifest::default());
}

#[test]
fn names_are_quoted_where_they_must_be() {
    let cases = [
        ("plain.aof", "plain.aof"),
        ("two words", "\"two words\""),
        ("a\"b", "\"a\\\"b\""),
        ("it's", "\"it's\""),
        ("tab\t", "\"tab\\x09\""),
        ("é", "\"\\xc3\\xa9\""),
        ("#", "#"),
    ];
    for (name, printed) in cases {
        let manifest = Manifest { base: Some(entry(name, 1)), ..Manifest::default() };
        let text = format!("file {printed} seq 1 type b\n");
        assert_eq!(manifest.to_string(), text);
        assert_eq!(parse(&text), manifest);
    }
    // As Redis writes it.
    assert_eq!(parse("file \"a\\tb\" seq 1 type i\n").increments[0].name, "a\tb");
}

#[test]
fn errors_say_where_and_what_was_expected() {
    let fields = "expected 'file NAME seq NUMBER type b|h|i', got no";
    let pairs = "expected pairs of a key and a value, with every quote closed";
    let seq = "expected a number from 1 to 4611686018427387904, got";
    let cases: &[(&[u8], &str)] = &[
        (b"", "line 1: expected a file name, got an empty manifest"),
        (
            b"file a seq 1 type b\nfile b seq 1 type",
            "line 2: expected the end of the line; the manifest may be truncated",
        ),
        (
            b"file a seq 1 type b",
            "line 1: expected the end of the line; the manifest may be truncated",
        ),
        (b"file a seq 1 type b\n\nfile b seq 1 type i\n", &format!("line 2: {pairs}")),
        (b" \r\n", &format!("line 1: {pairs}")),
        (b"file a seq 1 type\n", &format!("line 1: {pairs}")),
        (b"file \"a seq 1 type b\n", &format!("line 1: {pairs}")),
        (b"file \"a\"b seq 1 type b\n", &format!("line 1: {pairs}")),
        (b"file a seq 1 type b chucks TG1-4d6ec69c\n", "line 1: expected 'checks', got 'chucks'"),
        (b"file a seq 1 type b checks TG2\n", "line 1: expected 'checks TG1-4d6ec69c', got 'TG2'"),
        (b"file a\0 seq 1 type b\n", &format!("line 1: {pairs}")),
        (b" # file a seq 1 type b\n", &format!("line 1: {pairs}")),
        (b"file a seq 1\n", &format!("line 1: {fields} 'type'")),
        (b"file a type b\n", &format!("line 1: {fields} 'seq'")),
        (b"# c\nseq 1 type b\n", &format!("line 2: {fields} 'file'")),
        (b"file a file b seq 1 type b\n", "line 1: expected one 'file', got two"),
        (b"file a seq 1 type b SEQ 1\n", "line 1: expected one 'seq', got two"),
        (b"file a seq 1x type b\n", &format!("line 1: {seq} '1x'")),
        (b"file a seq +1 type b\n", &format!("line 1: {seq} '+1'")),
        (b"file a seq 0 type b\n", &format!("line 1: {seq} '0'")),
        (b"file a seq -1 type b\n", &format!("line 1: {seq} '-1'")),
        (b"file a seq '' type b\n", &format!("line 1: {seq} ''")),
        (
            b"file a seq 4611686018427387905 type b\n",
            &format!("line 1: {seq} '4611686018427387905'"),
        ),
        (
            b"file a seq 99999999999999999999 type b\n",
            &format!("line 1: {seq} '99999999999999999999'"),
        ),
        (
            b"file a seq 1 type x\n",
            "line 1: expected the type b (base), h (history) or i (increment), got 'x'",
        ),
        (
            b"file a seq 1 type base\n",
            "line 1: expected the type b (base), h (history) or i (increment), got 'base'",
        ),
        (
            b"file a seq 1 type b\nfile b seq 2 type b\n",
            "line 2: expected one base file, got a second",
        ),
        (
            b"file a seq 2 type i\nfile b seq 1 type h\nfile c seq 2 type i\n",
            "line 3: expected a number above 2, the previous increment's, got 2",
        ),
        (
            b"file a seq 1 type b\nfile a seq 1 type i\n",
            "line 2: expected each file once, got 'a' again",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(error(text), *expected);
    }
    for name in
        ["/etc/passwd", "../a", "a/b", "..", ".", "\"\"", "a\\\\b", "\"\\xff\"", "\"\\x00\""]
    {
        let text = error(format!("file {name} seq 1 type b\n").as_bytes());
        let expected = "line 1: expected a file name without a path, got '";
        assert!(text.starts_with(expected), "{name}: {text}");
    }
    let line = |length: usize| {
        let name = "a".repeat(length - "file  seq 1 type b\n".len());
        format!("file {name} seq 1 type b\n")
    };
    parse(&line(1024));
    assert_eq!(error(line(1025).as_bytes()), "line 1: expected at most 1024 bytes, got 1025");
}

#[test]
fn next_names_go_up_and_leave_the_history_alone() {
    let mut manifest = Manifest::default();
    assert_eq!(manifest.next_base(PREFIX), checked("appendonly.aof.1.base.aof", 1));
    assert_eq!(manifest.next_increment(PREFIX), checked("appendonly.aof.1.incr.aof", 1));
    manifest.base = Some(manifest.next_base(PREFIX));
    manifest.history = vec![checked("appendonly.aof.1.incr.aof", 1)];
    assert_eq!(manifest.next_base(PREFIX), checked("appendonly.aof.2.base.aof", 2));
    assert_eq!(manifest.next_increment(PREFIX), checked("appendonly.aof.2.incr.aof", 2));
    manifest.increments = vec![checked("appendonly.aof.8.incr.aof", 8)];
    assert_eq!(manifest.next_increment(PREFIX), checked("appendonly.aof.9.incr.aof", 9));
}

fn old() -> Manifest {
    parse("file a.1.base.aof seq 1 type b\nfile a.1.incr.aof seq 1 type i\n")
}

fn new() -> Manifest {
    parse(
        "file a.1.base.aof seq 1 type b\nfile a.1.incr.aof seq 1 type h\nfile a.2.incr.aof seq 2 type i\n",
    )
}

fn directory_with_old() -> MemoryDirectory {
    // A crash left the beginning of another.
    let left = [("a.manifest", old().to_string()), ("temp-a.manifest", "file a.9".to_string())];
    MemoryDirectory::with_files(left)
}

fn load(directory: &MemoryDirectory) -> Manifest {
    Manifest::load(directory, "a").expect("whole").expect("there")
}

#[test]
fn what_was_saved_loads_also_after_a_loss_of_power() {
    let directory = MemoryDirectory::new();
    assert_eq!(Manifest::load(&directory, "a").expect("nothing wrong"), None);
    for manifest in [old(), new()] {
        manifest.save(&directory, "a").expect("saved");
        assert_eq!(load(&directory), manifest);
        for seed in 0..100 {
            let after = directory.crash(seed);
            assert_eq!(load(&after), manifest);
            assert_eq!(after.list().expect("a list"), ["a.manifest"]);
        }
    }
}

#[test]
fn a_loss_of_power_at_any_moment_leaves_the_old_or_the_new() {
    let untouched = directory_with_old();
    new().save(&untouched, "a").expect("saved");
    let operations = untouched.operations();
    assert!(operations >= 5, "create, write, sync, rename, sync");
    let mut seen = [0, 0];
    for moment in 0..operations {
        let directory = directory_with_old();
        directory.inject(moment..u64::MAX, Fault::PowerOff);
        new().save(&directory, "a").expect_err("no power");
        for seed in 0..500 {
            let after = directory.crash(seed);
            let manifest = load(&after);
            assert!(manifest == old() || manifest == new(), "operation {moment}, seed {seed}");
            seen[usize::from(manifest == new())] += 1;
            new().save(&after, "a").expect("what is left over does not matter");
            assert_eq!(load(&after), new());
        }
    }
    assert!(seen[0] > 0 && seen[1] > 0);
}

#[test]
fn a_fault_at_any_moment_leaves_the_old_or_the_new() {
    for fault in [Fault::ShortWrite, Fault::NoSpace, Fault::WriteError, Fault::SyncError] {
        for moment in 0..8 {
            let directory = directory_with_old();
            directory.inject(moment..moment + 1, fault);
            let saved = new().save(&directory, "a");
            for seed in 0..200 {
                let manifest = load(&directory.crash(seed));
                let is_right = manifest == new() || saved.is_err() && manifest == old();
                assert!(is_right, "{fault:?} in operation {moment}, seed {seed}");
            }
            let after = directory.crash(moment);
            new().save(&after, "a").expect("the fault is over");
            assert_eq!(load(&after), new());
        }
    }
}

#[test]
fn the_first_save_leaves_none_or_the_new() {
    for moment in 0..5 {
        let directory = MemoryDirectory::new();
        directory.inject(moment..u64::MAX, Fault::PowerOff);
        new().save(&directory, "a").expect_err("no power");
        for seed in 0..200 {
            let loaded = Manifest::load(&directory.crash(seed), "a").expect("nothing wrong");
            assert!(loaded.is_none_or(|manifest| manifest == new()));
        }
    }
}

#[test]
fn what_could_not_be_read_back_is_not_saved() {
    let directory = directory_with_old();
    let mut doubled = old();
    doubled.increments.push(entry("a.2.incr.aof", 1));
    let path = Manifest { base: Some(entry("../a", 1)), ..Manifest::default() };
    let long = Manifest { base: Some(entry(&"a".repeat(1024), 1)), ..Manifest::default() };
    for manifest in [Manifest::default(), doubled, path, long] {
        let error = manifest.save(&directory, "a").expect_err("refused");
        assert!(matches!(error, ManifestError::Text { .. }));
    }
    assert_eq!(directory.operations(), 0);
    assert_eq!(load(&directory), old());
}

#[test]
fn errors_name_the_file() {
    let directory = MemoryDirectory::with_files([("a.manifest", "REDIS0010")]);
    let text = Manifest::load(&directory, "a").expect_err("foreign").to_string();
    assert!(text.starts_with("a.manifest: line 1: expected the end of the line"), "{text}");
    directory.inject(1..2, Fault::NoSpace);
    let text = old().save(&directory, "a").expect_err("a fault").to_string();
    assert!(text.starts_with("temp-a.manifest: "), "{text}");
    let text = old().save(&directory, "../a").expect_err("a path").to_string();
    assert!(text.contains("without a path"), "{text}");
    let endless = vec![b'#'; MANIFEST_BYTES_MAX as usize + 1];
    let directory = MemoryDirectory::with_files([("a.manifest", endless)]);
    let text = Manifest::load(&directory, "a").expect_err("too long").to_string();
    assert!(text.ends_with("expected at most 16777216 bytes of a manifest, got more"), "{text}");
}

#[test]
fn cut_anywhere_no_other_manifest_appears() {
    let text = new().to_string();
    for cut in 0..text.len() {
        match Manifest::parse(&text.as_bytes()[..cut]) {
            // At the end of a line nothing shows that there was more; but `save` never leaves such a
            // file.
            Ok(_) => assert_eq!(text.as_bytes()[cut - 1], b'\n'),
            Err(error) => assert!(text.as_bytes()[..cut].last() != Some(&b'\n'), "{error}"),
        }
    }
}

proptest! {
    #[test]
    fn any_names_come_back(names in prop::collection::btree_set("[^/\\\\\0]{1,40}", 1..8)) {
        prop_assume!(names.iter().all(|name| is_file_name(name)));
        let mut entries: Vec<_> = names.iter().zip(1..).map(|(name, seq)| entry(name, seq)).collect();
        let manifest = Manifest {
            base: entries.pop(),
            history: entries.pop().into_iter().collect(),
            increments: entries,
        };
        prop_assert_eq!(Manifest::parse(manifest.to_string().as_bytes()), Ok(manifest));
    }

    #[test]
    fn nothing_that_is_read_panics(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Manifest::parse(&text);
        let _ = Manifest::parse(&[b"file ", &text[..], b" seq 1 type b\n"].concat());
    }
}

#[test]
fn every_flipped_bit_of_the_word_checks_is_noticed() {
    let line = b"file a seq 1 type b checks TG1-4d6ec69c\n";
    assert!(Manifest::parse(line).is_ok());
    for position in 20 * 8..26 * 8 {
        let mut flipped = line.to_vec();
        flipped[position / 8] ^= 1 << (position % 8);
        // Keys are case-insensitive.
        let means_the_same = position % 8 == 5;
        let parsed = Manifest::parse(&flipped);
        assert_eq!(parsed.is_ok(), means_the_same, "{}", String::from_utf8_lossy(&flipped));
    }
}

/// As many files as a manifest of this size can name: comparing each with all others would take minutes.
#[test]
fn a_manifest_of_300000_lines_is_read_at_once() {
    let mut text = String::new();
    for number in 1..=300_000 {
        text += &format!("file {number}.incr.aof seq {number} type i\n");
    }
    let manifest = Manifest::parse(text.as_bytes()).expect("a manifest");
    assert_eq!(manifest.increments.len(), 300_000);
    text += "file 299999.incr.aof seq 300001 type i\n";
    let error = Manifest::parse(text.as_bytes()).expect_err("twice");
    assert_eq!(error.problem, Problem::Again("299999.incr.aof".into()));
}
