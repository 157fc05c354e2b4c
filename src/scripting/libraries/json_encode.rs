//! Values of Lua as JSON.

use super::json_config::{Config, InvalidNumbers};
use crate::resp::write_g;
use crate::scripting::params::type_name;
use crate::scripting::raised;
use mlua::{Error, Lua, Result, Table, Value};
use std::sync::atomic::Ordering::Relaxed;

/// Returns a value as JSON.
pub(super) fn encode(lua: &Lua, config: &Config, value: &Value) -> Result<Vec<u8>> {
    let mut encoder = Encoder {
        lua,
        config,
        depth_max: config.encode_depth_max.load(Relaxed),
        precision: config.precision.load(Relaxed) as usize,
        out: Vec::new(),
    };
    encoder.value(value, 0)?;
    Ok(encoder.out)
}

struct Encoder<'a> {
    lua: &'a Lua,
    config: &'a Config,
    depth_max: u32,
    precision: usize,
    out: Vec<u8>,
}

impl Encoder<'_> {
    fn value(&mut self, value: &Value, depth: u32) -> Result<()> {
        match value {
            Value::Nil => self.out.extend_from_slice(b"null"),
            Value::LightUserData(pointer) if pointer.0.is_null() => {
                self.out.extend_from_slice(b"null");
            }
            Value::Boolean(true) => self.out.extend_from_slice(b"true"),
            Value::Boolean(false) => self.out.extend_from_slice(b"false"),
            // Lua's numbers are doubles.
            Value::Integer(integer) => self.integer(*integer),
            Value::Number(number) => self.number(*number)?,
            Value::String(string) => self.string(&string.as_bytes()),
            Value::Table(table) => return self.table(table, depth + 1),
            other => return Err(self.refuse(other, "type not supported")),
        }
        Ok(())
    }

    fn refuse(&self, value: &Value, reason: &str) -> Error {
        let message = format!("Cannot serialise {}: {reason}", type_name(value));
        raised::at_caller(self.lua, &message)
    }

    /// With as many digits as it has, unless they are more than the precision.
    fn integer(&mut self, integer: i64) {
        const EXACT: u64 = 100_000_000_000_000;
        if self.precision == 14 && integer.unsigned_abs() < EXACT {
            return self.out.extend_from_slice(itoa::Buffer::new().format(integer).as_bytes());
        }
        write_g(&mut self.out, integer as f64, self.precision);
    }

    fn number(&mut self, number: f64) -> Result<()> {
        if !number.is_finite() {
            match self.config.encode_invalid() {
                InvalidNumbers::Refused => {
                    let reason = "must not be NaN or Inf";
                    return Err(self.refuse(&Value::Number(number), reason));
                }
                InvalidNumbers::Null => {
                    self.out.extend_from_slice(b"null");
                    return Ok(());
                }
                InvalidNumbers::Written if number.is_nan() => {
                    self.out.extend_from_slice(b"nan");
                    return Ok(());
                }
                InvalidNumbers::Written => {}
            }
        }
        write_g(&mut self.out, number, self.precision);
        Ok(())
    }

    fn string(&mut self, bytes: &[u8]) {
        self.out.reserve(bytes.len() + 2);
        self.out.push(b'"');
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|byte| must_escape(*byte)) {
            let (plain, from) = rest.split_at(at);
            self.out.extend_from_slice(plain);
            let Some((byte, behind)) = from.split_first() else { break };
            self.escaped(*byte);
            rest = behind;
        }
        self.out.extend_from_slice(rest);
        self.out.push(b'"');
    }

    fn escaped(&mut self, byte: u8) {
        let short = match byte {
            b'\x08' => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            b'\x0c' => b'f',
            b'\r' => b'r',
            b'"' | b'\\' | b'/' => byte,
            _ => return self.out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        };
        self.out.extend_from_slice(&[b'\\', short]);
    }

    fn table(&mut self, table: &Table, depth: u32) -> Result<()> {
        if depth > self.depth_max {
            let message = format!("Cannot serialise, excessive nesting ({depth})");
            return Err(raised::at_caller(self.lua, &message));
        }
        match self.array_len(table)? {
            Some(len) if len > 0 => self.array(table, len, depth),
            _ => self.object(table, depth),
        }
    }

    /// The length of the array that a table is: its greatest key, if all of them are positive integers.
    fn array_len(&self, table: &Table) -> Result<Option<usize>> {
        let (mut max, mut items) = (0_i64, 0_u64);
        for pair in table.pairs::<Value, Value>() {
            let (Value::Integer(key), _) = pair? else { return Ok(None) };
            if key <= 0 {
                return Ok(None);
            }
            max = max.max(key);
            items += 1;
        }
        let ratio = u64::from(self.config.sparse_ratio.load(Relaxed));
        let safe = u64::from(self.config.sparse_safe.load(Relaxed));
        let len = max.unsigned_abs();
        if ratio > 0 && len > items.saturating_mul(ratio) && len > safe {
            if self.config.converts_sparse.load(Relaxed) {
                return Ok(None);
            }
            return Err(self.refuse(&Value::Table(table.clone()), "excessively sparse array"));
        }
        Ok(usize::try_from(len).ok())
    }

    fn array(&mut self, table: &Table, len: usize, depth: u32) -> Result<()> {
        self.out.push(b'[');
        for index in 1..=len {
            if index > 1 {
                self.out.push(b',');
            }
            let element: Value = table.raw_get(index)?;
            self.value(&element, depth)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self, table: &Table, depth: u32) -> Result<()> {
        self.out.push(b'{');
        let mut is_first = true;
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair?;
            if !is_first {
                self.out.push(b',');
            }
            is_first = false;
            match &key {
                Value::String(name) => self.string(&name.as_bytes()),
                Value::Integer(integer) => {
                    self.out.push(b'"');
                    self.integer(*integer);
                    self.out.push(b'"');
                }
                Value::Number(number) => {
                    self.out.push(b'"');
                    self.number(*number)?;
                    self.out.push(b'"');
                }
                other => {
                    return Err(self.refuse(other, "table key must be a number or string"));
                }
            }
            self.out.push(b':');
            self.value(&value, depth)?;
        }
        self.out.push(b'}');
        Ok(())
    }
}

fn must_escape(byte: u8) -> bool {
    matches!(byte, 0..0x20 | b'"' | b'\\' | b'/' | 0x7f)
}
