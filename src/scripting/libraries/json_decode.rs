//! JSON as values of Lua.

use super::json_config::Config;
use super::json_token::{Token, Tokens};
use crate::scripting::raised;
use mlua::{Error, Lua, Result, Value};
use std::sync::atomic::Ordering::Relaxed;

/// Returns the value that a text has.
pub(super) fn decode(lua: &Lua, config: &Config, text: &[u8]) -> Result<Value> {
    if matches!(text, [0, _, ..] | [_, 0, ..]) {
        let message = "JSON parser does not support UTF-16 or UTF-32";
        return Err(raised::at_caller(lua, message));
    }
    let mut decoder = Decoder {
        lua,
        tokens: Tokens::new(text, config.decodes_invalid.load(Relaxed)),
        depth: 0,
        depth_max: config.decode_depth_max.load(Relaxed),
    };
    let first = decoder.tokens.next();
    let value = decoder.value(first)?;
    match decoder.tokens.next() {
        Token::End => Ok(value),
        other => Err(decoder.expected("the end", &other)),
    }
}

struct Decoder<'a> {
    lua: &'a Lua,
    tokens: Tokens<'a>,
    depth: u32,
    depth_max: u32,
}

impl Decoder<'_> {
    fn expected(&self, what: &str, found: &Token) -> Error {
        let (found, at) = (found.name(), self.tokens.token_at + 1);
        let message = format!("Expected {what} but found {found} at character {at}");
        raised::at_caller(self.lua, &message)
    }

    fn value(&mut self, token: Token) -> Result<Value> {
        match token {
            Token::String(bytes) => Ok(Value::String(self.lua.create_string(bytes)?)),
            Token::Number(number) => Ok(Value::Number(number)),
            Token::Boolean(boolean) => Ok(Value::Boolean(boolean)),
            Token::Null => Ok(Value::NULL),
            Token::ArrayBegin => self.nested(Decoder::array),
            Token::ObjectBegin => self.nested(Decoder::object),
            other => Err(self.expected("value", &other)),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value>) -> Result<Value> {
        self.depth += 1;
        if self.depth > self.depth_max {
            let (depth, at) = (self.depth, self.tokens.at);
            let message =
                format!("Found too many nested data structures ({depth}) at character {at}");
            return Err(raised::at_caller(self.lua, &message));
        }
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn array(&mut self) -> Result<Value> {
        let table = self.lua.create_table()?;
        let mut token = self.tokens.next();
        if token == Token::ArrayEnd {
            return Ok(Value::Table(table));
        }
        for index in 1_usize.. {
            let element = self.value(token)?;
            table.raw_set(index, element)?;
            match self.tokens.next() {
                Token::ArrayEnd => break,
                Token::Comma => {}
                other => return Err(self.expected("comma or array end", &other)),
            }
            token = self.tokens.next();
        }
        Ok(Value::Table(table))
    }

    fn object(&mut self) -> Result<Value> {
        let table = self.lua.create_table()?;
        let mut token = self.tokens.next();
        if token == Token::ObjectEnd {
            return Ok(Value::Table(table));
        }
        loop {
            let Token::String(key) = token else {
                return Err(self.expected("object key string", &token));
            };
            let key = self.lua.create_string(key)?;
            match self.tokens.next() {
                Token::Colon => {}
                other => return Err(self.expected("colon", &other)),
            }
            let token_of_value = self.tokens.next();
            let value = self.value(token_of_value)?;
            table.raw_set(key, value)?;
            match self.tokens.next() {
                Token::ObjectEnd => return Ok(Value::Table(table)),
                Token::Comma => {}
                other => return Err(self.expected("comma or object end", &other)),
            }
            token = self.tokens.next();
        }
    }
}
