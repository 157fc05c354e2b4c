//! Notes about streams: what RDB files of version 9 and plain commands cannot express.

use super::words::{digits, number};
use crate::resp::{Request, parse_integer};

/// A note about a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StreamNote {
    /// How many entries were ever added, and the two numbers of the highest id that was deleted.
    Counts { added: u64, deleted: (u64, u64) },
    /// How many entries a group has read, if that is known.
    Read { group: Vec<u8>, entries: Option<u64> },
    /// When a consumer was last active.
    Seen { group: Vec<u8>, consumer: Vec<u8>, unix_ms: i64 },
}

const COUNTS: &[u8] = b"stream-counts";
const READ: &[u8] = b"stream-read";
const SEEN: &[u8] = b"stream-seen";

fn unsigned(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}

impl StreamNote {
    /// The words of the note, about the stream at this key.
    pub(super) fn words(&self, key: &[u8]) -> Vec<Vec<u8>> {
        let key = key.to_vec();
        match self {
            StreamNote::Counts { added, deleted } => {
                let numbers = [*added, deleted.0, deleted.1].map(unsigned);
                [COUNTS.to_vec(), key].into_iter().chain(numbers).collect()
            }
            StreamNote::Read { group, entries } => {
                let entries = entries.map_or(b"-".to_vec(), unsigned);
                vec![READ.to_vec(), key, group.clone(), entries]
            }
            StreamNote::Seen { group, consumer, unix_ms } => {
                vec![SEEN.to_vec(), key, group.clone(), consumer.clone(), digits(*unix_ms)]
            }
        }
    }

    /// Reads the words of a note.
    pub(super) fn read(name: &[u8], request: &Request<'_>) -> Option<StreamNote> {
        let word = |at| request.get(at).map(<[u8]>::to_vec);
        match name {
            COUNTS => {
                let deleted = (number(request.get(4)?)?, number(request.get(5)?)?);
                Some(StreamNote::Counts { added: number(request.get(3)?)?, deleted })
            }
            READ => {
                let entries = match request.get(4)? {
                    b"-" => None,
                    entries => Some(number(entries)?),
                };
                Some(StreamNote::Read { group: word(3)?, entries })
            }
            SEEN => {
                let unix_ms = parse_integer(request.get(5)?)?;
                Some(StreamNote::Seen { group: word(3)?, consumer: word(4)?, unix_ms })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Note;
    use super::*;

    #[test]
    fn notes_about_streams_are_read_back() {
        let (group, consumer) = (b"\r\n".to_vec(), b"".to_vec());
        for about in [
            StreamNote::Counts { added: u64::MAX, deleted: (0, u64::MAX) },
            StreamNote::Read { group: group.clone(), entries: None },
            StreamNote::Read { group: group.clone(), entries: Some(u64::MAX) },
            StreamNote::Seen { group, consumer, unix_ms: i64::MIN },
        ] {
            let note = Note::OfStream { key: b"s".to_vec(), about };
            assert_eq!(Note::read(&note.text()), Ok(Some(note)));
        }
    }
}
