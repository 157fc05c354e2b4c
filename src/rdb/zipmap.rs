//! Walks over a zipmap, the compact form of a hash before Redis 2.6.
//!
//! One byte with the number of pairs (from 254 on: unknown), the pairs, and a byte with all bits set. A pair
//! is the length of the field, the field, the length of the value, the number of unused bytes behind the
//! value, the value, and those bytes. A length is one byte, or behind the mark 254 four bytes, the lowest first.

use super::packed::Packed;

const END: u8 = 0xff;
const LONG: u8 = 0xfe;

/// Passes each field and each value to `element`.
///
/// # Errors
/// The zipmap is damaged, or `element` has refused an element. Those before it were passed on.
pub fn read<E>(
    bytes: &[u8],
    mut element: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), Packed<E>> {
    let (&count, mut rest) = bytes.split_first().ok_or(Packed::Damaged("it has no header"))?;
    let mut pairs = 0_u64;
    loop {
        match rest {
            [END] => break,
            [END, ..] => return Err(Packed::Damaged("it ends early")),
            [] => return Err(Packed::Damaged("it has no end")),
            _ => {}
        }
        let (length, behind) = read_length(rest)?;
        let (field, behind) = behind.split_at_checked(length).ok_or(Packed::CUT)?;
        let (length, behind) = read_length(behind)?;
        let (&unused, behind) = behind.split_first().ok_or(Packed::CUT)?;
        let (value, behind) = behind.split_at_checked(length).ok_or(Packed::CUT)?;
        element(field).map_err(Packed::Refused)?;
        element(value).map_err(Packed::Refused)?;
        rest = behind.get(unused.into()..).ok_or(Packed::CUT)?;
        pairs += 1;
    }
    if count < LONG && pairs != u64::from(count) {
        return Err(Packed::Damaged("its number of pairs is another"));
    }
    Ok(())
}

/// Takes a length; returns what is behind it.
fn read_length<E>(bytes: &[u8]) -> Result<(usize, &[u8]), Packed<E>> {
    match *bytes {
        [LONG, ref behind @ ..] => {
            let (length, behind) = behind.split_first_chunk().ok_or(Packed::CUT)?;
            Ok((u32::from_le_bytes(*length) as usize, behind))
        }
        [END, ..] | [] => Err(Packed::CUT),
        [length, ref behind @ ..] => Ok((length.into(), behind)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::packed::all_elements;
    use super::*;

    fn elements(bytes: &[u8]) -> Result<Vec<String>, &'static str> {
        all_elements(|element| read(bytes, element))
    }

    #[test]
    fn pairs_with_unused_bytes_and_long_values() {
        let mut bytes = b"\x02\x03foo\x03\x02bar--\x01k\xfe\x2c\x01\x00\x00\x00".to_vec();
        bytes.extend_from_slice(&[b'v'; 300]);
        bytes.push(END);
        let long = "v".repeat(300);
        assert_eq!(elements(&bytes), Ok(vec!["foo".into(), "bar".into(), "k".into(), long]));
        for end in 0..bytes.len() {
            assert!(elements(&bytes[..end]).is_err(), "the first {end} bytes");
        }
        bytes[0] = 3;
        assert!(elements(&bytes).is_err());
        bytes[0] = LONG;
        assert!(elements(&bytes).is_ok());
        bytes.push(END);
        assert!(elements(&bytes).is_err());
        assert_eq!(elements(&[0, END]), Ok(Vec::new()));
    }
}
