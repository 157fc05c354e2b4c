//! Walks over a listpack, the compact form of a list since Redis 7.
//!
//! Four bytes with the length of the whole, two with the number of elements (all bits set: unknown), the
//! elements, and a byte with all bits set. An element is a byte with its kind and some bits of its number
//! or length, the rest of them, the bytes of a string; and behind all that its own length, written so that
//! it can be read from the end. Numbers are in the order of bytes that begins with the lowest, unless the
//! first byte has a part of them.

use super::packed::{Elements, Packed};

const HEADER_BYTES: usize = 6;
const END: u8 = 0xff;
const COUNT_UNKNOWN: u16 = u16::MAX;

/// Passes each element to `element`.
///
/// # Errors
/// The listpack is damaged, or `element` has refused an element. Those before it were passed on.
pub fn read<E>(bytes: &[u8], element: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), Packed<E>> {
    let mut elements = Elements::new(element);
    let length = bytes.first_chunk().map(|length| u32::from_le_bytes(*length));
    if length.map(u64::from) != Some(bytes.len() as u64) {
        return Err(Packed::Damaged("its length is another"));
    }
    let count = bytes.get(4..).and_then(<[u8]>::first_chunk);
    let count = count.map(|count| u16::from_le_bytes(*count));
    let mut rest = bytes.get(HEADER_BYTES..).ok_or(Packed::Damaged("it has no header"))?;
    loop {
        match *rest {
            [END] => break,
            [END, ..] => return Err(Packed::Damaged("it ends early")),
            [first, ref behind @ ..] => rest = read_element(first, rest, behind, &mut elements)?,
            [] => return Err(Packed::Damaged("it has no end")),
        }
    }
    match count {
        Some(COUNT_UNKNOWN) => Ok(()),
        Some(count) if u64::from(count) == elements.count() => Ok(()),
        _ => Err(Packed::Damaged("its number of elements is another")),
    }
}

/// Reads the element at the beginning of `rest`; returns what is behind it.
fn read_element<'a, E, F: FnMut(&[u8]) -> Result<(), E>>(
    first: u8,
    rest: &'a [u8],
    behind: &'a [u8],
    elements: &mut Elements<F>,
) -> Result<&'a [u8], Packed<E>> {
    let after = match first {
        0x00..=0x7f => {
            elements.integer(i64::from(first))?;
            behind
        }
        0x80..=0xbf => elements.string(behind, usize::from(first & 0x3f))?,
        0xc0..=0xdf => {
            let (&low, after) = behind.split_first().ok_or(Packed::CUT)?;
            let bits = i64::from(first & 0x1f) << 8 | i64::from(low);
            // Thirteen bits with a sign.
            elements.integer(if bits < 1 << 12 { bits } else { bits - (1 << 13) })?;
            after
        }
        0xe0..=0xef => {
            let (&low, after) = behind.split_first().ok_or(Packed::CUT)?;
            elements.string(after, usize::from(first & 0x0f) << 8 | usize::from(low))?
        }
        0xf0 => {
            let (length, after) = behind.split_first_chunk().ok_or(Packed::CUT)?;
            elements.string(after, u32::from_le_bytes(*length) as usize)?
        }
        0xf1 => elements.integer_of::<2, E>(behind)?,
        0xf2 => elements.integer_of::<3, E>(behind)?,
        0xf3 => elements.integer_of::<4, E>(behind)?,
        0xf4 => elements.integer_of::<8, E>(behind)?,
        _ => return Err(Packed::Damaged("there is no such kind of element")),
    };
    let length = rest.len() - after.len();
    let (own, len) = own_length(length).ok_or(Packed::Damaged("an element is too long"))?;
    let own = own.get(own.len() - len..).unwrap_or_default();
    after.strip_prefix(own).ok_or(Packed::Damaged("an element has another length"))
}

/// Returns the length of an element as it stands behind the element: the last bytes of the array, and how
/// many of them. Each byte has seven bits, the lowest last; all but the first have the highest bit set.
fn own_length(length: usize) -> Option<([u8; 5], usize)> {
    // The bounds are Redis', which misses the largest number that would fit.
    let count = match length {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    };
    let mut bytes = [0; 5];
    let mut left = length;
    for byte in bytes.iter_mut().rev().take(count) {
        *byte = (left & 0x7f) as u8 | 0x80;
        left >>= 7;
    }
    *bytes.iter_mut().rev().nth(count - 1)? &= 0x7f;
    (left == 0).then_some((bytes, count))
}

#[cfg(test)]
mod tests {
    use super::super::packed::all_elements;
    use super::*;

    fn elements(bytes: &[u8]) -> Result<Vec<String>, &'static str> {
        all_elements(|element| read(bytes, element))
    }

    /// A listpack of these elements, each without its own length.
    fn listpack(elements: &[&[u8]]) -> Vec<u8> {
        let mut bytes = vec![0; 4];
        bytes.extend_from_slice(&(elements.len() as u16).to_le_bytes());
        for element in elements {
            bytes.extend_from_slice(element);
            let (own, len) = own_length(element.len()).expect("short");
            bytes.extend_from_slice(&own[own.len() - len..]);
        }
        bytes.push(END);
        let length = bytes.len() as u32;
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        bytes
    }

    /// Every kind of element, and its text.
    fn all_kinds() -> (Vec<u8>, Vec<String>) {
        let long = [&[0xe1, 0x2c][..], &[b'l'; 300]].concat();
        let longest = [&[0xf0, 0, 0x40, 0, 0][..], &[b'm'; 16_384]].concat();
        let cases: &[(&[u8], String)] = &[
            (&[0x00], "0".into()),
            (&[0x7f], "127".into()),
            (&[0xc0, 0x80], "128".into()),
            (&[0xcf, 0xff], "4095".into()),
            (&[0xd0, 0x00], "-4096".into()),
            (&[0xdf, 0xff], "-1".into()),
            (&[0xf1, 0x00, 0x80], "-32768".into()),
            (&[0xf2, 0xff, 0xff, 0x7f], "8388607".into()),
            (&[0xf2, 0x00, 0x00, 0x80], "-8388608".into()),
            (&[0xf3, 0, 0, 0, 0x80], "-2147483648".into()),
            (&[0xf4, 0, 0, 0, 0, 0, 0, 0, 0x80], "-9223372036854775808".into()),
            (&[0x80], String::new()),
            (&[0x83, b'a', b'b', b'c'], "abc".into()),
            (&long, "l".repeat(300)),
            (&longest, "m".repeat(16_384)),
        ];
        let bytes: Vec<&[u8]> = cases.iter().map(|(bytes, _)| *bytes).collect();
        (listpack(&bytes), cases.iter().map(|(_, text)| text.clone()).collect())
    }

    #[test]
    fn every_kind_of_element() {
        let (mut bytes, expected) = all_kinds();
        assert_eq!(elements(&bytes), Ok(expected.clone()));
        bytes[4..6].copy_from_slice(&COUNT_UNKNOWN.to_le_bytes());
        assert_eq!(elements(&bytes), Ok(expected));
        assert_eq!(elements(&listpack(&[])), Ok(Vec::new()));
    }

    #[test]
    fn any_damage_of_the_structure_is_noticed() {
        let (bytes, _) = all_kinds();
        for end in 0..bytes.len() {
            assert!(elements(&bytes[..end]).is_err(), "the first {end} bytes");
        }
        assert!(elements(&[&bytes[..], &[END]].concat()).is_err());
        let short = listpack(&[&[0x82, b'a', b'b'], &[0x05]]);
        for at in 0..short.len() {
            for value in 0..=u8::MAX {
                let mut damaged = short.clone();
                damaged[at] = value;
                // Other content is no damage of the structure, nor is another kind of the same length.
                let is_content = [7, 8].contains(&at)
                    || (at == 6 && value == 0xf1)
                    || (at == 10 && value <= 0x80);
                let found = elements(&damaged);
                let is_whole = value == short[at] || is_content;
                assert_eq!(found.is_ok(), is_whole, "{at} {value}: {found:?}");
            }
        }
    }

    #[test]
    fn lengths_behind_elements_are_as_redis_writes_them() {
        let cases: &[(usize, &[u8])] = &[
            (1, &[1]),
            (127, &[127]),
            (128, &[1, 0x80]),
            (16_382, &[127, 0xfe]),
            (16_383, &[0, 0xff, 0xff]),
            (2_097_151, &[0, 0xff, 0xff, 0xff]),
            (268_435_455, &[0, 0xff, 0xff, 0xff, 0xff]),
        ];
        for (length, expected) in cases {
            let (bytes, len) = own_length(*length).expect("short enough");
            assert_eq!(&bytes[5 - len..], *expected, "{length}");
        }
    }
}
