//! The libraries of scripts besides Lua's own.

mod bit;
mod cmsgpack;
mod cmsgpack_unpack;
mod json;
mod json_config;
mod json_decode;
mod json_encode;
mod json_token;
mod layout;

use mlua::{Lua, Result, Table};

/// Makes the libraries, as fields of `native`.
pub(super) fn open(lua: &Lua, native: &Table) -> Result<()> {
    native.raw_set("bit", bit::open(lua)?)?;
    native.raw_set("cjson", json::open(lua)?)?;
    native.raw_set("cmsgpack", cmsgpack::open(lua)?)?;
    native.raw_set("struct", layout::open(lua)?)
}
