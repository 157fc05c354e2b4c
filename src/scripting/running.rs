//! What a running script asks of the broker.

use super::raised;
use super::reply::{self, Converted, Names};
use crate::resp::write_g;
use crate::resp::{Protocol, Request, RequestBuffer};
use mlua::{Error, Lua, MultiValue, Result, Value};

/// The broker, as a running script sees it.
pub(crate) trait Commands {
    /// Runs a command; returns its reply, or that of a refusal.
    fn call(&mut self, request: &Request<'_>) -> &[u8];
    /// Whether the script's user may run a request; none if there is no such command.
    fn may_run(&mut self, request: &Request<'_>) -> Option<bool>;
    /// The protocol of replies.
    fn protocol(&self) -> Protocol;
    /// Chooses the protocol of further replies.
    fn set_protocol(&mut self, protocol: Protocol);
    /// Writes a line into the log, with a level from 0 to 3.
    fn log(&mut self, level: usize, text: &[u8]);
    /// Whether the script has run for too long and must stop.
    fn must_stop(&mut self) -> bool;
}

/// The numbers of questions, as in `prelude.lua`.
pub(super) const PCALL: i64 = 0;
const LOG: i64 = 1;
const SETRESP: i64 = 2;
const ACL_CHECK: i64 = 3;
pub(super) const TICK: i64 = 4;

/// A running script.
pub(super) struct Running<'a> {
    pub(super) commands: &'a mut dyn Commands,
    pub(super) names: &'a Names,
    pub(super) request: RequestBuffer,
}

impl Running<'_> {
    /// `redis.call`: an error is raised.
    pub(super) fn call(&mut self, lua: &Lua, args: &MultiValue) -> Result<Value> {
        self.collect(args.iter())?;
        let reply = self.commands.call(&self.request.as_request());
        match reply::convert(lua, self.names, reply)? {
            Converted::Value(value) => Ok(value),
            Converted::Error(text) => Err(raised::reply(text)),
        }
    }

    /// `redis.pcall`: an error is returned.
    fn pcall(&mut self, lua: &Lua, args: &MultiValue) -> Result<Value> {
        match self.call(lua, args) {
            Err(error @ Error::ExternalError(_)) => {
                raised::convert(lua, Value::Error(Box::new(error)))
            }
            result => result,
        }
    }

    /// Everything else that needs the broker.
    pub(super) fn ask(&mut self, lua: &Lua, mut args: MultiValue) -> Result<Value> {
        let question = match args.pop_front() {
            Some(Value::Integer(question)) => question,
            _ => return Ok(Value::Nil),
        };
        match question {
            PCALL => self.pcall(lua, &args),
            LOG => self.log(lua, &args).map(|()| Value::Nil),
            SETRESP => self.set_protocol(lua, args).map(|()| Value::Nil),
            ACL_CHECK => self.check_access(&args),
            TICK => Ok(Value::Boolean(self.commands.must_stop())),
            _ => Ok(Value::Nil),
        }
    }

    /// Takes arguments as a request.
    fn collect<'v>(&mut self, args: impl ExactSizeIterator<Item = &'v Value>) -> Result<()> {
        if args.len() == 0 {
            return Err(raised::reply(
                "ERR Please specify at least one argument for this redis lib call",
            ));
        }
        self.request.clear();
        for arg in args {
            match arg {
                Value::String(string) => self.request.push(&string.as_bytes()),
                Value::Integer(integer) => {
                    self.request.push(itoa::Buffer::new().format(*integer).as_bytes());
                }
                Value::Number(number) => {
                    let mut text = Vec::new();
                    write_g(&mut text, *number, 17);
                    self.request.push(&text);
                }
                _ => {
                    return Err(raised::reply(
                        "ERR Lua redis lib command arguments must be strings or integers",
                    ));
                }
            }
        }
        Ok(())
    }

    fn check_access(&mut self, args: &MultiValue) -> Result<Value> {
        self.collect(args.iter())?;
        let may_run = self.commands.may_run(&self.request.as_request());
        may_run
            .map(Value::Boolean)
            .ok_or_else(|| raised::reply("ERR Invalid command passed to redis.acl_check_cmd()"))
    }

    fn log(&mut self, lua: &Lua, args: &MultiValue) -> Result<()> {
        let (Some(level), true) = (args.front(), args.len() >= 2) else {
            return Err(raised::reply("ERR redis.log() requires two arguments or more."));
        };
        let level = match level {
            Value::Integer(level) => usize::try_from(*level).ok(),
            Value::Number(level) => (*level >= 0.0).then_some(*level as usize),
            _ => {
                let text = "ERR First argument must be a number (log level).";
                return Err(raised::reply(text));
            }
        };
        let level = level.filter(|level| *level < 4);
        let level = level.ok_or_else(|| raised::reply("ERR Invalid debug level."))?;
        let mut line = Vec::new();
        for word in args.iter().skip(1) {
            if let Some(word) = lua.coerce_string(word.clone())? {
                if !line.is_empty() {
                    line.push(b' ');
                }
                line.extend_from_slice(&word.as_bytes());
            }
        }
        self.commands.log(level, &line);
        Ok(())
    }

    fn set_protocol(&mut self, lua: &Lua, args: MultiValue) -> Result<()> {
        let mut args = args.into_iter();
        let (Some(version), None) = (args.next(), args.next()) else {
            return Err(raised::reply("ERR redis.setresp() requires one argument."));
        };
        let protocol = match lua.coerce_integer(version)? {
            Some(2) => Protocol::Resp2,
            Some(3) => Protocol::Resp3,
            _ => return Err(raised::reply("ERR RESP version must be 2 or 3.")),
        };
        self.commands.set_protocol(protocol);
        Ok(())
    }
}
