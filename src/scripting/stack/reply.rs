//! Replies of commands, as values of Lua. The conversions are those that Redis documents.

use super::{Kept, Names, SLOTS, Stack};
use std::ffi::c_int;

/// Nested deeper than any command replies.
const NESTING_MAX: usize = 64;

/// Places on the stack that a level of nesting takes.
const LEVEL_SLOTS: c_int = 6;

/// Room that is reserved for an announced number of elements.
const CAPACITY_MAX: usize = 1 << 16;

/// The bytes are no reply.
#[derive(Clone, Copy, Debug)]
pub(super) struct Broken;

/// Puts the value of one complete reply on the stack. An error has a table as well. After an error of this function
/// there may be other values on the stack.
///
/// # Safety
/// It may jump.
pub(super) unsafe fn push(stack: Stack, names: &Names, reply: &[u8]) -> Result<(), Broken> {
    let mut reader = Reader { stack, names, rest: reply };
    // SAFETY: as for this function.
    unsafe { reader.push(0) }
}

/// Has no destructor, like all that is made here.
struct Reader<'a> {
    stack: Stack,
    names: &'a Names,
    rest: &'a [u8],
}

/// A length of null in RESP2.
const NULL: i64 = -1;

// All functions that are unsafe may jump.
impl<'a> Reader<'a> {
    fn line(&mut self) -> Result<&'a [u8], Broken> {
        let end = memchr::memchr(b'\r', self.rest).ok_or(Broken)?;
        let (line, rest) = self.rest.split_at_checked(end).ok_or(Broken)?;
        self.rest = rest.get(2..).ok_or(Broken)?;
        Ok(line)
    }

    /// Takes the bytes of this length, and a line end.
    fn bytes(&mut self, len: usize) -> Result<&'a [u8], Broken> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(Broken)?;
        self.rest = rest.get(2..).ok_or(Broken)?;
        Ok(bytes)
    }

    /// Puts the next value on the stack.
    unsafe fn push(&mut self, level: usize) -> Result<(), Broken> {
        let line = self.line()?;
        let (kind, text) = line.split_first().ok_or(Broken)?;
        let (stack, names) = (self.stack, self.names);
        // SAFETY: as for this function. At most five places are used besides those of deeper levels.
        unsafe {
            match kind {
                b'+' => self.push_field(names.ok, text),
                b'-' => self.push_field(names.err, text),
                b':' => stack.push_number(number(text)? as f64),
                b'$' | b'*' if number(text)? == NULL => stack.push_boolean(false),
                b'$' => {
                    let bytes = self.bytes(count(text)?)?;
                    stack.push_string(bytes);
                }
                b'*' => self.push_array(text, level)?,
                b'_' => stack.push_nil(),
                b'#' => stack.push_boolean(text == b"t"),
                b',' => {
                    let double = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
                    stack.push_table(0, 1);
                    stack.push_kept(names.double);
                    stack.push_number(double.ok_or(Broken)?);
                    stack.set(-3);
                }
                b'(' => self.push_field(names.big_number, text),
                b'=' => self.push_verbatim(text)?,
                b'%' => self.push_keys(names.map, text, level, true)?,
                b'~' => self.push_keys(names.set, text, level, false)?,
                _ => return Err(Broken),
            }
        }
        Ok(())
    }

    /// A table with one field, a text.
    unsafe fn push_field(&self, name: Kept, text: &[u8]) {
        // SAFETY: as for this function.
        unsafe {
            self.stack.push_table(0, 1);
            self.stack.push_kept(name);
            self.stack.push_string(text);
            self.stack.set(-3);
        }
    }

    unsafe fn push_verbatim(&mut self, len: &[u8]) -> Result<(), Broken> {
        let bytes = self.bytes(count(len)?)?;
        let (format, text) = bytes.split_at_checked(4).ok_or(Broken)?;
        let format = format.get(..3).unwrap_or_default();
        // SAFETY: as for this function.
        unsafe {
            self.stack.push_table(0, 1);
            self.stack.push_kept(self.names.verbatim_string);
            self.push_field(self.names.format, format);
            self.stack.push_kept(self.names.string);
            self.stack.push_string(text);
            self.stack.set(-3);
            self.stack.set(-3);
        }
        Ok(())
    }

    /// Makes room on the stack for another level.
    unsafe fn nest(&self, level: usize) -> Result<(), Broken> {
        // SAFETY: as for this function.
        if level < NESTING_MAX && unsafe { self.stack.reserve(LEVEL_SLOTS + SLOTS) } {
            return Ok(());
        }
        Err(Broken)
    }

    /// Nulls of RESP3 leave gaps, as in Redis.
    unsafe fn push_array(&mut self, len: &[u8], level: usize) -> Result<(), Broken> {
        let len = count(len)?;
        // SAFETY: as for this function.
        unsafe {
            self.nest(level)?;
            self.stack.push_table(len.min(CAPACITY_MAX), 0);
            for index in 1..=c_int::try_from(len).map_err(|_| Broken)? {
                self.push(level + 1)?;
                self.stack.set_element(-2, index);
            }
        }
        Ok(())
    }

    /// A table with one field, a table with keys: those of a map have values, the members of a set are true.
    unsafe fn push_keys(
        &mut self,
        name: Kept,
        len: &[u8],
        level: usize,
        have_values: bool,
    ) -> Result<(), Broken> {
        let len = count(len)?;
        // SAFETY: as for this function.
        unsafe {
            self.nest(level)?;
            self.stack.push_table(0, 1);
            self.stack.push_kept(name);
            self.stack.push_table(0, len.min(CAPACITY_MAX));
            for _ in 0..len {
                self.push(level + 1)?;
                match have_values {
                    true => self.push(level + 1)?,
                    false => self.stack.push_boolean(true),
                }
                self.stack.set(-3);
            }
            self.stack.set(-3);
        }
        Ok(())
    }
}

fn number(text: &[u8]) -> Result<i64, Broken> {
    crate::resp::parse_integer(text).ok_or(Broken)
}

fn count(text: &[u8]) -> Result<usize, Broken> {
    usize::try_from(number(text)?).map_err(|_| Broken)
}
