//! What changed, as a stream of commands that change another broker in the same way.
//!
//! Effects are not requests: a BLPOP is the LPOP that it became, a relative expiry is the moment
//! it means, an expired key is a DEL, and what one EXEC changed stands between MULTI and EXEC.
//! Whoever replays the stream from the start, with the clock at zero so that nothing expires by
//! itself, has the same data. Append files and replication take their bytes from here.
//!
//! Pushes to one end of a queue that follow each other are one push of all their messages, and pops
//! one pop with a count: fewer bytes to write, and fewer commands to load.

use crate::departure::Removed;
use crate::key::DbIndex;
use crate::note::Note;
use crate::queue::End;
use crate::resp::{write_arg, write_command};
use std::ops::Range;

/// A push takes in others up to so many bytes: enough for its first words to cost nothing beside its
/// messages, and little for a loader, which holds a command as a whole.
const JOINED_BYTES_MAX: usize = 16 * 1024;

const LINE_END: &[u8] = b"\r\n";

/// The stream since it was last taken.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    is_on: bool,
    stream: Vec<u8>,
    /// The database that the stream has selected.
    db: Option<DbIndex>,
    /// Whether the command that runs has stated its effect itself.
    is_stated: bool,
    /// What an EXEC that runs has changed so far.
    group: Option<Group>,
    /// What the stream ends with, of the group if there is one, if another effect can become part of
    /// it.
    last: Option<Joinable>,
    file: u32,
}

/// The effects of one EXEC. They are kept apart until it ends, since only then it is known
/// whether there are several.
#[derive(Debug, Default)]
struct Group {
    stream: Vec<u8>,
    count: usize,
}

/// A push or a pop in a stream.
#[derive(Debug)]
struct Joinable {
    kind: Kind,
    /// Where it begins.
    start: usize,
    /// Where it names its queue. What follows are messages or a count.
    key: Range<usize>,
    /// Messages that it pushes or pops.
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

impl Effects {
    /// Whether effects are wanted.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Bytes of the stream since it was last taken.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        self.stream.len() + self.group.as_ref().map_or(0, |group| group.stream.len())
    }

    /// Asks for effects from now on, or for none any more.
    pub(crate) fn turn(&mut self, is_on: bool) {
        *self = Effects { is_on, file: self.file, ..Effects::default() };
    }

    /// Begins the next command.
    #[inline]
    pub(crate) fn begin_command(&mut self) {
        self.is_stated = false;
    }

    /// Whether the command that runs has stated its effect, so that the request is not taken
    /// for it.
    pub(crate) fn is_stated(&self) -> bool {
        self.is_stated
    }

    /// States an effect that differs from the request that has it.
    pub(crate) fn state<'a, A>(&mut self, db: DbIndex, args: A)
    where
        A: IntoIterator<Item = &'a [u8], IntoIter: ExactSizeIterator>,
    {
        self.is_stated = true;
        self.add(db, args);
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

    /// The number of the file that the stream goes to, as far as `forget_db` tells: what was noted in
    /// another one is not known in this.
    pub(crate) fn file(&self) -> u32 {
        self.file
    }

    /// States that messages in a row were taken out of a list: see `add_removed`.
    pub(crate) fn state_removed(&mut self, removed: &Removed, mark: impl FnOnce() -> Vec<u8>) {
        self.is_stated = true;
        self.add_removed(removed, mark);
    }

    /// Adds that messages in a row were taken out of a list. In the middle a mark takes their places first,
    /// which no message can be expected to be. Those that are on their way are in a list of their own.
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
        for place in index..index + count {
            self.add(db, [&b"LSET"[..], key, digits.format(place).as_bytes(), &mark]);
        }
        self.add(db, [&b"LREM"[..], key, digits.format(count).as_bytes(), &mark]);
    }

    /// States that messages were added at one end of a queue, one after the other.
    #[inline]
    pub(crate) fn state_push<'a, A>(&mut self, db: DbIndex, end: End, key: &[u8], messages: A)
    where
        A: IntoIterator<Item = &'a [u8], IntoIter: ExactSizeIterator>,
    {
        self.is_stated = true;
        if self.is_on {
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

    /// States that so many messages were taken from one end of a queue.
    #[inline]
    pub(crate) fn state_pop(&mut self, db: DbIndex, end: End, key: &[u8], count: usize) {
        self.is_stated = true;
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

    /// What the stream ends with, if it is of this kind, of this queue and not too large yet; else a
    /// new one, of no messages so far.
    fn joinable(&mut self, db: DbIndex, kind: Kind, key: &[u8]) -> Joinable {
        if let Some(last) = self.last.take()
            && last.kind == kind
            && self.db == Some(db)
        {
            let stream = self.current();
            if stream[last.key.clone()] == *key && stream.len() - last.start < JOINED_BYTES_MAX {
                return last;
            }
        }
        let stream = self.begin_effect(db);
        let start = stream.len();
        write_command(stream, [kind.command(), key]);
        let key_end = stream.len() - LINE_END.len();
        Joinable { kind, start, key: key_end - key.len()..key_end, count: 0 }
    }

    /// The stream that is written to: that of the EXEC that runs, if one does.
    fn current(&mut self) -> &mut Vec<u8> {
        self.group.as_mut().map_or(&mut self.stream, |group| &mut group.stream)
    }

    /// The stream, for one more command in this database.
    fn begin_effect(&mut self, db: DbIndex) -> &mut Vec<u8> {
        self.last = None;
        if let Some(group) = &mut self.group {
            group.count += 1;
        }
        let is_selected = self.db.replace(db) == Some(db);
        let stream = self.current();
        if !is_selected {
            let mut digits = itoa::Buffer::new();
            // In lower case, which is the same to Redis, but not what Redis writes: see `journal::scan`.
            write_command(stream, [b"select", digits.format(db).as_bytes()]);
        }
        stream
    }

    /// Begins an EXEC.
    pub(crate) fn begin_group(&mut self) {
        self.last = None;
        if self.is_on {
            self.group = Some(Group::default());
        }
    }

    /// Ends an EXEC: several effects stand between MULTI and EXEC, so that they are replayed
    /// together or not at all.
    pub(crate) fn end_group(&mut self) {
        let Some(mut group) = self.group.take() else { return };
        self.last = None;
        if group.count > 1 {
            write_command(&mut self.stream, [&b"MULTI"[..]]);
        }
        self.stream.append(&mut group.stream);
        if group.count > 1 {
            write_command(&mut self.stream, [&b"EXEC"[..]]);
        }
    }

    /// Moves the stream since the last call to the end of `to`. It goes on in the database it had
    /// selected.
    pub(crate) fn take_into(&mut self, to: &mut Vec<u8>) {
        self.last = None;
        if to.is_empty() {
            // The buffers change places, so that neither is copied nor allocated anew.
            std::mem::swap(to, &mut self.stream);
        } else {
            to.append(&mut self.stream);
        }
    }

    /// Makes the stream to come begin with the choice of its database: a new file begins, which
    /// must mean the same by itself.
    pub(crate) fn forget_db(&mut self) {
        self.db = None;
        self.file = self.file.wrapping_add(1);
    }
}

impl Joinable {
    /// Changes the number of arguments at its beginning. If that has more digits now, what follows
    /// moves; that happens at 10, 100 and so on, so it costs next to nothing for each.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn recording() -> Effects {
        let mut effects = Effects::default();
        effects.turn(true);
        effects
    }

    fn text(effects: &mut Effects) -> String {
        let mut taken = Vec::new();
        effects.take_into(&mut taken);
        String::from_utf8_lossy(&taken).replace("\r\n", " ")
    }

    #[test]
    fn a_database_is_selected_when_it_changes() {
        let mut effects = recording();
        effects.add(0, [&b"DEL"[..], b"a"]);
        effects.add(0, [&b"DEL"[..], b"b"]);
        let first = "*2 $6 select $1 0 *2 $3 DEL $1 a *2 $3 DEL $1 b ";
        assert_eq!(text(&mut effects), first);
        effects.add(0, [&b"DEL"[..], b"c"]);
        assert_eq!(text(&mut effects), "*2 $3 DEL $1 c ");
    }

    #[test]
    fn only_several_effects_of_one_exec_are_a_transaction() {
        let mut effects = recording();
        effects.begin_group();
        effects.end_group();
        assert_eq!(text(&mut effects), "");
        effects.begin_group();
        effects.add(3, [&b"DEL"[..], b"a"]);
        effects.end_group();
        assert_eq!(text(&mut effects), "*2 $6 select $1 3 *2 $3 DEL $1 a ");
        effects.begin_group();
        effects.add(3, [&b"DEL"[..], b"a"]);
        effects.add(3, [&b"DEL"[..], b"b"]);
        effects.end_group();
        let all = "*1 $5 MULTI *2 $3 DEL $1 a *2 $3 DEL $1 b *1 $4 EXEC ";
        assert_eq!(text(&mut effects), all);
    }

    fn push(effects: &mut Effects, end: End, key: &[u8], messages: &[&[u8]]) {
        effects.state_push(0, end, key, messages.iter().copied());
    }

    #[test]
    fn pushes_that_follow_each_other_are_one() {
        let mut effects = recording();
        push(&mut effects, End::Back, b"q", &[b"a"]);
        push(&mut effects, End::Back, b"q", &[b"b", b"c"]);
        push(&mut effects, End::Front, b"q", &[b"d"]);
        push(&mut effects, End::Front, b"other", &[b"e"]);
        let joined = "*5 $5 RPUSH $1 q $1 a $1 b $1 c *3 $5 LPUSH $1 q $1 d \
            *3 $5 LPUSH $5 other $1 e ";
        assert_eq!(text(&mut effects), format!("*2 $6 select $1 0 {joined}"));
        // What was taken is not changed any more.
        push(&mut effects, End::Front, b"other", &[b"f"]);
        assert_eq!(text(&mut effects), "*3 $5 LPUSH $5 other $1 f ");
    }

    #[test]
    fn the_number_of_arguments_grows_in_digits() {
        let mut effects = recording();
        for _ in 0..98 {
            push(&mut effects, End::Back, b"jobs", &[b"m"]);
        }
        push(&mut effects, End::Back, b"jobs", &[b"last"]);
        let messages = "$1 m ".repeat(98);
        let expected = format!("*2 $6 select $1 0 *101 $5 RPUSH $4 jobs {messages}$4 last ");
        assert_eq!(text(&mut effects), expected);
    }

    #[test]
    fn a_push_does_not_grow_without_bound() {
        let mut effects = recording();
        let message = vec![b'm'; JOINED_BYTES_MAX];
        push(&mut effects, End::Back, b"q", &[&message]);
        push(&mut effects, End::Back, b"q", &[b"a"]);
        push(&mut effects, End::Back, b"q", &[b"b"]);
        assert!(text(&mut effects).ends_with("m *4 $5 RPUSH $1 q $1 a $1 b "));
    }

    #[test]
    fn pops_that_follow_each_other_are_one_with_a_count() {
        let mut effects = recording();
        effects.state_pop(0, End::Front, b"q", 1);
        effects.state_pop(0, End::Back, b"q", 1);
        effects.state_pop(0, End::Back, b"q", 1);
        effects.state_pop(0, End::Back, b"q", 8);
        effects.add(0, [&b"DEL"[..], b"a"]);
        effects.state_pop(0, End::Back, b"q", 1);
        effects.state_pop(1, End::Back, b"q", 1);
        let expected = "*2 $6 select $1 0 *2 $4 LPOP $1 q *3 $4 RPOP $1 q $2 10 *2 $3 DEL $1 a \
            *2 $4 RPOP $1 q *2 $6 select $1 1 *2 $4 RPOP $1 q ";
        assert_eq!(text(&mut effects), expected);
    }

    #[test]
    fn nothing_joins_across_the_border_of_an_exec() {
        let mut effects = recording();
        effects.state_pop(0, End::Front, b"q", 1);
        effects.begin_group();
        effects.state_pop(0, End::Front, b"q", 1);
        effects.state_pop(0, End::Front, b"q", 1);
        effects.end_group();
        effects.state_pop(0, End::Front, b"q", 1);
        let expected = "*2 $6 select $1 0 *2 $4 LPOP $1 q *3 $4 LPOP $1 q $1 2 *2 $4 LPOP $1 q ";
        assert_eq!(text(&mut effects), expected);
    }

    #[test]
    fn nothing_is_kept_while_it_is_off() {
        let mut effects = Effects::default();
        effects.begin_group();
        effects.add(0, [&b"DEL"[..], b"a"]);
        effects.end_group();
        assert_eq!(text(&mut effects), "");
    }
}
