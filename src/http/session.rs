//! Whose requests a connection sends. Requests of several users may come over one connection, since a proxy
//! may join theirs, so each request says whose it is. The broker's client keeps its user, and is asked to
//! change it only when that is another, or when any user has changed: a password may be wrong by now.
//!
//! RESET comes before each change, so that nothing of one user is left for the next.

use super::credentials::{Fingerprint, fingerprint, read};
use super::head::Head;
use super::response::{Response, of_error};
use crate::resp::write_command;

/// Whose requests the broker's client runs.
#[derive(Debug)]
pub(super) enum Session {
    /// Those of this user.
    Known(Identity),
    /// The last credentials were refused. Whoever asks next must say who it is.
    Refused,
}

/// Who somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// The credentials. Without any it is the user of the certificate, or the default user, or nobody if
    /// that has a password.
    credentials: Option<Fingerprint>,
    /// How often users had changed when it was found out.
    user_changes: u64,
}

/// What a request needs before it may run.
pub(super) enum Needs {
    /// Nothing.
    Nothing,
    /// This user, for which commands were added.
    Change(Identity),
}

impl Identity {
    /// Whether it has credentials.
    pub(super) fn has_credentials(&self) -> bool {
        self.credentials.is_some()
    }
}

impl Session {
    /// A connection whose requests have no credentials yet.
    pub(super) fn new(user_changes: u64) -> Session {
        Session::Known(Identity { credentials: None, user_changes })
    }

    /// What a request needs. Commands that change the user are added to `commands`.
    ///
    /// # Errors
    /// The credentials are not readable.
    pub(super) fn needs(
        &self,
        head: &Head<'_>,
        user_changes: u64,
        commands: &mut Vec<u8>,
    ) -> Result<Needs, Response> {
        let wanted = Identity { credentials: head.authorization.map(fingerprint), user_changes };
        if matches!(self, Session::Known(identity) if *identity == wanted) {
            return Ok(Needs::Nothing);
        }
        let credentials = head.authorization.map(|authorization| {
            let credentials = read(authorization);
            credentials.ok_or_else(|| of_error(b"WRONGPASS expected basic authentication"))
        });
        let credentials = credentials.transpose()?;
        write_command(commands, [&b"RESET"[..]]);
        if let Some(credentials) = credentials {
            write_command(commands, [&b"AUTH"[..], &credentials.user, &credentials.password]);
        }
        Ok(Needs::Change(wanted))
    }

    /// The change has happened, or was refused.
    pub(super) fn changed(&mut self, wanted: Identity, is_done: bool) {
        *self = if is_done { Session::Known(wanted) } else { Session::Refused };
    }
}
