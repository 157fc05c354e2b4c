//! The library `bit`: operations on the 32 bits of numbers.

use crate::scripting::params::Params;
use mlua::{Lua, MultiValue, Result, Table};

/// 2^52 + 2^51: added to a number, its lowest 32 bits are in the lowest bits of the sum, rounded.
const SHIFTED: f64 = 6_755_399_441_055_744.0;

/// Makes the library.
pub(super) fn open(lua: &Lua) -> Result<Table> {
    let bit = lua.create_table()?;
    add(lua, &bit, "tobit", |params| bits(params, 1))?;
    add(lua, &bit, "bnot", |params| Ok(!bits(params, 1)?))?;
    add(lua, &bit, "bswap", |params| Ok(bits(params, 1)?.swap_bytes()))?;
    add(lua, &bit, "band", |params| fold(params, |a, b| a & b))?;
    add(lua, &bit, "bor", |params| fold(params, |a, b| a | b))?;
    add(lua, &bit, "bxor", |params| fold(params, |a, b| a ^ b))?;
    add(lua, &bit, "lshift", |params| shift(params, u32::wrapping_shl))?;
    add(lua, &bit, "rshift", |params| shift(params, u32::wrapping_shr))?;
    add(lua, &bit, "arshift", |params| {
        shift(params, |number, by| number.cast_signed().wrapping_shr(by).cast_unsigned())
    })?;
    add(lua, &bit, "rol", |params| shift(params, u32::rotate_left))?;
    add(lua, &bit, "ror", |params| shift(params, u32::rotate_right))?;
    let to_hex = |lua: &Lua, args: MultiValue| to_hex(&Params::new(lua, "tohex", args));
    bit.raw_set("tohex", lua.create_function(to_hex)?)?;
    Ok(bit)
}

fn add(
    lua: &Lua,
    bit: &Table,
    name: &'static str,
    operation: fn(&Params<'_>) -> Result<u32>,
) -> Result<()> {
    let function = lua.create_function(move |lua, args: MultiValue| {
        Ok(operation(&Params::new(lua, name, args))?.cast_signed())
    })?;
    bit.raw_set(name, function)
}

fn bits(params: &Params<'_>, number: usize) -> Result<u32> {
    let shifted = params.number(number)? + SHIFTED;
    Ok((shifted.to_bits() & u64::from(u32::MAX)) as u32)
}

fn fold(params: &Params<'_>, operation: fn(u32, u32) -> u32) -> Result<u32> {
    let first = bits(params, 1)?;
    (2..=params.len()).try_fold(first, |all, number| Ok(operation(all, bits(params, number)?)))
}

/// Only the lowest five bits of the distance count.
fn shift(params: &Params<'_>, operation: fn(u32, u32) -> u32) -> Result<u32> {
    Ok(operation(bits(params, 1)?, bits(params, 2)? & 31))
}

/// The lowest digits, as many as the second argument says: in capitals if it is negative.
fn to_hex(params: &Params<'_>) -> Result<String> {
    let number = bits(params, 1)?;
    let count = match params.get(2) {
        None | Some(mlua::Value::Nil) => 8,
        Some(_) => bits(params, 2)?.cast_signed(),
    };
    let digits = if count < 0 { format!("{number:08X}") } else { format!("{number:08x}") };
    // The smallest number has no positive counterpart.
    let left_out = 8_u32.saturating_sub(count.unsigned_abs());
    Ok(digits.chars().skip(left_out as usize).collect())
}
