//! What a script returns, as a reply.

use super::reply::Names;
use crate::resp::{Output, Protocol};
use mlua::{Result, Table, Value};

/// Tables nested deeper than this are an error in the reply. Redis has a similar limit.
const NESTING_MAX: usize = 128;

/// Writes what a script returned. `script` is the protocol that the script chose.
///
/// # Errors
/// The reply exceeds `bytes_max`: a table may contain itself many times. The caller removes what was written.
pub(super) fn write(
    names: &Names,
    value: &Value,
    output: &mut Output,
    script: Protocol,
    bytes_max: usize,
) -> Result<bool> {
    let end = output.len().saturating_add(bytes_max);
    let mut writer = Writer { names, output, script, end };
    writer.value(value, 0)?;
    Ok(writer.output.len() <= end)
}

struct Writer<'a> {
    names: &'a Names,
    output: &'a mut Output,
    script: Protocol,
    end: usize,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value, level: usize) -> Result<()> {
        match value {
            Value::String(string) => self.output.bulk(&string.as_bytes()),
            Value::Integer(integer) => self.output.integer(*integer),
            Value::Number(number) => self.output.integer(cut(*number)),
            Value::Boolean(boolean) => self.boolean(*boolean),
            Value::Table(table) => return self.table(table, level),
            _ => self.output.null(),
        }
        Ok(())
    }

    fn boolean(&mut self, boolean: bool) {
        match (self.script, self.output.protocol()) {
            (Protocol::Resp3, Protocol::Resp3) => {
                self.output.raw(if boolean { b"#t\r\n" } else { b"#f\r\n" });
            }
            (Protocol::Resp3, Protocol::Resp2) => self.output.flag(boolean),
            (Protocol::Resp2, _) if boolean => self.output.integer(1),
            (Protocol::Resp2, _) => self.output.null(),
        }
    }

    fn table(&mut self, table: &Table, level: usize) -> Result<()> {
        if level >= NESTING_MAX {
            self.output.error(b"ERR reached lua stack limit");
            return Ok(());
        }
        let Names { err, ok, double, map, set, big_number, verbatim_string, .. } = self.names;
        if let Value::String(text) = table.raw_get(err)? {
            self.output.error(&error_text(&text.as_bytes()));
        } else if let Value::String(text) = table.raw_get(ok)? {
            let text = text.as_bytes();
            self.output.simple(&String::from_utf8_lossy(&text));
        } else if let Some(number) = number(&table.raw_get(double)?) {
            self.output.double(number);
        } else if let Value::Table(map) = table.raw_get(map)? {
            self.map(&map, level)?;
        } else if let Value::Table(set) = table.raw_get(set)? {
            self.set(&set, level)?;
        } else if let Value::String(number) = table.raw_get(big_number)? {
            self.big_number(&number.as_bytes());
        } else if let Value::Table(verbatim) = table.raw_get(verbatim_string)? {
            self.verbatim(&verbatim)?;
        } else {
            self.array(table, level)?;
        }
        Ok(())
    }

    fn array(&mut self, table: &Table, level: usize) -> Result<()> {
        let mut len = 0;
        for element in table.sequence_values::<Value>() {
            element?;
            len += 1;
        }
        self.output.array(len);
        for element in table.sequence_values::<Value>().take(len) {
            if self.output.len() > self.end {
                return Ok(());
            }
            self.value(&element?, level + 1)?;
        }
        Ok(())
    }

    fn map(&mut self, map: &Table, level: usize) -> Result<()> {
        self.output.map(map.pairs::<Value, Value>().count());
        for pair in map.pairs::<Value, Value>() {
            if self.output.len() > self.end {
                return Ok(());
            }
            let (key, value) = pair?;
            self.value(&key, level + 1)?;
            self.value(&value, level + 1)?;
        }
        Ok(())
    }

    fn set(&mut self, set: &Table, level: usize) -> Result<()> {
        self.output.set(set.pairs::<Value, Value>().count());
        for pair in set.pairs::<Value, Value>() {
            if self.output.len() > self.end {
                return Ok(());
            }
            self.value(&pair?.0, level + 1)?;
        }
        Ok(())
    }

    /// Line ends would end the reply.
    fn big_number(&mut self, number: &[u8]) {
        if self.output.protocol() == Protocol::Resp2 {
            return self.output.bulk(number);
        }
        let line = number.iter().map(|byte| if b"\r\n".contains(byte) { b' ' } else { *byte });
        let line: Vec<u8> = line.collect();
        self.output.raw(b"(");
        self.output.raw(&line);
        self.output.raw(b"\r\n");
    }

    fn verbatim(&mut self, verbatim: &Table) -> Result<()> {
        let text: Value = verbatim.raw_get(&self.names.string)?;
        let Value::String(text) = text else {
            self.output.null();
            return Ok(());
        };
        // The format is always that of text for people.
        self.output.verbatim(&text.as_bytes());
        Ok(())
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(integer) => Some(*integer as f64),
        Value::Number(number) => Some(*number),
        _ => None,
    }
}

/// A number without its fraction. What is no integer of 64 bits is the smallest one, as in C.
fn cut(number: f64) -> i64 {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if (-BEYOND..BEYOND).contains(&number) { number as i64 } else { i64::MIN }
}

/// The text of an error without the line end that it may have.
fn error_text(text: &[u8]) -> Vec<u8> {
    let text = text.strip_suffix(b"\r\n").or_else(|| text.strip_suffix(b"\n")).unwrap_or(text);
    text.to_vec()
}
