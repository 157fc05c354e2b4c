//! In the place of `tls`, in a build without it: there is no connection with TLS.

use super::socket::Socket;
use super::transfer::{Buffers, Received, Sent};
use crate::clients::CloseReason;
use crate::resp::Output;
use crate::settings::Settings;
use std::io;
use std::net::IpAddr;

/// No configuration.
#[derive(Clone, Debug, Default)]
pub(super) struct Configuration {
    _nothing: (),
}

/// That nothing is to be configured.
#[derive(Debug)]
pub(super) struct Read;

impl Configuration {
    pub(super) fn load(&self, settings: &Settings) -> Result<(), String> {
        self.read(settings).map(|read| self.set(read)).map_err(|errors| errors.join("; "))
    }

    pub(super) fn read(&self, settings: &Settings) -> Result<Read, Vec<String>> {
        match settings.uses_tls() || settings.connects_with_tls() {
            false => Ok(Read),
            true => Err(vec!["this build has no TLS; build it with the feature `tls`".to_owned()]),
        }
    }

    pub(super) fn set(&self, _: Read) {}
}

/// A connection that there cannot be.
#[derive(Debug)]
pub(super) enum Tls {}

impl Tls {
    pub(super) fn accept(_: Socket, _: &Configuration) -> io::Result<Tls> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn connect(_: Socket, _: IpAddr, _: &Configuration) -> io::Result<Tls> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn socket(&mut self) -> &mut Socket {
        match *self {}
    }

    pub(super) fn is_handshaking(&self) -> bool {
        match *self {}
    }

    pub(super) fn certificate_name(&self) -> Option<Box<str>> {
        match *self {}
    }

    pub(super) fn unsent_bytes(&self) -> usize {
        match *self {}
    }

    pub(super) fn receive(&mut self, _: &mut Buffers, _: usize) -> Received {
        match *self {}
    }

    pub(super) fn finds_end(&mut self, _: &mut Buffers) -> bool {
        match *self {}
    }

    pub(super) fn flush(&mut self) -> Sent {
        match *self {}
    }

    pub(super) fn send(&mut self, _: &mut Buffers, _: &Output, _: usize) -> Sent {
        match *self {}
    }

    pub(super) fn end(&mut self, _: CloseReason, _: &mut Buffers) {
        match *self {}
    }
}
