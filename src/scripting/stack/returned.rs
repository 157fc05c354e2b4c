//! What a script returns, as a reply. Nothing here jumps: it only reads values that are there.

use super::{Kept, Names, SLOTS, Seen, Stack};
use crate::resp::{Output, Protocol};
use std::ffi::c_int;

/// Tables nested deeper than this are an error in the reply. Redis has a similar limit.
const NESTING_MAX: c_int = 128;

/// Places on the stack that a level of nesting takes: a key and two values.
const LEVEL_SLOTS: c_int = 3;

/// Places on the stack that `write` takes.
pub(super) const RESERVED: c_int = NESTING_MAX * LEVEL_SLOTS + SLOTS;

/// Writes the uppermost value. `script` is the protocol that the script chose. Returns false if the reply exceeds
/// `bytes_max`: a table may contain itself many times. The caller removes what was written.
pub(super) fn write(
    stack: Stack,
    names: &Names,
    output: &mut Output,
    script: Protocol,
    bytes_max: usize,
) -> bool {
    let end = output.len().saturating_add(bytes_max);
    let mut writer = Writer { stack, names, output, script, end };
    writer.value(0);
    writer.output.len() <= end
}

struct Writer<'a> {
    stack: Stack,
    names: &'a Names,
    output: &'a mut Output,
    script: Protocol,
    end: usize,
}

impl Writer<'_> {
    /// Writes the uppermost value, which stays.
    fn value(&mut self, level: c_int) {
        match self.stack.at(-1) {
            Seen::Text(text) => self.output.bulk(text),
            Seen::Number(number) => self.output.integer(cut(number)),
            Seen::Boolean(boolean) => self.boolean(boolean),
            Seen::Table => self.table(level),
            Seen::Nil | Seen::Other => self.output.null(),
        }
    }

    fn boolean(&mut self, boolean: bool) {
        match (self.script, self.output.protocol()) {
            (Protocol::Resp3, Protocol::Resp3) => {
                self.output.raw(if boolean { b"#t\r\n" } else { b"#f\r\n" });
            }
            (Protocol::Resp3, Protocol::Resp2) => self.output.flag(boolean),
            (Protocol::Resp2, _) if boolean => self.output.integer(1),
            (Protocol::Resp2, _) => self.output.null(),
        }
    }

    /// Puts a field of the uppermost value, a table, on the stack.
    fn push_field(&self, name: Kept) -> Seen<'static> {
        self.stack.push_kept(name);
        self.stack.get(-2);
        self.stack.at(-1)
    }

    /// Writes the uppermost value, a table. A field says what it is.
    fn table(&mut self, level: c_int) {
        if level >= NESTING_MAX {
            return self.output.error(b"ERR reached lua stack limit");
        }
        let base = self.stack.len();
        let names = self.names;
        let fields = [
            names.err,
            names.ok,
            names.double,
            names.map,
            names.set,
            names.big_number,
            names.verbatim_string,
        ];
        for name in fields {
            let is_written = match (name, self.push_field(name)) {
                (_, Seen::Nil) => false,
                (name, seen) => self.field(name, &seen, level),
            };
            self.stack.set_len(base);
            if is_written {
                return;
            }
        }
        self.array(level);
    }

    /// Writes the table that has this field, the uppermost value. Returns false if the field means nothing.
    fn field(&mut self, name: Kept, value: &Seen<'_>, level: c_int) -> bool {
        let names = self.names;
        match value {
            Seen::Text(text) if name == names.err => self.output.error(error_text(text)),
            Seen::Text(text) if name == names.ok => {
                self.output.simple(&String::from_utf8_lossy(text));
            }
            Seen::Number(number) if name == names.double => self.output.double(*number),
            Seen::Table if name == names.map => self.map(level),
            Seen::Table if name == names.set => self.set(level),
            Seen::Text(number) if name == names.big_number => self.big_number(number),
            Seen::Table if name == names.verbatim_string => self.verbatim(),
            _ => return false,
        }
        true
    }

    /// The elements before the first that is nil.
    fn array(&mut self, level: c_int) {
        let mut len = 0;
        while !matches!(self.push_element(len), Seen::Nil) {
            self.stack.pop(1);
            len += 1;
        }
        self.stack.pop(1);
        self.output.array(usize::try_from(len).unwrap_or_default());
        for index in 0..len {
            if self.output.len() > self.end {
                return;
            }
            self.push_element(index);
            self.value(level + 1);
            self.stack.pop(1);
        }
    }

    /// Puts an element of the uppermost value, a table, on the stack.
    fn push_element(&self, index: c_int) -> Seen<'static> {
        self.stack.push_element(-1, index.saturating_add(1));
        self.stack.at(-1)
    }

    /// The number of keys of the uppermost value, a table.
    fn count(&self) -> usize {
        let mut count = 0;
        self.stack.push_nil();
        while self.stack.next(-2) {
            self.stack.pop(1);
            count += 1;
        }
        count
    }

    fn map(&mut self, level: c_int) {
        self.output.map(self.count());
        self.stack.push_nil();
        while self.output.len() <= self.end && self.stack.next(-2) {
            // Above the value, the key once more.
            self.stack.copy(-2);
            self.value(level + 1);
            self.stack.pop(1);
            self.value(level + 1);
            self.stack.pop(1);
        }
    }

    fn set(&mut self, level: c_int) {
        self.output.set(self.count());
        self.stack.push_nil();
        while self.output.len() <= self.end && self.stack.next(-2) {
            self.stack.pop(1);
            self.value(level + 1);
        }
    }

    /// Line ends would end the reply.
    fn big_number(&mut self, number: &[u8]) {
        if self.output.protocol() == Protocol::Resp2 {
            return self.output.bulk(number);
        }
        let line = number.iter().map(|byte| if b"\r\n".contains(byte) { b' ' } else { *byte });
        let line: Vec<u8> = line.collect();
        self.output.raw(b"(");
        self.output.raw(&line);
        self.output.raw(b"\r\n");
    }

    fn verbatim(&mut self) {
        match self.push_field(self.names.string) {
            // The format is always that of text for people.
            Seen::Text(text) => self.output.verbatim(text),
            _ => self.output.null(),
        }
    }
}

/// A number without its fraction. What is no integer of 64 bits is the smallest one, as in C.
fn cut(number: f64) -> i64 {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if (-BEYOND..BEYOND).contains(&number) { number as i64 } else { i64::MIN }
}

/// The text of an error without the line end that it may have.
fn error_text(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"\r\n").or_else(|| text.strip_suffix(b"\n")).unwrap_or(text)
}
