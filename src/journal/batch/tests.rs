use super::*;
use crate::journal::files::{Directory, write_all};
use crate::journal::memory::MemoryDirectory;
use crate::journal::rest::{LaterBatch, Rest, Verdict};
use proptest::prelude::*;
use std::io::Read;

const NAME: &str = "appendonly.aof.1.incr.aof";

fn command(args: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

fn push(message: &[u8]) -> Vec<u8> {
    command(&[b"RPUSH", b"jobs", message])
}

/// A file, and where each of its batches ends, the opening first.
struct Written {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// Batches of these commands. Each is written when all before it are durable, or all without a sync.
fn written(batches: &[Vec<u8>], is_synced: bool) -> Written {
    let (mut sealer, opening) = Sealer::begin(NAME);
    let mut file = Written { ends: vec![opening.len()], bytes: opening };
    for commands in batches {
        let mut batch = commands.clone();
        let durable = if is_synced { sealer.at() } else { 0 };
        sealer.seal(&mut batch, durable);
        file.bytes.extend(batch);
        file.ends.push(file.bytes.len());
        assert_eq!(sealer.at(), file.bytes.len() as u64);
    }
    file
}

fn small_file(is_synced: bool) -> Written {
    let batches = [
        push(b"paint"),
        [push(b"\r\n*1\r\n$4\r\nPING\r\n"), push(b"")].concat(),
        Vec::new(),
        command(&[b"SELECT", b"1"]),
        push(&[0, 255, 13, 10]),
    ];
    written(&batches, is_synced)
}

/// What a loader gets from a file: the commands of all batches up to a break, its offset, and its
/// meaning.
#[derive(Debug, PartialEq)]
struct Loaded {
    commands: Vec<u8>,
    kept: usize,
    verdict: Option<Verdict>,
}

fn load(bytes: &[u8], name: &str) -> Loaded {
    let mut loaded = Loaded { commands: Vec::new(), kept: 0, verdict: None };
    let mut chain = first_chain(name);
    loop {
        let kept = loaded.kept as u64;
        match next_batch(&bytes[loaded.kept..], kept, chain) {
            Next::Batch(batch) => {
                assert!(batch.durable <= kept && !batch.is_last);
                loaded.commands.extend_from_slice(batch.commands);
                loaded.kept = batch.end as usize;
                chain = batch.chain;
            }
            Next::End => return loaded,
            Next::Partial => break,
            Next::Broken { at, .. } => {
                assert!(at >= kept && at < bytes.len() as u64);
                break;
            }
        }
    }
    loaded.verdict = Some(judge(&bytes[loaded.kept..], loaded.kept as u64));
    loaded
}

/// A file with `rest` after `kept` arbitrary bytes.
fn stored(rest: &[u8], kept: u64) -> MemoryDirectory {
    let directory = MemoryDirectory::new();
    let bytes = [&vec![0; kept as usize], rest].concat();
    directory.create(NAME).and_then(|file| write_all(&*file, &bytes, 0)).expect("memory");
    directory
}

fn judge(rest: &[u8], kept: u64) -> Verdict {
    let directory = stored(rest, kept);
    Rest::begin(&directory, NAME, kept).and_then(|mut rest| rest.judge()).expect("memory")
}

fn later_batches(rest: &[u8], kept: u64) -> Vec<LaterBatch> {
    let directory = stored(rest, kept);
    let mut rest = Rest::begin(&directory, NAME, kept).expect("memory");
    std::iter::from_fn(|| rest.next_batch().expect("memory")).collect()
}

fn reason(bytes: &[u8], at: u64, chain: u32) -> Reason {
    match next_batch(bytes, at, chain) {
        Next::Broken { reason, .. } => reason,
        other => panic!("expected a break, got {other:?}"),
    }
}

#[test]
fn the_format_is_as_documented() {
    let (mut sealer, opening) = Sealer::begin(NAME);
    let before = sealer.clone();
    let mut batch = push(b"paint");
    sealer.seal(&mut batch, before.at());
    let text = String::from_utf8(batch.clone()).expect("ASCII");
    let trailer = "*2\r\n$4\r\nPING\r\n$72\r\nTG1+000000000000005d 0000000000000024 \
        000000000000005d PREVIOUS CHECKSUM\r\n";
    let trailer = trailer.replace("PREVIOUS", &format!("{:08x}", before.chain));
    let trailer = trailer.replace("CHECKSUM", &format!("{:08x}", sealer.chain));
    assert_eq!(text[36..], trailer);
    let example = trailer[19..].replace('\r', "\\r").replace('\n', "\\n");
    assert!(include_str!("../batch.rs").contains(&format!("//! {example}\n")), "{example}");

    // The plain checksum, which other programs can compute: a known value.
    assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
    let covered = [&batch[..36], &batch[55..119]].concat();
    assert_eq!(sealer.chain, crc32c::crc32c(&covered));
    assert_eq!(TRAILER_BYTES, batch.len() - 36);

    let first = Trailer::from_bytes(opening.first_chunk().expect("a trailer and nothing else"));
    let first = first.expect("a trailer");
    assert_eq!(opening.len(), TRAILER_BYTES);
    assert_eq!(first.previous, crc32c::crc32c(b"TG1 appendonly.aof.1.incr.aof"));
    assert_eq!(first.checksum, before.chain);
}

#[test]
fn batches_come_back_as_they_were_sealed() {
    let mut first = push(b"a");
    let mut second = Vec::new();
    let mut sealer = Sealer { at: 0, chain: first_chain(NAME) };
    sealer.seal(&mut first, 0);
    let middle = sealer.at();
    sealer.seal_last(&mut second, middle);
    let bytes = [first, second].concat();

    let Next::Batch(batch) = next_batch(&bytes, 0, first_chain(NAME)) else { panic!("whole") };
    assert_eq!((batch.commands, batch.end, batch.durable), (&push(b"a")[..], middle, 0));
    assert!(!batch.is_last);
    let rest = &bytes[middle as usize..];
    let Next::Batch(batch) = next_batch(rest, middle, batch.chain) else { panic!("whole") };
    assert_eq!((batch.commands, batch.end, batch.durable), (&b""[..], sealer.at(), middle));
    assert!(batch.is_last);
    assert_eq!(next_batch(b"", batch.end, batch.chain), Next::End);

    let mut resumed = Sealer::resume(middle, crc32c::crc32c(b"another"));
    resumed.seal(&mut Vec::new(), 0);
    let mut resumed = Sealer::resume(batch.end, batch.chain);
    let (mut one, mut other) = (push(b"b"), push(b"b"));
    resumed.seal(&mut one, 0);
    sealer.seal(&mut other, 0);
    assert_eq!(one, other);
}

#[test]
#[should_panic(expected = "durable up to 1, written up to 0")]
fn what_is_not_written_is_not_durable() {
    Sealer { at: 0, chain: 0 }.seal(&mut Vec::new(), 1);
}

#[test]
fn a_window_that_ends_early_asks_for_more() {
    let file = small_file(true);
    let opening = file.ends[0];
    let window = &file.bytes[opening..];
    let chain = Trailer::from_bytes(file.bytes.first_chunk().expect("an opening"));
    let chain = chain.expect("an opening").checksum;
    let next = |end: usize| next_batch(&window[..end], opening as u64, chain);
    let length = file.ends[1] - opening;
    for end in 1..length {
        assert_eq!(next(end), Next::Partial, "{end} bytes");
    }
    assert!(matches!(next(length), Next::Batch(_)));
    assert_eq!(next(window.len()), next(length));
}

#[test]
fn cut_anywhere_the_whole_batches_before_stay() {
    for is_synced in [false, true] {
        let file = small_file(is_synced);
        let all = load(&file.bytes, NAME);
        assert_eq!(all.kept, file.bytes.len());
        for cut in 0..file.bytes.len() {
            let loaded = load(&file.bytes[..cut], NAME);
            let kept = file.ends.iter().copied().filter(|end| *end <= cut).max().unwrap_or(0);
            assert_eq!(loaded.kept, kept, "cut at {cut}");
            assert!(all.commands.starts_with(&loaded.commands));
            let verdict = if kept == 0 { Verdict::NoOpening } else { Verdict::TornTail };
            assert_eq!(loaded.verdict, (kept < cut).then_some(verdict), "cut at {cut}");
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_is_noticed() {
    let file = small_file(true);
    let last = file.ends[file.ends.len() - 2];
    for at in 0..file.bytes.len() {
        for bit in 0..8 {
            let mut bytes = file.bytes.clone();
            bytes[at] ^= 1 << bit;
            let loaded = load(&bytes, NAME);
            let start = file.ends.iter().copied().filter(|end| *end <= at).max().unwrap_or(0);
            assert_eq!(loaded.kept, start, "bit {bit} of byte {at}");
            let verdict = loaded.verdict.expect("a break");
            // No later batch confirms the last one.
            assert_eq!(verdict == Verdict::TornTail, at >= last, "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn a_hole_in_what_was_never_durable_is_a_torn_tail() {
    let file = small_file(false);
    for at in 0..file.bytes.len() {
        let mut bytes = file.bytes.clone();
        bytes[at] ^= 1;
        let loaded = load(&bytes, NAME);
        let start = file.ends.iter().copied().filter(|end| *end <= at).max().unwrap_or(0);
        let verdict = if start == 0 { Verdict::NoOpening } else { Verdict::TornTail };
        assert_eq!((loaded.kept, loaded.verdict), (start, Some(verdict)), "byte {at}");
        let later = later_batches(&bytes[start..], start as u64);
        let later: Vec<_> = later.iter().map(|batch| batch.end as usize).collect();
        let after: Vec<_> = file.ends.iter().copied().filter(|end| *end > at).skip(1).collect();
        assert_eq!(later, after, "byte {at}");
    }
}

#[test]
fn the_proof_of_damage_is_shown() {
    let file = small_file(true);
    let [kept, first, second] = [0, 1, 2].map(|index| file.ends[index] as u64);
    let mut bytes = file.bytes.clone();
    bytes[file.ends[0] + 10] ^= 1;
    let proof = LaterBatch { start: first, end: second, durable: first };
    assert_eq!(load(&bytes, NAME).verdict, Some(Verdict::Damage(proof)));
    // A first part of the rest is enough, once it has the proof.
    let rest = &bytes[file.ends[0]..file.ends[2]];
    assert_eq!(judge(rest, kept), Verdict::Damage(proof));
    assert_eq!(judge(&rest[..rest.len() - 1], kept), Verdict::TornTail);
}

#[test]
fn a_file_of_redis_is_not_a_torn_one() {
    for bytes in [&push(b"a")[..], b"REDIS0010\xfa", b"*"] {
        let loaded = load(bytes, NAME);
        assert_eq!((loaded.kept, loaded.verdict), (0, Some(Verdict::NoOpening)));
    }
}

#[test]
fn lost_moved_and_foreign_batches_are_damage() {
    let same = written(&vec![push(b"same"); 4], true);
    let [opening, first, second, third] = [0, 1, 2, 3].map(|index| same.ends[index]);
    let is_damage = |bytes: &[u8], name| {
        let loaded = load(bytes, name);
        assert_eq!(loaded.commands.len() % push(b"same").len(), 0);
        matches!(loaded.verdict, Some(Verdict::Damage(_)))
    };
    let after_first = |bytes: &[u8]| {
        let chain = Trailer::from_bytes(bytes[first - TRAILER_BYTES..].first_chunk().expect("one"));
        reason(&bytes[first..], first as u64, chain.expect("a trailer").checksum)
    };
    // One is lost, and the rest has moved up.
    let lost = [&same.bytes[..first], &same.bytes[second..]].concat();
    let moved = Reason::Misplaced { expected: first as u64, found: second as u64 };
    assert_eq!(after_first(&lost), moved);
    assert!(is_damage(&lost, NAME));

    // One is there twice, in place of another.
    let mut doubled = same.bytes.clone();
    doubled.copy_within(first..second, second);
    assert!(is_damage(&doubled[..third], NAME));

    // A file with another name, and a batch from another history in the right place.
    assert!(is_damage(&same.bytes[..opening], "appendonly.aof.2.incr.aof"));
    let other = written(&[push(b"diff")], true);
    let mixed = [&other.bytes[..first], &same.bytes[first..second]].concat();
    assert!(matches!(after_first(&mixed), Reason::Chain { .. }));
    assert!(is_damage(&mixed, NAME));
}

#[test]
fn a_message_is_not_taken_for_a_trailer() {
    // A piece of a file as a message in that file: even at its own offset it closes nothing.
    let header = b"*3\r\n$5\r\nRPUSH\r\n$4\r\njobs\r\n$93\r\n";
    let (mut sealer, opening) = Sealer::begin(NAME);
    let mut forged = header.to_vec();
    sealer.seal(&mut forged, 0);
    let batches = [push(&forged[header.len()..]), push(b"after")];
    let file = written(&batches, true);
    assert!(file.bytes[opening.len()..].starts_with(&forged));
    let loaded = load(&file.bytes, NAME);
    assert_eq!(loaded.commands, batches.concat());
    assert_eq!(loaded.verdict, None);
}

#[test]
fn errors_name_what_is_not_a_command() {
    let long = [b'*'].repeat(70_000);
    let reason = |bytes: &[u8]| reason(bytes, 7, 0).to_string();
    assert_eq!(reason(b"\0\0\0"), "expected '*' and a command, got byte 0x00");
    assert_eq!(reason(b"PING\r\n"), "expected '*' and a command, got byte 0x50");
    assert_eq!(reason(b"*0\r\n"), "expected a command, got an array of no elements");
    assert_eq!(reason(b"*1\r\n:1\r\n"), "expected a command: expected '$', got ':'");
    assert_eq!(reason(&long), "expected a command: too big mbulk count string");
    assert_eq!(next_batch(b"*1\r\n$9223372036854775807\r\n", 7, 0), Next::Partial);
    let at = match next_batch(b"*1\r\n$1\r\na\r\n#", 7, 0) {
        Next::Broken { at, .. } => at,
        other => panic!("expected a break, got {other:?}"),
    };
    assert_eq!(at, 7 + 11);
}

#[test]
fn impossible_trailers_are_refused() {
    let trailer = |start: u64, length: u64, durable: u64| {
        let checksum = 0;
        Trailer { is_last: false, start, length, durable, previous: 0, checksum }.to_bytes()
    };
    for bytes in [trailer(0, 0, 1), trailer(u64::MAX, 0, 0), trailer(1, u64::MAX - 1, 0)] {
        assert_eq!(reason(&bytes, 0, 0), Reason::Trailer);
        assert_eq!(later_batches(&bytes, 0), []);
    }
    let other_length = Reason::Length { expected: 1, found: 0 };
    assert_eq!(reason(&trailer(0, 1, 0), 0, 0), other_length);
    for (at, byte) in [(KIND, b','), (START.start, b'A'), (START.end, b'_'), (92, b' ')] {
        let mut bytes = trailer(0, 0, 0);
        bytes[at] = byte;
        assert_eq!(reason(&bytes, 0, 0), Reason::Trailer, "byte {at}");
    }
}

/// Writes batches, syncs now and then, loses power, and loads the rest.
fn check_power_loss(steps: &[(Vec<u8>, bool)], seed: u64) {
    let directory = MemoryDirectory::new();
    let file = directory.create(NAME).expect("a new file");
    let (mut sealer, opening) = Sealer::begin(NAME);
    write_all(&*file, &opening, 0).expect("written");
    file.sync().expect("synced");
    directory.sync().expect("a durable name");
    let mut history = Vec::new();
    let mut durable = sealer.at();
    let mut promised = 0;
    for (message, is_synced) in steps {
        let mut batch = push(message);
        history.extend_from_slice(&batch);
        let at = sealer.at();
        sealer.seal(&mut batch, durable);
        write_all(&*file, &batch, at).expect("written");
        if *is_synced {
            file.sync().expect("synced");
            durable = sealer.at();
            promised = history.len();
        }
    }
    let after = directory.crash(seed);
    let mut bytes = Vec::new();
    after.read(NAME, 0).expect("there").read_to_end(&mut bytes).expect("readable");
    let loaded = load(&bytes, NAME);
    assert!(history.starts_with(&loaded.commands), "a prefix of what was written");
    assert!(loaded.commands.len() >= promised, "all that was durable");
    assert!(matches!(loaded.verdict, None | Some(Verdict::TornTail)), "{:?}", loaded.verdict);
}

proptest! {
    #[test]
    fn a_power_failure_leaves_a_prefix_and_never_looks_like_damage(
        steps in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..2000), prop::bool::weighted(0.2)),
            0..20,
        ),
        seed: u64,
    ) {
        check_power_loss(&steps, seed);
    }

    #[test]
    fn nothing_that_is_read_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        at: u64,
        kept in 0..1000u64,
        chain: u32,
    ) {
        next_batch(&bytes, at, chain);
        judge(&bytes, kept);
    }

    #[test]
    fn nothing_like_a_file_panics_or_is_accepted(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        is_synced: bool,
    ) {
        let file = small_file(is_synced);
        let mut bytes = file.bytes.clone();
        for (at, byte) in &edits {
            bytes[at.index(file.bytes.len())] = *byte;
        }
        let loaded = load(&bytes, NAME);
        prop_assert_eq!(loaded.verdict.is_none(), bytes == file.bytes);
        prop_assert_eq!(&bytes[..loaded.kept], &file.bytes[..loaded.kept]);
    }
}
