//! Loads data in the RDB format into the broker, as its bytes arrive.
//!
//! Like the commands of append files (`replay`), it passes no gate, nothing expires, and no effects are
//! recorded. A value is built apart and then inserted. Under a policy it goes the way of the commands that would
//! make it, and so does one whose key may be the name of a list of messages in flight or delayed.
//! What lists and strings cannot express is in fields named `tidegate`: notes, as in append files.

use super::replay;
use super::stream::build_stream;
use crate::engine::Table;
use crate::keyspace::{DbIndex, Value};
use crate::policy::{DELAYED, IN_FLIGHT};
use crate::queue::{End, Queue};
use crate::queueing;
use crate::rdb::{Place, RdbError, Reader, Sink, StreamPart, ValueType};
use crate::resp::{DoubleBuffer, Output, OwnedRequest};
use crate::state::State;
use crate::value::{HashValue, Kind, Set, SetValue, SortedSet, StreamBuilder, StringValue};
use std::mem;

/// The name of the fields with notes.
const NOTE_FIELD: &[u8] = b"tidegate";

/// The fields about replication, which tell a replica where the stream of changes continues.
const STREAM_DB: &[u8] = b"repl-stream-db";
const STREAM_ID: &[u8] = b"repl-id";
const STREAM_OFFSET: &[u8] = b"repl-offset";

/// Longer values of these fields are not kept.
const FIELD_BYTES_MAX: usize = 64;

/// Elements of a list that are pushed by one command, and bytes of them, as in a base file.
const ELEMENTS_PER_COMMAND: usize = 64;
const COMMAND_BYTES: usize = 64 << 10;

/// Refusals of sets and hashes.
pub(super) const MEMBER_TWICE: &str = "a member is there twice";
pub(super) const FIELD_TWICE: &str = "a field is there twice";

/// The loading of data in the RDB format. The broker gets it with each piece of the input.
#[derive(Debug)]
pub struct RdbLoad {
    reader: Reader,
    loaded: Loaded,
}

/// What was loaded, and the value that is being loaded.
#[derive(Debug, Default)]
struct Loaded {
    summary: RdbSummary,
    /// The database of the following keys.
    db: DbIndex,
    /// The list that has begun, if it is not pushed by commands.
    list: Queue,
    /// The hash or set that has begun, likewise.
    hash: HashValue,
    set: SetValue,
    /// Elements of the value that were not pushed yet, if it is, one behind the other, and where each ends.
    elements: Vec<u8>,
    element_ends: Vec<usize>,
    is_pushed: bool,
    /// The sorted set that has begun, and how it is stored.
    sorted_set: SortedSet,
    stream: StreamBuilder,
    reply: Output,
}

/// What an input contained besides the data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RdbSummary {
    /// Keys that were loaded.
    pub keys: u64,
    /// Values that were left out, since their types are not supported.
    pub left_out: u64,
    /// Libraries of functions that were left out.
    pub left_out_functions: u64,
    /// The database that the stream of changes has selected, from which the data comes.
    pub stream_db: Option<String>,
    /// The id of that stream.
    pub stream_id: Option<String>,
    /// The bytes of that stream before the data.
    pub stream_offset: Option<String>,
}

impl RdbSummary {
    /// Adds what another input contained.
    pub(crate) fn add(&mut self, other: &RdbSummary) {
        self.keys += other.keys;
        self.left_out += other.left_out;
        self.left_out_functions += other.left_out_functions;
    }
}

impl RdbLoad {
    /// Begins. `leaves_out`: values of unsupported types, and function libraries, are left out and counted;
    /// otherwise they are errors.
    pub fn new(leaves_out: bool) -> RdbLoad {
        RdbLoad { reader: Reader::new(leaves_out), loaded: Loaded::default() }
    }

    /// Whether the input has reached its end.
    pub fn is_done(&self) -> bool {
        self.reader.is_done()
    }

    /// Returns the error of an input without more bytes that has not reached its end.
    pub fn cut_off(&self) -> RdbError {
        self.reader.cut_off()
    }

    /// Returns what the input contained so far besides the data.
    pub fn summary(&self) -> &RdbSummary {
        &self.loaded.summary
    }
}

/// Loads the next bytes of data in the RDB format. Returns their number up to its end, which is all of them
/// before that.
///
/// # Errors
/// The data is damaged, or this broker cannot hold it. What was before that in the input is loaded.
pub(crate) fn load_rdb(
    state: &mut State,
    table: &'static Table,
    load: &mut RdbLoad,
    bytes: &[u8],
) -> Result<usize, RdbError> {
    let RdbLoad { reader, loaded } = load;
    reader.read(bytes, &mut Loading { state, table, loaded })
}

/// Receives what the reader reads.
struct Loading<'a> {
    state: &'a mut State,
    table: &'static Table,
    loaded: &'a mut Loaded,
}

impl Loading<'_> {
    /// Runs a command as from append files.
    fn run<'a>(&mut self, args: impl IntoIterator<Item = &'a [u8]>) -> Result<(), String> {
        self.run_request(&OwnedRequest::from_args(args))
    }

    fn run_request(&mut self, request: &OwnedRequest) -> Result<(), String> {
        let Loaded { db, reply, .. } = &mut *self.loaded;
        let source = replay::Source::files();
        let request = request.as_request();
        let ran = replay::replay(self.state, self.table, db, &request, reply, source);
        ran.map_err(|error| error.to_text())
    }

    /// Checks that the key has no value yet: data in this format names each key once.
    fn check_new(&mut self, place: &Place) -> Result<(), String> {
        self.loaded.summary.keys += 1;
        match self.state.keyspace.get(self.loaded.db, &place.key) {
            None => Ok(()),
            Some(_) => Err("it is there twice".into()),
        }
    }

    /// Whether a value goes the way of commands: its queue is under a policy, or its key may be the name of a
    /// hidden list.
    fn is_replayed(&mut self, place: &Place) -> bool {
        let (keyspace, key) = (&mut self.state.keyspace, &place.key[..]);
        keyspace.has_policies()
            && (key.ends_with(IN_FLIGHT)
                || key.ends_with(DELAYED)
                || keyspace.policies().of(key).is_some()
                // A former policy, according to a note.
                || keyspace.queue_state(self.loaded.db, key).is_some())
    }

    fn insert(&mut self, place: &Place, value: Value) {
        // Times before 1970 are all due at once.
        let expires_ms = place.expires_ms.map(|expires_ms| expires_ms.max(0));
        self.state.keyspace.insert(self.loaded.db, &place.key, value, expires_ms);
    }

    fn set_expiry(&mut self, place: &Place) -> Result<(), String> {
        let Some(expires_ms) = place.expires_ms else { return Ok(()) };
        let mut digits = itoa::Buffer::new();
        self.run([&b"PEXPIREAT"[..], &place.key, digits.format(expires_ms.max(0)).as_bytes()])
    }

    /// Begins a value of several elements. Those of some are pushed by commands.
    fn begin(&mut self, place: &Place) -> Result<(), String> {
        self.check_new(place)?;
        self.loaded.is_pushed = self.is_replayed(place);
        Ok(())
    }

    /// Adds an element that is pushed by a command. `is_whole`: the next one may be in another command.
    fn add(
        &mut self,
        place: &Place,
        command: &[u8],
        element: &[u8],
        is_whole: bool,
    ) -> Result<(), String> {
        let Loaded { elements, element_ends, .. } = &mut *self.loaded;
        elements.extend_from_slice(element);
        element_ends.push(elements.len());
        let is_enough =
            element_ends.len() >= ELEMENTS_PER_COMMAND || elements.len() >= COMMAND_BYTES;
        if is_enough && is_whole { self.push(place, command) } else { Ok(()) }
    }

    /// Ends a value whose elements are pushed by commands.
    fn end_pushed(&mut self, place: &Place, command: &[u8]) -> Result<(), String> {
        if !self.loaded.element_ends.is_empty() {
            self.push(place, command)?;
        }
        self.set_expiry(place)
    }

    /// Pushes the elements that were not pushed yet.
    fn push(&mut self, place: &Place, command: &[u8]) -> Result<(), String> {
        let Loaded { elements, element_ends, .. } = &mut *self.loaded;
        let mut rest = &elements[..];
        let mut start = 0;
        let each = element_ends.iter().map(|&end| {
            let (element, behind) = rest.split_at_checked(end - start).unwrap_or((rest, &[]));
            (rest, start) = (behind, end);
            element
        });
        let args = [command, &place.key].into_iter().chain(each);
        let request = OwnedRequest::from_args(args);
        elements.clear();
        element_ends.clear();
        elements.shrink_to(COMMAND_BYTES);
        self.run_request(&request)
    }
}

impl Sink for Loading<'_> {
    fn aux(&mut self, _: u64, name: &[u8], value: &[u8]) -> Result<(), String> {
        let summary = &mut self.loaded.summary;
        let field = match name {
            NOTE_FIELD => {
                let noted = queueing::replay_note(&mut self.state.keyspace, self.loaded.db, value);
                return noted.map_err(|error| error.to_text());
            }
            STREAM_DB => &mut summary.stream_db,
            STREAM_ID => &mut summary.stream_id,
            STREAM_OFFSET => &mut summary.stream_offset,
            _ => return Ok(()),
        };
        if value.len() <= FIELD_BYTES_MAX {
            *field = Some(String::from_utf8_lossy(value).into_owned());
        }
        Ok(())
    }

    fn select(&mut self, db: u64) -> Result<(), String> {
        let count = self.state.keyspace.db_count();
        let index = usize::try_from(db).ok().filter(|db| *db < count);
        self.loaded.db = index.ok_or_else(|| {
            format!("there are keys in database {db}, but only {count} databases: see `databases`")
        })?;
        Ok(())
    }

    fn string(&mut self, place: &Place, value: &[u8]) -> Result<(), String> {
        self.check_new(place)?;
        if self.is_replayed(place) {
            self.run([&b"SET"[..], &place.key, value])?;
            return self.set_expiry(place);
        }
        self.insert(place, StringValue::new(value).into_value());
        Ok(())
    }

    fn begin_list(&mut self, place: &Place) -> Result<(), String> {
        self.begin(place)?;
        if !self.loaded.is_pushed {
            self.loaded.list = Queue::new();
            self.loaded.list.set_filling(true);
        }
        Ok(())
    }

    #[inline]
    fn element(&mut self, place: &Place, element: &[u8]) -> Result<(), String> {
        if !self.loaded.is_pushed {
            self.loaded.list.push(End::Back, element);
            return Ok(());
        }
        self.add(place, b"RPUSH", element, true)
    }

    fn end_list(&mut self, place: &Place) -> Result<(), String> {
        if self.loaded.is_pushed {
            return self.end_pushed(place, b"RPUSH");
        }
        let mut list = mem::take(&mut self.loaded.list);
        list.set_filling(false);
        // An empty list is no value. Old versions of Redis may have written one.
        if !list.is_empty() {
            self.insert(place, list.into_value());
        }
        Ok(())
    }

    fn begin_set(&mut self, place: &Place) -> Result<(), String> {
        self.begin(place)?;
        self.loaded.set = SetValue::default();
        Ok(())
    }

    fn member(&mut self, place: &Place, member: &[u8]) -> Result<(), String> {
        if self.loaded.is_pushed {
            return self.add(place, b"SADD", member, true);
        }
        let growth = self.state.set_growth();
        match self.loaded.set.insert(member, &growth) {
            true => Ok(()),
            false => Err(MEMBER_TWICE.into()),
        }
    }

    fn end_set(&mut self, place: &Place) -> Result<(), String> {
        if self.loaded.is_pushed {
            return self.end_pushed(place, b"SADD");
        }
        let set = mem::take(&mut self.loaded.set);
        if !set.is_empty() {
            self.insert(place, set.into_value());
        }
        Ok(())
    }

    fn begin_hash(&mut self, place: &Place) -> Result<(), String> {
        self.begin(place)?;
        self.loaded.hash = HashValue::default();
        Ok(())
    }

    fn field(&mut self, place: &Place, field: &[u8], value: &[u8]) -> Result<(), String> {
        if self.loaded.is_pushed {
            self.add(place, b"HSET", field, false)?;
            return self.add(place, b"HSET", value, true);
        }
        let growth = self.state.hash_growth();
        match self.loaded.hash.set(field, value, &growth) {
            true => Ok(()),
            false => Err(FIELD_TWICE.into()),
        }
    }

    fn end_hash(&mut self, place: &Place) -> Result<(), String> {
        if self.loaded.is_pushed {
            return self.end_pushed(place, b"HSET");
        }
        let hash = mem::take(&mut self.loaded.hash);
        if !hash.is_empty() {
            self.insert(place, hash.into_value());
        }
        Ok(())
    }

    fn begin_sorted_set(&mut self, place: &Place) -> Result<(), String> {
        self.begin(place)?;
        self.loaded.sorted_set = SortedSet::default();
        Ok(())
    }

    #[inline]
    fn scored_member(&mut self, place: &Place, member: &[u8], score: f64) -> Result<(), String> {
        if self.loaded.is_pushed {
            let mut text = DoubleBuffer::default();
            self.add(place, b"ZADD", text.format(score), false)?;
            return self.add(place, b"ZADD", member, true);
        }
        let growth = self.state.sorted_set_growth();
        match self.loaded.sorted_set.set(member, score, &growth) {
            Set::Added => Ok(()),
            Set::Updated | Set::Same => Err(MEMBER_TWICE.into()),
        }
    }

    fn end_sorted_set(&mut self, place: &Place) -> Result<(), String> {
        if self.loaded.is_pushed {
            return self.end_pushed(place, b"ZADD");
        }
        let set = mem::take(&mut self.loaded.sorted_set);
        if !set.is_empty() {
            self.insert(place, set.into_value());
        }
        Ok(())
    }

    fn stream(&mut self, place: &Place, part: StreamPart<'_>) -> Result<(), String> {
        if part == StreamPart::Begin {
            self.check_new(place)?;
        }
        let built = build_stream(&mut self.loaded.stream, part).map_err(String::from)?;
        let Some(stream) = built else { return Ok(()) };
        if self.is_replayed(place) {
            // The way of commands decides whether there may be a stream, which then takes the place of this one.
            let args = [&b"XADD"[..], &place.key, b"MAXLEN", b"=", b"0", b"0-1", b"x", b"y"];
            self.run(args)?;
        }
        self.insert(place, stream.into_value());
        Ok(())
    }

    fn left_out(&mut self, _: &Place, _: ValueType) {
        self.loaded.summary.left_out += 1;
    }

    fn takes_functions(&self) -> bool {
        cfg!(feature = "lua")
    }

    fn function(&mut self, code: &[u8]) -> Result<(), String> {
        self.run([&b"FUNCTION"[..], b"LOAD", b"REPLACE", code])
    }

    fn left_out_functions(&mut self) {
        self.loaded.summary.left_out_functions += 1;
    }
}
