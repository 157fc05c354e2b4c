//! What new connections with TLS begin with, read from the files that the settings name.

use super::{accepting, connecting};
use crate::settings::Settings;
use rustls::{ClientConfig, ServerConfig};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The configuration of new connections, shared by what makes and accepts them and by CONFIG SET. Connections
/// keep the one with which they began.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct Configuration {
    current: Arc<Mutex<Sides>>,
}

/// The configurations of both sides of a connection; each is there if the settings need it.
#[derive(Debug, Default)]
pub(in crate::server) struct Sides {
    accepting: Option<Arc<ServerConfig>>,
    connecting: Option<Arc<ClientConfig>>,
}

impl Configuration {
    /// Reads everything again. After an error the configuration is the one before.
    ///
    /// # Errors
    /// Each begins with the directive and the file.
    pub(in crate::server) fn load(&self, settings: &Settings) -> Result<(), String> {
        let sides = self.read(settings).map_err(|errors| errors.join("; "))?;
        self.set(sides);
        Ok(())
    }

    /// Reads everything again, to be set later.
    ///
    /// # Errors
    /// Each begins with the directive and the file.
    pub(in crate::server) fn read(&self, settings: &Settings) -> Result<Sides, Vec<String>> {
        // What is not used is not examined, as in Redis.
        let accepting = settings.uses_tls().then(|| accepting::build(settings).map(Arc::new));
        let connecting = settings.connects_with_tls();
        let connecting = connecting.then(|| connecting::build(settings).map(Arc::new));
        match (accepting.transpose(), connecting.transpose()) {
            (Ok(accepting), Ok(connecting)) => Ok(Sides { accepting, connecting }),
            (Err(errors), Ok(_)) | (Ok(_), Err(errors)) => Err(errors),
            (Err(mut errors), Err(others)) => {
                // Both use some of the files.
                errors.extend(others);
                errors.dedup();
                Err(errors)
            }
        }
    }

    /// Uses configurations for connections from now on.
    pub(in crate::server) fn set(&self, sides: Sides) {
        *self.current() = sides;
    }

    /// The configuration for a connection that a peer has made.
    pub(super) fn accepting(&self) -> Option<Arc<ServerConfig>> {
        self.current().accepting.clone()
    }

    /// The configuration for a connection to another server.
    pub(super) fn connecting(&self) -> Option<Arc<ClientConfig>> {
        self.current().connecting.clone()
    }

    fn current(&self) -> MutexGuard<'_, Sides> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
