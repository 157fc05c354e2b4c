//! Values of every type, as items: those that are passed over end where they end.

use super::error::Problem;
use super::read::{Reader, read_value};
use super::sink::{Place, Sink};
use super::stream_part::StreamPart;
use super::value_type::ValueType;

/// Writes down what it receives.
#[derive(Default)]
struct Log(Vec<String>);

impl Log {
    fn add(&mut self, line: String) -> Result<(), String> {
        self.0.push(line);
        Ok(())
    }
}

impl Sink for Log {
    fn stream(&mut self, place: &Place, part: StreamPart<'_>) -> Result<(), String> {
        let line = match part {
            StreamPart::Begin => format!("stream {}", place.key.escape_ascii()),
            StreamPart::Element(element) => element.escape_ascii().to_string(),
            other => format!("{other:?}"),
        };
        self.add(line)
    }

    fn begin_sorted_set(&mut self, place: &Place) -> Result<(), String> {
        self.add(format!("{} {{", place.key.escape_ascii()))
    }

    fn scored_member(&mut self, _: &Place, member: &[u8], score: f64) -> Result<(), String> {
        self.add(format!("{} {score}", member.escape_ascii()))
    }

    fn end_sorted_set(&mut self, _: &Place) -> Result<(), String> {
        self.add("}".into())
    }

    fn aux(&mut self, db: u64, name: &[u8], value: &[u8]) -> Result<(), String> {
        self.add(format!("{db} {} = {}", name.escape_ascii(), value.escape_ascii()))
    }

    fn string(&mut self, place: &Place, value: &[u8]) -> Result<(), String> {
        let Place { db, key, expires_ms } = place;
        let (key, value) = (key.escape_ascii(), value.escape_ascii());
        self.add(format!("{db} {key} {expires_ms:?} '{value}'"))
    }

    fn begin_list(&mut self, place: &Place) -> Result<(), String> {
        self.add(format!("{} {} [", place.key.escape_ascii(), place.expires_ms.unwrap_or(-1)))
    }

    fn element(&mut self, _: &Place, element: &[u8]) -> Result<(), String> {
        if element == b"refused" {
            return Err("an element that is refused".into());
        }
        self.add(element.escape_ascii().to_string())
    }

    fn end_list(&mut self, _: &Place) -> Result<(), String> {
        self.add("]".into())
    }

    fn begin_set(&mut self, place: &Place) -> Result<(), String> {
        self.add(format!("{} {} (", place.key.escape_ascii(), place.expires_ms.unwrap_or(-1)))
    }

    fn member(&mut self, _: &Place, member: &[u8]) -> Result<(), String> {
        self.add(member.escape_ascii().to_string())
    }

    fn end_set(&mut self, _: &Place) -> Result<(), String> {
        self.add(")".into())
    }

    fn begin_hash(&mut self, place: &Place) -> Result<(), String> {
        self.add(format!("{} {} {{", place.key.escape_ascii(), place.expires_ms.unwrap_or(-1)))
    }

    fn field(&mut self, _: &Place, field: &[u8], value: &[u8]) -> Result<(), String> {
        if value == b"refused" {
            return Err("a value that is refused".into());
        }
        self.add(format!("{}={}", field.escape_ascii(), value.escape_ascii()))
    }

    fn end_hash(&mut self, _: &Place) -> Result<(), String> {
        self.add("}".into())
    }

    fn left_out(&mut self, place: &Place, value_type: ValueType) {
        self.0.push(format!("{} is a {}", place.key.escape_ascii(), value_type.name()));
    }

    fn left_out_functions(&mut self) {
        self.0.push("functions".into());
    }
}

/// What is read of a file with these items, in pieces of one byte and as a whole.
fn items(items: &[&[u8]]) -> Result<Vec<String>, Problem> {
    let bytes = [b"REDIS0012", &items.concat()[..], b"\xff\0\0\0\0\0\0\0\0"].concat();
    let in_pieces = |size: usize| {
        let (mut reader, mut log) = (Reader::new(true), Log::default());
        for piece in bytes.chunks(size) {
            let read = reader.read(piece, &mut log).map_err(|error| error.problem)?;
            assert_eq!(read, piece.len());
        }
        assert!(reader.is_done());
        Ok(log.0)
    };
    let found = in_pieces(bytes.len());
    assert_eq!(found, in_pieces(1));
    found
}

#[test]
fn values_that_are_passed_over_end_where_they_end() {
    let cases: &[(&str, &[u8])] = &[
        ("hash", b"\x16\x01k\x01\x00\x01f\x01v"),
        ("hash", b"\x17\x01k\x03abc"),
        ("hash", b"\x18\x01k\x01\x02\x03\x04\x05\x06\x07\x08\x02\x00\x01f\x01v\x05\x01g\x01w"),
        ("hash", b"\x19\x01k\x01\x02\x03\x04\x05\x06\x07\x08\x03abc"),
        ("module", b"\x07\x01k\x81\x01\x02\x03\x04\x05\x06\x07\x08\x01\x05\x02\x06\x03abcd\x04abcdefgh\x05\x01s\x00"),
    ];
    for (name, value) in cases {
        let found = items(&[b"\xfc\x01\0\0\0\0\0\0\0", value, b"\x00\x01s\x01v"]);
        let expected = vec![format!("k is a {name}"), "0 s None 'v'".into()];
        assert_eq!(found, Ok(expected), "{}", value.escape_ascii());
    }
}

#[test]
fn sorted_sets_in_all_forms() {
    let listpack = b"\x14\x14\0\0\0\x04\0\x81a\x02\x01\x01\x81b\x02\x832.5\x04\xff";
    let ziplist = b"\x10\x10\0\0\0\x0d\0\0\0\x02\0\x00\x01a\x03\xf2\xff";
    let cases: &[(&[u8], &[u8], &[&str])] = &[
        (b"\x03\x01k", b"\x03\x01a\xfe\x01b\xff\x01c\x031.5", &["a inf", "b -inf", "c 1.5"]),
        (b"\x05\x01k", b"\x01\x01a\0\0\0\0\0\0\xf8?", &["a 1.5"]),
        (b"\x05\x01k", b"\x00", &[]),
        (b"\x0c\x01k", ziplist, &["a 1"]),
        (b"\x11\x01k", listpack, &["a 1", "b 2.5"]),
    ];
    for (head, value, members) in cases {
        let found = items(&[head, value, b"\x00\x01s\x01v"]);
        let expected = [&["k {"], *members, &["}", "0 s None 'v'"]].concat();
        assert_eq!(found, Ok(expected.iter().map(|&text| text.to_owned()).collect()));
    }
}

/// In each of their forms.
#[test]
fn sets_and_hashes() {
    let found = items(&[
        b"\x02\x01s\x03\x01a\xc0\x07\xc3\x05\x1c\x00z\xe0\x12\x00",
        b"\x02\x01e\x00",
        b"\x0b\x01i\x0c\x02\0\0\0\x02\0\0\0\xff\xff\x07\0",
        b"\x14\x01l\x0b\x0b\0\0\0\x02\0\x07\x01\x09\x01\xff",
        b"\xfc\x07\0\0\0\0\0\0\0\x04\x01h\x02\x01f\x01v\x01g\x80\0\0\0\x01w",
        b"\x04\x01e\x00",
        b"\x09\x01z\x08\x01\x01f\x01\x01v-\xff",
        b"\x0d\x01y\x0f\x0f\0\0\0\x0c\0\0\0\x02\0\0\xf2\x02\xf3\xff",
        b"\x10\x01x\x0b\x0b\0\0\0\x02\0\x07\x01\x09\x01\xff",
    ]);
    let expected = [
        "s -1 (",
        "a",
        "7",
        "zzzzzzzzzzzzzzzzzzzzzzzzzzzz",
        ")",
        "e -1 (",
        ")",
        "i -1 (",
        "-1",
        "7",
        ")",
        "l -1 (",
        "7",
        "9",
        ")",
        "h 7 {",
        "f=v",
        "g=w",
        "}",
        "e -1 {",
        "}",
        "z -1 {",
        "f=v",
        "}",
        "y -1 {",
        "1=2",
        "}",
        "x -1 {",
        "7=9",
        "}",
    ];
    assert_eq!(found, Ok(expected.map(String::from).to_vec()));
}

/// One number has another meaning in files of Valkey.
#[test]
fn a_hash_of_valkey() {
    let bytes = b"VALKEY080\x16\x01k\x01\x01f\x01v\x01\x02\x03\x04\x05\x06\x07\x08\x00\x01s\x01v\xff\0\0\0\0\0\0\0\0";
    let (mut reader, mut log) = (Reader::new(true), Log::default());
    assert_eq!(reader.read(bytes, &mut log), Ok(bytes.len()));
    assert_eq!(log.0, ["k is a hash", "0 s None 'v'"]);
    assert!(reader.is_done());
}

#[test]
fn what_stands_between_keys() {
    let found = items(&[
        b"\xfa\x01a\xc0\x05",
        b"\xf7\x07\x02\x02\x05\x01s\x01\x05\x00",
        b"\xf4\x01\x02\x03",
        b"\xf5\x03lib",
        b"\xfe\x41\x00\xfb\x80\0\0\0\x05\x01",
        b"\xfd\x01\0\0\0\xf8\x05\x00\x01k\xc1\x00\x80",
        b"\xfc\x07\0\0\0\0\0\0\0\xf9\x05\x01\x01l\x02\x00\xc2\0\0\0\x80",
        b"\x01\x05empty\x00",
        b"\xfa\x01a\x00",
    ]);
    let expected = [
        "0 a = 5",
        "functions",
        "256 k Some(1000) '-32768'",
        "l 7 [",
        "",
        "-2147483648",
        "]",
        "empty -1 [",
        "]",
        "256 a = ",
    ];
    assert_eq!(found, Ok(expected.map(String::from).to_vec()));
}

#[test]
fn damaged_parts_are_named() {
    let cases: &[(&[u8], Problem)] = &[
        (b"\x00\x01k\xc4", Problem::StringForm(4)),
        (b"\x00\x01k\x82", Problem::NotALength(0x82)),
        (b"\x02\x01k\xc0", Problem::NotALength(0xc0)),
        (b"\x04\x01k\x01\x01f\xc4", Problem::StringForm(4)),
        (b"\x04\x01k\x01\x01f\x07refused", Problem::Refused("a value that is refused".into())),
        (b"\x09\x01k\x03abc", Problem::Zipmap("an element is cut off")),
        (b"\x0b\x01k\xc1\x01\x02", Problem::Intset("it has no header")),
        (b"\x0d\x01k\x03abc", Problem::Ziplist("its length is another")),
        (b"\x10\x01k\x03abc", Problem::Listpack("its length is another")),
        (b"\x10\x01k\x09\x09\0\0\0\x01\0\x07\x01\xff", Problem::OddHash),
        (b"\x14\x01k\x03abc", Problem::Listpack("its length is another")),
        (b"\x02\x01k\x01\xc4", Problem::StringForm(4)),
        (b"\x00\x01k\xc3\x01\x40\x59", Problem::Compressed),
        (b"\x00\x01k\xc3\x01\x01\x00", Problem::Compressed),
        (b"\x07\x01k\x01\x06", Problem::ModulePart(6)),
        (b"\x08", Problem::Opcode(8)),
        (b"\x12\x01k\x01\x02\x03abc", Problem::Listpack("its length is another")),
        (b"\x0a\x01k\x03abc", Problem::Ziplist("its length is another")),
        (b"\x0c\x01k\x03abc", Problem::Ziplist("its length is another")),
        (b"\x11\x01k\x03abc", Problem::Listpack("its length is another")),
        (
            b"\x11\x01k\x0a\x0a\0\0\0\x01\0\x81a\x02\xff",
            Problem::Refused("the last member has no score".into()),
        ),
        (b"\x03\x01k\x01\x01a\xfd", Problem::Refused("a score is not a number".into())),
        (b"\x03\x01k\x01\x01a\x01x", Problem::Refused("a score is not a number".into())),
        (
            b"\x05\x01k\x01\x01a\0\0\0\0\0\0\xf8\x7f",
            Problem::Refused("a score is not a number".into()),
        ),
        (b"\x01\x01k\x01\x07refused", Problem::Refused("an element that is refused".into())),
    ];
    for (bytes, problem) in cases {
        assert_eq!(items(&[bytes]), Err(problem.clone()), "{}", bytes.escape_ascii());
    }
}

#[test]
fn one_value_by_itself() {
    let read = |bytes: &[u8]| {
        let mut log = Log::default();
        let place = Place { key: b"k".to_vec(), ..Place::default() };
        read_value(bytes, place, &mut log).map(|()| log.0).map_err(|error| error.problem)
    };
    assert_eq!(read(b"\x00\x01v"), Ok(vec!["0 k None 'v'".into()]));
    assert_eq!(read(b"\x01\x01\x01a"), Ok(vec!["k -1 [".into(), "a".into(), "]".into()]));
    assert_eq!(read(b"\x00\x01vx"), Err(Problem::Behind));
    assert_eq!(read(b"\x02\x01\x01a"), Ok(vec!["k -1 (".into(), "a".into(), ")".into()]));
    assert_eq!(read(b"\x07\x00"), Err(Problem::UnsupportedType(ValueType::Module)));
    assert_eq!(read(b"\xfa"), Err(Problem::Opcode(0xfa)));
    for bytes in [&b""[..], b"\x00", b"\x00\x02v", b"\x01\x02\x01a"] {
        assert_eq!(read(bytes), Err(Problem::CutOff), "{}", bytes.escape_ascii());
    }
}

#[test]
fn streams_part_by_part() {
    let id = [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2];
    let ms = [7, 0, 0, 0, 0, 0, 0, 0];
    let block = b"\x09\x09\0\0\0\x01\0\x05\x01\xff";
    let begin = [&b"\x01k\x01\x10"[..], &id, block].concat();
    let group = [&b"\x01"[..], &id, &ms, b"\x03\x01\x01c", &ms].concat();
    let owned = [&b"\x01"[..], &id].concat();
    let old = [&b"\x0f"[..], &begin, b"\x05\x01\x02\x01\x01g\x01\x02", &group, &owned];
    let counts = b"\x05\x01\x02\x00\x00\x03\x04\x09\x01\x01g\x01\x02\x06";
    let newer = [&b"\x13"[..], &begin, counts, &group, &owned];
    let newest = [&b"\x15"[..], &begin, counts, &group, &ms, &owned];
    let lines = |counts: &str, read: &str| {
        format!(
            "stream k|Block({id:?})|5|BlockEnd|Ids(StreamIds {{ len: 5, last: (1, 2), counts: {counts} }})|\
             Group(StreamGroup {{ name: [103], last: (1, 2), read: {read} }})|Pending({id:?}, 7, 3)|\
             Consumer([99], 7)|Owned({id:?})|End|0 s None 'v'"
        )
    };
    for (value, counts, read) in [
        (old.concat(), "None", "None"),
        (newer.concat(), "Some(((3, 4), 9))", "Some(6)"),
        (newest.concat(), "Some(((3, 4), 9))", "Some(6)"),
    ] {
        let found = items(&[&value, b"\x00\x01s\x01v"]).map(|lines| lines.join("|"));
        assert_eq!(found, Ok(lines(counts, read)));
    }
    let empty = items(&[b"\x0f\x01k\x00\x00\x00\x00\x00"]).map(|lines| lines.join("|"));
    let ids = "Ids(StreamIds { len: 0, last: (0, 0), counts: None })";
    assert_eq!(empty, Ok(format!("stream k|{ids}|End")));
    let problem = Problem::Stream("the id of a block is no id");
    assert_eq!(items(&[b"\x0f\x01k\x01\x02id"]), Err(problem));
}
