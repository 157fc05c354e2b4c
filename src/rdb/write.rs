//! Writes the parts of an RDB file: lengths, strings, fields. Each function appends to a buffer.

use super::crc64::Crc64;
use super::format::{
    FORM_INT_8, FORM_INT_16, FORM_INT_32, FORM_LZF, LENGTH_14_BITS, LENGTH_32_BITS, LENGTH_64_BITS,
    MAGIC, OP_AUX, OP_END, OP_EXPIRY_MS, OP_SELECT, STRING_FORM, VERSION,
};
use super::lzf_compress::Compressor;
use crate::resp::parse_integer;

/// The most digits, with the sign, of a number that Redis writes as one.
const DIGITS_MAX: usize = 11;

/// Appends the start of a file.
pub fn write_start(out: &mut Vec<u8>) {
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(format!("{VERSION:04}").as_bytes());
}

/// Appends the end of a file whose other bytes have this checksum.
pub fn write_end(out: &mut Vec<u8>, mut checksum: Crc64) {
    checksum.add(&[OP_END]);
    out.push(OP_END);
    out.extend_from_slice(&checksum.value().to_le_bytes());
}

/// Appends the end of the payload of DUMP, which has its type and value so far.
pub fn write_payload_end(out: &mut Vec<u8>) {
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&Crc64::of(out).to_le_bytes());
}

/// Appends a field about the file.
pub fn write_aux(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.push(OP_AUX);
    write_string(out, name);
    write_string(out, value);
}

/// Appends the database of the following keys.
pub fn write_select(out: &mut Vec<u8>, db: usize) {
    out.push(OP_SELECT);
    write_length(out, db);
}

/// Appends the expiry of the next key, in Unix milliseconds.
pub fn write_expiry(out: &mut Vec<u8>, unix_ms: i64) {
    out.push(OP_EXPIRY_MS);
    out.extend_from_slice(&unix_ms.to_le_bytes());
}

/// Appends a length, or a number of elements.
#[inline]
pub fn write_length(out: &mut Vec<u8>, length: usize) {
    write_number_length(out, length as u64);
}

/// Appends any number in the form of a length.
#[inline]
pub fn write_number_length(out: &mut Vec<u8>, number: u64) {
    if number < 1 << 6 {
        out.push(number as u8);
    } else if number < 1 << 14 {
        let [high, low] = (number as u16).to_be_bytes();
        out.extend_from_slice(&[LENGTH_14_BITS | high, low]);
    } else if let Ok(number) = u32::try_from(number) {
        out.push(LENGTH_32_BITS);
        out.extend_from_slice(&number.to_be_bytes());
    } else {
        out.push(LENGTH_64_BITS);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

/// Appends a string, as a number where Redis does.
#[inline]
pub fn write_string(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() > DIGITS_MAX || !write_number(out, bytes) {
        write_length(out, bytes.len());
        out.extend_from_slice(bytes);
    }
}

/// Appends a string that may be long: compressed, if there is a compressor and it is worth it.
pub fn write_value(out: &mut Vec<u8>, bytes: &[u8], compressor: Option<&mut Compressor>) {
    match compressor.and_then(|compressor| compressor.compress(bytes)) {
        Some(compressed) => write_compressed(out, compressed, bytes.len()),
        None => write_string(out, bytes),
    }
}

/// Appends a compressed string that has this length otherwise.
pub(super) fn write_compressed(out: &mut Vec<u8>, compressed: &[u8], length: usize) {
    out.push(STRING_FORM | FORM_LZF);
    write_length(out, compressed.len());
    write_length(out, length);
    out.extend_from_slice(compressed);
}

/// Appends a string as a number; false, and no change, if it is none or a large one.
fn write_number(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
    let Some(number) = parse_integer(bytes) else { return false };
    if let Ok(number) = i8::try_from(number) {
        out.push(STRING_FORM | FORM_INT_8);
        out.extend_from_slice(&number.to_le_bytes());
    } else if let Ok(number) = i16::try_from(number) {
        out.push(STRING_FORM | FORM_INT_16);
        out.extend_from_slice(&number.to_le_bytes());
    } else if let Ok(number) = i32::try_from(number) {
        out.push(STRING_FORM | FORM_INT_32);
        out.extend_from_slice(&number.to_le_bytes());
    } else {
        return false;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = b"before".to_vec();
        write(&mut out);
        out.split_off(b"before".len())
    }

    #[test]
    fn lengths_take_as_few_bytes_as_possible() {
        for (length, expected) in [
            (0, &[0][..]),
            (63, &[63]),
            (64, &[0x40, 64]),
            (16_383, &[0x7f, 0xff]),
            (16_384, &[0x80, 0, 0, 0x40, 0]),
            (u32::MAX as usize, &[0x80, 0xff, 0xff, 0xff, 0xff]),
            (1 << 32, &[0x81, 0, 0, 0, 1, 0, 0, 0, 0]),
        ] {
            assert_eq!(written(|out| write_length(out, length)), expected, "{length}");
        }
    }

    #[test]
    fn short_numbers_are_numbers() {
        for (string, expected) in [
            ("0", &[0xc0, 0][..]),
            ("-128", &[0xc0, 0x80]),
            ("128", &[0xc1, 0x80, 0]),
            ("-32768", &[0xc1, 0, 0x80]),
            ("32768", &[0xc2, 0, 0x80, 0, 0]),
            ("-2147483648", &[0xc2, 0, 0, 0, 0x80]),
            ("2147483648", b"\x0a2147483648"),
            ("007", b"\x03007"),
            ("-0", b"\x02-0"),
            ("", b"\x00"),
            ("12345678901234567890", b"\x1412345678901234567890"),
        ] {
            let found = written(|out| write_string(out, string.as_bytes()));
            assert_eq!(found, expected, "{string}");
        }
    }

    #[test]
    fn other_parts() {
        assert_eq!(written(write_start), b"REDIS0009");
        assert_eq!(written(|out| write_select(out, 3)), [254, 3]);
        assert_eq!(written(|out| write_expiry(out, 258)), [252, 2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(written(|out| write_aux(out, b"a", b"17")), [250, 1, b'a', 0xc0, 17]);
    }

    /// Without keys, as `redis-server` writes and checks it.
    #[test]
    fn the_end_has_the_checksum_of_all_before() {
        let mut checksum = Crc64::default();
        checksum.add(b"REDIS0009");
        let end = written(|out| write_end(out, checksum));
        let [op, checksum @ ..] = &end[..] else { panic!("{end:?}") };
        assert_eq!((*op, checksum), (255, &Crc64::of(b"REDIS0009\xff").to_le_bytes()[..]));
    }

    /// What DUMP of redis-server 7.0 would say of the string "10", but for its version.
    #[test]
    fn a_payload_has_its_version_and_checksum() {
        let mut out = b"\x00\xc0\x0a".to_vec();
        write_payload_end(&mut out);
        assert_eq!(out[..5], *b"\x00\xc0\x0a\x09\x00");
        assert_eq!(out[5..], Crc64::of(&out[..5]).to_le_bytes());
    }
}
