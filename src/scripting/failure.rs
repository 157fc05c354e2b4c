//! The error reply of a script that failed: what was raised, and where.

use super::raised;
use mlua::{Lua, Result, Value};

/// The name of the sandbox's own code.
pub(super) const SANDBOX: &str = "=sandbox";

/// What the line of an error of Lua's own functions looks like, if the sandbox called them.
const SANDBOX_LINE: &[u8] = b"sandbox:";

/// A line of a script.
#[derive(Debug)]
struct Place {
    source: String,
    short: String,
    line: usize,
}

/// What a script failed with.
#[derive(Debug)]
pub(super) struct Failure {
    /// The error reply, without the place.
    text: Vec<u8>,
    place: Option<Place>,
}

impl Failure {
    /// An error without a place.
    pub(super) fn unlocated(text: &[u8]) -> Failure {
        Failure { text: [b"ERR ", text].concat(), place: None }
    }

    /// The error reply. `name` is the script's.
    pub(super) fn reply(self, name: &[u8]) -> Vec<u8> {
        let Failure { mut text, place } = self;
        while matches!(text.last(), Some(b'\r' | b'\n')) {
            text.pop();
        }
        text.extend_from_slice(b" script: ");
        text.extend_from_slice(name);
        if let Some(place) = place {
            text.extend_from_slice(format!(", on {}:{}.", place.source, place.line).as_bytes());
        }
        text
    }

    /// The text without the place.
    pub(super) fn into_text(self) -> Vec<u8> {
        self.text
    }
}

/// What was raised, and its place in the script: for the handler of errors, which runs where it was raised.
pub(super) fn locate(lua: &Lua, error: Value) -> Result<Failure> {
    let place = find_place(lua);
    let text = match raised::convert(lua, error)? {
        Value::Table(error) => match error.raw_get("err")? {
            Value::String(text) => text.as_bytes().to_vec(),
            _ => b"ERR unknown error".to_vec(),
        },
        Value::String(text) => {
            let text = text.as_bytes();
            [b"ERR ", &relocated(&text, place.as_ref())[..]].concat()
        }
        other => format!("ERR {}", shown(lua, &other)?).into_bytes(),
    };
    Ok(Failure { text, place })
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
