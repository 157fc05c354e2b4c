//! The arguments of a library's function, checked as Lua's own libraries check theirs.

use super::raised;
use mlua::{Error, Lua, LuaString, MultiValue, Result, Value};

/// The arguments of a call, numbered from 1.
pub(super) struct Params<'a> {
    lua: &'a Lua,
    /// The name of the function, for errors.
    function: &'static str,
    values: MultiValue,
}

impl<'a> Params<'a> {
    pub(super) fn new(lua: &'a Lua, function: &'static str, values: MultiValue) -> Params<'a> {
        Params { lua, function, values }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn get(&self, number: usize) -> Option<&Value> {
        self.values.get(number.checked_sub(1)?)
    }

    /// The error of an argument.
    pub(super) fn bad(&self, number: usize, reason: &str) -> Error {
        raised::bad_argument(self.lua, number, self.function, reason)
    }

    fn wrong_type(&self, number: usize, expected: &str) -> Error {
        let got = self.get(number).map_or("no value", type_name);
        self.bad(number, &format!("{expected} expected, got {got}"))
    }

    /// A number, or a string that is one.
    pub(super) fn number(&self, number: usize) -> Result<f64> {
        self.optional_number(number)?.ok_or_else(|| self.wrong_type(number, "number"))
    }

    /// A number if there is an argument that is not nil.
    fn optional_number(&self, number: usize) -> Result<Option<f64>> {
        match self.get(number) {
            None | Some(Value::Nil) => Ok(None),
            // Lua's numbers are doubles.
            Some(Value::Integer(integer)) => Ok(Some(*integer as f64)),
            Some(Value::Number(double)) => Ok(Some(*double)),
            Some(value @ Value::String(_)) => {
                let double = self.lua.coerce_number(value.clone())?;
                double.map(Some).ok_or_else(|| self.wrong_type(number, "number"))
            }
            Some(_) => Err(self.wrong_type(number, "number")),
        }
    }

    /// A number, cut to an integer.
    pub(super) fn integer(&self, number: usize) -> Result<i64> {
        // Saturates.
        Ok(self.number(number)? as i64)
    }

    /// The same if there is an argument that is not nil.
    pub(super) fn optional_integer(&self, number: usize) -> Result<Option<i64>> {
        Ok(self.optional_number(number)?.map(|double| double as i64))
    }

    /// A string, or a number as one.
    pub(super) fn string(&self, number: usize) -> Result<LuaString> {
        match self.get(number) {
            Some(Value::String(string)) => Ok(string.clone()),
            Some(value @ (Value::Integer(_) | Value::Number(_))) => {
                let string = self.lua.coerce_string(value.clone())?;
                string.ok_or_else(|| self.wrong_type(number, "string"))
            }
            _ => Err(self.wrong_type(number, "string")),
        }
    }
}

/// The type of a value, in Lua's words.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) => "number",
        Value::LightUserData(_) | Value::Error(_) => "userdata",
        value => value.type_name(),
    }
}
