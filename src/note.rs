//! Notes among the commands of append files, for what plain commands cannot express.
//!
//! A note is an `ECHO` of our own command, so that a redis-server loading the files ignores it. It adds a
//! property to what plain commands build: since when a message is ready, how often it was delivered, which
//! policies were set. Without the notes all messages are still there.

mod dead_letters;
mod of_stream;
mod stamp_words;
mod stream_place;
mod words;

pub(crate) use dead_letters::{DeadLetterRow, write_dead_letters};
pub(crate) use of_stream::StreamNote;
pub use stream_place::StreamPlace;

use crate::departure::{Departure, Fate};
use crate::key::Key;
use crate::pauses::{Pauses, WITHOUT_END};
use crate::policy::QueuePolicy;
use crate::queue::{End, Reason, Stamp};
use crate::resp::write_header;
use crate::resp::{
    Limits, Parsed, Request, RequestParser, parse_integer, write_arg, write_command,
};
use dead_letters::read_dead_letters;
use stamp_words::{WITH_ORIGINS, add_runs, add_stamp, name_for, read_runs, read_stamps};
use std::sync::Arc;
use words::{digits, end_word, number, read_end};

/// Why messages left their queue, and from which end of the list they are handed over.
const EXPIRED: &[u8] = b"expired";
const DEAD_LETTER: &[u8] = b"dead-letter";
const DEAD_LETTER_FROM_RIGHT: &[u8] = b"dead-letter-from-right";

/// The first word of a note.
const MARK: &[u8] = b"tidegate";

/// The kinds of notes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// QUEUE POLICY SET at this time. All times are those of the queue clock.
    PolicySet { at_ms: i64, policy: QueuePolicy },
    /// QUEUE POLICY DEL.
    PolicyDeleted { name: Vec<u8> },
    /// The settings differ from the policy that was set or deleted at run time, which no longer counts.
    PolicyForgotten { name: Vec<u8> },
    /// The messages in flight or delayed in the following commands are from this policy, which no longer
    /// applies to the queue. They are to be returned.
    FormerPolicy { key: Vec<u8>, policy: QueuePolicy },
    /// The queue's messages without another stamp are ready since this time: present ones, and those that
    /// follow.
    Ready { key: Vec<u8>, ms: i64 },
    /// Messages pushed to the delayed ones of a queue are due at this time, and then join this end. They
    /// were pushed at `pushed_ms`, or earlier by the delay of the policy.
    Delayed { key: Vec<u8>, ms: i64, end: End, pushed_ms: Option<i64> },
    /// The stamps of messages whose deliveries failed, which the next push adds to the delayed ones of a
    /// queue.
    Retried { key: Vec<u8>, stamps: Vec<Stamp> },
    /// The first messages of the next push to a queue, or to its delayed ones, are not remembered for
    /// deduplication: they were stored before, or an id is remembered instead, since this time.
    Known { key: Vec<u8>, count: usize, id: Option<(i64, Vec<u8>)> },
    /// The stamps of the outermost messages at an end of a queue, beginning with the innermost, each with the
    /// number of consecutive messages that have it.
    Stamped { key: Vec<u8>, end: End, runs: Vec<(Stamp, usize)> },
    /// The stamp of the message at an index of a queue, from the left.
    StampedAt { key: Vec<u8>, index: usize, stamp: Stamp },
    /// The stamps of the messages from an index of a list on, each with the number of consecutive messages
    /// that have it. The list may be that of messages in flight or delayed.
    StampedFrom { key: Vec<u8>, index: usize, runs: Vec<(Stamp, usize)> },
    /// When a queue without messages expires if it gets some back: those in flight or delayed.
    EmptiedExpiry { key: Vec<u8>, unix_ms: i64 },
    /// This many of the outermost messages at an end of a list are dead letters, ready since this time.
    /// Without a row they are otherwise like those of the last such note.
    DeadLetters { count: usize, ms: i64, row: Option<DeadLetterRow> },
    /// A list, in the database of the note, of departing messages.
    Departing { departure: Departure },
    /// How many milliseconds the calendar is ahead of the queue clock, which all notes use. The calendar was
    /// set.
    Calendar { ahead_ms: i64 },
    /// The number of the last delivery so far. Later ones have larger numbers.
    LastDelivery { number: u64 },
    /// The stamps of the last deliveries of a queue, oldest first.
    InFlight { key: Vec<u8>, stamps: Vec<Stamp> },
    /// The pauses of a queue from now on. They end by themselves.
    Paused { key: Vec<u8>, pauses: Pauses },
    /// About the stream at a key.
    OfStream { key: Vec<u8>, about: StreamNote },
    /// The broker stopped in an orderly way. What is in flight was not lost by its consumers.
    Stopped,
    /// The data up to here is that of a replication stream up to a place. It only counts if nothing follows.
    Stream(StreamPlace),
}

impl Note {
    /// Appends the note to a stream of commands.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        if let Note::Ready { key, ms } = self {
            return write_ready(out, key, *ms);
        }
        if let Note::DeadLetters { count, ms, row } = self {
            return write_dead_letters(out, *count, *ms, row.as_ref());
        }
        let mut inner = Vec::new();
        write_command(&mut inner, self.words().iter().map(Vec::as_slice));
        write_header(out, b'*', 2);
        write_arg(out, b"ECHO");
        write_arg(out, &inner);
    }

    /// The note alone: the argument of its ECHO, as `read` takes it.
    pub(crate) fn text(&self) -> Vec<u8> {
        let mut command = Vec::new();
        self.write(&mut command);
        let mut parser = RequestParser::default();
        let parsed = parser.parse(&command, Limits::NONE);
        debug_assert!(matches!(parsed, Ok(Parsed::Request { .. })));
        parser.request(&command).get(1).unwrap_or_default().to_vec()
    }

    /// The words of a note without a form of its own.
    fn words(&self) -> Vec<Vec<u8>> {
        let mut words = vec![MARK.to_vec()];
        match self {
            Note::PolicySet { at_ms, policy } => {
                words.extend([b"policy-set".to_vec(), digits(*at_ms)]);
                words.extend(policy.to_words());
            }
            Note::PolicyDeleted { name } => {
                words.extend([b"policy-del".to_vec(), name.clone()]);
            }
            Note::PolicyForgotten { name } => {
                words.extend([b"policy-forgotten".to_vec(), name.clone()]);
            }
            Note::FormerPolicy { key, policy } => {
                words.extend([b"former-policy".to_vec(), key.clone()]);
                words.extend(policy.to_words());
            }
            // They have forms of their own.
            Note::Ready { .. } | Note::DeadLetters { .. } => {}
            Note::Delayed { key, ms, end, pushed_ms } => {
                words.extend([b"delayed".to_vec(), key.clone(), digits(*ms), end_word(*end)]);
                words.extend(pushed_ms.map(digits));
            }
            Note::Retried { key, stamps } => {
                words.extend([name_for(b"retried", stamps), key.clone()]);
                stamps.iter().for_each(|stamp| add_stamp(&mut words, stamp));
            }
            Note::Known { key, count, id } => {
                words.extend([b"known".to_vec(), key.clone(), count.to_string().into_bytes()]);
                words.extend(id.iter().flat_map(|(ms, id)| [digits(*ms), id.clone()]));
            }
            Note::Stamped { key, end, runs } => {
                let name = name_for(b"stamped", runs.iter().map(|(stamp, _)| stamp));
                words.extend([name, key.clone(), end_word(*end)]);
                add_runs(&mut words, runs);
            }
            Note::StampedFrom { key, index, runs } => {
                let name = name_for(b"stamped-from", runs.iter().map(|(stamp, _)| stamp));
                words.extend([name, key.clone(), index.to_string().into_bytes()]);
                add_runs(&mut words, runs);
            }
            Note::EmptiedExpiry { key, unix_ms } => {
                words.extend([b"emptied-expiry".to_vec(), key.clone(), digits(*unix_ms)]);
            }
            Note::StampedAt { key, index, stamp } => {
                let name = name_for(b"stamped-at", [stamp]);
                words.extend([name, key.clone(), index.to_string().into_bytes()]);
                add_stamp(&mut words, stamp);
            }
            Note::Departing { departure } => words.extend(departing_words(departure)),
            Note::Calendar { ahead_ms } => {
                words.extend([b"calendar".to_vec(), digits(*ahead_ms)]);
            }
            Note::LastDelivery { number } => {
                words.extend([b"last-delivery".to_vec(), number.to_string().into_bytes()]);
            }
            Note::InFlight { key, stamps } => {
                words.extend([name_for(b"in-flight", stamps), key.clone()]);
                stamps.iter().for_each(|stamp| add_stamp(&mut words, stamp));
            }
            Note::Paused { key, pauses } => {
                words.extend([b"paused".to_vec(), key.clone()]);
                words.extend([pauses.reads_until_ms, pauses.writes_until_ms].map(until_word));
            }
            Note::OfStream { key, about } => words.extend(about.words(key)),
            Note::Stopped => words.push(b"stopped".to_vec()),
            Note::Stream(place) => words.extend(place.words()),
        }
        words
    }

    /// Reads the argument of an ECHO. Returns `None` if it is not a note.
    ///
    /// # Errors
    /// It is a note that this version does not know, so its meaning would be lost.
    pub(crate) fn read(text: &[u8]) -> Result<Option<Note>, String> {
        if let Some(words) = text.strip_prefix(READY) {
            let note =
                read_ready(words).ok_or("ERR a note 'ready' that this version does not know");
            return Ok(Some(note?));
        }
        if let Some(note) = read_dead_letters(text) {
            let (count, ms, row) = note?;
            return Ok(Some(Note::DeadLetters { count, ms, row }));
        }
        let mut parser = RequestParser::default();
        let Ok(Parsed::Request { .. }) = parser.parse(text, Limits::NONE) else { return Ok(None) };
        let request = parser.request(text);
        if request.get(0) != Some(MARK) {
            return Ok(None);
        }
        Note::read_words(&request).map(Some).ok_or_else(|| {
            let kind = request.get(1).unwrap_or_default().escape_ascii().to_string();
            format!("ERR a note '{kind}' that this version does not know")
        })
    }

    fn read_words(request: &Request<'_>) -> Option<Note> {
        let name = request.get(1)?;
        Note::read_stamped(name, request).or_else(|| Note::read_unstamped(name, request))
    }

    /// Reads a note with stamps.
    fn read_stamped(name: &[u8], request: &Request<'_>) -> Option<Note> {
        let key = || request.get(2).map(<[u8]>::to_vec);
        match name.strip_suffix(WITH_ORIGINS).unwrap_or(name) {
            b"retried" => {
                let words: Vec<&[u8]> = request.args_from(3).collect();
                Some(Note::Retried { key: key()?, stamps: read_stamps(&words, name, 0)? })
            }
            b"stamped" => {
                let words: Vec<&[u8]> = request.args_from(4).collect();
                let (end, runs) = (read_end(request.get(3)?)?, read_runs(&words, name)?);
                Some(Note::Stamped { key: key()?, end, runs })
            }
            b"stamped-from" => {
                let words: Vec<&[u8]> = request.args_from(4).collect();
                let (index, runs) = (number(request.get(3)?)?, read_runs(&words, name)?);
                Some(Note::StampedFrom { key: key()?, index, runs })
            }
            b"stamped-at" => {
                let words: Vec<&[u8]> = request.args_from(4).collect();
                let index = number(request.get(3)?)?;
                let stamp = read_stamps(&words, name, 0)?.pop()?;
                Some(Note::StampedAt { key: key()?, index, stamp })
            }
            b"in-flight" => {
                let words: Vec<&[u8]> = request.args_from(3).collect();
                let stamps = read_stamps(&words, name, 0)?;
                Some(Note::InFlight { key: key()?, stamps })
            }
            _ => None,
        }
    }

    /// Reads a note without stamps.
    fn read_unstamped(name: &[u8], request: &Request<'_>) -> Option<Note> {
        let key = || request.get(2).map(<[u8]>::to_vec);
        match name {
            b"policy-set" => {
                let words: Vec<&[u8]> = request.args_from(3).collect();
                let policy = QueuePolicy::parse(&words).ok()?;
                Some(Note::PolicySet { at_ms: parse_integer(request.get(2)?)?, policy })
            }
            b"policy-forgotten" => Some(Note::PolicyForgotten { name: key()? }),
            b"policy-del" => Some(Note::PolicyDeleted { name: key()? }),
            b"former-policy" => {
                let words: Vec<&[u8]> = request.args_from(3).collect();
                Some(Note::FormerPolicy { key: key()?, policy: QueuePolicy::parse(&words).ok()? })
            }
            b"emptied-expiry" => {
                let unix_ms = parse_integer(request.get(3)?)?;
                Some(Note::EmptiedExpiry { key: key()?, unix_ms })
            }
            b"ready" => Some(Note::Ready { key: key()?, ms: parse_integer(request.get(3)?)? }),
            b"delayed" => Some(Note::Delayed {
                key: key()?,
                ms: parse_integer(request.get(3)?)?,
                end: read_end(request.get(4)?)?,
                pushed_ms: match request.get(5) {
                    None => None,
                    Some(word) => Some(parse_integer(word)?),
                },
            }),
            b"known" => {
                let id = match (request.get(4), request.get(5)) {
                    (None, None) => None,
                    (ms, id) => Some((parse_integer(ms?)?, id?.to_vec())),
                };
                Some(Note::Known { key: key()?, count: number(request.get(3)?)?, id })
            }
            b"departing" => Some(Note::Departing { departure: read_departing(request)? }),
            b"calendar" => Some(Note::Calendar { ahead_ms: parse_integer(request.get(2)?)? }),
            b"last-delivery" => {
                // Far below the largest number, but no broker gets that far.
                let number = u64::try_from(parse_integer(request.get(2)?)?).ok()?;
                Some(Note::LastDelivery { number })
            }
            b"paused" => {
                let reads_until_ms = read_until(request.get(3)?)?;
                let writes_until_ms = read_until(request.get(4)?)?;
                let pauses = Pauses { reads_until_ms, writes_until_ms };
                Some(Note::Paused { key: key()?, pauses })
            }
            b"stopped" => Some(Note::Stopped),
            b"stream" => StreamPlace::read(request).map(Note::Stream),
            _ => Some(Note::OfStream { key: key()?, about: StreamNote::read(name, request)? }),
        }
    }
}

/// The start of the most frequent kind of note. Its form is shorter: the time and the key follow.
const READY: &[u8] = b"tidegate ready ";

fn write_ready(out: &mut Vec<u8>, key: &[u8], ms: i64) {
    let mut digits = itoa::Buffer::new();
    let ms = digits.format(ms).as_bytes();
    write_header(out, b'*', 2);
    write_arg(out, b"ECHO");
    write_header(out, b'$', READY.len() + ms.len() + 1 + key.len());
    for part in [READY, ms, b" ", key, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

fn read_ready(words: &[u8]) -> Option<Note> {
    let end = words.iter().position(|byte| *byte == b' ')?;
    let (ms, key) = words.split_at_checked(end)?;
    Some(Note::Ready { key: key.get(1..)?.to_vec(), ms: parse_integer(ms)? })
}

fn departing_words(departure: &Departure) -> Vec<Vec<u8>> {
    let Departure { key, list, policy, fate, first, .. } = departure;
    let why = match (fate, first) {
        (Fate::Expired, _) => EXPIRED,
        (Fate::DeadLetter(_) | Fate::Dropped, End::Front) => DEAD_LETTER,
        (Fate::DeadLetter(_) | Fate::Dropped, End::Back) => DEAD_LETTER_FROM_RIGHT,
    };
    let mut words = vec![b"departing".to_vec(), list.to_vec(), key.to_vec(), why.to_vec()];
    words.extend(policy.to_words());
    words
}

fn read_departing(request: &Request<'_>) -> Option<Departure> {
    let (fate, first) = match request.get(4)? {
        EXPIRED => (Fate::Expired, End::Front),
        DEAD_LETTER => (Fate::DeadLetter(Reason::Length), End::Front),
        DEAD_LETTER_FROM_RIGHT => (Fate::DeadLetter(Reason::Length), End::Back),
        _ => return None,
    };
    let words: Vec<&[u8]> = request.args_from(5).collect();
    let policy = Arc::new(QueuePolicy::parse(&words).ok()?);
    let (list, key) = (Key::from(request.get(2)?), Key::from(request.get(3)?));
    // The caller sets the database in which the note is.
    Some(Departure { db: 0, key, list, policy, fate, first })
}

/// The end of a pause, as a word.
fn until_word(until_ms: Option<i64>) -> Vec<u8> {
    match until_ms {
        None => b"none".to_vec(),
        Some(WITHOUT_END) => b"endless".to_vec(),
        Some(until_ms) => digits(until_ms),
    }
}

fn read_until(word: &[u8]) -> Option<Option<i64>> {
    match word {
        b"none" => Some(None),
        b"endless" => Some(Some(WITHOUT_END)),
        word => Some(Some(parse_integer(word)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::DeadLetter;

    fn back(note: &Note) -> Result<Option<Note>, String> {
        let mut stream = Vec::new();
        note.write(&mut stream);
        let mut parser = RequestParser::default();
        let parsed = parser.parse(&stream, Limits::NONE);
        assert!(matches!(parsed, Ok(Parsed::Request { end }) if end == stream.len()));
        let request = parser.request(&stream);
        assert_eq!((request.len(), request.name()), (2, &b"ECHO"[..]));
        Note::read(request.get(1).expect("two arguments"))
    }

    #[test]
    fn what_was_written_is_read() {
        let stamp = Stamp {
            ready_ms: -1,
            order: u64::MAX,
            taken_from: End::Back,
            deliveries: 3,
            hops: 4,
            dead_letter: None,
        };
        let origin = |from: &[u8], reason| Some(Arc::new(DeadLetter { from: from.into(), reason }));
        let dead = Stamp { dead_letter: origin(b" q\r\n", Reason::Rejected), ..stamp.clone() };
        let row = |list: &[u8], end| {
            let dead_letter = origin(b"from 3 q", Reason::DeliveryLimit).expect("it is there");
            Some(DeadLetterRow { list: list.to_vec(), end, hops: 16, dead_letter })
        };
        let words = [&b"p"[..], b"jobs:\r\n*", b"max-length", b"3"];
        let departing = |fate, first| {
            let (key, list) = (Key::from(&b"q"[..]), Key::from(&b"l"[..]));
            let policy = Arc::new(QueuePolicy::parse(&words).expect("valid"));
            Note::Departing { departure: Departure { db: 0, key, list, policy, fate, first } }
        };
        let notes = [
            Note::PolicySet { at_ms: 7, policy: QueuePolicy::parse(&words).expect("valid") },
            Note::PolicyDeleted { name: b"p".to_vec() },
            Note::FormerPolicy {
                key: b"q".to_vec(),
                policy: QueuePolicy::parse(&words).expect("valid"),
            },
            Note::PolicyForgotten { name: b"".to_vec() },
            Note::LastDelivery { number: i64::MAX.unsigned_abs() },
            Note::Calendar { ahead_ms: -5 },
            departing(Fate::Expired, End::Front),
            departing(Fate::DeadLetter(Reason::Length), End::Front),
            departing(Fate::DeadLetter(Reason::Length), End::Back),
            Note::DeadLetters { count: 1, ms: -7, row: None },
            Note::DeadLetters { count: 9, ms: i64::MAX, row: row(b"dead letters\r\n", End::Back) },
            Note::DeadLetters { count: 9, ms: 7, row: row(b"", End::Front) },
            Note::Ready { key: b"\0\r\n".to_vec(), ms: i64::MAX },
            Note::Delayed { key: b"q".to_vec(), ms: -7, end: End::Back, pushed_ms: None },
            Note::Delayed { key: b"q".to_vec(), ms: 7, end: End::Front, pushed_ms: Some(-7) },
            Note::Retried { key: b"q".to_vec(), stamps: vec![stamp.clone(), Stamp::default()] },
            Note::Retried { key: b"q".to_vec(), stamps: vec![dead.clone()] },
            Note::Known { key: b"q".to_vec(), count: 3, id: None },
            Note::Known { key: b"q".to_vec(), count: 1, id: Some((8, b"\r\n".to_vec())) },
            Note::Stamped {
                key: b"q".to_vec(),
                end: End::Back,
                runs: vec![(stamp.clone(), 9), (stamp.clone(), 1)],
            },
            Note::Stamped {
                key: b"q".to_vec(),
                end: End::Front,
                runs: vec![(stamp.clone(), 9), (dead.clone(), 1), (dead.clone(), 2)],
            },
            Note::StampedAt { key: b"q".to_vec(), index: 7, stamp: stamp.clone() },
            Note::StampedAt { key: b"q".to_vec(), index: 7, stamp: dead.clone() },
            Note::InFlight { key: b"q".to_vec(), stamps: vec![stamp, Stamp::default()] },
            Note::InFlight { key: b"q".to_vec(), stamps: vec![Stamp::default(), dead] },
            Note::InFlight { key: b"q".to_vec(), stamps: vec![] },
            Note::Stopped,
        ];
        for note in notes {
            assert_eq!(back(&note), Ok(Some(note)));
        }
    }

    /// In RDB files notes are alone.
    #[test]
    fn notes_without_an_echo_are_read() {
        let dead_letter =
            Some(Arc::new(DeadLetter { from: b"q".as_slice().into(), reason: Reason::Expired }));
        let (stamp, dead) = (Stamp::default(), Stamp { dead_letter, ..Stamp::default() });
        let notes = [
            Note::StampedFrom { key: b"q".to_vec(), index: 0, runs: vec![(stamp.clone(), 9)] },
            Note::StampedFrom {
                key: b"q:inflight".to_vec(),
                index: usize::MAX,
                runs: vec![(stamp, usize::MAX), (dead, 1)],
            },
            Note::EmptiedExpiry { key: b"\r\n".to_vec(), unix_ms: i64::MAX },
            Note::Ready { key: b"\0\r\n".to_vec(), ms: i64::MAX },
            Note::DeadLetters { count: 1, ms: -7, row: None },
        ];
        for note in notes {
            assert_eq!(Note::read(&note.text()), Ok(Some(note.clone())));
            assert_eq!(back(&note), Ok(Some(note)));
        }
    }

    #[test]
    fn pauses_are_read() {
        for (reads_until_ms, writes_until_ms) in [(Some(7), None), (None, Some(WITHOUT_END))] {
            let pauses = Pauses { reads_until_ms, writes_until_ms };
            let note = Note::Paused { key: b"\r\n".to_vec(), pauses };
            assert_eq!(back(&note), Ok(Some(note)));
        }
    }

    /// Files without dead letters have the form that they always had.
    #[test]
    fn stamps_without_an_origin_are_as_in_older_files() {
        let stamp = Stamp { ready_ms: 7, order: 2, deliveries: 3, hops: 1, ..Stamp::default() };
        let words = "$1 7 $1 2 $1 3 $1 1 $4 left ";
        let notes = [
            (
                Note::Stamped {
                    key: b"q".to_vec(),
                    end: End::Back,
                    runs: vec![(stamp.clone(), 9)],
                },
                format!("*10 $8 tidegate $7 stamped $1 q $5 right $1 9 {words}"),
            ),
            (
                Note::StampedAt { key: b"q".to_vec(), index: 4, stamp: stamp.clone() },
                format!("*9 $8 tidegate $10 stamped-at $1 q $1 4 {words}"),
            ),
            (
                Note::InFlight { key: b"q".to_vec(), stamps: vec![stamp] },
                format!("*8 $8 tidegate $9 in-flight $1 q {words}"),
            ),
        ];
        for (note, words) in notes {
            let text = words.replace(' ', "\r\n").into_bytes();
            let mut written = Vec::new();
            note.write(&mut written);
            assert!(written.windows(text.len()).any(|window| window == text), "{words}");
            assert_eq!(Note::read(&text), Ok(Some(note)));
        }
    }

    #[test]
    fn a_place_in_a_stream_is_read_back() {
        let place = StreamPlace { id: vec![b'a'; 40], offset: u64::MAX, db: Some(15) };
        assert_eq!(back(&Note::Stream(place.clone())), Ok(Some(Note::Stream(place))));
    }

    #[test]
    fn other_echoes_are_no_notes() {
        for text in [&b""[..], b"hello", b"tidegate", b"*1\r\n$2\r\nhi\r\n", b"*x"] {
            assert_eq!(Note::read(text), Ok(None));
        }
        for text in [&b"tidegate ready "[..], b"tidegate ready 7", b"tidegate ready x q"] {
            assert!(Note::read(text).is_err());
        }
        let letters = ["", "1", "1 x", "1 7 2", "1 7 2 up expired 1 q", "1 7 2 left expired 9 q"];
        for words in letters {
            assert!(Note::read(format!("tidegate letters {words}").as_bytes()).is_err(), "{words}");
        }
        // The form in older files.
        let ready = b"*4\r\n$8\r\ntidegate\r\n$5\r\nready\r\n$1\r\nq\r\n$1\r\n7\r\n";
        assert_eq!(Note::read(ready), Ok(Some(Note::Ready { key: b"q".to_vec(), ms: 7 })));
        let unknown = b"*2\r\n$8\r\ntidegate\r\n$6\r\nfuture\r\n";
        let error = "ERR a note 'future' that this version does not know";
        assert_eq!(Note::read(unknown), Err(error.into()));
        let cut = b"*4\r\n$8\r\ntidegate\r\n$7\r\nstamped\r\n$1\r\nq\r\n$2\r\nup\r\n";
        assert!(Note::read(cut).is_err());
    }
}
