//! Replies of commands as values of Lua.

use mlua::{Error, IntoLua, Lua, LuaString, Result, Table, Value};

/// A reply.
pub(super) enum Converted<'a> {
    Value(Value),
    /// The text of an error, with its code.
    Error(&'a [u8]),
}

/// Nested deeper than any command replies.
const NESTING_MAX: usize = 64;

/// Capacity that is reserved for an announced number of elements.
const CAPACITY_MAX: usize = 1 << 16;

/// The names of the fields in which replies are in Lua, made once.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) ok: LuaString,
    pub(super) err: LuaString,
    pub(super) map: LuaString,
    pub(super) set: LuaString,
    pub(super) double: LuaString,
    pub(super) big_number: LuaString,
    pub(super) verbatim_string: LuaString,
    pub(super) format: LuaString,
    pub(super) string: LuaString,
}

impl Names {
    pub(super) fn new(lua: &Lua) -> Result<Names> {
        Ok(Names {
            ok: lua.create_string("ok")?,
            err: lua.create_string("err")?,
            map: lua.create_string("map")?,
            set: lua.create_string("set")?,
            double: lua.create_string("double")?,
            big_number: lua.create_string("big_number")?,
            verbatim_string: lua.create_string("verbatim_string")?,
            format: lua.create_string("format")?,
            string: lua.create_string("string")?,
        })
    }
}

/// Converts one complete reply.
pub(super) fn convert<'a>(lua: &Lua, names: &Names, reply: &'a [u8]) -> Result<Converted<'a>> {
    if let [b'-', line @ ..] = reply {
        return Ok(Converted::Error(line.strip_suffix(b"\r\n").unwrap_or(line)));
    }
    let mut reader = Reader { lua, names, rest: reply };
    reader.value(0).map(Converted::Value)
}

struct Reader<'a, 'b> {
    lua: &'b Lua,
    names: &'b Names,
    rest: &'a [u8],
}

/// An element of an array, or why there is none.
struct Element(Result<Value>);

impl IntoLua for Element {
    fn into_lua(self, _: &Lua) -> Result<Value> {
        self.0
    }
}

fn broken() -> Error {
    Error::runtime("a reply that is none")
}

impl<'a> Reader<'a, '_> {
    fn line(&mut self) -> Result<&'a [u8]> {
        let end = memchr::memchr(b'\r', self.rest).ok_or_else(broken)?;
        let (line, rest) = self.rest.split_at_checked(end).ok_or_else(broken)?;
        self.rest = rest.get(2..).ok_or_else(broken)?;
        Ok(line)
    }

    fn value(&mut self, level: usize) -> Result<Value> {
        if level > NESTING_MAX {
            return Err(broken());
        }
        let line = self.line()?;
        let (kind, text) = line.split_first().ok_or_else(broken)?;
        match kind {
            b'+' => self.field(&self.names.ok, text),
            b'-' => self.field(&self.names.err, text),
            b':' => Ok(Value::Integer(number(text)?)),
            b'$' => self.bulk(text),
            b'*' => self.array(text, level),
            b'_' => Ok(Value::Nil),
            b'#' => Ok(Value::Boolean(text == b"t")),
            b',' => {
                let double = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
                self.table(&self.names.double, Value::Number(double.ok_or_else(broken)?))
            }
            b'(' => self.field(&self.names.big_number, text),
            b'=' => self.verbatim(text),
            b'%' => self.map(text, level),
            b'~' => self.set(text, level),
            _ => Err(broken()),
        }
    }

    fn table(&self, name: &LuaString, value: Value) -> Result<Value> {
        let table = self.lua.create_table_with_capacity(0, 1)?;
        table.raw_set(name, value)?;
        Ok(Value::Table(table))
    }

    fn field(&self, name: &LuaString, text: &[u8]) -> Result<Value> {
        self.table(name, Value::String(self.lua.create_string(text)?))
    }

    /// Takes the bytes of this length, and a line end.
    fn bytes(&mut self, len: i64) -> Result<&'a [u8]> {
        let len = usize::try_from(len).map_err(|_| broken())?;
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or_else(broken)?;
        self.rest = rest.get(2..).ok_or_else(broken)?;
        Ok(bytes)
    }

    fn bulk(&mut self, len: &[u8]) -> Result<Value> {
        let len = number(len)?;
        if len < 0 {
            return Ok(Value::Boolean(false));
        }
        let bytes = self.bytes(len)?;
        Ok(Value::String(self.lua.create_string(bytes)?))
    }

    fn verbatim(&mut self, len: &[u8]) -> Result<Value> {
        let len = number(len)?;
        let bytes = self.bytes(len)?;
        let (format, text) = bytes.split_at_checked(4).ok_or_else(broken)?;
        let table = self.lua.create_table_with_capacity(0, 2)?;
        let format = format.get(..3).unwrap_or_default();
        table.raw_set(&self.names.format, self.lua.create_string(format)?)?;
        table.raw_set(&self.names.string, self.lua.create_string(text)?)?;
        self.table(&self.names.verbatim_string, Value::Table(table))
    }

    fn array(&mut self, len: &[u8], level: usize) -> Result<Value> {
        let len = number(len)?;
        if len < 0 {
            return Ok(Value::Boolean(false));
        }
        let lua = self.lua;
        // Null elements of RESP3 leave gaps, as in Redis.
        let elements = (0..len).map(|_| Element(self.value(level + 1)));
        Ok(Value::Table(lua.create_sequence_from(elements)?))
    }

    fn map(&mut self, len: &[u8], level: usize) -> Result<Value> {
        let len = count(len)?;
        let table = self.reserved(len)?;
        for _ in 0..len {
            let key = self.value(level + 1)?;
            let value = self.value(level + 1)?;
            table.raw_set(key, value)?;
        }
        self.table(&self.names.map, Value::Table(table))
    }

    fn set(&mut self, len: &[u8], level: usize) -> Result<Value> {
        let len = count(len)?;
        let table = self.reserved(len)?;
        for _ in 0..len {
            table.raw_set(self.value(level + 1)?, true)?;
        }
        self.table(&self.names.set, Value::Table(table))
    }

    fn reserved(&self, len: usize) -> Result<Table> {
        self.lua.create_table_with_capacity(0, len.min(CAPACITY_MAX))
    }
}

fn number(text: &[u8]) -> Result<i64> {
    crate::resp::parse_integer(text).ok_or_else(broken)
}

fn count(text: &[u8]) -> Result<usize> {
    usize::try_from(number(text)?).map_err(|_| broken())
}
