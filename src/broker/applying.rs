//! Applies the stream of a primary: whole commands, and the commands of a transaction together.

use super::Broker;
use crate::client_id::ClientId;
use crate::clock::Now;
use crate::commands::replay::{self, Source};
use crate::engine::{Origin, Table, wake};
use crate::replication::Link;
use crate::resp::{Limits, Output, Parsed, Request, RequestParser};
use crate::state::State;

/// Why the link ends.
pub(super) enum Broken {
    /// A later attempt may succeed.
    Failed(String),
    /// It would not: only an operator can help.
    Stopped(String),
}

impl Broker {
    /// Runs the whole commands in `bytes`, the commands of a transaction together. Returns how many bytes were
    /// used.
    pub(super) fn apply(&mut self, id: ClientId, bytes: &[u8], now: Now) -> Result<usize, Broken> {
        self.resume_parser(id);
        let aside = self.state.keyspace.begin_applying();
        let mut applying = Applying {
            state: &mut self.state,
            table: self.table,
            reply: Output::default(),
            now,
            passed_on: 0,
        };
        let mut used = 0;
        let result = loop {
            let rest = &bytes[used..];
            match self.parser.parse(rest, Limits::NONE) {
                Ok(Parsed::Request { end }) => {
                    let request = self.parser.request(rest);
                    if let Err(broken) = applying.take(&request, bytes, used, end) {
                        break Err(broken);
                    }
                    used += end;
                }
                Ok(Parsed::Nothing { end }) => {
                    applying.pass_over(bytes, used, end);
                    used += end;
                }
                Ok(Parsed::Incomplete) => break Ok(used),
                Err(error) => {
                    let text = String::from_utf8_lossy(&error.to_bytes()).into_owned();
                    break Err(Broken::Failed(format!("the stream is not valid: {text}")));
                }
            }
        };
        applying.pass_on(bytes, used);
        self.state.keyspace.end_applying(aside);
        if result.is_ok() {
            self.keep_parser(id);
        } else {
            self.parser = RequestParser::default();
        }
        wake::follow_up(&mut self.state, self.table, now);
        result
    }
}

/// Applies a stream.
struct Applying<'a> {
    state: &'a mut State,
    table: &'static Table,
    reply: Output,
    now: Now,
    /// Bytes of the input that are in the backlog.
    passed_on: usize,
}

impl Applying<'_> {
    /// Takes the request at `at..at + len` of `bytes`.
    fn take(
        &mut self,
        request: &Request<'_>,
        bytes: &[u8],
        at: usize,
        len: usize,
    ) -> Result<(), Broken> {
        let raw = &bytes[at..at + len];
        let Some(link) = &mut self.state.replication.link else { return Ok(()) };
        if let Some(transaction) = &mut link.transaction {
            let limit = self.state.settings.replication.transaction_bytes_max;
            if (transaction.len() + raw.len()) as u64 > limit {
                return Err(Broken::Stopped(format!(
                    "a transaction has more than {limit} bytes (replica-transaction-limit)"
                )));
            }
            transaction.extend_from_slice(raw);
            self.passed_on = at + len;
            if request.is_named("exec") {
                let transaction = link.transaction.take().unwrap_or_default();
                self.run_transaction(&transaction)?;
                self.append(&transaction);
            }
            return Ok(());
        }
        if request.is_named("multi") {
            self.pass_on(bytes, at);
            if let Some(link) = &mut self.state.replication.link {
                link.transaction = Some(raw.to_vec());
            }
            self.passed_on = at + len;
            return Ok(());
        }
        let result = self.run(request, raw);
        if result.is_err() {
            // Everything before it counts.
            self.pass_on(bytes, at);
        }
        result
    }

    /// Takes bytes that are no request. They count in the stream, and stay where they are in a transaction.
    fn pass_over(&mut self, bytes: &[u8], at: usize, len: usize) {
        let link = self.state.replication.link.as_mut();
        if let Some(transaction) = link.and_then(|link| link.transaction.as_mut()) {
            transaction.extend_from_slice(&bytes[at..at + len]);
            self.passed_on = at + len;
        }
    }

    /// Adds the input up to `end` to the backlog: as it came, for replicas of ours.
    fn pass_on(&mut self, bytes: &[u8], end: usize) {
        let from = self.passed_on;
        if from < end {
            self.passed_on = end;
            let part = &bytes[from..end];
            self.append(part);
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        if let Some(backlog) = &mut self.state.replication.backlog {
            backlog.append(bytes);
        }
    }

    /// Runs all commands of a transaction.
    fn run_transaction(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let mut parser = RequestParser::default();
        let mut at = 0;
        loop {
            match parser.parse(&bytes[at..], Limits::NONE) {
                Ok(Parsed::Request { end }) => {
                    let raw = &bytes[at..at + end];
                    self.run(&parser.request(raw), raw)?;
                    at += end;
                }
                Ok(Parsed::Nothing { end }) => at += end,
                // All of it was parsed before.
                Ok(Parsed::Incomplete) | Err(_) => return Ok(()),
            }
        }
    }

    /// Runs one command.
    fn run(&mut self, request: &Request<'_>, raw: &[u8]) -> Result<(), Broken> {
        let Some(link) = &mut self.state.replication.link else { return Ok(()) };
        if request.is_named("ping") || request.is_named("multi") || request.is_named("exec") {
            return Ok(());
        }
        if request.is_named("replconf") {
            link.owes_ack |=
                request.get(1).is_some_and(|word| word.eq_ignore_ascii_case(b"getack"));
            return Ok(());
        }
        let mut db = link.db;
        let source = Source { origin: Origin::Primary, now: self.now };
        let ran = replay::replay(self.state, self.table, &mut db, request, &mut self.reply, source);
        match ran {
            Ok(()) => {
                let is_data =
                    !["select", "publish", "spublish"].iter().any(|one| request.is_named(one));
                if is_data {
                    self.state.keyspace.effects.add_received(db, raw);
                }
                link_mut(self.state, |link| link.db = db);
                Ok(())
            }
            Err(error) if self.state.settings.replica_ignore_unsupported_keys => {
                log::debug!("replication: left out: {error}");
                link_mut(self.state, |link| link.skipped += 1);
                Ok(())
            }
            Err(error) => {
                let name = request.name().escape_ascii();
                let key = request.get(1).unwrap_or_default().escape_ascii();
                Err(Broken::Stopped(format!(
                    "the command '{name}' for '{key}' cannot be applied: {error}"
                )))
            }
        }
    }
}

/// Changes the link, if this is a replica.
pub(super) fn link_mut(state: &mut State, change: impl FnOnce(&mut Link)) {
    if let Some(link) = &mut state.replication.link {
        change(link);
    }
}
