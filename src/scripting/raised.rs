//! Errors that functions written in Rust raise in scripts.

use mlua::{Error, IntoLua, Lua, Result, Value};
use std::fmt;

/// An error of a script. In Lua it becomes a string, or a table with the text in the field `err`.
#[derive(Debug)]
pub(super) enum Raised {
    /// A string.
    Text(Vec<u8>),
    /// A table with the text of an error reply.
    Reply(Vec<u8>),
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Raised::Text(text) | Raised::Reply(text)) = self;
        f.write_str(&String::from_utf8_lossy(text))
    }
}

impl std::error::Error for Raised {}

/// The errors of functions that take a request.
pub(super) const NO_ARGUMENTS: &str =
    "ERR Please specify at least one argument for this redis lib call";
pub(super) const WRONG_ARGUMENTS: &str =
    "ERR Lua redis lib command arguments must be strings or integers";

/// The error with this text, as it is.
pub(super) fn text(text: impl Into<Vec<u8>>) -> Error {
    Error::external(Raised::Text(text.into()))
}

/// The error that is a table with this error reply.
pub(super) fn reply(text: impl Into<Vec<u8>>) -> Error {
    Error::external(Raised::Reply(text.into()))
}

/// The error with this text, behind the place in the script that called the running function.
pub(super) fn at_caller(lua: &Lua, message: &str) -> Error {
    // Level 0 is the running function.
    let place = lua.inspect_stack(1, |caller| {
        let line = caller.current_line()?;
        let source = caller.source().short_src.map(|source| source.into_owned())?;
        Some(format!("{source}:{line}: "))
    });
    text(place.flatten().unwrap_or_default() + message)
}

/// The error of an argument of a function, in Lua's words.
pub(super) fn bad_argument(lua: &Lua, number: usize, function: &str, reason: &str) -> Error {
    at_caller(lua, &format!("bad argument #{number} to '{function}' ({reason})"))
}

/// What a caught error is in Lua. Other values than errors of Rust are returned as they are.
pub(super) fn convert(lua: &Lua, value: Value) -> Result<Value> {
    let Value::Error(error) = value else { return Ok(value) };
    match find(&error) {
        Some(Raised::Text(text)) => lua.create_string(text)?.into_lua(lua),
        Some(Raised::Reply(text)) => {
            let table = lua.create_table_with_capacity(0, 1)?;
            table.raw_set("err", lua.create_string(text)?)?;
            table.into_lua(lua)
        }
        None => lua.create_string(described(&error))?.into_lua(lua),
    }
}

/// Finds the error of ours within the one that Lua has passed on.
fn find(error: &Error) -> Option<&Raised> {
    match error {
        Error::CallbackError { cause, .. } | Error::WithContext { cause, .. } => find(cause),
        Error::ExternalError(error) => error.downcast_ref(),
        _ => None,
    }
}

/// The text of an error that is not ours, in one line.
pub(super) fn described(error: &Error) -> String {
    match error {
        Error::CallbackError { cause, .. } | Error::WithContext { cause, .. } => described(cause),
        Error::MemoryError(_) => "not enough memory".into(),
        Error::SyntaxError { message, .. } | Error::RuntimeError(message) => message.clone(),
        error => error.to_string(),
    }
}
