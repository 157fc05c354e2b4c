//! The error reply of a script that failed: what was raised, and where.

use super::raised;
use mlua::{Lua, Result, Table, Value};

/// The name of the sandbox's own code.
pub(super) const SANDBOX: &str = "=sandbox";

/// What the line of an error of Lua's own functions looks like, if the sandbox called them.
const SANDBOX_LINE: &[u8] = b"sandbox:";

/// A line of a script.
struct Place {
    source: String,
    short: String,
    line: usize,
}

/// The handler of errors: makes a table of the error and its place in the script.
pub(super) fn locate(lua: &Lua, error: Value) -> Result<Table> {
    let place = find_place(lua);
    let located = lua.create_table_with_capacity(0, 3)?;
    match raised::convert(lua, error)? {
        Value::Table(error) => located.raw_set("err", error.raw_get::<Value>("err")?)?,
        Value::String(text) => {
            let text = text.as_bytes();
            let text = relocated(&text, place.as_ref());
            located.raw_set("err", lua.create_string([b"ERR ", &text[..]].concat())?)?;
        }
        other => {
            let shown = shown(lua, &other)?;
            located.raw_set("err", format!("ERR {shown}"))?;
        }
    }
    if let Some(place) = place {
        located.raw_set("source", place.source)?;
        located.raw_set("line", place.line)?;
    }
    Ok(located)
}

/// The innermost line of a script, below functions written in C or Rust and the sandbox.
fn find_place(lua: &Lua) -> Option<Place> {
    let mut level = 1;
    loop {
        let place = lua.inspect_stack(level, |function| {
            let line = function.current_line()?;
            let source = function.source();
            let (name, short) = (source.source?.into_owned(), source.short_src?.into_owned());
            (name != SANDBOX).then_some(Place { source: name, short, line })
        })?;
        if place.is_some() {
            return place;
        }
        level += 1;
    }
}

/// A text with the place in the script instead of one in the sandbox.
fn relocated(text: &[u8], place: Option<&Place>) -> Vec<u8> {
    let Some(rest) = text.strip_prefix(SANDBOX_LINE) else { return text.to_vec() };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let message = rest.get(digits..).and_then(|rest| rest.strip_prefix(b": "));
    let Some(message) = message else { return text.to_vec() };
    let place = place.map(|place| format!("{}:{}: ", place.short, place.line));
    [place.unwrap_or_default().as_bytes(), message].concat()
}

fn shown(lua: &Lua, value: &Value) -> Result<String> {
    Ok(match value {
        Value::Nil => "nil".into(),
        Value::Boolean(boolean) => boolean.to_string(),
        other => match lua.coerce_string(other.clone())? {
            Some(text) => text.to_string_lossy(),
            None => "unknown error".into(),
        },
    })
}

/// The error reply for what `locate` made, or for an error that did not get there. `name` is the script's.
pub(super) fn text(error: &Value, name: &[u8]) -> Vec<u8> {
    let Value::Table(located) = error else {
        return match error {
            Value::String(text) => unlocated(&text.to_string_lossy(), name),
            Value::Error(error) => unlocated(&raised::described(error), name),
            _ => unlocated("unknown error", name),
        };
    };
    let mut text = match located.raw_get("err") {
        Ok(Value::String(text)) => text.as_bytes().to_vec(),
        _ => b"ERR unknown error".to_vec(),
    };
    while matches!(text.last(), Some(b'\r' | b'\n')) {
        text.pop();
    }
    text.extend_from_slice(b" script: ");
    text.extend_from_slice(name);
    let place = (located.raw_get("source"), located.raw_get("line"));
    let place: (mlua::Result<Option<mlua::LuaString>>, mlua::Result<Option<i64>>) = place;
    if let (Ok(Some(source)), Ok(Some(line))) = place {
        text.extend_from_slice(b", on ");
        text.extend_from_slice(&source.as_bytes());
        text.extend_from_slice(format!(":{line}.").as_bytes());
    }
    text
}

/// The text of what `locate` made, without the place.
pub(super) fn unplaced(error: &Value) -> Vec<u8> {
    match error {
        Value::Table(located) => match located.raw_get("err") {
            Ok(Value::String(text)) => text.as_bytes().to_vec(),
            _ => b"ERR unknown error".to_vec(),
        },
        Value::String(text) => text.as_bytes().to_vec(),
        _ => b"ERR unknown error".to_vec(),
    }
}

/// The error reply for an error without a place.
pub(super) fn unlocated(text: &str, name: &[u8]) -> Vec<u8> {
    [b"ERR ", text.as_bytes(), b" script: ", name].concat()
}
