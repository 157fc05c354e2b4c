//! `--check-config`: what would keep a server from starting, found without opening a port or changing a
//! file.

use super::clock::SystemClock;
use super::process::Process;
use super::tls::Configuration;
use super::{durability, listeners, unix_socket};
use crate::broker::Broker;
use crate::host::SystemAllocator;
use crate::settings::{Settings, SettingsError};

/// The errors that a start with these settings would meet in what they name: files of TLS, users,
/// addresses, the Unix socket, names of append files. Not: whether addresses are in use, and what the
/// append files contain.
pub fn check(settings: &Settings) -> Vec<SettingsError> {
    let mut errors = Vec::new();
    let tls = Configuration::default();
    for reason in tls.read(settings).err().unwrap_or_default() {
        // A reason begins with the directive. If that was not given, it is needed for one of these.
        let directive = reason.split([' ', ':']).next().unwrap_or_default();
        let all = [directive, "tls-port", "http-tls-port", "tls-replication", "tls-cluster"];
        errors.push(settings.error_of(&all, reason.clone()));
    }
    let clock = SystemClock::start();
    let host = Process::new(clock, Box::new(SystemAllocator), tls, settings);
    // No client connects, so that the hash tables need no secret.
    let broker = Broker::new(settings.clone(), 0, Box::new(host), clock.now());
    for fault in broker.user_faults() {
        errors.push(match fault.user {
            Some(index) => settings.error_of_user(index, fault.reason.clone()),
            None => settings.error_of(&["aclfile"], fault.reason.clone()),
        });
    }
    for (directive, error) in listeners::check_addresses(settings) {
        errors.push(settings.error_of(&[directive], error.to_string()));
    }
    if let Some(path) = &settings.unixsocket
        && let Err(error) = unix_socket::check(path)
    {
        errors.push(settings.error_of(&["unixsocket"], error.to_string()));
    }
    for (directive, name) in durability::wrong_names(settings) {
        let reason = format!("expected a name without a path, got '{name}'");
        errors.push(settings.error_of(&[directive], reason));
    }
    errors
}
