//! MessagePack as values of Lua.

use crate::scripting::params::Params;
use crate::scripting::raised;
use mlua::{Error, Lua, MultiValue, Result, Table, Value};

/// Limit on nested arrays and maps, each of which is a call.
const NESTING_MAX: usize = 200;
/// Values returned by one call, which are on Lua's stack.
const VALUES_MAX: usize = 7900;

/// Adds the functions to the library.
pub(super) fn add(lua: &Lua, library: &Table) -> Result<()> {
    let unpack_all = |lua: &Lua, args: MultiValue| {
        let params = Params::new(lua, "unpack", args);
        unpack(lua, &params, 0, 0)
    };
    library.raw_set("unpack", lua.create_function(unpack_all)?)?;
    let unpack_one = |lua: &Lua, args: MultiValue| {
        let params = Params::new(lua, "unpack_one", args);
        params.string(1)?;
        let offset = params.optional_integer(2)?.unwrap_or(0);
        unpack(lua, &params, 1, offset)
    };
    library.raw_set("unpack_one", lua.create_function(unpack_one)?)?;
    let unpack_limit = |lua: &Lua, args: MultiValue| {
        let params = Params::new(lua, "unpack_limit", args);
        params.string(1)?;
        let limit = params.integer(2)?;
        let offset = params.optional_integer(3)?.unwrap_or(0);
        unpack(lua, &params, limit, offset)
    };
    library.raw_set("unpack_limit", lua.create_function(unpack_limit)?)
}

/// Returns the values from an offset on, at most `limit`, behind the next offset, or -1 at the end. Without
/// limit and offset, returns all values, without an offset.
fn unpack(lua: &Lua, params: &Params<'_>, limit: i64, offset: i64) -> Result<MultiValue> {
    let string = params.string(1)?;
    let bytes = string.as_bytes();
    let (Ok(limit), Ok(at)) = (usize::try_from(limit), usize::try_from(offset)) else {
        let len = bytes.len();
        let message =
            format!("Invalid request to unpack with offset of {offset} and limit of {len}.");
        return Err(raised::at_caller(lua, &message));
    };
    let Some(rest) = bytes.get(at..) else {
        let len = bytes.len();
        let message = format!("Start offset {at} greater than input length {len}.");
        return Err(raised::at_caller(lua, &message));
    };
    let takes_all = limit == 0 && at == 0;
    let mut reader = Reader { lua, rest };
    let mut values = MultiValue::new();
    while !reader.rest.is_empty() && (takes_all || values.len() < limit) {
        if values.len() == VALUES_MAX {
            let message = "too many return values at once; use unpack_one or unpack_limit instead.";
            return Err(raised::at_caller(lua, message));
        }
        let value = reader.value(0)?;
        values.push_back(value);
    }
    if !takes_all {
        let next =
            if reader.rest.is_empty() { None } else { Some(bytes.len() - reader.rest.len()) };
        // A length fits.
        values.push_front(Value::Integer(next.map_or(-1, |next| next as i64)));
    }
    Ok(values)
}

struct Reader<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn missing(&self) -> Error {
        raised::at_caller(self.lua, "Missing bytes in input.")
    }

    fn bad(&self) -> Error {
        raised::at_caller(self.lua, "Bad data format in input.")
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or_else(|| self.missing())?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(|| self.missing())?;
        self.rest = rest;
        Ok(*taken)
    }

    fn length_8(&mut self) -> Result<usize> {
        Ok(usize::from(u8::from_be_bytes(self.array()?)))
    }

    fn length_16(&mut self) -> Result<usize> {
        Ok(usize::from(u16::from_be_bytes(self.array()?)))
    }

    fn length_32(&mut self) -> Result<usize> {
        // Greater ones are beyond the input, too.
        Ok(usize::try_from(u32::from_be_bytes(self.array()?)).unwrap_or(usize::MAX))
    }

    fn value(&mut self, level: usize) -> Result<Value> {
        let [kind] = self.array()?;
        let number = |number: f64| Ok(Value::Number(number));
        match kind {
            0..=0x7f => Ok(Value::Integer(kind.into())),
            0x80..=0x8f => self.map(usize::from(kind & 15), level),
            0x90..=0x9f => self.sequence(usize::from(kind & 15), level),
            0xa0..=0xbf => self.string(usize::from(kind & 31)),
            0xc0 => Ok(Value::Nil),
            0xc2 => Ok(Value::Boolean(false)),
            0xc3 => Ok(Value::Boolean(true)),
            0xca => number(f32::from_be_bytes(self.array()?).into()),
            0xcb => number(f64::from_be_bytes(self.array()?)),
            0xcc => Ok(Value::Integer(u8::from_be_bytes(self.array()?).into())),
            0xcd => Ok(Value::Integer(u16::from_be_bytes(self.array()?).into())),
            0xce => Ok(Value::Integer(u32::from_be_bytes(self.array()?).into())),
            // As in the original, the greatest ones come out negative. Lua's numbers are doubles.
            0xcf | 0xd3 => number(i64::from_be_bytes(self.array()?) as f64),
            0xd0 => Ok(Value::Integer(i8::from_be_bytes(self.array()?).into())),
            0xd1 => Ok(Value::Integer(i16::from_be_bytes(self.array()?).into())),
            0xd2 => Ok(Value::Integer(i32::from_be_bytes(self.array()?).into())),
            0xd9 => self.length_8().and_then(|len| self.string(len)),
            0xda => self.length_16().and_then(|len| self.string(len)),
            0xdb => self.length_32().and_then(|len| self.string(len)),
            0xdc => self.length_16().and_then(|len| self.sequence(len, level)),
            0xdd => self.length_32().and_then(|len| self.sequence(len, level)),
            0xde => self.length_16().and_then(|len| self.map(len, level)),
            0xdf => self.length_32().and_then(|len| self.map(len, level)),
            0xe0..=0xff => Ok(Value::Integer(kind.cast_signed().into())),
            _ => Err(self.bad()),
        }
    }

    fn string(&mut self, len: usize) -> Result<Value> {
        let bytes = self.take(len)?;
        Ok(Value::String(self.lua.create_string(bytes)?))
    }

    fn check_level(&self, level: usize) -> Result<()> {
        if level < NESTING_MAX {
            return Ok(());
        }
        Err(raised::at_caller(self.lua, "stack overflow (too many nested arrays and maps)"))
    }

    fn sequence(&mut self, len: usize, level: usize) -> Result<Value> {
        self.check_level(level)?;
        let table = self.lua.create_table()?;
        for index in 1..=len {
            let element = self.value(level + 1)?;
            table.raw_set(index, element)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, len: usize, level: usize) -> Result<Value> {
        self.check_level(level)?;
        let table = self.lua.create_table()?;
        for _ in 0..len {
            let key = self.value(level + 1)?;
            let value = self.value(level + 1)?;
            match key {
                Value::Nil => return Err(raised::text("table index is nil")),
                Value::Number(number) if number.is_nan() => {
                    return Err(raised::text("table index is NaN"));
                }
                key => table.raw_set(key, value)?,
            }
        }
        Ok(Value::Table(table))
    }
}
