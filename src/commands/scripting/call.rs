//! What a running script does with the broker: its commands pass the same gates as those of clients.

use crate::client_id::ClientId;
use crate::clock::Now;
use crate::engine::call::{call, write_error};
use crate::engine::look_up::find;
use crate::engine::script_gates::{self, ScriptRights};
use crate::engine::{Attempt, CommandError, Context, Origin, Table, timing};
use crate::keyspace::DbIndex;
use crate::resp::{Output, Protocol, Request};
use crate::scripting::Commands;
use crate::state::State;
use log::{debug, info, warn};

/// The broker, for one run of a script.
pub(super) struct ScriptCommands<'a> {
    pub(super) state: &'a mut State,
    pub(super) table: &'static Table,
    pub(super) client: ClientId,
    /// The database that the script has selected: a choice of its own.
    pub(super) db: DbIndex,
    pub(super) now: Now,
    pub(super) origin: Origin,
    pub(super) rights: ScriptRights,
    /// The reply to the script's latest command.
    pub(super) reply: Output,
    /// The changes before the script.
    pub(super) changes_before: u64,
    /// When the script began, in microseconds of the monotonic clock.
    pub(super) begun_us: u64,
}

impl<'a> ScriptCommands<'a> {
    /// For a script that a command runs.
    pub(super) fn new(
        state: &'a mut State,
        (client, db): (ClientId, DbIndex),
        rights: ScriptRights,
        (origin, now): (Origin, Now),
        table: &'static Table,
    ) -> ScriptCommands<'a> {
        let mut reply = std::mem::take(&mut state.scripting.reply);
        reply.set_protocol(Protocol::Resp2);
        ScriptCommands {
            table,
            client,
            db,
            now,
            origin: Origin::Script { exec_commands: origin.exec_commands() },
            rights,
            reply,
            changes_before: state.keyspace.changes(),
            begun_us: timing::begun_us(state),
            state,
        }
    }

    /// Ends the script, and with it its choice of another database than that of its client.
    pub(super) fn end(mut self, client_db: DbIndex) {
        if self.db != client_db
            && let Some(client) = self.state.clients.get_mut(self.client)
        {
            client.db = client_db;
        }
        self.reply.clear();
        self.state.scripting.reply = self.reply;
    }

    fn has_written(&self) -> bool {
        self.state.keyspace.changes() != self.changes_before
    }

    fn run(&mut self, request: &Request<'_>) -> Result<(), CommandError> {
        let found = find(self.table, self.table.find(request.name()), request);
        let found = found
            .map_err(|_| CommandError::text("ERR Unknown Redis command called from script"))?;
        let attempt = Attempt { found, request };
        let rights = (self.rights, self.has_written());
        let checked = script_gates::check(self.state, self.client, &attempt, rights, self.now);
        if checked.is_err() {
            self.state.stats.command(found.index).rejected += 1;
        }
        checked?;
        let mut ctx = Context {
            state: self.state,
            client: self.client,
            db: self.db,
            now: self.now,
            reply: &mut self.reply,
            origin: self.origin,
            ready_key: None,
            is_waiting: false,
            found,
            table: self.table,
        };
        call(&mut ctx, request);
        if found.command.name == "select" {
            self.db = self.state.clients.get(self.client).map_or(self.db, |client| client.db);
        }
        Ok(())
    }
}

impl Commands for ScriptCommands<'_> {
    fn call(&mut self, request: &Request<'_>) -> &[u8] {
        self.reply.clear();
        if let Err(error) = self.run(request) {
            write_error(self.state, &error, &mut self.reply);
        }
        if self.reply.contiguous().is_none() {
            let whole = self.reply.take_all();
            self.reply.raw(&whole);
        }
        self.reply.contiguous().unwrap_or_default()
    }

    fn may_run(&mut self, request: &Request<'_>) -> Option<bool> {
        let found = find(self.table, self.table.find(request.name()), request).ok()?;
        found.command.run?;
        let Some(client) = self.state.clients.get(self.client) else { return Some(true) };
        let user = self.state.users.get(client.user);
        Some(user.check(&Attempt { found, request }).is_ok())
    }

    fn protocol(&self) -> Protocol {
        self.reply.protocol()
    }

    fn set_protocol(&mut self, protocol: Protocol) {
        self.reply.set_protocol(protocol);
    }

    fn log(&mut self, level: usize, text: &[u8]) {
        let text = text.get(..LOGGED_BYTES_MAX).unwrap_or(text);
        let text = text.escape_ascii();
        match level {
            0 | 1 => debug!("script: {text}"),
            2 => info!("script: {text}"),
            _ => warn!("script: {text}"),
        }
    }

    fn must_stop(&mut self) -> bool {
        let limit_ms = self.state.settings.scripting.time_limit_ms;
        let took_us = self.state.host.monotonic_us().saturating_sub(self.begun_us);
        limit_ms > 0 && took_us / 1000 >= limit_ms && !self.has_written()
    }
}

/// A longer line of a script is cut, as in Redis.
const LOGGED_BYTES_MAX: usize = 1024;
