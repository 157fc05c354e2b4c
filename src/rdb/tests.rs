//! Values of every type, as items: those that are passed over end where they end.

use super::error::Problem;
use super::read::{Reader, read_value};
use super::sink::{Place, Sink};
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
        ("set", b"\x02\x01k\x03\x01a\xc0\x07\xc3\x05\x1c\x00z\xe0\x12\x00"),
        ("set", b"\x02\x01k\x00"),
        ("zset", b"\x03\x01k\x04\x01a\xfe\x01b\xff\x01c\xfd\x01d\x031.5"),
        ("zset", b"\x05\x01k\x01\x01a\0\0\0\0\0\0\xf8?"),
        ("hash", b"\x04\x01k\x02\x01f\x01v\x01g\x80\0\0\0\x01w"),
        ("hash", b"\x09\x01k\x03abc"),
        ("set", b"\x0b\x01k\xc1\x01\x02"),
        ("zset", b"\x0c\x01k\xc2\x01\x02\x03\x04"),
        ("hash", b"\x0d\x01k\x00"),
        ("hash", b"\x10\x01k\x03abc"),
        ("zset", b"\x11\x01k\x03abc"),
        ("set", b"\x14\x01k\x03abc"),
        ("hash", b"\x16\x01k\x01\x00\x01f\x01v"),
        ("hash", b"\x17\x01k\x03abc"),
        ("hash", b"\x18\x01k\x01\x02\x03\x04\x05\x06\x07\x08\x02\x00\x01f\x01v\x05\x01g\x01w"),
        ("hash", b"\x19\x01k\x01\x02\x03\x04\x05\x06\x07\x08\x03abc"),
        ("module", b"\x07\x01k\x81\x01\x02\x03\x04\x05\x06\x07\x08\x01\x05\x02\x06\x03abcd\x04abcdefgh\x05\x01s\x00"),
        ("stream", b"\x0f\x01k\x01\x02id\x02lp\x01\x02\x03\x01\x01g\x01\x02\x00\x01\x01c\x01\x02\x03\x04\x05\x06\x07\x08\x00"),
    ];
    for (name, value) in cases {
        let found = items(&[b"\xfc\x01\0\0\0\0\0\0\0", value, b"\x00\x01s\x01v"]);
        let expected = vec![format!("k is a {name}"), "0 s None 'v'".into()];
        assert_eq!(found, Ok(expected), "{}", value.escape_ascii());
    }
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
        (b"\x02\x01k\x01\xc4", Problem::StringForm(4)),
        (b"\x00\x01k\xc3\x01\x40\x59", Problem::Compressed),
        (b"\x00\x01k\xc3\x01\x01\x00", Problem::Compressed),
        (b"\x07\x01k\x01\x06", Problem::ModulePart(6)),
        (b"\x08", Problem::Opcode(8)),
        (b"\x12\x01k\x01\x02\x03abc", Problem::Listpack("its length is another")),
        (b"\x0a\x01k\x03abc", Problem::Ziplist("its length is another")),
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
    assert_eq!(read(b"\x02\x01\x01a"), Err(Problem::UnsupportedType(ValueType::Set)));
    assert_eq!(read(b"\xfa"), Err(Problem::Opcode(0xfa)));
    for bytes in [&b""[..], b"\x00", b"\x00\x02v", b"\x01\x02\x01a"] {
        assert_eq!(read(bytes), Err(Problem::CutOff), "{}", bytes.escape_ascii());
    }
}
