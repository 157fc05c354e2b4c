//! The effects: all changes, as a stream of commands that change another broker in the same way.
//!
//! Effects are not requests: a BLPOP becomes the LPOP that it was, a relative expiry becomes a time, an
//! expired key a DEL, and the changes of one EXEC are between MULTI and EXEC. Replaying the stream from its
//! start, with the clock at zero so that nothing expires by itself, gives the same data. The append files
//! are one reader of the stream; there may be more: see `stream`.
//!
//! Consecutive pushes to one end of a queue become one push of all their messages, consecutive pops one pop
//! with a count: fewer bytes to write, and fewer commands to load.

mod dead_letters;
mod stream;
#[cfg(test)]
mod tests;

pub use stream::EffectsReader;

use crate::departure::Removed;
use crate::key::DbIndex;
use crate::note::Note;
use crate::queue::End;
use crate::resp::{write_arg, write_command, write_header};
use dead_letters::DeadLetters;
use std::ops::Range;
use stream::Stream;

/// Limit on the bytes of joined pushes: enough to make the command's first words cheap, and little for a
/// loader, which keeps a whole command in memory.
const JOINED_BYTES_MAX: usize = 16 * 1024;

const LINE_END: &[u8] = b"\r\n";

/// The changes since the first reader began.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Whether there are readers.
    is_on: bool,
    stream: Stream,
    /// The database selected in the stream.
    db: Option<DbIndex>,
    /// Whether the current command has recorded its effect itself.
    is_recorded: bool,
    /// The changes of the current EXEC so far.
    group: Option<Group>,
    /// The last effect, of the group if there is one, if another effect can join it.
    last: Option<Joinable>,
    file: u32,
    /// Dead letters in the last effect, a push, whose note follows.
    dead_letters: DeadLetters,
}

/// The effects of one EXEC. They are kept apart until it ends, since only then it is known whether there are
/// several.
#[derive(Debug, Default)]
struct Group {
    stream: Vec<u8>,
    count: usize,
}

/// Messages that moved from a queue to a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moves<'a> {
    pub(crate) db: DbIndex,
    pub(crate) key: &'a [u8],
    /// The end of the queue they were taken from.
    pub(crate) end: End,
    /// The list. They were added at its back.
    pub(crate) list: &'a [u8],
    pub(crate) count: usize,
    /// Whether the queue had no other messages, and no loader must see their push to the queue.
    pub(crate) are_all: bool,
}

/// A push or a pop at the end of the stream.
#[derive(Debug)]
struct Joinable {
    kind: Kind,
    /// Where the command begins.
    start: usize,
    /// Where its key is. Messages or a count follow.
    key: Range<usize>,
    /// Messages pushed or popped.
    count: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Push(End),
    Pop(End),
}

impl Kind {
    fn command(self) -> &'static [u8] {
        match self {
            Kind::Push(End::Front) => b"LPUSH",
            Kind::Push(End::Back) => b"RPUSH",
            Kind::Pop(End::Front) => b"LPOP",
            Kind::Pop(End::Back) => b"RPOP",
        }
    }
}

/// An end of a list, as an argument of LMOVE.
pub(crate) fn side(end: End) -> &'static [u8] {
    match end {
        End::Front => b"LEFT",
        End::Back => b"RIGHT",
    }
}

impl Effects {
    /// Whether effects are recorded.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Bytes of the stream since it was last sealed.
    #[inline]
    pub(crate) fn unsealed_bytes(&self) -> usize {
        self.stream.unsealed_bytes() + self.group.as_ref().map_or(0, |group| group.stream.len())
    }

    /// Bytes kept for readers.
    pub(crate) fn held_bytes(&self) -> usize {
        self.stream.bytes()
    }

    /// Adds a reader. It begins with the choice of a database. Earlier notes are repeated for it only after
    /// `begin_file`.
    pub(crate) fn begin_reading(&mut self) -> EffectsReader {
        self.seal();
        self.db = None;
        self.is_on = true;
        self.stream.add_reader()
    }

    /// Ends a reader. Without readers nothing is recorded.
    pub(crate) fn end_reading(&mut self, reader: EffectsReader) {
        self.seal();
        self.stream.remove_reader(reader);
        self.is_on = self.stream.has_readers();
    }

    /// Whether the commands that run record nothing of themselves: those of a primary are added as they came.
    pub(crate) fn set_suspended(&mut self, is_suspended: bool) {
        self.is_on = !is_suspended && self.stream.has_readers();
    }

    /// Adds a request as it came from a primary.
    pub(crate) fn add_received(&mut self, db: DbIndex, request: &[u8]) {
        if self.stream.has_readers() {
            self.begin_effect(db).extend_from_slice(request);
        }
    }

    /// Begins the next command.
    #[inline]
    pub(crate) fn begin_command(&mut self) {
        self.is_recorded = false;
    }

    /// Whether the current command has recorded its effect, so that its request is not recorded.
    pub(crate) fn is_recorded(&self) -> bool {
        self.is_recorded
    }

    /// Records an effect that differs from the request.
    pub(crate) fn record<'a, A>(&mut self, db: DbIndex, args: A)
    where
        A: IntoIterator<Item = &'a [u8], IntoIter: ExactSizeIterator>,
    {
        self.is_recorded = true;
        self.add(db, args);
    }

    /// Records an effect of this many arguments, which `write` appends one by one with `resp::write_arg`.
    #[inline]
    pub(crate) fn record_written(
        &mut self,
        db: DbIndex,
        args: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        self.is_recorded = true;
        if self.is_on {
            let stream = self.begin_effect(db);
            write_header(stream, b'*', args);
            write(stream);
        }
    }

    /// Records an effect that is encoded as a command, possibly with a note.
    pub(crate) fn record_encoded(&mut self, db: DbIndex, command: &[u8]) {
        self.is_recorded = true;
        if self.is_on {
            self.begin_effect(db).extend_from_slice(command);
        }
    }

    /// Adds one command to the stream.
    pub(crate) fn add<'a, A>(&mut self, db: DbIndex, args: A)
    where
        A: IntoIterator<Item = &'a [u8], IntoIter: ExactSizeIterator>,
    {
        if self.is_on {
            write_command(self.begin_effect(db), args);
        }
    }

    /// Adds a note, which means nothing to other servers.
    pub(crate) fn note(&mut self, db: DbIndex, note: &Note) {
        if self.is_on {
            note.write(self.begin_effect(db));
        }
    }

    /// The number of the current file, increased by `begin_file`. Notes in another file are unknown in this
    /// one.
    pub(crate) fn file(&self) -> u32 {
        self.file
    }

    /// Records the removal of consecutive messages from a list: see `add_removed`.
    pub(crate) fn record_removed(&mut self, removed: &Removed, mark: impl FnOnce() -> Vec<u8>) {
        self.is_recorded = true;
        self.add_removed(removed, mark);
    }

    /// Adds the removal of consecutive messages from a list. In the middle, a mark replaces them first: a
    /// text that no message can be expected to have. Departing messages are copied to a list of their own
    /// before.
    pub(crate) fn add_removed(&mut self, removed: &Removed, mark: impl FnOnce() -> Vec<u8>) {
        if !self.is_on {
            return;
        }
        let &Removed { db, ref key, index, count, behind, ref departure } = removed;
        let mut digits = itoa::Buffer::new();
        if let Some(departure) = departure {
            let mut last = itoa::Buffer::new();
            let (first, last) = (digits.format(index), last.format(index + count - 1));
            self.add(db, [&b"COPY"[..], key, &departure.list]);
            self.add(db, [&b"PERSIST"[..], &departure.list]);
            let range = [first.as_bytes(), last.as_bytes()];
            self.add(db, [&b"LTRIM"[..], &departure.list, range[0], range[1]]);
            self.note(db, &Note::Departing { departure: departure.clone() });
        }
        if index == 0 || behind == 0 {
            let command = if index == 0 { &b"LPOP"[..] } else { b"RPOP" };
            return self.add(db, [command, key, digits.format(count).as_bytes()]);
        }
        let mark = mark();
        for position in index..index + count {
            self.add(db, [&b"LSET"[..], key, digits.format(position).as_bytes(), &mark]);
        }
        self.add(db, [&b"LREM"[..], key, digits.format(count).as_bytes(), &mark]);
    }

    /// Records a push of messages, one after another, to one end of a queue.
    #[inline]
    pub(crate) fn record_push<'a, A>(&mut self, db: DbIndex, end: End, key: &[u8], messages: A)
    where
        A: IntoIterator<Item = &'a [u8], IntoIter: ExactSizeIterator>,
    {
        self.is_recorded = true;
        if self.is_on {
            // These are not among the dead letters of the note.
            self.note_dead_letters();
            self.push(db, end, key, messages.into_iter());
        }
    }

    fn push<'a>(
        &mut self,
        db: DbIndex,
        end: End,
        key: &[u8],
        messages: impl ExactSizeIterator<Item = &'a [u8]>,
    ) {
        let mut last = self.joinable(db, Kind::Push(end), key);
        let stream = self.current();
        last.count += messages.len();
        last.set_args(stream, 2 + last.count);
        messages.for_each(|message| write_arg(stream, message));
        self.last = Some(last);
    }

    /// Records a pop of this many messages from one end of a queue.
    #[inline]
    pub(crate) fn record_pop(&mut self, db: DbIndex, end: End, key: &[u8], count: usize) {
        self.is_recorded = true;
        if self.is_on {
            self.pop(db, end, key, count);
        }
    }

    fn pop(&mut self, db: DbIndex, end: End, key: &[u8], count: usize) {
        let mut last = self.joinable(db, Kind::Pop(end), key);
        let stream = self.current();
        last.count += count;
        if last.count > 1 {
            last.set_args(stream, 3);
            stream.truncate(last.key.end + LINE_END.len());
            write_arg(stream, itoa::Buffer::new().format(last.count).as_bytes());
        }
        self.last = Some(last);
    }

    /// Records that messages moved from one end of a queue to the back of a list.
    pub(crate) fn record_moves(&mut self, moved: &Moves<'_>) {
        self.is_recorded = true;
        let may_redirect = moved.are_all && !self.dead_letters.are_due();
        if self.is_on && !(may_redirect && self.redirect_push(moved)) {
            self.move_all(moved);
        }
    }

    /// If the stream ends with the push of these messages, and the queue had no others, changes it to a push
    /// to the list. Returns whether it did.
    fn redirect_push(&mut self, moved: &Moves<'_>) -> bool {
        let &Moves { db, end, key, list, count, .. } = moved;
        let kind = Kind::Push(End::Back);
        // Several messages taken from the back would be in the opposite order.
        let has_order = end == End::Front || count == 1;
        let Some(last) = self.last.take_if(|last| has_order && last.count == count) else {
            return false;
        };
        if !self.is_of(&last, db, kind, key) {
            self.last = Some(last);
            return false;
        }
        // The name, and before that its length and a line end.
        let (mut before, mut after) = (itoa::Buffer::new(), itoa::Buffer::new());
        let (before, after) = (before.format(key.len()), after.format(list.len()));
        let length_end = last.key.start - LINE_END.len();
        let stream = self.current();
        stream.splice(last.key, list.iter().copied());
        stream.splice(length_end - before.len()..length_end, after.bytes());
        true
    }

    fn move_all(&mut self, moved: &Moves<'_>) {
        let &Moves { db, end, key, list, count, .. } = moved;
        // A pop at the front of the list stays the last effect, so that the next pop can join it. What it
        // takes was in the list before these messages.
        let pop = self.last.take();
        let pop = pop.filter(|last| self.is_of(last, db, Kind::Pop(End::Front), list));
        let len_before = self.current().len();
        for _ in 0..count {
            write_command(self.begin_effect(db), [b"LMOVE", key, list, side(end), b"RIGHT"]);
        }
        let Some(mut pop) = pop else { return };
        let stream = self.current();
        let moved_bytes = stream.len() - len_before;
        stream[pop.start..].rotate_right(moved_bytes);
        pop.start += moved_bytes;
        pop.key = pop.key.start + moved_bytes..pop.key.end + moved_bytes;
        self.last = Some(pop);
    }

    /// Whether the last effect is of this kind, database and queue.
    fn is_of(&mut self, last: &Joinable, db: DbIndex, kind: Kind, key: &[u8]) -> bool {
        last.kind == kind && self.db == Some(db) && self.current()[last.key.clone()] == *key
    }

    /// Returns the last effect if it is of this kind and queue and not too large; otherwise a new one,
    /// without messages so far.
    fn joinable(&mut self, db: DbIndex, kind: Kind, key: &[u8]) -> Joinable {
        if let Some(last) = self.last.take()
            && self.is_of(&last, db, kind, key)
            && self.current().len() - last.start < JOINED_BYTES_MAX
        {
            return last;
        }
        let stream = self.begin_effect(db);
        let start = stream.len();
        write_command(stream, [kind.command(), key]);
        let key_end = stream.len() - LINE_END.len();
        Joinable { kind, start, key: key_end - key.len()..key_end, count: 0 }
    }

    /// The buffer to write to: that of the current EXEC, if there is one.
    fn current(&mut self) -> &mut Vec<u8> {
        self.group.as_mut().map_or(self.stream.open(), |group| &mut group.stream)
    }

    /// The buffer, ready for a command in this database.
    fn begin_effect(&mut self, db: DbIndex) -> &mut Vec<u8> {
        self.note_dead_letters();
        self.last = None;
        if let Some(group) = &mut self.group {
            group.count += 1;
        }
        let is_selected = self.db.replace(db) == Some(db);
        let stream = self.current();
        if !is_selected {
            let mut digits = itoa::Buffer::new();
            // Lower case is the same to Redis, but Redis writes upper case: see `journal::scan`.
            write_command(stream, [b"select", digits.format(db).as_bytes()]);
        }
        stream
    }

    /// Whether an EXEC or a script has begun.
    pub(crate) fn is_in_group(&self) -> bool {
        self.group.is_some()
    }

    /// Begins an EXEC, or a script outside of one.
    pub(crate) fn begin_group(&mut self) {
        self.note_dead_letters();
        self.last = None;
        if self.is_on {
            self.group = Some(Group::default());
        }
    }

    /// Ends an EXEC. Several effects are enclosed in MULTI and EXEC, so that all or none are replayed.
    pub(crate) fn end_group(&mut self) {
        if self.group.is_some() {
            self.note_dead_letters();
        }
        let Some(mut group) = self.group.take() else { return };
        self.last = None;
        let stream = self.stream.open();
        if group.count > 1 {
            write_command(stream, [&b"MULTI"[..]]);
        }
        stream.append(&mut group.stream);
        if group.count > 1 {
            write_command(stream, [&b"EXEC"[..]]);
        }
    }

    /// Ends a part of the stream, such as a turn: its bytes do not change any more and can be read.
    #[inline]
    pub(crate) fn seal(&mut self) {
        debug_assert!(self.group.is_none(), "an EXEC is in one part");
        self.note_dead_letters();
        self.last = None;
        self.stream.seal();
    }

    /// A reader's position, in bytes since the first reader began.
    pub(crate) fn offset_of(&self, reader: &EffectsReader) -> u64 {
        self.stream.offset_of(reader)
    }

    /// A reader's unread sealed bytes, in parts.
    pub(crate) fn unread(&self, reader: &EffectsReader) -> impl Iterator<Item = &[u8]> {
        self.stream.unread(reader)
    }

    /// Marks this many unread bytes as read.
    pub(crate) fn advance(&mut self, reader: &EffectsReader, bytes: usize) {
        self.stream.advance(reader, bytes);
    }

    /// Moves a reader's unread sealed bytes to the end of `to`.
    #[inline]
    pub(crate) fn take_into(&mut self, reader: &EffectsReader, to: &mut Vec<u8>) {
        self.stream.take_into(reader, to);
    }

    /// Makes the following stream complete by itself, for a new file or after a snapshot: it begins with the
    /// choice of its database, and notes are repeated.
    pub(crate) fn begin_file(&mut self) {
        self.seal();
        self.db = None;
        self.file = self.file.wrapping_add(1);
    }
}

impl Joinable {
    /// Changes the number of arguments in the command. If it needs more digits, the rest is moved. That
    /// happens at 10, 100 and so on, so it costs next to nothing per message.
    fn set_args(&mut self, stream: &mut Vec<u8>, args: usize) {
        let first = self.start + 1;
        let digits_before = stream[first..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(args).as_bytes();
        let added = digits.len() - digits_before;
        if added > 0 {
            let end = stream.len();
            stream.resize(end + added, 0);
            stream.copy_within(first + digits_before..end, first + digits.len());
            self.key = self.key.start + added..self.key.end + added;
        }
        stream[first..first + digits.len()].copy_from_slice(digits);
    }
}
