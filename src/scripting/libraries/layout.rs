//! The library `struct`: values as the bytes of C structures.

use crate::scripting::params::Params;
use crate::scripting::raised;
use mlua::{Error, Lua, LuaString, MultiValue, Result, Table, Value};

/// The largest integer, in bytes.
const INTEGER_BYTES_MAX: usize = 32;
/// The alignment for `!` without a number.
const ALIGNMENT: usize = 8;
/// Values returned by one call, which are on Lua's stack.
const VALUES_MAX: usize = 7900;

/// Makes the library.
pub(super) fn open(lua: &Lua) -> Result<Table> {
    let library = lua.create_table()?;
    let pack = |lua: &Lua, args: MultiValue| pack(lua, &Params::new(lua, "pack", args));
    library.raw_set("pack", lua.create_function(pack)?)?;
    let unpack = |lua: &Lua, args: MultiValue| unpack(lua, &Params::new(lua, "unpack", args));
    library.raw_set("unpack", lua.create_function(unpack)?)?;
    let size = |lua: &Lua, args: MultiValue| size(lua, &Params::new(lua, "size", args));
    library.raw_set("size", lua.create_function(size)?)?;
    Ok(library)
}

/// Reads a format, option by option.
struct Format<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
    is_big_endian: bool,
    alignment: usize,
}

/// An option that stands for bytes.
#[derive(Clone, Copy)]
struct Item {
    option: u8,
    /// Its bytes; 0 for a length that depends on the value.
    size: usize,
    /// The bytes between the item before it and it.
    padding: usize,
}

impl<'a> Format<'a> {
    fn new(lua: &'a Lua, format: &'a [u8]) -> Format<'a> {
        Format { lua, rest: format, is_big_endian: false, alignment: 1 }
    }

    /// Takes the next item, which follows so many bytes.
    fn next(&mut self, before: usize, params: &Params<'_>) -> Result<Option<Item>> {
        while let Some((&option, rest)) = self.rest.split_first() {
            self.rest = rest;
            let size = match option {
                b' ' => continue,
                b'<' | b'>' => {
                    self.is_big_endian = option == b'>';
                    continue;
                }
                b'!' => {
                    let alignment = self.number(ALIGNMENT)?;
                    if !alignment.is_power_of_two() {
                        let message = format!("alignment {alignment} is not a power of 2");
                        return Err(raised::at_caller(self.lua, &message));
                    }
                    self.alignment = alignment;
                    continue;
                }
                b'b' | b'B' | b'x' => 1,
                b'h' | b'H' => 2,
                b'l' | b'L' | b'T' | b'd' => 8,
                b'f' => 4,
                b's' => 0,
                b'c' => self.number(1)?,
                b'i' | b'I' => self.integer_size()?,
                other => {
                    let reason = format!("invalid format option '{}'", other.escape_ascii());
                    return Err(params.bad(1, &reason));
                }
            };
            let padding = if option == b'c' { 0 } else { self.padding(before, size) };
            return Ok(Some(Item { option, size, padding }));
        }
        Ok(None)
    }

    fn padding(&self, before: usize, size: usize) -> usize {
        let size = size.min(self.alignment);
        match size {
            0 | 1 => 0,
            _ => (size.wrapping_sub(before & (size - 1))) & (size - 1),
        }
    }

    fn integer_size(&mut self) -> Result<usize> {
        let size = self.number(4)?;
        if size > INTEGER_BYTES_MAX {
            let message =
                format!("integral size {size} is larger than limit of {INTEGER_BYTES_MAX}");
            return Err(raised::at_caller(self.lua, &message));
        }
        Ok(size)
    }

    /// Takes a number, if one follows.
    fn number(&mut self, otherwise: usize) -> Result<usize> {
        if !self.rest.first().is_some_and(u8::is_ascii_digit) {
            return Ok(otherwise);
        }
        let mut number: i32 = 0;
        while let Some((digit @ b'0'..=b'9', rest)) = self.rest.split_first() {
            let grown =
                number.checked_mul(10).and_then(|ten| ten.checked_add((digit - b'0').into()));
            number = grown.ok_or_else(|| raised::at_caller(self.lua, "integral size overflow"))?;
            self.rest = rest;
        }
        Ok(usize::try_from(number).unwrap_or_default())
    }

    fn write(&self, out: &mut Vec<u8>, bytes: impl DoubleEndedIterator<Item = u8>) {
        if self.is_big_endian {
            out.extend(bytes.rev());
        } else {
            out.extend(bytes);
        }
    }

    /// The lowest eight bytes of a number, in ascending order.
    fn lowest(&self, bytes: &[u8]) -> [u8; 8] {
        let mut lowest = [0; 8];
        let copy = |(to, from): (&mut u8, &u8)| *to = *from;
        if self.is_big_endian {
            lowest.iter_mut().zip(bytes.iter().rev()).for_each(copy);
        } else {
            lowest.iter_mut().zip(bytes).for_each(copy);
        }
        lowest
    }
}

fn pack(lua: &Lua, params: &Params<'_>) -> Result<LuaString> {
    let text = params.string(1)?;
    let text = text.as_bytes();
    let mut format = Format::new(lua, &text);
    let mut out = Vec::new();
    let mut number = 1;
    while let Some(item) = format.next(out.len(), params)? {
        out.resize(out.len() + item.padding, 0);
        if item.option == b'x' {
            out.push(0);
            continue;
        }
        number += 1;
        match item.option {
            b's' | b'c' => {
                let string = params.string(number)?;
                let bytes = string.as_bytes();
                let size = if item.size == 0 { bytes.len() } else { item.size };
                let part = bytes.get(..size);
                out.extend_from_slice(
                    part.ok_or_else(|| params.bad(number + 1, "string too short"))?,
                );
                if item.option == b's' {
                    out.push(0);
                }
            }
            b'f' => {
                let single = params.number(number)? as f32;
                format.write(&mut out, single.to_le_bytes().into_iter());
            }
            b'd' => format.write(&mut out, params.number(number)?.to_le_bytes().into_iter()),
            _ => {
                let bytes = wrapped(params.number(number)?).to_le_bytes();
                let bytes = (0..item.size).map(|at| bytes.get(at).copied().unwrap_or_default());
                format.write(&mut out, bytes);
            }
        }
    }
    lua.create_string(out)
}

/// A number as an unsigned integer; a negative one as its complement.
fn wrapped(number: f64) -> u64 {
    if number < 0.0 { (number as i64).cast_unsigned() } else { number as u64 }
}

fn unpack(lua: &Lua, params: &Params<'_>) -> Result<MultiValue> {
    let text = params.string(1)?;
    let text = text.as_bytes();
    let data = params.string(2)?;
    let data = data.as_bytes();
    let start = params.optional_integer(3)?.unwrap_or(1);
    if start == 0 {
        return Err(params.bad(3, "offset must be 1 or greater"));
    }
    // An offset that is no position is beyond the data.
    let mut at = usize::try_from(start - 1).unwrap_or(usize::MAX);
    let mut format = Format::new(lua, &text);
    let mut values = MultiValue::new();
    while let Some(item) = format.next(at, params)? {
        if values.len() == VALUES_MAX {
            return Err(raised::at_caller(lua, "too many results"));
        }
        at = at.saturating_add(item.padding);
        let rest = data.get(at..).ok_or_else(|| too_short(params))?;
        let (value, size) = read(&format, item, rest, &mut values, params)?;
        values.extend(value);
        at += size;
    }
    values.push_back(Value::Number((at as f64) + 1.0));
    Ok(values)
}

fn too_short(params: &Params<'_>) -> Error {
    params.bad(2, "data string too short")
}

/// Reads one item; returns its value, if it has one, and its size.
fn read(
    format: &Format<'_>,
    item: Item,
    rest: &[u8],
    values: &mut MultiValue,
    params: &Params<'_>,
) -> Result<(Option<Value>, usize)> {
    let mut size = item.size;
    if item.option == b's' {
        let len = memchr::memchr(0, rest);
        let len = len.ok_or_else(|| raised::at_caller(format.lua, "unfinished string in data"))?;
        let string = format.lua.create_string(rest.get(..len).unwrap_or_default())?;
        return Ok((Some(Value::String(string)), len + 1));
    }
    if item.option == b'c' && size == 0 {
        let previous = match values.pop_back() {
            Some(Value::Integer(previous)) => usize::try_from(previous).ok(),
            Some(Value::Number(previous)) if previous >= 0.0 => Some(previous as usize),
            _ => {
                let message = "format 'c0' needs a previous size";
                return Err(raised::at_caller(format.lua, message));
            }
        };
        size = previous.unwrap_or(usize::MAX);
    }
    let bytes = rest.get(..size).ok_or_else(|| too_short(params))?;
    let value = match item.option {
        b'x' => None,
        b'c' => Some(Value::String(format.lua.create_string(bytes)?)),
        b'f' => {
            let [a, b, c, d, ..] = format.lowest(bytes);
            Some(Value::Number(f32::from_le_bytes([a, b, c, d]).into()))
        }
        b'd' => Some(Value::Number(f64::from_le_bytes(format.lowest(bytes)))),
        option => {
            let number = u64::from_le_bytes(format.lowest(bytes));
            let unused = 64_u32.saturating_sub(8 * u32::try_from(size).unwrap_or(8));
            Some(Value::Number(match option.is_ascii_lowercase() && (1..8).contains(&size) {
                // The highest bit is the sign.
                true => (number.cast_signed() << unused >> unused) as f64,
                false if option.is_ascii_lowercase() => number.cast_signed() as f64,
                false => number as f64,
            }))
        }
    };
    Ok((value, size))
}

fn size(lua: &Lua, params: &Params<'_>) -> Result<f64> {
    let text = params.string(1)?;
    let text = text.as_bytes();
    let mut format = Format::new(lua, &text);
    let mut total = 0_usize;
    while let Some(item) = format.next(total, params)? {
        match item.option {
            b's' => return Err(params.bad(1, "option 's' has no fixed size")),
            b'c' if item.size == 0 => {
                return Err(params.bad(1, "option 'c0' has no fixed size"));
            }
            _ => total = total.saturating_add(item.padding).saturating_add(item.size),
        }
    }
    Ok(total as f64)
}
