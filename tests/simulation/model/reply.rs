//! Replies as bytes, in a client's protocol version.

use super::any_order::AnyOrder;
use super::values::{Set, score_text};

#[derive(Default)]
pub struct Reply {
    pub bytes: Vec<u8>,
    pub is_resp3: bool,
    /// The parts of `bytes` whose order is the broker's choice.
    pub any_order: Vec<AnyOrder>,
}

impl Reply {
    pub fn new(is_resp3: bool) -> Reply {
        Reply { is_resp3, ..Reply::default() }
    }

    fn line(&mut self, kind: char, text: &str) {
        self.bytes.extend_from_slice(format!("{kind}{text}\r\n").as_bytes());
    }

    pub fn ok(&mut self) {
        self.simple("OK");
    }

    pub fn simple(&mut self, text: &str) {
        self.line('+', text);
    }

    /// An error, with its code first; line ends become spaces.
    pub fn error(&mut self, text: &str) {
        self.line('-', &text.replace(['\r', '\n'], " "));
    }

    pub fn integer(&mut self, number: i64) {
        self.line(':', &number.to_string());
    }

    pub fn count(&mut self, count: usize) {
        self.line(':', &count.to_string());
    }

    pub fn bulk(&mut self, bytes: &[u8]) {
        self.line('$', &bytes.len().to_string());
        self.bytes.extend_from_slice(bytes);
        self.bytes.extend_from_slice(b"\r\n");
    }

    pub fn bulk_or_null(&mut self, bytes: Option<&Vec<u8>>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    pub fn double(&mut self, number: f64) {
        let text = score_text(number);
        if self.is_resp3 { self.line(',', &text) } else { self.bulk(text.as_bytes()) }
    }

    pub fn double_or_null(&mut self, number: Option<&f64>) {
        match number {
            Some(number) => self.double(*number),
            None => self.null(),
        }
    }

    /// Members of a sorted set; from version 3 on, a member and its score are an array.
    pub fn members(&mut self, members: &[(f64, Vec<u8>)], has_scores: bool) {
        let is_flat = has_scores && !self.is_resp3;
        self.array(if is_flat { 2 * members.len() } else { members.len() });
        for (score, member) in members {
            if has_scores && self.is_resp3 {
                self.array(2);
            }
            self.bulk(member);
            if has_scores {
                self.double(*score);
            }
        }
    }

    pub fn null(&mut self) {
        self.bytes.extend_from_slice(if self.is_resp3 { b"_\r\n" } else { b"$-1\r\n" });
    }

    pub fn null_array(&mut self) {
        self.bytes.extend_from_slice(if self.is_resp3 { b"_\r\n" } else { b"*-1\r\n" });
    }

    pub fn array(&mut self, len: usize) {
        self.line('*', &len.to_string());
    }

    pub fn map(&mut self, len: usize) {
        if self.is_resp3 { self.line('%', &len.to_string()) } else { self.array(2 * len) }
    }

    /// Elements of bulk strings, in an order that only the broker knows.
    pub fn in_any_order(&mut self, elements: Vec<Vec<Vec<u8>>>) {
        let at = self.bytes.len();
        let bulks = elements.first().map_or(1, Vec::len);
        elements.iter().flatten().for_each(|bulk| self.bulk(bulk));
        self.any_order.push(AnyOrder { at, len: self.bytes.len() - at, bulks });
    }

    pub fn set(&mut self, set: Set) {
        self.line(if self.is_resp3 { '~' } else { '*' }, &set.len().to_string());
        self.in_any_order(set.into_iter().map(|member| vec![member]).collect());
    }

    pub fn push(&mut self, len: usize) {
        self.line(if self.is_resp3 { '>' } else { '*' }, &len.to_string());
    }

    /// An array of bulk strings.
    pub fn bulks<'a>(&mut self, items: impl ExactSizeIterator<Item = &'a Vec<u8>>) {
        self.array(items.len());
        for item in items {
            self.bulk(item);
        }
    }
}
