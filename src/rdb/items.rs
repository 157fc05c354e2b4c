//! Reads the RDB format item by item.
//!
//! The input is a row of items, each no longer than one string. An item is taken as a whole, or not at all.
//! A list, a set or a hash arrives element by element.

use super::crc64::Crc64;
use super::error::{Problem, RdbError};
use super::format::{
    CHECKSUM_BYTES, CONTAINER_PACKED, CONTAINER_PLAIN, MAGIC, OP_AUX, OP_END, OP_EXPIRY_MS,
    OP_EXPIRY_S, OP_FREQUENCY, OP_FUNCTION, OP_IDLE, OP_MODULE_AUX, OP_RESIZE, OP_SELECT,
};
use super::length::{Cursor, Stop};
use super::sink::{Place, Sink};
use super::skip::{self, Skip};
use super::sorted_set::{self, ScoreForm};
use super::stream::StreamItems;
use super::text::Buffers;
use super::unordered::Unordered;
use super::value_type::ValueType;
use super::{listpack, ziplist};

/// The oldest version that is read: the first with a checksum, of Redis 2.6.
const VERSION_MIN: u16 = 5;

/// The newest version that is read, of Redis 7.4 to 8.2.
pub(super) const VERSION_MAX: u16 = 12;

/// The beginning of a file of Valkey from 9 on, and its version. Redis' versions go on separately.
const VALKEY_MAGIC: &[u8] = b"VALKEY";
pub(super) const VALKEY_VERSION: u16 = 80;

/// How many keys of a slot of a cluster follow, and of these with an expiry, behind its number: lengths.
const OP_SLOT_INFO: u8 = 244;

/// How far a reader is.
#[derive(Debug)]
enum State {
    /// At the beginning of a file.
    Start,
    /// Before a key, a field or the end.
    Between,
    /// Before the name of a field.
    AuxName,
    /// Before its text. The name is where otherwise the key is.
    AuxValue,
    /// Before a key with a value of this type.
    Key(ValueType),
    /// Before a value that is a string.
    String,
    /// Before the number of parts of a list.
    Count(ListPart),
    /// Before a list that is one ziplist.
    OneZiplist,
    /// Before one of the parts of a list, of which so many are left.
    List(ListPart, u64),
    /// Before a part of a set or hash.
    Unordered(Unordered),
    /// Before a sorted set.
    SortedSet(ScoreForm),
    /// Before a member of a sorted set, of which so many are left.
    Member(ScoreForm, u64),
    /// Before the next item of a stream.
    Stream(StreamItems),
    /// Before the code of a library of functions.
    Function,
    /// Before a value of a type that is not supported.
    LeftOut(ValueType, Skip),
    /// Before something else that is passed over.
    Skip(Skip),
    /// Before the checksum.
    Checksum,
    /// At the end.
    End,
}

/// The parts of a list.
#[derive(Clone, Copy, Debug)]
enum ListPart {
    Element,
    Ziplist,
    /// With its kind before it.
    Node,
}

/// Whether bytes begin like a file, as far as they are here.
pub fn is_start(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC) || bytes.starts_with(VALKEY_MAGIC)
}

/// Reads items, each of them whole.
#[derive(Debug)]
pub(super) struct Items {
    leaves_out: bool,
    /// Whether the file is of Valkey, from 9 on.
    is_valkey: bool,
    state: State,
    place: Place,
    buffers: Buffers,
    /// Of all bytes up to the current item, as far as a file is read.
    checksum: Crc64,
    /// The offset of the current item.
    at: u64,
}

/// Whether values of this type are read.
pub(super) fn is_supported(value_type: ValueType) -> bool {
    matches!(value_type.name(), "string" | "list" | "zset" | "stream")
        || Unordered::begin(value_type).is_some()
}

impl Items {
    /// Begins with a file. `leaves_out`: values of unsupported types, and function libraries, are left out.
    pub(super) fn of_file(leaves_out: bool) -> Items {
        Items {
            leaves_out,
            is_valkey: false,
            state: State::Start,
            place: Place::default(),
            buffers: Buffers::default(),
            checksum: Crc64::default(),
            at: 0,
        }
    }

    /// Begins with a value of this key, behind its type.
    pub(super) fn of_value(place: Place, value_type: ValueType) -> Items {
        let mut items = Items { place, ..Items::of_file(false) };
        items.begin_value(value_type);
        items
    }

    /// Whether the file has ended.
    pub(super) fn is_at_end(&self) -> bool {
        matches!(self.state, State::End)
    }

    /// Whether the next item is part of a value.
    pub(super) fn is_in_value(&self) -> bool {
        match self.state {
            State::String
            | State::Count(_)
            | State::OneZiplist
            | State::List(..)
            | State::Unordered(_)
            | State::SortedSet(_)
            | State::Member(..)
            | State::Stream(_)
            | State::LeftOut(..) => true,
            State::Start
            | State::Between
            | State::AuxName
            | State::AuxValue
            | State::Key(_)
            | State::Function
            | State::Skip(_)
            | State::Checksum
            | State::End => false,
        }
    }

    /// Whether the next item is the checksum: all bytes before it must be added before it is taken.
    pub(super) fn is_checksum_next(&self) -> bool {
        matches!(self.state, State::Checksum)
    }

    /// Adds bytes to the checksum.
    pub(super) fn sum(&mut self, bytes: &[u8]) {
        self.checksum.add(bytes);
    }

    /// Returns an error at the current item.
    pub(super) fn error(&self, problem: Problem) -> RdbError {
        let key = self.is_in_value().then(|| (self.place.db, self.place.key.clone()));
        RdbError { at: self.at, key, problem }
    }

    /// Takes the next item. `bytes` begin with it, and may end within it.
    pub(super) fn next(&mut self, bytes: &[u8], sink: &mut impl Sink) -> Result<usize, Stop> {
        let mut cursor = Cursor::new(bytes);
        match &mut self.state {
            State::Start => self.start(&mut cursor)?,
            State::Between => self.between(&mut cursor, sink)?,
            State::AuxName => {
                let name = self.buffers.string(&mut cursor)?;
                self.place.key.clear();
                self.place.key.extend_from_slice(name);
                self.state = State::AuxValue;
            }
            State::AuxValue => {
                let value = self.buffers.string(&mut cursor)?;
                sink.aux(self.place.db, &self.place.key, value).map_err(Problem::Refused)?;
                self.state = State::Between;
            }
            &mut State::Key(value_type) => self.key(value_type, &mut cursor)?,
            State::String => {
                let value = self.buffers.string(&mut cursor)?;
                sink.string(&self.place, value).map_err(Problem::Refused)?;
                self.end_value();
            }
            &mut State::Count(part) => {
                let count = cursor.length()?;
                self.begin_list(part, count, sink)?;
            }
            State::OneZiplist => self.begin_list(ListPart::Ziplist, 1, sink)?,
            &mut State::List(part, left) => {
                self.list_part(part, left, &mut cursor, sink)?;
            }
            State::Unordered(unordered) => {
                if unordered.step(&mut cursor, &mut self.buffers, &self.place, sink)? {
                    self.end_value();
                }
            }
            &mut State::SortedSet(form) => self.sorted_set(form, &mut cursor, sink)?,
            &mut State::Member(form, left) => {
                sorted_set::member(form, &mut self.buffers, &mut cursor, &self.place, sink)?;
                self.expect_members(form, left.saturating_sub(1), sink)?;
            }
            State::Stream(stream) => {
                if stream.take(&mut cursor, &mut self.buffers, &self.place, sink)? {
                    self.end_value();
                }
            }
            State::LeftOut(value_type, skip) => {
                if skip.step(&mut cursor)? {
                    sink.left_out(&self.place, *value_type);
                    self.end_value();
                }
            }
            State::Skip(skip) => {
                if skip.step(&mut cursor)? {
                    self.state = State::Between;
                }
            }
            State::Function => {
                let code = self.buffers.string(&mut cursor)?;
                sink.function(code).map_err(Problem::Refused)?;
                self.state = State::Between;
            }
            State::Checksum => self.check_sum(&mut cursor)?,
            State::End => {}
        }
        self.at += cursor.at() as u64;
        Ok(cursor.at())
    }

    /// Takes a key, before a value of this type.
    fn key(&mut self, value_type: ValueType, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        let key = self.buffers.string(cursor)?;
        self.place.key.clear();
        self.place.key.extend_from_slice(key);
        self.begin_value(value_type);
        if let State::LeftOut(..) = self.state
            && !self.leaves_out
        {
            return Err(Problem::UnsupportedType(value_type).into());
        }
        Ok(())
    }

    /// Takes the checksum, which ends the file.
    fn check_sum(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        let found = u64::from_le_bytes(cursor.array::<CHECKSUM_BYTES>()?);
        let expected = self.checksum.value();
        // Zero: the writer was told not to compute it.
        if found != 0 && found != expected {
            return Err(Problem::Checksum { expected, found }.into());
        }
        self.state = State::End;
        Ok(())
    }

    /// Takes the beginning of a file.
    fn start(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        let start: [u8; 9] = cursor.array()?;
        let (digits, min, max) = match (start.strip_prefix(MAGIC), start.strip_prefix(VALKEY_MAGIC))
        {
            (Some(digits), _) => (digits, VERSION_MIN, VERSION_MAX),
            (_, Some(digits)) => (digits, VALKEY_VERSION, VALKEY_VERSION),
            _ => return Err(Problem::NoStart.into()),
        };
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(Problem::NoStart.into());
        }
        let found = digits.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
        if !(min..=max).contains(&found) {
            return Err(Problem::Version { min, max, found }.into());
        }
        self.is_valkey = found == VALKEY_VERSION;
        self.state = State::Between;
        Ok(())
    }

    /// Takes what stands before a key or between keys.
    fn between(&mut self, cursor: &mut Cursor<'_>, sink: &mut impl Sink) -> Result<(), Stop> {
        let first = cursor.byte()?;
        match first {
            OP_EXPIRY_MS => self.place.expires_ms = Some(i64::from_le_bytes(cursor.array()?)),
            OP_EXPIRY_S => {
                let seconds = i64::from(i32::from_le_bytes(cursor.array()?));
                self.place.expires_ms = Some(seconds * 1000);
            }
            // How often a key is used, and how many keys there are, makes no difference here.
            OP_FREQUENCY => drop(cursor.byte()?),
            OP_IDLE => drop(cursor.length()?),
            OP_RESIZE => drop((cursor.length()?, cursor.length()?)),
            OP_SLOT_INFO => drop((cursor.length()?, cursor.length()?, cursor.length()?)),
            OP_SELECT => {
                let db = cursor.length()?;
                sink.select(db).map_err(Problem::Refused)?;
                self.place.db = db;
            }
            OP_AUX => self.state = State::AuxName,
            // Every Redis 8 writes some. Without the module it has no meaning.
            OP_MODULE_AUX => self.state = State::Skip(Skip::parts(skip::MODULE)),
            OP_FUNCTION if sink.takes_functions() => self.state = State::Function,
            OP_FUNCTION if !self.leaves_out => return Err(Problem::FunctionLibrary.into()),
            OP_FUNCTION => {
                sink.left_out_functions();
                self.state = State::Skip(Skip::parts(skip::ONE_STRING));
            }
            OP_END => self.state = State::Checksum,
            number => {
                let value_type =
                    ValueType::of(number, self.is_valkey).ok_or(Problem::Opcode(number))?;
                self.state = State::Key(value_type);
            }
        }
        Ok(())
    }

    fn begin_value(&mut self, value_type: ValueType) {
        self.state = match value_type {
            ValueType::String => State::String,
            ValueType::List => State::Count(ListPart::Element),
            ValueType::ListQuicklist => State::Count(ListPart::Ziplist),
            ValueType::ListQuicklist2 => State::Count(ListPart::Node),
            ValueType::ListZiplist => State::OneZiplist,
            ValueType::Zset => State::SortedSet(ScoreForm::Text),
            ValueType::Zset2 => State::SortedSet(ScoreForm::Binary),
            ValueType::ZsetZiplist => State::SortedSet(ScoreForm::Ziplist),
            ValueType::ZsetListpack => State::SortedSet(ScoreForm::Listpack),
            ValueType::Stream | ValueType::Stream2 | ValueType::Stream3 => {
                State::Stream(StreamItems::new(value_type))
            }
            other => match Unordered::begin(other) {
                Some(unordered) => State::Unordered(unordered),
                None => State::LeftOut(other, Skip::value(other)),
            },
        };
    }

    fn end_value(&mut self) {
        self.place.expires_ms = None;
        self.state = State::Between;
    }

    /// Takes a packed sorted set, or the number of members of another.
    fn sorted_set(
        &mut self,
        form: ScoreForm,
        cursor: &mut Cursor<'_>,
        sink: &mut impl Sink,
    ) -> Result<(), Stop> {
        if form.is_packed() {
            sorted_set::packed(form, self.buffers.string(cursor)?, &self.place, sink)?;
            self.end_value();
            return Ok(());
        }
        let count = cursor.length()?;
        sink.begin_sorted_set(&self.place).map_err(Problem::Refused)?;
        self.expect_members(form, count, sink)
    }

    /// Continues with the remaining members of a sorted set, or ends it.
    fn expect_members(
        &mut self,
        form: ScoreForm,
        left: u64,
        sink: &mut impl Sink,
    ) -> Result<(), Stop> {
        self.state = State::Member(form, left);
        if left == 0 {
            sink.end_sorted_set(&self.place).map_err(Problem::Refused)?;
            self.end_value();
        }
        Ok(())
    }

    /// Begins a list of `count` parts.
    fn begin_list(&mut self, part: ListPart, count: u64, sink: &mut impl Sink) -> Result<(), Stop> {
        sink.begin_list(&self.place).map_err(Problem::Refused)?;
        self.expect_parts(part, count, sink)
    }

    /// Continues with the remaining parts of a list, or ends it.
    fn expect_parts(
        &mut self,
        part: ListPart,
        left: u64,
        sink: &mut impl Sink,
    ) -> Result<(), Stop> {
        self.state = State::List(part, left);
        if left == 0 {
            sink.end_list(&self.place).map_err(Problem::Refused)?;
            self.end_value();
        }
        Ok(())
    }

    /// Takes one of the `left` parts of a list.
    fn list_part(
        &mut self,
        part: ListPart,
        left: u64,
        cursor: &mut Cursor<'_>,
        sink: &mut impl Sink,
    ) -> Result<(), Stop> {
        let place = &self.place;
        let container = match part {
            ListPart::Node => cursor.length()?,
            ListPart::Element | ListPart::Ziplist => CONTAINER_PLAIN,
        };
        let bytes = self.buffers.string(cursor)?;
        let mut element = |element: &[u8]| sink.element(place, element);
        match (part, container) {
            (ListPart::Ziplist, _) => {
                let read = ziplist::read(bytes, element);
                read.map_err(|error| error.into_problem(Problem::Ziplist))?;
            }
            (_, CONTAINER_PLAIN) => element(bytes).map_err(Problem::Refused)?,
            (_, CONTAINER_PACKED) => {
                let read = listpack::read(bytes, element);
                read.map_err(|error| error.into_problem(Problem::Listpack))?;
            }
            (_, other) => return Err(Problem::Container(other).into()),
        }
        self.expect_parts(part, left.saturating_sub(1), sink)
    }
}
