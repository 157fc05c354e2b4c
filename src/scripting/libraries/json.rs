//! The library `cjson`: its functions, and the settings of one copy of it.

use super::json_config::{Config, DEPTH_MAX, InvalidNumbers};
use super::{json_decode, json_encode};
use crate::scripting::params::Params;
use mlua::{Lua, MultiValue, Result, Table, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

const PRECISION: u32 = 14;
const INT_MAX: u32 = i32::MAX as u32;

/// Makes the library.
pub(super) fn open(lua: &Lua) -> Result<Table> {
    let json = lua.create_table()?;
    let config = Arc::new(Config::default());
    let add = |name: &'static str, function: Setter| -> Result<()> {
        let config = Arc::clone(&config);
        let function = lua.create_function(move |lua, args: MultiValue| {
            function(&config, &Params::new(lua, name, args), lua)
        })?;
        json.raw_set(name, function)
    };
    add("encode", encode)?;
    add("decode", decode)?;
    add("encode_sparse_array", encode_sparse_array)?;
    add("encode_max_depth", |config, params, _| depth(params, &config.encode_depth_max))?;
    add("decode_max_depth", |config, params, _| depth(params, &config.decode_depth_max))?;
    add("encode_number_precision", |config, params, _| {
        only(number_setting(params, 1, &config.precision, 1, PRECISION)?)
    })?;
    add("encode_keep_buffer", |config, params, _| {
        only(flag_setting(params, 1, &config.keeps_buffer)?)
    })?;
    add("encode_invalid_numbers", encode_invalid_numbers)?;
    add("decode_invalid_numbers", |config, params, _| {
        only(flag_setting(params, 1, &config.decodes_invalid)?)
    })?;
    json.raw_set("new", lua.create_function(|lua, (): ()| open(lua))?)?;
    json.raw_set("null", Value::NULL)?;
    json.raw_set("_NAME", "cjson")?;
    json.raw_set("_VERSION", "2.1.0")?;
    Ok(json)
}

type Setter = fn(&Config, &Params<'_>, &Lua) -> Result<MultiValue>;

fn only(value: Value) -> Result<MultiValue> {
    Ok(MultiValue::from_iter([value]))
}

fn check_count(params: &Params<'_>) -> Result<()> {
    if params.len() == 1 { Ok(()) } else { Err(params.bad(1, "expected 1 argument")) }
}

fn encode(config: &Config, params: &Params<'_>, lua: &Lua) -> Result<MultiValue> {
    check_count(params)?;
    let value = params.get(1).cloned().unwrap_or(Value::Nil);
    let text = json_encode::encode(lua, config, &value)?;
    only(Value::String(lua.create_string(text)?))
}

fn decode(config: &Config, params: &Params<'_>, lua: &Lua) -> Result<MultiValue> {
    check_count(params)?;
    let text = params.string(1)?;
    only(json_decode::decode(lua, config, &text.as_bytes())?)
}

/// Shows a number, and sets it first if there is an argument.
fn number_setting(
    params: &Params<'_>,
    number: usize,
    setting: &AtomicU32,
    min: u32,
    max: u32,
) -> Result<Value> {
    if let Some(value) = params.optional_integer(number)? {
        let value = u32::try_from(value).ok().filter(|value| (min..=max).contains(value));
        let range = format!("expected integer between {min} and {max}");
        setting.store(value.ok_or_else(|| params.bad(number, &range))?, Relaxed);
    }
    Ok(Value::Integer(setting.load(Relaxed).into()))
}

/// A greater depth than the limit is as good as the limit.
fn depth(params: &Params<'_>, setting: &AtomicU32) -> Result<MultiValue> {
    let shown = number_setting(params, 1, setting, 1, INT_MAX)?;
    setting.fetch_min(DEPTH_MAX, Relaxed);
    only(shown)
}

fn flag_setting(params: &Params<'_>, number: usize, setting: &AtomicBool) -> Result<Value> {
    match params.get(number) {
        None | Some(Value::Nil) => {}
        Some(Value::Boolean(flag)) => setting.store(*flag, Relaxed),
        Some(_) => {
            let word = params.string(number)?;
            let flag = match &*word.as_bytes() {
                b"on" => true,
                b"off" => false,
                other => return Err(invalid_option(params, number, other)),
            };
            setting.store(flag, Relaxed);
        }
    }
    Ok(Value::Boolean(setting.load(Relaxed)))
}

fn invalid_option(params: &Params<'_>, number: usize, option: &[u8]) -> mlua::Error {
    params.bad(number, &format!("invalid option '{}'", String::from_utf8_lossy(option)))
}

fn encode_sparse_array(config: &Config, params: &Params<'_>, _: &Lua) -> Result<MultiValue> {
    Ok(MultiValue::from_iter([
        flag_setting(params, 1, &config.converts_sparse)?,
        number_setting(params, 2, &config.sparse_ratio, 0, INT_MAX)?,
        number_setting(params, 3, &config.sparse_safe, 0, INT_MAX)?,
    ]))
}

fn encode_invalid_numbers(config: &Config, params: &Params<'_>, lua: &Lua) -> Result<MultiValue> {
    let chosen = match params.get(1) {
        None | Some(Value::Nil) => None,
        Some(Value::Boolean(false)) => Some(InvalidNumbers::Refused),
        Some(Value::Boolean(true)) => Some(InvalidNumbers::Written),
        Some(_) => {
            let word = params.string(1)?;
            Some(match &*word.as_bytes() {
                b"off" => InvalidNumbers::Refused,
                b"on" => InvalidNumbers::Written,
                b"null" => InvalidNumbers::Null,
                other => return Err(invalid_option(params, 1, other)),
            })
        }
    };
    if let Some(chosen) = chosen {
        config.encode_invalid.store(chosen as u8, Relaxed);
    }
    only(match config.encode_invalid() {
        InvalidNumbers::Refused => Value::Boolean(false),
        InvalidNumbers::Written => Value::Boolean(true),
        InvalidNumbers::Null => Value::String(lua.create_string("null")?),
    })
}
