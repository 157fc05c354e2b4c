//! `supervised systemd`: notifies a service manager when the server is ready and when it stops, as
//! described in sd_notify(3).

use log::warn;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use tidegate::settings::Supervision;

/// The variable with the service manager's socket.
const VARIABLE: &str = "NOTIFY_SOCKET";

/// The service manager to notify, if any.
#[derive(Clone, Debug)]
pub struct Supervisor {
    socket: Option<OsString>,
}

impl Supervisor {
    /// The service manager according to the settings and the environment.
    pub fn find(supervision: Supervision) -> Supervisor {
        let socket = match supervision {
            Supervision::No => None,
            Supervision::Auto | Supervision::Systemd => std::env::var_os(VARIABLE),
        };
        if supervision == Supervision::Systemd && socket.is_none() {
            warn!("supervised systemd: {VARIABLE} is not set, so there is nothing to notify");
        }
        Supervisor { socket }
    }

    /// Clients are served now.
    pub fn ready(&self) {
        self.tell(&format!("READY=1\nSTATUS=serves\nMAINPID={}\n", std::process::id()));
    }

    /// Clients are no longer served.
    pub fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=stops\n");
    }

    fn tell(&self, text: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = address(socket).and_then(|address| send(&address, text)) {
            warn!("cannot tell the service manager at {}: {error}", socket.to_string_lossy());
        }
    }
}

fn send(address: &SocketAddr, text: &str) -> io::Result<()> {
    let sent = UnixDatagram::unbound()?.send_to_addr(text.as_bytes(), address)?;
    if sent < text.len() { Err(io::ErrorKind::WriteZero.into()) } else { Ok(()) }
}

/// A path or, after `@`, an abstract name, which only Linux has.
fn address(socket: &OsString) -> io::Result<SocketAddr> {
    match socket.as_bytes() {
        [b'@', name @ ..] => abstract_address(name),
        _ => SocketAddr::from_pathname(socket),
    }
}

#[cfg(target_os = "linux")]
fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_address(_name: &[u8]) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}
