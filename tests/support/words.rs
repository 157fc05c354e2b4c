//! Words of a line, quoted as redis-cli quotes them.

/// A place in a line of text.
pub struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    pub fn new(line: &'a str) -> Self {
        Cursor { rest: line }
    }

    pub fn rest(&self) -> &'a str {
        self.rest
    }

    pub fn advance(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }

    pub fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Takes `token` if it is next.
    pub fn eat(&mut self, token: &str) -> bool {
        self.skip_spaces();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    pub fn expect(&mut self, token: &str) -> Result<(), String> {
        match self.eat(token) {
            true => Ok(()),
            false => Err(format!("expected {token} before: {}", self.rest)),
        }
    }

    pub fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// A quoted string and, right behind it, how often it is repeated: `"x"*1000`.
    pub fn quoted(&mut self) -> Result<Vec<u8>, String> {
        let quote = if self.rest.starts_with('\'') { '\'' } else { '"' };
        let mut chars = self.rest.char_indices();
        if chars.next().is_none_or(|(_, c)| c != quote) {
            return Err(format!("expected a quoted string before: {}", self.rest));
        }
        let mut bytes = Vec::new();
        loop {
            let (at, c) = chars.next().ok_or("a quoted string does not end")?;
            match c {
                '\\' => {
                    let (_, escaped) = chars.next().ok_or("a quoted string does not end")?;
                    match escaped {
                        'x' if quote == '"' => {
                            let code = self.rest.get(at + 2..at + 4).unwrap_or_default();
                            let code = u8::from_str_radix(code, 16);
                            bytes.push(code.map_err(|_| "\\x needs two hexadecimal digits")?);
                            chars.nth(1);
                        }
                        'n' if quote == '"' => bytes.push(b'\n'),
                        'r' if quote == '"' => bytes.push(b'\r'),
                        't' if quote == '"' => bytes.push(b'\t'),
                        '\'' if quote == '\'' => bytes.push(b'\''),
                        other if quote == '"' => push_char(&mut bytes, other),
                        other => {
                            bytes.push(b'\\');
                            push_char(&mut bytes, other);
                        }
                    }
                }
                c if c == quote => {
                    self.advance(at + 1);
                    break;
                }
                c => push_char(&mut bytes, c),
            }
        }
        if let Some(rest) = self.rest.strip_prefix('*') {
            self.rest = rest;
            let count = self.take_while(|c| c.is_ascii_digit());
            bytes = bytes.repeat(count.parse().map_err(|_| "a number follows *")?);
        }
        Ok(bytes)
    }
}

fn push_char(bytes: &mut Vec<u8>, c: char) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// One word of a request.
#[derive(Debug)]
pub enum Word {
    Bytes(Vec<u8>),
    /// `$name`: what an earlier reply was named.
    Name(String),
}

pub fn split_words(line: &str) -> Result<Vec<Word>, String> {
    let mut cursor = Cursor::new(line);
    let mut words = Vec::new();
    loop {
        cursor.skip_spaces();
        let Some(first) = cursor.rest().chars().next() else { return Ok(words) };
        words.push(match first {
            '"' | '\'' => Word::Bytes(cursor.quoted()?),
            _ => {
                let word = cursor.take_while(|c| !c.is_whitespace());
                match word.strip_prefix('$') {
                    Some(name) if !name.is_empty() => Word::Name(name.to_owned()),
                    _ => Word::Bytes(word.as_bytes().to_vec()),
                }
            }
        });
    }
}
