//! Replies as bytes, in a client's protocol version.

#[derive(Default)]
pub struct Reply {
    pub bytes: Vec<u8>,
    pub is_resp3: bool,
}

impl Reply {
    pub fn new(is_resp3: bool) -> Reply {
        Reply { bytes: Vec::new(), is_resp3 }
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
