//! Data in the RDB format in pieces of any size is read as the whole is, or refused with the same error.

use tidegate::rdb::{Place, RdbError, Reader, Sink, StreamPart, ValueType};

/// What was read, in a form that can be compared.
#[derive(Debug, Default, PartialEq)]
struct Content(Vec<(Option<Place>, Vec<u8>)>);

impl Sink for Content {
    fn stream(&mut self, place: &Place, part: StreamPart<'_>) -> Result<(), String> {
        self.0.push((Some(place.clone()), format!("{part:?}").into()));
        Ok(())
    }

    fn begin_sorted_set(&mut self, place: &Place) -> Result<(), String> {
        self.0.push((Some(place.clone()), b"{".to_vec()));
        Ok(())
    }

    fn scored_member(&mut self, _: &Place, member: &[u8], score: f64) -> Result<(), String> {
        assert!(!score.is_nan());
        self.0.push((None, [&score.to_le_bytes(), member].concat()));
        if member == b"refuse" { Err("refused".into()) } else { Ok(()) }
    }

    fn end_sorted_set(&mut self, _: &Place) -> Result<(), String> {
        self.0.push((None, b"}".to_vec()));
        Ok(())
    }

    fn aux(&mut self, _: u64, name: &[u8], value: &[u8]) -> Result<(), String> {
        self.0.push((None, [name, b"=", value].concat()));
        Ok(())
    }

    fn string(&mut self, place: &Place, value: &[u8]) -> Result<(), String> {
        self.0.push((Some(place.clone()), value.to_vec()));
        Ok(())
    }

    fn begin_list(&mut self, place: &Place) -> Result<(), String> {
        self.0.push((Some(place.clone()), b"[".to_vec()));
        Ok(())
    }

    fn element(&mut self, _: &Place, element: &[u8]) -> Result<(), String> {
        self.0.push((None, element.to_vec()));
        if element == b"refuse" { Err("refused".into()) } else { Ok(()) }
    }

    fn end_list(&mut self, _: &Place) -> Result<(), String> {
        self.0.push((None, b"]".to_vec()));
        Ok(())
    }

    fn begin_set(&mut self, place: &Place) -> Result<(), String> {
        self.0.push((Some(place.clone()), b"(".to_vec()));
        Ok(())
    }

    fn member(&mut self, _: &Place, member: &[u8]) -> Result<(), String> {
        self.0.push((None, member.to_vec()));
        Ok(())
    }

    fn end_set(&mut self, _: &Place) -> Result<(), String> {
        self.0.push((None, b")".to_vec()));
        Ok(())
    }

    fn begin_hash(&mut self, place: &Place) -> Result<(), String> {
        self.0.push((Some(place.clone()), b"{".to_vec()));
        Ok(())
    }

    fn field(&mut self, _: &Place, field: &[u8], value: &[u8]) -> Result<(), String> {
        self.0.push((None, [field, b"=", value].concat()));
        Ok(())
    }

    fn end_hash(&mut self, _: &Place) -> Result<(), String> {
        self.0.push((None, b"}".to_vec()));
        Ok(())
    }

    fn left_out(&mut self, place: &Place, value_type: ValueType) {
        self.0.push((Some(place.clone()), value_type.name().into()));
    }
}

fn read(bytes: &[u8], piece: usize, leaves_out: bool) -> (Content, Result<bool, RdbError>) {
    let (mut content, mut reader) = (Content::default(), Reader::new(leaves_out));
    for piece in bytes.chunks(piece) {
        match reader.read(piece, &mut content) {
            Ok(read) => assert!(read == piece.len() || reader.is_done()),
            Err(error) => return (content, Err(error)),
        }
    }
    let is_done = reader.is_done();
    (content, Ok(is_done))
}

/// A byte with the size of the pieces and whether unsupported values are left out, then what follows the
/// beginning of a file.
pub fn check(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let bytes = [b"REDIS0011", rest].concat();
    let leaves_out = first & 1 == 0;
    let whole = read(&bytes, bytes.len(), leaves_out);
    assert_eq!(read(&bytes, usize::from(first >> 1) % 13 + 1, leaves_out), whole);
}
