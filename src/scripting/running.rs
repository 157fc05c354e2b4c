//! What a running script asks of the broker.

use super::raised;
use super::stop::Stop;
use crate::resp::{Protocol, Request, RequestBuffer, write_g};
use mlua::{MultiValue, Result, Value};

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
    /// Called about every millisecond. Returns why the script must stop, if it must.
    fn must_stop(&mut self) -> Option<Stop>;
}

/// A running script.
pub(super) struct Running<'a> {
    pub(super) commands: &'a mut dyn Commands,
    /// The buffer for requests.
    pub(super) request: RequestBuffer,
}

impl Running<'_> {
    /// Adds a number to the request: exactly, if it is an integer.
    pub(super) fn push_number(&mut self, number: f64) {
        const BEYOND: f64 = 9_223_372_036_854_775_808.0;
        if number.trunc() == number && (-BEYOND..BEYOND).contains(&number) {
            return self.request.push(itoa::Buffer::new().format(number as i64).as_bytes());
        }
        let mut text = Vec::new();
        write_g(&mut text, number, 17);
        self.request.push(&text);
    }

    /// Takes arguments as a request.
    pub(super) fn collect(&mut self, args: &MultiValue) -> Result<()> {
        if args.is_empty() {
            return Err(raised::reply(raised::NO_ARGUMENTS));
        }
        self.request.clear();
        for arg in args {
            match arg {
                Value::String(string) => self.request.push(&string.as_bytes()),
                Value::Integer(integer) => self.push_number(*integer as f64),
                Value::Number(number) => self.push_number(*number),
                _ => return Err(raised::reply(raised::WRONG_ARGUMENTS)),
            }
        }
        Ok(())
    }
}
