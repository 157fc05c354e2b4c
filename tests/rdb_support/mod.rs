//! Reads the RDB files that the broker writes, independently of its own reader: as commands, with which
//! another broker has the same data. It knows only what is written, and panics at anything else.

use tidegate::resp::write_command;

/// Elements of a list that one command adds.
const ELEMENTS_PER_COMMAND: usize = 50;

/// The bytes of a file that are not yet read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }

    /// A length that begins with this byte.
    fn length_from(&mut self, first: u8) -> usize {
        let bytes = match first >> 6 {
            0 => return usize::from(first),
            1 => return usize::from(first & 0x3f) << 8 | usize::from(self.byte()),
            _ if first == 0x80 => self.take(4),
            _ if first == 0x81 => self.take(8),
            _ => panic!("no length: {first:#x}"),
        };
        bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
    }

    fn length(&mut self) -> usize {
        let first = self.byte();
        self.length_from(first)
    }

    fn string(&mut self) -> Vec<u8> {
        let number = match self.byte() {
            0xc0 => i64::from(self.byte() as i8),
            0xc1 => i64::from(i16::from_le_bytes(self.take(2).try_into().expect("two"))),
            0xc2 => i64::from(i32::from_le_bytes(self.take(4).try_into().expect("four"))),
            0xc3 => {
                let (compressed, length) = (self.length(), self.length());
                let string = decompressed(self.take(compressed));
                assert_eq!(string.len(), length);
                return string;
            }
            first => {
                let length = self.length_from(first);
                return self.take(length).to_vec();
            }
        };
        number.to_string().into_bytes()
    }
}

/// Decompresses LZF, byte by byte.
fn decompressed(compressed: &[u8]) -> Vec<u8> {
    let (mut rest, mut out) = (Rest(compressed), Vec::new());
    while !rest.0.is_empty() {
        let first = usize::from(rest.byte());
        if first < 32 {
            out.extend_from_slice(rest.take(first + 1));
            continue;
        }
        let more = if first >> 5 == 7 { usize::from(rest.byte()) } else { 0 };
        let start = out.len() - ((first & 31) << 8 | usize::from(rest.byte())) - 1;
        (start..start + (first >> 5) + 2 + more).for_each(|place| out.push(out[place]));
    }
    out
}

/// The checksum, byte by byte.
fn checksum(bytes: &[u8]) -> u64 {
    let of_byte = |byte: usize| {
        (0..8).fold(byte as u64, |checksum, _| {
            let is_set = checksum & 1 == 1;
            (checksum >> 1) ^ if is_set { 0x95ac_9329_ac4b_c9b5 } else { 0 }
        })
    };
    let table: Vec<u64> = (0..256).map(of_byte).collect();
    let add = |sum: u64, byte: &u8| sum >> 8 ^ table[usize::from(sum as u8 ^ byte)];
    bytes.iter().fold(0, add)
}

/// The elements of a ziplist.
fn elements(ziplist: &[u8]) -> Vec<Vec<u8>> {
    let number =
        |bytes: &[u8]| bytes.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    let mut rest = Rest(ziplist);
    assert_eq!(number(rest.take(4)), ziplist.len());
    let (last, count) = (number(rest.take(4)), number(rest.take(2)));
    let (mut found, mut before) = (Vec::new(), 0);
    while rest.0 != [255] {
        let at = ziplist.len() - rest.0.len();
        let before_this = match rest.byte() {
            254 => number(rest.take(4)),
            short => usize::from(short),
        };
        assert_eq!(before_this, before, "the length of the entry before");
        let length = rest.length();
        found.push(rest.take(length).to_vec());
        before = ziplist.len() - rest.0.len() - at;
        if found.len() == count {
            assert_eq!(at, last, "the last entry");
        }
    }
    assert!(found.len() == count && count > 0, "the number of entries");
    found
}

/// The keys of a file as commands, and its notes where they stand.
pub fn as_commands(file: &[u8]) -> Vec<u8> {
    let (content, end) = file.split_at(file.len() - 8);
    assert_eq!(end, checksum(content).to_le_bytes(), "the checksum");
    let mut rest = Rest(content);
    assert_eq!(rest.take(9), b"REDIS0009");
    let mut commands = Vec::new();
    let mut expiry = None;
    loop {
        match rest.byte() {
            0xff => break,
            0xfe => {
                let db = rest.length().to_string();
                write_command(&mut commands, [&b"select"[..], db.as_bytes()]);
            }
            0xfc => {
                let ms = i64::from_le_bytes(rest.take(8).try_into().expect("eight"));
                expiry = Some(ms.to_string());
            }
            0xfa => {
                let (name, value) = (rest.string(), rest.string());
                if name == b"tidegate" {
                    write_command(&mut commands, [&b"ECHO"[..], &value]);
                }
            }
            0 => {
                let (key, value) = (rest.string(), rest.string());
                write_command(&mut commands, [&b"SET"[..], &key, &value]);
                expire(&mut commands, &key, expiry.take());
            }
            what @ (2 | 4) => {
                let (key, count) = (rest.string(), rest.length());
                assert!(count > 0, "an empty set or hash");
                let (command, strings) =
                    if what == 2 { (&b"SADD"[..], count) } else { (&b"HSET"[..], 2 * count) };
                let elements: Vec<Vec<u8>> = (0..strings).map(|_| rest.string()).collect();
                for some in elements.chunks(ELEMENTS_PER_COMMAND) {
                    let words: Vec<&[u8]> =
                        [command, &key].into_iter().chain(some.iter().map(Vec::as_slice)).collect();
                    write_command(&mut commands, words.iter().copied());
                }
                expire(&mut commands, &key, expiry.take());
            }
            14 => {
                let key = rest.string();
                let ziplists: Vec<Vec<u8>> = (0..rest.length()).map(|_| rest.string()).collect();
                let elements: Vec<Vec<u8>> =
                    ziplists.iter().flat_map(|ziplist| elements(ziplist)).collect();
                assert!(!elements.is_empty(), "an empty list");
                for some in elements.chunks(ELEMENTS_PER_COMMAND) {
                    let words = [&b"RPUSH"[..], &key].into_iter();
                    let words: Vec<&[u8]> = words.chain(some.iter().map(Vec::as_slice)).collect();
                    write_command(&mut commands, words.iter().copied());
                }
                expire(&mut commands, &key, expiry.take());
            }
            5 => {
                let key = rest.string();
                let members: Vec<[Vec<u8>; 2]> = (0..rest.length())
                    .map(|_| {
                        let member = rest.string();
                        let score = rest.take(8).try_into().expect("eight");
                        [f64::from_le_bytes(score).to_string().into_bytes(), member]
                    })
                    .collect();
                assert!(!members.is_empty(), "an empty sorted set");
                for some in members.chunks(ELEMENTS_PER_COMMAND) {
                    let words = [&b"ZADD"[..], &key].into_iter();
                    let words: Vec<&[u8]> =
                        words.chain(some.iter().flatten().map(Vec::as_slice)).collect();
                    write_command(&mut commands, words.iter().copied());
                }
                expire(&mut commands, &key, expiry.take());
            }
            other => panic!("an opcode or type that is never written: {other}"),
        }
        assert!(
            expiry.is_none() || matches!(rest.0.first(), Some(0 | 2 | 4 | 5 | 14)),
            "an expiry of nothing"
        );
    }
    assert!(rest.0.is_empty(), "bytes behind the end");
    commands
}

fn expire(commands: &mut Vec<u8>, key: &[u8], unix_ms: Option<String>) {
    if let Some(unix_ms) = unix_ms {
        write_command(commands, [&b"PEXPIREAT"[..], key, unix_ms.as_bytes()]);
    }
}
