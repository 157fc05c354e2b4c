//! The library `cmsgpack`: values of Lua as MessagePack.

use super::cmsgpack_unpack;
use crate::scripting::params::Params;
use mlua::{Lua, MultiValue, Result, Table, Value};

/// A table nested deeper than this becomes nil.
const NESTING_MAX: usize = 16;

/// Makes the library.
pub(super) fn open(lua: &Lua) -> Result<Table> {
    let library = lua.create_table()?;
    let pack = |lua: &Lua, args: MultiValue| pack(lua, &Params::new(lua, "pack", args));
    library.raw_set("pack", lua.create_function(pack)?)?;
    cmsgpack_unpack::add(lua, &library)?;
    library.raw_set("_NAME", "cmsgpack")?;
    library.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    library.raw_set("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")?;
    library.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    Ok(library)
}

fn pack(lua: &Lua, params: &Params<'_>) -> Result<mlua::LuaString> {
    if params.len() == 0 {
        return Err(params.bad(0, "MessagePack pack needs input."));
    }
    let mut out = Vec::new();
    for number in 1..=params.len() {
        if let Some(value) = params.get(number) {
            write(&mut out, value, 0)?;
        }
    }
    lua.create_string(out)
}

fn write(out: &mut Vec<u8>, value: &Value, level: usize) -> Result<()> {
    match value {
        Value::String(string) => write_string(out, &string.as_bytes()),
        Value::Boolean(boolean) => out.push(if *boolean { 0xc3 } else { 0xc2 }),
        Value::Integer(integer) => write_integer(out, *integer),
        Value::Number(number) => write_number(out, *number),
        Value::Table(table) if level < NESTING_MAX => write_table(out, table, level)?,
        _ => out.push(0xc0),
    }
    Ok(())
}

fn write_string(out: &mut Vec<u8>, bytes: &[u8]) {
    let len = bytes.len();
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(len @ 0..32), _) => out.push(0xa0 | len),
        (Ok(len), _) => out.extend_from_slice(&[0xd9, len]),
        (_, Ok(len)) => {
            out.push(0xda);
            out.extend_from_slice(&len.to_be_bytes());
        }
        _ => {
            out.push(0xdb);
            out.extend_from_slice(&length_32(len).to_be_bytes());
        }
    }
    out.extend_from_slice(bytes);
}

/// A length in 32 bits. The memory of scripts is limited to less.
fn length_32(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// The shortest form of an integer.
fn write_integer(out: &mut Vec<u8>, integer: i64) {
    let mut add = |kind: u8, bytes: &[u8]| {
        out.push(kind);
        out.extend_from_slice(bytes);
    };
    if integer >= 0 {
        let integer = integer.unsigned_abs();
        match (u8::try_from(integer), u16::try_from(integer), u32::try_from(integer)) {
            (Ok(byte @ 0..128), ..) => add(byte, &[]),
            (Ok(byte), ..) => add(0xcc, &[byte]),
            (_, Ok(short), _) => add(0xcd, &short.to_be_bytes()),
            (_, _, Ok(word)) => add(0xce, &word.to_be_bytes()),
            _ => add(0xcf, &integer.to_be_bytes()),
        }
        return;
    }
    match (i8::try_from(integer), i16::try_from(integer), i32::try_from(integer)) {
        (Ok(byte @ -32..), ..) => add(byte.cast_unsigned(), &[]),
        (Ok(byte), ..) => add(0xd0, &byte.to_be_bytes()),
        (_, Ok(short), _) => add(0xd1, &short.to_be_bytes()),
        (_, _, Ok(word)) => add(0xd2, &word.to_be_bytes()),
        _ => add(0xd3, &integer.to_be_bytes()),
    }
}

/// A number that Lua does not show as an integer: -0 is one, others are floats, in 32 bits if nothing is lost.
fn write_number(out: &mut Vec<u8>, number: f64) {
    if number == 0.0 {
        return out.push(0);
    }
    let single = number as f32;
    if f64::from(single) == number {
        out.push(0xca);
        out.extend_from_slice(&single.to_be_bytes());
    } else {
        out.push(0xcb);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

fn write_table(out: &mut Vec<u8>, table: &Table, level: usize) -> Result<()> {
    let (mut count, mut max, mut is_array) = (0_usize, 0_i64, true);
    for pair in table.pairs::<Value, Value>() {
        let (key, _) = pair?;
        count += 1;
        match key {
            Value::Integer(key) if key > 0 => max = max.max(key),
            _ => is_array = false,
        }
    }
    is_array &= usize::try_from(max) == Ok(count);
    write_count(out, count, if is_array { (0x90, 0xdc, 0xdd) } else { (0x80, 0xde, 0xdf) });
    if is_array {
        for index in 1..=count {
            let element: Value = table.raw_get(index)?;
            write(out, &element, level + 1)?;
        }
        return Ok(());
    }
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        write(out, &key, level + 1)?;
        write(out, &value, level + 1)?;
    }
    Ok(())
}

fn write_count(out: &mut Vec<u8>, count: usize, (fixed, short, long): (u8, u8, u8)) {
    match (u8::try_from(count), u16::try_from(count)) {
        (Ok(count @ 0..16), _) => out.push(fixed | count),
        (_, Ok(count)) => {
            out.push(short);
            out.extend_from_slice(&count.to_be_bytes());
        }
        _ => {
            out.push(long);
            out.extend_from_slice(&length_32(count).to_be_bytes());
        }
    }
}
