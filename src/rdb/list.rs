//! Writes a list: as ziplists of a few kilobytes. A redis-server loads these more than twice as fast as single
//! elements.
//!
//! ```text
//! ziplist  bytes (4), offset of the last entry (4), number of entries (2), entries, 255; lowest byte first
//! entry    bytes of the entry before it (1; 5 from 254 on), length of the element (1, 2 or 5), element
//! ```

use super::format::{LENGTH_32_BITS, TYPE_LIST, TYPE_LIST_QUICKLIST};
use super::lzf_compress::Compressor;
use super::write::{write_compressed, write_length, write_string};

/// A ziplist gets no more entries from this size on, as in Redis by default.
const ZIPLIST_BYTES: usize = 8 << 10;

/// Bytes of an entry besides its element, if it is short.
const ENTRY_BYTES: usize = 3;

/// A longer element makes a ziplist too large for Redis.
const ELEMENT_BYTES_MAX: usize = 1 << 30;

const HEADER_BYTES: usize = 10;
const ZIPLIST_END: u8 = 255;

/// From this size on, the bytes of the entry before are in four bytes behind this mark.
const LONG_ENTRY: u8 = 254;

/// The form of one list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListForm {
    /// This many ziplists.
    Ziplists(usize),
    /// This many elements, of which some are too large for ziplists.
    Elements(usize),
}

/// How full a ziplist is. The number of ziplists stands before them, so they are counted first, in the same way.
#[derive(Clone, Copy, Debug, Default)]
struct Filling {
    bytes: usize,
    entries: u16,
}

impl Filling {
    fn takes(self, length: usize) -> bool {
        self.entries == 0 || self.bytes + length + ENTRY_BYTES <= ZIPLIST_BYTES
    }

    fn add(&mut self, length: usize) {
        self.bytes += length + ENTRY_BYTES;
        // Even empty elements fill a ziplist long before that.
        self.entries = self.entries.saturating_add(1);
    }
}

/// Counts what a list consists of.
#[derive(Clone, Copy, Debug)]
pub struct Counter {
    filling: Filling,
    ziplists: usize,
    elements: usize,
    is_short: bool,
}

impl Default for Counter {
    fn default() -> Counter {
        Counter { filling: Filling::default(), ziplists: 0, elements: 0, is_short: true }
    }
}

impl Counter {
    /// Counts the next element.
    #[inline]
    pub fn add(&mut self, length: usize) {
        if self.elements == 0 || !self.filling.takes(length) {
            self.filling = Filling::default();
            self.ziplists += 1;
        }
        self.filling.add(length);
        self.elements += 1;
        self.is_short &= length <= ELEMENT_BYTES_MAX;
    }

    /// The elements so far.
    pub fn elements(&self) -> usize {
        self.elements
    }

    /// The form of a list with these elements.
    pub fn form(&self) -> ListForm {
        match self.is_short {
            true => ListForm::Ziplists(self.ziplists),
            false => ListForm::Elements(self.elements),
        }
    }
}

impl ListForm {
    /// The form of a list with elements of these lengths.
    pub fn of(lengths: impl Iterator<Item = usize>) -> ListForm {
        let mut counter = Counter::default();
        lengths.for_each(|length| counter.add(length));
        counter.form()
    }

    /// Appends what stands before the elements.
    pub fn write_head(self, out: &mut Vec<u8>) {
        let (ListForm::Ziplists(count) | ListForm::Elements(count)) = self;
        write_length(out, count);
    }

    /// Appends the next elements, in whole ziplists, until about `bytes_max` bytes were added, or would have been
    /// without the compressor. Returns their number.
    pub fn write_some<'a>(
        self,
        out: &mut Vec<u8>,
        elements: impl Iterator<Item = &'a [u8]>,
        bytes_max: usize,
        mut compressor: Option<&mut Compressor>,
    ) -> usize {
        let (mut bytes, mut taken) = (0, 0);
        let mut ziplist: Option<Ziplist> = None;
        for element in elements {
            if let Some(full) = ziplist.take_if(|own| !own.filling.takes(element.len())) {
                full.end(out, compressor.as_deref_mut());
            }
            if ziplist.is_none() && bytes >= bytes_max {
                return taken;
            }
            bytes += element.len() + ENTRY_BYTES;
            match self {
                ListForm::Elements(_) => write_string(out, element),
                ListForm::Ziplists(_) => {
                    ziplist.get_or_insert_with(|| Ziplist::begin(out)).add(out, element);
                }
            }
            taken += 1;
        }
        ziplist.into_iter().for_each(|last| last.end(out, compressor.as_deref_mut()));
        taken
    }

    /// The number of its type.
    pub fn type_number(self) -> u8 {
        match self {
            ListForm::Ziplists(_) => TYPE_LIST_QUICKLIST,
            ListForm::Elements(_) => TYPE_LIST,
        }
    }

    /// Appends the list, whose elements these are. After every few kilobytes, `pass_on` may take the bytes.
    ///
    /// # Errors
    /// Those of `pass_on`.
    pub fn write<'a, E>(
        self,
        out: &mut Vec<u8>,
        elements: impl Iterator<Item = &'a [u8]>,
        mut compressor: Option<&mut Compressor>,
        mut pass_on: impl FnMut(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.write_head(out);
        match self {
            ListForm::Elements(_) => {
                for element in elements {
                    write_string(out, element);
                    pass_on(out)?;
                }
            }
            ListForm::Ziplists(_) => {
                let mut ziplist: Option<Ziplist> = None;
                for element in elements {
                    if let Some(full) = ziplist.take_if(|own| !own.filling.takes(element.len())) {
                        full.end(out, compressor.as_deref_mut());
                        pass_on(out)?;
                    }
                    ziplist.get_or_insert_with(|| Ziplist::begin(out)).add(out, element);
                }
                if let Some(last) = ziplist {
                    last.end(out, compressor);
                    pass_on(out)?;
                }
            }
        }
        Ok(())
    }
}

/// A ziplist, as a string, that is being appended.
struct Ziplist {
    /// Where its string begins.
    start: usize,
    filling: Filling,
    /// Where the last entry begins.
    last: usize,
}

/// Bytes of the length of the string.
const LENGTH_BYTES: usize = 5;

impl Ziplist {
    /// Begins with what is not known yet.
    fn begin(out: &mut Vec<u8>) -> Ziplist {
        let start = out.len();
        out.extend_from_slice(&[0; LENGTH_BYTES + HEADER_BYTES]);
        Ziplist { start, filling: Filling::default(), last: out.len() }
    }

    #[inline]
    fn add(&mut self, out: &mut Vec<u8>, element: &[u8]) {
        let at = out.len();
        // Lengths are below 2³².
        let (before, length) = ((at - self.last) as u32, element.len() as u32);
        match u8::try_from(before) {
            Ok(before) if before < LONG_ENTRY => out.push(before),
            _ => {
                out.push(LONG_ENTRY);
                out.extend_from_slice(&before.to_le_bytes());
            }
        }
        let [a, b, c, d] = length.to_be_bytes();
        match length {
            0..0x40 => out.push(d),
            0x40..0x4000 => out.extend_from_slice(&[0x40 | c, d]),
            _ => out.extend_from_slice(&[0x80, a, b, c, d]),
        }
        out.extend_from_slice(element);
        self.filling.add(element.len());
        self.last = at;
    }

    /// Ends it, and fills in the beginning. Compresses it, if that is worth it.
    fn end(self, out: &mut Vec<u8>, compressor: Option<&mut Compressor>) {
        out.push(ZIPLIST_END);
        let Ziplist { start, filling, last } = self;
        let begin = start + LENGTH_BYTES;
        let (bytes, last) = ((out.len() - begin) as u32, (last - begin) as u32);
        let head = [LENGTH_32_BITS].into_iter().chain(bytes.to_be_bytes());
        let head = head.chain(bytes.to_le_bytes()).chain(last.to_le_bytes());
        let head = head.chain(filling.entries.to_le_bytes());
        let places = out.iter_mut().skip(start);
        places.zip(head).for_each(|(place, byte)| *place = byte);
        let ziplist = out.get(begin..).unwrap_or_default();
        let compressed = compressor.and_then(|compressor| compressor.compress(ziplist));
        if let Some(compressed) = compressed {
            let length = ziplist.len();
            out.truncate(start);
            write_compressed(out, compressed, length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn written(elements: &[Vec<u8>]) -> (ListForm, Vec<u8>, usize) {
        let form = ListForm::of(elements.iter().map(Vec::len));
        let (mut out, mut passes) = (b"before".to_vec(), 0);
        let pass_on = |_: &mut Vec<u8>| {
            passes += 1;
            Ok::<(), Infallible>(())
        };
        let Ok(()) = form.write(&mut out, elements.iter().map(Vec::as_slice), None, pass_on);
        (form, out.split_off(b"before".len()), passes)
    }

    #[test]
    fn a_short_list_is_one_ziplist() {
        let (form, bytes, _) = written(&[b"ab".to_vec(), Vec::new(), b"c".to_vec()]);
        assert_eq!((form, form.type_number()), (ListForm::Ziplists(1), 14));
        let ziplist = [20, 0, 0, 0, 16, 0, 0, 0, 3, 0, 0, 2, b'a', b'b', 4, 0, 2, 1, b'c', 255];
        assert_eq!(bytes, [&[1, 0x80, 0, 0, 0, 20][..], &ziplist].concat());
    }

    #[test]
    fn long_elements_have_long_lengths() {
        let (form, bytes, _) = written(&[vec![b'x'; 251], vec![b'y'; 300], vec![b'z'; 20_000]]);
        assert_eq!(form, ListForm::Ziplists(2), "the last has its own");
        let first = &bytes[6..];
        assert_eq!(first[10..13], [0, 0x40, 251]);
        // 254 bytes.
        assert_eq!(first[10 + 254..10 + 261], [254, 254, 0, 0, 0, 0x41, 44]);
        let second = &first[10 + 254 + 307 + 1 + 5..];
        assert_eq!(second[10..16], [0, 0x80, 0, 0, 0x4e, 0x20]);
        assert_eq!((second.len(), second.last()), (10 + 6 + 20_000 + 1, Some(&255)));
    }

    #[test]
    fn a_long_list_is_written_in_parts() {
        for length in [0, 1, 64, 5_000] {
            let elements = vec![vec![b'x'; length]; 10_000];
            let (form, bytes, passes) = written(&elements);
            assert_eq!(form, ListForm::Ziplists(passes));
            let overhead = bytes.len() - length * elements.len();
            assert!(overhead <= 16 * passes + 10 * elements.len(), "{overhead}");
            assert!(bytes.len() / passes <= ZIPLIST_BYTES + 100, "{length}");
        }
    }

    #[test]
    fn a_list_in_pieces_has_the_same_bytes() {
        let lengths = [0, 1, 60, 63, 64, 300, 5000, 9000, 20_000];
        let elements: Vec<Vec<u8>> = (0..3000)
            .map(|n| vec![b'a' + (n % 26) as u8; lengths[n % lengths.len()] % (n + 7)])
            .collect();
        let (form, expected, _) = written(&elements);
        for bytes_max in [1, 10_000, 1 << 30] {
            let (mut out, mut at) = (Vec::new(), 0);
            form.write_head(&mut out);
            while at < elements.len() {
                let rest = elements[at..].iter().map(Vec::as_slice);
                let taken = form.write_some(&mut out, rest, bytes_max, None);
                assert!(taken > 0, "it goes on");
                at += taken;
            }
            assert!(out == expected, "{bytes_max}");
        }
    }

    #[test]
    fn an_element_too_large_for_a_ziplist() {
        let form = ListForm::of([1, ELEMENT_BYTES_MAX + 1].into_iter());
        assert_eq!((form, form.type_number()), (ListForm::Elements(2), 1));
        let mut out = Vec::new();
        let elements = [&b"a"[..], b"17"].into_iter();
        let Ok(()) = form.write(&mut out, elements, None, |_| Ok::<(), Infallible>(()));
        assert_eq!(out, [2, 1, b'a', 0xc0, 17]);
    }
}
