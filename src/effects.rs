//! What changed, as a stream of commands that change another broker in the same way.
//!
//! Effects are not requests: a BLPOP is the LPOP that it became, a relative expiry is the moment
//! it means, an expired key is a DEL, and what one EXEC changed stands between MULTI and EXEC.
//! Whoever replays the stream from the start, with the clock at zero so that nothing expires by
//! itself, has the same data. Append files and replication take their bytes from here.

use crate::keyspace::DbIndex;
use crate::resp::write_command;

/// The stream since it was last taken.
#[derive(Debug, Default)]
pub struct Effects {
    is_on: bool,
    stream: Vec<u8>,
    /// The database that the stream has selected.
    db: Option<DbIndex>,
    /// Whether the command that runs has stated its effect itself.
    is_stated: bool,
    /// What an EXEC that runs has changed so far.
    group: Option<Group>,
}

/// The effects of one EXEC. They are kept apart until it ends, since only then it is known
/// whether there are several.
#[derive(Debug, Default)]
struct Group {
    stream: Vec<u8>,
    count: usize,
}

impl Effects {
    /// Whether effects are wanted.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// Asks for effects from now on, or for none any more.
    pub fn turn(&mut self, is_on: bool) {
        *self = Effects { is_on, ..Effects::default() };
    }

    /// Begins the next command.
    #[inline]
    pub fn begin_command(&mut self) {
        self.is_stated = false;
    }

    /// Whether the command that runs has stated its effect, so that the request is not taken
    /// for it.
    pub fn is_stated(&self) -> bool {
        self.is_stated
    }

    /// States an effect that differs from the request that has it.
    pub fn state<'a, A>(&mut self, db: DbIndex, args: A)
    where
        A: IntoIterator<Item = &'a [u8], IntoIter: ExactSizeIterator>,
    {
        self.is_stated = true;
        self.add(db, args);
    }

    /// Adds one command to the stream.
    pub fn add<'a, A>(&mut self, db: DbIndex, args: A)
    where
        A: IntoIterator<Item = &'a [u8], IntoIter: ExactSizeIterator>,
    {
        if !self.is_on {
            return;
        }
        let stream = match &mut self.group {
            Some(group) => {
                group.count += 1;
                &mut group.stream
            }
            None => &mut self.stream,
        };
        if self.db != Some(db) {
            self.db = Some(db);
            let mut digits = itoa::Buffer::new();
            // In lower case, which is the same to Redis, but not what Redis writes: see `journal::scan`.
            write_command(stream, [b"select", digits.format(db).as_bytes()]);
        }
        write_command(stream, args);
    }

    /// Begins an EXEC.
    pub fn begin_group(&mut self) {
        if self.is_on {
            self.group = Some(Group::default());
        }
    }

    /// Ends an EXEC: several effects stand between MULTI and EXEC, so that they are replayed
    /// together or not at all.
    pub fn end_group(&mut self) {
        let Some(mut group) = self.group.take() else { return };
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
    pub fn take_into(&mut self, to: &mut Vec<u8>) {
        if to.is_empty() {
            // The buffers change places, so that neither is copied nor allocated anew.
            std::mem::swap(to, &mut self.stream);
        } else {
            to.append(&mut self.stream);
        }
    }

    /// Makes the stream to come begin with the choice of its database: a new file begins, which
    /// must mean the same by itself.
    pub fn forget_db(&mut self) {
        self.db = None;
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

    #[test]
    fn nothing_is_kept_while_it_is_off() {
        let mut effects = Effects::default();
        effects.begin_group();
        effects.add(0, [&b"DEL"[..], b"a"]);
        effects.end_group();
        assert_eq!(text(&mut effects), "");
    }
}
