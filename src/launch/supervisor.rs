//! `supervised systemd`: tells a service manager how the server is, as described in sd_notify(3).

use log::warn;
use rustix::time::{ClockId, clock_gettime};
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;
use tidegate::LifeEvent;
use tidegate::settings::Supervision;

/// The variable with the service manager's socket.
const SOCKET: &str = "NOTIFY_SOCKET";
/// The variable with the microseconds in which the service manager wants to hear from us.
const WATCHDOG: &str = "WATCHDOG_USEC";
/// The variable with the process that it wants to hear from.
const WATCHDOG_PID: &str = "WATCHDOG_PID";

/// How long a message may wait for a service manager that does not read: the loop, and so all clients, wait
/// with it. It reads within microseconds, unless hundreds of messages wait.
const SEND_TIMEOUT: Duration = Duration::from_millis(100);
/// How much longer a start may take after each report on loading. A report comes every second.
const LOADING_EXTENSION_US: u64 = 60_000_000;

/// The service manager to notify, if any.
#[derive(Debug)]
pub struct Supervisor {
    /// Kept, so that no message needs a new descriptor: there may be none.
    socket: Option<(UnixDatagram, OsString)>,
    beat: Option<Duration>,
}

impl Supervisor {
    /// The service manager according to the settings and the environment.
    pub fn find(supervision: Supervision) -> Supervisor {
        let address = match supervision {
            Supervision::No => None,
            Supervision::Auto | Supervision::Systemd => std::env::var_os(SOCKET),
        };
        if supervision == Supervision::Systemd && address.is_none() {
            warn!("supervised systemd: {SOCKET} is not set, so there is nothing to notify");
        }
        let socket = address.and_then(|address| match socket() {
            Ok(socket) => Some((socket, address)),
            Err(error) => {
                warn!("cannot notify the service manager: {error}");
                None
            }
        });
        let beat = socket.as_ref().and_then(|_| beat());
        Supervisor { socket, beat }
    }

    /// How often the service manager is to hear that the loop turns; `None` for never.
    pub fn beat(&self) -> Option<Duration> {
        self.beat
    }

    /// Tells the service manager what has become of the server.
    pub fn report(&self, event: LifeEvent) {
        let text = match event {
            LifeEvent::Loading { percent, seconds_left } => {
                let left = seconds_left.map_or(String::new(), |left| format!(", {left} s left"));
                format!(
                    "STATUS=loading append files: {percent} %{left}\n\
                     EXTEND_TIMEOUT_USEC={LOADING_EXTENSION_US}\n"
                )
            }
            LifeEvent::Ready => format!("READY=1\nMAINPID={}\n", std::process::id()),
            LifeEvent::Alive { clients } => {
                format!("WATCHDOG=1\nSTATUS=serving; connected clients: {clients}\n")
            }
            LifeEvent::Reloading => {
                let now = clock_gettime(ClockId::Monotonic);
                let now_us = now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1000;
                format!("RELOADING=1\nMONOTONIC_USEC={now_us}\nSTATUS=reading certificates\n")
            }
            LifeEvent::Reloaded => "READY=1\nSTATUS=serving\n".to_owned(),
            LifeEvent::Stopping => "STOPPING=1\nSTATUS=stopping\n".to_owned(),
        };
        self.tell(&text);
    }

    /// Tells the service manager that another process serves from now on. It listens to that one alone.
    pub fn hand_over(&self, pid: u32) {
        self.tell(&format!("MAINPID={pid}\n"));
    }

    fn tell(&self, text: &str) {
        let Some((socket, name)) = &self.socket else { return };
        let sent = address(name).and_then(|address| socket.send_to_addr(text.as_bytes(), &address));
        if let Err(error) = sent {
            warn!("cannot tell the service manager at {}: {error}", name.to_string_lossy());
        }
    }
}

fn socket() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(SEND_TIMEOUT))?;
    Ok(socket)
}

/// Half of the time in which the service manager wants to hear from this process, as sd_watchdog_enabled(3)
/// recommends.
fn beat() -> Option<Duration> {
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let is_ours = number(WATCHDOG_PID).is_none_or(|pid| pid == u64::from(std::process::id()));
    let watchdog_us = number(WATCHDOG).filter(|&us| us > 1 && is_ours)?;
    Some(Duration::from_micros(watchdog_us / 2))
}

/// Variables that concern this process and would keep the one that it starts from its duties.
pub(super) fn variables_of_this_process() -> impl Iterator<Item = &'static str> {
    let ours = std::process::id().to_string();
    [WATCHDOG_PID].into_iter().filter(move |name| std::env::var(name).is_ok_and(|pid| pid == ours))
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
