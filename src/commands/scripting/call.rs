//! What a running script does with the broker: its commands pass the same gates as those of clients.

use crate::busy_script::{BusyScript, ScriptKind};
use crate::client_id::ClientId;
use crate::clock::Now;
use crate::engine::call::{call, write_error};
use crate::engine::look_up::find;
use crate::engine::script_gates::{self, ScriptRights};
use crate::engine::{Attempt, CommandError, Context, Meanwhile, Nobody, Origin, Table, timing};
use crate::keyspace::DbIndex;
use crate::resp::{Output, OwnedRequest, Protocol, Request};
use crate::scripting::{Commands, Stop};
use crate::state::{ShutdownRequest, State};
use log::{debug, info, warn};
use std::collections::BTreeSet;

/// The code of a library may run for so long, as in Redis.
const LOAD_MS_MAX: u64 = 500;

/// What runs.
#[derive(Clone, Copy)]
pub(super) enum Running<'a> {
    /// The code of a library, which registers functions.
    Library,
    /// A script or a function.
    Script {
        kind: ScriptKind,
        /// The SHA-1 of a script, or the name of a function.
        name: &'a [u8],
        /// The command that runs it.
        request: &'a Request<'a>,
    },
}

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
    pub(super) running: Running<'a>,
    pub(super) meanwhile: &'a mut dyn Meanwhile,
}

impl<'a> ScriptCommands<'a> {
    /// For what a command runs.
    pub(super) fn new(
        ctx: &'a mut Context<'_>,
        rights: ScriptRights,
        running: Running<'a>,
    ) -> (ScriptCommands<'a>, &'a mut Output) {
        let Context { state, client, db, now, reply: output, origin, table, meanwhile, .. } = ctx;
        let mut reply = std::mem::take(&mut state.scripting.reply);
        reply.set_protocol(Protocol::Resp2);
        let commands = ScriptCommands {
            table,
            client: *client,
            db: *db,
            now: *now,
            origin: Origin::Script { exec_commands: origin.exec_commands() },
            rights,
            reply,
            changes_before: state.keyspace.changes(),
            begun_us: timing::begun_us(state),
            running,
            meanwhile: *meanwhile,
            state,
        };
        (commands, output)
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
        if let Some(script) = self.state.busy_script.take() {
            self.state.clients.add_dirty(script.held_back);
        }
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
            meanwhile: &mut Nobody,
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

    fn must_stop(&mut self) -> Option<Stop> {
        let took_us = self.state.host.monotonic_us().saturating_sub(self.begun_us);
        let Running::Script { kind, name, request } = self.running else {
            return (took_us / 1000 >= LOAD_MS_MAX).then_some(Stop::LoadTimeout);
        };
        let settings = &self.state.settings.scripting;
        let is_over = |limit_ms| limit_ms > 0 && took_us / 1000 >= limit_ms;
        let is_late = is_over(settings.time_limit_ms);
        if is_over(settings.busy_reply_threshold_ms) {
            self.serve_others(kind, name, request);
            if self.state.shutdown == Some(ShutdownRequest::Abandon) {
                return Some(Stop::Shutdown);
            }
            if self.state.busy_script.as_ref().is_some_and(|script| script.is_killed) {
                return Some(Stop::Killed);
            }
        }
        (is_late && !self.has_written()).then_some(Stop::TimeLimit)
    }
}

impl ScriptCommands<'_> {
    /// Serves other clients. What belongs to the running command is put aside for the time.
    fn serve_others(&mut self, kind: ScriptKind, name: &[u8], request: &Request<'_>) {
        let has_written = self.has_written();
        let state = &mut *self.state;
        let script = state.busy_script.get_or_insert_with(|| {
            let name = name.to_vec();
            warn!(
                "a script has run for longer than busy-reply-threshold, and other clients are answered BUSY: {}",
                name.escape_ascii()
            );
            let (client, begun_us) = (self.client, self.begun_us);
            let request = OwnedRequest::from_args(request.args_from(0));
            let held_back = BTreeSet::new();
            let (has_written, is_killed) = (false, false);
            Box::new(BusyScript {
                kind, name, client, request, begun_us, has_written, is_killed, held_back,
            })
        });
        script.has_written = has_written;
        if state.keyspace.effects.unsealed_bytes() > 0 {
            state.clients.take_dirty(&mut script.held_back);
        }
        let timer = std::mem::take(&mut state.timer);
        let is_report_due = state.clients.is_report_due();
        state.clients.set_report_due(false);
        self.meanwhile.serve(state);
        state.clients.set_report_due(is_report_due);
        state.timer = timer;
        let marks_use = state.clients.get(self.client).is_none_or(|client| !client.no_touch);
        state.keyspace.set_use_time(self.now, marks_use);
    }
}

/// A longer line of a script is cut, as in Redis.
const LOGGED_BYTES_MAX: usize = 1024;
