//! Reads DER, the encoding of certificates and keys, as far as needed here. Damaged input ends the
//! reading with `None`.

/// The tags of types.
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_ID: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const PRINTABLE_STRING: u8 = 0x13;
pub(super) const IA5_STRING: u8 = 0x16;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
/// The first optional field of a structure.
pub(super) const FIELD_0: u8 = 0xa0;

/// The values in a part of DER, in order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Der<'a> {
    rest: &'a [u8],
}

impl<'a> Der<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Der<'a> {
        Der { rest: bytes }
    }

    /// The next value: its tag and content.
    pub(super) fn value(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.rest.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            let (digits, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
            // More than four bytes of length are no certificate, and none would be no DER.
            if digits.is_empty() || digits.len() > 4 {
                return None;
            }
            length = digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit));
            rest = after;
        }
        let (content, after) = rest.split_at_checked(length)?;
        self.rest = after;
        Some((tag, content))
    }

    /// The content of the next value, which has this tag.
    pub(super) fn content(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.value().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }

    /// The values in the next value, which has this tag.
    pub(super) fn inside(&mut self, tag: u8) -> Option<Der<'a>> {
        self.content(tag).map(Der::new)
    }

    /// The tag of the next value.
    pub(super) fn tag(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next value, a number that fits.
    pub(super) fn number(&mut self) -> Option<u32> {
        let digits = self.content(INTEGER)?;
        let is_small = digits.len() <= 4 && digits.first().is_some_and(|&first| first < 0x80);
        is_small.then(|| digits.iter().fold(0, |number, &digit| number << 8 | u32::from(digit)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_and_damage_is_the_end() {
        let bytes = [0x30, 0x81, 0x04, 0x02, 0x02, 0x08, 0x00, 0x04, 0x01, 7];
        let mut der = Der::new(&bytes);
        let mut inner = der.inside(SEQUENCE).expect("a sequence");
        assert_eq!((inner.number(), inner.value()), (Some(2048), None));
        assert_eq!((der.tag(), der.content(OCTET_STRING)), (Some(4), Some(&[7][..])));
        assert_eq!((der.tag(), der.value()), (None, None));
        for damaged in [&[0x30][..], &[0x30, 2, 1], &[0x30, 0x80], &[0x30, 0x85, 0, 0, 0, 0, 1, 1]]
        {
            assert_eq!(Der::new(damaged).value(), None, "{damaged:?}");
        }
        assert_eq!(Der::new(&[2, 5, 1, 1, 1, 1, 1]).number(), None);
        assert_eq!(Der::new(&[2, 1, 0x80]).number(), None);
    }
}
