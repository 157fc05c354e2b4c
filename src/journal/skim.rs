//! Walks over commands without holding them: in a damaged file they may be, or claim to be, of any
//! length.

use crate::resp::parse_integer;
use std::io::{self, BufRead, BufReader, Read};

/// Maximum length of a line with a count or a length, as in the parser.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Bytes of a command's name that are kept.
const NAME_BYTES_MAX: u64 = 16;

/// The next item.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Skimmed {
    /// A whole command: the first bytes of its name, unchanged.
    Command(Vec<u8>),
    /// The bytes end after a command.
    End,
    /// The bytes end in the middle of a command.
    Partial,
    /// Not a command: its first bytes.
    Other(Vec<u8>),
}

/// Walks from one command to the next.
pub(super) struct Skimmer {
    reader: BufReader<Box<dyn Read + Send>>,
}

/// A line that begins a command or an argument.
enum Header {
    Number(u64),
    Partial,
    Other,
}

impl Skimmer {
    pub(super) fn new(reader: Box<dyn Read + Send>) -> Skimmer {
        Skimmer { reader: BufReader::with_capacity(1 << 18, reader) }
    }

    /// The next command. After any other result there is no more.
    pub(super) fn next_command(&mut self) -> io::Result<Skimmed> {
        match self.reader.fill_buf()? {
            [] => return Ok(Skimmed::End),
            [b'*', ..] => {}
            other => return Ok(Skimmed::Other(other[..other.len().min(64)].to_vec())),
        }
        let count = match self.header(b'*', i32::MAX as u64)? {
            Header::Number(0) | Header::Other => return Ok(Skimmed::Other(Vec::new())),
            Header::Number(count) => count,
            Header::Partial => return Ok(Skimmed::Partial),
        };
        let mut name = Vec::new();
        for index in 0..count {
            let length = match self.header(b'$', i64::MAX as u64)? {
                Header::Number(length) => length,
                Header::Partial => return Ok(Skimmed::Partial),
                Header::Other => return Ok(Skimmed::Other(Vec::new())),
            };
            let of_name = if index == 0 { length.min(NAME_BYTES_MAX) } else { 0 };
            (&mut self.reader).take(of_name).read_to_end(&mut name)?;
            // Including the two bytes after it.
            let left = length - of_name + 2;
            if io::copy(&mut (&mut self.reader).take(left), &mut io::sink())? < left {
                return Ok(Skimmed::Partial);
            }
        }
        Ok(Skimmed::Command(name))
    }

    /// A line of `kind` with a number up to `max`.
    fn header(&mut self, kind: u8, max: u64) -> io::Result<Header> {
        let mut line = Vec::new();
        (&mut self.reader).take(LINE_BYTES_MAX).read_until(b'\r', &mut line)?;
        let is_long = line.len() as u64 == LINE_BYTES_MAX;
        let Some(digits) = line.strip_suffix(b"\r") else {
            return Ok(if is_long { Header::Other } else { Header::Partial });
        };
        // The byte after it exists, whatever it is.
        if (&mut self.reader).take(1).read_to_end(&mut Vec::new())? == 0 {
            return Ok(Header::Partial);
        }
        let digits = digits.strip_prefix(&[kind]);
        let number = digits.and_then(parse_integer).and_then(|number| u64::try_from(number).ok());
        Ok(number.filter(|number| *number <= max).map_or(Header::Other, Header::Number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::{Limits, Parsed, RequestParser};
    use proptest::prelude::*;

    fn skimmer(bytes: &[u8]) -> Skimmer {
        Skimmer::new(Box::new(io::Cursor::new(bytes.to_vec())))
    }

    fn next(skimmer: &mut Skimmer) -> Skimmed {
        skimmer.next_command().expect("memory")
    }

    /// Both find the same commands, however the bytes are broken.
    fn compare_with_parser(bytes: &[u8]) -> Result<(), TestCaseError> {
        let mut skimmer = skimmer(bytes);
        let mut at = 0;
        loop {
            let mut parser = RequestParser::default();
            let rest = &bytes[at..];
            let found = next(&mut skimmer);
            match rest.first() {
                None => prop_assert_eq!(found, Skimmed::End),
                Some(b'*') => match parser.parse(rest, Limits::NONE) {
                    Ok(Parsed::Request { end }) => {
                        let name = parser.request(rest).name();
                        let name = &name[..name.len().min(NAME_BYTES_MAX as usize)];
                        prop_assert_eq!(found, Skimmed::Command(name.to_vec()));
                        at += end;
                        continue;
                    }
                    Ok(Parsed::Incomplete) => prop_assert_eq!(found, Skimmed::Partial),
                    _ => prop_assert!(matches!(found, Skimmed::Other(_)), "{:?}", found),
                },
                Some(_) => prop_assert!(matches!(found, Skimmed::Other(_)), "{:?}", found),
            }
            return Ok(());
        }
    }

    const COMMANDS: &[u8] =
        b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*1\r\n$20\r\naaaaaaaaaabbbbbbbbbb\r\n\
        *3\r\n$5\r\nRPUSH\r\n$0\r\n\r\n$14\r\n*1\r\n$4\r\nPING\r\n\r\n*1\r\n$4\r\nEXEC\r\n";

    #[test]
    fn what_is_long_is_not_held() {
        let mut skimmer = skimmer(b"*2\r\n$4\r\nPING\r\n$9223372036854775807\r\nab");
        assert_eq!(next(&mut skimmer), Skimmed::Partial);
    }

    proptest! {
        #[test]
        fn walks_as_the_parser_does(
            cut in any::<prop::sample::Index>(),
            edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        ) {
            let mut bytes = COMMANDS[..=cut.index(COMMANDS.len())].to_vec();
            for (at, byte) in edits {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            compare_with_parser(&bytes)?;
        }
    }
}
