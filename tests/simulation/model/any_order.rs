//! Parts of the output whose order is the broker's choice, such as the members of a set.

use super::{Model, Who};

/// A part of a client's output: elements of some bulk strings each, in any order.
#[derive(Clone, Copy, Debug)]
pub struct AnyOrder {
    pub at: usize,
    pub len: usize,
    /// Bulk strings of an element.
    pub bulks: usize,
}

/// Splits the first bulk string off; all that is left if it is not one.
fn split_bulk(bytes: &[u8]) -> (&[u8], &[u8]) {
    let head = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| end + 1);
    let digits = bytes[..head].strip_prefix(b"$").map(<[u8]>::trim_ascii_end);
    let len = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<usize>().ok());
    let end = len.map_or(bytes.len(), |len| (head + len + 2).min(bytes.len()));
    bytes.split_at(end)
}

/// The elements of a part, sorted.
fn elements(mut bytes: &[u8], bulks: usize) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let mut element = Vec::new();
        for _ in 0..bulks {
            let (bulk, rest) = split_bulk(bytes);
            element.extend_from_slice(bulk);
            bytes = rest;
        }
        all.push(element);
    }
    all.sort();
    all
}

impl Model {
    /// Takes over the broker's order of a client's new output where the elements are the same. `got` is the
    /// output that the client has not read.
    pub fn adopt_order(&mut self, who: Who, got: &[u8]) {
        let client = &mut self.clients[who];
        for AnyOrder { at, len, bulks } in std::mem::take(&mut client.any_order) {
            let from = at - client.taken;
            let Some(got) = got.get(from..from + len) else { continue };
            let expected = &mut client.owed[at..at + len];
            if elements(got, bulks) == elements(expected, bulks) {
                expected.copy_from_slice(got);
            }
        }
    }
}
