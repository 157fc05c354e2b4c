//! Walks over an intset, the compact form of a set of integers: four bytes with the width of each, four with their
//! number, and the integers in ascending order, the lowest byte first.

use super::packed::{Elements, Packed};

const HEADER_BYTES: usize = 8;

/// Passes the text of each integer to `element`.
///
/// # Errors
/// The intset is damaged, or `element` has refused an element. Those before it were passed on.
pub fn read<E>(bytes: &[u8], element: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), Packed<E>> {
    let mut elements = Elements::new(element);
    let (header, mut rest) =
        bytes.split_first_chunk::<HEADER_BYTES>().ok_or(Packed::Damaged("it has no header"))?;
    let [width, count] = [0, 4].map(|at| {
        let number = header.get(at..).and_then(<[u8]>::first_chunk);
        number.map_or(0, |number| u64::from(u32::from_le_bytes(*number)))
    });
    if ![2, 4, 8].contains(&width) {
        return Err(Packed::Damaged("there are no integers of its width"));
    }
    if count * width != rest.len() as u64 {
        return Err(Packed::Damaged("its length is another"));
    }
    while !rest.is_empty() {
        rest = match width {
            2 => elements.integer_of::<2, E>(rest)?,
            4 => elements.integer_of::<4, E>(rest)?,
            _ => elements.integer_of::<8, E>(rest)?,
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::packed::all_elements;
    use super::*;

    fn elements(bytes: &[u8]) -> Result<Vec<String>, &'static str> {
        all_elements(|element| read(bytes, element))
    }

    #[test]
    fn integers_of_each_width() {
        let two = b"\x02\0\0\0\x02\0\0\0\xff\xff\x07\0";
        assert_eq!(elements(two), Ok(vec!["-1".into(), "7".into()]));
        let four = b"\x04\0\0\0\x01\0\0\0\0\0\0\x80";
        assert_eq!(elements(four), Ok(vec!["-2147483648".into()]));
        let eight = b"\x08\0\0\0\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\x7f";
        assert_eq!(elements(eight), Ok(vec![i64::MAX.to_string()]));
        assert_eq!(elements(b"\x02\0\0\0\0\0\0\0"), Ok(vec![]));
        for end in 0..two.len() {
            assert!(elements(&two[..end]).is_err(), "the first {end} bytes");
        }
        assert!(elements(&[&two[..], b"\0"].concat()).is_err());
        assert!(elements(b"\x03\0\0\0\x01\0\0\0\0\0\0").is_err());
    }
}
