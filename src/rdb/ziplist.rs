//! Walks over a ziplist, the compact form of a list before Redis 7.
//!
//! Four bytes with the length of the whole, four with the position of the last element, two with the number
//! of elements (all bits set: unknown), the elements, and a byte with all bits set. An element is the length
//! of the one before it, a byte with its kind and some bits of its number or length, and the rest of them.
//! Numbers are in the order of bytes that begins with the lowest, lengths of strings in the other.

use super::packed::{Elements, Packed};

const HEADER_BYTES: usize = 10;
const END: u8 = 0xff;
const COUNT_UNKNOWN: u16 = u16::MAX;

/// In place of the length of the element before: it follows in four bytes.
const LONG_BEFORE: u8 = 0xfe;

/// Passes each element to `element`.
///
/// # Errors
/// The ziplist is damaged, or `element` has refused an element. Those before it were passed on.
pub fn read<E>(bytes: &[u8], element: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), Packed<E>> {
    let mut elements = Elements::new(element);
    let number_at = |at: usize| {
        let bytes = bytes.get(at..).and_then(<[u8]>::first_chunk);
        bytes.map(|bytes| u64::from(u32::from_le_bytes(*bytes)))
    };
    if number_at(0) != Some(bytes.len() as u64) {
        return Err(Packed::Damaged("its length is another"));
    }
    let last = number_at(4);
    let count = bytes.get(8..).and_then(<[u8]>::first_chunk);
    let count = count.map(|count| u16::from_le_bytes(*count));
    let mut rest = bytes.get(HEADER_BYTES..).ok_or(Packed::Damaged("it has no header"))?;
    let mut before = 0;
    loop {
        match rest {
            [END] => break,
            [END, ..] => return Err(Packed::Damaged("it ends early")),
            [] => return Err(Packed::Damaged("it has no end")),
            _ => {}
        }
        let behind = after_length_of(before, rest)?;
        let behind = read_element(behind, &mut elements)?;
        before = rest.len() - behind.len();
        rest = behind;
    }
    // Without elements the position is that of the end.
    if last != Some((bytes.len() - 1 - before) as u64) {
        return Err(Packed::Damaged("its last element is elsewhere"));
    }
    match count {
        Some(COUNT_UNKNOWN) => Ok(()),
        Some(count) if u64::from(count) == elements.count() => Ok(()),
        _ => Err(Packed::Damaged("its number of elements is another")),
    }
}

/// Passes over the length of the element before, which must be `before`. Both forms may be used for a short
/// one.
fn after_length_of<E>(before: usize, rest: &[u8]) -> Result<&[u8], Packed<E>> {
    let (length, behind) = match *rest {
        [LONG_BEFORE, ref behind @ ..] => {
            let (length, behind) = behind.split_first_chunk().ok_or(Packed::CUT)?;
            (u32::from_le_bytes(*length), behind)
        }
        [length, ref behind @ ..] => (u32::from(length), behind),
        [] => return Err(Packed::CUT),
    };
    match u64::from(length) == before as u64 {
        true => Ok(behind),
        false => Err(Packed::Damaged("the element before one has another length")),
    }
}

/// Reads an element without its first part; returns what is behind it.
fn read_element<'a, E, F: FnMut(&[u8]) -> Result<(), E>>(
    bytes: &'a [u8],
    elements: &mut Elements<F>,
) -> Result<&'a [u8], Packed<E>> {
    let (&first, behind) = bytes.split_first().ok_or(Packed::CUT)?;
    match first {
        0x00..=0x3f => elements.string(behind, usize::from(first)),
        0x40..=0x7f => {
            let (&low, behind) = behind.split_first().ok_or(Packed::CUT)?;
            elements.string(behind, usize::from(first & 0x3f) << 8 | usize::from(low))
        }
        0x80 => {
            let (length, behind) = behind.split_first_chunk().ok_or(Packed::CUT)?;
            elements.string(behind, u32::from_be_bytes(*length) as usize)
        }
        0xc0 => elements.integer_of::<2, E>(behind),
        0xd0 => elements.integer_of::<4, E>(behind),
        0xe0 => elements.integer_of::<8, E>(behind),
        0xf0 => elements.integer_of::<3, E>(behind),
        0xfe => elements.integer_of::<1, E>(behind),
        // The number plus one is in the four lower bits.
        0xf1..=0xfd => elements.integer(i64::from(first & 0x0f) - 1).map(|()| behind),
        _ => Err(Packed::Damaged("there is no such kind of element")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::packed::all_elements;
    use super::*;

    fn elements(bytes: &[u8]) -> Result<Vec<String>, &'static str> {
        all_elements(|element| read(bytes, element))
    }

    /// A ziplist of these elements, each without the length of the one before.
    fn ziplist(elements: &[&[u8]]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES];
        let (mut before, mut last) = (0, HEADER_BYTES);
        for element in elements {
            last = bytes.len();
            match u8::try_from(before) {
                Ok(short) if short < LONG_BEFORE => bytes.push(short),
                _ => {
                    bytes.push(LONG_BEFORE);
                    bytes.extend_from_slice(&(before as u32).to_le_bytes());
                }
            }
            bytes.extend_from_slice(element);
            before = bytes.len() - last;
        }
        bytes.push(END);
        let length = bytes.len() as u32;
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        bytes[4..8].copy_from_slice(&(last as u32).to_le_bytes());
        bytes[8..10].copy_from_slice(&(elements.len() as u16).to_le_bytes());
        bytes
    }

    fn all_kinds() -> (Vec<u8>, Vec<String>) {
        let long = [&[0x41, 0x2c][..], &[b'l'; 300]].concat();
        let longest = [&[0x80, 0, 0, 0x40, 0][..], &[b'm'; 16_384]].concat();
        let cases: &[(&[u8], String)] = &[
            (&[0xf1], "0".into()),
            (&[0xfd], "12".into()),
            (&[0xfe, 0x80], "-128".into()),
            (&[0xc0, 0xff, 0x7f], "32767".into()),
            (&[0xf0, 0xff, 0xff, 0xff], "-1".into()),
            (&[0xd0, 0, 0, 0, 0x80], "-2147483648".into()),
            (&[0xe0, 0, 0, 0, 0, 0, 0, 0, 0x80], "-9223372036854775808".into()),
            (&[0x00], String::new()),
            (&[0x03, b'a', b'b', b'c'], "abc".into()),
            (&long, "l".repeat(300)),
            (&longest, "m".repeat(16_384)),
            (&[0xf2], "1".into()),
        ];
        let bytes: Vec<&[u8]> = cases.iter().map(|(bytes, _)| *bytes).collect();
        (ziplist(&bytes), cases.iter().map(|(_, text)| text.clone()).collect())
    }

    #[test]
    fn every_kind_of_element() {
        let (mut bytes, expected) = all_kinds();
        assert_eq!(elements(&bytes), Ok(expected.clone()));
        bytes[8..10].copy_from_slice(&COUNT_UNKNOWN.to_le_bytes());
        assert_eq!(elements(&bytes), Ok(expected));
        assert_eq!(elements(&ziplist(&[])), Ok(Vec::new()));
    }

    #[test]
    fn any_damage_of_the_structure_is_noticed() {
        let (bytes, _) = all_kinds();
        for end in 0..bytes.len() {
            assert!(elements(&bytes[..end]).is_err(), "the first {end} bytes");
        }
        assert!(elements(&[&bytes[..], &[END]].concat()).is_err());
        let short = ziplist(&[&[0x02, b'a', b'b'], &[0xf6]]);
        for at in 0..short.len() {
            for value in 0..=u8::MAX {
                let mut damaged = short.clone();
                damaged[at] = value;
                // Other content is no damage of the structure, nor is another kind of the same length.
                let is_content = [12, 13].contains(&at)
                    || (at == 11 && value == 0xc0)
                    || (at == 15 && (value == 0 || (0xf1..=0xfd).contains(&value)));
                let found = elements(&damaged);
                assert_eq!(
                    found.is_ok(),
                    value == short[at] || is_content,
                    "{at} {value}: {found:?}"
                );
            }
        }
    }

    #[test]
    fn the_long_form_serves_for_short_elements_too() {
        let mut bytes = ziplist(&[&[0xf2], &[0xf3]]);
        // The second element of two begins at byte 12.
        bytes.splice(12..13, [LONG_BEFORE, 2, 0, 0, 0]);
        let length = bytes.len() as u8;
        bytes[0] = length;
        assert_eq!(elements(&bytes), Ok(vec!["1".into(), "2".into()]));
    }
}
