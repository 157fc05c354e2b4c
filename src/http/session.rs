//! Whose requests a connection sends. Requests of several users may come over one connection, since a proxy
//! may join theirs, so each request says whose it is. The broker's client keeps its user, and is asked to
//! change it only when that is another.

use super::credentials::{Fingerprint, fingerprint, read};
use super::head::Head;
use super::response::{Response, of_error};
use crate::resp::write_command;

/// Whose requests the broker's client runs.
#[derive(Debug, Default)]
pub(super) enum Session {
    /// Those of the default user, or of nobody yet if that has a password.
    #[default]
    Own,
    /// Those of the user with these credentials.
    User(Fingerprint),
    /// The last credentials were refused. Whoever asks next must say who it is.
    Refused,
}

/// A change of the user that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// To the user with these credentials.
    Login(Fingerprint),
    /// Back to the default user.
    Logout,
}

/// What a request needs before it may run.
pub(super) enum Needs {
    /// Nothing.
    Nothing,
    /// This change, whose command was added.
    Change(Change),
}

impl Session {
    /// What a request needs. A command that changes the user is added to `commands`.
    ///
    /// # Errors
    /// The credentials are not readable.
    pub(super) fn needs(&self, head: &Head<'_>, commands: &mut Vec<u8>) -> Result<Needs, Response> {
        let Some(authorization) = head.authorization else {
            if matches!(self, Session::Own) {
                return Ok(Needs::Nothing);
            }
            write_command(commands, [&b"RESET"[..]]);
            return Ok(Needs::Change(Change::Logout));
        };
        let wanted = fingerprint(authorization);
        if matches!(self, Session::User(own) if *own == wanted) {
            return Ok(Needs::Nothing);
        }
        let Some(credentials) = read(authorization) else {
            return Err(of_error(b"WRONGPASS expected basic authentication"));
        };
        write_command(commands, [&b"AUTH"[..], &credentials.user, &credentials.password]);
        Ok(Needs::Change(Change::Login(wanted)))
    }

    /// The change has happened, or was refused.
    pub(super) fn changed(&mut self, change: Change, is_done: bool) {
        *self = match (change, is_done) {
            (Change::Login(fingerprint), true) => Session::User(fingerprint),
            (Change::Logout, true) => Session::Own,
            (_, false) => Session::Refused,
        };
    }
}
